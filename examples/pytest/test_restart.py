"""Does our tool work for those who will use it, from where they sit, and for nobody else? Run: pytest examples/pytest"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from restart import instances_to_restart

COMPANY = Path(__file__).parents[1] / "company.yaml"


@pytest.mark.sekisho(COMPANY)
@pytest.mark.parametrize(("user", "place"), [("noc-1", "partner"), ("sato", "tokyo"), ("sato", "tokyo-v6")])
def test_operators_can(sekisho_aws: Any, user: str, place: str) -> None:
    ec2 = sekisho_aws.client("ec2", user=user, role="production/operator", address=place, mfa=True)
    assert instances_to_restart(ec2) == []


@pytest.mark.sekisho(COMPANY)
@pytest.mark.parametrize(
    ("user", "place", "mfa"), [("noc-1", "tokyo", True), ("noc-1", "cafe", True), ("noc-1", "partner", False), ("tanaka", "tokyo", True)]
)
def test_nobody_else_can(sekisho_aws: Any, user: str, place: str, mfa: bool) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        sekisho_aws.client("ec2", user=user, role="production/operator", address=place, mfa=mfa)


@pytest.mark.sekisho(COMPANY)
def test_a_session_that_is_taken_home_is_useless(sekisho_aws: Any) -> None:
    keys = sekisho_aws.keys(user="noc-1", role="production/operator", address="partner", mfa=True)
    assert instances_to_restart(sekisho_aws.client("ec2", keys=keys, address="partner")) == []
    at_home = sekisho_aws.client("ec2", keys=keys, address="cafe")
    with pytest.raises(ClientError, match="UnauthorizedOperation"):
        instances_to_restart(at_home)
