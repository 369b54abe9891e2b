"""What ``check`` prints of the invariants of a ``sekisho.yaml``: the contract's ``must``, and a line each for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekisho.cli.asking import can_command

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.proof.invariants import Held


def held(environment: Environment, estate: Estate) -> tuple[Held, ...]:
    """The file's invariants, proved of the estate that it compiles to."""
    from sekisho.environment import invariants
    from sekisho.proof.invariants import check_invariants

    return check_invariants(invariants(environment), estate) if environment.wanted.must else ()


def must_json(found: Sequence[Held], estate: Estate, file: str | Path) -> list[dict[str, Any]]:
    """``[{"name", "holds", "witness", …}]``; ``witness`` is a request as ``decide --cases`` takes it, ``command`` asks for it again."""
    return [
        {
            "name": h.name, "holds": h.holds, "witness": request_json(h.witness) if h.witness else None,
            "said": [d.said for d in h.invariant.demands], "failed": h.failed.said if h.failed else None, "why": h.why or None,
            "command": can_command(h.witness, estate, file) if h.witness else None, "place": str(h.invariant.place) if h.invariant.place else None,
        }
        for h in found
    ]  # fmt: skip


def request_json(request: Any) -> dict[str, Any]:
    """A request as the contract of ``decide --cases`` has it."""
    found = {"principal": request.principal, "action": request.action, "resource": request.resource, "context": dict(request.context)}
    if request.resource_account:
        found["resource_account"] = request.resource_account
    return found


def must_lines(found: Sequence[Held], estate: Estate, file: str | Path) -> list[str]:
    """A line for each invariant; where it doesn't hold what breaks it, and the command that shows it."""
    lines = []
    for h in found:
        head = {True: "holds", False: "broken", "unknown": "not known"}[h.holds]
        lines.append(f"{head}: {h.name}")
        if h.failed is not None:
            at = f" ({h.invariant.place})" if h.invariant.place else ""
            said = f"{h.failed.said}, " if h.failed.said != h.name else ""
            lines.append(f"  {said}{'but ' if h.holds is False else ''}{h.why}{at}")
        if h.witness is not None:
            lines.append(f"  {can_command(h.witness, estate, file)}")
    return lines


def fails(found: Sequence[Held]) -> bool:
    """Whether some invariant doesn't surely hold."""
    return any(h.holds is not True for h in found)
