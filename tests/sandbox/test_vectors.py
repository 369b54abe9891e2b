"""The golden vectors of rule book I over real HTTP, J.4: each outcome is the engine's, each text AWS's (tests/data/vectors.yaml)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from ruamel.yaml import YAML

from sekisho.sandbox.server import serve

from .people import Person, Sandbox, refused

DATA: Any = YAML(typ="safe").load(Path(__file__).parents[1] / "data" / "vectors.yaml")
JUMP, TARGET = DATA["accounts"]["jump"], DATA["accounts"]["target"]


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    with serve([JUMP, TARGET], port=0) as server:
        yield Sandbox(server)


def build(aws: Sandbox, vector: dict[str, Any]) -> Person:
    """The vector's estate, made through the API; the administrators are each account's root."""
    iam = aws.client("iam", account=JUMP)
    for name in DATA["users"]:
        iam.create_user(UserName=name)
    iam.create_group(GroupName=DATA["group"])
    iam.add_user_to_group(GroupName=DATA["group"], UserName="alice")
    for name in vector["group"]:
        iam.put_group_policy(GroupName=DATA["group"], PolicyName=name, PolicyDocument=json.dumps(DATA["documents"][name]))
    alice = Person.__new__(Person)
    alice.sandbox, alice.name, alice.arn, alice.password = aws, "alice", DATA["defaults"]["principal"], "Correct-horse-1"
    alice.seed, alice.step = "", 0
    iam.create_login_profile(UserName="alice", Password=alice.password)
    alice.key = iam.create_access_key(UserName="alice")["AccessKey"]
    return alice


def make_role(aws: Sandbox, arn: str, trust: dict[str, Any], policies: list[str]) -> None:
    _, _, _, _, account, path = arn.split(":", 5)
    iam = aws.client("iam", account=account)
    where, _, name = path.removeprefix("role").rpartition("/")
    iam.create_role(RoleName=name, Path=f"{where}/", AssumeRolePolicyDocument=json.dumps(trust))
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)


def endpoint(vector: dict[str, Any]) -> str:
    where = vector["from"]
    return f"/from/{where['source_ip']}" if "source_ip" in where else f"/via/{where['source_vpce']},{where['source_vpc']}"


def client(aws: Sandbox, service: str, keys: dict[str, str], vector: dict[str, Any]) -> Any:
    made = Sandbox(aws.server)
    made.endpoint = aws.endpoint + endpoint(vector)
    return made.client(service, keys)


VECTORS = [{**DATA["defaults"], **v} for v in DATA["vectors"] if not v.get("hypothetical")]


@pytest.mark.parametrize("vector", VECTORS, ids=[f"I-{v['number']}" for v in VECTORS])
def test_vector(aws: Sandbox, vector: dict[str, Any]) -> None:
    alice = build(aws, vector)
    kind, expect = vector["credentials"], vector["expect"]
    needs_code = vector.get("mfa") or vector.get("mfa_on_call")
    trust = DATA["documents"][vector["trust"]]
    if kind == "role-session":
        # The caller is a session of Ops that alice obtained at the office, with MFA.
        make_role(aws, DATA["defaults"]["resource"], DATA["documents"]["trust"], vector.get("role_policies", []))
        if vector["resource"] not in ("*", DATA["defaults"]["resource"]):
            make_role(aws, vector["resource"], trust, [])
    elif ":role/" in vector["resource"]:
        make_role(aws, vector["resource"], trust, vector.get("role_policies", []))
    if needs_code:
        alice.enrol_as_administrator(JUMP)
    if kind == "console":
        outcome = by_console(aws, alice, vector)
    else:
        outcome = by_api(aws, alice, vector)
    if "refused" in vector:
        assert outcome == (vector["refused"]["code"], vector["refused"]["message"])
    elif expect["decision"] == "allow":
        assert outcome is None
    else:
        assert outcome == ("AccessDenied", expect["message"])


def by_console(aws: Sandbox, alice: Person, vector: dict[str, Any]) -> tuple[str, str] | None:
    """Sign in and switch role; the reason that only CloudTrail has (J.5)."""
    address = vector["from"]["source_ip"]
    code = alice.code() if alice.seed else None
    body = {"account": JUMP, "user": "alice", "password": alice.password}
    status, signed_in = aws.signin("login", {**body, "mfa_code": code} if code else body, address=address)
    assert status == 200 and signed_in["mfa"] is bool(vector.get("mfa"))
    status, answer = alice.switch(signed_in["credentials"], vector["resource"], address)
    if status == 200:
        return None
    (record,) = [e for e in aws.events(JUMP, "AssumeRole") if e["eventID"] == answer["event"]]
    return record["errorCode"], record["errorMessage"]


def by_api(aws: Sandbox, alice: Person, vector: dict[str, Any]) -> tuple[str, str] | None:
    kind, resource = vector["credentials"], vector["resource"]
    office = {**vector, "from": {"source_ip": "203.0.113.5"}}
    keys = alice.key
    if kind == "root":
        root = aws.server.aws.store.root_key(JUMP)
        keys = {"AccessKeyId": root.id, "SecretAccessKey": root.secret}
    if kind == "session-token" or kind == "role-session":
        sts = client(aws, "sts", alice.key, office)
        keys = sts.get_session_token(SerialNumber=alice.serial_in(JUMP), TokenCode=alice.code())["Credentials"]
    if kind == "role-session":
        sts = client(aws, "sts", keys, office)
        keys = sts.assume_role(RoleArn=DATA["defaults"]["resource"], RoleSessionName="alice")["Credentials"]
    if vector["action"] == "sts:GetCallerIdentity":
        call, params = client(aws, "sts", keys, vector).get_caller_identity, {}
    elif vector["action"] == "ec2:DescribeInstances":
        call, params = client(aws, "ec2", keys, vector).describe_instances, {}
    else:
        call, params = client(aws, "sts", keys, vector).assume_role, {"RoleArn": resource, "RoleSessionName": "alice"}
        if vector.get("mfa_on_call"):
            params |= {"SerialNumber": alice.serial_in(JUMP), "TokenCode": alice.code()}
        if "duration_s" in vector:
            params["DurationSeconds"] = vector["duration_s"]
    if vector["expect"]["decision"] == "allow" and "refused" not in vector:
        try:
            answer = call(**params)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        if "session_mfa" in vector["expect"]:
            assert session_mfa(aws, answer["Credentials"], resource) is vector["expect"]["session_mfa"]
        return None
    code, message, _ = refused(call, **params)
    return code, message


def session_mfa(aws: Sandbox, keys: dict[str, str], role: str) -> bool:
    """E-08: whether a role session carries MFA, as its own records say."""
    aws.client("sts", keys).get_caller_identity()
    record = aws.events(role.split(":")[4], "GetCallerIdentity")[0]
    return bool(record["userIdentity"]["sessionContext"]["attributes"]["mfaAuthenticated"] == "true")
