"""AWS's own JSON of an account, the output of ``aws iam get-account-authorization-details``, in and out of an Estate.

Nothing is lost on the way: fields that the model doesn't have are kept as they came. What AWS's format doesn't hold (MFA devices, session
lengths, SCPs, …) stands under one more top-level key, ``Sekisho``, which AWS's tools ignore. A document that can't be read doesn't stop the
load: it is listed in ``Account.unread``, and answers that need it are unknown.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
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
from sekisho.policy.positions import Positions, escape
from sekisho.private_file import write_private

T = TypeVar("T")
MAX_FILE = 512 * 1024 * 1024
_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
_EXTRA_VERSION = 1
_TRUNCATED = ("account", "the file holds only some of the pages (IsTruncated)")


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
            write_private(target, json.dumps(account_to_json(account), indent=2, ensure_ascii=False) + "\n")
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

    def inner(self, holder: Mapping[str, Any], key: str, pointer: str) -> Mapping[str, Any]:
        """The object under ``key``; empty where it is missing or null."""
        value = holder.get(key)
        return {} if value is None else self.mapping(value, f"{pointer}/{escape(key)}")

    def each(self, holder: Mapping[str, Any], key: str, pointer: str) -> list[tuple[str, Any]]:
        """(pointer, value) of each item of the list under ``key``; none where it is missing or null."""
        value = holder.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(f"{pointer}/{key}", value, "a list")
        return [(f"{pointer}/{key}/{i}", v) for i, v in enumerate(value)]

    def listed(self, holder: Mapping[str, Any], key: str, pointer: str) -> list[tuple[str, Mapping[str, Any]]]:
        return [(here, self.mapping(v, here)) for here, v in self.each(holder, key, pointer)]

    def texts(self, holder: Mapping[str, Any], key: str, pointer: str) -> tuple[str, ...]:
        for here, value in self.each(holder, key, pointer):
            if not isinstance(value, str):
                raise self.wrong(here, value, "a string")
        return tuple(holder.get(key) or ())

    def maybe(self, holder: Mapping[str, Any], key: str, pointer: str, kind: type[T], expected: str) -> T | None:
        """The value under ``key`` if it is of a kind; None where it is missing or null."""
        value = holder.get(key)
        if value is None:
            return None
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(f"{pointer}/{key}", value, expected)
        return value

    def text(self, holder: Mapping[str, Any], key: str, pointer: str, default: str | None = None) -> str:
        value = holder.get(key)
        if value is None:
            value = default
        if not isinstance(value, str):
            if value is None:
                raise InputError(f"{key} is missing", place=self.place(pointer), expected=f"an object with {key}")
            raise self.wrong(f"{pointer}/{key}", value, "a string")
        return value

    def policy(self, value: object, pointer: str, kind: PolicyKind, name: str, what: str, arn: str | None = None) -> Policy | None:
        """A document given as an object or, as the API itself does, URL-encoded text; None and noted where it can't be read."""
        # The API URL-encodes documents; one that begins with a brace isn't, and a %2F in it is its own.
        source: Any = unquote(value) if isinstance(value, str) and not value.lstrip().startswith("{") else value
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
        value = self.inner(holder, "PermissionsBoundary", pointer)
        if not value:
            return None
        arn = self.text(value, "PermissionsBoundaryArn", f"{pointer}/PermissionsBoundary")
        return self.attached_policy(arn, arn.rpartition("/")[2])

    def tags(self, holder: Mapping[str, Any], pointer: str) -> tuple[tuple[str, str], ...]:
        return tuple((self.text(t, "Key", here), self.text(t, "Value", here)) for here, t in self.listed(holder, "Tags", pointer))


