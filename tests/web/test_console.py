"""The article in the console, over HTTP: sign in, enrol, sign in with MFA, switch role, and be refused from the cafe, by each method."""

from __future__ import annotations

import json
import re
from urllib.parse import urlencode

import pytest

from sandbox.people import Sandbox, allow, trust
from sekisho.language import CATALOGUES

from .visitor import CAFE, FIRST_PASSWORD, OFFICE, PASSWORD, ROLE, J, T, Visitor


def role_session(visitor: Visitor) -> str:
    """Who one is, as GetCallerIdentity answers."""
    visitor.open("/console/call")
    page = visitor.submit("/console/call", call="sts:GetCallerIdentity")
    found = re.search(r'"Arn": "([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def sentence(text: str, language: str) -> str:
    """As the text begins a sentence; a name is written as it is where there are no capital letters."""
    return text[:1].upper() + text[1:] if language == "en" else text


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_article_from_the_first_sign_in_to_the_switch(article: Sandbox, language: str) -> None:
    said = CATALOGUES[language]  # type: ignore[index]
    visitor = Visitor(article, language)
    page = visitor.open("/")
    assert (page.status, page.address, page.language) == (200, "/console/sign-in", language)
    page = visitor.sign_in(J, "test-user", FIRST_PASSWORD)
    assert page.address == "/console/new-password"
    assert visitor.open("/console/home").address == "/console/new-password", "nothing is possible before the password is changed"
    page = visitor.submit("/console/new-password", old=FIRST_PASSWORD, new=PASSWORD, again=PASSWORD)
    assert (page.address, said["base.without_mfa"] in page.text, said["home.no_roles"] in page.text) == ("/console/home", True, True)
    assert said["home.turn"].format(changes=sentence(said["turn.mfa"], language)) in page.text, "the role wants MFA, and home says so"
    page = visitor.enrol()
    assert (page.address, page.status) == ("/console/security", 200)
    assert f"arn:aws:iam::{J}:mfa/test-user" in page.text
    visitor.submit("/console/sign-out")
    page = visitor.sign_in(J, "test-user", PASSWORD, visitor.code())
    assert said["base.with_mfa"] in page.text
    assert said["home.no_roles"] not in page.text
    page = visitor.click(ROLE)
    assert page.address.startswith("/console/switchrole?"), "home's link fills in the form (H-02)"
    page = visitor.submit("/console/switchrole", color="B7CA9D", displayName="production")
    assert "production" in page.text
    assert "#B7CA9D" in page.body
    assert role_session(visitor) == f"arn:aws:sts::{T}:assumed-role/{ROLE}/test-user"
    page = visitor.submit("/console/switchback")
    assert role_session(visitor) == f"arn:aws:iam::{J}:user/test-user"
    logins = article.events(name="ConsoleLogin")
    assert [e["additionalEventData"]["MFAUsed"] for e in logins] == ["Yes", "No"]
    assert {e["sourceIPAddress"] for e in logins} == {OFFICE}
    assert [e["sourceIPAddress"] for e in article.events(T, "SwitchRole")] == [OFFICE]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("article", "layer"), [("both", "identity"), ("method 1", "identity"), ("method 2", "trust")], indirect=["article"], ids=["both", "1", "2"]
)
def test_a_switch_from_the_cafe_is_refused_and_the_page_says_why(article: Sandbox, layer: str, language: str) -> None:
    said = CATALOGUES[language]  # type: ignore[index]
    visitor = Visitor(article, language)
    visitor.with_mfa()
    page = visitor.come_from("cafe")
    assert f"cafe {CAFE}" in page.text
    assert said["home.no_roles"] in page.text
    page = visitor.switch(T, ROLE)
    assert page.status == 403
    assert page.alerts[0].startswith(said["switch.refused"]), "H-05"
    why = visitor.click(said["why.link"])
    assert why.status == 200
    assert said["outcome.explicit_deny"] + " – " + said[f"layer.{layer}"] in why.text
    marked = "".join(re.findall(r"<mark>(.*?)</mark>", why.body, re.DOTALL))
    assert "NotIpAddress" in marked
    assert "Allow" not in marked
    assert re.search(r"article\.yaml:\d+", why.text), "the line of the file"
    place = said["turn.address"].format(address=f"office ({OFFICE})")
    assert said["why.turns"].format(changes=sentence(place, language)) in why.text, "another network, and nothing else"
    (event,) = [e for e in article.events(J, "AssumeRole") if e.get("errorCode")]
    assert event["sourceIPAddress"] == "AWS Internal", "G-05"
    assert event["errorMessage"] in why.text


