"""Whole documents: written and read again they mean the same, the order of statements never matters, and one more Deny never allows."""

from __future__ import annotations

import json
import os
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import Layers, Policy, PolicyKind, Request, decide
from sekisho.errors import PolicyError
from sekisho.policy import check_policy

few = settings(max_examples=int(os.environ.get("SEKISHO_EXAMPLES", "100")), deadline=None)

ACCOUNT = "111111111111"
USERS = [f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("alice", "bob")]
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Ops/alice"
ACTIONS = ["s3:GetObject", "s3:PutObject", "iam:PassRole"]
RESOURCES = ["arn:aws:s3:::b/alice", "arn:aws:s3:::b/x", "*"]


def one_or_many(values: list[str]) -> st.SearchStrategy[Any]:
    """A scalar, or a list (A-19)."""
    return st.one_of(st.sampled_from(values), st.lists(st.sampled_from(values), min_size=1, max_size=3))


def either(element: str, values: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(lambda negated, value: {("Not" if negated else "") + element: value}, st.booleans(), one_or_many(values))


CONDITIONS = st.dictionaries(
    st.sampled_from(["StringEquals", "StringNotLikeIfExists", "ForAllValues:StringLike", "ForAnyValue:StringNotEquals", "StringLike"]),
    st.dictionaries(
        st.sampled_from(["aws:username", "k", "aws:TagKeys"]), one_or_many(["alice", "a*", "${aws:username}", "${k, 'none'}", "none"]), max_size=2
    ),
    max_size=2,
)
OTHERS = st.one_of(
    st.builds(lambda negated, v: {("Not" if negated else "") + "IpAddress": {"aws:SourceIp": v}}, st.booleans(),
              one_or_many(["203.0.113.0/24", "::/0", "198.51.100.7"])),
    st.builds(lambda v: {"Bool": {"aws:MultiFactorAuthPresent": v}}, st.sampled_from([True, False, "true"])),
    st.builds(lambda v: {"NumericLessThan": {"n": v}}, st.one_of(st.integers(-3, 3), st.floats(-3, 3), st.sampled_from(["1.5", "x"]))),
    st.builds(lambda v: {"Null": {"k": v}}, st.sampled_from(["true", False])),
    st.just({}),
)  # fmt: skip
STATEMENTS = st.builds(
    lambda effect, action, resource, condition, other: {
        "Effect": effect, **action, **resource, **({"Condition": {**condition, **other}} if condition or other else {})},
    st.sampled_from(["Allow", "Allow", "Deny"]), either("Action", [*ACTIONS, "s3:*", "*", "S3:get*"]),
    either("Resource", [*RESOURCES, "arn:aws:s3:::b/${aws:username}", "arn:aws:s3:*", "arn:aws:s3:::*/?"]), CONDITIONS, OTHERS,
)  # fmt: skip
PRINCIPALS = st.one_of(
    st.just("*"),
    st.dictionaries(st.just("AWS"), one_or_many([*USERS, ACCOUNT, f"arn:aws:iam::{ACCOUNT}:role/Ops", SESSION, "*"]), min_size=1),
    st.builds(lambda service, user: {"Service": service, "AWS": user}, one_or_many(["ec2.amazonaws.com", "s3.amazonaws.com"]), one_or_many(USERS)),
)
VERSIONS = st.sampled_from([{"Version": "2012-10-17"}, {"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}])


def documents(statements: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    listed = st.lists(statements, min_size=1, max_size=4)
    return st.builds(lambda version, body: {**version, "Statement": body}, VERSIONS, st.one_of(listed, listed, statements))


IDENTITY = documents(STATEMENTS)
RESOURCE = documents(st.builds(lambda s, p, negated: {**s, ("NotPrincipal" if negated else "Principal"): p}, STATEMENTS, PRINCIPALS, st.booleans()))
REQUESTS = st.builds(
    lambda who, action, resource, context: Request(who, action, resource, context, resource_account=ACCOUNT),
    st.sampled_from([*USERS, SESSION]), st.sampled_from(ACTIONS), st.sampled_from(RESOURCES),
    st.fixed_dictionaries({}, optional={
        "k": st.sampled_from(["alice", "none", ["a"]]), "aws:TagKeys": st.lists(st.sampled_from(["alice", "none"])), "n": st.integers(-3, 3),
        "aws:SourceIp": st.sampled_from(["203.0.113.5", "198.51.100.7", "2001:db8::1"]), "aws:MultiFactorAuthPresent": st.booleans()}),
)  # fmt: skip
MANY = st.lists(REQUESTS, min_size=1, max_size=6)


def outcome(request: Request, identity: list[Policy], resource: list[Policy] | None = None) -> str:
    return decide(request, Layers(identity=tuple(identity), resource=tuple(resource or ()))).outcome


@few
@given(IDENTITY, RESOURCE, MANY)
def test_document_text_document(identity: dict[str, Any], resource: dict[str, Any], requests: list[Request]) -> None:
    """A-01 to A-19: as an object, as text, as bytes, spread out, and in the one spelling of ``normalised``, a document says the same."""
    for source, kind in ((identity, PolicyKind.IDENTITY), (resource, PolicyKind.RESOURCE)):
        first = Policy.parse(source, kind=kind)
        again = [
            Policy.parse(text, kind=kind)
            for text in (json.dumps(source), json.dumps(source).encode(), json.dumps(source, indent=3), json.dumps(first.normalised()))
        ]
        assert all(p.same_as(first) and p.version == first.version for p in again)
        assert [p.statements for p in again[:3]] == [first.statements] * 3
        assert again[3].normalised() == first.normalised()
        for request in requests:
            allowing = [Policy.parse({"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})] if kind is PolicyKind.RESOURCE else []
            sides = [([p], []) if kind is PolicyKind.IDENTITY else (allowing, [p]) for p in (first, *again)]
            assert len({outcome(request, *side) for side in sides}) == 1


@few
@given(IDENTITY, MANY, st.randoms(use_true_random=False))
def test_the_order_of_statements_never_matters(source: dict[str, Any], requests: list[Request], random: Any) -> None:
    """A-04; and so with the order of keys, and of what is listed (A-19)."""
    body = source["Statement"] if isinstance(source["Statement"], list) else [source["Statement"]]
    mixed = []
    for statement in random.sample(body, len(body)):
        keys = random.sample(list(statement), len(statement))
        mixed.append({k: random.sample(v, len(v)) if isinstance(v := statement[k], list) else v for k in keys})
    first, other = Policy.parse(source), Policy.parse({**source, "Statement": mixed})
    for request in requests:
        assert outcome(request, [first]) == outcome(request, [other])


@few
@given(IDENTITY, MANY)
def test_one_document_or_a_document_for_each_statement(source: dict[str, Any], requests: list[Request]) -> None:
    """D-02: the statements of all documents are one set."""
    body = source["Statement"] if isinstance(source["Statement"], list) else [source["Statement"]]
    apart = [Policy.parse({**source, "Statement": statement}) for statement in body]
    for request in requests:
        assert outcome(request, [Policy.parse(source)]) == outcome(request, apart)
        assert outcome(request, [Policy.parse(source)]) == outcome(request, [*reversed(apart), *apart])


@few
@given(IDENTITY, RESOURCE, STATEMENTS, MANY)
def test_one_more_deny_never_allows(source: dict[str, Any], resource: dict[str, Any], denied: dict[str, Any], requests: list[Request]) -> None:
    """D.1 step 1: in the same document, in another, or in the resource's policy; what was denied explicitly stays so."""
    denied = {**denied, "Effect": "Deny"}
    body = source["Statement"] if isinstance(source["Statement"], list) else [source["Statement"]]
    before, bucket = Policy.parse(source), Policy.parse(resource, kind=PolicyKind.RESOURCE)
    inside = Policy.parse({**source, "Statement": [*body, denied]})
    beside = Policy.parse({"Version": "2012-10-17", "Statement": denied})
    there = Policy.parse({"Version": "2012-10-17", "Statement": {**denied, "Principal": "*"}}, kind=PolicyKind.RESOURCE)
    for request in requests:
        was = outcome(request, [before], [bucket])
        for now in (
            outcome(request, [inside], [bucket]), outcome(request, [before, beside], [bucket]), outcome(request, [before], [bucket, there])
        ):  # fmt: skip
            assert now != "allow" or was == "allow"
            assert was != "explicit_deny" or now == "explicit_deny"


@few
@given(IDENTITY, STATEMENTS, MANY)
def test_one_more_allow_never_denies(source: dict[str, Any], allowed: dict[str, Any], requests: list[Request]) -> None:
    """D.1 step 5: in an identity policy."""
    beside = Policy.parse({"Version": "2012-10-17", "Statement": {**allowed, "Effect": "Allow"}})
    for request in requests:
        was, now = outcome(request, [Policy.parse(source)]), outcome(request, [Policy.parse(source), beside])
        assert was != "allow" or now == "allow"
        assert (was == "explicit_deny") == (now == "explicit_deny")


@few
@given(documents(STATEMENTS))
def test_what_writing_takes_reading_takes(source: dict[str, Any]) -> None:
    """A-03: AWS's write calls are stricter than what is read, never wider."""
    written = check_policy({**source, "Version": "2012-10-17"})
    assert written.statements == Policy.parse({**source, "Version": "2012-10-17"}).statements


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(["Allow", "*", "s3:*", "2012-10-17"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["Version", "Statement", "Effect", "Action", "Resource", "Principal", "Condition", "AWS", "Sid", "Id", "Bool", "x", ""]),
            inner, max_size=4,
        ),
    ),
    max_leaves=12,
)  # fmt: skip


@few
@given(JSON, st.sampled_from(list(PolicyKind)), st.booleans())
def test_anything_is_a_policy_or_a_policy_error(value: Any, kind: PolicyKind, writing: bool) -> None:
    """A-01: no other exception, whatever JSON comes; and every error has its place."""
    _parse_or_refuse(json.dumps(value), kind, writing)


@few
@given(st.one_of(st.binary(max_size=60), st.text(alphabet='{}[]",:\\ \n\u00e9\ud800aS0.eE-', max_size=60)), st.sampled_from(list(PolicyKind)))
def test_any_text_is_a_policy_or_a_policy_error(text: Any, kind: PolicyKind) -> None:
    """A-01."""
    _parse_or_refuse(text, kind, False)


def _parse_or_refuse(text: Any, kind: PolicyKind, writing: bool) -> None:
    try:
        policy = check_policy(text, kind) if writing else Policy.parse(text, kind=kind)
    except PolicyError as error:
        assert error.place is not None and error.place.line is not None and error.place.column is not None
        assert error.message
    else:
        assert policy.statements
