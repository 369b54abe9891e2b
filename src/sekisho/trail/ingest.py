"""Read sources into a store: several processes decode, one commits; killed at any moment, nothing is lost and nothing doubled."""

from __future__ import annotations

import errno
import gc
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import datetime
from multiprocessing import connection as mp_connection
from multiprocessing import get_context, parent_process

import pyarrow as pa
import pyarrow.compute as pc

from sekisho.errors import OutsideError
from sekisho.trail.records import EVENTS, REQUESTS, Piece, Requests, SetAside, batch
from sekisho.trail.sources import MIB, FileRead, Limits, Source, decoded_pieces, find_sources
from sekisho.trail.store import Aside, FileEntry, Part, PartWriter, Staged, Store, Writer, part_of

_TASK_BYTES = int(os.environ.get("SEKISHO_TRAIL_TASK_BYTES", 4 * MIB))
"""Stored bytes of one task; some 50,000 events of gzip."""
_COMMIT_ROWS = int(os.environ.get("SEKISHO_TRAIL_COMMIT_ROWS", 1_000_000))
_COMMIT_EVERY_S = 15.0
_ROWS_AT_ONCE = 5_000


@dataclass
class Outcome:
    """What an ingest did, and what is in the store afterwards."""

    files: int = 0
    known_files: int = 0
    records: int = 0
    new_events: int = 0
    duplicates: int = 0
    bytes: int = 0
    seconds: float = 0.0
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Files that are no part of the store and will be tried again: (file, why)."""


@dataclass
class _Task:
    files: list[Source]
    out: Staged
    limits: Limits


@dataclass
class _Done:
    files: list[FileEntry]
    unreadable: list[tuple[str, str]]
    out: Staged
    part: Part


def ingest(
    places: Sequence[str],
    store: Store,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    wait: bool = True,
    tell: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Read what of ``places`` isn't in the store yet. ``tell`` hears of the progress.

    Raises InputError for a place that isn't there, OutsideError where the disk is full or the store is being written.
    """
    started = time.monotonic()
    os.umask(0o077)
    limits = limits or Limits()
    sources, aside = find_sources(places)
    outcome = Outcome(unreadable=aside)
    try:
        with store.writing(wait=wait, tell=tell) as writer:
            known = writer.contents.files
            wanted = [s for s in sources if s.key not in known or known[s.key].stamp != s.stamp]
            outcome.known_files = len(sources) - len(wanted)
            tasks = list(_tasks(wanted, writer, limits))
            gauge = _Gauge(sum(s.size for s in wanted), tell)
            _run(tasks, writer, outcome, gauge, workers or os.cpu_count() or 1)
    except OSError as error:
        raise _outside(error, store) from None
    except BrokenProcessPool:
        remedy = "run it again: what is committed stays; try --workers 1"
        raise OutsideError("a process that read files was killed (out of memory?)", remedy=remedy) from None
    outcome.seconds = time.monotonic() - started
    return outcome


def _outside(error: OSError, store: Store) -> OutsideError:
    what = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) else error.strerror or str(error)
    return OutsideError(
        f"{store.folder}: {what}; what was committed is in the store and whole",
        remedy="make room, and run the same command again: it goes on where it was",
    )


def _tasks(sources: Sequence[Source], writer: Writer, limits: Limits) -> Iterator[_Task]:
    files: list[Source] = []
    size = 0
    number = writer.next_part

    def task() -> _Task:
        return _Task(files, Staged(number, writer.staging / f"{number:08d}.events", writer.staging / f"{number:08d}.requests"), limits)

    for source in sources:
        # What isn't gzip is some twelve times as large for the same events.
        weight = source.size if source.key.endswith(".gz") else source.size // 12
        if files and (size + weight > _TASK_BYTES or len(files) >= 2000):
            yield task()
            files, size, number = [], 0, number + 1
        files.append(source)
        size += weight
    if files:
        yield task()


