"""A second opinion: IAM decisions encoded for the solver z3, from the JSON documents alone.

Written against the rule book, not against the product: it shares no code with it. A subset: what z3 expresses without doubt.
Left out, and refused with ``NotExpressible``: C-34 networks, set operators on several values (keys are single here), Date and Numeric texts that
aren't plain, IgnoreCase outside ASCII, wildcards in ARN conditions other than in the last component, principals other than users and accounts.

A context key is two variables: whether it is there, and its value: a bit vector for IPv4 (and one for IPv6, and which of the two), a Bool for
the bool keys, an Int (seconds, thousandths) for numbers and times, a String for others.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import z3


class NotExpressible(Exception):
    """The encoding doesn't cover this."""


_IP = ("aws:sourceip", "aws:vpcsourceip")
_BOOL = ("aws:multifactorauthpresent", "aws:viaawsservice", "aws:securetransport")
_DATES = ("aws:currenttime", "aws:tokenissuetime")
_NUMBER = ("aws:multifactorauthage", "sts:durationseconds", *_DATES)
_SEVERAL = ("aws:tagkeys", "aws:calledvia", "aws:epochtime")
"""Keys of several values (C-27), and the one that tells the same time as another (C-36)."""
ALWAYS = ("aws:viaawsservice", "aws:securetransport")
"""Keys that every request has (E-01)."""
_RCP = ("sts", "s3", "kms", "sqs", "secretsmanager")


