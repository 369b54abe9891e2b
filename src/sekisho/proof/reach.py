"""Who reaches which role, from where, with which second factor, over any number of hops (D.6): ``obtain`` and ``use`` apart (F-01).

A pair of principal and role is two halves that rarely look at each other: what the principal's own policies allow, which depends on the
role by its ARN alone, and what the role's trust policy allows, which depends on the principal by how it names it and by facts such as its
tags. Each half is solved once for all principals or roles that it can't tell apart, in one space for the whole estate; a pair then costs
one intersection. Within one account a trust policy can stand in for an identity policy (D.2), so there a pair is asked as a whole.

A hop: the principal is now a session of the role. What it can reach depends on that and on whether the session carries MFA (E-08), not on
how it was come by, so each such state is followed once, and roles that trust each other in a circle end by themselves. ``obtain`` is about
the last call: where the calls before it may be made from is said by the rows of those roles.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeVar, overload

from sekisho.decision.decide import COMPANIONS, Question
from sekisho.decision.layers import Layers, layers_of
from sekisho.decision.request import CredentialKind, Request
from sekisho.estate.model import Account, Estate, Group, Role, User
from sekisho.policy import DEFAULT, Settings
from sekisho.policy.condition import ReadyCondition, Value
from sekisho.policy.keys import MANY
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.pattern import Pattern, TooManyClasses
from sekisho.policy.principals import Grant
from sekisho.proof.atoms import Ask
from sekisho.proof.kinds import kinds
from sekisho.proof.prove import COMPANION_KEYS, Patience, bare, bound, box_of, fixed_keys, listed, prove_question, too_many, union
from sekisho.proof.region import OTHERS, Region, Space, TooManyCells
from sekisho.proof.requests import sent_with

T = TypeVar("T")
ASSUME = "sts:AssumeRole"
USUAL: Mapping[str, Value | None] = {
    "aws:viaawsservice": "false", "aws:securetransport": "true", "aws:principalisawsservice": "false", "aws:calledvia": None,
    "aws:calledviafirst": None, "aws:calledvialast": None, "aws:principalservicename": None, "aws:principalservicenameslist": None,
    "aws:sourceaccount": None, "aws:sourcearn": None, "aws:sourceorgid": None, "aws:sourceorgpaths": None, **dict.fromkeys(OTHERS),
}  # fmt: skip
"""D.6, step 3: a call that the principal makes itself, over TLS, without session tags of its own choosing."""

MOST_USES = 3_000
"""Kinds of requests that are asked of one role's sessions; beyond it the answer is unknown."""
_OF_THE_CALLER = frozenset(("aws:tokenissuetime", "sts:rolesessionname", "aws:username", "aws:userid", "aws:sourceidentity"))
_PRINCIPAL_SIDE = ("service_control", "identity", "boundary", "session", "credentials")


class Kind(NamedTuple):
    """How a call is signed, as the contract of the walk names it, and whether the session that it makes carries MFA (E-08)."""

    name: str
    kind: CredentialKind
    mfa: bool
    on_call: bool
    session_mfa: bool


USER_KINDS = (
    Kind("console", CredentialKind.CONSOLE, False, False, False),
    Kind("console+mfa", CredentialKind.CONSOLE, True, False, True),
    Kind("key", CredentialKind.KEY, False, False, False),
    Kind("key+mfa", CredentialKind.KEY, True, True, False),
    Kind("session", CredentialKind.SESSION_TOKEN, False, False, False),
    Kind("session+mfa", CredentialKind.SESSION_TOKEN, True, False, True),
)
_SESSION = Kind("role-session", CredentialKind.ROLE_SESSION, False, False, False)
_SESSION_MFA = Kind("role-session+mfa", CredentialKind.ROLE_SESSION, True, False, True)
_FEDERATED = Kind("identity-provider", CredentialKind.IDENTITY_PROVIDER, False, False, False)
ROLE_KINDS = (_SESSION, _SESSION_MFA, _FEDERATED)


class Row:
    """One way to a role: ``hops`` are the roles assumed one after another, ``role`` the last of them.

    ``obtain``: in which contexts the last AssumeRole is allowed; ``use``: in which the session's keys then work for something.
    ``unknown``: contexts in which it can't be known whether the role can be had, and ``reasons`` why. ``kinds``: how the call can be signed.
    Regions are worked out when they are asked for.
    """

    __slots__ = ("_kinds", "_made", "_via", "caller", "principal", "reach", "target")

    def __init__(self, reach: Reach, principal: str, caller: int, target: int, via: tuple[str, ...] = (), kinds: tuple[Kind, ...] = ()) -> None:
        self.reach = reach
        self.principal = principal
        self.caller = caller
        self.target = target
        self._kinds = kinds
        self._via = via
        self._made: dict[str, Any] | None = None

    @property
    def role(self) -> str:
        return self.reach.role_arn(self.target)

    @property
    def hops(self) -> tuple[str, ...]:
        return (*self._via, self.role)

    @property
    def start(self) -> tuple[Kind, ...]:
        """The kinds of credentials that the last call may be signed with, before policies are asked."""
        return self._kinds or self.reach.kinds_of(self.caller)

    @property
    def mark(self) -> Hashable:
        """What the regions of a row follow from: equal for rows that are open in the same contexts."""
        edge = self.edge
        space = edge.sure.space
        why = edge.reasons if edge.unsure else ()
        return id(space), edge.sure.node, edge.unsure.node, why, self.start, self.reach.session_name(self.caller, space)

    def _once(self, name: str, make: Callable[[], T], *, alike: bool = True) -> T:
        """Made when first asked for; ``alike``: once for all rows of one mark."""
        if self._made is None:
            self._made = {}
        if name not in self._made:
            if alike:
                shared = self.reach.alike.setdefault(self.mark, {})
                if name not in shared:
                    shared[name] = make()
                self._made[name] = shared[name]
            else:
                self._made[name] = make()
        made: T = self._made[name]
        return made

    @property
    def edge(self) -> Edge:
        return self._once("edge", lambda: self.reach.edge(self.caller, self.target), alike=False)

    @property
    def by_kind(self) -> dict[Kind, Region]:
        """For each kind of credentials with which the role can be had, in which contexts."""

        def make() -> dict[Kind, Region]:
            found = {k: self.edge.sure & self.reach.sent(self.caller, self.edge.sure.space, k) for k in self.start}
            return {k: r for k, r in found.items() if r}

        return self._once("by_kind", make)

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(k.name for k in self.by_kind)

    @property
    def care(self) -> Region:
        """What calls of the caller can bring at all: what that implies, ``obtain`` doesn't say again."""

        def make() -> Region:
            result = self.edge.sure.space.nothing()
            for kind in self.start:
                result |= self.reach.sent(self.caller, self.edge.sure.space, kind)
            return result

        return self._once("care", make)

    @property
    def obtain(self) -> Region:
        return self._once("obtain", lambda: _simplest(self.by_kind.values(), self.care))

    @property
    def real(self) -> Region:
        """``obtain`` without what no call can bring: to be compared with other regions (``obtain`` is for reading)."""
        return self._once("real", lambda: self.obtain & self.care)

    @property
    def unknown(self) -> Region:
        return self._once("unknown", lambda: _simplest([self.edge.unsure & self.care], self.care))

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.edge.reasons if self.unknown else ()

    @property
    def used(self) -> Use:
        """``use``, and besides where it can't be known whether the keys work, and why."""
        signed = self.by_kind or dict.fromkeys(self.start)
        return self.reach.use(self.target, frozenset(self.reach.session_mfa(k) for k in signed))

    @property
    def use(self) -> Region:
        return self.used.works

    def to_json(self) -> dict[str, Any]:
        """The contract's row, and besides how the call can be signed and what isn't known."""
        (obtain, unknown), many = listed(self.obtain, self.unknown)
        (use, unsure), many_uses = listed(self.use, self.used.unsure)
        row: dict[str, Any] = {
            "principal": self.principal, "role": self.role, "hops": list(self.hops), "obtain": obtain, "use": use, "credentials": list(self.kinds),
        }  # fmt: skip
        if self.unknown or many:
            row["unknown"] = {"region": [{}] if many else unknown, "reasons": [*self.reasons, *many]}
        if self.used.unsure or many_uses:
            row["use_unknown"] = {"region": [{}] if many_uses else unsure, "reasons": [*self.used.reasons, *many_uses]}
        return row


