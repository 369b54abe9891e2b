"""Networks: what a list of addresses lets in and shuts out that its author didn't mean (F-02, F-03, F-06, F-07, F-08, F-21, F-22)."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from sekisho.decision import Request
from sekisho.language import Joined
from sekisho.policy.matching import ReadyStatement
from sekisho.proof.findings.finding import Finding
from sekisho.proof.findings.ground import (
    SESSION_SIGNED,
    USER_SIGNED,
    Asked,
    Ground,
    Signed,
    block_of,
    closed,
    every_place,
    is_restricted,
    places,
    public,
    sendable,
    via_endpoint,
)  # fmt: skip
from sekisho.proof.probe import action_of, resource_of
from sekisho.proof.prove import region_where
from sekisho.proof.reach import ASSUME
from sekisho.proof.region import Region
from sekisho.proof.requests import SOURCE_IP, is_absent

WIDE_V4, WIDE_V6 = 1 << 24, 1 << 96
"""F-08: a /8 of IPv4, a /32 of IPv6."""
IP_KEYS = frozenset((SOURCE_IP, "aws:vpcsourceip", "aws:ec2instancesourceprivateipv4"))
EVERY_V4, EVERY_V6 = region_where({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}), region_where({"IpAddress": {"aws:SourceIp": "::/0"}})


@dataclass(frozen=True)
class Limited:
    """A question whose answer depends on the address: about a principal's own calls, a switch, or a session's calls."""

    ask: Callable[[], Asked]
    signed: tuple[Signed, ...]
    region: Region
    who: tuple[str, ...]
    subject: str

    @cached_property
    def asked(self) -> Asked:
        return self.ask()


def limited(ground: Ground) -> Iterator[Limited]:
    """Everything in the estate that some public addresses may do and others may not."""
    for kin in ground.kins:
        for asked in ground.own(kin):
            region = asked.any(USER_SIGNED)
            if is_restricted(region) and sendable(region):
                yield Limited(partial(_same, asked), USER_SIGNED, region, ground.names(u.arn for u in kin.users), kin.first.arn)
    for way in ground.to_user(ground.all_ways):
        if is_restricted(way.region) and len(way.row.hops) == 1:
            ask = partial(ground.ask, way.row.principal, ASSUME, way.row.role)
            yield Limited(ask, USER_SIGNED, way.region, ground.names(way.principals), way.row.role)
    seen: set[int] = set()
    for role in ground.roles:
        for asked in ground.session(role):
            region = asked.any(SESSION_SIGNED)
            if id(asked.proof) not in seen and is_restricted(region):
                seen.add(id(asked.proof))
                yield Limited(partial(_same, asked), SESSION_SIGNED, region, (ground.words.role(role.arn),), role.arn)


def _same(asked: Asked) -> Asked:
    return asked


def find(ground: Ground) -> Iterator[Finding]:
    asked_by_address = list(limited(ground))
    yield from _strangers_endpoints(ground, asked_by_address)
    yield from _shut_endpoints(ground, asked_by_address)
    yield from _families(ground, asked_by_address)
    yield from _wide(ground, asked_by_address)
    yield from _operators(ground)
    yield from _via_service(ground)


def _what(asked: Asked) -> str:
    return asked.request.action


def _strangers_endpoints(ground: Ground, found: Sequence[Limited]) -> Iterator[Finding]:
    """F-03: addresses are asked, and whoever comes through a VPC endpoint, any at all, isn't."""
    seen: set[object] = set()
    for one in found:
        region = via_endpoint(one.region)
        if region:
            witness = ground.shown(one.asked, region, one.signed)
            if witness is None:
                continue
            finding = ground.finding("F-03", "high", "F-03", one.subject, witness, who=one.who, action=_what(one.asked))
            if finding.statement not in seen:
                seen.add(finding.statement)
                yield finding


def _shut_endpoints(ground: Ground, found: Sequence[Limited]) -> Iterator[Finding]:
    """F-02: nobody gets in through a VPC endpoint; a Deny whose author wrote IfExists thought otherwise."""
    quiet: list[tuple[Limited, Request]] = []
    seen: set[object] = set()
    if_exists = any(c.condition.use.if_exists and c.key == SOURCE_IP for s, _ in ground.statements for c in s.conditions)
    for one in found:
        if quiet and not if_exists:
            break
        if one.region & one.region.space.where(SOURCE_IP, is_absent):
            continue
        through = every_place(one.region) & one.region.space.where(SOURCE_IP, is_absent)
        witness = ground.shown(one.asked, through, one.signed, refused=True)
        if witness is None:
            continue
        decision = ground.decide(witness)
        blocks = [b.block for b in decision.because if b.block is not None]
        if any(c.use.if_exists and c.key.lower() == SOURCE_IP for b in blocks for c in b.conditions):
            finding = ground.finding("F-02", "medium", "F-02.if-exists", one.subject, witness, who=one.who, action=_what(one.asked))
            if finding.statement not in seen:
                seen.add(finding.statement)
                yield finding
        else:
            quiet.append((one, witness))
    for one, witness in quiet[:1]:
        yield ground.finding("F-02", "info", "F-02", one.subject, witness, who=one.who, action=_what(one.asked))


