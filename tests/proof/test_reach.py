"""Who reaches which role (D.6): rules by number, and every answer held against single decisions."""

from __future__ import annotations

import ipaddress
import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from proof.estates import ALICE, ANY_ROLE, HOP, MFA, OFFICE, OFFICE_ONLY, OPS, J, T, allow, document, estate, role, trust, user
from sekisho import Authorizer, CredentialKind, Estate, Request, load
from sekisho.decision import request_context
from sekisho.estate import AttachedPolicy
from sekisho.proof import Reach, Row, reach, region_where

CONTRACTS = Path(__file__).parents[2] / "examples"
ADMIN = document({"Effect": "Allow", "Action": "*", "Resource": "*"})
SWITCHER = user("alice", document(ANY_ROLE))


def ways(found: Estate, principal: str = ALICE) -> dict[tuple[str, ...], Row]:
    return {row.hops: row for row in reach(found).rows if row.principal == principal}


def only(found: Estate) -> Row:
    (row,) = reach(found).rows
    return row


def ips(row: Row) -> Any:
    (box,) = row.obtain.to_json()
    return box.get("aws:SourceIp")


def test_rows_have_the_contracts_form() -> None:
    found = only(estate((user("alice", document(ANY_ROLE, OFFICE_ONLY)),), role(OPS, trust(allow(J, MFA)), ADMIN)))
    shown = found.to_json()
    assert shown["principal"] == ALICE and shown["role"] == OPS and shown["hops"] == [OPS]
    assert shown["obtain"] == [
        {"aws:SourceIp": {"cidrs": [OFFICE], "absent": False}, "aws:MultiFactorAuthPresent": {"values": ["true"], "absent": False}}
    ]
    assert shown["use"] == [{}]


def test_rules_F01_a_role_that_guards_its_session() -> None:
    found = only(estate((SWITCHER,), role(OPS, trust(allow(J, MFA)), ADMIN, document(OFFICE_ONLY))))
    assert found.obtain.to_json() == [{"aws:MultiFactorAuthPresent": {"values": ["true"], "absent": False}}]
    assert found.use.to_json() == [{"aws:SourceIp": {"cidrs": [OFFICE], "absent": False}}]


def test_rules_F05_MFA_asked_in_the_roles_own_policy() -> None:
    """A session had with a long-term key and a code carries no MFA (E-08 i); one had from an MFA'd session does (ii)."""
    guarded = document({"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": MFA})
    found = only(estate((SWITCHER,), role(OPS, trust(allow(J, MFA)), guarded)))
    assert found.kinds == ("console+mfa", "key+mfa", "session+mfa")
    assert found.use.to_json() == [{"aws:MultiFactorAuthPresent": {"values": ["true"], "absent": False}}]
    long_term = allow(J, {**MFA, "Null": {"aws:TokenIssueTime": "true"}})
    found = only(estate((SWITCHER,), role(OPS, trust(long_term), guarded)))
    assert found.kinds == ("key+mfa",)
    assert found.use.is_empty


def test_rules_F12_a_role_in_the_jump_account_leaves_the_users_Deny_behind() -> None:
    alice = user("alice", document(ANY_ROLE, OFFICE_ONLY))
    found = ways(estate((alice,), role(HOP, trust(allow(ALICE)), document(ANY_ROLE)), role(OPS, trust(allow(J)), ADMIN)))
    assert set(found) == {(HOP,), (OPS,), (HOP, OPS)}
    assert ips(found[HOP,])["cidrs"] == ips(found[OPS,])["cidrs"] == [OFFICE]
    assert ips(found[HOP, OPS]) is None
    assert found[HOP, OPS].kinds  # a session of the role calls
    held = ways(
        estate(
            (alice,), role(HOP, trust(allow(ALICE)), document(ANY_ROLE)), role(OPS, trust(allow(J, {"IpAddress": {"aws:SourceIp": OFFICE}})), ADMIN)
        )
    )
    assert set(held) == {(HOP,), (OPS,)}  # the trust policy checks the address on every hop, so the hop opens nothing


