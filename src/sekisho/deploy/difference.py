"""The access difference of a plan in sentences: who gains, who loses, from where. Proved, not guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sekisho.deploy.turns import only_denies
from sekisho.estate import Account, Estate, Group, Role, User
from sekisho.policy import Policy


def sentences(old: Estate, new: Estate, networks: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """One sentence for each gain and loss, networks by their names where ``networks`` has them; empty where nothing changes for anyone.

    Who gets into which role, from where its sessions work, and who can sign in are proved. What else a principal's policies say is told by the
    policies themselves: `sekisho diff` compares them action by action, which takes its time.
    """
    from sekisho.proof import difference

    said = list(difference(old, new, networks=networks, actions=False).sentences)
    for account in new.accounts:
        before = old.account(account.id) or Account(account.id)
        said += _rights(account, (*before.groups, *before.roles, *before.users), (*account.groups, *account.roles, *account.users))
    return said


def _rights(account: Account, before: Iterable[User | Group | Role], after: Iterable[User | Group | Role]) -> Iterable[str]:
    """For each principal that stays: which of its policies that allow something come, go, or are put in place of another."""
    now = {p.arn: p for p in after}
    for old in before:
        new = now.get(old.arn)
        if new is None:
            continue
        one, other = _allowing(old), _allowing(new)
        told = [f"gets {n}" for n in other if n not in one] + [f"loses {n}" for n in one if n not in other]
        told += [f"{n} is another" for n in one if n in other and not _same(one[n], other[n])]
        kind = "group" if isinstance(old, Group) else "role" if isinstance(old, Role) else "user"
        name = f"{kind} {account.name}/{old.name}" if kind == "role" and account.name else f"{kind} {old.name}"
        if told:
            yield f"{name}: may do other things: {', '.join(told)}"
        if isinstance(old, Role) and isinstance(new, Role) and old.max_session_s != new.max_session_s:
            yield f"{name}: sessions last {new.max_session_s / 3600:g} h at most, was: {old.max_session_s / 3600:g} h"


def _allowing(holder: User | Group | Role) -> dict[str, Policy | None]:
    """A principal's policies by name, but for those that only deny: those say from where, which is proved."""
    held: dict[str, Policy | None] = {a.name: a.policy for a in holder.attached}
    held.update({p.name: p for p in holder.inline})
    return {n: p for n, p in held.items() if p is None or not only_denies(p)}


def _same(one: Policy | None, other: Policy | None) -> bool:
    return one is other or (one is not None and other is not None and one.same_as(other))
