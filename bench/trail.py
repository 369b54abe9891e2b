"""CloudTrail read into the store beside trailscraper, DuckDB's own JSON reader and plain gzip + json; what-if again on a store.

The input is synthetic (``sekisho trail generate``, copied with new ids into other years), in CloudTrail's layout. All contenders read the same
files in one run. Each row's note says what the peer does less or more. ``SEKISHO_BENCH_EVENTS`` sets how many events the large runs have.
"""

import gzip
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

from measuring import Report, Row
from measuring import peers as peer

HERE = Path(__file__).resolve().parent
WORK = HERE / ".cache" / "trail"
EVENTS = int(os.environ.get("SEKISHO_BENCH_EVENTS", "2000000"))
SIDE_BY_SIDE = 100_000
"""Events that the slow contenders read; ours reads the same, and more in runs of its own."""
TRAILSCRAPER = "trailscraper==0.10.0"
REPLAY_AT_LEAST = 800_000


def made() -> list[bytes]:
    """The records of a synthetic organisation of 200 users and 20 accounts: one JSON text a file, some 17,000 events in all."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from sekisho.environment import compile_environment, load_environment
    from sekisho.trail.generate import Generator
    from trail.test_replay import large_environment

    seed = WORK / "seed"
    if not (seed / "truth.json").exists():
        shutil.rmtree(seed, ignore_errors=True)
        seed.mkdir(parents=True)
        (WORK / "env.yaml").write_text(large_environment())
        environment = load_environment(WORK / "env.yaml")
        Generator(compile_environment(environment), environment.wanted.networks, seed, seed=1, start=date(2026, 1, 5), days=28, busy=0.3).run()
    by_account: dict[str, list[bytes]] = {}
    for path in sorted(seed.rglob("*.gz")):
        body = gzip.decompress(path.read_bytes())
        by_account.setdefault(path.parts[-7], []).append(body[len(b'{"Records":[') : -2])
    texts = []
    for account, parts in by_account.items():
        # CloudTrail's files hold some hundred to some thousand records.
        records = b",".join(parts)
        texts.append(account.encode() + b" " + records)
    return texts


def trail(events: int) -> tuple[Path, int]:
    """A folder of ``events`` events or a little more, made once: (folder, events)."""
    folder = WORK / f"trail-{events}"
    done = folder / "events.txt"
    if done.exists():
        return folder, int(done.read_text())
    shutil.rmtree(folder, ignore_errors=True)
    texts = made()
    each = sum(t.count(b'"eventID":"') for t in texts)
    written, year = 0, 2026
    while written < events:
        for text in texts:
            account, _, records = text.partition(b" ")
            copy = f"{year:04d}".encode()
            changed = records.replace(b"2026-", copy + b"-").replace(b'ventID":"', b'ventID":"' + copy).replace(b'"ASIA', b'"ASIA' + copy)
            for n, chunk in enumerate(_chunks(changed, 1500)):
                path = folder / "AWSLogs" / account.decode() / "CloudTrail/us-east-1" / f"{year}/01/05"
                path.mkdir(parents=True, exist_ok=True)
                name = f"{account.decode()}_CloudTrail_us-east-1_{year}0105T0000Z_{n:016d}.json.gz"
                (path / name).write_bytes(gzip.compress(b'{"Records":[' + chunk + b"]}", 6))
                written += chunk.count(b'"eventID":"')
            if written >= events:
                break
        year += 1
    assert each
    done.write_text(str(written))
    return folder, written


def _chunks(records: bytes, most: int) -> list[bytes]:
    starts = [m.start() for m in re.finditer(rb'\{"eventVersion"', records)]
    cuts = [*starts[::most], len(records) + 1]
    return [records[a : b - 1] for a, b in itertools.pairwise(cuts)]


def run(command: list[str], env: dict[str, str] | None = None) -> tuple[float, float, str]:
    """(seconds, peak memory of it and its children in MiB, what it printed); raises where it fails."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=env)
    peak = 0

    def watch() -> None:
        nonlocal peak
        while process.poll() is None:
            peak = max(peak, _memory_of_group(process.pid))
            time.sleep(0.05)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    out, err = process.communicate()
    spent = time.monotonic() - started
    thread.join()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[:4]}: {err[-1500:]}")
    return spent, peak / 1024, out


