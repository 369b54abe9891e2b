"""The lock-out guard (F-16): before the first call, and for each state that the calls go through, is there still a way in to undo it?

A *way* is a user, a role and an address: the user signs in with the second factor, switches into the role from that address, and may change
IAM there. The guard refuses a plan that breaks a way which is there before and after, that leaves an account without any way although it had
one, that takes the break-glass user's way or the applying principal's, or that makes an administrator's role which nobody can reach. What it
can't know, it says.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sekisho.decision import Authorizer, CredentialKind, Request, request_context
from sekisho.decision.sign_in import sign_in_allowed
from sekisho.deploy.changes import Change
from sekisho.deploy.effect import states
from sekisho.deploy.plan import Plan
from sekisho.environment.mark import MARK
from sekisho.estate import Account, Estate, Role, User
from sekisho.policy import Policy
from sekisho.policy.pattern import action_pattern

ANYWHERE = ("198.18.0.9", "2001:db8:ffff::9")
"""Addresses of no network: of the blocks for benchmarks and documentation. Who gets in from there gets in from anywhere."""
_UNDO = ("iam:AttachRolePolicy", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:PutGroupPolicy", "iam:CreatePolicyVersion")
"""What undoes a change; whoever may do all of it in an account is an administrator there."""


@dataclass(frozen=True)
class Way:
    """How an administrator gets into an account: ``role`` is empty where the user lives in the account and needs none.

    ``user`` is an ARN without its path: who moves to another path stays the same person.
    """

    account: str
    user: str
    role: str
    address: str

    def __str__(self) -> str:
        through = f" through {self.role}" if self.role else ""
        return f"{self.user}{through} from {self.address}"


def without_path(arn: str) -> str:
    """A user's ARN as it would be at the path ``/``; a user's name is there once in an account, whatever the path."""
    head, _, rest = arn.partition(":user/")
    return f"{head}:user/{rest.rpartition('/')[2]}"


@dataclass(frozen=True)
class Refusal:
    """Why a plan would lock out. ``key`` is what ``--give-up`` must name to go on all the same; ``step`` the change, None: the end state."""

    key: str
    text: str
    step: Change | None = None


@dataclass(frozen=True)
class Verdict:
    refusals: tuple[Refusal, ...] = ()
    unknown: tuple[str, ...] = ()
    """What the guard could not find out, in words."""
    states: int = 0
    ways: int = 0


class _Asked:
    """One estate and its answers; each question is asked once, and users who can't be told apart are asked about once."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self.authorizer = Authorizer(estate)
        self.undo: dict[tuple[str, str, str], bool] = {}
        self.open: dict[tuple[object, ...], bool] = {}
        self.gives: dict[int, bool] = {}

    @cached_property
    def named(self) -> Mapping[str, frozenset[str]]:
        """User ARN → roles whose trust policy names the user. Under ``""``: those that tell users by a part of their names."""
        found: dict[str, set[str]] = {}
        for account in self.estate.accounts:
            for role in account.roles:
                for statement in role.trust.statements:
                    listed = list(statement.principal.aws) if statement.principal else []
                    listed += [v for c in statement.conditions for v in c.values]
                    for value in listed:
                        if "*" in value.removesuffix("/*") or "?" in value:
                            found.setdefault("", set()).add(role.arn)
                        elif ":user/" in value:
                            found.setdefault(value, set()).add(role.arn)
        return {k: frozenset(v) for k, v in found.items()}

    @cached_property
    def trusted(self) -> Mapping[str, frozenset[str]]:
        """Role → the users that its trust policy can let in, for roles that allow nobody but users by name: all others are out (D-12)."""
        found: dict[str, frozenset[str]] = {}
        for role in (r for a in self.estate.accounts for r in a.roles):
            allows = [s for s in role.trust.statements if not s.denies]
            named = [p for s in allows for p in (s.principal.aws if s.principal and not s.not_principal else ("*",))]
            if all(":user/" in p for p in named):
                found[role.arn] = frozenset(named)
        return found

    def alike(self, user: User) -> tuple[object, ...]:
        """Equal for users of the same policies, groups, path and tags that the same trusts name."""
        excluded = self._excluded(user)
        return (
            user.arn.split(":")[4], user.path, user.groups, tuple(p.name for p in user.inline), tuple(str(p.document) for p in user.inline),
            tuple(a.arn for a in user.attached), user.boundary.arn if user.boundary else "", tuple(t for t in user.tags if t[0] != MARK),
            self.named.get(user.arn, frozenset()), excluded, user.arn if "" in self.named else "",
        )  # fmt: skip

    def _excluded(self, user: User) -> bool:
        account = self.estate.account(user.arn.split(":")[4])
        return bool(account and account.sign_in and any(user.arn in s.excluded_principals for s in account.sign_in.statements))

    def may_undo(self, principal: str, kind: CredentialKind, account: str, address: str, role: str = "") -> bool:
        key = (role or principal, account, address)
        if key not in self.undo:
            self.undo[key] = self._may_undo(principal, kind, account, address, role)
        return self.undo[key]

    def _may_undo(self, principal: str, kind: CredentialKind, account: str, address: str, role: str) -> bool:
        context = request_context(kind, source_ip=address, mfa=True, mfa_age_s=60)
        resources = {
            "Role": f"arn:aws:iam::{account}:role/any", "Group": f"arn:aws:iam::{account}:group/any", "Poli": f"arn:aws:iam::{account}:policy/any"
        }  # fmt: skip
        for action in _UNDO:
            kind_of = "Group" if "Group" in action else "Poli" if action.endswith("Version") else "Role"
            if not self.authorizer.decide_anew(Request(principal, action, resources[kind_of], context, credentials=kind, role=role)).allowed:
                return False
        return True

    def holds(self, way: Way) -> bool:
        """Whether a way is open: the sign-in, the switch, and the leave to change IAM."""
        user = self.by_name.get(way.user)
        if user is None or user.arn not in self.trusted.get(way.role, (user.arn,)):
            return False
        key = (self.alikes.get(user.arn), way.account, way.role, way.address)
        if key not in self.open:
            self.open[key] = self._holds(user, way)
        return self.open[key]

    @cached_property
    def by_name(self) -> Mapping[str, User]:
        return {without_path(u.arn): u for a in self.estate.accounts for u in a.users}

    @cached_property
    def alikes(self) -> Mapping[str, tuple[object, ...]]:
        return {u.arn: self.alike(u) for a in self.estate.accounts for u in a.users}

    def _holds(self, user: User, way: Way) -> bool:
        if not may_sign_in(self.estate, user, way.address):
            return False
        if not way.role:
            return self.may_undo(user.arn, CredentialKind.CONSOLE, way.account, way.address)
        role = self.estate.role(way.role)
        if role is None:
            return False
        session = f"arn:aws:sts::{way.account}:assumed-role/{role.name}/anyone"
        if not self.may_undo(session, CredentialKind.ROLE_SESSION, way.account, way.address, role.arn):
            return False
        context = request_context(CredentialKind.CONSOLE, source_ip=way.address, mfa=True, mfa_age_s=60)
        return self.authorizer.decide_anew(Request(user.arn, "sts:AssumeRole", role.arn, context, credentials=CredentialKind.CONSOLE)).allowed

    def ways(self, addresses: Sequence[str]) -> set[Way]:
        """All ways in: asked of one user among those alike, through roles that administer at all."""
        classes: dict[tuple[object, ...], list[str]] = {}
        for arn, key in self.alikes.items():
            classes.setdefault(key, []).append(without_path(arn))
        found: set[Way] = set()
        for account in self.estate.accounts:
            roles = [r.arn for r in account.roles if self.administers(account, r)]
            for users in classes.values():
                own = [""] if users[0].split(":")[4] == account.id else []
                open_ = [(r, a) for r in (*own, *roles) for a in addresses if self.holds(Way(account.id, users[0], r, a))]
                found.update(Way(account.id, user, r, a) for r, a in open_ for user in users)
        return found

    def administers(self, account: Account, role: Role) -> bool:
        """Whether a role's own policies could let it change IAM, from wherever: those alone are asked about."""
        if role.is_service_linked:
            return False
        return any(self._gives(p) for p in (*role.inline, *(a.policy for a in role.attached if a.policy is not None)))

    def _gives(self, policy: Policy) -> bool:
        if id(policy) not in self.gives:
            allowed = (x for s in policy.statements if not s.denies for x in s.actions or ("*",))
            self.gives[id(policy)] = any(action_pattern(x).matches(_UNDO[0].lower()) for x in allowed if x.lower().startswith(("iam:", "*")))
        return self.gives[id(policy)]