def account_from_json(body: Any, *, account_id: str = "", file: str | None = None, positions: Positions | None = None) -> Account:
    """An account from AWS's JSON: one object, or a list of pages of it. Raises InputError with the place."""
    read = _AccountReader(file, positions)
    pages = [(f"/{i}", read.mapping(p, f"/{i}")) for i, p in enumerate(body)] if isinstance(body, list) else [("", read.mapping(body, ""))]
    if not any(key in page for _, page in pages for key in (*_LISTS, "Sekisho")):
        raise InputError(
            "not the JSON of an account", place=read.place(""), expected="the output of `aws iam get-account-authorization-details`",
        )  # fmt: skip

    def entries(key: str) -> list[tuple[str, Mapping[str, Any]]]:
        return [entry for pointer, page in pages for entry in read.listed(page, key, pointer)]

    rest = {k: v for _, page in pages for k, v in page.items() if k not in _LISTS}
    if rest.get("IsTruncated") is True:
        read.unread.append(_TRUNCATED)
    beside = next((pointer for pointer, page in pages if "Sekisho" in page), "")
    more, there = read.inner(rest, "Sekisho", beside), f"{beside}/Sekisho"
    known = {key: entries(key) for key in _LISTS}
    account_id = account_id or read.text(more, "id", there, "") or _account_in(known)
    if not re.fullmatch(r"\d{12}", account_id, re.ASCII):
        raise InputError("the account's id can't be told", place=read.place(""), expected="a file named <account id>.json, or an ARN in it")
    _check_entries(read, known, account_id)

    policies = tuple(_managed(read, here, entry) for here, entry in known["Policies"])
    of_users, of_roles = read.inner(more, "users", there), read.inner(more, "roles", there)
    return Account(
        account_id,
        read.text(more, "name", there, ""),
        read.maybe(more, "alias", there, str, "a string"),
        tuple(_user(read, here, e, of_users, f"{there}/users") for here, e in known["UserDetailList"]),
        tuple(_group(read, here, e) for here, e in known["GroupDetailList"]),
        tuple(_role(read, here, e, of_roles, f"{there}/roles") for here, e in known["RoleDetailList"]),
        policies,
        tuple(_resource_policies(read, more, there)),
        read.maybe(more, "organization", there, str, "an organisation's id"),
        read.maybe(more, "is_management", there, bool, "true or false") or False,
        _levels(read, more, "service_control", PolicyKind.SERVICE_CONTROL, there),
        _levels(read, more, "resource_control", PolicyKind.RESOURCE_CONTROL, there),
        _sign_in(read, more, there),
        read.maybe(more, "password_policy", there, dict, "an object"),
        tuple(dict.fromkeys((*_known_unread(read, more, there), *read.unread))),
        {k: v for k, v in rest.items() if k != "Sekisho"},
    )


def _known_unread(read: _AccountReader, more: Mapping[str, Any], pointer: str) -> Iterable[tuple[str, str]]:
    for here, pair in read.each(more, "unread", pointer):
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(part, str) for part in pair):
            raise read.wrong(here, pair, '["what", "why"]')
        yield pair[0], pair[1]


def _check_entries(read: _AccountReader, known: Mapping[str, list[tuple[str, Mapping[str, Any]]]], account_id: str) -> None:
    """Each principal and policy once (A-41), principals of this account alone: otherwise nobody could say which one counts."""
    for key, name in (("UserDetailList", "UserName"), ("GroupDetailList", "GroupName"), ("RoleDetailList", "RoleName"), ("Policies", "Arn")):
        seen: dict[str, str] = {}
        for here, entry in known[key]:
            called, arn = read.text(entry, name, here), read.text(entry, "Arn", here)
            if called.lower() in seen:
                raise InputError(
                    f"{called} stands twice in {key}", place=read.place(here), expected=f"each {name} once, whatever its letter case",
                    remedy=f"the other is at {seen[called.lower()]}",
                )  # fmt: skip
            seen[called.lower()] = here
            if key != "Policies" and arn.split(":")[4:5] != [account_id]:
                raise InputError(f"{arn} is not of account {account_id}", place=read.place(f"{here}/Arn"), expected="one account in one file")


def _account_in(known: Mapping[str, list[tuple[str, Mapping[str, Any]]]]) -> str:
    for key in _LISTS:
        for _, entry in known[key]:
            arn = entry.get("Arn")
            if isinstance(arn, str) and re.fullmatch(r"arn:[^:]+:iam::\d{12}:.+", arn, re.ASCII):
                return arn.split(":")[4]
    return ""


def _managed(read: _AccountReader, here: str, entry: Mapping[str, Any]) -> ManagedPolicy:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "PolicyName", here)
    default = read.text(entry, "DefaultVersionId", here, "v1")
    policy = None
    listed = read.listed(entry, "PolicyVersionList", here)
    for there, version in listed:
        if version.get("IsDefaultVersion") is True or version.get("VersionId") == default:
            policy = read.policy(version.get("Document"), f"{there}/Document", PolicyKind.IDENTITY, name, f"{arn}#{default}", arn)
    if policy is None and not listed:
        policy = aws_managed_policy(arn)
    read.managed[arn] = policy
    path, unique_id = read.text(entry, "Path", here, "/"), read.text(entry, "PolicyId", here, "")
    return ManagedPolicy(arn, name, path, unique_id, default, policy, tuple(v for _, v in listed), entry)


def _user(read: _AccountReader, here: str, entry: Mapping[str, Any], more: Mapping[str, Any], pointer: str) -> User:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "UserName", here)
    beside, there = read.inner(more, name, pointer), f"{pointer}/{escape(name)}"
    devices = [
        MfaDevice(read.text(d, "serial", at), read.text(d, "kind", at, "virtual"), read.maybe(d, "enabled", at, str, "an ISO 8601 date"))
        for at, d in read.listed(beside, "mfa_devices", there)
    ]
    return User(
        arn, name, read.text(entry, "Path", here, "/"), read.text(entry, "UserId", here, ""), read.texts(entry, "GroupList", here),
        read.inline(entry, "UserPolicyList", here, arn), read.attached(entry, here), read.boundary(entry, here), read.tags(entry, here),
        None if beside.get("mfa_devices") is None else tuple(devices), read.maybe(beside, "has_password", there, bool, "true or false"),
        None if beside.get("access_keys") is None else read.texts(beside, "access_keys", there),
        None if beside.get("other_credentials") is None else _pairs(read, beside, there), entry,
    )  # fmt: skip


