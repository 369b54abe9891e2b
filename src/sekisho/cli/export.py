"""``sekisho export``: an environment for those who deploy otherwise, and for the people who switch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from sekisho.cli.output import format_option, print_json


@click.group(epilog="Example: sekisho export cloudformation sekisho.yaml --out templates")
def command() -> None:
    """Write what FILE asks for in another form: for CloudFormation or Terraform, for the AWS CLI, for the console."""


def _write(kind: str, files: Mapping[str, str], folder: Path, form: str, hint: str) -> None:
    from sekisho.private_file import write_private

    for name, text in files.items():
        write_private(folder / name, text)
    if form == "json":
        print_json("export", {"kind": kind, "files": [str(folder / name) for name in files]})
        return
    for name in files:
        click.echo(str(folder / name))
    click.echo(hint)


_FILE = click.argument("file", type=click.Path(path_type=Path))
_OUT = click.option("--out", "folder", type=click.Path(path_type=Path), required=True, help="The folder to write into.")


@command.command(epilog="Example: sekisho export cloudformation sekisho.yaml --out templates")
@_FILE
@_OUT
@format_option("text", "json")
def cloudformation(file: Path, folder: Path, form: str) -> None:
    """One CloudFormation template an account, and which StackSets they make up."""
    from sekisho.deploy.export import cloudformation as export
    from sekisho.loading import load

    _write("cloudformation", export(load(file)), folder, form, f"Next: see {folder / 'README.md'}: the jump account's stack comes first.")


@command.command(epilog="Example: sekisho export terraform sekisho.yaml --out terraform")
@_FILE
@_OUT
@format_option("text", "json")
def terraform(file: Path, folder: Path, form: str) -> None:
    """One Terraform module an account, and a root module with their providers."""
    from sekisho.deploy.export import terraform as export
    from sekisho.loading import load

    _write("terraform", export(load(file)), folder, form, f"Next: cd {folder} && terraform init && terraform plan")


@command.command("aws-config", epilog="Example: sekisho export aws-config sekisho.yaml --out profiles")
@_FILE
@_OUT
@click.option("--region", default="us-east-1", show_default=True, help="The Region of the profiles.")
@format_option("text", "json")
def aws_config(file: Path, folder: Path, region: str, form: str) -> None:
    """An AWS config file a user: a profile for each role that they can reach."""
    from sekisho.deploy.export import aws_config as export
    from sekisho.environment import compile_environment, load_environment

    environment = load_environment(file)
    files = export(compile_environment(environment), environment, region)
    _write("aws-config", files, folder, form, "Next: give each user their file, to be appended to ~/.aws/config.")


@command.command("switch-links", epilog="Example: sekisho export switch-links sekisho.yaml --out links")
@_FILE
@_OUT
@format_option("text", "json")
def switch_links(file: Path, folder: Path, form: str) -> None:
    """A page of Switch Role links a user, and their configuration of the browser extension AWS Extend Switch Roles."""
    from sekisho.deploy.export import switch_links as export
    from sekisho.environment import compile_environment, load_environment

    environment = load_environment(file)
    _write("switch-links", export(compile_environment(environment), environment), folder, form, "Next: give each user their page.")
