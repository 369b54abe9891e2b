"""Findings: each scenario found with a witness, and not found once mended; asked of decide, prove, ``check`` and the embedded AWS."""

from __future__ import annotations

import json
import os
import re
import shlex
import string
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from cli.running import Runner
from proof import estates
from proof.findings import Scenario, scenarios
from sandbox.people import Sandbox
from sekisho import Request, decide
from sekisho.deploy.calls import run as call
from sekisho.deploy.changes import changes
from sekisho.estate import Account, Estate, write_estate
from sekisho.language import CATALOGUES, LANGUAGES, say
from sekisho.policy.keys import spelled
from sekisho.proof import prove
from sekisho.proof.findings import BYPASSES, Finding, find
from sekisho.proof.reach import USUAL
from sekisho.sandbox.server import serve

ALL = list(scenarios())
EXAMPLES = Path(__file__).parents[2] / "examples"
every_scenario = pytest.mark.parametrize("scenario", ALL, ids=lambda s: s.name)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(monkeypatch, capsys)


def found_in(scenario: Scenario) -> Finding:
    found = [f for f in find(scenario.estate()) if f.key == scenario.finding]
    assert len(found) == 1, [f.key for f in find(scenario.estate())]
    return found[0]


@every_scenario
def test_what_is_wrong_is_found(scenario: Scenario) -> None:
    found = found_in(scenario)
    assert found.severity == scenario.severity
    assert (found.outcome or "nothing") == scenario.says
    for language in LANGUAGES:
        assert "{" not in say(found.key, found.values, language).replace("${aws:", "")
        assert say(f"{found.key}.fix", found.values, language)


@every_scenario
def test_once_mended_it_is_not_found(scenario: Scenario) -> None:
    assert scenario.finding not in [f.key for f in find(scenario.mended())]


@every_scenario
def test_decide_and_prove_say_the_same_of_the_witness(scenario: Scenario) -> None:
    found = found_in(scenario)
    if found.witness is None:
        assert scenario.says == "nothing"
        return
    outcome = decide(found.witness, scenario.estate()).outcome
    assert {"allow": "allow", "unknown": "unknown"}.get(outcome, "deny") == scenario.says
    if not found.witness.principal.endswith(".amazonaws.com"):
        check_it_can_be_sent({spelled(k): v for k, v in found.witness.context.items()})
    given = {k: v for k, v in USUAL.items() if k not in found.witness.context}
    proof = prove(found.witness, scenario.estate(), given=given)
    assert found.witness.context in proof.possible
    assert proof.allows(found.witness.context) is {"allow": True, "deny": False, "unknown": None}[scenario.says]


@every_scenario
def test_check_prints_it_and_a_command_that_shows_it(scenario: Scenario, tmp_path: Path, run: Runner) -> None:
    folder = tmp_path / "an estate"
    files = {str(p): json.loads(p.read_text()) for p in write_estate(scenario.estate(), folder)}
    ran = run("check", folder, "--format", "json", "--fail-on", scenario.severity)
    assert ran.status == 1 and ran.err == ""
    body = json.loads(ran.out)
    assert body["schema"] == "sekisho/check/v1" and body["must"] == []
    rule = scenario.finding.partition(".")[0]
    (told,) = [f for f in body["findings"] if f["message"] == say(scenario.finding, found_in(scenario).values) and f["id"] == rule]
    assert set(told) == {"id", "severity", "message", "subject", "witness", "statement", "fix", "controls", "accepted"}
    assert told["severity"] == scenario.severity and told["accepted"] is None and told["fix"]
    assert (told["witness"] is None) is (scenario.says == "nothing")
    if told["statement"] is not None and told["statement"]["file"]:
        assert told["statement"]["line"] and "Effect" in _at(files[told["statement"]["file"]], told["statement"]["pointer"])
    if told["witness"] is not None:
        decided = run("decide", "--cases", "-", stdin=json.dumps({"id": 1, "request": told["witness"], "policies": {}}))
        assert "error" not in json.loads(decided.out)
        text = run("check", folder).out
        command = _command_of(text, told["message"])
        again = run(*command[1:], "--format", "json")
        assert json.loads(again.out)["verdict"] == scenario.says, command


