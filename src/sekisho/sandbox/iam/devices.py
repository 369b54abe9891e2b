"""Virtual MFA devices: made with a seed that is shown once, enabled by two codes in a row, deactivated, and deleted when nobody's."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

import segno

from sekisho.estate import MfaDevice, User
from sekisho.sandbox.credentials import matching_step, new_seed
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.entities import USER, name_of, on, output, put, request_tags, resource_tags, the
from sekisho.sandbox.iam.names import arn_of, check_quota, iso, operation, page
from sekisho.sandbox.iam.tags import Tags, new_tags, tag_operations
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.store import Device


def _find(work: Work) -> Device:
    serial = work.params["SerialNumber"]
    found = work.store.devices.get(serial)
    if found is None or found.account != work.caller.account:
        raise no_such_entity(f"VirtualMFADevice with serial number {serial} does not exist.")
    return found


def _of_user(work: Work, user: User) -> Device:
    found = work.store.devices.get(work.params["SerialNumber"])
    if found is None or found.account != work.caller.account or found.user != user.name:
        raise no_such_entity("MFA Device invalid for user.")
    return found


def _on_device(work: Work) -> Need:
    """Leave on the device's own ARN: ``arn:aws:iam::111122223333:mfa/alice``."""
    params, account = work.params, work.caller.account
    if "SerialNumber" not in params:
        arn = arn_of(account, "mfa", params["VirtualMFADeviceName"], params.get("Path", "/"))
        return Need(f"iam:{work.call.operation}", arn, request_tags(params))
    found = work.store.devices.get(params["SerialNumber"])
    context = request_tags(params) | (resource_tags(_tags(found)) if found and found.account == account else {})
    return Need(f"iam:{work.call.operation}", params["SerialNumber"], context)


def _tags(device: Device) -> Tags:
    return tuple((k, v) for k, v in device.tags)


def _note(work: Work, name: str) -> None:
    """Let the account's value say which devices the user has."""
    user = work.account.user(name)
    if user is not None:
        devices = tuple(MfaDevice(d.id, "virtual", d.enabled) for d in work.store.devices_of(work.caller.account, name))
        put(work, USER, replace(user, mfa_devices=devices), user)


def _consecutive(device: Device, first: str, second: str, now: datetime) -> int:
    """The step of the second of two codes that follow each other and weren't used before. Raises InvalidAuthenticationCode."""
    step = matching_step(device.seed, first, now, after=device.last_step)
    after = None if step is None else matching_step(device.seed, second, now, after=step)
    if step is None or after != step + 1:
        raise AwsFault("InvalidAuthenticationCode", "Authentication code for device is not valid.", 403)
    return after


# --- the devices of the account ------------------------------------------------------------------------------------------


def create_virtual_device(work: Work) -> Mapping[str, Any]:
    """The seed is in this answer and never again; the QR code holds the address that authenticator apps read."""
    params, account = work.params, work.account
    name = params["VirtualMFADeviceName"]
    serial = arn_of(account.id, "mfa", name, params.get("Path", "/"))
    if any(d.lower() == serial.lower() for d in work.store.devices):
        raise AwsFault("EntityAlreadyExists", "MFADevice entity at the same path and name already exists.", 409)
    device = Device(serial, account.id, new_seed(), tags=[[k, v] for k, v in new_tags(params)])
    work.store.put(device)
    address = f"otpauth://totp/{quote(name)}@{quote(account.alias or account.id)}?secret={device.seed}&issuer=Amazon%20Web%20Services"
    picture = io.BytesIO()
    segno.make(address, micro=False).save(picture, kind="png", scale=4)
    shown = {"SerialNumber": serial, "Base32StringSeed": device.seed.encode(), "QRCodePNG": picture.getvalue()}
    return {"VirtualMFADevice": shown | {"Tags": [{"Key": k, "Value": v} for k, v in device.tags] or None}}


