"""Help: each command has an example that runs, and the list of commands comes without loading what commands need.

The example in a command's epilog is run by a shell in an empty folder, in which what PREPARED says has been done before, or after the
examples that come before it in its story of STORIES. A command that is added needs an example; where it asks for more than an empty folder,
one line in PREPARED.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from sekisho.cli import COMMANDS, cli

ROOT = Path(__file__).parents[2]
EXISTING = [name for name, (module, _) in COMMANDS.items() if find_spec(f"sekisho.cli.{module}")]

_RECORD = {
    "eventVersion": "1.08", "eventID": "3038ebd2-c98a-4c65-9b6e-e22506292313", "eventTime": "2026-04-26T16:45:56Z",
    "eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.10",
    "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/test-user", "accountId": "111122223333", "userName": "test-user"},
    "recipientAccountId": "111122223333", "eventType": "AwsApiCall", "readOnly": True,
}  # fmt: skip
_LOGS = f"mkdir AWSLogs && echo '{json.dumps({'Records': [_RECORD]})}' > AWSLogs/one.json"

_EMPTY_AWS = "sekisho init\nsekisho sandbox --accounts 111122223333,444455556666"
_COMPANY = "sekisho init --example company\nsekisho sandbox sekisho.yaml"

PREPARED: dict[str, str] = {
    "try": "sekisho init",
    "compile": "sekisho init",
    "can": "sekisho init",
    "reach": "sekisho init",
    "check": "sekisho init",
    "diff": "sekisho init\nsekisho init new.yaml",
    "trail ingest": f"{_LOGS}\nsekisho init\nsekisho compile sekisho.yaml --out estate",
    "trail generate": "sekisho init",
    "plan": _EMPTY_AWS,
    "users list": "sekisho init",
    "users add": _COMPANY,
    "export cloudformation": "sekisho init",
    "export terraform": "sekisho init",
    "export aws-config": "sekisho init",
    "export switch-links": "sekisho init",
}
"""Command → what its example needs, a shell command a line. A line `sekisho sandbox …` starts one in the background; what comes after,
the example too, finds it by the profiles `admin-{account}` and `audit-{account}`."""

STORIES: tuple[tuple[str, ...], ...] = (
    ("plan", "apply", "collect", "drift", "destroy"),
    ("users add", "users remove", "sessions revoke"),
    ("trail ingest", "trail show", "trail audit", "trail replay", "trail athena"),
)
"""Commands whose examples follow one another, in one folder and beside one embedded AWS, as they do in life."""

LEFT_TO_OTHERS: dict[str, str] = {
    "sandbox": "it serves until it is stopped: tests/sandbox starts and stops it",
    "web": "it serves until it is stopped: tests/web starts and stops it",
}
"""Command → why its example isn't run here, and where it is."""

STATUS: dict[str, int] = {"can": 1, "check": 1, "trail replay": 1, "plan": 1}
"""Command → exit status of its example, where that isn't 0: one that shows findings, say."""


def commands_of(name: str) -> list[tuple[str, click.Command]]:
    """A command and, where it is a group, those under it: (their words, the command)."""
    command: click.Command = import_module(f"sekisho.cli.{COMMANDS[name][0]}").command
    if isinstance(command, click.Group):
        return [(f"{name} {sub}", command.commands[sub]) for sub in command.commands]
    return [(name, command)]


ALL = [pair for name in EXISTING for pair in commands_of(name)]


@pytest.mark.parametrize("words", [words for words, _ in ALL])
def test_help_has_an_example(words: str) -> None:
    command = dict(ALL)[words]
    assert command.epilog, f"sekisho {words} has no epilog with an example"
    assert command.epilog.startswith("Example: ") and f"sekisho {words}" in command.epilog
    result = run_shell(f"sekisho {words} --help", ROOT)
    assert result.returncode == 0 and "Example:" in result.stdout and f"Usage: sekisho {words}" in result.stdout


@pytest.mark.parametrize("story", [*STORIES, *((words,) for words, _ in ALL if not any(words in story for story in STORIES))], ids=", ".join)
def test_the_examples_run(story: tuple[str, ...], tmp_path: Path) -> None:
    if reason := LEFT_TO_OTHERS.get(story[0]) or LEFT_TO_OTHERS.get(story[0].split()[0]):
        pytest.skip(reason)
    with ExitStack() as running:
        extra: dict[str, str] = {}
        for line in (PREPARED.get(story[0]) or "").splitlines():
            if line.startswith("sekisho sandbox"):
                extra = running.enter_context(sandbox(line.split()[2:], tmp_path))
                continue
            prepared = run_shell(line, tmp_path, extra)
            assert prepared.returncode == 0, f"{line}\n{prepared.stderr}"
        for words in story:
            example = (dict(ALL)[words].epilog or "").removeprefix("Example: ").strip()
            result = run_shell(example, tmp_path, extra)
            assert result.returncode == STATUS.get(words, 0), f"{example}\n{result.stdout}\n{result.stderr}"
            assert result.stdout or any(tmp_path.iterdir()), "an example shows something"
            assert "Traceback" not in result.stderr


