"""An environment file compiled to the Estate that it asks for. Pure: the same file gives the same bytes.

The managed policies that Sekisho makes stand at the path ``/sekisho/``, users and roles carry a tag (``mark.py``), so that they can be told
from what others made.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sekisho.environment import documents
from sekisho.environment.file import Environment, Path_, RoleWanted
from sekisho.environment.mark import mark, on_group
from sekisho.environment.model import Group, PasswordPolicy
from sekisho.errors import InputError, Place, PolicyError
from sekisho.estate.managed import aws_managed_arns, aws_managed_document, aws_managed_policy
from sekisho.estate.model import Account, AttachedPolicy, Estate, ManagedPolicy, Role, SignIn, SignInStatement, User
from sekisho.estate.model import Group as EstateGroup
from sekisho.policy import DEFAULT, Policy, PolicyKind, Settings, check_policy
from sekisho.policy.quotas import QUOTAS, limit, policy_size

OURS = "/sekisho/"
"""The path of the managed policies that Sekisho makes."""


def compile_environment(environment: Environment, settings: Settings = DEFAULT) -> Estate:
    """The Estate that the file asks for. Raises InputError, with the line, where a quota is passed or a document is wrong.

    Each statement knows the line of the file that it came from (``Statement.origin``).
    """
    return _Compiler(environment, settings).estate()


class _Compiler:
    def __init__(self, environment: Environment, settings: Settings) -> None:
        self.environment = environment
        self.wanted = environment.wanted
        self.settings = settings
        self.managed: dict[str, dict[str, ManagedPolicy]] = {}
        self.roles_of_single_users: dict[str, list[RoleWanted]] = {}
        for target in environment.roles:
            for user in target.role.trusts.users:
                self.roles_of_single_users.setdefault(user, []).append(target)

    # The estate -----------------------------------------------------------------------------------------------------

    def estate(self) -> Estate:
        jump = self.environment.jump
        groups = tuple(self.group(name, group) for name, group in self.wanted.groups.items())
        users = tuple(self.user(name) for name in self.environment.users)
        roles: dict[str, list[Role]] = {a.id: [] for a in self.wanted.accounts.values()}
        for target in self.environment.roles:
            roles[target.account].append(self.role(target))
        labels = {a.id: label for label, a in self.wanted.accounts.items()}
        accounts = [
            Account(
                jump, "jump", self.wanted.jump.alias, users, groups, policies=tuple(self.managed.get(jump, {}).values()), sign_in=self.sign_in(),
                password_policy=_password_policy(self.wanted.jump.password_policy),
            )
        ]  # fmt: skip
        for account_id, made in roles.items():
            policies = tuple(self.managed.get(account_id, {}).values())
            accounts.append(Account(account_id, labels[account_id], roles=tuple(made), policies=policies))
        self.count(accounts)
        return Estate.of(accounts)

    def count(self, accounts: Sequence[Account]) -> None:
        """No account has more of anything than AWS gives it, after a raise where one can be had."""
        for account in accounts:
            label = next((label for label, a in self.wanted.accounts.items() if a.id == account.id), None)
            path: Path_ = ("groups",) if label is None else ("accounts", label, "roles")
            own = [p for p in account.policies if not p.arn.startswith("arn:aws:iam::aws:")]
            for name, things in (("users", account.users), ("groups", account.groups), ("roles", account.roles), ("policies", own)):
                most = QUOTAS[name].most or QUOTAS[name].limit
                if len(things) > most:
                    what = "customer managed policies" if name == "policies" else name
                    raise self.environment.problem(path, f"account {account.id} would have {len(things):,} {what}", f"at most {most:,} (A.4)")

    # Policies -------------------------------------------------------------------------------------------------------

    def parse(self, document: dict[str, Any], kind: PolicyKind, name: str, path: Path_, arn: str | None = None) -> Policy:
        """A document checked as AWS would check it, its statements marked with the line that they came from."""
        try:
            policy = check_policy(document, kind, self.settings, name)
        except PolicyError as error:
            pointer = error.place.pointer if error.place and error.place.pointer else ""
            raise self.environment.problem(
                (*path, *_steps(pointer)), f"{name}{' at ' if pointer else ''}{pointer}: {error.message}",
                error.expected or "a policy that AWS takes", error.remedy,
            ) from error  # fmt: skip
        policy = policy.with_origin([self.environment.place((*path, *_steps(s.pointer))) for s in policy.statements])
        return Policy(policy.statements, policy.version, policy.id, policy.kind, name, arn, policy.document)

    def ours(self, name: str, document: dict[str, Any], path: Path_) -> AttachedPolicy:
        """A customer managed policy of the jump account, made once however many groups use it: one name is always one document."""
        jump = self.environment.jump
        arn = f"arn:aws:iam::{jump}:policy{OURS}{name}"
        known = self.managed.setdefault(jump, {})
        if arn not in known:
            policy = self.parse(document, PolicyKind.IDENTITY, name, path, arn)
            size, most = policy_size(document, self.settings), limit("managed_policy_size", self.settings)
            if size > most:
                raise self.environment.problem(
                    path, f"the policy {name} has {size:,} characters", f"at most {most:,} (white space not counted)",
                    "fewer or wider networks: neighbouring ones joined into one CIDR",
                )  # fmt: skip
            known[arn] = ManagedPolicy(arn, name, OURS, _unique_id("ANPA", arn), "v1", policy)
        return AttachedPolicy(arn, name, known[arn].policy)

    def named(self, arn: str, account: str, path: Path_) -> AttachedPolicy:
        """A managed policy that the file names by ARN; of AWS's the document is known, of others it isn't."""
        name = arn.rpartition("/")[2]
        document = aws_managed_document(arn)
        if document is None:
            if arn.startswith("arn:aws:iam::aws:"):
                near = difflib.get_close_matches(arn, aws_managed_arns(), 1, 0.8)
                raise self.environment.problem(
                    path, f"AWS has no managed policy {arn}", "the ARN of a managed policy",
                    f"did you mean {near[0]}?" if near else "see `aws iam list-policies --scope AWS`",
                )  # fmt: skip
            if not arn.startswith(f"arn:aws:iam::{account}:"):
                raise self.environment.problem(path, f"{arn} is of another account", f"a policy of AWS's, or of account {account} itself")
            return AttachedPolicy(arn, name, None)
        policy = aws_managed_policy(arn)
        self.managed.setdefault(account, {}).setdefault(
            arn, ManagedPolicy(arn, name, document.path, _unique_id("ANPA", arn), document.version, policy)
        )
        return AttachedPolicy(arn, name, policy)

    def inline(self, policies: dict[str, dict[str, Any]], quota: str, path: Path_) -> tuple[Policy, ...]:
        parsed = tuple(self.parse(d, PolicyKind.IDENTITY, n, (*path, n)) for n, d in policies.items())
        size, most = sum(policy_size(p.document, self.settings) for p in parsed), limit(quota, self.settings)
        if size > most:
            raise self.environment.problem(
                path, f"the inline policies have {size:,} characters together", f"at most {most:,} (white space not counted)",
                "use managed policies: each may have 6,144",
            )  # fmt: skip
        return parsed

    # The jump account -----------------------------------------------------------------------------------------------

    def group(self, name: str, group: Group) -> EstateGroup:
        jump = self.environment.jump
        path: Path_ = ("groups", name)
        attached = [*self.switching(name, path), *self.self_service(), *self.restriction(name, group, path)]
        attached += [self.named(arn, jump, (*path, "policies", i)) for i, arn in enumerate(group.policies)]
        most = QUOTAS["group_attached"].limit
        if len(attached) > most:
            raise self.environment.problem(
                path, f"the group {name} would have {len(attached)} managed policies", f"at most {most}",
                "fewer roles in this group: split the group by team",
            )  # fmt: skip
        inline = self.inline(group.inline_policies, "group_inline_size", (*path, "inline_policies"))
        arn = f"arn:aws:iam::{jump}:group{group.path}{name}"
        return EstateGroup(arn, name, group.path, _unique_id("AGPA", arn), inline, tuple(attached))

    def switching(self, name: str, path: Path_) -> list[AttachedPolicy]:
        """Leave to assume the roles that trust the group: any role in the article's form, else those roles by name (F-09)."""
        if self.wanted.jump.self_service == "article":
            return [self.ours("allow-assume-role", documents.allow_assume_role(None), ("groups",))]
        arns = [t.arn for t in self.environment.roles if name in t.role.trusts.groups]
        # The number stands before the group's name: behind it, the second part for `ops` would be the first for `ops-2`.
        return [
            self.ours(_policy_name("assume-roles" if i == 1 else f"assume-more-roles-{i}", name), documents.allow_assume_role(part), path)
            for i, part in enumerate(self.in_parts(arns), 1)
        ]

    def in_parts(self, arns: Sequence[str]) -> list[list[str]]:
        """The ARNs in as many lists as managed policies are needed to hold them."""
        most = limit("managed_policy_size", self.settings)
        parts: list[list[str]] = []
        for arn in arns:
            if not parts or policy_size(documents.allow_assume_role([*parts[-1], arn]), self.settings) > most:
                parts.append([])
            parts[-1].append(arn)
        return parts

    def self_service(self) -> list[AttachedPolicy]:
        """What users may do for themselves; nothing where the groups' own policies say it (``none``)."""
        form, mfa = self.wanted.jump.self_service, self.wanted.jump.mfa
        if form == "none":
            return []
        name = "self-manage-mfa" if form == "article" else "self-service"
        make = documents.self_service_article if form == "article" else documents.self_service_current
        return [self.ours(name, make(mfa_required=mfa.required, mfa_max_age_s=mfa.max_age), ("jump", "self_service"))]

    def restriction(self, name: str, group: Group, path: Path_) -> list[AttachedPolicy]:
        """Method 1: the jump account's networks for every group, or the group's own."""
        own = group.networks is not None
        names = group.networks if group.networks is not None else self.wanted.jump.networks
        if names == "anywhere":
            return []
        document = documents.deny_outside(self.environment.cidrs(tuple(names)))
        where: Path_ = (*path, "networks") if own else ("jump", "networks")
        return [self.ours(_policy_name("deny-outside-networks", name) if own else "deny-outside-networks", document, where)]

    def user(self, name: str) -> User:
        arn = self.environment.user_arn(name)
        groups = self.environment.users[name]
        inline: tuple[Policy, ...] = ()
        own = [t for t in self.roles_of_single_users.get(name, ()) if not set(t.role.trusts.groups) & set(groups)]
        if own and self.wanted.jump.self_service != "article":
            first = own[0]
            path = ("accounts", first.account_label, "roles", first.name, "trusts", "users", first.role.trusts.users.index(name))
            inline = self.inline({"assume-roles": documents.allow_assume_role([t.arn for t in own])}, "user_inline_size", path)
        if len(groups) > QUOTAS["groups_per_user"].limit:
            raise self.environment.problem(("groups", groups[-1], "users"), f"the user {name} is in {len(groups)} groups", "at most 10")
        return User(arn, name, self.environment.user_path(name), _unique_id("AIDA", arn), groups, inline, tags=self.user_mark(groups, inline))

    def user_mark(self, groups: tuple[str, ...], inline: tuple[Policy, ...]) -> tuple[tuple[str, str], ...]:
        """A user's mark also tells what the file gives the user's groups, which have no tags of their own."""
        given = [on_group(g, n) for g in groups for n in (*self.wanted.groups[g].policies, *self.wanted.groups[g].inline_policies)]
        return mark([*(p.name for p in inline), *given])

    def sign_in(self) -> SignIn | None:
        """Method 3 (M-01): one statement with the networks; users whose groups are all the exception are the excluded principals."""
        names = self.wanted.jump.sign_in
        if names == "anywhere":
            return None
        cidrs = self.environment.cidrs(tuple(names))
        excluded = []
        for user, groups in self.environment.users.items():
            if all(self.wanted.groups[g].networks == "anywhere" for g in groups):
                if self.environment.user_path(user) != "/":
                    group = next(g for g in groups if self.wanted.groups[g].path != "/")
                    raise self.environment.problem(
                        ("groups", group, "path"), f"AWS Sign-In can't make an exception of {user}, who has a path (M-05)",
                        f"a group without a path where `jump.sign_in` names networks and {group} has `networks: anywhere`",
                        f"take the path of {group} out, or write `sign_in: anywhere`",
                    )  # fmt: skip
                excluded.append(self.environment.user_arn(user))
        return SignIn((SignInStatement("sekisho", source_ip=cidrs, excluded_principals=tuple(excluded)),), enforced=True)

    # Roles ----------------------------------------------------------------------------------------------------------

    def role(self, target: RoleWanted) -> Role:
        role = target.role
        path: Path_ = ("accounts", target.account_label, "roles", target.name)
        attached = tuple(self.named(arn, target.account, (*path, "policies", i)) for i, arn in enumerate(role.policies))
        if len(attached) > QUOTAS["role_attached"].limit:
            raise self.environment.problem((*path, "policies"), f"{len(attached)} managed policies", f"at most {QUOTAS['role_attached'].limit}")
        inline = dict(role.inline_policies)
        if role.session.stay_on_networks:
            taken = next((n for n in inline if n.lower() == "stay-on-networks"), None)
            if taken is not None:
                raise self.environment.problem(
                    (*path, "inline_policies", taken), f"the name {taken} is taken: stay_on_networks makes a policy of that name", "another name"
                )
            inline["stay-on-networks"] = documents.deny_outside(self.environment.cidrs(tuple(role.networks)))
        boundary = self.named(role.boundary, target.account, (*path, "boundary")) if role.boundary else None
        parsed = self.inline(inline, "role_inline_size", (*path, "inline_policies"))
        stay = self.environment.place((*path, "session", "stay_on_networks"))
        parsed = tuple(p if p.name in role.inline_policies else p.with_origin([stay] * len(p.statements)) for p in parsed)
        return Role(
            target.arn, target.name, self.trust(target, path), role.path, _unique_id("AROA", target.arn), parsed, attached, boundary,
            role.session.max_duration, mark([*(a.arn for a in (*attached, boundary) if a), *(p.name for p in parsed)]),
        )  # fmt: skip

    def trust_document(
        self, target: RoleWanted, form: str, path: Path_, *,
        networks_as: str | None = None, more_users: Sequence[str] = (), paths_for_all: bool = False,
    ) -> dict[str, Any]:  # fmt: skip
        """A role's trust policy in one of its forms.

        To weigh what isn't in the file: ``networks_as`` in place of the role's own, ``more_users`` (ARNs), and with ``paths_for_all``
        a path for each group that has none.
        """
        role, jump = target.role, self.environment.jump
        users = [*(self.environment.user_arn(u) for u in self.environment.trusted_users(role)), *more_users]
        principals: str | list[str] = f"arn:aws:iam::{jump}:root"
        patterns: list[str] = []
        if form == "users":
            principals = users[0] if len(users) == 1 else users
        elif form == "paths":
            for i, name in enumerate(role.trusts.groups):
                group_path = self.wanted.groups[name].path
                if group_path == "/" and paths_for_all:
                    group_path = f"/{name}/"
                if group_path == "/":
                    raise self.environment.problem(
                        (*path, "trusts", "groups", i), f"the group {name} has no path of its own, so `trusts_as: paths` would name every user",
                        f"a path for the group, such as /{name}/", f"give the group `path: /{name}/`, or use `trusts_as: users`",
                    )  # fmt: skip
                patterns.append(f"arn:aws:iam::{jump}:user{group_path}*")
            patterns += [self.environment.user_arn(u) for u in role.trusts.users]
        mfa = role.mfa if role.mfa is not None else self.wanted.jump.mfa
        return documents.trust(
            principals, principal_arns=patterns, mfa=mfa.required, mfa_max_age_s=mfa.max_age,
            cidrs=None if role.networks == "anywhere" else self.environment.cidrs(tuple(role.networks)),
            networks_as=networks_as or role.networks_as,
        )  # fmt: skip

    def trust(self, target: RoleWanted, path: Path_) -> Policy:
        form = target.role.trusts_as
        document = self.trust_document(target, form, path)
        size, most = policy_size(document, self.settings), limit("trust_policy_size", self.settings)
        if size > most:
            raise self.too_large(target, size, most, path)
        policy = self.parse(document, PolicyKind.TRUST, f"trust policy of {target.name}", path)
        origins: list[Place | None] = [self.environment.place((*path, "trusts"))]
        origins += [self.environment.place((*path, "networks"))] * (len(policy.statements) - 1)
        return policy.with_origin(origins)

    def too_large(self, target: RoleWanted, size: int, most: int, path: Path_) -> InputError:
        """Over the trust policy's quota: say which form would fit, and what it opens (F-09)."""
        role = target.role
        pathless = [g for g in role.trusts.groups if self.wanted.groups[g].path == "/"]
        paths = "it names the groups' paths, so any user at them is trusted"
        if pathless:
            paths = f"with a path for {', '.join(pathless)}, such as /{pathless[0]}/; {paths}"
        account = "it trusts the whole jump account: each user and role there with leave to assume the role"
        forms = [
            ("trusts_as: paths", "paths", role.networks_as, paths),
            ("trusts_as: account", "account", role.networks_as, account),
            ("networks_as: allow", role.trusts_as, "allow", "it names each user once"),
        ]
        fitting = []
        for written, form, networks_as, what in forms:
            if (form, networks_as) == (role.trusts_as, role.networks_as) or (form == "paths" and not role.trusts.groups):
                continue
            other = policy_size(self.trust_document(target, form, path, networks_as=networks_as, paths_for_all=True), self.settings)
            if other <= most:
                fitting.append(f"`{written}` would have {other:,} ({what})")
        return self.environment.problem(
            (*path, "trusts"), f"the trust policy of {target.name} has {size:,} characters", f"at most {most:,} (white space not counted)",
            "; ".join(fitting) or "fewer users or networks in one role: split the role",
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Room:
    """How many more users fit, with names of ``name_length`` characters; ``limited_by``: the ARN of the role whose trust policy is full
    first, or None where it is the number of users that an account may have."""

    users: int
    name_length: int
    limited_by: str | None


def trust_room(environment: Environment, target: RoleWanted, settings: Settings = DEFAULT) -> Room:
    """How many more users fit a role's trust policy, with names as long as the longest that it has to name now."""
    names = environment.trusted_users(target.role) or ("",)
    longest = max(names, key=lambda u: len(environment.user_arn(u)) if u else 0)
    return _room(environment, [target], len(longest), environment.user_path(longest) if longest else "/", settings)


def group_room(environment: Environment, group: str, settings: Settings = DEFAULT) -> Room:
    """How many more users fit a group, with names as long as its longest: whichever role that trusts it is full first says so."""
    wanted = environment.wanted.groups[group]
    roles = [t for t in environment.roles if group in t.role.trusts.groups]
    return _room(environment, roles, max(map(len, wanted.users), default=8), wanted.path, settings)


def _room(environment: Environment, roles: Sequence[RoleWanted], name_length: int, path: str, settings: Settings) -> Room:
    compiler, most = _Compiler(environment, settings), limit("trust_policy_size", settings)
    arn = f"arn:aws:iam::{environment.jump}:user{path}{'x' * name_length}"
    room = Room(QUOTAS["users"].limit - len(environment.users), name_length, None)
    for target in roles:
        if target.role.trusts_as != "users":
            continue
        where: Path_ = ("accounts", target.account_label, "roles", target.name)
        # From the second name on the names are a list, and each one more adds the same.
        one, two = (policy_size(compiler.trust_document(target, "users", where, more_users=[arn] * n), settings) for n in (1, 2))
        fit = 0 if one > most else 1 + (most - one) // (two - one)
        if fit < room.users:
            room = Room(fit, name_length, target.arn)
    return room


def _policy_name(prefix: str, group: str) -> str:
    """A policy's name for a group; a name that would be longer than AWS takes ends in a hash of the group's."""
    name, most = f"{prefix}-{group}", QUOTAS["policy_name"].limit
    return name if len(name) <= most else f"{name[: most - 9]}-{hashlib.sha256(group.encode()).hexdigest()[:8]}"


def _steps(pointer: str) -> Path_:
    """A JSON pointer into a document as steps of the file that it stands in."""
    steps = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    return tuple(int(step) if step.isdecimal() else step for step in steps)


def _unique_id(prefix: str, arn: str) -> str:
    """An id of AWS's form that is always the same for an ARN: compiling twice gives the same bytes."""
    return prefix + base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()[:17]


def _password_policy(policy: PasswordPolicy | None) -> dict[str, Any] | None:
    """The password policy in the names of AWS's API (UpdateAccountPasswordPolicy)."""
    if policy is None:
        return None
    names = {
        "MinimumPasswordLength": policy.minimum_length, "RequireSymbols": policy.require_symbols, "RequireNumbers": policy.require_numbers,
        "RequireUppercaseCharacters": policy.require_uppercase, "RequireLowercaseCharacters": policy.require_lowercase,
        "AllowUsersToChangePassword": policy.allow_users_to_change, "MaxPasswordAge": policy.max_age_days,
        "PasswordReusePrevention": policy.reuse_prevention,
    }  # fmt: skip
    return {k: v for k, v in names.items() if v is not None}
