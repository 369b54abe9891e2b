"""The API that is walked, as its clients see it: boto3 for AWS, JSON for the sign-in, each call from a chosen address."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sekisho.deploy.accounts import kept_on_endpoint
from sekisho.errors import OutsideError

TIMEOUT_S = 60


@dataclass(frozen=True)
class Keys:
    """Access keys: long-term ones have no session token. Never printed."""

    access_key_id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, credentials: Mapping[str, Any]) -> Keys:
        return cls(credentials["AccessKeyId"], credentials["SecretAccessKey"], credentials.get("SessionToken"))


@dataclass(frozen=True)
class Answered:
    """What came of a call: ``result`` where it was allowed; else AWS's code and text."""

    allowed: bool
    result: Mapping[str, Any]
    code: str = ""
    message: str = ""
    request_id: str | None = None
    event: str | None = None


class Api:
    """The endpoint, and how one comes from an address: ``/from/<address>`` in its path."""

    def __init__(self, endpoint: str) -> None:
        import boto3
        import botocore.config

        self.endpoint = endpoint.rstrip("/")
        self._session = boto3.Session(region_name="us-east-1")
        self._config = botocore.config.Config(retries={"max_attempts": 2, "mode": "standard"}, read_timeout=TIMEOUT_S, parameter_validation=False)
        self._shared = _session_of_whom(self._in_hand)
        self._thread = threading.local()
        self._clients: dict[tuple[str, str], Any] = {}

    def _in_hand(self) -> Keys:
        """The keys that this thread calls with at the moment."""
        keys: Keys = self._thread.keys
        return keys

    def client(self, service: str, address: str, keys: Keys) -> Any:
        """A boto3 client that calls from ``address``; empty: from this machine."""
        made = self._session.client(
            service, endpoint_url=self._endpoint(address), aws_access_key_id=keys.access_key_id, aws_secret_access_key=keys.secret,
            aws_session_token=keys.token, config=self._config,
        )  # fmt: skip
        return kept_on_endpoint(made)

    def _endpoint(self, address: str) -> str:
        return f"{self.endpoint}/from/{address}" if address else self.endpoint

    def _client_of_whoever(self, service: str, address: str) -> Any:
        """One client for all keys: making a client takes longer than a call, and a walk has thousands of keys."""
        wanted = (service, address)
        found = self._clients.get(wanted)
        if found is None:
            found = self._clients[wanted] = self._shared.create_client(
                service, region_name="us-east-1", endpoint_url=self._endpoint(address), config=self._config
            )
        return found

    def call(self, service: str, operation: str, address: str, keys: Keys, **params: Any) -> Answered:
        """One call with boto3. A refusal is an answer; a server that can't be reached raises OutsideError."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._thread.keys = keys
            result = getattr(self._client_of_whoever(service, address), operation)(**params)
        except ClientError as error:
            told = error.response.get("Error", {})
            request_id = error.response.get("ResponseMetadata", {}).get("RequestId")
            return Answered(False, {}, str(told.get("Code", "")), str(told.get("Message", "")), request_id)
        except BotoCoreError as error:
            raise OutsideError(f"{self.endpoint}: {service} {operation}: {error}", remedy="is it running? does it answer there?") from error
        return Answered(True, result, request_id=result.get("ResponseMetadata", {}).get("RequestId"))

    def sign_in(self, step: str, address: str, body: Mapping[str, str], token: str | None = None) -> Answered:
        """One step of the sign-in: ``login``, ``change-password`` or ``switch-role``."""
        headers = {"content-type": "application/json", "user-agent": "sekisho-walk"}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        url = f"{self.endpoint}/from/{address}/signin/{step}"
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
                result = json.load(answer)
        except urllib.error.HTTPError as error:
            told = json.loads(error.read() or b"{}")
            text = str(told.get("reason", "")) if step == "switch-role" else str(told.get("message", ""))
            return Answered(False, told, str(told.get("code", error.code)), text, event=told.get("event"))
        except (OSError, ValueError) as error:
            raise OutsideError(f"{url}: {error}", remedy="is it running? does it answer there?") from error
        return Answered(True, result, event=result.get("event"))


def _session_of_whom(in_hand: Callable[[], Keys]) -> Any:
    """A botocore session whose clients sign with the keys that ``in_hand`` gives at each call."""
    import botocore.session
    from botocore.credentials import CredentialProvider, CredentialResolver, Credentials, ReadOnlyCredentials

    class Whoever(Credentials):  # type: ignore[misc]
        def get_frozen_credentials(self) -> Any:
            keys = in_hand()
            return ReadOnlyCredentials(keys.access_key_id, keys.secret, keys.token)

    class Provider(CredentialProvider):  # type: ignore[misc]
        METHOD = "sekisho-walk"

        def load(self) -> Any:
            return Whoever("each", "call", "its own")

    session = botocore.session.Session()
    session.register_component("credential_provider", CredentialResolver([Provider()]))
    return session


class Codes:
    """Codes of one new device: each is good once, and from a new device three can be had at once."""

    def __init__(self, seed: str) -> None:
        import pyotp

        self._totp = pyotp.TOTP(seed)
        # A step that is about to end could be over before the server looks: then we'd be one code short.
        left = 30 - time.time() % 30
        if left < 4:
            time.sleep(left + 0.1)
        self._step = int(time.time()) // 30 - 1

    def take(self) -> str:
        """The next code in time, beginning with the one before now."""
        code = self._totp.generate_otp(self._step)
        self._step += 1
        return str(code)