def _families(ground: Ground, found: Sequence[Limited]) -> Iterator[Finding]:
    """F-06: one family is let in from somewhere, and the other from nowhere, or from everywhere."""
    seen: set[object] = set()
    for one in found:
        where = places(one.region)
        v4, v6 = where & EVERY_V4, where & EVERY_V6
        if v6 and not closed(one.region).meets(EVERY_V6) and closed(one.region).meets(EVERY_V4):
            witness = ground.shown(one.asked, EVERY_V6 & one.region, one.signed)
            if witness is not None:
                finding = ground.finding("F-06", "high", "F-06.open", one.subject, witness, who=one.who, action=_what(one.asked))
                if finding.statement not in seen:
                    seen.add(finding.statement)
                    yield finding
        elif v4 and not v6:
            if "v4 only" in seen:
                continue
            witness = ground.shown(one.asked, EVERY_V6, one.signed, refused=True)
            if witness is not None:
                seen.add("v4 only")
                yield ground.finding("F-06", "low", "F-06", one.subject, witness, who=one.who, action=_what(one.asked))


def _size(region: Region) -> tuple[int, int]:
    """How many addresses of IPv4 and of IPv6 a region of places has."""
    counts = [0, 0]
    for box in region.to_json():
        for cidr in box.get("aws:SourceIp", {}).get("cidrs", ()):
            network = ipaddress.ip_network(cidr)
            counts[network.version == 6] += network.num_addresses
    return counts[0], counts[1]


def _wide(ground: Ground, found: Sequence[Limited]) -> Iterator[Finding]:
    """F-08: let in from so many addresses that it is hardly a limit."""
    seen: set[object] = set()
    for one in found:
        v4, v6 = _size(public(places(one.region)))
        whole_v4 = not closed(one.region).meets(EVERY_V4)
        if (v4 >= WIDE_V4 or v6 >= WIDE_V6) and (not whole_v4 or v6 < 1 << 128) and (closed(one.region).meets(EVERY_V4) or v6 < WIDE_V6):
            witness = ground.shown(one.asked, one.region, one.signed)
            if witness is None:
                continue
            places_said = ground.words.places_said(one.region)
            networks = places_said.parts if isinstance(places_said, Joined) else (places_said,)
            severity, key = ("high", "F-08.all") if whole_v4 else ("medium", "F-08")
            finding = ground.finding("F-08", severity, key, one.subject, witness, who=one.who, action=_what(one.asked), networks=networks)  # type: ignore[arg-type]
            place = (_networks_line(ground, one) or finding.statement, key)
            if place not in seen:
                seen.add(place)
                yield finding


def _networks_line(ground: Ground, one: Limited) -> object:
    """The statement that shuts addresses out: what decides just outside."""
    refused = ground.shown(one.asked, closed(one.region), one.signed, refused=True)
    return ground.place(ground.decide(refused)) if refused else None


# --- what is written ---------------------------------------------------------------------------------------------------


def _operators(ground: Ground) -> Iterator[Finding]:
    """F-21: an address asked with an operator of another kind, and another key asked with an operator for addresses.

    Where a request shows it, that is the witness: refused inside the network that was meant, or let in outside it.
    """
    for ready, holders in ground.statements:
        for condition in ready.conditions:
            use, written = condition.condition.use, condition.condition
            if condition.row is None:
                continue
            ip_operator, ip_key = condition.row.family == "ip", condition.key in IP_KEYS
            if ip_operator == ip_key:
                continue
            key, values = ("F-21.key", ()) if ip_operator else ("F-21", written.values)
            if not ip_operator and _is_text(values):
                yield ground.finding(
                    "F-21", "medium", "F-21.text", holders[0], statement=ground.line(ready), operator=written.operator, name=written.key,
                    values=tuple(written.values),
                )  # fmt: skip
                continue
            inside = _inside(values)
            witness = _shows(ground, ready, holders, inside) if inside is not None else None
            severity = "high" if witness is not None or ready.denies else "medium"
            yield ground.finding(
                "F-21", severity, key, holders[0], witness, statement=ground.line(ready), operator=written.operator, name=written.key,  # type: ignore[arg-type]
                values=tuple(written.values), effect=ready.statement.effect, if_exists=str(use.if_exists),
            )  # fmt: skip


def _is_text(values: Sequence[str]) -> bool:
    """Whether an address can be equal or like one of them: a network with its prefix never is."""
    return any("/" not in value for value in values)