@pytest.mark.parametrize("article", ["method 1"], indirect=True)
def test_method_1_leaves_nothing_allowed_after_a_sign_in_from_the_cafe(article: Sandbox) -> None:
    visitor = Visitor(article)
    visitor.open("/console/sign-in")
    visitor.come_from(CAFE)
    visitor.sign_in(J, "test-user", FIRST_PASSWORD)
    page = visitor.submit("/console/new-password", old=FIRST_PASSWORD, new=PASSWORD, again=PASSWORD)
    assert page.status == 403
    assert "iam:ChangePassword" in page.alerts[0]
    assert "explicit deny" in page.alerts[0]


@pytest.mark.parametrize("article", ["method 1"], indirect=True)
def test_method_1_takes_mfa_settings_away_at_the_cafe(article: Sandbox) -> None:
    visitor = Visitor(article)
    visitor.first_sign_in()
    visitor.come_from("cafe")
    visitor.open("/console/security")
    page = visitor.submit("/console/security/device")
    assert page.status == 403
    assert any("iam:CreateVirtualMFADevice" in alert for alert in page.alerts)


@pytest.mark.parametrize("article", ["method 2"], indirect=True)
def test_method_2_leaves_mfa_settings_at_the_cafe(article: Sandbox) -> None:
    visitor = Visitor(article)
    visitor.open("/console/sign-in")
    visitor.come_from("cafe")
    page = visitor.with_mfa()
    assert (page.status, page.address) == (200, "/console/home")


@pytest.mark.parametrize("article", ["method 3"], indirect=True)
def test_method_3_refuses_the_sign_in_itself(article: Sandbox) -> None:
    visitor = Visitor(article)
    visitor.open("/console/sign-in")
    visitor.come_from("cafe")
    page = visitor.sign_in(J, "test-user", FIRST_PASSWORD)
    assert page.status == 403
    assert "doesn't allow a sign-in from this network" in page.alerts[0]
    visitor.come_from("office")
    assert visitor.sign_in(J, "test-user", FIRST_PASSWORD).address == "/console/new-password"


def test_a_session_from_the_office_still_works_elsewhere_unless_the_role_guards_it(article: Sandbox) -> None:
    """The article's gap (use is not obtain): the page shows what AWS answers, whatever it is."""
    visitor = Visitor(article)
    visitor.with_mfa()
    visitor.switch(T, ROLE)
    visitor.come_from("cafe")
    visitor.open("/console/call")
    page = visitor.submit("/console/call", call="ec2:DescribeInstances")
    assert page.status == 200
    assert '"Reservations": []' in page.text
    assert article.events(T, "DescribeInstances")[0]["sourceIPAddress"] == CAFE


CALLS = [
    ("sqs:CreateQueue", '{"QueueName": "orders"}', "/orders"), ("S3:createbucket", '{"Bucket": "shop"}', "shop"),
    ("s3:PutObject", '{"Bucket": "shop", "Key": "a b", "Body": "text"}', "ETag"), ("s3:ListObjectsV2", '{"Bucket": "shop", "Prefix": "a "}', '"KeyCount": 1'),
    ("s3:GetObject", '{"Bucket": "shop", "Key": "a b"}', '"Body": "text"'), ("ec2:DescribeVpcs", '{"MaxResults": 5}', '"IsDefault": true'),
    ("iam:ListRoles", '{"PathPrefix": "/none/"}', '"Roles": []'), ("lambda:ListFunctions", "", '"Functions": []'),
]  # fmt: skip
"""One call of each protocol and its parameters, and what its answer has."""


