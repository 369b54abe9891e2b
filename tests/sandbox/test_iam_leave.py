"""What IAM's operations ask leave for: the resource that AWS names, its tags, the policy and boundary; the article's self-service group."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest

from sekisho.sandbox.iam import OPERATIONS
from sekisho.sandbox.server import serve

from .iam_case import HOME, READ, Case, allow, refused, trust

ARTICLE = Path(__file__).parents[1] / "environment" / "article" / "group-self-manage-mfa.json"
USER, ROLE, POLICY = (f"arn:aws:iam::{HOME}:{rest}" for rest in ("user/staff/alice", "role/app/ops", "policy/x/p"))
TEXT = {"PolicyDocument": READ}


@pytest.mark.parametrize(
    ("operation", "params", "action", "resource"),
    [
        ("list_users", {}, "ListUsers", f"arn:aws:iam::{HOME}:user/"),
        ("list_users", {"PathPrefix": "/staff/"}, "ListUsers", f"arn:aws:iam::{HOME}:user/staff/"),
        ("list_roles", {}, "ListRoles", f"arn:aws:iam::{HOME}:role/"),
        ("list_groups", {}, "ListGroups", f"arn:aws:iam::{HOME}:group/"),
        ("list_policies", {}, "ListPolicies", "policy path /"),
        ("list_virtual_mfa_devices", {}, "ListVirtualMFADevices", f"arn:aws:iam::{HOME}:mfa/"),
        ("get_account_summary", {}, "GetAccountSummary", "*"),
        ("get_account_authorization_details", {}, "GetAccountAuthorizationDetails", "*"),
        ("get_user", {}, "GetUser", f"arn:aws:iam::{HOME}:user/nobody"),
        ("get_user", {"UserName": "alice"}, "GetUser", USER),
        ("get_user", {"UserName": "missing"}, "GetUser", f"arn:aws:iam::{HOME}:user/missing"),
        ("create_user", {"UserName": "new", "Path": "/y/"}, "CreateUser", f"arn:aws:iam::{HOME}:user/y/new"),
        ("list_mfa_devices", {"UserName": "alice"}, "ListMFADevices", USER),
        ("create_access_key", {"UserName": "alice"}, "CreateAccessKey", USER),
        ("delete_role", {"RoleName": "ops"}, "DeleteRole", ROLE),
        ("put_role_policy", {"RoleName": "ops", "PolicyName": "p", **TEXT}, "PutRolePolicy", ROLE),
        ("get_policy", {"PolicyArn": POLICY}, "GetPolicy", POLICY),
        ("create_policy", {"PolicyName": "q", "Path": "/z/", **TEXT}, "CreatePolicy", f"arn:aws:iam::{HOME}:policy/z/q"),
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "d"}, "CreateVirtualMFADevice", f"arn:aws:iam::{HOME}:mfa/d"),
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "d", "Path": "/p/"}, "CreateVirtualMFADevice", f"arn:aws:iam::{HOME}:mfa/p/d"),
        ("add_user_to_group", {"GroupName": "staff", "UserName": "alice"}, "AddUserToGroup", f"arn:aws:iam::{HOME}:group/staff"),
    ],
)
def test_the_resource_that_a_denial_names(case: Case, operation: str, params: dict[str, Any], action: str, resource: str) -> None:
    """The text is AWS's; a grant on exactly this resource then opens the call."""
    iam = case.iam()
    iam.create_user(UserName="alice", Path="/staff/")
    iam.create_role(RoleName="ops", Path="/app/", AssumeRolePolicyDocument=trust("*"))
    iam.create_group(GroupName="staff")
    iam.create_policy(PolicyName="p", Path="/x/", PolicyDocument=READ)
    nobody = case.as_user("nobody")
    code, status, text = refused(getattr(nobody, operation), **params)
    assert (code, status) == ("AccessDenied", 403)
    on = "" if resource == "*" else f"on resource: {resource} "
    assert text == (
        f"User: arn:aws:iam::{HOME}:user/nobody is not authorized to perform: iam:{action} {on}"
        f"because no identity-based policy allows the iam:{action} action"
    )
    if resource.startswith("policy path"):
        return
    iam.put_user_policy(UserName="nobody", PolicyName="p", PolicyDocument=json.dumps(allow(f"iam:{action}", resource=resource)))
    if params.get("UserName") == "missing":
        assert refused(getattr(nobody, operation), **params)[0] == "NoSuchEntity"
    else:
        getattr(nobody, operation)(**params)


