"""Instance profiles: a role by the name that EC2 takes. Kept in the account's ``InstanceProfiles``, as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.estate import Account, Role
from sekisho.sandbox.credentials import new_id
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.entities import ROLE, on, on_all, output, request_tags, resource_tags, tags_output, the
from sekisho.sandbox.iam.names import arn_of, iso, operation, page
from sekisho.sandbox.iam.tags import Tags, new_tags, tag_operations
from sekisho.sandbox.operation import Need, Work

_KEY = "InstanceProfiles"


def _all(account: Account) -> list[dict[str, Any]]:
    return [dict(p) for p in account.extra.get(_KEY, ())]


def _save(work: Work, profiles: list[dict[str, Any]]) -> None:
    work.store.save(replace(work.account, extra={**work.account.extra, _KEY: profiles}))


def _output(account: Account, profile: Mapping[str, Any]) -> dict[str, Any]:
    roles = [output(ROLE, role, full=False) for name in profile["Roles"] if (role := account.role(name)) is not None]
    return {**profile, "Roles": roles}


def profiles_of(account: Account, role: str) -> list[dict[str, Any]]:
    """The instance profiles that hold the role, as the API shows them."""
    return [_output(account, p) for p in _all(account) if role in p["Roles"]]


def count_profiles(account: Account) -> int:
    return len(_all(account))


def _the(work: Work) -> dict[str, Any]:
    name = work.params["InstanceProfileName"]
    found = next((p for p in _all(work.account) if p["InstanceProfileName"] == name), None)
    if found is None:
        raise no_such_entity(f"Instance Profile {name} cannot be found.")
    return found


def _on_profile(work: Work) -> Need:
    name = work.params["InstanceProfileName"]
    found = next((p for p in _all(work.account) if p["InstanceProfileName"] == name), None)
    arn = found["Arn"] if found else arn_of(work.caller.account, "instance-profile", name, work.params.get("Path", "/"))
    return Need(f"iam:{work.call.operation}", arn, request_tags(work.params) | resource_tags(_tags(found) if found else ()))


def _pass_role(work: Work) -> Need:
    """Who puts a role where EC2 takes it must be allowed to pass it."""
    role: Role | None = work.account.role(work.params["RoleName"])
    arn = role.arn if role else arn_of(work.caller.account, "role", work.params["RoleName"])
    return Need("iam:PassRole", arn, {"iam:PassedToService": "ec2.amazonaws.com"})


def _tags(profile: Mapping[str, Any]) -> Tags:
    return tuple((t["Key"], t["Value"]) for t in profile.get("Tags", ()))


def _change(work: Work, **changes: Any) -> None:
    """Save the profile that the call names with some of its members changed."""
    arn = _the(work)["Arn"]
    _save(work, [{**p, **changes} if p["Arn"] == arn else p for p in _all(work.account)])


def create(work: Work) -> Mapping[str, Any]:
    params, account = work.params, work.account
    name, path = params["InstanceProfileName"], params.get("Path", "/")
    if any(p["InstanceProfileName"].lower() == name.lower() for p in _all(account)):
        raise AwsFault("EntityAlreadyExists", f"Instance Profile {name} already exists.", 409)
    profile = {
        "Path": path, "InstanceProfileName": name, "InstanceProfileId": new_id("AIPA", 17),
        "Arn": arn_of(account.id, "instance-profile", name, path), "CreateDate": iso(work.now), "Roles": [],
        "Tags": tags_output(new_tags(params)),
    }  # fmt: skip
    _save(work, [*_all(account), profile])
    return {"InstanceProfile": _output(account, profile)}


def get(work: Work) -> Mapping[str, Any]:
    return {"InstanceProfile": _output(work.account, _the(work))}


def list_all(work: Work) -> Mapping[str, Any]:
    prefix = work.params.get("PathPrefix", "/")
    found = [_output(work.account, p) for p in _all(work.account) if p["Path"].startswith(prefix)]
    return page(work.params, found, lambda p: str(p["InstanceProfileName"]), _KEY)


def list_for_role(work: Work) -> Mapping[str, Any]:
    return page(work.params, profiles_of(work.account, the(work, ROLE).name), lambda p: str(p["InstanceProfileName"]), _KEY)


def add_role(work: Work) -> Mapping[str, Any]:
    profile, role = _the(work), the(work, ROLE)
    if profile["Roles"]:
        raise AwsFault("LimitExceeded", "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1", 409)
    _change(work, Roles=[role.name])
    return {}


def remove_role(work: Work) -> Mapping[str, Any]:
    profile, name = _the(work), work.params["RoleName"]
    if name not in profile["Roles"]:
        raise no_such_entity(f"The role with name {name} cannot be found.")
    _change(work, Roles=[])
    return {}


def delete(work: Work) -> Mapping[str, Any]:
    profile = _the(work)
    if profile["Roles"]:
        raise AwsFault("DeleteConflict", "Cannot delete entity, must remove roles from instance profile first.", 409)
    _save(work, [p for p in _all(work.account) if p["Arn"] != profile["Arn"]])
    return {}


OPERATIONS = {
    **tag_operations(
        "InstanceProfile", _on_profile, lambda work: _tags(_the(work)), lambda work, tags: _change(work, Tags=tags_output(tags))
    ),
    "CreateInstanceProfile": operation(create, _on_profile),
    "GetInstanceProfile": operation(get, _on_profile),
    "ListInstanceProfiles": operation(list_all, on_all("instance-profile")),
    "ListInstanceProfilesForRole": operation(list_for_role, on(ROLE)),
    "AddRoleToInstanceProfile": operation(add_role, _on_profile, _pass_role),
    "RemoveRoleFromInstanceProfile": operation(remove_role, _on_profile),
    "DeleteInstanceProfile": operation(delete, _on_profile),
}
