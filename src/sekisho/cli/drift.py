"""``sekisho drift``: what exists, against the file."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.cli.output import format_option, print_json, progress
from sekisho.cli.reaching import account_options, made_plan, names_of, reach


@click.command(epilog="Example: sekisho drift sekisho.yaml --profile 'audit-{account}'")
@click.argument("file", type=click.Path(path_type=Path))
@account_options
@format_option("text", "json")
def command(file: Path, profile: str | None, role: str | None, mfa_serial: str | None, form: str) -> None:
    """Say how what exists has moved away from FILE: who can do what they shouldn't, or no longer what they should; what was changed, by whom.

    Changes nothing; for a scheduler. What others attached to the file's principals counts too. Exit status 1 where something has moved.
    """
    from sekisho.deploy.calls import AwsError
    from sekisho.deploy.difference import sentences
    from sekisho.deploy.people import who_did
    from sekisho.environment import load_environment

    environment = load_environment(file)
    accounts = reach(profile, role, mfa_serial, names_of(environment))
    rows: list[dict[str, str | None]] = []
    unread: dict[str, str] = {}
    with progress() as tell:
        # What others attached to our principals has moved them too, whether or not `apply` would take it off.
        plan = made_plan(environment, accounts, tell, exclusive=True)
        for change in plan.steps:
            by = None
            if change.account not in unread:
                try:
                    by = who_did(accounts, change.account, change.subject)
                except AwsError as error:
                    unread[change.account] = error.message
            rows.append({"account": change.account, "sign": change.sign.value, "subject": change.subject, "to_do": change.text, "by": by})
        access = sentences(plan.outcome, plan.existing, plan.networks)
    moved = bool(rows) or bool(access)
    if form == "json":
        print_json("drift", {"access": access, "moved": rows, "unread": unread})
    else:
        for line in access:
            click.echo(line)
        for row in rows:
            click.echo(f"{row['account']}: to be as the file has it: {row['sign']} {row['to_do']}" + (f" [{row['by']}]" if row["by"] else ""))
        for account, why in unread.items():
            click.echo(f"Who did it is not known in {account}: {why}", err=True)
        click.echo(f"Next: sekisho plan {file}" if moved else "Nothing has moved: what exists is what the file wants.")
    if moved:
        raise SystemExit(1)
