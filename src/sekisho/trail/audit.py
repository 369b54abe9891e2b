"""What a trail says of a jump account: whose sessions they were, what was refused and by which layer, and what nobody should have done.

Each question is one SQL text over the view ``events`` and the tables of ``sessions.py``, for every engine the same (``engines.py``), and one
function that reads its rows; what comes out are plain dicts, the same for text, JSON and CSV. ``QUESTIONS`` is the table of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from sekisho.decision import Decision
from sekisho.estate import Estate
from sekisho.trail.addresses import Networks, address_kind
from sekisho.trail.coverage import Coverage, coverage_of
from sekisho.trail.denial import Denial, read_denial
from sekisho.trail.engines import Connection, rows_of
from sekisho.trail.replay import Tuned, Way
from sekisho.trail.request import KNOWN, Asked, Replayer, Row, asked_of, is_known
from sekisho.trail.sessions import REFUSED, prepare_sessions, prepare_switches
from sekisho.trail.sign_in import why_failed
from sekisho.trail.store import Part

Rows = list[dict[str, Any]]

RESTRICTING = {
    "iam.amazonaws.com": (
        "CreateVirtualMFADevice", "EnableMFADevice", "DeactivateMFADevice", "DeleteVirtualMFADevice", "CreateAccessKey", "UpdateAccessKey",
        "UpdateAssumeRolePolicy", "AddUserToGroup", "RemoveUserFromGroup", "PutGroupPolicy", "DeleteGroupPolicy", "AttachGroupPolicy",
        "DetachGroupPolicy", "PutUserPolicy", "DeleteUserPolicy", "AttachUserPolicy", "DetachUserPolicy", "PutRolePolicy", "DeleteRolePolicy",
        "AttachRolePolicy", "DetachRolePolicy", "CreatePolicyVersion", "DeletePolicyVersion", "SetDefaultPolicyVersion", "CreateUser", "DeleteUser",
        "CreateGroup", "DeleteGroup", "CreateRole", "DeleteRole", "CreateLoginProfile", "UpdateLoginProfile", "DeleteLoginProfile",
        "PutUserPermissionsBoundary", "DeleteUserPermissionsBoundary", "PutRolePermissionsBoundary", "DeleteRolePermissionsBoundary",
        "UpdateAccountPasswordPolicy", "DeleteAccountPasswordPolicy", "TagUser", "UntagUser", "TagRole", "UntagRole", "UpdateUser", "UpdateGroup",
    ),
    "organizations.amazonaws.com": (
        "CreatePolicy", "UpdatePolicy", "DeletePolicy", "AttachPolicy", "DetachPolicy", "DisablePolicyType", "EnablePolicyType", "LeaveOrganization",
        "MoveAccount",
    ),
    "signin.amazonaws.com": (
        "PutResourcePermissionStatement", "DeleteResourcePermissionStatement", "PutConsoleAuthorizationConfiguration",
        "DeleteConsoleAuthorizationConfiguration",
    ),
    "cloudtrail.amazonaws.com": ("StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors"),
}  # fmt: skip
"""Events that change what restricts, or who may sign in (G-10, F-11), and those that would hide them."""

EMERGENCY_NAMES = ("*break-glass*", "*breakglass*", "*break_glass*", "*emergency*")


@dataclass
class Scope:
    """What an audit is asked with: the trail, the names of networks, and the estate of that time where there is one."""

    connection: Connection
    networks: Networks
    estate: Estate | None = None
    emergency: Sequence[str] = EMERGENCY_NAMES
    """Patterns of the names of users and roles that are for emergencies."""
    way: Way = field(default_factory=Tuned)


@dataclass
class Audit:
    coverage: Coverage
    answers: dict[str, Rows] = field(default_factory=dict)

    @property
    def findings(self) -> int:
        """How many rows say that something was done that should not have been."""
        return sum(len(rows) for name, rows in self.answers.items() if QUESTIONS[name].is_finding)


@dataclass(frozen=True)
class Question:
    """One question: its title, its SQL, the function that reads the SQL's rows, whether they are findings, whether it needs an estate."""

    title: str
    sql: str
    read: Callable[[Scope, Rows], Rows]
    is_finding: bool = False
    needs_estate: bool = False


