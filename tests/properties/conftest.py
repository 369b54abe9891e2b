"""At the end of a run, what the generated pairs covered: how many hit each operator, each layer, each outcome."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    seen: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if isinstance(report, pytest.TestReport):
            for name, value in report.user_properties:
                if name == "coverage":
                    seen.update(value)
    if not seen:
        return
    terminalreporter.section("decide = prove: generated pairs")
    for head in ("pairs", "outcome", "unknown", "layer", "operator"):
        shown = [f"{name.removeprefix(head).strip() or 'pairs'} {count:,}" for name, count in sorted(seen.items()) if name.startswith(head)]
        terminalreporter.write_line(f"{head}: {', '.join(shown)}")
