"""The second factor: asked in a way that lets some credentials by, asked where it can't be answered, or got by whoever has a password or key
(F-04, F-05, F-19, F-20, B-04, B-08)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sekisho.decision import Request
from sekisho.errors import Place
from sekisho.proof.findings.finding import Finding
from sekisho.proof.findings.ground import (
    AGE,
    CONSOLE,
    CONSOLE_MFA,
    KEY,
    MFA,
    SESSION,
    SESSION_MFA,
    TOKEN,
    TOKEN_MFA,
    Ground,
    Kin,
    Way,
)  # fmt: skip
from sekisho.proof.region import Region

LONGEST_MFA_S = 129_600
"""D.4: a GetSessionToken session keeps its MFA for 36 hours."""


def find(ground: Ground) -> Iterator[Finding]:
    yield from _switches(ground)
    yield from _own_calls(ground)
    yield from _inside_roles(ground)
    yield from _ages(ground)
    for kin in ground.kins:
        yield from _enrolment(ground, kin)
    yield from _without_device(ground)


def _by_kind(way: Way, *names: str) -> Region | None:
    result: Region | None = None
    for kind, region in way.row.by_kind.items():
        if kind.name in names:
            result = region if result is None else result | region
    return result


def _switches(ground: Ground) -> Iterator[Finding]:
    """F-04: a role that some credentials without MFA get and others don't (the operators were mixed up); B-08: that all of them get."""
    for role, ways in ground.ways.items():
        open_ways = []
        for way in ground.to_user(ways):
            if len(way.row.hops) > 1:
                continue
            key, console, token = (_by_kind(way, n) for n in ("key", "console", "session"))
            without = [(n, r) for n, r in (("key", key), ("session", token), ("console", console)) if r]
            if not without:
                continue
            with_mfa = [n for n in ("console+mfa", "session+mfa") if _by_kind(way, n)]
            if not key or not (console or token):
                witness = ground.switch(way, kinds=[n for n, _ in without])
                if witness is not None:
                    yield ground.finding(
                        "F-04", "high", f"F-04.{'key' if key else 'session'}", role, witness, role=ground.words.role(role),
                        who=ground.names(way.principals), statement=_mfa_line(ground, role, way), mfa=tuple(with_mfa),
                    )  # fmt: skip
                    break
            else:
                open_ways.append(way)
        else:
            if open_ways:
                witness = ground.switch(open_ways[0], kinds=("key", "session", "console"))
                who = ground.names(p for w in open_ways for p in w.principals)
                yield ground.finding("B-08", "medium", "B-08.role", role, witness, role=ground.words.role(role), who=who, layer="resource")


def _mfa_line(ground: Ground, role: str, way: Way) -> Place | None:
    """The statement that asks for MFA and lets some by: the trust policy's, or one of the principal's."""
    holders = {role, *way.principals}
    for kin in ground.kins:
        if not holders.isdisjoint(u.arn for u in kin.users):
            holders |= {g.arn for g in kin.account.groups if g.name in kin.first.groups}
    for ready, held in ground.statements:
        if holders & set(held) and ground.asks_about(ready, (MFA,)) and ready.about_action("sts:assumerole"):
            return ground.line(ready)
    return None


def _own_calls(ground: Ground) -> Iterator[Finding]:
    """F-04 for a user's own calls: refused to a console session without MFA and allowed to a key without, or the other way."""
    seen: set[object] = set()
    for kin in ground.kins:
        for asked in ground.own(kin):
            key, console, token = asked.sent(KEY), asked.sent(CONSOLE), asked.sent(TOKEN)
            if bool(key) == bool(console) or asked.request.action.lower().startswith("sts:"):
                continue
            witness = ground.shown(asked, asked.proof.allowed, (KEY,) if key else (CONSOLE, TOKEN))
            if witness is None or (not key and not console and not token):
                continue
            line = next((ground.line(s) for s, held in ground.statements if ground.asks_about(s, (MFA,)) and _holds(kin, held)
                         and s.about_action(asked.request.action.lower())), None)  # fmt: skip
            if line is None or line in seen:
                continue
            seen.add(line)
            key_name = f"F-04.own-{'key' if key else 'session'}"
            yield ground.finding(
                "F-04", "high", key_name, kin.first.arn, witness, statement=line, who=ground.names(u.arn for u in kin.users),
                action=asked.request.action,
            )  # fmt: skip


def _holds(kin: Kin, holders: Sequence[str]) -> bool:
    return bool(set(holders) & ({g.arn for g in kin.account.groups if g.name in kin.first.groups} | {u.arn for u in kin.users}))


def _inside_roles(ground: Ground) -> Iterator[Finding]:
    """F-05: the role's own policies ask for MFA, which a session had by key and code doesn't carry (E-08 i)."""
    for role in ground.roles:
        ways = ground.ways.get(role.arn, ())
        if not any("key+mfa" in way.row.kinds or "key" in way.row.kinds for way in ways):
            continue
        for asked in ground.session(role):
            if asked.sent(SESSION_MFA) and not asked.sent(SESSION):
                witness = ground.shown(asked, asked.proof.allowed.space.everything(), (SESSION,), refused=True)
                line = next((ground.line(s) for s, held in ground.statements if role.arn in held and s.policy is not role.trust
                             and ground.asks_about(s, (MFA, AGE))), None)  # fmt: skip
                yield ground.finding(
                    "F-05", "medium", "F-05", role.arn, witness, statement=line, role=ground.words.role(role.arn), action=asked.request.action
                )
                break


