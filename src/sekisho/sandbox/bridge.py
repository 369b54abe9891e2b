"""What lies behind the front for every service but IAM, STS, CloudTrail and sign-in: moto, asked only after the decision."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.compat import HTTPHeaders

from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.protocol import Answer, Call, service_model
from sekisho.sandbox.signature import Arrived

_OURS = ("x-moto-", "x-forwarded", "forwarded", "host", "content-length", "connection", "transfer-encoding")
"""Headers of a client that never reach moto: they would choose another account or host."""


def _hostname(service: str, region: str) -> str:
    model = service_model(service)
    return f"{model.endpoint_prefix if model is not None else service}.{region}.amazonaws.com"


@cache
def _stubber() -> Any:
    # moto reads these when it is imported, and an account of the environment would win over the one that we name.
    os.environ.pop("MOTO_ACCOUNT_ID", None)
    # A bucket's name doesn't say whose it is, so another account's would be taken for the caller's own (D-05).
    os.environ["MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS"] = "false"
    from moto.core.botocore_stubber import BotocoreStubber

    return BotocoreStubber()


def carry_out(arrived: Arrived, call: Call, region: str, account: str, path: str) -> Answer:
    """Let moto answer ``call`` in the state of ``account``; ``path`` is without the vantage point.

    moto looks for parameters in the query, in a form and in the body, whatever the protocol: each is sent in its one place only.
    """
    service, query, body = call.service, arrived.query, arrived.body
    method, kind = arrived.method, ""
    if call.protocol in ("query", "ec2"):
        body = b"&".join(part for part in (query.encode("latin-1"), body) if part)
        method, path, query, kind = "POST", "/", "", "application/x-www-form-urlencoded; charset=utf-8"
    elif call.protocol == "json":
        method, path, query, kind = "POST", "/", "", "application/x-amz-json-1.1"
    elif call.protocol == "rest-json" and body[:1] == b"{":
        kind = "application/json"
    headers = HTTPHeaders()
    for name, value in arrived.headers:
        if not name.startswith(_OURS) and not (kind and name == "content-type"):
            headers[name] = value
    if kind:
        headers["content-type"] = kind
    host = _hostname(service, region)
    headers["host"] = host
    headers["x-moto-account-id"] = account
    url = f"https://{host}{path}" + (f"?{query}" if query else "")
    request = AWSPreparedRequest(method, url, HeadersDict(headers), body, False)
    try:
        answered = _stubber().process_request(request)
    except Exception as error:
        raise AwsFault("InternalFailure", f"the state behind the embedded AWS failed: {type(error).__name__}", 500) from error
    if answered is None:
        raise AwsFault("UnknownOperationException", f"the embedded AWS has no service {service}", 501)
    status, back, body = answered
    data = body.encode() if isinstance(body, str) else bytes(body or b"")
    kept = tuple((str(k).lower(), str(v)) for k, v in dict(back).items() if str(k).lower() not in ("server", "date", "content-length", "connection"))
    return Answer(int(status), data, kept)
