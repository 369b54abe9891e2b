"""The console attacked over HTTP: other sites' forms and frames, stored script, fixed sessions, guessed passwords; what a browser is told."""

from __future__ import annotations

import re
import socket
import time
from urllib.parse import quote, urlencode

import pytest

from sandbox.people import Sandbox, allow, trust
from sekisho.web.app import PAGES

from .visitor import J, T, Visitor

SCRIPT = "<script>alert(1)</script>"
"""As it stands in tags and display names; IAM itself takes no < in names."""


def signed_in(sandbox: Sandbox, *policies: dict[str, object], name: str = "alice") -> Visitor:
    person = sandbox.user(name, *policies)
    visitor = Visitor(sandbox)
    visitor.sign_in(J, name, person.password)
    assert visitor.page.address == "/console/home"
    return visitor


def cookie_of(visitor: Visitor) -> str:
    (value,) = visitor.cookies.values()
    return value


# --- cookies -------------------------------------------------------------------------------------------------------------


def test_the_cookie_is_for_the_console_alone_and_no_script_reads_it(plain: Sandbox) -> None:
    visitor = signed_in(plain)
    for said in visitor.set_cookies:
        flags = {part.strip().lower() for part in said.split(";")[1:]}
        assert {"httponly", "samesite=strict", "path=/console"} <= flags
        assert not any(f.startswith(("domain", "max-age", "expires")) for f in flags), "gone with the browser"
    assert len(cookie_of(visitor)) >= 40


def test_the_cookie_changes_with_each_sign_in_and_the_old_one_is_worth_nothing(plain: Sandbox) -> None:
    """Session fixation."""
    person = plain.user("alice")
    visitor = Visitor(plain)
    visitor.open("/console/sign-in")
    planted = cookie_of(visitor)
    visitor.submit("/console/sign-in", account=J, user="alice", password=person.password)
    signed = cookie_of(visitor)
    assert planted != signed
    thief = Visitor(plain)
    thief.cookies = dict.fromkeys(visitor.cookies, planted)
    assert thief.open("/console/home").address == "/console/sign-in"
    visitor.submit("/console/sign-out")
    thief.cookies = dict.fromkeys(visitor.cookies, signed)
    assert thief.open("/console/home").address == "/console/sign-in", "signed out is signed out, whoever has the cookie"


