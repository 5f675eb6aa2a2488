"""Whole tables of designs: every kind of fault, every writer, every barrier."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from spfvar.explore.options import Options
from spfvar.faultpaths.barriers import BarrierCoverage, barrier_coverage
from spfvar.faultpaths.faults import Handling, handling_of
from spfvar.faultpaths.kinds import FAULT_KINDS
from spfvar.faultpaths.system_calls import WRITERS
from spfvar.faultpaths.writers import Overlay, overlay_of
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race

#: Called whenever a design (of barriers: a race) is done.
Done = Callable[[], None]


def faults_of(variants: Sequence[Variant], done: Done) -> list[Handling]:
    """Every kind of fault under each design.  Raises StrategyError."""
    found = []
    for variant in variants:
        stack = Stack(variant)
        found += [handling_of(kind, variant, stack) for kind in FAULT_KINDS]
        done()
    return found


def writers_of(variants: Sequence[Variant], done: Done) -> list[Overlay]:
    """Every writer under each design.  Raises StrategyError."""
    found = []
    for variant in variants:
        stack = Stack(variant)
        found += [overlay_of(writer, variant, stack) for writer in WRITERS]
        done()
    return found


def barriers_of(variants: Sequence[Variant], races: Mapping[str, Race], done: Done) -> list[BarrierCoverage]:
    """What races execute of each design's barriers and orders.  Raises StrategyError."""
    bounds = Options(first=False, livelock=False)
    return [barrier_coverage(one.name, Stack(one), races, bounds, done) for one in variants]
