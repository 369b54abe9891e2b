"""What a reader of Japanese gets of `check`, `can`, `reach` and `diff`: no sentence of it is English, and nothing but words differs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from proof.findings import scenarios
from sekisho.language import CATALOGUES, reason, say, spoken
from sekisho.proof.findings import find

from .running import Runner

EXAMPLES = Path(__file__).parents[2] / "examples"
ARTICLE, COMPANY = EXAMPLES / "article.yaml", EXAMPLES / "company.yaml"
MUST = """
must:
  - {role: test-role-admin, only_from: [office], only_with_mfa: true, sessions_only_from: [office]}
  - {role: test-role-admin, break_glass: {users: [test-user]}}
  - {action: "iam:*", account: jump, only_for: {users: [test-user]}}
  - {role: test-role-admin, only_with_mfa: true}
  - {first_sign_in: everybody}
"""
ENGLISH = re.compile(r"\b[a-z][a-z']+ [a-z][a-z']+\b")
"""Two words of English in a row: names, actions and commands have none."""


def english_in(text: str) -> Iterator[str]:
    """Sentences of English that are left in a Japanese text, but for AWS's own text, names of policies and commands."""
    for line in text.splitlines():
        if "sekisho can " in line or line.strip().startswith("AWS の応答："):
            continue
        rest = re.sub(r"`[^`]*`|trust policy of|resource policy\b|aws login", "", line)
        if found := ENGLISH.search(rest):
            yield f"{found[0]!r} in {line}"


@pytest.mark.parametrize("scenario", list(scenarios()), ids=lambda s: s.name)
def test_findings_in_Japanese(scenario: object) -> None:
    for found in find(scenario.estate()):  # type: ignore[attr-defined]
        told = say(found.key, found.values, "ja") + "\n" + say(f"{found.key}.fix", found.values, "ja")
        assert not list(english_in(told))


QUESTIONS = [
    ["can", ARTICLE, "test-user", "switch-to", "test-role-admin"],
    ["can", ARTICLE, "test-user", "switch-to", "test-role-admin", "--from", "cafe", "--mfa"],
    ["can", ARTICLE, "test-user", "switch-to", "test-role-admin", "--from", "office", "--no-mfa"],
    ["can", ARTICLE, "test-user", "switch-to", "arn:aws:iam::999999999999:role/x", "--from", "office"],
    ["can", ARTICLE, "test-user", "sign-in"],
    ["can", ARTICLE, "test-user", "do", "ec2:DescribeInstances"],
    ["can", COMPANY, "tanaka", "switch-to", "staging/developer"],
    ["reach", ARTICLE],
    ["reach", ARTICLE, "--from", "cafe"],
    ["reach", COMPANY],
    ["diff", ARTICLE, ARTICLE],
    ["diff", ARTICLE, COMPANY],
    ["diff", COMPANY, ARTICLE],
    ["check", COMPANY],
]


@pytest.mark.parametrize("words", QUESTIONS, ids=lambda w: " ".join(map(str, w[:1] + [Path(str(w[1])).stem] + w[2:])) if isinstance(w, list) else None)
def test_answers_in_Japanese(words: list[object], run: Runner) -> None:
    english, japanese = run(*words), run(*words, "--lang", "ja")
    assert (english.status, english.err) == (japanese.status, japanese.err) and english.out != japanese.out
    assert not list(english_in(japanese.out))
    if words[0] != "reach":  # whose lines alike in one language are alike in the other
        assert len(english.out.splitlines()) == len(japanese.out.splitlines())


def test_invariants_in_Japanese(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "sekisho.yaml"
    file.write_text(ARTICLE.read_text().replace("sign_in: anywhere", "sign_in: [office]") + MUST)
    english, japanese = (json.loads(run("check", file, "--format", "json", "--lang", language).out)["must"] for language in ("en", "ja"))
    assert [m["holds"] for m in english] == [m["holds"] for m in japanese] and False in [m["holds"] for m in english]
    assert [m["witness"] for m in english] == [m["witness"] for m in japanese]
    for told in japanese:
        assert not list(english_in("\n".join([told["name"], *told["said"], told["failed"] or "", told["why"] or ""])))
    assert not list(english_in(run("check", file, "--lang", "ja").out))


def test_an_expired_acceptance_in_Japanese(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "sekisho.yaml"
    file.write_text(ARTICLE.read_text() + "accepted:\n  - {finding: F-01, subject: test-role-admin, reason: seen, until: 2020-01-31}\n")
    ran = run("check", file, "--lang", "ja")
    assert "2020-01-31" in ran.err and "期限切れ" in ran.err and not list(english_in(ran.err.partition(": ")[2]))


def test_every_reason_is_said_in_Japanese() -> None:
    """Reasons are made in English, and found again by their sentence: each sentence finds itself, with its values."""
    for key, sentence in CATALOGUES["en"].items():
        if key.startswith("reason."):
            names = re.findall(r"\{(\w+)\}", sentence)
            text = sentence.format_map({n: f"{n}-1" for n in names})
            told = spoken(reason(text), "ja")
            assert told != text and spoken(reason(text)) == text and all(f"{n}-1" in told for n in names), key
    assert reason("something else altogether") == "something else altogether"
