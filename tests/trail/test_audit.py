"""``sekisho trail audit``: what the records say, found by questions; texts of refusals as AWS prints them."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from sekisho.estate import Account, Estate, SignIn, SignInStatement, User
from sekisho.trail.addresses import Networks
from sekisho.trail.audit import Scope, audit
from sekisho.trail.denial import read_denial
from sekisho.trail.ingest import ingest
from sekisho.trail.store import Store

from .shared import CONTRACTS, DATA, answer, event, plain_records, sekisho

WHO = "arn:aws:iam::111111111111:user/alice"
ROLE = "arn:aws:iam::222222222222:role/Ops"
TEXT = f"User: {WHO} is not authorized to perform: sts:AssumeRole on resource: {ROLE}"

TEXTS = {
    "G-20 identity, implicit": (f"{TEXT} because no identity-based policy allows the sts:AssumeRole action", "identity", "implicit_deny"),
    "G-20 resource, implicit": (f"{TEXT} because no resource-based policy allows the sts:AssumeRole action", "resource", "implicit_deny"),
    "G-20 boundary, implicit": (f"{TEXT} because no permissions boundary allows the sts:AssumeRole action", "boundary", "implicit_deny"),
    "G-20 session, implicit": (f"{TEXT} because no session policy allows the sts:AssumeRole action", "session", "implicit_deny"),
    "G-20 SCP, implicit": (f"{TEXT} because no service control policy allows the sts:AssumeRole action", "service_control", "implicit_deny"),
    "G-20 endpoint, implicit": (f"{TEXT} because no VPC endpoint policy allows the sts:AssumeRole action", "vpc_endpoint", "implicit_deny"),
    "G-20 trust, implicit": (f"{TEXT} because no role trust policy allows the sts:AssumeRole action", "resource", "implicit_deny"),
    "G-20 identity, explicit": (f"{TEXT} with an explicit deny in an identity-based policy", "identity", "explicit_deny"),
    "G-20 resource, explicit": (f"{TEXT} with an explicit deny in a resource-based policy", "resource", "explicit_deny"),
    "G-20 boundary, explicit": (f"{TEXT} with an explicit deny in a permissions boundary", "boundary", "explicit_deny"),
    "G-20 session, explicit": (f"{TEXT} with an explicit deny in a session policy", "session", "explicit_deny"),
    "G-20 sessions, as printed": (f"{TEXT} with an explicit deny in a sessions policy", "session", "explicit_deny"),
    "G-20 SCP, explicit": (f"{TEXT} with an explicit deny in a service control policy", "service_control", "explicit_deny"),
    "G-20 RCP, explicit": (f"{TEXT} with an explicit deny in a resource control policy", "resource_control", "explicit_deny"),
    "G-20 endpoint, explicit": (f"{TEXT} with an explicit deny in a VPC endpoint policy", "vpc_endpoint", "explicit_deny"),
    "G-20 endpoint through SCP": (
        f"{TEXT} with an explicit deny in a VPC endpoint policy transitively through a service control policy", "vpc_endpoint", "explicit_deny",
    ),
    "G-20 trust, explicit": (f"{TEXT} with an explicit deny in the role trust policy", "resource", "explicit_deny"),
    "G-20 policy ARN": (
        f"{TEXT} with an explicit deny in a service control policy: arn:aws:organizations::1:policy/o-1/service_control_policy/p-1",
        "service_control", "explicit_deny",
    ),
    "G-08 no reason": (TEXT, None, None),
    "G-02 cut": (f"{TEXT} because no identity-based pol", None, None),
    "G-21 EC2's own front": (
        f"You are not authorized to perform this operation. {TEXT} because no session policy allows the sts:AssumeRole action",
        "session", "implicit_deny",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    text, layer, kind = TEXTS[name]
    said = read_denial(text)
    assert (said.layer, said.kind) == (layer, kind)
    assert (said.principal, said.action, said.resource) == (WHO, "sts:AssumeRole", ROLE)
    assert (said.policy is not None) == (name == "G-20 policy ARN")


def test_texts_that_say_less() -> None:
    assert read_denial(f"User: {WHO} is not authorized to perform: iam:GetUser on resource: user bob").resource == "user bob"  # G-22
    assert read_denial(f"User: {WHO} is not authorized to perform: s3:ListAllMyBuckets").resource is None
    assert read_denial("You are not authorized to perform this operation. Encoded authorization failure message: 4pA_x-").encoded
    for text in (None, "", "Rate exceeded", "MultiFactorAuthentication failed with invalid MFA one time pass code."):
        assert read_denial(text) == read_denial("")


# --- real records --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("real") / "store"
    ingest([str(DATA)], Store(store, create=True), workers=1)
    return store


@pytest.fixture(scope="module")
def found(real: Path) -> dict[str, Any]:
    return answer("trail", "audit", "--store", real, "--account", "123837392027", status=1)["answers"]


RECORDS = [r for _, r in plain_records(DATA / "invictus")]


def test_every_refusal_of_the_real_records_is_there_and_says_what_its_text_says(found: dict[str, Any]) -> None:
    codes = {"AccessDenied", "AccessDeniedException", "Client.UnauthorizedOperation"}
    expected = [r for r in RECORDS if r.get("errorCode") in codes]
    assert sum(r["events"] for r in found["refused"]) == len(expected) > 30
    by_id = {r["eventID"]: r for r in expected}
    for row in found["refused"]:
        record = by_id[row["example"]]
        text = record["errorMessage"]
        assert row["who"] == record["userIdentity"]["arn"]
        if "is not authorized to perform: " in text:
            assert row["action"] == text.partition("perform: ")[2].split()[0]
        assert (row["said_layer"] == "identity") == ("identity-based policy" in text)
        assert ("encoded" in row["says"]) == ("Encoded authorization failure" in text)


def test_G_08_the_role_of_a_refused_switch_comes_from_the_text(real: Path, found: dict[str, Any]) -> None:
    refused = [r for r in RECORDS if r["eventName"] == "AssumeRole" and r.get("errorCode") == "AccessDenied"]
    assert len(refused) >= 10 and all(r["requestParameters"] is None for r in refused)
    roles = {r["errorMessage"].rpartition("resource: ")[2].split()[0] for r in refused}
    assert {r["resource"] for r in found["refused"] if r["name"] == "AssumeRole"} == roles
    where = "name = 'AssumeRole' AND error_code = 'AccessDenied' AND account = '123837392027'"
    stored = Store(real).connect().execute(f"SELECT DISTINCT resource FROM events WHERE {where}")
    assert {row[0] for row in stored.fetchall()} == roles


def test_sessions_of_the_real_records_lead_back_to_who_made_them(found: dict[str, Any]) -> None:
    """G-04: joined by the key that the AssumeRole gave; checked against the records by hand (docs/trail.md)."""
    made = {
        r["responseElements"]["credentials"]["accessKeyId"]: r["userIdentity"]
        for r in RECORDS
        if r["eventName"] == "AssumeRole" and r["responseElements"]
    }
    people = [s for s in found["sessions"] if s["type"] == "IAMUser" and s["role"]]
    assert sum(s["sessions"] for s in people) == sum(u["type"] == "IAMUser" for u in made.values())
    assert {s["who"] for s in people} == {u["arn"] for u in made.values() if u["type"] == "IAMUser"}


def test_G_10_changes_of_the_real_records(found: dict[str, Any]) -> None:
    names = {"CreateRole", "PutRolePolicy", "AttachRolePolicy", "CreateAccessKey", "CreateUser", "StopLogging", "DeleteTrail"}
    expected = [r["eventID"] for r in RECORDS if r["eventName"] in names]
    rows = [r["example"] for r in found["changes"] if r["name"] in names]
    assert sorted(rows) == sorted(expected)
    leaving = [r for r in found["changes"] if r["name"] == "LeaveOrganization"]
    assert [(r["who"].rpartition("/")[2], r["error"]) for r in leaving] == [("bert-jan", "AccessDenied")]


# --- made records: what public data lacks --------------------------------------------------------------------------------

J, T = "111122223333", "444455556666"


def as_alice(**more: Any) -> dict[str, Any]:
    alice = {"type": "IAMUser", "arn": f"arn:aws:iam::{J}:user/alice", "accountId": J, "userName": "alice"}
    alice |= {"principalId": "AIDAA", "accessKeyId": "ASIAC"}
    return {**alice, "sessionContext": {"attributes": {"mfaAuthenticated": "true", "creationDate": "2026-03-04T05:00:00Z"}}, **more}


def session(key: str, role: str = "Ops") -> dict[str, Any]:
    return {
        "type": "AssumedRole", "arn": f"arn:aws:sts::{T}:assumed-role/{role}/alice", "accountId": T, "accessKeyId": key, "principalId": "AROAX:alice",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{T}:role/{role}"}, "attributes": {"mfaAuthenticated": "true"}},
    }  # fmt: skip


def assumed(n: int, identity: dict[str, Any], key: str, role: str = "Ops", **more: Any) -> dict[str, Any]:
    return event(
        n, eventSource="sts.amazonaws.com", eventName="AssumeRole", userIdentity=identity,
        requestParameters={"roleArn": f"arn:aws:iam::{T}:role/{role}", "roleSessionName": "alice"},
        responseElements={
            "credentials": {"accessKeyId": key, "expiration": "Mar 4, 2026, 6:06:07 AM"},
            "assumedRoleUser": {"assumedRoleId": "AROAX:alice", "arn": f"arn:aws:sts::{T}:assumed-role/{role}/alice"},
        }, **more,
    )  # fmt: skip


def switched(n: int, address: str, at: str = "2026-03-04T05:06:08Z") -> dict[str, Any]:
    return event(
        n, eventSource="signin.amazonaws.com", eventName="SwitchRole", eventType="AwsConsoleSignIn", eventTime=at, sourceIPAddress=address,
        recipientAccountId=T, userIdentity={k: v for k, v in session("x").items() if k != "accessKeyId"}, responseElements={"SwitchRole": "Success"},
        additionalEventData={"SwitchFrom": f"arn:aws:iam::{J}:user/alice", "RedirectTo": "https://console.aws.amazon.com/"},
    )  # fmt: skip


INTERNAL = {"sourceIPAddress": "AWS Internal", "userAgent": "AWS Internal", "sharedEventID": "s-1"}
CONSOLE_SWITCH = [
    assumed(1, as_alice(invokedBy="AWS Internal"), "ASIA1", **INTERNAL),
    assumed(2, {"type": "AWSAccount", "principalId": "AIDAA", "accountId": J}, "ASIA1", recipientAccountId=T, **INTERNAL),
    switched(3, "203.0.113.5"),
]
NETWORKS = Networks({"tokyo-office": ["203.0.113.0/24"], "vpn": ["198.51.100.7/32", "2001:db8::/32"]})


def asked(tmp_path: Path, records: list[dict[str, Any]], question: str, **more: Any) -> list[dict[str, Any]]:
    (tmp_path / "x.json").write_text(json.dumps({"Records": records}))
    ingest([str(tmp_path / "x.json")], Store(tmp_path / "store", create=True), workers=1)
    return audit(Scope(Store(tmp_path / "store").connect(), NETWORKS, **more), [question]).answers[question]


def test_J_1_a_console_switch_is_alice_to_Ops_from_her_address_with_MFA(tmp_path: Path) -> None:
    (row,) = asked(tmp_path, CONSOLE_SWITCH, "sessions")
    assert (row["who"], row["role"]) == (f"arn:aws:iam::{J}:user/alice", f"arn:aws:iam::{T}:role/Ops")
    assert (row["addresses"], row["network"], row["mfa"], row["how"]) == (["203.0.113.5"], "tokyo-office", "yes", "console switch")


def test_G_06_a_switch_is_paired_within_two_seconds_and_with_the_nearest(tmp_path: Path) -> None:
    records = [*CONSOLE_SWITCH, switched(4, "198.51.100.7", "2026-03-04T05:06:20Z")]
    assert [r["addresses"] for r in asked(tmp_path, records, "sessions")] == [["203.0.113.5"]]


def test_G_06_without_its_switch_the_address_stays_unknown(tmp_path: Path) -> None:
    (row,) = asked(tmp_path, [*CONSOLE_SWITCH[:2], switched(3, "203.0.113.5", "2026-03-04T05:06:20Z")], "sessions")
    assert (row["addresses"], row["network"]) == ([], "none")


def test_G_04_with_the_role_s_record_alone_the_switch_event_names_the_caller(tmp_path: Path) -> None:
    (row,) = asked(tmp_path, CONSOLE_SWITCH[1:], "sessions")
    assert row["who"] == f"arn:aws:iam::{J}:user/alice"


def test_a_chain_leads_back_to_the_person(tmp_path: Path) -> None:
    records = [assumed(1, as_alice(), "ASIA1", "First"), assumed(2, session("ASIA1", "First"), "ASIA2", "Second", recipientAccountId=T)]
    rows = {r["role"].rpartition("/")[2]: r for r in asked(tmp_path, records, "sessions")}
    assert rows["Second"]["who"] == rows["First"]["who"] == f"arn:aws:iam::{J}:user/alice"
    assert [a.split("/")[1] for a in rows["Second"]["chain"]] == ["First", "Second"] and rows["First"]["chain"] is None


def test_F_01_a_session_that_left_the_network_is_found_and_one_that_did_not_isn_t(tmp_path: Path) -> None:
    records = [
        *CONSOLE_SWITCH,
        event(5, userIdentity=session("ASIA1"), recipientAccountId=T, sourceIPAddress="203.0.113.9"),
        event(6, userIdentity=session("ASIA1"), recipientAccountId=T, sourceIPAddress="198.51.100.7"),
        event(7, userIdentity=session("ASIA1"), recipientAccountId=T, sourceIPAddress="192.0.2.44", eventTime="2026-03-04T05:10:00Z"),
        event(8, userIdentity=session("ASIA1"), recipientAccountId=T, sourceIPAddress="192.0.2.44", errorCode="Client.UnauthorizedOperation"),
        event(9, userIdentity=session("ASIA1"), recipientAccountId=T, sourceIPAddress="ec2.amazonaws.com"),
        event(10, userIdentity=session("ASIA1"), recipientAccountId=T, sourceIPAddress="10.0.0.1", vpcEndpointId="vpce-1"),
    ]
    (row,) = asked(tmp_path, records, "left-network")
    assert (row["obtained_in"], row["obtained_at"], row["addresses"]) == ("tokyo-office", "203.0.113.5", ["192.0.2.44"])
    assert (row["who"], row["events"], row["worked"]) == (f"arn:aws:iam::{J}:user/alice", 2, 1)


def login(n: int, used: str, result: str = "Success", identity: dict[str, Any] | None = None) -> dict[str, Any]:
    return event(
        n, eventSource="signin.amazonaws.com", eventName="ConsoleLogin", eventType="AwsConsoleSignIn", userIdentity=identity or as_alice(),
        responseElements={"ConsoleLogin": result}, additionalEventData={"MFAUsed": used, "LoginTo": "x", "MobileVersion": "No"},
    )  # fmt: skip


def test_G_03_sign_ins_without_mfa(tmp_path: Path) -> None:
    root = {"type": "Root", "arn": f"arn:aws:iam::{J}:root", "accountId": J, "principalId": J}
    records = [
        login(1, "Yes"), login(2, "YES", identity=root), login(3, "No"), login(4, "No", "Failure"), login(5, "No", identity=root),
        login(6, "No", identity={k: v for k, v in session("x").items() if k != "accessKeyId"}),
    ]  # fmt: skip
    rows = asked(tmp_path, records, "sign-ins-without-mfa")
    assert {(r["who"], r["example"][-1]) for r in rows} == {(f"arn:aws:iam::{J}:user/alice", "3"), (f"arn:aws:iam::{J}:root", "5")}


def test_failed_sign_ins_are_told_and_explained_by_the_sign_in_policy_of_the_time(tmp_path: Path) -> None:
    """G-03 and M: the record says "Failed authentication" for a wrong password and for a refusal by the policy alike."""
    nameless = {"type": "IAMUser", "accountId": J, "principalId": "", "userName": "alice", "accessKeyId": ""}
    hidden = {**nameless, "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    records = [
        {**login(1, "No", "Failure", nameless), "errorMessage": "Failed authentication", "sourceIPAddress": "203.0.113.5"},
        {**login(2, "No", "Failure", nameless), "errorMessage": "Failed authentication", "sourceIPAddress": "192.0.2.7"},
        {**login(3, "No", "Failure", hidden), "sourceIPAddress": "192.0.2.7"}, login(4, "Yes"),
    ]  # fmt: skip
    excluded = f"arn:aws:iam::{J}:user/break-glass"
    policy = SignIn((SignInStatement(source_ip=("203.0.113.0/24",), excluded_principals=(excluded,)),), enforced=True)
    rows = asked(tmp_path, records, "failed-sign-ins", estate=Estate((Account(J, users=(User(f"arn:aws:iam::{J}:user/alice", "alice"),), sign_in=policy),)))
    assert [(r["example"][-1], r["network"], r["decided"].partition(" AWS")[0]) for r in rows] == [
        ("1", "tokyo-office", "let through to the password by the"), ("2", "unknown", "refused by the"), ("3", "unknown", "not known: refused by the"),
    ]  # fmt: skip


def test_break_glass_and_root_are_told_whoever_they_are(tmp_path: Path) -> None:
    root = {"type": "Root", "arn": f"arn:aws:iam::{J}:root", "accountId": J, "principalId": J}
    glass = as_alice(arn=f"arn:aws:iam::{J}:user/ops/break-glass-1", userName="break-glass-1", accessKeyId="AKIAG")
    rows = asked(tmp_path, [event(1), event(2, userIdentity=root), event(3, userIdentity=glass)], "emergencies")
    assert {r["what"] for r in rows} == {f"root of {J}", f"arn:aws:iam::{J}:user/ops/break-glass-1"}
    rows = asked(tmp_path, [event(1)], "emergencies", emergency=["al*"])
    assert f"arn:aws:iam::{J}:user/alice" in {r["what"] for r in rows}


def test_addresses_by_network(tmp_path: Path) -> None:
    places = ["203.0.113.5", "203.0.113.6", "2001:db8::1", "192.0.2.1", "192.0.2.2", "192.0.2.3", "10.1.1.1"]
    records = [event(i, sourceIPAddress=a) for i, a in enumerate(places)]
    records += [event(20, sourceIPAddress="10.0.0.9", vpcEndpointId="vpce-1"), event(21, sourceIPAddress="config.amazonaws.com")]
    rows = {r["network"]: (r["events"], r["addresses"]) for r in asked(tmp_path, records, "addresses")}
    assert rows == {"tokyo-office": (2, 2), "vpn": (1, 1), "unknown": (3, 3), "VPC or private": (1, 1), "VPC endpoint": (1, 1), "AWS service": (1, 1)}


def test_csv_is_one_question(tmp_path: Path, real: Path) -> None:
    assert "--question" in sekisho("trail", "audit", "--store", real, "--format", "csv", status=2).stderr
    text = sekisho("trail", "audit", "--store", real, "--format", "csv", "--question", "changes", status=1).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(answer("trail", "audit", "--store", real, "--question", "changes", status=1)["answers"]["changes"])


def test_never_used_needs_the_estate_and_names_who_did_nothing(tmp_path: Path) -> None:
    alice = as_alice(arn=f"arn:aws:iam::{J}:user/test-user", userName="test-user")
    (tmp_path / "x.json").write_text(json.dumps({"Records": [login(1, "Yes", identity=alice)]}))
    sekisho("trail", "ingest", tmp_path / "x.json", "--store", tmp_path / "store")
    found = answer("trail", "audit", "--store", tmp_path / "store", "--estate", CONTRACTS / "article.yaml", "--question", "never-used", status=0)
    assert found["answers"]["never-used"] == [{"kind": "role", "arn": f"arn:aws:iam::{T}:role/test-role-admin", "account": T}]
