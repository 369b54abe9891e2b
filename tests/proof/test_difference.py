"""Two estates compared: edits in the words of a person, equal access proved equal, and every gain and loss held against single decisions."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from environment.reading import changed, data_of, estate_of, set_at
from proof.estates import ALICE, HOP, OPS, J, allow, document, estate, role, trust, user
from sekisho import Estate, Policy, PolicyKind, Request, decide
from sekisho.estate import Account, AttachedPolicy, Role
from sekisho.proof import Difference, difference

EXAMPLES = Path(__file__).parents[2] / "examples"
OFFICE, VPN = "203.0.113.10", "198.51.100.20"


def said(example: str, *edits: tuple[str, Any]) -> list[str]:
    """The sentences about an example before and after edits at dotted paths; networks by their new names."""
    before = data_of(example)
    after = data_of(example)
    for path, value in edits:
        set_at(after, path, value)
    return list(difference(estate_of(before), estate_of(after), networks={**before["networks"], **after["networks"]}).sentences)


ROLE = "accounts/workload/roles/test-role-admin"
SWITCH = "workload/test-role-admin"
EDITS: dict[str, tuple[list[tuple[str, Any]], list[str]]] = {
    "a user comes": ([("groups/test-group/users", ["test-user", "ito"])], [f"ito: gains {SWITCH} from office, vpn with MFA"]),
    "a user goes": (
        [("groups/test-group/users", ["ito"]), ("groups/other", {"users": ["test-user"]}), (f"{ROLE}/trusts", {"groups": ["test-group"]})],
        [f"test-user: loses {SWITCH} (was: from office, vpn with MFA)", f"ito: gains {SWITCH} from office, vpn with MFA"],
    ),
    "a network narrows": (
        [("networks/office", ["203.0.113.10/32"]), ("jump/networks", ["office"]), (f"{ROLE}/networks", ["office"])],
        [f"test-user: loses {SWITCH} from vpn with MFA, keeps it from office with MFA"],
    ),
    "a network widens": (
        [("networks/office", ["203.0.113.10/31"])], [f"test-user: gains {SWITCH} from 203.0.113.11/32 with MFA, was: from vpn, 203.0.113.10/32 with MFA"],
    ),
    "a network moves": (
        [("networks/office", ["203.0.113.11/32"])], [f"test-user: {SWITCH} from office, vpn with MFA, was: from vpn, 203.0.113.10/32 with MFA"],
    ),
    "MFA optional in the role": ([(f"{ROLE}/mfa", "optional")], [f"test-user: gains {SWITCH} from office, vpn, was: from office, vpn with MFA"]),
    "MFA of an hour": (
        [(f"{ROLE}/mfa", {"max_age": "1h"})],
        [f"test-user: {SWITCH} now only from office, vpn with MFA, if MFA's age in seconds is below 3600, was: from office, vpn with MFA"],
    ),
    "method 1 out": ([("jump/networks", "anywhere")], ["test-user: gains 9 actions"]),
    "method 2 out": ([(f"{ROLE}/networks", "anywhere")], []),
    "both methods out": (
        [("jump/networks", "anywhere"), (f"{ROLE}/networks", "anywhere")],
        [f"test-user: gains {SWITCH} from anywhere with MFA, was: from office, vpn with MFA"],
    ),
    "the sessions stay": (
        [(f"{ROLE}/session", {"stay_on_networks": True})], [f"{SWITCH}: all actions now only from office, vpn, was: from anywhere"],
    ),
    "method 3 in": (
        [("jump/sign_in", ["office"])], ["test-user: the sign-in itself now only from office, was: from anywhere"],
    ),
    "the role is called otherwise": (
        [("accounts/workload/roles", {"boss": data_of("article")["accounts"]["workload"]["roles"]["test-role-admin"]})],
        [f"test-user: loses {SWITCH} (was: from office, vpn with MFA)", "test-user: gains workload/boss from office, vpn with MFA"],
    ),
    "a boundary comes": (
        [(f"{ROLE}/boundary", "arn:aws:iam::aws:policy/IAMReadOnlyAccess")], [f"{SWITCH}: loses nearly all actions (was: from anywhere)"],
    ),
    "another policy": (
        [(f"{ROLE}/policies", ["arn:aws:iam::aws:policy/IAMReadOnlyAccess"])], [f"{SWITCH}: loses nearly all actions (was: from anywhere)"],
    ),
    "an action more": (
        [(f"{ROLE}/policies", []), (f"{ROLE}/inline_policies", {"p": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": ["ec2:StartInstances", "ec2:StopInstances"], "Resource": "*"}]}})],
        [f"{SWITCH}: loses nearly all actions (was: from anywhere)"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_said_as_a_person_would(name: str) -> None:
    edits, expected = EDITS[name]
    sentences = said("article", *edits)
    for text in expected:
        assert any(s.startswith(text) for s in sentences), sentences
    assert bool(sentences) == bool(expected), sentences


def test_an_action_is_added_to_a_role() -> None:
    read = [{"Effect": "Allow", "Action": ["ec2:Describe*", "ec2:RebootInstances"], "Resource": "*"}]
    more = {"Version": "2012-10-17", "Statement": [*read, {"Effect": "Allow", "Action": "ec2:StopInstances", "Resource": "*"}]}
    found = said("company", ("accounts/production/roles/operator/inline_policies/restart", more))
    assert found == ["production/operator: gains ec2:StopInstances from tokyo-office, partner-noc"]


def test_a_user_moves_between_groups() -> None:
    found = said("company", ("groups/developers/users", ["takahashi", "tanaka", "watanabe"]), ("groups/auditors/users", ["yamamoto", "ito"]))
    assert found == [
        "ito: loses development/developer (was: from tokyo-office, osaka-office, vpn with MFA)",
        "ito: loses staging/developer (was: from tokyo-office, vpn with MFA, if MFA's age in seconds is below 3600)",
        "ito: gains production/auditor from tokyo-office with MFA",
        "ito: gains log-archive/auditor from tokyo-office with MFA",
    ]


def test_a_large_policy_for_another_is_exact() -> None:
    found = difference(
        estate_of(data_of("company")),
        estate_of(changed("company", "accounts/development/roles/developer/policies", ["arn:aws:iam::aws:policy/ReadOnlyAccess"])),
    )
    assert found.changes and not any(c.unknown for c in found.changes)
    check_changes(found, estate_of(data_of("company")), estate_of(changed(
        "company", "accounts/development/roles/developer/policies", ["arn:aws:iam::aws:policy/ReadOnlyAccess"])))  # fmt: skip
    developer = {c.example[0]: c for c in found.changes if c.example}
    assert any(c.gained and action.startswith("account:") for action, c in developer.items())  # PowerUserAccess has NotAction account:*


# --- equal access ------------------------------------------------------------------------------------------------------------

EQUAL: dict[str, list[tuple[str, Any]]] = {
    "nothing": [],
    "networks in another order": [("jump/networks", ["vpn", "office"]), (f"{ROLE}/networks", ["vpn", "office"])],
    "a network in two halves": [
        ("networks/half", ["203.0.113.10/32"]), ("jump/networks", ["half", "office", "vpn"]), (f"{ROLE}/networks", ["half", "vpn"]),
    ],
    "the trust policy allows inside in place of denying outside": [(f"{ROLE}/networks_as", "allow")],
    "the trust policy names the account": [(f"{ROLE}/trusts_as", "account")],
    "a place to walk from": [("vantage_points/hotel", "192.0.2.77")],
    "the user's group has another name": [("groups", {"renamed": {"users": ["test-user"]}}), (f"{ROLE}/trusts", {"groups": ["renamed"]})],
    "the user's group has a path": [("groups/test-group/path", "/team/")],
    "the policy stands twice": [
        (f"{ROLE}/inline_policies", {"again": {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}}})
    ],
    "a password policy": [("jump/password_policy", {"minimum_length": 20})],
    "shorter sessions": [(f"{ROLE}/session", {"max_duration": "2h"})],
}  # fmt: skip


@pytest.mark.parametrize("name", EQUAL)
def test_what_gives_equal_access_is_equal(name: str) -> None:
    assert said("article", *EQUAL[name]) == []


def test_a_document_in_another_spelling_is_equal() -> None:
    one = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": ["*"]}
    other = [
        {"Effect": "Allow", "Action": "S3:putobject", "Resource": "*"},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"},
    ]
    first = estate((user("alice", document(one)),))
    # An object's ARN has S3's form, so that the star and the narrower pattern are apart on other ARNs alone.
    assert difference(first, estate((user("alice", document({**one, "Action": ["s3:Putobject", "s3:getobject"]})),))).is_empty
    assert not difference(first, estate((user("alice", document(*other)),))).is_empty


def test_what_no_request_that_AWS_sends_can_tell_apart_is_equal() -> None:
    """The two differ on a value such as TRUE, which AWS never sends."""
    allowed = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    one = document({**allowed, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}})
    other = document({**allowed, "Condition": {"StringEquals": {"aws:MultiFactorAuthPresent": "true"}}})
    assert difference(estate((user("alice", one),)), estate((user("alice", other),))).is_empty
    either = document(*({**allowed, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": v}}} for v in ("true", "false")))
    there = document({**allowed, "Condition": {"Null": {"aws:MultiFactorAuthPresent": "false"}}})
    assert difference(estate((user("alice", either),)), estate((user("alice", there),))).is_empty


def test_leave_to_assume_roles_elsewhere_is_told() -> None:
    elsewhere = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::999999999990:role/theirs"}
    found = difference(estate((user("alice"),)), estate((user("alice", document(elsewhere)),)))
    assert found.sentences == ("alice: gains sts:AssumeRole on arn:aws:iam::999999999990:role/theirs from anywhere",)


def test_a_resource_policy_that_changes_is_not_passed_over() -> None:
    bucket = "arn:aws:s3:::b"
    block = {"Effect": "Allow", "Principal": {"AWS": ALICE}, "Action": "s3:GetObject", "Resource": f"{bucket}/*"}
    policy = Policy.parse({"Version": "2012-10-17", "Statement": block}, kind=PolicyKind.RESOURCE, name="bucket policy")
    old, new = Estate.of([Account(J)]), Estate.of([Account(J, resource_policies=((bucket, policy),))])
    found = difference(old, new)
    assert not found.is_empty and "can't be told" in found.sentences[0] and bucket in found.sentences[0]


# --- held against decisions --------------------------------------------------------------------------------------------------

ACTIONS = ("s3:GetObject", "s3:Get*", "s3:*", "ec2:Describe*", "ec2:DescribeInstances", "*", "iam:CreateUser", "iam:*User", "sts:AssumeRole")
ASKED = ("s3:GetObject", "s3:GetBucketAcl", "s3:PutObject", "ec2:DescribeInstances", "ec2:StartInstances", "iam:CreateUser", "kms:DescribeKey")
RESOURCES = ("*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/${aws:username}/*", OPS)
THINGS = ("*", "arn:aws:s3:::b/x", "arn:aws:s3:::b/alice/x", "arn:aws:s3:::c/x")
CONDITIONS = (
    {}, {"IpAddress": {"aws:SourceIp": f"{OFFICE}/32"}}, {"NotIpAddress": {"aws:SourceIp": f"{OFFICE}/32"}},
    {"Bool": {"aws:MultiFactorAuthPresent": "true"}}, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
)  # fmt: skip
CONTEXTS = tuple(
    {k: v for k, v in (("aws:SourceIp", ip), ("aws:MultiFactorAuthPresent", mfa)) if v is not None}
    for ip in (OFFICE, VPN, None)
    for mfa in ("true", "false", None)
)


def _statement(rng: random.Random) -> dict[str, Any]:
    element = "NotAction" if rng.random() < 0.2 else "Action"
    block = {"Effect": rng.choice(("Allow", "Allow", "Deny")), element: rng.sample(ACTIONS, rng.randint(1, 2)), "Resource": rng.choice(RESOURCES)}
    condition = rng.choice(CONDITIONS)
    return {**block, "Condition": condition} if condition else block


def _generated(rng: random.Random) -> tuple[Estate, Estate]:
    """An estate and one that differs from it in little or nothing."""
    mine = [_statement(rng) for _ in range(rng.randint(1, 3))]
    theirs = [_statement(rng) for _ in range(rng.randint(1, 2))]
    trusted = [allow(rng.choice((ALICE, J, HOP)), rng.choice(CONDITIONS) or None) for _ in range(rng.randint(1, 2))]
    made = []
    for edit in (False, True):
        if edit:
            for blocks in (mine, theirs):
                if rng.random() < 0.4:
                    blocks[rng.randrange(len(blocks))] = _statement(rng)
                elif rng.random() < 0.3:
                    rng.shuffle(blocks)
            if rng.random() < 0.3:
                trusted[0] = allow(rng.choice((ALICE, J)), rng.choice(CONDITIONS) or None)
        hop = role(HOP, trust(allow(ALICE)), document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}))
        made.append(estate((user("alice", document(*mine)),), hop, role(OPS, trust(*trusted), document(*theirs))))
    return made[0], made[1]


def _request(found: Estate, principal: str, action: str, resource: str, context: Any) -> bool:
    owner = None if action == "sts:AssumeRole" else principal.split(":")[4]
    return decide(Request(principal, action, resource, context, resource_account=owner), found).allowed


def check_changes(found: Difference, old: Estate, new: Estate) -> None:
    """Each gain has a request that the old estate refuses and the new one allows, and each loss one the other way about."""
    for change in found.changes:
        if change.unknown or change.what in ("session", "sign-in"):
            continue
        assert change.gained is not None and change.lost is not None
        for region, first, second in ((change.gained, old, new), (change.lost, new, old)):
            context = region.witness()
            if context is None:
                continue
            if change.what == "action":
                assert change.example is not None
                action, resource = change.example
                if action == "sts:AssumeRole":
                    continue  # of an account that isn't there: nobody can decide
                assert not _request(first, change.principal, action, resource, context), (change, context)
                assert _request(second, change.principal, action, resource, context), (change, context)
            elif not change.before or not change.after or change.principal == ALICE:

                def gets_in(estate: Estate, context: Any = context, change: Any = change) -> bool:
                    callers = [change.principal, HOP] if change.principal == ALICE else [change.principal]
                    return any(decide(Request(c, "sts:AssumeRole", change.subject, {k: v for k, v in context.items() if c == ALICE or not k.startswith(
                        ("aws:principal", "aws:username", "aws:userid"))}), estate).allowed for c in callers)  # fmt: skip

                assert gets_in(second), (change, context)


@pytest.mark.parametrize("seed", range(3))
def test_empty_means_that_all_sampled_decisions_agree(seed: int) -> None:
    rng = random.Random(seed)
    empty = 0
    for _ in range(30):
        old, new = _generated(rng)
        found = difference(old, new)
        assert not any(c.unknown for c in found.changes), found.sentences
        check_changes(found, old, new)
        differs = [
            (principal, action, thing, context)
            for principal in (ALICE, OPS)
            for action, thing in [*((a, t) for a in ASKED for t in THINGS), ("sts:AssumeRole", OPS)]
            for context in CONTEXTS
            if _request(old, principal, action, thing, context) != _request(new, principal, action, thing, context)
        ]
        if found.is_empty:
            empty += 1
            assert not differs, differs[0]
        for principal, action, thing, context in differs:
            assert any(c.principal == principal for c in found.changes), (principal, action, thing, context, found.sentences)
    assert 2 < empty < 28


def test_the_order_of_everything_is_no_difference() -> None:
    rng = random.Random(1)
    made = estate_of(data_of("company"))
    mixed = []
    for account in made.accounts:
        parts = {name: list(getattr(account, name)) for name in ("users", "groups", "roles", "policies")}
        for listed in parts.values():
            rng.shuffle(listed)
        mixed.append(Account(account.id, account.name, account.alias, sign_in=account.sign_in, **{k: tuple(v) for k, v in parts.items()}))
    assert difference(made, Estate.of(mixed)).is_empty and isinstance(made.accounts[1].roles[0], Role)


def test_sentences_are_the_same_every_time() -> None:
    old, new = estate_of(data_of("company")), estate_of(changed("company", "networks/tokyo-office", ["203.0.113.0/26"]))
    assert difference(old, new).sentences == difference(old, new).sentences


def test_use_of_sessions_that_can_no_longer_be_known_is_not_lost() -> None:
    admin = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
    alice = user("alice", document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}))
    gone = (AttachedPolicy("arn:aws:iam::222222222222:policy/gone", "gone"),)
    old = estate((alice,), role(OPS, trust(allow(J)), admin))
    new = estate((alice,), role(OPS, trust(allow(J)), attached=gone))
    (session,) = (c for c in difference(old, new).changes if c.what == "session")
    assert session.lost is None and any("gone" in why for why in session.unknown)
    assert difference(new, new).is_empty
