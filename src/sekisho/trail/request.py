"""An event as a request: who asked for what, what is known of its context, and what CloudTrail doesn't record (rule book E and G).

``KNOWN`` is the one table of context keys: where each comes from, or why it isn't known. A key that is in no row is not known. What isn't
known stays unknown: a statement that depends on it neither allows nor denies, and the answer is unknown unless all others settle it.
"""

from __future__ import annotations

import copy
import json
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sekisho.decision import Authorizer, CredentialKind, Decision, Question, Request
from sekisho.decision.decide import Clause, Matched
from sekisho.decision.sign_in import sign_in_policy
from sekisho.errors import InputError
from sekisho.estate import Estate, Group, Role, User
from sekisho.policy import Policy
from sekisho.policy.actions import actions_of_event, takes_resource
from sekisho.policy.condition import Context
from sekisho.policy.matching import ReadyStatement, ready_policy
from sekisho.policy.operators import Span, address
from sekisho.policy.principals import Grant
from sekisho.trail.addresses import address_kind


class Row(NamedTuple):
    """One distinct request as the store has it: every column that a decision may depend on (``KEYS`` in ``replay.py`` selects them)."""

    identity_type: str | None
    principal: str | None
    principal_id: str | None
    principal_account: str | None
    invoked_by: str | None
    key_kind: str | None
    mfa: bool | None
    issuer: str | None
    source_identity: str | None
    source: str
    name: str
    type: str | None
    region: str | None
    account: str | None
    address: str | None
    vpc_endpoint: str | None
    resource: str | None
    resource_account: str | None
    has_parameters: bool
    role_session_name: str | None
    external_id: str | None
    set_source_identity: str | None
    has_serial: bool
    session_tags: str | None
    policy_arn: str | None
    refused: bool
    user_agent: str | None = None
    event_time: datetime | None = None
    session_created: datetime | None = None

    @property
    def is_switch(self) -> bool:
        return self.source == "sts.amazonaws.com" and self.name.startswith("AssumeRole")

    @property
    def is_sign_in(self) -> bool:
        """A step of a console sign-in, which identity policies have no part in (F-17). Calls of AWS Sign-In's own API are calls like others."""
        return self.source == "signin.amazonaws.com" and self.type != "AwsApiCall"

    @property
    def takes_service_linked_role(self) -> bool:
        return self.identity_type == "AWSService" and self.is_switch and ":role/aws-service-role/" in (self.resource or "")

    @property
    def parameters_missing(self) -> bool:
        """G-08: a refused AssumeRole has no parameters."""
        return self.is_switch and not self.has_parameters


# --- which context keys are known ----------------------------------------------------------------------------------------

Known = Callable[[Row], bool]


def _always(_: Row) -> bool:
    return True


def _has_address(row: Row) -> bool:
    """The caller's public address, or the certainty that there is none (E-02)."""
    return row.vpc_endpoint is not None or row.identity_type == "AWSService" or address_kind(row.address) in ("ip4", "ip6")


def _no_endpoint(row: Row) -> bool:
    return row.vpc_endpoint is None and not _through_service(row)


def _through_service(row: Row) -> bool:
    return row.invoked_by is not None and row.invoked_by != "AWS Internal" and row.identity_type != "AWSService"


def _direct(row: Row) -> bool:
    return not _through_service(row)


def _has_parameters(row: Row) -> bool:
    return not row.parameters_missing


def _mfa_known(row: Row) -> bool:
    # An AssumeRole by a long-term key may have passed a code (E-08); refused, the record doesn't tell.
    return not (row.parameters_missing and row.key_kind == "key")


def _age_known(row: Row) -> bool:
    # A role session inherits MFA, but not from when (E-08).
    return _mfa_known(row) and not (row.identity_type == "AssumedRole" and row.mfa)


def _no_service(row: Row) -> bool:
    return row.identity_type != "AWSService"


