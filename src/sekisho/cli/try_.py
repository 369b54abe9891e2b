"""``sekisho try``: the main job on an embedded AWS, told as a story and a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sekisho.cli.output import console, format_option, print_json, progress, table
from sekisho.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from sekisho.environment import Environment
    from sekisho.walk import Row
    from sekisho.walk.api import Api, Keys

STORY_VISITS = 12
"""Up to so many visits (users times vantage points) are told one by one; more are only counted and tabled."""


@click.command(epilog="Example: sekisho try sekisho.yaml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("sekisho.yaml"))
@click.option("--endpoint", help="An embedded AWS that runs already; without it one is started, and gone afterwards.")
@click.option("--profile", default="sekisho-{account}", show_default=True, help="With --endpoint: the administrators' profiles.")
@format_option("text", "json")
def command(file: Path, endpoint: str | None, profile: str, form: str) -> int:
    """Apply FILE to an embedded AWS, walk every user from every vantage point, and print each outcome beside what was predicted.

    Sign-in, second factor, switch role and a call as the role, over real HTTP with real SDK clients; then the same session from everywhere
    else, and without the console. Exit status 1 where an outcome differs from its prediction.
    """
    from sekisho.environment import load_environment

    environment = load_environment(file)
    if not environment.users:
        raise InputError(f"{file} has no users to walk", expected="users in a group", remedy="add `users: [name]` to a group")
    places = environment.vantage_points
    if not places:
        raise InputError(
            f"{file} says nowhere to walk from", expected="vantage_points", remedy="add `vantage_points: {office: 203.0.113.10}`"
        )
    with progress() as tell:
        rows, alone, where = _walk(environment, endpoint, profile, tell)
    differ = sum(r.differs for r in [*rows, *alone])
    if form == "json":
        body: dict[str, Any] = {"rows": [r.to_json() for r in rows], "differ": differ}
        if alone:
            body["without_method_1"] = [r.to_json() for r in alone]
        print_json("try", body)
    else:
        _tell(environment, file, rows, alone, where, differ)
    return 1 if differ else 0


def _walk(environment: Environment, endpoint: str | None, profile: str, tell: Any) -> tuple[list[Row], list[Row], str]:
    from sekisho.environment import compile_environment
    from sekisho.walk import walk
    from sekisho.walk.setup import apply_estate, existing_estate

    estate = compile_environment(environment)
    accounts = [a.id for a in estate.accounts]
    with _reached(endpoint, profile, environment, accounts) as (api, keys):
        tell("applying the file through the API")
        apply_estate(existing_estate(api, keys, accounts), estate, api, keys, tell)
        rows = walk(estate, environment.jump, environment.vantage_points, api, keys, tell)
        second = _without_method_1(environment)
        alone: list[Row] = []
        if second is not None and len(environment.users) * len(environment.vantage_points) <= STORY_VISITS:
            other = compile_environment(second)
            apply_estate(existing_estate(api, keys, accounts), other, api, keys, tell)
            alone = walk(other, environment.jump, environment.vantage_points, api, keys, tell)
            if endpoint is not None:  # one of our own is gone in a moment
                apply_estate(existing_estate(api, keys, accounts), estate, api, keys, tell)
        return rows, alone, api.endpoint


@contextmanager
def _reached(endpoint: str | None, profile: str, environment: Environment, accounts: list[str]) -> Iterator[tuple[Api, Mapping[str, Keys]]]:
    from sekisho.walk.api import Api, Keys
    from sekisho.walk.setup import own_sandbox

    if endpoint is None:
        with own_sandbox(accounts) as found:
            yield found
        return
    import boto3
    from botocore.exceptions import BotoCoreError

    names = {environment.jump: "jump", **{a.id: label for label, a in environment.wanted.accounts.items()}}
    keys = {}
    for account in accounts:
        name = profile.format(account=account, name=names.get(account, account))
        try:
            credentials = boto3.Session(profile_name=name).get_credentials()
        except BotoCoreError as error:
            remedy = "set AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE as the sandbox said"
            raise InputError(f"--profile {name}: {error}", remedy=remedy) from None
        if credentials is None:
            raise InputError(f"--profile {name} has no credentials")
        frozen = credentials.get_frozen_credentials()
        keys[account] = Keys(frozen.access_key, frozen.secret_key, frozen.token)
    yield Api(endpoint), keys


def _without_method_1(environment: Environment) -> Environment | None:
    """The file without the Deny on its groups, where it has both methods: only then does the trust policy's refusal show."""
    wanted = environment.wanted
    has_first = wanted.jump.networks != "anywhere" or any(g.networks not in (None, "anywhere") for g in wanted.groups.values())
    has_second = any(t.role.networks != "anywhere" for t in environment.roles)
    if not (has_first and has_second):
        return None
    jump = wanted.jump.model_copy(update={"networks": "anywhere"})
    # A group that is free of method 1 by its own word stays so: it is excluded from method 3 as well.
    groups = {
        name: group if group.networks == "anywhere" else group.model_copy(update={"networks": None}) for name, group in wanted.groups.items()
    }
    return replace(environment, wanted=wanted.model_copy(update={"jump": jump, "groups": groups}))


# --- text ----------------------------------------------------------------------------------------------------------------


