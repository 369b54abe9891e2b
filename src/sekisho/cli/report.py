"""Findings as they are told, in one language: sentence, command that shows it, place, fix; for text, JSON, SARIF and the page alike."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sekisho.cli.asking import can_command
from sekisho.decision import Request
from sekisho.errors import Place
from sekisho.estate import Estate
from sekisho.language import Language, say
from sekisho.policy.keys import spelled
from sekisho.proof.findings import SEVERITIES, Finding

_ABOUT = {"a text": "text", "a size": "size", "what isn't known": "unknown"}
Accepted = Callable[[str, Sequence[str]], "Mapping[str, str] | None"]
"""Finding id and the ARNs it is about → {"reason", "until"} where the file accepts it today."""


@dataclass(frozen=True)
class Entry:
    """One finding, told."""

    finding: Finding
    estate: Estate
    file: str
    language: Language
    accepted: Mapping[str, str] | None
    fingerprint: str

    @property
    def message(self) -> str:
        return say(self.finding.key, self.finding.values, self.language)

    @property
    def fix(self) -> str:
        return say(f"{self.finding.key}.fix", self.finding.values, self.language)

    @property
    def statement(self) -> Place | None:
        return self.finding.statement

    @cached_property
    def command(self) -> str:
        """The command that asks for the witness; empty where there is none."""
        return can_command(self.finding.witness, self.estate, self.file) if self.finding.witness is not None else ""

    @property
    def shown(self) -> str:
        """How it can be seen: the command and its answer, or why no request shows it."""
        if self.command:
            return f"{say('check.shows', {}, self.language)}: {self.command}  ({say(self.outcome_key, {}, self.language)})"
        return say(f"check.none_shows.{_ABOUT[self.finding.about]}", {}, self.language)

    @property
    def outcome_key(self) -> str:
        return {"allow": "check.allowed", "deny": "check.denied"}.get(self.finding.outcome or "", "check.unknown")

    def to_json(self) -> dict[str, Any]:
        """The contract's finding."""
        finding, place = self.finding, self.finding.statement
        return {
            "id": finding.id, "severity": finding.severity, "message": self.message, "subject": finding.subject,
            "witness": request_json(finding.witness) if finding.witness is not None else None,
            "statement": {"file": place.file, "pointer": place.pointer, "line": place.line} if place is not None else None,
            "fix": self.fix, "controls": {framework: list(ids) for framework, ids in finding.controls.items()},
            "accepted": dict(self.accepted) if self.accepted else None,
        }  # fmt: skip


class Report:
    """All findings about an estate, told in ``language``; ``file`` is what the command was given."""

    def __init__(self, findings: Sequence[Finding], estate: Estate, file: str, language: Language, accepted: Accepted | None = None) -> None:
        self.estate = estate
        self.file = file
        self.language: Language = language
        self.entries = tuple(self._entries(findings, accepted))

    def _entries(self, findings: Sequence[Finding], accepted: Accepted | None) -> list[Entry]:
        seen: Counter[str] = Counter()
        entries = []
        for finding in findings:
            # Lines move and sentences change; what is wrong, with whom, and in which statement of a document doesn't.
            text = f"{finding.identity} {finding.statement.pointer or '' if finding.statement else ''}"
            seen[text] += 1
            fingerprint = hashlib.sha256(f"{text} {seen[text]}".encode()).hexdigest()[:32]
            entry = accepted(finding.id, finding.subjects) if accepted else None
            entries.append(Entry(finding, self.estate, self.file, self.language, entry, fingerprint))
        return entries

    @property
    def summary(self) -> str:
        if not self.entries:
            return say("check.none", {}, self.language)
        counts = Counter(e.finding.severity for e in self.entries)
        comma = say("list.comma", {}, self.language)
        told = comma.join(f"{counts[s]} {say(f'severity.{s}', {}, self.language)}" for s in SEVERITIES if counts[s])
        return say("check.summary", {"count": len(self.entries), "counts": told}, self.language)


def request_json(request: Request) -> dict[str, Any]:
    """A request as ``decide --cases`` takes it."""
    found: dict[str, Any] = {"principal": request.principal, "action": request.action, "resource": request.resource}
    if request.resource_account:
        found["resource_account"] = request.resource_account
    found["context"] = {spelled(k): list(v) if isinstance(v, tuple) else v for k, v in request.context.items()}
    if request.credentials is not None:
        found["credentials"] = request.credentials.value
    return found
