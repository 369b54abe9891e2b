"""DynamoDB: tables and their indexes; a batch or a transaction asks for leave on each table that it touches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import named, tag_context

_ITEMS = {"Get": "GetItem", "Put": "PutItem", "Update": "UpdateItem", "Delete": "DeleteItem", "ConditionCheck": "ConditionCheckItem"}
_OF_ACCOUNT = ("ListTables", "DescribeLimits", "ListBackups", "ListGlobalTables", "DescribeEndpoints", "ListExports", "ListImports")
_TELLS = ("dynamodb:leadingkeys",)


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of DynamoDB asks for; None where the reference has to tell (backups, PartiQL, …)."""
    params, operation = work.params, work.call.operation
    if operation in _OF_ACCOUNT:
        return [Need(f"dynamodb:{operation}")]
    if operation in ("BatchGetItem", "BatchWriteItem"):
        return [_on_table(work, behind, operation, table, _batched(entry)) for table, entry in params.get("RequestItems", {}).items()] or None
    if operation in ("TransactGetItems", "TransactWriteItems"):
        parts = [(kind, one) for item in params.get("TransactItems", ()) for kind, one in item.items() if kind in _ITEMS]
        return [_on_table(work, behind, _ITEMS[kind], str(one.get("TableName", "")), [_key(one)]) for kind, one in parts] or None
    if "TableName" in params and operation not in ("CreateGlobalTable", "RestoreTableFromBackup", "ImportTable"):
        index = params.get("IndexName") if operation in ("Query", "Scan") else None
        if operation in ("GetItem", "PutItem", "UpdateItem", "DeleteItem"):
            return [_on_table(work, behind, operation, str(params["TableName"]), [_key(params)])]
        table = named(work, "dynamodb", str(params["TableName"]), "table/")
        found = [Need(f"dynamodb:{operation}", f"{table}/index/{index}" if index else table, tag_context(params))]
        return found + ([Need("dynamodb:TagResource", table, tag_context(params))] if operation == "CreateTable" and params.get("Tags") else [])
    if "ResourceArn" in params:
        return [Need(f"dynamodb:{operation}", named(work, "dynamodb", str(params["ResourceArn"]), ""), tag_context(params))]
    return None


def _on_table(work: Work, behind: Behind, operation: str, table: str, keys: Iterable[Mapping[str, Any]]) -> Need:
    """An action on items of a table, with dynamodb:LeadingKeys: the partition keys of the items."""
    resource = named(work, "dynamodb", table, "table/")
    account = resource.split(":")[4]
    name = behind.table_keys(account, work.caller.region, resource.rpartition("table/")[2])
    leading = [str(next(iter(key[name].values()))) for key in keys if isinstance(key.get(name), Mapping) and key[name]]
    context = {"dynamodb:LeadingKeys": leading} if leading else None
    return Need(f"dynamodb:{operation}", resource, context, tells=_TELLS)


def _key(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = item.get("Key") or item.get("Item") or {}
    return found if isinstance(found, Mapping) else {}


def _batched(entry: Any) -> list[Mapping[str, Any]]:
    if isinstance(entry, Mapping):
        return [key for key in entry.get("Keys", ()) if isinstance(key, Mapping)]
    parts = [one for request in entry if isinstance(request, Mapping) for one in request.values()] if isinstance(entry, list) else []
    return [_key(one) for one in parts if isinstance(one, Mapping)]
