"""Secrets Manager: a secret's ARN ends with six characters that its name doesn't tell; the secret that exists does."""

from __future__ import annotations

from typing import Any

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, named, tag_context, tags_of

_OF_ACCOUNT = ("ListSecrets", "GetRandomPassword")
_TELLS = ("secretsmanager:secretid", "secretsmanager:name", "secretsmanager:versionstage", "secretsmanager:versionid", "secretsmanager:description",
          "secretsmanager:kmskeyid", "secretsmanager:forcedeletewithoutrecovery", "secretsmanager:recoverywindowindays")  # fmt: skip
_KEYS = {
    "SecretId": "secretsmanager:SecretId", "Name": "secretsmanager:Name", "VersionStage": "secretsmanager:VersionStage",
    "VersionId": "secretsmanager:VersionId", "Description": "secretsmanager:Description", "KmsKeyId": "secretsmanager:KmsKeyId",
    "ForceDeleteWithoutRecovery": "secretsmanager:ForceDeleteWithoutRecovery", "RecoveryWindowInDays": "secretsmanager:RecoveryWindowInDays",
}  # fmt: skip


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of Secrets Manager asks for."""
    params, operation = work.params, work.call.operation
    action = f"secretsmanager:{operation}"
    context: dict[str, Any] = {key: _text(params[name]) for name, key in _KEYS.items() if name in params} | tag_context(params)
    if operation in _OF_ACCOUNT:
        return [Need(action, "*", context, tells=_TELLS)]
    if operation == "BatchGetSecretValue" and "Filters" not in params:
        each = [Need("secretsmanager:GetSecretValue", _secret(work, behind, str(i)), {"secretsmanager:SecretId": str(i)}, tells=_TELLS)
                for i in params.get("SecretIdList", ())]  # fmt: skip
        return [Need(action), *each]
    if operation == "CreateSecret":
        resource = arn(work, "secretsmanager", f"secret:{params.get('Name', '')}")
        found = [Need(action, resource, context, tells=_TELLS)]
        return found + ([Need("secretsmanager:TagResource", resource, context, tells=_TELLS)] if tags_of(params) else [])
    if "SecretId" not in params:
        return None
    return [Need(action, _secret(work, behind, str(params["SecretId"])), context, tells=_TELLS)]


def _secret(work: Work, behind: Behind, name: str) -> str:
    given = named(work, "secretsmanager", name, "secret:")
    return behind.secret(given.split(":")[4], work.caller.region, name) or given


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
