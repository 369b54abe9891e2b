"""Decisions on an Estate: which policies it finds for a request, and what it doesn't know (rule book D-02, D-03, D-22, D-40 to D-44)."""

from __future__ import annotations

from typing import Any

import pytest

from decision.estates import ADMIN, ALLOW_ALL, JUMP, TARGET, account, attached, document, estate, group, inline, managed, role, user
from sekisho import Authorizer, CredentialKind, Decision, Estate, Layers, Policy, PolicyKind, Request, Settings, decide

ALICE = f"arn:aws:iam::{JUMP}:user/alice"
OPS = f"arn:aws:iam::{TARGET}:role/Ops"
OPS_SESSION = f"arn:aws:sts::{TARGET}:assumed-role/Ops/alice"
EC2_ONLY = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
S3_ONLY = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
NO_EC2 = {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"}
SWITCH = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
LIMIT = f"arn:aws:iam::{JUMP}:policy/Limit"
LOST = f"arn:aws:iam::{JUMP}:policy/Lost"


def ask(where: Estate, principal: str = ALICE, action: str = "ec2:DescribeInstances", resource: str = "*", **more: Any) -> Decision:
    return decide(Request(principal, action, resource, **more), where)


# D-02 ----------------------------------------------------------------------------------------------------------------------

SOURCES = {
    "inline on the user": ({**inline("User", EC2_ONLY)}, {}),
    "managed on the user": ({**attached(LIMIT)}, {}),
    "inline on the group": ({"GroupList": ["G"]}, {**inline("Group", EC2_ONLY)}),
    "managed on the group": ({"GroupList": ["G"]}, {**attached(LIMIT)}),
    "AWS's own on the user": ({**attached("arn:aws:iam::aws:policy/AmazonEC2FullAccess")}, {}),
}


@pytest.mark.parametrize("source", SOURCES)
def test_D_02_a_users_identity_set(source: str) -> None:
    of_user, of_group = SOURCES[source]
    where = estate(account(JUMP, [user("alice", **of_user)], [group("G", **of_group)], policies=[managed(LIMIT, EC2_ONLY)]))
    assert ask(where).outcome == "allow"
    assert ask(where, action="s3:ListAllMyBuckets").outcome == "implicit_deny"


def test_D_02_all_groups_of_a_user_count_and_no_other() -> None:
    groups = [group("A", **inline("Group", EC2_ONLY)), group("B", **inline("Group", S3_ONLY)), group("C", **inline("Group", NO_EC2))]
    where = estate(account(JUMP, [user("alice", GroupList=["A", "B"]), user("bob", GroupList=["A", "C"])], groups))
    assert ask(where).allowed
    assert ask(where, action="s3:ListAllMyBuckets").allowed
    assert ask(where, f"arn:aws:iam::{JUMP}:user/bob").outcome == "explicit_deny"


@pytest.mark.parametrize("kind", ["user", "role"])
def test_D_02_a_boundary_of_the_estate_caps(kind: str) -> None:
    boundary = {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": LIMIT}}
    users = [user("alice", **attached(ADMIN), **boundary)]
    roles = [role("Ops", account=JUMP, **attached(ADMIN), **boundary)]
    where = estate(account(JUMP, users, roles=roles, policies=[managed(LIMIT, EC2_ONLY)]))
    who = ALICE if kind == "user" else f"arn:aws:sts::{JUMP}:assumed-role/Ops/x"
    assert ask(where, who).allowed
    denied = ask(where, who, "s3:ListAllMyBuckets")
    assert (denied.outcome, denied.layer) == ("implicit_deny", "boundary")


def test_D_02_a_user_that_is_not_there_has_no_permissions() -> None:
    where = estate(account(JUMP, [user("alice", **attached(ADMIN))]))
    assert ask(where, f"arn:aws:iam::{JUMP}:user/Alice").outcome == "implicit_deny", "names are case-sensitive"
    assert ask(where, f"arn:aws:iam::{JUMP}:user/team/alice").outcome == "implicit_deny", "the path is part of the name"


# D-03 ----------------------------------------------------------------------------------------------------------------------


def levels(*statements: dict[str, Any]) -> list[Any]:
    return [[{"name": f"p{i}", "document": document(s)} for i, s in enumerate(statements)]]


def test_D_03_an_scp_binds_member_accounts_root_included() -> None:
    where = estate(account(JUMP, [user("alice", **attached(ADMIN))], beside={"service_control": levels(S3_ONLY)}))
    assert ask(where).layer == "service_control"
    assert ask(where, f"arn:aws:iam::{JUMP}:root").layer == "service_control"


def test_D_03_an_scp_does_not_bind_the_management_account() -> None:
    beside = {"service_control": levels(S3_ONLY), "is_management": True}
    assert ask(estate(account(JUMP, [user("alice", **attached(ADMIN))], beside=beside))).allowed


def test_D_03_an_scp_of_the_targets_account_does_not_bind_the_caller() -> None:
    jump = account(JUMP, [user("alice", **inline("User", SWITCH))])
    where = estate(jump, account(TARGET, roles=[role("Ops", **attached(ADMIN))], beside={"service_control": levels(S3_ONLY)}))
    assert ask(where, ALICE, "sts:AssumeRole", OPS).allowed
    assert ask(where, OPS_SESSION).layer == "service_control", "but it does bind the session afterwards"


def test_D_03_a_service_linked_role_is_bound_by_no_scp() -> None:
    linked = role("AWSServiceRoleForSupport", path="/aws-service-role/support.amazonaws.com/", **attached(ADMIN))
    where = estate(account(TARGET, roles=[linked], beside={"service_control": levels(S3_ONLY)}))
    assert ask(where, f"arn:aws:sts::{TARGET}:assumed-role/AWSServiceRoleForSupport/x").allowed


OUTSIDE = {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
RCP = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*", "Condition": OUTSIDE}


@pytest.mark.parametrize(("management", "outcome"), [(False, "explicit_deny"), (True, "allow")])
def test_D_03_an_rcp_binds_resources_of_member_accounts(management: bool, outcome: str) -> None:
    jump = account(JUMP, [user("alice", **inline("User", SWITCH))])
    where = estate(jump, account(TARGET, roles=[role("Ops")], beside={"resource_control": levels(RCP), "is_management": management}))
    assert ask(where, ALICE, "sts:AssumeRole", OPS, context={"aws:SourceIp": "198.51.100.7"}).outcome == outcome
    assert ask(where, ALICE, "sts:AssumeRole", OPS, context={"aws:SourceIp": "203.0.113.7"}).allowed


@pytest.mark.parametrize(("applies", "outcome"), [(False, "allow"), (True, "explicit_deny")])
def test_D_03_whether_an_rcp_binds_service_linked_roles_is_a_setting(applies: bool, outcome: str) -> None:
    path = "/aws-service-role/support.amazonaws.com/"
    linked = role("AWSServiceRoleForSupport", path=path, account=JUMP, **inline("Role", SWITCH))
    trust = {"Effect": "Allow", "Principal": {"AWS": JUMP}, "Action": "sts:AssumeRole"}
    where = estate(account(JUMP, roles=[linked, role("Own", trust, account=JUMP)], beside={"resource_control": levels(RCP)}))
    session = f"arn:aws:sts::{JUMP}:assumed-role/AWSServiceRoleForSupport/run"
    request = Request(session, "sts:AssumeRole", f"arn:aws:iam::{JUMP}:role/Own", {"aws:SourceIp": "198.51.100.7"})
    assert decide(request, where, Settings(rcp_applies_to_service_linked_roles=applies)).outcome == outcome


# D-04, D.2 -------------------------------------------------------------------------------------------------------------------


def test_D_04_session_policies_are_part_of_the_request() -> None:
    where = estate(account(TARGET, roles=[role("Ops", **attached(ADMIN))]))
    narrowed = (Policy.parse(document(S3_ONLY), kind=PolicyKind.SESSION),)
    assert ask(where, OPS_SESSION).allowed
    assert ask(where, OPS_SESSION, session_policies=narrowed).layer == "session"
    assert ask(where, OPS_SESSION, "s3:ListAllMyBuckets", session_policies=narrowed).allowed


def test_D_04_session_policies_of_the_request_count_beside_explicit_layers() -> None:
    layers = Layers((Policy.parse(document(ALLOW_ALL)),))
    narrowed = (Policy.parse(document(S3_ONLY), kind=PolicyKind.SESSION),)
    assert decide(Request(OPS_SESSION, "ec2:DescribeInstances", session_policies=narrowed), layers).layer == "session"


def test_D_2_a_federated_session_is_its_users() -> None:
    """Its user's policies, its user's tags; and a resource policy that names the user needs a session policy still."""
    queue = f"arn:aws:sqs:eu-west-1:{JUMP}:queue"
    names_user = document({"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "sqs:*", "Resource": "*"})
    users = [user("alice", **inline("User", EC2_ONLY), Tags=[{"Key": "Team", "Value": "a"}])]
    where = estate(account(JUMP, users, beside={"resource_policies": [{"arn": queue, "document": names_user}]}))
    session = (Policy.parse(document(ALLOW_ALL), kind=PolicyKind.SESSION),)
    federated = f"arn:aws:sts::{JUMP}:federated-user/anyone"

    def asked(action: str, resource: str = "*", role: str = ALICE, **more: Any) -> Decision:
        return decide(Request(federated, action, resource, role=role, **more), where)

    assert asked("ec2:DescribeInstances", session_policies=session).allowed
    assert asked("ec2:DescribeInstances", session_policies=session).context["aws:principaltag/team"] == "a"
    assert asked("sqs:SendMessage", queue, session_policies=session).allowed
    assert asked("sqs:SendMessage", queue).layer == "session"
    unknown = asked("ec2:DescribeInstances", session_policies=session, role="")
    assert unknown.outcome == "unknown"
    assert "its ARN doesn't tell" in unknown.unknown_because[0]


# D-05 ------------------------------------------------------------------------------------------------------------------------


def test_D_05_whose_a_bucket_is_the_estate_knows() -> None:
    bucket = "arn:aws:s3:::files"
    policy = document({"Effect": "Allow", "Principal": {"AWS": JUMP}, "Action": "s3:GetObject", "Resource": f"{bucket}/*"})
    jump = account(JUMP, [user("alice", **inline("User", S3_ONLY)), user("bob")])
    where = estate(jump, account(TARGET, beside={"resource_policies": [{"arn": bucket, "document": policy}]}))
    assert ask(where, ALICE, "s3:GetObject", f"{bucket}/a/b").allowed
    denied = ask(where, ALICE, "s3:PutObject", f"{bucket}/a/b")
    assert (denied.layer, denied.context["aws:resourceaccount"]) == ("resource", TARGET)
    assert denied.message == f"User: {ALICE} is not authorized to perform: s3:PutObject on resource: {bucket}/a/b"
    assert ask(where, f"arn:aws:iam::{JUMP}:user/bob", "s3:GetObject", f"{bucket}/a").layer == "identity"
    assert ask(where, ALICE, "s3:GetObject", f"{bucket}-of-others/a").allowed, "nobody says whose that is: the caller's own"


# D-22 ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("bypasses", "outcome"), [(True, "allow"), (False, "implicit_deny")])
def test_D_22_whether_a_trust_that_names_the_user_overrides_the_boundary_is_a_setting(bypasses: bool, outcome: str) -> None:
    boundary = {"PermissionsBoundary": {"PermissionsBoundaryArn": LIMIT}}
    trust = {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "sts:AssumeRole"}
    where = estate(account(JUMP, [user("alice", **boundary)], roles=[role("Own", trust, account=JUMP)], policies=[managed(LIMIT, EC2_ONLY)]))
    request = Request(ALICE, "sts:AssumeRole", f"arn:aws:iam::{JUMP}:role/Own")
    decision = decide(request, where, Settings(trust_user_grant_bypasses_boundary=bypasses))
    assert decision.outcome == outcome
    assert decision.layer == (None if bypasses else "boundary")


# D-40 to D-44 ------------------------------------------------------------------------------------------------------------------


def test_D_40_a_service_linked_role_lets_only_its_service_in() -> None:
    trust = {"Effect": "Allow", "Principal": {"Service": "support.amazonaws.com"}, "Action": "sts:AssumeRole"}
    linked = role("AWSServiceRoleForSupport", trust, path="/aws-service-role/support.amazonaws.com/")
    where = estate(account(JUMP, [user("alice", **attached(ADMIN))]), account(TARGET, roles=[linked]))
    assert ask(where, ALICE, "sts:AssumeRole", linked["Arn"]).outcome == "implicit_deny"
    assert ask(where, "support.amazonaws.com", "sts:AssumeRole", linked["Arn"]).allowed


def test_D_42_a_session_outlives_its_trust_and_follows_its_role() -> None:
    def target(*statements: dict[str, Any], **more: Any) -> Estate:
        return estate(account(TARGET, roles=[role("Ops", *statements, **more)]))

    nobody = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}
    assert ask(target(nobody, **attached(ADMIN)), OPS_SESSION).allowed
    assert ask(target(nobody, **inline("Role", S3_ONLY)), OPS_SESSION).outcome == "implicit_deny"


def test_D_43_an_answer_is_of_the_estate_at_hand() -> None:
    before = estate(account(TARGET, roles=[role("Ops", **attached(ADMIN))]))
    after = before.with_account(estate(account(TARGET, roles=[role("Ops")])).accounts[0])
    assert ask(before, OPS_SESSION).allowed
    assert ask(after, OPS_SESSION).outcome == "implicit_deny"


def test_D_44_a_sessions_role_is_found_by_name_and_has_its_path() -> None:
    where = estate(account(TARGET, roles=[role("Ops", path="/team/", **attached(ADMIN), Tags=[{"Key": "env", "Value": "prod"}])]))
    decision = ask(where, OPS_SESSION)
    assert decision.allowed
    assert decision.context["aws:principalarn"] == f"arn:aws:iam::{TARGET}:role/team/Ops"
    assert decision.context["aws:userid"] == "AROAEXAMPLEOPS:alice"
    assert decision.context["aws:principaltag/env"] == "prod"
    assert ask(where, f"arn:aws:iam::{TARGET}:role/Ops").outcome == "implicit_deny", "an ARN with another path is another role"


def test_a_session_tag_wins_over_the_roles_tag() -> None:
    where = estate(account(TARGET, roles=[role("Ops", Tags=[{"Key": "env", "Value": "prod"}])]))
    assert ask(where, OPS_SESSION, context={"aws:PrincipalTag/Env": "test"}).context["aws:principaltag/env"] == "test"


def test_table_E_what_only_an_estate_knows_of_a_user() -> None:
    where = estate(account(JUMP, [user("alice", path="/team/", Tags=[{"Key": "Team", "Value": "a"}])], beside={"organization": "o-exampleorgid"}))
    context = ask(where, f"arn:aws:iam::{JUMP}:user/team/alice").context
    assert (context["aws:userid"], context["aws:principaltag/team"], context["aws:principalorgid"]) == ("AIDAEXAMPLEALICE", "a", "o-exampleorgid")


# Unknown is neither allowed nor denied ------------------------------------------------------------------------------------------


def test_an_unknown_attached_policy_is_unknown_with_its_arn() -> None:
    decision = ask(estate(account(JUMP, [user("alice", **attached(ADMIN, LOST))])))
    assert (decision.outcome, decision.layer, decision.allowed) == ("unknown", "identity", False)
    assert decision.unknown_because == (f"the document of {LOST} is not known",)
    assert decision.message == f"User: {ALICE} is not authorized to perform: ec2:DescribeInstances"


def test_an_unknown_boundary_is_unknown_with_its_arn() -> None:
    decision = ask(estate(account(JUMP, [user("alice", **attached(ADMIN), PermissionsBoundary={"PermissionsBoundaryArn": LOST})])))
    assert (decision.outcome, decision.unknown_because) == ("unknown", (f"the document of {LOST} is not known",))


def test_every_unknown_document_is_named() -> None:
    other = f"arn:aws:iam::{JUMP}:policy/LostToo"
    decision = ask(estate(account(JUMP, [user("alice", **attached(LOST, other))])))
    assert decision.unknown_because == (f"the document of {LOST} is not known", f"the document of {other} is not known")


def test_a_sure_deny_stays_a_deny_whatever_is_unknown() -> None:
    where = estate(account(JUMP, [user("alice", **attached(LOST), **inline("User", NO_EC2))]))
    assert ask(where).outcome == "explicit_deny"
    nothing_allows = estate(account(JUMP, [user("alice", **attached(LOST))], beside={"service_control": levels(S3_ONLY)}))
    assert ask(nothing_allows).layer == "service_control"


def test_a_group_that_is_not_there_is_unknown() -> None:
    decision = ask(estate(account(JUMP, [user("alice", GroupList=["Gone"], **attached(ADMIN))])))
    assert decision.outcome == "unknown"
    assert "group Gone" in decision.unknown_because[0]


def test_an_account_that_is_not_there_is_unknown() -> None:
    where = estate(account(JUMP, [user("alice", **inline("User", SWITCH))]))
    assert ask(where, ALICE, "sts:AssumeRole", OPS).unknown_because == (f"account {TARGET} is not in the estate",)
    assert ask(where, f"arn:aws:iam::{TARGET}:user/eve").unknown_because == (f"account {TARGET} is not in the estate",)


def test_a_role_that_is_not_there_is_no_role() -> None:
    where = estate(account(JUMP, [user("alice", **inline("User", SWITCH))]), account(TARGET))
    assert ask(where, ALICE, "sts:AssumeRole", OPS).outcome == "implicit_deny"


def test_what_could_not_be_read_of_the_organisation_is_unknown_where_it_reaches() -> None:
    beside = {"unread": [["service_control", "AccessDenied"], ["resource_control", "AccessDenied"]]}
    where = estate(account(JUMP, [user("alice", **attached(ADMIN))], roles=[role("Own", account=JUMP)], beside=beside))
    assert ask(where).unknown_because == (f"service_control of {JUMP} could not be read: AccessDenied",), "no RCP reaches EC2"
    switch = ask(where, ALICE, "sts:AssumeRole", f"arn:aws:iam::{JUMP}:role/Own")
    assert len(switch.unknown_because) == 2


BAD = "{not a policy"


@pytest.mark.parametrize(
    ("change", "principal", "action", "resource"),
    [
        ({"UserPolicyList": [{"PolicyName": "bad", "PolicyDocument": BAD}]}, ALICE, "ec2:DescribeInstances", "*"),
        ({"AssumeRolePolicyDocument": BAD}, ALICE, "sts:AssumeRole", f"arn:aws:iam::{JUMP}:role/Own"),
    ],
    ids=["inline", "trust"],
)
def test_a_document_that_can_not_be_read_is_unknown(change: dict[str, Any], principal: str, action: str, resource: str) -> None:
    alice, own = user("alice", **attached(ADMIN)), role("Own", account=JUMP)
    (alice if "UserPolicyList" in change else own).update(change)
    decision = ask(estate(account(JUMP, [alice], roles=[own])), principal, action, resource)
    assert decision.outcome == "unknown"
    assert "Syntax errors in policy." in decision.unknown_because[0]


def test_a_resource_policy_that_can_not_be_read_is_unknown() -> None:
    queue = f"arn:aws:sqs:eu-west-1:{JUMP}:queue"
    beside = {"resource_policies": [{"arn": queue, "document": {"Statement": []}}]}
    where = estate(account(JUMP, [user("alice", **attached(ADMIN))], beside=beside))
    assert ask(where, ALICE, "sqs:SendMessage", queue).outcome == "unknown"
    assert ask(where, ALICE, "sqs:SendMessage", queue + "2").allowed


def test_C_34_a_condition_whose_meaning_is_not_known_is_unknown_and_says_so() -> None:
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"aws:SourceIp": "::ffff:203.0.113.0/120"}}}
    where = estate(account(JUMP, [user("alice", **attached(ADMIN), **inline("User", deny))]))
    decision = ask(where, context={"aws:SourceIp": "203.0.113.5"})
    assert (decision.outcome, decision.layer) == ("unknown", "identity")
    assert "::ffff:203.0.113.0/120" in decision.unknown_because[0]
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": deny["Condition"]}
    only = estate(account(JUMP, [user("alice", **inline("User", allow))]))
    assert ask(only, context={"aws:SourceIp": "203.0.113.5"}).outcome == "unknown"
    assert ask(only).outcome == "implicit_deny", "without an address it is known"


def test_C_34_only_what_is_not_clear_for_the_request_is_named() -> None:
    def deny(key: str) -> dict[str, Any]:
        return {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {key: "::ffff:203.0.113.0/120"}}}

    where = estate(account(JUMP, [user("alice", **attached(ADMIN), **inline("User", deny("aws:SourceIp"), deny("aws:VpcSourceIp")))]))
    (why,) = ask(where, context={"aws:SourceIp": "203.0.113.5"}).unknown_because
    assert "aws:SourceIp" in why


