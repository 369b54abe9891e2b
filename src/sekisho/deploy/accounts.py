"""How accounts are reached: by a profile for each, or by a role assumed in each. The endpoint is boto3's business (AWS_ENDPOINT_URL)."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any
from urllib.parse import urlsplit

from sekisho.deploy.calls import REGION, carried_out
from sekisho.errors import InputError

ATTEMPTS = 8
"""How often botocore tries a throttled or broken call before we hear of it."""

_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".api.aws")


@dataclass
class Accounts:
    """boto3 clients by account, made once each; a profile or role that leads to another account than it should is an error.

    ``profile``: a pattern in which ``{account}`` and ``{name}`` are replaced. ``role``: the name of a role, assumed in every account but the
    one that the credentials are of. ``mfa`` is the serial of an MFA device; ``ask_code`` is asked once for its code. ``names``: account → name.
    """

    profile: str | None = None
    role: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    mfa: str | None = None
    ask_code: Callable[[], str] | None = None
    _clients: dict[tuple[str, str], Any] = field(default_factory=dict, repr=False)
    _sessions: dict[str, Any] = field(default_factory=dict, repr=False)
    _who: dict[str, str] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def client(self, account: str, service: str) -> Any:
        """A client of ``service`` with credentials of ``account``. Raises InputError, or AwsError where AWS refuses."""
        with self._lock:
            key = (account, service)
            if key not in self._clients:
                self._clients[key] = self._made(self._session(account), service)
            return self._clients[key]

    def who(self, account: str) -> str:
        """The ARN that calls in this account are made as."""
        self.client(account, "sts")
        return self._who[account]

    def _session(self, account: str) -> Any:
        if account not in self._sessions:
            session = self._by_profile(account) if self.profile else self._by_role(account) if self.role else self._base()
            identity = _identity(account, self._made(session, "sts"))
            if identity["Account"] != account:
                how = f"profile {self._profile_of(account)}" if self.profile else f"role {self.role}" if self.role else "this key"
                raise InputError(
                    f"{how} leads to account {identity['Account']}, not {account}", expected=f"credentials of account {account}",
                    remedy="see the profile in your AWS config, or give --profile with {account} or {name} in it",
                )  # fmt: skip
            self._sessions[account], self._who[account] = session, identity["Arn"]
        return self._sessions[account]

    def _profile_of(self, account: str) -> str:
        return (self.profile or "").replace("{account}", account).replace("{name}", self.names.get(account) or account)

    def _by_profile(self, account: str) -> Any:
        from botocore.exceptions import ProfileNotFound

        name = self._profile_of(account)
        try:
            return _boto3_session(profile_name=name)
        except ProfileNotFound:
            raise InputError(
                f"there is no profile {name}", expected="a profile in your AWS config", remedy="`aws configure list-profiles` lists them"
            ) from None

    def _base(self) -> Any:
        """The user's own credentials, with MFA where a device is given: asked for once."""
        if "" not in self._sessions:
            session = _boto3_session()
            if self.mfa and self.ask_code:
                sts = self._made(session, "sts")
                code = self.ask_code()
                answer = carried_out(
                    "sign-in", "sts:GetSessionToken", lambda: sts.get_session_token(SerialNumber=self.mfa, TokenCode=code, DurationSeconds=43200)
                )
                session = _with_keys(answer["Credentials"])
            self._sessions[""] = session
        return self._sessions[""]

    def _by_role(self, account: str) -> Any:
        base = self._base()
        sts = self._made(base, "sts")
        if _identity(account, sts)["Account"] == account:
            return base
        arn = f"arn:aws:iam::{account}:role/{self.role}"
        answer = carried_out(account, "sts:AssumeRole", lambda: sts.assume_role(RoleArn=arn, RoleSessionName=f"sekisho-{os.getpid()}"))
        return _with_keys(answer["Credentials"])

    def _made(self, session: Any, service: str) -> Any:
        from botocore.config import Config

        retries: dict[str, Any] = {"mode": "standard"} | ({} if "AWS_MAX_ATTEMPTS" in os.environ else {"total_max_attempts": ATTEMPTS})
        config = Config(retries=retries, connect_timeout=10, read_timeout=60, user_agent_appid="sekisho")
        client = session.client(service, region_name=REGION, config=config)
        return kept_on_endpoint(client)


def kept_on_endpoint(client: Any) -> Any:
    """The client, held to the endpoint that it was made with: botocore's rules send the control plane of `signin` to AWS whatever is set."""
    endpoint = str(client.meta.endpoint_url)
    if client.meta.service_model.service_name == "signin" and not str(urlsplit(endpoint).hostname).endswith(_AWS_HOSTS):
        client.meta.events.register("before-sign.signin", partial(_sent_to, endpoint))
    return client


def _sent_to(endpoint: str, request: Any, **_: Any) -> None:
    request.url = endpoint.rstrip("/") + urlsplit(request.url).path


def _identity(account: str, sts: Any) -> Mapping[str, str]:
    found: Mapping[str, str] = carried_out(account, "sts:GetCallerIdentity", sts.get_caller_identity)
    return found


@cache
def _models() -> Any:
    """botocore's descriptions of services, read once: each session would read them anew, which takes more than all calls of an account."""
    from botocore.session import Session

    return Session().get_component("data_loader")


def _boto3_session(**given: str) -> Any:
    import boto3
    from botocore.session import Session

    core = Session()
    core.register_component("data_loader", _models())
    session = boto3.Session(botocore_session=core, **given)
    core.get_scoped_config()  # raises ProfileNotFound now, and not at the first client
    return session


def _with_keys(keys: Mapping[str, str]) -> Any:
    return _boto3_session(
        aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"]
    )
