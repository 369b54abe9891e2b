"""``sekisho trail ingest``: everything that is there is in the store once, and what isn't is explained (issue's points 1, 5 and 7)."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sekisho.errors import OutsideError
from sekisho.trail.ingest import ingest
from sekisho.trail.sources import MIB, Limits
from sekisho.trail.store import Store

from .shared import DATA, answer, event, plain_records, sekisho


def rows(store: Path, columns: str = "*") -> list[tuple[Any, ...]]:
    return Store(store).connect().execute(f"SELECT {columns} FROM events ORDER BY event_id").fetchall()


def into(store: Path, *places: Path, **options: Any) -> Any:
    return ingest([str(p) for p in places], Store(store, create=True), workers=1, **options)


def reasons(store: Path) -> dict[str, int]:
    found: Counter[str] = Counter()
    for file in Store(store).contents().files.values():
        for aside in file.set_aside:
            found[aside.reason] += aside.count
    return dict(found)


def test_real_records_by_source_equal_an_independent_count(tmp_path: Path) -> None:
    said = answer("trail", "ingest", DATA, "--store", tmp_path / "store")
    expected = [r for _, r in plain_records(DATA)]
    assert said["schema"] == "sekisho/trail-ingest/v1"
    assert said["records"] == len(expected)
    assert said["distinct_events"] == len({r["eventID"] for r in expected})
    assert said["set_aside"] == {"files": 0, "records": 0, "reasons": []}
    connection = Store(tmp_path / "store").connect()
    once = {r["eventID"]: r for r in expected}.values()
    fields = {"source": "eventSource", "name": "eventName", "region": "awsRegion", "error_code": "errorCode", "address": "sourceIPAddress"}
    for column, field in fields.items():
        counted = dict(connection.execute(f"SELECT {column}, count(*) FROM events GROUP BY 1").fetchall())
        assert counted == dict(Counter(r.get(field) for r in once)), column
    again = answer("trail", "ingest", DATA, "--store", tmp_path / "store")
    assert (again["distinct_events"], again["this_run"]["records"], again["this_run"]["known_files"]) == (said["distinct_events"], 0, said["files"])


def test_every_record_can_be_had_back_as_it_stands_in_its_file(tmp_path: Path) -> None:
    into(tmp_path / "store", DATA)
    sample = random.Random(6).sample([r for _, r in plain_records(DATA)], 6)
    for record in sample:
        assert json.loads(sekisho("trail", "show", record["eventID"], "--store", tmp_path / "store").stdout) == record
    sekisho("trail", "show", "no-such-event", "--store", tmp_path / "store", status=2)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "form",
    [
        "records", "records indented", "json lines", "one event", "one event indented", "list", "lookup-events", "documents as lines",
        "documents in a row",
    ],
)  # fmt: skip
def test_forms(form: str, packed: bool, tmp_path: Path) -> None:
    events = [event(i) for i in range(1 if form.startswith("one") else 5)]
    text = {
        "records": lambda: json.dumps({"Records": events}),
        "records indented": lambda: json.dumps({"Records": events}, indent=1),
        "json lines": lambda: "\n".join(map(json.dumps, events)) + "\n\n",
        "one event": lambda: json.dumps(events[0]),
        "one event indented": lambda: json.dumps(events[0], indent=2),
        "list": lambda: json.dumps(events),
        "lookup-events": lambda: json.dumps({"Events": [{"EventId": e["eventID"], "CloudTrailEvent": json.dumps(e)} for e in events]}, indent=2),
        "documents as lines": lambda: "\n".join(json.dumps({"Records": [e]}) for e in events),
        "documents in a row": lambda: "".join(json.dumps({"Records": [e]}) for e in events),
    }[form]()
    file = tmp_path / ("x.json.gz" if packed else "x.json")
    file.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    into(tmp_path / "store", file)
    assert [r[0] for r in rows(tmp_path / "store", "event_id")] == [e["eventID"] for e in events]
    assert reasons(tmp_path / "store") == {}
    shown = sekisho("trail", "show", events[-1]["eventID"], "--store", tmp_path / "store").stdout
    assert json.loads(shown) == events[-1]


def test_an_event_in_several_files_is_kept_once(tmp_path: Path) -> None:
    """G-01: delivered twice, and looked up besides; the copies of two accounts share sharedEventID and are two events."""
    for name, numbers in (("a", range(4)), ("b", range(2, 6)), ("c", range(3))):
        (tmp_path / f"{name}.json").write_text(json.dumps({"Records": [event(i) for i in numbers] * 2}))
    first, second = (event(7, sharedEventID="s"), event(8, sharedEventID="s"))
    (tmp_path / "d.json").write_text(json.dumps({"Records": [first, second]}))
    outcome = into(tmp_path / "store", tmp_path / "a.json", tmp_path / "b.json")
    assert (outcome.records, outcome.new_events, outcome.duplicates) == (16, 6, 10)
    outcome = into(tmp_path / "store", tmp_path)
    assert (outcome.known_files >= 2, outcome.new_events) == (True, 2)
    assert len(rows(tmp_path / "store")) == 8
    assert len({r[0] for r in rows(tmp_path / "store", "event_id")}) == 8


def test_a_file_that_has_grown_is_read_again_and_adds_what_is_new(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text("".join(json.dumps(event(i)) + "\n" for i in range(3)))
    into(tmp_path / "store", file)
    file.write_text("".join(json.dumps(event(i)) + "\n" for i in range(5)))
    assert into(tmp_path / "store", file).new_events == 2


def test_s3_prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import boto3
    from moto import mock_aws

    for name, value in (("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y"), ("AWS_DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(name, value)
    with mock_aws():
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="trail")
        name = "111122223333_CloudTrail_eu-west-1_20260304T0510Z_AbCdEfGhIjKlMnOp.json.gz"
        key = f"org/AWSLogs/o-abc/111122223333/CloudTrail/eu-west-1/2026/03/04/{name}"
        s3.put_object(Bucket="trail", Key=key, Body=gzip.compress(json.dumps({"Records": [event(i) for i in range(3)]}).encode()))
        s3.put_object(Bucket="trail", Key=key.replace("/CloudTrail/", "/CloudTrail-Digest/"), Body=b"{}")
        s3.put_object(Bucket="trail", Key="elsewhere/x.json", Body=json.dumps(event(9)))
        outcome = ingest(["s3://trail/org/"], Store(tmp_path / "store", create=True), workers=1)
        assert (outcome.files, outcome.new_events) == (1, 3)
        assert [why for _, why in outcome.unreadable] == ["a digest file, which holds no events"]
        assert {r[0] for r in rows(tmp_path / "store", "file")} == {f"s3://trail/{key}"}
        assert ingest(["s3://trail/org/"], Store(tmp_path / "store"), workers=1).known_files == 1
        with pytest.raises(OutsideError, match="NoSuchBucket"):
            ingest(["s3://no-such-bucket/x"], Store(tmp_path / "store"), workers=1)


# --- bad input (7) -------------------------------------------------------------------------------------------------------

GOOD = [event(i) for i in range(3)]
DOCUMENT = json.dumps({"Records": GOOD}).encode()
LINES = [json.dumps(e).encode() for e in GOOD]
WIDE = json.dumps({"Records": [event(i, userAgent=random.Random(i).randbytes(400).hex()) for i in range(300)]}).encode()

BAD = {
    "empty": (b"", 0, "the file is empty"),
    "not JSON": (b"hello\nworld\n", 0, "no JSON"),
    "no records": (b'{"a": 1}', 0, "no CloudTrail record"),
    "digest": (b'{"awsAccountId": "1", "digestStartTime": "x", "logFiles": []}', 0, "a digest file"),
    "cut document": (DOCUMENT[:-200], 2, "broken JSON"),
    "truncated gzip": (gzip.compress(WIDE)[:-3000], None, "truncated gzip"),
    "damaged gzip": (gzip.compress(DOCUMENT)[:-8] + b"\1" * 8, 0, "damaged gzip"),
    "bytes after gzip": (gzip.compress(DOCUMENT) + b"junk", 3, "bytes after the end"),
    "two members": (gzip.compress(DOCUMENT[:100]) + gzip.compress(DOCUMENT[100:]), 3, None),
    "many members and padding": (b"".join(gzip.compress(json.dumps(e).encode() + b"\n") for e in GOOD) + b"\0" * 512, 3, None),
    "empty member": (gzip.compress(b"") + gzip.compress(DOCUMENT), 3, None),
    "non-UTF-8 in one record": (DOCUMENT.replace(b"aws-cli", b"aws\xff\xfe", 1), 2, "not UTF-8"),
    "non-UTF-8 in a line": (b"\n".join([LINES[0], LINES[1].replace(b"cli", b"\xe9"), LINES[2]]), 2, "not UTF-8"),
    "a line that is no JSON": (b"\n".join([LINES[0], b"{oops", LINES[2]]), 2, "no JSON"),
    "nested too deep": (b'{"Records": [' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"]}", 0, ""),
    "10 MB record": (json.dumps({"Records": [*GOOD, event(9, requestParameters={"x": "y" * 10_000_000})]}).encode(), 4, None),
    "a null record": (b'{"Records": [null, ' + json.dumps(GOOD[0]).encode() + b"]}", 1, "Expected `object`"),
    "no eventID": (json.dumps({"Records": [{k: v for k, v in GOOD[0].items() if k != "eventID"}, GOOD[1]]}).encode(), 1, "eventID"),
    "no eventTime": (json.dumps({"Records": [{k: v for k, v in GOOD[0].items() if k != "eventTime"}, GOOD[1]]}).encode(), 1, "eventTime is missing"),
    "a 13th month": (json.dumps({"Records": [event(5, eventTime="2026-13-01T00:00:00Z"), GOOD[1]]}).encode(), 1, "eventTime is no time"),
    "30 February": (json.dumps({"Records": [event(5, eventTime="2026-02-30T00:00:00Z"), GOOD[1]]}).encode(), 1, ""),
    "a major version to come": (json.dumps({"Records": [event(5, eventVersion="2.0"), GOOD[1]]}).encode(), 1, "major version"),
    "no version": (json.dumps({"Records": [event(5, eventVersion="new"), GOOD[1]]}).encode(), 1, "is no version"),
    "a minor version to come": (json.dumps({"Records": [event(5, eventVersion="1.99", newField={"a": [1]}), GOOD[1]]}).encode(), 2, None),
    "a bomb": (gzip.compress(b'{"Records": [' + b" " * (40 * MIB) + b"]}"), 0, "inflates to more than 16 MiB: refused"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input(name: str, tmp_path: Path) -> None:
    """Counted, explained, nothing lost: the sound records of the file and the file beside it are in the store."""
    content, kept, reason = BAD[name]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad").write_bytes(content)
    (tmp_path / "in" / "good.json").write_text(json.dumps({"Records": [event(9100), event(9101)]}))
    into(tmp_path / "store", tmp_path / "in", limits=Limits(16 * MIB, 16 * MIB))
    entry = Store(tmp_path / "store").contents().files[str(tmp_path / "in" / "bad")]
    found = rows(tmp_path / "store", "event_id, file")
    assert [f for _, f in found].count(str(tmp_path / "in" / "good.json")) == 2
    assert entry.records == (len(found) - 2)
    if kept is None:
        assert 50 < entry.records < 300
    else:
        assert entry.records == kept
    if reason is None:
        assert entry.set_aside == []
    else:
        assert sum(a.count for a in entry.set_aside) == 1, entry.set_aside
        assert reason in entry.set_aside[0].reason


TYPED = {
    "eventID": 5, "eventName": ["x"], "eventSource": None, "eventTime": 1700000000, "eventVersion": 1.08, "eventType": {}, "eventCategory": 3,
    "awsRegion": True, "recipientAccountId": 111122223333, "userIdentity": "alice", "sourceIPAddress": 3405803781, "userAgent": [],
    "errorCode": 403, "errorMessage": {}, "readOnly": "true", "managementEvent": 1, "requestID": 1, "sharedEventID": 1, "vpcEndpointId": 1,
    "sessionCredentialFromConsole": 1, "resources": {"ARN": "x"},
}  # fmt: skip
INSIDE = {
    "userIdentity": ["type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy", "sessionContext"],
    "requestParameters": [
        "roleArn", "roleSessionName", "externalId", "sourceIdentity", "serialNumber", "policy", "userName", "roleName", "groupName",
        "policyName", "policyArn",
    ],
    "responseElements": ["credentials", "assumedRoleUser", "ConsoleLogin", "SwitchRole"],
    "additionalEventData": ["MFAUsed", "SwitchFrom", "LoginTo"],
}  # fmt: skip


@pytest.mark.parametrize("field", [*TYPED, *(f"{outer}.{inner}" for outer, names in INSIDE.items() for inner in names)])
def test_a_wrong_type_sets_the_record_aside_with_its_place(field: str, tmp_path: Path) -> None:
    outer, _, inner = field.partition(".")
    wrong = event(1, eventSource="sts.amazonaws.com", eventName="AssumeRole")
    wrong[outer] = {inner: 5} if inner else TYPED[outer]
    (tmp_path / "x.json").write_text(json.dumps({"Records": [event(0), wrong, event(2)]}))
    into(tmp_path / "store", tmp_path / "x.json")
    assert [r[0][-1] for r in rows(tmp_path / "store", "event_id")] == ["0", "2"]
    (said,) = Store(tmp_path / "store").contents().files[str(tmp_path / "x.json")].set_aside
    assert (said.count, said.ordinal) == (1, 1)
    assert (inner or outer) in said.reason or "Expected" in said.reason


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    done = sekisho("trail", "ingest", tmp_path / "nowhere", "--store", tmp_path / "store", status=2)
    assert "there is no such file or folder" in done.stderr and "Traceback" not in done.stderr
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("x")
    (tmp_path / "in.json").write_text(DOCUMENT.decode())
    assert "no store" in sekisho("trail", "ingest", tmp_path / "in.json", "--store", tmp_path / "full", status=2).stderr
    assert (tmp_path / "full" / "thesis.txt").read_text() == "x"


@pytest.mark.skipif(os.geteuid() == 0 and not shutil.which("setpriv"), reason="root may read everything")
def test_a_file_without_the_right_to_read_is_tried_again_later(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.json").write_text(json.dumps(event(1)))
    (folder / "secret.json").write_text(json.dumps(event(2)))
    (folder / "secret.json").chmod(0)
    # Root may read everything, unless it gives that up.
    without = "-dac_override,-dac_read_search"
    lower = ["setpriv", "--bounding-set", without, "--inh-caps", without] if os.geteuid() == 0 else []
    command = [*lower, sys.executable, "-m", "sekisho.cli", "trail", "ingest", str(folder), "--store", str(tmp_path / "store"), "--format", "json"]
    said = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert said["distinct_events"] == 1
    assert [r["reason"] for r in said["set_aside"]["reasons"]] == ["can't be read: Permission denied"]
    (folder / "secret.json").chmod(0o600)
    assert answer("trail", "ingest", folder, "--store", tmp_path / "store")["distinct_events"] == 2


def test_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(DOCUMENT.decode())
    sekisho("trail", "ingest", tmp_path / "x.json", "--store", tmp_path / "store")
    for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
        assert path.stat().st_mode & 0o077 == 0, path


# --- kills, full disks, two at once (5) ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some files of several accounts with events in common, large enough that an ingest takes a moment."""
    folder = tmp_path_factory.mktemp("many")
    real = [r for _, r in plain_records(DATA / "invictus")][:500]
    text = json.dumps(real)
    for i in range(24):
        records = json.loads(text)
        for record in records:
            record["eventID"] = f"{i % 20:04d}-{record['eventID']}"
        path = folder / "AWSLogs" / f"{111100000000 + i % 3}" / "CloudTrail" / "us-east-1" / "2023" / "07" / f"{i + 1:02d}"
        path.mkdir(parents=True)
        (path / f"file{i}.json.gz").write_bytes(gzip.compress(json.dumps({"Records": records}).encode(), 1))
    return folder


