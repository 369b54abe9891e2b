"""Deciding a need: allowed, refused in AWS's words, or refused because what it asks can't be told.

What isn't known of a request (which resource it touches, a condition key that it would have) matters only where a policy would answer
differently for it. Where none does, the decision is exact all the same; where one does, the call is refused and the text says what isn't known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sekisho.decision import CredentialKind, Decision, Request
from sekisho.policy.actions import action_reference
from sekisho.policy.matching import ReadyStatement, ready_policy, statements_about
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault, cannot_tell
from sekisho.sandbox.identity import authorise
from sekisho.sandbox.operation import Need, Work, session_name

_ALWAYS_TOLD = ("aws:requesttag/", "aws:tagkeys")
_TAGS = ("aws:resourcetag/", "ec2:resourcetag/", "secretsmanager:resourcetag/", "ssm:resourcetag/")


def allow(work: Work, need: Need, behind: Behind, *, let_unknown_through: bool = False) -> None:
    """Raise AwsFault unless the caller may. ``let_unknown_through``: what can't be told is let pass, everything else is still decided."""
    request = request_of(work, need)
    if need.unknown:
        named = _names_resources(work, request)
        if named is not None:
            if let_unknown_through:
                return
            raise cannot_tell(
                f"User: {request.principal} is not authorized to perform: {request.action} (the embedded AWS can't tell {need.unknown}, "
                f"and {named} names particular resources)"
            )
    request, tags_told = _with_tags(work, need, request, behind)
    decision = work.store.authorizer.decide_anew(request)
    missing = _missing_keys(work, need, request, decision, tags_told)
    if missing:
        if let_unknown_through:
            return
        raise cannot_tell(
            f"User: {request.principal} is not authorized to perform: {request.action}"
            + (f" on resource: {request.resource}" if request.resource != "*" else "")
            + f" (the embedded AWS can't tell the request's {' and '.join(missing)}, which a policy asks for)",
            decision,
        )
    try:
        authorise(work.store, request)
    except AwsFault:
        if decision.outcome == "unknown" and let_unknown_through:
            return
        raise


def request_of(work: Work, need: Need) -> Request:
    """What is asked of the policies for a need: as the caller, or as the role that a service acts as."""
    owner = need.owner or owner_of(need.resource, work)
    context = dict(need.context or {})
    if not need.role:
        return work.caller.request(need.action, need.resource, work.now, context, owner, need.via, work.store.settings)
    # E-13: a service that acts as a role is that role, and what the caller's credentials bring counts for nothing.
    _, _, _, _, account, path = need.role.split(":", 5)
    session = f"arn:aws:sts::{account}:assumed-role/{path.rpartition('/')[2]}/{session_name(need.via)}"
    stamp = work.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    context = {"aws:CurrentTime": stamp, "aws:TokenIssueTime": stamp, "aws:RequestedRegion": work.caller.region, **context}
    return Request(session, need.action, need.resource, context, resource_account=owner, credentials=CredentialKind.ROLE_SESSION, role=need.role)


def owner_of(resource: str, work: Work) -> str | None:
    """The account that owns a resource: as its ARN says, else the caller's own."""
    parts = resource.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdigit() else work.caller.account or None


def _statements(work: Work, request: Request) -> Iterator[ReadyStatement]:
    """All statements about the action that reach the caller, whatever resource they name; of resource policies those of the whole account."""
    authorizer = work.store.authorizer
    question = authorizer.question(request)
    lower = request.action.lower()
    for _, _, policies in question.layer_policies():
        yield from statements_about(policies, lower, authorizer.settings)


def _names_resources(work: Work, request: Request) -> str | None:
    """What names particular resources for the action: then not knowing the resource matters. None: any resource of the account is like another."""
    for ready in _statements(work, request):
        if ready.statement.not_resources is not None or (ready.statement.resources is not None and "*" not in ready.statement.resources):
            return f"the policy {ready.policy.name}" if ready.policy.name else "a policy"
    prefix = request.action.lower().partition(":")[0]
    account = work.store.estate.account(request.resource_account or work.caller.account)
    for arn, policy in account.resource_policies if account is not None else ():
        if arn.split(":")[2] == prefix and statements_about((policy,), request.action.lower(), work.store.authorizer.settings):
            return f"the policy of {arn}"
    return None


def _reads(work: Work, request: Request) -> Iterator[tuple[bool, frozenset[str]]]:
    """(whether it denies, what it reads) of each statement about the action and the resource."""
    for ready in _statements(work, request):
        if ready.resource_verdict(request.resource) is not False:
            yield ready.denies, frozenset(ready.reads)


def _with_tags(work: Work, need: Need, request: Request, behind: Behind) -> tuple[Request, bool]:
    """The request with the tags of its resource, where a policy asks for them, and whether they could be told."""
    if need.resource.endswith(("/*", ":*")):
        return request, True
    asked = {key for ready in _statements(work, request) for key in ready.reads if key.startswith(_TAGS)}
    if not asked or need.unknown or "*" in request.resource:
        return request, False
    parts = request.resource.split(":", 5)
    if len(parts) < 6 or parts[2] in ("iam", "sts", "s3"):
        return request, False
    tags = behind.tags(parts[2], parts[4] or work.caller.account, parts[3] or work.caller.region, request.resource)
    if tags is None:
        return request, False
    found: dict[str, Any] = {f"{prefix}{key}": value for prefix in _TAGS for key, value in tags.items()}
    return request.with_context(found), True


def _missing_keys(work: Work, need: Need, request: Request, decision: Decision, tags_told: bool) -> list[str]:
    """The condition keys that could turn the answer and that the request may have, though nobody here can tell."""
    can_have = _keys_of(request.action, request.resource)
    if not can_have:
        return []
    told = (*_ALWAYS_TOLD, *need.tells, *(_TAGS if tags_told else ()))

    def unsure(keys: frozenset[str]) -> set[str]:
        return {k for k in keys if k not in request.context and k.startswith(can_have) and not k.startswith(told)}

    found: set[str] = set()
    if decision.allowed:
        # Another Deny might hold, or the Allow might not: an Allow that reads nothing unsure makes the answer certain.
        for denies, keys in _reads(work, request):
            if denies:
                found |= unsure(keys)
        for because in decision.because:
            policy, statement = because.document, because.block
            if policy is not None and statement is not None:
                found |= unsure(frozenset(ready_policy(policy, work.store.authorizer.settings).statements[statement.index].reads))
    elif decision.outcome == "implicit_deny":
        for denies, keys in _reads(work, request):
            if not denies:
                found |= unsure(keys)
    return sorted(found)


@lru_cache(maxsize=4096)
def _keys_of(action: str, resource: str) -> tuple[str, ...]:
    """Beginnings of the condition keys that a request for the action on the resource can have beside the global ones, in lower case."""
    prefix, _, name = action.partition(":")
    actions, kinds = action_reference(prefix)
    known = actions.get(name.lower())
    if known is None:
        return ()
    keys = list(known.get("conditionKeys") or ())
    for entry in known.get("resourceTypes") or ():
        kind = kinds.get(entry["name"], {})
        if resource == "*" or re.fullmatch(re.sub(r"\\\$\\{\w+\\}", ".*", re.escape(kind.get("arn", ""))), resource):
            keys += entry.get("conditionKeys") or ()
            keys += kind.get("conditionKeys") or ()
    return tuple({k.partition("${")[0].partition("<")[0].lower() for k in keys})


__all__ = ["allow", "owner_of"]
