"""Line and column of each value in a JSON text, by JSON pointer; worked out only when somebody asks."""

from __future__ import annotations

import re

# Possessive, and the closing quote may be missing: a text of a million broken strings is still read once, not once for each.
_TOKEN = re.compile(r'[{}\[\],:]|"(?:[^"\\]++|\\.)*+"?|[^\s{}\[\],:"]+', re.DOTALL)
DEEPEST = 200
"""Values nested deeper have no place of their own: their pointers alone would fill the memory."""


def escape(step: str) -> str:
    """A key as one step of a JSON pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")


class Positions:
    """Where values stand in ``text``. ``of(pointer)`` gives (line, column) from 1, or None where there is no such value.

    Works on broken JSON as far as it can be followed, because it serves error messages.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: dict[str, int] | None = None
        self._repeated: tuple[str, int] | None = None
        self._too_deep: int | None = None

    def _known(self) -> dict[str, int]:
        if self._starts is None:
            self._starts = self._scan()
        return self._starts

    def of(self, pointer: str) -> tuple[int, int] | None:
        at = self._known().get(pointer)
        return None if at is None else self.at_offset(at)

    def repeated(self) -> tuple[str, int] | None:
        """Pointer and offset of the first key that its object already has."""
        self._known()
        return self._repeated

    def too_deep(self) -> int | None:
        """Offset of the first value nested deeper than ``DEEPEST``."""
        self._known()
        return self._too_deep

    def first(self, token: str) -> int | None:
        """Offset of the first bare word, number or bracket ``token``."""
        return next((m.start() for m in _TOKEN.finditer(self._text) if m.group() == token), None)

    def at_offset(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset."""
        before = self._text.count("\n", 0, offset)
        return before + 1, offset - (self._text.rfind("\n", 0, offset) + 1) + 1

    def _scan(self) -> dict[str, int]:
        starts: dict[str, int] = {}
        # One entry for each open object or array: its bracket, the index of the value that comes next, its pointer, its keys.
        stack: list[tuple[str, list[int], str, set[str]]] = []
        below = 0
        key: str | None = None
        for match in _TOKEN.finditer(self._text):
            token = match.group()
            if below and token not in "{}[]":
                continue
            bracket, index, base, keys = stack[-1] if stack else ("", [0], "", set())
            if token in ("}", "]"):
                if below:
                    below -= 1
                elif stack:
                    stack.pop()
            elif token == ",":
                index[0] += 1
                key = None
            elif token == ":":
                pass
            elif bracket == "{" and key is None and token[0] == '"':
                key = escape(_unquoted(token))
                if key in keys and self._repeated is None:
                    self._repeated = f"{base}/{key}", match.start()
                keys.add(key)
            elif len(stack) >= DEEPEST:
                if self._too_deep is None:
                    self._too_deep = match.start()
                below += token in ("{", "[")
            else:
                pointer = "" if not bracket else f"{base}/{key if bracket == '{' else index[0]}"
                starts.setdefault(pointer, match.start())
                if token in ("{", "["):
                    stack.append((token, [0], pointer, set()))
                key = None
        return starts


def _unquoted(token: str) -> str:
    import json

    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1]
