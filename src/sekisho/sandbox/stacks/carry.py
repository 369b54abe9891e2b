"""The AWS::IAM resources of a stack made, changed and removed: call by call through IAM's own operations, each decided as AWS decides it.

A call is the caller's own, through CloudFormation (aws:ViaAWSService, E-12), or that of the role that was handed over (E-13). What fails takes back
all that was done before: users, roles, trusts, keys and passwords are then what they were.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sekisho.sandbox import events, iam, leave
from sekisho.sandbox.fault import AwsFault, validation
from sekisho.sandbox.iam.names import iso
from sekisho.sandbox.identity import authorise
from sekisho.sandbox.operation import Work
from sekisho.sandbox.protocol import Call, service_model
from sekisho.sandbox.stacks.forms import Form, Step, form
from sekisho.sandbox.stacks.template import Named, Resource, Template, open_references
from sekisho.sandbox.store import Stack

SERVICE = "cloudformation.amazonaws.com"
_LETTERS = string.ascii_uppercase + string.digits


class Failed(Exception):
    """A resource that couldn't be made, changed or removed: which, in what state it is said to be, and AWS's reason."""

    def __init__(self, logical: str, status: str, reason: str) -> None:
        super().__init__(reason)
        self.logical, self.status, self.reason = logical, status, reason


@dataclass
class Carrier:
    """Carries out the IAM part of one change of a stack. ``stack.resources`` says, after each resource, what there is."""

    work: Work
    stack: Stack
    role: str = ""

    # Calls ----------------------------------------------------------------------------------------------------------

    def call(self, step: Step) -> Mapping[str, Any]:
        """One operation of IAM, decided and recorded. Raises AwsFault."""
        name, params = step
        model = service_model("iam")
        assert model is not None
        inner = replace(self.work, call=Call("iam", name, dict(params), "query", model.operation_model(name)))
        operation = iam.OPERATIONS[name]
        wanted = [replace(need, role=self.role, via=(SERVICE,)) for need in operation.needs(inner)]
        fault = None
        try:
            for need in wanted:
                authorise(self.work.store, leave.request_of(inner, need))
            return operation.run(inner)
        except AwsFault as failed:
            fault = failed
            raise
        finally:
            if wanted:
                events.record_on_behalf(inner, wanted[0], fault)

    def undo(self, step: Step) -> None:
        """A call that takes something away; that it isn't there any more is fine."""
        try:
            self.call(step)
        except AwsFault as fault:
            if fault.code != "NoSuchEntity":
                raise

    # Resources ------------------------------------------------------------------------------------------------------

    @property
    def made(self) -> Named:
        return {k: (r["ref"], r["attributes"]) for k, r in self.stack.resources.items() if r.get("ref")}

    def put(self, template: Template) -> None:
        """Make or change the IAM resources of a template, in order; what is no longer wanted is left to ``clear``. Raises Failed."""
        for resource in template.in_order(lambda r: r.is_iam):
            held = self.stack.resources.get(resource.logical)
            verb = "CREATE" if held is None or held["type"] != resource.kind else "UPDATE"
            self._guarded(resource.logical, resource.kind, verb, partial(self._put, template, resource))

    def _put(self, template: Template, resource: Resource) -> None:
        properties = template.filled(dict(resource.properties), self.made)
        elsewhere = next(open_references(properties), None)
        if elsewhere is not None:
            # What lies behind the front is made after all of IAM, which it may refer to.
            raise validation(f"The embedded AWS makes AWS::IAM resources first, so {resource.logical} can't refer to {elsewhere}.")
        account = self.stack.account
        held = self.stack.resources.get(resource.logical)
        if held is not None and held["type"] != resource.kind:
            text = "Update of resource type is not permitted. The new template modifies resource type of the following resources"
            raise validation(f"{text}: [{resource.logical}]")
        name = held["name"] if held is not None else self._new_name(resource.logical)
        new = form(resource.kind, properties, name, account)
        if held is None:
            attributes = self._make(new)
        else:
            old = form(resource.kind, held["properties"], held["name"], account)
            attributes = {**held["attributes"], **new.attributes}
            if old.identity != new.identity:
                attributes = self._replace(old, new, resource)
            else:
                self._change(old, new)
        self.stack.resources[resource.logical] = {
            "type": resource.kind, "name": name, "ref": new.ref, "attributes": attributes, "properties": properties, "retained": resource.retained,
            "after": sorted(resource.after), "at": iso(self.work.now),
        }  # fmt: skip

    def _make(self, new: Form) -> dict[str, str]:
        attributes = dict(new.attributes)
        if new.create is not None:
            answer = self.call(new.create).get(new.answer) or {}
            attributes |= {k: str(v) for k, v in answer.items() if k in ("RoleId", "PolicyId")}
        for part in new.parts.values():
            if not (part.with_main and new.create is not None):
                self.call(part.make)
        return attributes

    def _change(self, old: Form, new: Form) -> None:
        """New parts before old ones go, so that a policy in place of another leaves no gap."""
        for key, step in new.settings.items():
            if step != old.settings.get(key):
                self._make_room(step)
                self.call(step)
        for named, part in new.parts.items():
            if named not in old.parts or old.parts[named].make != part.make:
                self.call(part.make)
        for named, part in reversed(old.parts.items()):
            if named not in new.parts and part.undo is not None:
                self.undo(part.undo)

    def _replace(self, old: Form, new: Form, resource: Resource) -> dict[str, str]:
        if new.create is not None and old.ref == new.ref:
            text = "CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename it and update the stack again."
            raise validation(f"{text} ({resource.logical})")
        attributes = self._make(new)
        self._remove(old)
        return attributes

    def _make_room(self, step: Step) -> None:
        """A sixth version of a policy: the oldest that isn't in use goes."""
        if step[0] != "CreatePolicyVersion":
            return
        policy = self.work.account.managed(step[1]["PolicyArn"])
        if policy is not None and len(policy.versions) >= 5:
            oldest = min((v["VersionId"] for v in policy.versions if v["VersionId"] != policy.default_version), key=lambda v: int(v[1:]))
            self.call(("DeletePolicyVersion", {"PolicyArn": policy.arn, "VersionId": oldest}))

    def clear(self, wanted: frozenset[str], *, retain: frozenset[str] = frozenset()) -> None:
        """Remove the IAM resources that aren't wanted, each before what it hangs on. Raises Failed."""
        going = [k for k, r in self.stack.resources.items() if r["type"].startswith("AWS::IAM::") and k not in wanted]
        while going:
            # A stack is read back from disk: its order is what it was made in, and what hangs on nothing else goes first.
            logical = next((k for k in reversed(going) if not any(k in self.stack.resources[o]["after"] for o in going if o != k)), going[-1])
            going.remove(logical)
            held = self.stack.resources[logical]
            if not held["retained"] and logical not in retain:
                old = form(held["type"], held["properties"], held["name"], self.stack.account)
                self._guarded(logical, held["type"], "DELETE", partial(self._remove, old))
            del self.stack.resources[logical]

    def _remove(self, old: Form) -> None:
        for part in reversed(old.parts.values()):
            if part.undo is not None and not (part.with_main and old.create is not None):
                self.undo(part.undo)
        if old.delete is not None:
            arn = old.delete[1].get("PolicyArn")
            policy = self.work.account.managed(arn) if arn else None
            for version in policy.versions if policy is not None else ():
                if policy is not None and version["VersionId"] != policy.default_version:
                    self.call(("DeletePolicyVersion", {"PolicyArn": arn, "VersionId": version["VersionId"]}))
            self.undo(old.delete)

    def _new_name(self, logical: str) -> str:
        return f"{self.stack.name}-{logical}"[:50] + "-" + "".join(secrets.choice(_LETTERS) for _ in range(12))

    def _guarded(self, logical: str, kind: str, verb: str, run: Callable[[], None]) -> None:
        self.tell(logical, kind, f"{verb}_IN_PROGRESS")
        try:
            run()
        except AwsFault as fault:
            reason = fault.message
            if fault.code not in ("ValidationError",):
                reason = f'Resource handler returned message: "{fault.message} (Service: Iam, Status Code: {fault.status})" ({fault.code})'
            self.tell(logical, kind, f"{verb}_FAILED", reason)
            raise Failed(logical, f"{verb}_FAILED", reason) from fault
        self.tell(logical, kind, f"{verb}_COMPLETE")

    def tell(self, logical: str, kind: str, status: str, reason: str = "") -> None:
        """An event of the stack."""
        physical = self.stack.id if kind == "AWS::CloudFormation::Stack" else self.stack.resources.get(logical, {}).get("ref", "")
        event = {"EventId": f"{logical}-{status}-{secrets.token_hex(8)}", "StackId": self.stack.id, "StackName": self.stack.name,
                 "LogicalResourceId": logical, "PhysicalResourceId": physical, "ResourceType": kind, "Timestamp": iso(self.work.now),
                 "ResourceStatus": status}  # fmt: skip
        self.stack.events.append(event | ({"ResourceStatusReason": reason} if reason else {}))
