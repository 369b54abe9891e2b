"""The context that a request carries by kind of credentials: table E of the rule book, column by column, and E-01 to E-13, E-20."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from sekisho import CredentialKind, Layers, Policy, PolicyKind, Request, Settings, decide
from sekisho.decision import request_context

CONSOLE, KEY, TOKEN, ROLE = CredentialKind.CONSOLE, CredentialKind.KEY, CredentialKind.SESSION_TOKEN, CredentialKind.ROLE_SESSION
IP, VPC = {"source_ip": "203.0.113.5"}, {"source_vpc": "vpc-1", "source_vpce": "vpce-1", "vpc_source_ip": "10.0.0.5"}
ISSUED, NOW = datetime(2026, 1, 1, 9, 0, tzinfo=UTC), datetime(2026, 1, 1, 10, 0, tzinfo=UTC)
ALICE = "arn:aws:iam::111111111111:user/alice"

TABLE = (
    ("aws:SourceIp", {"a": "203.0.113.5", "b": "203.0.113.5", "c": "203.0.113.5", "d": "203.0.113.5", "e": "203.0.113.5", "f": None}),
    ("aws:SourceVpc", {"a": None, "b": None, "c": None, "d": None, "e": None, "f": "vpc-1"}),
    ("aws:SourceVpce", {"a": None, "b": None, "c": None, "d": None, "e": None, "f": "vpce-1"}),
    ("aws:VpcSourceIp", {"a": None, "b": None, "c": None, "d": None, "e": None, "f": "10.0.0.5"}),
    ("aws:ViaAWSService", {"a": "false", "b": "false", "c": "false", "d": "false", "e": "true", "f": "false"}),
    ("aws:CalledVia", {"a": None, "b": None, "c": None, "d": None, "e": ("cloudformation.amazonaws.com", "dynamodb.amazonaws.com"), "f": None}),
    ("aws:CalledViaFirst", {"a": None, "b": None, "c": None, "d": None, "e": "cloudformation.amazonaws.com", "f": None}),
    ("aws:CalledViaLast", {"a": None, "b": None, "c": None, "d": None, "e": "dynamodb.amazonaws.com", "f": None}),
    ("aws:MultiFactorAuthPresent", {"a": "true", "b": None, "c": "true", "d": "true", "e": "false", "f": None}),
    ("aws:MultiFactorAuthAge", {"a": "60", "b": None, "c": "60", "d": "60", "e": None, "f": None}),
    ("aws:TokenIssueTime", {"a": "2026-01-01T09:00:00Z", "b": None, "c": "2026-01-01T09:00:00Z", "d": "2026-01-01T09:00:00Z", "e": None, "f": None}),
    ("aws:CurrentTime", dict.fromkeys("abcdef", "2026-01-01T10:00:00Z")),
    ("aws:EpochTime", dict.fromkeys("abcdef", "1767261600")),
    ("aws:SecureTransport", dict.fromkeys("abcdef", "true")),
    ("aws:UserAgent", dict.fromkeys("abcdef", "aws-cli/2")),
    ("aws:RequestedRegion", dict.fromkeys("abcdef", "eu-west-1")),
    ("aws:SourceIdentity", dict.fromkeys("abcdef")),
)
"""Key → column → value, None for absent. Columns e (FAS) and f (VPC endpoint) are asked of a long-term key."""


def of_column(column: str) -> dict[str, object]:
    kind = {"a": CONSOLE, "b": KEY, "c": TOKEN, "d": ROLE, "e": KEY, "f": KEY}[column]
    common = {"mfa": True, "mfa_age_s": 60, "issued": ISSUED, "now": NOW, "region": "eu-west-1", "user_agent": "aws-cli/2"}
    service = {"via_aws_service": True, "called_via": ("cloudformation.amazonaws.com", "dynamodb.amazonaws.com")} if column == "e" else {}
    return dict(request_context(kind, **(VPC if column == "f" else IP), **common, **service))


@pytest.mark.parametrize("column", "abcdef")
@pytest.mark.parametrize(("key", "values"), TABLE, ids=[key for key, _ in TABLE])
def test_table_E(key: str, values: dict[str, object], column: str) -> None:
    assert of_column(column).get(key) == values[column]


def test_table_E_has_no_other_keys() -> None:
    assert {key for column in "abcdef" for key in of_column(column)} <= {key for key, _ in TABLE}


@pytest.mark.parametrize("kind", [CONSOLE, TOKEN, ROLE], ids=lambda k: k.value)
def test_without_mfa_the_key_is_there_and_false(kind: CredentialKind) -> None:
    """E-08 and columns a, c, d."""
    context = request_context(kind, mfa=False, mfa_age_s=60)
    assert context["aws:MultiFactorAuthPresent"] == "false"
    assert "aws:MultiFactorAuthAge" not in context


@pytest.mark.parametrize("kind", [CredentialKind.IDENTITY_PROVIDER, CredentialKind.FEDERATED, KEY], ids=lambda k: k.value)
def test_E_09_no_mfa_keys_at_all(kind: CredentialKind) -> None:
    assert not [key for key in request_context(kind, mfa=True, mfa_age_s=60) if "MultiFactor" in key]


@pytest.mark.parametrize("vpc", [{"source_vpc": "vpc-1"}, {"source_vpce": "vpce-1"}, {"vpc_source_ip": "10.0.0.5"}], ids=str)
def test_E_02_an_address_or_the_vpc_keys_never_both(vpc: dict[str, str]) -> None:
    assert "aws:SourceIp" not in request_context(KEY, **IP, **vpc)


def test_E_01_times_are_utc_wherever_the_clock_stands() -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    assert request_context(KEY, now=tokyo) == request_context(KEY, now=NOW)


def test_E_12_the_first_calls_address_is_kept() -> None:
    assert request_context(ROLE, **IP, via_aws_service=True, service_ip="198.51.100.7")["aws:SourceIp"] == "203.0.113.5"


def test_E_12_the_other_reading_sees_the_services_address() -> None:
    settings = Settings(fas_source_ip="service")
    context = request_context(ROLE, **IP, via_aws_service=True, service_ip="198.51.100.7", settings=settings)
    assert context["aws:SourceIp"] == "198.51.100.7"
    assert "aws:SourceIp" not in request_context(ROLE, **IP, via_aws_service=True, settings=settings), "not told: absent, never the caller's"


def test_E_12_nothing_of_a_vpc_endpoint_survives_the_first_call() -> None:
    context = request_context(TOKEN, **IP, **VPC, via_aws_service=True, mfa=True)
    assert not {"aws:SourceIp", "aws:SourceVpc", "aws:SourceVpce", "aws:VpcSourceIp"} & set(context)
    assert context["aws:MultiFactorAuthPresent"] == "true"


OFFICE_ONLY = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}
GUARDED = {**OFFICE_ONLY, "Condition": {**OFFICE_ONLY["Condition"], "Bool": {"aws:ViaAWSService": "false"}}}
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def outcome(deny: dict[str, object], context: dict[str, object], principal: str = ALICE) -> str:
    document = {"Version": "2012-10-17", "Statement": [EVERYTHING, deny]}
    return decide(Request(principal, "dynamodb:GetItem", "*", context), Layers((Policy.parse(document, kind=PolicyKind.IDENTITY),))).outcome


@pytest.mark.parametrize("reading", ["original", "service"])
def test_E_12_from_a_vpc_endpoint_without_the_guard_denied_under_both_readings(reading: str) -> None:
    context = request_context(KEY, **VPC, via_aws_service=True, service_ip="198.51.100.7", settings=Settings(fas_source_ip=reading))
    assert outcome(OFFICE_ONLY, context) == "explicit_deny"
    assert outcome(GUARDED, context) == "allow"


def test_E_12_the_two_readings_differ_without_the_guard() -> None:
    def asked(reading: str) -> str:
        settings = Settings(fas_source_ip=reading)
        return outcome(OFFICE_ONLY, request_context(KEY, **IP, via_aws_service=True, service_ip="198.51.100.7", settings=settings))

    assert (asked("original"), asked("service")) == ("allow", "explicit_deny")


def test_E_13_a_service_role_is_not_the_user() -> None:
    """The user's Deny doesn't apply to a role that a service acts with: only that role's own policies do."""
    service_role = "arn:aws:sts::111111111111:assumed-role/ServiceRole/run"
    request = Request(service_role, "dynamodb:GetItem", "*", request_context(ROLE, source_ip="198.51.100.7"))
    decision = decide(request, Layers((Policy.parse({"Version": "2012-10-17", "Statement": EVERYTHING}),)))
    assert decision.allowed
    assert decision.context["aws:viaawsservice"] == "false"
    assert decision.context["aws:principalarn"] == "arn:aws:iam::111111111111:role/ServiceRole"
    assert "aws:username" not in decision.context


