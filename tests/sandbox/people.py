"""Who uses the embedded AWS in the tests: administrators and users, each from some address, over HTTP alone."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import boto3
import pyotp
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from sekisho.sandbox.server import Server

J, T = "111122223333", "444455556666"
OFFICE, CAFE, V6 = "203.0.113.10", "192.0.2.44", "2001:db8::10"
ONCE = Config(retries={"max_attempts": 1}, parameter_validation=False)


class Sandbox:
    """A running embedded AWS. Time can be moved, as a demonstration would."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.endpoint = server.endpoint

    def client(self, service: str, keys: dict[str, str] | None = None, *, account: str = J, address: str = "", region: str = "us-east-1") -> Any:
        """A boto3 client with ``keys`` (as STS gives them) from ``address``; without keys, the account's administrator."""
        if keys is None:
            root = self.server.aws.store.root_key(account)
            keys = {"AccessKeyId": root.id, "SecretAccessKey": root.secret}
        return boto3.client(
            service, region_name=region, endpoint_url=f"{self.endpoint}/from/{address}" if address else self.endpoint, config=ONCE,
            aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys.get("SessionToken"),
        )  # fmt: skip

    def signin(self, step: str, body: dict[str, Any], *, address: str = OFFICE, token: str | None = None) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/json", "user-agent": "a browser"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        request = urllib.request.Request(f"{self.endpoint}/from/{address}/signin/{step}", json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def later(self, seconds: float) -> None:
        self.server.aws.store.advance_clock(seconds)

    def now(self) -> float:
        return self.server.aws.store.clock.now().timestamp()

    def events(self, account: str = J, name: str | None = None) -> list[dict[str, Any]]:
        """The account's records, newest first, as LookupEvents gives them."""
        attributes = [{"AttributeKey": "EventName", "AttributeValue": name}] if name else []
        pages = self.client("cloudtrail", account=account).get_paginator("lookup_events").paginate(LookupAttributes=attributes)
        return [json.loads(event["CloudTrailEvent"]) for page in pages for event in page["Events"]]

    # An estate, made through the API ---------------------------------------------------------------------------------

    def user(self, name: str = "alice", *policies: dict[str, Any]) -> Person:
        iam = self.client("iam")
        iam.create_user(UserName=name)
        for i, document in enumerate(policies):
            iam.put_user_policy(UserName=name, PolicyName=f"p{i}", PolicyDocument=json.dumps(document))
        return Person(self, name)

    def role(self, trust: dict[str, Any], *, name: str = "Ops", account: str = T, policy: dict[str, Any] | None = None, **more: Any) -> str:
        iam = self.client("iam", account=account)
        arn: str = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust), **more)["Role"]["Arn"]
        iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=json.dumps(policy or allow("*")))
        return arn


class Person:
    """A user with a password, an access key and, once enrolled, a device; codes are used one after the other."""

    PASSWORD = "correct-Horse-battery-1"

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.name = sandbox, name
        self.arn = f"arn:aws:iam::{J}:user/{name}"
        self.password = self.PASSWORD
        sandbox.client("iam").create_login_profile(UserName=name, Password=self.password)
        self.key: dict[str, str] = sandbox.client("iam").create_access_key(UserName=name)["AccessKey"]
        self.seed = ""
        self.step = 0

    @property
    def serial(self) -> str:
        return self.serial_in(J)

    def code(self) -> str:
        """A code that wasn't used before: time moves on where it has to."""
        step = max(int(self.sandbox.now()) // 30, self.step + 1)
        self.sandbox.later(max(0, step * 30 - self.sandbox.now()))
        self.step = step
        return pyotp.TOTP(self.seed).generate_otp(step)

    def serial_in(self, account: str) -> str:
        return f"arn:aws:iam::{account}:mfa/{self.name}"

    def enrol(self) -> None:
        self.enrol_as_administrator(J)

    def enrol_as_administrator(self, account: str) -> None:
        iam = self.sandbox.client("iam", account=account)
        seed = iam.create_virtual_mfa_device(VirtualMFADeviceName=self.name)["VirtualMFADevice"]["Base32StringSeed"]
        self.seed = seed.decode()
        serial = self.serial_in(account)
        iam.enable_mfa_device(UserName=self.name, SerialNumber=serial, AuthenticationCode1=self.code(), AuthenticationCode2=self.code())

    def sign_in(self, address: str = OFFICE, *, code: str | None = None, password: str | None = None) -> tuple[int, dict[str, Any]]:
        body = {"account": J, "user": self.name, "password": password or self.password}
        return self.sandbox.signin("login", {**body, "mfa_code": code} if code else body, address=address)

    def console(self, address: str = OFFICE) -> dict[str, str]:
        """The keys of a console session, with MFA where a device is enrolled."""
        status, answer = self.sign_in(address, code=self.code() if self.seed else None)
        assert status == 200, answer
        keys: dict[str, str] = answer["credentials"]
        return keys

    def switch(self, keys: dict[str, str], role: str, address: str = OFFICE) -> tuple[int, dict[str, Any]]:
        _, _, _, _, account, path = role.split(":", 5)
        body = {"account": account, "role": path.removeprefix("role/")}
        return self.sandbox.signin("switch-role", body, address=address, token=keys["SessionToken"])

    def session_token(self, *, mfa: bool, address: str = OFFICE) -> dict[str, str]:
        params = {"SerialNumber": self.serial, "TokenCode": self.code()} if mfa else {}
        keys: dict[str, str] = self.sandbox.client("sts", self.key, address=address).get_session_token(**params)["Credentials"]
        return keys

    def assume(self, role: str, keys: dict[str, str] | None = None, address: str = OFFICE, **params: Any) -> dict[str, str]:
        sts = self.sandbox.client("sts", keys or self.key, address=address)
        answer: dict[str, str] = sts.assume_role(RoleArn=role, RoleSessionName=self.name, **params)["Credentials"]
        return answer


def allow(action: Any, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition} if condition else statement]}


def trust(principal: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [{**statement, "Condition": condition} if condition else statement]}


def refused(call: Any, **params: Any) -> tuple[str, str, int]:
    """(code, message, HTTP status) of a call that must be refused."""
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response
    return error["Error"]["Code"], error["Error"]["Message"], error["ResponseMetadata"]["HTTPStatusCode"]


def until(condition: Any, most_s: float = 20) -> None:
    """Look until something is so."""
    end = time.monotonic() + most_s
    while not condition():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.02)
