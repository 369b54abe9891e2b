"""Users, groups and roles: found by name, replaced in their account, and what asking for one of them says to policies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from sekisho.decision.request import tag_context
from sekisho.estate import Account, AttachedPolicy, Group, Role, User
from sekisho.sandbox.fault import AwsFault, no_such_entity, validation
from sekisho.sandbox.iam.names import NeedOf, arn_of
from sekisho.sandbox.operation import Need, Work

Entity = User | Group | Role


@dataclass(frozen=True)
class Kind:
    """One of the three kinds of entity that policies hang on, by AWS's words for it; ``id_prefix`` is of its unique id."""

    word: str
    id_prefix: str

    @property
    def part(self) -> str:
        """The ARN's word, and the singular of the account's field."""
        return self.word.lower()

    @property
    def parameter(self) -> str:
        return f"{self.word}Name"

    def all(self, account: Account) -> tuple[Any, ...]:
        found: tuple[Any, ...] = getattr(account, f"{self.part}s")
        return found

    def find(self, account: Account, name: str) -> Any:
        """The entity of that name, or AWS's NoSuchEntity."""
        entity = getattr(account, self.part)(name)
        if entity is None:
            raise no_such_entity(f"The {self.part} with name {name} cannot be found.")
        return entity

    def check_new(self, account: Account, name: str) -> None:
        """Names are unique without regard to letter case (A-41)."""
        if any(e.name.lower() == name.lower() for e in self.all(account)):
            raise AwsFault("EntityAlreadyExists", f"{self.word} with name {name} already exists.", 409)


USER, GROUP, ROLE = Kind("User", "AIDA"), Kind("Group", "AGPA"), Kind("Role", "AROA")
KINDS = (USER, GROUP, ROLE)


def name_of(work: Work, kind: Kind) -> str:
    """The name that the call is about; for a user left out, the caller's own."""
    name: str | None = work.params.get(kind.parameter)
    if name is None and kind is USER and work.caller.user:
        return work.caller.user
    if name is None:
        raise validation("Must specify userName when calling with non-User credentials")
    return name


def the(work: Work, kind: Kind) -> Any:
    """The entity that the call is about, or NoSuchEntity."""
    return kind.find(work.account, name_of(work, kind))


def put(work: Work, kind: Kind, entity: Entity, was: Entity | None = None) -> None:
    """Save the caller's account with the entity in place of ``was``, or added."""
    work.store.save(with_entity(work.account, kind, entity, was))


def with_entity(account: Account, kind: Kind, entity: Entity | None, was: Entity | None = None) -> Account:
    """The account with ``entity`` in place of ``was``; added where there was none, taken away where there is none now."""
    found = [entity if e is was else e for e in kind.all(account)] if was is not None else [*kind.all(account), entity]
    changes: dict[str, Any] = {f"{kind.part}s": tuple(e for e in found if e is not None)}
    return replace(account, **changes)


def with_extra(entity: Any, **changes: Any) -> Any:
    """The entity with some of what the model has no field for set, or with None taken away."""
    extra = {**entity.extra, **changes}
    return replace(entity, extra={k: v for k, v in extra.items() if v is not None})


# --- leave ---------------------------------------------------------------------------------------------------------------


_TELL_BOUNDARY = frozenset(
    (
        "AttachRolePolicy", "AttachUserPolicy", "CreateRole", "CreateUser", "DeleteRole",
        "DeleteRolePermissionsBoundary", "DeleteRolePolicy", "DeleteUserPermissionsBoundary", "DeleteUserPolicy",
        "DetachRolePolicy", "DetachUserPolicy", "GetRole", "PutRolePermissionsBoundary", "PutRolePolicy",
        "PutUserPermissionsBoundary", "PutUserPolicy", "UpdateAssumeRolePolicy", "UpdateRole", "UpdateRoleDescription",
    )
)  # fmt: skip
"""Operations whose requests have ``iam:PermissionsBoundary`` (service authorization reference); on others a policy that asks for it fails."""


