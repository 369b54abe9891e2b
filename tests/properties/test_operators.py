"""Every condition operator against a second, plain reading of its rule, and the cuts and classes that the proof rests on.

The readings here use the standard library alone (``ipaddress``, ``fractions``, ``re``, ``datetime``): nothing of the product. They are slow,
and obviously right. ``SEKISHO_EXAMPLES`` sets how many examples each property looks at.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import Layers, Policy, Request, decide
from sekisho.policy import DEFAULT
from sekisho.policy.operators import OPERATORS, Cut, Span, Unknown, Unreadable
from sekisho.policy.pattern import Pattern, Piece, arn_pattern, classes, folded_pattern, resource_pattern

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "100"))
few = settings(max_examples=EXAMPLES, deadline=None)
ALICE = "arn:aws:iam::111111111111:user/alice"

# --- the second reading -------------------------------------------------------------------------------------------------

BAD = object()
"""A text that is not of the operator's kind."""


def glob(pattern: str) -> Callable[[str], bool]:
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern)
    return lambda text: re.fullmatch(expression, text, re.DOTALL) is not None


def arn_like(text: str, pattern: str) -> Any:
    """C-18."""
    have, want = text.split(":", 5), pattern.split(":", 5)
    if len(want) < 6 or len(have) < 6 or have[0] != "arn":
        return False
    return all(glob(w)(h) for w, h in zip(want, have, strict=True))


def number(text: str) -> Any:
    """C-32."""
    return Fraction(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text) else BAD


def instant(text: str) -> Any:
    """C-12: whole and fractional seconds apart."""
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) and not re.fullmatch("[0-9]{4}", text):
        return Fraction(text)
    match = re.fullmatch(r"(\d{4})(-\d\d)?(-\d\d)?([Tt]\d\d:\d\d)?(:\d\d)?(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", text, re.ASCII)
    if match is None:
        return BAD
    year, month, day, clock, second, fraction, zone = match.groups()
    if (day and not month) or (clock and not day) or (second and not clock) or (fraction and not second) or (zone and not clock):
        return BAD
    where: Any = UTC
    if zone and zone not in "Zz":
        hours, minutes = int(zone[1:3]), int(zone[4:])
        if hours > 23 or minutes > 59:
            return BAD
        where = timezone((timedelta(hours=hours, minutes=minutes)) * (-1 if zone[0] == "-" else 1))
    clock, second = clock or "T00:00", second or ":00"
    try:
        at = datetime(int(year), int((month or "-01")[1:]), int((day or "-01")[1:]), int(clock[1:3]), int(clock[4:]), int(second[1:]), tzinfo=UTC)
    except ValueError:
        return BAD
    since = at.replace(tzinfo=None) - datetime(1970, 1, 1) - where.utcoffset(None)
    return Fraction(since.days * 86400 + since.seconds) + (Fraction(fraction) if fraction else 0)


