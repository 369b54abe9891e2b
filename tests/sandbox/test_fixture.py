"""The fixture ``sekisho_aws`` as other projects use it: quick after the first, and nobody sees anybody else's."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from sekisho.errors import InputError
from sekisho.pytest_plugin import start

from .people import J, T

EXAMPLES = Path(__file__).parents[2] / "examples"
WORKERS = "8" if os.environ.get("SEKISHO_EXAMPLES") else "2"
"""Each loads moto once."""
FIFTY = '''
"""Each test makes the same things; whoever saw another's would find them there."""
import pytest

@pytest.mark.sekisho({article!r})
@pytest.mark.parametrize("number", range(50))
def test_alone(sekisho_aws, number):
    iam, s3 = sekisho_aws.client("iam"), sekisho_aws.client("s3")
    assert [u["UserName"] for u in iam.list_users()["Users"]] == ["test-user"]
    assert s3.list_buckets()["Buckets"] == []
    iam.create_user(UserName="mine")
    iam.create_account_alias(AccountAlias=f"number-{{number}}")
    s3.create_bucket(Bucket="shop")
    s3.put_object(Bucket="shop", Key="k", Body=str(number).encode())
    sekisho_aws.later(3600 * number)
    assert iam.list_account_aliases()["AccountAliases"] == [f"number-{{number}}"]
    assert s3.get_object(Bucket="shop", Key="k")["Body"].read() == str(number).encode()
    assert len([e for e in sekisho_aws.events() if e["eventName"] == "CreateUser"]) == 1
'''


def test_after_the_first_it_starts_in_under_200_ms(record_property: pytest.RecordProperty) -> None:
    """In processor time, which a busy machine doesn't stretch: reading the file, compiling it, the port and all."""
    took = []
    for _ in range(5):
        begin = time.process_time()
        running = start(EXAMPLES / "company.yaml")
        took.append(time.process_time() - begin)
        assert running.client("sts").get_caller_identity()["Account"] == running.accounts[0]
        running._server.stop()
    record_property("started_ms", [round(t * 1000) for t in took])
    assert statistics.median(took[1:]) < 0.2, took


def test_fifty_tests_side_by_side_do_not_see_each_other(tmp_path: Path) -> None:
    (tmp_path / "test_fifty.py").write_text(FIFTY.format(article=str(EXAMPLES / "article.yaml")))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", WORKERS, "--rootdir", str(tmp_path), str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=400)
    assert ran.returncode == 0, ran.stdout[-3000:]
    assert "50 passed" in ran.stdout


def test_two_in_one_process_do_not_either() -> None:
    first, second = start(), start()
    try:
        first.client("s3").create_bucket(Bucket="shop")
        first.client("iam").create_user(UserName="alice")
        assert second.client("s3").list_buckets()["Buckets"] == []
        assert second.client("iam").list_users()["Users"] == []
        second.client("s3").create_bucket(Bucket="shop")
        second._server.stop()
        assert [b["Name"] for b in first.client("s3").list_buckets()["Buckets"]] == ["shop"], "what one forgets the other has"
    finally:
        first._server.stop()


def test_it_says_what_is_not_there() -> None:
    running = start()
    try:
        assert running.accounts == (J, T)
        with pytest.raises(InputError, match="no user nobody"):
            running.client("s3", user="nobody")
        with pytest.raises(InputError, match="no role"):
            running.keys(role="nowhere/Ops")
        running.client("iam").create_user(UserName="alice")
        with pytest.raises(ClientError, match="AccessDenied"):
            running.client("iam", user="alice").list_users()
    finally:
        running._server.stop()
