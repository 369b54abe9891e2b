"""The options by which commands reach accounts, and what several of them do with those: read what exists, make a plan, show it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sekisho.errors import InputError, OutsideError

if TYPE_CHECKING:
    from sekisho.deploy.accounts import Accounts
    from sekisho.deploy.guard import Verdict
    from sekisho.deploy.plan import Plan
    from sekisho.environment import Environment

F = TypeVar("F", bound=Callable[..., Any])


def account_options(function: F) -> F:
    """``--profile``, ``--role`` and ``--mfa-serial``."""
    for option in (
        click.option("--mfa-serial", metavar="SERIAL", help="MFA device of your own credentials; its code is asked for once."),
        click.option("--role", metavar="NAME", help="A role to assume in each account, with your own credentials."),
        click.option("--profile", metavar="PATTERN", help="A profile for each account: {account} and {name} are replaced."),
    ):
        function = option(function)
    return function


def address_option(function: F) -> F:
    return click.option(
        "--my-address", metavar="ADDRESS|URL", envvar="SEKISHO_MY_ADDRESS", show_envvar=True,
        help="Where you come from, or a URL that answers with it: the lock-out guard asks whether you keep your way in.",
    )(function)  # fmt: skip


def reach(profile: str | None, role: str | None, mfa_serial: str | None, names: Mapping[str, str] | None = None) -> Accounts:
    from sekisho.deploy.accounts import Accounts

    if profile and role:
        raise click.UsageError("--profile and --role: give one of them.")

    def ask() -> str:
        return str(click.prompt("MFA code", hide_input=True, err=True))

    return Accounts(profile, role, names or {}, mfa_serial, ask)


def names_of(environment: Environment) -> dict[str, str]:
    """Account → what the file calls it."""
    return {environment.jump: "jump"} | {a.id: label for label, a in environment.wanted.accounts.items()}


def present_address(given: str | None) -> str | None:
    """The address that ``--my-address`` names, asked of its URL where it is one. Raises InputError or OutsideError."""
    import ipaddress

    if given is None:
        return None
    text = given
    if given.startswith(("https://", "http://")):
        from urllib.request import urlopen

        try:
            with urlopen(given, timeout=10) as answer:  # the user's own choice of source
                text = answer.read(200).decode("ascii", "replace").strip()
        except OSError as error:
            raise OutsideError(f"{given}: doesn't answer: {error}", remedy="give the address itself: --my-address 203.0.113.10") from error
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InputError(f"{text[:60]!r} is no address", expected="an IP address, or a URL that answers with one") from None


def state_folder(given: Path | None, file: str | Path | None) -> Path:
    """Where journal and lock are: as given, else ``.sekisho`` beside the environment file."""
    return given if given is not None else (Path(file).resolve().parent if file else Path.cwd()) / ".sekisho"


def made_plan(
    environment: Environment, accounts: Accounts, told: Callable[[str], None], *, destroy: bool = False, exclusive: bool = False
) -> Plan:
    """Read what exists and plan for it; ``exclusive`` whatever the file says."""
    from sekisho.deploy.collect import collect, with_credentials
    from sekisho.deploy.plan import make_plan, nothing_of
    from sekisho.environment import compile_environment

    wanted = compile_environment(environment)
    existing = collect(accounts, [a.id for a in wanted.accounts], names=names_of(environment), told=told)
    if destroy:
        wanted = nothing_of(wanted)
    existing = with_credentials(accounts, existing, wanted)
    return make_plan(
        existing, wanted, jump=environment.jump, exclusive=exclusive or environment.wanted.exclusive,
        file=str(Path(environment.file or "").resolve()), networks=environment.wanted.networks, vantage_points=environment.vantage_points,
    )  # fmt: skip


def judged(plan: Plan, accounts: Accounts, address: str | None) -> Verdict:
    """What the lock-out guard says of the plan, for who applies it."""
    from sekisho.deploy.guard import guard

    callers = {account: accounts.who(account) for account in {c.account for c in plan.steps}}
    return guard(plan, callers=callers, address=address)


def access_difference(plan: Plan) -> list[str]:
    """Who gains and who loses what, from where, in sentences. Of what exists only what the plan changes is changed: the rest stays as it is."""
    from sekisho.deploy.difference import sentences

    return sentences(plan.existing, plan.outcome, plan.networks)


# --- showing -------------------------------------------------------------------------------------------------------------

_COLOURS = {"+": "green", "~": "yellow", "-": "red"}


def show_plan(plan: Plan, verdict: Verdict, *, differences: bool = False) -> None:
    """The access difference, the changes by account, what stays, the guard's word, and the summary."""
    said = access_difference(plan)
    click.echo("Access")
    for line in said:
        click.echo(f"  {line}")
    if not said:
        click.echo("  stays as it is: nobody gains, nobody loses")
    names = {a.id: a.name for a in plan.wanted.accounts}
    for account in dict.fromkeys(c.account for c in plan.steps):
        click.echo(f"\n{names.get(account) or ''} {account}".strip())
        for change in plan.steps:
            if change.account != account:
                continue
            click.echo("  " + click.style(f"{change.sign.value} {change.text}", fg=_COLOURS[change.sign.value]))
            if differences and (change.before or change.after):
                _show_documents(change.before, change.after)
    if plan.foreign:
        click.echo("\nNot of the file, and left alone" + ("" if plan.exclusive else " (`exclusive: true` would take it away)"))
        for entry in plan.foreign:
            click.echo(f"  {entry.account}: {entry.text}")
    _show_verdict(verdict)
    for held in plan.existing.accounts:
        for what, why in held.unread:
            click.echo(f"Not read: {what} of {held.id}: {why}", err=True)
    for line in unverified(plan):
        click.echo(f"Unverified: {line}")
    counts = plan.counts
    click.echo(f"\nPlan: {counts['add']} to add, {counts['change']} to change, {counts['remove']} to remove; {len(plan.calls)} calls.")


