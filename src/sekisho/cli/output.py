"""What commands print with: the --format option, JSON with its schema, tables for the eye, and progress on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.console import Console

    from sekisho.language import Language

F = TypeVar("F", bound=Callable[..., Any])


def format_option(*formats: str) -> Callable[[F], F]:
    """The option ``--format``, text unless told otherwise."""
    return click.option("--format", "form", type=click.Choice(formats or ("text", "json")), default="text", show_default=True, help="What to print.")


def lang_option(function: F) -> F:
    """The option ``--lang``; ``language`` turns it into one."""
    return click.option(
        "--lang", "spoken", type=click.Choice(("en", "ja")), help="The language of the messages; on a terminal as LANG says, else English."
    )(function)


def language(given: str | None, form: str) -> Language:
    """What to speak: as given, or on a terminal as its locale says."""
    from sekisho.language import language_of

    return language_of(given, os.environ, terminal=sys.stdout.isatty() and form == "text")


def print_json(command: str, body: dict[str, Any]) -> None:
    """One JSON object on standard output, with ``"schema": "sekisho/<command>/v1"`` first."""
    click.echo(json.dumps({"schema": f"sekisho/{command}/v1", **body}, indent=2, ensure_ascii=False))


def console(*, stderr: bool = False) -> Console:
    """Where tables go: colours only on a terminal, none with NO_COLOR; wide enough for a table where the output is a file."""
    from rich.console import Console

    file = sys.stderr if stderr else sys.stdout
    return Console(file=file, highlight=False, soft_wrap=not file.isatty(), width=None if file.isatty() else 200)


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Any:
    """A table for the eye."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    result = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for column in columns:
        result.add_column(column, overflow="fold")
    for row in rows:
        result.add_row(*(Text(cell) for cell in row))
    return result


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function to call with what is going on; it is shown on stderr once the work has taken over a second."""
    started = last = time.monotonic()
    tty = sys.stderr.isatty()
    shown = False

    def tell(text: str) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if now - started < 1 or now - last < (0.1 if tty else 2):
            return
        last, shown = now, True
        if tty:
            click.echo(f"\r\x1b[2K{text}", nl=False, err=True)
        else:
            click.echo(text, err=True)

    try:
        yield tell
    finally:
        if shown and tty:
            click.echo("\r\x1b[2K", nl=False, err=True)
