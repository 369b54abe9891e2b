"""What exists: an Estate of accounts with their principals, policies and MFA devices, as immutable values.

An Estate says nothing about how it came to be: compiled from ``sekisho.yaml``, collected from AWS, loaded from AWS's own
JSON or taken from the sandbox. What could not be read is listed in ``Account.unread``; it is never taken for "there is none".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

from sekisho.policy import Policy

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class AttachedPolicy:
    """A managed policy attached to a principal: its ARN, its name, and its document, or None where it is not known."""

    arn: str
    name: str
    policy: Policy | None = None


@dataclass(frozen=True)
class ManagedPolicy:
    """A customer managed policy, or an AWS managed one that is attached somewhere.

    ``versions`` holds AWS's PolicyVersionList entries as they came, the default one's document parsed in ``policy``.
    """

    arn: str
    name: str
    path: str = "/"
    id: str = ""
    default_version: str = "v1"
    policy: Policy | None = None
    versions: tuple[Mapping[str, Any], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class MfaDevice:
    """An MFA device: its serial (an ARN for a virtual device), its kind and, where enabled, since when (ISO 8601, UTC)."""

    serial: str
    kind: str = "virtual"
    enabled: str | None = None


@dataclass(frozen=True)
class User:
    arn: str
    name: str
    path: str = "/"
    id: str = ""
    groups: tuple[str, ...] = ()
    inline: tuple[Policy, ...] = ()
    attached: tuple[AttachedPolicy, ...] = ()
    boundary: AttachedPolicy | None = None
    tags: tuple[tuple[str, str], ...] = ()
    mfa_devices: tuple[MfaDevice, ...] | None = None
    """None: not known (AWS's own JSON doesn't hold them); empty: none."""
    has_password: bool | None = None
    access_keys: tuple[str, ...] | None = None
    other_credentials: tuple[tuple[str, str], ...] | None = None
    """(kind, id) of what else the user can be known by: ``SSHPublicKey``, ``SigningCertificate``, ``ServiceSpecificCredential``."""
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    """What AWS's JSON holds beside: CreateDate and whatever AWS adds, kept as it came."""


@dataclass(frozen=True)
class Group:
    arn: str
    name: str
    path: str = "/"
    id: str = ""
    inline: tuple[Policy, ...] = ()
    attached: tuple[AttachedPolicy, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)


@dataclass(frozen=True)
class Role:
    arn: str
    name: str
    trust: Policy
    path: str = "/"
    id: str = ""
    inline: tuple[Policy, ...] = ()
    attached: tuple[AttachedPolicy, ...] = ()
    boundary: AttachedPolicy | None = None
    max_session_s: int = 3600
    tags: tuple[tuple[str, str], ...] = ()
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @property
    def is_service_linked(self) -> bool:
        """A service-linked role: never a target for users, untouched by SCPs (D-40)."""
        return self.path.startswith("/aws-service-role/")


@dataclass(frozen=True)
class SignInStatement:
    """One permission statement of an AWS Sign-In resource-based policy (M-01): who may sign in from where."""

    id: str = ""
    source_ip: tuple[str, ...] = ()
    source_vpc: tuple[str, ...] = ()
    signin_source_vpce: tuple[str, ...] = ()
    console_source_vpce: tuple[str, ...] = ()
    vpc_source_ip: tuple[str, ...] = ()
    requested_region: tuple[str, ...] = ()
    excluded_principals: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignIn:
    """Method 3: the account's permission statements, and whether console authorization is switched on (M-02)."""

    statements: tuple[SignInStatement, ...] = ()
    enforced: bool = False


@dataclass(frozen=True)
class Account:
    id: str
    name: str = ""
    alias: str | None = None
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    roles: tuple[Role, ...] = ()
    policies: tuple[ManagedPolicy, ...] = ()
    resource_policies: tuple[tuple[str, Policy], ...] = ()
    """Resource policies other than trust policies: (resource ARN, policy)."""
    organization: str | None = None
    is_management: bool = False
    service_control: tuple[tuple[Policy, ...], ...] | None = None
    """SCPs, one tuple a level (root, each OU, account); None: not in an organisation with SCPs."""
    resource_control: tuple[tuple[Policy, ...], ...] | None = None
    sign_in: SignIn | None = None
    password_policy: Mapping[str, Any] | None = None
    unread: tuple[tuple[str, str], ...] = ()
    """What could not be read: (what, why), e.g. ("service_control", "AccessDenied: ..."). Answers that need it are unknown."""
    extra: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    @cached_property
    def _users(self) -> Mapping[str, User]:
        return {u.name: u for u in self.users}

    @cached_property
    def _groups(self) -> Mapping[str, Group]:
        return {g.name: g for g in self.groups}

    @cached_property
    def _roles(self) -> Mapping[str, Role]:
        return {r.name: r for r in self.roles}

    @cached_property
    def _policies(self) -> Mapping[str, ManagedPolicy]:
        return {p.arn: p for p in self.policies}

    def user(self, name: str) -> User | None:
        """The user of that name, exactly as spelled, or None."""
        return self._users.get(name)

    def group(self, name: str) -> Group | None:
        return self._groups.get(name)

    def role(self, name: str) -> Role | None:
        """The role of that name (without its path; a name is unique in an account, D-44), or None."""
        return self._roles.get(name)

    def managed(self, arn: str) -> ManagedPolicy | None:
        return self._policies.get(arn)


@dataclass(frozen=True)
class Estate:
    """A set of accounts. ``Estate.of(accounts)`` builds one; ``with_account`` gives another with one account replaced."""

    accounts: tuple[Account, ...] = ()

    @classmethod
    def of(cls, accounts: Iterable[Account]) -> Estate:
        return cls(tuple(sorted(accounts, key=lambda a: a.id)))

    @cached_property
    def _by_id(self) -> Mapping[str, Account]:
        return {a.id: a for a in self.accounts}

    def account(self, account_id: str) -> Account | None:
        return self._by_id.get(account_id)

    def with_account(self, account: Account) -> Estate:
        """This estate with ``account`` in place of the one of the same id (or added)."""
        return Estate.of([a for a in self.accounts if a.id != account.id] + [account])

    def user(self, arn: str) -> User | None:
        """The user with that ARN, path included, or None."""
        account = self.account(_account_of(arn))
        user = account.user(arn.rpartition("/")[2]) if account else None
        return user if user and user.arn == arn else None

    def role(self, arn: str) -> Role | None:
        """The role with that ARN, path included, or None."""
        account = self.account(_account_of(arn))
        role = account.role(arn.rpartition("/")[2]) if account else None
        return role if role and role.arn == arn else None


def _account_of(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


__all__ = [
    "Account",
    "AttachedPolicy",
    "Estate",
    "Group",
    "ManagedPolicy",
    "MfaDevice",
    "Role",
    "SignIn",
    "SignInStatement",
    "User",
    "replace",
]
