"""What each service's calls ask for, told from AWS's reference data: exact resources by names that say the same, and how many there are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from sekisho.sandbox.server import serve

from .people import J, Person, Sandbox, refused

R = "us-east-1"
AN = f"{R}:{J}"
ROLE = f"arn:aws:iam::{J}:role/task"
FLOOR = {"ecs": 50, "rds": 105, "glue": 135, "events": 34, "batch": 30, "codebuild": 28, "cognito-idp": 90, "autoscaling": 40, "kinesis": 30, "acm": 30}


@pytest.fixture(scope="module")
def aws() -> Iterator[Sandbox]:
    with serve([J], port=0) as server:
        yield Sandbox(server)


@pytest.fixture(scope="module")
def person(aws: Sandbox) -> Person:
    return aws.user("worker")


def leave(person: Person, *pairs: tuple[str, str]) -> None:
    statements = [{"Effect": "Allow", "Action": a, "Resource": r} for a, r in pairs or [("x:y", "*")]]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    person.sandbox.client("iam").put_user_policy(UserName=person.name, PolicyName="leave", PolicyDocument=document)


Row = tuple[str, str, dict[str, Any], list[tuple[str, str]]]
ROWS: dict[str, Row] = {
    "ECS CreateCluster": ("ecs", "create_cluster", {"clusterName": "web"}, [("ecs:CreateCluster", f"arn:aws:ecs:{AN}:cluster/web")]),
    "ECS DescribeServices of the default cluster": (
        "ecs", "describe_services", {"services": ["s"]}, [("ecs:DescribeServices", f"arn:aws:ecs:{AN}:service/default/s")]),
    "ECS DescribeServices, the cluster by its ARN": (
        "ecs", "describe_services", {"cluster": f"arn:aws:ecs:{AN}:cluster/web", "services": ["s"]},
        [("ecs:DescribeServices", f"arn:aws:ecs:{AN}:service/web/s")]),
    "RDS DescribeDBInstances of one": (
        "rds", "describe_db_instances", {"DBInstanceIdentifier": "db1"}, [("rds:DescribeDBInstances", f"arn:aws:rds:{AN}:db:db1")]),
    "RDS DescribeDBInstances of all": ("rds", "describe_db_instances", {}, [("rds:DescribeDBInstances", f"arn:aws:rds:{AN}:db:*")]),
    "RDS StopDBCluster": ("rds", "stop_db_cluster", {"DBClusterIdentifier": "c"}, [("rds:StopDBCluster", f"arn:aws:rds:{AN}:cluster:c")]),
    "EventBridge PutRule": ("events", "put_rule", {"Name": "r", "ScheduleExpression": "rate(1 day)"}, [("events:PutRule", f"arn:aws:events:{AN}:rule/r")]),
    "EventBridge DescribeRule on a bus": (
        "events", "describe_rule", {"Name": "r", "EventBusName": "b"}, [("events:DescribeRule", f"arn:aws:events:{AN}:rule/b/r")]),
    "Glue CreateDatabase": (
        "glue", "create_database", {"DatabaseInput": {"Name": "d"}},
        [("glue:CreateDatabase", f"arn:aws:glue:{AN}:database/d"), ("glue:CreateDatabase", f"arn:aws:glue:{AN}:catalog")]),
    "Glue GetTable": (
        "glue", "get_table", {"DatabaseName": "d", "Name": "t"},
        [("glue:GetTable", f"arn:aws:glue:{AN}:{rest}") for rest in ("catalog", "database/d", "table/d/t")]),
    "Athena StartQueryExecution in the primary workgroup": (
        "athena", "start_query_execution", {"QueryString": "SELECT 1"}, [("athena:StartQueryExecution", f"arn:aws:athena:{AN}:workgroup/primary")]),
    "CodeBuild DeleteProject": ("codebuild", "delete_project", {"name": "p"}, [("codebuild:DeleteProject", f"arn:aws:codebuild:{AN}:project/p")]),
    "Step Functions CreateStateMachine hands a role over": (
        "stepfunctions", "create_state_machine", {"name": "m", "definition": "{}", "roleArn": ROLE},
        [("states:CreateStateMachine", f"arn:aws:states:{AN}:stateMachine:m"), ("iam:PassRole", ROLE)]),
    "Batch DescribeJobQueues": (
        "batch", "describe_job_queues", {}, [("batch:DescribeJobQueues", "*")]),
    "Auto Scaling CreateLaunchConfiguration": (
        "autoscaling", "create_launch_configuration", {"LaunchConfigurationName": "lc", "ImageId": "ami-12345678", "InstanceType": "t3.micro"},
        [("autoscaling:CreateLaunchConfiguration", f"arn:aws:autoscaling:{AN}:launchConfiguration:*:launchConfigurationName/lc")]),
    "Route 53 GetHostedZone": ("route53", "get_hosted_zone", {"Id": "Z123"}, [("route53:GetHostedZone", "arn:aws:route53:::hostedzone/Z123")]),
    "EFS CreateFileSystem": ("efs", "create_file_system", {"CreationToken": "t"}, [("elasticfilesystem:CreateFileSystem", "*")]),
    "EKS DescribeCluster": ("eks", "describe_cluster", {"name": "k"}, [("eks:DescribeCluster", f"arn:aws:eks:{AN}:cluster/k")]),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=[f"D-01 {name}" for name in ROWS])
def test_a_call_asks_for_this_and_no_more(aws: Sandbox, person: Person, row: Row) -> None:
    service, operation, params, pairs = row
    call = getattr(aws.client(service, person.key), operation)
    for left_out in pairs:
        leave(person, *(p for p in pairs if p != left_out))
        code, text, _ = refused(call, **params)
        where = "" if left_out[1] == "*" else f" on resource: {left_out[1]}"
        assert code in ("AccessDenied", "AccessDeniedException") and f"perform: {left_out[0]}{where} because" in text
    leave(person, *pairs)
    try:
        call(**params)
    except Exception as error:  # moto has no such thing; it was let through to say so
        assert "AccessDenied" not in str(error) and "InternalFailure" not in str(error), error


def test_how_much_is_known() -> None:
    """Exact resources don't get fewer; with SEKISHO_COVERAGE=all, of every service."""
    everything = os.environ.get("SEKISHO_COVERAGE") == "all"
    words = [sys.executable, "-m", "sekisho.cli", "sandbox", "coverage", *([] if everything else FLOOR), "--format", "json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, check=True)
    rows = json.loads(done.stdout)["operations"]
    exact = Counter(r["service"] for r in rows if r["known"] == "exact")
    assert {service: exact[service] for service, floor in FLOOR.items() if exact[service] < floor} == {}
    if everything:
        assert sum(exact.values()) >= 6000 and len({r["service"] for r in rows}) >= 140
