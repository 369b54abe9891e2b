"""``sekisho check``: formats, languages, controls, acceptances, exit status."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import jsonschema
import pytest

from .running import Runner, check_error

ROOT = Path(__file__).parents[2]
SARIF = ROOT / "tests" / "data" / "sarif-2.1.0-rtm.5.json"
ARTICLE = (ROOT / "examples" / "article.yaml").read_text()
GUARDED = ARTICLE.replace("networks_as: deny ", "session: {stay_on_networks: true}\n        networks_as: deny ")
ACCEPTED = """
accepted:
  - finding: F-01
    subject: workload/test-role-admin
    reason: sessions are watched
    until: {until}
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sekisho.yaml").write_text(ARTICLE)
    return Path("sekisho.yaml")


def ids(text: str) -> dict[str, str]:
    return {f["id"]: f["severity"] for f in json.loads(text)["findings"]}


def test_exit_status_follows_fail_on(file: Path, run: Runner) -> None:
    assert run("check", file).status == 1
    assert run("check", file, "--fail-on", "critical").status == 0
    file.write_text(GUARDED)
    ran = run("check", file, "--format", "json")
    assert ran.status == 0 and not {"F-01", "F-15", "F-24"} & ids(ran.out).keys()
    assert run("check", file, "--fail-on", "medium").status == 1


def test_text_has_the_command_the_line_the_fix_and_the_controls(file: Path, run: Runner) -> None:
    out = run("check", file).out
    assert re.search(r"^high F-01 .*workload/test-role-admin.*", out, re.M)
    assert "shows it: sekisho can sekisho.yaml arn:aws:sts::444455556666:assumed-role/test-role-admin/anyone do ec2:DescribeInstances --from" in out
    assert "statement: sekisho.yaml:26:9" in out and "stay_on_networks: true" in out and "FISC 実8" in out
    assert out.rstrip().endswith("1 of them are high or worse and not accepted.") and "\x1b[" not in out


def test_japanese(file: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    out = run("check", file, "--lang", "ja").out
    assert "高 F-01 workload/test-role-admin のセッションはどこからでも使えます" in out and "再現コマンド: sekisho can" in out
    told = json.loads(run("check", file, "--lang", "ja", "--format", "json").out)["findings"][0]
    assert "どこからでも" in told["message"] and "ロール" in told["fix"] and told["severity"] == "high"
    # Not a terminal: what a program reads doesn't change with the locale.
    monkeypatch.setenv("LANG", "ja_JP.UTF-8")
    assert "high F-01 Sessions of" in run("check", file).out


@pytest.mark.parametrize(("until", "status", "accepted"), [("2999-01-01", 0, True), ("2001-01-01", 1, False)], ids=["holds", "expired"])
def test_an_acceptance_and_its_last_day(file: Path, run: Runner, until: str, status: int, accepted: bool) -> None:
    file.write_text(ARTICLE + ACCEPTED.format(until=until))
    ran = run("check", file, "--format", "json")
    (escape,) = [f for f in json.loads(ran.out)["findings"] if f["id"] == "F-01"]
    assert ran.status == status
    assert escape["accepted"] == ({"reason": "sessions are watched", "until": until} if accepted else None)
    assert ("has expired" in ran.err and "sekisho.yaml:" in ran.err) is not accepted
    assert ("accepted until 2999-01-01: sessions are watched" in run("check", file).out) is accepted
    assert bool(json.loads(run("check", file, "--format", "sarif").out)["runs"][0]["results"][0].get("suppressions")) is accepted


def test_an_acceptance_of_no_finding(file: Path, run: Runner) -> None:
    file.write_text(ARTICLE + "accepted:\n  - {finding: F-99, reason: a slip, until: 2999-01-01}\n")
    check_error(run("check", file), "sekisho.yaml:", "no finding is named F-99")


def test_a_trust_policy_of_names_that_are_gone(run: Runner, tmp_path: Path) -> None:
    """A-31: each is told with its place; leave that leads into no role is no finding, and no crash."""
    gone = ["arn:aws:iam::222222222222:user/bob", "AIDAQWERTYUIOPASDFGHJ", "AROAQWERTYUIOPASDFGHJ"]
    switch = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}}
    trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": gone}, "Action": "sts:AssumeRole"}}
    user = {
        "UserName": "alice", "Arn": "arn:aws:iam::222222222222:user/alice", "Path": "/", "UserId": "AIDAALICE", "GroupList": [],
        "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": switch}], "AttachedManagedPolicies": [],
    }  # fmt: skip
    role = {
        "RoleName": "Ops", "Arn": "arn:aws:iam::222222222222:role/Ops", "Path": "/", "RoleId": "AROAOPS", "RolePolicyList": [],
        "AttachedManagedPolicies": [], "AssumeRolePolicyDocument": trust,
    }  # fmt: skip
    (tmp_path / "222222222222.json").write_text(json.dumps({"UserDetailList": [user], "RoleDetailList": [role]}))
    ran = run("check", tmp_path / "222222222222.json", "--format", "json", "--fail-on", "medium")
    told = [f for f in json.loads(ran.out)["findings"] if f["id"] == "A-31"]
    assert ran.status == 1 and len(told) == 3
    assert all(any(name in f["message"] for f in told) for name in gone) and all(f["statement"]["line"] for f in told)


