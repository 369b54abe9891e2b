"""Which resources a call touches, told from AWS's reference data: the placeholders of an ARN filled from the call's parameters by their names.

``service/${ClusterName}/${ServiceName}`` is filled from ``cluster`` and ``service``; ``rule/${RuleName}`` of DescribeRule from ``Name``, because the
operation is about a rule. Only names that say the same count; where none does, the resource can't be told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sekisho.sandbox.operation import Work

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")
_OF_THE_CALL = ("Partition", "Region", "Account")
_ENDS: Mapping[str, tuple[str, ...]] = {
    "name": ("", "name", "names", "identifier", "identifiers", "s", "list", "namelist", "arn", "arns"),
    "id": ("", "id", "ids", "identifier", "identifiers", "s", "list", "arn", "arns"),
    "": ("", "name", "names", "id", "ids", "identifier", "identifiers", "s", "list", "arn", "arns"),
}  # fmt: skip
"""What a parameter has behind the noun that a placeholder is about, where the placeholder is a name, an id, or doesn't say: a name is no id."""
_ALONE: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "names", "identifier", "arn", "arns"), "id": ("id", "ids", "identifier", "arn", "arns"),
    "": ("name", "id", "names", "ids", "identifier", "arn", "arns"),
}  # fmt: skip
"""The same, of a parameter that leaves the noun out: what the operation is about."""
_NAMES = re.compile(r"(namewithpath|friendlyname|name|identifier|id)$")
_VERBS = re.compile(
    r"(Batch)?(Create|Delete|Describe|Get|Update|Put|Modify|List|Start|Stop|Enable|Disable|Remove|Add|Restore|Reboot|Cancel|Deregister|Register|"
    r"Activate|Deactivate|Deauthorize|Run|Submit|Set|Reset|Retry|Resume|Terminate|Import|Invalidate|Cancel|Publish|Test|Tag|Untag)"
)
_PREFIXES = {"rds": ("db",), "redshift": ("",), "elasticache": ("",)}
_OTHERWISE: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("rds", "DbClusterInstanceName"): ("dbclusteridentifier",), ("rds", "GlobalCluster"): ("globalclusteridentifier",),
    ("rds", "DbClusterEndpoint"): ("dbclusterendpointidentifier",), ("glue", "CatalogName"): (), ("route53", "Id"): ("hostedzoneid", "id"),
    ("events", "EventBusName"): ("eventbusname", "name"), ("codebuild", "ProjectName"): ("projectname", "name", "project"),
    ("batch", "JobDefinitionName"): ("jobdefinitionname",), ("athena", "WorkGroupName"): ("workgroup",),
}  # fmt: skip
"""Parameters (in lower case) of a service's placeholder where its name says something else; none: it isn't told by any."""
_DEFAULTS: Mapping[tuple[str, str], str] = {("athena", "WorkGroupName"): "primary", ("ecs", "ClusterName"): "default"}
"""What a service takes where the parameter isn't given, and the call is one that could give it."""


