"""Guards taken out of generated races that hold with them: which race breaks, and where nothing happens."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from spfvar.automata.automaton import Automaton
from spfvar.automata.layout import Sizes
from spfvar.explore.alone import alone, covered
from spfvar.explore.explore import Exploration, Search, explore, run
from spfvar.explore.guards import CHECK, Guard, Guards, Removal
from spfvar.explore.options import Options
from spfvar.explore.verdict import judge
from spfvar.explore.world import KTHREAD, RaceWorld, build_world, extract_race, sizes_of, start_state
from spfvar.generator.findings import program_of
from spfvar.generator.programs import Group
from spfvar.generator.reduce import as_tables, reduced
from spfvar.generator.run import BOUNDS, Cause, cause_of
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race

#: Of a race: which primitives may be guards that are looked at?
Wanted = Callable[[Race], Callable[[Op], bool]]


@dataclass(slots=True)
class _Searches:
    """Searches of one program from one start after the other."""

    world: RaceWorld
    options: Options
    search: Search | None = None

    def from_start(self, race: Race) -> Exploration:
        """Explore the program from where the race starts."""
        start = start_state(race, self.world.layout, self.world.program)
        if self.search is None:
            self.search = Search(replace(self.world, race=race, start=start), self.options)
        else:
            self.search.restart(start)
        return run(self.search)


@dataclass(slots=True)
class GuardHunter:
    """Takes guards out of generated races, until one breaks; those in ``needed`` have been decided before.

    ``tried`` counts, for each guard, the races that came by it and hold without it; ``idle`` those of them in
    which nothing changes without it: a check that never fails, threads that do the same.  ``broken`` has the
    first race that breaks without it, and why.  ``open``: races whose search hit a bound, or that break with
    every guard in place.  ``wanted`` says of a race which primitives are looked at, ``sought`` which guards
    (None: all of them).
    """

    stack: Stack
    wanted: Wanted
    needed: set[Guard]
    options: Options = BOUNDS
    sought: Collection[Guard] | None = None
    races: int = 0
    open: int = 0
    tried: Counter[Guard] = field(default_factory=Counter)
    idle: Counter[Guard] = field(default_factory=Counter)
    broken: dict[Guard, tuple[Race, Cause]] = field(default_factory=dict)
    _keys: set[bytes] = field(default_factory=set)

    def run(self, groups: Iterable[Group]) -> None:
        """Every race of the groups that is new.  Raises StrategyError."""
        for group in groups:
            self._run(list(group.races()))

    def _run(self, races: list[Race]) -> None:
        automata = extract_race(races[0], self.stack, callers=True, memory="sc")
        guards = Guards(automata, self.wanted(races[0]))
        if not self._looked_for(guards):
            self.races += len(races)
            return
        sizes = _largest(sizes_of(race, automata) for race in races)
        whole = _Searches(build_world(races[0], automata, sizes), self.options)
        digest = hashlib.sha256(repr((whole.world.program.ops, guards.found)).encode())
        without: dict[int, _Searches] = {}
        for race in races:
            self.races += 1
            key = digest.copy()
            key.update(start_state(race, whole.world.layout, whole.world.program).tobytes())
            if key.digest() in self._keys:
                continue
            self._keys.add(key.digest())
            found = whole.from_start(race)
            if found.violations or not found.complete:
                self.open += 1
                continue
            self._take_out(race, automata, guards, _reached(whole.world, found), sizes, without)

    def _looked_for(self, guards: Guards) -> set[Guard]:
        found = set(guards.found) - self.needed
        return found if self.sought is None else found.intersection(self.sought)

    def _take_out(
        self,
        race: Race,
        automata: Mapping[str, Automaton],
        guards: Guards,
        reached: Mapping[str, Collection[tuple[int, int]]],
        sizes: Sizes,
        without: dict[int, _Searches],
    ) -> None:
        """Each guard of a race that holds, which ``reached`` these outcomes."""
        causes: dict[int, Cause | None] = {}
        others = set(guards.found) - self._looked_for(guards)
        for removal in _removals(race, automata, guards, reached, others):
            if removal.automata is None:
                self.tried[removal.guard] += 1
                self.idle[removal.guard] += 1
                continue
            number = id(removal.automata)
            if number not in causes:
                if number not in without:
                    world = build_world(race, dict(removal.automata), sizes)
                    without[number] = _Searches(world, self.options)
                found = without[number].from_start(race)
                causes[number] = cause_of(without[number].world, found)
                if causes[number] is None and not found.complete:
                    self.open += 1
            cause = causes[number]
            if cause is None:
                self.tried[removal.guard] += 1
            else:
                self.broken[removal.guard] = (race, cause)
                self.needed.add(removal.guard)


def _largest(every: Iterable[Sizes]) -> Sizes:
    """Large enough for races that differ in where they start: spare objects add no states."""
    sizes = list(every)
    return replace(
        sizes[0], anon_pages=max(s.anon_pages for s in sizes), policies=max(s.policies for s in sizes)
    )


def _reached(world: RaceWorld, found: Exploration) -> dict[str, Collection[tuple[int, int]]]:
    return {name: covered(world, found, name) for name in world.automata if name != KTHREAD}


def _removals(
    race: Race,
    automata: Mapping[str, Automaton],
    guards: Guards,
    reached: Mapping[str, Collection[tuple[int, int]]],
    but: Collection[Guard] = (),
) -> Iterable[Removal]:
    """What can be taken out of a race, ``but`` some; who runs alone is looked at only if it matters."""
    lonely: dict[str, Collection[tuple[int, int]]] = {}
    for guard in guards.found:
        here = guards.outcomes(guard, reached) if guard not in but else set()
        if not here:
            continue
        own: set[int] = set()
        if guard.kind == CHECK:
            if not lonely:
                lonely = {actor.name: alone(race, automata, actor.name) for actor in race.actor}
            own = guards.outcomes(guard, lonely)
        removal = guards.removal(guard, own, here)
        if removal is not None:
            yield removal


def without_guard(
    race: Race, stack: Stack, guard: Guard, wanted: Wanted, options: Options
) -> RaceWorld | None:
    """A race without the guard; None if it does not come by it, breaks anyway, or is the same without."""
    automata = extract_race(race, stack, callers=True, memory="sc")
    world = build_world(race, automata)
    found = explore(world, options)
    if found.violations or not found.complete:
        return None
    guards = Guards(automata, wanted(race))
    others = set(guards.found) - {guard}
    for removal in _removals(race, automata, guards, _reached(world, found), others):
        if removal.automata is not None:
            return build_world(race, dict(removal.automata))
    return None


@dataclass(frozen=True, slots=True)
class Needed:
    """A generated race that a guard is needed in, made smaller, and what breaks without it, how soon."""

    race: Race
    property: str
    what: str
    steps: int

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON."""
        return {
            "property": self.property,
            "what": self.what,
            "steps": self.steps,
            "program": program_of(self.race),
            "race": as_tables(self.race),
        }


def needed_in(
    race: Race, cause: Cause, stack: Stack, guard: Guard, wanted: Wanted, options: Options
) -> Needed:
    """Reduce a race that breaks in this way without the guard, and get the shortest trace."""

    def breaks(smaller: Race) -> bool:
        world = without_guard(smaller, stack, guard, wanted, options)
        found = cause_of(world, explore(world, options)) if world is not None else None
        return found is not None and (found.property, found.text) == (cause.property, cause.text)

    race = reduced(race, breaks)
    world = without_guard(race, stack, guard, wanted, options)
    assert world is not None
    finding = judge(world, stack.variant.name, "generated", options).findings[0]
    told = {
        "title": " against ".join(program_of(race)),
        "source": f"spfvar ablate {stack.variant.name} --hunt",
    }
    race = race.model_copy(update={**told, "properties": [finding.property]})
    return Needed(race, finding.property, finding.text, finding.trace.length)
