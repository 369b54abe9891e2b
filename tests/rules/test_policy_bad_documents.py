"""Documents that no policy should be: broken, huge, bottomless. Each is a PolicyError with its place, soon, and nothing else (A-01, A-05, A-06)."""

from __future__ import annotations

import json
import time

import pytest

from sekisho import Policy
from sekisho.errors import PolicyError
from sekisho.policy.positions import Positions

HEAD = '{\n  "Version": "2012-10-17",\n  "Statement": [\n    '
ONE = '{"Effect": "Allow", "Action": "*", "Resource": "*"}'

# rule and case, text, (pointer, line, column), and a word of what is expected
BAD: tuple[tuple[str, str | bytes, tuple[str | None, int, int], str], ...] = (
    ("A-01 empty", "", (None, 1, 1), "too early"),
    ("A-01 cut off", HEAD + ONE, (None, 4, 5 + len(ONE)), "too early"),
    ("A-01 broken on the fourth line", HEAD + "{,", (None, 4, 6), "JSON"),
    ("A-01 not an object", HEAD.replace("{\n", "[\n", 1).split('"V')[0] + "]", (None, 1, 1), "one JSON object"),
    ("A-01 NaN", HEAD + '{"Effect": NaN}]}', (None, 4, 16), "NaN"),
    ("A-01 Infinity after the word in a text", HEAD + '{"Sid": "-Infinity", "Effect": -Infinity}]}', (None, 4, 36), "-Infinity"),
    ("A-01 not UTF-8", (HEAD + '{"Sid": "').encode() + b"\xe9" + b'"}]}', (None, 4, 14), "UTF-8"),
    ("A-01 not UTF-8, after a character of two bytes", (HEAD + '{"Sid": "é').encode() + b"\xff", (None, 4, 15), "byte 61 is 0xff"),
    ("A-01 UTF-16", ONE.encode("utf-16-le"), (None, 1, 2), "JSON"),
    ("A-01 a byte order mark", "\ufeff" + ONE, (None, 1, 1), "JSON"),
    ("A-05 twice at the top", HEAD + ONE + '],\n  "Version": "2008-10-17"}', ("/Version", 5, 3), '"Version" stands twice'),
    ("A-05 twice in a statement", HEAD + ONE + ',\n    {"Effect": "Deny", "Action": "*",\n     "Effect": "Allow"}]}', ("/Statement/1/Effect", 6, 6),
     '"Effect" stands twice'),
    ("A-05 twice, once as an escape", HEAD + '{"Sid": "a", "S\\u0069d": "b"}]}', ("/Statement/0/Sid", 4, 18), '"Sid" stands twice'),
    ("A-05 twice, with a slash in it", HEAD + '{"a/b": 1, "a/b": 2}]}', ("/Statement/0/a~1b", 4, 16), '"a/b" stands twice'),
    ("A-06 forbidden in a text", HEAD + '{"Sid": "関"}]}', ("/Statement/0/Sid", 4, 13), "U+95A2"),
    ("A-06 forbidden in a key", HEAD + '{"関": "x"}]}', ("/Statement/0/関", 4, 11), "U+95A2"),
    ("A-06 half a surrogate pair", HEAD + '{"Sid": "\\ud800"}]}', ("/Statement/0/Sid", 4, 13), "U+D800"),
    ("A-06 a zero byte", HEAD + '{"Sid": "\\u0000"}]}', ("/Statement/0/Sid", 4, 13), "U+0000"),
    ("A-01 ten megabytes", '{"Version": "' + "x" * 10_000_000 + '"}', (None, 1, 1), "1,000,000 characters"),
    ("A-01 ten megabytes of bytes", b"[" * 10_000_000, (None, 1, 1), "1,000,000 characters"),
    ("A-01 ten thousand brackets", "[" * 10_000, (None, 1, 201), "nested"),
    ("A-01 ten thousand brackets, closed", HEAD + "[" * 10_000 + "]" * 10_000 + "]}", (None, 4, 5 + 198), "nested"),
    ("A-01 a million brackets", "[" * 1_000_000, (None, 1, 201), "nested"),
    ("A-01 ten thousand objects", '{"a":' * 10_000, (None, 1, 1001), "nested"),
    ("A-01 a hundred and fifty brackets", '{"Id": ' + "[" * 150 + "]" * 150 + "}", ("/Id" + "/0" * 100, 1, 108), "nested"),
    ("A-01 half a million broken texts", '"\\' * 500_000, (None, 1, 1), "JSON"),
    ("A-01 a number of a hundred thousand digits", '{"Version": ' + "9" * 100_000 + "}", ("/Version", 1, 13), "2012-10-17"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "place", "expected"), [c[1:] for c in BAD], ids=[c[0] for c in BAD])
def test_bad(text: str | bytes, place: tuple[str | None, int, int], expected: str) -> None:
    began = time.monotonic()
    with pytest.raises(PolicyError) as caught:
        Policy.parse(text, file="policy.json")
    error = caught.value
    assert error.message == "Syntax errors in policy."
    assert error.place is not None
    assert error.place.file == "policy.json"
    assert (error.place.pointer, error.place.line, error.place.column) == place
    assert expected in str(error.expected)
    assert len(str(error)) < 2000, "an error is for a person"
    assert time.monotonic() - began < 20


def test_a_document_inside_another_file_has_that_files_places() -> None:
    """A-11: pointer, line and column are those of the whole file."""
    text = json.dumps({"cases": [{"document": {"Statement": {"Effect": "allow", "Action": "*", "Resource": "*"}}}]}, indent=1)
    with pytest.raises(PolicyError) as caught:
        document = json.loads(text)["cases"][0]["document"]
        Policy.parse(document, file="cases.json", pointer="/cases/0/document", positions=Positions(text))
    place = caught.value.place
    assert place is not None
    assert (place.file, place.pointer, place.line, place.column) == ("cases.json", "/cases/0/document/Statement/Effect", 6, 16)


def test_numbers_beyond_a_float_are_kept() -> None:
    """C-32, A-19: a number is what stands in the text, to its last digit, whatever Python makes of it."""
    exact = ("9007199254740993.5", "1e400", "0.1000000000000000000001", "9" * 5000)
    for text in exact:
        condition = '{"NumericEquals": {"k": ' + text + "}}"
        policy = Policy.parse('{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": ' + condition + "}}")
        assert policy.statements[0].conditions[0].values == (text,)
        assert json.loads(json.dumps(policy.document)) == policy.document
