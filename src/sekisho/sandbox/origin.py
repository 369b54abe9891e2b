"""Where a client says that it comes from: ``/from/<address>`` in front of the path; without it, ``DEFAULT_ADDRESS``."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple
from urllib.parse import unquote

from sekisho.policy.operators import Unreadable, address
from sekisho.sandbox.fault import AwsFault

DEFAULT_ADDRESS = "127.0.0.1"
"""A client that doesn't say where it comes from is on this machine: no network of an environment holds it."""


class Origin(NamedTuple):
    """The address of the client (as AWS would see it) and the path without the prefix, as the client spelled it."""

    address: str
    path: str
    prefix: str = ""


def origin_of(path: str) -> Origin:
    """Split ``/from/203.0.113.10/…``. IPv6 with or without brackets, percent-encoded or not.

    Raises AwsFault for a prefix whose address is none: nothing is decided on a guess.

    >>> origin_of("/from/203.0.113.10/")
    Origin(address='203.0.113.10', path='/', prefix='/from/203.0.113.10')
    """
    if not path.startswith("/from/"):
        return Origin(DEFAULT_ADDRESS, path)
    raw, slash, rest = path[len("/from/") :].partition("/")
    text = unquote(raw).strip("[]")
    try:
        address(text)
        shown = str(ipaddress.ip_address(text))
    except (Unreadable, ValueError):
        raise AwsFault("InvalidEndpoint", f"{text[:60]!r} is no IP address: use /from/<IPv4 or IPv6 address>", 400) from None
    return Origin(shown, slash + rest or "/", f"/from/{raw}")
