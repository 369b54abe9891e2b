"""sekisho.yaml edited in place: the users that are meant change, every other character stays."""

from __future__ import annotations

import difflib

import pytest

from sekisho.environment import parse_environment
from sekisho.environment.edit import add_user, remove_user
from sekisho.errors import InputError

FLOW = """\
# our environment
version: 1
jump: {account: "111122223333"}

groups:
  platform:   # the team
    path: /platform/
    users: [sato, "suzuki"]   # two of them
  auditors: {users: [ yamamoto ]}
  empty:
    policies: []
accounts:
  prod:
    id: "444455556666"
    roles:
      admin:
        trusts: {groups: [platform], users: [sato]}   # one by name
      audit:
        trusts: {groups: [auditors]}
"""
BLOCK = """\
version: 1
jump:
  account: "111122223333"
groups:
  platform:
    users:
    - sato     # lead
    # away until May
    - suzuki
  auditors:
    users:
      - yamamoto
accounts:
  prod:
    id: "444455556666"
    roles:
      audit:
        trusts:
          groups: [platform, auditors]
          users:
            - sato
"""


def changed(old: str, new: str) -> list[str]:
    return [line for line in difflib.unified_diff(old.splitlines(), new.splitlines(), n=0) if line[:1] in "+-" and line[:3] not in ("+++", "---")]


@pytest.mark.parametrize(
    ("text", "groups", "lines"),
    [
        (FLOW, ["platform"], ['-    users: [sato, "suzuki"]   # two of them', '+    users: [sato, "suzuki", kato]   # two of them']),
        (FLOW, ["auditors"], ["-  auditors: {users: [ yamamoto ]}", "+  auditors: {users: [ yamamoto, kato ]}"]),
        (FLOW, ["empty"], ["+    users: [kato]"]),
        (BLOCK, ["platform"], ["+    - kato"]),
        (BLOCK, ["auditors"], ["+      - kato"]),
    ],
)
def test_add(text: str, groups: list[str], lines: list[str]) -> None:
    new = add_user(text, "kato", groups)
    assert changed(text, new) == lines
    assert parse_environment(new).users["kato"] == tuple(groups)


@pytest.mark.parametrize(
    ("text", "user", "lines"),
    [
        (
            FLOW, "sato",
            ['-    users: [sato, "suzuki"]   # two of them', '+    users: ["suzuki"]   # two of them',
             "-        trusts: {groups: [platform], users: [sato]}   # one by name",
            "+        trusts: {groups: [platform], users: []}   # one by name"],
        ),
        (FLOW, "suzuki", ['-    users: [sato, "suzuki"]   # two of them', "+    users: [sato]   # two of them"]),
        (BLOCK, "suzuki", ["-    - suzuki"]),
        (BLOCK, "yamamoto", ["-      - yamamoto", "+      []"]),
        (BLOCK, "sato", ["-    - sato     # lead", "-            - sato", "+            []"]),
    ],
)  # fmt: skip
def test_remove(text: str, user: str, lines: list[str]) -> None:
    new = remove_user(text, user)
    assert changed(text, new) == lines
    assert user not in parse_environment(new).users


@pytest.mark.parametrize("text", [FLOW, BLOCK])
def test_there_and_back(text: str) -> None:
    assert remove_user(add_user(text, "kato", ["platform", "auditors"]), "kato") == text


@pytest.mark.parametrize("name", ["yes", "007", "a,b", "null", "x@example.com", "1e3", "-dash"])
def test_names_that_yaml_would_read_otherwise(name: str) -> None:
    assert name in parse_environment(add_user(FLOW, name, ["platform"])).users


def test_a_list_under_an_anchor_is_left_alone() -> None:
    text = FLOW.replace('users: [sato, "suzuki"]', "users: &team [sato, suzuki]").replace("[ yamamoto ]", "*team")
    with pytest.raises(InputError, match="anchor"):
        add_user(text, "kato", ["platform"])


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda: add_user(FLOW, "kato", ["platfrom"]), "no group platfrom"),
        (lambda: add_user(FLOW, "sato", ["platform"]), "already"),
        (lambda: remove_user(FLOW, "kato"), "no user kato"),
        (lambda: remove_user(FLOW, "yamamoto"), "trusts nobody"),
    ],
)
def test_what_can_not_be(edit: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        edit()  # type: ignore[operator]
