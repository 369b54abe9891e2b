"""What has to be done so that what exists becomes what is wanted: an ordered list of changes, each with its AWS calls. Pure.

The order keeps two promises at each step in between. **Nobody has more than before or after**: first comes what gives nothing by itself
(policies that hang nowhere, groups and users without each other), then what only takes away, then documents that do both, then what gives,
and last the Denies that go. **Whoever keeps a way keeps it throughout**: where something is taken and something given in exchange (a user
who moves to another group, a policy in place of another) the new comes before the old goes. A Deny stands before the Allow that it limits,
users stand before the trust policies that name them (A-31), and what goes, goes in reverse. Where users move to another path, trusts that tell
users by the path let them in at both, from before the move until after it.

**What is ours** is told by a mark that stands in the account itself: the path ``/sekisho/`` of managed policies, the tag ``sekisho`` of
users and roles, and, for groups, such a policy attached. The tag also says which attachments are ours; a user's, which of their groups' are.
All else is foreign: it is kept, and told, unless ``exclusive``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum, StrEnum
from functools import partial
from typing import Any

from sekisho.deploy.calls import Call, document_text
from sekisho.deploy.turns import common, denies, deny_first, direction, followed, only_denies, with_old_paths
from sekisho.environment import OURS
from sekisho.environment.mark import MARK, is_marked, marks, on_group
from sekisho.estate import Account, Estate, Group, ManagedPolicy, Role, SignIn, SignInStatement, User
from sekisho.policy import Policy, PolicyKind
from sekisho.policy.quotas import QUOTAS, limit, policy_size


class Sign(StrEnum):
    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


@dataclass(frozen=True)
class Change:
    """One step. ``subject`` is the ARN of what changes (``arn:aws:iam::ID:root`` for the account itself); ``text`` says what happens to it.

    ``before`` and ``after`` are the documents of a policy that changes, for those who want to see them.
    """

    account: str
    sign: Sign
    subject: str
    text: str
    calls: tuple[Call, ...]
    before: Policy | None = field(default=None, repr=False)
    after: Policy | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Foreign:
    """Something on a principal of ours that we didn't make and leave alone."""

    account: str
    subject: str
    text: str


class _Phase(IntEnum):
    """The order of steps; the module's docstring says why."""

    SWITCH_OFF = 0
    PREPARE_POLICIES = 1
    PREPARE_GROUPS = 2
    LET_IN = 3
    PREPARE_USERS = 4
    HOLD = 5
    DENY = 6
    NARROW = 7
    REPLACE = 8
    GIVE = 9
    TAKE = 10
    ROLE_GIVE = 11
    ROLE_TAKE = 12
    OPEN = 13
    UNDENY = 14
    REMOVE_USERS = 15
    REMOVE_GROUPS = 16
    REMOVE_POLICIES = 17
    ACCOUNT = 18
    SWITCH_ON = 19


HOLD = "sekisho-leaving"
"""The inline Deny that a user gets before being taken apart: whatever goes first, nothing opens."""
REVOKED = "AWSRevokeOlderSessions"
"""The inline policy that revokes a role's sessions (D-41): nobody's to take away, or sessions would come back to life."""
_DENY_ALL: Mapping[str, Any] = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}}


_ID_OF = {"SSHPublicKey": "SSHPublicKeyId", "SigningCertificate": "CertificateId", "ServiceSpecificCredential": "ServiceSpecificCredentialId"}
_WORD_OF = {"SSHPublicKey": "SSH key", "SigningCertificate": "signing certificate", "ServiceSpecificCredential": "credential for a service"}


def changes(
    existing: Estate, wanted: Estate, *, exclusive: bool = False, in_two_steps: bool | None = None, ours: Container[str] = frozenset()
) -> tuple[Change, ...]:
    """The steps from ``existing`` to ``wanted``, in the order in which to make them; empty where there is nothing to do.

    Documents that differ in spelling or order alone are no change. ``exclusive`` takes foreign attachments off our principals too.
    Accounts that ``wanted`` doesn't hold are left alone. ``in_two_steps``: a document that gives and takes is put down to what both allow
    first; None: where more than that document changes what anyone can do. ``ours``: ARNs of what is ours beside what carries our mark.

    >>> changes(Estate(), Estate())
    ()
    """

    moved = _moves(existing, wanted)

    def steps(in_two_steps: bool) -> list[tuple[_Phase, Change]]:
        found: list[tuple[_Phase, Change]] = []
        for account in wanted.accounts:
            found += _Account(existing.account(account.id) or Account(account.id), account, exclusive, in_two_steps, ours, moved).steps()
        return sorted(found, key=lambda s: s[0])

    found = steps(bool(in_two_steps))
    if in_two_steps is None:
        turning = [p for p, _ in found if _Phase.HOLD <= p <= _Phase.UNDENY]
        if _Phase.REPLACE in turning and len(turning) > 1:
            found = steps(True)
    return tuple(change for _, change in found)


