"""The real AWS CLI with nothing but AWS_ENDPOINT_URL and credentials: codes, texts and exit status as from AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import Request, decide, load

from .people import CAFE, OFFICE, J, Person, Sandbox, T, allow, trust

AWS = next(iter(Path(sys.prefix).glob("aws-cli/awscli/v2/*/dist/aws")), Path("/none"))
pytestmark = pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI v2 could not be installed (tools/aws_cli.py)")
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
INSIDE = {"IpAddress": {"aws:SourceIp": [f"{OFFICE}/32"]}}


def cli(aws: Sandbox, keys: dict[str, str], *arguments: str, address: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "AWS_ENDPOINT_URL": aws.endpoint + (f"/from/{address}" if address else ""),
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"], "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": "/nonexistent", "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    if "SessionToken" in keys:
        environment["AWS_SESSION_TOKEN"] = keys["SessionToken"]
    return subprocess.run([str(AWS), *arguments, "--output", "json"], env=environment, capture_output=True, text=True, timeout=120)


def told(ran: subprocess.CompletedProcess[str]) -> Any:
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout) if ran.stdout.strip() else None


@pytest.fixture
def alice(aws: Sandbox) -> Iterator[Person]:
    yield aws.user("alice", allow(["sts:AssumeRole", "iam:*", "cloudtrail:LookupEvents"]))


def test_get_caller_identity(aws: Sandbox, alice: Person) -> None:
    assert told(cli(aws, alice.key, "sts", "get-caller-identity"))["Arn"] == alice.arn
    ran = cli(aws, {**alice.key, "SecretAccessKey": "x" * 40}, "sts", "get-caller-identity")
    assert ran.returncode == 254
    assert "An error occurred (SignatureDoesNotMatch) when calling the GetCallerIdentity operation" in ran.stderr


def test_assume_role_inside_and_outside(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn, **INSIDE))
    arguments = ("sts", "assume-role", "--role-arn", role, "--role-session-name", "alice")
    keys = told(cli(aws, alice.key, *arguments, address=OFFICE))["Credentials"]
    assert told(cli(aws, keys, "sts", "get-caller-identity"))["Arn"] == f"arn:aws:sts::{T}:assumed-role/Ops/alice"
    ran = cli(aws, alice.key, *arguments, address=CAFE)
    assert ran.returncode == 254
    assert ran.stderr.strip().endswith(
        f"An error occurred (AccessDenied) when calling the AssumeRole operation: User: {alice.arn} is not authorized to perform: "
        f"sts:AssumeRole on resource: {role}"
    )
    six = cli(aws, alice.key, *arguments, address="2001:db8::1")
    assert six.returncode == 254 and "AccessDenied" in six.stderr


def test_enable_mfa_device_and_a_session_with_it(aws: Sandbox, alice: Person, tmp_path: Path) -> None:
    made = told(cli(aws, alice.key, "iam", "create-virtual-mfa-device", "--virtual-mfa-device-name", "alice", "--outfile", str(tmp_path / "seed"),
                    "--bootstrap-method", "Base32StringSeed"))  # fmt: skip
    assert made["VirtualMFADevice"]["SerialNumber"] == alice.serial
    store = aws.server.aws.store.devices[alice.serial]
    alice.seed = store.seed
    same = alice.code()
    wrong = cli(aws, alice.key, "iam", "enable-mfa-device", "--user-name", "alice", "--serial-number", alice.serial,
                "--authentication-code1", same, "--authentication-code2", same)  # fmt: skip
    assert wrong.returncode == 254 and "InvalidAuthenticationCode" in wrong.stderr
    told(cli(aws, alice.key, "iam", "enable-mfa-device", "--user-name", "alice", "--serial-number", alice.serial,
             "--authentication-code1", alice.code(), "--authentication-code2", alice.code()))  # fmt: skip
    session = told(cli(aws, alice.key, "sts", "get-session-token", "--serial-number", alice.serial, "--token-code", alice.code()))["Credentials"]
    role = aws.role(trust(alice.arn, **MFA))
    assume = ("sts", "assume-role", "--role-arn", role, "--role-session-name", "alice")
    assert cli(aws, alice.key, *assume).returncode == 254
    assert told(cli(aws, session, *assume))["AssumedRoleUser"]["Arn"].endswith("assumed-role/Ops/alice")


def test_account_authorization_details_load_as_an_estate_and_decide_the_same(aws: Sandbox, alice: Person, tmp_path: Path) -> None:
    role = aws.role(trust(alice.arn, **INSIDE))
    for account in (J, T):
        root = aws.server.aws.store.root_key(account)
        keys = {"AccessKeyId": root.id, "SecretAccessKey": root.secret}
        details = told(cli(aws, keys, "iam", "get-account-authorization-details"))
        (tmp_path / f"{account}.json").write_text(json.dumps(details))
    estate = load(tmp_path)
    for address in (OFFICE, CAFE):
        decision = decide(Request(alice.arn, "sts:AssumeRole", role, {"aws:SourceIp": address, "sts:RoleSessionName": "alice"}), estate)
        ran = cli(aws, alice.key, "sts", "assume-role", "--role-arn", role, "--role-session-name", "alice", address=address)
        assert decision.allowed is (ran.returncode == 0) is (address == OFFICE)
        assert decision.message in ran.stderr


def test_lookup_events(aws: Sandbox, alice: Person) -> None:
    role = aws.role(trust(alice.arn, **INSIDE))
    cli(aws, alice.key, "sts", "assume-role", "--role-arn", role, "--role-session-name", "alice", address=CAFE)
    found = told(cli(aws, alice.key, "cloudtrail", "lookup-events", "--lookup-attributes", "AttributeKey=EventName,AttributeValue=AssumeRole"))
    (event,) = found["Events"]
    record = json.loads(event["CloudTrailEvent"])
    assert (event["EventName"], event["Username"], event["EventId"]) == ("AssumeRole", "alice", record["eventID"])
    assert (record["errorCode"], record["sourceIPAddress"]) == ("AccessDenied", CAFE)
    bob = aws.user("bob")
    ran = cli(aws, bob.key, "cloudtrail", "lookup-events")
    assert ran.returncode == 254 and "AccessDeniedException" in ran.stderr
