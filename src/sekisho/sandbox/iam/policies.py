"""Managed policies: the customer's own with up to five versions, and AWS's, which can be read and attached but not changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sekisho.estate import Account, ManagedPolicy, aws_managed_arns, aws_managed_document, aws_managed_policy
from sekisho.policy import Policy
from sekisho.policy.quotas import limit, policy_size
from sekisho.sandbox.credentials import new_id
from sekisho.sandbox.fault import AwsFault, no_such_entity
from sekisho.sandbox.iam.documents import identity_policy, uses, with_document
from sekisho.sandbox.iam.entities import GROUP, KINDS, document_text, request_tags, resource_tags, tags_output, with_extra
from sekisho.sandbox.iam.names import arn_of, check_quota, iso, operation, page
from sekisho.sandbox.iam.tags import Tags, new_tags, tag_operations
from sekisho.sandbox.operation import Need, Work

_LAST = "LastVersionNumber"
"""A version's number isn't given twice, even after the version is gone."""


# --- finding -------------------------------------------------------------------------------------------------------------


def is_customers(account: Account, arn: str) -> bool:
    return arn.split(":")[4:5] == [account.id]


def customer_policies(account: Account) -> list[ManagedPolicy]:
    return [p for p in account.policies if is_customers(account, p.arn)]


def aws_policy(arn: str) -> ManagedPolicy | None:
    """An AWS managed policy of the data, in the form of a customer's with its one version that is known."""
    listed = _listed(arn)
    policy = aws_managed_policy(arn) if listed is not None else None
    if listed is None or policy is None:
        return listed
    version = {"VersionId": listed.default_version, "IsDefaultVersion": True, "CreateDate": listed.extra["UpdateDate"], "Document": policy.document}
    return replace(listed, policy=policy, versions=(version,))


def _listed(arn: str) -> ManagedPolicy | None:
    """The same without its document: a list of them all needn't parse them all."""
    found = aws_managed_document(arn)
    if found is None:
        return None
    return ManagedPolicy(arn, found.name, found.path, "", found.version, extra={"CreateDate": found.created, "UpdateDate": found.updated})


def _find(account: Account, arn: str) -> ManagedPolicy:
    found = account.managed(arn) or aws_policy(arn)
    if found is None:
        raise no_such_entity(f"Policy {arn} was not found.")
    if not found.versions and found.policy is not None:
        # An estate that was compiled has the documents alone; in AWS there is no policy without a version.
        version = {"VersionId": found.default_version, "IsDefaultVersion": True, "Document": found.policy.document}
        return replace(found, versions=(version,))
    return found


def _customers(work: Work) -> ManagedPolicy:
    """The policy that the call changes: the account's own, or a refusal."""
    arn = work.params["PolicyArn"]
    found = _find(work.account, arn)
    if not is_customers(work.account, arn):
        raise AwsFault("AccessDenied", f"The policy {arn} is managed by AWS and can't be changed.", 403)
    return found


def _on_policy(work: Work) -> Need:
    arn = work.params["PolicyArn"]
    found = work.account.managed(arn)
    return Need(f"iam:{work.call.operation}", arn, request_tags(work.params) | (resource_tags(_tags(found)) if found else {}))


def _on_new_policy(work: Work) -> Need:
    arn = arn_of(work.caller.account, "policy", work.params["PolicyName"], work.params.get("Path", "/"))
    return Need("iam:CreatePolicy", arn, request_tags(work.params))


def _on_all(work: Work) -> Need:
    return Need("iam:ListPolicies", f"policy path {work.params.get('PathPrefix', '/')}")


def _tags(policy: ManagedPolicy) -> Tags:
    return tuple((t["Key"], t["Value"]) for t in policy.extra.get("Tags", ()))


def _save(work: Work, policy: ManagedPolicy | None, was: ManagedPolicy | None = None) -> None:
    account = work.account
    kept = [policy if p is was else p for p in account.policies] if was is not None else [*account.policies, policy]
    account = replace(account, policies=tuple(p for p in kept if p is not None))
    if policy is not None and was is not None and policy.policy is not was.policy:
        account = with_document(account, policy.arn, policy.policy)
    work.store.save(account)


# --- output --------------------------------------------------------------------------------------------------------------


Uses = tuple[Counter[str], Counter[str]]


