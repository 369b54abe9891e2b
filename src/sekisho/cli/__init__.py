"""The command line: the table of commands. A command's module is imported only when the command runs, so that help is quick."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

import click

import sekisho

COMMANDS = {
    "init": ("init", "Write a commented sekisho.yaml to start from."),
    "try": ("try_", "Walk every user from everywhere on an AWS that runs here."),
    "compile": ("compile", "Write the estate that a sekisho.yaml asks for, as AWS's own JSON."),
    "schema": ("schema", "Print the JSON Schema of sekisho.yaml, for editors."),
    "can": ("can", "Ask one question: may this principal switch, or do this, and why."),
    "check": ("check", "Find what is wrong, proved: with a request that shows it, the line, and the fix."),
    "diff": ("diff", "Compare two estates: who gains and who loses what, from where."),
    "reach": ("reach", "Print who can get into which role: from where, with which MFA state, over any hops."),
    "decide": ("decide", "Decide a batch of requests, JSON lines in and out."),
    "sandbox": ("sandbox", "Serve an AWS on this machine that really enforces IAM."),
    "trail": ("trail", "Read CloudTrail, ask it, and decide it again against another estate."),
    "collect": ("collect", "Read accounts through AWS's API into an estate folder."),
    "plan": ("plan", "Compare what exists with what a sekisho.yaml wants."),
    "apply": ("apply", "Make what a sekisho.yaml wants, or carry out a saved plan."),
    "destroy": ("destroy", "Take away what a sekisho.yaml has made."),
    "drift": ("drift", "Say how what exists has moved away from a sekisho.yaml."),
    "users": ("users", "Add, remove and list users, in the file and in AWS."),
    "sessions": ("sessions", "End the sessions of a role."),
    "export": ("export", "Write it for CloudFormation, Terraform, the AWS CLI or the console."),
}
"""Command → (module in this folder, which has the click command as ``command``; one line of help)."""


class LazyGroup(click.Group):
    """A group whose commands are known by name; each is imported when it is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = COMMANDS.get(cmd_name)
        if entry is None:
            return None
        command: click.Command = import_module(f"sekisho.cli.{entry[0]}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, 1, 0.5)
            hint = f" Did you mean {close[0]}?" if close else " `sekisho --help` lists them."
            raise click.UsageError(f"There is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: sekisho init && sekisho try sekisho.yaml",
)
@click.version_option(sekisho.__version__, prog_name="sekisho")
def cli(**_: Any) -> None:
    """Declare, try and check an AWS jump account: who can switch role where, with which second factor, from which networks."""
