"""``sekisho can``: one question in words, the answer in words."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sekisho.cli.output import format_option, lang_option, language, print_json
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.errors import Place
    from sekisho.estate import Estate
    from sekisho.language import Language, Text
    from sekisho.proof.answer import Answer, Asked
    from sekisho.proof.words import Words

_CREDENTIALS = ("console", "key", "session-token", "role-session")


@click.command(epilog="Example: sekisho can sekisho.yaml test-user switch-to test-role-admin --from cafe --mfa")
@click.argument("estate", type=click.Path(path_type=Path))
@click.argument("principal")
@click.argument("words", nargs=-1, required=True, metavar="switch-to ROLE | do ACTION [on RESOURCE] | sign-in")
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
@lang_option
def command(
    estate: Path, principal: str, words: Sequence[str], place: str | None, mfa: bool | None, credentials: str | None, moment: str | None,
    endpoint: str | None, keys: Sequence[str], exactly: bool, form: str, spoken: str | None,
) -> int:  # fmt: skip
    """Ask whether PRINCIPAL may switch to ROLE, do ACTION on RESOURCE, or sign in to the console, and why.

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
        permissions = environment.place(("jump", "sign_in")) if environment else None
        for line in lines(answer, said, places, permissions, language(spoken, form)):
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
    if words[0] == "sign-in" and not arn.endswith(":root") and ":user/" not in arn:
        raise InputError(f"{principal} doesn't sign in", expected="a user, or arn:aws:iam::ACCOUNT:root")
    if words[0] == "sign-in" and (mfa is not None or credentials is not None):
        raise InputError("sign-in: there are no credentials yet", expected="no --mfa and no --with (M-03)")
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
    if verb == "sign-in" and not rest:
        from sekisho.decision.sign_in import AUTHENTICATE

        return AUTHENTICATE, "*"
    if verb == "do" and (len(rest) == 1 or (len(rest) == 3 and rest[1] == "on")):
        if rest[0].count(":") != 1:
            raise InputError(f"{rest[0]} is no action", expected="service:Action, such as ec2:DescribeInstances")
        return rest[0], rest[2] if len(rest) == 3 else "*"
    raise InputError(f"can't read {' '.join(words)!r}", expected="switch-to ROLE, do ACTION, do ACTION on RESOURCE, or sign-in")


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


def lines(answer: Answer, words: Words, places: Mapping[str, str], permissions: Place | None, language: Language) -> list[str]:
    """The answer in sentences. ``places``: address → name. ``permissions``: where the sign-in's networks are written."""
    from sekisho.decision.sign_in import is_sign_in
    from sekisho.language import reasons, say, spoken

    asked, decision = answer.asked, answer.decision
    values: dict[str, Text] = {"who": words.principal(asked.principal), "what": _what(asked, words)}
    key: str = answer.verdict
    if answer.verdict == "depends":
        placed = any(k.lower() == "aws:sourceip" for k in asked.context)
        values["where"] = words.region_said(answer.allowed.narrowed(answer.meant), place_is_known=placed)
    elif answer.verdict == "unknown":
        values["reasons"] = reasons(answer.proof.reasons) if answer.proof.reasons else say("can.part", {}, language)
        where = words.region_said(answer.unknown.narrowed(answer.meant))
        if spoken(where) != "from anywhere":
            key, values["where"] = "unknown_where", where
    found = [say(f"can.{key}", values, language)]
    found += _because(answer, permissions, language)
    # What AWS says at the sign-in itself isn't published.
    if decision.message and decision.outcome != "unknown" and not is_sign_in(answer.example):
        found.append("  " + say("can.aws", {"message": decision.message}, language))
    return found + _flips(answer, places, language)


