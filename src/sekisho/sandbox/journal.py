"""What keeps moto's state over a restart: each call that changed it, as it was sent, with the moment in which it was carried out.

Told again in their order, with the same randomness and the same time, the calls make the same state: ids, ARNs, times and all. An answer that isn't
the one that was given then is said on stderr: what can't be brought back is at least known to be lost.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sekisho.sandbox.protocol import Answer

_READS = ("Get", "List", "Describe", "Head", "BatchGet", "Query", "Scan", "Search", "Lookup", "Select", "Check", "Estimate", "Preview", "Simulate")

_READS_THAT_CHANGE = frozenset((
    "ce:GetCostAndUsage", "config:SelectResourceConfig", "datasync:DescribeTaskExecution", "dsql:GetCluster", "dsql:GetStream",
    "dynamodb:GetShardIterator", "ec2:DescribeManagedPrefixLists", "elasticache:DescribeUsers", "inspector2:ListFindings",
    "iot:DescribeEndpoint", "mediastore:DescribeContainer", "resiliencehub:ListAppAssessments", "servicediscovery:ListOperations",
    "ses:GetIdentityDkimAttributes",
))  # fmt: skip
"""Operations that are named as reads and change what moto holds: found by looking for assignments in its code of every such operation."""

_CHANGE_NOTHING = frozenset((
    "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateDataKeyPair",
    "kms:GenerateDataKeyPairWithoutPlaintext", "kms:GenerateMac", "kms:GenerateRandom", "kms:Sign", "kms:Verify", "kms:VerifyMac",
    "lambda:Invoke", "cloudformation:ValidateTemplate",
))  # fmt: skip


def changes(service: str, operation: str) -> bool:
    """Whether an operation may change what moto holds. What isn't known to be a read, may."""
    name = f"{service}:{operation}"
    return name in _READS_THAT_CHANGE or not (operation.startswith(_READS) or name in _CHANGE_NOTHING)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as moto gets it. ``across``: it may reach into another account's bucket as well."""

    name: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    account: str
    across: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that was done to moto's state: a call (``sent``), or a role or instance profile that was shown to it (``shown``: their ARNs).

    ``answer`` is the digest of what was answered; ``keys`` the private keys that were made on the way.
    """

    at: str
    seed: str
    sent: Sent | None = None
    shown: tuple[str, ...] = ()
    answer: str = ""
    keys: tuple[str, ...] = ()

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.at)

    def parts(self) -> tuple[str, bytes]:
        """(JSON, body), as they are kept."""
        head = asdict(self)
        body = b""
        if self.sent is not None:
            body = head["sent"].pop("body")
        return json.dumps({k: v for k, v in head.items() if v}), body

    @staticmethod
    def of_parts(head: str, body: bytes) -> Entry:
        read: dict[str, Any] = json.loads(head)
        sent = read.pop("sent", None)
        if sent is not None:
            sent["headers"] = tuple((k, v) for k, v in sent["headers"])
            sent = Sent(**sent, body=body)
        return Entry(**{**read, "shown": tuple(read.get("shown", ())), "keys": tuple(read.get("keys", ()))}, sent=sent)


def digest(answer: Answer) -> str:
    """What tells one answer from another."""
    told = hashlib.sha256(f"{answer.status}\n{sorted(answer.headers)}\n".encode())
    told.update(answer.body)
    return told.hexdigest()
