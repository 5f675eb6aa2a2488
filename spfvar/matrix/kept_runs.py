"""Runs in the store: looked up before anything is simulated, kept as soon as they are.

So what was interrupted goes on where it stopped, and what two commands have in common is computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from spfvar.matrix.keys import machine_keys, program_key, run_key
from spfvar.matrix.plan import CellSpec, Plan, Value
from spfvar.scenario.load import Load
from spfvar.simulate.result import Result
from spfvar.store.database import Store
from spfvar.structs.lines import Memory

#: Kinds of entries.
RUN: Final = "run"
PROGRAM: Final = "program"


@dataclass(frozen=True, slots=True)
class CellTask:
    """A cell to be run, its variant by name."""

    variant: str
    load: Load
    axes: dict[str, Value]
    memory: Memory | None
    costs: dict[str, float] | None


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a cell: its program's digest, and a result for each seed.

    ``results`` is None if another cell with that program was run by the same work, or if it failed: then
    ``why`` says so.
    """

    program: str
    results: tuple[Result, ...] | None
    why: str = ""


class KeptRuns:
    """The runs of a plan."""

    def __init__(self, store: Store | None, plan: Plan) -> None:
        self._store = store
        self._plan = plan
        # Now: who edits a text while this runs must not get the old one's results.
        self._programs = {id(cell): program_key(cell) for cell in plan.cells} if store is not None else {}
        self._machines = machine_keys(plan) if store is not None else []

    def all_of(self, cell: CellSpec) -> list[Result] | None:
        """The runs with every seed of a shipped design's cell, if all of them were kept."""
        program = self.program(cell)
        if self._store is None or not program:
            return None
        keys = [run_key(machine, cell, program, index) for index, machine in enumerate(self._machines)]
        found = self._store.get_all(keys)
        return None if found is None else [Result(**one) for one in found]

    def program(self, cell: CellSpec) -> str:
        """The digest of a shipped design's program, if it was linked; else ""."""
        key = self._programs.get(id(cell), "")
        return (self._store.get(key, counts=False) or "") if self._store is not None and key else ""

    def link(self, cell: CellSpec, program: str) -> None:
        """Remember the digest of a shipped design's program; "": it has none."""
        key = self._programs.get(id(cell), "")
        if self._store is not None and key and program:
            self._store.put(key, PROGRAM, _label(cell), program)

    def take(self, cell: CellSpec, program: str, results: Sequence[Result]) -> None:
        """Keep what was run elsewhere."""
        for index, result in enumerate(results):
            self.keep(cell, program, index, result)

    def one(self, cell: CellSpec, program: str, index: int, counts: bool = True) -> Result | None:
        """A program's run with one of the plan's seeds."""
        if self._store is None:
            return None
        found = self._store.get(run_key(self._machines[index], cell, program, index), counts)
        return None if found is None else Result(**found)

    def keep(self, cell: CellSpec, program: str, index: int, result: Result) -> None:
        """Keep it."""
        if self._store is not None:
            key = run_key(self._machines[index], cell, program, index)
            self._store.put(key, RUN, _label(cell), asdict(result))


def _label(cell: CellSpec) -> str:
    axes = "".join(f" {name}={value}" for name, value in cell.axes.items())
    return f"{cell.variant.name} {cell.load.scenario}{axes}"
