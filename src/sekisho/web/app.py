"""The console as an ASGI application: which page is where and for whom, and what every answer carries to be safe.

A page works without a script, so none may run: the content security policy allows styles of our own and nothing else. Every form carries
the browser's token; a POST from another origin, or to another name of this machine than its own, is refused.
"""

from __future__ import annotations

import hmac
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, quote

from markupsafe import escape
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from sekisho.environment import Environment
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Pages, is_this_machine
from sekisho.sandbox.signin import caller_of
from sekisho.web import administration, calling, directory, place, roles, security, signing_in, why
from sekisho.web.browser import Browsers
from sekisho.web.languages import preferred
from sekisho.web.networks import Networks
from sekisho.web.visit import Console, Visit

MAX_FORM = 64 * 1024
"""Bytes of a form; a larger one is refused."""
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # Not no-referrer: browsers would then send "Origin: null" with a form of our own.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}

Handler = Callable[[Visit], Awaitable[Response]]
For = Literal["anyone", "new-password", "signed-in", "administrator"]


@dataclass(frozen=True)
class Page:
    """A path, who may see it, and what answers a GET and a POST. ``new-password``: somebody who still has to change a first password;
    ``administrator``: who gave the sandbox's token, signed in or not."""

    path: str
    who: For
    get: Handler | None = None
    post: Handler | None = None


PAGES = (
    Page("/console", "anyone", signing_in.start),
    Page("/console/sign-in", "anyone", signing_in.form, signing_in.sign_in),
    Page("/console/mfa", "anyone", signing_in.code_form, signing_in.give_code),
    Page("/console/sign-out", "anyone", None, signing_in.sign_out),
    Page("/console/from", "anyone", None, place.come_from),
    Page("/console/language", "anyone", None, place.speak),
    Page("/console/new-password", "new-password", signing_in.password_form, signing_in.change_password),
    Page("/console/home", "signed-in", roles.home),
    Page("/console/switchrole", "signed-in", roles.form, roles.switch),
    Page("/console/switchback", "signed-in", None, roles.back),
    Page("/console/security", "signed-in", security.show),
    Page("/console/security/password", "signed-in", None, security.change_password),
    Page("/console/security/device", "signed-in", security.enrolment, security.make_device),
    Page("/console/security/device/enable", "signed-in", None, security.enable_device),
    Page("/console/security/device/remove", "signed-in", None, security.remove_device),
    Page("/console/security/key", "signed-in", None, security.make_key),
    Page("/console/security/key/status", "signed-in", None, security.set_key),
    Page("/console/security/key/delete", "signed-in", None, security.delete_key),
    Page("/console/users", "signed-in", directory.users),
    Page("/console/users/{name}", "signed-in", directory.user),
    Page("/console/groups", "signed-in", directory.groups),
    Page("/console/groups/{name}", "signed-in", directory.group),
    Page("/console/roles", "signed-in", directory.roles),
    Page("/console/roles/{name}", "signed-in", directory.role),
    Page("/console/policy", "signed-in", directory.policy),
    Page("/console/call", "signed-in", calling.form, calling.make),
    Page("/console/trail", "signed-in", calling.trail),
    Page("/console/why/{id}", "signed-in", why.show),
    Page("/console/administration/token", "anyone", administration.token_form, administration.give_token),
    Page("/console/administration", "administrator", administration.show),
    Page("/console/administration/time", "administrator", None, administration.move_time),
    Page("/console/administration/propagation", "administrator", None, administration.set_propagation),
    Page("/console/administration/reading", "administrator", None, administration.set_reading),
    Page("/console/administration/place", "administrator", None, administration.add_place),
    Page("/console/administration/place/remove", "administrator", None, administration.remove_place),
    Page("/console/administration/snapshot", "administrator", None, administration.snapshot),
)


