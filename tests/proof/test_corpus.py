"""Published policies: AWS's managed ones and an analysis benchmark's. For each, prove's region against decide on sampled requests.

What prove calls unknown is counted by reason, and stays rare.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import Authorizer, Layers, Policy, PolicyKind, Request, SekishoError
from sekisho.proof import prove

ROOT = Path(__file__).parents[2]
DATA = next((p for p in (ROOT / "tests/data/policies", ROOT.parent / "shared/data/policies") if p.is_dir()), None)
USER = "arn:aws:iam::111122223333:user/alice"
ODD = ["", "true", "false", "203.0.113.5", "2001:db8::1", "10", "2026-01-01T00:00:00Z", "arn:aws:iam::111122223333:role/x", "other"]


def documents(name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    assert DATA is not None
    with gzip.open(DATA / name, "rt", encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield entry["name"], entry["document"]


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def filled(pattern: str) -> str:
    return re.sub(r"\$\{[^}]*\}", "alice", pattern).replace("*", "x").replace("?", "y")


def questions(document: dict[str, Any], rng: random.Random) -> Iterator[tuple[str, str]]:
    """An action and a resource of each of a few statements, and one that no statement is likely to name."""
    blocks = listed(document["Statement"])
    for block in rng.sample(blocks, min(3, len(blocks))):
        action = filled(rng.choice(listed(block.get("Action", "ec2:DescribeInstances"))))
        resource = rng.choice(listed(block.get("Resource", "*")))
        if ":" in action:
            yield action, resource if resource == "*" else filled(resource)
    yield "ec2:DescribeInstances", "*"


def contexts(document: dict[str, Any], rng: random.Random, count: int) -> Iterator[dict[str, Any]]:
    """Values from the policy's own conditions, filled in, cut short, in other letters; odd ones; none."""
    pools: dict[str, list[str]] = {}
    for block in listed(document["Statement"]):
        for keys in block.get("Condition", {}).values():
            for key, values in keys.items():
                pools.setdefault(key.lower(), []).extend(str(v) for v in listed(values))
        for text in re.findall(r"\$\{([^},]+)", json.dumps(block)):
            pools.setdefault(text.strip().lower(), []).append("alice")
    for _ in range(count):
        made: dict[str, Any] = {}
        for key, values in pools.items():
            if key == "aws:epochtime" or rng.random() < 0.25:
                continue
            value = rng.choice((rng.choice(values), filled(rng.choice(values)), rng.choice(values)[:-1], rng.choice(values).upper(), rng.choice(ODD)))
            made[key] = rng.sample([value, rng.choice(ODD), rng.choice(values)], rng.randint(1, 3)) if rng.random() < 0.15 else value
        yield made


@pytest.mark.skipif(DATA is None, reason="the published policies aren't here")
@pytest.mark.parametrize("name", ["aws-managed-half.jsonl.gz", "quacky-half.jsonl.gz"])
def test_published_policies(name: str, record_property: Callable[[str, object], None]) -> None:
    rng = random.Random(name)
    seen: Counter[str] = Counter()
    whole = bool(os.environ.get("SEKISHO_EXAMPLES")) or name.startswith("quacky")
    for number, (policy_name, document) in enumerate(documents(name)):
        if not whole and number % 4:
            continue  # a quarter of AWS's in every run, all of them with `make fuzz`
        names_principals = any("Principal" in b or "NotPrincipal" in b for b in listed(document["Statement"]))
        try:
            policy = Policy.parse(document, kind=PolicyKind.RESOURCE if names_principals else PolicyKind.IDENTITY, name=policy_name)
        except SekishoError:
            seen["no policy (AWS would refuse it)"] += 1
            continue
        layers = Layers(resource=(policy,)) if names_principals else Layers(identity=(policy,))
        authorizer = Authorizer(layers)
        for action, resource in questions(document, rng):
            question = authorizer.question(Request(USER, action, resource))
            proof = prove(question)
            for made in contexts(document, rng, 12):
                given = {k: v for k, v in made.items() if k not in question.facts}
                request = Request(USER, action, resource, given)
                if authorizer.question(request) is not question:
                    continue
                decided = authorizer.decide_anew(request)
                found = proof.allows(request.context)
                seen["pairs"] += 1
                seen[decided.outcome] += 1
                if found is None:
                    seen["unknown: " + re.sub(r"^\S+ ", "KEY ", proof.reasons[0])] += 1
                else:
                    assert found == decided.allowed, (policy_name, action, resource, given, decided)
    record_property("corpus", {f"{name.partition('-half')[0]}: {what}": count for what, count in seen.items()})
    assert seen["pairs"] > 3000
    assert sum(count for what, count in seen.items() if what.startswith("unknown:")) < seen["pairs"] / 50
    assert min(seen["allow"], seen["implicit_deny"]) > 300
