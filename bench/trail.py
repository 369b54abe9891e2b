"""CloudTrail read into the store beside trailscraper, DuckDB's own JSON reader and plain gzip + json; what-if again on a store.

The input is synthetic (``sekisho trail generate``, four weeks copied with new ids into other months), in CloudTrail's layout. All contenders read
the same files in one run. Each row's note says what the peer does less or more. Beside the time on the clock stands the processors' time: on a
machine that others use too, only that can be compared. ``SEKISHO_BENCH_EVENTS`` sets how many events the large runs have, and
``SEKISHO_BENCH_EVENTS=10000000`` draws the plot of time and memory as far as that (some 2 GB of files under ``bench/.cache``).
"""

import gzip
import itertools
import json
import math
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

from measuring import Report, Row
from measuring import peers as peer

HERE = Path(__file__).resolve().parent
WORK = HERE / ".cache" / "trail"
EVENTS = int(os.environ.get("SEKISHO_BENCH_EVENTS", "2000000"))
SIDE_BY_SIDE = int(os.environ.get("SEKISHO_BENCH_SIDE_BY_SIDE", "300000"))
"""Events that all contenders read: trailscraper holds them all in memory, some 10 KB each. Ours reads more in runs of its own."""
PLOT = HERE.parent / "docs" / "trail-ingest.svg"
TRAILSCRAPER = "trailscraper==0.10.0"
REPLAY_AT_LEAST = 800_000
LEVEL = 6


def made() -> list[tuple[str, bytes]]:
    """Four weeks of a synthetic organisation of 200 users and 20 accounts: (account, its records as JSON text), some 72,000 events in all."""
    sys.path.insert(0, str(HERE.parent / "tests"))
    from sekisho.environment import compile_environment, load_environment
    from sekisho.trail.generate import Generator
    from trail.test_replay import large_environment

    seed = WORK / "four-weeks"
    if not (seed / "truth.json").exists():
        shutil.rmtree(seed, ignore_errors=True)
        seed.mkdir(parents=True)
        (WORK / "env.yaml").write_text(large_environment())
        environment = load_environment(WORK / "env.yaml")
        Generator(compile_environment(environment), environment.wanted.networks, seed, seed=1, start=date(2026, 1, 5), days=28).run()
    by_account: dict[str, list[bytes]] = {}
    for path in sorted(seed.rglob("*.gz")):
        body = gzip.decompress(path.read_bytes())
        by_account.setdefault(path.parts[-7], []).append(body[len(b'{"Records":[') : -2])
    return [(account, b",".join(parts)) for account, parts in by_account.items()]


def _months() -> Iterator[tuple[int, int]]:
    """(year, month): four weeks from the 5th of each of these months end before the next begins."""
    for year in range(2026, 3000):
        for month in (1, 3, 5, 7, 8, 10):
            yield year, month


def trail(events: int) -> tuple[Path, int]:
    """A folder of ``events`` events or a little more, made once: (folder, events). Copies of the four weeks, with other ids and sessions."""
    folder = WORK / f"events-{events}"
    done = folder / "events.txt"
    if done.exists():
        return folder, int(done.read_text())
    shutil.rmtree(folder, ignore_errors=True)
    texts = made()
    written = 0
    for number, (year, month) in enumerate(_months()):
        if written >= events:
            break
        copy = f"{number:04d}".encode()
        for account, records in texts:
            changed = records.replace(b"2026-01-", f"{year}-{month:02d}-".encode()).replace(b"2026-02-", f"{year}-{month + 1:02d}-".encode())
            changed = changed.replace(b'ventID":"', b'ventID":"' + copy).replace(b'"ASIA', b'"ASIA' + copy)
            path = folder / "AWSLogs" / account / "CloudTrail/us-east-1" / f"{year}/{month:02d}/05"
            path.mkdir(parents=True, exist_ok=True)
            for n, chunk in enumerate(_chunks(changed, 1500)):
                name = f"{account}_CloudTrail_us-east-1_{year}{month:02d}05T0000Z_{n:016d}.json.gz"
                # CloudTrail's files hold some hundred to some thousand records.
                (path / name).write_bytes(gzip.compress(b'{"Records":[' + chunk + b"]}", LEVEL))
                written += chunk.count(b'"eventID":"')
                if written >= events:
                    break
            if written >= events:
                break
    done.write_text(str(written))
    return folder, written


def _chunks(records: bytes, most: int) -> list[bytes]:
    starts = [m.start() for m in re.finditer(rb'\{"eventVersion"', records)]
    cuts = [*starts[::most], len(records) + 1]
    return [records[a : b - 1] for a, b in itertools.pairwise(cuts)]


class Ran(NamedTuple):
    """Seconds on the clock, of the processors, peak memory of it and its children in MiB, and what it printed."""

    seconds: float
    processors: float
    peak: float
    out: str