def _moves(existing: Estate, wanted: Estate) -> dict[str, str]:
    """Users' ARNs and their beginnings, old → new, of users who get another path."""
    found: dict[str, str] = {}
    for account in wanted.accounts:
        held = existing.account(account.id)
        for user in account.users if held is not None else ():
            have = held.user(user.name) if held is not None else None
            if have is not None and have.path != user.path:
                found |= {have.arn: user.arn, have.arn.removesuffix(have.name): user.arn.removesuffix(user.name)}
    return found


def leaving(existing: Estate, wanted: Estate) -> dict[str, tuple[str, ...]]:
    """Account → names of the users that are ours and no longer wanted."""
    found: dict[str, tuple[str, ...]] = {}
    for want in wanted.accounts:
        have = existing.account(want.id)
        if have is not None:
            names = tuple(u.name for u in have.users if want.user(u.name) is None and _Account(have, want).our_user(u))
            found |= {want.id: names} if names else {}
    return found


def foreign(existing: Estate, wanted: Estate) -> tuple[Foreign, ...]:
    """What stands on principals of ours and isn't of the file: kept and shown."""
    found: list[Foreign] = []
    for account in wanted.accounts:
        have = existing.account(account.id)
        if have is not None:
            found += _Account(have, account).foreign()
    return tuple(found)


