"""Changes of IAM on their way (D-43): read at once, in force for decisions only after a delay, as IAM's eventual consistency lets one see."""

from __future__ import annotations

from collections import deque
from typing import Any

Name = tuple[str, str]


class Propagation:
    """``delay_s``: how long a change takes, in seconds of the sandbox's clock; 0: none does. After a restart all has arrived."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self._coming: deque[tuple[float, Name, Any]] = deque()
        self._counts: dict[Name, Any] = {}
        self._left: dict[Name, int] = {}

    def change(self, name: Name, before: Any, after: Any, now: float) -> bool:
        """Note that something became ``after``; whether that is in force already. Changes arrive in their order."""
        if self.delay_s <= 0 and name not in self._counts:
            return True
        self._counts.setdefault(name, before)
        self._left[name] = self._left.get(name, 0) + 1
        self._coming.append((max(now + self.delay_s, self._coming[-1][0] if self._coming else 0.0), name, after))
        return False

    def arrived(self, now: float) -> bool:
        """Put in force what has come by now; whether anything has."""
        some = False
        while self._coming and self._coming[0][0] <= now:
            _, name, value = self._coming.popleft()
            some = True
            self._left[name] -= 1
            if self._left[name]:
                self._counts[name] = value
            else:
                del self._left[name], self._counts[name]
        return some

    def in_force(self, name: Name, now_held: Any) -> Any:
        """What counts of something that is ``now_held``: that, unless its last change is still on its way."""
        return self._counts.get(name, now_held)

    @property
    def waiting(self) -> int:
        """How many changes are on their way."""
        return len(self._coming)
