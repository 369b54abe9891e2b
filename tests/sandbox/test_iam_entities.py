"""Users, groups and roles of the embedded AWS through boto3: their lives, AWS's refusals, pages, tags."""

from __future__ import annotations

from typing import Any

import pytest

from .iam_case import HOME, OTHER, READ, Case, refused, trust


def test_a_user_from_first_to_last(case: Case) -> None:
    iam = case.iam()
    made = iam.create_user(UserName="alice", Path="/staff/", Tags=[{"Key": "Team", "Value": "blue"}])["User"]
    assert made["Arn"] == f"arn:aws:iam::{HOME}:user/staff/alice"
    assert made["UserId"].startswith("AIDA") and len(made["UserId"]) == 21
    assert made["CreateDate"].tzinfo is not None
    shown = iam.get_user(UserName="alice")["User"]
    assert shown["Tags"] == [{"Key": "Team", "Value": "blue"}]
    assert [u["UserName"] for u in iam.list_users()["Users"]] == ["alice"]
    assert iam.list_users(PathPrefix="/other/")["Users"] == []
    iam.update_user(UserName="alice", NewUserName="alicia", NewPath="/")
    moved = iam.get_user(UserName="alicia")["User"]
    assert (moved["Arn"], moved["UserId"]) == (f"arn:aws:iam::{HOME}:user/alicia", made["UserId"])
    iam.delete_user(UserName="alicia")
    assert refused(iam.get_user, UserName="alicia") == ("NoSuchEntity", 404, "The user with name alicia cannot be found.")


def test_a_rename_keeps_key_password_device_and_group(case: Case) -> None:
    iam = case.iam()
    theirs = case.as_user("alice")
    iam.create_group(GroupName="staff")
    iam.add_user_to_group(GroupName="staff", UserName="alice")
    iam.create_login_profile(UserName="alice", Password="Correct-horse-1")
    iam.update_user(UserName="alice", NewUserName="alicia")
    assert iam.get_login_profile(UserName="alicia")["LoginProfile"]["UserName"] == "alicia"
    assert [k["UserName"] for k in iam.list_access_keys(UserName="alicia")["AccessKeyMetadata"]] == ["alicia"]
    assert [u["UserName"] for u in iam.get_group(GroupName="staff")["Users"]] == ["alicia"]
    code, _, text = refused(theirs.get_user)
    assert code == "AccessDenied" and f"User: arn:aws:iam::{HOME}:user/alicia is not authorized to perform: iam:GetUser" in text


def test_a_group_from_first_to_last(case: Case) -> None:
    iam = case.iam()
    group = iam.create_group(GroupName="staff", Path="/x/")["Group"]
    assert group["GroupId"].startswith("AGPA") and group["Arn"] == f"arn:aws:iam::{HOME}:group/x/staff"
    for name in ("alice", "bob"):
        iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="staff", UserName=name)
    iam.add_user_to_group(GroupName="staff", UserName="bob")
    assert [u["UserName"] for u in iam.get_group(GroupName="staff")["Users"]] == ["alice", "bob"]
    assert refused(iam.delete_group, GroupName="staff") == ("DeleteConflict", 409, "Cannot delete entity, must remove users from group first.")
    assert refused(iam.delete_user, UserName="bob") == ("DeleteConflict", 409, "Cannot delete entity, must remove users from group first.")
    iam.update_group(GroupName="staff", NewGroupName="people", NewPath="/")
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="alice")["Groups"]] == ["people"]
    for name in ("alice", "bob"):
        iam.remove_user_from_group(GroupName="people", UserName=name)
    iam.delete_group(GroupName="people")
    assert iam.list_groups()["Groups"] == []


