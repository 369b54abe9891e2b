"""What services do for their callers: with the caller's credentials (E-12, both readings), as a role that was handed over (E-13), and the records."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import boto3
import pytest

from sekisho.policy import Settings
from sekisho.sandbox.identity import SERVICE_IP
from sekisho.sandbox.server import serve

from .people import OFFICE, ONCE, J, Person, Sandbox, T, refused
from .test_services import code_zip

CFN = "cloudformation.amazonaws.com"
ENDPOINT = "via/vpce-0a1b"
FORMATION = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}
QUEUES = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
OUTSIDE: dict[str, Any] = {"Effect": "Deny", "Action": "sqs:*", "Resource": "*", "Condition": {"NotIpAddress": {"aws:SourceIp": ["203.0.113.0/24"]}}}
GUARDED = {**OUTSIDE, "Condition": {**OUTSIDE["Condition"], "Bool": {"aws:ViaAWSService": "false"}}}
TEMPLATE: dict[str, Any] = {"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "made"}}}}


@pytest.fixture(scope="module")
def aws() -> Iterator[Sandbox]:
    with serve([J, T], port=0) as server:
        yield Sandbox(server)


@pytest.fixture(scope="module")
def person(aws: Sandbox) -> Person:
    return aws.user("worker")


@pytest.fixture(autouse=True)
def _usual_reading(aws: Sandbox) -> Iterator[None]:
    yield
    aws.server.aws.store.read_as(Settings())


def leave(person: Person, *statements: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    person.sandbox.client("iam").put_user_policy(UserName=person.name, PolicyName="leave", PolicyDocument=document)


def at(person: Person, service: str, where: str = f"from/{OFFICE}") -> Any:
    key = person.key
    return boto3.client(service, region_name="us-east-1", endpoint_url=f"{person.sandbox.endpoint}/{where}", config=ONCE,
                        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])  # fmt: skip


def make_and_remove(client: Any, template: Any = TEMPLATE, **more: Any) -> None:
    client.create_stack(StackName="s", TemplateBody=json.dumps(template), **more)
    client.delete_stack(StackName="s", **more)


READINGS: tuple[Literal["original", "service"], ...] = ("original", "service")
ROWS: dict[str, tuple[str, dict[str, Any], list[bool]]] = {
    "without the guard": (f"from/{OFFICE}", OUTSIDE, [True, False]),
    "with the guard": (f"from/{OFFICE}", GUARDED, [True, True]),
    "from outside, with the guard": ("from/192.0.2.44", GUARDED, [True, True]),
    "from an endpoint without the guard": (ENDPOINT, OUTSIDE, [False, False]),
    "from an endpoint with the guard": (ENDPOINT, GUARDED, [True, True]),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=[f"E-12 {name}" for name in ROWS])
def test_a_deny_of_other_networks_and_a_stack(aws: Sandbox, person: Person, row: tuple[str, dict[str, Any], list[bool]]) -> None:
    where, deny, answers = row
    leave(person, FORMATION, QUEUES, deny)
    for reading, allowed in zip(READINGS, answers, strict=True):
        aws.server.aws.store.read_as(Settings(fas_source_ip=reading))
        if allowed:
            make_and_remove(at(person, "cloudformation", where))
        else:
            create = at(person, "cloudformation", where).create_stack
            assert refused(create, StackName="s", TemplateBody=json.dumps(TEMPLATE)) == (
                "AccessDenied", f"User: {person.arn} is not authorized to perform: sqs:CreateQueue on resource: arn:aws:sqs:us-east-1:{J}:made "
                "with an explicit deny in an identity-based policy", 403)  # fmt: skip


def test_E_12_what_goes_along(aws: Sandbox, person: Person) -> None:
    """aws:CalledVia, MFA (false for a long-term key), and no key of a VPC endpoint; the address as the reading has it."""
    common = {"StringEquals": {"aws:CalledViaFirst": CFN, "aws:CalledViaLast": CFN}, "ForAllValues:StringEquals": {"aws:CalledVia": CFN},
              "Bool": {"aws:ViaAWSService": "true", "aws:MultiFactorAuthPresent": "false"},
              "Null": {"aws:SourceVpce": "true", "aws:SourceVpc": "true", "aws:VpcSourceIp": "true"}}  # fmt: skip
    for reading, address in zip(READINGS, (OFFICE, SERVICE_IP), strict=True):
        aws.server.aws.store.read_as(Settings(fas_source_ip=reading))
        leave(person, FORMATION, {**QUEUES, "Condition": {**common, "IpAddress": {"aws:SourceIp": address}}})
        make_and_remove(at(person, "cloudformation"))
        # The same statement doesn't let the direct call in.
        assert refused(at(person, "sqs").create_queue, QueueName="direct")[0] == "AccessDeniedException"
    leave(person, FORMATION, {**QUEUES, "Condition": common})
    make_and_remove(at(person, "cloudformation", ENDPOINT))


def test_E_13_a_stack_as_a_role(aws: Sandbox, person: Person) -> None:
    """With a service role the role is asked, the user's own Deny counts for nothing, and the record is the role's."""
    service = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": CFN}, "Action": "sts:AssumeRole"}]}
    direct = {"Bool": {"aws:ViaAWSService": "false"}, "Null": {"aws:CalledVia": "true"}}
    role = aws.role(service, name="stacks", account=J, policy={"Version": "2012-10-17", "Statement": [{**QUEUES, "Condition": direct}]})
    hand = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role, "Condition": {"StringEquals": {"iam:PassedToService": CFN}}}
    leave(person, FORMATION, hand, {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"})
    make_and_remove(at(person, "cloudformation"), RoleARN=role)
    leave(person, FORMATION)
    create = at(person, "cloudformation").create_stack
    assert "perform: iam:PassRole" in refused(create, StackName="s", TemplateBody=json.dumps(TEMPLATE), RoleARN=role)[1]
    record = next(e for e in aws.events(name="CreateQueue") if e["userIdentity"]["type"] == "AssumedRole")
    assert record["userIdentity"]["arn"] == f"arn:aws:sts::{J}:assumed-role/stacks/AWSCloudFormation"
    assert record["userIdentity"]["sessionContext"]["sessionIssuer"]["arn"] == role


def test_G_07_the_records(aws: Sandbox, person: Person) -> None:
    """Each call of the stack has a record of its own: the user's, invoked by CloudFormation and from there; a refused one too."""
    leave(person, FORMATION, QUEUES)
    make_and_remove(at(person, "cloudformation"))
    leave(person, FORMATION, {**QUEUES, "Effect": "Deny"})
    event = refused(at(person, "cloudformation").create_stack, StackName="s", TemplateBody=json.dumps(TEMPLATE))
    refusal, made = aws.events(name="CreateQueue")[:2]
    for record in (refusal, made):
        assert (record["sourceIPAddress"], record["userAgent"], record["userIdentity"]["invokedBy"]) == (CFN, CFN, CFN)
        assert record["userIdentity"]["arn"] == person.arn and record["eventSource"] == "sqs.amazonaws.com"
        assert record["resources"][0]["ARN"] == f"arn:aws:sqs:us-east-1:{J}:made"
    assert refusal["errorCode"] == "AccessDenied" and refusal["errorMessage"] == event[1] and "errorCode" not in made
    assert aws.events(name="CreateStack")[0]["sourceIPAddress"] == OFFICE


