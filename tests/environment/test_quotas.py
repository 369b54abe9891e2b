"""Sizes as AWS counts them (A.4, A-40): over a quota is an error that names what would fit, and the room that is told is exact."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sekisho import SekishoError, Settings, compile_environment
from sekisho.environment import group_room, trust_room

from .reading import changed, data_of, environment_of, estate_of

ROLE = "accounts/workload/roles/test-role-admin"
ARN = "arn:aws:iam::444455556666:role/test-role-admin"


def with_users(count: int, *, path: str = "/", name: str = "user-{:05}", **role: Any) -> Any:
    data = data_of("article")
    data["groups"]["test-group"] = {"path": path, "users": [name.format(i) for i in range(count)]}
    data["accounts"]["workload"]["roles"]["test-role-admin"] |= role
    return data


def compiles(data: Any, settings: Settings | None = None) -> bool:
    try:
        compile_environment(environment_of(data), settings or Settings())
    except SekishoError as error:
        assert error.place and error.place.line, error
        return False
    return True


def trust_size(data: Any) -> int:
    """Counted here anew: characters of the document that aren't white space."""
    role = estate_of(data).role(ARN)
    assert role
    return len(re.sub(r"[ \t\r\n]", "", json.dumps(role.trust.document, indent=4, ensure_ascii=False)))


def test_sixty_users_over_the_quota_name_the_forms_that_fit() -> None:
    data = with_users(60, path="/team/", trusts_as="users")
    with pytest.raises(SekishoError) as caught:
        estate_of(data)
    error = caught.value
    assert error.place and error.excerpt and "trusts" in error.excerpt
    assert "the trust policy of test-role-admin has 6," in error.message and error.expected == "at most 2,048 (white space not counted)"
    told = {m[1]: int(m[2]) for m in re.finditer(r"`trusts_as: (\w+)` would have (\d+)", error.remedy or "")}
    assert set(told) == {"paths", "account"}
    for form, size in told.items():
        assert trust_size(with_users(60, path="/team/", trusts_as=form)) == size, "and what it says it would have, it has"


def test_without_a_path_the_form_says_that_it_needs_one() -> None:
    with pytest.raises(SekishoError) as caught:
        estate_of(with_users(60))
    remedy = caught.value.remedy or ""
    size = re.search(r"`trusts_as: paths` would have (\d+) \(with a path for test-group, such as /test-group/;", remedy)
    assert size and trust_size(with_users(60, path="/test-group/", trusts_as="paths")) == int(size[1])


def test_the_other_form_of_method_2_names_each_user_once() -> None:
    data = with_users(25)
    with pytest.raises(SekishoError) as caught:
        estate_of(data)
    size = re.search(r"`networks_as: allow` would have ([\d,]+)", caught.value.remedy or "")
    assert size and trust_size(with_users(25, networks_as="allow")) == int(size[1].replace(",", "")) <= 2048


ROOMS = [
    ("deny, one user", 1, {}),
    ("deny, two users", 2, {}),
    ("deny, full", 16, {}),
    ("allow, one user", 1, {"networks_as": "allow"}),
    ("allow, many users", 20, {"networks_as": "allow"}),
    ("anywhere", 3, {"networks": "anywhere"}),
    ("no MFA", 3, {"networks": "anywhere", "mfa": "optional"}),
    ("with an age", 3, {"mfa": {"max_age": "1h"}}),
]


@pytest.mark.parametrize("path", ["/", "/team/"])
@pytest.mark.parametrize("name", ["u{:03}", "somebody.with-a-long-name@example.com{:03}"])
@pytest.mark.parametrize(("count", "role"), [(c, r) for _, c, r in ROOMS], ids=[i for i, _, _ in ROOMS])
def test_room_is_exact(count: int, role: dict[str, Any], name: str, path: str) -> None:
    """That many more users of that length fit, and not one more."""
    while not compiles(with_users(count, path=path, name=name, **role)):
        count -= 1
    environment = environment_of(with_users(count, path=path, name=name, **role))
    room = trust_room(environment, environment.roles[0])
    assert room.name_length == len(name.format(0)) and room.limited_by == ARN
    assert group_room(environment, "test-group") == room
    assert compiles(with_users(count + room.users, path=path, name=name, **role))
    assert not compiles(with_users(count + room.users + 1, path=path, name=name, **role))


def test_room_under_a_raised_quota() -> None:
    raised = Settings(trust_policy_quota=4096)
    environment = environment_of(with_users(1))
    room = trust_room(environment, environment.roles[0], raised)
    assert room.users > 2 * trust_room(environment, environment.roles[0]).users
    assert compiles(with_users(1 + room.users), raised) and not compiles(with_users(2 + room.users), raised)


