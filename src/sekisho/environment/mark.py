"""The mark that Sekisho puts on users and roles: the tag ``sekisho``. It says that they are ours, and which policies on them are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Container, Iterable

MARK = "sekisho"
"""The tag's key. Its value is ``v1`` and a short hash for each attached ARN and inline name that is ours, which fits in 256 characters."""
_VERSION = "v1"
_LENGTH = 6
_ROOM = 253
Tags = tuple[tuple[str, str], ...]


def mark(names: Iterable[str]) -> Tags:
    """The tags of a principal whose policies are ``names``: ARNs of managed ones, names of inline ones.

    >>> mark(["assume-roles"])
    (('sekisho', 'v1 yyuqfk'),)
    """
    shorts = sorted({_short(n) for n in names})
    length = min(_LENGTH, _ROOM // len(shorts) - 1) if shorts else _LENGTH
    return ((MARK, " ".join([_VERSION, *(s[:length] for s in shorts)])),)


def on_group(group: str, name: str) -> str:
    """How a policy of a group stands in the marks of the group's users."""
    return f"{group}/{name}"


def is_marked(tags: Tags) -> bool:
    return any(key == MARK for key, _ in tags)


class _Ours(Container[str]):
    def __init__(self, shorts: tuple[str, ...]) -> None:
        self.shorts = shorts

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _short(name).startswith(self.shorts)


def marks(tags: Tags) -> Container[str]:
    """The ARNs and names that a principal's mark calls ours, to be asked with ``in``."""
    value = dict(tags).get(MARK, "").split()
    return _Ours(tuple(value[1:]) if value[:1] == [_VERSION] else ())


def _short(name: str) -> str:
    return base64.b32encode(hashlib.sha256(name.encode()).digest()).decode()[:_LENGTH].lower()
