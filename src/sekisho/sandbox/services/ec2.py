"""EC2: the ids in a call say what kinds of resources they are; what a call makes is ``kind/*``; an instance touches six kinds at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sekisho.policy.actions import action_reference
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import arn, pass_role

_KINDS = {
    "i": "instance", "vol": "volume", "vpc": "vpc", "subnet": "subnet", "sg": "security-group", "ami": "image", "snap": "snapshot",
    "eni": "network-interface", "igw": "internet-gateway", "eigw": "egress-only-internet-gateway", "rtb": "route-table", "acl": "network-acl",
    "nat": "natgateway", "eipalloc": "elastic-ip", "vpce": "vpc-endpoint", "lt": "launch-template", "key": "key-pair",
    "pcx": "vpc-peering-connection",
    "tgw": "transit-gateway", "dopt": "dhcp-options", "fl": "vpc-flow-log", "pl": "prefix-list", "cgw": "customer-gateway", "vgw": "vpn-gateway",
    "vpn": "vpn-connection", "r": "reservation", "sir": "spot-instances-request", "sfr": "spot-fleet-request", "fleet": "fleet",
    "cr": "capacity-reservation",
    "h": "dedicated-host", "pg": "placement-group", "sgr": "security-group-rule", "tgw-attach": "transit-gateway-attachment",
    "tgw-rtb": "transit-gateway-route-table", "vpce-svc": "vpc-endpoint-service",
}  # fmt: skip
"""The kind of resource by the beginning of its id."""
_ID = re.compile(r"([a-z]+(?:-[a-z]+)?)-[0-9a-f]{8,17}")
_WITHOUT_ACCOUNT = ("image", "snapshot")
_MAKES = re.compile(r"(Create|Allocate|Import|Register|Copy|Request|Run|Purchase|Accept)")
_MADE = {
    "AllocateAddress": "elastic-ip", "CopyImage": "image", "CopySnapshot": "snapshot", "CreateImage": "image", "CreateKeyPair": "key-pair",
    "ImportKeyPair": "key-pair", "RegisterImage": "image", "CreateTags": "", "CreateFlowLogs": "vpc-flow-log", "CreateNatGateway": "natgateway",
    "CreateRoute": "", "AllocateHosts": "dedicated-host", "CreateDhcpOptions": "dhcp-options", "CreateDefaultVpc": "vpc",
    "CreateNetworkAclEntry": "", "CreateSnapshots": "snapshot",
}  # fmt: skip
"""What an operation makes, where its name doesn't say it in the reference's words."""
_SOME_TELLS = ("ec2:region", "ec2:createaction")


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of EC2 asks for; None where the reference has to tell."""
    operation = work.call.operation
    known = action_reference("ec2")[0].get(operation.lower())
    if known is None:
        return None
    action, region = f"ec2:{known['name']}", {"ec2:Region": work.caller.region}
    listed = {entry["name"]: bool(entry.get("required")) for entry in known.get("resourceTypes") or ()}
    if not listed:
        return [Need(action, "*", region, tells=_SOME_TELLS)]
    flat = {k: str(v) for k, v in work.params.items()}
    if operation == "RunInstances":
        return _run(work, behind, flat)
    touched = {kind: ids for kind, ids in _ids(flat).items() if kind in listed}
    if "KeyName" in flat and "key-pair" in listed and not operation.startswith(("Create", "Import")):
        touched["key-pair"] = [flat["KeyName"]]
    if "security-group" in listed and "security-group" not in touched and operation != "CreateSecurityGroup":
        named = behind.security_group(work.caller.account, work.caller.region, flat.get("GroupName", "")) if "GroupName" in flat else ""
        touched |= {"security-group": [named]} if named else {}
    made = _made(operation, listed)
    needs = [Need(action, _arn(work, kind, i), region, tells=_SOME_TELLS) for kind, ids in touched.items() for i in ids]
    if made:
        tags = _tags(flat, made)
        needs.insert(0, Need(action, _arn(work, made, flat.get("KeyName", "*") if made == "key-pair" else "*"), region | tags, tells=_SOME_TELLS))
        needs += _tagging(work, operation, made, tags)
    if operation in ("CreateTags", "DeleteTags"):
        tags = _request_tags({k: v for k, v in flat.items() if k.startswith("Tag.")}, "")
        needs = [Need(action, n.resource, region | tags, tells=_SOME_TELLS) for n in needs]
    missing = [kind for kind, required in listed.items() if required and kind not in touched and kind != made]
    if missing or not needs:
        needs.append(Need(action, "*", region, unknown=f"which {missing[0] if missing else 'resource'} ec2:{operation} touches", tells=_SOME_TELLS))
    if "IamInstanceProfile.Arn" in flat or "IamInstanceProfile.Name" in flat:
        needs += _profile(work, flat)
    return needs


