"""Two estates compared: who gains and who loses what, from where. An empty difference is a proof of equal access.

Three questions, each answered over all requests: who gets into which role (``reach``, over any number of hops), from where the sessions of a
role work, and what else principals may do. What can't have changed isn't asked again: a pair of principal and role is looked at only where a
document or a fact about one of them, or about a role on the way, is another one; other actions only where a statement is. For those, actions
and resources are cut into the kinds that the statements tell apart (``kinds.py``), as contexts are cut into atoms.

A principal is who it is by account and name: one that moves to another path has another ARN, and is compared with itself all the same.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from sekisho.decision import Request
from sekisho.decision.decide import Question, resource_account_of
from sekisho.decision.layers import layers_of
from sekisho.decision.request import derived_context
from sekisho.estate import Account, AttachedPolicy, Estate, Group, Role, User
from sekisho.language import Joined, Language, Phrase, Text, phrase, reasons, spoken
from sekisho.policy import DEFAULT, Policy, PolicyKind, Settings
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.pattern import TooManyClasses
from sekisho.policy.principals import caller
from sekisho.proof.kinds import Kind, kinds
from sekisho.proof.prove import Patience, Proof, bare, prove_question, too_many
from sekisho.proof.reach import USUAL, Reach, Row, Use
from sekisho.proof.reach import Kind as ReachKind
from sekisho.proof.region import Region, Space, TooManyCells
from sekisho.proof.requests import possible_requests, sent_with
from sekisho.proof.words import Words

What = Literal["switch", "session", "action", "sign-in", "resource"]
MOST_IN_VAIN = 4
"""Kinds of requests of one principal whose regions multiply beyond measure, before no more are asked."""
MOST_PAIRS = 3000
"""Kinds of requests that are asked of one principal; more are said to be unknown."""
_ANYWHERE = ("from anywhere", "from any public address")
NAMED = 5
"""Actions that a sentence names before it counts the rest."""


@dataclass(frozen=True)
class Change:
    """What one principal gains and loses. ``what``: switch (``subject`` is the role), session (the role's own), action (``subject`` says which,
    in words), sign-in, resource (``principal`` is a resource whose policy is another one).

    ``before`` and ``after`` are the whole regions, of what AWS can send; each request in ``gained`` is refused by the old estate and allowed
    by the new one, ``lost`` the other way about. ``unknown`` says why a part can't be told, and then nothing is claimed of that part.
    """

    what: What
    principal: str
    subject: str
    before: Region | None
    after: Region | None
    gained: Region | None
    lost: Region | None
    unknown: tuple[str, ...] = ()
    example: tuple[str, str] | None = None
    """Of actions: one action and resource among them."""
    care: Region | None = None
    """What AWS can send for such a request; what that implies isn't said."""
    said: Text = ""
    """``subject`` for any language, where it is words."""

    def shown(self, region: Region | None) -> Region | None:
        """A region without what AWS sends anyway, for printing."""
        if region is None or self.care is None:
            return region
        try:
            return region.narrowed(self.care)
        except TooManyCells:
            return region  # longer to read, and as true


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
        """One sentence for each gain and loss, in words: "tanaka: gains production/operator from 203.0.113.0/25 with MFA"."""
        return self.sentences_in("en")

    def sentences_in(self, language: Language) -> tuple[str, ...]:
        """The same in a language."""
        said: dict[tuple[str, str], list[str]] = {}
        texts: dict[Hashable, str] = {}
        actions: dict[str, list[Change]] = {}
        for change in self.changes:
            if change.what == "action":
                actions.setdefault(change.principal, []).append(change)
        for change in self.changes:
            if change.what == "session" and any(self._says_the_same(change, c) for c in actions.get(change.principal, ())):
                continue  # of its actions, and so better
            who = change.principal if change.what == "resource" else self.words.principal(change.principal)
            mark = change.what, change.subject, change.unknown, *map(id, (change.before, change.after, change.gained, change.lost, change.care))
            text = texts.get(mark)
            if text is None:
                text = texts[mark] = spoken(self._sentence(change), language)
            said.setdefault((change.what, text), []).append(who)
        return tuple(
            spoken(phrase("diff.line", who=Joined(tuple(dict.fromkeys(who))), text=text), language) for (_, text), who in said.items()
        )

    @staticmethod
    def _says_the_same(change: Change, other: Change) -> bool:
        if other.unknown:
            return False
        return other.shown(other.before) == change.shown(change.before) and other.shown(other.after) == change.shown(change.after)

    def _sentence(self, change: Change) -> Phrase:
        subject = self._subject(change)
        if change.unknown:
            return phrase("diff.unknown", subject=subject, reasons=reasons(change.unknown))
        assert change.before is not None and change.after is not None and change.gained is not None and change.lost is not None
        before, after = change.shown(change.before), change.shown(change.after)
        assert before is not None and after is not None
        was, now, gained, lost = (
            self.words.region_said(r, short=True) for r in (before, after, change.shown(change.gained), change.shown(change.lost)) if r is not None
        )
        if not change.before:
            return phrase("diff.gains", subject=subject, now=now)
        if not change.after:
            return phrase("diff.loses", subject=subject, was=was)
        if change.gained and change.lost:
            return phrase("diff.changes", subject=subject, now=now, was=was)
        # Where the places stay, or one of the two is anywhere, both are said as they are; else what comes or goes, and what was or stays.
        whole = self.words.places(before) == self.words.places(after)
        if change.gained:
            return phrase("diff.gains_was", subject=subject, now=now if whole or spoken(now).startswith(_ANYWHERE) else gained, was=was)
        if whole or spoken(was).startswith(_ANYWHERE):
            return phrase("diff.only", subject=subject, now=now, was=was)
        return phrase("diff.keeps", subject=subject, lost=lost, now=now)

    def _subject(self, change: Change) -> Text:
        if change.what == "switch":
            return self.words.role(change.subject)
        if change.what == "session":
            return phrase("diff.sessions")
        return change.said or change.subject


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
    other = (*made.actions(), *made.resources()) if actions else ()
    return Difference((*made.switches(), *made.sessions(), *made.sign_ins(), *other), Words(networks or {}, names))


