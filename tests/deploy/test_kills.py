"""Applies that are broken off at every call: resumed they end in what is wanted, taken back in what was (issue 5, point 3)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from sekisho import Estate, compile_environment
from sekisho.deploy.apply import apply, resume
from sekisho.deploy.journal import Journal
from sekisho.deploy.plan import nothing_of
from sekisho.environment import parse_environment
from sekisho.errors import OutsideError

from .aws import PROFILE, Aws
from .breaks import Case, World, break_off, broken_off, every_case
from .conftest import Start

J, T = "111122223333", "444455556666"
OLD = """
version: 1
networks: {office: [203.0.113.0/24], vpn: [198.51.100.7/32]}
jump: {account: "111122223333", networks: [office, vpn]}
groups:
  admins: {path: /admins/, users: [sato]}
  developers: {path: /developers/, users: [ito, kondo]}
accounts:
  production:
    id: "444455556666"
    roles:
      admin:
        policies: [arn:aws:iam::aws:policy/AdministratorAccess]
        trusts: {groups: [admins]}
        networks: [office, vpn]
        session: {stay_on_networks: true}
      developer:
        policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]
        trusts: {groups: [developers]}
"""
NARROW = (("networks: [office, vpn]", "networks: [office]"), ("policy/ReadOnlyAccess", "policy/SecurityAudit"))
WIDEN = (
    ("users: [sato]", "users: [sato, ito]"), ("users: [ito, kondo]", "users: [kondo]"), ("{groups: [developers]}", "{groups: [developers, admins]}"),
)  # fmt: skip
GONE = (("users: [ito, kondo]", "users: [ito]"),)
ADDRESSES = ("203.0.113.5", "198.51.100.7", "198.18.0.9")


def text(*edits: tuple[str, str]) -> str:
    result = OLD
    for old, new in edits:
        assert old in result, old
        result = result.replace(old, new)
    return result


def compiled(source: str) -> Estate:
    return compile_environment(parse_environment(source))


FIVE: Mapping[str, tuple[Estate | None, Estate | None]] = {
    "create": (None, compiled(text())),
    "narrow": (compiled(text()), compiled(text(*NARROW))),
    "widen": (compiled(text()), compiled(text(*WIDEN))),
    "remove a user": (compiled(text()), compiled(text(*GONE))),
    "destroy": (compiled(text()), None),
}


def states(name: str) -> tuple[Estate, Estate]:
    old, new = FIVE[name]
    either = old or new
    assert either is not None
    return old or nothing_of(either), new or nothing_of(either)


ALL = bool(os.environ.get("SEKISHO_EXAMPLES"))
"""`make fuzz` breaks an apply off in all ways at all calls, `make test` at each call in some way and in each way at some call."""
EVERY = 17


def some(calls: int) -> list[Case]:
    return [case for i, case in enumerate(every_case(calls)) if ALL or i % EVERY == 0]


def has_everything(aws: Aws, user: str) -> None:
    """Give a user what has to go before they can."""
    iam = aws.client("iam", J)
    iam.create_login_profile(UserName=user, Password="a-long-Passw0rd!", PasswordResetRequired=True)
    iam.create_access_key(UserName=user)
    iam.upload_ssh_public_key(UserName=user, SSHPublicKeyBody="ssh-rsa AAAA")
    iam.create_service_specific_credential(UserName=user, ServiceName="codecommit.amazonaws.com")
    aws.enable_device(user)


@pytest.mark.parametrize("name", FIVE)
def test_broken_off_at_every_call(name: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed or refused at a call, then gone on with or taken back: the exact new or the exact old estate, and nothing worse in between."""
    old, new = states(name)
    began = time.process_time()
    world = World(start(J, T), (J, T))
    world.become(old)
    if name in ("remove a user", "destroy"):
        has_everything(world.aws, "kondo")
    found = broken_off(world, old, new, ADDRESSES, some)
    with capsys.disabled():
        sys.stderr.write(
            f"\n{name}: {found.calls} calls; broken off {found.cases} times, {len(found.amiss)} amiss; {found.states} different states in between: "
            f"{found.opened} ways beyond old and new, {found.locked_out} administrators' ways lost; {time.process_time() - began:.0f} s"
        )
    assert not found.amiss, "\n".join(found.amiss)
    assert found.cases >= found.calls and found.states > found.calls / 2 and found.opened == found.locked_out == 0


def kill(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("moment", ["kill before", "kill after"])
def test_kill_9(moment: str, start: Start) -> None:
    """A real process, really killed at a call; the next one goes on."""
    aws = start(J, T)
    aws.write(OLD)
    running: list[subprocess.Popen[bytes]] = []
    aws.faults.reset(at=7, kind=moment, strike=lambda: kill(running[0]))
    command = [sys.executable, "-m", "sekisho.cli", "apply", str(aws.file), "--yes", "--profile", PROFILE]
    running.append(subprocess.Popen(command, env={**os.environ, **aws.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    assert running[0].wait(60) == -signal.SIGKILL
    aws.faults.reset()
    resumed = aws.sekisho("apply", str(aws.file), "--yes")
    assert resumed.status == 0 and "finished" in resumed.out, resumed
    World(aws, (J, T)).is_just(compiled(OLD))


def test_changed_under_our_feet_since_the_plan(start: Start) -> None:
    aws = start(J, T)
    aws.write(OLD)
    assert aws.sekisho("apply", str(aws.file), "--yes").status == 0
    aws.write(text(*NARROW))
    plan = aws.folder / "p.plan"
    assert aws.sekisho("plan", str(aws.file), "--out", str(plan)).status == 1
    aws.client("iam", T).attach_role_policy(RoleName="developer", PolicyArn="arn:aws:iam::aws:policy/PowerUserAccess")
    said = aws.sekisho("apply", "--plan", str(plan), "--yes")
    assert said.status == 3 and "changed since the plan" in said.err and "role/developer" in said.err


def test_changed_under_our_feet_since_the_kill(start: Start) -> None:
    world = World(start(J, T), (J, T))
    plan = world.plan(compiled(OLD))
    break_off(world, partial(apply, plan, world.journal, world.hands()), 5, "kill after")
    world.aws.faults.reset()
    world.accounts.client(J, "iam").create_group(GroupName="developers", Path="/elsewhere/")
    journal = Journal.read(world.journal)
    assert journal is not None
    with pytest.raises(OutsideError, match="has changed since the apply was broken off"):
        resume(journal, world.hands())


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_journal_cut_in_the_middle(cut: int, start: Start) -> None:
    """Torn in its last line: that line counts as not written, and what exists decides which call is next."""
    world = World(start(J, T), (J, T))
    plan = world.plan(compiled(OLD))
    break_off(world, partial(apply, plan, world.journal, world.hands()), 6, "answer lost")
    world.aws.faults.reset()
    raw = world.journal.read_bytes()
    world.journal.write_bytes(raw[:-cut])
    journal = Journal.read(world.journal)
    assert journal is not None
    resume(journal, world.hands())
    world.is_just(compiled(OLD))
    assert Path(world.journal).stat().st_mode & 0o777 == 0o600
