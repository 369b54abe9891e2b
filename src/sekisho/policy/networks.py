"""Networks that no request over the internet comes from (F-07)."""

from __future__ import annotations

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

NEVER_PUBLIC: tuple[Network, ...] = tuple(
    ipaddress.ip_network(n)
    for n in (
        "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128",
        "0.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "ff00::/8", "::/128",
    )
)  # fmt: skip
"""F-07, and the ranges that no packet comes from: nothing here is ever in aws:SourceIp."""


def is_never_public(network: Network) -> bool:
    """Whether all of a network lies in one of them.

    >>> is_never_public(ipaddress.ip_network("192.168.4.0/24"))
    True
    """
    return any(network.version == never.version and network.subnet_of(never) for never in NEVER_PUBLIC)  # type: ignore[arg-type]
