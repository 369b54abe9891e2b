"""``sekisho destroy``: take away what a sekisho.yaml has made."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.cli.apply import carry_out, finish
from sekisho.cli.output import format_option, progress
from sekisho.cli.reaching import account_options, address_option, made_plan, names_of, present_address, reach, state_folder


@click.command(epilog="Example: sekisho destroy sekisho.yaml --profile 'admin-{account}' --give-up 444455556666/administrators")
@click.argument("file", type=click.Path(path_type=Path))
@account_options
@address_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--give-up", multiple=True, metavar="WHAT", help="Go on although the lock-out guard refuses; WHAT is as its refusal says.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder of journal and lock.  [default: .sekisho beside FILE]")
@format_option("text", "json")
def command(
    file: Path, profile: str | None, role: str | None, mfa_serial: str | None, my_address: str | None, yes: bool, give_up: tuple[str, ...],
    state: Path | None, form: str,
) -> None:  # fmt: skip
    """Take away what FILE has made: users, groups, roles and policies that carry Sekisho's mark. Nothing foreign, not the alias, not the
    password policy. As careful as apply: planned, asked, journalled, and refused where it would lock out.
    """
    from sekisho.deploy.journal import Journal, locked
    from sekisho.environment import load_environment

    environment = load_environment(file)
    folder = state_folder(state, file)
    accounts = reach(profile, role, mfa_serial, names_of(environment))
    address = present_address(my_address)
    with locked(folder), progress() as tell:
        journal = Journal.read(folder / "journal")
        if journal is not None and not journal.ended:
            finish(journal, accounts, False, form, tell)
        plan = made_plan(environment, accounts, tell, destroy=True)
        carry_out(plan, accounts, folder, address=address, yes=yes, give_up=give_up, form=form, tell=tell)