class _Account:
    """The steps of one account."""

    def __init__(
        self, have: Account, want: Account, exclusive: bool = False, in_two_steps: bool = False, ours: Container[str] = frozenset(),
        moved: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self.moved = moved or {}
        self.have, self.want, self.exclusive, self.in_two_steps, self.ours = have, want, exclusive, in_two_steps, ours
        self.id = want.id
        self.found: list[tuple[_Phase, Change]] = []

    def add(
        self, phase: _Phase, sign: Sign, subject: str, text: str, *operations: tuple[str, dict[str, Any]], before: Policy | None = None,
        after: Policy | None = None, service: str = "iam",
    ) -> None:  # fmt: skip
        calls = tuple(Call(self.id, service, name, {k: v for k, v in params.items() if v not in (None, [], ())}) for name, params in operations)
        self.found.append((phase, Change(self.id, sign, subject, text, calls, before, after)))

    def put(
        self, phase: _Phase, sign: Sign, subject: str, text: str, operations: Callable[[str], list[tuple[str, dict[str, Any]]]],
        old: Policy | None, new: Policy,
    ) -> None:  # fmt: skip
        """A document in place of another. One that gives and takes is first put down to what both allow, where that can be said."""
        both = common(old, new) if phase is _Phase.REPLACE and old is not None and self.in_two_steps else None
        if both is not None and not both.same_as(new) and old is not None and not both.same_as(old):
            room = limit("trust_policy_size") if new.kind is PolicyKind.TRUST else limit("user_inline_size")
            if policy_size(both.document) <= max(room, policy_size(old.document), policy_size(new.document)):
                text_now = document_text(both.document)
                self.add(_Phase.NARROW, sign, subject, f"{text}: to what both allow", *operations(text_now), before=old, after=both)
                phase, old = _Phase.OPEN, both
        self.add(phase, sign, subject, text, *operations(document_text(new.document)), before=old, after=new)

    def steps(self) -> list[tuple[_Phase, Change]]:
        self.policies()
        self.groups()
        self.users()
        self.roles()
        self.account()
        self.sign_in()
        return self.found

    # Managed policies -----------------------------------------------------------------------------------------------

    def policies(self) -> None:
        wanted = {p.arn: p for p in self.want.policies if not _is_aws(p.arn)}
        for arn, policy in wanted.items():
            have = self.have.managed(arn)
            if policy.policy is None:
                continue
            document = document_text(policy.policy.document)
            if have is None:
                self.add(
                    _Phase.PREPARE_POLICIES, Sign.ADD, arn, f"policy {policy.name}",
                    ("CreatePolicy", {"PolicyName": policy.name, "Path": policy.path, "PolicyDocument": document}), after=policy.policy,
                )  # fmt: skip
            elif have.policy is None or not have.policy.same_as(policy.policy):
                room = iter(_versions_in_the_way(have))
                self.put(
                    _phase(have.policy, policy.policy), Sign.CHANGE, arn, f"policy {policy.name}",
                    partial(_new_version, arn, room), have.policy, policy.policy,
                )  # fmt: skip
        for have in self.have.policies:
            ours = (have.path == OURS or have.arn in self.ours) and not _is_aws(have.arn)
            if ours and have.arn not in wanted and not self.held_by_others(have.arn):
                old = [("DeletePolicyVersion", {"PolicyArn": have.arn, "VersionId": v}) for v in _versions(have) if v != have.default_version]
                self.add(
                    _Phase.REMOVE_POLICIES, Sign.REMOVE, have.arn, f"policy {have.name}", *old, ("DeletePolicy", {"PolicyArn": have.arn}),
                    before=have.policy,
                )  # fmt: skip

    def held_by_others(self, arn: str) -> bool:
        """Whether a foreign principal has our policy attached, or as its boundary: taking it away could open, so it stays."""
        others: list[User | Group | Role] = [u for u in self.have.users if not self.our_user(u)]
        others += [g for g in self.have.groups if not self.our_group(g) or (self.want.group(g.name) is None and self.foreign_members(g.name))]
        others += [r for r in self.have.roles if not self.our_role(r)]
        return any(arn in {a.arn for a in o.attached} or (not isinstance(o, Group) and o.boundary and o.boundary.arn == arn) for o in others)

    # Groups ---------------------------------------------------------------------------------------------------------

    def our_group(self, group: Group) -> bool:
        return self.want.group(group.name) is not None or group.arn in self.ours or any(_is_ours(a.arn) for a in group.attached)

    def groups(self) -> None:
        for group in self.want.groups:
            have = self.have.group(group.name)
            if have is None:
                self.add(_Phase.PREPARE_GROUPS, Sign.ADD, group.arn, f"group {group.name}", ("CreateGroup", _named("Group", group)))
                self.inline(None, group, "Group", new=_Phase.PREPARE_GROUPS)
                self.attached(None, group, "Group", new=_Phase.PREPARE_GROUPS)
                continue
            if have.path != group.path:
                self.add(
                    _Phase.PREPARE_GROUPS, Sign.CHANGE, have.arn, f"group {group.name}: path {have.path} → {group.path}",
                    ("UpdateGroup", {"GroupName": group.name, "NewPath": group.path}),
                )  # fmt: skip
            self.inline(have, group, "Group")
            self.attached(have, group, "Group")
        for have in self.have.groups:
            if self.our_group(have) and self.want.group(have.name) is None:
                self.group_goes(have)

    def group_goes(self, group: Group) -> None:
        """Allows go, then Denies, then the group; ``users`` has seen to its members. With foreign members it stays: its Denies limit them."""
        if self.foreign_members(group.name) and not self.exclusive:
            return
        for user in self.foreign_members(group.name):
            self.membership(Sign.REMOVE, user, group.name, _Phase.TAKE)
        self.stripped(group, "Group", _Phase.REMOVE_GROUPS)
        self.add(_Phase.REMOVE_GROUPS, Sign.REMOVE, group.arn, f"group {group.name}", ("DeleteGroup", {"GroupName": group.name}))

    def foreign_members(self, name: str) -> list[User]:
        return [u for u in self.have.users if name in u.groups and not self.our_user(u)]

    # Users ----------------------------------------------------------------------------------------------------------

    def our_user(self, user: User) -> bool:
        return self.want.user(user.name) is not None or user.arn in self.ours or is_marked(user.tags)

    def users(self) -> None:
        for user in self.want.users:
            have = self.have.user(user.name)
            if have is None:
                self.add(
                    _Phase.PREPARE_USERS, Sign.ADD, user.arn, f"user {user.name}",
                    ("CreateUser", {**_named("User", user), "PermissionsBoundary": _boundary(user), "Tags": _tags(user.tags)}),
                )  # fmt: skip
                self.inline(None, user, "User", new=_Phase.GIVE)
                self.attached(None, user, "User", new=_Phase.GIVE)
            else:
                if have.path != user.path:
                    self.add(
                        _Phase.PREPARE_USERS, Sign.CHANGE, have.arn, f"user {user.name}: path {have.path} → {user.path}",
                        ("UpdateUser", {"UserName": user.name, "NewPath": user.path}),
                    )  # fmt: skip
                self.boundary(have, user, "User")
                self.tags(have, user, "User")
                self.inline(have, user, "User")
                self.attached(have, user, "User")
            self.groups_of(have, user)
        for have in self.have.users:
            if self.our_user(have) and self.want.user(have.name) is None:
                self.user_goes(have)
            elif self.exclusive and not self.our_user(have):
                for name in have.groups:
                    if self.want.group(name) is not None:
                        self.membership(Sign.REMOVE, have, name, _Phase.TAKE)

    def groups_of(self, have: User | None, want: User) -> None:
        """In before out: in between a user has both groups' Denies, and the Allows of both."""
        now = have.groups if have else ()
        for name in want.groups:
            if name not in now:
                self.membership(Sign.ADD, want, name, _Phase.GIVE)
        leaving = [n for n in now if n not in want.groups and self.leaves(n)]
        for name in sorted(leaving, key=self.denies_in):
            self.membership(Sign.REMOVE, have or want, name, _Phase.TAKE)

    def leaves(self, name: str) -> bool:
        """Whether a user of ours is taken out of a group that the file doesn't put them into: a group of ours, or any where exclusive."""
        group = self.have.group(name)
        return self.exclusive or (group is not None and self.our_group(group))

    def denies_in(self, name: str) -> int:
        """Groups with fewer Denies are left first: what their Denies limit, others still limit."""
        group = self.have.group(name)
        held = [] if group is None else [*group.inline, *(a.policy for a in group.attached if a.policy)]
        return sum(s.denies for p in held for s in p.statements)

    def membership(self, sign: Sign, user: User, group: str, phase: _Phase) -> None:
        adds = sign is Sign.ADD
        self.add(
            phase, sign, user.arn, f"user {user.name} {'joins' if adds else 'leaves'} group {group}",
            ("AddUserToGroup" if adds else "RemoveUserFromGroup", {"GroupName": group, "UserName": user.name}),
        )  # fmt: skip

    def user_goes(self, user: User) -> None:
        """Denied everything first, which ends GetSessionToken sessions too; then credentials, policies, groups, and the user."""
        name = {"UserName": user.name}
        if HOLD not in {p.name for p in user.inline}:
            text = f"user {user.name}: denied everything, until gone"
            self.add(
                _Phase.HOLD, Sign.CHANGE, user.arn, text,
                ("PutUserPolicy", {**name, "PolicyName": HOLD, "PolicyDocument": document_text(_DENY_ALL)}),
            )  # fmt: skip
        for key in user.access_keys or ():
            text = f"access key {key} of user {user.name}"
            self.add(_Phase.REMOVE_USERS, Sign.REMOVE, user.arn, text, ("DeleteAccessKey", {**name, "AccessKeyId": key}))
        if user.has_password:
            self.add(_Phase.REMOVE_USERS, Sign.REMOVE, user.arn, f"password of user {user.name}", ("DeleteLoginProfile", dict(name)))
        for device in user.mfa_devices or ():
            gone = [("DeactivateMFADevice", {**name, "SerialNumber": device.serial})]
            if device.kind == "virtual":
                gone.append(("DeleteVirtualMFADevice", {"SerialNumber": device.serial}))
            self.add(_Phase.REMOVE_USERS, Sign.REMOVE, user.arn, f"MFA device of user {user.name}", *gone)
        for kind, credential in user.other_credentials or ():
            delete = (f"Delete{kind}", {**name, _ID_OF[kind]: credential})
            self.add(_Phase.REMOVE_USERS, Sign.REMOVE, user.arn, f"{_WORD_OF[kind]} {credential} of user {user.name}", delete)
        for group in user.groups:
            self.membership(Sign.REMOVE, user, group, _Phase.REMOVE_USERS)
        self.stripped(user, "User", _Phase.REMOVE_USERS)
        if user.boundary:
            self.add(
                _Phase.REMOVE_USERS, Sign.REMOVE, user.arn, f"boundary of user {user.name}", ("DeleteUserPermissionsBoundary", dict(name))
            )
        last: list[tuple[str, dict[str, Any]]] = [("DeleteUserPolicy", {**name, "PolicyName": HOLD}), ("DeleteUser", dict(name))]
        self.add(_Phase.REMOVE_USERS, Sign.REMOVE, user.arn, f"user {user.name}", *last)

    # Roles ----------------------------------------------------------------------------------------------------------

    def our_role(self, role: Role) -> bool:
        return self.want.role(role.name) is not None or role.arn in self.ours or is_marked(role.tags)

    def roles(self) -> None:
        for role in self.want.roles:
            have = self.have.role(role.name)
            if have is not None and have.path != role.path:
                self.role_goes(have, f"role {role.name} at path {have.path}; a role's path can't be changed, so it is made anew")
                have = None
            if have is None:
                self.role_comes(role)
                continue
            if self.moved:
                have = replace(have, trust=followed(have.trust, self.moved))
            through = None if have.trust.same_as(role.trust) or not self.moved else with_old_paths(have.trust, role.trust, self.moved)
            if through is not None and policy_size(through.document) <= limit("trust_policy_size"):
                said = f"role {role.name}: trust policy"
                update = partial(_operation, "UpdateAssumeRolePolicy", {"RoleName": role.name})
                self.put(_Phase.LET_IN, Sign.CHANGE, role.arn, f"{said}: users at their new path, too", update, have.trust, through)
                self.put(_Phase.NARROW, Sign.CHANGE, role.arn, said, update, through, role.trust)
            elif not have.trust.same_as(role.trust):
                self.put(
                    _phase(have.trust, role.trust, gives=_Phase.OPEN), Sign.CHANGE, role.arn, f"role {role.name}: trust policy",
                    partial(_operation, "UpdateAssumeRolePolicy", {"RoleName": role.name}), have.trust, role.trust,
                )  # fmt: skip
            if have.max_session_s != role.max_session_s:
                self.add(
                    _Phase.NARROW if role.max_session_s < have.max_session_s else _Phase.OPEN, Sign.CHANGE, role.arn,
                    f"role {role.name}: sessions of at most {role.max_session_s:,} s, until now {have.max_session_s:,} s",
                    ("UpdateRole", {"RoleName": role.name, "MaxSessionDuration": role.max_session_s}),
                )  # fmt: skip
            self.boundary(have, role, "Role")
            self.tags(have, role, "Role")
            self.inline(have, role, "Role")
            self.attached(have, role, "Role")
        for have in self.have.roles:
            if self.our_role(have) and self.want.role(have.name) is None:
                self.role_goes(have, f"role {have.name}")

    def role_comes(self, role: Role) -> None:
        body = {**_named("Role", role), "AssumeRolePolicyDocument": document_text(role.trust.document), "MaxSessionDuration": role.max_session_s}
        self.add(
            _Phase.OPEN, Sign.ADD, role.arn, f"role {role.name}",
            ("CreateRole", {**body, "PermissionsBoundary": _boundary(role), "Tags": _tags(role.tags)}), after=role.trust,
        )  # fmt: skip
        self.inline(None, role, "Role", new=_Phase.OPEN)
        self.attached(None, role, "Role", new=_Phase.OPEN)

    def role_goes(self, role: Role, text: str) -> None:
        self.stripped(role, "Role", _Phase.NARROW)
        gone: list[tuple[str, dict[str, Any]]] = []
        for profile in role.extra.get("InstanceProfileList") or ():
            pair = {"InstanceProfileName": profile["InstanceProfileName"], "RoleName": role.name}
            gone.append(("RemoveRoleFromInstanceProfile", pair))
        self.add(_Phase.NARROW, Sign.REMOVE, role.arn, text, *gone, ("DeleteRole", {"RoleName": role.name}))

    # What principals carry ------------------------------------------------------------------------------------------

    def inline(self, have: User | Group | Role | None, want: User | Group | Role, kind: str, new: _Phase | None = None) -> None:
        """Inline policies; of a new principal in phase ``new``, those with a Deny first."""
        now = {p.name: p for p in have.inline} if have else {}
        named = {f"{kind}Name": want.name}
        for policy in sorted(want.inline, key=deny_first):
            old = now.pop(policy.name, None)
            if old is not None and old.same_as(policy):
                continue
            phase = new if new is not None else _phase(old, policy, gives=_Phase.ROLE_GIVE if kind == "Role" else _Phase.GIVE)
            self.put(
                phase, Sign.CHANGE if old else Sign.ADD, want.arn, f"inline policy {policy.name} of {kind.lower()} {want.name}",
                partial(_operation, f"Put{kind}Policy", {**named, "PolicyName": policy.name}), old, policy,
            )  # fmt: skip
        now.pop(REVOKED, None)
        for name, old in now.items():
            if self.may_go(have, name, kind):
                phase = self.goes(kind, denies(old), self.exchanged(have, want))
                self.add(
                    phase, Sign.REMOVE, want.arn, f"inline policy {name} of {kind.lower()} {want.name}",
                    (f"Delete{kind}Policy", {**named, "PolicyName": name}), before=old,
                )  # fmt: skip

    def attached(self, have: User | Group | Role | None, want: User | Group | Role, kind: str, new: _Phase | None = None) -> None:
        now = {a.arn: a for a in have.attached} if have else {}
        named = {f"{kind}Name": want.name}
        for policy in sorted(want.attached, key=lambda a: deny_first(a.policy)):
            if now.pop(policy.arn, None) is not None:
                continue
            gives = _Phase.ROLE_GIVE if kind == "Role" else _Phase.GIVE
            phase = new if new is not None else _Phase.DENY if deny_first(policy.policy) == 0 else gives
            self.add(
                phase, Sign.ADD, want.arn, f"policy {policy.name} attached to {kind.lower()} {want.name}",
                (f"Attach{kind}Policy", {**named, "PolicyArn": policy.arn}), after=policy.policy,
            )  # fmt: skip
        for arn, old in now.items():
            if self.may_go(have, arn, kind):
                # A document that we can't read may hold a Deny: it goes last.
                phase = self.goes(kind, old.policy is None or denies(old.policy), self.exchanged(have, want))
                self.add(
                    phase, Sign.REMOVE, want.arn, f"policy {old.name} detached from {kind.lower()} {want.name}",
                    (f"Detach{kind}Policy", {**named, "PolicyArn": arn}), before=old.policy,
                )  # fmt: skip

    def goes(self, kind: str, denies: bool, exchanged: bool) -> _Phase:
        """When a policy goes: one with a Deny last, one that is exchanged once the other is there, any other at once."""
        if denies:
            return _Phase.UNDENY
        if kind != "Role":
            return _Phase.TAKE  # the exchange may be between a user and their groups
        return _Phase.ROLE_TAKE if exchanged else _Phase.NARROW

    def exchanged(self, have: User | Group | Role | None, want: User | Group | Role) -> bool:
        """Whether the principal gets a policy beside losing one: then the new comes first, so that nobody loses a way that stays."""
        now = set() if have is None else {a.arn for a in have.attached} | {p.name for p in have.inline}
        return any(w not in now for w in [*(a.arn for a in want.attached), *(p.name for p in want.inline)])

    def may_go(self, have: User | Group | Role | None, name: str, kind: str) -> bool:
        """Whether an attachment that the file doesn't want is ours to take: by its path, or by the principal's mark."""
        if self.exclusive or _is_ours(name) or (have is not None and have.arn in self.ours):
            return True
        if isinstance(have, Role | User):
            return name in marks(have.tags) or name == HOLD
        return have is not None and any(on_group(have.name, name) in marks(u.tags) for u in self.have.users if have.name in u.groups)

    def boundary(self, have: User | Role, want: User | Role, kind: str) -> None:
        old, new = have.boundary, want.boundary
        if (old.arn if old else None) == (new.arn if new else None):
            return
        named = {f"{kind}Name": want.name}
        if new is not None:
            self.add(
                _Phase.DENY if old is None else _Phase.REPLACE, Sign.CHANGE if old else Sign.ADD, want.arn,
                f"boundary {new.name} of {kind.lower()} {want.name}",
                (f"Put{kind}PermissionsBoundary", {**named, "PermissionsBoundary": new.arn}), after=new.policy,
            )  # fmt: skip
        elif old is not None and self.may_go(have, old.arn, kind):
            self.add(
                _Phase.UNDENY, Sign.REMOVE, want.arn, f"boundary {old.name} of {kind.lower()} {want.name}",
                (f"Delete{kind}PermissionsBoundary", named), before=old.policy,
            )  # fmt: skip

    def tags(self, have: User | Role, want: User | Role, kind: str) -> None:
        """Tags of the file, our mark among them; other tags are foreign."""
        now = dict(have.tags)
        missing = [(k, v) for k, v in want.tags if now.get(k) != v]
        if not missing:
            return
        sign = Sign.CHANGE if any(k in now for k, _ in missing) else Sign.ADD
        text = f"{kind.lower()} {want.name}: marked as Sekisho's" if [k for k, _ in missing] == [MARK] else (
            f"tags of {kind.lower()} {want.name}: {', '.join(k for k, _ in missing)}")  # fmt: skip
        # The mark says what is ours: it changes once that is there, or goes.
        self.add(_Phase.ACCOUNT, sign, want.arn, text, (f"Tag{kind}", {f"{kind}Name": want.name, "Tags": _tags(missing)}))

    def stripped(self, principal: User | Group | Role, kind: str, phase: _Phase) -> None:
        """All policies off a principal that goes: Allows first, Denies last."""
        named = {f"{kind}Name": principal.name}
        both: list[tuple[int, str, tuple[str, dict[str, Any]], Policy | None]] = []
        for a in principal.attached:
            detach = (f"Detach{kind}Policy", {**named, "PolicyArn": a.arn})
            both.append((deny_first(a.policy), f"policy {a.name} detached from {kind.lower()} {principal.name}", detach, a.policy))
        for p in principal.inline:
            if p.name != HOLD:
                delete = (f"Delete{kind}Policy", {**named, "PolicyName": p.name})
                both.append((deny_first(p), f"inline policy {p.name} of {kind.lower()} {principal.name}", delete, p))
        for _, text, operation, policy in sorted(both, key=lambda b: -b[0]):
            self.add(phase, Sign.REMOVE, principal.arn, text, operation, before=policy)

    # The account itself ---------------------------------------------------------------------------------------------

    def account(self) -> None:
        root = f"arn:aws:iam::{self.id}:root"
        wanted = self.want.password_policy
        if wanted is not None and any((self.have.password_policy or {}).get(k) != v for k, v in wanted.items()):
            sign = Sign.CHANGE if self.have.password_policy else Sign.ADD
            self.add(_Phase.PREPARE_POLICIES, sign, root, "password policy", ("UpdateAccountPasswordPolicy", dict(wanted)))
        if self.want.alias is not None and self.have.alias != self.want.alias:
            sign = Sign.CHANGE if self.have.alias else Sign.ADD
            self.add(_Phase.ACCOUNT, sign, root, f"alias {self.want.alias}", ("CreateAccountAlias", {"AccountAlias": self.want.alias}))

    def sign_in(self) -> None:
        """M-02: statements first, the switch last; when it goes, the switch first. Statements can't be changed: new before old."""
        if self.want.sign_in is None and (self.have.sign_in is None or not self.exclusive):
            return
        root = f"arn:aws:iam::{self.id}:root"
        have, want = self.have.sign_in or SignIn(), self.want.sign_in or SignIn()
        known = {_statement_key(s) for s in have.statements}
        for statement in want.statements:
            for part in in_calls(statement):
                if _statement_key(part) not in known:
                    self.add(
                        _Phase.OPEN, Sign.ADD, root, f"sign-in: {_statement_text(part)}",
                        ("PutResourcePermissionStatement", _statement_params(part)), service="signin",
                    )  # fmt: skip
        if want.enforced and not have.enforced:
            self.add(_Phase.SWITCH_ON, Sign.ADD, root, "sign-in: console authorization on",
                     ("PutConsoleAuthorizationConfiguration", {"targetId": self.id}), service="signin")  # fmt: skip
        if have.enforced and not want.enforced:
            self.add(_Phase.SWITCH_OFF, Sign.REMOVE, root, "sign-in: console authorization off",
                     ("DeleteConsoleAuthorizationConfiguration", {"targetId": self.id}), service="signin")  # fmt: skip
        keys = {_statement_key(p) for s in want.statements for p in in_calls(s)}
        for statement in have.statements:
            if _statement_key(statement) not in keys:
                self.add(
                    _Phase.UNDENY, Sign.REMOVE, root, f"sign-in: {_statement_text(statement)}",
                    ("DeleteResourcePermissionStatement", {"statementId": statement.id}), service="signin",
                )  # fmt: skip

    # Foreign --------------------------------------------------------------------------------------------------------

    def foreign(self) -> Iterator[Foreign]:
        for kind, listed, of in (
            ("user", self.want.users, self.have.user), ("group", self.want.groups, self.have.group), ("role", self.want.roles, self.have.role),
        ):  # fmt: skip
            for want in listed:
                have = of(want.name)
                if have is not None:
                    yield from self.foreign_on(kind, have, want)
        for group in self.have.groups:
            if self.our_group(group):
                stays = "" if self.want.group(group.name) else ", which stays for that"
                for user in self.foreign_members(group.name):
                    yield Foreign(self.id, user.arn, f"user {user.name}, who isn't of the file, is in group {group.name}{stays}")
        if self.have.sign_in is not None and self.have.sign_in.enforced and self.want.sign_in is None:
            yield Foreign(self.id, f"arn:aws:iam::{self.id}:root", "the sign-in is limited by a policy that the file doesn't ask for")
        for policy in self.have.policies:
            if policy.path == OURS and self.want.managed(policy.arn) is None and self.held_by_others(policy.arn):
                yield Foreign(self.id, policy.arn, f"policy {policy.name} is no longer of the file, but others hold it")

    def foreign_on(self, kind: str, have: Any, want: Any) -> Iterator[Foreign]:
        for name, text in [(a.arn, f"policy {a.name} is attached") for a in have.attached if a.arn not in {w.arn for w in want.attached}] + [
            (p.name, f"has an inline policy {p.name}") for p in have.inline if p.name not in {REVOKED, *(w.name for w in want.inline)}
        ]:
            if not self.may_go(have, name, kind.capitalize()):
                subject = f"to {kind} {have.name}" if text.endswith("attached") else ""
                yield Foreign(self.id, have.arn, f"{text} {subject}" if subject else f"{kind} {have.name} {text}")
        if kind == "user":
            for name in have.groups:
                if name not in want.groups and not self.leaves(name):
                    yield Foreign(self.id, have.arn, f"user {have.name} is in group {name}, which isn't of the file")


# --- what the file manages, in one form ----------------------------------------------------------------------------------


def shape(existing: Estate, wanted: Estate, ours: Container[str] = frozenset()) -> dict[str, Any]:
    """What a plan rests on, comparable: everything that is ours by account, in one spelling, without ids, dates and old versions."""
    found: dict[str, Any] = {}
    for want in wanted.accounts:
        have = existing.account(want.id) or Account(want.id)
        sorted_out = _Account(have, want, ours=ours)
        parts: dict[str, Any] = {}
        for policy in have.policies:
            if not _is_aws(policy.arn) and (policy.path == OURS or want.managed(policy.arn)):
                parts[policy.arn] = policy.policy.normalised() if policy.policy else None
        principals: list[User | Group | Role] = [*have.users, *have.groups, *have.roles]
        for principal in principals:
            is_ours = (
                sorted_out.our_user(principal) if isinstance(principal, User)
                else sorted_out.our_group(principal) if isinstance(principal, Group) else sorted_out.our_role(principal)
            )  # fmt: skip
            if is_ours:
                parts[principal.arn] = _shape_of(principal)
            elif isinstance(principal, User):
                groups = sorted(g.name for g in have.groups if g.name in principal.groups and sorted_out.our_group(g))
                if groups:
                    parts[principal.arn] = {"groups": groups}
        asked = want.password_policy or {}
        parts[f"arn:aws:iam::{want.id}:root"] = {
            "alias": have.alias if want.alias else None, "password_policy": {k: (have.password_policy or {}).get(k) for k in asked},
            "sign_in": _sign_in_shape(have.sign_in) if want.sign_in else None,
        }  # fmt: skip
        found[want.id] = parts
    return found


def _shape_of(thing: User | Group | Role) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "inline": {p.name: p.normalised() for p in sorted(thing.inline, key=lambda p: p.name)}, "attached": sorted(a.arn for a in thing.attached),
    }  # fmt: skip
    if not isinstance(thing, Group):
        parts |= {"boundary": thing.boundary.arn if thing.boundary else None, "mark": dict(thing.tags).get(MARK)}
    if isinstance(thing, User):
        parts["groups"] = sorted(thing.groups)
    if isinstance(thing, Role):
        parts |= {"trust": thing.trust.normalised(), "max_session_s": thing.max_session_s}
    return parts


