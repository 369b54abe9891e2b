"""What is written: old samples known by their shape, entries that can't be read or never match, sizes, and what isn't known
(C-17, F-07, F-18, A.4, field.md 0 and 3)."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterator, Sequence

from sekisho.decision import Request
from sekisho.errors import Place
from sekisho.estate import Role
from sekisho.language import Text, reason
from sekisho.policy import Policy
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.networks import is_never_public
from sekisho.policy.operators import Span
from sekisho.policy.quotas import QUOTAS, limit, policy_size
from sekisho.proof.findings.finding import Finding
from sekisho.proof.findings.ground import (
    SESSION_SIGNED,
    USER_SIGNED,
    Asked,
    Ground,
    Kin,
    Signed,
    block_of,
)  # fmt: skip
from sekisho.proof.prove import region_where
from sekisho.proof.reach import ASSUME
from sekisho.proof.requests import AGE, ISSUED, MFA, SOURCE_IP, VPC_KEYS, possible_requests

_IN_IAM = ("iam:ListUsers", "iam:ChangePassword", "iam:GetUser", "iam:EnableMFADevice", "iam:ListRoles")
NEARLY_FULL = 25
"""Users that still fit: below it the gauge is shown."""


def find(ground: Ground) -> Iterator[Finding]:
    seen: set[tuple[str, int]] = set()
    for ready, holders in ground.statements:
        for sample in _samples(ground, ready, holders):
            # One policy that says it over and over is told of once.
            if (sample.key, id(ready.policy)) not in seen:
                seen.add((sample.key, id(ready.policy)))
                yield sample
        yield from _unreadable(ground, ready, holders)
        yield from _never_public(ground, ready, holders)
        yield from _never_holds(ground, ready, holders)
    yield from _old_versions(ground)
    yield from _regions(ground)
    yield from _sizes(ground)
    yield from _unknown(ground)


# --- AWS's IP deny, generation by generation -------------------------------------------------------------------------


def _samples(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Iterator[Finding]:
    """A Deny outside networks in a shape that AWS or others have published (field.md 0, row 4; 3, row 14)."""
    keys = {c.key: c for c in ready.conditions}
    address = keys.get(SOURCE_IP)
    if not ready.denies or ready.policy.kind.names_principals or address is None or address.row is None or not address.row.negated:
        return
    guard = keys.get("aws:viaawsservice")
    line = ground.line(ready)
    exempt = ready.statement.not_actions is not None and not ready.about_action("sts:assumerole")
    if exempt:
        yield ground.finding("T-01", "medium", "T-01.exempt", holders[0], statement=line)
    elif guard is None and not {"aws:sourcevpc", "aws:sourcevpce", "aws:principalisawsservice"} & keys.keys():
        yield ground.finding("T-01", "info", "T-01.unguarded", holders[0], statement=line)
    if "aws:useragent" in keys:
        yield ground.finding("T-01", "medium", "T-01.cloudshell", holders[0], statement=line)
    if ready.statement.not_actions is not None and any("cloudformation" in a.lower() for a in ready.statement.not_actions):
        yield ground.finding("T-01", "low", "T-01.services", holders[0], statement=line)


# --- entries -----------------------------------------------------------------------------------------------------------


def _unreadable(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Iterator[Finding]:
    """C-17: an entry that is no address matches nothing; the rest of its list still counts."""
    for condition in ready.conditions:
        if condition.unreadable:
            severity = "high" if condition.row is not None and condition.row.family == "ip" else "medium"
            yield ground.finding(
                "C-17", severity, "C-17", holders[0], statement=ground.line(ready), operator=condition.condition.operator,  # type: ignore[arg-type]
                name=condition.condition.key, values=condition.unreadable,
            )  # fmt: skip


def _never_public(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Iterator[Finding]:
    """F-07: networks that aws:SourceIp never holds; with nothing else in the list, a Deny outside it is a Deny everywhere."""
    for condition in ready.conditions:
        if condition.key != SOURCE_IP or condition.row is None or condition.row.family != "ip":
            continue
        wants = [w for w in condition.wants or () if isinstance(w, Span)]
        dead = tuple(str(v) for v in condition.condition.values if _is_dead(v))
        if not dead:
            continue
        alone = len(dead) == len(wants)
        everywhere = alone and ready.denies and condition.row.negated
        witness = None
        if everywhere:
            witness = _refused_by(ground, ready, holders)
        key = "F-07.lock-out" if everywhere else "F-07.alone" if alone else "F-07"
        severity = "high" if everywhere else "medium" if alone else "low"
        yield ground.finding("F-07", severity, key, holders[0], witness, statement=ground.line(ready), values=dead)  # type: ignore[arg-type]


def _is_dead(value: str) -> bool:
    try:
        return is_never_public(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _refused_by(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Request | None:
    """A request that the statement refuses, from some address."""
    for asked, signed in askers(ground, holders):
        if not ready.about_action(asked.request.action.lower()):
            continue
        for kind in signed:
            region = asked.refused(kind) & asked.proof.allowed.space.where(SOURCE_IP, lambda a: a.kind == "sent")
            witness = ground.request(asked.request, region, kind)
            if witness is not None and any(b.block is ready.statement for b in ground.decide(witness).because):
                return witness
    return None


def askers(ground: Ground, holders: Sequence[str]) -> Iterator[tuple[Asked, tuple[Signed, ...]]]:
    """Questions of those who are under a policy."""
    held = set(holders)
    for kin in ground.kins:
        account_wide = f"arn:aws:iam::{kin.account.id}:root" in held
        if account_wide or held & ({g.arn for g in kin.account.groups if g.name in kin.first.groups} | {u.arn for u in kin.users}):
            for asked in ground.own(kin):
                yield asked, USER_SIGNED
    for role in ground.roles:
        if role.arn in held:
            for asked in ground.session(role):
                yield asked, SESSION_SIGNED
            for kin in ground.kins:
                yield ground.ask(kin.first.arn, ASSUME, role.arn), USER_SIGNED


def _never_holds(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Iterator[Finding]:
    """T-02: no request that AWS sends meets the conditions: the statement is dead, and a dead Deny denies nothing."""
    if not _may_contradict(ready) or any(c.unknown or c.also for c in ready.conditions):
        return
    region = region_where(block_of(ready))
    if not region.meets(possible_requests(region.space, "user")):
        severity = "high" if ready.denies else "low"
        yield ground.finding(
            "T-02", severity, f"T-02.{ready.statement.effect.lower()}", holders[0], statement=ground.line(ready),  # type: ignore[arg-type]
            conditions=tuple(f"{c.condition.operator} {c.condition.key}" for c in ready.conditions),
        )  # fmt: skip


def _may_contradict(ready: ReadyStatement) -> bool:
    """Whether it is worth proving: one key twice, keys that exclude or imply each other, presence asked, or nothing left of a list."""
    keys = [c.key for c in ready.conditions]
    related = {SOURCE_IP, *VPC_KEYS} if SOURCE_IP in keys else {MFA, AGE, ISSUED}
    alone = any(c.row is None or (c.wants == () and not c.row.negated) for c in ready.conditions)
    return alone or len(set(keys)) < len(keys) or len(related.intersection(keys)) > 1


def _old_versions(ground: Ground) -> Iterator[Finding]:
    """T-03 (A-02, A-03, B-10): a document of 2008, or without a version: AWS saves no such identity policy any more, and knows no variables in it."""
    for policy, holders in ground.documents:
        if policy.version == "2012-10-17":
            continue
        variables = tuple(dict.fromkeys(_VARIABLE.findall(json.dumps(policy.document))))
        if variables:
            place = _place_of(ground, policy)
            yield ground.finding("T-03", "high", "T-03.variables", holders[0], statement=place, name=policy.name, values=variables)
        elif not policy.kind.names_principals:
            yield ground.finding("T-03", "info", "T-03", holders[0], statement=_place_of(ground, policy), name=policy.name)


_VARIABLE = re.compile(r"\$\{[A-Za-z][^}]*\}")


# --- Regions -----------------------------------------------------------------------------------------------------------


def _regions(ground: Ground) -> Iterator[Finding]:
    """F-18: a Deny outside Regions of one's own that IAM's and the global STS's only Region is not among."""
    for ready, holders in ground.statements:
        if not ready.denies or not ground.asks_about(ready, ("aws:requestedregion",)) or ready.policy.kind.names_principals:
            continue
        if not ready.about_action("iam:listusers"):
            continue
        for kin in ground.kins:
            witness = _refused_in_iam(ground, kin, ready)
            if witness is not None:
                yield ground.finding("F-18", "medium", "F-18", holders[0], witness, statement=ground.line(ready), action=witness.action)
                break


