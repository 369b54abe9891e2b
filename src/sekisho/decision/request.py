"""A request to AWS as policies see it: who asks for what, and the context that each kind of credential brings (rule book E)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any

from sekisho.errors import InputError
from sekisho.policy import DEFAULT, Policy, Settings
from sekisho.policy.condition import Context, Value, normal_value
from sekisho.policy.keys import LOWER
from sekisho.policy.operators import Unreadable, moment
from sekisho.policy.principals import Caller, caller


class CredentialKind(Enum):
    """The columns of table E: what a request is signed with."""

    CONSOLE = "console"
    """A console session of an IAM user."""
    KEY = "key"
    """A long-term access key of an IAM user."""
    SESSION_TOKEN = "session-token"
    """Temporary keys from GetSessionToken."""
    ROLE_SESSION = "role-session"
    IDENTITY_PROVIDER = "identity-provider"
    """A role session from AssumeRoleWithSAML or AssumeRoleWithWebIdentity, or of Identity Center: no MFA keys, ever (E-09)."""
    FEDERATED = "federated"
    """Temporary keys from GetFederationToken."""
    ROOT = "root"


class Subject:
    """Who asks for what: all of a request but its context. Equal ones are one object as a rule, so that looking one up is quick."""

    __slots__ = ("_hash", "_parts", "action", "caller", "credentials", "principal", "resource", "resource_account", "session_policies")

    def __init__(
        self,
        principal: str,
        who: Caller,
        action: str,
        resource: str,
        resource_account: str | None,
        known_account: object,
        credentials: CredentialKind | None,
        session_policies: tuple[Policy, ...] | None,
    ) -> None:
        self.principal = principal
        self.caller = who
        self.action = action
        self.resource = resource
        self.resource_account = resource_account
        self.credentials = credentials
        self.session_policies = session_policies
        self._parts = (who, action, resource, resource_account or known_account, credentials, session_policies)
        self._hash = hash(self._parts)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Subject) and self._parts == other._parts)

    def __hash__(self) -> int:
        return self._hash


class Request:
    """One request, immutable. ``context`` maps condition keys (any letter case) to a text, number, boolean, or a list for many values.

    ``principal``: the ARN of a user, role session, federated user or root, a service's host name, or ``anonymous``.
    ``credentials`` refines what STS and IAM let such credentials do at all (D-24, D-25); None: only what the principal tells.
    ``session_policies`` are those passed when the session was made (D-04); None: none were passed.
    ``role`` is the ARN with path of a session's role, where it isn't ``role/NAME``; of a federated user the ARN of the user behind it.
    Raises InputError for a principal or a context value of no known form, and for a key that stands twice in two letter cases.

    >>> Request("arn:aws:iam::111122223333:user/alice", "sts:AssumeRole", "*", {"aws:SourceIp": "203.0.113.10"}).action
    'sts:AssumeRole'
    """

    __slots__ = ("_context", "_key", "_subject")

    def __init__(
        self,
        principal: str,
        action: str,
        resource: str = "*",
        context: Mapping[str, Any] | None = None,
        *,
        resource_account: str | None = None,
        credentials: CredentialKind | None = None,
        session_policies: tuple[Policy, ...] | None = None,
        role: str = "",
    ) -> None:
        found: dict[str, Value] = {}
        if context:
            lower = LOWER.get
            for key, value in context.items():
                if value.__class__ is str:
                    found[lower(key) or key.lower()] = value
                    continue
                try:
                    normal = normal_value(value)
                except TypeError as error:
                    raise InputError(f"context key {key}: {value!r} can't be a value", expected=str(error)) from None
                if normal is not None:
                    found[key.lower()] = normal
            if len(found) < len(context):
                _once_each(context)
        if "aws:currenttime" in found or "aws:epochtime" in found:
            one_clock(found)
        self._context: Context = found
        self._subject = _subject(
            principal, action, resource, resource_account, found.get("aws:resourceaccount"), credentials, session_policies,
            role, found.get("aws:principalarn"), found.get("aws:userid"),
        )  # fmt: skip
        self._key: frozenset[object] | None = None

    @property
    def principal(self) -> str:
        return self._subject.principal

    @property
    def action(self) -> str:
        return self._subject.action

    @property
    def resource(self) -> str:
        return self._subject.resource

    @property
    def context(self) -> Context:
        return self._context

    @property
    def resource_account(self) -> str | None:
        return self._subject.resource_account

    @property
    def credentials(self) -> CredentialKind | None:
        return self._subject.credentials

    @property
    def session_policies(self) -> tuple[Policy, ...] | None:
        return self._subject.session_policies

    @property
    def caller(self) -> Caller:
        return self._subject.caller

    @property
    def question(self) -> Subject:
        """What the answer depends on besides the context; equal for requests that differ in context alone."""
        return self._subject

    @property
    def key(self) -> frozenset[object]:
        """All that the answer depends on: equal for equal requests. A frozenset, because it keeps its hash, and compares without Python code."""
        key = self._key
        if key is None:
            key = self._key = frozenset((self._subject, *self._context.items()))
        return key

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Request) and self.key == other.key

    def __repr__(self) -> str:
        return f"Request({self.principal!r}, {self.action!r}, {self.resource!r}, {dict(self.context)!r})"

    def replace(self, **changes: Any) -> Request:
        """The same request with some parts changed; ``context`` replaces the whole context."""
        return Request(**{**self._as_arguments(), **changes})

    def _as_arguments(self) -> dict[str, Any]:
        return {
            "principal": self.principal, "action": self.action, "resource": self.resource, "context": self.context,
            "resource_account": self.resource_account, "credentials": self.credentials,
            "session_policies": self.session_policies,
            "role": self.caller.entity if self.caller.session and not self.caller.path_unknown else "",
        }  # fmt: skip

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew in the process that it travels to: hashes of texts differ from process to process, and ours are kept.
        return _request, (self._as_arguments(),)

    def with_context(self, changes: Mapping[str, Any]) -> Request:
        """The same request with some context keys set; a key whose value is None is taken away."""
        return self.replace(context={**self.context, **{k.lower(): v for k, v in changes.items()}})


def _request(arguments: dict[str, Any]) -> Request:
    return Request(**arguments)


def _once_each(context: Mapping[str, Any]) -> None:
    """C-03: a key in two letter cases is one key twice; which of the values counts, nobody could tell."""
    seen: dict[str, str] = {}
    for key in context:
        if key.lower() in seen:
            raise InputError(f"context key {key} stands twice", expected=f"each key once, in any letter case; the other is {seen[key.lower()]}")
        seen[key.lower()] = key


@lru_cache(maxsize=16_384)
def _subject(
    principal: str,
    action: str,
    resource: str,
    resource_account: str | None,
    known_account: object,
    credentials: CredentialKind | None,
    session_policies: tuple[Policy, ...] | None,
    role: str,
    principal_arn: Value | None,
    userid: Value | None,
) -> Subject:
    """``known_account``, ``principal_arn``, ``userid``: what the context says of the resource's account and of the caller."""
    who = _caller(principal, role, principal_arn, userid)
    return Subject(principal, who, action, resource, resource_account, known_account, credentials, session_policies)


