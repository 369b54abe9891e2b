"""The layers of policies that an answer rests on: given one by one, or found in an Estate for a request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sekisho.decision.request import Request
from sekisho.decision.sign_in import authenticating, is_sign_in
from sekisho.estate.model import Account, AttachedPolicy, Estate, Group, Role, User
from sekisho.policy import Policy
from sekisho.policy.condition import Value

LAYERS = ("identity", "boundary", "session", "resource", "service_control", "resource_control", "vpc_endpoint")
"""The names of the layers, as the contract of ``decide --cases`` has them."""


@dataclass(frozen=True)
class Layers:
    """Policies by layer. None for boundary, session, control and endpoint policies: none is set, which limits nothing.

    ``service_control`` and ``resource_control`` hold one tuple a level (root, each OU, account), and each level must allow.
    ``unknown`` says which layers have a policy whose document isn't known: (layer, what and why).
    ``facts`` are context keys that only the source of the policies knows (tags, user id), lower-cased.
    ``principal_known`` / ``resource_known``: False where an estate doesn't hold the account, and so not its policies.
    """

    identity: tuple[Policy, ...] = ()
    boundary: tuple[Policy, ...] | None = None
    session: tuple[Policy, ...] | None = None
    resource: tuple[Policy, ...] = ()
    service_control: tuple[tuple[Policy, ...], ...] | None = None
    resource_control: tuple[tuple[Policy, ...], ...] | None = None
    vpc_endpoint: tuple[Policy, ...] | None = None
    unknown: tuple[tuple[str, str], ...] = ()
    facts: tuple[tuple[str, Value], ...] = ()
    role: str = ""
    """The ARN with path of a session's role, where the estate knows it (D-44)."""
    unique_id: str = ""
    resource_account: str = ""
    """Whose the resource is, where its ARN doesn't say and the estate knows (an S3 bucket)."""


def layers_of(estate: Estate, request: Request, resource_account: str) -> Layers:
    """What ``estate`` holds about a request: D-02 for identities, the trust policy or resource policy, SCPs and RCPs (D-03)."""
    who = request.caller
    unknown: list[tuple[str, str]] = []
    facts: dict[str, Value] = {}
    identity: list[Policy] = []
    boundary: tuple[Policy, ...] | None = None
    role_arn = unique_id = ""
    scp: tuple[tuple[Policy, ...], ...] | None = None

    account = estate.account(who.account) if who.account else None
    if is_sign_in(request) and account is not None:
        # The sign-in: before there are credentials, and no identity policy authorises it (F-17, M-03).
        return Layers(resource=(authenticating(account.sign_in),), facts=(("signin:principalarn", who.arn),), resource_account=account.id)
    if who.kind in ("user", "role-session", "role", "federated-user") and account is None:
        unknown.append(("identity", f"account {who.account} is not in the estate"))
    if account is not None:
        principal = _principal(account, request)
        if principal is None and who.kind != "root":
            _missing(account, request, unknown)
        elif principal is not None:
            identity, boundary = _identity(account, principal, unknown)
            unique_id = principal.id
            role_arn = principal.arn if isinstance(principal, Role) else ""
            facts.update({f"aws:principaltag/{k.lower()}": v for k, v in principal.tags})
        if account.organization:
            facts["aws:principalorgid"] = account.organization
        linked = isinstance(principal, Role) and principal.is_service_linked
        if not account.is_management and not linked:
            scp = account.service_control
            _unread(account, "service_control", unknown)

    owner = resource_account or _owner(estate, request.resource)
    resource, rcp = _resource_side(estate, request, owner or who.account, unknown, facts)
    session = request.session_policies
    return Layers(
        tuple(identity), boundary, session, resource, scp, rcp, None, tuple(unknown), tuple(facts.items()), role_arn, unique_id, owner,
    )  # fmt: skip


def _owner(estate: Estate, resource: str) -> str:
    """The account whose resource policy is about a resource that doesn't name its account; empty where there is none."""
    if not resource.startswith("arn:"):
        return ""
    return next((a.id for a in estate.accounts for arn, _ in a.resource_policies if _is_about(arn, resource)), "")


def _is_about(arn: str, resource: str) -> bool:
    """Whether a resource's policy is about a request's resource: the same, or something inside it (an object of a bucket)."""
    return resource == arn or (resource.startswith(arn) and resource[len(arn)] in "/:")


