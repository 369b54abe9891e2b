"""``sekisho trail``: CloudTrail read into a store, asked, and decided again against another estate."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sekisho.cli.output import console, format_option, print_json, progress, table
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.trail.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def _needs_extra(run: F) -> F:
    """The trail's libraries are an extra; without them the command says how to have them."""

    @wraps(run)
    def checked(*args: Any, **kwargs: Any) -> Any:
        from importlib.util import find_spec

        missing = [name for name in ("duckdb", "isal", "msgspec", "pyarrow") if find_spec(name) is None]
        if missing:
            raise InputError(f"sekisho trail needs {', '.join(missing)}", remedy="pip install 'sekisho[trail]'")
        return run(*args, **kwargs)

    return checked  # type: ignore[return-value]


class _Size(click.ParamType[int]):
    """A number of bytes: ``4GiB``, ``512MiB``, ``1000000``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d+)\s*([KMG]i?B?)?", value, re.IGNORECASE)
        if not match:
            self.fail(f"{value!r} is no size; write 512MiB, 4GiB or a number of bytes", param, ctx)
        return int(match[1]) * {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[(match[2] or "")[:1].upper()]


store_option = click.option("--store", "folder", type=click.Path(path_type=Path), required=True, help="The store's folder.")


@click.group(epilog="Example: sekisho trail ingest s3://my-trail/AWSLogs --store trail && sekisho trail replay --store trail --against sekisho.yaml")
def command() -> None:
    """CloudTrail: what really happened, and what tomorrow's policy would have done to it."""


@command.command(epilog="Example: sekisho trail ingest ./AWSLogs --store trail")
@click.argument("sources", nargs=-1, required=True)
@store_option
@click.option("--workers", type=click.IntRange(1, 256), help="Processes that decode; as many as there are cores unless told.")
@click.option("--max-inflated", type=_Size(), default="512MiB", show_default=True, help="What a gzip file may inflate to, or a document hold.")
@click.option("--no-wait", is_flag=True, help="Fail at once when another ingest is writing to the store.")
@format_option("text", "json")
@_needs_extra
def ingest(sources: tuple[str, ...], folder: Path, workers: int | None, max_inflated: int, no_wait: bool, form: str) -> None:
    """Read CloudTrail from SOURCES (files, folders, s3://bucket/prefix) into a store.

    Takes CloudTrail's own delivery files, JSON lines, single events and what `aws cloudtrail lookup-events` prints, gzip or plain. A file
    that is in the store is not read again, and an event that comes in several files is kept once. What can't be used is set aside, counted
    and explained; the rest goes on. Killed at any moment, it goes on where it was.
    """
    from sekisho.trail.ingest import ingest as run
    from sekisho.trail.sources import Limits
    from sekisho.trail.store import Store

    store = Store(folder, create=True)
    with progress() as tell:
        outcome = run(sources, store, limits=Limits(max_inflated, max_inflated), workers=workers, wait=not no_wait, tell=tell)
    contents = store.contents()
    reasons: dict[str, dict[str, Any]] = {}
    aside_records = aside_files = 0
    for entry in contents.files.values():
        for aside in entry.set_aside:
            seen = reasons.setdefault(aside.reason, {"reason": aside.reason, "count": 0, "example": {"file": entry.key, "record": aside.ordinal}})
            seen["count"] += aside.count
            if aside.ordinal is None:
                aside_files += aside.count
            else:
                aside_records += aside.count
    for name, why in outcome.unreadable:
        seen = reasons.setdefault(why, {"reason": why, "count": 0, "example": {"file": name, "record": None}})
        seen["count"] += 1
        aside_files += 1
    listed = sorted(reasons.values(), key=lambda r: (-r["count"], r["reason"]))
    body = {
        "store": str(folder),
        "files": len(contents.files),
        "records": sum(f.records for f in contents.files.values()),
        "distinct_events": contents.events,
        "set_aside": {"files": aside_files, "records": aside_records, "reasons": listed},
        "this_run": {
            "files": outcome.files, "known_files": outcome.known_files, "records": outcome.records, "new_events": outcome.new_events,
            "duplicates": outcome.duplicates, "bytes": outcome.bytes, "seconds": round(outcome.seconds, 3),
        },
    }  # fmt: skip
    if form == "json":
        print_json("trail-ingest", body)
        return
    rate = outcome.records / outcome.seconds if outcome.seconds else 0
    click.echo(
        f"{folder}: {contents.events:,} events from {len(contents.files):,} files. This run: {outcome.files:,} files "
        f"({outcome.known_files:,} were known), {outcome.records:,} records, {outcome.new_events:,} new events, {outcome.duplicates:,} duplicates; "
        f"{outcome.seconds:.1f} s, {rate:,.0f} records a second."
    )
    if listed:
        rows = []
        for r in listed:
            record = r["example"]["record"]
            rows.append([f"{r['count']:,}", r["reason"], r["example"]["file"] + ("" if record is None else f" record {record}")])
        console().print(table("Set aside", ["count", "reason", "for example"], rows))
    if not contents.events:
        click.echo("No events: there is nothing to ask yet. Check that the sources are CloudTrail's.")


@command.command(epilog="Example: sekisho trail show 3038ebd2-c98a-4c65-9b6e-e22506292313 --store trail")
@click.argument("event_id")
@store_option
@_needs_extra
def show(event_id: str, folder: Path) -> None:
    """Print the record of an event as it stands in the file that it came from."""
    from sekisho.trail.sources import Limits, record_at, source_at
    from sekisho.trail.store import Store

    store: Store = Store(folder)
    row = store.connect().execute("SELECT file, ordinal FROM events WHERE event_id = ?", [event_id]).fetchone()
    if row is None:
        raise InputError(f"{event_id} is not in {folder}", expected="the eventID of an event in the store")
    click.echo(record_at(source_at(row[0], 0, ""), row[1], Limits()).decode())
