"""Resource policies that a call puts on something behind the front: checked before they are stored, and read again afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sekisho.decision import Layers, decide
from sekisho.errors import PolicyError
from sekisho.policy import Policy, PolicyKind, check_policy
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Work
from sekisho.sandbox.protocol import Call

_ALL_ALLOWED = Policy.parse({"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}})

_CHANGES: Mapping[str, tuple[str, ...]] = {
    "s3": ("PutBucketPolicy", "DeleteBucketPolicy", "DeleteBucket", "CreateBucket"),
    "sqs": ("CreateQueue", "DeleteQueue", "SetQueueAttributes", "AddPermission", "RemovePermission"),
    "sns": ("CreateTopic", "DeleteTopic", "SetTopicAttributes", "AddPermission", "RemovePermission"),
    "kms": ("CreateKey", "PutKeyPolicy", "ReplicateKey", "ScheduleKeyDeletion"),
    "secretsmanager": ("PutResourcePolicy", "DeleteResourcePolicy", "DeleteSecret", "ReplicateSecretToRegions", "CreateSecret", "RestoreSecret"),
}
_ALL = ("cloudformation",)
"""Services that make resources of others."""


def may_change(call: Call) -> bool:
    """Whether resource policies can be others after the call."""
    return call.service in _ALL or call.operation in _CHANGES.get(call.service, ())


def check(work: Work, body: bytes) -> None:
    """Raise AwsFault for a resource policy that AWS wouldn't take."""
    call, params = work.call, work.params
    text: Any = None
    if (call.service, call.operation) == ("kms", "PutKeyPolicy") or (call.service, call.operation) == ("kms", "CreateKey"):
        text = params.get("Policy")
    elif (call.service, call.operation) == ("secretsmanager", "PutResourcePolicy"):
        text = params.get("ResourcePolicy")
    elif call.service == "sqs" and call.operation in ("SetQueueAttributes", "CreateQueue") and isinstance(params.get("Attributes"), Mapping):
        text = params["Attributes"].get("Policy")
    elif (call.service, call.operation) == ("sns", "SetTopicAttributes") and params.get("AttributeName") == "Policy":
        text = params.get("AttributeValue")
    elif (call.service, call.operation) == ("s3", "PutBucketPolicy"):
        text = body.decode("utf-8", "replace")
    if not text:
        return
    try:
        policy = check_policy(str(text), PolicyKind.RESOURCE)
    except PolicyError as error:
        code = {"s3": "MalformedPolicy", "kms": "MalformedPolicyDocumentException", "secretsmanager": "MalformedPolicyDocumentException"}
        raise AwsFault(code.get(call.service, "InvalidParameter"), error.message, 400) from None
    if call.service == "kms" and not params.get("BypassPolicyLockoutSafetyCheck"):
        key = f"arn:aws:kms:{work.caller.region}:{work.caller.account}:key/x"
        layers = Layers(identity=(_ALL_ALLOWED,), resource=(policy,))
        if not decide(work.caller.request("kms:PutKeyPolicy", key, work.now), layers, work.store.settings).allowed:
            text = "The new key policy will not allow you to update the key policy in the future."
            raise AwsFault("MalformedPolicyDocumentException", text, 400)
