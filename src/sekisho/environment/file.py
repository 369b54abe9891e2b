"""Reads ``sekisho.yaml``: every mistake is told with its line, what was expected there, and the nearest valid name."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.composer import Composer
from ruamel.yaml.constructor import ConstructorError, DuplicateKeyError, RoundTripConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent
from ruamel.yaml.scalarbool import ScalarBoolean

from sekisho.environment.model import ActionMust, EnvironmentFile, Group, NetworkNames, Role, RoleMust, Who
from sekisho.environment.must import roles_matching, users_of
from sekisho.errors import InputError, OutsideError, Place
from sekisho.language import CATALOGUES

MAX_BYTES = 2_000_000
MAX_DEPTH = 40
MAX_BRACKETS = 200
"""Open brackets at one place, those in comments and texts counted as well: the parser is not asked to go deeper."""
MAX_NODES = 200_000
"""Values in a file with its aliases written out."""

Path_ = tuple[str | int, ...]


@dataclass(frozen=True)
class RoleWanted:
    """A role of the file: the label and id of its account, its name, and its fields."""

    account_label: str
    account: str
    name: str
    role: Role

    @property
    def arn(self) -> str:
        return f"arn:aws:iam::{self.account}:role{self.role.path}{self.name}"


@dataclass(frozen=True)
class Environment:
    """A checked environment file. ``wanted`` holds the fields; the rest answers questions about them.

    ``place(path)`` is the line of a part: ``place(("groups", "platform"))``.
    """

    wanted: EnvironmentFile
    file: str | None = None
    places: Mapping[Path_, Place] = field(default_factory=dict, hash=False, compare=False)
    lines: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def place(self, path: Path_) -> Place:
        """Where a part of the file stands; the nearest part around it that has a line of its own."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.file))

    @property
    def jump(self) -> str:
        """The jump account's id."""
        return self.wanted.jump.account

    @cached_property
    def users(self) -> Mapping[str, tuple[str, ...]]:
        """User → names of its groups, in the order of the file."""
        groups: dict[str, list[str]] = {}
        for name, group in self.wanted.groups.items():
            for user in group.users:
                groups.setdefault(user, []).append(name)
        return MappingProxyType({user: tuple(names) for user, names in groups.items()})

    def user_path(self, user: str) -> str:
        """A user's path: that of its groups, ``/`` where none of them has one."""
        return next((p for g in self.users[user] if (p := self.wanted.groups[g].path) != "/"), "/")

    def user_arn(self, user: str) -> str:
        return f"arn:aws:iam::{self.jump}:user{self.user_path(user)}{user}"

    @cached_property
    def roles(self) -> tuple[RoleWanted, ...]:
        """All roles of all target accounts, in the order of the file."""
        return tuple(RoleWanted(label, a.id, name, role) for label, a in self.wanted.accounts.items() for name, role in a.roles.items())

    def trusted_users(self, role: Role) -> tuple[str, ...]:
        """The users that a role is meant for: those of its groups and its single users, each once."""
        named = [u for g in role.trusts.groups for u in self.wanted.groups[g].users] + list(role.trusts.users)
        return tuple(dict.fromkeys(named))

    @property
    def vantage_points(self) -> dict[str, str]:
        """Name → address."""
        return dict(self.wanted.vantage_points)

    def cidrs(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The networks behind names, each once, in order."""
        return tuple(dict.fromkeys(c for n in names for c in self.wanted.networks[n]))

    def problem(self, path: Path_, message: str, expected: str, remedy: str | None = None) -> InputError:
        """An error about a part of the file, with its line shown."""
        place = self.place(path)
        return InputError(message, place=place, expected=expected, remedy=remedy, excerpt=_excerpt(self.lines, place))


def load_environment(path: str | Path) -> Environment:
    """Read and check an environment file. Raises InputError with line and column, OutsideError where it can't be read."""
    path = Path(path)
    try:
        # Read, not measured first: a pipe has no size.
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise InputError(f"{path} is a folder", expected="a sekisho.yaml", remedy=f"give the file: {path / 'sekisho.yaml'}") from None
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path}: no such file", expected="a sekisho.yaml", remedy="`sekisho init` writes one to start from") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it", expected="a file that you may read", remedy=f"see who may: ls -l {path}") from None
    except OSError as error:
        raise OutsideError(f"{path}: can't be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise InputError("larger than any environment needs to be", place=Place(str(path)), expected=f"at most {MAX_BYTES:,} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise InputError("not UTF-8", place=Place(str(path), None, line, column), expected="a text file in UTF-8") from None
    return parse_environment(text, file=str(path))


def parse_environment(text: str, file: str | None = None) -> Environment:
    """The same for text. ``file`` is named in errors."""
    if len(text) > MAX_BYTES:
        raise InputError("larger than any environment needs to be", place=Place(file), expected=f"at most {MAX_BYTES:,} characters")
    lines = tuple(text.splitlines())
    data = _yaml(text, file, lines)
    places: dict[Path_, Place] = {}
    plain = _plain(data, (), file, places, lines)
    if not isinstance(plain, dict):
        here = Place(file, None, 1, 1)
        raise InputError(
            "no environment in this file" if plain is None else "not an environment: the file is no block of keys and values",
            place=here, excerpt=_excerpt(lines, here), expected="the keys version, networks, jump, groups, accounts",
            remedy="`sekisho init` writes a file to start from",
        )  # fmt: skip
    try:
        wanted = EnvironmentFile.model_validate(plain)
    except ValidationError as error:
        raise _translated(error, plain, Environment(EnvironmentFile.model_construct(), file, places, lines)) from None
    environment = Environment(wanted, file, places, lines)
    for check in (_check_names, _check_users, _check_accounts, _check_must):
        check(environment)
    return environment


# --- YAML ----------------------------------------------------------------------------------------------------------------


_TAGS = {
    kind: tuple(f"tag:yaml.org,2002:{tag}" for tag in tags)
    for kind, tags in {
        "scalar": ("null", "bool", "int", "float", "str", "timestamp", "merge", "value"), "sequence": ("seq",), "mapping": ("map",),
    }.items()
}  # fmt: skip
"""What a file needs of YAML's types, by what carries them."""


class _Unusable(ConstructorError):
    """Good YAML that no environment has."""


class _Composer(Composer):
    """An anchor names one thing: ruamel warns of a second, and lets the last one win."""

    def compose_node(self, parent: Any, index: int) -> Any:
        event = self.parser.peek_event()
        anchor = getattr(event, "anchor", None)
        if anchor is not None and anchor in self.anchors and not isinstance(event, AliasEvent):
            raise _Unusable(None, None, f"the anchor {anchor} stands twice", event.start_mark)
        return super().compose_node(parent, index)


class _Constructor(RoundTripConstructor):
    """YAML's own types, but for dates: ``2012-10-17`` and ``2026-01-01T00:00:00Z`` are texts in a policy, to the letter.

    An anchor that contains itself is an error; ruamel puts nothing in its place, without a word.
    """

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        if node in self.recursive_objects:
            raise _Unusable(None, None, "an anchor that contains itself", node.start_mark)
        if node.tag not in _TAGS[node.id]:
            raise _Unusable(None, None, f"the tag {node.tag} says nothing here", node.start_mark)
        for key, _ in node.value if node.id == "mapping" else ():
            if key.id != "scalar":
                raise _Unusable(None, None, f"a {key.id} is no name", key.start_mark)
        try:
            return super().construct_object(node, deep)
        except (LookupError, ValueError):
            # A tag that is written out (`!!bool maybe`), on a text that hasn't its form.
            raise _Unusable(None, None, f"{node.value!r} is no {node.tag.rpartition(':')[2]}", node.start_mark) from None


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", RoundTripConstructor.construct_yaml_str)


def _yaml(text: str, file: str | None, lines: tuple[str, ...]) -> Any:
    depth = 0
    for match in re.finditer(r"[\[\]{}]", text):
        depth = max(depth + (1 if match.group() in "[{" else -1), 0)
        if depth > MAX_BRACKETS:
            line, column = text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start())
            raise _too_deep(Place(file, None, line, column), lines)
    yaml = YAML(typ="rt", pure=True)
    yaml.Composer, yaml.Constructor = _Composer, _Constructor
    try:
        return yaml.load(StringIO(text))
    except DuplicateKeyError as error:
        mark = error.problem_mark
        name = re.search(r'found duplicate key "?([^"]*)"?', str(error.problem))
        place = Place(file, None, mark.line + 1, mark.column + 1)
        raise InputError(
            f"the key {name.group(1) if name else ''} stands twice", place=place, excerpt=_excerpt(lines, place),
            expected="each key once in a block", remedy="take one of the two out, or give it another name",
        ) from None  # fmt: skip
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(file, None, mark.line + 1, mark.column + 1) if mark else Place(file)
        problem = str(error.problem or error.context or "not YAML").strip()
        tab = place.line is not None and "\t" in (lines[place.line - 1 : place.line] or ("",))[0]
        if isinstance(error, _Unusable):
            raise InputError(problem, place=place, excerpt=_excerpt(lines, place), expected="plain texts, numbers, lists and blocks") from None
        raise InputError(
            f"not YAML: {problem}", place=place, excerpt=_excerpt(lines, place), expected="spaces for indentation" if tab else "YAML",
            remedy="put spaces in place of the tabs" if tab else None,
        ) from None  # fmt: skip
    except (YAMLError, ValueError) as error:
        first = str(error).strip().splitlines()[0] if str(error).strip() else "no reason is given"
        at = re.search(r"position (\d+)", str(error))
        place = Place(file)
        if at:
            offset = int(at.group(1))
            place = Place(file, None, text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset))
        raise InputError(f"not YAML: {first}", place=place, excerpt=_excerpt(lines, place), expected="YAML") from None
    except RecursionError:
        raise _too_deep(Place(file), lines) from None


