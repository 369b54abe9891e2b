"""The article's documents, golden: all four combinations of its two methods compile to what it shows, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sekisho import Policy, PolicyKind, compile_environment
from sekisho.environment import parse_environment
from sekisho.estate import Account, Role

ROOT = Path(__file__).parents[2]
ARTICLE = (ROOT / "examples/article.yaml").read_text(encoding="utf-8")
DOCUMENTS = Path(__file__).parent / "article"

COMBINATIONS = {
    "no restriction": ("anywhere", "anywhere", "deny", [], "trust-user-mfa"),
    "method 1": ("[office, vpn]", "anywhere", "deny", ["group-deny-outside-networks"], "trust-user-mfa"),
    "method 2, deny": ("anywhere", "[office, vpn]", "deny", [], "trust-deny-outside-networks"),
    "method 2, allow": ("anywhere", "[office, vpn]", "allow", [], "trust-allow-inside-networks"),
    "both, deny": ("[office, vpn]", "[office, vpn]", "deny", ["group-deny-outside-networks"], "trust-deny-outside-networks"),
    "both, allow": ("[office, vpn]", "[office, vpn]", "allow", ["group-deny-outside-networks"], "trust-allow-inside-networks"),
}


def article(method_1: str, method_2: str, form: str, networks: tuple[str, str] = ("203.0.113.10/32", "198.51.100.20/32")) -> tuple[Account, Role]:
    text = ARTICLE.replace("  networks: [office, vpn]     # method 1", f"  networks: {method_1}  # method 1")
    text = text.replace("networks: [office, vpn]   # method 2", f"networks: {method_2}  # method 2")
    text = text.replace("networks_as: deny", f"networks_as: {form}")
    text = text.replace("203.0.113.10/32", networks[0]).replace("198.51.100.20/32", networks[1])
    estate = compile_environment(parse_environment(text))
    jump, role = estate.account("111122223333"), estate.role("arn:aws:iam::444455556666:role/test-role-admin")
    assert jump and role
    return jump, role


def golden(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8"))
    return document


def one_spelling(document: Any, kind: PolicyKind) -> str:
    return json.dumps(Policy.parse(dict(document), kind=kind).normalised(), sort_keys=True)


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_combinations(combination: str) -> None:
    method_1, method_2, form, restrictions, trust = COMBINATIONS[combination]
    jump, role = article(method_1, method_2, form)
    [group] = jump.groups
    assert group.name == "test-group" and not group.inline
    attached = [a.policy.document for a in group.attached if a.policy]
    wanted = [golden(n) for n in ("group-allow-assume-role", "group-self-manage-mfa", *restrictions)]
    assert attached == wanted, "the very documents, not only their meaning"
    assert role.trust.document == golden(trust)
    assert [a.arn for a in role.attached] == ["arn:aws:iam::aws:policy/AdministratorAccess"]
    assert [(u.name, u.groups, u.inline, u.attached) for u in jump.users] == [("test-user", ("test-group",), (), ())]


@pytest.mark.parametrize("combination", COMBINATIONS)
def test_only_the_addresses_differ(combination: str) -> None:
    method_1, method_2, form, restrictions, trust = COMBINATIONS[combination]
    jump, role = article(method_1, method_2, form, ("192.0.2.0/28", "2001:db8:7::/48"))

    def with_addresses(name: str, kind: PolicyKind) -> str:
        return one_spelling(golden(name), kind).replace("203.0.113.10/32", "192.0.2.0/28").replace("198.51.100.20/32", "2001:db8:7::/48")

    made = [one_spelling(a.policy.document, PolicyKind.IDENTITY) for a in jump.groups[0].attached if a.policy]

    def sorted_lists(text: str) -> Any:
        def in_order(value: Any) -> Any:
            return sorted(value) if isinstance(value, list) and isinstance(value[0], str) else value

        return json.loads(text, object_hook=lambda o: {k: in_order(v) for k, v in o.items()})

    for document, name in zip(made, ("group-allow-assume-role", "group-self-manage-mfa", *restrictions), strict=True):
        assert sorted_lists(document) == sorted_lists(with_addresses(name, PolicyKind.IDENTITY))
    assert sorted_lists(one_spelling(role.trust.document, PolicyKind.TRUST)) == sorted_lists(with_addresses(trust, PolicyKind.TRUST))


@pytest.mark.parametrize("name", ["article", "company"])
def test_examples_are_those_that_init_writes(name: str) -> None:
    assert (ROOT / f"examples/{name}.yaml").read_bytes() == (ROOT / f"src/sekisho/environment/examples/{name}.yaml").read_bytes()