def _principal(account: Account, request: Request) -> User | Role | None:
    who = request.caller
    if who.kind == "user":
        user = account.user(who.name)
        return user if user and user.arn == who.arn else None
    if who.kind in ("role-session", "role"):
        role = account.role(who.name)
        return role if role and (who.kind == "role-session" or role.arn == who.arn) else None
    if who.kind == "federated-user" and who.entity:
        user = account.user(who.entity.rpartition("/")[2])
        return user if user and user.arn == who.entity else None
    return None


def _missing(account: Account, request: Request, unknown: list[tuple[str, str]]) -> None:
    """A principal that isn't there has no permissions, unless principals could not be read."""
    for what, why in account.unread:
        if what in ("users", "groups", "roles", "policies", "account"):
            unknown.append(("identity", f"{what} of {account.id} could not be read: {why}"))
    if request.caller.kind == "federated-user" and not request.caller.entity:
        unknown.append(("identity", f"whose session {request.principal} is, its ARN doesn't tell"))


def _unread(account: Account, layer: str, unknown: list[tuple[str, str]]) -> None:
    for what, why in account.unread:
        if what == layer:
            unknown.append((layer, f"{what} of {account.id} could not be read: {why}"))


def _identity(account: Account, principal: User | Role, unknown: list[tuple[str, str]]) -> tuple[list[Policy], tuple[Policy, ...] | None]:
    """D-02: inline and attached policies of the principal and, for a user, of all its groups; the boundary apart."""
    policies: list[Policy] = []
    holders: list[User | Role | Group] = [principal]
    if isinstance(principal, User):
        for name in principal.groups:
            group = account.group(name)
            if group is None:
                unknown.append(("identity", f"group {name} of {principal.arn} is not in the estate"))
            else:
                holders.append(group)
    for holder in holders:
        policies += holder.inline
        policies += _documents(holder.attached, "identity", account, unknown)
        for what, why in account.unread:
            if what.startswith(holder.arn + "#"):
                unknown.append(("identity", f"{what}: {why}"))
    boundary: tuple[Policy, ...] | None = None
    if principal.boundary is not None:
        boundary = tuple(_documents((principal.boundary,), "boundary", account, unknown))
    return policies, boundary


def _documents(attached: Iterable[AttachedPolicy], layer: str, account: Account, unknown: list[tuple[str, str]]) -> list[Policy]:
    found = []
    for entry in attached:
        policy = entry.policy
        if policy is None:
            managed = account.managed(entry.arn)
            policy = managed.policy if managed else None
        if policy is None:
            unknown.append((layer, f"the document of {entry.arn} is not known"))
        else:
            found.append(policy)
    return found


def _resource_side(
    estate: Estate, request: Request, resource_account: str, unknown: list[tuple[str, str]], facts: dict[str, Value]
) -> tuple[tuple[Policy, ...], tuple[tuple[Policy, ...], ...] | None]:
    account = estate.account(resource_account) if resource_account else None
    is_role_call = request.action.lower().startswith("sts:") and ":role/" in request.resource
    if account is None:
        if resource_account and (is_role_call or resource_account != request.caller.account):
            unknown.append(("resource", f"account {resource_account} is not in the estate"))
        return (), None
    if account.organization:
        facts["aws:resourceorgid"] = account.organization
    policies = tuple(p for arn, p in account.resource_policies if _is_about(arn, request.resource))
    for what, why in account.unread:
        arn, mark, _ = what.partition("#policy")
        if mark and _is_about(arn, request.resource):
            unknown.append(("resource", f"the policy of {arn}: {why}"))
    service_linked = False
    if is_role_call:
        role = estate.role(request.resource)
        if role is not None:
            policies += (role.trust,)
            service_linked = role.is_service_linked
            for what, why in account.unread:
                if what == f"{role.arn}#trust":
                    unknown.append(("resource", f"the trust policy of {role.arn}: {why}"))
        else:
            for what, why in account.unread:
                if what in ("roles", "account"):
                    unknown.append(("resource", f"{what} of {account.id} could not be read: {why}"))
    rcp = None
    if not account.is_management and not service_linked:
        rcp = account.resource_control
        _unread(account, "resource_control", unknown)
    return policies, rcp
