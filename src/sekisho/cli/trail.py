"""``sekisho trail``: CloudTrail read into a store, asked, and decided again against another estate."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sekisho.cli.output import console, format_option, print_json, progress, table
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.estate import Estate
    from sekisho.trail.coverage import Coverage
    from sekisho.trail.engines import Connection
    from sekisho.trail.replay import Change, Replay, Suggested, Way
    from sekisho.trail.store import Store

F = TypeVar("F", bound=Callable[..., Any])


def _needs_extra(run: F) -> F:
    """The trail's libraries are an extra; without them the command says how to have them."""

    @wraps(run)
    def checked(*args: Any, **kwargs: Any) -> Any:
        from importlib.util import find_spec

        missing = [name for name in ("duckdb", "isal", "msgspec", "pyarrow", "sqlglot") if find_spec(name) is None]
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


class _Day(click.ParamType[datetime]):
    """A day or a moment in UTC: ``2026-03-01``, ``2026-03-01T12:00:00``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day; write 2026-03-01 or 2026-03-01T12:00:00 (UTC)", param, ctx)
        return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _scope_options(run: F) -> F:
    run = click.option("--account", "accounts", multiple=True, help="Only this account's records; may be given again.")(run)
    run = click.option("--until", type=_Day(), help="Only events before this day (UTC).")(run)
    return click.option("--since", type=_Day(), help="Only events from this day on (UTC).")(run)


engine_option = click.option(
    "--engine", type=click.Choice(["duckdb", "spark"]), default="duckdb", show_default=True,
    help="What asks the store: DuckDB, or Spark (pip install 'sekisho[spark]').",
)  # fmt: skip


def _asked_by(
    engine: str, store: Store, since: datetime | None, until: datetime | None, accounts: tuple[str, ...], tell: Callable[[str], None]
) -> tuple[Connection, Way]:
    """The store as the engine sees it, and the engine's way to the distinct requests."""
    from sekisho.trail.replay import Tuned

    if engine == "duckdb":
        return store.connect(since, until, accounts), Tuned()
    from importlib.util import find_spec

    if find_spec("pyspark") is None:
        raise InputError("--engine spark needs pyspark", remedy="pip install 'sekisho[spark]'")
    from sekisho.trail.plain import Plain
    from sekisho.trail.spark import connect, start_spark

    tell("starting Spark")
    return connect(store, start_spark(), since, until, accounts), Plain()


def _estate_and_networks(against: Path, names_from: Path | None) -> tuple[Estate, dict[str, tuple[str, ...]], bool]:
    """The estate, the named networks, and whether the estate holds all principals of its accounts (AWS's JSON does, an environment file doesn't)."""
    from sekisho.environment import load_environment
    from sekisho.loading import load

    whole = against.is_dir() or against.suffix == ".json"
    named = names_from or (None if whole else against)
    networks = dict(load_environment(named).wanted.networks) if named is not None else {}
    return load(against), networks, whole


def _coverage_body(coverage: Coverage) -> dict[str, Any]:
    return {
        "complete": coverage.complete, "events": coverage.events, "first": coverage.first and coverage.first.isoformat() + "Z",
        "last": coverage.last and coverage.last.isoformat() + "Z", "days": coverage.days, "accounts": coverage.accounts,
        "holes": [{"account": h.account, "region": h.region, "first": str(h.first), "last": str(h.last), "days": h.days} for h in coverage.holes],
        "missing_accounts": coverage.missing_accounts, "without_global": coverage.without_global, "quiet_pairs": coverage.quiet_pairs,
        "data_events": coverage.data_events, "set_aside": coverage.set_aside, "gaps": coverage.gaps,
    }  # fmt: skip


def _many(n: int, what: str) -> str:
    return f"{n:,} {what}" + ("" if n == 1 else "s")


