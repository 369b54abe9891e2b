"""SQS: a queue is named by its URL, which says whose it is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, named, tag_context, tags_of

_BATCHES = {"SendMessageBatch": "SendMessage", "DeleteMessageBatch": "DeleteMessage", "ChangeMessageVisibilityBatch": "ChangeMessageVisibility"}
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of SQS asks for."""
    params, operation = work.params, work.call.operation
    action = f"sqs:{_BATCHES.get(operation, operation)}"
    if operation == "ListQueues":
        return [Need(action, arn(work, "sqs", ""))]
    if operation in ("CreateQueue", "GetQueueUrl"):
        owner = params.get("QueueOwnerAWSAccountId") if operation == "GetQueueUrl" else None
        resource = arn(work, "sqs", _checked(params.get("QueueName")), account=owner or None)
        found = [Need(action, resource, tag_context(params))]
        return found + ([Need("sqs:TagQueue", resource, tag_context(params))] if tags_of(params) and operation == "CreateQueue" else [])
    if "QueueUrl" in params:
        return [Need(action, queue_arn(work, str(params["QueueUrl"])), tag_context(params))]
    if "SourceArn" in params:
        return [Need(action, named(work, "sqs", str(params["SourceArn"]), ""))]
    return None


def queue_arn(work: Work, url: str) -> str:
    """``https://sqs.us-east-1.amazonaws.com/111122223333/orders`` → the queue's ARN. Raises AwsFault for what is no URL of a queue."""
    parts = urlsplit(url)
    pieces = [p for p in parts.path.split("/") if p] if parts.scheme else [url]
    account = pieces[-2] if len(pieces) > 1 and re.fullmatch(r"\d{12}", pieces[-2]) else None
    return arn(work, "sqs", _checked(pieces[-1] if pieces else ""), account=account)


def _checked(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AwsFault("InvalidParameterValue", "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length", 400)
    return name
