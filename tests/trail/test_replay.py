"""``sekisho trail replay``: exactly those who would be locked out are named, and what the trail doesn't hold is said (issue's point 3)."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sekisho.environment import compile_environment, load_environment
from sekisho.estate import Account, Estate, SignIn, SignInStatement, load_estate, write_estate
from sekisho.trail.generate import Generator
from sekisho.trail.ingest import ingest
from sekisho.trail.replay import replay
from sekisho.trail.store import Store

from .shared import CONTRACTS, answer, event, sekisho

LARGE_USERS, LARGE_ACCOUNTS = 200, 20
DAYS = int(os.environ.get("SEKISHO_TRAIL_DAYS", "35"))
"""A quarter with 91; fewer, as busy in all, for every day."""


def large_environment() -> str:
    """200 users in four teams, 20 accounts with two roles each; the vpn is one of three networks."""
    users = [f"user-{i:03d}" for i in range(LARGE_USERS)]
    teams = {f"team-{t}": users[t::4] for t in range(4)}
    lines = ["version: 1", "networks:", "  office: [203.0.113.0/25, '2001:db8:10::/48']", "  branch: [203.0.113.128/26]"]
    lines += ["  vpn: [198.51.100.7/32, 198.51.100.8/32]", "jump:", '  account: "111122223333"', "  networks: [office, branch, vpn]", "groups:"]
    for team, members in teams.items():
        lines += [f"  {team}:", f"    path: /{team}/", f"    users: [{', '.join(members)}]"]
    lines.append("accounts:")
    for a in range(LARGE_ACCOUNTS):
        lines += [f"  account-{a:02d}:", f'    id: "{222200000000 + a}"', "    roles:"]
        lines += ["      admin:", "        policies: [arn:aws:iam::aws:policy/AdministratorAccess]"]
        lines += [f"        trusts: {{groups: [team-{a % 4}]}}", "        trusts_as: paths", "        networks: [office, vpn]"]
        lines += ["        session: {stay_on_networks: true}"]
        lines += ["      reader:", "        policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]"]
        lines += [f"        trusts: {{groups: [team-{(a + 1) % 4}, team-{a % 4}]}}", "        trusts_as: paths"]
        lines += ["        networks: [office, branch, vpn]", "        networks_as: allow"]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some weeks of the large organisation, ingested: ``made/env.yaml``, ``made/out``, ``made/store``."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "env.yaml").write_text(large_environment())
    environment = load_environment(folder / "env.yaml")
    estate = compile_environment(environment)
    Generator(estate, environment.wanted.networks, folder / "out", seed=6, start=date(2026, 1, 5), days=DAYS, busy=5 / DAYS).run()
    ingest([str(folder / "out" / "AWSLogs")], Store(folder / "store", create=True), workers=1)
    return folder


def truth(made: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made / "out" / "truth.json").read_text())
    return found


def every_record(made: Path) -> list[str]:
    files = (made / "out" / "AWSLogs").rglob("*.gz")
    return [json.dumps(r) for path in files for r in json.loads(gzip.decompress(path.read_bytes()))["Records"]]


def replayed(made: Path, against: Path | str, *more: str, store: str = "store", status: int = 1) -> dict[str, Any]:
    return answer("trail", "replay", "--store", made / store, "--against", against, *more, status=status)


def test_every_record_is_marked_as_synthetic_and_the_same_seed_gives_the_same_bytes(made: Path, tmp_path: Path) -> None:
    arguments = ("trail", "generate", "--estate", CONTRACTS / "company.yaml", "--days", "3", "--seed", "5", "--out")
    sekisho(*arguments, tmp_path / "a")
    sekisho(*arguments, tmp_path / "b")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*") if p.is_file())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
        if file.suffix == ".gz":
            records = json.loads(gzip.decompress((tmp_path / "a" / file).read_bytes()))["Records"]
            assert records and all(r["synthetic"].startswith("sekisho trail generate") for r in records)
    sekisho(*arguments, tmp_path / "a", status=2)


def test_generated_shapes_are_those_of_the_rule_book(made: Path) -> None:
    connection = Store(made / "store").connect()

    def count(where: str) -> int:
        row = connection.execute(f"SELECT count(*) FROM events WHERE {where}").fetchone()
        assert row is not None
        return int(row[0])

    assert count("name = 'SwitchRole' AND outcome = 'Success' AND switch_from IS NOT NULL") > 100  # G-06
    assert count("name = 'AssumeRole' AND address = 'AWS Internal' AND invoked_by = 'AWS Internal'") > 100  # G-05
    twins = connection.execute(
        "SELECT count(*), count(DISTINCT account), count(*) FILTER (identity_type = 'AWSAccount') FROM events WHERE shared_event_id IS NOT NULL "
        "GROUP BY shared_event_id"
    ).fetchall()
    assert twins and set(twins) == {(2, 2, 1)}  # G-04
    assert count("address LIKE '2001:db8:10:%'") > 100
    assert count("name = 'AssumeRole' AND error_code = 'AccessDenied' AND role_arn IS NULL AND resource LIKE 'arn:aws:iam::%:role/%'") > 5  # G-08


def test_against_the_estate_that_made_it_nothing_differs(made: Path) -> None:
    """Each event was decided by the estate; read back through CloudTrail's records it must come out the same (J.2, J.4)."""
    found = replayed(made, made / "env.yaml", status=0)
    assert found["changes"] == []
    assert found["same"] + found["failed_for_other_reasons"] == found["decided"] > 2000
    assert found["failed_for_other_reasons"] == sum("Failed authentication" in text for text in every_record(made)), "mistyped passwords alone"
    # A refused console switch has no SwitchRole to tell the address; the session's other calls do.
    assert 0 < sum(found["assumed"].values()) < 100
    assert found["undecided"] == {"events": 0, "reasons": {}}
    assert found["verdict"] == "no difference in this trail"