class Encoding:
    """The variables of one question. ``facts``: keys that the caller fixes (lower case)."""

    def __init__(self, caller: str, account: str, action: str, resource: str, facts: Mapping[str, str]) -> None:
        self.caller, self.account, self.action, self.resource = caller, account, action, resource
        self.facts = facts
        self.there: dict[str, z3.BoolRef] = {}
        self.value: dict[str, Any] = {}

    def key(self, name: str) -> tuple[Any, Any]:
        lower = name.lower()
        if lower in _SEVERAL:
            raise NotExpressible("a key of several values, or the second clock")
        if lower in self.facts:
            return z3.BoolVal(True), z3.StringVal(self.facts[lower])
        if lower not in self.there:
            self.there[lower] = z3.Bool(f"there {lower}")
            if lower in _IP:
                self.value[lower] = (z3.Bool(f"v6 {lower}"), z3.BitVec(f"v4 {lower}", 32), z3.BitVec(f"v6 address {lower}", 128))
            elif lower in _BOOL:
                self.value[lower] = z3.Bool(lower)
            elif lower in _NUMBER:
                self.value[lower] = z3.Int(lower)
            else:
                self.value[lower] = z3.String(lower)
        return self.there[lower], self.value[lower]

    @property
    def real(self) -> Any:
        """What any request keeps to: no IPv4-mapped IPv6 address."""
        rules = []
        for lower, value in self.value.items():
            if lower in ALWAYS:
                rules.append(self.there[lower])
            if lower in _IP:
                rules.append(z3.LShR(value[2], 32) != z3.BitVecVal(0xFFFF, 128))
            if z3.is_string(value):
                rules.append(z3.Length(value) > 0)
        return z3.And(rules)

    # Statements -----------------------------------------------------------------------------------------------------

    def decision(self, documents: Mapping[str, Any], *, same_account: bool, needs_trust: bool) -> Any:
        """Whether the request is allowed (D.1, D.2) for a user as caller."""
        layers: dict[str, list[Mapping[str, Any]]] = {}
        for layer in ("identity", "boundary", "resource", "vpc_endpoint"):
            if layer in documents:
                layers[layer] = list(documents[layer])
        for layer in ("service_control", "resource_control"):
            if layer == "resource_control" and self.action.partition(":")[0].lower() not in _RCP:
                continue
            for i, level in enumerate(documents.get(layer, ())):
                layers[f"{layer} {i}"] = list(level)
        denied, must = [], []
        direct: list[Any] = []
        named: list[Any] = []
        for layer, listed in layers.items():
            allows = []
            for document in listed:
                for block in _listed(document["Statement"]):
                    how = self.names(block)
                    if how == 0:
                        continue
                    holds = z3.And(self.about(document, block, layer), self.conditions(document, block))
                    if block["Effect"] == "Deny":
                        denied.append(holds)
                    else:
                        allows.append(holds)
                        if layer == "resource" and how == 3:
                            direct.append(holds)
            if layer == "resource":
                named = allows
            elif not layer.startswith("resource_control"):
                must.append((layer, z3.Or(allows)))
        bypass = z3.Or(direct) if same_account else z3.BoolVal(False)
        clauses = []
        for layer, held in must:
            clauses.append(z3.Or(held, bypass) if layer in ("identity", "boundary") else held)
        if "identity" not in layers:
            clauses.append(bypass)
        if needs_trust or not same_account:
            clauses.append(z3.Or(named))
        return z3.And(z3.Not(z3.Or(denied)), *clauses)

    def names(self, block: Mapping[str, Any]) -> int:
        """0: doesn't name the caller, 1: its account, 3: the caller itself or everyone."""
        if "NotPrincipal" in block:
            return 3 if self.names({"Principal": block["NotPrincipal"]}) == 0 else 0
        if "Principal" not in block:
            return 3
        element = block["Principal"]
        if element == "*":
            return 3
        best = 0
        for kind, values in element.items():
            if kind != "AWS":
                continue
            for value in _listed(values):
                if value in ("*", self.caller):
                    best = 3
                elif value in (self.account, f"arn:aws:iam::{self.account}:root"):
                    best = max(best, 1)
        return best

    def about(self, document: Mapping[str, Any], block: Mapping[str, Any], layer: str) -> Any:
        inverted = "NotAction" in block
        acts = any(_glob(p.lower(), self.action.lower()) for p in _listed(block["NotAction" if inverted else "Action"]))
        if acts == inverted:
            return z3.BoolVal(False)
        if "Resource" not in block and "NotResource" not in block:
            return z3.BoolVal(True)
        inverted = "NotResource" in block
        held = z3.Or([self.resource_is(document, p) for p in _listed(block["NotResource" if inverted else "Resource"])])
        return z3.Not(held) if inverted else held

    def resource_is(self, document: Mapping[str, Any], pattern: str) -> Any:
        if pattern == "*":
            return z3.BoolVal(True)
        if "${" in pattern and document.get("Version") == "2012-10-17":
            head, _, rest = pattern.partition("${")
            name, _, tail = rest.partition("}")
            if "${" in tail or "," in name or "*" in head or "?" in head:
                raise NotExpressible(pattern)
            there, value = self.key(name)
            stretch = self.resource.removeprefix(head)
            if not self.resource.startswith(head):
                return z3.BoolVal(False)
            return z3.And(there, z3.Or([value == z3.StringVal(stretch[:i]) for i in range(len(stretch) + 1) if _glob(tail, stretch[i:])]))
        mine, theirs = pattern.split(":", 5), self.resource.split(":", 5)
        if len(mine) < 6 or len(theirs) < 6:
            if len(mine) < 6:
                raise NotExpressible(pattern)
            return z3.BoolVal(False)
        if any("*" in part[:-1] or "?" in part for part in mine[:5]):
            raise NotExpressible(pattern)
        return z3.BoolVal(_glob(pattern, self.resource))

    # Conditions -----------------------------------------------------------------------------------------------------

    def conditions(self, document: Mapping[str, Any], block: Mapping[str, Any]) -> Any:
        held = []
        for operator, keys in block.get("Condition", {}).items():
            for key, values in keys.items():
                held.append(self.condition(document, operator, key, [str(v) for v in _listed(values)]))
        return z3.And(held)

    def condition(self, document: Mapping[str, Any], operator: str, key: str, values: list[str]) -> Any:
        there, value = self.key(key)
        if ":" in operator:
            raise NotExpressible("a set operator")
        if operator == "Null":
            return z3.Or([z3.Not(there) if v == "true" else there for v in values])
        if_exists = operator.endswith("IfExists")
        base = operator.removesuffix("IfExists")
        negated = base.startswith("Not") or "Not" in base[3:]
        positive = base.replace("Not", "", 1) if negated else base
        hits = []
        for text in values:
            hits.append(self.compare(document, positive, key.lower(), value, text))
        hit = z3.Or(hits)
        when_there = z3.Not(hit) if negated else hit
        absent = z3.BoolVal(negated or if_exists)
        return z3.If(there, when_there, absent)

    def compare(self, document: Mapping[str, Any], operator: str, lower: str, value: Any, text: str) -> Any:
        if operator == "IpAddress":
            if lower not in _IP:
                raise NotExpressible("an address operator on another key")
            return _inside(value, text)
        if lower in _IP:
            raise NotExpressible("an address compared as text")
        if operator == "Bool":
            if lower not in _BOOL:
                raise NotExpressible("Bool on a text")
            return value if text.lower() == "true" else z3.Not(value)
        if lower in _BOOL:
            raise NotExpressible("a bool compared as text")
        if operator.startswith(("Numeric", "Date")):
            if lower not in _NUMBER or operator.startswith("Date") != (lower in _DATES):
                raise NotExpressible("a number operator on another key")
            point = _date(text) if operator.startswith("Date") else _number(text)
            if point is None:
                return z3.BoolVal(False)
            relation = operator.removeprefix("Numeric").removeprefix("Date")
            return {
                "Equals": value == point, "LessThan": value < point, "LessThanEquals": value <= point, "GreaterThan": value > point,
                "GreaterThanEquals": value >= point,
            }[relation]  # fmt: skip
        if lower in _NUMBER:
            raise NotExpressible("a number compared as text")
        if operator in ("StringEquals", "StringLike", "BinaryEquals"):
            return self.text(document, operator, value, text)
        if operator == "StringEqualsIgnoreCase" and "${" not in text and text.isascii():
            letters = [z3.Re("")] + [z3.Union(z3.Re(c.lower()), z3.Re(c.upper()), z3.Re("\u212a" if c.lower() == "k" else c)) for c in text]
            return z3.InRe(value, z3.Concat(*letters) if text else z3.Re(""))
        if operator in ("ArnEquals", "ArnLike"):
            return self.arn(document, value, text)
        raise NotExpressible(operator)

    def text(self, document: Mapping[str, Any], operator: str, value: Any, text: str) -> Any:
        parts: list[Any] = []
        present: list[Any] = []
        expands = operator != "BinaryEquals" and document.get("Version") == "2012-10-17"
        rest = text
        while rest:
            head, found, tail = rest.partition("${") if expands else (rest, "", "")
            parts.append(head)
            rest = ""
            if found:
                inner, _, rest = tail.partition("}")
                if inner in ("*", "?", "$"):
                    raise NotExpressible(text)
                name, comma, default = inner.partition(",")
                there, variable = self.key(name.strip())
                if not z3.is_string(variable):
                    raise NotExpressible(text)
                if comma:
                    variable = z3.If(there, variable, z3.StringVal(default.strip().strip("'")))
                else:
                    present.append(there)
                parts.append(variable)
        wild = operator == "StringLike"
        if not any(isinstance(p, str) and wild and ("*" in p or "?" in p) for p in parts):
            whole = z3.Concat([z3.StringVal(""), z3.StringVal(""), *(z3.StringVal(p) if isinstance(p, str) else p for p in parts)])
            return z3.And(*present, value == whole)
        if all(isinstance(p, str) for p in parts):
            return z3.InRe(value, _regex("".join(parts)))
        # One variable, then a pattern: the value begins with the variable, and what is left matches.
        if len([p for p in parts if not isinstance(p, str)]) == 1 and parts[0] in ("",) and len(parts) == 3:
            variable, tail = parts[1], parts[2]
            remainder = z3.SubString(value, z3.Length(variable), z3.Length(value) - z3.Length(variable))
            return z3.And(*present, z3.PrefixOf(variable, value), z3.InRe(remainder, _regex(tail)))
        raise NotExpressible(text)

    def arn(self, document: Mapping[str, Any], value: Any, text: str) -> Any:
        if "${" in text:
            raise NotExpressible("a variable in an ARN")
        parts = text.split(":", 5)
        if len(parts) < 6:
            return z3.BoolVal(False)
        pieces: list[Any] = []
        for i, part in enumerate(parts):
            if i:
                pieces.append(z3.Re(":"))
            pieces.append(_regex(part, colon=i == 5))
        return z3.InRe(value, z3.Concat(*pieces))


