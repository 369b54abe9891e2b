"""``sekisho collect``: accounts read through AWS's API into an ESTATE folder."""

from __future__ import annotations

import re
from pathlib import Path

import click

from sekisho.cli.output import format_option, print_json
from sekisho.cli.reaching import account_options, reach
from sekisho.errors import InputError


@click.command(epilog="Example: sekisho collect --accounts 111122223333,444455556666 --profile 'audit-{account}' --out estate")
@click.option("--accounts", required=True, metavar="ID,…", help="The accounts to read, with commas between them; id=name gives one a name.")
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="The folder to write <account id>.json into.")
@account_options
@format_option("text", "json")
def command(accounts: str, folder: Path, profile: str | None, role: str | None, mfa_serial: str | None, form: str) -> None:
    """Read accounts through AWS's API into an ESTATE folder: principals and policies, MFA devices, password and sign-in policies, SCPs, RCPs.

    What the credentials may not read is listed as unread, and every answer that needs it is "unknown". A run that was broken off goes on
    where it stopped. Exit status 1 where something could not be read.
    """
    from sekisho.deploy.collect import collect_into

    names: dict[str, str] = {}
    for entry in filter(None, (a.strip() for a in accounts.split(","))):
        account, _, name = entry.partition("=")
        if not re.fullmatch(r"[0-9]{12}", account):
            raise InputError(f"--accounts: {account!r} is no account id", expected="12 digits, such as 111122223333")
        names[account] = name
    if not names:
        raise InputError("--accounts: no account", expected="account ids with commas between them")
    estate = collect_into(folder, reach(profile, role, mfa_serial, names), list(names), names=names, told=lambda t: click.echo(t, err=True))
    unread = [{"account": a.id, "what": what, "why": why} for a in estate.accounts for what, why in a.unread]
    if form == "json":
        print_json("collect", {"files": [str(folder / f"{a.id}.json") for a in estate.accounts], "unread": unread})
    else:
        for entry_ in unread:
            click.echo(f"not read: {entry_['what']} of {entry_['account']}: {entry_['why']}")
        click.echo(f"{len(estate.accounts)} accounts in {folder}. Next: sekisho check {folder}")
    if unread:
        raise SystemExit(1)
