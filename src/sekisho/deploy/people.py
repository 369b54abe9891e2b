"""First passwords of new users, sessions that live on after a user has gone, and sessions of a role revoked (D-41, D-42)."""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from sekisho.deploy.calls import AwsError, Call, Clients, carried_out, document_text, run
from sekisho.deploy.changes import REVOKED
from sekisho.estate import Estate, Role
from sekisho.private_file import write_private

_KINDS = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!@#$%^&*()_+-=[]{}|'")
_LENGTH = 32


def new_password(length: int = _LENGTH) -> str:
    """A random password with a character of each kind that AWS's password policy can ask for."""
    random = secrets.SystemRandom()
    letters = [random.choice(kind) for kind in _KINDS] + [random.choice("".join(_KINDS)) for _ in range(length - len(_KINDS))]
    random.shuffle(letters)
    return "".join(letters)


def hand_out_passwords(clients: Clients, account: str, users: Iterable[str], file: Path) -> list[str]:
    """Give users a first password, to be changed at the first sign-in, written to ``file`` (0600) *before* AWS is told.

    A user who has a password already is left alone. Returns the names of those who got one. Raises AwsError.
    """
    given: dict[str, str] = _read(file)
    made = []
    for user in users:
        given[user] = password = new_password()
        write_private(file, json.dumps(given, indent=1) + "\n")
        iam = clients.client(account, "iam")
        create = partial(iam.create_login_profile, UserName=user, Password=password, PasswordResetRequired=True)
        try:
            carried_out(account, "iam:CreateLoginProfile", create)
            made.append(user)
        except AwsError as error:
            if error.code != "EntityAlreadyExists":
                raise
            del given[user]
            write_private(file, json.dumps(given, indent=1) + "\n")
    return made


def _read(file: Path) -> dict[str, str]:
    try:
        return dict(json.loads(file.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return {}


def revocation(role: Role, at: datetime) -> Call:
    """The call that ends all sessions of a role which were issued before ``at`` (D-41): what the console's button does."""
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny", "Action": ["*"], "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")}},
            }
        ],
    }  # fmt: skip
    params = {"RoleName": role.name, "PolicyName": REVOKED, "PolicyDocument": document_text(document)}
    return Call(role.arn.split(":")[4], "iam", "PutRolePolicy", params)


def revoke(role: Role, clients: Clients, at: datetime) -> None:
    """End all sessions of a role until now. New sessions work at once."""
    run(revocation(role, at), clients)


def sessions_left(estate: Estate, roles: Mapping[str, Sequence[Role]], user: str, now: datetime) -> list[str]:
    """What of a user who goes lives on (D-42): for each role that they could reach, until when a session may last at most."""
    found = []
    names = {a.id: a.name or a.id for a in estate.accounts}
    for role in roles.get(user, ()):
        until = now + timedelta(seconds=role.max_session_s)
        found.append(f"sessions of {names[role.arn.split(':')[4]]}/{role.name} that {user} has may live until {until:%Y-%m-%dT%H:%M:%SZ}")
    return found


def who_did(clients: Clients, account: str, subject: str, since: datetime | None = None) -> str | None:
    """Who changed a principal or policy last and when, from CloudTrail; None where the trail has nothing of it. Raises AwsError."""
    trail = clients.client(account, "cloudtrail")
    for value in dict.fromkeys((subject, subject.rpartition("/")[2])):
        attribute = [{"AttributeKey": "ResourceName", "AttributeValue": value}]
        look = partial(trail.lookup_events, LookupAttributes=attribute, MaxResults=50)
        page: Mapping[str, Any] = carried_out(account, "cloudtrail:LookupEvents", look)
        for event in page.get("Events", ()):
            if str(event.get("EventSource", "")) == "iam.amazonaws.com" and not str(event["EventName"]).startswith(("Get", "List")):
                body = json.loads(event.get("CloudTrailEvent") or "{}")
                if body.get("errorCode"):
                    continue
                who = body.get("userIdentity", {}).get("arn") or event.get("Username") or "unknown"
                at = event["EventTime"].astimezone(UTC)
                return f"{event['EventName']} by {who} from {body.get('sourceIPAddress', 'unknown')} at {at:%Y-%m-%dT%H:%M:%SZ}"
    return None
