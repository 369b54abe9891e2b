"""STS: AssumeRole with its trust policy, sessions by GetSessionToken and GetFederationToken, and who am I (rule book D.3, D.4)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sekisho.decision import CredentialKind
from sekisho.decision.request import tag_context
from sekisho.errors import PolicyError
from sekisho.estate import Role
from sekisho.estate.managed import aws_managed_policy
from sekisho.policy import Policy, PolicyKind, check_policy
from sekisho.policy.quotas import QUOTAS, policy_size
from sekisho.sandbox.codes import check_code
from sekisho.sandbox.credentials import new_id, new_secret_key, new_session_token
from sekisho.sandbox.fault import AwsFault, access_denied, constraint, validation
from sekisho.sandbox.operation import Need, Operation, Work
from sekisho.sandbox.store import Session

_SESSION_NAME = re.compile(r"[\w+=,.@-]*", re.ASCII)
_ROLE_ARN = re.compile(r"arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role/(.+)")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]*", re.ASCII)

_DURATIONS = {"AssumeRole": (900, 43200, 3600), "GetSessionToken": (900, 129600, 43200), "GetFederationToken": (900, 129600, 43200)}
CHAINED_MOST_S = 3600
"""D.4: a role session that assumes a role gets an hour at most."""


def mint(work: Work, **fields: Any) -> Session:
    """New temporary keys, stored; ``fields`` are those of Session beside its id, keys and account."""
    session = Session(
        id=new_session_token(), access_key_id=new_id("ASIA"), secret=new_secret_key(), issued=work.now.timestamp(),
        made_with=work.caller.access_key_id, **fields,
    )  # fmt: skip
    work.store.put(session)
    return session


def credentials_of(session: Session) -> dict[str, Any]:
    """The Credentials member of STS's answers."""
    return {
        "AccessKeyId": session.access_key_id, "SecretAccessKey": session.secret, "SessionToken": session.id,
        "Expiration": datetime.fromtimestamp(session.expires, UTC),
    }  # fmt: skip


def _duration(work: Work) -> int:
    least, most, default = _DURATIONS[work.call.operation]
    seconds = int(work.params.get("DurationSeconds", default))
    if seconds < least:
        raise constraint(str(seconds), "durationSeconds", f"Member must have value greater than or equal to {least}")
    if seconds > most:
        raise constraint(str(seconds), "durationSeconds", f"Member must have value less than or equal to {most}")
    return seconds


def _tags(work: Work) -> list[tuple[str, str]]:
    tags = [(str(t.get("Key", "")), str(t.get("Value", ""))) for t in work.params.get("Tags", ())]
    if len(tags) > QUOTAS["tags"].limit:
        raise constraint(str(len(tags)), "tags", f"Member must have length less than or equal to {QUOTAS['tags'].limit}")
    if len({k.lower() for k, _ in tags}) != len(tags):
        raise AwsFault("InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive.", 400)
    return tags


def _session_policies(work: Work, account: str) -> list[str] | None:
    """The texts of the session policies passed, in line and by ARN (D-04); None: none were passed."""
    texts: list[str] = []
    given = work.params.get("Policy")
    if given is not None:
        if policy_size(str(given)) > QUOTAS["session_policy_size"].limit:
            raise AwsFault("PackedPolicyTooLarge", "Session policies exceed the quota of 2048 characters.", 400)
        try:
            check_policy(str(given), PolicyKind.SESSION)
        except PolicyError as error:
            raise AwsFault("MalformedPolicyDocument", error.message, 400) from None
        texts.append(str(given))
    arns = [str(p.get("arn", "")) for p in work.params.get("PolicyArns", ())]
    if len(arns) > QUOTAS["session_policy_arns"].limit:
        raise constraint(str(len(arns)), "policyArns", "Member must have length less than or equal to 10")
    for arn in arns:
        managed = work.store.account(account).managed(arn)
        policy = managed.policy if managed is not None else aws_managed_policy(arn)
        if policy is None:
            raise validation(f"The specified policy {arn} can't be found")
        texts.append(_text(policy))
    return texts if given is not None or arns else None


def _text(policy: Policy) -> str:
    return json.dumps(policy.document)


def _role(work: Work) -> Role | None:
    match = _ROLE_ARN.fullmatch(str(work.params.get("RoleArn", "")))
    if match is None:
        return None
    account = work.store.in_force(match[2]) if match[2] in work.store.accounts else None
    role = account.role(match[3].rpartition("/")[2]) if account else None
    return role if role is not None and role.arn == work.params["RoleArn"] else None


