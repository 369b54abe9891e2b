"""Sessions of roles: where their keys work once they are had (F-01, F-15, F-24), and how long they outlast what let them be had (B-13)."""

from __future__ import annotations

from collections.abc import Iterator

from sekisho.estate import Role
from sekisho.proof.findings.finding import Finding
from sekisho.proof.findings.ground import (
    Asked,
    Ground,
    Way,
    closed,
    is_restricted,
    session_arn,
)  # fmt: skip
from sekisho.proof.region import Region

CONSOLE_LINK_S = 43_200
"""H-07: how long a console session made from a role's keys can last."""


def find(ground: Ground) -> Iterator[Finding]:
    escaping: list[tuple[Role, Way]] = []
    for role in ground.roles:
        found = _escape(ground, role)
        if found is not None:
            way, finding = found
            escaping.append((role, way))
            yield finding
    yield from _console_links(ground, escaping)
    yield from _cloud_shell(ground, escaping)
    yield from _outlasting(ground)


def _escape(ground: Ground, role: Role) -> tuple[Way, Finding] | None:
    """F-01: had inside the networks alone, and used outside them."""
    limited = [way for way in ground.ways.get(role.arn, ()) if is_restricted(way.region)]
    outside: Region | None = None
    for way in limited:
        # From where some of them may have the role, a session that another had elsewhere is nothing new.
        outside = closed(way.region) if outside is None else outside & closed(way.region)
    for way in limited if outside else ():
        assert outside is not None
        for asked in ground.session(role):
            witness = ground.shown(asked, outside, ground.session_signed(way))
            if witness is None:
                continue
            who = ground.names(w for other in limited for w in other.principals)
            return way, ground.finding(
                "F-01", "high", "F-01", role.arn, witness, role=ground.words.role(role.arn), who=who, action=witness.action,
                networks=tuple(dict.fromkeys(ground.words.places_said(w.region) for w in limited)), hours=max(1, role.max_session_s // 3600),
            )  # fmt: skip
    return None


def _console_links(ground: Ground, escaping: list[tuple[Role, Way]]) -> Iterator[Finding]:
    """F-24: the same keys make a console session that lasts longer than they do. Said once for all roles."""
    longer = [(role, way) for role, way in escaping if role.max_session_s < CONSOLE_LINK_S]
    for role, way in longer[:1]:
        for asked in ground.session(role):
            witness = ground.shown(asked, closed(way.region), ground.session_signed(way))
            if witness is not None:
                roles = ground.role_names(r.arn for r, _ in longer)
                yield ground.finding("F-24", "low", "F-24", role.arn, witness, roles=roles, action=witness.action)
                return


def _cloud_shell(ground: Ground, escaping: list[tuple[Role, Way]]) -> Iterator[Finding]:
    """F-15: a role's session may open CloudShell, whose calls come from addresses of AWS's. Said once for all roles."""
    opening: list[tuple[Role, Asked, Way]] = []
    for role, way in escaping:
        asked = ground.may(session_arn(role, "anyone"), "cloudshell:CreateSession")
        if asked is not None and any(asked.sent(s) & closed(way.region) for s in ground.session_signed(way)):
            opening.append((role, asked, way))
    for role, asked, way in opening[:1]:
        witness = ground.shown(asked, closed(way.region), ground.session_signed(way))
        yield ground.finding("F-15", "low", "F-15.role", role.arn, witness, roles=ground.role_names(r.arn for r, _, _ in opening))


def _outlasting(ground: Ground) -> Iterator[Finding]:
    """B-13 (D-42): a session goes on after the user is gone or the trust policy is another one; longer than an hour is a choice."""
    for role in ground.roles:
        ways = ground.ways.get(role.arn, ())
        if role.max_session_s <= 3600 or not ways:
            continue
        for asked in ground.session(role):
            witness = next((w for way in ways if (w := ground.shown(asked, asked.proof.allowed, ground.session_signed(way)))), None)
            if witness is not None:
                yield ground.finding(
                    "B-13", "low", "B-13", role.arn, witness, role=ground.words.role(role.arn), hours=role.max_session_s // 3600
                )
                break
