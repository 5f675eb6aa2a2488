"""What each guard of a variant is for: take it out, explore every race again, see which one breaks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import TypeVar

import spfvar.mm
import spfvar.scenario
from spfvar.automata.automaton import Automaton
from spfvar.automata.weaken import Memory
from spfvar.cpus import available_cpus
from spfvar.explore.alone import alone, covered
from spfvar.explore.barriers import BARRIERS, is_fence
from spfvar.explore.explore import explore
from spfvar.explore.guards import NEVER_FAILS, Guard, Guards, Removal, find_guards
from spfvar.explore.options import Options
from spfvar.explore.properties import property_of
from spfvar.explore.verdict import (
    INCOMPLETE,
    SAFE,
    VIOLATION,
    Brief,
    beyond_model,
    judge_briefly,
    real_violations,
)
from spfvar.explore.world import KTHREAD, build_world, extract_race
from spfvar.generator.guards import Needed
from spfvar.matrix.either import Either, candidates, sets_that_break, soonest, still_apart, without_all
from spfvar.ops.op import CallSite, Op
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.race import Race
from spfvar.threads import in_threads

T = TypeVar("T")
R = TypeVar("R")

#: The paths that every variant shares, without any patch.
_CORE = Variant("core", "no patches", "v5.12", "")
#: Where the texts of the core are, those of later kernels too: of hook points, and of the actors of races.
_CORE_TEXTS = {Path(package.__path__[0]) for package in (spfvar.mm, spfvar.scenario)}
#: A primitive's line and name: what one line yields depends on the patches, if it calls a hook point.
Text = tuple[str, str]
_AtCall = tuple[Text, CallSite | None]
#: Told what is being done, and how many of how many searches have ended.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, order=True, slots=True)
class Break:
    """A race that a guard was needed in: what breaks without it, and how soon.

    ``sc``: under weak memory, the verdict without it under sequential consistency; else "".
    """

    steps: int
    race: str
    property: str
    what: str
    sc: str = ""


@dataclass(frozen=True, slots=True)
class HuntedGuard:
    """What generated races say of a guard that no race here needs.

    ``races`` came by it and hold without it, in ``idle`` of them nothing changes then; ``needed`` is the
    first that breaks.
    """

    races: int
    idle: int
    needed: Needed | None


@dataclass(slots=True)
class Ablation:
    """One guard: the races that break without it, soonest first, those that hold, those left open.

    ``idle`` are those of the races that hold in which the guard is a check that never fails, ``alike`` those
    in which its threads do the same without it.  ``core``: it is in a text that comes with spfvar, such as a
    newer kernel's khugepaged, not in the variant's own.  ``left``: not searched without it, for enough
    others broke.  ``calls``: the same for each call of its function;
    of one that is needed, not all races.  ``either``: barriers that do what this one does, of which one is
    needed.
    """

    guard: Guard
    breaks: list[Break] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    idle: list[str] = field(default_factory=list)
    incomplete: list[str] = field(default_factory=list)
    core: bool = False
    alike: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    hunted: HuntedGuard | None = None
    calls: list[Ablation] = field(default_factory=list)
    either: list[Either] = field(default_factory=list)

    @property
    def needed(self) -> bool:
        """Does a race break without it?"""
        return bool(self.breaks) or (self.hunted is not None and self.hunted.needed is not None)

    @property
    def races(self) -> int:
        """In how many races it was taken out."""
        return len(self.breaks) + len(self.holds) + len(self.incomplete)

    @property
    def uses(self) -> Sequence[Ablation]:
        """Its uses: the calls of its function, or itself if that is called by threads alone."""
        return self.calls or [self]


@dataclass(frozen=True, slots=True)
class GuardHunt:
    """How many races of up to ``size`` statements were generated; ``open`` of them say nothing.

    ``complete``: all that there are, within the time that was given.
    """

    races: int
    size: int
    open: int
    complete: bool


@dataclass(frozen=True, slots=True)
class Ablated:
    """A variant without each of its guards.

    ``races`` is how many were explored; ``broken`` are those among them that break with every guard in place
    (and the property), which say nothing about guards.  ``hunt``: the generated races that followed.
    ``memory`` is the memory model.
    """

    guards: tuple[Ablation, ...]
    races: int
    broken: Mapping[str, str]
    hunt: GuardHunt | None = None
    memory: Memory = "sc"

    @property
    def needed(self) -> int:
        """How many of the guards some race needs."""
        return sum(ablation.needed for ablation in self.guards)

    @property
    def uses(self) -> list[Ablation]:
        """The guards call by call."""
        return [use for ablation in self.guards for use in ablation.uses]

    @property
    def open(self) -> bool:
        """Did any search hit a bound?"""
        cut_off = self.hunt is not None and not self.hunt.complete
        return cut_off or any(ablation.incomplete for ablation in (*self.guards, *self.uses))


@dataclass(frozen=True, slots=True)
class _Survey:
    """A race with every guard in place: its verdict, its states, and what can be taken out.

    ``sc``: under weak memory, what it says under sequential consistency; "" if it has no weak words.
    ``automata``: with the calls of functions apart.  ``unordered``: it is safe without any of its barriers,
    and so without each of them, for less order allows more.
    """

    name: str
    race: Race
    verdict: str
    property: str
    removals: Sequence[Removal]
    sc: str = ""
    automata: Mapping[str, Automaton] = field(default_factory=dict)
    unordered: bool = False
    states: int = 0


@dataclass(frozen=True, slots=True)
class _Case:
    """A race without some guard; ``guards`` are those of which the same is left."""

    name: str
    race: Race
    guards: list[Guard]
    automata: Mapping[str, Automaton]
    sc: str = ""
    states: int = 0


#: A verdict, and the one under sequential consistency.
_Judged = tuple[Brief, str]


def ablate(
    variant: Variant,
    races: Mapping[str, Race],
    core: bool = False,
    options: Options = Options(),  # noqa: B008
    jobs: int | None = None,
    progress: Progress | None = None,
    memory: Memory = "sc",
    barriers: bool = False,
    enough: int = 0,
) -> Ablated:
    """Every guard of the variant's patches (``core``: and of the paths that they stand on), by function.

    A variant without patches is its core.  The bounds of ``options`` are those of each search.
    ``memory``: the memory model; under "lkmm" what breaks is also searched under sequential consistency, and
    barriers that are not needed alone are taken out together.  ``barriers``: no other guards; a race that has
    none is not searched, one that holds without all of them is searched once.  ``enough``: each
    guard is taken out alone, whoever calls its function, of the smallest race first, until so many break;
    neither call by call, nor barriers together (0: of all races).  Raises StrategyError.
    """
    workers = jobs or available_cpus()
    bounded = replace(options, first=True)
    stop = Event()
    stack = Stack(variant)
    wanted = looked_at(variant, races.values(), core)

    def watch(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt

    def surveyed(item: tuple[str, Race]) -> _Survey:
        watch()
        automata = extract_race(item[1], stack, callers=True, memory=memory)
        if barriers:
            survey = _of_barriers(*item, automata, wanted, bounded, watch)
            if survey is not None:
                return survey
        survey = _survey(*item, automata, wanted, bounded, watch, memory, enough > 0)
        if barriers:
            kept = [removal for removal in survey.removals if removal.guard.kind in BARRIERS]
            return replace(survey, removals=kept)
        less = _without_barriers(survey, wanted) if survey.sc else None
        return replace(survey, unordered=less is not None and verdict_of(survey.race, less).verdict == SAFE)

    def verdict_of(race: Race, automata: Mapping[str, Automaton], memory: Memory = memory) -> Brief:
        watch()
        return judge_briefly(build_world(race, dict(automata), memory=memory), bounded, watch)

    def judged(case: _Case) -> _Judged:
        verdict = verdict_of(case.race, case.automata)
        if memory == "sc" or verdict.verdict != VIOLATION:
            return verdict, ""
        if case.guards[0].kind in BARRIERS:  # which under sequential consistency order nothing
            return verdict, case.sc
        return verdict, verdict_of(case.race, case.automata, "sc").verdict if case.sc else VIOLATION

    known: dict[int, _Judged] = {}  # by case, which may be of several guards

    def until_broken(cases: Sequence[_Case], times: int = 1) -> list[tuple[_Case, _Judged]]:
        done = []
        for case in cases:
            if id(case) not in known:
                known[id(case)] = judged(case)
            done.append((case, known[id(case)]))
            times -= known[id(case)][0].verdict == VIOLATION
            if not times:
                break
        return done

    every = partial(_all, workers, stop.set)
    surveys = every(surveyed, races.items(), "looking for guards", progress)
    found, cases = _sorted_out(surveys)
    everywhere = [case for case in cases if case.guards[0].caller is None]
    if enough:
        until = partial(until_broken, times=enough)
        _enter_some(found, everywhere, lambda of_each: every(until, of_each, "exploring", progress))
        return _ablated(found, variant, surveys, memory)
    for case, verdict in zip(everywhere, every(judged, everywhere, "exploring", progress), strict=True):
        for guard in case.guards:
            _enter(found[guard], case.name, verdict)
    for some in every(until_broken, _by_call(cases, found), "exploring call by call", progress):
        for case, verdict in some:
            _enter(found[case.guards[0]], case.name, verdict)
    if memory != "sc":
        unneeded = candidates([guard for guard, a in found.items() if a.holds and not a.breaks])
        broken_by: set[frozenset[Guard]] = set()
        for done, survey in enumerate(surveys, 1):
            if not survey.unordered:
                _try_together(survey, unneeded, found, wanted, verdict_of, broken_by)
            if progress is not None:
                progress("exploring without several barriers", done, len(surveys))
    return _ablated(found, variant, surveys, memory)


def _ablated(
    found: Mapping[Guard, Ablation], variant: Variant, surveys: Sequence[_Survey], memory: Memory
) -> Ablated:
    broken = {survey.name: survey.property for survey in surveys if survey.verdict == VIOLATION}
    return Ablated(by_guard(found, variant), len(surveys), broken, memory=memory)


def looked_at(variant: Variant, races: Iterable[Race], core: bool = False) -> Callable[[Op], bool]:
    """Which primitives may be guards: those of the variant's own texts (``core``: all)."""
    shared = set() if has_all(variant, core) else core_texts(races)
    return lambda op: text_of(op) not in shared