@pytest.mark.parametrize("network", ["vpn", "branch"])
def test_one_network_taken_out_names_exactly_the_people_who_used_it(network: str, made: Path, tmp_path: Path) -> None:
    other = tmp_path / "env.yaml"
    text = (made / "env.yaml").read_text()
    cut = text.replace(f", {network}]", "]").replace(f", {network},", ",")
    assert cut != text
    other.write_text(cut)
    found = replayed(made, other)
    expected = {f"arn:aws:iam::111122223333:user/team-{int(u[-3:]) % 4}/{u}" for u, by in truth(made)["worked"].items() if network in by}
    assert 10 < len(expected) < LARGE_USERS
    assert {c["user"] for c in found["changes"]} == expected
    assert set(found["refused_by"]["user"]) == expected
    assert set(found["refused_by"]["network"]) == {network}
    # Every switch and every own call from there is refused; what a session does afterwards only where it has to stay on its networks.
    worked = [kinds for by in truth(made)["worked"].values() for name, kinds in by.items() if name == network]
    own = [c for c in found["changes"] if c["action"] in ("sts:AssumeRole", "iam:GetUser")]
    assert sum(c["events"] for c in own if c["action"] == "sts:AssumeRole") == sum(k.get("switches", 0) for k in worked)
    assert sum(c["events"] for c in own if c["action"] == "iam:GetUser") == sum(k.get("calls", 0) for k in worked)
    for change in found["changes"]:
        assert change["would_be"] == "refused" and change["was"] == "worked"
        assert change["statement"] is None or change["statement"]["line"]
        assert change["events"] == sum(change["days"].values())
        # A decision is made once for many; its text must still be each one's own.
        assert f"User: {change['principal']} is" in change["message"]
        assert "aws:SourceIp is" not in change["message"] or f"aws:SourceIp is {change['address']};" in change["message"]
    shown = json.loads(sekisho("trail", "show", found["changes"][0]["example"], "--store", made / "store").stdout)
    assert shown["sourceIPAddress"] in (found["changes"][0]["address"], "AWS Internal")