def _sign_in_shape(sign_in: SignIn | None) -> Any:
    if sign_in is None:
        return None
    return {"enforced": sign_in.enforced, "statements": sorted(str(_statement_key(p)) for s in sign_in.statements for p in in_calls(s))}


# --- what a change of a document does ------------------------------------------------------------------------------------


def _phase(old: Policy | None, new: Policy, *, gives: _Phase = _Phase.GIVE) -> _Phase:
    """When a document is put in place: early where it can only take away, late where it can only give, else between."""
    wider, narrower = (True, any(s.denies for s in new.statements)) if old is None else direction(old, new)
    if old is None and only_denies(new):
        return _Phase.DENY
    if wider and narrower and old is not None:
        return _Phase.REPLACE
    return gives if wider else _Phase.NARROW


# --- small things of AWS's API -------------------------------------------------------------------------------------------


def _is_aws(arn: str) -> bool:
    return arn.split(":")[4:5] == ["aws"]


def _is_ours(arn: str) -> bool:
    return f":policy{OURS}" in arn and not _is_aws(arn)


def _named(kind: str, thing: User | Group | Role) -> dict[str, Any]:
    return {"Path": thing.path, f"{kind}Name": thing.name}


def _boundary(thing: User | Role) -> str | None:
    return thing.boundary.arn if thing.boundary else None


