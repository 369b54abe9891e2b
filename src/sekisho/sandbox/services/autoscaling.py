"""Auto Scaling: a group's ARN has an id that its name doesn't tell; the group that exists does, and one that is being made is ``*``."""

from __future__ import annotations

from typing import Any

from sekisho.policy.actions import action_reference
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, pass_role, tag_context

_KINDS = (
    ("AutoScalingGroupName", "autoScalingGroup", "autoScalingGroupName"),
    ("LaunchConfigurationName", "launchConfiguration", "launchConfigurationName"),
)
_KEYS = {
    "MinSize": "autoscaling:MinSize", "MaxSize": "autoscaling:MaxSize", "LaunchConfigurationName": "autoscaling:LaunchConfigurationName",
    "InstanceType": "autoscaling:InstanceType", "ImageId": "autoscaling:ImageId", "SpotPrice": "autoscaling:SpotPrice",
}  # fmt: skip


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call about one group or launch configuration asks for; None where the reference has to tell."""
    params, operation = work.params, work.call.operation
    known = action_reference("autoscaling")[0].get(operation.lower())
    listed = {entry["name"] for entry in (known or {}).get("resourceTypes") or ()}
    for parameter, kind, part in _KINDS:
        name = params.get(parameter)
        if kind in listed and isinstance(name, str) and not name.startswith("arn:"):
            there = "" if operation.startswith("Create") else behind.scaling_arn(work.caller.account, work.caller.region, kind, name)
            context: dict[str, Any] = {key: str(params[k]) for k, key in _KEYS.items() if k in params} | tag_context(params)
            tells = tuple(key.lower() for key in _KEYS.values())
            found = [Need(f"autoscaling:{operation}", there or arn(work, "autoscaling", f"{kind}:*:{part}/{name}"), context, tells=tells)]
            return found + pass_role(work, params.get("ServiceLinkedRoleARN"), "autoscaling.amazonaws.com")
    return None