def test_rules_E08_MFA_along_a_chain() -> None:
    chained = estate((SWITCHER,), role(HOP, trust(allow(ALICE)), document(ANY_ROLE)), role(OPS, trust(allow(HOP, MFA)), ADMIN))
    found = ways(chained)[HOP, OPS]
    assert found.obtain.to_json() == [{"aws:MultiFactorAuthPresent": {"values": ["true"], "absent": False}}]
    assert found.kinds == ("role-session+mfa",)
    by_key = allow(ALICE, {"Null": {"aws:TokenIssueTime": "true"}})
    assert (HOP, OPS) not in ways(estate((SWITCHER,), role(HOP, trust(by_key), document(ANY_ROLE)), role(OPS, trust(allow(HOP, MFA)), ADMIN)))


def test_a_circle_of_roles_ends() -> None:
    names = [f"arn:aws:iam::{T}:role/R{i}" for i in range(6)]
    roles = [role(arn, trust(allow(names[i - 1])), document(ANY_ROLE)) for i, arn in enumerate(names)]
    roles[0] = role(names[0], trust(allow([names[-1], ALICE])), document(ANY_ROLE))
    found = ways(estate((SWITCHER,), *roles))
    assert sorted(found, key=len) == [tuple(names[: i + 1]) for i in range(6)]


def test_rules_E04_an_external_id_cannot_be_given_at_the_console() -> None:
    found = only(estate((SWITCHER,), role(OPS, trust(allow(J, {"StringEquals": {"sts:ExternalId": "secret"}})), ADMIN)))
    assert not any(k.startswith("console") for k in found.kinds)
    (box,) = found.obtain.to_json()
    assert box["sts:ExternalId"] == {"values": ["secret"], "absent": False}


def test_rules_B15_a_session_named_like_the_user() -> None:
    named = {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}}
    found = ways(
        estate((SWITCHER, user("bob", document(ANY_ROLE))), role(HOP, trust(allow(J)), document(ANY_ROLE)), role(OPS, trust(allow(J, named)), ADMIN))
    )
    assert (HOP, OPS) not in found  # a role session has no aws:username
    assert set(found[OPS,].kinds) >= {"console", "console+mfa", "key"}
    (box,) = found[OPS,].obtain.to_json()
    assert box["sts:RoleSessionName"] == {"values": ["alice"], "absent": False}


def test_rules_D21_one_account() -> None:
    mine = f"arn:aws:iam::{J}:role/Mine"
    assert set(ways(estate((user("alice"),), role(mine, trust(allow(ALICE)), ADMIN)))) == {(mine,)}
    assert not ways(estate((user("alice"),), role(mine, trust(allow(J)), ADMIN)))
    assert set(ways(estate((SWITCHER,), role(mine, trust(allow(J)), ADMIN)))) == {(mine,)}
    assert not ways(estate((user("alice"),), role(OPS, trust(allow(ALICE)), ADMIN)))  # D-20: two accounts, both must allow


def test_a_trust_that_names_one_session() -> None:
    session = f"arn:aws:sts::{J}:assumed-role/Hop/alice"
    roles = role(HOP, trust(allow(J)), document(ANY_ROLE)), role(OPS, trust(allow(session)), ADMIN)
    assert (HOP, OPS) in ways(estate((SWITCHER,), *roles))
    strict = role(HOP, trust(allow(J, {"StringEquals": {"sts:RoleSessionName": "${aws:username}"}})), document(ANY_ROLE))
    bob = user("bob", document(ANY_ROLE))
    found = estate((SWITCHER, bob), strict, roles[1])
    assert (HOP, OPS) in ways(found)
    assert (HOP, OPS) not in ways(found, bob.arn)


def test_rules_E09_an_identity_provider() -> None:
    provider = f"arn:aws:iam::{T}:saml-provider/corp"
    federated = allow({"Federated": provider}, {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}, "sts:AssumeRoleWithSAML")
    found = ways(estate((), role(OPS, trust(federated), ADMIN)), provider)
    assert found[OPS,].kinds == ("identity-provider",)
    asked_for_mfa = {**federated, "Condition": MFA}
    assert not ways(estate((), role(OPS, trust(asked_for_mfa), ADMIN)), provider)


