"""``sekisho decide --cases``: a batch of decisions, JSON lines in and out."""

from __future__ import annotations

import codecs
import difflib
import json
import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from sekisho.errors import InputError, OutsideError, SekishoError

if TYPE_CHECKING:
    from sekisho.decision import Authorizer, Layers, Request
    from sekisho.estate import Estate
    from sekisho.policy import Policy, PolicyKind

MAX_LINE = 64 * 1024 * 1024
"""Bytes. A longer line is no case; it is skipped without being held in memory, and answered with an error."""

_CASE = ("id", "request", "policies", "condition", "context", "version")
_REQUEST = ("principal", "action", "resource", "resource_account", "context", "credentials")
_LAYERS = ("identity", "boundary", "session", "resource", "service_control", "resource_control", "vpc_endpoint")
_ACTION = re.compile(r"[A-Za-z0-9.-]+:[^\s:*?]+", re.ASCII)


@click.command(epilog='Example: echo \'{"id": 1, "condition": {"Bool": {"aws:SecureTransport": "true"}}, "context": {}}\' | sekisho decide --cases -')
@click.option("--cases", "source", required=True, metavar="FILE", help="JSON lines, one case a line; - is standard input.")
@click.option("--estate", "estate_path", metavar="ESTATE", help="Decide cases that bring no policies against this estate (or sekisho.yaml).")
def command(source: str, estate_path: str | None) -> int:
    """Decide requests in bulk.

    A case is a request with the policies that apply to it, by kind (identity, boundary, session, resource, service_control,
    resource_control, vpc_endpoint), or one condition with a context. One JSON object comes out for each line; a line that can't be read
    gives {"id", "error"}, the rest still runs, and the exit status is 2.

    request.credentials may say what the request is signed with (console, key, session-token, role-session, identity-provider, federated,
    root), which refines what STS and IAM let it do at all.

    A session's role has the path that aws:PrincipalArn tells, else that of the policy which names a role of its name. A federated user is
    taken to be a session of the user of that name, unless aws:PrincipalArn names another user.
    """
    from sekisho.loading import load

    policies = _Policies(load(estate_path) if estate_path else None)
    failed = False
    for line in _lines(source):
        answer = _answer(line, policies)
        failed = failed or "error" in answer
        # ASCII: an id may hold half a surrogate pair, which no UTF-8 stream takes.
        sys.stdout.write(json.dumps(answer) + "\n")
        if source == "-":
            sys.stdout.flush()  # whoever asks line by line waits for the answer
    sys.stdout.flush()
    return 2 if failed else 0


def _lines(source: str) -> Iterator[bytes]:
    if source == "-":
        yield from _split(sys.stdin.buffer)
        return
    path = Path(source)
    try:
        with path.open("rb") as file:
            yield from _split(file)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file", expected="a file of JSON lines, or - for standard input") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder", expected="a file of JSON lines, or - for standard input") from None
    except OSError as error:
        raise OutsideError(f"{path}: can't be read: {error.strerror}") from error


def _split(file: IO[bytes]) -> Iterator[bytes]:
    """The lines that aren't blank; of one that is too long the beginning, one byte longer than allowed."""
    while line := file.readline(MAX_LINE + 1):
        rest = line
        while len(rest) > MAX_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE + 1)
        line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield line


def _answer(line: bytes, policies: _Policies) -> dict[str, Any]:
    """The answer to one line. Whatever goes wrong with it is said in its answer, and never an allow (D-06)."""
    from sekisho.policy.json_text import NotJson, decoded, parsed
    from sekisho.policy.positions import Positions

    case_id: Any = None
    if len(line) > MAX_LINE:
        return {"id": _id_seen(line), "error": f"the line is longer than {MAX_LINE:,} bytes"}
    try:
        text = decoded(line)
        case = parsed(text, Positions(text))
        if not isinstance(case, dict):
            raise InputError("a case is a JSON object", expected='{"id": …, "request": {…}, "policies": {…}}')
        case_id = _echoed(case.get("id"))
        if case_id is None and case.get("id") is not None:
            raise InputError("id is no text or number")
        _no_slip(case)
        return {"id": case_id, **(_condition(case) if "condition" in case else _decision(case, policies))}
    except NotJson as error:
        where = f"column {error.column}" + (f" at {error.pointer}" if error.pointer else "")
        return {"id": _id_of(line), "error": f"Syntax errors in policy. {where}: {error.found}; expected {error.expected}"}
    except SekishoError as error:
        return {"id": case_id, "error": " ".join(str(error).split())}
    except RecursionError:
        return {"id": case_id, "error": "nested too deep"}
    except Exception as error:
        # The other lines still want their answers, and this one must not look like any decision.
        return {"id": case_id, "error": f"a mistake of ours: {type(error).__name__}: {error}"}


