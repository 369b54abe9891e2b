"""AWS's own JSON of an account, the output of ``aws iam get-account-authorization-details``, in and out of an Estate.

Nothing is lost on the way: fields that the model doesn't have are kept as they came. What AWS's format doesn't hold (MFA devices, session
lengths, SCPs, …) stands under one more top-level key, ``Sekisho``, which AWS's tools ignore. A document that can't be read doesn't stop the
load: it is listed in ``Account.unread``, and answers that need it are unknown.
"""

from __future__ import annotations

import codecs
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sekisho.errors import InputError, OutsideError, Place, PolicyError
from sekisho.estate.managed import aws_managed_policy
from sekisho.estate.model import (
    Account,
    AttachedPolicy,
    Estate,
    Group,
    ManagedPolicy,
    MfaDevice,
    Role,
    SignIn,
    SignInStatement,
    User,
)
from sekisho.policy import Policy, PolicyKind
from sekisho.policy.json_text import NotJson, decoded, parsed
from sekisho.policy.positions import Positions

MAX_FILE = 512 * 1024 * 1024
_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_EXTRA_VERSION = 1


# --- files ---------------------------------------------------------------------------------------------------------------


def load_estate(path: str | Path) -> Estate:
    """The estate of a file, or of a folder with one file an account (``<account id>.json``).

    Raises InputError with file, line and column, or JSON pointer; OutsideError where a file can't be read.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(p for p in path.iterdir() if p.suffix == ".json")
        if not files:
            raise InputError(
                f"{path}: no account in this folder", expected="files named <account id>.json", remedy="sekisho compile or collect writes them"
            )
    else:
        files = [path]
    accounts: dict[str, tuple[Account, Path]] = {}
    for file in files:
        account = _load_file(file)
        if account.id in accounts:
            raise InputError(
                f"account {account.id} stands in two files: {accounts[account.id][1]} and {file}",
                place=Place(str(file)), expected="each account once",
            )  # fmt: skip
        accounts[account.id] = (account, file)
    return Estate.of(a for a, _ in accounts.values())


def _load_file(file: Path) -> Account:
    try:
        if file.stat().st_size > MAX_FILE:
            raise InputError(f"{file}: larger than {MAX_FILE:,} bytes", expected="the JSON of one account")
        raw = file.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{file}: no such file", remedy="give an ESTATE: a file, or a folder with <account id>.json") from None
    except OSError as error:
        raise OutsideError(f"{file}: can't be read: {error.strerror}") from error
    body, positions = read_json(raw, str(file))
    account_id = file.stem if re.fullmatch(r"\d{12}", file.stem) else ""
    return account_from_json(body, account_id=account_id, file=str(file), positions=positions)


def read_json(raw: bytes, file: str) -> tuple[Any, Positions]:
    """Parse a JSON file strictly: UTF-8, no key twice, no bottomless nesting. Raises InputError with line and column."""
    try:
        text = decoded(raw.removeprefix(codecs.BOM_UTF8))
        positions = Positions(text)
        return parsed(text, positions), positions
    except NotJson as error:
        place = Place(file, error.pointer, error.line, error.column)
        raise InputError(error.found, place=place, expected=error.expected) from error


def write_estate(estate: Estate, folder: str | Path) -> list[Path]:
    """Write ``folder/<account id>.json`` for each account, each file whole or not at all, readable by its owner only (0600)."""
    folder = Path(folder)
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for account in estate.accounts:
            target = folder / f"{account.id}.json"
            text = json.dumps(account_to_json(account), indent=2, ensure_ascii=False) + "\n"
            descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=f".{account.id}.", suffix=".part")
            try:
                with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                    file.write(text)
                os.replace(temporary, target)
            except BaseException:
                Path(temporary).unlink(missing_ok=True)
                raise
            written.append(target)
    except OSError as error:
        raise OutsideError(f"{folder}: can't be written: {error.strerror or error}") from error
    return written


# --- in ------------------------------------------------------------------------------------------------------------------


class _AccountReader:
    """Reads one account's JSON; knows where each part stands, and collects what can't be read."""

    def __init__(self, file: str | None, positions: Positions | None) -> None:
        self.file, self.positions = file, positions
        self.unread: list[tuple[str, str]] = []
        self.managed: dict[str, Policy | None] = {}

    def place(self, pointer: str) -> Place:
        at = self.positions.of(pointer) if self.positions else None
        return Place(self.file, pointer or None, *(at or (None, None)))

    def wrong(self, pointer: str, found: object, expected: str) -> InputError:
        shown = type(found).__name__ if isinstance(found, dict | list) else repr(found)
        return InputError(f"unexpected {shown}", place=self.place(pointer), expected=expected)

    def mapping(self, value: object, pointer: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.wrong(pointer, value, "an object")
        return value

    def listed(self, holder: Mapping[str, Any], key: str, pointer: str) -> list[tuple[str, Mapping[str, Any]]]:
        value = holder.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"{pointer}/{key}", value, "a list")
        return [(f"{pointer}/{key}/{i}", self.mapping(v, f"{pointer}/{key}/{i}")) for i, v in enumerate(value)]

    def text(self, holder: Mapping[str, Any], key: str, pointer: str, default: str | None = None) -> str:
        value = holder.get(key, default)
        if not isinstance(value, str):
            if value is None:
                raise InputError(f"{key} is missing", place=self.place(pointer), expected=f"an object with {key}")
            raise self.wrong(f"{pointer}/{key}", value, "a string")
        return value

    def policy(self, value: object, pointer: str, kind: PolicyKind, name: str, what: str, arn: str | None = None) -> Policy | None:
        """A document given as an object or, as the API itself does, URL-encoded text; None and noted where it can't be read."""
        source: Any = unquote(value) if isinstance(value, str) else value
        inside = not isinstance(value, str)
        try:
            if not isinstance(source, str | Mapping):
                raise self.wrong(pointer, value, "a policy document")
            positions = self.positions if inside else None
            return Policy.parse(source, kind=kind, name=name, arn=arn, file=self.file, pointer=pointer if inside else "", positions=positions)
        except PolicyError as error:
            self.unread.append((what, str(error).replace("\n", " ")))
            return None

    def inline(self, holder: Mapping[str, Any], key: str, pointer: str, arn: str) -> tuple[Policy, ...]:
        found = []
        for here, entry in self.listed(holder, key, pointer):
            name = self.text(entry, "PolicyName", here)
            policy = self.policy(entry.get("PolicyDocument"), f"{here}/PolicyDocument", PolicyKind.IDENTITY, name, f"{arn}#inline/{name}")
            if policy is not None:
                found.append(policy)
        return tuple(found)

    def attached_policy(self, arn: str, name: str) -> AttachedPolicy:
        policy = self.managed[arn] if arn in self.managed else aws_managed_policy(arn)
        return AttachedPolicy(arn, name, policy)

    def attached(self, holder: Mapping[str, Any], pointer: str) -> tuple[AttachedPolicy, ...]:
        return tuple(
            self.attached_policy(self.text(e, "PolicyArn", here), self.text(e, "PolicyName", here, ""))
            for here, e in self.listed(holder, "AttachedManagedPolicies", pointer)
        )

    def boundary(self, holder: Mapping[str, Any], pointer: str) -> AttachedPolicy | None:
        value = holder.get("PermissionsBoundary")
        if not value:
            return None
        arn = self.text(self.mapping(value, f"{pointer}/PermissionsBoundary"), "PermissionsBoundaryArn", f"{pointer}/PermissionsBoundary")
        return self.attached_policy(arn, arn.rpartition("/")[2])

    def tags(self, holder: Mapping[str, Any], pointer: str) -> tuple[tuple[str, str], ...]:
        return tuple((self.text(t, "Key", here), self.text(t, "Value", here)) for here, t in self.listed(holder, "Tags", pointer))


