"""The golden vectors of ``tests/data/vectors.yaml``: each with its documents at hand, and the accounts that they describe as AWS's own JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FILE = Path(__file__).parent / "data" / "vectors.yaml"
_BODY = YAML(typ="safe", pure=True).load(FILE)
JUMP, TARGET = _BODY["accounts"]["jump"], _BODY["accounts"]["target"]


@dataclass(frozen=True)
class Vector:
    """``of`` is the vector with its defaults; ``documents`` are by the names that it uses."""

    number: str
    of: Mapping[str, Any]
    documents: Mapping[str, Mapping[str, Any]]

    @property
    def expect(self) -> Mapping[str, Any]:
        return self.of["expect"]

    @property
    def group(self) -> list[str]:
        return list(self.of.get("group", []))

    def accounts(self) -> dict[str, dict[str, Any]]:
        """Both accounts, by id, as ``aws iam get-account-authorization-details`` prints them."""
        group = _BODY["group"]
        users = [
            {
                "Path": "/", "UserName": name, "UserId": f"AIDAEXAMPLE{name.upper()}", "Arn": f"arn:aws:iam::{JUMP}:user/{name}",
                "GroupList": [group] if name == "alice" else [], "AttachedManagedPolicies": [],
            }
            for name in _BODY["users"]
        ]  # fmt: skip
        inline = [{"PolicyName": name, "PolicyDocument": self.documents[name]} for name in self.group]
        groups = [{
            "Path": "/", "GroupName": group, "GroupId": "AGPAEXAMPLE", "Arn": f"arn:aws:iam::{JUMP}:group/{group}",
            "GroupPolicyList": inline, "AttachedManagedPolicies": [],
        }]  # fmt: skip
        roles: dict[str, list[dict[str, Any]]] = {JUMP: [], TARGET: []}
        for arn in self.roles():
            account, path_and_name = arn.split(":")[4], arn.partition(":role/")[2]
            path, _, name = path_and_name.rpartition("/")
            own = arn == self.of["resource"]
            attached = [{"PolicyName": a.rpartition("/")[2], "PolicyArn": a} for a in self.of.get("role_policies", [])]
            roles[account].append({
                "Path": f"/{path}/" if path else "/", "RoleName": name, "RoleId": f"AROAEXAMPLE{name.upper()}", "Arn": arn,
                "AssumeRolePolicyDocument": self.documents[self.of["trust"] if own else "trust"], "RolePolicyList": [],
                "AttachedManagedPolicies": [] if own else attached,
            })  # fmt: skip
        return {
            JUMP: {"UserDetailList": users, "GroupDetailList": groups, "RoleDetailList": roles[JUMP], "Policies": []},
            TARGET: {"UserDetailList": [], "GroupDetailList": [], "RoleDetailList": roles[TARGET], "Policies": []},
        }

    def roles(self) -> list[str]:
        """The ARNs of the role that is asked for, and of the one that asks."""
        asked = [self.of["resource"]] if ":role/" in self.of["resource"] else []
        who = self.of["principal"]
        return asked + ([f"arn:aws:iam::{TARGET}:role/{who.split('/')[1]}"] if ":assumed-role/" in who else [])


VECTORS = [Vector(v["number"], {**_BODY["defaults"], **v}, _BODY["documents"]) for v in _BODY["vectors"]]