def _print_coverage(coverage: Coverage) -> None:
    if not coverage.events:
        click.echo("Coverage: no events. Nothing can be said of what would happen: that there are none is not that there were none.")
        return
    regions = {r for found in coverage.accounts.values() for r in found}
    click.echo(
        f"Coverage: {coverage.events:,} events of {_many(len(coverage.accounts), 'account')} in {_many(len(regions), 'Region')}, "
        f"{coverage.first:%Y-%m-%d} to {coverage.last:%Y-%m-%d} ({_many(coverage.days, 'day')})."
    )
    if not coverage.data_events:
        click.echo("  Data events (S3 objects, Lambda invocations, ...) are not logged: calls of that kind are not here.")
    if coverage.quiet_pairs:
        click.echo(f"  {coverage.quiet_pairs} of the accounts and Regions have too few events to tell a hole from a quiet time.")
    for gap in coverage.gaps[:20]:
        click.echo(f"  missing: {gap}")
    if len(coverage.gaps) > 20:
        click.echo(f"  missing: and {len(coverage.gaps) - 20} more (--format json has all)")


@command.command(epilog="Example: sekisho trail replay --store trail --against sekisho.yaml --suggest")
@store_option
@click.option("--against", type=click.Path(path_type=Path), required=True, help="The estate (AWS's JSON) or sekisho.yaml to decide against.")
@click.option("--networks", "names_from", type=click.Path(path_type=Path), help="A sekisho.yaml that names the networks, where --against is none.")
@click.option("--suggest", "wants_suggestion", is_flag=True, help="Propose the smallest list of networks that keeps what worked.")
@_scope_options
@engine_option
@format_option("text", "json", "csv")
@click.pass_context
@_needs_extra
def replay(
    ctx: click.Context, folder: Path, against: Path, names_from: Path | None, wants_suggestion: bool, accounts: tuple[str, ...],
    since: datetime | None, until: datetime | None, engine: str, form: str,
) -> None:  # fmt: skip
    """Decide every past event against another estate: who would have been locked out, and what would have been let in.

    Prints first what the trail covers. Exit status 0 only where nothing differs, the trail has no known hole, and every event could be decided;
    1 otherwise. No events, or no difference in them, is never proof that nothing would change.
    """
    from sekisho.trail.addresses import Networks
    from sekisho.trail.replay import replay as run
    from sekisho.trail.replay import suggest
    from sekisho.trail.store import Store

    store = Store(folder)
    estate, networks, whole = _estate_and_networks(against, names_from)
    contents = store.contents()
    aside = sum(a.count for f in contents.files.values() for a in f.set_aside)
    parts = None if since or until or accounts else contents.parts
    with progress() as tell:
        connection, way = _asked_by(engine, store, since, until, accounts, tell)
        found = run(
            connection, estate, networks=Networks(networks), whole=whole, accounts=accounts, set_aside=aside, parts=parts, way=way, tell=tell
        )
    suggested = suggest(found) if wants_suggestion else None
    {"json": _replay_json, "csv": _replay_csv, "text": _replay_text}[form](found, suggested)
    ctx.exit(0 if found.verdict == "no difference in this trail" else 1)


def _statement(change: Change) -> dict[str, Any] | None:
    if change.policy is None:
        return None
    place = change.place
    return {
        "layer": change.layer, "policy": change.policy, "statement": change.statement, "sid": change.sid,
        "file": place.file if place else None, "pointer": place.pointer if place else None, "line": place.line if place else None,
    }  # fmt: skip


def _sums(found: Replay) -> dict[str, dict[str, int]]:
    """How many events that worked would be refused, by user, role, network and day."""
    sums: dict[str, dict[str, int]] = {"user": {}, "role": {}, "network": {}, "day": {}}
    for c in found.refused:
        for kind, key in (("user", c.who), ("role", c.role or ""), ("network", c.network)):
            if key:
                sums[kind][key] = sums[kind].get(key, 0) + c.events
        for day, n in c.days.items():
            sums["day"][str(day)] = sums["day"].get(str(day), 0) + n
    return {kind: dict(sorted(values.items(), key=lambda i: (-i[1], i[0]) if kind != "day" else (0, i[0]))) for kind, values in sums.items()}