def _tell(environment: Environment, file: Path, rows: Sequence[Row], alone: Sequence[Row], where: str, differ: int) -> None:
    out = console()
    places, users = environment.vantage_points, environment.users
    out.print(
        f"{file}: {_count(len(users), 'user')}, {_count(len(places), 'vantage point')}, {_count(len(environment.roles), 'role')}, "
        f"on the embedded AWS at {where}", style="bold",
    )
    if len(users) * len(places) <= STORY_VISITS:
        _story(out, environment, rows)
        refused = [r for r in alone if r.step == "switch" and r.credentials == "console+mfa" and r.outcome == "deny"]
        if alone:
            out.print("\nThe same with method 1 taken out of the file: now the trust policy stands alone (method 2)", style="bold")
            for row in refused:
                _line(out, row, _who(row))
            if not refused:
                out.print("  nobody was refused a switch: the trust policies don't restrict these vantage points")
    out.print()
    out.print(table("", ["who", "from", "with", "step", "role", "outcome", "predicted", "decided by"], _grouped(rows)))
    _sum_up(out, rows, alone, differ)


_SAYS = {
    "sign-in": "signs in", "enrol-mfa": "enrols a second factor", "own-mfa": "lists their own MFA devices", "switch": "switches to",
    "call": "calls ec2:DescribeInstances as", "call-elsewhere": "takes the session of {} along and calls as",
}  # fmt: skip
_WITH = {
    "console": "with the password", "console+mfa": "with password and code", "key": "with an access key", "session+mfa": "with session keys, MFA",
}  # fmt: skip


def _story(out: Console, environment: Environment, rows: Sequence[Row]) -> None:
    """Each visit, step by step, as somebody who sits there would tell it; the console's part, which the article shows."""
    seen: set[tuple[str, str]] = set()
    elsewhere = [r for r in rows if r.step == "call-elsewhere"]
    for row in rows:
        if not row.credentials.startswith("console") or row.step == "call-elsewhere":
            continue
        visit = (row.principal, row.place)
        if visit not in seen:
            seen.add(visit)
            out.print(f"\n{_name(row.principal)} comes from {row.place} ({row.address})", style="bold")
        _line(out, row, "")
        if row.step == "call":
            for later in elsewhere:
                if (later.principal, later.role, later.switched_from, later.credentials) == (row.principal, row.role, row.place, row.credentials):
                    _line(out, later, "")


def _line(out: Console, row: Row, who: str) -> None:
    says = _SAYS[row.step].format(row.switched_from)
    what = f"{says} {_role(row.role)}" if row.role else says
    detail = f"from {row.place} " if row.step == "call-elsewhere" else f"{_WITH[row.credentials]} " if row.step == "sign-in" else ""
    verdict, style = ("allowed", "green") if row.outcome == "allow" else ("refused", "yellow")
    mark, tint = ("as predicted", "dim") if not row.differs else (f"PREDICTED {row.predicted.upper()}", "bold red")
    text = f"{who}{what} {detail}".rstrip()
    out.print(f"  {text:<86} ", end="")
    out.print(f"{verdict:<8}", style=style, end="")
    out.print(mark, style=tint)
    if row.outcome == "deny":
        out.print(f"      {row.reason}", style="dim")
        if row.message:
            out.print(f"      AWS: {row.message}", markup=False)
        if row.event:
            out.print(f"      CloudTrail event {row.event}", style="dim")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _who(row: Row) -> str:
    return f"{_name(row.principal)} from {row.place} "


def _name(arn: str) -> str:
    return arn.rpartition("/")[2]


def _role(arn: str | None) -> str:
    if arn is None:
        return ""
    parts = arn.split(":", 5)
    return f"{parts[4]}/{parts[5].removeprefix('role/')}"


def _grouped(rows: Sequence[Row]) -> list[list[str]]:
    """Rows that differ in the role alone put together: one line for what was decided alike."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for r in rows:
        place = f"{r.switched_from} → {r.place}" if r.switched_from else r.place
        predicted = r.predicted if not r.differs else f"{r.predicted.upper()} !"
        key = (_name(r.principal), place, r.credentials, r.step, r.outcome, predicted, r.reason)
        groups.setdefault(key, []).append(_role(r.role))
    return [[*key[:4], ", ".join(roles) if len(roles) <= 4 else f"{len(roles)} roles", *key[4:]] for key, roles in groups.items()]


def _sum_up(out: Console, rows: Sequence[Row], alone: Sequence[Row], differ: int) -> None:
    walked = [*rows, *alone]
    allowed = sum(r.outcome == "allow" for r in walked)
    out.print(f"\n{len(walked)} steps: {allowed} allowed, {len(walked) - allowed} refused; {differ} differ from what was predicted.", style="bold")
    refused = {(r.principal, r.place, r.credentials, r.role) for r in rows if r.step == "switch" and r.outcome == "deny"}
    left = [r for r in rows if r.step == "call-elsewhere" and r.outcome == "allow"]
    escaped = sorted({_role(r.role) for r in left if (r.principal, r.place, r.credentials, r.role) in refused})
    if escaped:
        out.print(
            f"Note (F-01): sessions of {', '.join(escaped)} went on working from places where they can't be obtained; "
            "`session: {stay_on_networks: true}` keeps a role's sessions on its networks."
        )
    if differ:
        out.print("Where they differ, either Sekisho or the embedded AWS is wrong: please report it with the file.", style="bold red")