def test_a_group_s_room_is_that_of_the_role_which_is_full_first() -> None:
    data = with_users(3)
    roles = data["accounts"]["workload"]["roles"]
    roles["wide"] = {"trusts": {"groups": ["test-group"]}, "networks": "anywhere"}
    environment = environment_of(data)
    narrow, wide = (trust_room(environment, t) for t in environment.roles)
    assert wide.users > narrow.users and group_room(environment, "test-group") == narrow
    data["groups"]["test-group"]["users"] = [f"user-{i:05}" for i in range(3 + narrow.users)]
    assert compiles(data)


@pytest.mark.parametrize("form", ["paths", "account"])
def test_where_users_aren_t_named_the_account_s_number_of_users_is_the_limit(form: str) -> None:
    environment = environment_of(with_users(2, path="/team/", trusts_as=form))
    room = trust_room(environment, environment.roles[0])
    assert (room.users, room.limited_by) == (4998, None)
    assert compiles(with_users(5000, path="/team/", trusts_as=form))
    assert not compiles(with_users(5001, path="/team/", trusts_as=form))


def cidrs(count: int) -> list[str]:
    return [f"{a}.{b}.{c}.77/32" for a in (51, 52, 53) for b in range(100, 200) for c in range(100, 200)][:count]


@pytest.mark.parametrize(
    ("quota", "data", "words"),
    [
        ("managed policy 6,144", lambda n: changed("article", "networks/office", cidrs(n)) | {"accounts": {}}, "deny-outside-networks has 6,1"),
        ("trust policy 2,048", lambda n: changed("article", "networks/office", cidrs(n)), "the trust policy of test-role-admin has 2,0"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_the_number_of_networks(quota: str, data: Any, words: str) -> None:
    """One network more than fits is an error; found by halving, so the last that fits is the last."""
    low, high = 1, 1000
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if compiles(data(middle)) else (low, middle)
    with pytest.raises(SekishoError, match=re.escape(words)):
        estate_of(data(high))
    assert quota.rpartition(" ")[2] in str(_raised(data(high)))


def _raised(data: Any) -> SekishoError:
    with pytest.raises(SekishoError) as caught:
        estate_of(data)
    return caught.value


def test_white_space_is_free_A_40() -> None:
    """Only what isn't white space counts: 10,240 for the inline policies of a role, all together."""

    def role(sid: str, pad: str = "") -> Any:
        document = {"Version": "2012-10-17", "Statement": {"Sid": sid, "Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::b{pad}/*"}}
        return changed("article", f"{ROLE}/inline_policies", {"a": document})

    bare = len(json.dumps(role("")["accounts"]["workload"]["roles"]["test-role-admin"]["inline_policies"]["a"], separators=(",", ":")))
    assert compiles(role("x" * (10_240 - bare)))
    assert not compiles(role("x" * (10_241 - bare)))
    assert compiles(role("x" * (10_240 - bare), " " * 5000))


def test_policies_of_a_role_and_of_a_group() -> None:
    names = ["ReadOnlyAccess", "SecurityAudit", "PowerUserAccess", "IAMFullAccess", "AmazonS3FullAccess", "AmazonEC2FullAccess",
             "AmazonVPCFullAccess", "AmazonSQSFullAccess", "AmazonSNSFullAccess", "AmazonRDSFullAccess", "AdministratorAccess"]  # fmt: skip
    arns = [f"arn:aws:iam::aws:policy/{n}" for n in names]
    assert compiles(changed("article", f"{ROLE}/policies", arns[:10]))
    assert "11 managed policies" in str(_raised(changed("article", f"{ROLE}/policies", arns)))
    # A group has three of Sekisho's own: leave to switch, self-service, the networks.
    assert compiles(changed("article", "groups/test-group/policies", arns[:7]))
    assert "would have 11 managed policies" in str(_raised(changed("article", "groups/test-group/policies", arns[:8])))


def test_groups_of_a_user() -> None:
    data = data_of("article")
    data["groups"] |= {f"g{i}": {"users": ["test-user"]} for i in range(9)}
    assert compiles(data)
    data["groups"]["one-more"] = {"users": ["test-user"]}
    assert "test-user is in 11 groups" in str(_raised(data))


def test_numbers_of_groups() -> None:
    data = data_of("article")
    data["groups"] |= {f"g{i}": {} for i in range(499)}
    assert compiles(data)
    data["groups"]["one-more"] = {}
    assert "would have 501 groups" in str(_raised(data))