def _tags(tags: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": k, "Value": v} for k, v in tags]


def _versions(policy: ManagedPolicy) -> list[str]:
    return [str(v.get("VersionId")) for v in policy.versions]


def _operation(name: str, params: Mapping[str, Any], text: str) -> list[tuple[str, dict[str, Any]]]:
    return [(name, {**params, "PolicyDocument": text})]


def _new_version(arn: str, in_the_way: Iterator[str], text: str) -> list[tuple[str, dict[str, Any]]]:
    room = [("DeletePolicyVersion", {"PolicyArn": arn, "VersionId": v}) for v in (next(in_the_way, None),) if v]
    return [*room, ("CreatePolicyVersion", {"PolicyArn": arn, "PolicyDocument": text, "SetAsDefault": True})]


def _versions_in_the_way(policy: ManagedPolicy) -> list[str]:
    """The oldest versions that have to go before one more fits (A.4)."""
    others = sorted((v for v in _versions(policy) if v != policy.default_version), key=lambda v: int(v.lstrip("v") or 0))
    room = QUOTAS["policy_versions"].limit - len(_versions(policy))
    return ([""] * max(0, room) + others)[:2]


_ONE_OF: Sequence[tuple[str, str]] = (
    ("source_ip", "sourceIp"), ("source_vpc", "sourceVpc"), ("signin_source_vpce", "signinSourceVpce"),
    ("console_source_vpce", "consoleSourceVpce"), ("vpc_source_ip", "vpcSourceIp"), ("requested_region", "requestedRegion"),
    ("excluded_principals", "excludedPrincipal"),
)  # fmt: skip


def in_calls(statement: SignInStatement) -> list[SignInStatement]:
    """A permission statement in the parts that the API takes: one value of each kind (M-01)."""
    parts: list[dict[str, tuple[str, ...]]] = [{}]
    for name, _ in _ONE_OF:
        values = getattr(statement, name)
        parts = [{**p, name: (v,)} for p in parts for v in values] if values else parts
    return [SignInStatement("", **p) for p in parts]


def _statement_key(statement: SignInStatement) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(sorted(getattr(statement, name))) for name, _ in _ONE_OF)


def _statement_params(statement: SignInStatement) -> dict[str, Any]:
    return {param: getattr(statement, name)[0] for name, param in _ONE_OF if getattr(statement, name)}


def _statement_text(statement: SignInStatement) -> str:
    said: list[str] = []
    words: Callable[[str], str] = lambda name: name.replace("_", " ")  # noqa: E731
    for name, _ in _ONE_OF:
        if getattr(statement, name):
            said.append(f"{words(name)} {', '.join(getattr(statement, name))}")
    return "; ".join(said) or "no condition"
