"""`sekisho schema`: a JSON Schema (2020-12) that takes the examples and refuses what the reader refuses, as far as a schema can."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from .running import Runner
from .test_errors import CASES

EXAMPLES = Path(__file__).parents[2] / "examples"

NOT_FOR_A_SCHEMA = re.compile(
    # Names that point at other parts of the file, and what only reading a document or an address can tell.
    "dangling|AWS has no|another account|document:|host bits|private vantage|IPv4-mapped|no network$|aren't named|but for case|same account|target is|two paths"
    "|trusts nobody|as the form|named jump|M-05|session too long|an age of nothing|max_age without MFA"
    # YAML's own, which a schema never sees: it is asked about values.
    "|two roles with one name|a key twice|tabs|open quote|open bracket|alias without|contains itself|anchor twice|billion|long text|two documents|brackets|braces"
    "|levels of blocks|control character|a tag|a set|as a key$"
)


@pytest.fixture
def schema(run: Runner) -> Any:
    ran = run("schema")
    assert ran.status == 0 and ran.err == ""
    return json.loads(ran.out)


def test_it_is_a_schema(schema: Any) -> None:
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("example", ["article", "company"])
def test_the_examples_are_valid(example: str, schema: Any) -> None:
    data = YAML(typ="safe").load(EXAMPLES / f"{example}.yaml")
    jsonschema.Draft202012Validator(schema).validate(data)


@pytest.mark.parametrize("case", [c for c in CASES if not NOT_FOR_A_SCHEMA.search(c)])
def test_bad_files_are_not(case: str, schema: Any) -> None:
    data = YAML(typ="safe").load(CASES[case][0])
    if isinstance(data, dict):
        data = json.loads(json.dumps(data))
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(data))


def test_every_field_is_described(schema: Any) -> None:
    """An editor shows the description beside the field."""
    blocks = [schema, *schema["$defs"].values()]
    bare = [f"{b['title']}.{name}" for b in blocks for name, field in b.get("properties", {}).items() if not field.get("description")]
    assert bare == []
