"""``sekisho sandbox``: serve the embedded AWS."""

from __future__ import annotations

import json
import secrets
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.cli.output import format_option, progress
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.sandbox.front import EmbeddedAws
    from sekisho.sandbox.server import Server

_DEFAULT_ACCOUNTS = ["111122223333", "444455556666"]


class _Sandbox(click.Group):
    """``sekisho sandbox [FILE] …`` serves; a subcommand's name in the place of FILE is that subcommand."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in (*self.commands, "--help", "-h"):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        return ["[FILE] [OPTIONS] | COMMAND …"]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        serve.format_options(ctx, formatter)
        self.format_commands(ctx, formatter)


@click.group(cls=_Sandbox, epilog="Example: sekisho sandbox sekisho.yaml --state ./sandbox")
def command() -> None:
    """Serve an AWS on this machine that really enforces IAM, for the AWS CLI, SDKs, scripts, and people with a browser.

    With FILE it starts with that environment applied, and each user gets a first password; FILE may be an estate as well (what `sekisho collect`
    writes), with its SCPs and RCPs in force. A client says where it comes from by the
    endpoint's path: http://127.0.0.1:4566/from/203.0.113.10. Stop it with Ctrl-C.

    With --state, all that was answered survives a restart: IAM, credentials, sessions and events, and what other services hold (buckets,
    queues, instances, …), which is told again from a journal when it is first asked for.
    """


@command.command(epilog="Example: sekisho sandbox serve sekisho.yaml --state ./sandbox")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--port", type=click.IntRange(0, 65535), default=4566, show_default=True, help="On 127.0.0.1; 0 takes a free one.")
@click.option(
    "--state", type=click.Path(path_type=Path),
    help="Folder where all that was done survives a restart. Without it, nothing does.",
)  # fmt: skip
@click.option("--accounts", help="Account ids, with commas between them, beside those of FILE.")
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written once it listens: endpoint, config and credentials files, profile.")
@click.option("--let-unknown-through", is_flag=True, help="Let pass what can't be decided for want of knowing it, instead of refusing it.")
@click.option("--organization", metavar="ACCOUNT", help="Put all accounts into an organisation that this account manages, with SCPs and RCPs.")
@click.option("--propagation", default="0s", metavar="TIME", help="How long a change of IAM takes to be in force, such as 5s: AWS's takes a while.")
@click.option(
    "--fas-source-ip", type=click.Choice(["original", "service"]), default="original", show_default=True,
    help="The address that a service's calls on a user's behalf come from: AWS's documents say both.",
)  # fmt: skip
@format_option("text", "json")
@click.option("--json", "form", flag_value="json", help="The same as --format json: one line with the endpoint and where the keys are, for scripts.")
def serve(
    file: Path | None, port: int, state: Path | None, accounts: str | None, ready_file: Path | None, let_unknown_through: bool,
    organization: str | None, propagation: str, fas_source_ip: str, form: str,
) -> None:  # fmt: skip
    """Serve: what `sekisho sandbox` does without a command."""
    from sekisho.sandbox import administration, organizations

    delay = administration.duration(propagation)
    environment, estate = _given(file)
    ids = _ids(accounts, environment, estate)
    if organization is not None and organization not in ids:
        raise InputError(f"--organization: {organization} is none of the accounts", expected=f"one of {', '.join(ids)}")
    from sekisho.private_file import write_private
    from sekisho.sandbox.access import ready, write_access
    from sekisho.sandbox.front import EmbeddedAws
    from sekisho.sandbox.server import Server
    from sekisho.web import console

    aws = EmbeddedAws(ids, state, let_unknown_through=let_unknown_through)
    for account in estate.accounts if estate is not None else ():
        if not aws.store.account(account.id).users and not aws.store.account(account.id).roles:
            aws.store.save(account)
    organizations.found_in(aws.store)
    if organization is not None and not aws.store.organizations:
        organizations.of_all(aws.store, organization)
    administration.set_reading(aws, fas_source_ip)
    aws.store.commit()
    server = Server(aws, port, console(aws, environment))
    stopping = _stopping()
    with tempfile.TemporaryDirectory(prefix="sekisho-sandbox-") as temporary, server:
        folder = state if state is not None else Path(temporary)
        access = {**write_access(server, folder), "console": f"{server.endpoint}/console"}
        if environment is not None:
            with progress() as tell:
                passwords = _apply(server, environment, tell)
            if passwords:
                access["passwords_file"] = str((folder / "first-passwords.json").absolute())
                write_private(Path(access["passwords_file"]), json.dumps(passwords, indent=2) + "\n")
        aws.store.delay(delay)
        if ready_file is not None:
            ready(ready_file, access)
        _announce(access, form)
        # Loading moto takes a while; the first call to S3 needn't wait for it.
        threading.Thread(target=_load, args=(aws,), name="loading moto", daemon=True).start()
        while not stopping.wait(0.5) and server.is_serving:
            pass
        if stopping.is_set():
            click.echo("stopped", err=True)


@command.command(epilog="Example: sekisho sandbox coverage s3 sqs")
@click.argument("services", nargs=-1)
@click.option("--operations", is_flag=True, help="Each operation with its IAM actions, not only the counts.")
@format_option("text", "json")
def coverage(services: tuple[str, ...], operations: bool, form: str) -> None:
    """How well each service's operations are known: exact resources, about all (*), or a resource that can't be told.

    Without SERVICES (signing names, such as s3 and states): all that the embedded AWS has. What can't be told is refused, unless no policy
    would answer differently for it, or --let-unknown-through is given.
    """
    from sekisho.cli.output import console, print_json, table
    from sekisho.sandbox.coverage import Covered, coverage
    from sekisho.sandbox.coverage import services as every

    known = every()
    for name in services:
        if name not in known:
            raise InputError(f"the embedded AWS has no service {name}", expected=f"one or more of {', '.join(known)}")
    rows: list[Covered] = []
    with progress() as tell:
        for name in services or known:
            tell(name)
            rows += coverage(name)
    if form == "json":
        body = [{"service": r.service, "operation": r.operation, "known": r.known, "by_rule": r.by_rule, "actions": list(r.actions)} for r in rows]
        print_json("sandbox-coverage", {"operations": body})
    elif operations:
        lines = [(r.service, r.operation, r.known + (" (rule)" if r.by_rule else ""), ", ".join(r.actions)) for r in rows]
        console().print(table("", ("service", "operation", "resources", "actions"), lines))
    else:
        counts = [(name, [r for r in rows if r.service == name]) for name in services or known]
        kinds = ("exact", "*", "unknown", "no action")
        numbers = [(name, str(len(of)), *(str(sum(r.known == k for r in of)) for k in kinds), str(sum(r.by_rule for r in of))) for name, of in counts]
        console().print(table("", ("service", "operations", *kinds, "by own rule"), numbers))


_OF = click.option(
    "--of", type=click.Path(path_type=Path), default=Path("sandbox"), show_default=True,
    help="The running sandbox: its --state folder, or its ready file.",
)  # fmt: skip


@command.command(epilog="Example: sekisho sandbox snapshot ./sandbox before.snapshot")
@click.argument("state", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
def snapshot(state: Path, file: Path) -> None:
    """Copy what a --state folder holds into one FILE, which only its owner can read: it holds keys and passwords' hashes.

    Also while a sandbox uses the folder: it is asked for the copy.
    """
    from sekisho.sandbox.snapshot import snapshot

    _say(snapshot(state, file), f"Written to {file}. Put it back with: sekisho sandbox restore {file} <folder>")


@command.command(epilog="Example: sekisho sandbox restore before.snapshot ./sandbox-2")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("state", type=click.Path(path_type=Path))
def restore(file: Path, state: Path) -> None:
    """Put a snapshot's FILE into a folder that holds no state yet."""
    from sekisho.sandbox.snapshot import restore

    _say(restore(file, state), f"Restored. Serve it with: sekisho sandbox --state {state}")