def caller(text: str) -> Any:
    """C-16, C-34."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return BAD
    if isinstance(address, ipaddress.IPv6Address):
        return BAD if address.scope_id else address.ipv4_mapped or address
    return address


def inside(text: str, network: str) -> bool:
    address = caller(text)
    if address is BAD:
        return False
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False


def ordered(read: Callable[[str], Any], compare: Callable[[Any, Any], bool]) -> Callable[[str, str], Any]:
    def one(have: str, want: str) -> Any:
        left, right = read(have), read(want)
        if left is BAD:
            return BAD
        return right is not BAD and compare(left, right)

    return one


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "Equals": lambda a, b: a == b, "LessThan": lambda a, b: a < b, "LessThanEquals": lambda a, b: a <= b,
    "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b,
}  # fmt: skip
POSITIVE: dict[str, Callable[[str, str], Any]] = {
    "StringEquals": lambda have, want: have == want,
    "StringEqualsIgnoreCase": lambda have, want: have.lower() == want.lower(),
    "StringLike": lambda have, want: glob(want)(have),
    "Bool": lambda have, want: (have.lower() == "true") == (want.lower() == "true"),
    "BinaryEquals": lambda have, want: have == want,
    "IpAddress": inside,
    "ArnEquals": arn_like,
    "ArnLike": arn_like,
    **{f"Numeric{k}": ordered(number, v) for k, v in COMPARE.items()},
    **{f"Date{k}": ordered(instant, v) for k, v in COMPARE.items()},
}  # fmt: skip
NEGATED = {
    "StringNotEquals": "StringEquals", "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase", "StringNotLike": "StringLike",
    "NumericNotEquals": "NumericEquals", "DateNotEquals": "DateEquals", "NotIpAddress": "IpAddress",
    "ArnNotEquals": "ArnEquals", "ArnNotLike": "ArnLike",
}  # fmt: skip
ALL = (*POSITIVE, *NEGATED)


def plainly(operator: str, listed: Sequence[str], value: str | list[str] | None) -> bool:
    """C.2, C-02, C-20, C-24, C-27, C-32 as sentences, for one operator as a policy spells it."""
    if operator == "Null":
        return str(value is None).lower() in [text.lower() for text in listed]
    quantifier, _, rest = operator.rpartition(":")
    name = rest.removesuffix("IfExists")
    if_exists = name != rest
    negated = name in NEGATED

    def passes(have: str) -> bool:
        outcomes = [POSITIVE[NEGATED.get(name, name)](have, want) for want in listed]
        if BAD in outcomes:
            return False  # a request value that is no number (or date) fails every such operator
        return (True in outcomes) != negated

    if quantifier:
        if value is None:
            return quantifier == "ForAllValues" or if_exists
        several = [value] if isinstance(value, str) else value
        if several == [""]:
            several = []
        return (all if quantifier == "ForAllValues" else any)(passes(have) for have in several)
    if value is None:
        return if_exists or negated
    if isinstance(value, list):
        return False
    return passes(value)


def asked(condition: dict[str, Any], context: dict[str, Any]) -> bool:
    """The product's answer: an Allow with this condition, decided. A Deny with it must say the same."""
    body = {"Action": "*", "Resource": "*", "Condition": condition}
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    allow = Policy.parse({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **body}]})
    deny = Policy.parse({"Version": "2012-10-17", "Statement": [everything, {"Effect": "Deny", **body}]})
    request = Request(ALICE, "x:Y", "*", context)
    allowed = decide(request, Layers(identity=(allow,))).allowed
    assert decide(request, Layers(identity=(deny,))).allowed is not allowed
    return allowed


# --- what is generated ----------------------------------------------------------------------------------------------------

LETTERS = st.text(alphabet="ab:/*?-", max_size=6)
LATIN = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0xFF, blacklist_characters="$"), max_size=4)
CASED = st.text(alphabet="kK\u212asS\u017f\u00df\u1e9e\u00e5\u00c5\u212b\u0130i\u03a3\u03c3\u03c2aA", max_size=4)
IN_POLICY = re.compile("[\t\n\r -\u00ff]*")


def strings() -> st.SearchStrategy[str]:
    return st.one_of(LETTERS, LATIN, CASED, st.text(max_size=5).filter(lambda t: "${" not in t))