def policy_output(used: Uses, policy: ManagedPolicy, *, full: bool = True) -> dict[str, Any]:
    attached, bounded = used
    found = {
        "PolicyName": policy.name, "PolicyId": policy.id or None, "Arn": policy.arn, "Path": policy.path,
        "DefaultVersionId": policy.default_version, "AttachmentCount": attached[policy.arn],
        "PermissionsBoundaryUsageCount": bounded[policy.arn], "IsAttachable": True,
        "CreateDate": policy.extra.get("CreateDate"), "UpdateDate": policy.extra.get("UpdateDate"),
    }  # fmt: skip
    if full:
        found |= {"Description": policy.extra.get("Description"), "Tags": tags_output(_tags(policy))}
    return found


def version_output(version: Mapping[str, Any], *, full: bool = True) -> dict[str, Any]:
    found = {k: version.get(k) for k in ("VersionId", "IsDefaultVersion", "CreateDate")}
    if full:
        document = version.get("Document") or {}
        found["Document"] = document if isinstance(document, str) else document_text(document)
    return found


# --- policies ------------------------------------------------------------------------------------------------------------


def create_policy(work: Work) -> Mapping[str, Any]:
    params, account = work.params, work.account
    name, path = params["PolicyName"], params.get("Path", "/")
    arn = arn_of(account.id, "policy", name, path)
    own = customer_policies(account)
    policy = _checked(params["PolicyDocument"], name, arn)
    if any(p.name.lower() == name.lower() for p in own):
        raise AwsFault("EntityAlreadyExists", f"A policy called {name} already exists. Duplicate names are not allowed.", 409)
    check_quota("policies", len(own) + 1)
    now = iso(work.now)
    tags = [{"Key": k, "Value": v} for k, v in new_tags(params)]
    extra = {"CreateDate": now, "UpdateDate": now, _LAST: 1} | ({"Tags": tags} if tags else {})
    if params.get("Description"):
        extra["Description"] = params["Description"]
    version = {"VersionId": "v1", "IsDefaultVersion": True, "CreateDate": now, "Document": policy.document}
    made = ManagedPolicy(arn, name, path, new_id("ANPA", 17), "v1", policy, (version,), extra)
    _save(work, made)
    return {"Policy": policy_output(uses(work.account), made)}


def _checked(text: str, name: str, arn: str) -> Any:
    policy = identity_policy(text, name, arn)
    check_quota("managed_policy_size", policy_size(text))
    return policy


def get_policy(work: Work) -> Mapping[str, Any]:
    return {"Policy": policy_output(uses(work.account), _find(work.account, work.params["PolicyArn"]))}


def list_policies(work: Work) -> Mapping[str, Any]:
    params, account = work.params, work.account
    scope, prefix, usage = params.get("Scope", "All"), params.get("PathPrefix", "/"), params.get("PolicyUsageFilter")

    attached, bounded = used = uses(account)

    def wanted(policy: ManagedPolicy) -> bool:
        times = {None: attached[policy.arn] + bounded[policy.arn], "PermissionsPolicy": attached[policy.arn]}.get(usage, bounded[policy.arn])
        return policy.path.startswith(prefix) and (times > 0 or not (params.get("OnlyAttached") or usage))

    found = page(params, filter(wanted, _in_scope(account, scope)), lambda p: f"{p.name}:{p.arn.split(':')[4]}", "Policies")
    return {**found, "Policies": [policy_output(used, p, full=False) for p in found["Policies"]]}


def _in_scope(account: Account, scope: str) -> Iterator[ManagedPolicy]:
    if scope in ("All", "Local"):
        yield from customer_policies(account)
    if scope in ("All", "AWS"):
        for arn in aws_managed_arns():
            found = _listed(arn)
            if found is not None:
                yield found


def delete_policy(work: Work) -> Mapping[str, Any]:
    policy = _customers(work)
    if any(count[policy.arn] for count in uses(work.account)):
        raise AwsFault("DeleteConflict", "Cannot delete a policy attached to entities.", 409)
    if len(policy.versions) > 1:
        text = (
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. "
            "The default version is deleted with the policy."
        )
        raise AwsFault("DeleteConflict", text, 409)
    _save(work, None, policy)
    return {}


def list_entities(work: Work) -> Mapping[str, Any]:
    """Groups, users and roles that have the policy, as one list cut into pages."""
    params, account, arn = work.params, work.account, work.params["PolicyArn"]
    _find(account, arn)
    kind_wanted, usage, prefix = params.get("EntityFilter"), params.get("PolicyUsageFilter"), params.get("PathPrefix", "/")
    found = []
    for kind in KINDS:
        for entity in kind.all(account) if kind_wanted in (None, kind.word) else ():
            attached = any(a.arn == arn for a in entity.attached) and usage != "PermissionsBoundary"
            bounded = kind is not GROUP and entity.boundary is not None and entity.boundary.arn == arn and usage != "PermissionsPolicy"
            if (attached or bounded) and entity.path.startswith(prefix):
                found.append((kind, entity))
    shown = page(params, found, lambda f: f"{f[0].word}:{f[1].name}", "found")
    members = shown.pop("found")
    for kind in KINDS:
        shown[f"Policy{kind.word}s"] = [{kind.parameter: e.name, f"{kind.word}Id": e.id} for k, e in members if k is kind]
    return shown


