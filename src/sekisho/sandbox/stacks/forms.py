"""The AWS::IAM::* types of CloudFormation as calls of IAM: what makes each, what changes it, what removes it, and what Ref and GetAtt give."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sekisho.sandbox.fault import validation

Step = tuple[str, Mapping[str, Any]]
"""An operation of IAM and its parameters."""


@dataclass(frozen=True)
class Part:
    """Something that hangs on a resource: how it gets there, and how it goes. ``with_main``: the call that makes the resource brings it along."""

    make: Step
    undo: Step | None = None
    with_main: bool = False


@dataclass(frozen=True)
class Form:
    """A resource as calls. ``identity`` is what can't be changed but by another resource in its place; ``settings`` can, by their calls.

    ``ref`` is what Ref gives; ``attribute`` names those that the answer of ``create`` holds: member → GetAtt's name.
    """

    ref: str
    create: Step | None = None
    delete: Step | None = None
    identity: tuple[Any, ...] = ()
    settings: Mapping[str, Step] = field(default_factory=dict)
    parts: dict[tuple[str, ...], Part] = field(default_factory=dict)
    answer: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


Properties = Mapping[str, Any]


def form(kind: str, properties: Properties, name: str, account: str) -> Form:
    """The form of a resource whose properties are filled; ``name`` where they give none. Raises ValidationError for what isn't known of the type."""
    made = _KINDS.get(kind)
    if made is None:
        raise validation(f"The embedded AWS doesn't make {kind} through CloudFormation.")
    needed, known, function = made
    for key in properties:
        if key not in known and key not in needed:
            raise validation(f"Encountered unsupported property {key}")
    for key in needed:
        if key not in properties:
            raise validation(f"Property {key} cannot be empty.")
    for key, value in properties.items():
        _check(key, value)
    return function(properties, name, account)


def is_known(kind: str) -> bool:
    return kind in _KINDS


def has_own_name(kind: str, properties: Properties) -> bool:
    """Whether the template names the resource: CAPABILITY_NAMED_IAM."""
    return NAMES.get(kind, "") in properties


_LISTS = frozenset(("Groups", "Users", "Roles", "ManagedPolicyArns", "Policies", "Tags"))
_MAPS = frozenset(("PolicyDocument", "AssumeRolePolicyDocument", "LoginProfile"))


def _check(key: str, value: Any) -> None:
    if key in _LISTS and not isinstance(value, list):
        raise validation(f"Value of property {key} must be of type List")
    if key in _LISTS and key not in ("Policies", "Tags") and not all(isinstance(v, str) for v in value):
        raise validation(f"Value of property {key} must be of type List of String")
    if key in ("Policies", "Tags") and not all(isinstance(v, Mapping) for v in value):
        raise validation(f"Value of property {key} must be a list of objects")
    if key in _MAPS and not isinstance(value, Mapping) and not (key.endswith("Document") and isinstance(value, str)):
        raise validation(f"Value of property {key} must be an object")
    if key not in _LISTS | _MAPS and key != "MaxSessionDuration" and not isinstance(value, str):
        raise validation(f"Value of property {key} must be of type String")


