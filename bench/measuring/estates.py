"""Estates and documents of any size for benches: the article's question with many networks; users and roles that all differ."""

import random
from typing import Any

from sekisho import Layers, Policy, PolicyKind
from sekisho.estate import Account, Estate, Role, User

JUMP = "111122223333"
USER = f"arn:aws:iam::{JUMP}:user/test-user"
ROLE = "arn:aws:iam::444455556666:role/test-role-admin"
VERSION = "2012-10-17"
TEAMS = 20
OFFICE = ["203.0.113.10/32", "198.51.100.20/32"]


def switching(networks: list[str]) -> dict[str, Any]:
    """Leave to switch, and the article's first method."""
    deny = {
        "Effect": "Deny", "Action": "*", "Resource": "*",
        "Condition": {"NotIpAddress": {"aws:SourceIp": networks}, "Bool": {"aws:ViaAWSService": "false"}},
    }  # fmt: skip
    return {"Version": VERSION, "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*"}, deny]}


def trusting(principal: str | list[str], networks: list[str], form: str = "allow") -> dict[str, Any]:
    """The article's second method, in one of its two forms."""
    condition: dict[str, Any] = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    block = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", "Condition": condition}
    if form == "allow":
        condition["IpAddress"] = {"aws:SourceIp": networks}
        return {"Version": VERSION, "Statement": [block]}
    deny = {
        "Effect": "Deny", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", "Condition": {"NotIpAddress": {"aws:SourceIp": networks}}
    }  # fmt: skip
    return {"Version": VERSION, "Statement": [block, deny]}


def listed(count: int) -> list[str]:
    """As many networks, none a neighbour of another."""
    return [f"{20 + i // 62500}.{i // 250 % 250}.{i % 250}.0/25" for i in range(count)]


def documents(networks: int) -> dict[str, list[dict[str, Any]]]:
    return {"identity": [switching(listed(networks))], "resource": [trusting(USER, listed(networks))]}


def layers(networks: int) -> Layers:
    """The same, parsed anew: nothing is remembered from one call to the next."""
    found = documents(networks)
    return Layers(
        identity=tuple(Policy.parse(d, name="switching") for d in found["identity"]),
        resource=tuple(Policy.parse(d, kind=PolicyKind.TRUST, name="trust") for d in found["resource"]),
    )


def layers_of_statements(count: int) -> Layers:
    """The article's question with as many statements on each side, each with a network of its own."""
    networks = listed(count)
    leave = [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::*:role/*", "Condition": {"IpAddress": {"aws:SourceIp": n}}}
        for n in networks
    ]
    trust = [statement for n in networks for statement in trusting(USER, [n])["Statement"]]
    return Layers(
        identity=(Policy.parse({"Version": VERSION, "Statement": leave}, name="switching"),),
        resource=(Policy.parse({"Version": VERSION, "Statement": trust}, kind=PolicyKind.TRUST, name="trust"),),
    )


def different(users: int, roles: int, networks: int, *, trusted: int | None = None, told_by: str | None = None) -> Estate:
    """Users and roles of whom no two are alike: each has ``networks`` of its own, and the office. ``trusted``: how many users a role names;
    None: the whole jump account, and then ``told_by`` is the key by which a condition of the trust lets one of twenty teams in:
    ``aws:PrincipalArn`` (a pattern with the team's path), ``aws:PrincipalTag/team``, or ``aws:username`` (a pattern with the team's prefix)."""
    rng = random.Random(7)

    def own() -> list[str]:
        return [*OFFICE, *(f"{rng.randint(1, 197)}.{rng.randrange(256)}.{rng.randrange(256)}.0/{rng.choice((24, 25, 26))}" for _ in range(networks))]

    def user(i: int) -> User:
        path, name = "/", f"u{i}"
        tags: tuple[tuple[str, str], ...] = ()
        if told_by == "aws:PrincipalArn":
            path = f"/team-{i % TEAMS}/"
        elif told_by == "aws:username":
            name = f"team-{i % TEAMS}-u{i}"
        elif told_by:
            tags = (("team", f"team-{i % TEAMS}"),)
        policies = (Policy.parse(switching(own()), name="switching"),)
        return User(f"arn:aws:iam::{JUMP}:user{path}{name}", name, path=path, id=f"AIDA{i:017}", tags=tags, inline=policies)

    def trust_of(i: int) -> dict[str, Any]:
        who: Any = JUMP if trusted is None else [f"arn:aws:iam::{JUMP}:user/u{rng.randrange(users)}" for _ in range(trusted)]
        document = trusting(who, own(), ("allow", "deny")[i % 2])
        if told_by:
            team = f"team-{rng.randrange(TEAMS)}"
            operator, value = {
                "aws:PrincipalArn": ("ArnLike", f"arn:aws:iam::{JUMP}:user/{team}/*"),
                "aws:username": ("StringLike", f"{team}-*"),
            }.get(told_by, ("StringEquals", team))
            document["Statement"][0]["Condition"].setdefault(operator, {})[told_by] = value
        return document

    people = tuple(map(user, range(users)))
    targets: dict[str, list[Role]] = {}
    for i in range(roles):
        account = f"{444400000000 + i // 100}"
        trust = Policy.parse(trust_of(i), kind=PolicyKind.TRUST, name="trust")
        admin = Policy.parse({"Version": VERSION, "Statement": [{"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}]}, name="admin")
        targets.setdefault(account, []).append(
            Role(f"arn:aws:iam::{account}:role/r{i}", f"r{i}", trust, id=f"AROA{i:017}", inline=(admin,))
        )
    return Estate.of([Account(JUMP, users=people), *(Account(a, roles=tuple(found)) for a, found in targets.items())])
