"""Two hundred clients at once, each with its own connection and its next request as soon as the last is answered, while IAM changes beside them.

A change has a number; it is begun before it is sent and done when it is acknowledged. An answer is right if it is for one of the states between the
last that was done when its request left and the last that was begun when it arrived.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from .people import J, allow

Keys = tuple[str, str]
URL = f"https://sqs.us-east-1.amazonaws.com/{J}/busy"


def signed(port: int, keys: Keys, service: str, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """The bytes of a request; the signature is good for a quarter of an hour."""
    host = f"127.0.0.1:{port}"
    request = AWSRequest(method, f"http://{host}{path}", {"Host": host, **{k.replace("_", "-"): v for k, v in headers.items()}}, body)
    (S3SigV4Auth if service == "s3" else SigV4Auth)(Credentials(*keys), service, "us-east-1").add_auth(request)
    lines = [f"{name}: {value}" for name, value in {**dict(request.headers.items()), "Content-Length": str(len(body))}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode() + body


def query(port: int, keys: Keys, service: str, action: str, **params: str) -> bytes:
    version = {"iam": "2010-05-08", "sts": "2011-06-15"}[service]
    body = urlencode({"Action": action, "Version": version, **params}).encode()
    return signed(port, keys, service, "POST", "/", body, content_type="application/x-www-form-urlencoded; charset=utf-8")


class Connection:
    """One connection, kept open."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """(status, head and body). Raises OSError or EOFError where the server is gone."""
        if self.streams is None:
            self.streams = await asyncio.open_connection("127.0.0.1", self.port)
        reader, writer = self.streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
        body = await reader.readexactly(length)
        if b"connection: close" in head.lower():
            writer.close()
            self.streams = None
        return int(head[9:12]), head + body

    def close(self) -> None:
        if self.streams is not None:
            self.streams[1].close()


@dataclass
class Changing:
    """Something that is so in even states and not in odd ones."""

    begun: int = 0
    done: int = 0

    @contextmanager
    def next(self) -> Iterator[bool]:
        self.begun += 1
        yield self.begun % 2 == 0
        self.done = self.begun

    def may_be(self, done_before: int) -> set[bool]:
        return {state % 2 == 0 for state in range(done_before, self.begun + 1)}


@dataclass
class Load:
    """The clients, and what they saw. ``acknowledged``: what was written for good, in order (kind, name)."""

    port: int
    root: Keys
    busy: Keys
    keyed: Keys
    seed: int = 0
    name: str = "w"
    counted: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    stopped: bool = False

    def __post_init__(self) -> None:
        self.leave, self.key, self.user = Changing(), Changing(), Changing()

    def odd_or_even(self, iam: Any) -> None:
        """What is changed is where an earlier load left it."""
        policy = iam.get_user_policy(UserName="busy", PolicyName="p")["PolicyDocument"]
        (key,) = iam.list_access_keys(UserName="keyed")["AccessKeyMetadata"]
        users = {user["UserName"] for page in iam.get_paginator("list_users").paginate() for user in page["Users"]}
        for changing, good in ((self.leave, "GetObject" in str(policy)), (self.key, key["Status"] == "Active"), (self.user, "comes-and-goes" in users)):
            changing.begun = changing.done = 0 if good else 1

    async def run(self, clients: int, seconds: float, *, writers: int = 2, until: Callable[[], bool] = lambda: False) -> None:
        rng = random.Random(self.seed)
        end = time.monotonic() + seconds
        tasks = [asyncio.create_task(self._client(random.Random(rng.random()))) for _ in range(clients)]
        tasks += [asyncio.create_task(change()) for change in (self._flip_leave, self._flip_key, self._flip_user)]
        tasks += [asyncio.create_task(self._write(i)) for i in range(writers)]
        while time.monotonic() < end and not until() and not all(task.done() for task in tasks):
            await asyncio.sleep(0.05)
        self.stopped = True
        for found in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(found, BaseException) and not isinstance(found, OSError | EOFError):
                raise found

    # Those who ask --------------------------------------------------------------------------------------------------

    async def _client(self, rng: random.Random) -> None:
        port, connection = self.port, Connection(self.port)
        key = f"/busy/k{rng.randint(0, 99)}"
        body = rng.randbytes(rng.choice([10, 1000, 20_000]))
        sent = json.dumps({"QueueUrl": URL, "MessageBody": "m"}).encode()
        receive = json.dumps({"QueueUrl": URL, "MaxNumberOfMessages": 2}).encode()
        json_10 = "application/x-amz-json-1.0"
        identity = f"<Arn>arn:aws:iam::{J}:user/busy</Arn>".encode()
        rows: list[tuple[str, bytes, Callable[[int, bytes, set[bool]], bool], Changing | None]] = [
            ("sts", query(port, self.busy, "sts", "GetCallerIdentity"), lambda s, b, _: s == 200 and identity in b, None),
            ("get", signed(port, self.busy, "s3", "GET", "/busy/fixed"), lambda s, b, may: (s == 200 and b.endswith(b"fixed")) in may and s in (200, 403), self.leave),
            ("put", signed(port, self.root, "s3", "PUT", key, body), lambda s, b, _: s == 200, None),
            ("send", signed(port, self.root, "sqs", "POST", "/", sent, X_Amz_Target="AmazonSQS.SendMessage", content_type=json_10), lambda s, b, _: s == 200, None),
            ("receive", signed(port, self.root, "sqs", "POST", "/", receive, X_Amz_Target="AmazonSQS.ReceiveMessage", content_type=json_10), lambda s, b, _: s == 200, None),
            ("key", query(port, self.keyed, "sts", "GetCallerIdentity"), lambda s, b, may: (s == 200) in may and (s == 200 or b"InvalidClientTokenId" in b), self.key),
            ("user", query(port, self.root, "iam", "GetUser", UserName="comes-and-goes"), lambda s, b, may: (s == 200) in may and (s == 200 or b"NoSuchEntity" in b), self.user),
        ]  # fmt: skip
        try:
            while not self.stopped:
                kind, request, right, changing = rng.choice(rows)
                before = changing.done if changing is not None else 0
                status, text = await connection.ask(request)
                self.counted[f"{kind} {status}"] += 1
                if not right(status, text, changing.may_be(before) if changing is not None else set()):
                    self.wrong.append(f"{kind} {changing} since {before}: {text[:600]!r}")
                if kind == "receive" and status == 200:
                    for message in json.loads(text.partition(b"\r\n\r\n")[2]).get("Messages", ()):
                        done = json.dumps({"QueueUrl": URL, "ReceiptHandle": message["ReceiptHandle"]}).encode()
                        request = signed(port, self.root, "sqs", "POST", "/", done, X_Amz_Target="AmazonSQS.DeleteMessage", content_type=json_10)
                        status, text = await connection.ask(request)
                        self.counted[f"delete {status}"] += 1
                        if status != 200:
                            self.wrong.append(f"delete: {text!r}")
        finally:
            connection.close()

    # Those who change -----------------------------------------------------------------------------------------------

    async def _flip(self, changing: Changing, change: Callable[[Connection, bool], Awaitable[list[tuple[int, bytes]]]]) -> None:
        connection = Connection(self.port)
        try:
            while not self.stopped:
                with changing.next() as good:
                    for status, text in await change(connection, good):
                        self.counted[f"change {status}"] += 1
                        if status != 200:
                            self.wrong.append(f"a change was refused: {text!r}")
        finally:
            connection.close()

    async def _flip_leave(self) -> None:
        async def change(c: Connection, good: bool) -> list[tuple[int, bytes]]:
            document = json.dumps(allow("s3:GetObject" if good else "s3:PutObject"))
            return [await c.ask(query(self.port, self.root, "iam", "PutUserPolicy", UserName="busy", PolicyName="p", PolicyDocument=document))]

        await self._flip(self.leave, change)

    async def _flip_key(self) -> None:
        async def change(c: Connection, good: bool) -> list[tuple[int, bytes]]:
            status = "Active" if good else "Inactive"
            return [await c.ask(query(self.port, self.root, "iam", "UpdateAccessKey", UserName="keyed", AccessKeyId=self.keyed[0], Status=status))]

        await self._flip(self.key, change)

    async def _flip_user(self) -> None:
        async def change(c: Connection, good: bool) -> list[tuple[int, bytes]]:
            return [await c.ask(query(self.port, self.root, "iam", "CreateUser" if good else "DeleteUser", UserName="comes-and-goes"))]

        await self._flip(self.user, change)

    async def _write(self, number: int) -> None:
        """Users with a policy, a group and a key, and an object for each; every third is taken back whole."""
        port, root, c = self.port, self.root, Connection(self.port)
        document = json.dumps(allow("s3:*"))

        async def call(kind: str, name: str, request: bytes) -> bytes:
            status, text = await c.ask(request)
            self.counted[f"write {status}"] += 1
            if status not in (200, 204):
                self.wrong.append(f"{kind} {name}: {text!r}")
            self.acknowledged.append((kind, name))
            return text

        try:
            for i in range(1_000_000):
                if self.stopped:
                    return
                user = f"{self.name}-{number}-{i}"
                self.begun.add(user)
                await call("user", user, query(port, root, "iam", "CreateUser", UserName=user))
                await call("policy", user, query(port, root, "iam", "PutUserPolicy", UserName=user, PolicyName="p", PolicyDocument=document))
                await call("object", user, signed(port, root, "s3", "PUT", f"/kept/{user}", user.encode() * 50))
                made = await call("key", user, query(port, root, "iam", "CreateAccessKey", UserName=user))
                if i % 3 == 2:
                    key = made.partition(b"<AccessKeyId>")[2].partition(b"<")[0].decode()
                    self.acknowledged.append(("going", user))
                    await call("no key", user, query(port, root, "iam", "DeleteAccessKey", UserName=user, AccessKeyId=key))
                    await call("no policy", user, query(port, root, "iam", "DeleteUserPolicy", UserName=user, PolicyName="p"))
                    await call("no user", user, query(port, root, "iam", "DeleteUser", UserName=user))
                    await call("no object", user, signed(port, root, "s3", "DELETE", f"/kept/{user}"))
        finally:
            c.close()


def prepare(access: dict[str, Any]) -> dict[str, Any]:
    """What the clients need, made once: users, a bucket, a queue. Load's arguments but for the port."""
    from .test_server import client

    iam, s3 = client(access, "iam"), client(access, "s3")
    for user in ("busy", "keyed", "comes-and-goes"):
        iam.create_user(UserName=user)
    iam.put_user_policy(UserName="busy", PolicyName="p", PolicyDocument=json.dumps(allow("s3:GetObject")))
    for bucket in ("busy", "kept"):
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket="busy", Key="fixed", Body=b"fixed")
    client(access, "sqs").create_queue(QueueName="busy")
    keys = {user: iam.create_access_key(UserName=user)["AccessKey"] for user in ("busy", "keyed")}
    found: dict[str, Any] = {user: (k["AccessKeyId"], k["SecretAccessKey"]) for user, k in keys.items()}
    credentials = iam._request_signer._credentials
    return {**found, "root": (credentials.access_key, credentials.secret_key)}
