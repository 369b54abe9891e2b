"""What everybody can do in an estate, sampled with `decide`: the measure by which the tests compare states of a deployment."""

from __future__ import annotations

from collections.abc import Iterable

from sekisho import Authorizer, CredentialKind, Estate, Request
from sekisho.decision import request_context

Way = tuple[str, str, str, str, str]
"""who (account/name: a user who moves stays the same), credentials, address, action, resource"""


def access(estate: Estate, addresses: Iterable[str], everybody: Estate) -> frozenset[Way]:
    """Every way that is open: users and their switches, role sessions and a call, users and a call through a switch; ``everybody`` says who and which roles are asked about."""
    ask = Authorizer(estate)
    roles = sorted({r.arn for a in everybody.accounts for r in a.roles})
    found: set[Way] = set()
    for address in addresses:
        for entry in (u for a in estate.accounts for u in a.users):
            user, who = entry.arn, f"{entry.arn.split(':')[4]}/{entry.name}"
            for kind, mfa in ((CredentialKind.CONSOLE, True), (CredentialKind.KEY, None)):
                context = request_context(kind, source_ip=address, mfa=mfa, mfa_age_s=60)
                label = f"{kind.value}{'+mfa' if mfa else ''}"
                for role in roles:
                    if ask.decide_anew(Request(user, "sts:AssumeRole", role, context, credentials=kind)).allowed:
                        found.add((who, label, address, "sts:AssumeRole", role))
                for action, resource in (("iam:CreateAccessKey", user), ("iam:ListUsers", "*"), ("s3:ListAllMyBuckets", "*")):
                    if ask.decide_anew(Request(user, action, resource, context, credentials=kind)).allowed:
                        found.add((who, label, address, action, "" if resource == user else resource))
        for role in roles:
            if estate.role(role) is None:
                continue
            account, name = role.split(":")[4], role.rpartition("/")[2]
            session = f"arn:aws:sts::{account}:assumed-role/{name}/s"
            context = request_context(CredentialKind.ROLE_SESSION, source_ip=address, mfa=True)
            for action in ("iam:CreateUser", "ec2:DescribeInstances", "ec2:RebootInstances", "s3:GetObject"):
                request = Request(session, action, "*", context, credentials=CredentialKind.ROLE_SESSION, role=role)
                if ask.decide_anew(request).allowed:
                    found.add((role, "session", address, action, "*"))
    found |= {
        (who, label, address, done, role)
        for who, label, address, action, role in set(found) if action == "sts:AssumeRole"
        for done in ("iam:CreateUser", "ec2:DescribeInstances", "ec2:RebootInstances", "s3:GetObject")
        if (role, "session", address, done, "*") in found
    }  # fmt: skip
    return frozenset(found)


def union(*estates: Estate) -> Estate:
    """All principals of several estates, to ask about; their policies don't matter here."""
    from dataclasses import replace

    merged: dict[str, object] = {}
    for estate in estates:
        for account in estate.accounts:
            have = merged.get(account.id)
            if have is None:
                merged[account.id] = account
            else:
                merged[account.id] = replace(
                    have, users=(*have.users, *account.users), roles=(*have.roles, *account.roles), unread=()  # type: ignore[attr-defined]
                )
    return Estate.of(merged.values())  # type: ignore[arg-type]
