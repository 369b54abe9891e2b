"""Signature version 4, checked by signing again with botocore's own signer what the client says that it signed."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest, HeadersDict
from botocore.credentials import Credentials

from sekisho.sandbox.fault import AwsFault

WINDOW = timedelta(minutes=15)
_CREDENTIAL = re.compile(r"([A-Za-z0-9]{8,128})/(\d{8})/([a-z0-9-]+)/([a-z0-9.-]+)/aws4_request")
_UNSIGNED = frozenset(("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"))


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signature says: which key, when, for which region and service, and with which session token."""

    access_key_id: str
    token: str | None
    timestamp: datetime
    region: str
    service: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """A request as it arrived: the path and query as the client sent them, header names in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k == name), None)


class _Resigner(SigV4Auth):  # type: ignore[misc]
    """botocore's signer, held to the headers that the client signed."""

    signed: tuple[str, ...] = ()

    def headers_to_sign(self, request: Any) -> Any:
        from http.client import HTTPMessage

        kept = HTTPMessage()
        for name, value in request.context["arrived"]:
            if name in self.signed:
                kept[name] = value
        return kept


class _S3Resigner(_Resigner, S3SigV4Auth):  # type: ignore[misc]
    """S3 signs the path as it is, without normalising it."""

    def _normalize_url_path(self, path: str) -> str:
        return path


def is_signed(arrived: Arrived) -> bool:
    """Whether the request carries a signature at all, in a header or in its query."""
    return arrived.header("authorization") is not None or "X-Amz-Signature=" in arrived.query


def check_signature(arrived: Arrived, secret_of: Callable[[str, str | None], str], now: datetime) -> Signed:
    """Check the signature; ``secret_of(access key id, session token)`` gives the secret or raises AwsFault.

    Raises AwsFault with AWS's codes: IncompleteSignature, MissingAuthenticationToken, SignatureDoesNotMatch (a clock more than 15
    minutes off included), RequestExpired for an old presigned URL.
    """
    header = arrived.header("authorization")
    parts = _from_header(header) if header is not None else _from_query(arrived)
    match = _CREDENTIAL.fullmatch(parts.get("Credential", ""))
    if match is None or "SignedHeaders" not in parts or "Signature" not in parts:
        text = f"Authorization header requires existence of a valid 'Credential' parameter. Authorization={_short(header)}"
        raise AwsFault("IncompleteSignature", text, 403)
    access_key_id, day, region, service = match.groups()
    presigned = header is None
    stamp = parts.get("X-Amz-Date") if presigned else arrived.header("x-amz-date")
    timestamp = _timestamp(stamp)
    if timestamp is None or not (stamp or "").startswith(day):
        text = "Date must be in ISO-8601 'basic format'. Got a date that isn't, or isn't that of the credential."
        raise AwsFault("IncompleteSignature", text, 403)
    token = parts.get("X-Amz-Security-Token") if presigned else arrived.header("x-amz-security-token")
    secret = secret_of(access_key_id, token)

    signed_headers = tuple(parts["SignedHeaders"].lower().split(";"))
    if "host" not in signed_headers:
        raise AwsFault("SignatureDoesNotMatch", "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.", 403)
    query = arrived.query
    if presigned:
        query = "&".join(p for p in query.split("&") if not p.startswith("X-Amz-Signature="))
        payload = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(arrived.body).hexdigest()
    else:
        payload = _payload(arrived, service)
    signer = (_S3Resigner if service == "s3" else _Resigner)(Credentials(access_key_id, secret), service, region)
    signer.signed = signed_headers
    host = arrived.header("host") or ""
    request = AWSRequest(arrived.method, f"http://{host}{arrived.path}" + (f"?{query}" if query else ""), data=b"")
    request.headers = HeadersDict({"X-Amz-Content-SHA256": payload})
    request.context["timestamp"] = stamp
    request.context["arrived"] = arrived.headers
    try:
        expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    except (ValueError, UnicodeError) as error:
        raise AwsFault("SignatureDoesNotMatch", _MISMATCH, 403) from error
    if not hmac.compare_digest(expected.encode(), parts["Signature"].encode("utf-8", "replace")):
        raise AwsFault("SignatureDoesNotMatch", _MISMATCH, 403)
    _check_time(timestamp, now, parts if presigned else None)
    return Signed(access_key_id, token, timestamp, region, service)


_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. "
    "Consult the service documentation for details."
)


def _short(text: str | None) -> str:
    """What may be shown of an Authorization header: never a signature."""
    return (text or "").partition("Signature=")[0][:60]


def _from_header(header: str) -> dict[str, str]:
    scheme, _, rest = header.partition(" ")
    if scheme != "AWS4-HMAC-SHA256":
        raise AwsFault("IncompleteSignature", "Authorization header requires the algorithm AWS4-HMAC-SHA256.", 403)
    return {k.strip(): v.strip() for k, _, v in (part.partition("=") for part in rest.split(","))}


def _from_query(arrived: Arrived) -> dict[str, str]:
    query = dict(parse_qsl(arrived.query, keep_blank_values=True))
    if query.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        raise AwsFault("MissingAuthenticationToken", "Missing Authentication Token", 403)
    names = {"X-Amz-Credential": "Credential", "X-Amz-SignedHeaders": "SignedHeaders", "X-Amz-Signature": "Signature"}
    return {names.get(k, k): v for k, v in query.items()}


def _timestamp(text: str | None) -> datetime | None:
    try:
        return datetime.strptime(text or "", "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _payload(arrived: Arrived, service: str) -> str:
    """The hash of the body, which has to be what the client says it is."""
    actual = hashlib.sha256(arrived.body).hexdigest()
    said = arrived.header("x-amz-content-sha256")
    if said is None:
        return actual
    if said in _UNSIGNED and service == "s3":
        return said
    if not hmac.compare_digest(said.encode("utf-8", "replace"), actual.encode()):
        raise AwsFault("SignatureDoesNotMatch", _MISMATCH, 403)
    return actual


def _check_time(timestamp: datetime, now: datetime, presigned: dict[str, str] | None) -> None:
    if presigned is not None:
        try:
            lasts = timedelta(seconds=min(max(int(presigned.get("X-Amz-Expires", "0")), 0), 604800))
        except ValueError:
            raise AwsFault("AuthorizationQueryParametersError", "X-Amz-Expires should be a number", 400) from None
        if now > timestamp + lasts or timestamp > now + WINDOW:
            raise AwsFault("AccessDenied", "Request has expired", 403)
        return
    shown, current = _basic(timestamp), _basic(now)
    if timestamp < now - WINDOW:
        raise AwsFault(
            "SignatureDoesNotMatch", f"Signature expired: {shown} is now earlier than {_basic(now - WINDOW)} ({current} - 15 min.)", 403
        )
    if timestamp > now + WINDOW:
        raise AwsFault(
            "SignatureDoesNotMatch", f"Signature not yet current: {shown} is still later than {_basic(now + WINDOW)} ({current} + 15 min.)", 403
        )


def _basic(at: datetime) -> str:
    return at.strftime("%Y%m%dT%H%M%SZ")
