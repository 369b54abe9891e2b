"""Accounts read through AWS's API into an Estate. What can't be read is listed as unread, never taken for empty."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from sekisho.deploy.calls import AwsError, Clients, carried_out
from sekisho.errors import OutsideError, SekishoError
from sekisho.estate import Account, Estate, MfaDevice, SignInStatement, User, account_from_json, load_estate, write_estate
from sekisho.private_file import write_private

AT_ONCE = 8
"""Accounts read side by side."""
UNFINISHED = ".collect.json"

Told = Callable[[str], None]


def collect(
    clients: Clients, accounts: Sequence[str], *, names: Mapping[str, str] | None = None, told: Told = lambda _: None, brief: bool = False
) -> Estate:
    """The estate of these accounts. ``told`` gets a line per account. Raises AwsError where an account can't be reached at all.

    ``brief``: without MFA devices, summary and organisation, which nothing that we change can be seen in.
    """
    return Estate.of(account for account in _read_all(clients, accounts, names or {}, told, brief=brief))


def collect_into(
    folder: Path, clients: Clients, accounts: Sequence[str], *, names: Mapping[str, str] | None = None, told: Told = lambda _: None
) -> Estate:
    """The same into ``folder``, each account's file as soon as it is read. A run that was broken off goes on with what it hadn't read.

    Raises OutsideError where an account can't be reached; what was read until then is kept.
    """
    note = folder / UNFINISHED
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = _done(note, accounts)
        _write_note(note, accounts, done)
        for known in done:
            told(f"{known}: read already by the run before")
        for account in _read_all(clients, [a for a in accounts if a not in done], names or {}, told):
            write_estate(Estate.of([account]), folder)
            done.append(account.id)
            _write_note(note, accounts, done)
        note.unlink(missing_ok=True)
    except OSError as error:
        raise OutsideError(f"{folder}: can't be written: {error.strerror or error}", remedy="give a folder that you can write, with room") from error
    return Estate.of(a for a in load_estate(folder).accounts if a.id in accounts)


def _done(note: Path, accounts: Sequence[str]) -> list[str]:
    """Accounts that a broken-off run for the same accounts has read."""
    try:
        body = json.loads(note.read_text(encoding="utf-8"))
        return [a for a in body["done"] if (note.parent / f"{a}.json").exists()] if body["accounts"] == list(accounts) else []
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []


def _write_note(note: Path, accounts: Sequence[str], done: Sequence[str]) -> None:
    write_private(note, json.dumps({"accounts": list(accounts), "done": list(done)}))


def _read_all(
    clients: Clients, accounts: Sequence[str], names: Mapping[str, str], told: Told, *, brief: bool = False
) -> Iterator[Account]:
    """Accounts as they come in; the first that fails is raised once the others are through."""
    failed: SekishoError | None = None
    organization = None if brief else Organization(clients)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = {pool.submit(read_account, clients, a, names.get(a, ""), organization, brief=brief): a for a in accounts}
        for future in as_completed(running):
            try:
                account = future.result()
            except SekishoError as error:
                told(f"{running[future]}: {error.message}")
                failed = failed or error
                continue
            unread = f", {len(account.unread)} things could not be read" if account.unread else ""
            told(f"{account.id}: {len(account.users)} users, {len(account.groups)} groups, {len(account.roles)} roles{unread}")
            yield account
    if failed is not None:
        raise failed


def read_account(
    clients: Clients, account: str, name: str = "", organization: Organization | None = None, *, brief: bool = False
) -> Account:
    """One account. Each part that AWS refuses to show is listed in ``unread``. Raises AwsError where no credentials lead there."""
    iam = clients.client(account, "iam")
    unread: list[tuple[str, str]] = []
    more: dict[str, Any] = {"version": 1, "id": account, "name": name}

    def part(what: str, operation: str, read: Callable[[], Any], missing: Any = None) -> Any:
        try:
            return carried_out(account, operation, read)
        except AwsError as error:
            if error.code in ("NoSuchEntity", "NoSuchEntityException"):
                return missing
            if error.code in _FATAL:
                raise
            unread.append((what, error.message))
            return missing

    pages = part("account", "iam:GetAccountAuthorizationDetails", lambda: list(_details(iam)), [])
    body = merged(pages)
    roles = part("session_lengths", "iam:ListRoles", lambda: _pages(iam, "list_roles", "Roles"), []) if body["RoleDetailList"] else []
    more["roles"] = {r["RoleName"]: {"max_session_s": r["MaxSessionDuration"]} for r in roles if r.get("MaxSessionDuration", 3600) != 3600}
    if not brief:
        body["SummaryMap"] = part("summary", "iam:GetAccountSummary", lambda: iam.get_account_summary()["SummaryMap"], {})
    if body["UserDetailList"] and not brief:
        more["users"] = _devices(iam, part, body["UserDetailList"], body["SummaryMap"].get("MFADevicesInUse"))
    aliases = part("alias", "iam:ListAccountAliases", lambda: _pages(iam, "list_account_aliases", "AccountAliases"), [])
    more["alias"] = aliases[0] if aliases else None
    more["password_policy"] = part(
        "password_policy", "iam:GetAccountPasswordPolicy", lambda: _plain(iam.get_account_password_policy()["PasswordPolicy"])
    )
    more["sign_in"] = part("sign_in", "signin:ListResourcePermissionStatements", lambda: _sign_in(clients.client(account, "signin"), account))
    if organization is not None:
        more |= organization.of(account, unread)
    body["Sekisho"] = {k: v for k, v in more.items() if v is not None} | {"unread": [list(u) for u in unread]}
    return account_from_json(body, account_id=account)


def with_credentials(clients: Clients, existing: Estate, wanted: Estate) -> Estate:
    """The estate with the passwords and keys of those users of ours that go: what has to be removed before them."""
    from sekisho.deploy.changes import leaving

    for account_id, names in leaving(existing, wanted).items():
        iam = clients.client(account_id, "iam")
        account = existing.account(account_id)
        if account is not None:
            users = [_with_credentials(iam, account_id, u) if u.name in names else u for u in account.users]
            existing = existing.with_account(replace(account, users=tuple(users)))
    return existing


def _with_credentials(iam: Any, account: str, user: User) -> User:
    from botocore import xform_name

    name = user.name
    keys = carried_out(account, "iam:ListAccessKeys", lambda: _pages_with(iam, "list_access_keys", "AccessKeyMetadata", UserName=name))
    devices = carried_out(account, "iam:ListMFADevices", lambda: _pages_with(iam, "list_mfa_devices", "MFADevices", UserName=name))
    try:
        carried_out(account, "iam:GetLoginProfile", lambda: iam.get_login_profile(UserName=name))
        has_password = True
    except AwsError as error:
        if error.code != "NoSuchEntity":
            raise
        has_password = False
    others: list[tuple[str, str]] = []
    for kind, operation, member, named in _OTHERS:
        listed = carried_out(account, f"iam:{operation}", partial(getattr(iam, xform_name(operation)), UserName=name))
        others += [(kind, c[named]) for c in listed.get(member, ())]
    held = tuple(MfaDevice(d["SerialNumber"], kind_of(d["SerialNumber"]), _plain(d.get("EnableDate"))) for d in devices)
    return replace(
        user, access_keys=tuple(k["AccessKeyId"] for k in keys), mfa_devices=held, has_password=has_password, other_credentials=tuple(others)
    )


_OTHERS = (
    ("SSHPublicKey", "ListSSHPublicKeys", "SSHPublicKeys", "SSHPublicKeyId"),
    ("SigningCertificate", "ListSigningCertificates", "Certificates", "CertificateId"),
    ("ServiceSpecificCredential", "ListServiceSpecificCredentials", "ServiceSpecificCredentials", "ServiceSpecificCredentialId"),
)
"""What a user has of each is a page at most: AWS's quotas are five and two."""


