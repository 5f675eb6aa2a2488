"""What designs need, and what breaks or handles them: guards taken out, generated races, kinds of faults."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import pandas as pd

from spfvar.api.arguments import (
    Inputs,
    Names,
    Numbers,
    Races,
    bounds,
    cluster,
    command,
    kept,
    numbers,
    spelled,
    texts,
    verb,
)
from spfvar.api.frames import Answer
from spfvar.api.progress import Told, counting, telling
from spfvar.automata.weaken import Memory, memory_named
from spfvar.errors import InputError
from spfvar.explore.options import MAX_STATES, bounded
from spfvar.faultpaths import tables
from spfvar.matrix.ablate import Ablated
from spfvar.matrix.ablate import ablate as take_out
from spfvar.matrix.guard_hunt import hunt_guards
from spfvar.matrix.huntfile import HuntFile
from spfvar.matrix.hunting import Hunted, plan_of, run_hunt
from spfvar.plugins.chosen import usable
from spfvar.plugins.variant import Variant
from spfvar.render import ablation, hunts
from spfvar.render.barriers import render_barriers
from spfvar.render.coverage import render_faults, render_writers


class AblationFrame(Answer):
    """A row per guard: function, kind, the races that break without it, those that hold; and each call.

    ``found`` is the same as data.
    """

    _metadata = ["_told", "_found"]  # noqa: RUF012  # pandas' own way

    def __init__(self, variant: str, found: Ablated, line: str, every: bool) -> None:
        rows = json.loads(ablation.render_json(variant, found))
        super().__init__(rows, lambda: ablation.render_text(variant, found, line, every=every))
        self._found = found

    @property
    def found(self) -> Ablated:
        """The guards as data."""
        return self._found


@verb
def ablate(
    variant: str | Variant,
    *,
    races: Races = (),
    core: bool = False,
    hunt: int = 0,
    memory: Memory = "sc",
    barriers: bool = False,
    max_states: int = MAX_STATES,
    max_memory: int | None = None,
    seconds: float = math.inf,
    jobs: int | None = None,
    plugins: Names = (),
    progress: bool = False,
) -> AblationFrame:
    """Take every guard of a variant out in turn, and see which race (none given: of all) breaks without it.

    Returns a frame, one row per guard, with the columns of ``spfvar ablate --format json``; its ``text()``
    lists those of the variant's own texts.  ``core``: also guards of the paths that all variants share.
    ``hunt``: go on with generated races of up to so many statements where no race needs a guard.  With
    ``memory="lkmm"`` barriers, orders and dependencies are guards too, with ``barriers`` no others.  Bounds
    are those of ``check``.  Raises InputError for what makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.ablate("spf-do-fault", races="munmap-*")  # doctest: +SKIP
    """
    model = memory_named(memory)
    if barriers and model == "sc":
        raise InputError("barriers guard nothing there", key="barriers", expected='memory="lkmm" with it')
    if hunt and model != "sc":
        raise InputError("generated races without a guard, under weak memory", key="hunt", expected="0")
    plan = plan_of(hunt) if hunt else None
    given = Inputs(plugins)
    name, patterns = given.variant(variant), given.races(races)
    chosen = {race: given.known.races[race] for race in given.known.races.select(patterns)}
    subject = given.registry.tried(name)
    options = bounded(max_states, max_memory, seconds)
    with telling(progress) as told:
        found = take_out(subject, chosen, core, options, jobs, told, model, barriers)
        if plan is not None:
            found = hunt_guards(subject, found, plan, core, told)
    line = command(
        "ablate", [name], race=patterns, core=core, hunt=bool(hunt), size=hunt or None,
        **bounds(max_states, max_memory, seconds),
        memory=model if model != "sc" else None, barriers=barriers, plugin=given.plugins,
    )  # fmt: skip
    return AblationFrame(name, found, spelled(line), core)


class HuntFrame(Answer):
    """A row per finding; ``designs`` has a row per variant, with what it was put to."""

    _metadata = ["_told", "_results"]  # noqa: RUF012  # pandas' own way

    def __init__(self, results: Sequence[Hunted], line: str) -> None:
        rows = [
            {"variant": one.variant, **finding.as_dict(), "race": finding.race, "trace": finding.broken.trace}
            for one in results
            for finding in one.findings
        ]
        columns = ["variant", "name", "property", "steps", "program", "token", "races", "race", "trace"]
        super().__init__(rows, lambda: hunts.render_text(results, line), columns)
        self._results = tuple(results)

    @property
    def designs(self) -> pd.DataFrame:
        """variant, races, states, seconds, complete, sample, size, unreached, vacuous; findings in number."""
        return pd.DataFrame([one.as_dict() | {"findings": len(one.findings)} for one in self._results])

    @property
    def results(self) -> Sequence[Hunted]:
        """The same as data."""
        return self._results


@verb
def hunt(
    *variants: str | Variant,
    size: int = 2,
    actors: Numbers = 2,
    verbs: Names = (),
    memories: Names = (),
    seconds: float | None = None,
    races: int | None = None,
    seed: int | None = None,
    against: str | Variant | None = None,
    resume: str | None = None,
    memory: Memory = "sc",
    jobs: int | None = None,
    plugins: Names = (),
    on: str | None = None,
    store: bool = True,
    progress: bool = False,
) -> HuntFrame:
    """Generate small races, smallest first, and explore each under variants (none: all).

    Races have up to ``size`` statements of ``verbs`` in ``actors`` threads, and start from ``memories``;
    ``seconds`` and ``races`` bound them, with ``seed`` they come in a random order.  ``against``: leave out
    what breaks that variant, too.  ``resume``: a file that keeps what has been done.  ``jobs``: processes
    (None: one per CPU), ``on``: the address of a Dask scheduler whose workers hunt instead.  ``store``: take
    slices that were searched before, and keep the others.  Returns a frame, one row per cause: variant, name,
    property, steps, program, token, races that broke so, and race and trace as objects; its ``designs`` say
    what was searched.  Raises InputError for what makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.hunt("spf-do-fault", verbs=["load", "munmap"])  # doctest: +SKIP
    """
    model = memory_named(memory)
    plan = plan_of(
        size, numbers(actors), texts(verbs), texts(memories), seconds, seed, races, model
    )  # fmt: skip
    if jobs is not None and jobs < 1:
        raise InputError(f"{jobs} jobs", key="jobs", expected="1 or more")
    given = Inputs(plugins)
    registry = given.registry
    asked = given.variants(variants)
    other = None if against is None else given.variant(against)
    names = usable(registry, asked)
    fixed = registry.tried(other) if other is not None else None
    given.warn()
    file = None
    if resume is not None:
        file = HuntFile(texts(resume)[0], plan, [registry.tried(name) for name in names], fixed)
        file.write()  # or nobody would know until the end that it cannot be
    results = []
    with cluster(on, given, jobs) as executor, kept(store) as slices, telling(progress) as told:
        for name in names:
            variant = registry.tried(name)
            results.append(
                run_hunt(
                    variant, plan, fixed, _races(told, f"hunting in {name}"), jobs, given.plugins,
                    file.tally(variant) if file is not None else None,
                    file.write if file is not None else None, slices, executor,
                )
            )  # fmt: skip
    line = command(
        "hunt", asked, size=size, actors=numbers(actors), verbs=",".join(texts(verbs)),
        start=texts(memories), seconds=seconds, races=races, seed=seed, against=other,
        memory=model if model != "sc" else None, plugin=given.plugins,
    )  # fmt: skip
    return HuntFrame(results, spelled(line))


def _races(told: Told | None, what: str):  # type: ignore[no-untyped-def]  # as `run_hunt` calls it
    return None if told is None else lambda _races, done, total, _seconds: told(what, done, total)


@verb
def coverage(
    *variants: str | Variant,
    writers: bool = False,
    memory: Memory = "sc",
    races: Races = (),
    plugins: Names = (),
    progress: bool = False,
) -> Answer:
    """Which kinds of faults designs (none: all) handle without mmap_lock, which fall back, and why.

    Returns a frame, one row per variant and kind: verdict ("handled", "falls back", "mmap_lock", "refused"),
    reasons, conditions.  ``writers``: what each writer does to faults instead: mmap_lock, near, far, also.
    With ``memory="lkmm"``: what ``races`` execute of barriers and orders.  Raises InputError for what makes
    no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.coverage("per-vma-6.12").query("verdict != 'handled'")  # doctest: +SKIP
    """
    model = memory_named(memory)
    if model != "sc" and writers:
        raise InputError("writers are looked at one by one", key="memory", expected='"sc" with writers')
    given = Inputs(plugins)
    asked, patterns = given.variants(variants), given.races(races)
    if patterns and model == "sc":
        raise InputError("no race is run", key="races", expected='memory="lkmm" with it')
    chosen = [given.registry.any_variant(name) for name in usable(given.registry, asked)]
    given.warn()
    known = given.known.races
    some = {name: known[name] for name in known.select(patterns)} if model != "sc" else {}
    line = spelled(
        command("coverage", asked, writers=writers, memory=model if model != "sc" else None, race=patterns,
                plugin=given.plugins)
    )  # fmt: skip
    total = len(chosen) * (len(some) or 1)
    with telling(progress) as told:
        done = _ticks(told, "races" if some else "variants", total)
        if model != "sc":
            barriers = tables.barriers_of(chosen, some, done)
            rows = [row for one in barriers for row in one.as_list()]
            return Answer(rows, lambda: render_barriers(barriers, "table", line))
        if writers:
            overlays = tables.writers_of(chosen, done)
            return Answer(
                [one.as_dict() for one in overlays],
                lambda: render_writers(overlays, "table", line, every=False),
            )
        faults = tables.faults_of(chosen, done)
        return Answer([one.as_dict() for one in faults], lambda: render_faults(faults, "table", line, False))


def _ticks(told: Told | None, what: str, total: int) -> tables.Done:
    """Counts calls."""
    report, finished = counting(told, what), 0

    def done() -> None:
        nonlocal finished
        finished += 1
        if report is not None:
            report(finished, total)

    return done
