"""Invariants: each kind held against estates that keep it, break it, or leave it open; every witness is confirmed by `decide`."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from environment.reading import changed, data_of, environment_of
from proof.estates import ALICE, ANY_ROLE, HOP, MFA, OFFICE, OFFICE_ONLY, OPS, J, T, allow, document, estate, role, trust, user
from sekisho import Estate, Policy, PolicyKind, Request, compile_environment, decide
from sekisho.environment import invariants
from sekisho.estate import Account, AttachedPolicy, SignIn, SignInStatement
from sekisho.proof.invariants import (
    BreakGlass,
    Demand,
    FirstSignIn,
    Held,
    Invariant,
    OnlyDo,
    OnlyFor,
    OnlyFrom,
    OnlyWithMfa,
    SessionsOnlyFrom,
    check_invariants,
)

BOB = f"arn:aws:iam::{J}:user/bob"
ADMIN = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
READ = document({"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"})
SWITCH = document(ANY_ROLE)
GUARD = document(OFFICE_ONLY)
HOME = ("203.0.113.0/24",)


def held(found: Estate, *demands: Demand) -> Held:
    (result,) = check_invariants([Invariant("name", demands)], found)
    if result.holds is False:
        assert result.witness is not None and result.why
        expected = isinstance(result.failed, BreakGlass) or (isinstance(result.failed, FirstSignIn) and "can't do" in result.why)
        if "can't sign in" not in result.why:
            assert decide(result.witness, found).allowed != expected, result
    else:
        assert result.witness is None
    if result.holds == "unknown":
        assert result.why
    return result


def open_to(*roles: Any, users: Any = (), **more: Any) -> Estate:
    return estate(tuple(users) or (user("alice", SWITCH), user("bob", SWITCH)), *roles, **more)


# --- nobody but ---------------------------------------------------------------------------------------------------------------


def test_nobody_but_those_named() -> None:
    found = open_to(role(OPS, trust(allow(ALICE)), READ))
    assert held(found, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds is True
    assert held(found, OnlyFor("", (OPS,), frozenset((ALICE, BOB)))).holds is True
    broken = held(found, OnlyFor("", (OPS,), frozenset((BOB,))))
    assert broken.holds is False and broken.witness is not None and broken.witness.principal == ALICE


def test_rules_F12_a_hop_is_a_way_in_for_somebody_else() -> None:
    """Nobody but alice is trusted, but bob gets into a role that is trusted as well."""
    hop = role(HOP, trust(allow(BOB)), SWITCH)
    found = open_to(hop, role(OPS, trust(allow([ALICE, HOP])), READ))
    broken = held(found, OnlyFor("", (OPS,), frozenset((ALICE,))))
    assert broken.holds is False and broken.witness is not None
    assert ":assumed-role/Hop/" in broken.witness.principal and "bob" in broken.why and "by way of" in broken.why
    assert held(open_to(role(HOP, trust(allow(ALICE)), SWITCH), role(OPS, trust(allow([ALICE, HOP])), READ)),
                OnlyFor("", (OPS,), frozenset((ALICE,)))).holds is True  # fmt: skip


def test_a_role_that_nobody_gets_into_is_no_way() -> None:
    orphan = role(HOP, trust(allow(f"arn:aws:iam::{J}:user/gone")), SWITCH)
    found = open_to(orphan, role(OPS, trust(allow([ALICE, HOP])), READ))
    assert held(found, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds is True


def test_rules_A31_deleted_ids_let_nobody_in() -> None:
    found = open_to(role(OPS, trust(allow([ALICE, "AIDAAAAAAAAAAAAAAAAAA", "AROABBBBBBBBBBBBBBBBB"])), READ))
    assert held(found, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds is True


@pytest.mark.parametrize(
    ("principal", "holds"),
    [
        ({"Service": "ec2.amazonaws.com"}, False),
        ({"AWS": "999999999999"}, "unknown"),
        ({"AWS": "arn:aws:iam::999999999999:role/theirs"}, "unknown"),
        ({"AWS": "*"}, "unknown"),
    ],
    ids=["a service", "another account", "a role of another account", "anyone"],
)
def test_whoever_else_the_trust_policy_lets_in(principal: Any, holds: Any) -> None:
    found = open_to(role(OPS, trust(allow(ALICE), allow(principal)), READ), users=(user("alice", SWITCH),))
    assert held(found, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds == holds
    by_way = open_to(role(HOP, trust(allow(principal)), SWITCH), role(OPS, trust(allow([ALICE, HOP])), READ), users=(user("alice", SWITCH),))
    assert held(by_way, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds == holds


def test_an_identity_provider_is_somebody_else() -> None:
    saml = f"arn:aws:iam::{T}:saml-provider/corp"
    found = open_to(role(OPS, trust(allow(ALICE), allow({"Federated": saml}, action="sts:AssumeRoleWithSAML")), READ))
    broken = held(found, OnlyFor("", (OPS,), frozenset((ALICE,))))
    assert broken.holds is False and broken.witness is not None and broken.witness.principal == saml


@pytest.mark.parametrize("known", [(), (READ,)])
def test_what_an_unknown_document_alone_may_allow_leaves_it_open(known: tuple[Policy, ...]) -> None:
    """No statement that is known is about such a request: that is no proof that it is denied."""
    gone = (AttachedPolicy(f"arn:aws:iam::{T}:policy/gone", "gone"),)
    found = open_to(role(OPS, trust(allow(ALICE)), *known, attached=gone))
    assert held(found, OnlyDo("", "iam:CreateUser", (T,), frozenset())).holds == "unknown"
    assert held(found, OnlyDo("", "iam:CreateUser", (T,), frozenset((ALICE,)))).holds is True
    assert held(found, SessionsOnlyFrom("", (OPS,), HOME)).holds == "unknown"  # it may hold a Deny as well


def test_an_unknown_document_leaves_it_open() -> None:
    unread = AttachedPolicy(f"arn:aws:iam::{J}:policy/p", "p", None)
    found = open_to(role(OPS, trust(allow(J)), READ), users=(user("alice", SWITCH), user("bob", attached=(unread,))))
    assert held(found, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds == "unknown"


def test_a_circle_of_roles_ends() -> None:
    names = [f"arn:aws:iam::{T}:role/R{i}" for i in range(4)]
    roles = [role(arn, trust(allow([names[i - 1], *([BOB] if i == 2 else [])])), SWITCH) for i, arn in enumerate(names)]
    broken = held(open_to(*roles), OnlyFor("", (names[0],), frozenset((ALICE,))))
    assert broken.holds is False and "bob" in broken.why
    closed = [role(arn, trust(allow(names[i - 1])), SWITCH) for i, arn in enumerate(names)]
    assert held(open_to(*closed), OnlyFor("", tuple(names), frozenset())).holds is True


# --- from, with MFA -----------------------------------------------------------------------------------------------------------

IN_OFFICE = {"IpAddress": {"aws:SourceIp": OFFICE}}


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (IN_OFFICE, True), ({"IpAddress": {"aws:SourceIp": "203.0.113.0/25"}}, True), ({"IpAddress": {"aws:SourceIp": "203.0.112.0/23"}}, False), (None, False),
        ({"IpAddressIfExists": {"aws:SourceIp": OFFICE}}, False), ({**IN_OFFICE, "StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, True),
        ({"StringLike": {"aws:SourceIp": "203.0.113.*"}}, True),
    ],
    ids=["inside", "narrower", "wider", "anywhere", "F-03 no address", "and a region", "F-21 as a text"],
)  # fmt: skip
def test_from_networks_alone(condition: Any, holds: Any) -> None:
    result = held(open_to(role(OPS, trust(allow(J, condition)), READ)), OnlyFrom("", (OPS,), HOME))
    assert result.holds == holds or (result.holds == "unknown" and "text" in result.why)


def test_rules_F10_a_user_outside_of_the_group_that_denies() -> None:
    found = open_to(role(OPS, trust(allow(J)), READ), users=(user("alice", SWITCH, GUARD), user("bob", SWITCH)))
    broken = held(found, OnlyFrom("", (OPS,), HOME))
    assert broken.holds is False and broken.witness is not None and broken.witness.principal == BOB
    assert held(open_to(role(OPS, trust(allow(ALICE)), READ), users=(user("alice", SWITCH, GUARD), user("bob", SWITCH))),
                OnlyFrom("", (OPS,), HOME)).holds is True  # fmt: skip


@pytest.mark.parametrize(
    ("condition", "holds"),
    [(MFA, True), (None, False), ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, False),
     ({"Null": {"aws:MultiFactorAuthPresent": "false"}}, False), ({"NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}, True)],
    ids=["Bool", "nothing", "F-04 BoolIfExists", "F-04 Null", "age"],
)  # fmt: skip
def test_with_MFA_alone(condition: Any, holds: bool) -> None:
    assert held(open_to(role(OPS, trust(allow(J, condition)), READ)), OnlyWithMfa("", (OPS,))).holds is holds


def test_MFA_on_the_way_is_enough() -> None:
    asked_before = open_to(role(HOP, trust(allow(ALICE, MFA)), SWITCH), role(OPS, trust(allow(HOP)), READ))
    assert held(asked_before, OnlyWithMfa("", (OPS,))).holds is True
    never_asked = open_to(role(HOP, trust(allow(ALICE)), SWITCH), role(OPS, trust(allow(HOP)), READ))
    assert held(never_asked, OnlyWithMfa("", (OPS,))).holds is False


# --- sessions -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policies", "holds"),
    [
        ([ADMIN], False),
        ([ADMIN, GUARD], True),
        ([document({"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": IN_OFFICE})], True),
        ([ADMIN, document({"Effect": "Deny", "NotAction": "s3:GetObject", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": OFFICE}}})], False),
        ([document({"Effect": "Allow", "Action": f"s3:A{i}", "Resource": "*", "Condition": IN_OFFICE}) for i in range(30)], True),
        ([*(document({"Effect": "Allow", "Action": f"s3:A{i}", "Resource": "*", "Condition": IN_OFFICE}) for i in range(30)),
          document({"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"})], False),
        ([], True),
    ],
    ids=["F-01", "Deny", "Allow inside", "one action left out of the Deny", "thirty", "one of thirty-one", "nothing"],
)  # fmt: skip
def test_sessions_are_useless_outside(policies: list[Policy], holds: bool) -> None:
    result = held(open_to(role(OPS, trust(allow(J, MFA)), *policies)), SessionsOnlyFrom("", (OPS,), HOME))
    assert result.holds is holds, result
    if not holds:
        assert result.witness is not None and result.witness.principal.startswith(f"arn:aws:sts::{T}:assumed-role/Ops/")


def test_a_session_that_switches_on_is_not_useless() -> None:
    on = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": OPS})
    found = open_to(role(HOP, trust(allow(ALICE)), on), role(OPS, trust(allow(HOP)), READ))
    broken = held(found, SessionsOnlyFrom("", (HOP,), HOME))
    assert broken.holds is False and broken.witness is not None and broken.witness.action == "sts:AssumeRole"


# --- who may do something -----------------------------------------------------------------------------------------------------


def test_nobody_but_may_do() -> None:
    maker = document({"Effect": "Allow", "Action": "iam:Create*", "Resource": "*", "Condition": MFA})
    found = open_to(users=(user("alice", maker), user("bob", SWITCH)))
    assert held(found, OnlyDo("", "iam:CreateUser", (J,), frozenset((ALICE,)))).holds is True
    assert held(found, OnlyDo("", "iam:CreateUser", (J,), frozenset((BOB,)))).holds is False
    assert held(found, OnlyDo("", "iam:*", (J,), frozenset((BOB,)))).holds is False
    assert held(found, OnlyDo("", "iam:Delete*", (J,), frozenset())).holds is True
    assert held(found, OnlyDo("", "*", (J,), frozenset((ALICE, BOB)))).holds is True


def test_in_a_session_of_a_role() -> None:
    found = open_to(role(OPS, trust(allow(ALICE, MFA)), ADMIN))
    assert held(found, OnlyDo("", "ec2:TerminateInstances", (T,), frozenset((ALICE,)))).holds is True
    broken = held(found, OnlyDo("", "ec2:Terminate*", (T,), frozenset((BOB,))))
    assert broken.holds is False and "alice, as a session of" in broken.why
    assert held(found, OnlyDo("", "sts:AssumeRole", (T,), frozenset((BOB,)))).holds is False
    assert held(open_to(role(OPS, trust(allow(ALICE)), READ)), OnlyDo("", "ec2:*", (T,), frozenset())).holds is True


def test_a_resource_policy_leaves_it_open() -> None:
    bucket = "arn:aws:s3:::b"
    policy = Policy.parse(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": {"AWS": BOB}, "Action": "s3:Get*", "Resource": f"{bucket}/*"}},
        kind=PolicyKind.RESOURCE, name="bucket policy",
    )  # fmt: skip
    found = Estate.of([Account(J, users=(user("alice"),), resource_policies=((bucket, policy),))])
    assert held(found, OnlyDo("", "s3:GetObject", (J,), frozenset())).holds == "unknown"
    assert held(found, OnlyDo("", "s3:PutObject", (J,), frozenset())).holds is True


# --- break glass --------------------------------------------------------------------------------------------------------------


def test_break_glass_works_from_anywhere_with_MFA() -> None:
    demand = BreakGlass("", (OPS,), (ALICE,))
    assert held(open_to(role(OPS, trust(allow(ALICE, MFA)), ADMIN)), demand).holds is True
    young = {**MFA, "NumericLessThan": {"aws:MultiFactorAuthAge": "3600"}}
    assert held(open_to(role(OPS, trust(allow(ALICE, young)), ADMIN)), demand).holds is True  # a fresh code will do
    broken = held(open_to(role(OPS, trust(allow(ALICE, {**MFA, **IN_OFFICE})), ADMIN)), demand)
    assert broken.holds is False and broken.witness is not None and broken.witness.context["aws:sourceip"] == "192.0.2.1"
    v4 = {**MFA, "IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}
    broken = held(open_to(role(OPS, trust(allow(ALICE, v4)), ADMIN)), demand)
    assert broken.holds is False and broken.witness is not None and ":" in str(broken.witness.context["aws:sourceip"])
    external = {**MFA, "StringEquals": {"sts:ExternalId": "secret"}}
    assert held(open_to(role(OPS, trust(allow(ALICE, external)), ADMIN)), demand).holds is False  # E-04: the console can't pass it
    assert held(open_to(role(OPS, trust(allow(BOB, MFA)), ADMIN)), demand).holds is False


def test_rules_M02_break_glass_needs_the_sign_in_itself() -> None:
    found = open_to(role(OPS, trust(allow(ALICE, MFA)), ADMIN))
    account = found.account(J)
    assert account is not None
    closed = SignIn((SignInStatement(source_ip=HOME),), enforced=True)
    broken = held(found.with_account(dataclasses.replace(account, sign_in=closed)), BreakGlass("", (OPS,), (ALICE,)))
    assert broken.holds is False and "can't sign in" in broken.why
    excluded = SignIn((SignInStatement(source_ip=HOME, excluded_principals=(ALICE,)),), enforced=True)
    assert held(found.with_account(dataclasses.replace(account, sign_in=excluded)), BreakGlass("", (OPS,), (ALICE,))).holds is True


# --- the first sign-in --------------------------------------------------------------------------------------------------------


def first(data: Any) -> Held:
    data["must"] = [{"first_sign_in": "everybody"}]
    environment = environment_of(data)
    made = compile_environment(environment)
    (demand,) = (d for i in invariants(environment) for d in i.demands)
    return held(made, demand)


@pytest.mark.parametrize("form", ["article", "current"])
def test_both_forms_of_self_service_let_a_first_sign_in_end(form: str) -> None:
    assert first(changed("article", "jump/self_service", form)).holds is True


def test_the_first_sign_in_where_more_is_open_before_MFA() -> None:
    more = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "ec2:StartInstances", "Resource": "*"}}
    broken = first(changed("article", "groups/test-group/inline_policies", {"more": more}))
    assert broken.holds is False and broken.witness is not None and broken.witness.action == "ec2:StartInstances"
    assert first({**changed("article", "groups/test-group/inline_policies", {"more": more}),
                  "jump": {**data_of("article")["jump"], "self_service": "current"}}).holds is True  # fmt: skip


def test_rules_F20_another_users_device() -> None:
    more = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "iam:EnableMFADevice", "Resource": "*"}}
    broken = first(changed("article", "groups/test-group/inline_policies", {"more": more}))
    assert broken.holds is False and broken.witness is not None and not broken.witness.resource.endswith("/test-user")


def test_the_first_sign_in_that_is_denied() -> None:
    deny = {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "iam:EnableMFADevice", "Resource": "*"}}
    broken = first(changed("article", "groups/test-group/inline_policies", {"deny": deny}))
    assert broken.holds is False and "can't do iam:EnableMFADevice" in broken.why


def test_switching_before_MFA_is_more_than_a_first_sign_in() -> None:
    broken = first(changed("article", "accounts/workload/roles/test-role-admin/mfa", "optional"))
    assert broken.holds is False and broken.witness is not None and broken.witness.action == "sts:AssumeRole"


# --- held against single decisions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(2))
def test_an_invariant_that_holds_is_broken_by_no_request(seed: int) -> None:
    rng = random.Random(seed)
    conditions = (None, MFA, IN_OFFICE, {**MFA, **IN_OFFICE}, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}})
    verdicts: set[Any] = set()
    for _ in range(40):

        def guard(rng: random.Random = rng) -> list[Policy]:
            return [GUARD] if rng.random() < 0.4 else []

        users = (user("alice", SWITCH, *guard()), user("bob", *([SWITCH] if rng.random() < 0.5 else []), *guard()))
        roles = [role(HOP, trust(allow(rng.choice((ALICE, BOB, J)), rng.choice(conditions))), SWITCH, *guard()),
                 role(OPS, trust(allow(rng.sample((ALICE, BOB, HOP), rng.randint(1, 2)), rng.choice(conditions))), READ, *guard())]  # fmt: skip
        found = open_to(*roles, users=users)
        only_for = held(found, OnlyFor("", (OPS,), frozenset((ALICE,)))).holds
        only_from, with_mfa = held(found, OnlyFrom("", (OPS,), HOME)).holds, held(found, OnlyWithMfa("", (OPS,))).holds
        use = held(found, SessionsOnlyFrom("", (OPS,), HOME)).holds
        verdicts |= {("for", only_for), ("from", only_from), ("mfa", with_mfa), ("use", use)}
        for address in ("203.0.113.9", "198.51.100.7", "2001:db8::9", None):
            for mfa in ("true", "false", None):
                context = {k: v for k, v in (("aws:SourceIp", address), ("aws:MultiFactorAuthPresent", mfa)) if v is not None}
                if decide(Request(BOB, "sts:AssumeRole", OPS, context), found).allowed:
                    assert only_for is False
                if decide(Request(ALICE, "sts:AssumeRole", OPS, context), found).allowed:
                    assert only_from is False or address == "203.0.113.9"
                    assert with_mfa is False or mfa == "true"
                session = Request(f"arn:aws:sts::{T}:assumed-role/Ops/x", "s3:GetObject", "arn:aws:s3:::b/x", context, resource_account=T)
                reached = any(decide(Request(who, "sts:AssumeRole", OPS, {"aws:SourceIp": "203.0.113.9", "aws:MultiFactorAuthPresent": "true"}), found)
                              .allowed for who in (ALICE, BOB))  # fmt: skip
                if reached and address != "203.0.113.9" and decide(session, found).allowed:
                    assert use is False
    assert {(name, holds) for name in ("for", "from", "mfa", "use") for holds in (True, False)} <= verdicts