def _at(body: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        body = body[int(step) if isinstance(body, list) else step.replace("~1", "/").replace("~0", "~")]
        if isinstance(body, str) and body.startswith("{"):
            body = json.loads(body)
    return body


def _command_of(text: str, message: str) -> list[str]:
    """The command that is printed under a finding."""
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if line.endswith(message))
    shown = next(line for line in lines[at + 1 :] if line.startswith("  shows it: "))
    return shlex.split(shown.removeprefix("  shows it: ").rpartition("  (")[0])


# --- over HTTP -----------------------------------------------------------------------------------------------------------


class _Administrators:
    """Clients with the keys of each account's administrator."""

    def __init__(self, aws: Sandbox) -> None:
        self.aws = aws

    def client(self, account: str, service: str) -> Any:
        return self.aws.client(service, account=account)


OVER_HTTP = [s for s in ALL if s.over_http is not None]
if not os.environ.get("SEKISHO_EXAMPLES"):
    OVER_HTTP = OVER_HTTP[::2]  # every second one in each run; all of them with `make fuzz`


@pytest.mark.parametrize("scenario", OVER_HTTP, ids=lambda s: s.name)
def test_the_embedded_AWS_answers_the_witness_as_it_says(scenario: Scenario) -> None:
    assert scenario.over_http is not None
    witness = found_in(scenario).witness
    assert witness is not None
    with serve(["111111111111", "222222222222"], port=0) as server:
        aws = Sandbox(server)
        for change in changes(_empty(), scenario.estate()):
            for each in change.calls:
                call(each, _Administrators(aws))
        user = scenario.over_http["by"]
        keys = aws.client("iam", account="111111111111").create_access_key(UserName=user)["AccessKey"]
        if ":assumed-role/" in witness.principal:
            role = f"arn:aws:iam::{witness.principal.split(':')[4]}:role/{witness.principal.split('/')[1]}"
            sts = aws.client("sts", keys, address=scenario.over_http["from"])
            keys = sts.assume_role(RoleArn=role, RoleSessionName=witness.principal.rpartition("/")[2])["Credentials"]
        address = scenario.over_http.get("from", "") if scenario.says == "deny" else ""
        assert _asked(aws, keys, witness, scenario, address or str(witness.context["aws:sourceip"])) == scenario.says


def _empty() -> Estate:
    return Estate.of([Account("111111111111"), Account("222222222222")])


def _asked(aws: Sandbox, keys: dict[str, str], witness: Request, scenario: Scenario, address: str) -> str:
    service, _, action = witness.action.partition(":")
    agent = witness.context.get("aws:useragent")
    client = boto3.client(
        service, region_name="us-east-1", endpoint_url=f"{aws.endpoint}/from/{address}", aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys.get("SessionToken"),
        config=Config(retries={"max_attempts": 1}, parameter_validation=False, user_agent=agent if isinstance(agent, str) else None),
    )  # fmt: skip
    assert scenario.over_http is not None
    arguments = scenario.over_http.get("arguments", {})
    if action == "AssumeRole":
        arguments = {"RoleArn": witness.resource, "RoleSessionName": "anyone"}
    method = next(method for method, name in client.meta.method_to_api_mapping.items() if name == action)
    try:
        getattr(client, method)(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "UnauthorizedOperation"), error
        return "deny"
    return "allow"


# --- the catalogue of rules, and the languages ---------------------------------------------------------------------------


def test_every_pitfall_and_every_row_of_the_bypass_catalogue_has_a_scenario() -> None:
    rules = {s.finding.partition(".")[0] for s in ALL}
    assert {f"F-{n:02}" for n in range(1, 25)} <= rules
    assert set(BYPASSES.values()) <= rules


def test_both_languages_have_the_same_keys_and_values() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    english, japanese = CATALOGUES["en"], CATALOGUES["ja"]
    assert english.keys() == japanese.keys()
    assert [k for k in english if fields(english[k]) != fields(japanese[k])] == []
    assert {s.finding for s in ALL} <= english.keys()


