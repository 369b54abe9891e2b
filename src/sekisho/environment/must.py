"""``must`` of ``sekisho.yaml`` as invariants of the estate: groups as the ARNs of their users, networks as CIDRs, role patterns as ARNs;
and ``accepted``: which findings are, on a given day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sekisho.environment.model import Accepted, ActionMust, RoleMust, SignInMust, Who
from sekisho.errors import Place
from sekisho.language import Joined, Language, Text, phrase, say
from sekisho.policy.pattern import Pattern

if TYPE_CHECKING:
    from sekisho.environment.file import Environment, RoleWanted
    from sekisho.proof.invariants import Demand, Invariant


def roles_matching(environment: Environment, pattern: str) -> tuple[RoleWanted, ...]:
    """The roles of the file that ``account/name`` or a name alone, with * for any, means."""
    wanted = Pattern.glob(pattern)
    return tuple(r for r in environment.roles if wanted.matches(f"{r.account_label}/{r.name}" if "/" in pattern else r.name))


def invariants(environment: Environment) -> tuple[Invariant, ...]:
    """What ``must`` asks for, in order, to give to ``check_invariants``."""
    from sekisho.proof.invariants import Invariant

    found = []
    for i, must in enumerate(environment.wanted.must):
        demands = tuple(_demands(environment, must))
        found.append(Invariant(must.name or Joined(tuple(d.said for d in demands), "semicolon"), demands, environment.place(("must", i))))
    return tuple(found)


def _demands(environment: Environment, must: RoleMust | ActionMust | SignInMust) -> Iterator[Demand]:
    from sekisho.proof.invariants import BreakGlass, FirstSignIn, OnlyDo, OnlyFor, OnlyFrom, OnlyWithMfa, SessionsOnlyFrom

    if isinstance(must, ActionMust):
        accounts = {"jump": environment.jump, **{label: a.id for label, a in environment.wanted.accounts.items()}}
        listed = tuple(accounts.values()) if must.account == "*" else (accounts[must.account],)
        where = phrase("must.any_account") if must.account == "*" else must.account
        said = phrase("must.do", who=_named(must.only_for), action=must.action, account=where)
        yield OnlyDo(said, must.action, listed, frozenset(_arns(environment, must.only_for)))
    elif isinstance(must, SignInMust):
        everybody = must.first_sign_in == "everybody"
        users = tuple(map(environment.user_arn, environment.users)) if everybody else _arns(environment, must.first_sign_in)
        who = phrase("must.everybody") if isinstance(must.first_sign_in, str) else _named(must.first_sign_in)
        yield FirstSignIn(phrase("must.first", who=who), users)
    else:
        roles, name = tuple(r.arn for r in roles_matching(environment, must.role)), must.role
        if must.only_for is not None:
            said = phrase("must.for", who=_named(must.only_for), role=name)
            yield OnlyFor(said, roles, frozenset(_arns(environment, must.only_for)))
        if must.only_from is not None:
            said = phrase("must.from", role=name, networks=Joined(tuple(must.only_from)))
            yield OnlyFrom(said, roles, environment.cidrs(must.only_from))
        if must.only_with_mfa is not None:
            yield OnlyWithMfa(phrase("must.mfa", role=name), roles)
        if must.sessions_only_from is not None:
            said = phrase("must.sessions", role=name, networks=Joined(tuple(must.sessions_only_from)))
            yield SessionsOnlyFrom(said, roles, environment.cidrs(must.sessions_only_from))
        if must.break_glass is not None:
            said = phrase("must.break_glass", who=_named(must.break_glass), role=name)
            yield BreakGlass(said, roles, _arns(environment, must.break_glass))


def users_of(environment: Environment, who: Who) -> tuple[str, ...]:
    """The names of the users that are meant, each once."""
    return tuple(dict.fromkeys([u for g in who.groups for u in environment.wanted.groups[g].users] + list(who.users)))


def _arns(environment: Environment, who: Who | str) -> tuple[str, ...]:
    return tuple(map(environment.user_arn, users_of(environment, who))) if isinstance(who, Who) else ()


def _named(who: Who) -> Text:
    return Joined((*who.groups, *who.users))


@dataclass(frozen=True)
class Acceptance:
    """An entry of ``accepted`` that is about a finding. ``expired``: its last day is over, and it accepts nothing any more."""

    entry: Accepted
    place: Place
    expired: bool

    def to_json(self) -> dict[str, str]:
        """The contract's ``accepted`` of a finding."""
        return {"reason": self.entry.reason, "until": self.entry.until.isoformat()}

    def said(self, language: Language = "en") -> str:
        """That it has expired, or until when it holds."""
        entry = self.entry
        of: Text = phrase("accepted.of", finding=entry.finding, subject=entry.subject) if entry.subject else entry.finding
        values: dict[str, Text] = {"place": str(self.place), "finding": of, "until": str(entry.until), "reason": entry.reason}
        return say("accepted.expired" if self.expired else "accepted.until", values, language)

    def __str__(self) -> str:
        return self.said()


def acceptances(environment: Environment, today: date) -> tuple[Acceptance, ...]:
    """All entries of ``accepted`` as they are on a day."""
    return tuple(Acceptance(a, environment.place(("accepted", i)), a.until < today) for i, a in enumerate(environment.wanted.accepted))


def acceptance(environment: Environment, finding: str, subjects: Sequence[str], today: date) -> Acceptance | None:
    """What ``accepted`` says of a finding, ``subjects`` being its ARNs; one that holds before one that has expired. None: nothing."""
    fitting = [a for a in acceptances(environment, today) if a.entry.finding == finding and _is_about(environment, a.entry.subject, subjects)]
    return min(fitting, key=lambda a: a.expired, default=None)


def _is_about(environment: Environment, subject: str | None, arns: Sequence[str]) -> bool:
    if subject is None or subject in arns:
        return True
    labels = {a.id: label for label, a in environment.wanted.accounts.items()} | {environment.jump: "jump"}
    for arn in arns:
        parts = arn.split(":", 5)
        name = arn.rpartition("/")[2]
        if len(parts) == 6 and subject in (name, f"{parts[4]}/{name}", f"{labels.get(parts[4])}/{name}", parts[4], labels.get(parts[4])):
            return True
    return False
