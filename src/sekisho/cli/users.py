"""``sekisho users``: people come and go; the environment file is edited in place."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.cli.apply import carry_out, finish
from sekisho.cli.output import console, format_option, print_json, progress, table
from sekisho.cli.reaching import account_options, address_option, made_plan, names_of, present_address, reach, state_folder
from sekisho.errors import OutsideError
from sekisho.private_file import write_private

if TYPE_CHECKING:
    from sekisho.environment import Environment

_FILE = click.option("--file", type=click.Path(path_type=Path), default=Path("sekisho.yaml"), show_default=True, help="The environment file.")
_YES = click.option("--yes", is_flag=True, help="Don't ask.")
_GIVE_UP = click.option("--give-up", multiple=True, metavar="WHAT", help="Go on although the lock-out guard refuses; WHAT is as its refusal says.")
_STATE = click.option("--state", type=click.Path(path_type=Path), help="Folder of journal and lock.  [default: .sekisho beside the file]")


@click.group(epilog="Example: sekisho users add kato --group platform --profile 'admin-{account}'")
def command() -> None:
    """People: add a user to the environment file, remove one, list them. Comments and order of the file are kept."""


@command.command("list", epilog="Example: sekisho users list --file sekisho.yaml")
@_FILE
@format_option("text", "json")
def list_(file: Path, form: str) -> None:
    """Each user with their groups and the roles that they can reach from some declared network."""
    from sekisho.deploy.export.reachable import reachable
    from sekisho.environment import compile_environment, load_environment

    environment = load_environment(file)
    names = {r.arn: f"{r.account_label}/{r.name}" for r in environment.roles}
    reached = reachable(compile_environment(environment), environment)
    rows = [
        {"user": u, "arn": environment.user_arn(u), "groups": list(g), "roles": [names.get(r.arn, r.arn) for r in reached.get(u, ())]}
        for u, g in environment.users.items()
    ]
    if form == "json":
        print_json("users", {"users": rows})
        return
    console().print(table("", ["user", "groups", "roles"], [[str(r["user"]), ", ".join(r["groups"]), ", ".join(r["roles"])] for r in rows]))


@command.command(epilog="Example: sekisho users add kato --group platform --profile 'admin-{account}' --password-file kato.json")
@click.argument("name")
@click.option("--group", "groups", multiple=True, required=True, help="A group that the user joins; may be given more than once.")
@_FILE
@account_options
@address_option
@_YES
@_GIVE_UP
@_STATE
@click.option("--password-file", type=click.Path(path_type=Path), help="Where the first password goes (0600).  [default: NAME.password.json]")
def add(
    name: str, groups: tuple[str, ...], file: Path, profile: str | None, role: str | None, mfa_serial: str | None, my_address: str | None,
    yes: bool, give_up: tuple[str, ...], state: Path | None, password_file: Path | None,
) -> None:  # fmt: skip
    """Add user NAME. With --profile or --role it is planned, applied, and a first password handed over through a file; else the file alone."""
    from sekisho.environment.edit import add_user

    text = _read(file)
    changed = add_user(text, name, groups, str(file))
    if not profile and not role:
        _write(file, changed)
        click.echo(f"{file}: {name} is in {', '.join(groups)}. Next: sekisho plan {file}")
        return
    _edit_and_apply(file, text, changed, profile, role, mfa_serial, my_address, yes, give_up, state)
    from sekisho.deploy.people import hand_out_passwords
    from sekisho.environment import load_environment

    environment = load_environment(file)
    where = password_file or file.parent / f"{name}.password.json"
    if hand_out_passwords(reach(profile, role, mfa_serial, names_of(environment)), environment.jump, [name], where):
        click.echo(f"The first password of {name}, to be changed at the first sign-in, is in {where}, which only you can read.")


@command.command(epilog="Example: sekisho users remove kato --profile 'admin-{account}'")
@click.argument("name")
@_FILE
@account_options
@address_option
@_YES
@_GIVE_UP
@_STATE
def remove(
    name: str, file: Path, profile: str | None, role: str | None, mfa_serial: str | None, my_address: str | None, yes: bool,
    give_up: tuple[str, ...], state: Path | None,
) -> None:  # fmt: skip
    """Remove user NAME: keys, devices, groups, and every trust that names them, in one plan. Says which of their sessions live on."""
    from sekisho.deploy.export.reachable import reachable
    from sekisho.deploy.people import sessions_left
    from sekisho.environment import compile_environment, load_environment
    from sekisho.environment.edit import remove_user

    environment = load_environment(file)
    estate = compile_environment(environment)
    text = _read(file)
    changed = remove_user(text, name, str(file))
    left = sessions_left(estate, reachable(estate, environment), name, datetime.now(UTC))
    if not profile and not role:
        _write(file, changed)
        click.echo(f"{file}: {name} is no longer in it. Next: sekisho plan {file}")
    else:
        _edit_and_apply(file, text, changed, profile, role, mfa_serial, my_address, yes, give_up, state)
    for line in left:
        click.echo(line)
    if left:
        click.echo("End them with `sekisho sessions revoke ROLE`, which ends those of all users of the role.")


def _edit_and_apply(
    file: Path, text: str, changed: str, profile: str | None, role: str | None, mfa_serial: str | None, my_address: str | None, yes: bool,
    give_up: tuple[str, ...], state: Path | None,
) -> None:  # fmt: skip
    """Plan the edited file; once that is agreed to, write it and apply. Refused or declined, the file stays as it was."""
    from sekisho.deploy.journal import Journal, locked
    from sekisho.environment import parse_environment

    environment: Environment = parse_environment(changed, str(file))
    accounts = reach(profile, role, mfa_serial, names_of(environment))
    address = present_address(my_address)
    folder = state_folder(state, file)
    with locked(folder), progress() as tell:
        journal = Journal.read(folder / "journal")
        if journal is not None and not journal.ended:
            finish(journal, accounts, False, "text", tell)
        plan = made_plan(environment, accounts, tell)
        carry_out(plan, accounts, folder, address=address, yes=yes, give_up=give_up, form="text", tell=tell, agreed=lambda: _write(file, changed))


def _read(file: Path) -> str:
    from sekisho.environment import load_environment

    load_environment(file)  # its errors are better than ours would be
    return file.read_text(encoding="utf-8")


def _write(file: Path, text: str) -> None:
    """The file in place of the old one, whole or not at all, with its mode."""
    try:
        mode = file.stat().st_mode & 0o777
    except OSError as error:
        raise OutsideError(f"{file}: can't be written: {error.strerror or error}") from error
    write_private(file, text, mode=mode)
