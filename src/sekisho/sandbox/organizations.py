"""Organizations: an organisation of the sandbox's accounts, its tree, and the SCPs and RCPs on it (D-03), which bind once they are attached.

The accounts that decisions are made on hold the policies of each level above them; this file keeps the tree, and writes those levels anew after
each change (``put_in_force``). Where a sandbox begins with accounts that have such levels already, the tree is made of them (``found_in``).
"""

from __future__ import annotations

import json
import secrets
import string
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache
from typing import Any

from sekisho.errors import PolicyError
from sekisho.estate import Account
from sekisho.policy import Policy, PolicyKind, check_policy
from sekisho.policy.quotas import QUOTAS
from sekisho.sandbox.fault import AwsFault
from sekisho.sandbox.operation import Need, Operation, Work
from sekisho.sandbox.store import Organization, Store

SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
TYPES = (SCP, RCP)
FULL = {SCP: "p-FullAWSAccess", RCP: "p-RCPFullAWSAccess"}
_KIND = {SCP: PolicyKind.SERVICE_CONTROL, RCP: PolicyKind.RESOURCE_CONTROL}
_LEVELS = {SCP: "service_control", RCP: "resource_control"}
_FULL_TEXT = {
    SCP: '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    RCP: '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}',
}
_DEEPEST = 5
_NOT_IN_USE = "Your account is not a member of an organization."
_NO_PERMISSION = "You don't have permissions to access this resource."
_Change = Callable[[Work, Organization], Mapping[str, Any]]


def organization_of(store: Store, account: str) -> Organization | None:
    """The organisation that an account is in."""
    return next((o for o in store.organizations.values() if account in o.members), None)


# --- the tree ----------------------------------------------------------------------------------------------------------------


def _new_id(prefix: str, length: int) -> str:
    return prefix + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


def new(management: str, id: str = "") -> Organization:
    """An organisation of its management account alone, with AWS's own policies."""
    made = Organization(id or _new_id("o-", 10), management, _new_id("r-", 4))
    made.members[management] = made.root
    for kind, policy in FULL.items():
        made.policies[policy] = {"name": policy[2:], "description": "", "type": kind, "content": _FULL_TEXT[kind]}
    return made


def _chain(organization: Organization, target: str) -> list[str]:
    """Ids from the root down to a target."""
    chain = [target]
    while chain[0] != organization.root:
        above = organization.members.get(chain[0]) or organization.units[chain[0]][1]
        chain.insert(0, above)
    return chain


def _attached(organization: Organization, target: str, kind: str) -> list[str]:
    return [p for p in organization.attached.get(target, ()) if organization.policies[p]["type"] == kind]


def _arn(organization: Organization, what: str) -> str:
    """The ARN of a root, unit, account or policy by its id."""
    start = f"arn:aws:organizations::{organization.management}:"
    if what.startswith("p-"):
        kind = organization.policies[what]["type"].lower() if what in organization.policies else "service_control_policy"
        owner = f"aws:policy/{kind}/{what}" if what in FULL.values() else f"{organization.management}:policy/{organization.id}/{kind}/{what}"
        return f"arn:aws:organizations::{owner}"
    noun = "root" if what.startswith("r-") else "ou" if what.startswith("ou-") else "account"
    return f"{start}{noun}/{organization.id}/{what}"


@lru_cache(maxsize=1024)
def _policy(text: str, kind: PolicyKind, name: str, arn: str) -> Policy:
    return Policy.parse(text, kind=kind, name=name, arn=arn)


