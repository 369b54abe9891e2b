"""IAM of the embedded AWS: every operation by its name, what leave it asks for and what it does to the accounts of the store."""

from sekisho.sandbox.iam import (
    absent,
    account,
    attachments,
    details,
    devices,
    groups,
    keys,
    other_credentials,
    passwords,
    policies,
    profiles,
    roles,
    users,
)
from sekisho.sandbox.operation import Operation

OPERATIONS: dict[str, Operation] = {
    **users.OPERATIONS,
    **groups.OPERATIONS,
    **roles.OPERATIONS,
    **attachments.OPERATIONS,
    **policies.OPERATIONS,
    **keys.OPERATIONS,
    **passwords.OPERATIONS,
    **devices.OPERATIONS,
    **profiles.OPERATIONS,
    **account.OPERATIONS,
    **details.OPERATIONS,
    **other_credentials.OPERATIONS,
    **absent.OPERATIONS,
}
"""Operations by the API's name for them; ``needs`` are decided before ``run``."""

__all__ = ["OPERATIONS"]
