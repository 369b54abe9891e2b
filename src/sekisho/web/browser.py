"""One browser: its cookie, its token against forged forms, who is signed in there, where it comes from, and what it was refused.

Kept in memory alone. The cookie's value is random, means nothing by itself, and is another one after each sign-in and sign-out.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

from sekisho.decision import Decision
from sekisho.estate import Estate
from sekisho.language import Language
from sekisho.sandbox.origin import Origin
from sekisho.sandbox.store import Session

MOST = 1000
"""Browsers kept; then the one that was seen longest ago goes, those where nobody is signed in first."""
MOST_REFUSALS = 50
MOST_BOOKMARKS = 5
"""H-04: the console remembers five roles."""
PENDING_S = 300
"""How long a right password waits for its code."""


@dataclass(frozen=True)
class Pending:
    """A right password that waits for the code of a device; it stays on this side and is never in a page."""

    account: str
    user: str
    password: str = field(repr=False)
    until: float


@dataclass(frozen=True)
class Enrolment:
    """A virtual device that was made here and waits for its two codes. ``seed`` and ``picture`` (PNG) as CreateVirtualMFADevice gave them."""

    serial: str
    seed: str = field(repr=False)
    picture: bytes = field(repr=False)


@dataclass(frozen=True)
class Bookmark:
    """A role that somebody switched to: its account (id or alias), path and name, display name and colour (six hex digits)."""

    account: str
    role: str
    display: str
    color: str


@dataclass(frozen=True)
class Refusal:
    """What was refused: AWS's text and, where a decision did it, the decision and the estate that it was made on."""

    id: str
    message: str
    code: str
    decision: Decision | None
    estate: Estate


@dataclass
class Browser:
    """``session`` is the console's sign-in, ``role`` the role session that it switched to; calls are made with the latter where there is one."""

    id: str
    csrf: str
    origin: Origin
    language: Language
    session: Session | None = None
    role: Session | None = None
    switched: Bookmark | None = None
    must_change_password: bool = False
    is_administrator: bool = False
    """Of the sandbox: the token of its access file was given here."""
    pending: Pending | None = None
    enrolment: Enrolment | None = None
    onward: str = ""
    """The page that was asked for before signing in."""
    notice: tuple[str, dict[str, Any]] | None = None
    """What the next page says once: a key of the catalogue and its values."""
    refusals: dict[str, Refusal] = field(default_factory=dict)

    @property
    def acting(self) -> Session | None:
        return self.role or self.session

    @property
    def user_name(self) -> str:
        return self.session.principal.rpartition("/")[2] if self.session else ""

    def remember(self, refusal: Refusal) -> None:
        while len(self.refusals) >= MOST_REFUSALS:
            self.refusals.pop(next(iter(self.refusals)))
        self.refusals[refusal.id] = refusal


class Browsers:
    """All browsers that are known, by the value of their cookies; and each user's recent roles."""

    def __init__(self) -> None:
        self._known: dict[str, Browser] = {}
        self._bookmarks: dict[str, list[Bookmark]] = {}

    def of(self, cookie: str | None) -> Browser | None:
        found = self._known.pop(cookie, None) if cookie else None
        if found is not None:
            self._known[found.id] = found  # seen last
        return found

    def new(self, origin: Origin, language: Language) -> Browser:
        while len(self._known) >= MOST:
            self._known.pop(next((k for k, b in self._known.items() if b.session is None), next(iter(self._known))))
        made = Browser(secrets.token_urlsafe(32), secrets.token_urlsafe(32), origin, language)
        self._known[made.id] = made
        return made

    def renewed(self, browser: Browser) -> Browser:
        """The same place and language under another id, nobody signed in; the old id is no longer good."""
        self._known.pop(browser.id, None)
        return self.new(browser.origin, browser.language)

    def rename(self, browser: Browser) -> None:
        """The same browser under another id and with another token; the old ones are no longer good."""
        self._known.pop(browser.id, None)
        browser.id, browser.csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self._known[browser.id] = browser

    def bookmarks(self, user_arn: str) -> list[Bookmark]:
        return self._bookmarks.get(user_arn, [])

    def bookmark(self, user_arn: str, added: Bookmark) -> None:
        """Newest first, each role once."""
        others = [b for b in self.bookmarks(user_arn) if (b.account, b.role) != (added.account, added.role)]
        self._bookmarks[user_arn] = [added, *others][:MOST_BOOKMARKS]