def list_virtual_devices(work: Work) -> Mapping[str, Any]:
    status, account = work.params.get("AssignmentStatus", "Any"), work.account
    devices = [d for d in work.store.devices.values() if d.account == account.id]
    wanted = [d for d in devices if status in ("Any", "Unassigned" if d.user is None else "Assigned")]
    found = page(work.params, wanted, lambda d: d.id, "VirtualMFADevices")
    shown = []
    for device in found["VirtualMFADevices"]:
        user = account.user(device.user) if device.user is not None else None
        owner = {"User": output(USER, user, full=False), "EnableDate": device.enabled} if user is not None else {}
        shown.append({"SerialNumber": device.id, **owner})
    return {**found, "VirtualMFADevices": shown}


def delete_virtual_device(work: Work) -> Mapping[str, Any]:
    device = _find(work)
    if device.user is not None:
        raise AwsFault("DeleteConflict", "Cannot delete entity, must deactivate MFA device first.", 409)
    work.store.drop(device)
    return {}


# --- the devices of a user -----------------------------------------------------------------------------------------------


def enable_device(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    device = _find(work)
    if device.user is not None:
        raise AwsFault("EntityAlreadyExists", "MFA Device is already in use.", 409)
    check_quota("mfa_devices_per_user", len(work.store.devices_of(work.caller.account, user.name)) + 1)
    step = _consecutive(device, work.params["AuthenticationCode1"], work.params["AuthenticationCode2"], work.now)
    work.store.put(replace(device, user=user.name, enabled=iso(work.now), last_step=step))
    _note(work, user.name)
    return {}


def deactivate_device(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    device = _of_user(work, user)
    work.store.put(replace(device, user=None, enabled=None))
    _note(work, user.name)
    return {}


def resync_device(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    device = _of_user(work, user)
    step = _consecutive(device, work.params["AuthenticationCode1"], work.params["AuthenticationCode2"], work.now)
    work.store.put(replace(device, last_step=step, failures=0, locked_until=0.0))
    return {}


def list_devices(work: Work) -> Mapping[str, Any]:
    user: User = the(work, USER)
    devices = [{"UserName": user.name, "SerialNumber": d.id, "EnableDate": d.enabled} for d in work.store.devices_of(work.caller.account, user.name)]
    return page(work.params, devices, lambda d: str(d["SerialNumber"]), "MFADevices")


def get_device(work: Work) -> Mapping[str, Any]:
    device = _of_user(work, the(work, USER)) if "UserName" in work.params else _find(work)
    return {"UserName": device.user, "SerialNumber": device.id, "EnableDate": device.enabled}


def _on_devices_user(work: Work) -> Need:
    """Leave on the user that is named, else on whose device it is, else on the caller."""
    device = work.store.devices.get(work.params["SerialNumber"])
    owner = device.user if device is not None and device.account == work.caller.account else None
    user = work.account.user(work.params.get("UserName") or owner or name_of(work, USER))
    return Need("iam:GetMFADevice", user.arn) if user is not None else on(USER)(work)


def _write_tags(work: Work, tags: Tags) -> None:
    work.store.put(replace(_find(work), tags=[[k, v] for k, v in tags]))


OPERATIONS = {
    **tag_operations("MFADevice", _on_device, lambda work: _tags(_find(work)), _write_tags),
    "CreateVirtualMFADevice": operation(create_virtual_device, _on_device),
    "ListVirtualMFADevices": operation(list_virtual_devices, lambda work: Need("iam:ListVirtualMFADevices", arn_of(work.caller.account, "mfa", ""))),
    "DeleteVirtualMFADevice": operation(delete_virtual_device, _on_device),
    "EnableMFADevice": operation(enable_device, on(USER)),
    "DeactivateMFADevice": operation(deactivate_device, on(USER)),
    "ResyncMFADevice": operation(resync_device, on(USER)),
    "ListMFADevices": operation(list_devices, on(USER)),
    "GetMFADevice": operation(get_device, _on_devices_user),
}
