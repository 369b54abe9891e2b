"""What the console says, in two languages: the same keys, the same values in them, and every key that a page asks for."""

from __future__ import annotations

import re
import string
from pathlib import Path

import sekisho.web
from sandbox.people import Sandbox
from sekisho.language import CATALOGUES, pages_en, pages_ja

from .visitor import Visitor

PAGES = Path(sekisho.web.__file__).parent


def values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_have_the_same_keys_and_values() -> None:
    assert pages_en.MESSAGES.keys() == pages_ja.MESSAGES.keys()
    assert {k: values(v) for k, v in pages_en.MESSAGES.items()} == {k: values(v) for k, v in pages_ja.MESSAGES.items()}


def test_japanese_is_japanese() -> None:
    """No text is left in English but names and signs."""
    left = [k for k, v in pages_ja.MESSAGES.items() if not re.search("[぀-ヿ一-鿿]", v)]
    assert left == ["base.as_role", "nav.trail", "home.title", "fact.arn", "call.which"]


def test_every_key_that_a_page_asks_for_is_there() -> None:
    texts = [p.read_text(encoding="utf-8") for p in [*PAGES.glob("*.py"), *PAGES.glob("templates/*.html")]]
    asked = {m[1] for text in texts for m in re.finditer(r"""\b(?:t|say)\(\s*["']([a-z_.]+[a-z])["']""", text)}
    asked |= {m[1] for text in texts for m in re.finditer(r"""(?:title|text)="([a-z_]+\.[a-z_]+)\"""", text)}
    asked |= {m[1] for text in texts for m in re.finditer(r"""notice = \("([a-z_.]+)\"""", text)}
    assert len(asked) > 100
    assert asked - CATALOGUES["en"].keys() == set()


def test_the_language_is_what_the_browser_asks_for(plain: Sandbox) -> None:
    asked = {
        "ja": "ja", "ja-JP,en;q=0.5": "ja", "en-GB": "en", "fr, ja;q=0.8, en;q=0.5": "ja", "fr": "en", "": "en", "ja;q=0, en": "en", "ja;q=x": "en",
        "*": "en", "," * 5000: "en",
    }  # fmt: skip
    assert {header: Visitor(plain, header).open("/console/sign-in").language for header in asked} == asked


def test_the_switch_in_the_footer_stays(plain: Sandbox) -> None:
    visitor = Visitor(plain, "en")
    visitor.open("/console/sign-in")
    assert visitor.submit("/console/language", language="ja").language == "ja"
    assert visitor.open("/console/sign-in").language == "ja"
    assert visitor.submit("/console/language", language="xx").language == "ja"
