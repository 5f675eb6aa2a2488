"""A series patch by patch: what each changes, in races or in loads."""

from __future__ import annotations

import json
import math

import pandas as pd

import spfvar
from spfvar.api.arguments import (
    Axes,
    Hardware,
    Inputs,
    Names,
    Numbers,
    Races,
    Scenarios,
    assignments,
    bounds,
    command,
    kept,
    numbers,
    settings,
    spelled,
    verb,
)
from spfvar.api.frames import Answer
from spfvar.api.progress import counting, telling
from spfvar.automata.weaken import Memory, memory_named
from spfvar.comparison.metrics import lookup
from spfvar.comparison.stats import KEY
from spfvar.errors import InputError
from spfvar.explore.options import MAX_STATES, bounded
from spfvar.matrix.bisect import LoadBisection, bisect_loads, bisect_races, prefixes_of
from spfvar.matrix.plan import DEFAULT_HARDWARE, Plan, make_plan, runs_of_a_cell
from spfvar.plugins.chosen import usable
from spfvar.plugins.series import with_bug
from spfvar.render.again import Files
from spfvar.render.bisection import render_loads, render_races
from spfvar.render.meta import Meta


@verb
def bisect(
    series: str,
    *,
    races: Races = (),
    bug: str = "",
    scenarios: Scenarios = (),
    metric: str = "faults_per_s",
    threads: Numbers = (),
    axes: Axes | None = None,
    hardware: Hardware = DEFAULT_HARDWARE,
    draws: int | None = None,
    seeds: int | None = None,
    seed: int = 1,
    max_states: int = MAX_STATES,
    max_memory: int | None = None,
    seconds: float = math.inf,
    memory: Memory | None = None,
    jobs: int | None = None,
    plugins: Names = (),
    store: bool = True,
    progress: bool = False,
) -> Answer:
    """Run every prefix of a series (or of a stack of its patches), in ``races`` or in ``scenarios``.

    A ``bug``, the name of a published one, is put into every prefix, and looked for in its own race if none
    is given.  ``memory``: the memory model of races, "sc", "lkmm" or None for the one that the bug takes.
    ``store``: take what was computed before, and keep the rest.

    Returns a frame.  In races, a row per prefix and race, with the keys of ``spfvar bisect --format json``:
    verdict, property, change ("BREAKS", "heals", ...), ...  In scenarios, a row per prefix and point of the
    metric: patch, title, same (is it the protocol of the prefix before?), value with its interval, and for
    those that are not the same the ratio to the prefix before, with its interval and verdict.  Runs are
    ``draws`` of the machine's figures, or ``seeds``, as `compare` has them.  Raises InputError for what makes
    no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.bisect("spf", scenarios="pft", threads=16)  # doctest: +SKIP
    """
    given = Inputs(plugins)
    patterns, loads = given.races(races), given.scenarios(scenarios)
    if bool(patterns or bug) == bool(loads):
        raise InputError("bisect by races or by scenarios", expected="races or scenarios, one of them")
    if loads and memory is not None:
        raise InputError("times do not depend on it", key="memory", expected="races instead of scenarios")
    judged_by = lookup(metric).name
    options = bounded(max_states, max_memory, seconds)
    usable(given.registry, [series])
    prefixes = prefixes_of(given.registry, series, bug)
    model = memory_named(memory or (given.registry.twins[bug].memory if bug else "sc"))
    given.warn()
    line = command(
        "bisect", [series], race=patterns, bug=bug, scenario=loads, memory=memory,
        **({} if loads else bounds(max_states, max_memory, seconds)), plugin=given.plugins,
    )  # fmt: skip
    with kept(store) as results, telling(progress) as told:
        if not loads:
            known = given.known.races
            own = [given.registry.twins[bug].race] if bug else []
            chosen = {name: known[name] for name in known.select(patterns or own)}
            report = counting(told, "exploring")
            steps = bisect_races(prefixes, chosen, options, jobs, report, model, results)
            files = Files(given.plugins, {name: str(path) for name, path in known.own().items()})
            rows = json.loads(render_races(series, steps, "json", spelled(line)))
            return Answer(
                rows,
                lambda: render_races(
                    with_bug(series, bug), steps, "table", spelled(line), files, False, model
                ),
            )
        machine = given.hardware(hardware)
        count, drawn = runs_of_a_cell(given.known.hardware, machine, seeds, draws)
        plan = make_plan(
            given.registry, given.known.scenarios, given.known.hardware,
            variants=[prefix.variant.name for prefix in prefixes], patterns=loads, threads=numbers(threads),
            hardware=machine, baseline=prefixes[0].variant.name, settings=settings(axes),
            seeds=count, seed=seed, draws=drawn,
        )  # fmt: skip
        found = bisect_loads(plan, prefixes, judged_by, jobs, counting(told, "simulating"), results)
    more = command("", (), metric=judged_by, threads=numbers(threads), set=assignments(settings(axes)),
                   hardware=plan.hardware, draws=draws, seeds=seeds, seed=seed)[1:]  # fmt: skip
    meta = _meta(plan, spelled([*line, *more]))
    return Answer(_load_rows(found), lambda: render_loads(found, "table", meta, every=False))


def _load_rows(found: LoadBisection) -> pd.DataFrame:
    titles = {prefix.number: prefix.title for prefix in found.prefixes}
    names = {name: f"ratio{name.removeprefix('ci')}" for name in ("ci_low", "ci_high")}
    key = ["number", *KEY[1:]]
    steps = found.steps.rename(columns=names)[[*key, "ratio", *names.values(), "p", "verdict"]]
    rows = found.cells.merge(steps, on=key, how="left")
    rows.insert(1, "title", [titles[number] for number in rows["number"]])
    return rows.rename(columns={"number": "patch"})


def _meta(plan: Plan, line: str) -> Meta:
    return Meta(
        version=spfvar.__version__, model_version=spfvar.MODEL_VERSION, hardware=plan.hardware,
        baseline=plan.baseline, matrix_hash=plan.matrix_hash, seeds=plan.seeds, seed=plan.seed,
        reproduce=line, scenario_hashes=plan.scenario_hashes, notes=plan.notes,
        draws=plan.ensemble is not None, fidelity=plan.profile.fidelity,
    )  # fmt: skip
