"""Actions and resources that policies allow: concrete ones to ask about, made from the patterns of their Allow statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sekisho.policy import Policy, Settings
from sekisho.policy.matching import ReadyStatement, ready_policy

USUAL_ACTIONS = (
    "ec2:DescribeInstances", "s3:ListAllMyBuckets", "s3:GetObject", "iam:ListUsers", "kms:ListKeys", "logs:DescribeLogGroups",
    "cloudformation:DescribeStacks", "lambda:ListFunctions", "sqs:ListQueues", "dynamodb:ListTables",
)  # fmt: skip
"""Tried first: what people do with a session."""


def probes(policies: Iterable[Policy], settings: Settings, *, most: int = 12) -> Iterator[tuple[str, str]]:
    """(action, resource) of each Allow statement, one a statement, the usual ones first; a statement about all is asked about one thing."""
    seen: set[tuple[str, str]] = set()
    for policy in policies:
        for ready in ready_policy(policy, settings).statements:
            if ready.denies:
                continue
            probe = action_of(ready), resource_of(ready)
            if probe[0] and probe not in seen:
                seen.add(probe)
                yield probe
                if len(seen) >= most:
                    return


def action_of(ready: ReadyStatement) -> str:
    """An action that a statement is about: a usual one, else one of the first pattern's; "" where none was found."""
    for action in USUAL_ACTIONS:
        if ready.about_action(action.lower()):
            return action
    for pattern in ready.statement.actions or ("sts:AssumeRole", "support:DescribeCases", "health:DescribeEvents"):
        service, _, name = pattern.partition(":")
        for filled in (name.replace("*", "").replace("?", "a"), name.replace("*", "a").replace("?", "a")):
            if filled and ready.about_action(f"{service}:{filled}".lower()):
                return f"{service}:{filled}"
    return ""


def resource_of(ready: ReadyStatement) -> str:
    """A resource that a statement is about, without wildcards and variables where it names some."""
    if ready.statement.resources is None:
        return "*"
    text = ready.statement.resources[0]
    if text == "*":
        return "*"
    filled = text
    while "${" in filled and "}" in filled:
        head, _, tail = filled.partition("${")
        filled = head + "x" + tail.partition("}")[2]
    return filled.replace("*", "x").replace("?", "x")
