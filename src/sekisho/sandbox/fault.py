"""An error as AWS answers it: code, text and HTTP status; ``protocol.py`` writes it in the form that the client speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.decision import Decision


class AwsFault(Exception):
    """``code`` and ``message`` are AWS's own; ``status`` is the HTTP status; ``denied`` marks an authorisation refusal.

    ``unknown``: it is refused because something can't be told, not because a policy says so.
    ``decision`` is what refused it, where a decision did; ``event_id`` the CloudTrail record of the call, once it is written.
    """

    def __init__(self, code: str, message: str, status: int = 400, *, denied: bool = False) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.denied = denied
        self.unknown = False
        self.decision: Decision | None = None
        self.event_id: str | None = None


def access_denied(message: str, decision: Decision | None = None) -> AwsFault:
    fault = AwsFault("AccessDenied", message, 403, denied=True)
    fault.decision = decision
    return fault


def cannot_tell(message: str, decision: Decision | None = None) -> AwsFault:
    """The refusal of what can't be decided: unknown is never rounded to allowed."""
    fault = access_denied(message, decision)
    fault.unknown = True
    return fault


def no_such_entity(message: str) -> AwsFault:
    return AwsFault("NoSuchEntity", message, 404)


def validation(message: str) -> AwsFault:
    return AwsFault("ValidationError", message, 400)


def constraint(value: str, field: str, rule: str) -> AwsFault:
    """AWS's text for a parameter of the wrong form."""
    return validation(f"1 validation error detected: Value '{value}' at '{field}' failed to satisfy constraint: {rule}")