def _too_deep(place: Place, lines: tuple[str, ...]) -> InputError:
    return InputError(
        "nested too deep, or an anchor that contains itself", place=place, excerpt=_excerpt(lines, place), expected=f"at most {MAX_DEPTH} levels"
    )


def _plain(value: Any, path: Path_, file: str | None, places: dict[Path_, Place], lines: tuple[str, ...]) -> Any:
    """The data without YAML's own types, aliases written out, and where each part stands."""
    weight = 0

    def wrong(message: str, place: Place, expected: str, remedy: str | None = None) -> InputError:
        return InputError(message, place=place, excerpt=_excerpt(lines, place), expected=expected, remedy=remedy)

    def walk(value: Any, path: Path_) -> Any:
        nonlocal weight
        here = places[path]
        # A long text that an anchor repeats weighs as much as many short ones.
        weight += 1 + (len(value) // 100 if isinstance(value, str) else 0)
        if weight > MAX_NODES:
            raise wrong("the anchors of this file stand for too much", here, f"at most {MAX_NODES:,} values with every alias written out")
        if len(path) > MAX_DEPTH:
            raise _too_deep(here, lines)
        if isinstance(value, CommentedMap):
            result: dict[str, Any] = {}
            for key in value:
                place = _key_place(value, key, file) or here
                if not isinstance(key, str):
                    shown = "nothing" if key is None else str(key).lower() if isinstance(key, bool) else key
                    raise wrong(f"{shown} is no name", place, "a text as the key", "put it in quotes" if isinstance(key, int | float) else None)
                inner = (*path, str(key))
                places[inner] = place
                result[str(key)] = walk(value[key], inner)
            return result
        if isinstance(value, CommentedSeq):
            listed = []
            for i, item in enumerate(value):
                places[(*path, i)] = _item_place(value, i, file) or here
                listed.append(walk(item, (*path, i)))
            return listed
        if isinstance(value, bool | None):
            return value
        if isinstance(value, ScalarBoolean):
            return bool(value)
        for kind in (str, int, float):
            if isinstance(value, kind):
                if isinstance(value, float) and not math.isfinite(value):
                    raise wrong(f"{value} is no number that JSON has", here, "a number")
                return kind(value)
        raise wrong(f"a {type(value).__name__} can't stand here", here, "texts, numbers, true and false, lists and blocks")

    places[()] = Place(file, None, 1, 1)
    return walk(value, path)


def _key_place(holder: CommentedMap, key: Any, file: str | None) -> Place | None:
    try:
        line, column = holder.lc.key(key)
    except (KeyError, TypeError, AttributeError):
        return None
    return Place(file, None, line + 1, column + 1)


def _item_place(holder: CommentedSeq, index: int, file: str | None) -> Place | None:
    try:
        line, column = holder.lc.item(index)
    except (KeyError, TypeError, AttributeError):
        return None
    return Place(file, None, line + 1, column + 1)


def _excerpt(lines: tuple[str, ...], place: Place) -> str | None:
    """The line with a caret under the column; of a long line the part around it."""
    if place.line is None or not 0 < place.line <= len(lines):
        return None
    line, at = lines[place.line - 1], (place.column or 1) - 1
    start = max(0, at - 60) if len(line) > 120 else 0
    before, shown = ("..." if start else ""), line[start : start + 120]
    after = "..." if len(line) > start + 120 else ""
    # A terminal shows these letters two columns wide; what it would obey is not shown as it is.
    shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in shown)
    indent = "".join("\t" if c == "\t" else "  " if unicodedata.east_asian_width(c) in "WF" else " " for c in shown[: at - start])
    return f"  | {before}{shown}{after}\n  | {' ' * len(before)}{indent}^"