def _memory_of_group(group: int) -> int:
    """Resident memory in KiB of all processes of a group; what they share counts for each."""
    total = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[2]) == group:
                    total += int(fields[21]) * 4
            except (OSError, IndexError):
                continue
    return total


def ours(folder: Path, store: Path, workers: int = 2) -> tuple[float, float, int]:
    shutil.rmtree(store, ignore_errors=True)
    command = [sys.executable, "-m", "sekisho.cli", "trail", "ingest", str(folder / "AWSLogs"), "--store", str(store), "--workers", str(workers)]
    spent, peak, out = run([*command, "--format", "json"])
    return spent, peak, json.loads(out)["distinct_events"]


DUCKDB = """
import duckdb, sys
types = {"eventVersion": "VARCHAR", "eventTime": "TIMESTAMP", "eventSource": "VARCHAR", "eventName": "VARCHAR", "awsRegion": "VARCHAR",
    "sourceIPAddress": "VARCHAR", "userAgent": "VARCHAR", "errorCode": "VARCHAR", "errorMessage": "VARCHAR", "requestID": "VARCHAR",
    "eventID": "VARCHAR", "eventType": "VARCHAR", "readOnly": "BOOLEAN", "recipientAccountId": "VARCHAR", "sharedEventID": "VARCHAR",
    "vpcEndpointId": "VARCHAR", "requestParameters": "JSON", "responseElements": "JSON", "additionalEventData": "JSON",
    "resources": 'STRUCT("ARN" VARCHAR, "accountId" VARCHAR, "type" VARCHAR)[]',
    "userIdentity": 'STRUCT("type" VARCHAR, "principalId" VARCHAR, "arn" VARCHAR, "accountId" VARCHAR, "accessKeyId" VARCHAR, '
        '"userName" VARCHAR, "invokedBy" VARCHAR, "sessionContext" STRUCT("attributes" STRUCT("mfaAuthenticated" VARCHAR, '
        '"creationDate" VARCHAR), "sessionIssuer" STRUCT("arn" VARCHAR)))'}
record = "STRUCT(" + ", ".join(f'"{k}" {v}' for k, v in types.items()) + ")[]"
con = duckdb.connect()
con.execute("SET threads = 2")
con.execute(f"COPY (SELECT unnest(r) FROM (SELECT unnest(\\"Records\\") AS r FROM read_json('{sys.argv[1]}/AWSLogs/**/*.gz', "
    f"columns = {{'Records': '{record}'}}, maximum_object_size = 134217728))) TO '{sys.argv[2]}' (FORMAT parquet)")
print(con.execute(f"SELECT count(*) FROM '{sys.argv[2]}'").fetchone()[0])
"""

PLAIN = """
import gzip, json, sys, pathlib
n = 0
for path in pathlib.Path(sys.argv[1]).rglob("*.gz"):
    n += sum(1 for record in json.loads(gzip.decompress(path.read_bytes()))["Records"] if record["eventID"])
print(n)
"""

SCRAPER = """
import json, subprocess, sys
command = [sys.argv[2], "select", "--log-dir", sys.argv[1], "--from", "1990-01-01", "--to", "9000-01-01"]
with open(sys.argv[3], "wb") as out:
    subprocess.run(command, stdout=out, check=True)
print(open(sys.argv[3]).read().count('"eventID": '))
"""
"""trailscraper's own command, which reads the files and writes the records into one JSON document."""

REPLAY = """
import json, sys, time
from pathlib import Path
from sekisho.environment import compile_environment, load_environment
from sekisho.trail.addresses import Networks
from sekisho.trail.replay import replay
from sekisho.trail.store import Store
environment = load_environment(sys.argv[2])
estate = compile_environment(environment)
started = time.monotonic()
store = Store(Path(sys.argv[1]))
parts = store.contents().parts
found = replay(store.connect(), estate, networks=Networks(environment.wanted.networks), whole=False, parts=parts)
print(json.dumps([time.monotonic() - started, found.events, found.distinct, sum(c.events for c in found.changes)]))
"""


