"""Run a plan's cells on all cores: samples and events, in the plan's order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Event, Lock

from spfvar.automata.extract import StrategyError
from spfvar.matrix.executors import Executor, Recipe, executor_of
from spfvar.matrix.kept_runs import KeptRuns
from spfvar.matrix.plan import CellSpec, Plan, Value
from spfvar.matrix.samples import Failure, Sample, Samples, gather, place_of
from spfvar.plugins.variant import Stack, Stacks, Variant
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import Load
from spfvar.simulate.machine import check_costs
from spfvar.simulate.runner import Result, SimulationError, seed_sequence, simulate, what_decides
from spfvar.simulate.world import World, build_world, compute_times, extract_programs
from spfvar.store.database import Store
from spfvar.structs.lines import Memory

#: Called with the number of finished cells and of all cells.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class CellTask:
    """A cell to be run, its variant by name."""

    variant: str
    load: Load
    axes: dict[str, Value]
    memory: Memory | None
    costs: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a cell: its program's digest, and a result for each seed.

    ``results`` is None if another cell with that program was run by the same work, or if it failed: then
    ``why`` says so.
    """

    program: str
    results: tuple[Result, ...] | None
    why: str = ""


def run_plan(
    plan: Plan,
    jobs: int | None = None,
    progress: Progress | None = None,
    stacks: Stacks | None = None,
    store: Store | None = None,
    executor: Executor | None = None,
) -> Samples:
    """Run every cell with every seed, on a draw of the machine each if the plan has draws.

    ``jobs`` threads (default: the CPUs that the process may use) run cells side by side, without the GIL
    in the simulator, or an ``executor`` does; the result does not depend on them.  Variants whose programs
    are the same in a load (a patch for file faults, where there are none) are run once.  Cells that fail are
    reported, not raised.  KeyboardInterrupt stops the running cells after their current seed.  ``stacks``
    keeps what was extracted, for several plans over the same variants (see `prepare`, which is called here).
    Runs that the ``store`` has are taken from it, the others are kept there.
    """
    where = executor_of(executor, jobs)
    stacks = {} if stacks is None else stacks
    prepare(plan, stacks)
    kept = KeptRuns(store, plan)
    variants = {cell.variant.name: cell.variant for cell in plan.cells}
    ran: dict[int, Ran] = {}

    def done(number: int, result: Ran) -> None:
        ran[number] = result
        if progress is not None:
            progress(len(ran), len(plan.cells))

    for number, cell in enumerate(plan.cells):
        found = kept.all_of(cell)
        if found is not None:
            done(number, Ran("", tuple(found)))
    # Long cells first, so that no worker is left alone with one at the end.
    order = [i for i in range(len(plan.cells)) if i not in ran]
    order.sort(key=lambda i: -plan.cells[i].load.threads)
    work = CellWork(variants, plan, kept, stacks)
    bare = replace(plan, cells=(), variants=(), scenarios={}, scenario_hashes={})
    recipe = Recipe(CellWork, tuple(variants), (bare,))
    for place, result in where.results(work, recipe, [_task(plan.cells[i]) for i in order]):
        if where.remote:
            kept.take(plan.cells[order[place]], result.program, result.results or ())
        done(order[place], result)
    return gather(
        (place_of(cell), found) for cell, found in zip(plan.cells, _samples(plan, ran), strict=True)
    )


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


def _task(cell: CellSpec) -> CellTask:
    return CellTask(cell.variant.name, cell.load, cell.axes, cell.memory, cell.costs)


class CellWork:
    """Runs cells of a plan, each program once."""

    def __init__(
        self,
        variants: Mapping[str, Variant],
        plan: Plan,
        kept: KeptRuns | None = None,
        stacks: Stacks | None = None,
    ) -> None:
        self._plan = plan
        self._variants = variants
        self._kept = kept or KeptRuns(None, plan)
        self._stopped = Event()
        self._drawn = plan.profile.drawn() if plan.ensemble is not None else ()
        self._stacks: Stacks = {} if stacks is None else stacks
        self._lock = Lock()
        self._begun: set[str] = set()

    def stop(self) -> None:
        """End running cells after their current seed."""
        self._stopped.set()

    def run(self, task: CellTask) -> Ran:
        """Every seed of a cell, unless another one gives the same."""
        cell = CellSpec(self._variants[task.variant], task.load, task.axes, task.memory, task.costs)
        program = ""
        try:
            world = build_world(cell.load, self._stack(cell.variant), cell.memory, cell.costs)
            program = what_decides(world, cell.variant)
            self._kept.link(cell, program)
            with self._lock:
                if program in self._begun:
                    return Ran(program, None)
                self._begun.add(program)
            results = []
            for index in range(self._plan.seeds):
                if self._stopped.is_set():
                    break
                results.append(self._run(cell, world, program, index))
            return Ran(program, tuple(results))
        except (StrategyError, SimulationError) as error:
            return Ran(program, None, str(error))

    def _stack(self, variant: Variant) -> Stack:
        with self._lock:
            if variant.name not in self._stacks:
                try:
                    self._stacks[variant.name] = Stack(variant)
                except StrategyError as error:
                    self._stacks[variant.name] = error
        stack = self._stacks[variant.name]
        if isinstance(stack, StrategyError):
            raise stack
        return stack

    def _run(self, cell: CellSpec, world: World, program: str, index: int) -> Result:
        found = self._kept.one(cell, program, index)
        if found is None:
            seeds = seed_sequence(self._plan.seed, index, cell.load.scenario, cell.load.threads)
            found = simulate(world, cell.variant, self._profile(index), seeds)
            self._kept.keep(cell, program, index, found)
        return found

    def _profile(self, index: int) -> Profile:
        """The machine of the plan's so-manieth seed."""
        draws = self._plan.ensemble
        return self._plan.profile if draws is None else self._drawn[draws.of_seed(self._plan.seed + index)]


def _samples(plan: Plan, ran: Mapping[int, Ran]) -> list[list[Sample] | Failure]:
    """Of each cell what it gave, or another one with its program; the first of them, in the plan's order."""
    results: dict[str, tuple[Result, ...]] = {}
    failed: dict[str, tuple[CellSpec, str]] = {}
    for number, cell in enumerate(plan.cells):
        one = ran[number]
        if one.program and one.results is not None:
            results.setdefault(one.program, one.results)
        elif one.program and one.why:
            failed.setdefault(one.program, (cell, one.why))
    found: list[list[Sample] | Failure] = []
    for number, cell in enumerate(plan.cells):
        one = ran[number]
        runs = one.results if one.results is not None else results.get(one.program)
        if runs is not None and not one.why:
            found.append([Sample(plan.seed + i, run.metrics, run.events) for i, run in enumerate(runs)])
            continue
        first, message = failed.get(one.program, (cell, one.why))
        if first is not cell:
            message = f"runs the same as {first.variant.name}: {message}"
        found.append(Failure(*place_of(cell), message))
    return found
