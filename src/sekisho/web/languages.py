"""Which language a browser is spoken to in: what it asks for, among those that there are texts in."""

from __future__ import annotations

from collections.abc import Mapping

from sekisho.language import LANGUAGES, Language

NAMES: Mapping[Language, str] = {"en": "English", "ja": "日本語"}
"""Each language's own name for itself."""


def preferred(accept_language: str) -> Language:
    """The language that an Accept-Language header likes best among ours; English where it likes none.

    >>> preferred("fr, ja;q=0.8, en;q=0.5")
    'ja'
    """
    best: Language = "en"
    best_weight = 0.0
    for part in accept_language.split(",")[:20]:
        tag, _, parameter = part.strip().partition(";")
        name, _, number = parameter.strip().partition("=")
        try:
            weight = float(number) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        code = next((c for c in LANGUAGES if c == tag.strip().lower().partition("-")[0]), None)
        if code is not None and weight > best_weight:
            best, best_weight = code, weight
    return best