def test_any_call_is_made_with_its_parameters(plain: Sandbox) -> None:
    someone = plain.user("alice", allow(["s3:*", "sqs:*", "ec2:Describe*", "iam:List*", "lambda:*"]))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open("/console/call")
    for call, parameters, wanted in CALLS:
        page = visitor.submit("/console/call", call=call, parameters=parameters)
        assert (page.status, page.alerts) == (200, []), (call, page.alerts)
        assert wanted in page.text, (call, page.text[-400:])
    page = visitor.submit("/console/call", call="kms:CreateKey", parameters='{"Description": "mine"}')
    assert page.status == 403
    assert "kms:CreateKey" in visitor.click("Why?").text


@pytest.mark.parametrize(
    ("call", "parameters", "said"),
    [
        ("s3:NoSuchThing", "", "no operation"), ("nosuchservice:Get", "", "no operation"), ("", "", "no operation"), ("s3", "", "no operation"),
        ("s3:ListBuckets", "[1]", "JSON object"), ("s3:ListBuckets", "{", "can't be read"), ("s3:GetObject", '{"Bucket": 1}', "Bucket"),
        ("s3:ListBuckets", "[" * 15_000, "can't be read"), ("kinesis:SubscribeToShard", '{"ConsumerARN": "x", "ShardId": "y", "StartingPosition": {"Type": "LATEST"}}', "stream"),
    ],
)  # fmt: skip
def test_a_call_that_is_none_says_what_is_wrong(plain: Sandbox, call: str, parameters: str, said: str) -> None:
    someone = plain.user("alice", allow("*"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open("/console/call")
    page = visitor.submit("/console/call", call=call, parameters=parameters)
    assert page.status == 400
    assert said in page.alerts[0]


def test_the_switch_is_decided_with_the_sign_in_even_inside_a_role(plain: Sandbox) -> None:
    """E-20: the role itself may assume nothing, and the user switches on from it all the same."""
    someone = plain.user("alice", allow("sts:AssumeRole"))
    for name in ("First", "Second"):
        plain.role(trust(someone.arn), name=name, policy=allow("ec2:Describe*"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.switch(T, "First")
    visitor.switch(T, "Second")
    assert role_session(visitor).endswith("assumed-role/Second/alice")
    page = visitor.submit("/console/switchback")
    assert "alice" in page.headings[0]


def test_five_roles_are_remembered_over_sign_ins(plain: Sandbox) -> None:
    someone = plain.user("alice", allow("sts:AssumeRole"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    for i in range(6):
        plain.role(trust(someone.arn), name=f"Role{i}")
        visitor.switch(T, f"Role{i}", displayName=f"shown {i}")
    visitor.submit("/console/sign-out")
    visitor.sign_in(J, "alice", someone.password)
    page = visitor.open("/console/switchrole")
    remembered = [f.fields["displayName"] for f in page.forms if f.action == "/console/switchrole"][1:]
    assert remembered == [f"shown {i}" for i in (5, 4, 3, 2, 1)]
    page = visitor.submit("/console/switchrole", {"displayName": "shown 3"})
    assert role_session(visitor).endswith("assumed-role/Role3/alice")


def test_a_switch_link_fills_in_the_form_after_the_sign_in(plain: Sandbox) -> None:
    """H-02: parameters in any order, values percent-encoded; the link is kept while one signs in."""
    someone = plain.user("alice", allow("sts:AssumeRole"))
    visitor = Visitor(plain)
    page = visitor.open(f"/console/switchrole?displayName=Ops%20%26%20more&roleName=team/Ops&account={T}&color=FAD791")
    assert page.address == "/console/sign-in"
    page = visitor.submit("/console/sign-in", account=J, user="alice", password=someone.password)
    fields = page.form("/console/switchrole").fields
    assert {k: fields[k] for k in ("account", "roleName", "displayName", "color")} == {
        "account": T, "roleName": "team/Ops", "displayName": "Ops & more", "color": "FAD791",
    }  # fmt: skip


def test_a_link_from_another_site_keeps_the_sign_in(plain: Sandbox) -> None:
    """A browser sends no SameSite=Strict cookie then: the page asks again from itself, and sets no other cookie before."""
    someone = plain.user("alice")
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    path = f"/console/switchrole?account={T}&roleName=Ops"
    page = visitor.send("GET", path, cookie="", sec_fetch_site="cross-site")
    assert (page.status, page.header("set-cookie")) == (200, [])
    refresh = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv") == "refresh")
    assert refresh is not None
    page = visitor.open(refresh.partition("url=")[2])
    assert page.form("/console/switchrole").fields["roleName"] == "Ops"


@pytest.mark.parametrize("color", ["", "red", "12345", "GGGGGG", "F2B0A9;x", "../../x"])
def test_a_colour_that_is_none_is_the_default_grey(plain: Sandbox, color: str) -> None:
    """H-03: six hex digits; H-04: AAAAAA where unset."""
    someone = plain.user("alice", allow("sts:AssumeRole"))
    plain.role(trust(someone.arn))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open(f"/console/switchrole?{urlencode({'color': color})}")
    assert visitor.page.form("/console/switchrole").fields["color"] == "AAAAAA"
    visitor.switch(T, "Ops", color=color)
    assert {a["fill"] for t, a in visitor.page.tags if t == "rect"} == {"#AAAAAA"}


@pytest.mark.parametrize(
    ("account", "role"), [("999999999999", "Ops"), (T, "ops"), (T, "Nobody"), ("no account", "Ops"), (T, "Ops/../Ops"), (T, "Ops?x=1#y")]
)
def test_every_refused_switch_has_the_same_words(plain: Sandbox, account: str, role: str) -> None:
    """H-05; names of roles are case-sensitive."""
    someone = plain.user("alice", allow("sts:AssumeRole"))
    plain.role(trust(someone.arn))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    page = visitor.switch(account, role)
    assert page.status == 403
    assert page.alerts[0].startswith("Invalid information in one or more fields. Check your information or contact your administrator.")


def test_an_alias_is_an_account_here_too(plain: Sandbox) -> None:
    someone = plain.user("alice", allow("sts:AssumeRole"))
    plain.role(trust(someone.arn))
    plain.client("iam").create_account_alias(AccountAlias="jump-co")
    plain.client("iam", account=T).create_account_alias(AccountAlias="work-co")
    visitor = Visitor(plain)
    assert visitor.sign_in("jump-co", "alice", someone.password).address == "/console/home"
    assert visitor.switch("work-co", "Ops").address == "/console/home"
    assert role_session(visitor).startswith(f"arn:aws:sts::{T}:")


def test_a_vpc_endpoint_is_a_place_to_come_from(plain: Sandbox) -> None:
    """E-02: no address then, but the endpoint's keys."""
    someone = plain.user("alice", allow("iam:ListUsers", StringEquals={"aws:SourceVpce": "vpce-0a1b"}))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    assert visitor.open("/console/users").status == 403
    visitor.come_from("vpce-0a1b")
    page = visitor.open("/console/users")
    assert page.status == 200
    assert someone.arn in page.text
    visitor.come_from("not a place")
    assert visitor.open("/console/users").status == 200, "what can't be read changes nothing"


def test_an_implicit_deny_names_the_allow_that_missed_and_what_turns_it(plain: Sandbox) -> None:
    someone = plain.user("alice", allow("iam:ListUsers", IpAddress={"aws:SourceIp": "203.0.113.0/24"}))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.come_from(CAFE)
    visitor.open("/console/users")
    why = visitor.click("Why?")
    assert "Implicit deny – identity policy" in why.text
    assert "203.0.113.0/24" in "".join(re.findall(r"<mark>(.*?)</mark>", why.body, re.DOTALL)), "the Allow that was meant"
    assert f"IpAddress aws:SourceIp is {CAFE}; wanted: 203.0.113.0/24" in why.text
    assert re.search(r"From 203\.0\.113\.\d+ it would be allowed\.", why.text)
    visitor.come_from("203.0.113.7")
    assert visitor.open("/console/users").status == 200
    visitor.open("/console/groups")
    assert "No change of address, MFA or any other part of the request would make it allowed." in visitor.click("Why?").text


def test_cloudtrail_shows_what_was_done_here_and_opens_the_decision(plain: Sandbox) -> None:
    someone = plain.user("alice", allow("cloudtrail:LookupEvents"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open("/console/users")
    page = visitor.open("/console/trail")
    assert page.text.index("ListUsers") < page.text.index("ConsoleLogin"), "the newest first"
    assert "iam:ListUsers" in visitor.click("Why?").text


def test_without_leave_cloudtrail_is_refused(plain: Sandbox) -> None:
    someone = plain.user("alice")
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    page = visitor.open("/console/trail")
    assert page.status == 403
    assert "cloudtrail:LookupEvents" in page.alerts[0]


def test_own_keys_are_made_once_shown_once_and_work(plain: Sandbox) -> None:
    someone = plain.user("alice", allow("iam:*", "arn:aws:iam::*:user/${aws:username}"))
    plain.client("iam").delete_access_key(UserName="alice", AccessKeyId=someone.key["AccessKeyId"])
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open("/console/security")
    page = visitor.submit("/console/security/key")
    key, secret = re.search(r"\bAKIA[A-Z0-9]{16}\b", page.text), re.search(r"<dd><code>([A-Za-z0-9/+]{40})</code>", page.body)
    assert key
    assert secret
    keys = {"AccessKeyId": key[0], "SecretAccessKey": secret[1]}
    assert plain.client("sts", keys).get_caller_identity()["Arn"] == someone.arn
    assert secret[1] not in visitor.open("/console/security").body
    page = visitor.submit("/console/security/key/status")
    assert "Inactive" in page.text
    page = visitor.submit("/console/security/key/delete")
    assert key[0] not in page.text


def test_users_groups_and_roles_are_read_as_iam_gives_them(plain: Sandbox) -> None:
    someone = plain.user("alice", allow(["iam:List*", "iam:Get*"]))
    iam = plain.client("iam")
    iam.create_group(GroupName="Ops")
    iam.add_user_to_group(GroupName="Ops", UserName="alice")
    plain.role(trust(someone.arn, StringEquals={"aws:SourceVpce": "vpce-1"}), account=J)
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open("/console/users")
    page = visitor.click("alice")
    assert "Ops" in page.text
    assert someone.key["AccessKeyId"] in page.text
    visitor.open("/console/groups")
    assert "alice" in visitor.click("Ops").text
    visitor.open("/console/roles")
    page = visitor.click("Ops")
    assert "aws:SourceVpce" in page.text
    assert "Longest session (seconds) 3600" in page.text
    assert '"Action": "*"' in visitor.click("all").text, "the document of the role's inline policy"
    iam.attach_group_policy(GroupName="Ops", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    visitor.open("/console/groups/Ops")
    assert "s3:Get*" in visitor.click("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess").text


def test_a_wrong_second_code_keeps_the_device_waiting(plain: Sandbox) -> None:
    someone = plain.user("alice", allow("iam:*"))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.open("/console/security")
    page = visitor.submit("/console/security/device")
    found = re.search(r'class="seed">([A-Z2-7]+)<', page.body)
    assert found
    visitor.seed = found[1]
    page = visitor.submit("/console/security/device/enable", first=visitor.code(), second="000000")
    assert (page.status, page.address) == (403, "/console/security/device/enable")
    assert "Authentication code for device is not valid" in page.alerts[0]
    page = visitor.submit("/console/security/device/enable", first=visitor.code(), second=visitor.code())
    assert page.address == "/console/security"


def test_sessions_end(plain: Sandbox) -> None:
    """A role's after its hour, one's own after twelve; and with the user."""
    someone = plain.user("alice", allow("sts:AssumeRole"))
    plain.role(trust(someone.arn))
    visitor = Visitor(plain)
    visitor.sign_in(J, "alice", someone.password)
    visitor.switch(T, "Ops")
    plain.later(3601)
    page = visitor.open("/console/home")
    assert "The session of the role is over" in page.text
    plain.later(43200)
    page = visitor.open("/console/home")
    assert page.address == "/console/sign-in"
    assert "Your session is over" in page.text


def test_the_sandbox_tells_where_the_console_is(tmp_path: object) -> None:
    import subprocess
    import sys
    import urllib.request

    process = subprocess.Popen(
        [sys.executable, "-m", "sekisho.cli", "sandbox", "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert {"schema", "endpoint", "config_file", "credentials_file", "profile", "console", "administration_file"} <= told.keys()
        with urllib.request.urlopen(told["console"], timeout=30) as answer:
            assert b'action="/console/sign-in"' in answer.read()
    finally:
        process.terminate()
        process.wait(20)
