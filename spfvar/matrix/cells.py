"""One cell after the other, wherever it is run: what `spfvar.matrix.run` gives to an executor."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Event, Lock

from spfvar.automata.extract import StrategyError
from spfvar.matrix.kept_runs import CellTask, KeptRuns, Ran
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.plugins.variant import Stack, Stacks, Variant, stack_in
from spfvar.scenario.hardware import Profile
from spfvar.simulate.result import Result
from spfvar.simulate.runner import SimulationError, seed_sequence, simulate, what_decides
from spfvar.simulate.world import World, build_world


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
        self._begun: dict[str, CellTask] = {}

    def stop(self) -> None:
        """End running cells after their current seed."""
        self._stopped.set()

    def run(self, task: CellTask) -> Ran:
        """Every seed of a cell, unless another one gives the same.

        The one that began a program is run again if it is asked for again: by a cluster that lost the result.
        """
        cell = CellSpec(self._variants[task.variant], task.load, task.axes, task.memory, task.costs)
        program = ""
        try:
            world = build_world(cell.load, self._stack(cell.variant), cell.memory, cell.costs)
            program = what_decides(world, cell.variant)
            with self._lock:
                if self._begun.setdefault(program, task) != task:
                    return Ran(program, None)
            results = []
            for index in range(self._plan.seeds):
                if self._stopped.is_set():
                    break
                results.append(self._run(cell, world, program, index))
            return Ran(program, tuple(results))
        except (StrategyError, SimulationError) as error:
            return Ran(program, None, str(error) or type(error).__name__)

    def _stack(self, variant: Variant) -> Stack:
        with self._lock:
            return stack_in(self._stacks, variant)

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
