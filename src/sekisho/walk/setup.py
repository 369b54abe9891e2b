"""Make an environment real on an embedded AWS, through its API and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sekisho.deploy.calls import run
from sekisho.deploy.changes import changes
from sekisho.deploy.collect import collect
from sekisho.errors import OutsideError
from sekisho.estate import Estate
from sekisho.sandbox.access import administrators
from sekisho.walk.api import Api, Keys
from sekisho.walk.walk import Progress

START_S = 60


class AdministratorClients:
    """boto3 clients with an administrator's keys for each account."""

    def __init__(self, api: Api, keys: Mapping[str, Keys]) -> None:
        self._api, self._keys = api, keys
        self._made: dict[tuple[str, str], Any] = {}

    def client(self, account: str, service: str) -> Any:
        if account not in self._keys:
            raise OutsideError(f"there is no administrator of account {account}", remedy="the embedded AWS must hold every account of the file")
        made = self._made.get((account, service))
        if made is None:
            made = self._made[account, service] = self._api.client(service, "", self._keys[account])
        return made


def apply_estate(existing: Estate, wanted: Estate, api: Api, keys: Mapping[str, Keys], progress: Progress = lambda _: None) -> int:
    """Make ``wanted`` of ``existing`` by API calls, in the order in which ``sekisho apply`` makes them; how many calls it took."""
    clients = AdministratorClients(api, keys)
    made = 0
    for change in changes(existing, wanted):
        for call in change.calls:
            progress(f"applying: {call}")
            run(call, clients)
            made += 1
    return made


@contextmanager
def own_sandbox(accounts: list[str]) -> Iterator[tuple[Api, dict[str, Keys]]]:
    """An embedded AWS of these accounts in a process of its own, on a free port, gone afterwards."""
    with TemporaryDirectory(prefix="sekisho-") as name:
        folder = Path(name)
        ready = folder / "ready.json"
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "sekisho.cli", "sandbox", "--port", "0", "--accounts", ",".join(accounts), "--ready-file", str(ready)],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        try:
            access = _await(process, ready, log)
            keys = {a: Keys(*k) for a, k in administrators(Path(access["credentials_file"]), accounts).items()}
            yield Api(access["endpoint"]), keys
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _await(process: subprocess.Popen[bytes], ready: Path, log: Path) -> dict[str, Any]:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if ready.exists():
            found: dict[str, Any] = json.loads(ready.read_text())
            return found
        if process.poll() is not None:
            break
        time.sleep(0.02)
    text = log.read_text(errors="replace").strip()
    raise OutsideError(f"the embedded AWS didn't start: {text or 'no word from it'}")


def existing_estate(api: Api, keys: Mapping[str, Keys], accounts: list[str]) -> Estate:
    """What the accounts hold now, as far as `apply_estate` could change it."""
    return collect(AdministratorClients(api, keys), accounts, brief=True)
