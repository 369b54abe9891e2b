"""Measuring side by side: every contender once a round, in turn, so that what else the machine does falls on all of them alike."""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any


def per_call(work: Callable[[Any], object], calls: int, *, given: Callable[[], Any] = lambda: None, batches: int = 1) -> Callable[[], float]:
    """A contender that runs here: processor seconds for each of the ``calls`` calls that ``work(given())`` makes, over some batches.

    What ``given`` takes isn't counted, nor what other programs get of the processor; there is no garbage collection meanwhile.
    """

    def timed() -> float:
        # Collected before, not within: a walk over everything that is loaded would also empty the processor's caches.
        gc.collect()
        gc.disable()
        try:
            spent = 0.0
            for _ in range(batches):
                what = given()
                started = time.thread_time()
                work(what)
                spent += time.thread_time() - started
        finally:
            gc.enable()
        return spent / (calls * batches)

    return timed


def interleaved(contenders: Mapping[str, Callable[[], float]], *, rounds: int = 7, warm: int = 2) -> dict[str, list[float]]:
    """Each contender's seconds a call, one number a round; ``warm`` rounds before that aren't counted."""
    measured: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(warm + rounds):
        # Who comes first changes from round to round: nobody always follows the same neighbour.
        names = list(contenders)
        for name in names[i % len(names) :] + names[: i % len(names)]:
            seconds = contenders[name]()
            if i >= warm:
                measured[name].append(seconds)
    return measured


def median_ratio(peer: list[float], ours: list[float]) -> float:
    """How many times as long the peer takes: the median of the rounds' ratios, each taken within its round."""
    return median(p / o for p, o in zip(peer, ours, strict=True))