def _what(asked: Asked, words: Words) -> Text:
    from sekisho.decision.sign_in import AUTHENTICATE
    from sekisho.language import phrase

    if asked.action.lower() == "sts:assumerole":
        return phrase("can.switch", role=words.role(asked.resource))
    if asked.action.lower() == AUTHENTICATE.lower():
        return phrase("can.sign_in")
    if asked.resource == "*":
        return phrase("can.do", action=asked.action)
    return phrase("can.do_on", action=asked.action, resource=asked.resource)


def _because(answer: Answer, permissions: Place | None, language: Language) -> list[str]:
    from sekisho.decision.sign_in import is_sign_in
    from sekisho.language import phrase, say

    decision = answer.decision
    head = "  " + (say("can.otherwise", {}, language) if answer.verdict == "depends" else "")
    if is_sign_in(answer.example) and decision.outcome != "unknown":
        in_force = any(r.document is not None and len(r.document.statements) > 1 for r in decision.because)
        at = f", {permissions}" if permissions else ""
        values = {"effect": "Allow" if decision.allowed else "Deny", "at": at}
        return [head + (say("can.statements", values, language) if in_force else say("can.no_statements", {}, language))]
    found = []
    for reason in decision.because:
        if reason.block is None:
            continue
        sid = f" ({reason.sid})" if reason.sid else ""
        # The line of the file says where it comes from; the place inside a document that it was compiled to would say it again.
        place = reason.origin or reason.place
        told: dict[str, Text] = {
            "layer": _layer(answer, reason.layer), "effect": reason.block.effect, "policy": reason.policy or reason.layer,
            "number": reason.statement or 0, "at": sid + (f", {place}" if place and str(place) else ""),
        }  # fmt: skip
        found.append(head + say("can.because", told, language))
    if decision.outcome == "implicit_deny":
        found.append(head + say("can.nothing", {"layer": _layer(answer, decision.layer or "")}, language))
        for miss in [m for m in decision.misses if m.layer == decision.layer][:8]:
            had = miss.had if isinstance(miss.had, str) else ", ".join(miss.had or ())
            told = {
                "policy": miss.policy or miss.layer, "number": miss.statement, "what": miss.condition or miss.element,
                "has": phrase("can.miss_absent") if miss.had is None else phrase("can.miss_is", value=had),
                "wanted": ", ".join(miss.wanted[:4]) + (", …" if len(miss.wanted) > 4 else ""),
            }  # fmt: skip
            found.append("    " + say("can.miss", told, language))
    return found


def _layer(answer: Answer, layer: str) -> Text:
    from sekisho.language import CATALOGUES, phrase

    if layer == "resource" and answer.asked.action.lower() == "sts:assumerole":
        return phrase("layer.trust")
    return phrase(f"layer.{layer}") if f"layer.{layer}" in CATALOGUES["en"] else layer.replace("_", " ")


def _flips(answer: Answer, places: Mapping[str, str], language: Language) -> list[str]:
    from sekisho.language import phrase, say
    from sekisho.proof.words import turns

    changes = answer.flips
    if changes is None:
        return [] if answer.decision.allowed else ["  " + say("can.no_turn", {}, language)]
    if not changes:
        return []
    change = say("turn.and", {}, language).join(turn.text(language) for turn in turns(changes, places))
    outcome = phrase("can.refused" if answer.decision.allowed else "can.allowed")
    return ["  " + say("can.turns", {"change": change[:1].upper() + change[1:] if language == "en" else change, "outcome": outcome}, language)]


def _json(answer: Answer) -> dict[str, Any]:
    from sekisho.proof.prove import listed

    decision = answer.decision
    request = answer.example
    (allowed, unknown), many = listed(answer.allowed.narrowed(answer.meant), answer.unknown)
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
        "allowed": allowed,
        "unknown": {"region": [{}] if many else unknown, "reasons": [*answer.proof.reasons, *many]} if answer.unknown or many else None,
        "example": {"principal": request.principal, "action": request.action, "resource": request.resource, "context": dict(request.context)},
        "flips": answer.flips,
    }  # fmt: skip
