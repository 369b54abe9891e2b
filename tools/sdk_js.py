"""Install the AWS SDK for JavaScript into ``.venv/sdk-js`` for the tests, at the versions of its committed lock file.

    python tools/sdk_js.py .venv/sdk-js

Where Node 20 or its packages can't be had, the tests that need them are skipped and say so.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "tests" / "sandbox" / "clients"


def main() -> int:
    target = Path(sys.argv[1])
    node, npm = shutil.which("node"), shutil.which("npm")
    version = subprocess.run([node, "--version"], capture_output=True, text=True).stdout.strip() if node else ""
    if not npm or not version.startswith("v") or int(version[1:].partition(".")[0]) < 20:
        print(f"there is no Node 20 with npm (node: {version or 'none'}), so the tests with the JavaScript SDK will be skipped", file=sys.stderr)
        return 0
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(SOURCE / name, target / name)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]
    ran = subprocess.run(command, cwd=target, capture_output=True, text=True)
    if ran.returncode:
        shutil.rmtree(target)
        print(f"the JavaScript SDK can't be had here, so the tests with it will be skipped: {ran.stderr.strip().splitlines()[:1]}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