def test_controls_of_ones_own(file: Path, run: Runner, tmp_path: Path) -> None:
    table = tmp_path / "controls.yaml"
    table.write_text("controls:\n  our remote access rule:\n    findings: [F-01]\n    ids: {Our rules: [R-7], NIST 800-53 r5: [SC-7]}\n")
    told = json.loads(run("check", file, "--format", "json", "--controls", table).out)["findings"]
    (escape,) = [f for f in told if f["id"] == "F-01"]
    assert escape["controls"]["Our rules"] == ["R-7"]
    assert {"AC-3", "SC-7"} <= set(escape["controls"]["NIST 800-53 r5"])
    assert escape["controls"]["KISA ISMS-P"] == ["2.6.6"]


@pytest.mark.parametrize("text", ["[]", "controls: {x: {findings: F-01}}", "controls: {x: {ids: {a: [b]}}}", "controls: [", "{}"])
def test_a_table_of_controls_that_cannot_be_read(file: Path, run: Runner, tmp_path: Path, text: str) -> None:
    table = tmp_path / "controls.yaml"
    table.write_text(text)
    check_error(run("check", file, "--controls", table), "controls.yaml", "expected")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_sarif_is_what_the_standard_says(file: Path, run: Runner, tmp_path: Path, language: str) -> None:
    """The schema of SARIF 2.1.0 (tests/data), of a file, and of AWS's JSON in a folder whose name a URI has to spell otherwise."""
    schema = json.loads(SARIF.read_text())
    folder = tmp_path / "an estate, collected"
    file.write_text(GUARDED + "must:\n  - {role: test-role-admin, only_from: [office]}\n")
    assert run("compile", file, "--out", folder).status == 0
    for estate in (file, folder):
        body = json.loads(run("check", estate, "--format", "sarif", "--lang", language).out)
        jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER).validate(body)
        (ran,) = body["runs"]
        assert ran["results"]
        for result in ran["results"]:
            assert " " not in result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    rules = [r["ruleId"] for r in json.loads(run("check", file, "--format", "sarif").out)["runs"][0]["results"]]
    assert rules.count("must") == 1  # what breaks the run is among the results


