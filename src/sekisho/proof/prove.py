"""Policies → region: all requests of a question answered at once, by the same clauses and the same compiled tests that ``decide`` asks.

A statement that is about the question is a box: for each context key the atoms where all its conditions on that key hold. What is allowed
is then the intersection over the clauses of the union of their boxes, without the boxes of the Denies. Each is worked out twice, where
something can't be known: as if it all held, and as if none did; what differs is the region ``unknown``.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sekisho.decision.decide import COMPANIONS, Authorizer, Matched, Question
from sekisho.decision.layers import Layers
from sekisho.decision.request import Request
from sekisho.estate.model import Estate
from sekisho.policy import DEFAULT, Policy, Settings
from sekisho.policy.condition import Context, Value
from sekisho.policy.keys import spelled
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.proof.atoms import Ask, KnownAxes, bind, bind_resource
from sekisho.proof.region import OTHERS, Region, Space, TooManyCells
from sekisho.proof.requests import possible_requests, presence

NO_SESSION_TAGS: Mapping[str, None] = dict.fromkeys(OTHERS)
"""To give ``prove``: an AssumeRole call that passes no tags and no source identity besides those that the policies name (D-26)."""

VARIED = ("aws:viaawsservice", "aws:securetransport", "aws:principalisawsservice")
"""Keys that follow from the principal only as a rule: a proof is about all their values, and a context that doesn't say has the usual one."""


COMPANION_KEYS = tuple(prefix for prefixes, _ in COMPANIONS for prefix in prefixes)


