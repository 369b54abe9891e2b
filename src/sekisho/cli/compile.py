"""``sekisho compile``: from sekisho.yaml to AWS's own JSON, one file an account."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sekisho.cli.output import console, format_option, print_json, table
from sekisho.errors import InputError

if TYPE_CHECKING:
    from sekisho.environment import Room


@click.command(epilog="Example: sekisho compile sekisho.yaml --out estate")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="The folder to write <account id>.json into.")
@format_option("text", "json")
def command(file: Path, folder: Path, form: str) -> None:
    """Write the estate that FILE asks for: one JSON file an account, in the form of `aws iam get-account-authorization-details`.

    Prints the size of each trust policy beside its quota, and how many more users fit each role and each group.
    """
    from sekisho.environment import compile_environment, group_room, load_environment, trust_room
    from sekisho.estate import write_estate
    from sekisho.policy.quotas import limit, policy_size

    environment = load_environment(file)
    estate = compile_environment(environment)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is no folder", expected="a folder for <account id>.json", remedy="give another name to --out")
    written = write_estate(estate, folder)
    strangers = sorted(p for p in folder.glob("*.json") if p not in written)
    if strangers:
        listed = ", ".join(p.name for p in strangers)
        click.echo(f"{folder} also holds {listed}: not of this file, but read as a part of the estate. Remove what is old.", err=True)
    roles: list[dict[str, Any]] = []
    for target in environment.roles:
        role = estate.role(target.arn)
        assert role is not None
        roles.append(
            {
                "role": target.arn, "trusts_as": target.role.trusts_as, "users": len(environment.trusted_users(target.role)),
                "size": policy_size(role.trust.document), "quota": limit("trust_policy_size"), **_room(trust_room(environment, target)),
            }
        )  # fmt: skip
    groups = [
        {"group": name, "users": len(group.users), **_room(group_room(environment, name))} for name, group in environment.wanted.groups.items()
    ]
    if form == "json":
        print_json("compile", {"files": [str(p) for p in written], "trust_policies": roles, "groups": groups})
        return
    for account, path in zip(estate.accounts, written, strict=True):
        click.echo(
            f"{path}: {account.name or account.id}: {len(account.users)} users, {len(account.groups)} groups, {len(account.roles)} roles, "
            f"{len(account.policies)} managed policies"
        )
    out = console()
    rows = [[r["role"], r["trusts_as"], str(r["users"]), f"{r['size']:,} of {r['quota']:,}", _words(r)] for r in roles]
    out.print(table("Trust policies", ["role", "trusts as", "users", "characters", "room"], rows))
    rows = [[g["group"], str(g["users"]), _words(g), g["limited_by"] or "the users of an account"] for g in groups]
    out.print(table("Groups", ["group", "users", "room", "limited by"], rows))
    click.echo(f"Next: `sekisho try {file}` walks every user through it.")


def _room(room: Room) -> dict[str, Any]:
    return {"more_users_fit": room.users, "name_length": room.name_length, "limited_by": room.limited_by}


def _words(gauge: dict[str, Any]) -> str:
    users = "1 more user fits" if gauge["more_users_fit"] == 1 else f"{gauge['more_users_fit']:,} more users fit"
    return f"{users} (names of {gauge['name_length']})"
