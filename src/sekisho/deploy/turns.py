"""A policy document in place of another: whether it can give, whether it can take, and what both allow. Pure.

Told by the statements' spelling, always on the side of caution: what isn't seen to be narrower counts as wider too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sekisho.policy import Policy


def direction(old: Policy, new: Policy) -> tuple[bool, bool]:
    """Whether a document in place of another may allow more, and whether it may allow less: told by its statements, on the side of caution.

    Statements that differ in one list are compared by that list (more roles in an Allow: wider; more networks in a Deny outside them: wider);
    all else counts as one statement gone and another come.
    """
    before = list(old.normalised()["Statement"])
    after = list(new.normalised()["Statement"])
    common = [s for s in before if s in after]
    before = [s for s in before if s not in common]
    after = [s for s in after if s not in common]
    wider = narrower = False
    for statement in before:
        twin = next((s for s in after if _one_list_apart(statement, s) is not None), None)
        if twin is None:
            wider, narrower = wider or statement["Effect"] == "Deny", narrower or statement["Effect"] == "Allow"
            continue
        after.remove(twin)
        grows, shrinks = _one_list_apart(statement, twin) or (True, True)
        if statement["Effect"] == "Deny":
            grows, shrinks = shrinks, grows
        wider, narrower = wider or grows, narrower or shrinks
    for statement in after:
        wider, narrower = wider or statement["Effect"] == "Allow", narrower or statement["Effect"] == "Deny"
    return wider, narrower


def common(old: Policy, new: Policy) -> Policy | None:
    """A document that allows no more than either and all that both allow, as far as statements tell; None where it can't be said.

    The Allows that both have, those that differ in one list cut to what the lists share, and the Denies of both.
    """
    before, after = list(old.normalised()["Statement"]), list(new.normalised()["Statement"])
    kept: list[Mapping[str, Any]] = [s for s in before if s["Effect"] == "Deny"]
    kept += [s for s in after if s["Effect"] == "Deny" and s not in kept]
    allows = [s for s in after if s["Effect"] == "Allow"]
    for statement in (s for s in before if s["Effect"] == "Allow"):
        if statement in allows:
            allows.remove(statement)
            kept.append(statement)
            continue
        twin = next((s for s in allows if _one_list_apart(statement, s) is not None), None)
        shared = None if twin is None else _shared(statement, twin)
        if twin is None or shared is None:
            return None
        allows.remove(twin)
        kept.append(shared)
    if allows:
        return None
    seen: set[str] = set()
    for statement in kept:
        if statement.get("Sid", "") in seen:
            return None
        seen |= {statement["Sid"]} if "Sid" in statement else set()
    document = {"Version": new.document.get("Version", "2012-10-17"), "Statement": kept}
    return Policy.parse(document, kind=new.kind, name=new.name, arn=new.arn)


def _shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Two statements that differ in one list, with what the lists share; None where that is nothing, or the list says what is left out."""

    def both(a: Any, b: Any) -> Any:
        if isinstance(a, Mapping):
            return {k: both(a[k], b[k]) for k in a if k in b}
        if isinstance(a, list):
            return [v for v in a if v in b]
        return a

    result: Mapping[str, Any] = both(one, other)
    if any(not v for _, v in _lists(result, "")) or any("Not" in part for k, _ in _lists(result, "") for part in k.split("/")):
        return None
    return result


def _one_list_apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> tuple[bool, bool] | None:
    """Whether the statement applies to more, and to less, where the two differ in one list alone; None where they differ otherwise."""
    lists_one, lists_other = dict(_lists(one, "")), dict(_lists(other, ""))
    if lists_one.keys() != lists_other.keys() or one["Effect"] != other["Effect"]:
        return None
    apart = [k for k in lists_one if lists_one[k] != lists_other[k]]
    if len(apart) != 1:
        return None
    now, then = set(lists_one[apart[0]]), set(lists_other[apart[0]])
    grows, shrinks = bool(then - now), bool(now - then)
    negated = any(f"/{n}" in apart[0] for n in ("NotAction", "NotResource")) or "/Condition/Not" in apart[0] or "Not" in apart[0].split("/")[2:3]
    if apart[0].startswith("/Condition/") and not negated:
        operator = apart[0].split("/")[2]
        negated = "Not" in operator
        if "ForAllValues" in operator or "Null" in operator or "Numeric" in operator or "Date" in operator:
            return True, True
    return (shrinks, grows) if negated else (grows, shrinks)


def _lists(value: Any, pointer: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key != "Sid":
                yield from _lists(inner, f"{pointer}/{key}")
    else:
        yield pointer, tuple(value) if isinstance(value, list) else (str(value),)


def denies(policy: Policy) -> bool:
    return any(s.denies for s in policy.statements)


def only_denies(policy: Policy) -> bool:
    return all(s.denies for s in policy.statements)


def deny_first(policy: Policy | None) -> int:
    """The order of policies on one principal: Denies alone, then Denies with Allows, then Allows; what can't be read may be either."""
    if policy is None:
        return 1
    return 0 if only_denies(policy) else 1 if denies(policy) else 2
