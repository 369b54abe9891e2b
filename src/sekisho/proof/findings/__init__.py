"""Findings: what is wrong with an estate, each proved from regions and shown by a request, or about a text (rule book F, field.md 7). Pure.

One file a family; each has ``find(ground)``. To add a finding: yield it there, write its sentence and its fix in both catalogues of
``sekisho.language``, and put a scenario in ``tests/scenarios/findings``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sekisho.estate import Estate
from sekisho.language import Text, phrase
from sekisho.policy import DEFAULT, Settings
from sekisho.policy.keys import spelled
from sekisho.proof.findings import jump, lock_out, mfa, networks, sessions, sign_in, text, trusts
from sekisho.proof.findings.controls import Controls, controls_of
from sekisho.proof.findings.finding import SEVERITIES, Finding, Severity, at_least
from sekisho.proof.findings.ground import Ground
from sekisho.proof.region import TooManyCells

FAMILIES: tuple[Any, ...] = (sessions, networks, mfa, trusts, jump, lock_out, sign_in, text)

BYPASSES: Mapping[str, str] = {
    "user agent exemption": "B-01", "NotAction sts": "B-02", "Bool MFA": "F-04", "DeleteVirtualMFADevice without MFA": "B-04",
    "group that doesn't contain the user": "F-10", "Allow of the user's own": "B-06", "role that trusts the account": "F-09",
    "access keys": "B-08", "second role": "B-09", "other accounts in the trust": "B-10", "wide CIDR": "F-08", "ViaAWSService exemption": "F-22",
    "sessions that outlast": "B-13", "sign-in policy that is off": "B-14", "excluded principal": "B-15", "no IPv6": "F-06",
    "aws login refreshes": "B-17",
}  # fmt: skip
"""The bypass catalogue (field.md 7): each row and the rule that finds it. A row that is a pitfall of the rule book keeps that number."""


def find(
    estate: Estate, settings: Settings = DEFAULT, *, networks: Mapping[str, Sequence[str]] | None = None, controls: Controls | None = None
) -> tuple[Finding, ...]:
    """All findings about an estate, the worst first. ``networks``: how networks are called; ``controls``: more ids than the package's own.

    >>> find(Estate())
    ()
    """
    ground = Ground(estate, settings, networks)
    found: dict[str, Finding] = {}
    for family in FAMILIES:
        for finding in _all_of(family, ground):
            # One statement can trust several who aren't there.
            key = f"{finding.identity} {finding.statement} {finding.values.get('entry', '')}"
            found.setdefault(key, replace(finding, controls=controls_of(finding.id, controls)))
    order = {severity: i for i, severity in enumerate(SEVERITIES)}
    return tuple(sorted(_together(found.values()), key=lambda f: (order[f.severity], f.id, f.subject)))


def _all_of(family: Any, ground: Ground) -> Iterator[Finding]:
    """A family's findings; where the regions multiply beyond measure, that its rest can't be told is one as well."""
    try:
        yield from family.find(ground)
    except TooManyCells as error:
        keys = tuple(spelled(k) for k in error.keys if not k.startswith("*"))
        name = family.__name__.rpartition(".")[2].replace("_", "-")
        subject = f"arn:aws:iam::{ground.estate.accounts[0].id}:root"
        yield ground.finding("U-01", "medium", "U-01.cells", subject, family=phrase(f"family.{name}"), keys=keys)


def _together(findings: Iterable[Finding]) -> Iterable[Finding]:
    """What one statement does to several users is one finding, which names them all; the first one's request shows it."""
    found: dict[object, Finding] = {}
    for finding in findings:
        rest = tuple(sorted((k, v) for k, v in finding.values.items() if k not in ("who", "address", "action", "actions")))
        # F-10 is accepted user by user, and so stays apart.
        alike = finding.statement is not None and ":user/" in finding.subject and finding.id != "F-10"
        key: object = (finding.id, finding.key, finding.severity, finding.statement, rest) if alike else id(finding)
        before = found.get(key)
        if before is None:
            found[key] = finding
        else:
            who = tuple(dict.fromkeys((*_names(before), *_names(finding))))
            found[key] = replace(before, values={**before.values, "who": who}, also=(*before.also, *finding.subjects))
    return found.values()


def _names(finding: Finding) -> Sequence[Text]:
    who = finding.values.get("who", ())
    return who if isinstance(who, tuple) else (who,)


__all__ = ["BYPASSES", "Finding", "SEVERITIES", "Severity", "at_least", "controls_of", "find"]