def test_suggest_gives_the_addresses_of_the_network_back(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "env.yaml"
    other.write_text((made / "env.yaml").read_text().replace(", vpn]", "]"))
    found = replayed(made, other, "--suggest")
    assert {s["network"] for s in found["suggested"]} == {"198.51.100.7/32", "198.51.100.8/32"}
    other.write_text((made / "env.yaml").read_text().replace("office, ", ""))
    found = replayed(made, other, "--suggest")
    networks = {s["network"] for s in found["suggested"]}
    assert "203.0.113.0/30" in networks, networks  # four addresses that are one block
    assert networks - {"203.0.113.0/30"} == {"2001:db8:10::/62"}, networks  # four sites, one block


def test_what_was_refused_and_would_work_is_named_too(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "env.yaml"
    text = (made / "env.yaml").read_text()
    other.write_text(text.replace("  vpn:", "  cafes: [198.18.0.0/16]\n  vpn:").replace("vpn]", "vpn, cafes]"))
    found = replayed(made, other)
    assert found["changes"] and {c["would_be"] for c in found["changes"]} == {"allowed"}
    assert {c["network"] for c in found["changes"]} == {"cafes"}


def test_an_estate_in_aws_json_says_the_same_as_the_file_that_it_comes_from(made: Path, tmp_path: Path) -> None:
    """A whole estate says of who isn't in it that there are no permissions; the file says nothing."""
    write_estate(compile_environment(load_environment(made / "env.yaml")), tmp_path / "estate")
    found = replayed(made, tmp_path / "estate", "--networks", str(made / "env.yaml"), status=0)
    assert found["changes"] == [] and found["decided"] > 2000


def without(made: Path, tmp_path: Path, cut: Callable[[Path], bool]) -> str:
    """A store of the same trail with some files missing."""
    shutil.copytree(made / "out" / "AWSLogs", tmp_path / "AWSLogs")
    gone = [p for p in (tmp_path / "AWSLogs").rglob("*.gz") if cut(p)]
    for path in gone:
        path.unlink()
    assert gone
    ingest([str(tmp_path / "AWSLogs")], Store(tmp_path / "store", create=True), workers=1)
    return str(tmp_path / "store")


def test_a_hidden_hole_is_reported_and_the_verdict_is_not_safe(made: Path, tmp_path: Path) -> None:
    """G-03: a Region missing for a week; ingest can't know, coverage says."""
    week = {f"2026/01/{d:02d}" for d in range(19, 26)}
    where = "222200000004/CloudTrail/ap-northeast-1"
    store = without(made, tmp_path, lambda p: where in str(p) and str(p.parent)[-10:] in week)
    undisturbed = replayed(made, made / "env.yaml", status=0)
    assert undisturbed["coverage"]["holes"] == [] and undisturbed["verdict"] == "no difference in this trail"
    found = answer("trail", "replay", "--store", store, "--against", made / "env.yaml", status=1)
    (hole,) = found["coverage"]["holes"]
    assert hole == {"account": "222200000004", "region": "ap-northeast-1", "first": "2026-01-19", "last": "2026-01-25", "days": 7}
    assert found["verdict"] == "not known" and not found["coverage"]["complete"]
    text = sekisho("trail", "replay", "--store", store, "--against", made / "env.yaml", status=1).stdout
    assert "missing: 222200000004 ap-northeast-1: no events 2026-01-19 to 2026-01-25 (7 days)" in text
    assert "it is not known that nothing changes" in text
    assert text.index("Coverage") < text.index("Decided")


def test_an_account_without_any_event_is_reported(made: Path, tmp_path: Path) -> None:
    store = without(made, tmp_path, lambda p: "/222200000007/" in str(p))
    found = answer("trail", "replay", "--store", store, "--against", made / "env.yaml", status=1)
    assert found["coverage"]["missing_accounts"] == ["222200000007"]
    assert any("222200000007" in gap for gap in found["coverage"]["gaps"])


def test_no_events_is_never_safe(made: Path, tmp_path: Path) -> None:
    (tmp_path / "none.json").write_text('{"Records": []}')
    ingest([str(tmp_path / "none.json")], Store(tmp_path / "store", create=True))
    done = sekisho("trail", "replay", "--store", tmp_path / "store", "--against", made / "env.yaml", status=1)
    assert "nothing is known, which is not that it is safe" in done.stdout
    assert replayed(made, made / "env.yaml", "--since", "2030-01-01")["verdict"] == "no events"


def test_exit_status_is_0_only_where_all_is_decided_and_nothing_is_missing(tmp_path: Path) -> None:
    environment = CONTRACTS / "article.yaml"
    alice = {
        "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/test-user", "accountId": "111122223333", "userName": "test-user",
        "accessKeyId": "ASIAEXAMPLE", "principalId": "AIDAEXAMPLE",
        "sessionContext": {"attributes": {"mfaAuthenticated": "true", "creationDate": "2026-03-04T05:00:00Z"}},
    }  # fmt: skip
    ops = {
        "type": "AssumedRole", "arn": "arn:aws:sts::444455556666:assumed-role/test-role-admin/test-user", "accountId": "444455556666",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::444455556666:role/test-role-admin"}, "attributes": {}},
    }  # fmt: skip
    records = [
        event(1, userIdentity=alice, sourceIPAddress="203.0.113.10", eventSource="sts.amazonaws.com", eventName="GetCallerIdentity"),
        event(2, userIdentity=ops, sourceIPAddress="203.0.113.10", recipientAccountId="444455556666"),
    ]
    (tmp_path / "x.json").write_text(json.dumps({"Records": records}))
    ingest([str(tmp_path / "x.json")], Store(tmp_path / "store", create=True))
    found = answer("trail", "replay", "--store", tmp_path / "store", "--against", environment, status=0)
    assert (found["verdict"], found["decided"], found["undecided"]["events"]) == ("no difference in this trail", 2, 0)
    (tmp_path / "broken.json").write_text("oops")
    ingest([str(tmp_path / "broken.json")], Store(tmp_path / "store"))
    found = answer("trail", "replay", "--store", tmp_path / "store", "--against", environment, status=1)
    assert found["coverage"]["set_aside"] == 1


def test_csv_has_a_row_a_day_and_no_formulas(made: Path, tmp_path: Path) -> None:
    other = tmp_path / "env.yaml"
    other.write_text((made / "env.yaml").read_text().replace(", vpn]", "]"))
    text = sekisho("trail", "replay", "--store", made / "store", "--against", other, "--format", "csv", status=1).stdout
    rows = list(csv.DictReader(io.StringIO(text)))
    found = replayed(made, other)
    assert sum(int(r["events"]) for r in rows) == sum(c["events"] for c in found["changes"])
    assert not any(cell[:1] in ("=", "+", "-", "@") for row in rows for cell in row.values() if cell)


# --- what is known of a record, and what isn't ---------------------------------------------------------------------------

JUMP, WORK = "111122223333", "444455556666"


def deciding(tmp_path: Path, condition: dict[str, Any], record: dict[str, Any], action: str = "ec2:DescribeInstances", resource: str = "*") -> str:
    """What becomes of one worked event where alice's only policy allows it under ``condition``: same, refused, or undecided."""
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource, "Condition": condition}]}
    detail = {
        "UserDetailList": [
            {
                "Path": "/", "UserName": "alice", "UserId": "AIDAEXAMPLEALICE0001", "Arn": f"arn:aws:iam::{JUMP}:user/alice", "GroupList": [],
                "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": document}], "AttachedManagedPolicies": [], "Tags": [],
            }
        ],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": [],
    }  # fmt: skip
    (tmp_path / "estate").mkdir()
    (tmp_path / "estate" / f"{JUMP}.json").write_text(json.dumps(detail))
    (tmp_path / "x.json").write_text(json.dumps({"Records": [record]}))
    ingest([str(tmp_path / "x.json")], Store(tmp_path / "store", create=True))
    connection = Store(tmp_path / "store").connect()
    found = replay(connection, load_estate(tmp_path / "estate"))
    assert found.events == 1
    if found.undecided:
        return "undecided: " + next(iter(found.undecided))
    return found.changes[0].would_be if found.changes else "same"


