"""What races execute of a design's barriers and orders, and which of its loads ever return an old value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import beyond_model
from spfvar.explore.world import build_race
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from spfvar.transition import weak as t

#: What a primitive is besides a barrier: a load of a weak word that orders nothing.
LOAD = "load"
_FENCE = "fence"


@dataclass(slots=True)
class Use:
    """A barrier, or an access that is ordered or weak: the races that have it, and those that reach it.

    ``stale``: those where a load returned what was not the newest; None for all but loads of weak words.
    """

    function: str
    kind: str
    name: str
    where: str
    races: list[str] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    stale: list[str] | None = None

    @property
    def order(self) -> tuple[str, str, int, str]:
        """By function and line."""
        file, _, line = self.where.rpartition(":")
        return self.function, file, int(line) if line.isdigit() else 0, self.name


@dataclass(slots=True)
class BarrierCoverage:
    """A variant's: of so many ``races`` ``weak`` have weak words; ``open``: those left open, and why."""

    variant: str
    races: int = 0
    weak: int = 0
    open: dict[str, str] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)

    def as_list(self) -> list[dict[str, Any]]:
        """Entries of the JSON list."""
        return [
            {
                "variant": self.variant, "function": use.function, "kind": use.kind, "primitive": use.name,
                "where": use.where, "races": use.races, "reached": use.reached, "stale": use.stale,
            }
            for use in self.uses
        ]  # fmt: skip


def barrier_coverage(
    name: str,
    stack: Stack,
    races: Mapping[str, Race],
    options: Options,
    done: Callable[[], None] = lambda: None,
) -> BarrierCoverage:
    """Explore every race under weak memory, whatever breaks in it.  Raises StrategyError."""
    found = BarrierCoverage(name, len(races))
    uses: dict[tuple[str, str, str, str], Use] = {}
    for race_name, race in races.items():
        world = build_race(race, stack, "lkmm")
        if world.weak is not None:
            found.weak += 1
            search = explore(world, options)
            if why := beyond_model(world) or search.why:
                found.open[race_name] = why
            reached = search.covered.reshape(-1, c.MAX_OUTCOMES).max(axis=1)
            for node, op in enumerate(world.program.ops):
                _note(uses, op, race_name, bool(reached[node]), bool(world.weak.stale[node]))
        done()
    found.uses = sorted(uses.values(), key=lambda use: use.order)
    return found


def _note(uses: dict[tuple[str, str, str, str], Use], op: Op, race: str, reached: bool, stale: bool) -> None:
    kind = kind_of(op)
    if not kind:
        return
    name = op.name.replace(f"({op.place})", f"({op.place.field})") if op.place is not None else op.name
    file, _, line = op.where.rpartition(":")
    where = f"{file.rpartition('/')[2]}:{line}"
    key = op.function, kind, name, where
    use = uses.setdefault(key, Use(*key, stale=[] if op.code in t.LOADS else None))
    for races, is_there in ((use.races, True), (use.reached, reached), (use.stale, stale)):
        if races is not None and is_there and race not in races:
            races.append(race)


def kind_of(op: Op) -> str:
    """What a primitive of a run with weak words orders; "" if nothing, and it is no weak load."""
    if op.code == c.FENCE:
        return _FENCE
    if op.place is not None and op.place.field.width == 1 and op.order not in ("", "plain"):
        return op.order
    return LOAD if op.code in t.LOADS else ""
