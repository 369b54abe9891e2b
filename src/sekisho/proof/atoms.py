"""Atoms: the finitely many values of each context key that a set of conditions can tell apart (C-28, and the model in operators.py).

An ``Ask`` is one condition with what is fixed already filled in: a test of one free key (of more, where variables are free). An ``Axis`` is
one free key with all that is asked of it. Its atoms are found as ``policy/operators.py`` lays out: every operator names the cuts where its
answer can change, one value is taken from each cell between the cuts, and the same compiled test that ``decide`` runs is called on it. Cells
with the same answers to all asks are one atom, so 10,000 networks in one list are two atoms. Next to an event only the conditions whose own
cut it is are asked again, which keeps the cost near linear.

What a value is, besides the answers: *absent*, *sent* (of a form that AWS sends), *odd* (an address that isn't one, ``TRUE``), *unseen*. An
unseen atom stands for combinations that could not be listed; every answer about it is "can't be known", and ``reason`` says why.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context as DecimalContext
from decimal import Decimal
from functools import cached_property
from itertools import product
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, Literal, NamedTuple

from sekisho.decision.request import one_clock
from sekisho.policy import Settings
from sekisho.policy.condition import Context, ReadyCondition, Test, Value, normal_value
from sekisho.policy.keys import KEYS, MANY, key_of, spelled
from sekisho.policy.matching import ReadyStatement
from sekisho.policy.operators import Address, Cut, Operator, Quantifier, Span, Unknown, Unreadable, address, moment, number
from sekisho.policy.pattern import Pattern, StringClass, TooManyClasses, classes, folded_pattern
from sekisho.policy.variables import Template, template

Kind = Literal["absent", "sent", "odd", "unseen"]
_RANK = {"sent": 0, "absent": 1, "odd": 2, "unseen": 3}

CLOCK = ("aws:currenttime", "aws:epochtime")
MOST_ATOMS = 4096
_MOST_TRIALS = 150_000
"""Tests called to find the atoms of one key, where values combine; and steps of automata: a fraction of a second each."""
_CLASS_WORK = 200_000


# --- what is asked ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Ask:
    """One condition, what is fixed filled in. ``keys``: the free keys that it depends on; ``main``: the one that is tested, if it is free.

    ``test`` wants a context with these keys alone. Asks with the same ``name`` ask the same.
    """

    name: Hashable
    keys: tuple[str, ...]
    main: str | None
    test: Test
    row: Operator | None
    quantifier: Quantifier | None
    templates: tuple[Template, ...] = ()
    fixed: Mapping[str, Value] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    known_wants: tuple[Any, ...] | None = None
    inside: str | None = None
    """Where only variables are free: the text that the expanded policy text is compared with."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ask) and self.name == other.name

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.name)

    @cached_property
    def group(self) -> str:
        """How texts are read: "ip", "number", "moment" or "string"; "" where only presence matters."""
        if self.row is None:
            return ""
        if self.row.family == "ordered":
            return "moment" if self.row.name.startswith("Date") else "number"
        return "ip" if self.row.family == "ip" else "string"

    def cuts(self, given: Context) -> Iterator[Span | Cut | Pattern]:
        """Where along the main key the answer can change, with the variables' values ``given``."""
        row = self.row
        if row is None:
            return
        if row.family == "bool":
            yield _TRUE
        if row.name.startswith("Arn"):
            yield _ARN  # fewer components are no ARN
        if self.known_wants is not None:
            for want in self.known_wants:
                yield from row.cuts(want)
            return
        context = {**self.fixed, **given}
        for text in self.templates:
            pieces = text.expand(context)
            if pieces is not None:
                try:
                    yield from row.cuts(row.read(pieces, self.settings))
                except (Unreadable, Unknown):
                    continue


def bind(ready: ReadyCondition, expands: bool, settings: Settings, fixed: Mapping[str, Value | None]) -> Ask | Test:
    """A condition with ``fixed`` filled in: an Ask of what is free, or, when nothing is, the test itself (of a context of fixed keys)."""
    condition, row = ready.condition, ready.row
    free = tuple(k for k in dict.fromkeys((ready.key, *ready.also)) if k not in fixed)
    if not free:
        return ready.test
    used = {k: v for k in (ready.key, *ready.also) if (v := fixed.get(k)) is not None}
    name = (condition.use, ready.key, condition.values, expands and row is not None and row.expands, settings, tuple(used.items()), free)
    main = ready.key if ready.key in free else None
    quantifier = condition.use.quantifier
    if not ready.also:
        return Ask(name, free, main, ready.test, row, quantifier, settings=settings, known_wants=ready.wants or ())

    def test(context: Context) -> bool | None:
        return ready.test({**used, **context})

    assert row is not None
    templates = tuple(template(v, expands=expands and row.expands) for v in condition.values)
    value = used.get(ready.key)
    inside = value if isinstance(value, str) else None if value is None else "\n".join(value)
    return Ask(name, free, main, test, row, quantifier, templates, used, settings, None, inside)


