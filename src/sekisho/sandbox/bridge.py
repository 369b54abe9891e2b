"""What lies behind the front for every service but IAM, STS, CloudTrail and sign-in: moto, asked only after the decision."""

from __future__ import annotations

import json
import os
import re
import traceback
from datetime import datetime
from functools import cache, lru_cache
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.compat import HTTPHeaders

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.journal import Entry, Sent, changes, digest
from sekisho.sandbox.moments import Moment
from sekisho.sandbox.protocol import Answer, Call, is_main, service_model
from sekisho.sandbox.signature import Arrived

_OURS = ("x-moto-", "x-forwarded", "forwarded", "host", "content-length", "connection", "transfer-encoding")
"""Headers of a client that never reach moto: they would choose another account or host."""

_OF_THE_BODY = ("content-md5", "x-amz-checksum-", "x-amz-sdk-checksum", "x-amz-content-sha256")
"""Headers about the body, which don't hold for one that was written anew."""


def _host_of(call: Call, region: str, account: str) -> str:
    """The host at which moto has the model of a call; some models are behind one signing name, each at a host of its own."""
    if call.model is None or is_main(call):
        return _hostname(call.service, region)
    prefix = call.model.service_model.endpoint_prefix
    return f"{account}.{prefix}.{region}.amazonaws.com" if prefix == "s3-control" else f"{prefix}.{region}.amazonaws.com"


def _hostname(service: str, region: str) -> str:
    model = service_model(service)
    return f"{model.endpoint_prefix if model is not None else service}.{region}.amazonaws.com"


@cache
def _prepared() -> list[tuple[str, re.Pattern[str]]]:
    """moto's services by the hosts that they answer at."""
    from moto import backend_index
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    # moto reads bucket policies too, without their conditions; what is asked of it has been decided.
    FakeBucket.get_permission = lambda *_: PermissionResult.PERMITTED  # type: ignore[method-assign]
    return list(backend_index.backend_url_patterns)


@lru_cache(4096)
def _paths(host: str) -> list[tuple[re.Pattern[str], Any]]:
    """(pattern of a URL, what answers there) of the service at a host; empty where moto has none. Loads what has to be loaded."""
    from moto.backends import get_backend
    from moto.core.base_backend import BackendDict

    found: list[tuple[re.Pattern[str], Any]] = []
    for service in dict.fromkeys(name for name, pattern in _prepared() if pattern.match(f"https://{host}/")):
        states: Any = get_backend(service)  # type: ignore[call-overload]
        if isinstance(states, BackendDict):
            # The paths are those of the class, and a state needn't be made to know them.
            backend: Any = states.backend
            bare = backend.__new__(backend)
            found += [(re.compile(url), answers) for url, answers in bare.urls.items()]
    return found


_loaded: set[str] = set()


def load(service: str) -> None:
    """Load what the first call to a service would have to wait for."""
    if service not in _loaded:
        _paths(_hostname(service, "us-east-1"))
        _loaded.add(service)


def is_loaded(service: str) -> bool:
    return service in _loaded


def ask(behind: Behind, sent: Sent, moment: Moment) -> Answer:
    """moto's answer to a request, in its moment. Raises AwsFault where moto fails or has no such service."""
    from moto.core.request import normalize_request
    from werkzeug.exceptions import HTTPException

    headers = HTTPHeaders()
    for name, value in sent.headers:
        headers[name] = value
    clean, host = sent.url.partition("?")[0], sent.url.split("/", 3)[2]
    request = AWSPreparedRequest(sent.method, sent.url, HeadersDict(headers), sent.body, False)
    try:
        with behind.used():
            answers = next((answers for pattern, answers in _paths(host) if pattern.match(clean)), None)
            if answers is None:
                raise AwsFault("UnknownOperationException", f"the embedded AWS has no such service or path: {clean[:200]}", 501)
            # A call is carried out in the account that the decision was about, and reaches into no other (D-05).
            os.environ["MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS"] = "true" if sent.across else "false"
            with moment.lived():
                try:
                    normal = normalize_request(request)
                    status, back, body = answers(normal, normal.raw_url, normal.headers)
                except HTTPException as error:
                    status, back, body = error.code, dict(error.get_headers()), error.get_body()
    except AwsFault:
        raise
    except NotImplementedError:
        raise AwsFault("NotImplemented", f"moto, which holds this behind the embedded AWS, doesn't do {sent.name} in this way.", 501) from None
    except Exception as error:
        raise AwsFault("InternalFailure", f"the state behind the embedded AWS failed: {_where(error)}", 500) from error
    data = body.encode() if isinstance(body, str) else bytes(body or b"")
    # To a HEAD the length is that of what a GET would bring.
    dropped = ("server", "date", "connection") + (() if sent.method == "HEAD" else ("content-length",))
    kept = tuple((str(k).lower(), str(v)) for k, v in dict(back).items() if str(k).lower() not in dropped)
    return Answer(int(status or 500), data, kept)


