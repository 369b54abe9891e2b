"""An Estate read back into an environment file: what exists, as a file that means the same. Pure: Estate → text.

A document is recognised by its shape; whether the file then means the same is not left to that. The file is compiled, compared with what exists
over all requests (``proof.difference``), and whatever of it would change anyone's access is taken out again, until nothing would. What is not in
the file is named, with the reason, and stays as it is: `plan` keeps what is foreign.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from sekisho.environment import documents
from sekisho.environment.compile import OURS, compile_environment
from sekisho.environment.file import Environment, parse_environment
from sekisho.environment.mark import MARK
from sekisho.environment.model import Cidr
from sekisho.errors import InputError
from sekisho.estate import Account, AttachedPolicy, Estate, Group, Role, User
from sekisho.policy import DEFAULT, Policy, Settings
from sekisho.policy.matching import statements_about
from sekisho.policy.networks import is_never_public
from sekisho.proof import difference

_REVOKED = "AWSRevokeOlderSessions"
_OUTSIDE = "198.18.0.9"
"""An address of nobody's (it is for benchmarks), to try from."""
_LONGEST_S = 129600
"""The age of a second factor that a file can ask for at most (D.4)."""
_NETWORK: TypeAdapter[str] = TypeAdapter(Cidr)
_PASSWORDS = {
    "MinimumPasswordLength": "minimum_length", "RequireSymbols": "require_symbols", "RequireNumbers": "require_numbers",
    "RequireUppercaseCharacters": "require_uppercase", "RequireLowercaseCharacters": "require_lowercase",
    "AllowUsersToChangePassword": "allow_users_to_change", "MaxPasswordAge": "max_age_days", "PasswordReusePrevention": "reuse_prevention",
}  # fmt: skip


@dataclass(frozen=True)
class Left:
    """Something that exists and is not in the file: ``what`` of ``subject`` (an ARN; ``arn:aws:iam::ID:root`` is the account), and why."""

    account: str
    subject: str
    what: str
    why: str


@dataclass(frozen=True)
class Adopted:
    """``text`` is the file; ``part`` is that part of what exists which the file means, equal in access to ``wanted``, what it compiles to."""

    text: str
    environment: Environment
    jump: str
    part: Estate
    wanted: Estate
    left: tuple[Left, ...]


def adopt(estate: Estate, jump: str | None = None, settings: Settings = DEFAULT) -> Adopted:
    """The environment file that means what exists, as far as such a file can say it; the rest is listed in ``left``.

    ``jump`` is the jump account's id; None: the account whose users the most roles of other accounts trust. Raises InputError where that
    can't be told, or the account isn't there.
    """
    account = _jump_account(estate, jump)
    without: dict[str, str] = {}
    own_self_service = False
    while True:
        draft = _Draft(estate, account, without, own_self_service, settings)
        text = draft.text()
        try:
            environment = parse_environment(text)
            wanted = with_documents_of(compile_environment(environment, settings), estate)
        except InputError as error:
            thing = draft.thing_at(text, error.place.line if error.place else None)
            if thing is None or thing in without:
                raise
            without[thing] = error.message
            continue
        part = draft.part(wanted)
        found = difference(part, wanted, settings)
        if found.is_empty:
            left = tuple(draft.left())
            return Adopted(_head(estate, account, left) + text, environment, account.id, part, wanted, left)
        blamed: dict[str, str] = {}
        for change in found.changes:
            said = replace(found, changes=(change,)).sentences
            roles = [r for r in (change.subject, change.principal, (change.example or ("", ""))[1]) if r in draft.roles]
            if change.what == "sign-in":
                roles = [_root(account.id)]
            blamed |= {r: f"the file would change access: {'; '.join(said)}" for r in roles[:1] if r not in without}
        if not blamed and not own_self_service and draft.self_service is not None:
            own_self_service = True
            continue
        if not blamed:
            users = {c.principal for c in found.changes} & {u.arn for u in draft.users.values()} - without.keys()
            blamed = {u: f"the file would change what the user may do: {'; '.join(found.sentences[:3])}" for u in users}
        if not blamed:
            raise InputError(
                f"no file can be proved to mean what exists: {'; '.join(found.sentences[:3])}", expected="an estate that can be read whole"
            )
        without |= blamed


