"""docs/environment.md is whole and true: every field with its default, and every example and YAML block loads."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from ruamel.yaml import YAML

from sekisho import compile_environment
from sekisho.environment import model as fields
from sekisho.environment import parse_environment

DOC = (Path(__file__).parents[2] / "docs/environment.md").read_text(encoding="utf-8")

BASE = """
version: 1
networks: {office: [203.0.113.0/24], vpn: [198.51.100.7/32], partner-noc: [192.0.2.64/27]}
jump: {account: "111122223333"}
groups:
  developers: {path: /developers/, users: [ito, tanaka]}
  platform: {path: /platform/, users: [sato]}
accounts:
  production:
    id: "444455556666"
    roles:
      operator: {trusts: {groups: [developers]}, networks: [office]}
"""

MUST = """
must:
  - {role: production/operator, only_with_mfa: true}
  - {action: "iam:CreateUser", only_for: {groups: [platform]}}
  - {first_sign_in: everybody}
accepted:
  - {finding: F-01, reason: a reason, until: "2027-03-31"}
"""
"""What the examples of these two fields stand in."""

ROLE = ("accounts", "production", "roles", "operator")
SECTIONS: dict[str, tuple[type[BaseModel], tuple[str | int, ...]]] = {
    "The file": (fields.EnvironmentFile, ()),
    "jump": (fields.Jump, ("jump",)),
    "mfa": (fields.MfaRule, (*ROLE, "mfa")),
    "Password policy": (fields.PasswordPolicy, ("jump", "password_policy")),
    "groups": (fields.Group, ("groups", "developers")),
    "accounts": (fields.TargetAccount, ("accounts", "production")),
    "roles": (fields.Role, ROLE),
    "trusts": (fields.Trusts, (*ROLE, "trusts")),
    "session": (fields.Session, (*ROLE, "session")),
    "must of roles": (fields.RoleMust, ("must", 0)),
    "must of an action": (fields.ActionMust, ("must", 1)),
    "must of the first sign-in": (fields.SignInMust, ("must", 2)),
    "Whom it names": (fields.Who, ("must", 0, "only_for")),
    "accepted": (fields.Accepted, ("accepted", 0)),
}
"""Heading → (the block that its table describes, where such a block stands in BASE)."""


def models_in(kind: Any) -> set[type[BaseModel]]:
    found = {kind} if isinstance(kind, type) and issubclass(kind, BaseModel) else set()
    for part in [f.annotation for f in kind.model_fields.values()] if found else getattr(kind, "__args__", ()):
        found |= models_in(part)
    return found


def rows(heading: str) -> list[tuple[str, str, str, str]]:
    """The table of a section: (field, meaning, default, example)."""
    section = re.search(rf"^##+ {re.escape(heading)}\n(.*?)(?=^##)", DOC, re.M | re.S)
    assert section, heading
    table = re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) ?\| `(.*)` \|$", section[1], re.M)
    assert table, heading
    return table


def test_every_block_has_its_section() -> None:
    assert models_in(fields.EnvironmentFile) == {m for m, _ in SECTIONS.values()}


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_field_is_there_and_no_other(heading: str) -> None:
    assert sorted(name for name, *_ in rows(heading)) == sorted(SECTIONS[heading][0].model_fields)


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_defaults_are_those_of_the_model(heading: str) -> None:
    model = SECTIONS[heading][0]
    for name, _, told, _ in rows(heading):
        field = model.model_fields[name]
        if field.is_required():
            assert told == "required", name
            continue
        assert told != "required", name
        default = field.default
        shown = re.match(r"`(.*)`$", told)
        if default is None or isinstance(default, fields.Session):
            assert not shown, f"{name} has no default value"
        else:
            assert shown, name
            written = YAML(typ="safe").load(shown[1])
            if name == "max_duration":
                assert default == 3600 and written == "1h"
            elif isinstance(default, fields.MfaRule):
                assert default == fields.MfaRule() and written == "required"
            else:
                assert written == (list(default) if isinstance(default, tuple) else default), name


EXAMPLES = [(heading, name, example) for heading in SECTIONS for name, _, _, example in rows(heading)]


@pytest.mark.parametrize(("heading", "name", "example"), EXAMPLES, ids=[f"{h}.{n}" for h, n, _ in EXAMPLES])
def test_the_examples_load(heading: str, name: str, example: str) -> None:
    data = YAML(typ="safe").load(BASE + MUST if SECTIONS[heading][1][:1] in (("must",), ("accepted",)) else BASE)
    holder = data
    for step in SECTIONS[heading][1]:
        holder = holder[step] if isinstance(holder, list) else holder.setdefault(step, {})
    value = YAML(typ="safe").load(example)
    # An account or a name that others point at stays beside the example.
    holder[name] = {**holder[name], **value} if isinstance(value, dict) and isinstance(holder.get(name), dict) else value
    assert compile_environment(parse_environment(dump(data))).accounts


def dump(data: Any) -> str:
    from io import StringIO

    out = StringIO()
    YAML(typ="safe").dump(data, out)
    return out.getvalue()


BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOC, re.M | re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {i}" for i in range(1, len(BLOCKS) + 1)])
def test_the_yaml_blocks_load(block: str) -> None:
    """A block is a whole file, or some of its top-level keys, the rest being as in BASE."""
    own = set(re.findall(r"^(\w+):", block, re.M))
    rest = [part for part in re.split(r"^(?=\w)", BASE, flags=re.M) if part.strip() and part.partition(":")[0] not in own]
    environment = parse_environment("".join(rest) + block)
    assert compile_environment(environment).accounts


def test_names_of_what_it_becomes() -> None:
    """The policies that the last section names are those that come out."""
    named = set(re.findall(r"`((?:assume-roles|allow-assume|self-|deny-outside|stay-on)[\w-]*)`", DOC.partition("## What it becomes")[2]))
    text = BASE.replace("groups:\n", "groups:\n  GROUP: {users: [x], networks: [vpn]}\n").replace(
        'account: "111122223333"', 'account: "111122223333", networks: [office]'
    )
    text = text.replace("groups: [developers]}, ", "groups: [developers, GROUP], users: [sato]}, session: {stay_on_networks: true}, ")
    made = set()
    for form in ("article", "current"):
        estate = compile_environment(parse_environment(text.replace("jump: {", f"jump: {{self_service: {form}, ")))
        made |= {p.name for a in estate.accounts for p in a.policies if p.path == "/sekisho/"}
        made |= {p.name for a in estate.accounts for who in (*a.users, *a.roles) for p in who.inline}
    assert made - {"assume-roles-developers"} == named
