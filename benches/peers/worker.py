"""Measures one peer in a process of its own, in the scratch environment: a job as JSON on stdin, the answer as JSON on stdout."""

import importlib
import importlib.metadata
import json
import statistics
import sys
import time
from collections.abc import Callable

from problem import Model, angles


def timed(run: Callable[[], float]) -> tuple[float, float]:
    """Seconds of a run, and its value."""
    begun = time.perf_counter()
    value = run()
    return time.perf_counter() - begun, value


def affordable(wanted: int, round_seconds: float, limit_seconds: float) -> int:
    """An odd number of repetitions that the limit allows, three at least unless fewer are wanted."""
    fits = int(limit_seconds / max(round_seconds, 1e-9))
    odd = fits - 1 + fits % 2
    return min(wanted, max(3, odd))


def measure(job: dict) -> dict:
    """Median seconds and the value at each depth, the depths in turn; what only a first run costs is not counted."""
    peer = importlib.import_module(f"circuits.{job['peer']}")
    expectation = importlib.import_module("circuits.expectation")
    model = Model.from_json(job["model"])
    cost = expectation.cost_of_states(model)
    runs = {depth: peer.prepare(model, angles(depth), job["settings"], cost) for depth in job["depths"]}
    first_seconds = {depth: timed(run)[0] for depth, run in runs.items()}
    repeats = affordable(job["repeats"], sum(first_seconds.values()), job["limit_seconds"])
    seconds: dict[int, list[float]] = {depth: [] for depth in runs}
    values: dict[int, float] = {}
    for _ in range(repeats):
        for depth, run in runs.items():
            taken, values[depth] = timed(run)
            seconds[depth].append(taken)
    return {
        "repeats": repeats,
        "seconds": {depth: statistics.median(taken) for depth, taken in seconds.items()},
        "values": values,
        "versions": {name: importlib.metadata.version(name) for name in job["packages"]},
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.load(sys.stdin))))
