"""The form of what a caller sends to IAM, as botocore's model has it, with AWS's texts; ARNs, times, quotas and pages."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from botocore.model import Shape

from sekisho.errors import PolicyError
from sekisho.policy.quotas import check_size
from sekisho.sandbox.fault import AwsFault, constraint, validation
from sekisho.sandbox.operation import Need, Operation, Run, Work
from sekisho.sandbox.protocol import Call

Item = TypeVar("Item")
NeedOf = Callable[[Work], Need]

_NAME_PATTERN = r"[\w+=,.@-]+"
_CHECKED_ELSEWHERE = frozenset(
    ("policyDocumentType", "passwordType", "pathType", "pathPrefixType", "policyPathType", "tagKeyType", "tagValueType", "markerType")
)  # fmt: skip
"""Shapes whose patterns are not Python's, or whose failures have texts of their own."""
_NOT_HERE = frozenset(("MaxSigninSessionDuration", "ResetMaxSigninSessionDuration"))
"""What would be taken and then not done is refused instead."""
_PATH = re.compile(r"/|/[!-~]+/")


def operation(run: Run, *needs: NeedOf) -> Operation:
    """An Operation whose parameters are checked before leave is asked, as AWS does: what has no form has no resource."""

    def checked(work: Work) -> Iterable[Need]:
        check_params(work.call)
        return [need(work) for need in needs]

    return Operation(run, checked)


def check_params(call: Call) -> None:
    """Raise ValidationError with AWS's text for the first parameter that the model of the operation doesn't take."""
    shape = call.model.input_shape if call.model is not None else None
    if shape is None:
        return
    _check(shape, call.params, "")
    for name in _NOT_HERE & call.params.keys():
        raise AwsFault("InvalidInput", f"The embedded AWS doesn't have {name} yet: leave it out.")
    for name in ("Path", "NewPath", "PathPrefix"):
        path = call.params.get(name)
        if path is not None and not (_PATH.fullmatch(path) or (name == "PathPrefix" and re.fullmatch(r"/[!-~]*", path))):
            text = "It must begin and end with / and contain only alphanumeric characters and/or / characters."
            raise validation(f"The specified value for {_camel(name)} is invalid. {text}")


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


def _check(shape: Shape, value: Any, at: str) -> None:
    kind = shape.type_name
    if kind == "structure":
        for name in shape.required_members:
            if name not in value:
                here = f"{at}.{_camel(name)}" if at else _camel(name)
                raise validation(f"1 validation error detected: Value null at '{here}' failed to satisfy constraint: Member must not be null")
        for name, member in value.items():
            if name in shape.members:
                _check(shape.members[name], member, f"{at}.{_camel(name)}" if at else _camel(name))
        return
    limits = shape.metadata
    if kind == "list":
        _check_length(limits, value, value, at)
        for i, member in enumerate(value):
            _check(shape.member, member, f"{at}.{i + 1}.member")
    elif kind == "string":
        _check_length(limits, value, "***" if limits.get("sensitive") else value, at)
        if limits.get("enum") and value not in limits["enum"]:
            raise constraint(value, at, f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]")
        if shape.name not in _CHECKED_ELSEWHERE:
            _check_pattern(limits.get("pattern"), value, at)
    elif kind in ("integer", "long"):
        if "min" in limits and value < limits["min"]:
            raise constraint(str(value), at, f"Member must have value greater than or equal to {limits['min']}")
        if "max" in limits and value > limits["max"]:
            raise constraint(str(value), at, f"Member must have value less than or equal to {limits['max']}")


def _check_length(limits: Mapping[str, Any], value: Sequence[Any], shown: object, at: str) -> None:
    if len(value) < limits.get("min", 0):
        raise constraint(str(shown), at, f"Member must have length greater than or equal to {limits['min']}")
    if "max" in limits and len(value) > limits["max"]:
        raise constraint(str(shown)[:200], at, f"Member must have length less than or equal to {limits['max']}")


def _check_pattern(pattern: str | None, value: str, at: str) -> None:
    if pattern is None or re.fullmatch(pattern, value, re.ASCII):
        return
    if pattern == _NAME_PATTERN:
        text = "It must contain only alphanumeric characters and/or the following: +=,.@_-"
        raise validation(f"The specified value for {at} is invalid. {text}")
    raise constraint(value, at, f"Member must satisfy regular expression pattern: {pattern}")


# --- quotas --------------------------------------------------------------------------------------------------------------


def check_quota(row: str, amount: int) -> None:
    """Raise AWS's LimitExceeded where ``amount`` is over the quota's row (A.4)."""
    try:
        check_size(row, amount)
    except PolicyError as error:
        raise policy_fault(error) from None


def policy_fault(error: PolicyError) -> AwsFault:
    """What AWS answers to a document that it refuses."""
    return AwsFault(error.code, error.message, 409 if error.code == "LimitExceeded" else 400)


# --- ARNs and times ------------------------------------------------------------------------------------------------------


def arn_of(account: str, part: str, name: str, path: str = "/") -> str:
    return f"arn:aws:iam::{account}:{part}{path}{name}"


def iso(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- pages ---------------------------------------------------------------------------------------------------------------


def page(params: Mapping[str, Any], items: Iterable[Item], key: Callable[[Item], str], member: str) -> dict[str, Any]:
    """One page of a list, sorted by ``key``: ``MaxItems`` (100) from after ``Marker``, which holds the last key shown.

    A marker stays good when items come and go between two pages.
    """
    found = sorted(items, key=key)
    marker = params.get("Marker")
    if marker is not None:
        after = _after(marker)
        found = [item for item in found if key(item) > after]
    most = int(params.get("MaxItems", 100))
    result: dict[str, Any] = {member: found[:most], "IsTruncated": len(found) > most}
    if len(found) > most:
        result["Marker"] = base64.urlsafe_b64encode(b"1:" + key(found[most - 1]).encode()).decode()
    return result


def _after(marker: str) -> str:
    try:
        text = base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    if not text.startswith("1:"):
        raise AwsFault("InvalidInput", "The marker that was given is not one that this operation has returned.")
    return text[2:]