def _tags_known(row: Row) -> bool:
    # The estate knows a user's tags; a role session may carry others, which only its AssumeRole record has.
    return row.identity_type != "AssumedRole"


KNOWN: Mapping[str, tuple[Known, str]] = {
    "aws:currenttime": (_always, "eventTime"),
    "aws:epochtime": (_always, "eventTime"),
    "aws:securetransport": (_always, "taken as true"),
    "aws:useragent": (_always, "userAgent, which the console and AWS shorten"),
    "aws:requestedregion": (_always, "awsRegion"),
    "aws:principaltype": (_always, "userIdentity.type"),
    "aws:principalarn": (_always, "userIdentity.arn, sessionIssuer.arn"),
    "aws:principalaccount": (_always, "userIdentity.accountId"),
    "aws:principalisawsservice": (_always, "userIdentity.type"),
    "aws:principalservicename": (_always, "userIdentity.invokedBy"),
    "aws:principalorgid": (_always, "the estate"),
    "aws:resourceorgid": (_always, "the estate"),
    "aws:resourceaccount": (_always, "the resource's ARN, else the recorded account"),
    "aws:userid": (_always, "userIdentity.principalId"),
    "aws:username": (_always, "userIdentity.arn"),
    "aws:principaltag": (_tags_known, "the estate; a role session's own tags are not in its records"),
    "aws:federatedprovider": (_always, "absent: federated callers are not decided"),
    "aws:viaawsservice": (_always, "userIdentity.invokedBy"),
    "aws:calledvia": (_direct, "absent unless a service called"),
    "aws:calledviafirst": (_direct, "absent unless a service called"),
    "aws:calledvialast": (_direct, "absent unless a service called"),
    "aws:sourceip": (_has_address, "sourceIPAddress; of a console switch, its SwitchRole event (G-06); of a service's call, not recorded (E-12)"),
    "aws:sourcevpce": (_direct, "vpcEndpointId"),
    "aws:vpcsourceip": (_direct, "sourceIPAddress, where vpcEndpointId is set"),
    "aws:sourcevpc": (_no_endpoint, "not recorded; absent without vpcEndpointId"),
    "aws:sourcevpcarn": (_no_endpoint, "not recorded; absent without vpcEndpointId"),
    "aws:vpceaccount": (_no_endpoint, "not recorded; absent without vpcEndpointId"),
    "aws:vpceorgid": (_no_endpoint, "not recorded; absent without vpcEndpointId"),
    "aws:vpceorgpaths": (_no_endpoint, "not recorded; absent without vpcEndpointId"),
    "aws:multifactorauthpresent": (_mfa_known, "mfaAuthenticated; serialNumber of an AssumeRole (E-08)"),
    "aws:multifactorauthage": (_age_known, "eventTime less creationDate"),
    "aws:tokenissuetime": (_always, "creationDate"),
    "aws:sourceidentity": (_always, "sessionContext.sourceIdentity"),
    "aws:sourcearn": (_no_service, "not recorded for a service's own call"),
    "aws:sourceaccount": (_no_service, "not recorded for a service's own call"),
    "aws:sourceorgid": (_no_service, "not recorded for a service's own call"),
    "aws:sourceorgpaths": (_no_service, "not recorded for a service's own call"),
    "sts:rolesessionname": (_has_parameters, "requestParameters.roleSessionName; null where refused (G-08)"),
    "sts:externalid": (_has_parameters, "requestParameters.externalId; null where refused (G-08)"),
    "sts:sourceidentity": (_has_parameters, "requestParameters.sourceIdentity; null where refused (G-08)"),
    "aws:requesttag": (lambda row: row.is_switch and _has_parameters(row), "requestParameters.tags of an AssumeRole"),
    "aws:tagkeys": (lambda row: row.is_switch and _has_parameters(row), "requestParameters.tags of an AssumeRole"),
    "sts:transitivetagkeys": (lambda row: row.is_switch and _has_parameters(row) and row.session_tags is None, "absent without tags"),
    "iam:policyarn": (lambda row: row.source == "iam.amazonaws.com", "requestParameters.policyArn"),
    "ec2:region": (_always, "awsRegion"),
}
"""Context key (lower case; tags by what stands before the slash) → whether a record tells it, and from where."""


