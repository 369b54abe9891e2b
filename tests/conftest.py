"""At the end of a run, what the generated cases covered: of decide = prove each operator, layer and outcome; of the solver each verdict."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest


def pytest_terminal_summary(terminalreporter: Any) -> None:
    pairs: Counter[str] = Counter()
    solver: Counter[str] = Counter()
    corpus: Counter[str] = Counter()
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if isinstance(report, pytest.TestReport):
            for name, value in report.user_properties:
                if name == "coverage":
                    pairs.update(value)
                elif name == "solver":
                    solver.update(value)
                elif name == "corpus":
                    corpus.update(value)
    if pairs:
        terminalreporter.section("decide = prove: generated pairs")
        for head in ("pairs", "outcome", "unknown", "layer", "operator"):
            shown = [f"{name.removeprefix(head).strip()} {count:,}".strip() for name, count in sorted(pairs.items()) if name.startswith(head)]
            terminalreporter.write_line(f"{head}: {', '.join(shown)}")
    if solver:
        terminalreporter.section("prove and z3: generated cases")
        for name, count in solver.most_common():
            terminalreporter.write_line(f"{count:6,}  {name}")
    if corpus:
        terminalreporter.section("decide = prove: published policies")
        for name, count in sorted(corpus.items()):
            terminalreporter.write_line(f"{count:6,}  {name}")
