"""The entry point: runs a command and turns what goes wrong into one message and an exit status."""

from __future__ import annotations

import os
import sys

import click

from sekisho.cli import cli
from sekisho.errors import SekishoError


def main() -> None:
    """0 fine, 1 findings or differences, 2 usage or input error, 3 the outside world failed, 130 interrupted."""
    try:
        status = cli.main(prog_name="sekisho", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except SekishoError as error:
        click.echo(f"sekisho: {_printable(str(error))}", err=True)
        sys.exit(error.exit_status)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has seen enough; Python would complain once more while it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        # What a command knows to expect it says better; a full disk behind standard output, nobody can.
        if os.environ.get("SEKISHO_DEBUG"):
            raise
        click.echo(f"sekisho: {error}", err=True)
        sys.exit(3)
    except Exception as error:
        if os.environ.get("SEKISHO_DEBUG"):
            raise
        click.echo(
            f"sekisho: a mistake of ours: {type(error).__name__}: {error}\n"
            "  to do: run it again with SEKISHO_DEBUG=1 and report what it prints", err=True,
        )  # fmt: skip
        sys.exit(70)


def _printable(text: str) -> str:
    """What a message quotes from a file must not steer the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)


if __name__ == "__main__":
    main()
