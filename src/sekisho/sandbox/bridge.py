"""What lies behind the front for every service but IAM, STS, CloudTrail and sign-in: moto, asked only after the decision."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from botocore.compat import HTTPHeaders

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.protocol import Answer, Call, service_model
from sekisho.sandbox.signature import Arrived

_OURS = ("x-moto-", "x-forwarded", "forwarded", "host", "content-length", "connection", "transfer-encoding")
"""Headers of a client that never reach moto: they would choose another account or host."""

_OF_THE_BODY = ("content-md5", "x-amz-checksum-", "x-amz-sdk-checksum", "x-amz-content-sha256")
"""Headers about the body, which don't hold for one that was written anew."""


def _hostname(service: str, region: str) -> str:
    model = service_model(service)
    return f"{model.endpoint_prefix if model is not None else service}.{region}.amazonaws.com"


@cache
def _stubber() -> Any:
    from moto.core.botocore_stubber import BotocoreStubber
    from moto.iam.access_control import PermissionResult
    from moto.s3.models import FakeBucket

    # moto reads bucket policies too, without their conditions; what is asked of it has been decided.
    FakeBucket.get_permission = lambda *_: PermissionResult.PERMITTED  # type: ignore[method-assign]
    return BotocoreStubber()


def carry_out(behind: Behind, arrived: Arrived, call: Call, region: str, account: str, path: str, *, across: bool = False) -> Answer:
    """Let moto answer ``call`` in the state of ``account``; ``path`` is without the vantage point.

    ``across``: it may read another account's bucket as well, because that was decided too (a copy).

    moto looks for parameters in the query, in a form and in the body, whatever the protocol: each is sent in its one place only.
    """
    service, query, body = call.service, arrived.query, arrived.body if call.body is None else call.body
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
        if name.startswith(_OURS) or (kind and name == "content-type") or (call.body is not None and name.startswith(_OF_THE_BODY)):
            continue
        headers[name] = value
    if kind:
        headers["content-type"] = kind
    host = _hostname(service, region)
    headers["host"] = host
    headers["x-moto-account-id"] = account
    url = f"https://{host}{path}" + (f"?{query}" if query else "")
    request = AWSPreparedRequest(method, url, HeadersDict(headers), body, False)
    stubber = _stubber()
    try:
        with behind.used():
            # A call is carried out in the account that the decision was about, and reaches into no other (D-05).
            os.environ["MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS"] = "true" if across else "false"
            answered = stubber.process_request(request)
    except Exception as error:
        raise AwsFault("InternalFailure", f"the state behind the embedded AWS failed: {type(error).__name__}", 500) from error
    if answered is None:
        raise AwsFault("UnknownOperationException", f"the embedded AWS has no service {service}", 501)
    status, back, body = answered
    data = body.encode() if isinstance(body, str) else bytes(body or b"")
    kept = tuple((str(k).lower(), str(v)) for k, v in dict(back).items() if str(k).lower() not in ("server", "date", "content-length", "connection"))
    return Answer(int(status), data, kept)
