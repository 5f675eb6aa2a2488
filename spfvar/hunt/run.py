"""Running generated races under one design: which of them break it, and what none of them reached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Sizes
from spfvar.explore.explore import Exploration, Search, run
from spfvar.explore.options import Options
from spfvar.explore.properties import property_of
from spfvar.explore.world import RaceWorld, build_world, extract_race, sizes_of, start_state
from spfvar.hunt.programs import Group
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race

#: Bytes of a digest that are kept: among millions of races two are not confused.
_KEY = 16
#: A generated race has so few threads and pages that a larger search is one that got lost.
BOUNDS = Options(max_states=200_000, max_bytes=1 << 28, seconds=float("inf"))


@dataclass(frozen=True, slots=True)
class Cause:
    """What two findings have in common if they have one cause: the property, and the primitive to blame.

    ``function`` and ``op`` are "" for a state at rest, of which ``text`` says what is wrong.
    """

    property: str
    function: str
    op: str
    text: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one race.

    ``key`` is a digest of program and start: races with one key are one race to the design.  ``cause``: why
    it broke, None if it did not; then ``why`` names the bound that its search hit, "" for none.  ``race`` is
    kept if it broke.
    """

    key: bytes
    group: str
    size: int
    states: int
    cause: Cause | None = None
    race: Race | None = None
    why: str = ""


@dataclass(slots=True)
class Hunter:
    """Runs groups of races under one design, and what it cannot tell apart once.

    ``generated`` counts the races of all groups so far.  ``steps``: the design's primitives in them, as
    "function: primitive", of which ``reached`` were executed.
    """

    stack: Stack
    options: Options = BOUNDS
    generated: int = 0
    steps: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    _keys: set[bytes] = field(default_factory=set)

    def run(self, groups: Iterable[Group]) -> Iterator[Outcome]:
        """The outcome of each race that is new.  Raises StrategyError for a text that is none."""
        for group in groups:
            yield from self._run(group)

    def _run(self, group: Group) -> Iterator[Outcome]:
        races = list(group.races())
        self.generated += len(races)
        automata = extract_race(races[0], self.stack)
        # As large as the largest of them needs it: spare objects add no states.
        world = build_world(races[0], automata, _largest(sizes_of(race, automata) for race in races))
        program = hashlib.sha256(world.program.table.tobytes() + world.layout.g.tobytes())
        search: Search | None = None
        covered = np.zeros(len(world.program.table), dtype=np.bool_)
        for race in races:
            start = start_state(race, world.layout, world.program)
            digest = program.copy()
            digest.update(start.tobytes())
            key = digest.digest()[:_KEY]
            if key in self._keys:
                continue
            self._keys.add(key)
            if search is None:
                search = Search(replace(world, race=race, start=start), self.options)
            else:
                search.restart(start)
            found = run(search)
            covered |= found.covered.reshape(-1, c.MAX_OUTCOMES).any(axis=1)
            yield _outcome(world, found, Outcome(key, str(group), group.size, found.states), race)
        self._count(world, covered)

    def _count(self, world: RaceWorld, covered: npt.NDArray[np.bool_]) -> None:
        for op, was in zip(world.program.ops, covered.tolist(), strict=True):
            if op.code == c.END:
                continue
            text = f"{op.function}: {op.name}"
            self.steps.add(text)
            if was:
                self.reached.add(text)


def _outcome(world: RaceWorld, found: Exploration, outcome: Outcome, race: Race) -> Outcome:
    cause = cause_of(world, found)
    if cause is not None:
        return replace(outcome, cause=cause, race=race)
    if not found.complete or found.violations:
        return replace(outcome, why=found.why or "out of objects")
    return outcome


def _largest(sizes: Iterable[Sizes]) -> Sizes:
    every = list(sizes)
    return replace(
        every[0], anon_pages=max(s.anon_pages for s in every), policies=max(s.policies for s in every)
    )


def cause_of(world: RaceWorld, found: Exploration) -> Cause | None:
    """Why a search broke; None if it found nothing, or only that the model's objects ran out."""
    real = [violation for violation in found.violations if violation.code != c.V_NO_MEMORY]
    if not real:
        return None
    op: Op | None = world.program.ops[real[0].node] if real[0].node >= 0 else None
    name = property_of(real[0].code, op)
    function, step = ("", "") if op is None else (op.function, op.name)
    return Cause(name, function, step, c.VIOLATIONS[real[0].code])