def _without_barriers(survey: _Survey, wanted: Callable[[Op], bool]) -> Mapping[str, Automaton] | None:
    """A safe race without any of its barriers; None if it has none."""
    among = candidates([removal.guard for removal in survey.removals if removal.automata is not None])
    return without_all(survey.automata, among, wanted) if among and survey.verdict == SAFE else None


def _try_together(
    survey: _Survey,
    unneeded: Sequence[Guard],
    found: Mapping[Guard, Ablation],
    wanted: Callable[[Op], bool],
    verdict_of: Callable[[Race, Mapping[str, Automaton]], Brief],
    known: set[frozenset[Guard]],
) -> None:
    """Take barriers that are not needed alone out of a race together; ``known`` gets those that break it."""
    here = {removal.guard for removal in survey.removals if removal.automata is not None}
    among = [guard for guard in unneeded if guard in here]
    if survey.verdict != SAFE:
        return

    def judged(automata: Mapping[str, Automaton]) -> Brief:
        return verdict_of(survey.race, automata)

    for guards, verdict in sets_that_break(survey.automata, among, wanted, judged, known):
        known.add(guards)
        for guard in guards:
            others = tuple(sorted(guards - {guard}, key=lambda other: other.order))
            found[guard].either.append(
                Either(others, verdict.steps, survey.name, verdict.property, verdict.text, survey.sc)
            )


