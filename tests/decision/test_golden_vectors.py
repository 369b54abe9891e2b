"""The golden vectors of the rule book, section I: through ``sekisho decide --cases``, and through the Python API on an Estate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from golden import VECTORS, Vector
from sekisho import CredentialKind, Request, decide, load
from sekisho.decision import request_context
from sekisho.estate import aws_managed_document

IDS = [f"I-{v.number}" for v in VECTORS]


def case_of(vector: Vector) -> dict[str, Any]:
    """The vector as one line of cases: its context as it stands in the file, its documents by layer."""
    of = vector.of
    if ":assumed-role/" in of["principal"]:
        identity = [{"name": arn, "document": json.loads(aws_managed_document(arn).document)} for arn in of["role_policies"]]
    else:
        identity = [{"name": name, "document": vector.documents[name]} for name in vector.group]
    trust = [{"name": of["trust"], "document": vector.documents[of["trust"]]}] if ":role/" in of["resource"] else []
    request = {key: of[key] for key in ("principal", "action", "resource", "context", "credentials")}
    return {"id": vector.number, "request": request, "policies": {"identity": identity, "resource": trust}}


def request_of(vector: Vector) -> Request:
    """The vector as a request: its context made from the kind of credentials and where the call comes from (table E)."""
    of = vector.of
    kind = CredentialKind(of["credentials"])
    context = dict(request_context(kind, mfa=of.get("mfa"), **of["from"]))
    if of.get("mfa_on_call"):
        context["aws:MultiFactorAuthPresent"] = "true"
    if of.get("hypothetical"):
        context |= of["context"]
    return Request(of["principal"], of["action"], of["resource"], context, credentials=kind)


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    lines = "".join(json.dumps(case_of(v)) + "\n" for v in VECTORS)
    run = subprocess.run([sys.executable, "-m", "sekisho.cli", "decide", "--cases", "-"], input=lines.encode(), capture_output=True, check=False)
    assert run.returncode == 0, run.stdout.decode() + run.stderr.decode()
    return {answer["id"]: answer for answer in map(json.loads, run.stdout.splitlines())}


def test_all_twenty_are_there() -> None:
    assert {int(v.number.partition(",")[0]) for v in VECTORS} == set(range(1, 21))


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_by_the_command(vector: Vector, answers: dict[str, Any]) -> None:
    answer, expect = answers[vector.number], vector.expect
    assert answer["decision"] == expect["decision"]
    assert answer["message"] == expect.get("message", "")
    if expect["decision"] != "allow":
        assert answer["because"][0]["layer"] == expect["layer"]
    if "also_denied_by" in vector.of:
        assert [b["layer"] for b in answer["because"]] == vector.of["also_denied_by"]


@pytest.mark.parametrize("vector", VECTORS, ids=IDS)
def test_on_an_estate(vector: Vector, tmp_path: Path) -> None:
    for account, body in vector.accounts().items():
        (tmp_path / f"{account}.json").write_text(json.dumps(body))
    decision = decide(request_of(vector), load(tmp_path))
    expect = vector.expect
    assert (decision.outcome, decision.layer, decision.message) == (expect["decision"], expect.get("layer"), expect.get("message", ""))
    for key, value in vector.of["context"].items():
        assert decision.context[key.lower()] == value, "the file's context is what table E gives"
