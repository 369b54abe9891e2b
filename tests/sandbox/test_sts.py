"""STS over HTTP: AssumeRole, sessions and what they may do (rule book D.3, D.4, D.5, E-08)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from sekisho.policy import Settings

from .people import CAFE, OFFICE, V6, J, Sandbox, T, allow, refused, trust

MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def test_caller_identity_of_each_kind(aws: Sandbox) -> None:
    """D-25, E-03: allowed against an explicit Deny; ids as AWS forms them."""
    alice = aws.user("alice", {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "*", "Resource": "*"}})
    told = aws.client("sts", alice.key).get_caller_identity()
    assert told["Arn"] == alice.arn and told["Account"] == J and told["UserId"].startswith("AIDA")
    root = aws.client("sts").get_caller_identity()
    assert (root["Arn"], root["UserId"]) == (f"arn:aws:iam::{J}:root", J)


def test_assume_role_gives_a_session_of_the_role(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    keys = alice.assume(role)
    told = aws.client("sts", keys).get_caller_identity()
    assert told["Arn"] == f"arn:aws:sts::{T}:assumed-role/Ops/alice"
    assert told["UserId"].startswith("AROA") and told["UserId"].endswith(":alice")
    assert aws.client("ec2", keys).describe_instances()["Reservations"] == []


def test_D_20_both_sides_are_needed_across_accounts(aws: Sandbox) -> None:
    alice, bob = aws.user("alice", allow("sts:AssumeRole")), aws.user("bob")
    role = aws.role(trust(bob.arn))
    for person in (alice, bob):
        code, message, status = refused(person.assume, role=role)
        assert (code, status) == ("AccessDenied", 403)
        # G-21: across accounts no reason is given.
        assert message == f"User: {person.arn} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_a_role_or_account_that_is_not_there_is_refused_in_the_same_words(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    for role in (f"arn:aws:iam::{T}:role/Nothing", "arn:aws:iam::999988887777:role/Ops"):
        assert refused(alice.assume, role=role)[1] == f"User: {alice.arn} is not authorized to perform: sts:AssumeRole on resource: {role}"


def test_D_24_root_cannot_assume(aws: Sandbox) -> None:
    role = aws.role(trust(f"arn:aws:iam::{J}:root"))
    code, message, _ = refused(aws.client("sts").assume_role, RoleArn=role, RoleSessionName="root")
    assert (code, message) == ("AccessDenied", "Roles may not be assumed by root accounts.")


@pytest.mark.parametrize(
    ("mfa", "token", "may"),
    [(False, False, False), (False, True, False), (True, True, True)],
    ids=["long-term key", "GetSessionToken without MFA", "GetSessionToken with MFA"],
)
def test_D_24_iam_with_session_tokens_needs_mfa(aws: Sandbox, mfa: bool, token: bool, may: bool) -> None:
    alice = aws.user("alice", allow("iam:*"))
    alice.enrol()
    keys = alice.session_token(mfa=mfa) if token else alice.key
    iam = aws.client("iam", keys)
    if may or not token:
        assert iam.list_users()["Users"]
    else:
        assert refused(iam.list_users)[0] == "InvalidClientTokenId"


def test_D_24_session_tokens_cannot_get_tokens(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("*"))
    keys = alice.session_token(mfa=False)
    assert refused(aws.client("sts", keys).get_session_token)[0] == "AccessDenied"
    assert refused(aws.client("sts", keys).get_federation_token, Name="fed")[0] == "AccessDenied"


def test_D_29_code_and_serial_belong_together_and_codes_are_good_once(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    alice.enrol()
    role = aws.role(trust(alice.arn, **MFA))
    sts = aws.client("sts", alice.key)
    both = {"RoleArn": role, "RoleSessionName": "alice", "SerialNumber": alice.serial}
    assert refused(sts.assume_role, **both) == (
        "AccessDenied", "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.", 403,
    )  # fmt: skip
    code = alice.code()
    assert sts.assume_role(**both, TokenCode=code)["Credentials"]
    again = refused(sts.assume_role, **both, TokenCode=code)
    assert again[0] == "AccessDenied" and "invalid MFA one time pass code" in again[1]


def test_E_08_a_code_on_the_call_satisfies_the_trust_but_the_session_has_no_mfa(aws: Sandbox) -> None:
    asks = allow("ec2:DescribeInstances", **MFA)
    alice = aws.user("alice", allow("sts:AssumeRole"))
    alice.enrol()
    role = aws.role(trust(alice.arn, **MFA), policy=asks)
    on_call = alice.assume(role, SerialNumber=alice.serial, TokenCode=alice.code())
    assert refused(aws.client("ec2", on_call).describe_instances)[0] == "UnauthorizedOperation"
    by_session = alice.assume(role, alice.session_token(mfa=True))
    assert aws.client("ec2", by_session).describe_instances()["Reservations"] == []


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (899, "greater than or equal to 900"), (43201, "less than or equal to 43200"),
        (7200, "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."),
    ],
)  # fmt: skip
def test_D_4_durations_are_errors_not_clamped(aws: Sandbox, asked: int, text: str) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    code, message, status = refused(alice.assume, role=role, DurationSeconds=asked)
    assert (code, status) == ("ValidationError", 400) and text in message


def test_D_4_chaining_is_an_hour_at_most(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    first = aws.role(trust(alice.arn), name="First", MaxSessionDuration=43200)
    second = aws.role(trust(first), name="Second", MaxSessionDuration=43200)
    keys = alice.assume(first)
    sts = aws.client("sts", keys)
    code, message, _ = refused(sts.assume_role, RoleArn=second, RoleSessionName="alice", DurationSeconds=7200)
    assert code == "ValidationError" and "1 hour session limit for roles assumed by role chaining" in message
    assert sts.assume_role(RoleArn=second, RoleSessionName="alice", DurationSeconds=3600)["Credentials"]


def test_sessions_expire(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    keys = alice.assume(role, DurationSeconds=900)
    aws.later(899)
    assert aws.client("sts", keys).get_caller_identity()
    aws.later(2)
    code, _, status = refused(aws.client("sts", keys).get_caller_identity)
    assert (code, status) == ("ExpiredToken", 403)


def test_D_04_a_session_policy_only_narrows(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn), policy=allow("ec2:*"))
    keys = alice.assume(role, Policy=json.dumps(allow(["ec2:DescribeVpcs", "iam:ListUsers"])))
    assert aws.client("ec2", keys).describe_vpcs()["Vpcs"] is not None
    code, message, _ = refused(aws.client("ec2", keys).describe_instances)
    assert code == "UnauthorizedOperation" and "because no session policy allows the ec2:DescribeInstances action" in message
    assert refused(aws.client("iam", keys).list_users)[0] == "AccessDenied"


def test_D_04_federation_tokens(aws: Sandbox) -> None:
    alice = aws.user("alice", allow(["sts:GetFederationToken", "ec2:*"]))
    sts = aws.client("sts", alice.key)
    bare = sts.get_federation_token(Name="fed")
    assert bare["FederatedUser"]["Arn"] == f"arn:aws:sts::{J}:federated-user/fed"
    assert refused(aws.client("ec2", bare["Credentials"]).describe_instances)[0] == "UnauthorizedOperation"
    narrowed = sts.get_federation_token(Name="fed", Policy=json.dumps(allow("ec2:Describe*")))["Credentials"]
    assert aws.client("ec2", narrowed).describe_instances()["Reservations"] == []
    assert refused(aws.client("iam", narrowed).list_users)[0] in ("AccessDenied", "InvalidClientTokenId")
    assert aws.client("sts", narrowed).get_caller_identity()["UserId"] == f"{J}:fed"


def test_D_26_tags_need_leave_of_their_own(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    assert refused(alice.assume, role=role, Tags=[{"Key": "team", "Value": "a"}])[0] == "AccessDenied"
    open_trust = trust(alice.arn)
    open_trust["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    aws.client("iam", account=T).update_assume_role_policy(RoleName="Ops", PolicyDocument=json.dumps(open_trust))
    assert refused(alice.assume, role=role, Tags=[{"Key": "team", "Value": "a"}])[0] == "AccessDenied"
    aws.client("iam").put_user_policy(UserName="alice", PolicyName="tags", PolicyDocument=json.dumps(allow("sts:TagSession")))
    only_a = allow("ec2:DescribeInstances", StringEquals={"aws:PrincipalTag/team": "a"})
    aws.client("iam", account=T).put_role_policy(RoleName="Ops", PolicyName="all", PolicyDocument=json.dumps(only_a))
    assert aws.client("ec2", alice.assume(role, Tags=[{"Key": "team", "Value": "a"}])).describe_instances()
    assert refused(aws.client("ec2", alice.assume(role, Tags=[{"Key": "team", "Value": "b"}])).describe_instances)


def test_E_a_session_tag_and_the_roles_own_tag_under_both_readings(aws: Sandbox) -> None:
    alice = aws.user("alice", allow(["sts:AssumeRole", "sts:TagSession"]))
    both = trust(alice.arn)
    both["Statement"][0]["Action"] = ["sts:AssumeRole", "sts:TagSession"]
    only_a = allow("ec2:DescribeInstances", StringEquals={"aws:PrincipalTag/team": "a"})
    role = aws.role(both, policy=only_a, Tags=[{"Key": "Team", "Value": "b"}])
    session = alice.assume(role, Tags=[{"Key": "team", "Value": "a"}])
    aws.client("ec2", session).describe_instances()
    aws.server.aws.store.read_as(Settings(session_tag_wins=False))
    assert refused(aws.client("ec2", session).describe_instances)


def test_D_41_revoked_sessions(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    old = alice.assume(role)
    aws.later(5)
    click = datetime.fromtimestamp(aws.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    revoke = {"Version": "2012-10-17", "Statement": {
        "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:TokenIssueTime": click}},
    }}  # fmt: skip
    aws.client("iam", account=T).put_role_policy(RoleName="Ops", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(revoke))
    assert refused(aws.client("ec2", old).describe_instances)[0] == "UnauthorizedOperation"
    aws.later(1)
    assert aws.client("ec2", alice.assume(role)).describe_instances()["Reservations"] == []


def test_D_42_a_session_outlives_its_trust_and_its_user(aws: Sandbox) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    keys = alice.assume(role)
    aws.client("iam", account=T).update_assume_role_policy(RoleName="Ops", PolicyDocument=json.dumps(trust(f"arn:aws:iam::{T}:root")))
    assert aws.client("ec2", keys).describe_instances()["Reservations"] == []
    aws.client("iam", account=T).delete_role_policy(RoleName="Ops", PolicyName="all")
    assert refused(aws.client("ec2", keys).describe_instances)[0] == "UnauthorizedOperation"


@pytest.mark.parametrize(
    ("name", "text"),
    [("a", "length greater than or equal to 2"), ("with space", "regular expression pattern"), ("x" * 65, "length less than or equal to 64")],
)
def test_D_45_session_names(aws: Sandbox, name: str, text: str) -> None:
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn))
    sts = aws.client("sts", alice.key)
    code, message, _ = refused(sts.assume_role, RoleArn=role, RoleSessionName=name)
    assert code == "ValidationError" and "roleSessionName" in message and text in message


def test_addresses_of_both_families_decide(aws: Sandbox) -> None:
    """C-16: an IPv6 caller is in no IPv4 network, and the other way round."""
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(alice.arn, IpAddress={"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}))
    assert alice.assume(role, address=OFFICE) and alice.assume(role, address=V6)
    for outside in (CAFE, "2001:db9::1", ""):
        assert refused(alice.assume, role=role, address=outside)[0] == "AccessDenied"
