"""Conditions: operators, keys and values combined (C.1, C.2, C-24 to C-27), made ready to be asked about a request context.

A context maps a lower-cased key to its value: a string, or a tuple of strings for a multi-valued key. An absent key isn't in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sekisho.policy.keys import LOWER, MANY
from sekisho.policy.operators import NULL, OPERATORS, Operator, OperatorUse, Quantifier, Unknown, Unreadable, Want, boolean
from sekisho.policy.settings import Settings
from sekisho.policy.variables import Template, template

Value = str | tuple[str, ...]
Context = Mapping[str, Value]
Test = Callable[[Context], "bool | None"]
"""True, False, or None: can't be known (the reason is in ``ReadyCondition.unknown``)."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One operator on one key: ``{"NotIpAddress": {"aws:SourceIp": [...]}}``. ``operator`` and ``key`` as written; ``pointer`` in the document."""

    operator: str
    use: OperatorUse
    key: str
    values: tuple[str, ...]
    pointer: str = ""


class Quick(NamedTuple):
    """A condition that looks at one value alone: what it says of an absent key, and of a value: ``seen`` keeps the last answers."""

    key: str
    when_absent: bool
    seen: dict[Value, bool]
    answer: Callable[[Value], bool]


@dataclass(frozen=True)
class ReadyCondition:
    """A condition compiled for a policy version and settings. ``key`` in lower case; ``also`` the keys of its variables.

    ``test(context)`` is the answer. ``wants`` are the policy values as read, without those that can't be read; None where a
    variable makes them depend on the request. ``unreadable`` and ``unknown`` say which values can't be read or understood.
    ``quick`` is the test in another form, where it has one.
    """

    condition: Condition
    key: str
    row: Operator | None
    test: Test
    wants: tuple[Want, ...] | None
    also: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    quick: Quick | None = None


def normal_value(value: object) -> Value | None:
    """A-19: a JSON value as a context value: strings, booleans and numbers as text, lists as tuples; None for null or an empty list.

    Raises TypeError for anything else.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return None
    if isinstance(value, list | tuple | set | frozenset):
        items = [normal_value(item) for item in value]
        if any(not isinstance(item, str) for item in items):
            raise TypeError("a list of strings, numbers or booleans")
        return tuple(items) or None  # type: ignore[arg-type]
    raise TypeError("a string, number, boolean or a list of them")


def ready(condition: Condition, *, expands: bool, settings: Settings) -> ReadyCondition:
    """Compile one condition. ``expands``: the document's version has variables (B-10)."""
    key = LOWER.get(condition.key) or condition.key.lower()
    use = condition.use
    if use.name == NULL:
        return ReadyCondition(condition, key, None, _null_test(key, condition.values, settings, use.quantifier), None)
    row = OPERATORS[use.name]
    templates = [template(v, expands=expands and row.expands) for v in condition.values]
    fixed = [t for t in templates if not t.variables]
    varying = [t for t in templates if t.variables]
    wants, unreadable, unknown = _read_all(row, (t.expand({}) or () for t in fixed), settings)
    listed = _listed(row, wants, varying, settings, bool(unknown))
    missing = use.if_exists
    if not condition.values:
        positive_hit = settings.empty_value_list_matches

        def listed(_text: str, _context: Context) -> bool | None:
            return positive_hit != row.negated

    test: Test
    quick: Quick | None = None
    if use.quantifier == "ForAllValues":
        test = _for_all(key, listed)
    elif use.quantifier == "ForAnyValue":
        test = _for_any(key, listed, missing)
    elif not varying and not unknown and condition.values:
        quick = _single_fixed(key, row, wants, missing or row.negated, row.of_invalid(settings))
        test = _quick_test([quick])
    else:
        test = _single(key, listed, missing or row.negated)
    also = tuple(dict.fromkeys(v.key for t in varying for v in t.variables))
    texts = [condition.values[i] for i, t in enumerate(templates) if not t.variables]
    return ReadyCondition(
        condition, key, row, test, None if varying else tuple(wants), also,
        tuple(texts[i] for i in unreadable), tuple(f"{texts[i]}: {why}" for i, why in unknown), quick,
    )  # fmt: skip


Listed = Callable[[str, Context], "bool | None"]
"""One request value against the whole list, negation included (C-02)."""


def _read_all(row: Operator, texts: Iterable[Sequence[object]], settings: Settings) -> tuple[list[Want], list[int], list[tuple[int, str]]]:
    wants: list[Want] = []
    unreadable: list[int] = []
    unknown: list[tuple[int, str]] = []
    for i, pieces in enumerate(texts):
        try:
            wants.append(row.read(pieces, settings))  # type: ignore[arg-type]
        except Unreadable:
            unreadable.append(i)
        except Unknown as why:
            unknown.append((i, str(why)))
    return wants, unreadable, unknown


