"""Runs of a race's threads one after the other, each to its end: the order of a text's primitives."""

from __future__ import annotations

from typing import Any

from spfvar.explore.moves import Walker
from spfvar.explore.search import WAYS
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.ops.places import Field
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml
from tests.stacks import stack

#: Ops that only move registers or count: not what a reader of the kernel's source would list.
_NOISE = (" = ", " == ", "+=", "count(", "syscall", "pmd_addr_end", "exit", "handle_mm_fault", "memcg")


class RaceRun:
    """A race that is run in a given order of its threads."""

    def __init__(self, text: str, variant: str = "mmap-lock") -> None:
        race: Race = parse_toml('kind = "race"\ntitle = "t"\nproperties = ["P1"]\n' + text, "race.toml", Race)
        self.world: RaceWorld = build_race(race, stack(variant))
        self.walker = Walker(self.world)

    def thread(self, thread: int = 0, until: str = "") -> list[str]:
        """Let a thread run to its end, or until it is about to execute a primitive; what it executed."""
        names: list[str] = []
        while True:
            op = self.walker.op_of(thread)
            if op.code in (c.END, c.RCU_GP_START) or (until and op.name.startswith(until)):
                return names
            move = self.walker.go(thread * WAYS)
            if move.outcome == c.BLOCKED:
                return [*names, "blocked"]
            assert move.outcome != c.VIOLATED, op.name
            if not any(noise in op.name for noise in _NOISE):
                names.append(op.name)

    def word(self, field: Field, index: int = 0) -> int:
        """A field of an object."""
        return int(self.walker.state[self.world.layout.word(field, index)])

    def entry(self, page: int) -> int:
        """The page-table entry of a page; 0 without a table."""
        g: Any = self.world.layout.g
        state, shift = self.walker.state, int(g[c.G_PT_SHIFT])
        table = int(state[int(g[c.G_PMD]) + (page >> shift)]) - 1
        offset = (table << shift) + (page & ((1 << shift) - 1))
        return int(state[int(g[c.G_PTE]) + offset]) if table >= 0 else 0
