"""Stacks with AWS::IAM resources: made of IAM's own operations, decided as theirs, whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sekisho.sandbox.server import serve

from .people import J, Sandbox, T, allow

CFN = "cloudformation.amazonaws.com"
NAMED = ["CAPABILITY_NAMED_IAM"]
TEMPLATE = """
AWSTemplateFormatVersion: 2010-09-09
Description: a team
Parameters:
  Team: {Type: String, Default: blue, AllowedPattern: "[a-z]+"}
  Network: {Type: CommaDelimitedList, Default: "203.0.113.0/24, 198.51.100.7/32"}
  Stage: {Type: String, Default: test, AllowedValues: [test, live]}
Mappings:
  Hours: {test: {session: 3600}, live: {session: 7200}}
Conditions:
  Live: !Equals [!Ref Stage, live]
  NotLive: !Not [!Condition Live]
Resources:
  Guard:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      ManagedPolicyName: !Sub "${Team}-guard"
      Path: /teams/
      PolicyDocument:
        Version: 2012-10-17
        Statement:
          - {Effect: Deny, Action: "*", Resource: "*", Condition: {NotIpAddress: {"aws:SourceIp": !Ref Network}}}
  People:
    Type: AWS::IAM::Group
    Properties:
      GroupName: !Join ["-", [!Ref Team, people]]
      ManagedPolicyArns: [!Ref Guard]
  Member:
    Type: AWS::IAM::User
    Properties:
      UserName: !Select [0, !Split [",", "mori,abe"]]
      Groups: [!Ref People]
      Tags: [{Key: stack, Value: !Ref "AWS::StackName"}]
  Ops:
    Type: AWS::IAM::Role
    Properties:
      RoleName: ops
      MaxSessionDuration: !FindInMap [Hours, !Ref Stage, session]
      AssumeRolePolicyDocument:
        Version: 2012-10-17
        Statement: [{Effect: Allow, Principal: {AWS: !GetAtt Member.Arn}, Action: "sts:AssumeRole"}]
      Description: !If [Live, for real, !Ref "AWS::NoValue"]
  Try:
    Type: AWS::IAM::RolePolicy
    Condition: NotLive
    Properties:
      RoleName: !Ref Ops
      PolicyName: try
      PolicyDocument: {Version: 2012-10-17, Statement: [{Effect: Allow, Action: "s3:Get*", Resource: !Sub "arn:aws:s3:::${AWS::AccountId}-${!x}"}]}
  Machine:
    Type: AWS::IAM::InstanceProfile
    Properties: {Roles: [!Ref Ops]}
Outputs:
  Role: {Value: !GetAtt Ops.Arn}
  Machine: {Value: !GetAtt Machine.Arn, Condition: NotLive}
