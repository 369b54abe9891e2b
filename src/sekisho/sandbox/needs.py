"""What leave an operation asks for that moto carries out: by a service's exact rule (``services/``), else from AWS's own reference data.

Action names and the ARNs of an action's resources come from ``policy/actions.py``. An ARN's parts are taken from the parameters of the call
by name. Where that doesn't tell which resource a call touches, the need says so: nothing is decided on a guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sekisho.policy.actions import action_reference, actions_of, actions_of_event, key_type
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import cannot_tell
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.protocol import Call, is_main
from sekisho.sandbox.resource_names import filled, is_constant
from sekisho.sandbox.services import RULES
from sekisho.sandbox.services.asking import pass_role, tag_context
from sekisho.sandbox.services.on_behalf import on_behalf

_PASSED_TO = {
    "ecs": {"": "ecs-tasks.amazonaws.com", "role": "ecs.amazonaws.com"},
    "rds": {"": "rds.amazonaws.com", "monitoringrolearn": "monitoring.rds.amazonaws.com"},
    "elasticmapreduce": {"": "elasticmapreduce.amazonaws.com"}, "batch": {"": "ecs-tasks.amazonaws.com", "servicerole": "batch.amazonaws.com"},
    **{s: {"": f"{s}.amazonaws.com"} for s in (
        "states", "firehose", "events", "glue", "codebuild", "scheduler", "eks", "sagemaker", "codepipeline", "codedeploy", "config", "backup", "dms",
        "redshift", "kinesisanalytics", "transfer", "appsync", "apigateway", "pipes", "logs", "cloudtrail", "datasync", "cognito-idp", "athena")},
}  # fmt: skip
"""What a role is handed to, by the service of the call and the parameter that holds it; a service that isn't here isn't known."""
_READS = ("Get", "List", "Describe", "Search", "Lookup", "BatchGet", "Query", "Scan")


def needs_of(work: Work, behind: Behind) -> list[Need]:
    """The leave that a call behind the front asks for, the first for where it is carried out. Raises AwsFault where no action is known."""
    rule = RULES.get(work.call.service) if is_main(work.call) else None
    found = rule(work, behind) if rule is not None else None
    return [*(by_reference(work) if found is None else found), *on_behalf(work, behind)]


def by_reference(work: Work) -> list[Need]:
    """The same from AWS's reference data alone."""
    call = work.call
    actions = _actions(call)
    if not actions:
        raise cannot_tell(f"The embedded AWS doesn't know which IAM action {call.service}:{call.operation} is, so nobody may call it.")
    found = [need for action in actions if action != "iam:PassRole" for need in _on_resources(work, action)]
    return found if call.operation.startswith(_READS) else found + _roles(work)


def _roles(work: Work) -> list[Need]:
    """Leave for each role that stands in a parameter of the call: the service will act as it."""
    passed = _PASSED_TO.get(work.call.service, {})
    is_role = re.compile(r"arn:aws:iam::\d{12}:role/")
    held = {value: name for name, value in _texts(work.call.params) if name.endswith(("role", "rolearn")) and is_role.match(value)}
    return [need for value, name in held.items() for need in pass_role(work, value, passed.get(name, passed.get("", "")))]


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(name in lower case, text) of every text in parameters, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(inner, str(key).lower())
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner, name)
    elif isinstance(value, str):
        yield name, value


def _actions(call: Call) -> Sequence[str]:
    """The IAM actions of a call; another model than its service's main one may have names of its own in the table."""
    own = [] if is_main(call) or call.model is None else actions_of(call.model.service_model.service_name.replace("-", ""), call.operation)
    return own or actions_of_event(f"{call.service}.amazonaws.com", call.operation)


def _on_resources(work: Work, action: str) -> list[Need]:
    prefix, _, name = action.partition(":")
    actions, kinds = action_reference(prefix)
    known = actions.get(name.lower())
    if known is None:
        raise cannot_tell(f"The embedded AWS has no reference of the action {action}, so nobody may use it.")
    listed = [entry for entry in known.get("resourceTypes") or () if entry["name"] in kinds]
    context, tells = _keys(work, prefix, [*(known.get("conditionKeys") or ()), *(k for e in listed for k in e.get("conditionKeys") or ())])
    context |= tag_context(work.params)
    if not known.get("resourceTypes"):
        return [Need(action, "*", context, tells=tells)]
    found: list[str] = []
    missing = ""
    for entry in listed:
        pattern = kinds[entry["name"]]["arn"]
        if is_constant(pattern) and not entry.get("required"):
            continue
        arns = list(filled(work, prefix, entry["name"], pattern, kinds))
        found += arns
        if not arns and entry.get("required"):
            missing = missing or entry["name"]
    needs = [Need(action, resource, context, tells=tells) for resource in dict.fromkeys(found)]
    if missing or not found:
        what = missing or "resource"
        needs.append(Need(action, "*", context, unknown=f"which {what} {work.call.service}:{work.call.operation} touches", tells=tells))
    return needs


def _keys(work: Work, prefix: str, keys: Sequence[str]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Condition keys that a parameter of the same name holds (``cloudwatch:namespace``, ``Namespace``), and those that it would hold if given."""
    shape = work.call.model.input_shape if work.call.model is not None else None
    members = {name.lower(): name for name in shape.members} if shape is not None else {}
    context: dict[str, Any] = {}
    tells: list[str] = []
    for key in dict.fromkeys(keys):
        service, _, name = key.partition(":")
        member = members.get(name.lower())
        if service != prefix or member is None or key_type(key) not in ("String", "Numeric", "Bool"):
            continue
        value = work.params.get(member)
        if value is None:
            tells.append(key.lower())
        elif isinstance(value, str | int | float):
            context[key] = str(value).lower() if isinstance(value, bool) else str(value)
    return context, tuple(tells)