# Settings and memory ----------------------------------------------------------------------------------------------------------


def test_G_20_the_policys_arn_is_a_setting() -> None:
    where = estate(account(JUMP, [user("alice", **attached(ADMIN, LIMIT))], policies=[managed(LIMIT, NO_EC2)]))
    request = Request(ALICE, "ec2:DescribeInstances")
    told = decide(request, where).message
    assert told.endswith(f" with an explicit deny in an identity-based policy: {LIMIT}")
    assert decide(request, where, Settings(denial_names_policy_arn=False)).message == told.removesuffix(f": {LIMIT}")


def test_an_authorizer_remembers_by_the_whole_request() -> None:
    where = estate(account(JUMP, [user("alice", **inline("User", {**EC2_ONLY, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}))]))
    authorizer = Authorizer(where)
    for mfa in ("true", "false", "true"):
        request = Request(ALICE, "ec2:DescribeInstances", "*", {"aws:MultiFactorAuthPresent": mfa})
        assert authorizer.decide(request).allowed == (mfa == "true")
    session = (Policy.parse(document(S3_ONLY), kind=PolicyKind.SESSION),)
    with_mfa = Request(ALICE, "ec2:DescribeInstances", "*", {"aws:MultiFactorAuthPresent": "true"})
    assert authorizer.decide(with_mfa).allowed
    assert not authorizer.decide(with_mfa.replace(session_policies=session)).allowed
    assert not authorizer.decide(with_mfa.replace(action="iam:ListUsers", credentials=CredentialKind.SESSION_TOKEN)).allowed


def test_E_08_a_role_sees_the_key_of_its_own_session() -> None:
    """A role's own policy that asks for MFA refuses a session whose key is false, and takes one whose key is true."""
    asks = {**EC2_ONLY, "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}}
    where = estate(account(TARGET, roles=[role("Ops", **inline("Role", asks))]))
    assert not ask(where, OPS_SESSION, context={"aws:MultiFactorAuthPresent": "false"}).allowed
    assert ask(where, OPS_SESSION, context={"aws:MultiFactorAuthPresent": "true"}).allowed
