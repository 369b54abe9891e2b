"""The account as a whole in the embedded AWS: authorization details, alias, summary, credential report."""

from __future__ import annotations

import csv
import json
from typing import Any

from sekisho.estate import account_from_json
from sekisho.policy import Policy

from .iam_case import HOME, OTHER, READ, Case, allow, refused, trust

AWS_READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def build(iam: Any) -> None:
    own = iam.create_policy(PolicyName="own", PolicyDocument=READ)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=own, PolicyDocument=json.dumps(allow("s3:*")), SetAsDefault=True)
    iam.create_policy(PolicyName="unused", PolicyDocument=READ)
    iam.create_group(GroupName="staff")
    iam.put_group_policy(GroupName="staff", PolicyName="read", PolicyDocument=READ)
    iam.attach_group_policy(GroupName="staff", PolicyArn=AWS_READ)
    for name in ("alice", "bob"):
        iam.create_user(UserName=name, Tags=[{"Key": "Team", "Value": name}], PermissionsBoundary=own)
        iam.add_user_to_group(GroupName="staff", UserName=name)
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{HOME}:user/alice"), MaxSessionDuration=7200)
    iam.put_role_policy(RoleName="ops", PolicyName="read", PolicyDocument=READ)


def test_authorization_details_hold_the_account(case: Case) -> None:
    iam = case.iam()
    build(iam)
    found = iam.get_account_authorization_details()
    assert found["IsTruncated"] is False
    assert [u["UserName"] for u in found["UserDetailList"]] == ["alice", "bob"]
    alice = found["UserDetailList"][0]
    assert (alice["GroupList"], alice["Tags"], alice["UserPolicyList"]) == (["staff"], [{"Key": "Team", "Value": "alice"}], [])
    assert found["GroupDetailList"][0]["GroupPolicyList"] == [{"PolicyName": "read", "PolicyDocument": json.loads(READ)}]
    role = found["RoleDetailList"][0]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": [f"arn:aws:iam::{HOME}:user/alice"]}
    policies = {p["PolicyName"]: p for p in found["Policies"]}
    # The customer's all, AWS's only where attached: not its 1,500 others.
    assert sorted(policies) == ["ReadOnlyAccess", "own", "unused"]
    assert [(v["VersionId"], v["IsDefaultVersion"]) for v in policies["own"]["PolicyVersionList"]] == [("v2", True), ("v1", False)]
    assert policies["own"]["PermissionsBoundaryUsageCount"] == 2
    assert policies["ReadOnlyAccess"]["PolicyVersionList"][0]["Document"]["Statement"]


def test_authorization_details_come_back_as_the_same_estate(case: Case) -> None:
    iam = case.iam()
    build(iam)
    found = iam.get_account_authorization_details()
    found.pop("ResponseMetadata")
    read = account_from_json(found, account_id=HOME)
    kept = case.server.aws.store.account(HOME)
    assert not read.unread
    assert {u.name: (u.id, u.groups, u.tags, u.boundary and u.boundary.arn) for u in read.users} == {
        u.name: (u.id, u.groups, u.tags, u.boundary and u.boundary.arn) for u in kept.users
    }

    def documents(policies: tuple[Policy, ...]) -> list[Any]:
        return [dict(p.document) for p in policies]

    assert documents(tuple(r.trust for r in read.roles)) == documents(tuple(r.trust for r in kept.roles))
    assert documents(read.groups[0].inline) == documents(kept.groups[0].inline)
    assert [a.policy is not None and a.arn for a in read.groups[0].attached] == [AWS_READ]


def test_authorization_details_filtered_and_in_pages(case: Case) -> None:
    iam = case.iam()
    build(iam)
    only = iam.get_account_authorization_details(Filter=["Role", "AWSManagedPolicy"])
    assert (only["UserDetailList"], only["GroupDetailList"]) == ([], [])
    assert [r["RoleName"] for r in only["RoleDetailList"]] == ["ops"]
    assert [p["PolicyName"] for p in only["Policies"]] == ["ReadOnlyAccess"]
    pages = list(iam.get_paginator("get_account_authorization_details").paginate(PaginationConfig={"PageSize": 2}))
    names = [e["Arn"] for p in pages for k in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies") for e in p[k]]
    assert len(pages) == 4 and len(names) == len(set(names)) == 7


def test_the_alias(case: Case) -> None:
    iam = case.iam()
    assert iam.list_account_aliases()["AccountAliases"] == []
    iam.create_account_alias(AccountAlias="jump-account")
    assert iam.list_account_aliases()["AccountAliases"] == ["jump-account"]
    taken = ("EntityAlreadyExists", 409, "The account alias jump-account already exists.")
    assert refused(case.iam(OTHER).create_account_alias, AccountAlias="jump-account") == taken
    assert refused(iam.create_account_alias, AccountAlias="No--Good")[0] == "ValidationError"
    iam.create_account_alias(AccountAlias="jump2")
    assert iam.list_account_aliases()["AccountAliases"] == ["jump2"]
    assert refused(iam.delete_account_alias, AccountAlias="jump-account")[:2] == ("NoSuchEntity", 404)
    iam.delete_account_alias(AccountAlias="jump2")
    assert iam.list_account_aliases()["AccountAliases"] == []


def test_the_summary_counts(case: Case) -> None:
    iam = case.iam()
    build(iam)
    iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")
    counted = iam.get_account_summary()["SummaryMap"]
    expected = {"Users": 2, "Groups": 1, "Roles": 1, "Policies": 2, "MFADevices": 1, "MFADevicesInUse": 0, "GroupsPerUserQuota": 10}
    assert {k: counted[k] for k in expected} == expected


def test_the_credential_report(case: Case) -> None:
    iam = case.iam()
    assert refused(iam.get_credential_report)[0] == "ReportNotPresent"
    case.as_user("alice")
    iam.create_login_profile(UserName="alice", Password="Correct-horse-1")
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    report = iam.get_credential_report()
    rows = {r["user"]: r for r in csv.DictReader(report["Content"].decode().splitlines())}
    assert report["ReportFormat"] == "text/csv" and set(rows) == {"<root_account>", "alice"}
    alice = rows["alice"]
    told = (alice["password_enabled"], alice["mfa_active"], alice["access_key_1_active"], alice["access_key_2_active"])
    assert told == ("true", "false", "true", "false")


def test_one_account_knows_nothing_of_another(case: Case) -> None:
    build(case.iam())
    found = case.iam(OTHER).get_account_authorization_details()
    assert [found[k] for k in ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")] == [[], [], [], []]