def test_what_is_not_known_is_not_blocked() -> None:
    alice = user("alice", attached=(AttachedPolicy("arn:aws:iam::111111111111:policy/gone", "gone"),))
    found = only(estate((alice,), role(OPS, trust(allow(J, MFA)), ADMIN)))
    assert found.obtain.is_empty and found.unknown and "gone" in found.reasons[0]
    assert "unknown" in found.to_json()


def test_D24_root_and_service_linked_roles_are_no_rows() -> None:
    linked = role(f"arn:aws:iam::{T}:role/aws-service-role/x.amazonaws.com/Linked", trust(allow(J)), ADMIN, path="/aws-service-role/x.amazonaws.com/")
    assert not reach(estate((SWITCHER,), linked)).rows


def test_service_control_policies_hold_in_both_halves() -> None:
    scp = document(
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": "sts:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": OFFICE}}},
    )
    found = only(estate((SWITCHER,), role(OPS, trust(allow(J)), ADMIN), service_control=((scp,),)))
    assert ips(found)["cidrs"] == [OFFICE]


# --- held against single decisions (D.6, step 6) -----------------------------------------------------------------------------

KINDS = [
    ("console", CredentialKind.CONSOLE, False), ("console+mfa", CredentialKind.CONSOLE, True), ("key", CredentialKind.KEY, False),
    ("session", CredentialKind.SESSION_TOKEN, False), ("session+mfa", CredentialKind.SESSION_TOKEN, True),
]  # fmt: skip


def addresses(found: Estate, rng: random.Random) -> list[str | None]:
    """Every edge of every network ± 1, some at random, and none at all (a VPC endpoint)."""
    listed: set[str | None] = {None}
    texts = {c for account in found.accounts for r in account.roles for c in _cidrs(r.trust.document)}
    for account in found.accounts:
        for holder in (*account.users, *account.groups, *account.roles):
            for policy in (*holder.inline, *(a.policy for a in holder.attached if a.policy)):
                texts.update(_cidrs(policy.document))
    for text in texts:
        network = ipaddress.ip_network(text)
        for at in (int(network[0]), int(network[-1])):
            for near in (at - 1, at, at + 1):
                if 0 <= near < 1 << network.max_prefixlen:
                    listed.add(str(type(network[0])(near)))
    listed.update(str(ipaddress.IPv4Address(rng.getrandbits(32))) for _ in range(20))
    listed.update(str(ipaddress.IPv6Address(rng.getrandbits(128))) for _ in range(10))
    return sorted(listed, key=str)


def _cidrs(value: Any) -> list[str]:
    """The values of every IpAddress and NotIpAddress in a document."""
    if isinstance(value, list):
        return [c for item in value for c in _cidrs(item)]
    if not isinstance(value, dict):
        return []
    found = []
    for key, inner in value.items():
        if key in ("IpAddress", "NotIpAddress"):
            found += [c for values in inner.values() for c in ([values] if isinstance(values, str) else values)]
        else:
            found += _cidrs(inner)
    return found


def direct_rows(solved: Reach) -> dict[tuple[str, str], Row]:
    return {(row.principal, row.role): row for row in solved.rows if len(row.hops) == 1}


def compare(found: Estate, seed: int) -> int:
    rng = random.Random(seed)
    solved = reach(found)
    assert all(row.obtain or row.unknown for row in solved.rows)
    rows = direct_rows(solved)
    authorizer = Authorizer(found)
    asked = 0
    users = [u for a in found.accounts for u in a.users]
    roles = [r for a in found.accounts for r in a.roles]
    for (person, target), address in itertools.product(itertools.product(users, roles), addresses(found, rng)):
        row = rows.get((person.arn, target.arn))
        for _, kind, mfa in KINDS:
            age = rng.choice((0, 3599, 3600, 3601)) if mfa else None
            context = request_context(kind, source_ip=address, mfa=mfa, mfa_age_s=age, source_vpce=None if address else "vpce-1", region="us-east-1")
            context["sts:RoleSessionName"] = person.name
            if kind is not CredentialKind.KEY:
                context["aws:TokenIssueTime"] = "2026-01-01T00:00:00Z"
            decided = authorizer.decide_anew(Request(person.arn, "sts:AssumeRole", target.arn, context, credentials=kind)).allowed
            assert decided == (row is not None and context in row.obtain), (person.arn, target.arn, context, row and row.to_json())
            asked += 1
    return asked


