"""A template of CloudFormation with its functions carried out: parameters, conditions, and what one resource says of another.

What isn't understood is refused with its name, never passed over. What other resources are called, and their attributes, is filled in as they are
made: until then a reference stands where it stood.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sekisho.sandbox.fault import AwsFault, validation
from sekisho.sandbox.services import templates

_SECTIONS = frozenset(("AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Mappings", "Conditions", "Resources", "Outputs"))
_OF_RESOURCE = frozenset(("Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy", "UpdateReplacePolicy"))
_LOGICAL = re.compile(r"[A-Za-z0-9]{1,255}")
MOST_BYTES = 51_200
MOST_RESOURCES = 500
_NOTHING = object()
"""AWS::NoValue: the property isn't there."""

Named = Mapping[str, tuple[str, Mapping[str, str]]]
"""What has been made: logical id → (what Ref gives, attributes)."""


@dataclass(frozen=True)
class Resource:
    """One resource of a template. ``properties`` are as written; ``after`` what has to be there first."""

    logical: str
    kind: str
    properties: Mapping[str, Any]
    after: frozenset[str] = frozenset()
    retained: bool = False

    @property
    def is_iam(self) -> bool:
        return self.kind.startswith("AWS::IAM::")


@dataclass(frozen=True)
class Template:
    """``parameters`` are given or defaults, with AWS's own; ``conditions`` hold or don't: resources whose condition doesn't aren't here."""

    text: str
    body: Mapping[str, Any]
    parameters: Mapping[str, Any]
    given: Mapping[str, str]
    conditions: Mapping[str, bool] = field(default_factory=dict)
    resources: Mapping[str, Resource] = field(default_factory=dict)

    def filled(self, value: Any, made: Named) -> Any:
        """A value with all functions carried out that can be: what has been made is named, other resources' references stay."""
        found = _Fill(self.parameters, self.conditions, self.body.get("Mappings") or {}, self.resources, made).value(value)
        return None if found is _NOTHING else found

    def in_order(self, kinds: Callable[[Resource], bool]) -> list[Resource]:
        """The resources of some kinds, each after what it needs. Raises ValidationError where they need each other in a ring."""
        waiting = {k: r for k, r in self.resources.items() if kinds(r)}
        found: list[Resource] = []
        while waiting:
            ready = [r for r in waiting.values() if not r.after & waiting.keys()]
            if not ready:
                raise validation(f"Circular dependency between resources: [{', '.join(waiting)}]")
            found += ready
            waiting = {k: r for k, r in waiting.items() if r not in ready}
        return found

    def outputs(self, made: Named) -> list[dict[str, Any]]:
        found = []
        for name, body in (self.body.get("Outputs") or {}).items():
            if "Condition" in body and not self.conditions.get(body["Condition"], False):
                continue
            export = self.filled((body.get("Export") or {}).get("Name"), made)
            found.append({"OutputKey": name, "OutputValue": _text(self.filled(body.get("Value"), made)), "Description": body.get("Description"),
                          "ExportName": export})  # fmt: skip
        return found


def read(text: str, given: Mapping[str, str], own: Mapping[str, Any]) -> Template:
    """A template with the values of its parameters; ``own`` are those of AWS (``AWS::AccountId`` …). Raises AwsFault for what isn't understood."""
    if len(text.encode()) > MOST_BYTES:
        rule = f"Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to {MOST_BYTES}"
        raise validation(f"1 validation error detected: {rule}")
    body = plain(templates.read(text))
    unknown = sorted(set(body) - _SECTIONS)
    if unknown:
        raise _refused(f"the section {unknown[0]}")
    for section in ("Parameters", "Mappings", "Conditions", "Outputs"):
        if not isinstance(body.get(section) or {}, dict) or not all(isinstance(v, dict) for v in (body.get(section) or {}).values()):
            raise validation(f"Template format error: [/{section}] is no map of maps.")
    if len(body["Resources"]) > MOST_RESOURCES:
        raise validation(f"Template format error: Number of resources, {len(body['Resources'])}, is greater than maximum allowed, {MOST_RESOURCES}")
    parameters = {**_parameters(body.get("Parameters") or {}, given), **own, "AWS::NoValue": _NOTHING}
    bare = Template(text, body, parameters, dict(given))
    conditions: dict[str, bool] = {}
    for name in body.get("Conditions") or {}:
        _condition(name, bare, conditions, ())
    known = Template(text, body, parameters, dict(given), conditions)
    listed = dict(_resources(known))
    return Template(text, body, parameters, dict(given), conditions, {k: _linked(known, r, listed) for k, r in listed.items()})