def _replay_json(found: Replay, suggested: list[Suggested] | None) -> None:
    body: dict[str, Any] = {
        "verdict": found.verdict,
        "coverage": _coverage_body(found.coverage),
        "events": found.events, "distinct_requests": found.distinct, "decided": found.decided, "same": found.same,
        "failed_for_other_reasons": found.failed_otherwise, "second_records": found.second_records,
        "undecided": {"events": sum(found.undecided.values()), "reasons": dict(found.undecided.most_common())},
        "assumed": dict(found.assumed),
        "refused_by": _sums(found),
        "networks": dict(found.networks.most_common()),
        "changes": [
            {
                "was": c.was, "would_be": c.would_be, "user": c.who, "principal": c.principal, "role": c.role, "action": c.action,
                "resource": c.resource, "address": c.address, "network": c.network, "events": c.events,
                "days": {str(d): n for d, n in c.days.items()}, "example": c.example, "layer": c.layer, "statement": _statement(c),
                "message": c.message,
            }
            for c in found.changes
        ],
    }  # fmt: skip
    if suggested is not None:
        body["suggested"] = [
            {
                "network": s.network, "addresses": list(s.addresses), "users": list(s.who), "events": s.events, "first": str(s.first),
                "last": str(s.last), "example": s.example, "odd": list(s.odd),
            }
            for s in suggested
        ]  # fmt: skip
    print_json("trail-replay", body)


_CSV = (
    "was", "would_be", "user", "role", "action", "resource", "address", "network", "day", "events", "example", "layer", "policy", "statement",
    "message",
)  # fmt: skip


def _replay_csv(found: Replay, suggested: list[Suggested] | None) -> None:
    rows = [
        [c.was, c.would_be, c.who, c.role, c.action, c.resource, c.address, c.network, day, n, c.example, c.layer, c.policy, c.statement, c.message]
        for c in found.changes
        for day, n in c.days.items()
    ]
    _print_csv(_CSV, rows)


def _print_csv(header: tuple[str, ...], rows: list[list[Any]]) -> None:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([_harmless(cell) for cell in row] for row in rows)
    click.echo(out.getvalue(), nl=False)


def _harmless(cell: Any) -> Any:
    """A spreadsheet takes a text that begins so for a formula, and a user agent or session name can be anything."""
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


def _replay_text(found: Replay, suggested: list[Suggested] | None) -> None:
    out = console()
    _print_coverage(found.coverage)
    undecided = sum(found.undecided.values())
    click.echo(
        f"Decided: {found.decided:,} of {found.events:,} events ({found.distinct:,} distinct requests); {found.same:,} as they were, "
        f"{found.failed_otherwise:,} had failed for another reason; {found.second_records:,} are the second record of one call (G-04); "
        + (f"{undecided:,} can't be decided:" if undecided else "all that can be asked is decided.")
    )
    for reason, n in found.undecided.most_common():
        click.echo(f"  {n:,}: {reason}")
    for what, n in found.assumed.items():
        click.echo(f"Assumed, for {n:,} events: {what}.")
    for title, changes in (("Worked, and would be refused", found.refused), ("Was refused, and would work", found.allowed)):
        if changes:
            lines = _lines(changes)
            out.print(table(f"{title}: {sum(c.events for c in changes):,} events", _HEAD, lines[:_MOST_SHOWN]))
            if len(lines) > _MOST_SHOWN:
                click.echo(f"and {len(lines) - _MOST_SHOWN} more rows")
            click.echo("Each call by itself, with resource, address and days: --format json or csv.")
    if found.refused:
        for kind, values in _sums(found).items():
            shown = ", ".join(f"{_short(key)} {n:,}" for key, n in list(values.items())[:12])
            click.echo(f"By {kind}: {shown}" + (f", and {len(values) - 12} more" if len(values) > 12 else ""))
    if suggested is not None:
        rows = [
            [s.network, f"{s.events:,}", ", ".join(w.rpartition("/")[2] for w in s.who[:6]), f"{s.first} to {s.last}", s.example, "; ".join(s.odd)]
            for s in suggested
        ]
        if rows:
            out.print(table("Networks that would keep it", ["network", "events", "users", "seen", "for example", "look at it first"], rows))
        else:
            click.echo("No network to propose: nothing that worked would be refused for its address.")
    click.echo(_VERDICTS[found.verdict])


_HEAD = ["events", "user", "role", "network", "days", "actions", "decided by", "for example"]


