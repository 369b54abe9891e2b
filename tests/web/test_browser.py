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

from sandbox.people import Sandbox
from sekisho.language import CATALOGUES

from .visitor import FIRST_PASSWORD, PASSWORD, ROLE, J, T, Visitor

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright isn't installed: pip install playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
    pytest.mark.xdist_group("chromium"),
]
AXE = (Path(__file__).parent / "axe" / "axe.min.js").read_text(encoding="utf-8")
DOCS = Path(__file__).parents[2] / "docs" / "console"
WIDE, NARROW = {"width": 800, "height": 560}, {"width": 375, "height": 700}


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


def come_from(page: Any, place: str) -> None:
    page.locator(".from summary").click()
    page.locator(f".from input[value='{place}']").check()
    page.locator(".from form button").click()


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_article_step_by_step(article: Sandbox, chromium: Any, language: str, tmp_path: Path) -> None:
    said = CATALOGUES[language]  # type: ignore[index]
    folder = DOCS if os.environ.get("SEKISHO_PHOTOS") else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    phone = Visitor(article)  # keeps the seed and makes the codes
    page = opened(chromium, article, language)
    taken: list[str] = []

    def photograph(name: str, *, alert: bool = False) -> None:
        if alert:
            page.get_by_role("alert").first.scroll_into_view_if_needed()
        else:
            page.evaluate("() => scrollTo(0, 0)")
        taken.append(name)
        page.screenshot(path=folder / f"{language}-{len(taken):02}-{name}.png")
        look_over(page, f"{language} {name}")

    def press(key: str) -> None:
        page.locator("main").get_by_role("button", name=said[key], exact=True).click()

    photograph("sign-in")
    page.get_by_label(said["signin.user"]).fill("test-user")
    page.get_by_label(said["signin.password"]).fill(FIRST_PASSWORD)
    press("signin.go")
    photograph("first-password")
    page.get_by_label(said["password.old"], exact=True).fill(FIRST_PASSWORD)
    page.get_by_label(said["password.new"], exact=True).fill(PASSWORD)
    page.get_by_label(said["password.again"], exact=True).fill(PASSWORD)
    press("password.change")
    photograph("home-without-mfa")
    page.get_by_role("link", name=said["nav.security"], exact=True).click()
    photograph("security")
    press("device.make")
    page.locator("details", has_text=said["enrol.no_camera"]).locator("summary").click()
    phone.seed = page.locator(".seed").inner_text()
    page.locator("details", has_text=said["enrol.no_camera"]).locator("summary").click()
    assert page.get_by_alt_text(said["enrol.qr"]).evaluate("image => image.naturalWidth") > 100, "the picture is there"
    photograph("enrol")
    page.get_by_label(said["enrol.first"]).fill(phone.code())
    page.get_by_label(said["enrol.second"]).fill(phone.code())
    press("enrol.go")
    page.get_by_text(said["device.enabled"]).wait_for()
    page.get_by_role("button", name=said["base.sign_out"]).click()
    page.get_by_label(said["signin.user"]).fill("test-user")
    page.get_by_label(said["signin.password"]).fill(PASSWORD)
    press("signin.go")
    photograph("mfa")
    page.get_by_label(said["mfa.code"]).fill(phone.code())
    press("mfa.go")
    photograph("home-with-mfa")
    page.locator("main").get_by_role("link", name=ROLE).click()
    page.get_by_label(said["switch.display"], exact=True).fill("production")
    page.get_by_label(said["color.red"]).check()
    photograph("switch-role")
    press("switch.go")
    page.get_by_role("heading", name="production").wait_for()
    photograph("switched")
    page.get_by_role("link", name=said["nav.call"]).click()
    press("call.go")
    page.get_by_text(f"assumed-role/{ROLE}/test-user").first.wait_for()
    photograph("call")
    page.get_by_role("link", name=said["nav.roles"], exact=True).click()
    photograph("roles")
    page.get_by_role("link", name=ROLE, exact=True).click()
    photograph("role")
    page.get_by_role("button", name=said["switch.back"].format(user="test-user")).click()
    come_from(page, "cafe")
    photograph("cafe")
    page.get_by_role("link", name=said["nav.switch"]).click()
    page.get_by_label(said["switch.account"], exact=True).fill(T)
    page.get_by_label(said["switch.role"], exact=True).fill(ROLE)
    press("switch.go")
    assert said["switch.refused"] in page.get_by_role("alert").inner_text()
    photograph("refused", alert=True)
    page.get_by_role("link", name=said["why.link"]).click()
    assert "NotIpAddress" in page.locator("mark").first.inner_text()
    photograph("why")
    page.get_by_role("link", name=said["nav.security"], exact=True).click()
    press("device.make")
    photograph("no-mfa-settings", alert=True)
    come_from(page, "office")
    page.locator("main").wait_for()
    assert all((folder / f"{language}-{i:02}-{name}.png").stat().st_size > 5_000 for i, name in enumerate(taken, 1))
    refused = [c for c in page.complaints if "403" not in c]
    assert refused == [], "nothing that the page's policy forbids is asked for"
    page.context.close()


def test_every_page_by_keyboard_alone(article: Sandbox, chromium: Any) -> None:
    """Signing in with Tab and Enter; then on each page all that can be used is reached in the order of the text, and seen to be."""
    page = opened(chromium, article, "en")
    page.keyboard.type("test-user")
    page.keyboard.press("Tab")
    page.keyboard.type(FIRST_PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_label("Old password").wait_for()
    page.get_by_label("Old password").focus()
    for text in (FIRST_PASSWORD, PASSWORD, PASSWORD):
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Home").wait_for()
    for path in ("home", "switchrole", "security", "users", "groups", "roles", "call", "trail"):
        page.goto(f"{article.endpoint}/console/{path}")
        walked = tabbed(page)
        wanted = page.evaluate(
            """() => [...document.querySelectorAll('a[href], button, input:not([type=hidden]), select, summary, [tabindex="0"]')]
              .filter(e => e.checkVisibility() && !(e.type === 'radio' && !e.checked)).map(e => e.outerHTML.slice(0, 120))"""
        )
        assert walked == wanted, path
    page.goto(f"{article.endpoint}/console/home")
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.context.close()


def tabbed(page: Any) -> list[str]:
    """What Tab reaches, one after the other; each of it shows where one is."""
    reached: list[str] = []
    page.evaluate("() => { document.activeElement.blur(); window.getSelection().removeAllRanges(); }")
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


