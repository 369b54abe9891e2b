"""`sekisho init`: a commented file that compiles, and never over one that is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from .running import Runner, check_error

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("example", [None, "article", "company"])
def test_what_it_writes_compiles(example: str | None, run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "sekisho.yaml"
    ran = run("init", *(["--example", example] if example else []), file)
    assert ran.status == 0 and ran.err == "" and f"sekisho try {file}" in ran.out
    text = file.read_text(encoding="utf-8")
    assert (EXAMPLES / f"{example or 'article'}.yaml").read_text(encoding="utf-8") + "\n# What must hold" in text
    assert text.startswith("# yaml-language-server: $schema=./sekisho.schema.json\n") and text.count("#") > 5
    assert run("compile", file, "--out", tmp_path / "out").status == 0


def test_in_the_current_folder(run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init").status == 0
    assert [p.name for p in tmp_path.iterdir()] == ["sekisho.yaml"]


def test_a_file_that_is_there_is_left_alone(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "sekisho.yaml"
    file.write_text("mine", encoding="utf-8")
    check_error(run("init", file), "is there already", "to do:")
    assert file.read_text(encoding="utf-8") == "mine"
    link = tmp_path / "link.yaml"
    link.symlink_to(tmp_path / "elsewhere.yaml")
    check_error(run("init", link), "is there already")
    assert not (tmp_path / "elsewhere.yaml").exists()
    check_error(run("init", tmp_path), "is there already")


def test_a_folder_that_isn_t_there(run: Runner, tmp_path: Path) -> None:
    check_error(run("init", tmp_path / "no" / "where.yaml"), "is no folder", "mkdir -p")
    assert list(tmp_path.iterdir()) == []
