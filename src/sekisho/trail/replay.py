"""Every past event as a request, decided against another estate: what would be refused that worked, what would work that was refused.

Distinct requests come out by SQL, are decided once, and only those whose answer differs from what happened are joined back to their events.
The SQL up to them is tuned for DuckDB (``Tuned``); other engines have the plain one (``plain.py``), and the same rows.
What the decision depends on is asked of the estate first: a key that no policy mentions makes no two requests distinct, and a time or an age
only by the constants that policies compare it with.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from sekisho.decision import Decision
from sekisho.errors import Place
from sekisho.estate import Estate
from sekisho.trail.addresses import Networks, address_kind
from sekisho.trail.coverage import Coverage, coverage_of
from sekisho.trail.engines import Connection
from sekisho.trail.request import Asked, Replayer, Row, address_classes, asked_of, mentioned_keys, policies_of
from sekisho.trail.sessions import REFUSED, prepare_sessions, prepare_switches
from sekisho.trail.sign_in import ALONE, SIGN_IN_POLICY, STEP_OF_SIGN_IN, SignInDecision, decide_sign_in
from sekisho.trail.store import Part

CONDITIONS_ONLY_WHEN_MENTIONED = {
    "user_agent": ("user_agent", "aws:useragent"),
    "role_session_name": ("role_session_name", "sts:rolesessionname"),
    "external_id": ("external_id", "sts:externalid"),
    "policy_arn": ("policy_arn", "iam:policyarn"),
}
"""Columns that make requests distinct only where a policy asks for their key."""


@dataclass(frozen=True)
class Change:
    """Events whose answer would be another: by one person and role, of one action, from one address. ``days`` → events."""

    was: str
    would_be: str
    who: str
    principal: str
    role: str | None
    action: str
    resource: str
    address: str | None
    network: str
    events: int
    days: Mapping[date, int]
    example: str
    layer: str | None
    policy: str | None
    statement: int | None
    sid: str | None
    place: Place | None
    message: str
    about_address: bool


@dataclass
class Replay:
    """What a replay found. ``decided`` and ``undecided`` count events; the latter by reason. ``same`` would be answered as they were."""

    coverage: Coverage
    events: int = 0
    distinct: int = 0
    decided: int = 0
    same: int = 0
    failed_otherwise: int = 0
    second_records: int = 0
    undecided: Counter[str] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    assumed: Counter[str] = field(default_factory=Counter)
    networks: Counter[str] = field(default_factory=Counter)
    """Events by the network that they came from."""

    @property
    def refused(self) -> list[Change]:
        return [c for c in self.changes if c.would_be == "refused"]

    @property
    def allowed(self) -> list[Change]:
        return [c for c in self.changes if c.would_be == "allowed"]

    @property
    def verdict(self) -> str:
        """``differences``; ``no events``; ``not known`` where the trail or the decisions have gaps; else ``no difference in this trail``."""
        if not self.events:
            return "no events"
        if self.changes:
            return "differences"
        if not self.coverage.complete or self.undecided:
            return "not known"
        return "no difference in this trail"


def _second_of_sign_ins(connection: Connection, found: Replay) -> None:
    """Records that go with another which is decided: CheckMfa with its ConsoleLogin, SwitchRole with its AssumeRole where that is here (G-06)."""
    found.second_records += found.undecided.pop(STEP_OF_SIGN_IN, 0)
    if switches := found.undecided.pop(ALONE, 0):
        (paired,) = connection.execute("SELECT count(DISTINCT event_id) FROM consoles").fetchone()
        found.second_records += paired
        if switches > paired:
            found.undecided[ALONE] += switches - paired


class Way(Protocol):
    """How an engine comes to the distinct requests; ``prepare_switches`` has been called."""

    def find_distinct(self, connection: Any, estate: Estate, /) -> None:
        """The table ``asked``: each distinct request once, with its ``id``, two hashes, and ``n``, how many events it has."""

    def refused(self, connection: Any, estate: Estate, /) -> Iterator[tuple[list[str], Row]]:
        """(all its events, the request) of each distinct request that was refused."""

    def nameless(self, connection: Any, /) -> tuple[int, int]:
        """How many records don't name their caller, and how many of these are second ones of a call whose first is here (G-04)."""

    def by_address(self, connection: Any, /) -> list[tuple[str | None, int]]:
        """Events by address."""

    def find_hit(self, connection: Any, /) -> None:
        """The table ``hit``: the events whose hashes are in the table ``changed``; and ``roots`` of their sessions."""