def _caller(principal: str, role: str, arn: Value | None, userid: Value | None) -> Caller:
    unique = userid.partition(":")[0] if isinstance(userid, str) else ""
    entity = ""
    if ":assumed-role/" in principal or ":federated-user/" in principal:
        entity = role or (arn if isinstance(arn, str) else "")
        if entity and not _may_be_behind(entity, principal):
            if role:
                raise InputError(f"{role} is not behind {principal}", expected="the session's own role, or the user of a federated user")
            entity = ""
    who = caller(principal, entity=entity, unique_id=unique)
    if who is None:
        raise InputError(
            f"{principal!r} is no principal",
            expected="the ARN of a user, role, role session, federated user or root, a service such as ec2.amazonaws.com, or anonymous",
        )
    return who


def _may_be_behind(entity: str, session: str) -> bool:
    """Whether an IAM ARN can be the role (D-44: of the same name) or the user that a session's ARN is of."""
    have, of = entity.split(":", 5), session.split(":", 5)
    if len(have) != 6 or len(of) != 6 or have[1] != of[1] or have[2] != "iam" or have[4] != of[4]:
        return False
    if of[5].startswith("federated-user/"):
        return have[5].startswith("user/")
    return have[5].startswith("role/") and have[5].rpartition("/")[2] == of[5].split("/")[1]


def one_clock(context: dict[str, Value]) -> None:
    """C-36: aws:CurrentTime and aws:EpochTime are one clock; whichever is given gives the other."""
    known, missing = ("aws:currenttime", "aws:epochtime") if "aws:currenttime" in context else ("aws:epochtime", "aws:currenttime")
    value = context[known]
    if missing in context or not isinstance(value, str):
        return
    try:
        context[missing] = str(moment(value))
    except Unreadable:
        context[missing] = value