def bind_resource(ready: ReadyStatement, resource: str, fixed: Mapping[str, Value | None]) -> Ask | Test:
    """The same for a Resource element whose variables decide whether it is about ``resource`` (B-10)."""
    entries = [e for e in ready.resources or () if e.template is not None and e.may_match(resource)]
    keys = dict.fromkeys(v.key for e in entries if e.template for v in e.template.variables)
    free = tuple(k for k in keys if k not in fixed)
    used = {k: v for k in keys if (v := fixed.get(k)) is not None}

    def test(context: Context) -> bool | None:
        return ready.about_resource(resource, {**used, **context})

    if not free:
        return test
    name = ("Resource", tuple(e.text for e in entries), ready.statement.resources is None, resource, tuple(used.items()), free)
    return Ask(name, free, None, test, None, None, inside=resource)


# --- atoms ---------------------------------------------------------------------------------------------------------------


class Between(NamedTuple):
    """Numbers or times from ``low`` to ``high`` (None: no end), the ends included or not."""

    low: Decimal | None
    high: Decimal | None
    with_low: bool
    with_high: bool


class Strings(NamedTuple):
    """Strings that match all of ``like`` and none of ``unlike``."""

    like: tuple[str, ...]
    unlike: tuple[str, ...]


Cell = Span | Between | Strings | str | tuple[str, ...]
"""A stretch of values: addresses, numbers, strings; one string; or, a tuple, several values at once (by an example)."""


@dataclass(slots=True)
class Atom:
    """Values that no ask can tell apart. ``context``: one of them (no key in it: absent). ``cells``: what they are."""

    context: dict[str, Value]
    kind: Kind
    cells: list[Cell] = field(default_factory=list)
    reason: str = ""

    @property
    def value(self) -> Value | None:
        return next(iter(self.context.values()), None)


_Signature = tuple[str, int, int]


