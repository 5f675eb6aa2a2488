"""What a hunt found, ready to be told: each cause once, by its smallest race."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from spfvar.automata.weaken import Memory
from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import Finding as Broken
from spfvar.explore.verdict import judge
from spfvar.explore.world import build_race
from spfvar.generator.programs import statement_text
from spfvar.generator.reduce import as_tables, reduced
from spfvar.generator.run import Cause, cause_of
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from spfvar.scenario.verbs import VERBS


@dataclass(frozen=True, slots=True)
class Finding:
    """A cause: the reduced race that shows it, and how.

    ``name`` goes for the race too; ``races`` counts those that broke in this way.
    """

    name: str
    race: Race
    cause: Cause
    broken: Broken
    states: int
    races: int

    @property
    def program(self) -> list[str]:
        """Its actors in words."""
        return program_of(self.race)

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON."""
        return {
            "name": self.name,
            "property": self.broken.property,
            "steps": self.broken.trace.length,
            "program": self.program,
            "token": self.broken.token,
            "races": self.races,
            "race": as_tables(self.race),
        }


def program_of(race: Race) -> list[str]:
    """What each thread does: "load map; munmap map"."""
    tables = as_tables(race)["actor"]
    texts = ["; ".join(statement_text(one) for one in actor["program"]) for actor in tables]
    return [text for text, actor in zip(texts, race.actor, strict=True) for _ in range(actor.count)]


def finding_of(
    stack: Stack, broke: Race, cause: Cause, races: int, options: Options, taken: set[str],
    model: Memory = "sc",
) -> Finding:  # fmt: skip
    """Reduce a race that broke, name it, and get its shortest trace.

    ``taken`` holds names that are in use, and gets the new one.  ``model`` is the memory model.
    """

    def breaks(race: Race) -> bool:
        world = build_race(race, stack, model)
        found = cause_of(world, explore(world, options))
        return found is not None and same_cause(found, cause)

    race = reduced(broke, breaks)
    name = name_of(race, taken)
    title = " against ".join(program_of(race))
    race = race.model_copy(
        update={
            "title": title,
            "source": f"spfvar hunt {stack.variant.name}{' --memory lkmm' * (model == 'lkmm')}",
            "properties": [cause.property],
        }
    )
    verdict = judge(build_race(race, stack, model), stack.variant.name, name, options)
    return Finding(name, race, cause, verdict.findings[0], verdict.states, races)


def same_cause(one: Cause, other: Cause) -> bool:
    """The same property and the same primitive to blame; at rest, the same thing that is wrong."""
    blamed = (one.property, one.function, one.op)
    return blamed == (other.property, other.function, other.op) and (bool(one.op) or one.text == other.text)


def name_of(race: Race, taken: set[str]) -> str:
    """ "load-merge": what its actors do; with a number if there is one of that name."""
    verbs = [_verbs(actor) for actor in race.actor]
    name = first = "-".join(word for words in verbs for word in words)
    number = 2
    while name in taken:
        name, number = f"{first}-{number}", number + 1
    taken.add(name)
    return name


def _verbs(actor: Any) -> Iterator[str]:
    for statement in actor.program:
        yield VERBS[statement.verb].name.replace("_", "-")