_ANY = z3.AllChar(z3.ReSort(z3.StringSort()))
_BUT_COLON = z3.Intersect(_ANY, z3.Complement(z3.Re(":")))


def _regex(text: str, *, colon: bool = True) -> Any:
    one = _ANY if colon else _BUT_COLON
    pieces: list[Any] = [z3.Re("")]
    plain = ""
    for char in text:
        if char in "*?":
            if plain:
                pieces.append(z3.Re(plain))
                plain = ""
            pieces.append(z3.Star(one) if char == "*" else one)
        else:
            plain += char
    if plain:
        pieces.append(z3.Re(plain))
    return z3.Concat(*pieces) if len(pieces) > 1 else pieces[0]


def _inside(value: Any, text: str) -> Any:
    is_v6, v4, v6 = value
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return z3.BoolVal(False)
    first, last = int(network[0]), int(network[-1])
    if network.version == 6 and first >> 32 == 0xFFFF and network.prefixlen >= 96:
        raise NotExpressible("a network of IPv4-mapped addresses (C-34)")
    if network.version == 4:
        return z3.And(z3.Not(is_v6), z3.UGE(v4, first), z3.ULE(v4, last))
    return z3.And(is_v6, z3.UGE(v6, first), z3.ULE(v6, last))


def _number(text: str) -> int | None:
    """Thousandths."""
    try:
        scaled = Fraction(text) * 1000
    except ValueError:
        return None
    if scaled.denominator != 1:
        raise NotExpressible(text)
    return int(scaled)


