"""A policy made ready to be asked: which statements are about an action, a resource and a caller, and under what conditions.

Compiled once for a policy and a setting, then shared by ``decide`` and ``prove``. Action and resource matches are remembered, because an
estate asks the same few questions of the same documents over and over.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sekisho.policy.condition import Context, ReadyCondition, Test, all_hold, ready
from sekisho.policy.document import Policy, Statement
from sekisho.policy.pattern import Pattern, Piece, action_pattern, resource_pattern
from sekisho.policy.principals import Caller, Grant
from sekisho.policy.settings import DEFAULT, Settings
from sekisho.policy.variables import Template, Variable, template

_PADDED = frozenset(("identity", "boundary", "session", "service_control"))


@dataclass(frozen=True)
class ResourceEntry:
    """One entry of Resource or NotResource: a fixed pattern, or a template whose variables come from the request.

    ``pattern`` of a template has ``*`` in place of each variable: what it doesn't match, no value can make the entry match.
    """

    text: str
    pattern: Pattern
    template: Template | None
    pad: bool
    _expanded: dict[tuple[str, ...], Pattern] = field(default_factory=dict, compare=False, repr=False)

    def may_match(self, resource: str) -> bool:
        """Whether some value of the variables (or none are needed) lets the entry match."""
        return self.pattern.matches(resource)

    def matches(self, resource: str, context: Context) -> bool:
        """B-14: an entry whose variable has no value matches nothing."""
        if self.template is None:
            return self.pattern.matches(resource)
        pieces = self.template.expand(context)
        if pieces is None:
            return False
        key = tuple(p.text for p in pieces)
        pattern = self._expanded.get(key)
        if pattern is None:
            if len(self._expanded) >= 1000:
                self._expanded.clear()
            pattern = self._expanded[key] = resource_pattern(pieces, pad=self.pad)
        return pattern.matches(resource)


@dataclass(frozen=True)
class ReadyStatement:
    """A compiled statement. ``test(context)`` is its whole Condition block (True, False, None: can't be known)."""

    statement: Statement
    policy: Policy
    actions: tuple[Pattern, ...]
    resources: tuple[ResourceEntry, ...] | None
    conditions: tuple[ReadyCondition, ...]
    test: Test
    _actions_seen: dict[str, bool] = field(default_factory=dict, compare=False, repr=False)
    _resources_seen: dict[str, bool | None] = field(default_factory=dict, compare=False, repr=False)

    @property
    def denies(self) -> bool:
        return self.statement.denies

    @property
    def unknown(self) -> tuple[str, ...]:
        """Why the conditions may be impossible to know; empty as a rule."""
        return tuple(f"{c.condition.operator} {c.condition.key}: {why}" for c in self.conditions for why in c.unknown)

    @property
    def reads(self) -> Iterator[str]:
        """The context keys, in lower case, that the conditions and the variables of the resources look at."""
        for condition in self.conditions:
            yield condition.key
            yield from condition.also
        for entry in self.resources or ():
            if entry.template is not None:
                yield from (variable.key for variable in entry.template.variables)

    def about_action(self, action: str) -> bool:
        """B-01, B-02; ``action`` in lower case."""
        seen = self._actions_seen.get(action)
        if seen is None:
            listed = any(p.matches(action) for p in self.actions)
            seen = self._actions_seen[action] = listed == (self.statement.actions is not None)
        return seen

    def resource_verdict(self, resource: str) -> bool | None:
        """B-03 to B-07: whether the statement is about a resource; None where it depends on the request's variables (B-10, B-14).

        A document without resources (a trust policy) is about the resource that it is attached to.
        """
        if self.resources is None:
            return True
        if resource in self._resources_seen:
            return self._resources_seen[resource]
        positive = self.statement.resources is not None
        possible = [e for e in self.resources if e.may_match(resource)]
        verdict: bool | None
        if any(e.template is None for e in possible):
            verdict = positive
        elif not possible:
            verdict = not positive
        else:
            verdict = None
        if len(self._resources_seen) < 10_000:
            self._resources_seen[resource] = verdict
        return verdict

    def about_resource(self, resource: str, context: Context) -> bool:
        """The same for one request, whose context gives the variables their values."""
        verdict = self.resource_verdict(resource)
        if verdict is not None:
            return verdict
        listed = any(e.matches(resource, context) for e in self.resources or ())
        return listed == (self.statement.resources is not None)

    def names(self, caller: Caller) -> Grant:
        """How the principal element names the caller; a document without one is about everyone it is attached to."""
        if self.statement.principal is not None:
            return self.statement.principal.names(caller)
        if self.statement.not_principal is not None:
            return Grant.DIRECT if self.statement.not_principal.names(caller) is Grant.NONE else Grant.NONE
        return Grant.DIRECT

    def applies_when(self, resource: str) -> Test:
        """The conditions, and the resource where it depends on the request, as one test."""
        if self.resource_verdict(resource) is not None:
            return self.test

        def both(context: Context) -> bool | None:
            holds = self.test(context)
            return holds if holds is False or self.about_resource(resource, context) else False

        return both


@dataclass(frozen=True)
class ReadyPolicy:
    """``reads``: the context keys, in lower case, that any statement's conditions or variables look at."""

    policy: Policy
    statements: tuple[ReadyStatement, ...]
    reads: frozenset[str]


def _resource_entries(statement: Statement, policy: Policy) -> tuple[ResourceEntry, ...] | None:
    texts = statement.resources if statement.resources is not None else statement.not_resources
    if texts is None:
        return None
    padded = policy.kind.value in _PADDED
    entries = []
    for text in texts:
        pad = padded or "*" in text or "?" in text
        head, middle, tail = _after_fifth_colon(text)
        varying = template(tail, expands=policy.expands_variables)
        whole = Template((Piece(head + middle), *varying.parts)) if head or middle else varying
        starred = [Piece("*") if isinstance(part, Variable) else part for part in whole.parts]
        entries.append(ResourceEntry(text, resource_pattern(starred, pad=pad), whole if whole.variables else None, pad))
    return tuple(entries)


def _after_fifth_colon(text: str) -> tuple[str, str, str]:
    """B-10: variables are expanded only after the fifth colon (a colon inside ``${…}`` before it is a colon all the same)."""
    parts = text.split(":", 5)
    if len(parts) < 6:
        return text, "", ""
    return ":".join(parts[:5]), ":", parts[5]


def ready_policy(policy: Policy, settings: Settings = DEFAULT) -> ReadyPolicy:
    """The policy compiled for ``settings``. Kept on the policy itself: documents are immutable, and compiling isn't free."""
    kept: dict[Settings, ReadyPolicy] = policy.__dict__.setdefault("_ready", {})
    found = kept.get(settings)
    if found is None:
        statements = tuple(_ready_statement(s, policy, settings) for s in policy.statements)
        found = kept[settings] = ReadyPolicy(policy, statements, frozenset(key for s in statements for key in s.reads))
    return found


def _ready_statement(statement: Statement, policy: Policy, settings: Settings) -> ReadyStatement:
    texts = statement.actions if statement.actions is not None else statement.not_actions
    conditions = tuple(ready(c, expands=policy.expands_variables, settings=settings) for c in statement.conditions)
    return ReadyStatement(
        statement, policy, tuple(action_pattern(t) for t in texts or ()), _resource_entries(statement, policy), conditions,
        all_hold(conditions),
    )  # fmt: skip


def statements_about(policies: Iterable[Policy], action: str, settings: Settings) -> list[ReadyStatement]:
    """The compiled statements of ``policies`` that are about an action (in lower case), whatever the resource."""
    return [s for policy in policies for s in ready_policy(policy, settings).statements if s.about_action(action)]
