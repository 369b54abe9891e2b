"""Who reaches which role: 1,000 users × 1,000 roles all different, time on one core and memory; and what grows with what.

No peer: none is known that answers with sets of addresses over hops. z3 asked pair by pair would take the time of ``bench/prove.py`` a million
times.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from measuring import Report, Row
from measuring.estates import different

CASES = {
    "everyone trusts the jump account": (1000, 1000, 3, None, None),
    "each role names five users": (1000, 1000, 3, 5, None),
    "each role trusts a path": (1000, 1000, 3, None, "aws:PrincipalArn"),
    "each role trusts a tag": (1000, 1000, 3, None, "aws:PrincipalTag/team"),
    "each role trusts a beginning of names": (1000, 1000, 3, None, "aws:username"),
    "100 × 100": (100, 100, 3, None, None),
    "300 × 300": (300, 300, 3, None, None),
    "100 × 100, 100 networks each": (100, 100, 100, None, None),
}
ROUNDS = 3


def solved(name: str) -> dict[str, float]:
    """Run in a process of its own: time and memory of one case."""
    import resource

    from sekisho.proof import Reach

    users, roles, networks, trusted, told_by = CASES[name]
    estate = different(users, roles, networks, trusted=trusted, told_by=told_by)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.thread_time()
    rows = Reach(estate).rows
    spent = time.thread_time() - started
    started = time.thread_time()
    shown = [row.to_json() for row in rows[:1000]]
    printing = (time.thread_time() - started) / max(1, len(shown))
    return {
        "seconds": spent, "rows": len(rows), "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "estate_mb": before / 1024,
        "us_a_row_shown": printing * 1e6,
    }  # fmt: skip


def main() -> int:
    report = Report("reach", "Who reaches which role (processor time on one core; median of rounds)")
    for name, (users, roles, networks, *_) in CASES.items():
        rounds = [json.loads(subprocess.check_output([sys.executable, str(Path(__file__)), name], text=True)) for _ in range(ROUNDS)]
        spent = {key: median(r[key] for r in rounds) for key in rounds[0]}
        large = users == 1000
        work = f"{users:,} × {roles:,}, {name}" if large else name
        report.rows.append(Row(f"{work}: {spent['rows']:,.0f} ways", spent["seconds"], "s", limit=5.0 if large else None))
        report.rows.append(Row(f"{work}: peak memory", spent["memory_mb"], "MB", limit=1024.0 if large else None))
        report.figures[name] = {"users": users, "roles": roles, "networks_each": networks, **spent}
    report.notes += [
        "all users and all roles have policies of their own, with networks of their own; each pair that has a way in is a row of the answer.",
        "a way's regions are worked out when it is looked at: "
        + ", ".join(f"{name}: {figures['us_a_row_shown']:.0f} µs" for name, figures in report.figures.items())
        + " a row as JSON.",
    ]
    return report.finish()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(solved(sys.argv[1])))
        sys.exit(0)
    sys.exit(main())
