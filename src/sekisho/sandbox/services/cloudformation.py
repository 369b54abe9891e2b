"""CloudFormation: stacks by name or ARN; what a template holds is made on the caller's behalf (E-12), or as the role that is handed over (E-13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.policy.actions import action_reference
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import cannot_tell
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services import templates
from sekisho.sandbox.services.asking import arn, named, pass_role, tag_context

_SERVICE = "cloudformation.amazonaws.com"
_OF_ACCOUNT = ("ListStacks", "ValidateTemplate", "ListExports", "ListImports", "EstimateTemplateCost", "DescribeAccountLimits", "GetTemplateSummary",
               "ListStackSets")  # fmt: skip
_CHANGES = ("Create", "Update", "Delete")
_VERBS = {"CreateStack": ("Create",), "UpdateStack": _CHANGES, "DeleteStack": ("Delete",), "ExecuteChangeSet": _CHANGES}
_MADE_BY = {
    "AWS::EC2::Instance": {"Create": "ec2:RunInstances", "Delete": "ec2:TerminateInstances", "Update": "ec2:ModifyInstanceAttribute"},
    "AWS::S3::BucketPolicy": {"Create": "s3:PutBucketPolicy", "Delete": "s3:DeleteBucketPolicy", "Update": "s3:PutBucketPolicy"},
    "AWS::SQS::QueuePolicy": dict.fromkeys(("Create", "Update", "Delete"), "sqs:SetQueueAttributes"),
    "AWS::SNS::TopicPolicy": dict.fromkeys(("Create", "Update", "Delete"), "sns:SetTopicAttributes"),
    "AWS::SSM::Parameter": {"Create": "ssm:PutParameter", "Update": "ssm:PutParameter", "Delete": "ssm:DeleteParameter"},
    "AWS::S3::Bucket": {"Create": "s3:CreateBucket", "Update": "s3:PutBucketVersioning", "Delete": "s3:DeleteBucket"},
    "AWS::SQS::Queue": {"Create": "sqs:CreateQueue", "Update": "sqs:SetQueueAttributes", "Delete": "sqs:DeleteQueue"},
    "AWS::SNS::Topic": {"Create": "sns:CreateTopic", "Update": "sns:SetTopicAttributes", "Delete": "sns:DeleteTopic"},
    "AWS::KMS::Key": {"Create": "kms:CreateKey", "Update": "kms:PutKeyPolicy", "Delete": "kms:ScheduleKeyDeletion"},
    "AWS::Lambda::Function": {"Create": "lambda:CreateFunction", "Update": "lambda:UpdateFunctionConfiguration", "Delete": "lambda:DeleteFunction"},
    "AWS::Logs::LogGroup": {"Create": "logs:CreateLogGroup", "Update": "logs:PutRetentionPolicy", "Delete": "logs:DeleteLogGroup"},
}  # fmt: skip
"""What CloudFormation calls for a type whose action isn't the verb with the type's name."""


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of CloudFormation asks for; None for stack sets, types and the like."""
    params, operation = work.params, work.call.operation
    action = f"cloudformation:{operation}"
    if operation in _OF_ACCOUNT:
        return [Need(action)]
    if operation == "DescribeStacks" and "StackName" not in params:
        return [Need(action, arn(work, "cloudformation", "stack/*"))]
    if "StackSet" in operation or "StackInstance" in operation:
        raise cannot_tell("The embedded AWS doesn't do stack sets: what they make in which account can't be decided.")
    if "StackName" not in params:
        return None
    name = str(params["StackName"])
    kept = work.store.stack_named(work.caller.account, work.caller.region, name)
    exists, template = (kept.id, kept.template) if kept is not None else behind.stack(work.caller.account, work.caller.region, name)
    stack = exists or (named(work, "cloudformation", name, "") if name.startswith("arn:") else arn(work, "cloudformation", f"stack/{name}/*"))
    context: dict[str, Any] = tag_context(params)
    for key, value in (
        ("cloudformation:RoleArn", params.get("RoleARN")), ("cloudformation:TemplateUrl", params.get("TemplateURL")),
        ("cloudformation:StackPolicyUrl", params.get("StackPolicyURL")), ("cloudformation:ChangeSetName", params.get("ChangeSetName")),
        ("cloudformation:ResourceTypes", params.get("ResourceTypes")),
    ):  # fmt: skip
        if value:
            context[key] = value if isinstance(value, list) else str(value)
    tells = ("cloudformation:rolearn", "cloudformation:templateurl", "cloudformation:stackpolicyurl", "cloudformation:changesetname",
             "cloudformation:resourcetypes")  # fmt: skip
    found = [Need(action, stack, context, tells=tells), *pass_role(work, params.get("RoleARN"), _SERVICE)]
    if params.get("TemplateURL"):
        raise cannot_tell("The embedded AWS reads no template from a URL: pass TemplateBody.")
    if operation in _VERBS:
        body = params.get("TemplateBody") or (template if operation in ("DeleteStack", "UpdateStack") else None)
        if operation == "ExecuteChangeSet":
            asked = str(params.get("ChangeSetName", ""))
            own = next((c["template"] for c in kept.change_sets.values() if asked in (c["id"], c["name"])), "") if kept is not None else ""
            body = own or behind.change_set_template(work.caller.account, work.caller.region, asked, name)
        before = template if operation in ("UpdateStack", "ExecuteChangeSet") else None
        found += _inside(work, behind, str(body) if body else "", before or "", kept.name if kept is not None else name)
    return found