def is_known(key: str, row: Row) -> bool:
    """Whether the record (or the estate) tells the value of a context key, or that the request didn't have it."""
    found = KNOWN.get(key) or KNOWN.get(key.partition("/")[0])
    return found is not None and found[0](row)


# --- the request ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """An event as a request. ``request`` is None where it can't be one; ``why`` says why. ``resource_known``: else any resource is meant."""

    request: Request | None
    why: str = ""
    resource_known: bool = True


def asked_of(row: Row, estate: Estate | None = None) -> Asked:
    """The request that the event records. ``estate`` gives IAM names their paths."""
    if row.type == "AwsServiceEvent" or row.type == "AwsCloudTrailInsight":
        return Asked(None, "not a request: written by a service")
    if row.is_sign_in:
        return Asked(None, "a sign-in: identity policies don't decide it (F-17)")
    principal, why = _principal(row)
    if principal is None:
        return Asked(None, why)
    actions = actions_of_event(row.source, row.name)
    if not actions:
        return Asked(None, "the event's IAM action isn't known")
    action = actions[0]
    resource = row.resource
    if resource is not None and estate is not None:
        resource = _with_path(resource, estate)
    if resource is None and takes_resource(action) is False:
        resource = "*"
    kind = _kind(row)
    account = row.resource_account if row.resource_account and row.resource_account.isdigit() else None
    try:
        request = Request(
            principal, action, resource or "*", _context(row, principal), resource_account=account or row.account, credentials=kind,
            role=row.issuer if row.identity_type in ("AssumedRole", "FederatedUser") and row.issuer else "",
        )  # fmt: skip
    except InputError:
        return Asked(None, "the caller's ARN is of no known form")
    return Asked(request, "", resource is not None)


def _principal(row: Row) -> tuple[str | None, str]:
    kind = row.identity_type
    if kind == "AWSService":
        return (row.invoked_by, "") if row.invoked_by else (None, "a service's call that doesn't say which service")
    if kind in ("IAMUser", "AssumedRole", "FederatedUser", "Root"):
        if kind == "Root" and row.principal_account and not row.principal:
            return f"arn:aws:iam::{row.principal_account}:root", ""
        return (row.principal, "") if row.principal else (None, "the caller's ARN isn't recorded")
    if kind == "AWSAccount" and row.principal_account == "ANONYMOUS_PRINCIPAL":
        return "anonymous", ""
    if kind == "AWSAccount":
        return None, "the caller is in an account whose own record isn't here (G-04)"
    if kind in ("SAMLUser", "WebIdentityUser"):
        return None, "a federated sign-in: what its token said isn't recorded"
    return None, f"callers of type {kind} are not decided" if kind else "the caller's type isn't recorded"


def _kind(row: Row) -> CredentialKind | None:
    """What can be told of the credentials (table E). A console session and GetSessionToken look alike in a record; neither is assumed."""
    if row.identity_type == "IAMUser":
        return CredentialKind.KEY if row.key_kind == "key" else None
    return {"AssumedRole": CredentialKind.ROLE_SESSION, "FederatedUser": CredentialKind.FEDERATED, "Root": CredentialKind.ROOT}.get(
        row.identity_type or ""
    )


