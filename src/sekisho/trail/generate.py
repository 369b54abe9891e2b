"""Trails of an organisation that never was: for tests, measurements and demonstrations. Every record says that it is synthetic.

People sign in, switch role and work on week days, from the networks that the estate lets them in from; some try from elsewhere, some carry a
session outside after the switch (F-01). Whether a call works is what ``decide`` says of the estate, in AWS's words. The records have the
shapes that public data lacks: SwitchRole (G-06), the two records of one AssumeRole across accounts (G-04), IPv6, refusals with their reason.
"""

from __future__ import annotations

import gzip
import ipaddress
import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from sekisho.decision import Authorizer, CredentialKind, Decision, Request, request_context
from sekisho.estate import Estate, Role, User

REGIONS = ("us-east-1", "ap-northeast-1", "eu-west-1")
OUTSIDE = ("198.18.0.0/16", "2001:db8:beef::/48")
"""Where the cafes are: benchmark and documentation addresses that no environment names."""
_MOST_RECORDS = 2000
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Safari/605.1.15")
_CLI = "aws-cli/2.31.0 md/awscrt#0.27 ua/2.1 os/linux lang/python#3.13"


class Work(NamedTuple):
    """Something that people do in a role: the event, its action, and the resource as the record tells it."""

    source: str
    name: str
    action: str
    read_only: bool
    resource: str
    parameters: str
    share: int
    in_region: str | None = None


_WORK = (
    Work("ec2", "DescribeInstances", "ec2:DescribeInstances", True, "*", '{"instancesSet":{},"filterSet":{}}', 10),
    Work("ec2", "DescribeSecurityGroups", "ec2:DescribeSecurityGroups", True, "*", '{"securityGroupSet":{}}', 5),
    Work("s3", "ListBuckets", "s3:ListAllMyBuckets", True, "*", '{"Host":"s3.amazonaws.com"}', 3),
    Work("s3", "GetBucketPolicy", "s3:GetBucketPolicy", True, "arn:aws:s3:::example-{account}", '{"bucketName":"example-{account}"}', 2),
    Work("cloudtrail", "LookupEvents", "cloudtrail:LookupEvents", True, "*", '{"maxResults":50}', 2),
    Work("iam", "ListRoles", "iam:ListRoles", True, "arn:aws:iam::{account}:role/", "null", 2, "us-east-1"),
    Work("iam", "CreateUser", "iam:CreateUser", False, "arn:aws:iam::{account}:user/made-{n}", '{"userName":"made-{n}"}', 1, "us-east-1"),
    Work("sts", "GetCallerIdentity", "sts:GetCallerIdentity", True, "*", "null", 2),
)


@dataclass
class Truth:
    """What the generator knows: of each user, by network, how many calls worked, and of what kind. ``calls`` are the user's own."""

    events: int = 0
    worked: dict[str, dict[str, dict[str, int]]] = field(default_factory=dict)
    refused: int = 0
    files: int = 0

    def note(self, user: str, network: str, kind: str, decision: Decision) -> None:
        if not decision.allowed:
            self.refused += 1
            return
        kinds = self.worked.setdefault(user, {}).setdefault(network, {})
        kinds[kind] = kinds.get(kind, 0) + 1


def networks_in(estate: Estate) -> dict[str, list[str]]:
    """The networks that an estate's policies name, each called by itself; for estates that don't come from an environment file."""
    from sekisho.trail.request import policies_of

    found = {
        value
        for policy in policies_of(estate)
        for s in policy.statements
        for c in s.conditions
        if c.key.lower() == "aws:sourceip" and "IpAddress" in c.operator
        for value in c.values
        if "$" not in value
    }
    return {text: [text] for text in sorted(found)}


