"""The model's figures for published points: at a profile's own figures, and at draws of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from threading import Event

import numpy as np
import numpy.typing as npt

from spfvar.cpus import available_cpus
from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.hardware import Profile
from spfvar.scenario.load import Load, make_load
from spfvar.scenario.published import Published
from spfvar.scenario.schema import Scenario
from spfvar.simulate.machine import check_costs
from spfvar.simulate.runner import seed_sequence, simulate
from spfvar.simulate.world import build_world, compute_times, extract_programs
from spfvar.structs.lines import Memory
from spfvar.threads import in_threads
from spfvar.validation.points import Cell, Rows, at_line

Floats = npt.NDArray[np.float64]
#: Called with the number of finished groups of cells and of all.
Progress = Callable[[int, int], None]
#: A cell of many threads takes longer by as much: it gets fewer of a profile's draws.
MOST_DRAWS, LEAST_DRAWS, THREAD_DRAWS = 12, 4, 600
#: What a profile is off for another machine of its maker, beyond what its own fit left: standard deviation of
#: the logarithm of a number.  Measured where both machines have curves, Broadwell by Skylake's profile and
#: the other way round: rms 0.45 of ratios and multiples, which are made of two numbers
#: (python -m benchmarks.leave_out --machines).
RELATIVE = 0.32


@dataclass(frozen=True)
class Figures:
    """A cell's metric by seed at the profile's own figures, and by draw of them (none: it has no draws)."""

    seeds: Floats
    draws: Floats


def draws_for(threads: int) -> int:
    """How many draws a cell of so many threads is run with, at most."""
    return max(LEAST_DRAWS, min(MOST_DRAWS, THREAD_DRAWS // threads))


def machines_of(
    rows: Rows, known: Catalogue[Published], profiles: Catalogue[Profile]
) -> dict[str, tuple[Profile, ...]]:
    """By file: the machine's profile, and its draws.  Raises InputError, with the line, for a bad one."""
    machines = {}
    for file in rows.files:
        machine = rows.machine(file)
        try:
            profile = profiles[machine.profile]
            machines[file] = tuple(machine.on(one) for one in (profile, *profile.drawn()))
        except InputError as error:
            raise at_line(known, file, ("machine", "profile"), error) from error
    return machines


def loads_of(
    rows: Rows, known: Catalogue[Published], scenarios: Catalogue[Scenario], registry: Registry
) -> dict[tuple[str, tuple[tuple[str, int | float | str], ...], int], Load]:
    """Every load that a point needs, by name, settings and threads; designs are looked up too.

    Raises InputError, with file and line, for a load, a setting or a design that there is not.
    """
    loads: dict[tuple[str, tuple[tuple[str, int | float | str], ...], int], Load] = {}
    for point in rows.points:
        where = ("table", point.table)
        for cell in cells_of_point(point.a, point.b):
            try:
                if cell.load not in scenarios.names():
                    raise unknown("scenario", cell.load, scenarios.names(), key="load")
                key = (cell.load, cell.settings, cell.threads)
                if key not in loads:
                    loads[key] = make_load(cell.load, scenarios[cell.load], _axes(scenarios[cell.load], cell))
            except InputError as error:
                raise at_line(known, point.file, (*where, error.key or "load"), error) from error
            try:
                registry[cell.design]
            except InputError as error:
                raise at_line(known, point.file, (*where, "values", cell.design), error) from error
    return loads


def memory_of(rows: Rows, cell: Cell, variant: Variant) -> Memory:
    """Where members of structs lie: as in the kernel that was measured, or else as in the design's own."""
    layout = rows.files[cell.file].layout
    return (replace(variant, layout=layout) if layout else variant).memory


def cells_of_point(a: Cell | None, b: Cell) -> tuple[Cell, ...]:
    """The cells that a point needs."""
    return (b,) if a is None else (a, b)


