"""S3: buckets have no account in their ARN, one operation can touch many keys, and a copy reads one object and writes another."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from sekisho.policy.actions import action_reference, actions_of
from sekisho.sandbox.behind import Behind
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services.asking import tags_of

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")

_OBJECT: Mapping[str, tuple[str, ...]] = {
    "GetObject": ("GetObject",), "HeadObject": ("GetObject",), "SelectObjectContent": ("GetObject",), "GetObjectTorrent": ("GetObjectTorrent",),
    "GetObjectAttributes": ("GetObject", "GetObjectAttributes"), "GetObjectAcl": ("GetObjectAcl",), "PutObjectAcl": ("PutObjectAcl",),
    "GetObjectTagging": ("GetObjectTagging",), "PutObjectTagging": ("PutObjectTagging",), "DeleteObjectTagging": ("DeleteObjectTagging",),
    "DeleteObject": ("DeleteObject",), "PutObject": ("PutObject",), "CreateMultipartUpload": ("PutObject",), "UploadPart": ("PutObject",),
    "CompleteMultipartUpload": ("PutObject",), "AbortMultipartUpload": ("AbortMultipartUpload",), "ListParts": ("ListMultipartUploadParts",),
    "RestoreObject": ("RestoreObject",), "GetObjectRetention": ("GetObjectRetention",), "PutObjectRetention": ("PutObjectRetention",),
    "GetObjectLegalHold": ("GetObjectLegalHold",), "PutObjectLegalHold": ("PutObjectLegalHold",), "CopyObject": ("PutObject",),
    "UploadPartCopy": ("PutObject",),
}  # fmt: skip
"""What each operation on an object asks for on it."""
_VERSIONED = frozenset(
    ("GetObject", "GetObjectAttributes", "GetObjectAcl", "PutObjectAcl", "GetObjectTagging", "PutObjectTagging", "DeleteObjectTagging",
     "DeleteObject")
)  # fmt: skip
"""Actions whose name differs where a version is named: ``GetObjectVersion``, ``GetObjectVersionTagging``."""
_LISTS = {
    "ListObjects": "ListBucket", "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket", "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads", "GetBucketLocation": "GetBucketLocation",
}  # fmt: skip
_FROM_PARAMETERS = {
    "Prefix": "s3:prefix", "Delimiter": "s3:delimiter", "MaxKeys": "s3:max-keys", "ACL": "s3:x-amz-acl", "VersionId": "s3:VersionId",
    "ServerSideEncryption": "s3:x-amz-server-side-encryption", "SSEKMSKeyId": "s3:x-amz-server-side-encryption-aws-kms-key-id",
    "SSECustomerAlgorithm": "s3:x-amz-server-side-encryption-customer-algorithm", "StorageClass": "s3:x-amz-storage-class",
    "CopySource": "s3:x-amz-copy-source", "MetadataDirective": "s3:x-amz-metadata-directive", "GrantRead": "s3:x-amz-grant-read",
    "GrantWrite": "s3:x-amz-grant-write", "GrantReadACP": "s3:x-amz-grant-read-acp", "GrantWriteACP": "s3:x-amz-grant-write-acp",
    "GrantFullControl": "s3:x-amz-grant-full-control", "ObjectOwnership": "s3:x-amz-object-ownership", "IfNoneMatch": "s3:if-none-match",
    "IfMatch": "s3:if-match", "WebsiteRedirectLocation": "s3:x-amz-website-redirect-location", "ObjectLockMode": "s3:object-lock-mode",
    "ObjectLockLegalHoldStatus": "s3:object-lock-legal-hold", "ObjectLockRetainUntilDate": "s3:object-lock-retain-until-date",
}  # fmt: skip
"""Condition keys that are a header or a part of the query, and that a request without it doesn't have."""
_TELLS = (
    *(key.lower() for key in _FROM_PARAMETERS.values()), "s3:authtype", "s3:signatureversion", "s3:resourceaccount", "s3:requestobjecttag",
    "s3:existingobjecttag/", "s3:buckettag/", "aws:resourcetag/", "s3:accessgrantsinstancearn", "s3:dataaccesspoint", "s3:accesspoint",
)  # fmt: skip


