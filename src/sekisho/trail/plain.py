"""Distinct requests as plain SQL, for engines that aren't DuckDB: the slower and obvious form of what ``replay.py`` has tuned for DuckDB.

``views_of`` gives them in the order in which they are made, each written once for Spark and for Athena (``engines.py``)::

    lone    session key → the one address that it called from, of sessions that were refused a console switch (G-06)
    calls   every event that names its caller, with the address that counts, and whether it was refused
    keyed   the same with h1, a hash of all that makes its request distinct, and the columns of ``request.Row``
    asked   each distinct request once, with how many events it has
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from math import ceil, floor

from sekisho.estate import Estate
from sekisho.trail.engines import Connection
from sekisho.trail.replay import COLUMNS, CONDITIONS_ONLY_WHEN_MENTIONED, NAMELESS, mentions_sessions
from sekisho.trail.request import Row, mentioned_keys
from sekisho.trail.sessions import REFUSED, prepare_sessions

_LONE = """
    SELECT access_key, max(address) AS address FROM events
    WHERE access_key IN (SELECT access_key FROM events WHERE address = 'AWS Internal' AND error_code IS NOT NULL)
        AND regexp_matches(address, '^[0-9A-Fa-f.:]+$') GROUP BY access_key HAVING count(DISTINCT address) = 1"""

_KEPT = ("event_id", "event_time", "session_created", "access_key")
_OF_EVENTS = tuple(c for c in COLUMNS if c not in ("address", "refused"))
_CALLS = f"""
    SELECT {', '.join(f'e.{c}' for c in (*_KEPT, *_OF_EVENTS))},
           coalesce(CASE WHEN e.address = 'AWS Internal' THEN coalesce(c.address, o.address) END, e.address) AS address,
           {REFUSED} AS refused,
           (e.error_code IS NOT NULL AND NOT {REFUSED}) OR coalesce(e.outcome = 'Failure', false) AS failed,
           coalesce(e.address = 'AWS Internal' AND c.address IS NULL AND o.address IS NOT NULL, false) AS assumed
    FROM events e LEFT JOIN consoles c ON c.new_key = e.new_key AND e.address = 'AWS Internal'
        LEFT JOIN lone o ON o.access_key = e.access_key AND e.error_code IS NOT NULL AND e.address = 'AWS Internal'
    WHERE NOT {NAMELESS}"""

NAMELESS_COUNT = f"""
    SELECT count(*) AS events, count(n.shared_event_id) AS second_records
    FROM events e LEFT JOIN (SELECT DISTINCT shared_event_id FROM events WHERE shared_event_id IS NOT NULL AND NOT {NAMELESS}) n
        ON n.shared_event_id = e.shared_event_id
    WHERE {NAMELESS}"""
"""Records that don't name their caller, and how many of them are second ones of a call whose first is here (G-04)."""

HIT = "SELECT * FROM keyed WHERE h1 IN (SELECT h1 FROM changed)"
BY_ADDRESS = "SELECT address, count(*) AS events FROM events GROUP BY 1"


def views_of(estate: Estate) -> Mapping[str, str]:
    """Name → SQL over ``events`` and ``consoles``. What makes requests distinct depends on which keys the estate's policies look at."""
    mentioned = mentioned_keys(estate)
    unmentioned = {c for c, (_, key) in CONDITIONS_ONLY_WHEN_MENTIONED.items() if key not in mentioned}
    distinct = {c: c for c in (*COLUMNS, "failed", "assumed") if c not in unmentioned}
    if not mentions_sessions(estate, mentioned):
        distinct["principal"] = "CASE WHEN identity_type = 'AssumedRole' AND issuer IS NOT NULL THEN issuer ELSE principal END"
        distinct["principal_id"] = "CASE WHEN identity_type = 'AssumedRole' THEN NULL ELSE principal_id END"
    # Symbols that stand for the unit separator and NULL: no record has them.
    parts = ", ".join(f"coalesce(CAST({e} AS VARCHAR), '␀')" for e in [*distinct.values(), *_sides(mentioned)])
    columns = ", ".join(f"CAST(NULL AS VARCHAR) AS {c}" if c in unmentioned else c for c in COLUMNS)
    first = ", ".join(f"max({c}) AS {c}" for c in (*COLUMNS, "failed", "assumed"))
    return {
        "lone": _LONE,
        "calls": _CALLS,
        "keyed": f"SELECT md5(concat_ws('␟', {parts})) AS h1, 0 AS h2, {', '.join(_KEPT)}, {columns}, failed, assumed FROM calls",
        "asked": f"""
            SELECT h1 AS id, h1, h2, count(*) AS n, {first}, min(event_time) AS event_time,
                   min_by(session_created, event_time) AS session_created FROM keyed GROUP BY 1, 2, 3""",
    }


def _sides(mentioned: Mapping[str, object]) -> Iterator[str]:
    """SQL of what tells times and ages apart: on which side of each constant of the policies they lie."""
    for key, column in (("aws:currenttime", "event_time"), ("aws:epochtime", "event_time"), ("aws:tokenissuetime", "session_created")):
        for moment in _constants(mentioned, key):
            yield column if moment is None else _side(column, f"TIMESTAMP '{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S}'")
    for seconds in _constants(mentioned, "aws:multifactorauthage"):
        if seconds is None:
            yield "event_time - session_created"
        else:
            yield _side("event_time", f"session_created + INTERVAL '{seconds}' SECOND")


def _constants(mentioned: Mapping[str, object], key: str) -> Iterator[int | None]:
    """Whole seconds on both sides of each constant; None where a variable makes every moment its own."""
    constants = mentioned.get(key, ())
    if constants is None:
        yield None
    elif isinstance(constants, list | tuple):
        # Beyond these no event lies.
        yield from sorted({min(max(side(c), 0), 10**10) for c in constants for side in (floor, ceil)})


def _side(value: str, constant: str) -> str:
    return f"CASE WHEN {value} > {constant} THEN 1 WHEN {value} = {constant} THEN 0 WHEN {value} < {constant} THEN -1 END"


class Plain:
    """The way of ``replay.Way`` for engines that aren't DuckDB."""

    def find_distinct(self, connection: Connection, estate: Estate) -> None:
        for name, sql in views_of(estate).items():
            kind = "TABLE" if name in ("lone", "asked") else "VIEW"
            connection.execute(f"CREATE OR REPLACE TEMP {kind} {name} AS {sql}")

    def refused(self, connection: Connection, estate: Estate) -> Iterator[tuple[list[str], Row]]:
        self.find_distinct(connection, estate)
        cursor = connection.execute(
            f"SELECT k.events, {', '.join(f'a.{c}' for c in Row._fields)} FROM asked a "
            "JOIN (SELECT h1, array_agg(event_id) AS events FROM keyed WHERE refused GROUP BY 1) k ON k.h1 = a.h1"
        )
        for events, *values in cursor.fetchall():
            yield list(events), Row(*values)

    def nameless(self, connection: Connection) -> tuple[int, int]:
        events, second = connection.execute(NAMELESS_COUNT).fetchone()
        return events, second

    def by_address(self, connection: Connection) -> list[tuple[str | None, int]]:
        return [(address, n) for address, n in connection.execute(BY_ADDRESS).fetchall()]

    def find_hit(self, connection: Connection) -> None:
        connection.execute(f"CREATE OR REPLACE TEMP TABLE hit AS {HIT}")
        prepare_sessions(connection)
