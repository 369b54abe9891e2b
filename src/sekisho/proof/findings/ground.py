"""What all findings stand on: an estate's principals, those alike taken together, its ways into roles, and proofs of single questions.

Users whose policies, tags and memberships are the same, and whose policies don't look at their names, are asked once (``Kin``). Rows of
``reach`` that come to the same region are one ``Way``. Places are regions that look at the network keys alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import Any, NamedTuple

from sekisho.decision import Authorizer, CredentialKind, Decision, Request, decide
from sekisho.decision.decide import Question
from sekisho.decision.layers import Layers, layers_of
from sekisho.decision.sign_in import is_sign_in
from sekisho.errors import Place
from sekisho.estate import Account, Estate, Group, Role, User
from sekisho.policy import Policy, PolicyKind, Settings
from sekisho.policy.condition import Value
from sekisho.policy.keys import spelled
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.networks import NEVER_PUBLIC
from sekisho.policy.pattern import TooManyClasses
from sekisho.proof.findings.finding import Finding, Said, Severity
from sekisho.proof.kinds import kinds
from sekisho.proof.probe import action_of, probes, resource_of
from sekisho.proof.prove import Patience, Proof, prove, region_where
from sekisho.proof.reach import ASSUME, USUAL, Kind, Reach, Row
from sekisho.proof.region import Region, Space
from sekisho.proof.requests import SOURCE_IP, VPC_KEYS, is_absent, is_there, possible_requests, sent_with
from sekisho.proof.witness import ORDINARY, natural
from sekisho.proof.words import NETWORK_KEYS, Words

STRANGER = "sekisho-somebody-else"
"""A user and role name that stands for one who isn't in the estate."""
NICE = ("198.51.100.7", "192.0.2.44", "203.0.113.99", "198.18.0.9", "2001:db8::10", "2001:db8:ffff::10")
"""Addresses of documentation and test networks: a witness comes from one of them where it can."""
ANY = Policy.parse({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}, name="any leave that it can be given")
_ANY_TRUST = Policy.parse(
    {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}, kind=PolicyKind.TRUST
)
_NAMING = frozenset(("aws:username", "aws:principalarn", "aws:userid"))
_LIKED = {**ORDINARY, SOURCE_IP: NICE}
MOST_KINDS = 24
"""Kinds of requests that are asked of a role's sessions besides one a statement."""
MFA, AGE = "aws:multifactorauthpresent", "aws:multifactorauthage"


_NEVER = region_where({"IpAddress": {"aws:SourceIp": [str(n) for n in NEVER_PUBLIC]}})


class Signed(NamedTuple):
    """How a request is signed, and whether the credentials (or the call, ``on_call``) carry MFA."""

    kind: CredentialKind
    mfa: bool
    on_call: bool = False


CONSOLE_MFA, CONSOLE = Signed(CredentialKind.CONSOLE, True), Signed(CredentialKind.CONSOLE, False)
KEY, TOKEN, TOKEN_MFA = Signed(CredentialKind.KEY, False), Signed(CredentialKind.SESSION_TOKEN, False), Signed(CredentialKind.SESSION_TOKEN, True)
SESSION, SESSION_MFA = Signed(CredentialKind.ROLE_SESSION, False), Signed(CredentialKind.ROLE_SESSION, True)
USER_SIGNED = (CONSOLE_MFA, TOKEN_MFA, CONSOLE, TOKEN, KEY)
SESSION_SIGNED = (SESSION_MFA, SESSION)


@dataclass(frozen=True)
class Kin:
    """Users that no policy tells apart; ``first`` answers for all."""

    account: Account
    users: tuple[User, ...]

    @property
    def first(self) -> User:
        return self.users[0]


@dataclass(frozen=True)
class Way:
    """A way into a role (``row``), and everybody whose way it is, from the same places and with the same credentials."""

    row: Row
    principals: tuple[str, ...]

    @cached_property
    def region(self) -> Region:
        """Every request by which the role is had."""
        result = self.row.edge.sure.space.nothing()
        for region in self.row.by_kind.values():
            result |= region
        return result