def _pairs(read: _AccountReader, beside: Mapping[str, Any], there: str) -> tuple[tuple[str, str], ...]:
    return tuple((read.text(c, "kind", at), read.text(c, "id", at)) for at, c in read.listed(beside, "other_credentials", there))


def _group(read: _AccountReader, here: str, entry: Mapping[str, Any]) -> Group:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "GroupName", here)
    return Group(
        arn, name, read.text(entry, "Path", here, "/"), read.text(entry, "GroupId", here, ""),
        read.inline(entry, "GroupPolicyList", here, arn), read.attached(entry, here), entry,
    )  # fmt: skip


def _role(read: _AccountReader, here: str, entry: Mapping[str, Any], more: Mapping[str, Any], pointer: str) -> Role:
    arn, name = read.text(entry, "Arn", here), read.text(entry, "RoleName", here)
    document = entry.get("AssumeRolePolicyDocument")
    trust = read.policy(document, f"{here}/AssumeRolePolicyDocument", PolicyKind.TRUST, "trust policy", f"{arn}#trust")
    longest = read.maybe(read.inner(more, name, pointer), "max_session_s", f"{pointer}/{escape(name)}", int, "seconds")
    if longest is None:
        longest = read.maybe(entry, "MaxSessionDuration", here, int, "seconds")
    return Role(
        arn, name, trust or Policy((), kind=PolicyKind.TRUST, name="trust policy"), read.text(entry, "Path", here, "/"),
        read.text(entry, "RoleId", here, ""), read.inline(entry, "RolePolicyList", here, arn), read.attached(entry, here),
        read.boundary(entry, here), 3600 if longest is None else longest, read.tags(entry, here), entry,
    )  # fmt: skip


def _resource_policies(read: _AccountReader, more: Mapping[str, Any], pointer: str) -> Iterable[tuple[str, Policy]]:
    for here, entry in read.listed(more, "resource_policies", pointer):
        arn = read.text(entry, "arn", here)
        policy = read.policy(entry.get("document"), f"{here}/document", PolicyKind.RESOURCE, arn.rpartition(":")[2], f"{arn}#policy")
        if policy is not None:
            yield arn, policy


def _levels(read: _AccountReader, more: Mapping[str, Any], key: str, kind: PolicyKind, pointer: str) -> tuple[tuple[Policy, ...], ...] | None:
    if more.get(key) is None:
        return None
    result = []
    for here, level in read.each(more, key, pointer):
        if not isinstance(level, list):
            raise read.wrong(here, level, "a list of policies")
        found = []
        for i, value in enumerate(level):
            there, entry = f"{here}/{i}", read.mapping(value, f"{here}/{i}")
            name, arn = read.text(entry, "name", there, ""), read.maybe(entry, "arn", there, str, "an ARN")
            policy = read.policy(entry.get("document"), f"{there}/document", kind, name, key, arn)
            if policy is not None:
                found.append(policy)
        result.append(tuple(found))
    return tuple(result)


_SIGN_IN_LISTS = (
    "source_ip", "source_vpc", "signin_source_vpce", "console_source_vpce", "vpc_source_ip", "requested_region", "excluded_principals",
)  # fmt: skip


def _sign_in(read: _AccountReader, more: Mapping[str, Any], pointer: str) -> SignIn | None:
    if more.get("sign_in") is None:
        return None
    value, there = read.inner(more, "sign_in", pointer), f"{pointer}/sign_in"
    statements = tuple(
        SignInStatement(read.text(s, "id", here, ""), **{k: read.texts(s, k, here) for k in _SIGN_IN_LISTS})
        for here, s in read.listed(value, "statements", there)
    )
    return SignIn(statements, read.maybe(value, "enforced", there, bool, "true or false") or False)


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
    """The model's policies in the order of the raw entries, what is new after them; a raw entry that couldn't be read stays as it came."""
    left = {p.name: p for p in policies}
    listed = []
    for entry in raw:
        policy = left.pop(str(entry.get("PolicyName")), None)
        if policy is not None:
            listed.append({**entry, "PolicyDocument": dict(policy.document)})
        elif f"{arn}#inline/{entry.get('PolicyName')}" in unread:
            listed.append(dict(entry))
    return listed + [{"PolicyName": p.name, "PolicyDocument": dict(p.document)} for p in left.values()]