"""


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    with serve([J, T], port=0) as server:
        yield Sandbox(server)


def made(aws: Sandbox) -> dict[str, Any]:
    """What there is of IAM, without what AWS numbers."""
    body = aws.client("iam").get_account_authorization_details(Filter=["User", "Group", "Role", "LocalManagedPolicy"])
    text = json.dumps({k: v for k, v in body.items() if k.endswith(("List", "Policies"))}, default=str, sort_keys=True)
    found: dict[str, Any] = json.loads(text)
    return found


def the_stack(client: Any, name: str = "team") -> dict[str, Any]:
    found: dict[str, Any] = client.describe_stacks(StackName=name)["Stacks"][0]
    return found


def test_E_12_a_template_with_functions(aws: Sandbox) -> None:
    """Parameters, conditions, mappings, YAML's short forms; changed by an update; removed to the last bit."""
    cloudformation, iam = aws.client("cloudformation"), aws.client("iam")
    before = made(aws)
    cloudformation.create_stack(StackName="team", TemplateBody=TEMPLATE, Capabilities=NAMED)
    stack = the_stack(cloudformation)
    assert (stack["StackStatus"], stack["Description"]) == ("CREATE_COMPLETE", "a team"), stack
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    assert outputs["Role"] == f"arn:aws:iam::{J}:role/ops" and outputs["Machine"].startswith(f"arn:aws:iam::{J}:instance-profile/team-Machine-")
    guard = iam.get_policy_version(PolicyArn=f"arn:aws:iam::{J}:policy/teams/blue-guard", VersionId="v1")["PolicyVersion"]["Document"]
    assert guard["Version"] == "2012-10-17" and guard["Statement"][0]["Condition"]["NotIpAddress"]["aws:SourceIp"] == ["203.0.113.0/24", "198.51.100.7/32"]
    assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="mori")["Groups"]] == ["blue-people"]
    assert iam.list_user_tags(UserName="mori")["Tags"] == [{"Key": "stack", "Value": "team"}]
    role = iam.get_role(RoleName="ops")["Role"]
    assert role["MaxSessionDuration"] == 3600 and "Description" not in role
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {"AWS": f"arn:aws:iam::{J}:user/mori"}
    assert iam.get_role_policy(RoleName="ops", PolicyName="try")["PolicyDocument"]["Statement"][0]["Resource"] == f"arn:aws:s3:::{J}-${{x}}"
    held = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in cloudformation.describe_stack_resources(StackName="team")["StackResources"]}
    assert held["Guard"] == f"arn:aws:iam::{J}:policy/teams/blue-guard" and held["Member"] == "mori" and len(held) == 6

    live = [{"ParameterKey": "Stage", "ParameterValue": "live"}, {"ParameterKey": "Network", "ParameterValue": "192.0.2.0/24"}]
    cloudformation.update_stack(StackName="team", UsePreviousTemplate=True, Parameters=live, Capabilities=NAMED)
    assert the_stack(cloudformation)["StackStatus"] == "UPDATE_COMPLETE", the_stack(cloudformation)
    role = iam.get_role(RoleName="ops")["Role"]
    assert role["MaxSessionDuration"] == 7200 and role["Description"] == "for real"
    assert iam.list_role_policies(RoleName="ops")["PolicyNames"] == []
    assert iam.get_policy(PolicyArn=held["Guard"])["Policy"]["DefaultVersionId"] == "v2"
    with pytest.raises(ClientError, match="No updates are to be performed"):
        cloudformation.update_stack(StackName="team", UsePreviousTemplate=True, Parameters=live, Capabilities=NAMED)
    cloudformation.delete_stack(StackName="team")
    assert made(aws) == before
    with pytest.raises(ClientError, match="does not exist"):
        cloudformation.describe_stacks(StackName="team")
    assert the_stack(cloudformation, stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


def test_E_12_decided_on_the_callers_behalf(aws: Sandbox) -> None:
    """Each call of IAM needs its own leave, on its own resource, through CloudFormation; one that is refused takes all back."""
    person = aws.user("worker")

    def leave(*statements: dict[str, Any]) -> Any:
        document = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "cloudformation:*", "Resource": "*"}, *statements]}
        aws.client("iam").put_user_policy(UserName="worker", PolicyName="leave", PolicyDocument=json.dumps(document))
        return aws.client("cloudformation", person.key)

    template = json.dumps({"Resources": {
        "First": {"Type": "AWS::IAM::Group", "Properties": {"GroupName": "first"}},
        "Second": {"Type": "AWS::IAM::User", "DependsOn": "First", "Properties": {"UserName": "second", "Groups": [{"Ref": "First"}]}},
    }})  # fmt: skip
    groups = {"Effect": "Allow", "Action": "iam:*", "Resource": f"arn:aws:iam::{J}:group/*", "Condition": {"Bool": {"aws:ViaAWSService": "true"}}}
    users = {"Effect": "Allow", "Action": "iam:*User", "Resource": f"arn:aws:iam::{J}:user/second",
             "Condition": {"ForAnyValue:StringEquals": {"aws:CalledVia": CFN}}}  # fmt: skip
    before = made(aws)["UserDetailList"][:0], made(aws)["GroupDetailList"]
    client = leave(groups)
    client.create_stack(StackName="half", TemplateBody=template, Capabilities=NAMED)
    failed = the_stack(client, "half")
    assert failed["StackStatus"] == "ROLLBACK_COMPLETE" and "failed to create: [Second]" in failed["StackStatusReason"]
    assert f"User: {person.arn} is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::{J}:user/second" in failed["StackStatusReason"]
    assert made(aws)["GroupDetailList"] == before[1], "the group was taken back"
    refused, *_ = aws.events(name="CreateUser")
    assert refused["errorCode"] == "AccessDenied" and refused["userIdentity"]["invokedBy"] == refused["sourceIPAddress"] == CFN
    statuses = [(e["LogicalResourceId"], e["ResourceStatus"]) for e in client.describe_stack_events(StackName="half")["StackEvents"]]
    assert ("Second", "CREATE_FAILED") in statuses and statuses[0] == ("half", "ROLLBACK_COMPLETE")
    with pytest.raises(ClientError, match="ROLLBACK_COMPLETE state and can not be updated"):
        client.update_stack(StackName="half", TemplateBody=template, Capabilities=NAMED)
    client.delete_stack(StackName="half")

    client = leave(groups, users)
    client.create_stack(StackName="whole", TemplateBody=template, Capabilities=NAMED)
    assert the_stack(client, "whole")["StackStatus"] == "CREATE_COMPLETE", the_stack(client, "whole")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.client("iam", person.key).create_group(GroupName="directly")
    # What may be made may not always be removed.
    leave(groups).delete_stack(StackName="whole")
    assert the_stack(client, "whole")["StackStatus"] == "DELETE_FAILED"
    leave(groups, users).delete_stack(StackName="whole")
    assert made(aws)["GroupDetailList"] == before[1]