# --- errors in words -----------------------------------------------------------------------------------------------------


def _translated(error: ValidationError, plain: Any, environment: Environment) -> InputError:
    # A key that is missing is told last: most often it is there, but written wrong.
    first = min(error.errors(), key=lambda e: e["type"] == "missing")
    path = _existing(tuple(p for p in first["loc"] if p != "[key]"), plain)
    kind = first["type"]
    name = path[-1] if path else "the file"
    if kind == "extra_forbidden":
        known = _fields_at(path[:-1])
        return environment.problem(path, f"unknown key {name}", f"one of {', '.join(known)}", _nearest(str(name), known))
    if kind == "missing":
        missing = first["loc"][-1]
        block = f" in {_dotted(path)}" if path else ""
        return environment.problem(path, f"{missing} is missing{block}", f"the key {missing}", f"`sekisho schema` describes every key, {missing} too")
    if kind == "sekisho":
        context = first["ctx"]
        found = repr(name) if first["loc"][-1] == "[key]" else _found(path, plain)
        return environment.problem(path, f"{_dotted(path)}: {found} can't be used", context["expected"], context["remedy"] or None)
    if kind == "literal_error":
        expected = str(first["ctx"]["expected"])
        options = re.findall(r"'([^']*)'", expected)
        return environment.problem(path, f"{_dotted(path)}: {_found(path, plain)} can't be used", expected, _nearest(str(first["input"]), options))
    expected = _EXPECTED.get(kind, first["msg"][0].lower() + first["msg"][1:])
    return environment.problem(path, f"{_dotted(path)}: {_found(path, plain)} can't be used", expected)


