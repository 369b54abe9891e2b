"""CloudFormation: stacks by name or ARN; what a template holds is made on the caller's behalf (E-12), or as the role that is handed over (E-13)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sekisho.policy.actions import action_reference
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import cannot_tell
from sekisho.sandbox.operation import Need, Work
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
    exists, template = behind.stack(work.caller.account, work.caller.region, name)
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
    if operation in _VERBS:
        body = params.get("TemplateBody")
        if operation == "ExecuteChangeSet":
            body = behind.change_set_template(work.caller.account, work.caller.region, str(params.get("ChangeSetName", "")), name)
        elif operation == "DeleteStack":
            body = template
        found += _inside(work, operation, [t for t in (body, template if operation in ("UpdateStack", "ExecuteChangeSet") else None) if t])
    return found


def _inside(work: Work, operation: str, templates: Iterable[Any]) -> Iterator[Need]:
    """Leave for what the templates' resources are made, changed or deleted with, by the caller or by the role handed over."""
    if work.params.get("TemplateURL"):
        raise cannot_tell("The embedded AWS reads no template from a URL: pass TemplateBody.")
    role = str(work.params.get("RoleARN") or "")
    chain = {"aws:ViaAWSService": "true", "aws:CalledVia": [_SERVICE], "aws:CalledViaFirst": _SERVICE, "aws:CalledViaLast": _SERVICE}
    # E-12: the first call's address goes along; nothing of a VPC endpoint does.
    context = {} if role else {**chain, "aws:SourceVpc": None, "aws:SourceVpce": None, "aws:VpcSourceIp": None}
    for kind in sorted({kind for text in templates for kind in _types(str(text))}):
        if kind.startswith("AWS::IAM::"):
            raise cannot_tell(
                f"The embedded AWS doesn't make {kind} through CloudFormation: its IAM is made with IAM's own operations, or by sekisho apply."
            )
        for verb in _VERBS[operation]:
            action = _action(kind, verb)
            if action is None:
                raise cannot_tell(f"The embedded AWS doesn't know which IAM action makes {kind}, so it can't decide {work.call.operation}.")
            yield Need(action, "*", context, unknown=f"which {kind} the stack will hold", role=role)


def _types(template: str) -> Iterator[str]:
    """The types of a template's resources. Raises AwsFault where it can't be read, or holds what makes it say something else than it shows."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        read = YAML().load(template)
    except (ValueError, YAMLError, RecursionError):
        raise cannot_tell("The template can't be read as JSON or YAML, so what it would make can't be decided.") from None
    resources = read.get("Resources") if isinstance(read, dict) else None
    if not isinstance(resources, dict) or "Transform" in read:
        raise cannot_tell("The template has no Resources that can be read (or a Transform), so what it would make can't be decided.")
    for body in resources.values():
        kind = body.get("Type") if isinstance(body, dict) else None
        if not isinstance(kind, str) or not re.fullmatch(r"\w+::\w+::\w+", kind):
            raise cannot_tell(f"The embedded AWS doesn't make resources of the type {str(kind)[:80]} through CloudFormation.")
        yield kind


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
