"""Every field of sekisho.yaml means something: a change of it changes the estate, and the estate decides as the field says."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from sekisho import Estate, Request, decide
from sekisho.decision import CredentialKind, request_context
from sekisho.environment.model import EnvironmentFile

from .reading import ABSENT, as_json, changed, data_of, estate_of, text_of

JUMP = "111122223333"
ROLE = "accounts/workload/roles/test-role-admin"
OPERATOR = "accounts/production/roles/operator"
S3 = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}}

CHANGES: list[tuple[str, str, Any]] = [
    ("article", "networks/office/0", "203.0.113.11/32"),
    ("article", "networks/vpn", ["198.51.100.21/32"]),
    ("article", "jump/account", "111122223334"),
    ("article", "jump/alias", "example"),
    ("article", "jump/mfa", "optional"),
    ("article", "jump/mfa", {"required": True, "max_age": "2h"}),
    ("article", "jump/mfa", {"required": False}),
    ("article", "jump/self_service", "current"),
    ("article", "jump/networks", ["office"]),
    ("article", "jump/networks", "anywhere"),
    ("article", "jump/sign_in", ["office"]),
    *[
        ("article", "jump/password_policy", {name: value})
        for name, value in (
            ("minimum_length", 9), ("reuse_prevention", 5), ("max_age_days", 90), ("require_symbols", True), ("require_numbers", True),
            ("require_uppercase", True), ("require_lowercase", True), ("allow_users_to_change", False),
        )
    ],
    ("article", "groups/test-group/path", "/team/"),
    ("article", "groups/test-group/users", ["test-user", "other"]),
    ("article", "groups/test-group/networks", ["vpn"]),
    ("article", "groups/test-group/networks", "anywhere"),
    ("article", "groups/test-group/policies", ["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
    ("article", "groups/test-group/inline_policies", {"x": S3}),
    ("article", "accounts/workload/id", "444455556667"),
    ("article", f"{ROLE}/path", "/team/"),
    ("article", f"{ROLE}/policies", ["arn:aws:iam::aws:policy/ReadOnlyAccess"]),
    ("article", f"{ROLE}/policies", ABSENT),
    ("article", f"{ROLE}/inline_policies", {"x": S3}),
    ("article", f"{ROLE}/boundary", "arn:aws:iam::aws:policy/PowerUserAccess"),
    ("article", f"{ROLE}/trusts_as", "account"),
    ("article", f"{ROLE}/mfa", "optional"),
    ("article", f"{ROLE}/mfa", {"required": True, "max_age": "1h"}),
    ("article", f"{ROLE}/networks", ["office"]),
    ("article", f"{ROLE}/networks", "anywhere"),
    ("article", f"{ROLE}/networks_as", "allow"),
    ("article", f"{ROLE}/session", {"max_duration": "2h"}),
    ("article", f"{ROLE}/session", {"stay_on_networks": True}),
    ("company", "jump/alias", ABSENT),
    ("company", "jump/mfa", "optional"),
    ("company", "jump/password_policy/minimum_length", 15),
    ("company", "jump/password_policy/reuse_prevention", 23),
    ("company", "groups/platform/path", "/infra/"),
    ("company", "groups/partner/networks", ABSENT),
    ("company", "groups/break-glass/networks", ABSENT),
    ("company", f"{OPERATOR}/trusts/groups", []),
    ("company", f"{OPERATOR}/trusts/groups", ["auditors"]),
    ("company", f"{OPERATOR}/trusts/users", []),
    ("company", f"{OPERATOR}/trusts/users", ["ito"]),
    ("company", f"{OPERATOR}/trusts_as", "paths"),
    ("company", f"{OPERATOR}/session/max_duration", "2h"),
    ("company", f"{OPERATOR}/session/stay_on_networks", False),
    ("company", f"{OPERATOR}/inline_policies/restart/Statement/0/Effect", "Deny"),
    ("company", "accounts/staging/roles/developer/mfa/max_age", "2h"),
    ("company", "accounts/staging/roles/developer/trusts_as", "users"),
    ("company", "accounts/development/roles/developer/networks_as", "deny"),
]  # fmt: skip


@pytest.mark.parametrize(("example", "path", "value"), CHANGES, ids=[f"{e}: {p} = {'-' if v is ABSENT else v}"[:80] for e, p, v in CHANGES])
def test_a_change_of_a_field_changes_the_estate(example: str, path: str, value: Any) -> None:
    assert as_json(estate_of(changed(example, path, value))) != unchanged(example)


@cache
def unchanged(example: str) -> Any:
    return as_json(estate_of(data_of(example)))


def models(kind: Any) -> set[type[BaseModel]]:
    found = {kind} if isinstance(kind, type) and issubclass(kind, BaseModel) else set()
    parts = [f.annotation for f in kind.model_fields.values()] if found else get_args(kind)
    return found.union(*(models(p) for p in parts)) if parts else found


def test_no_field_is_left_out_of_the_changes() -> None:
    """A field that is added has to be shown to mean something. Those excepted are for `try`, `check`, `plan` and the reader itself."""
    touched = {step for _, path, _ in CHANGES for step in path.split("/")} | {k for _, _, v in CHANGES if isinstance(v, dict) for k in v}
    of_others = {"version", "vantage_points", "must", "accepted", "exclusive"}
    fields = {name for name in EnvironmentFile.model_fields if name not in of_others}
    for model in {m for name in fields for m in models(EnvironmentFile.model_fields[name].annotation)}:
        fields |= set(model.model_fields)
    assert fields - touched - {"roles"} == set()


def test_an_estate_doesn_t_depend_on_the_spelling() -> None:
    """Anchors written out, comments gone, other quotes: the same estate, byte for byte."""
    from .reading import EXAMPLES

    for example in ("article", "company"):
        text = (EXAMPLES / f"{example}.yaml").read_text(encoding="utf-8")
        assert text_of(data_of(example)) != text
        assert as_json(estate_of(text)) == as_json(estate_of(data_of(example)))


# --- what they mean ------------------------------------------------------------------------------------------------------


def switch(estate: Estate, user: str, role: str, address: str | None, *, mfa: bool | None = True, age: int | None = 60) -> bool:
    """Whether a user of the jump account, from an address, with or without MFA (None: a long-term key), can assume a role."""
    kind = CredentialKind.KEY if mfa is None else CredentialKind.CONSOLE
    context = request_context(kind, source_ip=address, mfa=mfa, mfa_age_s=age)
    return decide(Request(f"arn:aws:iam::{JUMP}:user/{user}", "sts:AssumeRole", f"arn:aws:iam::{role}", context), estate).allowed


def session_may(estate: Estate, account: str, role: str, action: str, address: str) -> bool:
    context = request_context(CredentialKind.ROLE_SESSION, source_ip=address, mfa=True)
    return decide(Request(f"arn:aws:sts::{account}:assumed-role/{role}/s", action, "*", context), estate).allowed


TOKYO, OSAKA, VPN, PARTNER, CAFE = "203.0.113.5", "203.0.113.130", "198.51.100.7", "192.0.2.70", "198.18.0.9"


@pytest.fixture(scope="module")
def company() -> Estate:
    return estate_of(data_of("company"))


# user, role, address, MFA: whether the file lets them switch
SWITCHES = [
    ("platform/sato", "222233334444:role/admin", TOKYO, True, True),
    ("platform/sato", "222233334444:role/admin", "2001:db8:10::5", True, True),
    ("platform/sato", "222233334444:role/admin", OSAKA, True, False),
    ("platform/sato", "222233334444:role/admin", CAFE, True, False),
    ("platform/sato", "222233334444:role/admin", TOKYO, False, False),
    ("platform/sato", "222233334444:role/admin", TOKYO, None, False),
    ("developers/ito", "222233334444:role/admin", TOKYO, True, False),
    ("developers/ito", "333344445555:role/developer", OSAKA, True, True),
    ("platform/suzuki", "333344445555:role/developer", OSAKA, True, True),
    ("auditors/yamamoto", "333344445555:role/developer", OSAKA, True, False),
    ("developers/ito", "444455556666:role/developer", VPN, True, True),
    ("developers/ito", "444455556666:role/developer", OSAKA, True, False),
    ("platform/sato", "444455556666:role/developer", VPN, True, False),
    ("platform/sato", "555566667777:role/operator", TOKYO, True, True),
    ("platform/suzuki", "555566667777:role/operator", TOKYO, True, False),
    ("partner/noc-1", "555566667777:role/operator", PARTNER, True, True),
    ("partner/noc-1", "555566667777:role/operator", TOKYO, True, False),
    ("break-glass-1", "222233334444:role/break-glass", CAFE, True, True),
    ("break-glass-1", "222233334444:role/break-glass", CAFE, False, False),
    ("auditors/yamamoto", "666677778888:role/auditor", TOKYO, True, True),
    ("auditors/yamamoto", "666677778888:role/auditor", VPN, True, False),
]


@pytest.mark.parametrize(("user", "role", "address", "mfa", "allowed"), SWITCHES, ids=[f"{u} {r} {a} mfa={m}" for u, r, a, m, _ in SWITCHES])
def test_company_switches(company: Estate, user: str, role: str, address: str, mfa: bool | None, allowed: bool) -> None:
    assert switch(company, user, role, address, mfa=mfa) is allowed


def test_max_age_F_19(company: Estate) -> None:
    assert switch(company, "developers/ito", "444455556666:role/developer", VPN, age=3599)
    assert not switch(company, "developers/ito", "444455556666:role/developer", VPN, age=3600)


def test_max_age_of_the_jump_account_is_that_of_roles_which_say_nothing() -> None:
    data = changed("article", f"{ROLE}/mfa", ABSENT)
    data["jump"]["mfa"] = {"max_age": "2h"}
    for self_service in ("article", "current"):
        data["jump"]["self_service"] = self_service
        estate = estate_of(data)
        assert switch(estate, "test-user", "444455556666:role/test-role-admin", "203.0.113.10", age=7199)
        assert not switch(estate, "test-user", "444455556666:role/test-role-admin", "203.0.113.10", age=7200)


def test_sessions_stay_on_networks_F_01(company: Estate) -> None:
    assert session_may(company, "222233334444", "admin", "ec2:DescribeInstances", TOKYO)
    assert not session_may(company, "222233334444", "admin", "ec2:DescribeInstances", CAFE)
    assert session_may(company, "333344445555", "developer", "ec2:DescribeInstances", CAFE), "the trust policy alone doesn't hold a session"
    role = company.role("arn:aws:iam::222233334444:role/admin")
    assert role and [p.name for p in role.inline] == ["stay-on-networks"]


def test_max_duration(company: Estate) -> None:
    durations = {r.arn.rpartition(":")[2]: r.max_session_s for a in company.accounts for r in a.roles if a.id == "333344445555"}
    assert durations == {"role/admin": 3600, "role/developer": 28800}


def test_method_1_is_on_every_group_but_the_exception(company: Estate) -> None:
    account = company.account(JUMP)
    assert account
    denies = {g.name: [a.name for a in g.attached if a.name.startswith("deny-outside")] for g in account.groups}
    common = ["deny-outside-networks"]
    assert denies == {
        "platform": common, "developers": common, "auditors": common, "partner": ["deny-outside-networks-partner"], "break-glass": [],
    }  # fmt: skip
    for user, address, allowed in (("partner/noc-1", TOKYO, False), ("partner/noc-1", PARTNER, True), ("platform/sato", PARTNER, True)):
        request = Request(f"arn:aws:iam::{JUMP}:user/{user}", "iam:GetAccountPasswordPolicy", "*", request_context(
            CredentialKind.CONSOLE, source_ip=address, mfa=True))  # fmt: skip
        assert decide(request, company).allowed is allowed


def test_sign_in_makes_an_exception_of_the_break_glass_user_alone_M_05() -> None:
    data = changed("company", "jump/sign_in", ["tokyo-office", "vpn"])
    account = estate_of(data).account(JUMP)
    assert account and account.sign_in and account.sign_in.enforced
    [statement] = account.sign_in.statements
    assert statement.source_ip == ("203.0.113.0/25", "2001:db8:10::/48", "198.51.100.7/32", "198.51.100.8/32")
    assert statement.excluded_principals == (f"arn:aws:iam::{JUMP}:user/break-glass-1",)
    # Who is in one more group, which is no exception, is no exception.
    data["groups"]["auditors"] = {"users": ["yamamoto", "break-glass-1"]}
    account = estate_of(data).account(JUMP)
    assert account and account.sign_in and account.sign_in.statements[0].excluded_principals == ()


def test_alias_and_password_policy(company: Estate) -> None:
    account = company.account(JUMP)
    assert account and account.alias == "example-jump"
    assert account.password_policy == {
        "MinimumPasswordLength": 14, "RequireSymbols": False, "RequireNumbers": False, "RequireUppercaseCharacters": False,
        "RequireLowercaseCharacters": False, "AllowUsersToChangePassword": True, "PasswordReusePrevention": 24,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["users", "paths", "account"])
def test_trusts_as_F_09(form: str) -> None:
    """However a trust policy names them, it is the group's users who get in, and nobody else of the jump account."""
    data = changed("company", f"{OPERATOR}/trusts_as", form)
    estate = estate_of(data)
    assert switch(estate, "partner/noc-2", "555566667777:role/operator", PARTNER)
    assert switch(estate, "platform/sato", "555566667777:role/operator", TOKYO)
    assert not switch(estate, "platform/suzuki", "555566667777:role/operator", TOKYO)
    assert not switch(estate, "developers/ito", "555566667777:role/operator", TOKYO)
    role = estate.role("arn:aws:iam::555566667777:role/operator")
    assert role
    named = role.trust.statements[0].principal
    assert (named is not None) and (f"arn:aws:iam::{JUMP}:root" in str(named)) is (form != "users")
    outsider = Request(
        "arn:aws:iam::999999999999:user/partner/noc-2", "sts:AssumeRole", role.arn,
        request_context(CredentialKind.CONSOLE, source_ip=PARTNER, mfa=True, mfa_age_s=1),
    )  # fmt: skip
    assert not decide(outsider, estate).allowed