def _refused_in_iam(ground: Ground, kin: Kin, ready: ReadyStatement) -> Request | None:
    """A call of IAM that a user is granted, and that the statement refuses whatever else the request has."""
    for policy in ground.identity(kin.first.arn):
        for allow in ready_policy(policy, ground.settings).statements:
            action = next((a for a in _IN_IAM if not allow.denies and allow.about_action(a.lower()) and ready.about_action(a.lower())), None)
            if action is None:
                continue
            asked = ground.ask(kin.first.arn, action, ground.resource(allow, kin.first))
            if asked.any(USER_SIGNED):
                continue
            for kind in USER_SIGNED:
                witness = ground.request(asked.request, asked.refused(kind), kind)
                if witness is not None and any(b.block is ready.statement for b in ground.decide(witness).because):
                    return witness
    return None


# --- sizes -------------------------------------------------------------------------------------------------------------


def _sizes(ground: Ground) -> Iterator[Finding]:
    for account in ground.estate.accounts:
        for role in account.roles:
            if not role.is_service_linked:
                yield from _trust_room(ground, role)
        counts = (("users", len(account.users)), ("groups", len(account.groups)), ("roles", len(account.roles)))
        for name, count in counts:
            most = limit(name, ground.settings)
            if count * 10 >= most * 9:
                yield ground.finding("Q-01", "low", f"Q-01.{name}", f"arn:aws:iam::{account.id}:root", count=count, most=most)
    for policy, holders in ground.documents:
        if policy.arn and ":policy/" in policy.arn and policy.arn.startswith("arn:aws") and ":iam:" in policy.arn:
            size, most = policy_size(policy.document, ground.settings), limit("managed_policy_size", ground.settings)
            if size * 10 >= most * 9:
                place = _place_of(ground, policy)
                yield ground.finding("Q-01", "low", "Q-01.policy", holders[0], statement=place, name=policy.name, size=size, most=most)


