"""What the administrator does with a running sandbox: time moves, changes arrive later (D-43), copies are taken; nobody else may."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from sekisho.deploy.accounts import Accounts
from sekisho.sandbox.access import write_access
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Server

from .people import OFFICE, J, Sandbox, T, allow, refused, trust


class Running(Sandbox):
    def __init__(self, server: Server, folder: Path) -> None:
        super().__init__(server)
        self.folder = folder
        self.access = write_access(server, folder)
        self.token = json.loads((folder / "administration.json").read_text())["token"]

    def ask(self, step: str, body: Any = None, token: str | None = None, host: str = "") -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.token if token is None else token}"} | ({"host": host} if host else {})
        request = urllib.request.Request(f"{self.endpoint}/_sekisho/{step}", None if body is None else json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "sekisho.cli", "sandbox", *words], capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "state").mkdir()
    with Server(EmbeddedAws([J, T], tmp_path / "state"), 0) as server:
        yield Running(server, tmp_path / "state")


def test_only_the_token_opens_it(aws: Running) -> None:
    assert (aws.folder / "administration.json").stat().st_mode & 0o777 == 0o600
    before = aws.ask("state")[1]
    root = aws.server.aws.store.root_key(J)
    for token in ("", "x", aws.token[:-1], aws.token + "x", root.secret, "é"):
        for step, body in (("time", {"ahead": "+2h"}), ("propagation", {"delay": "5s"}), ("reading", {"fas_source_ip": "service"})):
            assert aws.ask(step, body, token.encode().decode("latin-1"))[0] == 401
        assert aws.ask("snapshot", token=token.encode().decode("latin-1"))[0] == 401
    assert aws.ask("time", {"ahead": "+2h"}, host="evil.example")[0] == 421
    for body in ({"ahead": "-2h"}, {"ahead": "soon"}, {"ahead": 7}, {}, [], {"ahead": "99999d"}):
        assert aws.ask("time", body)[0] == 400
    assert aws.ask("reading", {"fas_source_ip": "both"})[0] == 400 and aws.ask("else", {})[0] == 404
    assert {k: v for k, v in aws.ask("state")[1].items() if k != "time"} == {k: v for k, v in before.items() if k != "time"}
    # It is nothing that a vantage point or a bucket could be.
    assert refused(aws.client("s3").create_bucket, Bucket="_sekisho")[0] in ("InvalidBucketName", "ParamValidation")


def test_time_passes(aws: Running) -> None:
    """D-41 and table E: sessions end, a revoked one is denied and a later one isn't, MFA ages, codes are those of the new time."""
    alice = aws.user("alice", allow("sts:AssumeRole"), allow("iam:ListUsers", NumericLessThan={"aws:MultiFactorAuthAge": "3600"}))
    alice.enrol()
    role = aws.role(trust(alice.arn))
    session, mfa = alice.assume(role), alice.session_token(mfa=True)
    aws.client("iam", mfa).list_users()
    aws.client("sqs", session).list_queues()
    assert aws.ask("time", {"ahead": "+50m"})[0] == 200
    later = alice.assume(role)
    aws.client("sqs", session).list_queues()
    aws.ask("time", {"ahead": "2s"})
    when = aws.ask("state")[1]["time"]
    revoke = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*",
              "Condition": {"DateLessThan": {"aws:TokenIssueTime": when}}}]}  # fmt: skip
    aws.client("iam", account=T).put_role_policy(RoleName="Ops", PolicyName="AWSRevokeOlderSessions", PolicyDocument=json.dumps(revoke))
    assert "explicit deny" in refused(aws.client("sqs", session).list_queues)[1]
    aws.ask("time", {"ahead": "2s"})
    newest = alice.assume(role)
    aws.client("sqs", newest).list_queues()
    told = command("time", "+15m", "--of", str(aws.folder))
    assert told.returncode == 0 and "ahead of this machine" in told.stdout
    assert refused(aws.client("sqs", session).list_queues)[0] == "ExpiredToken"
    aws.client("sqs", newest).list_queues()
    assert "explicit deny" in refused(aws.client("sqs", later).list_queues)[1]
    assert refused(aws.client("iam", mfa).list_users)[0] == "AccessDenied"
    # A code of this machine's time isn't good any more, one of the moved time is.
    old = pyotp.TOTP(alice.seed).at(int(time.time()))
    assert "invalid MFA" in refused(aws.client("sts", alice.key, address=OFFICE).get_session_token, SerialNumber=alice.serial, TokenCode=old)[1]
    alice.session_token(mfa=True)
    ahead = aws.ask("state")[1]["ahead_s"]
    aws.server.stop()
    with Server(EmbeddedAws([], aws.folder), 0) as server:
        assert server.aws.store.clock.ahead_s == pytest.approx(ahead, abs=1)


