"""Which operations behind the front have exact resources, which are about all (``*``), and of which some resource can't be told.

Each operation is asked as a call of it would be, with a made-up value for every parameter that its model has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.model import OperationModel, Shape

from sekisho.decision import CredentialKind
from sekisho.policy.actions import action_reference
from sekisho.sandbox import needs
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.identity import Caller
from sekisho.sandbox.operation import Work
from sekisho.sandbox.origin import THIS_MACHINE
from sekisho.sandbox.protocol import Call, service_model
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


def services() -> list[str]:
    """The signing names of the services that moto has and botocore knows, but those that are answered in front."""
    from moto.backends import list_of_moto_modules

    found = set()
    for name in list_of_moto_modules():
        model = service_model({"awslambda": "lambda", "cognitoidp": "cognito-idp", "elbv2": "elbv2"}.get(name, name.replace("_", "-")))
        if model is not None and model.signing_name not in ("iam", "sts", "cloudtrail", "signin"):
            found.add(model.signing_name)
    return sorted(found)


def coverage(service: str) -> Iterator[Covered]:
    """The operations of a service, by its signing name."""
    model = service_model(service)
    if model is None:
        return
    store, behind = Store(None, [ACCOUNT]), Behind()
    caller = Caller(CredentialKind.ROOT, f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, "", THIS_MACHINE, "", "us-east-1")
    try:
        for name in model.operation_names:
            operation = model.operation_model(name)
            params = _flat(operation) if str(model.protocol) == "ec2" else _made_up(operation.input_shape, name, service, 0) or {}
            work = Work(store, caller, Call(service, name, params, str(model.protocol), operation), datetime.now(UTC))
            yield _covered(work, behind)
    finally:
        behind.forget()


def _covered(work: Work, behind: Behind) -> Covered:
    service, operation = work.call.service, work.call.operation
    by_rule = False
    try:
        rule = RULES.get(service)
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


def _made_up(shape: Shape | None, name: str, service: str, depth: int) -> Any:
    """A value of a shape: names are ``x``, a map or list has one entry."""
    if shape is None or depth > 6:
        return {}
    if shape.type_name == "structure":
        return {n: _made_up(m, n, service, depth + 1) for n, m in shape.members.items()}
    if shape.type_name == "list":
        return [_made_up(shape.member, name.removesuffix("s"), service, depth + 1)]
    if shape.type_name == "map":
        return {"x": _made_up(shape.value, name, service, depth + 1)}
    if shape.type_name in ("integer", "long", "float", "double"):
        return 1
    if shape.type_name == "boolean":
        return False
    if name.lower() in ("rolearn", "role", "executionrolearn", "servicerole"):
        return f"arn:aws:iam::{ACCOUNT}:role/x"
    return _made_up_arn(name, service) if name.lower().endswith("arn") else "x"


def _made_up_arn(name: str, service: str) -> str:
    """``StreamARN`` → an ARN of a stream."""
    noun = name[:-3].lower()
    fixed = {"Partition": "aws", "Region": "us-east-1", "Account": ACCOUNT}
    kinds = action_reference(service)[1]
    kind = next((k for k in kinds if k.lower().replace("-", "") == noun), None)
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
