"""Sign-in with a password and a code, the first password change, and the console's switch role (rule book E-20, G-03 to G-06, H)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sekisho.decision import CredentialKind, Decision, request_context
from sekisho.decision.sign_in import sign_in_allowed
from sekisho.estate import User
from sekisho.sandbox import events, sts
from sekisho.sandbox.codes import use_code
from sekisho.sandbox.credentials import new_id, new_secret_key, new_session_token, password_matches
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.front import OPERATIONS, EmbeddedAws
from sekisho.sandbox.identity import Caller, authenticated
from sekisho.sandbox.operation import Work
from sekisho.sandbox.origin import Origin
from sekisho.sandbox.protocol import Call, service_model
from sekisho.sandbox.store import Session

CONSOLE_SESSION_S = 43200
"""D.4: a console session of an IAM user lasts 12 hours."""
TRIES = 10
LOCKED_S = 30.0
"""After so many wrong passwords in a row a user's sign-in is refused for this long, right password or not."""

INCORRECT = "Your authentication information is incorrect. Please try again."
SWITCH_REFUSED = "Invalid information in one or more fields. Check your information or contact your administrator."
"""H-05: the console's text, whatever the cause."""
_FAILED = "Failed authentication"


@dataclass(frozen=True)
class Client:
    """Where somebody signs in from, and with what program."""

    origin: Origin
    user_agent: str
    region: str = "us-east-1"


@dataclass(frozen=True)
class SignInRefused(Exception):
    """``reason``: incorrect | mfa_required | not_from_here | locked; ``message`` is what the page shows; ``event_id`` of the record."""

    reason: str
    message: str
    event_id: str | None = None


@dataclass(frozen=True)
class SignedIn:
    """A console session. ``must_change_password``: nothing else is possible before (AWS's reset on first sign-in)."""

    session: Session
    user: User
    event_id: str
    must_change_password: bool


def sign_in(aws: EmbeddedAws, client: Client, account_name: str, user_name: str, password: str, code: str | None = None) -> SignedIn:
    """Sign in as an IAM user of an account (its id or alias). ``code``: of the user's MFA device, asked for where there is one.

    Raises SignInRefused. A wrong password and a user that isn't there are refused in the same words and the same time.
    """
    store, now = aws.store, aws.store.clock.now()
    account = store.account_named(account_name)
    user = account.user(user_name) if account is not None else None
    login = store.passwords.get(f"{account.id}/{user_name}") if account is not None and user is not None else None
    locked = login is not None and login.locked_until > now.timestamp()
    good = password_matches(password, login.hashed if login is not None else None)
    if account is None:
        raise SignInRefused("incorrect", INCORRECT)

    def refuse(reason: str, message: str, *, mfa: bool = False) -> SignInRefused:
        event = events.record_console_login(
            store, account.id, user_name, now, client.origin, client.user_agent, mfa_used=mfa, serial=None, failure=_FAILED
        )
        store.commit()
        return SignInRefused(reason, message, event["eventID"])

    arn = user.arn if user is not None else f"arn:aws:iam::{account.id}:user/{user_name}"
    context = request_context(CredentialKind.CONSOLE, **client.origin.keys(), region=client.region)
    if not sign_in_allowed(account.sign_in, {**context, "signin:PrincipalArn": arn}):
        raise refuse("not_from_here", "Your administrator doesn't allow a sign-in from this network.")
    if locked:
        raise refuse("locked", INCORRECT)
    if not good or login is None or user is None:
        if login is not None:
            login.failures += 1
            if login.failures >= TRIES:
                login.failures, login.locked_until = 0, now.timestamp() + LOCKED_S
            store.put(login)
        raise refuse("incorrect", INCORRECT)
    devices = [d for d in store.devices_of(account.id, user_name) if d.enabled is not None]
    device = None
    if devices:
        if not code:
            raise SignInRefused("mfa_required", "Enter the code of your MFA device.")
        device = next((d for d in devices if use_code(store, d, code, now)), None)
        events.record_check_mfa(store, account.id, user_name, now, client.origin, client.user_agent, good=device is not None)
        if device is None:
            raise refuse("incorrect", "Your MFA code is wrong, or was used before. Wait for the next one.", mfa=True)
    login.failures, login.last_used = 0, now.strftime("%Y-%m-%dT%H:%M:%SZ")
    store.put(login)
    session = Session(
        id=new_session_token(), access_key_id=new_id("ASIA"), secret=new_secret_key(), kind=CredentialKind.CONSOLE.value, account=account.id,
        principal=user.arn, entity=user.arn, issued=now.timestamp(), expires=now.timestamp() + CONSOLE_SESSION_S,
        mfa_at=now.timestamp() if device is not None else None, console=True,
    )  # fmt: skip
    store.put(session)
    event = events.record_console_login(
        store, account.id, user_name, now, client.origin, client.user_agent, mfa_used=device is not None,
        serial=device.id if device is not None else None, failure=None,
    )  # fmt: skip
    store.commit()
    return SignedIn(session, user, event["eventID"], login.reset_required)