@pytest.mark.parametrize("name", ["article", "company"])
def test_reach_agrees_with_decide_on_the_examples(name: str) -> None:
    assert compare(load(CONTRACTS / f"{name}.yaml"), 1) > 100


@pytest.mark.parametrize("seed", [*range(8), 134, 135, 136])
def test_reach_agrees_with_decide_on_generated_estates(seed: int) -> None:
    assert compare(generated(seed), seed) > 500


NETWORKS = ["203.0.113.0/24", "203.0.113.128/25", "198.51.100.7/32", "2001:db8::/32", "192.0.2.0/24"]
ASKED: list[tuple[str, str, list[str]]] = [
    ("IpAddress", "aws:SourceIp", NETWORKS),
    ("NotIpAddress", "aws:SourceIp", NETWORKS),
    ("Bool", "aws:MultiFactorAuthPresent", ["true", "false"]),
    ("BoolIfExists", "aws:MultiFactorAuthPresent", ["true", "false"]),
    ("NumericLessThan", "aws:MultiFactorAuthAge", ["3600"]),
    ("StringEquals", "aws:PrincipalTag/team", ["a", "b"]),
    ("ArnLike", "aws:PrincipalArn", [f"arn:aws:iam::{J}:user/a*", f"arn:aws:iam::{J}:*"]),
    ("StringEquals", "sts:RoleSessionName", ["${aws:username}", "alice"]),
    ("StringNotEquals", "aws:ResourceAccount", [T, J]),
    ("StringEquals", "aws:username", ["alice", "bob"]),
    ("Null", "aws:SourceIp", ["true", "false"]),
    ("Null", "aws:TokenIssueTime", ["true"]),
]


def generated(seed: int, users: int = 3, roles: int = 4, *, switching: bool = False) -> Estate:
    """Users and roles in two accounts whose policies differ in what reach groups by: accounts, ARNs, paths, tags, networks, MFA."""
    rng = random.Random(seed)

    def conditions() -> dict[str, Any]:
        chosen: dict[str, Any] = {}
        for _ in range(rng.randint(0, 2)):
            operator, key, values = rng.choice(ASKED)
            chosen.setdefault(operator, {})[key] = rng.sample(values, rng.randint(1, min(2, len(values))))
        return chosen

    arns = [f"arn:aws:iam::{rng.choice((J, T, T))}:role/{rng.choice(('', 'team/'))}R{i}" for i in range(roles)]

    def block(**more: Any) -> dict[str, Any]:
        return {
            "Effect": rng.choice(("Allow", "Allow", "Deny")),
            "Action": rng.choice(("sts:AssumeRole", "sts:*")),
            "Condition": conditions(),
            **more,
        }

    people = []
    for i in range(users):
        name = ("alice", "bob", "carol")[i]
        blocks = [
            block(Resource=rng.choice(("*", arns[rng.randrange(roles)], f"arn:aws:iam::{T}:role/*", "arn:aws:iam::*:role/team/*"))) for _ in range(2)
        ]
        people.append(user(name, document(*blocks, *([ANY_ROLE] if rng.random() < 0.5 else [])), tags=(("team", "a"),) if rng.random() < 0.5 else ()))
    targets = []
    for arn in arns:
        who = [J, ALICE, f"arn:aws:iam::{J}:user/bob", "*", arns[0], *([T, *arns] if switching else [])]
        blocks = [block(Principal={"AWS": rng.choice(who)}) for _ in range(2)]
        held = document(block(Resource="*"), *([ANY_ROLE] if rng.random() < 0.7 else [])) if switching else ADMIN
        targets.append(role(arn, trust(*blocks, *([allow(J)] if rng.random() < 0.5 else [])), held))
    return estate(tuple(people), *targets)


