"""What a request asks for, and answers in the form that its client speaks: query, EC2, JSON, REST-JSON and REST-XML, by botocore's models."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import OperationModel, ServiceModel, Shape

from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.signature import Arrived

_SERVICE_OF_SIGNING_NAME = {"monitoring": "cloudwatch", "email": "ses", "elasticloadbalancing": "elbv2", "states": "stepfunctions"}


@dataclass(frozen=True, slots=True)
class Call:
    """One operation of a service with its parameters. ``model`` is None for a service that botocore doesn't know.

    ``body`` is what is carried out in place of the client's body, where that was read here; ``presigned``: the signature is in the URL.
    """

    service: str
    operation: str
    params: Mapping[str, Any]
    protocol: str
    model: OperationModel | None = None
    body: bytes | None = None
    presigned: bool = False


@cache
def service_model(name: str) -> ServiceModel | None:
    """botocore's model of a service, by its signing name; None where there is none."""
    session = botocore.session.get_session()
    try:
        return session.get_service_model(_SERVICE_OF_SIGNING_NAME.get(name, name))
    except Exception:
        return None


def read_call(arrived: Arrived, service: str, path: str) -> Call:
    """The operation and parameters of a request; ``path`` without the vantage point. Raises AwsFault.

    What is decided must be what is carried out: a request that two readers could read differently (a parameter twice, one in the query
    and another in the body, one that the operation doesn't have) is refused, or the odd part doesn't get past here.
    """
    model = service_model(service)
    if model is None:
        raise AwsFault("UnrecognizedClientException", f"There is no service {service}.", 400)
    ours = [name for name, _ in arrived.headers if name.startswith("x-amz-")]
    if len(ours) > len(set(ours)):
        raise AwsFault("MalformedInput", "A header of AWS's stands twice.", 400)
    protocol = str(model.protocol)
    if protocol in ("query", "ec2", "json") and path.strip("/"):
        # Such services have one path. What stands there is a slip of whoever wrote the endpoint: /from/203.0.113.0/24, say.
        raise AwsFault("InvalidEndpoint", f"{service} is asked at /, not at {path[:60]}: see how the endpoint is written", 404)
    if protocol in ("query", "ec2"):
        return _query_call(arrived, service, model, protocol)
    if protocol == "json":
        return _json_call(arrived, service, model)
    return _rest_call(arrived, service, model, path, protocol)


def with_bucket(arrived: Arrived, path: str) -> str:
    """The path of a request to S3 in path style, also where the bucket stands in the host: ``bucket.localhost:4566``."""
    host = arrived.header("host") or ""
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    bucket = name.lower().removesuffix(".localhost") if name.lower().endswith(".localhost") else ""
    return f"/{bucket}{path}" if bucket else path


def _query_call(arrived: Arrived, service: str, model: ServiceModel, protocol: str) -> Call:
    try:
        text = arrived.body.decode("utf-8")
        pairs = [pair for part in (arrived.query, text) for pair in parse_qsl(part, keep_blank_values=True, max_num_fields=5000)]
    except (UnicodeDecodeError, ValueError) as error:
        raise AwsFault("MalformedInput", "The request body can't be read as a query.", 400) from error
    flat = dict(pairs)
    if len(flat) < len(pairs):
        raise AwsFault("MalformedQueryString", "A parameter stands twice.", 400)
    name = flat.get("Action")
    if not name:
        raise AwsFault("MissingAction", "The request must contain the parameter Action.", 400)
    if name not in model.operation_names:
        raise AwsFault("InvalidAction", f"Could not find operation {name} for version {flat.get('Version', model.api_version)}", 400)
    operation = model.operation_model(name)
    if protocol == "ec2":
        known = _ec2_parameters(operation)
        for key in flat:
            if key.partition(".")[0] not in known and not key.startswith("X-Amz-"):
                raise AwsFault("UnknownParameter", f"The parameter {key[:100]} is not recognized", 400)
    params = _unflatten(operation.input_shape, flat, "") if protocol == "query" else flat
    return Call(service, name, params or {}, protocol, operation)


