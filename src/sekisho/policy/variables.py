"""Policy variables ${key}, their defaults, and the literals ${*} ${?} ${$} (B-10 to B-15)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sekisho.policy.keys import MANY
from sekisho.policy.pattern import Piece

type_of_context = Mapping[str, "str | tuple[str, ...]"]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_WITH_DEFAULT = re.compile(r"^\s*([^,']+?)\s*,\s*'(.*)'\s*$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Variable:
    """``${key}`` or ``${key, 'default'}``; ``key`` in lower case (B-11), ``name`` as written."""

    key: str
    name: str
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """Policy text with its variables picked out. ``parts`` are pieces of text and variables, in order."""

    parts: tuple[Piece | Variable, ...]

    @property
    def variables(self) -> tuple[Variable, ...]:
        return tuple(p for p in self.parts if isinstance(p, Variable))

    def expand(self, context: type_of_context) -> list[Piece] | None:
        """The text with each variable replaced by its value, taken literally (B-11); no recursion.

        None when a variable has no value and no default (B-14), or its key holds several values.
        """
        pieces: list[Piece] = []
        for part in self.parts:
            if isinstance(part, Piece):
                pieces.append(part)
                continue
            value = context.get(part.key)
            if not isinstance(value, str) or part.key in MANY:
                if part.default is None:
                    return None
                value = part.default
            pieces.append(Piece(value, literal=True))
        return pieces


def template(text: str, *, expands: bool) -> Template:
    """Read ``text``; with ``expands`` False (version 2008-10-17, or an element without variables) ``${…}`` stays as it is.

    >>> template("user/${aws:username}", expands=True).variables[0].key
    'aws:username'
    """
    if not expands or "${" not in text:
        return Template((Piece(text),))
    parts: list[Piece | Variable] = []
    at = 0
    for match in _VARIABLE.finditer(text):
        if match.start() > at:
            parts.append(Piece(text[at : match.start()]))
        inner = match.group(1)
        if inner in ("*", "?", "$"):
            parts.append(Piece(inner, literal=True))
        else:
            with_default = _WITH_DEFAULT.match(inner)
            name, default = with_default.groups() if with_default else (inner.strip(), None)
            parts.append(Variable(name.lower(), name, default))
        at = match.end()
    if at < len(text):
        parts.append(Piece(text[at:]))
    return Template(tuple(parts))
