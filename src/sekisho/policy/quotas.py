"""Sizes and counts, and how AWS counts them (A.4, A-40). One table; nothing else in the project holds these numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sekisho.errors import PolicyError
from sekisho.policy.settings import DEFAULT, Settings

_FREE = {ord(c): None for c in " \t\r\n"}


@dataclass(frozen=True, slots=True)
class Quota:
    """A default limit, the most after a raise (None: fixed or not known), the name in AWS's error text, and the least."""

    limit: int
    most: int | None = None
    text: str = ""
    least: int = 0


QUOTAS: Mapping[str, Quota] = {
    "managed_policy_size": Quota(6144, None, "PolicySize"),
    "user_inline_size": Quota(2048, None, "UserPolicySize"),
    "group_inline_size": Quota(5120, None, "GroupPolicySize"),
    "role_inline_size": Quota(10240, None, "RolePolicySize"),
    "trust_policy_size": Quota(2048, 8192, "ACLSizePerRole"),
    "session_policy_size": Quota(2048, None, "PackedPolicySize"),
    "session_policy_arns": Quota(10),
    "scp_size": Quota(5120, None, "PolicySize"),
    "user_attached": Quota(10, 20, "PoliciesPerUser"),
    "role_attached": Quota(10, 25, "PoliciesPerRole"),
    "group_attached": Quota(10, None, "PoliciesPerGroup"),
    "policy_versions": Quota(5, None, "VersionsPerPolicy"),
    "groups_per_user": Quota(10, None, "GroupsPerUser"),
    "access_keys_per_user": Quota(2, None, "AccessKeysPerUser"),
    "mfa_devices_per_user": Quota(8, None, "MfaDevicesPerUser"),
    "aliases_per_account": Quota(1),
    "boundaries_per_entity": Quota(1),
    "login_profiles_per_user": Quota(1),
    "users": Quota(5000, None, "UsersPerAccount"),
    "groups": Quota(300, 500, "GroupsPerAccount"),
    "roles": Quota(1000, 10000, "RolesPerAccount"),
    "policies": Quota(1500, 10000, "PoliciesPerAccount"),
    "user_name": Quota(64, least=1),
    "role_name": Quota(64, least=1),
    "group_name": Quota(128, least=1),
    "policy_name": Quota(128, least=1),
    "session_name": Quota(64, least=2),
    "alias": Quota(63, least=3),
    "path": Quota(512),
    "console_role_path_and_name": Quota(64),
    "tags": Quota(50),
    "tag_key": Quota(128),
    "tag_value": Quota(256),
    "external_id": Quota(1224, least=2),
}


def policy_size(document: str | Mapping[str, Any], settings: Settings = DEFAULT) -> int:
    """Characters of a policy document as AWS counts them: white space is free (A-40).

    ``document`` is the text or the JSON object; for SCPs and RCPs every character of the text counts: use ``len``.
    """
    if not isinstance(document, str):
        document = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    elif not settings.white_space_in_strings_is_free:
        document = json.dumps(json.loads(document), separators=(",", ":"), ensure_ascii=False)
    if settings.white_space_in_strings_is_free:
        document = document.translate(_FREE)
    return len(document)


def limit(name: str, settings: Settings = DEFAULT) -> int:
    """The limit in force for a row of the table; the trust policy's is a setting, because it can be raised."""
    return settings.trust_policy_quota if name == "trust_policy_size" else QUOTAS[name].limit


def check_size(name: str, size: int, settings: Settings = DEFAULT) -> None:
    """Raise AWS's LimitExceeded when ``size`` is over the row's limit."""
    most = limit(name, settings)
    if size > most:
        raise PolicyError(
            f"Cannot exceed quota for {QUOTAS[name].text or name}: {most}",
            code="LimitExceeded",
            expected=f"at most {most}, this is {size}",
        )
