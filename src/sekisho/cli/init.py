"""``sekisho init``: an environment file to start from: an example, or one that says what exists."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import click

from sekisho.cli.output import format_option, print_json, progress
from sekisho.errors import InputError, OutsideError

_HEAD = "# yaml-language-server: $schema=./sekisho.schema.json\n# (write that file with: sekisho schema > sekisho.schema.json)\n"


@click.command(epilog="Example: sekisho init --example company company.yaml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("sekisho.yaml"))
@click.option("--example", type=click.Choice(["article", "company"]), help="Which environment to begin with.  [default: article]")
@click.option("--from", "estate", type=click.Path(path_type=Path), metavar="ESTATE", help="Adopt what exists, as `sekisho collect` has written it.")
@click.option("--jump", metavar="ID", help="With --from: the jump account.  [default: the account whose users most roles trust]")
@format_option("text", "json")
def command(file: Path, example: str | None, estate: Path | None, jump: str | None, form: str) -> None:
    """Write a commented sekisho.yaml to start from. A file that is already there is left alone.

    With --from the file says what ESTATE holds, and compiles back to the same access, which is proved. What a file can't express is listed, as
    comments in it as well, and is left as it is.
    """
    if estate is not None:
        if example:
            raise click.UsageError("--example and --from exclude each other: the one is an example, the other is what you have.")
        _adopt(file, estate, jump, form)
        return
    if jump:
        raise click.UsageError("--jump goes with --from: an example has its own.")
    examples = resources.files("sekisho.environment").joinpath("examples")
    text = "".join(examples.joinpath(f"{example or 'article'}{part}.yaml").read_text(encoding="utf-8") for part in ("", ".must"))
    _write(file, text)
    if form == "json":
        print_json("init", {"file": str(file), "example": example or "article"})
        return
    click.echo(f"{file} written. Next: put in your accounts, networks and users, then `sekisho try {file}`.")


def _adopt(file: Path, estate: Path, jump: str | None, form: str) -> None:
    from sekisho.environment.adopt import adopt
    from sekisho.loading import load

    if file.exists():
        raise _there(file)
    with progress() as tell:
        exists = load(estate)
        tell("reading it back, and comparing")
        adopted = adopt(exists, jump)
    _write(file, adopted.text)
    environment = adopted.environment
    counts = {
        "users": len(environment.users), "groups": len(environment.wanted.groups), "roles": len(environment.roles),
        "accounts": len(environment.wanted.accounts),
    }  # fmt: skip
    if form == "json":
        left = [{"account": x.account, "subject": x.subject, "what": x.what, "why": x.why} for x in adopted.left]
        print_json("init", {"file": str(file), "jump": adopted.jump, "adopted": counts, "equal": True, "left": left})
        return
    if adopted.left:
        click.echo("Not in the file, and left as it is:", err=True)
        for one in adopted.left:
            click.echo(f"- {one.subject}: {one.what}: {one.why}", err=True)
    said = ", ".join(f"{n} {what if n != 1 else what[:-1]}" for what, n in counts.items())
    click.echo(f"{file} written: {said}, jump account {adopted.jump}. Proved: it gives the access that these have today.")
    click.echo(f"Next: give the networks names that people know, then `sekisho check {file}`.")


def _there(file: Path) -> InputError:
    return InputError(f"{file} is there already", expected="a new file", remedy="give another name, or move the file away")


def _write(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise _there(file) from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{file.parent} is no folder", expected="a file in a folder that exists", remedy=f"mkdir -p {file.parent}") from None
    except OSError as error:
        raise OutsideError(f"{file}: can't be written: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="utf-8") as target:
            target.write(_HEAD + text)
    except OSError as error:
        # The disk is full, say: half a file would be in the way of the next try.
        file.unlink(missing_ok=True)
        raise OutsideError(f"{file}: can't be written: {error.strerror}") from error