def test_a_form_that_trickles_in_while_one_signs_out_does_nothing(plain: Sandbox) -> None:
    visitor = signed_in(plain, allow("*"))
    token, (name,) = visitor.page.forms[0].fields["csrf"], visitor.cookies
    body = urlencode({"csrf": token, "call": "iam:ListUsers"}).encode()
    head = (
        f"POST /console/call HTTP/1.1\r\nHost: 127.0.0.1:{plain.server.port}\r\nCookie: {name}={visitor.cookies[name]}\r\n"
        f"Origin: {visitor.origin}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", plain.server.port), 30) as slow:
        slow.sendall(head.encode() + body[:10])
        visitor.submit("/console/sign-out")
        slow.sendall(body[10:])
        answer = b"".join(iter(lambda: slow.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 403")
    assert plain.events(name="ListUsers") == []


def test_a_cookie_of_ones_own_choice_is_not_taken(plain: Sandbox) -> None:
    visitor = Visitor(plain)
    visitor.open("/console/sign-in")
    (name,) = visitor.cookies
    visitor.cookies = {name: "chosen-by-the-attacker"}
    visitor.open("/console/sign-in")
    assert visitor.cookies[name] != "chosen-by-the-attacker"


def test_the_cookie_changes_when_the_password_was_right(plain: Sandbox) -> None:
    person = plain.user("alice")
    person.enrol()
    visitor = Visitor(plain)
    visitor.open("/console/sign-in")
    before = cookie_of(visitor)
    page = visitor.submit("/console/sign-in", account=J, user="alice", password=person.password)
    assert page.address == "/console/mfa"
    assert cookie_of(visitor) != before
    assert person.password not in page.body
    assert visitor.open("/console/home").address == "/console/sign-in", "half signed in is not signed in"


def test_two_consoles_on_one_machine_have_cookies_of_their_own(plain: Sandbox) -> None:
    """A cookie doesn't know ports."""
    visitor = Visitor(plain)
    visitor.open("/console/sign-in")
    assert list(visitor.cookies) == [f"sekisho-{plain.server.port}"]


# --- forms of others -----------------------------------------------------------------------------------------------------


POSTS = [page.path for page in PAGES if page.post]


@pytest.mark.parametrize("token", ["none", "wrong", "another browser's"])
def test_no_form_does_anything_without_its_token(plain: Sandbox, token: str) -> None:
    """CSRF on every form."""
    visitor = signed_in(plain, allow("*"))
    other = Visitor(plain)
    other.open("/console/sign-in")
    known = {"none": {}, "wrong": {"csrf": "x" * 43}, "another browser's": {"csrf": other.page.forms[0].fields["csrf"]}}[token]
    before = len(plain.events())
    for path in POSTS:
        answer = visitor.send("POST", path, urlencode({**known, "account": T, "roleName": "Ops", "call": "iam:ListUsers", "name": "alice"}))
        assert answer.status == 403, path
    assert len(POSTS) > 12
    assert visitor.open("/console/switchrole").address == "/console/switchrole", "nobody was signed out either"
    # The look at CloudTrail is the one event more.
    assert len(plain.events()) == before + 1


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"origin": "", "sec_fetch_site": "cross-site"},
        {"origin": "", "sec_fetch_site": "same-site"}, {"origin": "http://127.0.0.1:1"}, {"content_type": "text/plain"}, {"content_type": "multipart/form-data; boundary=x"},
    ],
    ids=["another origin", "no origin of its own", "cross-site", "same-site", "another port", "text", "multipart"],
)  # fmt: skip
def test_a_form_of_another_site_is_refused_even_with_the_token(plain: Sandbox, headers: dict[str, str]) -> None:
    visitor = signed_in(plain)
    token = visitor.page.forms[0].fields["csrf"]
    assert visitor.send("POST", "/console/sign-out", urlencode({"csrf": token}), **headers).status in (403, 415)
    assert visitor.open("/console/home").address == "/console/home"
    assert visitor.submit("/console/sign-out").address == "/console/sign-in"


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", ""])
def test_another_name_for_this_machine_is_not_answered(plain: Sandbox, host: str) -> None:
    """DNS rebinding."""
    page = Visitor(plain).send("GET", "/console/sign-in", host=host or "x")
    assert page.status == 421
    assert page.header("set-cookie") == []


# --- what every answer says ----------------------------------------------------------------------------------------------


def test_every_page_carries_the_headers_that_keep_it_safe(plain: Sandbox) -> None:
    visitor = signed_in(plain, allow("*"))
    plain.role(trust(f"arn:aws:iam::{J}:user/alice"), account=J)
    for page in PAGES:
        visitor.send("GET", page.path.replace("{name}", "alice").replace("{id}", "none"))
    visitor.send("GET", "/console/no-such-page")
    visitor.send("GET", "/static/console.css")
    visitor.send("GET", "/static/../app.py")
    visitor.send("GET", "/")
    visitor.send("DELETE", "/console/home")
    visitor.send("POST", "/console/from", "csrf=wrong")
    visitor.send("POST", "/console/from", "a=1&a=2")
    assert len(visitor.seen) > len(PAGES)
    for answer in visitor.seen:
        policy = answer.header("content-security-policy")
        assert len(policy) == 1, answer.address
        rules = dict(rule.strip().split(" ", 1) for rule in policy[0].split(";"))
        assert rules == {
            "default-src": "'none'", "style-src": "'self'", "img-src": "'self' data:", "form-action": "'self'", "frame-ancestors": "'none'",
            "base-uri": "'none'",
        }  # fmt: skip
        for name, value in {"x-content-type-options": "nosniff", "cache-control": "no-store", "referrer-policy": "same-origin"}.items():
            assert answer.header(name) == [value], (answer.address, name)
        assert answer.status < 500, answer.address
        assert "Traceback" not in answer.body
        scripts = [t for t, a in answer.tags if t == "script" or any(k.startswith("on") or k == "style" for k in a)]
        assert not scripts, f"{answer.address}: nothing may run, and the policy allows no style in an attribute"