_EXPECTED = {
    "dict_type": "keys and values (a block)", "model_type": "keys and values (a block)", "tuple_type": "a list", "list_type": "a list",
    "string_type": "a text", "bool_type": "true or false", "int_type": "a whole number",
}  # fmt: skip


def _existing(path: Path_, plain: Any) -> Path_:
    """The part of a path that is in the data: pydantic names the branches of unions as well."""
    found: list[str | int] = []
    value: Any = plain
    for step in path:
        if (isinstance(value, dict) and step in value) or (isinstance(value, list) and isinstance(step, int) and step < len(value)):
            value = value[step]  # type: ignore[index]
        else:
            continue
        found.append(step)
    return tuple(found)


def _found(path: Path_, plain: Any) -> str:
    value: Any = plain
    for step in path:
        value = value[step]
    if isinstance(value, dict | list):
        return "an empty list" if value == [] else "a list" if isinstance(value, list) else "a block"
    if isinstance(value, str) and len(value) > 100:
        value = value[:97] + "..."
    return "nothing" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)


def _dotted(path: Path_) -> str:
    return ".".join(str(p) for p in path) or "the file"


def _nearest(name: str, known: list[str] | tuple[str, ...]) -> str | None:
    close = difflib.get_close_matches(name, known, 1, 0.5)
    return f"did you mean {close[0]}?" if close else None


def _fields_at(path: Path_) -> list[str]:
    """The keys that are known at a path, found by walking the model's types."""
    kind: Any = EnvironmentFile
    for step in path:
        kind = _inside(kind, step)
    return list(dict.fromkeys(name for model in _models(kind) for name in model.model_fields))