def test_a_template_hands_a_role_over_only_with_leave(aws: Sandbox, person: Person) -> None:
    role = aws.role({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole"}]}, name="admin-fn", account=J)  # fmt: skip
    function = {"FunctionName": {"Fn::Sub": "${AWS::StackName}-fn"}, "Runtime": "python3.12", "Handler": "f.handler", "Code": {"ZipFile": "x = 1"}}
    template = {"Parameters": {"R": {"Type": "String", "Default": role}},
                "Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {**function, "Role": {"Ref": "R"}}}}}  # fmt: skip
    own = {"Effect": "Allow", "Action": "lambda:*", "Resource": f"arn:aws:lambda:us-east-1:{J}:function:s-fn"}
    leave(person, FORMATION, own)
    create = at(person, "cloudformation").create_stack
    assert f"perform: iam:PassRole on resource: {role}" in refused(create, StackName="s", TemplateBody=json.dumps(template))[1]
    leave(person, FORMATION, own, {"Effect": "Allow", "Action": "iam:PassRole", "Resource": role,
                                   "Condition": {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}})  # fmt: skip
    # A role that the template only points at isn't known, and the statement names one.
    pointed = json.dumps({"Resources": {"F": {"Type": "AWS::Lambda::Function", "Properties": {**function, "Role": {"Fn::GetAtt": ["X", "Arn"]}}}}})
    assert "can't tell which role the stack hands over" in refused(create, StackName="s", TemplateBody=pointed)[1]
    make_and_remove(at(person, "cloudformation"), template)
    nested = {"Resources": {"N": {"Type": "AWS::CloudFormation::Stack", "Properties": {"TemplateURL": "https://x/t.json"}}}}
    assert "AWS::CloudFormation::Stack" in refused(create, StackName="s", TemplateBody=json.dumps(nested))[1]


def key_of(aws: Sandbox, statements: list[dict[str, Any]] | None = None) -> str:
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    more: dict[str, Any] = {"Policy": policy, "BypassPolicyLockoutSafetyCheck": True} if statements else {}
    arn: str = aws.client("kms").create_key(**more)["KeyMetadata"]["Arn"]
    return arn


def test_E_12_keys_of_KMS(aws: Sandbox, person: Person) -> None:
    """S3, SQS, SNS, Secrets Manager and Parameter Store use the caller's leave on a key: through them, never directly."""
    key, root = key_of(aws), aws.client
    root("s3").create_bucket(Bucket="coded")
    root("s3").put_object(Bucket="coded", Key="old", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    queue = root("sqs").create_queue(QueueName="coded", Attributes={"KmsMasterKeyId": key})["QueueUrl"]
    topic = root("sns").create_topic(Name="coded", Attributes={"KmsMasterKeyId": key})["TopicArn"]
    root("secretsmanager").create_secret(Name="coded", SecretString="s", KmsKeyId=key)
    root("ssm").put_parameter(Name="/coded", Value="v", Type="SecureString", KeyId=key)
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "s3:PutObject": ("s3", "put_object", {"Bucket": "coded", "Key": "new", "ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}),
        "s3:GetObject": ("s3", "get_object", {"Bucket": "coded", "Key": "old"}),
        "sqs:SendMessage": ("sqs", "send_message", {"QueueUrl": queue, "MessageBody": "m"}),
        "sqs:ReceiveMessage": ("sqs", "receive_message", {"QueueUrl": queue}),
        "sns:Publish": ("sns", "publish", {"TopicArn": topic, "Message": "m"}),
        "secretsmanager:GetSecretValue": ("secretsmanager", "get_secret_value", {"SecretId": "coded"}),
        "ssm:GetParameter": ("ssm", "get_parameter", {"Name": "/coded", "WithDecryption": True}),
    }
    for action, (service, operation, params) in calls.items():
        mine = {"Effect": "Allow", "Action": f"{service}:*", "Resource": "*"}
        use = {"Effect": "Allow", "Action": "kms:*", "Resource": key,
               "Condition": {"Bool": {"aws:ViaAWSService": "true"}, "IpAddress": {"aws:SourceIp": OFFICE},
                             "StringEquals": {"kms:ViaService": f"{service}.us-east-1.amazonaws.com"}}}  # fmt: skip
        leave(person, mine)
        call = getattr(at(person, service), operation)
        assert "perform: kms:" in refused(call, **params)[1], action
        leave(person, mine, use)
        call(**params)
        assert "AccessDenied" in refused(at(person, "kms").generate_data_key, KeyId=key, KeySpec="AES_256")[0]
    record = aws.events(name="GenerateDataKey")[-1]
    assert record["userIdentity"]["invokedBy"] in ("sns.amazonaws.com", "sqs.amazonaws.com", "AWS Internal")
    # A bucket's own default key counts as well.
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    root("s3").put_bucket_encryption(Bucket="coded", ServerSideEncryptionConfiguration={"Rules": [rule]})
    leave(person, {"Effect": "Allow", "Action": "s3:*", "Resource": "*"})
    assert "perform: kms:GenerateDataKey" in refused(at(person, "s3").put_object, Bucket="coded", Key="by-default", Body=b"x")[1]


def test_E_12_lambda_and_athena(aws: Sandbox, person: Person) -> None:
    aws.client("s3").create_bucket(Bucket="code-and-results")
    aws.client("s3").put_object(Bucket="code-and-results", Key="f.zip", Body=code_zip())
    role = aws.role({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole"}]}, name="fn", account=J)  # fmt: skip
    subnet = aws.client("ec2").describe_subnets()["Subnets"][0]["SubnetId"]
    create = {"FunctionName": "fn", "Runtime": "python3.12", "Role": role, "Handler": "f.handler",
              "Code": {"S3Bucket": "code-and-results", "S3Key": "f.zip"}, "VpcConfig": {"SubnetIds": [subnet], "SecurityGroupIds": []}}  # fmt: skip
    through = {"Bool": {"aws:ViaAWSService": "true"}}
    own = [{"Effect": "Allow", "Action": ["lambda:*", "athena:*", "iam:PassRole"], "Resource": "*"}]
    code = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::code-and-results/f.zip", "Condition": through}
    network = {"Effect": "Allow", "Action": ["ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"], "Resource": "*"}
    for statements, action in (([], "s3:GetObject"), ([code], "ec2:DescribeSecurityGroups")):
        leave(person, *own, *statements)
        assert f"perform: {action}" in refused(at(person, "lambda").create_function, **create)[1]
    leave(person, *own, code, network)
    at(person, "lambda").create_function(**create)
    query = {"QueryString": "SELECT 1", "ResultConfiguration": {"OutputLocation": "s3://code-and-results/out/"}}
    athena = {"ForAnyValue:StringEquals": {"aws:CalledVia": "athena.amazonaws.com"}}
    assert "perform: s3:GetBucketLocation" in refused(at(person, "athena").start_query_execution, **query)[1]
    leave(person, *own, {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "Condition": athena})
    at(person, "athena").start_query_execution(**query)
    table = {**query, "QueryString": "SELECT * FROM t", "QueryExecutionContext": {"Database": "d"}}
    assert "perform: glue:GetDatabase" in refused(at(person, "athena").start_query_execution, **table)[1]


def test_a_keys_own_policy_is_asked_in_its_account_too(aws: Sandbox, person: Person) -> None:
    """Identity policies open a key only where its policy leaves that to the account."""
    admin = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{J}:role/admin-fn"}, "Action": "kms:*", "Resource": "*"}
    named = {"Effect": "Allow", "Principal": {"AWS": person.arn}, "Action": "kms:Encrypt", "Resource": "*"}
    locked = json.dumps({"Version": "2012-10-17", "Statement": [named]})
    assert "will not allow you to update the key policy" in refused(aws.client("kms").create_key, Policy=locked)[1]
    others, mine, usual = key_of(aws, [admin]), key_of(aws, [admin, named]), key_of(aws)
    leave(person, {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    encrypt = at(person, "kms").encrypt
    encrypt(KeyId=usual, Plaintext=b"x")
    assert refused(encrypt, KeyId=others, Plaintext=b"x") == (
        "AccessDeniedException", f"User: {person.arn} is not authorized to perform: kms:Encrypt on resource: {others} "
        "because no resource-based policy allows the kms:Encrypt action", 400)  # fmt: skip
    leave(person, {"Effect": "Allow", "Action": "x:y", "Resource": "*"})
    encrypt(KeyId=mine, Plaintext=b"x")
    assert "because no identity-based policy allows" in refused(encrypt, KeyId=usual, Plaintext=b"x")[1]