def _echoed(value: Any) -> Any:
    return value if isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value)) else None


_ID = re.compile(rb'"id"\s*:\s*("(?:[^"\\]|\\.)*+"|-?\d{1,100}\b)')


def _id_of(line: bytes) -> Any:
    """The id of a line that can't be read (a key stands twice, it is cut off, …), where it can be told; else None."""
    try:
        case = json.loads(line)
        return _echoed(case.get("id")) if isinstance(case, dict) else None
    except (ValueError, RecursionError):
        return _id_seen(line)


def _id_seen(line: bytes) -> Any:
    """What looks like the id near the beginning of a line that is no JSON."""
    found = _ID.search(line[:100_000])
    try:
        return json.loads(found.group(1)) if found else None
    except ValueError:
        return None


def _no_slip(case: Mapping[str, Any]) -> None:
    """A key of a case that looks like a known one misspelled: without its policies a request would quietly be decided wrongly."""
    for key in case:
        close = [] if key in _CASE else difflib.get_close_matches(key, [k for k in _CASE if k not in case], 1, 0.75)
        if close:
            raise InputError(f"a case has no {key}", expected=close[0])


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
    context = Request("anonymous", "none:None", "*", _mapping(case, "context")).context
    statement = ready_policy(policy).statements[0]
    holds = statement.test(context)
    if holds is None:
        return {"matches": None, "unknown": list(statement.unknown)}
    return {"matches": holds}


