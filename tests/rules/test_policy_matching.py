"""Actions, resources and their variables (B-01 to B-15), asked of ``decide`` with one statement."""

from __future__ import annotations

from typing import Any

import pytest

from sekisho import Layers, Policy, PolicyKind, Request, decide
from sekisho.errors import PolicyError

ALICE = "arn:aws:iam::111111111111:user/alice"
SESSION = "arn:aws:sts::111111111111:assumed-role/Ops/alice"


def matched(
    statement: dict[str, Any], action: str, resource: str, principal: str = ALICE, version: str | None = "2012-10-17", **context: Any
) -> bool:
    """Whether an Allow and a Deny with these elements are about the request: both must say the same."""
    head = {"Version": version} if version else {}
    allow = Policy.parse({**head, "Statement": {"Effect": "Allow", **statement}})
    everything = Policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})
    deny = Policy.parse({**head, "Statement": {"Effect": "Deny", **statement}})
    request = Request(principal, action, resource, context, resource_account="111111111111")
    allowed = decide(request, Layers(identity=(allow,))).allowed
    assert (decide(request, Layers(identity=(everything, deny))).outcome == "explicit_deny") == allowed
    return allowed


ACTIONS = (
    ("B-01 a star inside, in any letter case", "iam:*AccessKey*", "IAM:listaccesskeys", True),
    ("B-01 letter case of the prefix", "IAM:ListUsers", "iam:ListUsers", True),
    ("B-01 anchored at the beginning", "iam:Users", "iam:ListUsers", False),
    ("B-01 anchored at the end", "iam:List", "iam:ListUsers", False),
    ("B-01 a star matches nothing too", "iam:ListUsers*", "iam:ListUsers", True),
    ("B-01 a question mark is one character", "iam:ListUser?", "iam:ListUsers", True),
    ("B-01 and not none", "iam:ListUsers?", "iam:ListUsers", False),
    ("B-01 the star alone", "*", "anything:AtAll", True),
    ("B-01 brackets are literal", "iam:[LG]istUsers", "iam:ListUsers", False),
    ("B-01 a dot is literal", "s3.:Get*", "s3x:GetObject", False),
    ("B-01 another service", "s3:*", "iam:ListUsers", False),
    ("B-10 never a variable", "iam:${aws:username}", "iam:alice", False),
)  # fmt: skip


@pytest.mark.parametrize(("pattern", "action", "matches"), [c[1:] for c in ACTIONS], ids=[c[0] for c in ACTIONS])
def test_actions(pattern: str, action: str, matches: bool) -> None:
    """B-01; and B-02: NotAction is about exactly the others."""
    try:
        found = matched({"Action": pattern, "Resource": "*"}, action, "*")
    except PolicyError:
        assert "${" in pattern, "a variable's colon makes two (A-13)"
        return
    assert found is matches
    assert matched({"NotAction": pattern, "Resource": "*"}, action, "*") is not matches


def test_not_action_reaches_every_service() -> None:
    """B-02: Allow + NotAction iam:* allows sts:AssumeRole."""
    statement = {"NotAction": "iam:*", "Resource": "*"}
    assert matched(statement, "sts:AssumeRoleWithSAML", "*")
    assert matched(statement, "made-up:Anything", "*")
    assert not matched(statement, "IAM:CreateUser", "*")


