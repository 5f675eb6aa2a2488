"""What each guard is for: take it out, explore every race again, see which one breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from spfvar.automata.automaton import Automaton
from spfvar.explore.explore import Exploration, Options, explore
from spfvar.explore.guards import Guard, find_guards
from spfvar.explore.world import KTHREAD, RaceWorld, build_world, extract_race
from spfvar.ops import codes as c
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race


@dataclass(slots=True)
class Finding:
    """One guard: races that break without it (with what the search found), that do not, and the rest."""

    guard: Guard
    breaks: list[tuple[str, RaceWorld, Exploration]] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)


def ablate(
    variant: Variant,
    races: Mapping[str, Race],
    keep: Callable[[Guard], bool],
    options: Options = Options(),  # noqa: B008
    progress: Callable[[str], None] | None = None,
) -> list[Finding]:
    """Take out every guard that ``keep`` accepts, in every race where it occurs; sorted by function."""
    found: dict[Guard, Finding] = {}
    stack = Stack(variant)
    for name, race in races.items():
        for guard, automata in guards_in(race, stack).items():
            if not keep(guard):
                continue
            if progress is not None:
                progress(f"{name}: {guard.function}: {guard.name}")
            finding = found.setdefault(guard, Finding(guard))
            world = build_world(race, automata)
            result = explore(world, options)
            if result.violations:
                finding.breaks.append((name, world, result))
            elif result.complete:
                finding.holds.append(name)
            else:
                finding.incomplete.append(name)
    for finding in found.values():
        finding.breaks.sort(key=lambda b: (len(b[2].ways_of(b[2].violations[0])), b[0]))
    return sorted(found.values(), key=lambda f: f.guard)


def guards_in(race: Race, stack: Stack) -> dict[Guard, dict[str, Automaton]]:
    """The guards that occur in a race, each with automata that lack it."""
    automata = extract_race(race, stack)
    undisturbed = {name: set(_alone(race, stack, name)) for name in automata}
    return find_guards(automata, undisturbed)


def _alone(race: Race, stack: Stack, name: str) -> Iterator[tuple[int, int]]:
    """(node, outcome) pairs of an actor's automaton that occur when nobody else is there."""
    if name == KTHREAD:
        return
    actor = next(actor for actor in race.actor if actor.name == name)
    alone = race.model_copy(update={"actor": [actor.model_copy(update={"count": 1})]})
    world = build_world(alone, extract_race(alone, stack))
    covered = explore(world, Options.plain(first=False)).covered
    first = world.program.entry[name]
    for node in range(len(world.automata[name])):
        for outcome in range(c.MAX_OUTCOMES):
            if covered[(first + node) * c.MAX_OUTCOMES + outcome]:
                yield node, outcome
