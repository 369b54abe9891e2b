"""Which roles each user can switch to from some declared network: what links and profiles are made for. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence

from sekisho.decision import Authorizer, CredentialKind, Request, request_context
from sekisho.deploy.guard import ANYWHERE
from sekisho.environment import Environment
from sekisho.estate import Estate, Role, User


def reachable(estate: Estate, environment: Environment) -> Mapping[str, Sequence[Role]]:
    """User → the roles that it can switch to, signed in with the second factor, from an address of a network of the file, or from anywhere."""
    networks = [ipaddress.ip_network(c) for cidrs in environment.wanted.networks.values() for c in cidrs]
    addresses = [str(n[1 if n.num_addresses > 2 else 0]) for n in networks] + list(ANYWHERE) + list(environment.vantage_points.values())
    contexts = [request_context(CredentialKind.CONSOLE, source_ip=a, mfa=True, mfa_age_s=60) for a in dict.fromkeys(addresses)]
    ask = Authorizer(estate)
    roles = [r for a in estate.accounts for r in a.roles if not r.is_service_linked]

    def may(user: User, role: Role) -> bool:
        asked = (Request(user.arn, "sts:AssumeRole", role.arn, c, credentials=CredentialKind.CONSOLE) for c in contexts)
        return any(ask.decide_anew(r).allowed for r in asked)

    return {u.name: [r for r in roles if may(u, r)] for a in estate.accounts for u in a.users}
