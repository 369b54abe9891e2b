"""The sign-in itself (method 3): from where it is possible, and what is wrong with the policy that limits it (F-17, M-05, B-14, B-15, B-17).

The witness is the sign-in, ``signin:Authenticate``, from an address where what the finding says can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sekisho.decision import Request
from sekisho.decision.sign_in import AUTHENTICATE, sign_in_allowed
from sekisho.estate import Account, SignIn
from sekisho.proof.findings.finding import Finding
from sekisho.proof.findings.ground import (
    NICE,
    STRANGER,
    USER_SIGNED,
    Ground,
    closed,
    is_restricted,
)  # fmt: skip
from sekisho.proof.findings.jump import restricted
from sekisho.proof.region import Region
from sekisho.proof.sign_in import sign_in_region


def find(ground: Ground) -> Iterator[Finding]:
    for account in ground.jumps:
        yield from _anywhere(ground, account)
        if account.sign_in is not None:
            yield from _no_effect(ground, account, account.sign_in)
            yield from _excluded(ground, account, account.sign_in)
            yield from _only_the_sign_in(ground, account, account.sign_in)


def address_in(region: Region, sign_in: SignIn | None, principal: str) -> str:
    """An address from where the sign-in gets through and the calls don't."""
    for address in NICE:
        context = {"aws:SourceIp": address, "signin:PrincipalArn": principal}
        if region.contains({"aws:SourceIp": address}) and sign_in_allowed(sign_in, context):
            return address
    found = (region.witness() or {}).get("aws:sourceip", "")
    return found if isinstance(found, str) else ""


def signing_in(principal: str, address: str) -> Request:
    """The sign-in of a principal from an address."""
    context = {"aws:SourceIp": address} if address else {}
    return Request(principal, AUTHENTICATE, "*", context, resource_account=principal.split(":")[4])


def _root(account: Account) -> str:
    return f"arn:aws:iam::{account.id}:root"


def _anywhere(ground: Ground, account: Account) -> Iterator[Finding]:
    """F-17: calls are restricted, and the password is asked for everywhere."""
    who: list[str] = []
    witness: Request | None = None
    method_1 = False
    for kin in ground.kins:
        if kin.account.id != account.id:
            continue
        own = restricted(ground, kin)
        outside = own
        if outside is None:
            for way in ground.ways_of(kin.first.arn):
                if is_restricted(way.region):
                    outside = closed(way.region)
                    break
        if outside is None:
            continue
        gets_in = sign_in_region(account.sign_in, kin.first.arn, ground.settings) & outside
        if gets_in:
            method_1 = method_1 or own is not None
            who += [u.arn for u in kin.users]
            witness = witness or signing_in(kin.first.arn, address_in(gets_in, account.sign_in, kin.first.arn))
    if who:
        key = "F-17" if method_1 else "F-17.calls"
        yield ground.finding("F-17", "low" if method_1 else "medium", key, _root(account), witness, who=ground.names(who))


def _no_effect(ground: Ground, account: Account, sign_in: SignIn) -> Iterator[Finding]:
    """B-14 (M-02): statements are there, and console authorization is off."""
    if sign_in.enforced or not sign_in.statements:
        return
    principal = account.users[0].arn
    limited = sign_in_region(replace(sign_in, enforced=True), principal, ground.settings)
    if is_restricted(limited):
        yield ground.finding("B-14", "high", "B-14", _root(account), signing_in(principal, address_in(closed(limited), sign_in, principal)))


def _excluded(ground: Ground, account: Account, sign_in: SignIn) -> Iterator[Finding]:
    """B-15: the exception is root, or a user whose own calls are restricted, and so is no break-glass user. M-05: it is nobody."""
    effective = replace(sign_in, enforced=True)
    # From where whom nobody excludes can't sign in: there the exception shows.
    outside = closed(sign_in_region(effective, f"arn:aws:iam::{account.id}:user/{STRANGER}", ground.settings))

    def shown(who: str) -> Request:
        return signing_in(who, address_in(outside, None, who))

    for principal in dict.fromkeys(p for s in sign_in.statements for p in s.excluded_principals):
        if principal.endswith(":root"):
            if sign_in_region(effective, principal, ground.settings).is_everything or not is_restricted(sign_in_region(effective, principal)):
                yield ground.finding("B-15", "medium", "B-15.root", principal, shown(principal), account=account.id)
            continue
        if ":user/" not in principal:
            continue
        path, _, name = principal.split(":", 5)[5].removeprefix("user").rpartition("/")
        user = account.user(name)
        if path or (user is not None and user.path != "/"):
            yield ground.finding("M-05", "medium", "M-05.path", principal, shown(user.arn if user is not None else principal), user=name)
        if user is None:
            yield ground.finding("M-05", "low", "M-05.nobody", principal, shown(principal), user=name)
            continue
        kin = next(k for k in ground.kins if user in k.users)
        if restricted(ground, kin) is not None:
            yield ground.finding("B-15", "medium", "B-15.user", principal, shown(principal), user=name)


def _only_the_sign_in(ground: Ground, account: Account, sign_in: SignIn) -> Iterator[Finding]:
    """B-17 (M-04): the sign-in is restricted and the calls aren't: a session had inside, and its `aws login` refreshes, work outside."""
    if not sign_in.enforced:
        return
    for kin in ground.kins:
        if kin.account.id != account.id:
            continue
        limited = sign_in_region(sign_in, kin.first.arn, ground.settings)
        if not is_restricted(limited) or restricted(ground, kin) is not None:
            continue
        outside = closed(limited)
        for asked in ground.own(kin):
            witness = ground.shown(asked, outside, USER_SIGNED)
            if witness is not None:
                yield ground.finding(
                    "B-17", "medium", "B-17", kin.first.arn, witness, who=ground.names(u.arn for u in kin.users), action=asked.request.action
                )
                break
