"""The rules that AWS leaves open: each reading of the policy language, and the other one that its setting turns to."""

from __future__ import annotations

from typing import Any

import pytest

from sekisho import Layers, Policy, Request, Settings, decide

# rule and case, condition, context, the settings that turn the answer round, and the answer as it is
OPEN: tuple[tuple[str, dict[str, Any], dict[str, Any], Settings, bool], ...] = (
    ("A-19 an empty list", {"StringEquals": {"k": []}}, {"k": "v"}, Settings(empty_value_list_matches=True), False),
    ("A-19 an empty list, negated", {"StringNotEquals": {"k": []}}, {"k": "v"}, Settings(empty_value_list_matches=True), True),
    ("C-12 a request value that is no date, negated", {"DateNotEquals": {"k": "2026"}}, {"k": "soon"},
     Settings(invalid_date_fails_negated=False), False),
    ("C-12 the same, in a set and with IfExists", {"ForAnyValue:DateNotEqualsIfExists": {"k": "2026"}}, {"k": ["soon"]},
     Settings(invalid_date_fails_negated=False), False),
    ("C-15 a bare IPv6 address", {"IpAddress": {"k": "2001:db8::1"}}, {"k": "2001:db8::2"}, Settings(v6_host_prefix=32), False),
    ("C-15 host bits", {"IpAddress": {"k": "203.0.113.9/24"}}, {"k": "203.0.113.1"}, Settings(host_bits_are_masked=False), True),
    ("C-19 an empty text and Null", {"Null": {"k": "true"}}, {"k": ""}, Settings(empty_string_is_present_for_null=False), False),
)  # fmt: skip


@pytest.mark.parametrize(("condition", "context", "settings", "answer"), [c[1:] for c in OPEN], ids=[c[0] for c in OPEN])
def test_both_readings(condition: dict[str, Any], context: dict[str, Any], settings: Settings, answer: bool) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    layers = Layers(identity=(Policy.parse({"Version": "2012-10-17", "Statement": statement}),))
    request = Request("arn:aws:iam::111111111111:user/alice", "s3:GetObject", "arn:aws:s3:::b/k", context)
    assert decide(request, layers).allowed is answer
    assert decide(request, layers, settings).allowed is not answer