def put_in_force(store: Store, organization: Organization) -> None:
    """Write the levels of policies into the accounts that they bind, and keep the organisation."""
    store.put(organization)
    for account in list(store.accounts.values()):
        if account.id in organization.members:
            more: dict[str, Any] = {"organization": organization.id, "is_management": account.id == organization.management}
            chain = _chain(organization, account.id)
            for kind, name in _LEVELS.items():
                levels = tuple(tuple(_parsed(organization, p) for p in _attached(organization, target, kind)) for target in chain)
                more[name] = levels if kind in organization.types else None
        elif account.organization == organization.id:
            more = {"organization": None, "is_management": False, "service_control": None, "resource_control": None}
        else:
            continue
        changed = replace(account, **more)
        if changed != account:
            store.save(changed)


def _parsed(organization: Organization, policy: str) -> Policy:
    held = organization.policies[policy]
    return _policy(held["content"], _KIND[held["type"]], held["name"], _arn(organization, policy))


def of_all(store: Store, management: str) -> Organization:
    """One organisation of all accounts, SCPs and RCPs enabled and AWS's own attached everywhere."""
    made = new(management)
    made.types += TYPES
    made.attached[made.root] = list(FULL.values())
    for account in store.accounts:
        join(made, account)
    put_in_force(store, made)
    return made


def found_in(store: Store) -> Organization | None:
    """Make the organisation that the accounts tell of themselves, where they do and none is kept yet."""
    told = [a for a in store.accounts.values() if a.organization or a.service_control is not None or a.resource_control is not None]
    if not told or store.organizations:
        return next(iter(store.organizations.values()), None)
    management = next((a for a in told if a.is_management), None)
    # Without the management account there is nobody who could change it; its policies bind all the same.
    made = new(management.id if management else "000000000000", next((a.organization for a in told if a.organization), "") or "")
    if management is None:
        made.members.clear()
    for kind, name in _LEVELS.items():
        if any(getattr(a, name) is not None for a in told):
            made.types.append(kind)
    paths = {a.id: _path(made, a) for a in told}
    first = next(iter(paths.values()))[0]
    if all(len(levels) > 1 and levels[0] == first for levels in paths.values()):
        made.attached[made.root] = first
        paths = {account: levels[1:] for account, levels in paths.items()}
    else:
        # Levels that aren't of one root are units of a root that limits nothing.
        made.attached[made.root] = [FULL[kind] for kind in made.types]
    for account, levels in paths.items():
        parent = made.root
        for level in levels[:-1]:
            # Units have the policies of their level; accounts with the same ones are in the same unit.
            same = next((u for u, (_, above) in made.units.items() if above == parent and made.attached.get(u, []) == level), None)
            if same is None:
                same = f"ou-{made.root[2:]}-{_new_id('', 8)}"
                made.units[same] = [f"unit-{len(made.units) + 1}", parent]
                made.attached[same] = level
            parent = same
        made.members[account] = parent
        made.attached[account] = levels[-1]
    put_in_force(store, made)
    return made


def _path(organization: Organization, account: Account) -> list[list[str]]:
    """The ids of the policies of each level of an account, SCPs and RCPs together; a level that one kind lacks has AWS's own policy of it."""
    levels = {kind: getattr(account, name) for kind, name in _LEVELS.items() if kind in organization.types}
    deep = max([len(found or ()) for found in levels.values()] or [0]) or 1
    path: list[list[str]] = []
    for depth in range(deep):
        ids: list[str] = []
        for kind, found in levels.items():
            if found is None or depth >= len(found):
                ids.append(FULL[kind])
            else:
                ids += [_known(organization, kind, policy) for policy in found[depth]]
        path.append(ids)
    return path


def _known(organization: Organization, kind: str, policy: Policy) -> str:
    """The id of a policy, which gets one where it has none; the same document under the same name is one policy."""
    content = json.dumps(policy.document)
    last = (policy.arn or "").rpartition("/")[2]
    if last in FULL.values() or policy.normalised() == Policy.parse(_FULL_TEXT[kind], kind=_KIND[kind]).normalised():
        return FULL[kind]
    for held, body in organization.policies.items():
        if body["type"] == kind and (held == last or (body["content"] == content and body["name"] == policy.name)):
            return held
    made = last if last.startswith("p-") else _new_id("p-", 10)
    organization.policies[made] = {"name": policy.name or made, "description": "", "type": kind, "content": content}
    return made


