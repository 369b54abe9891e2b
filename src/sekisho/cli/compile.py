"""``sekisho compile``: from sekisho.yaml to AWS's own JSON, one file an account."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sekisho.cli.output import console, format_option, print_json, table


@click.command(epilog="Example: sekisho compile sekisho.yaml --out estate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="The folder to write <account id>.json into.")
@format_option("text", "json")
def command(file: Path, folder: Path, form: str) -> None:
    """Write the estate that FILE asks for: one JSON file an account, in the form of `aws iam get-account-authorization-details`.

    Prints the size of each trust policy beside its quota, and how many more users fit.
    """
    from sekisho.environment import compile_environment, load_environment, trust_room
    from sekisho.estate import write_estate
    from sekisho.policy.quotas import limit, policy_size

    environment = load_environment(file)
    estate = compile_environment(environment)
    written = write_estate(estate, folder)
    gauges: list[dict[str, Any]] = []
    for target in environment.roles:
        role = estate.role(target.arn)
        if role is not None:
            gauges.append(
                {
                    "role": target.arn, "trusts_as": target.role.trusts_as, "users": len(environment.trusted_users(target.role)),
                    "size": policy_size(role.trust.document), "quota": limit("trust_policy_size"), "more_users_fit": trust_room(environment, target),
                }
            )  # fmt: skip
    if form == "json":
        print_json("compile", {"files": [str(p) for p in written], "trust_policies": gauges})
        return
    for account, path in zip(estate.accounts, written, strict=True):
        click.echo(
            f"{path}: {account.name or account.id}: {len(account.users)} users, {len(account.groups)} groups, {len(account.roles)} roles, "
            f"{len(account.policies)} managed policies"
        )
    rows = []
    for g in gauges:
        room = g["more_users_fit"]
        fit = "any number" if room is None else f"{room} more users fit"
        rows.append([str(g["role"]), str(g["trusts_as"]), str(g["users"]), f"{g['size']} of {g['quota']}", fit])
    console().print(table("Trust policies", ["role", "trusts as", "users", "characters", "room"], rows))
