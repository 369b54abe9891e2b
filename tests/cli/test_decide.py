"""``sekisho decide --cases``: the contract of its lines, and what it makes of lines that are no cases."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sekisho.cli import cli

ALICE = "arn:aws:iam::111122223333:user/test-user"
ROLE = "arn:aws:iam::444455556666:role/test-role-admin"
ALLOW = {"Version": "2012-10-17", "Statement": {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}}
TRUST = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": "111122223333"}, "Action": "sts:AssumeRole"}}


def run(text: str | bytes, *options: str, source: str = "-") -> tuple[list[dict[str, Any]], int, str]:
    """The answers, the exit status, and what stands on stderr."""
    raw = text.encode() if isinstance(text, str) else text
    done = CliRunner().invoke(cli, ["decide", "--cases", source, *options], input=raw, standalone_mode=False, catch_exceptions=False)
    return [json.loads(line) for line in done.stdout_bytes.decode("ascii").splitlines()], done.return_value, done.stderr


def run_apart(text: str | bytes, *options: str, source: str = "-") -> tuple[list[dict[str, Any]], int, str]:
    """The same in a process of its own, as a shell starts it."""
    raw = text.encode() if isinstance(text, str) else text
    done = subprocess.run(
        [sys.executable, "-m", "sekisho.cli", "decide", "--cases", source, *options], input=raw, capture_output=True, check=False
    )  # fmt: skip
    return [json.loads(line) for line in done.stdout.decode("ascii").splitlines()], done.returncode, done.stderr.decode()


def request(**more: Any) -> dict[str, Any]:
    return {"principal": ALICE, "action": "sts:AssumeRole", "resource": ROLE, **more}


def case(policies: Any = None, case_id: Any = 1, **more: Any) -> dict[str, Any]:
    return {"id": case_id, "request": request(**more), **({} if policies is None else {"policies": policies})}


def lines(*cases: Any) -> str:
    return "".join(json.dumps(c) + "\n" for c in cases)


def of(layer: str, document: Any = ALLOW, name: str = "p") -> dict[str, Any]:
    return {layer: [{"name": name, "document": document}]}


# The contract ----------------------------------------------------------------------------------------------------------------


def test_an_allow_a_deny_and_a_condition() -> None:
    both = {**of("identity", name="ids"), **of("resource", TRUST, "trust")}
    condition = {"id": 3, "condition": {"Bool": {"k": "true"}}, "context": {"k": True}}
    answers, status, stderr = run_apart(lines(case(both, "a"), case(of("identity"), "b"), condition))
    assert (status, stderr) == (0, "")
    assert answers == [
        {
            "id": "a", "decision": "allow", "message": "",
            "because": [
                {"layer": "identity", "policy": "ids", "statement": 0, "sid": "All"},
                {"layer": "resource", "policy": "trust", "statement": 0, "sid": None},
            ],
        },
        {
            "id": "b", "decision": "implicit_deny", "because": [{"layer": "resource", "policy": None, "statement": None, "sid": None}],
            "message": f"User: {ALICE} is not authorized to perform: sts:AssumeRole on resource: {ROLE}",
        },
        {"id": 3, "matches": True},
    ]  # fmt: skip


def test_a_file_and_standard_input_say_the_same(tmp_path: Path) -> None:
    text = lines(case(of("identity")), {"id": 2, "condition": {"Null": {"k": "true"}}, "context": {}})
    file = tmp_path / "cases.jsonl"
    file.write_text("\n" + text.rstrip("\n"), encoding="utf-8-sig")
    assert run("", source=str(file)) == run(text)


def test_an_estate_for_cases_without_policies(tmp_path: Path) -> None:
    (tmp_path / "111122223333.json").write_text(json.dumps({
        "UserDetailList": [{
            "UserName": "test-user", "Arn": ALICE, "UserId": "AIDAEXAMPLEEXAMPLE",
            "AttachedManagedPolicies": [{"PolicyName": "Lost", "PolicyArn": "arn:aws:iam::111122223333:policy/Lost"}],
        }],
    }))  # fmt: skip
    answers, status, _ = run(lines(case(action="s3:ListAllMyBuckets", resource="*"), case({}, 2)), "--estate", str(tmp_path))
    assert status == 0
    why = ["the document of arn:aws:iam::111122223333:policy/Lost is not known"]
    assert (answers[0]["decision"], answers[0]["unknown_because"]) == ("unknown", why)
    assert answers[1]["decision"] == "implicit_deny", "a case that brings policies, were it none, doesn't ask the estate"


EMPTY = ({}, None, {"identity": []}, {"identity": None, "boundary": [], "session": [], "resource": [], "service_control": [], "resource_control": []})


@pytest.mark.parametrize("policies", EMPTY, ids=json.dumps)
def test_lists_may_be_empty_or_missing(policies: Any) -> None:
    answers, status, _ = run(lines(case(policies, action="s3:ListAllMyBuckets", resource="*")))
    assert (status, answers[0]["because"][0]["layer"]) == (0, "identity")


def test_empty_boundary_and_session_lists_are_none_at_all() -> None:
    answers, _, _ = run(lines(case({**of("identity"), "boundary": [], "session": [], "vpc_endpoint": [], "service_control": []}, resource="*")))
    assert answers[0]["decision"] == "allow"


PRINCIPALS = {
    ALICE: ("User", ALICE), "arn:aws:iam::111122223333:role/Dev": ("AssumedRole", "arn:aws:iam::111122223333:role/Dev"),
    "arn:aws:sts::111122223333:assumed-role/Dev/x": ("AssumedRole", "arn:aws:iam::111122223333:role/Dev"),
    "arn:aws:iam::111122223333:root": ("Account", "arn:aws:iam::111122223333:root"), "anonymous": ("Anonymous", None),
    "arn:aws:sts::111122223333:federated-user/x": ("FederatedUser", "arn:aws:sts::111122223333:federated-user/x"),
}  # fmt: skip


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_every_kind_of_principal_has_its_derived_keys(principal: str) -> None:
    kind, arn = PRINCIPALS[principal]
    condition: dict[str, Any] = {"StringEquals": {"aws:PrincipalType": kind}}
    condition |= {"ArnEquals": {"aws:PrincipalArn": arn}} if arn else {"Null": {"aws:PrincipalArn": "true"}}
    bucket = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition}}
    answers, status, _ = run(lines(case(of("resource", bucket), principal=principal, action="s3:GetObject", resource="arn:aws:s3:::b/k")))
    assert (status, answers[0]["decision"]) == (0, "allow")


def test_a_service_is_a_principal() -> None:
    trust = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}}
    answers, _, _ = run(lines(case(of("resource", trust), principal="ec2.amazonaws.com"), case(of("resource", trust), principal="sqs.amazonaws.com")))
    assert [a["decision"] for a in answers] == ["allow", "implicit_deny"]


def test_a_multi_valued_context() -> None:
    condition = {"ForAnyValue:StringEquals": {"aws:CalledVia": "dynamodb.amazonaws.com"}}
    only = {**ALLOW, "Statement": {**ALLOW["Statement"], "Condition": condition}}
    via = {"aws:CalledVia": ["cloudformation.amazonaws.com", "dynamodb.amazonaws.com"]}
    contexts = [via, {}, {"aws:CalledVia": []}]
    answers, _, _ = run(lines(*(case(of("identity", only), 1, action="s3:ListAllMyBuckets", resource="*", context=c) for c in contexts)))
    assert [a["decision"] for a in answers] == ["allow", "implicit_deny", "implicit_deny"]


def test_an_unknown_meaning_is_unknown_and_says_so() -> None:
    """C-34."""
    condition = {"IpAddress": {"aws:SourceIp": "::ffff:203.0.113.0/120"}}
    only = {**ALLOW, "Statement": {**ALLOW["Statement"], "Condition": condition}}
    context = {"aws:SourceIp": "203.0.113.5"}
    answers, status, _ = run(lines(
        case(of("identity", only), action="s3:ListAllMyBuckets", resource="*", context=context),
        {"id": 2, "condition": condition, "context": context},
    ))  # fmt: skip
    assert status == 0
    assert (answers[0]["decision"], answers[1]["matches"]) == ("unknown", None)
    assert "::ffff:203.0.113.0/120" in answers[0]["unknown_because"][0]
    assert answers[0]["message"].startswith("User: ")


def test_a_condition_alone_by_version() -> None:
    asked = {"condition": {"StringEquals": {"k": "${aws:username}"}}, "context": {"k": "a", "aws:username": "a"}}
    answers, _, _ = run(lines({"id": 1, **asked}, {"id": 2, "version": "2012-10-17", **asked}, {"id": 3, "version": "2008-10-17", **asked}))
    assert [a["matches"] for a in answers] == [True, True, False]


# Lines that are no cases ---------------------------------------------------------------------------------------------------------

BAD = {
    "not JSON": ("{", None, "not JSON"),
    "cut off after its id": ('{"id": "cut", "request": {"principal": ', "cut", "too early"),
    "an array": ("[1]", None, "a case is a JSON object"),
    "a text": ('"x"', None, "a case is a JSON object"),
    "NaN": ('{"id": 7, "request": NaN}', 7, "NaN"),
    "an id that is an object": ('{"id": {"a": 1}}', None, "id is no text or number"),
    "nothing in it": ('{"id": 8}', 8, "a case needs a request"),
    "a key twice": ('{"id": "twice", "condition": {"Bool": {"k": "true", "k": "false"}}, "context": {}}', "twice", "stands twice"),
    "a key twice in a document": (
        '{"id": 9, "request": {"principal": "anonymous", "action": "s3:GetObject"}, "policies": {"resource": [{"document": '
        '{"Statement": {"Effect": "Deny", "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}}}]}}', 9, '"Effect" stands twice',
    ),
    "nested too deep": ('{"id": 10, "condition": ' + "[" * 100_000 + "]" * 100_000 + "}", 10, "too deep"),
    "nested deep": ('{"id": 11, "condition": {"Bool": ' + '{"a":' * 500 + "1" + "}" * 500 + "}}", 11, "nested"),
    "a context nested deep": (lines({"id": 12, "condition": {"Bool": {"k": "true"}}, "context": {"k": [[["a"]]]}}), 12, "context key k"),
    "a context that is a list": (lines({"id": 13, "condition": {"Bool": {"k": "true"}}, "context": ["k"]}), 13, "context is no object"),
    "a context key twice in two letter cases": (
        lines(case(of("identity"), 14, context={"aws:SourceIp": "203.0.113.5", "aws:sourceip": "198.51.100.7"})), 14, "stands twice",
    ),
    "an unknown operator": (lines({"id": 15, "condition": {"IpAdress": {"k": "203.0.113.0/24"}}, "context": {}}), 15, "Syntax errors in policy."),
    "an unknown version": (lines({"id": 16, "condition": {}, "version": "2020-01-01", "context": {}}), 16, "Syntax errors in policy."),
    "a version that is a list": (lines({"id": 17, "condition": {}, "version": ["2012-10-17"], "context": {}}), 17, "Syntax errors in policy."),
    "a condition that is null": (lines({"id": 18, "condition": None, "context": {}}), 18, "Syntax errors in policy."),
    "a request that is a text": (lines({"id": 19, "request": "x"}), 19, "request is no object"),
    "no principal": (lines({"id": 20, "request": {"action": "s3:GetObject"}}), 20, "request.principal is missing"),
    "a principal that is none": (lines(case({}, 21, principal="arn:aws:iam::111122223333:group/g")), 21, "is no principal"),
    "a principal that is a number": (lines(case({}, 22, principal=1)), 22, "request.principal"),
    "an action that is none": (lines(case({}, 23, action="AssumeRole")), 23, "is no action"),
    "an action with a wildcard": (lines(case({}, 24, action="s3:*")), 24, "is no action"),
    "a resource that is a list": (lines(case({}, 25, resource=[ROLE])), 25, "request.resource"),
    "an account that is no account": (lines(case({}, 26, resource_account="1234")), 26, "twelve digits"),
    "an account that is a number": (lines(case({}, 27, resource_account=444455556666)), 27, "twelve digits"),
    "a request with a key that there isn't": (lines(case({}, 28, resourceAccount="444455556666")), 28, "request has no resourceAccount"),
    "a layer that there isn't": (lines(case({"boundaries": []}, 29)), 29, "policies has no boundaries"),
    "policies misspelled": (lines({**case(None, 30), "polices": of("identity")}), 30, "a case has no polices"),
    "policies that are a list": (lines(case([], 31)), 31, "policies is no object"),
    "a boundary that is an object": (lines(case({"boundary": {}}, 32)), 32, "/policies/boundary is no list"),
    "a boundary that is false": (lines(case({"boundary": False}, 33)), 33, "/policies/boundary is no list"),
    "a policy without a document": (lines(case({"identity": [{"name": "p"}]}, 34)), 34, "/policies/identity/0 has no document"),
    "a document that is a list": (lines(case(of("identity", [ALLOW]), 35)), 35, "/policies/identity/0 has no document"),
    "a name that is a number": (lines(case({"identity": [{"name": 1, "document": ALLOW}]}, 36)), 36, "name and arn are texts"),
    "levels that aren't lists": (lines(case({"service_control": [{"document": ALLOW}]}, 37)), 37, "/policies/service_control is no list of levels"),
    "a document that AWS refuses": (
        lines(case(of("identity", {"Statement": {**ALLOW["Statement"], "Effect": "Permit"}}), 38)), 38,
        "/policies/identity/0/document/Statement/Effect",
    ),
    "a principal in an identity policy": (lines(case(of("identity", TRUST), 39)), 39, "should not specify a principal"),
    "no principal in a trust policy": (lines(case(of("resource", ALLOW), 40)), 40, ""),
    "NotPrincipal in a trust policy": (
        lines(case(of("resource", {"Statement": {"Effect": "Allow", "NotPrincipal": {"AWS": ALICE}, "Action": "sts:AssumeRole"}}), 41)), 41,
        "NotPrincipal",
    ),
    "a wildcard in a principal": (
        lines(case(of("resource", {"Statement": {"Effect": "Allow", "Principal": {"AWS": ALICE + "*"}, "Action": "sts:AssumeRole"}}), 42)), 42,
        f'Invalid principal in policy: "AWS":"{ALICE}*"',
    ),
    "credentials of no kind": (lines(case({}, 43, credentials="password")), 43, "request.credentials"),
    "credentials that are a list": (lines(case({}, 44, credentials=["key"])), 44, "request.credentials"),
}  # fmt: skip
GOOD = lines({"id": "good", "condition": {"Bool": {"k": "true"}}, "context": {"k": "true"}})


def test_each_line_that_can_not_be_read_is_an_error_and_the_rest_still_runs() -> None:
    """D-06: what can't be evaluated is an error that says so, and never a decision."""
    answers, status, stderr = run_apart("".join(text.rstrip("\n") + "\n" + GOOD for text, _, _ in BAD.values()))
    assert (status, stderr) == (2, "")
    assert answers[1::2] == [{"id": "good", "matches": True}] * len(BAD)
    for name, answer in zip(BAD, answers[::2], strict=True):
        _, case_id, told = BAD[name]
        assert set(answer) == {"id", "error"}, (name, answer)
        assert answer["id"] == case_id, name
        assert told in answer["error"], (name, answer["error"])
        assert "mistake of ours" not in answer["error"], (name, answer["error"])


