"""The front of the embedded AWS: every call is authenticated, decided, carried out, recorded, made durable, and then answered.

All calls run on one thread, one after the other: each is decided on the state that the calls answered before it have left.
"""

from __future__ import annotations

import json
import re
import secrets
import sys
import traceback
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.validate import ParamValidator

from sekisho.errors import OutsideError
from sekisho.sandbox import bridge, events, iam, leave, needs, organizations, resource_policies, signin_policies, sts
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault, access_denied
from sekisho.sandbox.identity import Caller, anonymous, authenticated, authorise, secret_of
from sekisho.sandbox.operation import Need, Operation, Work
from sekisho.sandbox.origin import Origin, parted
from sekisho.sandbox.protocol import Answer, Call, in_cbor, is_s3_control, read_call, with_bucket, write_fault, write_result
from sekisho.sandbox.signature import Arrived, check_signature, is_signed
from sekisho.sandbox.stacks import operations as stacks
from sekisho.sandbox.store import Store

OPERATIONS: Mapping[str, Mapping[str, Operation]] = {
    "iam": iam.OPERATIONS, "sts": sts.OPERATIONS, "cloudtrail": events.OPERATIONS, "signin": signin_policies.OPERATIONS,
    "organizations": organizations.OPERATIONS,
}  # fmt: skip
"""What is carried out here; everything else is moto's, behind ``needs.py``."""

_SIGNED_FOR = re.compile("/([a-z0-9.-]+)(?:/|%2[fF])aws4_request")

_REGION = re.compile("/([a-z0-9-]+)(?:/|%2[fF])sqs(?:/|%2[fF])aws4_request")

_NAMESPACE = {"iam": "https://iam.amazonaws.com/doc/2010-05-08/", "sts": "https://sts.amazonaws.com/doc/2011-06-15/"}


