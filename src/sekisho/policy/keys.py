"""What is known of each condition key: its type, whether it holds one value or many, and on which requests it is present (E).

Keys that are not in the table are accepted in policies (A-18) and taken as single-valued strings that may be absent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KeyType = Literal["string", "arn", "bool", "date", "ip", "numeric", "binary"]


@dataclass(frozen=True, slots=True)
class Key:
    """One condition key. ``always``: on every request (C-36, E-01); ``prefix``: the part after ``/`` is free (tags)."""

    name: str
    type: KeyType = "string"
    many: bool = False
    always: bool = False
    prefix: bool = False


_TABLE = (
    Key("aws:CalledVia", many=True),
    Key("aws:CalledViaFirst"),
    Key("aws:CalledViaLast"),
    Key("aws:CurrentTime", "date", always=True),
    Key("aws:EpochTime", "date", always=True),
    Key("aws:FederatedProvider"),
    Key("aws:MultiFactorAuthAge", "numeric"),
    Key("aws:MultiFactorAuthPresent", "bool"),
    Key("aws:PrincipalAccount", always=True),
    Key("aws:PrincipalArn", "arn"),
    Key("aws:PrincipalIsAWSService", "bool"),
    Key("aws:PrincipalOrgID"),
    Key("aws:PrincipalOrgPaths", many=True),
    Key("aws:PrincipalServiceName"),
    Key("aws:PrincipalServiceNamesList", many=True),
    Key("aws:PrincipalTag", prefix=True),
    Key("aws:PrincipalType", always=True),
    Key("aws:Referer"),
    Key("aws:RequestedRegion", always=True),
    Key("aws:RequestTag", prefix=True),
    Key("aws:ResourceAccount", always=True),
    Key("aws:ResourceOrgID"),
    Key("aws:ResourceOrgPaths", many=True),
    Key("aws:ResourceTag", prefix=True),
    Key("aws:SecureTransport", "bool", always=True),
    Key("aws:SourceAccount"),
    Key("aws:SourceArn", "arn"),
    Key("aws:SourceIdentity"),
    Key("aws:SourceIp", "ip"),
    Key("aws:SourceOrgID"),
    Key("aws:SourceOrgPaths", many=True),
    Key("aws:SourceVpc"),
    Key("aws:SourceVpcArn", "arn"),
    Key("aws:SourceVpce"),
    Key("aws:TagKeys", many=True),
    Key("aws:TokenIssueTime", "date"),
    Key("aws:UserAgent", always=True),
    Key("aws:userid", always=True),
    Key("aws:username"),
    Key("aws:ViaAWSService", "bool", always=True),
    Key("aws:VpceAccount"),
    Key("aws:VpceOrgID"),
    Key("aws:VpceOrgPaths", many=True),
    Key("aws:VpcSourceIp", "ip"),
    Key("aws:Ec2InstanceSourceVpc"),
    Key("aws:Ec2InstanceSourcePrivateIPv4", "ip"),
    Key("iam:AWSServiceName"),
    Key("iam:AssociatedResourceArn", "arn"),
    Key("iam:PassedToService"),
    Key("iam:PermissionsBoundary"),
    Key("iam:PolicyARN", "arn"),
    Key("iam:ResourceTag", prefix=True),
    Key("signin:PrincipalArn", "arn"),
    Key("sts:ExternalId"),
    Key("sts:RoleSessionName"),
    Key("sts:SourceIdentity"),
    Key("sts:TransitiveTagKeys", many=True),
    Key("sts:AWSServiceName"),
    Key("sts:DurationSeconds", "numeric"),
    Key("dynamodb:Attributes", many=True),
    Key("dynamodb:LeadingKeys", many=True),
    Key("route53:ChangeResourceRecordSetsActions", many=True),
    Key("route53:ChangeResourceRecordSetsNormalizedRecordNames", many=True),
    Key("route53:ChangeResourceRecordSetsRecordTypes", many=True),
    Key("s3:prefix"),
    Key("s3:TlsVersion", "numeric"),
)

KEYS = {key.name.lower(): key for key in _TABLE}
LOWER = {key.name: name for name, key in KEYS.items()}
"""The usual spelling of a key → lower case: looking it up is quicker than making it, and gives one object, which is found quicker again."""
MANY = frozenset(name for name, key in KEYS.items() if key.many)


def key_of(name: str) -> Key:
    """What is known of the key ``name``, in any letter case (C-03); an unknown key is a single string that may be absent.

    >>> key_of("aws:principaltag/Team").name
    'aws:PrincipalTag'
    """
    lower = name.lower()
    found = KEYS.get(lower)
    if found is None and "/" in lower:
        found = KEYS.get(lower.partition("/")[0])
        if found is not None and not found.prefix:
            found = None
    return found or Key(name)


def spelled(name: str) -> str:
    """The key as AWS spells it: ``aws:sourceip`` → ``aws:SourceIp``; a tag's own part stays as it is."""
    head, slash, tail = name.partition("/")
    known = KEYS.get(name.lower()) or KEYS.get(head.lower())
    if known is None:
        return name
    return known.name + slash + tail if known.prefix else known.name
