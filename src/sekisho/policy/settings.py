"""The rules that AWS's documents leave open, each a named setting with our reading of it, in this one place.

The rule book tags them (unverified), or names two readings. An answer that depends on one can be asked again under the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """Readings of open rules. Hashable: compiled policies are kept per setting."""

    stored_2008_trust_is_accepted: bool = True
    """A-03: a trust policy of version 2008-10-17 is accepted when it is saved."""
    trust_policy_quota: int = 2048
    """A.4: 2,048 by default; 4,096 after a raise in 2023, 8,192 in sources of 2026."""
    white_space_in_strings_is_free: bool = True
    """A-40: AWS doesn't say whether white space inside strings counts."""
    empty_value_list_matches: bool = False
    """A-19: a condition with an empty list of values matches nothing; its negation matches."""
    v6_host_prefix: int = 128
    """C-15: a bare IPv6 address in a policy is a host route."""
    host_bits_are_masked: bool = True
    """C-15: 203.0.113.9/24 is read as 203.0.113.0/24; otherwise it is an entry that can't be read."""
    invalid_date_fails_negated: bool = True
    """C-12: a request value that is no date fails DateNotEquals too, as measured for numbers (C-32)."""
    empty_string_is_present_for_null: bool = True
    """C-19."""
    trust_user_grant_bypasses_boundary: bool = True
    """D-22: a trust policy that names a user overrides that user's boundary in the same account."""
    rcp_applies_to_service_linked_roles: bool = False
    """D-03."""
    session_mfa_is_inherited: bool = True
    """E-08 ii, iii: a role session carries MFA when its caller's own credentials did, and so along a chain."""
    fas_source_ip: Literal["original", "service"] = "original"
    """E-12: the address that forward access sessions carry."""
    session_tag_wins: bool = True
    """Table E: a session tag hides the role's tag of the same key; otherwise the role's counts. Obeyed where a request's context is made."""
    denial_names_policy_arn: bool = True
    """G-20: since early 2026 the ARN of a managed policy follows an explicit-deny clause, in the same account."""
    sign_in_model: Literal["deny_outside"] = "deny_outside"
    """M-06: the statements act as a Deny of the three sign-in actions outside the networks, but for the excluded principals."""


DEFAULT = Settings()
