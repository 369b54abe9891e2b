"""Beyond one machine: Spark gives the rows that DuckDB gives, on all the real records and on made ones; so does the SQL that is for Athena.

No engine that speaks Athena's dialect (Trino) can be had from the package registries, so that SQL is parsed by sqlglot's dialect of Athena, carried
back from there to DuckDB, and run: what is lost or bent on the way shows in the rows.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from click.testing import CliRunner

from sekisho.cli.trail import command
from sekisho.environment import compile_environment, load_environment
from sekisho.estate import write_estate
from sekisho.loading import load
from sekisho.trail.audit import QUESTIONS
from sekisho.trail.generate import Generator
from sekisho.trail.ingest import ingest
from sekisho.trail.sessions import prepare_sessions, prepare_switches
from sekisho.trail.store import Store

from .shared import CONTRACTS, DATA

REAL = "123837392027"
"""The account of the Invictus set."""

TINY = (
    "--driver-java-options='-XX:TieredStopAtLevel=1 -XX:+UseSerialGC' --conf spark.sql.shuffle.partitions=1 --conf spark.sql.adaptive.enabled=false "
    "--conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN pyspark-shell"
)
"""What makes Spark quick for little data: the questions and their SQL are the same."""


def bert_jan() -> dict[str, Any]:
    """A user of the real records whose policies look at all that makes requests distinct: addresses, times, ages, agents, sessions."""
    statements = [
        {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": {"DateLessThan": {"aws:CurrentTime": "2023-07-10T12:00:00Z"}}},
        {"Effect": "Allow", "Action": "organizations:*", "Resource": "*"},
        {"Effect": "Allow", "Action": ["s3:*", "ec2:Describe*"], "Resource": "*", "Condition": {"StringLike": {"aws:UserAgent": "*aws-cli*"}}},
        {"Effect": "Deny", "Action": "ssm:*", "Resource": "*", "Condition": {"NotIpAddressIfExists": {"aws:SourceIp": "198.51.100.0/24"}}},
        {"Effect": "Deny", "Action": "iam:*", "Resource": "*", "Condition": {"NumericGreaterThan": {"aws:MultiFactorAuthAge": "60.5"}}},
    ]
    user = {
        "Path": "/", "UserName": "bert-jan", "UserId": "AIDARZJHTBBF7XWOCCVVE", "Arn": f"arn:aws:iam::{REAL}:user/bert-jan", "GroupList": [], "Tags": [],
        "UserPolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}], "AttachedManagedPolicies": [],
    }  # fmt: skip
    return {"UserDetailList": [user], "GroupDetailList": [], "RoleDetailList": [], "Policies": []}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``store``: all real records and three made days of the company; ``estate``: the company with cafes for its vpn, and a user of the real records."""
    folder = tmp_path_factory.mktemp("engines")
    environment = load_environment(CONTRACTS / "company.yaml")
    made = compile_environment(environment)
    Generator(made, environment.wanted.networks, folder / "made", seed=3, start=date(2026, 1, 5), days=3, busy=0.3).run()
    ingest([str(DATA), str(folder / "made" / "AWSLogs")], Store(folder / "store", create=True), workers=1)
    text = (CONTRACTS / "company.yaml").read_text().replace("\nnetworks:\n", "\nnetworks:\n  cafes: [198.18.0.0/16]\n", 1)
    (folder / "without.yaml").write_text(text.replace(", vpn]", ", cafes]").replace(", vpn,", ", cafes,"))
    write_estate(compile_environment(load_environment(folder / "without.yaml")), folder / "estate")
    (folder / "estate" / f"{REAL}.json").write_text(json.dumps(bert_jan()))
    return folder


def said(*arguments: str | Path) -> dict[str, Any]:
    """What the command prints as JSON, run in this process, which keeps one Spark for all."""
    done = CliRunner().invoke(command, [*map(str, arguments), "--format", "json"])
    assert done.exit_code in (0, 1), (done.output, done.exception)
    body: dict[str, Any] = json.loads(done.stdout)
    return {**body, "exit status": done.exit_code}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None and "JAVA_HOME" not in os.environ, reason="Spark needs Java 17 (openjdk-17-jre-headless), and there is none here")
def test_spark_gives_the_rows_that_duckdb_gives(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="Spark isn't installed: pip install 'sekisho[spark]'")
    monkeypatch.setenv("PYSPARK_SUBMIT_ARGS", TINY)
    asking = ("--store", place / "store", "--networks", CONTRACTS / "company.yaml")
    audit = ("audit", *asking, "--estate", place / "estate")
    here, there = said(*audit), said(*audit, "--engine", "spark")
    assert {name for name, rows in here["answers"].items() if rows} >= set(QUESTIONS) - {"left-network", "sign-ins-without-mfa", "emergencies"}
    for question, rows in here["answers"].items():
        assert there["answers"][question] == rows, question
    assert there == here
    replay = ("replay", *asking, "--against", place / "estate", "--suggest")
    here, there = said(*replay), said(*replay, "--engine", "spark")
    assert len(here["changes"]) > 50
    # DuckDB's way takes addresses that all policies hold alike for one.
    assert here.pop("distinct_requests") <= there.pop("distinct_requests")
    assert there == here


# --- Athena --------------------------------------------------------------------------------------------------------------


def athena(place: Path, out: Path, *more: str | Path) -> dict[str, Any]:
    return said("athena", "--location", "s3://our-trail/store", "--out", out, *more)


