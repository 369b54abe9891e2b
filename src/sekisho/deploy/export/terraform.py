"""Terraform: one module an account, in the layout that `terraform fmt` would leave alone."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sekisho.deploy.turns import deny_first
from sekisho.estate import Account, Estate, Group, Role, User

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


class Raw(str):
    """An expression that is written as it is: a reference, not a text."""


def terraform(estate: Estate) -> dict[str, str]:
    """File name → text: ``main.tf`` with a provider and a module an account, and ``<account>/main.tf``."""
    names = {a.id: _slug(a.name or a.id) for a in estate.accounts}
    jump = [names[a.id] for a in estate.accounts if a.users]
    blocks = [
        "terraform {\n  required_providers {\n    aws = {\n      source  = \"hashicorp/aws\"\n      version = \">= 5.0\"\n    }\n  }\n}\n"
    ]  # fmt: skip
    files: dict[str, str] = {}
    for account in estate.accounts:
        name = names[account.id]
        variable = f"profile_{name}"
        blocks.append(_block("variable", [variable], {"description": f"AWS profile of account {account.id}", "type": Raw("string")}))
        provider = {
            "alias": name, "region": "us-east-1", "profile": Raw(f"var.{variable}"), "allowed_account_ids": [account.id],
        }  # fmt: skip
        blocks.append(_block("provider", ["aws"], provider))
        module: dict[str, Any] = {"source": f"./{name}", "providers": Braces({"aws": Raw(f"aws.{name}")})}
        if name not in jump and jump:
            module["depends_on"] = [Raw(f"module.{j}") for j in jump]
        blocks.append(_block("module", [name], module))
        files[f"{name}/main.tf"] = module_of(account)
    return {"main.tf": "\n".join(blocks), **files}


class Braces(dict[str, Any]):
    """A map that is always written over several lines."""


def module_of(account: Account) -> str:
    """The module of one account. ``depends_on`` keeps the order: Denies before Allows on a principal, and both before users join a group."""
    blocks = ["terraform {\n  required_providers {\n    aws = {\n      source = \"hashicorp/aws\"\n    }\n  }\n}\n"]
    ours = {p.arn: _slug(p.name) for p in account.policies if ":iam::aws:" not in p.arn and p.policy is not None}

    def resource(kind: str, name: str, body: Mapping[str, Any]) -> None:
        blocks.append(_block("resource", [kind, _slug(name)], {k: v for k, v in body.items() if v not in (None, {}, [])}))

    for policy in account.policies:
        if policy.arn in ours and policy.policy is not None:
            body = {"name": policy.name, "path": policy.path, "policy": Json(policy.policy.document)}
            resource("aws_iam_policy", policy.name, body)
    attachments: dict[tuple[str, str], list[str]] = {}
    for kind, things in (("group", account.groups), ("user", account.users), ("role", account.roles)):
        listed: Sequence[User | Group | Role] = things
        for thing in listed:
            resource(f"aws_iam_{kind}", thing.name, _principal(thing))
            held = Raw(f"aws_iam_{kind}.{_slug(thing.name)}.name")
            carried: list[tuple[int, str, str, dict[str, Any]]] = []
            for a in thing.attached:
                arn: Any = Raw(f"aws_iam_policy.{ours[a.arn]}.arn") if a.arn in ours else a.arn
                carried.append((deny_first(a.policy), f"aws_iam_{kind}_policy_attachment", a.name, {kind: held, "policy_arn": arn}))
            for p in thing.inline:
                body = {"name": p.name, kind: held, "policy": Json(p.document)}
                carried.append((deny_first(p), f"aws_iam_{kind}_policy", p.name, body))
            # A Deny before the Allow that it limits.
            first = [Raw(f"{t}.{_slug(f'{thing.name}--{n}')}") for rank, t, n, _ in carried if rank == 0]
            for rank, type_, name, body in carried:
                resource(type_, f"{thing.name}--{name}", body | ({"depends_on": first} if rank else {}))
                attachments.setdefault((kind, thing.name), []).append(f"{type_}.{_slug(f'{thing.name}--{name}')}")
    for user in account.users:
        if user.groups:
            groups: list[Any] = [Raw(f"aws_iam_group.{_slug(g)}.name") if account.group(g) else g for g in user.groups]
            before = [Raw(x) for g in user.groups for x in attachments.get(("group", g), ())]
            body = {"user": Raw(f"aws_iam_user.{_slug(user.name)}.name"), "groups": groups, "depends_on": before}
            resource("aws_iam_user_group_membership", user.name, body)
    if account.alias:
        resource("aws_iam_account_alias", "alias", {"account_alias": account.alias})
    if account.password_policy:
        resource("aws_iam_account_password_policy", "strict", _password_policy(account.password_policy))
    return "\n".join(blocks)


def _principal(thing: User | Group | Role) -> dict[str, Any]:
    body: dict[str, Any] = {"name": thing.name, "path": thing.path}
    if isinstance(thing, Role):
        body |= {"max_session_duration": thing.max_session_s, "assume_role_policy": Json(thing.trust.document)}
    if not isinstance(thing, Group):
        body |= {"permissions_boundary": thing.boundary.arn if thing.boundary else None, "tags": dict(thing.tags)}
    return body


def _password_policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    names = {
        "MinimumPasswordLength": "minimum_password_length", "RequireSymbols": "require_symbols", "RequireNumbers": "require_numbers",
        "RequireUppercaseCharacters": "require_uppercase_characters", "RequireLowercaseCharacters": "require_lowercase_characters",
        "AllowUsersToChangePassword": "allow_users_to_change_password", "MaxPasswordAge": "max_password_age",
        "PasswordReusePrevention": "password_reuse_prevention",
    }  # fmt: skip
    return {ours: policy[theirs] for theirs, ours in names.items() if theirs in policy}


def _slug(name: str) -> str:
    """A name that Terraform takes, different for different names (``a.b`` and ``a-b``)."""
    slug = "".join(c if c.isascii() and (c.isalnum() or c in "-") else f"_{ord(c):02x}_" for c in name)
    return slug if slug[:1].isalpha() else f"a{slug}"


# --- HCL as `terraform fmt` has it: two spaces, and the = of neighbouring one-line attributes in one column --------------


class Json(dict[str, Any]):
    """A document that is written as ``jsonencode({...})``."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(document)


