"""Every numbered rule of A to D has a test that cites it, or stands in a short table that says why not."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

HERE = Path(__file__).parent
KNOWN: dict[str, Any] = json.loads((HERE / "data" / "rules.json").read_text())
BOOK = HERE.parents[1] / "shared" / "iam-semantics.md"

WITHOUT_TEST: dict[str, str] = {}
"""A rule that no test cites, and why."""

RULE = re.compile(r"\b[A-D](?:-\d\d|\.\d)\b")
TABLES = {"A.3": "Principal forms", "A.4": "Quotas", "C.2": "Missing-key truth table"}
"""Sections that are tables without numbers of their own."""


def rules_of(book: str) -> list[dict[str, Any]]:
    """The numbered rules of A to D in the rule book's text, each with its tags, and the sections that are tables."""
    body = book[book.index("\n## A.") : book.index("\n## E.")]
    found = [
        {"rule": match[1], "tags": sorted({*re.findall(r"\[([DOP])\]", match[2]), *(["unverified"] if "(unverified" in match[2] else [])})}
        for match in re.finditer(r"^- \*\*([A-D]-\d\d)\*\* ?(.*)$", body, re.MULTILINE)
    ]
    for section, title in TABLES.items():
        assert re.search(rf"^### {re.escape(section)} {title}", body, re.MULTILINE), section
        found.append({"rule": section, "tags": ["D"]})
    return found


@cache
def cited() -> dict[str, set[str]]:
    """Rule → the test files that cite it in a test's id, its docstring or its scenario; a comment doesn't count."""
    found: dict[str, set[str]] = {}
    for file in sorted(HERE.rglob("*")):
        name = str(file.relative_to(HERE))
        if file == Path(__file__):
            continue
        if file.suffix == ".py" and file.name.startswith("test_"):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
            names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
            texts += [re.sub(r"^test_([A-D])_(\d\d).*", r"\1-\2", n) for n in names if n.startswith("test_")]
            module = ast.get_docstring(tree, clean=False)
            if module in texts:
                texts.remove(module)  # what a file is about is no test
        elif file.suffix == ".yaml" and "scenarios" in file.parts:
            texts = list(_texts(YAML(typ="safe", pure=True).load(file)))
        else:
            continue
        for text in texts:
            for rule in RULE.findall(text):
                found.setdefault(rule, set()).add(name)
    return found


def _texts(value: Any) -> Any:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(key)
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def test_every_rule_has_a_test_or_a_reason() -> None:
    """What is still without a test is exactly what the table says, neither more nor less."""
    names = [entry["rule"] for entry in KNOWN["rules"]]
    assert len(names) == len(set(names)) > 90
    tested = cited()
    assert sorted(set(names) - tested.keys()) == sorted(WITHOUT_TEST)


def test_no_test_cites_a_rule_that_is_not_there() -> None:
    numbered = {entry["rule"] for entry in KNOWN["rules"]}
    # The bypass catalogue's findings have ids of their own, B-01 and on: they are no rules.
    cited_elsewhere = {r: {f for f in files if not f.startswith(("scenarios/findings/", "proof/test_findings"))} for r, files in cited().items()}
    made_up = {rule: files for rule, files in cited_elsewhere.items() if files and "-" in rule and rule not in numbered}
    assert made_up == {}


def test_the_list_is_the_rule_books() -> None:
    if not BOOK.exists():
        pytest.skip(f"the rule book is not here ({BOOK}); the list in tests/data/rules.json was taken from it")
    assert rules_of(BOOK.read_text(encoding="utf-8")) == KNOWN["rules"]
