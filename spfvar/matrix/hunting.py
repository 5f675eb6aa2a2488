"""A hunt: generated races under each design, on all cores, within a budget; every cause once."""

from __future__ import annotations

import fnmatch
import itertools
import random
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from threading import Lock
from typing import Any

from spfvar.automata.weaken import Memory
from spfvar.cpus import available_cpus
from spfvar.errors import InputError, unknown
from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.generator.findings import Finding, finding_of
from spfvar.generator.focus import Focus, Reach
from spfvar.generator.memories import MEMORIES
from spfvar.generator.programs import Family, Group, shapes
from spfvar.generator.run import BOUNDS, Hunter, cause_of
from spfvar.generator.tally import Tally
from spfvar.matrix import catalogue
from spfvar.matrix.executors import Executor, Here, Processes, Recipe
from spfvar.matrix.kept_hunts import Chunk, KeptHunt
from spfvar.plugins.registry import GIVEN
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race
from spfvar.scenario.verbs import VERBS
from spfvar.store.database import Store

#: Told races, numbers of groups that are done, all of them, and seconds.
Progress = Callable[[int, int, int, float], None]
#: Numbers of groups that a worker tries before it tells of them; in a random order, before the next family.
_SLICE, _TURN = 16, 8
#: Numbers that take longer than two processes need to start.
_WORTH_PROCESSES = 1024
#: More threads or statements give more races than anybody waits for.
LARGEST = 6
MOST_ACTORS = 4
#: Seconds between two savings of what has been done.
_SAVE_EVERY = 20.0