@dataclass(frozen=True)
class Asked:
    """One thing that a principal is allowed by some statement, and from where: the proof of it."""

    request: Request
    proof: Proof
    estate: Estate
    settings: Settings
    patience: Patience | None = field(default=None, compare=False, repr=False)
    _known: dict[Signed, Region] = field(default_factory=dict, compare=False, repr=False)
    _proofs: dict[CredentialKind, Proof] = field(default_factory=dict, compare=False, repr=False)

    def proof_as(self, signed: Signed) -> Proof:
        """The proof for one kind of credentials: STS and IAM refuse some things to session tokens whatever the policies say (D-24)."""
        if signed.kind is CredentialKind.SESSION_TOKEN and self.request.action.lower().startswith(("iam:", "sts:")):
            if signed.kind not in self._proofs:
                request = self.request.replace(credentials=signed.kind)
                self._proofs[signed.kind] = prove(request, self.estate, self.settings, given=USUAL, patience=self.patience)
            return self._proofs[signed.kind]
        return self.proof

    def sent(self, signed: Signed) -> Region:
        """What is allowed of requests signed in that way."""
        found = self._known.get(signed)
        if found is None:
            allowed = self.proof_as(signed).allowed
            found = self._known[signed] = allowed & sent_with(allowed.space, signed.kind, mfa=signed.mfa, on_call=signed.on_call)
        return found

    def refused(self, signed: Signed) -> Region:
        """What is surely refused of them."""
        proof = self.proof_as(signed)
        return sent_with(proof.allowed.space, signed.kind, mfa=signed.mfa, on_call=signed.on_call) - proof.allowed - proof.unknown

    def any(self, signed: Sequence[Signed]) -> Region:
        """What is allowed of requests signed in any of these ways."""
        result = self.proof.allowed.space.nothing()
        for kind in signed:
            result |= self.sent(kind)
        return result


def places(region: Region) -> Region:
    """From where: the region with everything but the network keys left open."""
    space = region.space
    levels = {space.axis_of_key[k] for k in NETWORK_KEYS if k in space.axis_of_key}
    known = {0: 0, 1: 1}

    def onto(node: int) -> int:
        if node not in known:
            level = space.levels[node]
            if level in levels:
                merged: dict[int, int] = {}
                for child, mask in space.kids[node]:
                    following = onto(child)
                    merged[following] = merged.get(following, 0) | mask
                known[node] = space.node(level, merged)
            else:
                result = 0
                for child, _ in space.kids[node]:
                    result = space.either(result, onto(child))
                known[node] = result
        return known[node]

    return Region(space, onto(region.node))


def public(region: Region) -> Region:
    """The part with an address."""
    return region & region.space.where(SOURCE_IP, lambda a: is_there(a) and a.kind in ("sent", "unseen"))


def every_place(region: Region) -> Region:
    """All places that requests come from, as finely as ``region`` tells them apart."""
    return places(possible_requests(region.space, "role-session"))


def closed(region: Region) -> Region:
    """The public addresses from where nothing is in ``region``; empty where it is open to all of them."""
    return public(every_place(region)) - places(region)


def is_restricted(region: Region) -> bool:
    """Whether some public address is shut out, and some isn't."""
    return bool(region) and bool(closed(region))


def sendable(region: Region) -> Region:
    """The part that doesn't come from addresses that no request comes from (F-07)."""
    return region - _NEVER