def account_from_json(body: Any, *, account_id: str = "", file: str | None = None, positions: Positions | None = None) -> Account:
    """An account from AWS's JSON: one object, or a list of pages of it. Raises InputError with the place."""
    read = _AccountReader(file, positions)
    if isinstance(body, list):
        pages = [read.mapping(p, f"/{i}") for i, p in enumerate(body)]
        body = {k: [e for p in pages for e in p.get(k) or []] for k in _LISTS} | {k: v for p in pages for k, v in p.items() if k not in _LISTS}
        read.positions = None
    body = read.mapping(body, "")
    if not any(key in body for key in _LISTS) and "Sekisho" not in body:
        raise InputError(
            "not the JSON of an account", place=read.place(""), expected="the output of `aws iam get-account-authorization-details`",
        )  # fmt: skip
    if body.get("IsTruncated") is True:
        read.unread.append(("account", "the file holds only some of the pages (IsTruncated)"))
    more = read.mapping(body.get("Sekisho", {}), "/Sekisho")
    account_id = account_id or str(more.get("id", "")) or _account_in(body)
    if not re.fullmatch(r"\d{12}", account_id):
        raise InputError("the account's id can't be told", place=read.place(""), expected="a file named <account id>.json, or an ARN in it")

    policies = tuple(_managed(read, here, entry) for here, entry in read.listed(body, "Policies", ""))
    more_of_users = read.mapping(more.get("users", {}), "/Sekisho/users")
    more_of_roles = read.mapping(more.get("roles", {}), "/Sekisho/roles")
    account = Account(
        account_id,
        str(more.get("name", "")),
        more.get("alias"),
        tuple(_user(read, here, e, more_of_users) for here, e in read.listed(body, "UserDetailList", "")),
        tuple(_group(read, here, e) for here, e in read.listed(body, "GroupDetailList", "")),
        tuple(_role(read, here, e, more_of_roles) for here, e in read.listed(body, "RoleDetailList", "")),
        policies,
        tuple(_resource_policies(read, more)),
        more.get("organization"),
        bool(more.get("is_management", False)),
        _levels(read, more, "service_control", PolicyKind.SERVICE_CONTROL),
        _levels(read, more, "resource_control", PolicyKind.RESOURCE_CONTROL),
        _sign_in(more.get("sign_in")),
        more.get("password_policy"),
        tuple((str(w), str(y)) for w, y in more.get("unread", ())) + tuple(read.unread),
        {k: v for k, v in body.items() if k not in (*_LISTS, "Sekisho", "IsTruncated")},
    )
    arns = [u.arn for u in account.users] + [g.arn for g in account.groups] + [r.arn for r in account.roles]
    foreign = next((arn for arn in arns if arn.split(":")[4:5] != [account_id]), None)
    if foreign:
        raise InputError(f"{foreign} is not of account {account_id}", place=read.place(""), expected="one account in one file")
    return account


