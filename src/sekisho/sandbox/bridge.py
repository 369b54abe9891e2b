"""What lies behind the front for every service but IAM, STS, CloudTrail and sign-in: moto, asked only after the decision."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.compat import HTTPHeaders

from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.protocol import Answer, service_model
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
    from moto.core.botocore_stubber import BotocoreStubber

    return BotocoreStubber()


def carry_out(arrived: Arrived, service: str, region: str, account: str, path: str) -> Answer:
    """Let moto answer the request in the state of ``account``; ``path`` is without the vantage point."""
    headers = HTTPHeaders()
    for name, value in arrived.headers:
        if not name.startswith(_OURS):
            headers[name] = value
    host = _hostname(service, region)
    headers["host"] = host
    headers["x-moto-account-id"] = account
    url = f"https://{host}{path}" + (f"?{arrived.query}" if arrived.query else "")
    request = AWSPreparedRequest(arrived.method, url, HeadersDict(headers), arrived.body, False)
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
