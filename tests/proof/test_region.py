"""Regions: the algebra, what is printed, edges, and what happens when cells multiply."""

from __future__ import annotations

import ipaddress
import itertools
import random
import resource
import time
from typing import Any

import pytest

from sekisho import Authorizer, Layers, Policy, Request, prove
from sekisho.proof import Region, region_where

USER = "arn:aws:iam::111122223333:user/alice"
OFFICE = {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
VPC = {"StringEquals": {"aws:SourceVpc": ["vpc-1", "vpc-2"]}}
LATER = {"DateGreaterThan": {"aws:CurrentTime": "2026-01-01T00:00:00Z"}}
BLOCKS: list[dict[str, Any]] = [
    OFFICE, MFA, VPC, LATER, {**OFFICE, **MFA}, {"NotIpAddress": {"aws:SourceIp": ["203.0.113.128/25", "2001:db8::/32"]}},
    {"StringLike": {"aws:SourceVpc": "vpc-*"}}, {"StringNotLikeIfExists": {"aws:SourceVpc": "*1"}}, {"Null": {"aws:SourceIp": "true"}},
    {"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, {"ForAnyValue:StringEquals": {"aws:TagKeys": ["a", "b"]}},
    {"ForAllValues:StringLike": {"aws:TagKeys": "a*"}}, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
]  # fmt: skip


def some_contexts() -> list[dict[str, Any]]:
    rng = random.Random(3)
    pools: dict[str, list[Any]] = {
        "aws:SourceIp": ["203.0.113.0", "203.0.113.255", "203.0.114.0", "203.0.112.255", "2001:db8::1", "203.0.113.127", "203.0.113.128", "x"],
        "aws:MultiFactorAuthPresent": ["true", "false", "TRUE"],
        "aws:SourceVpc": ["vpc-1", "vpc-2", "vpc-11", "other", ""],
        "aws:CurrentTime": ["2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "2025-12-31"],
        "aws:MultiFactorAuthAge": ["0", "3599", "3600"],
        "aws:TagKeys": [["a"], ["ab", "a"], ["c"], ["a", "c"], "a"],
    }
    return [{k: rng.choice(v) for k, v in pools.items() if rng.random() < 0.6} for _ in range(150)]


CONTEXTS = some_contexts()


def inside(region: Region) -> list[bool]:
    return [context in region for context in CONTEXTS]


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations_with_replacement(range(len(BLOCKS)), 2)))
def test_the_algebra_is_that_of_sets(first: int, second: int) -> None:
    a, b = region_where(BLOCKS[first]), region_where(BLOCKS[second])
    in_a, in_b = inside(a), inside(b)
    assert inside(a | b) == [x or y for x, y in zip(in_a, in_b, strict=True)]
    assert inside(a & b) == [x and y for x, y in zip(in_a, in_b, strict=True)]
    assert inside(a - b) == [x and not y for x, y in zip(in_a, in_b, strict=True)]
    assert inside(~a) == [not x for x in in_a]
    assert (a - b) | (a & b) == a
    assert ~(a | b) == ~a & ~b
    assert (a & b) <= a <= (a | b)
    assert a.meets(b) == bool(a & b)
    assert (a - a).is_empty and (a | ~a).is_everything


@pytest.mark.parametrize("block", BLOCKS)
def test_a_witness_is_inside_and_changes_lead_in(block: dict[str, Any]) -> None:
    region = region_where(block)
    witness = region.witness()
    assert witness is not None and witness in region
    assert (region - region).witness() is None
    for context in CONTEXTS:
        changes = region.changes(context)
        assert changes is not None
        assert bool(changes) != (context in region)
        changed = {k.lower(): v for k, v in context.items()} | changes
        assert {k: v for k, v in changed.items() if v is not None} in region


def test_boxes_are_disjoint_and_whole() -> None:
    region = region_where({**OFFICE, **MFA}) | region_where(VPC) | region_where(LATER)
    boxes = region.boxes()
    assert len(boxes) > 1
    space = region.space
    for one, two in itertools.combinations(boxes, 2):
        assert any(not one.get(name, -1) & two.get(name, -1) for name in one.keys() & two.keys())
    for context in CONTEXTS:
        seen = space.seen(context)
        assert seen is not None
        hit = [all(mask >> space.axes[space.level_of[name]].atom_of(seen) & 1 for name, mask in box.items()) for box in boxes]
        assert any(hit) == (context in region)


def test_what_is_printed() -> None:
    shown = region_where({"NotIpAddress": {"aws:SourceIp": ["128.0.0.0/1"]}, **MFA}).to_json()
    assert shown == [
        {
            "aws:SourceIp": {"cidrs": ["0.0.0.0/1", "::/0"], "absent": True},
            "aws:MultiFactorAuthPresent": {"values": ["true"], "absent": False},
        }
    ]
    neighbours = region_where({"IpAddress": {"aws:SourceIp": ["203.0.113.0/25", "203.0.113.128/25", "2001:db8::/33", "2001:db8:8000::/33"]}})
    assert neighbours.to_json()[0]["aws:SourceIp"]["cidrs"] == ["203.0.113.0/24", "2001:db8::/32"]
    times = region_where({"DateGreaterThanEquals": {"aws:CurrentTime": "2026-01-01"}, "DateLessThan": {"aws:CurrentTime": "2027-01-01"}})
    assert times.to_json()[0]["aws:CurrentTime"]["ranges"] == [{"at_least": "2026-01-01T00:00:00Z", "below": "2027-01-01T00:00:00Z"}]
    assert region_where({}).to_json() == [{}]
    assert (region_where(MFA) - region_where(MFA)).to_json() == []


@pytest.mark.parametrize("seed", range(5))
def test_every_edge_of_every_network(seed: int) -> None:
    """D.6, step 6: each end of each network, and its neighbours, decided and looked up."""
    rng = random.Random(seed)

    def networks(count: int) -> list[str]:
        found = [str(ipaddress.ip_network((rng.getrandbits(32), rng.randint(8, 32)), strict=False)) for _ in range(count)]
        return [*found, *(str(ipaddress.ip_network((rng.getrandbits(128), rng.randint(16, 128)), strict=False)) for _ in range(count // 2)), "::/0"]

    blocks = [
        {"Effect": rng.choice(("Allow", "Allow", "Deny")), "Action": "*", "Resource": "*",
         "Condition": {rng.choice(("IpAddress", "NotIpAddress", "NotIpAddressIfExists")): {"aws:SourceIp": networks(8)}}}
        for _ in range(5)
    ]  # fmt: skip
    layers = Layers(identity=(Policy.parse({"Version": "2012-10-17", "Statement": blocks}),))
    region = prove(Request(USER, "s3:GetObject", "arn:aws:s3:::b/k"), layers).allowed
    authorizer = Authorizer(layers)
    asked = 0
    for block in blocks:
        for text in next(iter(block["Condition"].values()))["aws:SourceIp"]:
            network = ipaddress.ip_network(text)
            for at in (int(network[0]), int(network[-1])):
                for near in (at - 1, at, at + 1):
                    if 0 <= near < 1 << network.max_prefixlen:
                        context = {"aws:SourceIp": str(type(network[0])(near))}
                        decided = authorizer.decide_anew(Request(USER, "s3:GetObject", "arn:aws:s3:::b/k", context)).allowed
                        assert decided == (context in region), context
                        asked += 1
    assert asked > 200


def exploding(kind: str, statements: int) -> Layers:
    """40 keys with 40 values each, all mixed."""
    rng = random.Random(1)
    blocks = []
    for i in range(statements):
        condition: dict[str, dict[str, Any]] = {}
        for key in rng.sample(range(40), 40 if kind == "all keys" else 6):
            values = rng.sample([f"v{j}" for j in range(40)], 5)
            if kind == "patterns":
                condition.setdefault("StringLike", {})[f"app:k{key}"] = [f"*{v}*" for v in values[:2]]
            elif kind == "sets":
                condition.setdefault("ForAnyValue:StringEquals", {})[f"app:k{key}"] = values
            else:
                condition.setdefault(rng.choice(("StringEquals", "StringNotEquals")), {})[f"app:k{key}"] = values
        blocks.append({"Effect": "Allow" if i % 2 else "Deny", "Action": "*", "Resource": "*", "Condition": condition})
    return Layers(identity=(Policy.parse({"Version": "2012-10-17", "Statement": blocks}),))


@pytest.mark.parametrize(("kind", "statements"), [("values", 60), ("patterns", 60), ("sets", 60), ("all keys", 40)])
def test_cells_that_multiply_end_in_an_honest_answer(kind: str, statements: int) -> None:
    layers = exploding(kind, statements)
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    proof = prove(Request(USER, "s3:GetObject", "arn:aws:s3:::b/k"), layers)
    assert time.process_time() - started < 10
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # kB
    if proof.unknown:
        assert "app:k" in " ".join(proof.reasons)
    authorizer = Authorizer(layers)
    rng = random.Random(2)
    for _ in range(100):
        context: dict[str, Any] = {f"app:k{k}": f"v{rng.randrange(40)}" for k in range(40) if rng.random() < 0.9}
        decided = authorizer.decide_anew(Request(USER, "s3:GetObject", "arn:aws:s3:::b/k", context)).allowed
        assert proof.allows(context) in (decided, None)