def _mapping(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under ``name``; a missing one or null is empty."""
    value = holder.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{name} is no object", expected=f'"{name}": {{…}}')
    return value


def _known_keys(value: Mapping[str, Any], name: str, known: Iterable[str]) -> None:
    odd = next((k for k in value if k not in known), None)
    if odd is not None:
        raise InputError(f"{name} has no {odd}", expected=f"one of {', '.join(known)}")


def _decision(case: Mapping[str, Any], policies: _Policies) -> dict[str, Any]:
    if "request" not in case:
        raise InputError("a case needs a request, or a condition", expected='"request": {"principal": "…", "action": "…"}')
    estate = policies.of_estate if "policies" not in case else None
    request = _request(_mapping(case, "request"), estate is not None)
    authorizer = estate or policies.authorizer(_mapping(case, "policies"), request)
    decision = authorizer.decide_anew(request)
    answer: dict[str, Any] = {"decision": decision.outcome, "because": [_because(b) for b in decision.because], "message": decision.message}
    if decision.unknown_because:
        answer["unknown_because"] = list(decision.unknown_because)
    return answer


def _because(reason: Any) -> dict[str, Any]:
    return {"layer": reason.layer, "policy": reason.policy, "statement": reason.statement, "sid": reason.sid}


def _request(value: Mapping[str, Any], of_estate: bool) -> Request:
    from sekisho.decision import CredentialKind, Request

    _known_keys(value, "request", _REQUEST)
    for key in ("principal", "action"):
        if not isinstance(value.get(key), str):
            raise InputError(f"request.{key} is missing or no text", expected=f'"{key}": "…"')
    principal, action = str(value["principal"]), str(value["action"])
    if not _ACTION.fullmatch(action):
        raise InputError(f"{action!r} is no action", expected='"service:Action", one action without wildcards')
    resource, account = value.get("resource"), value.get("resource_account")
    if not isinstance(resource, str | None) or resource == "":
        raise InputError("request.resource is no text", expected='an ARN, or "*"')
    if account is not None and not (isinstance(account, str) and re.fullmatch(r"\d{12}", account, re.ASCII)):
        raise InputError(f"request.resource_account is {account!r}", expected="twelve digits")
    kinds = {kind.value: kind for kind in CredentialKind}
    credentials = value.get("credentials")
    if credentials is not None and (not isinstance(credentials, str) or credentials not in kinds):
        raise InputError(f"request.credentials is {credentials!r}", expected=f"one of {', '.join(kinds)}")
    request = Request(
        principal, action, resource if resource is not None else "*", _mapping(value, "context"), resource_account=account,
        credentials=kinds[credentials] if credentials is not None else None,
    )  # fmt: skip
    who = request.caller
    if who.kind == "federated-user" and not who.entity and not of_estate:
        return request.replace(role=f"arn:{who.partition}:iam::{who.account}:user/{who.name}")
    return request


class _Policies:
    """What a batch has compiled: many cases bring the same documents, and compiling one takes longer than a hundred decisions."""

    _MOST_KEPT = 1000
    _LONGEST_KEPT = 200_000

    def __init__(self, estate: Estate | None) -> None:
        from sekisho.decision import Authorizer

        self.of_estate = Authorizer(estate) if estate is not None else None
        self._kept: dict[tuple[bool, str], Authorizer] = {}

    def authorizer(self, given: Mapping[str, Any], request: Request) -> Authorizer:
        """Who decides by the policies of a case."""
        from sekisho.decision import Authorizer

        is_trust = request.action.lower().startswith("sts:") and ":role/" in request.resource
        key = is_trust, json.dumps(given)
        found = self._kept.get(key)
        if found is None:
            found = Authorizer(_layers(given, is_trust))
            if len(key[1]) <= self._LONGEST_KEPT:
                if len(self._kept) >= self._MOST_KEPT:
                    self._kept.clear()
                self._kept[key] = found
        return found


def _layers(value: Mapping[str, Any], is_trust: bool) -> Layers:
    from sekisho.decision import Layers
    from sekisho.policy import PolicyKind

    _known_keys(value, "policies", _LAYERS)

    def flat(name: str, kind: PolicyKind) -> tuple[Policy, ...]:
        return _policies(value.get(name), f"/policies/{name}", kind)

    def levels(name: str, kind: PolicyKind) -> tuple[tuple[Policy, ...], ...] | None:
        given = value.get(name)
        if given is None or given == []:
            return None
        if not isinstance(given, list) or not all(isinstance(level, list) for level in given):
            raise InputError(f"/policies/{name} is no list of levels", expected=f'"{name}": [[{{"name": "…", "document": {{…}}}}, …], …]')
        return tuple(_policies(level, f"/policies/{name}/{i}", kind) for i, level in enumerate(given))

    return Layers(
        flat("identity", PolicyKind.IDENTITY), flat("boundary", PolicyKind.BOUNDARY) or None, flat("session", PolicyKind.SESSION) or None,
        flat("resource", PolicyKind.TRUST if is_trust else PolicyKind.RESOURCE), levels("service_control", PolicyKind.SERVICE_CONTROL),
        levels("resource_control", PolicyKind.RESOURCE_CONTROL), flat("vpc_endpoint", PolicyKind.VPC_ENDPOINT) or None,
    )  # fmt: skip


def _policies(listed: Any, pointer: str, kind: PolicyKind) -> tuple[Policy, ...]:
    from sekisho.policy import Policy

    if listed is None:
        return ()
    if not isinstance(listed, list):
        raise InputError(f"{pointer} is no list", expected='[{"name": "…", "document": {…}}, …]')
    found = []
    for i, entry in enumerate(listed):
        here = f"{pointer}/{i}"
        if not isinstance(entry, dict) or not isinstance(entry.get("document"), dict | str):
            raise InputError(f"{here} has no document", expected='{"name": "…", "document": {…}}')
        name, arn = entry.get("name"), entry.get("arn")
        if not isinstance(name, str | None) or not isinstance(arn, str | None):
            raise InputError(f"{here}: name and arn are texts")
        found.append(Policy.parse(entry["document"], kind=kind, name=name or "", arn=arn, pointer=f"{here}/document"))
    return tuple(found)
