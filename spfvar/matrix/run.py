"""Run a plan's cells on all cores: samples and events, in the plan's order."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from threading import Event, Lock

import pandas as pd

from spfvar.automata.extract import StrategyError
from spfvar.comparison.stats import axes_key
from spfvar.errors import InputError
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.plugins.variant import Stack
from spfvar.simulate.runner import Result, SimulationError, seed_sequence, simulate
from spfvar.simulate.world import build_world

#: Called with the number of finished cells and of all cells.
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Failure:
    """A cell that could not be run, and why."""

    variant: str
    scenario: str
    axes: str
    message: str


@dataclass(frozen=True)
class Samples:
    """What the runs gave.

    ``values`` is long: variant, scenario, axes, seed, metric, value.  ``events`` too: variant, scenario,
    axes, seed, event, value (per 1000 faults).
    """

    values: pd.DataFrame
    events: pd.DataFrame
    failures: list[Failure] = field(default_factory=list)


#: The stacks of variants by name, or why one could not be built.
Stacks = dict[str, Stack | StrategyError]


def run_plan(
    plan: Plan, jobs: int | None = None, progress: Progress | None = None, stacks: Stacks | None = None
) -> Samples:
    """Run every cell with every seed.

    ``jobs`` threads (default: the CPUs that the process may use) run cells side by side, without the GIL
    in the simulator; the result does not depend on them.  Cells that fail are reported, not raised.
    KeyboardInterrupt stops the running cells after their current seed.  ``stacks`` keeps what was extracted,
    for several plans over the same variants.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    runner = _Runner(plan, {} if stacks is None else stacks)
    workers = jobs or available_cpus()
    results: dict[int, list[Result] | Failure] = {}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            # Long cells first, so that no worker is left alone with one at the end.
            order = sorted(range(len(plan.cells)), key=lambda i: -plan.cells[i].load.threads)
            futures = {pool.submit(runner.cell, plan.cells[i]): i for i in order}
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                if progress is not None:
                    progress(len(results), len(plan.cells))
        except BaseException:
            runner.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return _gather(plan, results)


def available_cpus() -> int:
    """CPUs that this process may run on."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


class _Runner:
    def __init__(self, plan: Plan, stacks: Stacks) -> None:
        self.plan = plan
        self.stop = Event()
        self._stacks = stacks
        self._lock = Lock()

    def _stack(self, cell: CellSpec) -> Stack:
        with self._lock:
            if cell.variant.name not in self._stacks:
                try:
                    self._stacks[cell.variant.name] = Stack(cell.variant)
                except StrategyError as error:
                    self._stacks[cell.variant.name] = error
        stack = self._stacks[cell.variant.name]
        if isinstance(stack, StrategyError):
            raise stack
        return stack

    def cell(self, cell: CellSpec) -> list[Result] | Failure:
        """Every seed of one cell."""
        try:
            world = build_world(cell.load, self._stack(cell))
            results = []
            for index in range(self.plan.seeds):
                if self.stop.is_set():
                    break
                seeds = seed_sequence(self.plan.seed, index, cell.load.scenario, cell.load.threads)
                results.append(simulate(world, cell.variant, self.plan.profile, seeds))
            return results
        except (StrategyError, SimulationError) as error:
            return Failure(cell.variant.name, cell.load.scenario, axes_key(cell.axes), str(error))


def _gather(plan: Plan, results: dict[int, list[Result] | Failure]) -> Samples:
    values: list[tuple[str, str, str, int, str, float]] = []
    events: list[tuple[str, str, str, int, str, float]] = []
    failures: list[Failure] = []
    for i, cell in enumerate(plan.cells):
        result = results[i]
        if isinstance(result, Failure):
            failures.append(result)
            continue
        place = (cell.variant.name, cell.load.scenario, axes_key(cell.axes))
        for index, one in enumerate(result):
            seed = plan.seed + index
            values += [(*place, seed, name, value) for name, value in one.metrics.items()]
            events += [(*place, seed, name, value) for name, value in one.events.items()]
    columns = ["variant", "scenario", "axes", "seed"]
    return Samples(
        pd.DataFrame(values, columns=[*columns, "metric", "value"]),
        pd.DataFrame(events, columns=[*columns, "event", "value"]),
        failures,
    )
