"""Why something was refused: the layer and the statement that decided, with its text, the Allows that missed, and what would turn the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.responses import Response

from sekisho.decision import CredentialKind, Decision, Request
from sekisho.environment import Environment, compile_environment
from sekisho.errors import Place
from sekisho.estate import Estate, Group, Role, User
from sekisho.policy import Policy, Statement
from sekisho.policy.keys import spelled
from sekisho.policy.positions import Positions
from sekisho.proof.answer import Asked, ask
from sekisho.proof.words import Turn, turns
from sekisho.web.visit import Visit

_MOST_LINES = 150
"""A longer document is shown around the statement alone."""
_AROUND = 3
_MOST_SHOWN = 3
"""Documents of Allows that missed; the others are named."""


@dataclass(frozen=True)
class Line:
    number: int
    text: str
    is_marked: bool


@dataclass(frozen=True)
class Shown:
    """A statement that decided, in its document; ``origin`` is the line of sekisho.yaml that it was compiled from, with its neighbours."""

    layer: str
    policy: str
    statement: int
    sid: str
    effect: str
    lines: tuple[Line, ...]
    origin: Place | None
    origin_lines: tuple[Line, ...]


@dataclass(frozen=True)
class Missed:
    """An Allow that didn't match: which element, what the request had (None: absent) and what the statement wants."""

    layer: str
    policy: str
    statement: int
    sid: str
    element: str
    had: str | None
    wanted: str


async def show(visit: Visit) -> Response:
    refusal = visit.browser.refusals.get(visit.request.path_params["id"])
    if refusal is None:
        return visit.page("message.html", 404, title="why.gone", text="why.gone_text")
    decision = refusal.decision
    if decision is None:
        return visit.page("message.html", title="why.title", text="why.undecided", message=refusal.message)
    request = decision.request
    origins = _Origins(visit.console.environment)
    shown = [_shown(b.layer, b.document, b.block, decision, origins) for b in decision.because if b.block is not None and b.document is not None]
    missed = [
        Missed(
            _layer(m.layer, decision), m.policy, m.statement, m.sid, m.condition or m.element,
            m.had if m.had is None or isinstance(m.had, str) else ", ".join(m.had), ", ".join(m.wanted[:6]) + (", …" if len(m.wanted) > 6 else ""),
        )
        for m in decision.misses
    ]  # fmt: skip
    here = decision.layer and _layer(decision.layer, decision)
    near = [m for m in missed if m.layer == here] if decision.outcome != "explicit_deny" else []
    if decision.outcome == "implicit_deny":
        # An Allow that only its condition kept from matching is the one that was meant.
        meant = [m for m in decision.misses if m.layer == decision.layer and m.condition]
        shown = [_shown(m.layer, m.ready.policy, m.ready.statement, decision, origins) for m in meant[:_MOST_SHOWN]]
    context = sorted((spelled(k), v if isinstance(v, str) else ", ".join(v)) for k, v in decision.context.items())
    turned = turns_of(request, refusal.estate, visit.console.networks.places)
    return visit.page(
        "why.html", refusal=refusal, decision=decision, layer=here, shown=shown, turns=turned, missed=near,
        elsewhere=[m for m in missed if m not in near], context=context, request=request,
    )  # fmt: skip


def _layer(layer: str, decision: Decision) -> str:
    """A layer's name in the catalogue; a role's resource policy is its trust policy."""
    return "trust" if layer == "resource" and decision.request.action.lower().startswith("sts:assumerole") else layer


def turns_of(request: Request, estate: Estate, places: Mapping[str, str]) -> tuple[Turn, ...]:
    """The fewest changes of a refused request that would make it allowed; none where no change does. Asked of the proof, over all that can be
    sent. ``places``: name → address of those that are named rather than others."""
    kind = request.credentials
    mfa = None if kind in (CredentialKind.KEY, CredentialKind.ROOT, None) else request.context.get("aws:multifactorauthpresent") == "true"
    asked = Asked(
        request.principal, request.action, request.resource, request.resource_account, kind, mfa, context=dict(request.context), exact=True
    )
    changes = ask(asked, estate, liked={"aws:sourceip": tuple(places.values())}).flips
    return tuple(turns(changes, {address: name for name, address in places.items()})) if changes else ()


# --- documents -----------------------------------------------------------------------------------------------------------


def _shown(layer: str, document: Policy, block: Statement, decision: Decision, origins: _Origins) -> Shown:
    origin, origin_lines = origins.of(document, block)
    return Shown(
        _layer(layer, decision), document.name, block.index, block.sid, block.effect, _marked(document, block), origin, origin_lines
    )


def _marked(document: Policy, block: Statement) -> tuple[Line, ...]:
    text = json.dumps(document.document, indent=2, ensure_ascii=False)
    at = Positions(text).of(block.pointer)
    lines = text.splitlines()
    if at is None:
        return tuple(Line(i, line, False) for i, line in enumerate(lines[:_MOST_LINES], 1))
    statements = document.document["Statement"]
    own = statements[block.index] if isinstance(statements, list) else statements
    first, last = at[0], at[0] + json.dumps(own, indent=2, ensure_ascii=False).count("\n")
    found = [Line(i, line, first <= i <= last) for i, line in enumerate(lines, 1)]
    return tuple(found if len(found) <= _MOST_LINES else found[max(0, first - 1 - _AROUND) : last + _AROUND])


class _Origins:
    """From a policy as the accounts hold it back to the lines of the file that it was compiled from: the same statements, the same lines."""

    def __init__(self, environment: Environment | None) -> None:
        self.environment = environment
        self._policies: dict[str, Policy] = {}
        if environment is None:
            return
        for account in compile_environment(environment).accounts:
            holders: list[User | Group | Role] = [*account.users, *account.groups, *account.roles]
            policies = [p.policy for p in account.policies] + [p for h in holders for p in h.inline] + [r.trust for r in account.roles]
            self._policies.update({_text(p): p for p in policies if p is not None})

    def of(self, document: Policy, block: Statement) -> tuple[Place | None, tuple[Line, ...]]:
        compiled = self._policies.get(_text(document))
        origin = compiled.statements[block.index].origin if compiled is not None else None
        if origin is None or origin.line is None or self.environment is None:
            return origin, ()
        lines = self.environment.lines
        around = range(max(1, origin.line - 1), min(len(lines), origin.line + 1) + 1)
        return origin, tuple(Line(i, lines[i - 1], i == origin.line) for i in around)


def _text(policy: Policy) -> str:
    return json.dumps(policy.normalised(), sort_keys=True)
