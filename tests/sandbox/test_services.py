"""Forty operations of thirteen services through boto3: allowed with exactly the leave that AWS asks for, and refused without any part of it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sekisho import Request, decide
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Server, serve

from .people import J, Person, Sandbox, T, refused, trust

R = "us-east-1"


def arn(service: str, rest: str, region: str = R, account: str = J) -> str:
    return f"arn:aws:{service}:{region}:{account}:{rest}"


def code_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): return 1")
    return buffer.getvalue()


class World:
    """An embedded AWS with something of each service in it, and a user whose leave is set anew for each case."""

    def __init__(self, aws: Sandbox) -> None:
        self.aws = aws
        root: Callable[[str], Any] = aws.client
        root("s3").create_bucket(Bucket="shop")
        for key in ("a", "b", "c"):
            root("s3").put_object(Bucket="shop", Key=key, Body=b"x")
        self.queue = root("sqs").create_queue(QueueName="orders")["QueueUrl"]
        self.topic = root("sns").create_topic(Name="news")["TopicArn"]
        root("dynamodb").create_table(
            TableName="t", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        )  # fmt: skip
        self.key = root("kms").create_key()["KeyMetadata"]["KeyId"]
        root("kms").create_alias(AliasName="alias/shop", TargetKeyId=self.key)
        self.cipher = root("kms").encrypt(KeyId=self.key, Plaintext=b"x")["CiphertextBlob"]
        self.secret = root("secretsmanager").create_secret(Name="app/db", SecretString="s")["ARN"]
        root("logs").create_log_group(logGroupName="/app")
        root("logs").create_log_stream(logGroupName="/app", logStreamName="s")
        root("ssm").put_parameter(Name="/app/p", Value="v", Type="String")
        self.subnet = root("ec2").describe_subnets()["Subnets"][0]
        self.group = root("ec2").describe_security_groups()["SecurityGroups"][0]["GroupId"]
        self.image = root("ec2").describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
        self.instance = root("ec2").run_instances(ImageId=self.image, MinCount=1, MaxCount=1)["Instances"][0]["InstanceId"]
        root("kinesis").create_stream(StreamName="k", ShardCount=1)
        root("ecr").create_repository(repositoryName="web")
        self.role = aws.role({**trust("*"), "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"},
                             "Action": "sts:AssumeRole"}]}, name="fn", account=J)  # fmt: skip
        self.person: Person = aws.user("worker")

    def leave(self, pairs: list[tuple[str, str]]) -> None:
        statements = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in pairs]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements or [{"Effect": "Allow", "Action": "x:y", "Resource": "*"}]})
        self.aws.client("iam").put_user_policy(UserName="worker", PolicyName="leave", PolicyDocument=document)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with serve([J, T], port=0) as server:
        yield World(Sandbox(server))


Case = tuple[str, str, dict[str, Any], list[tuple[str, str]]]
S3 = "arn:aws:s3:::shop"
STACK = json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "of-the-stack"}}}})


def cases(w: World) -> dict[str, Case]:
    """By name: service, operation, parameters, and the leave that AWS asks for."""
    ec2, key = f"arn:aws:ec2:{R}:{J}", arn("kms", f"key/{w.key}")
    run = [f"{ec2}:instance/*", f"arn:aws:ec2:{R}::image/{w.image}", f"{ec2}:subnet/{w.subnet['SubnetId']}", f"{ec2}:network-interface/*",
           f"{ec2}:security-group/{w.group}", f"{ec2}:volume/*"]  # fmt: skip
    group, stack = arn("logs", "log-group:/app:log-stream:"), arn("cloudformation", "stack/st/*")
    function = {"FunctionName": "fn", "Runtime": "python3.12", "Role": w.role, "Handler": "f.handler", "Code": {"ZipFile": code_zip()}}
    return {
        "S3 ListBuckets": ("s3", "list_buckets", {}, [("s3:ListAllMyBuckets", "*")]),
        "S3 GetObject": ("s3", "get_object", {"Bucket": "shop", "Key": "a"}, [("s3:GetObject", f"{S3}/a")]),
        "S3 HeadObject": ("s3", "head_bucket", {"Bucket": "shop"}, [("s3:ListBucket", S3)]),
        "S3 PutObject with tags": ("s3", "put_object", {"Bucket": "shop", "Key": "n", "Tagging": "a=b"},
                                   [("s3:PutObject", f"{S3}/n"), ("s3:PutObjectTagging", f"{S3}/n")]),
        "S3 ListObjectsV2": ("s3", "list_objects_v2", {"Bucket": "shop"}, [("s3:ListBucket", S3)]),
        "S3 CopyObject": ("s3", "copy_object", {"Bucket": "shop", "Key": "d", "CopySource": "shop/a"},
                          [("s3:PutObject", f"{S3}/d"), ("s3:GetObject", f"{S3}/a")]),
        "S3 DeleteObjects": ("s3", "delete_objects", {"Bucket": "shop", "Delete": {"Objects": [{"Key": "b"}, {"Key": "c"}]}},
                             [("s3:DeleteObject", f"{S3}/b"), ("s3:DeleteObject", f"{S3}/c")]),
        "S3 GetBucketLocation": ("s3", "get_bucket_location", {"Bucket": "shop"}, [("s3:GetBucketLocation", S3)]),
        "S3 PutBucketVersioning": ("s3", "put_bucket_versioning", {"Bucket": "shop", "VersioningConfiguration": {"Status": "Enabled"}},
                                   [("s3:PutBucketVersioning", S3)]),
        "S3 CreateBucket": ("s3", "create_bucket", {"Bucket": "workers"}, [("s3:CreateBucket", "arn:aws:s3:::workers")]),
        "SQS SendMessage": ("sqs", "send_message", {"QueueUrl": w.queue, "MessageBody": "m"}, [("sqs:SendMessage", arn("sqs", "orders"))]),
        "SQS SendMessageBatch": ("sqs", "send_message_batch", {"QueueUrl": w.queue, "Entries": [{"Id": "1", "MessageBody": "m"}]},
                                 [("sqs:SendMessage", arn("sqs", "orders"))]),
        "SQS ReceiveMessage": ("sqs", "receive_message", {"QueueUrl": w.queue}, [("sqs:ReceiveMessage", arn("sqs", "orders"))]),
        "SQS CreateQueue": ("sqs", "create_queue", {"QueueName": "q2"}, [("sqs:CreateQueue", arn("sqs", "q2"))]),
        "SNS Publish": ("sns", "publish", {"TopicArn": w.topic, "Message": "m"}, [("sns:Publish", w.topic)]),
        "SNS Subscribe": ("sns", "subscribe", {"TopicArn": w.topic, "Protocol": "sqs", "Endpoint": arn("sqs", "orders")}, [("sns:Subscribe", w.topic)]),
        "SNS ListTopics": ("sns", "list_topics", {}, [("sns:ListTopics", "*")]),
        "DynamoDB PutItem": ("dynamodb", "put_item", {"TableName": "t", "Item": {"k": {"S": "1"}}}, [("dynamodb:PutItem", arn("dynamodb", "table/t"))]),
        "DynamoDB GetItem": ("dynamodb", "get_item", {"TableName": "t", "Key": {"k": {"S": "1"}}}, [("dynamodb:GetItem", arn("dynamodb", "table/t"))]),
        "DynamoDB TransactWriteItems": (
            "dynamodb", "transact_write_items", {"TransactItems": [{"Put": {"TableName": "t", "Item": {"k": {"S": "2"}}}},
                                                                   {"Delete": {"TableName": "t", "Key": {"k": {"S": "3"}}}}]},
            [("dynamodb:PutItem", arn("dynamodb", "table/t")), ("dynamodb:DeleteItem", arn("dynamodb", "table/t"))]),
        "DynamoDB ListTables": ("dynamodb", "list_tables", {}, [("dynamodb:ListTables", "*")]),
        "KMS Encrypt by alias": ("kms", "encrypt", {"KeyId": "alias/shop", "Plaintext": b"x"}, [("kms:Encrypt", key)]),
        "KMS Decrypt": ("kms", "decrypt", {"CiphertextBlob": w.cipher}, [("kms:Decrypt", key)]),
        "KMS DescribeKey": ("kms", "describe_key", {"KeyId": w.key}, [("kms:DescribeKey", key)]),
        "KMS UpdateAlias": ("kms", "create_alias", {"AliasName": "alias/two", "TargetKeyId": w.key},
                            [("kms:CreateAlias", arn("kms", "alias/two")), ("kms:CreateAlias", key)]),
        "Secrets Manager GetSecretValue": ("secretsmanager", "get_secret_value", {"SecretId": "app/db"}, [("secretsmanager:GetSecretValue", w.secret)]),
        "Secrets Manager PutSecretValue": ("secretsmanager", "put_secret_value", {"SecretId": w.secret, "SecretString": "t"},
                                           [("secretsmanager:PutSecretValue", w.secret)]),
        "Lambda CreateFunction": ("lambda", "create_function", function,
                                  [("lambda:CreateFunction", arn("lambda", "function:fn")), ("iam:PassRole", w.role)]),
        "Lambda GetFunction": ("lambda", "get_function", {"FunctionName": "fn"}, [("lambda:GetFunction", arn("lambda", "function:fn"))]),
        "Lambda ListFunctions": ("lambda", "list_functions", {}, [("lambda:ListFunctions", "*")]),
        "Logs PutLogEvents": ("logs", "put_log_events", {"logGroupName": "/app", "logStreamName": "s", "logEvents": []},
                              [("logs:PutLogEvents", group + "s")]),
        "Logs DescribeLogStreams": ("logs", "describe_log_streams", {"logGroupName": "/app"}, [("logs:DescribeLogStreams", group)]),
        "SSM GetParameter": ("ssm", "get_parameter", {"Name": "/app/p"}, [("ssm:GetParameter", arn("ssm", "parameter/app/p"))]),
        "SSM GetParametersByPath": ("ssm", "get_parameters_by_path", {"Path": "/app"}, [("ssm:GetParametersByPath", arn("ssm", "parameter/app"))]),
        "EC2 DescribeInstances": ("ec2", "describe_instances", {}, [("ec2:DescribeInstances", "*")]),
        "EC2 RunInstances": ("ec2", "run_instances", {"ImageId": w.image, "MinCount": 1, "MaxCount": 1, "SubnetId": w.subnet["SubnetId"]},
                             [("ec2:RunInstances", r) for r in run]),
        "EC2 StopInstances": ("ec2", "stop_instances", {"InstanceIds": [w.instance]}, [("ec2:StopInstances", f"{ec2}:instance/{w.instance}")]),
        "EC2 CreateTags": ("ec2", "create_tags", {"Resources": [w.instance], "Tags": [{"Key": "a", "Value": "b"}]},
                           [("ec2:CreateTags", f"{ec2}:instance/{w.instance}")]),
        "EC2 CreateSecurityGroup": ("ec2", "create_security_group", {"GroupName": "g", "Description": "d", "VpcId": w.subnet["VpcId"]},
                                    [("ec2:CreateSecurityGroup", f"{ec2}:security-group/*"), ("ec2:CreateSecurityGroup", f"{ec2}:vpc/{w.subnet['VpcId']}")]),
        "CloudFormation CreateStack": ("cloudformation", "create_stack", {"StackName": "st", "TemplateBody": STACK},
                                       [("cloudformation:CreateStack", stack), ("sqs:CreateQueue", arn("sqs", "of-the-stack"))]),
        "Kinesis DescribeStream": ("kinesis", "describe_stream", {"StreamName": "k"}, [("kinesis:DescribeStream", arn("kinesis", "stream/k"))]),
        "ECR ListImages": ("ecr", "list_images", {"repositoryName": "web"}, [("ecr:ListImages", arn("ecr", "repository/web"))]),
    }  # fmt: skip


# How each service says no: (code, HTTP status, what stands before the text).
NO = {
    "query": ("AccessDenied", 403, ""), "json": ("AccessDeniedException", 400, ""), "rest-json": ("AccessDeniedException", 403, ""),
    "rest-xml": ("AccessDenied", 403, ""), "ec2": ("UnauthorizedOperation", 403, "You are not authorized to perform this operation. "),
}  # fmt: skip


def test_D_01_forty_operations_with_and_without_leave(world: World) -> None:
    found = cases(world)
    assert len(found) >= 40 and len({c[0] for c in found.values()}) >= 12
    wrong = []
    for name, (service, operation, params, pairs) in found.items():
        client = world.aws.client(service, world.person.key)
        protocol = client.meta.service_model.protocol
        for left_out in range(len(pairs)):
            world.leave(pairs[:left_out] + pairs[left_out + 1 :])
            try:
                getattr(client, operation)(**params)
                wrong.append(f"{name} without {pairs[left_out]}: allowed")
                continue
            except ClientError as error:
                answer = error.response
            action, resource = pairs[left_out]
            got = (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"].get("Message", ""))
            code, status, before = NO[protocol]
            shown = resource if not (resource == "*" and action == "s3:ListAllMyBuckets") else "arn:aws:s3:::*"
            text = before + decide(Request(world.person.arn, action, shown), world.aws.server.aws.store.estate).message
            if operation.startswith("head_"):
                code, text, got = "403", "", (got[0], got[1], "")
            if got != (code, status, text):
                wrong.append(f"{name} without {pairs[left_out]}: {got} and not {(code, status, text)}")
        world.leave(pairs)
        try:
            getattr(client, operation)(**params)
        except ClientError as error:
            wrong.append(f"{name}: refused though it has leave: {error}")
    assert not wrong, "\n".join(wrong)


def set_leave(world: World, *statements: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})
    world.aws.client("iam").put_user_policy(UserName="worker", PolicyName="leave", PolicyDocument=document)


def test_E_01_condition_keys_that_a_request_holds(world: World) -> None:
    set_leave(
        world, {"Action": "s3:ListBucket", "Resource": S3, "Condition": {"StringLike": {"s3:prefix": "home/*"}}},
        {"Action": "sqs:*", "Resource": "*", "Condition": {"StringEquals": {"aws:RequestTag/team": "web"}}},
        {"Action": "dynamodb:GetItem", "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": "mine"}}},
        {"Action": "ec2:StartInstances", "Resource": "*", "Condition": {"StringEquals": {"aws:ResourceTag/env": "dev"}}},
        {"Action": ["lambda:UpdateFunctionConfiguration"], "Resource": "*"},
        {"Action": "iam:PassRole", "Resource": "*", "Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}},
    )  # fmt: skip
    keys = world.person.key
    s3, sqs, dynamodb, ec2 = (world.aws.client(s, keys) for s in ("s3", "sqs", "dynamodb", "ec2"))
    s3.list_objects_v2(Bucket="shop", Prefix="home/x")
    assert refused(s3.list_objects_v2, Bucket="shop", Prefix="other/")[0] == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket="shop")[0] == "AccessDenied"
    sqs.create_queue(QueueName="tagged", tags={"team": "web"})
    assert refused(sqs.create_queue, QueueName="tagged-2", tags={"team": "ops"})[0] == "AccessDeniedException"
    dynamodb.get_item(TableName="t", Key={"k": {"S": "mine"}})
    assert refused(dynamodb.get_item, TableName="t", Key={"k": {"S": "theirs"}})[0] == "AccessDeniedException"
    assert refused(ec2.start_instances, InstanceIds=[world.instance])[0] == "UnauthorizedOperation"
    world.aws.client("ec2").create_tags(Resources=[world.instance], Tags=[{"Key": "env", "Value": "dev"}])
    ec2.start_instances(InstanceIds=[world.instance])
    message = refused(world.aws.client("lambda", keys).update_function_configuration, FunctionName="fn", Role=world.role)[1]
    assert f"iam:PassRole on resource: {world.role}" in message


def test_D_01_what_cant_be_told_is_refused_and_said(world: World) -> None:
    dynamodb = world.aws.client("dynamodb", world.person.key)
    statement = 'SELECT * FROM "t"'
    set_leave(world, {"Action": "dynamodb:*", "Resource": arn("dynamodb", "table/t")})
    assert "can't tell which table dynamodb:ExecuteStatement touches" in refused(dynamodb.execute_statement, Statement=statement)[1]
    ec2 = world.aws.client("ec2", world.person.key)
    set_leave(world, {"Action": "ec2:*", "Resource": "*"}, {"Action": "x:y", "Resource": "*"})
    ec2.describe_volumes()
    # A Deny that names particular volumes makes it matter which one it is.
    document = {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:RunInstances", "Resource": f"arn:aws:ec2:{R}:{J}:instance/i-0"}]}  # fmt: skip
    world.aws.client("iam").put_user_policy(UserName="worker", PolicyName="leave", PolicyDocument=json.dumps(document))
    message = refused(ec2.run_instances, LaunchTemplate={"LaunchTemplateName": "x"}, MinCount=1, MaxCount=1)[1]
    assert "can't tell what the launch template holds" in message
    # A key that a policy reads and that a request would have, though nobody here knows its value.
    set_leave(world, {"Action": "kms:Encrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}})
    message = refused(world.aws.client("kms", world.person.key).encrypt, KeyId=world.key, Plaintext=b"x")[1]
    assert "can't tell the request's kms:keyspec" in message


def test_E_12_what_a_stack_makes_is_told_where_its_template_tells(world: World) -> None:
    """A name in the template makes the resource exact; a name that CloudFormation will choose makes it one that can't be told."""
    cloudformation = world.aws.client("cloudformation", world.person.key)
    named: dict[str, Any] = {"StackName": "behalf", "TemplateBody": STACK.replace("of-the-stack", "on-behalf")}
    unnamed = {**named, "TemplateBody": json.dumps({"Resources": {"Q": {"Type": "AWS::SQS::Queue"}}})}
    set_leave(world, {"Action": "cloudformation:*", "Resource": "*"}, {"Action": "sqs:*", "Resource": arn("sqs", "on-behalf")})
    assert "can't tell which AWS::SQS::Queue" in refused(cloudformation.create_stack, **unnamed)[1]
    cloudformation.create_stack(**named)
    other = {**named, "TemplateBody": named["TemplateBody"].replace("on-behalf", "another")}
    assert "perform: sqs:" in refused(cloudformation.update_stack, **other)[1]
    cloudformation.delete_stack(StackName="behalf")
    set_leave(world, {"Action": "cloudformation:*", "Resource": "*"}, {"Action": "sqs:*", "Resource": "*"})
    cloudformation.create_stack(**unnamed)
    users = json.dumps({"Resources": {"U": {"Type": "AWS::IAM::User"}}})
    root = world.aws.client("cloudformation")
    assert refused(root.create_stack, StackName="iam", TemplateBody=users)[0] == "InsufficientCapabilitiesException"
    change = {"StackName": "iam", "ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateURL": "https://s3.amazonaws.com/shop/a"}
    assert "no template from a URL" in refused(root.create_change_set, **change)[1], "moto would make its own IAM of it"


