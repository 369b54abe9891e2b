"""The process: ports, state on disk, ready file, and what a kill leaves (``sekisho sandbox``)."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from .people import J, T, until

COMMAND = [sys.executable, "-m", "sekisho.cli", "sandbox"]
ARTICLE = Path(__file__).parents[2] / "examples" / "article.yaml"


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    ready = folder / "ready.json"
    ready.unlink(missing_ok=True)
    process = subprocess.Popen(
        [*COMMAND, "--port", "0", "--ready-file", str(ready), *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        until(lambda: ready.exists() or process.poll() is not None, 60)
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        yield process, json.loads(ready.read_text())
    finally:
        process.kill()
        process.communicate()


def client(access: dict[str, Any], service: str, account: str = J) -> Any:
    import configparser

    parser = configparser.RawConfigParser()
    parser.read(access["credentials_file"])
    keys = parser[access["profile"].format(account=account)]
    return boto3.client(
        service, region_name="us-east-1", endpoint_url=access["endpoint"], aws_access_key_id=keys["aws_access_key_id"],
        aws_secret_access_key=keys["aws_secret_access_key"],
    )  # fmt: skip


def mode(path: str | Path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_ready_file_profiles_and_an_environment_applied(tmp_path: Path) -> None:
    with running(tmp_path, str(ARTICLE)) as (_, access):
        assert access["endpoint"].startswith("http://127.0.0.1:")
        assert access["profile"] == "sekisho-{account}"
        for account in (J, T):
            assert client(access, "sts", account).get_caller_identity()["Arn"] == f"arn:aws:iam::{account}:root"
        assert [u["UserName"] for u in client(access, "iam").list_users()["Users"]] == ["test-user"]
        assert client(access, "iam", T).get_role(RoleName="test-role-admin")["Role"]["MaxSessionDuration"] == 3600
        for name in ("config_file", "credentials_file", "passwords_file"):
            assert mode(access[name]) == 0o600
        assert list(json.loads(Path(access["passwords_file"]).read_text())) == ["test-user"]


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = subprocess.run([*COMMAND, "--port", port], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 3 and f"port {port} can't be used" in ran.stderr and "--port" in ran.stderr and "Traceback" not in ran.stderr


def test_it_listens_on_the_loopback_alone(tmp_path: Path) -> None:
    with running(tmp_path) as (_, access):
        port = int(access["endpoint"].rpartition(":")[2])
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        assert {row[1].partition(":")[0] for row in listening if row[3] == "0A" and int(row[1].rpartition(":")[2], 16) == port} == {"0100007F"}


def test_state_survives_kill_9_and_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path, "--state", str(state)) as (process, access):
        iam = client(access, "iam")
        for i in range(20):
            iam.create_user(UserName=f"user-{i}")
        key = iam.create_access_key(UserName="user-0")["AccessKey"]
        seed = iam.create_virtual_mfa_device(VirtualMFADeviceName="user-0")["VirtualMFADevice"]["SerialNumber"]
        events = len(client(access, "cloudtrail").lookup_events(MaxResults=50)["Events"])
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert mode(state) == 0o700 and {mode(p) for p in state.iterdir() if p.is_file()} == {0o600}
    with running(tmp_path, "--state", str(state)) as (_, access):
        iam = client(access, "iam")
        assert len(iam.list_users()["Users"]) == 20
        assert [d["SerialNumber"] for d in iam.list_virtual_mfa_devices()["VirtualMFADevices"]] == [seed]
        assert len(client(access, "cloudtrail").lookup_events(MaxResults=50)["Events"]) >= events
        user = boto3.client(
            "sts", region_name="us-east-1", endpoint_url=access["endpoint"], aws_access_key_id=key["AccessKeyId"],
            aws_secret_access_key=key["SecretAccessKey"],
        )  # fmt: skip
        assert user.get_caller_identity()["Arn"] == f"arn:aws:iam::{J}:user/user-0"


def test_one_state_folder_is_for_one_sandbox(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path, "--state", str(state)):
        ran = subprocess.run([*COMMAND, "--port", "0", "--state", str(state)], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 3 and "another sandbox" in ran.stderr and "Traceback" not in ran.stderr


def test_bad_arguments() -> None:
    ran = subprocess.run([*COMMAND, "--accounts", "12,abc"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "'12' is no account id" in ran.stderr
    ran = subprocess.run([*COMMAND, "no-such-file.yaml"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "no-such-file.yaml" in ran.stderr


def test_it_stops_when_asked(tmp_path: Path) -> None:
    with running(tmp_path) as (process, _):
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
