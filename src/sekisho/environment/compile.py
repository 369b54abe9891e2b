"""An environment file compiled to the Estate that it asks for. Pure: the same file gives the same bytes.

The managed policies that Sekisho makes stand at the path ``/sekisho/``, users and roles carry a tag (``mark.py``), so that they can be told
from what others made.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from sekisho.environment import documents
from sekisho.environment.file import Environment, Path_, RoleWanted
from sekisho.environment.mark import mark
from sekisho.environment.model import Group, PasswordPolicy
from sekisho.errors import InputError, Place, PolicyError
from sekisho.estate.managed import aws_managed_document, aws_managed_policy
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

    # The estate -----------------------------------------------------------------------------------------------------

    def estate(self) -> Estate:
        jump = self.environment.jump
        groups = tuple(self.group(name, group) for name, group in self.wanted.groups.items())
        users = tuple(self.user(name) for name in self.environment.users)
        roles: dict[str, list[Role]] = {a.id: [] for a in self.wanted.accounts.values()}
        for target in self.environment.roles:
            roles[target.account].append(self.role(target))
        labels = {a.id: label for label, a in self.wanted.accounts.items()}
        accounts = []
        for account_id in dict.fromkeys([jump, *roles]):
            is_jump = account_id == jump
            accounts.append(
                Account(
                    account_id, "jump" if is_jump else labels[account_id], self.wanted.jump.alias if is_jump else None,
                    users if is_jump else (), groups if is_jump else (), tuple(roles.get(account_id, ())),
                    tuple(self.managed.get(account_id, {}).values()),
                    sign_in=self.sign_in() if is_jump else None,
                    password_policy=_password_policy(self.wanted.jump.password_policy) if is_jump else None,
                )
            )  # fmt: skip
        return Estate.of(accounts)

    # Policies -------------------------------------------------------------------------------------------------------

    def parse(self, document: dict[str, Any], kind: PolicyKind, name: str, path: Path_, arn: str | None = None) -> Policy:
        """A document checked as AWS would check it, its statements marked with the line that they came from."""
        try:
            policy = check_policy(document, kind, self.settings, name)
        except PolicyError as error:
            where = f" at {error.place.pointer}" if error.place and error.place.pointer else ""
            raise self.environment.problem(
                path, f"{name}{where}: {error.message}", error.expected or "a policy that AWS takes", error.remedy
            ) from error
        place = self.environment.place(path)
        policy = policy.with_origin([place] * len(policy.statements))
        return Policy(policy.statements, policy.version, policy.id, policy.kind, name, arn, policy.document)

    def ours(self, name: str, document: dict[str, Any], path: Path_) -> AttachedPolicy:
        """A customer managed policy of the jump account, made once however many groups use it."""
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
                raise self.environment.problem(
                    path, f"AWS has no managed policy {arn}", "the ARN of a managed policy", "see `aws iam list-policies --scope AWS`"
                )
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
        attached = [*self.switching(name, path), *self.self_service(name, group, path), *self.restriction(name, group, path)]
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
        parts = self.in_parts(arns)
        return [
            self.ours(f"assume-roles-{name}" + (f"-{i + 1}" if len(parts) > 1 else ""), documents.allow_assume_role(part), path)
            for i, part in enumerate(parts)
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

    def self_service(self, name: str, group: Group, path: Path_) -> list[AttachedPolicy]:
        if self.wanted.jump.self_service == "article":
            return [self.ours("self-manage-mfa", documents.self_service_article(), ("jump", "self_service"))]
        paths = sorted({self.environment.user_path(u) for u in group.users}) or [group.path]
        own = [f"arn:aws:iam::{self.environment.jump}:user{p}${{aws:username}}" for p in paths]
        suffix = "-".join(p.strip("/").replace("/", "-") for p in paths if p != "/")
        document = documents.self_service_current(own, mfa_required=self.wanted.jump.mfa.required)
        return [self.ours("self-service" + (f"-{suffix}" if suffix else "") + ("-and-root" if suffix and "/" in paths else ""), document, ("jump",))]

    def restriction(self, name: str, group: Group, path: Path_) -> list[AttachedPolicy]:
        """Method 1: the jump account's networks for every group, or the group's own."""
        own = group.networks is not None
        names = group.networks if group.networks is not None else self.wanted.jump.networks
        if names == "anywhere":
            return []
        document = documents.deny_outside(self.environment.cidrs(tuple(names)))
        where: Path_ = (*path, "networks") if own else ("jump", "networks")
        return [self.ours("deny-outside-networks" + (f"-{name}" if own else ""), document, where)]

    def user(self, name: str) -> User:
        arn = self.environment.user_arn(name)
        groups = self.environment.users[name]
        inline: tuple[Policy, ...] = ()
        if self.wanted.jump.self_service != "article":
            own = [t for t in self.environment.roles if name in t.role.trusts.users]
            by_group = {t.arn for t in self.environment.roles for g in t.role.trusts.groups if g in groups}
            arns = [t.arn for t in own if t.arn not in by_group]
            if arns:
                first = next(t for t in own if t.arn in arns)
                path = ("accounts", first.account_label, "roles", first.name, "trusts", "users")
                inline = self.inline({"assume-roles": documents.allow_assume_role(arns)}, "user_inline_size", path)
        if len(groups) > QUOTAS["groups_per_user"].limit:
            raise self.environment.problem(("groups", groups[-1], "users"), f"the user {name} is in {len(groups)} groups", "at most 10")
        return User(arn, name, self.environment.user_path(name), _unique_id("AIDA", arn), groups, inline, tags=mark(p.name for p in inline))

    def sign_in(self) -> SignIn | None:
        """Method 3 (M-01): one statement with the networks; users of groups without a Deny are the excluded principals (M-05)."""
        names = self.wanted.jump.sign_in
        if names == "anywhere":
            return None
        cidrs = self.environment.cidrs(tuple(names))
        excluded = [
            self.environment.user_arn(u) for u, groups in self.environment.users.items()
            if any(self.wanted.groups[g].networks == "anywhere" for g in groups)
        ]  # fmt: skip
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
            inline["stay-on-networks"] = documents.deny_outside(self.environment.cidrs(tuple(role.networks)))
        boundary = self.named(role.boundary, target.account, (*path, "boundary")) if role.boundary else None
        parsed = self.inline(inline, "role_inline_size", (*path, "inline_policies"))
        stay = self.environment.place((*path, "session", "stay_on_networks"))
        parsed = tuple(p if p.name in role.inline_policies else p.with_origin([stay] * len(p.statements)) for p in parsed)
        return Role(
            target.arn, target.name, self.trust(target, path), role.path, _unique_id("AROA", target.arn), parsed, attached, boundary,
            role.session.max_duration, mark([*(a.arn for a in (*attached, boundary) if a), *(p.name for p in parsed)]),
        )  # fmt: skip

    def trust_document(self, target: RoleWanted, form: str, path: Path_) -> dict[str, Any]:
        role, jump = target.role, self.environment.jump
        users = [self.environment.user_arn(u) for u in self.environment.trusted_users(role)]
        principals: str | list[str] = f"arn:aws:iam::{jump}:root"
        patterns: list[str] = []
        if form == "users":
            principals = users[0] if len(users) == 1 else users
        elif form == "paths":
            for i, name in enumerate(role.trusts.groups):
                group_path = self.wanted.groups[name].path
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
            cidrs=None if role.networks == "anywhere" else self.environment.cidrs(tuple(role.networks)), networks_as=role.networks_as,
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
        opens = {
            "paths": "it names the groups' paths, so any user at them is trusted",
            "account": "it trusts the whole jump account, so every user and role there with leave to assume the role gets in",
        }
        fitting = []
        for form, what in opens.items():
            try:
                other = policy_size(self.trust_document(target, form, path), self.settings)
            except InputError:
                continue
            if form != target.role.trusts_as and other <= most:
                fitting.append(f"`trusts_as: {form}` would have {other:,} ({what})")
        return self.environment.problem(
            (*path, "trusts"), f"the trust policy of {target.name} has {size:,} characters", f"at most {most:,} (white space not counted)",
            "; ".join(fitting) or "fewer users or networks in one role: split the role",
        )  # fmt: skip


def trust_room(environment: Environment, target: RoleWanted, settings: Settings = DEFAULT) -> int | None:
    """How many more users of the usual name length fit the role's trust policy; None where users aren't named in it."""
    if target.role.trusts_as != "users":
        return None
    compiler = _Compiler(environment, settings)
    path: Path_ = ("accounts", target.account_label, "roles", target.name)
    used = policy_size(compiler.trust_document(target, "users", path), settings)
    longest = max((len(environment.user_arn(u)) for u in environment.trusted_users(target.role)), default=40)
    # A user is named in the Allow, and in the Deny where there is one.
    times = 2 if target.role.networks != "anywhere" and target.role.networks_as == "deny" else 1
    return max(0, (limit("trust_policy_size", settings) - used) // (times * (longest + 3)))


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
