"""``sekisho apply``: a plan carried out, gone on with, or taken back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sekisho.cli.output import format_option, print_json, progress
from sekisho.cli.reaching import account_options, address_option, judged, made_plan, names_of, present_address, reach, show_plan, state_folder
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.deploy.accounts import Accounts
    from sekisho.deploy.apply import Hands
    from sekisho.deploy.guard import Verdict
    from sekisho.deploy.plan import Plan


@click.command(epilog="Example: sekisho apply sekisho.yaml --profile 'admin-{account}'")
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--plan", "plan_file", type=click.Path(path_type=Path), help="A plan that `sekisho plan --out` saved.")
@account_options
@address_option
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--give-up", multiple=True, metavar="WHAT", help="Go on although the lock-out guard refuses; WHAT is as its refusal says.")
@click.option("--rollback", is_flag=True, help="Take a broken-off apply back, to what existed before it.")
@click.option("--state", type=click.Path(path_type=Path), help="Folder of journal and lock.  [default: .sekisho beside FILE]")
@format_option("text", "json")
def command(
    file: Path | None, plan_file: Path | None, profile: str | None, role: str | None, mfa_serial: str | None, my_address: str | None, yes: bool,
    give_up: tuple[str, ...], rollback: bool, state: Path | None, form: str,
) -> None:  # fmt: skip
    """Make what FILE wants, or carry out a saved plan, in an order that never opens and never locks out.

    Each call is in a journal first. Broken off by whatever, the same command goes on where it stopped, and --rollback returns to what was.
    """
    from sekisho.deploy.journal import Journal, locked
    from sekisho.deploy.plan import read_plan
    from sekisho.environment import load_environment

    if file is not None and plan_file is not None:
        raise click.UsageError("FILE or --plan: give one of them.")
    saved = read_plan(plan_file) if plan_file else None
    folder = state_folder(state, file or (saved.file if saved else None))
    environment = load_environment(file) if file is not None else None
    address = present_address(my_address)
    with locked(folder), progress() as tell:
        journal = Journal.read(folder / "journal")
        if journal is not None and journal.ended:
            journal = None
        if journal is not None:
            accounts = reach(profile, role, mfa_serial, {a.id: a.name for a in journal.plan.wanted.accounts})
            finish(journal, accounts, rollback, form, tell)
            if rollback or environment is None:
                return
        elif rollback:
            raise InputError("there is no broken-off apply to take back", remedy=f"its journal would be {folder / 'journal'}; --state names another")
        if saved is not None:
            accounts, plan = reach(profile, role, mfa_serial, {a.id: a.name for a in saved.wanted.accounts}), saved
        elif environment is not None:
            accounts = reach(profile, role, mfa_serial, names_of(environment))
            plan = made_plan(environment, accounts, tell)
        else:
            raise click.UsageError("Give FILE or --plan.")
        carry_out(plan, accounts, folder, address=address, yes=yes, give_up=give_up, form=form, tell=tell)


def hands_for(plan: Plan, accounts: Accounts, tell: object) -> Hands:
    from sekisho.deploy.apply import Hands
    from sekisho.deploy.collect import collect

    ids = [a.id for a in plan.wanted.accounts]
    return Hands(accounts, lambda: collect(accounts, ids, brief=True), tell)  # type: ignore[arg-type]


def finish(journal: object, accounts: Accounts, back: bool, form: str, tell: object) -> None:
    """Go on with a broken-off apply, or take it back."""
    from sekisho.deploy.apply import resume, rollback
    from sekisho.deploy.journal import Journal

    assert isinstance(journal, Journal)
    hands = hands_for(journal.plan, accounts, tell)
    outcome = rollback(journal, hands) if back else resume(journal, hands)
    if form == "json":
        print_json("apply", {"end": outcome.end, "calls": outcome.calls})
    elif back:
        click.echo(f"Taken back with {outcome.calls} calls: what exists is what was before." + _without_credentials(journal.plan))
    else:
        click.echo(f"The apply that was broken off is finished, with {outcome.calls} more calls.")


def _without_credentials(plan: Plan) -> str:
    """Users that a rollback makes anew: what they signed in with can't come back."""
    gone = [c.params["UserName"] for c in plan.calls if c.operation == "DeleteUser"]
    return f" Made anew, without their passwords, keys and MFA devices: {', '.join(gone)}." if gone else ""


def refused(verdict: Verdict, give_up: tuple[str, ...]) -> None:
    """Raise InputError for what the guard refuses and the user doesn't give up."""
    left = [r for r in verdict.refusals if r.key not in give_up]
    if left:
        first = left[0]
        step = f", at the step {first.step.sign.value} {first.step.text}" if first.step else ""
        more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
        raise InputError(
            f"this would lock out: {first.text}{step}{more}", expected="a way in that can undo the change, throughout",
            remedy=f"mend the file; or say what you give up: {' '.join(f'--give-up {k}' for k in dict.fromkeys(r.key for r in left))}",
        )  # fmt: skip


def carry_out(
    plan: Plan, accounts: Accounts, folder: Path, *, address: str | None, yes: bool, give_up: tuple[str, ...], form: str, tell: object,
    agreed: Callable[[], None] = lambda: None,
) -> None:  # fmt: skip
    """Show the plan, ask the guard and the user, and apply. ``agreed`` is called once the user has said yes, before the first call."""
    from sekisho.deploy.apply import apply

    if not plan.steps:
        agreed()
        if form == "json":
            print_json("apply", {"end": "nothing to do", "calls": 0})
        else:
            click.echo("Nothing to do: what exists is what is wanted.")
        return
    verdict = judged(plan, accounts, address)
    if form == "text":
        show_plan(plan, verdict)
    refused(verdict, give_up)
    if not yes and not click.confirm("Apply this?", err=True):
        raise click.Abort
    agreed()
    outcome = apply(plan, folder / "journal", hands_for(plan, accounts, tell))
    if form == "json":
        print_json("apply", {"end": outcome.end, "calls": outcome.calls, "given_up": list(give_up)})
    else:
        click.echo(f"Applied: {outcome.calls} calls. Looked at again: what exists is what is wanted.")
