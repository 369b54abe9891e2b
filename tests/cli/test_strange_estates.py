"""Estates that are strange but real: roles in a circle, trusts of deleted ids, documents of older versions, documents that can't be read."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .running import Runner

ARTICLE = Path(__file__).parents[2] / "examples/article.yaml"
ASK = ("test-user", "switch-to", "test-role-admin", "--from", "203.0.113.10", "--mfa")
Edit = Callable[[Any], None]


def edited(run: Runner, folder: Path, edit: Edit) -> Path:
    """The article as AWS's JSON, its target account edited."""
    run("compile", ARTICLE, "--out", folder)
    file = folder / "444455556666.json"
    body = json.loads(file.read_text())
    edit(body)
    file.write_text(json.dumps(body, indent=1))
    return folder


def trust(body: Any) -> Any:
    return body["RoleDetailList"][0]["AssumeRolePolicyDocument"]


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_a_trust_policy_of_an_older_version_means_the_same(version: str | None, run: Runner, tmp_path: Path) -> None:
    def edit(body: Any) -> None:
        trust(body).pop("Version")
        if version:
            trust(body)["Version"] = version

    folder = edited(run, tmp_path / "out", edit)
    assert run("can", folder, *ASK).status == 0
    assert run("diff", ARTICLE, folder).out.startswith("Equal access")


def test_a_version_that_never_was_leaves_it_open_and_says_where(run: Runner, tmp_path: Path) -> None:
    folder = edited(run, tmp_path / "out", lambda body: trust(body).update(Version="2004-01-01"))
    ran = run("can", folder, *ASK)
    assert ran.status == 1 and ran.err == ""
    assert ran.out.startswith("Unknown: whether test-user can switch to workload/test-role-admin can't be told: ")
    assert "444455556666.json:" in ran.out and "/AssumeRolePolicyDocument/Version" in ran.out and '"2012-10-17" or "2008-10-17"' in ran.out
    assert "AWS would say" not in ran.out
    different = run("diff", ARTICLE, folder)
    assert different.status == 1 and "can't be told" in different.out and "444455556666.json" in different.out
    assert "may be able to switch" in run("reach", folder).out


def test_a_trust_of_a_deleted_id_lets_nobody_in(run: Runner, tmp_path: Path) -> None:
    gone = "AIDAQQQQQQQQQQQQQQQQQ"
    folder = edited(run, tmp_path / "out", lambda body: trust(body)["Statement"][0].update(Principal={"AWS": [gone]}))
    ran = run("can", folder, *ASK)
    assert ran.status == 1 and ran.out.startswith("No:") and f"wants {gone}" in ran.out
    assert run("diff", ARTICLE, folder).out == "test-user: loses workload/test-role-admin (was: from office, vpn with MFA)\n"
    assert "Nobody can get into any role" in run("reach", folder).out
    found = run("check", folder)
    assert f"A-31 workload/test-role-admin trusts {gone}, which is the id of a deleted user or role" in found.out


def test_roles_in_a_circle_end(run: Runner, tmp_path: Path) -> None:
    def edit(body: Any) -> None:
        first = body["RoleDetailList"][0]
        names = [first["Arn"], *(first["Arn"].replace("test-role-admin", f"ring-{i}") for i in range(1, 4))]
        for i, arn in enumerate(names):
            if i:
                body["RoleDetailList"].append(
                    json.loads(json.dumps(first)) | {"Arn": arn, "RoleName": f"ring-{i}", "RoleId": f"AROA{i}".ljust(21, "X")}
                )
            blocks = body["RoleDetailList"][i]["AssumeRolePolicyDocument"]["Statement"]
            ring = {"Effect": "Allow", "Principal": {"AWS": names[i - 1]}, "Action": "sts:AssumeRole"}
            body["RoleDetailList"][i]["AssumeRolePolicyDocument"]["Statement"] = [*blocks, ring] if i == 0 else [ring]

    ran = run("reach", edited(run, tmp_path / "out", edit), "--user", "test-user")
    assert ran.status == 0 and ran.err == ""
    assert "can switch to workload/ring-3 by way of workload/test-role-admin, workload/ring-1, workload/ring-2" in ran.out
