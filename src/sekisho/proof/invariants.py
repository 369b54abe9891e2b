"""Invariants: sentences about an estate that hold, each proved over all requests, or that a witness breaks.

An ``Invariant`` is a name and demands; a demand names principals, roles and networks by ARN and CIDR, and says what must be so in words.
``check_invariants`` answers each with True, False and a request that ``decide`` confirms, or "unknown" and why. Answers come from the
regions of ``reach`` over any number of hops, and of ``prove`` for all kinds of requests that the policies tell apart; never from the text
of a document.

Who counts as getting into a role: users, by whatever hops; and whoever else its trust policy, or that of a role on the way, lets in:
services, identity providers, accounts that the estate doesn't hold. A role that nobody gets into is no way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sekisho.decision import Authorizer, CredentialKind, Request
from sekisho.decision.layers import Layers, layers_of
from sekisho.errors import Place
from sekisho.estate import Account, Estate, Role, User
from sekisho.language import Joined, Text, phrase, reasons, spoken
from sekisho.policy import DEFAULT, Policy, Settings
from sekisho.policy.condition import Value
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.pattern import TooManyClasses, action_pattern
from sekisho.policy.principals import caller
from sekisho.proof.kinds import kinds
from sekisho.proof.prove import Proof, prove, prove_question, region_where, too_many
from sekisho.proof.reach import USER_KINDS, USUAL, Kind, Reach, Row, reach
from sekisho.proof.region import Region, Space, TooManyCells
from sekisho.proof.requests import SOURCE_IP, sent_with
from sekisho.proof.sign_in import sign_in_region
from sekisho.proof.witness import row_request, sendable, session_of, shown
from sekisho.proof.words import Words

Holds = Literal[True, False, "unknown"]
ASSUME = "sts:AssumeRole"

BEFORE_MFA = frozenset(
    a.lower()
    for a in (
        "iam:ChangePassword", "iam:CreateVirtualMFADevice", "iam:EnableMFADevice", "iam:GetAccountPasswordPolicy", "iam:GetMFADevice", "iam:GetUser",
        "iam:ListMFADevices", "iam:ListUsers", "iam:ListVirtualMFADevices", "iam:ResyncMFADevice", "sts:GetAccessKeyInfo", "sts:GetCallerIdentity",
        "sts:GetSessionToken",
    )
)  # fmt: skip
"""What a user needs to change the first password and to enrol a device, as the console does it."""
_FOR_ONESELF = frozenset(("iam:changepassword", "iam:enablemfadevice", "iam:resyncmfadevice"))
"""Of these, what must be about the own user (F-20)."""


@dataclass(frozen=True)
class OnlyFor:
    """Nobody gets into ``roles`` but ``users`` (ARNs)."""

    said: Text
    roles: tuple[str, ...]
    users: frozenset[str]


@dataclass(frozen=True)
class OnlyFrom:
    """``roles`` can be had from ``networks`` (CIDRs) alone; a VPC endpoint is no such network."""

    said: Text
    roles: tuple[str, ...]
    networks: tuple[str, ...]


@dataclass(frozen=True)
class OnlyWithMfa:
    """Whoever gets into ``roles`` has given a second factor on the way."""

    said: Text
    roles: tuple[str, ...]


@dataclass(frozen=True)
class SessionsOnlyFrom:
    """Sessions of ``roles`` are useless outside ``networks`` (F-01): no action of any kind is allowed there."""

    said: Text
    roles: tuple[str, ...]
    networks: tuple[str, ...]


@dataclass(frozen=True)
class BreakGlass:
    """Each of ``users`` gets into each of ``roles`` from any public address, signed in at the console with MFA."""

    said: Text
    roles: tuple[str, ...]
    users: tuple[str, ...]


@dataclass(frozen=True)
class OnlyDo:
    """In ``accounts`` nobody but ``users`` may do ``action`` (a name or a pattern) on anything, by themselves or in a role's session."""

    said: Text
    action: str
    accounts: tuple[str, ...]
    users: frozenset[str]


@dataclass(frozen=True)
class FirstSignIn:
    """Each of ``users`` can change the password and enrol a device without MFA, and do nothing else before that."""

    said: Text
    users: tuple[str, ...]


Demand = OnlyFor | OnlyFrom | OnlyWithMfa | SessionsOnlyFrom | BreakGlass | OnlyDo | FirstSignIn