def _lines(changes: list[Change]) -> list[list[str]]:
    """One line for what one person did in one role from one network, where one statement decided."""
    groups: dict[tuple[str, ...], list[Change]] = {}
    for c in changes:
        decided = f"{c.layer}: no Allow" if c.policy is None else f"{c.layer}: {c.policy} statement {c.statement}" + (f" ({c.sid})" if c.sid else "")
        if c.place is not None and c.place.line is not None:
            decided += f", {Path(c.place.file or '').name}:{c.place.line}"
        groups.setdefault((_short(c.who), _short(c.role or ""), c.network, decided), []).append(c)
    found = []
    for (who, role, network, decided), members in groups.items():
        days = sorted({d for c in members for d in c.days})
        when = str(days[0]) if len(days) == 1 else f"{len(days)} from {days[0]}"
        actions = list(dict.fromkeys(c.action for c in members))
        events = sum(c.events for c in members)
        found.append((events, [f"{events:,}", who, role, network, when, _cell(actions), decided, members[0].example]))
    return [line for _, line in sorted(found, key=lambda f: -f[0])]


def _short(arn: str) -> str:
    """An ARN by its account and resource: ``222233334444:role/admin``."""
    parts = arn.split(":", 4)
    return parts[4].lstrip(":") if len(parts) == 5 and parts[0] == "arn" else arn


_VERDICTS = {
    "differences": "There are differences. What is not in the trail may differ besides.",
    "no events": "No events: nothing is known, which is not that it is safe.",
    "not known": "No difference was found, but the trail has gaps or events that can't be decided (above): it is not known that nothing changes.",
    "no difference in this trail": "No event of this trail would be answered otherwise. What people did not do in this time, it can't tell.",
}


@command.command(epilog="Example: sekisho trail generate --estate sekisho.yaml --days 28 --seed 7 --out made")
@click.option("--estate", "estate_path", type=click.Path(path_type=Path), required=True, help="The sekisho.yaml or estate whose people work.")
@click.option("--days", type=click.IntRange(1, 3660), default=28, show_default=True, help="How many days.")
@click.option("--start", type=_Day(), default="2026-01-05", show_default=True, help="The first day.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--busy", type=click.FloatRange(0.01, 100), default=1.0, show_default=True, help="How much people do: 1 is some 50 events a day each.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write AWSLogs/ and truth.json into.")
@format_option("text", "json")
@_needs_extra
def generate(estate_path: Path, days: int, start: datetime, seed: int, busy: float, out: Path, form: str) -> None:
    """Write a synthetic trail of an estate, in CloudTrail's layout: for tests and demonstrations, each record marked as synthetic.

    OUT/truth.json says what the generator knows: who worked from which network.
    """
    from sekisho.trail.generate import Generator, networks_in

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} is there already, and not empty", remedy="name a folder that doesn't exist")
    estate, networks, _ = _estate_and_networks(estate_path, None)
    networks = networks or {name: tuple(cidrs) for name, cidrs in networks_in(estate).items()}
    if not networks or not any(a.users for a in estate.accounts):
        raise InputError(f"{estate_path} has no users or names no networks", expected="people, and networks that they come from")
    truth = Generator(estate, networks, out, seed=seed, start=start.date(), days=days, busy=busy).run()
    if form == "json":
        print_json("trail-generate", {"events": truth.events, "refused": truth.refused, "files": truth.files, "worked": truth.worked})
        return
    click.echo(f"{out}: {truth.events:,} synthetic events in {truth.files:,} files, {truth.refused:,} of them refused.")
    click.echo(f"Next: sekisho trail ingest {out}/AWSLogs --store STORE")