def _inside(work: Work, behind: Behind, body: str, before: str, stack: str) -> list[Need]:
    """Leave for what the resources are made, changed or deleted with, by the caller (E-12) or by the role that is handed over (E-13)."""
    kept = work.store.stack_named(work.caller.account, work.caller.region, stack)
    role = str(work.params.get("RoleARN") or (kept.role if kept is not None else ""))
    there = behind.stack_resources(work.caller.account, work.caller.region, stack)
    old = {logical: (kind, has) for logical, kind, has in templates.resources(templates.read(before))} if before else {}
    template = templates.read(body) if body else {"Resources": {}}
    known = templates.parameters(work, template)
    found: list[Need] = []
    wanted: set[str] = set()
    for logical, kind, properties in templates.resources(template):
        wanted.add(logical)
        if before and old.get(logical) == (kind, properties) and not _depends(properties):
            continue
        # Whether a change replaces the resource, only CloudFormation knows.
        verbs = _VERBS[work.call.operation] if logical in old or not before else ("Create",)
        for verb in verbs:
            found += _asked(work, behind, kind, verb, templates.resolved(properties, known), there.get(logical, ""))
    for logical, (kind, _) in old.items():
        if logical not in wanted:
            found += _asked(work, behind, kind, "Delete", {}, there.get(logical, ""))
    return list({(n.action, n.resource, n.unknown): replace(n, role=role, via=(_SERVICE, *n.via)) for n in found}.values())


def _depends(properties: Any) -> bool:
    """Whether properties hang on something beside themselves: the same text may then mean another value."""
    if isinstance(properties, dict):
        return any(k == "Ref" or k.startswith("Fn::") or _depends(v) for k, v in properties.items())
    return any(map(_depends, properties)) if isinstance(properties, list) else "{{resolve:" in str(properties)


def _asked(work: Work, behind: Behind, kind: str, verb: str, properties: Mapping[str, Any], physical: str) -> list[Need]:
    """What one resource asks for as it is made, changed or deleted. Raises AwsFault where that can't be told."""
    if kind.startswith("AWS::IAM::"):
        return []  # call by call, as it is made (``stacks/carry.py``)
    action = None if kind == "AWS::CloudFormation::Stack" else _action(kind, verb)
    if action is None:
        raise cannot_tell(f"The embedded AWS doesn't know which IAM action makes {kind}, so it can't decide {work.call.operation}.")
    found = templates.as_a_call(work, behind, action, kind, properties, "" if verb == "Create" else physical or templates.UNKNOWN)
    return found or [Need(action, "*", unknown=f"which {kind} the stack will hold")]


def _action(kind: str, verb: str) -> str | None:
    if kind in _MADE_BY:
        return _MADE_BY[kind][verb]
    _, service, name = kind.split("::")
    known = action_reference(service.lower())[0]
    for prefix in {"Create": ("Create", "Put"), "Update": ("Update", "Modify", "Put", "Create"), "Delete": ("Delete", "Remove")}[verb]:
        found = known.get(f"{prefix}{name}".lower())
        if found is not None:
            return f"{service.lower()}:{found['name']}"
    return None
