"""Sekisho: declare, prove, try and deploy an AWS jump account. The public names load what they need when they are asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from sekisho.decision import Authorizer, CredentialKind, Decision, Layers, Request, decide
    from sekisho.environment import Environment, compile_environment, load_environment
    from sekisho.errors import SekishoError
    from sekisho.estate import Estate
    from sekisho.loading import load
    from sekisho.policy import Policy, PolicyKind, Settings
    from sekisho.proof import prove

_HOME = {
    "Authorizer": "sekisho.decision", "CredentialKind": "sekisho.decision", "Decision": "sekisho.decision", "Layers": "sekisho.decision",
    "Request": "sekisho.decision", "decide": "sekisho.decision", "Environment": "sekisho.environment",
    "compile_environment": "sekisho.environment", "load_environment": "sekisho.environment", "SekishoError": "sekisho.errors",
    "Estate": "sekisho.estate", "load": "sekisho.loading", "Policy": "sekisho.policy", "PolicyKind": "sekisho.policy",
    "Settings": "sekisho.policy", "prove": "sekisho.proof",
}  # fmt: skip

__all__ = [
    "Authorizer",
    "CredentialKind",
    "Decision",
    "Environment",
    "Estate",
    "Layers",
    "Policy",
    "PolicyKind",
    "Request",
    "SekishoError",
    "Settings",
    "compile_environment",
    "decide",
    "load",
    "load_environment",
    "prove",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sekisho' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