# --- versions ------------------------------------------------------------------------------------------------------------


def create_policy_version(work: Work) -> Mapping[str, Any]:
    policy, params = _customers(work), work.params
    document = _checked(params["PolicyDocument"], policy.name, policy.arn)
    if len(policy.versions) >= limit("policy_versions"):
        most = limit("policy_versions")
        text = f"A managed policy can have up to {most} versions. Before you create a new version, you must delete an existing version."
        raise AwsFault("LimitExceeded", text, 409)
    number = max([policy.extra.get(_LAST, 0), *(int(v["VersionId"][1:]) for v in policy.versions)]) + 1
    now, default = iso(work.now), bool(params.get("SetAsDefault"))
    version = {"VersionId": f"v{number}", "IsDefaultVersion": default, "CreateDate": now, "Document": document.document}
    new = with_extra(replace(policy, versions=(version, *policy.versions)), **{_LAST: number, "UpdateDate": now})
    if default:
        new = _with_default(new, version["VersionId"], document)
    _save(work, new, policy)
    return {"PolicyVersion": version_output(version, full=False)}


def _with_default(policy: ManagedPolicy, version_id: str, document: Any) -> ManagedPolicy:
    versions = tuple({**v, "IsDefaultVersion": v["VersionId"] == version_id} for v in policy.versions)
    return replace(policy, versions=versions, default_version=version_id, policy=document)


def _version(policy: ManagedPolicy, version_id: str) -> Mapping[str, Any]:
    found = next((v for v in policy.versions if v["VersionId"] == version_id), None)
    if found is None:
        raise no_such_entity(f"Policy {policy.arn} version {version_id} does not exist or is not attachable.")
    return found


def get_policy_version(work: Work) -> Mapping[str, Any]:
    policy = _find(work.account, work.params["PolicyArn"])
    return {"PolicyVersion": version_output(_version(policy, work.params["VersionId"]))}


def list_policy_versions(work: Work) -> Mapping[str, Any]:
    policy = _find(work.account, work.params["PolicyArn"])
    newest_first = page(work.params, policy.versions, lambda v: f"{99999 - int(v['VersionId'][1:]):05}", "Versions")
    return {**newest_first, "Versions": [version_output(v, full=False) for v in newest_first["Versions"]]}


def set_default_policy_version(work: Work) -> Mapping[str, Any]:
    policy = _customers(work)
    version = _version(policy, work.params["VersionId"])
    new = _with_default(policy, version["VersionId"], Policy.parse(version["Document"], name=policy.name, arn=policy.arn))
    _save(work, with_extra(new, UpdateDate=iso(work.now)), policy)
    return {}


def delete_policy_version(work: Work) -> Mapping[str, Any]:
    policy = _customers(work)
    version = _version(policy, work.params["VersionId"])
    if version["VersionId"] == policy.default_version:
        raise AwsFault("DeleteConflict", "Cannot delete the default version of a policy.", 409)
    new = replace(policy, versions=tuple(v for v in policy.versions if v is not version))
    _save(work, with_extra(new, UpdateDate=iso(work.now)), policy)
    return {}


def _write_tags(work: Work, tags: Tags) -> None:
    policy = _customers(work)
    _save(work, with_extra(policy, Tags=[{"Key": k, "Value": v} for k, v in tags]), policy)


OPERATIONS = {
    **tag_operations("Policy", _on_policy, lambda work: _tags(_find(work.account, work.params["PolicyArn"])), _write_tags),
    "CreatePolicy": operation(create_policy, _on_new_policy),
    "GetPolicy": operation(get_policy, _on_policy),
    "ListPolicies": operation(list_policies, _on_all),
    "DeletePolicy": operation(delete_policy, _on_policy),
    "ListEntitiesForPolicy": operation(list_entities, _on_policy),
    "CreatePolicyVersion": operation(create_policy_version, _on_policy),
    "GetPolicyVersion": operation(get_policy_version, _on_policy),
    "ListPolicyVersions": operation(list_policy_versions, _on_policy),
    "SetDefaultPolicyVersion": operation(set_default_policy_version, _on_policy),
    "DeletePolicyVersion": operation(delete_policy_version, _on_policy),
}
