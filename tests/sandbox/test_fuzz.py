"""A fuzzer of all that reads what a client sends: query, EC2, JSON, CBOR, REST-JSON, REST-XML, S3's paths and chunks, signatures, presigned URLs,
vantage points, the sign-in's JSON, the console's forms, and bytes that are no HTTP. SEKISHO_FUZZ_S=600 goes on for ten minutes.

No request is answered with a 500 that isn't moto's own, with a stack trace, or not at all. A failure names its seed: SEKISHO_SEED=that shows it again.
"""

from __future__ import annotations

import json
import os
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import botocore.session
import pytest
from botocore import serialize
from botocore.auth import S3SigV4Auth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.model import OperationModel, Shape

from .people import J
from .test_server import client, running

FUZZ_S = float(os.environ.get("SEKISHO_FUZZ_S", "4"))
SEED = int(os.environ.get("SEKISHO_SEED", "0" if FUZZ_S < 60 else str(time.time_ns() % 1_000_000)))
SERVICES = {
    "sts": "sts", "iam": "iam", "cloudtrail": "cloudtrail", "organizations": "organizations", "sqs": "sqs", "dynamodb": "dynamodb", "sns": "sns",
    "s3": "s3", "lambda": "lambda", "kms": "kms", "ssm": "ssm", "logs": "logs", "secretsmanager": "secretsmanager", "cloudwatch": "monitoring",
    "cloudformation": "cloudformation", "ec2": "ec2",
} if FUZZ_S >= 20 else {"sts": "sts", "iam": "iam", "cloudtrail": "cloudtrail", "sqs": "sqs", "s3": "s3", "sns": "sns"}  # fmt: skip
"""Services with every protocol, by botocore's names, and what they are signed for."""
TEXTS = [
    "", "a", "fuzz", "q", "0", "-1", "True", "null", "99999999999999999999", "1e400", "NaN", "arn:aws:iam::111122223333:user/fuzz", "arn:aws:s3:::fuzz",
    f"arn:aws:sqs:us-east-1:{J}:q", f"https://sqs.us-east-1.amazonaws.com/{J}/q", "arn:::::", "*", "../..", "//", "%2f", "%", "%zz", "a" * 5000, "é漢字\U0001f600",
    "\x00", "\x1b[31m", "\ud800", "<x>&amp;", "]]>", "${aws:username}", "2026-01-01T00:00:00Z", '{"Version":"2012-10-17","Statement":[]}', '{"Version":', "[]",
    "{}", "a/b", "/", "alias/a", "fuzz/../etc", "vpce-1", "AKIAIOSFODNN7EXAMPLE", "٣", "²", "1.5", "0x10", " ", "\r\n", "a\tb",
]  # fmt: skip
NUMBERS = [0, 1, -1, 2, 50, 51, 1000, 43200, 2**31, 2**63, -(2**63), 10**40]


@cache
def operations(service: str) -> list[OperationModel]:
    model = botocore.session.get_session().get_service_model(service)
    return [model.operation_model(name) for name in model.operation_names]


def a_value(rng: random.Random, shape: Shape, depth: int = 0) -> Any:
    """A value of a shape, or, now and then, of another."""
    if rng.random() < 0.03:
        return rng.choice([None, [], {}, "x", 1, True, 1.5, {"a": [{}]}, [[[]]]])
    if shape.type_name == "structure":
        chance = 0.35 if depth < 3 else 0.05
        return {n: a_value(rng, m, depth + 1) for n, m in shape.members.items() if rng.random() < (0.9 if n in shape.required_members else chance)}
    if shape.type_name == "list":
        return [a_value(rng, shape.member, depth + 1) for _ in range(rng.choice([0, 1, 1, 2, 3]))] if depth < 5 else []
    if shape.type_name == "map":
        return {rng.choice(TEXTS): a_value(rng, shape.value, depth + 1) for _ in range(rng.choice([0, 1, 2]))} if depth < 5 else {}
    if shape.type_name in ("integer", "long"):
        return rng.choice(NUMBERS)
    if shape.type_name in ("float", "double"):
        return rng.choice([0.0, -1.5, 1e300, float("inf"), float("nan")])
    if shape.type_name == "boolean":
        return rng.random() < 0.5
    if shape.type_name == "timestamp":
        return datetime.fromtimestamp(rng.choice([0, 1, 1_700_000_000, 4_000_000_000]), UTC)
    if shape.type_name == "blob":
        return rng.randbytes(rng.choice([0, 1, 100]))
    return rng.choice(shape.enum) if shape.enum and rng.random() < 0.7 else rng.choice(TEXTS)


def mangled(rng: random.Random, data: bytes) -> bytes:
    """Some bytes otherwise: changed, cut, doubled, put in."""
    if not data:
        return rng.choice([b"", b"{", b"\xff\xfe", b"a=b&a=c", b"<a>"])
    at, to = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return rng.choice([
        data[:at], data[at:], data[:at] + data[at:to] * 2 + data[to:], data[:at] + rng.randbytes(3) + data[at:], data[:at] + data[to:],
        data[:at] + rng.choice([b"{", b"[" * 3000, b'"', b"&", b"=", b"%", b"\x00", b"<", b"</", b"&x;", b"\xff", b"%ff", b"&Action=GetUser"]) + data[at:],
    ])  # fmt: skip