@command.command(epilog="Example: sekisho sandbox time +2h --of ./sandbox")
@click.argument("ahead", required=False)
@_OF
@format_option("text", "json")
def time(ahead: str | None, of: Path, form: str) -> None:
    """Let time pass on a running sandbox, such as +2h, +90m or 1d12h; without AHEAD: which time it has.

    Sessions run out, the age of MFA grows, and devices' codes are those of the new time. Time never goes back.
    """
    _administered(of, "time", None if ahead is None else {"ahead": ahead}, form)


@command.command(epilog="Example: sekisho sandbox propagation 5s --of ./sandbox")
@click.argument("delay", required=False)
@_OF
@format_option("text", "json")
def propagation(delay: str | None, of: Path, form: str) -> None:
    """How long changes of IAM take to be in force on a running sandbox, such as 5s, or 0s for none; without DELAY: how long they do.

    A change is read back at once, and decisions follow after the delay, as with AWS.
    """
    _administered(of, "propagation", None if delay is None else {"delay": delay}, form)


def _administered(of: Path, step: str, body: dict[str, str] | None, form: str) -> None:
    from sekisho.cli.output import print_json
    from sekisho.sandbox.administration import Administrator

    found = json.loads(Administrator(of).ask("state" if body is None else step, body))
    if form == "json":
        print_json("sandbox-state", found)
        return
    waiting = f", {found['changes_on_their_way']} on their way" if found["changes_on_their_way"] else ""
    click.echo(f"time          {found['time']} ({found['ahead_s']:g} s ahead of this machine)")
    click.echo(f"propagation   {found['propagation_s']:g} s{waiting}")
    click.echo(f"sessions      {found['sessions']} that haven't run out")


def _load(aws: EmbeddedAws) -> None:
    # The rest is loaded when it is asked for, and only who asks waits.
    aws.load("s3")


def _say(counted: dict[str, int], then: str) -> None:
    click.echo(", ".join(f"{number} {kind}" for kind, number in counted.items() if number))
    click.echo(then)


def _given(file: Path | None) -> tuple[Environment | None, Estate | None]:
    """The environment file, or the estate in AWS's JSON (a file or a folder), that a sandbox starts with."""
    if file is None:
        return None, None
    if file.is_dir() or file.suffix == ".json":
        from sekisho.estate import load_estate

        return None, load_estate(file)
    from sekisho.environment import load_environment

    return load_environment(file), None


def _ids(accounts: str | None, environment: Environment | None, estate: Estate | None) -> list[str]:
    ids = [a.strip() for a in accounts.split(",")] if accounts else []
    for account in ids:
        if len(account) != 12 or not account.isascii() or not account.isdigit():
            raise InputError(f"--accounts: {account!r} is no account id", expected="12 digits, with commas between the ids")
    if environment is not None:
        ids = [environment.jump, *(a.id for a in environment.wanted.accounts.values()), *ids]
    if estate is not None:
        ids = [*(a.id for a in estate.accounts), *ids]
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


def _stopping() -> threading.Event:
    """Set once SIGTERM or Ctrl-C asks to stop; from here on, however early that is."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    return stopping