class Axis:
    """One context key (or several that hang together), its atoms, and for each ask the atoms where it holds and where it may hold."""

    def __init__(self, keys: Sequence[str], asks: Sequence[Ask], *, effort: float = 1.0) -> None:
        self._trials = int(_MOST_TRIALS * effort)
        self._work = int(_CLASS_WORK * effort)
        self.keys = tuple(keys)
        self.name = self.keys[0] if len(self.keys) == 1 else " + ".join(self.keys)
        self.asks = tuple(asks)
        self.atoms: list[Atom] = []
        self._by_signature: dict[_Signature, int] = {}
        self._signatures: list[_Signature] = []
        self._unseen: int | None = None
        self._starts: dict[int, tuple[list[int], list[int]]] = {}
        try:
            self._build()
        except (TooManyClasses, TooManyAtoms):
            self._opaque(f"{self.shown}: the policies tell more values apart than can be listed")
        self.full = (1 << len(self.atoms)) - 1
        self.sure, self.may = self._transposed()
        self._ranks = [(_RANK[a.kind], i) for i, a in enumerate(self.atoms)]
        self._shown: dict[int, dict[str, Any]] = {}

    @property
    def shown(self) -> str:
        """The keys as AWS spells them."""
        return " and ".join(spelled(k) for k in self.keys)

    def key_json(self, mask: int) -> dict[str, Any]:
        """What the one key of the axis may be; not to be changed."""
        found = self._shown.get(mask)
        if found is None:
            found = self._shown[mask] = key_json(self.keys[0], [self.atoms[i] for i in _bits(mask)])
        return found

    def rank(self, atom: int) -> tuple[int, int]:
        """Which atom to show first."""
        return self._ranks[atom]

    @cached_property
    def index(self) -> dict[Ask, int]:
        return {ask: i for i, ask in enumerate(self.asks)}

    def atom_of(self, context: Context, *, reasons: str = "") -> int:
        """The atom that a context's values are in. ``reasons``: of an unseen atom of another axis: stays unseen."""
        if reasons and self._unseen is not None:
            return self._unseen
        values = {k: context[k] for k in self.keys if k in context}
        found = self._by_signature.get(self._asked(values))
        if found is None:
            if self._unseen is None:
                raise LookupError(f"no atom of {self.shown} holds {values}")
            return self._unseen
        return found

    # Finding the atoms ----------------------------------------------------------------------------------------------

    def _asked(self, values: Context) -> _Signature:
        sure = unsure = 0
        for i, ask in enumerate(self.asks):
            answer = ask.test(values)
            if answer:
                sure |= 1 << i
            elif answer is None:
                unsure |= 1 << i
        return self._nature(values), sure, unsure

    def _kind(self, values: Context) -> Kind:
        if not values:
            return "absent"
        return "sent" if all(is_sent(k, v) for k, v in values.items()) and (len(self.keys) == 1 or self._hang_together(values)) else "odd"

    def _nature(self, values: Context) -> str:
        """What is told apart whatever is asked: the kind, and true from false (other keys go with MFA, table E)."""
        kind = self._kind(values)
        if kind == "sent" and len(self.keys) == 1 and key_of(self.keys[0]).type == "bool":
            return str(values[self.keys[0]])
        return kind

    def _hang_together(self, values: Context) -> bool:
        return self.keys != CLOCK or len(values) == 2

    def _put(self, values: dict[str, Value], cell: Cell | None, signature: _Signature | None = None) -> Atom:
        signature = signature or self._asked(values)
        at = self._by_signature.get(signature)
        if at is None:
            if len(self.atoms) >= 16 * MOST_ATOMS:
                raise TooManyAtoms
            at = self._by_signature[signature] = len(self.atoms)
            self._signatures.append(signature)
            self.atoms.append(Atom(values, self._kind(values)))
        if cell is not None:
            self.atoms[at].cells.append(cell)
        return self.atoms[at]

    def _add_unseen(self, reason: str) -> None:
        self._unseen = len(self.atoms)
        self.atoms.append(Atom({}, "unseen", reason=reason))
        self._signatures.append(("unseen", 0, (1 << len(self.asks)) - 1))

    def _opaque(self, reason: str) -> None:
        self.atoms, self._by_signature, self._signatures = [], {}, []
        self._put({}, None)
        self._add_unseen(reason)

    def _build(self) -> None:
        self._put({}, None)
        if self.keys == CLOCK:
            self._clock()
        elif len(self.keys) > 1:
            self._together()
        else:
            self._single(self.keys[0], self.asks, {})

    def _single(self, key: str, asks: Sequence[Ask], given: Context) -> None:
        """All values of one key, as far as ``asks`` tell them apart; other keys of the axis as ``given``."""
        groups: dict[str, list[Ask]] = {}
        for ask in asks:
            groups.setdefault(ask.group, []).append(ask)
        own = {"ip": "ip", "numeric": "number", "date": "moment"}.get(key_of(key).type)
        if own is not None:
            groups.setdefault(own, [])  # what AWS sends for the key is among the values, whatever it is compared with
        literals: set[str] = set()
        patterns: dict[Pattern, int] = {}
        bit = {ask: 1 << i for i, ask in enumerate(self.asks)}
        for ask in (*groups.get("string", ()), *groups.get("", ())):
            for pattern in ask.cuts(given):
                assert isinstance(pattern, Pattern)
                patterns[pattern] = patterns.get(pattern, 0) | bit[ask]
            if ask.inside is not None and key in ask.keys:
                if len(ask.keys) > 1:
                    self._incomplete(ask)
                for text in _stretches(ask.inside):
                    literals.add(text)
        if key_of(key).type == "bool":
            literals |= {"true", "false"}
        numeric = [g for g in ("ip", "number", "moment") if g in groups]
        wild = any(p.literal is None for p in patterns)
        if not numeric:
            self._strings(key, patterns, literals, given)
        else:
            literals |= {p.literal for p in patterns if p.literal is not None} | {""}
            for group in numeric:
                if group == "ip":
                    self._addresses(key, groups["ip"], literals, given)
                else:
                    self._ordered(key, groups[group], number if group == "number" else moment, literals, given)
            if wild or len(numeric) > 1:
                self._mixed(key, patterns, numeric, given)
            for text in sorted(literals):
                self._put({**given, key: text}, text)
            self._put({**given, key: "not of this kind"}, "not of this kind")
        self._several(key, asks, given)

    def _incomplete(self, ask: Ask) -> None:
        if self._unseen is None:
            self._add_unseen(f"{self.shown}: values of variables that a text puts side by side")

    def _mixed(self, key: str, patterns: Mapping[Pattern, int], numeric: Sequence[str], given: Context) -> None:
        """Texts that are asked about as texts and as addresses or numbers: what the patterns' witnesses show, the rest unseen."""
        for found in classes(list(patterns), limit=256):
            self._put({**given, key: found.witness}, found.witness)
        for atom in list(self.atoms):
            value = atom.context.get(key)
            if isinstance(value, str) and atom.kind == "sent":
                for text in _spellings(value):
                    self._put({**given, key: text}, None)
        if self._unseen is None:
            self._add_unseen(f"{spelled(key)} is compared as {' and as '.join(('a text', *numeric))}")

    def _strings(self, key: str, patterns: dict[Pattern, int], literals: set[str], given: Context) -> None:
        for text in sorted({"", *literals}):
            patterns.setdefault(_literal(text), 0)
        listed = list(patterns)
        owners = list(patterns.values())
        # Texts that a Resource's or a fixed value's variables stand for change what asks without cuts answer: ask those of every class.
        always = sum(1 << i for i, a in enumerate(self.asks) if a.inside is not None or key not in a.keys or a.main != key)
        everyone = (1 << len(self.asks)) - 1
        based = base_sure = base_unsure = 0
        shown = [_shown(p) for p in listed]
        wild_shown = [(i, shown[i]) for i, p in enumerate(listed) if p.literal is None]
        literal_shown = tuple(s for p, s in zip(listed, shown) if p.literal)
        found = _plain_classes(listed) or classes(listed, limit=max(64, min(MOST_ATOMS, self._work // 40)))
        if len(found) > 16 * MOST_ATOMS:
            raise TooManyAtoms
        for text, matched in sorted(found, key=lambda c: (c.matched.bit_count(), c.matched)):
            affected = always if text else everyone  # an empty string is no value at all for set operators (C-19)
            for i in _bits(matched):
                affected |= owners[i]
            values: dict[str, Value] = {**given, key: text}
            fresh = everyone & ~affected & ~based
            if fresh:
                s, u = self._answers(values, fresh)
                base_sure, base_unsure, based = base_sure | s, base_unsure | u, based | fresh
            s, u = self._answers(values, affected)
            signature = (self._nature(values), base_sure & ~affected | s, base_unsure & ~affected | u)
            if any(listed[i].literal == text for i in _bits(matched)):
                cell: Cell = text
            else:
                like = tuple(s for i, s in wild_shown if matched >> i & 1)
                cell = Strings(like, tuple(s for i, s in wild_shown if not matched >> i & 1) + literal_shown)
            self._put(values, cell, signature)

    def _answers(self, values: Context, which: int) -> tuple[int, int]:
        sure = unsure = 0
        for i in _bits(which):
            answer = self.asks[i].test(values)
            if answer:
                sure |= 1 << i
            elif answer is None:
                unsure |= 1 << i
        return sure, unsure

    def _addresses(self, key: str, asks: Sequence[Ask], taken: set[str], given: Context) -> None:
        bit = {ask: 1 << i for i, ask in enumerate(self.asks)}
        starts: dict[int, dict[int, int]] = {4: {0: 0}, 6: {0: 0, _MAPPED[0]: 0, _MAPPED[1] + 1: 0}}
        for ask in asks:
            for span in ask.cuts(given):
                assert isinstance(span, Span)
                at = starts[span.family]
                at[span.low] = at.get(span.low, 0) | bit[ask]
                at[span.high + 1] = at.get(span.high + 1, 0) | bit[ask]
        for family, at in starts.items():
            end = 1 << (32 if family == 4 else 128)
            sure = unsure = 0
            first = True
            pending = 0
            points = sorted(p for p in at if p < end)
            for low, after in zip(points, (*points[1:], end)):
                pending |= at[low]
                if family == 6 and _MAPPED[0] <= low <= _MAPPED[1]:
                    continue  # no text is read as such an address (C-34)
                values: dict[str, Value] = {**given, key: _address_text(family, low, after - 1, taken)}
                which = (1 << len(self.asks)) - 1 if first else pending
                s, u = self._answers(values, which)
                sure, unsure, first, pending = sure & ~which | s, unsure & ~which | u, False, 0
                signature = (self._nature(values), sure, unsure)
                atom = self._put(values, None, signature)
                last = atom.cells[-1] if atom.cells else None
                if isinstance(last, Span) and last.family == family and last.high + 1 == low:
                    atom.cells[-1] = Span(family, last.low, after - 1)
                else:
                    atom.cells.append(Span(family, low, after - 1))

    def _ordered(self, key: str, asks: Sequence[Ask], read: Callable[[str], Decimal], taken: set[str], given: Context) -> None:
        bit = {ask: 1 << i for i, ask in enumerate(self.asks)}
        cuts: dict[Decimal, int] = {}
        for ask in asks:
            for cut in ask.cuts(given):
                assert isinstance(cut, Cut)
                cuts[cut.value] = cuts.get(cut.value, 0) | bit[ask]
        everyone = (1 << len(self.asks)) - 1
        sure = unsure = 0
        pending = everyone
        for cell, owners in _stretched(cuts):
            pending |= owners
            text = _number_text(cell, read, taken)
            if text is None:
                continue
            values: dict[str, Value] = {**given, key: text}
            s, u = self._answers(values, pending)
            sure, unsure, pending = sure & ~pending | s, unsure & ~pending | u, 0
            self._put(values, cell, (self._nature(values), sure, unsure))

    def _clock(self) -> None:
        """C-36: both keys tell the same time; whatever else a context says of them is unseen."""
        cuts = sorted({cut.value for ask in self.asks for cut in ask.cuts({}) if isinstance(cut, Cut)})
        for cell, _ in _stretched(dict.fromkeys(cuts, 0)):
            text = _number_text(cell, moment, set())
            if text is not None:
                values: dict[str, Value] = {CLOCK[0]: text}
                one_clock(values)
                self._put(values, cell)
        for odd in ("", "not a time"):
            self._put({CLOCK[0]: odd, CLOCK[1]: odd}, odd)
        self._put(dict.fromkeys(CLOCK, ("several",)), ("several",))
        self._add_unseen("aws:CurrentTime and aws:EpochTime that don't tell one time")

    def _several(self, key: str, asks: Sequence[Ask], given: Context) -> None:
        """Several values at once. Without a set operator they all look alike (C-27); with one, what matters is which classes are among
        them (C-24): what holds of any of the values holds of a set if it does of one, what holds of all if it does of each. So the answers
        for a set and one value more follow from the answers for both, and all sets are found by adding one at a time."""
        bit = {ask: 1 << i for i, ask in enumerate(self.asks)}
        of_any, of_all = (sum(bit[a] for a in asks if a.quantifier == name and a.main == key) for name in ("ForAnyValue", "ForAllValues"))
        if not of_any | of_all:
            self._put({**given, key: ("several", "values")}, ("several", "values"))
            return
        singles: dict[tuple[int, int], str] = {}
        for text in ("", *(v for a in list(self.atoms) if isinstance(v := a.context.get(key), str))):
            # Twice: an empty string alone in a list is no value at all (C-19), and one among others is.
            _, sure, unsure = self._asked({**given, key: (text, text)})
            singles.setdefault((sure, unsure), text)
        self._put({**given, key: ("",)}, ("",))
        found: dict[tuple[int, int], tuple[str, ...]] = {s: (t,) if t else (t, t) for s, t in singles.items()}
        queue = list(found.items())
        rest = ~of_any  # of any other ask two values are no more than one: it answers alike for all sets, or asks it of all
        trials = 0
        for (sure, unsure), values in queue:
            for (more_sure, more_unsure), text in singles.items():
                trials += 1
                if trials > self._trials or len(found) > MOST_ATOMS:
                    raise TooManyAtoms
                may, more_may = sure | unsure, more_sure | more_unsure
                now = (sure | more_sure) & of_any | sure & more_sure & rest
                signature = now, ((may | more_may) & of_any | may & more_may & rest) & ~now
                if signature not in found:
                    wider = (*values, text)
                    found[signature] = wider
                    queue.append((signature, wider))
        nature = self._nature({**given, key: ("several", "values")})
        for (sure, unsure), several in queue:
            self._put({**given, key: several}, several, (nature, sure, unsure))

    def _together(self) -> None:
        """Keys of which one is a variable in another's values: each value of the variables tried, the rest unseen."""
        variables = [k for k in self.keys if any(k in ask.keys and ask.main != k for ask in self.asks)]
        mains = [k for k in self.keys if k not in variables]
        texts: dict[str, list[Value | None]] = {}
        for key in self.keys:
            seen: dict[Value | None, None] = {None: None, ("several", "values"): None, "": None, "true": None, "one": None, "two": None}
            for ask in self.asks:
                if key in ask.keys:
                    for cut in ask.cuts({}):
                        if isinstance(cut, Pattern):
                            for found in classes([cut], limit=256):
                                seen[found.witness] = None
                    if ask.inside is not None:
                        for text in _stretches(ask.inside):
                            seen[text] = None
            texts[key] = list(seen)
        trials = 0
        for chosen in product(*(texts[k] for k in variables)):
            given: dict[str, Value] = {k: v for k, v in zip(variables, chosen) if v is not None}
            options: list[list[Value | None]] = []
            for key in mains:
                more: dict[Value | None, None] = dict.fromkeys(texts[key])
                patterns = [p for ask in self.asks if ask.main == key for p in ask.cuts(given) if isinstance(p, Pattern)]
                for found in classes(patterns, limit=256):
                    more[found.witness] = None
                options.append(list(more))
            for rest in product(*options):
                trials += len(self.asks)
                if trials > self._trials or len(self.atoms) > MOST_ATOMS:
                    raise TooManyAtoms
                self._put({**given, **{k: v for k, v in zip(mains, rest) if v is not None}}, None)
        self._add_unseen(f"{self.shown}: one is a variable in the values of the other")

    def _transposed(self) -> tuple[list[int], list[int]]:
        """For each ask, the atoms where it surely holds, and where it may hold."""
        count = len(self.asks)
        if not count:
            return [], []
        width = f"0{count}b"
        columns = [int("".join(c), 2) for c in zip(*(format(s[1], width) for s in reversed(self._signatures)))]
        maybe = [int("".join(c), 2) for c in zip(*(format(s[1] | s[2], width) for s in reversed(self._signatures)))]
        return columns[::-1], maybe[::-1]


class TooManyAtoms(Exception):
    """More values are told apart than can be listed."""


KnownAxes = dict[tuple[object, ...], Axis]
"""Axes that were worked out before, by their keys and asks: questions of one estate ask the same of the same keys over and over."""
_AXES_KEPT = 2_000


def axes_of(asks: Iterable[Ask], known: KnownAxes | None = None) -> tuple[Axis, ...]:
    """The axes of a set of asks, in a fixed order; keys that one ask puts together are one axis. Those in ``known`` aren't made again."""
    home: dict[str, str] = {}

    def root(key: str) -> str:
        while home.setdefault(key, key) != key:
            key = home[key]
        return key

    listed = list(asks)
    for ask in listed:
        for key in ask.keys:
            home[root(key)] = root(ask.keys[0])
    if all(k in home for k in CLOCK):
        home[root(CLOCK[1])] = root(CLOCK[0])
    members: dict[str, list[str]] = {}
    for key in home:
        members.setdefault(root(key), []).append(key)
    asked: dict[str, list[Ask]] = {}
    for ask in listed:
        asked.setdefault(root(ask.keys[0]), []).append(ask)
    # Many keys share what is spent on finding their values: all together take seconds at most.
    effort = min(1.0, 8 / len(members)) if members else 1.0
    axes = [_axis(sorted(keys), asked[r], effort, known) for r, keys in members.items()]
    return tuple(sorted(axes, key=lambda axis: (_ORDER.get(axis.keys[0], len(_ORDER)), axis.keys)))


def _axis(keys: Sequence[str], asks: Sequence[Ask], effort: float, known: KnownAxes | None) -> Axis:
    if known is None:
        return Axis(keys, asks, effort=effort)
    mark = (tuple(keys), tuple(asks), effort)
    found = known.get(mark)
    if found is None:
        if len(known) >= _AXES_KEPT:
            known.clear()
        found = known[mark] = Axis(keys, asks, effort=effort)
    return found


_ORDER = {
    key: i
    for i, key in enumerate(
        (
            "aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:multifactorauthpresent", "aws:multifactorauthage",
            "aws:viaawsservice",
        )
    )
}  # fmt: skip


def is_sent(key: str, value: Value) -> bool:
    """Whether AWS sends such a value for the key: an address where addresses belong, ``true`` or ``false``, several only where allowed."""
    if not isinstance(value, str):
        return key in MANY or key not in KEYS
    kind = key_of(key).type
    if kind == "bool":
        return value in ("true", "false")
    try:
        if kind == "ip":
            address(value)
        elif kind == "numeric":
            number(value)
        elif kind == "date":
            moment(value)
    except Unreadable:
        return False
    return value != ""


def absent_or_given(context: Mapping[str, Any], fixed: Mapping[str, Value | None], usual: Mapping[str, Value]) -> dict[str, Value] | None:
    """A context with lower-case keys and the fixed ones filled in; None where it says otherwise of a fixed key."""
    full: dict[str, Value] = {}
    for key, value in context.items():
        if value.__class__ is str:
            full[key.lower()] = value
        else:
            normal = normal_value(value)
            if normal is not None:
                full[key.lower()] = normal
    if CLOCK[0] in full or CLOCK[1] in full:
        one_clock(full)
    for key, fact in fixed.items():
        if fact is None:
            if key in full:
                return None
        elif full.setdefault(key, fact) != fact:
            return None
    for key, fact in usual.items():
        full.setdefault(key, fact)
    return full


# --- cells and texts ---------------------------------------------------------------------------------------------------------

_MAPPED = (0xFFFF << 32, (0xFFFF << 32) | 0xFFFFFFFF)
_TRUE = folded_pattern("true")
_ARN = Pattern.glob("*:*:*:*:*:*")


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _literal(text: str) -> Pattern:
    from sekisho.policy.pattern import Piece, tokens

    return Pattern.of(tokens([Piece(text, literal=True)]))


def _plain_classes(patterns: Sequence[Pattern]) -> list[StringClass] | None:
    """``classes`` where there are only fixed strings and "true in any letter case", the commonest case by far; else None."""
    literals: dict[str, int] = {}
    true = 0
    for i, pattern in enumerate(patterns):
        if pattern is _TRUE:
            true |= 1 << i
        elif pattern.literal is None:
            return None
        else:
            literals[pattern.literal] = literals.get(pattern.literal, 0) | 1 << i
    found = [StringClass(text, mask | true if text.lower() == "true" else mask) for text, mask in literals.items()]
    if true:
        spellings = ("".join(letters) for letters in product(*((c, c.upper()) for c in "true")))
        found += [StringClass(text, true) for text in spellings if text not in literals][:1]
    outside = next(text for n in range(1, len(literals) + 3) if (text := "z" * n) not in literals)
    return [*found, StringClass(outside, 0)]


def _shown(pattern: Pattern) -> str:
    return "".join(t.char or (t.wild or "")[:1] for t in pattern.row)


def _stretches(text: str) -> Iterator[str]:
    """Every stretch of a text: what a variable's value can be for the text to hold it."""
    tail = text.split(":", 5)[-1] if text.count(":") >= 5 else text
    if len(tail) > 120:
        raise TooManyAtoms
    yield text
    for i in range(len(tail)):
        for j in range(i, len(tail) + 1):
            yield tail[i:j]


def _address_text(family: int, low: int, high: int, taken: set[str]) -> str:
    """An address between two, spelled in a way that isn't taken."""
    for value in (low, min(low + 1, high), high):
        text = inet_ntop(AF_INET, value.to_bytes(4)) if family == 4 else inet_ntop(AF_INET6, value.to_bytes(16))
        if text not in taken:
            return text
    text = inet_ntop(AF_INET, low.to_bytes(4)) if family == 4 else inet_ntop(AF_INET6, low.to_bytes(16))
    return next(t for t in _spellings(text) if t not in taken)


def _spellings(text: str) -> Iterator[str]:
    """Other texts that are read as the same address or number."""
    try:
        family, value = address(text)
    except Unreadable:
        for more in (".0", ".00", ".000", "e0", "E0", "e00"):
            yield text + more
        yield "+" + text
        yield "00" + text
        return
    if family == 4:
        for head in ("::ffff:", "::FFFF:", "0::ffff:", "0::fFfF:", "0:0::ffff:"):
            yield head + inet_ntop(AF_INET, value.to_bytes(4))
        return
    exploded = ipaddress.IPv6Address(value).exploded
    yield from (exploded, exploded.upper(), text.upper())
    groups = exploded.split(":")
    yield ":".join(g.lstrip("0") or "0" for g in groups)


def _stretched(cuts: Mapping[Decimal, int]) -> Iterator[tuple[Between, int]]:
    """The points and the open stretches between them, in order, each with the owners of the cut that begins it."""
    points = sorted(cuts)
    previous: Decimal | None = None
    owners = 0
    for point in points:
        yield Between(previous, point, False, False), owners
        owners = cuts[point]
        yield Between(point, point, True, True), owners
        previous = point
    yield Between(previous, None, False, False), owners


def _number_text(cell: Between, read: Callable[[str], Decimal], taken: set[str]) -> str | None:
    """A text that is read as a number of the cell and isn't taken; None when there is none."""
    low, high = cell.low, cell.high
    values: list[Decimal] = []
    if low is not None and low == high:
        values = [low]
    elif low is None:
        values = [Decimal(0) if high is None else high - 1 - abs(high)]
    elif high is None:
        values = [low + 1 + abs(low)]
    else:
        for precision in (28, 60, 2000):
            rounded = DecimalContext(prec=precision)
            values.append(rounded.divide(rounded.add(low, high), Decimal(2)))
    for value in values:
        if low != high and ((low is not None and value <= low) or (high is not None and value >= high)):
            continue
        plain = f"{value:f}" if -40 < value.adjusted() < 40 else str(value)
        for text in (plain, plain + ".0", str(value), *_spellings(plain)):
            if text in taken:
                continue
            try:
                if read(text) == value:
                    return text
            except Unreadable:
                continue
    return None


# --- what a box says -----------------------------------------------------------------------------------------------------------


def box_json(axes: Sequence[Axis], level_of: Mapping[str, int], box: Mapping[str, int]) -> dict[str, Any]:
    """One box in the contract's form; see ``Region.to_json``."""
    shown: dict[str, Any] = {}
    for name, mask in box.items():
        axis = axes[level_of[name]]
        atoms = [axis.atoms[i] for i in _bits(mask)]
        if len(axis.keys) == 1:
            shown[spelled(name)] = axis.key_json(mask)
        elif axis.keys == CLOCK:
            shown["aws:CurrentTime"] = key_json(CLOCK[0], atoms)
        else:
            examples = [{spelled(k): v for k, v in a.context.items()} for a in atoms if a.kind in ("sent", "absent")]
            shown[axis.shown] = {"examples": examples[:20], "absent": any(a.kind == "absent" for a in atoms)}
    return shown


def key_json(key: str, atoms: Sequence[Atom]) -> dict[str, Any]:
    """What a key may be: ``cidrs`` for addresses; ``values``, ``ranges``, ``patterns``, ``several`` for others; and ``absent``.

    Texts that AWS never sends for the key (``TRUE``, an address that isn't one) are left out.
    """
    result: dict[str, Any] = {}
    cells = [c for a in atoms if a.kind == "sent" for c in a.cells]
    spans = [c for c in cells if isinstance(c, Span)]
    texts = sorted(c for c in cells if isinstance(c, str))
    if key_of(key).type == "ip" or spans:
        result["cidrs"] = cidrs(spans)
        others = [t for t in texts if not _is_address(t)]
        if others:
            result["values"] = others
    else:
        result["values"] = texts
    ranges = _joined_ranges([c for c in cells if isinstance(c, Between)])
    points = [r for r in ranges if r.low is not None and r.low == r.high]
    if points:
        result["values"] = [*result.get("values", ()), *(_moment_text(key, r.low) for r in points if r.low is not None)]
    longer = [r for r in ranges if r not in points]
    if longer:
        result["ranges"] = [_range_json(key, r) for r in longer]
    patterns = [c for c in cells if isinstance(c, Strings)]
    if patterns:
        result["patterns"] = [{"like": list(c.like), "unlike": list(c.unlike)} for c in patterns]
    several = [list(c) for c in cells if isinstance(c, tuple) and not isinstance(c, Span | Between | Strings)]
    if several:
        result["several"] = several
    result["absent"] = any(a.kind == "absent" for a in atoms)
    reasons = [a.reason for a in atoms if a.kind == "unseen"]
    if reasons:
        result["unknown"] = reasons
    return result


def _is_address(text: str) -> bool:
    try:
        address(text)
    except Unreadable:
        return False
    return True


def cidrs(spans: Iterable[Span]) -> list[str]:
    """The fewest CIDRs that make up the spans, IPv4 first.

    >>> cidrs([Span(4, 0, (1 << 31) - 1), Span(4, 1 << 31, (1 << 32) - 1), Span(6, 0, (1 << 128) - 1)])
    ['0.0.0.0/0', '::/0']
    """
    result = []
    by_family: dict[int, list[Span]] = {4: [], 6: []}
    for span in sorted(spans):
        rows = by_family[span.family]
        # No text is read as an IPv4-mapped IPv6 address, so leaving them out of a range is not a hole in it.
        if rows and (span.low <= rows[-1].high + 1 or (span.family == 6 and rows[-1].high + 1 == _MAPPED[0] and span.low == _MAPPED[1] + 1)):
            rows[-1] = Span(span.family, rows[-1].low, max(rows[-1].high, span.high))
        else:
            rows.append(span)
    for family, rows in by_family.items():
        make: Any = ipaddress.IPv4Address if family == 4 else ipaddress.IPv6Address
        for span in rows:
            result += [str(n) for n in ipaddress.summarize_address_range(make(span.low), make(span.high))]
    return result


def _joined_ranges(cells: Sequence[Between]) -> list[Between]:
    rows: list[Between] = []
    for cell in sorted(cells, key=lambda c: (c.low is not None, c.low if c.low is not None else Decimal(0), not c.with_low)):
        if rows and rows[-1].high is not None and rows[-1].high == cell.low and (rows[-1].with_high or cell.with_low):
            rows[-1] = Between(rows[-1].low, cell.high, rows[-1].with_low, cell.with_high)
        else:
            rows.append(cell)
    return rows


def _range_json(key: str, cell: Between) -> dict[str, str]:
    shown = {}
    if cell.low is not None:
        shown["at_least" if cell.with_low else "above"] = _moment_text(key, cell.low)
    if cell.high is not None:
        shown["at_most" if cell.with_high else "below"] = _moment_text(key, cell.high)
    return shown


def _moment_text(key: str, value: Decimal) -> str:
    if key_of(key).type == "date" and value == value.to_integral_value() and abs(value) < 10**11:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=int(value))).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{value:f}" if -20 < value.adjusted() < 20 else str(value)


__all__ = [
    "CLOCK", "Address", "Ask", "Atom", "Axis", "Between", "Cell", "Kind", "KnownAxes", "Strings", "TooManyAtoms", "axes_of", "bind", "bind_resource",
]  # fmt: skip