class Fuzzer:
    def __init__(self, seed: int, port: int, keys: tuple[str, str]) -> None:
        self.rng = random.Random(seed)
        self.port, self.keys = port, Credentials(*keys)

    def request(self) -> tuple[bytes, bool]:
        """A request, and whether it is a whole one."""
        kind = self.rng.random()
        if kind < 0.04:
            return self.no_http(), False
        return (self.form() if kind < 0.12 else self.call()), True

    def call(self) -> bytes:
        rng = self.rng
        service = rng.choice(list(SERVICES))
        operation = rng.choice(operations(service))
        model = operation.service_model
        protocol = rng.choice(model.metadata.get("protocols") or [model.metadata["protocol"]])
        method, path, query, headers, body = "POST", "/", "", {}, b""
        try:
            params = a_value(rng, operation.input_shape) if operation.input_shape is not None else {}
            made = serialize.create_serializer(protocol, include_validation=False).serialize_to_request(params, operation)
            method, path, query = made["method"], made["url_path"], made["query_string"]
            headers = {k: str(v) for k, v in made["headers"].items()}
            body = made["body"]
            query = urlencode(query, doseq=True) if isinstance(query, dict) else str(query or "")
            body = urlencode(body, doseq=True).encode() if isinstance(body, dict) else body.encode() if isinstance(body, str) else bytes(body or b"")
        except Exception:
            # botocore can't write it: some of what is above is still a request.
            body = body if isinstance(body, bytes) else b""
        if rng.random() < 0.35:
            body = mangled(rng, body)
        if rng.random() < 0.2:
            path = mangled(rng, path.encode("utf-8", "replace")).decode("latin-1")
        if rng.random() < 0.15:
            query = mangled(rng, query.encode("utf-8", "replace")).decode("latin-1") if isinstance(query, str) else ""
        if rng.random() < 0.1:
            method = rng.choice(["GET", "PUT", "DELETE", "HEAD", "POST", "PATCH", "OPTIONS"])
        if rng.random() < 0.1:
            headers[rng.choice(["content-type", "x-amz-target", "x-amz-copy-source", "x-amz-tagging", "content-md5", "smithy-protocol", "x-amz-acl", "accept",
                                "x-amz-checksum-crc32", "range", "if-match", "x-amz-content-sha256", "expect", "x-amz-date"])] = rng.choice(TEXTS)  # fmt: skip
        if service == "s3" and rng.random() < 0.1:
            headers |= {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": rng.choice(["3", "-1", "x", "9" * 30]),
                        "x-amz-content-sha256": rng.choice(["STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"])}  # fmt: skip
            body = rng.choice([b"3;chunk-signature=00\r\nabc\r\n0;chunk-signature=00\r\n\r\n", b"ffffffff\r\nab", b"-3\r\nabc\r\n0\r\n\r\n", b"zz\r\n", b"3\r\nabc"])
            body = mangled(rng, body) if rng.random() < 0.5 else body
        prefix = rng.choice(["", "", "", "/from/203.0.113.10", "/via/vpce-1", f"/from/{rng.choice(TEXTS)}", f"/via/vpce-1,{rng.choice(TEXTS)}", "/from/", "/from"])
        return self.sent(SERVICES[service], method, prefix + path, query, headers, body)

    def sent(self, service: str, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> bytes:
        rng = self.rng
        path = quote(path.encode("utf-8", "replace"), safe="/%:,;@&=+$!*'()~?" if rng.random() < 0.05 else "/%:,;@&=+$!*'()~") or "/"
        path = path if path.startswith("/") else "/" + path
        query = quote((query if isinstance(query, str) else "").encode("utf-8", "replace"), safe="/%:,;@&=+$!*'()~?[]")
        headers = {k: re.sub(r"[^ -~]", "?", v) for k, v in headers.items()}
        host = f"127.0.0.1:{self.port}"
        request = AWSRequest(method, f"http://{host}{path}" + (f"?{query}" if query else ""), {"Host": host, **headers}, body)
        how = rng.random()
        try:
            if how < 0.85:
                (S3SigV4Auth if service == "s3" else SigV4Auth)(self.keys, service, "us-east-1").add_auth(request)
            elif how < 0.92:
                SigV4QueryAuth(self.keys, service, "us-east-1", rng.choice([60, 0, -5, 10**9])).add_auth(request)
        except Exception:
            pass
        lines = {k: str(v) for k, v in request.headers.items()}
        target = request.url.split(host, 1)[1]
        if rng.random() < 0.05 and "Authorization" in lines:
            lines["Authorization"] = re.sub(r"[^ -~]", "?", mangled(rng, lines["Authorization"].encode()).decode("latin-1"))
        if rng.random() < 0.05 and "X-Amz-" in target:
            target = quote(mangled(rng, target.encode()), safe="/%:,;@&=+$!*'()~?") or "/"
            target = target if target.startswith("/") else "/" + target
        return self.bytes_of(method, target, lines, body)

    def bytes_of(self, method: str, target: str, headers: dict[str, str], body: bytes) -> bytes:
        kept = [f"{k}: {v}" for k, v in headers.items() if k.lower() not in ("content-length", "connection", "transfer-encoding")]
        lines = [f"{method} {target} HTTP/1.1", *kept, f"content-length: {len(body)}", "connection: close", "", ""]
        return "\r\n".join(lines).encode("latin-1", "replace") + body

    def form(self) -> bytes:
        """The sign-in's JSON and the console's forms."""
        rng = self.rng
        fields = {rng.choice(["account", "user", "password", "mfa_code", "role", "token", "new_password", "color", "name", "code1", "code2", "here"]): rng.choice(TEXTS)
                  for _ in range(4)}  # fmt: skip
        headers = {"Host": f"127.0.0.1:{self.port}", "origin": f"http://127.0.0.1:{self.port}", "cookie": f"session={quote(rng.choice(TEXTS))}"}
        if rng.random() < 0.5:
            path = rng.choice(["/signin/login", "/signin/change-password", "/signin/switch-role", "/from/203.0.113.10/signin/login", "/signin/", "/sekisho/time"])
            body = json.dumps(rng.choice([fields, [fields], {**fields, "user": 1}, None])).encode()
            headers |= {"content-type": "application/json", "authorization": f"Bearer {quote(rng.choice(TEXTS))}"} if rng.random() < 0.5 else {"content-type": "application/json"}
        else:
            path = "/console" + rng.choice(["", "/sign-in", "/mfa", "/switch-role", "/security", "/call", "/events", "/why", "/users", "/static/../x", "/language", "/from"])
            body = urlencode(fields, errors="replace").encode()
            headers["content-type"] = rng.choice(["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data", "text/plain"])
        return self.bytes_of(rng.choice(["POST", "POST", "GET"]), path, headers, mangled(rng, body) if rng.random() < 0.5 else body)

    def no_http(self) -> bytes:
        call = self.call()
        return self.rng.choice([mangled(self.rng, call), self.rng.randbytes(200), b"GET / HTTP/9.9\r\n\r\n", b"\r\n" * 50, call[: len(call) // 2]])


def answered(port: int, request: bytes, whole: bool) -> tuple[int, bytes] | None:
    """(status, body); None where the connection was closed without an answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(request)
            if not whole:
                # Nothing more comes, so that nobody waits for the rest.
                connection.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: connection.recv(65536), b""))
        except ConnectionError:
            return None
    if not got:
        return None
    head, _, body = got.partition(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    return int(head[9:12]), body


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    with running(tmp_path) as (process, access):
        client(access, "sqs").create_queue(QueueName="q")
        client(access, "s3").create_bucket(Bucket="fuzz")
        client(access, "iam").create_user(UserName="fuzz")
        yield process, access


def test_no_request_is_a_crash(server: tuple[Any, dict[str, Any]], tmp_path: Path) -> None:
    process, access = server
    port = int(access["endpoint"].rpartition(":")[2])
    credentials = client(access, "iam")._request_signer._credentials
    counted: Counter[str] = Counter()
    bad: list[str] = []
    end, seed = time.monotonic() + FUZZ_S, SEED * 1_000_000
    while time.monotonic() < end and len(bad) < 20:
        seed += 1
        fuzzer = Fuzzer(seed, port, (credentials.access_key, credentials.secret_key))
        try:
            request, whole = fuzzer.request()
        except (ValueError, TypeError, AttributeError):
            # Not every mixture can be signed or written down.
            counted["unwritten"] += 1
            continue
        found = answered(port, request, whole)
        if process.poll() is not None:
            bad.append(f"{seed}: the process is gone after {request[:300]!r}")
            break
        if found is None:
            counted["closed"] += 1
            if whole:
                bad.append(f"{seed}: {request[:400]!r} had no answer")
            continue
        status, body = found
        counted[str(status)] += 1
        if b"Traceback" in body or status == 500:
            theirs = re.search(rb"the state behind the embedded AWS failed: ([\w .]+)", body)
            counted[f"500 of moto: {theirs[1].decode()}" if theirs else "500 of ours"] += 1
            # An answer to HEAD has no body to tell by; a mistake of ours is on stderr as well.
            if not theirs and not request.startswith(b"HEAD "):
                bad.append(f"{seed}: {request[:400]!r} was answered {body[:300]!r}")
    report = Path(os.environ.get("SEKISHO_REPORT", tmp_path / "fuzz.json"))
    report.write_text(json.dumps({"seconds": FUZZ_S, "requests": seed - SEED * 1_000_000, "answers": counted}))
    assert client(access, "sts").get_caller_identity()["Account"] == J
    process.terminate()
    said = process.communicate(timeout=60)[0]
    assert not bad, "\n".join(bad)
    assert "Traceback" not in said, said[-3000:]
    assert counted["unwritten"] < sum(counted.values()) / 4
    assert sum(counted.values()) > 20 and {"200", "400", "403"} <= set(counted), counted
