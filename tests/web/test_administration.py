"""The sandbox's own administration in the console: the token's holder moves time and places, delays changes, takes a copy; nobody else does."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from sandbox.people import CAFE, J, Sandbox, allow
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Server
from sekisho.sandbox.snapshot import restore
from sekisho.web import console
from sekisho.web.app import PAGES

from .visitor import Visitor

HOME = "/console/administration"


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox with a --state folder."""
    aws = EmbeddedAws([J], tmp_path / "state")
    with Server(aws, 0, console(aws)) as server:
        yield Sandbox(server)


def administrator(sandbox: Sandbox) -> Visitor:
    visitor = Visitor(sandbox)
    visitor.open("/console/sign-in")
    before = dict(visitor.cookies)
    assert visitor.open(HOME).address == f"{HOME}/token"
    page = visitor.submit(f"{HOME}/token", token=sandbox.server.aws.administration_token)
    assert (page.status, page.address) == (200, HOME)
    assert visitor.cookies != before, "a cookie that was planted before is worth nothing"
    thief = Visitor(sandbox)
    thief.cookies = before
    assert thief.open(HOME).address == f"{HOME}/token"
    return visitor


def test_without_the_token_no_administration_page_does_anything(plain: Sandbox) -> None:
    person = plain.user("alice", allow("*"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", person.password)
    token = visitor.page.forms[0].fields["csrf"]
    for page in PAGES:
        if page.who != "administrator":
            continue
        for method in ("GET", "POST") if page.get and page.post else ("GET",) if page.get else ("POST",):
            body = urlencode({"csrf": token, "by": "9h", "delay": "9s", "reading": "service", "name": "x", "address": CAFE})
            answer = visitor.send(method, page.path, body if method == "POST" else None)
            assert (answer.status, answer.header("location")) == (303, [f"{HOME}/token"]), page.path
    assert plain.server.aws.store.clock.ahead_s == 0
    assert plain.server.aws.store.propagation.delay_s == 0
    visitor.open(f"{HOME}/token")
    for wrong in ("", "x" * 43, plain.server.aws.administration_token[:-1], "関所"):
        page = visitor.submit(f"{HOME}/token", token=wrong)
        assert (page.status, len(page.alerts)) == (403, 1)
    assert visitor.open("/console/home").address == "/console/home", "the sign-in stays what it was"


def test_time_that_passes_ends_sessions_and_never_goes_back(plain: Sandbox) -> None:
    person = plain.user("alice")
    someone = Visitor(plain)
    someone.sign_in(J, "alice", person.password)
    visitor = administrator(plain)
    page = visitor.submit(f"{HOME}/time", by="1h")
    assert "3600" in page.text
    assert someone.open("/console/home").address == "/console/home"
    for wrong in ("-1h", "yesterday", "", "99999999d", "1e9h"):
        assert visitor.submit(f"{HOME}/time", by=wrong).status == 400
    assert plain.server.aws.store.clock.ahead_s == pytest.approx(3600)
    visitor.submit(f"{HOME}/time", by="11h1m")
    assert someone.open("/console/home").address == "/console/sign-in", "twelve hours are over (D.4)"


def test_a_delayed_change_is_read_at_once_and_in_force_later(plain: Sandbox) -> None:
    """D-43."""
    visitor = administrator(plain)
    assert "5 s" in visitor.submit(f"{HOME}/propagation", delay="5s").text
    person = plain.user("alice", allow("iam:ListUsers"))
    plain.later(5)
    other = Visitor(plain)
    other.sign_in(J, "alice", person.password)
    plain.client("iam").delete_user_policy(UserName="alice", PolicyName="p0")
    assert plain.client("iam").list_user_policies(UserName="alice")["PolicyNames"] == []
    assert other.open("/console/users").status == 200
    visitor.submit(f"{HOME}/time", by="5s")
    assert other.open("/console/users").status == 403
    assert visitor.submit(f"{HOME}/propagation", delay="soon").status == 400


def test_places_for_everybodys_menu(plain: Sandbox) -> None:
    visitor, other = administrator(plain), Visitor(plain)
    visitor.submit(f"{HOME}/place", name="hotel", address="2001:db8:0:0::7")
    page = other.open("/console/sign-in")
    assert "hotel 2001:db8::7" in page.text
    assert "hotel 2001:db8::7" in other.submit("/console/from", place="hotel").text
    for name, address in (("", CAFE), ("x" * 65, CAFE), ("vpce-1", CAFE), ("a", "nowhere"), ("b", "vpce-0a1b"), ("c", "10.0.0.0/8")):
        assert visitor.submit(f"{HOME}/place", name=name, address=address).status == 400, (name, address)
    visitor.submit(f"{HOME}/place/remove", name="hotel")
    assert "hotel" not in other.open("/console/sign-in").text
    assert "2001:db8::7" in other.page.text, "who came from there still does"


def test_the_reading_of_e_12_and_the_records_of_every_account(plain: Sandbox) -> None:
    visitor = administrator(plain)
    visitor.submit(f"{HOME}/reading", reading="service")
    assert plain.server.aws.store.settings.fas_source_ip == "service"
    token = visitor.page.forms[0].fields["csrf"]
    assert visitor.send("POST", f"{HOME}/reading", urlencode({"csrf": token, "reading": "neither"})).status == 400
    plain.client("iam", account="444455556666").create_user(UserName="theirs")
    assert "CreateUser" not in visitor.open(HOME).text
    assert "CreateUser" in visitor.open(f"{HOME}?account=444455556666").text
    assert visitor.open(f"{HOME}?account=<script>").status == 200


def test_a_copy_is_a_snapshot_that_can_be_restored(kept: Sandbox, tmp_path: Path) -> None:
    kept.user("alice")
    visitor = administrator(kept)
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", kept.server.port, timeout=30)
    body = urlencode({"csrf": visitor.page.forms[0].fields["csrf"]})
    headers = {"content-type": "application/x-www-form-urlencoded", "cookie": "; ".join(f"{k}={v}" for k, v in visitor.cookies.items())}
    connection.request("POST", f"{HOME}/snapshot", body, headers)
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("cache-control")) == (200, "no-store")
    assert str(answer.getheader("content-disposition")).startswith("attachment")
    (tmp_path / "copy").write_bytes(answer.read())
    connection.close()
    restore(tmp_path / "copy", tmp_path / "again")
    again = EmbeddedAws([J], tmp_path / "again")
    assert [u.name for u in again.store.account(J).users] == ["alice"]
    again.close()
    assert sqlite3.connect(tmp_path / "copy").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_nothing_is_copied_where_nothing_is_kept(plain: Sandbox) -> None:
    visitor = administrator(plain)
    assert visitor.submit(f"{HOME}/snapshot").status == 409


def test_signing_out_takes_the_administration_away(plain: Sandbox) -> None:
    person = plain.user("alice")
    visitor = administrator(plain)
    visitor.sign_in(J, "alice", person.password)
    visitor.submit("/console/sign-out")
    assert visitor.open(HOME).address == f"{HOME}/token"