def needs(work: Work, behind: Behind) -> list[Need] | None:
    """The leave that a call of S3 asks for; None for one that isn't about buckets or objects."""
    params, operation = work.params, work.call.operation
    if operation == "ListBuckets":
        return [Need("s3:ListAllMyBuckets", "arn:aws:s3:::*", _context(work, ""), tells=_TELLS)]
    if "Bucket" not in params:
        return None
    bucket = _checked(str(params["Bucket"]))
    owner = behind.owner_of_bucket(bucket)
    context = _context(work, owner)
    if operation == "DeleteObjects":
        return _deletes(work, bucket, owner, context)
    if operation in _OBJECT:
        key = str(params.get("Key", ""))
        context |= _existing(behind, owner, bucket, key, params.get("VersionId"))
        wanted = [_of_version(a, params.get("VersionId")) for a in (*_OBJECT[operation], *_beside(params, operation))]
        found = [Need(f"s3:{a}", f"arn:aws:s3:::{bucket}/{key}", context, owner, tells=_TELLS) for a in wanted]
        return found + (_source(work, behind) if operation in ("CopyObject", "UploadPartCopy") else [])
    if operation in _LISTS:
        return [Need(f"s3:{_LISTS[operation]}", f"arn:aws:s3:::{bucket}", context, owner, tells=_TELLS)]
    actions = [f"s3:{a}" for a in ("CreateBucket", *_with_a_bucket(params))] if operation == "CreateBucket" else actions_of("s3", operation)
    if not actions or any(not _is_of_a_bucket(action) for action in actions):
        return None
    return [Need(action, f"arn:aws:s3:::{bucket}", context, owner, tells=_TELLS) for action in actions]


def _checked(bucket: str) -> str:
    # What isn't a bucket's name would read as a bucket and a key to one and as a bucket to the other.
    if not _BUCKET.fullmatch(bucket):
        raise AwsFault("InvalidBucketName", "The specified bucket is not valid.", 400)
    return bucket


def _is_of_a_bucket(action: str) -> bool:
    known = action_reference("s3")[0].get(action.partition(":")[2].lower(), {})
    return "bucket" in {entry["name"] for entry in known.get("resourceTypes") or ()}


def _of_version(action: str, version: Any) -> str:
    if not version or action not in _VERSIONED:
        return action
    for end in ("Tagging", "Acl", "Attributes"):
        if action.endswith(end):
            return action.removesuffix(end) + "Version" + end
    return action + "Version"


def _beside(params: Mapping[str, Any], operation: str) -> list[str]:
    """What headers of a call that writes an object ask for beside it."""
    found = []
    if operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        if any(k in params for k in ("ACL", "GrantRead", "GrantWrite", "GrantReadACP", "GrantWriteACP", "GrantFullControl")):
            found.append("PutObjectAcl")
        if params.get("Tagging"):
            found.append("PutObjectTagging")
        if "ObjectLockMode" in params or "ObjectLockRetainUntilDate" in params:
            found.append("PutObjectRetention")
        if "ObjectLockLegalHoldStatus" in params:
            found.append("PutObjectLegalHold")
    if str(params.get("BypassGovernanceRetention", "")).lower() == "true":
        found.append("BypassGovernanceRetention")
    return found


def _with_a_bucket(params: Mapping[str, Any]) -> list[str]:
    found = []
    if any(k in params for k in ("ACL", "GrantRead", "GrantWrite", "GrantReadACP", "GrantWriteACP", "GrantFullControl")):
        found.append("PutBucketAcl")
    if str(params.get("ObjectLockEnabledForBucket", "")).lower() == "true":
        found += ["PutBucketObjectLockConfiguration", "PutBucketVersioning"]
    if "ObjectOwnership" in params:
        found.append("PutBucketOwnershipControls")
    return found