def _inside(kind: Any, step: str | int) -> Any:
    for model in _models(kind):
        if step in model.model_fields:
            return model.model_fields[str(step)].annotation
    for part in (kind, *get_args(kind)):
        if get_origin(part) is dict:
            return get_args(part)[1]
        if get_origin(part) in (tuple, list):
            return get_args(part)[0]
    return None


def _models(kind: Any) -> Iterator[type[BaseModel]]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for part in get_args(kind):
        yield from _models(part)


# --- what one value can't show -------------------------------------------------------------------------------------------


def _check_names(environment: Environment) -> None:
    """Every name that is used is declared."""
    wanted = environment.wanted

    def networks(names: NetworkNames | None, path: Path_) -> None:
        for i, name in enumerate(names if isinstance(names, tuple) else ()):
            if name not in wanted.networks:
                known = list(wanted.networks)
                raise environment.problem(
                    (*path, i), f"no network is named {name}", f"one of {', '.join(known) or '(none is declared)'}", _nearest(name, known)
                )

    for name, cidrs in wanted.networks.items():
        if not cidrs:
            raise environment.problem(("networks", name), f"the network {name} is empty", "at least one address or CIDR",
                                      "an empty network matches nothing, and a Deny outside it locks everybody out")  # fmt: skip
    networks(wanted.jump.networks, ("jump", "networks"))
    networks(wanted.jump.sign_in, ("jump", "sign_in"))
    for name, group in wanted.groups.items():
        networks(group.networks, ("groups", name, "networks"))
    users = environment.users
    for target in environment.roles:
        path: Path_ = ("accounts", target.account_label, "roles", target.name)
        networks(target.role.networks, (*path, "networks"))
        for i, group_name in enumerate(target.role.trusts.groups):
            if group_name not in wanted.groups:
                known = list(wanted.groups)
                raise environment.problem(
                    (*path, "trusts", "groups", i), f"no group is named {group_name}", f"one of {', '.join(known)}", _nearest(group_name, known)
                )
        for i, user in enumerate(target.role.trusts.users):
            if user not in users:
                raise environment.problem(
                    (*path, "trusts", "users", i), f"the user {user} is in no group", "a user of one of the groups",
                    _nearest(user, list(users)) or "add the user to a group: permissions and restrictions come with it",
                )  # fmt: skip
        if not environment.trusted_users(target.role) and target.role.trusts_as != "account":
            raise environment.problem(
                (*path, "trusts"), f"the role {target.name} trusts nobody", "groups or users", "name at least one group with users"
            )
        if target.role.session.stay_on_networks and target.role.networks == "anywhere":
            raise environment.problem(
                (*path, "session", "stay_on_networks"), "sessions can't stay on networks that aren't named", "networks: a list",
                "name the role's networks, or take stay_on_networks out",
            )  # fmt: skip


def _check_users(environment: Environment) -> None:
    wanted = environment.wanted
    seen: dict[str, str] = {}

    def line(user: str, group: str) -> Path_:
        return ("groups", group, "users", wanted.groups[group].users.index(user))

    for name, names in environment.users.items():
        paths = {g: wanted.groups[g].path for g in names if wanted.groups[g].path != "/"}
        if len(set(paths.values())) > 1:
            listed = ", ".join(f"{g} has {p}" for g, p in paths.items())
            raise environment.problem(
                line(name, names[-1]), f"the user {name} is in groups with different paths: {listed}", "one path for a user",
                "give the groups one path, or take the user out of one of them",
            )  # fmt: skip
        if name.lower() in seen:
            raise environment.problem(
                line(name, names[0]), f"{name} and {seen[name.lower()]} differ only in case", "names that differ (A-41)",
                f"write {seen[name.lower()]} where the same person is meant",
            )  # fmt: skip
        seen[name.lower()] = name
    _unique_in_case(environment, ("groups",), wanted.groups)


