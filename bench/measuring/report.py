"""What a bench found: printed as a table of ratios, and written to ``bench/out/NAME.json``."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

OUT = Path(__file__).resolve().parents[1] / "out"


@dataclass
class Row:
    """One comparison. ``ours`` and ``peer`` in ``unit``; ``ratio``: how many times better ours is. ``floor``: the least ratio, if there is one.

    A row without a peer has a limit instead: ``ours`` must be at most ``limit``.
    """

    work: str
    ours: float
    unit: str = "µs"
    peer_name: str = ""
    peer: float | None = None
    ratio: float | None = None
    floor: float | None = None
    limit: float | None = None

    @property
    def holds(self) -> bool | None:
        """Whether the floor (or the limit) holds; None where there is none."""
        if self.limit is not None:
            return self.ours <= self.limit
        return None if self.floor is None or self.ratio is None else self.ratio >= self.floor

    @property
    def asked(self) -> str:
        return f"≤ {self.limit:g} {self.unit}" if self.limit is not None else f"≥ {self.floor:g}×" if self.floor is not None else ""


@dataclass
class Report:
    """``rows``, and in ``notes`` what each peer does less or more, what was left out and why. ``wrong``: answers that differ, a failure."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)
    """Whatever else the JSON file should have."""

    def finish(self) -> int:
        """Print, write, and return the exit status."""
        print(self.title)
        table = [("work", "Sekisho", "peer", "", "ratio", "floor", "")]
        for row in self.rows:
            holds = {True: "holds", False: "DOES NOT HOLD", None: ""}[row.holds]
            peer = "" if row.peer is None else f"{_short(row.peer)} {row.unit}"
            ratio = "" if row.ratio is None else f"{row.ratio:.1f}×" if row.ratio < 100 else f"{row.ratio:.0f}×"
            table.append((row.work, f"{_short(row.ours)} {row.unit}", row.peer_name, peer, ratio, row.asked, holds))
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        for line in table:
            cells = [text.ljust(width) if i in (0, 2, 6) else text.rjust(width) for i, (text, width) in enumerate(zip(line, widths, strict=True))]
            print("  " + "  ".join(cells).rstrip())
        for note in self.notes:
            print(f"  - {note}")
        for difference in self.wrong:
            print(f"  ANSWERS DIFFER: {difference}")
        OUT.mkdir(parents=True, exist_ok=True)
        (OUT / f"{self.name}.json").write_text(json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n")
        return 1 if self.wrong or any(row.holds is False for row in self.rows) else 0

    def as_json(self) -> dict[str, Any]:
        rows = [{**asdict(row), "holds": row.holds} for row in self.rows]
        return {
            "schema": f"sekisho-bench/{self.name}/v1", "title": self.title, "machine": machine(), "rows": rows, "notes": self.notes,
            "answers_differ": self.wrong, **self.figures,
        }  # fmt: skip


def machine() -> dict[str, Any]:
    model = ""
    info = Path("/proc/cpuinfo")
    if info.exists():
        model = next((line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")), "")
    return {"cpu": model or platform.machine(), "cores": os.cpu_count(), "python": sys.version.split()[0], "system": platform.system()}


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
