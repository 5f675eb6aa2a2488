"""Running generated races under one design: which of them break it, and what none of them reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import compress

import numpy as np
import numpy.typing as npt

from spfvar.automata.weaken import Memory
from spfvar.explore.explore import Exploration, Search, run
from spfvar.explore.options import Options
from spfvar.explore.properties import property_of
from spfvar.explore.verdict import beyond_model, real_violations
from spfvar.explore.world import RaceWorld
from spfvar.generator.focus import Focus
from spfvar.generator.ground import Ground, Joint
from spfvar.generator.programs import Group
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race

#: A generated race has so few threads and pages that a larger search is one that got lost.
BOUNDS = Options(max_states=1_000_000, seconds=float("inf"))


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

    ``focus``: only those that can tell the design from another one.  ``model`` is the memory model.
    ``notice`` is told of each race: the number of its start, its outcome, its world and the search.
    ``generated`` counts the races of all groups so far.  ``steps``: the design's primitives in them, as
    "function: primitive", of which ``reached`` were executed.
    """

    stack: Stack
    options: Options = BOUNDS
    focus: Focus | None = None
    model: Memory = "sc"
    notice: Callable[[int, Outcome, RaceWorld, Search], None] | None = None
    generated: int = 0
    steps: set[str] = field(default_factory=set)
    reached: set[str] = field(default_factory=set)
    _keys: set[bytes] = field(default_factory=set)
    _grounds: dict[str, Ground] = field(default_factory=dict)

    def run(self, groups: Iterable[Group]) -> Iterator[Outcome]:
        """The outcome of each race that is new.  Raises StrategyError for a text that is none."""
        for group in groups:
            yield from self._run(group)

    def _run(self, group: Group) -> Iterator[Outcome]:
        memory = group.memory
        if self.focus is not None and not self.focus.differs(group):
            self.generated += len(group.starts)
            return
        if memory.name not in self._grounds:
            self._grounds[memory.name] = Ground(self.stack, memory, self.options, self.model)
        ground = self._grounds[memory.name]
        joint = ground.joint(group)
        world = joint.world
        self.generated += len(group.starts)
        search: Search | None = None
        covered = np.zeros(len(world.program.table), dtype=np.bool_)
        for number in group.starts:
            start = ground.start(number, joint)
            key = ground.key(number, joint, start)
            if key in self._keys:
                continue
            self._keys.add(key)
            if search is None:
                search = Search(replace(world, start=start), self.options, joint.followed)
            else:
                search.restart(start)
            found = run(search)
            covered |= found.covered.reshape(-1, c.MAX_OUTCOMES).any(axis=1)
            race = world.race.model_copy(update={"vma": list(memory.starts[number])})
            # Where a search notices its bound depends on the room that it had.
            states = min(found.states, self.options.max_states)
            outcome = _outcome(world, found, Outcome(key, str(group), group.size, states), race)
            if self.notice is not None:
                self.notice(number, outcome, world, search)
            yield outcome
        self._count(joint, covered)

    def _count(self, joint: Joint, covered: npt.NDArray[np.bool_]) -> None:
        row = 0
        for linked in joint.linked:
            was = covered[row : row + len(linked.steps)].tolist()
            self.steps.update(linked.steps)
            self.reached.update(compress(linked.steps, was))
            row += len(linked.steps)
        self.steps.discard("")  # where a thread has ended, or what it must not come to
        self.reached.discard("")


def _outcome(world: RaceWorld, found: Exploration, outcome: Outcome, race: Race) -> Outcome:
    cause = cause_of(world, found)
    if cause is not None:
        return replace(outcome, cause=cause, race=race)
    if beyond := beyond_model(world):
        return replace(outcome, why=beyond)
    if not found.complete or found.violations:
        return replace(outcome, why=found.why or "out of objects")
    return outcome


def cause_of(world: RaceWorld, found: Exploration) -> Cause | None:
    """Why a search broke; None if it found nothing, or only that objects or histories ran out."""
    real = real_violations(world, found.violations)
    if not real:
        return None
    op: Op | None = world.program.ops[real[0].node] if real[0].node >= 0 else None
    name = property_of(real[0].code, op)
    function, step = ("", "") if op is None else (op.function, op.name)
    return Cause(name, function, step, c.VIOLATIONS[real[0].code])