def by_guard(found: Mapping[Guard, Ablation], variant: Variant) -> tuple[Ablation, ...]:
    """Each guard of the variant with its calls, in the order of the text."""
    own = _own_files(variant)
    whole = {guard: ablation for guard, ablation in found.items() if guard.caller is None}
    for guard in sorted(found, key=lambda guard: guard.order):
        ablation = found[guard]
        file = guard.where.rpartition(":")[0]
        ablation.core = file not in own and Path(file).parent in _CORE_TEXTS
        ablation.breaks.sort()
        ablation.either.sort(key=soonest)
        for names in (ablation.holds, ablation.idle, ablation.alike, ablation.incomplete):
            names.sort()
        if guard.caller is not None:
            # One that is none as a whole: what it does alone depends on who calls.
            of = whole.setdefault(guard.everywhere, Ablation(guard.everywhere, core=ablation.core))
            of.calls.append(ablation)
    return tuple(sorted(whole.values(), key=lambda ablation: ablation.guard.order))


def _all(
    jobs: int,
    stop: Callable[[], None],
    work: Callable[[T], R],
    items: Iterable[T],
    what: str,
    progress: Progress | None,
) -> list[R]:
    """The results in the order of the items."""
    items = list(items)
    found: dict[int, R] = {}
    for number, result in in_threads(work, items, jobs, stop):
        found[number] = result
        if progress is not None:
            progress(what, len(found), len(items))
    return [found[number] for number in range(len(items))]