def _check_accounts(environment: Environment) -> None:
    wanted = environment.wanted
    by_id: dict[str, str] = {}
    for label, account in wanted.accounts.items():
        if label.lower() == "jump":
            raise environment.problem(("accounts", label), f"the name {label} is the jump account's own", "another name for this account")
        if account.id == wanted.jump.account:
            raise environment.problem(
                ("accounts", label, "id"), f"account {account.id} is the jump account", "an account that people switch into",
                "users live in the jump account, and the roles that they switch to in others",
            )  # fmt: skip
        if account.id in by_id:
            raise environment.problem(("accounts", label, "id"), f"account {account.id} is {by_id[account.id]} already", "each account once")
        by_id[account.id] = label
        _unique_in_case(environment, ("accounts", label, "roles"), account.roles)
        for name, role in account.roles.items():
            if len(role.path.lstrip("/")) + len(name) > 64:
                raise environment.problem(
                    ("accounts", label, "roles", name), f"path and name of {name} are longer than 64 characters",
                    "at most 64, or the console can't switch to it (A.4)",
                )  # fmt: skip


def _check_must(environment: Environment) -> None:
    """Invariants name what there is, and somebody."""
    wanted = environment.wanted

    def known(name: str, names: Iterable[str], path: Path_, what: str, others: str = "") -> None:
        listed = list(names)
        if name not in listed:
            expected = f"one of {', '.join(listed) or '(none is declared)'}{others}"
            raise environment.problem(path, f"no {what} is named {name}", expected, _nearest(name, listed))

    def somebody(who: Who | str | None, path: Path_) -> None:
        if not isinstance(who, Who):
            return
        for i, group in enumerate(who.groups):
            known(group, wanted.groups, (*path, "groups", i), "group")
        for i, user in enumerate(who.users):
            known(user, environment.users, (*path, "users", i), "user")
        if not users_of(environment, who):
            listed = f": {', '.join(who.groups)} {'has' if len(who.groups) == 1 else 'have'} no users" if who.groups else ""
            raise environment.problem(path, f"this names nobody{listed}", "groups with users, or users", "name at least one group or user")

    for i, must in enumerate(wanted.must):
        path: Path_ = ("must", i)
        if isinstance(must, RoleMust):
            if not roles_matching(environment, must.role):
                short = "/" not in must.role
                names = [r.name if short else f"{r.account_label}/{r.name}" for r in environment.roles]
                known(must.role, dict.fromkeys(names), (*path, "role"), "role", ", or a pattern with *")
            for field in ("only_from", "sessions_only_from"):
                for j, name in enumerate(getattr(must, field) or ()):
                    known(name, wanted.networks, (*path, field, j), "network")
            somebody(must.only_for, (*path, "only_for"))
            somebody(must.break_glass, (*path, "break_glass"))
        elif isinstance(must, ActionMust):
            known(must.account, ["jump", *wanted.accounts, "*"], (*path, "account"), "account")
            somebody(must.only_for, (*path, "only_for"))
        else:
            somebody(must.first_sign_in, (*path, "first_sign_in"))
            if must.first_sign_in == "everybody" and not environment.users:
                raise environment.problem((*path, "first_sign_in"), "this names nobody: the file has no users", "groups with users")
    subjects = {r.name for r in environment.roles} | {f"{r.account_label}/{r.name}" for r in environment.roles} | {r.arn for r in environment.roles}
    subjects |= {*environment.users, *map(environment.user_arn, environment.users), *wanted.groups, *wanted.accounts, "jump", environment.jump}
    subjects |= {a.id for a in wanted.accounts.values()}
    rules = sorted({key.partition(".")[0] for key in CATALOGUES["en"] if re.fullmatch(r"[A-Z]-\d\d(\..*)?", key)})
    for i, entry in enumerate(wanted.accepted):
        known(entry.finding, rules, ("accepted", i, "finding"), "finding")
        if entry.subject is not None and entry.subject not in subjects and not entry.subject.startswith("arn:"):
            listed = sorted(subjects)
            raise environment.problem(
                ("accepted", i, "subject"), f"nothing is named {entry.subject}", "a user, group, account, account/role, or an ARN",
                _nearest(entry.subject, listed),
            )  # fmt: skip


def _unique_in_case(environment: Environment, path: Path_, names: Mapping[str, Group] | Mapping[str, Role]) -> None:
    """A-41: names are unique without regard to case."""
    seen: dict[str, str] = {}
    for name in names:
        if name.lower() in seen:
            raise environment.problem((*path, name), f"{name} and {seen[name.lower()]} differ only in case", "names that differ (A-41)")
        seen[name.lower()] = name
