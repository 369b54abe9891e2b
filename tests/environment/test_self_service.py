"""What users may do for themselves (F-20): a new user can finish the first sign-in, and without MFA nothing else is possible.

Row by row what the field complains of: the dead-lock of password and MFA, devices whose names aren't their users', a second factor
that a stolen password can replace.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest

from sekisho import Authorizer, Request
from sekisho.decision import CredentialKind, request_context

from .reading import changed, estate_of

JUMP = "111122223333"
ADDRESS = "203.0.113.10"
WITHOUT_MFA = (CredentialKind.CONSOLE, False), (CredentialKind.KEY, None), (CredentialKind.SESSION_TOKEN, False)

PATHS = ("/", "/platform/", "/a/b/")


@cache
def authorizer(self_service: str, *, path: str = "/", mfa: str = "required", max_age: str = "", administrator: bool = False) -> Authorizer:
    data = changed("article", "jump/self_service", self_service)
    data["jump"]["mfa"] = {"max_age": max_age} if max_age else mfa
    data["groups"]["test-group"] = {"path": path, "users": ["new", "other"]}
    if administrator:
        data["groups"]["test-group"]["policies"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]
    return Authorizer(estate_of(data))


def may(
    who: Authorizer, path: str, action: str, resource: str, kind: CredentialKind = CredentialKind.CONSOLE, mfa: bool | None = False, age: int = 5
) -> bool:
    context = request_context(kind, source_ip=ADDRESS, mfa=mfa, mfa_age_s=age)
    return who.decide(Request(f"arn:aws:iam::{JUMP}:user{path}new", action, resource, context, credentials=kind)).allowed


def first_sign_in(path: str, device: str) -> list[tuple[str, str]]:
    """What a new user asks for before there is a second factor: the console's own calls, in order."""
    me, my_device = f"arn:aws:iam::{JUMP}:user{path}new", f"arn:aws:iam::{JUMP}:mfa/{device}"
    return [
        ("iam:GetAccountPasswordPolicy", "*"),
        ("iam:ChangePassword", me),
        ("iam:GetUser", me),
        ("iam:ListMFADevices", me),
        ("iam:ListVirtualMFADevices", "*"),
        ("iam:CreateVirtualMFADevice", my_device),
        ("iam:EnableMFADevice", me),
        ("iam:ResyncMFADevice", me),
        ("sts:GetCallerIdentity", "*"),
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("device", ["new", "my-phone", "new-2", "a.b@c"])
@pytest.mark.parametrize(("kind", "mfa"), WITHOUT_MFA[:2], ids=["console", "key"])
def test_a_new_user_can_finish_current(path: str, device: str, kind: CredentialKind, mfa: bool | None) -> None:
    who = authorizer("current", path=path)
    refused = [action for action, resource in first_sign_in(path, device) if not may(who, path, action, resource, kind, mfa)]
    assert refused == []
    assert may(who, path, "sts:GetSessionToken", "*", CredentialKind.KEY, None), "with a key, MFA is given to this very call"


def test_the_article_s_policy_wants_the_device_named_like_the_user() -> None:
    """Since November 2022 the console asks for a name; the article's policy is kept as it is, and this is what that means."""
    who = authorizer("article")
    refused = {device: {a for a, r in first_sign_in("/", device) if not may(who, "/", a, r)} for device in ("new", "my-phone")}
    assert refused == {"new": {"iam:GetUser"}, "my-phone": {"iam:GetUser", "iam:CreateVirtualMFADevice"}}


ALWAYS = {"sts:GetCallerIdentity", "sts:GetSessionToken"}
"""D-25: no policy is asked."""


@cache
def all_operations() -> tuple[str, ...]:
    """Each operation of the services that could open a way, by the names that botocore knows."""
    return tuple(_operations())


def _operations() -> Iterator[str]:
    session = botocore.session.get_session()
    for service in ("iam", "sts", "signin", "organizations", "kms", "s3", "lambda", "cloudtrail", "account", "sso-admin"):
        prefix = {"sso-admin": "sso"}.get(service, service)
        for operation in session.get_service_model(service).operation_names:
            yield f"{prefix}:{operation}"


@pytest.mark.parametrize(("kind", "mfa"), WITHOUT_MFA, ids=["console", "key", "session token"])
@pytest.mark.parametrize("path", ["/", "/platform/"])
def test_without_mfa_nothing_else_even_for_an_administrator(path: str, kind: CredentialKind, mfa: bool | None) -> None:
    who = authorizer("current", path=path, administrator=True)
    resources = [
        "*", f"arn:aws:iam::{JUMP}:user{path}new", f"arn:aws:iam::{JUMP}:user{path}other", f"arn:aws:iam::{JUMP}:user/other/new-x",
        f"arn:aws:iam::{JUMP}:mfa/any", f"arn:aws:iam::{JUMP}:group{path}test-group", "arn:aws:iam::444455556666:role/test-role-admin",
    ]  # fmt: skip
    allowed = {(a, r) for a in all_operations() for r in resources if a not in ALWAYS and may(who, path, a, r, kind, mfa)}
    me = f"arn:aws:iam::{JUMP}:user{path}new"
    own = {(a, me) for a in ("iam:ChangePassword", "iam:EnableMFADevice", "iam:GetUser", "iam:ListMFADevices", "iam:ResyncMFADevice")}
    others = {r for a, r in allowed - own if a not in ("iam:CreateVirtualMFADevice", "iam:GetAccountPasswordPolicy", "iam:ListVirtualMFADevices")}
    assert others == set(), "nobody else's, and nothing else"
    if kind is CredentialKind.SESSION_TOKEN:
        assert not {a for a, _ in allowed if a.startswith("iam:")}, "D-24"
    else:
        assert own <= allowed
    assert may(who, path, "iam:CreateUser", f"arn:aws:iam::{JUMP}:user/x", CredentialKind.CONSOLE, True), "with MFA the administrator is one"


OTHERS = [f"arn:aws:iam::{JUMP}:user/other", f"arn:aws:iam::{JUMP}:user/platform/other", f"arn:aws:iam::{JUMP}:user/brand-new",
          f"arn:aws:iam::{JUMP}:user/new/other", f"arn:aws:iam::{JUMP}:user/platform/renew"]  # fmt: skip
FOR_ONESELF = ["EnableMFADevice", "DeactivateMFADevice", "ResyncMFADevice", "ChangePassword", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"]


@pytest.mark.parametrize("self_service", ["current", "article"])
@pytest.mark.parametrize("mfa", [True, False])
def test_nobody_enrols_for_another_F_20(self_service: str, mfa: bool) -> None:
    for path in PATHS:
        who = authorizer(self_service, path=path)
        assert [(a, r) for a in FOR_ONESELF for r in OTHERS if may(who, path, f"iam:{a}", r, mfa=mfa)] == []


@pytest.mark.parametrize("mfa", ["required", "optional"])
def test_a_stolen_password_can_t_take_the_second_factor_away(mfa: str) -> None:
    """Neither taking the device off nor deleting it, whatever its name; with MFA one may take off one's own."""
    who = authorizer("current", mfa=mfa)
    me = f"arn:aws:iam::{JUMP}:user/new"
    for kind, present in WITHOUT_MFA:
        assert not may(who, "/", "iam:DeactivateMFADevice", me, kind, present)
        assert not may(who, "/", "iam:DeleteVirtualMFADevice", f"arn:aws:iam::{JUMP}:mfa/new", kind, present)
    assert may(who, "/", "iam:DeactivateMFADevice", me, CredentialKind.CONSOLE, True)


@pytest.mark.parametrize("self_service", ["current", "article"])
def test_mfa_optional_asks_nobody(self_service: str) -> None:
    data = changed("article", "jump/self_service", self_service)
    data["jump"]["mfa"] = "optional"
    del data["accounts"]["workload"]["roles"]["test-role-admin"]["mfa"]
    who = Authorizer(estate_of(data))
    request = Request(f"arn:aws:iam::{JUMP}:user/test-user", "sts:AssumeRole", "arn:aws:iam::444455556666:role/test-role-admin",
                      request_context(CredentialKind.KEY, source_ip=ADDRESS))  # fmt: skip
    assert who.decide(request).allowed


@pytest.mark.parametrize("self_service", ["current", "article"])
def test_max_age_F_19(self_service: str) -> None:
    """A second factor that is too old counts as none: keys can't be made, but signing in anew stays possible."""
    who = authorizer(self_service, max_age="1h", administrator=True)
    me = f"arn:aws:iam::{JUMP}:user/new"
    assert may(who, "/", "iam:CreateAccessKey", me, mfa=True, age=3599)
    assert not may(who, "/", "iam:CreateAccessKey", me, mfa=True, age=3600)
    assert may(who, "/", "iam:ListMFADevices", me, mfa=True, age=3600)
    assert may(who, "/", "iam:EnableMFADevice", me, mfa=False)