NUMBERS = st.one_of(
    st.integers(-30, 30).map(str), st.decimals(allow_nan=False, allow_infinity=False).map(str), st.integers().map(str),
    st.sampled_from(["", "abc", "1e1", "10", "10.0", ".5", "5.", "-0", "007", "+3", "1e-30"]),
    st.sampled_from(["1e", "0x1", "1 ", "NaN", "inf", "1_0", "\u0661", "--1"]),
    st.builds(lambda a, b, e: f"{a}.{b}e{e}", st.integers(-99, 99), st.integers(0, 99), st.integers(-40, 40)),
)  # fmt: skip
DATES = st.one_of(
    st.datetimes(datetime(1960, 1, 1), datetime(2060, 1, 1)).map(lambda d: d.isoformat() + "Z"),
    st.builds(
        lambda d, form, zone: d.strftime(form) + zone, st.datetimes(datetime(1969, 1, 1), datetime(1971, 1, 1)),
        st.sampled_from(["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"]), st.sampled_from(["Z", "", "+09:00", "-04:30", "+23:59"]),
    ),
    st.sampled_from(["2026", "2026-01", "2026-01-01", "1970", "1970-01-01", "86400", "0", "1767225600", "9223372036854775807"]),
)  # fmt: skip
BAD_DATES = st.sampled_from([
    "", "soon", "2026-02-30", "2026-1-1", "2026-01-01T25:00Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00+0900", "2026-01-01Z",
    "2026-01T00:00Z", "T00:00", "2026-01-01T00Z", "20260101T000000Z", "0000", "2026-01-01T00:00:60Z",
])  # fmt: skip
V4 = st.one_of(st.integers(0, 2**32 - 1), st.integers(0xCB007100, 0xCB0071FF)).map(lambda n: str(ipaddress.IPv4Address(n)))
V6 = st.one_of(st.integers(0, 2**128 - 1), st.integers(0, 2**33), st.integers(0x20010DB8 << 96, (0x20010DB8 << 96) + 300)).map(ipaddress.IPv6Address)
SOURCES = st.one_of(
    V4, V6.map(str), V6.map(lambda a: a.exploded.upper()), V4.map("::ffff:{}".format),
    st.sampled_from(["", "AWS Internal", "1.2.3", "1.2.3.4/32", "01.2.3.4", "1.2.3.4 ", "::1%lo", ":::", "1.2.3.256"]),
)  # fmt: skip
NETWORKS = st.one_of(
    st.builds("{}/{}".format, V4, st.integers(0, 33)), V4,
    st.builds("{}/{}".format, V6, st.integers(0, 129)), V6.map(str),
    st.sampled_from(["0.0.0.0/0", "::/0", "203.0.113.0/24", "::/95", "::fffe:0:0/95"]),
    st.sampled_from(["office", "", "1.2.3.0/", "1.2.3/24", "1.2.3.0/-1", "1.2.3.0/2a"]),
)  # fmt: skip
PART = st.text(alphabet="ab*?", max_size=3)
ARNS = st.one_of(
    st.builds(lambda parts: ":".join(["arn", *parts]), st.lists(PART, min_size=5, max_size=7)),
    st.builds(":".join, st.lists(PART, max_size=8)),
    st.sampled_from(["arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a:b", "arn:aws:s3:::b", "a*n:*:*:*:*:*"]),
    st.sampled_from(["*:*:*:*:*:*", "ar:n:a:b:c:d:e", "", "*"]),
)  # fmt: skip
BOOLS = st.sampled_from(["true", "false", "TRUE", "False", "", "yes", "0", "1", " true", "tru\u212a", "truE"])


def values_of(name: str) -> tuple[st.SearchStrategy[str], st.SearchStrategy[str]]:
    """Policy values and request values for an operator, near enough to each other to meet."""
    if name.startswith("Numeric"):
        return NUMBERS, NUMBERS
    if name.startswith("Date"):
        return DATES, st.one_of(DATES, BAD_DATES, st.sampled_from(["-5", "0.5", "1767225600.0"]))
    if "IpAddress" in name:
        return NETWORKS, SOURCES
    if name.startswith("Arn"):
        return ARNS, ARNS
    if name == "Bool":
        return BOOLS, BOOLS
    return strings(), strings()


def writable(text: str) -> bool:
    return IN_POLICY.fullmatch(text) is not None and "${" not in text