def by(**identity: Any) -> dict[str, Any]:
    alice = {"type": "IAMUser", "arn": f"arn:aws:iam::{JUMP}:user/alice", "accountId": JUMP, "accessKeyId": "ASIAX", "principalId": "AIDAX"}
    return {**alice, **identity}


MFA = {"sessionContext": {"attributes": {"mfaAuthenticated": "true", "creationDate": "2026-03-04T04:06:07Z"}}}

KNOWN = {
    "E-02 address": ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, event(), "same"),
    "E-02 another address": ({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}, event(), "refused"),
    "C-16 IPv6": ({"IpAddress": {"aws:SourceIp": "2001:db8::/32"}}, event(sourceIPAddress="2001:db8::5"), "same"),
    "C-20 VPC endpoint: no address": (
        {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, event(vpcEndpointId="vpce-1", sourceIPAddress="10.0.0.1"), "same",
    ),
    "VPC endpoint itself": ({"StringEquals": {"aws:SourceVpce": "vpce-1"}}, event(vpcEndpointId="vpce-1", sourceIPAddress="10.0.0.1"), "same"),
    "VPC isn't recorded": (
        {"StringEquals": {"aws:SourceVpc": "vpc-1"}}, event(vpcEndpointId="vpce-1", sourceIPAddress="10.0.0.1"),
        "undecided: context key aws:sourcevpc isn't in CloudTrail",
    ),
    "VPC is absent without endpoint": ({"Null": {"aws:SourceVpc": "true"}}, event(), "same"),
    "E table: a long-term key has no MFA": ({"Null": {"aws:MultiFactorAuthPresent": "true"}}, event(userIdentity=by(accessKeyId="AKIAX")), "same"),
    "MFA of a session": ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, event(userIdentity=by(**MFA)), "same"),
    "C-33 MFA age below": ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3601"}}, event(userIdentity=by(**MFA)), "same"),
    "C-33 MFA age at the edge": ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, event(userIdentity=by(**MFA)), "refused"),
    "D-41 token issue time": ({"DateGreaterThan": {"aws:TokenIssueTime": "2026-03-04T04:00:00Z"}}, event(userIdentity=by(**MFA)), "same"),
    "time of day": ({"DateLessThan": {"aws:CurrentTime": "2026-03-04T05:06:08Z"}}, event(), "same"),
    "Region": ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, event(), "same"),
    "user name": ({"StringEquals": {"aws:username": "alice"}}, event(), "same"),
    "referer isn't recorded": ({"StringLike": {"aws:Referer": "x"}}, event(), "undecided: context key aws:referer isn't in CloudTrail"),
    "a resource tag isn't recorded": (
        {"StringEquals": {"ec2:ResourceTag/team": "a"}}, event(), "undecided: context key ec2:resourcetag/team isn't in CloudTrail",
    ),
    "E-12 FAS: the address isn't recorded": (
        {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        event(userIdentity=by(invokedBy="cloudformation.amazonaws.com"), sourceIPAddress="cloudformation.amazonaws.com"),
        "undecided: a service called on the caller's behalf (FAS): the address isn't recorded (E-12)",
    ),
    "F-22 FAS: ViaAWSService settles it": (
        {"Bool": {"aws:ViaAWSService": "true"}},
        event(userIdentity=by(invokedBy="cloudformation.amazonaws.com"), sourceIPAddress="cloudformation.amazonaws.com"), "same",
    ),
    "a second unknown doesn't hide a known no": (
        {"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}, "StringLike": {"aws:Referer": "x"}}, event(), "refused",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_what_a_record_tells(name: str, tmp_path: Path) -> None:
    condition, record, expected = KNOWN[name]
    assert deciding(tmp_path, condition, record) == expected


# --- sign-ins: method 3 --------------------------------------------------------------------------------------------------


def signed_in(n: int, address: str, *, user: str | None = "alice", name: str = "ConsoleLogin", outcome: str = "Success", **more: Any) -> dict[str, Any]:
    who = {"type": "IAMUser", "accountId": JUMP, "userName": user, "principalId": "AIDAX"} | ({"arn": f"arn:aws:iam::{JUMP}:user/{user}"} if user else {})
    return event(
        n, eventSource="signin.amazonaws.com", eventName=name, eventType="AwsConsoleSignIn", userIdentity=who, sourceIPAddress=address,
        responseElements={name: outcome}, additionalEventData={"MFAUsed": "Yes"}, **more,
    )  # fmt: skip


SIGN_INS = {
    "M-01 from one of its networks": ({}, signed_in(1, "203.0.113.9"), "same"),
    "M-01 from elsewhere": ({}, signed_in(1, "198.51.100.9"), "refused"),
    "M-01 IPv6 from elsewhere": ({}, signed_in(1, "2001:db8::9"), "refused"),
    "M-02 not switched on": ({"enforced": False}, signed_in(1, "198.51.100.9"), "same"),
    "M-05 excluded": ({"excluded_principals": [f"arn:aws:iam::{JUMP}:user/alice"]}, signed_in(1, "198.51.100.9"), "same"),
    "M-05 another is excluded": ({"excluded_principals": [f"arn:aws:iam::{JUMP}:user/bob"]}, signed_in(1, "198.51.100.9"), "refused"),
    "G-03 nobody named, nobody excluded": ({}, signed_in(1, "198.51.100.9", user=None), "refused"),
    "G-03 nobody named, somebody excluded": (
        {"excluded_principals": [f"arn:aws:iam::{JUMP}:user/bob"]}, signed_in(1, "198.51.100.9", user=None),
        "undecided: a sign-in that doesn't say whose it was, where the sign-in policy excludes somebody",
    ),
    "a sign-in that failed is no loss": ({}, signed_in(1, "198.51.100.9", outcome="Failure"), "same"),
    "CheckMfa goes with its ConsoleLogin": ({}, signed_in(1, "198.51.100.9", name="CheckMfa"), "same"),
    "ExitRole": ({}, signed_in(1, "198.51.100.9", name="ExitRole"), "undecided: a sign-in event that no policy decides (F-17)"),
    "VPC endpoint, its VPC isn't recorded": (
        {"source_vpc": ["vpc-1"]}, signed_in(1, "10.0.0.1", vpcEndpointId="vpce-1"), "undecided: context key aws:sourcevpc isn't in CloudTrail",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SIGN_INS)
def test_a_sign_in_is_decided_by_the_sign_in_policy(name: str, tmp_path: Path) -> None:
    policy, record, expected = SIGN_INS[name]
    settings = {k: tuple(v) for k, v in policy.items() if k != "enforced"}
    statement = SignInStatement(source_ip=("203.0.113.0/24",), **settings)  # type: ignore[arg-type]
    estate = Estate((Account(JUMP, sign_in=SignIn((statement,), enforced=policy.get("enforced", True) is True)),))
    (tmp_path / "x.json").write_text(json.dumps({"Records": [record]}))
    ingest([str(tmp_path / "x.json")], Store(tmp_path / "store", create=True), workers=1)
    found = replay(Store(tmp_path / "store").connect(), estate)
    assert found.events == 1
    said = "undecided: " + next(iter(found.undecided)) if found.undecided else found.changes[0].would_be if found.changes else "same"
    assert said == expected
    if said == "refused":
        (change,) = found.changes
        assert (change.action, change.layer, change.policy, change.address) == (
            "signin:Authenticate", "sign_in", "AWS Sign-In policy", record["sourceIPAddress"],
        )  # fmt: skip
        assert record["sourceIPAddress"] in change.message


def test_a_changed_sign_in_of_the_file_names_who_signed_in_from_the_vpn(made: Path, tmp_path: Path) -> None:
    """Method 3 replayed: sign_in: [office, branch] loses exactly the sign-ins from the vpn (and from cafes); the same rows by --suggest."""
    other = tmp_path / "env.yaml"
    other.write_text((made / "env.yaml").read_text().replace("  networks: [office, branch, vpn]\ngroups", "  networks: [office, branch, vpn]\n  sign_in: [office, branch]\ngroups"))
    found = replayed(made, other, "--suggest")
    assert {c["action"] for c in found["changes"]} == {"signin:Authenticate"}
    where = "name = 'ConsoleLogin' AND outcome = 'Success' AND address NOT LIKE '203.0.113.%' AND address NOT LIKE '2001:db8:10:%'"
    counted = Store(made / "store").connect().execute(f"SELECT principal, count(*) FROM events WHERE {where} GROUP BY 1").fetchall()
    assert found["refused_by"]["user"] == dict(counted) and len(counted) > 10
    assert {"198.51.100.7/32", "198.51.100.8/32"} <= {s["network"] for s in found["suggested"]}
