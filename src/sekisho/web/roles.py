"""Home with the roles that somebody may use from where they are, and the console's switch role (rule book E-20, H-02 to H-06)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.responses import Response

from sekisho.estate import Role
from sekisho.proof.words import Turn
from sekisho.sandbox import signin, sts
from sekisho.sandbox.fault import AwsFault
from sekisho.web.browser import Bookmark, Refusal
from sekisho.web.visit import Visit
from sekisho.web.why import turns_of

MOST_ASKED, MOST_PROVED = 2000, 100
"""Roles that home asks about, and those of them that it proves what would have to be otherwise for: everybody waits for one page at a time."""
COLORS = (("red", "F2B0A9"), ("orange", "FBBF93"), ("yellow", "FAD791"), ("green", "B7CA9D"), ("blue", "99BCE3"))
"""H-04: the console's palette."""
_DEFAULT_COLOR = "AAAAAA"


@dataclass(frozen=True)
class Usable:
    """A role that the user can switch to. ``turns`` is what would have to be otherwise first: nothing where it can be used now."""

    role: Role
    account: str
    account_name: str
    turns: tuple[Turn, ...]

    @property
    def link(self) -> str:
        """H-02, on this console."""
        name = self.role.arn.partition(":role/")[2]
        given = {"account": self.account, "roleName": name, "displayName": f"{self.role.name} @ {self.account_name}"}
        return f"/console/switchrole?{urlencode(given)}"


async def home(visit: Visit) -> Response:
    usable = list(_usable(visit))
    now, otherwise = [u for u in usable if not u.turns], [u for u in usable if u.turns]
    total = sum(len(a.roles) for a in visit.aws.store.estate.accounts)
    limits = {"total": total, "asked": MOST_ASKED, "proved": MOST_PROVED} if total > MOST_PROVED else None
    return visit.page("home.html", now=now, otherwise=otherwise, limits=limits)


def _usable(visit: Visit) -> Iterator[Usable]:
    """The roles that a switch from here, with this sign-in, is allowed to or could be: as switching itself would be decided, but not recorded."""
    store = visit.aws.store
    estate = store.estate
    asked = proved = 0
    for account in estate.accounts:
        for role in account.roles:
            asked += 1
            if asked > MOST_ASKED:
                return
            work = signin.work_of(
                visit.aws, visit.client, visit.own_session, "sts", "AssumeRole", {"RoleArn": role.arn, "RoleSessionName": visit.browser.user_name}
            )
            try:
                (need,) = sts.OPERATIONS["AssumeRole"].needs(work)
            except AwsFault:
                continue
            request = work.caller.request(need.action, need.resource, work.now, dict(need.context or {}), account.id)
            name = account.alias or account.name or account.id
            if store.authorizer.decide_anew(request).allowed:
                yield Usable(role, account.id, name, ())
                continue
            proved += 1
            turns = turns_of(request, estate, visit.console.networks.places) if proved <= MOST_PROVED else ()
            if turns and _is_within_reach(turns):
                yield Usable(role, account.id, name, turns)


def _is_within_reach(turns: tuple[Turn, ...]) -> bool:
    """Whether the user could turn it alone: by another network or by MFA, not by being somebody else."""
    return all(turn.kind in ("address", "endpoint", "mfa", "no_mfa") for turn in turns)


def _bookmarks(visit: Visit) -> list[Bookmark]:
    return visit.console.browsers.bookmarks(visit.own_session.principal)


async def form(visit: Visit) -> Response:
    """H-02: parameters in any order; the colour where it is one."""
    query = visit.request.query_params
    return _form(visit, _asked(query.get("account", ""), query.get("roleName", ""), query.get("displayName", ""), query.get("color", "")))


def _form(visit: Visit, asked: Bookmark, *, error: str = "", refusal: Refusal | None = None, status: int = 200) -> Response:
    return visit.page("switch_role.html", status, asked=asked, colors=COLORS, bookmarks=_bookmarks(visit), error=error, refusal=refusal)


def _asked(account: str, role: str, display: str, color: str) -> Bookmark:
    """What was typed or linked, cut to what H-04 takes."""
    color = color.lstrip("#").upper()
    return Bookmark(
        account.strip()[:64], role.strip().lstrip("/")[:512], display.strip()[:64], color if re.fullmatch("[0-9A-F]{6}", color) else _DEFAULT_COLOR
    )


async def switch(visit: Visit) -> Response:
    given = visit.form
    asked = _asked(given.get("account", ""), given.get("roleName", ""), given.get("displayName", ""), given.get("color", ""))
    try:
        switched = signin.switch_role(visit.aws, visit.client, visit.own_session, asked.account, asked.role)
    except signin.SwitchRefused as refused:
        refusal = visit.kept(refused.reason, "AccessDenied", refused.decision, refused.event_id)
        return _form(visit, asked, error=visit.say("switch.refused"), refusal=refusal, status=403)
    account = visit.aws.store.account(switched.session.account)
    display = asked.display or f"{asked.role.rpartition('/')[2]} @ {account.alias or account.id}"
    visit.browser.role = switched.session
    visit.browser.switched = Bookmark(asked.account, asked.role, display, asked.color)
    visit.console.browsers.bookmark(visit.own_session.principal, visit.browser.switched)
    return visit.go("/console/home")


async def back(visit: Visit) -> Response:
    """"Back to alice" (H-06)."""
    visit.browser.role = visit.browser.switched = None
    return visit.go("/console/home")