def with_documents_of(wanted: Estate, existing: Estate) -> Estate:
    """``wanted`` with the documents of managed policies that a file only names, as they are in ``existing``: the file leaves them as they are."""

    def known(account: Account) -> Callable[[AttachedPolicy], AttachedPolicy]:
        there = existing.account(account.id)

        def fill(attached: AttachedPolicy) -> AttachedPolicy:
            held = there.managed(attached.arn) if there and attached.policy is None else None
            return replace(attached, policy=held.policy) if held else attached

        return fill

    accounts = []
    for account in wanted.accounts:
        fill = known(account)
        groups = tuple(replace(g, attached=tuple(map(fill, g.attached))) for g in account.groups)
        roles = tuple(
            replace(r, attached=tuple(map(fill, r.attached)), boundary=fill(r.boundary) if r.boundary else None) for r in account.roles
        )
        there, have = existing.account(account.id), {p.arn for p in account.policies}
        named = {a.arn for attached in (*(g.attached for g in groups), *(r.attached for r in roles)) for a in attached}
        named |= {r.boundary.arn for r in roles if r.boundary}
        more = tuple(p for p in there.policies if p.arn in named - have) if there else ()
        accounts.append(replace(account, groups=groups, roles=roles, policies=(*account.policies, *more)))
    return Estate.of(accounts)


# --- the jump account ----------------------------------------------------------------------------------------------------


def _jump_account(estate: Estate, jump: str | None) -> Account:
    votes = Counter(
        voted for account in estate.accounts for role in account.roles for voted in _trusted_accounts(role) - {account.id}
        if estate.account(voted)
    )  # fmt: skip
    if jump is None:
        ranked = votes.most_common(2)
        if not ranked or (len(ranked) == 2 and ranked[0][1] == ranked[1][1]):
            listed = ", ".join(a.id for a in estate.accounts)
            found = "no role trusts another account" if not ranked else f"as many roles trust {ranked[0][0]} as {ranked[1][0]}"
            raise InputError(f"which account is the jump account can't be told: {found}", expected=f"--jump ID, one of {listed}")
        jump = ranked[0][0]
    account = estate.account(jump)
    if account is None:
        raise InputError(f"the estate has no account {jump}", expected=f"one of {', '.join(a.id for a in estate.accounts)}")
    return account


def _trusted_accounts(role: Role) -> set[str]:
    """The accounts that a trust policy allows somebody of, by name."""
    found = set()
    for statement in role.trust.normalised()["Statement"]:
        principal = statement.get("Principal")
        if statement.get("Effect") == "Allow" and isinstance(principal, Mapping):
            found |= {_account_of(p) for p in principal.get("AWS", ())}
    return found - {""}


def _account_of(principal: str) -> str:
    parts = principal.split(":", 5)
    return principal if principal.isdecimal() else parts[4] if len(parts) == 6 else ""


def _root(account: str) -> str:
    return f"arn:aws:iam::{account}:root"


# --- shapes of documents -------------------------------------------------------------------------------------------------


class _Foreign(Exception):
    """A document says what no environment file can say; the text is why."""


class _SelfService(NamedTuple):
    kind: str
    mfa: bool
    max_age_s: int | None


def _statements(policy: Policy) -> list[dict[str, Any]]:
    found = policy.normalised()["Statement"]
    return [{k: v for k, v in s.items() if k != "Sid"} for s in found]


def _cidrs(listed: Iterable[str]) -> tuple[str, ...]:
    """Networks in the file's spelling, without private ones, which never match (F-07). Raises ValueError for what no network of a file can be."""
    public = [c for c in listed if not is_never_public(ipaddress.ip_network(c))]
    if not public:
        raise ValueError("none of them is public")
    return tuple(dict.fromkeys(_NETWORK.validate_python(c) for c in public))


