"""The condition operators, one row each (C.3, C.4): how policy and request texts are read, whether a value holds, where that can change.

``decide`` asks ``holds`` of the one value that a request has. ``prove`` cuts a key's values at the ``cuts`` of every policy value, takes
one value from each cell, and asks the same ``holds``: between neighbouring cuts it can't change. Negated operators (NotIpAddress,
StringNotEquals, …) are the same row with ``negated`` set: every listed value must fail (C-02).

Four families of values:

=========  ==============================================  ===============================================================
family     a request value is read as                      cuts of one policy value
=========  ==============================================  ===============================================================
string     itself                                          a Pattern: the strings that match it, and the others
ordered    a Decimal (numbers; dates as epoch seconds)     ``Cut(value)``: below, at and above may differ
ip         ``Address(family 4 or 6, integer)``             ``Span``: the first and the last address of a network
bool       True or False (C-30)                            none: there are two values
=========  ==============================================  ===============================================================
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import Any, Final, Literal, NamedTuple

from sekisho.policy.pattern import Pattern, Piece, arn_pattern, folded_pattern, tokens
from sekisho.policy.settings import Settings

Family = Literal["string", "ordered", "ip", "bool"]


class Unreadable(Exception):
    """A text that isn't of the operator's kind. As a policy value it matches nothing (C-11, C-17, C-18, C-32)."""


class Unknown(Exception):
    """A policy value that we can read but whose meaning AWS doesn't tell (C-34): the answer is unknown, not false."""


class Address(NamedTuple):
    """An IP address; the families are apart (C-16)."""

    family: int
    value: int


class Span(NamedTuple):
    """A network: all addresses of one family from ``low`` to ``high``, both included."""

    family: int
    low: int
    high: int


class Cut(NamedTuple):
    """A point on the line of numbers or times where an answer can change: just below, at, or just above ``value``."""

    value: Decimal


Want = Any
Have = Any
Cuts = Iterable["Span | Cut | Pattern"]


@dataclass(frozen=True)
class Operator:
    """One row. ``name`` is the operator without set operator and IfExists.

    ``read(pieces, settings)`` turns policy text (pieces of text, variables expanded) into a Want; raises Unreadable or Unknown.
    ``have(text)`` turns a request's text into a Have; raises Unreadable.
    ``holds(have, want)`` is the positive comparison; ``negated`` turns the outcome of the whole list round (C-02).
    ``cuts(want)`` are the points where ``holds`` can change along the key. ``expands``: variables are allowed (B-10).
    ``invalid_have``: what the operator says of a request value that can't be read, whatever the policy lists.
    ``among(wants)`` is ``any(holds(have, w) for w in wants)``, made fast where lists are long.
    """

    name: str
    family: Family
    read: Callable[[Sequence[Piece], Settings], Want]
    have: Callable[[str], Have]
    holds: Callable[[Have, Want], bool]
    cuts: Callable[[Want], Cuts]
    negated: bool = False
    expands: bool = False
    invalid_have: bool = False
    among: Callable[[Sequence[Want]], Callable[[Have], bool]] | None = None

    def of_invalid(self, settings: Settings) -> bool:
        """``invalid_have`` under ``settings``, of which dates are one."""
        return not settings.invalid_date_fails_negated if self.name == "DateNotEquals" else self.invalid_have


def _plain(pieces: Sequence[Piece]) -> str:
    return "".join(p.text for p in pieces)


def _same(text: str) -> str:
    return text


# --- strings -----------------------------------------------------------------------------------------------------------


def _read_exact(pieces: Sequence[Piece], _settings: Settings) -> str:
    return _plain(pieces)


def _read_lower(pieces: Sequence[Piece], _settings: Settings) -> str:
    return _plain(pieces).lower()


def _read_like(pieces: Sequence[Piece], _settings: Settings) -> Pattern:
    return Pattern.of(tokens(pieces))


def _equal(have: Have, want: Want) -> bool:
    return bool(have == want)


