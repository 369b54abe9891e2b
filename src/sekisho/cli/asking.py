"""A request as the ``sekisho can`` command that asks for just that request."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sekisho.decision import Request
    from sekisho.estate import Estate

_SAID = frozenset(("aws:sourceip", "aws:sourcevpce", "aws:multifactorauthpresent", "aws:currenttime", "aws:epochtime"))
_WITH = frozenset(("console", "key", "session-token", "role-session"))


def can_command(request: Request, estate: Estate, file: str | Path) -> str:
    """The command, ready to be pasted into a shell; principals and roles by name where a name is enough."""
    from sekisho.decision.sign_in import is_sign_in
    from sekisho.policy.keys import spelled

    words = ["sekisho", "can", str(file), _principal(request.principal, estate)]
    if is_sign_in(request):
        words.append("sign-in")
    elif request.action.lower() == "sts:assumerole" and request.resource.startswith("arn:"):
        words += ["switch-to", _role(request.resource, estate)]
    else:
        words += ["do", request.action, *(["on", request.resource] if request.resource != "*" else [])]
    context = request.context
    address, endpoint = context.get("aws:sourceip"), context.get("aws:sourcevpce")
    if address is not None:
        words += ["--from", str(address)]
    elif endpoint is not None:
        words += ["--via-endpoint", str(endpoint)]
    mfa = context.get("aws:multifactorauthpresent")
    if mfa is not None:
        words.append("--mfa" if mfa == "true" else "--no-mfa")
    if request.credentials is not None and request.credentials.value in _WITH:
        words += ["--with", request.credentials.value]
    if "aws:currenttime" in context:
        words += ["--at", str(context["aws:currenttime"])]
    for key, value in context.items():
        if key not in _SAID or (key == "aws:sourcevpce" and address is not None):
            words += [w for v in ([value] if isinstance(value, str) else value) for w in ("--key", f"{spelled(key)}={v}")]
    return shlex.join([*words, "--exactly"])


def _principal(arn: str, estate: Estate) -> str:
    name = arn.rpartition("/")[2]
    if ":user/" in arn:
        named = [u.arn for a in estate.accounts for u in a.users if u.name == name] + [
            r.arn for a in estate.accounts for r in a.roles if r.name == name
        ]
        return name if named == [arn] else arn
    return arn


def _role(arn: str, estate: Estate) -> str:
    role = estate.role(arn)
    account = estate.account(arn.split(":")[4])
    return f"{account.name or account.id}/{role.name}" if role and account else arn