@pytest.fixture(scope="module")
def undisturbed(many: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Any, ...]]:
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    outcome = into(store, many)
    assert outcome.duplicates == 4 * outcome.records // 24
    return rows(store)


def start(many: Path, store: Path) -> subprocess.Popen[bytes]:
    # SEKISHO_COMMIT_ROWS makes commits small, so that a kill falls between some of them.
    env = {**os.environ, "SEKISHO_TRAIL_COMMIT_ROWS": "3000", "SEKISHO_TRAIL_TASK_BYTES": "100000"}
    command = [sys.executable, "-m", "sekisho.cli", "trail", "ingest", str(many), "--store", str(store), "--workers", "2"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)


KILLS = int(os.environ.get("SEKISHO_KILLS", "10"))


@pytest.mark.slow
def test_killed_at_any_moment_the_store_ends_up_as_if_undisturbed(many: Path, undisturbed: list[tuple[Any, ...]], tmp_path: Path) -> None:
    store = tmp_path / "store-0"
    chance = random.Random(KILLS)
    seen, killed, whole = [0], 0, 0
    while killed < KILLS:
        process = start(many, store)
        # Not a sleep that something is expected after: the moment is random on purpose.
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.3, 1.6))
        if process.poll() is None:
            process.kill()
            killed += 1
        process.wait()
        if (store / "store.json").exists():
            held = rows(store)
            assert set(held) <= set(undisturbed) and len(set(held)) == len(held)
            assert len(held) >= seen[-1], "a kill has lost what was committed"
            seen.append(len(held))
        if seen[-1] == len(undisturbed):
            # Nothing is left to do: the next kills fall upon another store.
            assert rows(store) == undisturbed
            whole += 1
            store, seen = tmp_path / f"store-{whole}", [0]
    assert start(many, store).wait() == 0
    assert rows(store) == undisturbed
    assert sorted(p.name for p in (store / "events").iterdir()) == sorted(p.name for p in Store(store).contents().parts)


