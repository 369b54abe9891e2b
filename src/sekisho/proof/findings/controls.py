"""Control ids: which controls of which frameworks a finding is evidence about (field.md 5). Data, extendable; never a claim of compliance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from sekisho.errors import InputError

Controls = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Finding id → framework → control ids."""


@cache
def own_controls() -> Controls:
    """The package's table (``data/controls.json``)."""
    return read_controls(json.loads(resources.files("sekisho.proof.findings").joinpath("data/controls.json").read_text("utf-8")))


def read_controls(body: Any, file: str = "controls") -> Controls:
    """A table from its data: ``{"controls": {NAME: {"findings": [id…], "ids": {FRAMEWORK: [id…]}}}}``. Raises InputError."""
    expected = '{"controls": {NAME: {"findings": ["F-01", …], "ids": {"FRAMEWORK": ["id", …]}}}}'
    table: dict[str, dict[str, tuple[str, ...]]] = {}
    entries = body.get("controls") if isinstance(body, Mapping) else None
    if not isinstance(entries, Mapping):
        raise InputError(f"{file}: no table of controls", expected=expected)
    for name, entry in entries.items():
        findings, ids = (entry.get("findings"), entry.get("ids")) if isinstance(entry, Mapping) else (None, None)
        if findings is None or not _texts(findings) or not isinstance(ids, Mapping) or not all(_texts(v) for v in ids.values()):
            raise InputError(f"{file}: the control {name} can't be read", expected=expected)
        for finding in findings:
            row = table.setdefault(finding, {})
            for framework, listed in ids.items():
                row[str(framework)] = tuple(dict.fromkeys((*row.get(str(framework), ()), *listed)))
    return table


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def controls_of(finding: str, more: Controls | None = None) -> Mapping[str, tuple[str, ...]]:
    """The control ids of a finding by framework, the user's beside the package's."""
    result = dict(own_controls().get(finding, {}))
    for framework, ids in (more or {}).get(finding, {}).items():
        result[framework] = tuple(dict.fromkeys((*result.get(framework, ()), *ids)))
    return result
