"""Guards taken out of the races here, at one call at a time and several together; equal searches run once."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from operator import attrgetter
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spfvar.atomic import write_atomically
from spfvar.automata.automaton import Automaton
from spfvar.explore.alone import alone
from spfvar.explore.explore import explore
from spfvar.explore.guards import CHECK, Guard, Guards
from spfvar.explore.options import Options
from spfvar.explore.world import RaceWorld, build_world, extract_race
from spfvar.generator.run import cause_of
from spfvar.matrix.ablate import core_texts, has_all, text_of
from spfvar.matrix.runs import MODEL, code_of
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race

#: What a search says: nothing breaks, or a bound was hit; anything else is the property that breaks.
HOLDS, OPEN = "", "open"
_OPTIONS = Options(first=True)
#: Packages whose text decides what a search finds in a program.
_TEXTS = (*(part for part in MODEL if part not in ("simulate", "layouts")), "explore")
_content = attrgetter(*(one.name for one in fields(Op) if one.compare))

#: By automaton: (node, outcome) pairs.
Outcomes = dict[str, set[tuple[int, int]]]
#: Told what is being done, how many of how many.
Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Searches:
    """What searches found, by a digest of all that they depend on; ``done`` counts those that were run.

    ``keep``: a file with what an earlier run of the same model found.
    """

    keep: Path | None = None
    done: int = 0
    _found: dict[str, str] = field(default_factory=dict)
    _covered: dict[str, str] = field(default_factory=dict)
    _digests: dict[Op, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.keep is not None and self.keep.exists():
            kept = json.loads(self.keep.read_text(encoding="utf-8"))
            if kept["model"] == code_of(_TEXTS):
                self._found, self._covered = kept["found"], kept["covered"]

    def save(self) -> None:
        """Write what is known, if it is kept."""
        if self.keep is not None:
            kept = {"model": code_of(_TEXTS), "found": self._found, "covered": self._covered}
            self.keep.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(str(self.keep), json.dumps(kept))

    def verdict(self, race: Race, automata: Mapping[str, Automaton]) -> str:
        """HOLDS, OPEN, or the property that breaks first in these automata, from where the race starts."""
        world = build_world(race, dict(automata))
        key = self._key(world)
        if key not in self._found:
            self._explore(world, key)
        return self._found[key]

    def reached(self, race: Race, automata: Mapping[str, Automaton]) -> tuple[str, Outcomes]:
        """The verdict, and the outcomes that the search executed."""
        world = build_world(race, dict(automata))
        key = self._key(world)
        if key not in self._covered:
            self._covered[key] = np.packbits(self._explore(world, key) != 0).tobytes().hex()
        bits = np.unpackbits(np.frombuffer(bytes.fromhex(self._covered[key]), dtype=np.uint8))
        rows = bits[: len(world.program.table) * c.MAX_OUTCOMES].reshape(-1, c.MAX_OUTCOMES)
        outcomes: Outcomes = {}
        for name, first in world.program.entry.items():
            here = rows[first : first + len(world.automata[name])]
            outcomes[name] = {(int(node), int(way)) for node, way in zip(*here.nonzero(), strict=True)}
        return self._found[key], outcomes

    def _explore(self, world: RaceWorld, key: str) -> npt.NDArray[np.uint8]:
        self.done += 1
        found = explore(world, _OPTIONS)
        cause = cause_of(world, found)
        held = HOLDS if found.complete and not found.violations else OPEN
        self._found[key] = cause.property if cause is not None else held
        return found.covered

    def _key(self, world: RaceWorld) -> str:
        digest = hashlib.sha256(repr((world.layout.sizes, world.groups)).encode())
        digest.update(world.start.tobytes())
        digest.update(world.program.table.tobytes())
        for op in world.program.ops:
            if op not in self._digests:
                self._digests[op] = hashlib.sha256(repr(_content(op)).encode()).digest()[:16]
            digest.update(self._digests[op])
        return digest.hexdigest()[:32]


@dataclass
class Subject:
    """A design in a race with every guard in place: its verdict, and the guards that the race comes by."""

    name: str
    race: Race
    automata: Mapping[str, Automaton]
    searches: Searches

    @cached_property
    def _whole(self) -> tuple[str, Outcomes]:
        return self.searches.reached(self.race, self.automata)

    @property
    def verdict(self) -> str:
        """With every guard in place."""
        return self._whole[0]

    @cached_property
    def guards(self) -> Guards:
        """Every guard, those of the core too, everywhere and at each call."""
        return Guards(self.automata)

    @cached_property
    def found(self) -> set[Guard]:
        """Those that it comes by."""
        return {guard for guard in self.guards.found if self.guards.outcomes(guard, self._whole[1])}

    @cached_property
    def _alone(self) -> Outcomes:
        return {actor.name: alone(self.race, self.automata, actor.name) for actor in self.race.actor}

    def without(self, guard: Guard) -> str | None:
        """The verdict without a guard; None if it is none in this race."""
        own = self.guards.outcomes(guard, self._alone) if guard.kind == CHECK else set()
        removal = self.guards.removal(guard, own, self.guards.outcomes(guard, self._whole[1]))
        if removal is None:
            return None
        return HOLDS if removal.automata is None else self.searches.verdict(self.race, removal.automata)

    def misses(self, guard: Guard, partners: Sequence[Guard]) -> bool:
        """Does it hold without the partners, and break without them and the guard?"""
        if self.without(guard) != HOLDS or self.without_all(partners) != HOLDS:
            return False
        return self.without_all([*partners, guard]) not in (HOLDS, OPEN, None)

    def without_all(self, out: Sequence[Guard]) -> str | None:
        """The verdict without several guards; None if one of them is none in this race."""
        automata: Mapping[str, Automaton] = self.automata
        for guard in out:
            guards = Guards(automata)
            if guard not in guards.found:
                continue  # inside another that is gone
            own = self.guards.outcomes(guard, self._alone) if guard.kind == CHECK else set()
            changed = guards.still_marked(guard, own)
            if changed is None:
                return None
            automata = changed
        return self.searches.verdict(self.race, Guards(automata).plain)


@dataclass(slots=True)
class Mutant:
    """A guard taken out at one call: the races that come by it, in order, up to the first that breaks."""

    guard: Guard
    holds: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    breaks: tuple[str, str] | None = None

    def run(self, subjects: Sequence[Subject]) -> None:
        """Take it out of each until one breaks."""
        for subject in subjects:
            verdict = subject.without(self.guard)
            if verdict is None:
                continue
            if verdict not in (HOLDS, OPEN):
                self.breaks = subject.name, verdict
                return
            (self.holds if verdict == HOLDS else self.open).append(subject.name)


class Names:
    """What guards are called in a design, each with a number where several are alike."""

    def __init__(self, guards: Collection[Guard]) -> None:
        self._alike: dict[tuple[str, str], set[str]] = {}
        self._calls: dict[tuple[str, str], set[str]] = {}
        for guard in guards:
            self._alike.setdefault((guard.function, _kind_and_name(guard)), set()).add(guard.where)
            if guard.caller is not None:
                caller = guard.caller
                self._calls.setdefault((guard.function, caller.function), set()).add(caller.where)

    def guard(self, guard: Guard) -> str:
        """ "lock: spin_lock(page_table->ptl), 1 of 2"."""
        name = _kind_and_name(guard)
        return _numbered(name, guard.where, self._alike[guard.function, name])

    def call(self, guard: Guard) -> str:
        """ "vma_merge, 2 of 2"; "" of a guard as a whole."""
        if guard.caller is None:
            return ""
        caller = guard.caller
        return _numbered(caller.function, caller.where, self._calls[guard.function, caller.function])

    def text(self, guard: Guard) -> str:
        """All of it in one line."""
        call = f", called by {self.call(guard)}" if guard.caller is not None else ""
        return f"{guard.function}: {self.guard(guard)}{call}"


def _kind_and_name(guard: Guard) -> str:
    return f"{guard.kind}: {guard.name}"


def _numbered(name: str, where: str, alike: Collection[str]) -> str:
    places = sorted(alike, key=lambda place: (place.rpartition(":")[0], int(place.rpartition(":")[2])))
    return name if len(places) == 1 else f"{name}, {places.index(where) + 1} of {len(places)}"


@dataclass
class Mutants:
    """A design without each of its guards, in every race.  Raises StrategyError."""

    variant: Variant
    races: Mapping[str, Race]
    searches: Searches
    progress: Progress = lambda *_: None

    @cached_property
    def subjects(self) -> list[Subject]:
        """The races that hold with every guard in place, the smallest programs first."""
        stack = Stack(self.variant)
        found = []
        for done, (name, race) in enumerate(self.races.items(), 1):
            subject = Subject(name, race, extract_race(race, stack, callers=True, memory="sc"), self.searches)
            if subject.verdict == HOLDS:
                found.append(subject)
            self.progress("races", done, len(self.races))
        return sorted(found, key=lambda subject: sum(map(len, subject.automata.values())))

    @cached_property
    def guards(self) -> set[Guard]:
        """All that some race comes by, the core's too."""
        return {guard for subject in self.subjects for guard in subject.found}

    @cached_property
    def names(self) -> Names:
        """Of all of them."""
        return Names(self.guards)

    def coming_by(self, guard: Guard) -> list[Subject]:
        """The races that do."""
        return [subject for subject in self.subjects if guard in subject.found]

    def run(self) -> list[Mutant]:
        """Every guard of the design's own texts at every call; of one without patches, of all.

        A guard whose function nobody calls is taken out as a whole.
        """
        own = self._own()
        called = {guard.everywhere for guard in own if guard.caller is not None}
        uses = [guard for guard in own if guard.caller is not None or guard not in called]
        mutants = []
        for done, guard in enumerate(sorted(uses, key=lambda guard: guard.order), 1):
            mutant = Mutant(guard)
            mutant.run(self.coming_by(guard))
            if mutant.holds or mutant.open or mutant.breaks:
                mutants.append(mutant)
            self.progress("guards", done, len(uses))
        return mutants

    def _own(self) -> set[Guard]:
        if has_all(self.variant, False):
            return self.guards
        shared = core_texts(self.races.values())
        own = {
            guard
            for subject in self.subjects
            for guard in Guards(subject.automata, lambda op: text_of(op) not in shared).found
        }
        return own & self.guards
