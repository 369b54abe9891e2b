"""decide(request).allowed == (request in prove(...).allowed), for generated policies and requests; what is unknown is unknown in both."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable

import pytest

from generate import Case, case, context
from sekisho import Authorizer
from sekisho.decision import LAYERS
from sekisho.policy.operators import OPERATORS
from sekisho.proof import VARIED, Proof, prove

PAIRS = int(os.environ.get("SEKISHO_PROVE_PAIRS", "200000"))
FIRST_SEED = int(os.environ.get("SEKISHO_SEED", "1"))
A_CASE = 100
SHARDS = 4


def _told(made: Case, asked: dict[str, object]) -> str:
    return json.dumps(
        {"caller": made.caller, "action": made.action, "resource": made.resource, "documents": made.documents, "context": asked}, indent=1
    )


def check(seed: int, pairs: int) -> Counter[str]:
    """Decide and prove; what was covered is counted."""
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    done = 0
    while done < pairs:
        made = case(rng)
        layers = made.layers
        authorizer = Authorizer(layers)
        proofs: dict[object, Proof] = {}
        hit = [f"operator {name}" for name in made.operators] + [f"layer {name}" for name in made.documents]
        for _ in range(min(A_CASE, pairs - done)):
            asked = context(rng, made)
            request = made.request(asked)
            decision = authorizer.decide_anew(request)
            # A proof is about one caller: a request that says otherwise of what follows from its caller gets a proof of its own.
            stated = authorizer.question(request).facts
            key = (request.question, tuple(sorted((k, v) for k, v in request.context.items() if k in stated and k not in VARIED)))
            proof = proofs.get(key)
            if proof is None:
                proof = proofs[key] = prove(request, layers)
            found = proof.allows(request.context)
            if found is None:
                # A key whose values can't all be listed may be unknown to prove though decide knows this one value: counted, explained.
                seen["unknown to both" if decision.outcome == "unknown" else "unknown to prove alone"] += 1
                assert proof.reasons, _told(made, asked)
            else:
                assert found == decision.allowed and decision.outcome != "unknown", (decision, _told(made, asked))
            seen[f"outcome {decision.outcome}"] += 1
            seen.update(hit)
            done += 1
    seen["pairs"] = done
    return seen


@pytest.mark.parametrize("shard", range(SHARDS))
def test_decide_and_prove_agree(shard: int, record_property: Callable[[str, object], None]) -> None:
    seen = check(FIRST_SEED + shard, PAIRS // SHARDS)
    record_property("coverage", dict(seen))
    assert seen["outcome allow"] > seen["pairs"] / 20
    assert seen["outcome explicit_deny"] > seen["pairs"] / 20
    assert seen["unknown to prove alone"] < seen["pairs"] / 20
    if seen["pairs"] >= 20_000:
        missing = {f"operator {name}" for name in (*OPERATORS, "Null")} - {
            n.replace("IfExists", "").replace("ForAllValues:", "").replace("ForAnyValue:", "") for n in seen
        }
        assert not missing
        assert not {f"layer {name}" for name in LAYERS} - seen.keys()
