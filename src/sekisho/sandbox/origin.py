"""Where a client says that it comes from: ``/from/<address>`` or ``/via/<VPC endpoint>`` in front of the path.

A public client is told by its address alone; one behind a VPC endpoint by the endpoint, its VPC and a private address, and has no
``aws:SourceIp`` then (E-02): ``/via/vpce-0a1b,vpc-0c2d,10.0.0.5/``. Without the VPC or the address, ones that follow from the endpoint's id.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import NamedTuple, TypedDict
from urllib.parse import unquote

from sekisho.policy.networks import is_never_public
from sekisho.policy.operators import Unreadable, address
from sekisho.sandbox.fault import AwsFault


class NetworkKeys(TypedDict, total=False):
    """The network part of a request's context, as ``request_context`` takes it."""

    source_ip: str
    source_vpc: str
    source_vpce: str
    vpc_source_ip: str


@dataclass(frozen=True, slots=True)
class Origin:
    """``address`` as AWS would see it: a public one, or behind ``vpce`` the private one."""

    address: str
    vpce: str = ""
    vpc: str = ""

    def keys(self) -> NetworkKeys:
        """A public address, or the three keys of a VPC endpoint; never both (E-02)."""
        if not self.vpce:
            return {"source_ip": self.address}
        return {"source_vpc": self.vpc, "source_vpce": self.vpce, "vpc_source_ip": self.address}


THIS_MACHINE = Origin("127.0.0.1")
"""A client that doesn't say where it comes from: no network of an environment holds it."""


class Parted(NamedTuple):
    """Where the client comes from, and the path without that prefix, as the client spelled it."""

    origin: Origin
    path: str
    prefix: str = ""


def parted(path: str) -> Parted:
    """Split ``/from/203.0.113.10/…`` or ``/via/vpce-…/…``; the colons of IPv6 percent-encoded or not.

    Raises AwsFault for a prefix that names no address or endpoint: nothing is decided on a guess.

    >>> parted("/from/203.0.113.10/").origin
    Origin(address='203.0.113.10', vpce='', vpc='')
    """
    for kind, read in (("/from/", _public), ("/via/", _endpoint)):
        if path.startswith(kind):
            raw, slash, rest = path[len(kind) :].partition("/")
            return Parted(read(unquote(raw)), slash + rest or "/", kind + raw)
    return Parted(THIS_MACHINE, path)


def _public(text: str) -> Origin:
    """AWS never sees a private address (E-02): who has one comes through a NAT's public address, or through a VPC endpoint."""
    found = Origin(_address(text, "use /from/<IPv4 or IPv6 address>"))
    if is_never_public(ipaddress.ip_network(found.address)):
        text = f"{found.address} is private, and AWS sees public addresses only: use /from/<public address> or /via/vpce-…"
        raise AwsFault("InvalidEndpoint", text, 400)
    return found


_VPCE = re.compile(r"vpce-[a-z0-9-]{1,40}")
_VPC = re.compile(r"vpc-[a-z0-9-]{1,40}")


def _endpoint(text: str) -> Origin:
    vpce, vpc, private, *more = (*text.split(","), "", "")[: max(3, text.count(",") + 1)]
    vpc = vpc or vpce.replace("vpce-", "vpc-", 1)
    if more or not _VPCE.fullmatch(vpce) or not _VPC.fullmatch(vpc):
        raise AwsFault("InvalidEndpoint", f"{text[:60]!r} is no VPC endpoint: use /via/vpce-…[,vpc-…[,private address]]", 400)
    return Origin(_address(private or "10.0.0.10", "use /via/vpce-…,vpc-…,<private address>"), vpce, vpc)


def _address(text: str, remedy: str) -> str:
    try:
        address(text)
        return str(ipaddress.ip_address(text))
    except (Unreadable, ValueError):
        raise AwsFault("InvalidEndpoint", f"{text[:60]!r} is no IP address: {remedy}", 400) from None
