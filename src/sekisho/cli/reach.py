"""``sekisho reach``: who can switch where, from which addresses, with which second factor."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.cli.can import load_both
from sekisho.cli.output import console, format_option, lang_option, language, print_json, progress, table
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.language import Language, Phrase, Text
    from sekisho.proof import Region, Row
    from sekisho.proof.words import Words


@click.command(epilog="Example: sekisho reach sekisho.yaml --from cafe")
@click.argument("estate", type=click.Path(path_type=Path))
@click.option("--from", "place", metavar="NAME|IP", help="Only ways that are open from here: a network or vantage point of the file, or an address.")
@click.option("--user", "user", metavar="NAME", help="Only this principal: a user's name, or an ARN.")
@click.option("--role", "role", metavar="NAME", help="Only ways into this role: its name, account/name, or ARN.")
@format_option("text", "json")
@lang_option
def command(estate: Path, place: str | None, user: str | None, role: str | None, form: str, spoken: str | None) -> None:
    """Print who can get into which role, over any number of hops: from where, with which MFA state, and from where the keys then work.

    The answer is exact, over all addresses of IPv4 and IPv6, VPC endpoints and kinds of credentials; what the policies leave to other parts of
    a request is said as a condition. ESTATE is a sekisho.yaml, or AWS's JSON (a file, or a folder with one file an account).
    """
    from sekisho.language import say
    from sekisho.proof.reach import reach
    from sekisho.proof.words import Words

    speaking = language(spoken, form)
    known, environment = load_both(estate)
    words = Words(environment.wanted.networks if environment else {}, {a.id: a.name for a in known.accounts if a.name})
    where = _place(place, environment) if place else None
    with progress() as tell:
        tell("solving")
        rows = [row for row in reach(known).rows if _is_principal(row.principal, user) and _is_role(row.role, role, words)]
        if user and not rows:
            _must_exist(known, user, "user", [u.name for a in known.accounts for u in a.users])
        if role and not rows:
            _must_exist(known, role, "role", [r.name for a in known.accounts for r in a.roles])
        if where is not None:
            rows = [row for row in rows if row.real.meets(where) or row.unknown.meets(where)]
        if form == "json":
            print_json("reach", {"rows": [row.to_json() for row in rows]})
            return
        lines = list(_sentences(rows, words, speaking))
    for line in lines:
        click.echo(line)
    if not rows:
        click.echo(say("reach.nobody_from", {"place": place}, speaking) if place else say("reach.nobody", {}, speaking))
        return
    click.echo()
    _matrix(rows, words, speaking)


def _place(place: str, environment: Environment | None) -> Region:
    """The contexts that come from a named network, a vantage point, or an address."""
    from sekisho.proof import region_where

    wanted = environment.wanted if environment else None
    if wanted and place in wanted.networks:
        return region_where({"IpAddress": {"aws:SourceIp": list(wanted.networks[place])}})
    address = str(wanted.vantage_points[place]) if wanted and place in wanted.vantage_points else place
    try:
        ipaddress.ip_network(address, strict=False)
    except ValueError:
        names = [*wanted.networks, *wanted.vantage_points] if wanted else []
        raise InputError(
            f"--from {place}: no such place",
            expected=f"an address, a network, or one of {', '.join(dict.fromkeys(names))}" if names else "an address or a network",
        ) from None
    return region_where({"IpAddress": {"aws:SourceIp": address}})


def _is_principal(arn: str, wanted: str | None) -> bool:
    return wanted is None or arn == wanted or arn.rpartition("/")[2] == wanted


def _is_role(arn: str, wanted: str | None, words: Words) -> bool:
    return wanted is None or wanted in (arn, arn.rpartition("/")[2], words.role(arn), f"{arn.split(':')[4]}/{arn.rpartition('/')[2]}")


def _must_exist(estate: Estate, name: str, kind: str, names: Sequence[str]) -> None:
    import difflib

    short = name.rpartition("/")[2]
    if short in names or any(name in (r.arn, r.name) for a in estate.accounts for r in a.roles):
        return
    close = difflib.get_close_matches(short, names, 1)
    raise InputError(f"there is no {kind} {name}", expected=f"did you mean {close[0]}?" if close else f"one of {', '.join(sorted(set(names))[:20])}")


def _sentences(rows: Iterable[Row], words: Words, language: Language) -> Iterable[str]:
    """One sentence for all principals that it is true of."""
    from sekisho.language import Joined, say

    said: dict[tuple[str, Phrase], list[str]] = {}
    for row in rows:
        said.setdefault((row.role, _sentence(row, words)), []).append(words.principal(row.principal))
    for (_, text), who in said.items():
        names = Joined((Joined(tuple(who[:-1])), who[-1]), "names") if len(who) > 1 else who[0]
        yield say(text.key, {**dict(text.values), "who": names}, language)


def _sentence(row: Row, words: Words) -> Phrase:
    """What is true of a way, but for whose it is."""
    from sekisho.language import Joined, phrase, reasons

    via: Text = phrase("reach.via", hops=Joined(tuple(words.role(hop) for hop in row.hops[:-1]))) if len(row.hops) > 1 else ""
    role = words.role(row.role)
    if not row.obtain:
        return phrase("reach.may", role=role, via=via, where=words.region_said(row.unknown), reasons=reasons(row.reasons))
    unsure = words.region_said(row.used.unsure, short=True)
    if row.use and row.used.unsure:
        use = words.region_said(row.use, short=True)
        rest = phrase("reach.works_also_perhaps", use=use, where=unsure, reasons=reasons(row.used.reasons))
    elif row.use:
        rest = phrase("reach.works", where=words.region_said(row.use, short=True))
    elif row.used.unsure:
        rest = phrase("reach.works_perhaps", where=unsure, reasons=reasons(row.used.reasons))
    else:
        rest = phrase("reach.works_nowhere")
    key, values = "reach.switches", {"role": role, "via": via, "where": words.region_said(row.obtain), "how": _how(row), "rest": rest}
    if row.unknown:
        key, values = "reach.switches_perhaps", {**values, "perhaps": words.region_said(row.unknown), "reasons": reasons(row.reasons)}
    return phrase(key, **values)


def _how(row: Row) -> Text:
    """What kinds of credentials can't do it, where the region doesn't tell."""
    from sekisho.language import phrase

    if row.kinds and all(k.startswith("console") for k in row.kinds):
        return phrase("reach.console")
    if any(k.startswith(("key", "session")) for k in row.kinds) and not any(k.startswith("console") for k in row.kinds):
        return phrase("reach.no_console")
    return ""


def _matrix(rows: Sequence[Row], words: Words, language: Language) -> None:
    """Roles down, principals across; principals with equal columns share one."""
    from sekisho.language import say

    cells: dict[str, dict[str, str]] = {}
    roles: dict[str, None] = {}
    for row in rows:
        roles[row.role] = None
        column = cells.setdefault(row.principal, {})
        text = words.places(row.obtain, language) if row.obtain else "?"
        if len(row.hops) > 1:
            text = say("reach.via_short", {"where": text, "hops": ", ".join(words.role(h) for h in row.hops[:-1])}, language)
        column[row.role] = f"{column[row.role]}\n{text}" if row.role in column else text
    columns: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for principal, column in cells.items():
        columns.setdefault(tuple(sorted(column.items())), []).append(words.principal(principal))
    if len(columns) > 12:
        click.echo(say("reach.many", {"principals": len(cells), "roles": len(roles)}, language))
        return
    header = [say("reach.role", {}, language), *(", ".join(who) for who in columns.values())]
    body = [[words.role(role), *(dict(column).get(role, "-") for column in columns)] for role in roles]
    console().print(table(say("reach.title", {}, language), header, body))
