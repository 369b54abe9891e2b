"""What changes in IAM mean for sessions that run: D-41, D-42, and what ends with the user or role that they are of."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from .people import J, Person, Sandbox, T, allow, refused, trust


@pytest.fixture
def alice(aws: Sandbox) -> Person:
    return aws.user("alice", allow(["sts:AssumeRole", "iam:ListUsers"]))


@pytest.fixture
def role(aws: Sandbox, alice: Person) -> str:
    return aws.role(trust(alice.arn))


def works(aws: Sandbox, keys: dict[str, str]) -> bool:
    try:
        aws.client("iam", keys).list_users()
    except aws.client("iam").exceptions.ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "InvalidClientTokenId")
        return False
    return True


def remove(aws: Sandbox, name: str) -> None:
    """Delete a user with all that hangs on it."""
    iam = aws.client("iam")
    for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
        iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
    for policy in iam.list_user_policies(UserName=name)["PolicyNames"]:
        iam.delete_user_policy(UserName=name, PolicyName=policy)
    iam.delete_login_profile(UserName=name)
    iam.delete_user(UserName=name)


def test_D_41_revoking_ends_the_sessions_from_before_and_none_from_after(aws: Sandbox, alice: Person, role: str) -> None:
    before = alice.assume(role)
    aws.later(300)
    moment = datetime.fromtimestamp(aws.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": moment}}}
    revoke: dict[str, Any] = {"Version": "2012-10-17", "Statement": [deny]}
    iam = aws.client("iam", account=T)
    iam.put_role_policy(RoleName="Ops", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(revoke))
    assert not works(aws, before)
    aws.later(60)
    assert works(aws, alice.assume(role))


def test_D_42_a_trust_that_changes_ends_no_session_but_lets_none_in_anew(aws: Sandbox, alice: Person, role: str) -> None:
    keys = alice.assume(role)
    aws.client("iam", account=T).update_assume_role_policy(RoleName="Ops", PolicyDocument=json.dumps(trust(f"arn:aws:iam::{T}:root")))
    assert works(aws, keys)
    assert refused(alice.assume, role=role)[0] == "AccessDenied"


def test_D_42_what_the_role_may_do_changes_at_once(aws: Sandbox, alice: Person, role: str) -> None:
    keys = alice.assume(role)
    aws.client("iam", account=T).delete_role_policy(RoleName="Ops", PolicyName="all")
    assert not works(aws, keys)


def test_D_42_a_role_session_outlives_the_user_that_made_it(aws: Sandbox, alice: Person, role: str) -> None:
    keys = alice.assume(role)
    remove(aws, "alice")
    assert works(aws, keys)


def test_a_user_made_anew_does_not_take_over_the_sessions_of_the_one_before(aws: Sandbox, alice: Person) -> None:
    console = alice.console()
    assert works(aws, console)
    remove(aws, "alice")
    assert not works(aws, console)
    aws.user("alice", allow("*"))
    assert not works(aws, console)


def test_a_role_made_anew_does_not_take_over_the_sessions_of_the_one_before(aws: Sandbox, alice: Person, role: str) -> None:
    keys = alice.assume(role)
    iam = aws.client("iam", account=T)
    iam.delete_role_policy(RoleName="Ops", PolicyName="all")
    iam.delete_role(RoleName="Ops")
    aws.role(trust(alice.arn))
    assert not works(aws, keys)
    assert works(aws, alice.assume(role))


def test_a_renamed_users_sessions_go_on(aws: Sandbox, alice: Person) -> None:
    console = alice.console()
    aws.client("iam").update_user(UserName="alice", NewUserName="alicia")
    assert aws.client("sts", console).get_caller_identity()["Arn"] == f"arn:aws:iam::{J}:user/alicia"
    assert works(aws, console)