class Generator:
    """Writes ``days`` days of an estate's trail into a folder, in CloudTrail's layout (G-01). The same arguments give the same bytes."""

    def __init__(
        self, estate: Estate, networks: Mapping[str, Sequence[str]], out: Path, *, seed: int, start: date, days: int, busy: float = 1.0
    ) -> None:
        self.estate = estate
        self.networks = {name: [ipaddress.ip_network(c) for c in cidrs] for name, cidrs in networks.items()}
        self.out = out
        self.start = start
        self.days = days
        self.busy = busy
        self.mark = f"sekisho trail generate, seed {seed}"
        self.chance = random.Random(f"sekisho {seed}")
        self.authorizer = Authorizer(estate)
        self.truth = Truth()
        self.waiting: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        self.jump = {a.id for a in estate.accounts if a.users}
        self.key_of = {u.arn: self._id("AKIA") for a in estate.accounts for u in a.users}
        self.id_of: dict[str, str] = {}
        for account in estate.accounts:
            for user in account.users:
                self.id_of[user.arn] = user.id or self._id("AIDA")
            for role in account.roles:
                self.id_of[role.arn] = role.id or self._id("AROA")
        self.reach = {u.arn: self._reachable(u) for a in estate.accounts for u in a.users}

    # What people can do ---------------------------------------------------------------------------------------------

    def _reachable(self, user: User) -> dict[str, list[Role]]:
        """network → the roles that the user can switch to from there, with MFA."""
        found: dict[str, list[Role]] = {}
        for name, cidrs in self.networks.items():
            address = str(cidrs[0].network_address)
            context = request_context(CredentialKind.CONSOLE, source_ip=address, mfa=True, mfa_age_s=60, region="us-east-1")
            for account in self.estate.accounts:
                for role in account.roles:
                    if not role.is_service_linked and self._switch(user, role, context).allowed:
                        found.setdefault(name, []).append(role)
        return found

    def _switch(self, user: User, role: Role, context: Mapping[str, Any]) -> Decision:
        full = {**context, "sts:RoleSessionName": user.name}
        return self.authorizer.decide_anew(Request(user.arn, "sts:AssumeRole", role.arn, full))

    # A quarter ------------------------------------------------------------------------------------------------------

    def run(self) -> Truth:
        """Write all days; what the generator knows of them comes back, and is written beside the trail as ``truth.json``."""
        for day in (self.start + timedelta(n) for n in range(self.days)):
            for account in self.estate.accounts:
                self._services(account.id, day)
                for user in account.users:
                    if self.chance.random() < (0.8 if day.weekday() < 5 else 0.05) * min(self.busy, 1):
                        self._day_of(user, day)
            self._flush(day)
        self.out.mkdir(parents=True, exist_ok=True)
        body = {
            "synthetic": self.mark, "events": self.truth.events, "refused": self.truth.refused, "files": self.truth.files,
            "worked": self.truth.worked,
        }  # fmt: skip
        (self.out / "truth.json").write_bytes(msgspec.json.format(msgspec.json.encode(body), indent=1))
        return self.truth

    def _services(self, account: str, day: date) -> None:
        """What goes on without people: AWS Config takes its role twice a day in each Region."""
        for region in REGIONS:
            for hour in (3, 15):
                role = f"arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"
                self._write(
                    account, region, self._at(day, hour), "sts.amazonaws.com", "AssumeRole", "config.amazonaws.com", "config.amazonaws.com",
                    {"type": "AWSService", "invokedBy": "config.amazonaws.com"},
                    requestParameters={"roleArn": role, "roleSessionName": "AWSConfig-Describe"}, readOnly=True,
                    responseElements={"credentials": {"accessKeyId": self._id("ASIA"), "expiration": self._expiry(self._at(day, hour))}},
                    resources=[{"ARN": role, "accountId": account, "type": "AWS::IAM::Role"}],
                )  # fmt: skip

    def _day_of(self, user: User, day: date) -> None:
        reach = self.reach[user.arn]
        usual = sorted(reach) or sorted(self.networks)
        at = self._at(day, 8 + self.chance.randrange(9))
        for _ in range(1 + (self.chance.random() < 0.3 * self.busy)):
            # People have a desk: mostly the first of their networks, which differs by person.
            mine = sorted(usual, key=lambda n: random.Random(user.name + n).random())
            network = mine[0] if self.chance.random() < 0.85 else self.chance.choice(mine)
            outside = self.chance.random() < 0.03
            address = self._address(OUTSIDE) if outside else self._in(network)
            name = "outside" if outside else network
            roles = reach.get(network, [])
            style = self.chance.random()
            if style < 0.7:
                at = self._console(user, at, address, name, roles)
            else:
                at = self._cli(user, at, address, name, roles, with_token=style < 0.95)
            at += timedelta(minutes=self.chance.randrange(5, 90))

    def _console(self, user: User, at: datetime, address: str, network: str, roles: Sequence[Role]) -> datetime:
        account = user.arn.split(":")[4]
        agent = self.chance.choice(_AGENTS)
        plain = {"type": "IAMUser", "principalId": self.id_of[user.arn], "accountId": account, "userName": user.name, "accessKeyId": ""}
        signed = {**plain, "arn": user.arn}
        sign_in = {"eventType": "AwsConsoleSignIn", "requestParameters": None, "readOnly": False}
        if self.chance.random() < 0.04:
            self._write(
                account, "us-east-1", at, "signin.amazonaws.com", "ConsoleLogin", address, agent, plain, **sign_in,
                errorMessage="Failed authentication",
                responseElements={"ConsoleLogin": "Failure"}, additionalEventData={"MobileVersion": "No", "MFAUsed": "No"},
            )  # fmt: skip
            at += timedelta(seconds=20)
        self._write(
            account, "us-east-1", at, "signin.amazonaws.com", "CheckMfa", address, agent, signed, **sign_in,
            responseElements={"CheckMfa": "Success"}, additionalEventData={"MfaType": "Virtual MFA"},
        )  # fmt: skip
        at += timedelta(seconds=9)
        self._write(
            account, "us-east-1", at, "signin.amazonaws.com", "ConsoleLogin", address, agent, signed, **sign_in,
            responseElements={"ConsoleLogin": "Success"},
            additionalEventData={"LoginTo": "https://console.aws.amazon.com/console/home", "MobileVersion": "No", "MFAUsed": "Yes"},
        )  # fmt: skip
        created, key = at, self._id("ASIA")
        session = self._session_identity(user, key, created)
        self._own_call(user, at + timedelta(seconds=4), address, network, agent, session, created, CredentialKind.CONSOLE)
        for role in self._some(roles):
            at += timedelta(seconds=self.chance.randrange(30, 1200))
            age = int((at - created).total_seconds())
            context = request_context(CredentialKind.CONSOLE, source_ip=address, mfa=True, mfa_age_s=age, issued=created, now=at, region="us-east-1")
            decision = self._switch(user, role, context)
            self.truth.note(user.name, network, "switches", decision)
            internal = {**session, "invokedBy": "AWS Internal"}
            made = self._assume(user, role, at, "us-east-1", "AWS Internal", "AWS Internal", internal, decision, {"roleSessionName": user.name})
            if made is None:
                continue
            target = role.arn.split(":")[4]
            arn = f"arn:aws:sts::{target}:assumed-role/{role.name}/{user.name}"
            self._write(
                target, "us-east-1", at + timedelta(seconds=1), "signin.amazonaws.com", "SwitchRole", address, agent,
                {"type": "AssumedRole", "principalId": f"{self.id_of[role.arn]}:{user.name}", "arn": arn, "accountId": target}, **sign_in,
                responseElements={"SwitchRole": "Success"},
                additionalEventData={"SwitchFrom": user.arn, "RedirectTo": "https://console.aws.amazon.com/console/home"},
            )  # fmt: skip
            at = self._in_role(user, role, made, at + timedelta(seconds=5), address, network, agent, mfa=True)
        return at

    def _cli(self, user: User, at: datetime, address: str, network: str, roles: Sequence[Role], *, with_token: bool) -> datetime:
        account = user.arn.split(":")[4]
        long_term = {
            "type": "IAMUser", "principalId": self.id_of[user.arn], "arn": user.arn, "accountId": account, "accessKeyId": self.key_of[user.arn],
            "userName": user.name,
        }  # fmt: skip
        serial = f"arn:aws:iam::{account}:mfa/{user.name}"
        region = self.chance.choice(REGIONS)
        identity, created, kind = long_term, None, CredentialKind.KEY
        if with_token:
            key = self._id("ASIA")
            self._write(
                account, region, at, "sts.amazonaws.com", "GetSessionToken", address, _CLI, long_term, readOnly=True,
                requestParameters={"serialNumber": serial, "durationSeconds": 43200},
                responseElements={"credentials": {"accessKeyId": key, "expiration": self._expiry(at)}},
            )  # fmt: skip
            identity, created, kind = self._session_identity(user, key, at), at, CredentialKind.SESSION_TOKEN
        for role in self._some(roles):
            at += timedelta(seconds=self.chance.randrange(2, 600))
            age = int((at - created).total_seconds()) if created else 0
            context = request_context(CredentialKind.CONSOLE, source_ip=address, mfa=True, mfa_age_s=age, issued=created, now=at, region=region)
            decision = self._switch(user, role, context)
            self.truth.note(user.name, network, "switches", decision)
            parameters: dict[str, Any] = {"roleSessionName": user.name, "durationSeconds": 3600}
            if kind is CredentialKind.KEY:
                # The code goes with the call itself; the role's session then carries no MFA (E-08).
                parameters["serialNumber"] = serial
            made = self._assume(user, role, at, region, address, _CLI, identity, decision, parameters)
            if made is not None:
                at = self._in_role(user, role, made, at + timedelta(seconds=1), address, network, _CLI, mfa=with_token)
        return at

    # Calls ----------------------------------------------------------------------------------------------------------

    def _own_call(
        self, user: User, at: datetime, address: str, network: str, agent: str, identity: Mapping[str, Any], created: datetime, kind: CredentialKind
    ) -> None:
        account = user.arn.split(":")[4]
        age = int((at - created).total_seconds())
        context = request_context(kind, source_ip=address, mfa=True, mfa_age_s=age, issued=created, now=at, region="us-east-1")
        decision = self.authorizer.decide_anew(Request(user.arn, "iam:GetUser", user.arn, context))
        self.truth.note(user.name, network, "calls", decision)
        refusal = {} if decision.allowed else {"errorCode": "AccessDenied", "errorMessage": decision.message}
        self._write(
            account, "us-east-1", at, "iam.amazonaws.com", "GetUser", address, agent, identity, readOnly=True, **refusal,
            requestParameters={"userName": user.name} if decision.allowed else None, responseElements=None, sessionCredentialFromConsole="true",
        )  # fmt: skip

    def _assume(
        self, user: User, role: Role, at: datetime, region: str, address: str, agent: str, identity: Mapping[str, Any], decision: Decision,
        parameters: Mapping[str, Any],
    ) -> str | None:  # fmt: skip
        """The AssumeRole's records: one in each account (G-04), or the refusal in the caller's (G-08). The new session's key."""
        here, there = user.arn.split(":")[4], role.arn.split(":")[4]
        if not decision.allowed:
            self._write(
                here, region, at, "sts.amazonaws.com", "AssumeRole", address, agent, identity,
                errorCode="AccessDenied", errorMessage=decision.message, requestParameters=None, responseElements=None, readOnly=True,
            )  # fmt: skip
            return None
        key = self._id("ASIA")
        arn = f"arn:aws:sts::{there}:assumed-role/{role.name}/{user.name}"
        rest: dict[str, Any] = {
            "requestParameters": {"roleArn": role.arn, **parameters}, "readOnly": True,
            "responseElements": {
                "credentials": {"accessKeyId": key, "expiration": self._expiry(at)},
                "assumedRoleUser": {"assumedRoleId": f"{self.id_of[role.arn]}:{user.name}", "arn": arn},
            },
            "resources": [{"ARN": role.arn, "accountId": there, "type": "AWS::IAM::Role"}],
        }  # fmt: skip
        if here != there:
            rest["sharedEventID"] = self._uuid()
        self._write(here, region, at, "sts.amazonaws.com", "AssumeRole", address, agent, identity, **rest)
        if here != there:
            other = {"type": "AWSAccount", "principalId": self.id_of[user.arn], "accountId": here}
            self._write(there, region, at, "sts.amazonaws.com", "AssumeRole", address, agent, other, **rest)
        return key

    def _in_role(self, user: User, role: Role, key: str, at: datetime, address: str, network: str, agent: str, *, mfa: bool) -> datetime:
        account = role.arn.split(":")[4]
        arn = f"arn:aws:sts::{account}:assumed-role/{role.name}/{user.name}"
        created = at
        identity = {
            "type": "AssumedRole", "principalId": f"{self.id_of[role.arn]}:{user.name}", "arn": arn, "accountId": account, "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": self.id_of[role.arn], "arn": role.arn, "accountId": account, "userName": role.name},
                "attributes": {"mfaAuthenticated": "true" if mfa else "false", "creationDate": _iso(created)},
            },
        }  # fmt: skip
        leaves = self.chance.random() < 0.02
        for number in range(self.chance.randrange(2, 2 + max(1, int(12 * self.busy)))):
            at += timedelta(seconds=self.chance.randrange(1, 90))
            from_address, name = address, network
            if leaves and number > 1:
                from_address, name = self._address(OUTSIDE), "outside"
            work = self.chance.choices(_WORK, [w.share for w in _WORK])[0]
            region = work.in_region or self.chance.choice(REGIONS)
            fill = {"{account}": account, "{n}": str(self.chance.randrange(1000))}
            resource, parameters = work.resource, work.parameters
            for mark, value in fill.items():
                resource, parameters = resource.replace(mark, value), parameters.replace(mark, value)
            context = request_context(CredentialKind.ROLE_SESSION, source_ip=from_address, mfa=mfa, issued=created, now=at, region=region)
            request = Request(arn, work.action, resource, context, resource_account=account, role=role.arn)
            decision = self.authorizer.decide_anew(request)
            self.truth.note(user.name, name, "session_calls", decision)
            self._write(
                account, region, at, f"{work.source}.amazonaws.com", work.name, from_address, agent, identity, readOnly=work.read_only,
                requestParameters=msgspec.json.decode(parameters), responseElements=None, **_refusal(work, decision),
            )  # fmt: skip
        return at

    # Records --------------------------------------------------------------------------------------------------------

    def _session_identity(self, user: User, key: str, created: datetime) -> dict[str, Any]:
        return {
            "type": "IAMUser", "principalId": self.id_of[user.arn], "arn": user.arn, "accountId": user.arn.split(":")[4], "accessKeyId": key,
            "userName": user.name, "sessionContext": {"attributes": {"mfaAuthenticated": "true", "creationDate": _iso(created)}},
        }  # fmt: skip

    def _write(
        self, account: str, region: str, at: datetime, source: str, name: str, address: str, agent: str, identity: Mapping[str, Any], **rest: Any
    ) -> None:
        record = {
            "eventVersion": "1.11", "userIdentity": identity, "eventTime": _iso(at), "eventSource": source, "eventName": name, "awsRegion": region,
            "sourceIPAddress": address, "userAgent": agent, "requestID": self._uuid(), "eventID": self._uuid(), "eventType": "AwsApiCall",
            "managementEvent": True, "recipientAccountId": account, "eventCategory": "Management", "synthetic": self.mark, **rest,
        }  # fmt: skip
        self.waiting[account, region].append(record)
        self.truth.events += 1

    def _flush(self, day: date) -> None:
        for (account, region), records in sorted(self.waiting.items()):
            folder = self.out / "AWSLogs" / account / "CloudTrail" / region / f"{day:%Y/%m/%d}"
            folder.mkdir(parents=True, exist_ok=True)
            for first in range(0, len(records), _MOST_RECORDS):
                unique = "".join(self.chance.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789", k=16))
                name = f"{account}_CloudTrail_{region}_{day:%Y%m%d}T2355Z_{unique}.json.gz"
                data = msgspec.json.encode({"Records": records[first : first + _MOST_RECORDS]})
                (folder / name).write_bytes(gzip.compress(data, 5, mtime=0))
                self.truth.files += 1
        self.waiting.clear()

    def _some(self, roles: Sequence[Role]) -> list[Role]:
        return self.chance.sample(list(roles), min(len(roles), 1 + (self.chance.random() < 0.35)))

    def _in(self, network: str) -> str:
        return self._address([str(c) for c in self.networks[network]])

    def _address(self, cidrs: Sequence[str]) -> str:
        network = ipaddress.ip_network(self.chance.choice(cidrs))
        if network.version == 4:
            # An office goes out through a few addresses, not through all that it has.
            return str(network[self.chance.randrange(min(network.num_addresses, 4))])
        # A site has few machines in few subnets, not addresses all over its /48.
        return str(network[(self.chance.randrange(4) << 64) % network.num_addresses + self.chance.randrange(1, 200) % network.num_addresses])

    def _at(self, day: date, hour: int) -> datetime:
        return datetime(day.year, day.month, day.day, hour, self.chance.randrange(60), self.chance.randrange(60), tzinfo=UTC)

    def _expiry(self, at: datetime) -> str:
        return (at + timedelta(hours=1)).strftime("%b %d, %Y, %I:%M:%S %p")

    def _uuid(self) -> str:
        text = f"{self.chance.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def _id(self, prefix: str) -> str:
        return prefix + "".join(self.chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))


def _refusal(work: Work, decision: Decision) -> dict[str, Any]:
    """The error of a refused call, in the service's manner (G-21)."""
    if decision.allowed:
        return {}
    if work.source == "ec2":
        return {"errorCode": "Client.UnauthorizedOperation", "errorMessage": f"You are not authorized to perform this operation. {decision.message}"}
    code = "AccessDenied" if work.source in ("iam", "sts", "s3") else "AccessDeniedException"
    return {"errorCode": code, "errorMessage": decision.message}


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
