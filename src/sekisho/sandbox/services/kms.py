"""KMS: keys by id, ARN or alias; an alias is a resource of its own only where aliases are made, moved or deleted."""

from __future__ import annotations

import base64
from typing import Any

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, named, tag_context

_OF_ACCOUNT = ("CreateKey", "ListKeys", "ListAliases", "GenerateRandom", "DescribeCustomKeyStores")
_ALIASES = ("CreateAlias", "UpdateAlias", "DeleteAlias")
_TELLS = ("kms:requestalias", "kms:resourcealiases", "kms:encryptioncontext", "kms:viaservice", "kms:calleraccount", "kms:recipientattestation")


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of KMS asks for."""
    params, operation = work.params, work.call.operation
    if operation in _ALIASES:
        return _aliases(work, behind)
    if operation in _OF_ACCOUNT:
        return [Need(f"kms:{operation}", "*", tag_context(params), tells=_TELLS)]
    if operation == "ReEncrypt":
        source = params.get("SourceKeyId") or _encrypted_with(work, params.get("CiphertextBlob"))
        return [
            _on_key(work, behind, "ReEncryptFrom", source, params.get("SourceEncryptionContext")),
            _on_key(work, behind, "ReEncryptTo", params.get("DestinationKeyId"), params.get("DestinationEncryptionContext")),
        ]
    key = params.get("KeyId") or (_encrypted_with(work, params.get("CiphertextBlob")) if operation == "Decrypt" else None)
    return [_on_key(work, behind, operation, key, params.get("EncryptionContext"))] if key else None


def _on_key(work: Work, behind: Behind, action: str, name: Any, encryption: Any) -> Need:
    context: dict[str, Any] = {"kms:CallerAccount": work.caller.account, **tag_context(work.params)}
    if isinstance(encryption, dict) and encryption:
        context |= {f"kms:EncryptionContext:{k}": str(v) for k, v in encryption.items()} | {"kms:EncryptionContextKeys": list(encryption)}
    key, alias = key_named(work, behind, str(name or ""))
    if alias:
        context["kms:RequestAlias"] = alias
    aliases = behind.kms_aliases(key.split(":")[4], work.caller.region, key.rpartition("/")[2])
    return Need(f"kms:{action}", key, {**context, **({"kms:ResourceAliases": aliases} if aliases else {})}, tells=_TELLS)


def key_named(work: Work, behind: Behind, name: str) -> tuple[str, str]:
    """(ARN of the key, alias by which it was asked for or nothing). Raises AwsFault where an alias leads to no key."""
    if name.startswith("arn:"):
        named(work, "kms", name, "")
    account = name.split(":")[4] if name.startswith("arn:") else work.caller.account
    rest = name.split(":", 5)[5] if name.startswith("arn:") else name
    if not rest.startswith("alias/"):
        rest = rest.removeprefix("key/")
        if "/" in rest or ":" in rest:
            raise AwsFault("NotFoundException", f"Invalid keyId {name[:200]}", 400)
        return arn(work, "kms", f"key/{rest}", account=account), ""
    found = behind.kms_key(account, work.caller.region, rest) if account in work.store.accounts else ""
    if not found:
        raise AwsFault("NotFoundException", f"Alias {arn(work, 'kms', rest, account=account)} is not found.", 400)
    return arn(work, "kms", f"key/{found}", account=account), rest


def _encrypted_with(work: Work, ciphertext: Any) -> str:
    """The ARN of the key that a ciphertext was made with; it stands at its beginning."""
    try:
        blob = base64.b64decode(str(ciphertext), validate=True)
        name = blob[:36].decode("ascii").rstrip("\0")
    except ValueError:
        raise AwsFault("InvalidCiphertextException", "", 400) from None
    return name


def _aliases(work: Work, behind: Behind) -> list[Need]:
    params, action = work.params, f"kms:{work.call.operation}"
    name = str(params.get("AliasName", ""))
    context = {"kms:CallerAccount": work.caller.account}
    found = [Need(action, arn(work, "kms", name), context, tells=_TELLS)]
    old = behind.kms_key(work.caller.account, work.caller.region, name) if work.call.operation != "CreateAlias" else ""
    keys = [arn(work, "kms", f"key/{old}")] if old else []
    if "TargetKeyId" in params:
        keys.append(key_named(work, behind, str(params["TargetKeyId"]))[0])
    return found + [Need(action, key, context, tells=_TELLS) for key in keys]
