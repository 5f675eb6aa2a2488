"""Runs and verdicts in the store: looked up before anything is computed, kept as soon as it is.

So what was interrupted goes on where it stopped, and what two commands have in common is computed once.
"""

from __future__ import annotations

import math
from dataclasses import asdict
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from spfvar.explore.options import Options
from spfvar.explore.tokens import whole_digest
from spfvar.explore.verdict import INCOMPLETE, Verdict
from spfvar.explore.walk import WalkOptions
from spfvar.explore.world import RaceWorld
from spfvar.matrix.cases import Case
from spfvar.matrix.keys import program_key, run_key, verdict_key
from spfvar.matrix.plan import CellSpec, Plan
from spfvar.simulate.runner import Result
from spfvar.store.database import Store

#: Kinds of entries.
RUN: Final = "run"
PROGRAM: Final = "program"
VERDICT: Final = "verdict"


class KeptRuns:
    """The runs of a plan."""

    def __init__(self, store: Store | None, plan: Plan) -> None:
        self._store = store
        self._plan = plan

    def all_of(self, cell: CellSpec) -> list[Result] | None:
        """The runs with every seed of a shipped design's cell, if all of them were kept."""
        key = program_key(cell) if self._store is not None else ""
        program = self._store.get(key) if self._store is not None and key else None
        if program is None:
            return None
        results = []
        for index in range(self._plan.seeds):
            found = self.one(cell, program, index)
            if found is None:
                return None
            results.append(found)
        return results

    def link(self, cell: CellSpec, program: str) -> None:
        """Remember the digest of a shipped design's program."""
        key = program_key(cell) if self._store is not None else ""
        if self._store is not None and key:
            self._store.put(key, PROGRAM, _label(cell), program)

    def one(self, cell: CellSpec, program: str, index: int) -> Result | None:
        """A program's run with one of the plan's seeds."""
        if self._store is None:
            return None
        found = self._store.get(run_key(self._plan, cell, program, index))
        return None if found is None else Result(**found)

    def keep(self, cell: CellSpec, program: str, index: int, result: Result) -> None:
        """Keep it."""
        if self._store is not None:
            self._store.put(run_key(self._plan, cell, program, index), RUN, _label(cell), asdict(result))


def _label(cell: CellSpec) -> str:
    axes = "".join(f" {name}={value}" for name, value in cell.axes.items())
    return f"{cell.variant.name} {cell.load.scenario}{axes}"


class KeptVerdicts:
    """Verdicts under one memory model or another."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def by_text(self, case: Case, memory: str, options: Options | WalkOptions) -> Verdict | None:
        """The verdict on a shipped design."""
        return self._get(verdict_key(case, memory, options)) if self._store is not None else None

    def by_program(self, case: Case, world: RaceWorld, options: Options | WalkOptions) -> Verdict | None:
        """The verdict on a design whose texts have been extracted, if they are no key themselves."""
        return self._get(_key(case, world, options)) if self._store is not None else None

    def keep(self, case: Case, world: RaceWorld, options: Options | WalkOptions, verdict: Verdict) -> None:
        """Keep it; not if a bound ended it that another time, or machine, would not."""
        asked = math.isfinite(options.seconds) or getattr(options, "max_bytes", None) is not None
        if self._store is None or (asked and verdict.verdict == INCOMPLETE):
            return
        content = _verdicts().dump_python(verdict, mode="json")
        self._store.put(_key(case, world, options), VERDICT, f"{case.variant.name} {case.race_name}", content)

    def _get(self, key: str) -> Verdict | None:
        found: Any = self._store.get(key) if self._store is not None and key else None
        return None if found is None else _verdicts().validate_python(found)


def _key(case: Case, world: RaceWorld, options: Options | WalkOptions) -> str:
    """By the text, or else by the program."""
    text = verdict_key(case, world.memory, options)
    return text or verdict_key(case, world.memory, options, whole_digest(world).hex())


@cache
def _verdicts() -> TypeAdapter[Verdict]:
    return TypeAdapter(Verdict)