def _like(have: str, want: Pattern) -> bool:
    return want.matches(have)


def _exactly(want: str) -> Cuts:
    return (Pattern.of(tokens([Piece(want, literal=True)])),)


def _in_any_case(want: str) -> Cuts:
    return (folded_pattern(want),)


def _itself(want: Pattern) -> Cuts:
    return (want,)


def _among_equal(wants: Sequence[Want]) -> Callable[[Have], bool]:
    return frozenset(wants).__contains__


# --- ARNs --------------------------------------------------------------------------------------------------------------


def _read_arn(pieces: Sequence[Piece], _settings: Settings) -> Pattern:
    pattern = arn_pattern(pieces)
    if pattern is None:
        raise Unreadable("an ARN has six components")
    return pattern


def _have_arn(text: str) -> str:
    if text.count(":") < 5:
        raise Unreadable("an ARN has six components")
    return text


# --- numbers and dates ---------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,6})?", re.ASCII)
_DATE = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:[Tt](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d+))?)?(?P<zone>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)?)?)?)?",
    re.ASCII,
)
_SECONDS = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_EPOCH = 9223372036854775807


def number(text: str) -> Decimal:
    """C-32: decimal syntax (``1e1``, ``-0.5``, ``007``), kept exactly. Raises Unreadable."""
    if not _NUMBER.fullmatch(text):
        raise Unreadable("not a number")
    return Decimal(text)


def moment(text: str) -> Decimal:
    """C-12: a date of W3C's ISO 8601 profile, or epoch seconds, as seconds since 1970 (UTC), exactly. Raises Unreadable.

    No zone: UTC; a date alone: 00:00:00. Four digits are a year.

    >>> moment("2026-01-01T09:00:00+09:00") == moment("2026-01-01") == moment("1767225600")
    True
    """
    match = _DATE.fullmatch(text)
    if not match:
        if not _SECONDS.fullmatch(text):
            raise Unreadable("not a date")
        return Decimal(text)
    part = match.groupdict()
    zone = part["zone"] or "Z"
    offset = timedelta(0)
    if zone not in "Zz":
        offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])) * (-1 if zone[0] == "-" else 1)
    try:
        at = datetime(
            int(part["year"]), int(part["month"] or 1), int(part["day"] or 1),
            int(part["hour"] or 0), int(part["minute"] or 0), int(part["second"] or 0), tzinfo=UTC,
        )  # fmt: skip
    except ValueError as error:
        raise Unreadable("not a date") from error
    whole = (at - _EPOCH) - offset
    fraction = part["fraction"] or "0"
    return Context(prec=20 + len(fraction)).add(Decimal(whole.days * 86400 + whole.seconds), Decimal("0." + fraction))


def policy_moment(text: str) -> Decimal:
    """A date as a policy may have it: ISO 8601, or whole epoch seconds from 0 to 9223372036854775807. Raises Unreadable."""
    value = moment(text)
    if not _DATE.fullmatch(text) and not (text.isdigit() and value <= _LATEST_EPOCH):
        raise Unreadable("not a date, nor whole seconds since 1970")
    return value


def _read_number(pieces: Sequence[Piece], _settings: Settings) -> Decimal:
    return number(_plain(pieces))


def _read_moment(pieces: Sequence[Piece], _settings: Settings) -> Decimal:
    return policy_moment(_plain(pieces))


def _at(want: Decimal) -> Cuts:
    return (Cut(want),)


def _less(have: Decimal, want: Decimal) -> bool:
    return have < want


def _less_or_equal(have: Decimal, want: Decimal) -> bool:
    return have <= want


def _greater(have: Decimal, want: Decimal) -> bool:
    return have > want


def _greater_or_equal(have: Decimal, want: Decimal) -> bool:
    return have >= want


# --- booleans, bytes -------------------------------------------------------------------------------------------------------


def boolean(text: str) -> bool:
    """C-30: ``true`` in any letter case is true, every other text is false."""
    return text.lower() == "true"


