"""Principal elements and whom they name (A.3), and how directly: the column of D.2 that a resource policy's Allow falls under."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, Literal

CallerKind = Literal["user", "role-session", "federated-user", "root", "service", "federated", "anonymous", "role"]


class Grant(IntEnum):
    """How a principal element names the caller; higher bypasses more in the same account (D.2)."""

    NONE = 0
    ACCOUNT = 1
    """Delegated to the account: identity policy, boundary and session policy all still apply."""
    ROLE = 2
    """The role of the session, or the user of a federated session: boundary and session policy still apply."""
    DIRECT = 3
    """The user, the session itself, or anyone: nothing else is needed in the same account."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as principal elements see it. ``arn`` as in ``aws:userid``'s owner: the session's own ARN for sessions.

    ``entity`` is the IAM ARN behind it (the user's, or the role's with its path). ``unique_id`` (AIDA…, AROA…) where known.
    """

    kind: CallerKind
    arn: str
    account: str = ""
    partition: str = "aws"
    name: str = ""
    entity: str = ""
    session: str = ""
    unique_id: str = ""
    path_unknown: bool = False
    """A session's ARN doesn't tell its role's path, and nobody else did: the account's one role of that name is meant (D-44)."""


_ARN = re.compile(r"arn:([a-z0-9-]+):(iam|sts)::(\d{12}|aws|cloudfront):(.+)", re.DOTALL)


_OIDC_AT_AWS = ("cognito-identity.amazonaws.com", "www.amazon.com")
"""OpenID providers whose host names look like a service's."""


@lru_cache(maxsize=8192)
def caller(principal: str, *, entity: str = "", unique_id: str = "") -> Caller | None:
    """Read a principal: an ARN of a user, role session, federated user, root or role; a service's host name; ``anonymous``.

    ``entity``: the role's ARN with its path, which a session's ARN doesn't tell (D-44). None when it is none of these.

    >>> caller("arn:aws:sts::222222222222:assumed-role/Ops/alice").entity
    'arn:aws:iam::222222222222:role/Ops'
    """
    if principal in ("anonymous", "*"):
        return Caller("anonymous", "anonymous")
    match = _ARN.fullmatch(principal)
    if not match:
        if principal.startswith("arn:") or "/" in principal or ":" in principal:
            return None
        if principal not in _OIDC_AT_AWS and principal.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal")):
            return Caller("service", principal)
        return Caller("federated", principal) if re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)+", principal) else None
    partition, service, account, rest = match.groups()
    kind, _, tail = rest.partition("/")
    if service == "iam" and rest == "root":
        return Caller("root", principal, account, partition, "root", principal, unique_id=account)
    if service == "iam" and kind == "user" and tail:
        return Caller("user", principal, account, partition, tail.rpartition("/")[2], principal, unique_id=unique_id)
    if service == "iam" and kind == "role" and tail:
        return Caller("role", principal, account, partition, tail.rpartition("/")[2], principal, unique_id=unique_id)
    if service == "iam" and kind in ("saml-provider", "oidc-provider") and tail:
        return Caller("federated", principal, account, partition, tail)
    if service == "sts" and kind == "assumed-role" and tail.count("/") == 1:
        role, session = tail.split("/")
        if role and session:
            guessed = f"arn:{partition}:iam::{account}:role/{role}"
            return Caller("role-session", principal, account, partition, role, entity or guessed, session, unique_id, path_unknown=not entity)
    if service == "sts" and kind == "federated-user" and tail:
        user = entity or ""
        return Caller("federated-user", principal, account, partition, tail, user, tail, unique_id)
    return None


@dataclass(frozen=True, slots=True)
class PrincipalElement:
    """A Principal or NotPrincipal element: ``anyone`` for ``"*"`` and ``{"AWS": "*"}``; else the named ones by type."""

    aws: tuple[str, ...] = ()
    service: tuple[str, ...] = ()
    federated: tuple[str, ...] = ()
    canonical: tuple[str, ...] = ()
    anyone: bool = False

    def names(self, who: Caller) -> Grant:
        """The most direct way in which the element names the caller; Grant.NONE if it doesn't."""
        if self.anyone:
            return Grant.DIRECT
        if who.kind == "service":
            return Grant.DIRECT if who.arn in self.service else Grant.NONE
        if who.kind == "federated":
            provider = ":oidc-provider/" + who.arn
            named = any(entry in (who.arn, who.name) or entry.endswith(provider) for entry in self.federated)
            return Grant.DIRECT if named else Grant.NONE
        best = Grant.NONE
        for entry in self.aws:
            found = _entry_names(entry, who)
            if found > best:
                best = found
                if best == Grant.DIRECT:
                    break
        return best


def _entry_names(entry: str, who: Caller) -> Grant:
    if entry == who.arn and entry:
        # A role's own ARN as caller stands for all its sessions, so it is named as its sessions would be.
        return Grant.ROLE if who.kind == "role" else Grant.ACCOUNT if who.kind == "root" else Grant.DIRECT
    if entry == who.entity and entry:
        return Grant.ROLE
    if who.path_unknown and entry.endswith("/" + who.name) and entry.startswith(f"arn:{who.partition}:iam::{who.account}:role/"):
        return Grant.ROLE
    if who.account and entry in (who.account, f"arn:{who.partition}:iam::{who.account}:root"):
        return Grant.ACCOUNT
    if who.unique_id and entry == who.unique_id:
        return Grant.DIRECT if who.kind == "user" else Grant.ROLE
    return Grant.NONE


_NAME = r"[\w+=,.@/\-]+"
_AWS_FORMS = re.compile(
    rf"\*|\d{{12}}|arn:aws[a-z-]*:iam::\d{{12}}:(root|user/{_NAME}|role/{_NAME})"
    rf"|arn:aws[a-z-]*:iam::cloudfront:user/.+"
    rf"|arn:aws[a-z-]*:sts::\d{{12}}:(assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME})"
    r"|A(IDA|ROA)[A-Z0-9]{12,124}",
    re.ASCII,
)  # fmt: skip


class BadPrincipal(ValueError):
    """``type`` and ``value`` as AWS names them in ``Invalid principal in policy: "AWS":"<value>"`` (A-30)."""

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f'Invalid principal in policy: "{kind}":"{value}"')


def principal_element(value: str | Mapping[str, Any]) -> PrincipalElement:
    """Read the JSON value of a Principal element. Raises BadPrincipal (A-30) or ValueError (not of the element's shape)."""
    if isinstance(value, str):
        if value != "*":
            raise BadPrincipal("STAR", value)
        return PrincipalElement(anyone=True)
    named: dict[str, tuple[str, ...]] = {}
    for kind, entries in value.items():
        if kind not in ("AWS", "Service", "Federated", "CanonicalUser"):
            raise ValueError(kind)
        listed: Sequence[Any] = [entries] if isinstance(entries, str) else entries
        if not isinstance(listed, list) or not all(isinstance(e, str) for e in listed):
            raise ValueError(kind)
        named[kind] = tuple(listed)
    for entry in named.get("AWS", ()):
        if not _AWS_FORMS.fullmatch(entry):
            raise BadPrincipal("AWS", entry)
    for kind in ("Service", "Federated"):
        for entry in named.get(kind, ()):
            if not entry or "*" in entry:
                raise BadPrincipal(kind, entry)
    aws = named.get("AWS", ())
    return PrincipalElement(aws, named.get("Service", ()), named.get("Federated", ()), named.get("CanonicalUser", ()), anyone="*" in aws)