def _block(kind: str, labels: Sequence[str], body: Mapping[str, Any]) -> str:
    head = " ".join([kind, *(f'"{label}"' for label in labels)])
    return f"{head} {{\n" + "\n".join(_attributes(body, 1)) + "\n}\n"


def _attributes(body: Mapping[str, Any], depth: int) -> list[str]:
    """Attributes, one a line or more; those that stand on one line next to each other have their = in one column."""
    indent = "  " * depth
    lines: list[str] = []
    run: list[tuple[str, str]] = []

    def flush() -> None:
        width = max((len(k) for k, _ in run), default=0)
        lines.extend(f"{indent}{key.ljust(width)} = {value}" for key, value in run)
        run.clear()

    for key, value in body.items():
        written = _value(value, depth)
        shown = key if _IDENTIFIER.fullmatch(key) else _string(key)
        if "\n" in written:
            flush()
            lines.append(f"{indent}{shown} = {written}")
        else:
            run.append((shown, written))
    flush()
    return lines


def _value(value: Any, depth: int) -> str:
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Json):
        return f"jsonencode({_value(dict(value), depth)})"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        return _string(value)
    inner = "  " * (depth + 1)
    if isinstance(value, Mapping):
        return "{\n" + "\n".join(_attributes(value, depth + 1)) + "\n" + "  " * depth + "}" if value else "{}"
    items = [_value(v, depth + 1) for v in value]
    if len(items) <= 1 and not any("\n" in i for i in items):
        return f"[{', '.join(items)}]"
    return "[\n" + "".join(f"{inner}{i},\n" for i in items) + "  " * depth + "]"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    return '"' + escaped.replace("${", "$${").replace("%{", "%%{") + '"'
