"""Reads ``tests/scenarios/decision``: requests with the documents in force, by name, and what must come out.

A scenario is asked as ``sekisho decide --cases`` takes it (``case``) and of the Python API. Keys beside the request's own:

- a list of documents by layer: ``identity``, ``boundary``, ``session``, ``resource_policy``, ``vpc_endpoint``; ``service_control`` and
  ``resource_control`` are lists of such lists. A document is the name of one under ``documents`` (a statement, a list of them, or a whole
  document), or a statement itself. ``arns`` gives managed policies their ARN.
- ``expect``; ``layer`` and ``statement`` ([document, index, Sid]) that decided; ``reason`` as AWS's message ends, after whom it refuses what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sekisho import Layers, Policy, PolicyKind, Request
from sekisho.decision import CredentialKind

FOLDER = Path(__file__).parents[1] / "scenarios" / "decision"
_REQUEST = ("principal", "action", "resource", "resource_account", "context", "credentials")
_FLAT = {"identity": "identity", "boundary": "boundary", "session": "session", "resource_policy": "resource", "vpc_endpoint": "vpc_endpoint"}
_LEVELS = ("service_control", "resource_control")
_EXPECTED = ("name", "expect", "layer", "statement", "reason", "message")


@dataclass(frozen=True)
class Scenario:
    name: str
    case: Mapping[str, Any]
    expected: Mapping[str, Any]


def scenarios() -> Iterator[Scenario]:
    for file in sorted(FOLDER.glob("*.yaml")):
        body = YAML(typ="safe", pure=True).load(file)
        for entry in body["scenarios"]:
            merged = {**body.get("defaults", {}), **entry}
            odd = set(merged) - {*_REQUEST, *_FLAT, *_LEVELS, *_EXPECTED}
            assert not odd, f"{file.name}: {entry['name']}: {odd}"
            yield Scenario(f"{entry['name']}", _case(f"{file.stem}: {entry['name']}", merged, body), merged)


def _case(case_id: str, merged: Mapping[str, Any], body: Mapping[str, Any]) -> dict[str, Any]:
    documents, arns = body.get("documents", {}), body.get("arns", {})

    def entry(given: Any) -> dict[str, Any]:
        name = given if isinstance(given, str) else "in place"
        content = documents[given] if isinstance(given, str) else given
        document = content if "Statement" in content else {"Version": "2012-10-17", "Statement": content}
        return {"name": name, "document": document, **({"arn": arns[name]} if name in arns else {})}

    policies: dict[str, Any] = {layer: [entry(d) for d in merged[key]] for key, layer in _FLAT.items() if key in merged}
    policies |= {layer: [[entry(d) for d in level] for level in merged[layer]] for layer in _LEVELS if layer in merged}
    request = {key: merged[key] for key in _REQUEST if merged.get(key) is not None}
    return {"id": case_id, "request": request, "policies": policies}


def message_of(scenario: Scenario) -> str:
    """AWS's whole text (G-20) from the scenario's reason."""
    request = scenario.case["request"]
    if scenario.expected["expect"] == "allow":
        return ""
    if "message" in scenario.expected:
        return str(scenario.expected["message"])
    where = f" on resource: {request['resource']}" if request["resource"] != "*" else ""
    reason = scenario.expected["reason"]
    return f"User: {request['principal']} is not authorized to perform: {request['action']}{where}{' ' if reason else ''}{reason}"


def asked_in_python(case: Mapping[str, Any]) -> tuple[Request, Layers]:
    """The same case for ``decide`` and ``Authorizer``."""
    request, given = case["request"], case["policies"]

    def parsed(kind: PolicyKind, listed: list[dict[str, Any]]) -> tuple[Policy, ...]:
        return tuple(Policy.parse(e["document"], kind=kind, name=e["name"], arn=e.get("arn")) for e in listed)

    def flat(layer: str, kind: PolicyKind) -> tuple[Policy, ...]:
        return parsed(kind, given.get(layer, []))

    def levels(layer: str, kind: PolicyKind) -> tuple[tuple[Policy, ...], ...] | None:
        return tuple(parsed(kind, level) for level in given.get(layer, [])) or None

    on_role = request["action"].startswith("sts:") and ":role/" in request["resource"]
    federated = ":federated-user/" in request["principal"]
    asked = Request(
        request["principal"], request["action"], request["resource"], request.get("context"), resource_account=request.get("resource_account"),
        credentials=CredentialKind(request["credentials"]) if "credentials" in request else None,
        role=request["principal"].replace(":sts:", ":iam:").replace(":federated-user/", ":user/") if federated else "",
    )  # fmt: skip
    return asked, Layers(
        flat("identity", PolicyKind.IDENTITY), flat("boundary", PolicyKind.BOUNDARY) or None, flat("session", PolicyKind.SESSION) or None,
        flat("resource", PolicyKind.TRUST if on_role else PolicyKind.RESOURCE), levels("service_control", PolicyKind.SERVICE_CONTROL),
        levels("resource_control", PolicyKind.RESOURCE_CONTROL), flat("vpc_endpoint", PolicyKind.VPC_ENDPOINT) or None,
    )  # fmt: skip
