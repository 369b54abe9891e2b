"""A plan: what exists, what is wanted, and the changes between; made, shown in words, and kept in a file that isn't trusted blindly."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sekisho
from sekisho.deploy.calls import Call
from sekisho.deploy.changes import Change, Foreign, Sign, changes, foreign, shape
from sekisho.deploy.effect import outcome
from sekisho.errors import InputError, OutsideError, Place
from sekisho.estate import Estate, account_from_json, account_to_json
from sekisho.estate.aws_json import read_json
from sekisho.private_file import write_private

SCHEMA = "sekisho/plan/v1"
_NEEDED = ("account",)
"""What must have been read of an account before anything can be planned there."""


@dataclass(frozen=True)
class Plan:
    """``jump`` is the jump account's id, ``file`` the environment file it was made from, ``made`` when (ISO 8601, UTC).

    ``networks`` and ``vantage_points`` are the file's, by name: the addresses from which the lock-out guard asks.
    """

    existing: Estate
    wanted: Estate
    steps: tuple[Change, ...]
    jump: str
    exclusive: bool = False
    file: str = ""
    made: str = ""
    networks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vantage_points: Mapping[str, str] = field(default_factory=dict)

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(call for change in self.steps for call in change.calls)

    @property
    def foreign(self) -> tuple[Foreign, ...]:
        """What isn't the file's and stays."""
        return () if self.exclusive else foreign(self.existing, self.wanted)

    @property
    def counts(self) -> dict[str, int]:
        """How many changes by what they are: ``{"add": 3, "change": 1, "remove": 0}``."""
        names = {Sign.ADD: "add", Sign.CHANGE: "change", Sign.REMOVE: "remove"}
        return {name: sum(c.sign is sign for c in self.steps) for sign, name in names.items()}

    @cached_property
    def outcome(self) -> Estate:
        """What exists once the plan is carried out, foreign things among it."""
        return outcome(self.existing, self.steps)

    @property
    def ours(self) -> frozenset[str]:
        """The ARNs of what the plan makes or changes: ours while it runs, marked or not."""
        return frozenset(c.subject for c in self.steps)


def make_plan(
    existing: Estate, wanted: Estate, *, jump: str, exclusive: bool = False, file: str = "", networks: Mapping[str, Sequence[str]] | None = None,
    vantage_points: Mapping[str, str] | None = None, now: datetime | None = None,
) -> Plan:  # fmt: skip
    """The plan from ``existing`` to ``wanted``. Raises OutsideError where an account couldn't be read enough to plan for it."""
    for account in existing.accounts:
        for what, why in account.unread:
            if what in _NEEDED and wanted.account(account.id):
                raise OutsideError(
                    f"account {account.id} could not be read, so nothing can be planned there: {why}",
                    remedy="the credentials need iam:GetAccountAuthorizationDetails, as in AWS's policy SecurityAudit or IAMReadOnlyAccess",
                )
    made = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
    steps = changes(existing, wanted, exclusive=exclusive)
    return Plan(
        existing, wanted, steps, jump, exclusive, file, made, {k: tuple(v) for k, v in (networks or {}).items()}, dict(vantage_points or {})
    )


def nothing_of(wanted: Estate) -> Estate:
    """The same accounts with nothing of ours in them: what `destroy` wants. Alias and password policy are left as they are."""
    return Estate.of(
        replace(
            a, users=(), groups=(), roles=(), policies=(), alias=None, password_policy=None,
            sign_in=replace(a.sign_in, statements=(), enforced=False) if a.sign_in else None,
        )
        for a in wanted.accounts
    )  # fmt: skip


def under_our_feet(plan: Plan, now: Estate, expected: Estate | None = None) -> list[str]:
    """What of ours isn't as the plan (or ``expected``, a state on its way) has it: the ARNs."""
    before = shape(expected or plan.existing, plan.wanted, plan.ours if expected else frozenset())
    after = shape(now, plan.wanted, plan.ours if expected else frozenset())
    found: list[str] = []
    for account in before:
        one, other = before[account], after.get(account, {})
        found += [arn for arn in sorted({*one, *other}) if one.get(arn) != other.get(arn)]
    return found


# --- the file ------------------------------------------------------------------------------------------------------------


def estate_to_json(estate: Estate) -> dict[str, Any]:
    return {a.id: account_to_json(a) for a in estate.accounts}


def estate_from_json(body: Mapping[str, Any], file: str | None = None) -> Estate:
    return Estate.of(account_from_json(b, account_id=i, file=file) for i, b in body.items())


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as JSON, with a digest that tells whether anything in it was changed afterwards."""
    body = {
        "schema": SCHEMA, "sekisho": sekisho.__version__, "made": plan.made, "file": plan.file, "jump": plan.jump, "exclusive": plan.exclusive,
        "networks": {k: list(v) for k, v in plan.networks.items()}, "vantage_points": dict(plan.vantage_points),
        "changes": [
            {"account": c.account, "sign": c.sign.value, "subject": c.subject, "text": c.text, "calls": [k.to_json() for k in c.calls]}
            for c in plan.steps
        ],
        "existing": estate_to_json(plan.existing), "wanted": estate_to_json(plan.wanted),
    }  # fmt: skip
    return {**body, "digest": _digest(body)}


def plan_from_json(body: Any, file: str | None = None) -> Plan:
    """Read a plan back. Its changes are made anew from its estates and must be the same: a plan can't smuggle in a call."""
    if not isinstance(body, Mapping) or body.get("schema") != SCHEMA:
        found = body.get("schema") if isinstance(body, Mapping) else type(body).__name__
        raise InputError(
            f"not a plan of this version: {found!r}", place=Place(file), expected=SCHEMA, remedy="make it again: sekisho plan FILE --out PLANFILE"
        )
    rest = {k: v for k, v in body.items() if k != "digest"}
    if body.get("digest") != _digest(rest):
        raise InputError("the plan was changed after it was made", place=Place(file), expected="the file as `sekisho plan --out` wrote it",
                         remedy="make it again: sekisho plan FILE --out PLANFILE")  # fmt: skip
    try:
        existing, wanted = estate_from_json(body["existing"], file), estate_from_json(body["wanted"], file)
        steps = changes(existing, wanted, exclusive=bool(body["exclusive"]))
        listed = [c for change in body["changes"] for c in change["calls"]]
        networks = {k: tuple(v) for k, v in body["networks"].items()}
        plan = Plan(
            existing, wanted, steps, body["jump"], bool(body["exclusive"]), body["file"], body["made"], networks, dict(body["vantage_points"])
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(f"the plan can't be read: {error!r}", place=Place(file), remedy="make it again: sekisho plan FILE --out PLANFILE") from error
    if listed != [c.to_json() for c in plan.calls]:
        raise InputError(
            f"the plan's calls are not those that this version ({sekisho.__version__}) would make; it was made by {body.get('sekisho')}",
            place=Place(file), remedy="make it again: sekisho plan FILE --out PLANFILE",
        )  # fmt: skip
    return plan


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write_plan(plan: Plan, path: Path) -> None:
    """Write the plan, whole or not at all, readable by its owner only. Raises OutsideError."""
    write_private(path, json.dumps(plan_to_json(plan), indent=1, ensure_ascii=False) + "\n")


def read_plan(path: Path) -> Plan:
    """Raises InputError for what is no plan of ours, OutsideError where it can't be read."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", remedy="sekisho plan FILE --out PLANFILE writes one") from None
    except OSError as error:
        raise OutsideError(f"{path}: can't be read: {error.strerror}") from error
    body, _ = read_json(raw, str(path))
    return plan_from_json(body, str(path))
