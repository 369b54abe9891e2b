"""Environment files as the tests here write them: an example with one part changed, compiled, as AWS's JSON."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from sekisho import Estate, compile_environment
from sekisho.environment import Environment, parse_environment
from sekisho.estate import account_to_json

EXAMPLES = Path(__file__).parents[2] / "examples"

ABSENT = object()


def data_of(example: str) -> Any:
    return YAML(typ="safe").load((EXAMPLES / f"{example}.yaml").read_text(encoding="utf-8"))


def changed(example: str, path: str, value: Any) -> Any:
    """The example's data with the part at a dotted path set to ``value``, or taken out where it is ABSENT."""
    data = data_of(example)
    set_at(data, path, value)
    return data


def set_at(data: Any, path: str, value: Any) -> None:
    """Set the part of ``data`` at a path of names and places, or take it out where ``value`` is ABSENT."""
    holder, *steps = data, *path.split("/")
    for step in steps[:-1]:
        holder = holder[int(step) if isinstance(holder, list) else step]
    last: Any = int(steps[-1]) if isinstance(holder, list) else steps[-1]
    if value is ABSENT:
        del holder[last]
    else:
        holder[last] = value


def text_of(data: Any) -> str:
    out = StringIO()
    yaml = YAML(typ="safe")
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(data, out)
    return out.getvalue()


def environment_of(data: Any) -> Environment:
    return parse_environment(data if isinstance(data, str) else text_of(data), file="sekisho.yaml")


def estate_of(data: Any) -> Estate:
    return compile_environment(environment_of(data))


def as_json(estate: Estate) -> Any:
    return {account.id: account_to_json(account) for account in estate.accounts}
