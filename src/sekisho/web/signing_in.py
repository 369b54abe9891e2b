"""Signing in and out: account, user and password, the code of a device, and the change of a first password."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.responses import Response

from sekisho.sandbox import signin
from sekisho.sandbox.fault import AwsFault
from sekisho.web.browser import PENDING_S, Pending
from sekisho.web.visit import Visit


async def start(visit: Visit) -> Response:
    """To the right page. An account's own address may name it: ``/console?account=jump-co``, as H-01's host name does."""
    if visit.browser.session is not None:
        return visit.go("/console/home")
    account = visit.request.query_params.get("account", "")[:64]
    return visit.go("/console/sign-in" + (f"?{urlencode({'account': account})}" if account else ""))


async def form(visit: Visit) -> Response:
    if visit.browser.session is not None:
        return visit.go("/console/home")
    return _form(visit, visit.request.query_params.get("account", "")[:64])


def _form(visit: Visit, account: str = "", user: str = "", *, error: str = "", status: int = 200) -> Response:
    only = next(iter(visit.aws.store.accounts)) if len(visit.aws.store.accounts) == 1 else ""
    jump = visit.console.environment.jump if visit.console.environment is not None else only
    return visit.page("sign_in.html", status, account_name=account or jump, user_name=user, error=error)


async def sign_in(visit: Visit) -> Response:
    given = visit.form
    return _try(visit, given.get("account", "").strip(), given.get("user", "").strip(), given.get("password", ""), None)


async def code_form(visit: Visit) -> Response:
    return visit.page("mfa.html", error="") if _pending(visit) else visit.go("/console/sign-in")


async def give_code(visit: Visit) -> Response:
    pending = _pending(visit)
    if pending is None:
        return visit.go("/console/sign-in")
    return _try(visit, pending.account, pending.user, pending.password, visit.form.get("code", "").strip() or "-")


def _pending(visit: Visit) -> Pending | None:
    pending = visit.browser.pending
    if pending is not None and pending.until <= visit.now:
        pending = visit.browser.pending = None
    return pending


def _try(visit: Visit, account: str, user: str, password: str, code: str | None) -> Response:
    try:
        done = signin.sign_in(visit.aws, visit.client, account, user, password, code)
    except signin.SignInRefused as refused:
        if refused.reason == "mfa_required":
            # Another id already here: what a page knew before the password was right is worth nothing after.
            onward = visit.browser.onward
            visit.browser = visit.console.browsers.renewed(visit.browser)
            visit.browser.onward = onward
            visit.browser.pending = Pending(account, user, password, visit.now + PENDING_S)
            return visit.go("/console/mfa")
        if code is not None and refused.reason == "incorrect" and refused.message != signin.INCORRECT:
            return visit.page("mfa.html", 403, error=visit.say("signin.wrong_code"))
        visit.browser.pending = None
        return _form(visit, account, user, error=visit.say(f"signin.{refused.reason}"), status=403)
    onward = visit.browser.onward
    visit.browser = visit.console.browsers.renewed(visit.browser)
    visit.browser.session = done.session
    visit.browser.must_change_password = done.must_change_password
    if done.must_change_password:
        visit.browser.onward = onward
        return visit.go("/console/new-password")
    return visit.go(onward or "/console/home")


async def sign_out(visit: Visit) -> Response:
    visit.browser = visit.console.browsers.renewed(visit.browser)
    return visit.go("/console/sign-in")


# --- the first password --------------------------------------------------------------------------------------------------


async def password_form(visit: Visit) -> Response:
    return visit.page("new_password.html", error="", refusal=None) if visit.browser.must_change_password else visit.go("/console/home")


async def change_password(visit: Visit) -> Response:
    if not visit.browser.must_change_password:
        return visit.go("/console/home")
    given = visit.form
    if given.get("new", "") != given.get("again", ""):
        return visit.page("new_password.html", 400, error=visit.say("password.differ"), refusal=None)
    try:
        signin.change_first_password(visit.aws, visit.client, visit.own_session, given.get("old", ""), given.get("new", ""))
    except AwsFault as fault:
        return visit.page("new_password.html", fault.status, error="", refusal=visit.refused(fault))
    visit.browser.must_change_password = False
    visit.browser.notice = ("password.changed", {})
    onward, visit.browser.onward = visit.browser.onward, ""
    return visit.go(onward or "/console/home")