def test_what_is_not_there_is_not_told_to_who_may_not_ask(case: Case) -> None:
    nobody = case.as_user("nobody")
    case.iam().create_user(UserName="alice")
    there, missing = refused(nobody.delete_user, UserName="alice"), refused(nobody.delete_user, UserName="carol")
    assert there[0] == missing[0] == "AccessDenied"


ADMIN_EDGE = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.mark.parametrize(
    ("condition", "operation", "good", "bad"),
    [
        pytest.param(
            {"ArnEquals": {"iam:PolicyARN": ADMIN_EDGE}}, "attach_user_policy", {"UserName": "alice", "PolicyArn": ADMIN_EDGE},
            {"UserName": "alice", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}, id="iam:PolicyARN",
        ),
        pytest.param(
            {"StringEquals": {"iam:PermissionsBoundary": ADMIN_EDGE}}, "create_user", {"UserName": "new", "PermissionsBoundary": ADMIN_EDGE},
            {"UserName": "new"}, id="iam:PermissionsBoundary given",
        ),
        pytest.param(
            {"StringEquals": {"iam:PermissionsBoundary": ADMIN_EDGE}}, "delete_user_policy", {"UserName": "edged", "PolicyName": "p"},
            {"UserName": "alice", "PolicyName": "p"}, id="iam:PermissionsBoundary held",
        ),
        pytest.param(
            {"StringEqualsIfExists": {"iam:PermissionsBoundary": "none"}}, "list_user_tags", {"UserName": "edged"}, None,
            id="iam:PermissionsBoundary isn't told of every operation",
        ),
        pytest.param(
            {"StringEquals": {"aws:RequestTag/team": "red"}}, "create_user", {"UserName": "new", "Tags": [{"Key": "team", "Value": "red"}]},
            {"UserName": "new", "Tags": [{"Key": "team", "Value": "blue"}]}, id="aws:RequestTag",
        ),
        pytest.param(
            {"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, "untag_user", {"UserName": "alice", "TagKeys": ["team"]},
            {"UserName": "alice", "TagKeys": ["team", "level"]}, id="aws:TagKeys",
        ),
        pytest.param(
            {"StringEquals": {"aws:ResourceTag/team": "blue"}}, "get_user", {"UserName": "alice"}, {"UserName": "edged"}, id="aws:ResourceTag",
        ),
        pytest.param(
            {"StringEquals": {"iam:ResourceTag/team": "blue"}}, "get_user", {"UserName": "alice"}, {"UserName": "edged"}, id="iam:ResourceTag",
        ),
    ],
)  # fmt: skip
def test_condition_keys(case: Case, condition: dict[str, Any], operation: str, good: dict[str, Any], bad: dict[str, Any] | None) -> None:
    iam = case.iam()
    iam.create_user(UserName="alice", Tags=[{"Key": "team", "Value": "blue"}])
    iam.create_user(UserName="edged", PermissionsBoundary=ADMIN_EDGE)
    for name in ("alice", "edged"):
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=READ)
    action = "iam:" + operation.title().replace("_", "")
    caller = case.as_user("caller", allow(action, condition=condition))
    if bad is not None:
        assert refused(getattr(caller, operation), **bad)[0] == "AccessDenied"
    getattr(caller, operation)(**good)


def test_putting_a_role_into_an_instance_profile_is_passing_it(case: Case) -> None:
    iam = case.iam()
    iam.create_role(RoleName="web", AssumeRolePolicyDocument=trust("*"))
    iam.create_instance_profile(InstanceProfileName="web")
    caller = case.as_user("caller", allow("iam:AddRoleToInstanceProfile"))
    assert "iam:PassRole" in refused(caller.add_role_to_instance_profile, InstanceProfileName="web", RoleName="web")[2]


