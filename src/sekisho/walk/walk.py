"""Walk every user from every vantage point over the API, and set beside each outcome what the estate predicts.

For each user at each place: sign in with the password, enrol a second factor, sign in with it, list one's own devices, switch into each
role of every account, call as the role from there, and from everywhere else (the session that leaves the network, F-01). Then the same
without the console: with an access key, and with session keys that carry MFA.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sekisho.errors import OutsideError
from sekisho.estate import Estate, Role, User
from sekisho.walk.api import Answered, Api, Codes, Keys
from sekisho.walk.predict import Predicted, Predictor
from sekisho.walk.rows import Row, Step

Progress = Callable[[str], None]
WORKERS = 2


@dataclass(frozen=True)
class Place:
    """A vantage point."""

    name: str
    address: str


@dataclass
class _Person:
    """A user with what they have in their hands: a password, an access key."""

    user: User
    account: str
    password: str
    key: Keys


def walk(
    estate: Estate, jump: str, places: Mapping[str, str], api: Api, administrators: Mapping[str, Keys], progress: Progress = lambda _: None
) -> list[Row]:
    """Walk ``estate`` (already applied to what ``api`` reaches). ``places``: name → address; ``administrators``: keys by account.

    Rows come user by user, place by place. Raises OutsideError where the API can't be reached or refuses its administrators.
    """
    account = estate.account(jump)
    assert account is not None
    roles = [role for target in estate.accounts for role in target.roles if not role.is_service_linked]
    started = datetime.now(UTC)
    todo = [Place(name, address) for name, address in places.items()]
    done = 0
    total = len(account.users) * len(todo)

    def one(user: User) -> list[Row]:
        nonlocal done
        walker = _Walker(estate, roles, todo, api, administrators[jump])
        person = walker.prepare(user)
        rows: list[Row] = []
        for place in todo:
            rows += walker.visit(person, place)
            done += 1
            progress(f"{done} of {total} visits: {user.name} from {place.name}")
        return rows

    with ThreadPoolExecutor(WORKERS) as pool:
        rows = [row for found in pool.map(one, account.users) for row in found]
    return _with_events(rows, api, administrators, started)


class _Walker:
    def __init__(self, estate: Estate, roles: Sequence[Role], places: Sequence[Place], api: Api, administrator: Keys) -> None:
        self.roles, self.places, self.api, self.administrator = roles, places, api, administrator
        self.predictor = Predictor(estate)

    # What an administrator does -------------------------------------------------------------------------------------

    def admin(self, operation: str, **params: object) -> Answered:
        answered = self.api.call("iam", operation, "", self.administrator, **params)
        if not answered.allowed and answered.code != "NoSuchEntity":
            raise OutsideError(f"the administrator may not {operation}: {answered.code}: {answered.message}")
        return answered

    def prepare(self, user: User) -> _Person:
        """A password and an access key for the user, whatever was there before."""
        password = secrets.token_urlsafe(18) + "aA1!"
        self.admin("delete_login_profile", UserName=user.name)
        self.admin("create_login_profile", UserName=user.name, Password=password, PasswordResetRequired=False)
        for old in self.admin("list_access_keys", UserName=user.name).result.get("AccessKeyMetadata", ()):
            self.admin("delete_access_key", UserName=user.name, AccessKeyId=old["AccessKeyId"])
        key = Keys.of(self.admin("create_access_key", UserName=user.name).result["AccessKey"])
        return _Person(user, user.arn.split(":")[4], password, key)

    def without_devices(self, person: _Person) -> None:
        """The user as on the first day: no second factor."""
        for device in self.admin("list_mfa_devices", UserName=person.user.name).result.get("MFADevices", ()):
            self.admin("deactivate_mfa_device", UserName=person.user.name, SerialNumber=device["SerialNumber"])
            self.admin("delete_virtual_mfa_device", SerialNumber=device["SerialNumber"])
        self.admin("delete_virtual_mfa_device", SerialNumber=self.serial(person))

    @staticmethod
    def serial(person: _Person, suffix: str = "") -> str:
        return f"arn:aws:iam::{person.account}:mfa/{person.user.name}{suffix}"

    def given_device(self, person: _Person, suffix: str = "") -> Codes:
        """A device that the administrator enrols for the user."""
        made = self.admin("create_virtual_mfa_device", VirtualMFADeviceName=person.user.name + suffix)
        codes = Codes(_seed(made))
        self.admin(
            "enable_mfa_device", UserName=person.user.name, SerialNumber=self.serial(person, suffix),
            AuthenticationCode1=codes.take(), AuthenticationCode2=codes.take(),
        )  # fmt: skip
        return codes

    # What the user does ---------------------------------------------------------------------------------------------

    def visit(self, person: _Person, place: Place) -> list[Row]:
        rows: list[Row] = []
        self.without_devices(person)
        expected = self.predictor.sign_in(person.user, place.address)
        first = self.login(person, place, None)
        rows.append(self.row(person, place, "console", "sign-in", expected, first))
        codes = None
        if first.allowed:
            row, codes = self.enrol(person, place, Keys.of(first.result["credentials"]))
            rows.append(row)
        codes = codes or self.given_device(person)
        second = self.login(person, place, codes.take())
        rows.append(self.row(person, place, "console+mfa", "sign-in", expected, second))
        if second.allowed:
            keys = Keys.of(second.result["credentials"])
            rows += self.as_user(person, place, "console+mfa", keys, lambda role: self.console_switch(place, keys, role))
        rows += self.as_user(person, place, "key", person.key, lambda role: self.assume(person, place, person.key, role))
        session = self.session_with_mfa(person, place)
        rows += self.as_user(person, place, "session+mfa", session, lambda role: self.assume(person, place, session, role))
        return rows

    def login(self, person: _Person, place: Place, code: str | None) -> Answered:
        body = {"account": person.account, "user": person.user.name, "password": person.password}
        return self.api.sign_in("login", place.address, {**body, "mfa_code": code} if code else body)

    def enrol(self, person: _Person, place: Place, keys: Keys) -> tuple[Row, Codes | None]:
        expected = self.predictor.enrol(person.user, place.address)
        made = self.api.call("iam", "create_virtual_mfa_device", place.address, keys, VirtualMFADeviceName=person.user.name)
        if not made.allowed:
            return self.row(person, place, "console", "enrol-mfa", expected, made), None
        codes = Codes(_seed(made))
        enabled = self.api.call(
            "iam", "enable_mfa_device", place.address, keys, UserName=person.user.name, SerialNumber=self.serial(person),
            AuthenticationCode1=codes.take(), AuthenticationCode2=codes.take(),
        )  # fmt: skip
        if not enabled.allowed:
            self.admin("delete_virtual_mfa_device", SerialNumber=self.serial(person))
        return self.row(person, place, "console", "enrol-mfa", expected, enabled), codes if enabled.allowed else None

    def session_with_mfa(self, person: _Person, place: Place) -> Keys:
        """GetSessionToken with a code: no policy stops it (D-25), so it isn't a step of its own."""
        codes = self.given_device(person, "-cli")
        got = self.api.call(
            "sts", "get_session_token", place.address, person.key, SerialNumber=self.serial(person, "-cli"), TokenCode=codes.take()
        )
        if not got.allowed:
            raise OutsideError(f"GetSessionToken was refused to {person.user.arn}: {got.message}")
        return Keys.of(got.result["Credentials"])

    def as_user(self, person: _Person, place: Place, credentials: str, keys: Keys, switch: Callable[[Role], Answered]) -> list[Row]:
        """Own devices, then each role, with one kind of credentials."""
        own = self.api.call("iam", "list_mfa_devices", place.address, keys, UserName=person.user.name)
        rows = [self.row(person, place, credentials, "own-mfa", self.predictor.own_devices(person.user, credentials, place.address), own)]
        for role in self.roles:
            switched = switch(role)
            expected = self.predictor.switch(person.user, credentials, place.address, role)
            rows.append(self.row(person, place, credentials, "switch", expected, switched, role))
            if switched.allowed:
                result = switched.result
                rows += self.as_role(person, place, credentials, role, Keys.of(result.get("Credentials") or result["credentials"]))
        return rows

    def console_switch(self, place: Place, keys: Keys, role: Role) -> Answered:
        _, _, _, _, account, path = role.arn.split(":", 5)
        body = {"account": account, "role": path.removeprefix("role/")}
        return self.api.sign_in("switch-role", place.address, body, keys.token)

    def assume(self, person: _Person, place: Place, keys: Keys, role: Role) -> Answered:
        return self.api.call("sts", "assume_role", place.address, keys, RoleArn=role.arn, RoleSessionName=person.user.name)

    def as_role(self, person: _Person, place: Place, credentials: str, role: Role, keys: Keys) -> list[Row]:
        rows = []
        for where in self.places:
            answered = self.api.call("ec2", "describe_instances", where.address, keys)
            expected = self.predictor.call(person.user, credentials, where.address, role)
            here = where == place
            row = self.row(person, where, credentials, "call" if here else "call-elsewhere", expected, answered, role)
            rows.append(row if here else replace(row, switched_from=place.name))
        return sorted(rows, key=lambda r: r.step == "call-elsewhere")

    @staticmethod
    def row(
        person: _Person, place: Place, credentials: str, step: Step, expected: Predicted, answered: Answered, role: Role | None = None
    ) -> Row:
        return Row(
            person.user.arn, place.name, place.address, credentials, step, role.arn if role else None, None, expected.answer,
            "allow" if answered.allowed else "deny", answered.message, expected.reason, answered.event, answered.request_id,
        )  # fmt: skip


def _seed(made: Answered) -> str:
    seed = made.result["VirtualMFADevice"]["Base32StringSeed"]
    return seed.decode() if isinstance(seed, bytes) else str(seed)


def _with_events(rows: Sequence[Row], api: Api, administrators: Mapping[str, Keys], started: datetime) -> list[Row]:
    """The rows with the ids of their CloudTrail records: an API call's record is found by its request id."""
    wanted = {row.request_id for row in rows if row.event is None and row.request_id and row.outcome == "deny"}
    found: dict[str, str] = {}
    for keys in administrators.values() if wanted else ():
        pages = api.client("cloudtrail", "", keys).get_paginator("lookup_events").paginate(StartTime=started)
        for page in pages:
            for event in page["Events"]:
                request_id = _request_id(event["CloudTrailEvent"])
                if request_id in wanted:
                    found[request_id] = event["EventId"]
    return [row if row.event or not row.request_id else replace(row, event=found.get(row.request_id)) for row in rows]


def _request_id(text: str) -> str:
    return str(json.loads(text).get("requestID", ""))
