"""The jump account: who isn't restricted where others are, and who can take the restriction off (F-10, F-11, F-23, B-01, B-02, B-06)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sekisho.decision.layers import layers_of
from sekisho.decision.request import Request
from sekisho.errors import Place
from sekisho.policy import Policy
from sekisho.policy.keys import spelled
from sekisho.policy.matching import ready_policy
from sekisho.proof.findings.finding import Finding, Severity
from sekisho.proof.findings.ground import (
    CONSOLE,
    KEY,
    SESSION_SIGNED,
    TOKEN,
    USER_SIGNED,
    Asked,
    Ground,
    Kin,
    Signed,
    closed,
    is_restricted,
    places,
    public,
)  # fmt: skip
from sekisho.proof.probe import action_of
from sekisho.proof.prove import prove
from sekisho.proof.reach import ASSUME, USUAL
from sekisho.proof.region import Region

_OF_GROUPS = ("RemoveUserFromGroup", "DetachGroupPolicy", "DeleteGroupPolicy", "PutGroupPolicy", "AttachGroupPolicy")
_HEADERS = ("aws:useragent", "aws:referer")
"""E-06: the caller writes these itself."""


def find(ground: Ground) -> Iterator[Finding]:
    yield from _not_in_the_group(ground)
    yield from _roles_of_the_account(ground)
    for kin in ground.kins:
        yield from _editing(ground, kin)
        yield from _exempt_switching(ground, kin)
        yield from _own_policies(ground, kin)
    yield from _side_doors(ground)
    yield from _spoken_by_the_caller(ground)


def restricted(ground: Ground, kin: Kin) -> Region | None:
    """From where a user's own calls are refused, whatever the credentials; None where they aren't restricted, or there are none."""
    known: dict[str, Region | None] = ground.__dict__.setdefault("restricted", {})
    if kin.first.arn not in known:
        outside: Region | None = None
        for asked in ground.own(kin):
            region = asked.any(USER_SIGNED)
            if region:
                here = closed(region)
                outside = here if outside is None else outside & here
        known[kin.first.arn] = outside if outside else None
    return known[kin.first.arn]


def _not_in_the_group(ground: Ground) -> Iterator[Finding]:
    """F-10: the restriction is in a group, and these users aren't in it."""
    for account in ground.jumps:
        kins = [k for k in ground.kins if k.account.id == account.id]
        outsides = {k.first.arn: restricted(ground, k) for k in kins}
        common = [o for o in outsides.values() if o]
        if not common:
            continue
        for kin in kins:
            if outsides[kin.first.arn]:
                continue
            for asked in ground.own(kin):
                witness = ground.shown(asked, common[0])
                if witness is not None:
                    bare = any(asked.sent(s) & common[0] for s in (KEY, CONSOLE, TOKEN)) and any(
                        {"key", "console", "session"} & set(w.row.kinds) for w in ground.ways_of(kin.first.arn)
                    )
                    broad = bool(bare) or _is_powerful(ground, kin, common[0])
                    yield ground.finding(
                        "F-10", "high" if broad else "medium", "F-10", kin.first.arn, witness, who=ground.names(u.arn for u in kin.users),
                        action=asked.request.action,
                    )  # fmt: skip
                    break


def _is_powerful(ground: Ground, kin: Kin, outside: Region) -> bool:
    """Whether a user may do things without MFA, from outside, that aren't its own affairs."""
    for asked in ground.own(kin):
        if kin.first.name not in asked.request.resource and not asked.request.action.lower().startswith(("iam:get", "iam:list", "sts:")):
            if asked.request.action.lower() == "iam:createvirtualmfadevice":
                continue
            if any(asked.sent(s) & outside for s in (KEY, CONSOLE)):
                return True
    return False


def _roles_of_the_account(ground: Ground) -> Iterator[Finding]:
    """F-10: a role of the jump account isn't in the group either, and gets into other roles from anywhere."""
    for account in ground.jumps:
        common = [o for k in ground.kins if k.account.id == account.id and (o := restricted(ground, k))]
        if not common:
            continue
        for role in account.roles:
            direct = [w for w in ground.ways_of(role.arn) if len(w.row.hops) == 1]
            shown = next(((w, found) for w in direct if (found := ground.switch(w, common[0], principal=role.arn)) is not None), None)
            if shown is not None:
                way, witness = shown
                who, target = (ground.words.role(role.arn),), ground.words.role(way.row.role)
                yield ground.finding("F-10", "high", "F-10.role", role.arn, witness, who=who, role=target)


