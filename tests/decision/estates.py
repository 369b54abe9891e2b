"""Small estates for tests, built as AWS's own JSON says them and read through the public door."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sekisho import Estate
from sekisho.estate import account_from_json

JUMP, TARGET = "111111111111", "222222222222"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
ALLOW_ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def document(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def inline(key: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
    """The inline policy list of an entry: ``inline("User", {...})``."""
    return {f"{key}PolicyList": [{"PolicyName": f"inline-{i}", "PolicyDocument": document(s)} for i, s in enumerate(statements)]}


def user(name: str, path: str = "/", account: str = JUMP, **more: Any) -> dict[str, Any]:
    return {"UserName": name, "Path": path, "UserId": f"AIDAEXAMPLE{name.upper()}", "Arn": f"arn:aws:iam::{account}:user{path}{name}", **more}


def group(name: str, account: str = JUMP, **more: Any) -> dict[str, Any]:
    return {"GroupName": name, "Path": "/", "GroupId": f"AGPAEXAMPLE{name.upper()}", "Arn": f"arn:aws:iam::{account}:group/{name}", **more}


def role(name: str, *trust: Mapping[str, Any], path: str = "/", account: str = TARGET, **more: Any) -> dict[str, Any]:
    return {
        "RoleName": name, "Path": path, "RoleId": f"AROAEXAMPLE{name.upper()}", "Arn": f"arn:aws:iam::{account}:role{path}{name}",
        "AssumeRolePolicyDocument": document(*(trust or ({"Effect": "Allow", "Principal": {"AWS": JUMP}, "Action": "sts:AssumeRole"},))), **more,
    }  # fmt: skip


def attached(*arns: str) -> dict[str, Any]:
    return {"AttachedManagedPolicies": [{"PolicyName": a.rpartition("/")[2], "PolicyArn": a} for a in arns]}


def managed(arn: str, *statements: Mapping[str, Any]) -> dict[str, Any]:
    version = {"VersionId": "v1", "IsDefaultVersion": True, "Document": document(*statements)}
    return {"PolicyName": arn.rpartition("/")[2], "Arn": arn, "DefaultVersionId": "v1", "PolicyVersionList": [version]}


def account(
    account_id: str, users: Any = (), groups: Any = (), roles: Any = (), policies: Any = (), beside: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    body: dict[str, Any] = {"UserDetailList": list(users), "GroupDetailList": list(groups), "RoleDetailList": list(roles), "Policies": list(policies)}
    return {**body, "Sekisho": {"id": account_id, **beside}} if beside is not None else {**body, "Sekisho": {"id": account_id}}


def estate(*bodies: Mapping[str, Any]) -> Estate:
    return Estate.of(account_from_json(body) for body in bodies)
