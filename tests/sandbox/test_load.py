"""Many requests: random ones answer as decide does on the estate at that moment, and those in flight while IAM changes are never wrong.

SEKISHO_REQUESTS=10000 asks as many random ones; SEKISHO_LOAD_S=300 keeps two hundred in flight for five minutes.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sekisho import Request, decide
from sekisho.decision import CredentialKind
from sekisho.sandbox.server import serve

from .load import Load, prepare
from .people import CAFE, OFFICE, V6, J, Person, Sandbox, T, allow, trust
from .test_server import running

REQUESTS = int(os.environ.get("SEKISHO_REQUESTS", "1000"))
LOAD_S = float(os.environ.get("SEKISHO_LOAD_S", "4"))
IN_FLIGHT = 200
ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:ListBucket", "sqs:SendMessage", "sqs:ReceiveMessage", "dynamodb:GetItem", "ssm:GetParameter",
           "iam:GetUser"]  # fmt: skip
Call = tuple[str, str, dict[str, Any], str, str, str, dict[str, Any]]
"""(service, operation, parameters, action, resource, the resource's account, context of the operation's own)."""


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    with serve([J, T], port=0) as server:
        yield Sandbox(server)


def a_statement(rng: random.Random) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow" if rng.random() < 0.75 else "Deny",
        "Action": rng.choice([rng.choice(ACTIONS), rng.choice(ACTIONS), f"{rng.choice(ACTIONS).partition(':')[0]}:*", "*"]),
        "Resource": rng.choice(["*", "*", "arn:aws:s3:::one*", "arn:aws:s3:::one/a/*", f"arn:aws:sqs:us-east-1:{J}:q1", f"arn:aws:sqs:*:{J}:*"]),
    }
    condition: dict[str, Any] = rng.choice([
        {}, {}, {"IpAddress": {"aws:SourceIp": ["203.0.113.0/24", "2001:db8::/32"]}}, {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
        {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        {"StringLike": {"s3:prefix": "a/*"}}, {"StringEquals": {"aws:username": "u0"}}, {"Null": {"aws:TokenIssueTime": "true"}},
    ])  # fmt: skip
    return {**statement, "Condition": condition} if condition else statement


def a_call(rng: random.Random, users: list[Person]) -> Call:
    bucket, key, queue = rng.choice(["one", "two"]), rng.choice(["a/k", "b/k"]), rng.choice(["q1", "q2"])
    who = rng.choice(users).name
    prefix = rng.choice(["a/", "b/"])
    listing = {"s3:prefix": prefix}
    owner = J if bucket == "one" else T
    sqs = f"arn:aws:sqs:us-east-1:{J}:{queue}"
    url = f"https://sqs.us-east-1.amazonaws.com/{J}/{queue}"
    rows: list[Call] = [
        ("s3", "get_object", {"Bucket": bucket, "Key": key}, "s3:GetObject", f"arn:aws:s3:::{bucket}/{key}", owner, {}),
        ("s3", "put_object", {"Bucket": bucket, "Key": key, "Body": b"x"}, "s3:PutObject", f"arn:aws:s3:::{bucket}/{key}", owner, {}),
        ("s3", "list_objects_v2", {"Bucket": bucket, "Prefix": prefix}, "s3:ListBucket", f"arn:aws:s3:::{bucket}", owner, listing),
        ("sqs", "send_message", {"QueueUrl": url, "MessageBody": "m"}, "sqs:SendMessage", sqs, J, {}),
        ("sqs", "receive_message", {"QueueUrl": url}, "sqs:ReceiveMessage", sqs, J, {}),
        ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "x"}}}, "dynamodb:GetItem", f"arn:aws:dynamodb:us-east-1:{J}:table/t", J, {}),
        ("ssm", "get_parameter", {"Name": "/p"}, "ssm:GetParameter", f"arn:aws:ssm:us-east-1:{J}:parameter/p", J, {}),
        ("iam", "get_user", {"UserName": who}, "iam:GetUser", f"arn:aws:iam::{J}:user/{who}", J, {}),
    ]
    return rng.choice(rows)


def test_D_01_random_requests_answer_as_decide_does(aws: Sandbox, record_property: Any) -> None:
    """Users, role sessions, MFA states, addresses, services and resource policies; leave changes every few requests."""
    rng = random.Random(7)
    for account, bucket in ((J, "one"), (T, "two")):
        s3 = aws.client("s3", account=account)
        s3.create_bucket(Bucket=bucket)
        for key in ("a/k", "b/k"):
            s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    for queue in ("q1", "q2"):
        aws.client("sqs").create_queue(QueueName=queue)
    aws.client("ssm").put_parameter(Name="/p", Value="v", Type="String")
    aws.client("dynamodb").create_table(
        TableName="t", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    users = [aws.user(f"u{i}", allow("*")) for i in range(3)]
    role = aws.role(trust(f"arn:aws:iam::{J}:root"), account=J, policy=allow("*"))
    callers: list[tuple[dict[str, str], str, CredentialKind, bool, str]] = []
    for person in users:
        callers.append((person.key, person.arn, CredentialKind.KEY, False, person.name))
        person.enrol()
        callers.append((person.session_token(mfa=True), person.arn, CredentialKind.SESSION_TOKEN, True, person.name))
    session = users[0].assume(role)
    callers.append((session, f"arn:aws:sts::{J}:assumed-role/Ops/u0", CredentialKind.ROLE_SESSION, False, ""))
    root, clients, outcomes = aws.client("iam"), {}, Counter[str]()
    wrong: list[str] = []
    for number in range(REQUESTS):
        if number % 20 == 0:
            document = json.dumps({"Version": "2012-10-17", "Statement": [a_statement(rng) for _ in range(rng.randint(1, 4))]})
            if rng.random() < 0.25:
                root.put_role_policy(RoleName="Ops", PolicyName="all", PolicyDocument=document)
            else:
                root.put_user_policy(UserName=rng.choice(users).name, PolicyName="p0", PolicyDocument=document)
        if number % 100 == 50:
            theirs = aws.client("s3", account=T)
            who = rng.choice([users[0].arn, f"arn:aws:iam::{J}:root", role])
            resources = ["arn:aws:s3:::two", "arn:aws:s3:::two/*"]
            statement = {"Effect": rng.choice(["Allow", "Allow", "Deny"]), "Principal": {"AWS": who}, "Action": "s3:*", "Resource": resources}
            theirs.put_bucket_policy(Bucket="two", Policy=json.dumps({"Version": "2012-10-17", "Statement": statement}))
        keys, principal, kind, mfa, name = rng.choice(callers)
        address = rng.choice([OFFICE, CAFE, V6])
        service, operation, params, action, resource, owner, more = a_call(rng, users)
        context: dict[str, Any] = {"aws:SourceIp": address, **more, **({"aws:username": name} if name else {})}
        if kind is not CredentialKind.KEY:
            context |= {"aws:MultiFactorAuthPresent": str(mfa).lower(), "aws:TokenIssueTime": "2026-01-01T00:00:00Z"}
        asked = Request(principal, action, resource, context, resource_account=owner, credentials=kind, role=role if not name else "")
        decision = decide(asked, aws.server.aws.store.estate)
        client = clients.setdefault((service, keys["AccessKeyId"], address), None) or aws.client(service, keys, address=address)
        clients[service, keys["AccessKeyId"], address] = client
        try:
            getattr(client, operation)(**params)
            got = ""
        except ClientError as error:
            got = error.response["Error"]["Message"]
        outcomes[f"{decision.outcome} {decision.layer or ''}".strip()] += 1
        if got != decision.message:
            wrong.append(f"{asked}: {got!r}, decide says {decision.outcome}: {decision.message!r}")
    record_property("outcomes", dict(outcomes))
    assert not wrong, "\n".join(wrong[:5])
    assert {"allow", "implicit_deny identity", "explicit_deny identity", "implicit_deny resource"} <= set(outcomes), outcomes


def test_answers_in_flight_while_leave_changes(tmp_path: Path) -> None:
    """Two hundred requests in flight: each answer is right for the state before or after the changes beside it, none is a 500, memory is flat."""
    with running(tmp_path) as (process, access):
        load = Load(int(access["endpoint"].rpartition(":")[2]), **prepare(access))
        resident: list[int] = []

        async def whole() -> None:
            async def watch() -> None:
                while not load.stopped:
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    resident.append(int(status.partition("VmRSS:")[2].split()[0]))
                    await asyncio.sleep(LOAD_S / 20)

            await asyncio.gather(load.run(IN_FLIGHT, LOAD_S), watch())

        asyncio.run(whole())
    assert load.wrong == []
    changes = load.leave.done + load.key.done + load.user.done
    assert not any(kind.split()[1].startswith("5") for kind in load.counted)
    assert min(load.leave.done, load.key.done, load.user.done) > 0 and {"get 200", "get 403", "key 200", "key 403", "user 200", "user 404", "put 200"} <= set(load.counted), load.counted
    report = Path(os.environ.get("SEKISHO_REPORT", tmp_path / "load.json"))
    report.write_text(json.dumps({"seconds": LOAD_S, "changes": changes, "resident_kib": resident, "answers": load.counted}))
    if LOAD_S >= 60:
        # After a fifth of the time all is loaded and the caches are full.
        early = max(resident[4:6])
        assert max(resident[-5:]) < early * 1.1 + 20_000, resident
