"""Roles and their trust policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.estate import Role
from sekisho.sandbox.credentials import new_id
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.iam.attachments import new_boundary
from sekisho.sandbox.iam.entities import ROLE, on, on_all, output, put, the, with_entity, with_extra
from sekisho.sandbox.iam.names import arn_of, check_quota, iso, operation, page
from sekisho.sandbox.iam.profiles import profiles_of
from sekisho.sandbox.iam.tags import Tags, new_tags, tag_operations
from sekisho.sandbox.iam.trusts import rename_in_trusts, trust_policy
from sekisho.sandbox.operation import Work


def create_role(work: Work) -> Mapping[str, Any]:
    params, account = work.params, work.account
    name, path = params["RoleName"], params.get("Path", "/")
    if path.startswith("/aws-service-role/"):
        raise AwsFault("InvalidInput", "The path /aws-service-role/ is reserved for service-linked roles.")
    ROLE.check_new(account, name)
    check_quota("roles", len(account.roles) + 1)
    extra = {"CreateDate": iso(work.now)} | ({"Description": params["Description"]} if params.get("Description") else {})
    role = Role(
        arn_of(account.id, "role", name, path), name, trust_policy(work.store, params["AssumeRolePolicyDocument"]), path, new_id("AROA", 17),
        boundary=new_boundary(work), max_session_s=params.get("MaxSessionDuration", 3600), tags=new_tags(params), extra=extra,
    )  # fmt: skip
    put(work, ROLE, role)
    return {"Role": output(ROLE, role)}


def get_role(work: Work) -> Mapping[str, Any]:
    return {"Role": output(ROLE, the(work, ROLE))}


def list_roles(work: Work) -> Mapping[str, Any]:
    prefix = work.params.get("PathPrefix", "/")
    found = page(work.params, [r for r in work.account.roles if r.path.startswith(prefix)], lambda r: r.name, "Roles")
    return {**found, "Roles": [output(ROLE, r, full=False) for r in found["Roles"]]}


def _changeable(work: Work) -> Role:
    role: Role = the(work, ROLE)
    if role.is_service_linked:
        text = f"Cannot perform the operation on the protected role '{role.name}' - this role is only modifiable by AWS"
        raise AwsFault("UnmodifiableEntity", text)
    return role


def update_role(work: Work) -> Mapping[str, Any]:
    """A session length that is left out goes back to one hour, as AWS documents; a description that is left out stays."""
    role = _changeable(work)
    new = replace(role, max_session_s=work.params.get("MaxSessionDuration", 3600))
    if "Description" in work.params:
        new = with_extra(new, Description=work.params["Description"] or None)
    put(work, ROLE, new, role)
    return {}


def update_role_description(work: Work) -> Mapping[str, Any]:
    role = _changeable(work)
    new = with_extra(role, Description=work.params["Description"] or None)
    put(work, ROLE, new, role)
    return {"Role": output(ROLE, new)}


def update_assume_role_policy(work: Work) -> Mapping[str, Any]:
    """A new trust; sessions that it let in before go on (D-42)."""
    role = _changeable(work)
    put(work, ROLE, replace(role, trust=trust_policy(work.store, work.params["PolicyDocument"])), role)
    return {}


def delete_role(work: Work) -> Mapping[str, Any]:
    role = _changeable(work)
    holds = (
        (bool(profiles_of(work.account, role.name)), "remove roles from instance profile"),
        (bool(role.attached), "detach all policies"),
        (bool(role.inline), "delete policies"),
    )
    for held, text in holds:
        if held:
            raise AwsFault("DeleteConflict", f"Cannot delete entity, must {text} first.", 409)
    # A role of the same name made later is another one: its sessions are not this one's.
    for session in work.store.sessions.values():
        if session.entity == role.arn and not session.revoked:
            session.revoked = True
            work.store.put(session)
    work.store.save(with_entity(work.account, ROLE, None, role))
    if role.id:
        rename_in_trusts(work.store, role.arn, role.id)
    return {}


def _write_tags(work: Work, tags: Tags) -> None:
    role = _changeable(work)
    put(work, ROLE, replace(role, tags=tags), role)


OPERATIONS = {
    **tag_operations("Role", on(ROLE), lambda work: the(work, ROLE).tags, _write_tags),
    "CreateRole": operation(create_role, on(ROLE)),
    "GetRole": operation(get_role, on(ROLE)),
    "ListRoles": operation(list_roles, on_all("role")),
    "UpdateRole": operation(update_role, on(ROLE)),
    "UpdateRoleDescription": operation(update_role_description, on(ROLE)),
    "UpdateAssumeRolePolicy": operation(update_assume_role_policy, on(ROLE)),
    "DeleteRole": operation(delete_role, on(ROLE)),
}
