"""A policy document in place of another: whether it can give, whether it can take, and what both allow. Pure.

Told by the statements' spelling, always on the side of caution: what isn't seen to be narrower counts as wider too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sekisho.policy import Policy


def direction(old: Policy, new: Policy) -> tuple[bool, bool]:
    """Whether a document in place of another may allow more, and whether it may allow less.

    Statements of one form are compared list by list (more roles in an Allow: wider; more networks in a Deny outside them: wider);
    all else counts as one statement gone and another come. Principals that leave a Deny and that no Allow names any more open nothing.
    """
    before, after = _apart_from_each_other(old, new)
    named = {p for s in new.normalised()["Statement"] if s["Effect"] == "Allow" for p in _principals(s)}
    wider = narrower = False
    for statement in before:
        twin = _twin(statement, after)
        if twin is None:
            wider, narrower = wider or statement["Effect"] == "Deny", narrower or statement["Effect"] == "Allow"
            continue
        after.remove(twin)
        for pointer, grows, shrinks in _apart(statement, twin) or ():
            if statement["Effect"] == "Deny":
                if pointer.startswith("/Principal/") and shrinks and _all_gone(set(_principals(statement)) - set(_principals(twin)), named):
                    shrinks = False
                grows, shrinks = shrinks, grows
            wider, narrower = wider or grows, narrower or shrinks
    for statement in after:
        wider, narrower = wider or statement["Effect"] == "Allow", narrower or statement["Effect"] == "Deny"
    return wider, narrower


def _apart_from_each_other(old: Policy, new: Policy) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """The statements of each that the other doesn't have."""
    before, after = list(old.normalised()["Statement"]), list(new.normalised()["Statement"])
    return [s for s in before if s not in after], [s for s in after if s not in before]


def _principals(statement: Mapping[str, Any]) -> list[str]:
    return [p for _, listed in _lists(statement.get("Principal", {}), "") for p in listed]


def _all_gone(left: set[str], named: set[str]) -> bool:
    """Whether none of the users that left is still allowed, by name or as one of an account or of all."""
    wide = {n for n in named if ":user/" not in n and ":role/" not in n}
    return not wide and all(":user/" in p and p not in named for p in left)


def _twin(statement: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The statement of the same form that differs in the fewest lists."""
    twins = [(len(apart), i) for i, s in enumerate(others) if (apart := _apart(statement, s)) is not None]
    return others[min(twins)[1]] if twins else None


def common(old: Policy, new: Policy) -> Policy | None:
    """A document that allows no more than either and all that both allow, as far as statements tell; None where it can't be said.

    The Allows that both have, those of one form cut to what their lists share, and the Denies of both.
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
        twin = _twin(statement, allows)
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


def with_old_paths(old: Policy, new: Policy, moved: Mapping[str, str]) -> Policy | None:
    """The new trust policy that lets users in at their old paths, too; None where the two differ in anything but paths that users leave.

    ``moved``: beginnings of users' ARNs, old → new. While users move from the one to the other, they are let in all the time.
    """
    before, after = list(old.normalised()["Statement"]), list(new.normalised()["Statement"])
    if len(before) != len(after):
        return None
    found: list[Mapping[str, Any]] = []
    for statement in after:
        twin = statement if statement in before else _twin(statement, before)
        if twin is None:
            return None
        before.remove(twin)
        both = statement
        for pointer, _, _ in _apart(twin, statement) or ():
            _, element, operator, key = (*pointer.split("/"), "", "", "")[:4]
            leaving = [v for v in dict(_lists(twin, ""))[pointer] if v.endswith("*") and v[:-1] in moved]
            if element != "Condition" or key.lower() != "aws:principalarn" or "Not" in operator or statement["Effect"] != "Allow" or not leaving:
                return None
            listed = both["Condition"][operator][key]
            values = [*(listed if isinstance(listed, list) else [listed]), *leaving]
            both = {**both, "Condition": {**both["Condition"], operator: {**both["Condition"][operator], key: values}}}
        found.append(both)
    if found == after:
        return None
    return Policy.parse({"Version": new.document.get("Version", "2012-10-17"), "Statement": found}, kind=new.kind, name=new.name, arn=new.arn)


def followed(trust: Policy, moved: Mapping[str, str]) -> Policy:
    """A trust policy once users have got another ARN (old → new): AWS holds them by their ids and shows the new one (A-31)."""

    def fresh(value: Any) -> Any:
        return [fresh(v) for v in value] if isinstance(value, list) else moved.get(value, value)

    body = trust.document.get("Statement", [])
    blocks = body if isinstance(body, list) else [body]
    changed = []
    for block in blocks:
        principal = block.get("Principal")
        named = {k: fresh(v) for k, v in principal.items()} if isinstance(principal, Mapping) else principal
        changed.append({**block, "Principal": named} if named != principal else block)
    if changed == blocks:
        return trust
    return Policy.parse({**trust.document, "Statement": changed}, kind=trust.kind, name=trust.name, arn=trust.arn)


def _shared(one: Mapping[str, Any], other: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Two statements of one form with what their lists share; None where that is nothing, or a list says what is left out."""

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


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, bool, bool]] | None:
    """The lists in which two statements of one form differ: where, and whether the other applies to more, to less. None: another form."""
    lists_one, lists_other = dict(_lists(one, "")), dict(_lists(other, ""))
    if lists_one.keys() != lists_other.keys() or one["Effect"] != other["Effect"]:
        return None
    found = []
    for pointer, listed in lists_one.items():
        now, then = set(listed), set(lists_other[pointer])
        if now != then:
            element, _, rest = pointer.lstrip("/").partition("/")
            grows, shrinks = bool(then - now), bool(now - then)
            if element == "Condition" and not _by_list(rest):
                grows = shrinks = True
            elif element.startswith("Not") or (element == "Condition" and "Not" in rest.partition("/")[0]):
                grows, shrinks = shrinks, grows
            found.append((pointer, grows, shrinks))
    return found


def _by_list(condition: str) -> bool:
    """Whether more values make more (or, negated, fewer) requests fit: not so for bounds, Null, and ForAllValues."""
    operator = condition.partition("/")[0]
    return not any(word in operator for word in ("ForAllValues", "Null", "Numeric", "Date", "Bool"))


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
