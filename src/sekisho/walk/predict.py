"""What Sekisho says will happen at each step of the walk, from the estate alone; nothing here asks the API that is walked.

The prediction is the proof's: whether the step's request lies in the region that is proved for its question. The words beside it, which
layer and statement decide, are those of ``decide``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sekisho.decision import Authorizer, CredentialKind, Decision, Request, request_context
from sekisho.errors import Place
from sekisho.estate import Estate, Role, User
from sekisho.policy.condition import Value
from sekisho.proof.prove import Proof, prove_question
from sekisho.proof.sign_in import sign_in_region
from sekisho.walk.rows import Answer

REGION = "us-east-1"
JUST_NOW_S = 5
"""How old a second factor is when it is used in the walk, about."""


@dataclass(frozen=True, slots=True)
class Predicted:
    """``reason``: the layer and statement that decide, in words."""

    answer: Answer
    reason: str


KINDS = {
    "console": (CredentialKind.CONSOLE, False), "console+mfa": (CredentialKind.CONSOLE, True), "key": (CredentialKind.KEY, False),
    "session+mfa": (CredentialKind.SESSION_TOKEN, True),
}  # fmt: skip
"""The credentials of the walk's contract → the kind of table E, and whether they carry MFA."""


class Predictor:
    """Predicts for one estate."""

    def __init__(self, estate: Estate) -> None:
        self.estate = estate
        self._authorizer = Authorizer(estate)
        self._proofs: dict[int, Proof] = {}

    def sign_in(self, user: User, address: str) -> Predicted:
        account = self.estate.account(user.arn.split(":")[4])
        context = {"aws:SourceIp": address, "aws:RequestedRegion": REGION}
        if sign_in_region(account.sign_in if account else None, user.arn).contains(context):
            return Predicted("allow", "no policy stops a sign-in itself (F-17)")
        return Predicted("deny", "the AWS Sign-In policy (method 3)")

    def enrol(self, user: User, address: str) -> Predicted:
        """Making a virtual device with the user's own name, then enabling it."""
        device = f"arn:aws:iam::{user.arn.split(':')[4]}:mfa/{user.name}"
        made = self._user(user, "console", address, "iam:CreateVirtualMFADevice", device)
        return made if made.answer == "deny" else self._user(user, "console", address, "iam:EnableMFADevice", user.arn)

    def own_devices(self, user: User, credentials: str, address: str) -> Predicted:
        return self._user(user, credentials, address, "iam:ListMFADevices", user.arn)

    def switch(self, user: User, credentials: str, address: str, role: Role) -> Predicted:
        return self._user(user, credentials, address, "sts:AssumeRole", role.arn, {"sts:RoleSessionName": user.name})

    def call(self, user: User, credentials: str, address: str, role: Role) -> Predicted:
        """``ec2:DescribeInstances`` with the keys of a role session that ``credentials`` obtained."""
        account = role.arn.split(":")[4]
        mfa = KINDS[credentials][1]
        context = self._context(CredentialKind.ROLE_SESSION, mfa, address)
        request = Request(
            f"arn:aws:sts::{account}:assumed-role/{role.name}/{user.name}", "ec2:DescribeInstances", "*", context,
            resource_account=account, credentials=CredentialKind.ROLE_SESSION, role=role.arn,
        )  # fmt: skip
        return self._predicted(request)

    def _user(self, user: User, credentials: str, address: str, action: str, resource: str, more: dict[str, str] | None = None) -> Predicted:
        kind, mfa = KINDS[credentials]
        context = {**self._context(kind, mfa, address), **(more or {})}
        return self._predicted(Request(user.arn, action, resource, context, credentials=kind))

    def _predicted(self, request: Request) -> Predicted:
        """What can't be known is predicted to be refused: the embedded AWS refuses it too."""
        question = self._authorizer.question(request)
        proof = self._proofs.get(id(question))
        if proof is None:
            proof = self._proofs[id(question)] = prove_question(question)
        decision = question.answer(request)
        return Predicted("allow" if proof.allows(decision.context) else "deny", reason_of(decision))

    @staticmethod
    def _context(kind: CredentialKind, mfa: bool, address: str) -> Mapping[str, Value]:
        now = datetime.now(UTC)
        return request_context(
            kind, source_ip=address, mfa=mfa, mfa_age_s=JUST_NOW_S if mfa else None, issued=now, now=now, region=REGION, user_agent="sekisho",
        )  # fmt: skip


def reason_of(decision: Decision) -> str:
    """What decided, in words: a Deny by its policy and line, or what the first Allow of the failing layer missed."""
    if decision.outcome == "unknown":
        return "unknown: " + "; ".join(decision.unknown_because)
    if decision.outcome == "implicit_deny":
        layer = _layer(decision)
        misses = [m for m in decision.misses if m.layer == decision.layer]
        # The Allow that came furthest is the one that was meant.
        order = ("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal", "Condition")
        nearest = max(misses, key=lambda m: order.index(m.element), default=None)
        return f"no Allow in the {layer}" + (f": {nearest.condition or nearest.element} {_had(nearest.had)}" if nearest else "")
    because = decision.because[0] if decision.because else None
    if because is None:
        return ""
    at = because.origin or because.place
    where = f" ({_place(at)})" if at is not None and at.file else ""
    verb = "Deny in the" if decision.outcome == "explicit_deny" else "Allow in the"
    name = f" {because.policy}" if because.policy and because.layer != "resource" else ""
    return f"{verb} {_layer(decision, because.layer)}{name}{where}"


def _layer(decision: Decision, layer: str | None = None) -> str:
    layer = layer or decision.layer or ""
    if layer == "resource" and decision.request.action.lower().startswith("sts:"):
        return "trust policy"
    return {"identity": "identity policy", "resource": "resource policy", "boundary": "permissions boundary"}.get(layer, layer.replace("_", " "))


def _had(value: object) -> str:
    return "is absent" if value is None else f"is {value}"


def _place(place: Place) -> str:
    name = (place.file or "").rpartition("/")[2]
    return f"{name}:{place.line}" if place.line else name
