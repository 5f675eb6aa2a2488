"""Running generated races under one design: which of them break it, and what none of them reached."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from spfvar.automata.layout import Sizes
from spfvar.explore.explore import Exploration, Options, Search, run
from spfvar.explore.properties import property_of
from spfvar.explore.world import RaceWorld, build_world, extract_race, sizes_of, start_state
from spfvar.hunt.programs import Group
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race

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
class Hit:
    """A race that breaks the design, and why."""

    race: Race
    group: str
    size: int
    cause: Cause


@dataclass(slots=True)
class Tally:
    """What a hunt has done so far.

    ``same``: races that were left out, as the design cannot tell them from one before (by ``keys``, digests
    of program and start).  ``open``: those whose search hit a bound.  ``seen``: the design's steps in all of
    them ("function: primitive"), of which ``reached`` were executed.
    """

    races: int = 0
    states: int = 0
    same: int = 0
    open: list[str] = field(default_factory=list)
    reached: set[str] = field(default_factory=set)
    seen: set[str] = field(default_factory=set)
    keys: set[bytes] = field(default_factory=set)


def hunt(stack: Stack, groups: Iterable[Group], tally: Tally, options: Options = BOUNDS) -> Iterator[Hit]:
    """The races of these groups that break the design, in order.

    Raises StrategyError for a text that is none.
    """
    for group in groups:
        yield from _group(stack, group, tally, options)


def _group(stack: Stack, group: Group, tally: Tally, options: Options) -> Iterator[Hit]:
    races = list(group.races())
    automata = extract_race(races[0], stack)
    # As large as the largest of them needs it: spare objects add no states.
    world = build_world(races[0], automata, _largest(sizes_of(race, automata) for race in races))
    program = hashlib.sha256(world.program.table.tobytes() + world.layout.g.tobytes()).digest()
    search: Search | None = None
    covered = np.zeros(len(world.program.table), dtype=bool)
    for race in races:
        start = start_state(race, world.layout, world.program)
        key = hashlib.sha256(program + start.tobytes()).digest()
        if key in tally.keys:
            tally.same += 1
            continue
        tally.keys.add(key)
        if search is None:
            search = Search(replace(world, race=race, start=start), options)
        else:
            search.restart(start)
        found = run(search)
        tally.races += 1
        tally.states += found.states
        covered |= found.covered.reshape(-1, c.MAX_OUTCOMES).any(axis=1)
        cause = cause_of(world, found)
        if cause is not None:
            yield Hit(race, str(group), group.size, cause)
        elif not found.complete or found.violations:
            tally.open.append(f"{group}: {found.why or 'out of objects'}")
    _count(tally, world, covered)


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
    return Cause(name, op.function if op else "", op.name if op else "", c.VIOLATIONS[real[0].code])


def _count(tally: Tally, world: RaceWorld, covered: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    for op, was in zip(world.program.ops, covered.tolist(), strict=True):
        text = f"{op.function}: {op.name}"
        tally.seen.add(text)
        if was:
            tally.reached.add(text)