def may_sign_in(estate: Estate, user: User, address: str) -> bool:
    """Method 3: whether a user may sign in from an address."""
    account = estate.account(user.arn.split(":")[4])
    return sign_in_allowed(account.sign_in if account else None, {"aws:SourceIp": address, "signin:PrincipalArn": user.arn})


def guard(plan: Plan, *, callers: Mapping[str, str] | None = None, address: str | None = None) -> Verdict:
    """Whether the plan keeps a way in, in every state. ``callers``: account → ARN that applies it; ``address``: where from, None: not known.

    Pure: asks `decide` of the estates that the plan goes through.
    """
    if not plan.steps:
        return Verdict()
    addresses = _addresses(plan, address)
    before, after = _Asked(plan.existing), _Asked(plan.outcome)
    old, new = before.ways(addresses), after.ways(addresses)
    refusals = [*_accounts_without_ways(plan, before, old, new), *_break_glass(plan, old, new), *_nobody_reaches(plan, after, new)]
    refusals += _sign_in_alone(plan)
    unknown = []
    own = _callers(before, callers or {}, address)
    if callers and address is None and own:
        unknown.append("where you are is not known, so whether you keep your own way in is not either: say so with --my-address")
    unread = sorted({w for a in plan.existing.accounts for w, _ in a.unread if w in ("service_control", "resource_control")})
    if unread:
        unknown.append(f"{', '.join(unread)} could not be read: a way that they limit counts as none")
    kept = old & new
    checked = 0
    for change, call, estate in states(plan.existing, plan.steps if kept else ()):
        if call.operation in _INERT:
            continue
        touched = [w for w in kept if _concerns(change, w, plan.jump)]
        if not touched:
            continue
        checked += 1
        asked = _Asked(estate)
        broken = next((w for w in touched if not asked.holds(w)), None)
        if broken is not None:
            text = f"on the way, {broken} could not undo the change, although before and after they can"
            refusals.append(Refusal(f"{broken.account}/administrators", text, change))
            break
    for account, (principal, kind, role) in own.items():
        if address is not None and plan.wanted.account(account) and not after.may_undo(principal, kind, account, address, role):
            text = f"you ({principal}) could not undo it in {account} from {address}, where you are now"
            refusals.append(Refusal("own-address", text))
    return Verdict(tuple({(r.key, r.text): r for r in refusals}.values()), tuple(unknown), checked, len(kept))


