"""The front of the embedded AWS: every call is authenticated, decided, carried out, recorded, made durable, and then answered.

All calls run on one thread, one after the other: each is decided on the state that the calls answered before it have left.
"""

from __future__ import annotations

import traceback
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sekisho.sandbox import bridge, events, iam, needs, signin_policies, sts
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.identity import Caller, authenticated, authorise, secret_of
from sekisho.sandbox.operation import Need, Operation, Work
from sekisho.sandbox.origin import parted
from sekisho.sandbox.protocol import Answer, Call, read_call, write_fault, write_result
from sekisho.sandbox.signature import Arrived, check_signature, is_signed
from sekisho.sandbox.store import Store

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "iam": iam.OPERATIONS, "sts": sts.OPERATIONS, "cloudtrail": events.OPERATIONS, "signin": signin_policies.OPERATIONS,
}  # fmt: skip
"""What is carried out here; everything else is moto's, behind ``needs.py``."""

_NAMESPACE = {"iam": "https://iam.amazonaws.com/doc/2010-05-08/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}


class EmbeddedAws:
    """An AWS of some accounts. ``state``: the folder where what is done survives a restart; None: in memory alone."""

    def __init__(self, account_ids: list[str], state: Path | None = None) -> None:
        self.store = Store(state, account_ids)

    def close(self) -> None:
        self.store.close()

    def answer(self, arrived: Arrived) -> Answer:
        """Answer one HTTP request that an AWS client sent. Never raises: an error is an answer too."""
        request_id = str(uuid.uuid4())
        protocol, service = _guess(arrived), ""
        try:
            origin, path, _ = parted(arrived.path)
            if not is_signed(arrived):
                raise AwsFault("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
            store = self.store
            signed = check_signature(arrived, lambda key, token: secret_of(store, key, token), store.clock.machine_now())
            service = signed.service
            caller = authenticated(
                store, signed.access_key_id, signed.token, origin, arrived.header("user-agent") or "", signed.region
            )
            if signed.token is None:
                store.key_used(signed.access_key_id, signed.service, signed.region)
            call = read_call(arrived, signed.service, path)
            protocol = call.protocol
            return self.carry_out(arrived, caller, call, path, request_id)
        except AwsFault as fault:
            return write_fault(fault, protocol, request_id, _NAMESPACE.get(service, ""))
        except Exception:
            # A mistake of ours: the client gets AWS's form of it, and the terminal that serves gets the traceback.
            traceback.print_exc()
            ours = AwsFault("InternalFailure", "The embedded AWS made a mistake; its terminal says more.", 500)
            return write_fault(ours, protocol, request_id, _NAMESPACE.get(service, ""))
        finally:
            self.store.commit()

    def carry_out(self, arrived: Arrived, caller: Caller, call: Call, path: str, request_id: str) -> Answer:
        """Decide, carry out and record a call of an authenticated caller. Raises AwsFault; the caller of this makes it durable."""
        work = Work(self.store, caller, call, self.store.clock.now())
        ours = OPERATIONS.get(call.service)
        operation = ours.get(call.operation) if ours is not None else None
        if ours is not None and operation is None:
            raise AwsFault("InvalidAction", f"The embedded AWS doesn't have {call.service}:{call.operation} yet.", 400)
        try:
            if operation is not None:
                result = self.run(work, operation)
                events.record_success(work, result, request_id)
                return write_result(call, result, request_id)
            for need in needs.needs_of(work):
                self.allow(work, need)
            answer = bridge.carry_out(arrived, call, caller.region, caller.account, path)
            if answer.status >= 400:
                events.record_failure(work, AwsFault("ClientError", f"HTTP {answer.status}", answer.status), request_id)
            else:
                events.record_success(work, {}, request_id)
            return answer
        except AwsFault as fault:
            fault.event_id = events.record_failure(work, fault, request_id)["eventID"]
            raise

    def run(self, work: Work, operation: Operation) -> Mapping[str, Any]:
        """Ask for the leave that the operation needs, and carry it out. Raises AwsFault; what it raises has changed nothing."""
        for need in operation.needs(work):
            self.allow(work, need)
        return operation.run(work)

    def allow(self, work: Work, need: Need) -> None:
        """Raise AccessDenied, in AWS's words, unless the caller may."""
        request = work.caller.request(need.action, need.resource, work.now, dict(need.context or {}), _owner(need.resource, work))
        authorise(self.store, request)


def _owner(resource: str, work: Work) -> str:
    """The account that owns a resource: as its ARN says, else the caller's own."""
    parts = resource.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else work.caller.account


def _guess(arrived: Arrived) -> str:
    """The protocol to answer in before the call could be read."""
    if arrived.header("x-amz-target") is not None:
        return "json"
    kind = arrived.header("content-type") or ""
    if "json" in kind:
        return "rest-json"
    authorization = arrived.header("authorization") or ""
    if "/s3/aws4_request" in authorization or (arrived.method != "POST" and "Action=" not in arrived.query):
        return "rest-xml"
    return "ec2" if "/ec2/aws4_request" in authorization else "query"
