"""Sizes, counts and names as AWS counts them (A.4, A-40, A-41)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sekisho import Settings
from sekisho.errors import InputError, PolicyError
from sekisho.estate import load_estate
from sekisho.policy.quotas import QUOTAS, check_size, limit, policy_size

# As the table of A.4 has them: row, default, most after a raise, least.
TABLE = (
    ("managed_policy_size", 6144, None, 0), ("user_inline_size", 2048, None, 0), ("group_inline_size", 5120, None, 0),
    ("role_inline_size", 10240, None, 0), ("trust_policy_size", 2048, 8192, 0), ("user_attached", 10, 20, 0), ("role_attached", 10, 25, 0),
    ("group_attached", 10, None, 0), ("policy_versions", 5, None, 0), ("groups_per_user", 10, None, 0), ("access_keys_per_user", 2, None, 0),
    ("mfa_devices_per_user", 8, None, 0), ("boundaries_per_entity", 1, None, 0), ("login_profiles_per_user", 1, None, 0),
    ("aliases_per_account", 1, None, 0), ("users", 5000, None, 0), ("groups", 300, 500, 0), ("roles", 1000, 10000, 0),
    ("policies", 1500, 10000, 0), ("user_name", 64, None, 1), ("role_name", 64, None, 1), ("group_name", 128, None, 1),
    ("policy_name", 128, None, 1), ("session_name", 64, None, 2), ("path", 512, None, 0), ("alias", 63, None, 3),
    ("console_role_path_and_name", 64, None, 0), ("session_policy_size", 2048, None, 0), ("session_policy_arns", 10, None, 0),
    ("tags", 50, None, 0), ("tag_key", 128, None, 0), ("tag_value", 256, None, 0), ("external_id", 1224, None, 2), ("scp_size", 5120, None, 0),
)  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=[f"A.4 {row[0]}" for row in TABLE])
def test_table(row: tuple[str, int, int | None, int]) -> None:
    name, default, most, least = row
    quota = QUOTAS[name]
    assert (limit(name), quota.most, quota.least) == (default, most, least)


def test_the_table_is_whole() -> None:
    """A.4: no row without a test, and none that the rule book doesn't have."""
    assert {row[0] for row in TABLE} == set(QUOTAS)


OVER = (
    ("A.4 a managed policy", "managed_policy_size", 6144, "Cannot exceed quota for PolicySize: 6144"),
    ("A.4 a trust policy", "trust_policy_size", 2048, "Cannot exceed quota for ACLSizePerRole: 2048"),
)


@pytest.mark.parametrize(("name", "most", "message"), [c[1:] for c in OVER], ids=[c[0] for c in OVER])
def test_over(name: str, most: int, message: str) -> None:
    check_size(name, most)
    with pytest.raises(PolicyError) as caught:
        check_size(name, most + 1)
    assert (caught.value.code, caught.value.message) == ("LimitExceeded", message)


def test_the_trust_quota_is_a_setting() -> None:
    """A.4: it can be raised."""
    check_size("trust_policy_size", 4000, Settings(trust_policy_quota=4096))
    with pytest.raises(PolicyError, match="ACLSizePerRole: 4096"):
        check_size("trust_policy_size", 4097, Settings(trust_policy_quota=4096))


def test_white_space_is_free() -> None:
    """A-40: space, tab, CR and LF don't count; inside strings that is a setting."""
    document = {"Statement": [{"Sid": "a b", "Effect": "Allow"}]}
    compact = json.dumps(document, separators=(",", ":"))
    spread = json.dumps(document, indent=4).replace("\n", "\r\n\t")
    assert policy_size(compact) == policy_size(spread) == policy_size(document) == len(compact) - 1
    counted = Settings(white_space_in_strings_is_free=False)
    assert policy_size(compact, counted) == policy_size(spread, counted) == policy_size(document, counted) == len(compact)


def test_characters_are_counted_and_not_bytes() -> None:
    """A-40."""
    assert policy_size({"Sid": "é"}) == policy_size({"Sid": "e"}) == len('{"Sid":"e"}')


def test_names_are_unique_in_any_letter_case(tmp_path: Path) -> None:
    """A-41: ADMINS and admins are one name in an account."""
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "111111111111"}, "Action": "sts:AssumeRole"}]}
    for names, clash in ((("Admins", "ADMINS"), True), (("Admins", "Others"), False)):
        roles = [
            {"RoleName": n, "Path": "/", "RoleId": f"AROAEXAMPLE{n.upper()}{i}", "Arn": f"arn:aws:iam::111111111111:role/{n}",
             "AssumeRolePolicyDocument": trust}
            for i, n in enumerate(names)
        ]  # fmt: skip
        file = tmp_path / "111111111111.json"
        file.write_text(json.dumps({"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles, "Policies": []}))
        if clash:
            with pytest.raises(InputError):
                load_estate(file)
        else:
            assert len(load_estate(file).accounts[0].roles) == 2
