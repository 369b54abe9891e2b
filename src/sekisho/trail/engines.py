"""What the questions need of an engine, and the SQL that all of them take.

The questions are written once, as DuckDB's SQL of a kind that sqlglot carries over to Spark and to Athena word for word: joins, windows, CASE and
the aggregates that mean the same everywhere. Not in it: GROUP BY ALL, EXCLUDE, recursion, lambdas, regular expressions, and ``any_value``
and ``arg_min`` of a column that may be NULL, which DuckDB skips and others don't. The tuned part of a replay (``replay.py``) is for
DuckDB alone; ``plain.py`` has it in this SQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Cursor(Protocol):
    """Rows of an answer."""

    @property
    def description(self) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int) -> list[Any]: ...
    def fetchall(self) -> list[Any]: ...


class Connection(Protocol):
    """A store as an engine sees it: the views ``own``, ``requests`` and ``events``, and whatever is made of them."""

    def execute(self, query: str, parameters: Sequence[Any] | None = None, /) -> Any: ...
    def register(self, name: str, table: Any, /) -> Any: ...


def rows_of(connection: Connection, sql: str) -> list[dict[str, Any]]:
    """The answer as dicts by column."""
    cursor = connection.execute(sql)
    names = [c[0] for c in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def carried_over(sql: str, dialect: str) -> str:
    """One of our questions in another engine's SQL: ``spark`` or ``athena``."""
    import sqlglot

    (found,) = sqlglot.transpile(sql, read="duckdb", write=dialect, identify=True, pretty=True, unsupported_level=sqlglot.ErrorLevel.RAISE)
    return found
