"""Documents of AWS managed policies, from a data file inside the package (``tools/managed_policies.py`` writes it; NOTICE says whence)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from sekisho.policy import Policy


@dataclass(frozen=True)
class ManagedDocument:
    """One AWS managed policy as the data file has it; ``document`` is JSON text, dates are ISO 8601 UTC."""

    arn: str
    name: str
    path: str
    version: str
    created: str
    updated: str
    document: str


@cache
def _data() -> Mapping[str, Any]:
    packed = resources.files("sekisho.estate").joinpath("data/aws_managed_policies.json.gz").read_bytes()
    data: Mapping[str, Any] = json.loads(gzip.decompress(packed))
    return data


def managed_policies_source() -> str:
    """Where the data are from, and the date of the newest change in them."""
    return f"{_data()['source']}; newest change {_data()['newest_change']}"


def aws_managed_arns() -> Iterable[str]:
    """The ARNs of all AWS managed policies that the data have."""
    return tuple(_data()["policies"])


def aws_managed_document(arn: str) -> ManagedDocument | None:
    """The entry of an AWS managed policy's ARN, or None where the data don't have it."""
    entry = _data()["policies"].get(arn)
    if entry is None:
        return None
    return ManagedDocument(arn, entry["name"], entry["path"], entry["version"], entry["created"] or "", entry["updated"] or "", entry["document"])


@cache
def aws_managed_policy(arn: str) -> Policy | None:
    """The parsed document of an AWS managed policy's ARN; None where it isn't known, which makes answers that need it unknown.

    >>> aws_managed_policy("arn:aws:iam::aws:policy/AdministratorAccess").statements[0].actions
    ('*',)
    """
    found = aws_managed_document(arn)
    return None if found is None else Policy.parse(found.document, name=found.name, arn=arn)
