"""One row of the walk: who did what from where with which credentials, what was predicted and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Answer = Literal["allow", "deny"]
Step = Literal["sign-in", "enrol-mfa", "own-mfa", "switch", "call", "call-elsewhere"]


@dataclass(frozen=True, slots=True)
class Row:
    """``place`` is the vantage point's name; ``switched_from`` the one where a session was obtained that calls from elsewhere.

    ``reason`` says in words what decided the prediction; ``message`` is AWS's own text of a refusal; ``event`` the id of its record.
    """

    principal: str
    place: str
    address: str
    credentials: str
    step: Step
    role: str | None
    switched_from: str | None
    predicted: Answer
    outcome: Answer
    message: str
    reason: str
    event: str | None = None
    request_id: str | None = None

    @property
    def differs(self) -> bool:
        return self.predicted != self.outcome

    def to_json(self) -> dict[str, Any]:
        """The row as the contract of ``try --format json`` has it."""
        return {
            "principal": self.principal, "from": self.place, "address": self.address, "credentials": self.credentials, "step": self.step,
            "role": self.role, "switched_from": self.switched_from, "predicted": self.predicted, "outcome": self.outcome,
            "message": self.message, "event": self.event, "reason": self.reason,
        }  # fmt: skip
