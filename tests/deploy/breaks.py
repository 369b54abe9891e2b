"""An apply broken off at a call in every way that there is, then gone on with or taken back: what it ends in, and what it was in between.

The embedded AWS runs in this process and is put back to the old estate between two cases, so that a case costs its calls and no more. A kill
is a real one: the apply runs in a process of its own, forked off this one, which gets ``kill -9`` while AWS holds its call.
"""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sekisho import Authorizer, CredentialKind, Estate, Request
from sekisho.decision import request_context
from sekisho.deploy.accounts import Accounts
from sekisho.deploy.apply import Hands, apply, resume, rollback
from sekisho.deploy.changes import changes, shape
from sekisho.deploy.collect import collect, with_credentials
from sekisho.deploy.journal import Journal
from sekisho.deploy.plan import Plan, make_plan
from sekisho.errors import OutsideError, SekishoError
from sekisho.proof import difference

from .access import Way, access, union
from .aws import BREAKS, PROFILE, Aws

KILLS = ("kill before", "kill after")
KINDS = (*KILLS, *BREAKS)
ENDS = ("resume", "rollback")


@dataclass(frozen=True)
class Case:
    """The call that goes wrong, counted from 0; how; and what is done then. ``twice``: that is broken off as well, and done again."""

    at: int
    kind: str
    end: str
    twice: bool = False


def every_case(calls: int) -> Iterator[Case]:
    for at in range(calls):
        for k, kind in enumerate(KINDS):
            for e, end in enumerate(ENDS):
                yield Case(at, kind, end, (at + k + e) % 3 == 0)


@dataclass
class Found:
    """What the cases of one apply came to."""

    calls: int = 0
    cases: int = 0
    states: int = 0
    opened: int = 0
    locked_out: int = 0
    amiss: list[str] = field(default_factory=list)


class World:
    """An embedded AWS, what can be done with it, and whether it is as it should be."""

    def __init__(self, aws: Aws, accounts: Sequence[str]) -> None:
        self.aws, self.ids = aws, list(accounts)
        self.accounts = Accounts(PROFILE)
        self.journal = aws.folder / "journal"
        self.proved: dict[tuple[str, str], bool] = {}
        self.process = os.getpid()

    def look(self) -> Estate:
        """What exists, without asking over HTTP where it is at hand; ``is_just`` asks as the commands do."""
        return self.aws.server.aws.store.estate if os.getpid() == self.process else self.collected()

    def collected(self) -> Estate:
        return collect(self.accounts, self.ids, brief=True)

    def hands(self) -> Hands:
        return Hands(self.accounts, self.look, pause=lambda _: None)

    def plan(self, wanted: Estate) -> Plan:
        return make_plan(with_credentials(self.accounts, self.look(), wanted), wanted, jump=self.ids[0])

    def become(self, wanted: Estate) -> None:
        plan = self.plan(wanted)
        if plan.steps:
            apply(plan, self.journal, self.hands())

    def is_just(self, wanted: Estate) -> None:
        """What exists is what is wanted: no change either way, the same shape, and `diff` proves the same access."""
        now = self.collected()
        assert changes(now, wanted, exclusive=True) == ()
        assert shape(now, wanted) == shape(wanted, wanted)
        key = spelled(now), spelled(wanted)
        if key not in self.proved:
            self.proved[key] = difference(now, wanted).is_empty
        assert self.proved[key]


def spelled(estate: Estate) -> str:
    """An estate without what AWS alone gives (ids, dates, old versions): the same for estates that mean the same."""
    return json.dumps(shape(estate, estate, _Everything()), sort_keys=True)


class _Everything:
    def __contains__(self, _: object) -> bool:
        return True


class Saved:
    """The state of an embedded AWS at one time, to be put back."""

    def __init__(self, aws: Aws) -> None:
        self.store = aws.server.aws.store
        self.ahead_s = self.store.clock.ahead_s
        self.accounts = dict(self.store.accounts)
        self.tables = [(t, copy.deepcopy(t)) for t in (self.store.keys, self.store.passwords, self.store.devices, self.store.sessions)]

    def put_back(self) -> None:
        for account in self.accounts.values():
            self.store.save(account)
        for table, was in self.tables:
            table.clear()
            table.update(copy.deepcopy(was))  # type: ignore[arg-type]
        self.store.events.clear()
        self.store.clock.ahead_s = self.ahead_s