@pytest.mark.parametrize("seed", [*range(5), 60])
def test_every_hop_agrees_with_decide(seed: int) -> None:
    """The states that single decisions lead to, one after another from sampled places, are those of the rows; so are the places."""
    found = generated(seed, roles=5, switching=True)
    rng = random.Random(seed)
    sampled = addresses(found, rng)
    authorizer = Authorizer(found)
    rows: dict[tuple[str, str], list[Row]] = {}
    for row in reach(found).rows:
        rows.setdefault((row.principal, row.role), []).append(row)
    roles = [r for a in found.accounts for r in a.roles]
    chained = 0
    for person in (u for a in found.accounts for u in a.users):
        states: set[tuple[str, bool]] = set()
        queue: list[tuple[str, bool] | None] = [None]
        for state in queue:
            for target, address in itertools.product(roles, sampled):
                caller = person.arn if state is None else _session(state[0], person.name)
                for context, session_mfa in _calls(state, person.name, address):
                    request = Request(caller, "sts:AssumeRole", target.arn, context, role=state[0] if state else "")
                    if authorizer.decide_anew(request).allowed:
                        ways = rows.get((person.arn, target.arn), ())
                        at = {k: v for k, v in context.items() if not _of_the_caller(k.lower())}
                        assert any(at in row.obtain.forget(_of_the_caller) for row in ways), (caller, target.arn, context)
                        chained += state is not None
                        if (target.arn, session_mfa) not in states:
                            states.add((target.arn, session_mfa))
                            queue.append((target.arn, session_mfa))
        had = {arn for arn, _ in states}
        assert had == {arn for (principal, arn), listed in rows.items() if principal == person.arn and any(r.obtain for r in listed)}
        for (principal, _), listed in rows.items():
            for row in listed if principal == person.arn else ():
                assert all(hop in had for hop in row.hops), row.hops
    assert chained or seed


def _calls(state: tuple[str, bool] | None, name: str, address: str | None) -> Iterator[tuple[dict[str, Any], bool]]:
    """Contexts of AssumeRole calls from a place, by a user or by a session in that state, and whether the session made carries MFA."""
    where: dict[str, Any] = {"source_ip": address, "source_vpce": None if address else "vpce-1"}
    issued = {"aws:TokenIssueTime": "2026-01-01T00:00:00Z"}
    for session_name in (name, "alice", "zz"):
        named = {"sts:RoleSessionName": session_name}
        if state is not None:
            made = request_context(CredentialKind.ROLE_SESSION, mfa=state[1], mfa_age_s=5 if state[1] else None, **where)
            for tags in ({}, {"aws:PrincipalTag/team": "a"}, {"aws:PrincipalTag/team": "b"}):
                yield {**made, **named, **issued, **tags}, state[1]
            continue
        for _, kind, mfa in KINDS:
            if kind is CredentialKind.CONSOLE and session_name != name:
                continue
            for age in (5, 4000) if mfa else (None,):
                made = request_context(kind, mfa=mfa, mfa_age_s=age, **where)
                yield {**made, **named, **(issued if kind is not CredentialKind.KEY else {})}, mfa
        with_code = {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}  # E-08: parameters on the call
        yield {**request_context(CredentialKind.KEY, **where), **named, **with_code}, False


def _of_the_caller(key: str) -> bool:
    """Keys that tell two callers apart who are let in at the same places: one row speaks for both."""
    return key.startswith("aws:principaltag/") or key in ("sts:rolesessionname", "aws:tokenissuetime", "aws:username")


def _session(role_arn: str, name: str) -> str:
    return f"arn:aws:sts::{role_arn.split(':')[4]}:assumed-role/{role_arn.rpartition('/')[2]}/{name}"