def filled(work: Work, service: str, kind: str, pattern: str, others: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of a kind of resource that a call touches. ``others`` are the service's kinds: a parameter may hold one of theirs as an ARN."""
    on_a_bus = work.call.params.get("EventBusName", "default") != "default"
    if kind == ("rule-on-default-event-bus" if on_a_bus else "rule-on-custom-event-bus"):
        return  # The same rule has one ARN on the default bus and another on a bus of one's own.
    whole = list(_whole(work, pattern))
    if whole:
        yield from whole
        return
    fixed = {"Partition": "aws", "Region": work.caller.region, "Account": work.caller.account}
    names = [name for name in PLACEHOLDER.findall(pattern) if name not in fixed]
    rows = [dict(fixed)]
    used: set[str] = set()
    for i, name in enumerate(names):
        parameter, values = _values(work, service, kind, name, others, is_last=i == len(names) - 1)
        # One parameter can't say two things.
        if parameter in used and not any(v.startswith("arn:") for v in _texts(work.call.params.get(parameter))):
            values = []
        used.add(parameter)
        rows = [{**row, name: value} for row in rows for value in values]
    for row in rows:
        yield PLACEHOLDER.sub(lambda m, row=row: row[m[1]], pattern)  # type: ignore[misc]


def is_constant(pattern: str) -> bool:
    """Whether an account has one such resource: nothing in its ARN is left to be told."""
    return all(name in _OF_THE_CALL for name in PLACEHOLDER.findall(pattern))


def _texts(value: Any) -> list[str]:
    return [v for v in (value if isinstance(value, list) else [value]) if isinstance(v, str)]


def _whole(work: Work, pattern: str) -> Iterator[str]:
    """ARNs of this kind that stand in parameters of the call itself, in the call's Region."""
    shape = _shape(work, pattern)
    for value in work.call.params.values():
        for one in _texts(value):
            if one.startswith("arn:") and re.fullmatch(shape, one):
                yield one


def _shape(work: Work, pattern: str, wanted: str = "") -> str:
    """A regular expression of a kind's ARNs; the placeholder ``wanted`` is its group."""
    row = {"Partition": "aws", "Region": re.escape(work.caller.region), "Account": r"\d{12}"}
    parts = PLACEHOLDER.split(pattern)
    return "".join(re.escape(p) if i % 2 == 0 else "([^:/]+)" if p == wanted else row.get(p, "[^:/]+") for i, p in enumerate(parts))


def _values(work: Work, service: str, kind: str, placeholder: str, others: Mapping[str, Any], *, is_last: bool) -> tuple[str, list[str]]:
    """(parameter, what it says of a placeholder): plain names, and those inside ARNs of another kind that has the same placeholder."""
    params = {_plain(name): name for name in work.call.params}
    for plain in _parameters(work, service, kind, placeholder, is_last=is_last):
        texts = _texts(work.call.params[params[plain]]) if plain in params else []
        if texts:
            found = [t if not t.startswith("arn:") else _inside(work, t, placeholder, others) for t in texts]
            return params[plain], [] if any(not t or t.startswith("arn:") or "*" in t or "?" in t for t in found) else found
    nested = params.get(f"{_stem(placeholder)}input") if is_last else None
    inner = work.call.params[nested] if nested is not None else None
    if isinstance(inner, Mapping) and isinstance(inner.get("Name"), str):
        return f"{nested}.Name", _texts(inner["Name"])
    default, operation = _DEFAULTS.get((service, placeholder)), work.call.operation
    if default and _could_give(work, service, kind, placeholder):
        return "", [default]
    # A list of all is asked about ``*``, as AWS's refusals show; and so is what is made where AWS chooses its id.
    if operation.startswith(("Describe", "List")) and _could_give(work, service, kind, placeholder):
        return "", ["*"]
    makes = operation.startswith(("Create", "Allocate", "Request", "Import")) and is_last and not _plain(placeholder).endswith("name")
    return "", ["*"] if makes and _is_about(work, kind, placeholder) else []


def _could_give(work: Work, service: str, kind: str, placeholder: str) -> bool:
    shape = work.call.model.input_shape if work.call.model is not None else None
    members = {_plain(name) for name in shape.members} if shape is not None else set()
    return any(name in members for name in _parameters(work, service, kind, placeholder, is_last=False))


def _inside(work: Work, arn: str, placeholder: str, others: Mapping[str, Any]) -> str:
    """The part of another kind's ARN that is called the same (a cluster's name in its ARN); empty where there is none."""
    for kind in others.values():
        pattern = kind.get("arn", "")
        if f"${{{placeholder}}}" in pattern:
            match = re.fullmatch(_shape(work, pattern, placeholder), arn)
            if match is not None and arn.split(":")[4] in ("", work.caller.account):
                return match[1]
    return ""


def _parameters(work: Work, service: str, kind: str, placeholder: str, *, is_last: bool) -> Iterator[str]:
    """Names of parameters, in lower case, that say what a placeholder of a kind is; the likeliest first."""
    otherwise = _OTHERWISE.get((service, placeholder))
    if otherwise is not None:
        yield from otherwise
        return
    plain, stem, noun = _plain(placeholder), _stem(placeholder), _plain(kind)
    form = "name" if plain.endswith("name") else "id" if plain.endswith("id") else ""
    yield plain
    yield f"{plain}s"
    # A kind's own noun stands for the resource itself, so for the last part of its ARN.
    for start in (stem, *(f"{prefix}{stem}" for prefix in _PREFIXES.get(service, ())), noun if is_last else ""):
        if start:
            yield from (f"{start}{end}" for end in _ENDS[form])
    if _is_about(work, kind if is_last else "", placeholder):
        yield from _ALONE[form]


def _is_about(work: Work, kind: str, placeholder: str) -> bool:
    """Whether an operation is about a kind of resource, by its name: DescribeRules about a rule."""
    about = _VERBS.sub("", work.call.operation, count=1).lower().removesuffix("s")
    return bool(about) and about in (_stem(placeholder).removesuffix("s"), _plain(kind).removesuffix("s"))


def _stem(placeholder: str) -> str:
    return _NAMES.sub("", _plain(placeholder))


def _plain(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()
