"""Reads ``tests/scenarios/findings``: an estate in which something is wrong, what must be said of it, and what mends it.

``accounts`` are an estate in short: groups (name → policies), users (``in`` groups, ``own`` policies, ``attached`` ARNs whose documents
aren't known, ``devices``), roles (``trust``, ``policies``, ``hours``), ``resources`` (ARN → policy) and ``sign_in``. A policy is a statement or
a list of them, or a whole document (with a Version); a text names one of ``statements.yaml``. ``fixed``: paths into ``accounts`` → what stands there instead.

``finding`` is the key of its message, ``says`` what ``decide`` answers to its witness (``nothing``: it has none). ``over_http`` says who asks
it of the embedded AWS: ``by`` a user with a key, ``from`` where a role is had first, with which ``arguments``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sekisho import Policy, PolicyKind
from sekisho.estate import Account, AttachedPolicy, Estate, Group, MfaDevice, Role, SignIn, SignInStatement, User

FOLDER = Path(__file__).parents[1] / "scenarios" / "findings"
STATEMENTS: Mapping[str, Any] = YAML(typ="safe", pure=True).load(FOLDER / "statements.yaml")
_KEYS = {"finding", "severity", "says", "accounts", "fixed", "over_http"}


@dataclass(frozen=True)
class Scenario:
    name: str
    finding: str
    severity: str
    says: str
    accounts: Mapping[str, Any]
    fixed: Mapping[str, Any]
    over_http: Mapping[str, Any] | None

    def estate(self) -> Estate:
        return estate(self.accounts)

    def mended(self) -> Estate:
        accounts = copy.deepcopy(dict(self.accounts))
        for path, value in self.fixed.items():
            *steps, last = path.split("/", 3)
            inner: Any = accounts
            if "/" in last and steps[1] != "resources":
                more = last.split("/")
                steps, last = [*steps, *more[:-1]], more[-1]
            for step in steps:
                inner = inner.setdefault(step, {})
            inner[last] = value
        return estate(accounts)


def scenarios() -> Iterator[Scenario]:
    for file in sorted(FOLDER.glob("*.yaml")):
        if file.name == "statements.yaml":
            continue
        body = YAML(typ="safe", pure=True).load(file)
        assert not set(body) - _KEYS, f"{file.name}: {set(body) - _KEYS}"
        yield Scenario(file.stem, body["finding"], body["severity"], body["says"], body["accounts"], body["fixed"], body.get("over_http"))


def _policy(name: str, given: Any, kind: PolicyKind = PolicyKind.IDENTITY) -> Policy:
    if isinstance(given, dict) and "Version" in given:
        return Policy.parse(given, kind=kind, name=name)
    listed = [STATEMENTS[s] if isinstance(s, str) else s for s in (given if isinstance(given, list) else [given])]
    return Policy.parse({"Version": "2012-10-17", "Statement": listed}, kind=kind, name=name)


def _policies(given: Mapping[str, Any]) -> tuple[Policy, ...]:
    return tuple(_policy(name, statements) for name, statements in given.items())


def _id(prefix: str, arn: str) -> str:
    return prefix + "".join(c for c in arn.rpartition(":")[2].upper() if c.isalnum()).ljust(17, "A")[-17:]


def estate(accounts: Mapping[str, Any]) -> Estate:
    return Estate.of(_account(account, given) for account, given in accounts.items())


def _account(account: str, given: Mapping[str, Any]) -> Account:
    at = f"arn:aws:iam::{account}:"
    groups = tuple(
        Group(f"{at}group/{n}", n, id=_id("AGPA", f"{at}group/{n}"), inline=_policies(p)) for n, p in given.get("groups", {}).items()
    )  # fmt: skip
    users = []
    for name, entry in given.get("users", {}).items():
        arn = f"{at}user{entry.get('path', '/')}{name}"
        devices = tuple(MfaDevice(d, enabled="2026-01-01T00:00:00Z") for d in entry["devices"]) if "devices" in entry else None
        attached = tuple(AttachedPolicy(a, a.rpartition("/")[2]) for a in entry.get("attached", ()))
        users.append(
            User(
                arn, name, entry.get("path", "/"), _id("AIDA", arn), tuple(entry.get("in", ())), _policies(entry.get("own", {})), attached,
                mfa_devices=devices, has_password=True if devices is not None else None,
            )
        )  # fmt: skip
    roles = []
    for name, entry in given.get("roles", {}).items():
        arn = f"{at}role/{name}"
        trust = _policy("trust policy", entry["trust"], PolicyKind.TRUST)
        roles.append(Role(arn, name, trust, id=_id("AROA", arn), inline=_policies(entry["policies"]), max_session_s=3600 * entry.get("hours", 1)))
    resources = tuple((arn, _policy("resource policy", p, PolicyKind.RESOURCE)) for arn, p in given.get("resources", {}).items())
    sign_in = None
    if "sign_in" in given:
        statements = tuple(SignInStatement(**{k: tuple(v) for k, v in s.items()}) for s in given["sign_in"]["statements"])
        sign_in = SignIn(statements, given["sign_in"]["enforced"])
    return Account(account, users=tuple(users), groups=groups, roles=tuple(roles), resource_policies=resources, sign_in=sign_in)