def via_endpoint(region: Region, endpoint: str = "vpce-0aaaaaaaaaaaaaaaa", vpc: str = "vpc-0aaaaaaaaaaaaaaaa") -> Region:
    """The part that comes through the VPC endpoint of a stranger."""
    found = region & region.space.where(SOURCE_IP, is_absent)
    given = {"aws:sourcevpce": endpoint, "aws:sourcevpc": vpc, "aws:vpcsourceip": "10.0.0.9"}
    for key in VPC_KEYS:
        level = region.space.axis_of_key.get(key)
        if level is not None:
            axis = region.space.axes[level]
            atom = axis.atoms[axis.atom_of({k: given[k] for k in axis.keys if k in given})]
            found &= region.space.where(key, lambda a, atom=atom: a is atom)
    return found


class Ground:
    """An estate, asked. ``finding`` makes a finding with its witness and the statement that decides it."""

    def __init__(self, estate: Estate, settings: Settings, networks: Mapping[str, Sequence[str]] | None = None) -> None:
        self.estate = estate
        self.settings = settings
        self.words = Words(networks or {}, {a.id: a.name for a in estate.accounts if a.name})
        self._layers: dict[str, Layers] = {}
        self._alike: dict[tuple[Any, ...], list[Asked]] = {}
        self._sessions: dict[str, list[Asked]] = {}
        self._owns: dict[str, list[Asked]] = {}
        self._asked: dict[tuple[str, str, str], Asked] = {}

    # Who ------------------------------------------------------------------------------------------------------------

    @cached_property
    def jumps(self) -> tuple[Account, ...]:
        """The accounts that people sign in to."""
        return tuple(a for a in self.estate.accounts if a.users)

    @cached_property
    def kins(self) -> tuple[Kin, ...]:
        found: dict[tuple[Any, ...], list[User]] = {}
        accounts: dict[str, Account] = {}
        for account in self.jumps:
            naming: dict[Any, bool] = {}
            for user in account.users:
                mark = (user.groups, user.inline, user.attached, user.boundary)
                if mark not in naming:
                    naming[mark] = any(
                        _NAMING & {c.key, *c.also} for p in self.identity(user.arn) for s in ready_policy(p, self.settings).statements
                        for c in s.conditions
                    )  # fmt: skip
                key = (account.id, *mark, user.tags, user.path, user.name if naming[mark] else "")
                found.setdefault(key, []).append(user)
                accounts[user.arn] = account
        return tuple(Kin(accounts[users[0].arn], tuple(users)) for users in found.values())

    @cached_property
    def members(self) -> Mapping[str, tuple[str, ...]]:
        """The first user of each kin → the ARNs of all of them."""
        return {k.first.arn: tuple(u.arn for u in k.users) for k in self.kins}

    @cached_property
    def kin_of(self) -> Mapping[str, str]:
        """Each user's ARN → the first of its kin."""
        return {u.arn: k.first.arn for k in self.kins for u in k.users}

    @cached_property
    def roles(self) -> tuple[Role, ...]:
        return tuple(r for a in self.estate.accounts for r in a.roles if not r.is_service_linked)

    def identity(self, arn: str) -> tuple[Policy, ...]:
        """The identity policies of a user or role."""
        return self.layers(arn).identity

    def layers(self, arn: str) -> Layers:
        """All that the estate holds about a principal."""
        found = self._layers.get(arn)
        if found is None:
            found = self._layers[arn] = layers_of(self.estate, Request(arn, "sts:GetCallerIdentity", "*"), "")
        return found

    def names(self, arns: Iterable[str]) -> tuple[str, ...]:
        """Principals by name."""
        return tuple(dict.fromkeys(self.words.principal(a) for a in arns))

    def role_names(self, arns: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.words.role(a) for a in arns))

    # Ways -----------------------------------------------------------------------------------------------------------

    @cached_property
    def reach(self) -> Reach:
        return Reach(self.estate, self.settings)

    @property
    def patience(self) -> Patience:
        return self.reach.patience

    @cached_property
    def ways(self) -> Mapping[str, tuple[Way, ...]]:
        """Role ARN → the ways into it."""
        found: dict[str, dict[tuple[Any, ...], tuple[Row, list[str]]]] = {}
        for row in self.reach.rows:
            edge = row.edge
            named = row.principal if "sts:rolesessionname" in edge.sure.space.axis_of_key else ""
            key = (id(edge.sure.space), edge.sure.node, edge.unsure.node, row.start, row.hops, named, ":user/" in row.principal)
            found.setdefault(row.role, {}).setdefault(key, (row, []))[1].append(row.principal)
        return {role: tuple(Way(row, tuple(who)) for row, who in ways.values()) for role, ways in found.items()}

    @cached_property
    def all_ways(self) -> tuple[Way, ...]:
        return tuple(w for ways in self.ways.values() for w in ways)

    @cached_property
    def _ways_of(self) -> Mapping[str, list[Way]]:
        found: dict[str, list[Way]] = {}
        for way in self.all_ways:
            for principal in way.principals:
                found.setdefault(principal, []).append(way)
        return found

    def ways_of(self, principal: str) -> Sequence[Way]:
        """The ways of one principal, which it may share with others."""
        return self._ways_of.get(principal, ())

    def to_user(self, ways: Iterable[Way]) -> list[Way]:
        """Those of IAM users."""
        return [w for w in ways if ":user/" in w.row.principal]

    # Questions ------------------------------------------------------------------------------------------------------

    def ask(self, principal: str, action: str, resource: str = "*") -> Asked:
        """The proof of one question, as ``sekisho can`` asks it."""
        key = (principal, action, resource)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = self.ask_with(principal, action, resource, {})
        return found

    def may(self, principal: str, action: str, resource: str = "*") -> Asked | None:
        """The proof of a question; None where some layer has no Allow that is about it, so that no context could help."""
        if (principal, action, resource) not in self._asked:
            account = principal.split(":")[4] if resource == "*" else None
            question = Authorizer(self.estate, self.settings).question(Request(principal, action, resource, resource_account=account))
            if question.refusal is not None or any(not c.matched and not c.unknown for c in question.clauses):
                return None
        return self.ask(principal, action, resource)

    def ask_with(self, principal: str, action: str, resource: str, given: Mapping[str, Value | None]) -> Asked:
        """The same where some of what is usual is otherwise."""
        account = principal.split(":")[4] if resource == "*" and principal.startswith("arn:") else None
        request = Request(principal, action, resource, resource_account=account)
        proof = prove(request, self.estate, self.settings, given={**USUAL, **given}, patience=self.patience)
        return Asked(request, proof, self.estate, self.settings, self.patience)

    def trusted(self, principal: str, role: Role) -> Proof:
        """What a role's own side lets in of a principal that has every leave it can be given."""
        request = Request(principal, ASSUME, role.arn)
        layers = layers_of(self.estate, request, role.arn.split(":")[4])
        question = Question(request, self._one_side(layers, identity=(ANY,)), self.settings)
        if any(not c.matched and not c.unknown for c in question.clauses):
            nothing = Space().nothing()
            return Proof(question, nothing, nothing)
        # Who isn't in the estate has no tags that anybody has given: a condition on them keeps such a principal out.
        tags = {c.key for s in ready_policy(role.trust, self.settings).statements for c in s.conditions if c.key.startswith("aws:principaltag/")}
        return prove(question, given={**USUAL, **dict.fromkeys(tags)}, patience=self.patience)

    def permitted(self, principal: str, role_arn: str) -> Proof:
        """What a principal's own side lets out to a role, whatever that trusts."""
        request = Request(principal, ASSUME, role_arn)
        layers = layers_of(self.estate, request, "")
        layers = replace(layers, resource=(_ANY_TRUST,), resource_control=None, unknown=(), facts=())
        return prove(request, layers, self.settings, given=USUAL, patience=self.patience)

    @staticmethod
    def _one_side(layers: Layers, identity: tuple[Policy, ...]) -> Layers:
        unknown = tuple(u for u in layers.unknown if u[0] in ("resource", "resource_control"))
        return replace(layers, identity=identity, boundary=None, session=None, service_control=None, unknown=unknown)

    def own(self, kin: Kin) -> list[Asked]:
        """What a user's policies allow, one question a statement, resources that name the user filled in."""
        user = kin.first
        found = self._owns.get(user.arn)
        if found is None:
            found = []
            seen: set[tuple[str, str]] = set()
            for policy in self.identity(user.arn):
                for ready in ready_policy(policy, self.settings).statements:
                    question = (action_of(ready), self.resource(ready, user)) if not ready.denies else ("", "")
                    if question[0] and question[0].lower() != "sts:assumerole" and question not in seen and len(seen) < 12:
                        seen.add(question)
                        found.append(self.ask(user.arn, *question))
            self._owns[user.arn] = found
        return found

    def resource(self, ready: ReadyStatement, user: User) -> str:
        text = (ready.statement.resources or ("*",))[0]
        if "${aws:username}" in text:
            text = text.replace("${aws:username}", user.name).replace(":iam::*:", f":iam::{user.arn.split(':')[4]}:")
            return text.replace("*", "x").replace("?", "x")
        return resource_of(ready)

    def session(self, role: Role, name: str = "anyone") -> list[Asked]:
        """What the sessions of a role are allowed, one question a statement."""
        found = self._sessions.get(role.arn)
        if found is None:
            found = self._sessions[role.arn] = list(self._session(role, session_arn(role, name)))
        return found

    def _session(self, role: Role, arn: str) -> Iterator[Asked]:
        """Roles of one account with the same permissions, which don't look at names, are asked once."""
        questions = [*probes(self.identity(role.arn), self.settings)]
        questions += [q for q in self._told_apart(role) if q not in questions]
        mark = (role.arn.split(":")[4], role.inline, role.attached, role.boundary, role.tags, len(questions))
        naming = any(_NAMING & {c.key, *c.also} for p in self._limits(role) for s in ready_policy(p, self.settings).statements for c in s.conditions)
        alike = self._alike.setdefault(mark, []) if not naming else []
        if alike:
            for one in alike:
                yield replace(one, request=one.request.replace(principal=arn))
            return
        for action, resource in questions:
            asked = self.ask(arn, action, resource)
            alike.append(asked)
            yield asked

    def _told_apart(self, role: Role) -> list[tuple[str, str]]:
        """What a Deny or a boundary leaves of what the Allow statements give: a guard of some actions is none of the others."""
        statements = [s for p in self._limits(role) for s in ready_policy(p, self.settings).statements]
        mine = sum(len(ready_policy(p, self.settings).statements) for p in self.layers(role.arn).identity)
        granting = sum(1 << i for i, s in enumerate(statements[:mine]) if not s.denies)
        if not any(s.denies for s in statements) and self.layers(role.arn).boundary is None:
            return []
        try:
            found = kinds(statements, dict(self.layers(role.arn).facts), only=granting)
            return [(k.action, k.resource) for k in islice(found, MOST_KINDS) if not k.action.lower().startswith("sts:")]
        except TooManyClasses:
            return []

    def _limits(self, role: Role) -> Iterator[Policy]:
        layers = self.layers(role.arn)
        yield from layers.identity
        yield from layers.boundary or ()
        for level in layers.service_control or ():
            yield from level

    def session_signed(self, way: Way) -> tuple[Signed, ...]:
        """How the sessions that a way ends in are signed (E-08)."""
        mfas = {self.reach.session_mfa(k) for k in way.row.by_kind}
        return tuple(s for s in SESSION_SIGNED if s.mfa in mfas)

    # Witnesses ------------------------------------------------------------------------------------------------------

    def request(self, asked: Request, region: Region, signed: Signed | None) -> Request | None:
        """A request of ``region`` as AWS would send it, with what such a request has besides; None where there is none."""
        # Regions of other questions may have brought in keys that this one leaves open: what the credentials say of them counts.
        if signed is not None:
            region &= sent_with(region.space, signed.kind, mfa=signed.mfa, on_call=signed.on_call)
        else:
            region &= possible_requests(region.space, asked.caller.kind)
        context = region.witness()
        if context is None:
            return None
        axes = region.space.axis_of_key
        context = natural(region, context, _LIKED)
        facts = region.space.fixed
        context = {k: v for k, v in context.items() if facts.get(k) != v and (k, v) not in (("aws:viaawsservice", "false"), *_PLAIN)}
        if ("aws:viaawsservice", "true") in region.space.fixed.items():
            context["aws:viaawsservice"] = "true"
        if SOURCE_IP not in context and not any(k in context for k in VPC_KEYS) and asked.caller.kind != "service":
            if SOURCE_IP in axes:
                context["aws:sourcevpce"] = "vpce-0aaaaaaaaaaaaaaaa"
            else:
                context[SOURCE_IP] = NICE[0]
        if signed is not None and MFA not in axes and not (signed.kind is CredentialKind.KEY and not signed.on_call):
            context[MFA] = "true" if signed.mfa else "false"
        kind = signed.kind if signed else None
        return asked.replace(context={spelled(k): v for k, v in context.items()}, credentials=kind)

    def shown(self, asked: Asked, within: Region, signed: Sequence[Signed] = USER_SIGNED, *, refused: bool = False) -> Request | None:
        """A witness of ``asked`` inside ``within``: allowed, or ``refused``; the first kind of credentials that has one."""
        for kind in signed:
            region = (asked.refused(kind) if refused else asked.sent(kind)) & within
            if region:
                return self.request(asked.request, region, kind)
        return None

    def switch(self, way: Way, within: Region | None = None, kinds: Sequence[str] = (), principal: str = "") -> Request | None:
        """An AssumeRole by a way, from inside ``within``; by ``principal``, where several share it."""
        row = way.row
        for kind, region in row.by_kind.items():
            if kinds and kind.name not in kinds:
                continue
            inside = region if within is None else region & within
            if inside:
                return self.request(self.call(way, principal), inside, signed_as(kind))
        return None

    def call(self, way: Way, principal: str = "") -> Request:
        """The last AssumeRole of a way, without its context."""
        row = way.row
        caller = principal = principal or row.principal
        if len(row.hops) > 1:
            hop = self.estate.role(row.hops[-2])
            assert hop is not None
            caller = session_arn(hop, principal.rpartition("/")[2])
        elif ":role/" in principal:
            role = self.estate.role(principal)
            assert role is not None
            caller = session_arn(role, "anyone")
        return Request(caller, ASSUME, row.role)

    def decide(self, request: Request) -> Decision:
        return decide(request, self.estate, self.settings)

    def place(self, decision: Decision, layer: str | None = None) -> Place | None:
        """Where the statement stands that decided: the line of ``sekisho.yaml`` if it was compiled from one."""
        for because in decision.because:
            if because.block is not None and layer in (None, because.layer):
                found = because.origin or because.place
                if found is not None and found.file:
                    return found
                return self.holder_place(decision.request) or found
        return None

    def holder_place(self, request: Request) -> Place | None:
        """Where a role is written whose own policies are AWS's, and so stand nowhere that could be mended: its trust policy's first line."""
        role = self.estate.role(request.caller.entity) or next(
            (r for r in self.roles if r.name == request.caller.name and f":{request.caller.account}:" in r.arn), None
        )
        if request.caller.kind not in ("role", "role-session") or role is None or not role.trust.statements:
            return None
        first = role.trust.statements[0]
        return first.origin or role.trust.place_of(first)

    def finding(
        self, rule: str, severity: Severity, key: str, subject: str, witness: Request | None = None, *, statement: Place | None = None,
        layer: str | None = None, **values: Said,
    ) -> Finding:  # fmt: skip
        """A finding; its outcome and, unless told, its statement are what ``decide`` says of the witness."""
        also = self.members.get(subject, ())
        if witness is None:
            return Finding(rule, severity, key, subject, values, statement=statement, also=also)
        decision = self.decide(witness)
        outcome = "allow" if decision.allowed else "unknown" if decision.outcome == "unknown" else "deny"
        address = witness.context.get(SOURCE_IP, "")
        values = {"address": address if isinstance(address, str) and address else "vpce-0aaaaaaaaaaaaaaaa", **values}
        place = statement or (None if is_sign_in(witness) else self.place(decision, layer) or self.place(decision))
        return Finding(rule, severity, key, subject, values, witness, outcome, place, also=also)  # type: ignore[arg-type]

    # Documents ------------------------------------------------------------------------------------------------------

    @cached_property
    def documents(self) -> tuple[tuple[Policy, tuple[str, ...]], ...]:
        """Every policy that the estate's people wrote, once, with the ARNs of those it is attached to; AWS's own aren't theirs to mend."""
        found: dict[tuple[Any, ...], tuple[Policy, list[str]]] = {}
        for account in self.estate.accounts:
            for policy, holder in _held(account):
                if not (policy.arn or "").startswith("arn:aws:iam::aws:"):
                    key = (policy.arn,) if policy.arn else (id(policy), holder)
                    found.setdefault(key, (policy, []))[1].append(holder)
        return tuple((policy, tuple(dict.fromkeys(holders))) for policy, holders in found.values())

    def line(self, ready: ReadyStatement) -> Place:
        """Where a statement stands."""
        return ready.statement.origin or ready.policy.place_of(ready.statement)

    @cached_property
    def statements(self) -> tuple[tuple[ReadyStatement, tuple[str, ...]], ...]:
        return tuple((ready, holders) for policy, holders in self.documents for ready in ready_policy(policy, self.settings).statements)

    def asks_about(self, ready: ReadyStatement, keys: Iterable[str]) -> bool:
        wanted = set(keys)
        return any(c.key in wanted for c in ready.conditions)


