"""The port: one HTTP server on the loopback interface for AWS clients, the sign-in and the pages beside it."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import uvicorn

from sekisho.errors import OutsideError
from sekisho.sandbox import administration, signin
from sekisho.sandbox.connection import Connection
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.front import EmbeddedAws, too_large
from sekisho.sandbox.origin import Origin, parted
from sekisho.sandbox.protocol import Answer
from sekisho.sandbox.signature import Arrived, is_signed
from sekisho.sandbox.store import Session

DEFAULT_PORT = 4566
HOST = "127.0.0.1"
MAX_BODY = 16 * 1024 * 1024
"""Bytes; a larger body is refused, and never held."""
_HEARD_OUT = 1024 * MAX_BODY
_LOOKS_EVERY_S = 0.1

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Pages = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]
PAGES = ("/console", "/static/")
"""Where pages are; no AWS client asks there without a signature."""


class SandboxApp:
    """The ASGI application. Calls are answered on the event loop's own thread, so one after the other; what the first call to a service needs
    is loaded beside it.

    ``pages`` is an ASGI application for people: it gets what a browser asks for at ``/`` and under ``PAGES``.
    """

    def __init__(self, aws: EmbeddedAws, pages: Pages | None = None) -> None:
        self.aws = aws
        self.pages = pages
        self._loading = ThreadPoolExecutor(1, thread_name_prefix="loading moto")

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if self.pages is not None and _is_for_people(scope):
            await self.pages(scope, receive, send)
            return
        headers = tuple((k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in scope["headers"])
        path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
        arrived = Arrived(scope["method"], path, scope["query_string"].decode("latin-1"), headers, b"")
        try:
            arrived = replace(arrived, body=await _body(arrived, receive))
        except _TooLarge:
            await _send(send, too_large(arrived))
            return
        except ConnectionError:
            # A request that broke off is none, even where no signature covers its body.
            return
        service = self.aws.needs_loading(arrived)
        if service:
            await asyncio.get_running_loop().run_in_executor(self._loading, self.aws.load, service)
        answer = self.answer(arrived)
        left = self.aws.waits_for_message(arrived, answer)
        while left > 0:
            # moto would make everybody wait. Nothing can have come in before the next call was answered.
            await asyncio.sleep(_LOOKS_EVERY_S)
            left -= _LOOKS_EVERY_S
            if self.aws.has_message(arrived):
                answer = self.answer(arrived)
                break
        await _send(send, answer)

    def answer(self, arrived: Arrived) -> Answer:
        if arrived.path.startswith(administration.PATH):
            if not is_this_machine(arrived.header("host") or ""):
                return _json(421, {"message": "Ask for 127.0.0.1 or localhost."})
            scheme, _, token = (arrived.header("authorization") or "").partition(" ")
            step = arrived.path.removeprefix(administration.PATH)
            status, said = administration.answered(self.aws, arrived.method, step, token if scheme == "Bearer" else "", arrived.body)
            kind = (("content-type", "application/octet-stream"), ("cache-control", "no-store"))
            return Answer(status, said, kind) if isinstance(said, bytes) else _json(status, said)
        # A bearer token of the sign-in is no signature of AWS's; an object of S3 may have such a key.
        if "/signin/" in arrived.path and (not is_signed(arrived) or (arrived.header("authorization") or "").startswith("Bearer ")):
            # A page of another site whose name was pointed at this machine would be of the same origin: its Host gives it away.
            if not is_this_machine(arrived.header("host") or ""):
                return _json(421, {"message": "Ask for 127.0.0.1 or localhost."})
            try:
                origin, path, _ = parted(arrived.path)
            except AwsFault as fault:
                return _json(fault.status, {"message": fault.message})
            if path.startswith("/signin/"):
                return _signin(self.aws, arrived, origin, path.removeprefix("/signin/"))
        return self.aws.answer(arrived)


def is_this_machine(host: str) -> bool:
    """Whether a Host header names this machine by its own names."""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.lower() in ("127.0.0.1", "localhost", "[::1]") or name.lower().endswith(".localhost")


def _is_for_people(scope: MutableMapping[str, Any]) -> bool:
    path: str = scope["path"]
    if any(k.lower() == b"authorization" for k, _ in scope["headers"]):
        return False
    if path.startswith(PAGES):
        return True
    accepts = next((v for k, v in scope["headers"] if k.lower() == b"accept"), b"")
    return path == "/" and scope["method"] in ("GET", "HEAD") and b"text/html" in accepts


class _TooLarge(Exception):
    pass


async def _body(arrived: Arrived, receive: Receive) -> bytes:
    """The whole body. Raises _TooLarge, ConnectionError where the client went away in the middle of it."""
    said = arrived.header("content-length") or "0"
    size = int(said) if said.isascii() and said.isdigit() and len(said) < 19 else 0
    if size > MAX_BODY:
        # Who asks before sending is told at once; another has to be heard out, or the closed connection takes the answer from it.
        if "100-continue" not in (arrived.header("expect") or "").lower():
            await _heard_out(receive)
        raise _TooLarge
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            await _heard_out(receive)
            raise _TooLarge
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _heard_out(receive: Receive) -> None:
    """Let a client send what it has, within bounds, and forget it."""
    size = 0
    try:
        while size < _HEARD_OUT:
            message = await asyncio.wait_for(receive(), 1)
            size += len(message.get("body", b""))
            if not message.get("more_body"):
                return
    except TimeoutError:
        return


async def _send(send: Send, answer: Answer) -> None:
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.headers]
    if all(name != b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


# --- the sign-in for scripts: JSON over POST ---------------------------------------------------------------------------------


def _json(status: int, value: Any) -> Answer:
    return Answer(status, json.dumps(value).encode(), (("content-type", "application/json"), ("cache-control", "no-store")))


def _signin(aws: EmbeddedAws, arrived: Arrived, origin: Origin, step: str) -> Answer:
    """``login``, ``change-password`` and ``switch-role``; the last two with the session token as a bearer token."""
    if arrived.method != "POST":
        return _json(405, {"message": "POST a JSON object."})
    # A page of another site can't send this type without asking first, and is never answered then.
    if (arrived.header("content-type") or "").partition(";")[0].strip() != "application/json":
        return _json(415, {"message": "POST a JSON object, with content-type application/json."})
    try:
        given = json.loads(arrived.body)
        if not isinstance(given, dict) or not all(isinstance(v, str) for v in given.values()):
            raise ValueError
    except (ValueError, RecursionError):
        return _json(400, {"message": "The body is no JSON object of strings."})
    client = signin.Client(origin, arrived.header("user-agent") or "")
    try:
        if step == "login":
            return _login(aws, client, given)
        session = _bearer(aws, arrived)
        if session is None:
            return _json(401, {"message": "Sign in first: there is no such console session."})
        if step == "change-password":
            signin.change_first_password(aws, client, session, given.get("password", ""), given.get("new_password", ""))
            return _json(200, {"changed": True})
        if step == "switch-role":
            switched = signin.switch_role(aws, client, session, given.get("account", ""), given.get("role", ""))
            return _json(200, {"role": switched.role_arn, "credentials": _credentials(switched.session), "event": switched.switch_event})
    except signin.SignInRefused as refused:
        status = 401 if refused.reason == "mfa_required" else 403
        return _json(status, {"reason": refused.reason, "message": refused.message, "event": refused.event_id})
    except signin.SwitchRefused as switch:
        return _json(403, {"message": switch.message, "reason": switch.reason, "event": switch.event_id})
    except AwsFault as fault:
        return _json(fault.status, {"code": fault.code, "message": fault.message})
    return _json(404, {"message": "There are login, change-password and switch-role."})


def _login(aws: EmbeddedAws, client: signin.Client, given: dict[str, str]) -> Answer:
    signed_in = signin.sign_in(aws, client, given.get("account", ""), given.get("user", ""), given.get("password", ""), given.get("mfa_code"))
    session = signed_in.session
    return _json(
        200,
        {
            "user": signed_in.user.arn, "mfa": session.mfa_at is not None, "must_change_password": signed_in.must_change_password,
            "credentials": _credentials(session), "event": signed_in.event_id,
        },
    )  # fmt: skip


def _credentials(session: Session) -> dict[str, str]:
    return {"AccessKeyId": session.access_key_id, "SecretAccessKey": session.secret, "SessionToken": session.id}


def _bearer(aws: EmbeddedAws, arrived: Arrived) -> Session | None:
    scheme, _, token = (arrived.header("authorization") or "").partition(" ")
    session = aws.store.sessions.get(token) if scheme == "Bearer" else None
    if session is None or not session.console or session.kind != "console" or session.expires <= aws.store.clock.now().timestamp():
        return None
    return session


# --- running -------------------------------------------------------------------------------------------------------------


class Server:
    """The embedded AWS listening on a port of this machine, in a thread of its own.

    ``port`` 0 takes a free one. Raises OutsideError where the port is taken.
    """

    def __init__(self, aws: EmbeddedAws, port: int = DEFAULT_PORT, pages: Pages | None = None) -> None:
        self.aws = aws
        self._socket = _listen(port)
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            SandboxApp(aws, pages), http=Connection, ws="none", lifespan="off", log_level="critical", access_log=False, timeout_keep_alive=30,
            timeout_graceful_shutdown=1, limit_concurrency=512, server_header=False,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, name="embedded-aws", daemon=True)

    @property
    def endpoint(self) -> str:
        return f"http://{HOST}:{self.port}"

    def start(self) -> None:
        """Serve; the port already takes connections before this returns."""
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        return self._thread.is_alive()

    def wait(self) -> None:
        """Until the server stops."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(30)
        self._socket.close()
        self.aws.close()

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _listen(port: int) -> socket.socket:
    # The protocol is named so that asyncio sets TCP_NODELAY on what it accepts; without it every answer waits 40 ms for an ACK.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(256)
    except OSError as error:
        listening.close()
        raise OutsideError(
            f"port {port} can't be used: {error.strerror}", expected="a free port on 127.0.0.1",
            remedy="stop what uses it, or choose another with --port",
        ) from error  # fmt: skip
    return listening


def serve(account_ids: list[str], *, port: int = DEFAULT_PORT, state: Path | None = None) -> Server:
    """An embedded AWS of these accounts, ready to be started."""
    return Server(EmbeddedAws(account_ids, state), port)