def document(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _given(**params: Any) -> dict[str, Any]:
    return {k: v for k, v in params.items() if v not in (None, "", [])}


def _arn(account: str, part: str, path: str, name: str) -> str:
    return f"arn:aws:iam::{account}:{part}{path}{name}"


def _hanging(word: str, named: Mapping[str, str], p: Properties) -> dict[tuple[str, ...], Part]:
    """Inline and managed policies, the boundary and tags of a user, group or role: what limits first."""
    found: dict[tuple[str, ...], Part] = {}
    if "PermissionsBoundary" in p:
        put = (f"Put{word}PermissionsBoundary", {**named, "PermissionsBoundary": p["PermissionsBoundary"]})
        found["boundary",] = Part(put, (f"Delete{word}PermissionsBoundary", named), with_main=True)
    for tag in p.get("Tags", ()):
        make = (f"Tag{word}", {**named, "Tags": [{"Key": str(tag.get("Key")), "Value": str(tag.get("Value", ""))}]})
        found["tag", str(tag.get("Key"))] = Part(make, (f"Untag{word}", {**named, "TagKeys": [str(tag.get("Key"))]}), with_main=True)
    for policy in p.get("Policies", ()):
        found |= _inline(word, named, str(policy.get("PolicyName", "")), policy.get("PolicyDocument", {}))
    for arn in p.get("ManagedPolicyArns", ()):
        on = {**named, "PolicyArn": arn}
        found["attached", word, arn] = Part((f"Attach{word}Policy", on), (f"Detach{word}Policy", on))
    return found


def _inline(word: str, named: Mapping[str, str], name: str, body: Any) -> dict[tuple[str, ...], Part]:
    put = (f"Put{word}Policy", {**named, "PolicyName": name, "PolicyDocument": document(body)})
    return {("inline", word, *named.values(), name): Part(put, (f"Delete{word}Policy", {**named, "PolicyName": name}))}


def _tags(p: Properties) -> list[dict[str, str]]:
    return [{"Key": str(t.get("Key")), "Value": str(t.get("Value", ""))} for t in p.get("Tags", ())]


def _user(p: Properties, name: str, account: str) -> Form:
    name, path = p.get("UserName", name), p.get("Path", "/")
    named = {"UserName": name}
    parts = _hanging("User", named, p)
    for group in p.get("Groups", ()):
        joins = {"GroupName": group, **named}
        parts["group", group] = Part(("AddUserToGroup", joins), ("RemoveUserFromGroup", joins))
    login = p.get("LoginProfile")
    if login is not None:
        reset = str(login.get("PasswordResetRequired")).lower() == "true"
        make = {**named, "Password": str(login.get("Password", "")), "PasswordResetRequired": reset}
        parts["login",] = Part(("CreateLoginProfile", make), ("DeleteLoginProfile", named))
    create = _given(**named, Path=path, PermissionsBoundary=p.get("PermissionsBoundary"), Tags=_tags(p))
    settings = {"path": ("UpdateUser", {**named, "NewPath": path})}
    return Form(name, ("CreateUser", create), ("DeleteUser", named), (name,), settings, parts, "User", {"Arn": _arn(account, "user", path, name)})


def _group(p: Properties, name: str, account: str) -> Form:
    name, path = p.get("GroupName", name), p.get("Path", "/")
    named = {"GroupName": name}
    settings = {"path": ("UpdateGroup", {**named, "NewPath": path})}
    return Form(name, ("CreateGroup", {**named, "Path": path}), ("DeleteGroup", named), (name,), settings, _hanging("Group", named, p), "Group",
                {"Arn": _arn(account, "group", path, name)})  # fmt: skip


def _role(p: Properties, name: str, account: str) -> Form:
    name, path, trust = p.get("RoleName", name), p.get("Path", "/"), document(p["AssumeRolePolicyDocument"])
    named = {"RoleName": name}
    try:
        session = int(p.get("MaxSessionDuration", 3600))
    except (TypeError, ValueError):
        raise validation("Value of property MaxSessionDuration must be of type Integer") from None
    create = _given(**named, Path=path, AssumeRolePolicyDocument=trust, MaxSessionDuration=session, Description=p.get("Description"),
                    PermissionsBoundary=p.get("PermissionsBoundary"), Tags=_tags(p))  # fmt: skip
    settings = {
        "trust": ("UpdateAssumeRolePolicy", {**named, "PolicyDocument": trust}),
        "session": ("UpdateRole", {**named, "MaxSessionDuration": session, "Description": p.get("Description", "")}),
    }
    return Form(name, ("CreateRole", create), ("DeleteRole", named), (name, path), settings, _hanging("Role", named, p), "Role",
                {"Arn": _arn(account, "role", path, name)})  # fmt: skip


def _managed(p: Properties, name: str, account: str) -> Form:
    name, path, text = p.get("ManagedPolicyName", name), p.get("Path", "/"), document(p["PolicyDocument"])
    arn = _arn(account, "policy", path, name)
    create = _given(PolicyName=name, Path=path, PolicyDocument=text, Description=p.get("Description"))
    settings = {"document": ("CreatePolicyVersion", {"PolicyArn": arn, "PolicyDocument": text, "SetAsDefault": True})}
    parts: dict[tuple[str, ...], Part] = {}
    for word in ("User", "Group", "Role"):
        for of in p.get(f"{word}s", ()):
            on = {f"{word}Name": of, "PolicyArn": arn}
            parts["attached", word, of] = Part((f"Attach{word}Policy", on), (f"Detach{word}Policy", on))
    return Form(arn, ("CreatePolicy", create), ("DeletePolicy", {"PolicyArn": arn}), (name, path, p.get("Description")), settings, parts, "Policy",
                {"PolicyArn": arn})  # fmt: skip


def _policy(p: Properties, name: str, account: str) -> Form:
    """An inline policy on several at once."""
    parts: dict[tuple[str, ...], Part] = {}
    for word in ("User", "Group", "Role"):
        for of in p.get(f"{word}s", ()):
            parts |= _inline(word, {f"{word}Name": of}, p["PolicyName"], p["PolicyDocument"])
    if not parts:
        raise validation("At least one of [Groups,Roles,Users] must be non-empty.")
    return Form(name, parts=parts)


def _inline_of(word: str) -> Callable[[Properties, str, str], Form]:
    def made(p: Properties, name: str, account: str) -> Form:
        of, policy = p[f"{word}Name"], p["PolicyName"]
        parts = _inline(word, {f"{word}Name": of}, policy, p.get("PolicyDocument", {}))
        return Form(f"{policy}|{of}", identity=(of, policy), parts=parts)

    return made


def _membership(p: Properties, name: str, account: str) -> Form:
    parts: dict[tuple[str, ...], Part] = {}
    for user in p["Users"]:
        joins = {"GroupName": p["GroupName"], "UserName": user}
        parts["member", p["GroupName"], user] = Part(("AddUserToGroup", joins), ("RemoveUserFromGroup", joins))
    return Form(name, parts=parts)


def _profile(p: Properties, name: str, account: str) -> Form:
    name, path = p.get("InstanceProfileName", name), p.get("Path", "/")
    named = {"InstanceProfileName": name}
    parts: dict[tuple[str, ...], Part] = {}
    for role in p["Roles"]:
        holds = {**named, "RoleName": role}
        parts["role", role] = Part(("AddRoleToInstanceProfile", holds), ("RemoveRoleFromInstanceProfile", holds))
    create, delete = ("CreateInstanceProfile", {**named, "Path": path}), ("DeleteInstanceProfile", named)
    return Form(name, create, delete, (name, path), {}, parts, "InstanceProfile", {"Arn": _arn(account, "instance-profile", path, name)})


_ON = frozenset(("Path", "ManagedPolicyArns", "Policies"))
_KINDS: Mapping[str, tuple[tuple[str, ...], frozenset[str], Callable[[Properties, str, str], Form]]] = {
    "AWS::IAM::User": ((), _ON | {"UserName", "Groups", "LoginProfile", "PermissionsBoundary", "Tags"}, _user),
    "AWS::IAM::Group": ((), _ON | {"GroupName"}, _group),
    "AWS::IAM::Role": (
        ("AssumeRolePolicyDocument",), _ON | {"RoleName", "Description", "MaxSessionDuration", "PermissionsBoundary", "Tags"}, _role,
    ),
    "AWS::IAM::ManagedPolicy": (
        ("PolicyDocument",), frozenset(("ManagedPolicyName", "Path", "Description", "Users", "Groups", "Roles")), _managed,
    ),
    "AWS::IAM::Policy": (("PolicyName", "PolicyDocument"), frozenset(("Users", "Groups", "Roles")), _policy),
    "AWS::IAM::UserPolicy": (("PolicyName", "UserName"), frozenset(("PolicyDocument",)), _inline_of("User")),
    "AWS::IAM::GroupPolicy": (("PolicyName", "GroupName"), frozenset(("PolicyDocument",)), _inline_of("Group")),
    "AWS::IAM::RolePolicy": (("PolicyName", "RoleName"), frozenset(("PolicyDocument",)), _inline_of("Role")),
    "AWS::IAM::UserToGroupAddition": (("GroupName", "Users"), frozenset(), _membership),
    "AWS::IAM::InstanceProfile": (("Roles",), frozenset(("InstanceProfileName", "Path")), _profile),
}  # fmt: skip
"""(properties that must be there, others that may, what makes the form) of each type."""
NAMES = {
    "AWS::IAM::User": "UserName", "AWS::IAM::Group": "GroupName", "AWS::IAM::Role": "RoleName", "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::InstanceProfile": "InstanceProfileName",
}  # fmt: skip
"""The property with which a template names a resource itself."""