def test_E_13_as_the_role_that_is_handed_over(aws: Sandbox) -> None:
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": CFN}, "Action": "sts:AssumeRole"}]}
    role = aws.role(trust, name="stacks", account=J, policy=allow("iam:*Group*"))
    person = aws.user("worker", allow(["cloudformation:*", "iam:PassRole"]))
    client = aws.client("cloudformation", person.key)
    template = {"Resources": {"G": {"Type": "AWS::IAM::Group", "Properties": {"GroupName": "by-role"}}}}
    client.create_stack(StackName="s", TemplateBody=json.dumps(template), Capabilities=NAMED, RoleARN=role)
    assert the_stack(client, "s")["StackStatus"] == "CREATE_COMPLETE", the_stack(client, "s")
    record, *_ = aws.events(name="CreateGroup")
    assert record["userIdentity"]["arn"] == f"arn:aws:sts::{J}:assumed-role/stacks/AWSCloudFormation"
    client.delete_stack(StackName="s")  # the stack keeps its role
    assert made(aws)["GroupDetailList"] == []


def test_an_update_that_fails_changes_nothing(aws: Sandbox) -> None:
    client = aws.client("cloudformation")
    client.create_stack(StackName="team", TemplateBody=TEMPLATE, Capabilities=NAMED)
    aws.client("iam").create_user(UserName="taken")
    before, names = made(aws), [r["PhysicalResourceId"] for r in client.describe_stack_resources(StackName="team")["StackResources"]]
    broken = TEMPLATE.replace("    Type: AWS::IAM::InstanceProfile", "    Type: AWS::IAM::InstanceProfile\n    DependsOn: Other").replace(
        "Outputs:", "  Other: {Type: AWS::IAM::User, DependsOn: Ops, Properties: {UserName: taken}}\nOutputs:"
    ).replace("session: 3600", "session: 5400")
    client.update_stack(StackName="team", TemplateBody=broken, Capabilities=NAMED)
    stack = the_stack(client)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE" and "User with name taken already exists" in stack["StackStatusReason"]
    assert made(aws) == before
    assert names == [r["PhysicalResourceId"] for r in client.describe_stack_resources(StackName="team")["StackResources"]]
    renamed = TEMPLATE.replace("RoleName: ops", "RoleName: ops\n      Path: /elsewhere/")
    client.update_stack(StackName="team", TemplateBody=renamed, Capabilities=NAMED)
    assert "custom-named resource requires replacing" in the_stack(client)["StackStatusReason"] and made(aws) == before


REFUSED = {
    "a function": ({"U": {"Type": "AWS::IAM::User", "Properties": {"UserName": {"Fn::ImportValue": "x"}}}}, NAMED, "Fn::ImportValue"),
    "a type": ({"P": {"Type": "AWS::IAM::OIDCProvider", "Properties": {}}}, NAMED, "AWS::IAM::OIDCProvider"),
    "no capability": ({"U": {"Type": "AWS::IAM::User", "Properties": {"UserName": "u"}}}, ["CAPABILITY_IAM"], r"\[CAPABILITY_NAMED_IAM\]"),
    "a name that isn't there": ({"U": {"Type": "AWS::IAM::User", "Properties": {"Groups": [{"Ref": "X"}]}}}, NAMED, r"dependencies \[X\]"),
    "a ring": ({"A": {"Type": "AWS::IAM::User", "DependsOn": "B"}, "B": {"Type": "AWS::IAM::Group", "DependsOn": "A"}}, NAMED, "Circular"),
    "IAM after others": ({"Q": {"Type": "AWS::SQS::Queue"}, "P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": {
        "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": {"Fn::GetAtt": ["Q", "Arn"]}}]}}}}, NAMED, "can't refer to Q"),
    "a dynamic reference": ({"U": {"Type": "AWS::IAM::User", "Properties": {"UserName": "{{resolve:ssm:x}}"}}}, NAMED, "resolve"),
}  # fmt: skip


