"""From what a comparison is asked for to its plan, without the simulator: a mistyped name is told at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spfvar.matrix import catalogue
from spfvar.matrix.plan import Plan, make_plan, runs_of_a_cell
from spfvar.plugins.chosen import compared, usable
from spfvar.plugins.registry import Registry
from spfvar.scenario.hardware import Profile
from spfvar.scenario.schema import Scenario

#: The plan of those variants on one machine.
Make = Callable[[Sequence[str]], Plan]


@dataclass(frozen=True)
class Wanted:
    """The arguments that say what is compared; ``every``: all there is, where nothing is named."""

    variants: tuple[str, ...]
    patterns: tuple[str, ...]
    threads: list[int]
    settings: dict[str, list[str]]
    baseline: str | None
    every: bool = False


def planned(
    wanted: Wanted,
    registry: Registry,
    scenarios: catalogue.Catalogue[Scenario],
    profiles: catalogue.Catalogue[Profile],
    machines: Sequence[str],
    seeds: int | None,
    seed: int,
    draws: int | None,
) -> tuple[list[str], dict[str, Make]]:
    """The variants that are wanted, and by machine what makes the cells to run of them, or of some of them.

    ``machines``: names that ``profiles`` has.  Variants whose plugins cannot be used become problems.
    Raises InputError for names that do not exist.
    """

    def maker(machine: str) -> Make:
        count, drawn = runs_of_a_cell(profiles, machine, seeds, draws)
        made: dict[tuple[str, ...], Plan] = {}

        def make(names: Sequence[str]) -> Plan:
            key = tuple(names)
            if key not in made:
                made[key] = make_plan(
                    registry, scenarios, profiles, variants=names, patterns=wanted.patterns,
                    threads=wanted.threads, hardware=machine, baseline=wanted.baseline,
                    settings=wanted.settings, seeds=count, seed=seed, every=wanted.every, draws=drawn,
                )  # fmt: skip
            return made[key]

        return make

    makers = {machine: maker(machine) for machine in machines}
    names = usable(registry, wanted.variants or compared(registry, wanted.every))
    for make in makers.values():
        make(names)
    return names, makers
