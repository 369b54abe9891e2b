"""A plan carried out: call by call, each in the journal first; gone on with, or taken back, after whatever broke it off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekisho.deploy.calls import AwsError, Call, Clients, run
from sekisho.deploy.changes import changes
from sekisho.deploy.effect import after
from sekisho.deploy.journal import Journal
from sekisho.deploy.plan import Plan, under_our_feet
from sekisho.errors import InputError, OutsideError
from sekisho.estate import Estate

Look = Callable[[], Estate]
"""Reads what exists now."""
Told = Callable[[str], None]
SETTLES_S = 15.0
"""How long AWS may take to show everywhere what was done (D-43)."""


@dataclass(frozen=True)
class Hands:
    """What an apply works with: clients to make calls with, ``look`` to read what exists, ``told`` to say what goes on, ``pause`` to wait."""

    clients: Clients
    look: Look
    told: Told = lambda _: None
    pause: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Outcome:
    """How many calls were made, and what AWS answered that only it knows."""

    calls: int
    end: str


def apply(plan: Plan, journal: Path, hands: Hands) -> Outcome:
    """Carry a plan out. Raises OutsideError, with the journal kept, where a call fails; run again, `resume` goes on.

    Before the first call what exists must be as the plan has it.
    """
    moved = under_our_feet(plan, hands.look())
    if moved:
        raise _changed(moved, "since the plan was made")
    written = Journal.start(journal, plan)
    return _go_on(written, 0, hands)


def resume(journal: Journal, hands: Hands) -> Outcome:
    """Go on with an apply that was broken off: from the call that what exists shows to be next."""
    if journal.rolling_back:
        raise InputError("this apply is being taken back", remedy="go on with `sekisho apply --rollback`")
    journal.mended()
    at = _where(journal, hands)
    hands.told(f"going on with call {at + 1} of {len(journal.plan.calls)}")
    return _go_on(journal, at, hands)


def rollback(journal: Journal, hands: Hands) -> Outcome:
    """Take a broken-off apply back: what exists becomes again what existed before it, as carefully ordered as the way there."""
    journal.mended()
    if not journal.rolling_back:
        _where(journal, hands)
        journal.note(rollback=True)
    plan = journal.plan
    made = 0
    for change in changes(hands.look(), plan.existing, ours=plan.ours):
        for call in change.calls:
            hands.told(f"taking back: {change.sign.value} {change.text}")
            _run(call, hands)
            made += 1
    left = _settled(lambda: [c.text for c in changes(hands.look(), plan.existing, ours=plan.ours)], hands.pause)
    if left:
        raise OutsideError(f"taken back, but AWS still shows {len(left)} differences: {left[0]}", remedy="run `sekisho apply --rollback` again")
    journal.note(end="rolled back")
    return Outcome(made, "rolled back")


def _go_on(journal: Journal, at: int, hands: Hands) -> Outcome:
    calls = [(change, call) for change in journal.plan.steps for call in change.calls]
    for index in range(at, len(calls)):
        change, call = calls[index]
        hands.told(f"{index + 1} of {len(calls)}: {change.sign.value} {change.text}")
        again = index < journal.begun
        journal.note(begin=index)
        _run(call, hands, again=again)
        journal.note(done=index)
    left = _settled(lambda: [c.text for c in changes(hands.look(), journal.plan.wanted, exclusive=journal.plan.exclusive)], hands.pause)
    if left:
        raise OutsideError(
            f"all calls worked, but AWS shows {len(left)} differences from what is wanted: {left[0]}",
            remedy="`sekisho plan` shows them; someone else may have changed something meanwhile",
        )
    journal.note(end="applied")
    return Outcome(len(calls) - at, "applied")


def _run(call: Call, hands: Hands, *, again: bool = False) -> Any:
    """A call; where it was tried before, by botocore or (``again``) by the run that was broken off, that may have worked, and now it is found done.

    Not all that a call does can be looked at: an answer that was lost to DeleteLoginProfile leaves no other trace.
    """
    try:
        return run(call, hands.clients, pause=hands.pause)
    except AwsError as error:
        if (error.retried or again) and error.code in _DONE_ALREADY and call.operation.startswith(_DONE_ALREADY[error.code]):
            return {}
        raise


_DONE_ALREADY: dict[str, tuple[str, ...]] = {
    "EntityAlreadyExists": ("Create",), "NoSuchEntity": ("Delete", "Detach", "Remove", "Deactivate"),
}  # fmt: skip


def _where(journal: Journal, hands: Hands) -> int:
    """The call that is next, told by what exists: the one after the last that is known to have worked, or, where the journal's end is lost,
    a later one. Raises OutsideError where what exists is no state that the calls lead through.
    """
    found: list[int] = []

    def fits() -> Sequence[str]:
        now = hands.look()
        first: Sequence[str] = ()
        for index, expected in enumerate(_states_from(journal), journal.done):
            moved = under_our_feet(journal.plan, now, expected)
            if not moved:
                found.append(index)
                return ()
            first = first or moved
        return first

    moved = _settled(fits, hands.pause)
    if moved:
        raise _changed(list(moved), "since the apply was broken off")
    return found[0]


def _states_from(journal: Journal) -> Iterator[Estate]:
    """What the calls make of what existed, from the last call that is known to have worked."""
    estate = journal.plan.existing
    for index, call in enumerate(journal.plan.calls):
        if index >= journal.done:
            yield estate
        estate = after(estate, call)
    yield estate


def _settled(differences: Callable[[], Sequence[str]], pause: Callable[[float], None]) -> Sequence[str]:
    """Look until there is no difference, as long as AWS may need (D-43): what is left then."""
    wait, waited = 0.1, 0.0
    while True:
        left = differences()
        if not left or waited >= SETTLES_S:
            return left
        pause(wait)
        waited += wait
        wait = min(wait * 2, 5.0)


def _changed(moved: Sequence[str], when: str) -> OutsideError:
    shown = ", ".join(moved[:3]) + (f" and {len(moved) - 3} more" if len(moved) > 3 else "")
    return OutsideError(f"what exists has changed {when}: {shown}", remedy="look who did that, then make a new plan: sekisho plan FILE")