def _attached_json(attached: Sequence[AttachedPolicy], raw: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    came = {e.get("PolicyArn"): e for e in raw}
    return [{**came.get(a.arn, {}), "PolicyName": a.name, "PolicyArn": a.arn} for a in attached]


def _boundary_json(boundary: AttachedPolicy | None, raw: Mapping[str, Any]) -> Any:
    if boundary is None:
        return None
    return {**(raw.get("PermissionsBoundary") or {"PermissionsBoundaryType": "Policy"}), "PermissionsBoundaryArn": boundary.arn}


def _tags_json(tags: Sequence[tuple[str, str]], raw: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    came = {e.get("Key"): e for e in raw}
    return [{**came.get(k, {}), "Key": k, "Value": v} for k, v in tags]


def _user_json(user: User, unread: Mapping[str, str]) -> dict[str, Any]:
    raw = user.extra
    return _entry(raw, {
        "Path": user.path, "UserName": user.name, "UserId": user.id, "Arn": user.arn,
        "UserPolicyList": _inline_json(user.inline, raw.get("UserPolicyList") or (), user.arn, unread),
        "GroupList": list(user.groups), "AttachedManagedPolicies": _attached_json(user.attached, raw.get("AttachedManagedPolicies") or ()),
        "PermissionsBoundary": _boundary_json(user.boundary, raw), "Tags": _tags_json(user.tags, raw.get("Tags") or ()),
    })  # fmt: skip


def _group_json(group: Group, unread: Mapping[str, str]) -> dict[str, Any]:
    raw = group.extra
    return _entry(raw, {
        "Path": group.path, "GroupName": group.name, "GroupId": group.id, "Arn": group.arn,
        "GroupPolicyList": _inline_json(group.inline, raw.get("GroupPolicyList") or (), group.arn, unread),
        "AttachedManagedPolicies": _attached_json(group.attached, raw.get("AttachedManagedPolicies") or ()),
    })  # fmt: skip


def _role_json(role: Role, unread: Mapping[str, str]) -> dict[str, Any]:
    raw = role.extra
    trust: Any = raw.get("AssumeRolePolicyDocument") if f"{role.arn}#trust" in unread else dict(role.trust.document)
    return _entry(raw, {
        "Path": role.path, "RoleName": role.name, "RoleId": role.id, "Arn": role.arn, "AssumeRolePolicyDocument": trust,
        "RolePolicyList": _inline_json(role.inline, raw.get("RolePolicyList") or (), role.arn, unread),
        "AttachedManagedPolicies": _attached_json(role.attached, raw.get("AttachedManagedPolicies") or ()),
        "PermissionsBoundary": _boundary_json(role.boundary, raw),
        "Tags": _tags_json(role.tags, raw.get("Tags") or ()),
    })  # fmt: skip


def _managed_json(policy: ManagedPolicy) -> dict[str, Any]:
    versions: list[Any] = [dict(v) for v in policy.versions]
    for version in versions:
        if isinstance(version.get("Document"), str):
            # What isn't JSON stays as it came: nobody could write it better.
            with suppress(ValueError):
                text = version["Document"]
                version["Document"] = json.loads(text if text.lstrip().startswith("{") else unquote(text))
    if not versions and policy.policy is not None:
        versions = [{"Document": dict(policy.policy.document), "VersionId": policy.default_version, "IsDefaultVersion": True}]
    return _entry(policy.extra, {
        "PolicyName": policy.name, "PolicyId": policy.id, "Arn": policy.arn, "Path": policy.path,
        "DefaultVersionId": policy.default_version, "PolicyVersionList": versions,
    })  # fmt: skip


def _more_json(account: Account) -> dict[str, Any]:
    more: dict[str, Any] = {}

    def put(key: str, value: Any, write: Callable[[Any], Any] = lambda v: v) -> None:
        if value not in (None, "", (), [], {}, False):
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
    # Documents that stay in their entries are found unreadable again; a resource policy's entry isn't kept.
    put("unread", [list(u) for u in account.unread if ("#" not in u[0] or u[0].endswith("#policy")) and u != _TRUNCATED])
    return more


def _more_of_user(user: User) -> dict[str, Any]:
    more: dict[str, Any] = {}
    if user.mfa_devices is not None:
        more["mfa_devices"] = [{"serial": d.serial, "kind": d.kind, "enabled": d.enabled} for d in user.mfa_devices]
    if user.has_password is not None:
        more["has_password"] = user.has_password
    if user.access_keys is not None:
        more["access_keys"] = list(user.access_keys)
    if user.other_credentials is not None:
        more["other_credentials"] = [{"kind": kind, "id": name} for kind, name in user.other_credentials]
    return more


__all__ = ["account_from_json", "account_to_json", "load_estate", "read_json", "write_estate"]
