"""Method 3 proved: the requests that AWS Sign-In's permission statements let through to the password (rule book M)."""

from __future__ import annotations

from sekisho.decision.sign_in import sign_in_policy
from sekisho.estate import SignIn
from sekisho.policy import DEFAULT, Settings
from sekisho.policy.matching import ready_policy
from sekisho.proof.prove import bound, box_of, union
from sekisho.proof.region import Region, Space

PRINCIPAL = "signin:principalarn"


def sign_in_region(sign_in: SignIn | None, principal: str, settings: Settings = DEFAULT) -> Region:
    """From where a principal can sign in at all, as ``sign_in_allowed`` decides it; everywhere without a policy in force (M-02).

    >>> sign_in_region(None, "arn:aws:iam::111122223333:user/a").is_everything
    True
    """
    fixed = {PRINCIPAL: principal}
    if sign_in is None or not sign_in.enforced:
        return Space(fixed=fixed).everything()
    ready = ready_policy(sign_in_policy(sign_in), settings).statements
    bindings = [bound(s, None, settings, fixed, dict(fixed)) for s in ready]
    space = Space([ask for asks, constant in bindings if constant is not False for ask in asks], fixed=fixed)
    # What can't be known is refused, as a sign-in would be.
    denied = union(space, (box_of(asks, constant, space)[1] for asks, constant in bindings))
    return Region(space, space.minus(1, denied))
