"""What the rules of several services share: ARNs, tags that a request brings, and roles that it hands over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Work


def arn(work: Work, service: str, rest: str, *, account: str | None = None) -> str:
    """The ARN of a resource of the caller's account, or of ``account``, in the call's Region."""
    return f"arn:aws:{service}:{work.caller.region}:{work.caller.account if account is None else account}:{rest}"


def named(work: Work, service: str, value: str, kind: str) -> str:
    """The ARN of what a parameter names: the ARN itself, or ``kind`` (``table/``, ``function:``) with the name. Raises AwsFault."""
    if not value.startswith("arn:"):
        return arn(work, service, kind + value)
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[1:3] != ["aws", service] or parts[3] != work.caller.region:
        raise AwsFault("InvalidParameterValue", f"{value[:200]} is no ARN of {service} in {work.caller.region}", 400)
    return value


def tags_of(params: Mapping[str, Any]) -> dict[str, str]:
    """The tags that a call sets: a list of Key and Value in any spelling, or a map, in a parameter called Tags or TagList."""
    for name in ("Tags", "tags", "TagList", "tagList", "TagSet"):
        given = params.get(name)
        if isinstance(given, Mapping):
            return {str(k): str(v) for k, v in given.items()}
        if isinstance(given, list):
            pairs = [(_one(t, "Key"), _one(t, "Value")) for t in given if isinstance(t, Mapping)]
            return {k: v or "" for k, v in pairs if k is not None}
    return {}


def _one(tag: Mapping[str, Any], name: str) -> str | None:
    return next((str(tag[k]) for k in (name, name.lower(), f"Tag{name}", f"tag{name}") if k in tag), None)


def tag_context(params: Mapping[str, Any]) -> dict[str, Any]:
    """aws:RequestTag/… and aws:TagKeys, of a call that sets tags or takes some away."""
    tags = tags_of(params)
    taken = next((params[k] for k in ("TagKeys", "tagKeys") if isinstance(params.get(k), list)), ())
    keys = [*tags, *(str(k) for k in taken)]
    return {**{f"aws:RequestTag/{k}": v for k, v in tags.items()}, **({"aws:TagKeys": keys} if keys else {})}


def pass_role(work: Work, role: Any, service: str) -> list[Need]:
    """The leave to hand a role to a service, empty where it isn't known; nothing where none is handed over. Raises AwsFault for no role's ARN."""
    if not role:
        return []
    parts = str(role).split(":", 5)
    if len(parts) != 6 or parts[2] != "iam" or not parts[5].startswith("role/"):
        raise AwsFault("ValidationException", f"{str(role)[:200]} is no ARN of a role", 400)
    if parts[4] != work.caller.account:
        raise AwsFault("AccessDenied", "Cross-account pass role is not allowed.", 403, denied=True)
    found = work.account.role(parts[5].rpartition("/")[2])
    passed = {"iam:PassedToService": service} if service else {}
    if found is None or found.arn != role:
        # Nobody can have leave for a role that isn't there by name, but a wildcard covers it; then the service says that it can't use it.
        return [Need("iam:PassRole", str(role), passed, tells=("iam:resourcetag/", "aws:resourcetag/"))]
    tags = {f"{prefix}:ResourceTag/{k}": v for k, v in found.tags for prefix in ("iam", "aws")}
    return [Need("iam:PassRole", found.arn, {**passed, **tags}, tells=("iam:resourcetag/", "aws:resourcetag/"))]


def each(action: str, arns: Iterable[str], context: Mapping[str, Any] | None = None, tells: tuple[str, ...] = ()) -> list[Need]:
    """The same action on each of some resources."""
    return [Need(action, resource, context, tells=tells) for resource in dict.fromkeys(arns)]
