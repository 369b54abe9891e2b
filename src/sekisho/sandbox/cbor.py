"""CBOR, which the newest clients speak to CloudWatch and some forty others (smithy-rpc-v2-cbor): read and written by botocore, JSON behind it."""

from __future__ import annotations

import json
import struct
from typing import Any

from botocore.model import Shape
from botocore.parsers import JSONParser, ResponseParserError, RpcV2CBORParser
from botocore.serialize import RpcV2CBORSerializer

from sekisho.sandbox.fault import AwsFault

HEADERS = (("content-type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"))


class _Reader(RpcV2CBORParser):  # type: ignore[misc]
    """botocore's, told not to ask for more bytes than a body can have."""

    def _read_from_stream(self, stream: Any, num_bytes: int) -> Any:
        if num_bytes > 1 << 25:
            raise ResponseParserError("too long")
        return super()._read_from_stream(stream, num_bytes)


_READER = _Reader()
_WRITER = RpcV2CBORSerializer()
_JSON = JSONParser()


def read(body: bytes) -> dict[str, Any]:
    """What a request's body says: one map. Raises AwsFault."""
    if not body:
        return {}
    try:
        stream = _READER.get_peekable_stream_from_bytes(body)
        found = _READER.parse_data_item(stream)
        if not isinstance(found, dict) or stream.read(1) or not all(isinstance(k, str) for k in found):
            raise ValueError
    except (ResponseParserError, ValueError, TypeError, OverflowError, RecursionError, struct.error, OSError) as error:
        raise AwsFault("SerializationException", "The body is no map in CBOR.", 400) from error
    return found


def write(shape: Shape | None, value: Any) -> bytes:
    """A value of an output's shape."""
    if shape is None:
        return b"\xa0"
    body = bytearray()
    _WRITER._serialize_data_item(body, value, shape)
    return bytes(body)


def from_json(shape: Shape | None, body: bytes) -> bytes:
    """An answer in JSON, by the output's shape, in CBOR."""
    if shape is None:
        return write(None, {})
    parsed = _JSON.parse({"status_code": 200, "headers": {}, "body": body}, shape)
    parsed.pop("ResponseMetadata", None)
    return write(shape, parsed)


def fault(code: str, message: str) -> bytes:
    """An error: a map of two texts."""
    body = bytearray(b"\xa2")
    for text in ("__type", code, "message", message):
        _WRITER._serialize_type_string(body, text, None, None)
    return bytes(body)


def fault_in(body: bytes) -> tuple[str, str]:
    """(code, message) of an error in JSON."""
    try:
        said = json.loads(body)
        code = str(said.get("__type") or said.get("code") or "InternalFailure").rpartition("#")[2]
        return code, str(said.get("message") or said.get("Message") or "")
    except (ValueError, AttributeError):
        return "InternalFailure", body[:300].decode("utf-8", "replace")
