"""What a request asks for, and answers in the form that its client speaks: query, EC2, JSON, CBOR, REST-JSON and REST-XML, by botocore's models."""

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

from sekisho.sandbox import cbor
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.signature import Arrived

_MODELS: Mapping[str, tuple[str, ...]] = {
    "aidevops": ("devops-agent",), "aoss": ("opensearchserverless",), "apigateway": ("apigateway", "apigatewayv2"), "aps": ("amp",),
    "aws-marketplace": ("meteringmarketplace",), "bedrock": ("bedrock", "bedrock-agent", "bedrock-runtime"),
    "bedrock-agentcore": ("bedrock-agentcore-control",), "cloudhsm": ("cloudhsmv2",), "connect-campaigns": ("connectcampaigns",),
    "dynamodb": ("dynamodb", "dynamodbstreams"), "elasticfilesystem": ("efs",), "elasticloadbalancing": ("elbv2", "elb"),
    "elasticmapreduce": ("emr",), "email": ("ses",), "es": ("es", "opensearch"), "execute-api": ("apigatewaymanagementapi",),
    "iotdata": ("iot-data",), "kinesisanalytics": ("kinesisanalyticsv2",), "kinesisvideo": ("kinesisvideo", "kinesis-video-archived-media"),
    "lex": ("lexv2-models",), "mediastore": ("mediastore", "mediastore-data"), "mobiletargeting": ("pinpoint",), "monitoring": ("cloudwatch",),
    "s3": ("s3", "s3control"), "sagemaker": ("sagemaker", "sagemaker-metrics", "sagemaker-runtime"),
    "servicecatalog": ("servicecatalog", "servicecatalog-appregistry"), "servicequotas": ("service-quotas",), "ses": ("ses", "sesv2"),
    "sso": ("sso-admin",), "states": ("stepfunctions",), "tagging": ("resourcegroupstaggingapi",),
    "timestream": ("timestream-write", "timestream-query"),
}  # fmt: skip
"""botocore's models of what is signed for as one service, its main one first, where that isn't the model of the same name alone."""


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
def model_named(name: str) -> ServiceModel | None:
    """botocore's model of that name; None where there is none."""
    session = botocore.session.get_session()
    try:
        return session.get_service_model(name)
    except Exception:
        return None


def service_model(name: str) -> ServiceModel | None:
    """botocore's model of a service, by its signing name, the main one where there are more; None where there is none."""
    return model_named(_MODELS.get(name, (name,))[0])


def models(name: str) -> list[ServiceModel]:
    """All models of what is signed for as one service."""
    return [model for model in map(model_named, _MODELS.get(name, (name,))) if model is not None]


def is_main(call: Call) -> bool:
    """Whether a call is of its service's main model: the rules for the service are about that one."""
    return call.model is None or call.model.service_model.service_name == _MODELS.get(call.service, (call.service,))[0]


def _spoken(arrived: Arrived, model: ServiceModel) -> str:
    """The protocol of a request: newer models have several, and a client speaks the one that it knows."""
    protocols = model.metadata.get("protocols") or [model.protocol]
    if "smithy-rpc-v2-cbor" not in protocols:
        return str(model.protocol)
    if arrived.header("smithy-protocol") == "rpc-v2-cbor":
        return "cbor"
    return "json" if arrived.header("x-amz-target") is not None or "query" not in protocols else "query"


def _asked_of(arrived: Arrived, service: str, path: str) -> ServiceModel | None:
    """The model that a request is of, among those of its service."""
    found = models(service)
    if len(found) < 2:
        return found[0] if found else None
    target = arrived.header("x-amz-target") or ""
    for model in found:
        protocol = str(model.protocol)
        if protocol == "json" or "cbor" in protocol:
            start, _, name = target.rpartition(".")
            is_its = start == model.metadata.get("targetPrefix") or path.startswith("/service/")
            if is_its and (name or path.rpartition("/")[2]) in model.operation_names:
                return model
        elif protocol == "query":
            sent = f"{arrived.query}&{arrived.body[:100_000].decode('utf-8', 'replace')}" if not target else ""
            if f"Version={model.api_version}" in sent.split("&"):
                return model
        elif model.service_name in ("s3", "s3control"):
            if is_s3_control(arrived, path) == (model.service_name == "s3control"):
                return model
        elif not target and any(m == arrived.method and p.fullmatch(path) for m, p, _, _ in _routes(model.service_name)):
            return model
    return found[0]


def is_s3_control(arrived: Arrived, path: str) -> bool:
    """Whether a request signed for S3 is about an account's access points and the like, and so of no bucket."""
    return path.startswith("/v20180820/") and arrived.header("x-amz-account-id") is not None


