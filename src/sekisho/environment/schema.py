"""The JSON Schema of ``sekisho.yaml``, with which an editor completes and checks the file."""

from __future__ import annotations

from typing import Any

from sekisho.environment.model import EnvironmentFile


def environment_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) as a JSON object."""
    schema = EnvironmentFile.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "sekisho/environment/v1",
        **schema,
        "title": "sekisho.yaml",
    }
