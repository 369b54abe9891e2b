"""Users: made, read, renamed and deleted, and what a rename or a deletion means for what hangs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.decision import CredentialKind
from sekisho.estate import User
from sekisho.sandbox.credentials import new_id
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.iam import other_credentials
from sekisho.sandbox.iam.attachments import new_boundary
from sekisho.sandbox.iam.entities import USER, on, on_all, output, put, the, with_entity
from sekisho.sandbox.iam.names import arn_of, check_quota, iso, operation, page
from sekisho.sandbox.iam.tags import Tags, new_tags, tag_operations
from sekisho.sandbox.iam.trusts import rename_in_trusts
from sekisho.sandbox.operation import Need, Work


def create_user(work: Work) -> Mapping[str, Any]:
    params, account = work.params, work.account
    name, path = params["UserName"], params.get("Path", "/")
    USER.check_new(account, name)
    check_quota("users", len(account.users) + 1)
    user = User(
        arn_of(account.id, "user", name, path), name, path, new_id("AIDA", 17), boundary=new_boundary(work), tags=new_tags(params),
        mfa_devices=(), has_password=False, access_keys=(), extra={"CreateDate": iso(work.now)},
    )  # fmt: skip
    put(work, USER, user)
    return {"User": output(USER, user)}


def get_user(work: Work) -> Mapping[str, Any]:
    if "UserName" not in work.params and work.caller.kind is CredentialKind.ROOT:
        account = work.account
        return {"User": {"Path": "/", "UserName": account.alias or account.id, "UserId": account.id, "Arn": work.caller.principal}}
    return {"User": _shown(work, the(work, USER), full=True)}


def _shown(work: Work, user: User, *, full: bool) -> dict[str, Any]:
    password = work.store.password_of(work.caller.account, user.name)
    return {**output(USER, user, full=full), "PasswordLastUsed": password.last_used if password is not None else None}


def _on_user_or_root(work: Work) -> Need:
    if "UserName" not in work.params and work.caller.kind is CredentialKind.ROOT:
        return Need("iam:GetUser", work.caller.principal)
    return on(USER)(work)


def list_users(work: Work) -> Mapping[str, Any]:
    prefix = work.params.get("PathPrefix", "/")
    found = page(work.params, [u for u in work.account.users if u.path.startswith(prefix)], lambda u: u.name, "Users")
    return {**found, "Users": [_shown(work, u, full=False) for u in found["Users"]]}


def update_user(work: Work) -> Mapping[str, Any]:
    """A new name or path. Keys, password, devices and running sessions stay the user's; trusts follow, as they hold the id (A-31)."""
    user: User = the(work, USER)
    account, store = work.account, work.store
    name = work.params.get("NewUserName", user.name)
    path = work.params.get("NewPath", user.path)
    if name.lower() != user.name.lower():
        USER.check_new(account, name)
    new = replace(user, name=name, path=path, arn=arn_of(account.id, "user", name, path))
    for key in store.keys_of(account.id, user.name):
        key.user = name
        store.put(key)
    for device in store.devices_of(account.id, user.name):
        device.user = name
        store.put(device)
    password = store.password_of(account.id, user.name)
    if password is not None:
        store.drop(password)
        store.put(replace(password, id=f"{account.id}/{name}"))
    for session in store.sessions.values():
        if session.entity == user.arn:
            session.entity = new.arn
            session.principal = new.arn if session.principal == user.arn else session.principal
            store.put(session)
    put(work, USER, new, user)
    rename_in_trusts(store, user.arn, new.arn)
    return {}


def delete_user(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    store, account = work.store, work.account
    holds = (
        (bool(user.groups), "remove users from group"),
        (bool(user.attached), "detach all policies"),
        (bool(user.inline), "delete policies"),
        (store.password_of(account.id, user.name) is not None, "delete login profile"),
        (bool(store.keys_of(account.id, user.name)), "delete access keys"),
        (bool(store.devices_of(account.id, user.name)), "delete MFA device"),
        *((True, must) for must in other_credentials.held(user)),
    )
    for held, text in holds:
        if held:
            raise AwsFault("DeleteConflict", f"Cannot delete entity, must {text} first.", 409)
    # A user of the same name made later is another one: what this one's sessions may do ends here.
    for session in store.sessions.values():
        if session.entity == user.arn and not session.revoked:
            session.revoked = True
            store.put(session)
    store.save(with_entity(account, USER, None, user))
    if user.id:
        rename_in_trusts(store, user.arn, user.id)
    return {}


def _write_tags(work: Work, tags: Tags) -> None:
    user = the(work, USER)
    put(work, USER, replace(user, tags=tags), user)


OPERATIONS = {
    **tag_operations("User", on(USER), lambda work: the(work, USER).tags, _write_tags),
    "CreateUser": operation(create_user, on(USER)),
    "GetUser": operation(get_user, _on_user_or_root),
    "ListUsers": operation(list_users, on_all("user")),
    "UpdateUser": operation(update_user, on(USER)),
    "DeleteUser": operation(delete_user, on(USER)),
}
