"""An operation that is carried out here and not by moto: what it asks leave for, and what it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sekisho.estate import Account
from sekisho.sandbox.identity import Caller
from sekisho.sandbox.protocol import Call
from sekisho.sandbox.store import Store


@dataclass(frozen=True)
class Work:
    """One call being carried out. ``now`` is the sandbox's time, UTC; ``params`` are the input's members by botocore's model."""

    store: Store
    caller: Caller
    call: Call
    now: datetime

    @property
    def params(self) -> Mapping[str, Any]:
        return self.call.params

    @property
    def account(self) -> Account:
        """The caller's account as it is now; change it with ``store.save(replace(account, …))``."""
        return self.store.account(self.caller.account)


@dataclass(frozen=True)
class Need:
    """Leave that a call needs: an action on a resource, with context keys beside the caller's own.

    ``owner`` is the resource's account where its ARN doesn't say. ``unknown`` says what can't be told of the resource, ``resource`` then stands
    for any. ``tells`` are context keys (or their beginnings, in lower case) that are certain: where ``context`` lacks one, so does the request.
    ``role`` is the ARN of a role that is asked in the caller's place, because the service ``via`` will act as it (E-13). Without it ``via`` are the
    services that call on with the caller's own credentials (E-12), the one that the caller asked first.
    """

    action: str
    resource: str = "*"
    context: Mapping[str, Any] | None = None
    owner: str = ""
    unknown: str = ""
    tells: tuple[str, ...] = ()
    role: str = ""
    via: tuple[str, ...] = ()


def session_name(via: tuple[str, ...]) -> str:
    """What a service calls its session of a role that it was handed: ``AWSCloudFormation``."""
    return {"cloudformation.amazonaws.com": "AWSCloudFormation"}.get(via[-1] if via else "", "AWSService")


Needs = Callable[[Work], Iterable[Need]]
Run = Callable[[Work], Mapping[str, Any]]


@dataclass(frozen=True)
class Operation:
    """``needs`` are decided one by one before ``run``; all must be allowed. ``run`` returns the output's members, or raises AwsFault.

    ``run`` changes nothing before it has checked everything: what it raises leaves no trace.
    """

    run: Run
    needs: Needs
