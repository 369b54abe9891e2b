"""Applies that are broken off at every call: resumed they end in what is wanted, taken back in what was (issue 5, point 3)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sekisho import Estate, compile_environment
from sekisho.deploy.accounts import Accounts
from sekisho.deploy.apply import Hands, apply, resume, rollback
from sekisho.deploy.changes import changes, shape
from sekisho.deploy.collect import collect, with_credentials
from sekisho.deploy.journal import Journal
from sekisho.deploy.plan import Plan, make_plan, nothing_of
from sekisho.environment import parse_environment
from sekisho.errors import OutsideError

from .access import access, union
from .aws import BREAKS, PROFILE, Aws
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


class Killed(BaseException):
    """The process ends here, as with kill -9: nothing that could catch it does."""


@dataclass
class Deadly:
    """Clients of which one call, counted from 0, is the last: before AWS gets it, or after."""

    clients: Accounts
    at: int
    after: bool
    seen: int = 0

    def client(self, account: str, service: str) -> Any:
        return _Client(self, self.clients.client(account, service))


class _Client:
    def __init__(self, deadly: Deadly, client: Any) -> None:
        self._deadly, self._client = deadly, client

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(**params: Any) -> Any:
            mine = self._deadly.seen == self._deadly.at
            self._deadly.seen += 1
            if mine and not self._deadly.after:
                raise Killed
            answer = method(**params)
            if mine:
                raise Killed
            return answer

        return call


class World:
    """An embedded AWS, what can be done with it, and whether it is as it should be."""

    def __init__(self, aws: Aws) -> None:
        self.accounts = Accounts(PROFILE)
        self.journal = aws.folder / "journal"

    def look(self) -> Estate:
        return collect(self.accounts, [J, T], brief=True)

    def hands(self, deadly: Deadly | None = None) -> Hands:
        return Hands(deadly or self.accounts, self.look, pause=lambda _: None)

    def plan(self, wanted: Estate) -> Plan:
        return make_plan(with_credentials(self.accounts, self.look(), wanted), wanted, jump=J)

    def become(self, wanted: Estate) -> None:
        plan = self.plan(wanted)
        if plan.steps:
            apply(plan, self.journal, self.hands())

    def is_just(self, wanted: Estate) -> None:
        now = self.look()
        assert changes(now, wanted, exclusive=True) == ()
        assert shape(now, wanted) == shape(wanted, wanted)


def states(name: str) -> tuple[Estate, Estate]:
    old, new = FIVE[name]
    either = old or new
    assert either is not None
    return old or nothing_of(either), new or nothing_of(either)


@pytest.mark.parametrize("name", FIVE)
def test_killed_at_every_call_and_gone_on_with(name: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """One apply that is killed at each of its calls, before AWS gets it and after in turn, and gone on with each time."""
    old, new = states(name)
    world = World(start(J, T))
    world.become(old)
    plan = world.plan(new)
    everybody = union(old, new)
    either = access(old, ADDRESSES, everybody) | access(new, ADDRESSES, everybody)
    kills = opened = 0
    deadly = Deadly(world.accounts, 0, False)
    with pytest.raises(Killed):
        apply(plan, world.journal, world.hands(deadly))
    while True:
        kills += 1
        opened += len(access(world.look(), ADDRESSES, everybody) - either)
        journal = Journal.read(world.journal)
        assert journal is not None and not journal.ended
        try:
            assert resume(journal, world.hands(Deadly(world.accounts, 0 if kills % 2 else 1, kills % 2 == 1))).end == "applied"
        except Killed:
            continue
        break
    world.is_just(new)
    with capsys.disabled():
        sys.stderr.write(f"\n{name}: {len(plan.calls)} calls, killed {kills} times and gone on with; {opened} ways beyond old and new in between")
    assert kills >= len(plan.calls) * 0.6 and opened == 0


EVERY = 1 if os.environ.get("SEKISHO_EXAMPLES") else 7
"""`make fuzz` takes an apply back from each of its calls, `make test` from some."""


@pytest.mark.parametrize("name", FIVE)
def test_killed_and_taken_back(name: str, start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Killed at a call, before AWS gets it or after, and taken back: what was is there again. A rollback that is killed is run again."""
    old, new = states(name)
    world = World(start(J, T))
    world.become(old)
    kills = 0
    for at in range(0, len(world.plan(new).calls), EVERY):
        plan = world.plan(new)
        with pytest.raises(Killed):
            apply(plan, world.journal, world.hands(Deadly(world.accounts, at, kills % 2 == 0)))
        kills += 1
        journal = Journal.read(world.journal)
        assert journal is not None
        if at > 2:
            with pytest.raises(Killed):
                rollback(journal, world.hands(Deadly(world.accounts, 1, kills % 3 == 0)))
            journal = Journal.read(world.journal)
            assert journal is not None
        assert rollback(journal, world.hands()).end == "rolled back"
        world.is_just(old)
    with capsys.disabled():
        sys.stderr.write(f"\n{name}: taken back {kills} times")


@pytest.mark.parametrize("kind", BREAKS)
def test_each_error_of_aws(kind: str, start: Start) -> None:
    """The third call goes wrong: the command says so and keeps the journal; run again it ends as wanted, and --rollback as before."""
    aws = start(J, T)
    aws.write(OLD)
    for again, wanted in ((("--rollback",), nothing_of(compiled(OLD))), ((str(aws.file), "--yes"), compiled(OLD))):
        aws.faults.reset(at=2, kind=kind)
        broken = aws.sekisho("apply", str(aws.file), "--yes")
        assert broken.status == 3 and "to do:" in broken.err, broken
        aws.faults.reset()
        state = ("--state", str(aws.folder / ".sekisho")) if again == ("--rollback",) else ()
        mended = aws.sekisho("apply", *again, *state)
        assert mended.status == 0, mended
        World(aws).is_just(wanted)


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
    World(aws).is_just(compiled(OLD))


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
    world = World(start(J, T))
    plan = world.plan(compiled(OLD))
    with pytest.raises(Killed):
        apply(plan, world.journal, world.hands(Deadly(world.accounts, 5, True)))
    world.accounts.client(J, "iam").create_group(GroupName="developers", Path="/elsewhere/")
    journal = Journal.read(world.journal)
    assert journal is not None
    with pytest.raises(OutsideError, match="has changed since the apply was broken off"):
        resume(journal, world.hands())


@pytest.mark.parametrize("cut", [1, 9, 40])
def test_a_journal_cut_in_the_middle(cut: int, start: Start) -> None:
    """Torn in its last line: that line counts as not written, and what exists decides which call is next."""
    world = World(start(J, T))
    plan = world.plan(compiled(OLD))
    with pytest.raises(Killed):
        apply(plan, world.journal, world.hands(Deadly(world.accounts, 6, True)))
    raw = world.journal.read_bytes()
    world.journal.write_bytes(raw[:-cut])
    journal = Journal.read(world.journal)
    assert journal is not None
    resume(journal, world.hands())
    world.is_just(compiled(OLD))
    assert Path(world.journal).stat().st_mode & 0o777 == 0o600
