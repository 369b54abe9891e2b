"""The store: a folder of Parquet parts and a log of commits, which says what is in it.

::

    DIR/store.json         what it is, and of which version
    DIR/lock               held by whoever writes
    DIR/log/00000001.json  one a commit: the files that were read, what of them was set aside, the parts that they are in
    DIR/events/*.parquet   parts of some 100,000 events, of one account and few days where the sources are in CloudTrail's layout
    DIR/requests/*.parquet what many events of a part have in common, under the same name: who asked for what, from where
    DIR/staging/           what isn't committed; emptied by the next writer

A commit is one rename of its log file, after everything that it names is on disk. Whoever is killed before that rename has changed nothing,
and afterwards everything; there is no other state. A part that no commit names is no part of the store. An event names its request by a number, which
holds the number of its part; the view ``events`` puts both together.
The reader picks parts by what the log says of their times and accounts, before DuckDB opens any of them. Folders by account and day
would hold one small file each and measured worse: 200 accounts and 90 days are 18,000 of them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from sekisho.errors import InputError, OutsideError
from sekisho.trail.records import EVENTS, REQUESTS

if TYPE_CHECKING:
    import duckdb

VERSION = "sekisho/trail-store/v1"
_OURS = frozenset(("lock", "log", "events", "requests", "staging"))


class Aside(msgspec.Struct):
    """A reason for which records of a file, or the file itself, were set aside: how many, and the first of them."""

    reason: str
    count: int
    ordinal: int | None = None


class FileEntry(msgspec.Struct):
    """A file that was read. ``stamp`` tells whether it has changed since."""

    key: str
    size: int
    stamp: str
    sha256: str = ""
    records: int = 0
    set_aside: list[Aside] = []


class Part(msgspec.Struct):
    """A Parquet file of the store: its rows, its first and last event, its accounts."""

    number: int
    rows: int
    first: datetime | None = None
    last: datetime | None = None
    accounts: list[str] = []
    days: list[tuple[str, str, date, int]] = []
    """Events by account, Region and day: what coverage asks, without opening the part."""
    data_events: int = 0

    @property
    def name(self) -> str:
        return f"{self.number:08d}.parquet"


class Commit(msgspec.Struct):
    """What one commit added."""

    files: list[FileEntry]
    parts: list[Part]
    duplicates: int = 0
    schema: str = VERSION


@dataclass
class Contents:
    """Everything that the log says."""

    files: dict[str, FileEntry] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    duplicates: int = 0
    commits: int = 0

    @property
    def events(self) -> int:
        return sum(p.rows for p in self.parts)


def _is_ours(name: str) -> bool:
    """Whether a store has a file of this name: the mark too, which another ingest may be making just now."""
    return name in _OURS or "store.json" in name


def chosen(since: datetime | None, until: datetime | None, accounts: Sequence[str]) -> dict[str, str]:
    """SQL of the views ``requests`` and ``own`` over the whole of the Parquet files, ``all_requests`` and ``all_events``."""
    wanted = []
    if since is not None:
        wanted.append(f"event_time >= TIMESTAMP '{since:%Y-%m-%d %H:%M:%S}'")
    if until is not None:
        wanted.append(f"event_time < TIMESTAMP '{until:%Y-%m-%d %H:%M:%S}'")
    some = " WHERE account IN (" + ", ".join(quoted(a) for a in accounts) + ")" if accounts else ""
    if accounts:
        wanted.append("request IN (SELECT request FROM requests)")
    return {
        "requests": f"SELECT * FROM all_requests{some}",
        "own": "SELECT * FROM all_events" + (" WHERE " + " AND ".join(wanted) if wanted else ""),
    }


_OF_EVENT = ", ".join(f"o.{n}" for n in EVENTS.names if n != "request")
_OF_REQUEST = ", ".join(f"r.{n}" for n in REQUESTS.names if n != "request")
VIEWS = {
    "numbered": f"SELECT o.request, {_OF_EVENT}, {_OF_REQUEST} FROM own o JOIN requests r ON r.request = o.request",
    "events": f"SELECT {_OF_EVENT}, {_OF_REQUEST} FROM own o JOIN requests r ON r.request = o.request",
}
"""What both tables say together, for every engine the same: ``events`` is what the questions are asked of."""


class Store:
    """A store in a folder, which need not exist yet to be opened for writing.

    Raises InputError where the folder is something else, or of another version.
    """

    def __init__(self, folder: Path, *, create: bool = False) -> None:
        self.folder = folder
        mark = folder / "store.json"
        if mark.is_file():
            said = mark.read_text()
            if VERSION not in said:
                raise InputError(f"{folder} is a store of another version", expected=VERSION, remedy="ingest the trail again into a new folder")
        elif not create:
            raise InputError(f"{folder} holds no trail", remedy=f"sekisho trail ingest SOURCE --store {folder}")
        elif folder.exists() and (not folder.is_dir() or any(not _is_ours(p.name) for p in folder.iterdir())):
            raise InputError(f"{folder} is there, and is no store", remedy="name a folder that is empty or doesn't exist")

    @property
    def events_folder(self) -> Path:
        return self.folder / "events"

    @property
    def requests_folder(self) -> Path:
        return self.folder / "requests"

    def contents(self) -> Contents:
        """What is in the store now."""
        contents = Contents()
        log = self.folder / "log"
        for path in sorted(log.glob("*.json")) if log.is_dir() else ():
            commit = msgspec.json.decode(path.read_bytes(), type=Commit)
            contents.commits = int(path.stem)
            contents.duplicates += commit.duplicates
            contents.parts += commit.parts
            for file in commit.files:
                contents.files[file.key] = file
        return contents

    # Reading --------------------------------------------------------------------------------------------------------

    def parts(self, since: datetime | None = None, until: datetime | None = None, accounts: Sequence[str] = ()) -> list[Part]:
        """The parts that can hold what is asked for."""
        return [p for p in self.contents().parts if p.rows and _may_hold(p, since, until, accounts)]

    def stray(self) -> list[Path]:
        """Files that no commit names: of an ingest that was stopped, until the next one takes them away."""
        known = {p.name for p in self.contents().parts}
        folders = [f for f in (self.events_folder, self.requests_folder) if f.is_dir()]
        return [p for f in folders for p in sorted(f.iterdir()) if p.name not in known]

    def connect(
        self, since: datetime | None = None, until: datetime | None = None, accounts: Sequence[str] = (), *, memory: str = "2GB"
    ) -> duckdb.DuckDBPyConnection:
        """DuckDB with the view ``events``, of the parts that can hold what is asked for; ``own`` and ``requests`` are what it joins."""
        parts = self.parts(since, until, accounts)
        connection = quiet_duckdb(memory)
        if parts:
            own = f"SELECT * FROM read_parquet({_list(self.events_folder / p.name for p in parts)})"
            requests = f"SELECT * FROM read_parquet({_list(self.requests_folder / p.name for p in parts)})"
        else:
            connection.register("no_events", EVENTS.empty_table())
            connection.register("no_requests", REQUESTS.empty_table())
            own, requests = "SELECT * FROM no_events", "SELECT * FROM no_requests"
        connection.execute(f"CREATE VIEW all_events AS {own}; CREATE VIEW all_requests AS {requests}")
        wanted = chosen(since, until, accounts)
        connection.execute(f"CREATE TEMP TABLE requests AS {wanted['requests']}")
        connection.execute(f"CREATE VIEW own AS {wanted['own']}")
        for name, sql in VIEWS.items():
            connection.execute(f"CREATE VIEW {name} AS {sql}")
        return connection

    # Writing --------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def writing(self, *, wait: bool = True, tell: Callable[[str], None] = lambda _: None) -> Iterator[Writer]:
        """The one who writes, with the lock held; what an earlier one left unfinished is taken away first."""
        made = []
        for folder in (self.folder, self.folder / "log", self.events_folder, self.requests_folder, self.folder / "staging"):
            try:
                folder.mkdir(mode=0o700, parents=True)
                made.append(folder)
            except FileExistsError:
                pass
            except OSError as error:
                raise OutsideError(f"{folder} can't be made: {error.strerror}") from None
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not wait:
                    raise OutsideError(f"another ingest is writing to {self.folder}", remedy="wait for it, or leave out --no-wait") from None
                tell(f"another ingest is writing to {self.folder}: waiting for it")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not (self.folder / "store.json").exists():
                write_whole(self.folder / "store.json", b'{"schema": "' + VERSION.encode() + b'"}\n')
            yield Writer(self)
        finally:
            os.close(descriptor)


def _may_hold(part: Part, since: datetime | None, until: datetime | None, accounts: Sequence[str]) -> bool:
    if since is not None and part.last is not None and part.last < since:
        return False
    if until is not None and part.first is not None and part.first >= until:
        return False
    return not accounts or not part.accounts or any(a in part.accounts for a in accounts)


class Writer:
    """Adds commits to a store whose lock is held."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.contents = store.contents()
        self.staging = store.folder / "staging"
        for left in self.staging.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        known = {p.name for p in self.contents.parts}
        for path in (*store.events_folder.iterdir(), *store.requests_folder.iterdir()):
            if path.name not in known:
                path.unlink()
        self.next_part = 1 + max((p.number for p in self.contents.parts), default=0)

    def commit(self, files: list[FileEntry], staged: Sequence[tuple[Staged, Part]]) -> Commit:
        """Put the events of ``staged`` into the store, each event once (G-01), with the files that they come from. The parts say what they hold."""
        number = self.contents.commits + 1
        said = {s.events: part for s, part in staged}
        duplicates = 0
        if any(part.rows for part in said.values()):
            with contextlib.closing(quiet_duckdb("1GB", self.staging / "spill")) as connection:
                for path in self._repeated(connection, said):
                    duplicates += self._without(connection, path)
                    of = next(s for s, _ in staged if s.events == path)
                    said[path] = _looked_at(connection, of)
        parts = []
        for s, _ in staged:
            if said[s.events].rows:
                parts.append(said[s.events])
                os.replace(s.requests, self.store.requests_folder / parts[-1].name)
                os.replace(s.events, self.store.events_folder / parts[-1].name)
            else:
                s.events.unlink()
                s.requests.unlink()
        _sync(self.store.events_folder)
        _sync(self.store.requests_folder)
        commit = Commit(files, parts, duplicates)
        write_whole(self.store.folder / "log" / f"{number:08d}.json", msgspec.json.encode(commit))
        self.contents.commits = number
        self.contents.parts += parts
        self.contents.duplicates += duplicates
        for file in files:
            self.contents.files[file.key] = file
        return commit

    def _repeated(self, connection: duckdb.DuckDBPyConnection, said: Mapping[Path, Part]) -> list[Path]:
        """Staged parts with events that are in the store, in another part, or twice in themselves; the tables that tell which copy stays."""
        fresh = list(said)
        listed = _list(fresh)
        first = min(p.first for p in said.values() if p.first is not None)
        last = max(p.last for p in said.values() if p.last is not None)
        accounts = [a for p in said.values() for a in p.accounts] if all(p.accounts for p in said.values() if p.rows) else []
        # The same event has the same time and account, so only parts that overlap in both can hold it.
        overlapping = (p for p in self.contents.parts if p.rows and _may_hold(p, first, None, accounts) and (p.first or first) <= last)
        old = [self.store.events_folder / p.name for p in overlapping]
        known = f" UNION ALL SELECT event_id FROM read_parquet({_list(old)})" if old else ""
        everything = f"(SELECT event_id FROM read_parquet({listed}){known})"
        # Mostly nothing repeats, and to see that hashes are enough, which are counted in half the time.
        if connection.execute(f"SELECT count(*) = count(DISTINCT hash(event_id)) FROM {everything}").fetchone() == (True,):
            return []
        connection.execute(f"CREATE TEMP TABLE repeated AS SELECT event_id FROM {everything} GROUP BY event_id HAVING count(*) > 1")
        if not connection.execute("SELECT count(*) FROM repeated").fetchone()[0]:  # type: ignore[index]
            return []
        # Of the copies that aren't in the store yet, the first in reading order stays.
        where = f"WHERE event_id NOT IN (SELECT event_id FROM read_parquet({_list(old)}))" if old else ""
        order = "CASE filename " + " ".join(f"WHEN {quoted(str(p))} THEN {i}" for i, p in enumerate(fresh)) + " END"
        connection.execute(
            f"CREATE TEMP TABLE keep AS SELECT event_id, min_by((filename, file_row_number), ({order}, file_row_number)) AS at "
            f"FROM read_parquet({listed}, filename = true, file_row_number = true) SEMI JOIN repeated USING (event_id) {where} GROUP BY event_id"
        )
        hit = connection.execute(
            f"SELECT DISTINCT filename FROM read_parquet({listed}, filename = true) SEMI JOIN repeated USING (event_id)"
        ).fetchall()
        return [p for p in fresh if (str(p),) in hit]

    def _without(self, connection: duckdb.DuckDBPyConnection, path: Path) -> int:
        """Write ``path`` anew without the copies that don't stay; how many there were."""
        before: int = pq.read_metadata(path).num_rows
        names = ", ".join(EVENTS.names)
        reader: pa.RecordBatchReader = connection.sql(
            f"SELECT {names} FROM read_parquet({quoted(str(path))}, file_row_number = true) r WHERE NOT EXISTS "
            f"(SELECT 1 FROM repeated d WHERE d.event_id = r.event_id) OR EXISTS "
            f"(SELECT 1 FROM keep k WHERE k.event_id = r.event_id AND k.at[1] = {quoted(str(path))} AND k.at[2] = r.file_row_number) "
            "ORDER BY file_row_number"
        ).to_arrow_reader(100_000)
        slim = path.with_suffix(".slim")
        with PartWriter(slim, EVENTS) as out:
            for batch in reader:
                out.add(pa.Table.from_batches([batch]).cast(EVENTS))
        os.replace(slim, path)
        after: int = pq.read_metadata(path).num_rows
        return before - after


