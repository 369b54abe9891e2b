"""Users, groups and roles of the account that one is in, to read: what IAM gives the acting session, call by call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from starlette.responses import Response

from sekisho.web.visit import Outcome, Visit, as_json


@dataclass(frozen=True)
class Part:
    """One part of a page about an entity: its title in the catalogue and what its call gave."""

    title: str
    outcome: Outcome
    items: list[str]
    text: str = ""


async def users(visit: Visit) -> Response:
    return _listed(visit, "users", "ListUsers", "Users", "UserName")


async def groups(visit: Visit) -> Response:
    return _listed(visit, "groups", "ListGroups", "Groups", "GroupName")


async def roles(visit: Visit) -> Response:
    return _listed(visit, "roles", "ListRoles", "Roles", "RoleName")


def _listed(visit: Visit, kind: str, operation: str, member: str, name: str) -> Response:
    """One page of IAM's list, with the marker of the next."""
    marker = visit.request.query_params.get("marker", "")
    outcome = visit.ask("iam", operation, **({"Marker": marker} if marker else {}))
    rows = [{"name": e[name], "arn": e["Arn"], "id": e.get(f"{name.removesuffix('Name')}Id", "")} for e in outcome.result.get(member, ())]
    following = str(outcome.result.get("Marker", "")) if outcome.result.get("IsTruncated") else ""
    return visit.page("listed.html", _status(outcome), kind=kind, outcome=outcome, rows=rows, following=following)


def _status(outcome: Outcome) -> int:
    return 403 if outcome.refusal else 200


def _names(outcome: Outcome, member: str, name: str) -> list[str]:
    return [str(e if not name else e[name]) for e in outcome.result.get(member, ())]


def _part(visit: Visit, title: str, operation: str, member: str, name: str, **params: Any) -> Part:
    outcome = visit.ask("iam", operation, **params)
    return Part(title, outcome, _names(outcome, member, name))


async def user(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    got = visit.ask("iam", "GetUser", UserName=name)
    parts = [
        _part(visit, "part.groups", "ListGroupsForUser", "Groups", "GroupName", UserName=name),
        _part(visit, "part.attached", "ListAttachedUserPolicies", "AttachedPolicies", "PolicyArn", UserName=name),
        _part(visit, "part.inline", "ListUserPolicies", "PolicyNames", "", UserName=name),
        _part(visit, "part.devices", "ListMFADevices", "MFADevices", "SerialNumber", UserName=name),
        _part(visit, "part.keys", "ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", UserName=name),
    ]
    return _entity(visit, "users", name, got, got.result.get("User", {}), parts)


async def group(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    got = visit.ask("iam", "GetGroup", GroupName=name)
    parts = [
        Part("part.users", got, _names(got, "Users", "UserName")),
        _part(visit, "part.attached", "ListAttachedGroupPolicies", "AttachedPolicies", "PolicyArn", GroupName=name),
        _part(visit, "part.inline", "ListGroupPolicies", "PolicyNames", "", GroupName=name),
    ]
    return _entity(visit, "groups", name, got, got.result.get("Group", {}), parts)


async def role(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    got = visit.ask("iam", "GetRole", RoleName=name)
    found = got.result.get("Role", {})
    trust = found.get("AssumeRolePolicyDocument", "")
    parts = [
        Part("part.trust", got, [], _document(trust)),
        _part(visit, "part.attached", "ListAttachedRolePolicies", "AttachedPolicies", "PolicyArn", RoleName=name),
        _part(visit, "part.inline", "ListRolePolicies", "PolicyNames", "", RoleName=name),
    ]
    return _entity(visit, "roles", name, got, found, parts)


def _entity(visit: Visit, kind: str, name: str, got: Outcome, found: dict[str, Any], parts: list[Part]) -> Response:
    facts = [(k, str(found[k])) for k in ("Arn", "Path", "CreateDate", "PasswordLastUsed", "MaxSessionDuration", "Description") if found.get(k)]
    facts += [(f"Tag {t['Key']}", t["Value"]) for t in found.get("Tags") or ()]
    return visit.page("entity.html", _status(got), kind=kind, name=name, got=got, facts=facts, parts=parts)


def _document(text: Any) -> str:
    """A policy document as IAM gives it, percent-encoded or not, set out in lines."""
    import json

    if not isinstance(text, str):
        return as_json(text)
    try:
        return as_json(json.loads(unquote(text) if text.startswith("%") else text))
    except ValueError:
        return text
