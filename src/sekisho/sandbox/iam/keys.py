"""Access keys of users, and of the account's root for root itself; the secret is shown once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.decision import CredentialKind
from sekisho.estate import User
from sekisho.sandbox.credentials import new_id, new_secret_key
from sekisho.sandbox.fault import no_such_entity
from sekisho.sandbox.iam.entities import USER, on, put, the
from sekisho.sandbox.iam.names import check_quota, iso, operation, page
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.store import AccessKey


def _owner(work: Work) -> str:
    """The user whose keys the call is about; empty for root that names nobody."""
    if "UserName" not in work.params and work.caller.kind is CredentialKind.ROOT:
        return ""
    user: User = the(work, USER)
    return user.name


def _on_owner(work: Work) -> Need:
    if "UserName" not in work.params and work.caller.kind is CredentialKind.ROOT:
        return Need(f"iam:{work.call.operation}", work.caller.principal)
    return on(USER)(work)


def _note(work: Work, owner: str) -> None:
    """Let the account's value say which keys the user has."""
    user = work.account.user(owner)
    if user is not None:
        keys = tuple(k.id for k in work.store.keys_of(work.caller.account, owner))
        put(work, USER, replace(user, access_keys=keys), user)


def _key(work: Work, owner: str) -> AccessKey:
    found = work.store.keys.get(work.params["AccessKeyId"])
    if found is None or found.account != work.caller.account or found.user != owner:
        raise no_such_entity(f"The Access Key with id {work.params['AccessKeyId']} cannot be found.")
    return found


def create_access_key(work: Work) -> Mapping[str, Any]:
    owner = _owner(work)
    check_quota("access_keys_per_user", len(work.store.keys_of(work.caller.account, owner)) + 1)
    key = AccessKey(new_id("AKIA"), new_secret_key(), work.caller.account, owner, iso(work.now))
    work.store.put(key)
    _note(work, owner)
    return {"AccessKey": {**_metadata(work, key), "SecretAccessKey": key.secret}}


def _metadata(work: Work, key: AccessKey) -> dict[str, Any]:
    name = key.user or work.account.alias or work.caller.account
    return {"UserName": name, "AccessKeyId": key.id, "Status": key.status, "CreateDate": key.created}


def list_access_keys(work: Work) -> Mapping[str, Any]:
    keys = work.store.keys_of(work.caller.account, _owner(work))
    return page(work.params, [_metadata(work, k) for k in keys], lambda k: str(k["AccessKeyId"]), "AccessKeyMetadata")


def update_access_key(work: Work) -> Mapping[str, Any]:
    key = _key(work, _owner(work))
    work.store.put(replace(key, status=work.params["Status"]))
    return {}


def delete_access_key(work: Work) -> Mapping[str, Any]:
    """Sessions of GetSessionToken that were made with the key end with it; role sessions go on (D-42)."""
    owner = _owner(work)
    key = _key(work, owner)
    work.store.drop(key)
    for session in work.store.sessions.values():
        if session.made_with == key.id and session.kind == CredentialKind.SESSION_TOKEN.value and not session.revoked:
            session.revoked = True
            work.store.put(session)
    _note(work, owner)
    return {}


def get_access_key_last_used(work: Work) -> Mapping[str, Any]:
    key = work.store.keys.get(work.params["AccessKeyId"])
    if key is None or key.account != work.caller.account:
        raise no_such_entity(f"The Access Key with id {work.params['AccessKeyId']} cannot be found.")
    used = {"LastUsedDate": key.last_used, "ServiceName": key.last_service, "Region": key.last_region}
    return {"UserName": _metadata(work, key)["UserName"], "AccessKeyLastUsed": used}


def _on_owner_of_key(work: Work) -> Need:
    """AWS asks for leave on the user whose key it is; where there is none, on any."""
    key = work.store.keys.get(work.params["AccessKeyId"])
    user = work.account.user(key.user) if key is not None and key.account == work.caller.account else None
    return Need("iam:GetAccessKeyLastUsed", user.arn if user else f"arn:aws:iam::{work.caller.account}:user/*")


OPERATIONS = {
    "CreateAccessKey": operation(create_access_key, _on_owner),
    "ListAccessKeys": operation(list_access_keys, _on_owner),
    "UpdateAccessKey": operation(update_access_key, _on_owner),
    "DeleteAccessKey": operation(delete_access_key, _on_owner),
    "GetAccessKeyLastUsed": operation(get_access_key_last_used, _on_owner_of_key),
}
