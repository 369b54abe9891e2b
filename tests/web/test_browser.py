"""The article in a real browser, from the first sign-in to the refusal: photographed, looked over by axe, narrow, dark, and by keyboard alone.

Needs Debian's chromium and Playwright; without them these tests are skipped and say so. With SEKISHO_PHOTOS=1 the photographs are those of
``docs/console/``.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.people import J, Person, Sandbox, T, allow
from sekisho.language import CATALOGUES

from .conftest import the_article
from .visitor import FIRST_PASSWORD, PASSWORD, ROLE, Visitor

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright isn't installed: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
    pytest.mark.xdist_group("chromium"),
]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
DOCS = Path(__file__).parents[2] / "docs" / "console"
WIDE, NARROW, TALLEST = {"width": 960, "height": 560}, {"width": 375, "height": 700}, 1200


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"])
        yield browser
        browser.close()


def opened(chromium: Any, sandbox: Sandbox, language: str) -> Any:
    """A browser of somebody who reads this language, on the sign-in page; what its console complains of is kept in ``page.complaints``."""
    context = chromium.new_context(locale={"en": "en-GB", "ja": "ja-JP"}[language], viewport=WIDE)
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.goto(f"{sandbox.endpoint}/")
    return page


def faults(page: Any) -> list[str]:
    """What axe finds serious or critical on a page. It is evaluated from outside, so the page's own policy stays in force."""
    page.evaluate(AXE)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{v['id']}: {node['html'][:150]} {node.get('failureSummary', '')[:150]}"
        for v in found["violations"] if v["impact"] in ("serious", "critical") for node in v["nodes"]
    ]  # fmt: skip


def look_over(page: Any, name: str) -> None:
    """Wide and light, narrow and dark (in English: the colours are the same): no fault, and nothing is wider than the window."""
    assert faults(page) == [], name
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme="dark")
    if name.startswith("en"):
        assert faults(page) == [], f"{name}, narrow and dark"
    widest = page.evaluate("() => document.scrollingElement.scrollWidth")
    assert widest <= NARROW["width"], f"{name} is {widest} px wide"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)


class Reader:
    """Somebody who reads one language and walks the article in a browser, page by page; each is photographed and looked over."""

    def __init__(self, chromium: Any, language: str, folder: Path) -> None:
        self.chromium, self.language, self.folder = chromium, language, folder
        self.said = CATALOGUES[language]  # type: ignore[index]
        self.taken: list[str] = []
        self.page: Any = None

    def visit(self, sandbox: Sandbox) -> None:
        """A fresh browser on a sandbox's sign-in page; the one before had nothing to complain of."""
        self.leave()
        self.page = opened(self.chromium, sandbox, self.language)

    def leave(self) -> None:
        if self.page is not None:
            assert [c for c in self.page.complaints if "403" not in c] == [], "nothing that the page's policy forbids is asked for"
            self.page.context.close()

    def photograph(self, name: str) -> None:
        height = self.page.evaluate("() => document.documentElement.scrollHeight")
        self.taken.append(name)
        file = self.folder / f"{self.language}-{len(self.taken):02}-{name}.png"
        clip = {"x": 0, "y": 0, "width": WIDE["width"], "height": min(max(height, WIDE["height"]), TALLEST)}
        self.page.screenshot(path=file, full_page=True, clip=clip)
        assert file.stat().st_size > 5_000
        look_over(self.page, f"{self.language} {name}")

    def go(self, link_or_button: Any) -> None:
        """Click, and be on the page that it leads to."""
        with self.page.expect_navigation():
            link_or_button.click()

    def press(self, key: str) -> None:
        self.go(self.page.locator("main").get_by_role("button", name=self.said[key], exact=True))

    def follow(self, key: str) -> None:
        self.go(self.page.get_by_role("link", name=self.said[key], exact=True).first)

    def fill(self, key: str, text: str) -> None:
        self.page.get_by_label(self.said[key], exact=True).fill(text)

    def sign_in(self, password: str, code: str = "", user: str = "test-user") -> None:
        self.fill("signin.user", user)
        self.fill("signin.password", password)
        self.press("signin.go")
        if code:
            self.fill("mfa.code", code)
            self.press("mfa.go")

    def switch(self) -> None:
        self.follow("nav.switch")
        self.fill("switch.account", T)
        self.fill("switch.role", ROLE)
        self.press("switch.go")

    def alert(self) -> str:
        text: str = self.page.get_by_role("alert").first.inner_text()
        return text

    def come_from(self, place: str) -> None:
        self.page.locator(".from summary").click()
        self.page.locator(f".from input[value='{place}']").check()
        self.go(self.page.locator(".from form button"))
        assert self.page.locator(".from summary strong").inner_text() == place


