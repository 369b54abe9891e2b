"""Sessions joined over accounts: whose a role session is, where it was got from, and with which second factor (G-04, G-05, G-06, G-23).

``prepare_switches`` and ``prepare_sessions`` make these tables in a connection to a store; audit and replay both ask them::

    switches   the SwitchRole events: a console switch, in the role's account, with the person's address (G-06)
    consoles   the key of each session that the console made → its SwitchRole: the address, and from whom
    sessions   one row a session that was made: its key, its ARN, who made it, from where, when, with MFA or not
    roots      session key → the first caller of its chain, who is a person or a service, and how many hops away
"""

from __future__ import annotations

import duckdb

PAIR_WITHIN_S = 2
"""G-06: an AssumeRole by the console and its SwitchRole are at most this far apart."""

REFUSED = (
    "(error_code IS NOT NULL AND (error_code ILIKE '%AccessDenied%' OR error_code ILIKE '%UnauthorizedOperation%' "
    "OR error_code IN ('AuthorizationError', 'AuthorizationErrorException', 'Forbidden', 'NotAuthorized', 'UnauthorizedException')))"
)
"""SQL: the event was refused for want of permission (G-21); other errors come after the decision, or before it."""

_MOST_HOPS = 16


def prepare_switches(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables ``switches`` and ``consoles`` of the view ``events``."""
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE switches AS SELECT event_time, principal AS session, account, address, switch_from, event_id, user_agent "
        "FROM events WHERE source = 'signin.amazonaws.com' AND name = 'SwitchRole' AND coalesce(outcome, '') = 'Success'"
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE consoles AS
        WITH made AS (
            SELECT new_key, any_value(new_session) AS session, min(event_time) AS made_at FROM events
            WHERE source = 'sts.amazonaws.com' AND address = 'AWS Internal' AND new_key IS NOT NULL AND error_code IS NULL GROUP BY new_key
        )
        SELECT m.new_key, min_by(s.address, abs(epoch(s.event_time) - epoch(m.made_at))) AS address,
               min_by(s.switch_from, abs(epoch(s.event_time) - epoch(m.made_at))) AS switch_from,
               min_by(s.event_id, abs(epoch(s.event_time) - epoch(m.made_at))) AS event_id
        FROM made m JOIN switches s ON s.session = m.session AND abs(epoch(s.event_time) - epoch(m.made_at)) <= {PAIR_WITHIN_S}
        GROUP BY m.new_key"""
    )


def prepare_sessions(connection: duckdb.DuckDBPyConnection, keys: str | None = None) -> None:
    """Make the tables ``sessions`` and ``roots``; ``prepare_switches`` has been called. ``keys``: SQL of the only keys that are asked about."""
    wanted = ""
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
        wanted = "AND new_key IN (SELECT new_key FROM wanted)"
    # Both copies of an AssumeRole across accounts name the new key; the caller's own says who called (G-04).
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE sessions AS
        WITH made AS (
            SELECT new_key, any_value(new_session) AS session, min(event_time) AS at, any_value(role_arn) AS role,
                   arg_min(principal, identity_type = 'AWSAccount') AS caller, arg_min(identity_type, identity_type = 'AWSAccount') AS caller_type,
                   arg_min(principal_id, identity_type = 'AWSAccount') AS caller_id, arg_min(access_key, identity_type = 'AWSAccount') AS caller_key,
                   arg_min(mfa, identity_type = 'AWSAccount') AS mfa, bool_or(serial_number IS NOT NULL) AS code_passed,
                   arg_min(address, identity_type = 'AWSAccount') AS address, any_value(invoked_by) AS invoked_by,
                   arg_min(event_id, identity_type = 'AWSAccount') AS event_id, any_value(role_session_name) AS session_name,
                   any_value(set_source_identity) AS source_identity, bool_or(coalesce(session_policy, false)) AS session_policy,
                   count(DISTINCT account) AS copies, any_value(name) AS made_by, bool_or(from_console) AS from_console
            FROM events WHERE source = 'sts.amazonaws.com' AND new_key IS NOT NULL AND error_code IS NULL {wanted} GROUP BY new_key
        )
        SELECT m.* EXCLUDE (address, caller), coalesce(m.caller, p.switch_from, m.invoked_by) AS caller, m.address AS recorded_address,
               CASE WHEN m.address = 'AWS Internal' THEN p.address ELSE m.address END AS address,
               m.address = 'AWS Internal' AS by_console, p.event_id AS switch_event
        FROM made m LEFT JOIN consoles p USING (new_key)"""
    )
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE roots AS
        WITH RECURSIVE up AS (
            SELECT new_key, caller_key, caller, caller_type, mfa, address, 1 AS hops, [session] AS path FROM sessions
            UNION ALL
            SELECT up.new_key, s.caller_key, s.caller, s.caller_type, s.mfa, s.address, up.hops + 1, list_append(up.path, s.session)
            FROM up JOIN sessions s ON s.new_key = up.caller_key WHERE up.hops < {_MOST_HOPS}
        )
        SELECT new_key, max_by(caller, hops) AS root, max_by(caller_type, hops) AS root_type, max(hops) AS hops, max_by(path, hops) AS path,
               max_by(address, hops) AS root_address, max_by(mfa, hops) AS root_mfa
        FROM up GROUP BY new_key"""
    )
