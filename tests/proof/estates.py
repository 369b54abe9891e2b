"""Small estates for tests, from documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sekisho import Policy, PolicyKind
from sekisho.estate import Account, Estate, Role, User

J, T = "111111111111", "222222222222"
ALICE, HOP, OPS = f"arn:aws:iam::{J}:user/alice", f"arn:aws:iam::{J}:role/Hop", f"arn:aws:iam::{T}:role/Ops"
OFFICE = "203.0.113.0/24"

ANY_ROLE = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
OFFICE_ONLY = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": OFFICE}}}
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def document(*blocks: Mapping[str, Any]) -> Policy:
    return Policy.parse({"Version": "2012-10-17", "Statement": list(blocks)}, name="policy")


def trust(*blocks: Mapping[str, Any]) -> Policy:
    return Policy.parse({"Version": "2012-10-17", "Statement": list(blocks)}, kind=PolicyKind.TRUST, name="trust")


def allow(principal: Any, condition: Mapping[str, Any] | None = None, action: str = "sts:AssumeRole") -> dict[str, Any]:
    named = principal if isinstance(principal, dict) else {"AWS": principal}
    return {"Effect": "Allow", "Principal": named, "Action": action, **({"Condition": condition} if condition else {})}


def user(name: str, *policies: Policy, **more: Any) -> User:
    return User(f"arn:aws:iam::{J}:user/{name}", name, id=f"AIDA{name.upper():A<17}", inline=policies, **more)


def role(arn: str, trusted: Policy, *policies: Policy, **more: Any) -> Role:
    name = arn.rpartition("/")[2]
    return Role(arn, name, trusted, id=f"AROA{name.upper():A<17}", inline=policies, **more)


def estate(users: tuple[User, ...], *roles: Role, **more: Any) -> Estate:
    """``users`` in J, roles where their ARNs say."""
    accounts = []
    for account in sorted({J, *(r.arn.split(":")[4] for r in roles)}):
        mine = tuple(r for r in roles if r.arn.split(":")[4] == account)
        accounts.append(Account(account, users=users if account == J else (), roles=mine, **more))
    return Estate.of(accounts)
