"""The JSON Schema of ``sekisho.yaml``, with which an editor completes and checks the file."""

from __future__ import annotations

from typing import Any

from sekisho.environment.model import EnvironmentFile


def environment_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) as a JSON object."""
    schema = _closed(EnvironmentFile.model_json_schema())
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "sekisho/environment/v1",
        **schema,
        "title": "sekisho.yaml",
    }


def _closed(schema: Any) -> Any:
    """The schema with every map of names closed: a name that its pattern doesn't take is a mistake, not one more entry."""
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _closed(value) for key, value in schema.items()}
    if "patternProperties" in result:
        result.setdefault("additionalProperties", False)
    return result