def _run(tasks: Sequence[_Task], writer: Writer, outcome: Outcome, gauge: _Gauge, workers: int) -> None:
    waiting: list[_Done] = []
    committed = time.monotonic()

    def commit() -> None:
        nonlocal committed
        files = [f for d in waiting for f in d.files]
        if files:
            made = writer.commit(files, [(d.out, d.part) for d in waiting])
            outcome.new_events += sum(p.rows for p in made.parts)
            outcome.duplicates += made.duplicates
        waiting.clear()
        committed = time.monotonic()

    for done in _results(tasks, workers):
        waiting.append(done)
        outcome.files += len(done.files)
        outcome.records += sum(f.records for f in done.files)
        outcome.bytes += sum(f.size for f in done.files)
        outcome.unreadable += done.unreadable
        gauge.add(sum(f.size for f in done.files), done.part.rows)
        if sum(d.part.rows for d in waiting) >= _COMMIT_ROWS or time.monotonic() - committed > _COMMIT_EVERY_S:
            commit()
    commit()


def _results(tasks: Sequence[_Task], workers: int) -> Iterator[_Done]:
    """The tasks' results in the order of the tasks, with no more under way than the processes need to stay busy."""
    if len(tasks) <= 1 or workers <= 1:
        yield from map(_read, tasks)
        return
    context = get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(tasks)), mp_context=context, initializer=_start_worker) as pool:
        under_way: deque[Future[_Done]] = deque()
        try:
            for task in tasks:
                under_way.append(pool.submit(_read, task))
                if len(under_way) > workers + 2:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


def _start_worker() -> None:
    """A process that reads: no collector (records hold no cycles), private files, and no life beyond its parent's."""
    os.umask(0o077)
    gc.disable()
    pa.set_cpu_count(1)
    parent = parent_process()
    if parent is not None:

        def follow() -> None:
            mp_connection.wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()


def _read(task: _Task) -> _Done:
    """Decode the task's files into one staged part."""
    waiting: list[Piece] = []
    read: list[tuple[Source, FileRead, list[Piece]]] = []
    requests = Requests(task.out.first_request)
    spans: list[dict[str, datetime]] = []
    with PartWriter(task.out.events, EVENTS) as out, PartWriter(task.out.requests, REQUESTS) as asked:

        def write() -> None:
            if waiting:
                found = batch(waiting, requests)
                asked.add(requests.take())
                if found.num_rows:
                    requests.count(found)
                    spans.append(pc.min_max(found["event_time"]).as_py())
                    out.add(pa.Table.from_batches([found]))
                for piece in waiting:
                    piece.decoded.written()
            waiting.clear()

        held = 0
        for source in task.files:
            outcome = FileRead()
            mine: list[Piece] = []
            for decoded in decoded_pieces(source, task.limits, outcome):
                piece = Piece(decoded, source.key, source.account)
                mine.append(piece)
                waiting.append(piece)
                held += len(decoded.records)
                if held >= _ROWS_AT_ONCE:
                    write()
                    held = 0
            read.append((source, outcome, mine))
        write()
    first, last = min((s["min"] for s in spans), default=None), max((s["max"] for s in spans), default=None)
    done = _Done([], [], task.out, part_of(task.out, requests.days(), first, last))
    for source, outcome, mine in read:
        failed = next((a.reason for a in outcome.set_aside if a.reason.startswith(("can't be read", "can't be fetched"))), None)
        if failed is not None:
            # Not an entry of the log: it is tried again next time, and what of it was read is found to be there.
            done.unreadable.append((source.key, failed))
            continue
        asides = [a for piece in mine for a in piece.decoded.set_aside] + outcome.set_aside
        rows = sum(piece.decoded.kept for piece in mine)
        done.files.append(FileEntry(source.key, source.size, source.stamp, outcome.sha256, rows, _summed(asides)))
    return done


def _summed(asides: Sequence[SetAside]) -> list[Aside]:
    found: dict[tuple[str, bool], Aside] = {}
    for entry in asides:
        seen = found.setdefault((entry.reason, entry.ordinal is None), Aside(entry.reason, 0, entry.ordinal))
        seen.count += 1
    return list(found.values())


class _Gauge:
    """Says how far it is: bytes, events a second, time left."""

    def __init__(self, total: int, tell: Callable[[str], None]) -> None:
        self.total = total
        self.tell = tell
        self.started = time.monotonic()
        self.bytes = self.events = 0

    def add(self, size: int, events: int) -> None:
        self.bytes += size
        self.events += events
        spent = max(time.monotonic() - self.started, 1e-6)
        left = spent * (self.total - self.bytes) / self.bytes if self.bytes else 0
        done = f"{self.bytes / MIB:,.0f} of {self.total / MIB:,.0f} MiB"
        self.tell(f"{done}, {self.events:,} events, {self.events / spent:,.0f} a second, {left:,.0f} s left")
