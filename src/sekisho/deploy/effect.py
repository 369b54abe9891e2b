"""What a call does to an estate, foreseen: the states in between, for the lock-out guard and for tests. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from sekisho.deploy.calls import Call
from sekisho.deploy.changes import Change
from sekisho.deploy.turns import followed
from sekisho.estate import Account, AttachedPolicy, Estate, Group, ManagedPolicy, Role, SignIn, SignInStatement, User, aws_managed_policy
from sekisho.policy import Policy, PolicyKind

P = TypeVar("P", User, Group, Role)
Params = Mapping[str, Any]
_PARTS = {"User": "users", "Group": "groups", "Role": "roles"}


def after(estate: Estate, call: Call) -> Estate:
    """The estate once the call has worked. Ids of what is created are empty: only AWS gives them.

    >>> after(Estate(), Call("111122223333", "iam", "CreateGroup", {"GroupName": "platform", "Path": "/"})).account("111122223333").groups[0].arn
    'arn:aws:iam::111122223333:group/platform'
    """
    account = estate.account(call.account) or Account(call.account)
    changed = estate.with_account(_EFFECTS[call.operation](account, call.params))
    if call.operation == "UpdateUser" and call.params.get("NewPath"):
        user = account.user(call.params["UserName"])
        if user is not None:
            changed = _renamed(changed, user.arn, _arn(account, "User", call.params["NewPath"], user.name))
    return changed


def _renamed(estate: Estate, old: str, new: str) -> Estate:
    """The estate once a user has another ARN: who is trusted stays so."""
    return Estate.of(replace(a, roles=tuple(_trusting(r, {old: new}) for r in a.roles)) for a in estate.accounts)


def _trusting(role: Role, moved: Mapping[str, str]) -> Role:
    trust = followed(role.trust, moved)
    return role if trust is role.trust else replace(role, trust=trust)


def states(existing: Estate, steps: Iterable[Change]) -> Iterator[tuple[Change, Call, Estate]]:
    """Each call of the changes with the estate that it leaves behind."""
    estate = existing
    for change in steps:
        for call in change.calls:
            estate = after(estate, call)
            yield change, call, estate


def outcome(existing: Estate, steps: Iterable[Change]) -> Estate:
    """What exists once all changes are made, foreign things among it."""
    estate = existing
    for _, _, estate in states(existing, steps):  # noqa: B007
        pass
    return estate


# --- principals ----------------------------------------------------------------------------------------------------------


def _with(account: Account, kind: str, name: str, change: Callable[[Any], Any]) -> Account:
    """The account with one principal changed, or gone where ``change`` gives None."""
    part = _PARTS[kind]
    listed = [change(p) if p.name == name else p for p in getattr(account, part)]
    parts: dict[str, Any] = {part: tuple(p for p in listed if p is not None)}
    return replace(account, **parts)


def _created(account: Account, kind: str, thing: User | Group | Role) -> Account:
    part = _PARTS[kind]
    others = tuple(p for p in getattr(account, part) if p.name != thing.name)
    parts: dict[str, Any] = {part: (*others, thing)}
    return replace(account, **parts)


def _arn(account: Account, kind: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account.id}:{kind.lower()}{path}{name}"


def _attached(account: Account, arn: str) -> AttachedPolicy:
    known = account.managed(arn)
    return AttachedPolicy(arn, arn.rpartition("/")[2], known.policy if known else aws_managed_policy(arn))


def _tags(listed: Iterable[Mapping[str, str]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((t["Key"], t["Value"]) for t in listed or ())


def _boundary(account: Account, params: Params) -> AttachedPolicy | None:
    arn = params.get("PermissionsBoundary")
    return _attached(account, arn) if arn else None


def _create_user(account: Account, p: Params) -> Account:
    path = p.get("Path", "/")
    user = User(
        _arn(account, "User", path, p["UserName"]), p["UserName"], path, boundary=_boundary(account, p), tags=_tags(p.get("Tags")),
        mfa_devices=(), has_password=False, access_keys=(),
    )  # fmt: skip
    return _created(account, "User", user)


def _create_group(account: Account, p: Params) -> Account:
    path = p.get("Path", "/")
    return _created(account, "Group", Group(_arn(account, "Group", path, p["GroupName"]), p["GroupName"], path))


def _create_role(account: Account, p: Params) -> Account:
    path = p.get("Path", "/")
    role = Role(
        _arn(account, "Role", path, p["RoleName"]), p["RoleName"], _trust(p["AssumeRolePolicyDocument"]), path,
        boundary=_boundary(account, p), max_session_s=p.get("MaxSessionDuration", 3600), tags=_tags(p.get("Tags")),
    )  # fmt: skip
    return _created(account, "Role", role)


def _trust(text: str) -> Policy:
    return Policy.parse(text, kind=PolicyKind.TRUST, name="trust policy")


def _moved(kind: str) -> Callable[[Account, Params], Account]:
    def move(account: Account, p: Params) -> Account:
        name = p[f"{kind}Name"]
        path = p.get("NewPath")
        return account if path is None else _with(account, kind, name, lambda t: replace(t, path=path, arn=_arn(account, kind, path, name)))

    return move


def _gone(kind: str) -> Callable[[Account, Params], Account]:
    return lambda account, p: _with(account, kind, p[f"{kind}Name"], lambda t: None)


def _changed(kind: str, change: Callable[[Account, Any, Params], Any]) -> Callable[[Account, Params], Account]:
    return lambda account, p: _with(account, kind, p[f"{kind}Name"], lambda t: change(account, t, p))


def _put_inline(account: Account, t: Any, p: Params) -> Any:
    policy = Policy.parse(p["PolicyDocument"], name=p["PolicyName"])
    names = [i.name for i in t.inline]
    if policy.name in names:
        return replace(t, inline=tuple(policy if i.name == policy.name else i for i in t.inline))
    return replace(t, inline=(*t.inline, policy))


def _delete_inline(account: Account, t: Any, p: Params) -> Any:
    return replace(t, inline=tuple(i for i in t.inline if i.name != p["PolicyName"]))


def _attach(account: Account, t: Any, p: Params) -> Any:
    return replace(t, attached=(*(a for a in t.attached if a.arn != p["PolicyArn"]), _attached(account, p["PolicyArn"])))


def _detach(account: Account, t: Any, p: Params) -> Any:
    return replace(t, attached=tuple(a for a in t.attached if a.arn != p["PolicyArn"]))


def _tag(account: Account, t: Any, p: Params) -> Any:
    new = dict(_tags(p["Tags"]))
    return replace(t, tags=(*((k, v) for k, v in t.tags if k not in new), *new.items()))


def _untag(account: Account, t: Any, p: Params) -> Any:
    return replace(t, tags=tuple((k, v) for k, v in t.tags if k not in p["TagKeys"]))


def _without(kind: str, account: Account, t: Any, p: Params) -> Any:
    left = tuple(c for c in t.other_credentials or () if c[0] != kind or c[1] not in p.values())
    return replace(t, other_credentials=left)


def _joins(account: Account, p: Params) -> Account:
    return _with(account, "User", p["UserName"], lambda u: replace(u, groups=(*(g for g in u.groups if g != p["GroupName"]), p["GroupName"])))


def _leaves(account: Account, p: Params) -> Account:
    return _with(account, "User", p["UserName"], lambda u: replace(u, groups=tuple(g for g in u.groups if g != p["GroupName"])))


# --- managed policies ----------------------------------------------------------------------------------------------------


def _create_policy(account: Account, p: Params) -> Account:
    path = p.get("Path", "/")
    arn = f"arn:aws:iam::{account.id}:policy{path}{p['PolicyName']}"
    policy = Policy.parse(p["PolicyDocument"], name=p["PolicyName"], arn=arn)
    versions = ({"VersionId": "v1", "IsDefaultVersion": True, "Document": json.loads(p["PolicyDocument"])},)
    made = ManagedPolicy(arn, p["PolicyName"], path, policy=policy, versions=versions)
    return replace(account, policies=(*(x for x in account.policies if x.arn != arn), made))


def _create_version(account: Account, p: Params) -> Account:
    have = account.managed(p["PolicyArn"])
    if have is None:
        return account
    policy = Policy.parse(p["PolicyDocument"], name=have.name, arn=have.arn)
    last = max([int(str(v.get("VersionId", "v0")).lstrip("v") or 0) for v in have.versions] + [int(have.default_version.lstrip("v") or 0)])
    new = f"v{last + 1}"
    old = [{**v, "IsDefaultVersion": False} for v in have.versions]
    versions = (*old, {"VersionId": new, "IsDefaultVersion": True, "Document": json.loads(p["PolicyDocument"])})
    return _managed(account, replace(have, policy=policy, default_version=new, versions=versions))


def _managed(account: Account, policy: ManagedPolicy) -> Account:
    """The account with a managed policy in a new version, everywhere it is attached."""

    def fresh(a: AttachedPolicy | None) -> AttachedPolicy | None:
        return replace(a, policy=policy.policy) if a is not None and a.arn == policy.arn else a

    def on(t: P) -> P:
        changed = replace(t, attached=tuple(fresh(a) or a for a in t.attached))
        return changed if isinstance(changed, Group) else replace(changed, boundary=fresh(changed.boundary))

    return replace(
        account, policies=tuple(policy if p.arn == policy.arn else p for p in account.policies), users=tuple(on(u) for u in account.users),
        groups=tuple(on(g) for g in account.groups), roles=tuple(on(r) for r in account.roles),
    )  # fmt: skip


def _delete_version(account: Account, p: Params) -> Account:
    have = account.managed(p["PolicyArn"])
    if have is None:
        return account
    return _managed(account, replace(have, versions=tuple(v for v in have.versions if v.get("VersionId") != p["VersionId"])))


def _delete_policy(account: Account, p: Params) -> Account:
    return replace(account, policies=tuple(x for x in account.policies if x.arn != p["PolicyArn"]))


# --- the account and its sign-in -----------------------------------------------------------------------------------------


def _sign_in(change: Callable[[SignIn, Params], SignIn]) -> Callable[[Account, Params], Account]:
    return lambda account, p: replace(account, sign_in=change(account.sign_in or SignIn(), p))


def statement_of(p: Params) -> SignInStatement:
    """The permission statement of a PutResourcePermissionStatement call."""
    names = {
        "source_ip": "sourceIp", "source_vpc": "sourceVpc", "signin_source_vpce": "signinSourceVpce", "console_source_vpce": "consoleSourceVpce",
        "vpc_source_ip": "vpcSourceIp", "requested_region": "requestedRegion", "excluded_principals": "excludedPrincipal",
    }  # fmt: skip
    return SignInStatement("", **{ours: (p[theirs],) for ours, theirs in names.items() if theirs in p})


def _same(account: Account, p: Params) -> Account:
    return account


_EFFECTS: Mapping[str, Callable[[Account, Params], Account]] = {
    "CreateUser": _create_user,
    "CreateGroup": _create_group,
    "CreateRole": _create_role,
    "UpdateUser": _moved("User"),
    "UpdateGroup": _moved("Group"),
    "UpdateRole": _changed("Role", lambda a, t, p: replace(t, max_session_s=p["MaxSessionDuration"])),
    "UpdateAssumeRolePolicy": _changed("Role", lambda a, t, p: replace(t, trust=_trust(p["PolicyDocument"]))),
    "AddUserToGroup": _joins,
    "RemoveUserFromGroup": _leaves,
    "CreatePolicy": _create_policy,
    "CreatePolicyVersion": _create_version,
    "DeletePolicyVersion": _delete_version,
    "DeletePolicy": _delete_policy,
    "UpdateAccountPasswordPolicy": lambda a, p: replace(a, password_policy=dict(p)),
    "DeleteAccountPasswordPolicy": lambda a, p: replace(a, password_policy=None),
    "CreateAccountAlias": lambda a, p: replace(a, alias=p["AccountAlias"]),
    "DeleteAccountAlias": lambda a, p: replace(a, alias=None),
    "DeleteAccessKey": _changed("User", lambda a, t, p: replace(t, access_keys=tuple(k for k in t.access_keys or () if k != p["AccessKeyId"]))),
    "DeleteLoginProfile": _changed("User", lambda a, t, p: replace(t, has_password=False)),
    "DeactivateMFADevice": _changed(
        "User", lambda a, t, p: replace(t, mfa_devices=tuple(d for d in t.mfa_devices or () if d.serial != p["SerialNumber"]))
    ),
    "DeleteVirtualMFADevice": _same,
    **{f"Delete{kind}": _changed("User", partial(_without, kind)) for kind in ("SSHPublicKey", "SigningCertificate", "ServiceSpecificCredential")},
    "RemoveRoleFromInstanceProfile": _same,
    "PutResourcePermissionStatement": _sign_in(lambda s, p: replace(s, statements=(*s.statements, statement_of(p)))),
    "DeleteResourcePermissionStatement": _sign_in(lambda s, p: replace(s, statements=tuple(x for x in s.statements if x.id != p["statementId"]))),
    "PutConsoleAuthorizationConfiguration": _sign_in(lambda s, p: replace(s, enforced=True)),
    "DeleteConsoleAuthorizationConfiguration": _sign_in(lambda s, p: replace(s, enforced=False)),
    **{f"Delete{kind}": _gone(kind) for kind in _PARTS},
    **{f"Put{kind}Policy": _changed(kind, _put_inline) for kind in _PARTS},
    **{f"Delete{kind}Policy": _changed(kind, _delete_inline) for kind in _PARTS},
    **{f"Attach{kind}Policy": _changed(kind, _attach) for kind in _PARTS},
    **{f"Detach{kind}Policy": _changed(kind, _detach) for kind in _PARTS},
    **{f"Tag{kind}": _changed(kind, _tag) for kind in ("User", "Role")},
    **{f"Untag{kind}": _changed(kind, _untag) for kind in ("User", "Role")},
    **{
        f"Put{kind}PermissionsBoundary": _changed(kind, lambda a, t, p: replace(t, boundary=_boundary(a, p))) for kind in ("User", "Role")
    },
    **{f"Delete{kind}PermissionsBoundary": _changed(kind, lambda a, t, p: replace(t, boundary=None)) for kind in ("User", "Role")},
}
