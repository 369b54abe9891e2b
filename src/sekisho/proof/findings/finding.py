"""A finding: what is wrong, how bad, on which request it shows, which statement it comes from, and what mends it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from sekisho.decision import Request
from sekisho.errors import Place
from sekisho.language import Text

Severity = Literal["critical", "high", "medium", "low", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "high", "medium", "low", "info")
"""The worst first."""
Said = Text | tuple[Text, ...]
"""A value of a message: a name or address, a count, words in any language, or a list of them."""


@dataclass(frozen=True)
class Finding:
    """``key`` names the sentence in the message catalogues, ``key + ".fix"`` what mends it; both are filled with ``values``.

    ``witness`` is one request that AWS can send, and ``outcome`` what ``decide`` says of it; None where no request shows it: see ``about``.
    ``statement`` is the line of ``sekisho.yaml`` where there is one, else the place in the document.
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
    def about(self) -> Literal["a request", "a text", "a size", "what isn't known"]:
        """What it is about. Only a request can show something: a dead entry, a size and a document that can't be read decide nothing."""
        if self.witness is not None:
            return "a request"
        return "a size" if self.id == "Q-01" else "what isn't known" if self.id == "U-01" else "a text"

    @property
    def identity(self) -> str:
        """What stays the same from run to run as long as the same thing is wrong with the same subject."""
        return f"{self.key} {self.subject}"


def at_least(severity: Severity, least: Severity) -> bool:
    """Whether one severity is as bad as another, or worse."""
    return SEVERITIES.index(severity) <= SEVERITIES.index(least)