@dataclass
class Watch:
    """Looks at each state that the embedded AWS is in: whether anybody has more than before and after, or lost a way in that both have."""

    old: Estate
    new: Estate
    addresses: Sequence[str]
    found: Found
    seen: set[str] = field(default_factory=set)
    amiss: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.everybody = union(self.old, self.new)
        self.either = self._access(self.old) | self._access(self.new)
        self.kept = [w for w in administrators(self.old, self.addresses) if w in administrators(self.new, self.addresses)]

    def _access(self, estate: Estate) -> frozenset[Way]:
        return access(estate, self.addresses, self.everybody)

    def look(self, estate: Estate) -> None:
        key = spelled(estate)
        if key in self.seen:
            return
        self.seen.add(key)
        self.found.states += 1
        beyond = self._access(estate) - self.either
        now = administrators(estate, self.addresses)
        lost = [w for w in self.kept if w not in now]
        self.found.opened += len(beyond)
        self.found.locked_out += len(lost)
        self.amiss += [*sorted(beyond)[:3], *lost[:3]]


def administrators(estate: Estate, addresses: Sequence[str]) -> frozenset[tuple[str, str, str]]:
    """Who, from where, gets into which role that may change IAM, with the second factor."""
    ask = Authorizer(estate)
    found = set()
    for account in estate.accounts:
        for role in account.roles:
            session = f"arn:aws:sts::{account.id}:assumed-role/{role.name}/s"
            for address in addresses:
                inside = request_context(CredentialKind.ROLE_SESSION, source_ip=address, mfa=True)
                change = Request(session, "iam:AttachRolePolicy", role.arn, inside, credentials=CredentialKind.ROLE_SESSION, role=role.arn)
                if not ask.decide_anew(change).allowed:
                    continue
                outside = request_context(CredentialKind.CONSOLE, source_ip=address, mfa=True, mfa_age_s=60)
                for user in (u for a in estate.accounts for u in a.users):
                    if ask.decide_anew(Request(user.arn, "sts:AssumeRole", role.arn, outside, credentials=CredentialKind.CONSOLE)).allowed:
                        found.add((user.name, address, role.arn))
    return frozenset(found)


def broken_off(world: World, old: Estate, new: Estate, addresses: Sequence[str], wanted: Callable[[int], Sequence[Case]]) -> Found:
    """Carry out the cases that ``wanted`` names of an apply from ``old``, which exists, to ``new``."""
    faults, found = world.aws.faults, Found()
    before = Saved(world.aws)
    watch = Watch(old, new, addresses, found)
    plan = world.plan(new)
    found.calls = len(plan.calls)
    faults.after = lambda: watch.look(world.aws.server.aws.store.estate)
    try:
        for case in wanted(len(plan.calls)):
            found.cases += 1
            before.put_back()
            for path in world.journal.parent.glob("journal*"):
                path.unlink()
            try:
                _carry(world, plan, case)
                world.is_just(new if case.end == "resume" else old)
                assert not watch.amiss, watch.amiss
            except (AssertionError, SekishoError) as error:
                found.amiss.append(f"{case}, {plan.calls[case.at]}: {error}")
                watch.amiss.clear()
    finally:
        faults.reset()
        faults.after = lambda: None
        before.put_back()
    return found


def _carry(world: World, plan: Plan, case: Case) -> None:
    break_off(world, partial(apply, plan, world.journal, world.hands()), case.at, case.kind)
    if case.twice:
        break_off(world, partial(_again, world, case.end), 1, case.kind, may_end=True)
    world.aws.faults.reset()
    _again(world, case.end)


def _again(world: World, end: str) -> None:
    journal = Journal.read(world.journal)
    assert journal is not None
    if journal.ended:
        return
    (resume if end == "resume" else rollback)(journal, world.hands())


def break_off(world: World, run: Callable[[], Any], at: int, kind: str, *, may_end: bool = False) -> None:
    """Run until call ``at`` goes wrong. ``may_end``: it may have fewer calls than that."""
    faults = world.aws.faults
    if kind in KILLS:
        child = _forked(run, lambda pid: faults.reset(at, kind, strike=lambda: os.kill(pid, signal.SIGKILL)))
        assert child == -signal.SIGKILL or (may_end and child == 0), child
        return
    faults.reset(at, kind)
    try:
        run()
    except OutsideError as error:
        assert error.remedy
    else:
        assert may_end, f"{kind} at call {at} went unseen"


def _forked(run: Callable[[], Any], ready: Callable[[int], None]) -> int:
    """The exit status (negative: the signal) of ``run`` in a process of its own; it waits until ``ready`` has been told its id."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(writes)
            os.read(reads, 1)
            run()
            os._exit(0)
        except BaseException:
            os._exit(70)
    os.close(reads)
    try:
        ready(pid)
    finally:
        os.close(writes)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status)