#: Some numbers of a family.
Slice = tuple[Family, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Which races.

    ``size``: statements in all, up to which; ``actors``: how many threads; ``memories``, ``verbs``: which.
    ``seconds``: the time for each design; ``races``: how many races of each are enough (infinite: all of
    them).  ``seed``: a random order, for a budget: each shape of programs on each memory gets its turn.
    ``model``: the memory model of the searches.
    """

    size: int
    actors: tuple[int, ...] = (2,)
    memories: tuple[str, ...] = tuple(MEMORIES)
    verbs: tuple[str, ...] = tuple(VERBS)
    seconds: float = float("inf")
    seed: int | None = None
    races: float = float("inf")
    model: Memory = "sc"

    def families(self) -> Iterator[Family]:
        """All of them, smallest first."""
        for size in range(2, self.size + 1):
            for shape in shapes(size, self.actors):
                for name in self.memories:
                    yield Family(name, shape, self.verbs)

    @property
    def order(self) -> dict[str, Any]:
        """All that decides which slices there are, and in which order, as JSON values."""
        return {
            "size": self.size, "actors": list(self.actors), "memories": list(self.memories),
            "verbs": list(self.verbs), "seed": self.seed, "model": self.model,
        }  # fmt: skip

    @property
    def numbers(self) -> int:
        """Numbers of groups in all, of which some are none."""
        return sum(map(len, self.families()))

    def slices(self) -> Iterator[Slice]:
        """All numbers of all families, smallest first; or in the order of the seed."""
        if self.seed is None:
            for family in self.families():
                yield from _slices(family, family.in_order(), _SLICE)
            return
        turns = [_slices(family, family.shuffled(self.seed), _TURN) for family in self.families()]
        random.Random(self.seed).shuffle(turns)
        while turns:
            for turn in list(turns):
                if (some := next(turn, None)) is None:
                    turns.remove(turn)
                else:
                    yield some

    def groups(self) -> Iterator[Group]:
        """The groups of all slices."""
        return itertools.chain.from_iterable(map(groups_of, self.slices()))


def _slices(family: Family, numbers: Iterator[int], size: int) -> Iterator[Slice]:
    while some := tuple(itertools.islice(numbers, size)):
        yield family, some


def groups_of(some: Slice) -> Iterator[Group]:
    """The groups that have these numbers."""
    family, numbers = some
    return filter(None, map(family.group, numbers))


def plan_of(
    size: int,
    actors: Sequence[int] = (2,),
    verbs: Sequence[str] = (),
    memories: Sequence[str] = (),
    seconds: float | None = None,
    seed: int | None = None,
    races: int | None = None,
    model: Memory = "sc",
) -> Plan:
    """A plan of these: no ``verbs`` or ``memories`` (names or globs) means all.  Raises InputError."""
    if not 2 <= size <= LARGEST:
        raise InputError(f"{size} statements", key="--size", expected=f"2 to {LARGEST}")
    if not actors or not all(2 <= count <= MOST_ACTORS for count in actors):
        text = ",".join(map(str, actors)) or "no"
        raise InputError(f"{text} actors", key="--actors", expected=f"2 to {MOST_ACTORS}")
    for verb in verbs:
        if verb not in VERBS:
            raise unknown("verb", verb, VERBS, key="--verbs")
    if seconds is not None and not seconds > 0:
        raise InputError(f"{seconds} seconds", key="--seconds", expected="more than 0")
    if races is not None and races < 1:
        raise InputError(f"{races} races", key="--races", expected="1 or more")
    chosen: dict[str, None] = {}
    for pattern in memories or list(MEMORIES):
        matches = fnmatch.filter(MEMORIES, pattern)
        if not matches:
            raise unknown("memory", pattern, MEMORIES, key="--start")
        chosen.update(dict.fromkeys(matches))
    known = tuple(verb for verb in VERBS if not verbs or verb in verbs)
    return Plan(
        size, tuple(actors), tuple(chosen), known, _all_unless(seconds), seed, _all_unless(races), model
    )


def _all_unless(most: float | None) -> float:
    return float("inf") if most is None else most


@dataclass(frozen=True, slots=True)
class Hunted:
    """What a hunt in one design did and found.

    ``complete``: every race was run, none hit a bound; of a ``sample``, as many as were asked for.
    ``unreached``: the design's primitives, as "function: primitive", that were in the races' programs and
    that none executed.  ``vacuous``: what the shipped races want to see at least once and no generated one
    did.  ``against``: the design it was run against, ``known``: findings that that one has, too.
    """

    variant: str
    races: int
    same: int
    states: int
    seconds: float
    complete: bool
    open: tuple[str, ...]
    size: int
    unreached: tuple[str, ...]
    vacuous: tuple[str, ...]
    findings: tuple[Finding, ...]
    known: int = 0
    sample: bool = False
    against: str = ""

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        return {
            "variant": self.variant,
            "races": self.races,
            "states": self.states,
            "seconds": round(self.seconds, 3),
            "complete": self.complete,
            "sample": self.sample,
            "size": self.size,
            "unreached": list(self.unreached),
            "vacuous": list(self.vacuous),
            "findings": [finding.as_dict() for finding in self.findings],
        }


class HuntWork:
    """Runs slices under a design; races that it cannot tell apart once."""

    def __init__(self, variants: Mapping[str, Variant], name: str, against: str, model: Memory) -> None:
        """``against``: leave out races that are the same under that one; "": there is none."""
        self._stack = Stack(variants[name])
        self._focus = Focus(self._stack, Reach(Stack(variants[against]))) if against else None
        self._model = model
        self._lock = Lock()
        self._hunter = self._new()
        self._last = -1

    def _new(self) -> Hunter:
        return Hunter(self._stack, focus=self._focus, model=self._model)

    def stop(self) -> None:
        """A slice is small enough to be waited for."""

    def run(self, task: tuple[int, Slice]) -> Chunk:
        """A slice of the plan, with its number; what was told of earlier ones is left out."""
        number, some = task
        with self._lock:
            # What was told of later ones has to be told again; of this one, if a cluster lost its result.
            if number <= self._last:
                self._hunter = self._new()
            self._last = number
            hunter = self._hunter
            before, steps, reached = hunter.generated, set(hunter.steps), set(hunter.reached)
            outcomes = tuple(hunter.run(groups_of(some)))
            return Chunk(
                len(some[1]), hunter.generated - before, outcomes,
                frozenset(hunter.steps - steps), frozenset(hunter.reached - reached),
            )  # fmt: skip


def run_hunt(
    variant: Variant,
    plan: Plan,
    against: Variant | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
    plugins: Sequence[str] = (),
    tally: Tally | None = None,
    save: Callable[[Tally], None] | None = None,
    store: Store | None = None,
    executor: Executor | None = None,
) -> Hunted:
    """Hunt in one design.

    ``against``: leave out what breaks that one, too, and races that are the same in both.  ``jobs``
    processes (default: one for each CPU), which load ``plugins`` for themselves, run slices of the plan, or
    an ``executor`` does; the result does not depend on them.  ``tally``: what was done before; ``save`` is
    given it now and then, and whenever the hunt ends.  Slices that the ``store`` has are taken from it, the
    others are kept there.  Raises StrategyError.
    """
    tally = tally or Tally()
    try:
        kept = KeptHunt(store, variant, against, plan.order)
        if executor is None:
            few = plan.numbers - tally.numbers < _WORTH_PROCESSES
            # A design that was handed over as an object is in this process only.
            few |= GIVEN in (variant.origin, against.origin if against is not None else "")
            processes = 1 if few else jobs or available_cpus()
            executor = Here() if processes == 1 else Processes(processes, plugins)
        _go_on(variant, plan, against, tally, progress, executor, kept, save)
    finally:
        if save is not None:
            save(tally)
    return _hunted(variant, plan, tally, against.name if against is not None else "")


def _go_on(
    variant: Variant, plan: Plan, against: Variant | None, tally: Tally, progress: Progress | None,
    executor: Executor, kept: KeptHunt, save: Callable[[Tally], None] | None,
) -> None:  # fmt: skip
    """Run what is left of the plan, until there is no more time."""
    fixed = Stack(against) if against is not None else None
    before, began = tally.seconds, time.monotonic()
    saved = began
    total = plan.numbers
    slices = itertools.islice(plan.slices(), tally.slices, None)
    if len(tally.keys) >= plan.races:
        return
    variants = {one.name: one for one in (variant, against) if one is not None}
    names = variant.name, against.name if against is not None else "", plan.model

    def done(missing: Iterator[tuple[int, Slice]]) -> Generator[tuple[int, Chunk], None, None]:
        work = HuntWork(variants, *names) if not executor.remote else None
        return executor.results(work, Recipe(HuntWork, tuple(variants), names), missing)

    with closing(_in_order(slices, tally.slices, kept, done)) as chunks:
        for chunk in chunks:
            for outcome in chunk.outcomes:
                tally.add(outcome, lambda race: fixed is not None and _breaks(race, fixed, plan.model))
            tally.slices += 1
            tally.numbers += chunk.numbers
            tally.generated += chunk.generated
            tally.steps |= chunk.steps
            tally.reached |= chunk.reached
            now = time.monotonic()
            tally.seconds = before + now - began
            if progress is not None:
                progress(len(tally.keys), tally.numbers, total, tally.seconds)
            if save is not None and now - saved > _SAVE_EVERY:
                save(tally)
                saved = time.monotonic()
            if now - began > plan.seconds or len(tally.keys) >= plan.races:
                break


def _hunted(variant: Variant, plan: Plan, tally: Tally, against: str) -> Hunted:
    """What there is to be told; the findings made smaller."""
    stack, taken = Stack(variant), set[str]()
    findings = tuple(
        finding_of(stack, race, cause, tally.count[cause], BOUNDS, taken, plan.model)
        for cause, race in tally.first.items()
    )
    whole = tally.numbers == plan.numbers
    done = whole or len(tally.keys) >= plan.races
    return Hunted(
        variant.name, len(tally.keys), tally.generated - len(tally.keys), tally.states, tally.seconds,
        done and not tally.open, tuple(tally.open), plan.size, tuple(sorted(tally.steps - tally.reached)),
        tuple(_vacuous(tally.reached)), findings, tally.known, done and not whole, against,
    )  # fmt: skip


def _vacuous(reached: set[str]) -> list[str]:
    """What shipped races want to see at least once, of which there is nothing among these steps."""
    races = catalogue.races()
    shipped = [races[name] for name in races.names() if races.is_shipped(name)]
    wanted = {one for race in shipped for one in race.sometimes}
    names = {text.partition(": ")[2] for text in reached}
    return sorted(
        one for one in wanted if not any(name.startswith(tuple(one.split(" or "))) for name in names)
    )


def _breaks(race: Race, stack: Stack, model: Memory) -> bool:
    world = build_race(race, stack, model)
    return cause_of(world, explore(world, BOUNDS)) is not None


#: Does slices, which have their numbers: place among those that it was given, and chunk, in any order.
_Done = Callable[[Iterator[tuple[int, Slice]]], Generator[tuple[int, Chunk], None, None]]


def _in_order(
    slices: Iterator[Slice], first: int, kept: KeptHunt, done: _Done
) -> Generator[Chunk, None, None]:
    """The chunks in the plan's order, the number of whose next slice is ``first``.

    Those that were kept are taken; the others are ``done`` somewhere, and kept when they are, in any order.
    """
    numbered = zip(itertools.count(first), slices, strict=False)
    upcoming = first
    begin: list[tuple[int, Slice]] = []
    for number, some in numbered:
        found = kept.get(number)
        if found is None:
            begin.append((number, some))
            break
        yield found
        upcoming += 1
    ready: dict[int, Chunk] = {}
    asked: list[int] = []

    def missing() -> Iterator[tuple[int, Slice]]:
        for number, some in itertools.chain(begin, numbered):
            found = kept.get(number)
            if found is None:
                asked.append(number)
                yield number, some
            else:
                ready[number] = found

    if not begin:
        return
    with closing(done(missing())) as results:
        for place, chunk in results:
            kept.put(asked[place], chunk)
            ready[asked[place]] = chunk
            while upcoming in ready:
                yield ready.pop(upcoming)
                upcoming += 1
    while upcoming in ready:
        yield ready.pop(upcoming)
        upcoming += 1
