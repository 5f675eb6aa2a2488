"""What a search executed of each automaton, in a race and with nobody else there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from spfvar.automata.automaton import Automaton
from spfvar.automata.weaken import unordered
from spfvar.explore.explore import Exploration, explore
from spfvar.explore.options import Options
from spfvar.explore.world import KTHREAD, RaceWorld, build_world
from spfvar.ops import codes as c
from spfvar.scenario.race import Race


def alone(
    race: Race, automata: Mapping[str, Automaton], name: str, watch: Callable[..., None] | None = None
) -> set[tuple[int, int]]:
    """(node, outcome) pairs of an actor's automaton that occur when nobody else is there.

    Whoever is alone sees his own stores: there is no difference between memory models.
    """
    actor = next(actor for actor in race.actor if actor.name == name)
    lonely = race.model_copy(update={"actor": [actor.model_copy(update={"count": 1})]})
    # The automaton is that of the whole race: what it branches on may depend on the other actors.
    world = build_world(lonely, {key: unordered(automata[key]) for key in (name, KTHREAD) if key in automata})
    return covered(world, explore(world, Options.plain(first=False, livelock=False), watch), name)


def covered(world: RaceWorld, found: Exploration, name: str) -> set[tuple[int, int]]:
    """(node, outcome) pairs of an automaton that a search executed."""
    first = world.program.entry[name]
    last = first + len(world.automata[name])
    executed = found.covered.reshape(-1, c.MAX_OUTCOMES)[first:last]
    pairs = {(int(node), int(outcome)) for node, outcome in zip(*executed.nonzero(), strict=True)}
    for number, node in enumerate(world.automata[name].nodes):
        if node.op.code == c.AT_MOST:  # one comparison of the text, in two primitives (automata.weaken)
            second = node.successors[1]
            if (number, 1) in pairs and (second, 1) not in pairs:
                pairs.remove((number, 1))
            if (second, 0) in pairs:
                pairs.add((number, 0))
    return pairs
