"""Patterns with * and ?: actions, resources, ARNs and strings (B, C-10, C-18), and the strings that a set of them tells apart.

A pattern is a row of tokens: literal characters, wildcards, and wildcards that stop at a colon. One automaton over the tokens gives
both answers: ``matches`` runs it on one string; ``classes`` runs several side by side over all strings. Matching is linear in the
string; there is no backtracking, whatever the pattern.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, takewhile
from typing import Final, Literal, NamedTuple

Wild = Literal["*", "?", "*:", "?:"]


class Token(NamedTuple):
    """A literal character (``wild`` is None), or a wildcard: ``*``, ``?``, or ``*:``, ``?:`` which don't match a colon.

    ``also`` are further characters that a literal one stands for (other letter cases).
    """

    char: str
    wild: Wild | None = None
    also: str = ""


STAR: Final = Token("", "*")
ANY: Final = Token("", "?")
SEGMENT_STAR: Final = Token("", "*:")
SEGMENT_ANY: Final = Token("", "?:")
_END: Final = Token("")
"""Matches nothing: after it stands the next pattern, where several are one row."""


class Piece(NamedTuple):
    """A stretch of policy text: ``literal`` text came out of a variable (or ``${*}``) and has no wildcards (B-11, B-13)."""

    text: str
    literal: bool = False


def tokens(pieces: Iterable[Piece], *, star: Token = STAR, any_one: Token = ANY) -> list[Token]:
    """The tokens of policy text, ``*`` and ``?`` outside literal pieces as the given wildcards."""
    row: list[Token] = []
    for text, literal in pieces:
        for char in text:
            if literal or char not in "*?":
                row.append(Token(char))
            else:
                row.append(star if char == "*" else any_one)
    return row


@dataclass(frozen=True)
class Pattern:
    """A compiled pattern. ``Pattern.glob("a*")`` for plain ones; ``matches(text)`` is anchored at both ends."""

    row: tuple[Token, ...]

    @classmethod
    def of(cls, row: Iterable[Token]) -> Pattern:
        kept: list[Token] = []
        for token in row:
            if kept and token == kept[-1] and token.wild in ("*", "*:"):
                continue
            kept.append(token)
        return cls(tuple(kept))

    @classmethod
    def glob(cls, text: str) -> Pattern:
        """``*`` matches any run of characters, ``?`` exactly one, everything else itself (B-01, C-10)."""
        return cls.of(tokens([Piece(text)]))

    @cached_property
    def literal(self) -> str | None:
        """The one string that matches, where there are no wildcards."""
        if any(t.wild or t.also for t in self.row):
            return None
        return "".join(t.char for t in self.row)

    @cached_property
    def head(self) -> str:
        """What every string that matches begins with."""
        return "".join(t.char for t in takewhile(lambda t: not (t.wild or t.also), self.row))

    @cached_property
    def _prefix(self) -> str | None:
        if self.row and self.row[-1] == STAR and not any(t.wild or t.also for t in self.row[:-1]):
            return "".join(t.char for t in self.row[:-1])
        return None

    @cached_property
    def _steps(self) -> Automaton:
        return Automaton(self.row)

    @cached_property
    def _stretches(self) -> tuple[str, ...] | None:
        """The literal stretches between the stars, where there are no other wildcards."""
        stretches = [""]
        for token in self.row:
            if token == STAR:
                stretches.append("")
            elif token.wild or token.also:
                return None
            else:
                stretches[-1] += token.char
        return tuple(stretches)

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` matches."""
        if self.literal is not None:
            return text == self.literal
        if self._prefix is not None:
            return text.startswith(self._prefix)
        stretches = self._stretches
        if stretches is not None:
            # With plain stars alone, taking each stretch where it first stands is enough.
            first, *middle, last = stretches
            if not text.startswith(first) or not text.endswith(last) or len(text) < len(first) + len(last):
                return False
            at, end = len(first), len(text) - len(last)
            for stretch in middle:
                at = text.find(stretch, at, end)
                if at < 0:
                    return False
                at += len(stretch)
            return True
        machine = self._steps
        state = machine.start
        for char in text:
            state = machine.step(state, char)
            if not state:
                return False
        return bool(state & machine.accept)


