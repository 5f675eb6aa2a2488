"""One cell, recorded: where the time of its faults goes, and what it differs in from another variant's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from spfvar.automata.extract import StrategyError
from spfvar.errors import InputError
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.compare import sound_plan
from spfvar.matrix.plan import CellSpec, Plan, Value, make_plan
from spfvar.plugins.chosen import usable
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stack, Stacks
from spfvar.scenario.hardware import Profile
from spfvar.scenario.schema import Scenario
from spfvar.simulate.machine import check_costs
from spfvar.simulate.meters import X_START
from spfvar.simulate.recorded import Recorded, record
from spfvar.simulate.runner import seed_sequence
from spfvar.simulate.world import build_world, compute_times, extract_programs
from spfvar.timing.breakdown import Breakdown, break_down
from spfvar.timing.differences import Difference, differences, ratio
from spfvar.timing.frames import lines_frame, locks_frame, steps_frame
from spfvar.timing.timeline import Timeline, known_until, timeline

#: Events that a timeline may have.
MOST_EVENTS = 500_000


@dataclass(frozen=True)
class Why:
    """The answer: where the time goes, and beside it that of another variant.

    ``axes`` as tables spell them.  ``differences`` are those of the faults, ``call_differences`` those of the
    writers' calls, largest first and all of them; () without another.  ``timeline``: None unless asked for.
    """

    breakdown: Breakdown
    against: Breakdown | None
    differences: tuple[Difference, ...]
    call_differences: tuple[Difference, ...]
    hardware: str
    axes: Mapping[str, Value]
    seed: int
    plan: Plan
    timeline: Timeline | None = None

    @property
    def ratio(self) -> float:
        """Throughput beside the other's; NaN without one."""
        return ratio(self.breakdown, self.against) if self.against is not None else float("nan")

    @property
    def steps(self) -> pd.DataFrame:
        """A row per step (`spfvar.timing.frames.steps_frame`)."""
        return steps_frame(self.breakdown)

    @property
    def lines(self) -> pd.DataFrame:
        """A row per cache line and who had it before (`spfvar.timing.frames.lines_frame`)."""
        return lines_frame(self.breakdown)

    @property
    def locks(self) -> pd.DataFrame:
        """A row per lock (`spfvar.timing.frames.locks_frame`)."""
        return locks_frame(self.breakdown)


def why_plan(
    registry: Registry,
    scenarios: Catalogue[Scenario],
    profiles: Catalogue[Profile],
    variant: str,
    scenario: str,
    *,
    threads: int | None = None,
    against: str | None = None,
    hardware: str,
    seed: int = 1,
    settings: Mapping[str, Sequence[str]] | None = None,
) -> tuple[Plan, Stacks]:
    """One cell for each of the one or two variants.  Raises InputError for what is no single cell.

    Without ``threads``: the most that the scenario has by default.  Of another axis, its first value.
    """
    if against == variant:
        raise InputError(f"{variant} is what is asked about", key="--against", expected="another variant")
    names = [variant] if against is None else [variant, against]
    loads = scenarios.select([scenario])
    if len(loads) != 1:
        raise InputError(f"{len(loads)} loads match {scenario!r}", key="--scenario", expected="one")

    def make(chosen: Sequence[str]) -> Plan:
        return make_plan(
            registry, scenarios, profiles, variants=chosen, patterns=loads,
            threads=[] if threads is None else [threads], hardware=hardware, baseline=against or variant,
            settings=settings, seeds=1, seed=seed,
        )  # fmt: skip

    for name in names:
        registry.any_variant(name)
    plan, stacks = sound_plan(usable(registry, names), registry, make)
    if len(plan.variants) != len(names):
        raise registry.nothing_left()
    most = max(cell.load.threads for cell in plan.cells)
    first = next(cell for cell in plan.cells if threads is not None or cell.load.threads == most)
    cells = tuple(cell for name in names for cell in plan.cells
                  if cell.variant.name == name and cell.axes == first.axes)  # fmt: skip
    _check_faults(cells[0])
    return replace(plan, cells=cells), stacks


def _check_faults(cell: CellSpec) -> None:
    load = cell.load
    if not any(s.touch is not None for group in load.groups for s in group.group.program):
        raise InputError(
            f"no thread of {load.scenario} touches memory", key="--scenario", expected="a load with faults"
        )


def run_why(
    plan: Plan,
    stacks: Stacks,
    span: float | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Why:
    """Record the cells of `why_plan`.

    ``span``: so many ns of the measured time, from its begin, become a timeline.  ``progress`` is told what
    is being done.  Raises StrategyError, SimulationError; InputError if no fault was counted.
    """
    found: list[Breakdown] = []
    shown: Timeline | None = None
    for number, cell in enumerate(plan.cells):
        progress(f"simulating {cell.variant.name}")
        recorded = _record(plan, cell, stacks)
        if not recorded.result.faults:
            raise InputError(f"no fault of {cell.load.scenario} was counted under {cell.variant.name}",
                             key="--scenario", expected="a load with faults")  # fmt: skip
        found.append(break_down(recorded))
        if number == 0 and span is not None:
            progress("recording the timeline")
            shown = _timeline(plan, cell, stacks, float(recorded.meters.x[X_START]), span)
    mine, other = found[0], found[1] if len(found) > 1 else None
    first = plan.cells[0]
    both_call = other is not None and mine.calls is not None and other.calls is not None
    return Why(
        mine,
        other,
        tuple(differences(mine.faults, other.faults)) if other is not None else (),
        tuple(differences(mine.calls, other.calls)) if both_call else (),  # type: ignore[union-attr, arg-type]
        plan.hardware,
        first.axes,
        plan.seed,
        plan,
        shown,
    )


def breakdown_of(plan: Plan, cell: CellSpec, stacks: Stacks) -> Breakdown:
    """Where the time of one cell goes, with the plan's first seed.  Raises StrategyError, SimulationError."""
    return break_down(_record(plan, cell, stacks))


def _timeline(plan: Plan, cell: CellSpec, stacks: Stacks, begin: float, span: float) -> Timeline:
    """Of the window if it has few enough events, else of as much of it as has."""
    recorded = _record(plan, cell, stacks, (begin, begin + span), MOST_EVENTS)
    until = known_until(recorded)
    if until < begin + span:
        ends = MOST_EVENTS + 64 * cell.load.threads  # of what has begun by then
        recorded = _record(plan, cell, stacks, (begin, max(begin, until)), ends)
    return timeline(recorded, span)


def _record(
    plan: Plan,
    cell: CellSpec,
    stacks: Stacks,
    window: tuple[float, float] | None = None,
    events: int = 0,
) -> Recorded:
    stack = stacks.get(cell.variant.name)
    if stack is None:
        stack = stacks[cell.variant.name] = Stack(cell.variant)
    if isinstance(stack, StrategyError):
        raise stack
    costs = cell.variant.costs if cell.costs is None else cell.costs
    for automaton in extract_programs(cell.load, stack).values():
        check_costs(automaton, plan.profile, compute_times(cell.load), costs)
    world = build_world(cell.load, stack, cell.memory, cell.costs, chains=True)
    seeds = seed_sequence(plan.seed, 0, cell.load.scenario, cell.load.threads)
    return record(world, cell.variant, plan.profile, seeds, window, events)
