"""SCPs and RCPs of an organisation: made through its API, in force at once, read back by collect, and those of an estate that a sandbox starts with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sekisho import Request, decide
from sekisho.deploy.accounts import kept_on_endpoint
from sekisho.deploy.collect import collect
from sekisho.estate import Estate, account_from_json, account_to_json
from sekisho.sandbox import organizations
from sekisho.sandbox.front import EmbeddedAws
from sekisho.sandbox.server import Server, serve

from .people import Sandbox, allow, refused, trust

M, J, T = "000011112222", "111122223333", "444455556666"
FULL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


@pytest.fixture
def aws() -> Iterator[Sandbox]:
    with serve([M, J, T], port=0) as server:
        yield Sandbox(server)


class Administrators:
    """Clients for collect, of each account's administrator."""

    def __init__(self, aws: Sandbox) -> None:
        self.aws = aws

    def client(self, account: str, service: str) -> Any:
        return kept_on_endpoint(self.aws.client(service, account=account))


def policy(aws: Sandbox, name: str, statement: dict[str, Any], kind: str = "SERVICE_CONTROL_POLICY") -> str:
    content = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    made = aws.client("organizations", account=M).create_policy(Name=name, Type=kind, Content=content, Description="")
    found: str = made["Policy"]["PolicySummary"]["Id"]
    return found


def founded(aws: Sandbox) -> Any:
    """An organisation with all three accounts, SCPs and RCPs enabled."""
    manager = aws.client("organizations", account=M)
    manager.create_organization(FeatureSet="ALL")
    for account in (J, T):
        handshake = manager.invite_account_to_organization(Target={"Id": account, "Type": "ACCOUNT"})["Handshake"]["Id"]
        aws.client("organizations", account=account).accept_handshake(HandshakeId=handshake)
    root = manager.list_roots()["Roots"][0]["Id"]
    for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
        manager.enable_policy_type(RootId=root, PolicyType=kind)
    return manager


