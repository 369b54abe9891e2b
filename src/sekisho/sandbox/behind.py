"""The state behind the front: moto's, one for each embedded AWS, and what it says that a decision rests on.

moto keeps one state a process. Here each embedded AWS has its own: while one is being asked, what belongs to the others is put aside.
A state that survives a restart is told again from the journal (``journal.py``) when it is first needed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, ClassVar

from sekisho.errors import PolicyError
from sekisho.policy import Policy, PolicyKind
from sekisho.sandbox import moments
from sekisho.sandbox.journal import Entry
from sekisho.sandbox.moments import Moment

_POLICIES_OF = ("s3", "sqs", "sns", "kms", "secretsmanager")
"""Services whose resource policies take part in decisions."""

_TAGS_KNOWN = ("dynamodb", "kms", "lambda", "logs", "secretsmanager", "sns", "sqs", "ssm")
"""Services in whose tags a resource that moto doesn't list has none."""


_ENCRYPTED = {
    "sqs": ("queues", "kms_master_key_id"), "sns": ("topics", "kms_master_key_id"), "secretsmanager": ("secrets", "kms_key_id"),
    "ssm": ("_parameters", "keyid"),
}  # fmt: skip
"""Where moto keeps what can be encrypted, by name, and the attribute with its key."""


class Behind:
    """moto's state for one embedded AWS. Use it inside ``with behind.used():``, which is quick where it was the last one used."""

    _lock: ClassVar[threading.RLock] = threading.RLock()
    _in_place: ClassVar[Behind | None] = None

    def __init__(
        self, birth: tuple[datetime, bytes] | None = None, tell: Callable[[Behind], None] | None = None, note: Callable[[Entry], None] | None = None
    ) -> None:
        """``birth``: when it began, and its seed. ``tell`` brings it to where it was, before its first use; ``note`` keeps what is done to it."""
        # moto reads these when it is imported, and an account of the environment would win over the one that we name.
        os.environ.pop("MOTO_ACCOUNT_ID", None)
        self._aside: list[tuple[Any, dict[str, Any], dict[str, Any]]] = []
        self._birth = birth or (datetime.now(UTC), os.urandom(16))
        self._tell = tell
        self._note = note

    @property
    def is_told(self) -> bool:
        """Whether using it means no long wait."""
        return self._tell is None

    def note(self, entry: Entry) -> None:
        """Keep what was done to the state, so that it can be done again."""
        if self._note is not None:
            self._note(entry)

    @contextmanager
    def used(self) -> Iterator[None]:
        """This state in its place, for as long as the block lasts; others wait."""
        with Behind._lock:
            if Behind._in_place is not self:
                if Behind._in_place is not None:
                    Behind._in_place._put_aside()
                elif _in_use():
                    Behind()._put_aside()
                self._take_its_place()
            if self._tell is not None:
                tell, self._tell = self._tell, None
                tell(self)
            yield

    def forget(self) -> None:
        """Give up this state for good."""
        with Behind._lock:
            if Behind._in_place is self:
                self._put_aside()
                Behind._in_place = None
            self._aside = []

    def _put_aside(self) -> None:
        self._aside = []
        for held in _in_use():
            owners = getattr(held, "bucket_accounts", {})
            self._aside.append((held, dict(held), dict(owners)))
            held.clear()
            owners.clear()
        _in_use().clear()

    def _take_its_place(self) -> None:
        for held, content, owners in self._aside:
            held.update(content)
            if owners:
                held.bucket_accounts.update(owners)
            _in_use().append(held)
        self._aside = []
        Behind._in_place = self
        moments.born(*self._birth)

    # What decisions rest on ------------------------------------------------------------------------------------------

    def _held(self, service: str, account: str, region: str) -> Any:
        from moto.backends import get_backend

        backends: Any = get_backend(service)  # type: ignore[call-overload]
        return backends[account][region]

    def owner_of_bucket(self, bucket: str) -> str:
        """The account of a bucket; empty where there is no such bucket."""
        from moto.s3.models import s3_backends

        with self.used():
            return str(s3_backends.bucket_accounts.get(bucket, ("", ""))[1])

    def object_tags(self, account: str, bucket: str, key: str, version: str | None = None) -> dict[str, str]:
        """The tags that an object of S3 has; empty where there is no such object."""
        with self.used():
            held = self._held("s3", account, "aws")
            found = held.buckets[bucket].keys.get(key) if bucket in held.buckets else None
            if version is not None and bucket in held.buckets:
                found = next((k for k in held.buckets[bucket].keys.getlist(key, []) if str(k.version_id) == version), None)
            tags: dict[str, str] = held.tagger.get_tag_dict_for_resource(found.arn) if found is not None and hasattr(found, "arn") else {}
            return dict(tags)

    def encrypted_with(self, service: str, account: str, region: str, name: str, part: str = "") -> str:
        """The KMS key that a bucket (or its object ``part``), queue, topic, secret or parameter is set to use, as it was named; else empty."""
        with self.used():
            if service == "s3":
                bucket = self._held("s3", account, "aws").buckets.get(name)
                found = bucket.keys.get(part) if bucket is not None and part else None
                if part:
                    return str(found.kms_key_id or "") if found is not None and found.encryption == "aws:kms" else ""
                rule = ((bucket.encryption or {}).get("Rule") or {}) if bucket is not None else {}
                default = rule.get("ApplyServerSideEncryptionByDefault") or {} if isinstance(rule, Mapping) else {}
                return str(default.get("KMSMasterKeyID") or "") if default.get("SSEAlgorithm") == "aws:kms" else ""
            things, key = _ENCRYPTED[service]
            held = getattr(self._held(service, account, region), things)
            if service == "ssm":
                # A parameter has versions, and its name a leading slash or none.
                thing = next((versions[-1] for n, versions in held.items() if versions and n.strip("/") == name.strip("/")), None)
            else:
                thing = held.get(name)
            return str(getattr(thing, key, None) or "") if thing else ""

    def scaling_arn(self, account: str, region: str, kind: str, name: str) -> str:
        """The ARN of an Auto Scaling group or a launch configuration; empty where there is none of the name."""
        with self.used():
            held = self._held("autoscaling", account, region)
            found = (held.autoscaling_groups if kind == "autoScalingGroup" else held.launch_configurations).get(name)
            return str(found.arn) if found is not None else ""

    def kms_key(self, account: str, region: str, name: str) -> str:
        """The id of the key behind ``alias/…``; empty where there is none."""
        with self.used():
            return str(self._held("kms", account, region).get_key_id_from_alias(name) or "")

    def kms_aliases(self, account: str, region: str, key: str) -> list[str]:
        with self.used():
            found = self._held("kms", account, region).keys.get(key)
            return sorted(found.aliases) if found is not None else []

    def secret(self, account: str, region: str, name: str) -> str:
        """The whole ARN of a secret, by its name or by an ARN with or without the six characters; empty where there is none."""
        with self.used():
            found = self._held("secretsmanager", account, region).secrets.get(name)
            return str(found.arn) if found is not None else ""

    def table_keys(self, account: str, region: str, table: str) -> str:
        """The name of the partition key of a table of DynamoDB; empty where there is no such table."""
        with self.used():
            found = self._held("dynamodb", account, region).tables.get(table)
            return str(found.hash_key_attr) if found is not None else ""

    def has_message(self, account: str, region: str, queue: str) -> bool:
        """Whether a queue has a message that can be received."""
        with self.used():
            found = self._held("sqs", account, region).queues.get(queue) if account and region else None
            return found is not None and any(m.visible for m in found.messages)

    def queue_waits(self, account: str, region: str, queue: str) -> float:
        """How long a queue lets one wait who doesn't say."""
        with self.used():
            found = self._held("sqs", account, region).queues.get(queue) if account and region else None
            return float(getattr(found, "receive_message_wait_time_seconds", 0) or 0)

    def stack(self, account: str, region: str, name: str) -> tuple[str, str]:
        """(ARN, template) of a stack that exists, by name or ARN; twice empty where there is none."""
        with self.used():
            stacks = self._held("cloudformation", account, region).stacks.values()
            found = next((s for s in stacks if name in (s.name, s.stack_id) and s.status != "DELETE_COMPLETE"), None)
            return (str(found.stack_id), str(found.template)) if found is not None else ("", "")

    def stack_resources(self, account: str, region: str, name: str) -> dict[str, str]:
        """Logical → physical id of what a stack holds; empty where there is no such stack."""
        with self.used():
            stacks = self._held("cloudformation", account, region).stacks.values()
            found = next((s for s in stacks if name in (s.name, s.stack_id) and s.status != "DELETE_COMPLETE"), None)
            if found is None:
                return {}
            return {r.logical_resource_id: str(r.physical_resource_id or "") for r in found.stack_resources if getattr(r, "logical_resource_id", "")}

    def stack_status(self, account: str, region: str, name: str) -> str:
        with self.used():
            stacks = self._held("cloudformation", account, region).stacks.values()
            return next((str(s.status) for s in stacks if s.name == name and s.status != "DELETE_COMPLETE"), "")

    def stack_attributes(self, account: str, region: str, name: str, logical: str) -> dict[str, str]:
        """What GetAtt gives for a resource of a stack: the ARN, and what else moto tells by the usual names."""
        from moto.cloudformation.exceptions import UnformattedGetAttTemplateException

        with self.used():
            stacks = self._held("cloudformation", account, region).stacks.values()
            stack = next((s for s in stacks if s.name == name and s.status != "DELETE_COMPLETE"), None)
            made: Any = stack.resource_map[logical] if stack is not None and logical in stack.resource_map else None
            found: dict[str, str] = {}
            for attribute in ("Arn", "QueueName", "QueueUrl", "TopicArn", "TopicName", "DomainName", "Id") if made is not None else ():
                try:
                    found[attribute] = str(made.get_cfn_attribute(attribute))
                except (UnformattedGetAttTemplateException, AttributeError, NotImplementedError, KeyError):
                    continue
            return found

    def change_set_template(self, account: str, region: str, name: str, stack: str) -> str:
        with self.used():
            sets = self._held("cloudformation", account, region).change_sets.values()
            named = [s for s in sets if name in (s.change_set_name, s.change_set_id)]
            found = next((s for s in named if not stack or stack in (s.stack.name, s.stack.stack_id)), None)
            return str(found.template) if found is not None else ""

    def default_network(self, account: str, region: str, zone: str = "") -> tuple[str, str, str]:
        """(VPC, subnet, security group) that an instance gets which names none; empty texts where there is none."""
        with self.used():
            held = self._held("ec2", account, region)
            vpc = next((v for v in held.vpcs.values() if str(v.is_default).lower() == "true"), None)
            subnets = [s for zones in held.subnets.values() for s in zones.values() if vpc is not None and s.vpc_id == vpc.id]
            subnet = next((s for s in subnets if str(s.default_for_az).lower() == "true" and zone in ("", s.availability_zone)), None)
            group = held.get_default_security_group(vpc.id) if vpc is not None else None
            return (vpc.id if vpc else "", subnet.id if subnet else "", group.id if group else "")

    def vpc_of_subnet(self, account: str, region: str, subnet: str) -> str:
        with self.used():
            zones = self._held("ec2", account, region).subnets.values()
            return next((str(z[subnet].vpc_id) for z in zones if subnet in z), "")

    def security_group(self, account: str, region: str, name: str) -> str:
        """The id of the security group of a name; empty where there is none, or more than one."""
        with self.used():
            vpcs = self._held("ec2", account, region).groups.values()
            found = [group.id for groups in vpcs for group in groups.values() if group.name == name]
            return found[0] if len(found) == 1 else ""

    def tags(self, service: str, account: str, region: str, arn: str) -> dict[str, str] | None:
        """The tags of a resource; None where they can't be told. A stream has its log group's, a version its function's, an index its table's."""
        arn = _tagged(service, arn)
        with self.used():
            if service == "ec2":
                found = self._held("ec2", account, region).tags.get(arn.rpartition("/")[2], {})
                return {str(k): str(v) for k, v in found.items()}
            held = self._held("resourcegroupstaggingapi", account, region)._get_backend_for_resource(arn)
            if held is None:
                return None
            resource = next((r for r in held.iter_tagged_resources() if r.arn in (arn, f"{arn}:*")), None)
            if resource is None:
                # It has none; or moto spells its ARN otherwise, which has been looked into for these alone.
                return {} if service in _TAGS_KNOWN else None
            return {str(k): str(v) for k, v in _pairs(resource.tags)}

    def know_role(self, arn: str, at: datetime) -> None:
        """Let moto see a role that is handed to one of its services, where it asks for one."""
        self._show((arn,), at)

    def know_instance_profile(self, arn: str, role: str, at: datetime) -> None:
        """The same for an instance profile and its role."""
        self._show((arn, role), at)

    def _show(self, arns: tuple[str, ...], at: datetime) -> None:
        moment = Moment(at, os.urandom(16))
        if self.show(arns, moment):
            self.note(Entry(at.isoformat(), moment.seed.hex(), shown=arns))

    def show(self, arns: tuple[str, ...], moment: Moment) -> bool:
        """A role, or an instance profile and its role, put into moto's own IAM, in a moment; whether something wasn't there yet."""
        *profiles, role = arns
        with self.used():
            held = self._held("iam", role.split(":")[4], "aws")
            path, _, name = role.partition(":role")[2].rpartition("/")
            new = False
            with moment.lived():
                if name and all(r.name != name for r in held.roles.values()):
                    held.create_role(name, "{}", path + "/", None, "", [], 3600)
                    new = True
                for profile in profiles:
                    if profile.rpartition("/")[2] not in {p.name for p in held.instance_profiles.values()}:
                        made = held.create_instance_profile(profile.rpartition("/")[2], "/", [])
                        made.roles.extend(r for r in held.roles.values() if r.name == name)
                        new = True
            return new

    # Resource policies -----------------------------------------------------------------------------------------------

    def resource_policies(self, account: str) -> tuple[dict[str, Policy], dict[str, str]]:
        """(policies by the ARN of their resource, why those that can't be read can't) of an account."""
        good: dict[str, Policy] = {}
        bad: dict[str, str] = {}
        with self.used():
            for arn, text in self._documents(account):
                try:
                    good[arn] = Policy.parse(text, kind=PolicyKind.RESOURCE, name=arn)
                except PolicyError as error:
                    bad[arn] = error.message
        return good, bad

    def _documents(self, account: str) -> Iterator[tuple[str, str]]:
        for held in list(_in_use()):
            if held.service_name in _POLICIES_OF and account in dict(held):
                for region in list(held[account].values()):
                    yield from _of_service(held.service_name, region)