# --- who may ask for what ----------------------------------------------------------------------------------------------------


def _its_own(work: Work) -> Organization:
    found = organization_of(work.store, work.caller.account)
    if found is None:
        raise AwsFault("AWSOrganizationsNotInUseException", _NOT_IN_USE)
    return found


def _managed(work: Work) -> Organization:
    """The caller's organisation, where the caller is in its management account."""
    found = _its_own(work)
    if found.management != work.caller.account:
        raise AwsFault("AccessDeniedException", _NO_PERMISSION)
    return found


def _needs(*named: str) -> Callable[[Work], Iterable[Need]]:
    """Leave for the action on what the parameters name; AttachPolicy and its like are about a policy and a target."""

    def needs(work: Work) -> Iterable[Need]:
        from sekisho.sandbox.iam.names import check_params

        check_params(work.call)
        action = f"organizations:{work.call.operation}"
        found = organization_of(work.store, work.caller.account)
        given = [str(work.params[name]) for name in named if name in work.params]
        if found is None or found.management != work.caller.account or not given:
            return [Need(action, context=_kind_context(work, found))]
        return [Need(action, _arn(found, what), _kind_context(work, found), owner=found.management) for what in given]

    return needs


def _kind_context(work: Work, found: Organization | None) -> dict[str, Any]:
    policy = str(work.params.get("PolicyId", ""))
    kind = work.params.get("PolicyType") or work.params.get("Type") or work.params.get("Filter")
    if found is not None and policy in found.policies:
        kind = found.policies[policy]["type"]
    return {"organizations:PolicyType": str(kind)} if kind else {}


def _changing(run: _Change) -> Callable[[Work], Mapping[str, Any]]:
    """A change of the organisation: of a copy, which takes its place once the change has gone through."""

    def change(work: Work) -> Mapping[str, Any]:
        organization = deepcopy(_managed(work))
        result = run(work, organization)
        put_in_force(work.store, organization)
        return result

    return change


def _reading(run: _Change) -> Callable[[Work], Mapping[str, Any]]:
    return lambda work: run(work, _managed(work))


# --- what it looks like ------------------------------------------------------------------------------------------------------


def _described(work: Work, organization: Organization) -> dict[str, Any]:
    return {
        "Id": organization.id, "Arn": f"arn:aws:organizations::{organization.management}:organization/{organization.id}", "FeatureSet": "ALL",
        "MasterAccountArn": _arn(organization, organization.management), "MasterAccountId": organization.management,
        "MasterAccountEmail": _email(organization.management), "AvailablePolicyTypes": [{"Type": SCP, "Status": "ENABLED"}],
    }  # fmt: skip


def _email(account: str) -> str:
    return f"account-{account}@example.com"


def _root(organization: Organization) -> dict[str, Any]:
    types = [{"Type": kind, "Status": "ENABLED"} for kind in organization.types]
    return {"Id": organization.root, "Arn": _arn(organization, organization.root), "Name": "Root", "PolicyTypes": types}


def _unit(organization: Organization, unit: str) -> dict[str, Any]:
    return {"Id": unit, "Arn": _arn(organization, unit), "Name": organization.units[unit][0]}


def _account(work: Work, organization: Organization, account: str) -> dict[str, Any]:
    held = work.store.accounts.get(account)
    return {
        "Id": account, "Arn": _arn(organization, account), "Email": _email(account), "Name": (held.name if held else "") or account,
        "Status": "ACTIVE", "State": "ACTIVE", "JoinedMethod": "CREATED" if account == organization.management else "INVITED",
        "JoinedTimestamp": work.store.clock.now(),
    }  # fmt: skip