def _axes(scenario: Scenario, cell: Cell) -> dict[str, int | float | str]:
    settings = dict(cell.settings)
    for name in settings:
        if name not in scenario.axes or name == "threads":
            raise unknown("axis", name, [axis for axis in scenario.axes if axis != "threads"], key="settings")
    axes = {}
    for name, axis in scenario.axes.items():
        try:
            axes[name] = axis.parse(settings.get(name, axis.values[0]))
        except InputError as error:
            raise error.located(key="settings") from error
    return axes | {"threads": cell.threads}


def run_rows(
    rows: Rows,
    known: Catalogue[Published],
    registry: Registry,
    scenarios: Catalogue[Scenario],
    profiles: Catalogue[Profile],
    seeds: int,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> dict[Cell, Figures]:
    """Run every cell that the rows need, each once.

    Cells that differ by machine only share a world.  Raises InputError for rows that name what there is not,
    StrategyError or SimulationError for a design that cannot be run.
    """
    machines = machines_of(rows, known, profiles)
    loads = loads_of(rows, known, scenarios, registry)
    cells = list(dict.fromkeys(c for point in rows.points for c in cells_of_point(point.a, point.b)))
    groups: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        layout = rows.files[cell.file].layout
        groups.setdefault((cell.load, cell.settings, cell.threads, cell.design, layout), []).append(cell)
    stacks = {name: Stack(registry[name]) for name in dict.fromkeys(cell.design for cell in cells)}
    for cell in cells:  # plugins' code runs in the thread that can be interrupted
        variant = registry[cell.design]
        if not variant.is_shipped:
            load = loads[cell.load, cell.settings, cell.threads]
            for automaton in extract_programs(load, stacks[cell.design]).values():
                check_costs(automaton, machines[cell.file][0], compute_times(load), variant.costs)
    stop = Event()

    def run(group: Sequence[Cell]) -> dict[Cell, Figures]:
        one = group[0]
        load, variant = loads[one.load, one.settings, one.threads], registry[one.design]
        world = build_world(load, stacks[one.design], memory_of(rows, one, variant))
        done: dict[Cell, Figures] = {}
        for cell in group:
            own, *drawn = machines[cell.file]
            runs = [(own, i) for i in range(seeds)]
            runs += [(profile, i) for i, profile in enumerate(drawn[: draws_for(cell.threads)])]
            values = []
            for profile, index in runs:
                if stop.is_set():
                    return done
                sequence = seed_sequence(1, index, load.scenario, load.threads)
                values.append(simulate(world, variant, profile, sequence).metrics[cell.metric])
            done[cell] = Figures(np.array(values[:seeds]), np.array(values[seeds:]))
        return done

    found: dict[Cell, Figures] = {}
    order = sorted(groups.values(), key=lambda group: -group[0].threads * len(group))
    for i, (_, figures) in enumerate(in_threads(run, order, jobs or available_cpus(), stop.set), 1):
        found |= figures
        if progress is not None:
            progress(i, len(order))
    for point in rows.points:
        for cell in cells_of_point(point.a, point.b):
            if not (np.concatenate([found[cell].seeds, found[cell].draws]) > 0).all():
                error = InputError(
                    f"{cell.design} has no {cell.metric} in {cell.load}",
                    expected="a metric that is more than 0",
                )
                raise at_line(known, point.file, ("table", point.table, "metric"), error)
    return found


def discrepancies(rows: Rows, profiles: Catalogue[Profile]) -> dict[str, float]:
    """By file: what the fit of the machine's profile left, as a standard deviation of logarithms.

    A relative's profile is off by `RELATIVE`, too.
    """
    found = {}
    for file in rows.files:
        machine = rows.machine(file)
        draws = profiles[machine.profile].draws
        left = 0.0 if draws is None else draws.discrepancy
        found[file] = math.hypot(left, RELATIVE) if machine.relative else left
    return found


def figures_of(found: Mapping[Cell, Figures], a: Cell | None, b: Cell) -> Figures:
    """Of b, or b / a by seed and by draw."""
    if a is None:
        return found[b]
    n = min(len(found[a].draws), len(found[b].draws))
    return Figures(found[b].seeds / found[a].seeds, found[b].draws[:n] / found[a].draws[:n])