@pytest.mark.parametrize("form", ["users", "paths", "account"])
def test_whom_the_forms_let_in_beside_F_09(form: str) -> None:
    """Where users may assume any role, as in the article, only the trust policy holds: `account` then lets everybody in."""
    data = changed("company", f"{OPERATOR}/trusts_as", form)
    data["jump"]["self_service"] = "article"
    estate = estate_of(data)
    assert switch(estate, "platform/sato", "555566667777:role/operator", TOKYO)
    for other in ("platform/suzuki", "developers/ito"):
        assert switch(estate, other, "555566667777:role/operator", TOKYO) is (form == "account")
    data["groups"]["partner-too"] = {"path": "/partner/", "users": ["noc-3"], "networks": ["partner-noc"]}
    assert switch(estate_of(data), "partner/noc-3", "555566667777:role/operator", PARTNER) is (form != "users"), "another user at the path"


@pytest.mark.parametrize("form", ["users", "paths", "account"])
def test_a_trust_deny_names_whom_the_allow_names_F_14(form: str) -> None:
    """Never everybody: services would be denied as well."""
    role = estate_of(changed("company", f"{OPERATOR}/trusts_as", form)).role("arn:aws:iam::555566667777:role/operator")
    assert role
    allow, deny = role.trust.document["Statement"]
    assert (allow["Effect"], deny["Effect"]) == ("Allow", "Deny") and allow["Principal"] == deny["Principal"] != "*"