_INERT = frozenset((
    "CreatePolicy", "CreateGroup", "CreateUser", "CreateRole", "TagUser", "TagRole", "CreateAccountAlias", "UpdateAccountPasswordPolicy",
    "DeletePolicy", "DeletePolicyVersion", "DeleteGroup", "DeleteAccessKey", "DeactivateMFADevice", "DeleteVirtualMFADevice", "DeleteLoginProfile",
    "DeleteSSHPublicKey", "DeleteSigningCertificate", "DeleteServiceSpecificCredential",
))  # fmt: skip
"""Calls that take nobody's way: what they make is new, or what they remove gives nothing any more."""


def _concerns(change: Change, way: Way, jump: str) -> bool:
    """Whether a change can touch a way: that of a role, the ways through it; of a user, theirs; anything else of the jump account, all."""
    if ":role/" in change.subject:
        return change.subject == way.role
    if ":user/" in change.subject:
        return change.subject.rpartition("/")[2] == way.user.rpartition("/")[2]
    return change.account in (jump, way.account)


def _addresses(plan: Plan, address: str | None) -> list[str]:
    """One address of each network of the file, its vantage points, one of each network that the old documents name, anywhere, and one's own."""
    found = [str(ipaddress.ip_network(c, strict=False)[1 if ipaddress.ip_network(c, strict=False).num_addresses > 2 else 0])
             for cidrs in plan.networks.values() for c in cidrs]  # fmt: skip
    found += plan.vantage_points.values()
    found += _named_in(plan.existing)
    found += [*ANYWHERE, *([address] if address else [])]
    return list(dict.fromkeys(found))


def _named_in(estate: Estate) -> list[str]:
    """One address of each network in the documents of an estate."""
    policies = [p for a in estate.accounts for m in a.policies if m.policy and m.path == "/sekisho/" for p in [m.policy]]
    policies += [r.trust for a in estate.accounts for r in a.roles] + [p for a in estate.accounts for r in a.roles for p in r.inline]
    found: list[str] = []
    for policy in policies:
        for statement in policy.statements:
            for condition in statement.conditions:
                if condition.key.lower() == "aws:sourceip":
                    for value in condition.values:
                        try:
                            network = ipaddress.ip_network(value, strict=False)
                        except ValueError:
                            continue
                        found.append(str(network[1 if network.num_addresses > 2 else 0]))
    return list(dict.fromkeys(found))


