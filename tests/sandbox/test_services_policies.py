"""Resource policies that are stored behind the front take part in every decision: other accounts, nobody, presigned URLs, virtual hosts."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sekisho import Request, decide
from sekisho.sandbox.server import serve

from .people import CAFE, OFFICE, J, Person, Sandbox, T, allow, refused


def policy(effect: str, principal: Any, action: Any, resource: Any, **condition: Any) -> str:
    statement = {"Effect": effect, "Principal": principal, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [{**statement, **({"Condition": condition} if condition else {})}]})


@pytest.fixture(scope="module")
def aws() -> Iterator[Sandbox]:
    with serve([J, T], port=0) as server:
        yield Sandbox(server)


@pytest.fixture(scope="module")
def alice(aws: Sandbox) -> Person:
    return aws.user("alice", allow(["s3:*", "sqs:*", "sns:*", "kms:*", "secretsmanager:*"]))


def get(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def presigned(aws: Sandbox, keys: dict[str, str], version: str = "s3v4") -> str:
    client = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=f"{aws.endpoint}/from/{OFFICE}", config=Config(signature_version=version),
        aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
    )  # fmt: skip
    url: str = client.generate_presigned_url("get_object", {"Bucket": "signed", "Key": "k"})
    return url


def test_D_05_what_another_account_lets_in(aws: Sandbox, alice: Person) -> None:
    """Each of the five services: refused without a policy there, let in with one, refused again once it is gone."""
    s3, sqs, sns, kms, secrets = (aws.client(s, account=T) for s in ("s3", "sqs", "sns", "kms", "secretsmanager"))
    s3.create_bucket(Bucket="theirs")
    s3.put_object(Bucket="theirs", Key="k", Body=b"x")
    url = sqs.create_queue(QueueName="theirs")["QueueUrl"]
    topic = sns.create_topic(Name="theirs")["TopicArn"]
    key = kms.create_key()["KeyMetadata"]["Arn"]
    own_key = kms.get_key_policy(KeyId=key, PolicyName="default")["Policy"]
    secret = secrets.create_secret(Name="theirs", SecretString="s")["ARN"]
    me = {"AWS": alice.arn}
    queue = f"arn:aws:sqs:us-east-1:{T}:theirs"
    mine = {s: aws.client(s, alice.key) for s in ("s3", "sqs", "sns", "kms", "secretsmanager")}
    rows = [
        (lambda: mine["s3"].get_object(Bucket="theirs", Key="k"),
         lambda: s3.put_bucket_policy(Bucket="theirs", Policy=policy("Allow", me, "s3:GetObject", "arn:aws:s3:::theirs/*")),
         lambda: s3.delete_bucket_policy(Bucket="theirs")),
        (lambda: mine["sqs"].send_message(QueueUrl=url, MessageBody="m"),
         lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy("Allow", me, "sqs:SendMessage", queue)}),
         lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})),
        (lambda: mine["sns"].publish(TopicArn=topic, Message="m"),
         lambda: sns.add_permission(TopicArn=topic, Label="a", AWSAccountId=[J], ActionName=["Publish"]),
         lambda: sns.remove_permission(TopicArn=topic, Label="a")),
        (lambda: mine["kms"].encrypt(KeyId=key, Plaintext=b"x"),
         lambda: kms.put_key_policy(KeyId=key, PolicyName="default", Policy=policy("Allow", {"AWS": [alice.arn, T]}, "kms:*", "*")),
         lambda: kms.put_key_policy(KeyId=key, PolicyName="default", Policy=own_key)),
        (lambda: mine["secretsmanager"].get_secret_value(SecretId=secret),
         lambda: secrets.put_resource_policy(SecretId=secret, ResourcePolicy=policy("Allow", me, "secretsmanager:GetSecretValue", "*")),
         lambda: secrets.delete_resource_policy(SecretId=secret)),
    ]  # fmt: skip
    for call, let_in, shut_out in rows:
        assert refused(call)[0].startswith("AccessDenied")
        let_in()
        call()
        shut_out()
        assert refused(call)[0].startswith("AccessDenied")


def test_D_01_a_deny_in_a_bucket_policy(aws: Sandbox, alice: Person) -> None:
    root = aws.client("s3")
    root.create_bucket(Bucket="shut")
    root.put_object(Bucket="shut", Key="k", Body=b"x")
    outside = {"NotIpAddress": {"aws:SourceIp": "203.0.113.0/24"}}
    root.put_bucket_policy(Bucket="shut", Policy=policy("Deny", "*", "s3:GetObject", "arn:aws:s3:::shut/*", **outside))
    aws.client("s3", alice.key, address=OFFICE).get_object(Bucket="shut", Key="k")
    code, message, status = refused(aws.client("s3", alice.key, address=CAFE).get_object, Bucket="shut", Key="k")
    asked = Request(alice.arn, "s3:GetObject", "arn:aws:s3:::shut/k", {"aws:SourceIp": CAFE}, resource_account=J)
    assert (code, status, message) == ("AccessDenied", 403, decide(asked, aws.server.aws.store.estate).message)
    assert message.endswith("with an explicit deny in a resource-based policy")


def test_a_policy_that_aws_wouldnt_take(aws: Sandbox) -> None:
    root = aws.client("s3")
    root.create_bucket(Bucket="odd")
    for text in ("{", '{"Version":"2012-10-17"}', policy("Allow", "*", "s3:GetObject", "arn:aws:s3:::odd/*").replace("Allow", "allow")):
        assert refused(root.put_bucket_policy, Bucket="odd", Policy=text)[0] == "MalformedPolicy"
    with pytest.raises(ClientError, match="NoSuchBucketPolicy"):
        root.get_bucket_policy(Bucket="odd")


def test_D_01_nobody_at_all(aws: Sandbox) -> None:
    root = aws.client("s3")
    root.create_bucket(Bucket="public")
    for key in ("open/a", "shut/a"):
        root.put_object(Bucket="public", Key=key, Body=key.encode())
    office = f"{aws.endpoint}/from/{OFFICE}/public/open/a"
    status, text = get(office)
    assert status == 403 and b"User: anonymous is not authorized to perform: s3:GetObject on resource: arn:aws:s3:::public/open/a" in text
    here = {"IpAddress": {"aws:SourceIp": OFFICE}}
    root.put_bucket_policy(Bucket="public", Policy=policy("Allow", "*", "s3:GetObject", "arn:aws:s3:::public/open/*", **here))
    assert get(office) == (200, b"open/a")
    assert get(office.replace(OFFICE, CAFE))[0] == 403
    assert get(office.replace("open/a", "shut/a"))[0] == 403
    assert get(f"{aws.endpoint}/from/{OFFICE}/public?list-type=2")[0] == 403
    assert get(f"{aws.endpoint}/from/{OFFICE}/no-such-bucket/k")[0] == 404
    assert get(f"{aws.endpoint}/from/{OFFICE}/public%2fopen/a")[0] == 404
    request = urllib.request.Request(office, data=b"x", method="PUT")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=30)


def test_D_01_a_presigned_url_is_its_signers(aws: Sandbox, alice: Person) -> None:
    aws.client("s3").create_bucket(Bucket="signed")
    aws.client("s3").put_object(Bucket="signed", Key="k", Body=b"x")
    root = aws.server.aws.store.root_key(J)
    for keys, status in ((alice.key, 200), ({"AccessKeyId": root.id, "SecretAccessKey": root.secret}, 200), (aws.user("eve").key, 403)):
        assert get(presigned(aws, keys))[0] == status
    in_header = {"StringEquals": {"s3:authType": "REST-QUERY-STRING"}}
    aws.client("s3").put_bucket_policy(Bucket="signed", Policy=policy("Deny", "*", "s3:GetObject", "arn:aws:s3:::signed/*", **in_header))
    assert get(presigned(aws, alice.key))[0] == 403
    old = get(presigned(aws, alice.key, "s3"))
    assert old[0] == 400 and b"Please use AWS4-HMAC-SHA256" in old[1]
    aws.client("s3", alice.key).get_object(Bucket="signed", Key="k")


def test_D_01_a_bucket_in_the_host(aws: Sandbox, alice: Person) -> None:
    aws.client("s3").create_bucket(Bucket="hosted")
    aws.client("s3").put_object(Bucket="hosted", Key="a/k", Body=b"x")
    port = urlsplit(aws.endpoint).port
    eve = aws.user("mallory", allow("s3:GetObject", "arn:aws:s3:::other/*"))
    for keys, wanted in ((alice.key, 200), (eve.key, 403)):
        host, path = f"hosted.localhost:{port}", f"/from/{OFFICE}/a/k"
        request = AWSRequest("GET", f"http://{host}{path}", headers={"Host": host})
        S3SigV4Auth(Credentials(keys["AccessKeyId"], keys["SecretAccessKey"]), "s3", "us-east-1").add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", path, headers=dict(request.headers))
        answer = connection.getresponse()
        assert (answer.status, answer.read() == b"x") == (wanted, wanted == 200)
        connection.close()


def test_D_05_a_copy_between_accounts(aws: Sandbox, alice: Person) -> None:
    theirs, mine = aws.client("s3", account=T), aws.client("s3", alice.key)
    theirs.create_bucket(Bucket="source-of-t")
    theirs.put_object(Bucket="source-of-t", Key="k", Body=b"from t")
    aws.client("s3").create_bucket(Bucket="target-of-j")
    copy = {"Bucket": "target-of-j", "Key": "k", "CopySource": "source-of-t/k"}
    assert "s3:GetObject on resource: arn:aws:s3:::source-of-t/k" in refused(mine.copy_object, **copy)[1]
    theirs.put_bucket_policy(Bucket="source-of-t", Policy=policy("Allow", {"AWS": J}, "s3:GetObject", "arn:aws:s3:::source-of-t/*"))
    mine.copy_object(**copy)
    assert mine.get_object(Bucket="target-of-j", Key="k")["Body"].read() == b"from t"


def test_each_embedded_aws_has_its_own_state(aws: Sandbox, alice: Person) -> None:
    """Two in one process, asked in turn: a bucket of one, and its policy, is nothing to the other."""
    aws.client("s3").create_bucket(Bucket="only-here")
    aws.client("s3").put_object(Bucket="only-here", Key="k", Body=b"x")
    with serve([J], port=0) as server:
        other = Sandbox(server)
        assert other.client("s3").list_buckets()["Buckets"] == []
        other.client("s3").create_bucket(Bucket="only-here")
        assert refused(other.client("s3").get_object, Bucket="only-here", Key="k")[0] == "NoSuchKey"
        assert aws.client("s3").get_object(Bucket="only-here", Key="k")["Body"].read() == b"x"
    assert aws.client("s3").get_object(Bucket="only-here", Key="k")["Body"].read() == b"x"


def test_virtual_hosts_of_boto3(aws: Sandbox, alice: Person) -> None:
    """boto3 itself with its virtual style, where this machine's resolver knows ``*.localhost``."""
    import socket

    try:
        socket.getaddrinfo("hosted.localhost", 80)
    except OSError:
        pytest.skip("this machine's resolver doesn't know *.localhost")
    client = boto3.client(
        "s3", region_name="us-east-1", endpoint_url=aws.endpoint.replace("127.0.0.1", "localhost") + f"/from/{OFFICE}",
        aws_access_key_id=alice.key["AccessKeyId"], aws_secret_access_key=alice.key["SecretAccessKey"],
        config=Config(s3={"addressing_style": "virtual"}, retries={"max_attempts": 1}),
    )  # fmt: skip
    aws.client("s3").create_bucket(Bucket="by-boto3")
    client.put_object(Bucket="by-boto3", Key="k", Body=b"x")
    assert client.get_object(Bucket="by-boto3", Key="k")["Body"].read() == b"x"