def audit(
    scope: Scope,
    questions: Sequence[str] = (),
    *,
    set_aside: int = 0,
    parts: Sequence[Part] | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> Audit:
    """Ask ``questions`` (all that can be asked, where none are given) of the trail."""
    tell("looking at what the trail covers")
    found = Audit(coverage_of(scope.connection, [a.id for a in scope.estate.accounts] if scope.estate else (), set_aside, parts))
    tell("joining sessions")
    prepare_switches(scope.connection)
    prepare_sessions(scope.connection)
    for name in questions or QUESTIONS:
        if QUESTIONS[name].needs_estate and scope.estate is None:
            continue
        tell(QUESTIONS[name].title)
        found.answers[name] = QUESTIONS[name].read(scope, rows_of(scope.connection, QUESTIONS[name].sql))
    return found


# --- sessions ------------------------------------------------------------------------------------------------------------


SESSIONS = """
    SELECT r.root AS who, r.root_type AS type, s.role, s.session, r.path, s.address, s.by_console, s.mfa, s.code_passed, s.source_identity,
           s.made_by, count(*) AS sessions, min(s.at) AS first, max(s.at) AS last, min_by(s.event_id, (s.at, s.event_id)) AS example
    FROM sessions s JOIN roots r ON r.new_key = s.new_key GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"""


def _by_time(rows: Rows) -> Rows:
    return sorted(rows, key=lambda r: (r["first"], r["example"]))


def sessions(scope: Scope, rows: Rows) -> Rows:
    """Who took which role from where, with which second factor: rebuilt over accounts (J.1), chains with all their hops; people first."""
    rows = _by_time(rows)
    for row in rows:
        # E-08: MFA of the credentials that called, or a code passed with the call.
        row["mfa"] = "yes" if row["mfa"] else "code" if row["code_passed"] else "no"
        row["how"] = "console switch" if row["by_console"] else "service" if row["type"] == "AWSService" else row["made_by"]
        hops = row["path"].split()[::-1]
        row["chain"] = hops if len(hops) > 1 else None
    merged = _by_network(scope, rows, ("who", "type", "role", "session", "chain", "how", "mfa", "source_identity"), sums=("sessions",))
    return sorted(merged, key=lambda r: (r["type"] == "AWSService", -r["sessions"], r["who"] or "", r["role"] or ""))


LEFT_NETWORK = """
    SELECT s.new_key, coalesce(r.root, s.caller) AS who, s.session, s.role, s.address AS obtained_at, e.address, count(*) AS events,
           count(*) FILTER (WHERE e.error_code IS NULL) AS worked, min(e.event_time) AS first, max(e.event_time) AS last,
           min_by(e.event_id, (e.event_time, e.event_id)) AS example
    FROM sessions s JOIN events e ON e.access_key = s.new_key JOIN roots r ON r.new_key = s.new_key
    WHERE e.vpc_endpoint IS NULL AND e.address IS DISTINCT FROM s.address GROUP BY 1, 2, 3, 4, 5, 6"""


def left_network(scope: Scope, uses: Rows) -> Rows:
    """F-01, measured: sessions that were got inside a named network and used from outside of all."""
    outside = []
    for use in _by_time(uses):
        start = scope.networks.label(use["obtained_at"])
        if start != "unknown" and address_kind(use["obtained_at"]) in ("ip4", "ip6") and scope.networks.label(use["address"]) == "unknown":
            outside.append({**use, "obtained_in": start})
    merged = _by_network(scope, outside, ("new_key", "who", "session", "role", "obtained_at", "obtained_in"), sums=("events", "worked"))
    return [{k: v for k, v in row.items() if k != "new_key"} for row in merged]


def _by_network(scope: Scope, rows: Rows, keys: Sequence[str], sums: Sequence[str]) -> Rows:
    """Rows that differ in nothing but their address, by network: with the addresses, sums, the first and last time, and one example."""
    found: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        network = scope.networks.label(row["address"])
        key = (*(tuple(v) if isinstance(v := row[k], list) else v for k in keys), network)
        entry = found.get(key)
        if entry is None:
            entry = found[key] = {k: row[k] for k in keys} | {"network": network, "addresses": []}
            entry |= {name: type(row[name])() for name in sums}
            entry |= {"first": row["first"], "last": row["last"], "example": row["example"]}
        if row["address"] is not None and row["address"] not in entry["addresses"]:
            entry["addresses"].append(row["address"])
        for name in sums:
            entry[name] += row[name]
        entry["first"], entry["last"] = min(entry["first"], row["first"]), max(entry["last"], row["last"])
    return list(found.values())


# --- refusals ------------------------------------------------------------------------------------------------------------


_ENCODED = "Encoded authorization failure message:"
REFUSED_CALLS = f"""
    SELECT coalesce(e.principal, e.principal_id, e.user_name, '?') AS who, coalesce(r.root, e.principal, e.user_name) AS person, e.source, e.name,
           e.error_code AS code, CASE WHEN strpos(e.error_message, '{_ENCODED}') > 0
               THEN substr(e.error_message, 1, strpos(e.error_message, '{_ENCODED}') + {len(_ENCODED) - 1}) || ' ...'
               ELSE e.error_message END AS message,
           e.address, array_agg(CAST(e.event_time AS VARCHAR) || '|' || e.event_id) AS calls
    FROM events e LEFT JOIN roots r ON r.new_key = e.access_key WHERE {REFUSED} GROUP BY 1, 2, 3, 4, 5, 6, 7"""


def _calls(told: Sequence[str]) -> list[tuple[datetime, str]]:
    """(time, event) of each, by time."""
    return sorted((datetime.fromisoformat(at), event) for at, _, event in (t.partition("|") for t in told))


def refused(scope: Scope, told: Rows) -> Rows:
    """Refused calls with the layer that AWS's text names, and the statement that the estate's decision rests on."""
    decided = _decided_refusals(scope)
    rows: Rows = []
    for row in told:
        # Calls with one text may be decided differently: by an address that another event tells, by what the session carries.
        by_answer: dict[str, tuple[dict[str, Any], list[tuple[datetime, str]]]] = {}
        for call in _calls(row.pop("calls")):
            answer = decided.get(call[1], {})
            by_answer.setdefault(repr(answer), (answer, []))[1].append(call)
        for name, (answer, calls) in by_answer.items():
            rows.append(
                {
                    **row, "address": answer.get("address") or row["address"], "answered": name, "answer": answer, "events": len(calls),
                    "first": calls[0][0], "last": calls[-1][0], "example": calls[0][1], "ids": [c[1] for c in calls],
                }
            )  # fmt: skip
    rows.sort(key=lambda r: (r["first"], r["example"]))
    found = []
    for row in _by_network(scope, rows, ("who", "person", "source", "name", "code", "message", "answered"), sums=("events", "ids")):
        said = read_denial(row["message"])
        row["action"], row["resource"] = said.action, said.resource
        row["said_layer"], row["said_kind"], row["policy_arn"], row["says"] = said.layer, said.kind, said.policy, _says(said)
        row["event_ids"] = row.pop("ids")
        answer = next(r["answer"] for r in rows if r["answered"] == row["answered"])
        del row["answered"]
        if scope.estate is not None:
            row |= {k: v for k, v in answer.items() if k != "address"} or {"decided": "not decided"}
        found.append(row)
    return sorted(found, key=lambda r: (-r["events"], r["who"], r["name"], r["example"]))


def _says(said: Denial) -> str:
    if said.encoded:
        return "an encoded message, which sts:DecodeAuthorizationMessage reads"
    if said.layer is None:
        return "no reason in AWS's text (another account, or a service that doesn't say: G-21)"
    return f"{'a Deny in' if said.kind == 'explicit_deny' else 'no Allow in'} {said.layer.replace('_', ' ')}"


def _decided_refusals(scope: Scope) -> dict[str, dict[str, Any]]:
    """event → what the estate decides of it, with the statement, the context that was known and what was assumed."""
    if scope.estate is None:
        return {}
    replayer = Replayer(scope.estate)
    found = {}
    for examples, row in scope.way.refused(scope.connection, scope.estate):
        asked = asked_of(row, scope.estate)
        if asked.request is None:
            answer: dict[str, Any] = {"decided": f"not decided: {asked.why}"}
        else:
            answer = _explained(replayer, row, asked, replayer.decide(row, asked))
        answer["address"] = row.address
        for event in examples:
            found[event] = answer
    return found


def _explained(replayer: Replayer, row: Row, asked: Asked, decision: Decision) -> dict[str, Any]:
    assert asked.request is not None
    because = decision.because[0] if decision.because else None
    keys = replayer.keys(asked)
    answer: dict[str, Any] = {
        "decided": {"allow": "allowed"}.get(decision.outcome, decision.outcome.replace("_", " ")),
        "decided_layer": decision.layer,
        "policy": because.policy if because else None, "statement": because.statement if because else None, "sid": because.sid if because else None,
        "place": str(because.origin or because.place or "") if because else None,
        "known_context": {k: decision.context.get(k) for k in sorted(keys) if is_known(k, row)},
        "assumed": [f"{k}: {KNOWN[k][1]}" for k in sorted(keys) if k in KNOWN and "taken as" in KNOWN[k][1]],
        "unknown_context": [k for k in sorted(keys) if not is_known(k, row)],
    }  # fmt: skip
    if decision.outcome == "unknown":
        answer["decided"] = "not known: " + "; ".join(replayer.what_is_missing(row, asked, decision))
        return answer
    if not decision.allowed:
        # It was refused either way; another Deny, which isn't known to hold, may have been the one that came first (G-21).
        answer["or_a_deny_in"] = replayer.may_deny(row, asked, decision)
    if not decision.allowed and because is not None and because.statement is None:
        answer["nearest"] = next((str(m) for m in decision.misses if m.condition and m.layer == decision.layer), None)
    return answer


# --- sign-ins and emergencies --------------------------------------------------------------------------------------------


WITHOUT_MFA = """
    SELECT coalesce(principal, user_name, principal_id) AS who, identity_type AS type, account, address, count(*) AS events,
           min(event_time) AS first, max(event_time) AS last, min_by(event_id, (event_time, event_id)) AS example
    FROM events WHERE source = 'signin.amazonaws.com' AND name = 'ConsoleLogin' AND outcome = 'Success' AND NOT coalesce(mfa_used, false)
        AND identity_type IN ('IAMUser', 'Root') GROUP BY 1, 2, 3, 4"""


def sign_ins_without_mfa(scope: Scope, rows: Rows) -> Rows:
    """Console sign-ins that succeeded without a second factor. Federated ones carry none (E-09), and are told apart."""
    rows = _by_time(rows)
    for row in rows:
        row["network"] = scope.networks.label(row["address"])
    return rows


FAILED_SIGN_INS = """
    SELECT coalesce(principal, user_name, principal_id, '?') AS who, identity_type AS type, account, region, vpc_endpoint, address,
           error_message AS message, count(*) AS events, min(event_time) AS first, max(event_time) AS last,
           min_by(event_id, (event_time, event_id)) AS example
    FROM events WHERE source = 'signin.amazonaws.com' AND name = 'ConsoleLogin' AND outcome = 'Failure' GROUP BY 1, 2, 3, 4, 5, 6, 7"""


def failed_sign_ins(scope: Scope, rows: Rows) -> Rows:
    """Sign-ins that failed. AWS's text doesn't say why (G-03); with the estate of the time it is said whether its sign-in policy refused them (M)."""
    rows = _by_time(rows)
    for row in rows:
        row["network"] = scope.networks.label(row["address"])
        endpoint, region = row.pop("vpc_endpoint"), row.pop("region")
        if scope.estate is not None:
            who = None if row["who"] in ("?", "HIDDEN_DUE_TO_SECURITY_REASONS") else row["who"]
            row["decided"] = why_failed(scope.estate, row["account"], who, row["address"], endpoint, region)
    return rows


EMERGENCIES = """
    SELECT CASE WHEN e.identity_type = 'Root' THEN 'root of ' || coalesce(e.principal_account, e.account)
                WHEN e.identity_type = 'AssumedRole' THEN coalesce(e.issuer, e.principal) ELSE coalesce(e.principal, e.user_name) END AS what,
           coalesce(r.root, e.principal, e.user_name) AS who, e.account, e.address, count(*) AS events,
           array_agg(DISTINCT e.name) AS did, min(e.event_time) AS first, max(e.event_time) AS last,
           min_by(e.event_id, (e.event_time, e.event_id)) AS example
    FROM events e LEFT JOIN roots r ON r.new_key = e.access_key
    WHERE e.identity_type IN ('Root', 'IAMUser', 'AssumedRole') GROUP BY 1, 2, 3, 4"""


def emergencies(scope: Scope, rows: Rows) -> Rows:
    """Use of break-glass users and roles, and of the root user."""
    found = []
    for row in _by_time(rows):
        name = str(row["what"] or "").rpartition("/")[2]
        if str(row["what"]).startswith("root of") or any(fnmatchcase(name, pattern) for pattern in scope.emergency):
            row["network"] = scope.networks.label(row["address"])
            row["did"] = ", ".join(sorted(row["did"])[:8])
            found.append(row)
    return found


_CHANGING = " OR ".join(
    f"(e.source = '{source}' AND e.name IN ({', '.join(repr(n) for n in names)}))" for source, names in RESTRICTING.items()
)
CHANGES = f"""
    SELECT e.event_time AS "at", coalesce(r.root, e.principal, e.user_name) AS who, e.principal AS "as", e.account, e.name,
           coalesce(e.on_user, e.on_role, e.on_group, e.serial_number, e.policy_name, e.policy_arn, e.resource) AS "on",
           coalesce(e.policy_arn, e.policy_name) AS policy, e.address, e.error_code AS error, e.event_id AS example
    FROM events e LEFT JOIN roots r ON r.new_key = e.access_key WHERE {_CHANGING}"""


def changes(scope: Scope, rows: Rows) -> Rows:
    """Changes to what restricts: policies, trust, membership, MFA devices, keys, sign-in, the trail itself (G-10, F-11)."""
    rows = sorted(rows, key=lambda r: (r["at"], r["example"]))
    for row in rows:
        row["network"] = scope.networks.label(row["address"])
    return rows


# --- who and where -------------------------------------------------------------------------------------------------------


AT_WORK = " UNION ".join(
    f"SELECT {column} AS arn FROM events WHERE {column} IS NOT NULL AND (error_code IS NULL OR name = 'ConsoleLogin')"
    for column in ("principal", "issuer", "role_arn")
)


def never_used(scope: Scope, at_work: Rows) -> Rows:
    """Users and roles of the estate that the trail doesn't show at work: in this time, not for ever."""
    assert scope.estate is not None
    seen = {row["arn"] for row in at_work}
    rows: Rows = []
    for account in scope.estate.accounts:
        rows += [{"kind": "user", "arn": u.arn, "account": account.id} for u in account.users if u.arn not in seen]
        rows += [
            {"kind": "role", "arn": r.arn, "account": account.id} for r in account.roles if r.arn not in seen and not r.is_service_linked
        ]
    return rows


ADDRESSES = """
    SELECT e.address, count(*) AS events, array_agg(DISTINCT coalesce(r.root, e.switch_from, e.principal, e.user_name)) AS who,
           min(e.event_time) AS first, max(e.event_time) AS last, count(e.vpc_endpoint) AS by_endpoint
    FROM events e LEFT JOIN roots r ON r.new_key = e.access_key GROUP BY 1"""


def addresses(scope: Scope, rows: Rows) -> Rows:
    """Where calls come from: by named network, and what is in none."""
    found: dict[str, dict[str, Any]] = {}
    shown: dict[str, Counter[str]] = {}
    people: dict[str, set[str]] = {}
    for row in rows:
        label = scope.networks.label(row["address"])
        if row["by_endpoint"] == row["events"]:
            label = "VPC endpoint"
        entry = found.setdefault(label, {"network": label, "events": 0, "first": row["first"], "last": row["last"]})
        entry["events"] += row["events"]
        entry["first"], entry["last"] = min(entry["first"], row["first"]), max(entry["last"], row["last"])
        shown.setdefault(label, Counter())[row["address"] or "none"] += row["events"]
        people.setdefault(label, set()).update(w for w in row["who"] if w)
    for label, entry in found.items():
        entry["addresses"] = len(shown[label])
        entry["most"] = ", ".join(f"{a} ({n:,})" for a, n in sorted(shown[label].items(), key=lambda i: (-i[1], i[0]))[:3])
        entry["people"] = len(people[label])
    return sorted(found.values(), key=lambda e: (-e["events"], e["network"]))


QUESTIONS: Mapping[str, Question] = {
    "sessions": Question("Who took which role, from where", SESSIONS, sessions),
    "left-network": Question("Sessions that left the network after the switch (F-01)", LEFT_NETWORK, left_network, is_finding=True),
    "refused": Question("Refused calls, and which layer refused them", REFUSED_CALLS, refused),
    "sign-ins-without-mfa": Question("Sign-ins without a second factor", WITHOUT_MFA, sign_ins_without_mfa, is_finding=True),
    "failed-sign-ins": Question("Sign-ins that failed", FAILED_SIGN_INS, failed_sign_ins),
    "emergencies": Question("Use of break-glass and root", EMERGENCIES, emergencies, is_finding=True),
    "changes": Question("Changes to what restricts", CHANGES, changes, is_finding=True),
    "never-used": Question("Users and roles never seen at work", AT_WORK, never_used, needs_estate=True),
    "addresses": Question("Where calls come from", ADDRESSES, addresses),
}
"""The questions by the name that ``--question`` takes."""
