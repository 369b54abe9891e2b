"""The IAM policy language (rule book A to C): documents, patterns, operators, conditions, variables, principals, quotas. Pure."""

from sekisho.policy.document import Policy, PolicyKind, Statement, check_policy
from sekisho.policy.settings import DEFAULT, Settings

__all__ = ["DEFAULT", "Policy", "PolicyKind", "Settings", "Statement", "check_policy"]