def as_athena(place: Path, out: Path, statements: list[str]) -> duckdb.DuckDBPyConnection:
    """The statements parsed as Athena's, and what they mean in DuckDB. A table is the Parquet files that its LOCATION stands for."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for path in statements:
        sql = Path(path).read_text()
        (statement,) = sqlglot.parse(sql, read="athena", error_level=sqlglot.ErrorLevel.RAISE)
        assert statement is not None
        if isinstance(statement, sqlglot.exp.Create) and statement.kind == "TABLE":
            name = statement.find(sqlglot.exp.Table).name  # type: ignore[union-attr]
            folder = {"all_events": place / "store/events", "all_requests": place / "store/requests", "decisions": out / "decisions"}[name]
            files = f"read_parquet('{folder}/**/*.parquet', hive_partitioning = {str(name == 'decisions').lower()})"
            connection.execute(f'CREATE VIEW "{name}" AS SELECT * FROM {files}')
            columns = {(c[0], c[1]) for c in connection.execute(f'DESCRIBE "{name}"').fetchall()}
            types = {"TEXT": "VARCHAR", "VARCHAR": "VARCHAR", "BIGINT": "BIGINT", "BOOLEAN": "BOOLEAN", "TIMESTAMP": "TIMESTAMP"}
            declared = {(c.name, types[c.args["kind"].sql("duckdb")]) for c in statement.find_all(sqlglot.exp.ColumnDef)}
            assert {(n, t.replace("TIMESTAMP_MS", "TIMESTAMP")) for n, t in columns} >= declared and len(declared) > 10
        elif isinstance(statement, sqlglot.exp.Create):
            assert statement.kind == "VIEW" and statement.args["replace"]
            connection.execute(sqlglot.transpile(sql, read="athena", write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)[0])
        else:
            assert "ADD IF NOT EXISTS PARTITION (`against` = 'estate')" in sql
    return connection


def plain(rows: list[tuple[Any, ...]]) -> Counter[str]:
    """Rows as a bag; lists in them have no order."""
    return Counter(repr([sorted(map(str, v)) if isinstance(v, list) else v for v in row]) for row in rows)


def test_the_views_for_athena_give_the_rows_that_duckdb_gives(place: Path, tmp_path: Path) -> None:
    made = athena(place, tmp_path, "--against", place / "estate", "--store", place / "store")
    connection = as_athena(place, tmp_path, made["statements"])
    store = Store(place / "store").connect()
    prepare_switches(store)
    prepare_sessions(store)
    for name, question in QUESTIONS.items():
        view = "audit_" + name.replace("-", "_")
        assert plain(connection.execute(f"SELECT * FROM {view}").fetchall()) == plain(store.execute(question.sql).fetchall()), name
    replayed = said("replay", "--store", place / "store", "--against", place / "estate")
    answers: Counter[str] = Counter()
    for answer, _, events in connection.execute("SELECT * FROM replay_answers").fetchall():
        answers[answer] += events
    changed = sum(c["events"] for c in replayed["changes"])
    assert (answers["as it was"], answers["would differ"], answers["not decided yet"]) == (replayed["same"], changed, 0)
    differences = connection.execute("SELECT would_be, who, action, address, layer, policy, sum(n) FROM replay_differences GROUP BY ALL").fetchall()
    expected: Counter[tuple[Any, ...]] = Counter()
    for c in replayed["changes"]:
        policy = (c["statement"] or {}).get("policy")
        expected[c["would_be"], c["user"], c["action"], c["address"], c["layer"], policy] += c["events"]
    assert {d[:6]: d[6] for d in differences} == expected and len(expected) > 20


def test_what_athena_found_is_decided_as_what_the_store_has(place: Path, tmp_path: Path) -> None:
    """``asked`` comes out of Athena by UNLOAD; without its decisions every event is said to be not decided yet."""
    first = athena(place, tmp_path / "first", "--against", place / "estate")
    assert first["decisions"] == {}
    (tmp_path / "first/decisions/against=none").mkdir(parents=True)
    done = athena(place, tmp_path / "all", "--against", place / "estate", "--store", place / "store")
    shutil.copy(tmp_path / "all/decisions/against=estate/decisions.parquet", tmp_path / "first/decisions/against=none/decisions.parquet")
    connection = as_athena(place, tmp_path / "first", first["statements"])
    assert {a for a, in connection.execute("SELECT DISTINCT answer FROM replay_answers").fetchall()} == {"not decided yet"}
    connection.execute(f"COPY (SELECT * FROM asked) TO '{tmp_path}/asked.parquet'")
    again = athena(place, tmp_path / "again", "--against", place / "estate", "--asked", tmp_path / "asked.parquet")
    assert again["decisions"] == done["decisions"] and sum(done["decisions"].values()) > 300


def test_what_cant_be_right_is_refused(place: Path, tmp_path: Path) -> None:
    for wrong in (["--location", "/tmp/x"], ["--location", "s3://b/'; DROP"], ["--location", "s3://bucket", "--name", "a b"], ["--location", "s3://bucket", "--store", "x"]):
        done = CliRunner().invoke(command, ["athena", *wrong, "--out", str(tmp_path / "out")])
        assert type(done.exception).__name__ == "InputError", wrong
    shutil.copytree(place / "store", tmp_path / "store")
    (tmp_path / "store/events/00009999.parquet").write_bytes(b"half")
    arguments = ["athena", "--location", "s3://b-1", "--against", str(place / "estate"), "--store", str(tmp_path / "store"), "--out", str(tmp_path / "out")]
    assert "1 files of an ingest that was stopped" in str(CliRunner().invoke(command, arguments).exception)


def test_the_estate_of_the_test_asks_for_all_that_makes_requests_distinct(place: Path) -> None:
    from sekisho.trail.request import mentioned_keys

    assert set(mentioned_keys(load(place / "estate"))) >= {"aws:currenttime", "aws:useragent", "aws:multifactorauthage", "aws:sourceip"}
