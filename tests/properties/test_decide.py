"""What must hold of any decision: order doesn't matter, a Deny never allows, an Allow never denies, memory says what a fresh look says."""

from __future__ import annotations

import copy
import os
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from generate import Case, case, context
from sekisho import Authorizer, Decision, decide

EXAMPLES = int(os.environ.get("SEKISHO_EXAMPLES", "150"))
ASKED = 5
"""Requests asked of each generated set of policies."""

several = settings(max_examples=EXAMPLES, deadline=None)
seeds = st.integers(0, 2**32)


def drawn(seed: int) -> tuple[random.Random, Case, list[dict[str, Any]]]:
    rng = random.Random(seed)
    made = case(rng)
    return rng, made, [context(rng, made) for _ in range(ASKED)]


def changed(made: Case, documents: dict[str, Any]) -> Case:
    return Case(made.caller, made.action, made.resource, documents)


def documents_in(made: Case, layer: str) -> Iterator[dict[str, Any]]:
    for entry in made.documents[layer]:
        yield from entry if isinstance(entry, list) else [entry]


def asked(made: Case, contexts: list[dict[str, Any]]) -> list[Decision]:
    layers = made.layers
    return [decide(made.request(c), layers) for c in contexts]


def a_statement(rng: random.Random, made: Case, layer: str, effect: str) -> dict[str, Any]:
    """A statement for a layer: all of it, or one taken from another case, with or without its conditions."""
    block: dict[str, Any] = {"Effect": effect, "Action": "sts:*" if is_trust(made, layer) else "*"}
    if layer in ("resource", "vpc_endpoint", "resource_control"):
        block["Principal"] = "*"
    if not is_trust(made, layer):
        block["Resource"] = rng.choice(("*", made.resource))
    if rng.random() < 0.7:
        conditions = [s["Condition"] for other in made.documents for d in documents_in(made, other) for s in d["Statement"] if "Condition" in s]
        if conditions:
            block["Condition"] = rng.choice(conditions)
    return block


def is_trust(made: Case, layer: str) -> bool:
    return layer == "resource" and made.action.startswith("sts:Assume")


@several
@given(seeds)
def test_the_order_of_statements_policies_and_levels_changes_nothing(seed: int) -> None:
    """A-04, D.1: the outcome and the layer that AWS names stay; so do the statements that decided, but for their order and number."""
    rng, made, contexts = drawn(seed)
    documents = copy.deepcopy(made.documents)
    for layer, entries in documents.items():
        rng.shuffle(entries)
        for document in documents_in(changed(made, documents), layer):
            rng.shuffle(document["Statement"])
    for before, after in zip(asked(made, contexts), asked(changed(made, documents), contexts), strict=True):
        assert (before.outcome, before.layer, before.message) == (after.outcome, after.layer, after.message)
        assert len(before.because) == len(after.because)
        assert len(before.misses) == len(after.misses)


@several
@given(seeds)
def test_one_more_deny_never_allows(seed: int) -> None:
    rng, made, contexts = drawn(seed)
    documents = copy.deepcopy(made.documents)
    layer = rng.choice(sorted(documents))
    document = rng.choice(list(documents_in(changed(made, documents), layer)))
    document["Statement"].append(a_statement(rng, made, layer, "Deny"))
    for before, after in zip(asked(made, contexts), asked(changed(made, documents), contexts), strict=True):
        assert before.allowed or not after.allowed
        assert before.outcome != "explicit_deny" or after.outcome == "explicit_deny"


@several
@given(seeds)
def test_one_more_allow_never_denies(seed: int) -> None:
    """In a policy that is there already; of RCPs there is only one Allow, RCPFullAWSAccess, which is always there (D.1)."""
    rng, made, contexts = drawn(seed)
    documents = copy.deepcopy(made.documents)
    layer = rng.choice(sorted(documents.keys() - {"resource_control"}))
    document = rng.choice(list(documents_in(changed(made, documents), layer)))
    document["Statement"].append(a_statement(rng, made, layer, "Allow"))
    for before, after in zip(asked(made, contexts), asked(changed(made, documents), contexts), strict=True):
        assert not before.allowed or after.allowed
        assert (before.outcome == "explicit_deny") == (after.outcome == "explicit_deny")


@several
@given(seeds)
def test_what_is_remembered_is_what_a_fresh_look_says(seed: int) -> None:
    rng, made, contexts = drawn(seed)
    layers = made.layers
    authorizer = Authorizer(layers)
    again = [*contexts, *contexts]
    rng.shuffle(again)
    for one in again:
        kept, fresh = authorizer.decide(made.request(one)), decide(made.request(one), layers)
        assert kept == fresh
        assert (kept.outcome, kept.layer, kept.message, kept.because) == (fresh.outcome, fresh.layer, fresh.message, fresh.because)
        assert [str(m) for m in kept.misses] == [str(m) for m in fresh.misses]
        assert kept.context == fresh.context
        assert kept.unknown_because == fresh.unknown_because


@several
@given(seeds)
def test_a_key_that_no_policy_names_and_letter_case_change_nothing(seed: int) -> None:
    """C-03."""
    _, made, contexts = drawn(seed)
    spelled = [{"Nobody:Asks": "x", **{k.upper(): v for k, v in c.items()}} for c in contexts]
    for before, after in zip(asked(made, contexts), asked(made, spelled), strict=True):
        assert (before.outcome, before.layer, before.message) == (after.outcome, after.layer, after.message)


@several
@given(seeds)
def test_a_decision_explains_itself(seed: int) -> None:
    """An allow has no message and no Deny among its reasons; a denial has a text, and an explicit one names a Deny of the layer it names."""
    _, made, contexts = drawn(seed)
    for decision in asked(made, contexts):
        effects = {b.block.effect for b in decision.because if b.block is not None}
        if decision.allowed:
            assert (decision.message, decision.layer) == ("", None)
            assert effects <= {"Allow"}
            continue
        assert decision.message and decision.layer
        if decision.outcome == "explicit_deny":
            assert effects == {"Deny"} and decision.because[0].layer == decision.layer
        elif decision.outcome == "implicit_deny":
            assert [b.layer for b in decision.because] == [decision.layer] and not effects
        else:
            assert decision.unknown_because