@command.command(
    epilog="Example: sekisho trail athena --store trail --location s3://our-trail/store --against sekisho.yaml --out athena"
)
@click.option("--location", required=True, help="Where the store lies on S3, as s3://bucket/prefix.")
@click.option("--against", type=click.Path(path_type=Path), help="The estate (AWS's JSON) or sekisho.yaml of a replay.")
@click.option("--store", "folder", type=click.Path(path_type=Path), help="The store here: its distinct requests are decided.")
@click.option("--asked", type=click.Path(path_type=Path), help="Instead of --store: what Athena's view `asked` answered, as Parquet.")
@click.option("--name", help="What to call the replay; unless told, as its file is called.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write the statements and decisions into.")
@format_option("text", "json")
@_needs_extra
def athena(
    location: str, against: Path | None, folder: Path | None, asked: Path | None, name: str | None, out: Path, form: str
) -> None:
    """Write audit and replay as SQL for Athena: tables over a store that lies on S3, a view for each question, and the decisions as a file.

    The events stay where they are. With --against the distinct requests of --store, or those that Athena found (--asked), are decided here and
    written as a partition of the table `decisions`; the views join them back.
    """
    from sekisho.trail.athena import ASKED, write_athena, write_decisions
    from sekisho.trail.plain import Plain
    from sekisho.trail.sessions import prepare_switches
    from sekisho.trail.store import Store, quiet_duckdb, quoted

    if re.fullmatch(r"s3://[a-z0-9][a-z0-9.-]+(/[^'\s]*)?", location) is None:
        raise InputError(f"{location} is no place on S3", expected="s3://bucket/prefix")
    name = name or (re.sub(r"[^A-Za-z0-9-]+", "-", against.stem) if against is not None else "")
    if name and re.fullmatch(r"[A-Za-z0-9-]+", name) is None:
        raise InputError(f"{name!r} can't be the name of a partition", expected="letters, digits and hyphens")
    if against is None and (folder is not None or asked is not None):
        raise InputError("--store and --asked are for deciding", remedy="add --against ESTATE, or leave them out")
    if folder is not None and asked is not None:
        raise InputError("--store and --asked are two ways to the same", remedy="leave one out")
    estate, _, whole = _estate_and_networks(against, None) if against is not None else (None, {}, True)
    paths = write_athena(out, location, estate, name)
    counts: dict[str, int] = {}
    if estate is not None and (folder is not None or asked is not None):
        with progress() as tell:
            if folder is not None:
                store = Store(folder)
                if stray := store.stray():
                    raise InputError(
                        f"{folder} holds {len(stray)} files of an ingest that was stopped, which Athena would read",
                        remedy="run the ingest again, and copy the store after it",
                    )
                connection = store.connect()
                prepare_switches(connection)
                Plain().find_distinct(connection, estate)
            else:
                assert asked is not None
                files = str(asked / "**") if asked.is_dir() else str(asked)
                connection = quiet_duckdb("2GB")
                connection.execute(f"CREATE VIEW asked AS SELECT * FROM read_parquet({quoted(files)})")
            counts = dict(write_decisions(out, name, connection.execute(ASKED).fetchall(), estate, whole=whole, tell=tell))
    if form == "json":
        print_json("trail-athena", {"statements": [str(p) for p in paths], "decisions": counts, "name": name or None})
        return
    click.echo(f"{out}: {len(paths)} statements, to be run in the order of their numbers in a database of their own.")
    if counts:
        said = ", ".join(f"{n:,} {outcome}" for outcome, n in sorted(counts.items()))
        click.echo(f"Decided: {sum(counts.values()):,} distinct requests ({said}).")
        click.echo(f"Next: aws s3 sync {out}/decisions {location.rstrip('/')}/decisions")
    elif against is not None:
        click.echo("Nothing is decided yet: run SELECT * FROM asked in Athena (UNLOAD, as Parquet), and this command again with --asked.")


_QUESTIONS = ("sessions", "left-network", "refused", "sign-ins-without-mfa", "failed-sign-ins", "emergencies", "changes", "never-used", "addresses")