def _summary(organization: Organization, policy: str) -> dict[str, Any]:
    held = organization.policies[policy]
    return {
        "Id": policy, "Arn": _arn(organization, policy), "Name": held["name"], "Description": held["description"], "Type": held["type"],
        "AwsManaged": policy in FULL.values(),
    }  # fmt: skip


def _target(organization: Organization, given: Any) -> str:
    what = str(given)
    if what != organization.root and what not in organization.units and what not in organization.members:
        raise AwsFault("TargetNotFoundException", "You specified a target that doesn't exist.")
    return what


def _held(organization: Organization, given: Any) -> str:
    if str(given) not in organization.policies:
        raise AwsFault("PolicyNotFoundException", "You specified a policy that doesn't exist.")
    return str(given)


def _its_type(given: Any) -> str:
    if given not in TYPES:
        raise AwsFault("InvalidInputException", "The embedded AWS has SERVICE_CONTROL_POLICY and RESOURCE_CONTROL_POLICY alone.")
    return str(given)


def _parent(organization: Organization, given: Any) -> str:
    if str(given) != organization.root and str(given) not in organization.units:
        raise AwsFault("ParentNotFoundException", "You specified a parent that doesn't exist.")
    return str(given)


def _name(kind: str, parent: str) -> dict[str, str]:
    return {"Id": parent, "Type": "ROOT" if parent.startswith("r-") else kind}


# --- operations --------------------------------------------------------------------------------------------------------------


def _create_organization(work: Work) -> Mapping[str, Any]:
    if organization_of(work.store, work.caller.account) is not None:
        raise AwsFault("AlreadyInOrganizationException", "The provided account is already a member of an organization.")
    if work.params.get("FeatureSet", "ALL") != "ALL":
        raise AwsFault("InvalidInputException", "The embedded AWS has organisations with all features alone.")
    made = new(work.caller.account)
    for kind in TYPES:
        made.attached.setdefault(made.root, []).append(FULL[kind])
        made.attached.setdefault(work.caller.account, []).append(FULL[kind])
    put_in_force(work.store, made)
    return {"Organization": _described(work, made)}


def _delete_organization(work: Work) -> Mapping[str, Any]:
    organization = deepcopy(_managed(work))
    if len(organization.members) > 1 or organization.units or len(organization.policies) > len(FULL):
        raise AwsFault("OrganizationNotEmptyException", "The organization isn't empty. Remove its accounts, units and policies first.")
    organization.members.clear()
    put_in_force(work.store, organization)
    work.store.drop(organization)
    return {}


def _invite(work: Work, organization: Organization) -> Mapping[str, Any]:
    target = work.params["Target"]
    account = str(target.get("Id", ""))
    if target.get("Type") != "ACCOUNT" or account not in work.store.accounts:
        raise AwsFault("AccountNotFoundException", "You specified an account that doesn't exist.")
    if organization_of(work.store, account) is not None:
        raise AwsFault("DuplicateHandshakeException", "The account is in an organization already.")
    handshake = next((h for h, a in organization.invited.items() if a == account), None) or _new_id("h-", 10)
    organization.invited[handshake] = account
    return {"Handshake": _handshake(work, organization, handshake, account, "OPEN")}


def _handshake(work: Work, organization: Organization, handshake: str, account: str, state: str) -> dict[str, Any]:
    arn = f"arn:aws:organizations::{organization.management}:handshake/{organization.id}/invite/{handshake}"
    parties = [{"Id": organization.id[2:], "Type": "ORGANIZATION"}, {"Id": account, "Type": "ACCOUNT"}]
    return {"Id": handshake, "Arn": arn, "Parties": parties, "State": state, "RequestedTimestamp": work.now, "Action": "INVITE"}


