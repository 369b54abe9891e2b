"""kill -9 under load: with two hundred requests in flight, every write that was acknowledged is there after the restart, whole. SEKISHO_KILLS=50 kills as often."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from .load import Load, prepare
from .people import J
from .test_server import client, running

KILLS = int(os.environ.get("SEKISHO_KILLS", "3"))
ASKING, WRITING = 160, 40
"""Clients, each with one request in flight."""


def test_what_was_acknowledged_survives_kill_9_under_load(tmp_path: Path) -> None:
    """Users, their policies and keys, and objects of S3; every third of the writers' users is taken back. The trail has a record of each write."""
    state, rng, settled = tmp_path / "state", random.Random(3), Settled()
    given: dict[str, Any] = {}
    report = Path(os.environ.get("SEKISHO_REPORT", tmp_path / "kills.json"))
    for turn in range(KILLS):
        with running(tmp_path, "--state", str(state)) as (process, access):
            given = given or prepare(access)
            load = Load(int(access["endpoint"].rpartition(":")[2]), **given, seed=turn, name=f"t{turn}")
            load.odd_or_even(client(access, "iam"))
            settled.check(access)
            wanted = rng.randint(5, 150)

            def kill(load: Load = load, wanted: int = wanted, process: Any = process) -> bool:
                if len(load.acknowledged) < wanted:
                    return False
                os.kill(process.pid, signal.SIGKILL)
                return True

            asyncio.run(load.run(ASKING, 120, writers=WRITING, until=kill))
            process.wait()
            assert len(load.acknowledged) >= wanted and load.wrong == []
            settled.add(load)
            report.write_text(json.dumps({"kills": turn + 1, "acknowledged": len(settled.acknowledged), "answers": settled.answers}))
    with running(tmp_path, "--state", str(state)) as (process, access):
        settled.check(access)
        process.terminate()
        said = process.communicate(timeout=60)[0]
    assert "isn't as it was" not in said
    settled.check_trail(state)


class Settled:
    """What has to be there: all that was acknowledged, whatever was killed after it."""

    def __init__(self) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        self.begun: set[str] = set()
        self.answers = 0

    def add(self, load: Load) -> None:
        self.acknowledged += load.acknowledged
        self.begun |= load.begun
        self.answers += sum(load.counted.values())

    def has(self, kind: str) -> set[str]:
        return {name for k, name in self.acknowledged if k == kind}

    def check(self, access: dict[str, Any]) -> None:
        iam, s3 = client(access, "iam"), client(access, "s3")
        pages = iam.get_paginator("get_account_authorization_details").paginate(Filter=["User"])
        users = {u["UserName"]: u for page in pages for u in page["UserDetailList"] if u["UserName"] not in ("busy", "keyed", "comes-and-goes")}
        going = self.has("going")
        assert self.has("user") - going <= set(users) <= self.begun
        assert not self.has("no user") & set(users)
        with_policy = {name for name, user in users.items() if user.get("UserPolicyList")}
        assert self.has("policy") - going <= with_policy and not self.has("no policy") & with_policy
        assert all(u["Arn"] == f"arn:aws:iam::{J}:user/{n}" and u["UserId"].startswith("AIDA") for n, u in users.items())
        for name in [n for k, n in self.acknowledged if k == "key" and n not in going][-10:]:
            assert len(iam.list_access_keys(UserName=name)["AccessKeyMetadata"]) == 1
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket="kept")
        objects = {o["Key"] for page in pages for o in page.get("Contents", ())}
        assert self.has("object") - going <= objects <= self.begun and not self.has("no object") & objects
        for name in sorted(objects)[-10:]:
            assert s3.get_object(Bucket="kept", Key=name)["Body"].read() == name.encode() * 50

    def check_trail(self, state: Path) -> None:
        """Each acknowledged write has its record, and nothing belongs to a user that isn't there."""
        names = {"user": "CreateUser", "policy": "PutUserPolicy", "key": "CreateAccessKey", "object": "PutObject", "no user": "DeleteUser",
                 "no key": "DeleteAccessKey", "no policy": "DeleteUserPolicy", "no object": "DeleteObject"}  # fmt: skip
        with closing(sqlite3.connect(state / "sandbox.sqlite")) as database:
            events = [json.loads(body) for (body,) in database.execute("SELECT body FROM event")]
            keys = [json.loads(body) for (body,) in database.execute("SELECT body FROM thing WHERE kind = 'key'")]
            users = {arn.rpartition("/")[2] for (arn,) in database.execute("SELECT id FROM thing WHERE kind = 'users'")}
        recorded = {(e["eventName"], p.get("userName") or p.get("key")) for e in events if not e.get("errorCode") for p in [e["requestParameters"] or {}]}
        assert {(names[kind], name) for kind, name in self.acknowledged if kind in names} <= recorded
        assert {key["user"] for key in keys if key["user"]} <= users
        assert len({e["eventID"] for e in events}) == len(events)


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
