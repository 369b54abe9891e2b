"""Trust policies: whom they let in besides those that were meant (F-09, F-12, F-13, F-14, A-31, A-32, B-09, B-10)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sekisho.decision import Request
from sekisho.errors import Place
from sekisho.estate import Role
from sekisho.policy.matching import ready_policy
from sekisho.proof.findings.finding import Finding, Severity
from sekisho.proof.findings.ground import (
    CONSOLE_MFA,
    SESSION_SIGNED,
    STRANGER,
    Ground,
    Kin,
    Way,
    block_of,
    closed,
    every_place,
    is_restricted,
    places,
    public,
    session_arn,
)  # fmt: skip
from sekisho.proof.prove import region_where
from sekisho.proof.reach import ASSUME
from sekisho.proof.region import Region
from sekisho.proof.requests import possible_requests

FAR = "999999999999"
"""An account that nobody in the estate knows."""
_BARE_ID = re.compile(r"A(IDA|ROA)[A-Z0-9]+")


def find(ground: Ground) -> Iterator[Finding]:
    broad = {kin.first.arn: _leaves(ground, kin) for kin in ground.kins}
    for role in ground.roles:
        anyone = _anyone(ground, role)
        if anyone is not None:
            yield anyone
        else:
            yield from _other_accounts(ground, role)
            yield from _whole_account(ground, role, broad)
        yield from _services_shut_out(ground, role)
        yield from _second_allow(ground, role)
        yield from _orphans(ground, role)
    yield from _any_role(ground, broad)
    yield from _hops(ground)


def _stranger(account: str, partition: str = "aws") -> str:
    return f"arn:{partition}:iam::{account}:user/{STRANGER}"


def _anyone(ground: Ground, role: Role) -> Finding | None:
    """A-32: a principal of no account that the policy names gets in."""
    proof = ground.trusted(_stranger(FAR), role)
    region = proof.allowed & possible_requests(proof.allowed.space, "user")
    if not region:
        return None
    whole = possible_requests(region.space, "user") <= proof.allowed
    # In the role's own account, a star lets in who has no leave at all (D-21): its own sessions show it.
    asked = ground.ask(session_arn(role, "anyone"), ASSUME, role.arn)
    witness = ground.shown(asked, asked.proof.allowed, SESSION_SIGNED)
    if witness is None:
        witness = ground.request(Request(_stranger(FAR), ASSUME, role.arn), region, CONSOLE_MFA)
    keys = tuple(k for k in region.narrowed(possible_requests(region.space, "user")).keys if not k.startswith("*"))
    key = "A-32" if whole else "A-32.narrowed"
    severity: Severity = "critical" if whole else "high"
    return ground.finding("A-32", severity, key, role.arn, witness, role=ground.words.role(role.arn), layer="resource", keys=keys)


def _other_accounts(ground: Ground, role: Role) -> Iterator[Finding]:
    """B-10: accounts outside the estate are trusted; who there may come in, only they know."""
    accounts: dict[str, str] = {}
    for statement in role.trust.statements:
        if statement.principal is not None and not statement.denies:
            for entry in statement.principal.aws:
                parts = entry.split(":", 5)
                account = parts[4] if len(parts) == 6 else entry if entry.isdigit() else ""
                if account and ground.estate.account(account) is None:
                    accounts.setdefault(account, entry if ":user/" in entry or ":role/" in entry else _stranger(account, role.arn.split(":")[1]))
    for account, principal in accounts.items():
        proof = ground.trusted(principal, role)
        region = proof.allowed & possible_requests(proof.allowed.space, "user")
        if not region:
            continue
        witness = ground.request(Request(principal, ASSUME, role.arn), region, None)
        limited = "sts:externalid" in region.keys or bool(closed(region))
        yield ground.finding(
            "B-10", "low" if limited else "medium", "B-10", role.arn, witness, statement=_line_naming(ground, role, account),
            role=ground.words.role(role.arn), account=account,
        )  # fmt: skip


def _line_naming(ground: Ground, role: Role, text: str) -> Place | None:
    for ready in ready_policy(role.trust, ground.settings).statements:
        principal = ready.statement.principal
        if principal is not None and any(text in e for e in (*principal.aws, *principal.service)):
            return ground.line(ready)
    return None


def _leaves(ground: Ground, kin: Kin) -> bool:
    """Whether a user's own policies let it assume roles that the estate doesn't have: leave for any role."""
    accounts = {r.arn.split(":")[4] for r in ground.roles} or {FAR}
    partition = kin.first.arn.split(":")[1]
    return any(
        bool((p := ground.permitted(kin.first.arn, f"arn:{partition}:iam::{a}:role/{STRANGER}")).allowed & p.possible) for a in sorted(accounts)[:1]
    ) and bool((p := ground.permitted(kin.first.arn, f"arn:{partition}:iam::{FAR}:role/{STRANGER}")).allowed & p.possible)


def _whole_account(ground: Ground, role: Role, broad: dict[str, bool]) -> Iterator[Finding]:
    """F-09: anyone of an account of people is trusted, so that leave to assume roles is all it takes."""
    for account in ground.jumps:
        proof = ground.trusted(_stranger(account.id, role.arn.split(":")[1]), role)
        if not proof.allowed & proof.possible:
            continue
        ways = [w for w in ground.to_user(ground.ways.get(role.arn, ())) if len(w.row.hops) == 1]
        mine = [(w, p) for w in ways for p in w.principals if p.split(":")[4] == account.id]
        by_any = [(w, p) for w, p in mine if broad.get(ground.kin_of[p])]
        label = ground.words.role(role.arn)
        for way, principal in (by_any or mine)[:1]:
            witness = ground.switch(way, principal=principal)
            who = ground.names(p for _, p in (by_any or mine))
            severity: Severity = "high" if by_any else "low"
            key = "F-09.both" if by_any else "F-09.account"
            yield ground.finding("F-09", severity, key, role.arn, witness, role=label, who=who, account=account.id, layer="resource")


def _any_role(ground: Ground, broad: dict[str, bool]) -> Iterator[Finding]:
    """F-09, the other half: leave to assume any role, so that each trust policy, anybody's, decides alone."""
    seen: set[object] = set()
    kins = [k for k in ground.kins if broad.get(k.first.arn)]
    who = ground.names(u.arn for k in kins for u in k.users)
    for kin in kins:
        for way in ground.ways_of(kin.first.arn):
            witness = ground.switch(way, principal=kin.first.arn) if len(way.row.hops) == 1 else None
            if witness is not None:
                finding = ground.finding("F-09", "medium", "F-09.any-role", kin.first.arn, witness, who=who, layer="identity")
                if finding.statement not in seen:
                    seen.add(finding.statement)
                    yield finding
                break


