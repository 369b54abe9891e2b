"""An embedded AWS of two accounts for a test of IAM, reached with boto3 over HTTP: ``case.iam()`` is root's client of the first account."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import boto3
from botocore.config import Config

from sekisho.sandbox.server import Server

from . import people
from .people import J, T

HOME, OTHER = J, T
_CONFIG = Config(retries={"max_attempts": 0, "mode": "standard"}, parameter_validation=False, connect_timeout=5, read_timeout=30)
_SESSION = boto3.Session(aws_access_key_id="none", aws_secret_access_key="none", region_name="us-east-1")


class Case:
    def __init__(self, server: Server) -> None:
        self.server = server
        self._clients: dict[tuple[str, ...], Any] = {}

    def client(self, service: str, key: str, secret: str, token: str | None = None, origin: str = "") -> Any:
        wanted = (service, key, token or "", origin)
        if wanted not in self._clients:
            self._clients[wanted] = _SESSION.client(
                service, endpoint_url=self.server.endpoint + (f"/from/{origin}" if origin else ""), aws_access_key_id=key,
                aws_secret_access_key=secret, aws_session_token=token, config=_CONFIG,
            )  # fmt: skip
        return self._clients[wanted]

    def iam(self, account: str = HOME) -> Any:
        key = self.server.aws.store.root_key(account)
        return self.client("iam", key.id, key.secret)

    def as_user(self, name: str, policy: dict[str, Any] | None = None, service: str = "iam", account: str = HOME) -> Any:
        """A client with a new access key of the user, who gets ``policy`` inline first; a user that isn't there is made."""
        iam = self.iam(account)
        with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
            iam.create_user(UserName=name)
        if policy is not None:
            iam.put_user_policy(UserName=name, PolicyName="of-the-test", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return self.client(service, key["AccessKeyId"], key["SecretAccessKey"])


def refused(call: Any, **params: Any) -> tuple[str, int, str]:
    """(code, HTTP status, text) of a call that must fail."""
    code, text, status = people.refused(call, **params)
    return code, status, text


def allow(*actions: str, resource: str | list[str] = "*", condition: dict[str, Any] | None = None) -> dict[str, Any]:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return {"Version": "2012-10-17", "Statement": [statement]}


def trust(*principals: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": list(principals)}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


READ = json.dumps(allow("s3:GetObject"))