def _account_in(body: Mapping[str, Any]) -> str:
    for key in _LISTS:
        for entry in body.get(key) or []:
            arn = str(entry.get("Arn", "")) if isinstance(entry, Mapping) else ""
            if re.fullmatch(r"arn:[^:]+:iam::\d{12}:.+", arn):
                return arn.split(":")[4]
    return ""


def _managed(read: _AccountReader, here: str, entry: Mapping[str, Any]) -> ManagedPolicy:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "PolicyName", here)
    default = str(entry.get("DefaultVersionId", "v1"))
    policy = None
    for there, version in read.listed(entry, "PolicyVersionList", here):
        if version.get("IsDefaultVersion") or version.get("VersionId") == default:
            policy = read.policy(version.get("Document"), f"{there}/Document", PolicyKind.IDENTITY, name, f"{arn}#{default}", arn)
    if policy is None and not entry.get("PolicyVersionList"):
        policy = aws_managed_policy(arn)
    read.managed[arn] = policy
    versions = tuple(v for _, v in read.listed(entry, "PolicyVersionList", here))
    return ManagedPolicy(arn, name, str(entry.get("Path", "/")), str(entry.get("PolicyId", "")), default, policy, versions, entry)


def _user(read: _AccountReader, here: str, entry: Mapping[str, Any], more: Mapping[str, Any]) -> User:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "UserName", here)
    extra = more.get(name, {})
    devices = extra.get("mfa_devices")
    keys = extra.get("access_keys")
    groups = entry.get("GroupList") or []
    if not isinstance(groups, list):
        raise read.wrong(f"{here}/GroupList", groups, "a list of group names")
    return User(
        arn, name, str(entry.get("Path", "/")), str(entry.get("UserId", "")), tuple(str(g) for g in groups),
        read.inline(entry, "UserPolicyList", here, arn), read.attached(entry, here), read.boundary(entry, here), read.tags(entry, here),
        None if devices is None else tuple(MfaDevice(d["serial"], d.get("kind", "virtual"), d.get("enabled")) for d in devices),
        extra.get("has_password"), None if keys is None else tuple(keys), entry,
    )  # fmt: skip


def _group(read: _AccountReader, here: str, entry: Mapping[str, Any]) -> Group:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "GroupName", here)
    return Group(
        arn, name, str(entry.get("Path", "/")), str(entry.get("GroupId", "")),
        read.inline(entry, "GroupPolicyList", here, arn), read.attached(entry, here), entry,
    )  # fmt: skip


