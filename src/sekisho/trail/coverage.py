"""What a trail covers and what it doesn't: accounts, Regions, days, and the holes in them. A trail that says nothing proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise

from sekisho.trail.engines import Connection, rows_of
from sekisho.trail.store import Part

CHANCE = 0.015
"""A run of days without events is a hole where chance alone would leave it this rarely, given how often the account and Region have any."""

OFTEN = 0.5
"""Where fewer than this share of the days have events, a hole can't be told from a quiet time."""


@dataclass(frozen=True)
class Hole:
    """Days without a single event where there should be some."""

    account: str
    region: str
    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def __str__(self) -> str:
        when = f"{self.first}" if self.days == 1 else f"{self.first} to {self.last} ({self.days} days)"
        return f"{self.account} {self.region}: no events {when}"


@dataclass
class Coverage:
    """``first`` and ``last`` event; events by account and Region; holes; accounts of the estate that the trail doesn't have."""

    events: int = 0
    first: datetime | None = None
    last: datetime | None = None
    accounts: dict[str, dict[str, int]] = field(default_factory=dict)
    """account → Region → events"""
    days: int = 0
    quiet_days: int = 0
    """Days, counted by account and Region, without events but within what chance explains."""
    quiet_pairs: int = 0
    """Accounts and Regions with so few events that a hole can't be told from a quiet time."""
    holes: list[Hole] = field(default_factory=list)
    missing_accounts: list[str] = field(default_factory=list)
    without_global: list[str] = field(default_factory=list)
    """Accounts without any event of us-east-1, where IAM and the global sign-in are recorded (G-14)."""
    data_events: int = 0
    seen: list[tuple[str, str, date, int]] = field(default_factory=list, repr=False)
    """(account, Region, day, events), any number of times"""
    set_aside: int = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is known to be missing. It can't be known that nothing is."""
        return bool(self.events) and not self.holes and not self.missing_accounts and not self.without_global and not self.set_aside

    @property
    def gaps(self) -> list[str]:
        """What is missing, in words."""
        found = [] if self.events else ["the trail has no events at all"]
        found += [f"account {a} is in the estate, and has no events" for a in self.missing_accounts]
        found += [f"account {a} has no events of us-east-1, where IAM and sign-ins are recorded (G-14)" for a in self.without_global]
        found += [str(h) for h in self.holes]
        if self.set_aside:
            found.append(f"{self.set_aside} records or files were set aside when they were read")
        return found


COVERAGE = """
    SELECT coalesce(r.account, '?') AS account, coalesce(r.region, '?') AS region, CAST(o.event_time AS DATE) AS day, count(*) AS events,
           min(o.event_time) AS first, max(o.event_time) AS last, count(*) FILTER (WHERE r.category = 'Data') AS data_events
    FROM own o JOIN requests r ON r.request = o.request GROUP BY 1, 2, 3"""


def coverage_of(
    connection: Connection, accounts: Iterable[str] = (), set_aside: int = 0, parts: Sequence[Part] | None = None
) -> Coverage:
    """The coverage of the view ``events``; ``accounts``: those that should be in it. ``parts``: what the log says of them, where all are asked."""
    if parts is not None:
        return _counted(_of_parts(parts, set_aside), accounts)
    found = Coverage(set_aside=set_aside)
    rows = sorted(rows_of(connection, COVERAGE), key=lambda r: (r["account"], r["region"], r["day"]))
    found.events = sum(r["events"] for r in rows)
    found.first = min((r["first"] for r in rows), default=None)
    found.last = max((r["last"] for r in rows), default=None)
    found.data_events = sum(r["data_events"] for r in rows)
    found.seen = [(r["account"], r["region"], r["day"], r["events"]) for r in rows]
    return _counted(found, accounts)


def _of_parts(parts: Sequence[Part], set_aside: int) -> Coverage:
    found = Coverage(set_aside=set_aside)
    held = [p for p in parts if p.rows]
    found.events = sum(p.rows for p in held)
    found.first = min((p.first for p in held if p.first is not None), default=None)
    found.last = max((p.last for p in held if p.last is not None), default=None)
    found.data_events = sum(p.data_events for p in held)
    found.seen = [row for p in held for row in p.days]
    return found


def _counted(found: Coverage, accounts: Iterable[str]) -> Coverage:
    seen: dict[tuple[str, str], dict[date, int]] = {}
    for account, region, day, count in found.seen:
        days = seen.setdefault((account, region), {})
        days[day] = days.get(day, 0) + count
    for (account, region), days in seen.items():
        found.accounts.setdefault(account, {})[region] = sum(days.values())
    if found.first is not None and found.last is not None:
        start, end = found.first.date(), found.last.date()
        found.days = (end - start).days + 1
        for (account, region), days in seen.items():
            _find_holes(found, account, region, set(days), start, end)
    wanted = set(accounts)
    found.missing_accounts = sorted(wanted - set(found.accounts))
    if wanted:
        found.without_global = sorted(a for a in wanted & set(found.accounts) if "us-east-1" not in found.accounts[a])
    found.holes.sort(key=lambda h: (h.account, h.region, h.first))
    return found


def _find_holes(found: Coverage, account: str, region: str, days: set[date], start: date, end: date) -> None:
    one = timedelta(1)
    runs = [(a + one, b - one) for a, b in pairwise([start - one, *sorted(days), end + one]) if b - a > one]
    total = (end - start).days + 1
    longest = max(((last - first).days + 1 for first, last in runs), default=0)
    if len(days) / max(total - longest, 1) < OFTEN:
        found.quiet_pairs += 1
        found.quiet_days += total - len(days)
        return
    for first, last in runs:
        length = (last - first).days + 1
        # How often there are events on the other days; never quite always.
        share = (len(days) + 1) / (total - length + 2)
        if (1 - share) ** length < CHANCE:
            found.holes.append(Hole(account, region, first, last))
        else:
            found.quiet_days += length