def test_bytes_that_are_no_utf_8() -> None:
    answers, status, _ = run(b'{"id": "bytes", "request": "\xff\xfe"}\n' + GOOD.encode() + b"\x00\n" + b"\xff\n")
    assert status == 2
    assert [a["id"] for a in answers] == ["bytes", "good", None, None]
    assert "not UTF-8" in answers[0]["error"]


def test_an_id_of_half_a_surrogate_pair_comes_back() -> None:
    answers, status, _ = run('{"id": "\\ud800", "condition": {}, "context": {}}\n')
    assert (status, answers[0]) == (0, {"id": "\ud800", "matches": True})


def test_ids_of_other_kinds_come_back() -> None:
    asked = [1.5, -3, "", "関所", None, True]
    answers, status, _ = run(lines(*({"id": i, "condition": {}, "context": {}} for i in asked)))
    assert (status, [a["id"] for a in answers]) == (0, asked)


def test_a_huge_line_is_answered() -> None:
    networks = [f"10.{i >> 8 & 255}.{i & 255}.0/24" for i in range(60_000)]
    asked = {"id": 1, "condition": {"IpAddress": {"aws:SourceIp": networks}}, "context": {"aws:SourceIp": "10.200.7.1", "x": "y" * 5_000_000}}
    answers, status, _ = run(lines(asked) + GOOD)
    assert (status, [a["matches"] for a in answers]) == (0, [True, True])


