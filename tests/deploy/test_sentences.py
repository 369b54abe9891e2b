"""What a plan says first: who gains, who loses, and what became of their rights, as a person would write it (issue 5, point 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from sekisho import compile_environment
from sekisho.deploy.difference import sentences
from sekisho.deploy.guard import guard
from sekisho.deploy.plan import Plan, make_plan
from sekisho.environment import parse_environment

COMPANY = (Path(__file__).parents[2] / "src/sekisho/environment/examples/company.yaml").read_text(encoding="utf-8")
ADMIN = "policies: [arn:aws:iam::aws:policy/AdministratorAccess]\n        trusts: {groups: [platform]}"
SAID: dict[str, tuple[tuple[str, str], list[str]]] = {
    "a boundary takes rights": (
        (ADMIN, ADMIN.replace("\n", "\n        boundary: arn:aws:iam::aws:policy/PowerUserAccess\n", 1)),
        [f"role {a}/admin: may do no more than its boundary PowerUserAccess allows" for a in ("shared-services", "development", "staging", "production")],
    ),
    "a role's path": (
        ("      developer:\n", "      developer:\n        path: /ops/\n"),
        ["role development/developer: is made anew at /ops/, so its sessions end and whoever names it by its ARN has to name it anew"],
    ),
    "longer sessions": (("max_duration: 1h", "max_duration: 2h"), ["role development/admin: sessions last 2 h at most, was: 1 h"]),
    "another policy": (("/PowerUserAccess", "/ReadOnlyAccess"), ["role development/developer: gets policy ReadOnlyAccess; loses policy PowerUserAccess"]),
    "a second break-glass user": (
        ("users: [break-glass-1]", "users: [break-glass-1, break-glass-2]"), ["break-glass-2: gains shared-services/break-glass from anywhere with MFA"],
    ),
}  # fmt: skip


def planned(*edit: str) -> Plan:
    old, new = edit
    assert old in COMPANY
    environment = parse_environment(COMPANY.replace(old, new, 1) if "/platform/" not in old else COMPANY.replace(old, new))
    return make_plan(
        compile_environment(parse_environment(COMPANY)), compile_environment(environment), jump=environment.jump,
        networks=environment.wanted.networks, vantage_points=environment.vantage_points,
    )  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_said(name: str) -> None:
    edit, wanted = SAID[name]
    plan = planned(*edit)
    said = sentences(plan.existing, plan.outcome, plan.networks)
    assert [s for s in wanted if s not in said] == [], said


def test_administrators_move_to_another_path() -> None:
    """Trusts that tell users by their path let them in at both while they move: nobody's way breaks, and the guard agrees."""
    plan = planned("/platform/", "/ops-team/")
    assert sentences(plan.existing, plan.outcome, plan.networks) == []
    verdict = guard(plan)
    assert verdict.refusals == () and verdict.ways > 0 and verdict.states > 0
    texts = [c.text for c in plan.steps if c.account in ("111122223333", "555566667777")]
    first, last = texts.index("role admin: trust policy: users at their new path, too"), texts.index("role admin: trust policy")
    assert first < texts.index("user sato: path /platform/ → /ops-team/") < last
    # A trust that names users holds them by their ids: nothing to do there.
    assert not any("operator" in t for t in texts)