@pytest.mark.parametrize("name", ALL, ids=[f"C.3 {name}" for name in ALL])
def test_every_operator_reads_as_its_rule(name: str) -> None:
    """C-02, C-10 to C-20, C-24, C-26, C-27, C-30 to C-35: each operator, with and without IfExists and a set operator."""
    policy_values, request_values = values_of(name)

    @few
    @given(data=st.data())
    def holds(data: st.DataObject) -> None:
        quantifier = data.draw(st.sampled_from(["", "", "ForAllValues:", "ForAnyValue:"]))
        operator = quantifier + name + data.draw(st.sampled_from(["", "IfExists"]))
        listed = data.draw(st.lists(policy_values.filter(writable), max_size=6))
        near = st.sampled_from(listed) if listed else request_values
        one = st.one_of(request_values, near, near.map(str.swapcase))
        value = data.draw(st.one_of(st.none(), one, one, st.lists(one, min_size=1, max_size=3)))
        context = {} if value is None else {"k": value}
        if not listed and value not in (None, "", [""]) and any(_no_value(name, v) for v in ([value] if isinstance(value, str) else value)):
            return  # an empty list of values (A-19, unverified) beside a value that can't be read: nothing says which wins
        assert asked({operator: {"k": listed}}, context) is plainly(operator, listed, value)

    holds()


def _no_value(name: str, value: str) -> bool:
    read = number if name.startswith("Numeric") else instant if name.startswith("Date") else None
    return read is not None and read(value) is BAD


def test_every_operator_is_here() -> None:
    """C.3: the table of the product and the readings of this file are about the same operators."""
    assert set(ALL) == set(OPERATORS)


@few
@given(
    st.lists(st.sampled_from(["true", "false", "TRUE", "False"]), max_size=3),
    st.one_of(st.none(), st.just(""), st.text(), st.lists(st.text(), min_size=1)),
)
def test_null_looks_at_presence(listed: list[str], value: Any) -> None:
    """C-19."""
    assert asked({"Null": {"k": listed}}, {} if value is None else {"k": value}) is plainly("Null", listed, value)


@few
@given(st.data())
def test_a_block_is_the_conjunction_of_its_conditions(data: st.DataObject) -> None:
    """C-01."""
    names = data.draw(st.lists(st.sampled_from(ALL), min_size=1, max_size=3, unique=True))
    block = {n: {k: data.draw(st.lists(values_of(n)[0].filter(writable), min_size=1, max_size=2)) for k in data.draw(st.sets(st.sampled_from("jk")))}
             for n in names}  # fmt: skip
    context = {k: data.draw(st.one_of(strings(), NUMBERS, SOURCES)) for k in data.draw(st.sets(st.sampled_from("jk")))}
    whole = all(plainly(n, wants, context.get(k)) for n, keys in block.items() for k, wants in keys.items())
    assert asked(block, context) is whole


# --- variables ---------------------------------------------------------------------------------------------------------------

TEMPLATE = st.lists(
    st.one_of(
        st.tuples(st.just("text"), st.text(alphabet="ab*?", max_size=2)),
        st.tuples(st.just("key"), st.sampled_from(["x", "y"])),
        st.tuples(st.just("default"), st.sampled_from(["x", "y"]), st.text(alphabet="a*", max_size=2)),
        st.tuples(st.just("literal"), st.sampled_from("*?$")),
    ),
    max_size=4,
)


@few
@given(TEMPLATE, st.sampled_from(["StringLike", "StringEquals", "StringNotLike"]), st.booleans(), st.data())
def test_variables(parts: list[tuple[str, ...]], operator: str, expands: bool, data: st.DataObject) -> None:
    """B-10 to B-14: a regular expression put together by hand."""
    have = data.draw(st.text(alphabet="ab*?$", max_size=4))
    given_keys = data.draw(st.sets(st.sampled_from("xy")))
    context: dict[str, Any] = {k: data.draw(st.one_of(st.text(alphabet="ab*", max_size=2), st.just(["a"]))) for k in given_keys}
    text, expression, absent = "", "", False
    wild = {"*": ".*", "?": "."} if operator != "StringEquals" else {}
    for kind, *rest in parts:
        if kind == "text":
            text += rest[0]
            expression += "".join(wild.get(c, re.escape(c)) for c in rest[0])
            continue
        if kind == "literal":
            text += "${" + rest[0] + "}"
            expression += re.escape(rest[0])
            continue
        text += "${" + rest[0] + (f", '{rest[1]}'" if kind == "default" else "") + "}"
        value = context.get(rest[0])
        if not isinstance(value, str):
            value = rest[1] if kind == "default" else None
        absent = absent or value is None
        expression += re.escape(value or "")
    if not expands:
        absent, expression = False, "".join(wild.get(c, re.escape(c)) for c in text)
    hit = not absent and re.fullmatch(expression, have, re.DOTALL) is not None
    version = "2012-10-17" if expands else "2008-10-17"
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {operator: {"k": text}}}
    policy = Policy.parse({"Version": version, "Statement": statement})
    allowed = decide(Request(ALICE, "x:Y", "*", {"k": have, **context}), Layers(identity=(policy,))).allowed
    assert allowed is (hit != (operator == "StringNotLike"))


