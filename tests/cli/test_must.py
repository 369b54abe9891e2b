"""What `check` says of `must` and `accepted`: the contract's JSON, commands that show what is broken, and days that are over."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from sekisho import Request, decide, load

from .running import Runner, check_error

EXAMPLES = Path(__file__).parents[2] / "examples"
MUST = """
must:
  - {name: kept, role: "*/admin", only_for: {groups: [platform]}, only_with_mfa: true}
  - {name: people, role: "*/developer", only_for: {groups: [developers]}}
  - {name: places, role: "*/developer", only_with_mfa: true, only_from: [vpn]}
  - {name: sessions, role: "*/developer", sessions_only_from: [vpn]}
  - {name: glass, role: production/admin, break_glass: {groups: [platform]}}
  - {name: action, action: "ec2:Reboot*", account: production, only_for: {groups: [platform]}}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "sekisho.yaml"
    made.write_text((EXAMPLES / "company.yaml").read_text(encoding="utf-8") + MUST, encoding="utf-8")
    return made


def must(run: Runner, file: Path) -> dict[str, Any]:
    ran = run("check", file, "--format", "json")
    found = json.loads(ran.out)
    assert found["schema"] == "sekisho/check/v1" and ran.status == 1
    return {m["name"]: m for m in found["must"]}


def test_each_invariant_in_order_and_a_witness_that_decide_confirms(file: Path, run: Runner) -> None:
    found = must(run, file)
    assert {name: m["holds"] for name, m in found.items()} == {
        "kept": True, "people": False, "places": False, "sessions": False, "glass": False, "action": False,
    }  # fmt: skip
    assert found["kept"]["witness"] is None and found["kept"]["command"] is None
    assert found["places"]["failed"] == "*/developer can be had from vpn alone"
    made = load(file)
    for name, entry in found.items():
        if entry["witness"] is not None:
            asked = dict(entry["witness"])
            context = asked.pop("context")
            decision = decide(Request(asked.pop("principal"), asked.pop("action"), asked.pop("resource"), context, **asked), made)
            assert decision.allowed == (name != "glass"), (name, decision)


def test_the_commands_show_it(file: Path, run: Runner) -> None:
    for name, entry in must(run, file).items():
        if entry["command"] is None:
            continue
        program, *words = shlex.split(entry["command"])
        ran = run(*words)
        assert program == "sekisho" and ran.err == ""
        assert (ran.status, ran.out.partition(":")[0]) == ((1, "No") if name == "glass" else (0, "Yes")), (name, ran)


def test_the_text_has_a_line_each_and_the_place(file: Path, run: Runner) -> None:
    out = run("check", file).out
    assert "holds: kept" in out and "broken: people" in out
    line = next(i for i, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if "name: people" in text)
    assert f"sato gets into development/developer ({file}:{line}:5)" in out
    assert f"sekisho can {file} sato switch-to development/developer --from " in out


def test_a_broken_invariant_fails_the_check_whatever_the_findings(file: Path, run: Runner) -> None:
    assert run("check", file, "--fail-on", "critical").status == 1
    file.write_text(file.read_text(encoding="utf-8").partition("  - {name: people")[0], encoding="utf-8")
    assert run("check", file, "--fail-on", "critical").status == 0


def test_an_acceptance_whose_day_is_over_is_told_with_its_line(file: Path, run: Runner) -> None:
    with file.open("a", encoding="utf-8") as more:
        more.write("accepted:\n  - {finding: F-01, reason: was so last year, until: 2020-12-31}\n")
    line = file.read_text(encoding="utf-8").count("\n")
    ran = run("check", file)
    assert f"{file}:{line}:5: the acceptance of F-01 has expired on 2020-12-31: mend the finding, or write a later day" in ran.err


def test_a_mistake_in_must_is_one_error(file: Path, run: Runner) -> None:
    file.write_text(
        file.read_text(encoding="utf-8").replace("groups: [platform]}, only_with_mfa", "groups: [platfrm]}, only_with_mfa"), encoding="utf-8"
    )
    check_error(run("check", file), "no group is named platfrm", "did you mean platform?", "^")