def _read_bool(pieces: Sequence[Piece], _settings: Settings) -> bool:
    return boolean(_plain(pieces))


def _no_cuts(_want: Want) -> Cuts:
    return ()


# --- addresses ---------------------------------------------------------------------------------------------------------

_BITS = {4: 32, 6: 128}
_INET, _INET6 = int(AF_INET), int(AF_INET6)
_PREFIX = re.compile(r"\d{1,3}", re.ASCII)
_MAPPED_LOW = 0xFFFF << 32
_MAPPED_HIGH = _MAPPED_LOW | 0xFFFFFFFF


@lru_cache(maxsize=256)  # one request asks the same address of several statements
def address(text: str) -> Address:
    """An IP address; an IPv4-mapped IPv6 address is the IPv4 address that it carries (C-34). Raises Unreadable.

    >>> address("::ffff:203.0.113.5") == address("203.0.113.5")
    True
    """
    try:
        if ":" in text:
            value = int.from_bytes(inet_pton(_INET6, text), "big")
            return Address(4, value & 0xFFFFFFFF) if _MAPPED_LOW <= value <= _MAPPED_HIGH else Address(6, value)
        return Address(4, int.from_bytes(inet_pton(_INET, text), "big"))
    except (OSError, ValueError) as error:
        raise Unreadable("not an IP address") from error


def network(text: str, settings: Settings) -> Span:
    """C-15: a CIDR, or a bare address as a host route. Raises Unreadable; Unknown for a network inside ::ffff:0:0/96 (C-34)."""
    host, slash, prefix = text.partition("/")
    try:
        family = 6 if ":" in host else 4
        value = int.from_bytes(inet_pton(_INET6 if family == 6 else _INET, host), "big")
    except (OSError, ValueError) as error:
        raise Unreadable("not a CIDR") from error
    bits = _BITS[family]
    if not slash:
        length = settings.v6_host_prefix if family == 6 else bits
    elif _PREFIX.fullmatch(prefix) and int(prefix) <= bits:
        length = int(prefix)
    else:
        raise Unreadable("not a CIDR")
    free = (1 << (bits - length)) - 1
    if value & free and not settings.host_bits_are_masked:
        raise Unreadable("host bits set")
    low = value & ~free
    if family == 6 and length >= 96 and _MAPPED_LOW <= low <= _MAPPED_HIGH:
        raise Unknown("a network of IPv4-mapped addresses (::ffff:0:0/96): AWS doesn't say whether it matches IPv4 callers")
    return Span(family, low, low | free)


def _read_network(pieces: Sequence[Piece], settings: Settings) -> Span:
    return network(_plain(pieces), settings)


def _inside(have: Address, want: Span) -> bool:
    return have[0] == want[0] and want[1] <= have[1] <= want[2]


def _edges(want: Span) -> Cuts:
    return (want,)


def _among_networks(wants: Sequence[Span]) -> Callable[[Address], bool]:
    if len(wants) <= 4:
        spans = tuple(wants)

        def in_few(have: Address) -> bool:
            family, value = have
            for span_family, low, high in spans:
                if low <= value <= high and family == span_family:
                    return True
            return False

        return in_few
    lows: dict[int, list[int]] = {4: [], 6: []}
    highs: dict[int, list[int]] = {4: [], 6: []}
    for family, low, high in sorted(wants):
        if highs[family] and low <= highs[family][-1] + 1:
            highs[family][-1] = max(highs[family][-1], high)
        else:
            lows[family].append(low)
            highs[family].append(high)

    def in_many(have: Address) -> bool:
        family, value = have
        i = bisect_right(lows[family], value) - 1
        return i >= 0 and value <= highs[family][i]

    return in_many


# --- the table -----------------------------------------------------------------------------------------------------------