def side_by_side(report: Report) -> None:
    folder, events = trail(SIDE_BY_SIDE)
    mine = [ours(folder, WORK / "store") for _ in range(3)]
    assert all(m[2] == events for m in mine), (mine, events)
    seconds = sorted(m[0] for m in mine)[1]
    contenders = {
        "DuckDB, typed read_json": (([sys.executable, "-c", DUCKDB, str(folder), str(WORK / "duck.parquet")]), 9.0),
        "gzip + json": ([sys.executable, "-c", PLAIN, str(folder)], None),
    }
    try:
        python = peer.virtual_environment("trailscraper", TRAILSCRAPER)
        scraper = [str(python), "-c", SCRAPER, str(folder / "AWSLogs"), str(python.parent / "trailscraper"), str(WORK / "records.json")]
        contenders["trailscraper 0.10 select"] = (scraper, 8.0)
    except peer.Missing as error:
        report.notes.append(f"trailscraper was left out: {error}")
    for name, (command, floor) in contenders.items():
        spent, peak, out = run(command)
        counted = int(out.split()[-1])
        if counted != events:
            report.wrong.append(f"{name} read {counted:,} of {events:,} events")
        row = Row(f"{events:,} events read", seconds * 1e6 / events, "µs an event", name, spent * 1e6 / events, spent / seconds, floor)
        report.rows.append(row)
        report.notes.append(f"{name}: {events / spent:,.0f} events a second, {peak:,.0f} MiB at most")
    report.notes.append(f"Sekisho: {events / seconds:,.0f} events a second with start-up, {mine[0][1]:,.0f} MiB at most in all its processes")


def grown(report: Report) -> None:
    """Time and memory against the number of events: the first should be a line, the second flat."""
    sizes = [n for n in (10_000, 100_000, 1_000_000) if n < EVENTS] + [EVENTS]
    points = []
    for size in sizes:
        folder, events = trail(size)
        spent, peak, stored = ours(folder, WORK / "store")
        if stored != events:
            report.wrong.append(f"{stored:,} of {events:,} events are in the store")
        points.append({"events": events, "seconds": round(spent, 2), "peak_mib": round(peak)})
    report.figures["ingest"] = points
    for point in points:
        report.notes.append(f"ingest of {point['events']:,}: {point['seconds']} s, {point['peak_mib']:,} MiB at most")
    last = points[-1]
    report.rows.append(Row(f"{last['events']:,} events into the store", last["seconds"] * 1e6 / last["events"], "µs an event"))


def again(report: Report) -> None:
    """What-if on a store that is there."""
    environment = WORK / "env.yaml"
    other = WORK / "without-vpn.yaml"
    other.write_text(environment.read_text().replace(", vpn]", "]"))
    for title, against in (("what-if again, nothing differs", environment), ("what-if again, one network taken out", other)):
        runs = [run([sys.executable, "-c", REPLAY, str(WORK / "store"), str(against)]) for _ in range(3)]
        found = sorted((json.loads(out.splitlines()[-1]), peak) for _, peak, out in runs)
        (seconds, events, distinct, changed), peak = found[1]
        report.rows.append(Row(title, seconds * 1e6 / events, "µs an event", limit=1e6 / REPLAY_AT_LEAST))
        rate = f"{events / seconds:,.0f} a second, {peak:,.0f} MiB"
        report.notes.append(f"{title}: {events:,} events, {distinct:,} distinct, {changed:,} differ; {rate}")


def main() -> int:
    WORK.mkdir(parents=True, exist_ok=True)
    report = Report("trail", "CloudTrail into the store, and what-if on it (wall clock, two processes)")
    report.notes.append(
        "trailscraper writes the records back as JSON, on one core; gzip + json writes nothing, on one core; DuckDB writes Parquet "
        "with the parameters as text, knows no duplicates, and one wrong record ends it"
    )
    made()
    side_by_side(report)
    grown(report)
    again(report)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
