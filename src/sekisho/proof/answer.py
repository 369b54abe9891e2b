"""One question answered over all the requests that it leaves open: always, never, or exactly when; and what would turn the answer.

``asked`` says what is known of the request: who, what, on which resource, with which kind of credentials, from where. Whatever it doesn't
say may be anything that AWS can send. The answer is taken from the proved region; the reasons are those of ``decide``, asked of one request
inside it, so the two can't differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from sekisho.decision import CredentialKind, Decision, Request, decide
from sekisho.estate import Estate
from sekisho.policy import DEFAULT, Settings
from sekisho.policy.condition import Value
from sekisho.policy.keys import key_of
from sekisho.proof.prove import Proof, prove
from sekisho.proof.reach import USUAL
from sekisho.proof.region import Region
from sekisho.proof.requests import AGE, ISSUED, MFA, is_absent, possible_requests, sent_with
from sekisho.proof.witness import ORDINARY, natural

Verdict = Literal["allow", "deny", "depends", "unknown"]


@dataclass(frozen=True)
class Asked:
    """What is known of a request. ``mfa`` None: either; ``on_call``: a long-term key passes a code with AssumeRole (E-08).

    ``context`` holds what else is known (keys in any case; None: known to be absent).
    """

    principal: str
    action: str
    resource: str = "*"
    resource_account: str | None = None
    credentials: CredentialKind | None = None
    mfa: bool | None = None
    on_call: bool = False
    context: Mapping[str, Value | None] = field(default_factory=dict)
    exact: bool = False
    """Whether what ``context`` doesn't have is absent, but for what the credentials bring."""


@dataclass(frozen=True)
class Answer:
    """``allowed`` are the requests among those ``meant`` that are allowed; ``flips`` brings a refused one in, or an allowed one out."""

    asked: Asked
    proof: Proof
    estate: Estate
    settings: Settings
    meant: Region
    liked: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Values that an example or a change has rather than others, by key: addresses of places that have a name."""

    @property
    def allowed(self) -> Region:
        return self.proof.allowed & self.meant

    @property
    def unknown(self) -> Region:
        return self.proof.unknown & self.meant

    @cached_property
    def verdict(self) -> Verdict:
        if self.unknown:
            return "unknown"
        if not self.allowed:
            return "deny"
        return "allow" if self.meant <= self.proof.allowed else "depends"

    @cached_property
    def example(self) -> Request:
        """One request of those meant, which shows the answer: allowed for allow, refused otherwise."""
        shown = self.unknown if self.verdict == "unknown" else self.allowed if self.verdict == "allow" else self.meant - self.proof.allowed
        region = shown or self.meant
        context = natural(region, region.witness() or {}, self._natural)
        # What was asked about is shown as it was asked: the address itself, not another that no policy tells from it.
        context.update({k: v for k, v in ((k.lower(), v) for k, v in self.asked.context.items()) if v is not None})
        return self._request(context)

    @property
    def _natural(self) -> dict[str, Sequence[str]]:
        return {**ORDINARY, **{k: (*v, *ORDINARY.get(k, ())) for k, v in self.liked.items()}}

    def _request(self, context: Mapping[str, Value]) -> Request:
        asked = self.asked
        return Request(
            asked.principal, asked.action, asked.resource, context, resource_account=asked.resource_account, credentials=asked.credentials
        )

    @cached_property
    def decision(self) -> Decision:
        """What decides the example, with its statements and AWS's text."""
        return decide(self.example, self.estate, self.settings)

    @cached_property
    def flips(self) -> dict[str, Value | None] | None:
        """The fewest keys of the example to change so that the answer turns: key → value, None to take it away; None: no change does it.

        Only requests that AWS can send are offered, with the same caller, action and resource.
        """
        space = self.proof.allowed.space
        kind = self.proof.question.caller.kind
        possible = possible_requests(space, kind)
        wanted = (possible - self.proof.allowed - self.proof.unknown) if self.decision.allowed else (self.proof.allowed & possible)
        changes = wanted.changes(self.example.context)
        if not changes:
            return changes
        context = {k: v for k, v in {**self.example.context, **changes}.items() if v is not None}
        # An ordinary address is refused as well as any; allowed is said from a place that has a name, if there is one.
        liked = ORDINARY if self.decision.allowed else self._natural
        return {**changes, **{k: v for k, v in natural(wanted, context, liked, keys=changes).items() if k in changes}}


def ask(asked: Asked, estate: Estate, settings: Settings = DEFAULT, *, liked: Mapping[str, Sequence[str]] | None = None) -> Answer:
    """Answer a question about ``estate``. ``liked``: values to show rather than others, by key in lower case.

    >>> ask(Asked("arn:aws:iam::111122223333:user/a", "sts:GetCallerIdentity"), Estate()).verdict
    'allow'
    """
    known = {k.lower(): v for k, v in asked.context.items()}
    request = Request(
        asked.principal, asked.action, asked.resource, {k: v for k, v in known.items() if v is not None},
        resource_account=asked.resource_account, credentials=asked.credentials,
    )  # fmt: skip
    usual = {k: v for k, v in USUAL.items() if k not in known and not any(k.startswith("*") and n.startswith(k[1:]) for n in known)}
    proof = prove(request, estate, settings, given=usual)
    return Answer(asked, proof, estate, settings, _meant(asked, proof, known), liked or {})


def _meant(asked: Asked, proof: Proof, known: Mapping[str, Value | None]) -> Region:
    space = proof.allowed.space
    region = possible_requests(space, proof.question.caller.kind)
    kinds = [asked.credentials] if asked.credentials is not None else list(_kinds(proof.question.caller.kind))
    if kinds:
        sent = space.nothing()
        for kind in kinds:
            states = (asked.mfa,) if asked.mfa is not None else (True, False)
            for mfa in states:
                long_term = kind in (CredentialKind.KEY, CredentialKind.ROOT)
                if long_term and mfa and not asked.on_call:
                    continue
                sent |= sent_with(space, kind, mfa=mfa, on_call=long_term and mfa)
        region &= sent
    if asked.exact:
        for key in space.axis_of_key:
            if key not in known and key not in (MFA, AGE, ISSUED) and key not in space.usual and not key_of(key).always:
                region &= space.where(key, is_absent)
    for key, value in known.items():
        level = space.axis_of_key.get(key)
        if level is None:
            continue
        axis = space.axes[level]
        full = {k: v for k, v in known.items() if k in axis.keys and v is not None}
        if axis.keys == (key,) or all(k in known for k in axis.keys):
            atom = axis.atoms[axis.atom_of(full)]
            region &= space.where(key, lambda a, atom=atom: a is atom)
        else:
            region &= space.where(key, lambda a, key=key, value=value: a.context.get(key) == value)
    return region


def _kinds(caller_kind: str) -> tuple[CredentialKind, ...]:
    if caller_kind == "user":
        return (CredentialKind.CONSOLE, CredentialKind.KEY, CredentialKind.SESSION_TOKEN)
    if caller_kind in ("role-session", "role"):
        return (CredentialKind.ROLE_SESSION,)
    return ()
