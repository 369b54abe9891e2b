"""Console passwords: login profiles, changing one's own, and the account's password policy, which every new password has to meet."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sekisho.estate import Account, User
from sekisho.sandbox.credentials import hash_password, password_matches
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.entities import USER, on, on_account, put, the, with_extra
from sekisho.sandbox.iam.names import check_params, iso, operation
from sekisho.sandbox.operation import Need, Operation, Work
from sekisho.sandbox.store import Password

_SYMBOLS = frozenset("!@#$%^&*()_+-=[]{}|'")
_REMEMBERED = 24
"""The most that PasswordReusePrevention can ask for."""
_DEFAULTS: Mapping[str, Any] = {
    "MinimumPasswordLength": 6, "RequireSymbols": False, "RequireNumbers": False, "RequireUppercaseCharacters": False,
    "RequireLowercaseCharacters": False, "AllowUsersToChangePassword": False,
}  # fmt: skip
"""What UpdateAccountPasswordPolicy takes a parameter for that is left out; with no policy at all, other rules hold."""


# --- what a password must be ---------------------------------------------------------------------------------------------


def check_password(account: Account, user: User, password: str, old: Password | None = None) -> None:
    """Raise AWS's PasswordPolicyViolation where the password doesn't meet the account's policy, or AWS's own where it has none."""
    if any(not ("\x20" <= c <= "\xff") and c not in "\t\n\r" for c in password):
        raise _violation("Password contains characters that aren't allowed")
    policy = account.password_policy
    classes = (
        ("RequireUppercaseCharacters", "uppercase letter", any(c in string.ascii_uppercase for c in password)),
        ("RequireLowercaseCharacters", "lowercase letter", any(c in string.ascii_lowercase for c in password)),
        ("RequireNumbers", "number", any(c in string.digits for c in password)),
        ("RequireSymbols", "symbol", any(c in _SYMBOLS for c in password)),
    )
    length = (policy.get("MinimumPasswordLength") or 6) if policy is not None else 8
    if len(password) < length:
        raise _violation(f"Password should have a minimum length of {length}")
    if policy is None:
        if sum(has for _, _, has in classes) < 3:
            raise _violation("Password should have at least three of: uppercase letters, lowercase letters, numbers, symbols")
        if password.lower() in (user.name.lower(), (account.alias or account.id).lower()):
            raise _violation("Password should not be the name of the account or the user")
        return
    for setting, word, has in classes:
        if policy.get(setting) and not has:
            raise _violation(f"Password should have at least one {word}")
    # The current password is one of those that may not come again.
    remembered = int(policy.get("PasswordReusePrevention") or 0)
    if old is not None and remembered and any(password_matches(password, h) for h in [old.hashed, *old.previous][:remembered]):
        raise _violation("Password has been used before; the account's password policy prevents reuse")


def _violation(text: str) -> AwsFault:
    return AwsFault("PasswordPolicyViolation", text, 400)


def _new_password(work: Work, old: Password, password: str, *, reset: bool) -> Password:
    previous = [old.hashed, *old.previous][: _REMEMBERED - 1]
    return replace(old, hashed=hash_password(password), created=iso(work.now), reset_required=reset, previous=previous)


# --- login profiles ------------------------------------------------------------------------------------------------------


def _profile(work: Work, user: User) -> Password:
    found = work.store.password_of(work.caller.account, user.name)
    if found is None:
        raise no_such_entity(f"Login Profile for User {user.name} cannot be found.")
    return found


def _output(user: User, password: Password) -> Mapping[str, Any]:
    created = user.extra.get("LoginProfileCreateDate") or password.created
    return {"LoginProfile": {"UserName": user.name, "CreateDate": created, "PasswordResetRequired": password.reset_required}}


def create_login_profile(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    account, text = work.account, work.params.get("Password")
    if work.store.password_of(account.id, user.name) is not None:
        raise AwsFault("EntityAlreadyExists", f"Login Profile for user {user.name} already exists.", 409)
    if text is None:
        raise AwsFault("ValidationError", "A password is needed.")
    check_password(account, user, text)
    reset = bool(work.params.get("PasswordResetRequired"))
    password = Password(f"{account.id}/{user.name}", hash_password(text), iso(work.now), reset)
    work.store.put(password)
    put(work, USER, with_extra(replace(user, has_password=True), LoginProfileCreateDate=password.created), user)
    return _output(user, password)


def get_login_profile(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    return _output(user, _profile(work, user))


def update_login_profile(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    old = _profile(work, user)
    text, reset = work.params.get("Password"), bool(work.params.get("PasswordResetRequired", old.reset_required))
    if text is None:
        work.store.put(replace(old, reset_required=reset))
        return {}
    check_password(work.account, user, text, old)
    work.store.put(_new_password(work, old, text, reset=reset))
    return {}


def delete_login_profile(work: Work) -> Mapping[str, Any]:
    """No more sign-in; console sessions that run go on until they end, as AWS's do."""
    user: User = the(work, USER)
    work.store.drop(_profile(work, user))
    put(work, USER, with_extra(replace(user, has_password=False), LoginProfileCreateDate=None), user)
    return {}


