"""Policy documents of IAM: checked when they come in, found by ARN, and known to all who hold the policy when it changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from sekisho.errors import PolicyError
from sekisho.estate import Account, AttachedPolicy, Group, aws_managed_document, aws_managed_policy
from sekisho.policy import Policy, check_policy
from sekisho.sandbox.fault import no_such_entity
from sekisho.sandbox.iam.entities import KINDS
from sekisho.sandbox.iam.names import policy_fault


def identity_policy(text: str, name: str, arn: str | None = None) -> Policy:
    """A document for a managed or inline policy, checked as AWS's write calls check it. Raises AwsFault with AWS's text (rule book A)."""
    try:
        checked = check_policy(text, name=name)
    except PolicyError as error:
        raise policy_fault(error) from None
    return replace(checked, arn=arn, positions=None)


def attachable(account: Account, arn: str) -> AttachedPolicy:
    """A managed policy of the account, or of AWS, to be attached or set as a boundary."""
    found = account.managed(arn)
    if found is not None:
        return AttachedPolicy(arn, found.name, found.policy)
    listed = aws_managed_document(arn)
    if listed is None:
        raise no_such_entity(f"Policy {arn} does not exist or is not attachable.")
    return AttachedPolicy(arn, listed.name, aws_managed_policy(arn))


def with_document(account: Account, arn: str, policy: Policy | None) -> Account:
    """The account with the policy's document in every attachment and boundary that has it."""
    changes: dict[str, Any] = {}
    for kind in KINDS:
        entities = kind.all(account)
        changed = tuple(_entity_with_document(e, arn, policy) for e in entities)
        if any(a is not b for a, b in zip(changed, entities, strict=True)):
            changes[f"{kind.part}s"] = changed
    return replace(account, **changes)


def _entity_with_document(entity: Any, arn: str, policy: Policy | None) -> Any:
    if any(a.arn == arn for a in entity.attached):
        entity = replace(entity, attached=tuple(replace(a, policy=policy) if a.arn == arn else a for a in entity.attached))
    boundary = getattr(entity, "boundary", None)
    if boundary is not None and boundary.arn == arn:
        entity = replace(entity, boundary=replace(boundary, policy=policy))
    return entity


def uses(account: Account) -> tuple[Counter[str], Counter[str]]:
    """How many entities have each policy's ARN attached, and how many have it as their boundary."""
    entities = [e for kind in KINDS for e in kind.all(account)]
    attached = Counter(a.arn for e in entities for a in e.attached)
    return attached, Counter(e.boundary.arn for e in entities if not isinstance(e, Group) and e.boundary is not None)
