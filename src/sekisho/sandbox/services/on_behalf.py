"""What a service calls on with its caller's credentials (forward access sessions, E-12): keys of KMS, code in S3, a network, a query's tables.

Each need has ``via``: the context then has aws:ViaAWSService, and aws:CalledVia where the service gives it. CloudFormation's are in its own file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from sekisho.sandbox.behind import Behind
from sekisho.sandbox.operation import Need, Work
from sekisho.sandbox.services import kms
from sekisho.sandbox.services.asking import arn
from sekisho.sandbox.services.sqs import queue_arn

_WRITES, _READS = ("GenerateDataKey", "Decrypt"), ("Decrypt",)
_KMS_TELLS = ("kms:encryptioncontext", "kms:viaservice", "kms:calleraccount", "kms:requestalias", "kms:recipientattestation", "kms:grant")


def on_behalf(work: Work, behind: Behind) -> list[Need]:
    """What the called service will call on for the caller. Raises AwsFault for a key that can't be."""
    rule = _RULES.get(work.call.service)
    return rule(work, behind) if rule is not None else []


def _key(
    work: Work, behind: Behind, name: Any, actions: tuple[str, ...], context: Mapping[str, str] | None = None, owner: str = ""
) -> list[Need]:
    """Leave to use a key through the called service; a key of AWS's own is open to whoever may use the service."""
    named = str(name or "")
    if not named or "alias/aws/" in named:
        return []
    if owner and not named.startswith("arn:"):
        named = arn(work, "kms", named if named.startswith("alias/") else f"key/{named}", account=owner)
    key, alias = kms.key_named(work, behind, named)
    service = work.call.service
    found: dict[str, Any] = {"kms:CallerAccount": work.caller.account, "kms:ViaService": f"{service}.{work.caller.region}.amazonaws.com"}
    if context:
        found |= {f"kms:EncryptionContext:{k}": v for k, v in context.items()} | {"kms:EncryptionContextKeys": list(context)}
    if alias:
        found["kms:RequestAlias"] = alias
    return [Need(f"kms:{action}", key, found, tells=_KMS_TELLS, via=(f"{service}.amazonaws.com",)) for action in actions]


def _s3(work: Work, behind: Behind) -> list[Need]:
    params, operation = work.params, work.call.operation
    bucket, key, source = str(params.get("Bucket", "")), str(params.get("Key", "")), str(params.get("CopySource", ""))
    found: list[Need] = []
    if operation in ("GetObject", "GetObjectAttributes", "UploadPart"):
        found += _object(work, behind, bucket, key)
    if operation in ("CopyObject", "UploadPartCopy"):
        of, _, part = source.partition("?")[0].lstrip("/").partition("/")
        found += _object(work, behind, of, part)
    if operation in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        owner = behind.owner_of_bucket(bucket)
        given = params.get("ServerSideEncryption")
        default = behind.encrypted_with("s3", owner, "aws", bucket) if owner and given is None else ""
        # Parts of an upload are put together under the key that they were encrypted with.
        actions = _WRITES if operation == "CreateMultipartUpload" else ("GenerateDataKey",)
        name = default or (params.get("SSEKMSKeyId") if str(given).startswith("aws:kms") else "")
        found += _key(work, behind, name, actions, {"aws:s3:arn": f"arn:aws:s3:::{bucket}/{key}"}, owner if default else "")
    return found


def _object(work: Work, behind: Behind, bucket: str, key: str) -> list[Need]:
    owner = behind.owner_of_bucket(bucket)
    name = behind.encrypted_with("s3", owner, "aws", bucket, key) if owner and key else ""
    return _key(work, behind, name, _READS, {"aws:s3:arn": f"arn:aws:s3:::{bucket}/{key}"}, owner)


def _sqs(work: Work, behind: Behind) -> list[Need]:
    actions = {"SendMessage": _WRITES, "SendMessageBatch": _WRITES, "ReceiveMessage": _READS}.get(work.call.operation)
    if actions is None or "QueueUrl" not in work.params:
        return []
    queue = queue_arn(work, str(work.params["QueueUrl"]))
    _, _, _, region, owner, name = queue.split(":", 5)
    return _key(work, behind, behind.encrypted_with("sqs", owner, region, name), actions, {"aws:sqs:arn": queue}, owner)


def _sns(work: Work, behind: Behind) -> list[Need]:
    topic = str(work.params.get("TopicArn") or work.params.get("TargetArn") or "")
    if work.call.operation not in ("Publish", "PublishBatch") or topic.count(":") != 5:
        return []
    owner = topic.split(":")[4]
    return _key(work, behind, behind.encrypted_with("sns", owner, work.caller.region, topic), _WRITES, {"aws:sns:topicArn": topic}, owner)