def _where(error: Exception) -> str:
    """What moto made of a request that it couldn't take, and where: its mistake, not the client's or ours, has to be told apart."""
    frames = [frame.f_globals.get("__name__", "") + "." + frame.f_code.co_name for frame, _ in traceback.walk_tb(error.__traceback__)]
    return f"{type(error).__name__} in {next((f for f in reversed(frames) if f.startswith('moto.')), frames[-1])}"


def carry_out(
    behind: Behind, arrived: Arrived, call: Call, region: str, account: str, path: str, at: datetime, *, across: bool = False
) -> Answer:
    """Let moto answer ``call`` in the state of ``account``; ``path`` is without the vantage point. What may have changed the state is noted.

    ``across``: it may read another account's bucket as well, because that was decided too (a copy).

    moto looks for parameters in the query, in a form and in the body, whatever the protocol: each is sent in its one place only.
    """
    service, query, body = call.service, arrived.query, arrived.body if call.body is None else call.body
    method, kind = arrived.method, ""
    if call.protocol in ("query", "ec2"):
        body = b"&".join(part for part in (query.encode("latin-1"), body) if part)
        method, path, query, kind = "POST", "/", "", "application/x-www-form-urlencoded; charset=utf-8"
    elif call.protocol in ("json", "cbor"):
        if (service, call.operation) == ("sqs", "ReceiveMessage"):
            # The waiting is done where nobody else has to (server.py).
            body = json.dumps({**call.params, "WaitTimeSeconds": 0}).encode()
        method, path, query, kind = "POST", "/", "", "application/x-amz-json-1.1"
    elif call.protocol == "rest-json" and body[:1] == b"{":
        kind = "application/json"
    headers: dict[str, str] = {}
    for name, value in arrived.headers:
        if name.startswith(_OURS) or (kind and name == "content-type") or (call.body is not None and name.startswith(_OF_THE_BODY)):
            continue
        headers[name] = value
    if kind:
        headers["content-type"] = kind
    if call.protocol == "cbor" and call.model is not None:
        # moto speaks JSON where the newest clients speak CBOR.
        headers = {k: v for k, v in headers.items() if k not in ("smithy-protocol", "accept", "x-amzn-query-mode")}
        headers["x-amz-target"] = f"{call.model.service_model.metadata['targetPrefix']}.{call.operation}"
    host = _host_of(call, region, account)
    headers |= {"host": host, "x-moto-account-id": account}
    url = f"https://{host}{path}" + (f"?{query}" if query else "")
    sent = Sent(f"{service}:{call.operation}", method, url, tuple(headers.items()), body, account, across)
    load(service)
    moment = Moment(at, os.urandom(16))
    try:
        answer = ask(behind, sent, moment)
    except AwsFault as fault:
        # It may have come half the way.
        if changes(service, call.operation) and fault.status >= 500:
            behind.note(Entry(at.isoformat(), moment.seed.hex(), sent, answer=fault.message, keys=tuple(moment.keys)))
        raise
    if moment.changed or changes(service, call.operation):
        behind.note(Entry(at.isoformat(), moment.seed.hex(), sent, answer=digest(answer), keys=tuple(moment.keys)))
    return answer


def again(behind: Behind, entry: Entry) -> str:
    """Carry out once more what the journal has; why it isn't as it was, and nothing where it is."""
    moment = Moment(entry.time, bytes.fromhex(entry.seed), list(entry.keys))
    if entry.sent is None:
        behind.show(entry.shown, moment)
        return ""
    try:
        answer = ask(behind, entry.sent, moment)
    except AwsFault as fault:
        return "" if fault.message == entry.answer else fault.message
    return "" if digest(answer) == entry.answer else f"the answer (HTTP {answer.status}) is another one"
