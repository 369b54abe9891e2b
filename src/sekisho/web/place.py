"""Where the browser says that it comes from, and in which language it is spoken to: two small forms that every page has."""

from __future__ import annotations

from starlette.responses import Response

from sekisho.language import LANGUAGES
from sekisho.sandbox.fault import AwsFault
from sekisho.web.visit import Visit


async def come_from(visit: Visit) -> Response:
    """A vantage point of the file (``place``), or what is written (``other``): an address or a VPC endpoint."""
    written = visit.form.get("other", "").strip() or visit.form.get("place", "")
    try:
        visit.browser.origin = visit.console.networks.read(written)
    except AwsFault:
        visit.browser.notice = ("place.unreadable", {"text": written[:60]})
    return visit.go(back_to(visit))


async def speak(visit: Visit) -> Response:
    visit.browser.language = next((code for code in LANGUAGES if code == visit.form.get("language")), visit.browser.language)
    return visit.go(back_to(visit))


def back_to(visit: Visit) -> str:
    """The page of the console that the form stood on; nothing that leads elsewhere."""
    here = visit.form.get("here", "")
    return here if here.startswith("/console/") and here.isascii() and here.isprintable() and "\\" not in here else "/console"
