"""Run a plan's cells on all cores: samples and events, in the plan's order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from spfvar.automata.extract import StrategyError
from spfvar.matrix.executors import Executor, Recipe, executor_of
from spfvar.matrix.kept_runs import CellTask, KeptRuns, Ran
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.matrix.samples import Failure, Sample, Samples, gather, place_of
from spfvar.plugins.variant import Stack, Stacks, stack_in
from spfvar.simulate.result import Result
from spfvar.store.database import Store

#: Called with the number of finished cells and of all cells.
Progress = Callable[[int, int], None]
_NOTHING = "nothing came back of the cell that ran this program"


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
    if order:
        for number, result in _run(plan, order, where, kept, stacks):
            done(number, result)
    return gather(
        (place_of(cell), found) for cell, found in zip(plan.cells, _samples(plan, ran), strict=True)
    )


def _run(
    plan: Plan, order: list[int], where: Executor, kept: KeptRuns, stacks: Stacks
) -> Iterator[tuple[int, Ran]]:
    """Run cells by their numbers, in any order."""
    from spfvar.matrix.cells import CellWork  # the simulator: not if everything was kept

    variants = {cell.variant.name: cell.variant for cell in plan.cells}
    work = CellWork(variants, plan, kept, stacks)
    bare = replace(plan, cells=(), variants=(), scenarios={}, scenario_hashes={})
    recipe = Recipe(CellWork, tuple(variants), (bare,))
    for place, result in where.results(work, recipe, [_task(plan.cells[i]) for i in order]):
        kept.link(plan.cells[order[place]], result.program)
        if where.remote:
            kept.take(plan.cells[order[place]], result.program, result.results or ())
        yield order[place], result


def programs_of(plan: Plan, stacks: Stacks, store: Store | None = None) -> list[str]:
    """The digest of each cell's program; "" of one that has none, as its run will say.

    Cells with the same one run the same to the bit, so a verdict on one beside the other needs no run.
    """
    from spfvar.simulate.runner import what_decides
    from spfvar.simulate.world import build_world

    prepare(plan, stacks)
    kept = KeptRuns(store, plan)
    found = []
    for cell in plan.cells:
        program = kept.program(cell)
        if not program:
            try:
                world = build_world(cell.load, stack_in(stacks, cell.variant), cell.memory, cell.costs)
                program = what_decides(world, cell.variant)
            except StrategyError:
                program = ""
            kept.link(cell, program)
        found.append(program)
    return found


def prepare(plan: Plan, stacks: Stacks) -> None:
    """Extract the texts of plugins for all loads of a plan, in the thread that calls; or note why not.

    That thread can be interrupted, by Ctrl-C and by the bounds of plugin code; the workers never run any.
    """
    if all(cell.variant.is_shipped for cell in plan.cells):
        return
    from spfvar.simulate.machine import check_costs
    from spfvar.simulate.world import compute_times, extract_programs

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
        first, message = failed.get(one.program, (cell, one.why or _NOTHING))
        if first.variant is not cell.variant:
            message = f"runs the same as {first.variant.name}: {message}"
        found.append(Failure(*place_of(cell), message))
    return found