def plain(value: Any) -> Any:
    """YAML's values as CloudFormation takes them: a date is the text that it was written as."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else str(value)


def _parameters(declared: Mapping[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    for name in given:
        if name not in declared:
            raise validation(f"Parameters: [{name}] do not exist in the template")
    missing = [n for n, body in declared.items() if n not in given and "Default" not in body]
    if missing:
        raise validation(f"Parameters: [{', '.join(missing)}] must have values")
    return {name: _parameter(name, body, str(given.get(name, body.get("Default")))) for name, body in declared.items()}


def _parameter(name: str, body: Mapping[str, Any], text: str) -> Any:
    kind = body.get("Type")
    if kind not in ("String", "Number", "CommaDelimitedList", "List<Number>"):
        raise _refused(f"the parameter type {kind}")
    values = [v.strip() for v in text.split(",")] if kind in ("CommaDelimitedList", "List<Number>") else [text]
    allowed = [str(v) for v in body.get("AllowedValues") or ()]
    for value in values:
        number = _number(value) if "Number" in str(kind) else None
        fits = (
            (not allowed or value in allowed)
            and ("AllowedPattern" not in body or re.fullmatch(str(body["AllowedPattern"]), value) is not None)
            and int(body.get("MinLength", 0)) <= len(value) <= int(body.get("MaxLength", 4096))
            and ("Number" not in str(kind) or (number is not None and _between(number, body)))
        )
        if not fits:
            raise validation(str(body.get("ConstraintDescription") or f"Parameter '{name}' must be one of its allowed values: '{value}' isn't."))
    return values if kind in ("CommaDelimitedList", "List<Number>") else text


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _between(number: float, body: Mapping[str, Any]) -> bool:
    return float(body.get("MinValue", "-inf")) <= number <= float(body.get("MaxValue", "inf"))


def _condition(name: str, template: Template, found: dict[str, bool], through: tuple[str, ...]) -> bool:
    if name in through or name not in (template.body.get("Conditions") or {}):
        raise validation(f"Template error: the condition {name} can't be told: it isn't there, or asks for itself.")
    if name not in found:
        found[name] = _holds(template.body["Conditions"][name], template, found, (*through, name))
    return found[name]


def _holds(value: Any, template: Template, found: dict[str, bool], through: tuple[str, ...]) -> bool:
    function, argument = next(iter(value.items())) if isinstance(value, dict) and len(value) == 1 else ("", None)
    if function == "Condition":
        return _condition(str(argument), template, found, through)
    if function == "Fn::Equals" and isinstance(argument, list) and len(argument) == 2:
        one, other = (template.filled(a, {}) for a in argument)
        if any(True for x in (one, other) for _ in open_references(x)):
            raise validation("Template error: a condition can't refer to a resource.")
        return _text(one) == _text(other)
    if function in ("Fn::And", "Fn::Or", "Fn::Not") and isinstance(argument, list) and argument:
        held = [_holds(a, template, found, through) for a in argument]
        return all(held) if function == "Fn::And" else any(held) if function == "Fn::Or" else not held[0]
    raise validation(f"Template error: a condition can't be {json.dumps(value)[:100]}")


def _resources(template: Template) -> Iterator[tuple[str, Resource]]:
    for logical, kind, properties in templates.resources(template.body):
        body = template.body["Resources"][logical]
        odd = sorted(set(body) - _OF_RESOURCE)
        if odd:
            raise _refused(f"{odd[0]} of {logical}")
        if not _LOGICAL.fullmatch(logical):
            raise validation(f"Template format error: Resource name {logical[:100]} is non alphanumeric.")
        if "Condition" in body and not _the_condition(template, str(body["Condition"])):
            continue
        after = body.get("DependsOn") or []
        listed = frozenset([after] if isinstance(after, str) else after)
        yield logical, Resource(logical, kind, properties, listed, body.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"))


def _the_condition(template: Template, name: str) -> bool:
    if name not in template.conditions:
        raise validation(f"Template format error: Unresolved condition dependency {name}")
    return template.conditions[name]


def _linked(template: Template, resource: Resource, others: Mapping[str, Resource]) -> Resource:
    """The resource with all that it refers to among what has to be there first. Raises ValidationError for what isn't there at all."""
    filled = _Fill(template.parameters, template.conditions, template.body.get("Mappings") or {}, others, {}).value(dict(resource.properties))
    after = resource.after | set(open_references(filled))
    missing = sorted(after - others.keys())
    if missing:
        raise validation(f"Template format error: Unresolved resource dependencies [{missing[0]}] in the Resources block of the template")
    return Resource(resource.logical, resource.kind, resource.properties, frozenset(after), resource.retained)


def open_references(value: Any) -> Iterator[str]:
    """The logical ids of resources that a filled value still refers to."""
    if isinstance(value, Mapping):
        if len(value) == 1:
            ((function, argument),) = value.items()
            if function == "Ref":
                yield str(argument)
                return
            if function == "Fn::GetAtt":
                yield str(argument[0])
                return
        for inner in value.values():
            yield from open_references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from open_references(inner)


def _refused(what: str) -> AwsFault:
    return validation(f"The embedded AWS doesn't understand {what} in a template with AWS::IAM resources, so it makes nothing of it.")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, list | dict) else str(value)


