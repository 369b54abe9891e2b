"""What leave an operation asks for that moto carries out: its IAM actions, and on which resources, from AWS's own reference data.

Action names and the ARNs of an action's resources come from ``policy/actions.py``. An ARN's parts are taken from the parameters of the call
by name. Where that doesn't tell which resource a call touches, it is refused: nothing is decided on a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from sekisho.policy.actions import action_reference, actions_of
from sekisho.sandbox.fault import access_denied
from sekisho.sandbox.operation import Need, Work

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def needs_of(work: Work) -> list[Need]:
    """The leave that a call behind the front asks for. Raises AwsFault where the action or its resources aren't known."""
    call = work.call
    actions = actions_of(call.service, call.operation)
    if not actions:
        raise access_denied(f"The embedded AWS doesn't know which IAM action {call.service}:{call.operation} is, so nobody may call it.")
    source = call.params.get("CopySource") if call.service == "s3" else None
    if source is None:
        return [Need(action, resource) for action in actions for resource in _resources(work, action)]
    read = [action for action in actions if action.startswith("s3:Get")] or ["s3:GetObject"]
    written = [Need(action, resource) for action in actions if action not in read for resource in _resources(work, action)]
    return [Need(action, _copied(str(source))) for action in read] + written


def _copied(source: str) -> str:
    """The object that a copy in S3 reads, from ``bucket/key`` as the client wrote it. Raises AwsFault."""
    name = unquote(source.partition("?")[0]).lstrip("/")
    if name.startswith("arn:") or "/" not in name:
        raise access_denied("The embedded AWS can't tell which object is copied, so it can't decide s3:GetObject.")
    return f"arn:aws:s3:::{name}"


def _resources(work: Work, action: str) -> list[str]:
    prefix, _, name = action.partition(":")
    actions, kinds = action_reference(prefix)
    known = actions.get(name.lower())
    if known is None:
        raise access_denied(f"The embedded AWS has no reference of the action {action}, so nobody may use it.")
    listed = known.get("resourceTypes") or []
    if not listed:
        return ["*"]
    found = [arn for entry in listed if entry["name"] in kinds for arn in _filled(work, kinds[entry["name"]]["arn"])]
    if not found:
        raise access_denied(
            f"The embedded AWS can't tell which resource {work.call.service}:{work.call.operation} touches, so it can't decide {action}."
        )
    return list(dict.fromkeys(found))


def _filled(work: Work, pattern: str) -> Iterator[str]:
    """The ARNs that a pattern stands for, each placeholder filled from the call's parameters; none where one has no value."""
    fixed = {"Partition": "aws", "Region": work.caller.region, "Account": work.caller.account}
    rows = [dict(fixed)]
    for name in _PLACEHOLDER.findall(pattern):
        if name in fixed:
            continue
        values = _values(work.call.params, name)
        rows = [{**row, name: value} for row in rows for value in values]
    for row in rows:
        yield _PLACEHOLDER.sub(lambda m, row=row: row[m[1]], pattern)  # type: ignore[misc]


def _values(params: Mapping[str, Any], placeholder: str) -> list[str]:
    """The values of the parameter that a placeholder names: ``BucketName`` is S3's ``Bucket``, ``InstanceId`` EC2's ``InstanceId.1``."""
    short = re.sub(r"(Name|Id|Arn)$", "", placeholder)
    for name in (placeholder, short, "Key" if placeholder == "ObjectName" else placeholder):
        wanted = name.lower()
        found = [(key.partition(".")[2], value) for key, value in params.items() if key.partition(".")[0].lower() in (wanted, wanted + "s")]
        if found and all(not tail or tail.isdigit() for tail, _ in found):
            return [str(v) for _, value in found for v in (value if isinstance(value, list) else [value])]
    return []


__all__ = ["actions_of", "needs_of"]