def _accept(work: Work) -> Mapping[str, Any]:
    handshake = str(work.params["HandshakeId"])
    found = next((o for o in work.store.organizations.values() if o.invited.get(handshake) == work.caller.account), None)
    if found is None:
        raise AwsFault("HandshakeNotFoundException", "We can't find a handshake with the HandshakeId that you specified.")
    organization = deepcopy(found)
    del organization.invited[handshake]
    join(organization, work.caller.account)
    put_in_force(work.store, organization)
    return {"Handshake": _handshake(work, organization, handshake, work.caller.account, "ACCEPTED")}


def join(organization: Organization, account: str) -> None:
    """Put an account under the root, with AWS's own policies, as an invited one begins."""
    organization.members[account] = organization.root
    organization.attached[account] = list(FULL.values())


def _leave(organization: Organization, account: str) -> None:
    if account == organization.management:
        raise AwsFault("MasterCannotLeaveOrganizationException", "You can't remove a management account from an organization.")
    if account not in organization.members:
        raise AwsFault("AccountNotFoundException", "You specified an account that doesn't exist.")
    del organization.members[account]
    organization.attached.pop(account, None)


def _remove_account(work: Work, organization: Organization) -> Mapping[str, Any]:
    _leave(organization, str(work.params["AccountId"]))
    return {}


def _leave_organization(work: Work) -> Mapping[str, Any]:
    organization = deepcopy(_its_own(work))
    _leave(organization, work.caller.account)
    put_in_force(work.store, organization)
    return {}


def _list_accounts(work: Work, organization: Organization) -> Mapping[str, Any]:
    return {"Accounts": [_account(work, organization, a) for a in sorted(organization.members)]}


def _describe_account(work: Work, organization: Organization) -> Mapping[str, Any]:
    if work.params["AccountId"] not in organization.members:
        raise AwsFault("AccountNotFoundException", "You specified an account that doesn't exist.")
    return {"Account": _account(work, organization, str(work.params["AccountId"]))}


def _list_parents(work: Work, organization: Organization) -> Mapping[str, Any]:
    child = str(work.params["ChildId"])
    above = organization.members.get(child) or (organization.units[child][1] if child in organization.units else None)
    if above is None:
        raise AwsFault("ChildNotFoundException", "You specified a child that doesn't exist.")
    return {"Parents": [_name("ORGANIZATIONAL_UNIT", above)]}


def _list_children(work: Work, organization: Organization) -> Mapping[str, Any]:
    parent, kind = _parent(organization, work.params["ParentId"]), work.params["ChildType"]
    if kind == "ACCOUNT":
        return {"Children": [{"Id": a, "Type": kind} for a, above in sorted(organization.members.items()) if above == parent]}
    return {"Children": [{"Id": u, "Type": kind} for u, (_, above) in organization.units.items() if above == parent]}


def _list_accounts_for_parent(work: Work, organization: Organization) -> Mapping[str, Any]:
    parent = _parent(organization, work.params["ParentId"])
    return {"Accounts": [_account(work, organization, a) for a, above in sorted(organization.members.items()) if above == parent]}


def _list_units(work: Work, organization: Organization) -> Mapping[str, Any]:
    parent = _parent(organization, work.params["ParentId"])
    return {"OrganizationalUnits": [_unit(organization, u) for u, (_, above) in organization.units.items() if above == parent]}


def _its_unit(organization: Organization, given: Any) -> str:
    if str(given) not in organization.units:
        raise AwsFault("OrganizationalUnitNotFoundException", "You specified an organizational unit that doesn't exist.")
    return str(given)


def _create_unit(work: Work, organization: Organization) -> Mapping[str, Any]:
    parent, name = _parent(organization, work.params["ParentId"]), str(work.params["Name"])
    if any(u == [name, parent] for u in organization.units.values()):
        raise AwsFault("DuplicateOrganizationalUnitException", "An OU with the same name already exists.")
    if len(_chain(organization, parent)) > _DEEPEST:
        raise AwsFault("ConstraintViolationException", "You have exceeded the maximum depth of the organization.")
    made = f"ou-{organization.root[2:]}-{_new_id('', 8)}"
    organization.units[made] = [name, parent]
    organization.attached[made] = list(FULL.values())
    return {"OrganizationalUnit": _unit(organization, made)}