class Automaton:
    """The states of one pattern as bits: bit i is set when the first i tokens have been matched."""

    def __init__(self, row: Sequence[Token]) -> None:
        advance: dict[str, int] = {}
        any_char = any_but_colon = stay = stay_but_colon = 0
        for i, token in enumerate(row):
            bit = 1 << i
            if token.wild is None:
                for char in (token.char, *token.also):
                    advance[char] = advance.get(char, 0) | bit
            elif token.wild == "?":
                any_char |= bit
            elif token.wild == "?:":
                any_but_colon |= bit
            elif token.wild == "*":
                stay |= bit
            else:
                stay_but_colon |= bit
        self._free = stay | stay_but_colon
        self._advance = {c: m | any_char | (0 if c == ":" else any_but_colon) for c, m in advance.items()}
        self._advance.setdefault(":", any_char)
        self._advance_else = any_char | any_but_colon
        self._stay_colon = stay
        self._stay_else = stay | stay_but_colon
        self.accept = 1 << len(row)
        self.start = self.closed(1)
        self.alphabet = frozenset(self._advance)

    def moves(self, char: str) -> tuple[int, int]:
        """What a character does to the states; characters that do the same can't be told apart."""
        return self._advance.get(char, self._advance_else), self._stay_colon if char == ":" else self._stay_else

    def closed(self, state: int) -> int:
        """Skip over stars, which may match nothing."""
        while True:
            wider = state | ((state & self._free) << 1)
            if wider == state:
                return state
            state = wider

    def step(self, state: int, char: str) -> int:
        """The states after one more character; 0 when nothing can match any more."""
        moved = (state & self._advance.get(char, self._advance_else)) << 1
        stayed = state & (self._stay_colon if char == ":" else self._stay_else)
        return self.closed(moved | stayed)


class StringClass(NamedTuple):
    """A set of strings that the patterns can't tell apart: one of them, and which patterns match it (bit i: pattern i)."""

    witness: str
    matched: int


class TooManyClasses(Exception):
    """The patterns tell more strings apart than the limit allows."""


_LETTERS_OUTSIDE = "zyxwvutsrqponmlkjihgfedcba0123456789"
_STEPS_TRIED = 20_000


def classes(patterns: Sequence[Pattern], *, limit: int = 4096) -> list[StringClass]:
    """All non-empty classes of strings that ``patterns`` tell apart, each with a short witness; they cover every string.

    Raises ``TooManyClasses`` when the joint automaton has more than ``limit`` states: the caller then has to say "unknown",
    never guess.

    >>> sorted((c.witness, c.matched) for c in classes([Pattern.glob("a*"), Pattern.glob("ab")]))
    [('', 0), ('a', 1), ('ab', 3)]
    """
    literal_masks: dict[str, int] = {}
    wild: list[tuple[int, Pattern]] = []
    for i, pattern in enumerate(patterns):
        if pattern.literal is None:
            wild.append((i, pattern))
        else:
            literal_masks[pattern.literal] = literal_masks.get(pattern.literal, 0) | 1 << i
    for text in literal_masks:
        literal_masks[text] |= sum(1 << i for i, p in wild if p.matches(text))
    singles = [StringClass(text, mask) for text, mask in literal_masks.items()]
    return singles + _wild_classes(wild, literal_masks.keys(), limit)


class _SideBySide:
    """The automata of several patterns as one: their states stand one after another in one number, so that a step moves all at once."""

    def __init__(self, wild: Sequence[tuple[int, Pattern]]) -> None:
        row: list[Token] = []
        starts = 0
        self._ends: list[tuple[int, int]] = []
        for i, pattern in wild:
            starts |= 1 << len(row)
            self._ends.append((1 << (len(row) + len(pattern.row)), 1 << i))
            row += [*pattern.row, _END]
        self._machine = Automaton(row)
        self._all_ends = sum(end for end, _ in self._ends)
        self.step = self._machine.step
        self.start = self._machine.closed(starts)
        self.alphabet = self._machine.alphabet - {""}
        self._masks: dict[int, int] = {}

    def accepted(self, states: int) -> int:
        """Which patterns match what brought to ``states``."""
        ends = states & self._all_ends
        found = self._masks.get(ends)
        if found is None:
            found = self._masks[ends] = sum(bit for end, bit in self._ends if ends & end)
        return found

    def after(self, text: str) -> int:
        states = self.start
        for char in text:
            states = self.step(states, char)
        return states

    def told_apart(self, letters: Iterable[str]) -> list[str]:
        """The first of the letters that move all states alike."""
        first: dict[tuple[int, int], str] = {}
        for letter in letters:
            first.setdefault(self._machine.moves(letter), letter)
        return list(first.values())


def _wild_classes(wild: Sequence[tuple[int, Pattern]], taken: Collection[str], limit: int) -> list[StringClass]:
    """The classes of the patterns with wildcards, without the strings ``taken``, by walking all patterns' automata side by side."""
    machine = _SideBySide(wild)
    alphabet = machine.alphabet
    outside = next(c for c in chain(_LETTERS_OUTSIDE, map(chr, range(0x100, 0x10FFF))) if c not in alphabet)
    letters = [outside, *sorted(alphabet, key=lambda c: (not c.isalnum(), c))]
    step, accepted = machine.step, machine.accepted
    seen = {machine.start: ""}
    queue = [machine.start]
    found: dict[int, str] = {}
    told_apart = machine.told_apart(letters)
    for states in queue:
        text = seen[states]
        if text not in taken:
            found.setdefault(accepted(states), text)
        for letter in told_apart if text else letters:
            following = step(states, letter)
            if following not in seen:
                if len(seen) >= limit:
                    raise TooManyClasses
                seen[following] = text + letter
                queue.append(following)
            elif not seen[following] and not text and letter not in taken:
                # The empty string reads badly as a witness, and counts as no value for set operators (C-19).
                seen[following] = letter
                found[accepted(following)] = letter
    hidden = {accepted(states) for states in queue} - found.keys()
    if hidden:
        found.update(_other_witnesses(hidden, machine, letters, taken))
    return [StringClass(text, mask) for mask, text in found.items()]


