"""The sandbox's time: the machine's, moved forward where a demonstration wants it. Signatures are checked against the machine's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """``now()`` in UTC, which never goes back, whatever the machine's clock does: what has ended stays ended.

    ``advance`` moves it forward for all that has a duration: sessions, codes, MFA ages, events.
    """

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self._latest = datetime.min.replace(tzinfo=UTC)

    def now(self) -> datetime:
        self._latest = max(self._latest, datetime.now(UTC) + timedelta(seconds=self.ahead_s))
        return self._latest

    def not_before(self, at: datetime) -> None:
        """Time is at least this: it was, before a restart."""
        self._latest = max(self._latest, at)

    @staticmethod
    def machine_now() -> datetime:
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Time only goes forward: going back would make used codes good again."""
        if seconds < 0:
            raise ValueError("time only goes forward")
        self.ahead_s += seconds
