"""``sekisho plan``: what exists → what is wanted."""

from __future__ import annotations

from pathlib import Path

import click

from sekisho.cli.output import format_option, print_json, progress
from sekisho.cli.reaching import account_options, address_option, judged, made_plan, names_of, plan_json, present_address, reach, show_plan


@click.command(epilog="Example: sekisho plan sekisho.yaml --profile 'admin-{account}' --out tomorrow.plan")
@click.argument("file", type=click.Path(path_type=Path))
@account_options
@address_option
@click.option("--out", "out", type=click.Path(path_type=Path), help="Save the plan, for `sekisho apply --plan`.")
@click.option("--differences", is_flag=True, help="Show how documents change, too.")
@format_option("text", "json")
def command(
    file: Path, profile: str | None, role: str | None, mfa_serial: str | None, my_address: str | None, out: Path | None, differences: bool, form: str
) -> None:
    """Compare what exists in the accounts with what FILE wants: who gains and loses access first, then the changes.

    Changes nothing. Exit status 0 where there is nothing to do, 1 where there are changes.
    """
    from sekisho.deploy.plan import write_plan
    from sekisho.environment import load_environment

    environment = load_environment(file)
    address = present_address(my_address)
    accounts = reach(profile, role, mfa_serial, names_of(environment))
    with progress() as tell:
        plan = made_plan(environment, accounts, tell)
        verdict = judged(plan, accounts, address)
    if out is not None:
        write_plan(plan, out)
    if form == "json":
        print_json("plan", plan_json(plan, verdict))
    elif not plan.steps:
        for entry in plan.foreign:
            click.echo(f"Not of the file, and left alone: {entry.account}: {entry.text}")
        click.echo("Nothing to do: what exists is what the file wants.")
    else:
        show_plan(plan, verdict, differences=differences)
        click.echo(f"Next: sekisho apply --plan {out}" if out else f"Next: sekisho apply {file}")
    if plan.steps:
        raise SystemExit(1)