def _secretsmanager(work: Work, behind: Behind) -> list[Need]:
    params, operation = work.params, work.call.operation
    actions = {"CreateSecret": _WRITES, "PutSecretValue": _WRITES, "UpdateSecret": _WRITES, "GetSecretValue": _READS}.get(operation)
    found: list[Need] = []
    if actions is not None:
        name = str(params.get("SecretId", ""))
        owner = name.split(":")[4] if name.startswith("arn:") else work.caller.account
        there = behind.encrypted_with("secretsmanager", owner, work.caller.region, name) if name else ""
        found += _key(work, behind, params.get("KmsKeyId") or there, actions, owner="" if params.get("KmsKeyId") else owner)
    if operation == "RotateSecret" and params.get("RotationLambdaARN"):
        found.append(Need("lambda:InvokeFunction", str(params["RotationLambdaARN"]), via=("secretsmanager.amazonaws.com",)))
    return found


def _ssm(work: Work, behind: Behind) -> list[Need]:
    params, account, region = work.params, work.caller.account, work.caller.region
    if work.call.operation == "PutParameter" and params.get("Type") == "SecureString":
        name = str(params.get("Name", ""))
        return _key(work, behind, params.get("KeyId"), ("Encrypt",), {"PARAMETER_ARN": arn(work, "ssm", f"parameter/{name.strip('/')}")})
    if not params.get("WithDecryption"):
        return []
    found: list[Need] = []
    for name in params.get("Names") or [params.get("Name")]:
        plain = str(name or "").partition(":")[0]
        context = {"PARAMETER_ARN": arn(work, "ssm", f"parameter/{plain.strip('/')}")}
        found += _key(work, behind, behind.encrypted_with("ssm", account, region, plain), _READS, context)
    return found


def _dynamodb(work: Work, behind: Behind) -> list[Need]:
    encryption = work.params.get("SSESpecification")
    if work.call.operation not in ("CreateTable", "UpdateTable") or not isinstance(encryption, Mapping):
        return []
    return _key(work, behind, encryption.get("KMSMasterKeyId"), ("DescribeKey", "CreateGrant"))


def _lambda(work: Work, behind: Behind) -> list[Need]:
    params = work.params
    if work.call.operation not in ("CreateFunction", "UpdateFunctionCode", "UpdateFunctionConfiguration"):
        return []
    via = ("lambda.amazonaws.com",)
    given = params.get("Code")
    code: Mapping[str, Any] = given if isinstance(given, Mapping) else params
    found: list[Need] = []
    if code.get("S3Bucket") and code.get("S3Key"):
        action = "s3:GetObjectVersion" if code.get("S3ObjectVersion") else "s3:GetObject"
        owner = behind.owner_of_bucket(str(code["S3Bucket"]))
        found.append(Need(action, f"arn:aws:s3:::{code['S3Bucket']}/{code['S3Key']}", owner=owner, via=via))
    image = re.fullmatch(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com/([^:@]+)([:@].*)?", str(code.get("ImageUri", "")))
    if image is not None:
        repository = f"arn:aws:ecr:{image[2]}:{image[1]}:repository/{image[3]}"
        found += [Need(f"ecr:{action}", repository, via=via) for action in ("BatchGetImage", "GetDownloadUrlForLayer")]
    network = params.get("VpcConfig")
    if isinstance(network, Mapping) and network.get("SubnetIds"):
        found += [Need(f"ec2:{action}", via=via) for action in ("DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs")]
    return found + _key(work, behind, params.get("KMSKeyArn"), ("CreateGrant", "Encrypt"))


_WITH_TABLES = re.compile(r"\b(from|join|into|table|view|describe|show|msck)\b", re.IGNORECASE)


def _athena(work: Work, behind: Behind) -> list[Need]:
    """A query's results, and the database that it is asked in; which tables a query reads is in its text alone."""
    params = work.params
    if work.call.operation != "StartQueryExecution":
        return []
    via = ("athena.amazonaws.com",)
    found: list[Need] = []
    where = params.get("ResultConfiguration")
    place = urlsplit(str(where.get("OutputLocation", "")) if isinstance(where, Mapping) else "")
    if place.scheme == "s3" and place.netloc:
        owner, bucket = behind.owner_of_bucket(place.netloc), f"arn:aws:s3:::{place.netloc}"
        prefix = place.path.strip("/")
        found += [Need("s3:GetBucketLocation", bucket, owner=owner, via=via),
                  Need("s3:PutObject", f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*", owner=owner, via=via)]  # fmt: skip
    context = params.get("QueryExecutionContext")
    database = str(context.get("Database", "")) if isinstance(context, Mapping) else ""
    if database:
        found += [Need("glue:GetDatabase", arn(work, "glue", kind), via=via) for kind in ("catalog", f"database/{database}")]
    if _WITH_TABLES.search(str(params.get("QueryString", ""))):
        found.append(Need("glue:GetTable", unknown="which tables the query reads", via=via))
        found.append(Need("s3:GetObject", unknown="where the tables that the query reads have their data", via=via))
    return found


_RULES: Mapping[str, Callable[[Work, Behind], list[Need]]] = {
    "athena": _athena, "dynamodb": _dynamodb, "lambda": _lambda, "s3": _s3, "secretsmanager": _secretsmanager, "sns": _sns, "sqs": _sqs,
    "ssm": _ssm,
}  # fmt: skip
