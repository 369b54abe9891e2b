"""JSON text as AWS reads it: UTF-8, each key once (A-05), numbers exactly (C-32), no NaN, no bottomless nesting; what fails has its place."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sekisho.policy.positions import Positions


class NotJson(ValueError):
    """Text that can't be read. ``found`` says what is wrong; ``pointer``, ``line`` and ``column`` say where."""

    def __init__(self, found: str, expected: str, line: int, column: int, pointer: str | None = None) -> None:
        super().__init__(found)
        self.found, self.expected, self.line, self.column, self.pointer = found, expected, line, column, pointer


class _Repeated(Exception):
    pass


class _Constant(Exception):
    pass


def decoded(raw: bytes) -> str:
    """UTF-8 bytes as text. Raises NotJson at the first byte that isn't."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = Positions(good := raw[: error.start].decode("utf-8")).at_offset(len(good))
        raise NotJson("not UTF-8", f"UTF-8 text; byte {error.start} is 0x{raw[error.start]:02x}", line, column) from error


def parsed(text: str, positions: Positions) -> Any:
    """The value of a JSON text; ``positions`` are those of the same text. Raises NotJson.

    A number that a float can't hold is kept as its text, which means the same to a policy (A-19).

    >>> parsed('{"a": [1, 0.5, 0.1000000000000000000001]}', Positions(""))
    {'a': [1, 0.5, '0.1000000000000000000001']}
    """
    try:
        return json.loads(text, object_pairs_hook=_once, parse_float=_exactly, parse_int=_whole, parse_constant=_no_constant)
    except _Repeated:
        pointer, offset = positions.repeated() or ("", 0)
        line, column = positions.at_offset(offset)
        name = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
        raise NotJson(f'the key "{name}" stands twice in one object', "each key once", line, column, pointer) from None
    except _Constant as error:
        line, column = positions.at_offset(positions.first(str(error)) or 0)
        raise NotJson(f"not JSON: {error} is no number", "JSON", line, column) from None
    except json.JSONDecodeError as error:
        why = "the text ends too early" if error.pos >= len(text.rstrip()) else error.msg
        raise NotJson(f"not JSON: {why}", "JSON", error.lineno, error.colno) from error
    except RecursionError:
        line, column = positions.at_offset(positions.too_deep() or 0)
        raise NotJson("nested too deep", "JSON that is not nested this deep", line, column) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _Repeated
    return result


def _exactly(text: str) -> float | str:
    value = float(text)
    return value if value - value == 0 and Decimal(text) == Decimal(repr(value)) else text


def _whole(text: str) -> int | str:
    return int(text) if len(text) < 1000 else text  # Python refuses to read numbers of thousands of digits


def _no_constant(text: str) -> Any:
    raise _Constant(text)
