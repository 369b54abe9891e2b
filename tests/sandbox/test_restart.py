"""What lies behind the front after kill -9: buckets, queues, tables, keys, instances and stacks with the ids, times and contents that were told.

SEKISHO_SERVICES=all makes more services, which cost more time to load.
"""

from __future__ import annotations

import io
import json
import os
import signal
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config

from .people import J, allow
from .test_server import client, running

MORE = os.environ.get("SEKISHO_SERVICES") == "all"
URL = f"https://sqs.us-east-1.amazonaws.com/{J}/q"
Made = dict[str, Any]
Ask = Callable[[str], Any]


def make(c: Ask) -> Made:
    """One of each; what later calls need."""
    made: Made = {}
    s3, sqs, kms, ec2 = c("s3"), c("sqs"), c("kms"), c("ec2")
    c("iam").create_role(RoleName="worker", AssumeRolePolicyDocument=json.dumps({
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Principal": {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}, "Action": "sts:AssumeRole"},
    }))  # fmt: skip
    sqs.create_queue(QueueName="q")
    for i in range(5):
        sqs.send_message(QueueUrl=URL, MessageBody=str(i))
    received = sqs.receive_message(QueueUrl=URL)["Messages"][0]
    sqs.delete_message(QueueUrl=URL, ReceiptHandle=received["ReceiptHandle"])
    made["handle"] = sqs.receive_message(QueueUrl=URL)["Messages"][0]["ReceiptHandle"]
    s3.create_bucket(Bucket="docs")
    s3.put_bucket_versioning(Bucket="docs", VersioningConfiguration={"Status": "Enabled"})
    for i in range(3):
        s3.put_object(Bucket="docs", Key="k", Body=bytes([i]) * 1000 * i, Metadata={"n": str(i)})
    upload = s3.create_multipart_upload(Bucket="docs", Key="parts")["UploadId"]
    part = s3.upload_part(Bucket="docs", Key="parts", UploadId=upload, PartNumber=1, Body=b"p" * 100)["ETag"]
    s3.complete_multipart_upload(Bucket="docs", Key="parts", UploadId=upload, MultipartUpload={"Parts": [{"ETag": part, "PartNumber": 1}]})
    made["upload"] = s3.create_multipart_upload(Bucket="docs", Key="later")["UploadId"]
    s3.copy_object(Bucket="docs", Key="copy", CopySource="docs/k")
    s3.put_bucket_policy(Bucket="docs", Policy=json.dumps({
        "Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject*", "Resource": "arn:aws:s3:::docs/*"},
    }))  # fmt: skip
    topic = c("sns").create_topic(Name="t")["TopicArn"]
    c("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=f"arn:aws:sqs:us-east-1:{J}:q")
    c("sns").publish(TopicArn=topic, Message="hello")
    c("dynamodb").create_table(
        TableName="t", KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
    )  # fmt: skip
    for i in range(4):
        c("dynamodb").put_item(TableName="t", Item={"k": {"S": str(i)}, "v": {"N": "1"}})
    c("dynamodb").update_item(TableName="t", Key={"k": {"S": "1"}}, UpdateExpression="SET v = v + :x", ExpressionAttributeValues={":x": {"N": "2"}})
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    made["secret"] = kms.encrypt(KeyId=key, Plaintext=b"hey")["CiphertextBlob"]
    made["signs"] = kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    c("secretsmanager").create_secret(Name="s", SecretString="v")
    c("secretsmanager").put_secret_value(SecretId="s", SecretString="w")
    c("ssm").put_parameter(Name="/p", Value="v", Type="String")
    c("ssm").put_parameter(Name="/p", Value="w", Type="String", Overwrite=True)
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.py"), "def h(event, context): return 1")
    c("lambda").create_function(
        FunctionName="f", Runtime="python3.11", Role=f"arn:aws:iam::{J}:role/worker", Handler="a.h", Code={"ZipFile": code.getvalue()},
    )  # fmt: skip
    c("logs").create_log_group(logGroupName="g")
    c("logs").create_log_stream(logGroupName="g", logStreamName="s")
    c("logs").put_log_events(logGroupName="g", logStreamName="s", logEvents=[{"timestamp": int(time.time() * 1000), "message": "m"}])
    image = ec2.describe_images(Owners=["amazon"])["Images"][0]["ImageId"]
    ec2.run_instances(ImageId=image, MinCount=2, MaxCount=2, InstanceType="t3.micro")
    made["material"] = ec2.create_key_pair(KeyName="kp")["KeyMaterial"]
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")["Vpc"]["VpcId"]
    ec2.create_subnet(VpcId=network, CidrBlock="10.1.0.0/24")
    ec2.create_security_group(GroupName="sg", Description="d", VpcId=network)
    resources = {"Q": {"Type": "AWS::SQS::Queue"}, "B": {"Type": "AWS::S3::Bucket"}, "V": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.9.0.0/16"}}}
    c("cloudformation").create_stack(StackName="st", TemplateBody=json.dumps({"Resources": resources}))
    if MORE:
        make_more(c)
    return made


def make_more(c: Ask) -> None:
    subnets = [s["SubnetId"] for s in c("ec2").describe_subnets()["Subnets"]][:2]
    c("kinesis").create_stream(StreamName="ks", ShardCount=1)
    c("kinesis").put_record(StreamName="ks", Data=b"d", PartitionKey="p")
    c("events").put_rule(Name="r", ScheduleExpression="rate(1 day)")
    c("route53").create_hosted_zone(Name="example.com", CallerReference="x")
    c("ecr").create_repository(repositoryName="images")
    c("elbv2").create_load_balancer(Name="lb", Subnets=subnets)
    machine = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
    c("stepfunctions").create_state_machine(name="sm", roleArn=f"arn:aws:iam::{J}:role/worker", definition=json.dumps(machine))
    c("apigateway").create_rest_api(name="api")
    c("cognito-idp").create_user_pool(PoolName="people")
    c("ecs").create_cluster(clusterName="cluster")
    c("glue").create_database(DatabaseInput={"Name": "g"})


def look(c: Ask, made: Made) -> dict[str, Any]:
    """All that can be read of it."""
    asked: dict[str, Any] = {
        "ec2": ["describe_vpcs", "describe_subnets", "describe_security_groups", "describe_instances", "describe_key_pairs", "describe_volumes",
                "describe_route_tables", "describe_network_acls", "describe_network_interfaces"],
        "s3": ["list_buckets", ("list_object_versions", {"Bucket": "docs"}), ("get_object", {"Bucket": "docs", "Key": "k"}),
               ("list_multipart_uploads", {"Bucket": "docs"}), ("get_bucket_policy", {"Bucket": "docs"}), ("head_object", {"Bucket": "docs", "Key": "parts"})],
        "sqs": ["list_queues", ("get_queue_attributes", {"QueueUrl": URL, "AttributeNames": ["All"]})],
        "sns": ["list_topics", "list_subscriptions"], "dynamodb": [("scan", {"TableName": "t"}), ("describe_table", {"TableName": "t"})],
        "kms": ["list_keys", "list_aliases", ("get_public_key", {"KeyId": made["signs"]})],
        "secretsmanager": ["list_secrets", ("get_secret_value", {"SecretId": "s"})], "ssm": ["describe_parameters", ("get_parameter_history", {"Name": "/p"})],
        "lambda": ["list_functions"], "logs": ["describe_log_groups", ("get_log_events", {"logGroupName": "g", "logStreamName": "s"})],
        "cloudformation": ["describe_stacks", ("describe_stack_resources", {"StackName": "st"})],
    }  # fmt: skip
    if MORE:
        asked |= {
            "kinesis": [("describe_stream", {"StreamName": "ks"})], "events": ["list_rules"], "route53": ["list_hosted_zones"],
            "ecr": ["describe_repositories"], "elbv2": ["describe_load_balancers"], "stepfunctions": ["list_state_machines"],
            "apigateway": ["get_rest_apis"], "cognito-idp": [("list_user_pools", {"MaxResults": 10})], "ecs": ["list_clusters"],
            "glue": ["get_databases"],
        }  # fmt: skip
    seen = {}
    for service, operations in asked.items():
        for each in operations:
            name, params = each if isinstance(each, tuple) else (each, {})
            answer = getattr(c(service), name)(**params)
            del answer["ResponseMetadata"]
            if "Body" in answer:
                answer["Body"] = answer["Body"].read()
            seen[f"{service} {name}"] = answer
    return seen


def asker(access: dict[str, Any]) -> Ask:
    made: dict[str, Any] = {}
    return lambda service: made.get(service) or made.setdefault(service, client(access, service))


def test_what_lies_behind_the_front_is_as_it_was_after_kill_9(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with running(tmp_path, "--state", str(state)) as (process, access):
        made = make(asker(access))
        before = look(asker(access), made)
        os.kill(process.pid, signal.SIGKILL)
    with running(tmp_path, "--state", str(state)) as (process, access):
        c = asker(access)
        after = look(c, made)
        assert {name: seen for name, seen in after.items() if seen != before[name]} == {}
        # What was handed out is good: a receipt, an upload, a ciphertext; and what is made now has names of its own.
        assert c("kms").decrypt(CiphertextBlob=made["secret"])["Plaintext"] == b"hey"
        c("sqs").delete_message(QueueUrl=URL, ReceiptHandle=made["handle"])
        c("s3").abort_multipart_upload(Bucket="docs", Key="later", UploadId=made["upload"])
        assert c("kms").create_key()["KeyMetadata"]["KeyId"] not in {k["KeyId"] for k in before["kms list_keys"]["Keys"]}
        process.terminate()
        said = process.communicate(timeout=30)[0]
    assert "isn't as it was" not in said


def test_a_resource_policy_counts_before_its_resource_is_asked_for_again(tmp_path: Path) -> None:
    """D-01: after a restart, too, a queue's policy denies; a message received stays received; snapshots hold all of it."""
    state, copy = tmp_path / "state", tmp_path / "copy"
    with running(tmp_path, "--state", str(state)) as (process, access):
        sqs, iam = client(access, "sqs"), client(access, "iam")
        sqs.create_queue(QueueName="q", Attributes={"Policy": json.dumps({
            "Version": "2012-10-17", "Statement": {"Effect": "Deny", "Principal": "*", "Action": "sqs:SendMessage", "Resource": f"arn:aws:sqs:us-east-1:{J}:q",
                                                   "Condition": {"StringEquals": {"aws:username": "alice"}}}})})  # fmt: skip
        iam.create_user(UserName="alice")
        iam.put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=json.dumps(allow("sqs:*")))
        key = iam.create_access_key(UserName="alice")["AccessKey"]
        sqs.send_message(QueueUrl=URL, MessageBody="m")
        assert sqs.receive_message(QueueUrl=URL, VisibilityTimeout=3600)["Messages"]
        os.kill(process.pid, signal.SIGKILL)
    from sekisho.sandbox.snapshot import restore, snapshot

    snapshot(state, tmp_path / "a.snapshot")
    restore(tmp_path / "a.snapshot", copy)
    with running(tmp_path, "--state", str(copy)) as (_, access):
        import boto3

        alice = boto3.client("sqs", region_name="us-east-1", endpoint_url=access["endpoint"], aws_access_key_id=key["AccessKeyId"],
                             aws_secret_access_key=key["SecretAccessKey"], config=Config(retries={"max_attempts": 1}))  # fmt: skip
        with pytest.raises(alice.exceptions.ClientError, match="explicit deny in a resource-based policy"):
            alice.send_message(QueueUrl=URL, MessageBody="m")
        assert "Messages" not in alice.receive_message(QueueUrl=URL)
        began = time.monotonic()
        assert "Messages" not in alice.receive_message(QueueUrl=URL, WaitTimeSeconds=1)
        assert time.monotonic() - began >= 1


def test_an_answer_that_cant_be_given_again_is_said(tmp_path: Path) -> None:
    """What the journal has and moto answers otherwise now is named on stderr; the rest is there."""
    import sqlite3
    from contextlib import closing

    state = tmp_path / "state"
    with running(tmp_path, "--state", str(state)) as (process, access):
        client(access, "sqs").create_queue(QueueName="q")
        client(access, "sqs").create_queue(QueueName="r")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with closing(sqlite3.connect(state / "sandbox.sqlite", isolation_level=None)) as database:
        number, head = database.execute("SELECT number, head FROM journal ORDER BY number LIMIT 1").fetchone()
        database.execute("UPDATE journal SET head = ? WHERE number = ?", (head.replace('"answer": "', '"answer": "0'), number))
    with running(tmp_path, "--state", str(state)) as (process, access):
        assert len(client(access, "sqs").list_queues()["QueueUrls"]) == 2
        process.terminate()
        said = process.communicate(timeout=30)[0]
    assert said.count("isn't as it was") == 1 and "sqs:CreateQueue" in said