def _tagged(service: str, arn: str) -> str:
    if service == "logs":
        return arn.partition(":log-stream:")[0]
    if service == "lambda":
        return ":".join(arn.split(":")[:7])
    return arn.partition("/index/")[0].partition("/stream/")[0] if service == "dynamodb" else arn


def _pairs(tags: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(tags, Mapping):
        yield from tags.items()
    else:
        yield from ((t.get("Key", t.get("key")), t.get("Value", t.get("value"))) for t in tags)


def _in_use() -> list[Any]:
    """moto's states by service, those that hold something."""
    from moto.core import base_backend

    held: Any = base_backend.BackendDict
    return held._instances  # type: ignore[no-any-return]


def _of_service(service: str, held: Any) -> Iterator[tuple[str, str]]:
    if service == "s3":
        for name, bucket in held.buckets.items():
            if bucket.policy:
                yield f"arn:aws:s3:::{name}", _text(bucket.policy)
        return
    things = {"sqs": "queues", "sns": "topics", "kms": "keys", "secretsmanager": "secrets"}[service]
    for thing in list(getattr(held, things).values()):
        if getattr(thing, "policy", None):
            yield str(getattr(thing, "arn", "") or thing.queue_arn), _text(thing.policy)


def _text(policy: Any) -> str:
    if isinstance(policy, bytes):
        return policy.decode("utf-8", "replace")
    return policy if isinstance(policy, str) else json.dumps(policy)
