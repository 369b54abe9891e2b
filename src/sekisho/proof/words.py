"""Regions, principals and roles in words: "from office, vpn with MFA", "from anywhere", "nowhere"; in the language that they are asked in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sekisho.language import Joined, Language, Phrase, Text, phrase, say, spoken
from sekisho.policy.condition import Value
from sekisho.policy.keys import spelled
from sekisho.policy.operators import Span, network
from sekisho.policy.settings import DEFAULT
from sekisho.proof.atoms import cidrs
from sekisho.proof.region import Region

_MFA, _AGE, _IP = "aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge", "aws:SourceIp"
NETWORK_KEYS = frozenset(("aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"))


class Words:
    """How things are called: ``networks`` by name, as a sekisho.yaml has them; ``accounts``: id → label."""

    def __init__(self, networks: Mapping[str, Sequence[str]] | None = None, accounts: Mapping[str, str] | None = None) -> None:
        self._networks = {name: _spans(network(c, DEFAULT) for c in listed) for name, listed in (networks or {}).items()}
        self._accounts = dict(accounts or {})

    def principal(self, arn: str) -> str:
        """A user by its name; anything else by kind and name, or as it is."""
        parts = arn.split(":", 5)
        if len(parts) < 6:
            return arn
        kind, _, name = parts[5].partition("/")
        if kind == "root":
            return f"{self._accounts.get(parts[4]) or parts[4]}/root"
        short = name.rpartition("/")[2] if kind != "assumed-role" else name
        return short if kind == "user" else self.role(arn) if kind == "role" else f"{kind} {short}"

    def role(self, arn: str) -> str:
        """``account/name``, the account by its label where it has one."""
        parts = arn.split(":", 5)
        account = self._accounts.get(parts[4]) or parts[4]
        return f"{account}/{parts[5].rpartition('/')[2]}"

    def region(self, region: Region, *, short: bool = False, language: Language = "en") -> str:
        """A region in words; the boxes joined with "or". ``short``: named networks without their addresses."""
        return spoken(self.region_said(region, short=short), language)

    def region_said(self, region: Region, *, short: bool = False, place_is_known: bool = False) -> Text:
        """The same for any language. ``place_is_known``: a place was asked about, so that one is said only where the region tells places apart."""
        if region.is_empty:
            return phrase("where.nowhere")
        if not region.is_listable:
            return phrase("where.many", keys=Joined(tuple(spelled(k) for k in region.keys if not k.startswith("*"))))
        boxes = region.to_json()
        placed = not place_is_known or any(_IP in box for box in boxes)
        return Joined(tuple(self._box(box, short, placed) for box in boxes), "box")

    def places(self, region: Region, language: Language = "en") -> str:
        """Where from alone, without what else is asked: for a cell of a table."""
        return spoken(self.places_said(region), language)

    def places_said(self, region: Region) -> Text:
        """The same for any language."""
        if region.is_empty:
            return "-"
        if not region.is_listable:
            return "?"
        return Joined(tuple(dict.fromkeys(self._where(box, "", short=True) for box in region.to_json())), "semicolon")

    def _box(self, box: Mapping[str, Any], short: bool, placed: bool) -> Text:
        where = self._where(box, ".from", short=short)
        mfa = _mfa(box.get(_MFA))
        rest = tuple(self._condition(key, said) for key, said in box.items() if key not in (_MFA, _IP))
        conditions = Joined(rest, "and")
        if not placed and (mfa is not None or rest):
            if mfa is not None and rest:
                return phrase("region.both_alone", mfa=mfa, conditions=conditions)
            return phrase("region.mfa_alone", mfa=mfa) if mfa is not None else phrase("region.if_alone", conditions=conditions)
        if mfa is not None and rest:
            return phrase("region.both", where=where, mfa=mfa, conditions=conditions)
        if mfa is not None:
            return phrase("region.mfa", where=where, mfa=mfa)
        return phrase("region.if", where=where, conditions=conditions) if rest else where

    def _where(self, box: Mapping[str, Any], head: str, *, short: bool) -> Phrase:
        """``head``: ``.from``, or nothing where the places stand alone."""
        said = box.get(_IP)
        if said is None:
            return phrase(f"where.anywhere{head}")
        parts = self._named(said["cidrs"], short) if said["cidrs"] else ()
        but = self._all_but(said["cidrs"], short) if len(parts) > 3 else ()
        if but:
            return phrase(f"where.{'all_but' if said['absent'] else 'public_but'}{head}", places=Joined(but))
        if parts:
            return phrase(f"where.{'and_endpoint' if said['absent'] else 'places'}{head}", places=Joined(parts))
        return phrase("where.endpoint") if said["absent"] else phrase(f"where.no_address{head}")

    def _named(self, listed: Sequence[str], short: bool) -> tuple[Text, ...]:
        if list(listed) == ["0.0.0.0/0", "::/0"]:
            return (phrase("where.public"),)
        spans = [network(c, DEFAULT) for c in listed]
        named: list[Text] = []
        covered: list[Span] = []
        for name, own in self._networks.items():
            if own and all(any(s.family == o.family and s.low <= o.low and o.high <= s.high for s in _spans(spans)) for o in own):
                named.append(name if short else f"{name} ({', '.join(cidrs(own))})")
                covered += own
        rest = cidrs(_without(_spans(spans), _spans(covered)))
        if len(rest) > 12:
            return (*named, *rest[:6], phrase("where.more", n=len(rest) - 6))
        return (*named, *rest)

    def _all_but(self, listed: Sequence[str], short: bool) -> tuple[Text, ...]:
        """What a list of networks leaves out, where that is the shorter way to say it."""
        rest = cidrs(_without([network(c, DEFAULT) for c in ("0.0.0.0/0", "::/0")], _spans(network(c, DEFAULT) for c in listed)))
        return self._named(rest, short) if rest and len(rest) < len(listed) else ()

    @staticmethod
    def _condition(key: str, said: Mapping[str, Any]) -> Phrase:
        name: Text = phrase("mfa.age") if key == _AGE else spelled(key)
        options: list[Text] = [phrase("option.is", value=v) if v else phrase("option.empty") for v in said.get("values", ())]
        options += [phrase("option.in", value=c) for c in said.get("cidrs", ())]
        for r in said.get("ranges", ()):
            options.append(phrase("option.is", value=Joined(tuple(phrase(f"option.{k}", value=str(v)) for k, v in r.items()), "and")))
        for pattern in said.get("patterns", ()):
            parts: list[Text] = [phrase("option.like", value=p) for p in pattern["like"]]
            parts += [phrase("option.unlike", value=Joined(tuple(pattern["unlike"])))] if pattern["unlike"] else []
            options.append(Joined(tuple(parts), "and") if parts else phrase("option.there"))
        options += [phrase("option.together", value=Joined(tuple(v))) for v in said.get("several", ())]
        options += [phrase("option.such", value=str(e)) for e in said.get("examples", ())]
        if said.get("absent"):
            options.append(phrase("option.absent"))
        return phrase("condition.holds", name=name, options=Joined(tuple(options), "or")) if options else phrase("condition.unknown", name=name)


def _mfa(asked: Mapping[str, Any] | None) -> Phrase | None:
    """What a box asks of the second factor; None where it doesn't."""
    if not asked:
        return None
    values, absent = asked["values"], asked["absent"]
    if values == ["true"]:
        return phrase("mfa.yes_or_key" if absent else "mfa.yes")
    if values == ["false"]:
        return phrase("mfa.no_or_key" if absent else "mfa.no")
    return phrase("mfa.key" if not values else "mfa.not_key")


