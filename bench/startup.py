"""How long `sekisho --help` takes from start to end, beside the bare interpreter and the AWS CLI.

Every command line starts a process; a run counts from starting it to its end. An absolute limit can only be asked of the runs that the rest of
the machine disturbed least, so the fastest of many is taken; the medians are in the JSON file.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from measuring import Report, Row, interleaved, median_ratio

BIN = Path(sys.executable).parent
RUNS = 25
COMMANDS = {
    "sekisho --help": [str(BIN / "sekisho"), "--help"],
    "sekisho decide --help": [str(BIN / "sekisho"), "decide", "--help"],
    "python -c pass": [sys.executable, "-c", "pass"],
    "aws --version": [str(BIN / "aws"), "--version"],
}


def run(command: list[str]) -> Callable[[], float]:
    def timed() -> float:
        started = time.perf_counter()
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        return time.perf_counter() - started

    return timed


def main() -> int:
    report = Report("startup", "Start to end of a command (fastest of 25 runs, in turn)")
    contenders = {name: run(command) for name, command in COMMANDS.items() if Path(command[0]).exists()}
    seconds = interleaved(contenders, rounds=RUNS)
    best = {name: min(values) * 1000 for name, values in seconds.items()}
    for name, limit in (("sekisho --help", 200.0), ("sekisho decide --help", None)):
        report.rows.append(Row(name, best[name], unit="ms", limit=limit))
        for peer in ("python -c pass", "aws --version"):
            if peer in seconds:
                ratio = median_ratio(seconds[peer], seconds[name])
                report.rows.append(Row(name, best[name], unit="ms", peer_name=peer, peer=best[peer], ratio=ratio))
    report.notes.append("python -c pass is what no Python program can go below; the AWS CLI starts to print one line.")
    report.figures |= {"median_ms": {name: median(values) * 1000 for name, values in seconds.items()}, "best_ms": best}
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
