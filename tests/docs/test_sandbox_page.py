"""docs/sandbox.md: its console blocks are run one after the other, in one folder, against the sandbox that they start."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from sekisho.cli.sandbox import command

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs/sandbox.md").read_text(encoding="utf-8")
AWS = next(iter(Path(sys.prefix).glob("aws-cli/awscli/v2/*/dist")), Path("/none"))
COMMANDS = [line[2:] for block in re.findall(r"^```console\n(.*?)^```", DOC, re.M | re.S) for line in block.splitlines() if line.startswith("$ ")]


def test_every_option_and_command_is_in_it() -> None:
    assert isinstance(command, click.Group)
    options = [o for p in command.commands["serve"].params for o in p.opts if o.startswith("--")]
    assert [o for o in options if o not in DOC] == []
    assert [name for name in command.commands if name != "serve" and f"sekisho sandbox {name}" not in DOC] == []


@pytest.mark.skipif(not AWS.exists(), reason="the AWS CLI v2 could not be installed (tools/aws_cli.py)")
def test_console_blocks(tmp_path: Path) -> None:
    assert len(COMMANDS) >= 9
    path = os.pathsep.join([str(Path(sys.executable).parent), str(AWS), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "AWS_PAGER": "", "HOME": str(tmp_path)}
    endpoint = "http://127.0.0.1:4566"
    serving: subprocess.Popen[bytes] | None = None
    try:
        for line in COMMANDS:
            if line.startswith("sekisho sandbox sekisho.yaml"):
                serving = subprocess.Popen([*line.split(), "--port", "0"], cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL)
                endpoint = _endpoint(serving, tmp_path / "ready.json")
                continue
            if " snapshot " in line and serving is not None:
                serving.send_signal(signal.SIGTERM)
                serving.wait(30)
            if line.startswith("export "):
                environment |= dict(pair.split("=", 1) for pair in line.replace("http://127.0.0.1:4566", endpoint).split()[1:])
                continue
            if line.startswith("curl") and shutil.which("curl", path=path) is None:
                continue
            ran = subprocess.run(
                ["sh", "-c", line.replace("http://127.0.0.1:4566", endpoint)], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
            )
            assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
            if "signin/login" in line:
                assert json.loads(ran.stdout)["message"], ran.stdout
        assert (tmp_path / "sandbox-2/sandbox.sqlite").exists()
    finally:
        if serving is not None:
            serving.kill()
            serving.wait()


def _endpoint(serving: subprocess.Popen[bytes], ready: Path) -> str:
    end = time.monotonic() + 120
    while not ready.exists():
        assert serving.poll() is None and time.monotonic() < end, "the sandbox isn't ready"
        time.sleep(0.05)
    found: str = json.loads(ready.read_text())["endpoint"]
    return found