@command.command(epilog="Example: sekisho trail audit --store trail --estate estate/ --networks sekisho.yaml --since 2026-01-01")
@store_option
@click.option("--estate", "estate_path", type=click.Path(path_type=Path), help="The estate of that time (AWS's JSON or sekisho.yaml).")
@click.option("--networks", "names_from", type=click.Path(path_type=Path), help="A sekisho.yaml that names the networks, where --estate is none.")
@click.option("--question", "questions", type=click.Choice(_QUESTIONS), multiple=True, help="Only this question; may be given again.")
@click.option("--break-glass", "emergency", multiple=True, help="A pattern of names of emergency users and roles; may be given again.")
@_scope_options
@engine_option
@format_option("text", "json", "csv")
@click.pass_context
@_needs_extra
def audit(
    ctx: click.Context, folder: Path, estate_path: Path | None, names_from: Path | None, questions: tuple[str, ...], emergency: tuple[str, ...],
    accounts: tuple[str, ...], since: datetime | None, until: datetime | None, engine: str, form: str,
) -> None:  # fmt: skip
    """Ask a trail about the jump account: whose sessions, from where, what was refused by which layer, what should not have been.

    Exit status 1 where something was done that should not have been: sign-ins without MFA, sessions carried out of the network, use of
    break-glass or root, changes to what restricts.
    """
    from sekisho.environment import load_environment
    from sekisho.trail.addresses import Networks
    from sekisho.trail.audit import EMERGENCY_NAMES, QUESTIONS, Scope
    from sekisho.trail.audit import audit as run
    from sekisho.trail.store import Store

    if form == "csv" and len(questions) != 1:
        raise InputError("CSV is one table", remedy=f"add one --question, of {', '.join(_QUESTIONS)}")
    store = Store(folder)
    estate, networks, _ = _estate_and_networks(estate_path, names_from) if estate_path is not None else (None, {}, True)
    if estate_path is None and names_from is not None:
        networks = dict(load_environment(names_from).wanted.networks)
    contents = store.contents()
    aside = sum(a.count for f in contents.files.values() for a in f.set_aside)
    parts = None if since or until or accounts else contents.parts
    with progress() as tell:
        connection, way = _asked_by(engine, store, since, until, accounts, tell)
        scope = Scope(connection, Networks(networks), estate, emergency or EMERGENCY_NAMES, way)
        found = run(scope, questions, set_aside=aside, parts=parts, tell=tell)
    if form == "json":
        answers = {name: [{k: _plain(v) for k, v in row.items()} for row in rows] for name, rows in found.answers.items()}
        print_json("trail-audit", {"coverage": _coverage_body(found.coverage), "findings": found.findings, "answers": answers})
    elif form == "csv":
        rows = found.answers.get(questions[0], [])
        header = tuple(dict.fromkeys(key for row in rows for key in row))
        _print_csv(header, [[_cell(row.get(key)) for key in header] for row in rows])
    else:
        _print_coverage(found.coverage)
        for name, rows in found.answers.items():
            _print_answer(QUESTIONS[name].title, name, rows)
        if estate is None and not questions:
            click.echo("Not asked: which users and roles were never used, and the statements behind refusals; both need --estate.")
        click.echo(f"{_many(found.findings, 'finding')}." if found.findings else "No findings in this trail.")
    ctx.exit(1 if found.findings or not found.coverage.events else 0)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds") + "Z"
    return value


def _cell(value: Any) -> str:
    value = _plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{k}={_cell(v)}" for k, v in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_short(_cell(v)) for v in value[:3]) + (f" and {len(value) - 3} more" if len(value) > 3 else "")
    return f"{value:,}" if isinstance(value, int) else str(value)


_SHOWN = {
    "sessions": ("who", "role", "how", "network", "addresses", "mfa", "sessions", "last", "chain"),
    "left-network": ("who", "role", "obtained_in", "obtained_at", "addresses", "events", "worked", "first", "example"),
    "refused": ("events", "person", "who", "action", "name", "resource", "network", "says", "decided", "place", "nearest", "example"),
    "sign-ins-without-mfa": ("who", "type", "account", "address", "network", "events", "first", "last", "example"),
    "failed-sign-ins": ("events", "who", "account", "address", "network", "decided", "message", "first", "last", "example"),
    "emergencies": ("what", "who", "address", "network", "events", "did", "first", "example"),
    "changes": ("at", "who", "name", "on", "policy", "network", "error", "example"),
    "never-used": ("kind", "arn"),
    "addresses": ("network", "events", "addresses", "people", "most"),
}
_MOST_SHOWN = 30


def _print_answer(title: str, name: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        click.echo(f"{title}: none.")
        return
    columns = [c for c in _SHOWN[name] if any(row.get(c) not in (None, "") for row in rows)]
    lines = [[_short(_cell(row.get(c))) if str(row.get(c)).startswith("arn:") else _cell(row.get(c)) for c in columns] for row in rows[:_MOST_SHOWN]]
    console().print(table(title, [c.replace("_", " ") for c in columns], lines))
    if len(rows) > _MOST_SHOWN:
        click.echo(f"and {len(rows) - _MOST_SHOWN:,} more rows (--format json, or csv with --question {name}, has all)")