def _check_assume(work: Work) -> None:
    """The form of the parameters, before anybody is asked for leave."""
    params = work.params
    arn, name = str(params.get("RoleArn", "")), str(params.get("RoleSessionName", ""))
    if _ROLE_ARN.fullmatch(arn) is None:
        raise validation(f"{arn} is invalid")
    if "RoleSessionName" not in params:
        raise validation("1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null")
    if len(name) < 2:
        raise constraint(name, "roleSessionName", "Member must have length greater than or equal to 2")
    if len(name) > QUOTAS["session_name"].limit:
        raise constraint(name, "roleSessionName", f"Member must have length less than or equal to {QUOTAS['session_name'].limit}")
    if not _SESSION_NAME.fullmatch(name):
        raise constraint(name, "roleSessionName", r"Member must satisfy regular expression pattern: [\w+=,.@-]*")
    external = params.get("ExternalId")
    if external is not None and (not 2 <= len(external) <= QUOTAS["external_id"].limit or not _EXTERNAL_ID.fullmatch(external)):
        raise constraint(external, "externalId", r"Member must satisfy regular expression pattern: [\w+=,.@:\/-]*")
    if ("SerialNumber" in params) != ("TokenCode" in params):
        raise access_denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
    _duration(work)


def _assume_needs(work: Work) -> Iterable[Need]:
    """D-20, D-26, D-27: the caller's own context, with what this call adds; a code passed makes it an MFA call (E-08)."""
    _check_assume(work)
    params = work.params
    context: dict[str, Any] = {"sts:RoleSessionName": params["RoleSessionName"]}
    if "ExternalId" in params:
        context["sts:ExternalId"] = params["ExternalId"]
    tags = _tags(work)
    if tags:
        context |= tag_context("aws:RequestTag", tags)
        context["aws:TagKeys"] = [k for k, _ in tags]
        if params.get("TransitiveTagKeys"):
            context["sts:TransitiveTagKeys"] = list(params["TransitiveTagKeys"])
    session = work.caller.session
    held = session.source_identity if session else None
    asked = params.get("SourceIdentity")
    if asked is not None and held is not None and asked != held:
        raise access_denied("The source identity of a session can't be changed.")
    if asked is not None:
        context["sts:SourceIdentity"] = asked
    if "TokenCode" in params:
        check_code(work.store, work.caller, str(params["SerialNumber"]), str(params["TokenCode"]), work.now)
        context |= {"aws:MultiFactorAuthPresent": "true", "aws:MultiFactorAuthAge": "0"}
    return [Need("sts:AssumeRole", str(params["RoleArn"]), context)]


def assumed_role_session(work: Work, role: Role, name: str, lasts_s: int, *, console: bool = False) -> Session:
    """The session that a role assumed by ``work``'s caller gets: MFA as the caller's own session has it (E-08), tags of a chain kept."""
    account = role.arn.split(":")[4]
    before = work.caller.session
    chained = work.caller.kind is CredentialKind.ROLE_SESSION
    kept = [[k, v] for k, v in (before.tags if before and chained else ()) if k in before.transitive] if before else []
    new = [[k, v] for k, v in _tags(work)]
    tags = [t for t in kept if t[0] not in {k for k, _ in new}] + new
    transitive = [*(before.transitive if before and chained else ()), *work.params.get("TransitiveTagKeys", ())]
    return mint(
        work, kind=CredentialKind.ROLE_SESSION.value, account=account, principal=f"arn:aws:sts::{account}:assumed-role/{role.name}/{name}",
        entity=role.arn, expires=work.now.timestamp() + lasts_s, mfa_at=before.mfa_at if before else None, chained=chained,
        policies=_session_policies(work, account), tags=tags, transitive=transitive,
        source_identity=work.params.get("SourceIdentity") or (before.source_identity if before else None), console=console,
    )  # fmt: skip


def assumed_role_user(role: Role, session: Session) -> dict[str, str]:
    return {"AssumedRoleId": f"{role.id}:{session.principal.rpartition('/')[2]}", "Arn": session.principal}


def _assume_role(work: Work) -> Mapping[str, Any]:
    role = _role(work)
    if role is None:
        # A role that isn't there was refused by the decision, as AWS refuses it; this is a race that can't happen on one thread.
        raise access_denied(f"User: {work.caller.principal} is not authorized to perform: sts:AssumeRole on resource: {work.params['RoleArn']}")
    seconds = _duration(work)
    if work.caller.kind is CredentialKind.ROLE_SESSION and seconds > CHAINED_MOST_S:
        raise validation("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining")
    if seconds > role.max_session_s:
        raise validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
    session = assumed_role_session(work, role, str(work.params["RoleSessionName"]), seconds)
    result: dict[str, Any] = {"Credentials": credentials_of(session), "AssumedRoleUser": assumed_role_user(role, session)}
    if session.policies or session.tags:
        size = sum(policy_size(p) for p in session.policies or ()) + sum(len(k) + len(v) for k, v in session.tags)
        result["PackedPolicySize"] = max(1, round(100 * size / QUOTAS["session_policy_size"].limit))
    if session.source_identity:
        result["SourceIdentity"] = session.source_identity
    return result