class Tuned:
    """DuckDB's own way."""

    def find_distinct(self, connection: duckdb.DuckDBPyConnection, estate: Estate) -> None:
        _find_distinct(connection, _keyed(connection, estate))

    def refused(self, connection: duckdb.DuckDBPyConnection, estate: Estate) -> Iterator[tuple[list[str], Row]]:
        _keyed(connection, estate)
        return _refused_requests(connection)

    def nameless(self, connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
        return _nameless(connection)

    def by_address(self, connection: duckdb.DuckDBPyConnection) -> list[tuple[str | None, int]]:
        return connection.execute(
            """SELECT address, sum(n)::BIGINT FROM (SELECT request, count(*) AS n FROM own GROUP BY request) JOIN requests USING (request)
               GROUP BY address"""
        ).fetchall()

    def find_hit(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE hit AS SELECT k.* FROM keyed_alike k SEMI JOIN changed USING (h1, h2) "
            f"UNION ALL BY NAME {_keyed_apart('(SELECT * FROM groups_apart SEMI JOIN changed USING (h1, h2))')}"
        )
        prepare_sessions(connection, "SELECT access_key FROM hit")


def replay(
    connection: Connection,
    estate: Estate,
    *,
    networks: Networks | None = None,
    whole: bool = True,
    accounts: Sequence[str] = (),
    set_aside: int = 0,
    parts: Sequence[Part] | None = None,
    way: Way = Tuned(),  # noqa: B008
    tell: Callable[[str], None] = lambda _: None,
) -> Replay:
    """Decide every event of the view ``events`` against ``estate``.

    ``whole``: the estate holds all principals of its accounts, so that one who isn't in it has no permissions; an environment file holds only
    what it declares, and of others nothing is said. ``accounts``: those whose events should be there. ``parts``: the store's, where all
    of it is asked.
    """
    tell("looking at what the trail covers")
    found = Replay(coverage_of(connection, accounts or [a.id for a in estate.accounts], set_aside, parts))
    tell("finding distinct requests")
    prepare_switches(connection)
    way.find_distinct(connection, estate)
    nameless, found.second_records = way.nameless(connection)
    found.events += nameless
    if nameless > found.second_records:
        found.undecided["the caller is in an account whose own record isn't here (G-04)"] += nameless - found.second_records
    changed = _decide_all(connection, found, Replayer(estate), whole, tell)
    _second_of_sign_ins(connection, found)
    tell("joining what differs back to its events")
    names = networks or Networks({})
    for address, n in way.by_address(connection):
        found.networks[names.label(address)] += int(n)
    if changed.num_rows:
        connection.register("changed_rows", changed)
        connection.execute(CHANGED)
        way.find_hit(connection)
        _name_changes(found, connection.execute(DIFFERS).fetchall(), names)
    return found


# --- distinct requests, by SQL -------------------------------------------------------------------------------------------

COLUMNS = (
    "identity_type", "principal", "principal_id", "principal_account", "invoked_by", "key_kind", "mfa", "issuer", "source_identity", "source",
    "name", "type", "region", "account", "address", "vpc_endpoint", "resource", "resource_account", "has_parameters", "role_session_name",
    "external_id", "set_source_identity", "has_serial", "session_tags", "policy_arn", "refused", "user_agent",
)  # fmt: skip
assert Row._fields[: len(COLUMNS)] == COLUMNS

_OWN_OF_EVENTS = ("user_agent", "role_session_name", "external_id", "policy_arn")
"""Columns of a request that aren't in the table ``requests``, because they would make almost every request distinct."""
_SHARED = tuple(c for c in COLUMNS if c not in _OWN_OF_EVENTS and c != "refused")
_FLAGS = ("failed", "assumed")
_FIRST = ", ".join(f"any_value({c}) AS {c}" for c in (*COLUMNS, *_FLAGS))


def mentions_sessions(estate: Estate, mentioned: Mapping[str, object]) -> bool:
    """Whether any policy can tell two sessions of one role apart."""
    return "aws:userid" in mentioned or any(
        ":assumed-role/" in arn
        for policy in policies_of(estate)
        for s in policy.statements
        for element in (s.principal, s.not_principal)
        if element is not None
        for arn in element.aws
    )


def _keyed(connection: duckdb.DuckDBPyConnection, estate: Estate) -> list[str]:
    """Make the views ``keyed_alike`` and ``keyed_apart``: events with the columns of a request and two hashes of what makes it distinct.

    128 bits, which never meet by chance. Most events are decided as their row of ``requests`` is (alike); those of the console, whose
    address is in another event, and sign-ins, are looked at one by one (apart). Records that don't name their caller are in neither (``_nameless``).
    Gives the SQL of what tells times apart.
    """
    mentioned = mentioned_keys(estate)
    own = {column: key in mentioned for column, (_, key) in CONDITIONS_ONLY_WHEN_MENTIONED.items()}
    distinct = {c: c for c in _SHARED}
    if not mentions_sessions(estate, mentioned):
        # All sessions of a role are one caller, unless a policy looks at the session.
        distinct["principal"] = "CASE WHEN identity_type = 'AssumedRole' AND issuer IS NOT NULL THEN issuer ELSE principal END"
        distinct["principal_id"] = "CASE WHEN identity_type = 'AssumedRole' THEN NULL ELSE principal_id END"
    distinct["address"] = "class"
    _classes(connection, estate)
    buckets = _buckets(mentioned)
    base = ", ".join([*distinct.values(), "refused", "failed"])
    apart = "true" if any(own.values()) else "coalesce(address = 'AWS Internal', false) OR source = 'signin.amazonaws.com'"
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE asking AS
        WITH found AS (
            SELECT r.*, {REFUSED} AS refused, error_code IS NOT NULL AND NOT {REFUSED} AS failed,
                   CASE WHEN vpc_endpoint IS NULL THEN c.class ELSE r.address END AS class
            FROM requests r LEFT JOIN classes c USING (address))
        SELECT request, error_code, {', '.join(_SHARED)}, refused, failed, hash({base}) AS b1, hash('sekisho', {base}) AS b2, {apart} AS apart
        FROM found WHERE NOT {NAMELESS}"""
    )
    hashes = ", ".join([f"hash(b1, {', '.join(buckets)}) AS h1", f"hash(b2, {', '.join(buckets)}) AS h2"]) if buckets else "b1 AS h1, b2 AS h2"
    nothing = ", ".join(f"NULL::VARCHAR AS {c}" for c in _OWN_OF_EVENTS)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW keyed_alike AS SELECT {hashes}, {', '.join(_SHARED)}, refused, failed, false AS assumed, "
        f"{nothing}, event_id, event_time, session_created, access_key FROM own JOIN asking USING (request) WHERE NOT apart"
    )
    _key_apart(connection, distinct, [column for column, is_mentioned in own.items() if is_mentioned], buckets)
    return buckets


def _key_apart(connection: duckdb.DuckDBPyConnection, distinct: Mapping[str, str], own: Sequence[str], buckets: Sequence[str]) -> None:
    """Make ``calls_apart``, each event that is looked at on its own, and ``groups_apart``: what many of them have in common, hashed once."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE lone_sessions AS {_LONE}")
    times = "".join(f", {b} AS t{i}" for i, b in enumerate(buckets))
    mine = [*own, *(f"t{i}" for i in range(len(buckets)))]
    nothing = "".join(f", NULL::VARCHAR AS {c}" for c in _OWN_OF_EVENTS if c not in own)
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW calls_apart AS SELECT *, hash({', '.join(['found_at', 'assumed', 'ended_badly', *mine])}) AS g "
        f"FROM (SELECT *{times} FROM ({_APART}))"
    )
    first = ", ".join(f"any_value({c}) AS {c}" for c in ("found_at", "assumed", "ended_badly", *mine))
    parts = [*distinct.values(), *own, "refused", *_FLAGS, *mine[len(own) :]]
    shared = ", ".join(f"coalesce(found_at, {c}) AS {c}" if c == "address" else c for c in _SHARED)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE groups_apart AS
        WITH grouped AS (
            SELECT request, g, count(*) AS n, {first}, min(event_time) AS event_time, arg_min(session_created, event_time) AS session_created
            FROM calls_apart GROUP BY request, g
        ), told AS (
            SELECT g.* EXCLUDE (found_at, ended_badly), {shared}, refused, failed OR ended_badly AS failed{nothing}
            FROM grouped g JOIN asking USING (request)
        ), classed AS (
            SELECT t.*, CASE WHEN vpc_endpoint IS NULL THEN c.class ELSE t.address END AS class FROM told t LEFT JOIN classes c USING (address))
        SELECT *, hash({', '.join(parts)}) AS h1, hash('sekisho', {', '.join(parts)}) AS h2 FROM classed"""
    )
    connection.execute(f"CREATE OR REPLACE TEMP VIEW keyed_apart AS {_keyed_apart('groups_apart')}")


def _keyed_apart(groups: str) -> str:
    """SQL of the events of some of ``groups_apart``, with what their group has."""
    columns = ", ".join(f"k.{c}" for c in ("h1", "h2", *_SHARED, "refused", *_FLAGS, *_OWN_OF_EVENTS))
    return (
        f"SELECT {columns}, c.event_id, c.event_time, c.session_created, c.access_key "
        f"FROM calls_apart c JOIN {groups} k ON k.request = c.request AND k.g = c.g"
    )


_LONE = """
    WITH refused AS (
        SELECT DISTINCT access_key FROM own WHERE request IN (SELECT request FROM asking WHERE address = 'AWS Internal' AND error_code IS NOT NULL)
    ), called AS (SELECT DISTINCT request, access_key FROM own SEMI JOIN refused USING (access_key))
    SELECT access_key, any_value(address) AS address FROM called JOIN requests USING (request)
    WHERE regexp_full_match(address, '[0-9A-Fa-f.:]+') GROUP BY access_key HAVING count(DISTINCT address) = 1"""
"""A refused console switch has no SwitchRole (G-06); where its session called from one address alone, that is assumed to be the person's."""

