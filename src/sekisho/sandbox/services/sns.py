"""SNS: topics by ARN, and subscriptions, whose ARN begins with their topic's."""

from __future__ import annotations

from typing import Any

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, named, tag_context, tags_of

_OF_ACCOUNT = ("ListTopics", "ListSubscriptions", "GetSMSAttributes", "SetSMSAttributes", "CheckIfPhoneNumberIsOptedOut", "ListPhoneNumbersOptedOut")


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of SNS asks for; None for platform applications and the like."""
    params, operation = work.params, work.call.operation
    action = {"PublishBatch": "sns:Publish"}.get(operation, f"sns:{operation}")
    if operation in _OF_ACCOUNT:
        return [Need(action)]
    if operation == "CreateTopic":
        resource = arn(work, "sns", str(params.get("Name", "")))
        found = [Need(action, resource, tag_context(params))]
        return found + ([Need("sns:TagResource", resource, tag_context(params))] if tags_of(params) else [])
    if operation == "Publish" and "PhoneNumber" in params:
        return [Need(action)]
    name = next((str(params[k]) for k in ("TopicArn", "TargetArn", "ResourceArn", "SubscriptionArn") if k in params), "")
    if not name or name.count(":") not in (5, 6) or "/" in name:
        return None
    topic = ":".join(named(work, "sns", name, "").split(":")[:6])
    context: dict[str, Any] = tag_context(params)
    if operation == "Subscribe":
        context |= {key: str(params[k]) for k, key in (("Protocol", "sns:Protocol"), ("Endpoint", "sns:Endpoint")) if k in params}
    return [Need(action, topic, context, tells=("sns:protocol", "sns:endpoint"))]
