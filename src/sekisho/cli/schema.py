"""``sekisho schema``: the JSON Schema of the environment file."""

from __future__ import annotations

import json

import click


@click.command(epilog="Example: sekisho schema > sekisho.schema.json")
def command() -> None:
    """Print the JSON Schema of sekisho.yaml.

    An editor with a YAML language server completes and checks the file with it; a file made by `sekisho init` names it in its first line.
    """
    from sekisho.environment import environment_schema

    click.echo(json.dumps(environment_schema(), indent=2))
