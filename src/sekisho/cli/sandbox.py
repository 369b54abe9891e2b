"""``sekisho sandbox``: serve the embedded AWS."""

from __future__ import annotations

import json
import secrets
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.cli.output import format_option, progress
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.sandbox.server import Server

_DEFAULT_ACCOUNTS = ["111122223333", "444455556666"]


@click.command(epilog="Example: sekisho sandbox sekisho.yaml --state ./sandbox")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="On 127.0.0.1; 0 takes a free one.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder where what is done survives a restart. Without it, nothing does.")
@click.option("--accounts", help="Account ids, with commas between them, beside those of FILE.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once it listens: endpoint, config and credentials files, profile.")
@format_option("text", "json")
def command(file: Path | None, port: int, state: Path | None, accounts: str | None, ready_file: Path | None, form: str) -> None:
    """Serve an AWS on this machine that really enforces IAM, for the AWS CLI, SDKs, scripts, and people with a browser.

    With FILE it starts with that environment applied, and each user gets a first password. A client says where it comes from by the
    endpoint's path: http://127.0.0.1:4566/from/203.0.113.10. Stop it with Ctrl-C.
    """
    environment = _environment(file)
    ids = _ids(accounts, environment)
    from sekisho.sandbox.access import ready, write_access
    from sekisho.sandbox.front import EmbeddedAws
    from sekisho.sandbox.server import Server
    from sekisho.web import console

    aws = EmbeddedAws(ids, state)
    server = Server(aws, port, console(aws, environment))
    with tempfile.TemporaryDirectory(prefix="sekisho-sandbox-") as temporary, server:
        folder = state if state is not None else Path(temporary)
        access = {**write_access(server, folder), "console": f"{server.endpoint}/console"}
        if environment is not None:
            with progress() as tell:
                passwords = _apply(server, environment, tell)
            if passwords:
                from sekisho.sandbox.access import write_private

                access["passwords_file"] = str((folder / "first-passwords.json").absolute())
                write_private(Path(access["passwords_file"]), json.dumps(passwords, indent=2) + "\n")
        if ready_file is not None:
            ready(ready_file, access)
        _announce(access, form)
        _until_stopped(server)


def _environment(file: Path | None) -> Environment | None:
    if file is None:
        return None
    from sekisho.environment import load_environment

    return load_environment(file)


def _ids(accounts: str | None, environment: Environment | None) -> list[str]:
    ids = [a.strip() for a in accounts.split(",")] if accounts else []
    for account in ids:
        if len(account) != 12 or not account.isascii() or not account.isdigit():
            raise InputError(f"--accounts: {account!r} is no account id", expected="12 digits, with commas between the ids")
    if environment is not None:
        ids = [environment.jump, *(a.id for a in environment.wanted.accounts.values()), *ids]
    return list(dict.fromkeys(ids or _DEFAULT_ACCOUNTS))


def _apply(server: Server, environment: Environment, tell: object) -> dict[str, str]:
    """Apply the file through the API; a first password for each user that has none."""
    from sekisho.environment import compile_environment
    from sekisho.walk.api import Api, Keys
    from sekisho.walk.setup import apply_estate

    store = server.aws.store
    keys = {a: Keys(store.root_key(a).id, store.root_key(a).secret) for a in store.accounts}
    api = Api(server.endpoint)
    apply_estate(store.estate, compile_environment(environment), api, keys, tell)  # type: ignore[arg-type]
    passwords = {}
    for user in environment.users:
        if api.call("iam", "get_login_profile", "", keys[environment.jump], UserName=user).allowed:
            continue
        password = secrets.token_urlsafe(12) + "aA1!"
        made = api.call(
            "iam", "create_login_profile", "", keys[environment.jump], UserName=user, Password=password, PasswordResetRequired=True
        )
        if made.allowed:
            passwords[user] = password
    return passwords


def _announce(access: dict[str, str], form: str) -> None:
    if form == "json":
        click.echo(json.dumps({"schema": "sekisho/sandbox/v1", **access}))
        return
    click.echo(
        f"The embedded AWS listens on {access['endpoint']} (this machine only). Use it with:\n\n"
        f"  export AWS_CONFIG_FILE={access['config_file']}\n"
        f"  export AWS_SHARED_CREDENTIALS_FILE={access['credentials_file']}\n"
        f"  export AWS_ENDPOINT_URL={access['endpoint']}\n"
        f"  aws --profile {access['profile'].replace('{account}', '<account id>')} sts get-caller-identity\n\n"
        f"To come from somewhere else: AWS_ENDPOINT_URL={access['endpoint']}/from/203.0.113.10"
    )
    if "passwords_file" in access:
        click.echo(f"First passwords of the users, to be changed at the first sign-in: {access['passwords_file']}")
    click.echo(f"The console, for a browser: {access['console']}")
    click.echo("Ctrl-C stops it.")


def _until_stopped(server: Server) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    try:
        server.wait()
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