def _context(work: Work, owner: str) -> dict[str, Any]:
    params = work.params
    context: dict[str, Any] = {key: str(params[name]) for name, key in _FROM_PARAMETERS.items() if name in params}
    if work.caller.kind is not None:
        context["s3:authType"] = "REST-QUERY-STRING" if work.call.presigned else "REST-HEADER"
        context["s3:signatureversion"] = "AWS4-HMAC-SHA256"
    if owner:
        context["s3:ResourceAccount"] = owner
    given = params.get("Tagging")
    tags = dict(parse_qsl(given, keep_blank_values=True)) if isinstance(given, str) else tags_of(given or {})
    if tags and work.call.operation == "PutBucketTagging":
        context |= {f"aws:RequestTag/{k}": v for k, v in tags.items()} | {"aws:TagKeys": list(tags)}
    elif tags:
        context |= {f"s3:RequestObjectTag/{k}": v for k, v in tags.items()} | {"s3:RequestObjectTagKeys": list(tags)}
    return context


def _existing(behind: Behind, owner: str, bucket: str, key: str, version: Any) -> dict[str, str]:
    if not owner:
        return {}
    tags = behind.object_tags(owner, bucket, key, str(version) if version else None)
    return {f"s3:ExistingObjectTag/{k}": v for k, v in tags.items()}


def _deletes(work: Work, bucket: str, owner: str, context: dict[str, Any]) -> list[Need]:
    # AWS answers for each key; here one that may not be deleted refuses the call, and none is.
    found = []
    for entry in work.params["Delete"].get("Objects", ()):
        version = entry.get("VersionId")
        more = {**context, "s3:VersionId": str(version)} if version else context
        found.append(Need(f"s3:{_of_version('DeleteObject', version)}", f"arn:aws:s3:::{bucket}/{entry.get('Key', '')}", more, owner, tells=_TELLS))
    if not found:
        raise AwsFault("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema", 400)
    beside = _beside(work.params, "DeleteObjects")
    return found + [Need(f"s3:{a}", f"arn:aws:s3:::{bucket}/*", context, owner, tells=_TELLS) for a in beside]


def _source(work: Work, behind: Behind) -> list[Need]:
    """Leave to read what a copy reads, from ``bucket/key?versionId=…`` as the client wrote it; its tags go along. Raises AwsFault."""
    given = str(work.params.get("CopySource", ""))
    text, _, query = given.partition("?")
    bucket, slash, key = unquote(text).lstrip("/").partition("/")
    version = dict(parse_qsl(query)).get("versionId")
    if bucket.startswith("arn:") or not slash or not key:
        raise AwsFault("InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", 400)
    owner = behind.owner_of_bucket(_checked(bucket))
    tags = _existing(behind, owner, bucket, key, version)
    context = {**_context(work, owner), **tags}
    source = f"arn:aws:s3:::{bucket}/{key}"
    found = [Need(f"s3:{_of_version('GetObject', version)}", source, context, owner, tells=_TELLS)]
    if tags and work.call.operation == "CopyObject" and str(work.params.get("TaggingDirective", "COPY")).upper() == "COPY":
        target = f"arn:aws:s3:::{work.params['Bucket']}/{work.params.get('Key', '')}"
        theirs = behind.owner_of_bucket(str(work.params["Bucket"]))
        written = {f"s3:RequestObjectTag/{k.partition('/')[2]}": v for k, v in tags.items()}
        found.append(Need(f"s3:{_of_version('GetObjectTagging', version)}", source, context, owner, tells=_TELLS))
        found.append(Need("s3:PutObjectTagging", target, {**_context(work, theirs), **written}, theirs, tells=_TELLS))
    return found