@dataclass(frozen=True)
class Invariant:
    """Demands under a name; ``place`` is where they are written."""

    name: Text
    demands: tuple[Demand, ...]
    place: Place | None = None


@dataclass(frozen=True)
class Held:
    """What became of an invariant. ``holds``: of all its demands; ``failed``: the first that doesn't hold, or can't be told.

    ``witness`` is a request that breaks it where it doesn't hold; ``why`` (``reason`` for any language) says what the request
    shows, or what isn't known.
    """

    invariant: Invariant
    holds: Holds
    failed: Demand | None = None
    witness: Request | None = None
    reason: Text = ""

    @property
    def name(self) -> str:
        return spoken(self.invariant.name)

    @property
    def why(self) -> str:
        return spoken(self.reason)


@dataclass(frozen=True)
class _Found:
    """A break with its witness, or (``sure`` False) something that can't be known."""

    why: Text
    witness: Request | None = None
    sure: bool = True


def check_invariants(invariants: Iterable[Invariant], estate: Estate, settings: Settings = DEFAULT) -> tuple[Held, ...]:
    """Each invariant held against the estate, in order.

    >>> check_invariants([Invariant("nothing", ())], Estate())[0].holds
    True
    """
    checker = _Checker(estate, settings)
    return tuple(checker.held(i) for i in invariants)