def _ec2_parameters(operation: OperationModel) -> set[str]:
    """The names of an EC2 operation's parameters as they are sent, before any dot."""
    shape = operation.input_shape
    known = {"Action", "Version"}
    for name, member in shape.members.items() if shape is not None else ():
        sent = member.serialization.get("name", name)
        known.add(member.serialization.get("queryName") or sent[:1].upper() + sent[1:])
    return known


def _unflatten(shape: Shape | None, flat: Mapping[str, str], prefix: str) -> Any:
    """Query parameters (``Tags.member.1.Key``) as nested values, by the input's shape."""
    if shape is None:
        return {}
    if shape.type_name == "structure":
        found = {}
        for name, member in shape.members.items():
            key = member.serialization.get("name", name)
            value = _unflatten(member, flat, f"{prefix}.{key}" if prefix else key)
            if value is not None:
                found[name] = value
        return found or (None if prefix else {})
    if shape.type_name == "list":
        member_name = "" if shape.serialization.get("flattened") else "." + shape.member.serialization.get("name", "member")
        items: list[Any] = []
        while len(items) < 1000:
            value = _unflatten(shape.member, flat, f"{prefix}{member_name}.{len(items) + 1}")
            if value is None:
                break
            items.append(value)
        start, most = f"{prefix}{member_name}.", len(items)
        if any(k.startswith(start) and (n := k[len(start) :].partition(".")[0]).isdigit() and int(n) > most for k in flat):
            raise AwsFault("MalformedInput", f"{prefix} leaves out a number.", 400)
        return items or ([] if flat.get(prefix) == "" else None)
    text = flat.get(prefix)
    if text is None:
        return None
    try:
        if shape.type_name in ("integer", "long"):
            return int(text)
        if shape.type_name == "boolean":
            return text.lower() == "true"
        if shape.type_name == "blob":
            return base64.b64decode(text)
    except ValueError:
        raise AwsFault("MalformedInput", f"{prefix} can't be {text!r}", 400) from None
    return text