def _of_barriers(
    name: str, race: Race, automata: Mapping[str, Automaton], wanted: Callable[[Op], bool], options: Options,
    watch: Callable[..., None],
) -> _Survey | None:  # fmt: skip
    """A race in which only barriers are looked for, if one search decides it: it has none, or needs none."""
    among = candidates(Guards(automata, wanted, "lkmm").found)
    if not among:
        return _Survey(name, race, SAFE, "", ())
    less = still_apart(automata, among, wanted)
    if less is None:
        return None
    world = build_world(race, dict(less), memory="lkmm")
    found = explore(world, options, watch)
    if not found.complete or found.violations or beyond_model(world):
        return None
    reached = {}
    for actor, automaton in automata.items():
        if actor != KTHREAD:
            nodes = world.automata[actor].nodes
            executed = {(_at_call(nodes[n].op), way) for n, way in covered(world, found, actor)}
            reached[actor] = _reached(automaton, executed)
    removals = find_guards(automata, {}, reached, wanted, "lkmm")
    kept = [removal for removal in removals if removal.guard.kind in BARRIERS]
    return _Survey(name, race, SAFE, "", kept, unordered=True)


def _at_call(op: Op) -> _AtCall:
    """What a primitive has in common with itself where an order was taken out."""
    return text_of(op), op.caller


def _reached(automaton: Automaton, executed: Collection[tuple[_AtCall, int]]) -> set[tuple[int, int]]:
    """The nodes of an automaton that a search without its fences went by: fences are passed through."""
    found: set[tuple[int, int]] = set()
    ahead = [0]
    seen = {0}
    while ahead:
        number = ahead.pop()
        node = automaton.nodes[number]
        for outcome, there in enumerate(node.successors):
            if is_fence(node.op) or (_at_call(node.op), outcome) in executed:
                found.add((number, outcome))
                if there not in seen:
                    seen.add(there)
                    ahead.append(there)
    return found


def _survey(
    name: str, race: Race, automata: Mapping[str, Automaton], wanted: Callable[[Op], bool], options: Options,
    watch: Callable[..., None], memory: Memory, whole: bool,
) -> _Survey:  # fmt: skip
    """Explore a race as it is, and each of its actors alone; only guards among ``wanted`` primitives count.

    ``whole``: single calls of those that are guards whoever calls them are left alone.
    """
    world = build_world(race, dict(automata), memory=memory)
    found = explore(world, options, watch)
    real = real_violations(world, found.violations)
    if real:
        op = world.program.ops[real[0].node] if real[0].node >= 0 else None
        return _Survey(name, race, VIOLATION, property_of(real[0].code, op), ())
    removals = find_guards(
        automata,
        {actor.name: alone(race, automata, actor.name, watch) for actor in race.actor},
        {actor: covered(world, found, actor) for actor in automata if actor != KTHREAD},
        wanted,
        memory,
        whole,
    )
    complete = found.complete and not found.violations and not beyond_model(world)
    if world.weak is None:
        return _Survey(name, race, SAFE if complete else INCOMPLETE, "", removals, states=found.states)
    strong = explore(build_world(race, dict(automata)), options, watch)
    sc = VIOLATION if strong.violations else SAFE if strong.complete else INCOMPLETE
    verdict = SAFE if complete else INCOMPLETE
    return _Survey(name, race, verdict, "", removals, sc, automata, states=found.states)