def test_D_03_an_SCP_binds_from_the_call_that_attaches_it(aws: Sandbox) -> None:
    manager = founded(aws)
    root = manager.list_roots()["Roots"][0]["Id"]
    alice = aws.user("alice", allow("*"))
    mine = aws.client("sqs", alice.key, account=J)
    mine.create_queue(QueueName="before")
    unit = manager.create_organizational_unit(ParentId=root, Name="jump")["OrganizationalUnit"]["Id"]
    manager.move_account(AccountId=J, SourceParentId=root, DestinationParentId=unit)
    mine.list_queues()
    scp = policy(aws, "no-queues", {"Effect": "Deny", "Action": "sqs:*", "Resource": "*"})
    manager.attach_policy(PolicyId=scp, TargetId=unit)
    arn = manager.describe_policy(PolicyId=scp)["Policy"]["PolicySummary"]["Arn"]
    expected = f"User: {alice.arn} is not authorized to perform: sqs:createqueue on resource: arn:aws:sqs:us-east-1:{J}:q with an explicit deny in "
    code, text, _ = refused(mine.create_queue, QueueName="q")
    assert (code, text) == ("AccessDeniedException", expected.replace("createqueue", "CreateQueue") + f"a service control policy: {arn}")
    # The root of a member account too; another account, and the management account, aren't bound.
    assert "a service control policy" in refused(aws.client("sqs", account=J).create_queue, QueueName="q")[1]
    aws.client("sqs", account=T).create_queue(QueueName="q")
    manager.attach_policy(PolicyId=scp, TargetId=root)
    assert "a service control policy" in refused(aws.client("sqs", account=T).create_queue, QueueName="q2")[1]
    aws.client("sqs", account=M).create_queue(QueueName="q")
    for target in (unit, root):
        manager.detach_policy(PolicyId=scp, TargetId=target)
    mine.create_queue(QueueName="q")
    # Each level must allow: with a list of what is allowed in the place of FullAWSAccess, the rest isn't.
    only = policy(aws, "only-iam", {"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    manager.attach_policy(PolicyId=only, TargetId=J)
    manager.detach_policy(PolicyId="p-FullAWSAccess", TargetId=J)
    assert refused(mine.list_queues)[1].endswith("because no service control policy allows the sqs:ListQueues action")
    assert "last policy" in refused(manager.detach_policy, PolicyId=only, TargetId=J)[1]
    manager.disable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
    mine.list_queues()


def test_D_03_an_RCP_guards_roles_for_callers_of_all_accounts(aws: Sandbox) -> None:
    manager = founded(aws)
    alice = aws.user("alice", allow("sts:AssumeRole"))
    role = aws.role(trust(f"arn:aws:iam::{J}:root"), account=T)
    alice.assume(role, address="192.0.2.44")
    outside = {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Resource": "*",
               "Condition": {"NotIpAddressIfExists": {"aws:SourceIp": "203.0.113.0/24"}, "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}}}  # fmt: skip
    manager.attach_policy(PolicyId=policy(aws, "perimeter", outside, "RESOURCE_CONTROL_POLICY"), TargetId=T)
    alice.assume(role, address="203.0.113.10")
    sts = aws.client("sts", alice.key, address="192.0.2.44")
    assert refused(sts.assume_role, RoleArn=role, RoleSessionName="alice")[0] == "AccessDenied"
    # collect reads all of it back, and what is read back decides alike.
    estate = collect(Administrators(aws), [M, J, T])
    held = estate.account(T)
    assert held is not None and held.resource_control is not None and [len(level) for level in held.resource_control] == [1, 2]
    assert held.service_control is not None and not held.unread and held.organization == manager.describe_organization()["Organization"]["Id"]
    for account in estate.accounts:
        assert account.is_management == (account.id == M)
    for address, allowed in (("203.0.113.10", True), ("192.0.2.44", False)):
        request = Request(alice.arn, "sts:AssumeRole", role, {"aws:SourceIp": address})
        assert decide(request, estate).allowed == allowed


def test_D_03_an_estates_own_policies_are_in_force_and_its_organisation_is_there(tmp_path: Path) -> None:
    """What collect read of one sandbox makes another: the same refusals, the same levels read back, and it can be changed."""
    with serve([M, J, T], port=0) as server:
        first = Sandbox(server)
        manager = founded(first)
        first.user("alice", allow("*"))
        unit = manager.create_organizational_unit(ParentId=manager.list_roots()["Roots"][0]["Id"], Name="u")["OrganizationalUnit"]["Id"]
        root = manager.list_roots()["Roots"][0]["Id"]
        for account in (J, T):
            manager.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
        scp = policy(first, "no-topics", {"Effect": "Deny", "Action": "sns:*", "Resource": "*"})
        manager.attach_policy(PolicyId=scp, TargetId=unit)
        read = collect(Administrators(first), [M, J, T])
    read = Estate.of(account_from_json(account_to_json(a), account_id=a.id) for a in read.accounts)
    aws = EmbeddedAws([a.id for a in read.accounts], tmp_path / "state")
    for account in read.accounts:
        aws.store.save(account)
    organizations.found_in(aws.store)
    with Server(aws, 0) as server:
        second = Sandbox(server)
        assert "a service control policy" in refused(second.client("sns", account=J).create_topic, Name="t")[1]
        again = collect(Administrators(second), [M, J, T])
        for account in read.accounts:
            found = again.account(account.id)
            assert found is not None
            assert (found.organization, found.is_management) == (account.organization, account.is_management)
            for name in ("service_control", "resource_control"):
                levels, expected = getattr(found, name), getattr(account, name)
                assert [[p.normalised() for p in level] for level in levels] == [[p.normalised() for p in level] for level in expected], name
        manager = second.client("organizations", account=M)
        (target,) = manager.list_targets_for_policy(PolicyId=scp)["Targets"]
        manager.detach_policy(PolicyId=scp, TargetId=target["TargetId"])
        second.client("sns", account=J).create_topic(Name="t")
    # It is on disk: after a restart it is as it was.
    with Server(EmbeddedAws([], tmp_path / "state"), 0) as server:
        third = Sandbox(server)
        assert [p["Name"] for p in third.client("organizations", account=M).list_policies(Filter="SERVICE_CONTROL_POLICY")["Policies"]] == [
            "FullAWSAccess", "no-topics"]  # fmt: skip


def test_who_may_and_what_is_refused(aws: Sandbox) -> None:
    member = aws.client("organizations", account=J)
    assert refused(member.describe_organization)[0] == "AWSOrganizationsNotInUseException"
    manager = founded(aws)
    member.describe_organization()
    assert refused(member.list_accounts)[0] == "AccessDeniedException"
    assert refused(manager.create_organization)[0] == "AlreadyInOrganizationException"
    root = manager.list_roots()["Roots"][0]["Id"]
    missing: dict[str, Any] = {"PolicyId": "p-0123456789", "TargetId": root}
    assert refused(manager.attach_policy, **missing)[0] == "PolicyNotFoundException"
    scp = policy(aws, "p", {**FULL, "Action": "s3:*"})
    assert refused(manager.attach_policy, PolicyId=scp, TargetId="ou-abcd-01234567")[0] == "TargetNotFoundException"
    assert refused(manager.detach_policy, PolicyId=scp, TargetId=root)[0] == "PolicyNotAttachedException"
    manager.attach_policy(PolicyId=scp, TargetId=root)
    assert refused(manager.attach_policy, PolicyId=scp, TargetId=root)[0] == "DuplicatePolicyAttachmentException"
    assert refused(manager.delete_policy, PolicyId=scp)[0] == "PolicyInUseException"
    content = {"Version": "2012-10-17", "Statement": [{**FULL, "Principal": "*"}]}
    create: dict[str, Any] = {"Name": "x", "Description": "", "Type": "SERVICE_CONTROL_POLICY"}
    assert refused(manager.create_policy, Content=json.dumps(content), **create)[0] == "MalformedPolicyDocumentException"
    granting = {"Version": "2012-10-17", "Statement": [{**FULL, "Principal": "*"}]}
    rcp: dict[str, Any] = {**create, "Type": "RESOURCE_CONTROL_POLICY"}
    assert refused(manager.create_policy, Content=json.dumps(granting), **rcp)[0] == "MalformedPolicyDocumentException"
    # A user of the management account needs leave on the policy and on the target.
    iam = aws.client("iam", account=M)
    iam.create_user(UserName="bob")
    keys = iam.create_access_key(UserName="bob")["AccessKey"]
    arn = manager.describe_policy(PolicyId=scp)["Policy"]["PolicySummary"]["Arn"]
    account = f"arn:aws:organizations::{M}:account/{manager.describe_organization()['Organization']['Id']}/{T}"
    for resources, allowed in (([arn], False), ([account], False), ([arn, account], True)):
        iam.put_user_policy(UserName="bob", PolicyName="p", PolicyDocument=json.dumps(allow("organizations:AttachPolicy", resources)))
        bob = aws.client("organizations", keys, account=M)
        if allowed:
            bob.attach_policy(PolicyId=scp, TargetId=T)
        else:
            assert "perform: organizations:AttachPolicy" in refused(bob.attach_policy, PolicyId=scp, TargetId=T)[1]