def console(aws: EmbeddedAws, environment: Environment | None = None) -> Pages:
    """The pages of an embedded AWS, for ``Server(aws, port, pages)``. ``environment``: the file it was started with, for its vantage points
    and for the lines that statements come from."""
    shared = Console(aws, environment, Networks(environment), Browsers())

    def endpoint(page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            return await _answer(shared, page, request)

        return answer

    async def style(_: Request) -> Response:
        return FileResponse(Path(__file__).parent / "static" / "console.css", media_type="text/css")

    async def start(_: Request) -> Response:
        # The cookie is for /console alone.
        return RedirectResponse("/console", 303)

    routes = [
        Route(page.path, endpoint(page), methods=[m for m, handler in (("GET", page.get), ("POST", page.post)) if handler]) for page in PAGES
    ]  # fmt: skip
    routes += [Route("/static/console.css", style), Route("/", start)]
    handlers: Mapping[Any, Any] = {HTTPException: _http_error, 500: _mistake}
    return _Guarded(Starlette(routes=routes, exception_handlers=handlers))


class _Guarded:
    """Every answer carries ``HEADERS``; a request for another host never reaches a page (DNS rebinding)."""

    def __init__(self, app: Pages) -> None:
        self.app = app

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        async def carry(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                ours = {k.encode() for k in HEADERS}
                kept = [(k, v) for k, v in message["headers"] if k.lower() not in ours]
                message["headers"] = [*kept, *((k.encode(), v.encode()) for k, v in HEADERS.items())]
            await send(message)

        host = next((v.decode("latin-1") for k, v in scope["headers"] if k.lower() == b"host"), "")
        if is_this_machine(host):
            await self.app(scope, receive, carry)
        else:
            await PlainTextResponse("Ask for 127.0.0.1 or localhost.", 421)(scope, receive, carry)


# --- one request -----------------------------------------------------------------------------------------------------------


async def _answer(shared: Console, page: Page, request: Request) -> Response:
    name = f"sekisho-{(request.scope.get('server') or ('', 0))[1]}"
    cookie = request.cookies.get(name)
    form: dict[str, str] = {}
    if request.method == "POST":
        _check_origin(request)
        # Read before the cookie is looked up: who signs out while a form trickles in is signed out.
        form = await _form(request)
    browser = shared.browsers.of(cookie)
    if browser is None:
        if request.method == "GET" and not cookie and _came_by_a_link(request):
            return _step_over(request)
        browser = shared.browsers.new(shared.networks.first, preferred(request.headers.get("accept-language", "")))
    visit = Visit(shared, request, browser, form)
    if request.method == "POST":
        if not hmac.compare_digest(form.pop("csrf", "").encode(), browser.csrf.encode()):
            return _with_cookie(visit, name, cookie, visit.page("message.html", 403, title="stale.title", text="stale.text"))
    response = await _for(visit, page)
    return _with_cookie(visit, name, cookie, response)


async def _for(visit: Visit, page: Page) -> Response:
    """Let the page answer, where the one who asks may see it; else what has to come before."""
    _end_what_is_over(visit)
    browser = visit.browser
    if page.who == "administrator":
        if not browser.is_administrator:
            return visit.go("/console/administration/token")
    elif page.who != "anyone":
        if browser.session is None:
            if visit.request.method == "GET":
                browser.onward = visit.request.url.path + (f"?{visit.request.url.query}" if visit.request.url.query else "")
            return visit.go("/console/sign-in")
        if browser.must_change_password and page.who != "new-password":
            return visit.go("/console/new-password")
    handler = page.post if visit.request.method == "POST" else page.get
    assert handler is not None
    return await handler(visit)


def _end_what_is_over(visit: Visit) -> None:
    """A session that expired, was revoked, or whose user or role is gone."""
    browser = visit.browser
    if browser.role is not None and not _is_good(visit, browser.role):
        browser.role = browser.switched = None
        browser.notice = ("over.role", {})
    if browser.session is not None and not _is_good(visit, browser.session):
        visit.browser = visit.console.browsers.renewed(browser)
        visit.browser.notice = ("over.session", {})


def _is_good(visit: Visit, session: Any) -> bool:
    try:
        caller_of(visit.aws, visit.client, session)
    except AwsFault:
        return False
    return True


def _with_cookie(visit: Visit, name: str, cookie: str | None, response: Response) -> Response:
    if visit.browser.id != cookie:
        response.set_cookie(name, visit.browser.id, path="/console", httponly=True, samesite="strict")
    return response


def _came_by_a_link(request: Request) -> bool:
    """Whether a page of another site led here: then the browser keeps our cookie to itself, though it may have one (SameSite=Strict)."""
    return request.headers.get("sec-fetch-site") in ("cross-site", "same-site") and "on" not in request.query_params


def _step_over(request: Request) -> Response:
    """Ask for the same page again, this time from a page of our own, so that the cookie comes along; nothing is set before."""
    query = f"{request.url.query}&on=1" if request.url.query else "on=1"
    address = f"{quote(request.url.path)}?{quote(query, safe='=&%+')}"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Sekisho</title><meta http-equiv="refresh" content="0; url={escape(address)}">'
        f'<p><a href="{escape(address)}">Sekisho</a></p></html>'
    )


def _check_origin(request: Request) -> None:
    """A browser says where a form comes from; one of another origin is refused, whatever it holds."""
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    ours = f"http://{request.headers.get('host', '')}"
    if (origin is not None and origin.lower() != ours.lower()) or (site is not None and site not in ("same-origin", "none")):
        raise HTTPException(403, "This form came from another site.")


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, each once. Raises HTTPException."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send a form.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_FORM:
            raise HTTPException(413, "The form is larger than 64 KiB.")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100, errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise HTTPException(400, "The form can't be read.") from None
    if len({k for k, _ in pairs}) != len(pairs):
        raise HTTPException(400, "A field of the form stands there twice.")
    return dict(pairs)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return PlainTextResponse(error.detail, error.status_code, error.headers)


async def _mistake(_: Request, error: Exception) -> Response:
    """A mistake of ours: the browser is told so, and the terminal that serves gets the traceback."""
    traceback.print_exception(error)
    return PlainTextResponse("The console made a mistake; the terminal of `sekisho sandbox` says more.", 500)