def has_all(variant: Variant, core: bool) -> bool:
    """Are the guards of the core looked at, too?  A variant without patches is its core."""
    return core or not variant.patches


def core_texts(races: Iterable[Race]) -> set[Text]:
    """What the paths that every variant shares do in these races, at their own lines and callers'."""
    stack = Stack(_CORE)
    shown = [
        op for race in races for automaton in extract_race(race, stack).values() for op in automaton.ops()
    ]
    return {text_of(op) for op in (*shown, *stack.texts())}


def _own_files(variant: Variant) -> set[str | None]:
    """The files of the variant's patches and of their bases; patches that come with spfvar are not."""
    mine = [patch for patch in variant.patches if not patch.__module__.startswith("spfvar.mm.")]
    return {inspect.getsourcefile(base) for patch in mine for base in patch.__mro__ if base is not object}


def text_of(op: Op) -> Text:
    """By what a primitive of the core is known."""
    return op.where, op.name


def _sorted_out(surveys: Sequence[_Survey]) -> tuple[dict[Guard, Ablation], list[_Case]]:
    """The guards of all races, and the searches that are still to be done."""
    found: dict[Guard, Ablation] = {}
    cases: list[_Case] = []
    for survey in surveys:
        same: dict[int, _Case] = {}
        for removal in survey.removals:
            ablation = found.setdefault(removal.guard, Ablation(removal.guard))
            if survey.verdict == INCOMPLETE:
                ablation.incomplete.append(survey.name)
            elif removal.automata is None:
                ablation.holds.append(survey.name)
                (ablation.idle if removal.why == NEVER_FAILS else ablation.alike).append(survey.name)
            elif survey.unordered and removal.guard.kind in BARRIERS:
                ablation.holds.append(survey.name)
            elif id(removal.automata) in same:  # such as a guard, and the one call of it in this race
                same[id(removal.automata)].guards.append(removal.guard)
            else:
                case = _Case(
                    survey.name, survey.race, [removal.guard], removal.automata, survey.sc, survey.states
                )
                same[id(removal.automata)] = case
                cases.append(case)
    return found, cases


def _enter_some(
    found: Mapping[Guard, Ablation],
    cases: Sequence[_Case],
    searched: Callable[[Iterable[list[_Case]]], list[list[tuple[_Case, _Judged]]]],
) -> None:
    """Of each guard as many cases as are ``searched``, the race with the fewest states first."""
    of_each: dict[Guard, list[_Case]] = {}
    for case in sorted(cases, key=lambda case: (case.states, case.name)):
        for guard in case.guards:
            of_each.setdefault(guard, []).append(case)
    for guard, some in zip(of_each, searched(of_each.values()), strict=True):
        for case, verdict in some:
            _enter(found[guard], case.name, verdict)
        found[guard].left = [case.name for case in of_each[guard][len(some) :]]


def _by_call(cases: Sequence[_Case], found: Mapping[Guard, Ablation]) -> list[list[_Case]]:
    """What is to be searched for each call that is not known to be needed.

    First the races that break soonest without the guard as a whole; one that breaks is enough.
    """
    by_call: dict[Guard, list[_Case]] = {}
    for case in cases:
        guard = case.guards[0]
        if guard.caller is not None and not found[guard].breaks:
            by_call.setdefault(guard, []).append(case)

    def soonest(case: _Case) -> tuple[float, str]:
        whole = found.get(case.guards[0].everywhere)
        breaks = whole.breaks if whole is not None else []
        return min((b.steps for b in breaks if b.race == case.name), default=float("inf")), case.name

    return [sorted(some, key=soonest) for some in by_call.values()]


def _enter(ablation: Ablation, race: str, judged: _Judged) -> None:
    verdict, sc = judged
    if verdict.verdict == VIOLATION:
        ablation.breaks.append(Break(verdict.steps, race, verdict.property, verdict.text, sc))
    elif verdict.verdict == SAFE:
        ablation.holds.append(race)
    else:
        ablation.incomplete.append(race)