def test_from_a_place() -> None:
    found = only(estate((user("alice", document(ANY_ROLE, OFFICE_ONLY)),), role(OPS, trust(allow(J)), ADMIN)))
    assert found.obtain <= region_where({"IpAddress": {"aws:SourceIp": OFFICE}})
    assert not found.obtain.meets(region_where({"IpAddress": {"aws:SourceIp": "198.51.100.0/24"}}))
    assert found.obtain.at("aws:SourceIp", "203.0.113.9").is_everything


# Use: where a session's keys work, over all that its policies tell apart -------------------------------------------------------------


def policies_of(**by_layer: Any) -> Row:
    boundary = by_layer.pop("boundary", None)
    more = {"boundary": AttachedPolicy(f"arn:aws:iam::{T}:policy/b", "b", boundary)} if boundary else {}
    identity = by_layer.pop("identity", [])
    made = estate((SWITCHER,), role(OPS, trust(allow(J)), *identity, **more, attached=by_layer.pop("attached", ())))
    return only(Estate.of(replace(a, **by_layer) if a.id == T else a for a in made.accounts))


def may(action: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": "*", **more}


def deny(action: Any, **more: Any) -> dict[str, Any]:
    return {**may(action, **more), "Effect": "Deny"}


USUALLY = ["ec2:*", "s3:*", "iam:*", "kms:*", "logs:*", "cloudformation:*", "lambda:*", "sqs:*", "dynamodb:*"]
OUTSIDE = {"NotIpAddress": {"aws:SourceIp": OFFICE}}
SECRET = "arn:aws:s3:::b/secret/*"


@pytest.mark.parametrize(
    ("layers", "works"),
    [
        pytest.param({"identity": [ADMIN], "boundary": document(may("glacier:ListVaults"))}, [{}], id="a boundary leaves one action"),
        pytest.param({"identity": [document(may("*"), deny(USUALLY))]}, [{}], id="what is done as a rule is denied, the rest is not"),
        pytest.param({"identity": [document(may(["s3:*", "glacier:*"]), deny("s3:*"), deny("glacier:*", Condition=OUTSIDE))]},
                     [{"aws:SourceIp": {"cidrs": [OFFICE], "absent": False}}], id="F-01 the first action is denied, the second guarded"),
        pytest.param({"identity": [document(may("s3:*", Resource="arn:aws:s3:::b/*"), {"Effect": "Deny", "Action": "*", "NotResource": SECRET})]},
                     [{}], id="a Deny of NotResource leaves some objects"),
        pytest.param({"identity": [document(may("s3:Get*"))], "service_control": ((ADMIN, document(deny("s3:*", Condition=OUTSIDE))),)},
                     [{"aws:SourceIp": {"cidrs": [OFFICE], "absent": False}}], id="D-03 an SCP guards the session"),
        pytest.param({"identity": [document(may("s3:*"), deny("s3:*"))]}, [], id="all that it may is denied"),
        pytest.param({"identity": [document(may("sts:AssumeRole", Resource=OPS))]}, [], id="into a role that doesn't trust it"),
    ],
)  # fmt: skip
def test_use_over_all_kinds_of_requests(layers: Any, works: Any) -> None:
    found = policies_of(**layers)
    assert found.use.to_json() == works
    assert "use_unknown" not in found.to_json()


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ({"attached": (AttachedPolicy(f"arn:aws:iam::{T}:policy/gone", "gone"),)}, "the document of"),
        ({"identity": [document({**ANY_ROLE, "Resource": "arn:aws:iam::333333333333:role/X"})]}, "account 333333333333 is not in the estate"),
        ({"identity": [document(ANY_ROLE)]}, "accounts outside the estate"),
    ],
)
def test_where_it_is_not_known_whether_the_keys_work(layers: Any, why: str) -> None:
    found = policies_of(**layers)
    shown = found.to_json()
    assert shown["use"] == [] and shown["use_unknown"]["region"] == [{}]
    assert why in " ".join(shown["use_unknown"]["reasons"])


