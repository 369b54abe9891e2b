"""Two estates compared: who gains and who loses what, from where. An empty difference is a proof of equal access.

Three questions, each answered over all requests: who gets into which role (``reach``, over any number of hops), from where the sessions of a
role work, and what else principals may do. What can't have changed isn't asked again: a pair of principal and role is looked at only where a
document or a fact about one of them, or about a role on the way, is another one; other actions only where a statement is. For those, actions
and resources are cut into the classes that the statements tell apart, as contexts are cut into atoms.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Literal

from sekisho.decision import Authorizer, Request
from sekisho.decision.request import derived_context
from sekisho.estate import Account, AttachedPolicy, Estate, Group, Role, User
from sekisho.policy import DEFAULT, Policy, Settings
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.pattern import Pattern, TooManyClasses, classes, resource_pattern
from sekisho.policy.principals import caller
from sekisho.proof.prove import Proof, prove_question
from sekisho.proof.reach import USUAL, Reach, Row, reach
from sekisho.proof.region import Region
from sekisho.proof.words import Words

What = Literal["switch", "session", "action", "sign-in"]
MOST_PAIRS = 3000
"""Classes of actions times classes of resources that are asked of one principal; more are said to be unknown."""
MOST_STATES = 4_096
"""Strings that patterns may tell apart together; beyond it they are said to be unknown."""


@dataclass(frozen=True)
class Change:
    """What one principal gains and loses. ``what``: switch (``subject`` is the role), session (the role's own), action (``subject`` says which).

    ``before`` and ``after`` are the whole regions; ``unknown`` says why a part can't be told, and then nothing is claimed of that part.
    """

    what: What
    principal: str
    subject: str
    before: Region | None
    after: Region | None
    gained: Region | None
    lost: Region | None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Difference:
    """All changes; ``is_empty`` is a proof that access is equal."""

    changes: tuple[Change, ...]
    words: Words

    @property
    def is_empty(self) -> bool:
        return not self.changes

    @property
    def gains(self) -> tuple[Change, ...]:
        return tuple(c for c in self.changes if c.gained)

    @cached_property
    def sentences(self) -> tuple[str, ...]:
        """One sentence for each gain and loss, in words: "tanaka: production/operator from 203.0.113.0/25 with MFA, was: from nowhere"."""
        said: dict[tuple[str, str], list[str]] = {}
        for change in self.changes:
            for text in self._sentences(change):
                said.setdefault((change.what, text), []).append(self.words.principal(change.principal))
        return tuple(f"{', '.join(dict.fromkeys(who))}: {text}" for (_, text), who in said.items())

    def _sentences(self, change: Change) -> Iterator[str]:
        words = self.words
        if change.unknown:
            yield f"{self._subject(change)}: can't be told: {'; '.join(change.unknown)}"
            return
        assert change.before is not None and change.after is not None
        was, now = words.region(change.before), words.region(change.after)
        subject = self._subject(change)
        if not change.before:
            yield f"gains {subject} {now}, was: nowhere"
        elif not change.after:
            yield f"loses {subject}, was: {was}"
        elif change.gained and change.lost:
            yield f"{subject} {now}, was: {was}"
        elif change.gained:
            yield f"gains {subject} {words.region(change.gained)}, was: {was}"
        else:
            yield f"loses {subject} {words.region(change.lost)}, keeps it {now}" if change.lost is not None else subject

    def _subject(self, change: Change) -> str:
        if change.what == "switch":
            return self.words.role(change.subject)
        if change.what == "session":
            return "use of its sessions"
        return change.subject


def difference(
    old: Estate, new: Estate, settings: Settings = DEFAULT, *, networks: Mapping[str, Sequence[str]] | None = None, actions: bool = True
) -> Difference:
    """Compare two estates. ``networks``: how networks are called in the sentences.

    ``actions`` False: who gets into which role, from where their sessions work and who can sign in, but not each action of their policies.

    >>> difference(Estate(), Estate()).is_empty
    True
    """
    names = {a.id: a.name for estate in (old, new) for a in estate.accounts if a.name}
    made = _Comparison(old, new, settings)
    other = made.actions() if actions else ()
    return Difference((*made.switches(), *made.sessions(), *made.sign_ins(), *other), Words(networks or {}, names))


class _Comparison:
    def __init__(self, old: Estate, new: Estate, settings: Settings) -> None:
        self.old, self.new, self.settings = old, new, settings
        before, after = dict(_signatures(old)), dict(_signatures(new))
        self.changed = {arn for arn in before.keys() | after.keys() if before.get(arn) != after.get(arn)}
        self.removed, self.added = before.keys() - after.keys(), after.keys() - before.keys()

    # Switching ------------------------------------------------------------------------------------------------------

    @cached_property
    def _reaches(self) -> tuple[Reach, Reach]:
        return reach(self.old, self.settings), reach(self.new, self.settings)

    def _touched(self, row: Row) -> bool:
        return row.principal in self.changed or any(hop in self.changed for hop in row.hops)

    def switches(self) -> Iterator[Change]:
        if not self.changed:
            return
        found: dict[tuple[str, str], tuple[list[Row], list[Row]]] = {}
        for side, reached in enumerate(self._reaches):
            for row in reached.rows:
                if self._touched(row) or len(row.hops) > 1:
                    found.setdefault((row.principal, row.role), ([], []))[side].append(row)
        for (principal, role), (before, after) in found.items():
            reasons = tuple(dict.fromkeys(r for row in (*before, *after) for r in row.reasons))
            unknown = [row.unknown for row in (*before, *after) if row.unknown]
            was, now = _all(r.obtain & r.care for r in before), _all(r.obtain & r.care for r in after)
            gained, lost = now - was, was - now
            if unknown and _all(r.unknown for r in before) != _all(r.unknown for r in after):
                yield Change("switch", principal, role, None, None, None, None, reasons or ("a part can't be known",))
            elif gained or lost:
                yield Change("switch", principal, role, _shown(before), _shown(after), *_narrowed(gained, lost, before, after))

    def sessions(self) -> Iterator[Change]:
        """From where sessions of a role work, where the role is in both and can be had in both (F-01)."""
        changed_roles = {a for a in self.changed if ":role/" in a and a not in self.added | self.removed}
        if not changed_roles:
            return
        used: dict[str, tuple[list[Region], list[Region]]] = {}
        for side, reached in enumerate(self._reaches):
            for row in reached.rows:
                if row.role in changed_roles and row.obtain:
                    used.setdefault(row.role, ([], []))[side].append(row.use)
        for role, (before, after) in used.items():
            if before and after:
                was, now = _all(before), _all(after)
                if was != now:
                    yield Change("session", role, role, was, now, now - was, was - now)

    def sign_ins(self) -> Iterator[Change]:
        """Method 3: from where an account's users can sign in at all."""
        from sekisho.proof.sign_in import sign_in_region

        for account in sorted({a.id for e in (self.old, self.new) for a in e.accounts}):
            before, after = self.old.account(account), self.new.account(account)
            one, other = before.sign_in if before else None, after.sign_in if after else None
            if one == other:
                continue
            users = {u.arn for a in (before, after) if a for u in a.users}
            for arn in sorted(users):
                was, now = sign_in_region(one, arn, self.settings), sign_in_region(other, arn, self.settings)
                if was != now:
                    yield Change("sign-in", arn, "the sign-in itself", was, now, now - was, was - now)

    # Other actions --------------------------------------------------------------------------------------------------

    def actions(self) -> Iterator[Change]:
        for arn in sorted(self.changed):
            if ":user/" in arn or ":role/" in arn:
                yield from self._actions_of(arn)

    def _actions_of(self, arn: str) -> Iterator[Change]:
        before, after = _documents(self.old, arn), _documents(self.new, arn)
        gone, come = before - after, after - before
        if not gone and not come:
            return
        statements = [s for layer, text in gone | come for s in self._statements(text)]
        everything = [s for layer, text in before | after for s in self._statements(text)]
        try:
            pairs = list(islice(_pairs(arn, statements, everything), MOST_PAIRS + 1))
        except TooManyClasses:
            yield Change("action", arn, "other actions", None, None, None, None, ("its policies tell more actions apart than can be compared",))
            return
        if len(pairs) > MOST_PAIRS:
            yield Change("action", arn, "other actions", None, None, None, None,
                         (f"its policies differ in more than {MOST_PAIRS:,} kinds of requests",))  # fmt: skip
            return
        merged: list[tuple[Region, Region, list[str]]] = []
        unknown: list[str] = []
        for action, resource, label in pairs:
            one, other = self._proved(self.old, arn, action, resource), self._proved(self.new, arn, action, resource)
            if (one and one.unknown) or (other and other.unknown):
                unknown += [*(one.reasons if one else ()), *(other.reasons if other else ())]
                continue
            was, now = _possible(one), _possible(other)
            if was is None or now is None:
                was, now = was if was is not None else _nothing(now), now if now is not None else _nothing(was)
            if was != now:
                for a, b, labels in merged:
                    if a == was and b == now:
                        labels.append(label)
                        break
                else:
                    merged.append((was, now, [label]))
        for was, now, labels in merged:
            subject = ", ".join(dict.fromkeys(labels))
            yield Change("action", arn, subject, was, now, now - was, was - now)
        if unknown:
            yield Change("action", arn, "other actions", None, None, None, None, tuple(dict.fromkeys(unknown)))

    def _statements(self, text: str) -> Iterable[ReadyStatement]:
        return ready_policy(Policy.parse(text), self.settings).statements

    def _proved(self, estate: Estate, arn: str, action: str, resource: str) -> Proof | None:
        if estate.user(arn) is None and estate.role(arn) is None:
            return None
        account = arn.split(":")[4]
        question = Authorizer(estate, self.settings).question(Request(arn, action, resource, resource_account=account))
        return prove_question(question, USUAL)


def _possible(proof: Proof | None) -> Region | None:
    return None if proof is None else (proof.allowed & proof.possible).narrowed(proof.possible)


def _nothing(other: Region | None) -> Region:
    assert other is not None
    return other.space.nothing()


def _all(regions: Iterable[Region]) -> Region:
    from sekisho.proof.region import Space

    result: Region | None = None
    for region in regions:
        result = region if result is None else result | region
    return result if result is not None else Space().nothing()


def _shown(rows: Sequence[Row]) -> Region:
    """What the rows open, without what their callers' credentials imply."""
    return _all(r.obtain for r in rows)


def _narrowed(gained: Region, lost: Region, before: Sequence[Row], after: Sequence[Row]) -> tuple[Region, Region]:
    care = _all(r.care for r in (*before, *after))
    return gained.narrowed(care), lost.narrowed(care)


# --- what a principal's answers rest on --------------------------------------------------------------------------------------


def _text(policy: Policy | None) -> str:
    return "?" if policy is None else json.dumps(policy.normalised(), sort_keys=True)


def _attached(entry: AttachedPolicy, account: Account) -> str:
    if entry.policy is not None:
        return _text(entry.policy)
    managed = account.managed(entry.arn)
    return _text(managed.policy if managed else None)


def _documents(estate: Estate, arn: str) -> frozenset[tuple[str, str]]:
    """(layer, document) of all that says what a principal may do by itself."""
    holder: User | Role | None = estate.user(arn) or estate.role(arn)
    account = estate.account(arn.split(":")[4])
    if holder is None or account is None:
        return frozenset()
    holders: list[User | Role | Group] = [holder]
    if isinstance(holder, User):
        holders += [g for name in holder.groups if (g := account.group(name)) is not None]
    found = {("identity", _text(p)) for h in holders for p in h.inline}
    found |= {("identity", _attached(a, account)) for h in holders for a in h.attached}
    if holder.boundary is not None:
        found.add(("boundary", _attached(holder.boundary, account)))
    for i, level in enumerate(account.service_control or ()):
        found |= {(f"service_control {i}", _text(p)) for p in level}
    return frozenset(f for f in found if f[1] != "?")


def _signatures(estate: Estate) -> Iterator[tuple[str, object]]:
    """For each principal all that its answers, and answers about it, depend on."""
    for account in estate.accounts:
        control = tuple(tuple(map(_text, level)) for level in account.resource_control or ())
        about = (account.organization, account.is_management, control, tuple(account.unread))
        holders: list[User | Role] = [*account.users, *account.roles]
        for holder in holders:
            unknown = tuple(a.arn for h in _holders(account, holder) for a in h.attached if _attached(a, account) == "?")
            trust = _text(holder.trust) if isinstance(holder, Role) else ""
            yield holder.arn, (_documents(estate, holder.arn), holder.tags, trust, unknown, about)


def _holders(account: Account, holder: User | Role) -> list[User | Role | Group]:
    groups = [g for name in holder.groups if (g := account.group(name)) is not None] if isinstance(holder, User) else []
    return [holder, *groups]


# --- classes of actions and resources ----------------------------------------------------------------------------------------


def _pairs(arn: str, differing: Sequence[ReadyStatement], everything: Sequence[ReadyStatement]) -> Iterator[tuple[str, str, str]]:
    """(action, resource, how to call them) for each class of requests that a differing statement is about."""
    form = Pattern.glob("?*:?*")
    patterns = list(dict.fromkeys([form, Pattern.glob("sts:assumerole"), *(p for s in everything for p in s.actions)]))
    who = caller(arn)
    facts = derived_context(who) if who is not None else {}
    spelled = {t.lower(): t for s in everything for t in (s.statement.actions or s.statement.not_actions or ())}
    actions = [c.witness for c in classes(patterns, limit=MOST_STATES) if c.matched & 1 and not c.matched & 2]
    resources = [c.witness for c in classes(_resource_patterns(everything, facts), limit=MOST_STATES) if c.matched & 1]
    resources.append("*")
    for action in actions:
        about = [s for s in differing if s.about_action(action)]
        if not about:
            continue
        for resource in resources:
            if any(s.about_resource(resource, facts) for s in about):
                named = spelled.get(action) or next((spelled[t] for t in spelled if "*" in t and Pattern.glob(t).matches(action)), "other actions")
                yield spelled.get(action, action), resource, named if resource == "*" else f"{named} on {_resource_name(resource, about)}"


def _resource_patterns(statements: Sequence[ReadyStatement], facts: Mapping[str, object]) -> list[Pattern]:
    found = [Pattern.glob("arn:?*:?*:*:*:?*")]
    for statement in statements:
        for entry in statement.resources or ():
            pieces = entry.template.expand(facts) if entry.template is not None else None  # type: ignore[arg-type]
            found.append(resource_pattern(pieces, pad=entry.pad) if pieces is not None else entry.pattern)
    return list(dict.fromkeys(found))


def _resource_name(witness: str, statements: Sequence[ReadyStatement]) -> str:
    for statement in statements:
        for entry in statement.resources or ():
            if entry.text != "*" and entry.pattern.matches(witness):
                return entry.text
    return "any resource"
