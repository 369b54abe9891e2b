"""What is kept from one request to the next never changes an answer: equal requests, many values, requests on their way between processes."""

from __future__ import annotations

import copy
import pickle

import pytest

from sekisho import Authorizer, Layers, Policy, PolicyKind, Request

USER = "arn:aws:iam::111122223333:user/test-user"
ROLE = "arn:aws:iam::444455556666:role/test-role-admin"


def policy(*statements: dict[str, object], kind: PolicyKind = PolicyKind.IDENTITY, arn: str | None = None) -> Policy:
    return Policy.parse({"Version": "2012-10-17", "Statement": list(statements)}, kind=kind, arn=arn)


ALLOW = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}
NETWORKS = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["10.0.0.0/25", "2001:db8::/32"]}}}
TRUST = policy({"Effect": "Allow", "Principal": {"AWS": USER}, "Action": "sts:AssumeRole"}, kind=PolicyKind.TRUST)
LAYERS = Layers(identity=(policy(ALLOW, NETWORKS),), resource=(TRUST,))


def fresh(text: str) -> str:
    return "".join(list(text))


def request(**context: object) -> Request:
    return Request(fresh(USER), fresh("sts:AssumeRole"), fresh(ROLE), {key.replace("_", ":"): value for key, value in context.items()})


def test_an_equal_request_is_decided_once() -> None:
    asked = Authorizer(LAYERS)
    first = asked.decide(request(aws_SourceIp="10.0.0.1", aws_UserAgent="a"))
    for other in (request(aws_SourceIp="10.0.0.1", aws_UserAgent="a"), request(AWS_useragent="a", aws_sourceip="10.0.0.1")):
        assert asked.decide(other) is first
        assert asked.decide(other) is first  # found by identity from now on
    assert asked.decide(request(aws_SourceIp="10.0.1.1", aws_UserAgent="a")).outcome == "explicit_deny"


def test_the_second_permission_that_failed_is_not_kept_under_its_own_name() -> None:
    """D-26: a refused sts:TagSession is the answer to AssumeRole with tags, and to nothing else."""
    asked = Authorizer(LAYERS)
    tagged = {"aws_SourceIp": "10.0.0.1", "aws_RequestTag/team": "a"}
    asked.decide(request(**tagged))
    again = request(**tagged)
    for _ in range(3):
        refused = asked.decide(again)
        assert not refused.allowed and "sts:TagSession" in refused.message
    assert again == request(**tagged) and again != again.replace(action="sts:TagSession")
    assert asked.decide(request(aws_SourceIp="10.0.0.1")).allowed
    assert asked.decide(request(**tagged).replace(action="sts:TagSession")).request.action == "sts:TagSession"
    assert asked.decide(request(**tagged)).outcome == refused.outcome


def test_companions_are_found_whatever_keys_came_before() -> None:
    """D-26, in any order of requests."""
    asked = Authorizer(LAYERS)
    companions = ("aws_RequestTag/team", "aws_TagKeys", "sts_TransitiveTagKeys", "sts_SourceIdentity")
    for key in companions * 2:
        assert not asked.decide_anew(request(**{"aws_SourceIp": "10.0.0.1", key: "x"})).allowed, key
    for i in range(1200):
        assert asked.decide_anew(request(**{"aws_SourceIp": "10.0.0.1", f"aws_PrincipalTag/t{i}": "x"})).allowed
    for key in companions:
        assert not asked.decide_anew(request(**{"aws_SourceIp": "10.0.0.1", key: "x"})).allowed, key


@pytest.mark.parametrize("again", [1, 2])
def test_many_values_of_one_condition(again: int) -> None:
    """More addresses than a condition keeps answers for, asked again and again."""
    asked = Authorizer(LAYERS)
    for _ in range(again):
        for i in range(300):
            address = f"10.0.{i // 256}.{i % 256}"
            assert asked.decide(request(aws_SourceIp=address)).allowed == (i < 128), address
            assert asked.decide_anew(request(aws_SourceIp=address)).allowed == (i < 128), address


def test_facts_of_the_principal_are_read_where_a_policy_reads_them() -> None:
    """E-01: what the request doesn't bring follows from the principal; what it brings counts (D-02)."""
    mine = policy({"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::b/${aws:username}/*"})
    secure = policy({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}})
    asked = Authorizer(Layers(identity=(mine, secure)))
    own = Request(USER, "s3:GetObject", "arn:aws:s3:::b/test-user/x", {"aws:SourceIp": "10.0.0.1"})
    decision = asked.decide(own)
    assert decision.allowed
    assert decision.context["aws:username"] == "test-user" and decision.context["aws:sourceip"] == "10.0.0.1"
    assert not asked.decide(own.replace(resource="arn:aws:s3:::b/other/x")).allowed
    assert asked.decide(own.with_context({"aws:SecureTransport": "false"})).outcome == "explicit_deny"


def test_a_denial_names_the_policy_that_denied_this_time() -> None:
    """G-21: of two Denies in one layer, the one that holds."""
    one, two = (
        policy({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"StringEquals": {"aws:UserAgent": name}}}, arn=arn)
        for name, arn in (("a", "arn:aws:iam::111122223333:policy/one"), ("b", "arn:aws:iam::111122223333:policy/two"))
    )
    asked = Authorizer(Layers(identity=(one, two)))
    for _ in range(2):
        for agent, name in (("a", "one"), ("b", "two")):
            message = asked.decide_anew(Request(USER, "iam:ListUsers", "*", {"aws:UserAgent": agent})).message
            assert message.endswith(f"policy/{name}"), message


def test_a_request_travels_and_does_not_change() -> None:
    session = Request(
        "arn:aws:sts::444455556666:assumed-role/Ops/alice", "s3:GetObject", "arn:aws:s3:::b/k", {"aws:TagKeys": ["a", "b"]},
        role="arn:aws:iam::444455556666:role/path/Ops", resource_account="444455556666",
    )  # fmt: skip
    for other in (pickle.loads(pickle.dumps(session)), copy.copy(session), copy.deepcopy(session), session.replace()):
        assert other == session and hash(other) == hash(session)
        assert other.caller == session.caller and other.resource_account == "444455556666"
    assert session.replace(action="s3:PutObject") != session
    with pytest.raises(AttributeError):
        session.action = "s3:PutObject"  # type: ignore[misc]
    given = {"aws:SourceIp": "10.0.0.1"}
    made = Request(USER, "sts:AssumeRole", ROLE, given)
    given["aws:SourceIp"] = "10.9.9.9"
    assert Authorizer(LAYERS).decide(made).allowed
