"""What a template of CloudFormation holds, read as the calls that make it: types, properties, and values as far as the template tells them.

A value that only CloudFormation will know (a generated name, an attribute of another resource) is ``UNKNOWN``; whoever decides on it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault, cannot_tell
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.protocol import Call, service_model

UNKNOWN = "SekishoCantTell"
"""Stands in a name or an ARN for what isn't known; no resource is called so."""
_SIGNED_AS = {"cloudwatch": "monitoring", "ses": "email"}


def read(template: str) -> Mapping[str, Any]:
    """A template in JSON or YAML. Raises AwsFault where it can't be read, or holds what makes it say something else than it shows."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        found = _plain(YAML().load(template))
    except (ValueError, YAMLError, RecursionError):
        raise cannot_tell("The template can't be read as JSON or YAML, so what it would make can't be decided.") from None
    if not isinstance(found, dict) or not isinstance(found.get("Resources"), dict) or "Transform" in found:
        raise cannot_tell("The template has no Resources that can be read (or a Transform), so what it would make can't be decided.")
    return found


def _plain(value: Any) -> Any:
    """YAML's short forms (``!Ref x``) in their long ones (``{"Ref": "x"}``)."""
    tag = str(getattr(getattr(value, "tag", None), "value", "") or "")
    if isinstance(value, dict):
        body: Any = {str(k): _plain(v) for k, v in value.items()}
    elif isinstance(value, list):
        body = [_plain(v) for v in value]
    else:
        body = getattr(value, "value", value) if tag else value
    if not tag.startswith("!") or tag.startswith("!!"):
        return body
    name = tag[1:]
    return {name if name in ("Ref", "Condition") else f"Fn::{name}": body}


def resources(template: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """(logical id, type, properties) of what a template makes. Raises AwsFault for a type that can't be one of AWS's."""
    for logical, body in template["Resources"].items():
        kind = body.get("Type") if isinstance(body, dict) else None
        if not isinstance(kind, str) or not re.fullmatch(r"\w+::\w+::\w+", kind):
            raise cannot_tell(f"The embedded AWS doesn't make resources of the type {str(kind)[:80]} through CloudFormation.")
        properties = body.get("Properties")
        yield logical, kind, properties if isinstance(properties, dict) else {}


def parameters(work: Work, template: Mapping[str, Any]) -> dict[str, str]:
    """The values of ``Ref`` that are known before anything is made: parameters as given or by default, and AWS's own."""
    declared = template.get("Parameters")
    found = {}
    for key, body in (declared if isinstance(declared, dict) else {}).items():
        body = body if isinstance(body, dict) else {}
        # Only a new stack takes the defaults; one that is there keeps its own, and a parameter of Systems Manager is looked up.
        plain = work.call.operation == "CreateStack" and "Default" in body and not str(body.get("Type", "")).startswith("AWS::SSM::")
        found[key] = str(body["Default"]) if plain else UNKNOWN
    for given in work.params.get("Parameters") or ():
        key = str(given.get("ParameterKey", "")) if isinstance(given, Mapping) else ""
        if key and "ParameterValue" in given and not str((declared or {}).get(key, {}).get("Type", "")).startswith("AWS::SSM::"):
            found[key] = str(given["ParameterValue"])
        elif key:
            found[key] = UNKNOWN
    own = {"AccountId": work.caller.account, "Region": work.caller.region, "Partition": "aws", "StackName": str(work.params.get("StackName", ""))}
    return found | {f"AWS::{k}": v for k, v in own.items()}


def resolved(value: Any, known: Mapping[str, str], name: str = "") -> Any:
    """A value of a template with its functions carried out, ``UNKNOWN`` where that takes what isn't there yet."""
    if isinstance(value, list):
        return [resolved(v, known, name) for v in value]
    if not isinstance(value, dict):
        return UNKNOWN if isinstance(value, str) and "{{resolve:" in value else value
    if len(value) == 1:
        ((function, argument),) = value.items()
        if function == "Ref":
            return known.get(str(argument)) or _unknown(name, known)
        if function == "Fn::Sub" and isinstance(argument, str):
            return re.sub(r"\$\{(!?)([^}]*)\}", lambda m: "${" + m[2] + "}" if m[1] else known.get(m[2], UNKNOWN), argument)
        if function == "Fn::Join" and isinstance(argument, list) and len(argument) == 2 and isinstance(argument[1], list):
            return str(argument[0]).join(str(resolved(v, known)) for v in argument[1])
        if function.startswith("Fn::"):
            return _unknown(name, known)
    return {k: resolved(v, known, k) for k, v in value.items()}


def _unknown(name: str, known: Mapping[str, str]) -> str:
    """What isn't known, in the form that a parameter of the name has: a role's is an ARN."""
    return f"arn:aws:iam::{known['AWS::AccountId']}:role/{UNKNOWN}" if name.lower().endswith(("role", "rolearn")) else UNKNOWN


def as_a_call(work: Work, behind: Behind, action: str, kind: str, properties: Mapping[str, Any], physical: str = "") -> list[Need]:
    """What the call that makes (changes, removes) a resource asks for; a need of what isn't known says ``unknown``.

    ``physical`` is the id of one that is there. Empty where the action is no call of its own with such parameters.
    """
    from sekisho.sandbox.needs import needs_of  # the rules are called by each other here alone

    prefix, _, name = action.partition(":")
    model = service_model(_SIGNED_AS.get(prefix, prefix))
    if model is None or name not in model.operation_names or str(model.protocol) == "ec2":
        return []
    operation = model.operation_model(name)
    noun = kind.rpartition("::")[2].lower()
    lower = {k.lower(): v for k, v in properties.items()}
    params: dict[str, Any] = {}
    for member in operation.input_shape.members if operation.input_shape is not None else ():
        known_as = member.lower()
        spellings = (known_as, noun + known_as if known_as == "name" else known_as + "name" if known_as == noun else "",
                     "name" if known_as == noun + "name" else "")  # fmt: skip
        value = next((lower[s] for s in spellings if s in lower), None)
        if value is None and not physical and known_as in (noun, "name", noun + "name"):
            value = UNKNOWN
        if value is not None:
            params[member] = value
    if physical and operation.input_shape is not None and operation.input_shape.required_members:
        # What a call is about is what it can't do without, before anything else that it can't.
        params[operation.input_shape.required_members[0]] = physical
    inner = replace(work, call=Call(model.signing_name, name, params, str(model.protocol), operation))
    try:
        return [n if UNKNOWN not in n.resource else replace(n, resource="*", unknown=_what(n, kind)) for n in needs_of(inner, behind)]
    except AwsFault as fault:
        if fault.denied and not fault.unknown:
            raise
        return []


def _what(need: Need, kind: str) -> str:
    return "which role the stack hands over" if need.action == "iam:PassRole" else f"which {kind} the stack will hold"