_FATAL = frozenset((
    "InvalidClientTokenId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "UnrecognizedClientException",
    "InvalidAccessKeyId",
))  # fmt: skip
"""Nothing at all can be read with such credentials: that is no estate with gaps."""

_LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")


def _details(iam: Any) -> Iterator[Mapping[str, Any]]:
    yield from iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 1000})


def merged(pages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Pages of GetAccountAuthorizationDetails as one, dates as text."""
    body: dict[str, Any] = {key: [] for key in _LISTS}
    for page in pages:
        for key in _LISTS:
            body[key] += [_plain(e) for e in page.get(key, ())]
    return body


def _pages(client: Any, operation: str, key: str) -> list[Any]:
    return [_plain(e) for page in client.get_paginator(operation).paginate() for e in page.get(key, ())]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items() if k != "ResponseMetadata"}
    return [_plain(v) for v in value] if isinstance(value, list) else value


def _devices(iam: Any, part: Callable[..., Any], users: Sequence[Mapping[str, Any]], in_use: int | None) -> dict[str, Any]:
    """MFA devices by user: virtual ones in one call; the others only where the account's summary says that there are more."""
    virtual = part("mfa_devices", "iam:ListVirtualMFADevices", lambda: _assigned(iam))
    if virtual is None:
        return {}
    found: dict[str, list[dict[str, Any]]] = {u["UserName"]: [] for u in users}
    for device in virtual:
        name = str(device.get("User", {}).get("UserName") or str(device.get("User", {}).get("Arn", "")).rpartition("/")[2])
        if name in found:
            found[name].append({"serial": device["SerialNumber"], "kind": "virtual", "enabled": device.get("EnableDate")})
    if in_use is None or in_use > sum(map(len, found.values())):
        for name in found:
            listed = part("mfa_devices", "iam:ListMFADevices", lambda name=name: _plain(iam.list_mfa_devices(UserName=name)["MFADevices"]))
            if listed is None:
                return {}
            found[name] = [{"serial": d["SerialNumber"], "kind": kind_of(d["SerialNumber"]), "enabled": d.get("EnableDate")} for d in listed]
    return {name: {"mfa_devices": devices} for name, devices in found.items()}


def kind_of(serial: str) -> str:
    """A device's kind, told by its serial: an ARN of ``mfa/`` or ``u2f/``, or a hardware token's number."""
    return "virtual" if ":mfa/" in serial else "fido" if ":u2f/" in serial else "hardware"


def _assigned(iam: Any) -> list[Any]:
    pages = iam.get_paginator("list_virtual_mfa_devices").paginate(AssignmentStatus="Assigned")
    return [_plain(d) for page in pages for d in page.get("VirtualMFADevices", ())]


# --- the sign-in (M-01) ---------------------------------------------------------------------------------------------------


def _sign_in(client: Any, account: str) -> dict[str, Any] | None:
    """The permission statements and the switch; None where the account has neither."""
    statements: list[dict[str, Any]] = []
    token = None
    while True:
        page = client.list_resource_permission_statements(**({"nextToken": token} if token else {}))
        statements += [_statement(s) for s in page.get("permissionStatements", ())]
        token = page.get("nextToken")
        if not token:
            break
    enforced = bool(client.get_console_authorization_configuration(targetId=account).get("consoleAuthorizationEnabled"))
    return {"enforced": enforced, "statements": statements} if statements or enforced else None


_CONDITION_KEYS = {
    "aws:sourceip": "source_ip", "aws:sourcevpc": "source_vpc", "aws:sourcevpce": "signin_source_vpce", "aws:vpcsourceip": "vpc_source_ip",
    "aws:requestedregion": "requested_region", "aws:principalarn": "excluded_principals", "signin:principalarn": "excluded_principals",
    "signin:sourcevpce": "signin_source_vpce", "console:sourcevpce": "console_source_vpce",
}  # fmt: skip


def _statement(body: Mapping[str, Any]) -> dict[str, Any]:
    """A statement as ListResourcePermissionStatements shows it: an id, and a condition block by key (M-06: its exact form is unverified)."""
    found: dict[str, Any] = {"id": body.get("sid", "")}
    for keys in (body.get("condition") or {}).values():
        for key, values in keys.items():
            name = _CONDITION_KEYS.get(key.lower())
            if name in SignInStatement.__dataclass_fields__:
                listed = [values] if isinstance(values, str) else list(values)
                found[str(name)] = sorted({*found.get(str(name), ()), *listed})
    return found


# --- the organisation (D-03) ----------------------------------------------------------------------------------------------


class Organization:
    """SCPs and RCPs, read once for all accounts, from whichever account may read them."""

    _KINDS: Mapping[str, str] = {"service_control": "SERVICE_CONTROL_POLICY", "resource_control": "RESOURCE_CONTROL_POLICY"}

    def __init__(self, clients: Clients) -> None:
        self.clients = clients
        self.policies: dict[str, dict[str, Any]] = {}
        self.targets: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.kinds: list[str] | None = None

    def of(self, account: str, unread: list[tuple[str, str]]) -> dict[str, Any]:
        """``organization``, ``is_management`` and the levels of policies of one account, as they stand under ``Sekisho``."""
        own = self.clients.client(account, "organizations")
        try:
            body = carried_out(account, "organizations:DescribeOrganization", own.describe_organization)["Organization"]
        except AwsError as error:
            if error.code in ("AWSOrganizationsNotInUseException", "AWSOrganizationsNotInUse"):
                return {}
            unread += [(what, error.message) for what in self._KINDS]
            return {}
        found: dict[str, Any] = {"organization": body["Id"], "is_management": body.get("MasterAccountId") == account}
        try:
            manager = self.clients.client(body["MasterAccountId"], "organizations")
        except SekishoError:
            manager = own  # no credentials of the management account; a delegated administrator may read them too
        try:
            enabled = carried_out(account, "organizations:ListRoots", partial(self.enabled, manager))
        except AwsError as error:
            unread += [(what, error.message) for what in self._KINDS]
            return found
        for what, kind in self._KINDS.items():
            if kind not in enabled:
                continue
            try:
                found[what] = carried_out(account, "organizations:ListPoliciesForTarget", partial(self.levels, manager, account, kind))
            except AwsError as error:
                unread.append((what, error.message))
        return found

    def enabled(self, manager: Any) -> list[str]:
        """The kinds of policies that are in force. DescribeOrganization has a list too, which AWS calls incomplete."""
        if self.kinds is None:
            roots = [r for page in manager.get_paginator("list_roots").paginate() for r in page.get("Roots", ())]
            self.kinds = [t["Type"] for root in roots for t in root.get("PolicyTypes", ()) if t.get("Status") == "ENABLED"]
        return self.kinds

    def levels(self, manager: Any, account: str, kind: str) -> list[list[dict[str, Any]]]:
        chain = [account]
        while not chain[0].startswith("r-"):
            chain.insert(0, manager.list_parents(ChildId=chain[0])["Parents"][0]["Id"])
        return [self.target(manager, target, kind) for target in chain]

    def target(self, manager: Any, target: str, kind: str) -> list[dict[str, Any]]:
        if (target, kind) not in self.targets:
            listed = _pages_with(manager, "list_policies_for_target", "Policies", TargetId=target, Filter=kind)
            self.targets[target, kind] = [self.policy(manager, p) for p in listed]
        return self.targets[target, kind]

    def policy(self, manager: Any, listed: Mapping[str, Any]) -> dict[str, Any]:
        arn = listed["Arn"]
        if arn not in self.policies:
            body = manager.describe_policy(PolicyId=listed["Id"])["Policy"]
            self.policies[arn] = {"name": listed["Name"], "arn": arn, "document": json.loads(body["Content"])}
        return self.policies[arn]


def _pages_with(client: Any, operation: str, key: str, **params: str) -> list[Any]:
    return [e for page in client.get_paginator(operation).paginate(**params) for e in page.get(key, ())]
