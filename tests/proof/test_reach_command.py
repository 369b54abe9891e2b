"""``sekisho reach``: the pages that document it, its JSON, its filters, its errors."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from proof.documents import output, written
from sekisho import Request, load
from sekisho.cli import cli
from sekisho.errors import InputError
from sekisho.proof import prove, region_where

DOCS = Path(__file__).parents[2] / "docs"
USER, ROLE = "arn:aws:iam::111122223333:user/test-user", "arn:aws:iam::444455556666:role/test-role-admin"


def blocks(page: str) -> list[tuple[str, str]]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return [(m[1], m[2]) for m in re.finditer(r"```console\n\$ (.+)\n((?:.*\n)*?)```\n", text)]


@pytest.mark.parametrize("page", ["reach-article.md", "reach-company.md"])
def test_the_pages_say_what_is_printed(page: str, tmp_path: Path) -> None:
    written(tmp_path)
    shown = blocks(page)
    assert len(shown) >= 4
    for command, expected in shown:
        assert output(command, tmp_path) == expected, command


def rows(folder: Path, name: str, *more: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(cli, ["reach", str(folder / f"{name}.yaml"), "--format", "json", *more], catch_exceptions=False)
    assert result.exit_code == 0
    shown = json.loads(result.output)
    assert shown["schema"] == "sekisho/reach/v1"
    found: list[dict[str, Any]] = shown["rows"]
    return found


BOTH = ["198.51.100.20/32", "203.0.113.10/32"]


@pytest.mark.parametrize(
    ("name", "first", "second"),
    [("no-method", None, None), ("method-1", BOTH, BOTH), ("method-2", BOTH, BOTH[1:]), ("two-accounts", BOTH, BOTH[1:])],
)
def test_the_four_combinations_of_methods(name: str, first: list[str] | None, second: list[str] | None, tmp_path: Path) -> None:
    written(tmp_path)
    found = rows(tmp_path, name)
    assert [r["role"].rpartition("/")[2] for r in found] == ["test-role-admin", "office-only"]
    for row, cidrs in zip(found, (first, second), strict=True):
        (box,) = row["obtain"]
        assert box.pop("aws:MultiFactorAuthPresent") == {"values": ["true"], "absent": False}
        assert box == ({} if cidrs is None else {"aws:SourceIp": {"cidrs": cidrs, "absent": False}})
        assert row["hops"] == [row["role"]] and row["principal"] == USER and row["use"] == [{}]


@pytest.mark.parametrize(("name", "restricted"), [("no-method", False), ("method-1", True), ("method-2", False), ("two-accounts", True)])
def test_method_1_is_about_every_call_of_the_user(name: str, restricted: bool, tmp_path: Path) -> None:
    written(tmp_path)
    proof = prove(Request(USER, "iam:ListMFADevices", USER), load(tmp_path / f"{name}.yaml"), given={"aws:viaawsservice": "false"})
    inside = region_where({"IpAddress": {"aws:SourceIp": BOTH}})
    assert proof.real and (proof.real <= inside) == restricted


def test_filters(tmp_path: Path) -> None:
    written(tmp_path)
    assert {r["principal"].rpartition("/")[2] for r in rows(tmp_path, "company", "--from", "cafe")} == {"break-glass-1"}
    assert rows(tmp_path, "company", "--from", "198.18.0.9") == rows(tmp_path, "company", "--from", "cafe")
    assert {r["principal"].rpartition("/")[2] for r in rows(tmp_path, "company", "--from", "partner-noc")} >= {"noc-1", "sato", "break-glass-1"}
    assert {r["role"] for r in rows(tmp_path, "company", "--user", "yamamoto")} == {
        "arn:aws:iam::555566667777:role/auditor", "arn:aws:iam::666677778888:role/auditor"
    }  # fmt: skip
    assert len(rows(tmp_path, "company", "--role", "production/operator")) == len(rows(tmp_path, "company", "--role", "operator")) == 3
    assert rows(tmp_path, "company", "--user", "sato", "--role", "log-archive/auditor") == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--from", "caffe"], "no such place"), (["--user", "stao"], "did you mean sato"), (["--role", "oprator"], "did you mean operator")],
)
def test_a_name_that_isnt_there(arguments: list[str], said: str, tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(InputError) as caught:
        CliRunner().invoke(cli, ["reach", str(tmp_path / "company.yaml"), *arguments], catch_exceptions=False)
    assert said in str(caught.value) and caught.value.exit_status == 2
