"""The lock-out guard (F-16): ways to lock out are refused, and the harmless twin of each is let through (issue 5, point 4)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sekisho import Estate, compile_environment
from sekisho.deploy.guard import Verdict, guard
from sekisho.deploy.plan import Plan, make_plan, nothing_of
from sekisho.environment import parse_environment
from sekisho.errors import InputError

J, T = "111122223333", "444455556666"
FILE = """
version: 1
networks:
  office: [203.0.113.0/24]
  vpn: [198.51.100.7/32]
jump:
  account: "111122223333"
  networks: [office, vpn]
groups:
  admins: {path: /admins/, users: [sato, suzuki]}
  developers: {path: /developers/, users: [ito]}
  break-glass: {path: /break-glass/, users: [glass], networks: anywhere}
accounts:
  production:
    id: "444455556666"
    roles:
      admin:
        policies: [arn:aws:iam::aws:policy/AdministratorAccess]
        trusts: {groups: [admins]}
        networks: [office, vpn]
        session: {stay_on_networks: true}
      developer:
        policies: [arn:aws:iam::aws:policy/PowerUserAccess]
        trusts: {groups: [developers]}
      rescue:
        policies: [arn:aws:iam::aws:policy/AdministratorAccess]
        trusts: {groups: [break-glass]}
