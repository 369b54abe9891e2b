"""``sekisho init``: a commented environment file to start from."""

from __future__ import annotations

import os
from importlib import resources
from pathlib import Path

import click

from sekisho.errors import InputError, OutsideError


@click.command(epilog="Example: sekisho init --example company company.yaml")
@click.argument("file", type=click.Path(path_type=Path), default=Path("sekisho.yaml"))
@click.option("--example", type=click.Choice(["article", "company"]), default="article", show_default=True, help="Which environment to begin with.")
def command(file: Path, example: str) -> None:
    """Write a commented sekisho.yaml to start from. A file that is already there is left alone."""
    examples = resources.files("sekisho.environment").joinpath("examples")
    text = "".join(examples.joinpath(f"{example}{part}.yaml").read_text(encoding="utf-8") for part in ("", ".must"))
    head = "# yaml-language-server: $schema=./sekisho.schema.json\n# (write that file with: sekisho schema > sekisho.schema.json)\n"
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        raise InputError(f"{file} is there already", expected="a new file", remedy="give another name, or move the file away") from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{file.parent} is no folder", expected="a file in a folder that exists", remedy=f"mkdir -p {file.parent}") from None
    except OSError as error:
        raise OutsideError(f"{file}: can't be written: {error.strerror}") from error
    try:
        with open(descriptor, "w", encoding="utf-8") as target:
            target.write(head + text)
    except OSError as error:
        # The disk is full, say: half a file would be in the way of the next try.
        file.unlink(missing_ok=True)
        raise OutsideError(f"{file}: can't be written: {error.strerror}") from error
    click.echo(f"{file} written. Next: put in your accounts, networks and users, then `sekisho try {file}`.")
