"""Whom a principal element names, and whom it doesn't (A.3, A-30 to A-32): each form asked of a trust or bucket policy through ``decide``."""

from __future__ import annotations

from typing import Any

import pytest

from sekisho import Layers, Policy, PolicyKind, Request, decide

T = "222222222222"
ALICE = f"arn:aws:iam::{T}:user/team/alice"
SESSION = f"arn:aws:sts::{T}:assumed-role/Ops/alice"
ROLE = f"arn:aws:iam::{T}:role/team/Ops"
FEDERATED = f"arn:aws:sts::{T}:federated-user/alice"
IDENTITY_ALLOW = Policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})


def named(principal: Any, caller: str, context: dict[str, Any] | None = None, *, identity: bool = False, element: str = "Principal") -> bool:
    """Whether a bucket policy's Allow for ``principal`` lets the caller in; ``identity``: with identity policies that allow everything."""
    statement = {"Effect": "Allow", element: principal, "Action": "*", "Resource": "*"}
    policy = Policy.parse({"Version": "2012-10-17", "Statement": statement}, kind=PolicyKind.RESOURCE)
    request = Request(caller, "s3:GetObject", "arn:aws:s3:::b/k", context or {}, resource_account=T)
    return decide(request, Layers(identity=(IDENTITY_ALLOW,) if identity else (), resource=(policy,))).allowed


# rule and case, principal, caller, context, named
DIRECT = (
    ("A.3 anyone", "*", ALICE, {}, True),
    ("A.3 anyone, anonymous included", "*", "anonymous", {}, True),
    ("A.3 AWS * is anyone", {"AWS": "*"}, "anonymous", {}, True),
    ("A.3 AWS * is anyone, in a list", {"AWS": ["111111111111", "*"]}, SESSION, {}, True),
    ("A.3 anyone, a service included", {"AWS": "*"}, "ec2.amazonaws.com", {}, True),
    ("A.3 a user", {"AWS": ALICE}, ALICE, {}, True),
    ("A.3 a user without the path is another", {"AWS": f"arn:aws:iam::{T}:user/alice"}, ALICE, {}, False),
    ("A-31 a user name's letter case", {"AWS": f"arn:aws:iam::{T}:user/team/Alice"}, ALICE, {}, False),
    ("A.3 a session", {"AWS": SESSION}, SESSION, {}, True),
    ("A.3 another session of the role", {"AWS": SESSION}, f"arn:aws:sts::{T}:assumed-role/Ops/bob", {}, False),
    ("A.3 a role names its sessions", {"AWS": ROLE}, SESSION, {"aws:PrincipalArn": ROLE}, True),
    ("A.3 a role doesn't name another's sessions", {"AWS": ROLE}, f"arn:aws:sts::{T}:assumed-role/Dev/alice", {}, False),
    ("A.3 a federated user", {"AWS": FEDERATED}, FEDERATED, {}, True),
    ("A.3 a federated user isn't the user of that name", {"AWS": FEDERATED}, ALICE, {}, False),
    ("A.3 a service", {"Service": "ec2.amazonaws.com"}, "ec2.amazonaws.com", {}, True),
    ("A.3 another service", {"Service": "ec2.amazonaws.com"}, "s3.amazonaws.com", {}, False),
    ("A.3 a service is no AWS principal", {"AWS": T}, "ec2.amazonaws.com", {}, False),
    ("A.3 a user is no service", {"Service": "ec2.amazonaws.com"}, ALICE, {}, False),
    ("A.3 a user is no federated principal", {"Federated": f"arn:aws:iam::{T}:saml-provider/p"}, ALICE, {}, False),
    ("A.3 a canonical user is nobody else", {"CanonicalUser": "79a5"}, ALICE, {}, False),
    ("A-31 a unique id of a user", {"AWS": "AIDAEXAMPLEEXAMPLE11"}, ALICE, {"aws:userid": "AIDAEXAMPLEEXAMPLE11"}, True),
    ("A-31 the id of a user that was made anew", {"AWS": "AIDAEXAMPLEEXAMPLE11"}, ALICE, {"aws:userid": "AIDAEXAMPLEEXAMPLE22"}, False),
    ("A-31 a unique id of a role", {"AWS": "AROAEXAMPLEEXAMPLE11"}, SESSION, {"aws:userid": "AROAEXAMPLEEXAMPLE11:alice"}, True),
    ("A-32 several entries are alternatives", {"AWS": [f"arn:aws:iam::{T}:user/bob", ALICE]}, ALICE, {}, True),
    ("A-32 several types are alternatives", {"Service": "ec2.amazonaws.com", "AWS": ALICE}, ALICE, {}, True),
    ("A-32 none of several", {"AWS": [f"arn:aws:iam::{T}:user/bob", SESSION]}, ALICE, {}, False),
)  # fmt: skip


@pytest.mark.parametrize(("principal", "caller", "context", "is_named"), [c[1:] for c in DIRECT], ids=[c[0] for c in DIRECT])
def test_named(principal: Any, caller: str, context: dict[str, Any], is_named: bool) -> None:
    assert named(principal, caller, context) is is_named


@pytest.mark.parametrize("principal", [T, f"arn:aws:iam::{T}:root"], ids=["A.3 account id", "A.3 root ARN"])
def test_an_account_delegates(principal: str) -> None:
    """A.3: the account's id and its root ARN are one, and name every principal of it, subject to its own identity policies."""
    for caller in (ALICE, SESSION):
        assert not named({"AWS": principal}, caller)
        assert named({"AWS": principal}, caller, identity=True)
    assert not named({"AWS": principal}, "anonymous", identity=True)


def test_another_partitions_root_is_another_account() -> None:
    """A.3: the same twelve digits in another partition are somebody else."""
    policy = Policy.parse(
        {"Statement": {"Effect": "Deny", "Principal": {"AWS": f"arn:aws-cn:iam::{T}:root"}, "Action": "*", "Resource": "*"}},
        kind=PolicyKind.RESOURCE,
    )
    request = Request(ALICE, "s3:GetObject", "arn:aws:s3:::b/k", resource_account=T)
    assert decide(request, Layers(identity=(IDENTITY_ALLOW,), resource=(policy,))).allowed


def test_a_condition_on_the_arn_survives_recreation() -> None:
    """A-31: an ARN in a condition isn't resolved to an id, so whoever has that ARN now is meant."""
    policy = Policy.parse(
        {
            "Version": "2012-10-17",
            "Statement": {
                "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*",
                "Condition": {"ArnEquals": {"aws:PrincipalArn": ALICE}},
            },
        },
        kind=PolicyKind.RESOURCE,
    )  # fmt: skip
    for userid in ("AIDAEXAMPLEEXAMPLE11", "AIDAEXAMPLEEXAMPLE22"):
        request = Request(ALICE, "s3:GetObject", "arn:aws:s3:::b/k", {"aws:userid": userid}, resource_account=T)
        assert decide(request, Layers(resource=(policy,))).allowed


def test_anyone_in_a_trust_policy_is_evaluated() -> None:
    """A-32: AWS takes ``*`` in a trust policy, so it counts: the caller's own account has to allow it all the same."""
    trust = Policy.parse({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}}, kind=PolicyKind.TRUST)
    request = Request("arn:aws:iam::111111111111:user/bob", "sts:AssumeRole", ROLE)
    assert decide(request, Layers(identity=(IDENTITY_ALLOW,), resource=(trust,))).allowed
    assert not decide(request, Layers(resource=(trust,))).allowed
