"""Sentences for people, in English and Japanese: ``say(key, values, language)``. Pure; one catalogue a language, with the same keys.

A message is a text with ``{name}`` where a value goes. A list is joined as the language joins them; of a long one the rest is counted.
Where a text is made before its language is known it is a ``Phrase`` or ``Joined``; ``spoken`` says it. Reasons why something isn't known are
made deep inside, in English, and are said by their sentence in the catalogue (``reason``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from sekisho.language import answers_en, answers_ja, en, ja, pages_en, pages_ja

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = get_args(Language)
CATALOGUES: Mapping[Language, Mapping[str, str]] = {
    "en": {**en.MESSAGES, **pages_en.MESSAGES, **answers_en.MESSAGES}, "ja": {**ja.MESSAGES, **pages_ja.MESSAGES, **answers_ja.MESSAGES}
}  # fmt: skip

SHOWN = 5
"""Names that a sentence lists before it counts the rest."""

_AND, _COMMA, _MORE = {"en": " and ", "ja": "、"}, {"en": ", ", "ja": "、"}, {"en": "{n} more", "ja": "ほか{n}件"}


@dataclass(frozen=True)
class Phrase:
    """A text that waits for its language: a key of the catalogues, and what fills it."""

    key: str
    values: tuple[tuple[str, Text | tuple[Text, ...]], ...] = ()

    def __str__(self) -> str:
        return spoken(self)


@dataclass(frozen=True)
class Joined:
    """Texts one after another, by what the catalogues have under ``list.BY`` between them."""

    parts: tuple[Text, ...]
    by: str = "comma"

    def __str__(self) -> str:
        return spoken(self)


Text = str | int | Phrase | Joined
"""What a sentence is filled with."""


def phrase(key: str, /, **values: Text | tuple[Text, ...]) -> Phrase:
    """A text that waits for its language.

    >>> str(phrase("can.sign_in"))
    'sign in to the console'
    """
    return Phrase(key, tuple(values.items()))


def spoken(text: Text, language: Language = "en") -> str:
    """A text in a language.

    >>> spoken(Joined(("office", phrase("where.public"))), "ja")
    'office、任意のパブリックアドレス'
    """
    if isinstance(text, Phrase):
        return say(text.key, dict(text.values), language)
    if isinstance(text, Joined):
        return say(f"list.{text.by}", {}, language).join(spoken(part, language) for part in text.parts)
    return str(text)


def say(key: str, values: Mapping[str, Text | Sequence[Text]] | None = None, language: Language = "en") -> str:
    """The sentence of a key with its values filled in. Raises KeyError for a key or a value that isn't there.

    >>> say("severity.high", {}, "ja")
    '高'
    """
    filled = {
        name: spoken(value, language) if isinstance(value, Text) else listed([spoken(v, language) for v in value], language)
        for name, value in (values or {}).items()
    }
    return CATALOGUES[language][key].format_map(filled)


def reason(text: str) -> Text:
    """Why something isn't known, as a text for any language; as it is where the catalogue has no such sentence.

    >>> spoken(reason("account 111122223333 is not in the estate"), "ja")
    'アカウント 111122223333 は環境にありません'
    """
    for key, pattern in _reasons():
        found = pattern.fullmatch(text)
        if found is not None:
            return phrase(key, **{name: reason(value) if name == "why" else value for name, value in found.groupdict().items()})
    return text


def reasons(texts: Iterable[str]) -> Joined:
    """Several of them."""
    return Joined(tuple(map(reason, texts)), "semicolon")


@cache
def _reasons() -> tuple[tuple[str, re.Pattern[str]], ...]:
    found = []
    for key, text in answers_en.MESSAGES.items():
        if key.startswith("reason."):
            # A value is as short as it can be, so that of two the first ends where the sentence goes on.
            pattern = "".join(f"(?P<{part[1:-1]}>.+?)" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", text))
            found.append((key, re.compile(pattern, re.DOTALL)))
    return tuple(found)


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
