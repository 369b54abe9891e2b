"""CloudTrail records of what was asked of the embedded AWS, in the shapes of rule book G; and LookupEvents, which reads them back."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sekisho.decision import CredentialKind
from sekisho.estate import Role
from sekisho.sandbox.fault import AwsFault, validation
from sekisho.sandbox.identity import Caller
from sekisho.sandbox.operation import Need, Operation, Work, session_name
from sekisho.sandbox.origin import Origin
from sekisho.sandbox.store import Session, Store

Event = dict[str, Any]
INTERNAL = "AWS Internal"
"""What stands for address, user agent and invoker where the console calls for its user (G-05)."""

_SECRET = frozenset(
    ("password", "oldpassword", "newpassword", "secretaccesskey", "authenticationcode1", "authenticationcode2", "tokencode", "base32stringseed",
     "qrcodepng", "sessiontoken", "securestring", "plaintext", "secretstring", "secretbinary", "masteruserpassword")
)  # fmt: skip
"""Names of members that no record holds."""
_READS = ("Get", "List", "Describe", "Lookup", "Head", "AssumeRole", "Query", "Scan", "BatchGet", "Search")
_GLOBAL = frozenset(("iam", "cloudfront", "route53", "organizations"))


def iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def identity(store: Store, caller: Caller) -> dict[str, Any]:
    """The userIdentity element of a call."""
    session = caller.session
    if caller.kind is CredentialKind.ROOT:
        return {
            "type": "Root", "principalId": caller.account, "arn": caller.principal, "accountId": caller.account,
            "accessKeyId": caller.access_key_id,
        }  # fmt: skip
    account = store.account(caller.account)
    found: dict[str, Any] = {"arn": caller.principal, "accountId": caller.account, "accessKeyId": caller.access_key_id}
    if session is not None and ":role/" in session.entity:
        role = account.role(session.entity.rpartition("/")[2])
        role_id = role.id if role else ""
        issuer = {
            "type": "Role", "principalId": role_id, "arn": session.entity, "accountId": caller.account,
            "userName": session.entity.rpartition("/")[2],
        }  # fmt: skip
        found = {"type": "AssumedRole", "principalId": f"{role_id}:{caller.principal.rpartition('/')[2]}", **found}
        found["sessionContext"] = {"sessionIssuer": issuer, "webIdFederationData": {}, "attributes": _attributes(session)}
        if session.source_identity:
            found["sessionContext"]["sourceIdentity"] = session.source_identity
        return found
    user = account.user(caller.user)
    user_id = user.id if user else ""
    if caller.kind is CredentialKind.FEDERATED and session is not None:
        issuer = {"type": "IAMUser", "principalId": user_id, "arn": session.entity, "accountId": caller.account, "userName": caller.user}
        found = {"type": "FederatedUser", "principalId": f"{caller.account}:{caller.principal.rpartition('/')[2]}", **found}
        found["sessionContext"] = {"sessionIssuer": issuer, "webIdFederationData": {}, "attributes": _attributes(session)}
        return found
    found = {"type": "IAMUser", "principalId": user_id, **found, "userName": caller.user}
    if session is not None:
        found["sessionContext"] = {"sessionIssuer": {}, "webIdFederationData": {}, "attributes": _attributes(session)}
    return found


def _attributes(session: Session) -> dict[str, str]:
    created = datetime.fromtimestamp(session.issued, UTC)
    return {"creationDate": iso(created), "mfaAuthenticated": "true" if session.mfa_at is not None else "false"}


def public(value: Any, omit: Iterable[str] = ()) -> Any:
    """Parameters or results as records have them: names in camelCase, times as text, nothing secret, nothing that isn't there."""
    omitted = _SECRET.union(omit)
    if isinstance(value, Mapping):
        return {k[:1].lower() + k[1:]: public(v, omit) for k, v in value.items() if v is not None and k.lower() not in omitted}
    if isinstance(value, list | tuple):
        return [public(v, omit) for v in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%b %-d, %Y, %-I:%M:%S %p")
    if isinstance(value, bytes):
        return None
    return value


def _call(work: Work, *, invoked_internally: bool) -> Event:
    caller, call = work.caller, work.call
    who = identity(work.store, caller)
    if invoked_internally:
        who["invokedBy"] = INTERNAL
    event = {
        "eventVersion": "1.08",
        "userIdentity": who,
        "eventTime": iso(work.now),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": "us-east-1" if call.service in _GLOBAL else caller.region,
        "sourceIPAddress": INTERNAL if invoked_internally else caller.origin.address,
        "userAgent": INTERNAL if invoked_internally else caller.user_agent,
    }
    if caller.origin.vpce and not invoked_internally:
        event["vpcEndpointId"] = caller.origin.vpce
    return event


def _close(event: Event, work: Work, account: str, request_id: str) -> Event:
    event |= {
        "requestID": request_id, "eventID": str(uuid.uuid4()), "readOnly": work.call.operation.startswith(_READS), "eventType": "AwsApiCall",
        "managementEvent": True, "recipientAccountId": account, "eventCategory": "Management",
    }  # fmt: skip
    return event


def record_success(work: Work, result: Mapping[str, Any], request_id: str, *, internally: bool = False) -> Event:
    """Record a call that worked: in the caller's account, and an AssumeRole into another account there as well (G-04)."""
    event = _call(work, invoked_internally=internally)
    event["requestParameters"] = public(work.params) or None
    reads = work.call.operation.startswith(_READS) and work.call.service != "sts"
    event["responseElements"] = None if reads or work.call.operation == "GetCallerIdentity" else public(result) or None
    assumed = work.call.service == "sts" and work.call.operation == "AssumeRole"
    if not assumed:
        return _record(work, work.caller.account, _close(event, work, work.caller.account, request_id))
    # The token that CloudTrail has here would be a credential in a file; the key's id is what sessions are joined by.
    event["responseElements"]["credentials"]["sessionToken"] = "HIDDEN_DUE_TO_SECURITY_REASONS"
    role_arn = str(work.params["RoleArn"])
    owner = role_arn.split(":")[4]
    event["resources"] = [{"ARN": role_arn, "accountId": owner, "type": "AWS::IAM::Role"}]
    if owner == work.caller.account:
        return _record(work, owner, _close(event, work, owner, request_id))
    shared = str(uuid.uuid4())
    theirs = {**event, "userIdentity": {"type": "AWSAccount", "principalId": event["userIdentity"]["principalId"], "accountId": work.caller.account}}
    if internally:
        theirs["userIdentity"]["invokedBy"] = INTERNAL
    _record(work, owner, {**_close(theirs, work, owner, request_id), "sharedEventID": shared})
    return _record(work, work.caller.account, {**_close(event, work, work.caller.account, request_id), "sharedEventID": shared})


def record_failure(work: Work, fault: AwsFault, request_id: str, *, internally: bool = False) -> Event:
    """Record a call that failed, in the caller's account. A refused AssumeRole keeps nothing of its parameters (G-08)."""
    event = _call(work, invoked_internally=internally)
    code = fault.code
    if fault.denied and work.call.protocol == "ec2":
        code = "Client.UnauthorizedOperation"
    elif fault.denied and work.call.protocol in ("json", "rest-json", "cbor"):
        code = "AccessDeniedException"
    event["errorCode"] = code
    event["errorMessage"] = fault.message[:1024]
    event["requestParameters"] = None if fault.denied else public(work.params) or None
    event["responseElements"] = None
    return _record(work, work.caller.account, _close(event, work, work.caller.account, request_id))


def record_on_behalf(work: Work, need: Need, fault: AwsFault | None = None) -> Event:
    """The record of what a service calls on for its caller, with the caller's credentials or as the role that it was handed (G-07)."""
    service = need.via[-1] if need.via else f"{work.call.service}.amazonaws.com"
    by = INTERNAL if service.startswith("s3.") else service
    prefix, _, name = need.action.partition(":")
    who = _as_role(work, need) if need.role else identity(work.store, work.caller)
    event: Event = {
        "eventVersion": "1.08", "userIdentity": {**who, "invokedBy": by}, "eventTime": iso(work.now),
        "eventSource": f"{_SOURCES.get(prefix, prefix)}.amazonaws.com", "eventName": name,
        "awsRegion": "us-east-1" if prefix in _GLOBAL else work.caller.region, "sourceIPAddress": by, "userAgent": by,
        "requestParameters": None, "responseElements": None,
    }  # fmt: skip
    if fault is not None:
        event |= {"errorCode": fault.code, "errorMessage": fault.message[:1024]}
    if need.resource.startswith("arn:"):
        event["resources"] = [{"ARN": need.resource, "accountId": need.resource.split(":", 5)[4] or need.owner or work.caller.account}]
    event = _close(event, work, work.caller.account, str(uuid.uuid4()))
    event["readOnly"] = name.startswith(_READS)
    return _record(work, work.caller.account, event)


def _as_role(work: Work, need: Need) -> dict[str, Any]:
    """userIdentity of a service's session of a role (E-13)."""
    account = need.role.split(":")[4]
    name = need.role.rpartition("/")[2]
    role = work.store.account(account).role(name)
    session, role_id = session_name(need.via), role.id if role else ""
    issuer = {"type": "Role", "principalId": role_id, "arn": need.role, "accountId": account, "userName": name}
    attributes = {"creationDate": iso(work.now), "mfaAuthenticated": "false"}
    return {
        "type": "AssumedRole", "principalId": f"{role_id}:{session}", "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{session}",
        "accountId": account, "sessionContext": {"sessionIssuer": issuer, "webIdFederationData": {}, "attributes": attributes},
    }  # fmt: skip


_SOURCES = {"cloudwatch": "monitoring", "ses": "email", "tag": "tagging"}
"""Event sources that aren't called as the prefix of their actions."""


def _record(work: Work, account: str, event: Event) -> Event:
    work.store.record(account, event)
    return event


def _signin_event(
    name: str, account: str, now: datetime, origin: Origin, user_agent: str, who: Mapping[str, Any], response: Any, more: Mapping[str, Any]
) -> Event:
    return {
        "eventVersion": "1.08", "userIdentity": dict(who), "eventTime": iso(now), "eventSource": "signin.amazonaws.com", "eventName": name,
        "awsRegion": "us-east-1", "sourceIPAddress": origin.address, "userAgent": user_agent, "requestParameters": None, "responseElements": response,
        "additionalEventData": dict(more), "eventID": str(uuid.uuid4()), "readOnly": False, "eventType": "AwsConsoleSignIn",
        "managementEvent": True, "recipientAccountId": account, "eventCategory": "Management",
    }  # fmt: skip


def record_console_login(
    store: Store, account: str, user: str, now: datetime, origin: Origin, user_agent: str, *, mfa_used: bool, serial: str | None, failure: str | None
) -> Event:
    """ConsoleLogin (G-03). ``failure``: AWS's text where it failed; a name that doesn't exist is not written down."""
    found = store.account(account).user(user)
    who: dict[str, Any] = {"type": "IAMUser", "accountId": account, "userName": user}
    if failure is None and found is not None:
        who = {"type": "IAMUser", "principalId": found.id, "arn": found.arn, "accountId": account, "userName": user}
    elif found is not None:
        who = {"type": "IAMUser", "principalId": found.id, "accountId": account, "accessKeyId": "", "userName": user}
    else:
        who |= {"principalId": "", "accessKeyId": "", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    more: dict[str, Any] = {
        "LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes" if mfa_used else "No",
    }  # fmt: skip
    if mfa_used and serial:
        more["MFAIdentifier"] = serial
    event = _signin_event(
        "ConsoleLogin", account, now, origin, user_agent, who, {"ConsoleLogin": "Failure" if failure else "Success"}, more
    )
    if failure:
        event["errorMessage"] = failure if found is not None else "No username found in supplied account"
    store.record(account, event)
    return event


def record_check_mfa(store: Store, account: str, user: str, now: datetime, origin: Origin, user_agent: str, *, good: bool) -> Event:
    """CheckMfa, which precedes ConsoleLogin where the user has a device (G-03)."""
    found = store.account(account).user(user)
    who = {"type": "IAMUser", "principalId": found.id if found else "", "accountId": account, "accessKeyId": "", "userName": user}
    event = _signin_event(
        "CheckMfa", account, now, origin, user_agent, who, {"CheckMfa": "Success" if good else "Failure"}, {"MfaType": "Virtual MFA"}
    )
    store.record(account, event)
    return event


def record_switch_role(store: Store, session: Session, role: Role, switched_from: str, now: datetime, origin: Origin, user_agent: str) -> Event:
    """SwitchRole, in the role's account only, with the address that AssumeRole's records hide (G-06)."""
    name = session.principal.rpartition("/")[2]
    who = {"type": "AssumedRole", "principalId": f"{role.id}:{name}", "arn": session.principal, "accountId": session.account}
    more = {"SwitchFrom": switched_from, "RedirectTo": "https://console.aws.amazon.com/console/home"}
    event = _signin_event("SwitchRole", session.account, now, origin, user_agent, who, {"SwitchRole": "Success"}, more)
    store.record(session.account, event)
    return event


# --- LookupEvents ----------------------------------------------------------------------------------------------------------


def _resources(event: Event) -> list[dict[str, str]]:
    listed = [{"ResourceType": r.get("type", ""), "ResourceName": r.get("ARN", "")} for r in event.get("resources", ())]
    params = event.get("requestParameters") or {}
    kinds = {
        "userName": "AWS::IAM::User", "groupName": "AWS::IAM::Group", "roleName": "AWS::IAM::Role", "policyArn": "AWS::IAM::Policy",
        "serialNumber": "AWS::IAM::MfaDevice",
    }  # fmt: skip
    listed += [{"ResourceType": kind, "ResourceName": str(params[key])} for key, kind in kinds.items() if key in params]
    return listed


def _name_of(event: Event) -> str:
    who = event["userIdentity"]
    if who.get("type") == "AssumedRole":
        return str(who["principalId"].rpartition(":")[2])
    return str(who.get("userName") or ("root" if who.get("type") == "Root" else who.get("accountId", "")))


def _attribute(event: Event, key: str) -> list[str]:
    plain = {
        "EventId": event["eventID"], "EventName": event["eventName"], "EventSource": event["eventSource"], "Username": _name_of(event),
        "ReadOnly": str(event["readOnly"]).lower(), "AccessKeyId": event["userIdentity"].get("accessKeyId", ""),
    }  # fmt: skip
    if key in plain:
        return [plain[key]]
    member = {"ResourceName": "ResourceName", "ResourceType": "ResourceType"}.get(key)
    if member is None:
        raise validation(f"Value '{key}' at 'lookupAttributes.1.member.attributeKey' failed to satisfy constraint")
    return [r[member] for r in _resources(event)]


def _time(value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    try:
        return datetime.fromisoformat(str(value).replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise AwsFault("InvalidTimeRangeException", "A start or end time can't be read.", 400) from None


def _lookup_events(work: Work) -> Mapping[str, Any]:
    """The account's events, newest first, of all regions: this AWS has one history an account."""
    params = work.params
    start, end = _time(params.get("StartTime")), _time(params.get("EndTime"))
    if start is not None and end is not None and start > end:
        raise AwsFault("InvalidTimeRangeException", "The start time is after the end time.", 400)
    most = int(params.get("MaxResults", 50))
    if not 1 <= most <= 50:
        raise AwsFault("InvalidMaxResultsException", "MaxResults must be between 1 and 50.", 400)
    wanted = [(str(a.get("AttributeKey")), str(a.get("AttributeValue"))) for a in params.get("LookupAttributes", ())]
    if len(wanted) > 1:
        raise AwsFault("InvalidLookupAttributesException", "Only one lookup attribute can be specified.", 400)
    token = str(params.get("NextToken") or "")
    if token and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise AwsFault("InvalidNextTokenException", "The token isn't one that was given out.", 400)
    written = bool(wanted) and wanted[0][0] in _WRITTEN and wanted[0][1] != "root"
    holding = json.dumps(wanted[0][1])[1:-1] if written else ""
    found: list[dict[str, Any]] = []
    looked, last = 0, 0
    for number, event in work.store.events.newest(work.caller.account, before=int(token) if token else None, holding=holding):
        if len(found) == most or looked == _LOOKED_AT:
            return {"Events": found, "NextToken": str(last)}
        looked, last = looked + 1, number
        when = datetime.fromisoformat(event["eventTime"].replace("Z", "+00:00"))
        if (start is not None and when.timestamp() < int(start)) or (end is not None and when.timestamp() > end):
            continue
        if all(value in _attribute(event, key) for key, value in wanted):
            found.append(
                {
                    "EventId": event["eventID"], "EventName": event["eventName"], "ReadOnly": str(event["readOnly"]).lower(), "EventTime": when,
                    "EventSource": event["eventSource"], "Username": _name_of(event), "Resources": _resources(event),
                    "AccessKeyId": event["userIdentity"].get("accessKeyId") or None, "CloudTrailEvent": json.dumps(event),
                }
            )  # fmt: skip
    return {"Events": found}


_WRITTEN = ("EventId", "EventName", "EventSource", "Username", "AccessKeyId", "ResourceName")
"""Lookup attributes whose value stands in the record as it is."""
_LOOKED_AT = 2000
"""Records that one call looks at: the next page goes on from there, so that nobody waits for a search through all."""


OPERATIONS: Mapping[str, Operation] = {"LookupEvents": Operation(_lookup_events, lambda _: [Need("cloudtrail:LookupEvents")])}
