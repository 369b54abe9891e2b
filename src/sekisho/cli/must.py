"""What ``check`` prints of the invariants of a ``sekisho.yaml``: the contract's ``must``, and a line each for the eye."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekisho.cli.asking import can_command
from sekisho.language import Language, Text, phrase, say, spoken

if TYPE_CHECKING:
    from sekisho.environment import Environment
    from sekisho.estate import Estate
    from sekisho.proof.invariants import Held


def held(environment: Environment, estate: Estate) -> tuple[Held, ...]:
    """The file's invariants, proved of the estate that it compiles to."""
    from sekisho.environment import invariants
    from sekisho.proof.invariants import check_invariants

    return check_invariants(invariants(environment), estate) if environment.wanted.must else ()


def must_json(found: Sequence[Held], estate: Estate, file: str | Path, language: Language) -> list[dict[str, Any]]:
    """``[{"name", "holds", "witness", …}]``; ``witness`` is a request as ``decide --cases`` takes it, ``command`` asks for it again."""
    return [
        {
            "name": spoken(h.invariant.name, language), "holds": h.holds, "witness": request_json(h.witness) if h.witness else None,
            "said": [spoken(d.said, language) for d in h.invariant.demands], "failed": spoken(h.failed.said, language) if h.failed else None,
            "why": spoken(h.reason, language) or None,
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


def must_lines(found: Sequence[Held], estate: Estate, file: str | Path, language: Language) -> list[str]:
    """A line for each invariant; where it doesn't hold what breaks it, and the command that shows it."""
    lines = []
    for h in found:
        lines.append(say("must.line", {"head": phrase(f"must.{h.holds}"), "name": h.invariant.name}, language))
        if h.failed is not None:
            why: Text = phrase("must.but", why=h.reason) if h.holds is False else h.reason
            text = why if h.failed.said == h.invariant.name or spoken(h.failed.said) == h.name else phrase("must.failed", said=h.failed.said, why=why)
            lines.append(f"  {spoken(text, language)}" + (f" ({h.invariant.place})" if h.invariant.place else ""))
        if h.witness is not None:
            lines.append(f"  {can_command(h.witness, estate, file)}")
    return lines


def fails(found: Sequence[Held]) -> bool:
    """Whether some invariant doesn't surely hold."""
    return any(h.holds is not True for h in found)
