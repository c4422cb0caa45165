"""``python -m tests.simulation --seed 7`` tells the story of a run; ``--seeds 10000 --jobs 2`` runs many and counts faults."""

from __future__ import annotations

import argparse
import gc
import logging
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator

import structlog

from tests.simulation.run import Result, run

EVERY_S = 10
SEEDS_PER_CHUNK, CHUNKS_PER_PROCESS = 4, 3


def main(arguments: list[str] | None = None) -> int:
    """Return 0 if every promise held in every run."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="run this seed and tell its story")
    parser.add_argument("--seeds", type=int, default=200, help="how many seeds to run")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    chosen = parser.parse_args(arguments)
    quiet()
    if chosen.seed is not None:
        return tell(run(chosen.seed, telling=True))
    return many(range(chosen.first, chosen.first + chosen.seeds), chosen.jobs)


def quiet() -> None:
    """Keep the product's logs out of the story; no garbage collection, every run's world is thrown away as a whole."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def tell(result: Result) -> int:
    """Print the story of one run."""
    print(*result.story, sep="\n")
    print()
    print(summary([result]))
    print(f"seed {result.seed}: {result.violation or 'every promise held'}")
    return int(bool(result.violation))


def many(seeds: Iterable[int], jobs: int) -> int:
    """Run seeds with progress; print which failed and how to replay them."""
    total, began, told = len(list(seeds)), time.monotonic(), 0.0
    results: list[Result] = []
    for result in run_all(seeds, jobs):
        results.append(result)
        if result.violation:
            print(f"seed {result.seed}: {result.violation}", flush=True)
            print(f"  replay it: python -m tests.simulation --seed {result.seed}", flush=True)
        if time.monotonic() - told >= EVERY_S:
            told = time.monotonic()
            failed = sum(bool(each.violation) for each in results)
            print(
                f"{len(results)} of {total} seeds, {failed} failed, {told - began:.0f} s", file=sys.stderr, flush=True
            )
    print(summary(results))
    print(f"{time.monotonic() - began:.0f} s, {jobs} processes")
    return int(any(each.violation for each in results))


def run_all(seeds: Iterable[int], jobs: int) -> Iterator[Result]:
    """Yield what came of every seed, as it comes; ``jobs`` processes share them."""
    if jobs == 1:
        yield from map(one, seeds)
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    with context.Pool(jobs, throw_away, maxtasksperchild=CHUNKS_PER_PROCESS) as pool:
        yield from pool.imap_unordered(run, seeds, chunksize=SEEDS_PER_CHUNK)


def throw_away() -> None:
    """Run some seeds in a process that ends soon: nobody has to clear up worlds that go with it."""
    quiet()
    gc.disable()


def one(seed: int) -> Result:
    """Run a seed without the collector, then let it clear up."""
    gc.disable()
    try:
        return run(seed)
    finally:
        gc.enable()
        gc.collect()


def summary(results: list[Result]) -> str:
    """What was run, and how often each fault took effect."""
    faults: Counter[str] = Counter()
    seeds_with: Counter[str] = Counter()
    for each in results:
        faults += each.faults
        seeds_with.update(each.faults.keys())
    width = max((len(kind) for kind in faults), default=0)
    lines = [f"{'fault':<{width}}  {'times':>8}  {'in seeds':>8}"]
    lines += [f"{kind:<{width}}  {faults[kind]:>8}  {seeds_with[kind]:>8}" for kind in sorted(faults)]
    failed = sum(bool(each.violation) for each in results)
    copied = [each for each in results if each.excess_allowed]
    least = min(results, key=lambda each: sum(each.faults.values()))
    bookings, devices = min(each.bookings for each in results), min(each.devices for each in results)
    hours = sum(each.simulated_ms for each in results) / 3_600_000
    waits = sum((each.waits for each in results), Counter[str]())
    excess, allowed = sum(each.excess for each in copied), sum(each.excess_allowed for each in copied)
    lines += [
        "",
        f"{len(results)} seeds, {failed} violations, {hours:.1f} h simulated",
        f"least per seed: {devices} devices, 3 quotas, {bookings} bookings, {sum(least.faults.values())} faults",
        f"orders confirmed: {sum(each.confirmed for each in results)}",
        f"tickets cancelled: {sum(each.cancelled for each in results)}",
        f"waitlist: {waits['join']} joined, {waits['offer']} offers, {waits['take']} taken, {waits['lapse']} lapsed",
        f"seeds with copied or restored cards: {len(copied)}; {excess} tickets in excess, stated bound {allowed}",
    ]
    return "\n".join(lines)
