"""GetAccountAuthorizationDetails: the whole account in pages, from the same JSON that an Estate is written in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sekisho.estate import Account, ManagedPolicy, account_to_json
from sekisho.sandbox.iam.documents import uses
from sekisho.sandbox.iam.entities import GROUP, KINDS, USER, Kind, document_text, on_account
from sekisho.sandbox.iam.names import operation, page
from sekisho.sandbox.iam.policies import aws_policy, customer_policies, policy_output, version_output
from sekisho.sandbox.iam.profiles import profiles_of
from sekisho.sandbox.operation import Work

_LIST_OF = {"User": "UserDetailList", "Group": "GroupDetailList", "Role": "RoleDetailList"}
_ALWAYS = {
    "User": ("UserPolicyList", "GroupList", "AttachedManagedPolicies", "Tags"),
    "Group": ("GroupPolicyList", "AttachedManagedPolicies"),
    "Role": ("RolePolicyList", "AttachedManagedPolicies", "Tags"),
}
"""Lists that AWS shows even when they are empty."""


def _entries(account: Account, wanted: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every entry with the list that it stands in, its documents as the API writes them."""
    body = account_to_json(account)
    for kind in KINDS:
        for entry in body[_LIST_OF[kind.word]] if kind.word in wanted else ():
            yield _LIST_OF[kind.word], _detail(account, kind, entry)
    used = uses(account)
    for policy in _policies(account, wanted, set(used[0]) | set(used[1])):
        yield "Policies", {**policy_output(used, policy), "PolicyVersionList": [version_output(v) for v in policy.versions]}


def _policies(account: Account, wanted: set[str], used: set[str]) -> Iterator[ManagedPolicy]:
    """All of the customer's; of AWS's only those that are used."""
    if "LocalManagedPolicy" in wanted:
        yield from customer_policies(account)
    if "AWSManagedPolicy" in wanted:
        for arn in used:
            found = aws_policy(arn)
            if found is not None:
                yield found


def _detail(account: Account, kind: Kind, entry: Mapping[str, Any]) -> dict[str, Any]:
    listed = f"{kind.word}PolicyList"
    inline = [{**p, "PolicyDocument": document_text(p["PolicyDocument"])} for p in entry.get(listed) or ()]
    detail = {**{key: [] for key in _ALWAYS[kind.word]}, **entry, listed: inline}
    if kind not in (USER, GROUP):
        detail["AssumeRolePolicyDocument"] = document_text(entry["AssumeRolePolicyDocument"])
        detail["InstanceProfileList"] = profiles_of(account, entry["RoleName"])
        detail["RoleLastUsed"] = entry.get("RoleLastUsed") or {}
    return detail


def get_account_authorization_details(work: Work) -> Mapping[str, Any]:
    wanted = set(work.params.get("Filter") or ("User", "Group", "Role", "LocalManagedPolicy", "AWSManagedPolicy"))
    names = {"UserDetailList": "UserName", "GroupDetailList": "GroupName", "RoleDetailList": "RoleName", "Policies": "PolicyName"}
    order = {listed: f"{i}:" for i, listed in enumerate(names)}

    def key(entry: tuple[str, dict[str, Any]]) -> str:
        listed, body = entry
        return f"{order[listed]}{body[names[listed]]}:{body['Arn'].split(':')[4]}"

    found = page(work.params, _entries(work.account, wanted), key, "found")
    members = found.pop("found")
    for listed in names:
        found[listed] = [body for place, body in members if place == listed]
    return found


OPERATIONS = {"GetAccountAuthorizationDetails": operation(get_account_authorization_details, on_account)}
