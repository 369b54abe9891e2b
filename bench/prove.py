"""Proving one principal and role, all addresses at once, beside z3 from 2 to 1,000 networks; and how cost grows up to 10,000.

The question is the article's: may this user switch into this role, from where, with which MFA. z3 builds its formula from the same documents
and looks for one witness (the encoding is the test suite's, ``tests/oracle``); Sekisho gives the whole set of contexts. Two ways of asking are
measured: one question alone with nothing prepared but the parsed documents, and as a pair of an estate of users and roles that all differ,
with everything counted that the estate costs (cutting the address space, solving each half, the set of each pair).
"""

import resource
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import z3
from measuring import Report, Row, interleaved, median_ratio, per_call
from measuring.estates import ROLE, USER, different, documents, layers, layers_of_statements

from oracle.encoding import Encoding, context_of
from sekisho import Authorizer, Request, prove
from sekisho.proof import Reach

SIZES = (2, 10, 100, 1000)
GROWTH = (10, 30, 100, 300, 1000, 3000, 10_000)
PAIRS = {2: 100, 10: 100, 100: 60, 1000: 30}
"""Users, and roles, of the estate, by the number of networks that each of them has."""
FLOOR = 100.0
PLOT = Path(__file__).resolve().parents[1] / "docs" / "prove-growth.svg"


def asking_z3(networks: int) -> Callable[[Any], dict[str, str]]:
    asked = documents(networks)
    facts = {"aws:username": "test-user", "aws:principalarn": USER}

    def ask(_: object) -> dict[str, str]:
        encoding = Encoding(USER, "111122223333", "sts:AssumeRole", ROLE, facts)
        allowed = encoding.decision(asked, same_account=False, needs_trust=True)
        solver = z3.Solver()
        solver.add(encoding.real, allowed)
        if solver.check() != z3.sat:
            raise AssertionError("z3 finds no witness")
        return context_of(encoding, solver.model())

    return ask


def asking_alone(networks: int) -> Callable[[Any], Any]:
    request = Request(USER, "sts:AssumeRole", ROLE)
    return lambda fresh: prove(request, fresh)


def asking_an_estate(networks: int) -> Callable[[Any], int]:
    def ask(estate: Any) -> int:
        reach = Reach(estate)
        count = 0
        for row in reach.rows:
            if row.edge.sure.is_empty:
                raise AssertionError("a pair without a way in")
            count += 1
        if count != PAIRS[networks] ** 2:
            raise AssertionError(f"{count} ways")
        return count

    return ask


def main() -> int:
    report = Report("prove", "One principal and role proved (median of rounds; ratio: how many times as long z3 takes)")
    for networks in SIZES:
        witness = asking_z3(networks)(None)
        proof = prove(Request(USER, "sts:AssumeRole", ROLE), layers(networks))
        if witness not in proof.allowed or not Authorizer(layers(networks)).decide(Request(USER, "sts:AssumeRole", ROLE, witness)).allowed:
            report.wrong.append(f"z3's witness {witness} at {networks} networks")
        pairs = PAIRS[networks] ** 2
        measured = interleaved(
            {
                "z3": per_call(asking_z3(networks), 1, batches=3 if networks < 1000 else 1),
                "alone": per_call(asking_alone(networks), 1, given=lambda n=networks: layers(n), batches=5),
                "estate": per_call(asking_an_estate(networks), pairs, given=lambda n=networks: different(PAIRS[n], PAIRS[n], n)),
            },
            rounds=5,
            warm=1,
        )
        for name, work, floor in (("estate", f"a pair of {PAIRS[networks]} × {PAIRS[networks]}", FLOOR), ("alone", "alone, nothing prepared", None)):
            report.rows.append(
                Row(
                    f"{networks:,} networks, {work}", median(measured[name]) * 1e6, "µs", "z3, build and solve", median(measured["z3"]) * 1e6,
                    median_ratio(measured["z3"], measured[name]), floor,
                )
            )  # fmt: skip
    growth: dict[str, dict[int, float]] = {}
    # AWS's quotas end at some hundred statements a principal, so what grows there above a thousand is shown but not held to the limit.
    for what, made, last in (("networks", layers, 10_000), ("statements", layers_of_statements, 1000)):
        for count in GROWTH:
            timed = interleaved({"alone": per_call(asking_alone(count), 1, given=lambda n=count, made=made: made(n))}, rounds=3, warm=1)
            growth.setdefault(what, {})[count] = median(timed["alone"]) * 1e3
        each = {n: ms / n for n, ms in growth[what].items()}
        report.rows.append(Row(f"{last:,} {what} for {last // 10:,}, time for each", each[last] / each[last // 10], "×", limit=1.5))
    report.figures = {"growth_ms": growth, "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    report.notes += [
        "z3 does less: one witness where Sekisho has all contexts. It does more: it can be asked anything.",
        *(f"{what}, one question alone: " + ", ".join(f"{n:,} {ms:.1f} ms" for n, ms in points.items()) for what, points in growth.items()),
        "plotted in docs/prove-growth.svg",
    ]
    PLOT.write_text(plot(growth))
    return report.finish()


def plot(growth: dict[str, dict[int, float]]) -> str:
    """Time by number of networks, and of statements, all scales logarithmic."""
    from math import log10

    def at(n: float, ms: float) -> tuple[float, float]:
        return 70 + (log10(n) - 1) * 140, 300 - log10(ms) * 70

    drawn = []
    for (what, points), colour in zip(growth.items(), ("#36c", "#c52"), strict=True):
        dots = "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>' for x, y in (at(n, ms) for n, ms in points.items()))
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (at(n, ms) for n, ms in points.items()))
        y = 40 + 20 * len(drawn)
        name = f'<circle cx="90" cy="{y - 4}" r="4"/><text x="102" y="{y}">{what}</text>'
        drawn.append(f'<polyline points="{line}" fill="none" stroke="{colour}"/><g fill="{colour}">{dots}{name}</g>')
    axis = "".join(f'<text x="{at(n, 1)[0]:.0f}" y="325" text-anchor="middle">{n:,}</text>' for n in (10, 100, 1000, 10_000)) + "".join(
        f'<text x="62" y="{at(10, ms)[1] + 4:.0f}" text-anchor="end">{ms:,} ms</text>' for ms in (1, 10, 100, 1000)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 540 345" font-family="sans-serif" font-size="12">'
        f'{"".join(drawn)}{axis}<text x="280" y="342" text-anchor="middle">networks, or statements, in the question</text></svg>\n'
    )


if __name__ == "__main__":
    sys.exit(main())