class EmbeddedAws:
    """An AWS of some accounts. ``state``: the folder where what is done survives a restart; None: in memory alone.

    ``let_unknown_through``: calls whose action, resource or condition keys can't be told are let pass instead of refused.
    """

    def __init__(self, account_ids: list[str], state: Path | None = None, *, let_unknown_through: bool = False) -> None:
        self.store = Store(state, account_ids)
        self.behind = Behind(self.store.birth, self._tell, self.store.note)
        self.let_unknown_through = let_unknown_through
        self.administration_token = secrets.token_urlsafe(32)

    def close(self) -> None:
        self.store.close()
        self.behind.forget()

    def _tell(self, behind: Behind) -> None:
        """Bring the state behind the front to where it was when the last call was acknowledged. What can't be is said on stderr."""
        for entry in self.store.journal():
            different = bridge.again(behind, entry)
            if different:
                name = entry.sent.name if entry.sent is not None else f"showing {entry.shown[0]}"
                sys.stderr.write(f"sekisho: {name} of {entry.at[:19]} isn't as it was: {different}. What it made may be gone, or have other ids.\n")

    def needs_loading(self, arrived: Arrived) -> str:
        """The service that a request has to wait for, because moto isn't loaded yet or its state not told; else empty."""
        found = _SIGNED_FOR.search(arrived.header("authorization") or arrived.query)
        # Without a signature only S3 answers, and nobody who sends a form.
        service = found[1] if found else "s3" if not is_signed(arrived) and arrived.method != "POST" else "sts"
        return "" if service in OPERATIONS or (self.behind.is_told and bridge.is_loaded(service)) else service

    def load(self, service: str) -> None:
        """Wait for what ``needs_loading`` names. From any thread: calls of the services that are carried out here needn't wait meanwhile."""
        bridge.load(service)
        with self.behind.used():
            pass

    def waits_for_message(self, arrived: Arrived, answer: Answer) -> float:
        """How many seconds the answer to a ReceiveMessage that found nothing may wait for a message; 0 for all else."""
        if answer.status != 200 or not (arrived.header("x-amz-target") or "").endswith(".ReceiveMessage") or b'"Messages"' in answer.body:
            return 0
        asked = json.loads(arrived.body)
        account, region, queue = _queue(arrived, asked)
        wait = asked.get("WaitTimeSeconds")
        return min(float(wait if isinstance(wait, int) else self.behind.queue_waits(account, region, queue)), 20.0)

    def has_message(self, arrived: Arrived) -> bool:
        """Whether a ReceiveMessage would find something now."""
        return self.behind.has_message(*_queue(arrived, json.loads(arrived.body)))

    def answer(self, arrived: Arrived) -> Answer:
        """Answer one HTTP request that an AWS client sent, once what it changed is on disk. Never raises: an error is an answer too."""
        request_id = str(uuid.uuid4())
        answer = self._answered(arrived, request_id)
        try:
            self.store.commit()
        except OutsideError as error:
            sys.stderr.write(f"sekisho: {error}\n")
            gone = AwsFault("ServiceUnavailable", "The embedded AWS can't write its state; its terminal says more.", 503)
            return write_fault(gone, _guess(arrived), request_id)
        return answer

    def _answered(self, arrived: Arrived, request_id: str) -> Answer:
        protocol, service = _guess(arrived), ""
        try:
            origin, path, _ = parted(arrived.path)
            if not is_signed(arrived):
                return self._anonymous(arrived, origin, path, request_id)
            store = self.store
            signed = check_signature(arrived, lambda key, token: secret_of(store, key, token), store.clock.machine_now())
            service = signed.service
            caller = authenticated(
                store, signed.access_key_id, signed.token, origin, arrived.header("user-agent") or "", signed.region
            )
            if signed.token is None:
                store.key_used(signed.access_key_id, signed.service, signed.region)
            if service == "s3" and not is_s3_control(arrived, path):
                path = with_bucket(arrived, path)
            call = read_call(arrived, signed.service, path)
            protocol = call.protocol
            return self.carry_out(arrived, caller, call, path, request_id)
        except AwsFault as fault:
            query_codes = arrived.header("x-amzn-query-mode") == "true"
            return write_fault(fault, protocol, request_id, _NAMESPACE.get(service, ""), query_codes=query_codes)
        except Exception:
            # A mistake of ours: the client gets AWS's form of it, and the terminal that serves gets the traceback.
            traceback.print_exc()
            ours = AwsFault("InternalFailure", "The embedded AWS made a mistake; its terminal says more.", 500)
            return write_fault(ours, protocol, request_id, _NAMESPACE.get(service, ""))

    def carry_out(self, arrived: Arrived, caller: Caller, call: Call, path: str, request_id: str) -> Answer:
        """Decide, carry out and record a call of an authenticated caller. Raises AwsFault; the caller of this makes it durable."""
        work = Work(self.store, caller, call, self.store.clock.now())
        ours = OPERATIONS.get(call.service)
        operation = ours.get(call.operation) if ours is not None else None
        if ours is not None and operation is None:
            raise AwsFault("InvalidAction", f"The embedded AWS doesn't have {call.service}:{call.operation} yet.", 400)
        try:
            if operation is not None:
                _check_types(call)
                result = self.run(work, operation)
                events.record_success(work, result, request_id)
                return write_result(call, result, request_id)
            answer = self._behind_the_front(arrived, work, path)
            if call.protocol == "cbor":
                answer = in_cbor(call, answer, query_codes=arrived.header("x-amzn-query-mode") == "true")
            if answer.status >= 400:
                events.record_failure(work, AwsFault("ClientError", f"HTTP {answer.status}", answer.status), request_id)
            else:
                events.record_success(work, {}, request_id)
            return answer
        except AwsFault as fault:
            fault.event_id = events.record_failure(work, fault, request_id)["eventID"]
            raise

    def _behind_the_front(self, arrived: Arrived, work: Work, path: str) -> Answer:
        """Decide a call that moto carries out, in the account whose resource it touches, and see which resource policies there are then."""
        call, caller = work.call, work.caller
        try:
            wanted = needs.needs_of(work, self.behind)
        except AwsFault as fault:
            if not (fault.unknown and self.let_unknown_through) or caller.kind is None:
                raise
            wanted = []
        for need in wanted:
            self._allow_behind(work, need)
        resource_policies.check(work, arrived.body)
        home = (wanted[0].owner or leave.owner_of(wanted[0].resource, work) if wanted else None) or caller.account
        if home not in self.store.accounts:
            raise access_denied(f"There is no account {home} here.")
        for need in wanted:
            if need.action == "iam:PassRole":
                self._hand_over(work, need)
        across = len({need.owner or home for need in wanted if need.action.startswith("s3:")}) > 1
        if call.service == "cloudformation" and stacks.takes(work):
            answer = write_result(call, stacks.Stacks(work, self.behind, arrived).run(), str(uuid.uuid4()))
        else:
            answer = bridge.carry_out(self.behind, arrived, call, caller.region, home, path, work.now, across=across)
        if answer.status < 400 and resource_policies.may_change(call):
            self.store.put_resource_policies(home, *self.behind.resource_policies(home))
        if answer.status < 400:
            for need in wanted:
                if need.via and need.action != "iam:PassRole":
                    events.record_on_behalf(work, need)
        return answer

    def _allow_behind(self, work: Work, need: Need) -> None:
        """Raise AwsFault unless the caller may; what a service was refused that called on for the caller is recorded as its call."""
        try:
            leave.allow(work, need, self.behind, let_unknown_through=self.let_unknown_through)
        except AwsFault as fault:
            if need.via and need.action != "iam:PassRole" and work.caller.kind is not None:
                events.record_on_behalf(work, need, fault)
            raise

    def _hand_over(self, work: Work, need: Need) -> None:
        """moto looks for a role that its services are handed in an IAM of its own."""
        if work.account.role(need.resource.rpartition("/")[2]) is None:
            return
        self.behind.know_role(need.resource, work.now)
        for profile in work.account.extra.get("InstanceProfiles", ()):
            if any(role["Arn"] == need.resource for role in profile.get("Roles", ())):
                self.behind.know_instance_profile(profile["Arn"], need.resource, work.now)

    def _anonymous(self, arrived: Arrived, origin: Origin, path: str, request_id: str) -> Answer:
        """A request without a signature: S3 answers those that a bucket's policy lets in. Raises AwsFault."""
        path = with_bucket(arrived, path)
        if "AWSAccessKeyId=" in arrived.query:
            text = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
            raise AwsFault("InvalidRequest", text, 400)
        if arrived.header("x-amz-target") is not None or "Action=" in arrived.query or arrived.method == "POST" or path == "/":
            raise AwsFault("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        call = read_call(arrived, "s3", path)
        owner = self.behind.owner_of_bucket(str(call.params.get("Bucket", "")))
        if not owner:
            raise AwsFault("NoSuchBucket", "The specified bucket does not exist", 404)
        caller = anonymous(origin, arrived.header("user-agent") or "", "us-east-1")
        return self._behind_the_front(arrived, Work(self.store, caller, call, self.store.clock.now()), path)

    def run(self, work: Work, operation: Operation) -> Mapping[str, Any]:
        """Ask for the leave that the operation needs, and carry it out. Raises AwsFault; what it raises has changed nothing."""
        for need in operation.needs(work):
            self.allow(work, need)
        return operation.run(work)

    def allow(self, work: Work, need: Need) -> None:
        """Raise AccessDenied, in AWS's words, unless the caller may."""
        owner, context = leave.owner_of(need.resource, work), dict(need.context or {})
        request = work.caller.request(need.action, need.resource, work.now, context, owner, settings=self.store.settings)
        authorise(self.store, request)


def _check_types(call: Call) -> None:
    """Raise AwsFault for a JSON body that leaves out what it must have, or has another type there: its values come as the client wrote them."""
    if call.protocol != "json" or call.model is None or call.model.input_shape is None:
        return
    for reason, name, more in ParamValidator().validate(call.params, call.model.input_shape)._errors:
        if reason in ("missing required field", "invalid type"):
            what = str(more.get("required_name", name)).strip(".")
            raise AwsFault("ValidationException", f"{reason}: {what}"[:300], 400)


def too_large(arrived: Arrived) -> Answer:
    """The answer to a body that nobody wants to hold."""
    protocol = _guess(arrived)
    if protocol == "rest-xml":
        fault = AwsFault("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size", 400)
    else:
        fault = AwsFault("RequestEntityTooLarge", "The request is larger than 16 MiB.", 413)
    answer = write_fault(fault, protocol, str(uuid.uuid4()))
    return Answer(answer.status, answer.body, (*answer.headers, ("connection", "close")))


def _queue(arrived: Arrived, asked: Mapping[str, Any]) -> tuple[str, str, str]:
    """(account, region, name) of the queue that a request is about."""
    found = _REGION.search(arrived.header("authorization") or arrived.query)
    *_, account, name = ["", "", *str(asked.get("QueueUrl", "")).split("/")]
    return account, found[1] if found else "", name


def _guess(arrived: Arrived) -> str:
    """The protocol to answer in before the call could be read."""
    if arrived.header("smithy-protocol") == "rpc-v2-cbor":
        return "cbor"
    if arrived.header("x-amz-target") is not None:
        return "json"
    kind = arrived.header("content-type") or ""
    if "json" in kind:
        return "rest-json"
    authorization = arrived.header("authorization") or ""
    if "/s3/aws4_request" in authorization or (arrived.method != "POST" and "Action=" not in arrived.query):
        return "rest-xml"
    return "ec2" if "/ec2/aws4_request" in authorization else "query"
