"""What AWS's own text says of a refusal: who, what, on which resource, and which layer refused (G-20, G-21, G-22)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal


@dataclass(frozen=True, slots=True)
class Denial:
    """A refusal as its text has it. ``layer`` is one of decision.LAYERS, or None where the text doesn't say (G-21).

    ``kind``: an explicit Deny, or no Allow; None where the text gives no reason. ``policy``: the ARN of the policy, since 2026.
    """

    principal: str | None = None
    action: str | None = None
    resource: str | None = None
    layer: str | None = None
    kind: Literal["implicit_deny", "explicit_deny"] | None = None
    policy: str | None = None
    encoded: bool = False


_REASON = (
    r"(?: because no (?P<lacking>.+?)(?: policy)? allows the \S+ action"
    r"| with an explicit deny in (?:an?|the) (?P<denying>.+?)(?: policy)?(?: transitively through a (?P<through>service control) policy)?"
    r"(?:: (?P<policy>arn:\S+))?)?"
)
_TEXT = re.compile(rf"User: (?P<who>\S+) is not authorized to perform: (?P<action>\S+?)(?: on resource: (?P<resource>.+?))?{_REASON}")
_FRONT = re.compile(r"You are not authorized to perform this operation\.? ?")
"""EC2 puts this before the text, or gives an encoded message in its place (G-21)."""
_ENCODED = re.compile(r"Encoded authorization failure message: \S+")

_CUT = re.compile(r" (?:because no |with an explicit deny ).*")
"""What is left of a reason where the text was cut."""

_LAYERS = {
    "identity-based": "identity", "resource-based": "resource", "permissions boundary": "boundary", "session": "session", "sessions": "session",
    "service control": "service_control", "resource control": "resource_control", "VPC endpoint": "vpc_endpoint", "role trust": "resource",
}  # fmt: skip


@lru_cache(maxsize=65536)
def read_denial(message: str | None) -> Denial:
    """Read an ``errorMessage``. What it doesn't say is None.

    >>> read_denial("User: arn:aws:iam::1:user/a is not authorized to perform: iam:GetUser with an explicit deny in a session policy").layer
    'session'
    """
    text = _FRONT.sub("", message or "").strip()
    encoded = _ENCODED.search(text)
    if encoded is not None:
        text = text[: encoded.start()].rstrip(" .")
    found = _TEXT.fullmatch(text.rstrip())
    if found is None:
        # CloudTrail cuts the text at 1 KB (G-02), and some services put more after it.
        found = _TEXT.match(text)
        if found is None:
            return Denial(encoded=encoded is not None)
        action, resource = found["action"], re.search(r" on resource: (\S+)", text)
        return Denial(found["who"], action, resource[1] if resource else None, encoded=encoded is not None)
    named = found["lacking"] or found["denying"]
    kind: Literal["implicit_deny", "explicit_deny"] | None = "implicit_deny" if found["lacking"] else "explicit_deny" if found["denying"] else None
    about: str | None = found["resource"]
    if kind is None and about is not None:
        about = _CUT.sub("", about)
    return Denial(
        found["who"], found["action"], about, _LAYERS.get(named or ""), kind, found["policy"], encoded is not None,
    )  # fmt: skip
