"""docs/trail.md is true: each block is run, and each command, question and option is in it or in its help."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .shared import CONTRACTS, DATA, ROOT

DOC = (ROOT / "docs/trail.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```console\n(.*?)^```", DOC, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "AWSLogs").symlink_to(DATA / "invictus" / "AWSLogs")
    company = (CONTRACTS / "company.yaml").read_text()
    (folder / "company.yaml").write_text(company)
    (folder / "without-vpn.yaml").write_text(company.replace(", vpn]", "]").replace(", vpn,", ","))
    return folder


def plain(text: str) -> str:
    """Without the table's lines and widths; a long cell's lines are one again."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.splitlines()]
    return "\n".join(line for line in lines if line and not set(line) <= set("─ "))


def test_blocks(place: Path) -> None:
    """One test, because each block goes on where the last one stopped."""
    assert len(BLOCKS) >= 4
    for block in BLOCKS:
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            name, *arguments = shlex.split(command)
            assert name == "sekisho"
            done = subprocess.run([sys.executable, "-c", WIDE, *arguments], cwd=place, capture_output=True, text=True, check=False)
            assert "Traceback" not in done.stderr, done.stderr
            pattern = ".*?".join(re.escape(part) for part in plain(expected).split("[...]"))
            assert re.fullmatch(pattern, plain(done.stdout), re.DOTALL), f"{command}\n{done.stdout}\n{done.stderr}"


WIDE = """
import rich.console
class Wide(rich.console.Console):
    def __init__(self, **given):
        super().__init__(**{**given, "width": 400})
rich.console.Console = Wide
from sekisho.cli.__main__ import main
main()
"""
"""A terminal wide enough that no cell is broken."""


def test_every_command_question_and_option_is_described() -> None:
    from sekisho.cli.trail import command

    for name, sub in command.commands.items():
        assert f"sekisho trail {name}" in DOC
        assert sub.epilog and sub.epilog.startswith("Example: sekisho trail")
        for option in sub.params:
            assert option.param_type_name == "argument" or option.help, (name, option.name)  # type: ignore[attr-defined]
    questions = next(p for p in command.commands["audit"].params if p.name == "questions").type.choices  # type: ignore[attr-defined]
    for question in questions:
        assert f"| `{question}` |" in DOC


def test_the_table_of_keys_in_the_docs_is_the_code_s() -> None:
    from sekisho.trail.request import KNOWN

    for key in re.findall(r"^\| `(aws:[\w/…]+|sts:\w+)`", DOC, re.MULTILINE):
        assert key.partition("/")[0].lower() in KNOWN, key
