"""The scenarios of ``tests/scenarios/conditions``: a condition, request contexts, and the answers of B and C of the rule book."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sekisho import Layers, Policy, Request, decide

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "conditions"


def cases() -> Iterator[dict[str, Any]]:
    """One case for each answer, as ``sekisho decide --cases`` takes it; ``matches`` is what must come out."""
    for file in sorted(SCENARIOS.glob("*.yaml")):
        for scenario in YAML(typ="safe", pure=True).load(file):
            for context, matches in scenario["answers"]:
                yield {
                    "id": f"{scenario['rule']} {scenario['case']}: {json.dumps(context, ensure_ascii=False)}",
                    "condition": scenario["condition"], "context": context, "version": scenario.get("version", "2012-10-17"),
                    "matches": None if matches == "unknown" else matches,
                }  # fmt: skip


CASES = list(cases())


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What the command says of all cases, in one run."""
    lines = "".join(json.dumps({k: v for k, v in case.items() if k != "matches"}) + "\n" for case in CASES)
    run = subprocess.run([sys.executable, "-m", "sekisho.cli", "decide", "--cases", "-"], input=lines.encode(), capture_output=True, check=False)
    assert run.returncode == 0, run.stdout.decode()[-2000:] + run.stderr.decode()[-2000:]
    return {answer["id"]: answer for answer in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_rules(case: dict[str, Any], answers: dict[str, Any]) -> None:
    answer = answers[case["id"]]
    assert answer["matches"] is case["matches"]
    if case["matches"] is None:
        assert answer["unknown"], "an answer that can't be known says why"


@pytest.mark.parametrize("operator", ["IpAddress", "NotIpAddress", "ForAnyValue:IpAddress", "ForAllValues:NotIpAddress"])
def test_what_can_not_be_known_never_allows(operator: str) -> None:
    """D-06, C-34: neither as an Allow nor as a Deny, and the decision says what it doesn't know."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    condition = {operator: {"aws:SourceIp": "::ffff:203.0.113.0/120"}}
    request = Request("arn:aws:iam::111111111111:user/alice", "s3:GetObject", "arn:aws:s3:::b/k", {"aws:SourceIp": "203.0.113.5"})
    for statements in ([{**everything, "Condition": condition}], [everything, {**everything, "Effect": "Deny", "Condition": condition}]):
        decision = decide(request, Layers(identity=(Policy.parse({"Version": "2012-10-17", "Statement": statements}),)))
        assert not decision.allowed
        assert any("::ffff:203.0.113.0/120" in why for why in decision.unknown_because)


def test_ids_are_unique() -> None:
    assert len({case["id"] for case in CASES}) == len(CASES)


BAD = (
    ("A-18 an unknown operator", {"StringMatches": {"k": "v"}}, "Syntax errors in policy."),
    ("A-18 an unknown operator beside a good one", {"StringEquals": {"k": "v"}, "StringIs": {"k": "v"}}, "Syntax errors in policy."),
    ("A-18 an unknown set operator", {"ForSomeValues:StringEquals": {"k": "v"}}, "Syntax errors in policy."),
    ("A-18 IfExists twice", {"StringEqualsIfExistsIfExists": {"k": "v"}}, "Syntax errors in policy."),
    ("A-18 an operator with a space", {"StringEquals ": {"k": "v"}}, "Syntax errors in policy."),
    ("A-18 an operator that only looks like one", {"StringNotEqual": {"k": "v"}}, "Syntax errors in policy."),
    ("C-05 Null takes no IfExists", {"NullIfExists": {"k": "true"}}, "Syntax errors in policy."),
    ("C-13 there is no negated Bool", {"NotBool": {"k": "true"}}, "Syntax errors in policy."),
    ("C-13 nor a BoolNotEquals", {"BoolNotEquals": {"k": "true"}}, "Syntax errors in policy."),
    ("C-14 there is no negated Binary", {"BinaryNotEquals": {"k": "QQ=="}}, "Syntax errors in policy."),
    ("A-18 a bad date", {"DateLessThan": {"k": "tomorrow"}}, "The policy failed legacy parsing"),
    ("C-12 a date out of the calendar", {"DateLessThan": {"k": "2026-02-30"}}, "The policy failed legacy parsing"),
    ("C-12 a date with a wildcard", {"DateLessThan": {"k": "2026-*"}}, "The policy failed legacy parsing"),
    ("C-12 no date before the epoch in seconds", {"DateLessThan": {"k": -5}}, "The policy failed legacy parsing"),
    ("C-12 no date beyond a long", {"DateLessThan": {"k": "9223372036854775808"}}, "The policy failed legacy parsing"),
    ("C-12 no fraction of an epoch second", {"DateLessThan": {"k": "1767225600.5"}}, "The policy failed legacy parsing"),
    ("C-12 a bad date among good ones, IfExists", {"ForAnyValue:DateNotEqualsIfExists": {"k": ["2026", "x"]}}, "The policy failed legacy parsing"),
    ("A-19 a nested object", {"StringEquals": {"k": {"a": "b"}}}, "Syntax errors in policy."),
    ("A-19 a nested list", {"StringEquals": {"k": [["a"]]}}, "Syntax errors in policy."),
    ("A-19 null", {"StringEquals": {"k": None}}, "Syntax errors in policy."),
    ("A-19 null in a list", {"StringEquals": {"k": ["a", None]}}, "Syntax errors in policy."),
    ("A-18 a key without values' object", {"StringEquals": "v"}, "Syntax errors in policy."),
    ("A-18 no object", [], "Syntax errors in policy."),
    ("A-06 a smart quote", {"StringEquals": {"k": "\u201cv\u201d"}}, "Syntax errors in policy."),
)  # fmt: skip


def test_a_bad_condition_is_an_error_and_the_rest_still_runs() -> None:
    """A-18, A-19: nothing is skipped in silence; each bad line has its own error, whatever the letter case or the company."""
    lines = [{"id": name, "condition": condition, "context": {"k": "v"}} for name, condition, _ in BAD]
    lines.insert(3, {"id": "good", "condition": {"StringEquals": {"k": "v"}}, "context": {"k": "v"}})
    text = "".join(json.dumps(line) + "\n" for line in lines)
    run = subprocess.run([sys.executable, "-m", "sekisho.cli", "decide", "--cases", "-"], input=text.encode(), capture_output=True, check=False)
    assert run.returncode == 2
    answers = {answer["id"]: answer for answer in map(json.loads, run.stdout.splitlines())}
    assert answers.pop("good") == {"id": "good", "matches": True}
    for name, _, message in BAD:
        assert "matches" not in answers[name], name
        assert message in answers[name]["error"], name
        assert "/Condition" in answers[name]["error"], name