class Patience:
    """What one answer over many questions spends on those whose regions multiply beyond measure: each takes half of what is left, so that an
    estate full of them comes to an end. All are answered in full until then, and nearly all need less than what every question gets.

    ``axes``: the questions' axes, which are as a rule the same ones.
    """

    MOST_IN_VAIN = 1_200_000
    EACH = 10_000
    FEWEST = 1_000

    def __init__(self) -> None:
        self.exceeded = 0
        self.axes: KnownAxes = {}
        self._in_vain = 0

    @property
    def steps(self) -> int:
        """How many the next question gets."""
        each = self.EACH if self._in_vain < 2 * self.MOST_IN_VAIN else self.FEWEST
        return min(Space.MOST_STEPS, max((self.MOST_IN_VAIN - self._in_vain) // 2, each))

    def lose(self, steps: int) -> None:
        """A question has taken so many and came to nothing."""
        self.exceeded += 1
        self._in_vain += steps


@dataclass(frozen=True)
class Proof:
    """What ``prove`` found. ``allowed``: the contexts in which the answer is allow; ``unknown``: in which it can't be known.

    All others are denied. ``reasons`` say what isn't known, empty where ``unknown`` is. Both regions are about every context that can be
    written down; ``possible`` are those that AWS sends (C-36, E-02, table E): for "can it be at all", ask ``allowed & possible``.
    """

    question: Question
    allowed: Region
    unknown: Region
    reasons: tuple[str, ...] = ()

    @cached_property
    def possible(self) -> Region:
        """The contexts that a request of the caller's kind can have."""
        return possible_requests(self.allowed.space, self.question.caller.kind)

    @cached_property
    def real(self) -> Region:
        """The contexts that AWS can send and that are allowed: what a statement about all requests is about.

        ``allowed`` alone has others, such as two addresses in aws:SourceIp, which no Deny by address matches (C-27).
        """
        return self.allowed & self.possible

    @property
    def holds_nowhere(self) -> bool:
        """Whether no request that AWS can send is allowed, or could be."""
        return not self.allowed.meets(self.possible) and not self.unknown.meets(self.possible)

    def allows(self, context: Mapping[str, Any]) -> bool | None:
        """Whether a request with this context is allowed; None where that can't be known."""
        if self.unknown.contains(context):
            return None
        return self.allowed.contains(context)

    def witness(self) -> dict[str, Value] | None:
        """A context that AWS can send and that is allowed; None when there is none."""
        return self.real.witness()


def prove(
    request: Request | Question,
    policies: Estate | Layers | None = None,
    settings: Settings = DEFAULT,
    *,
    given: Mapping[str, Value | None] | None = None,
    patience: Patience | None = None,
) -> Proof:
    """All contexts in which a request is allowed: its caller, action and resource count, of its context only what overrides a fact.

    ``given`` fixes further keys (lower case; None: known to be absent). A Question brings its policies with it.

    >>> proof = prove(Request("arn:aws:iam::111122223333:user/a", "sts:GetCallerIdentity"), Layers())
    >>> proof.allowed.is_everything
    True
    """
    if isinstance(request, Question):
        return prove_question(request, given, patience)
    if policies is None:
        raise TypeError("a request needs policies")
    question = Authorizer(policies, settings).question(request)
    overriding = {k: v for k, v in request.context.items() if k in question.facts and k not in VARIED and question.facts[k] != v}
    return prove_question(question, {**overriding, **(given or {})}, patience)


def region_where(conditions: Mapping[str, Mapping[str, Any]]) -> Region:
    """The contexts in which a Condition block of the policy language holds.

    >>> region_where({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}).contains({"aws:SourceIp": "203.0.113.5"})
    True
    """
    block = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": conditions}
    ready = ready_policy(Policy.parse({"Version": "2012-10-17", "Statement": block}), DEFAULT).statements[0]
    asks, constant = bound(ready, None, DEFAULT, {}, {})
    space = Space(asks)
    return Region(space, box_of(asks, constant, space)[0])


def prove_question(question: Question, given: Mapping[str, Value | None] | None = None, patience: Patience | None = None) -> Proof:
    """``prove`` for a question that is already made."""
    fixed, usual = fixed_keys(question, given)
    if question.refusal is not None or question.always:
        space = Space(fixed=fixed, usual=usual)
        answer = space.everything() if question.refusal is None else space.nothing()
        return Proof(question, answer, space.nothing())
    companions = [(prefixes, question.companion(action)) for prefixes, action in COMPANIONS] if question.is_assume else []
    boxes = _Boxes(question, fixed)
    boxes.add(question)
    for prefixes, companion in companions:
        if companion.refusal is None:
            boxes.add(companion)
        boxes.asks += [presence(k, fixed) for k in boxes.free_keys() if k.startswith(prefixes) and k not in fixed]
        if "*" + prefixes[0] not in fixed:
            boxes.asks.append(presence("*" + prefixes[0], fixed))
    patience = patience or Patience()
    space = Space(boxes.asks, fixed=fixed, usual=usual, most_steps=patience.steps, known_axes=patience.axes)
    reasons = list(_reasons(question, space))
    try:
        sure, unsure = _answers(question, boxes, space)
        for prefixes, companion in companions:
            needed = _needs_companion(space, prefixes, fixed)
            if companion.refusal is not None:
                companion_sure, companion_unsure = 0, 0
            elif companion.always:
                companion_sure, companion_unsure = 1, 0
            else:
                companion_sure, companion_unsure = _answers(companion, boxes, space)
                reasons += _reasons(companion, space)
            unsure = space.either(unsure, space.both(sure, space.both(needed, companion_unsure)))
            sure = space.both(sure, space.either(space.minus(1, needed), companion_sure))
    except TooManyCells as error:
        patience.lose(space.steps)
        space = Space(fixed=fixed, usual=usual)
        return Proof(question, space.nothing(), space.everything(), (too_many(error),))
    return Proof(question, Region(space, sure), Region(space, unsure), tuple(dict.fromkeys(reasons)) if unsure else ())


def too_many(error: TooManyCells, what: str = "tell apart") -> str:
    """Why an answer is unknown, with the keys that multiply."""
    return f"too many combinations to {what} of {', '.join(spelled(k) for k in error.keys if not k.startswith('*'))}"


def listed(*regions: Region) -> tuple[list[list[dict[str, Any]]], tuple[str, ...]]:
    """Regions as JSON; where one is made up of more boxes than can be listed, it is empty, and why is said besides: it isn't known from here."""
    shown: list[list[dict[str, Any]]] = []
    reasons: dict[str, None] = {}
    for region in regions:
        try:
            shown.append(region.to_json())
        except TooManyCells as error:
            shown.append([])
            reasons[too_many(error, "list")] = None
    return shown, tuple(reasons)


def fixed_keys(question: Question, given: Mapping[str, Value | None] | None = None) -> tuple[dict[str, Value | None], dict[str, Value]]:
    """The keys of a question that can't vary, and the usual values of those that can."""
    fixed: dict[str, Value | None] = {k: v for k, v in question.facts.items() if k not in VARIED}
    fixed.update(given or {})
    usual = {k: v for k, v in question.facts.items() if k in VARIED and k not in fixed}
    return fixed, usual


class Bare(NamedTuple):
    """A question with those facts alone that its statements look at (``reads``); a user's name as a rule isn't one.

    Questions of one ``mark``, about statements with the same conditions and with the same of these facts, have the same answer: identical
    principals and roles are so asked once.
    """

    question: Question
    mark: Hashable
    reads: frozenset[str]


def bare(question: Question) -> Bare:
    """What the answer to a question follows from."""
    asked = [question]
    if question.is_assume and question.refusal is None:
        asked += [question.companion(action) for _, action in COMPANIONS]
    read: set[str] = set()
    marks: list[Hashable] = []
    for one in asked:
        for m in (*(m for c in one.clauses for m in c.matched), *one.denies):
            read.update(m.ready.reads)
        clauses = tuple((c.layer, c.unknown, _conditions(c.matched, one.resource)) for c in one.clauses)
        marks.append((one.refusal, one.always, tuple(one.unknown.items()), clauses, _conditions(one.denies, one.resource)))
    rest = copy(question)
    rest.facts = {k: v for k, v in question.facts.items() if k in read or k in VARIED or k.startswith(COMPANION_KEYS)}
    mark = question.settings, question.caller.kind, question.is_assume, frozenset(rest.facts.items()), *marks
    return Bare(rest, mark, frozenset(read))


def _conditions(matched: Iterable[Matched], resource: str) -> frozenset[Hashable]:
    return frozenset(
        (m.layer, m.level, m.grant, m.ready.policy.expands_variables, tuple((c.condition.use, c.key, c.condition.values) for c in m.ready.conditions),
         (resource, m.ready.statement.resources, m.ready.statement.not_resources) if m.ready.resource_verdict(resource) is None else None)
        for m in matched
    )  # fmt: skip


class _Boxes:
    """The asks of statements, and each statement's box once there is a space."""

    def __init__(self, question: Question, fixed: Mapping[str, Value | None]) -> None:
        self.question = question
        self.fixed = fixed
        self.present = {k: v for k, v in fixed.items() if v is not None}
        self.asks: list[Ask] = []
        self._bound: dict[int, tuple[Matched, list[Ask], bool | None]] = {}

    def free_keys(self) -> list[str]:
        return list(dict.fromkeys(k for ask in self.asks for k in ask.keys))

    def add(self, question: Question) -> None:
        for matched in (*(m for c in question.clauses for m in c.matched), *question.denies):
            if id(matched) not in self._bound:
                asks, constant = bound(matched.ready, question.resource if matched.layer != "credentials" else None, question.settings,
                                       self.fixed, self.present)  # fmt: skip
                self._bound[id(matched)] = (matched, asks, constant)
                if constant is not False:
                    self.asks += asks

    def of(self, matched: Matched, space: Space) -> tuple[int, int]:
        """The nodes of where the statement surely holds, and where it may."""
        _, asks, constant = self._bound[id(matched)]
        return box_of(asks, constant, space)


def bound(
    ready: ReadyStatement, resource: str | None, settings: Settings, fixed: Mapping[str, Value | None], present: Context
) -> tuple[list[Ask], bool | None]:
    """A statement's conditions with the fixed keys filled in: what is left to ask, and what the rest comes to (Kleene's and)."""
    asks: list[Ask] = []
    constant: bool | None = True
    parts: list[Any] = [bind(c, ready.policy.expands_variables, settings, fixed) for c in ready.conditions]
    if resource is not None and ready.resource_verdict(resource) is None:
        parts.append(bind_resource(ready, resource, fixed))
    for part in parts:
        if isinstance(part, Ask):
            asks.append(part)
            continue
        answer = part(present)
        if answer is False:
            return [], False
        if answer is None:
            constant = None
    return asks, constant


def box_of(asks: Sequence[Ask], constant: bool | None, space: Space) -> tuple[int, int]:
    """The nodes of one statement's box: where all its asks hold, and where none fails."""
    if constant is False:
        return 0, 0
    sure: dict[int, int] = {}
    may: dict[int, int] = {}
    for ask in asks:
        level = space.axis_of_key[ask.keys[0]]
        axis = space.axes[level]
        at = axis.index[ask]
        sure[level] = sure.get(level, axis.full) & axis.sure[at]
        may[level] = may.get(level, axis.full) & axis.may[at]
    if sure == may:
        node = space.box(sure)
        return (node if constant else 0), node
    return (space.box(sure) if constant else 0), space.box(may)


def union(space: Space, nodes: Iterable[int]) -> int:
    """All of the nodes' contexts; halves first, so that the diagrams stay small on the way."""
    row = [n for n in dict.fromkeys(nodes) if n]
    while len(row) > 1:
        row = [space.either(row[i], row[i + 1]) if i + 1 < len(row) else row[i] for i in range(0, len(row), 2)]
    return row[0] if row else 0


def _answers(question: Question, boxes: _Boxes, space: Space) -> tuple[int, int]:
    """Where the question is surely allowed, and where it can't be known (decide's two readings, of all contexts at once)."""
    sure = may = 1
    for clause in question.clauses:
        held = [boxes.of(m, space) for m in clause.matched]
        may = space.both(may, 1 if clause.unknown else union(space, (h[1] for h in held)))
        if not may:
            return 0, 0
        sure = space.both(sure, union(space, (h[0] for h in held)))
    denied = [boxes.of(m, space) for m in question.denies]
    surely_denied, maybe_denied = union(space, (d[0] for d in denied)), union(space, (d[1] for d in denied))
    sure = 0 if question.unknown else space.minus(sure, maybe_denied)
    return sure, space.minus(space.minus(may, surely_denied), sure)


def _needs_companion(space: Space, prefixes: tuple[str, ...], fixed: Mapping[str, Value | None]) -> int:
    if any(k.startswith(prefixes) and v is not None for k, v in fixed.items()):
        return 1
    needed = 0
    for key, level in space.axis_of_key.items():
        if key.startswith(prefixes) or key == "*" + prefixes[0]:
            axis = space.axes[level]
            present = sum(1 << i for i, atom in enumerate(axis.atoms) if key in atom.context or atom.kind == "unseen")
            needed = space.either(needed, space.box({level: present}))
    return needed


def _reasons(question: Question, space: Space) -> Iterator[str]:
    yield from question.unknown.values()
    for matched in (*(m for c in question.clauses for m in c.matched), *question.denies):
        yield from matched.ready.unknown
    for axis in space.axes:
        for atom in axis.atoms:
            if atom.reason:
                yield atom.reason
