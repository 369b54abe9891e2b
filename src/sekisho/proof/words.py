"""Regions, principals and roles in words: "from office, vpn with MFA", "from anywhere", "nowhere"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sekisho.language import Language, say
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
        short = name.rpartition("/")[2] if kind != "assumed-role" else name
        return short if kind == "user" else self.role(arn) if kind == "role" else f"{kind} {short}"

    def role(self, arn: str) -> str:
        """``account/name``, the account by its label where it has one."""
        parts = arn.split(":", 5)
        account = self._accounts.get(parts[4]) or parts[4]
        return f"{account}/{parts[5].rpartition('/')[2]}"

    def region(self, region: Region, *, short: bool = False) -> str:
        """A region in words; the boxes joined with "or". ``short``: named networks without their addresses."""
        if region.is_empty:
            return "from nowhere"
        return "; or ".join(self._box(box, short) for box in region.to_json())

    def places(self, region: Region) -> str:
        """Where from alone, without what else is asked: for a cell of a table."""
        if region.is_empty:
            return "-"
        found: dict[str, None] = {}
        for box in region.to_json():
            found[self._where(box, "", short=True)] = None
        return "; ".join(found)

    def _box(self, box: Mapping[str, Any], short: bool) -> str:
        text = self._where(box, "from ", short=short)
        asked = box.get(_MFA)
        if asked:
            if asked["values"] == ["true"]:
                text += " with MFA"
                if asked["absent"]:
                    text += " or a long-term key"
            elif asked["values"] == ["false"]:
                text += " without MFA" + (", keys or console" if asked["absent"] else " (not with a long-term key)")
            elif not asked["values"]:
                text += " with a long-term key"
            else:
                text += " with any but a long-term key"
        rest = [self._condition(key, said) for key, said in box.items() if key not in (_MFA, _IP)]
        return text + (", if " + " and ".join(rest) if rest else "")

    def _where(self, box: Mapping[str, Any], head: str, *, short: bool) -> str:
        said = box.get(_IP)
        if said is None:
            return head + "anywhere"
        parts = self._named(said["cidrs"], short) if said["cidrs"] else []
        but = self._all_but(said["cidrs"], short) if len(parts) > 3 else []
        if but:
            return head + ("anywhere but " if said["absent"] else "any public address but ") + ", ".join(but)
        text = head + ", ".join(parts) if parts else ""
        if said["absent"]:
            text += (" and " if text else "") + "through any VPC endpoint"
        return text or head + "no address"

    def _named(self, listed: Sequence[str], short: bool) -> list[str]:
        if list(listed) == ["0.0.0.0/0", "::/0"]:
            return ["any public address"]
        spans = [network(c, DEFAULT) for c in listed]
        named: list[str] = []
        covered: list[Span] = []
        for name, own in self._networks.items():
            if own and all(any(s.family == o.family and s.low <= o.low and o.high <= s.high for s in _spans(spans)) for o in own):
                named.append(name if short else f"{name} ({', '.join(cidrs(own))})")
                covered += own
        rest = cidrs(_without(_spans(spans), _spans(covered)))
        if len(rest) > 12:
            rest = [*rest[:6], f"… {len(rest) - 6} networks more"]
        return [*named, *rest]

    def _all_but(self, listed: Sequence[str], short: bool) -> list[str]:
        """What a list of networks leaves out, where that is the shorter way to say it."""
        rest = cidrs(_without([network(c, DEFAULT) for c in ("0.0.0.0/0", "::/0")], _spans(network(c, DEFAULT) for c in listed)))
        return self._named(rest, short) if rest and len(rest) < len(listed) else []

    @staticmethod
    def _condition(key: str, said: Mapping[str, Any]) -> str:
        name = "MFA's age in seconds" if key == _AGE else spelled(key)
        options = [f"is {v}" if v else "is empty" for v in said.get("values", ())] + [f"is in {c}" for c in said.get("cidrs", ())]
        words = {"at_least": "at least", "above": "above", "at_most": "at most", "below": "below"}
        options += ["is " + " and ".join(f"{words[k]} {v}" for k, v in r.items()) for r in said.get("ranges", ())]
        for pattern in said.get("patterns", ()):
            like = " and ".join(f"is like {p}" for p in pattern["like"])
            unlike = "is none of " + ", ".join(pattern["unlike"]) if pattern["unlike"] else ""
            options.append(" and ".join(t for t in (like, unlike) if t) or "is there")
        options += [f"is {', '.join(v)} together" for v in said.get("several", ())]
        options += [f"is such as {e}" for e in said.get("examples", ())]
        if said.get("absent"):
            options.append("is absent")
        return f"{name} {' or '.join(options)}" if options else f"{name} is what can't be told"


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