def test_the_articles_self_service_group(case: Case) -> None:
    """Users enrol and list their own devices without MFA, and take one off only with it; nobody touches another's."""
    iam = case.iam()
    iam.create_group(GroupName="mfa")
    iam.put_group_policy(GroupName="mfa", PolicyName="self", PolicyDocument=ARTICLE.read_text())
    alice = case.as_user("alice")
    for name in ("alice", "bob"):
        if name == "bob":
            iam.create_user(UserName=name)
        iam.add_user_to_group(GroupName="mfa", UserName=name)
    serial = f"arn:aws:iam::{HOME}:mfa/alice"
    assert refused(alice.create_virtual_mfa_device, VirtualMFADeviceName="bob")[0] == "AccessDenied"
    seed = alice.create_virtual_mfa_device(VirtualMFADeviceName="alice")["VirtualMFADevice"]["Base32StringSeed"].decode()
    now, totp = case.server.aws.store.clock.now(), pyotp.TOTP(seed)
    codes = {"AuthenticationCode1": totp.at(now - timedelta(seconds=30)), "AuthenticationCode2": totp.at(now)}
    assert refused(alice.enable_mfa_device, UserName="bob", SerialNumber=serial, **codes)[0] == "AccessDenied"
    alice.enable_mfa_device(UserName="alice", SerialNumber=serial, **codes)
    assert len(alice.list_mfa_devices()["MFADevices"]) == 1
    assert refused(alice.list_mfa_devices, UserName="bob")[0] == "AccessDenied"
    assert "explicit deny" in refused(alice.deactivate_mfa_device, UserName="alice", SerialNumber=serial)[2]
    key = iam.create_access_key(UserName="alice")["AccessKey"]
    sts = case.client("sts", key["AccessKeyId"], key["SecretAccessKey"])
    made = sts.get_session_token(SerialNumber=serial, TokenCode=totp.at(now + timedelta(seconds=30)))["Credentials"]
    with_mfa = case.client("iam", made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])
    with_mfa.deactivate_mfa_device(UserName="alice", SerialNumber=serial)


def test_every_operation_is_one_of_the_api_and_asks_for_leave() -> None:
    import botocore.session

    model = botocore.session.get_session().get_service_model("iam")
    assert set(OPERATIONS) <= set(model.operation_names)
    assert len(OPERATIONS) > 95


def test_what_was_done_survives_a_restart(tmp_path: Path) -> None:
    with serve([HOME], port=0, state=tmp_path) as server:
        first = Case(server)
        iam = first.iam()
        iam.create_user(UserName="alice", Tags=[{"Key": "a", "Value": "b"}])
        iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust(f"arn:aws:iam::{HOME}:user/alice"), MaxSessionDuration=7200)
        arn = iam.create_policy(PolicyName="p", PolicyDocument=READ)["Policy"]["Arn"]
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("s3:Put*")), SetAsDefault=True)
        iam.attach_role_policy(RoleName="ops", PolicyArn=arn)
        iam.create_login_profile(UserName="alice", Password="Correct-horse-1")
        iam.create_virtual_mfa_device(VirtualMFADeviceName="alice", Tags=[{"Key": "kept", "Value": "safe"}])
        iam.create_instance_profile(InstanceProfileName="web")
        iam.generate_credential_report()
        before = everything(iam, arn)
    with serve([HOME], port=0, state=tmp_path) as server:
        assert everything(Case(server).iam(), arn) == before


def everything(iam: Any, arn: str) -> list[Any]:
    asked = [
        iam.get_account_authorization_details(), iam.get_account_summary(), iam.get_login_profile(UserName="alice"),
        iam.list_virtual_mfa_devices(), iam.list_mfa_device_tags(SerialNumber=f"arn:aws:iam::{HOME}:mfa/alice"),
        iam.get_role(RoleName="ops"), iam.list_policy_versions(PolicyArn=arn), iam.list_instance_profiles(), iam.get_credential_report(),
    ]  # fmt: skip
    return [{k: v for k, v in answer.items() if k != "ResponseMetadata"} for answer in asked]
