"""Strange parameters to every IAM operation: the answer is AWS's refusal or a result, never a failure, and a refusal leaves no trace."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from botocore.model import Shape

from sekisho.sandbox.iam import OPERATIONS

from .iam_case import HOME, OTHER, READ, Case, trust

NAMES = ["alice", "bob", "ops", "alice", "bob", "ops", "ALICE", "x" * 70, "", "a b", "é", "\x01", "/", "*", "${aws:username}"]
ARNS = [
    *(f"arn:aws:iam::{HOME}:{rest}" for rest in ("policy/alice", "policy/ops", "policy/", "mfa/alice", "mfa/bob", "user/alice")),
    "arn:aws:iam::aws:policy/ReadOnlyAccess", f"arn:aws:iam::{OTHER}:policy/alice", "a" * 25, ":" * 30,
]  # fmt: skip
DOCUMENTS = [READ, READ, trust("*"), trust(f"arn:aws:iam::{HOME}:user/alice"), trust(), trust("arn:x"), "{", "[]", "null", '"x"', "\x00", "é" * 9]
TEXTS = {
    "Path": ["/", "/", "/a/", "a", "//", "/" + "a" * 600 + "/"], "Password": ["Correct-horse-1", "Correct-horse-2", "x", "\x01" * 9],
    "VersionId": ["v1", "v2", "v9", "vx"], "Marker": ["AAAA", "MTph", "é"], "AuthenticationCode": ["000000", "12345", "abcdef"],
}  # fmt: skip


def value(rng: random.Random, shape: Shape, name: str) -> Any:
    kind = shape.type_name
    if kind == "structure":
        return {
            k: value(rng, member, k)
            for k, member in shape.members.items()
            if rng.random() < (0.95 if k in shape.required_members else 0.25)
        }  # fmt: skip
    if kind == "list":
        return [value(rng, shape.member, name) for _ in range(rng.choice([0, 1, 1, 2]))]
    if kind in ("integer", "long"):
        return rng.choice([-1, 0, 1, 8, 3600, 43200, 10**9])
    if kind == "boolean":
        return rng.random() < 0.5
    if shape.metadata.get("enum") and rng.random() < 0.9:
        return rng.choice(shape.metadata["enum"])
    if "Document" in name:
        return rng.choice(DOCUMENTS)
    if "Arn" in name or name in ("SerialNumber", "PermissionsBoundary"):
        return rng.choice(ARNS)
    return rng.choice(next((texts for part, texts in TEXTS.items() if part in name), NAMES))


@pytest.mark.parametrize("seed", range(2))
def test_strange_parameters(case: Case, seed: int) -> None:
    rng, store = random.Random(seed), case.server.aws.store
    iam = case.iam()
    model = iam.meta.service_model
    for name in ("alice", "bob"):
        iam.create_user(UserName=name)
    iam.create_group(GroupName="ops")
    iam.create_role(RoleName="ops", AssumeRolePolicyDocument=trust("*"))
    # Without root's own keys, which open the door for all that follows.
    operations = sorted(set(OPERATIONS) - {"DeleteAccessKey", "UpdateAccessKey"})
    done = 0
    for _ in range(250):
        operation = rng.choice(operations)
        shape = model.operation_model(operation).input_shape
        params = value(rng, shape, "") if shape is not None else {}
        before = (store.accounts[HOME], json.dumps([vars(t) for t in (*store.passwords.values(), *store.devices.values())]))
        try:
            getattr(iam, xform_name(operation))(**params)
            done += 1
        except ClientError as refusal:
            assert 400 <= refusal.response["ResponseMetadata"]["HTTPStatusCode"] < 500, (operation, params)
            after = (store.accounts[HOME], json.dumps([vars(t) for t in (*store.passwords.values(), *store.devices.values())]))
            assert before == after, (operation, params)
    assert done > 30