# --- resources ---------------------------------------------------------------------------------------------------------------

SEGMENT = st.text(alphabet="ab*?", max_size=3)


@few
@given(st.lists(SEGMENT, min_size=2, max_size=2), st.text(alphabet="ab*?:/", max_size=5), st.text(alphabet="ab:/", max_size=9), st.data())
def test_resources(middle: list[str], last: str, value: str, data: st.DataObject) -> None:
    """B-03, B-04: the expression that the rule spells out."""
    pattern = f"arn:aws:s3:{middle[0]}:{middle[1]}:{last}"

    def segment(text: str) -> str:
        stars = "".join("[^:]*" if c == "*" else "[^:]" if c == "?" else re.escape(c) for c in text)
        return re.sub(r"\[\^:\]\*$", lambda _: ".*", stars)

    tail = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in last)
    expression = f"arn:aws:s3:{segment(middle[0])}:{segment(middle[1])}:{tail}"
    near = f"{middle[0]}:{middle[1]}:{last}".replace("*", value[:2]).replace("?", "a")
    resource = "arn:aws:s3:" + data.draw(st.sampled_from([value, near]))
    policy = Policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": pattern}})
    request = Request(ALICE, "s3:GetObject", resource, resource_account="111111111111")
    assert decide(request, Layers(identity=(policy,))).allowed is (re.fullmatch(expression, resource, re.DOTALL) is not None)


# --- what the proof rests on --------------------------------------------------------------------------------------------------


def read(name: str, text: str) -> Any:
    try:
        return OPERATORS[name].read([Piece(text)], DEFAULT)
    except (Unreadable, Unknown):
        return None


@pytest.mark.parametrize("name", [n for n, row in OPERATORS.items() if row.family == "ordered"], ids=lambda n: f"C-11 C-12 cuts of {n}")
def test_between_two_cuts_numbers_and_times_hold_alike(name: str) -> None:
    row = OPERATORS[name]
    policy_values, request_values = values_of(name)

    @few
    @given(policy_values, request_values, request_values)
    def constant(policy_value: str, one: str, other: str) -> None:
        want = read(name, policy_value)
        try:
            a, b = row.have(one), row.have(other)
        except Unreadable:
            return
        if want is None:
            return
        points = [c.value for c in row.cuts(want) if isinstance(c, Cut)]
        if [(a > p) - (a < p) for p in points] == [(b > p) - (b < p) for p in points]:
            assert row.holds(a, want) is row.holds(b, want)

    constant()


@pytest.mark.parametrize("name", ["IpAddress", "NotIpAddress"], ids=lambda n: f"C-15 C-16 cuts of {n}")
def test_between_two_cuts_addresses_hold_alike(name: str) -> None:
    row = OPERATORS[name]

    @few
    @given(NETWORKS, SOURCES, SOURCES, st.integers(-2, 2))
    def constant(network: str, one: str, other: str, step: int) -> None:
        want = read(name, network)
        try:
            a, b = row.have(one), row.have(other)
        except Unreadable:
            return
        if want is None:
            return
        (span,) = row.cuts(want)
        assert isinstance(span, Span)
        edge = type(a)(span.family, min(max(span.low + step, 0), span.high))
        for left, right in ((a, b), (a, edge), (edge, b)):
            if [left[0] == span.family and span.low <= left[1] <= span.high] == [right[0] == span.family and span.low <= right[1] <= span.high]:
                assert row.holds(left, want) is row.holds(right, want)

    constant()