def _update_unit(work: Work, organization: Organization) -> Mapping[str, Any]:
    unit = _its_unit(organization, work.params["OrganizationalUnitId"])
    if "Name" in work.params:
        organization.units[unit][0] = str(work.params["Name"])
    return {"OrganizationalUnit": _unit(organization, unit)}


def _describe_unit(work: Work, organization: Organization) -> Mapping[str, Any]:
    return {"OrganizationalUnit": _unit(organization, _its_unit(organization, work.params["OrganizationalUnitId"]))}


def _delete_unit(work: Work, organization: Organization) -> Mapping[str, Any]:
    unit = _its_unit(organization, work.params["OrganizationalUnitId"])
    if unit in organization.members.values() or any(above == unit for _, above in organization.units.values()):
        raise AwsFault("OrganizationalUnitNotEmptyException", "The specified OU is not empty. Move its accounts and units first.")
    del organization.units[unit]
    organization.attached.pop(unit, None)
    return {}


def _move_account(work: Work, organization: Organization) -> Mapping[str, Any]:
    account, source = str(work.params["AccountId"]), str(work.params["SourceParentId"])
    if account not in organization.members:
        raise AwsFault("AccountNotFoundException", "You specified an account that doesn't exist.")
    if organization.members[account] != source:
        raise AwsFault("SourceParentNotFoundException", "The source parent isn't the account's parent.")
    if work.params["DestinationParentId"] != organization.root and work.params["DestinationParentId"] not in organization.units:
        raise AwsFault("DestinationParentNotFoundException", "You specified a destination that doesn't exist.")
    organization.members[account] = str(work.params["DestinationParentId"])
    return {}


def _enable(work: Work, organization: Organization) -> Mapping[str, Any]:
    kind = _its_type(work.params["PolicyType"])
    if work.params["RootId"] != organization.root:
        raise AwsFault("RootNotFoundException", "You specified a root that doesn't exist.")
    if kind in organization.types:
        raise AwsFault("PolicyTypeAlreadyEnabledException", "The specified policy type is already enabled.")
    organization.types.append(kind)
    for target in (organization.root, *organization.units, *organization.members):
        if not _attached(organization, target, kind):
            organization.attached.setdefault(target, []).append(FULL[kind])
    return {"Root": _root(organization)}


def _disable(work: Work, organization: Organization) -> Mapping[str, Any]:
    kind = _its_type(work.params["PolicyType"])
    if kind not in organization.types:
        raise AwsFault("PolicyTypeNotEnabledException", "The specified policy type isn't currently enabled in this root.")
    organization.types.remove(kind)
    for target, ids in organization.attached.items():
        # What was attached is forgotten, as with AWS.
        organization.attached[target] = [p for p in ids if organization.policies[p]["type"] != kind]
    return {"Root": _root(organization)}


def _content(given: Any, kind: str) -> str:
    text = str(given)
    if len(text) > QUOTAS["scp_size"].limit:
        most = QUOTAS["scp_size"].limit
        raise AwsFault("ConstraintViolationException", f"You have exceeded the number of characters that a policy can have: {most}.")
    try:
        check_policy(text, _KIND[kind])
    except PolicyError as error:
        raise AwsFault("MalformedPolicyDocumentException", f"The provided policy document does not meet the requirements: {error.message}") from None
    return text


def _create_policy(work: Work, organization: Organization) -> Mapping[str, Any]:
    kind, name = _its_type(work.params["Type"]), str(work.params["Name"])
    content = _content(work.params["Content"], kind)
    if any(p["name"] == name and p["type"] == kind for p in organization.policies.values()):
        raise AwsFault("DuplicatePolicyException", "A policy with the same name already exists.")
    made = _new_id("p-", 10)
    organization.policies[made] = {"name": name, "description": str(work.params.get("Description", "")), "type": kind, "content": content}
    return {"Policy": {"PolicySummary": _summary(organization, made), "Content": content}}