def test_the_documentation_has_every_finding() -> None:
    text = (EXAMPLES.parent / "docs" / "findings.md").read_text()
    for scenario in ALL:
        sentence = CATALOGUES["en"][scenario.finding].replace("{{", "{").replace("}}", "}")
        assert f"| `{scenario.finding}` | {scenario.severity} | {sentence} |" in text


def test_every_sentence_has_a_scenario() -> None:
    """But for those of sizes that no scenario reaches, and of things unread or too many, which tests/cli has."""
    rules = {k for k in CATALOGUES["en"] if re.fullmatch(r"[A-Z]-\d\d(\.[a-z-]+)?", k) and not k.endswith(".fix")}
    assert rules - {s.finding for s in ALL} == {
        "Q-01.policy", "Q-01.users", "Q-01.groups", "Q-01.roles", "U-01.unread", "U-01.cells",
    }  # fmt: skip


def test_the_article(run: Runner) -> None:
    """F-01 is what neither method closes; the rest an expert would say of the article's documents."""
    ran = run("check", EXAMPLES / "article.yaml", "--format", "json")
    found = {(f["id"], f["severity"]) for f in json.loads(ran.out)["findings"]}
    assert found == {
        ("F-01", "high"), ("B-08", "medium"), ("F-09", "medium"), ("F-06", "low"), ("F-15", "low"), ("F-16", "low"), ("F-17", "low"), ("F-19", "low"),
        ("F-24", "low"), ("F-02", "info"), ("Q-01", "info"),
    }  # fmt: skip
    assert ran.status == 1
    (escape,) = [f for f in json.loads(ran.out)["findings"] if f["id"] == "F-01"]
    assert escape["statement"]["file"].endswith("article.yaml") and escape["statement"]["line"]


def test_the_company(run: Runner) -> None:
    found = json.loads(run("check", EXAMPLES / "company.yaml", "--format", "json").out)["findings"]
    escaping = {f["subject"] for f in found if f["id"] == "F-01"}
    at = "arn:aws:iam::"
    assert escaping == {
        f"{at}333344445555:role/developer", f"{at}444455556666:role/developer", f"{at}555566667777:role/auditor", f"{at}666677778888:role/auditor"
    }  # fmt: skip
    assert [f["subject"] for f in found if f["id"] == "F-10"] == [f"{at}111122223333:user/break-glass-1"]
    assert not [f for f in found if f["severity"] == "critical"]
    for request in (f["witness"] for f in found if f["witness"]):
        check_it_can_be_sent(request["context"])


def check_it_can_be_sent(context: dict[str, Any]) -> None:
    """Table E and E-02: an address or a VPC endpoint; an age exactly with MFA."""
    vpc = {"aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"} & context.keys()
    assert bool(vpc) is not ("aws:SourceIp" in context), context
    if "aws:MultiFactorAuthAge" in context:
        assert context["aws:MultiFactorAuthPresent"] == "true" and int(context["aws:MultiFactorAuthAge"]) >= 0, context


@pytest.mark.parametrize("condition", [None, {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}])
def test_rules_F01_a_Deny_of_what_is_done_as_a_rule_leaves_the_rest(condition: Any) -> None:
    """Sessions that are kept on the networks for the usual actions alone do the others from anywhere."""
    usual = ["ec2:*", "s3:*", "iam:*", "kms:*", "logs:*", "cloudformation:*", "lambda:*", "sqs:*", "dynamodb:*"]
    guard = {"Effect": "Deny", "Action": usual, "Resource": "*", **({"Condition": condition} if condition else {})}
    permissions = estates.document({"Effect": "Allow", "Action": "*", "Resource": "*"}, guard)
    trusted = estates.trust(estates.allow(estates.J, {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}))
    alice = estates.user("alice", estates.document(estates.ANY_ROLE))
    made = estates.estate((alice,), estates.role(estates.OPS, trusted, permissions))
    (found,) = (f for f in find(made) if f.id == "F-01" and f.subject == estates.OPS)
    assert found.witness is not None and decide(found.witness, made).allowed
    assert not found.witness.action.lower().startswith(tuple(u[:-1] for u in usual))