def test_two_at_once_double_nothing(many: Path, undisturbed: list[tuple[Any, ...]], tmp_path: Path) -> None:
    both = [start(many, tmp_path / "store") for _ in range(2)]
    assert [p.wait() for p in both] == [0, 0]
    assert rows(tmp_path / "store") == undisturbed


def test_no_wait_refuses_while_another_writes(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(DOCUMENT.decode())
    into(tmp_path / "store", tmp_path / "x.json")
    with open(tmp_path / "store" / "lock", "r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = sekisho("trail", "ingest", tmp_path / "x.json", "--store", tmp_path / "store", "--no-wait", status=3)
        assert "another ingest is writing" in done.stderr


def test_full_disk_keeps_what_is_committed_and_goes_on_later(many: Path, undisturbed: list[tuple[Any, ...]], tmp_path: Path) -> None:
    """A limit on the size of a file stands for the full disk: writing fails in the middle of a part."""
    store = tmp_path / "store"
    command = [sys.executable, "-m", "sekisho.cli", "trail", "ingest", str(many), "--store", str(store), "--workers", "1"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    )
    assert done.returncode == 3, done
    assert "make room" in done.stderr and "Traceback" not in done.stderr
    assert set(rows(store)) <= set(undisturbed)
    sekisho(*command[3:])
    assert rows(store) == undisturbed