def enrolled(sandbox: Sandbox) -> Visitor:
    """The phone of the article's user, whose device is enrolled; and an administrator who may read IAM and CloudTrail."""
    phone = Visitor(sandbox)
    phone.first_sign_in()
    phone.enrol()
    sandbox.user("administrator", allow(["iam:Get*", "iam:List*", "cloudtrail:LookupEvents"]))
    return phone


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_article_step_by_step(chromium: Any, language: str, tmp_path: Path) -> None:
    """Its figures in its order: the set-up without a restriction, then each way to restrict it, tried from the cafe."""
    folder = DOCS if os.environ.get("SEKISHO_PHOTOS") else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    reader = Reader(chromium, language, folder)
    with the_article("none", tmp_path) as sandbox:
        without_restriction(reader, sandbox)
    for walk, method in ((method_1, "method 1"), (method_2, "method 2"), (method_3, "method 3")):
        with the_article(method, tmp_path) as sandbox:
            walk(reader, sandbox, enrolled(sandbox))
    reader.leave()
    assert len(reader.taken) == 25


def without_restriction(reader: Reader, sandbox: Sandbox) -> None:
    said, phone = reader.said, Visitor(sandbox)  # the phone keeps the seed and makes the codes
    reader.visit(sandbox)
    page = reader.page
    reader.photograph("sign-in")
    reader.sign_in(FIRST_PASSWORD)
    reader.photograph("first-password")
    reader.fill("password.old", FIRST_PASSWORD)
    reader.fill("password.new", PASSWORD)
    reader.fill("password.again", PASSWORD)
    reader.press("password.change")
    reader.photograph("home-without-mfa")
    reader.follow("nav.groups")
    assert "iam:ListGroups" in reader.alert(), "few rights in IAM, and no others"
    reader.photograph("few-rights")
    reader.follow("nav.security")
    reader.photograph("security")
    reader.press("device.make")
    secret = page.locator("details", has_text=said["enrol.no_camera"])
    secret.locator("summary").click()
    phone.seed = page.locator(".seed").inner_text()
    secret.locator("summary").click()
    assert page.get_by_alt_text(said["enrol.qr"]).evaluate("image => image.naturalWidth") > 100, "the picture is there"
    reader.photograph("enrol")
    reader.fill("enrol.first", phone.code())
    reader.fill("enrol.second", phone.code())
    reader.press("enrol.go")
    page.get_by_text(said["device.enabled"]).wait_for()
    reader.photograph("enrolled")
    reader.go(page.get_by_role("button", name=said["base.sign_out"]))
    reader.sign_in(PASSWORD)
    reader.photograph("mfa")
    reader.fill("mfa.code", phone.code())
    reader.press("mfa.go")
    reader.photograph("home-with-mfa")
    reader.go(page.locator("main").get_by_role("link", name=ROLE))
    reader.fill("switch.display", "production")
    page.get_by_label(said["color.red"]).check()
    reader.photograph("switch-role")
    reader.press("switch.go")
    page.get_by_role("heading", name="production").wait_for()
    reader.photograph("switched")
    reader.follow("nav.call")
    reader.press("call.go")
    page.get_by_text(f"assumed-role/{ROLE}/test-user").first.wait_for()
    reader.photograph("call")
    reader.follow("nav.roles")
    reader.photograph("roles")


