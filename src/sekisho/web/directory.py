"""Users, groups, roles and their policies in the account that one is in, to read: what IAM gives the acting session, call by call."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlencode

from starlette.responses import Response

from sekisho.web.visit import Outcome, Visit, as_json

_FACTS = ("Arn", "Path", "CreateDate", "PasswordLastUsed", "MaxSessionDuration", "Description", "AttachmentCount", "DefaultVersionId")
"""What IAM says of an entity or a policy, in the order of the page; the catalogue has ``fact.`` with each in small letters."""


@dataclass(frozen=True)
class Item:
    """A name in a part; ``link`` is its own page, or empty."""

    text: str
    link: str = ""


@dataclass(frozen=True)
class Part:
    """One part of a page about an entity: its title in the catalogue and what its call gave."""

    title: str
    outcome: Outcome
    items: tuple[Item, ...] = ()
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


def _items(outcome: Outcome, member: str, name: str, linked: str = "") -> tuple[Item, ...]:
    """The names in a list of IAM's; ``linked`` is the address that each is appended to."""
    names = [str(e[name] if name else e) for e in outcome.result.get(member, ())]
    return tuple(Item(n, f"{linked}{quote(n, safe='')}" if linked else "") for n in names)


def _part(visit: Visit, title: str, operation: str, member: str, name: str, linked: str = "", **params: Any) -> Part:
    outcome = visit.ask("iam", operation, **params)
    return Part(title, outcome, _items(outcome, member, name, linked))


_POLICY = "/console/policy?arn="


async def user(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    got = visit.ask("iam", "GetUser", UserName=name)
    parts = [
        _part(visit, "part.groups", "ListGroupsForUser", "Groups", "GroupName", "/console/groups/", UserName=name),
        _part(visit, "part.attached", "ListAttachedUserPolicies", "AttachedPolicies", "PolicyArn", _POLICY, UserName=name),
        _part(visit, "part.inline", "ListUserPolicies", "PolicyNames", "", _inline("user", name), UserName=name),
        _part(visit, "part.devices", "ListMFADevices", "MFADevices", "SerialNumber", UserName=name),
        _part(visit, "part.keys", "ListAccessKeys", "AccessKeyMetadata", "AccessKeyId", UserName=name),
    ]
    return _entity(visit, "users", name, got, got.result.get("User", {}), parts)


async def group(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    got = visit.ask("iam", "GetGroup", GroupName=name)
    parts = [
        Part("part.users", got, _items(got, "Users", "UserName", "/console/users/")),
        _part(visit, "part.attached", "ListAttachedGroupPolicies", "AttachedPolicies", "PolicyArn", _POLICY, GroupName=name),
        _part(visit, "part.inline", "ListGroupPolicies", "PolicyNames", "", _inline("group", name), GroupName=name),
    ]
    return _entity(visit, "groups", name, got, got.result.get("Group", {}), parts)


async def role(visit: Visit) -> Response:
    name = visit.request.path_params["name"]
    got = visit.ask("iam", "GetRole", RoleName=name)
    found = got.result.get("Role", {})
    parts = [
        Part("part.trust", got, text=_document(found.get("AssumeRolePolicyDocument", ""))),
        _part(visit, "part.attached", "ListAttachedRolePolicies", "AttachedPolicies", "PolicyArn", _POLICY, RoleName=name),
        _part(visit, "part.inline", "ListRolePolicies", "PolicyNames", "", _inline("role", name), RoleName=name),
    ]
    return _entity(visit, "roles", name, got, found, parts)


# --- policies --------------------------------------------------------------------------------------------------------------


def _inline(kind: str, name: str) -> str:
    return f"/console/policy?{urlencode({kind: name})}&name="


async def policy(visit: Visit) -> Response:
    """A managed policy (``arn``), or the inline policy ``name`` of a ``user``, ``group`` or ``role``: its document."""
    asked = visit.request.query_params
    name = asked.get("name", "")
    for kind in ("user", "group", "role"):
        if holder := asked.get(kind):
            got = visit.ask("iam", f"Get{kind.title()}Policy", **{f"{kind.title()}Name": holder, "PolicyName": name})
            document = _document(got.result.get("PolicyDocument", ""))
            return _entity(visit, f"{kind}s", name, got, {}, [Part("part.document", got, text=document)], holder=holder)
    arn = asked.get("arn", "")
    got = visit.ask("iam", "GetPolicy", PolicyArn=arn)
    found = got.result.get("Policy", {})
    parts = []
    if found:
        version = visit.ask("iam", "GetPolicyVersion", PolicyArn=arn, VersionId=found["DefaultVersionId"])
        parts = [Part("part.document", version, text=_document(version.result.get("PolicyVersion", {}).get("Document", "")))]
    return _entity(visit, "policies", found.get("PolicyName", arn), got, found, parts)


def _entity(visit: Visit, kind: str, name: str, got: Outcome, found: dict[str, Any], parts: list[Part], holder: str = "") -> Response:
    facts = [(visit.say(f"fact.{k.lower()}"), _text(found[k])) for k in _FACTS if found.get(k) is not None]
    facts += [(visit.say("fact.tag", key=t["Key"]), t["Value"]) for t in found.get("Tags") or ()]
    return visit.page("entity.html", _status(got), kind=kind, name=name, got=got, facts=facts, parts=parts, holder=holder)


def _text(value: Any) -> str:
    return str(value.strftime("%Y-%m-%d %H:%M:%S UTC")) if hasattr(value, "strftime") else str(value)


def _document(text: Any) -> str:
    """A policy document as IAM gives it, percent-encoded or not, set out in lines."""
    if not isinstance(text, str):
        return as_json(text)
    try:
        return as_json(json.loads(unquote(text) if text.startswith("%") else text))
    except ValueError:
        return text