def test_E_01_tags_of_what_is_there(world: World) -> None:
    """aws:ResourceTag of what exists: allowed where it is tagged so, refused where it isn't, and refused with a word where nobody can tell."""
    services = ("sqs", "sns", "dynamodb", "kms", "secretsmanager", "ssm", "logs", "lambda", "kinesis")
    root = {s: world.aws.client(s) for s in services}
    tags = [{"Key": "team", "Value": "web"}]
    keys = [root["kms"].create_key(Tags=t)["KeyMetadata"]["KeyId"] for t in ([{"TagKey": "team", "TagValue": "web"}], [])]
    for name, given in (("tag-web", tags), ("tag-none", [])):
        plain = {t["Key"]: t["Value"] for t in given}
        root["sqs"].create_queue(QueueName=name, tags=plain)
        root["sns"].create_topic(Name=name, Tags=given)
        root["dynamodb"].create_table(
            TableName=name, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], Tags=given,
        )  # fmt: skip
        root["secretsmanager"].create_secret(Name=name, SecretString="s", Tags=given)
        root["ssm"].put_parameter(Name=name, Value="v", Type="String", Tags=given)
        root["logs"].create_log_group(logGroupName=name, tags=plain)
        world.aws.client("lambda").create_function(
            FunctionName=name, Runtime="python3.12", Role=world.role, Handler="f.handler", Code={"ZipFile": code_zip()}, Tags=plain
        )
    web = {"StringEquals": {"aws:ResourceTag/team": "web"}}
    set_leave(world, *({"Action": f"{s}:*", "Resource": "*", "Condition": web} for s in services))
    mine = {s: world.aws.client(s, world.person.key) for s in services}
    url = world.queue.rpartition("/")[0]
    for name, key, allowed in (("tag-web", keys[0], True), ("tag-none", keys[1], False)):
        calls: dict[str, Callable[[], Any]] = {
            "sqs": lambda name=name: mine["sqs"].send_message(QueueUrl=f"{url}/{name}", MessageBody="m"),
            "sns": lambda name=name: mine["sns"].publish(TopicArn=arn("sns", name), Message="m"),
            "dynamodb": lambda name=name: mine["dynamodb"].get_item(TableName=name, Key={"k": {"S": "1"}}),
            "kms": lambda key=key: mine["kms"].encrypt(KeyId=key, Plaintext=b"x"),
            "secretsmanager": lambda name=name: mine["secretsmanager"].get_secret_value(SecretId=name),
            "ssm": lambda name=name: mine["ssm"].get_parameter(Name=name),
            "logs": lambda name=name: mine["logs"].describe_log_streams(logGroupName=name),
            "lambda": lambda name=name: mine["lambda"].get_function(FunctionName=name),
        }
        for service, call in calls.items():
            if allowed:
                call()
            else:
                code, message, _ = refused(call)
                assert code.startswith("AccessDenied") and "can't tell" not in message, (service, message)
    assert "can't tell the request's aws:resourcetag/team" in refused(mine["kinesis"].describe_stream, StreamName="k")[1]


