"""A finding: what is wrong, how bad, on which request it shows, which statement it comes from, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sekisho.decision import Request
from sekisho.errors import Place

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""The worst first."""
Said = str | int | tuple[str, ...]
"""A value of a message: a name or address, a count, or a list of names."""


@dataclass(frozen=True)
class Finding:
    """``key`` names the sentence in the message catalogues, ``key + ".fix"`` what mends it; both are filled with ``values``.

    ``witness`` is one request that AWS can send, and ``outcome`` what ``decide`` says of it; None where the finding is about a text, or about
    the sign-in, which no request of IAM is. ``statement`` is the line of ``sekisho.yaml`` where there is one, else the place in the document.
    """

    id: str
    severity: Severity
    key: str
    subject: str
    values: Mapping[str, Said] = field(default_factory=dict)
    witness: Request | None = None
    outcome: Literal["allow", "deny", "unknown"] | None = None
    statement: Place | None = None
    controls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    also: tuple[str, ...] = ()
    """ARNs of others whom it is about as well."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everybody whom it is about."""
        return tuple(dict.fromkeys((self.subject, *self.also)))

    @property
    def identity(self) -> str:
        """What stays the same from run to run as long as the same thing is wrong with the same subject."""
        return f"{self.key} {self.subject}"


def at_least(severity: Severity, least: Severity) -> bool:
    """Whether one severity is as bad as another, or worse."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(least)