class Rows(Sequence[Row]):
    """All rows; those of one hop are made when they are looked at, so that a million of them cost little."""

    def __init__(self, reach: Reach, parts: list[tuple[int, Sequence[int] | None, list[Row]]]) -> None:
        self._reach = reach
        self._parts = parts
        self._starts = list(accumulate((len(direct or ()) + len(rows) for _, direct, rows in parts), initial=0))

    def __len__(self) -> int:
        return self._starts[-1]

    def __iter__(self) -> Iterator[Row]:
        for caller, direct, rows in self._parts:
            principal = self._reach.arn_of(caller)
            for role in direct or ():
                yield Row(self._reach, principal, caller, role)
            yield from rows

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> list[Row]: ...
    def __getitem__(self, at: int | slice) -> Row | list[Row]:
        if isinstance(at, slice):
            return [self[i] for i in range(*at.indices(len(self)))]
        if at < 0:
            at += len(self)
        if not 0 <= at < len(self):
            raise IndexError(at)
        part = bisect_right(self._starts, at) - 1
        caller, direct, rows = self._parts[part]
        at -= self._starts[part]
        return Row(self._reach, self._reach.arn_of(caller), caller, direct[at]) if direct is not None else rows[at]


class _ByAtom(NamedTuple):
    """For what roles ask further, per atom of the first axis the roles (bits) open there; where any; where all. ``several``: roles that
    look at callers in more than one way."""

    open: dict[int, tuple[list[int], int, int]]
    several: int


@dataclass(frozen=True)
class Edge:
    """Whether a caller may assume a role: surely, and where it can't be known."""

    sure: Region
    unsure: Region
    reasons: tuple[str, ...] = ()


class Use(NamedTuple):
    """Where the keys of a session work, where that can't be known and why; ``care``: what its calls can bring at all."""

    works: Region
    unsure: Region
    care: Region
    reasons: tuple[str, ...] = ()


def _simplest(regions: Iterable[Region], care: Region) -> Region:
    result = care.space.nothing()
    for region in regions:
        result |= region
    return result.narrowed(care)


@dataclass(frozen=True)
class _Caller:
    """One who may call AssumeRole, and what is fixed about it."""

    arn: str
    kind: Literal["user", "role", "session", "provider"]
    account: str
    layers: Layers
    fixed: dict[str, Value | None]
    entity: str = ""
    session: str = ""
    action: str = ASSUME

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return USER_KINDS if self.kind == "user" else (_FEDERATED,) if self.kind == "provider" else ROLE_KINDS


class _Half:
    """One half of a question: its clauses and Denies of one side, to be filled in with what is fixed about a caller."""

    def __init__(self, question: Question, layers: Sequence[str], denies: Sequence[str]) -> None:
        self.question = question
        self.clauses = [c for c in question.clauses if c.layer in layers]
        self.denies = [m for m in question.denies if m.layer in denies]
        self.unknown = {layer: why for layer, why in question.unknown.items() if layer in denies}
        keys: dict[str, None] = {}
        self.conditions: list[ReadyCondition] = []
        for m in (*(m for c in self.clauses for m in c.matched), *self.denies):
            for condition in m.ready.conditions:
                self.conditions.append(condition)
                keys.update(dict.fromkeys((condition.key, *condition.also)))
            if m.ready.resource_verdict(question.resource) is None:
                keys.update(dict.fromkeys(v.key for e in m.ready.resources or () if e.template for v in e.template.variables))
        self.keys = tuple(keys)
        self.reasons = (*self.unknown.values(), *(w for m in (*(m for c in self.clauses for m in c.matched), *self.denies) for w in m.ready.unknown))

    def filled(self, fixed: Mapping[str, Value | None]) -> _Filled:
        """What is left to ask when ``fixed`` is known of the caller; what the role fixes is known already."""
        fixed = {**{k: v for k, v in self.question.facts.items() if k.startswith("aws:resource")}, **fixed}
        present = {k: v for k in self.keys if (v := fixed.get(k)) is not None}
        question = self.question

        def fill(ready: ReadyStatement) -> tuple[list[Ask], bool | None]:
            return bound(ready, question.resource, question.settings, fixed, present)

        return _Filled(
            tuple((tuple(fill(m.ready) for m in c.matched), c.unknown) for c in self.clauses),
            tuple(fill(m.ready) for m in self.denies),
            bool(self.unknown),
        )


class _Part(NamedTuple):
    """Callers (bits) about whom the same is fixed, as far as a half asks."""

    callers: int
    half: _Half
    filled: _Filled


class _Filled(NamedTuple):
    clauses: tuple[tuple[tuple[tuple[list[Ask], bool | None], ...], bool], ...]
    denies: tuple[tuple[list[Ask], bool | None], ...]
    unknown: bool

    def asks(self) -> Iterator[Ask]:
        for statements, _ in self.clauses:
            for asks, constant in statements:
                if constant is not False:
                    yield from asks
        for asks, constant in self.denies:
            if constant is not False:
                yield from asks

    @property
    def never(self) -> bool:
        """Whether some clause has nothing that could hold."""
        return any(not unknown and all(constant is False for _, constant in statements) for statements, unknown in self.clauses)

    def nodes(self, space: Space) -> tuple[int, int]:
        """Where it is surely allowed, and where it may be."""
        denied = [box_of(asks, constant, space) for asks, constant in self.denies]
        sure = may = 1
        for statements, unknown in self.clauses:
            held = [box_of(asks, constant, space) for asks, constant in statements]
            sure = space.both(sure, union(space, (h[0] for h in held)))
            may = space.both(may, 1 if unknown else union(space, (h[1] for h in held)))
        sure = 0 if self.unknown else space.minus(sure, union(space, (d[1] for d in denied)))
        return sure, space.minus(may, union(space, (d[0] for d in denied)))