def resource_tags(tags: Iterable[tuple[str, str]]) -> dict[str, str]:
    """``aws:ResourceTag``; users and roles have IAM's older name for the same beside it."""
    return tag_context("aws:ResourceTag", list(tags))


def request_tags(params: Mapping[str, Any]) -> dict[str, Any]:
    """``aws:RequestTag`` and ``aws:TagKeys`` of a call that passes tags or names tag keys; nothing where it does neither.

    Raises InvalidInput for a key that stands twice: which of the two a policy would see can't be told.
    """
    tags, keys = params.get("Tags"), params.get("TagKeys")
    if not tags and not keys:
        return {}
    pairs = [(t["Key"], t["Value"]) for t in tags or ()]
    if len({k.lower() for k, _ in pairs}) != len(pairs):
        raise AwsFault("InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.")
    return {**tag_context("aws:RequestTag", pairs), "aws:TagKeys": [k for k, _ in pairs] or list(keys or ())}


def on(kind: Kind) -> NeedOf:
    """Leave for the operation on the entity that the call names, with its tags, its boundary and the policy that is attached."""

    def need(work: Work) -> Need:
        name = name_of(work, kind)
        entity = getattr(work.account, kind.part)(name)
        context = request_tags(work.params)
        if "PolicyArn" in work.params:
            context["iam:PolicyARN"] = work.params["PolicyArn"]
        if entity is None:
            path = work.params.get("Path", "/") if work.call.operation.startswith("Create") else "/"
            if "PermissionsBoundary" in work.params:
                context["iam:PermissionsBoundary"] = work.params["PermissionsBoundary"]
            return Need(f"iam:{work.call.operation}", arn_of(work.caller.account, kind.part, name, path), context)
        if kind is not GROUP:
            context |= resource_tags(entity.tags) | tag_context("iam:ResourceTag", entity.tags)
            boundary = work.params.get("PermissionsBoundary") or (entity.boundary.arn if entity.boundary else None)
            if boundary and work.call.operation in _TELL_BOUNDARY:
                context["iam:PermissionsBoundary"] = boundary
        return Need(f"iam:{work.call.operation}", entity.arn, context)

    return need


def on_account(work: Work) -> Need:
    """Leave for an operation that has no resource."""
    return Need(f"iam:{work.call.operation}")


def on_all(part: str) -> NeedOf:
    """Leave for a list; AWS names its resource by the path prefix: ``arn:aws:iam::111122223333:user/``."""
    return lambda work: Need(f"iam:{work.call.operation}", arn_of(work.caller.account, part, "", work.params.get("PathPrefix", "/")))


# --- output --------------------------------------------------------------------------------------------------------------


def output(kind: Kind, entity: Entity, *, full: bool = True) -> dict[str, Any]:
    """The entity as the API's User, Group or Role; lists leave out tags and boundaries (``full=False``)."""
    found: dict[str, Any] = {
        "Path": entity.path, kind.parameter: entity.name, f"{kind.word}Id": entity.id, "Arn": entity.arn,
        "CreateDate": entity.extra.get("CreateDate"),
    }  # fmt: skip
    if isinstance(entity, Role):
        found |= {
            "AssumeRolePolicyDocument": document_text(entity.trust.document), "Description": entity.extra.get("Description"),
            "MaxSessionDuration": entity.max_session_s,
        }  # fmt: skip
        if full:
            found["RoleLastUsed"] = entity.extra.get("RoleLastUsed") or {}
    if full and not isinstance(entity, Group):
        found["Tags"] = tags_output(entity.tags) or None
        found["PermissionsBoundary"] = boundary_output(entity.boundary)
    return found


def boundary_output(boundary: AttachedPolicy | None) -> dict[str, str] | None:
    return None if boundary is None else {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary.arn}


def tags_output(tags: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"Key": k, "Value": v} for k, v in tags]


def document_text(document: Mapping[str, Any]) -> str:
    """A policy document as IAM returns it: JSON text, URL-encoded (RFC 3986)."""
    return quote(json.dumps(document, ensure_ascii=False), safe="~")
