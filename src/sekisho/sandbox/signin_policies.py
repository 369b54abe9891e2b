"""AWS Sign-In's control plane: the permission statements of an account and the switch that puts them in force (rule book M)."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sekisho.decision.sign_in import sign_in_policy, statement_condition
from sekisho.estate import SignIn, SignInStatement
from sekisho.policy.operators import Unknown, Unreadable, network
from sekisho.policy.settings import DEFAULT
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Operation, Work

_FIELDS = (
    ("sourceIp", "source_ip"), ("sourceVpc", "source_vpc"), ("signinSourceVpce", "signin_source_vpce"),
    ("consoleSourceVpce", "console_source_vpce"), ("vpcSourceIp", "vpc_source_ip"), ("requestedRegion", "requested_region"),
    ("excludedPrincipal", "excluded_principals"),
)  # fmt: skip
MOST_STATEMENTS = 200
_EXCLUDED = re.compile(
    r"arn:aws(-[a-z]+)*:((iam::[0-9]{12}:role/[a-zA-Z0-9_+=,.@-]{1,64})|(iam::[0-9]{12}:user/[a-zA-Z0-9_+=,.@-]{1,64})"
    r"|(sts::[0-9]{12}:federated-user/[a-zA-Z0-9_+=,.@-]{2,193})|(iam::[0-9]{12}:root))"
)
"""M-05: no paths, no wildcards."""


def _held(work: Work) -> SignIn:
    return work.account.sign_in or SignIn()


def _save(work: Work, sign_in: SignIn) -> None:
    empty = not sign_in.statements and not sign_in.enforced
    work.store.save(replace(work.account, sign_in=None if empty else sign_in))


def _invalid(message: str) -> AwsFault:
    return AwsFault("ValidationException", message, 400)


def _put(work: Work) -> Mapping[str, Any]:
    given = {ours: (str(work.params[theirs]),) for theirs, ours in _FIELDS if work.params.get(theirs)}
    if not given:
        raise _invalid("A permission statement names at least one network or an excluded principal.")
    for ours in ("source_ip", "vpc_source_ip"):
        for value in given.get(ours, ()):
            try:
                network(value, DEFAULT)
            except (Unreadable, Unknown) as error:
                raise _invalid(f"{value} is no IP address or CIDR: {error}") from None
    for value in given.get("excluded_principals", ()):
        if not _EXCLUDED.fullmatch(value):
            raise _invalid(f"Value '{value}' at 'excludedPrincipal' failed to satisfy constraint: the ARN of a user or role without a path")
    held = _held(work)
    statement_id = base64.b64encode(hashlib.sha256(json.dumps(given, sort_keys=True).encode()).digest() + bytes(16)).decode()[:64]
    if any(s.id == statement_id for s in held.statements):
        raise AwsFault("ConflictException", "This permission statement exists already.", 409)
    if len(held.statements) >= MOST_STATEMENTS:
        raise AwsFault("ServiceQuotaExceededException", f"An account has at most {MOST_STATEMENTS} permission statements.", 402)
    _save(work, replace(held, statements=(*held.statements, SignInStatement(statement_id, **given))))
    return {"statementId": statement_id}


def _delete(work: Work) -> Mapping[str, Any]:
    held = _held(work)
    wanted = str(work.params.get("statementId", ""))
    left = tuple(s for s in held.statements if s.id != wanted)
    if len(left) == len(held.statements):
        raise AwsFault("ResourceNotFoundException", "There is no such permission statement.", 404)
    _save(work, replace(held, statements=left))
    return {}


def _list(work: Work) -> Mapping[str, Any]:
    return {"permissionStatements": [{"sid": s.id, "condition": statement_condition(s)} for s in _held(work).statements]}


def _policy(work: Work) -> Mapping[str, Any]:
    held = _held(work)
    if not held.statements:
        raise AwsFault("ResourceNotFoundException", "The account has no sign-in policy.", 404)
    document = sign_in_policy(held).document
    statements = [{k.lower(): ({"AWS": v} if k == "Principal" else v) for k, v in s.items()} for s in document["Statement"]]
    return {"signinResourceBasedPolicy": {"version": document["Version"], "statement": statements}}


def _configuration(work: Work, enabled: bool) -> Mapping[str, Any]:
    return {"targetId": work.caller.account, "scope": "ACCOUNT", "consoleAuthorizationEnabled": enabled}


def _check_target(work: Work) -> None:
    target = work.params.get("targetId")
    if target is not None and target != work.caller.account:
        raise _invalid(f"The target {target} is not this account; organisations are not part of the embedded AWS.")


def _switch(enabled: bool | None) -> Operation:
    """Read the switch (None), or set it."""

    def run(work: Work) -> Mapping[str, Any]:
        _check_target(work)
        if enabled is not None:
            _save(work, replace(_held(work), enforced=enabled))
        return _configuration(work, _held(work).enforced)

    verb = "Get" if enabled is None else "Put" if enabled else "Delete"
    return Operation(run, lambda _: [Need(f"signin:{verb}ConsoleAuthorizationConfiguration")])


OPERATIONS: Mapping[str, Operation] = {
    "PutResourcePermissionStatement": Operation(_put, lambda _: [Need("signin:PutResourcePermissionStatement")]),
    "DeleteResourcePermissionStatement": Operation(_delete, lambda _: [Need("signin:DeleteResourcePermissionStatement")]),
    "ListResourcePermissionStatements": Operation(_list, lambda _: [Need("signin:ListResourcePermissionStatements")]),
    "GetResourcePolicy": Operation(_policy, lambda _: [Need("signin:GetResourcePolicy")]),
    "GetConsoleAuthorizationConfiguration": _switch(None),
    "PutConsoleAuthorizationConfiguration": _switch(True),
    "DeleteConsoleAuthorizationConfiguration": _switch(False),
}
