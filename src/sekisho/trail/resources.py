"""Which resource an event was about, as policies see it: from requestParameters, ``resources``, or the refusal's text (G-04, G-08).

``resource_of`` gives ``*`` where the action knows no resource, and None where the record doesn't tell: not the same thing. An IAM name is
given at the root path, since parameters don't hold the path; who has an estate puts the real path in (``request.py``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.trail.records import Identity, Parameters, Record


_ON_RESOURCE = re.compile(r" on resource: (arn:\S+)")

_OWN_IF_UNNAMED = frozenset(
    (
        "ChangePassword", "CreateAccessKey", "DeleteAccessKey", "GetUser", "ListAccessKeys", "ListMFADevices", "ListSSHPublicKeys",
        "ListServiceSpecificCredentials", "ListSigningCertificates", "UpdateAccessKey", "DeactivateMFADevice", "UpdateUser",
        "CreateLoginProfile", "DeleteLoginProfile", "GetLoginProfile", "UpdateLoginProfile",
    )
)  # fmt: skip
"""IAM actions that are about the caller where no user is named."""

_ABOUT_POLICY = frozenset(
    (
        "CreatePolicyVersion", "DeletePolicy", "DeletePolicyVersion", "GetPolicy", "GetPolicyVersion", "ListEntitiesForPolicy",
        "ListPolicyTags", "ListPolicyVersions", "SetDefaultPolicyVersion", "TagPolicy", "UntagPolicy",
    )
)  # fmt: skip

_LISTED = {
    "ListUsers": "user/", "ListRoles": "role/", "ListGroups": "group/", "ListInstanceProfiles": "instance-profile/",
    "ListPolicies": "policy path /",
}  # fmt: skip
"""What AWS names as the resource of IAM's listings: the path prefix."""

_STS_ANY = frozenset(("GetCallerIdentity", "GetSessionToken", "GetAccessKeyInfo", "DecodeAuthorizationMessage", "GetServiceBearerToken"))

_ANY_PREFIXES = {
    "ec2.amazonaws.com": ("Describe",),
    "organizations.amazonaws.com": ("List", "DescribeOrganization"),
    "cloudtrail.amazonaws.com": ("Describe", "LookupEvents", "ListTrails", "ListPublicKeys"),
    "health.amazonaws.com": ("Describe",),
    "ce.amazonaws.com": ("Get",),
}
"""Event sources → beginnings of events whose action takes no resource."""

_IAM_ANY = (
    "GetAccount", "GenerateCredentialReport", "GetCredentialReport", "ListAccountAliases", "ListVirtualMFADevices", "ListOpenIDConnect", "ListSAML",
)  # fmt: skip


def resource_of(record: Record, parameters: Parameters, identity: Identity) -> tuple[str | None, str | None]:
    """(ARN, ``*`` or None; the owning account where the record tells it)."""
    if record.errorMessage is not None and record.errorCode is not None:
        # AWS names the resource that it decided on; requestParameters are null on a refused AssumeRole (G-08).
        found = _ON_RESOURCE.search(record.errorMessage)
        if found is not None:
            return found[1], _account(found[1])
    source = record.eventSource
    if source == "signin.amazonaws.com":
        return None, None
    if source == "sts.amazonaws.com":
        if parameters.roleArn is not None:
            return parameters.roleArn, _account(parameters.roleArn)
        return ("*", None) if record.eventName in _STS_ANY else (None, None)
    if source == "iam.amazonaws.com":
        return _iam(record, parameters, identity), record.recipientAccountId
    if source == "s3.amazonaws.com":
        return _s3(record, parameters)
    listed = record.resources
    if listed:
        first = listed[0]
        if first.ARN and all(r.ARN == first.ARN for r in listed):
            return first.ARN, first.accountId
        return None, None
    prefixes = _ANY_PREFIXES.get(source)
    if prefixes is not None and record.eventName.startswith(prefixes):
        return "*", None
    return None, None


def _iam(record: Record, p: Parameters, identity: Identity) -> str | None:
    name = record.eventName
    account = record.recipientAccountId or identity.accountId
    base = f"arn:aws:iam::{account}:"
    if name in _LISTED:
        return base + _LISTED[name]
    if name in _ABOUT_POLICY:
        return p.policyArn
    if p.virtualMFADeviceName is not None:
        return f"{base}mfa{p.path or '/'}{p.virtualMFADeviceName}"
    if name == "DeleteVirtualMFADevice":
        return p.serialNumber
    if name == "CreatePolicy":
        return f"{base}policy{p.path or '/'}{p.policyName}"
    if p.instanceProfileName is not None:
        return f"{base}instance-profile/{p.instanceProfileName}"
    # AddUserToGroup and RemoveUserFromGroup name a user too, and are about the group.
    for kind, value in (("group", p.groupName), ("user", p.userName), ("role", p.roleName)):
        if value is not None:
            return f"{base}{kind}{p.path or '/'}{value}"
    if name in _OWN_IF_UNNAMED and identity.type == "IAMUser":
        return identity.arn
    return "*" if name.startswith(_IAM_ANY) else None


def _s3(record: Record, parameters: Parameters) -> tuple[str | None, str | None]:
    if record.eventName == "ListBuckets":
        return "*", None
    bucket, key = parameters.bucketName, parameters.key
    if not bucket or not (key is None or isinstance(key, str)):
        return None, None
    owner = next((r.accountId for r in record.resources or () if r.accountId), None)
    return f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else ""), owner


@lru_cache(maxsize=65536)
def _account(arn: str) -> str | None:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else None
