"""The same questions for Athena: tables over a store's Parquet files on S3, a view for each question, and the decisions as a partitioned file.

Everything is written as files, one statement each in the order of their numbers, since Athena runs one statement at a time::

    OUT/01-all_events.sql ...                       tables and views
    OUT/decisions/against=NAME/decisions.parquet    each distinct request decided once; to be copied beside the store on S3

Athena finds the distinct requests (the view ``asked``), ``decide`` answers them here, and the ``replay_`` views join the answers back to the events.
An event whose request has no answer in the table is called so, and never safe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sekisho.estate import Estate
from sekisho.trail import plain
from sekisho.trail.audit import QUESTIONS
from sekisho.trail.coverage import COVERAGE
from sekisho.trail.engines import carried_over
from sekisho.trail.records import EVENTS, REQUESTS
from sekisho.trail.replay import ANSWER, DIFFERS, OF_ANSWER, answer_row, answered
from sekisho.trail.request import Replayer, Row
from sekisho.trail.sessions import SESSIONS, SWITCHES
from sekisho.trail.store import VIEWS, chosen, quoted, write_whole

DECISIONS = pa.schema([("h1", pa.string()), ("outcome", pa.string()), ("why", pa.string()), *((f.name, f.type) for f in ANSWER)])
"""``outcome``: allowed, refused, or undecided, for which ``why`` gives the reason."""

ASKED = f"SELECT id, n, failed, assumed, {', '.join(Row._fields)} FROM asked"


def audit_views() -> dict[str, str]:
    """The views up to one for each question of ``audit`` that SQL can ask; in the order in which they are made."""
    views = {**chosen(None, None, ()), **VIEWS, **SWITCHES, **SESSIONS, "coverage": COVERAGE}
    return views | {"audit_" + name.replace("-", "_"): question.sql for name, question in QUESTIONS.items()}


def replay_views(estate: Estate, name: str) -> dict[str, str]:
    """The views that join the decisions of the partition ``name`` back to the events."""
    decided = f"SELECT * FROM decisions WHERE against = {quoted(name)}"
    return {
        **plain.views_of(estate),
        "decided": decided,
        "changed": f"""
            SELECT a.h1, a.h2, a.refused, a.address AS of_address, a.principal AS of_principal, c.outcome AS would_be, {OF_ANSWER}
            FROM decided c JOIN asked a ON a.h1 = c.h1
            WHERE NOT a.failed AND c.outcome <> 'undecided' AND (c.outcome = 'allowed') = a.refused""",
        "hit": plain.HIT,
        "replay_differences": DIFFERS,
        "replay_answers": """
            SELECT CASE WHEN c.h1 IS NULL THEN 'not decided yet' WHEN c.outcome = 'undecided' THEN 'can''t be decided'
                        WHEN k.failed THEN 'had failed for another reason' WHEN (c.outcome = 'allowed') <> k.refused THEN 'as it was'
                        ELSE 'would differ' END AS answer, c.why, count(*) AS events
            FROM keyed k LEFT JOIN decided c ON c.h1 = k.h1 GROUP BY 1, 2""",
        "replay_nameless": plain.NAMELESS_COUNT,
        "audit_refused_decided": """
            SELECT k.event_id, k.event_time, k.principal, r.root AS person, c.outcome, c.why, c.action, c.asked_resource, k.address, c.layer,
                   c.policy, c.statement, c.sid, c.file, c.line, c.message
            FROM keyed k JOIN decided c ON c.h1 = k.h1 LEFT JOIN roots r ON r.new_key = k.access_key WHERE k.refused""",
    }


_HIVE = {pa.string(): "string", pa.int64(): "bigint", pa.bool_(): "boolean", pa.timestamp("ms"): "timestamp"}


def _table(name: str, schema: pa.Schema, location: str, partition: str = "") -> str:
    columns = ",\n  ".join(f"`{f.name}` {_HIVE[f.type]}" for f in schema)
    by = f"\nPARTITIONED BY (`{partition}` string)" if partition else ""
    return f"CREATE EXTERNAL TABLE IF NOT EXISTS `{name}` (\n  {columns}\n){by}\nSTORED AS PARQUET\nLOCATION '{location}/'"


def _view(name: str, sql: str) -> str:
    return f'CREATE OR REPLACE VIEW "{name}" AS\n{carried_over(sql, "athena")}'


def write_athena(out: Path, location: str, estate: Estate | None, name: str = "") -> list[Path]:
    """Write the statements for a store that lies at ``location`` (``s3://bucket/prefix``); with an estate those of a replay too, called ``name``."""
    location = location.rstrip("/")
    statements = [
        ("all_events", _table("all_events", EVENTS, f"{location}/events")),
        ("all_requests", _table("all_requests", REQUESTS, f"{location}/requests")),
        *((view, _view(view, sql)) for view, sql in audit_views().items()),
    ]
    if estate is not None:
        where = f"{location}/decisions"
        statements.append(("decisions", _table("decisions", DECISIONS, where, "against")))
        added = f"ALTER TABLE `decisions` ADD IF NOT EXISTS PARTITION (`against` = '{name}') LOCATION '{where}/against={name}/'"
        statements.append(("decisions_partition", added))
        statements += [(view, _view(view, sql)) for view, sql in replay_views(estate, name).items()]
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, (statement, sql) in enumerate(statements, 1):
        paths.append(out / f"{number:02d}-{statement}.sql")
        paths[-1].write_text(sql + "\n", encoding="utf-8")
    return paths


def write_decisions(
    out: Path, name: str, asked: Iterable[tuple[Any, ...]], estate: Estate, *, whole: bool, tell: Callable[[str], None] = lambda _: None
) -> Mapping[str, int]:
    """Decide each of ``asked`` (rows of ``ASKED``) and write the partition ``name``; how many distinct requests have which outcome."""
    replayer = Replayer(estate)
    rows: list[tuple[Any, ...]] = []
    counts: dict[str, int] = {}
    for identity, _, _, _, *values in asked:
        decision, why = answered(replayer, Row(*values), whole)
        outcome = "undecided" if decision is None else "allowed" if decision.allowed else "refused"
        counts[outcome] = counts.get(outcome, 0) + 1
        rows.append((identity, outcome, why or None, *(answer_row(decision) if decision is not None else [None] * len(ANSWER))))
        if len(rows) % 10_000 == 0:
            tell(f"{len(rows):,} distinct requests decided")
    columns = [pa.array([r[i] for r in rows], field.type) for i, field in enumerate(DECISIONS)]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_arrays(columns, schema=DECISIONS), buffer, compression="zstd")
    folder = out / "decisions" / f"against={name}"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "decisions.parquet", buffer.getvalue().to_pybytes())
    return counts
