"""Findings as SARIF 2.1.0, for code scanning: the line of the file, a rule each, and fingerprints that stay the same from run to run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import sekisho
from sekisho.cli.must import must_lines
from sekisho.cli.report import Entry, Report
from sekisho.language import say

if TYPE_CHECKING:
    from sekisho.proof.invariants import Held

_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note", "info": "note"}
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0", "info": "0.0"}
"""Code scanning sorts by ``security-severity``."""


def sarif(report: Report, must: Sequence[Held] = ()) -> str:
    """One SARIF log with one run. Of ``must`` what doesn't hold, and what can't be told, are results as well, of the rule ``must``."""
    rules: dict[str, dict[str, Any]] = {}
    for entry in report.entries:
        finding = entry.finding
        rules.setdefault(
            finding.key,
            {
                "id": finding.key, "name": finding.id, "shortDescription": {"text": entry.message}, "help": {"text": entry.fix},
                "properties": {"tags": ["security", finding.id], "security-severity": _SCORES[finding.severity]},
            },
        )  # fmt: skip
    failed = [h for h in must if h.holds is not True]
    if failed:
        text = say("check.must", {}, report.language)
        rules["must"] = {
            "id": "must", "name": "must", "shortDescription": {"text": text}, "help": {"text": text},
            "properties": {"tags": ["security", "must"], "security-severity": _SCORES["high"]},
        }  # fmt: skip
    order = {key: i for i, key in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "sekisho", "version": sekisho.__version__, "rules": list(rules.values())}},
        "results": [
            *(_result(e, order[e.finding.key], report) for e in report.entries), *(_broken(h, order["must"], report) for h in failed)
        ],
        "columnKind": "unicodeCodePoints",
    }
    body = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(body, indent=2, ensure_ascii=False)


def _result(entry: Entry, rule: int, report: Report) -> dict[str, Any]:
    finding, place = entry.finding, entry.statement
    text = entry.message
    text += f"\n{entry.shown}"
    text += f"\n{say('check.fix', {}, entry.language)}: {entry.fix}"
    physical: dict[str, Any] = {"artifactLocation": {"uri": _uri(place.file if place and place.file else report.file)}}
    physical["region"] = {"startLine": place.line if place and place.file and place.line else 1}
    location: dict[str, Any] = {"physicalLocation": physical}
    if place and place.pointer:
        location["logicalLocations"] = [{"fullyQualifiedName": place.pointer}]
    found: dict[str, Any] = {
        "ruleId": finding.key, "ruleIndex": rule, "level": _LEVELS[finding.severity], "message": {"text": text}, "locations": [location],
        "partialFingerprints": {"sekishoFinding/v1": entry.fingerprint},
        "properties": {"severity": finding.severity, "subject": finding.subject, "controls": {k: list(v) for k, v in finding.controls.items()}},
    }  # fmt: skip
    if entry.accepted:
        found["suppressions"] = [{"kind": "external", "status": "accepted", "justification": say("check.accepted", entry.accepted, entry.language)}]
    return found


def _broken(held: Held, rule: int, report: Report) -> dict[str, Any]:
    place = held.invariant.place
    region = {"startLine": place.line if place and place.line else 1}
    uri = _uri(place.file if place and place.file else report.file)
    # A name stays when the sentences change, and is one's own.
    fingerprint = hashlib.sha256(f"must {held.name}".encode()).hexdigest()[:32]
    return {
        "ruleId": "must", "ruleIndex": rule, "level": "error" if held.holds is False else "warning",
        "message": {"text": "\n".join(must_lines([held], report.estate, report.file, report.language))},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
        "partialFingerprints": {"sekishoFinding/v1": fingerprint}, "properties": {"severity": "high", "subject": held.name},
    }  # fmt: skip


def _uri(file: str) -> str:
    """Relative to where the command runs, as code scanning wants it; elsewhere an absolute file URI."""
    path = Path(file)
    if not path.is_absolute():
        return quote(PurePath(path).as_posix())
    return quote(path.relative_to(Path.cwd()).as_posix()) if path.is_relative_to(Path.cwd()) else path.as_uri()
