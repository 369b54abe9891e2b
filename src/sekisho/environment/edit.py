"""``sekisho.yaml`` edited in place: only the users that are meant change, every other character of the file stays. Pure: text in, text out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from io import StringIO
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq

from sekisho.environment.file import Environment, parse_environment
from sekisho.errors import InputError, Place

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.+@-]*")
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))
_NAMING = ("only_for", "break_glass", "first_sign_in")
"""Fields of an invariant that name groups and users."""
Steps = tuple[str, ...]


def add_user(text: str, user: str, groups: Sequence[str], file: str | None = None) -> str:
    """The file's text with a user in these groups. Raises InputError where a group isn't there, or the user is in it already.

    >>> add_user("version: 1\\njump: {account: '111122223333'}\\ngroups:\\n  a: {users: [x]}  # team\\n", "z", ["a"]).splitlines()[-1]
    '  a: {users: [x, z]}  # team'
    """
    before = parse_environment(text, file)
    for group in groups:
        if group not in before.wanted.groups:
            raise InputError(f"there is no group {group}", place=Place(file), expected=f"one of {', '.join(before.wanted.groups)}")
        if user in before.wanted.groups[group].users:
            raise InputError(f"{user} is in group {group} already", place=before.place(("groups", group, "users")))
        text = _with_item(text, ("groups", group), "users", user, file)

    def expected(path: Steps, users: Sequence[str]) -> list[str]:
        return [*users, user] if path[:1] == ("groups",) and path[1] in groups else list(users)

    return _checked(text, before, expected, file)


def remove_user(text: str, user: str, file: str | None = None) -> str:
    """The file's text without a user, in groups and in the trusts of roles. Raises InputError where the user isn't in it."""
    before = parse_environment(text, file)
    if user not in before.users:
        known = ", ".join(before.users)
        raise InputError(f"there is no user {user}", place=Place(file), expected=f"one of {known}" if known else "a user of the file")
    while True:
        found = next(((seq, i) for _, seq in _lists(_loaded(text)) for i, u in enumerate(seq) if u == user), None)
        if found is None:
            break
        text = _without_item(text, *found)
    return _checked(text, before, lambda _, users: [u for u in users if u != user], file)


def _loaded(text: str) -> Any:
    return YAML(typ="rt", pure=True).load(StringIO(text))


def _lists(data: Any) -> Iterator[tuple[Steps, Any]]:
    """Every list of users: of groups, of the trusts of roles, and of invariants."""
    for i, must in enumerate(data.get("must") or ()):
        for key in _NAMING:
            if isinstance(must.get(key), dict) and "users" in must[key]:
                yield ("must", str(i), key), must[key]["users"]
    for name, group in (data.get("groups") or {}).items():
        if "users" in group:
            yield ("groups", name), group["users"]
    for label, account in (data.get("accounts") or {}).items():
        for name, role in (account.get("roles") or {}).items():
            if "users" in (role.get("trusts") or {}):
                yield ("accounts", label, name), role["trusts"]["users"]


def _checked(text: str, before: Environment, expected: Callable[[Steps, Sequence[str]], list[str]], file: str | None) -> str:
    """The new text, if it says what is meant and nothing else; an anchor that stands for two lists would change both."""
    after = parse_environment(text, file)
    old, new = before.wanted.model_dump(), after.wanted.model_dump()
    for name, group in old["groups"].items():
        group["users"] = tuple(expected(("groups", name), group["users"]))
    for label, account in old["accounts"].items():
        for name, role in account["roles"].items():
            role["trusts"]["users"] = tuple(expected(("accounts", label, name), role["trusts"]["users"]))
    for i, must in enumerate(old["must"]):
        for key in _NAMING:
            if isinstance(must.get(key), dict):
                must[key]["users"] = tuple(expected(("must", str(i), key), must[key]["users"]))
    if old != new:
        raise InputError(
            "this can't be changed alone: a list of users stands under an anchor that is used more than once", place=Place(file),
            expected="a list of its own", remedy="edit the file by hand",
        )  # fmt: skip
    return text


# --- characters ----------------------------------------------------------------------------------------------------------


def _with_item(text: str, path: Steps, key: str, item: str, file: str | None) -> str:
    holder = _loaded(text)
    for step in path:
        holder = holder[step]
    lines = text.splitlines(keepends=True)
    written = item if _PLAIN.fullmatch(item) and item.lower() not in _WORDS else f'"{item}"'
    listed = holder.get(key)
    if listed is None:
        return _with_key(text, lines, holder, f"{key}: [{written}]", file)
    assert isinstance(listed, CommentedSeq)
    if not listed.fa.flow_style() and len(listed):
        line, column = listed.lc.item(len(listed) - 1)
        dash = lines[line].rindex("-", 0, column)
        lines[line] = lines[line].rstrip("\n") + "\n"
        lines.insert(line + 1, f"{lines[line][:dash]}- {written}\n")
        return "".join(lines)
    if len(listed):
        at = _end_of_scalar(text, _offset(lines, *listed.lc.item(len(listed) - 1)))
        return f"{text[:at]}, {written}{text[at:]}"
    at = _offset(lines, listed.lc.line, listed.lc.col)
    at = text.index("[", at) + 1
    return text[:at] + written + text[at:]


def _with_key(text: str, lines: list[str], holder: Any, entry: str, file: str | None) -> str:
    if not isinstance(holder, CommentedMap) or not len(holder):
        raise InputError("a group without any key can't be added to", place=Place(file), remedy=f"write `{entry}` into it by hand")
    first = next(iter(holder))
    line, column = holder.lc.key(first)
    at = _offset(lines, line, column)
    if holder.fa.flow_style():
        return f"{text[:at]}{entry}, {text[at:]}"
    return f"{text[:at]}{entry}\n{' ' * column}{text[at:]}"


def _without_item(text: str, listed: CommentedSeq, index: int) -> str:
    lines = text.splitlines(keepends=True)
    line, column = listed.lc.item(index)
    if not listed.fa.flow_style():
        if len(listed) > 1:
            del lines[line]
            return "".join(lines)
        dash = lines[line].rindex("-", 0, column)
        end = _end_of_scalar(lines[line], column)
        lines[line] = f"{lines[line][:dash]}[]{lines[line][end:]}"
        return "".join(lines)
    start = _offset(lines, line, column)
    end = _end_of_scalar(text, start)
    if index + 1 < len(listed):
        end = _offset(lines, *listed.lc.item(index + 1))
    elif index > 0:
        start = _end_of_scalar(text, _offset(lines, *listed.lc.item(index - 1)))
    return text[:start] + text[end:]


def _offset(lines: Sequence[str], line: int, column: int) -> int:
    return sum(len(row) for row in lines[:line]) + column


def _end_of_scalar(text: str, at: int) -> int:
    """Where a one-line scalar that begins at ``at`` ends."""
    if text[at] in "\"'":
        quote = text[at]
        end = at + 1
        while text[end] != quote or (quote == "'" and text[end + 1 : end + 2] == "'"):
            end += 2 if (text[end] == "\\" and quote == '"') or text[end] == "'" == quote else 1
        return end + 1
    match = re.match(r"[^,\]\}\n#]*", text[at:])
    assert match is not None
    return at + len(match.group().rstrip())