@contextmanager
def sandbox(arguments: list[str], folder: Path) -> Iterator[dict[str, str]]:
    """An embedded AWS while the block runs: the variables with which the AWS profiles of the examples reach it."""
    ready = folder / "ready.json"
    command = [sys.executable, "-m", "sekisho.cli", "sandbox", *arguments, "--port", "0", "--state", "state", "--ready-file", ready.name]
    with (folder / "sandbox.log").open("w") as log, subprocess.Popen(command, cwd=folder, stdout=log, stderr=log) as process:
        try:
            while not ready.exists():
                with suppress(subprocess.TimeoutExpired):
                    raise AssertionError(f"the sandbox ended with {process.wait(0.05)}: {(folder / 'sandbox.log').read_text()}")
            access = json.loads(ready.read_text(encoding="utf-8"))
            for kind in ("config_file", "credentials_file"):
                text = Path(access[kind]).read_text(encoding="utf-8")
                (folder / kind).write_text("\n".join(text.replace("sekisho-", f"{role}-") for role in ("admin", "audit")), encoding="utf-8")
            yield {
                "AWS_ENDPOINT_URL": access["endpoint"], "AWS_CONFIG_FILE": str(folder / "config_file"),
                "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials_file"),
            }  # fmt: skip
        finally:
            process.terminate()


def run_shell(line: str, folder: Path, extra: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    home = folder / ".home" if folder != ROOT else folder
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SEKISHO_"))} | {"PATH": path, "HOME": str(home), **(extra or {})}
    shell = shutil.which("bash") or "/bin/sh"
    return subprocess.run([shell, "-c", line], cwd=folder, env=environment, capture_output=True, text=True, input="yes\n", timeout=120, check=False)


def test_the_example_of_the_whole() -> None:
    assert cli.epilog and cli.epilog.startswith("Example: sekisho init")


def test_the_list_of_commands_is_short_and_whole() -> None:
    result = run_shell("sekisho --help", ROOT)
    assert result.returncode == 0 and result.stderr == ""
    for name, (_, text) in COMMANDS.items():
        assert f"  {name} " in result.stdout and text.endswith(".") and text.split()[0] in result.stdout


HEAVY = ("boto3", "botocore", "moto", "pydantic", "ruamel", "starlette", "uvicorn", "rich", "duckdb", "z3", "jinja2", "asyncio",
         "sekisho.policy", "sekisho.estate", "sekisho.decision", "sekisho.environment", "sekisho.sandbox")  # fmt: skip


@pytest.mark.parametrize("arguments", ["--help", "--version", "nothing-like-it"])
def test_what_needs_no_command_loads_none(arguments: str) -> None:
    """The design's floor is 0.2 s; what takes time is importing, so that is what is held."""
    code = f"import sys; sys.argv = ['sekisho', {arguments!r}]\nfrom sekisho.cli.__main__ import main\ntry: main()\n"
    code += "except SystemExit: pass\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(result.stdout.split())
    assert "sekisho.cli" in loaded and "click" in loaded
    assert sorted(m for m in loaded if m.startswith(tuple(f"{h}." for h in HEAVY)) or m in HEAVY) == []


def test_help_of_one_command_loads_that_command_alone() -> None:
    code = "import sys; sys.argv = ['sekisho', 'compile', '--help']\nfrom sekisho.cli.__main__ import main\ntry: main()\n"
    code += "except SystemExit: pass\nprint('\\n'.join(sys.modules))"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout.split())
    ours = {m for m in loaded if m.startswith("sekisho.cli.")}
    assert ours == {"sekisho.cli.__main__", "sekisho.cli.compile", "sekisho.cli.output"}
    assert not {m.partition(".")[0] for m in loaded} & {"boto3", "moto", "pydantic", "ruamel", "starlette", "rich"}


def test_an_error_goes_to_stderr_through_the_installed_command(tmp_path: Path) -> None:
    result = run_shell("sekisho compile nowhere.yaml --out out", tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("sekisho: nowhere.yaml: no such file")
