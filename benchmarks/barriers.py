"""Write docs/barriers.md: which barrier of which design some race needs, under the kernel's memory model.

    python -m benchmarks.barriers [VARIANT...] > docs/barriers.md        (make barriers)

Barriers, orders and address dependencies of a design's own texts are taken out of one race after another: all
together that no race before was found to need; only if it breaks, one by one, then several at a time.
``--keep DIR`` keeps what was found, by design and version of the model, for the next time.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spfvar.atomic import write_atomically
from spfvar.automata.automaton import Automaton
from spfvar.explore.explore import explore
from spfvar.explore.guards import Guard, Guards
from spfvar.explore.options import Options
from spfvar.explore.properties import property_of
from spfvar.explore.verdict import INCOMPLETE, SAFE, VIOLATION, Brief, beyond_model, real_violations
from spfvar.explore.world import build_world, extract_race
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import looked_at
from spfvar.matrix.either import candidates, sets_that_break, without_all
from spfvar.ops import codes as c
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race
from spfvar.transition.jit import cache_directory

NEEDED, EITHER, NEVER = "needed", "one of several", "never"
ANSWERS = (NEEDED, EITHER, NEVER)
#: Searches that need more states are left open.
MOST = 3_000_000

INTRODUCTION = """\
# Which barrier is needed, by design

Generated (`make barriers`): barriers, orders of accesses and address dependencies of each design, taken out
of all of the races under the kernel's memory model ([weak memory](weak-memory.md)).

* **needed**: a race breaks without it.
* **one of several**: none does, but one breaks without it and others that do the same.
* **never**: every race holds without it, and without all of those that are not needed alone.

*Never* is said of these races, not of the design: what an order protects that no race looks at, nobody misses
here; *but for* races whose search hit a bound. A design's own texts are looked at; those of the core are
mmap-lock's, and designs without any of their own have no line. What one of them is for, with a trace:
`spfvar ablate VARIANT --memory lkmm --barriers`.
"""


@dataclass(frozen=True, order=True, slots=True)
class Barrier:
    """One guard, by what designs that share it have in common."""

    function: str
    guard: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the races say of it in one design; ``why``: a race that breaks, and the property.

    ``others``: of several, those without which it breaks; ``open``: races of whom nothing is known.
    """

    answer: str
    why: str = ""
    others: tuple[Barrier, ...] = ()
    open: tuple[str, ...] = ()


Found = Mapping[Barrier, Answer]


def barrier_of(guard: Guard) -> Barrier:
    """The guard by its names."""
    return Barrier(guard.function, guard.name if guard.kind == "fence" else f"{guard.kind}: {guard.name}")


class Taken:
    """One design, of which barriers are taken out, race by race."""

    def __init__(self, variant: Variant, races: Mapping[str, Race], most: int = MOST) -> None:
        self._stack = Stack(variant)
        self._races = races
        self._wanted = looked_at(variant, races.values())
        self._options = Options(first=True, max_states=most)
        self._needed: dict[Guard, str] = {}
        self._sets: dict[frozenset[Guard], str] = {}
        self._open: dict[Guard, list[str]] = {}

    def look_at(self, name: str) -> None:
        """Take barriers out of one race."""
        race = self._races[name]
        automata = extract_race(race, self._stack, callers=True, memory="lkmm")
        found = candidates(Guards(automata, self._wanted, "lkmm").found)
        for guard in found:
            self._open.setdefault(guard, [])
        left = [guard for guard in found if guard not in self._needed]
        verdict = self._verdict(race, without_all(automata, left, self._wanted)) if left else Brief(SAFE)
        if verdict.verdict != VIOLATION:
            if verdict.verdict == INCOMPLETE:
                self._leave_open(left, name)
            return
        for guard in list(left):
            alone = self._verdict(race, without_all(automata, [guard], self._wanted))
            if alone.verdict == VIOLATION:
                self._needed[guard] = f"{alone.property} in {name}"
                left.remove(guard)
            elif alone.verdict == INCOMPLETE:
                self._leave_open([guard], name)

        cut_off: list[Brief] = []

        def judged(less: Mapping[str, Automaton]) -> Brief:
            found = self._verdict(race, less)
            cut_off.extend([found] if found.verdict == INCOMPLETE else [])
            return found

        for guards, broken in sets_that_break(automata, left, self._wanted, judged, self._sets):
            self._sets[guards] = f"{broken.property} in {name}"
        if cut_off:
            self._leave_open([guard for guard in left if name not in self._open[guard]], name)

    def _leave_open(self, guards: Sequence[Guard], race: str) -> None:
        for guard in guards:
            self._open[guard].append(race)

    def _verdict(self, race: Race, automata: Mapping[str, Automaton] | None) -> Brief:
        """Of a race with these automata; None: they are as they were with a guard less than there is."""
        if automata is None:
            return Brief(INCOMPLETE)
        world = build_world(race, dict(automata), memory="lkmm")
        found = explore(world, self._options)
        real = real_violations(world, found.violations)
        if real:
            op = world.program.ops[real[0].node] if real[0].node >= 0 else None
            return Brief(VIOLATION, property_of(real[0].code, op), c.VIOLATIONS[real[0].code])
        complete = found.complete and not found.violations and not beyond_model(world)
        return Brief(SAFE if complete else INCOMPLETE)

    def answers(self) -> dict[Barrier, Answer]:
        """By barrier; of several alike in a function, what is needed first."""
        found: dict[Barrier, Answer] = {}
        for guard in sorted(self._open, key=lambda guard: guard.order):
            barrier, answer = barrier_of(guard), self._answer(guard)
            before = found.get(barrier)
            if before is None or ANSWERS.index(answer.answer) < ANSWERS.index(before.answer):
                found[barrier] = answer
        return found

    def _answer(self, guard: Guard) -> Answer:
        if guard in self._needed:
            return Answer(NEEDED, self._needed[guard])
        for guards, why in self._sets.items():
            if guard in guards and not any(other in self._needed for other in guards):
                others = sorted(guards - {guard}, key=lambda other: other.order)
                return Answer(EITHER, why, tuple(map(barrier_of, others)))
        return Answer(NEVER, open=tuple(self._open[guard]))


