"""What each guard of a variant is for: take it out, explore every race again, see which one breaks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from threading import Event

from spfvar.automata.automaton import Automaton
from spfvar.cpus import available_cpus
from spfvar.explore.explore import Options, explore
from spfvar.explore.guards import Guard, find_guards
from spfvar.explore.properties import property_of
from spfvar.explore.world import KTHREAD, build_world, extract_race
from spfvar.ops import codes as c
from spfvar.plugins.variant import CORE, Stack, Variant
from spfvar.scenario.race import Race

#: The files of the paths that every variant shares.
_CORE = {inspect.getfile(patch) for patch in CORE}


@dataclass(frozen=True, order=True, slots=True)
class Break:
    """A race that a guard was needed in: what breaks without it, and how soon."""

    steps: int
    race: str
    property: str
    what: str


@dataclass(slots=True)
class Ablation:
    """One guard: the races that break without it, shortest first, those that hold, those left open."""

    guard: Guard
    breaks: list[Break] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Case:
    guard: Guard
    name: str
    race: Race
    automata: Mapping[str, Automaton]


def ablate(
    variant: Variant,
    races: Mapping[str, Race],
    core: bool = False,
    options: Options = Options(),  # noqa: B008
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Ablation]:
    """Every guard of the variant's patches (``core``: and of the paths that they stand on), by function.

    A variant without patches is its core.  ``options.max_bytes`` is shared by searches side by side.
    Raises StrategyError.
    """
    stack = Stack(variant)
    every = core or not variant.patches
    cases = [
        _Case(guard, name, race, automata)
        for name, race in races.items()
        for guard, automata in guards_in(race, stack, every).items()
    ]
    found = {case.guard: Ablation(case.guard) for case in cases}
    workers = min(jobs or available_cpus(), max(1, len(cases)))
    bounded = replace(options, max_bytes=options.max_bytes // workers)
    stop = Event()
    with ThreadPoolExecutor(max_workers=workers) as pool:
        futures = {pool.submit(_without, case, bounded, stop): case for case in cases}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                _enter(found[futures[future].guard], futures[future].name, future.result())
                if progress is not None:
                    progress(done, len(cases))
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    for ablation in found.values():
        ablation.breaks.sort()
        ablation.holds.sort()
        ablation.incomplete.sort()
    return sorted(found.values(), key=lambda ablation: ablation.guard)


def in_core(where: str) -> bool:
    """Does "file:line" stand in the paths that every variant shares?"""
    return where.rpartition(":")[0] in _CORE


def guards_in(race: Race, stack: Stack, core: bool) -> dict[Guard, dict[str, Automaton]]:
    """The guards that occur in a race (``core``: also the core's), each with automata that lack it."""
    automata = extract_race(race, stack)
    alone = {name: set(_alone(race, stack, name)) for name in automata}
    return find_guards(automata, alone, lambda where: core or not in_core(where))


def _alone(race: Race, stack: Stack, name: str) -> Iterator[tuple[int, int]]:
    """(node, outcome) pairs of an actor's automaton that occur when nobody else is there."""
    if name == KTHREAD:
        return
    actor = next(actor for actor in race.actor if actor.name == name)
    alone = race.model_copy(update={"actor": [actor.model_copy(update={"count": 1})]})
    world = build_world(alone, extract_race(alone, stack))
    covered = explore(world, Options.plain(first=False, livelock=False)).covered
    first = world.program.entry[name]
    for node in range(len(world.automata[name])):
        for outcome in range(c.MAX_OUTCOMES):
            if covered[(first + node) * c.MAX_OUTCOMES + outcome]:
                yield node, outcome


def _without(case: _Case, options: Options, stop: Event) -> Break | bool:
    """What breaks in a race without a guard; True: nothing; False: the search hit a bound."""

    def watch(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    watch()
    world = build_world(case.race, dict(case.automata))
    found = explore(world, options, watch)
    if not found.violations:
        return found.complete
    if options.partial_order:  # for the shortest way
        again = explore(world, replace(options, partial_order=False), watch)
        found = again if again.violations else found
    violation = found.violations[0]
    op = world.program.ops[violation.node] if violation.node >= 0 else None
    steps = len(found.ways_of(violation))
    return Break(steps, case.name, property_of(violation.code, op), c.VIOLATIONS[violation.code])


def _enter(ablation: Ablation, race: str, result: Break | bool) -> None:
    if isinstance(result, Break):
        ablation.breaks.append(result)
    elif result:
        ablation.holds.append(race)
    else:
        ablation.incomplete.append(race)


def needed(ablations: Sequence[Ablation]) -> int:
    """How many of the guards some race needs."""
    return sum(bool(ablation.breaks) for ablation in ablations)