def _changeable(organization: Organization, given: Any) -> str:
    policy = _held(organization, given)
    if policy in FULL.values():
        raise AwsFault("PolicyChangesInProgressException", "A policy of AWS's own can't be changed.")
    return policy


def _update_policy(work: Work, organization: Organization) -> Mapping[str, Any]:
    policy = _changeable(organization, work.params["PolicyId"])
    held = organization.policies[policy]
    if "Content" in work.params:
        held["content"] = _content(work.params["Content"], held["type"])
    held |= {k: str(work.params[p]) for k, p in (("name", "Name"), ("description", "Description")) if p in work.params}
    return {"Policy": {"PolicySummary": _summary(organization, policy), "Content": held["content"]}}


def _delete_policy(work: Work, organization: Organization) -> Mapping[str, Any]:
    policy = _changeable(organization, work.params["PolicyId"])
    if any(policy in ids for ids in organization.attached.values()):
        raise AwsFault("PolicyInUseException", "The policy is attached to one or more entities. You must detach it first.")
    del organization.policies[policy]
    return {}


def _describe_policy(work: Work, organization: Organization) -> Mapping[str, Any]:
    policy = _held(organization, work.params["PolicyId"])
    return {"Policy": {"PolicySummary": _summary(organization, policy), "Content": organization.policies[policy]["content"]}}


def _list_policies(work: Work, organization: Organization) -> Mapping[str, Any]:
    kind = work.params["Filter"]
    return {"Policies": [_summary(organization, p) for p, held in organization.policies.items() if held["type"] == kind]}


def _attach(work: Work, organization: Organization) -> Mapping[str, Any]:
    policy, target = _held(organization, work.params["PolicyId"]), _target(organization, work.params["TargetId"])
    kind = organization.policies[policy]["type"]
    if kind not in organization.types:
        raise AwsFault("PolicyTypeNotEnabledException", "This operation can be performed only for enabled policy types.")
    if policy in organization.attached.get(target, ()):
        raise AwsFault("DuplicatePolicyAttachmentException", "A policy with the same name and type already exists.")
    if len(_attached(organization, target, kind)) >= 5:
        raise AwsFault("ConstraintViolationException", "You have exceeded the number of policies that can be attached to an entity: 5.")
    organization.attached.setdefault(target, []).append(policy)
    return {}


def _detach(work: Work, organization: Organization) -> Mapping[str, Any]:
    policy, target = _held(organization, work.params["PolicyId"]), _target(organization, work.params["TargetId"])
    if policy not in organization.attached.get(target, ()):
        raise AwsFault("PolicyNotAttachedException", "The policy isn't attached to the specified target in the specified root.")
    kind = organization.policies[policy]["type"]
    if policy == FULL[RCP] or len(_attached(organization, target, kind)) == 1:
        text = "You cannot remove the last policy attached to the specified target. You must have at least one attached at all times."
        raise AwsFault("ConstraintViolationException", text)
    organization.attached[target].remove(policy)
    return {}


def _policies_for_target(work: Work, organization: Organization) -> Mapping[str, Any]:
    target = _target(organization, work.params["TargetId"])
    return {"Policies": [_summary(organization, p) for p in _attached(organization, target, str(work.params["Filter"]))]}


def _targets_for_policy(work: Work, organization: Organization) -> Mapping[str, Any]:
    policy = _held(organization, work.params["PolicyId"])
    found = []
    for target in (t for t, ids in organization.attached.items() if policy in ids):
        kind = "ROOT" if target == organization.root else "ORGANIZATIONAL_UNIT" if target in organization.units else "ACCOUNT"
        name = "Root" if kind == "ROOT" else organization.units[target][0] if target in organization.units else target
        found.append({"TargetId": target, "Arn": _arn(organization, target), "Name": name, "Type": kind})
    return {"Targets": found}


