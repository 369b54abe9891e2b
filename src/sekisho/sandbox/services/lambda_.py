"""Lambda: functions by name, partial or whole ARN, with or without a version or alias; the role that a function gets is handed over."""

from __future__ import annotations

import re
from typing import Any

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, named, pass_role, tag_context

_ACTION = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction"}
_OF_ACCOUNT = ("ListFunctions", "GetAccountSettings", "ListEventSourceMappings", "ListLayers", "ListCodeSigningConfigs")
_FUNCTION = re.compile(r"(?:(?:arn:aws:lambda:[a-z0-9-]+:)?(\d{12}):function:)?([A-Za-z0-9_-]{1,64})(?::([A-Za-z0-9$_-]+))?")
_TELLS = ("lambda:layer", "lambda:vpcids", "lambda:subnetids", "lambda:securitygroupids", "lambda:principal", "lambda:functionarn",
          "lambda:functionurlauthtype", "lambda:eventsourcetoken")  # fmt: skip


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of Lambda asks for; None for layers and the like, which the reference tells."""
    params, operation = work.params, work.call.operation
    action = f"lambda:{_ACTION.get(operation, operation)}"
    if operation in _OF_ACCOUNT:
        return [Need(action)]
    if operation == "CreateEventSourceMapping":
        return [Need(action, "*", {"lambda:FunctionArn": _function(work, str(params.get("FunctionName", "")), None)}, tells=_TELLS)]
    if operation in ("TagResource", "UntagResource", "ListTags") and "Resource" in params:
        return [Need(action, named(work, "lambda", str(params["Resource"]), ""), tag_context(params))]
    if "FunctionName" not in params:
        return None
    context = {**_context(params), **tag_context(params)}
    found = [Need(action, _function(work, str(params["FunctionName"]), params.get("Qualifier")), context, tells=_TELLS)]
    if operation == "CreateFunction" and params.get("Tags"):
        found.append(Need("lambda:TagResource", found[0].resource, context, tells=_TELLS))
    return found + (pass_role(work, params.get("Role"), "lambda.amazonaws.com") if operation.startswith(("Create", "Update")) else [])


def _function(work: Work, name: str, qualifier: Any) -> str:
    match = _FUNCTION.fullmatch(name)
    if match is None:
        raise AwsFault("ValidationException", f"{name[:200]} is no name of a function", 400)
    if name.startswith("arn:"):
        named(work, "lambda", name, "")
    account, plain, version = match.groups()
    version = qualifier or version
    return arn(work, "lambda", f"function:{plain}" + (f":{version}" if version else ""), account=account)


def _context(params: Any) -> dict[str, Any]:
    context: dict[str, Any] = {}
    network = params.get("VpcConfig") if isinstance(params.get("VpcConfig"), dict) else {}
    for values, key in (
        (params.get("Layers"), "lambda:Layer"), (network.get("SubnetIds"), "lambda:SubnetIds"),
        (network.get("SecurityGroupIds"), "lambda:SecurityGroupIds"),
    ):  # fmt: skip
        if isinstance(values, list) and values:
            context[key] = [str(v) for v in values]
    url = "lambda:FunctionUrlAuthType"
    for name, key in (("Principal", "lambda:Principal"), ("FunctionUrlAuthType", url), ("AuthType", url)):
        if name in params:
            context[key] = str(params[name])
    return context