def _services_shut_out(ground: Ground, role: Role) -> Iterator[Finding]:
    """F-14: the trust policy lets a service in, and its own Deny shuts it out."""
    services = {s for st in role.trust.statements if st.principal and not st.denies for s in st.principal.service}
    for service in sorted(services):
        asked = ground.ask(service, ASSUME, role.arn)
        possible = possible_requests(asked.proof.allowed.space, "service")
        absent = possible & asked.proof.allowed.space.where("aws:sourceip", lambda a: a.kind in ("absent", "unseen"))
        if asked.proof.allowed & absent or asked.proof.unknown & absent:
            continue
        witness = ground.request(asked.request, absent, None)
        if witness is not None and ground.decide(witness).outcome == "explicit_deny":
            yield ground.finding("F-14", "medium", "F-14", role.arn, witness, role=ground.words.role(role.arn), service=service)


def _second_allow(ground: Ground, role: Role) -> Iterator[Finding]:
    """F-13 (D-28): one Allow asks for the network, and another of the same trust policy lets the same caller in from elsewhere."""
    allows = [s for s in ready_policy(role.trust, ground.settings).statements if not s.denies]
    if len(allows) < 2:
        return
    limits = [(s, r) for s in allows if s.conditions and is_restricted(r := region_where(block_of(s)))]
    if not limits:
        return
    for way in ground.ways.get(role.arn, ()):
        for limiting, region in limits:
            outside = (public(every_place(region)) - places(region)) & way.region
            if outside and not closed(way.region):
                witness = ground.switch(way, outside)
                if witness is not None and not any(b.block is limiting.statement for b in ground.decide(witness).because):
                    yield ground.finding(
                        "F-13", "high", "F-13", role.arn, witness, role=ground.words.role(role.arn), who=ground.names(way.principals),
                        layer="resource", number=limiting.statement.index,
                    )  # fmt: skip
                    return


def _orphans(ground: Ground, role: Role) -> Iterator[Finding]:
    """A-31: names that nobody has any more: a bare id of a deleted user or role, or the ARN of one that isn't there."""
    known = {u.id for a in ground.estate.accounts for u in a.users} | {r.id for a in ground.estate.accounts for r in a.roles}
    for ready in ready_policy(role.trust, ground.settings).statements:
        element = ready.statement.principal
        for entry in element.aws if element is not None else ():
            if _BARE_ID.fullmatch(entry):
                if entry not in known:
                    yield ground.finding(
                        "A-31", "medium", "A-31.id", role.arn, statement=ground.line(ready), role=ground.words.role(role.arn), entry=entry
                    )
            elif ":user/" in entry or ":role/" in entry:
                account = ground.estate.account(entry.split(":")[4])
                gone = account is not None and ground.estate.user(entry) is None and ground.estate.role(entry) is None
                if gone and account is not None and not any(what in ("users", "roles", "account") for what, _ in account.unread):
                    yield ground.finding(
                        "A-31", "medium", "A-31.arn", role.arn, statement=ground.line(ready), role=ground.words.role(role.arn), entry=entry
                    )


def _hops(ground: Ground) -> Iterator[Finding]:
    """F-12: by way of another role, from where the direct way is closed; B-09: a chain is the only way."""
    found: dict[tuple[str, tuple[str, ...]], tuple[Way, Request, list[str]]] = {}
    for kin in ground.kins:
        mine = ground.ways_of(kin.first.arn)
        for way in mine:
            row = way.row
            if len(row.hops) < 2 or row.role in row.hops[:-1] or not way.region:
                continue
            direct = [w for w in mine if w.row.hops == (row.role,)]
            outside: Region | None = None
            for before in direct or [w for w in mine if w.row.hops == row.hops[:1]]:
                outside = closed(before.region) if outside is None else outside & closed(before.region)
            witness = ground.switch(way, outside, principal=kin.first.arn) if outside else None
            key = ("F-12", row.hops)
            if witness is None and not direct:
                witness, key = ground.switch(way, principal=kin.first.arn), ("B-09", row.hops)
            if witness is not None:
                found.setdefault(key, (way, witness, []))[2].extend(u.arn for u in kin.users)
    for (rule, hops), (way, witness, users) in found.items():
        severity: Severity = "high" if rule == "F-12" else "low"
        yield ground.finding(
            rule, severity, rule, way.row.role, witness, layer="resource", who=ground.names(users), role=ground.words.role(way.row.role),
            hops=ground.role_names(hops[:-1]),
        )  # fmt: skip
