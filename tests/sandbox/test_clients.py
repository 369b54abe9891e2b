"""Protocols of clients: CBOR beside JSON and query for one service, and services that share a signing name; each decided and carried out."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sekisho.sandbox.server import serve

from .people import J, Person, Sandbox, refused

NAMESPACE = {"StringEquals": {"cloudwatch:namespace": "shop"}}


@pytest.fixture(scope="module")
def aws() -> Iterator[Sandbox]:
    with serve([J], port=0) as server:
        yield Sandbox(server)


@pytest.fixture(scope="module")
def person(aws: Sandbox) -> Person:
    return aws.user("worker")


def leave(person: Person, *statements: dict[str, Any]) -> None:
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **s} for s in statements]})
    person.sandbox.client("iam").put_user_policy(UserName=person.name, PolicyName="leave", PolicyDocument=document)


def test_boto3_speaks_CBOR_to_CloudWatch(aws: Sandbox, person: Person) -> None:
    assert botocore.session.get_session().get_service_model("cloudwatch").protocol == "smithy-rpc-v2-cbor"
    mine = aws.client("cloudwatch", person.key)
    data = [{"MetricName": "orders", "Value": 2.5, "Timestamp": 1_700_000_000, "Dimensions": [{"Name": "shop", "Value": "東京"}]}]
    leave(person, {"Action": "x:y", "Resource": "*"})
    assert refused(mine.put_metric_data, Namespace="shop", MetricData=data) == (
        "AccessDeniedException", f"User: {person.arn} is not authorized to perform: cloudwatch:PutMetricData because no identity-based policy allows the "
        "cloudwatch:PutMetricData action", 400)  # fmt: skip
    leave(person, {"Action": ["cloudwatch:PutMetricData"], "Resource": "*", "Condition": NAMESPACE},
          {"Action": ["cloudwatch:ListMetrics", "cloudwatch:GetMetricStatistics"], "Resource": "*"},
          {"Action": "cloudwatch:*Alarm*", "Resource": f"arn:aws:cloudwatch:us-east-1:{J}:alarm:many"})  # fmt: skip
    mine.put_metric_data(Namespace="shop", MetricData=data)
    assert "cloudwatch:PutMetricData" in refused(mine.put_metric_data, Namespace="other", MetricData=data)[1]
    assert mine.list_metrics(Namespace="shop")["Metrics"][0]["Dimensions"] == [{"Name": "shop", "Value": "東京"}]
    points = mine.get_metric_statistics(Namespace="shop", MetricName="orders", StartTime=1_699_990_000, EndTime=1_700_010_000, Period=60,
                                        Statistics=["Sum"], Dimensions=data[0]["Dimensions"])["Datapoints"]  # fmt: skip
    assert [(p["Sum"], int(p["Timestamp"].timestamp())) for p in points] == [(2.5, 1_700_000_000)]
    alarm = {"MetricName": "orders", "Namespace": "shop", "Period": 60, "EvaluationPeriods": 1, "Threshold": 3.0, "Statistic": "Sum",
             "ComparisonOperator": "GreaterThanThreshold"}  # fmt: skip
    mine.put_metric_alarm(AlarmName="many", **alarm)
    assert "alarm:few because no identity-based policy" in refused(mine.put_metric_alarm, AlarmName="few", **alarm)[1]
    assert mine.describe_alarms(AlarmNames=["many"])["MetricAlarms"][0]["Threshold"] == 3.0
    assert refused(mine.set_alarm_state, AlarmName="many", StateValue="STRANGE", StateReason="")[0] not in ("InternalFailure", "AccessDenied")


def sent(aws: Sandbox, person: Person, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    request = AWSRequest("POST", aws.endpoint + path, data=body, headers=headers)
    SigV4Auth(Credentials(person.key["AccessKeyId"], person.key["SecretAccessKey"]), "monitoring", "us-east-1").add_auth(request)
    try:
        with urllib.request.urlopen(urllib.request.Request(aws.endpoint + path, body, dict(request.headers)), timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_the_same_service_in_JSON_query_and_broken_CBOR(aws: Sandbox, person: Person) -> None:
    leave(person, {"Action": "cloudwatch:ListMetrics", "Resource": "*"})
    target = {"x-amz-target": "GraniteServiceVersion20100801.ListMetrics", "content-type": "application/x-amz-json-1.0"}
    assert sent(aws, person, "/", b"{}", target)[0] == 200
    form = {"content-type": "application/x-www-form-urlencoded"}
    status, body = sent(aws, person, "/", b"Action=ListMetrics&Version=2010-08-01", form)
    assert status == 200 and b"<ListMetricsResult>" in body
    status, body = sent(aws, person, "/", b"Action=DescribeAlarms&Version=2010-08-01", form)
    assert status == 403 and b"<Code>AccessDenied</Code>" in body
    cbor = {"smithy-protocol": "rpc-v2-cbor", "content-type": "application/cbor"}
    path = "/service/GraniteServiceVersion20100801/operation/ListMetrics"
    assert sent(aws, person, path, b"\xa0", cbor)[0] == 200
    broken = [b"\xff", b"\xa1", b"\x80", b"\xa0\xa0", b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", b"\x9f" * 5000, b"\xbf\x61a", b"\xa1\x80\x01",
              b"\xa1\x61a\xc2\x01", b"\xa1\x69Namespace\xa1\x61b\x01", b"\xa1\x69Namespace\x42\xff\xfe", b"\xbb" + b"\xff" * 8]  # fmt: skip
    for one in broken:
        status, body = sent(aws, person, path, one, cbor)
        assert status in (400, 200) and b"InternalFailure" not in body, one
    assert sent(aws, person, path.replace("ListMetrics", "Nothing"), b"\xa0", cbor)[0] == 404
    assert sent(aws, person, "/service/Else/operation/ListMetrics", b"\xa0", cbor)[0] == 404


def test_services_that_share_a_signing_name(aws: Sandbox, person: Person) -> None:
    """Which of them a request is of is told by its form; each is decided by its own action and answered by moto."""
    calls: dict[str, tuple[str, str, dict[str, Any], str]] = {
        "apigatewayv2": ("apigatewayv2", "get_apis", {}, "apigateway:GET"),
        "apigateway": ("apigateway", "get_rest_apis", {}, "apigateway:GET"),
        "efs": ("efs", "describe_file_systems", {}, "elasticfilesystem:DescribeFileSystems"),
        "elb": ("elb", "describe_load_balancers", {}, "elasticloadbalancing:DescribeLoadBalancers"),
        "elbv2": ("elbv2", "describe_target_groups", {}, "elasticloadbalancing:DescribeTargetGroups"),
        "emr": ("emr", "list_clusters", {}, "elasticmapreduce:ListClusters"),
        "opensearch": ("opensearch", "list_domain_names", {}, "es:ListDomainNames"),
        "sesv2": ("sesv2", "list_contact_lists", {}, "ses:ListContactLists"),
        "ses": ("ses", "list_identities", {}, "ses:ListIdentities"),
        "service-quotas": ("service-quotas", "list_aws_default_service_quotas", {"ServiceCode": "vpc"},
                           "servicequotas:ListAWSDefaultServiceQuotas"),
        "tagging": ("resourcegroupstaggingapi", "get_resources", {}, "tag:GetResources"),
        "timestream": ("timestream-write", "list_databases", {}, "timestream:ListDatabases"),
        "pinpoint": ("pinpoint", "get_apps", {}, "mobiletargeting:GetApps"),
        "codebuild": ("codebuild", "list_projects", {}, "codebuild:ListProjects"),
    }
    for name, (service, operation, params, action) in calls.items():
        call = getattr(aws.client(service, person.key), operation)
        leave(person, {"Action": "x:y", "Resource": "*"})
        assert f"perform: {action}" in refused(call, **params)[1], name
        leave(person, {"Action": action, "Resource": "*"})
        call(**params)