class Reach:
    """Who reaches which role in an estate. ``rows`` are all ways: for each principal and role the direct one, and each over other roles
    that opens something the shorter ones don't."""

    def __init__(
        self, estate: Estate, settings: Settings = DEFAULT, *, principals: Iterable[str] | None = None, patience: Patience | None = None
    ) -> None:
        self.estate = estate
        self.settings = settings
        self._roles: list[Role] = [r for a in estate.accounts for r in a.roles if not r.is_service_linked]
        self._role_at = {r.arn: i for i, r in enumerate(self._roles)}
        self._wanted = None if principals is None else frozenset(principals)
        self._tag_keys = self._tags_named()
        self._callers: list[_Caller] = list(self._all_callers())
        self._edges: dict[tuple[int, int], Edge] = {}
        self.patience = patience or Patience()
        self._sent: dict[tuple[int, int, Kind, str], Region] = {}
        self._whole: dict[Hashable, Edge] = {}
        self._uses: dict[tuple[int, frozenset[bool]], Use] = {}
        self._told: dict[Hashable, tuple[int, ...]] = {}
        self._values: dict[str, dict[Value | None, int]] = {}
        self._texts: dict[str, tuple[list[str], list[Value | None]]] = {}
        self.alike: dict[Hashable, dict[str, Any]] = {}
        self._solve()

    # Callers --------------------------------------------------------------------------------------------------------

    def _tags_named(self) -> set[str]:
        """Keys of principal tags that any policy names: an IAM user without such a tag has none, and that is known."""
        named: set[str] = set()
        for account in self.estate.accounts:
            holders: list[User | Group | Role] = [*account.users, *account.groups, *account.roles]
            policies = [p for h in holders for p in h.inline]
            policies += [m.policy for m in account.policies if m.policy] + [r.trust for r in account.roles]
            policies += [p for level in (*(account.service_control or ()), *(account.resource_control or ())) for p in level]
            for policy in policies:
                if "rincipal" not in _text_of(policy):
                    continue
                for statement in ready_policy(policy, self.settings).statements:
                    for condition in statement.conditions:
                        named.update(k for k in (condition.key, *condition.also) if k.startswith("aws:principaltag/"))
        return named

    def _all_callers(self) -> Iterator[_Caller]:
        for account in self.estate.accounts:
            for user in account.users:
                yield self._caller(user.arn, "user", account, user)
            for role in account.roles:
                if not role.is_service_linked:
                    yield self._caller(role.arn, "role", account, role)
        for arn in self._named_in_trusts(":assumed-role/"):
            holder = self.estate.account(arn.split(":")[4])
            name, _, session = arn.split(":", 5)[5].removeprefix("assumed-role/").partition("/")
            found = holder.role(name) if holder else None
            if holder and found:
                yield replace(self._caller(arn, "session", holder, found), entity=found.arn, session=session)
        for arn in self._providers():
            fixed: dict[str, Value | None] = {**USUAL, "aws:username": None}
            action = "sts:AssumeRoleWithSAML" if ":saml-provider/" in arn else "sts:AssumeRoleWithWebIdentity"
            yield _Caller(arn, "provider", "", Layers(), fixed, action=action)

    def _caller(self, arn: str, kind: Literal["user", "role", "session"], account: Account, holder: User | Role) -> _Caller:
        role = holder.arn if kind == "session" else ""
        asked = Request(arn, ASSUME, f"arn:aws:iam::{account.id}:role/", role=role)
        layers = layers_of(self.estate, asked, account.id)
        layers = replace(
            layers, resource=(), resource_control=None, unknown=tuple(u for u in layers.unknown if u[0] not in ("resource", "resource_control")),
            facts=tuple(f for f in layers.facts if not f[0].startswith("aws:resource")), resource_account="",
        )  # fmt: skip
        fixed: dict[str, Value | None] = dict(USUAL)
        if kind == "user":
            fixed |= {"aws:sourceidentity": None, "aws:federatedprovider": None}
            fixed |= dict.fromkeys(self._tag_keys)
        else:
            fixed["aws:username"] = None
        question = Question(asked, layers, self.settings)
        fixed |= {k: v for k, v in question.facts.items() if k not in fixed and not k.startswith("aws:resource")}
        fixed |= dict(layers.facts)
        return _Caller(arn, kind, account.id, layers, fixed, holder.arn)

    def _named_in_trusts(self, part: str) -> list[str]:
        found: dict[str, None] = {}
        for role in self._roles:
            for statement in role.trust.statements:
                for element in (statement.principal, statement.not_principal):
                    found.update(dict.fromkeys(e for e in (element.aws if element else ()) if part in e))
        return list(found)

    def _providers(self) -> list[str]:
        found: dict[str, None] = {}
        for role in self._roles:
            for statement in role.trust.statements:
                if statement.principal and not statement.denies:
                    found.update(dict.fromkeys(statement.principal.federated))
        return list(found)

    # Solving --------------------------------------------------------------------------------------------------------

    def _solve(self) -> None:
        self._index()
        self._mine: list[list[tuple[int, _Half, _Filled]]] = [list(self._principal_halves(i)) for i in range(len(self._callers))]
        self._theirs: list[list[_Part]] = []
        asks: dict[Ask, None] = {}
        for halves in self._mine:
            for _, _, filled in halves:
                asks.update(dict.fromkeys(filled.asks()))
        trusted = []
        for at in range(len(self._roles)):
            parts = [part for mask, half in self._trust_halves(at) for part in self._parts(mask, half)]
            self._theirs.append(parts)
            trusted.append(0)
            for part in parts:
                trusted[-1] |= part.callers
                asks.update(dict.fromkeys(part.filled.asks()))
        self._reachable = _transposed(trusted, len(self._callers))
        steps = 300_000 + 2_500 * (len(self._callers) + len(self._roles))
        self._space = Space(asks, most_steps=steps, known_axes=self.patience.axes)
        self._kept: dict[int, tuple[int, int]] = {}
        self._tagged = any(k.startswith(prefixes) for prefixes, _ in COMPANIONS for k in self._space.axis_of_key)

    def _parts(self, mask: int, half: _Half) -> Iterator[_Part]:
        """The callers of a half by what is fixed about them, without those whom nothing in it can let in."""
        if not mask:
            return
        first = self._callers[mask.bit_length() - 1]
        if self._varying[first.kind, first.action].isdisjoint(half.keys):
            filled = half.filled(first.fixed)
            if not filled.never:
                yield _Part(mask, half, filled)
            return
        varying, always = self._varying[first.kind, first.action], self._always[first.kind, first.action]
        alike = [mask]
        for condition in half.conditions:
            keys = (condition.key, *condition.also)
            if not varying.isdisjoint(keys):
                # A condition on what is fixed alone holds or doesn't; one with a free key besides is told apart by what is fixed in it.
                told = self._told_by(condition) if always.issuperset(keys) else self._told_by_values(tuple(k for k in keys if k in varying))
                alike = [part for group in alike for callers in told if (part := group & callers)]
        for callers in alike:
            filled = half.filled(self._callers[callers.bit_length() - 1].fixed)
            if not filled.never:
                yield _Part(callers, half, filled)

    def _told_by(self, condition: ReadyCondition) -> tuple[int, ...]:
        """The callers (bits) of whom a condition on what is fixed holds, doesn't, and can't be known."""
        use, key = condition.condition.use, condition.key
        mark = use, key, condition.condition.values, condition.also, condition.wants is None
        found = self._told.get(mark)
        if found is not None:
            return found
        by_answer: dict[bool | None, int] = {}
        if condition.also or condition.wants is None:
            for i, present in enumerate(self._present):
                answer = condition.test(present)
                by_answer[answer] = by_answer.get(answer, 0) | 1 << i
        else:
            having, rest = self._having(key), self._everyone
            for value in self._worth_asking(condition):
                answer = condition.test({} if value is None else {key: value})
                by_answer[answer] = by_answer.get(answer, 0) | having[value]
                rest &= ~having[value]
            if rest:
                # Values that no pattern of the condition can match: its operator says the same of all of them.
                answer = condition.row is not None and condition.row.negated
                by_answer[answer] = by_answer.get(answer, 0) | rest
        found = self._told[mark] = tuple(by_answer.values())
        return found

    def _worth_asking(self, condition: ReadyCondition) -> Iterable[Value | None]:
        """The values of a fixed key of which a condition may say something else than of what none of its patterns matches."""
        row, use, key = condition.row, condition.condition.use, condition.key
        having = self._having(key)
        if row is None or row.name not in _PLAIN_TEXTS or use.quantifier or condition.unknown or key in MANY:
            return having
        texts, others = self._texts_of(key)
        found = dict.fromkeys(others)
        if row.name.startswith("Arn"):
            found.update(dict.fromkeys(t for t in texts if t.count(":") < 5))
        for want in condition.wants or ():
            head = want if isinstance(want, str) else want.head
            for at in range(bisect_left(texts, head), len(texts)):
                if not texts[at].startswith(head):
                    break
                found[texts[at]] = None
        return found

    def _texts_of(self, key: str) -> tuple[list[str], list[Value | None]]:
        """The values of a fixed key that are one text, in order; and the others: absent, several."""
        found = self._texts.get(key)
        if found is None:
            having = self._having(key)
            found = self._texts[key] = sorted(v for v in having if isinstance(v, str)), [v for v in having if not isinstance(v, str)]
        return found

    def _having(self, key: str) -> dict[Value | None, int]:
        """The callers (bits) by their value of a key that is fixed for them."""
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = {}
            for i, caller in enumerate(self._callers):
                value = caller.fixed.get(key)
                found[value] = found.get(value, 0) | 1 << i
        return found

    def _told_by_values(self, keys: tuple[str, ...]) -> tuple[int, ...]:
        """The callers (bits) by their values of keys, which may be free for some."""
        found = self._told.get(keys)
        if found is None:
            by_values: dict[tuple[object, ...], int] = {}
            for i, caller in enumerate(self._callers):
                told = tuple([caller.fixed.get(k, _FREE) for k in keys])
                by_values[told] = by_values.get(told, 0) | 1 << i
            found = self._told[keys] = tuple(by_values.values())
        return found

    @cached_property
    def _always(self) -> dict[tuple[str, str], set[str]]:
        """For each kind of caller, the keys that are fixed for all of them."""
        found: dict[tuple[str, str], set[str]] = {}
        for caller in self._callers:
            found.setdefault((caller.kind, caller.action), set(caller.fixed)).intersection_update(caller.fixed)
        return found

    @cached_property
    def _present(self) -> list[dict[str, Value]]:
        return [{k: v for k, v in c.fixed.items() if v is not None} for c in self._callers]

    @cached_property
    def _varying(self) -> dict[tuple[str, str], set[str]]:
        """For each kind of caller, the keys that are not the same for all of them."""
        alike: dict[tuple[str, str], dict[str, Value | None]] = {}
        varying: dict[tuple[str, str], set[str]] = {}
        for caller in self._callers:
            key = (caller.kind, caller.action)
            first = alike.setdefault(key, caller.fixed)
            differ = varying.setdefault(key, set())
            if first is not caller.fixed:
                differ.update(k for k, v in caller.fixed.items() if k not in first or first[k] != v)
                differ.update(first.keys() - caller.fixed.keys())
        return varying

    def _index(self) -> None:
        """Roles by ARN in order, to find those that a Resource's fixed beginning leaves; callers by ARN, entity and account."""
        self._sorted_roles = sorted((r.arn, i) for i, r in enumerate(self._roles))
        self._arns = [arn for arn, _ in self._sorted_roles]
        self._all_roles = (1 << len(self._roles)) - 1
        self._abouts: dict[int, int] = {}
        self._matched: dict[Pattern, int] = {}
        self._by_name: dict[str, int] = {}
        self._by_account: dict[str, int] = {}
        for i, caller in enumerate(self._callers):
            bit = 1 << i
            for name in (caller.arn, caller.entity, caller.layers.unique_id):
                if name:
                    self._by_name[name] = self._by_name.get(name, 0) | bit
            if caller.account:
                self._by_account[caller.account] = self._by_account.get(caller.account, 0) | bit
        self._everyone = (1 << len(self._callers)) - 1

    def _about(self, ready: ReadyStatement, fixed: Mapping[str, Value | None]) -> int | None:
        """The roles that a statement may be about, as bits; None where that depends on what isn't fixed."""
        known = self._abouts.get(id(ready))
        if known is not None:
            return known
        if ready.resources is None:
            return self._all_roles
        listed = 0
        varies = False
        for entry in ready.resources:
            if entry.template is not None:
                varies = True
                if any(v.key not in fixed for v in entry.template.variables):
                    return None
                head = entry.text.partition("*")[0].partition("?")[0].partition("${")[0]
                present = {k: v for k, v in fixed.items() if v is not None}
                listed |= sum(1 << i for arn, i in self._beginning(head) if entry.matches(arn, present))
                continue
            matched = self._matched.get(entry.pattern)
            if matched is None:
                literal = entry.pattern.literal
                if literal is not None:
                    at = self._role_at.get(literal)
                    matched = 0 if at is None else 1 << at
                else:
                    head = entry.text.partition("*")[0].partition("?")[0]
                    matched = sum(1 << i for arn, i in self._beginning(head) if entry.pattern.matches(arn))
                self._matched[entry.pattern] = matched
            listed |= matched
        result = listed if ready.statement.resources is not None else self._all_roles & ~listed
        if not varies:
            self._abouts[id(ready)] = result
        return result

    def _beginning(self, head: str) -> Iterator[tuple[str, int]]:
        for at in range(bisect_left(self._arns, head), len(self._arns)):
            if not self._arns[at].startswith(head):
                return
            yield self._sorted_roles[at]

    def _principal_halves(self, at: int) -> Iterator[tuple[int, _Half, _Filled]]:
        """The caller's own side: for each set of roles that its policies don't tell apart, the bits of the roles and the half."""
        caller = self._callers[at]
        if caller.kind == "provider":
            return
        layers = caller.layers
        groups = [self._all_roles] if self._all_roles else []
        by_account = False
        allowed = 0
        for policies in (layers.identity, layers.boundary or (), *(layers.service_control or ())):
            for policy in policies:
                for ready in ready_policy(policy, self.settings).statements:
                    if not ready.about_action("sts:assumerole"):
                        continue
                    by_account = by_account or any(k.startswith(("aws:resource", "iam:resource")) for c in ready.conditions for k in (c.key, *c.also))
                    about = self._about(ready, caller.fixed)
                    if about is None:
                        groups = [1 << i for i in range(len(self._roles))]
                        about = self._all_roles
                    if not ready.denies and policies is layers.identity:
                        allowed |= about
                    if about not in (0, self._all_roles):
                        groups = [part for group in groups for part in (group & about, group & ~about) if part]
        if not layers.unknown:
            # Without an identity Allow only a trust policy of the same account can let it in; such pairs are asked as a whole.
            groups = [group & allowed for group in groups if group & allowed]
        if by_account:
            accounts: dict[str, int] = {}
            for i, role in enumerate(self._roles):
                account = role.arn.split(":")[4]
                accounts[account] = accounts.get(account, 0) | 1 << i
            groups = [part for group in groups for mask in accounts.values() if (part := group & mask)]
        for group in groups:
            role = self._roles[group.bit_length() - 1]
            question = Question(self._asked(caller, role), self._resource_facts(caller.layers, role), self.settings)
            if question.refusal is not None:
                continue
            half = _Half(question, _PRINCIPAL_SIDE, _PRINCIPAL_SIDE)
            filled = half.filled(caller.fixed)
            if not filled.never:
                yield group, half, filled

    def _asked(self, caller: _Caller, role: Role) -> Request:
        return Request(caller.arn, caller.action, role.arn, role=caller.entity if caller.kind == "session" else "")

    def _resource_facts(self, layers: Layers, role: Role) -> Layers:
        account = self.estate.account(role.arn.split(":")[4])
        if account is None or not account.organization:
            return layers
        return replace(layers, facts=(*layers.facts, ("aws:resourceorgid", account.organization)))

    def _trust_halves(self, at: int) -> Iterator[tuple[int, _Half]]:
        """The role's side: for each set of callers that its trust policy names alike, the bits of the callers and the half."""
        role = self._roles[at]
        account = role.arn.split(":")[4]
        asked = Request(f"arn:aws:iam::{account}:root", ASSUME, role.arn)
        full = layers_of(self.estate, asked, account)
        groups: dict[int, None] = {self._everyone: None}
        named = 0
        for ready in ready_policy(role.trust, self.settings).statements:
            by_grant = self._grants(ready)
            if not ready.denies:
                for mask in by_grant.values():
                    named |= mask
            parts: dict[int, None] = {}
            for group in groups:
                rest = group
                for mask in by_grant.values():
                    part = group & mask
                    if part:
                        parts[part] = None
                        rest &= ~mask
                if rest:
                    parts[rest] = None
            groups = parts
        unread = [u for u in full.unknown if u[0] in ("resource", "resource_control")]
        for group in groups:
            if not unread:
                group &= named
            # Kinds of callers apart: what they may do at all (D-24) and their action differ.
            for part in self._by_kind(group):
                caller = self._callers[part.bit_length() - 1]
                layers = Layers(
                    resource=full.resource, resource_control=full.resource_control, unknown=tuple(unread), role=caller.layers.role,
                    unique_id=caller.layers.unique_id, facts=tuple(f for f in full.facts if f[0].startswith("aws:resource")),
                )  # fmt: skip
                question = Question(self._asked(caller, role), layers, self.settings)
                if question.refusal is None:
                    yield part, _Half(question, ("resource", "resource_control"), ("resource", "resource_control"))

    def _by_kind(self, group: int) -> Iterator[int]:
        for mask in self._kind_masks:
            part = group & mask
            if part:
                yield part

    @cached_property
    def _kind_masks(self) -> list[int]:
        masks: dict[tuple[str, str], int] = {}
        for i, caller in enumerate(self._callers):
            key = (caller.kind, caller.action)
            masks[key] = masks.get(key, 0) | 1 << i
        return list(masks.values())

    def _grants(self, ready: ReadyStatement) -> dict[Grant, int]:
        """How a trust statement names the callers: only those that an entry can mean are asked (``PrincipalElement.names`` decides)."""
        element = ready.statement.principal
        result: dict[Grant, int] = {}
        candidates = self._everyone
        whole = 0
        if element is not None and not element.anyone:
            candidates = 0
            for entry in (*element.aws, *element.federated):
                candidates |= self._by_name.get(entry, 0)
                parts = entry.split(":", 5)
                account = entry if len(parts) < 6 else parts[4] if parts[5] == "root" else ""
                whole |= self._by_account.get(account, 0)
        elif element is not None:
            return {Grant.DIRECT: self._everyone}
        # All callers of an account that isn't named otherwise are named alike: one answers for them.
        for mask in self._by_account.values():
            alike = whole & mask & ~candidates
            if alike:
                grant = ready.names(self._question_caller(alike.bit_length() - 1))
                result[grant] = result.get(grant, 0) | alike
        for i in _bits(candidates):
            grant = ready.names(self._question_caller(i))
            result[grant] = result.get(grant, 0) | 1 << i
        result.pop(Grant.NONE, None)
        return result

    def _question_caller(self, at: int) -> Any:
        found = self._who.get(at)
        if found is None:
            caller = self._callers[at]
            request = Request(caller.arn, ASSUME, "*", role=caller.entity if caller.kind == "session" else "")
            found = self._who[at] = Question(request, caller.layers, self.settings).caller
        return found

    @cached_property
    def _who(self) -> dict[int, Any]:
        return {}

    # Pairs ----------------------------------------------------------------------------------------------------------

    def _mine_of(self, caller: int, role: int) -> tuple[_Half, _Filled] | None:
        for mask, half, filled in self._mine[caller]:
            if mask >> role & 1:
                return half, filled
        return None

    def _theirs_of(self, caller: int, role: int) -> tuple[_Half, _Filled] | None:
        for callers, half, filled in self._theirs[role]:
            if callers >> caller & 1:
                return half, filled
        return None

    def _nodes(self, filled: _Filled) -> tuple[int, int]:
        found = self._kept.get(id(filled))
        if found is None:
            found = self._kept[id(filled)] = filled.nodes(self._space)
        return found

    def edge(self, caller: int, role: int) -> Edge:
        """Whether a caller may assume a role."""
        found = self._edges.get((caller, role))
        if found is None:
            found = self._edges[caller, role] = self._edge(caller, role)
        return found

    def _asked_whole(self, caller: int, role: int) -> bool:
        who = self._callers[caller]
        return self._tagged or who.kind == "provider" or who.account == self._roles[role].arn.split(":")[4]

    def _edge(self, caller: int, role: int) -> Edge:
        if self._asked_whole(caller, role):
            return self._whole_edge(caller, role)
        mine, theirs = self._mine_of(caller, role), self._theirs_of(caller, role)
        space = self._space
        if mine is None or theirs is None:
            return Edge(space.nothing(), space.nothing())
        try:
            (my_sure, my_may), (their_sure, their_may) = self._nodes(mine[1]), self._nodes(theirs[1])
            sure = 0 if mine[1].unknown or theirs[1].unknown else space.both(my_sure, their_sure)
            unsure = space.minus(space.both(my_may, their_may), sure)
        except TooManyCells:
            return self._whole_edge(caller, role)
        if unsure and self._axis_reasons:
            # Among the values that all policies together tell apart some can't be listed; those that these two tell apart may well be.
            return self._whole_edge(caller, role)
        return Edge(Region(space, sure), Region(space, unsure), tuple(dict.fromkeys((*mine[0].reasons, *theirs[0].reasons, *self._axis_reasons))))

    @cached_property
    def _axis_reasons(self) -> tuple[str, ...]:
        return tuple(atom.reason for axis in self._space.axes for atom in axis.atoms if atom.reason)

    def _whole_edge(self, caller: int, role: int) -> Edge:
        who, target = self._callers[caller], self._roles[role]
        question, mark, reads = bare(Question(self._asked(who, target), self._layers(who, target), self.settings))
        given = {
            k: v for k, v in who.fixed.items() if k in USUAL or (k in reads and k not in question.facts) or k.startswith(COMPANION_KEYS)
        }
        key = mark, frozenset(given.items())
        found = self._whole.get(key)
        if found is None:
            proof = prove_question(question, given, self.patience)
            found = self._whole[key] = Edge(proof.allowed, proof.unknown, proof.reasons)
        return found

    def _layers(self, who: _Caller, target: Role) -> Layers:
        asked = self._asked(who, target)
        return layers_of(self.estate, asked, target.arn.split(":")[4])

    def _at_all(self, caller: int) -> tuple[int, int]:
        """The roles (bits) that a caller can be let into from somewhere: surely or for all that is known; and those still to be asked whole."""
        who = self._callers[caller]
        reachable = self._reachable[caller]
        if not reachable or who.kind == "provider" or self._tagged:
            return 0, reachable
        own = self._own_roles.get(who.account, 0)
        found = 0
        for mask, _, filled in self._mine[caller]:
            rest = mask & reachable & ~own
            if rest:
                try:
                    mine = self._space.both(self._nodes(filled)[1], self._care_node(caller))
                    found |= self._meeting(caller, mine, rest)
                except TooManyCells:
                    return 0, reachable
        return found, reachable & own

    def _meeting(self, caller: int, mine: int, among: int) -> int:
        """The roles among ``among`` whose side has a context in common with ``mine``.

        All roles at once: the first axis (as a rule aws:SourceIp) turned round tells for each of its atoms which roles are open there, and
        what they ask further; roles that ask the same further are one question.
        """
        space, table = self._space, self._by_atom
        found = 0
        if mine:
            edges = space.kids[mine] if mine > 1 and space.levels[mine] == 0 else ((mine, -1),)
            for theirs, (at_atom, anywhere, everywhere) in table.open.items():
                if not anywhere & among & ~found:
                    continue
                for child, mask in edges:
                    if not space.meet(child, theirs):
                        continue
                    if mask == -1:
                        found |= anywhere
                        break
                    found |= everywhere
                    for atom in _bits(mask):
                        found |= at_atom[atom]
            found &= among & ~table.several
            for role in _bits(among & table.several):
                if any(callers >> caller & 1 and space.meet(mine, node) for callers, node in self._may(role)):
                    found |= 1 << role
        return found

    @cached_property
    def _by_atom(self) -> _ByAtom:
        space = self._space
        count = len(space.axes[0].atoms) if space.axes else 1
        masks: dict[int, list[int]] = {}
        several = 0
        for role in range(len(self._roles)):
            parts = self._may(role)
            if len(parts) > 1:
                several |= 1 << role
            elif parts and parts[0][1]:
                node = parts[0][1]
                edges = space.kids[node] if node > 1 and space.levels[node] == 0 else ((node, (1 << count) - 1),)
                for child, mask in edges:
                    masks.setdefault(child, [0] * len(self._roles))[role] = mask
        opened = {}
        for child, row in masks.items():
            anywhere = sum(1 << i for i, mask in enumerate(row) if mask)
            everywhere = sum(1 << i for i, mask in enumerate(row) if mask == (1 << count) - 1)
            opened[child] = (_transposed(row, count), anywhere, everywhere)
        return _ByAtom(opened, several)

    def _may(self, role: int) -> list[tuple[int, int]]:
        """Callers (bits) and where the role's side may let them in; those that it lets in at the same places together."""
        found = self._mays[role]
        if found is None:
            by_node: dict[int, int] = {}
            for part in self._theirs[role]:
                node = self._nodes(part.filled)[1]
                by_node[node] = by_node.get(node, 0) | part.callers
            found = self._mays[role] = [(callers, node) for node, callers in by_node.items()]
        return found

    @cached_property
    def _mays(self) -> list[list[tuple[int, int]] | None]:
        return [None] * len(self._roles)

    @cached_property
    def _own_roles(self) -> dict[str, int]:
        masks: dict[str, int] = {}
        for i, role in enumerate(self._roles):
            account = role.arn.split(":")[4]
            masks[account] = masks.get(account, 0) | 1 << i
        return masks

    def _care_node(self, caller: int) -> int:
        space = self._space
        key = (self._callers[caller].kind, self.session_name(caller, space))
        found = self._cares.get(key)
        if found is None:
            node = 0
            for kind in self._callers[caller].kinds:
                node = space.either(node, self.sent(caller, space, kind).node)
            found = self._cares[key] = node
        return found

    @cached_property
    def _cares(self) -> dict[tuple[str, str], int]:
        return {}

    def session_name(self, caller: int, space: Space) -> str:
        """What a console session of the caller is called, where any policy asks (E-04)."""
        who = self._callers[caller]
        return who.arn.rpartition("/")[2] if who.kind == "user" and "sts:rolesessionname" in space.axis_of_key else ""

    def sent(self, caller: int, space: Space, kind: Kind) -> Region:
        """The contexts that calls signed in that way bring (table E)."""
        name = self.session_name(caller, space) if kind.kind is CredentialKind.CONSOLE else ""
        key = (id(space), 0, kind, name)
        found = self._sent.get(key)
        if found is None:
            found = sent_with(space, kind.kind, mfa=kind.mfa, on_call=kind.on_call)
            if name:
                level = space.axis_of_key["sts:rolesessionname"]
                at = space.axes[level].atom_of({"sts:rolesessionname": name})
                found &= Region(space, space.box({level: 1 << at}))
            self._sent[key] = found
        return found

    def role_arn(self, role: int) -> str:
        return self._roles[role].arn

    def kinds_of(self, caller: int) -> tuple[Kind, ...]:
        return self._callers[caller].kinds

    def session_mfa(self, kind: Kind) -> bool:
        return kind.session_mfa and self.settings.session_mfa_is_inherited

    # Rows -----------------------------------------------------------------------------------------------------------

    @cached_property
    def rows(self) -> Rows:
        """All ways to all roles: principals in the estate's order, the direct ways first."""
        parts: list[tuple[int, Sequence[int] | None, list[Row]]] = []
        for at, caller in enumerate(self._callers):
            if caller.kind != "session" and (self._wanted is None or caller.arn in self._wanted):
                parts.append((at, *self._ways(at)))
        return Rows(self, parts)

    def arn_of(self, caller: int) -> str:
        return self._callers[caller].arn

    def _direct(self, caller: int, kinds: tuple[Kind, ...]) -> Sequence[int]:
        """The roles that a caller may assume, or may for all that is known, with one of these kinds of credentials."""
        key = (caller, kinds)
        found = self._directs.get(key)
        if found is None:
            roles, whole = self._at_all(caller)
            if kinds != self._callers[caller].kinds:
                roles, whole = 0, roles | whole
            for role in _bits(whole):
                edge = self.edge(caller, role)
                if any(edge.sure.meets(sent) or edge.unsure.meets(sent) for sent in (self.sent(caller, edge.sure.space, k) for k in kinds)):
                    roles |= 1 << role
            found = self._directs[key] = array("I", _bits(roles))
        return found

    @cached_property
    def _directs(self) -> dict[tuple[int, tuple[Kind, ...]], Sequence[int]]:
        return {}

    @cached_property
    def _session_callers(self) -> dict[str, list[int]]:
        """Role ARN → the callers that stand for its sessions: all of them, and those that a trust policy names one by one."""
        found: dict[str, list[int]] = {}
        for i, caller in enumerate(self._callers):
            if caller.kind in ("role", "session"):
                found.setdefault(caller.entity, []).append(i)
        return found

    def _onward(self, row: Row) -> list[tuple[int, tuple[Kind, ...]]]:
        """The callers that one becomes by a row: sessions of its role, with or without MFA, with a name that can be chosen."""
        callers = [c for c in self._session_callers.get(row.role, ()) if self._reachable[c]]
        if not callers:
            return []
        states: list[tuple[int, tuple[Kind, ...]]] = []
        mfas = {self.session_mfa(k): None for k in row.by_kind} or {self.session_mfa(k): None for k in row.start}
        provider = self._callers[row.caller].kind == "provider"
        for caller in callers:
            name = self._callers[caller].session
            if name and not self._name_is_possible(row, name):
                continue
            kinds = [_FEDERATED] if provider else [_SESSION_MFA if mfa else _SESSION for mfa in sorted(mfas)]
            states.append((caller, tuple(kinds)))
        return states

    def _name_is_possible(self, row: Row, name: str) -> bool:
        """Whether the session can be given that name: at the console it is the user's, elsewhere anything the policies take (D-45)."""
        space = row.edge.sure.space
        level = space.axis_of_key.get("sts:rolesessionname")
        console_only = all(k.startswith("console") for k in row.kinds)
        if console_only and row.kinds:
            return name == row.principal.rpartition("/")[2]
        if level is None:
            return True
        at = space.axes[level].atom_of({"sts:rolesessionname": name})
        named = Region(space, space.box({level: 1 << at}))
        return any(region.meets(named) for region in row.by_kind.values()) or row.unknown.meets(named)

    def _ways(self, at: int) -> tuple[Sequence[int] | None, list[Row]]:
        """The roles that a principal gets into directly (None: they are rows already), and the other rows."""
        caller = self._callers[at]
        starts = [at] if caller.kind != "role" else self._session_callers[caller.arn]
        direct = self._direct(at, caller.kinds)
        if len(starts) == 1 and not any(self._leading[role] for role in direct):
            return direct, []
        had: dict[int, list[Row]] = {}
        rows: list[Row] = []
        queue: list[Row] = []
        for start in starts:
            for role in self._direct(start, self._callers[start].kinds):
                row = Row(self, caller.arn, start, role)
                if self._adds(row, had.get(role)):
                    had.setdefault(role, []).append(row)
                    rows.append(row)
                    if self._leading[role]:
                        queue.append(row)
        followed = {(start, kind) for start in starts if caller.kind == "role" for kind in self._callers[start].kinds}
        for row in queue:
            for state, possible in self._onward(row):
                kinds = tuple(k for k in possible if (state, k) not in followed)
                if not kinds:
                    continue
                followed.update((state, k) for k in kinds)
                for role in self._direct(state, kinds):
                    if self._roles[role].arn == caller.arn:
                        continue  # it is a session of that role already
                    following = Row(self, caller.arn, state, role, row.hops, kinds)
                    if self._adds(following, had.get(role)):
                        had.setdefault(role, []).append(following)
                        rows.append(following)
                    if self._leading[role]:
                        # Even where it opens no new contexts its session may differ in MFA, and so lead further.
                        queue.append(following)
        return None, rows

    @cached_property
    def _leading(self) -> list[bool]:
        """Whether sessions of a role may assume any role."""
        return [any(self._reachable[c] for c in self._session_callers.get(r.arn, ())) for r in self._roles]

    def _adds(self, row: Row, shorter: list[Row] | None) -> bool:
        """Whether a way opens contexts that the shorter ones to the same role don't."""
        if not shorter:
            return True
        space = row.edge.sure.space
        for other in shorter:
            space = space.joined(other.edge.sure.space)
        opened = self._opened(row, space)
        for other in shorter:
            opened = opened - self._opened(other, space)
        return bool(opened) or bool(row.unknown)

    def _opened(self, row: Row, space: Space) -> Region:
        """Where a way is open, whatever the caller chooses or is (its tags, the session's name)."""
        sure = Region(space, space.taken_from(row.edge.sure))
        opened = space.nothing()
        for kind in row.start:
            opened |= sure & self.sent(row.caller, space, kind)
        return opened.forget(lambda key: key.startswith("aws:principaltag/") or key in _OF_THE_CALLER)

    # Use ------------------------------------------------------------------------------------------------------------

    def use(self, role: int, mfas: frozenset[bool]) -> Use:
        """Where the keys of a role's sessions work: for one action at least that the role is allowed (F-01)."""
        found = self._uses.get((role, mfas))
        if found is None:
            try:
                found = self._together([self._use(role, mfa) for mfa in sorted(mfas)])
            except TooManyCells as error:
                self.patience.lose(Space.MOST_STEPS // 8)
                space = Space()
                found = Use(space.nothing(), space.everything(), space.everything(), (too_many(error),))
            self._uses[role, mfas] = found
        return found

    def _together(self, found: Sequence[Use]) -> Use:
        if not found:
            nothing = Space().nothing()
            return Use(nothing, nothing, nothing)
        works, unsure, care = found[0].works, found[0].unsure, found[0].care
        for more in found[1:]:
            works, unsure, care = works | more.works, unsure | more.unsure, care | more.care
        works, unsure = works & care, (unsure & care) - works
        reasons = tuple(dict.fromkeys(r for f in found for r in f.reasons)) if unsure else ()
        return Use(works.narrowed(care), unsure.narrowed(care) if unsure else unsure, care, reasons)

    def _use(self, role: int, mfa: bool) -> Use:
        found = self._used.get((role, mfa))
        if found is None:
            found = self._used[role, mfa] = self._onward_use(role, mfa, self._own_use(self._roles[role], mfa))
        return found

    @cached_property
    def _used(self) -> dict[tuple[int, bool], Use]:
        return {}

    @cached_property
    def _used_alike(self) -> dict[tuple[object, ...], Use]:
        return {}

    def _own_use(self, role: Role, mfa: bool) -> Use:
        """What a session does by itself; roles whose policies can't tell them apart are asked once."""
        account = role.arn.split(":")[4]
        asked = Request(role.arn, ASSUME, "*", resource_account=account)
        base = layers_of(self.estate, asked, account)
        controls = (*(base.service_control or ()), *(base.resource_control or ()))
        policies = [ready_policy(p, self.settings) for level in (base.identity, base.boundary or (), *controls) for p in level]
        facts = Question(asked, base, self.settings).facts
        reads = frozenset().union(*(p.reads for p in policies))
        holder = self.estate.account(account)
        apart = role.arn if base.unknown or (holder and holder.resource_policies) else ""
        mark = (account, mfa, apart, base.identity, base.boundary, controls, tuple((k, v) for k, v in facts.items() if k in reads))
        found = self._used_alike.get(mark)
        if found is None:
            statements = [s for p in policies for s in p.statements]
            mine = sum(len(ready_policy(p, self.settings).statements) for p in base.identity)
            # Without an Allow of its own it does nothing; where a document isn't known, it may do anything.
            granting = -1 if base.unknown else sum(1 << i for i, s in enumerate(statements[:mine]) if not s.denies)
            found = self._used_alike[mark] = self._prove_use(role, mfa, statements, facts, granting)
        return found

    def _prove_use(self, role: Role, mfa: bool, statements: Sequence[ReadyStatement], facts: Mapping[str, Value], granting: int) -> Use:
        space = Space()
        works, unsure, care = space.nothing(), space.nothing(), space.everything()
        reasons: dict[str, None] = {}
        asked: set[Hashable] = set()
        before = self.patience.exceeded
        account = role.arn.split(":")[4]
        try:
            for n, kind in enumerate(kinds(statements, facts, only=granting)):
                if n >= MOST_USES:
                    raise TooManyClasses
                elsewhere = kind.action.lower() == ASSUME.lower()
                resource = kind.resource if not elsewhere else self._role_elsewhere(kind.resource)
                if resource is None:
                    continue  # a role of the estate: ``_onward_use`` asks
                request = Request(role.arn, kind.action, resource, resource_account=resource.split(":")[4] if elsewhere else account)
                question, mark, _ = bare(Question(request, layers_of(self.estate, request, request.resource_account or account), self.settings))
                if question.always or mark in asked:
                    continue
                asked.add(mark)
                fixed, _ = fixed_keys(question)
                given = {k: v for k, v in {**USUAL, "aws:username": None}.items() if fixed.get(k) is None}
                proof = prove_question(question, given, self.patience)
                sent = sent_with(proof.allowed.space, CredentialKind.ROLE_SESSION, mfa=mfa)
                works, care = works | (proof.allowed & sent), care & sent
                if proof.unknown.meets(sent):
                    unsure |= proof.unknown & sent
                    invented = elsewhere and not any(resource.split(":")[4] in e.text for s in statements for e in s.resources or ())
                    reasons.update(dict.fromkeys([_ELSEWHERE] if invented else proof.reasons))
                if sent <= works or (self.patience.exceeded > before and sent <= unsure):
                    break  # more of the kind would multiply as well
        except TooManyClasses:
            unsure = unsure | care
            reasons[f"the policies of {role.arn} tell more requests apart than can be listed"] = None
        except TooManyCells as error:
            self.patience.lose(Space.MOST_STEPS // 8)
            space = Space()
            return Use(space.nothing(), space.everything(), space.everything(), (too_many(error),))
        return Use(works, unsure, care, tuple(reasons))

    def _role_elsewhere(self, resource: str) -> str | None:
        """A role that the estate doesn't hold, of those that a kind of AssumeRole calls is about; None where it is about none."""
        parts = (resource if resource != "*" else "arn:aws:iam:::role/z").split(":", 5)
        if len(parts) < 6 or not parts[5].startswith("role/"):
            return None
        if len(parts[4]) != 12 or not parts[4].isdecimal():
            parts[4] = next(a for a in (f"{n:012}" for n in range(999999999999, 0, -1)) if not self.estate.account(a))
        return None if self.estate.account(parts[4]) else ":".join(parts)

    def _onward_use(self, role: int, mfa: bool, own: Use) -> Use:
        """Besides, a session works where it gets into another role."""
        works, unsure, care, reasons = own
        signed = _SESSION_MFA if mfa else _SESSION
        try:
            for caller in self._session_callers.get(self._roles[role].arn, ()):
                if self._callers[caller].kind != "role" or not self._reachable[caller] or care <= works:
                    continue
                for target in self._direct(caller, (signed,)):
                    edge = self.edge(caller, target)
                    sent = self.sent(caller, edge.sure.space, signed)
                    works, care = works | (edge.sure & sent), care & sent
                    if edge.unsure.meets(sent):
                        unsure |= edge.unsure & sent
                        reasons = (*reasons, *edge.reasons)
        except TooManyCells as error:
            self.patience.lose(Space.MOST_STEPS // 8)
            unsure, reasons = unsure.space.everything(), (*reasons, too_many(error))
        return Use(works, unsure, care, reasons)


_ELSEWHERE = "whom roles of accounts outside the estate let in"


def _transposed(rows: Sequence[int], width: int) -> list[int]:
    """Bit i of the result's j is bit j of row i."""
    if not rows or not width:
        return [0] * width
    form = f"0{width}b"
    return [int("".join(c), 2) for c in zip(*(format(row, form) for row in reversed(rows)))][::-1]


_PLAIN_TEXTS = frozenset(("StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "ArnLike", "ArnEquals", "ArnNotLike", "ArnNotEquals"))
"""Operators that compare a value as it is: what doesn't begin as a pattern begins, doesn't match."""
_FREE = ("free",)
"""What stands in a filling's key for a key that isn't fixed."""


def _text_of(policy: Any) -> str:
    return str(policy.document)


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def reach(estate: Estate, settings: Settings = DEFAULT) -> Reach:
    """Who reaches which role in ``estate``: ``reach(estate).rows``."""
    return Reach(estate, settings)
