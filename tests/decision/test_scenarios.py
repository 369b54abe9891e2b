"""Every scenario of ``tests/scenarios/decision``, through ``sekisho decide --cases`` and through the Python API (rule book D, G-20 to G-22)."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from decision.scenarios import Scenario, asked_in_python, message_of, scenarios
from sekisho import Authorizer, decide

ALL = list(scenarios())
G_22 = re.compile(
    r"^User: (\S+) is not authorized to perform: (\S+?)(?: on resource: (.+?))?(?: because no (.+?)(?: policy)? allows the \S+ action"
    r"| with an explicit deny in (?:an?|the) (.+?)(?: policy)?(?:: (arn:\S+))?)?$"
)
NAMES = {
    "identity": "identity-based", "boundary": "permissions boundary", "session": "session", "resource": "resource-based",
    "service_control": "service control", "resource_control": "resource control", "vpc_endpoint": "VPC endpoint",
}  # fmt: skip
"""What the parser of G-22 finds in the text, by layer."""


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What the command says of all scenarios, in one run."""
    lines = "".join(json.dumps(s.case) + "\n" for s in ALL)
    run = subprocess.run([sys.executable, "-m", "sekisho.cli", "decide", "--cases", "-"], input=lines.encode(), capture_output=True, check=False)
    assert run.returncode == 0, run.stdout.decode()[-2000:] + run.stderr.decode()[-2000:]
    return {answer["id"]: answer for answer in map(json.loads, run.stdout.splitlines())}


@pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])
def test_rules(scenario: Scenario, answers: dict[str, Any]) -> None:
    answer, expected = answers[scenario.case["id"]], scenario.expected
    layer = answer["because"][0]["layer"] if answer["because"] and answer["decision"] != "allow" else None
    assert (answer["decision"], layer, answer["message"]) == (expected["expect"], expected.get("layer"), message_of(scenario))
    if "statement" in expected:
        first = answer["because"][0]
        assert [first["policy"], first["statement"], first["sid"]] == expected["statement"]

    request, layers = asked_in_python(scenario.case)
    decision = decide(request, layers)
    assert (decision.outcome, decision.layer, decision.message) == (answer["decision"], layer, answer["message"])
    authorizer = Authorizer(layers)
    assert authorizer.decide(request) == decision
    assert authorizer.decide(request) == decision, "from memory"


@pytest.mark.parametrize("scenario", ALL, ids=[s.name for s in ALL])
def test_the_parser_of_G_22_reads_every_text(scenario: Scenario) -> None:
    decision = decide(*asked_in_python(scenario.case))
    if not decision.message.startswith("User: "):
        assert decision.allowed or decision.layer == "credentials"
        return
    found = G_22.match(decision.message)
    assert found
    who, action, resource, implicit, explicit, arn = found.groups()
    request = decision.request
    assert (who, action, resource or "*") == (request.principal, request.action, request.resource)
    named = implicit or explicit
    if named is not None:
        is_trust = decision.layer == "resource" and action.startswith("sts:")
        assert named == ("role trust" if is_trust else NAMES[str(decision.layer)])
        assert (explicit is not None) == (decision.outcome == "explicit_deny")
    if arn is not None:
        assert arn == decision.because[0].document.arn


def test_each_name_once() -> None:
    assert len({s.case["id"] for s in ALL}) == len(ALL)
