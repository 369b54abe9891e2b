"""Writes the package's data file of AWS managed policies from the installed moto: `python tools/managed_policies.py`."""

import gzip
import importlib.metadata
import json
from pathlib import Path

from moto.iam.aws_managed_policies import aws_managed_policies_data

TARGET = Path(__file__).parent.parent / "src/sekisho/estate/data/aws_managed_policies.json.gz"


def main() -> None:
    raw = json.loads(aws_managed_policies_data)
    policies = {
        (f"arn:aws:iam::aws:policy{entry.get('Path', '/')}{name}"): {
            "name": name,
            "path": entry.get("Path", "/"),
            "id": entry.get("PolicyId", ""),
            "version": entry["DefaultVersionId"],
            "created": entry.get("CreateDate"),
            "updated": entry.get("UpdateDate"),
            "document": json.dumps(entry["Document"], separators=(",", ":")),
        }
        for name, entry in sorted(raw.items())
    }
    newest = max(p["updated"] or "" for p in policies.values())
    body = {
        "source": f"moto {importlib.metadata.version('moto')}, moto/iam/aws_managed_policies.py, Apache-2.0",
        "newest_change": newest,
        "policies": policies,
    }
    text = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
    TARGET.write_bytes(gzip.compress(text, mtime=0))
    print(f"{len(policies)} policies, newest change {newest}, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
