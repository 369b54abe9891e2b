"""What hangs on users, groups and roles: inline policies, attached managed policies, permissions boundaries; one definition for the three."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from sekisho.estate import AttachedPolicy, Role
from sekisho.policy.quotas import limit, policy_size
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.documents import attachable, identity_policy
from sekisho.sandbox.iam.entities import KINDS, ROLE, USER, Kind, document_text, on, put, the
from sekisho.sandbox.iam.names import check_quota, operation, page
from sekisho.sandbox.operation import Operation, Work


def _changeable(work: Work, kind: Kind) -> Any:
    entity = the(work, kind)
    if isinstance(entity, Role) and entity.is_service_linked:
        text = f"Cannot perform the operation on the protected role '{entity.name}' - this role is only modifiable by AWS"
        raise AwsFault("UnmodifiableEntity", text)
    return entity


# --- inline --------------------------------------------------------------------------------------------------------------


def put_inline(kind: Kind, work: Work) -> Mapping[str, Any]:
    entity, name = _changeable(work, kind), work.params["PolicyName"]
    policy = identity_policy(work.params["PolicyDocument"], name, f"{entity.arn}#inline/{name}")
    others = [p for p in entity.inline if p.name != name]
    size = policy_size(work.params["PolicyDocument"]) + sum(policy_size(p.document) for p in others)
    if size > _inline_limit(kind):
        text = f"Maximum policy size of {_inline_limit(kind)} bytes exceeded for {kind.part} {entity.name}"
        raise AwsFault("LimitExceeded", text, 409)
    inline = tuple(policy if p.name == name else p for p in entity.inline)
    put(work, kind, replace(entity, inline=inline if len(others) < len(inline) else (*inline, policy)), entity)
    return {}


def _inline_limit(kind: Kind) -> int:
    return limit(f"{kind.part}_inline_size")


def _inline(kind: Kind, work: Work) -> Any:
    entity, name = the(work, kind), work.params["PolicyName"]
    found = next((p for p in entity.inline if p.name == name), None)
    if found is None:
        raise no_such_entity(f"The {kind.part} policy with name {name} cannot be found.")
    return found


def get_inline(kind: Kind, work: Work) -> Mapping[str, Any]:
    policy = _inline(kind, work)
    return {kind.parameter: the(work, kind).name, "PolicyName": policy.name, "PolicyDocument": document_text(policy.document)}


def list_inline(kind: Kind, work: Work) -> Mapping[str, Any]:
    return page(work.params, [p.name for p in the(work, kind).inline], str, "PolicyNames")


def delete_inline(kind: Kind, work: Work) -> Mapping[str, Any]:
    entity, policy = _changeable(work, kind), _inline(kind, work)
    put(work, kind, replace(entity, inline=tuple(p for p in entity.inline if p is not policy)), entity)
    return {}


# --- attached ------------------------------------------------------------------------------------------------------------


def attach(kind: Kind, work: Work) -> Mapping[str, Any]:
    entity, attached = _changeable(work, kind), attachable(work.account, work.params["PolicyArn"])
    if ":aws:policy/aws-service-role/" in attached.arn:
        raise AwsFault("PolicyNotAttachable", "Cannot attach a Service Role Policy to a Customer Role.")
    if all(a.arn != attached.arn for a in entity.attached):
        check_quota(f"{kind.part}_attached", len(entity.attached) + 1)
        put(work, kind, replace(entity, attached=(*entity.attached, attached)), entity)
    return {}


def detach(kind: Kind, work: Work) -> Mapping[str, Any]:
    entity, arn = _changeable(work, kind), work.params["PolicyArn"]
    if all(a.arn != arn for a in entity.attached):
        raise no_such_entity(f"Policy {arn} was not found.")
    put(work, kind, replace(entity, attached=tuple(a for a in entity.attached if a.arn != arn)), entity)
    return {}


def list_attached(kind: Kind, work: Work) -> Mapping[str, Any]:
    prefix = work.params.get("PathPrefix", "/")
    found = [a for a in the(work, kind).attached if a.arn.partition(":policy")[2].startswith(prefix)]
    shown = page(work.params, found, lambda a: f"{a.name}:{a.arn.split(':')[4]}", "AttachedPolicies")
    return {**shown, "AttachedPolicies": attached_output(shown["AttachedPolicies"])}


def attached_output(attached: list[AttachedPolicy]) -> list[dict[str, str]]:
    return [{"PolicyName": a.name or a.arn.rpartition("/")[2], "PolicyArn": a.arn} for a in attached]


# --- boundaries ----------------------------------------------------------------------------------------------------------


def new_boundary(work: Work) -> AttachedPolicy | None:
    """The boundary that a Create call passes, or None."""
    arn = work.params.get("PermissionsBoundary")
    return None if arn is None else _boundary(work, arn)


def _boundary(work: Work, arn: str) -> AttachedPolicy:
    if not arn.startswith("arn:") or ":policy/" not in arn:
        raise AwsFault("ValidationError", f"ARN {arn} is not valid.")
    try:
        return attachable(work.account, arn)
    except AwsFault:
        raise no_such_entity(f"Scope ARN: {arn} does not exist or is not attachable.") from None


def put_boundary(kind: Kind, work: Work) -> Mapping[str, Any]:
    entity = _changeable(work, kind)
    put(work, kind, replace(entity, boundary=_boundary(work, work.params["PermissionsBoundary"])), entity)
    return {}


def delete_boundary(kind: Kind, work: Work) -> Mapping[str, Any]:
    entity = _changeable(work, kind)
    if entity.boundary is None:
        raise no_such_entity(f"{kind.word} {entity.name} doesn't have a permission boundary set.")
    put(work, kind, replace(entity, boundary=None), entity)
    return {}


OPERATIONS: dict[str, Operation] = {}
for _kind in KINDS:
    OPERATIONS |= {
        f"Put{_kind.word}Policy": operation(partial(put_inline, _kind), on(_kind)),
        f"Get{_kind.word}Policy": operation(partial(get_inline, _kind), on(_kind)),
        f"List{_kind.word}Policies": operation(partial(list_inline, _kind), on(_kind)),
        f"Delete{_kind.word}Policy": operation(partial(delete_inline, _kind), on(_kind)),
        f"Attach{_kind.word}Policy": operation(partial(attach, _kind), on(_kind)),
        f"Detach{_kind.word}Policy": operation(partial(detach, _kind), on(_kind)),
        f"ListAttached{_kind.word}Policies": operation(partial(list_attached, _kind), on(_kind)),
    }
for _kind in (USER, ROLE):
    OPERATIONS |= {
        f"Put{_kind.word}PermissionsBoundary": operation(partial(put_boundary, _kind), on(_kind)),
        f"Delete{_kind.word}PermissionsBoundary": operation(partial(delete_boundary, _kind), on(_kind)),
    }