def test_numbers_are_compared_exactly() -> None:
    """C-32: neither a policy's number nor a request's goes through a float."""
    text = '{"id": 1, "condition": {"NumericEquals": {"k": 0.1000000000000000000001}}, "context": {"k": %s}}\n'
    answers, _, _ = run(text % "0.1000000000000000000001" + text % "0.1")
    assert [a["matches"] for a in answers] == [True, False]


def test_answers_come_line_by_line() -> None:
    """Whoever asks one case and waits for its answer before the next gets it."""
    process = subprocess.Popen([sys.executable, "-m", "sekisho.cli", "decide", "--cases", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        for _ in range(3):
            process.stdin.write(GOOD.encode())
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["matches"] is True
    finally:
        process.stdin.close()
        process.stdout.close()
        assert process.wait(timeout=30) == 0


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    answers, status, stderr = run_apart("", source=str(tmp_path / "none.jsonl"))
    assert (answers, status) == ([], 2)
    assert "no such file" in stderr and "Traceback" not in stderr
    assert run_apart("", source=str(tmp_path))[1] == 2, "a folder"


def test_no_lines_no_answers() -> None:
    assert run("\n \n") == ([], 0, "")


def test_the_same_documents_again_are_not_mixed_up_with_others() -> None:
    """Documents are compiled once a batch: for a role they are a trust policy, for a bucket they aren't."""
    bucket = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "*"}}
    asked = case(of("resource", bucket), 1, action="s3:GetObject", resource="arn:aws:s3:::b/k")
    on_role = case(of("resource", bucket), 2)
    answers, status, _ = run(lines(asked, on_role, asked, case({**of("resource", bucket), **of("boundary")}, 4, action="s3:GetObject", resource="*")))
    assert (status, [a.get("decision") for a in answers]) == (2, ["allow", None, "allow", "allow"])
    assert "Trust Policy statement actions" in answers[1]["error"]