def method_1(reader: Reader, sandbox: Sandbox, phone: Visitor) -> None:
    """A Deny on the jump account's group: the sign-in works, and nothing after it does."""
    reader.visit(sandbox)
    reader.sign_in(Person.PASSWORD, user="administrator")
    reader.follow("nav.groups")
    reader.go(reader.page.get_by_role("link", name="test-group", exact=True))
    reader.photograph("method-1-group")
    reader.go(reader.page.get_by_role("link", name="deny-outside-networks"))
    assert "NotIpAddress" in reader.page.locator("pre").inner_text()
    reader.photograph("method-1-policy")
    reader.visit(sandbox)
    reader.come_from("cafe")
    reader.sign_in(PASSWORD, phone.code())
    reader.photograph("method-1-signed-in-at-the-cafe")
    reader.follow("nav.security")
    reader.press("device.make")
    assert "iam:CreateVirtualMFADevice" in reader.alert()
    reader.photograph("method-1-no-mfa-settings")
    reader.follow("why.link")
    assert "NotIpAddress" in reader.page.locator("mark").first.inner_text()
    reader.photograph("method-1-why")


def method_2(reader: Reader, sandbox: Sandbox, phone: Visitor) -> None:
    """A condition in the role's trust policy: one's own settings work from everywhere, the switch does not."""
    reader.visit(sandbox)
    reader.sign_in(PASSWORD, phone.code())
    reader.switch()
    reader.follow("nav.roles")
    reader.go(reader.page.get_by_role("link", name=ROLE, exact=True))
    reader.photograph("method-2-role")
    reader.go(reader.page.get_by_role("button", name=reader.said["switch.back"].format(user="test-user")))
    reader.come_from("cafe")
    reader.follow("nav.security")
    assert reader.page.get_by_role("alert").count() <= 1, "the devices are there; access keys the article's user never had"
    reader.photograph("method-2-mfa-settings")
    reader.switch()
    assert reader.said["switch.refused"] in reader.alert()
    reader.photograph("method-2-refused")
    reader.follow("why.link")
    assert "NotIpAddress" in reader.page.locator("mark").first.inner_text()
    reader.photograph("method-2-why")
    reader.visit(sandbox)
    reader.sign_in(Person.PASSWORD, user="administrator")
    reader.follow("nav.trail")
    record = reader.page.locator(".records > li", has_text="AssumeRole").filter(has_text="AccessDenied").first
    record.locator("summary").click()
    assert '"mfaAuthenticated": "true"' in record.locator("pre").inner_text(), "though there was a second factor, as the article shows"
    reader.photograph("method-2-trail")


def method_3(reader: Reader, sandbox: Sandbox, phone: Visitor) -> None:
    """A resource-based policy of AWS Sign-In: the sign-in itself is refused."""
    reader.visit(sandbox)
    reader.come_from("cafe")
    reader.sign_in(PASSWORD)
    assert reader.said["signin.not_from_here"] in reader.alert()
    reader.photograph("method-3-refused")
    reader.come_from("office")
    reader.sign_in(PASSWORD, phone.code())
    assert reader.page.locator("main").get_by_role("link", name=ROLE).count() == 1, "from the office all is as before"
    reader.follow("admin.title")
    reader.fill("admin.token", sandbox.server.aws.administration_token)
    reader.press("admin.go")
    reader.photograph("administration")


PATHS = (
    "new-password", "home", "switchrole", "security", "security/device", "users", "users/test-user", "groups", "roles", "policy?user=test-user&name=x",
    "call", "trail", "administration/token", "administration",
)  # fmt: skip


