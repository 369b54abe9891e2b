"""Systems Manager: parameters and documents by name; a parameter's leading slash isn't part of its ARN."""

from __future__ import annotations

from collections.abc import Iterable

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, each, named, tag_context, tags_of

_OF_ACCOUNT = ("DescribeParameters", "ListDocuments", "ListCommands", "DescribeInstanceInformation")
_DOCUMENTS = ("GetDocument", "DescribeDocument", "CreateDocument", "UpdateDocument", "DeleteDocument", "DescribeDocumentPermission",
              "ModifyDocumentPermission", "UpdateDocumentDefaultVersion", "ListDocumentVersions")  # fmt: skip
_TELLS = ("ssm:overwrite", "ssm:recursive")


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call about parameters or documents asks for; None for the rest of Systems Manager."""
    params, operation = work.params, work.call.operation
    action = f"ssm:{operation}"
    if operation in _OF_ACCOUNT:
        return [Need(action)]
    if operation in _DOCUMENTS and "Name" in params:
        return [Need(action, _document(work, str(params["Name"])), tag_context(params))]
    if operation == "SendCommand" and params.get("InstanceIds") and "Targets" not in params:
        instances = [f"arn:aws:ec2:{work.caller.region}:{work.caller.account}:instance/{i}" for i in params["InstanceIds"]]
        return each(action, [_document(work, str(params.get("DocumentName", ""))), *instances])
    if operation in ("AddTagsToResource", "RemoveTagsFromResource", "ListTagsForResource") and params.get("ResourceType") == "Parameter":
        return each(action, [_parameter(work, str(params.get("ResourceId", "")))], tag_context(params))
    if operation not in ("PutParameter", "GetParameter", "GetParameters", "GetParametersByPath", "DeleteParameter", "DeleteParameters",
                         "GetParameterHistory", "LabelParameterVersion", "UnlabelParameterVersion"):  # fmt: skip
        return None
    names: Iterable[str] = params.get("Names") or [str(params.get("Path") or params.get("Name") or "")]
    context = {**tag_context(params), **{f"ssm:{k}": str(params[k]).lower() for k in ("Overwrite", "Recursive") if k in params}}
    found = each(action, [_parameter(work, str(n)) for n in names], context, _TELLS)
    return found + (each("ssm:AddTagsToResource", [n.resource for n in found], tag_context(params)) if tags_of(params) else [])


def _parameter(work: Work, name: str) -> str:
    if name.startswith("arn:"):
        return named(work, "ssm", name, "")
    # ``name:3`` and ``name:label`` choose a version of the parameter.
    return arn(work, "ssm", f"parameter/{name.partition(':')[0].strip('/')}")


def _document(work: Work, name: str) -> str:
    return arn(work, "ssm", f"document/{name}", account="") if name.startswith("AWS-") else named(work, "ssm", name, "document/")