def _handshakes_for_account(work: Work) -> Mapping[str, Any]:
    mine = [(o, h) for o in work.store.organizations.values() for h, a in o.invited.items() if a == work.caller.account]
    return {"Handshakes": [_handshake(work, o, h, work.caller.account, "OPEN") for o, h in mine]}


OPERATIONS: Mapping[str, Operation] = {
    "CreateOrganization": Operation(_create_organization, _needs()),
    "DescribeOrganization": Operation(lambda work: {"Organization": _described(work, _its_own(work))}, _needs()),
    "DeleteOrganization": Operation(_delete_organization, _needs()),
    "InviteAccountToOrganization": Operation(_changing(_invite), _needs()),
    "AcceptHandshake": Operation(_accept, _needs()),
    "ListHandshakesForAccount": Operation(_handshakes_for_account, _needs()),
    "LeaveOrganization": Operation(_leave_organization, _needs()),
    "RemoveAccountFromOrganization": Operation(_changing(_remove_account), _needs("AccountId")),
    "ListRoots": Operation(_reading(lambda work, organization: {"Roots": [_root(organization)]}), _needs()),
    "ListAccounts": Operation(_reading(_list_accounts), _needs()),
    "DescribeAccount": Operation(_reading(_describe_account), _needs("AccountId")),
    "ListParents": Operation(_reading(_list_parents), _needs("ChildId")),
    "ListChildren": Operation(_reading(_list_children), _needs("ParentId")),
    "ListAccountsForParent": Operation(_reading(_list_accounts_for_parent), _needs("ParentId")),
    "ListOrganizationalUnitsForParent": Operation(_reading(_list_units), _needs("ParentId")),
    "CreateOrganizationalUnit": Operation(_changing(_create_unit), _needs("ParentId")),
    "UpdateOrganizationalUnit": Operation(_changing(_update_unit), _needs("OrganizationalUnitId")),
    "DescribeOrganizationalUnit": Operation(_reading(_describe_unit), _needs("OrganizationalUnitId")),
    "DeleteOrganizationalUnit": Operation(_changing(_delete_unit), _needs("OrganizationalUnitId")),
    "MoveAccount": Operation(_changing(_move_account), _needs("AccountId", "SourceParentId", "DestinationParentId")),
    "EnablePolicyType": Operation(_changing(_enable), _needs("RootId")),
    "DisablePolicyType": Operation(_changing(_disable), _needs("RootId")),
    "CreatePolicy": Operation(_changing(_create_policy), _needs()),
    "UpdatePolicy": Operation(_changing(_update_policy), _needs("PolicyId")),
    "DeletePolicy": Operation(_changing(_delete_policy), _needs("PolicyId")),
    "DescribePolicy": Operation(_reading(_describe_policy), _needs("PolicyId")),
    "ListPolicies": Operation(_reading(_list_policies), _needs()),
    "AttachPolicy": Operation(_changing(_attach), _needs("PolicyId", "TargetId")),
    "DetachPolicy": Operation(_changing(_detach), _needs("PolicyId", "TargetId")),
    "ListPoliciesForTarget": Operation(_reading(_policies_for_target), _needs("TargetId")),
    "ListTargetsForPolicy": Operation(_reading(_targets_for_policy), _needs("PolicyId")),
    "ListTagsForResource": Operation(_reading(lambda *_: {"Tags": []}), _needs()),
    "ListAWSServiceAccessForOrganization": Operation(_reading(lambda *_: {"EnabledServicePrincipals": []}), _needs()),
    "ListDelegatedAdministrators": Operation(_reading(lambda *_: {"DelegatedAdministrators": []}), _needs()),
}

__all__ = ["OPERATIONS", "found_in", "of_all", "organization_of", "put_in_force"]
