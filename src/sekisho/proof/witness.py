"""Requests to show: one of a region, with values that a person would write where the region leaves the choice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sekisho.decision import CredentialKind, Request
from sekisho.policy.condition import Value
from sekisho.proof.reach import Kind, Row
from sekisho.proof.region import Region
from sekisho.proof.requests import sent_with, union_of

ORDINARY: Mapping[str, Sequence[str]] = {
    "aws:sourceip": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.2.44", "2001:db8::1"),
    "aws:multifactorauthage": ("60", "600", "7200", "86400"),
    "aws:requestedregion": ("us-east-1", "ap-northeast-1", "eu-west-1"),
    "sts:durationseconds": ("3600", "7200", "900"),
    "sts:rolesessionname": ("anyone",),
    "aws:sourcevpce": ("vpce-0123456789abcdef0",),
    "aws:sourcevpc": ("vpc-0123456789abcdef0",),
}
"""Values that are tried first (addresses are those that documents are written with)."""


def natural(region: Region, context: Mapping[str, Value], liked: Mapping[str, Sequence[str]] = ORDINARY, *, keys: Any = None) -> dict[str, Value]:
    """A context like ``context``, in the region as it is, with liked values of keys that are there. ``keys``: only these are changed."""
    found = dict(context)
    for key, values in liked.items():
        if key in found and (keys is None or key in keys):
            for value in values:
                tried = {**found, key: value}
                if found[key] == value or region.contains(tried):
                    found = tried
                    break
    return found


def shown(region: Region, liked: Mapping[str, Sequence[str]] = ORDINARY) -> dict[str, Value] | None:
    """One context of a region, with liked values, without what follows from the principal anyway; None where it is empty."""
    context = region.witness()
    if context is None:
        return None
    space = region.space
    return {k: v for k, v in natural(region, context, liked).items() if k not in space.fixed and space.usual.get(k) != v}


def sendable(region: Region, kinds: Iterable[Kind]) -> Region:
    """What calls signed in one of these ways can bring of a region: asked anew, where it looks at more keys than when it was last asked."""
    return union_of((region & sent_with(region.space, k.kind, mfa=k.mfa, on_call=k.on_call) for k in kinds), region.space)


def session_of(role: str, name: str = "anyone") -> str:
    """The ARN of a role's session."""
    _, partition, _, _, account, path = role.split(":", 5)
    return f"arn:{partition}:sts::{account}:assumed-role/{path.rpartition('/')[2]}/{name}"


def row_request(row: Row, within: Region | None = None) -> Request | None:
    """The last call of a way to a role, with a context inside ``within``; None where it can't be made there."""
    for kind, had in row.by_kind.items():
        context = shown(sendable(had & within, (kind,)) if within is not None else had)
        if context is not None:
            return request_of(row, context, kind.kind)
    return None


def request_of(row: Row, context: Mapping[str, Value], credentials: CredentialKind | None) -> Request:
    """The last call of a way to a role with this context."""
    arn = row.reach.arn_of(row.caller)
    if ":role/" in arn:
        name = str(context.get("aws:rolesessionname", "anyone"))
        return Request(session_of(arn, name), "sts:AssumeRole", row.role, context, credentials=credentials, role=arn)
    action = "sts:AssumeRole"
    if credentials is CredentialKind.IDENTITY_PROVIDER and ":assumed-role/" not in arn:
        action, credentials = "sts:AssumeRoleWithSAML" if ":saml-provider/" in arn else "sts:AssumeRoleWithWebIdentity", None
    return Request(arn, action, row.role, context, credentials=credentials)