def run(command: list[str], env: dict[str, str] | None = None) -> Ran:
    """Run a command to its end; raises where it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
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
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Ran(spent, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak / 1024, out)


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


def ours(folder: Path, store: Path, workers: int = 2) -> tuple[Ran, int]:
    shutil.rmtree(store, ignore_errors=True)
    command = [sys.executable, "-m", "sekisho.cli", "trail", "ingest", str(folder / "AWSLogs"), "--store", str(store), "--workers", str(workers)]
    ran = run([*command, "--format", "json"])
    return ran, json.loads(ran.out)["distinct_events"]


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
        # Ours right before and right after, so that what else the machine does falls on both.
        mine = [ours(folder, WORK / "store")]
        ran = run(command)
        mine.append(ours(folder, WORK / "store"))
        assert all(stored == events for _, stored in mine), (mine, events)
        counted = int(ran.out.split()[-1])
        if counted != events:
            report.wrong.append(f"{name} read {counted:,} of {events:,} events")
        seconds = sum(m.seconds for m, _ in mine) / 2
        processors = sum(m.processors for m, _ in mine) / 2
        row = Row(f"{events:,} events read", seconds * 1e6 / events, "µs an event", name, ran.seconds * 1e6 / events, ran.seconds / seconds, floor)
        report.rows.append(row)
        report.notes.append(
            f"{name}: {events / ran.seconds:,.0f} events a second, {ran.processors * 1e6 / events:.1f} µs of processors an event, "
            f"{ran.peak:,.0f} MiB at most; ours in that minute {events / seconds:,.0f} with start-up, {processors * 1e6 / events:.1f} µs, "
            f"{mine[0][0].peak:,.0f} MiB in all its processes: {ran.processors / processors:.1f}x by the processors' time"
        )


def grown(report: Report) -> None:
    """Time and memory against the number of events: the first should be a line, the second flat."""
    sizes = [n for n in (10_000, 100_000, 1_000_000) if n < EVENTS] + [EVENTS]
    points = []
    for size in sizes:
        folder, events = trail(size)
        ran, stored = ours(folder, WORK / "store")
        if stored != events:
            report.wrong.append(f"{stored:,} of {events:,} events are in the store")
        points.append({"events": events, "seconds": round(ran.seconds, 2), "processors": round(ran.processors, 2), "peak_mib": round(ran.peak)})
    report.figures["ingest"] = points
    for point in points:
        report.notes.append(
            f"ingest of {point['events']:,}: {point['seconds']} s, {point['processors']} s of processors, {point['peak_mib']:,} MiB at most"
        )
    last = points[-1]
    report.rows.append(Row(f"{last['events']:,} events into the store", last["seconds"] * 1e6 / last["events"], "µs an event"))
    if len(points) >= 3:
        PLOT.write_text(_plot(points))


def _plot(points: list[dict[str, Any]]) -> str:
    """Processor time and memory against events, both axes by powers of ten, as SVG."""
    left, top, wide, high = 70, 30, 520, 300
    low, most = 3.8, 7.2

    def across(events: float) -> float:
        return left + wide * (math.log10(events) - low) / (most - low)

    def down(value: float) -> float:
        return top + high * (1 - (math.log10(value) + 0.5) / 4.5)

    parts = []
    for power in range(4, 8):
        x = across(10**power)
        parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + high}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{top + high + 18}" text-anchor="middle">{10**power:,}</text>')
    for power in range(5):
        y = down(10**power)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + wide}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:,}</text>')
    for name, unit, colour in (("processors", "seconds of processors", "#06c"), ("peak_mib", "MiB at most, all processes", "#c60")):
        line = " ".join(f"{across(p['events']):.1f},{down(p[name]):.1f}" for p in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for p in points:
            parts.append(f'<circle cx="{across(p["events"]):.1f}" cy="{down(p[name]):.1f}" r="3" fill="{colour}"/>')
        p = points[-1]
        parts.append(f'<text x="{across(p["events"]) - 6:.1f}" y="{down(p[name]) - 10:.1f}" text-anchor="end" fill="{colour}">{unit}</text>')
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + wide + 40} {top + high + 50}" font-family="sans-serif" font-size="12">\n'
        f'<title>sekisho trail ingest: time and memory against events</title>\n{body}\n'
        f'<text x="{left + wide / 2}" y="{top + high + 38}" text-anchor="middle">events</text>\n</svg>\n'
    )


def again(report: Report) -> None:
    """What-if on a store that is there."""
    environment = WORK / "env.yaml"
    other = WORK / "without-vpn.yaml"
    other.write_text(environment.read_text().replace(", vpn]", "]"))
    for title, against in (("what-if again, nothing differs", environment), ("what-if again, one network taken out", other)):
        runs = [run([sys.executable, "-c", REPLAY, str(WORK / "store"), str(against)]) for _ in range(3)]
        found = sorted((json.loads(ran.out.splitlines()[-1]), ran.peak) for ran in runs)
        (seconds, events, distinct, changed), peak = found[1]
        report.rows.append(Row(title, seconds * 1e6 / events, "µs an event", limit=1e6 / REPLAY_AT_LEAST))
        rate = f"{events / seconds:,.0f} a second, {peak:,.0f} MiB"
        report.notes.append(f"{title}: {events:,} events, {distinct:,} distinct, {changed:,} differ; {rate}")


def main() -> int:
    WORK.mkdir(parents=True, exist_ok=True)
    report = Report("trail", "CloudTrail into the store, and what-if on it (clock, two processes)")
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
