"""Groups and who is in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.estate import Group, User
from sekisho.sandbox.credentials import new_id
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.iam.entities import GROUP, USER, on, on_all, output, put, the, with_entity
from sekisho.sandbox.iam.names import arn_of, check_quota, iso, operation, page
from sekisho.sandbox.operation import Work


def create_group(work: Work) -> Mapping[str, Any]:
    account, name, path = work.account, work.params["GroupName"], work.params.get("Path", "/")
    GROUP.check_new(account, name)
    check_quota("groups", len(account.groups) + 1)
    group = Group(arn_of(account.id, "group", name, path), name, path, new_id("AGPA", 17), extra={"CreateDate": iso(work.now)})
    put(work, GROUP, group)
    return {"Group": output(GROUP, group)}


def get_group(work: Work) -> Mapping[str, Any]:
    group = the(work, GROUP)
    found = page(work.params, [u for u in work.account.users if group.name in u.groups], lambda u: u.name, "Users")
    return {"Group": output(GROUP, group), **found, "Users": [output(USER, u, full=False) for u in found["Users"]]}


def list_groups(work: Work) -> Mapping[str, Any]:
    prefix = work.params.get("PathPrefix", "/")
    found = page(work.params, [g for g in work.account.groups if g.path.startswith(prefix)], lambda g: g.name, "Groups")
    return {**found, "Groups": [output(GROUP, g) for g in found["Groups"]]}


def list_groups_for_user(work: Work) -> Mapping[str, Any]:
    user, account = the(work, USER), work.account
    groups = [g for name in user.groups if (g := account.group(name)) is not None]
    found = page(work.params, groups, lambda g: g.name, "Groups")
    return {**found, "Groups": [output(GROUP, g) for g in found["Groups"]]}


def update_group(work: Work) -> Mapping[str, Any]:
    group: Group = the(work, GROUP)
    account = work.account
    name, path = work.params.get("NewGroupName", group.name), work.params.get("NewPath", group.path)
    if name.lower() != group.name.lower():
        GROUP.check_new(account, name)
    new = replace(group, name=name, path=path, arn=arn_of(account.id, "group", name, path))
    account = with_entity(account, GROUP, new, group)
    users = tuple(_member_renamed(u, group.name, name) for u in account.users)
    work.store.save(replace(account, users=users))
    return {}


def _member_renamed(user: User, was: str, now: str) -> User:
    return replace(user, groups=tuple(now if g == was else g for g in user.groups)) if was in user.groups else user


def delete_group(work: Work) -> Mapping[str, Any]:
    group: Group = the(work, GROUP)
    holds = (
        (any(group.name in u.groups for u in work.account.users), "remove users from group"),
        (bool(group.attached), "detach all policies"),
        (bool(group.inline), "delete policies"),
    )
    for held, text in holds:
        if held:
            raise AwsFault("DeleteConflict", f"Cannot delete entity, must {text} first.", 409)
    work.store.save(with_entity(work.account, GROUP, None, group))
    return {}


def add_user_to_group(work: Work) -> Mapping[str, Any]:
    group, user = the(work, GROUP), the(work, USER)
    if group.name not in user.groups:
        check_quota("groups_per_user", len(user.groups) + 1)
        put(work, USER, replace(user, groups=(*user.groups, group.name)), user)
    return {}


def remove_user_from_group(work: Work) -> Mapping[str, Any]:
    group, user = the(work, GROUP), the(work, USER)
    if group.name in user.groups:
        put(work, USER, replace(user, groups=tuple(g for g in user.groups if g != group.name)), user)
    return {}


OPERATIONS = {
    "CreateGroup": operation(create_group, on(GROUP)),
    "GetGroup": operation(get_group, on(GROUP)),
    "ListGroups": operation(list_groups, on_all("group")),
    "ListGroupsForUser": operation(list_groups_for_user, on(USER)),
    "UpdateGroup": operation(update_group, on(GROUP)),
    "DeleteGroup": operation(delete_group, on(GROUP)),
    "AddUserToGroup": operation(add_user_to_group, on(GROUP)),
    "RemoveUserFromGroup": operation(remove_user_from_group, on(GROUP)),
}