def derived_context(who: Caller) -> dict[str, Value]:
    """The keys that AWS always derives from the principal (E-01, E-03, table E), without what only an estate knows."""
    keys: dict[str, Value] = {
        "aws:viaawsservice": "false",
        "aws:securetransport": "true",
        "aws:principalisawsservice": "true" if who.kind == "service" else "false",
    }
    kinds = {
        "user": "User", "role-session": "AssumedRole", "role": "AssumedRole", "root": "Account",
        "federated-user": "FederatedUser", "anonymous": "Anonymous", "federated": "Anonymous",
    }  # fmt: skip
    if who.kind in kinds:
        keys["aws:principaltype"] = kinds[who.kind]
    if who.kind == "anonymous":
        keys["aws:principalaccount"] = "anonymous"
        del keys["aws:principalisawsservice"]
        return keys
    if who.kind == "service":
        keys["aws:principalservicename"] = who.arn
        return keys
    if who.account:
        keys["aws:principalaccount"] = who.account
    if who.kind == "user":
        keys["aws:principalarn"] = who.arn
        keys["aws:username"] = who.name
        if who.unique_id:
            keys["aws:userid"] = who.unique_id
    elif who.kind in ("role-session", "role"):
        keys["aws:principalarn"] = who.entity
        if who.unique_id and who.session:
            keys["aws:userid"] = f"{who.unique_id}:{who.session}"
    elif who.kind == "root":
        keys["aws:principalarn"] = who.arn
        keys["aws:userid"] = who.account
    elif who.kind == "federated-user":
        keys["aws:principalarn"] = who.arn
        keys["aws:userid"] = f"{who.account}:{who.name}"
    return keys


def request_context(
    kind: CredentialKind,
    *,
    source_ip: str | None = None,
    source_vpc: str | None = None,
    source_vpce: str | None = None,
    vpc_source_ip: str | None = None,
    mfa: bool | None = None,
    mfa_age_s: int | None = None,
    issued: datetime | None = None,
    now: datetime | None = None,
    via_aws_service: bool = False,
    called_via: Sequence[str] = (),
    service_ip: str | None = None,
    region: str | None = None,
    user_agent: str | None = None,
    settings: Settings = DEFAULT,
) -> dict[str, Value]:
    """The context that a request carries by kind of credential (table E); times in UTC, ages in seconds.

    ``mfa``: whether the credentials themselves carry MFA. A long-term key has no MFA keys at all, whatever is passed.
    Either ``source_ip`` or the VPC keys, never both (E-02): with any of the VPC keys ``source_ip`` is left out.
    ``via_aws_service``: a service calls on with the caller's credentials (forward access session, column e). Its address is the first
    call's, or under the other reading of E-12 (``settings.fas_source_ip``) ``service_ip``; nothing of a VPC endpoint survives.

    >>> request_context(CredentialKind.KEY, source_ip="203.0.113.5")
    {'aws:ViaAWSService': 'false', 'aws:SecureTransport': 'true', 'aws:SourceIp': '203.0.113.5'}
    """
    context: dict[str, Value] = {"aws:ViaAWSService": "true" if via_aws_service else "false", "aws:SecureTransport": "true"}
    vpc_keys = {k: v for k, v in (("SourceVpc", source_vpc), ("SourceVpce", source_vpce), ("VpcSourceIp", vpc_source_ip)) if v is not None}
    if via_aws_service:
        address = service_ip if settings.fas_source_ip == "service" else None if vpc_keys else source_ip
        if address is not None:
            context["aws:SourceIp"] = address
    elif vpc_keys:
        context.update({f"aws:{key}": value for key, value in vpc_keys.items()})
    elif source_ip is not None:
        context["aws:SourceIp"] = source_ip
    if called_via:
        context["aws:CalledVia"] = tuple(called_via)
        context["aws:CalledViaFirst"], context["aws:CalledViaLast"] = called_via[0], called_via[-1]
    if kind in _WITH_MFA_KEYS:
        context["aws:MultiFactorAuthPresent"] = "true" if mfa else "false"
        if mfa and mfa_age_s is not None:
            context["aws:MultiFactorAuthAge"] = str(mfa_age_s)
    elif kind is CredentialKind.KEY and via_aws_service:
        context["aws:MultiFactorAuthPresent"] = "false"
    if issued is not None and kind not in (CredentialKind.KEY, CredentialKind.ROOT):
        context["aws:TokenIssueTime"] = _iso(issued)
    if now is not None:
        context["aws:CurrentTime"] = _iso(now)
        context["aws:EpochTime"] = str(int(now.timestamp()))
    if region is not None:
        context["aws:RequestedRegion"] = region
    if user_agent is not None:
        context["aws:UserAgent"] = user_agent
    return context


_WITH_MFA_KEYS = (CredentialKind.CONSOLE, CredentialKind.SESSION_TOKEN, CredentialKind.ROLE_SESSION)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tag_context(prefix: str, tags: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Tags as context keys: ``tag_context("aws:PrincipalTag", [("team", "a")])`` → ``{"aws:PrincipalTag/team": "a"}``."""
    return {f"{prefix}/{key}": value for key, value in tags}
