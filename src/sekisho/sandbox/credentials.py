"""Passwords and one-time codes: hashed, compared in constant time, each code good once (D-29)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import string
from datetime import datetime

import pyotp

_COST = {"n": 2**13, "r": 8, "p": 1}
STEP_S = 30


def hash_password(password: str) -> str:
    """scrypt, with its salt: ``salt$hash`` in base64."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, **_COST)
    return f"{base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


_NOBODY = hash_password("nobody has this password")


def password_matches(password: str, hashed: str | None) -> bool:
    """Whether the password is the one; takes as long where there is no such user (None) as where there is."""
    salt, _, digest = (hashed or _NOBODY).partition("$")
    actual = hashlib.scrypt(password.encode("utf-8", "replace"), salt=base64.b64decode(salt), **_COST)
    return hmac.compare_digest(actual, base64.b64decode(digest)) and hashed is not None


def new_seed() -> str:
    """A seed for a virtual MFA device, Base32, 64 characters as AWS's."""
    return base64.b32encode(secrets.token_bytes(40)).decode()


def step_of(at: datetime) -> int:
    return int(at.timestamp()) // STEP_S


def matching_step(seed: str, code: str, now: datetime, *, after: int, drift: int = 1) -> int | None:
    """The time step that a code is good for: at most ``drift`` steps from now and later than ``after``, the last one used; else None."""
    if len(code) != 6 or not code.isascii() or not code.isdigit():
        return None
    totp = pyotp.TOTP(seed)
    current = step_of(now)
    found = None
    for step in range(current - drift, current + drift + 1):
        good = hmac.compare_digest(totp.generate_otp(step).encode(), code.encode())
        if good and step > after and found is None:
            found = step
    return found


_ID_ALPHABET = string.ascii_uppercase + "234567"
_SECRET_ALPHABET = string.ascii_letters + string.digits + "+/"


def new_id(prefix: str, length: int = 16) -> str:
    """An id of AWS's form: ``AIDA`` and 17 more characters, ``AKIA`` and 16."""
    return prefix + "".join(secrets.choice(_ID_ALPHABET) for _ in range(length))


def new_secret_key() -> str:
    return "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(40))


def new_session_token() -> str:
    return "FwoGZXIvYXdzE" + base64.b64encode(secrets.token_bytes(120)).decode()
