"""The embedded AWS as the tests use it: through the commands, and through a proxy that breaks the calls it is told to break."""

from __future__ import annotations

import http.client
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from click.testing import CliRunner

from sekisho.cli import cli
from sekisho.errors import SekishoError
from sekisho.sandbox.access import write_access
from sekisho.sandbox.server import Server

PROFILE = "sekisho-{account}"
AWS_CLI = next(iter(Path(sys.prefix).glob("aws-cli/awscli/v2/*/dist/aws")), None)
_READS = ("Get", "List", "Describe", "Generate", "Simulate")


@dataclass
class Faults:
    """``at``: which changing call (from 0, since ``reset``) goes wrong, and how; ``seen``: the changing calls that came by.

    ``after`` is called after each changing call that reached AWS, before the answer goes on.
    """

    at: int | None = None
    kind: str = ""
    seen: list[str] = field(default_factory=list)
    strike: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None
    asked: list[str] = field(default_factory=list)
    """Every call that came by, those that only read among them."""

    def reset(self, at: int | None = None, kind: str = "", strike: Callable[[], None] = lambda: None) -> None:
        self.at, self.kind, self.seen, self.strike, self.asked = at, kind, [], strike, []


_ERRORS = {
    "throttling": (400, "Throttling", "Rate exceeded"),
    "access denied": (403, "AccessDenied", "User: somebody is not authorized to perform: this"),
    "expired token": (403, "ExpiredToken", "The security token included in the request is expired"),
    "limit exceeded": (409, "LimitExceeded", "Cannot exceed quota for RolesPerAccount: 1000"),
    "service failure": (500, "ServiceFailure", "The request processing has failed because of an unknown error"),
}
_HOP = ("transfer-encoding", "content-length", "connection")
BREAKS = (*_ERRORS, "connection reset", "answer lost")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    target: str
    faults: Faults

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        action = (parse_qs(body.decode("latin-1")).get("Action") or [urlsplit(self.path).path.rpartition("/")[2]])[0]
        faults = self.faults
        changes = not action.startswith(_READS) and "list-" not in action and "get-" not in action and action not in ("", "AssumeRole")
        mine = changes and len(faults.seen) == faults.at
        faults.asked.append(action or (self.headers.get("x-amz-target") or "").rpartition(".")[2])
        if changes:
            faults.seen.append(action)
        if mine and faults.kind == "kill before":
            faults.strike()
            return self._hang_up()
        if mine and faults.kind == "connection reset":
            return self._hang_up()
        if mine and faults.kind in _ERRORS:
            status, code, text = _ERRORS[faults.kind]
            answer = f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{text}</Message></Error></ErrorResponse>".encode()
            return self._answer(status, [("content-type", "text/xml")], answer)
        there = http.client.HTTPConnection(urlsplit(self.target).netloc, timeout=60)
        there.putrequest("POST", self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            there.putheader(name, value)
        there.endheaders(body)
        got = there.getresponse()
        answer = got.read()
        there.close()
        if changes:
            faults.after()
        if mine and faults.kind == "kill after":
            faults.strike()
            return self._hang_up()
        if mine and faults.kind == "answer lost":
            return self._hang_up()
        return self._answer(got.status, [(k, v) for k, v in got.getheaders() if k.lower() not in _HOP], answer)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        # No connection is kept: a client that is forked off would share it.
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def proxy(target: str, faults: Faults) -> ThreadingHTTPServer:
    """A server on a free port that passes everything on to ``target``, but for what ``faults`` says. The signed Host header stays as it is."""
    handler = type("Handler", (_Handler,), {"target": target, "faults": faults})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server


@dataclass
class Said:
    """What a command answered: exit status, standard output, standard error or the message of its error."""

    status: int
    out: str
    err: str


class Aws:
    """``folder`` holds the environment file and what the commands write; ``sekisho(...)`` runs a command."""

    def __init__(self, server: Server, faults: Faults, endpoint: str, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.server, self.faults, self.endpoint, self.folder = server, faults, endpoint, folder
        access = write_access(server, folder)
        # The profile's own endpoint would win over the environment variable's.
        config = Path(access["config_file"])
        config.write_text(config.read_text(encoding="utf-8").replace(server.endpoint, endpoint), encoding="utf-8")
        self.environment = {
            "AWS_CONFIG_FILE": access["config_file"], "AWS_SHARED_CREDENTIALS_FILE": access["credentials_file"], "AWS_ENDPOINT_URL": endpoint,
            "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip
        for name, value in self.environment.items():
            patch.setenv(name, value)
        self.file = folder / "sekisho.yaml"

    def write(self, text: str) -> None:
        self.file.write_text(text, encoding="utf-8")

    def sekisho(self, *arguments: str, profile: str | None = PROFILE) -> Said:
        """Run a command as a user would; with ``--profile`` unless told otherwise."""
        given = [*arguments, *(["--profile", profile] if profile else [])]
        result = CliRunner().invoke(cli, given)
        error = result.exception
        if isinstance(error, SekishoError):
            return Said(error.exit_status, result.stdout, result.stderr + str(error))
        if error is not None and not isinstance(error, SystemExit):
            raise error
        return Said(result.exit_code, result.stdout, result.stderr)

    def enable_device(self, user: str, account: str = "111122223333") -> str:
        """Give a user a virtual MFA device; its seed. The two codes are those of half a minute ago and of now."""
        iam = self.client("iam", account)
        device = iam.create_virtual_mfa_device(VirtualMFADeviceName=user)["VirtualMFADevice"]
        seed: str = device["Base32StringSeed"].decode()
        step = int(self.server.aws.store.clock.now().timestamp()) // 30
        first, second = (pyotp.TOTP(seed).generate_otp(step + i) for i in (-1, 0))
        iam.enable_mfa_device(UserName=user, SerialNumber=device["SerialNumber"], AuthenticationCode1=first, AuthenticationCode2=second)
        return seed

    def client(self, service: str, account: str) -> Any:
        import boto3

        return boto3.Session(profile_name=PROFILE.format(account=account)).client(service, region_name="us-east-1")


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Look until it is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("it never was so")
        os.sched_yield()