def _conditions(statement: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """(operator, key in lower case) → values."""
    return {(op, key.lower()): values for op, keys in statement.get("Condition", {}).items() for key, values in keys.items()}


_VIA = ("Bool", "aws:viaawsservice")
_OUT = ("NotIpAddress", "aws:sourceip")


def _deny_outside(policy: Policy | None) -> tuple[str, ...] | None:
    """The networks of method 1's Deny, if the policy is that and nothing else."""
    if policy is None or len(policy.statements) != 1:
        return None
    (statement,) = _statements(policy)
    conditions = _conditions(statement)
    if conditions.keys() != {_OUT, _VIA}:
        return None
    try:
        cidrs = _cidrs(conditions[_OUT])
    except ValueError:
        return None
    return cidrs if Policy.parse(documents.deny_outside(conditions[_OUT])).same_as(_unnamed(policy)) else None


def _unnamed(policy: Policy) -> Policy:
    """The policy without Sids and Id, which mean nothing."""
    return Policy.parse({"Version": policy.version, "Statement": _statements(policy)})


def _self_service(policy: Policy | None) -> _SelfService | None:
    """Which of the two self-service documents a policy is."""
    if policy is None or len(policy.statements) < 4:
        return None
    ages = {v for s in _statements(policy) for (_, key), values in _conditions(s).items() if key == "aws:multifactorauthage" for v in values}
    unnamed = _unnamed(policy)
    for kind, mfa, age in _known_forms(tuple(sorted(int(a) for a in ages if a.isdecimal() and len(a) < 7 and 1 <= int(a) <= _LONGEST_S))):
        made = documents.self_service_article if kind == "article" else documents.self_service_current
        if _unnamed(Policy.parse(made(mfa_required=mfa, mfa_max_age_s=age))).same_as(unnamed):
            return _SelfService(kind, mfa, age)
    return None


def _known_forms(ages: tuple[int, ...]) -> Iterator[_SelfService]:
    for kind in ("current", "article"):
        yield _SelfService(kind, False, None)
        for age in (None, *ages):
            yield _SelfService(kind, True, age)


def _switching(policy: Policy | None) -> tuple[str, ...] | None:
    """The resources of a policy that gives leave to assume roles, and does nothing else."""
    if policy is None or not policy.statements:
        return None
    found: list[str] = []
    for statement in _statements(policy):
        if statement.keys() != {"Effect", "Action", "Resource"} or statement["Effect"] != "Allow":
            return None
        if [a.lower() for a in statement["Action"]] != ["sts:assumerole"]:
            return None
        found += statement["Resource"]
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True)
class _Trust:
    """What a trust policy in one of the three forms says: users by ARN, or patterns of the jump account's principals, or neither (all of it)."""

    users: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    mfa: bool = False
    max_age_s: int | None = None
    cidrs: tuple[str, ...] | None = None
    networks_as: str = "deny"


def _trust(policy: Policy, jump: str) -> _Trust:
    """A trust policy read. Raises _Foreign where it says more than a file can."""
    if not policy.statements:
        raise _Foreign("its trust policy could not be read")
    principals: list[str] = []
    conditions: dict[tuple[str, str], list[str]] | None = None
    denied: set[tuple[str, ...]] = set()
    whom: list[list[str]] = []
    no_mfa_denied = False
    for statement in _statements(policy):
        if not statement.keys() <= {"Effect", "Principal", "Action", "Condition"}:
            raise _Foreign(f"its trust policy has {', '.join(sorted(statement.keys() - {'Effect', 'Principal', 'Action', 'Condition'}))}")
        who, actions, has = statement["Principal"], [a.lower() for a in statement.get("Action", ())], _conditions(statement)
        if statement["Effect"] == "Deny":
            if not set(actions) & {"sts:assumerole", "sts:*", "*"}:
                raise _Foreign(f"its trust policy denies {', '.join(statement['Action'])}")
            if has.keys() in ({_OUT}, {_OUT, _VIA}) and has.get(_VIA, ["false"]) == ["false"]:
                denied.add(_network_list(has[_OUT]))
            elif has == {("BoolIfExists", "aws:multifactorauthpresent"): ["false"]}:
                no_mfa_denied = True
            else:
                raise _Foreign("its trust policy has a Deny of another kind")
            whom.append(who.get("AWS", []))
            continue
        if actions != ["sts:assumerole"]:
            raise _Foreign(f"its trust policy allows {', '.join(statement['Action'])}")
        strangers = [f"{k} {v}" for k, values in who.items() if k != "AWS" for v in values]
        strangers += [p for p in who.get("AWS", ()) if _account_of(p) != jump]
        if strangers:
            raise _Foreign(f"it trusts {', '.join(strangers)}")
        if conditions is not None and conditions != has:
            raise _Foreign("its trust policy allows different principals on different conditions")
        conditions = has
        principals += who["AWS"]
    if not principals:
        raise _Foreign("it trusts nobody")
    assert conditions is not None
    if not all({"*", jump, _root(jump)} & set(listed) or set(listed) >= set(principals) for listed in whom):
        # Principals that the file doesn't speak of would be denied what they have.
        raise _Foreign("its trust policy denies only some of those whom it allows")
    patterns: tuple[str, ...] = ()
    mfa, age, cidrs, form = no_mfa_denied, None, None, "deny"
    for (operator, key), values in conditions.items():
        if (operator, key) == ("Bool", "aws:multifactorauthpresent") and values == ["true"]:
            mfa = True
        elif (operator, key) == ("NumericLessThan", "aws:multifactorauthage") and len(values) == 1 and values[0].isdecimal():
            age = int(values[0])
        elif key == "aws:principalarn" and operator in ("ArnLike", "ArnEquals", "StringLike", "StringEquals"):
            patterns = tuple(values)
        elif (operator, key) == ("IpAddress", "aws:sourceip"):
            cidrs, form = _network_list(values), "allow"
        else:
            raise _Foreign(f"its trust policy asks for {operator} {key}")
    if len(denied) + (cidrs is not None) > 1:
        raise _Foreign("its trust policy has several lists of networks")
    if denied:
        (cidrs,) = denied
    whole = [p for p in principals if p in (jump, _root(jump))]
    if whole and len(whole) != len(principals):
        raise _Foreign("it trusts the jump account as a whole and some of its principals")
    if not whole and patterns:
        raise _Foreign("its trust policy names principals twice, as Principal and in its conditions")
    if age is not None and not mfa:
        mfa = True  # who has no MFA has no age of it, and is refused
    return _Trust(() if whole else tuple(dict.fromkeys(principals)), patterns, mfa, age, cidrs, form)


