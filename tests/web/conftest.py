"""The article on an embedded AWS with its console: the same accounts, group, user and role, both restrictions in force."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.people import Sandbox
from sekisho.environment import compile_environment, load_environment
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Server
from sekisho.walk.api import Api, Keys
from sekisho.walk.setup import apply_estate
from sekisho.web import console

ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"


@pytest.fixture
def article(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """``request.param`` changes the file's text, where it is given: (what stands there, what is to)."""
    text = ARTICLE.read_text(encoding="utf-8")
    for old, new in getattr(request, "param", ()):
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "article.yaml"
    file.write_text(text, encoding="utf-8")
    environment = load_environment(file)
    aws = EmbeddedAws([environment.jump, *(a.id for a in environment.wanted.accounts.values())])
    with Server(aws, 0, console(aws, environment)) as server:
        store = aws.store
        keys = {a: Keys(store.root_key(a).id, store.root_key(a).secret) for a in store.accounts}
        apply_estate(store.estate, compile_environment(environment), Api(server.endpoint), keys)
        sandbox = Sandbox(server)
        iam = sandbox.client("iam")
        iam.create_login_profile(UserName="test-user", Password=FIRST_PASSWORD, PasswordResetRequired=True)
        iam.update_account_password_policy(MinimumPasswordLength=8, AllowUsersToChangePassword=True)
        yield sandbox


FIRST_PASSWORD = "chosen-by-Admin-1"


@pytest.fixture
def plain() -> Iterator[Sandbox]:
    """Two empty accounts and their console, started without a file."""
    aws = EmbeddedAws(["111122223333", "444455556666"])
    with Server(aws, 0, console(aws)) as server:
        yield Sandbox(server)


