"""J: what people do on the embedded AWS is read back by the trail and explained with the layer that the decision named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.people import CAFE, OFFICE, V6, J, Person, Sandbox, T, allow, refused, trust
from sekisho.sandbox.server import serve
from sekisho.trail.addresses import Networks
from sekisho.trail.audit import Scope, audit
from sekisho.trail.ingest import ingest
from sekisho.trail.replay import replay
from sekisho.trail.store import Store

MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
INSIDE = {"IpAddress": {"aws:SourceIp": [f"{OFFICE}/32", f"{V6}/128"]}}
NETWORKS = Networks({"office": [f"{OFFICE}/32", f"{V6}/128"]})


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    with serve([J, T], port=0) as server:
        yield Sandbox(server)


@pytest.fixture
def alice(aws: Sandbox) -> Person:
    person = aws.user("alice", allow("sts:AssumeRole"), allow("iam:ListMFADevices"))
    person.enrol()
    return person


def read_back(aws: Sandbox, folder: Path) -> Store:
    """The records of both accounts as ``lookup-events`` prints them, in a store."""
    for account in (J, T):
        pages = aws.client("cloudtrail", account=account).get_paginator("lookup_events").paginate()
        events = [json.loads(json.dumps(e, default=str)) for page in pages for e in page["Events"]]
        (folder / f"{account}.json").write_text(json.dumps({"Events": events}))
    ingest([str(folder / f"{a}.json") for a in (J, T)], Store(folder / "store", create=True), workers=1)
    store = Store(folder / "store")
    assert not any(f.set_aside for f in store.contents().files.values())
    return store


def ask(aws: Sandbox, folder: Path, question: str) -> list[dict[str, Any]]:
    scope = Scope(read_back(aws, folder).connect(), NETWORKS, aws.server.aws.store.estate)
    return audit(scope, [question]).answers[question]


@pytest.mark.parametrize("address", [OFFICE, V6], ids=["IPv4", "IPv6"])
def test_J_1_a_console_switch_is_rebuilt(address: str, aws: Sandbox, alice: Person, tmp_path: Path) -> None:
    role = aws.role(trust(alice.arn, **MFA, **INSIDE))
    status, answer = alice.switch(alice.console(address), role, address)
    assert status == 200
    aws.client("ec2", answer["credentials"], address=CAFE).describe_instances()
    (row,) = [r for r in ask(aws, tmp_path, "sessions") if r["role"]]
    assert (row["who"], row["role"], row["network"], row["addresses"]) == (alice.arn, role, "office", [address])
    assert (row["mfa"], row["how"], row["sessions"]) == ("yes", "console switch", 1)
    connection = Store(tmp_path / "store").connect()
    (left,) = audit(Scope(connection, NETWORKS), ["left-network"]).answers["left-network"]
    assert (left["who"], left["obtained_at"], left["addresses"]) == (alice.arn, address, [CAFE])


def test_J_2_refusals_name_the_layer_that_decided_and_the_role(aws: Sandbox, alice: Person, tmp_path: Path) -> None:
    outside = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "iam:ListMFADevices", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": f"{OFFICE}/32"}}}
    ]}  # fmt: skip
    aws.client("iam").put_user_policy(UserName="alice", PolicyName="outside", PolicyDocument=json.dumps(outside))
    home = aws.role(trust(alice.arn, **INSIDE), account=J)
    away = aws.role(trust(alice.arn, **MFA))
    refused(alice.assume, role=home, address=CAFE)  # no Allow in the trust policy
    refused(alice.assume, role=away)  # a key without MFA, another account: no reason in the text
    keys = alice.console(CAFE)
    refused(aws.client("iam", keys, address=CAFE).list_mfa_devices, UserName="alice")  # a Deny
    refused(aws.client("iam", keys, address=CAFE).list_users)  # nothing allows it
    rows = {(r["name"], r["resource"]): r for r in ask(aws, tmp_path, "refused")}
    assert set(rows) == {("AssumeRole", home), ("AssumeRole", away), ("ListMFADevices", alice.arn), ("ListUsers", f"arn:aws:iam::{J}:user/")}
    at_home, at_away = rows["AssumeRole", home], rows["AssumeRole", away]
    assert (at_home["said_layer"], at_home["said_kind"], at_home["decided"], at_home["decided_layer"]) == (
        "resource", "implicit_deny", "implicit deny", "resource",
    )  # fmt: skip
    assert "aws:SourceIp" in at_home["nearest"] and CAFE in at_home["nearest"]
    # G-08: whether a code was passed isn't in the record of a refused call, and it might have been.
    assert at_away["said_layer"] is None and at_away["decided"].startswith("not known: ")
    assert at_away["unknown_context"] == ["aws:multifactorauthpresent"]
    denied = rows["ListMFADevices", alice.arn]
    assert (denied["said_layer"], denied["said_kind"]) == ("identity", "explicit_deny")
    assert (denied["decided_layer"], denied["policy"]) == ("identity", "outside")
    assert denied["known_context"]["aws:sourceip"] == CAFE
    assert (rows["ListUsers", f"arn:aws:iam::{J}:user/"]["decided"], rows["ListUsers", f"arn:aws:iam::{J}:user/"]["said_layer"]) == (
        "implicit deny", "identity",
    )  # fmt: skip


def test_J_4_what_happened_is_what_the_estate_decides(aws: Sandbox, alice: Person, tmp_path: Path) -> None:
    """Everything that people did, replayed against the estate of the time: nothing differs."""
    role = aws.role(trust(alice.arn, **MFA, **INSIDE), policy=allow(["ec2:Describe*", "iam:ListRoles"]))
    home = aws.role(trust(alice.arn), account=J)
    for address in (OFFICE, CAFE, V6):
        keys = alice.console(address)
        _, answer = alice.switch(keys, role, address)
        if "credentials" in answer:
            aws.client("ec2", answer["credentials"], address=CAFE).describe_instances()
            refused(aws.client("iam", answer["credentials"], address=address).list_users)
        assert alice.switch(keys, home, address)[0] == 200
    alice.assume(role, alice.session_token(mfa=True))
    alice.assume(role, SerialNumber=alice.serial, TokenCode=alice.code())
    aws.client("iam", alice.key, address=CAFE).list_mfa_devices(UserName="alice")
    store = read_back(aws, tmp_path)
    found = replay(store.connect(), aws.server.aws.store.estate, networks=NETWORKS)
    assert found.changes == []
    assert found.same > 20
    # The refused switch from the cafe has no SwitchRole, and the session called from nowhere else (G-05).
    assert found.undecided["context key aws:sourceip isn't in CloudTrail"] == 1
    assert set(found.undecided) == {"context key aws:sourceip isn't in CloudTrail"}
    # Without the office in the trust policy the switches from there would have been refused, and those alone.
    iam = aws.client("iam", account=T)
    iam.update_assume_role_policy(RoleName="Ops", PolicyDocument=json.dumps(trust(alice.arn, **MFA, IpAddress={"aws:SourceIp": [f"{V6}/128"]})))
    changed = replay(store.connect(), aws.server.aws.store.estate, networks=NETWORKS)
    assert {(c.who, c.action, c.address, c.would_be) for c in changed.changes} == {(alice.arn, "sts:AssumeRole", OFFICE, "refused")}
    assert sum(c.events for c in changed.changes) == 3


def test_J_3_a_switch_within_an_account_is_one_record_and_one_session(aws: Sandbox, alice: Person, tmp_path: Path) -> None:
    role = aws.role(trust(alice.arn), account=J)
    assert alice.switch(alice.console(), role)[0] == 200
    (row,) = [r for r in ask(aws, tmp_path, "sessions") if r["role"]]
    assert (row["who"], row["network"], row["how"]) == (alice.arn, "office", "console switch")
    connection = Store(tmp_path / "store").connect()
    assert connection.execute("SELECT count(*), count(shared_event_id) FROM events WHERE name = 'AssumeRole'").fetchone() == (1, 0)


def test_J_6_a_sign_in_from_outside_without_mfa_is_a_finding(aws: Sandbox, tmp_path: Path) -> None:
    bob = aws.user("bob")
    assert bob.sign_in(CAFE)[0] == 200
    (row,) = ask(aws, tmp_path, "sign-ins-without-mfa")
    assert (row["who"], row["address"], row["network"]) == (bob.arn, CAFE, "unknown")
