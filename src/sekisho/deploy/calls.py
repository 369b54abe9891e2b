"""One call of an AWS API as a value, and how it is carried out: through a boto3 client of its account."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sekisho.errors import OutsideError

REGION = "us-east-1"
"""IAM is global; its calls are signed for this Region (E-05)."""
LOOKS = 35
"""How often we look whether a change has reached the part of AWS that needs it (D-43), with growing pauses: about a minute together."""


class Clients(Protocol):
    """Whoever can reach accounts: a boto3 client of a service, with credentials of the account."""

    def client(self, account: str, service: str) -> Any: ...


@dataclass(frozen=True)
class Call:
    """``operation`` in AWS's spelling (``CreateUser``), ``params`` as boto3 takes them.

    >>> str(Call("111122223333", "iam", "CreateUser", {"UserName": "sato"}))
    'iam:CreateUser UserName=sato in 111122223333'
    """

    account: str
    service: str
    operation: str
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __str__(self) -> str:
        shown = " ".join(f"{k}={v}" for k, v in self.params.items() if isinstance(v, str) and not v.startswith("{"))
        return f"{self.service}:{self.operation}{' ' + shown if shown else ''} in {self.account}"

    def to_json(self) -> dict[str, Any]:
        return {"account": self.account, "service": self.service, "operation": self.operation, "params": dict(self.params)}

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Call:
        return cls(body["account"], body["service"], body["operation"], dict(body["params"]))


class AwsError(OutsideError):
    """AWS refused a call, or couldn't be asked. ``code`` is AWS's own, or ``Unreachable``.

    ``retried``: the call was sent more than once, so that an earlier try may have worked.
    """

    def __init__(self, message: str, *, code: str, retried: bool = False, remedy: str | None = None) -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.retried = retried


_REMEDIES = {
    "AccessDenied": "the profile needs leave for this call; `sekisho collect` needs reading, `apply` needs changing of IAM",
    "ExpiredToken": "sign in again, then run the same command: it goes on where it stopped",
    "ExpiredTokenException": "sign in again, then run the same command: it goes on where it stopped",
    "InvalidClientTokenId": "the access key is unknown or switched off: see the profile's credentials",
    "SignatureDoesNotMatch": "the secret access key is not the one, or this machine's clock is wrong",
    "RequestExpired": "set this machine's clock: AWS takes 15 minutes of difference",
    "LimitExceeded": "ask AWS for more, or want less; what was done stays, `apply --rollback` takes it back",
    "DeleteConflict": "something still hangs on it that Sekisho doesn't manage: remove that, then run the same command",
}

_AGAIN = "run the same command again; an apply goes on where it stopped"
_NO_CREDENTIALS = "give --profile or --role; the profile must be in your AWS config"
_NO_NETWORK = "see whether the network and AWS_ENDPOINT_URL are right, then run the same command: it goes on where it stopped"


def document_text(document: Mapping[str, Any]) -> str:
    """A policy document as it is sent: no white space, which AWS's quotas don't count anyhow."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def carried_out(account: str, what: str, function: Callable[[], Any]) -> Any:
    """The answer of a boto3 call; what goes wrong becomes an AwsError that names the account and the call."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return function()
    except ClientError as error:
        body = error.response.get("Error", {})
        code, text = str(body.get("Code", "")), str(body.get("Message", ""))
        retried = error.response.get("ResponseMetadata", {}).get("RetryAttempts", 0) > 0
        raise AwsError(f"{account}: {what}: {code}: {text}", code=code, retried=retried, remedy=_remedy(code, text)) from error
    except BotoCoreError as error:
        text = str(error)
        remedy = _NO_CREDENTIALS if any(w in text.lower() for w in ("credential", "profile")) else _NO_NETWORK
        raise AwsError(f"{account}: {what}: {text}", code="Unreachable", retried=True, remedy=remedy) from error


_SIGNED_AT = re.compile(r"Signature (?:expired|not yet current): (\d{8}T\d{6}Z) .*\((\d{8}T\d{6}Z) [-+] 15 min")


def _remedy(code: str, text: str) -> str:
    """What to do about an error of AWS's; where it says when we signed and what time it has, which way this machine's clock is wrong."""
    found = _SIGNED_AT.search(text)
    if found is None:
        return _REMEDIES.get(code, _AGAIN)
    signed, now = (datetime.strptime(part, "%Y%m%dT%H%M%SZ") for part in found.groups())
    minutes = round((signed - now).total_seconds() / 60)
    return (
        f"this machine's clock is {abs(minutes)} minutes {'behind' if minutes < 0 else 'ahead'}: set it (AWS takes 15 minutes of difference), "
        "then run the same command"
    )


def run(call: Call, clients: Clients, *, pause: Callable[[float], None] = time.sleep) -> Mapping[str, Any]:
    """Carry out a call and return AWS's answer without its metadata. Raises AwsError.

    A new user or role isn't everywhere at once (D-43): where AWS says that a principal of a trust policy, or an entity that we have just
    made, doesn't exist, we look again until it does, a minute long.
    """
    from botocore import xform_name

    method = getattr(clients.client(call.account, call.service), xform_name(call.operation))
    for look in range(LOOKS):
        try:
            answer = carried_out(call.account, f"{call.service}:{call.operation}", lambda: method(**call.params))
        except AwsError as error:
            if look == LOOKS - 1 or not _not_there_yet(call, error):
                raise
            pause(min(0.05 * 1.5**look, 2.0))
            continue
        return {k: v for k, v in (answer or {}).items() if k != "ResponseMetadata"}
    raise AssertionError("unreachable")


def _not_there_yet(call: Call, error: AwsError) -> bool:
    trusts = call.operation in ("CreateRole", "UpdateAssumeRolePolicy")
    return trusts and error.code == "MalformedPolicyDocument" and "Invalid principal" in error.message
