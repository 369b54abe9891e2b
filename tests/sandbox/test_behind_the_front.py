"""What is decided is what is carried out: requests that the front and the state behind it could read differently."""

from __future__ import annotations

import http.client
import json
import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from .people import OFFICE, J, Sandbox, T, allow

EC2 = "&Version=2016-11-15"


def some(effect: str, actions: list[str], *resources: str) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": actions, "Resource": list(resources)}}


class Caller:
    """Signs and sends a request exactly as it is spelled, which an SDK wouldn't."""

    def __init__(self, aws: Sandbox, *policies: dict[str, Any]) -> None:
        self.aws = aws
        self.keys = aws.user("alice", *policies).key

    def send(self, service: str, body: str, query: str = "", method: str = "POST", path: str = "", **headers: str) -> tuple[int, str]:
        host = urlsplit(self.aws.endpoint).netloc
        target = f"/from/{OFFICE}/{path}" + (f"?{query}" if query else "")
        given = {"Host": host, "Content-Type": "application/x-www-form-urlencoded", **{k.replace("_", "-"): v for k, v in headers.items()}}
        request = AWSRequest(method, self.aws.endpoint + target, headers=given, data=body.encode())
        SigV4Auth(Credentials(self.keys["AccessKeyId"], self.keys["SecretAccessKey"]), service, "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection(host, timeout=60)
        try:
            connection.request(method, target, body.encode(), dict(request.headers))
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def s3(self) -> Any:
        return self.aws.client("s3", self.keys, address=OFFICE)


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        ("", "Action=DeleteVpc&Action=DescribeVpcs&VpcId={vpc}", "application/x-www-form-urlencoded"),
        ("", "Action=DescribeVpcs&Action=DeleteVpc&VpcId={vpc}", "application/x-www-form-urlencoded"),
        ("Action=DeleteVpc&VpcId={vpc}", "Action=DescribeVpcs", "text/plain"),
        ("Action=DeleteVpc&VpcId={vpc}", "Action=DescribeVpcs", "application/x-www-form-urlencoded"),
        ("", "Action=DeleteVpc&Vpcid=vpc-0a&VpcId={vpc}", "application/x-www-form-urlencoded"),
        ("VpcId=vpc-0a", "Action=DeleteVpc&VpcId={vpc}", "application/x-www-form-urlencoded"),
        ("VpcId={vpc}", "Action=DeleteVpc&VpcId=vpc-0a", "text/plain"),
    ],
)
def test_D_01_a_query_call_means_one_thing(aws: Sandbox, query: str, body: str, kind: str) -> None:
    ec2 = aws.client("ec2")
    vpcs = [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]]
    vpc = vpcs[0]
    caller = Caller(aws, some("Allow", ["ec2:Describe*"], "*"), some("Allow", ["ec2:DeleteVpc"], "arn:aws:ec2:*:*:vpc/vpc-0a"))
    status, text = caller.send("ec2", body.format(vpc=vpc) + EC2, query.format(vpc=vpc), Content_Type=kind)
    # moto itself would answer DependencyViolation: a default VPC isn't deleted as long as there is something in it.
    refusals = ("UnauthorizedOperation", "MalformedQueryString", "UnknownParameter")
    assert (status in (400, 403), any(f"<Code>{code}</Code>" in text for code in refusals)) == (True, True), text
    assert [v["VpcId"] for v in ec2.describe_vpcs()["Vpcs"]] == vpcs