def _ids(flat: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, value in flat.items():
        match = _ID.fullmatch(value)
        if match is not None and match[1] in _KINDS and not key.startswith(("Tag.", "TagSpecification.", "Filter.", "ClientToken")):
            ids = found.setdefault(_KINDS[match[1]], [])
            if value not in ids:
                ids.append(value)
    return found


def _made(operation: str, listed: Mapping[str, bool]) -> str:
    if operation in _MADE:
        return _MADE[operation]
    if not _MAKES.match(operation):
        return ""
    noun = re.sub(r"(?<!^)(?=[A-Z])", "-", re.sub(r"^(Create|Allocate|Import|Register|Copy|Request|Purchase|Accept)", "", operation)).lower()
    return next((kind for kind in (noun, noun.rstrip("s")) if kind in listed), "")


def _arn(work: Work, kind: str, name: str) -> str:
    return arn(work, "ec2", f"{kind}/{name}", account="" if kind in _WITHOUT_ACCOUNT else None)


def _request_tags(flat: Mapping[str, str], prefix: str) -> dict[str, Any]:
    keys = {k.removesuffix(".Key"): v for k, v in flat.items() if k.startswith(prefix) and k.endswith(".Key")}
    tags = {key: flat.get(f"{where}.Value", "") for where, key in keys.items()}
    return {**{f"aws:RequestTag/{k}": v for k, v in tags.items()}, **({"aws:TagKeys": list(tags)} if tags else {})}


def _specifications(flat: Mapping[str, str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(kind, aws:RequestTag/… and aws:TagKeys) of each TagSpecification."""
    for key, kind in flat.items():
        if key.startswith("TagSpecification.") and key.endswith(".ResourceType"):
            start = key.removesuffix("ResourceType")
            yield kind, _request_tags({k: v for k, v in flat.items() if k.startswith(start)}, start)


def _tags(flat: Mapping[str, str], made: str) -> dict[str, Any]:
    return next((tags for kind, tags in _specifications(flat) if kind == made), {})


def _tagging(work: Work, operation: str, made: str, tags: Mapping[str, Any]) -> list[Need]:
    """Tags that are set as something is made ask for ec2:CreateTags on it, with ec2:CreateAction."""
    if not tags:
        return []
    context = {"ec2:Region": work.caller.region, "ec2:CreateAction": operation, **tags}
    return [Need("ec2:CreateTags", _arn(work, made, "*"), context, tells=_SOME_TELLS)]


def _profile(work: Work, flat: Mapping[str, str]) -> list[Need]:
    """The role in an instance profile is handed to EC2. A profile that isn't there has no role, and EC2 will say so."""
    name = flat.get("IamInstanceProfile.Name") or flat.get("IamInstanceProfile.Arn", "").rpartition("/")[2]
    for profile in work.account.extra.get("InstanceProfiles", ()):
        if profile["InstanceProfileName"] == name:
            return [n for role in profile.get("Roles", ()) for n in pass_role(work, role["Arn"], "ec2.amazonaws.com")]
    return []


def _run(work: Work, behind: Behind, flat: Mapping[str, str]) -> list[Need]:
    """RunInstances: the image, and the instance, interface and volume that it makes; subnet, groups and key as named or by default."""
    account, region = work.caller.account, work.caller.region
    everywhere = {"ec2:Region": region}
    if any(k.startswith("LaunchTemplate.") for k in flat):
        return [Need("ec2:RunInstances", "*", everywhere, unknown="what the launch template holds", tells=_SOME_TELLS)]
    ids = _ids(flat)
    vpc, subnet, group = behind.default_network(account, region, flat.get("Placement.AvailabilityZone", ""))
    subnets = ids.get("subnet") or ([subnet] if subnet else [])
    named = [v for k, v in flat.items() if re.fullmatch(r"SecurityGroup\.\d+", k)]
    by_name = [behind.security_group(account, region, name) for name in named]
    groups = [*ids.get("security-group", ()), *(g for g in by_name if g)] or ([group] if group else [])
    network = behind.vpc_of_subnet(account, region, subnets[0]) if subnets else vpc
    placed = {**everywhere, **({"ec2:Vpc": _arn(work, "vpc", network)} if network else {})}
    inside = {**placed, **({"ec2:Subnet": _arn(work, "subnet", subnets[0])} if subnets else {})}
    instance = {
        **everywhere, "ec2:InstanceType": flat.get("InstanceType", "m1.small"), "ec2:Tenancy": flat.get("Placement.Tenancy", "default"),
        "ec2:EbsOptimized": flat.get("EbsOptimized", "false"),
    }  # fmt: skip
    for key, name in (
        ("ec2:AvailabilityZone", "Placement.AvailabilityZone"), ("ec2:MetadataHttpTokens", "MetadataOptions.HttpTokens"),
        ("ec2:MetadataHttpEndpoint", "MetadataOptions.HttpEndpoint"), ("ec2:InstanceProfile", "IamInstanceProfile.Arn"),
    ):  # fmt: skip
        if name in flat:
            instance[key] = flat[name]
    told = ("ec2:region", "ec2:vpc", "ec2:subnet", "ec2:islaunchtemplateresource", "ec2:launchtemplate", "ec2:instancemarkettype")
    touched: list[tuple[str, list[str], dict[str, Any]]] = [
        ("instance", ["*"], instance), ("image", ids.get("image", []), {**everywhere, "ec2:ImageID": flat.get("ImageId", "")}),
        ("subnet", subnets, placed), ("network-interface", ids.get("network-interface") or ["*"], inside),
        ("security-group", groups, placed), ("volume", ["*"], dict(everywhere)),
        ("key-pair", [flat["KeyName"]] if flat.get("KeyName") else [], {**everywhere, "ec2:KeyPairName": flat.get("KeyName", "")}),
        ("snapshot", ids.get("snapshot", []), dict(everywhere)),
    ]  # fmt: skip
    specified = dict(_specifications(flat))
    found = []
    for kind, names, context in touched:
        extra = specified.get(kind, {}) if names == ["*"] else {}
        found += [Need("ec2:RunInstances", _arn(work, kind, n), {**context, **extra}, tells=told) for n in names]
    if not ids.get("image"):
        found.append(Need("ec2:RunInstances", "*", everywhere, unknown="which image ec2:RunInstances starts", tells=_SOME_TELLS))
    for kind, tags in specified.items():
        found += _tagging(work, "RunInstances", kind, tags)
    return found + _profile(work, flat)


def made_up_id(parameter: str) -> str:
    """An id such as a parameter of that name would hold (``VpcId`` → ``vpc-…``), or a name where it holds none; for ``sandbox coverage``."""
    noun = re.sub(r"(?<!^)(?=[A-Z])", "-", re.sub(r"Ids?$", "", parameter)).lower()
    if not parameter.endswith(("Id", "Ids")):
        return "x"
    kinds = {"group": "sg", "allocation": "eipalloc", "security-group": "sg"}
    start = kinds.get(noun) or next((s for s, kind in _KINDS.items() if kind == noun or kind.replace("-", "") == noun.replace("-", "")), None)
    return f"{start}-0123456789abcdef0" if start else "x"
