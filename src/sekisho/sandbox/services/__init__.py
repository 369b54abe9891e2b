"""Exact rules for the services that are used most: which IAM actions on which resources an operation asks for, and with which context keys.

One file a service. A rule returns None for what it leaves to AWS's reference data (``needs.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services import autoscaling, cloudformation, dynamodb, ec2, kms, lambda_, logs, s3, secretsmanager, sns, sqs, ssm

Rule = Callable[[Work, Behind], list[Need] | None]

RULES: Mapping[str, Rule] = {
    "autoscaling": autoscaling.needs,
    "cloudformation": cloudformation.needs, "dynamodb": dynamodb.needs, "ec2": ec2.needs, "kms": kms.needs, "lambda": lambda_.needs,
    "logs": logs.needs, "s3": s3.needs, "secretsmanager": secretsmanager.needs, "sns": sns.needs, "sqs": sqs.needs, "ssm": ssm.needs,
}  # fmt: skip

__all__ = ["RULES", "Rule"]