def _role(read: _AccountReader, here: str, entry: Mapping[str, Any], more: Mapping[str, Any]) -> Role:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "RoleName", here)
    document = entry.get("AssumeRolePolicyDocument")
    trust = read.policy(document, f"{here}/AssumeRolePolicyDocument", PolicyKind.TRUST, "trust policy", f"{arn}#trust")
    session = more.get(name, {}).get("max_session_s", entry.get("MaxSessionDuration", 3600))
    return Role(
        arn, name, trust or Policy((), kind=PolicyKind.TRUST, name="trust policy"), str(entry.get("Path", "/")), str(entry.get("RoleId", "")),
        read.inline(entry, "RolePolicyList", here, arn), read.attached(entry, here), read.boundary(entry, here), int(session),
        read.tags(entry, here), entry,
    )  # fmt: skip


def _resource_policies(read: _AccountReader, more: Mapping[str, Any]) -> Iterable[tuple[str, Policy]]:
    for here, entry in read.listed(more, "resource_policies", "/Sekisho"):
        arn = read.text(entry, "arn", here)
        policy = read.policy(entry.get("document"), f"{here}/document", PolicyKind.RESOURCE, arn.rpartition(":")[2], f"{arn}#policy")
        if policy is not None:
            yield arn, policy


def _levels(read: _AccountReader, more: Mapping[str, Any], key: str, kind: PolicyKind) -> tuple[tuple[Policy, ...], ...] | None:
    levels = more.get(key)
    if levels is None:
        return None
    result = []
    for i, level in enumerate(levels):
        found = []
        for j, entry in enumerate(level):
            here = f"/Sekisho/{key}/{i}/{j}"
            policy = read.policy(entry.get("document"), f"{here}/document", kind, str(entry.get("name", "")), key, entry.get("arn"))
            if policy is not None:
                found.append(policy)
        result.append(tuple(found))
    return tuple(result)


_SIGN_IN_LISTS = (
    "source_ip", "source_vpc", "signin_source_vpce", "console_source_vpce", "vpc_source_ip", "requested_region", "excluded_principals",
)  # fmt: skip


def _sign_in(value: Mapping[str, Any] | None) -> SignIn | None:
    if value is None:
        return None
    statements = tuple(SignInStatement(str(s.get("id", "")), **{k: tuple(s.get(k, ())) for k in _SIGN_IN_LISTS}) for s in value.get("statements", ()))
    return SignIn(statements, bool(value.get("enforced", False)))


# --- out -----------------------------------------------------------------------------------------------------------------


def account_to_json(account: Account) -> dict[str, Any]:
    """AWS's JSON of an account, with what AWS's format doesn't hold under ``Sekisho``."""
    unread = dict(account.unread)
    body: dict[str, Any] = dict(account.extra)
    body["UserDetailList"] = [_user_json(u, unread) for u in account.users]
    body["GroupDetailList"] = [_group_json(g, unread) for g in account.groups]
    body["RoleDetailList"] = [_role_json(r, unread) for r in account.roles]
    body["Policies"] = [_managed_json(p) for p in account.policies]
    more = _more_json(account)
    if more:
        body["Sekisho"] = {"version": _EXTRA_VERSION, "id": account.id, **more}
    return body