def test_a_role_from_first_to_last(case: Case) -> None:
    iam = case.iam()
    made = iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(OTHER), Description="for ops", MaxSessionDuration=7200)["Role"]
    assert made["RoleId"].startswith("AROA")
    assert made["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": [f"arn:aws:iam::{OTHER}:root"]}
    iam.update_role(RoleName="ops", MaxSessionDuration=43200)
    shown = iam.get_role(RoleName="ops")["Role"]
    assert (shown["MaxSessionDuration"], shown["Description"]) == (43200, "for ops")
    iam.update_role(RoleName="ops", Description="for all")
    shown = iam.get_role(RoleName="ops")["Role"]
    assert (shown["MaxSessionDuration"], shown["Description"]) == (3600, "for all")
    assert iam.update_role_description(RoleName="ops", Description="")["Role"].get("Description") is None
    iam.update_assume_role_policy(RoleName="ops", PolicyDocument=trust("*"))
    assert iam.list_roles()["Roles"][0]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": ["*"]}
    iam.put_role_policy(RoleName="ops", PolicyName="read", PolicyDocument=READ)
    assert refused(iam.delete_role, RoleName="ops") == ("DeleteConflict", 409, "Cannot delete entity, must delete policies first.")
    iam.delete_role_policy(RoleName="ops", PolicyName="read")
    iam.delete_role(RoleName="ops")
    assert refused(iam.get_role, RoleName="ops") == ("NoSuchEntity", 404, "The role with name ops cannot be found.")


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        pytest.param("create_user", {"UserName": "ALICE"}, ("EntityAlreadyExists", 409, "User with name ALICE already exists."), id="A-41 user"),
        pytest.param("create_group", {"GroupName": "STAFF"}, ("EntityAlreadyExists", 409, "Group with name STAFF already exists."), id="A-41 group"),
        pytest.param(
            "create_role", {"RoleName": "OPS", "AssumeRolePolicyDocument": trust("*")},
            ("EntityAlreadyExists", 409, "Role with name OPS already exists."), id="A-41 role",
        ),
        pytest.param("get_user", {"UserName": "ALICE"}, ("NoSuchEntity", 404, "The user with name ALICE cannot be found."), id="A-41 exact"),
        pytest.param(
            "update_user", {"UserName": "bob", "NewUserName": "Alice"}, ("EntityAlreadyExists", 409, "User with name Alice already exists."),
            id="A-41 rename",
        ),
        pytest.param("get_group", {"GroupName": "none"}, ("NoSuchEntity", 404, "The group with name none cannot be found."), id="no group"),
        pytest.param(
            "get_user_policy", {"UserName": "alice", "PolicyName": "p"}, ("NoSuchEntity", 404, "The user policy with name p cannot be found."),
            id="no inline policy",
        ),
        pytest.param(
            "create_user", {"UserName": "a b"},
            ("ValidationError", 400, "The specified value for userName is invalid. It must contain only alphanumeric characters and/or "
             "the following: +=,.@_-"),
            id="letters",
        ),
        pytest.param(
            "create_user", {"UserName": "a" * 65},
            ("ValidationError", 400, f"1 validation error detected: Value '{'a' * 65}' at 'userName' failed to satisfy constraint: "
             "Member must have length less than or equal to 64"), id="A.4 name",
        ),
        pytest.param(
            "create_user", {"UserName": "x", "Path": "no-slash"},
            ("ValidationError", 400, "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric "
             "characters and/or / characters."), id="path",
        ),
        pytest.param(
            "create_user", {},
            ("ValidationError", 400, "1 validation error detected: Value null at 'userName' failed to satisfy constraint: Member must not be null"),
            id="missing",
        ),
        pytest.param(
            "create_role", {"RoleName": "x", "AssumeRolePolicyDocument": trust("*"), "MaxSessionDuration": 60},
            ("ValidationError", 400, "1 validation error detected: Value '60' at 'maxSessionDuration' failed to satisfy constraint: "
             "Member must have value greater than or equal to 3600"), id="session length",
        ),
        pytest.param(
            "tag_user", {"UserName": "alice", "Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            ("InvalidInput", 400, "Duplicate tag keys found. Please note that Tag keys are case insensitive."), id="tag twice",
        ),
        pytest.param(
            "tag_user", {"UserName": "alice", "Tags": [{"Key": f"k{i}", "Value": ""} for i in range(50)]},
            ("LimitExceeded", 409, "The number of tags has reached the maximum limit."), id="A.4 tags",
        ),
        pytest.param("update_role", {"RoleName": "ops", "MaxSigninSessionDuration": 7200}, ("InvalidInput", 400, None), id="not here yet"),
        pytest.param("create_account_alias", {"AccountAlias": "a\x01b"}, ("ValidationError", 400, None), id="what XML can't hold"),
        pytest.param("tag_user", {"UserName": "alice", "Tags": [{"Key": "a\x1fb", "Value": ""}]}, ("ValidationError", 400, None), id="tag letters"),
        pytest.param("list_users", {"Marker": "AAAA"}, ("InvalidInput", 400, None), id="marker"),
    ],
)  # fmt: skip
def test_refusals(case: Case, operation: str, params: dict[str, Any], expected: tuple[str, int, str | None]) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice", Tags=[{"Key": "first", "Value": "x"}])
    iam.create_user(UserName="bob")
    iam.create_group(GroupName="staff")
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust("*"))
    before = iam.get_account_authorization_details()
    code, status, text = refused(getattr(iam, operation), **params)
    assert (code, status) == expected[:2]
    assert expected[2] is None or text == expected[2]
    after = iam.get_account_authorization_details()
    assert {**before, "ResponseMetadata": None} == {**after, "ResponseMetadata": None}