def _json_call(arrived: Arrived, service: str, model: ServiceModel) -> Call:
    target = arrived.header("x-amz-target") or ""
    name = target.rpartition(".")[2]
    if name not in model.operation_names:
        raise AwsFault("UnknownOperationException", "", 400)
    try:
        params = json.loads(arrived.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise AwsFault("SerializationException", "The body is not JSON.", 400) from error
    if not isinstance(params, dict):
        raise AwsFault("SerializationException", "The body is no JSON object.", 400)
    operation = model.operation_model(name)
    return Call(service, name, _known_members(operation, params), "json", operation)


def _known_members(operation: OperationModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a JSON body that the operation has there; AWS passes over others."""
    shape = operation.input_shape
    members = shape.members if shape is not None else {}
    sent = {m.serialization.get("name", name) for name, m in members.items() if "location" not in m.serialization}
    return {name: value for name, value in given.items() if name in sent}


@cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], dict[str, str | None], str]]:
    """(method, path pattern, needed query parts, operation) of a REST service, the most particular first."""
    model = service_model(service)
    assert model is not None
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        pattern = "".join(
            re.escape(piece) if i % 2 == 0 else (f"(?P<{_group(piece)}>.*)" if piece.endswith("+") else f"(?P<{_group(piece)}>[^/]+)")
            for i, piece in enumerate(re.split(r"\{([^}]+)\}", path))
        )
        needed = {k: v or None for k, _, v in (p.partition("=") for p in query.split("&") if p)}
        routes.append((http["method"], re.compile(pattern.rstrip("/") + "/?"), needed, name))
    return sorted(routes, key=lambda r: (-len(r[2]), -len(r[1].pattern)))


def _group(label: str) -> str:
    return "g_" + re.sub(r"\W", "_", label.rstrip("+"))


def _rest_call(arrived: Arrived, service: str, model: ServiceModel, path: str, protocol: str) -> Call:
    query: dict[str, list[str]] = {}
    for part, text in parse_qsl(arrived.query, keep_blank_values=True):
        query.setdefault(part, []).append(text)
    for method, pattern, needed, name in _routes(service):
        if method != arrived.method or not all(k in query and (v is None or query[k] == [v]) for k, v in needed.items()):
            continue
        match = pattern.fullmatch(path)
        if match is None:
            continue
        operation = model.operation_model(name)
        if service == "s3" and not _s3_fits(operation, match, arrived):
            continue
        shape = operation.input_shape
        if not _knows_query(operation, needed, query):
            continue
        params: dict[str, Any] = {}
        for member_name, member in shape.members.items() if shape is not None else ():
            place, key = member.serialization.get("location"), member.serialization.get("name", member_name)
            if place == "uri" and _group(key) in pattern.groupindex:
                params[member_name] = unquote(match[_group(key)])
            elif place == "querystring" and key in query:
                params[member_name] = query[key] if member.type_name == "list" else query[key][0]
            elif place == "header" and (value := arrived.header(key.lower())) is not None:
                params[member_name] = value
        if protocol == "rest-json" and arrived.body[:1] == b"{":
            try:
                params = _known_members(operation, json.loads(arrived.body)) | params
            except (ValueError, RecursionError) as error:
                raise AwsFault("SerializationException", "The body is not JSON.", 400) from error
        body = None
        if service == "s3" and name in _XML_READ:
            member = _XML_READ[name]
            params[member], body = _xml_body(shape.members[member], arrived.body)
        return Call(service, name, params, protocol, operation, body, "X-Amz-Signature" in query)
    raise AwsFault("UnknownOperationException", f"No operation of {service} is {arrived.method} {path[:200]}", 404)


_XML_READ = {"DeleteObjects": "Delete", "PutObjectTagging": "Tagging", "PutBucketTagging": "Tagging"}
"""Operations of S3 whose body says what they touch or carries tags that conditions read: (operation, member)."""


def _xml_body(shape: Shape, body: bytes) -> tuple[Any, bytes]:
    """The value of an XML body by its shape, and the body written anew from that value: nothing else is carried out. Raises AwsFault."""
    malformed = AwsFault("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", 400)
    if b"<!" in body:
        raise malformed
    try:
        value = _from_xml(shape, ElementTree.fromstring(body))
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise malformed from error
    return value, _xml(shape, value, shape.serialization.get("name", shape.name)).encode()


def _from_xml(shape: Shape, element: Any) -> Any:
    if shape.type_name == "structure":
        found: dict[str, Any] = {}
        for name, member in shape.members.items():
            sent = member.serialization.get("name", name)
            own = [e for e in element if e.tag.rpartition("}")[2] == sent]
            if member.type_name == "list" and member.serialization.get("flattened"):
                found[name] = [_from_xml(member.member, e) for e in own]
            elif len(own) > 1:
                raise ValueError(f"{sent} stands twice")
            elif own:
                found[name] = _from_xml(member, own[0])
        return found
    if shape.type_name == "list":
        return [_from_xml(shape.member, e) for e in element]
    text = element.text or ""
    return text.strip().lower() == "true" if shape.type_name == "boolean" else text


def _knows_query(operation: OperationModel, needed: Mapping[str, str | None], query: Mapping[str, list[str]]) -> bool:
    """Whether each part of the query is the operation's, once. ``?policy&tagging`` of a bucket is two operations, so none."""
    shape = operation.input_shape
    members = [m for m in shape.members.values() if m.serialization.get("location") == "querystring"] if shape is not None else []
    if any(m.type_name == "map" for m in members):
        return True
    known = {m.serialization.get("name", ""): m.type_name == "list" for m in members}
    return all(
        (len(values) == 1 or known.get(key, False)) and (key in known or key in needed or key.lower().startswith(("x-amz-", "x-id")))
        for key, values in query.items()
    )


def _s3_fits(operation: OperationModel, match: re.Match[str], arrived: Arrived) -> bool:
    """Operations of S3 that share a path: copies have a header of their own, and an object's key isn't empty."""
    if "g_Key" in match.re.groupindex and not match["g_Key"]:
        return False
    copies = arrived.header("x-amz-copy-source") is not None
    return (operation.name in ("CopyObject", "UploadPartCopy")) == copies or operation.name not in (
        "CopyObject", "UploadPartCopy", "PutObject", "UploadPart",
    )  # fmt: skip


# --- answers -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: str) -> str:
    """Text inside XML. What XML 1.0 can't hold becomes U+FFFD: an echo of a strange parameter must not make an answer unreadable."""
    return escape(_NO_XML.sub("\ufffd", value))


def _xml(shape: Shape, value: Any, name: str) -> str:
    if value is None:
        return ""
    if shape.type_name == "structure":
        inner = "".join(_xml(m, value.get(n), m.serialization.get("name", n)) for n, m in shape.members.items())
        return f"<{name}>{inner}</{name}>"
    if shape.type_name == "list":
        if shape.serialization.get("flattened"):
            return "".join(_xml(shape.member, v, name) for v in value)
        item = shape.member.serialization.get("name", "member")
        return f"<{name}>" + "".join(_xml(shape.member, v, item) for v in value) + f"</{name}>"
    if shape.type_name == "map":
        key, val = shape.key.serialization.get("name", "key"), shape.value.serialization.get("name", "value")
        entries = "".join(f"<entry>{_xml(shape.key, k, key)}{_xml(shape.value, v, val)}</entry>" for k, v in value.items())
        return f"<{name}>{entries}</{name}>"
    if shape.type_name == "timestamp":
        text = _iso(value)
    elif shape.type_name == "boolean":
        text = "true" if value else "false"
    elif shape.type_name == "blob":
        text = base64.b64encode(value).decode()
    else:
        text = str(value)
    return f"<{name}>{_text(text)}</{name}>"


def write_result(call: Call, result: Mapping[str, Any], request_id: str) -> Answer:
    """The answer of one of our own operations (query or JSON), by the output's shape."""
    assert call.model is not None
    output = call.model.output_shape
    if call.protocol == "json" or call.protocol == "rest-json":
        body = json.dumps(_json(output, result) if output is not None else {}, ensure_ascii=False).encode()
        return Answer(200, body, (("content-type", "application/x-amz-json-1.1"), ("x-amzn-requestid", request_id)))
    namespace = call.model.service_model.metadata.get("xmlNamespace", "")
    inner = ""
    if output is not None:
        wrapper = output.serialization.get("resultWrapper") or f"{call.operation}Result"
        inner = _xml(output, result, wrapper)
    text = (
        f'<{call.operation}Response xmlns="{namespace}">{inner}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>'
        f"</{call.operation}Response>"
    )
    return Answer(200, text.encode(), (("content-type", "text/xml"), ("x-amzn-requestid", request_id)))


def _json(shape: Shape, value: Any) -> Any:
    if value is None:
        return None
    if shape.type_name == "structure":
        return {m.serialization.get("name", n): _json(m, value[n]) for n, m in shape.members.items() if value.get(n) is not None}
    if shape.type_name == "list":
        return [_json(shape.member, v) for v in value]
    if shape.type_name == "map":
        return {k: _json(shape.value, v) for k, v in value.items()}
    if shape.type_name == "timestamp":
        return value.timestamp() if isinstance(value, datetime) else value
    if shape.type_name == "blob":
        return base64.b64encode(value).decode()
    return value


def write_fault(fault: AwsFault, protocol: str, request_id: str, namespace: str = "") -> Answer:
    """An error in the form of the protocol, with the code that AWS uses there (G-21)."""
    code, message = fault.code, fault.message
    if protocol in ("json", "rest-json"):
        if code == "AccessDenied":
            code = "AccessDeniedException"
        body = json.dumps({"__type": code, "message": message, "Message": message}).encode()
        headers = (("content-type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code), ("x-amzn-requestid", request_id))
        status = 400 if fault.denied and protocol == "json" else fault.status
        return Answer(status, body, headers)
    shown = _text(message)
    if protocol == "ec2":
        if fault.denied:
            code, shown = "UnauthorizedOperation", f"You are not authorized to perform this operation. {shown}"
        error = f"<Error><Code>{code}</Code><Message>{shown}</Message></Error>"
        text = f"<Response><Errors>{error}</Errors><RequestID>{request_id}</RequestID></Response>"
    elif protocol == "rest-xml":
        text = f"<Error><Code>{code}</Code><Message>{shown}</Message><RequestId>{request_id}</RequestId></Error>"
    else:
        kind = "Sender" if fault.status < 500 else "Receiver"
        text = (
            f'<ErrorResponse xmlns="{namespace}"><Error><Type>{kind}</Type><Code>{code}</Code><Message>{shown}</Message></Error>'
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    body = b'<?xml version="1.0" encoding="UTF-8"?>\n' + text.encode()
    return Answer(fault.status, body, (("content-type", "text/xml"), ("x-amzn-requestid", request_id)))