def _editing(ground: Ground, kin: Kin) -> Iterator[Finding]:
    """F-11: calls that take the restriction off, or make somebody whom it doesn't reach."""
    user = kin.first
    _, partition, _, _, account, _ = user.arn.split(":", 5)
    here = f"arn:{partition}:iam::{account}:"
    groups = [g for g in kin.account.groups if g.name in user.groups]
    policies = [e.arn for g in groups for e in g.attached if f"::{account}:" in e.arn] + [e.arn for e in user.attached if f"::{account}:" in e.arn]
    questions: list[tuple[str, str]] = []
    for group in groups:
        questions += [(f"iam:{action}", group.arn) for action in _OF_GROUPS]
    for arn in dict.fromkeys(policies):
        questions += [("iam:CreatePolicyVersion", arn), ("iam:SetDefaultPolicyVersion", arn)]
    questions += [("iam:PutUserPolicy", user.arn), ("iam:AttachUserPolicy", user.arn), ("iam:DeleteUserPolicy", user.arn)]
    questions += [("iam:DeleteUserPermissionsBoundary", user.arn)] if user.boundary else []
    other = f"{here}user/sekisho-somebody-else"
    questions += [(f"iam:{a}", other) for a in ("CreateAccessKey", "UpdateLoginProfile", "CreateLoginProfile", "PutUserPolicy", "AttachUserPolicy")]
    questions += [("iam:UpdateAssumeRolePolicy", r.arn) for r in kin.account.roles if not r.is_service_linked][:3]
    found: list[tuple[Asked, Request]] = []
    for action, resource in questions:
        asked = ground.may(user.arn, action, resource)
        witness = ground.shown(asked, asked.proof.allowed) if asked is not None else None
        if asked is not None and witness is not None:
            found.append((asked, witness))
    if found:
        asked, witness = found[0]
        actions = tuple(dict.fromkeys(a.request.action for a, _ in found))
        limited = restricted(ground, kin) or switching_shut(ground, kin)
        severity: Severity = "high" if limited else "medium"
        who = ground.names(u.arn for u in kin.users)
        yield ground.finding("F-11", severity, "F-11" if limited else "F-11.admin", user.arn, witness, who=who, actions=actions)


def _exempt_switching(ground: Ground, kin: Kin) -> Iterator[Finding]:
    """B-02: the user's own calls are refused outside the networks, and switching roles isn't (the advice of 2016)."""
    outside = restricted(ground, kin)
    if not outside:
        return
    for way in ground.ways_of(kin.first.arn):
        if len(way.row.hops) == 1:
            witness = ground.switch(way, outside, principal=kin.first.arn)
            if witness is not None:
                line = _exempting(ground, kin)
                who = ground.names(members_of(kin))
                yield ground.finding("B-02", "high", "B-02", kin.first.arn, witness, statement=line, who=who, role=ground.words.role(way.row.role))
                return


def members_of(kin: Kin) -> list[str]:
    return [u.arn for u in kin.users]


def _exempting(ground: Ground, kin: Kin) -> Place | None:
    """The Deny that asks for the network and isn't about AssumeRole."""
    for policy in ground.identity(kin.first.arn):
        for ready in ready_policy(policy, ground.settings).statements:
            if ready.denies and ground.asks_about(ready, ("aws:sourceip",)) and not ready.about_action("sts:assumerole"):
                return ground.line(ready)
    return None


def _own_policies(ground: Ground, kin: Kin) -> Iterator[Finding]:
    """B-06: something is allowed by a policy of the user's own and by no group's."""
    user = kin.first
    own = [*user.inline, *(e.policy or (m.policy if (m := kin.account.managed(e.arn)) else None) for e in user.attached)]
    for policy in own:
        for ready in ready_policy(policy, ground.settings).statements if policy is not None else ():
            if ready.denies:
                continue
            action, resource = action_of(ready), ground.resource(ready, user)
            if action.lower() == "sts:assumerole":
                resource = next((w.row.role for w in ground.ways_of(user.arn) if ready.resource_verdict(w.row.role)), "")
                if not resource:
                    continue  # no role lets the user in: nothing comes of the leave
            asked = ground.ask(user.arn, action, resource)
            request = asked.request
            layers = layers_of(ground.estate, request, request.resource_account or "")
            groups = tuple(p for p in layers.identity if not any(p is o for o in own))
            without = prove(request, replace(layers, identity=groups), ground.settings, given=USUAL, patience=ground.patience)
            region = asked.proof.allowed - without.allowed
            witness = ground.shown(asked, region)
            if witness is not None:
                yield ground.finding(
                    "B-06", "low", "B-06", user.arn, witness, statement=ground.line(ready), who=ground.names(members_of(kin)), action=action
                )
                return


