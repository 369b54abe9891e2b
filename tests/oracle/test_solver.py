"""prove against z3: the same questions, encoded by another hand from the JSON documents, must have the same answers.

Whether anything is allowed at all, whether prove's witness is one for z3, whether z3's is one for prove and decide, and random contexts.
What the encoding doesn't cover, what z3 gives up on and what prove calls unknown is counted; disagreements there must be none.
"""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import z3

from generate import ALICE, BOB, A, Case, case, context
from oracle.encoding import ALWAYS, Encoding, NotExpressible, context_of, fixed_by
from sekisho import decide
from sekisho.proof import NO_SESSION_TAGS, Proof, Region, prove

CASES = int(os.environ.get("SEKISHO_SOLVER_CASES", "1200"))
SHARDS = 2


def plain(proof: Proof) -> Region:
    """What the encoding has values for: one value of the key's kind, or none."""
    space = proof.allowed.space
    region = space.everything()
    for axis in space.axes:
        for key in axis.keys:
            always = key in ALWAYS
            region &= space.where(
                key,
                lambda atom, always=always: (
                    not always if atom.kind == "absent" else atom.kind == "sent" and all(isinstance(v, str) for v in atom.context.values())
                ),
            )
    return region


def told(made: Case, more: Any) -> str:
    return json.dumps({"caller": made.caller, "action": made.action, "resource": made.resource, "documents": made.documents, "asked": more}, indent=1)


def compare(made: Case, rng: random.Random) -> str:
    """One case; what came of it. Fails on a disagreement."""
    name = made.caller.rpartition("/")[2]
    facts = {"aws:username": name, "aws:principalarn": made.caller}
    if made.action.startswith("iam:"):
        facts["aws:requestedregion"] = "us-east-1"  # E-05
    encoding = Encoding(made.caller, A, made.action, made.resource, facts)
    parts = made.resource.split(":")
    owner = parts[4] if len(parts) > 5 and parts[4] else A
    try:
        allowed = encoding.decision(made.documents, same_account=owner == A, needs_trust=made.action == "sts:AssumeRole")
    except NotExpressible as error:
        return f"not expressible: {error}"
    if made.action == "sts:AssumeRole" and any(k.startswith("aws:requesttag/") for k in encoding.there):
        return "not expressible: session tags (D-26)"
    solver = z3.Solver()
    solver.set("timeout", 3000)
    solver.add(encoding.real, allowed)
    verdict = solver.check()
    if verdict == z3.unknown:
        return "z3 gave up"
    layers = made.layers
    proof = prove(made.request({}), layers, given=NO_SESSION_TAGS)
    if proof.unknown:
        return "unknown to prove: " + proof.reasons[0].partition(":")[0][:60]
    region = proof.allowed & plain(proof)
    assert region.is_empty == (verdict == z3.unsat), told(made, str(verdict))
    witness = region.witness()
    if witness is not None:
        found = {k: v for k, v in witness.items() if k in encoding.there}
        checked = z3.Solver()
        checked.set("timeout", 3000)
        checked.add(allowed, fixed_by(encoding, found))
        assert checked.check() != z3.unsat, told(made, found)
        theirs = context_of(encoding, solver.model())
        assert theirs in proof.allowed, told(made, theirs)
        assert decide(made.request(theirs), layers).allowed, told(made, theirs)
    for _ in range(4):
        asked = {k.lower(): v for k, v in context(rng, made, overrides=False).items() if k.lower() not in facts}
        asked = {"aws:viaawsservice": "false", "aws:securetransport": "true", **asked}  # E-01: on every request
        try:
            fixing = fixed_by(encoding, asked)
        except NotExpressible:
            continue
        if any(v == "" for v in asked.values()) or any(k.startswith(("aws:requesttag/", "aws:tagkeys")) for k in asked):
            continue
        checked = z3.Solver()
        checked.set("timeout", 3000)
        checked.add(allowed, fixing)
        verdict = checked.check()
        if verdict != z3.unknown:
            assert (verdict == z3.sat) == proof.allowed.contains(asked), told(made, asked)
    return "agreed: something is allowed" if witness is not None else "agreed: nothing is allowed"


@pytest.mark.parametrize("shard", range(SHARDS))
def test_the_solver_agrees(shard: int, record_property: Callable[[str, object], None]) -> None:
    rng = random.Random(1000 + shard)
    seen: Counter[str] = Counter()
    while sum(seen.values()) < CASES // SHARDS:
        made = case(rng)
        made.caller = rng.choice((ALICE, BOB))
        made.documents.pop("session", None)
        seen[compare(made, rng)] += 1
    record_property("solver", dict(seen))
    agreed = sum(count for what, count in seen.items() if what.startswith("agreed"))
    assert agreed > sum(seen.values()) / 4
    assert min(seen["agreed: something is allowed"], seen["agreed: nothing is allowed"]) > agreed / 20
