"""Tags. A key is unique without regard to letter case, and keeps the case that it came in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sekisho.policy.quotas import limit
from sekisho.sandbox.fault import AwsFault, constraint
from sekisho.sandbox.iam.entities import tags_output
from sekisho.sandbox.iam.names import NeedOf, operation, page
from sekisho.sandbox.operation import Operation, Work

Tags = tuple[tuple[str, str], ...]

_TEXT = re.compile(r"[\w \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000.:/=+\-@]*")


def new_tags(params: Mapping[str, Any]) -> Tags:
    """The tags that a Create call passes, checked."""
    return merged((), params.get("Tags") or ())


def merged(present: Tags, given: Iterable[Mapping[str, str]]) -> Tags:
    """``present`` with ``given`` added or in place of those of the same key. Raises AwsFault with AWS's texts."""
    listed = [(t["Key"], t["Value"]) for t in given]
    for i, (key, value) in enumerate(listed):
        for text, field in ((key, "key"), (value, "value")):
            if not _TEXT.fullmatch(text):
                rule = r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+"
                raise constraint(text, f"tags.{i + 1}.member.{field}", rule)
        if key.lower().startswith("aws:"):
            raise AwsFault("InvalidInput", "Caller is an end user and not allowed to mutate system tags")
    new = {k.lower(): (k, v) for k, v in listed}
    result = tuple(new.pop(k.lower(), (k, v)) for k, v in present) + tuple(new.values())
    if len(result) > limit("tags"):
        raise AwsFault("LimitExceeded", "The number of tags has reached the maximum limit.", 409)
    return result


def tag_operations(word: str, on: NeedOf, read: Callable[[Work], Tags], write: Callable[[Work, Tags], None]) -> dict[str, Operation]:
    """Tag…, Untag… and List…Tags of one kind of resource; ``read`` and ``write`` know where its tags are kept."""

    def tag(work: Work) -> Mapping[str, Any]:
        write(work, merged(read(work), work.params["Tags"]))
        return {}

    def untag(work: Work) -> Mapping[str, Any]:
        gone = {k.lower() for k in work.params["TagKeys"]}
        write(work, tuple((k, v) for k, v in read(work) if k.lower() not in gone))
        return {}

    def list_tags(work: Work) -> Mapping[str, Any]:
        return page(work.params, tags_output(read(work)), lambda t: t["Key"], "Tags")

    return {f"Tag{word}": operation(tag, on), f"Untag{word}": operation(untag, on), f"List{word}Tags": operation(list_tags, on)}
