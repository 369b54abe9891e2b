"""What ``sourceIPAddress`` holds (G-07), and the names that an organisation has for its networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Literal

from sekisho.policy import DEFAULT
from sekisho.policy.networks import NEVER_PUBLIC
from sekisho.policy.operators import Span, Unreadable, address, network

AddressKind = Literal["ip4", "ip6", "private", "service", "internal", "none", "other"]


@cache
def address_kind(text: str | None) -> AddressKind:
    """The kind of an address as CloudTrail writes it.

    >>> [address_kind(a) for a in ("203.0.113.5", "2001:db8::5", "10.0.0.1", "AWS Internal", "config.amazonaws.com")]
    ['ip4', 'ip6', 'private', 'internal', 'service']
    """
    if not text:
        return "none"
    if text == "AWS Internal":
        return "internal"
    try:
        found = address(text)
    except Unreadable:
        return "service" if text.endswith((".amazonaws.com", ".amazonaws.com.cn", ".aws.internal", ".amazon.com")) else "other"
    plain = ipaddress.IPv4Address(found.value) if found.family == 4 else ipaddress.IPv6Address(found.value)
    if any(plain in n for n in NEVER_PUBLIC if n.version == found.family):
        return "private"
    return "ip4" if found.family == 4 else "ip6"


class Networks:
    """Named networks; ``name_of`` says in which one an address lies.

    >>> Networks({"office": ["203.0.113.0/24"]}).name_of("203.0.113.9")
    'office'
    """

    def __init__(self, named: Mapping[str, Sequence[str]]) -> None:
        spans = [(network(cidr, DEFAULT), name) for name, cidrs in named.items() for cidr in cidrs]
        # The narrowest first, so that a network inside another one is called by its own name.
        self._spans: list[tuple[Span, str]] = sorted(spans, key=lambda s: s[0].high - s[0].low)
        self._seen: dict[str, str | None] = {}

    def name_of(self, text: str) -> str | None:
        """The name of the narrowest network that holds the address; None where none does, or ``text`` is no address."""
        if text not in self._seen:
            try:
                family, value = address(text)
            except Unreadable:
                self._seen[text] = None
            else:
                self._seen[text] = next((name for s, name in self._spans if s.family == family and s.low <= value <= s.high), None)
        return self._seen[text]

    def label(self, text: str | None) -> str:
        """A word for any sourceIPAddress: a network's name, ``unknown`` for a public address in none, or what kind of thing it is."""
        kind = address_kind(text)
        if kind in ("ip4", "ip6"):
            return self.name_of(text or "") or "unknown"
        return {"private": "VPC or private", "service": "AWS service", "internal": "AWS Internal", "none": "none"}.get(kind, "other")