def test_D_43_changes_arrive_later(aws: Running) -> None:
    """Read at once, in force after the delay; a key that was just made isn't known, a key that was just deleted still is."""
    alice = aws.user("alice", allow("sqs:ListQueues"))
    mine, iam = aws.client("sqs", alice.key), aws.client("iam")
    mine.list_queues()
    assert command("propagation", "5m", "--of", str(aws.folder), "--format", "json").returncode == 0
    iam.put_user_policy(UserName="alice", PolicyName="deny", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Deny", "Action": "*", "Resource": "*"}]}))  # fmt: skip
    assert iam.list_user_policies(UserName="alice")["PolicyNames"] == ["deny", "p0"]
    mine.list_queues()
    assert aws.ask("state")[1]["changes_on_their_way"] == 1
    aws.ask("time", {"ahead": "5m"})
    assert "explicit deny" in refused(mine.list_queues)[1]
    iam.delete_user_policy(UserName="alice", PolicyName="deny")
    assert "explicit deny" in refused(mine.list_queues)[1]
    aws.ask("time", {"ahead": "5m"})
    mine.list_queues()
    fresh = iam.create_access_key(UserName="alice")["AccessKey"]
    assert refused(aws.client("sqs", fresh).list_queues)[0] in ("InvalidClientTokenId", "UnrecognizedClientException")
    iam.delete_access_key(UserName="alice", AccessKeyId=alice.key["AccessKeyId"])
    mine.list_queues()
    # A user that isn't known everywhere can't be named in a trust yet.
    iam.create_user(UserName="bob")
    trusting = json.dumps(trust(f"arn:aws:iam::{J}:user/bob"))
    assert refused(iam.create_role, RoleName="r", AssumeRolePolicyDocument=trusting)[0] == "MalformedPolicyDocument"
    aws.ask("time", {"ahead": "5m"})
    aws.client("sqs", fresh).list_queues()
    assert refused(mine.list_queues)[0] in ("InvalidClientTokenId", "UnrecognizedClientException")
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trusting)
    # Without a delay all is as before, once what was on its way has come.
    aws.ask("propagation", {"delay": "0s"})
    aws.ask("time", {"ahead": "5m"})
    iam.delete_user_policy(UserName="alice", PolicyName="p0")
    assert refused(aws.client("sqs", fresh).list_queues)[0].startswith("AccessDenied")


def test_D_43_apply_waits_by_looking(aws: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An apply against a sandbox with a delay goes through, and what it says is there is in force."""
    file = tmp_path / "sekisho.yaml"
    file.write_text((Path(__file__).parents[2] / "examples/article.yaml").read_text())
    aws.ask("propagation", {"delay": "1s"})
    for name, key in (("AWS_CONFIG_FILE", "config_file"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials_file")):
        monkeypatch.setenv(name, aws.access[key])
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint)
    done = subprocess.run(
        [sys.executable, "-m", "sekisho.cli", "apply", str(file), "--profile", "sekisho-{account}", "--yes"], capture_output=True, text=True,
        timeout=240, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert Accounts(profile="sekisho-{account}").client(J, "iam").list_users()["Users"]


def test_a_copy_of_a_running_sandbox(aws: Running, tmp_path: Path) -> None:
    aws.user("alice")
    taken = command("snapshot", str(aws.folder), str(tmp_path / "copy"))
    assert taken.returncode == 0, taken.stderr
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    aws.user("bob")
    assert command("restore", str(tmp_path / "copy"), str(tmp_path / "second")).returncode == 0
    with Server(EmbeddedAws([], tmp_path / "second"), 0) as server:
        assert [u["UserName"] for u in Sandbox(server).client("iam").list_users()["Users"]] == ["alice"]
