"""One's own security: password, virtual MFA devices and access keys, each by the IAM call that the user makes."""

from __future__ import annotations

import base64

from starlette.responses import Response

from sekisho.sandbox.fault import AwsFault
from sekisho.web.browser import Enrolment, Refusal
from sekisho.web.visit import Visit


async def show(visit: Visit) -> Response:
    return _page(visit)


def _page(visit: Visit, *, status: int = 200, error: str = "", refusal: Refusal | None = None, new_key: dict[str, str] | None = None) -> Response:
    """Somebody who switched role has no devices or keys of their own there: AWS's page is of the user, and so is this one."""
    if visit.browser.role is not None:
        return visit.page("message.html", title="security.title", text="security.as_role")
    name = visit.browser.user_name
    devices = visit.ask("iam", "ListMFADevices", UserName=name)
    keys = visit.ask("iam", "ListAccessKeys", UserName=name)
    return visit.page("security.html", status, devices=devices, keys=keys, error=error, refusal=refusal, new_key=new_key)


def _failed(visit: Visit, fault: AwsFault) -> Response:
    return _page(visit, status=fault.status, refusal=visit.refused(fault))


async def change_password(visit: Visit) -> Response:
    given = visit.form
    if given.get("new", "") != given.get("again", ""):
        return _page(visit, status=400, error=visit.say("password.differ"))
    try:
        visit.call("iam", "ChangePassword", OldPassword=given.get("old", ""), NewPassword=given.get("new", ""))
    except AwsFault as fault:
        return _failed(visit, fault)
    visit.browser.notice = ("password.changed", {})
    return visit.go("/console/security")


# --- devices -------------------------------------------------------------------------------------------------------------


async def make_device(visit: Visit) -> Response:
    """CreateVirtualMFADevice: its seed is in this answer and never again, so it stays here until its two codes come."""
    try:
        made = visit.call("iam", "CreateVirtualMFADevice", VirtualMFADeviceName=visit.form.get("name", "").strip())["VirtualMFADevice"]
    except AwsFault as fault:
        return _failed(visit, fault)
    visit.browser.enrolment = Enrolment(made["SerialNumber"], made["Base32StringSeed"].decode(), made["QRCodePNG"])
    return visit.go("/console/security/device")


async def enrolment(visit: Visit) -> Response:
    return _enrolment(visit)


def _enrolment(visit: Visit, *, status: int = 200, refusal: Refusal | None = None) -> Response:
    device = visit.browser.enrolment
    if device is None:
        return visit.go("/console/security")
    picture = "data:image/png;base64," + base64.b64encode(device.picture).decode()
    return visit.page("enrol.html", status, device=device, picture=picture, refusal=refusal)


async def enable_device(visit: Visit) -> Response:
    device = visit.browser.enrolment
    if device is None:
        return visit.go("/console/security")
    given = visit.form
    try:
        visit.call(
            "iam", "EnableMFADevice", UserName=visit.browser.user_name, SerialNumber=device.serial,
            AuthenticationCode1=given.get("first", "").strip(), AuthenticationCode2=given.get("second", "").strip(),
        )  # fmt: skip
    except AwsFault as fault:
        return _enrolment(visit, status=fault.status, refusal=visit.refused(fault))
    visit.browser.enrolment = None
    visit.browser.notice = ("device.enabled", {})
    return visit.go("/console/security")


async def remove_device(visit: Visit) -> Response:
    """As the console removes one: deactivated, then deleted."""
    serial = visit.form.get("serial", "")
    try:
        visit.call("iam", "DeactivateMFADevice", UserName=visit.browser.user_name, SerialNumber=serial)
        visit.call("iam", "DeleteVirtualMFADevice", SerialNumber=serial)
    except AwsFault as fault:
        return _failed(visit, fault)
    visit.browser.notice = ("device.removed", {})
    return visit.go("/console/security")


# --- access keys ---------------------------------------------------------------------------------------------------------


async def make_key(visit: Visit) -> Response:
    """The secret is in this one answer: it isn't kept, and asking for the page again doesn't show it."""
    try:
        made = visit.call("iam", "CreateAccessKey", UserName=visit.browser.user_name)["AccessKey"]
    except AwsFault as fault:
        return _failed(visit, fault)
    return _page(visit, new_key={"id": made["AccessKeyId"], "secret": made["SecretAccessKey"]})


async def set_key(visit: Visit) -> Response:
    return _of_key(visit, "UpdateAccessKey", Status=visit.form.get("status", ""))


async def delete_key(visit: Visit) -> Response:
    return _of_key(visit, "DeleteAccessKey")


def _of_key(visit: Visit, operation: str, **params: str) -> Response:
    try:
        visit.call("iam", operation, UserName=visit.browser.user_name, AccessKeyId=visit.form.get("key", ""), **params)
    except AwsFault as fault:
        return _failed(visit, fault)
    visit.browser.notice = ("keys.changed", {})
    return visit.go("/console/security")
