"""Which operations behind the front have exact resources, which are about all (``*``), and of which some resource can't be told.

Each operation is asked as a call of it would be, with a made-up value for every parameter that its model has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal

from botocore.model import OperationModel, Shape

from sekisho.decision import CredentialKind
from sekisho.policy.actions import action_reference, actions_of_event
from sekisho.sandbox import needs
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.identity import Caller
from sekisho.sandbox.operation import Work
from sekisho.sandbox.origin import THIS_MACHINE
from sekisho.sandbox.protocol import Call, is_main, model_named, models
from sekisho.sandbox.services import RULES
from sekisho.sandbox.store import Store

Known = Literal["exact", "*", "unknown", "no action"]
ACCOUNT = "111122223333"


@dataclass(frozen=True)
class Covered:
    """How well an operation is known. ``by_rule``: a rule of the service's own told, not the reference data."""

    service: str
    operation: str
    known: Known
    by_rule: bool
    actions: tuple[str, ...]


_IN_FRONT = ("iam", "sts", "cloudtrail", "signin", "organizations")
_CALLED = {"awslambda": "lambda"}
"""Modules of moto that aren't called as their model."""


@cache
def _served() -> dict[str, list[str]]:
    """The models that moto serves, by the name that they are signed for with."""
    import botocore.session
    from moto.backends import list_of_moto_modules

    by_plain = {name.replace("-", ""): name for name in botocore.session.get_session().get_available_services()}
    found: dict[str, list[str]] = {}
    for module in list_of_moto_modules():
        name = by_plain.get(_CALLED.get(module, module).replace("_", "").replace("-", ""))
        model = model_named(name) if name is not None else None
        if model is not None and model.signing_name not in _IN_FRONT:
            found.setdefault(model.signing_name, []).append(model.service_name)
    return found


def services() -> list[str]:
    """The signing names of the services that moto has and botocore knows, but those that are answered in front."""
    return sorted(_served())


def coverage(service: str) -> Iterator[Covered]:
    """The operations of a service, by its signing name."""
    store, behind = Store(None, [ACCOUNT]), Behind()
    caller = Caller(CredentialKind.ROOT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "", THIS_MACHINE, "", "us-east-1")
    try:
        for model in (m for m in models(service) if m.service_name in _served().get(service, ())):
            for name in model.operation_names:
                operation = model.operation_model(name)
                protocol = str(model.protocol)
                params = _flat(operation) if protocol == "ec2" else _made_up(operation.input_shape, name, service, 0, name) or {}
                yield _covered(Work(store, caller, Call(service, name, params, protocol, operation), datetime.now(UTC)), behind)
    finally:
        behind.forget()


def _covered(work: Work, behind: Behind) -> Covered:
    service, operation = work.call.service, work.call.operation
    by_rule = False
    try:
        rule = RULES.get(service) if is_main(work.call) else None
        found = rule(work, behind) if rule is not None else None
        by_rule = found is not None
        wanted = needs.by_reference(work) if found is None else found
    except AwsFault as fault:
        # A rule that says what is wrong with a made-up value knows the operation all the same.
        return Covered(service, operation, "no action" if fault.unknown else "exact", by_rule or not fault.unknown, ())
    actions = tuple(dict.fromkeys(need.action for need in wanted))
    if any(need.unknown for need in wanted):
        return Covered(service, operation, "unknown", by_rule, actions)
    return Covered(service, operation, "*" if all(need.resource == "*" for need in wanted) else "exact", by_rule, actions)


def _made_up(shape: Shape | None, name: str, service: str, depth: int, operation: str) -> Any:
    """A value of a shape: names are ``x``, a map or list has one entry."""
    if shape is None or depth > 6:
        return {}
    if shape.type_name == "structure":
        return {n: _made_up(m, n, service, depth + 1, operation) for n, m in shape.members.items()}
    if shape.type_name == "list":
        return [_made_up(shape.member, name.removesuffix("s"), service, depth + 1, operation)]
    if shape.type_name == "map":
        return {"x": _made_up(shape.value, name, service, depth + 1, operation)}
    if shape.type_name in ("integer", "long", "float", "double"):
        return 1
    if shape.type_name == "boolean":
        return False
    if name.lower() in ("rolearn", "role", "executionrolearn", "servicerole"):
        return f"arn:aws:iam::{ACCOUNT}:role/x"
    return _made_up_arn(name, service, operation) if name.lower().endswith("arn") else "x"


def _made_up_arn(name: str, service: str, operation: str) -> str:
    """``StreamARN`` → an ARN of a stream; ``ResourceArn`` → one of what the operation is about first."""
    noun = name[:-3].lower()
    fixed = {"Partition": "aws", "Region": "us-east-1", "Account": ACCOUNT}
    actions = actions_of_event(f"{service}.amazonaws.com", operation) or (f"{service}:",)
    known, kinds = action_reference(actions[0].partition(":")[0])
    kind = next((k for k in kinds if k.lower().replace("-", "") == noun), None)
    if kind is None:
        listed = known.get(actions[0].partition(":")[2].lower(), {}).get("resourceTypes") or ()
        kind = next((e["name"] for e in listed if e["name"] in kinds), None)
    pattern = kinds[kind]["arn"] if kind else "arn:aws:" + service + ":us-east-1:${Account}:x"
    return re.sub(r"\$\{(\w+)\}", lambda m: fixed.get(m[1], "x"), pattern)


def _flat(operation: OperationModel) -> dict[str, str]:
    """The same as EC2's flat parameters; an id has the form of its kind's."""
    from sekisho.sandbox.services.ec2 import made_up_id

    found: dict[str, str] = {}
    for name, member in operation.input_shape.members.items() if operation.input_shape is not None else ():
        sent = member.serialization.get("queryName") or member.serialization.get("name", name)
        sent = sent[:1].upper() + sent[1:]
        if member.type_name == "list":
            found[f"{sent}.1"] = made_up_id(sent)
        elif member.type_name == "string":
            found[sent] = made_up_id(sent)
    return found
