"""What the tests of the trail share: the command as a user runs it, the real records, and one made record."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DATA = next((p for p in (ROOT / "tests/data/cloudtrail", ROOT.parent / "shared/data/cloudtrail") if p.is_dir()), ROOT / "tests/data/cloudtrail")
CONTRACTS = next((p for p in (ROOT / "examples", ROOT.parent / "shared/contracts") if (p / "company.yaml").is_file()), ROOT / "examples")


def sekisho(*arguments: str | Path, env: dict[str, str] | None = None, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the command; its exit status must be ``status``."""
    command = [sys.executable, "-m", "sekisho.cli", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False, timeout=300)
    assert done.returncode == status, (done.returncode, done.stdout[-2000:], done.stderr[-2000:])
    return done


def answer(*arguments: str | Path, status: int = 0, env: dict[str, str] | None = None) -> dict[str, Any]:
    """The JSON that the command prints."""
    body: dict[str, Any] = json.loads(sekisho(*arguments, "--format", "json", status=status, env=env).stdout)
    return body


def plain_records(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every record under ``folder`` by gzip and json alone: the independent count."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        if ".ndjson" in path.name:
            for line in data.splitlines():
                yield path, json.loads(line)
        else:
            for record in json.loads(data)["Records"]:
                yield path, record


def event(number: int = 0, **changes: Any) -> dict[str, Any]:
    """A sound record; ``changes`` on top."""
    return {
        "eventVersion": "1.11", "eventID": f"00000000-0000-4000-8000-{number:012d}", "eventTime": "2026-03-04T05:06:07Z",
        "eventSource": "ec2.amazonaws.com", "eventName": "DescribeInstances", "awsRegion": "us-east-1", "sourceIPAddress": "203.0.113.5",
        "userAgent": "aws-cli", "recipientAccountId": "111122223333", "eventType": "AwsApiCall", "readOnly": True,
        "requestParameters": None, "responseElements": None,
        "userIdentity": {
            "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/alice", "accountId": "111122223333", "principalId": "AIDAEXAMPLE",
            "accessKeyId": "AKIAEXAMPLE", "userName": "alice",
        },
        **changes,
    }  # fmt: skip
