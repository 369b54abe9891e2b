"""CloudWatch Logs: log groups and streams. What AWS asks about a group is ``log-group:NAME:log-stream:``, as its refusals show."""

from __future__ import annotations

from sekisho.policy.actions import actions_of_event, takes_resource
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, named, tag_context


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of CloudWatch Logs asks for; None where no log group or stream is named."""
    params, operation = work.params, work.call.operation
    actions = actions_of_event("logs.amazonaws.com", operation) or ()
    if len(actions) != 1 or not takes_resource(actions[0]):
        return None
    if operation in ("TagResource", "UntagResource", "ListTagsForResource") and "resourceArn" in params:
        return [Need(actions[0], named(work, "logs", str(params["resourceArn"]), ""), tag_context(params))]
    if operation == "DescribeLogGroups":
        return [Need(actions[0], arn(work, "logs", "log-group::log-stream:"))]
    group = params.get("logGroupName") or params.get("logGroupIdentifier")
    if not group or not isinstance(group, str):
        return None
    if group.startswith("arn:"):
        group = named(work, "logs", group, "").split(":", 6)[6].partition(":")[0]
    stream = params.get("logStreamName") or ""
    return [Need(actions[0], arn(work, "logs", f"log-group:{group}:log-stream:{stream}"), tag_context(params))]
