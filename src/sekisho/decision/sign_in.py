"""Method 3, the sign-in itself: AWS Sign-In's permission statements as a policy, and whether a sign-in is let through (rule book M).

The documents that AWS derives from permission statements aren't published (M-06). Under ``Settings.sign_in_model`` each statement is a
Deny of the three sign-in actions to everyone outside its networks, but for its excluded principals; nothing else is asked, because
identity policies don't authorise a sign-in (F-17).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sekisho.estate.model import SignIn, SignInStatement
from sekisho.policy import DEFAULT, Policy, PolicyKind, Settings
from sekisho.policy.condition import Context
from sekisho.policy.matching import ready_policy

ACTIONS = ("signin:Authenticate", "signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token")

_LISTS = (
    ("source_ip", "NotIpAddressIfExists", "aws:SourceIp"),
    ("source_vpc", "StringNotEqualsIfExists", "aws:SourceVpc"),
    ("signin_source_vpce", "StringNotEqualsIfExists", "aws:SourceVpce"),
    ("console_source_vpce", "StringNotEqualsIfExists", "aws:SourceVpce"),
    ("vpc_source_ip", "NotIpAddressIfExists", "aws:VpcSourceIp"),
    ("requested_region", "StringNotEqualsIfExists", "aws:RequestedRegion"),
)
"""Field of a permission statement → operator and key of the Deny (F-02's form: each given network opens a way)."""


def sign_in_policy(sign_in: SignIn) -> Policy:
    """The statements as one policy document. ``signin:PrincipalArn`` is the key that Authenticate carries (M-03)."""
    return Policy.parse(
        {"Version": "2012-10-17", "Statement": [_deny(s) for s in sign_in.statements] or [_nobody()]},
        kind=PolicyKind.RESOURCE, name="AWS Sign-In policy",
    )  # fmt: skip


def _deny(statement: SignInStatement) -> dict[str, Any]:
    condition: dict[str, dict[str, list[str]]] = {}
    for field, operator, key in _LISTS:
        values = getattr(statement, field)
        if values:
            condition.setdefault(operator, {}).setdefault(key, []).extend(values)
    if statement.excluded_principals:
        condition["ArnNotEqualsIfExists"] = {"signin:PrincipalArn": list(statement.excluded_principals)}
    return {"Effect": "Deny", "Principal": "*", "Action": list(ACTIONS), "Resource": "*", "Condition": condition}


def _nobody() -> dict[str, Any]:
    """A Deny that never holds: a policy has at least one statement."""
    return {"Effect": "Deny", "Principal": "*", "Action": list(ACTIONS), "Resource": "*", "Condition": {"Null": {"aws:CurrentTime": "true"}}}


def sign_in_allowed(sign_in: SignIn | None, context: Mapping[str, Any], settings: Settings = DEFAULT) -> bool:
    """Whether a sign-in with this context (keys in any case; ``signin:PrincipalArn`` among them) gets as far as its password.

    Statements have no effect until console authorization is switched on (M-02). What can't be known is refused.

    >>> sign_in_allowed(SignIn((SignInStatement(source_ip=("203.0.113.0/24",)),), enforced=True), {"aws:SourceIp": "192.0.2.44"})
    False
    """
    if sign_in is None or not sign_in.enforced:
        return True
    present: Context = {"aws:currenttime": "", **{k.lower(): v for k, v in context.items()}}
    return all(s.test(present) is False for s in ready_policy(sign_in_policy(sign_in), settings).statements)
