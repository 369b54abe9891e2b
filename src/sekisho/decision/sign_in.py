"""Method 3, the sign-in itself: AWS Sign-In's permission statements as a policy, and whether a sign-in is let through (rule book M).

The documents that AWS derives from permission statements aren't published (M-06). Under ``Settings.sign_in_model`` they are
together a Deny of the three sign-in actions to everyone outside their networks, but for the excluded principals; nothing else is asked,
because identity policies don't authorise a sign-in (F-17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from sekisho.decision.request import Request
from sekisho.estate.model import SignIn, SignInStatement
from sekisho.policy import DEFAULT, Policy, PolicyKind, Settings
from sekisho.policy.condition import Context
from sekisho.policy.matching import ready_policy

ACTIONS = ("signin:Authenticate", "signin:AuthorizeOAuth2Access", "signin:CreateOAuth2Token")

AUTHENTICATE = ACTIONS[0]
"""The sign-in as a request: by a user, a role's federated session or root, before there are credentials. ``decide`` and ``prove`` take it."""

_NETWORKS = (
    ("source_ip", "IpAddress", "aws:SourceIp"),
    ("source_vpc", "StringEquals", "aws:SourceVpc"),
    ("signin_source_vpce", "StringEquals", "aws:SourceVpce"),
    ("console_source_vpce", "StringEquals", "aws:SourceVpce"),
    ("vpc_source_ip", "IpAddress", "aws:VpcSourceIp"),
    ("requested_region", "StringEquals", "aws:RequestedRegion"),
)
"""Field of a permission statement → the condition that it puts on a sign-in."""
_NEGATED = {"IpAddress": "NotIpAddressIfExists", "StringEquals": "StringNotEqualsIfExists"}
Condition = dict[str, dict[str, list[str]]]


def statement_condition(statement: SignInStatement) -> Condition:
    """One permission statement as conditions: the networks that it lets through, and whom it excludes from the restriction."""
    condition: Condition = {}
    for field, operator, key in _NETWORKS:
        if values := getattr(statement, field):
            condition.setdefault(operator, {}).setdefault(key, []).extend(values)
    if statement.excluded_principals:
        condition["ArnEquals"] = {"signin:PrincipalArn": list(statement.excluded_principals)}
    return condition


def sign_in_policy(sign_in: SignIn) -> Policy:
    """The statements together as one policy document. ``signin:PrincipalArn`` is the key that Authenticate carries (M-03).

    Each statement opens a way: all its networks hold at once. Outside every way, and for nobody excluded, the sign-in is denied; written
    with Denys alone, that takes one for each choice of one condition from every statement (F-02's form), and one as a rule.
    """
    networks = [
        [(field, operator, key) for field, operator, key in _NETWORKS if getattr(s, field)] for s in sign_in.statements
    ]  # fmt: skip
    ways = [(s, n) for s, n in zip(sign_in.statements, networks, strict=True) if n]
    excluded = sorted({a for s in sign_in.statements for a in s.excluded_principals})
    denies = [_deny(choice, [s for s, _ in ways], excluded) for choice in product(*(n for _, n in ways))]
    return Policy.parse({"Version": "2012-10-17", "Statement": denies}, kind=PolicyKind.RESOURCE, name="AWS Sign-In policy")


def authenticating(sign_in: SignIn | None) -> Policy:
    """What decides a ``signin:Authenticate`` alone: everybody gets as far as the password, but for whom the statements in force deny (M-02)."""
    allow = {"Effect": "Allow", "Principal": "*", "Action": AUTHENTICATE, "Resource": "*"}
    denies = sign_in_policy(sign_in).document["Statement"] if sign_in is not None and sign_in.enforced else []
    return Policy.parse({"Version": "2012-10-17", "Statement": [allow, *denies]}, kind=PolicyKind.RESOURCE, name="AWS Sign-In policy")


def is_sign_in(request: Request) -> bool:
    """Whether a request is the sign-in itself. Its policy stands in no file: AWS makes it of the permission statements (M-06)."""
    return request.action.lower() == AUTHENTICATE.lower()


def _deny(choice: Sequence[tuple[str, str, str]], statements: Sequence[SignInStatement], excluded: list[str]) -> dict[str, Any]:
    condition: Condition = {}
    for (field, operator, key), statement in zip(choice, statements, strict=True):
        condition.setdefault(_NEGATED[operator], {}).setdefault(key, []).extend(getattr(statement, field))
    if excluded:
        condition["ArnNotEqualsIfExists"] = {"signin:PrincipalArn": excluded}
    if not choice:
        # Nobody's way is told, only who is excluded: nothing is restricted, and a policy has at least one statement.
        condition = {"Null": {"aws:CurrentTime": ["true"]}}
    return {"Effect": "Deny", "Principal": "*", "Action": list(ACTIONS), "Resource": "*", "Condition": condition}


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