"""
SESSION = f"arn:aws:sts::{T}:assumed-role/admin/sato"


def edited(text: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return text


def planned(before: str | None, after: str) -> Plan:
    environment = parse_environment(after)
    wanted = compile_environment(environment)
    existing = compile_environment(parse_environment(before)) if before else nothing_of(wanted)
    return make_plan(existing, wanted, jump=J, networks=environment.wanted.networks, vantage_points=environment.vantage_points)


def verdict(before: str | None, after: str, *, caller: str | None = None, address: str | None = None) -> Verdict:
    return guard(planned(before, after), callers={T: caller} if caller else None, address=address)


RESCUE = "      rescue:\n        policies: [arn:aws:iam::aws:policy/AdministratorAccess]\n        trusts: {groups: [break-glass]}\n"
NO_RESCUE = edited(FILE, (RESCUE, ""))
SIGN_IN = "  networks: [office, vpn]\n  sign_in: [office, vpn]\ngroups"

LOCKED_OUT: dict[str, tuple[str, list[tuple[str, str]], list[tuple[str, str]], dict[str, str]]] = {
    # name: what exists, the edit that locks out, its harmless twin, who applies it from where
    "own address not in the list": (
        FILE, [("        networks: [office, vpn]\n        session", "        networks: [vpn]\n        session")],
        [("        networks: [office, vpn]\n        session", "        networks: [office]\n        session")],
        {"caller": SESSION, "address": "203.0.113.9"},
    ),
    "an office that is IPv6 alone": (
        NO_RESCUE, [("office: [203.0.113.0/24]", 'office: ["2001:db8:1::/48"]'), ("198.51.100.7/32", '"2001:db8:2::/48"')],
        [("office: [203.0.113.0/24]", 'office: ["2001:db8:1::/48", 203.0.113.0/24]')], {},
    ),
    "a typing error in a network": (
        NO_RESCUE, [("203.0.113.0/24", "203.0.131.0/24"), ("198.51.100.7/32", "198.15.100.7/32")], [("203.0.113.0/24", "203.0.113.0/25")], {},
    ),
    "the last administrator goes": (
        NO_RESCUE, [("users: [sato, suzuki]", "users: []"), ("trusts: {groups: [admins]}", "trusts: {groups: [admins]}\n        trusts_as: account")],
        [("users: [sato, suzuki]", "users: [suzuki]"), ("trusts: {groups: [admins]}", "trusts: {groups: [admins]}\n        trusts_as: account")], {},
    ),
    "the administrators' role goes": (
        NO_RESCUE, [("policies: [arn:aws:iam::aws:policy/AdministratorAccess]", "policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]")],
        [("policy/PowerUserAccess", "policy/ReadOnlyAccess")], {},
    ),
    "the break-glass user in a group with the Deny": (
        FILE, [("users: [glass], networks: anywhere", "users: [glass]")], [("users: [ito]", "users: [ito, kondo]")], {},
    ),
    "the break-glass user's role on networks": (
        FILE, [("trusts: {groups: [break-glass]}", "trusts: {groups: [break-glass]}\n        networks: [office]")],
        [("trusts: {groups: [developers]}", "trusts: {groups: [developers]}\n        networks: [office]")], {},
    ),
    "a trust that loses its administrators": (
        NO_RESCUE, [("trusts: {groups: [admins]}", "trusts: {groups: [developers]}"), ("users: [ito]", "users: [kondo]")],
        [("trusts: {groups: [admins]}", "trusts: {groups: [admins, developers]}")], {},
    ),
    "a sign-in policy with nobody excluded": (
        NO_RESCUE, [("  networks: [office, vpn]\ngroups", SIGN_IN), ("users: [glass], networks: anywhere", "users: [glass]")],
        [("  networks: [office, vpn]\ngroups", SIGN_IN), ("{path: /break-glass/, users", "{users")], {},
    ),
    "all leave for another network at once": (
        NO_RESCUE, [("203.0.113.0/24", "192.0.2.0/24"), ("198.51.100.7/32", "192.0.2.7/32")],
        [("203.0.113.0/24", "203.0.113.0/24, 192.0.2.0/24")], {},
    ),
    "other people on other networks": (
        NO_RESCUE, [("users: [sato, suzuki]", "users: [kondo]"), ("users: [ito]", "users: [ito, sato, suzuki]")],
        [("users: [sato, suzuki]", "users: [sato, kondo]"), ("users: [ito]", "users: [ito, suzuki]")], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LOCKED_OUT)
def test_refused(name: str) -> None:
    before, edits, _, who = LOCKED_OUT[name]
    said = verdict(before, edited(before, *edits), **who)
    assert said.refusals, "locked out without a word"
    assert all(r.key and r.text for r in said.refusals)


@pytest.mark.parametrize("name", LOCKED_OUT)
def test_harmless_twin(name: str) -> None:
    before, _, edits, who = LOCKED_OUT[name]
    said = verdict(before, edited(before, *edits), **who)
    assert [r.text for r in said.refusals] == []


BY_THE_FILE: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]], str]] = {
    "F-07 a private range": ([("203.0.113.0/24", "192.168.0.0/16")], [("203.0.113.0/24", "203.0.113.0/25")], "192.168.0.0/16"),
    "a trust that loses its only user": ([("users: [ito]", "users: []")], [("users: [ito]", "users: [kondo]")], "trusts nobody"),
    "M-05 an excluded user at a path": (
        [("  networks: [office, vpn]\ngroups", SIGN_IN)],
        [("  networks: [office, vpn]\ngroups", SIGN_IN), ("{path: /break-glass/, users", "{users")], "M-05",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_THE_FILE)
def test_refused_by_the_file_before_any_plan(name: str) -> None:
    edits, twin, text = BY_THE_FILE[name]
    with pytest.raises(InputError, match=text):
        planned(FILE, edited(FILE, *edits))
    assert verdict(FILE, edited(FILE, *twin)).refusals == ()


def test_create_from_nothing_asks_of_the_end() -> None:
    assert verdict(None, FILE).refusals == ()


def test_create_a_role_for_nobody() -> None:
    nobody = [("users: [sato, suzuki]", "users: []"), ("trusts: {groups: [admins]}", "trusts: {groups: [admins]}\n        trusts_as: account")]
    said = verdict(None, edited(NO_RESCUE, *nobody))
    assert [r.key for r in said.refusals] == [f"{T}/admin"]


def test_destroy_names_what_it_gives_up() -> None:
    environment = parse_environment(FILE)
    wanted = compile_environment(environment)
    said = guard(make_plan(wanted, nothing_of(wanted), jump=J, networks=environment.wanted.networks))
    assert {r.key for r in said.refusals} >= {f"{T}/administrators", "break-glass"}


def test_unknown_address_is_said() -> None:
    said = verdict(FILE, edited(FILE, ("users: [ito]", "users: [ito, kondo]")), caller=SESSION)
    assert said.refusals == () and any("where you are is not known" in line for line in said.unknown)


def test_unread_control_policies_are_said() -> None:
    plan = planned(FILE, edited(FILE, ("users: [ito]", "users: [ito, kondo]")))
    blind = Estate.of(replace(a, unread=(("service_control", "AccessDenied"),)) for a in plan.existing.accounts)
    said = guard(replace(plan, existing=blind))
    assert any("service_control could not be read" in line for line in said.unknown)