def test_E_01_tags_of_objects(world: World) -> None:
    root, mine = world.aws.client("s3"), world.aws.client("s3", world.person.key)
    for key, kind in (("open", "public"), ("shut", "secret")):
        root.put_object(Bucket="shop", Key=key, Body=b"x", Tagging=f"class={kind}")
    set_leave(world, {"Action": "s3:GetObject", "Resource": "*", "Condition": {"StringEquals": {"s3:ExistingObjectTag/class": "public"}}},
              {"Action": "s3:PutObject", "Resource": "*"})  # fmt: skip
    mine.get_object(Bucket="shop", Key="open")
    assert refused(mine.get_object, Bucket="shop", Key="shut")[0] == "AccessDenied"
    # A copy takes the tags along, so it asks for leave to read and write them.
    assert "s3:GetObjectTagging" in refused(mine.copy_object, Bucket="shop", Key="copy", CopySource="shop/open")[1]
    mine.put_object(Bucket="shop", Key="plain", Body=b"x")
    set_leave(world, {"Action": ["s3:GetObject", "s3:PutObject"], "Resource": "*"})
    mine.copy_object(Bucket="shop", Key="copy", CopySource="shop/plain")


def test_what_cant_be_told_let_through() -> None:
    """With the flag a call that can't be decided passes; one that can be and is denied doesn't."""
    aws = EmbeddedAws([J], let_unknown_through=True)
    with Server(aws, 0) as server:
        sandbox = Sandbox(server)
        bob = sandbox.user("bob", {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*", "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}}]})  # fmt: skip
        key = sandbox.client("kms").create_key()["KeyMetadata"]["KeyId"]
        sandbox.client("kms", bob.key).encrypt(KeyId=key, Plaintext=b"x")
        assert refused(sandbox.client("kms", bob.key).describe_key, KeyId=key)[0] == "AccessDeniedException"
        assert refused(sandbox.client("iam", bob.key).list_users)[0] == "AccessDenied"
