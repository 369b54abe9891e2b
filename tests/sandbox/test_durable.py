"""kill -9 under load: every IAM write that was acknowledged is there after the restart, whole. SEKISHO_KILLS=50 kills as often."""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from .people import J
from .test_server import client, running

KILLS = int(os.environ.get("SEKISHO_KILLS", "5"))


def write(access: dict[str, Any], worker: str, acknowledged: list[tuple[str, str]], begun: list[str]) -> None:
    """Make users, each with a group, a policy and a key, until the process is gone; what was answered is noted."""
    iam = client(access, "iam")
    try:
        for number in range(10_000):
            name = f"{worker}-{number}"
            begun.append(name)
            iam.create_user(UserName=name)
            acknowledged.append(("user", name))
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=json.dumps(
                {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}))  # fmt: skip
            acknowledged.append(("policy", name))
            iam.create_access_key(UserName=name)
            acknowledged.append(("key", name))
    except (BotoCoreError, ClientError, ResponseParserError):
        return


def test_what_was_acknowledged_survives_kill_9_under_load(tmp_path: Path) -> None:
    state, rng = tmp_path / "state", random.Random(3)
    acknowledged: list[tuple[str, str]] = []
    begun: list[str] = []
    for turn in range(KILLS):
        with running(tmp_path, "--state", str(state)) as (process, access):
            check(access, acknowledged, begun)
            before = len(acknowledged)
            threads = [threading.Thread(target=write, args=(access, f"t{turn}w{i}", acknowledged, begun)) for i in range(3)]
            for thread in threads:
                thread.start()
            end, wanted = time.monotonic() + 30, before + rng.randint(5, 60)
            while len(acknowledged) < wanted and time.monotonic() < end:
                threads[0].join(0.005)
            os.kill(process.pid, signal.SIGKILL)
            for thread in threads:
                thread.join(60)
            assert len(acknowledged) > before
    with running(tmp_path, "--state", str(state)) as (_, access):
        check(access, acknowledged, begun)


def check(access: dict[str, Any], acknowledged: list[tuple[str, str]], begun: list[str]) -> None:
    pages = client(access, "iam").get_paginator("get_account_authorization_details").paginate(Filter=["User"])
    users = {u["UserName"]: u for page in pages for u in page["UserDetailList"]}
    assert {name for kind, name in acknowledged if kind == "user"} <= set(users) <= set(begun)
    assert {name for kind, name in acknowledged if kind == "policy"} <= {n for n, u in users.items() if u.get("UserPolicyList")}
    for _, name in [pair for pair in acknowledged if pair[0] == "key"][-10:]:
        assert len(client(access, "iam").list_access_keys(UserName=name)["AccessKeyMetadata"]) == 1
    assert all(u["Arn"] == f"arn:aws:iam::{J}:user/{n}" and u["UserId"].startswith("AIDA") for n, u in users.items())


def test_a_snapshot_and_back(tmp_path: Path) -> None:
    import subprocess
    import sys

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, "-m", "sekisho.cli", "sandbox", *words], capture_output=True, text=True, timeout=60)

    state, copy, file = tmp_path / "state", tmp_path / "copy", tmp_path / "a.snapshot"
    with running(tmp_path, "--state", str(state)) as (_, access):
        client(access, "iam").create_user(UserName="kept")
        key = client(access, "iam").create_access_key(UserName="kept")["AccessKey"]["AccessKeyId"]
    made = run("snapshot", str(state), str(file))
    assert made.returncode == 0 and "1 users" in made.stdout, made
    assert file.stat().st_mode & 0o777 == 0o600
    again = run("snapshot", str(state), str(file))
    assert again.returncode == 2 and "already there" in again.stderr
    assert run("restore", str(file), str(copy)).returncode == 0
    assert run("restore", str(file), str(copy)).returncode == 2
    (tmp_path / "no.snapshot").write_text("nothing")
    assert "no state of a sandbox" in run("restore", str(tmp_path / "no.snapshot"), str(tmp_path / "x")).stderr
    with running(tmp_path, "--state", str(copy)) as (_, access):
        assert client(access, "iam").list_access_keys(UserName="kept")["AccessKeyMetadata"][0]["AccessKeyId"] == key


@pytest.mark.parametrize("words", [("coverage", "nothing-such"), ("snapshot", "nowhere", "x"), ("restore", "nowhere", "x")])
def test_mistakes(words: tuple[str, ...]) -> None:
    import subprocess
    import sys

    ran = subprocess.run([sys.executable, "-m", "sekisho.cli", "sandbox", *words], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and ran.stderr.startswith("sekisho: ") and "Traceback" not in ran.stderr
