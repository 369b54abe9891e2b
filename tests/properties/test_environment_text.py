"""However a sekisho.yaml is spoilt, it compiles or is one SekishoError with its place; what compiles survives AWS's JSON and has its room."""

from __future__ import annotations

import json
import os
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sekisho import SekishoError, compile_environment
from sekisho.environment import group_room, parse_environment, trust_room
from sekisho.estate import account_from_json, account_to_json

TEXT = (Path(__file__).parents[2] / "examples/article.yaml").read_text(encoding="utf-8")
LINES = tuple(line.partition(" #")[0] for line in TEXT.splitlines() if line.strip() and not line.startswith("#"))

PIECES = [
    "null", "true", "1", "-1", "1e9", ".nan", ".inf", "[]", "{}", '""', "anywhere", "&a", "*a", "<<", "<<: *a", '"x"', "2024-01-01", "!!set",
    "!!binary", "!!bool", "? ", "- ", ": ", "\t", "|", ">", "#", "---", "...", "0x10", "~", "[[", "}}", "::", "{[]: x}", "{a: b}", "1h", "required",
    "203.0.113.0/24", "10.0.0.0/8", "arn:aws:iam::aws:policy/ReadOnlyAccess", "\u00e9", "\u65e5", "\u2028", "\x85", "\U0001f600", "12:30:45", "users",
]  # fmt: skip

where = st.integers(0, len(LINES) - 1)
spoiling = st.one_of(
    st.tuples(st.just("value"), where, st.sampled_from(PIECES)),
    st.tuples(st.just("insert"), where, st.sampled_from(PIECES), st.integers(0, 60)),
    st.tuples(st.just("drop"), where),
    st.tuples(st.just("double"), where, where),
    st.tuples(st.just("swap"), where, where),
    st.tuples(st.just("indent"), where, st.integers(1, 4)),
)


def spoilt(changes: list[tuple[object, ...]]) -> str:
    lines = list(LINES)
    for how, at, *more in changes:
        assert isinstance(at, int)
        i = at % len(lines)
        first = more[0] if more else None
        if how == "value":
            lines[i] = lines[i].partition(":")[0] + f": {first}"
        elif how == "insert" and isinstance(more[1], int):
            lines[i] = lines[i][: more[1]] + str(first) + lines[i][more[1] :]
        elif how == "drop" and len(lines) > 1:
            del lines[i]
        elif how == "double" and isinstance(first, int):
            lines.insert(first % len(lines), lines[i])
        elif how == "swap" and isinstance(first, int):
            j = first % len(lines)
            lines[i], lines[j] = lines[j], lines[i]
        elif how == "indent" and isinstance(first, int):
            lines[i] = " " * first + lines[i]
    return "\n".join(lines) + "\n"


@settings(max_examples=int(os.environ.get("SEKISHO_EXAMPLES", "150")), deadline=None)
@given(st.lists(spoiling, min_size=1, max_size=4))
def test_a_spoilt_file_is_one_error_with_its_place(changes: list[tuple[object, ...]]) -> None:
    text = spoilt(changes)
    try:
        environment = parse_environment(text, "sekisho.yaml")
        estate = compile_environment(environment)
    except SekishoError as error:
        assert error.exit_status == 2 and error.place and error.place.file == "sekisho.yaml" and error.expected
        assert str(error)
        return
    for target in environment.roles:
        assert trust_room(environment, target).users >= 0
    for group in environment.wanted.groups:
        assert group_room(environment, group).users >= 0
    for account in estate.accounts:
        body = account_to_json(account)
        assert account_to_json(account_from_json(json.loads(json.dumps(body)))) == body