def _inside(values: Sequence[str]) -> Region | None:
    """The addresses that the author meant."""
    cidrs = []
    for value in values:
        try:
            cidrs.append(str(ipaddress.ip_network(value, strict=False)))
        except ValueError:
            continue
    return region_where({"IpAddress": {"aws:SourceIp": cidrs}}) if cidrs else None


def _shows(ground: Ground, ready: ReadyStatement, holders: Sequence[str], inside: Region) -> Request | None:
    """A request that the statement decides wrongly: refused from inside the network, or let in from outside it."""
    questions: list[tuple[Asked, tuple[Signed, ...]]] = []
    held = set(holders)
    for kin in ground.kins:
        groups = {g.arn for g in kin.account.groups if g.name in kin.first.groups}
        if held & (groups | {u.arn for u in kin.users}):
            questions += [(a, USER_SIGNED) for a in ground.own(kin)]
            questions += [
                (ground.ask(kin.first.arn, ASSUME, w.row.role), USER_SIGNED) for w in ground.ways_of(kin.first.arn)
            ]
    for role in ground.roles:
        if role.arn in held:
            questions += [(a, SESSION_SIGNED) for a in ground.session(role)]
            questions += [(ground.ask(kin.first.arn, ASSUME, role.arn), USER_SIGNED) for kin in ground.kins]
    for asked, signed in questions:
        if ready.about_action(asked.request.action.lower()):
            outside = EVERY_V4 - inside
            if not ready.denies or _denied_inside(ground, ready, asked, signed, inside) is None:
                witness = ground.shown(asked, outside, signed) if ready.denies else ground.shown(asked, inside, signed, refused=True)
            else:
                witness = _denied_inside(ground, ready, asked, signed, inside)
            if witness is not None:
                return witness
    return None


def _denied_inside(ground: Ground, ready: ReadyStatement, asked: Asked, signed: Sequence[Signed], inside: Region) -> Request | None:
    witness = ground.shown(asked, inside, signed, refused=True)
    if witness is None:
        return None
    return witness if any(b.block is ready.statement for b in ground.decide(witness).because) else None


def _via_service(ground: Ground) -> Iterator[Finding]:
    """F-22: an Allow for calls by way of a service, a Deny for them alone, and Null on a key that is always there."""
    for ready, holders in ground.statements:
        conditions = [c for c in ready.conditions if c.key == "aws:viaawsservice"]
        for condition in conditions:
            line = ground.line(ready)
            if condition.row is None:
                yield ground.finding("F-22", "low", "F-22.null", holders[0], statement=line, effect=ready.statement.effect)
                continue
            with_true = condition.test({"aws:viaawsservice": "true"}) and not condition.test({"aws:viaawsservice": "false"})
            if not with_true:
                continue
            if ready.denies:
                yield from _deny_of_service_calls(ground, ready, holders)
            else:
                yield from _allow_of_service_calls(ground, ready, holders)


def _askers(ground: Ground, holders: Sequence[str]) -> Iterator[tuple[str, tuple[Signed, ...]]]:
    held = set(holders)
    for kin in ground.kins:
        if held & ({g.arn for g in kin.account.groups if g.name in kin.first.groups} | {u.arn for u in kin.users}):
            yield kin.first.arn, USER_SIGNED
    for role in ground.roles:
        if role.arn in held:
            yield ground.session(role)[0].request.principal if ground.session(role) else role.arn, SESSION_SIGNED


def _deny_of_service_calls(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Iterator[Finding]:
    region = region_where({"Bool": {"aws:ViaAWSService": "false"}})
    denied = region_where(block_of(ready, without="aws:viaawsservice")) if len(ready.conditions) > 1 else region
    for kin in ground.kins:
        if {g.arn for g in kin.account.groups if g.name in kin.first.groups} & set(holders) or kin.first.arn in holders:
            for asked in ground.own(kin):
                witness = ground.shown(asked, denied & EVERY_V4, USER_SIGNED)
                if witness is not None and ready.about_action(asked.request.action.lower()):
                    yield ground.finding(
                        "F-22", "high", "F-22.deny", holders[0], witness, statement=ground.line(ready), who=ground.names(u.arn for u in kin.users),
                        action=asked.request.action,
                    )  # fmt: skip
                    return


def _allow_of_service_calls(ground: Ground, ready: ReadyStatement, holders: Sequence[str]) -> Iterator[Finding]:
    action, resource = action_of(ready), resource_of(ready)
    for principal, signed in _askers(ground, holders):
        if not action:
            return
        mediated = ground.ask_with(principal, action, resource, {"aws:viaawsservice": "true"})
        direct = ground.ask(principal, action, resource)
        opened = mediated.any(signed)
        witness = ground.shown(mediated, opened, signed)
        if witness is not None and not opened <= direct.any(signed):
            yield ground.finding(
                "F-22", "medium", "F-22.allow", holders[0], witness, statement=ground.line(ready), who=ground.names([principal]), action=action
            )
            return