def test_a_session_works_where_it_gets_into_another_role() -> None:
    hop = role(HOP, trust(allow(ALICE)), document(ANY_ROLE))
    found = ways(estate((SWITCHER,), hop, role(OPS, trust(allow(HOP, {"IpAddress": {"aws:SourceIp": OFFICE}})), ADMIN)))
    assert found[(HOP,)].use.to_json() == [{"aws:SourceIp": {"cidrs": [OFFICE], "absent": False}}]


def test_where_the_regions_of_a_sessions_policies_multiply_it_is_unknown_and_soon() -> None:
    """40 keys, 40 values each, statements of several services: no answer that would take for ever, and none that is rounded."""
    rng = random.Random(1)
    blocks = []
    for i in range(60):
        condition: dict[str, dict[str, Any]] = {}
        for key in rng.sample(range(40), 6):
            condition.setdefault(rng.choice(("StringEquals", "StringNotEquals")), {})[f"app:k{key}"] = [f"v{j}" for j in rng.sample(range(40), 5)]
        blocks.append((may if i % 2 else deny)([f"s{i % 7}:*", f"t{i}:*"], Condition=condition))
    before = time.monotonic()
    found = policies_of(identity=[document(*blocks)]).to_json()
    assert time.monotonic() - before < 30  # some three seconds by itself
    assert found["use_unknown"]["region"] == [{}]
    assert any("too many combinations" in r and "app:k1" in r for r in found["use_unknown"]["reasons"])


POOL = [(a, r) for a in ("s3:GetObject", "s3:PutObject", "glacier:ListVaults", "iam:ListUsers", "iam:CreateUser", "ec2:RunInstances", "odd:Thing")
        for r in ("*", "arn:aws:s3:::b/x", "arn:aws:s3:::b/secret/x", "arn:aws:other:::z")]  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_use_is_where_any_of_all_requests_is_allowed(seed: int) -> None:
    rng = random.Random(seed)

    def block(effect: str) -> dict[str, Any]:
        action = rng.choice(["Action", "Action", "NotAction"])
        resource = rng.choice(["Resource", "Resource", "NotResource"])
        condition = rng.choice([None, OUTSIDE, MFA, {"IpAddress": {"aws:SourceIp": ["203.0.113.8/29", "2001:db8::/32"]}},
                                {"StringEquals": {"aws:SourceVpce": "vpce-1"}}, {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}])  # fmt: skip
        return {
            "Effect": effect, action: rng.sample(["s3:*", "s3:Get*", "glacier:*", "iam:*", "iam:List*", "*", "ec2:R*"], rng.randint(1, 3)),
            resource: rng.choice(["*", "arn:aws:s3:::b/*", SECRET]) if resource == "Resource" else SECRET,
            **({"Condition": condition} if condition else {}),
        }  # fmt: skip

    def policy(effects: str) -> Any:
        return document(*(block("Allow" if e == "a" else "Deny") for e in effects))

    boundary = policy("aad") if rng.random() < 0.4 else None
    control = ((ADMIN, policy("d")),) if rng.random() < 0.4 else None
    found = policies_of(identity=[policy("aaddd"[rng.randint(0, 1) :])], boundary=boundary, service_control=control)
    asked = Authorizer(found.reach.estate)
    places = [{"aws:SourceIp": a} for a in ("203.0.112.255", "203.0.113.0", "203.0.113.7", "203.0.113.8", "203.0.113.15", "203.0.113.16", "203.0.113.255",
              "203.0.114.0", "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db8::", "2001:db9::")] + [{"aws:SourceVpce": "vpce-1"}, {"aws:SourceVpce": "vpce-2"}]  # fmt: skip
    inherited = {found.reach.session_mfa(k) for k in found.by_kind}
    for place, mfa in itertools.product(places, inherited):
        context = request_context(CredentialKind.ROLE_SESSION, mfa=mfa) | place
        works = any(asked.decide(Request(f"{_session(OPS, 'alice')}", a, r, context, resource_account=T, role=OPS)).allowed for a, r in POOL)
        assert found.use.contains(context) == works, (place, mfa)
