"""`sekisho can`: one question, the verdict, the statement, and the fewest changes that turn it; each answer held against `decide`."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from proof.estates import ALICE, OFFICE, OPS, J, allow, document, estate, role, trust, user
from sekisho import CredentialKind, Estate, Request, decide, load
from sekisho.proof import Asked, ask

from .running import Runner, check_error

EXAMPLES = Path(__file__).parents[2] / "examples"
ARTICLE, COMPANY = EXAMPLES / "article.yaml", EXAMPLES / "company.yaml"


@pytest.mark.parametrize(
    ("words", "status", "first"),
    [
        (["test-user", "switch-to", "test-role-admin", "--from", "office", "--mfa"], 0, "Yes: test-user can switch to workload/test-role-admin."),
        (["test-user", "switch-to", "workload/test-role-admin", "--from", "203.0.113.10", "--mfa"], 0, "Yes:"),
        (["test-user", "switch-to", "test-role-admin", "--from", "cafe"], 1, "No: test-user can't switch to workload/test-role-admin."),
        (["test-user", "switch-to", "test-role-admin", "--from", "office", "--no-mfa"], 1, "No:"),
        (["test-user", "switch-to", "test-role-admin", "--via-endpoint", "vpce-1", "--mfa"], 1, "No:"),
        (["test-user", "switch-to", "test-role-admin"], 1, "It depends: test-user can switch to workload/test-role-admin from office"),
        (["test-user", "switch-to", "test-role-admin", "--from", "office", "--with", "key"], 1, "No:"),
        (["test-user", "switch-to", "test-role-admin", "--from", "office", "--with", "key", "--mfa"], 0, "Yes:"),
        (["test-user", "do", "iam:ChangePassword", "on", "arn:aws:iam::111122223333:user/test-user", "--from", "office"], 0, "Yes:"),
        (["test-user", "do", "ec2:DescribeInstances"], 1, "No: test-user can't do ec2:DescribeInstances."),
        (["test-role-admin", "do", "ec2:DescribeInstances", "--from", "cafe"], 0, "Yes:"),
        (["arn:aws:iam::999999999999:user/x", "switch-to", "test-role-admin"], 1, "No:"),
        (["test-user", "switch-to", "arn:aws:iam::999999999999:role/x", "--from", "office"], 1, "Unknown:"),
    ],
    ids=lambda value: " ".join(value[1:]) if isinstance(value, list) else None,
)
def test_the_article(words: list[str], status: int, first: str, run: Runner) -> None:
    ran = run("can", ARTICLE, *words)
    assert (ran.status, ran.err) == (status, "") and ran.out.startswith(first), ran


def test_a_place_that_was_asked_about_is_not_said_to_be_any(run: Runner) -> None:
    ran = run("can", COMPANY, "tanaka", "switch-to", "staging/developer", "--from", "tokyo", "--mfa")
    assert ran.out.startswith("It depends: tanaka can switch to staging/developer if MFA's age in seconds is below 3600, and not otherwise.")


@pytest.mark.parametrize(
    ("networks", "words", "status", "first", "second"),
    [
        ("anywhere", ["--from", "cafe"], 0, "Yes: test-user can sign in", "AWS Sign-In: no permission statement is in force"),
        ("[office]", ["--from", "office"], 0, "Yes: test-user can sign in", "AWS Sign-In: Allow by"),
        ("[office]", ["--from", "cafe"], 1, "No: test-user can't sign in", "AWS Sign-In: Deny by"),
        ("[office]", ["--via-endpoint", "vpce-1"], 1, "No: test-user can't sign in", "AWS Sign-In: Deny by"),
        ("[office]", [], 1, "It depends: test-user can sign in to the console from office", "otherwise: AWS Sign-In: Deny by"),
    ],
)
def test_rules_M_the_sign_in(networks: str, words: list[str], status: int, first: str, second: str, run: Runner, tmp_path: Path) -> None:
    """M-01, M-02: what the permission statements let through, whatever the user's own policies say (F-17)."""
    file = tmp_path / "sekisho.yaml"
    file.write_text(ARTICLE.read_text().replace("sign_in: anywhere", f"sign_in: {networks}"))
    ran = run("can", file, "test-user", "sign-in", *words)
    assert ran.status == status and ran.out.startswith(first) and second in ran.out.splitlines()[1]
    check_error(run("can", file, "test-user", "sign-in", "--mfa"), "no credentials yet", "M-03")
    check_error(run("can", file, "test-role-admin", "sign-in"), "doesn't sign in", "a user")


def test_the_statement_and_its_line(run: Runner) -> None:
    lines = run("can", ARTICLE, "test-user", "switch-to", "test-role-admin", "--from", "cafe", "--mfa").out.splitlines()
    where = next(i for i, line in enumerate(ARTICLE.read_text().splitlines(), 1) if line.strip().startswith("networks: [office, vpn]     # method 1"))
    assert lines[1] == f"  identity policy: Deny by deny-outside-networks, statement 0, {ARTICLE}:{where}:3"
    assert lines[2].startswith("  trust policy: Deny by trust policy of test-role-admin, statement 1, ")
    assert lines[3].startswith("  AWS would say: User: arn:aws:iam::111122223333:user/test-user is not authorized to perform: sts:AssumeRole")
    assert lines[4] == "  From office (203.0.113.10) it would be allowed."


