"""Why a decision is as it is: the statements that decided (``because``), and for each other Allow what it had and what it wanted (``misses``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from decision.estates import ADMIN, ALLOW_ALL, JUMP, account, attached, document, estate, inline, role, user
from sekisho import Layers, Policy, PolicyKind, Request, decide, load
from sekisho.estate import write_estate

ALICE = f"arn:aws:iam::{JUMP}:user/alice"
OPS = "arn:aws:iam::222222222222:role/Ops"


def policy(name: str, *statements: dict[str, Any], kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    return Policy.parse(document(*statements), kind=kind, name=name)


def allow(**more: Any) -> dict[str, Any]:
    return {**ALLOW_ALL, **more}


def asked(statement: dict[str, Any], context: dict[str, Any] | None = None, principal: str = ALICE) -> str:
    """The one miss of an identity policy's Allow, in words."""
    request = Request(principal, "ec2:StartInstances", "arn:aws:ec2:eu-west-1:111111111111:instance/i-1", context)
    (miss,) = decide(request, Layers((policy("p", statement),))).misses
    return str(miss)


MISSES = (
    ("action", allow(Action=["s3:*", "sqs:*"]), None, "p statement 0: Action is ec2:StartInstances; wants s3:*, sqs:*"),
    (
        "action that is left out", {"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"}, None,
        "p statement 0: NotAction is ec2:StartInstances; wants ec2:*",
    ),
    (
        "resource", allow(Resource="arn:aws:ec2:*:*:volume/*"), None,
        "p statement 0: Resource is arn:aws:ec2:eu-west-1:111111111111:instance/i-1; wants arn:aws:ec2:*:*:volume/*",
    ),
    (
        "resource with a variable", allow(Resource="arn:aws:ec2:*:*:instance/${aws:username}"), None,
        "p statement 0: Resource is arn:aws:ec2:eu-west-1:111111111111:instance/i-1; wants arn:aws:ec2:*:*:instance/${aws:username}",
    ),
    (
        "resource that is left out", {"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:ec2:*:*:instance/*"}, None,
        "p statement 0: NotResource is arn:aws:ec2:eu-west-1:111111111111:instance/i-1; wants arn:aws:ec2:*:*:instance/*",
    ),
    (
        "absent key", allow(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), {},
        "p statement 0: Bool aws:MultiFactorAuthPresent is absent; wants true",
    ),
    (
        "wrong value", allow(Condition={"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "198.51.100.0/24"]}}), {"aws:SourceIp": "192.0.2.44"},
        "p statement 0: IpAddress aws:SourceIp is 192.0.2.44; wants 203.0.113.0/24, 198.51.100.0/24",
    ),
    (
        "many wanted values", allow(Condition={"StringEquals": {"aws:RequestedRegion": ["a", "b", "c", "d", "e"]}}), {"aws:RequestedRegion": "x"},
        "p statement 0: StringEquals aws:RequestedRegion is x; wants a, b, c, d, …",
    ),
    (
        "several values in the request", allow(Condition={"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}), {"aws:TagKeys": ["a", "b"]},
        "p statement 0: ForAllValues:StringEquals aws:TagKeys is a, b; wants a",
    ),
    (
        "the second of two conditions",
        allow(Condition={"StringEquals": {"aws:username": "alice"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}),
        {"aws:MultiFactorAuthAge": "4000"}, "p statement 0: NumericLessThan aws:MultiFactorAuthAge is 4000; wants 3600",
    ),
    (
        "a key that is derived", allow(Condition={"StringEquals": {"aws:username": "bob"}}), None,
        "p statement 0: StringEquals aws:username is alice; wants bob",
    ),
)  # fmt: skip


@pytest.mark.parametrize(("statement", "context", "told"), [m[1:] for m in MISSES], ids=[m[0] for m in MISSES])
def test_a_miss_says_what_it_had_and_what_it_wanted(statement: dict[str, Any], context: dict[str, Any] | None, told: str) -> None:
    assert asked(statement, context) == told


@pytest.mark.parametrize(
    ("element", "told"),
    [
        ({"Principal": {"AWS": f"arn:aws:iam::{JUMP}:user/bob"}}, f"Principal is {ALICE}; wants arn:aws:iam::{JUMP}:user/bob"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, f"Principal is {ALICE}; wants ec2.amazonaws.com"),
        ({"NotPrincipal": {"AWS": ALICE}}, f"NotPrincipal is {ALICE}; wants {ALICE}"),
        ({"NotPrincipal": "*"}, f"NotPrincipal is {ALICE}; wants *"),
    ],
    ids=["Principal", "Service", "NotPrincipal", "NotPrincipal of all"],
)
def test_a_miss_of_a_principal(element: dict[str, Any], told: str) -> None:
    bucket = policy("bucket", {"Effect": "Allow", **element, "Action": "s3:*", "Resource": "*"}, kind=PolicyKind.RESOURCE)
    (miss,) = decide(Request(ALICE, "s3:GetObject", "arn:aws:s3:::b/k"), Layers(resource=(bucket,))).misses
    assert (miss.layer, str(miss)) == ("resource", f"bucket statement 0: {told}")


def test_every_allow_that_did_not_match_is_told_and_none_that_did() -> None:
    layers = Layers(
        (policy("ids", allow(Sid="A", Action="s3:*"), allow(Sid="B"), {**ALLOW_ALL, "Effect": "Deny", "Action": "s3:*", "Sid": "C"}),),
        boundary=(policy("limit", allow(Sid="D", Action="sqs:*")),),
        service_control=((policy("scp", allow(Sid="E")),), (policy("scp2", allow(Sid="F", Condition={"Bool": {"a:b": "true"}})),)),
    )
    decision = decide(Request(ALICE, "ec2:DescribeInstances"), layers)
    assert [(m.layer, m.policy, m.statement, m.sid, m.element) for m in sorted(decision.misses, key=lambda m: m.sid)] == [
        ("identity", "ids", 0, "A", "Action"), ("boundary", "limit", 0, "D", "Action"), ("service_control", "scp2", 0, "F", "Condition"),
    ]  # fmt: skip
    assert {m.had for m in decision.misses if m.sid == "F"} == {None}


def test_because_of_an_explicit_deny_are_all_denies_that_hold_the_named_one_first() -> None:
    deny = {**ALLOW_ALL, "Effect": "Deny"}
    trust = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Sid": "T"}
    other = {**deny, "Sid": "Not", "Condition": {"Bool": {"a:b": "true"}}}
    layers = Layers((policy("ids", allow(), {**deny, "Sid": "I"}, other),), resource=(policy("trust", trust, kind=PolicyKind.TRUST),))
    decision = decide(Request(ALICE, "sts:AssumeRole", OPS), layers)
    assert [(b.layer, b.policy, b.statement, b.sid) for b in decision.because] == [("identity", "ids", 1, "I"), ("resource", "trust", 0, "T")]


def test_because_of_an_allow_are_the_allows_of_each_layer() -> None:
    trust = {"Effect": "Allow", "Principal": {"AWS": JUMP}, "Action": "sts:AssumeRole", "Sid": "T"}
    layers = Layers(
        (policy("ids", allow(Action="s3:*"), allow(Sid="I", Action="sts:*")),), boundary=(policy("limit", allow(Sid="B")),),
        resource=(policy("trust", trust, kind=PolicyKind.TRUST),), service_control=((policy("scp", allow(Sid="S")),),),
    )  # fmt: skip
    decision = decide(Request(ALICE, "sts:AssumeRole", OPS), layers)
    assert {(b.layer, b.policy, b.statement, b.sid) for b in decision.because} == {
        ("service_control", "scp", 0, "S"), ("identity", "ids", 1, "I"), ("boundary", "limit", 0, "B"), ("resource", "trust", 0, "T"),
    }  # fmt: skip


def test_because_of_an_implicit_deny_is_the_layer_without_a_statement() -> None:
    (because,) = decide(Request(ALICE, "s3:GetObject"), Layers()).because
    assert (because.layer, because.policy, because.statement, because.sid, because.place) == ("identity", None, None, None, None)


def test_a_statement_has_its_place_in_the_estates_file(tmp_path: Path) -> None:
    deny = {**ALLOW_ALL, "Effect": "Deny", "Sid": "No"}
    write_estate(estate(account(JUMP, [user("alice", **attached(ADMIN), **inline("User", deny))], roles=[role("Own", account=JUMP)])), tmp_path)
    (because,) = decide(Request(ALICE, "s3:GetObject"), load(tmp_path)).because
    place = because.place
    assert place is not None
    assert (place.file, place.pointer) == (str(tmp_path / f"{JUMP}.json"), "/UserDetailList/0/UserPolicyList/0/PolicyDocument/Statement/0")
    assert '"Effect": "Deny"' in "".join((tmp_path / f"{JUMP}.json").read_text().splitlines()[place.line - 1 : place.line + 2])


def test_a_companion_that_is_refused_explains_itself() -> None:
    """D-26: the answer is about sts:TagSession then, and its misses too."""
    trust = {"Effect": "Allow", "Principal": {"AWS": JUMP}, "Action": "sts:AssumeRole"}
    layers = Layers((policy("ids", allow()),), resource=(policy("trust", trust, kind=PolicyKind.TRUST),))
    decision = decide(Request(ALICE, "sts:AssumeRole", OPS, {"aws:RequestTag/a": "b"}), layers)
    assert decision.layer == "resource"
    assert [str(m) for m in decision.misses] == ["trust statement 0: Action is sts:TagSession; wants sts:AssumeRole"]
