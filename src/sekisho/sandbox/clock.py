"""The sandbox's time: the machine's, moved forward where a demonstration wants it. Signatures are checked against the machine's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


class Clock:
    """``now()`` in UTC. ``advance`` moves it forward for all that has a duration: sessions, codes, MFA ages, events."""

    def __init__(self, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead_s)

    @staticmethod
    def machine_now() -> datetime:
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Time only goes forward: going back would make used codes good again."""
        if seconds < 0:
            raise ValueError("time only goes forward")
        self.ahead_s += seconds