_APART = f"""
    SELECT o.request, o.event_id, o.event_time, o.session_created, o.access_key, {', '.join(f'o.{c}' for c in _OWN_OF_EVENTS)},
        CASE WHEN k.address = 'AWS Internal' THEN coalesce(s.address, l.address) END AS found_at,
        coalesce(k.address = 'AWS Internal' AND s.address IS NULL AND l.address IS NOT NULL, false) AS assumed,
        coalesce(o.outcome = 'Failure', false) AS ended_badly
    FROM own o JOIN (SELECT request, address, error_code FROM asking WHERE apart) k ON k.request = o.request
    LEFT JOIN consoles s ON s.new_key = o.new_key AND k.address = 'AWS Internal'
    LEFT JOIN lone_sessions l ON l.access_key = o.access_key AND k.error_code IS NOT NULL AND k.address = 'AWS Internal'"""


def _find_distinct(connection: duckdb.DuckDBPyConnection, buckets: Sequence[str]) -> None:
    """The table ``asked``: each distinct request once, with how many events it has."""
    # Where no policy looks at a clock, none is read.
    times = "NULL::TIMESTAMP AS event_time, NULL::TIMESTAMP AS session_created"
    by = ""
    if buckets:
        times = "min(event_time) AS event_time, arg_min(session_created, event_time) AS session_created"
        by = "".join(f", {b} AS t{i}" for i, b in enumerate(buckets))
    groups = ", ".join(["request", *(f"t{i}" for i in range(len(buckets)))])
    h = [f"hash({b}, {', '.join(f't{i}' for i in range(len(buckets)))})" if buckets else b for b in ("b1", "b2")]
    nothing = ", ".join(f"NULL::VARCHAR AS {c}" for c in _OWN_OF_EVENTS)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE asked AS SELECT row_number() OVER () AS id, * FROM (
            SELECT h1, h2, sum(n)::BIGINT AS n, {_FIRST}, {times}
            FROM (SELECT {h[0]} AS h1, {h[1]} AS h2, *, false AS assumed, {nothing}
                  FROM (SELECT {groups}, count(*) AS n, {times} FROM (SELECT *{by} FROM own) GROUP BY {groups}) JOIN asking USING (request)
                  WHERE NOT apart) GROUP BY h1, h2
            UNION ALL BY NAME
            SELECT h1, h2, sum(n)::BIGINT AS n, {_FIRST}, {times} FROM groups_apart GROUP BY h1, h2)"""
    )


NAMELESS = "coalesce(identity_type = 'AWSAccount' AND principal_account <> 'ANONYMOUS_PRINCIPAL', false)"
"""SQL of a record in another account's trail than the caller's, which doesn't name the caller (G-04)."""


