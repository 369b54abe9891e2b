"""The files that the pages docs/reach-*.md speak of, and what commands print about them."""

from __future__ import annotations

import os
from pathlib import Path

from click.testing import CliRunner

from sekisho.cli import cli

EXAMPLES = Path(__file__).parents[2] / "examples"

_SECOND = """
  second:
    id: "555566667777"
    roles:
      office-only:
        policies: [arn:aws:iam::aws:policy/AdministratorAccess]
        trusts: {groups: [test-group]}
        mfa: required
        networks: [office]
"""


def written(folder: Path) -> None:
    """Write article.yaml, company.yaml, and the article's file with a second account under each choice of methods."""
    article, company = ((EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8") for name in ("article", "company"))
    head, middle, tail = article.partition("        networks_as: deny         # deny | allow: the article's two forms\n")
    assert middle
    both = head + middle + _SECOND + tail
    jump, role = "  networks: [office, vpn]     # method 1", "        networks: [office, vpn]   # method 2"
    assert jump in both and role in both
    without_1 = both.replace(jump, "  networks: anywhere     # method 1")
    files = {
        "article": article,
        "company": company,
        "two-accounts": both,
        "method-2": without_1,
        "method-1": _without_2(both, role),
        "no-method": _without_2(without_1, role),
    }
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")


def _without_2(text: str, role: str) -> str:
    anywhere = "        networks: anywhere"
    return text.replace(role, anywhere + "   # method 2").replace("        networks: [office]\n", anywhere + "\n")


def output(command: str, folder: Path) -> str:
    """What a command prints, run in ``folder``."""
    program, *arguments = command.split()
    assert program == "sekisho"
    before = Path.cwd()
    os.chdir(folder)
    try:
        result = CliRunner().invoke(cli, arguments, catch_exceptions=False)
    finally:
        os.chdir(before)
    return "".join(line.rstrip() + "\n" for line in result.output.splitlines()).strip("\n") + "\n"