def caller_of(aws: EmbeddedAws, client: Client, session: Session) -> Caller:
    """Who a console session calls as. Raises AwsFault where the session is over."""
    return authenticated(aws.store, session.access_key_id, session.id, client.origin, client.user_agent, client.region)


def work_of(aws: EmbeddedAws, client: Client, session: Session, service: str, operation: str, params: dict[str, Any]) -> Work:
    """A call that the console makes for its user."""
    model = service_model(service)
    assert model is not None
    call = Call(service, operation, params, str(model.protocol), model.operation_model(operation))
    return Work(aws.store, caller_of(aws, client, session), call, aws.store.clock.now())


def console_call(aws: EmbeddedAws, client: Client, session: Session, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
    """Carry out a call of our own services as a console session: decided, recorded and durable as any other. Raises AwsFault."""
    work = work_of(aws, client, session, service, operation, params)
    request_id = new_id("")
    try:
        result = aws.run(work, OPERATIONS[service][operation])
    except AwsFault as fault:
        fault.event_id = events.record_failure(work, fault, request_id)["eventID"]
        raise
    finally:
        aws.store.commit()
    events.record_success(work, result, request_id)
    aws.store.commit()
    return dict(result)


def change_first_password(aws: EmbeddedAws, client: Client, session: Session, old: str, new: str) -> None:
    """The password change that a first sign-in asks for: iam:ChangePassword by the user, so policies can refuse it. Raises AwsFault."""
    console_call(aws, client, session, "iam", "ChangePassword", {"OldPassword": old, "NewPassword": new})


@dataclass(frozen=True)
class Switched:
    """A role session of the console. ``switch_event`` is the SwitchRole record's id."""

    session: Session
    role_arn: str
    switch_event: str


@dataclass(frozen=True)
class SwitchRefused(Exception):
    """``message`` is the console's (H-05); ``reason`` is AWS's own text, which only CloudTrail has; ``event_id`` of that record.

    ``decision`` is what refused it, where a decision did.
    """

    message: str
    reason: str
    event_id: str | None
    decision: Decision | None = None


def switch_role(aws: EmbeddedAws, client: Client, session: Session, account_name: str, role_name: str) -> Switched:
    """Switch role in the console: an AssumeRole that the console makes with the sign-in's own credentials (E-20).

    ``role_name`` is the role's path and name without the leading slash (H-02). Raises SwitchRefused.
    """
    store = aws.store
    account = store.account_named(account_name)
    account_id = account.id if account is not None else account_name
    arn = f"arn:aws:iam::{account_id}:role/{role_name.lstrip('/')}"
    user_name = session.principal.rpartition("/")[2]
    try:
        work = work_of(aws, client, session, "sts", "AssumeRole", {"RoleArn": arn, "RoleSessionName": user_name})
    except AwsFault as fault:
        raise SwitchRefused(SWITCH_REFUSED, fault.message, None) from None
    request_id = new_id("")
    try:
        for need in sts.OPERATIONS["AssumeRole"].needs(work):
            aws.allow(work, need)
    except AwsFault as fault:
        event = events.record_failure(work, fault, request_id, internally=True)
        store.commit()
        raise SwitchRefused(SWITCH_REFUSED, fault.message, event["eventID"], fault.decision) from None
    role = store.in_force(account_id).role(arn.rpartition("/")[2])
    assert role is not None
    left = session.expires - work.now.timestamp()
    switched = sts.assumed_role_session(work, role, user_name, int(min(role.max_session_s, left)), console=True)
    result = {"Credentials": sts.credentials_of(switched), "AssumedRoleUser": sts.assumed_role_user(role, switched)}
    events.record_success(work, result, request_id, internally=True)
    switch_event = events.record_switch_role(store, switched, role, session.principal, work.now, client.origin, client.user_agent)
    store.commit()
    return Switched(switched, arn, switch_event["eventID"])


__all__ = [
    "INCORRECT", "SWITCH_REFUSED", "Client", "SignInRefused", "SignedIn", "SwitchRefused", "Switched", "caller_of", "change_first_password",
    "console_call", "sign_in", "switch_role",
]  # fmt: skip
