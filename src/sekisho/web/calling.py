"""One call as oneself, and the account's CloudTrail: what AWS answers the acting session, from where the browser says that it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from sekisho.sandbox.fault import AwsFault
from sekisho.web.browser import Refusal
from sekisho.web.visit import Visit, as_json

CALLS = (
    "sts:GetCallerIdentity", "ec2:DescribeInstances", "ec2:DescribeVpcs", "s3:ListBuckets", "iam:ListUsers", "iam:ListGroups", "iam:ListRoles",
    "iam:ListMFADevices", "iam:ListVirtualMFADevices", "iam:GetAccountPasswordPolicy", "iam:GetAccountSummary", "cloudtrail:LookupEvents",
)  # fmt: skip
"""Calls that need no parameters and change nothing."""
PAGE_EVENTS = 25
_MOST_TEXT = 20_000


async def form(visit: Visit) -> Response:
    return _page(visit, CALLS[0])


def _page(visit: Visit, chosen: str, *, result: str | None = None, refusal: Refusal | None = None, status: int = 200) -> Response:
    return visit.page("call.html", status, calls=CALLS, chosen=chosen, result=result, refusal=refusal)


async def make(visit: Visit) -> Response:
    chosen = visit.form.get("call", "")
    if chosen not in CALLS:
        return _page(visit, CALLS[0], status=400)
    service, _, operation = chosen.partition(":")
    try:
        text = as_json(visit.call(service, operation))
    except AwsFault as fault:
        return _page(visit, chosen, refusal=visit.refused(fault), status=fault.status)
    return _page(visit, chosen, result=text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "\n…")


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
    events = [_event(visit, e) for e in found.result.get("Events", ())]
    return visit.page("trail.html", 403 if found.refusal else 200, outcome=found, events=events, following=found.result.get("NextToken", ""))


def _event(visit: Visit, given: dict[str, Any]) -> Event:
    record = json.loads(given["CloudTrailEvent"])
    answers = record.get("responseElements") or {}
    failed = record.get("errorCode") or record.get("errorMessage") or next((str(v) for v in answers.values() if v == "Failure"), "")
    return Event(
        record["eventID"], record["eventTime"], record["eventName"], record["eventSource"], given["Username"], record["sourceIPAddress"], failed,
        as_json(record), record["eventID"] in visit.browser.refusals,
    )  # fmt: skip