def _pair(row: Operator, negated_name: str) -> tuple[Operator, Operator]:
    turned = Operator(
        negated_name, row.family, row.read, row.have, row.holds, row.cuts,
        negated=True, expands=row.expands, invalid_have=not row.invalid_have, among=row.among,
    )  # fmt: skip
    return row, turned


def _ordered(name: str, read: Callable[[Sequence[Piece], Settings], Want], have: Callable[[str], Have]) -> list[Operator]:
    def row(suffix: str, holds: Callable[[Have, Want], bool]) -> Operator:
        return Operator(name + suffix, "ordered", read, have, holds, _at)

    equals = row("Equals", _equal)
    # C-32: a request value that is no number fails NumericNotEquals too.
    not_equals = Operator(name + "NotEquals", "ordered", read, have, _equal, _at, negated=True, invalid_have=False)
    return [
        equals, not_equals, row("LessThan", _less), row("LessThanEquals", _less_or_equal),
        row("GreaterThan", _greater), row("GreaterThanEquals", _greater_or_equal),
    ]  # fmt: skip


_STRING_EQUALS = Operator("StringEquals", "string", _read_exact, _same, _equal, _exactly, expands=True, among=_among_equal)
_STRING_LIKE = Operator("StringLike", "string", _read_like, _same, _like, _itself, expands=True)
# C-33: full Unicode lower-case forms.
_IGNORE_CASE = Operator("StringEqualsIgnoreCase", "string", _read_lower, str.lower, _equal, _in_any_case, expands=True, among=_among_equal)
_ARN_LIKE = Operator("ArnLike", "string", _read_arn, _have_arn, _like, _itself, expands=True)
_ARN_EQUALS = Operator("ArnEquals", "string", _read_arn, _have_arn, _like, _itself, expands=True)
_IP = Operator("IpAddress", "ip", _read_network, address, _inside, _edges, among=_among_networks)

OPERATORS: dict[str, Operator] = {
    row.name: row
    for row in (
        *_pair(_STRING_EQUALS, "StringNotEquals"),
        *_pair(_IGNORE_CASE, "StringNotEqualsIgnoreCase"),
        *_pair(_STRING_LIKE, "StringNotLike"),
        *_ordered("Numeric", _read_number, number),
        *_ordered("Date", _read_moment, moment),
        Operator("Bool", "bool", _read_bool, boolean, _equal, _no_cuts, expands=True),
        # C-35: the base64 text is compared; nothing is decoded.
        Operator("BinaryEquals", "string", _read_exact, _same, _equal, _exactly, among=_among_equal),
        *_pair(_IP, "NotIpAddress"),
        *_pair(_ARN_EQUALS, "ArnNotEquals"),
        *_pair(_ARN_LIKE, "ArnNotLike"),
    )
}
"""Every operator but ``Null``, which looks at presence alone (``condition.py``)."""

NULL: Final = "Null"


Quantifier = Literal["ForAllValues", "ForAnyValue"]
_BY_LOWER = {name.lower(): name for name in (*OPERATORS, NULL)}


class OperatorUse(NamedTuple):
    """An operator as a policy spells it: ``ForAnyValue:StringLikeIfExists`` → name, quantifier, if_exists."""

    name: str
    quantifier: Quantifier | None
    if_exists: bool


def operator_use(text: str) -> OperatorUse | None:
    """Read an operator's name, in any letter case (C-03); None when there is no such operator. ``Null`` takes no IfExists (C-05)."""
    lower = text.lower()
    quantifier: Quantifier | None = None
    head, colon, rest = lower.partition(":")
    if colon:
        if head == "forallvalues":
            quantifier = "ForAllValues"
        elif head == "foranyvalue":
            quantifier = "ForAnyValue"
        else:
            return None
        lower = rest
    if lower in _BY_LOWER:
        return OperatorUse(_BY_LOWER[lower], quantifier, False)
    base = lower.removesuffix("ifexists")
    if base != lower and base in _BY_LOWER and base != "null":
        return OperatorUse(_BY_LOWER[base], quantifier, True)
    return None
