"""``sekisho can``: one question in words, the answer in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sekisho.cli.output import format_option, print_json
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.proof.answer import Answer, Asked
    from sekisho.proof.words import Words

_CREDENTIALS = ("console", "key", "session-token", "role-session")


@click.command(epilog="Example: sekisho can sekisho.yaml test-user switch-to test-role-admin --from cafe --mfa")
@click.argument("estate", type=click.Path(path_type=Path))
@click.argument("principal")
@click.argument("words", nargs=-1, required=True, metavar="switch-to ROLE | do ACTION [on RESOURCE]")
@click.option("--from", "place", metavar="IP|NAME", help="Where from: an address, or a vantage point of the file. Left out: from anywhere.")
@click.option("--mfa/--no-mfa", default=None, help="Whether the credentials carry MFA. Left out: either.")
@click.option("--with", "credentials", type=click.Choice(_CREDENTIALS), help="Signed with what. Left out: any that the principal can have.")
@click.option("--at", "moment", metavar="TIME", help="When, ISO 8601 (UTC unless it says otherwise).")
@click.option("--via-endpoint", "endpoint", metavar="VPCE", help="Through this VPC endpoint, so without aws:SourceIp.")
@click.option(
    "--key", "keys", multiple=True, metavar="NAME=VALUE", help="Another context key; NAME alone: absent. May be repeated, for one NAME too."
)
@click.option("--exactly", is_flag=True, help="Ask one request: what isn't given is not there. Left out: what isn't given may be anything.")
@format_option("text", "json")
def command(
    estate: Path, principal: str, words: Sequence[str], place: str | None, mfa: bool | None, credentials: str | None, moment: str | None,
    endpoint: str | None, keys: Sequence[str], exactly: bool, form: str,
) -> int:  # fmt: skip
    """Ask whether PRINCIPAL may switch to ROLE, or do ACTION on RESOURCE, and why.

    PRINCIPAL and ROLE are names or ARNs; a role may be ACCOUNT/NAME. What the options leave open may be anything that AWS can send: the answer
    then says exactly when. Exit status 0 where it is allowed, 1 where it is refused, depends or can't be known.
    """
    from sekisho.proof.answer import ask
    from sekisho.proof.words import Words

    known, environment = load_both(estate)
    question = replace(_asked(known, environment, principal, words, place, mfa, credentials, moment, endpoint, keys), exact=exactly)
    places = _places(environment)
    answer = ask(question, known, liked={"aws:sourceip": tuple(places)})
    said = Words(environment.wanted.networks if environment else {}, {a.id: a.name for a in known.accounts if a.name})
    if form == "json":
        print_json("can", _json(answer))
    else:
        for line in lines(answer, said, places):
            click.echo(line)
    return 0 if answer.verdict == "allow" else 1


def load_both(path: Path) -> tuple[Estate, Environment | None]:
    """The estate behind a path, and the environment file where it is one."""
    from sekisho.loading import load

    if path.is_dir() or path.suffix == ".json":
        return load(path), None
    from sekisho.environment import compile_environment, load_environment

    environment = load_environment(path)
    return compile_environment(environment), environment


# --- the question ----------------------------------------------------------------------------------------------------------


def _asked(
    estate: Estate, environment: Environment | None, principal: str, words: Sequence[str], place: str | None, mfa: bool | None,
    credentials: str | None, moment: str | None, endpoint: str | None, keys: Sequence[str],
) -> Asked:  # fmt: skip
    from sekisho.decision import CredentialKind
    from sekisho.proof.answer import Asked

    if place and endpoint:
        raise InputError("--from and --via-endpoint exclude each other", expected="an address or a VPC endpoint (E-02)")
    arn = _principal(estate, principal)
    action, resource = _wanted(estate, words)
    context: dict[str, str | tuple[str, ...] | None] = {}
    if place:
        context["aws:sourceip"] = _address(place, environment)
    if endpoint:
        context |= {"aws:sourceip": None, "aws:sourcevpce": endpoint}
    if moment:
        context["aws:currenttime"] = _time(moment)
    for given in keys:
        name, equals, value = given.partition("=")
        if not name or ":" not in name:
            raise InputError(f"--key {given}: no context key", expected="NAME=VALUE, such as aws:RequestedRegion=us-east-1")
        before = context.get(name.lower())
        several = (*before,) if isinstance(before, tuple) else (before,) if before is not None else ()
        context[name.lower()] = None if not equals else (*several, value) if several else value
    account = arn.split(":")[4] if resource == "*" and arn.startswith("arn:") else None
    kind = CredentialKind(credentials) if credentials else None
    return Asked(arn, action, resource, account, kind, mfa, bool(mfa) and action.lower() == "sts:assumerole", context)


def _principal(estate: Estate, name: str) -> str:
    """A principal by ARN, or a user's or role's name."""
    if name.startswith("arn:") or name == "anonymous" or name.endswith(".amazonaws.com"):
        return name
    users = [u for a in estate.accounts for u in a.users if u.name == name]
    if len(users) == 1:
        return users[0].arn
    roles = _roles(estate, name)
    if len(users) + len(roles) > 1:
        found = ", ".join([u.arn for u in users] + roles)
        raise InputError(f"{name} is the name of several principals", expected=f"one of {found}")
    if roles:
        _, partition, _, _, account, path = roles[0].split(":", 5)
        return f"arn:{partition}:sts::{account}:assumed-role/{path.rpartition('/')[2]}/anyone"
    everybody = [u.name for a in estate.accounts for u in a.users]
    close = difflib.get_close_matches(name, everybody, 1)
    raise InputError(f"there is no principal {name}", expected=f"did you mean {close[0]}?" if close else "the name of a user or role, or an ARN")


def _roles(estate: Estate, name: str) -> list[str]:
    account, _, role = name.rpartition("/")
    return [
        r.arn for a in estate.accounts for r in a.roles
        if (r.name == role and account in ("", a.id, a.name)) or r.path.strip("/") + "/" + r.name == name
    ]  # fmt: skip


def _wanted(estate: Estate, words: Sequence[str]) -> tuple[str, str]:
    verb, *rest = words
    if verb == "switch-to" and len(rest) == 1:
        if rest[0].startswith("arn:"):
            return "sts:AssumeRole", rest[0]
        roles = _roles(estate, rest[0])
        if len(roles) == 1:
            return "sts:AssumeRole", roles[0]
        names = [f"{a.name or a.id}/{r.name}" for a in estate.accounts for r in a.roles]
        if roles:
            raise InputError(f"{rest[0]} is the name of several roles", expected=f"one of {', '.join(n for n in names if n.endswith('/' + rest[0]))}")
        close = difflib.get_close_matches(rest[0], [*names, *(n.rpartition("/")[2] for n in names)], 1)
        raise InputError(f"there is no role {rest[0]}", expected=f"did you mean {close[0]}?" if close else "a role's name, ACCOUNT/NAME or ARN")
    if verb == "do" and (len(rest) == 1 or (len(rest) == 3 and rest[1] == "on")):
        if rest[0].count(":") != 1:
            raise InputError(f"{rest[0]} is no action", expected="service:Action, such as ec2:DescribeInstances")
        return rest[0], rest[2] if len(rest) == 3 else "*"
    raise InputError(f"can't read {' '.join(words)!r}", expected="switch-to ROLE, or do ACTION, or do ACTION on RESOURCE")


def _address(place: str, environment: Environment | None) -> str:
    import ipaddress

    if environment is not None and place in environment.vantage_points:
        return str(environment.vantage_points[place])
    try:
        return str(ipaddress.ip_address(place))
    except ValueError:
        names = list(environment.vantage_points) if environment else []
        remedy = f"one of {', '.join(names)}" if names else None
        raise InputError(f"--from {place}: no address and no vantage point", expected="an IPv4 or IPv6 address", remedy=remedy) from None


def _time(text: str) -> str:
    try:
        at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise InputError(f"--at {text}: no time", expected="ISO 8601, such as 2026-11-25T09:00:00Z") from None
    return at.isoformat().replace("+00:00", "Z")


# --- the answer ------------------------------------------------------------------------------------------------------------


def _places(environment: Environment | None) -> dict[str, str]:
    """Address → name: vantage points that lie in a named network, then the first address of each network, then other vantage points."""
    if environment is None:
        return {}
    import ipaddress

    networks = {name: [ipaddress.ip_network(c) for c in cidrs] for name, cidrs in environment.wanted.networks.items()}
    points = {str(address): name for name, address in environment.vantage_points.items()}
    inside = {a: n for a, n in points.items() if any(ipaddress.ip_address(a) in c for cidrs in networks.values() for c in cidrs)}
    found = dict(inside)
    for name, cidrs in networks.items():
        for cidr in cidrs:
            address = str(cidr[0] if cidr.num_addresses == 1 else cidr[1])
            if not any(ipaddress.ip_address(a) in cidr for a in inside):
                found.setdefault(address, name)
    return {**found, **{a: n for a, n in points.items() if a not in found}}


def lines(answer: Answer, words: Words, places: Mapping[str, str]) -> list[str]:
    """The answer in sentences. ``places``: address → name."""
    asked = answer.asked
    who = words.principal(asked.principal)
    what = f"switch to {words.role(asked.resource)}" if asked.action.lower() == "sts:assumerole" else f"do {asked.action}"
    if asked.action.lower() != "sts:assumerole" and asked.resource != "*":
        what += f" on {asked.resource}"
    decision = answer.decision
    if answer.verdict == "allow":
        found = [f"Yes: {who} can {what}."]
    elif answer.verdict == "deny":
        found = [f"No: {who} can't {what}."]
    elif answer.verdict == "depends":
        found = [f"It depends: {who} can {what} {words.region(answer.allowed.narrowed(answer.meant))}, and not otherwise."]
    else:
        reasons = "; ".join(answer.proof.reasons) or "a part of it can't be known"
        where = words.region(answer.unknown.narrowed(answer.meant))
        found = [f"Unknown: whether {who} can {what} can't be told{'' if where == 'from anywhere' else f' {where}'}: {reasons}."]
    found += _because(answer)
    if decision.message and decision.outcome != "unknown":
        found.append(f"  AWS would say: {decision.message}")
    found += _flips(answer, places)
    return found


def _because(answer: Answer) -> list[str]:
    decision = answer.decision
    found = []
    head = "  " if answer.verdict != "depends" else "  otherwise: "
    for reason in decision.because:
        if reason.block is None:
            continue
        at = reason.place
        name = reason.policy or reason.layer
        sid = f" ({reason.sid})" if reason.sid else ""
        # The line of the file says where it comes from; the place inside a document that it was compiled to would say it again.
        where = f", {at}" if at and str(at) and not reason.origin else ""
        origin = f", {reason.origin}" if reason.origin else ""
        found.append(f"{head}{_layer(answer, reason.layer)}: {reason.block.effect} by {name}, statement {reason.statement}{sid}{where}{origin}")
    if decision.outcome == "implicit_deny":
        found.append(f"{head}nothing in the {_layer(answer, decision.layer or '')} allows it:")
        found += [f"    {miss}" for miss in decision.misses if miss.layer == decision.layer][:8]
    return found


def _layer(answer: Answer, layer: str) -> str:
    if layer == "resource" and answer.asked.action.lower() == "sts:assumerole":
        return "trust policy"
    return {
        "identity": "identity policy", "resource": "resource policy", "boundary": "permissions boundary", "session": "session policy",
        "credentials": "credentials",
    }.get(layer, layer.replace("_", " ") + " policy")  # fmt: skip


def _flips(answer: Answer, places: Mapping[str, str]) -> list[str]:
    changes = answer.flips
    outcome = "refused" if answer.decision.allowed else "allowed"
    if changes is None:
        return [] if answer.decision.allowed else ["  No change of address, MFA or any other part of the request would make it allowed."]
    if not changes:
        return []
    return [f"  {_changed(changes, places)} it would be {outcome}."]


def _changed(changes: Mapping[str, Any], places: Mapping[str, str]) -> str:
    from sekisho.language import say
    from sekisho.proof.words import turns

    text = say("turn.and").join(turn.text() for turn in turns(changes, places))
    return text[:1].upper() + text[1:]


def _json(answer: Answer) -> dict[str, Any]:
    decision = answer.decision
    request = answer.example
    return {
        "verdict": answer.verdict,
        "decision": decision.outcome,
        "because": [
            {
                "layer": b.layer, "policy": b.policy, "statement": b.statement, "sid": b.sid, "place": str(b.place) if b.place else None,
                "origin": str(b.origin) if b.origin else None,
            }
            for b in decision.because
        ],
        "misses": [str(m) for m in decision.misses if m.layer == decision.layer],
        "message": decision.message,
        "allowed": answer.allowed.narrowed(answer.meant).to_json(),
        "unknown": {"region": answer.unknown.to_json(), "reasons": list(answer.proof.reasons)} if answer.unknown else None,
        "example": {"principal": request.principal, "action": request.action, "resource": request.resource, "context": dict(request.context)},
        "flips": answer.flips,
    }  # fmt: skip
