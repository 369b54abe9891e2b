"""The documents that an environment asks for: restrictions, trust policies in their forms, and what users may do for themselves.

Statement for statement the article's where the file says ``article``; otherwise what its readers would write today (rule book F.2).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Document = dict[str, Any]

VERSION = "2012-10-17"


def deny_outside(cidrs: Sequence[str]) -> Document:
    """Method 1, and the Deny that keeps a session on its networks: everything, outside ``cidrs``, but for calls of AWS services."""
    return {
        "Version": VERSION,
        "Statement": {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"NotIpAddress": {"aws:SourceIp": list(cidrs)}, "Bool": {"aws:ViaAWSService": "false"}},
        },
    }


def allow_assume_role(roles: Sequence[str] | None) -> Document:
    """Leave to switch: into ``roles`` (ARNs), or into any role where None (the article's form; F-09)."""
    resource: str | list[str] = "*" if roles is None else list(roles)
    return {"Version": VERSION, "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": resource}}


def trust(
    principals: str | list[str],
    *,
    principal_arns: Sequence[str] = (),
    mfa: bool,
    mfa_max_age_s: int | None,
    cidrs: Sequence[str] | None,
    networks_as: str,
) -> Document:
    """A role's trust policy. ``cidrs`` None: from anywhere; else method 2, as a Deny outside them or an Allow only inside them.

    ``principal_arns`` narrow an account's principals to those ARNs (patterns). MFA is asked for with Allow + Bool true (F-04).
    """
    condition: dict[str, dict[str, Any]] = {}
    if principal_arns:
        condition["ArnLike"] = {"aws:PrincipalArn": list(principal_arns)}
    if mfa:
        condition["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
        if mfa_max_age_s is not None:
            condition["NumericLessThan"] = {"aws:MultiFactorAuthAge": str(mfa_max_age_s)}
    if cidrs is not None and networks_as == "allow":
        condition["IpAddress"] = {"aws:SourceIp": list(cidrs)}
    allow: Document = {"Effect": "Allow", "Principal": {"AWS": principals}, "Action": "sts:AssumeRole"}
    if condition:
        allow["Condition"] = condition
    statements = [allow]
    if cidrs is not None and networks_as == "deny":
        statements.append(
            {
                "Effect": "Deny",
                "Principal": {"AWS": principals},
                "Action": "sts:AssumeRole",
                "Condition": {"NotIpAddress": {"aws:SourceIp": list(cidrs)}},
            }
        )
    return {"Version": VERSION, "Statement": statements}


_OWN_USER = "arn:aws:iam::*:user/${aws:username}"
_NAMED_LIKE_USER = "arn:aws:iam::*:mfa/${aws:username}"


def self_service_article(*, mfa_required: bool = True, mfa_max_age_s: int | None = None) -> Document:
    """The article's policy: users enrol their own MFA device and change their own password.

    Where MFA isn't required its last statement, which asks for it, is left out; ``mfa_max_age_s`` (not in the article) repeats that
    statement for a second factor that is older.
    """
    before_mfa = [
        "iam:CreateVirtualMFADevice", "iam:EnableMFADevice", "iam:ListMFADevices", "iam:ListUsers", "iam:ListVirtualMFADevices",
        "iam:ResyncMFADevice", "iam:GetAccountPasswordPolicy", "iam:ChangePassword",
    ]  # fmt: skip
    blocks = []
    if mfa_required:
        block = {"NotAction": before_mfa, "Resource": [_NAMED_LIKE_USER, _OWN_USER]}
        blocks = _without_mfa("BlockMostAccessUnlessSignedInWithMFA", block, mfa_max_age_s)
    return {
        "Version": VERSION,
        "Statement": [
            {"Sid": "AllowListActions", "Effect": "Allow", "Action": ["iam:ListUsers", "iam:ListVirtualMFADevices"], "Resource": "*"},
            {
                "Sid": "AllowIndividualUserToListOnlyTheirOwnMFA",
                "Effect": "Allow",
                "Action": ["iam:ListMFADevices"],
                "Resource": ["arn:aws:iam::*:mfa/*", _OWN_USER],
            },
            {
                "Sid": "AllowIndividualUserToManageTheirOwnMFA",
                "Effect": "Allow",
                "Action": ["iam:CreateVirtualMFADevice", "iam:DeleteVirtualMFADevice", "iam:EnableMFADevice", "iam:ResyncMFADevice"],
                "Resource": [_NAMED_LIKE_USER, _OWN_USER],
            },
            {
                "Sid": "AllowIndividualUserToDeactivateOnlyTheirOwnMFAOnlyWhenUsingMFA",
                "Effect": "Allow",
                "Action": ["iam:DeactivateMFADevice"],
                "Resource": [_NAMED_LIKE_USER, _OWN_USER],
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            },
            {"Sid": "AllowGetAccountPasswordPolicy", "Effect": "Allow", "Action": "iam:GetAccountPasswordPolicy", "Resource": "*"},
            {"Sid": "AllowChangePassword", "Effect": "Allow", "Action": "iam:ChangePassword", "Resource": _OWN_USER},
            *blocks,
        ],
    }  # fmt: skip


def _without_mfa(sid: str, block: dict[str, Any], max_age_s: int | None) -> list[dict[str, Any]]:
    """A Deny of ``block`` without MFA, and one with a second factor that is ``max_age_s`` old or older."""
    denies = [{"Sid": sid, "Effect": "Deny", **block, "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}}]
    if max_age_s is not None:
        too_old = {"NumericGreaterThanEquals": {"aws:MultiFactorAuthAge": str(max_age_s)}}
        denies.append({"Sid": f"{sid}Lately", "Effect": "Deny", **block, "Condition": too_old})
    return denies


_OWN_USER_AT_ANY_PATH = [_OWN_USER, "arn:aws:iam::*:user/*/${aws:username}"]
"""One's own user, whatever its path: a user's name has no slash, so the last part of the ARN is the whole name."""


def self_service_current(*, mfa_required: bool, mfa_max_age_s: int | None) -> Document:
    """Safe for named devices and a first sign-in: before MFA a user can change the first password and enrol a device, and nothing else.

    Devices may have any name (``mfa/*``, as the console has asked for names since November 2022); binding one to a user is limited to
    oneself by the *user* resource of EnableMFADevice (F-20). DeleteVirtualMFADevice is not given: it would let a stolen password replace
    the second factor, and devices of any name need no tidying. Taking a device off asks for MFA even where nothing else does.

    The Deny holds whatever else a group is given: an administrator's stolen password enrols nobody else either.
    """
    own_first_steps = ["iam:ChangePassword", "iam:EnableMFADevice", "iam:GetUser", "iam:ListMFADevices", "iam:ResyncMFADevice"]
    first_steps = [
        *own_first_steps, "iam:CreateVirtualMFADevice", "iam:GetAccountPasswordPolicy", "iam:ListVirtualMFADevices", "sts:GetSessionToken",
    ]  # fmt: skip
    statements: list[Mapping[str, Any]] = [
        {
            "Sid": "ViewAccountInfo",
            "Effect": "Allow",
            "Action": ["iam:GetAccountPasswordPolicy", "iam:ListVirtualMFADevices"],
            "Resource": "*",
        },
        {
            "Sid": "ManageOwnPasswordAndDevices",
            "Effect": "Allow",
            "Action": own_first_steps,
            "Resource": _OWN_USER_AT_ANY_PATH,
        },
        {
            "Sid": "CreateDevicesOfAnyName",
            "Effect": "Allow",
            "Action": "iam:CreateVirtualMFADevice",
            "Resource": "arn:aws:iam::*:mfa/*",
        },
        {
            "Sid": "TakeOwnDevicesOffWithMfa",
            "Effect": "Allow",
            "Action": "iam:DeactivateMFADevice",
            "Resource": _OWN_USER_AT_ANY_PATH,
            "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
        },
        {
            "Sid": "ManageOwnAccessKeys",
            "Effect": "Allow",
            "Action": ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:GetAccessKeyLastUsed", "iam:ListAccessKeys", "iam:UpdateAccessKey"],
            "Resource": _OWN_USER_AT_ANY_PATH,
        },
    ]  # fmt: skip
    if mfa_required:
        statements += _without_mfa("NothingElseWithoutMfa", {"NotAction": first_steps, "Resource": "*"}, mfa_max_age_s)
        others = {"Action": own_first_steps, "NotResource": _OWN_USER_AT_ANY_PATH}
        statements += _without_mfa("NothingForOthersWithoutMfa", others, mfa_max_age_s)
    return {"Version": VERSION, "Statement": statements}
