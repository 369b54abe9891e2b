"""Line and column of each value in a JSON text, by JSON pointer; worked out only when somebody asks."""

from __future__ import annotations

import re

_TOKEN = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+', re.DOTALL)


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

    def of(self, pointer: str) -> tuple[int, int] | None:
        if self._starts is None:
            self._starts = self._scan()
        at = self._starts.get(pointer)
        return None if at is None else self.at_offset(at)

    def at_offset(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset."""
        before = self._text.count("\n", 0, offset)
        return before + 1, offset - (self._text.rfind("\n", 0, offset) + 1) + 1

    def _scan(self) -> dict[str, int]:
        starts: dict[str, int] = {}
        # One entry for each open object or array: its pointer, and the key or index of the value that comes next.
        stack: list[list[str | int | None]] = []
        pointers: list[str] = []
        key_next: str | None = None
        for match in _TOKEN.finditer(self._text):
            token = match.group()
            top = stack[-1] if stack else None
            if token in "}]":
                if stack:
                    stack.pop()
                    pointers.pop()
                continue
            if token == ",":
                if top and top[0] == "[":
                    top[1] = int(top[1] or 0) + 1
                key_next = None
                continue
            if token == ":":
                continue
            if top and top[0] == "{" and key_next is None and token[0] == '"':
                key_next = escape(_unquoted(token))
                continue
            step = "" if top is None else f"/{key_next if top[0] == '{' else top[1]}"
            pointer = (pointers[-1] if pointers else "") + step
            starts.setdefault(pointer, match.start())
            if token in "{[":
                stack.append([token, 0])
                pointers.append(pointer)
            key_next = None
        return starts


def _unquoted(token: str) -> str:
    import json

    try:
        return str(json.loads(token))
    except ValueError:
        return token[1:-1]
