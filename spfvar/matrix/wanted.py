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
    hardware: str,
    seeds: int | None,
    seed: int,
    draws: int | None,
    machines: catalogue.Catalogue[Profile] | None = None,
) -> tuple[list[str], Callable[[Sequence[str]], Plan]]:
    """The variants that are wanted, and what makes the cells to run of them, or of some of them.

    ``machines``: what ``hardware`` may name, if not files alone.  Variants whose plugins cannot be used
    become problems.  Raises InputError for names that do not exist.
    """
    profiles = machines or catalogue.hardware()
    count, drawn = runs_of_a_cell(profiles, hardware, seeds, draws)

    def make(names: Sequence[str]) -> Plan:
        return make_plan(
            registry, scenarios, profiles, variants=names, patterns=wanted.patterns,
            threads=wanted.threads, hardware=hardware, baseline=wanted.baseline, settings=wanted.settings,
            seeds=count, seed=seed, every=wanted.every, draws=drawn,
        )  # fmt: skip

    names = usable(registry, wanted.variants or compared(registry, wanted.every))
    make(names)
    return names, make