@dataclass
class _Checker:
    estate: Estate
    settings: Settings

    @cached_property
    def _words(self) -> Words:
        return Words(None, {a.id: a.name for a in self.estate.accounts if a.name})

    def _who(self, arn: str) -> str:
        return self._words.principal(arn)

    def held(self, invariant: Invariant) -> Held:
        unknown: Held | None = None
        for demand in invariant.demands:
            try:
                for found in self._breaks(demand):
                    if found.sure:
                        return Held(invariant, False, demand, found.witness, found.why)
                    unknown = unknown or Held(invariant, "unknown", demand, None, found.why)
            except TooManyCells as error:
                self._reach.patience.lose(Space.MOST_STEPS // 8)
                unknown = unknown or Held(invariant, "unknown", demand, None, too_many(error))
        return unknown or Held(invariant, True)

    def _breaks(self, demand: Demand) -> Iterator[_Found]:
        if isinstance(demand, OnlyFor):
            yield from self._only_for(demand)
        elif isinstance(demand, OnlyFrom):
            yield from self._outside(demand.roles, region_where({"IpAddress": {"aws:SourceIp": list(demand.networks)}}), lambda row: True)
        elif isinstance(demand, OnlyWithMfa):
            yield from self._outside(demand.roles, _MFA_GIVEN, self._without_mfa_so_far)
        elif isinstance(demand, SessionsOnlyFrom):
            yield from self._sessions(demand)
        elif isinstance(demand, BreakGlass):
            yield from self._break_glass(demand)
        elif isinstance(demand, OnlyDo):
            yield from self._only_do(demand)
        else:
            yield from self._first_sign_in(demand)

    # Who gets into a role -------------------------------------------------------------------------------------------

    @cached_property
    def _reach(self) -> Reach:
        return reach(self.estate, self.settings)

    def _prove(self, request: Request, given: Mapping[str, Value | None]) -> Proof:
        return prove(request, self.estate, self.settings, given=given, patience=self._reach.patience)

    @cached_property
    def _rows(self) -> Mapping[str, list[Row]]:
        """Role → all ways into it."""
        found: dict[str, list[Row]] = {}
        for row in self._reach.rows:
            found.setdefault(row.role, []).append(row)
        return found

    def _ways(self, role: str) -> Iterator[Row]:
        """The ways of all who can set out: users, providers, and roles that somebody gets into from outside of the estate."""
        for row in self._rows.get(role, ()):
            if ":role/" not in row.principal or (row.principal in self._entered and row.principal != role):
                yield row

    @cached_property
    def _entered(self) -> Mapping[str, bool]:
        """Roles whose sessions services and foreign accounts may have themselves, and whether that is sure; what they go on to are ways."""
        found: dict[str, bool] = {}
        for role in (r for a in self.estate.accounts for r in a.roles):
            sure = [not (proof.allowed & proof.possible).is_empty for _, proof in self._strangers(role)]
            if sure:
                found[role.arn] = any(sure)
        return found

    def _strangers(self, role: Role) -> Iterator[tuple[Request, Proof]]:
        """Services and principals of accounts outside the estate whom a role's trust policy lets in, or may."""
        asked: dict[str, None] = {}
        for statement in role.trust.statements:
            if statement.denies:
                continue
            element = statement.principal
            if element is None or element.anyone:
                asked[self._stranger(self._foreign)] = None
                continue
            asked.update(dict.fromkeys(element.service))
            for entry in element.aws:
                account = entry if entry.isdecimal() else (entry.split(":", 5) + [""] * 5)[4]
                if account and self.estate.account(account) is None:
                    who = caller(entry)
                    named = who is not None and who.kind in ("user", "role-session", "federated-user")
                    asked[entry if named else session_of(entry) if ":role/" in entry else self._stranger(account)] = None
        for principal in asked:
            request = Request(principal, ASSUME, role.arn)
            proof = self._prove(request, {k: v for k, v in USUAL.items() if k.startswith(("*", "aws:called"))})
            if not proof.holds_nowhere:
                yield request, proof

    @cached_property
    def _foreign(self) -> str:
        return next(f"{n:012}" for n in range(999999999999, 0, -1) if self.estate.account(f"{n:012}") is None)

    @staticmethod
    def _stranger(account: str) -> str:
        return f"arn:aws:iam::{account}:user/somebody"

    def _only_for(self, demand: OnlyFor) -> Iterator[_Found]:
        for role in demand.roles:
            for row in self._ways(role):
                if row.principal not in demand.users:
                    yield from self._of_row(row, None)
            yield from self._by_strangers(role, None)

    def _of_row(self, row: Row, outside: Region | None) -> Iterator[_Found]:
        witness = row_request(row, outside)
        via: dict[str, Text] = {"hops": Joined(tuple(map(self._who, row.hops[:-1])), "names")} if len(row.hops) > 1 else {}
        key = "why.via" if via else "why.in"
        who, role = self._who(row.principal), self._who(row.role)
        said = phrase(key, who=who, role=role, **via)
        if witness is not None and self._entered.get(row.principal, True):
            yield _Found(said, witness)
        elif witness is not None:
            yield _Found(phrase("why.in_perhaps", said=said, who=who), sure=False)
        elif sendable(row.edge.unsure & outside if outside is not None else row.edge.unsure, row.start):
            yield _Found(phrase(f"{key}_unknown", who=who, role=role, reasons=reasons(row.edge.reasons), **via), sure=False)

    def _by_strangers(self, role: str, outside: Region | None) -> Iterator[_Found]:
        holder = self.estate.role(role)
        for request, proof in self._strangers(holder) if holder else ():
            open_to = proof.allowed & proof.possible
            context = shown(open_to & outside if outside is not None else open_to)
            if context is not None:
                yield _Found(phrase("why.in", who=self._who(request.principal), role=self._who(role)), request.with_context(context))
            elif outside is None or (proof.unknown & proof.possible).meets(outside):
                yield _Found(
                    phrase("why.trusted", who=self._who(request.principal), role=self._who(role), reasons=reasons(proof.reasons)), sure=False
                )

    def _outside(self, roles: tuple[str, ...], inside: Region, counts: Callable[[Row], bool]) -> Iterator[_Found]:
        for role in roles:
            for row in self._ways(role):
                if counts(row):
                    yield from self._of_row(row, ~inside)
            yield from self._by_strangers(role, ~inside)

    def _without_mfa_so_far(self, row: Row) -> bool:
        """Whether the roles on the way can be had without a second factor; the way's own call is asked apart."""
        if len(row.hops) < 2:
            return True
        before = [r for r in self._rows.get(row.hops[-2], ()) if r.principal == row.principal and r.hops == row.hops[:-1]]
        if not before:
            return True  # a way that opened nothing new isn't listed: nothing is said in its favour
        return any((not r.obtain or row_request(r, ~_MFA_GIVEN) is not None or r.unknown) and self._without_mfa_so_far(r) for r in before)

    # What may be done -----------------------------------------------------------------------------------------------

    def _statements(self, layers: Layers) -> list[ReadyStatement]:
        policies: list[Policy] = [*layers.identity, *(layers.boundary or ())]
        for levels in (layers.service_control, layers.resource_control):
            policies += [p for level in levels or () for p in level]
        return [s for p in policies for s in ready_policy(p, self.settings).statements]

    def _allowed_things(
        self, principal: str, role: str, account: str, within: str | None, signed: Iterable[Kind]
    ) -> Iterator[tuple[Request, Kind, Region, Region, tuple[str, ...]]]:
        """(request, how it is signed, contexts where it is allowed, where it can't be known, why), of each kind of request that the policies
        of a principal tell apart, for each of the given kinds of credentials."""
        base = Request(principal, ASSUME, "*", resource_account=account, role=role)
        layers = layers_of(self.estate, base, account)
        statements = self._statements(layers)
        granting = sum(1 << i for i, s in enumerate(statements) if not s.denies) if not layers.unknown else -1
        facts = Authorizer(layers, self.settings).question(base).facts
        for found in kinds(statements, facts, only=granting, within=within):
            if found.action.lower() == ASSUME.lower():
                continue
            for kind in signed:
                credentials = kind.kind if ":user/" in principal else None
                request = Request(principal, found.action, found.resource, resource_account=account, role=role, credentials=credentials)
                question = Authorizer(self.estate, self.settings).question(request)
                if question.always:
                    continue
                proof = prove_question(question, {k: v for k, v in USUAL.items() if not k.startswith("*")}, self._reach.patience)
                asked = kind._replace(on_call=False)
                allowed, unknown = sendable(proof.allowed, (asked,)), sendable(proof.unknown, (asked,))
                if allowed or unknown:
                    yield request, asked, allowed, unknown, proof.reasons

    def _sessions(self, demand: SessionsOnlyFrom) -> Iterator[_Found]:
        outside = ~region_where({"IpAddress": {"aws:SourceIp": list(demand.networks)}})
        for role in demand.roles:
            mfas = {self._reach.session_mfa(k) for row in self._ways(role) for k in row.by_kind or row.start}
            if any(True for holder in [self.estate.role(role)] if holder for _ in self._strangers(holder)):
                mfas.add(False)
            signed = [Kind("role-session", CredentialKind.ROLE_SESSION, mfa, False, mfa) for mfa in sorted(mfas)]
            try:
                for request, kind, allowed, unknown, why in self._allowed_things(session_of(role), role, role.split(":")[4], None, signed):
                    context = shown(sendable(allowed & outside, (kind,)))
                    if context is not None:
                        yield _Found(phrase("why.session", role=self._who(role), action=request.action), request.with_context(context))
                    elif unknown.meets(outside):
                        yield _Found(phrase("why.session_unknown", role=self._who(role), reasons=reasons(why)), sure=False)
            except TooManyClasses:
                yield _Found(phrase("why.many", who=self._who(role)), sure=False)
            yield from self._onward(role, outside)

    def _onward(self, role: str, outside: Region) -> Iterator[_Found]:
        """Roles that a session gets into from outside: it isn't useless there."""
        for row in self._reach.rows:
            if row.principal == role and len(row.hops) == 1 and any(True for _ in self._ways(role)):
                yield from self._of_row(row, outside)

    def _only_do(self, demand: OnlyDo) -> Iterator[_Found]:
        within = demand.action
        for account in filter(None, map(self.estate.account, demand.accounts)):
            for user in account.users:
                if user.arn not in demand.users:
                    yield from self._does(user.arn, "", account, within, USER_KINDS, user.arn)
            for role in account.roles:
                if role.is_service_linked:
                    continue
                mfas: dict[bool, str] = {}
                for row in self._ways(role.arn):
                    if row.principal not in demand.users:
                        mfas.update({self._reach.session_mfa(k): row.principal for k in row.by_kind or row.start})
                for request, _ in self._strangers(role):
                    mfas.setdefault(False, request.principal)
                for mfa, who in mfas.items():
                    signed = [Kind("role-session", CredentialKind.ROLE_SESSION, mfa, False, mfa)]
                    yield from self._does(session_of(role.arn), role.arn, account, within, signed, who)
            yield from self._by_resource_policy(account, within)
            if action_pattern(within).matches(ASSUME.lower()):
                yield from self._only_for(OnlyFor(demand.said, tuple(r.arn for r in account.roles), demand.users))

    def _does(self, principal: str, role: str, account: Account, within: str, signed: Iterable[Kind], who: str) -> Iterator[_Found]:
        doer: Text = phrase("why.as_session", who=self._who(who), role=self._who(role)) if role else self._who(who)
        try:
            for request, _, allowed, unknown, why in self._allowed_things(principal, role, account.id, within, signed):
                context = shown(allowed)
                if context is not None:
                    yield _Found(phrase("why.does", who=doer, action=request.action), request.with_context(context))
                elif unknown:
                    yield _Found(phrase("why.does_unknown", who=doer, action=request.action, reasons=reasons(why)), sure=False)
        except TooManyClasses:
            yield _Found(phrase("why.many", who=self._who(principal)), sure=False)

    def _by_resource_policy(self, account: Account, within: str) -> Iterator[_Found]:
        for arn, policy in account.resource_policies:
            for ready in ready_policy(policy, self.settings).statements:
                try:
                    found = None if ready.denies else next(kinds([ready], {}, only=1, within=within), None)
                except TooManyClasses:
                    yield _Found(phrase("why.many_resource", who=arn), sure=False)
                    continue
                if found is not None:
                    yield _Found(phrase("why.by_resource", who=arn, actions=Joined(found.written[:3])), sure=False)

    # Break glass ----------------------------------------------------------------------------------------------------

    def _break_glass(self, demand: BreakGlass) -> Iterator[_Found]:
        for role in demand.roles:
            for user in demand.users:
                account = self.estate.account(user.split(":")[4])
                rows = [r for r in self._rows.get(role, ()) if r.principal == user]
                proof = self._prove(Request(user, ASSUME, role), USUAL)
                sent = sent_with(proof.allowed.space, CredentialKind.CONSOLE, mfa=True)
                sign_in = sign_in_region(account.sign_in if account else None, user, self.settings)
                open_from = [k_had for row in rows for k_had in self._at_console(row)]
                found = self._refused_somewhere(proof, sent, open_from, sign_in)
                if found is not None:
                    context, sure = found
                    request = Request(user, ASSUME, role, context, credentials=CredentialKind.CONSOLE)
                    if sure:
                        where = context.get(SOURCE_IP)
                        place: Text = where if isinstance(where, str) else phrase("where.anywhere")
                        who = self._who(user)
                        why = (
                            phrase("why.no_sign_in", who=who, where=place)
                            if context not in sign_in
                            else phrase("why.not_in", who=who, role=self._who(role), where=place)
                        )
                        yield _Found(why, request)
                    else:
                        yield _Found(
                            phrase("why.in_unknown", who=self._who(user), role=self._who(role), reasons=reasons(proof.reasons)), sure=False
                        )

    @staticmethod
    def _at_console(row: Row) -> Iterator[Region]:
        # The console switches with the credentials of the sign-in, from inside another role too (E-20): direct ways alone.
        if len(row.hops) == 1:
            yield from (had for kind, had in row.by_kind.items() if kind.kind is CredentialKind.CONSOLE and kind.mfa)

    @staticmethod
    def _refused_somewhere(proof: Proof, sent: Region, opened: list[Region], sign_in: Region) -> tuple[dict[str, Value], bool] | None:
        """A request with MFA from an address where none gets in (and whether that is sure); None where each address has one that does.

        At each address some request has to be let in: of how old the second factor is, of the time and of all else a person can choose.
        """
        allowed = (proof.allowed & sent & sign_in) if opened else proof.allowed.space.nothing()
        space = (allowed | sent | sign_in).space
        allowed, sent = Region(space, space.taken_from(allowed)), Region(space, space.taken_from(sent))
        level = space.axis_of_key.get(SOURCE_IP)
        if level is None:
            return None if allowed else (shown(sent) or {}, not proof.unknown.meets(sent))
        for atom in space.axes[level].atoms:
            if atom.kind == "sent":
                here = space.where(SOURCE_IP, lambda a, atom=atom: a is atom)
                if not allowed.meets(here):
                    return shown(sent & here) or {}, not (proof.unknown & sent).meets(here)
        return None

    # First sign-in --------------------------------------------------------------------------------------------------

    def _first_sign_in(self, demand: FirstSignIn) -> Iterator[_Found]:
        fine: set[object] = set()
        for arn in demand.users:
            user = self.estate.user(arn)
            account = self.estate.account(arn.split(":")[4])
            if user is None or account is None:
                yield _Found(phrase("why.absent", who=arn), sure=False)
                continue
            alike = self._alike(user, account)
            if alike is None or alike not in fine:
                found = [*self._steps(user, account), *self._for_others(user, account), *self._nothing_else(user, account)]
                yield from found
                if not found and alike is not None:
                    fine.add(alike)
            yield from self._no_switch(user)

    def _alike(self, user: User, account: Account) -> object:
        """Equal for users whom no policy tells apart: the same documents and tags, which name none of them in their texts or conditions, and
        are about the user and a device of its name alike. None: nobody else answers for this one."""
        layers = layers_of(self.estate, Request(user.arn, "iam:GetUser", user.arn), account.id)
        statements = self._statements(layers)
        if any(key in ("aws:username", "aws:userid", "aws:principalarn") for s in statements for c in s.conditions for key in (c.key, *c.also)):
            return None
        about = []
        for resource in (user.arn, f"arn:aws:iam::{account.id}:mfa/{user.name}"):
            about += [e.pattern.matches(resource) for s in statements for e in s.resources or () if e.template is None and e.text != "*"]
        policies = tuple(id(p) for p in (*layers.identity, *(layers.boundary or ())))
        return account.id, policies, user.tags, user.boundary is None, layers.unknown, tuple(about), user.arn.count("/")

    def _steps(self, user: User, account: Account) -> Iterator[_Found]:
        """From some place where the user can sign in, all steps are allowed without MFA at the console."""
        path = account.id
        steps = (
            ("iam:ChangePassword", user.arn),
            ("iam:CreateVirtualMFADevice", f"arn:aws:iam::{path}:mfa/{user.name}"),
            ("iam:EnableMFADevice", user.arn),
        )
        together = sign_in_region(account.sign_in, user.arn, self.settings)
        for action, resource in steps:
            request = Request(user.arn, action, resource, credentials=CredentialKind.CONSOLE)
            proof = self._prove(request, {k: v for k, v in USUAL.items() if not k.startswith("*")})
            sent = sent_with(proof.allowed.space, CredentialKind.CONSOLE, mfa=False)
            before, together = together, together & proof.allowed & sent
            if not together:
                if (proof.unknown & sent).meets(before):
                    yield _Found(phrase("why.step_unknown", who=user.name, action=action, reasons=reasons(proof.reasons)), sure=False)
                else:
                    yield _Found(
                        phrase("why.step", who=user.name, action=action), request.with_context(shown(before & sent) or shown(sent) or {})
                    )
                return

    def _nothing_else(self, user: User, account: Account) -> Iterator[_Found]:
        signed = [k for k in USER_KINDS if not k.mfa]
        try:
            for request, _, allowed, unknown, why in self._allowed_things(user.arn, "", account.id, None, signed):
                action = request.action.lower()
                if action in BEFORE_MFA and not (action in _FOR_ONESELF and _is_another(request.resource, user)):
                    continue
                context = shown(allowed)
                if context is not None:
                    yield _Found(
                        phrase("why.without", who=user.name, action=request.action, resource=request.resource), request.with_context(context)
                    )
                elif unknown:
                    yield _Found(phrase("why.without_unknown", who=user.name, action=request.action, reasons=reasons(why)), sure=False)
        except TooManyClasses:
            yield _Found(phrase("why.many", who=user.name), sure=False)

    def _for_others(self, user: User, account: Account) -> Iterator[_Found]:
        """The same steps for somebody else (F-20): whom no policy names stands for all such."""
        other = f"arn:aws:iam::{account.id}:user/somebody-else"
        for action in ("iam:ChangePassword", "iam:EnableMFADevice", "iam:ResyncMFADevice"):
            request = Request(user.arn, action, other, credentials=CredentialKind.CONSOLE)
            proof = self._prove(request, {k: v for k, v in USUAL.items() if not k.startswith("*")})
            context = shown(sendable(proof.allowed, (_CONSOLE,)))
            if context is not None:
                yield _Found(phrase("why.others", who=user.name, action=action), request.with_context(context))

    def _no_switch(self, user: User) -> Iterator[_Found]:
        for row in self._by_principal.get(user.arn, ()):
            if len(row.hops) == 1:
                yield from self._of_row(row, ~_MFA_GIVEN)

    @cached_property
    def _by_principal(self) -> Mapping[str, list[Row]]:
        found: dict[str, list[Row]] = {}
        for row in self._reach.rows:
            found.setdefault(row.principal, []).append(row)
        return found


_CONSOLE = next(k for k in USER_KINDS if k.kind is CredentialKind.CONSOLE and not k.mfa)
_MFA_GIVEN = region_where({"Bool": {"aws:MultiFactorAuthPresent": "true"}})


def _is_another(resource: str, user: User) -> bool:
    """Whether a resource can be another user: one of another name. (``*`` and devices are not; a name has no slash.)"""
    return ":user/" in resource and resource.rpartition("/")[2] != user.name
