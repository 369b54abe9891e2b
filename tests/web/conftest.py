"""The article on an embedded AWS with its console: the same accounts, group, user and role, with the restrictions that a test asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sandbox.people import Sandbox
from sekisho.environment import compile_environment, load_environment
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Server
from sekisho.web import console

from .visitor import FIRST_PASSWORD

ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"
METHOD_1 = "  networks: [office, vpn]     # method 1"
METHOD_2 = "        networks: [office, vpn]   # method 2"
AS_DENY = "        networks_as: deny "
SIGN_IN = "  sign_in: anywhere "
WITHOUT = {METHOD_1: "  networks: anywhere #", METHOD_2: "        networks: anywhere #", AS_DENY: "        #"}
ONLY = {
    "none": WITHOUT, "both": {}, "method 1": {k: WITHOUT[k] for k in (METHOD_2, AS_DENY)}, "method 2": {METHOD_1: WITHOUT[METHOD_1]},
    "method 3": {**WITHOUT, SIGN_IN: "  sign_in: [office, vpn] #"},
}  # fmt: skip
"""The article's file with no restriction, with both methods, one of them, or the sign-in policy alone: what is written in whose place."""


@contextmanager
def the_article(method: str, folder: Path) -> Iterator[Sandbox]:
    """The article's accounts with the restrictions of a name of ``ONLY``."""
    text = ARTICLE.read_text(encoding="utf-8")
    for old, new in ONLY[method].items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file = folder / "article.yaml"
    file.write_text(text, encoding="utf-8")
    environment = load_environment(file)
    estate = compile_environment(environment)
    aws = EmbeddedAws([a.id for a in estate.accounts])
    for account in estate.accounts:
        aws.store.save(account)
    with Server(aws, 0, console(aws, environment)) as server:
        sandbox = Sandbox(server)
        sandbox.client("iam").create_login_profile(UserName="test-user", Password=FIRST_PASSWORD, PasswordResetRequired=True)
        yield sandbox


@pytest.fixture
def article(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sandbox]:
    """Parametrised with a name of ``ONLY``; with both methods where it isn't."""
    with the_article(getattr(request, "param", "both"), tmp_path) as sandbox:
        yield sandbox


@pytest.fixture
def plain() -> Iterator[Sandbox]:
    """Two empty accounts and their console, started without a file."""
    aws = EmbeddedAws(["111122223333", "444455556666"])
    with Server(aws, 0, console(aws)) as server:
        yield Sandbox(server)