def _user_only(work: Work) -> str:
    if not work.caller.user or work.caller.kind is not CredentialKind.KEY:
        raise access_denied(f"Cannot call {work.call.operation} with session credentials")
    return work.caller.user


def _session_token_needs(work: Work) -> Iterable[Need]:
    _duration(work)
    if ("SerialNumber" in work.params) != ("TokenCode" in work.params):
        raise access_denied("MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code.")
    return [Need("sts:GetSessionToken")]


def _get_session_token(work: Work) -> Mapping[str, Any]:
    user = _user_only(work)
    account = work.store.in_force(work.caller.account)
    mfa_at = None
    if "TokenCode" in work.params:
        check_code(work.store, work.caller, str(work.params["SerialNumber"]), str(work.params["TokenCode"]), work.now)
        mfa_at = work.now.timestamp()
    found = account.user(user)
    assert found is not None
    session = mint(
        work, kind=CredentialKind.SESSION_TOKEN.value, account=account.id, principal=found.arn, entity=found.arn,
        expires=work.now.timestamp() + _duration(work), mfa_at=mfa_at,
    )  # fmt: skip
    return {"Credentials": credentials_of(session)}


def _federated_arn(work: Work) -> str:
    return f"arn:aws:sts::{work.caller.account}:federated-user/{work.params.get('Name', '')}"


def _federation_needs(work: Work) -> Iterable[Need]:
    _duration(work)
    name = str(work.params.get("Name", ""))
    if not 2 <= len(name) <= 32 or not _SESSION_NAME.fullmatch(name):
        raise constraint(name, "name", r"Member must satisfy regular expression pattern: [\w+=,.@-]*")
    return [Need("sts:GetFederationToken", _federated_arn(work))]


def _get_federation_token(work: Work) -> Mapping[str, Any]:
    user = work.store.in_force(work.caller.account).user(_user_only(work))
    assert user is not None
    name = str(work.params["Name"])
    session = mint(
        work, kind=CredentialKind.FEDERATED.value, account=work.caller.account, principal=_federated_arn(work), entity=user.arn,
        expires=work.now.timestamp() + _duration(work), policies=_session_policies(work, work.caller.account), tags=[list(t) for t in _tags(work)],
    )  # fmt: skip
    who = {"FederatedUserId": f"{work.caller.account}:{name}", "Arn": session.principal}
    return {"Credentials": credentials_of(session), "FederatedUser": who, "PackedPolicySize": 1}


def _get_caller_identity(work: Work) -> Mapping[str, Any]:
    return {"UserId": user_id(work), "Account": work.caller.account, "Arn": work.caller.principal}


def user_id(work: Work) -> str:
    """``aws:userid`` of the caller: AIDA…, AROA…:session, account:name, or the account's id for root."""
    caller = work.caller
    if caller.session is not None and ":role/" in caller.session.entity:
        role = work.store.in_force(caller.account).role(caller.session.entity.rpartition("/")[2])
        return f"{role.id if role else ''}:{caller.principal.rpartition('/')[2]}"
    if caller.kind is CredentialKind.FEDERATED:
        return f"{caller.account}:{caller.principal.rpartition('/')[2]}"
    if caller.kind is CredentialKind.ROOT:
        return caller.account
    user = work.store.in_force(caller.account).user(caller.user)
    return user.id if user else ""


def _get_access_key_info(work: Work) -> Mapping[str, Any]:
    wanted = str(work.params.get("AccessKeyId", ""))
    key = work.store.keys.get(wanted)
    session = next((s for s in work.store.sessions.values() if s.access_key_id == wanted), None)
    account = key.account if key else session.account if session else None
    if account is None:
        raise validation("The AccessKeyId is invalid.")
    return {"Account": account}


OPERATIONS: Mapping[str, Operation] = {
    "AssumeRole": Operation(_assume_role, _assume_needs),
    "GetSessionToken": Operation(_get_session_token, _session_token_needs),
    "GetFederationToken": Operation(_get_federation_token, _federation_needs),
    "GetCallerIdentity": Operation(_get_caller_identity, lambda _: [Need("sts:GetCallerIdentity")]),
    "GetAccessKeyInfo": Operation(_get_access_key_info, lambda _: [Need("sts:GetAccessKeyInfo")]),
}

__all__ = ["OPERATIONS", "assumed_role_session", "assumed_role_user", "credentials_of", "mint", "user_id"]
