"""A place in other people's tests: the fixture ``sekisho_aws`` is a fresh embedded AWS with an environment or estate already in it.

    # conftest.py or any test; pytest finds the plugin by itself once Sekisho is installed
    @pytest.mark.sekisho("sekisho.yaml")
    def test_restart(sekisho_aws):
        ec2 = sekisho_aws.client("ec2", user="sato", role="production/operator", address="203.0.113.5", mfa=True)
        ec2.describe_instances()

Without the marker the ini option ``sekisho_environment`` names the file; without both there are two empty accounts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.sandbox.server import Server

EMPTY = ("111122223333", "444455556666")
DEVICE = "sekisho-test"


class SekishoAws:
    """A running embedded AWS. ``endpoint`` is its URL; ``client`` gives boto3 clients for anybody from anywhere."""

    def __init__(self, server: Server, environment: Environment | None) -> None:
        from sekisho.walk.api import Api

        self._server = server
        self._api = Api(server.endpoint)
        self._environment = environment
        self._keys: dict[str, dict[str, str]] = {}
        self._codes: dict[str, int] = {}

    @property
    def endpoint(self) -> str:
        return self._server.endpoint

    @property
    def accounts(self) -> tuple[str, ...]:
        """The ids of its accounts, the jump account first where an environment says which that is."""
        ids = sorted(self._server.aws.store.accounts)
        jump = self._environment.jump if self._environment else None
        return tuple(sorted(ids, key=lambda a: a != jump))

    @property
    def estate(self) -> Estate:
        """What its accounts hold now, to be given to ``decide`` and ``prove``."""
        return self._server.aws.store.estate

    def endpoint_from(self, address: str) -> str:
        """The endpoint for a client that comes from ``address``: an IP address, or a vantage point of the file."""
        return f"{self.endpoint}/from/{self._address(address)}"

    def keys(
        self, *, user: str | None = None, role: str | None = None, address: str = "", mfa: bool = False, account: str | None = None
    ) -> dict[str, str]:
        """Credentials as STS gives them: of the administrator of ``account``, of a user's access key, or with MFA, or of a role session.

        ``role`` is ACCOUNT/NAME (id or label) or an ARN; it is assumed by ``user`` from ``address``, so its trust policy has to allow that:
        botocore's ClientError otherwise.
        """
        where = self._address(address)
        keys = self._of_user(user, mfa, where) if user else self._administrator(account or self.accounts[0])
        if role is None:
            return keys
        sts = self._client("sts", where, keys)
        answer: dict[str, str] = sts.assume_role(RoleArn=self._role(role), RoleSessionName=user or "administrator")["Credentials"]
        return answer

    def client(
        self, service: str, *, keys: dict[str, str] | None = None, user: str | None = None, role: str | None = None, address: str = "",
        mfa: bool = False, account: str | None = None,
    ) -> Any:  # fmt: skip
        """A boto3 client that comes from ``address``, with ``keys`` or with those that the rest describes (see ``keys``)."""
        found = keys or self.keys(user=user, role=role, address=address, mfa=mfa, account=account)
        return self._client(service, self._address(address), found)

    def _client(self, service: str, where: str, keys: dict[str, str]) -> Any:
        from sekisho.walk.api import Keys

        return self._api.client(service, where, Keys.of(keys))

    def later(self, seconds: float) -> None:
        """Let time pass on it: sessions run out, codes change. Time only goes forward."""
        self._server.aws.store.advance_clock(seconds)

    def events(self, account: str | None = None) -> list[dict[str, Any]]:
        """The CloudTrail records of an account, oldest first."""
        return self._server.aws.store.events.of(account or self.accounts[0])

    def _address(self, name: str) -> str:
        """A vantage point's address, or the address itself; empty: this machine."""
        return str(self._environment.vantage_points.get(name, name)) if self._environment else name

    def _administrator(self, account: str) -> dict[str, str]:
        key = self._server.aws.store.root_key(account)
        return {"AccessKeyId": key.id, "SecretAccessKey": key.secret}

    def _role(self, role: str) -> str:
        if role.startswith("arn:"):
            return role
        where, _, name = role.rpartition("/")
        for account in self.estate.accounts:
            found = account.role(name)
            if found is not None and where in ("", account.id, account.name):
                return found.arn
        raise InputError(f"there is no role {role}", expected="ACCOUNT/NAME, the account by its id or label, or an ARN")

    def _of_user(self, name: str, mfa: bool, where: str) -> dict[str, str]:
        account = next((a.id for a in self.estate.accounts if a.user(name)), None)
        if account is None:
            raise InputError(f"there is no user {name}", expected="the name of a user in the embedded AWS")
        if name not in self._keys:
            iam = self._client("iam", "", self._administrator(account))
            self._keys[name] = iam.create_access_key(UserName=name)["AccessKey"]
        if not mfa:
            return self._keys[name]
        serial = f"arn:aws:iam::{account}:mfa/{DEVICE}-{name}"
        sts = self._client("sts", where, self._keys[name])
        answer: dict[str, str] = sts.get_session_token(SerialNumber=serial, TokenCode=self._code(account, name, serial))["Credentials"]
        return answer

    def _code(self, account: str, name: str, serial: str) -> str:
        """A code that wasn't used yet; the user gets a device the first time. Time moves where no code is left."""
        import pyotp

        store = self._server.aws.store
        if serial not in store.devices:
            iam = self._client("iam", "", self._administrator(account))
            iam.create_virtual_mfa_device(VirtualMFADeviceName=f"{DEVICE}-{name}")
            first, second = (pyotp.TOTP(store.devices[serial].seed).generate_otp(self._step(serial)) for _ in range(2))
            iam.enable_mfa_device(UserName=name, SerialNumber=serial, AuthenticationCode1=first, AuthenticationCode2=second)
        return str(pyotp.TOTP(store.devices[serial].seed).generate_otp(self._step(serial)))

    def _step(self, serial: str) -> int:
        store = self._server.aws.store
        step: int = max(int(store.clock.now().timestamp()) // 30, self._codes.get(serial, 0) + 1)
        self._codes[serial] = step
        store.advance_clock(max(0.0, step * 30 - store.clock.now().timestamp()))
        return step


@cache
def _loaded(path: Path, changed: float) -> tuple[Any, Any]:
    """The environment file (None for AWS's JSON) and the estate behind a path, compiled once while the file stays as it is."""
    from sekisho.environment import compile_environment, load_environment
    from sekisho.loading import load

    if path.is_dir() or path.suffix == ".json":
        return None, load(path)
    environment = load_environment(path)
    return environment, compile_environment(environment)


def start(source: str | Path | None = None, *, root: Path | None = None) -> SekishoAws:
    """A running embedded AWS with ``source`` in it: a sekisho.yaml, or AWS's JSON; None: two empty accounts."""
    from sekisho.sandbox import organizations
    from sekisho.sandbox.server import serve

    environment, estate = None, None
    if source is not None:
        path = (root or Path()) / source
        environment, estate = _loaded(path, path.stat().st_mtime if path.exists() else 0.0)
    server = serve([a.id for a in estate.accounts] if estate else list(EMPTY), port=0)
    for account in estate.accounts if estate else ():
        server.aws.store.save(account)
    organizations.found_in(server.aws.store)
    server.aws.store.commit()
    server.start()
    return SekishoAws(server, environment)


@pytest.fixture
def sekisho_aws(request: pytest.FixtureRequest) -> Iterator[SekishoAws]:
    """A fresh embedded AWS; see this module's text."""
    marker = request.node.get_closest_marker("sekisho")
    source = marker.args[0] if marker and marker.args else request.config.getini("sekisho_environment") or None
    running = start(source, root=request.config.rootpath)
    try:
        yield running
    finally:
        running._server.stop()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("sekisho_environment", "the sekisho.yaml that the fixture sekisho_aws starts with, seen from the root folder", default="")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sekisho(path): the sekisho.yaml or estate that the fixture sekisho_aws starts with")
