"""What leave an operation asks for that moto carries out: by a service's exact rule (``services/``), else from AWS's own reference data.

Action names and the ARNs of an action's resources come from ``policy/actions.py``. An ARN's parts are taken from the parameters of the call
by name. Where that doesn't tell which resource a call touches, the need says so: nothing is decided on a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sekisho.policy.actions import action_reference, actions_of_event
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import cannot_tell
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services import RULES
from sekisho.sandbox.services.asking import pass_role, tag_context
from sekisho.sandbox.services.on_behalf import on_behalf

_PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_ROLES = {"roleArn", "RoleArn", "RoleARN", "executionRoleArn", "taskRoleArn", "ServiceRoleArn", "serviceRole", "Role"}
_PASSED_TO = {"states": "states.amazonaws.com", "firehose": "firehose.amazonaws.com", "events": "events.amazonaws.com",
              "ecs": "ecs-tasks.amazonaws.com",
              "glue": "glue.amazonaws.com", "codebuild": "codebuild.amazonaws.com", "scheduler": "scheduler.amazonaws.com"}  # fmt: skip


def needs_of(work: Work, behind: Behind) -> list[Need]:
    """The leave that a call behind the front asks for, the first for where it is carried out. Raises AwsFault where no action is known."""
    rule = RULES.get(work.call.service)
    found = rule(work, behind) if rule is not None else None
    return [*(by_reference(work) if found is None else found), *on_behalf(work, behind)]


def by_reference(work: Work) -> list[Need]:
    """The same from AWS's reference data alone."""
    call = work.call
    actions = actions_of_event(f"{call.service}.amazonaws.com", call.operation)
    if not actions:
        raise cannot_tell(f"The embedded AWS doesn't know which IAM action {call.service}:{call.operation} is, so nobody may call it.")
    found = [need for action in actions for need in _on_resources(work, action)]
    for name in _ROLES & call.params.keys():
        if isinstance(call.params[name], str) and call.service in _PASSED_TO:
            found += pass_role(work, call.params[name], _PASSED_TO[call.service])
    return found


def _on_resources(work: Work, action: str) -> list[Need]:
    prefix, _, name = action.partition(":")
    actions, kinds = action_reference(prefix)
    known = actions.get(name.lower())
    if known is None:
        raise cannot_tell(f"The embedded AWS has no reference of the action {action}, so nobody may use it.")
    tags = tag_context(work.params)
    listed = [entry for entry in known.get("resourceTypes") or () if entry["name"] in kinds]
    if not known.get("resourceTypes"):
        return [Need(action, "*", tags)]
    found: list[str] = []
    missing = ""
    for entry in listed:
        arns = list(_filled(work, kinds[entry["name"]]["arn"]))
        found += arns
        if not arns and entry.get("required"):
            missing = missing or entry["name"]
    needs = [Need(action, resource, tags) for resource in dict.fromkeys(found)]
    if missing or not found:
        what = missing or "resource"
        needs.append(Need(action, "*", tags, unknown=f"which {what} {work.call.service}:{work.call.operation} touches"))
    return needs


def _filled(work: Work, pattern: str) -> Iterator[str]:
    """The ARNs that a pattern stands for: those that a parameter holds whole, else each placeholder filled from the parameters by name."""
    whole = list(_whole(work, pattern))
    if whole:
        yield from whole
        return
    fixed = {"Partition": "aws", "Region": work.caller.region, "Account": work.caller.account}
    rows = [dict(fixed)]
    names = [name for name in _PLACEHOLDER.findall(pattern) if name not in fixed]
    for name in names:
        values = _values(work.call.params, name)
        rows = [{**row, name: value} for row in rows for value in values]
    for row in rows if names else ():
        yield _PLACEHOLDER.sub(lambda m, row=row: row[m[1]], pattern)  # type: ignore[misc]


def _whole(work: Work, pattern: str) -> Iterator[str]:
    """ARNs of this kind that stand in parameters of the call itself, in the call's Region."""
    row = {"Partition": "aws", "Region": work.caller.region, "Account": r"\d{12}"}
    parts = _PLACEHOLDER.split(pattern)
    shape = "".join(re.escape(p) if i % 2 == 0 else row.get(p, "[^:/]+") for i, p in enumerate(parts))
    for value in work.call.params.values():
        for one in value if isinstance(value, list) else (value,):
            if isinstance(one, str) and one.startswith("arn:") and re.fullmatch(shape, one):
                yield one


def _values(params: Mapping[str, Any], placeholder: str) -> list[str]:
    """The values of the parameter that a placeholder names, plain names only: ``StreamName`` is Kinesis' ``StreamName``, never an ARN."""
    wanted = placeholder.lower()
    found = [value for key, value in params.items() if key.lower() in (wanted, wanted + "s")]
    texts = [str(v) for value in found for v in (value if isinstance(value, list) else [value])]
    return [] if any(t.startswith("arn:") or "*" in t or "?" in t for t in texts) else texts
