"""One call as oneself, and the account's CloudTrail: what AWS answers the acting session, from where the browser says that it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore.validate import ParamValidator
from starlette.responses import Response

from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.protocol import service_model
from sekisho.web.browser import Refusal
from sekisho.web.visit import Visit, as_json

CALLS = (
    "sts:GetCallerIdentity", "ec2:DescribeInstances", "ec2:DescribeVpcs", "s3:ListBuckets", "iam:ListUsers", "iam:ListGroups", "iam:ListRoles",
    "iam:ListMFADevices", "iam:ListVirtualMFADevices", "iam:GetAccountPasswordPolicy", "iam:GetAccountSummary", "cloudtrail:LookupEvents",
)  # fmt: skip
"""Calls that are offered; any other can be written."""
PAGE_EVENTS = 25
_MOST_TEXT = 20_000


async def form(visit: Visit) -> Response:
    asked = visit.request.query_params.get("call", "")
    return _page(visit, asked[:100] or CALLS[0])


def _page(
    visit: Visit, chosen: str, parameters: str = "", *, result: str | None = None, error: str = "", refusal: Refusal | None = None, status: int = 200
) -> Response:
    return visit.page(
        "call.html", status, calls=CALLS, chosen=chosen, parameters=parameters, result=result, error=error, refusal=refusal
    )  # fmt: skip


async def make(visit: Visit) -> Response:
    """Any operation of any service (``call``, as service:Operation) with ``parameters``, a JSON object as the AWS CLI's --cli-input-json takes."""
    chosen, written = visit.form.get("call", "").strip()[:100], visit.form.get("parameters", "").strip()
    service, _, operation = chosen.partition(":")
    model = service_model(service.lower())
    name = next((n for n in model.operation_names if n.lower() == operation.lower()), None) if model is not None else None
    if model is None or name is None:
        return _page(visit, chosen, written, error=visit.say("call.unknown", call=chosen), status=400)
    try:
        parameters = json.loads(written or "{}")
        if not isinstance(parameters, dict):
            raise ValueError("it isn't a JSON object")
    except (ValueError, RecursionError) as error:
        return _page(visit, chosen, written, error=visit.say("call.unreadable", reason=str(error)), status=400)
    found = model.operation_model(name)
    wrong = ParamValidator().validate(parameters, found.input_shape) if found.input_shape is not None else None
    if wrong is not None and wrong.has_errors():
        return _page(visit, chosen, written, error=wrong.generate_report()[:1000], status=400)
    if found.has_event_stream_input or found.has_event_stream_output:
        return _page(visit, chosen, written, error=visit.say("call.stream"), status=400)
    try:
        text = as_json(visit.send(model.signing_name, name, parameters))
    except AwsFault as fault:
        return _page(visit, chosen, written, refusal=visit.refused(fault), status=fault.status)
    return _page(visit, chosen, written, result=text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "\n…")


# --- CloudTrail ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Event:
    """A record as the page lists it. ``explained``: there is a decision to open, made for this browser."""

    id: str
    time: str
    name: str
    source: str
    who: str
    address: str
    error: str
    text: str
    explained: bool


async def trail(visit: Visit) -> Response:
    token = visit.request.query_params.get("next", "")
    found = visit.ask("cloudtrail", "LookupEvents", MaxResults=PAGE_EVENTS, **({"NextToken": token} if token else {}))
    events = [event(visit, json.loads(e["CloudTrailEvent"])) for e in found.result.get("Events", ())]
    return visit.page("trail.html", 403 if found.refusal else 200, outcome=found, events=events, following=found.result.get("NextToken", ""))


def event(visit: Visit, record: dict[str, Any]) -> Event:
    """A CloudTrail record as the page shows it."""
    answers, who = record.get("responseElements") or {}, record.get("userIdentity") or {}
    failed = record.get("errorCode") or record.get("errorMessage") or next((str(v) for v in answers.values() if v == "Failure"), "")
    name = who.get("userName") or str(who.get("arn") or who.get("principalId") or who.get("invokedBy") or who.get("type") or "").rpartition("/")[2]
    return Event(
        record["eventID"], record["eventTime"], record["eventName"], record["eventSource"], name, record["sourceIPAddress"], failed,
        as_json(record), record["eventID"] in visit.browser.refusals,
    )  # fmt: skip