def _ages(ground: Ground) -> Iterator[Finding]:
    """F-19: MFA is asked for, and 36 hours old is as good as new. Said once for all roles."""
    found: list[tuple[str, Request]] = []
    for role, ways in ground.ways.items():
        for way in ground.to_user(ways):
            region = _by_kind(way, "session+mfa")
            if not region or _by_kind(way, "key", "session", "console"):
                continue
            old = region.at(AGE, str(LONGEST_MFA_S - 1)) if AGE in region.space.axis_of_key else region
            old = old & region.space.where(AGE, lambda a: a.context.get(AGE) is not None) if AGE in region.space.axis_of_key else old
            witness = ground.request(ground.call(way), old, TOKEN_MFA)
            if witness is not None:
                witness = witness.with_context({"aws:MultiFactorAuthAge": str(LONGEST_MFA_S - 1)})
                found.append((role, witness))
                break
    if found:
        role, witness = found[0]
        yield ground.finding("F-19", "low", "F-19", role, witness, roles=ground.role_names(r for r, _ in found), layer="resource")


def _enrolment(ground: Ground, kin: Kin) -> Iterator[Finding]:
    user = kin.first
    who = ground.names(u.arn for u in kin.users)
    account = user.arn.split(":")[4]
    partition = user.arn.split(":")[1]
    other = f"arn:{partition}:iam::{account}:user/sekisho-somebody-else"
    device = f"arn:{partition}:iam::{account}:mfa/sekisho-somebody-else"
    any_kind = (CONSOLE_MFA, TOKEN_MFA, CONSOLE, KEY)
    yield from _work_without(ground, kin, who)
    # F-20: devices for others.
    made, enabled = ground.may(user.arn, "iam:CreateVirtualMFADevice", device), ground.may(user.arn, "iam:EnableMFADevice", other)
    if made is not None and enabled is not None and made.any(any_kind) and enabled.any(any_kind):
        witness = ground.shown(enabled, enabled.proof.allowed, any_kind)
        yield ground.finding("F-20", "high", "F-20", user.arn, witness, who=who)
    # B-04: a device taken away without MFA.
    own_device = f"arn:{partition}:iam::{account}:mfa/{user.name}"
    for action, resource in (("iam:DeactivateMFADevice", user.arn), ("iam:DeleteVirtualMFADevice", own_device)):
        asked = ground.may(user.arn, action, resource)
        witness = ground.shown(asked, asked.proof.allowed, (KEY, CONSOLE)) if asked is not None else None
        if witness is not None:
            yield ground.finding("B-04", "high", "B-04", user.arn, witness, who=who, action=action)
            break
    # B-08: a key without MFA makes itself a second factor, and is then with MFA.
    yield from _keys_enrol(ground, kin, who, own_device)


def _work_without(ground: Ground, kin: Kin, who: tuple[str, ...]) -> Iterator[Finding]:
    """B-08: something besides the user's own affairs that no credentials need MFA for."""
    for asked in ground.own(kin):
        name = asked.request.action.lower()
        own_affair = kin.first.name in asked.request.resource or name.startswith(("iam:get", "iam:list", "iam:createvirtualmfadevice", "sts:"))
        if not own_affair and asked.sent(KEY) and asked.sent(CONSOLE):
            witness = ground.shown(asked, asked.proof.allowed, (KEY,))
            yield ground.finding("B-08", "medium", "B-08.calls", kin.first.arn, witness, who=who, action=asked.request.action)
            return


def _keys_enrol(ground: Ground, kin: Kin, who: tuple[str, ...], device: str) -> Iterator[Finding]:
    user = kin.first
    made = ground.may(user.arn, "iam:CreateVirtualMFADevice", device)
    enabled = ground.may(user.arn, "iam:EnableMFADevice", user.arn)
    if made is None or enabled is None or not (made.sent(KEY) and enabled.sent(KEY)):
        return
    asked_for = any(
        w.row.by_kind and not {"key", "console", "session"} & set(w.row.kinds) for w in ground.ways_of(user.arn)
    )
    if asked_for:
        witness = ground.shown(enabled, enabled.proof.allowed, (KEY,))
        yield ground.finding("B-08", "medium", "B-08.enrol", user.arn, witness, who=who)


def _without_device(ground: Ground) -> Iterator[Finding]:
    """F-20: users known to have no device: whoever has the password enrols one."""
    for account in ground.jumps:
        bare = [u for u in account.users if u.mfa_devices is not None and not u.mfa_devices and u.has_password is not False]
        for user in bare[:1]:
            asked = ground.ask(user.arn, "iam:EnableMFADevice", user.arn)
            witness = ground.shown(asked, asked.proof.allowed, (CONSOLE, KEY))
            if witness is not None:
                yield ground.finding("F-20", "medium", "F-20.bare", user.arn, witness, who=ground.names(u.arn for u in bare))