def test_an_estate_in_AWS_JSON_gives_file_and_pointer(run: Runner, tmp_path: Path) -> None:
    run("compile", ARTICLE, "--out", tmp_path / "out")
    ran = run("can", tmp_path / "out", "test-user", "switch-to", "test-role-admin", "--from", "192.0.2.44", "--mfa")
    assert ran.status == 1 and "111122223333.json" in ran.out and "/Statement" in ran.out
    assert "From 198.51.100.20 it would be allowed" in ran.out or "From 203.0.113.10 it would be allowed" in ran.out


@pytest.mark.parametrize(
    ("words", "last"),
    [
        (["tanaka", "switch-to", "staging/developer", "--from", "vpn", "--mfa"], "With aws:MultiFactorAuthAge 60 it would be allowed."),
        (["tanaka", "switch-to", "staging/developer", "--from", "cafe-v6"], "From tokyo (203.0.113.5) and with MFA and with "),
        (["tanaka", "switch-to", "production/operator"], "No change of address, MFA or any other part of the request would make it allowed."),
        (["break-glass-1", "switch-to", "shared-services/break-glass", "--from", "cafe", "--mfa"], "Without MFA it would be refused."),
        (["sato", "switch-to", "production/admin", "--from", "tokyo", "--mfa"], "From 192.0.2.1 it would be refused."),
        (["noc-1", "switch-to", "production/operator", "--from", "cafe", "--mfa"], "From partner (192.0.2.70) it would be allowed."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_turns_it_is_what_a_person_would_say(words: list[str], last: str, run: Runner) -> None:
    assert run("can", COMPANY, *words).out.splitlines()[-1].strip().startswith(last)


def test_a_time(run: Runner, tmp_path: Path) -> None:
    inline = "inline_policies: {p: {Version: 2012-10-17, Statement: {Effect: Allow, Action: '*', Resource: '*', Condition: {DateLessThan: {aws:CurrentTime: 2027-01-01T00:00:00Z}}}}}"
    file = tmp_path / "timed.yaml"
    file.write_text(ARTICLE.read_text().replace("policies: [arn:aws:iam::aws:policy/AdministratorAccess]", inline))
    asked = ["can", file, "test-role-admin", "do", "s3:GetObject", "on", "arn:aws:s3:::b/x"]
    assert run(*asked, "--at", "2026-12-31T23:59:59Z").status == 0
    assert run(*asked, "--at", "2027-01-01T08:59:59+09:00").status == 0
    assert run(*asked, "--at", "2027-01-01T09:00:00+09:00").status == 1
    assert "It depends" in run(*asked).out


def test_other_keys(run: Runner, tmp_path: Path) -> None:
    file = tmp_path / "keyed.yaml"
    condition = "Condition: {StringEquals: {aws:RequestedRegion: eu-west-1}, 'ForAnyValue:StringEquals': {aws:CalledVia: [a.amazonaws.com]}}"
    inline = f"inline_policies: {{p: {{Version: 2012-10-17, Statement: {{Effect: Allow, Action: '*', Resource: '*', {condition}}}}}}}"
    file.write_text(ARTICLE.read_text().replace("policies: [arn:aws:iam::aws:policy/AdministratorAccess]", inline))
    asked = ["can", file, "test-role-admin", "do", "ec2:DescribeInstances", "--key", "aws:RequestedRegion=eu-west-1"]
    assert run(*asked, "--key", "aws:CalledVia=b.amazonaws.com", "--key", "aws:CalledVia=a.amazonaws.com").status == 0
    assert run(*asked, "--key", "aws:CalledVia=b.amazonaws.com").status == 1
    assert run(*asked, "--key", "aws:CalledVia").status == 1


def test_json_carries_the_request_that_decide_answers_alike(run: Runner) -> None:
    ran = run("can", COMPANY, "noc-1", "switch-to", "production/operator", "--from", "cafe", "--format", "json")
    found = json.loads(ran.out)
    assert found["schema"] == "sekisho/can/v1" and found["verdict"] == "deny" and ran.status == 1
    assert found["example"]["context"]["aws:sourceip"] == "198.18.0.9"
    made = load(COMPANY)
    request = Request(found["example"]["principal"], found["example"]["action"], found["example"]["resource"], found["example"]["context"])
    decision = decide(request, made)
    assert decision.outcome == found["decision"] and decision.message == found["message"]
    assert [b["statement"] for b in found["because"]] == [b.statement for b in decision.because]
    assert decide(request.with_context(found["flips"]), made).allowed
    assert found["allowed"] == [] and found["unknown"] is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["test-usr", "switch-to", "test-role-admin"], ("there is no principal test-usr", "did you mean test-user?")),
        (["test-user", "switch-to", "test-role-amin"], ("there is no role test-role-amin", "did you mean test-role-admin?")),
        (["test-user", "switch-to", "test-role-admin", "--from", "ofice"], ("--from ofice: no address and no vantage point", "office")),
        (["test-user", "switch-to", "test-role-admin", "--from", "203.0.113.999"], ("no address and no vantage point",)),
        (["test-user", "switch-to", "test-role-admin", "--from", "office", "--via-endpoint", "vpce-1"], ("exclude each other", "E-02")),
        (["test-user", "switch-to", "test-role-admin", "--at", "noon"], ("--at noon: no time", "ISO 8601")),
        (["test-user", "switch-to", "test-role-admin", "--key", "region=x"], ("--key region=x: no context key",)),
        (["test-user", "do", "everything"], ("everything is no action", "service:Action")),
        (["test-user", "fly"], ("can't read 'fly'", "switch-to ROLE")),
        (["test-user", "do", "s3:GetObject", "at", "x"], ("can't read",)),
        (["arn:aws:iam::1:user/x", "switch-to", "test-role-admin"], ("is no principal",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes(words: list[str], told: tuple[str, ...], run: Runner) -> None:
    check_error(run("can", ARTICLE, *words), *told)


def test_a_name_of_several(run: Runner) -> None:
    check_error(run("can", COMPANY, "sato", "switch-to", "admin"), "admin is the name of several roles", "production/admin")


def test_exactly_asks_one_request(run: Runner) -> None:
    asked = ["can", COMPANY, "tanaka", "switch-to", "staging/developer", "--from", "vpn", "--mfa"]
    assert "It depends" in run(*asked).out
    assert run(*asked, "--key", "aws:MultiFactorAuthAge=60", "--exactly").out.startswith("Yes")


# --- flips, by force ---------------------------------------------------------------------------------------------------------

KEYS: Mapping[str, tuple[str | None, ...]] = {
    "aws:SourceIp": ("203.0.113.5", "198.51.100.7", None), "aws:MultiFactorAuthPresent": ("true", "false", None),
    "aws:RequestedRegion": ("us-east-1", "eu-west-1"), "sts:ExternalId": ("secret", "other", None), "aws:SourceVpce": ("vpce-1", "vpce-2", None),
}  # fmt: skip
CONDITIONS = (
    {"IpAddress": {"aws:SourceIp": OFFICE}}, {"NotIpAddress": {"aws:SourceIp": OFFICE}}, {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
    {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}, {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}},
    {"StringEquals": {"sts:ExternalId": "secret"}}, {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}},
)  # fmt: skip


def _contexts() -> list[dict[str, str]]:
    """All contexts that AWS can send, of these values (E-02: an address or an endpoint)."""
    found = []
    for values in itertools.product(*KEYS.values()):
        context = {k: v for k, v in zip(KEYS, values, strict=True) if v is not None}
        if not ("aws:SourceIp" in context and "aws:SourceVpce" in context):
            found.append(context)
    return found


def _made(rng: random.Random) -> Estate:
    def block(effect: str) -> dict[str, Any]:
        condition: dict[str, Any] = {}
        for one in rng.sample(CONDITIONS, rng.randint(1, 2)):
            condition.update(one)
        return {"Effect": effect, "Action": "sts:AssumeRole", "Resource": "*", "Condition": condition}

    mine = [block("Allow"), *([block("Allow")] if rng.random() < 0.5 else []), *([block("Deny")] if rng.random() < 0.5 else [])]
    return estate((user("alice", document(*mine)),), role(OPS, trust(allow(J, rng.choice(CONDITIONS)))))


@pytest.mark.parametrize("seed", range(3))
def test_flips_turn_the_decision_and_none_with_fewer_keys_does(seed: int) -> None:
    rng = random.Random(seed)
    every = _contexts()
    turned = 0
    for _ in range(20):
        made = _made(rng)
        asked = rng.choice(every)
        known = {k: asked.get(k) for k in KEYS if k != "aws:MultiFactorAuthPresent"}
        mfa = asked.get("aws:MultiFactorAuthPresent")
        kind = CredentialKind.KEY if mfa is None else CredentialKind.SESSION_TOKEN
        answer = ask(Asked(ALICE, "sts:AssumeRole", OPS, None, kind, mfa == "true", False, known), made)
        before = decide(answer.example, made)
        assert answer.verdict == ("allow" if before.allowed else "deny")
        flips = answer.flips
        fewest = min(
            (
                sum(1 for k in KEYS if other.get(k) != asked.get(k))
                for other in every
                if decide(Request(ALICE, "sts:AssumeRole", OPS, other), made).allowed != before.allowed
            ),
            default=None,
        )
        if flips is None:
            assert fewest is None, (asked, fewest)
            continue
        turned += 1
        after = decide(answer.example.replace(credentials=None).with_context(flips), made)
        assert after.allowed != before.allowed and after.outcome != "unknown", (asked, flips)
        counted = [k for k in flips if k not in ("aws:tokenissuetime", "aws:multifactorauthage")]
        assert fewest is not None and len(counted) <= fewest, (asked, flips, fewest)
    assert turned > 10
