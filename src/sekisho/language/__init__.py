"""Sentences for people, in English and Japanese: ``say(key, values, language)``. Pure; one catalogue a language, with the same keys.

A message is a text with ``{name}`` where a value goes. A list is joined as the language joins them; of a long one the rest is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from sekisho.language import en, ja, pages_en, pages_ja

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
CATALOGUES: Mapping[Language, Mapping[str, str]] = {"en": {**en.MESSAGES, **pages_en.MESSAGES}, "ja": {**ja.MESSAGES, **pages_ja.MESSAGES}}

SHOWN = 5
"""Names that a sentence lists before it counts the rest."""

_AND, _COMMA, _MORE = {"en": " and ", "ja": "、"}, {"en": ", ", "ja": "、"}, {"en": "{n} more", "ja": "ほか{n}件"}


def say(key: str, values: Mapping[str, str | int | Sequence[str]] | None = None, language: Language = "en") -> str:
    """The sentence of a key with its values filled in. Raises KeyError for a key or a value that isn't there.

    >>> say("severity.high", {}, "ja")
    '高'
    """
    filled = {name: value if isinstance(value, str | int) else listed(value, language) for name, value in (values or {}).items()}
    return CATALOGUES[language][key].format_map(filled)


def listed(values: Sequence[str], language: Language = "en") -> str:
    """Several names as one text.

    >>> listed(("a", "b", "c")), listed([str(n) for n in range(100)])
    ('a, b and c', '0, 1, 2, 3, 4 and 95 more')
    """
    *names, last = values or ("-",)
    if len(values) > SHOWN + 1:
        names, last = list(values[:SHOWN]), _MORE[language].replace("{n}", str(len(values) - SHOWN))
    return _COMMA[language].join(names) + _AND[language] + last if names else last


def language_of(given: str | None, environment: Mapping[str, str], *, terminal: bool) -> Language:
    """The language to speak: as asked for; on a terminal, Japanese where LC_ALL, LC_MESSAGES or LANG says so."""
    if given in LANGUAGES:
        return given
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or ""
    return "ja" if terminal and locale.startswith("ja") else "en"