def _spans(given: Iterable[Span]) -> list[Span]:
    """The spans in order, neighbours joined."""
    rows: list[Span] = []
    for span in sorted(given):
        if rows and rows[-1].family == span.family and span.low <= rows[-1].high + 1:
            rows[-1] = Span(span.family, rows[-1].low, max(rows[-1].high, span.high))
        else:
            rows.append(span)
    return rows


def _without(spans: Sequence[Span], taken: Sequence[Span]) -> list[Span]:
    rows = list(spans)
    for cut in taken:
        following = []
        for span in rows:
            if span.family != cut.family or cut.high < span.low or span.high < cut.low:
                following.append(span)
                continue
            if span.low < cut.low:
                following.append(Span(span.family, span.low, cut.low - 1))
            if cut.high < span.high:
                following.append(Span(span.family, cut.high + 1, span.high))
        rows = following
    return rows


@dataclass(frozen=True)
class Turn:
    """One thing that would have to be otherwise for an answer to turn: ``turn.<kind>`` in the catalogue of texts, with its values."""

    kind: str
    values: Mapping[str, str] = field(default_factory=dict)

    def text(self, language: Language = "en") -> str:
        return say(f"turn.{self.kind}", self.values, language)


def turns(changes: Mapping[str, Value | None], places: Mapping[str, str] | None = None) -> list[Turn]:
    """Changed keys of a request (``Answer.flips``) as what somebody would do: another network first, then MFA, then the rest.

    ``places``: address → what the place is called.

    >>> turns({"aws:multifactorauthpresent": "true", "aws:sourceip": "203.0.113.10"})
    [Turn(kind='address', values={'address': '203.0.113.10'}), Turn(kind='mfa', values={})]
    """
    found: list[Turn] = []
    mfa = changes.get(_MFA.lower(), "left")
    if mfa != "left":
        found.append(Turn("mfa" if mfa == "true" else "no_mfa" if mfa == "false" else "long_term_key"))
    for key, value in changes.items():
        if key in (_MFA.lower(), "aws:tokenissuetime") or (key == _AGE.lower() and mfa != "left" and value is None):
            continue
        if key == _IP.lower():
            address = value if isinstance(value, str) else ", ".join(value or ())
            name = (places or {}).get(address)
            found.append(Turn("endpoint") if value is None else Turn("address", {"address": f"{name} ({address})" if name else address}))
        elif value is None:
            found.append(Turn("absent", {"key": spelled(key)}))
        else:
            found.append(Turn("value", {"key": spelled(key), "value": value if isinstance(value, str) else ", ".join(value)}))
    return sorted(found, key=lambda turn: turn.kind != "address") or [Turn("credentials")]