def _network_list(values: Sequence[str]) -> tuple[str, ...]:
    try:
        return _cidrs(values)
    except ValueError as error:
        raise _Foreign(f"its networks are none that a file can have: {str(error).splitlines()[0]}") from None


# --- the file ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Role:
    """A role that can be said in the file."""

    role: Role
    trust: _Trust
    trusts_as: str
    groups: tuple[str, ...]
    users: tuple[str, ...]
    stays: str | None
    """The name of the inline policy that keeps its sessions on its networks."""


@dataclass
class _Draft:
    """One attempt at a file: everything that can be said, but for ``without`` (ARN → why)."""

    estate: Estate
    jump: Account
    without: Mapping[str, str]
    own_self_service: bool
    settings: Settings
    groups: dict[str, Group] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    roles: dict[str, _Role] = field(default_factory=dict)
    """By ARN."""
    self_service: _SelfService | None = None
    limits: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Group → the networks of method 1."""
    dropped: set[tuple[str, str]] = field(default_factory=set)
    """(ARN of a principal, ARN or name of a policy on it) that the file says in its own words."""
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reasons = dict(self.without)
        self.groups = {g.name: g for g in self.jump.groups if g.arn not in self.without}
        self.users = {u.name: u for u in self.jump.users if self.fits(u)}
        self.members: dict[str, list[str]] = {g: [] for g in self.groups}
        self.named_to: dict[str, list[str]] = {}
        """ARN of a role → groups whose policies name it."""
        self.own_leave: dict[str, list[User]] = {}
        """ARN of a role → users who have leave to assume it by a policy of their own."""
        self.look_up()
        self.find_self_service()
        self.find_limits()
        for account in self.estate.accounts:
            for role in account.roles if account.id != self.jump.id else ():
                if role.arn not in self.without:
                    try:
                        self.roles[role.arn] = self.read(role)
                    except _Foreign as why:
                        self.reasons[role.arn] = str(why)
        self.drop_switching()
        self.sign_in: tuple[str, ...] | None = self.find_sign_in()

    # Who and what is in the file ---------------------------------------------------------------------------------------

    def fits(self, user: User) -> bool:
        if user.arn in self.without:
            return False
        mine = [self.groups[g] for g in user.groups if g in self.groups]
        paths = {g.path for g in mine} - {"/"}
        if not mine:
            self.reasons[user.arn] = "the user is in no group of the file"
        elif len(paths) > 1 or user.path != next(iter(paths), "/"):
            self.reasons[user.arn] = f"the user's path {user.path} is not that of the groups ({', '.join(sorted(paths)) or '/'})"
        else:
            return True
        return False

    def look_up(self) -> None:
        for user in self.users.values():
            for name in user.groups:
                if name in self.members:
                    self.members[name].append(user.name)
            for arn in dict.fromkeys(arn for p in user.inline for arn in _switching(p) or ()):
                self.own_leave.setdefault(arn, []).append(user)
        for group in self.groups.values():
            for arn in dict.fromkeys(arn for _, p in self.held(group) for arn in _switching(p) or ()):
                self.named_to.setdefault(arn, []).append(group.name)

    def held(self, group: Group) -> Iterator[tuple[str, Policy | None]]:
        """(ARN or name, document) of a group's policies."""
        for attached in group.attached:
            managed = self.jump.managed(attached.arn)
            yield attached.arn, attached.policy or (managed.policy if managed else None)
        for policy in group.inline:
            yield policy.name, policy

    def find_self_service(self) -> None:
        found: dict[str, tuple[str, _SelfService]] = {}
        for group in self.groups.values():
            for name, policy in self.held(group):
                form = _self_service(policy)
                if form is not None:
                    found.setdefault(group.name, (name, form))
        forms = {form for _, form in found.values()}
        if self.own_self_service or len(forms) != 1 or found.keys() != self.groups.keys():
            return
        (form,) = forms
        if form.kind == "article" and not all(
            any(_switching(p) == ("*",) for _, p in self.held(g)) for g in self.groups.values()
        ):
            return
        self.self_service = form
        self.dropped |= {(self.groups[g].arn, name) for g, (name, _) in found.items()}

    def find_limits(self) -> None:
        for group in self.groups.values():
            for name, policy in self.held(group):
                cidrs = _deny_outside(policy)
                if cidrs is not None and group.name not in self.limits:
                    self.limits[group.name] = cidrs
                    self.dropped.add((group.arn, name))

    def find_sign_in(self) -> tuple[str, ...] | None:
        """Method 3: the networks of its statements, of which AWS keeps one an address; whether that is all they say, the proof finds."""
        there = self.jump.sign_in
        if there is None or _root(self.jump.id) in self.without or not there.statements or not there.enforced:
            return None
        for s in there.statements:
            if s.source_vpc or s.signin_source_vpce or s.console_source_vpce or s.vpc_source_ip or s.requested_region or not s.source_ip:
                return None
        try:
            return _cidrs(c for s in there.statements for c in s.source_ip)
        except ValueError:
            return None

    # Roles -------------------------------------------------------------------------------------------------------------

    def read(self, role: Role) -> _Role:
        if role.is_service_linked:
            raise _Foreign("it is a service-linked role")
        trust = _trust(role.trust, self.jump.id)
        stays = None
        if trust.cidrs is not None:
            stays = next((p.name for p in role.inline if set(_deny_outside(p) or ()) == set(trust.cidrs)), None)
        if stays is not None:
            self.dropped.add((role.arn, stays))
        if trust.users:
            return self.naming_users(role, trust, stays)
        if trust.patterns:
            return self.naming_paths(role, trust, stays)
        groups = self.switchers(role, list(self.groups))
        return _Role(role, trust, "account", groups, self.single(role, groups), stays)

    def naming_users(self, role: Role, trust: _Trust, stays: str | None) -> _Role:
        users = [self.named_user(arn) for arn in trust.users]
        trusted = set(users)
        whole = [g for g, members in self.members.items() if members and trusted.issuperset(members)]
        groups = self.switchers(role, whole)
        rest = [u for u in users if not set(self.users[u].groups) & set(groups)]
        return _Role(role, trust, "users", groups, tuple(rest), stays)

    def naming_paths(self, role: Role, trust: _Trust, stays: str | None) -> _Role:
        groups: list[str] = []
        users: list[str] = []
        for pattern in trust.patterns:
            path = pattern.removeprefix(f"arn:aws:iam::{self.jump.id}:user").removesuffix("*")
            if not pattern.endswith("/*"):
                users.append(self.named_user(pattern))
                continue
            there = [g.name for g in self.groups.values() if g.path == path and path != "/"]
            if not there:
                raise _Foreign(f"it trusts {pattern}, which is no group's path")
            groups += self.switchers(role, there) or there[:1]
        return _Role(role, trust, "paths", tuple(groups), tuple(users), stays)

    def named_user(self, arn: str) -> str:
        user = self.users.get(arn.rpartition("/")[2])
        if user is None or user.arn != arn:
            raise _Foreign(f"it trusts {arn}, who is not in the file")
        return user.name

    def switchers(self, role: Role, among: Sequence[str]) -> tuple[str, ...]:
        """The groups whose policies give leave to assume the role: those that name it, else those that give leave to assume any."""
        precise = [g for g in self.named_to.get(role.arn, ()) if g in among]
        return tuple(precise or (g for g in among if self.may_assume(g, role)))

    def may_assume(self, group: str, role: Role) -> bool:
        policies = [p for _, p in self.held(self.groups[group]) if p is not None]
        return any(s.resource_verdict(role.arn) and not s.denies for s in statements_about(policies, "sts:assumerole", self.settings))

    def single(self, role: Role, groups: Sequence[str]) -> tuple[str, ...]:
        """Users who have leave to assume the role by a policy of their own."""
        return tuple(u.name for u in self.own_leave.get(role.arn, ()) if not set(u.groups) & set(groups))

    def drop_switching(self) -> None:
        """Leave to switch that the file gives by itself."""
        for group in self.groups.values():
            mine = {r.role.arn for r in self.roles.values() if group.name in r.groups}
            for name, policy in self.held(group):
                given = _switching(policy)
                article = self.self_service is not None and self.self_service.kind == "article"
                if given is not None and (given == ("*",) if article else set(given) <= mine):
                    self.dropped.add((group.arn, name))
        for user in self.users.values():
            mine = {r.role.arn for r in self.roles.values() if user.name in r.users}
            for policy in user.inline:
                if (given := _switching(policy)) is not None and set(given) <= mine:
                    self.dropped.add((user.arn, policy.name))

    # Text --------------------------------------------------------------------------------------------------------------

    def text(self) -> str:
        names = self.network_names()

        def called(cidrs: tuple[str, ...] | None) -> Any:
            return "anywhere" if cidrs is None else [n for n, held in names.items() if set(held) <= set(cidrs)]

        usual = Counter(self.limits.get(g) for g in self.groups).most_common(1)
        limit = usual[0][0] if usual else None
        mfa = _mfa(self.self_service.mfa, self.self_service.max_age_s) if self.self_service else "required"
        jump: dict[str, Any] = {"account": DoubleQuotedScalarString(self.jump.id)}
        if self.jump.alias:
            jump["alias"] = self.jump.alias
        jump |= {"mfa": mfa, "self_service": self.self_service.kind if self.self_service else "none", "networks": called(limit)}
        if self.sign_in is not None:
            jump["sign_in"] = called(self.sign_in)
        if self.jump.password_policy:
            jump["password_policy"] = {ours: self.jump.password_policy[n] for n, ours in _PASSWORDS.items() if self.jump.password_policy.get(n)}
            if self.jump.password_policy.get("AllowUsersToChangePassword") is False:
                jump["password_policy"]["allow_users_to_change"] = False
        groups: dict[str, Any] = {}
        for group in self.groups.values():
            entry: dict[str, Any] = {"path": group.path} if group.path != "/" else {}
            entry["users"] = self.members[group.name]
            if self.limits.get(group.name) != limit:
                entry["networks"] = called(self.limits.get(group.name))
            groups[group.name] = entry | self.policies(group, self.jump)
        accounts: dict[str, Any] = {}
        for account in self.estate.accounts:
            mine = [r for r in self.roles.values() if r.role.arn.split(":")[4] == account.id]
            if mine:
                roles = {r.role.name: self.role(r, account, mfa, called) for r in mine}
                accounts[self.label(account, accounts)] = {"id": DoubleQuotedScalarString(account.id), "roles": roles}
        body: dict[str, Any] = {"version": 1}
        if names:
            body["networks"] = {n: list(c) for n, c in names.items()}
        body |= {"jump": jump, "groups": groups, "accounts": accounts}
        body["vantage_points"] = {n: _somewhere_in(c[0]) for n, c in names.items()} | {"elsewhere": _OUTSIDE}
        yaml = YAML(typ="rt", pure=True)
        yaml.width = 140
        yaml.indent(mapping=2, sequence=4, offset=2)
        out = StringIO()
        yaml.dump(_written(body), out)
        return out.getvalue()

    def role(self, made: _Role, account: Account, mfa: Any, called: Callable[[tuple[str, ...] | None], Any]) -> dict[str, Any]:
        role, trust = made.role, made.trust
        entry: dict[str, Any] = {"path": role.path} if role.path != "/" else {}
        entry |= self.policies(role, account)
        if role.boundary:
            entry["boundary"] = role.boundary.arn
        entry["trusts"] = {k: list(v) for k, v in (("groups", made.groups), ("users", made.users)) if v}
        entry["trusts_as"] = made.trusts_as
        if (own := _mfa(trust.mfa, trust.max_age_s)) != mfa:
            entry["mfa"] = own
        entry["networks"] = called(trust.cidrs)
        if trust.cidrs is not None:
            entry["networks_as"] = trust.networks_as
        session: dict[str, Any] = {"max_duration": _duration(role.max_session_s)} if role.max_session_s != 3600 else {}
        if made.stays is not None:
            session["stay_on_networks"] = True
        return entry | ({"session": session} if session else {})

    def policies(self, holder: Group | Role, account: Account) -> dict[str, Any]:
        """The policies that the file has to name: all but what it says in its own words."""
        kept = [a for a in holder.attached if (holder.arn, a.arn) not in self.dropped]
        inline = {p.name: dict(p.document) for p in holder.inline if (holder.arn, p.name) not in self.dropped and p.name != _REVOKED}
        named = []
        for attached in kept:
            managed = account.managed(attached.arn)
            policy = attached.policy or (managed.policy if managed else None)
            if f":policy{OURS}" in attached.arn and policy is not None:
                # A policy at our path that the file doesn't make would be taken for one that it no longer wants.
                inline[attached.name if attached.name not in inline else f"{attached.name}-managed"] = dict(policy.document)
            else:
                named.append(attached.arn)
        return ({"policies": named} if named else {}) | ({"inline_policies": inline} if inline else {})

    def network_names(self) -> dict[str, tuple[str, ...]]:
        """The networks that the lists have in common, so that each list is some of them; named in order."""
        trusts = [r.trust.cidrs for r in self.roles.values() if r.trust.cidrs]
        lists = list(dict.fromkeys([*self.limits.values(), *trusts, *((self.sign_in,) if self.sign_in else ())]))
        parts: dict[tuple[bool, ...], list[str]] = {}
        for cidr in dict.fromkeys(c for listed in lists for c in listed):
            parts.setdefault(tuple(cidr in listed for listed in lists), []).append(cidr)
        return {f"net-{i}": tuple(part) for i, part in enumerate(parts.values(), 1)}

    def label(self, account: Account, taken: Mapping[str, Any]) -> str:
        letters = "".join(c if c.isascii() and (c.isalnum() or c in ".@_-") else "-" for c in account.name or account.alias or "")[:64]
        return letters if letters and letters.lower() not in ("jump", *map(str.lower, taken)) else f"account-{account.id}"

    def thing_at(self, text: str, line: int | None) -> str | None:
        """The ARN of the group or role whose entry holds a line of the text."""
        loaded = YAML(typ="rt", pure=True).load(StringIO(text))
        starts = [(loaded["groups"].lc.key(name)[0] + 1, group.arn) for name, group in self.groups.items()]
        if loaded["accounts"]:
            starts.append((loaded.lc.key("accounts")[0] + 1, ""))
        for entry in loaded["accounts"].values():
            for made in self.roles.values():
                if made.role.arn.split(":")[4] == entry["id"]:
                    starts.append((entry["roles"].lc.key(made.role.name)[0] + 1, made.role.arn))
        before = [s for s in starts if line is not None and s[0] <= line]
        return max(before)[1] or None if before else None

    # What exists of it, and what is left -----------------------------------------------------------------------------

    def part(self, wanted: Estate) -> Estate:
        """What exists, as far as the file speaks of it: its principals, without what is listed as left."""
        accounts = []
        for account in wanted.accounts:
            there = self.estate.account(account.id) or Account(account.id)
            tags = {u.arn: u.tags for u in account.users} | {r.arn: r.tags for r in account.roles}
            users = tuple(
                replace(
                    u, groups=tuple(g for g in u.groups if g in self.groups), attached=(), boundary=None, tags=tags.get(u.arn, ()),
                    inline=tuple(p for p in u.inline if (u.arn, p.name) in self.dropped),
                )
                for u in there.users if account.id == self.jump.id and u.name in self.users
            )  # fmt: skip
            groups = tuple(g for g in there.groups if account.id == self.jump.id and g.name in self.groups)
            roles = tuple(
                replace(r, inline=tuple(p for p in r.inline if p.name != _REVOKED), tags=tags.get(r.arn, ()))
                for r in there.roles if r.arn in self.roles
            )  # fmt: skip
            sign_in = there.sign_in if account.id == self.jump.id and self.sign_in is not None else None
            accounts.append(
                Account(account.id, account.name, users=users, groups=groups, roles=roles, policies=there.policies, sign_in=sign_in)
            )
        return Estate.of(accounts)

    def left(self) -> Iterator[Left]:
        for account in self.estate.accounts:
            yield from self.left_of(account)

    def left_of(self, account: Account) -> Iterator[Left]:
        jump, root = account.id == self.jump.id, _root(account.id)
        for what, why in account.unread:
            yield Left(account.id, root, what, f"could not be read: {why}")
        for kind, levels in (("service control policies", account.service_control), ("resource control policies", account.resource_control)):
            if levels and any(levels):
                yield Left(account.id, root, kind, "the organisation's, which still limit everything")
        if account.resource_policies:
            yield Left(account.id, root, f"{len(account.resource_policies)} resource policies", "a file has none")
        if account.sign_in and account.sign_in.statements and not (jump and self.sign_in is not None):
            yield Left(account.id, root, "sign-in policy", self.reasons.get(root, "not one list of networks that is enforced"))
        if (account.alias or account.password_policy) and not jump:
            yield Left(account.id, root, "alias and password policy", "a file has them of the jump account alone")
        if jump and account.password_policy and account.password_policy.get("HardExpiry"):
            yield Left(account.id, root, "password policy: HardExpiry", "a file doesn't say it")
        linked = [r for r in account.roles if r.is_service_linked]
        if linked:
            yield Left(account.id, root, f"{len(linked)} service-linked roles", "AWS's own")
        for group in account.groups:
            if not jump or group.name not in self.groups:
                yield Left(account.id, group.arn, "group", self.reasons.get(group.arn, "groups of a file are in the jump account"))
        for user in account.users:
            yield from self.left_of_user(account, user, jump)
        for role in account.roles:
            if not role.is_service_linked:
                yield from self.left_of_role(account, role, jump)
        if jump:
            for group in self.groups.values():
                yield from self.doubled(account, group)

    def left_of_user(self, account: Account, user: User, jump: bool) -> Iterator[Left]:
        if not jump or user.name not in self.users:
            yield Left(account.id, user.arn, "user", self.reasons.get(user.arn, "users of a file are in the jump account"))
            return
        for policy in user.inline:
            if (user.arn, policy.name) not in self.dropped:
                yield Left(account.id, user.arn, f"inline policy {policy.name}", "a file gives users no policies of their own")
            elif policy.name != "assume-roles":
                yield Left(account.id, user.arn, f"inline policy {policy.name}", _TWICE)
        for attached in user.attached:
            yield Left(account.id, user.arn, f"policy {attached.arn}", "a file gives users no policies of their own")
        if user.boundary:
            yield Left(account.id, user.arn, f"permissions boundary {user.boundary.arn}", "a file gives users none")
        yield from self.left_tags(account, user)

    def left_of_role(self, account: Account, role: Role, jump: bool) -> Iterator[Left]:
        if role.arn not in self.roles:
            why = "roles of a file are in other accounts than the jump account" if jump else self.reasons.get(role.arn, "")
            yield Left(account.id, role.arn, "role", why)
            return
        for policy in role.inline:
            if policy.name == _REVOKED:
                yield Left(account.id, role.arn, f"inline policy {policy.name}", "it revokes sessions, and nobody takes it off")
            elif (role.arn, policy.name) in self.dropped and policy.name != "stay-on-networks":
                yield Left(account.id, role.arn, f"inline policy {policy.name}", _TWICE)
        yield from self.left_tags(account, role)

    @staticmethod
    def left_tags(account: Account, holder: User | Role) -> Iterator[Left]:
        tags = [key for key, _ in holder.tags if key != MARK]
        if tags:
            yield Left(account.id, holder.arn, f"tags {', '.join(tags)}", "a file has no tags")

    def doubled(self, account: Account, group: Group) -> Iterator[Left]:
        for name, _ in self.held(group):
            if (group.arn, name) in self.dropped and f":policy{OURS}" not in name:
                yield Left(account.id, group.arn, f"policy {name}", _TWICE)