def test_E_06_what_the_caller_says_of_itself_is_taken_as_it_says() -> None:
    spoofed = {**OFFICE_ONLY, "Condition": {**OFFICE_ONLY["Condition"], "StringNotLike": {"aws:UserAgent": "*exec-env/CloudShell*"}}}
    assert outcome(spoofed, request_context(KEY, source_ip="198.51.100.7", user_agent="aws-cli/2")) == "explicit_deny"
    assert outcome(spoofed, request_context(KEY, source_ip="198.51.100.7", user_agent="me exec-env/CloudShell")) == "allow"


def test_E_20_a_console_switch_is_made_with_the_sign_in_not_with_the_role_switched_from() -> None:
    """Decided as the user, browser address, MFA of the sign-in: a trust policy that names the first role lets nobody through."""
    context = request_context(CONSOLE, **IP, mfa=True)
    trust = {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111111111111:role/First"}, "Action": "sts:AssumeRole"}
    layers = Layers(
        (Policy.parse({"Version": "2012-10-17", "Statement": EVERYTHING}),),
        resource=(Policy.parse({"Version": "2012-10-17", "Statement": trust}, kind=PolicyKind.TRUST),),
    )
    second = "arn:aws:iam::222222222222:role/Second"
    assert decide(Request(ALICE, "sts:AssumeRole", second, context, credentials=CONSOLE), layers).outcome == "implicit_deny"
    chained = Request("arn:aws:sts::111111111111:assumed-role/First/alice", "sts:AssumeRole", second, request_context(ROLE, **IP, mfa=True))
    assert decide(chained, layers).allowed
    assert (context["aws:SourceIp"], context["aws:ViaAWSService"], context["aws:MultiFactorAuthPresent"]) == ("203.0.113.5", "false", "true")