def _context(row: Row, principal: str) -> dict[str, Any]:
    context: dict[str, Any] = {"aws:ViaAWSService": "true" if _through_service(row) else "false", "aws:SecureTransport": "true"}

    def put(key: str, value: Any) -> None:
        if value is not None:
            context[key] = value

    if row.vpc_endpoint is not None:
        put("aws:SourceVpce", row.vpc_endpoint)
        put("aws:VpcSourceIp", row.address if address_kind(row.address) in ("ip4", "ip6", "private") else None)
    elif address_kind(row.address) in ("ip4", "ip6"):
        put("aws:SourceIp", row.address)
    put("aws:RequestedRegion", "us-east-1" if row.source == "iam.amazonaws.com" else row.region)
    put("aws:UserAgent", row.user_agent)
    put("aws:SourceIdentity", row.source_identity)
    if row.identity_type not in ("AWSService", "Root") and row.principal_id:
        put("aws:userid", row.principal_id)
    _put_mfa(row, put)
    if row.session_created is not None and row.key_kind != "key":
        put("aws:TokenIssueTime", _iso(row.session_created))
    if row.event_time is not None:
        put("aws:CurrentTime", _iso(row.event_time))
    if row.is_switch:
        put("sts:RoleSessionName", row.role_session_name)
        put("sts:ExternalId", row.external_id)
        put("sts:SourceIdentity", row.set_source_identity)
        for tag in _tags(row.session_tags):
            put(f"aws:RequestTag/{tag[0]}", tag[1])
        if row.session_tags is not None:
            put("aws:TagKeys", [key for key, _ in _tags(row.session_tags)])
    if row.source == "iam.amazonaws.com":
        put("iam:PolicyARN", row.policy_arn)
    if row.source == "ec2.amazonaws.com":
        put("ec2:Region", row.region)
    return context


def _put_mfa(row: Row, put: Callable[[str, Any], None]) -> None:
    if row.is_switch and row.has_serial and row.key_kind == "key":
        # E-08: a code passed with the call counts for the call, whatever the key is.
        put("aws:MultiFactorAuthPresent", "true")
        put("aws:MultiFactorAuthAge", "0")
        return
    if row.key_kind == "key" or row.identity_type in ("Root", "FederatedUser", "AWSService"):
        return
    if row.mfa is not None:
        put("aws:MultiFactorAuthPresent", "true" if row.mfa else "false")
    if row.mfa and row.event_time is not None and row.session_created is not None:
        put("aws:MultiFactorAuthAge", str(int((row.event_time - row.session_created).total_seconds())))


def _iso(at: datetime) -> str:
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(text: str | None) -> list[tuple[str, str]]:
    """Session tags as CloudTrail writes them: ``[{"key": …, "value": …}]``."""
    if text is None:
        return []
    try:
        return [(str(t["key"]), str(t.get("value", ""))) for t in json.loads(text)]
    except (ValueError, TypeError, KeyError, AttributeError):
        return []


def _with_path(arn: str, estate: Estate) -> str:
    """An IAM name with the path that it has in the estate, where it is there."""
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[2] != "iam":
        return arn
    account = estate.account(parts[4])
    kind, _, name = parts[5].rpartition("/")[0].partition("/")[0], "", parts[5].rpartition("/")[2]
    if account is None:
        return arn
    found = {"user": account.user, "role": account.role, "group": account.group}.get(kind)
    entity = found(name) if found is not None else None
    return entity.arn if entity is not None else arn


# --- deciding what is only half known ------------------------------------------------------------------------------------


