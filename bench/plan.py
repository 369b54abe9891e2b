"""`sekisho plan` of 1,000 users, 200 roles and 50 accounts without the calls: read, compile, changes, the lock-out guard, who gains and loses.

There is no peer that does as much: `terraform plan` of the same estate compares resources, and says nothing of access. The floor is the issue's: 20 s
on two cores; processor time of one is measured, so that another load on the machine doesn't count.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from measuring import Report, Row

from sekisho.deploy.difference import sentences
from sekisho.deploy.guard import guard
from sekisho.deploy.plan import Plan, make_plan, nothing_of
from sekisho.environment import compile_environment, load_environment

USERS, ROLES, ACCOUNTS, GROUPS = 1000, 200, 50, 80
FLOOR_S = 20.0


def text(*, networks: str = "tokyo, vpn", mover: int = -1, policy: str = "ReadOnlyAccess") -> str:
    """An environment of that size. Each group has a user list, and every role a group that it trusts, in one of the three forms."""
    lines = [
        "version: 1", "networks: {tokyo: [203.0.113.0/24, '2001:db8:1::/48'], osaka: [198.51.100.0/25], vpn: [192.0.2.7/32]}",
        f'jump: {{account: "100000000000", networks: [{networks}], mfa: {{max_age: 8h}}}}', "groups:",
        "  admins: {path: /admins/, users: [root-admin]}", "  break-glass: {users: [glass], networks: anywhere}",
    ]  # fmt: skip
    for g in range(GROUPS):
        members = [f"u{i:04}" for i in range(USERS) if (i % GROUPS if i != mover else (i + 1) % GROUPS) == g]
        lines.append(f"  team-{g}: {{path: /team-{g}/, users: [{', '.join(members)}]}}")
    lines.append("accounts:")
    for a in range(ACCOUNTS):
        lines += [f"  account-{a}:", f'    id: "{200000000000 + a}"', "    roles:",
                  "      admin: {policies: [arn:aws:iam::aws:policy/AdministratorAccess], trusts: {groups: [admins, break-glass]}}"]  # fmt: skip
        for r in range(ROLES // ACCOUNTS - 1):
            group = (a * (ROLES // ACCOUNTS - 1) + r) % GROUPS
            named = policy if (a, r) == (7, 0) else "ReadOnlyAccess"
            own = ", networks: [osaka, tokyo]" if r == 1 else ""
            lines.append(f"      role-{r}: {{policies: [arn:aws:iam::aws:policy/{named}], trusts: {{groups: [team-{group}]}}{own}}}")
    return "\n".join(lines) + "\n"


CASES = {
    "nothing to do": (text(), text()),
    "a user changes teams": (text(), text(mover=17)),
    "a role gets another policy": (text(), text(policy="job-function/ViewOnlyAccess")),
    "everybody's networks are narrowed": (text(), text(networks="tokyo")),
    "all is new": ("", text()),
}


def measure(old: str, new: str, folder: Path) -> tuple[Plan, dict[str, float], int]:
    parts: dict[str, float] = {}

    def timed(name: str, run: Callable[[], object]) -> object:
        start = time.process_time()
        found = run()
        parts[name] = time.process_time() - start
        return found

    file = folder / "sekisho.yaml"
    file.write_text(old or new)
    existing = compile_environment(load_environment(file))
    existing = existing if old else nothing_of(existing)
    file.write_text(new)
    environment = timed("read", lambda: load_environment(file))
    wanted = timed("compile", lambda: compile_environment(environment))  # type: ignore[arg-type]
    plan = timed("changes", lambda: make_plan(
        existing, wanted, jump=environment.jump, networks=environment.wanted.networks,  # type: ignore[arg-type, attr-defined]
        vantage_points=environment.vantage_points))  # type: ignore[attr-defined] # fmt: skip
    assert isinstance(plan, Plan)
    callers = {a.id: f"arn:aws:sts::{a.id}:assumed-role/admin/me" for a in existing.accounts[1:]} if old else {}
    timed("guard", lambda: guard(plan, callers=callers, address="203.0.113.9"))
    said = timed("access", lambda: sentences(plan.existing, plan.outcome, plan.networks) if plan.steps else [])
    return plan, parts, len(said)  # type: ignore[arg-type]


def main() -> int:
    report = Report("plan", f"Planning for {USERS:,} users, {ROLES} roles, {ACCOUNTS} accounts, without the calls (processor time of one core)")
    with tempfile.TemporaryDirectory() as folder:
        for name, (old, new) in CASES.items():
            plan, parts, said = measure(old, new, Path(folder))
            report.rows.append(Row(name, sum(parts.values()), unit="s", limit=FLOOR_S))
            shown = ", ".join(f"{part} {took:.2f} s" for part, took in parts.items())
            report.notes.append(f"{name}: {len(plan.calls)} calls to make, {said} sentences; {shown}")
            report.figures.setdefault("parts", {})[name] = parts
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
