"""``sekisho sessions``: end the sessions of a role."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from sekisho.cli.reaching import account_options, names_of, reach
from sekisho.errors import InputError


@click.group(epilog="Example: sekisho sessions revoke production/admin --profile 'admin-{account}'")
def command() -> None:
    """End sessions of roles that live on, whatever was changed since they were made."""


@command.command(epilog="Example: sekisho sessions revoke production/admin --profile 'admin-{account}'")
@click.argument("role_name", metavar="ROLE")
@click.option("--file", type=click.Path(path_type=Path), default=Path("sekisho.yaml"), show_default=True, help="The environment file.")
@account_options
@click.option("--yes", is_flag=True, help="Don't ask.")
def revoke(role_name: str, file: Path, profile: str | None, role: str | None, mfa_serial: str | None, yes: bool) -> None:
    """End every session of ROLE that was made until now. ROLE is account/name as in FILE, or an ARN.

    Puts the inline policy AWSRevokeOlderSessions on the role, as the console's button does. New sessions work at once; all users of the
    role are signed out of it.
    """
    from sekisho.deploy.people import revoke as revoke_now
    from sekisho.environment import compile_environment, load_environment

    environment = load_environment(file)
    estate = compile_environment(environment)
    known = {f"{r.account_label}/{r.name}": r.arn for r in environment.roles}
    found = estate.role(known.get(role_name, role_name))
    if found is None:
        raise InputError(f"there is no role {role_name}", expected=f"one of {', '.join(known)}, or an ARN of one of them")
    if not yes:
        click.confirm(f"End all sessions of {found.arn}, of all users?", abort=True, err=True)
    at = datetime.now(UTC)
    revoke_now(found, reach(profile, role, mfa_serial, names_of(environment)), at)
    click.echo(f"Sessions of {found.arn} made before {at:%Y-%m-%dT%H:%M:%SZ} are denied everything.")
