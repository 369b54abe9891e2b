"""Random policies and requests: one generator for decide = prove, for the solver, and for the benchmarks. The same seed, the same cases.

Values come from small pools, so that policies and requests meet often: networks and their edges ± 1, numbers and their neighbours, strings
that patterns just match and just don't.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sekisho import Layers, Policy, PolicyKind, Request

A, B = "111111111111", "222222222222"
ALICE, BOB = f"arn:aws:iam::{A}:user/alice", f"arn:aws:iam::{A}:user/team/bob"
DEV, OPS = f"arn:aws:iam::{A}:role/Dev", f"arn:aws:iam::{B}:role/team/Ops"
CALLERS = (
    ALICE, ALICE, BOB, f"arn:aws:sts::{A}:assumed-role/Dev/alice", f"arn:aws:sts::{B}:assumed-role/Ops/bob", f"arn:aws:iam::{A}:root",
    f"arn:aws:sts::{A}:federated-user/fed", "ec2.amazonaws.com", "anonymous",
)  # fmt: skip
TARGETS = (
    ("sts:AssumeRole", OPS), ("sts:AssumeRole", OPS), ("sts:AssumeRole", DEV), ("s3:GetObject", "arn:aws:s3:::bucket/home/alice/a"),
    ("iam:CreateAccessKey", ALICE), ("iam:CreateAccessKey", BOB), ("ec2:DescribeInstances", "*"), ("sqs:SendMessage", f"arn:aws:sqs:eu-west-1:{B}:q"),
)  # fmt: skip

_NETWORKS = (
    "203.0.113.0/24", "203.0.113.0/25", "203.0.113.10/32", "198.51.100.7", "198.51.100.0/24", "0.0.0.0/0", "2001:db8::/32", "2001:db8:10::/48",
    "::/0", "203.0.113.9/24", "not a network", "::ffff:203.0.113.0/120", "10.0.0.0/8",
)  # fmt: skip
_ADDRESSES = (
    "203.0.113.0", "203.0.112.255", "203.0.113.9", "203.0.113.10", "203.0.113.11", "203.0.113.127", "203.0.113.128", "203.0.113.255", "203.0.114.0",
    "198.51.100.7", "198.51.100.8", "192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "2001:db8:10::", "2001:db8:f::ffff", "2001:DB8:10:0::5",
    "::ffff:203.0.113.10", "2001:db9::", "::1", "10.1.2.3", "not an address", "",
)  # fmt: skip
_NUMBERS = ("0", "1", "3600", "3600.0", "1e1", "10", "9.99", "-0.5", "007", "many", "")
_DATES = (
    "2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01T09:00:00+09:00", "2025-12-31T23:59:59Z", "1767225600", "1767225601", "2026", "2026-06-15T12:30Z",
    "2030-01-01T00:00:00.5Z", "yesterday",
)  # fmt: skip
_TEXTS = ("team-a", "team-b", "team", "Team-A", "alice", "bob", "a", "", "x*y", "us-east-1", "eu-west-1", "true", "*")
_PATTERNS = (
    "team-*",
    "team-?",
    "*a*",
    "*",
    "?",
    "",
    "us-*",
    "alice",
    "x*y",
    "${aws:username}",
    "${aws:username}-*",
    "team-${aws:PrincipalTag/team, 'b'}",
)
_ARNS = (
    ALICE, BOB, DEV, OPS, f"arn:aws:iam::{A}:user/*", f"arn:aws:iam::{A}:role/Dev", "arn:aws:iam::*:user/team/*", "arn:aws:iam::1*1:user/alice", "alice",
    "arn:aws:iam::" + A + ":user/${aws:username}",
)  # fmt: skip
_BOOLS = ("true", "false", "True", "maybe", "")

KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # key: (operators, policy values, request values)
    "aws:SourceIp": (("IpAddress", "NotIpAddress"), _NETWORKS, _ADDRESSES),
    "aws:VpcSourceIp": (("IpAddress", "NotIpAddress"), _NETWORKS, _ADDRESSES),
    "aws:MultiFactorAuthPresent": (("Bool",), _BOOLS, _BOOLS),
    "aws:ViaAWSService": (("Bool",), _BOOLS, _BOOLS),
    "aws:SecureTransport": (("Bool", "StringEquals"), _BOOLS, _BOOLS),
    "aws:MultiFactorAuthAge": (
        ("NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"),
        _NUMBERS, _NUMBERS,
    ),
    "sts:DurationSeconds": (("NumericLessThanEquals", "NumericNotEquals", "NumericEquals"), _NUMBERS, _NUMBERS),
    "aws:CurrentTime": (
        ("DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"), _DATES, _DATES[:-1],
    ),
    "aws:EpochTime": (("DateLessThan", "NumericGreaterThan"), ("1767225600", "1767225601"), ("1767225600", "1767225601", "1767225602", "2000000000")),
    "aws:TokenIssueTime": (("DateLessThan", "DateGreaterThanEquals", "DateNotEquals"), _DATES, _DATES),
    "aws:SourceVpc": (("StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase"), ("vpc-1", "vpc-2", "VPC-1"), ("vpc-1", "VPC-1", "vpc-3")),
    "aws:RequestedRegion": (("StringEquals", "StringNotEquals", "StringLike", "StringNotLike"), ("us-east-1", "eu-west-1", "us-*", "*"), ("us-east-1", "us-west-2", "eu-west-1")),
    "sts:ExternalId": (("StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "BinaryEquals"), _TEXTS, _TEXTS),
    "sts:RoleSessionName": (("StringEquals", "StringLike", "StringNotLike", "StringNotEquals"), _PATTERNS, _TEXTS),
    "aws:PrincipalTag/team": (("StringEquals", "StringLike", "StringNotEquals"), _TEXTS, _TEXTS),
    "aws:RequestTag/team": (("StringEquals", "StringLike", "StringNotEqualsIgnoreCase"), _TEXTS, _TEXTS),
    "aws:PrincipalArn": (("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike", "StringEquals", "StringLike"), _ARNS, _ARNS[:4]),
    "aws:SourceArn": (("ArnEquals", "ArnLike", "ArnNotEquals", "ArnNotLike"), _ARNS, _ARNS),
    "aws:username": (("StringEquals", "StringLike", "StringNotEquals"), ("alice", "bob", "a*"), ("alice", "bob")),
    "aws:TagKeys": (("StringEquals", "StringLike", "StringNotLike", "StringNotEquals"), _TEXTS, _TEXTS),
    "aws:CalledVia": (("StringEquals", "StringNotEquals"), ("cloudformation.amazonaws.com", "dynamodb.amazonaws.com"), ("cloudformation.amazonaws.com", "athena.amazonaws.com")),
    "custom:key": (("StringLike", "NumericLessThan", "Bool", "StringEquals"), (*_TEXTS, "10"), (*_TEXTS, "10", "9")),
}  # fmt: skip
_MANY = ("aws:TagKeys", "aws:CalledVia")
_SPELLED = tuple(KEYS)


@dataclass
class Case:
    """Documents by layer, and a caller, an action and a resource; ``requests`` come out of ``contexts``."""

    caller: str
    action: str
    resource: str
    documents: dict[str, Any]
    operators: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)

    def _parsed(self, layer: str, documents: list[Any]) -> tuple[Policy, ...]:
        kind = PolicyKind.TRUST if layer == "resource" and self.action.startswith("sts:Assume") else PolicyKind(layer)
        return tuple(Policy.parse(d, kind=kind, name=f"{layer}-{i}") for i, d in enumerate(documents))

    @property
    def layers(self) -> Layers:
        def limit(layer: str) -> tuple[Policy, ...] | None:
            return self._parsed(layer, self.documents[layer]) if layer in self.documents else None

        def levels(layer: str) -> tuple[tuple[Policy, ...], ...] | None:
            return tuple(self._parsed(layer, level) for level in self.documents[layer]) if layer in self.documents else None

        return Layers(
            limit("identity") or (), limit("boundary"), limit("session"), limit("resource") or (), levels("service_control"),
            levels("resource_control"), limit("vpc_endpoint"),
        )  # fmt: skip

    def request(self, context: dict[str, Any]) -> Request:
        return Request(self.caller, self.action, self.resource, context)


def cases(seed: int) -> Iterator[Case]:
    """Cases without end."""
    rng = random.Random(seed)
    while True:
        yield case(rng)


def case(rng: random.Random) -> Case:
    caller = rng.choice(CALLERS)
    action, resource = rng.choice(TARGETS)
    made = Case(caller, action, resource, {})
    keys = rng.sample(_SPELLED, rng.randint(1, 4))
    # Enough is allowed for conditions to matter: most layers that are set have a plain Allow half of the time.
    documents = made.documents
    documents["identity"] = [_document(rng, made, keys, principals=False, resources=True) for _ in range(rng.randint(1, 2))]
    if action.startswith("sts:Assume") or rng.random() < 0.5:
        documents["resource"] = [_document(rng, made, keys, principals=True, resources=not action.startswith("sts:Assume"))]
    if rng.random() < 0.25:
        documents["boundary"] = [_document(rng, made, keys, principals=False, resources=True)]
    if ":assumed-role/" in caller and rng.random() < 0.4:
        documents["session"] = [_document(rng, made, keys, principals=False, resources=True)]
    if ":federated-user/" in caller and rng.random() < 0.8:
        documents["session"] = [_document(rng, made, keys, principals=False, resources=True)]
    if rng.random() < 0.25:
        documents["service_control"] = [[_document(rng, made, keys, principals=False, resources=True)] for _ in range(rng.randint(1, 2))]
    if rng.random() < 0.2:
        documents["resource_control"] = [[_rcp(rng, made, keys)]]
    if rng.random() < 0.15:
        documents["vpc_endpoint"] = [_document(rng, made, keys, principals=True, resources=True)]
    return made


def _rcp(rng: random.Random, made: Case, keys: list[str]) -> dict[str, Any]:
    block = {"Effect": "Deny", "Principal": "*", "Action": _action(rng, made), "Resource": "*", "Condition": _condition(rng, made, keys)}
    return {"Version": "2012-10-17", "Statement": [block]}


def _document(rng: random.Random, made: Case, keys: list[str], *, principals: bool, resources: bool) -> dict[str, Any]:
    blocks = [_statement(rng, made, keys, principals, resources) for _ in range(rng.choice((1, 2, 2, 3)))]
    if rng.random() < 0.55:
        block: dict[str, Any] = {"Effect": "Allow", "Action": "sts:*" if principals and not resources else "*"}
        if principals:
            block["Principal"] = {"AWS": "*"}
        if resources:
            block["Resource"] = "*"
        blocks.append(block)
    return {"Version": "2012-10-17" if rng.random() < 0.9 else "2008-10-17", "Statement": blocks}


def _action(rng: random.Random, made: Case) -> Any:
    service, _, name = made.action.partition(":")
    return rng.choice(("*", made.action, made.action.lower(), f"{service}:*", [f"{service}:{name[:4]}*", "kms:Decrypt"], "kms:*"))


def _statement(rng: random.Random, made: Case, keys: list[str], principals: bool, resources: bool) -> dict[str, Any]:
    block: dict[str, Any] = {"Effect": "Deny" if rng.random() < 0.3 else "Allow"}
    if principals and not resources:
        block["Action"] = rng.choice(("sts:AssumeRole", "sts:AssumeRole", ["sts:TagSession", "sts:AssumeRole"], "sts:TagSession", "sts:*"))
    else:
        block["NotAction" if rng.random() < 0.12 else "Action"] = _action(rng, made)
    if resources:
        choices = ("*", made.resource, made.resource[:-1] + "*", made.resource.rpartition(":")[0] + ":*" if ":" in made.resource else "*", f"arn:aws:iam::{A}:user/${{aws:username}}",
                   "arn:aws:s3:::bucket/home/${aws:username}/*", "arn:aws:s3:::bucket/home/${aws:PrincipalTag/team}/*")  # fmt: skip
        block["NotResource" if rng.random() < 0.1 else "Resource"] = rng.choice(choices)
    if principals:
        element: Any = rng.choice((
            "*", {"AWS": "*"}, {"AWS": A}, {"AWS": f"arn:aws:iam::{B}:root"}, {"AWS": [ALICE, OPS]}, {"AWS": [BOB, DEV]}, {"AWS": made.caller},
            {"Service": "ec2.amazonaws.com"}, {"AWS": f"arn:aws:sts::{A}:assumed-role/Dev/alice"},
        ))  # fmt: skip
        if element == {"AWS": made.caller} and not made.caller.startswith("arn:"):
            element = "*"
        negated = resources and block["Effect"] == "Deny" and rng.random() < 0.2 and element != "*"
        block["NotPrincipal" if negated else "Principal"] = element
    if rng.random() < 0.8:
        block["Condition"] = _condition(rng, made, keys)
    return block


def _condition(rng: random.Random, made: Case, keys: list[str]) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for _ in range(rng.choice((1, 1, 2, 3))):
        key = rng.choice(keys)
        operators, values, _ = KEYS[key]
        operator = rng.choice(operators)
        if rng.random() < 0.03:
            operator, values = rng.choice((("StringLike", _PATTERNS), ("IpAddress", _NETWORKS), ("NumericLessThan", _NUMBERS)))
        chosen: Any = rng.sample(values, min(len(values), rng.choice((1, 1, 2, 3))))
        if operator.startswith("Date"):
            chosen = [v for v in chosen if v != "yesterday"] or ["2026"]
        if operator.startswith("Numeric"):
            chosen = [v for v in chosen if v] or ["1"]
        if rng.random() < 0.1:
            operator, chosen = "Null", rng.choice(("true", "false"))
        else:
            if rng.random() < 0.15:
                operator += "IfExists"
            if rng.random() < (0.75 if key in _MANY else 0.05):
                operator = rng.choice(("ForAllValues:", "ForAnyValue:")) + operator
        made.operators.add(operator)
        made.keys.add(key)
        spelled = key if rng.random() < 0.9 else key.lower()
        result.setdefault(operator, {})[spelled] = chosen
    return result


def context(rng: random.Random, made: Case, *, overrides: bool = True) -> dict[str, Any]:
    """One request's context: every key that the policies name is there two times of three, and a few that they don't."""
    found: dict[str, Any] = {}
    named = sorted(made.keys | {"aws:PrincipalTag/team"} | ({rng.choice(_SPELLED)} if rng.random() < 0.3 else set()))
    for key in named:
        if key in ("aws:PrincipalArn", "aws:username") and not (overrides and rng.random() < 0.2):
            continue
        if rng.random() < 0.33 or (key == "aws:EpochTime" and "aws:CurrentTime" in found):
            continue
        values = KEYS[key][2]
        if (key in _MANY and rng.random() < 0.85) or rng.random() < 0.03:
            found[key] = rng.sample(values, rng.randint(1, min(3, len(values))))
        else:
            found[key] = rng.choice(values)
    return found