def unverified(plan: Plan) -> list[str]:
    """What the rule book marks as unverified and this plan rests on."""
    found = []
    if any(c.service == "signin" for c in plan.calls):
        found.append("what AWS makes of sign-in permission statements (M-06), several networks (one statement each) among them")
        if any(":user/" in p and p.split(":", 5)[5].count("/") > 1 for c in plan.calls for p in [str(c.params.get("excludedPrincipal", ""))]):
            found.append("AWS's form of an excluded user has no path (M-05): a user at a path may not be excluded, and the call may be refused")
    return found


def _show_verdict(verdict: Verdict) -> None:
    for refusal in verdict.refusals:
        step = f" (at: {refusal.step.sign.value} {refusal.step.text})" if refusal.step else ""
        click.echo(click.style(f"\nLock-out: {refusal.text}{step}", fg="red") + f"\n  apply refuses this, unless told --give-up {refusal.key}")
    for line in verdict.unknown:
        click.echo(f"\nLock-out guard: {line}")


def _show_documents(before: Any, after: Any) -> None:
    one, other = (json.dumps(p.normalised(), indent=2, ensure_ascii=False).splitlines() if p else [] for p in (before, after))
    for line in difflib.unified_diff(one, other, lineterm="", n=2):
        if not line.startswith(("---", "+++")):
            click.echo(f"      {line}")


def plan_json(plan: Plan, verdict: Verdict) -> dict[str, Any]:
    return {
        "access": access_difference(plan),
        "changes": [
            {"account": c.account, "sign": c.sign.value, "subject": c.subject, "text": c.text, "calls": [str(k) for k in c.calls],
             "before": c.before.normalised() if c.before else None, "after": c.after.normalised() if c.after else None}
            for c in plan.steps
        ],
        "foreign": [{"account": f.account, "subject": f.subject, "text": f.text} for f in plan.foreign],
        "lock_out": [{"give_up": r.key, "text": r.text, "step": r.step.text if r.step else None} for r in verdict.refusals],
        "not_known": [*verdict.unknown, *unverified(plan)], "unread": [[a.id, *u] for a in plan.existing.accounts for u in a.unread],
        "summary": {**plan.counts, "calls": len(plan.calls)},
    }  # fmt: skip