# --- one's own password --------------------------------------------------------------------------------------------------


def change_password(work: Work) -> Mapping[str, Any]:
    user = work.account.user(work.caller.user) if work.caller.user else None
    if user is None:
        raise AwsFault("InvalidUserType", "Only IAM Users can change their own password", 400)
    old = _profile(work, user)
    if not password_matches(work.params["OldPassword"], old.hashed):
        raise AwsFault("AccessDenied", "The old password was incorrect.", 403)
    check_password(work.account, user, work.params["NewPassword"], old)
    work.store.put(_new_password(work, old, work.params["NewPassword"], reset=False))
    return {}


def _may_change(work: Work) -> Iterable[Need]:
    """AllowUsersToChangePassword lets users change their own without a policy that allows it; a Deny still counts."""
    check_params(work.call)
    user = work.account.user(work.caller.user) if work.caller.user else None
    need = Need("iam:ChangePassword", user.arn if user else work.caller.principal)
    allowed = (work.account.password_policy or {}).get("AllowUsersToChangePassword")
    if user is not None and allowed:
        request = work.caller.request(need.action, need.resource, work.now, None, work.caller.account)
        if work.store.authorizer.decide_anew(request).outcome == "implicit_deny":
            return ()
    return (need,)


# --- the account's policy ------------------------------------------------------------------------------------------------


def get_password_policy(work: Work) -> Mapping[str, Any]:
    policy = work.account.password_policy
    if policy is None:
        raise _no_policy(work)
    return {"PasswordPolicy": {**_DEFAULTS, **policy, "ExpirePasswords": bool(policy.get("MaxPasswordAge"))}}


def update_password_policy(work: Work) -> Mapping[str, Any]:
    """What is left out goes back to its default: the call sets the policy whole."""
    work.store.save(replace(work.account, password_policy={**_DEFAULTS, **work.params}))
    return {}


def delete_password_policy(work: Work) -> Mapping[str, Any]:
    if work.account.password_policy is None:
        raise _no_policy(work)
    work.store.save(replace(work.account, password_policy=None))
    return {}


def _no_policy(work: Work) -> AwsFault:
    return no_such_entity(f"The Password Policy with domain name {work.caller.account} cannot be found.")


OPERATIONS = {
    "CreateLoginProfile": operation(create_login_profile, on(USER)),
    "GetLoginProfile": operation(get_login_profile, on(USER)),
    "UpdateLoginProfile": operation(update_login_profile, on(USER)),
    "DeleteLoginProfile": operation(delete_login_profile, on(USER)),
    "ChangePassword": Operation(change_password, _may_change),
    "GetAccountPasswordPolicy": operation(get_password_policy, on_account),
    "UpdateAccountPasswordPolicy": operation(update_password_policy, on_account),
    "DeleteAccountPasswordPolicy": operation(delete_password_policy, on_account),
}
