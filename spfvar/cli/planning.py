"""From compare's arguments to a plan, without the simulator: a mistyped name is told at once."""

from __future__ import annotations

from dataclasses import dataclass

from spfvar.matrix import catalogue
from spfvar.matrix.plan import Plan, make_plan
from spfvar.plugins.chosen import compared, usable
from spfvar.plugins.registry import Registry
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
    seeds: int,
    seed: int,
) -> Plan:
    """What is wanted, as cells to run; variants that cannot be extracted become problems."""
    return make_plan(
        registry, scenarios, catalogue.hardware(),
        variants=usable(registry, wanted.variants or compared(registry, wanted.every)),
        patterns=wanted.patterns,
        threads=wanted.threads, hardware=hardware, baseline=wanted.baseline, settings=wanted.settings,
        seeds=seeds, seed=seed, every=wanted.every,
    )  # fmt: skip