def _hits(row: Operator, wants: Sequence[Want]) -> Callable[[object], bool]:
    if row.among is not None:
        return row.among(wants)
    holds = row.holds
    if len(wants) == 1:
        only = wants[0]
        return lambda have: holds(have, only)
    kept = tuple(wants)
    return lambda have: any(holds(have, want) for want in kept)


def _listed(row: Operator, wants: Sequence[Want], varying: Sequence[Template], settings: Settings, uncertain: bool) -> Listed:
    hits = _hits(row, wants)
    negated, invalid, read_have = row.negated, row.of_invalid(settings), row.have

    def listed(text: str, context: Context) -> bool | None:
        try:
            have = read_have(text)
        except Unreadable:
            return invalid
        hit = hits(have)
        if not hit and varying:
            expanded = (pieces for t in varying if (pieces := t.expand(context)) is not None)
            hit = any(row.holds(have, want) for want in _read_all(row, expanded, settings)[0])
        if not hit and uncertain:
            return None
        return hit != negated

    return listed


def _null_test(key: str, values: Sequence[str], settings: Settings, quantifier: Quantifier | None) -> Test:
    wanted = frozenset(boolean(v) for v in values)
    if quantifier:
        # C-24 taken at its word: each value of the set is there, and of no values ForAllValues holds and ForAnyValue doesn't (C.2).
        of_none, of_some = quantifier == "ForAllValues", False in wanted

        def null_of_each(context: Context) -> bool:
            return of_some if _values(context.get(key)) else of_none

        return null_of_each

    def null(context: Context) -> bool:
        value = context.get(key)
        absent = value is None or (value == "" and not settings.empty_string_is_present_for_null)
        return absent in wanted

    return null


def _single_fixed(key: str, row: Operator, wants: Sequence[Want], when_absent: bool, invalid: bool) -> Quick:
    """The common case: no variables, no set operator.

    The answer depends on one value, and the same few come again and again (an office's address, "true"): the last ones are kept.
    """
    hits, negated, read_have = _hits(row, wants), row.negated, row.have
    many = key in MANY
    seen: dict[Value, bool] = {}

    def answer(value: Value) -> bool:
        if many or isinstance(value, tuple):
            found = False  # C-27
        else:
            try:
                found = hits(read_have(value)) != negated
            except Unreadable:
                found = invalid
        if len(seen) >= _ANSWERS_KEPT:
            seen.clear()
        seen[value] = found
        return found

    return Quick(key, when_absent, seen, answer)


def _quick_test(conditions: Sequence[Quick]) -> Test:
    """All of them hold. One function for all, because every decision runs it and calls are what costs; for the same reason plain tuples."""
    rows = [(c.key, c.when_absent, c.seen, c.answer) for c in conditions]
    if len(rows) == 1:
        key, when_absent, seen, answer = rows[0]

        def one(context: Context) -> bool:
            value = context.get(key)
            if value is None:
                return when_absent
            found = seen.get(value)
            return answer(value) if found is None else found

        return one

    def every(context: Context) -> bool:
        for key, when_absent, seen, answer in rows:
            value = context.get(key)
            if value is None:
                if when_absent:
                    continue
                return False
            found = seen.get(value)
            if not (answer(value) if found is None else found):
                return False
        return True

    return every


_ANSWERS_KEPT = 64
"""For each condition: enough for what repeats, and little for an estate of a hundred thousand conditions."""


def _single(key: str, listed: Listed, when_absent: bool) -> Test:
    many = key in MANY

    def test(context: Context) -> bool | None:
        value = context.get(key)
        if value is None:
            return when_absent
        if many or isinstance(value, tuple):
            return False  # C-27
        return listed(value, context)

    return test


def _values(value: Value | None) -> Sequence[str]:
    """The set that a set operator looks at; an empty string counts as no values, alone in a list as well (C-19, C-26)."""
    if value is None or value in _NO_VALUES:
        return ()
    return (value,) if isinstance(value, str) else value


_NO_VALUES = ("", ("",))


def _for_all(key: str, listed: Listed) -> Test:
    def test(context: Context) -> bool | None:
        answers = [listed(value, context) for value in _values(context.get(key))]
        return False if False in answers else None if None in answers else True

    return test


def _for_any(key: str, listed: Listed, if_exists: bool) -> Test:
    def test(context: Context) -> bool | None:
        value = context.get(key)
        if value is None:
            return if_exists  # C-05
        answers = [listed(item, context) for item in _values(value)]
        return True if True in answers else None if None in answers else False

    return test


def all_hold(conditions: Sequence[ReadyCondition]) -> Test:
    """C-01: every condition of a block must hold; none at all holds always."""
    if not conditions:
        return lambda _context: True
    if all(c.quick for c in conditions):
        return _quick_test([c.quick for c in conditions if c.quick])
    tests = [c.test for c in conditions]
    if len(tests) == 1:
        return tests[0]
    every = tuple(tests)

    def all_of_them(context: Context) -> bool | None:
        outcome: bool | None = True
        for test in every:
            answer = test(context)
            if answer is False:
                return False
            if answer is None:
                outcome = None
        return outcome

    return all_of_them
