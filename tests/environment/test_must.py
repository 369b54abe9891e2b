"""`must` and `accepted` of sekisho.yaml: what they mean of the file, and every mistake with its line, caret and the nearest name."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sekisho import SekishoError, compile_environment
from sekisho.environment import acceptance, acceptances, invariants, parse_environment
from sekisho.environment.edit import add_user, remove_user
from sekisho.proof.invariants import BreakGlass, FirstSignIn, OnlyDo, OnlyFor, OnlyFrom, OnlyWithMfa, SessionsOnlyFrom, check_invariants

ROOT = Path(__file__).parents[2]
COMPANY = (ROOT / "examples/company.yaml").read_text(encoding="utf-8")
WRITTEN = ROOT / "src/sekisho/environment/examples"


def demands(*lines: str) -> list[Any]:
    environment = parse_environment(COMPANY + "\nmust:\n" + "\n".join(f"  - {line}" for line in lines), file="sekisho.yaml")
    return [d for i in invariants(environment) for d in i.demands]


def test_each_field_becomes_a_demand() -> None:
    found = demands(
        '{role: "*/admin", only_for: {groups: [platform], users: [tanaka]}, only_from: [vpn], only_with_mfa: true, sessions_only_from: [vpn, partner-noc]}',
        "{role: shared-services/break-glass, break_glass: {groups: [break-glass]}}",
        '{action: "iam:*", account: production, only_for: {users: [sato]}}',
        "{first_sign_in: everybody}",
    )
    only_for, only_from, mfa, sessions, glass, action, first = found
    assert isinstance(only_for, OnlyFor) and isinstance(only_from, OnlyFrom) and isinstance(mfa, OnlyWithMfa)
    assert isinstance(sessions, SessionsOnlyFrom) and isinstance(glass, BreakGlass) and isinstance(action, OnlyDo) and isinstance(first, FirstSignIn)
    assert [r.split(":")[4] for r in only_for.roles] == ["222233334444", "333344445555", "444455556666", "555566667777"]
    assert {u.rpartition("/")[2] for u in only_for.users} == {"sato", "suzuki", "tanaka"}
    assert "arn:aws:iam::111122223333:user/platform/sato" in only_for.users
    assert only_from.networks == ("198.51.100.7/32", "198.51.100.8/32") and sessions.networks == (*only_from.networks, "192.0.2.64/27")
    assert str(only_for.said) == "nobody but platform, tanaka gets into */admin" and mfa.roles == only_for.roles
    assert glass.users == ("arn:aws:iam::111122223333:user/break-glass-1",)
    assert (action.action, action.accounts) == ("iam:*", ("555566667777",)) and len(first.users) == 10


@pytest.mark.parametrize(
    ("pattern", "count"), [("admin", 4), ("*", 10), ("production/*", 3), ("*/a*", 6), ("a*", 6), ("production/admin", 1), ("s*/ad?in", 2)]
)
def test_patterns_of_roles(pattern: str, count: int) -> None:
    (found,) = demands(f'{{role: "{pattern}", only_with_mfa: true}}')
    assert len(found.roles) == count


def test_a_name_of_its_own_and_else_the_sentence() -> None:
    environment = parse_environment(COMPANY + "\nmust:\n  - {name: mine, role: admin, only_with_mfa: true}\n  - {role: admin, only_with_mfa: true}\n")
    assert [str(i.name) for i in invariants(environment)] == ["mine", "admin can be had with MFA alone"]


MISTAKES: list[tuple[str, str, tuple[str, ...]]] = [
    ("{role: prodution/admin, only_with_mfa: true}", "role: prodution", ("no role is named prodution/admin", "did you mean production/admin?")),
    ('{role: "x*", only_with_mfa: true}', "role:", ("no role is named x*", "or a pattern with *")),
    ("{role: admin, only_for: {groups: [platfrm]}}", "platfrm", ("no group is named platfrm", "did you mean platform?")),
    ("{role: admin, only_for: {users: [stao]}}", "stao", ("no user is named stao", "did you mean sato?")),
    ("{role: admin, only_for: {}}", "only_for", ("this names nobody", "name at least one")),
    ("{role: admin, only_for: {groups: []}}", "only_for", ("this names nobody",)),
    ("{role: admin, break_glass: {groups: [empty]}}", "break_glass", ("this names nobody: empty has no users",)),
    ("{role: admin, only_from: [vpm]}", "vpm", ("no network is named vpm", "did you mean vpn?")),
    ("{role: admin, sessions_only_from: [tokyo]}", "tokyo]", ("no network is named tokyo", "did you mean tokyo-office?")),
    ("{role: admin, only_from: []}", "only_from", ("at least one network",)),
    ("{role: admin, only_from: anywhere}", "only_from", ("take the line out",)),
    ("{role: admin}", "{role", ("what must be so of the role", "only_for, only_from")),
    ("{role: admin, only_with_mfa: false}", "only_with_mfa", ("only_with_mfa: false can't be used",)),
    ("{role: admin, onlyfor: {groups: [platform]}}", "onlyfor", ("unknown key onlyfor", "did you mean only_for?")),
    ('{role: "a//b", only_with_mfa: true}', "role", ("account/name",)),
    ("{action: CreateUser, only_for: {users: [sato]}}", "action", ("iam:CreateUser or iam:*",)),
    ("{action: iam:CreateUser}", "{action", ("only_for is missing",)),
    ("{action: iam:CreateUser, account: prod, only_for: {users: [sato]}}", "account", ("no account is named prod", "did you mean production?")),
    ("{first_sign_in: {groups: [developrs]}}", "developrs", ("no group is named developrs", "did you mean developers?")),
    ("{first_sign_in: nobody}", "first_sign_in", ("can't be used", "everybody")),
    ("{}", "{}", ("role is missing",)),
    ("nobody", "nobody", ("a block",)),
]


@pytest.mark.parametrize(("line", "at", "told"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_a_mistake_has_its_line_and_its_caret(line: str, at: str, told: tuple[str, ...]) -> None:
    text = COMPANY.replace("  break-glass:\n    users", "  empty: {}\n  break-glass:\n    users", 1) + f"\nmust:\n  - {line}\n"
    with pytest.raises(SekishoError) as error:
        parse_environment(text, file="sekisho.yaml")
    message = str(error.value)
    for words in told:
        assert words in message, message
    place = error.value.place
    assert place is not None and place.file == "sekisho.yaml" and place.line == text.count("\n") and place.column is not None
    shown = text.splitlines()[place.line - 1][place.column - 1 :]
    assert shown.startswith(at), (shown, message)
    assert "^" in message and "Traceback" not in message


# --- accepted ----------------------------------------------------------------------------------------------------------------

ACCEPTED = "{finding: F-01, subject: production/operator, reason: it only reads, until: 2027-03-31}"


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{finding: f1, reason: x, until: 2027-01-01}", "such as F-01"),
        ("{finding: F-01, reason: x}", "until is missing"),
        ("{finding: F-01, until: 2027-01-01}", "reason is missing"),
        ("{finding: F-01, reason: '', until: 2027-01-01}", "a text of one line"),
        ("{finding: F-01, reason: x, until: next year}", "a day, such as 2027-03-31"),
        ("{finding: F-01, reason: x, until: 2027-02-30}", "a day, such as 2027-03-31"),
        ("{finding: F-01, reason: x, until: 2027-01-01, subject: stao}", "did you mean sato?"),
        ("{finding: F-01, reason: x, until: 2027-01-01, for: sato}", "unknown key for"),
    ],
)
def test_mistakes_of_an_acceptance(line: str, told: str) -> None:
    with pytest.raises(SekishoError) as error:
        parse_environment(COMPANY + f"\naccepted:\n  - {line}\n", file="sekisho.yaml")
    assert told in str(error.value) and error.value.place is not None and error.value.place.line is not None


def test_an_acceptance_holds_through_its_last_day_and_then_says_where_it_stands() -> None:
    environment = parse_environment(COMPANY + f"\naccepted:\n  - {ACCEPTED}\n", file="sekisho.yaml")
    (entry,) = acceptances(environment, date(2027, 3, 31))
    assert not entry.expired and entry.to_json() == {"reason": "it only reads", "until": "2027-03-31"}
    (entry,) = acceptances(environment, date(2027, 4, 1))
    assert entry.expired
    line = COMPANY.count("\n") + 3
    assert str(entry).startswith(f"sekisho.yaml:{line}:5: the acceptance of F-01 of production/operator has expired on 2027-03-31: ")


@pytest.mark.parametrize(
    ("subject", "arn", "is_about"),
    [
        ("production/operator", "arn:aws:iam::555566667777:role/operator", True), ("operator", "arn:aws:iam::555566667777:role/operator", True),
        ("production", "arn:aws:iam::555566667777:role/operator", True), ("production/operator", "arn:aws:iam::555566667777:role/admin", False),
        ("staging/admin", "arn:aws:iam::555566667777:role/admin", False), ("sato", "arn:aws:iam::111122223333:user/platform/sato", True),
        ("sato", "arn:aws:iam::111122223333:user/platform/suzuki", False), ("jump", "arn:aws:iam::111122223333:user/platform/suzuki", True),
        ("arn:aws:iam::555566667777:role/operator", "arn:aws:iam::555566667777:role/operator", True),
        (None, "arn:aws:iam::1:role/x", True),
    ],
)  # fmt: skip
def test_what_an_acceptance_is_about(subject: str | None, arn: str, is_about: bool) -> None:
    of = f", subject: {subject}" if subject else ""
    environment = parse_environment(COMPANY + f"\naccepted:\n  - {{finding: F-01, reason: x, until: 2027-01-01{of}}}\n")
    assert (acceptance(environment, "F-01", [arn], date(2026, 1, 1)) is not None) is is_about
    assert acceptance(environment, "F-02", [arn], date(2026, 1, 1)) is None


# --- the file around it ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", ["article", "company"])
def test_what_init_writes_holds(example: str) -> None:
    text = (WRITTEN / f"{example}.yaml").read_text(encoding="utf-8") + (WRITTEN / f"{example}.must.yaml").read_text(encoding="utf-8")
    environment = parse_environment(text)
    plain = parse_environment((ROOT / f"examples/{example}.yaml").read_text(encoding="utf-8"))
    assert environment.wanted.must and environment.wanted.model_copy(update={"must": ()}) == plain.wanted
    estate = compile_environment(environment)
    assert estate == compile_environment(plain)  # invariants ask, and change nothing
    assert [(h.name, h.holds, h.why) for h in check_invariants(invariants(environment), estate) if h.holds is not True] == []


def test_a_user_that_goes_goes_from_the_invariants_too() -> None:
    text = COMPANY + "\nmust:\n  - {role: production/operator, only_for: {groups: [partner], users: [sato, tanaka]}}   # both\n"
    without = remove_user(text, "sato")
    assert "only_for: {groups: [partner], users: [tanaka]}}   # both" in without
    assert "users: [sato, tanaka]" in add_user(text, "kato", ["platform"])
    assert parse_environment(without).wanted.must[0].only_for.users == ("tanaka",)  # type: ignore[union-attr]