def _looked_at(connection: duckdb.DuckDBPyConnection, staged: Staged) -> Part:
    """What a staged part holds, by reading it."""
    days = connection.execute(
        f"""SELECT coalesce(account, '?'), coalesce(region, '?'), event_time::DATE, count(*), count(*) FILTER (category = 'Data'),
                   min(event_time), max(event_time)
            FROM read_parquet({quoted(str(staged.events))}) JOIN read_parquet({quoted(str(staged.requests))}) USING (request)
            GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    return part_of(
        staged, [d[:5] for d in days], min((d[5] for d in days), default=None), max((d[6] for d in days), default=None)
    )


def part_of(staged: Staged, days: Sequence[tuple[str, str, date, int, int]], first: datetime | None, last: datetime | None) -> Part:
    """What a staged part holds. ``days``: account, Region, day, events, and how many of these are data events."""
    accounts = sorted({d[0] for d in days} - {"?"})
    rows, data_events = sum(d[3] for d in days), sum(d[4] for d in days)
    return Part(staged.number, rows, first, last, accounts if len(accounts) <= 64 else [], sorted(d[:4] for d in days), data_events)


class Staged(NamedTuple):
    """A part that is on disk and in no commit yet: its number, its events, and their requests."""

    number: int
    events: Path
    requests: Path

    @property
    def first_request(self) -> int:
        """The number of its first request; those of other parts are far away."""
        return self.number << 32


_SELDOM_TWICE = frozenset(("event_id", "event_time", "shared_event_id", "access_key", "session_created", "new_key", "new_session", "ordinal"))
"""Columns for which a dictionary is work without gain."""
_BOUNDED = frozenset(("event_id", "event_time", "request"))
"""Columns whose smallest and largest value a reader can use."""


class PartWriter:
    """Writes a Parquet file in row groups; on disk when closed."""

    ROWS = 100_000

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.schema = schema
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows = 0

    def __enter__(self) -> PartWriter:
        return self

    def add(self, table: pa.Table) -> None:
        self._waiting.append(table)
        self._rows += table.num_rows
        if self._rows >= self.ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            often = [n for n in self.schema.names if n not in _SELDOM_TWICE]
            bounded = [n for n in self.schema.names if n in _BOUNDED]
            self._writer = pq.ParquetWriter(
                self.path, self.schema, compression="zstd", compression_level=1, use_dictionary=often, write_statistics=bounded
            )
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting))
        self._waiting, self._rows = [], 0

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        if kind is None:
            with open(self.path, "rb") as file:
                os.fsync(file.fileno())


# --- files ---------------------------------------------------------------------------------------------------------------


def write_whole(path: Path, data: bytes) -> None:
    """The file with ``data``, or as it was: never half of it. 0600."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def quiet_duckdb(memory: str, spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """DuckDB in memory, bounded, without progress bars, extensions from elsewhere or state on disk."""
    import duckdb

    connection = duckdb.connect(":memory:")
    connection.execute(f"SET memory_limit = '{memory}'; SET enable_progress_bar = false; SET autoinstall_known_extensions = false")
    connection.execute("SET TimeZone = 'UTC'")
    if spill is not None:
        connection.execute(f"SET temp_directory = {quoted(str(spill))}")
    return connection


def quoted(text: str) -> str:
    """A SQL text literal."""
    return "'" + text.replace("'", "''") + "'"


def _list(paths: Iterable[Path]) -> str:
    return "[" + ", ".join(quoted(str(p)) for p in paths) + "]"