def _other_witnesses(hidden: set[int], machine: _SideBySide, letters: Sequence[str], taken: Collection[str]) -> dict[int, str]:
    """The shortest free string of each hidden class, whose shortest strings are taken; a class without one isn't in the result.

    Walks the automata once more, now telling apart whether the string so far is the beginning of a taken one. A string that isn't can
    never become taken, so that beginnings and states are finite together. Raises TooManyClasses when the walk gets too long to tell.
    """
    step, accepted = machine.step, machine.accepted
    # A taken string of another class is no obstacle.
    beginnings = {t[:i] for t in taken if accepted(machine.after(t)) in hidden for i in range(len(t) + 1)}
    found: dict[int, str] = {}
    first = machine.start
    queue = [("", first)]
    seen: set[tuple[str | None, int]] = {("" if "" in beginnings else None, first)}
    for text, states in queue:
        if text not in taken:
            mask = accepted(states)
            if mask in hidden and mask not in found:
                found[mask] = text
                if found.keys() == hidden:
                    break
        for letter in letters:
            longer = text + letter
            following = step(states, letter)
            known = (longer if longer in beginnings else None, following)
            if known not in seen:
                if len(seen) >= _STEPS_TRIED:
                    raise TooManyClasses
                seen.add(known)
                queue.append((longer, following))
    return found


# Characters whose lower-case form is a letter of a policy's alphabet besides that letter's own upper case (C-33).
_FOLDS_TO = {"k": "\u212a", "\u00e5": "\u212b", "\u00df": "\u1e9e"}


def folded_pattern(text: str) -> Pattern:
    """The strings whose full Unicode lower-case form is ``text`` (C-33).

    >>> folded_pattern("kb").matches("\u212aB")
    True
    """
    row = []
    for char in text.lower():
        upper = char.upper()
        also = (upper if len(upper) == 1 and upper != char and upper.lower() == char else "") + _FOLDS_TO.get(char, "")
        row.append(Token(char, None, also))
    return Pattern.of(row)


def action_pattern(text: str) -> Pattern:
    """B-01: anchored, prefix and name case-insensitive: compare with a lower-cased action."""
    return Pattern.glob(text.lower())


def split_arn(text: str) -> list[str]:
    """The up to six components of an ARN: five colons split, the sixth component may hold more."""
    return text.split(":", 5)


def resource_pattern(pieces: Sequence[Piece], *, pad: bool = True) -> Pattern:
    """B-03, B-04: a Resource entry. Wildcards stop at a colon in the first five components, but for a ``*`` that ends its component.

    ``pad``: fewer than six components are filled up with ``*`` (identity, boundary and session policies).
    """
    row = tokens(pieces)
    if row == [STAR]:
        return Pattern.of(row)
    colons = [i for i, t in enumerate(row) if t == Token(":")][:5]
    if pad and len(colons) < 5 and colons:
        for _ in range(5 - len(colons)):
            colons.append(len(row))
            row += [Token(":"), STAR]
    ends = set(colons)
    last_colon = colons[4] if len(colons) == 5 else len(row)
    result: list[Token] = []
    for i, token in enumerate(row):
        if i < last_colon and token == ANY:
            token = SEGMENT_ANY
        elif i < last_colon and token == STAR and i + 1 not in ends and i + 1 != len(row):
            token = SEGMENT_STAR
        result.append(token)
    return Pattern.of(result)


def arn_pattern(pieces: Sequence[Piece]) -> Pattern | None:
    """C-18: an ARN in a condition: six components compared apart, no wildcard of the first five matches a colon.

    None when the text has fewer than six components, or its first can't be ``arn``: it is no ARN, and matches nothing.
    """
    row = tokens(pieces)
    colons = [i for i, t in enumerate(row) if t == Token(":")][:5]
    if len(colons) < 5 or not Pattern.of(row[: colons[0]]).matches("arn"):
        return None
    row = [*map(Token, "arn"), *row[colons[0] :]]
    colons = [i for i, t in enumerate(row) if t == Token(":")][:5]
    narrowed = [(SEGMENT_STAR if t == STAR else SEGMENT_ANY if t == ANY else t) if i < colons[4] else t for i, t in enumerate(row)]
    return Pattern.of(narrowed)
