"""Plans as pure values: they end in what is wanted, and no state on the way opens or locks out (issue 5, points 1 and 3)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sekisho import Estate, compile_environment
from sekisho.deploy import changes
from sekisho.deploy.changes import foreign
from sekisho.deploy.effect import states
from sekisho.environment import parse_environment
from sekisho.estate import AttachedPolicy

from .access import access, union

COMPANY = Path(__file__).parents[2] / "src/sekisho/environment/examples/company.yaml"
ADDRESSES = ("203.0.113.5", "203.0.113.130", "198.51.100.7", "192.0.2.70", "198.18.0.9")


def company(*edits: tuple[str, str]) -> Estate:
    text = COMPANY.read_text(encoding="utf-8")
    for old, new in edits:
        assert old in text, old
        text = text.replace(old, new)
    return compile_environment(parse_environment(text))


def empty(estate: Estate) -> Estate:
    return Estate.of(replace(a, users=(), groups=(), roles=(), policies=(), alias=None, password_policy=None, sign_in=None) for a in estate.accounts)


EDITS: dict[str, list[tuple[str, str]]] = {
    "add a user": [("users: [sato, suzuki]", "users: [sato, suzuki, kato]")],
    "remove a user": [("users: [noc-1, noc-2]", "users: [noc-1]")],
    "move a user": [
        ("users: [takahashi, tanaka, ito, watanabe]", "users: [tanaka, ito, watanabe]"),
        ("[sato, suzuki]", "[sato, suzuki, takahashi]"),
    ],
    "swap two users": [("[takahashi, tanaka, ito", "[suzuki, tanaka, ito"), ("[sato, suzuki]", "[sato, takahashi]")],
    "narrow the jump account's networks": [
        ("networks: [tokyo-office, osaka-office, vpn, partner-noc]", "networks: [tokyo-office, vpn, partner-noc]"),
    ],
    "other networks": [
        ("networks: [tokyo-office, vpn]", "networks: [osaka-office]"),
        ("osaka-office, vpn, partner-noc]", "partner-noc, osaka-office]"),
    ],
    "widen a role's networks": [("networks: [partner-noc, tokyo-office]", "networks: [partner-noc, tokyo-office, osaka-office]")],
    "trust by account": [("trusts_as: paths", "trusts_as: account")],
    "trust by users": [("trusts_as: paths", "trusts_as: users")],
    "trust by paths": [
        ("        trusts: {groups: [auditors]}\n        trusts_as: users", "        trusts: {groups: [auditors]}\n        trusts_as: paths"),
    ],
    "allow in place of deny": [("networks_as: deny", "networks_as: allow")],
    "deny in place of allow": [("networks_as: allow", "networks_as: deny")],
    "a group's path": [("path: /auditors/", "path: /audit/")],
    "rename a role": [("      operator:", "      on-call:")],
    "a role's path": [("      operator:\n", "      operator:\n        path: /ops/\n")],
    "rename a group": [("  developers:\n    path", "  engineers:\n    path"), ("groups: [developers", "groups: [engineers")],
    "fewer rights": [("policy/PowerUserAccess", "policy/ReadOnlyAccess")],
    "sessions roam": [("stay_on_networks: true", "stay_on_networks: false")],
    "longer sessions": [("max_duration: 1h", "max_duration: 4h")],
    "no second factor": [("  mfa: required\n  networks: [tokyo-office, osaka", "  mfa: optional\n  networks: [tokyo-office, osaka")],
    "break-glass joins a network": [
        ("    networks: anywhere                # the one exception", "    networks: [vpn]                # the one exception"),
    ],
    "another break-glass user": [("users: [break-glass-1]", "users: [break-glass-1, break-glass-2]")],
    "a user gets a role of their own": [("users: [sato]}", "users: [sato, ito]}")],
    "self-service as in the article": [
        ("  mfa: required\n  networks: [tokyo-office, osaka", "  mfa: required\n  self_service: article\n  networks: [tokyo-office, osaka"),
    ],
    "much at once": [
        ("[takahashi, tanaka, ito", "[suzuki, tanaka, ito"), ("[sato, suzuki]", "[sato, takahashi]"), ("trusts_as: paths", "trusts_as: users"),
        ("networks: [tokyo-office, vpn]", "networks: [osaka-office, tokyo-office]"), ("policy/PowerUserAccess", "policy/ReadOnlyAccess"),
        ("users: [noc-1, noc-2]", "users: [noc-2]"), ("      operator:", "      on-call:"),
    ],
}  # fmt: skip


def follow(old: Estate, new: Estate) -> tuple[Estate, list[str]]:
    """Every state from old to new; the last one, and what went wrong on the way."""
    everybody = union(old, new)
    before, after = access(old, ADDRESSES, everybody), access(new, ADDRESSES, everybody)
    wrong: list[str] = []
    estate, last = old, before
    for change, call, estate in states(old, changes(old, new)):
        if "Tag" in call.operation or (call.operation.startswith("CreatePolicy") and not call.operation.endswith("Version")):
            continue
        now = access(estate, ADDRESSES, everybody)
        if now != last:
            wrong += [f"{call}: {change.text}: opens {w}" for w in sorted(now - before - after)[:3]]
            wrong += [f"{call}: {change.text}: takes {w}" for w in sorted((before & after) - now)[:3]]
        last = now
    return estate, wrong


GIVEN = ("  auditors:\n    path: /auditors/\n", "  auditors:\n    path: /auditors/\n    policies: [arn:aws:iam::aws:policy/ReadOnlyAccess]\n")


def test_what_the_file_gave_a_group_goes_with_it_and_a_strangers_stays() -> None:
    given, plain = company(GIVEN), company()
    account = given.account("111122223333")
    assert account is not None
    other = AttachedPolicy("arn:aws:iam::aws:policy/AWSBillingReadOnlyAccess", "AWSBillingReadOnlyAccess")
    groups = tuple(replace(g, attached=(*g.attached, other)) if g.name == "auditors" else g for g in account.groups)
    existing = given.with_account(replace(account, groups=groups))
    gone = [c.text for c in changes(existing, plain) if c.sign == "-"]
    assert gone == ["policy ReadOnlyAccess detached from group auditors"]
    assert [f.text for f in foreign(existing, plain)] == ["policy AWSBillingReadOnlyAccess is attached to group auditors"]


@pytest.mark.parametrize("name", EDITS)
@pytest.mark.parametrize("way", ["there", "back"])
def test_edits(name: str, way: str) -> None:
    one, other = company(), company(*EDITS[name])
    old, new = (one, other) if way == "there" else (other, one)
    assert changes(old, new), "nothing would be tested"
    last, wrong = follow(old, new)
    assert changes(last, new) == ()
    assert wrong == []
