"""What goes wrong in a way that a user can mend: each error has its place, what was expected and what to do.

Nothing here prints. ``cli/`` turns these into one message and an exit status; any other exception is a bug of ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a file (or None), a JSON pointer (or None), and line and column counted from 1 (or None)."""

    file: str | None = None
    pointer: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = self.file or ""
        if self.line is not None and self.file:
            where += f":{self.line}" + (f":{self.column}" if self.column is not None else "")
        elif self.line is not None:
            where = f"line {self.line}" + (f", column {self.column}" if self.column is not None else "")
        if self.pointer:
            where += f" at {self.pointer}" if where else self.pointer
        return where

    def inside(self, file: str | None, pointer: str) -> Place:
        """The same place, seen from a document that holds this one at ``pointer`` of ``file``."""
        return replace(self, file=self.file or file, pointer=pointer + (self.pointer or ""))


class SekishoError(Exception):
    """An expected failure. ``exit_status`` is 2 for input that can't be used, 3 where the outside world failed."""

    exit_status = 2

    def __init__(
        self,
        message: str,
        *,
        place: Place | None = None,
        expected: str | None = None,
        remedy: str | None = None,
        excerpt: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.expected = expected
        self.remedy = remedy
        self.excerpt = excerpt

    def at(self, place: Place) -> SekishoError:
        """The same error with its place filled in; for a caller that knows the file."""
        self.place = place
        return self

    def __str__(self) -> str:
        lines = []
        where = str(self.place) if self.place else ""
        lines.append(f"{where}: {self.message}" if where else self.message)
        if self.excerpt:
            lines.append(self.excerpt)
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.remedy:
            lines.append(f"  to do: {self.remedy}")
        return "\n".join(lines)


class InputError(SekishoError):
    """A file, an argument or a document that can't be used as it is (exit status 2)."""


class PolicyError(InputError):
    """A policy document that AWS would refuse; ``message`` is AWS's own text, ``code`` AWS's error code (rule book A)."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "MalformedPolicyDocument",
        place: Place | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(message, place=place, expected=expected, remedy=remedy)
        self.code = code


class OutsideError(SekishoError):
    """The network, AWS, a port, a disk: something outside failed (exit status 3)."""

    exit_status = 3
