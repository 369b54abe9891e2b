"""One-time codes of MFA devices, used up as they are accepted (D-29), and guessing slowed down."""

from __future__ import annotations

from datetime import datetime

from sekisho.sandbox.credentials import matching_step
from sekisho.sandbox.fault import access_denied
from sekisho.sandbox.identity import Caller
from sekisho.sandbox.store import Device, Store

TRIES = 5
LOCKED_S = 60.0
"""After so many wrong codes in a row a device takes none for this long."""

_WRONG = "MultiFactorAuthentication failed with invalid MFA one time pass code. "


def use_code(store: Store, device: Device, code: str, now: datetime) -> bool:
    """Whether the code is good for the device now; a good one is used up, a wrong one counts against guessing."""
    if device.locked_until > now.timestamp():
        return False
    step = matching_step(device.seed, code, now, after=device.last_step)
    if step is None:
        device.failures += 1
        if device.failures >= TRIES:
            device.failures, device.locked_until = 0, now.timestamp() + LOCKED_S
    else:
        device.failures, device.last_step = 0, step
    store.put(device)
    return step is not None


def check_code(store: Store, caller: Caller, serial: str, code: str, now: datetime) -> None:
    """The SerialNumber and TokenCode of an STS call: the device must be the caller's own. Raises AccessDenied with AWS's text."""
    device = store.devices.get(serial)
    if device is None or device.enabled is None or device.account != caller.account or not caller.user or device.user != caller.user:
        raise access_denied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with "
            "this user."
        )
    if not use_code(store, device, code, now):
        raise access_denied(_WRONG)