def test_D_01_a_parameter_that_an_operation_doesnt_have_names_no_resource(aws: Sandbox) -> None:
    ec2 = aws.client("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    caller = Caller(aws, some("Allow", ["ec2:CreateTags"], "arn:aws:ec2:*:*:vpc/vpc-0a"))
    status, text = caller.send("ec2", f"Action=CreateTags&VpcId=vpc-0a&ResourceId.1={vpc}&Tag.1.Key=a&Tag.1.Value=b{EC2}")
    assert (status, "UnknownParameter" in text) == (400, True)
    assert not ec2.describe_vpcs()["Vpcs"][0].get("Tags")


@pytest.mark.parametrize(
    ("query", "body", "kind"),
    [
        ("", {"tablename": "mine-{n}", "TableName": "their-{n}"}, "application/x-amz-json-1.0"),
        ("TableName=their-{n}", {"TableName": "mine-{n}"}, "application/x-amz-json-1.0"),
        ("", {"a": "&TableName=their-{n}&", "TableName": "mine-{n}"}, "application/x-www-form-urlencoded"),
    ],
)
def test_D_01_a_json_call_means_its_body(aws: Sandbox, query: str, body: dict[str, str], kind: str) -> None:
    dynamodb, n = aws.client("dynamodb"), uuid.uuid4().hex
    for name in (f"mine-{n}", f"their-{n}"):
        dynamodb.create_table(
            TableName=name, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}],
        )  # fmt: skip
    caller = Caller(aws, some("Allow", ["dynamodb:DeleteTable"], f"arn:aws:dynamodb:us-east-1:{J}:table/mine-{n}"))
    target = "DynamoDB_20120810.DeleteTable"
    caller.send("dynamodb", json.dumps(body).replace("{n}", n), query.replace("{n}", n), X_Amz_Target=target, Content_Type=kind)
    assert f"their-{n}" in dynamodb.list_tables()["TableNames"]


def test_D_01_two_operations_in_one_query_are_none(aws: Sandbox) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="two-in-one")
    caller = Caller(aws, some("Allow", ["s3:PutBucketTagging", "s3:PutBucketCORS", "s3:PutBucketVersioning"], "*"))
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::two-in-one/*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": statement})
    for beside in ("tagging", "cors", "versioning"):
        for query in (f"policy&{beside}", f"{beside}&policy"):
            status, text = caller.send("s3", policy, query, "PUT", "two-in-one", X_Amz_Content_Sha256="UNSIGNED-PAYLOAD")
            assert status >= 400, text
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket="two-in-one")


def test_D_05_a_bucket_of_another_account_is_not_the_callers_own(aws: Sandbox) -> None:
    aws.client("s3", account=T).create_bucket(Bucket="theirs")
    aws.client("s3", account=T).put_object(Bucket="theirs", Key="k", Body=b"secret")
    theirs = Caller(aws, allow("s3:*")).s3()
    for call in (
        lambda: theirs.get_object(Bucket="theirs", Key="k"), lambda: theirs.list_objects_v2(Bucket="theirs"),
        lambda: theirs.delete_object(Bucket="theirs", Key="k"), lambda: theirs.put_object(Bucket="theirs", Key="k", Body=b""),
        lambda: theirs.copy_object(Bucket="theirs", Key="l", CopySource="theirs/k"),
    ):  # fmt: skip
        with pytest.raises(ClientError, match="AccessDenied"):
            call()
    assert aws.client("s3", account=T).get_object(Bucket="theirs", Key="k")["Body"].read() == b"secret"


@pytest.mark.parametrize("source", ["bucket/secret/k", "/bucket/secret/k", {"Bucket": "bucket", "Key": "secret/k"}])
def test_D_01_a_copy_reads_its_source(aws: Sandbox, source: Any) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="bucket")
    for key in ("secret/k", "home/k"):
        s3.put_object(Bucket="bucket", Key=key, Body=key.encode())
    own = Caller(aws, some("Allow", ["s3:*"], "arn:aws:s3:::bucket/home/*"), some("Allow", ["s3:ListBucket"], "arn:aws:s3:::bucket")).s3()
    own.copy_object(Bucket="bucket", Key="home/copy", CopySource="bucket/home/k")
    with pytest.raises(ClientError, match=r"not authorized to perform: s3:GetObject on resource: arn:aws:s3:::bucket/secret/k"):
        own.copy_object(Bucket="bucket", Key="home/stolen", CopySource=source)
