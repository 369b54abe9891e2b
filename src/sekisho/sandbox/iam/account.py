"""The account as a whole: its alias, its numbers, and the credential report."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sekisho.estate import User
from sekisho.policy.quotas import limit
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.documents import uses
from sekisho.sandbox.iam.entities import on_account
from sekisho.sandbox.iam.names import iso, operation, page
from sekisho.sandbox.iam.policies import customer_policies
from sekisho.sandbox.iam.profiles import count_profiles
from sekisho.sandbox.operation import Work
from sekisho.sandbox.store import Report

# --- alias ---------------------------------------------------------------------------------------------------------------


def create_alias(work: Work) -> Mapping[str, Any]:
    """An account has one alias; a new one takes the old one's place. No two accounts have the same."""
    alias = work.params["AccountAlias"]
    if alias.isdigit() and len(alias) == 12:
        raise AwsFault("ValidationError", "The account alias must not be a 12-digit number.")
    if any(a.alias == alias for a in work.store.accounts.values()):
        raise AwsFault("EntityAlreadyExists", f"The account alias {alias} already exists.", 409)
    work.store.save(replace(work.account, alias=alias))
    return {}


def list_aliases(work: Work) -> Mapping[str, Any]:
    return page(work.params, [work.account.alias] if work.account.alias else [], str, "AccountAliases")


def delete_alias(work: Work) -> Mapping[str, Any]:
    if work.account.alias != work.params["AccountAlias"]:
        raise no_such_entity(f"The account alias {work.params['AccountAlias']} does not exist.")
    work.store.save(replace(work.account, alias=None))
    return {}


# --- numbers -------------------------------------------------------------------------------------------------------------

_QUOTAS = {
    "AccessKeysPerUserQuota": "access_keys_per_user", "AssumeRolePolicySizeQuota": "trust_policy_size",
    "AttachedPoliciesPerGroupQuota": "group_attached", "AttachedPoliciesPerRoleQuota": "role_attached",
    "AttachedPoliciesPerUserQuota": "user_attached", "GroupPolicySizeQuota": "group_inline_size", "GroupsPerUserQuota": "groups_per_user",
    "GroupsQuota": "groups", "PoliciesQuota": "policies", "PolicySizeQuota": "managed_policy_size", "RolePolicySizeQuota": "role_inline_size",
    "RolesQuota": "roles", "UserPolicySizeQuota": "user_inline_size", "UsersQuota": "users", "VersionsPerPolicyQuota": "policy_versions",
}  # fmt: skip


def get_summary(work: Work) -> Mapping[str, Any]:
    account, store = work.account, work.store
    devices = [d for d in store.devices.values() if d.account == account.id]
    own = customer_policies(account)
    counts = {
        "Users": len(account.users), "Groups": len(account.groups), "Roles": len(account.roles), "Policies": len(own),
        "PolicyVersionsInUse": sum(len(p.versions) for p in own) + len({a for a in uses(account)[0] if ":iam::aws:" in a}),
        "InstanceProfiles": count_profiles(account), "MFADevices": len(devices), "MFADevicesInUse": sum(d.user is not None for d in devices),
        "AccountAccessKeysPresent": int(bool(store.keys_of(account.id, ""))), "AccountMFAEnabled": 0, "AccountPasswordPresent": 0,
        "AccountSigningCertificatesPresent": 0, "Providers": 0, "ServerCertificates": 0,
    }  # fmt: skip
    return {"SummaryMap": counts | {name: limit(row) for name, row in _QUOTAS.items()}}


# --- credential report ---------------------------------------------------------------------------------------------------

_COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed", "password_next_rotation",
    "mfa_active", "access_key_1_active", "access_key_1_last_rotated", "access_key_1_last_used_date", "access_key_2_active",
    "access_key_2_last_rotated", "access_key_2_last_used_date",
)  # fmt: skip


def generate_report(work: Work) -> Mapping[str, Any]:
    """The report is made at once; it is kept as it is now until it is generated again."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    rows.writerow(_row_of_root(work))
    rows.writerows(_row(work, user) for user in work.account.users)
    work.store.put(Report(work.caller.account, text.getvalue(), iso(work.now)))
    return {"State": "COMPLETE"}


def _row_of_root(work: Work) -> list[str]:
    arn = f"arn:aws:iam::{work.caller.account}:root"
    return ["<root_account>", arn, "N/A", "not_supported", "no_information", "not_supported", "not_supported", "false", *_keys(work, "")]


def _row(work: Work, user: User) -> list[str]:
    password = work.store.password_of(work.caller.account, user.name)
    devices = work.store.devices_of(work.caller.account, user.name)
    said = ["false", "N/A", "N/A", "N/A"]
    if password is not None:
        said = ["true", password.last_used or "no_information", password.created, "N/A"]
    created = str(user.extra.get("CreateDate") or "N/A")
    return [user.name, user.arn, created, *said, "true" if devices else "false", *_keys(work, user.name)]


def _keys(work: Work, user: str) -> Iterator[str]:
    keys = sorted(work.store.keys_of(work.caller.account, user), key=lambda k: k.created)[:2]
    for key in keys:
        yield from ("true" if key.status == "Active" else "false", key.created, key.last_used or "N/A")
    yield from ("false", "N/A", "N/A") * (2 - len(keys))


def get_report(work: Work) -> Mapping[str, Any]:
    report = work.store.reports.get(work.caller.account)
    if report is None:
        raise AwsFault("ReportNotPresent", "No report is present. Generate one with GenerateCredentialReport.", 410)
    return {"Content": report.content.encode(), "ReportFormat": "text/csv", "GeneratedTime": report.generated}


OPERATIONS = {
    "CreateAccountAlias": operation(create_alias, on_account),
    "ListAccountAliases": operation(list_aliases, on_account),
    "DeleteAccountAlias": operation(delete_alias, on_account),
    "GetAccountSummary": operation(get_summary, on_account),
    "GenerateCredentialReport": operation(generate_report, on_account),
    "GetCredentialReport": operation(get_report, on_account),
}
