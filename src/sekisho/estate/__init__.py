"""What exists: accounts, principals and policies, and AWS's own JSON of them in and out. Pure, but for reading files when asked to."""

from sekisho.estate.aws_json import account_from_json, account_to_json, load_estate, write_estate
from sekisho.estate.managed import aws_managed_arns, aws_managed_document, aws_managed_policy, managed_policies_source
from sekisho.estate.model import (
    Account,
    AttachedPolicy,
    Estate,
    Group,
    ManagedPolicy,
    MfaDevice,
    Role,
    SignIn,
    SignInStatement,
    User,
)

__all__ = [
    "Account",
    "AttachedPolicy",
    "Estate",
    "Group",
    "ManagedPolicy",
    "MfaDevice",
    "Role",
    "SignIn",
    "SignInStatement",
    "User",
    "account_from_json",
    "account_to_json",
    "aws_managed_arns",
    "aws_managed_document",
    "aws_managed_policy",
    "load_estate",
    "managed_policies_source",
    "write_estate",
]