def test_a_letter_case_of_its_own_is_a_rename_not_a_clash(case: Case) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    iam.update_user(UserName="alice", NewUserName="Alice")
    assert iam.get_user(UserName="Alice")["User"]["UserName"] == "Alice"


def test_lists_come_in_pages(case: Case) -> None:
    iam = case.iam()
    names = [f"u{i:02}" for i in range(7)]
    for name in names:
        iam.create_user(UserName=name)
    first = iam.list_users(MaxItems=3)
    assert first["IsTruncated"] and len(first["Users"]) == 3
    # A user that goes between two pages takes nothing else along.
    iam.delete_user(UserName="u02")
    rest = iam.list_users(MaxItems=3, Marker=first["Marker"])
    assert [u["UserName"] for u in rest["Users"]] == ["u03", "u04", "u05"]
    every = iam.get_paginator("list_users").paginate(PaginationConfig={"PageSize": 2})
    assert [u["UserName"] for p in every for u in p["Users"]] == [n for n in names if n != "u02"]


def test_tags_keep_their_case_and_are_found_without_it(case: Case) -> None:
    iam = case.iam()
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust("*"))
    iam.tag_role(RoleName="ops", Tags=[{"Key": "Team", "Value": "blue"}, {"Key": "é", "Value": "ü ñ"}])
    iam.tag_role(RoleName="ops", Tags=[{"Key": "Team", "Value": "red"}])
    assert iam.list_role_tags(RoleName="ops")["Tags"] == [{"Key": "Team", "Value": "red"}, {"Key": "é", "Value": "ü ñ"}]
    iam.untag_role(RoleName="ops", TagKeys=["team"])
    assert [t["Key"] for t in iam.get_role(RoleName="ops")["Role"]["Tags"]] == ["é"]


def test_a_user_is_in_at_most_ten_groups(case: Case) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice")
    for i in range(11):
        iam.create_group(GroupName=f"g{i}")
    for i in range(10):
        iam.add_user_to_group(GroupName=f"g{i}", UserName="alice")
    refusal = refused(iam.add_user_to_group, GroupName="g10", UserName="alice")
    assert refusal == ("LimitExceeded", 409, "Cannot exceed quota for GroupsPerUser: 10")


def test_there_is_none_of_what_cannot_be_made(case: Case) -> None:
    """Terraform and collectors ask for these before they delete or report a user."""
    iam = case.iam()
    iam.create_user(UserName="alice")
    assert iam.list_ssh_public_keys(UserName="alice")["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName="alice")["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName="alice")["ServiceSpecificCredentials"] == []
    assert iam.list_saml_providers()["SAMLProviderList"] == []
    assert refused(iam.list_ssh_public_keys, UserName="bob")[0] == "NoSuchEntity"


def test_an_instance_profile_holds_one_role_and_keeps_it_from_deletion(case: Case) -> None:
    iam = case.iam()
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust("*"))
    iam.create_instance_profile(InstanceProfileName="web", Tags=[{"Key": "a", "Value": "b"}])
    iam.tag_instance_profile(InstanceProfileName="web", Tags=[{"Key": "c", "Value": "d"}])
    assert [t["Key"] for t in iam.list_instance_profile_tags(InstanceProfileName="web")["Tags"]] == ["a", "c"]
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    assert [r["RoleName"] for r in iam.get_instance_profile(InstanceProfileName="web")["InstanceProfile"]["Roles"]] == ["web"]
    assert refused(iam.delete_role, RoleName="web")[2] == "Cannot delete entity, must remove roles from instance profile first."
    assert [p["InstanceProfileName"] for p in iam.list_instance_profiles_for_role(RoleName="web")["InstanceProfiles"]] == ["web"]
    iam.remove_role_from_instance_profile(InstanceProfileName="web", RoleName="web")
    iam.delete_instance_profile(InstanceProfileName="web")
    iam.delete_role(RoleName="web")
