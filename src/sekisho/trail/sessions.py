"""Sessions joined over accounts: whose a role session is, where it was got from, and with which second factor (G-04, G-05, G-06, G-23).

``SWITCHES`` and ``SESSIONS`` are views over ``events``, each written once in SQL that every engine takes (``engines.py`` says which SQL that is);
``prepare_switches`` and ``prepare_sessions`` make tables of them in a connection to a store::

    switches   the SwitchRole events: a console switch, in the role's account, with the person's address (G-06)
    consoles   the key of each session that the console made → its SwitchRole: the address, and from whom
    sessions   one row a session that was made: its key, its ARN, who made it, from where, when, with MFA or not
    roots      session key → the first caller of its chain, who is a person or a service, and the sessions on the way, the nearest first
"""

from __future__ import annotations

from collections.abc import Mapping

from sekisho.trail.engines import Connection

PAIR_WITHIN_S = 2
"""G-06: an AssumeRole by the console and its SwitchRole are at most this far apart."""

REFUSED = (
    "(error_code IS NOT NULL AND (error_code ILIKE '%AccessDenied%' OR error_code ILIKE '%UnauthorizedOperation%' "
    "OR error_code IN ('AuthorizationError', 'AuthorizationErrorException', 'Forbidden', 'NotAuthorized', 'UnauthorizedException')))"
)
"""SQL: the event was refused for want of permission (G-21); other errors come after the decision, or before it."""

SWITCHES: Mapping[str, str] = {
    "switches": """
        SELECT event_time, principal AS session, account, address, switch_from, event_id, user_agent FROM events
        WHERE source = 'signin.amazonaws.com' AND name = 'SwitchRole' AND outcome = 'Success'""",
    "consoles": f"""
        WITH made AS (
            SELECT new_key, max(new_session) AS session, min(event_time) AS made_at FROM events
            WHERE source = 'sts.amazonaws.com' AND address = 'AWS Internal' AND new_key IS NOT NULL AND error_code IS NULL GROUP BY new_key
        ), paired AS (
            SELECT m.new_key, s.address, s.switch_from, s.event_id, row_number() OVER (PARTITION BY m.new_key ORDER BY
                CASE WHEN s.event_time > m.made_at THEN s.event_time - m.made_at ELSE m.made_at - s.event_time END, s.event_id) AS nth
            FROM made m JOIN switches s ON s.session = m.session
                AND s.event_time BETWEEN m.made_at - INTERVAL '{PAIR_WITHIN_S}' SECOND AND m.made_at + INTERVAL '{PAIR_WITHIN_S}' SECOND
        )
        SELECT new_key, address, switch_from, event_id FROM paired WHERE nth = 1""",
}

_MADE = "source = 'sts.amazonaws.com' AND new_key IS NOT NULL AND error_code IS NULL"


def _sessions(only: str = "") -> str:
    # Both copies of an AssumeRole across accounts name the new key; the caller's own says who called (G-04).
    return f"""
        WITH made AS (
            SELECT new_key, principal, identity_type, access_key, mfa, address, invoked_by, event_id, name, row_number() OVER (
                PARTITION BY new_key ORDER BY CASE WHEN identity_type = 'AWSAccount' THEN 1 ELSE 0 END, event_time, event_id) AS nth
            FROM events WHERE {_MADE}{only}
        ), both_copies AS (
            SELECT new_key, max(new_session) AS session, min(event_time) AS at, max(role_arn) AS role,
                   bool_or(serial_number IS NOT NULL) AS code_passed, max(set_source_identity) AS source_identity
            FROM events WHERE {_MADE}{only} GROUP BY new_key
        )
        SELECT m.new_key, b.session, b.at, b.role, coalesce(m.principal, p.switch_from, m.invoked_by) AS caller, m.identity_type AS caller_type,
               m.access_key AS caller_key, m.mfa, b.code_passed, b.source_identity, m.name AS made_by, m.event_id,
               CASE WHEN m.address = 'AWS Internal' THEN p.address ELSE m.address END AS address,
               coalesce(m.address = 'AWS Internal', false) AS by_console
        FROM made m JOIN both_copies b ON b.new_key = m.new_key LEFT JOIN consoles p ON p.new_key = m.new_key WHERE m.nth = 1"""


def _twice(half: str) -> str:
    """Chains of twice as many hops: each engine knows joins, and not each knows recursion."""
    return f"""
        SELECT a.new_key, b.up, coalesce(b.root, a.root) AS root, coalesce(b.root_type, a.root_type) AS root_type,
               CASE WHEN b.path IS NULL THEN a.path ELSE a.path || ' ' || b.path END AS path
        FROM {half} a LEFT JOIN {half} b ON b.new_key = a.up"""


SESSIONS: Mapping[str, str] = {
    "sessions": _sessions(),
    "hops_1": """
        SELECT new_key, caller_key AS up, caller AS root, caller_type AS root_type, coalesce(session, '') AS path FROM sessions""",
    "hops_2": _twice("hops_1"),
    "hops_4": _twice("hops_2"),
    "hops_8": _twice("hops_4"),
    "roots": _twice("hops_8"),
}
_MOST_HOPS = 16


def prepare_switches(connection: Connection) -> None:
    """Make the tables ``switches`` and ``consoles`` of the view ``events``."""
    for name, sql in SWITCHES.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")


def prepare_sessions(connection: Connection, keys: str | None = None) -> None:
    """Make the tables ``sessions`` and ``roots``; ``prepare_switches`` has been called. ``keys``: SQL of the only keys that are asked about."""
    views = dict(SESSIONS)
    if keys is not None:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE wanted AS SELECT DISTINCT access_key AS new_key, 0 AS hop FROM ({keys}) WHERE access_key IS NOT NULL"
        )
        for hop in range(_MOST_HOPS):
            # Up the chain: the keys that called for these keys.
            more = connection.execute(
                f"INSERT INTO wanted SELECT DISTINCT access_key, {hop + 1} FROM own WHERE access_key IS NOT NULL AND new_key IN "
                f"(SELECT new_key FROM wanted WHERE hop = {hop}) AND access_key NOT IN (SELECT new_key FROM wanted)"
            ).fetchone()
            if not more or not more[0]:
                break
        views["sessions"] = _sessions(" AND new_key IN (SELECT new_key FROM wanted)")
    for name, sql in views.items():
        connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS {sql}")