RESOURCES = (
    ("B-03 the star alone", "*", "arn:aws:s3:::b/k", True),
    ("B-03 the star alone, for what has no ARN", "*", "*", True),
    ("B-03 an ARN isn't for what has no ARN", "arn:aws:s3:::*", "*", False),
    ("B-03 slashes and colons in the sixth segment", "arn:aws:logs:us-east-1:1:log-group:*", "arn:aws:logs:us-east-1:1:log-group:/a:b/c", True),
    ("B-03 a question mark is a slash too", "arn:aws:s3:::b?k", "arn:aws:s3:::b/k", True),
    ("B-03 a question mark is a colon in the sixth", "arn:aws:sns:e:1:a?b", "arn:aws:sns:e:1:a:b", True),
    ("B-03 segments one by one", "arn:aws:s3:::b", "arn:aws:s3:b", False),
    ("B-03 an account that is left out is not any", "arn:aws:sqs:e::q", "arn:aws:sqs:e:1:q", False),
    ("B-04 a short ARN is filled up", "arn:aws:s3:*", "arn:aws:s3:::b/k", True),
    ("B-04 a short ARN with a Region", "arn:aws:sqs:eu-west-1:*", "arn:aws:sqs:eu-west-1:1:q", True),
    ("B-04 a short ARN without a wildcard", "arn:aws:s3", "arn:aws:s3:::b", True),
    ("B-04 a star at a segment's end runs on", "arn:aws:sqs:eu-*:q", "arn:aws:sqs:eu-west-1:1:q", False),
    ("B-04 a star at a segment's end runs past a colon", "arn:aws:sqs:eu-*:1:q", "arn:aws:sqs:eu-west-1:2:1:q", True),
    ("B-04 a star inside a segment stays", "arn:aws:iam::22*2:role/Ops", "arn:aws:iam::2222:role/Ops", True),
    ("B-04 and swallows no colon", "arn:aws:iam::22*2:role/Ops", "arn:aws:iam::22:2:role/Ops", False),
    ("B-04 nor does a question mark", "arn:aws:s3:?:x:b", "arn:aws:s3:::x:b", False),
    ("B-04 a segment that is a star", "arn:aws:iam::*:role/Ops", "arn:aws:iam::1:role/Ops", True),
    ("B-05 letter case", "arn:aws:iam::1:role/Ops", "arn:aws:iam::1:role/ops", False),
    ("B-05 letter case of a user", "arn:aws:iam::1:user/Alice", "arn:aws:iam::1:user/alice", False),
    ("B-06 1", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/2/test/3/o", True),
    ("B-06 2", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b//test/o", True),
    ("B-06 3", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1/test/", True),
    ("B-06 4", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/1-test/o", False),
    ("B-06 5", "arn:aws:s3:::b/*/test/*", "arn:aws:s3:::b/test/o", False),
    ("B-07 a path is part of the ARN", "arn:aws:iam::1:role/Ops*", "arn:aws:iam::1:role/team/Ops", False),
    ("B-07 with the path", "arn:aws:iam::1:role/team/Ops", "arn:aws:iam::1:role/team/Ops", True),
    ("B-07 any path", "arn:aws:iam::1:role/*Ops", "arn:aws:iam::1:role/team/Ops", True),
)  # fmt: skip


@pytest.mark.parametrize(("pattern", "resource", "matches"), [c[1:] for c in RESOURCES], ids=[c[0] for c in RESOURCES])
def test_resources(pattern: str, resource: str, matches: bool) -> None:
    assert matched({"Action": "*", "Resource": pattern}, "x:Y", resource) is matches
    assert matched({"Action": "*", "NotResource": pattern}, "x:Y", resource) is not matches
    assert matched({"Action": "*", "Resource": ["arn:aws:ec2:r:1:i", pattern]}, "x:Y", resource) is matches


def test_no_wildcard_in_the_service_segment() -> None:
    """B-03, A-15: such an entry is refused, not matched."""
    for resource in ("arn:aws:s*:::b", "arn:aws:*:::b", "arn:aws:?3:::b"):
        with pytest.raises(PolicyError, match="vendor must be fully qualified"):
            matched({"Action": "*", "Resource": resource}, "s3:GetObject", "arn:aws:s3:::b")


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [("arn:aws:s3:::b/*", True), ("arn:aws:s3:*", True), ("arn:aws:s3", False), ("*", True)],
    ids=["B-04 whole", "B-04 short with a wildcard", "B-04 short without a wildcard", "B-03 star"],
)
def test_resources_of_resource_policies(pattern: str, allowed: bool) -> None:
    """B-04: in a resource policy a short ARN is filled up only if it has a wildcard."""
    policy = Policy.parse(
        {"Statement": {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "s3:GetObject", "Resource": pattern}}, kind=PolicyKind.RESOURCE
    )
    request = Request(ALICE, "s3:GetObject", "arn:aws:s3:::b/k", resource_account="111111111111")
    assert decide(request, Layers(resource=(policy,))).allowed is allowed


OWN = "arn:aws:iam::111111111111:user/${aws:username}"
# rule and case, element, resource, principal, version, context, matches
VARIABLES = (
    ("B-15 alice and her own ARN", {"Resource": OWN}, ALICE, ALICE, "2012-10-17", {}, True),
    ("B-15 alice and bob's ARN", {"Resource": OWN}, ALICE.replace("alice", "bob"), ALICE, "2012-10-17", {}, False),
    ("B-15 a role session has no user name", {"Resource": OWN}, ALICE, SESSION, "2012-10-17", {}, False),
    ("B-15 under 2008", {"Resource": OWN}, ALICE, ALICE, "2008-10-17", {}, False),
    ("B-15 under no version", {"Resource": OWN}, ALICE, ALICE, None, {}, False),
    ("B-10 literal under 2008", {"Resource": OWN}, OWN, ALICE, "2008-10-17", {}, True),
    ("B-10 not before the fifth colon", {"Resource": "arn:aws:iam::${aws:PrincipalAccount}:user/alice"}, ALICE, ALICE, "2012-10-17", {}, False),
    ("B-10 not before the fifth colon, a key without colon", {"Resource": "arn:aws:sqs:e:${x}:q"}, "arn:aws:sqs:e:1:q", ALICE, "2012-10-17",
     {"x": "1"}, False),
    ("B-11 the key in any letter case", {"Resource": OWN.replace("aws:username", "AWS:UserName")}, ALICE, ALICE, "2012-10-17", {}, True),
    ("B-11 a substituted star is no wildcard", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t}/x"}, "arn:aws:s3:::b/any/x", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": "*"}, False),
    ("B-11 but itself", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t}/x"}, "arn:aws:s3:::b/*/x", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": "*"}, True),
    ("B-11 a substituted colon and slash", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t}"}, "arn:aws:s3:::b/a:b/c", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": "a:b/c"}, True),
    ("B-11 no recursion", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t}"}, "arn:aws:s3:::b/alice", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": "${aws:username}"}, False),
    ("B-12 a default", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t, 'none'}"}, "arn:aws:s3:::b/none", ALICE, "2012-10-17", {}, True),
    ("B-12 a default that isn't needed", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t, 'none'}"}, "arn:aws:s3:::b/none", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": "x"}, False),
    ("B-13 literals", {"Resource": "arn:aws:s3:::b/${*}${?}${$}"}, "arn:aws:s3:::b/*?$", ALICE, "2012-10-17", {}, True),
    ("B-13 literals are no wildcards", {"Resource": "arn:aws:s3:::b/${*}${?}${$}"}, "arn:aws:s3:::b/xy$", ALICE, "2012-10-17", {}, False),
    ("B-14 an absent key matches nothing", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t}*"}, "arn:aws:s3:::b/x", ALICE, "2012-10-17", {}, False),
    ("B-14 and NotResource with it excludes nothing", {"NotResource": "arn:aws:s3:::b/${aws:PrincipalTag/t}*"}, "arn:aws:s3:::b/x", ALICE,
     "2012-10-17", {}, True),
    ("B-14 NotResource with a value excludes it", {"NotResource": "arn:aws:s3:::b/${aws:PrincipalTag/t}*"}, "arn:aws:s3:::b/xy", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": "x"}, False),
    ("B-14 the entry alone, not the list", {"Resource": ["arn:aws:s3:::b/${aws:PrincipalTag/t}", "arn:aws:s3:::b/x"]}, "arn:aws:s3:::b/x", ALICE,
     "2012-10-17", {}, True),
    ("B-14 a key of many values is as if absent", {"Resource": "arn:aws:s3:::b/${aws:PrincipalTag/t}"}, "arn:aws:s3:::b/x", ALICE, "2012-10-17",
     {"aws:PrincipalTag/t": ["x"]}, False),
)  # fmt: skip


@pytest.mark.parametrize(
    ("element", "resource", "principal", "version", "context", "matches"), [c[1:] for c in VARIABLES], ids=[c[0] for c in VARIABLES]
)
def test_variables(element: dict[str, Any], resource: str, principal: str, version: str | None, context: dict[str, Any], matches: bool) -> None:
    assert matched({"Action": "*", **element}, "s3:GetObject", resource, principal, version, **context) is matches
