"""The administration of the sandbox, for whoever has its token: time, the delay of IAM's changes, places to come from, records, and a copy."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import Response

from sekisho.errors import InputError
from sekisho.sandbox import administration
from sekisho.sandbox.fault import AwsFault
from sekisho.web.calling import PAGE_EVENTS, event
from sekisho.web.visit import Visit

MOST_PLACES = 50


async def token_form(visit: Visit) -> Response:
    return visit.go("/console/administration") if visit.browser.is_administrator else visit.page("token.html", error="")


async def give_token(visit: Visit) -> Response:
    """Who has the token of the access file is an administrator in this browser until it signs out; its cookie is another one from then on."""
    if not administration.is_administrator(visit.aws, visit.form.get("token", "").strip()):
        return visit.page("token.html", 403, error=visit.say("admin.wrong_token"))
    visit.console.browsers.rename(visit.browser)
    visit.browser.is_administrator = True
    return visit.go("/console/administration")


async def show(visit: Visit) -> Response:
    return _page(visit)


def _page(visit: Visit, *, error: str = "", status: int = 200) -> Response:
    """``account`` of the query: whose newest records are shown."""
    store = visit.aws.store
    asked = visit.request.query_params.get("account", "")
    shown = asked if asked in store.accounts else next(iter(store.accounts))
    newest = store.events.newest(shown)
    records = [event(visit, found) for _, (_, found) in zip(range(PAGE_EVENTS), newest)]
    return visit.page(
        "administration.html", status, error=error, state=administration.state(visit.aws), readings=administration.READINGS, records=records,
        shown=shown, accounts={a.id: a.alias or a.name or a.id for a in store.accounts.values()},
    )  # fmt: skip


async def move_time(visit: Visit) -> Response:
    return _change(visit, lambda: administration.move_time(visit.aws, visit.form.get("by", "")))


async def set_propagation(visit: Visit) -> Response:
    return _change(visit, lambda: administration.set_propagation(visit.aws, visit.form.get("delay", "")))


async def set_reading(visit: Visit) -> Response:
    return _change(visit, lambda: administration.set_reading(visit.aws, visit.form.get("reading", "")))


def _change(visit: Visit, change: Callable[[], None]) -> Response:
    try:
        change()
        visit.aws.store.commit()
    except InputError as error:
        return _page(visit, error=str(error), status=400)
    visit.browser.notice = ("admin.changed", {})
    return visit.go("/console/administration")


async def add_place(visit: Visit) -> Response:
    """A place for everybody's menu, until the sandbox stops; it is written into no file."""
    name, address, networks = visit.form.get("name", "").strip(), visit.form.get("address", "").strip(), visit.console.networks
    try:
        if not 0 < len(name) <= 64 or name.startswith("vpce-") or len(networks.places) >= MOST_PLACES:
            raise InputError(visit.say("admin.place_name"))
        origin = networks.read(address)
        if origin.vpce:
            raise InputError(visit.say("place.unreadable", text=address[:60]))
    except AwsFault:
        return _page(visit, error=visit.say("place.unreadable", text=address[:60]), status=400)
    except InputError as error:
        return _page(visit, error=str(error), status=400)
    networks.places[name] = origin.address
    visit.browser.notice = ("admin.changed", {})
    return visit.go("/console/administration")


async def remove_place(visit: Visit) -> Response:
    visit.console.networks.places.pop(visit.form.get("name", ""), None)
    visit.browser.notice = ("admin.changed", {})
    return visit.go("/console/administration")


async def snapshot(visit: Visit) -> Response:
    """A copy of all that is kept on disk, as `sekisho sandbox restore` takes it."""
    copy = visit.aws.store.copy()
    if copy is None:
        return _page(visit, error=visit.say("admin.no_state"), status=409)
    name = f"sekisho-{visit.aws.store.clock.now():%Y%m%d-%H%M%S}.snapshot"
    return Response(copy, media_type="application/octet-stream", headers={"content-disposition": f'attachment; filename="{name}"'})