def test_sarif(file: Path, run: Runner) -> None:
    body = json.loads(run("check", file, "--format", "sarif").out)
    assert body["version"] == "2.1.0"
    (ran,) = body["runs"]
    rules = [r["id"] for r in ran["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    prints = [r["partialFingerprints"]["sekishoFinding/v1"] for r in ran["results"]]
    assert len(set(prints)) == len(prints)
    for result in ran["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["level"] in ("error", "warning", "note")
        where = result["locations"][0]["physicalLocation"]
        assert where["artifactLocation"]["uri"] == "sekisho.yaml" and where["region"]["startLine"] >= 1
    escape = next(r for r in ran["results"] if r["ruleId"] == "F-01")
    assert escape["level"] == "error" and "sekisho can sekisho.yaml" in escape["message"]["text"]
    # Lines move, the finding stays the same.
    file.write_text("# a line more\n" + ARTICLE)
    moved = json.loads(run("check", file, "--format", "sarif").out)["runs"][0]["results"]
    assert [r["partialFingerprints"]["sekishoFinding/v1"] for r in moved] == prints
    line = escape["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert next(r for r in moved if r["ruleId"] == "F-01")["locations"][0]["physicalLocation"]["region"]["startLine"] == line + 1


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_stands_alone(file: Path, run: Runner, language: str) -> None:
    ran = run("check", file, "--format", "html", "--lang", language)
    page = _Page()
    page.feed(ran.out)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe", "form"} & set(names)
    assert not [a for _, attrs in page.tags for a in ("src", "href", "onclick") if a in attrs]
    policy = next(attrs["content"] for tag, attrs in page.tags if tag == "meta" and attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy and "default-src 'none'" in policy
    assert ("html", {"lang": language}) in page.tags
    assert "workload/test-role-admin" in "".join(page.text) and names.count("article") == 11


def test_the_page_escapes_what_the_estate_brings(run: Runner, tmp_path: Path) -> None:
    statement = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"IpAddress": {"<img src=x onerror=alert(1)>": "203.0.113.0/24"}}}
    body = {
        "UserDetailList": [
            {
                "UserName": "alice", "Arn": "arn:aws:iam::111111111111:user/alice", "Path": "/", "UserId": "AIDAALICE", "GroupList": [],
                "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": statement}}], "AttachedManagedPolicies": [],
            }
        ]
    }  # fmt: skip
    (tmp_path / "111111111111.json").write_text(json.dumps(body))
    out = run("check", tmp_path / "111111111111.json", "--format", "html").out
    assert "<img" not in out and "&lt;img src=x onerror=alert(1)&gt;" in out


def test_a_document_that_cannot_be_read_is_a_finding(run: Runner, tmp_path: Path) -> None:
    role = {
        "RoleName": "Ops", "Arn": "arn:aws:iam::222222222222:role/Ops", "Path": "/", "RoleId": "AROAOPS", "RolePolicyList": [],
        "AttachedManagedPolicies": [], "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": {"Effect": "denY"}},
    }  # fmt: skip
    (tmp_path / "222222222222.json").write_text(json.dumps({"RoleDetailList": [role]}))
    ran = run("check", tmp_path / "222222222222.json", "--format", "json", "--fail-on", "medium")
    assert ran.status == 1
    (told,) = [f for f in json.loads(ran.out)["findings"] if f["id"] == "U-01"]
    assert told["severity"] == "medium" and "role/Ops#trust" in told["message"]


def test_an_estate_without_findings(run: Runner, tmp_path: Path) -> None:
    (tmp_path / "222222222222.json").write_text(json.dumps({"RoleDetailList": []}))
    ran = run("check", tmp_path / "222222222222.json")
    assert ran.status == 0 and ran.out.startswith("No findings")


def test_invariants_are_proved_too(file: Path, run: Runner) -> None:
    file.write_text(GUARDED + "must:\n  - {role: test-role-admin, sessions_only_from: [office, vpn]}\n")
    ran = run("check", file, "--format", "json")
    assert ran.status == 0 and [m["holds"] for m in json.loads(ran.out)["must"]] == [True]
    file.write_text(GUARDED + "must:\n  - {role: test-role-admin, only_from: [office]}\n")
    ran = run("check", file, "--format", "json")
    (must,) = json.loads(ran.out)["must"]
    assert ran.status == 1 and must["holds"] is False and must["witness"]["action"] == "sts:AssumeRole"
