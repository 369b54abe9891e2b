"""What a decision says: the outcome, the statements that decided, why the other Allows did not match, and AWS's text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from sekisho.errors import Place
from sekisho.policy import Policy, Statement
from sekisho.policy.condition import Context, Value
from sekisho.policy.matching import ReadyStatement

if TYPE_CHECKING:
    from sekisho.decision.decide import Question
    from sekisho.decision.request import Request

Outcome = Literal["allow", "implicit_deny", "explicit_deny", "unknown"]


@dataclass(frozen=True, slots=True)
class Because:
    """One reason: a statement of a policy in a layer; for an implicit deny the layer that has no Allow, and no statement."""

    layer: str
    policy: str | None = None
    statement: int | None = None
    sid: str | None = None
    document: Policy | None = None
    block: Statement | None = None

    @property
    def place(self) -> Place | None:
        """Where the statement stands: file, JSON pointer, line."""
        return self.document.place_of(self.block) if self.document and self.block else None

    @property
    def origin(self) -> Place | None:
        """The line of ``sekisho.yaml`` that the statement was compiled from."""
        return self.block.origin if self.block else None


class Miss(NamedTuple):
    """Why an Allow did not match: the first element that failed, for a condition its operator and key, what it had and wanted.

    ``had`` is None for a context key that the request doesn't have.
    """

    layer: str
    ready: ReadyStatement
    element: str
    condition: str
    had: Value | None
    wanted: tuple[str, ...]

    @property
    def policy(self) -> str:
        return self.ready.policy.name

    @property
    def statement(self) -> int:
        return self.ready.statement.index

    @property
    def sid(self) -> str:
        return self.ready.statement.sid

    def __str__(self) -> str:
        name = f"{self.policy or self.layer} statement {self.statement}"
        has = "is absent" if self.had is None else f"is {self.had if isinstance(self.had, str) else ', '.join(self.had)}"
        wanted = ", ".join(self.wanted[:4]) + (", …" if len(self.wanted) > 4 else "")
        return f"{name}: {self.condition or self.element} {has}; wants {wanted}"


class Decision:
    """The answer to one request. ``outcome``, and ``layer``: the one that denied, or None on allow.

    The reasons are worked out when they are asked for, from the same compiled statements that decided. What is kept of the context is
    what these read: most often the request's own, and no copy.
    """

    __slots__ = ("_because", "_context", "_message", "_misses", "_question", "layer", "outcome", "request")

    def __init__(self, question: Question, request: Request, context: Context, outcome: Outcome, layer: str | None) -> None:
        self._question = question
        self.request = request
        self._context = context
        self.outcome: Outcome = outcome
        self.layer = layer
        self._because: tuple[Because, ...] | None = None
        self._misses: tuple[Miss, ...] | None = None
        self._message: str | None = None

    @property
    def allowed(self) -> bool:
        return self.outcome == "allow"

    @property
    def context(self) -> Context:
        """The whole context that was decided on, with the keys that follow from the principal; keys in lower case."""
        return self._question.context(self.request.context)

    # Kept by hand: cached_property takes a lock each time, which costs more than the answer.

    @property
    def because(self) -> tuple[Because, ...]:
        """The statements that decided; the one that AWS's message names comes first."""
        found = self._because
        if found is None:
            found = self._because = self._question.because(self.outcome, self.layer, self._context)
        return found

    @property
    def misses(self) -> tuple[Miss, ...]:
        """Why each Allow in any layer did not match, as far as it didn't."""
        found = self._misses
        if found is None:
            found = self._misses = self._question.misses(self._context)
        return found

    @property
    def message(self) -> str:
        """AWS's own denial text (G-20); empty on allow."""
        found = self._message
        if found is None:
            found = self._message = self._question.message(self.outcome, self.layer, self._context)
        return found

    @property
    def unknown_because(self) -> tuple[str, ...]:
        """What isn't known, where the outcome is unknown: a document, an account, a condition's meaning."""
        if self.outcome != "unknown":
            return ()
        question = self._question
        varied = [m for group in question.allows.values() for m in group] + question.denies
        unclear = (why for m in varied if m.when(self._context) is None for why in m.ready.unknown)
        return tuple(dict.fromkeys((*(why for layer, why in question.layers.unknown if layer in question.unknown), *unclear)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decision):
            return NotImplemented
        return (self.request, self.outcome, self.because) == (other.request, other.outcome, other.because)

    def __hash__(self) -> int:
        return hash((self.request, self.outcome))

    def __repr__(self) -> str:
        return f"<Decision {self.outcome}{f' by {self.layer}' if self.layer else ''}: {self.request!r}>"