def block_of(ready: ReadyStatement, without: str = "") -> dict[str, dict[str, list[str]]]:
    """A statement's Condition block, but for what it asks of the key ``without``."""
    block: dict[str, dict[str, list[str]]] = {}
    for c in ready.conditions:
        if c.key != without:
            block.setdefault(c.condition.operator, {})[c.condition.key] = list(c.condition.values)
    return block


_PLAIN = (("aws:securetransport", "true"), ("aws:principalisawsservice", "false"))


def session_arn(role: Role, name: str) -> str:
    """The ARN of a session of a role (D-44)."""
    _, partition, _, _, account, _ = role.arn.split(":", 5)
    return f"arn:{partition}:sts::{account}:assumed-role/{role.name}/{name}"


def signed_as(kind: Kind) -> Signed:
    return Signed(kind.kind, kind.mfa, kind.on_call)


def _held(account: Account) -> Iterator[tuple[Policy, str]]:
    """Policies and who holds them; a managed one that nobody has isn't in force, and so isn't here."""
    holders: list[User | Group | Role] = [*account.users, *account.groups, *account.roles]
    for holder in holders:
        for policy in holder.inline:
            yield policy, holder.arn
        attached = list(holder.attached) + ([holder.boundary] if isinstance(holder, User | Role) and holder.boundary else [])
        for entry in attached:
            managed = account.managed(entry.arn)
            found = entry.policy or (managed.policy if managed else None)
            if found is not None:
                yield (found if found.arn else replace(found, arn=entry.arn)), holder.arn
        if isinstance(holder, Role) and not holder.is_service_linked:
            yield holder.trust, holder.arn
    for arn, policy in account.resource_policies:
        yield policy, arn
    for level in (*(account.service_control or ()), *(account.resource_control or ())):
        for policy in level:
            if not (policy.arn or "").startswith("arn:aws:organizations::aws:"):
                yield policy, f"arn:aws:iam::{account.id}:root"
