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
    """For each principal that stays: what its policies and its boundary have become. A role that is made anew has no sessions any more."""
    now = {(type(p), p.name): p for p in after}
    for old in before:
        new = now.get((type(old), old.name))
        if new is None:
            continue
        kind = "group" if isinstance(old, Group) else "role" if isinstance(old, Role) else "user"
        name = f"{kind} {account.name}/{old.name}" if kind == "role" and account.name else f"{kind} {old.name}"
        one, other = _allowing(old), _allowing(new)
        gets, loses = [n for n in other if n not in one], [n for n in one if n not in other]
        changed = [n for n in one if n in other and not _same(one[n], other[n])]
        told = [f"gets {_policies(gets)}"] if gets else []
        told += [f"loses {_policies(loses)}"] if loses else []
        told += [f"{_policies(changed)} {'allow' if len(changed) > 1 else 'allows'} other things than before"] if changed else []
        if told:
            yield f"{name}: {'; '.join(told)}"
        if isinstance(old, Group) or isinstance(new, Group):
            continue
        if not _same_boundary(old, new):
            was, by = old.boundary, new.boundary
            limit = f"may do no more than its boundary {by.name} allows" if by else "is no longer limited by a boundary"
            yield f"{name}: {limit}" + (f" (was: {was.name})" if was else "")
        if isinstance(old, Role) and isinstance(new, Role):
            if old.arn != new.arn:
                yield f"{name}: is made anew at {new.path}, so its sessions end and whoever names it by its ARN has to name it anew"
            if old.max_session_s != new.max_session_s:
                yield f"{name}: sessions last {new.max_session_s / 3600:g} h at most, was: {old.max_session_s / 3600:g} h"


def _policies(names: Sequence[str]) -> str:
    return f"{'policies' if len(names) > 1 else 'policy'} {', '.join(names)}"


def _same_boundary(old: User | Role, new: User | Role) -> bool:
    if old.boundary is None or new.boundary is None:
        return old.boundary is new.boundary
    return old.boundary.arn == new.boundary.arn and _same(old.boundary.policy, new.boundary.policy)


def _allowing(holder: User | Group | Role) -> dict[str, Policy | None]:
    """A principal's policies by name, but for those that only deny: those say from where, which is proved."""
    held: dict[str, Policy | None] = {a.name: a.policy for a in holder.attached}
    held.update({p.name: p for p in holder.inline})
    return {n: p for n, p in held.items() if p is None or not only_denies(p)}


def _same(one: Policy | None, other: Policy | None) -> bool:
    return one is other or (one is not None and other is not None and one.same_as(other))