class Replayer:
    """Decides events' requests against one estate; a request of which too little is known gets the outcome ``unknown``."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self._authorizer = Authorizer(estate)
        self._questions: dict[object, Question] = {}

    def decide(self, row: Row, asked: Asked) -> Decision:
        """The decision for ``asked.request``."""
        assert asked.request is not None
        return self._question(row, asked).answer(asked.request)

    def may_deny(self, row: Row, asked: Asked, decision: Decision) -> list[str]:
        """The policies with a Deny that may hold besides, by what isn't known."""
        return [m.ready.policy.name for m in self._question(row, asked).denies if m.when(decision.context) is None]

    def _question(self, row: Row, asked: Asked) -> Question:
        request = asked.request
        assert request is not None
        question = self._authorizer.question(request)
        unknown = frozenset(k for k in _keys_of(question, asked.resource_known) if not is_known(k, row))
        if not unknown and asked.resource_known:
            return question
        name = (request.question, unknown, asked.resource_known)
        found = self._questions.get(name)
        if found is None:
            if len(self._questions) > 100_000:
                self._questions.clear()
            found = self._questions[name] = _half_known(question, unknown, asked.resource_known)
        return found

    def keys(self, asked: Asked) -> frozenset[str]:
        """The context keys that the statements look at which are about the request."""
        assert asked.request is not None
        return _keys_of(self._authorizer.question(asked.request), asked.resource_known)

    def what_is_missing(self, row: Row, asked: Asked, decision: Decision) -> tuple[str, ...]:
        """Why the outcome is unknown: keys that weren't recorded, a resource that isn't named, or what the estate doesn't hold."""
        assert asked.request is not None
        question = self._authorizer.question(asked.request)
        missing = [f"context key {k} isn't in CloudTrail" for k in sorted(_keys_of(question, asked.resource_known)) if not is_known(k, row)]
        if _through_service(row) and any("aws:sourceip" in m for m in missing):
            missing = ["a service called on the caller's behalf (FAS): the address isn't recorded (E-12)"]
        if question.layers.unknown:
            missing = [why for _, why in question.layers.unknown]
        elif not asked.resource_known and not missing:
            missing = ["the resource isn't in the record"]
        return tuple(missing) or ("a condition whose meaning AWS leaves open",)


def _statements(question: Question, resource_known: bool) -> list[Matched]:
    """The statements that the answer may rest on; with an unknown resource also those of other resources."""
    found = [m for c in question.clauses for m in c.matched] + question.denies
    return found if resource_known else [*found, *_others(question)]


@lru_cache(maxsize=100_000)
def _keys_of(question: Question, resource_known: bool) -> frozenset[str]:
    return frozenset(key for m in _statements(question, resource_known) for key in _keys(m.ready))


def _keys(ready: ReadyStatement) -> Iterable[str]:
    for condition in ready.conditions:
        yield condition.key
        yield from condition.also
    for entry in ready.resources or ():
        if entry.template is not None:
            for variable in entry.template.variables:
                yield variable.key


@lru_cache(maxsize=100_000)
def _others(question: Question) -> tuple[Matched, ...]:
    """Statements about the action and the caller that were left out because of the resource; they may be about it all the same."""
    found = []
    for layer, level, policies in question.layer_policies():
        for policy in policies:
            for ready in ready_policy(policy, question.settings).statements:
                if ready.about_action(question.action.lower()) and ready.resource_verdict(question.resource) is False:
                    grant = ready.names(question.caller)
                    if grant is not Grant.NONE:
                        found.append(Matched(layer, level, ready, grant, _maybe(ready.test)))
    return tuple(found)


def _maybe(test: Callable[[Context], bool | None]) -> Callable[[Context], bool | None]:
    return lambda context: False if test(context) is False else None


def _half_known(question: Question, unknown: frozenset[str], resource_known: bool) -> Question:
    """The same question where some keys, or the resource, can't be known: what depends on them is neither true nor false."""
    half = copy.copy(question)
    others = _others(question) if not resource_known else ()

    def unsure(matched: Matched) -> Matched:
        ready = matched.ready
        open_resource = not resource_known and ready.statement.not_resources is not None
        certain = [c.test for c in ready.conditions if c.key not in unknown and not unknown.intersection(c.also)]
        templated = any(v.key in unknown for e in ready.resources or () if e.template is not None for v in e.template.variables)
        if len(certain) == len(ready.conditions) and not templated and not open_resource:
            return matched

        def when(context: Context) -> bool | None:
            return False if any(test(context) is False for test in certain) else None

        return replace(matched, when=when)

    half.denies = [*map(unsure, question.denies), *(unsure(m) for m in others if m.ready.denies)]
    allows: dict[str, list[Matched]] = {}
    for m in others:
        if not m.ready.denies:
            allows.setdefault(m.layer, []).append(unsure(m))
    half.clauses = tuple(Clause(c.layer, (*map(unsure, c.matched), *allows.get(c.layer, ())), c.unknown) for c in question.clauses)
    half.may_be_unknown = True
    return half


