"""A-30, A-31 at the embedded AWS: principals of a trust policy are resolved when it is saved, and follow what they name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .iam_case import HOME, OTHER, Case, refused, trust

ALICE = f"arn:aws:iam::{HOME}:user/alice"


def shown(iam: Any, role: str = "ops") -> Any:
    return iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]


@pytest.mark.parametrize(
    "principal",
    [
        pytest.param(f"arn:aws:iam::{HOME}:user/nobody", id="A-31 no such user"),
        pytest.param(f"arn:aws:iam::{OTHER}:user/nobody", id="A-31 no such user in another account"),
        pytest.param(f"arn:aws:iam::{HOME}:role/none", id="A-31 no such role"),
        pytest.param(f"arn:aws:iam::{HOME}:user/Alice", id="A-31 letter case"),
        pytest.param(f"arn:aws:iam::{HOME}:user/path/alice", id="A-31 another path"),
        pytest.param(f"arn:aws:iam::{HOME}:group/staff", id="A-30 group"),
        pytest.param(f"arn:aws:iam::{HOME}:user/*", id="A-30 wildcard"),
        pytest.param("AIDAAAAAAAAAAAAAAAAAA", id="A-31 no such id"),
    ],
)
def test_a_principal_that_does_not_exist_is_refused(case: Case, principal: str) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="staff")
    expected = ("MalformedPolicyDocument", 400, f'Invalid principal in policy: "AWS":"{principal}"')
    assert refused(iam.create_role, RoleName="ops", AssumeRolePolicyDocument=trust(principal)) == expected
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(ALICE))
    assert refused(iam.update_assume_role_policy, RoleName="ops", PolicyDocument=trust(principal)) == expected
    assert shown(iam) == [ALICE]


def test_a_deleted_user_leaves_the_bare_id_and_recreation_does_not_restore_it(case: Case) -> None:
    home, other = case.iam(), case.iam(OTHER)
    first = home.create_user(UserName="alice")["User"]["UserId"]
    home.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(ALICE, OTHER))
    other.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(ALICE))
    home.delete_user(UserName="alice")
    assert shown(home) == [first, f"arn:aws:iam::{OTHER}:root"]
    assert shown(other) == [first]
    second = home.create_user(UserName="alice")["User"]["UserId"]
    assert second != first
    assert shown(other) == [first]
    # What AWS now shows can't be saved again, as people who deploy it find out.
    expected = ("MalformedPolicyDocument", 400, f'Invalid principal in policy: "AWS":"{first}"')
    assert refused(other.update_assume_role_policy, RoleName="ops", PolicyDocument=trust(first)) == expected


def test_a_trust_follows_a_rename_and_reads_a_living_id(case: Case) -> None:
    home, other = case.iam(), case.iam(OTHER)
    user = home.create_user(UserName="alice")["User"]
    other.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(user["UserId"]))
    assert shown(other) == [ALICE]
    home.update_user(UserName="alice", NewPath="/staff/")
    assert shown(other) == [f"arn:aws:iam::{HOME}:user/staff/alice"]


def test_a_trust_follows_a_role_to_its_end(case: Case) -> None:
    iam = case.iam()
    role = iam.create_role(RoleName="hop", AssumeRolePolicyDocument=trust("*"))["Role"]
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(role["Arn"]))
    iam.delete_role(RoleName="hop")
    assert shown(iam) == [role["RoleId"]]


def test_the_recreated_user_is_not_let_in(case: Case) -> None:
    home, other = case.iam(), case.iam(OTHER)
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}
    assume = {"RoleArn": f"arn:aws:iam::{OTHER}:role/ops", "RoleSessionName": "alice"}
    first = case.as_user("alice", policy, "sts")
    other.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(ALICE))
    assert first.assume_role(**assume)["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{OTHER}:assumed-role/ops/alice"
    for key in home.list_access_keys(UserName="alice")["AccessKeyMetadata"]:
        home.delete_access_key(UserName="alice", AccessKeyId=key["AccessKeyId"])
    home.delete_user_policy(UserName="alice", PolicyName="of-the-test")
    home.delete_user(UserName="alice")
    second = case.as_user("alice", policy, "sts")
    assert refused(second.assume_role, **assume)[:2] == ("AccessDenied", 403)
    other.update_assume_role_policy(RoleName="ops", PolicyDocument=trust(ALICE))
    second.assume_role(**assume)


@pytest.mark.parametrize(
    ("document", "code", "text"),
    [
        pytest.param({"Statement": []}, "MalformedPolicyDocument", "Syntax errors in policy.", id="A-04 no statement"),
        pytest.param(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "s3:GetObject"}},
            "MalformedPolicyDocument",
            "Trust Policy statement actions can only be sts:AssumeRole, sts:AssumeRoleWithSAML,  and sts:AssumeRoleWithWebIdentity", id="A-17",
        ),
        pytest.param(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole", "Resource": "*"}},
            "MalformedPolicyDocument", "Has prohibited field Resource", id="A-14",
        ),
        pytest.param(
            {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole",
             "Condition": {"IpAddress": {"aws:SourceIp": [f"198.51.{i}.0/24" for i in range(150)]}}}},
            "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", id="A.4 trust size",
        ),
    ],
)  # fmt: skip
def test_a_trust_that_aws_refuses(case: Case, document: dict[str, Any], code: str, text: str) -> None:
    status = 409 if code == "LimitExceeded" else 400
    assert refused(case.iam().create_role, RoleName="ops", AssumeRolePolicyDocument=json.dumps(document)) == (code, status, text)
