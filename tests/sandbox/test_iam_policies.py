"""Inline and managed policies, versions, attachments and boundaries of the embedded AWS, with AWS's quotas and refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .iam_case import HOME, OTHER, READ, Case, allow, refused, trust

AWS_READ = "arn:aws:iam::aws:policy/ReadOnlyAccess"


def of_size(characters: int) -> str:
    """A policy document of so many characters, white space not counted."""
    filler = "s3:" + "x" * (characters - len(json.dumps(allow("s3:"), separators=(",", ":"))))
    text = json.dumps(allow(filler), indent=8)
    assert len(text.replace(" ", "").replace("\n", "")) == characters < len(text)
    return text


def make(iam: Any, kind: str, name: str = "it") -> dict[str, str]:
    if kind == "user":
        iam.create_user(UserName=name)
        return {"UserName": name}
    if kind == "group":
        iam.create_group(GroupName=name)
        return {"GroupName": name}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust("*"))
    return {"RoleName": name}


@pytest.mark.parametrize(("kind", "quota"), [("user", 2048), ("group", 5120), ("role", 10240)])
def test_inline_policies(case: Case, kind: str, quota: int) -> None:
    iam = case.iam()
    named = make(iam, kind)
    put, get = getattr(iam, f"put_{kind}_policy"), getattr(iam, f"get_{kind}_policy")
    put(**named, PolicyName="read", PolicyDocument=READ)
    assert get(**named, PolicyName="read")["PolicyDocument"] == json.loads(READ)
    # A.4: the sum counts, white space doesn't, and what is replaced counts no more.
    put(**named, PolicyName="large", PolicyDocument=of_size(quota - len(READ.replace(" ", ""))))
    code, status, text = refused(put, **named, PolicyName="more", PolicyDocument=READ)
    assert (code, status, text) == ("LimitExceeded", 409, f"Maximum policy size of {quota} bytes exceeded for {kind} it")
    put(**named, PolicyName="large", PolicyDocument=READ)
    put(**named, PolicyName="more", PolicyDocument=READ)
    assert getattr(iam, f"list_{kind}_policies")(**named)["PolicyNames"] == ["large", "more", "read"]
    for name in ("large", "more", "read"):
        getattr(iam, f"delete_{kind}_policy")(**named, PolicyName=name)
    assert refused(get, **named, PolicyName="read") == ("NoSuchEntity", 404, f"The {kind} policy with name read cannot be found.")


@pytest.mark.parametrize("kind", ["user", "group", "role"])
def test_attachments(case: Case, kind: str) -> None:
    iam = case.iam()
    named = make(iam, kind)
    attach, listed = getattr(iam, f"attach_{kind}_policy"), getattr(iam, f"list_attached_{kind}_policies")
    arns = [iam.create_policy(PolicyName=f"p{i}", PolicyDocument=READ)["Policy"]["Arn"] for i in range(10)]
    attach(**named, PolicyArn=AWS_READ)
    for arn in (*arns[:9], arns[0]):
        attach(**named, PolicyArn=arn)
    word = kind.capitalize()
    assert refused(attach, **named, PolicyArn=arns[9]) == ("LimitExceeded", 409, f"Cannot exceed quota for PoliciesPer{word}: 10")
    assert {p["PolicyName"] for p in listed(**named)["AttachedPolicies"]} == {"ReadOnlyAccess", *(f"p{i}" for i in range(9))}
    assert refused(iam.delete_policy, PolicyArn=arns[0]) == ("DeleteConflict", 409, "Cannot delete a policy attached to entities.")
    assert iam.get_policy(PolicyArn=arns[0])["Policy"]["AttachmentCount"] == 1
    found = iam.list_entities_for_policy(PolicyArn=arns[0])
    assert [e[f"{word}Name"] for e in found[f"Policy{word}s"]] == ["it"]
    getattr(iam, f"detach_{kind}_policy")(**named, PolicyArn=arns[0])
    iam.delete_policy(PolicyArn=arns[0])
    missing = getattr(iam, f"detach_{kind}_policy")
    assert refused(missing, **named, PolicyArn=arns[0]) == ("NoSuchEntity", 404, f"Policy {arns[0]} was not found.")


@pytest.mark.parametrize(
    "arn",
    [
        pytest.param(f"arn:aws:iam::{HOME}:policy/none", id="none of that name"),
        pytest.param("arn:aws:iam::aws:policy/NoSuchAccess", id="none of AWS's"),
        pytest.param(f"arn:aws:iam::{OTHER}:policy/theirs", id="another account's"),
    ],
)
def test_what_is_not_there_cannot_be_attached(case: Case, arn: str) -> None:
    iam = case.iam()
    case.iam(OTHER).create_policy(PolicyName="theirs", PolicyDocument=READ)
    iam.create_user(UserName="alice")
    expected = ("NoSuchEntity", 404, f"Policy {arn} does not exist or is not attachable.")
    assert refused(iam.attach_user_policy, UserName="alice", PolicyArn=arn) == expected


def test_a_policy_of_a_service_linked_role_is_not_for_others(case: Case) -> None:
    iam = case.iam()
    make(iam, "role")
    arn = "arn:aws:iam::aws:policy/aws-service-role/AWSSupportServiceRolePolicy"
    assert refused(iam.attach_role_policy, RoleName="it", PolicyArn=arn)[:2] == ("PolicyNotAttachable", 400)


def test_versions(case: Case) -> None:
    iam = case.iam()
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ, Path="/x/", Description="d", Tags=[{"Key": "a", "Value": "b"}])["Policy"]["Arn"]
    assert arn == f"arn:aws:iam::{HOME}:policy/x/p"
    for i in range(4):
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow(f"s3:Get{i}")), SetAsDefault=i == 1)["PolicyVersion"]
        assert (made["VersionId"], made["IsDefaultVersion"]) == (f"v{i + 2}", i == 1)
    text = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
    assert refused(iam.create_policy_version, PolicyArn=arn, PolicyDocument=READ) == ("LimitExceeded", 409, text)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"] == "v3"
    assert refused(iam.delete_policy_version, PolicyArn=arn, VersionId="v3")[::2] == (
        "DeleteConflict", "Cannot delete the default version of a policy.",
    )  # fmt: skip
    assert refused(iam.delete_policy, PolicyArn=arn)[2].startswith("This policy has more than one version.")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v5")
    # A number isn't given twice.
    assert iam.create_policy_version(PolicyArn=arn, PolicyDocument=READ)["PolicyVersion"]["VersionId"] == "v6"
    assert [v["VersionId"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == ["v6", "v4", "v3", "v2", "v1"]
    assert iam.get_policy_version(PolicyArn=arn, VersionId="v4")["PolicyVersion"]["Document"] == allow("s3:Get2")
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    assert [v["IsDefaultVersion"] for v in iam.list_policy_versions(PolicyArn=arn)["Versions"]] == [False] * 4 + [True]
    expected = ("NoSuchEntity", 404, f"Policy {arn} version v9 does not exist or is not attachable.")
    assert refused(iam.get_policy_version, PolicyArn=arn, VersionId="v9") == expected


def test_a_new_default_version_counts_at_once_for_those_who_hold_the_policy(case: Case) -> None:
    iam = case.iam()
    alice = case.as_user("alice")
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow("iam:ListUsers")))["Policy"]["Arn"]
    iam.attach_group_policy(GroupName="staff", PolicyArn=arn)
    assert len(alice.list_users()["Users"]) == 1
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("iam:ListRoles")), SetAsDefault=True)
    assert refused(alice.list_users)[0] == "AccessDenied"
    alice.list_roles()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    alice.list_users()


def test_a_boundary_limits_and_goes_again(case: Case) -> None:
    iam = case.iam()
    arn = iam.create_policy(PolicyName="edge", PolicyDocument=json.dumps(allow("iam:ListRoles")))["Policy"]["Arn"]
    iam.create_user(UserName="alice", PermissionsBoundary=arn)
    alice = case.as_user("alice", allow("iam:*"))
    assert "no permissions boundary allows" in refused(alice.list_users)[2]
    assert iam.get_user(UserName="alice")["User"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    assert refused(iam.delete_policy, PolicyArn=arn)[0] == "DeleteConflict"
    assert iam.list_entities_for_policy(PolicyArn=arn, PolicyUsageFilter="PermissionsBoundary")["PolicyUsers"][0]["UserName"] == "alice"
    assert iam.list_entities_for_policy(PolicyArn=arn, PolicyUsageFilter="PermissionsPolicy")["PolicyUsers"] == []
    iam.delete_user_permissions_boundary(UserName="alice")
    alice.list_users()
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=AWS_READ)
    alice.list_users()
    assert refused(alice.create_group, GroupName="g")[0] == "AccessDenied"
    missing = f"arn:aws:iam::{HOME}:policy/none"
    assert refused(iam.put_user_permissions_boundary, UserName="alice", PermissionsBoundary=missing)[0] == "NoSuchEntity"
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust("*"), PermissionsBoundary=arn)
    assert iam.get_role(RoleName="ops")["Role"]["PermissionsBoundary"]["PermissionsBoundaryArn"] == arn


def test_policies_are_listed_by_scope_and_use(case: Case) -> None:
    iam = case.iam()
    iam.create_policy(PolicyName="mine", PolicyDocument=READ)
    iam.create_user(UserName="alice")
    iam.attach_user_policy(UserName="alice", PolicyArn=AWS_READ)

    def names(**params: Any) -> list[str]:
        pages = iam.get_paginator("list_policies").paginate(**params, PaginationConfig={"PageSize": 1000})
        return [p["PolicyName"] for page in pages for p in page["Policies"]]

    assert names(Scope="Local") == ["mine"]
    assert names(OnlyAttached=True) == ["ReadOnlyAccess"]
    of_aws = names(Scope="AWS")
    assert len(of_aws) == len(set(of_aws)) > 1000 and "AdministratorAccess" in of_aws
    assert sorted(names()) == sorted([*of_aws, "mine"])
    policy = iam.get_policy(PolicyArn=AWS_READ)["Policy"]
    assert policy["AttachmentCount"] == 1
    version = iam.get_policy_version(PolicyArn=AWS_READ, VersionId=policy["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Effect"] == "Allow"
    assert refused(iam.create_policy_version, PolicyArn=AWS_READ, PolicyDocument=READ)[:2] == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        pytest.param("{", "Syntax errors in policy.", id="A-01"),
        pytest.param(json.dumps({"Statement": allow("s3:*")["Statement"]}), "Policy document must be version 2012-10-17 or greater.", id="A-03"),
        pytest.param(READ.replace("Allow", "denY"), "The policy failed legacy parsing", id="A-11"),
        pytest.param(json.dumps(allow("GetObject")), "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.", id="A-13"),
        pytest.param(json.dumps(allow("s3:*", resource="bucket")), 'Resource bucket must be in ARN format or "*".', id="A-15"),
        pytest.param(trust("*"), "Policy document should not specify a principal.", id="A-16"),
    ],
)
def test_documents_that_aws_refuses(case: Case, document: str, text: str) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    expected = ("MalformedPolicyDocument", 400, text)
    assert refused(iam.create_policy, PolicyName="p", PolicyDocument=document) == expected
    assert refused(iam.put_user_policy, UserName="alice", PolicyName="p", PolicyDocument=document) == expected


def test_the_size_of_a_managed_policy(case: Case) -> None:
    iam = case.iam()
    iam.create_policy(PolicyName="fits", PolicyDocument=of_size(6144))
    expected = ("LimitExceeded", 409, "Cannot exceed quota for PolicySize: 6144")
    assert refused(iam.create_policy, PolicyName="p", PolicyDocument=of_size(6145)) == expected
    expected = ("EntityAlreadyExists", 409, "A policy called FITS already exists. Duplicate names are not allowed.")
    assert refused(iam.create_policy, PolicyName="FITS", PolicyDocument=READ) == expected


def test_tags_of_a_policy(case: Case) -> None:
    iam = case.iam()
    arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
    iam.tag_policy(PolicyArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    iam.untag_policy(PolicyArn=arn, TagKeys=["a"])
    assert iam.list_policy_tags(PolicyArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}] == iam.get_policy(PolicyArn=arn)["Policy"]["Tags"]
