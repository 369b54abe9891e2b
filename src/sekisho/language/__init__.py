"""What people read, in their language: texts by key, from one file for each subject and language (``pages.ja.toml``).

A text names its values in braces. Each subject has the same keys and the same values in every language; a test holds that.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

LANGUAGES: Mapping[str, str] = {"en": "English", "ja": "日本語"}
"""Code → the language's own name for itself."""


def say(key: str, values: Mapping[str, Any] | None = None, language: str = "en") -> str:
    """The text of a key with its values filled in; in English where the language is none of ``LANGUAGES``. Raises KeyError for an unknown key.

    >>> say("turn.address", {"address": "203.0.113.10"})
    'from 203.0.113.10'
    """
    text = catalogue(language if language in LANGUAGES else "en")[key]
    return text.format_map(values) if values else text


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """Every text of a language by its key."""
    found: dict[str, str] = {}
    for path in sorted(Path(__file__).parent.glob(f"*.{language}.toml")):
        for key, text in _flat(tomllib.loads(path.read_text(encoding="utf-8"))):
            if key in found:
                raise ValueError(f"{path}: {key} stands in another catalogue too")
            found[key] = text
    return found


def _flat(table: Mapping[str, Any], head: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{head}{key}.")
        else:
            yield head + key, str(value)


def preferred(accept_language: str) -> str:
    """The language that an Accept-Language header likes best among ours; English where it likes none.

    >>> preferred("fr, ja;q=0.8, en;q=0.5")
    'ja'
    """
    best, best_weight = "en", 0.0
    for part in accept_language.split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        name, _, number = parameter.strip().partition("=")
        try:
            weight = float(number) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        code = tag.strip().lower().partition("-")[0]
        if code in LANGUAGES and weight > best_weight:
            best, best_weight = code, weight
    return best