def test_secrets_are_in_no_address(plain: Sandbox) -> None:
    person = plain.user("alice", allow("*"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", person.password)
    visitor.enrol()
    visitor.open("/console/security")
    addresses = [p.address for p in visitor.seen] + [location for p in visitor.seen for location in p.header("location")]
    secrets = [person.password, visitor.seed, *(f.fields.get("csrf", "-") for p in visitor.seen for f in p.forms)]
    assert not [a for a in addresses for secret in secrets if secret in a]
    assert all(form.method == "POST" for page in visitor.seen for form in page.forms)


OUTSIDE = ["https://evil.example/", "//evil.example/", "/\\evil.example", "/console/\\evil", "javascript:alert(1)", "/elsewhere"]


@pytest.mark.parametrize("here", OUTSIDE)
def test_a_form_leads_back_into_the_console_and_nowhere_else(plain: Sandbox, here: str) -> None:
    visitor = Visitor(plain)
    visitor.open("/console/sign-in")
    token = visitor.page.forms[0].fields["csrf"]
    answer = visitor.send("POST", "/console/language", urlencode({"csrf": token, "language": "ja", "here": here}))
    assert answer.header("location") == ["/console"]


# --- stored script -------------------------------------------------------------------------------------------------------


def test_script_in_names_tags_and_documents_is_only_text(plain: Sandbox) -> None:
    visitor = signed_in(plain, allow("*"))
    iam = plain.client("iam")
    iam.tag_user(UserName="alice", Tags=[{"Key": "note", "Value": "javascript: + = @"}])
    iam.create_role(
        RoleName="Odd", AssumeRolePolicyDocument='{"Version":"2012-10-17","Statement":{"Sid":"x","Effect":"Allow","Principal":{"AWS":"*"},'
        '"Action":"sts:AssumeRole","Condition":{"StringEquals":{"aws:UserAgent":"</pre><script>alert(1)</script>"}}}}',
        Description='"><img src=x onerror=alert(1)>',
    )  # fmt: skip
    visitor.open("/console/users/alice")
    visitor.open("/console/roles/Odd")
    assert SCRIPT in visitor.page.text, "shown, as text"
    visitor.switch(J, "Odd", displayName=SCRIPT, color='"><script>alert(1)</script>')
    assert SCRIPT in visitor.page.form("/console/switchrole").fields["displayName"]
    visitor.open(f"/console/switchrole?{urlencode({'account': SCRIPT, 'roleName': SCRIPT, 'displayName': SCRIPT, 'color': SCRIPT})}")
    visitor.open(f"/console/roles/{quote('<script>alert(1)')}")
    visitor.come_from(SCRIPT)
    assert SCRIPT in visitor.page.text, "the notice shows what couldn't be read"
    visitor.send("GET", f"/console/sign-in?{urlencode({'account': SCRIPT})}")
    visitor.send("GET", "/console/users", user_agent=SCRIPT)
    visitor.open("/console/trail")
    assert SCRIPT in visitor.page.text, "the record has the user agent"
    Visitor(plain).send("GET", f"/console/home?{urlencode({'x': SCRIPT})}", sec_fetch_site="cross-site")
    for page in visitor.seen:
        assert not [t for t, a in page.tags if t in ("script", "iframe", "object") or any(k.startswith("on") for k in a)], page.address
    images = [a for page in visitor.seen for t, a in page.tags if t == "img"]
    assert not [a for a in images if a.get("src") == "x"]


def test_script_as_a_display_name_stays_text_in_every_header(plain: Sandbox) -> None:
    visitor = signed_in(plain, allow("sts:AssumeRole"))
    plain.role(trust(f"arn:aws:iam::{J}:user/alice"))
    visitor.switch(T, "Ops", displayName=SCRIPT)
    assert (visitor.page.address, visitor.page.headings[0]) == ("/console/home", SCRIPT)
    visitor.open("/console/switchrole")
    assert not [t for p in visitor.seen for t, _ in p.tags if t == "script"]


# --- guessing ------------------------------------------------------------------------------------------------------------


def test_guessed_passwords_stop_the_sign_in_for_a_while(plain: Sandbox) -> None:
    person = plain.user("alice")
    visitor = Visitor(plain)
    for _ in range(10):
        visitor.sign_in(J, "alice", "not the password")
    page = visitor.sign_in(J, "alice", person.password)
    assert (page.status, page.alerts) == (403, ["Your authentication information is incorrect. Please try again."])
    plain.later(31)
    assert visitor.sign_in(J, "alice", person.password).address == "/console/home"


def test_guessed_codes_stop_the_device_for_a_while(plain: Sandbox) -> None:
    person = plain.user("alice")
    person.enrol()
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", person.password)
    for _ in range(5):
        page = visitor.submit("/console/mfa", code="000000")
        assert page.status == 403
    assert visitor.submit("/console/mfa", code=person.code()).status == 403
    plain.later(61)
    assert visitor.submit("/console/mfa", code=person.code()).address == "/console/home"


def test_a_code_is_good_once(plain: Sandbox) -> None:
    person = plain.user("alice")
    person.enrol()
    code = person.code()
    first, second = Visitor(plain), Visitor(plain)
    assert first.sign_in(J, "alice", person.password, code).address == "/console/home"
    page = second.sign_in(J, "alice", person.password, code)
    assert page.status == 403
    assert "was used before" in page.alerts[0]


def test_the_password_waits_five_minutes_for_its_code(plain: Sandbox) -> None:
    person = plain.user("alice")
    person.enrol()
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", person.password)
    plain.later(301)
    assert visitor.submit("/console/mfa", code=person.code()).address == "/console/sign-in"


def test_a_user_that_is_not_there_is_refused_in_the_same_words_and_about_the_same_time(plain: Sandbox) -> None:
    plain.user("alice")
    visitor = Visitor(plain)
    took: dict[str, list[float]] = {"alice": [], "nobody": []}
    said = set()
    for _ in range(5):
        for name, times in took.items():
            visitor.open("/console/sign-in")
            begin = time.perf_counter()
            page = visitor.submit("/console/sign-in", account=J, user=name, password="wrong")
            times.append(time.perf_counter() - begin)
            said.add((page.status, *page.alerts))
    assert len(said) == 1
    best = {name: min(times) for name, times in took.items()}
    assert 0.4 < best["alice"] / best["nobody"] < 2.5, best


# --- other strange things ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status"),
    [("csrf=" + "x" * 70_000, 413), ("a=1&a=2", 400), ("&".join(f"f{i}=1" for i in range(200)), 400), ("%ff=%ff", 400), ("a=%ff", 400)],
    ids=["too large", "twice", "too many fields", "no UTF-8", "no UTF-8 value"],
)
def test_a_form_that_can_not_be_read_is_an_answer_and_no_mistake(plain: Sandbox, body: str, status: int) -> None:
    visitor = Visitor(plain)
    visitor.open("/console/sign-in")
    assert visitor.send("POST", "/console/sign-in", body).status == status


def test_another_users_refusals_are_not_shown(plain: Sandbox) -> None:
    visitor = signed_in(plain)
    visitor.open("/console/users")
    path = next(address for text, address in visitor.page.links if text == "Why?")
    other = signed_in(plain, name="bob")
    page = other.open(path)
    assert page.status == 404
    assert not re.search("ListUsers|alice", page.text)


def test_ten_thousand_browsers_that_come_and_go_leave_the_one_that_is_signed_in(plain: Sandbox) -> None:
    """Those where nobody is signed in go first, so a flood of visits signs nobody out."""
    visitor = signed_in(plain)
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", plain.server.port, timeout=30)
    for _ in range(1100):
        connection.request("GET", "/console", headers={"accept": "text/html"})
        connection.getresponse().read()
    connection.close()
    assert visitor.open("/console/home").address == "/console/home"