def _date(text: str) -> int | None:
    if text.isdigit() and len(text) != 4:
        return int(text) * 1000
    try:
        if len(text) == 4:
            return int(datetime(int(text), 1, 1, tzinfo=UTC).timestamp()) * 1000
        at = datetime.fromisoformat(text.replace(".5Z", ".500Z"))
    except ValueError:
        raise NotExpressible(text) from None
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _glob(pattern: str, text: str) -> bool:
    """``*`` and ``?``, by recursion: slow and plain."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(_glob(pattern[1:], text[i:]) for i in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and _glob(pattern[1:], text[1:])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def context_of(encoding: Encoding, model: Any) -> dict[str, str]:
    """A request context out of a solver's model."""
    context = {}
    for lower, there in encoding.there.items():
        if not z3.is_true(model.eval(there, model_completion=True)):
            continue
        value = encoding.value[lower]
        if lower in _IP:
            v6 = z3.is_true(model.eval(value[0], model_completion=True))
            number = model.eval(value[2 if v6 else 1], model_completion=True).as_long()
            context[lower] = str(ipaddress.IPv6Address(number) if v6 else ipaddress.IPv4Address(number))
        elif lower in _BOOL:
            context[lower] = "true" if z3.is_true(model.eval(value, model_completion=True)) else "false"
        elif lower in _NUMBER:
            thousandths = model.eval(value, model_completion=True).as_long()
            context[lower] = f"{'-' if thousandths < 0 else ''}{abs(thousandths) // 1000}.{abs(thousandths) % 1000:03}"
        else:
            text = model.eval(value, model_completion=True).as_string()
            context[lower] = re.sub(r"\\u\{([0-9a-f]+)\}", lambda m: chr(int(m.group(1), 16)), text)
    return context


def fixed_by(encoding: Encoding, context: Mapping[str, Any]) -> Any:
    """The formula that says that the variables are a given context's; NotExpressible where it has values of no such kind."""
    rules = []
    for lower, there in encoding.there.items():
        text = context.get(lower)
        if text is None:
            rules.append(z3.Not(there))
            continue
        if not isinstance(text, str):
            raise NotExpressible("several values")
        value = encoding.value[lower]
        rules.append(there)
        if lower in _IP:
            try:
                address = ipaddress.ip_address(text)
            except ValueError:
                raise NotExpressible(text) from None
            if address.version == 6 and address.ipv4_mapped:
                address = address.ipv4_mapped
            rules.append(value[0] if address.version == 6 else z3.Not(value[0]))
            rules.append(value[2 if address.version == 6 else 1] == int(address))
        elif lower in _BOOL:
            rules.append(value == (text.lower() == "true"))
        elif lower in _NUMBER:
            is_date = lower in _DATES and not re.fullmatch(r"-?\d+\.\d+|-\d+|\d{5,}", text)
            number = _date(text) if is_date else _number(text)
            if number is None:
                raise NotExpressible(text)
            rules.append(value == number)
        else:
            rules.append(value == z3.StringVal(text))
    return z3.And(rules)