@pytest.mark.parametrize("name", [n for n, row in OPERATORS.items() if row.family == "string"], ids=lambda n: f"C-10 C-18 cuts of {n}")
def test_a_strings_cut_is_where_it_holds(name: str) -> None:
    """The pattern of a policy value matches a request's text exactly where the operator holds (where the text can be read at all)."""
    row = OPERATORS[name]
    policy_values, request_values = values_of(name)

    @few
    @given(policy_values.filter(writable), request_values, st.booleans())
    def exact(policy_value: str, text: str, same: bool) -> None:
        text = policy_value.swapcase() if same else text
        want = read(name, policy_value)
        if want is None:
            return
        (pattern,) = row.cuts(want)
        assert isinstance(pattern, Pattern)
        try:
            held = row.holds(row.have(text), want)
        except Unreadable:
            held = False
        assert pattern.matches(text) is held

    exact()


def test_folded_patterns_know_every_character() -> None:
    """C-33: for each letter that a policy can hold, all of Unicode's characters with that lower-case form, and no others."""
    forms: dict[str, set[str]] = {}
    everything = [chr(i) for i in range(0x110000) if not 0xD800 <= i < 0xE000]
    for char in everything:
        forms.setdefault(char.lower(), set()).add(char)
    for code in (*range(0x20, 0x7F), *range(0xA0, 0x100)):
        letter = chr(code)
        pattern = folded_pattern(letter)
        assert {char for char in forms[letter.lower()] if pattern.matches(char)} == forms[letter.lower()]
        assert {t for token in pattern.row for t in (token.char, *token.also)} == forms[letter.lower()]


GLOBS = st.text(alphabet="ab*?:", max_size=5)
PATTERNS = st.one_of(
    GLOBS.map(Pattern.glob),
    GLOBS.map(lambda t: Pattern.glob(t.replace("*", "a").replace("?", "b"))),
    st.text(alphabet="abk", max_size=3).map(folded_pattern),
    st.builds(":".join, st.lists(st.text(alphabet="a*?", max_size=2), min_size=6, max_size=6)).map(lambda t: arn_pattern([Piece("arn:" + t)])),
    st.builds(lambda a, b: f"arn:aws:s3:{a}:{b}", SEGMENT, SEGMENT).map(lambda t: resource_pattern([Piece(t)])),
).filter(lambda p: p is not None)


@few
@given(st.lists(PATTERNS, max_size=4), st.lists(st.text(alphabet="abkK\u212a:zé*", max_size=8), max_size=20))
def test_string_classes_are_exact(patterns: list[Pattern], texts: list[str]) -> None:
    """B-01, C-10, C-18, C-33: every witness is in its class, no class stands twice, and any string falls in a listed class."""
    found = classes(patterns)
    masks = [c.matched for c in found]

    def mask(text: str) -> int:
        return sum(1 << i for i, p in enumerate(patterns) if p.matches(text))

    for one in found:
        assert mask(one.witness) == one.matched
    for text in [*texts, *(a.witness + b.witness for a in found for b in found)]:
        assert mask(text) in masks
    for text in texts + [p.literal for p in patterns if p.literal is not None]:
        # Where a literal pattern picks out one string, the rest of its class is a class of its own.
        if any(p.literal == text for p in patterns):
            assert text in [c.witness for c in found]


def test_a_class_whose_shortest_strings_are_taken_is_found() -> None:
    """C-10: the next string of such a class may be much longer than the taken one."""
    found = classes([Pattern.glob("abcdef*"), Pattern.glob("*abcdef"), Pattern.glob("abcdef")])
    assert {c.matched for c in found} == {0, 1, 2, 3, 7}
    assert next(c.witness for c in found if c.matched == 3) == "abcdefabcdef"
