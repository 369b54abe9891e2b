"""CloudFormation: one template an account; accounts whose templates are the same share one, as the instances of a StackSet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sekisho.estate import Account, Estate, Group, Role, User

MOST_RESOURCES = 500
"""CloudFormation's quota of resources in one template."""


def cloudformation(estate: Estate) -> dict[str, str]:
    """File name → text: the templates, ``stack-sets.json`` (which template goes to which accounts, in which order), and a README."""
    bodies = {a.id: _text(template(a)) for a in estate.accounts}
    jump = [a.id for a in estate.accounts if a.users]
    shared: dict[str, list[str]] = {}
    for account, body in bodies.items():
        shared.setdefault(body, []).append(account)
    names = {a.id: a.name for a in estate.accounts}
    files: dict[str, str] = {}
    sets: list[dict[str, Any]] = []
    for body, accounts in shared.items():
        name = "-and-".join(_word(names[a] or a) for a in accounts[:3]) + (f"-and-{len(accounts) - 3}-more" if len(accounts) > 3 else "")
        files[f"{name}.template.json"] = body
        sets.append({
            "StackSetName": f"sekisho-{name}", "TemplateFile": f"{name}.template.json", "Accounts": accounts, "Regions": ["us-east-1"],
            "Capabilities": ["CAPABILITY_NAMED_IAM"], "After": [] if accounts[0] in jump else [f"sekisho-{_word(names[j] or j)}" for j in jump],
        })  # fmt: skip
    sets.sort(key=lambda s: (s["Accounts"][0] not in jump, s["StackSetName"]))
    files["stack-sets.json"] = _text({"StackSets": sets})
    files["README.md"] = _readme(estate, sets)
    return files


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, indent=2, ensure_ascii=False) + "\n"


def template(account: Account) -> dict[str, Any]:
    """The template of one account. A Deny hangs on a group in the same call that makes the group, so nothing is open in between."""
    resources: dict[str, Any] = {}
    ours = {p.arn: _logical("Policy", p.name) for p in account.policies if ":iam::aws:" not in p.arn and p.policy is not None}
    for policy in account.policies:
        if policy.arn in ours and policy.policy is not None:
            resources[ours[policy.arn]] = {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {"ManagedPolicyName": policy.name, "Path": policy.path, "PolicyDocument": dict(policy.policy.document)},
            }
    for group in account.groups:
        resources[_logical("Group", group.name)] = {
            "Type": "AWS::IAM::Group", "Properties": {"GroupName": group.name, **_common(group, ours)},
        }  # fmt: skip
    for user in account.users:
        groups: list[Any] = [{"Ref": _logical("Group", g)} if account.group(g) else g for g in user.groups]
        resources[_logical("User", user.name)] = {
            "Type": "AWS::IAM::User", "Properties": {"UserName": user.name, "Groups": groups, **_common(user, ours), **_held(user)},
        }  # fmt: skip
    for role in account.roles:
        resources[_logical("Role", role.name)] = {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": role.name, "AssumeRolePolicyDocument": dict(role.trust.document), "MaxSessionDuration": role.max_session_s,
                **_common(role, ours), **_held(role),
            },
        }  # fmt: skip
    for resource in resources.values():
        resource["Properties"] = {k: v for k, v in resource["Properties"].items() if v not in ([], None)}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Description": "Made by sekisho export cloudformation", "Resources": resources}


def _common(thing: User | Group | Role, ours: Mapping[str, str]) -> dict[str, Any]:
    arns: list[Any] = [{"Ref": ours[a.arn]} if a.arn in ours else a.arn for a in thing.attached]
    inline = [{"PolicyName": p.name, "PolicyDocument": dict(p.document)} for p in thing.inline]
    return {"Path": thing.path, "ManagedPolicyArns": arns, "Policies": inline}


def _held(thing: User | Role) -> dict[str, Any]:
    return {"PermissionsBoundary": thing.boundary.arn if thing.boundary else None, "Tags": [{"Key": k, "Value": v} for k, v in thing.tags]}


def _word(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "account"


def _logical(kind: str, name: str) -> str:
    """A logical id: letters and digits alone, and different for different names (``a-b`` and ``a.b``)."""
    return kind + "".join(c if c.isascii() and c.isalnum() else f"x{ord(c):02X}" for c in name)


def _readme(estate: Estate, sets: Iterable[Mapping[str, Any]]) -> str:
    lines = ["# CloudFormation", "", "Deploy in this order; the profiles are yours:", ""]
    for entry in sets:
        for account in entry["Accounts"]:
            lines.append(
                f"    aws cloudformation deploy --profile {account} --region us-east-1 --stack-name {entry['StackSetName']} "
                f"--template-file {entry['TemplateFile']} --capabilities CAPABILITY_NAMED_IAM"
            )
    lines += ["", "or, from an organisation, each set of `stack-sets.json` as a StackSet with its accounts.", ""]
    left = [f"- {a.id}: alias {a.alias}" for a in estate.accounts if a.alias]
    left += [f"- {a.id}: password policy" for a in estate.accounts if a.password_policy]
    left += [f"- {a.id}: the sign-in policy (method 3)" for a in estate.accounts if a.sign_in]
    if left:
        lines += ["CloudFormation has no resource for these; set them with the AWS CLI or `sekisho apply`:", "", *left, ""]
    return "\n".join(lines)
