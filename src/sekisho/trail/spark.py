"""The same questions on Spark: a store's Parquet files as views of a Spark session, which takes our SQL and gives the rows that DuckDB gives.

Spark runs in local mode, or where ``SPARK_REMOTE``, ``MASTER`` or ``PYSPARK_SUBMIT_ARGS`` say; its executors must be able to read the store's
folder. Decisions are made in this process, once for each distinct request (``plain.py``).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sekisho.errors import OutsideError
from sekisho.trail.engines import carried_over
from sekisho.trail.records import EVENTS, REQUESTS
from sekisho.trail.store import VIEWS, Store, chosen

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    # Comparisons and casts as in DuckDB: no value is changed in silence to fit another type.
    "spark.sql.ansi.enabled": "true",
    "spark.log.level": "ERROR",
    "spark.ui.showConsoleProgress": "false",
}
_ON_THIS_MACHINE = {"spark.ui.enabled": "false", "spark.driver.bindAddress": "127.0.0.1", "spark.driver.host": "127.0.0.1"}
"""Nothing listens for others, unless Spark is told of a cluster."""

_SPARK_TYPES = {pa.string(): "string", pa.int64(): "bigint", pa.bool_(): "boolean", pa.timestamp("ms"): "timestamp_ntz"}


def start_spark() -> SparkSession:
    """The Spark session of this process: the one that there is, else one of its own on this machine."""
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ and "SPARK_REMOTE" not in os.environ:
        raise OutsideError("Spark needs Java, and there is no java here", remedy="install Java 17: apt-get install openjdk-17-jre-headless")
    from pyspark.sql import SparkSession

    elsewhere = "SPARK_REMOTE" in os.environ or "MASTER" in os.environ or "--master" in os.environ.get("PYSPARK_SUBMIT_ARGS", "")
    builder = SparkSession.builder.appName("sekisho trail")
    for key, value in (_SETTINGS if elsewhere else {**_SETTINGS, **_ON_THIS_MACHINE}).items():
        builder = builder.config(key, value)
    spark: SparkSession = builder.getOrCreate()
    return spark


@dataclass
class SparkCursor:
    """An answer that has come whole: what is asked of Spark is grouped already."""

    description: list[tuple[str]]
    rows: list[tuple[Any, ...]]

    def fetchone(self) -> tuple[Any, ...] | None:
        return self.rows.pop(0) if self.rows else None

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        some, self.rows = self.rows[:size], self.rows[size:]
        return some

    def fetchall(self) -> list[tuple[Any, ...]]:
        some, self.rows = self.rows, []
        return some


class SparkConnection:
    """A store in a Spark session: an ``engines.Connection``."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark
        self._kept: dict[str, DataFrame] = {}

    def execute(self, query: str, parameters: Sequence[Any] | None = None, /) -> SparkCursor:
        """Run one of our questions. Tables are views here that stay in memory once they have been read."""
        import sqlglot.expressions as exp
        from sqlglot import parse_one

        assert not parameters
        statement = parse_one(query, read="duckdb")
        if not isinstance(statement, exp.Create):
            frame = self.spark.sql(carried_over(query, "spark"))
            return SparkCursor([(name,) for name in frame.columns], [tuple(row) for row in frame.collect()])
        frame = self.spark.sql(carried_over(statement.expression.sql("duckdb"), "spark"))
        self._define(statement.this.name, frame.cache() if statement.kind == "TABLE" else frame)
        return SparkCursor([], [])

    def register(self, name: str, table: pa.Table, /) -> None:
        self._define(name, self.spark.createDataFrame(table))

    def _define(self, name: str, frame: DataFrame) -> None:
        before = self._kept.pop(name, None)
        if before is not None:
            before.unpersist()
        self._kept[name] = frame
        frame.createOrReplaceTempView(name)

    def close(self) -> None:
        """Give back what is kept in memory; the Spark session stays."""
        for name, frame in self._kept.items():
            frame.unpersist()
            self.spark.catalog.dropTempView(name)
        self._kept.clear()


def connect(
    store: Store, spark: SparkSession, since: datetime | None = None, until: datetime | None = None, accounts: Sequence[str] = ()
) -> SparkConnection:
    """The views of ``Store.connect``, in Spark."""
    parts = store.parts(since, until, accounts)
    connection = SparkConnection(spark)

    def read(name: str, folder: Path, schema: pa.Schema) -> None:
        if parts:
            columns = ", ".join(f"{f.name} {_SPARK_TYPES[f.type]}" for f in schema)
            connection._define(name, spark.read.schema(columns).parquet(*(str((folder / p.name).resolve()) for p in parts)))
        else:
            connection.register(name, schema.empty_table())

    read("all_events", store.events_folder, EVENTS)
    read("all_requests", store.requests_folder, REQUESTS)
    for name, sql in chosen(since, until, accounts).items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")
    for name, sql in VIEWS.items():
        connection.execute(f"CREATE OR REPLACE TEMP VIEW {name} AS {sql}")
    return connection
