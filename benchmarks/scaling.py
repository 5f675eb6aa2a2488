"""A plan of more than 10,000 cells on a cluster: overhead per cell, scaling from one worker to two.

The plan is all designs in all loads at all their points, on all machines, with the draws of each machine's
figures; here a cell is one run.  Through the cluster go 10,000 cells that do nothing, which is the overhead;
then a sample of the plan's, drawn with a fixed seed, on one worker and on two.  What either gives has to be
what this process does.

    python -m benchmarks.scaling [SAMPLE]
"""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Mapping
from dataclasses import replace

from spfvar.matrix import catalogue, cluster
from spfvar.matrix.executors import Recipe
from spfvar.matrix.plan import Plan, make_plan, runs_of_a_cell
from spfvar.matrix.run import run_plan
from spfvar.matrix.samples import Samples
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant

IDLE = 10_000


class IdleWork:
    """Does nothing."""

    def __init__(self, _variants: Mapping[str, Variant]) -> None:
        """Nor does it need anything."""

    def stop(self) -> None:
        """There is nothing to stop."""

    def run(self, task: int) -> int:
        """The task itself."""
        return task


def plans() -> list[Plan]:
    """One for each machine."""
    registry, scenarios, machines = load_registry(), catalogue.scenarios(), catalogue.hardware()
    found = []
    for name in machines.names():
        seeds, draws = runs_of_a_cell(machines, name, None, None)
        found.append(
            make_plan(registry, scenarios, machines, hardware=name, every=True, draws=draws, seeds=seeds)
        )
    return found


def sampled(whole: list[Plan], cells: int) -> list[Plan]:
    """So many cells of all machines, each with its first draw."""
    every = [(number, cell) for number, plan in enumerate(whole) for cell in plan.cells]
    chosen = random.Random(1).sample(every, cells)
    return [
        replace(plan, seeds=1, cells=tuple(cell for at, cell in chosen if at == number))
        for number, plan in enumerate(whole)
    ]


def idle(executor: cluster.Cluster) -> float:
    """Seconds for each of many tasks that do nothing."""
    began = time.monotonic()
    recipe = Recipe(IdleWork, (), ())
    done: list[tuple[int, int]] = list(executor.results(None, recipe, range(IDLE)))
    assert sorted(done) == [(task, task) for task in range(IDLE)]
    return (time.monotonic() - began) / IDLE


def run(some: list[Plan], executor: cluster.Cluster | None) -> tuple[list[Samples], float]:
    """What the plans gave, and the seconds it took."""
    began = time.monotonic()
    return [run_plan(plan, 1, executor=executor) for plan in some if plan.cells], time.monotonic() - began


def main() -> None:
    """Figures, line by line."""
    sample = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    whole = plans()
    total = sum(len(plan.cells) * plan.seeds for plan in whole)
    print(
        f"plan: {total} cells on {len(whole)} machines; load of this machine {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    some = sampled(whole, sample)
    here, alone = run(some, None)
    print(f"{sample} of them in this process: {alone:.1f} s, {1e3 * alone / sample:.0f} ms each", flush=True)
    took = {}
    for workers in (1, 2):
        with cluster.local(workers) as executor:
            overhead = idle(executor)
            run(sampled(whole, 20), executor)  # compiled code is loaded, texts are extracted
            there, took[workers] = run(some, executor)
        same = all(a.values.equals(b.values) for a, b in zip(here, there, strict=True))
        print(
            f"{workers} worker{'s' * (workers > 1)}: {1e3 * overhead:.2f} ms for a cell that does nothing;"
            f" {sample} cells in {took[workers]:.1f} s; the same bytes: {same}",
            flush=True,
        )
    print(f"from 1 worker to 2: x{took[1] / took[2]:.2f}; load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