def _side_doors(ground: Ground) -> Iterator[Finding]:
    """F-23: a resource's own policy lets a user in, with the role left out, from outside what trust policies ask."""
    for account in ground.estate.accounts:
        for arn, policy in account.resource_policies:
            found = _side_door(ground, account.id, arn, policy_actions(ground, policy))
            if found is not None:
                yield found


def policy_actions(ground: Ground, policy: Policy) -> list[str]:
    """An action of each Allow."""
    return [a for s in ready_policy(policy, ground.settings).statements if not s.denies and (a := action_of(s))]


def _side_door(ground: Ground, account: str, arn: str, actions: Sequence[str]) -> Finding | None:
    for kin in ground.kins:
        for action in actions:
            for resource in (arn, f"{arn}/x"):
                asked = ground.may(kin.first.arn, action, resource)
                if asked is None:
                    continue
                region = asked.any(USER_SIGNED)
                if kin.account.id == account and not _by_resource(ground, asked, region):
                    continue
                outside = restricted(ground, kin) or switching_shut(ground, kin)
                witness = ground.shown(asked, outside) if outside else None
                if witness is not None:
                    return ground.finding(
                        "F-23", "medium", "F-23", arn, witness, who=ground.names(members_of(kin)), action=action, resource=resource, layer="resource"
                    )
    return None


def _by_resource(ground: Ground, asked: Asked, region: Region) -> bool:
    witness = ground.shown(asked, region)
    return witness is not None and any(b.layer == "resource" for b in ground.decide(witness).because)


def switching_shut(ground: Ground, kin: Kin) -> Region | None:
    """From where a user can't switch into anything."""
    outside: Region | None = None
    for way in ground.ways_of(kin.first.arn):
        if is_restricted(way.region):
            here = closed(way.region)
            outside = here if outside is None else outside & here
    return outside


def _spoken_by_the_caller(ground: Ground) -> Iterator[Finding]:
    """B-01: outside the networks it depends on a header that the caller writes."""
    seen: set[object] = set()
    for asked, signed, subject in _questions(ground):
        allowed = asked.proof.allowed
        keys = [k for k in _HEADERS if k in allowed.keys]
        region = allowed.space.nothing()
        for kind in signed:
            region |= asked.sent(kind)
        for key in keys:
            plain = region.at(key, "aws-cli/2.31" if key == "aws:useragent" else None)
            spoken = region & (public(region) - places(plain))
            if not spoken:
                continue
            witness = ground.shown(asked, spoken, signed)
            if witness is None:
                continue
            line = next((ground.line(s) for s, _ in ground.statements if ground.asks_about(s, (key,))), None)
            if line in seen:
                continue
            seen.add(line)
            value = witness.context.get(key, "")
            yield ground.finding(
                "B-01", "high", "B-01", subject, witness, statement=line, who=ground.names([subject]) if ":user/" in subject else
                (ground.words.role(subject),), name=spelled(key), value=value if isinstance(value, str) else ",".join(value),
                action=asked.request.action,
            )  # fmt: skip


def _questions(ground: Ground) -> Iterator[tuple[Asked, tuple[Signed, ...], str]]:
    for kin in ground.kins:
        for asked in ground.own(kin):
            yield asked, USER_SIGNED, kin.first.arn
    for way in ground.to_user(ground.all_ways):
        if len(way.row.hops) == 1 and any(k in way.region.keys for k in _HEADERS):
            yield ground.ask(way.row.principal, ASSUME, way.row.role), USER_SIGNED, way.row.principal
    for role in ground.roles:
        for asked in ground.session(role):
            yield asked, SESSION_SIGNED, role.arn