@dataclass(frozen=True)
class _Fill:
    """Carries out functions. A value that hangs on a resource that isn't made stays the function that it was."""

    parameters: Mapping[str, Any]
    conditions: Mapping[str, bool]
    mappings: Mapping[str, Any]
    resources: Mapping[str, Resource]
    made: Named

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [v for v in map(self.value, value) if v is not _NOTHING]
        if isinstance(value, str) and "{{resolve:" in value:
            raise _refused("{{resolve:…}}")
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            rule = _FUNCTIONS.get(function)
            if rule is not None:
                return rule(self, argument)
            if function.startswith("Fn::"):
                raise _refused(function)
        return {k: f for k, v in value.items() if (f := self.value(v)) is not _NOTHING}

    def ref(self, name: Any) -> Any:
        if name in self.parameters:
            return self.parameters[name]
        if name in self.made:
            return self.made[name][0]
        if name in self.resources:
            return {"Ref": name}
        raise validation(f"Template format error: Unresolved resource dependencies [{name}] in the Resources block of the template")

    def attribute(self, argument: Any) -> Any:
        parts = argument.split(".", 1) if isinstance(argument, str) else argument
        if not isinstance(parts, list) or len(parts) != 2 or not all(isinstance(p, str) for p in parts):
            text = "every Fn::GetAtt object requires two non-empty parameters, the resource name and the resource attribute"
            raise validation(f"Template error: {text}")
        name, attribute = parts
        if name in self.made:
            if attribute not in self.made[name][1]:
                raise validation(f"Template error: resource {name} does not support attribute type {attribute} in Fn::GetAtt")
            return self.made[name][1][attribute]
        if name not in self.resources:
            raise validation(f"Template error: instance of Fn::GetAtt references undefined resource {name}")
        return {"Fn::GetAtt": [name, attribute]}

    def sub(self, argument: Any) -> Any:
        text, own = argument if isinstance(argument, list) and len(argument) == 2 else (argument, {})
        if not isinstance(text, str) or not isinstance(own, Mapping):
            raise validation("Template error: One or more Fn::Sub intrinsic functions don't specify expected arguments.")
        parts: list[Any] = []
        for i, piece in enumerate(re.split(r"\$\{([^}]*)\}", text)):
            if i % 2 == 0:
                parts.append(piece)
            elif piece.startswith("!"):
                parts.append("${" + piece[1:] + "}")
            elif piece in own:
                parts.append(self.value(own[piece]))
            else:
                parts.append(self.attribute(piece) if "." in piece else self.ref(piece))
        return self.joined("", parts)

    def join(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 2:
            raise validation("Template error: every Fn::Join object requires two parameters, a string delimiter and a list of strings to be joined")
        parts = self.value(argument[1])
        if not isinstance(parts, list):
            return {"Fn::Join": [argument[0], parts]}
        return self.joined(str(argument[0]), parts)

    def joined(self, between: str, parts: Sequence[Any]) -> Any:
        if any(p is _NOTHING or isinstance(p, list) for p in parts):
            raise validation("Template error: what is joined must be strings")
        if any(isinstance(p, Mapping) for p in parts):
            return {"Fn::Join": [between, list(parts)]}
        return between.join(map(_text, parts))

    def if_(self, argument: Any) -> Any:
        if not isinstance(argument, list) or len(argument) != 3 or argument[0] not in self.conditions:
            raise validation("Template error: Fn::If needs the name of a condition and two values")
        return self.value(argument[1] if self.conditions[argument[0]] else argument[2])

    def select(self, argument: Any) -> Any:
        index, listed = self.value(argument)
        if not isinstance(listed, list):
            return {"Fn::Select": [index, listed]}
        if not str(index).isdigit() or int(index) >= len(listed):
            raise validation(f"Template error: Fn::Select cannot select nonexistent value at index {index}")
        return listed[int(index)]

    def split(self, argument: Any) -> Any:
        between, text = self.value(argument)
        return text.split(between) if isinstance(text, str) else {"Fn::Split": [between, text]}

    def find_in_map(self, argument: Any) -> Any:
        names = [str(n) for n in self.value(argument)]
        found: Any = self.mappings
        for name in names:
            if not isinstance(found, Mapping) or name not in found:
                raise validation(f"Template error: Unable to get mapping for {'::'.join(names)}")
            found = found[name]
        return found

    def base64(self, argument: Any) -> Any:
        text = self.value(argument)
        return base64.b64encode(text.encode()).decode() if isinstance(text, str) else {"Fn::Base64": text}


_FUNCTIONS: Mapping[str, Callable[[_Fill, Any], Any]] = {
    "Ref": _Fill.ref, "Fn::GetAtt": _Fill.attribute, "Fn::Sub": _Fill.sub, "Fn::Join": _Fill.join, "Fn::If": _Fill.if_, "Fn::Select": _Fill.select,
    "Fn::Split": _Fill.split, "Fn::FindInMap": _Fill.find_in_map, "Fn::Base64": _Fill.base64,
}  # fmt: skip
