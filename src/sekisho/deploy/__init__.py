"""From what exists to what is wanted, on AWS or on a sandbox: collect, plan, apply, journal, lock-out guard, exports (boto3)."""

from sekisho.deploy.calls import AwsError, Call, Clients, run
from sekisho.deploy.changes import Change, Sign, changes

__all__ = ["AwsError", "Call", "Change", "Clients", "Sign", "changes", "run"]
