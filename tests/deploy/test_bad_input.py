"""What goes wrong around a deployment, tried with the commands: each a clear error that says what to do, and nothing is lost (issue 5, point 9).

The others are in test_commands.py (no credentials, another account behind a profile, a plan that was changed) and test_kills.py.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from .aws import PROFILE, Aws
from .conftest import ARTICLE

J, T = "111122223333", "444455556666"
ONE_MORE = ARTICLE.replace("[test-user]", "[test-user, kato]")
CLOCK = """
import datetime, sys
import botocore.auth, botocore.compat
now = botocore.auth.get_current_datetime
botocore.auth.get_current_datetime = lambda *a, **k: now(*a, **k) + datetime.timedelta(minutes={minutes})
from sekisho.cli.__main__ import main
sys.argv[0] = "sekisho"
main()
"""


@pytest.mark.parametrize(("minutes", "which"), [(-25, "behind"), (40, "ahead")])
def test_clock_skew(minutes: int, which: str, article: Aws) -> None:
    """This machine's clock is wrong by more than AWS's fifteen minutes: AWS's own answer, and which way to turn the clock."""
    command = [sys.executable, "-c", CLOCK.format(minutes=minutes), "plan", str(article.file), "--profile", PROFILE]
    ran = subprocess.run(command, env={**os.environ, **article.environment}, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 3 and "Traceback" not in ran.stderr, ran
    assert f"clock is {abs(minutes)} minutes {which}" in ran.stderr and "SignatureDoesNotMatch" in ran.stderr, ran.stderr


def broken_off(aws: Aws, at: int) -> Path:
    """An apply that AWS broke off at a call; its journal."""
    aws.write(ONE_MORE)
    aws.faults.reset(at=at, kind="service failure")
    assert aws.sekisho("apply", str(aws.file), "--yes").status == 3
    aws.faults.reset()
    return aws.folder / ".sekisho" / "journal"


def test_a_journal_cut_in_the_middle(article: Aws) -> None:
    """Cut off in a line: gone on with. A line in the middle that isn't one: the place, and nothing is called."""
    journal = broken_off(article, 2)
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    for damaged in (b"".join([lines[0], lines[1][:5] + b"\n", *lines[2:]]), lines[0][: len(lines[0]) // 2] + b"\n" + b"".join(lines[1:])):
        journal.write_bytes(damaged)
        said = article.sekisho("apply", str(article.file), "--yes")
        assert said.status == 2 and "journal" in said.err and "to do:" in said.err and not article.faults.seen, said
    journal.write_bytes(whole[:-4])
    assert article.sekisho("apply", str(article.file), "--yes").status == 0
    assert article.sekisho("plan", str(article.file)).status == 0


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system of its own at ``folder``: for root alone, and where that may mount."""
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


WRITERS = {
    "plan": ["plan", "{file}", "--out", "{there}/tomorrow.plan"],
    "apply": ["apply", "{file}", "--yes", "--state", "{there}/state"],
    "collect": ["collect", "--accounts", f"{J},{T}", "--out", "{there}/estate"],
    "export": ["export", "cloudformation", "{file}", "--out", "{there}/templates"],
    "users add": ["users", "add", "mori", "--group", "test-group", "--file", "{there}/sekisho.yaml", "--yes", "--state", "{folder}/.sekisho"],
    "init": ["init", "{there}/new.yaml"],
}  # fmt: skip
WITHOUT_AWS = ("export", "init")


@pytest.mark.parametrize("state", ["read-only", "full"])
def test_a_folder_that_cant_be_written(state: str, article: Aws) -> None:
    """Every command that writes, into a read-only and into a full file system: said with the path, nothing called, what was there is whole."""
    article.write(ONE_MORE)
    with mounted(article.folder / "there", "size=64k") as there:
        (there / "sekisho.yaml").write_text(ARTICLE)
        if state == "full":
            with open(there / "filler", "wb", buffering=0) as filler:
                try:
                    while True:
                        filler.write(b"x" * 4096)
                except OSError:
                    pass
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(there)], check=True)
        before = {p.name: p.read_bytes() for p in there.iterdir()}
        for name, command in WRITERS.items():
            arguments = [a.format(file=article.file, there=there, folder=article.folder) for a in command]
            said = article.sekisho(*arguments, profile=None if name in WITHOUT_AWS else PROFILE)
            assert said.status == 3 and str(there) in said.err and "can't be written" in said.err, (name, said)
            assert not article.faults.seen, (name, article.faults.seen)
            assert {p.name: p.read_bytes() for p in there.iterdir() if p.is_file()} == before, name
    assert json.loads(article.sekisho("plan", str(article.file), "--format", "json").out)["summary"]["add"] > 0


def test_a_disk_that_fills_up_on_the_way(article: Aws) -> None:
    """The journal takes the plan and two calls; the third isn't made. With room again the same command ends it, from a line that was torn."""
    article.write(ONE_MORE)
    journal = article.folder / ".sekisho" / "journal"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        """After the second call: there is room for the line that it is done, and three bytes of the next."""
        if len(article.faults.seen) == 2:
            resource.setrlimit(resource.RLIMIT_FSIZE, (journal.stat().st_size + len('{"done":1}') + 1 + 3, hard))

    article.faults.after = fill
    try:
        said = article.sekisho("apply", str(article.file), "--yes")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        article.faults.after = lambda: None
    assert said.status == 3 and "can't be written" in said.err and "make room" in said.err and len(article.faults.seen) == 2, said
    assert journal.read_bytes().endswith(b'{"done":1}\n{"b')
    ended = article.sekisho("apply", str(article.file), "--yes")
    assert ended.status == 0 and "finished" in ended.out, ended
    assert article.sekisho("plan", str(article.file)).status == 0