def _accounts_without_ways(plan: Plan, before: _Asked, old: set[Way], new: set[Way]) -> list[Refusal]:
    """An account that had ways in must keep one that was there before: by another address alone it may be a typing error."""
    found = []
    for account in plan.wanted.accounts:
        had = {w for w in old if w.account == account.id}
        has = {w for w in new if w.account == account.id}
        if not had or had & has:
            continue
        if has:
            text = (f"{account.id}: every administrator's way in would be another than before: until now {_some(had)}; then only {_some(has)}")
        else:
            text = f"{account.id}: no administrator would be left who could undo it; until now {_some(had)}"
        found.append(Refusal(f"{account.id}/administrators", text))
    return found


def _break_glass(plan: Plan, old: set[Way], new: set[Way]) -> list[Refusal]:
    """Who got in from anywhere must go on doing so, in each account: at least one of them."""
    found = []
    for account in plan.wanted.accounts:
        had = {w for w in old if w.account == account.id and w.address in ANYWHERE}
        has = {w for w in new if w.account == account.id and w.address in ANYWHERE}
        if had and not has:
            found.append(Refusal("break-glass", f"{account.id}: {_some(had)} could get in from anywhere; nobody could any more"))
    return found


def _nobody_reaches(plan: Plan, after: _Asked, new: set[Way]) -> list[Refusal]:
    """A role of the file that administers its account and that nobody can reach from any declared network."""
    found = []
    for account in plan.wanted.accounts:
        for role in account.roles:
            if after.administers(account, role) and not any(w.role == role.arn for w in new) and _meant_to_administer(after, account, role):
                found.append(Refusal(f"{account.id}/{role.name}", f"{role.arn} could be reached by nobody, from no declared network"))
    return found


def _meant_to_administer(after: _Asked, account: Account, role: Role) -> bool:
    """Whether the role's policies let it undo changes, were it not for its networks."""
    free = after.estate.with_account(
        _without_denies(after.estate.account(account.id) or account, role.name)
    )
    session = f"arn:aws:sts::{account.id}:assumed-role/{role.name}/anyone"
    return _Asked(free).may_undo(session, CredentialKind.ROLE_SESSION, account.id, ANYWHERE[0], role.arn)


def _without_denies(account: Account, name: str) -> Account:
    def free(role: Role) -> Role:
        return replace(role, inline=tuple(p for p in role.inline if not all(s.denies for s in p.statements))) if role.name == name else role

    return replace(account, roles=tuple(free(r) for r in account.roles))


def _sign_in_alone(plan: Plan) -> list[Refusal]:
    """Method 3 switched on with nobody excluded: a wrong network would shut the console for all, root included (M-04)."""
    found = []
    for account in plan.wanted.accounts:
        if account.sign_in is None or not account.sign_in.enforced:
            continue
        excluded = [p for s in account.sign_in.statements for p in s.excluded_principals]
        have = plan.existing.account(account.id)
        if not excluded and not (have and have.sign_in and have.sign_in.enforced):
            text = f"{account.id}: the sign-in would be limited to networks with no user excluded, so a wrong network shuts everybody out"
            found.append(Refusal("sign-in", text))
        paths = [p for p in excluded if p.split(":", 5)[5].count("/") > 1]
        if paths and len(paths) == len(excluded):
            text = f"{account.id}: who is excluded from the sign-in policy stands at a path, which AWS doesn't take (M-05, unverified): {paths[0]}"
            found.append(Refusal("sign-in", text))
    return found


def _callers(before: _Asked, callers: Mapping[str, str], address: str | None) -> dict[str, tuple[str, CredentialKind, str]]:
    """Those of the applying principals whose leave the estate decides: users and role sessions, not root and not strangers to it."""
    found: dict[str, tuple[str, CredentialKind, str]] = {}
    for account, arn in callers.items():
        if ":user/" in arn and before.estate.user(arn):
            mine = (arn, CredentialKind.CONSOLE, "")
        elif ":assumed-role/" in arn and (role := _role_of(before.estate, account, arn)):
            mine = (arn, CredentialKind.ROLE_SESSION, role)
        else:
            continue
        if address is None or before.may_undo(mine[0], mine[1], account, address, mine[2]):
            found[account] = mine
    return found


def _role_of(estate: Estate, account: str, arn: str) -> str:
    held = estate.account(account)
    role = held.role(arn.split("/")[1]) if held else None
    return role.arn if role else ""


def _some(ways: Sequence[Way] | set[Way]) -> str:
    listed = sorted(ways, key=lambda w: (w.user, w.role, w.address))
    return str(listed[0]) + (f" and {len(listed) - 1} more" if len(listed) > 1 else "")