def test_what_isnt_understood_is_refused_with_the_reason(aws: Sandbox) -> None:
    client = aws.client("cloudformation")
    before = made(aws)
    for name, (resources, capabilities, message) in REFUSED.items():
        try:
            with pytest.raises(ClientError, match=message):
                client.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": resources}), Capabilities=capabilities)
        except BaseException as error:
            error.add_note(name)
            raise
    odd = {"U": {"Type": "AWS::IAM::User", "Properties": {"Nickname": "u"}}}
    client.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": odd}), Capabilities=NAMED)
    assert "Encountered unsupported property Nickname" in the_stack(client, "s")["StackStatusReason"]
    assert made(aws) == before


def test_what_isnt_IAMs_beside_it(aws: Sandbox) -> None:
    """A queue of the same stack is moto's, with the role's name in its policy; both go together."""
    client, sqs = aws.client("cloudformation"), aws.client("sqs")
    body: dict[str, Any] = {"Resources": {
        "R": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
        "P": {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": allow("s3:*")}},
        "Q": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": {"Fn::Join": ["-", ["of", {"Ref": "R"}]]}}},
    }, "Outputs": {"Q": {"Value": {"Fn::GetAtt": ["Q", "Arn"]}}}}  # fmt: skip
    client.create_stack(StackName="both", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])
    stack = the_stack(client, "both")
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    held = {r["LogicalResourceId"]: r["PhysicalResourceId"] for r in client.list_stack_resources(StackName="both")["StackResourceSummaries"]}
    assert stack["Outputs"][0]["OutputValue"] == f"arn:aws:sqs:us-east-1:{J}:of-{held['R']}"
    assert [s["StackName"] for s in client.describe_stacks()["Stacks"]] == ["both"]
    aws.user("holder")
    aws.client("iam").attach_user_policy(UserName="holder", PolicyArn=held["P"])
    del body["Resources"]["P"]  # which somebody else holds
    body["Resources"]["Q"]["Properties"]["QueueName"] = "another"
    client.update_stack(StackName="both", TemplateBody=json.dumps(body), Capabilities=["CAPABILITY_IAM"])
    stack = the_stack(client, "both")
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE" and "[P]" in stack["StackStatusReason"], stack
    aws.client("iam").detach_user_policy(UserName="holder", PolicyArn=held["P"])
    assert [u.rpartition("/")[2] for u in sqs.list_queues()["QueueUrls"]] == [f"of-{held['R']}"]
    client.delete_stack(StackName="both")
    assert "QueueUrls" not in sqs.list_queues() and made(aws)["RoleDetailList"] == []


def test_a_stack_survives(tmp_path: Path) -> None:
    with serve([J], port=0, state=tmp_path) as server:
        Sandbox(server).client("cloudformation").create_stack(StackName="team", TemplateBody=TEMPLATE, Capabilities=NAMED)
    with serve([J], port=0, state=tmp_path) as server:
        aws = Sandbox(server)
        assert the_stack(aws.client("cloudformation"))["StackStatus"] == "CREATE_COMPLETE" and len(made(aws)["UserDetailList"]) == 1
        aws.client("cloudformation").delete_stack(StackName="team")
        assert not any(made(aws).values())


def test_change_sets(aws: Sandbox) -> None:
    """What `aws cloudformation deploy` does: a change set for a new stack, one for a change, and one that holds no change."""
    client = aws.client("cloudformation")

    def change(kind: str, template: str) -> dict[str, Any]:
        named = {"StackName": "team", "ChangeSetName": "c"}
        client.create_change_set(**named, ChangeSetType=kind, TemplateBody=template, Capabilities=NAMED)
        found: dict[str, Any] = client.describe_change_set(**named)
        return found

    first = change("CREATE", TEMPLATE)
    assert first["Status"] == "CREATE_COMPLETE" and len(first["Changes"]) == 6 and the_stack(client)["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert not any(made(aws).values())
    client.execute_change_set(StackName="team", ChangeSetName="c")
    assert the_stack(client)["StackStatus"] == "CREATE_COMPLETE"
    again = change("UPDATE", TEMPLATE)
    assert again["Status"] == "FAILED" and "didn't contain changes" in again["StatusReason"]
    with pytest.raises(ClientError, match="UNAVAILABLE"):
        client.execute_change_set(StackName="team", ChangeSetName="c")
    client.delete_change_set(StackName="team", ChangeSetName="c")
    row = change("UPDATE", TEMPLATE.replace("session: 3600", "session: 5400"))["Changes"][0]["ResourceChange"]
    assert (row["Action"], row["LogicalResourceId"], row["PhysicalResourceId"]) == ("Modify", "Ops", "ops")
    client.execute_change_set(StackName="team", ChangeSetName="c")
    assert aws.client("iam").get_role(RoleName="ops")["Role"]["MaxSessionDuration"] == 5400