def _entry(raw: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The raw entry with the model's values; an empty value is added only where the raw entry had the key."""
    result = dict(raw)
    for key, value in known.items():
        if value in ([], None, ""):
            if key not in raw:
                continue
            if raw[key] in ([], None, ""):
                value = raw[key]
        result[key] = value
    return result


def _inline_json(policies: Sequence[Policy], raw: Sequence[Mapping[str, Any]], arn: str, unread: Mapping[str, str]) -> list[Any]:
    listed = [{"PolicyName": p.name, "PolicyDocument": dict(p.document)} for p in policies]
    return listed + [dict(e) for e in raw if f"{arn}#inline/{e.get('PolicyName')}" in unread]


def _attached_json(attached: Sequence[AttachedPolicy]) -> list[dict[str, str]]:
    return [{"PolicyName": a.name, "PolicyArn": a.arn} for a in attached]


def _boundary_json(boundary: AttachedPolicy | None, raw: Mapping[str, Any]) -> Any:
    if boundary is None:
        return None
    return {**raw.get("PermissionsBoundary", {"PermissionsBoundaryType": "Policy"}), "PermissionsBoundaryArn": boundary.arn}


def _tags_json(tags: Sequence[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": k, "Value": v} for k, v in tags]


def _user_json(user: User, unread: Mapping[str, str]) -> dict[str, Any]:
    raw = user.extra
    return _entry(raw, {
        "Path": user.path, "UserName": user.name, "UserId": user.id, "Arn": user.arn,
        "UserPolicyList": _inline_json(user.inline, raw.get("UserPolicyList") or (), user.arn, unread),
        "GroupList": list(user.groups), "AttachedManagedPolicies": _attached_json(user.attached),
        "PermissionsBoundary": _boundary_json(user.boundary, raw), "Tags": _tags_json(user.tags),
    })  # fmt: skip


def _group_json(group: Group, unread: Mapping[str, str]) -> dict[str, Any]:
    raw = group.extra
    return _entry(raw, {
        "Path": group.path, "GroupName": group.name, "GroupId": group.id, "Arn": group.arn,
        "GroupPolicyList": _inline_json(group.inline, raw.get("GroupPolicyList") or (), group.arn, unread),
        "AttachedManagedPolicies": _attached_json(group.attached),
    })  # fmt: skip


def _role_json(role: Role, unread: Mapping[str, str]) -> dict[str, Any]:
    raw = role.extra
    trust: Any = raw.get("AssumeRolePolicyDocument") if f"{role.arn}#trust" in unread else dict(role.trust.document)
    return _entry(raw, {
        "Path": role.path, "RoleName": role.name, "RoleId": role.id, "Arn": role.arn, "AssumeRolePolicyDocument": trust,
        "RolePolicyList": _inline_json(role.inline, raw.get("RolePolicyList") or (), role.arn, unread),
        "AttachedManagedPolicies": _attached_json(role.attached), "PermissionsBoundary": _boundary_json(role.boundary, raw),
        "Tags": _tags_json(role.tags),
    })  # fmt: skip


def _managed_json(policy: ManagedPolicy) -> dict[str, Any]:
    versions: list[Any] = [dict(v) for v in policy.versions]
    for version in versions:
        if isinstance(version.get("Document"), str):
            version["Document"] = json.loads(unquote(version["Document"]))
    if not versions and policy.policy is not None:
        versions = [{"Document": dict(policy.policy.document), "VersionId": policy.default_version, "IsDefaultVersion": True}]
    return _entry(policy.extra, {
        "PolicyName": policy.name, "PolicyId": policy.id, "Arn": policy.arn, "Path": policy.path,
        "DefaultVersionId": policy.default_version, "PolicyVersionList": versions,
    })  # fmt: skip


def _more_json(account: Account) -> dict[str, Any]:
    more: dict[str, Any] = {}

    def put(key: str, value: Any, write: Callable[[Any], Any] = lambda v: v) -> None:
        if value not in (None, "", (), {}, False):
            more[key] = write(value)

    put("name", account.name)
    put("alias", account.alias)
    put("organization", account.organization)
    put("is_management", account.is_management)
    put("users", {u.name: m for u in account.users if (m := _more_of_user(u))})
    put("roles", {r.name: {"max_session_s": r.max_session_s} for r in account.roles if r.max_session_s != 3600})
    put("resource_policies", account.resource_policies, lambda v: [{"arn": a, "document": dict(p.document)} for a, p in v])
    for key, levels in (("service_control", account.service_control), ("resource_control", account.resource_control)):
        if levels is not None:
            more[key] = [[{"name": p.name, "arn": p.arn, "document": dict(p.document)} for p in level] for level in levels]
    if account.sign_in is not None:
        statements = [{"id": s.id, **{k: list(getattr(s, k)) for k in _SIGN_IN_LISTS if getattr(s, k)}} for s in account.sign_in.statements]
        more["sign_in"] = {"enforced": account.sign_in.enforced, "statements": statements}
    put("password_policy", account.password_policy, dict)
    outside = [list(u) for u in account.unread if "#" not in u[0]]
    put("unread", outside)
    if not outside:
        more.pop("unread", None)
    return more


def _more_of_user(user: User) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if user.mfa_devices is not None:
        more["mfa_devices"] = [{"serial": d.serial, "kind": d.kind, "enabled": d.enabled} for d in user.mfa_devices]
    if user.has_password is not None:
        more["has_password"] = user.has_password
    if user.access_keys is not None:
        more["access_keys"] = list(user.access_keys)
    return more


__all__ = ["account_from_json", "account_to_json", "load_estate", "read_json", "write_estate"]