class _Comparison:
    def __init__(self, old: Estate, new: Estate, settings: Settings) -> None:
        self.old, self.new, self.settings = old, new, settings
        self._ready: dict[str, tuple[ReadyStatement, ...]] = {}
        self._patience = Patience()
        self._proofs: dict[Hashable, Proof] = {}
        self._pairs: dict[tuple[int, int], tuple[Region, Region, Region]] = {}
        before, after = dict(_signatures(old)), dict(_signatures(new))
        self.changed = {arn for arn in before.keys() | after.keys() if before.get(arn) != after.get(arn)}
        self.removed, self.added = before.keys() - after.keys(), after.keys() - before.keys()
        gone, come = ({_who(arn): arn for arn in arns} for arns in (self.removed, self.added))
        self.moved = {gone[who]: come[who] for who in gone.keys() & come.keys()}
        """Old ARN → new one, of principals whose path is another."""
        self.removed -= self.moved.keys()
        self.added -= set(self.moved.values())

    # Switching ------------------------------------------------------------------------------------------------------

    @cached_property
    def _reaches(self) -> tuple[Reach, Reach]:
        old, new = (Reach(estate, self.settings, patience=self._patience) for estate in (self.old, self.new))
        return old, new

    def _touched(self, row: Row) -> bool:
        return row.principal in self.changed or any(hop in self.changed for hop in row.hops)

    def switches(self) -> Iterator[Change]:
        if not self.changed:
            return
        found: dict[tuple[str, str], tuple[list[Row], list[Row]]] = {}
        for side, reached in enumerate(self._reaches):
            for row in reached.rows:
                if self._touched(row) or len(row.hops) > 1:
                    key = self.moved.get(row.principal, row.principal), self.moved.get(row.role, row.role)
                    found.setdefault(key, ([], []))[side].append(row)
        compared: dict[Hashable, Change | None] = {}
        for (principal, role), (before, after) in found.items():
            mark = tuple(row.mark for row in before), tuple(row.mark for row in after)
            if mark not in compared:
                compared[mark] = self._switch(before, after)
            change = compared[mark]
            if change is not None:
                yield replace(change, principal=principal, subject=role)

    def _switch(self, before: Sequence[Row], after: Sequence[Row]) -> Change | None:
        """What becomes of a way into a role, whoever's it is."""
        reasons = tuple(dict.fromkeys(r for row in (*before, *after) for r in row.reasons)) or ("a part can't be known",)
        try:
            if any(row.unknown for row in (*before, *after)) and _all(r.unknown for r in before) != _all(r.unknown for r in after):
                return Change("switch", "", "", None, None, None, None, reasons)
            was, now, care = _sent(before, after)
            gained, lost = now - was, was - now
        except TooManyCells as error:
            self._patience.lose(Space.MOST_STEPS // 8)
            return Change("switch", "", "", None, None, None, None, (too_many(error),))
        return Change("switch", "", "", was, now, gained, lost, care=care) if gained or lost else None

    def sessions(self) -> Iterator[Change]:
        """From where sessions of a role work, where the role is in both and can be had in both (F-01)."""
        changed_roles = {a for a in self.changed if ":role/" in a and a not in self.added | self.removed}
        if not changed_roles:
            return
        used: dict[str, tuple[dict[int, Use], dict[int, Use]]] = {}
        for side, reached in enumerate(self._reaches):
            for row in reached.rows:
                if row.role in changed_roles and row.by_kind:
                    use = row.used
                    used.setdefault(self.moved.get(row.role, row.role), ({}, {}))[side][id(use)] = use
        for role, uses in used.items():
            before, after = (tuple(side.values()) for side in uses)
            if before and after:
                was, now = (_all(u.works for u in side) for side in (before, after))
                care = possible_requests(was.space.joined(now.space), "role-session")
                was, now = was & care, now & care
                unsure = [_all(u.unsure for u in side) & care for side in (before, after)]
                if unsure[0] != unsure[1] or any(((was - now) | (now - was)).meets(u) for u in unsure):
                    reasons = tuple(dict.fromkeys(r for u in (*before, *after) for r in u.reasons))
                    yield Change("session", role, role, None, None, None, None, reasons or ("a part can't be known",))
                elif was != now:
                    yield Change("session", role, role, was, now, now - was, was - now, care=care)

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
                    sign_in = phrase("diff.sign_in")
                    yield Change("sign-in", arn, str(sign_in), was, now, now - was, was - now, said=sign_in)

    # Other actions --------------------------------------------------------------------------------------------------

    def actions(self) -> Iterator[Change]:
        before_of = {new: old for old, new in self.moved.items()}
        for arn in sorted(self.changed - self.moved.keys()):
            if ":user/" in arn or ":role/" in arn:
                yield from self._actions_of(before_of.get(arn, arn), arn)

    def _actions_of(self, old: str, new: str) -> Iterator[Change]:
        before, after = _documents(self.old, old), _documents(self.new, new)
        differ = before ^ after
        if not differ:
            return
        statements: list[ReadyStatement] = []
        differing = 0
        for entry in sorted(before | after):
            for statement in self._statements(entry[1]):
                differing |= (entry in differ) << len(statements)
                statements.append(statement)
        who = caller(new)
        facts = derived_context(who) if who is not None else {}
        merged: list[tuple[Region, Region, Region, list[Kind]]] = []
        by_keys: dict[Hashable, list[tuple[Region, Region, Region, list[Kind]]]] = {}
        unknown: list[str] = []
        try:
            # A boundary or control policy that comes or goes is about what it doesn't name as well.
            whole = {layer for layer, _ in before} ^ {layer for layer, _ in after} - {"identity"}
            in_vain = self._patience.exceeded
            for n, kind in enumerate(kinds(statements, facts, only=-1 if whole else differing)):
                if n >= MOST_PAIRS:
                    unknown.append(f"its policies differ in more than {MOST_PAIRS:,} kinds of requests")
                    break
                if self._patience.exceeded > in_vain + MOST_IN_VAIN:
                    break  # why is among the reasons, and more of the kind would multiply as well
                if kind.action.lower() == "sts:assumerole":
                    elsewhere = self._elsewhere(kind)
                    if elsewhere is None:
                        continue  # a role of the estate: ``switches`` says it
                    kind = elsewhere
                one, other = self._proved(self.old, old, kind), self._proved(self.new, new, kind)
                if (one and one.unknown) or (other and other.unknown):
                    unknown += [*(one.reasons if one else ()), *(other.reasons if other else ())]
                    continue
                was, now, care = self._compared(one, other)
                if was is not now:
                    # Equal regions are about the same keys, and to look at those is quick.
                    alike = by_keys.setdefault((_asked(was), _asked(now)), [])
                    same = next((listed for a, b, _, listed in alike if (a is was and b is now) or (a == was and b == now)), None)
                    if same is None:
                        merged.append((was, now, care, [kind]))
                        alike.append(merged[-1])
                    else:
                        same.append(kind)
        except TooManyClasses:
            unknown.append("its policies tell more actions and resources apart than can be listed")
        except TooManyCells as error:
            self._patience.lose(Space.MOST_STEPS // 8)
            unknown.append(too_many(error))
        for was, now, care, listed in merged:
            example = (listed[0].action, listed[0].resource)
            things = _things(listed, statements, new)
            try:
                gained, lost = now - was, was - now
            except TooManyCells as error:
                self._patience.lose(Space.MOST_STEPS // 8)
                yield Change("action", new, str(things), None, None, None, None, (too_many(error),), example=example, said=things)
                continue
            yield Change("action", new, str(things), was, now, gained, lost, example=example, care=care, said=things)
        if unknown:
            others = phrase("diff.other")
            yield Change("action", new, str(others), None, None, None, None, tuple(dict.fromkeys(unknown)), said=others)

    def resources(self) -> Iterator[Change]:
        """Resource policies other than trust policies: whom they let in isn't followed, and so is said where one is another one."""
        texts = [{arn: _text(p) for a in estate.accounts for arn, p in a.resource_policies} for estate in (self.old, self.new)]
        for arn in sorted(texts[0].keys() | texts[1].keys()):
            if texts[0].get(arn) != texts[1].get(arn):
                why = "it is another one, and whom it lets in isn't followed"
                policy = phrase("diff.resource")
                yield Change("resource", arn, str(policy), None, None, None, None, (why,), said=policy)

    def _statements(self, text: str) -> Iterable[ReadyStatement]:
        found = self._ready.get(text)
        if found is None:
            found = self._ready[text] = ready_policy(Policy.parse(text), self.settings).statements
        return found

    def _elsewhere(self, kind: Kind) -> Kind | None:
        """A kind of AssumeRole calls as one about a role of an account that the estate doesn't hold; None where there is none."""
        parts = (kind.resource if kind.resource != "*" else "arn:aws:iam:::role/z").split(":", 5)
        if len(parts) < 6 or not parts[5].startswith("role/"):
            return None
        if len(parts[4]) != 12 or not parts[4].isdecimal():
            parts[4] = next(a for a in (f"{n:012}" for n in range(999999999999, 0, -1)) if not self.old.account(a) and not self.new.account(a))
        elif self.old.account(parts[4]) or self.new.account(parts[4]):
            return None
        return kind._replace(resource=":".join(parts))

    def _proved(self, estate: Estate, arn: str, kind: Kind) -> Proof | None:
        if estate.user(arn) is None and estate.role(arn) is None:
            return None
        account = arn.split(":")[4]
        if kind.action.lower() == "sts:assumerole":
            # What the role's own account lets in isn't ours to know: the principal's side is compared.
            request = Request(arn, kind.action, kind.resource)
            layers = replace(layers_of(estate, request, kind.resource.split(":")[4]), resource=(_ANY_TRUST,))
            layers = replace(layers, unknown=tuple(u for u in layers.unknown if u[0] not in ("resource", "resource_control")))
        else:
            request = Request(arn, kind.action, kind.resource, resource_account=account)
            layers = layers_of(estate, request, resource_account_of(request))
        question, mark, _ = bare(Question(request, layers, self.settings))
        found = self._proofs.get(mark)
        if found is None:
            found = self._proofs[mark] = prove_question(question, USUAL, self._patience)
        return found

    def _compared(self, one: Proof | None, other: Proof | None) -> tuple[Region, Region, Region]:
        """What is allowed by either of what AWS can send, and that; the same object where it is the same."""
        key = id(one), id(other)
        found = self._pairs.get(key)
        if found is None:
            care = _together(one, other)
            was, now = (_all([p.allowed & care] if p else []) for p in (one, other))
            found = self._pairs[key] = was, was if was == now else now, care
        return found


_ANY_TRUST = Policy.parse(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}, kind=PolicyKind.TRUST
)


def _asked(region: Region) -> frozenset[str]:
    """The keys that a region is about; not those that stand for many."""
    return frozenset(key for key in region.keys if not key.startswith("*"))


def _together(*proofs: Proof | None) -> Region:
    """What AWS can send, told apart as finely as any of the proofs does: a key that one of them doesn't ask has no odd values either."""
    known = [p for p in proofs if p is not None]
    space = known[0].allowed.space.joined(known[-1].allowed.space) if known else Space()
    return possible_requests(space, known[0].question.caller.kind) if known else space.everything()


def _sent(before: Sequence[Row], after: Sequence[Row]) -> tuple[Region, Region, Region]:
    """Where rows open before and after, and what their callers can send at all; all told apart as finely as either side does."""
    space = Space()
    for row in (*before, *after):
        space = space.joined(row.edge.sure.space)

    def sent(kind: ReachKind) -> Region:
        return sent_with(space, kind.kind, mfa=kind.mfa, on_call=kind.on_call)

    was, now = (_all(had & sent(kind) for row in rows for kind, had in row.by_kind.items()) for rows in (before, after))
    return was, now, _all(sent(kind) for kind in {k for row in (*before, *after) for k in row.start})


def _all(regions: Iterable[Region]) -> Region:
    result: Region | None = None
    for region in regions:
        result = region if result is None else result | region
    return result if result is not None else Space().nothing()


# --- what a principal's answers rest on --------------------------------------------------------------------------------------


def _text(policy: Policy | None) -> str:
    """A policy as text, the same for the same statements; kept on the policy, which doesn't change."""
    if policy is None:
        return "?"
    text: str | None = policy.__dict__.get("_normalised_text")
    if text is None:
        text = policy.__dict__["_normalised_text"] = json.dumps(policy.normalised(), sort_keys=True)
    return text


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


def _who(arn: str) -> tuple[str, str, str]:
    """Account, kind and name: what a principal keeps when its path changes."""
    parts = arn.split(":", 5)
    return parts[4], parts[5].partition("/")[0], arn.rpartition("/")[2]


# --- kinds of requests in words ----------------------------------------------------------------------------------------------


def _things(listed: Sequence[Kind], statements: Sequence[ReadyStatement], arn: str) -> Text:
    """Kinds of requests by resource, of the actions the first few and how many more: "iam:ChangePassword on their own user"."""
    by_resource: dict[Text, dict[str, None]] = {}
    for kind in listed:
        resource = _resource_name(kind, statements, arn)
        by_resource.setdefault(resource, {}).update(dict.fromkeys(kind.written))
    anything = {a for name in ("", _ANYTHING) for a in by_resource.get(name, ())}
    everything = by_resource.pop(_ANYTHING, {})
    if everything or "" in by_resource:
        by_resource = {"": dict.fromkeys([*by_resource.get("", ()), *everything]), **{k: v for k, v in by_resource.items() if k}}
    left = {name: [a for a in actions if not name or a not in anything] for name, actions in by_resource.items()}
    if "*" in anything:
        left = {"": left[""]}
    parts = tuple(
        phrase("thing.on", actions=_actions(actions), resource=name) if name else _actions(actions) for name, actions in left.items() if actions
    )
    if len(parts) < 3:
        return Joined(parts, "and")
    every = _actions(list(dict.fromkeys(a for actions in left.values() for a in actions)))
    own = all(name in ("", _OWN) or (isinstance(name, str) and ("${aws:username}" in name or ":mfa/" in name)) for name in left)
    return phrase("thing.themselves", actions=every) if own else phrase("thing.kinds", actions=every, n=len(parts))


_ANYTHING, _OWN, _ELSEWHERE = phrase("thing.anything"), phrase("thing.own"), phrase("thing.role")


def _actions(written: Sequence[str]) -> Text:
    first = ", ".join(written[:3])
    if "*" in written:
        named = sorted(a for a in written if a != "*")
        if all(a.endswith(":*") for a in named):
            return phrase("thing.all" if len(named) <= 1 else "thing.nearly")
        listed = _actions(named) if len(named) <= NAMED else phrase("thing.many", n=f"{len(named):,}", first=", ".join(named[:3]))
        return phrase("thing.unnamed", listed=listed)
    if len(written) <= NAMED:
        return Joined(tuple(written))
    services = sorted({a.partition(":")[0] for a in written})
    if len(services) == 1:
        return phrase("thing.service", n=f"{len(written):,}", service=services[0], first=first)
    return phrase("thing.services", n=f"{len(written):,}", k=len(services), first=first)


def _resource_name(kind: Kind, statements: Sequence[ReadyStatement], arn: str) -> Text:
    """What a kind's resource is called: as the policies write it; "" for calls that are about no resource."""
    if kind.action.lower() == "sts:assumerole":
        return _ELSEWHERE if kind.resource.endswith(":role/z") else kind.resource
    if kind.resource == "*":
        return ""
    for i, statement in enumerate(statements):
        for entry in statement.resources or () if kind.about >> i & 1 else ():
            if entry.text != "*" and entry.pattern.matches(kind.resource):
                own = ":user/" in entry.text and entry.text.endswith("/${aws:username}")
                return _OWN if own and ":user/" in arn else entry.text
    return _ANYTHING
