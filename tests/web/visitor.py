"""A browser without scripts, for the tests: it keeps cookies as one does, follows links, and fills in the forms that a page has."""

from __future__ import annotations

import http.client
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

import pyotp

from sandbox.people import CAFE, OFFICE, J, Sandbox, T

FIRST_PASSWORD, PASSWORD = "chosen-by-Admin-1", "my-Own-words-22"


@dataclass
class Form:
    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """(text, name and value that pressing it sends)."""


class Page(HTMLParser):
    """An answer as somebody sees it: ``text``, ``forms``, ``links`` (text, address), ``headings``, ``alerts``."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: str, address: str) -> None:
        super().__init__(convert_charrefs=True)
        self.status, self.headers, self.body, self.address = status, headers, body, address
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._texts: list[str] = []
        self.headings: list[str] = []
        self.alerts: list[str] = []
        self.feed(body)
        self.text = re.sub(r"\s+", " ", " ".join(self._texts)).strip()

    def header(self, name: str) -> list[str]:
        return [v for k, v in self.headers if k.lower() == name]

    @property
    def language(self) -> str | None:
        return next((a.get("lang") for t, a in self.tags if t == "html"), None)

    _VOID = ("input", "meta", "link", "br", "img")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.append((tag, given))
        if tag == "form":
            self.forms.append(Form(given.get("action") or "", (given.get("method") or "get").upper()))
        elif tag == "input" and self.forms and given.get("name"):
            chosen = given.get("type") != "radio" or "checked" in given
            if chosen:
                self.forms[-1].fields[str(given["name"])] = given.get("value") or ""
        elif tag == "select" and self.forms:
            self.forms[-1].fields[str(given["name"])] = ""
        if tag not in self._VOID:
            self._open.append((tag, given, []))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            name, given, texts = self._open.pop()
            text = re.sub(r"\s+", " ", "".join(texts)).strip()
            if self._open:
                self._open[-1][2].append(" ".join(texts))
            if name == "a" and given.get("href"):
                self.links.append((text, str(given["href"])))
            elif name == "button" and self.forms:
                sent = {str(given["name"]): given.get("value") or ""} if given.get("name") else {}
                self.forms[-1].buttons.append((text, sent))
            elif name in ("h1", "h2"):
                self.headings.append(text)
            if given.get("role") == "alert":
                self.alerts.append(text)
            if name == tag:
                break

    def handle_data(self, data: str) -> None:
        self._texts.append(data)
        if self._open:
            self._open[-1][2].append(data)

    def form(self, action: str, **having: str) -> Form:
        """The form that goes to ``action`` and has these fields."""
        found = [f for f in self.forms if f.action == action and having.items() <= f.fields.items()]
        assert found, f"no form to {action} in {self.address}: {[f.action for f in self.forms]}"
        return found[0]


class Visitor:
    """``language``: what the browser asks for. Every answer is kept in ``seen``."""

    def __init__(self, sandbox: Sandbox, language: str = "en") -> None:
        self.sandbox = sandbox
        self.host, self.port = "127.0.0.1", sandbox.server.port
        self.language = language
        self.seed = ""
        self._step = 0
        self.cookies: dict[str, str] = {}
        self.set_cookies: list[str] = []
        self.seen: list[Page] = []
        self.page: Page

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    def send(self, method: str, path: str, body: str | None = None, **headers: str) -> Page:
        """One request, no redirect followed. Headers by name with _ for -; an empty one is left out."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        sent = {
            "accept": "text/html", "accept-language": self.language, "user-agent": "Visitor/1.0",
            "cookie": "; ".join(f"{k}={v}" for k, v in self.cookies.items()) if path.startswith("/console") else "",
        }  # fmt: skip
        if method == "POST":
            sent |= {"content-type": "application/x-www-form-urlencoded", "origin": self.origin}
        sent |= {k.replace("_", "-"): v for k, v in headers.items()}
        try:
            connection.request(method, path, body, {k: v for k, v in sent.items() if v})
            answer = connection.getresponse()
            given = answer.getheaders()
            page = Page(answer.status, given, answer.read().decode("utf-8"), path)
        finally:
            connection.close()
        for name, value in given:
            if name.lower() == "set-cookie":
                self.set_cookies.append(value)
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        self.seen.append(page)
        return page

    def _follow(self, page: Page) -> Page:
        for _ in range(6):
            if page.status not in (302, 303):
                break
            page = self.send("GET", urlsplit(urljoin(page.address, page.header("location")[0]))._replace(scheme="", netloc="").geturl())
        self.page = page
        return page

    def open(self, path: str) -> Page:
        return self._follow(self.send("GET", path))

    def submit(self, action: str, having: dict[str, str] | None = None, **fields: str) -> Page:
        """Fill in the form of the page that goes to ``action`` and send it."""
        form = self.page.form(action, **(having or {}))
        assert form.method == "POST"
        return self._follow(self.send("POST", action, urlencode({**form.fields, **fields})))

    def click(self, text: str) -> Page:
        """Follow the first link with this text."""
        return self.open(next(address for said, address in self.page.links if said == text))

    # What people do -------------------------------------------------------------------------------------------------

    def come_from(self, where: str) -> Page:
        return self.submit("/console/from", other=where)

    def sign_in(self, account: str, user: str, password: str, code: str | None = None) -> Page:
        self.open("/console/sign-in")
        page = self.submit("/console/sign-in", account=account, user=user, password=password)
        return self.submit("/console/mfa", code=code) if code is not None and page.address == "/console/mfa" else page

    def switch(self, account: str, role: str, **more: str) -> Page:
        self.open("/console/switchrole")
        return self.submit("/console/switchrole", account=account, roleName=role, **more)

    def code(self) -> str:
        """A code of the enrolled device that wasn't used before: the sandbox's time moves on where it has to."""
        step = max(int(self.sandbox.now()) // 30, self._step + 1)
        self.sandbox.later(max(0, step * 30 - self.sandbox.now()))
        self._step = step
        return pyotp.TOTP(self.seed).generate_otp(step)

    def first_sign_in(self) -> Page:
        """As the article's user: the first password, changed at once."""
        self.sign_in(J, "test-user", FIRST_PASSWORD)
        return self.submit("/console/new-password", old=FIRST_PASSWORD, new=PASSWORD, again=PASSWORD)

    def enrol(self) -> Page:
        """A device of one's own, with the seed that the page shows and two codes in a row."""
        self.open("/console/security")
        page = self.submit("/console/security/device")
        found = re.search(r'class="seed">([A-Z2-7]+)<', page.body)
        assert found, page.text
        self.seed = found[1]
        return self.submit("/console/security/device/enable", first=self.code(), second=self.code())

    def with_mfa(self) -> Page:
        """The article's user, enrolled and signed in again with a code."""
        self.first_sign_in()
        self.enrol()
        self.submit("/console/sign-out")
        return self.sign_in(J, "test-user", PASSWORD, self.code())


ROLE = "test-role-admin"
__all__ = ["CAFE", "FIRST_PASSWORD", "OFFICE", "PASSWORD", "ROLE", "J", "Page", "T", "Visitor"]