def _nameless(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    named = f"SELECT shared_event_id FROM own WHERE shared_event_id IS NOT NULL AND request NOT IN (SELECT request FROM requests WHERE {NAMELESS})"
    row = connection.execute(
        f"""SELECT count(*), count(*) FILTER (shared_event_id IN ({named})) FROM own
            WHERE request IN (SELECT request FROM requests WHERE {NAMELESS})"""
    ).fetchone()
    assert row is not None
    return row[0], row[1]


def _classes(connection: duckdb.DuckDBPyConnection, estate: Estate) -> None:
    """The table ``classes``: address → one that every policy's networks hold alike. Addresses of one class need one decision."""
    addresses = [row[0] for row in connection.execute("SELECT DISTINCT address FROM requests WHERE address IS NOT NULL ORDER BY 1").fetchall()]
    classes = address_classes(estate, addresses)
    rows = pa.table({"address": pa.array(addresses, pa.string()), "class": pa.array([classes[a] for a in addresses], pa.string())})
    connection.register("class_rows", rows)
    connection.execute("CREATE OR REPLACE TEMP TABLE classes AS SELECT * FROM class_rows")


def _buckets(mentioned: Mapping[str, Sequence[Any] | None]) -> list[str]:
    """SQL of what tells times and ages apart: on which side of each constant of the policies they lie."""
    clocks = {
        "aws:currenttime": "epoch(event_time)", "aws:epochtime": "epoch(event_time)", "aws:tokenissuetime": "epoch(session_created)",
        "aws:multifactorauthage": "epoch(event_time) - epoch(session_created)",
    }  # fmt: skip
    found = []
    for key, expression in clocks.items():
        if key not in mentioned:
            continue
        constants = mentioned[key]
        if constants is None:
            found.append(expression)
        else:
            found += [f"sign({expression} - {constant})" for constant in constants]
    return found


def _refused_requests(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[list[str], Row]]:
    both = "SELECT * FROM keyed_alike WHERE refused UNION ALL BY NAME SELECT * FROM keyed_apart WHERE refused"
    times = "min(event_time) AS event_time, arg_min(session_created, event_time) AS session_created"
    cursor = connection.execute(
        f"SELECT events, {', '.join(Row._fields)} FROM (SELECT list(event_id) AS events, {_FIRST}, {times} FROM ({both}) GROUP BY h1, h2)"
    )
    for events, *values in cursor.fetchall():
        yield events, Row(*values)


# --- decisions -----------------------------------------------------------------------------------------------------------


ANSWER = pa.schema(
    [
        ("action", pa.string()), ("asked_resource", pa.string()), ("layer", pa.string()), ("policy", pa.string()), ("statement", pa.int64()),
        ("sid", pa.string()), ("file", pa.string()), ("pointer", pa.string()), ("line", pa.int64()), ("message", pa.string()),
        ("about_address", pa.bool_()),
    ]
)  # fmt: skip
"""What an answer rests on, flat: the columns of ``answer_row``."""
OF_ANSWER = ", ".join(f"c.{name}" for name in ANSWER.names)
_CHANGED_SCHEMA = pa.schema([("id", pa.string()), ("would_be", pa.string()), *ANSWER])
CHANGED = f"""
    CREATE OR REPLACE TEMP TABLE changed AS
    SELECT a.h1, a.h2, a.refused, a.address AS of_address, a.principal AS of_principal, c.would_be, {OF_ANSWER}
    FROM changed_rows c JOIN asked a ON CAST(a.id AS VARCHAR) = c.id"""
"""The distinct requests that would be answered otherwise, by their hashes."""


def _decide_all(connection: Connection, found: Replay, replayer: Replayer, whole: bool, tell: Callable[[str], None]) -> pa.Table:
    """Decide each distinct request; the rows for ``changed`` of those whose answer differs."""
    cursor = connection.execute(f"SELECT id, n, failed, assumed, {', '.join(Row._fields)} FROM asked")
    changed: list[tuple[Any, ...]] = []
    while rows := cursor.fetchmany(10_000):
        for identity, n, failed, assumed, *values in rows:
            row = Row(*values)
            found.events += n
            found.distinct += 1
            decision, why = answered(replayer, row, whole)
            if decision is None:
                found.undecided[why] += n
                continue
            found.decided += n
            if assumed:
                found.assumed["the address of a refused console switch, from the only one that its session called from"] += n
            if failed:
                # It got past the decision, or never came to it: the error doesn't say.
                found.failed_otherwise += n
                continue
            if decision.allowed != row.refused:
                found.same += n
                continue
            changed.append((str(identity), "allowed" if decision.allowed else "refused", *answer_row(decision)))
        tell(f"{found.events:,} of {found.coverage.events:,} events, {found.distinct:,} distinct requests decided")
    columns = [pa.array([c[i] for c in changed], field.type) for i, field in enumerate(_CHANGED_SCHEMA)]
    return pa.Table.from_arrays(columns, schema=_CHANGED_SCHEMA)


@dataclass(frozen=True)
class LeftToAws:
    """A service that takes its service-linked role: AWS writes that trust, and no policy of the estate bears on it (D-03)."""

    resource: str
    allowed: bool = True
    message: str = "a service-linked role, whose trust is AWS's own"


Answered = Decision | SignInDecision | LeftToAws


def answered(replayer: Replayer, row: Row, whole: bool) -> tuple[Answered | None, str]:
    """The decision of one distinct request, or None and why there is none."""
    if row.is_sign_in:
        return decide_sign_in(row, replayer.estate)
    if row.takes_service_linked_role and not row.refused:
        return LeftToAws(row.resource or ""), ""
    asked = asked_of(row, replayer.estate)
    why = asked.why or (None if whole else _undeclared(asked, replayer.estate))
    if why:
        return None, why
    decision = replayer.decide(row, asked)
    if decision.outcome == "unknown":
        return None, replayer.what_is_missing(row, asked, decision)[0]
    return decision, ""


def _undeclared(asked: Asked, estate: Estate) -> str | None:
    """Why an environment file says nothing about a request: it doesn't declare the caller, or the role that is asked for."""
    request = asked.request
    if request is None:
        return None
    who = request.caller
    account = estate.account(who.account)
    if who.kind == "user" and account is not None and account.user(who.name) is None:
        return "the user isn't in the environment file, which says nothing about it"
    if who.kind in ("role-session", "role") and account is not None and account.role(who.name) is None:
        return "the role isn't in the environment file, which says nothing about it"
    if who.kind == "root":
        return "the root user isn't in the environment file, which says nothing about it"
    if request.action.lower().startswith("sts:assumerole") and ":role/" in request.resource and estate.role(request.resource) is None:
        return "the role asked for isn't in the environment file, which says nothing about it"
    return None


def answer_row(decision: Answered) -> tuple[Any, ...]:
    """What the answer rests on, flat: the statement first named, or for an implicit deny the layer and the Allow that came nearest."""
    if isinstance(decision, SignInDecision):
        policy = None if decision.allowed else SIGN_IN_POLICY
        return "signin:Authenticate", decision.principal, "sign_in", policy, None, None, None, None, None, decision.message, not decision.allowed
    if isinstance(decision, LeftToAws):
        return "sts:AssumeRole", decision.resource, "resource", None, None, None, None, None, None, decision.message, False
    request = decision.request
    because = decision.because[0] if decision.because else None
    place = (because.origin or because.place) if because is not None else None
    about = False
    if decision.allowed:
        message = "allowed"
    else:
        message = decision.message
        near = [m for m in decision.misses if m.condition and m.layer == decision.layer]
        if because is not None and because.block is not None:
            about = any(c.key.lower() == "aws:sourceip" for c in because.block.conditions)
        elif near:
            about = any(m.condition.lower().endswith("aws:sourceip") for m in near)
            message += f" (nearest: {near[0]})"
    return (
        request.action, request.resource, decision.layer or (because.layer if because else None),
        because.policy if because else None, because.statement if because else None, because.sid if because else None,
        place.file if place else None, place.pointer if place else None, place.line if place else None, message, about,
    )  # fmt: skip


_MESSAGE = (
    "replace(replace(c.message, coalesce(c.of_address, '?'), coalesce(k.address, '?')), coalesce(c.of_principal, '?'), coalesce(k.principal, '?'))"
)
"""SQL of the text of a decision that was made once for many: it names the one that stood for all, and here each has its own."""


DIFFERS = f"""
    SELECT c.would_be, coalesce(r.root, k.principal, k.principal_id, '?') AS who, k.principal,
           CASE WHEN k.source = 'sts.amazonaws.com' THEN k.resource ELSE k.issuer END AS role, c.action, c.asked_resource, k.address,
           c.layer, c.policy, c.statement, c.sid, c.file, c.pointer, c.line, c.about_address, max({_MESSAGE}) AS message,
           CAST(k.event_time AS DATE) AS day, count(*) AS n, min_by(k.event_id, (k.event_time, k.event_id)) AS example
    FROM hit k JOIN changed c ON k.h1 = c.h1 AND k.h2 = c.h2 LEFT JOIN roots r ON r.new_key = k.access_key
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17"""
"""Events that would be answered otherwise: by who did what in which role from where, why, and the day."""


def _name_changes(found: Replay, rows: Sequence[tuple[Any, ...]], networks: Networks) -> None:
    grouped: dict[tuple[Any, ...], list[tuple[Any, ...]]] = {}
    for row in sorted(rows, key=lambda r: (r[16], r[18])):
        grouped.setdefault(row[:15], []).append(row)
    for key, members in grouped.items():
        would_be, who, principal, role, action, resource, address, layer, policy, statement, sid, file, pointer, line, about = key
        days = {m[16]: 0 for m in members}
        for m in members:
            days[m[16]] += m[17]
        place = Place(file, pointer, line) if file or pointer else None
        found.changes.append(
            Change(
                "worked" if would_be == "refused" else "refused", would_be, who, principal or who, role, action, resource, address,
                networks.label(address), sum(days.values()), days, members[0][18], layer, policy, statement, sid, place, members[0][15], about,
            )
        )  # fmt: skip
    found.changes.sort(key=lambda c: (c.would_be != "refused", -c.events, c.who, c.action, c.address or "", c.example))


# --- a proposal ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Suggested:
    """A network that would keep what worked: its addresses seen, who used it, how often, from when to when; ``odd``: why to look at it first."""

    network: str
    addresses: tuple[str, ...]
    who: tuple[str, ...]
    events: int
    first: date
    last: date
    example: str
    odd: tuple[str, ...]


def suggest(found: Replay) -> list[Suggested]:
    """The smallest list of networks with which nothing that worked would be refused for its address.

    Single addresses, joined only where a block is seen whole; IPv6 by the /64 of a site where three or more of its addresses were seen.
    """
    import ipaddress

    by_address: dict[str, list[Change]] = {}
    for change in found.refused:
        if change.about_address and change.address and address_kind(change.address) in ("ip4", "ip6"):
            by_address.setdefault(change.address, []).append(change)
    four = [ipaddress.IPv4Network(a) for a in by_address if ":" not in a]
    six = [ipaddress.IPv6Network(a) for a in by_address if ":" in a]
    sites = Counter(n.supernet(new_prefix=64) for n in six)
    six = [n.supernet(new_prefix=64) if sites[n.supernet(new_prefix=64)] >= 3 else n for n in six]
    networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]
    usual = Counter(who for c in found.refused for who in {c.who})
    result = []
    for network in networks:
        inside = [a for a in by_address if ipaddress.ip_address(a) in network]
        changes = [c for a in inside for c in by_address[a]]
        days = sorted({d for c in changes for d in c.days})
        who = sorted({c.who for c in changes})
        events = sum(c.events for c in changes)
        odd = []
        if len(days) == 1:
            odd.append("on one day only")
        if len(who) == 1 and events < 5:
            odd.append("one person, few events")
        if len(who) == 1 and usual[who[0]] > 3 * len(changes) and len(days) <= 2:
            odd.append(f"{who[0].rpartition('/')[2]} is mostly elsewhere")
        result.append(Suggested(str(network), tuple(sorted(inside)), tuple(who), events, days[0], days[-1], changes[0].example, tuple(odd)))
    return sorted(result, key=lambda s: (bool(s.odd), -s.events))