def test_a_user_s_names_and_paths(company: Estate) -> None:
    account = company.account(JUMP)
    assert account
    assert {u.name: (u.path, u.groups) for u in account.users if u.name in ("sato", "break-glass-1")} == {
        "sato": ("/platform/", ("platform",)), "break-glass-1": ("/", ("break-glass",)),
    }  # fmt: skip


def test_policies_of_different_groups_never_share_a_name() -> None:
    """A group named like the second part of another's roles, and groups with names as long as AWS allows."""
    data = data_of("article")
    data["jump"]["self_service"] = "current"
    long = "g" * 128
    data["groups"] = {"ops": {"users": ["a"]}, "2-ops": {"users": ["b"]}, "ops-2": {"users": ["c"]}, long: {"users": ["d"], "networks": ["vpn"]}}
    roles = {f"role-of-many-{i:03}-{'x' * 40}": {"trusts": {"groups": ["ops"]}} for i in range(90)}
    roles |= {f"one-{i}": {"trusts": {"groups": [g]}} for i, g in enumerate(("2-ops", "ops-2", long))}
    data["accounts"]["workload"]["roles"] = roles
    estate = estate_of(data)
    account = estate.account(JUMP)
    assert account and len({p.name.lower() for p in account.policies}) == len(account.policies)
    assert max(len(p.name) for p in account.policies) <= 128
    for i, user in enumerate(("b", "c", "d")):
        address = "198.51.100.20"
        assert switch(estate, user, f"444455556666:role/one-{i}", address)
        assert not switch(estate, user, f"444455556666:role/one-{(i + 1) % 3}", address)
    assert all(switch(estate, "a", f"444455556666:role/{name}", "203.0.113.10") for name in roles if name.startswith("role-of-many"))


def test_a_group_s_own_policies_count_beside_sekisho_s(company: Estate) -> None:
    data = changed("company", "groups/platform/policies", ["arn:aws:iam::aws:policy/IAMFullAccess"])
    estate = estate_of(data)
    request = Request(f"arn:aws:iam::{JUMP}:user/platform/sato", "iam:CreateUser", f"arn:aws:iam::{JUMP}:user/x", request_context(
        CredentialKind.CONSOLE, source_ip=TOKYO, mfa=True))  # fmt: skip
    assert decide(request, estate).allowed and not decide(request, company).allowed
    assert not decide(request.with_context({"aws:MultiFactorAuthPresent": "false"}), estate).allowed
    assert not decide(request.with_context({"aws:SourceIp": CAFE}), estate).allowed
