"""Clients that mean harm or break off: bodies without end, heads without end, connections that say nothing, requests cut short, time going back."""

from __future__ import annotations

import http.client
import resource
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.config import Config

from sekisho.sandbox import connection
from sekisho.sandbox.server import serve

from .people import OFFICE, J, Person, Sandbox, T, allow, refused
from .test_server import client, running

BIG = 17 * 1024 * 1024


@pytest.fixture(scope="module")
def aws() -> Iterator[Sandbox]:
    with serve([J, T], port=0) as server:
        yield Sandbox(server)


@pytest.fixture(scope="module")
def alice(aws: Sandbox) -> Person:
    return aws.user("alice", allow("*"))


def raw(aws: Sandbox, data: bytes) -> bytes:
    """What comes back to bytes, until the connection is closed."""
    with socket.create_connection(("127.0.0.1", aws.server.port), timeout=30) as peer:
        peer.sendall(data)
        return b"".join(iter(lambda: peer.recv(65536), b""))


def test_a_body_that_is_too_large_is_answered_in_the_clients_words(aws: Sandbox, alice: Person) -> None:
    """Whoever asks before sending (S3) and whoever doesn't: an answer, and no broken connection; the next call is served."""
    s3 = aws.client("s3", alice.key)
    s3.create_bucket(Bucket="large")
    assert refused(s3.put_object, Bucket="large", Key="k", Body=b"x" * BIG)[0] == "EntityTooLarge"
    code, _, status = refused(aws.client("sqs", alice.key).send_message, QueueUrl=f"https://sqs.us-east-1.amazonaws.com/{J}/q", MessageBody="x" * BIG)
    assert (code, status) == ("RequestEntityTooLarge", 413)
    host = urlsplit(aws.endpoint)
    chunked = http.client.HTTPConnection(str(host.hostname), host.port, timeout=30)
    chunked.request("POST", "/", iter([b"x" * 1024 * 1024] * 17), {"content-type": "application/x-www-form-urlencoded"}, encode_chunked=True)
    assert chunked.getresponse().status == 413
    chunked.close()
    assert s3.list_buckets()["Buckets"][0]["Name"] == "large"


def test_a_body_that_breaks_off_is_no_request(aws: Sandbox, alice: Person) -> None:
    """An upload whose signature doesn't cover its body, cut in the middle, is not kept."""
    s3 = aws.client("s3", alice.key)
    s3.create_bucket(Bucket="whole")
    url = s3.generate_presigned_url("put_object", Params={"Bucket": "whole", "Key": "cut"})
    target = url.split(str(aws.server.port), 1)[1]
    with socket.create_connection(("127.0.0.1", aws.server.port), timeout=30) as peer:
        peer.sendall(f"PUT {target} HTTP/1.1\r\nhost: 127.0.0.1:{aws.server.port}\r\ncontent-length: 1000\r\n\r\n".encode() + b"x" * 500)
    assert "Contents" not in s3.list_objects_v2(Bucket="whole")


