"""Run a plan's cells on all cores: samples and events, in the plan's order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from threading import Event, Lock

from spfvar.automata.extract import StrategyError
from spfvar.cpus import available_cpus
from spfvar.errors import InputError
from spfvar.matrix.kept_runs import KeptRuns
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.matrix.samples import Failure, Sample, Samples, gather, place_of
from spfvar.plugins.variant import Stack, Stacks
from spfvar.scenario.hardware import Profile
from spfvar.simulate.machine import check_costs
from spfvar.simulate.runner import Result, SimulationError, seed_sequence, simulate, what_decides
from spfvar.simulate.world import World, build_world, compute_times, extract_programs
from spfvar.store.database import Store

#: Called with the number of finished cells and of all cells.
Progress = Callable[[int, int], None]


def run_plan(
    plan: Plan,
    jobs: int | None = None,
    progress: Progress | None = None,
    stacks: Stacks | None = None,
    store: Store | None = None,
) -> Samples:
    """Run every cell with every seed, on a draw of the machine each if the plan has draws.

    ``jobs`` threads (default: the CPUs that the process may use) run cells side by side, without the GIL
    in the simulator; the result does not depend on them.  Variants whose programs are the same in a load
    (a patch for file faults, where there are none) are run once.  Cells that fail are reported, not raised.
    KeyboardInterrupt stops the running cells after their current seed.  ``stacks`` keeps what was extracted,
    for several plans over the same variants (see `prepare`, which is called here).  Runs that the ``store``
    has are taken from it, the others are kept there.
    """
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="--jobs", expected="1 or more")
    stacks = {} if stacks is None else stacks
    prepare(plan, stacks)
    runner = _Runner(plan, stacks, KeptRuns(store, plan))
    workers = jobs or available_cpus()
    results: dict[int, list[Result] | Failure | int] = {}
    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            # Long cells first, so that no worker is left alone with one at the end.
            order = sorted(range(len(plan.cells)), key=lambda i: -plan.cells[i].load.threads)
            futures = {pool.submit(runner.cell, i): i for i in order}
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                if progress is not None:
                    progress(len(results), len(plan.cells))
        except BaseException:
            runner.stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return gather((place_of(cell), _samples(plan, cell, results, i)) for i, cell in enumerate(plan.cells))


def prepare(plan: Plan, stacks: Stacks) -> None:
    """Extract the texts of plugins for all loads of a plan, in the thread that calls; or note why not.

    That thread can be interrupted, by Ctrl-C and by the bounds of plugin code; the workers never run any.
    """
    for cell in plan.cells:
        name = cell.variant.name
        if cell.variant.is_shipped or isinstance(stacks.get(name), StrategyError):
            continue
        try:
            if name not in stacks:
                stacks[name] = Stack(cell.variant)
            stack = stacks[name]
            assert isinstance(stack, Stack)
            for automaton in extract_programs(cell.load, stack).values():
                check_costs(automaton, plan.profile, compute_times(cell.load), cell.variant.costs)
        except StrategyError as error:
            stacks[name] = error


class _Runner:
    def __init__(self, plan: Plan, stacks: Stacks, kept: KeptRuns) -> None:
        self.plan = plan
        self.kept = kept
        self.stop = Event()
        self._drawn = plan.profile.drawn() if plan.ensemble is not None else ()
        self._stacks = stacks
        self._lock = Lock()
        self._first: dict[str, int] = {}

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

    def cell(self, number: int) -> list[Result] | Failure | int:
        """Every seed of a cell, or the number of another that gives the same."""
        cell = self.plan.cells[number]
        try:
            found = self.kept.all_of(cell)
            if found is not None:
                return found
            world = build_world(cell.load, self._stack(cell), cell.memory, cell.costs)
            program = what_decides(world, cell.variant)
            self.kept.link(cell, program)
            with self._lock:
                first = self._first.setdefault(program, number)
            if first != number:
                return first
            results = []
            for index in range(self.plan.seeds):
                if self.stop.is_set():
                    break
                results.append(self._run(cell, world, program, index))
            return results
        except (StrategyError, SimulationError) as error:
            return Failure(*place_of(cell), str(error))

    def _run(self, cell: CellSpec, world: World, program: str, index: int) -> Result:
        found = self.kept.one(cell, program, index)
        if found is None:
            seeds = seed_sequence(self.plan.seed, index, cell.load.scenario, cell.load.threads)
            found = simulate(world, cell.variant, self._profile(index), seeds)
            self.kept.keep(cell, program, index, found)
        return found

    def _profile(self, index: int) -> Profile:
        """The machine of the plan's so-manieth seed."""
        draws = self.plan.ensemble
        return self.plan.profile if draws is None else self._drawn[draws.of_seed(self.plan.seed + index)]


def _samples(
    plan: Plan, cell: CellSpec, results: dict[int, list[Result] | Failure | int], number: int
) -> list[Sample] | Failure:
    result = results[number]
    if isinstance(result, int):
        result = results[result]
        assert not isinstance(result, int)  # who is first refers to nobody
        if isinstance(result, Failure):
            message = f"runs the same as {result.variant}: {result.message}"
            return replace(result, variant=cell.variant.name, message=message)
    if isinstance(result, Failure):
        return result
    return [Sample(plan.seed + index, one.metrics, one.events) for index, one in enumerate(result)]
