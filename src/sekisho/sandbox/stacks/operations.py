"""CloudFormation's operations on stacks that hold AWS::IAM resources: made, changed and removed whole, or taken back; change sets; what there is.

All is done before the answer leaves, so a stack is never seen IN_PROGRESS. What of a template isn't IAM's is a stack of the same name in moto, with
the names of the IAM resources filled in.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from sekisho.sandbox import bridge
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault, cannot_tell, validation
from sekisho.sandbox.iam.names import check_params, iso
from sekisho.sandbox.operation import Work
from sekisho.sandbox.protocol import Call, service_model
from sekisho.sandbox.services import templates
from sekisho.sandbox.signature import Arrived
from sekisho.sandbox.stacks import template as reading
from sekisho.sandbox.stacks.carry import Carrier, Failed
from sekisho.sandbox.stacks.forms import has_own_name, is_known
from sekisho.sandbox.stacks.template import Template
from sekisho.sandbox.store import Stack

_STACK = "AWS::CloudFormation::Stack"
_GONE = "DELETE_COMPLETE"
_WITH_TEMPLATE = ("CreateStack", "UpdateStack", "CreateChangeSet", "GetTemplateSummary")
_UNCHANGED = "The submitted information didn't contain changes. Submit different information to create a change set."


def takes(work: Work) -> bool:
    """Whether a call is about stacks that are kept here: by their name, or because its template holds AWS::IAM resources."""
    params, operation = work.params, work.call.operation
    if operation in _WITH_TEMPLATE and not params.get("TemplateURL") and "TemplateBody" in params:
        listed = templates.resources(templates.read(str(params["TemplateBody"])))
        if any(kind.startswith("AWS::IAM::") for _, kind, _ in listed):
            return True
    if operation in ("DescribeStacks", "ListStacks") and "StackName" not in params:
        return any(s.account == work.caller.account and s.region == work.caller.region for s in work.store.stacks.values())
    return _named(work, str(params.get("StackName") or "")) is not None or _with_change_set(work) is not None


def _named(work: Work, name: str) -> Stack | None:
    return work.store.stack_named(work.caller.account, work.caller.region, name) if name else None


def _with_change_set(work: Work) -> Stack | None:
    """The stack of a change set that is named by its ARN alone."""
    arn = str(work.params.get("ChangeSetName") or "")
    mine = (s for s in work.store.stacks.values() if s.account == work.caller.account)
    return next((s for s in mine if arn.startswith("arn:") and any(c["id"] == arn for c in s.change_sets.values())), None)


@dataclass
class Stacks:
    """One call about stacks of the caller's account and Region."""

    work: Work
    behind: Behind
    arrived: Arrived

    def run(self) -> Mapping[str, Any]:
        """The answer's members. Raises AwsFault; a stack that failed is no fault but a state of the stack."""
        operation = _OPERATIONS.get(self.work.call.operation)
        if operation is None:
            raise validation(f"The embedded AWS doesn't have {self.work.call.operation} for stacks with AWS::IAM resources.")
        check_params(self.work.call)
        if self.work.params.get("TemplateURL"):
            raise cannot_tell("The embedded AWS reads no template from a URL: pass TemplateBody.")
        return operation(self)

    # What there is --------------------------------------------------------------------------------------------------

    def the(self) -> Stack:
        name = str(self.work.params.get("StackName") or "")
        stack = _named(self.work, name) or _with_change_set(self.work)
        if stack is None:
            raise validation(f"Stack with id {name} does not exist")
        return stack

    def moto(self, operation: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """What moto answers. Raises AwsFault."""
        from botocore.parsers import create_parser
        from botocore.serialize import create_serializer

        model = service_model("cloudformation")
        assert model is not None
        shape = model.operation_model(operation)
        body = urlencode(create_serializer("query").serialize_to_request(params, shape)["body"]).encode()
        call = Call("cloudformation", operation, params, "query", shape, body)
        caller = self.work.caller
        answer = bridge.carry_out(
            self.behind, replace(self.arrived, query="", method="POST"), call, caller.region, caller.account, "/", self.work.now
        )
        read = {"body": answer.body, "status_code": answer.status, "headers": dict(answer.headers)}
        parsed: dict[str, Any] = create_parser("query").parse(read, shape.output_shape)
        if answer.status >= 400:
            error = parsed.get("Error", {})
            raise AwsFault(str(error.get("Code", "ValidationError")), str(error.get("Message", "")), answer.status)
        return parsed

    def twin(self, stack: Stack) -> list[dict[str, Any]]:
        """What of a stack lies behind the front."""
        return list(self.moto("DescribeStackResources", {"StackName": stack.name}).get("StackResources", ())) if stack.twin else []

    def describe(self) -> Mapping[str, Any]:
        if "StackName" in self.work.params:
            return {"Stacks": [self.shown(self.the())]}
        return {"Stacks": [*map(self.shown, self.all(gone=False)), *self.others("DescribeStacks", "Stacks")]}

    def all(self, *, gone: bool) -> list[Stack]:
        caller = self.work.caller
        mine = [s for s in self.work.store.stacks.values() if (s.account, s.region) == (caller.account, caller.region)]
        return [s for s in mine if gone or s.status != _GONE]

    def others(self, operation: str, member: str) -> list[dict[str, Any]]:
        """moto's own stacks, without those that are parts of stacks here."""
        names = {s.name for s in self.all(gone=True) if s.twin}
        return [s for s in self.moto(operation, {}).get(member, ()) if s["StackName"] not in names]

    def shown(self, stack: Stack) -> dict[str, Any]:
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in stack.parameters.items()]
        return {
            "StackId": stack.id, "StackName": stack.name, "Description": stack.description or None, "Parameters": parameters,
            "CreationTime": stack.created, "LastUpdatedTime": stack.updated or None, "DeletionTime": stack.deleted or None,
            "StackStatus": stack.status, "StackStatusReason": stack.reason or None, "DisableRollback": False, "NotificationARNs": [],
            "Capabilities": stack.capabilities, "Outputs": stack.outputs, "RoleARN": stack.role or None, "Tags": stack.tags,
            "EnableTerminationProtection": stack.protected, "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        }  # fmt: skip

    def listed(self) -> Mapping[str, Any]:
        wanted = self.work.params.get("StackStatusFilter")
        found = [{"StackId": s.id, "StackName": s.name, "TemplateDescription": s.description or None, "CreationTime": s.created,
                  "LastUpdatedTime": s.updated or None, "DeletionTime": s.deleted or None, "StackStatus": s.status,
                  "StackStatusReason": s.reason or None} for s in self.all(gone=True)]  # fmt: skip
        return {"StackSummaries": [s for s in [*found, *self.others("ListStacks", "StackSummaries")] if not wanted or s["StackStatus"] in wanted]}

    def events(self) -> Mapping[str, Any]:
        return {"StackEvents": self.the().events[::-1]}

    def _rows(self, stack: Stack) -> list[dict[str, Any]]:
        own = [{"StackName": stack.name, "StackId": stack.id, "LogicalResourceId": k, "PhysicalResourceId": r["ref"], "ResourceType": r["type"],
                "Timestamp": r["at"], "LastUpdatedTimestamp": r["at"], "ResourceStatus": r.get("status", "CREATE_COMPLETE")}
               for k, r in stack.resources.items()]  # fmt: skip
        there = [{**r, "StackId": stack.id, "LastUpdatedTimestamp": r.get("Timestamp")} for r in self.twin(stack)]
        wanted = self.work.params.get("LogicalResourceId")
        return [r for r in [*own, *there] if wanted in (None, r["LogicalResourceId"])]

    def resources(self) -> Mapping[str, Any]:
        return {"StackResources": self._rows(self.the())}

    def resource(self) -> Mapping[str, Any]:
        stack = self.the()
        rows = self._rows(stack)
        if not rows:
            raise validation(f"Resource {self.work.params['LogicalResourceId']} does not exist for stack {stack.name}")
        return {"StackResourceDetail": rows[0]}

    def summaries(self) -> Mapping[str, Any]:
        return {"StackResourceSummaries": self._rows(self.the())}

    def template(self) -> Mapping[str, Any]:
        stack = self.the()
        change = self._change_set(stack) if "ChangeSetName" in self.work.params else None
        return {"TemplateBody": change["template"] if change else stack.template, "StagesAvailable": ["Original", "Processed"]}

    def summary(self) -> Mapping[str, Any]:
        """What a template asks for, before anything is made of it."""
        text = str(self.work.params.get("TemplateBody") or self.the().template)
        body = reading.plain(templates.read(text))
        listed = list(templates.resources(body))
        ours = [(kind, properties) for _, kind, properties in listed if kind.startswith("AWS::IAM::")]
        named = any(has_own_name(kind, properties) for kind, properties in ours)
        why = f"The following resource(s) require capabilities: [{', '.join(sorted({k for k, _ in ours}))}]" if ours else None
        parameters = [
            {"ParameterKey": name, "DefaultValue": body.get("Default"), "ParameterType": body.get("Type"), "Description": body.get("Description"),
             "NoEcho": str(body.get("NoEcho", "")).lower() == "true"} for name, body in (body.get("Parameters") or {}).items()
        ]  # fmt: skip
        return {"Parameters": parameters, "Description": body.get("Description"), "ResourceTypes": sorted({kind for _, kind, _ in listed}),
                "Capabilities": [f"CAPABILITY_{'NAMED_' * named}IAM"] if ours else [],
                "CapabilitiesReason": why, "Version": body.get("AWSTemplateFormatVersion")}  # fmt: skip

    # Changes --------------------------------------------------------------------------------------------------------

    def read(self, text: str, name: str, arn: str, given: Mapping[str, str], capabilities: list[str]) -> Template:
        """The template as it is asked for. Raises AwsFault for what isn't understood, and where capabilities are missing."""
        caller = self.work.caller
        own = {"AWS::AccountId": caller.account, "AWS::Region": caller.region, "AWS::Partition": "aws", "AWS::StackName": name, "AWS::StackId": arn,
               "AWS::URLSuffix": "amazonaws.com", "AWS::NotificationARNs": []}  # fmt: skip
        found = reading.read(text, given, own)
        found.in_order(lambda _: True)
        ours = [r for r in found.resources.values() if r.is_iam]
        for resource in ours:
            if not is_known(resource.kind):
                raise validation(f"The embedded AWS doesn't make {resource.kind} ({resource.logical}) through CloudFormation.")
            other = next((a for a in resource.after if not found.resources[a].is_iam), None)
            if other is not None:
                # What lies behind the front is made after all of IAM, which it may refer to.
                raise validation(f"The embedded AWS makes AWS::IAM resources first, so {resource.logical} can't refer to {other}.")
        if ours and not {"CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"} & set(capabilities):
            named = any(has_own_name(r.kind, r.properties) for r in ours)
            raise AwsFault("InsufficientCapabilitiesException", f"Requires capabilities : [CAPABILITY_{'NAMED_' * named}IAM]", 400)
        if "CAPABILITY_NAMED_IAM" not in capabilities and any(has_own_name(r.kind, r.properties) for r in ours):
            raise AwsFault("InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]", 400)
        return found

    def given(self, before: Mapping[str, str] | None = None) -> dict[str, str]:
        """The parameters of the call, those with UsePreviousValue as the stack has them."""
        found: dict[str, str] = {}
        for entry in self.work.params.get("Parameters") or ():
            key = str(entry.get("ParameterKey", ""))
            if entry.get("UsePreviousValue"):
                if key not in (before or {}):
                    raise validation(f"Invalid input for parameter key {key}. Cannot specify usePreviousValue as true for a parameter key not in the previous template")  # noqa: E501
                found[key] = (before or {})[key]
            else:
                found[key] = str(entry.get("ParameterValue", ""))
        return found

    def new(self, name: str) -> Stack:
        caller = self.work.caller
        arn = f"arn:aws:cloudformation:{caller.region}:{caller.account}:stack/{name}/{uuid.uuid4()}"
        return Stack(arn, caller.account, caller.region, name, created=iso(self.work.now))

    def free(self, name: str) -> None:
        """Raise AlreadyExistsException where the name is taken, here or behind the front."""
        if _named(self.work, name) is not None or self.behind.stack(self.work.caller.account, self.work.caller.region, name)[0]:
            raise AwsFault("AlreadyExistsException", f"Stack [{name}] already exists", 400)

    def create(self) -> Mapping[str, Any]:
        params = self.work.params
        name = str(params["StackName"])
        self.free(name)
        stack = self.new(name)
        stack.protected = bool(params.get("EnableTerminationProtection"))
        capabilities = list(params.get("Capabilities") or ())
        found = self.read(str(params.get("TemplateBody") or ""), name, stack.id, self.given(), capabilities)
        after = str(params.get("OnFailure") or ("DO_NOTHING" if params.get("DisableRollback") else "ROLLBACK"))
        self.make(stack, found, capabilities, str(params.get("RoleARN") or ""), list(params.get("Tags") or ()), after)
        return {"StackId": stack.id}

    def make(self, stack: Stack, found: Template, capabilities: list[str], role: str, tags: list[Any], on_failure: str = "ROLLBACK") -> None:
        """Make all of a template, or nothing."""
        store, carrier = self.work.store, Carrier(self.work, stack, role)
        back = store.checkpoint()
        self._describes(stack, found, capabilities, role, tags)
        carrier.tell(stack.name, _STACK, "CREATE_IN_PROGRESS", "User Initiated")
        try:
            carrier.put(found)
            self._beside(carrier, stack, found)
            stack.outputs = found.outputs(self._names(carrier, found))
            stack.status = "CREATE_COMPLETE"
        except (AwsFault, Failed) as failure:
            stack.reason = _reason("create", failure)
            if on_failure == "DO_NOTHING":
                stack.status = "CREATE_FAILED"
            else:
                carrier.tell(stack.name, _STACK, "ROLLBACK_IN_PROGRESS", stack.reason)
                back()
                self._drop_twin(stack)
                stack.resources = {}
                stack.status = "ROLLBACK_COMPLETE" if on_failure == "ROLLBACK" else _GONE
        carrier.tell(stack.name, _STACK, stack.status)
        store.put(stack)

    def _describes(self, stack: Stack, found: Template, capabilities: list[str], role: str, tags: list[Any]) -> None:
        stack.template, stack.capabilities, stack.role, stack.tags = found.text, capabilities, role, tags
        stack.given = dict(found.given)
        stack.parameters = _shown(found)
        stack.description = str(found.body.get("Description") or "")

    def _names(self, carrier: Carrier, found: Template) -> dict[str, tuple[str, Mapping[str, str]]]:
        """What Ref and GetAtt give for all that a stack holds."""
        names: dict[str, tuple[str, Mapping[str, str]]] = dict(carrier.made)
        for row in self.twin(carrier.stack):
            asked = self.behind.stack_attributes(carrier.stack.account, carrier.stack.region, carrier.stack.name, row["LogicalResourceId"])
            names[row["LogicalResourceId"]] = (row.get("PhysicalResourceId", ""), asked)
        return names

    def _beside(self, carrier: Carrier, stack: Stack, found: Template) -> None:
        """What isn't IAM's, made, changed or removed by moto as a stack of the same name. Raises AwsFault."""
        rest = {}
        for resource in found.in_order(lambda r: not r.is_iam):
            body = {k: v for k, v in found.body["Resources"][resource.logical].items() if k not in ("Condition", "DependsOn")}
            others = sorted(a for a in resource.after if not found.resources[a].is_iam)
            filled = {"Properties": found.filled(dict(resource.properties), carrier.made)}
            rest[resource.logical] = {**body, **filled, **({"DependsOn": others} if others else {})}
        for held in carrier.stack.resources.values():
            if held["type"] == "AWS::IAM::Role":
                self.behind.know_role(held["attributes"]["Arn"], self.work.now)
        if not rest:
            self._drop_twin(stack)
            return
        text = json.dumps({"Resources": rest})
        operation = "UpdateStack" if stack.twin else "CreateStack"
        if text != stack.twin:
            self.moto(operation, {"StackName": stack.name, "TemplateBody": text})
            stack.twin = text
        failed = self.behind.stack_status(stack.account, stack.region, stack.name)
        if not failed.endswith("_COMPLETE") or "ROLLBACK" in failed:
            raise AwsFault("ValidationError", f"what isn't IAM's came to {failed}", 400)

    def _drop_twin(self, stack: Stack) -> None:
        if stack.twin:
            self.moto("DeleteStack", {"StackName": stack.name})
            stack.twin = ""

    def update(self) -> Mapping[str, Any]:
        params = self.work.params
        stack = self._ours(str(params["StackName"]))
        if stack.status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"):
            raise validation(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")
        text = stack.template if params.get("UsePreviousTemplate") else str(params.get("TemplateBody") or "")
        capabilities = list(params.get("Capabilities") or ())
        found = self.read(text, stack.name, stack.id, self.given(stack.given), capabilities)
        tags = list(params["Tags"]) if "Tags" in params else stack.tags
        role = str(params.get("RoleARN") or stack.role)
        if (found.text, found.given, tags) == (stack.template, stack.given, stack.tags):
            raise validation("No updates are to be performed.")
        self.change(stack, found, capabilities, role, tags)
        return {"StackId": stack.id}

    def _ours(self, name: str) -> Stack:
        """The stack here; one that moto alone has becomes one here, with what it holds as its part behind the front."""
        stack = _named(self.work, name)
        if stack is not None:
            return stack
        arn, text = self.behind.stack(self.work.caller.account, self.work.caller.region, name)
        if not arn:
            raise validation(f"Stack [{name}] does not exist")
        found = self.new(arn.split("/")[1])
        return replace(found, id=arn, status="CREATE_COMPLETE", template=text, twin=text)

    def change(self, stack: Stack, found: Template, capabilities: list[str], role: str, tags: list[Any]) -> None:
        """Make of a stack what a template wants, or leave it as it was."""
        store, before = self.work.store, copy.deepcopy(stack)
        carrier = Carrier(self.work, stack, role)
        back = store.checkpoint()
        carrier.tell(stack.name, _STACK, "UPDATE_IN_PROGRESS", "User Initiated")
        try:
            carrier.put(found)
            self._beside(carrier, stack, found)
            carrier.clear(frozenset(found.resources))
            stack.outputs = found.outputs(self._names(carrier, found))
            self._describes(stack, found, capabilities, role, tags)
            stack.status, stack.reason = "UPDATE_COMPLETE", ""
        except (AwsFault, Failed) as failure:
            reason = _reason("update", failure)
            carrier.tell(stack.name, _STACK, "UPDATE_ROLLBACK_IN_PROGRESS", reason)
            back()
            self._twin_as_before(stack, before)
            kept = stack.events
            for name, value in vars(before).items():
                setattr(stack, name, value)
            stack.events, stack.status, stack.reason = kept, "UPDATE_ROLLBACK_COMPLETE", reason
        stack.updated = iso(self.work.now)
        carrier.tell(stack.name, _STACK, stack.status)
        store.put(stack)

    def _twin_as_before(self, stack: Stack, before: Stack) -> None:
        if stack.twin == before.twin:
            return
        if not before.twin:
            self._drop_twin(stack)
        else:
            self.moto("UpdateStack" if stack.twin else "CreateStack", {"StackName": stack.name, "TemplateBody": before.twin})

    def delete(self) -> Mapping[str, Any]:
        stack = self.the()
        if stack.status == _GONE:
            return {}
        if stack.protected:
            raise validation(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
        carrier = Carrier(self.work, stack, str(self.work.params.get("RoleARN") or stack.role))
        carrier.tell(stack.name, _STACK, "DELETE_IN_PROGRESS", "User Initiated")
        try:
            self._drop_twin(stack)
            carrier.clear(frozenset(), retain=frozenset(self.work.params.get("RetainResources") or ()))
            stack.status, stack.reason, stack.deleted, stack.outputs = _GONE, "", iso(self.work.now), []
        except (AwsFault, Failed) as failure:
            stack.status, stack.reason = "DELETE_FAILED", _reason("delete", failure)
        carrier.tell(stack.name, _STACK, stack.status)
        self.work.store.put(stack)
        return {}

    def protect(self) -> Mapping[str, Any]:
        stack = self.the()
        stack.protected = bool(self.work.params["EnableTerminationProtection"])
        self.work.store.put(stack)
        return {"StackId": stack.id}

    # Change sets ----------------------------------------------------------------------------------------------------

    def create_change_set(self) -> Mapping[str, Any]:
        params = self.work.params
        name, kind = str(params["StackName"]), str(params.get("ChangeSetType") or "UPDATE")
        if kind not in ("CREATE", "UPDATE"):
            raise validation(f"The embedded AWS makes no change sets of the type {kind} for AWS::IAM resources.")
        if kind == "CREATE":
            held = _named(self.work, name)
            if held is None or held.status != "REVIEW_IN_PROGRESS":
                self.free(name)
            stack = held or replace(self.new(name), status="REVIEW_IN_PROGRESS")
        else:
            stack = self._ours(name)
        label = str(params["ChangeSetName"])
        if label in stack.change_sets:
            raise AwsFault("AlreadyExistsException", f"ChangeSet {label} cannot be created due to a mismatch with existing attribute Name", 400)
        capabilities = list(params.get("Capabilities") or ())
        text = stack.template if params.get("UsePreviousTemplate") else str(params.get("TemplateBody") or "")
        found = self.read(text, stack.name, stack.id, self.given(stack.given), capabilities)
        changes = self._changes(stack, found)
        tags = list(params["Tags"]) if "Tags" in params else stack.tags
        arn = f"arn:aws:cloudformation:{stack.region}:{stack.account}:changeSet/{label}/{uuid.uuid4()}"
        stack.change_sets[label] = {
            "id": arn, "name": label, "kind": kind, "template": text, "given": dict(found.given), "capabilities": capabilities, "tags": tags,
            "role": str(params.get("RoleARN") or stack.role), "created": iso(self.work.now), "description": params.get("Description"),
            "parameters": _shown(found), "changes": changes, "is_empty": not changes and tags == stack.tags and kind == "UPDATE",
        }  # fmt: skip
        self.work.store.put(stack)
        return {"Id": arn, "StackId": stack.id}

    def _changes(self, stack: Stack, found: Template) -> list[dict[str, Any]]:
        made = {k: (r["ref"], r["attributes"]) for k, r in stack.resources.items()}
        before = templates.read(stack.template)["Resources"] if stack.template else {}
        rows = []
        for logical, resource in found.resources.items():
            held = stack.resources.get(logical)
            if held is None and (resource.is_iam or logical not in before):
                rows.append(("Add", logical, resource.kind, ""))
            elif resource.is_iam and held is not None:
                if found.filled(dict(resource.properties), made) != held["properties"]:
                    rows.append(("Modify", logical, resource.kind, held["ref"]))
            elif found.body["Resources"][logical] != reading.plain(before[logical]):
                rows.append(("Modify", logical, resource.kind, ""))
        gone = [(k, str(b.get("Type", ""))) for k, b in before.items() if k not in found.resources]
        held_still = [(k, kind) for k, kind in gone if k in stack.resources or not kind.startswith("AWS::IAM")]
        rows += [("Remove", k, kind, stack.resources.get(k, {}).get("ref", "")) for k, kind in held_still]
        return [{"Type": "Resource", "ResourceChange": {"Action": action, "LogicalResourceId": logical, "ResourceType": kind,
                 "PhysicalResourceId": physical or None, "Replacement": "Conditional" if action == "Modify" else None}}
                for action, logical, kind, physical in rows]  # fmt: skip

    def _change_set(self, stack: Stack) -> dict[str, Any]:
        name = str(self.work.params["ChangeSetName"])
        found = next((c for c in stack.change_sets.values() if name in (c["id"], c["name"])), None)
        if found is None:
            raise AwsFault("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)
        return found

    def describe_change_set(self) -> Mapping[str, Any]:
        stack = self.the()
        found = self._change_set(stack)
        parameters = [{"ParameterKey": k, "ParameterValue": v} for k, v in found["parameters"].items()]
        return {**self._row(stack, found), "Parameters": parameters, "Capabilities": found["capabilities"], "Tags": found["tags"],
                "Changes": found["changes"], "NotificationARNs": []}  # fmt: skip

    def _row(self, stack: Stack, found: Mapping[str, Any]) -> dict[str, Any]:
        empty = found["is_empty"]
        return {
            "StackId": stack.id, "StackName": stack.name, "ChangeSetId": found["id"], "ChangeSetName": found["name"],
            "Status": "FAILED" if empty else "CREATE_COMPLETE", "StatusReason": _UNCHANGED if empty else None,
            "ExecutionStatus": "UNAVAILABLE" if empty else "AVAILABLE", "CreationTime": found["created"], "Description": found["description"],
        }  # fmt: skip

    def list_change_sets(self) -> Mapping[str, Any]:
        stack = self.the()
        return {"Summaries": [self._row(stack, c) for c in stack.change_sets.values()]}

    def execute_change_set(self) -> Mapping[str, Any]:
        stack = self.the()
        found = self._change_set(stack)
        if found["is_empty"]:
            status = "ChangeSet cannot be executed in its current execution status of [UNAVAILABLE]"
            raise AwsFault("InvalidChangeSetStatus", f"{status}: {found['id']}", 400)
        template = self.read(found["template"], stack.name, stack.id, found["given"], found["capabilities"])
        stack.change_sets = {}
        if found["kind"] == "CREATE":
            self.make(stack, template, found["capabilities"], found["role"], found["tags"])
        else:
            self.change(stack, template, found["capabilities"], found["role"], found["tags"])
        return {}

    def delete_change_set(self) -> Mapping[str, Any]:
        stack = self.the()
        name = str(self.work.params["ChangeSetName"])
        stack.change_sets = {k: c for k, c in stack.change_sets.items() if name not in (c["id"], c["name"])}
        self.work.store.put(stack)
        return {}


def _shown(found: Template) -> dict[str, str]:
    """The parameters as they may be shown: without those that the template keeps to itself (NoEcho)."""
    shown = {}
    for name, body in (found.body.get("Parameters") or {}).items():
        value = found.parameters[name]
        text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
        shown[name] = "****" if str(body.get("NoEcho", "")).lower() == "true" else text
    return shown


def _reason(verb: str, failure: AwsFault | Failed) -> str:
    if isinstance(failure, Failed):
        return f"The following resource(s) failed to {verb}: [{failure.logical}]. {failure.reason}"
    return failure.message


_OPERATIONS: Mapping[str, Callable[[Stacks], Mapping[str, Any]]] = {
    "CreateStack": Stacks.create, "UpdateStack": Stacks.update, "DeleteStack": Stacks.delete, "DescribeStacks": Stacks.describe,
    "ListStacks": Stacks.listed, "DescribeStackEvents": Stacks.events, "DescribeStackResources": Stacks.resources,
    "DescribeStackResource": Stacks.resource, "ListStackResources": Stacks.summaries, "GetTemplate": Stacks.template,
    "GetTemplateSummary": Stacks.summary,
    "UpdateTerminationProtection": Stacks.protect, "CreateChangeSet": Stacks.create_change_set, "DescribeChangeSet": Stacks.describe_change_set,
    "ListChangeSets": Stacks.list_change_sets, "ExecuteChangeSet": Stacks.execute_change_set, "DeleteChangeSet": Stacks.delete_change_set,
}  # fmt: skip
