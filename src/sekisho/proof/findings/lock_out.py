"""Lock-out (F-16): whom no request lets in, and what nobody could mend once the networks are gone."""

from __future__ import annotations

from collections.abc import Iterator

from sekisho.decision import Request
from sekisho.policy.matching import ready_policy
from sekisho.proof.findings.finding import Finding
from sekisho.proof.findings.ground import (
    CONSOLE_MFA,
    SESSION_SIGNED,
    USER_SIGNED,
    Asked,
    Ground,
    Kin,
    Signed,
    closed,
    is_restricted,
    sendable,
    session_arn,
)  # fmt: skip
from sekisho.proof.findings.jump import restricted
from sekisho.proof.probe import action_of
from sekisho.proof.reach import ASSUME
from sekisho.proof.region import Region
from sekisho.proof.words import NETWORK_KEYS

_OWN_CHANGES = (("iam:PutGroupPolicy", "group"), ("iam:PutRolePolicy", "role"))
"""What mends an account's policies from within it, and what it is asked of."""


def find(ground: Ground) -> Iterator[Finding]:
    locked = [kin for kin in ground.kins if _is_locked(ground, kin)]
    for kin in locked:
        asked = ground.own(kin)[0]
        witness = ground.request(asked.request, sendable(asked.refused(CONSOLE_MFA)), CONSOLE_MFA)
        blocks = [r.block for r in ground.decide(witness).because if r.block is not None and r.block.denies] if witness is not None else []
        if not any(c.key.lower() in NETWORK_KEYS for block in blocks for c in block.conditions):
            # What a Deny takes away for other reasons, or an Allow gives only by way of a service, locks nobody out of the rest.
            continue
        who = ground.names(u.arn for u in kin.users)
        yield ground.finding("F-16", "high", "F-16.locked", kin.first.arn, witness, who=who, action=asked.request.action)
    yield from _no_way_back(ground)


def _is_locked(ground: Ground, kin: Kin) -> bool:
    """Whether a user is allowed things by some statements, and by all of them together nothing, from anywhere."""
    own = ground.own(kin)
    allows = any(not s.denies and action_of(s) for p in ground.identity(kin.first.arn) for s in ready_policy(p, ground.settings).statements)
    return bool(own) and allows and not any(sendable(a.any(USER_SIGNED)) or a.proof.unknown for a in own)


def _no_way_back(ground: Ground) -> Iterator[Finding]:
    """Accounts whose restriction nobody could change from outside the networks: should their addresses change, only root can."""
    stuck: list[str] = []
    outside = _outside(ground)
    if outside is None:
        return
    for account in ground.estate.accounts:
        limited = any(k.account.id == account.id and restricted(ground, k) for k in ground.kins) or any(
            is_restricted(w.region) for r in account.roles for w in ground.ways.get(r.arn, ())
        )
        if limited and not _has_way_back(ground, account.id, outside):
            stuck.append(account.id)
    if stuck:
        labels = tuple((a.name or a.id) for a in ground.estate.accounts if a.id in stuck)
        yield ground.finding("F-16", "low", "F-16", f"arn:aws:iam::{stuck[0]}:root", _shut_out(ground, stuck, outside), accounts=labels)


def _shut_out(ground: Ground, stuck: list[str], outside: Region) -> Request | None:
    """One who could mend the policies of such an account from inside, refused outside: by itself, or on the way into the role."""
    for account in stuck:
        for asked, signed in _menders(ground, account):
            for kind in signed:
                if asked.sent(kind) and (witness := ground.request(asked.request, asked.refused(kind) & outside, kind)) is not None:
                    return witness
    # Nobody could from inside either: some user of theirs who can't get in to ask.
    for way in ground.to_user(ground.all_ways):
        asked = ground.ask(way.row.principal, ASSUME, way.row.role)
        witness = ground.request(asked.request, asked.refused(CONSOLE_MFA) & outside, CONSOLE_MFA)
        if witness is not None:
            return witness
    for kin in ground.kins:
        asked = ground.ask(kin.first.arn, "iam:PutGroupPolicy", f"arn:aws:iam::{kin.account.id}:group/x")
        if (witness := ground.request(asked.request, asked.refused(CONSOLE_MFA) & outside, CONSOLE_MFA)) is not None:
            return witness
    return None


def _menders(ground: Ground, account: str) -> Iterator[tuple[Asked, tuple[Signed, ...]]]:
    """What changing an account's policies takes: a user's own call, or the way into a role that may."""
    for kin in ground.kins:
        if kin.account.id == account:
            for action, kind in _OWN_CHANGES:
                asked = ground.may(kin.first.arn, action, f"arn:aws:iam::{account}:{kind}/x")
                if asked is not None:
                    yield asked, USER_SIGNED
    for role in ground.roles:
        if role.arn.split(":")[4] == account and ground.session(role):
            asked = ground.may(session_arn(role, "anyone"), "iam:UpdateAssumeRolePolicy", role.arn)
            for way in ground.to_user(ground.ways.get(role.arn, ())) if asked is not None and asked.any(SESSION_SIGNED) else ():
                yield ground.ask(way.row.principal, ASSUME, role.arn), USER_SIGNED


def _outside(ground: Ground) -> Region | None:
    """The addresses from where none of those who are restricted gets anywhere; None where nobody is."""
    outside: Region | None = None
    for way in ground.all_ways:
        if (here := closed(way.region)) and way.region:
            outside = here if outside is None else outside & here
    for kin in ground.kins:
        for asked in ground.own(kin)[:1]:
            region = asked.any(USER_SIGNED)
            if region and (here := closed(region)):
                outside = here if outside is None else outside & here
    return outside


def _has_way_back(ground: Ground, account: str, outside: Region) -> bool:
    """Whether somebody may change policies of an account from outside: a user itself, or by a role that it gets there."""
    for kin in ground.kins:
        if kin.account.id == account:
            for action, kind in _OWN_CHANGES:
                asked = ground.may(kin.first.arn, action, f"arn:aws:iam::{account}:{kind}/x")
                if asked is not None and asked.any(USER_SIGNED).meets(outside):
                    return True
    for role in ground.roles:
        if role.arn.split(":")[4] != account:
            continue
        gets_in = any(way.region.meets(outside) for way in ground.to_user(ground.ways.get(role.arn, ())))
        if gets_in and ground.session(role):
            asked = ground.may(session_arn(role, "anyone"), "iam:UpdateAssumeRolePolicy", role.arn)
            if asked is not None and asked.any(SESSION_SIGNED).meets(outside):
                return True
    return False