def test_every_page_by_keyboard_alone(article: Sandbox, chromium: Any) -> None:
    """From the sign-in to the administration with Tab and Enter alone; on each page all that can be used is reached in the order of the text, and
    seen to be."""
    page = opened(chromium, article, "en")
    press, write = page.keyboard.press, page.keyboard.type
    reach(page, "sign-in")
    page.reload()
    page.wait_for_function("() => document.activeElement.id === 'user'")  # the caret stands where one writes
    write("test-user")
    press("Tab")
    write(FIRST_PASSWORD)
    press("Enter")
    page.get_by_label("Old password").wait_for()
    for path in PATHS:
        page.goto(f"{article.endpoint}/console/{path}")
        reach(page, path)
        if path == "new-password":
            tab_to(page, "Old password")
            for text in (FIRST_PASSWORD, PASSWORD, PASSWORD):
                write(text)
                press("Tab")
            press("Enter")
            page.get_by_role("link", name="Home", exact=True).wait_for()
        elif path == "security":
            tab_to(page, "Assign MFA device")
            press("Enter")
            page.get_by_role("heading", name="Set up the device").wait_for()
        elif path == "administration/token":
            tab_to(page, "Administration token")
            write(article.server.aws.administration_token)
            press("Enter")
            page.get_by_role("heading", name="Newest CloudTrail records").wait_for()
    page.goto(f"{article.endpoint}/console/users")
    tab_to(page, "You come from")
    press("Enter")
    tab_to(page, "office 203")  # the places are one stop; arrows choose
    press("ArrowDown")
    press("ArrowDown")
    press("Enter")
    page.locator(".from summary strong", has_text="cafe").wait_for()
    page.locator(".refusal").wait_for()
    tab_to(page, "Why?")
    press("Enter")
    page.get_by_role("heading", name="Why this was refused").wait_for()
    reach(page, "why")
    page.goto(f"{article.endpoint}/console/home")
    press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "To the content"
    press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.context.close()


def reach(page: Any, path: str) -> None:
    walked = tabbed(page)
    wanted = page.evaluate(
        """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]')]
          .filter(e => e.checkVisibility() && !(e.type === 'radio' && !e.checked)).map(e => e.outerHTML.slice(0, 120))"""
    )
    assert walked == wanted, path


def tab_to(page: Any, name: str) -> None:
    """Press Tab until what has this name, or this label, has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        text = page.evaluate(
            """() => { const e = document.activeElement;
              return e === document.body ? '' : `${e.labels?.[0]?.textContent ?? ''} ${e.textContent} ${e.value ?? ''}`; }"""
        )
        if name in text:
            return
    raise AssertionError(f"Tab never comes to {name}")


def tabbed(page: Any) -> list[str]:
    """What Tab reaches, one after the other; each of it shows where one is."""
    reached: list[str] = []
    # From the top of the page, wherever the caret was put by the page itself.
    page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex'); }")
    for _ in range(80):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const e = document.activeElement; if (!e || e === document.body) return null;
              return [e.outerHTML.slice(0, 120), getComputedStyle(e).outlineStyle !== 'none']; }"""
        )
        if at is None or (reached and at[0] == reached[0]):
            break
        assert at[1], f"nobody sees the focus on {at[0]}"
        reached.append(at[0])
    return reached


def test_a_frame_of_another_site_stays_empty(article: Sandbox, chromium: Any) -> None:
    """Clickjacking: the browser itself refuses."""
    page = opened(chromium, article, "en")
    page.goto("about:blank")
    page.set_content(f'<iframe src="{article.endpoint}/console/sign-in"></iframe>')
    page.wait_for_timeout(500)
    assert not [f for f in page.frames if "sign-in" in f.url and f.query_selector("form")]
    page.context.close()


def test_a_form_of_another_site_comes_without_the_cookie(plain: Sandbox, chromium: Any) -> None:
    """CSRF in the browser that people have: SameSite, and the Origin that it sends."""
    person = plain.user("alice")
    page = opened(chromium, plain, "en")
    page.get_by_label("Account ID or alias").fill(J)
    page.get_by_label("IAM user name").fill("alice")
    page.get_by_label("Password").fill(person.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="alice").wait_for()
    other = page.context.new_page()
    other.set_content(f'<form method="post" action="{plain.endpoint}/console/sign-out"><button>win</button></form>')
    other.get_by_role("button").click()
    other.wait_for_url(re.compile("sign-out"))
    page.reload()
    page.get_by_role("heading", name="alice").wait_for()
    page.context.close()


