"""The contexts that AWS can send (C-36, E-02), and that each kind of credential brings (table E, E-08, D.6), as regions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sekisho.decision.request import CredentialKind
from sekisho.policy.condition import Context, Value
from sekisho.policy.keys import key_of
from sekisho.proof.atoms import Ask, Atom
from sekisho.proof.region import Region, Space

MFA, AGE, ISSUED, SOURCE_IP = "aws:multifactorauthpresent", "aws:multifactorauthage", "aws:tokenissuetime", "aws:sourceip"
VPC_KEYS = ("aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip", "aws:sourcevpcarn", "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths")
USERS = (CredentialKind.CONSOLE, CredentialKind.KEY, CredentialKind.SESSION_TOKEN)
_NEVER_CONSOLE = ("sts:externalid", "sts:sourceidentity")


def presence(key: str, fixed: Mapping[str, Value | None]) -> Ask:
    """Whether a key is there at all; asking it splits *absent* off, whatever else is asked of the key."""

    def test(context: Context) -> bool:
        return key in context

    return Ask(("present", key), (key,), key, test, None, None)


def is_there(atom: Atom) -> bool:
    return atom.kind != "absent"


def is_absent(atom: Atom) -> bool:
    return atom.kind in ("absent", "unseen")


def _true(atom: Atom) -> bool:
    return atom.kind == "unseen" or (atom.kind == "sent" and atom.value == "true")


def _false(atom: Atom) -> bool:
    return atom.kind == "unseen" or (atom.kind == "sent" and atom.value == "false")


def possible_requests(space: Space, caller_kind: str) -> Region:
    """The contexts of ``space`` that AWS can send for a caller: no odd values; keys that are on every request are there (C-36);
    aws:SourceIp or the VPC keys, never both (E-02); MFA's age exactly with MFA, no MFA keys or issue time with long-term keys (table E)."""
    region = space.everything()
    for axis in space.axes:
        for key in axis.keys:
            always = key_of(key).always and caller_kind not in ("anonymous", "service", "federated")
            region &= space.where(key, lambda atom, always=always: atom.kind in ("sent", "unseen") or (atom.kind == "absent" and not always))
    from_internet = space.where(SOURCE_IP, is_there)
    if SOURCE_IP in space.axis_of_key:
        for key in VPC_KEYS:
            if key in space.axis_of_key:
                region &= ~from_internet | space.where(key, is_absent)
    if MFA in space.axis_of_key:
        with_mfa = space.where(MFA, _true)
        if AGE in space.axis_of_key:
            aged = space.where(AGE, is_there)
            region &= (with_mfa & aged) | (~with_mfa & space.where(AGE, is_absent))
        if ISSUED in space.axis_of_key and caller_kind == "user":
            # A long-term key has neither; with MFA parameters on the call it has MFA without an issue time.
            region &= space.where(ISSUED, is_absent) & (space.where(MFA, is_absent) | with_mfa) | space.where(ISSUED, is_there) & space.where(
                MFA, is_there
            )
    return region


def sent_with(space: Space, kind: CredentialKind, *, mfa: bool, on_call: bool = False) -> Region:
    """The contexts that requests signed with such credentials bring. ``mfa``: the credentials carry MFA, or, for a long-term key with
    ``on_call``, the AssumeRole call passes SerialNumber and TokenCode (E-08)."""
    long_term = kind in (CredentialKind.KEY, CredentialKind.ROOT)
    region = possible_requests(space, "user" if kind in USERS else "role-session")
    if (long_term and not on_call) or kind in (CredentialKind.FEDERATED, CredentialKind.IDENTITY_PROVIDER):
        region &= space.where(MFA, is_absent) & space.where(AGE, is_absent)
    else:
        region &= space.where(MFA, _true if mfa else _false) & space.where(AGE, is_there if mfa else is_absent)
    region &= space.where(ISSUED, is_absent if long_term else is_there)
    if kind is CredentialKind.CONSOLE:
        for key in _NEVER_CONSOLE:
            region &= space.where(key, is_absent)
        for key in space.axis_of_key:
            if key.startswith(("aws:requesttag/", "*aws:requesttag/")) or key in ("aws:tagkeys", "sts:transitivetagkeys"):
                region &= space.where(key, is_absent)
    return region


def union_of(regions: Iterable[Region], space: Space) -> Region:
    result = space.nothing()
    for region in regions:
        result |= region
    return result
