"""Principals in trust policies stand for unique ids (A-31): resolved when a trust is saved, shown anew when what they name changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sekisho.errors import PolicyError
from sekisho.estate import Role, User
from sekisho.policy import Policy, PolicyKind, check_policy
from sekisho.policy.quotas import policy_size
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.iam.entities import ROLE, USER
from sekisho.sandbox.iam.names import check_quota, policy_fault
from sekisho.sandbox.store import Store


def trust_policy(store: Store, text: str) -> Policy:
    """A trust policy as it is saved: checked, of allowed size, each principal one that exists. Raises AwsFault with AWS's text."""
    try:
        checked = check_policy(text, PolicyKind.TRUST, name="trust policy")
    except PolicyError as error:
        raise policy_fault(error) from None
    check_quota("trust_policy_size", policy_size(text))
    return _rewritten(checked, lambda entry: _as_saved(store, entry))


def rename_in_trusts(store: Store, was: str, now: str) -> None:
    """Every trust of every account that names ``was`` shows ``now``: another ARN after a rename, the bare unique id after a deletion."""
    for account in list(store.accounts.values()):
        roles = tuple(_renamed(role, was, now) for role in account.roles)
        if any(new is not old for new, old in zip(roles, account.roles, strict=True)):
            store.save(replace(account, roles=roles))


def _renamed(role: Role, was: str, now: str) -> Role:
    if not any(p is not None and was in p.aws for s in role.trust.statements for p in (s.principal, s.not_principal)):
        return role
    return replace(role, trust=_rewritten(role.trust, lambda entry: now if entry == was else entry))


def _as_saved(store: Store, entry: str) -> str:
    """How AWS shows an entry once it is saved: an account's id as its root, a living unique id as its ARN."""
    if entry.isdigit():
        return f"arn:aws:iam::{entry}:root"
    if entry.startswith(("AIDA", "AROA")):
        living = {e.id: e.arn for kind in (USER, ROLE) for a in store.accounts.values() for e in kind.all(a)}
        if entry not in living:
            raise _invalid(entry)
        return str(living[entry])
    parts = entry.split(":", 5)
    # A user or role that was just made can't be named before it is known everywhere (D-43).
    account = store.in_force(parts[4]) if len(parts) == 6 and parts[4] in store.accounts else None
    if account is None or parts[2] != "iam":
        return entry  # "*", a session, or of an account that isn't here and so can't be looked up
    kind, _, tail = parts[5].partition("/")
    name = tail.rpartition("/")[2]
    entity: User | Role | None = account.user(name) if kind == "user" else account.role(name) if kind == "role" else None
    if kind in ("user", "role") and (entity is None or entity.arn != entry):
        raise _invalid(entry)
    return entry


def _invalid(entry: str) -> AwsFault:
    return AwsFault("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{entry}"')


def _rewritten(policy: Policy, change: Callable[[str], str]) -> Policy:
    """The policy with each AWS principal changed; the same value where nothing changes."""
    body = policy.document["Statement"]
    blocks = [_changed(b, change) for b in (body if isinstance(body, list) else [body])]
    document = {**policy.document, "Statement": blocks if isinstance(body, list) else blocks[0]}
    return policy if document == policy.document else Policy.parse(document, kind=policy.kind, name=policy.name, arn=policy.arn)


def _changed(block: Mapping[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    result = dict(block)
    for element in ("Principal", "NotPrincipal"):
        named = result.get(element)
        if isinstance(named, Mapping) and "AWS" in named:
            entries = named["AWS"]
            result[element] = {**named, "AWS": [change(e) for e in entries] if isinstance(entries, list) else change(entries)}
    return result