def mentioned_keys(estate: Estate) -> Mapping[str, Sequence[Any] | None]:
    """Context keys that any policy of the estate mentions → the constants that they are compared with; None where a variable makes them open."""
    found: dict[str, set[Any] | None] = {}
    for policy in policies_of(estate):
        for ready in ready_policy(policy).statements:
            for condition in ready.conditions:
                for key in condition.also:
                    found[key] = None
                known = found.setdefault(condition.key, set())
                if known is not None:
                    if condition.wants is None or condition.row is None:
                        if condition.row is not None:
                            found[condition.key] = None
                    else:
                        known.update(w for w in condition.wants if isinstance(w, int | float) or hasattr(w, "as_tuple"))
                        if any(not hasattr(w, "as_tuple") for w in condition.wants):
                            known.add("?")
            for entry in ready.resources or ():
                if entry.template is not None:
                    for variable in entry.template.variables:
                        found[variable.key] = None
    return {key: None if values is None or "?" in values else sorted(values) for key, values in found.items()}


def address_classes(estate: Estate, addresses: Iterable[str]) -> dict[str, str]:
    """Each address → the first that lies in the same of the policies' networks. Where a policy looks at an address as text, each is its own class."""
    spans: set[Span] = set()
    for policy in policies_of(estate):
        for ready in ready_policy(policy).statements:
            for condition in ready.conditions:
                if "aws:sourceip" in condition.also or (condition.key == "aws:sourceip" and condition.row is not None and condition.wants is None):
                    return {a: a for a in addresses}
                if condition.key == "aws:sourceip" and condition.row is not None:
                    if not all(isinstance(w, Span) for w in condition.wants or ()):
                        return {a: a for a in addresses}
                    spans.update(condition.wants or ())
            if any(v.key == "aws:sourceip" for e in ready.resources or () if e.template is not None for v in e.template.variables):
                return {a: a for a in addresses}
    cuts = {f: sorted({p for s in spans if s.family == f for p in (s.low, s.high + 1)}) for f in (4, 6)}
    found: dict[str, str] = {}
    first: dict[object, str] = {}
    inside: dict[tuple[int, int], frozenset[Span]] = {}
    for text in addresses:
        if address_kind(text) not in ("ip4", "ip6"):
            found[text] = text
            continue
        family, value = address(text)
        place = (family, bisect_right(cuts[family], value))
        if place not in inside:
            inside[place] = frozenset(s for s in spans if s.family == family and s.low <= value <= s.high)
        found[text] = first.setdefault((family, inside[place]), text)
    return found


def policies_of(estate: Estate) -> Iterable[Policy]:
    """Every policy document of the estate."""
    holders: tuple[User | Group | Role, ...]
    for account in estate.accounts:
        holders = (*account.users, *account.groups, *account.roles)
        for holder in holders:
            yield from holder.inline
            yield from (a.policy for a in holder.attached if a.policy is not None)
        yield from (r.trust for r in account.roles)
        for holder in holders:
            if not isinstance(holder, Group) and holder.boundary is not None and holder.boundary.policy is not None:
                yield holder.boundary.policy
        yield from (m.policy for m in account.policies if m.policy is not None)
        yield from (p for _, p in account.resource_policies)
        if account.sign_in is not None and account.sign_in.enforced:
            yield sign_in_policy(account.sign_in)
        for level in (*(account.service_control or ()), *(account.resource_control or ())):
            yield from level