_TWICE = "the file says the same in its own words: `apply` puts Sekisho's own beside it, and this can then be taken off"


def _somewhere_in(cidr: str) -> str:
    network = ipaddress.ip_network(cidr)
    return str(network[min(1, network.num_addresses - 1)])


def _mfa(required: bool, max_age_s: int | None) -> Any:
    if not required:
        return "optional"
    return "required" if max_age_s is None else {"max_age": _duration(max_age_s)}


def _duration(seconds: int) -> str:
    for letter, length in (("h", 3600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{letter}"
    return f"{seconds}s"


def _written(value: Any) -> Any:
    """A value as it stands in a file that people edit: blocks, and lists of texts in one line."""
    if isinstance(value, Mapping):
        made = CommentedMap((k, _written(v)) for k, v in value.items())
        if not made:
            made.fa.set_flow_style()
        return made
    if isinstance(value, list | tuple):
        listed = CommentedSeq(_written(v) for v in value)
        if not any(isinstance(v, Mapping | list) for v in value):
            listed.fa.set_flow_style()
        return listed
    return DoubleQuotedScalarString(value) if isinstance(value, str) and ":" in value and not value.startswith("arn:") else value


def _head(estate: Estate, jump: Account, left: Sequence[Left]) -> str:
    """What the file is, and what isn't in it, as comments."""
    lines = [
        f"# Adopted from {len(estate.accounts)} account{'s' if len(estate.accounts) != 1 else ''}; the jump account is {jump.id}.",
        "# Proved: what this file compiles to gives the access that what it speaks of gives today.",
    ]
    if left:
        lines += ["#", "# Not in it, and left as it is:"]
        lines += [f"# - {_one_line(x.subject)}: {_one_line(x.what)}: {_one_line(x.why)}" for x in left]
    return "\n".join([*lines, "", ""])


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