@pytest.mark.parametrize("head", [b"x-a: " + b"a" * 200_000 + b"\r\n", b"x-a: b\r\n" * 30_000], ids=["one long", "many"])
def test_a_head_without_end(aws: Sandbox, alice: Person, head: bytes) -> None:
    assert raw(aws, b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n" + head).startswith((b"HTTP/1.1 431 ", b"HTTP/1.1 400 "))
    assert aws.client("sts", alice.key).get_caller_identity()["Arn"] == alice.arn


def test_slow_clients_are_let_go_and_hold_nobody_up(aws: Sandbox, alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred that say nothing, that stop in their head, that stop in their body: others are answered, and after their time they are gone."""
    monkeypatch.setattr(connection, "HEAD_S", 2)
    monkeypatch.setattr(connection, "BODY_S", 2)
    half = [b"", b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-", b"POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\nAction="]
    held = []
    for i in range(99):
        peer = socket.create_connection(("127.0.0.1", aws.server.port), timeout=30)
        peer.sendall(half[i % 3])
        held.append(peer)
    began = time.monotonic()
    assert aws.client("sts", alice.key).get_caller_identity()["Arn"] == alice.arn
    for peer in held:
        assert peer.recv(65536) == b""
        peer.close()
    assert time.monotonic() - began < 30


def test_time_going_back_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's clock set back, while it runs or before it starts again: what has ended stays ended, what was used stays used."""
    from sekisho.sandbox import clock

    state = tmp_path / "state"
    with serve([J], port=0, state=state) as server:
        aws = Sandbox(server)
        alice = aws.user("alice", allow("*"))
        alice.enrol()
        code = alice.code()
        status, signed_in = alice.sign_in(code=code)
        assert status == 200
        aws.later(13 * 3600)
        assert refused(aws.client("sts", signed_in["credentials"]).get_caller_identity)[0] == "ExpiredToken"

        class Back(datetime):
            @classmethod
            def now(cls, tz: object = None) -> datetime:
                return datetime.now(UTC) - timedelta(hours=14)

        monkeypatch.setattr(clock, "datetime", Back)
        monkeypatch.setattr(clock.Clock, "machine_now", staticmethod(lambda: datetime.now(UTC)))
        assert refused(aws.client("sts", signed_in["credentials"]).get_caller_identity)[0] == "ExpiredToken"
        assert alice.sign_in(code=code)[0] == 403
    with serve([J], port=0, state=state) as server:
        aws = Sandbox(server)
        assert refused(aws.client("sts", signed_in["credentials"]).get_caller_identity)[0] == "ExpiredToken"
        alice.sandbox = aws
        assert alice.sign_in(code=code)[0] == 403


def test_the_state_that_cant_be_written_is_no_success(tmp_path: Path) -> None:
    """What isn't on disk isn't acknowledged; it is written with the next call that gets through."""
    state = tmp_path / "state"
    with running(tmp_path, "--state", str(state)) as (process, access):
        iam = client(access, "iam")
        iam.list_users()
        soft, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        assert refused(iam.create_user, UserName="bob")[2] == 503
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))
        iam.create_user(UserName="carol")
        process.kill()
        process.wait()
    with running(tmp_path, "--state", str(state)) as (_, access):
        assert {u["UserName"] for u in client(access, "iam").list_users()["Users"]} == {"bob", "carol"}


def test_passwords_of_users_that_are_there_and_not_take_the_same_time(aws: Sandbox, alice: Person) -> None:
    """Processor time, so that a busy machine changes nothing: the work for a wrong password, and for a name that isn't there."""

    def cost(user: str) -> float:
        taken = []
        for _ in range(5):
            before = time.process_time()
            aws.signin("login", {"account": J, "user": user, "password": "wrong"}, address=OFFICE)
            taken.append(time.process_time() - before)
        return sorted(taken)[2]

    there, not_there = cost("alice"), cost("nobody")
    assert 0.4 < there / not_there < 2.5, (there, not_there)


def test_a_long_poll_holds_nobody_up(aws: Sandbox, alice: Person) -> None:
    """ReceiveMessage that waits gets what is sent meanwhile, and others are answered."""
    from concurrent.futures import ThreadPoolExecutor

    sqs = aws.client("sqs", alice.key)
    url = sqs.create_queue(QueueName="polled")["QueueUrl"]
    waiting = aws.client("sqs", alice.key)
    waiting.meta.config.merge(Config(read_timeout=60))
    with ThreadPoolExecutor(1) as pool:
        began = time.monotonic()
        polled = pool.submit(waiting.receive_message, QueueUrl=url, WaitTimeSeconds=20)
        for _ in range(3):
            assert aws.client("sts", alice.key).get_caller_identity()["Arn"] == alice.arn
        sqs.send_message(QueueUrl=url, MessageBody="here")
        assert [m["Body"] for m in polled.result()["Messages"]] == ["here"]
        assert time.monotonic() - began < 20
