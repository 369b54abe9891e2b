"""``sekisho decide --cases``: a batch of decisions, JSON lines in and out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from sekisho.errors import InputError, OutsideError, SekishoError

if TYPE_CHECKING:
    from sekisho.decision import Layers, Request
    from sekisho.estate import Estate
    from sekisho.policy import Policy, PolicyKind

_LAYERS = ("identity", "boundary", "session", "resource", "service_control", "resource_control", "vpc_endpoint")


@click.command(epilog='Example: echo \'{"id": 1, "condition": {"Bool": {"aws:SecureTransport": "true"}}, "context": {}}\' | sekisho decide --cases -')
@click.option("--cases", "source", required=True, metavar="FILE", help="JSON lines, one case a line; - is standard input.")
@click.option("--estate", "estate_path", metavar="ESTATE", help="Decide cases that bring no policies against this estate (or sekisho.yaml).")
def command(source: str, estate_path: str | None) -> int:
    """Decide requests in bulk.

    A case is a request with the policies that apply to it, by kind (identity, boundary, session, resource, service_control,
    resource_control, vpc_endpoint), or one condition with a context. One JSON object comes out for each line; a line that can't be read
    gives {"id", "error"}, the rest still runs, and the exit status is 2.
    """
    from sekisho.loading import load

    estate = load(estate_path) if estate_path else None
    failed = False
    for line in _lines(source):
        answer = _answer(line, estate)
        failed = failed or "error" in answer
        sys.stdout.write(_written(answer) + "\n")
    sys.stdout.flush()
    return 2 if failed else 0


def _written(answer: Mapping[str, Any]) -> str:
    text = json.dumps(answer, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which JSON can say and UTF-8 can't
        return json.dumps(answer)
    return text


def _lines(source: str) -> Iterable[bytes]:
    if source == "-":
        yield from (line for line in sys.stdin.buffer if line.strip())
        return
    path = Path(source)
    try:
        file: IO[bytes]
        with path.open("rb") as file:
            yield from (line for line in file if line.strip())
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", expected="a file of JSON lines, or - for standard input") from None
    except OSError as error:
        raise OutsideError(f"{path}: can't be read: {error.strerror}") from error


def _answer(line: bytes, estate: Estate | None) -> dict[str, Any]:
    from sekisho.policy.json_text import NotJson, decoded, parsed
    from sekisho.policy.positions import Positions

    case_id: Any = None
    try:
        text = decoded(line)
        case = parsed(text, Positions(text))
        if not isinstance(case, dict):
            raise InputError("a case is a JSON object")
        case_id = case.get("id")
        if "condition" in case:
            return {"id": case_id, **_condition(case)}
        return {"id": case_id, **_decision(case, estate)}
    except SekishoError as error:
        return {"id": case_id, "error": " ".join(str(error).split())}
    except NotJson as error:
        where = f"column {error.column}" + (f" at {error.pointer}" if error.pointer else "")
        return {"id": _id_of(line), "error": f"Syntax errors in policy. {where}: {error.found}; expected {error.expected}"}


def _id_of(line: bytes) -> Any:
    """The id of a line that can't be read strictly (a key stands twice, say), where it can be told; else None."""
    try:
        case = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return case.get("id") if isinstance(case, dict) else None


def _condition(case: Mapping[str, Any]) -> dict[str, Any]:
    """One condition block alone: whether it matches the context."""
    from sekisho.decision import Request
    from sekisho.policy import Policy, PolicyKind
    from sekisho.policy.matching import ready_policy

    document = {
        "Version": case.get("version", "2012-10-17"),
        "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": case["condition"]},
    }
    policy = Policy.parse(document, kind=PolicyKind.IDENTITY)
    context = Request("anonymous", "none:None", "*", _mapping(case.get("context", {}), "context")).context
    statement = ready_policy(policy).statements[0]
    holds = statement.test(context)
    if holds is None:
        return {"matches": None, "unknown": list(statement.unknown)}
    return {"matches": holds}


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is no object", expected=f'"{name}": {{…}}')
    return value


