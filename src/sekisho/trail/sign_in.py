"""Sign-ins of the past under an estate's method 3: identity policies have no part in them (F-17), AWS Sign-In's policy may (rule book M).

A ConsoleLogin is decided as signin:Authenticate. Its record doesn't say why it failed: a wrong password and a refusal by the policy read alike
(G-03). CheckMfa and SwitchRole tell of a sign-in and of an AssumeRole that have records of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from sekisho.decision.sign_in import sign_in_allowed
from sekisho.estate import Estate, SignIn
from sekisho.trail.addresses import address_kind
from sekisho.trail.request import Row

SIGN_IN_POLICY = "AWS Sign-In policy"
STEP_OF_SIGN_IN = "a step of a sign-in: its ConsoleLogin is decided"
ALONE = "a console switch whose AssumeRole isn't here (G-06)"
NOT_DECIDED = "a sign-in event that no policy decides (F-17)"


@dataclass(frozen=True)
class SignInDecision:
    """Whether a sign-in gets as far as its password, under the policy of the account."""

    allowed: bool
    principal: str
    account: str
    address: str | None

    @property
    def message(self) -> str:
        if self.allowed:
            return "let through to the password"
        return f"{self.principal} is not let through to the password: {SIGN_IN_POLICY} of {self.account} (aws:SourceIp is {self.address};)"


def decide_sign_in(row: Row, estate: Estate) -> tuple[SignInDecision | None, str]:
    """The decision of a sign-in record, or None and why there is none."""
    if row.name == "CheckMfa":
        return None, STEP_OF_SIGN_IN
    if row.name == "SwitchRole":
        return None, ALONE
    if row.name != "ConsoleLogin":
        return None, NOT_DECIDED
    account = estate.account(row.account or "")
    if account is None:
        return None, "a sign-in to an account that the estate doesn't have"
    policy = account.sign_in
    principal = _principal(row)
    if policy is None or not policy.enforced:
        return SignInDecision(True, principal or "?", account.id, row.address), ""
    if row.vpc_endpoint is not None and any(s.source_vpc for s in policy.statements):
        return None, "context key aws:sourcevpc isn't in CloudTrail"
    context = network_of(row.address, row.vpc_endpoint, row.region)
    allowed = sign_in_allowed(policy, {**context, "signin:PrincipalArn": principal or ""})
    if not allowed and principal is None and _excludes(policy):
        return None, "a sign-in that doesn't say whose it was, where the sign-in policy excludes somebody"
    return SignInDecision(allowed, principal or "?", account.id, row.address), ""


def _principal(row: Row) -> str | None:
    if row.identity_type == "Root" and not row.principal and row.principal_account:
        return f"arn:aws:iam::{row.principal_account}:root"
    # A role's sign-in (federation) is excluded by the role.
    return row.issuer or row.principal


def network_of(address: str | None, vpc_endpoint: str | None, region: str | None) -> dict[str, str]:
    """The context that a sign-in has of its network."""
    context = {"aws:RequestedRegion": region or ""}
    if vpc_endpoint is not None:
        context["aws:SourceVpce"] = vpc_endpoint
        if address and address_kind(address) in ("ip4", "ip6", "private"):
            context["aws:VpcSourceIp"] = address
    elif address and address_kind(address) in ("ip4", "ip6"):
        context["aws:SourceIp"] = address
    return context


def why_failed(estate: Estate, account: str | None, user: str | None, address: str | None, vpc_endpoint: str | None, region: str | None) -> str:
    """What the sign-in policy of an estate has to do with a sign-in that failed."""
    found = estate.account(account or "")
    if found is None:
        return "not decided: a sign-in to an account that the estate doesn't have"
    policy = found.sign_in
    if policy is None or not policy.enforced:
        return "let through to the password: no sign-in policy is in force"
    known = found.user(user.rpartition("/")[2]) if user is not None else None
    principal = known.arn if known is not None else user if user is not None and user.startswith("arn:") else ""
    if sign_in_allowed(policy, {**network_of(address, vpc_endpoint, region), "signin:PrincipalArn": principal}):
        return f"let through to the password by the {SIGN_IN_POLICY}"
    if not principal and _excludes(policy):
        return f"not known: refused by the {SIGN_IN_POLICY}, unless it was somebody whom that excludes"
    return f"refused by the {SIGN_IN_POLICY}, before any password"


def _excludes(policy: SignIn) -> bool:
    return any(s.excluded_principals for s in policy.statements)