def searched(name: str, keep: Path | None) -> dict[Barrier, Answer]:
    """What is found of one design, from ``keep`` if it is there."""
    kept = keep / f"{name}-{cache_directory().name}.json" if keep is not None else None
    if kept is not None and kept.exists():
        return {Barrier(**key): read(answer) for key, answer in json.loads(kept.read_text())}
    known = catalogue.races()
    taken = Taken(load_registry()[name], {race: known[race] for race in known.names()})
    for number, race in enumerate(known.names(), 1):
        if sys.stderr.isatty():
            print(
                f"\r\x1b[K{name}: {number}/{len(known.names())} {race}", end="", file=sys.stderr, flush=True
            )
        taken.look_at(race)
    found = taken.answers()
    if kept is not None:
        rows = [(asdict(barrier), asdict(answer)) for barrier, answer in found.items()]
        write_atomically(kept, json.dumps(rows, indent=2) + "\n")
    return found


def read(kept: Mapping[str, Any]) -> Answer:
    """An answer from its JSON."""
    others = tuple(Barrier(**other) for other in kept["others"])
    return Answer(kept["answer"], kept["why"], others, tuple(kept["open"]))


def page(by_design: Mapping[str, Found]) -> Iterator[str]:
    """The page, line by line."""
    yield INTRODUCTION
    yield f"| design | barriers | {' | '.join(ANSWERS)} |"
    yield f"|---|---:|{'---:|' * len(ANSWERS)}"
    for name, found in by_design.items():
        counts = [sum(one.answer == answer for one in found.values()) for answer in ANSWERS]
        yield f"| {name} | {len(found)} | {' | '.join(map(str, counts))} |"
    yield "\n## Barrier by barrier\n"
    yield "| barrier | | in which designs, and which race says so |"
    yield "|---|---|---|"
    for barrier in sorted({barrier for found in by_design.values() for barrier in found}):
        cells: dict[str, dict[str, list[str]]] = {answer: {} for answer in ANSWERS}
        for name, found in by_design.items():
            if barrier in found:
                answer = found[barrier]
                cells[answer.answer].setdefault(because(answer), []).append(name)
        for which, some in cells.items():
            texts = [": ".join(filter(None, (", ".join(names), why))) for why, names in some.items()]
            if texts:
                yield f"| `{barrier.function}`: `{barrier.guard}` | {which} | {'<br>'.join(texts)} |"


def because(answer: Answer) -> str:
    """Why a barrier is needed, or what is open."""
    if answer.open:
        return f"but for {', '.join(answer.open)}"
    others = " and ".join(f"`{one.guard}` in `{one.function}`" for one in answer.others)
    return answer.why + (f", with {others}" if others else "")


def main() -> None:
    """Print the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("variants", nargs="*", metavar="VARIANT")
    parser.add_argument("--keep", type=Path, metavar="DIR")
    options = parser.parse_args()
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
    names = options.variants or list(load_registry().variants)
    found = {name: searched(name, options.keep) for name in names}
    print("\n".join(page({name: one for name, one in found.items() if one})))


if __name__ == "__main__":
    main()