def _decision(case: Mapping[str, Any], estate: Estate | None) -> dict[str, Any]:
    from sekisho.decision import decide

    request = _request(_mapping(case.get("request"), "request"))
    if "policies" not in case and estate is not None:
        decision = decide(request, estate)
    else:
        decision = decide(request, _layers(_mapping(case.get("policies", {}), "policies"), request))
    answer: dict[str, Any] = {"decision": decision.outcome, "because": [_because(b) for b in decision.because], "message": decision.message}
    if decision.unknown_because:
        answer["unknown_because"] = list(decision.unknown_because)
    return answer


def _because(reason: Any) -> dict[str, Any]:
    return {"layer": reason.layer, "policy": reason.policy, "statement": reason.statement, "sid": reason.sid}


def _request(value: Mapping[str, Any]) -> Request:
    from sekisho.decision import Request

    known = {"principal", "action", "resource", "resource_account", "context"}
    odd = next((k for k in value if k not in known), None)
    if odd is not None:
        raise InputError(f"request has no {odd}", expected=f"one of {', '.join(sorted(known))}")
    for key in ("principal", "action"):
        if not isinstance(value.get(key), str):
            raise InputError(f"request.{key} is missing or no text", expected=f'"{key}": "…"')
    resource, account = value.get("resource", "*"), value.get("resource_account")
    if not isinstance(resource, str) or not isinstance(account, str | None):
        raise InputError("request.resource and resource_account are texts")
    action = str(value["action"])
    if action.count(":") != 1:
        raise InputError(f"{action!r} is no action", expected='"service:Action"')
    return Request(str(value["principal"]), action, resource, _mapping(value.get("context", {}), "context"), resource_account=account)


def _layers(value: Mapping[str, Any], request: Request) -> Layers:
    from sekisho.decision import Layers
    from sekisho.policy import PolicyKind

    odd = next((k for k in value if k not in _LAYERS), None)
    if odd is not None:
        raise InputError(f"policies has no {odd}", expected=f"one of {', '.join(_LAYERS)}")
    is_trust = request.action.lower().startswith("sts:") and ":role/" in request.resource

    def flat(name: str, kind: PolicyKind) -> tuple[Policy, ...]:
        return _policies(value.get(name) or [], name, kind)

    def levels(name: str, kind: PolicyKind) -> tuple[tuple[Policy, ...], ...] | None:
        given = value.get(name)
        if not given:
            return None
        if not isinstance(given, list) or not all(isinstance(level, list) for level in given):
            raise InputError(f"policies.{name} is a list of levels, each a list of policies")
        return tuple(_policies(level, name, kind) for level in given)

    return Layers(
        flat("identity", PolicyKind.IDENTITY), flat("boundary", PolicyKind.BOUNDARY) or None, flat("session", PolicyKind.SESSION) or None,
        flat("resource", PolicyKind.TRUST if is_trust else PolicyKind.RESOURCE), levels("service_control", PolicyKind.SERVICE_CONTROL),
        levels("resource_control", PolicyKind.RESOURCE_CONTROL), flat("vpc_endpoint", PolicyKind.VPC_ENDPOINT) or None,
    )  # fmt: skip


def _policies(listed: Sequence[Any], layer: str, kind: PolicyKind) -> tuple[Policy, ...]:
    from sekisho.policy import Policy

    if not isinstance(listed, list):
        raise InputError(f"policies.{layer} is no list")
    found = []
    for i, entry in enumerate(listed):
        if not isinstance(entry, dict) or "document" not in entry:
            raise InputError(f"policies.{layer}[{i}] has no document", expected='{"name": "…", "document": {…}}')
        document = entry["document"]
        found.append(
            Policy.parse(document, kind=kind, name=str(entry.get("name", "")), arn=entry.get("arn"), pointer=f"/policies/{layer}/{i}/document")
        )
    return tuple(found)