def read_call(arrived: Arrived, service: str, path: str) -> Call:
    """The operation and parameters of a request; ``path`` without the vantage point. Raises AwsFault.

    What is decided must be what is carried out: a request that two readers could read differently (a parameter twice, one in the query
    and another in the body, one that the operation doesn't have) is refused, or the odd part doesn't get past here.
    """
    model = _asked_of(arrived, service, path)
    if model is None:
        raise AwsFault("UnrecognizedClientException", f"There is no service {service}.", 400)
    ours = [name for name, _ in arrived.headers if name.startswith("x-amz-")]
    if len(ours) > len(set(ours)):
        raise AwsFault("MalformedInput", "A header of AWS's stands twice.", 400)
    protocol = _spoken(arrived, model)
    if protocol == "cbor":
        return _cbor_call(arrived, service, model, path)
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


def _cbor_call(arrived: Arrived, service: str, model: ServiceModel, path: str) -> Call:
    """A call in CBOR; what is carried out is its parameters in JSON."""
    match = re.fullmatch(r"/service/([\w.]+)/operation/(\w+)", path)
    if match is None or match[1].rpartition(".")[2] != str(model.metadata.get("targetPrefix")).rpartition(".")[2]:
        raise AwsFault("InvalidEndpoint", f"{service} is asked at /service/…, not at {path[:60]}: see how the endpoint is written", 404)
    if arrived.method != "POST" or arrived.query or match[2] not in model.operation_names:
        raise AwsFault("UnknownOperationException", "", 404)
    operation = model.operation_model(match[2])
    params = _known_members(operation, cbor.read(arrived.body))
    try:
        body = json.dumps(_json(operation.input_shape, params) if operation.input_shape is not None else {}).encode()
        params = json.loads(body)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise AwsFault("SerializationException", f"The body doesn't fit {match[2]}.", 400) from error
    return Call(service, match[2], params, "cbor", operation, body)


def _known_members(operation: OperationModel, given: Mapping[str, Any]) -> dict[str, Any]:
    """The members of a JSON body that the operation has there; AWS passes over others."""
    shape = operation.input_shape
    members = shape.members if shape is not None else {}
    sent = {m.serialization.get("name", name) for name, m in members.items() if "location" not in m.serialization}
    return {name: value for name, value in given.items() if name in sent}


@cache
def _routes(name: str) -> list[tuple[str, re.Pattern[str], dict[str, str | None], str]]:
    """(method, path pattern, needed query parts, operation) of a REST service, the most particular first."""
    model = model_named(name)
    assert model is not None
    routes = []
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        path, _, query = http["requestUri"].partition("?")
        pattern = "".join(
            re.escape(piece) if i % 2 == 0 else (f"(?P<{_group(piece)}>.*)" if piece.endswith("+") else f"(?P<{_group(piece)}>[^/]+)")
            for i, piece in enumerate(re.split(r"\{([^}]+)\}", path))
        )
        needed = {k: v or None for k, _, v in (p.partition("=") for p in query.split("&") if p)}
        routes.append((http["method"], re.compile(pattern.rstrip("/") + "/?"), needed, operation))
    return sorted(routes, key=lambda r: (-len(r[2]), -len(r[1].pattern)))


def _group(label: str) -> str:
    return "g_" + re.sub(r"\W", "_", label.rstrip("+"))


def _rest_call(arrived: Arrived, service: str, model: ServiceModel, path: str, protocol: str) -> Call:
    query: dict[str, list[str]] = {}
    for part, text in parse_qsl(arrived.query, keep_blank_values=True):
        query.setdefault(part, []).append(text)
    for method, pattern, needed, name in _routes(model.service_name):
        if method != arrived.method or not all(k in query and (v is None or query[k] == [v]) for k, v in needed.items()):
            continue
        match = pattern.fullmatch(path)
        if match is None:
            continue
        operation = model.operation_model(name)
        if model.service_name == "s3" and not _s3_fits(operation, match, arrived):
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
        if model.service_name == "s3" and name in _XML_READ:
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


def in_cbor(call: Call, answer: Answer, *, query_codes: bool) -> Answer:
    """moto's answer in JSON to a client that asked in CBOR."""
    assert call.model is not None
    kept = tuple((k, v) for k, v in answer.headers if k not in ("content-type", "smithy-protocol"))
    if answer.status < 300:
        return Answer(answer.status, cbor.from_json(call.model.output_shape, answer.body), (*cbor.HEADERS, *kept))
    code, message = cbor.fault_in(answer.body)
    return write_fault(AwsFault(code, message, answer.status), "cbor", dict(kept).get("x-amzn-requestid", ""), query_codes=query_codes)


def write_fault(fault: AwsFault, protocol: str, request_id: str, namespace: str = "", *, query_codes: bool = False) -> Answer:
    """An error in the form of the protocol, with the code that AWS uses there (G-21). ``query_codes``: the client asked for those of query too."""
    code, message = fault.code, fault.message
    if protocol == "cbor":
        code = "AccessDeniedException" if code == "AccessDenied" else code
        status = 400 if fault.denied else fault.status
        # Services that spoke query first go on to say its code, for programs that look for it.
        old = ("x-amzn-query-error", f"{fault.code};{'Sender' if fault.status < 500 else 'Receiver'}")
        return Answer(status, cbor.fault(code, message), (*cbor.HEADERS, ("x-amzn-requestid", request_id), *([old] if query_codes else ())))
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