def _place_of(ground: Ground, policy: Policy) -> Place | None:
    first = policy.statements[0] if policy.statements else None
    return (first.origin or policy.place_of(first)) if first else None


def _trust_room(ground: Ground, role: Role) -> Iterator[Finding]:
    """How many more users fit a trust policy that names them one by one: the size grows by their names wherever they are listed."""
    lists = [[e for e in s.principal.aws if ":user/" in e] for s in role.trust.statements if s.principal is not None]
    lists = [names for names in lists if names]
    if not lists:
        return
    longest = max(len(e) for names in lists for e in names)
    size, most = policy_size(role.trust.document, ground.settings), limit("trust_policy_size", ground.settings)
    brackets = sum(2 for names in lists if len(names) == 1)
    room = max(0, (most - size - brackets) // (len(lists) * (longest + 3)))
    if room < NEARLY_FULL:
        yield ground.finding(
            "Q-01", "low" if room < 3 else "info", "Q-01.trust", role.arn, statement=_place_of(ground, role.trust),
            role=ground.words.role(role.arn), room=room, size=size, most=most, raised=QUOTAS["trust_policy_size"].most or most,
        )  # fmt: skip


# --- what isn't known --------------------------------------------------------------------------------------------------


def _unknown(ground: Ground) -> Iterator[Finding]:
    """U-01: what couldn't be read or understood; no answer that needs it is given as safe."""
    told: set[str] = set()
    for account in ground.estate.accounts:
        if account.unread:
            reasons = tuple(f"{what}: {why}" for what, why in account.unread[:5])
            told.update(why for _, why in account.unread)
            yield ground.finding("U-01", "medium", "U-01.unread", f"arn:aws:iam::{account.id}:root", reasons=said(reasons), count=len(account.unread))
    for role, ways in ground.ways.items():
        for way in ways:
            reasons = tuple(dict.fromkeys(way.row.reasons))
            if way.row.unknown and not _told(told, reasons):
                told.update(reasons)
                witness = next((w for k in way.row.start if (w := ground.request(ground.call(way), way.row.edge.unsure, None))), None)
                yield ground.finding(
                    "U-01", "medium", "U-01.switch", role, witness, role=ground.words.role(role), who=ground.names(way.principals),
                    reasons=said(reasons),
                )  # fmt: skip
                break
    for arn, who in [*((k.first.arn, ground.names(u.arn for u in k.users)) for k in ground.kins),
                     *((r.arn, (ground.words.role(r.arn),)) for r in ground.roles)]:  # fmt: skip
        reasons = tuple(why for layer, why in ground.layers(arn).unknown if layer in ("identity", "boundary"))
        if reasons and not _told(told, reasons):
            told.update(reasons)
            yield ground.finding("U-01", "medium", "U-01.document", arn, who=who, reasons=said(reasons))
    for subject, asked in _all_asked(ground):
        reasons = asked.proof.reasons
        if asked.proof.unknown & asked.proof.possible and not _told(told, reasons):
            told.update(reasons)
            witness = ground.request(asked.request, asked.proof.unknown & asked.proof.possible, None)
            yield ground.finding("U-01", "medium", "U-01.call", subject, witness, action=asked.request.action, reasons=said(reasons))


def said(reasons: Sequence[str]) -> tuple[Text, ...]:
    """Reasons for any language."""
    return tuple(map(reason, reasons))


def _told(told: set[str], reasons: Sequence[str]) -> bool:
    return bool(reasons) and all(any(r == t or t in r for t in told) for r in reasons)


def _all_asked(ground: Ground) -> Iterator[tuple[str, Asked]]:
    for kin in ground.kins:
        for asked in ground.own(kin):
            yield kin.first.arn, asked
    for role in ground.roles:
        for asked in ground.session(role):
            yield role.arn, asked

