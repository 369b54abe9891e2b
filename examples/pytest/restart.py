"""The code under test: restarts what carries the tag ``restart`` — as the people who operate production would, with their own session."""

from __future__ import annotations

from typing import Any


def instances_to_restart(ec2: Any) -> list[str]:
    """The ids of the instances that have to be restarted."""
    pages = ec2.get_paginator("describe_instances").paginate(Filters=[{"Name": "tag-key", "Values": ["restart"]}])
    return [i["InstanceId"] for page in pages for reservation in page["Reservations"] for i in reservation["Instances"]]
