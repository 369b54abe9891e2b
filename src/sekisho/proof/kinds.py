"""The kinds of requests that statements tell apart: actions and resources cut into classes, as contexts are cut into atoms.

Two requests of one kind are about the same statements, so one stands for all. Actions are cut service by service: nearly every action of
a policy names its service, and patterns of different services have nothing to do with each other. Resources are cut for each set of
statements that some action is about, by those statements alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from sekisho.policy.condition import Context
from sekisho.policy.matching import ReadyStatement, ResourceEntry
from sekisho.policy.pattern import Pattern, TooManyClasses, action_pattern, classes, resource_pattern
from sekisho.proof.probe import USUAL_ACTIONS

MOST_STATES = 4_096
"""Strings that patterns may tell apart together; beyond it ``TooManyClasses`` is raised, and the caller has to say "unknown"."""
_FRESH = "0123456789_zyxwvutsrqponmlkjihgfedcba"
_ARN = Pattern.glob("arn:?*:?*:*:*:?*")
_REST = "*"
"""What stands for the services that no statement names."""


class Kind(NamedTuple):
    """A kind of requests: one action and resource, the statements (bits, in the order given) that are about them, and the actions of that
    kind as policies write them: literal names, patterns, ``service:*`` and ``*`` for what no narrower pattern names."""

    action: str
    resource: str
    about: int
    written: tuple[str, ...]


class _Action(NamedTuple):
    action: str
    written: str


def kinds(statements: Sequence[ReadyStatement], facts: Context, *, only: int = -1, within: str | None = None) -> Iterator[Kind]:
    """The kinds of requests that ``statements`` tell apart. ``facts`` give variables of resources their values.

    ``only``: kinds that one of these statements (bits) is about; -1: all, also those that no statement is about.
    ``within``: actions that this pattern (``iam:*``) matches.
    Raises TooManyClasses where the patterns tell more apart than can be listed.
    """
    by_about: dict[tuple[int, str], list[_Action]] = {}
    index = _Index(statements)
    for found in _actions(statements, within):
        about = index.about(found.action)
        if about & only or only == -1:
            # STS is its own: what AssumeRole asks depends on the role, and two of its calls can't be denied (D-25).
            apart = found.action if found.action.startswith("sts:") else found.action.partition(":")[0] if found.action.startswith("iam:") else ""
            by_about.setdefault((about, apart), []).append(found)
    for (about, _), actions in by_about.items():
        concerned = [(i, s) for i, s in enumerate(statements) if about >> i & 1]
        seen: set[tuple[int, str]] = set()
        names = {f.action for f in actions}
        action = next((a for a in USUAL_ACTIONS if a.lower() in names), None)
        if action is None:
            action = within if within and within.lower() == actions[0].action else _spelled(statements, actions[0].action)
        written = tuple(dict.fromkeys(f.written for f in actions))
        for resource in _resources([s for _, s in concerned], facts):
            mask = loose = 0
            for i, s in concerned:
                verdict = _about_resource(s, resource, facts)
                mask |= 0 if verdict is False else 1 << i
                loose |= verdict is None
            key = (mask, resource if loose else "")
            if (mask & only or only == -1) and key not in seen:
                seen.add(key)
                yield Kind(action, resource, mask, written)


def _texts(statement: ReadyStatement) -> Iterable[str]:
    return statement.statement.actions or statement.statement.not_actions or ()


def _spelled(statements: Sequence[ReadyStatement], action: str) -> str:
    return next((t for s in statements for t in _texts(s) if t.lower() == action), "sts:AssumeRole" if action == "sts:assumerole" else action)


class _Index:
    """Which statements are about an action: of each only the patterns that can match its service are asked."""

    def __init__(self, statements: Sequence[ReadyStatement]) -> None:
        self._by_service: dict[str, list[tuple[int, Pattern]]] = {}
        self._anywhere: list[tuple[int, Pattern]] = []
        self._not = sum(1 << i for i, s in enumerate(statements) if s.statement.actions is None)
        for i, statement in enumerate(statements):
            for text, pattern in zip(_texts(statement), statement.actions):
                service, colon, _ = text.lower().partition(":")
                named = colon and "*" not in service and "?" not in service
                (self._by_service.setdefault(service, []) if named else self._anywhere).append((i, pattern))

    def about(self, action: str) -> int:
        listed = 0
        for i, pattern in (*self._by_service.get(action.partition(":")[0], ()), *self._anywhere):
            if not listed >> i & 1 and pattern.matches(action):
                listed |= 1 << i
        return listed ^ self._not


def _actions(statements: Sequence[ReadyStatement], within: str | None) -> Iterator[_Action]:
    """At least one action of each class, the usual ones first."""
    services: dict[str, dict[str, str]] = {"sts": {"sts:assumerole": "sts:AssumeRole"}}
    anywhere: dict[Pattern, None] = {}
    for statement in statements:
        for text in _texts(statement):
            service, colon, _ = text.lower().partition(":")
            if not colon or "*" in service or "?" in service:
                if text not in ("*", "*:*"):
                    anywhere[Pattern.glob(text.lower())] = None
            else:
                services.setdefault(service, {}).setdefault(text.lower(), text)
    wanted = action_pattern(within) if within is not None else None
    if within is not None and within != "*":
        service, colon, _ = within.lower().partition(":")
        if colon and "*" not in service and "?" not in service:
            services = {service: {**services.get(service, {}), within.lower(): within}}
            for name in _names(service, services[service], anywhere):
                if action_pattern(within).matches(name):
                    yield _Action(name, _written(name, services[service]) or f"{service}:*")
            return
        anywhere[action_pattern(within)] = None
    listed = [a for a in USUAL_ACTIONS if a.partition(":")[0] not in services]
    for action in listed:
        if wanted is None or wanted.matches(action.lower()):
            yield _Action(action.lower(), _REST)
    for service, texts in services.items():
        for name in _names(service, texts, anywhere):
            if wanted is None or wanted.matches(name):
                yield _Action(name, _written(name, texts) or f"{service}:*")
    for found in classes([Pattern.glob("?*:?*"), *anywhere], limit=MOST_STATES):
        if found.matched & 1:
            service, _, name = found.witness.partition(":")
            if service in services or ":" in name:
                service = next(s for s in (service + c * n for n in (1, 2, 3, 4) for c in _FRESH) if s not in services)
                if _matched(anywhere, f"{service}:{name}") != _matched(anywhere, found.witness):
                    raise TooManyClasses
            if wanted is None or wanted.matches(f"{service}:{name}"):
                yield _Action(f"{service}:{name}", _REST)


def _matched(patterns: Iterable[Pattern], text: str) -> list[bool]:
    return [p.matches(text) for p in patterns]


def _names(service: str, texts: Mapping[str, str], anywhere: Mapping[Pattern, None]) -> Iterator[str]:
    """Actions of one service, one at least of each class."""
    if not anywhere and all("*" not in t[:-1] and "?" not in t for t in texts):
        # Literal names and beginnings alone: each literal, and behind each beginning a letter with which none goes on.
        taken = {c for t in texts for c in t.partition(":")[2]}
        fresh = next((c for c in _FRESH if c not in taken), None)
        if fresh is not None:
            yield from (t for t in texts if not t.endswith("*"))
            yield from (t[:-1] + fresh for t in texts if t.endswith("*"))
            yield f"{service}:{fresh}"
            return
    patterns = [Pattern.glob(f"{service}:?*"), *map(Pattern.glob, texts), *anywhere]
    yield from (c.witness for c in classes(patterns, limit=MOST_STATES) if c.matched & 1)


def _written(action: str, texts: Mapping[str, str]) -> str | None:
    if action in texts:
        return texts[action]
    fitting = [t for t in texts if "*" in t or "?" in t if Pattern.glob(t).matches(action)]
    return texts[max(fitting, key=len)] if fitting else None


def _resources(statements: Sequence[ReadyStatement], facts: Context) -> Iterator[str]:
    """At least one resource of each class: ``*`` (what actions without resources are about), and ARNs, service by service as with actions."""
    yield "*"
    services: dict[str, dict[Pattern, set[int]]] = {}
    anywhere: dict[Pattern, set[int]] = {}
    for i, statement in enumerate(statements):
        for entry in statement.resources or ():
            if entry.text != "*":
                parts = entry.text.split(":", 3)
                literal = len(parts) == 4 and not any(c in "".join(parts[:3]) for c in "*?$")
                group = services.setdefault(":".join(parts[:3]), {}) if literal else anywhere
                group.setdefault(_pattern(entry, facts), set()).add(i)
    if not services and not anywhere:
        return
    for head, patterns in services.items():
        yield from _arns(f"{head}:", {**patterns, **anywhere})
    # One of a service that nothing names.
    yield from _arns("arn:aws:", anywhere) if anywhere else (f"arn:aws:{next(c for c in _FRESH if f'arn:aws:{c}' not in services)}:::z",)


def _arns(head: str, patterns: Mapping[Pattern, set[int]]) -> Iterator[str]:
    if len(set().union(*patterns.values())) == 1:
        # One statement alone: two classes, about it or not; two resources show both.
        inside = next((f for p in patterns if (f := _filled(p)).startswith(head) and p.matches(f)), None)
        outside = head + ":" * max(0, 5 - head.count(":")) + "z"
        if inside is not None and not any(p.matches(outside) for p in patterns):
            yield inside
            yield outside
            return
    form = Pattern.glob(f"{head}{'*:' * max(0, 5 - head.count(':'))}?*")
    yield from (c.witness for c in classes([form, *patterns], limit=MOST_STATES) if c.matched & 1)


def _filled(pattern: Pattern) -> str:
    return "".join(t.char or "z" for t in pattern.row)


def _pattern(entry: ResourceEntry, facts: Context) -> Pattern:
    pieces = entry.template.expand(facts) if entry.template is not None else None
    return resource_pattern(pieces, pad=entry.pad) if pieces is not None else entry.pattern


def _about_resource(statement: ReadyStatement, resource: str, facts: Context) -> bool | None:
    """Whether a statement is about a resource; None where that depends on variables that ``facts`` don't give."""
    entries = [e for e in statement.resources or () if e.template is not None and e.may_match(resource)]
    if any(v.key not in facts for e in entries if e.template for v in e.template.variables) and statement.resource_verdict(resource) is None:
        return None
    return statement.about_resource(resource, facts)
