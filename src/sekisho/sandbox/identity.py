"""Who calls: the credentials behind a signature, and the context that policies see (table E)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sekisho.decision import CredentialKind, Decision, Request, request_context
from sekisho.decision.request import tag_context
from sekisho.policy import DEFAULT, Policy, PolicyKind, Settings
from sekisho.sandbox.fault import AwsFault, access_denied
from sekisho.sandbox.origin import Origin
from sekisho.sandbox.store import AccessKey, Session, Store

_BEHIND_A_SESSION = (CredentialKind.ROLE_SESSION, CredentialKind.FEDERATED)
"""Credentials whose ARN doesn't tell which role or user stands behind it (D-44)."""

CALLED_VIA = frozenset(f"{s}.amazonaws.com" for s in ("athena", "cloudformation", "dynamodb", "kms"))
"""Services whose calls on a caller's behalf have aws:CalledVia; those of others have aws:ViaAWSService alone (table E)."""
SERVICE_IP = "52.94.133.131"
"""An address of AWS's own: what a service's call on a caller's behalf comes from under the other reading of E-12."""


@dataclass(frozen=True)
class Caller:
    """An authenticated caller, or with ``kind`` None an anonymous one. ``session`` is None for a long-term key. ``origin``: where it comes from."""

    kind: CredentialKind | None
    principal: str
    account: str
    access_key_id: str
    origin: Origin
    user_agent: str
    region: str
    session: Session | None = None
    user: str = ""
    """The name of the user whose credentials these are, or from which the session was made; empty for roles and root."""
    tags: frozenset[str] = frozenset()
    """The keys of the tags of the role or user behind a session, in lower case."""

    @property
    def is_console(self) -> bool:
        return self.session is not None and self.session.console

    @cached_property
    def session_policies(self) -> tuple[Policy, ...] | None:
        if self.session is None or self.session.policies is None:
            return None
        return tuple(Policy.parse(text, kind=PolicyKind.SESSION, name="session policy") for text in self.session.policies)

    def context(self, now: datetime, via: tuple[str, ...] = (), settings: Settings = DEFAULT) -> dict[str, Any]:
        """The keys that every call with these credentials has; with ``via`` those of a service that calls on with them (E-12)."""
        session = self.session
        mfa_at = session.mfa_at if session else None
        found: dict[str, Any] = dict(
            request_context(
                self.kind or CredentialKind.ROOT,
                **self.origin.keys(),
                mfa=mfa_at is not None,
                mfa_age_s=None if mfa_at is None else int(now.timestamp() - mfa_at),
                issued=None if session is None else datetime.fromtimestamp(session.issued, UTC),
                now=now,
                region=self.region,
                user_agent=via[-1] if via else self.user_agent,
                via_aws_service=bool(via),
                called_via=[service for service in via if service in CALLED_VIA],
                service_ip=SERVICE_IP,
                settings=settings,
            )
        )
        if session is not None:
            hidden = frozenset() if settings.session_tag_wins else self.tags
            found |= tag_context("aws:PrincipalTag", [(k, v) for k, v in session.tags if k.lower() not in hidden])
            if session.source_identity:
                found["aws:SourceIdentity"] = session.source_identity
        return found

    def request(
        self, action: str, resource: str, now: datetime, extra: dict[str, Any] | None = None, account: str | None = None,
        via: tuple[str, ...] = (), settings: Settings = DEFAULT,
    ) -> Request:  # fmt: skip
        context = {**self.context(now, via, settings), **(extra or {})}
        return Request(
            self.principal, action, resource, context, resource_account=account, credentials=self.kind,
            session_policies=self.session_policies, role=self.session.entity if self.session and self.kind in _BEHIND_A_SESSION else "",
        )  # fmt: skip


def anonymous(origin: Origin, user_agent: str, region: str) -> Caller:
    """Somebody who signs nothing (S3 answers them where a bucket's policy lets them)."""
    return Caller(None, "anonymous", "", "", origin, user_agent, region)


def authenticated(store: Store, access_key_id: str, token: str | None, origin: Origin, user_agent: str, region: str) -> Caller:
    """The caller behind a key id and token whose signature holds. Raises AwsFault for keys and sessions that are no longer good."""
    if token is not None:
        return _of_session(store, access_key_id, token, origin, user_agent, region)
    key = store.key_in_force(access_key_id)
    if key is None or key.status != "Active":
        raise _invalid_token()
    if not key.user:
        return Caller(CredentialKind.ROOT, f"arn:aws:iam::{key.account}:root", key.account, key.id, origin, user_agent, region)
    user = store.in_force(key.account).user(key.user)
    if user is None:
        raise _invalid_token()
    return Caller(CredentialKind.KEY, user.arn, key.account, key.id, origin, user_agent, region, user=user.name)


def _of_session(store: Store, access_key_id: str, token: str, origin: Origin, user_agent: str, region: str) -> Caller:
    session = store.sessions.get(token)
    if session is None or session.access_key_id != access_key_id or session.revoked:
        raise _invalid_token()
    if session.expires <= store.clock.now().timestamp():
        raise AwsFault("ExpiredToken", "The security token included in the request is expired", 403)
    account = store.in_force(session.account)
    name = session.entity.rpartition("/")[2]
    alive = account.role(name) if ":role/" in session.entity else account.user(name)
    if alive is None or alive.arn != session.entity:
        raise _invalid_token()
    user = "" if ":role/" in session.entity else name
    tags = frozenset(key.lower() for key, _ in alive.tags)
    return Caller(
        CredentialKind(session.kind), session.principal, session.account, access_key_id, origin, user_agent, region, session, user, tags
    )


def secret_of(store: Store, access_key_id: str, token: str | None) -> str:
    """The secret that the client must have signed with. Raises AwsFault where there is no such key."""
    if token is not None:
        session = store.sessions.get(token)
        if session is None or session.access_key_id != access_key_id:
            raise _invalid_token()
        return session.secret
    key: AccessKey | None = store.key_in_force(access_key_id)
    if key is None:
        raise _invalid_token()
    return key.secret


def _invalid_token() -> AwsFault:
    return AwsFault("InvalidClientTokenId", "The security token included in the request is invalid.", 403)


def authorise(store: Store, request: Request) -> Decision:
    """Decide; raises AwsFault with AWS's text unless it is allowed. What can't be known is refused, and says so."""
    decision = store.authorizer.decide_anew(request)
    if not decision.allowed:
        text = decision.message
        # An account that isn't here doesn't exist, so it isn't unknown: AWS's words are enough.
        if decision.outcome == "unknown" and (request.resource_account is None or request.resource_account in store.accounts):
            text += " (Sekisho can't tell: " + "; ".join(decision.unknown_because) + ")"
        if decision.layer == "credentials" and text.startswith(_NO_TOKEN):
            # D-24: IAM with session keys that carry no MFA; AWS calls the token itself invalid.
            fault = AwsFault("InvalidClientTokenId", text, 403, denied=True)
            fault.decision = decision
            raise fault
        raise access_denied(text, decision)
    return decision


_NO_TOKEN = "The security token included in the request is invalid"
