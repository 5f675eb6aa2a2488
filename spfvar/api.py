"""The Python API: what the command line does, with pandas frames as results."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Mapping, Sequence

import pandas as pd

from spfvar.automata.weaken import MEMORIES, Memory
from spfvar.comparison.stats import KEY
from spfvar.errors import InputError
from spfvar.explore.options import MAX_STATES, Options
from spfvar.explore.replay import Replay, replay
from spfvar.explore.tokens import Token
from spfvar.explore.walk import WalkOptions
from spfvar.explore.walked import LONGEST
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.matrix.cases import make_cases
from spfvar.matrix.check import run_checks, runnable
from spfvar.matrix.compare import Comparison, evaluate, run_comparison, sound_plan
from spfvar.matrix.merged import merge, select
from spfvar.matrix.plan import DEFAULT_HARDWARE, make_plan, runs_of_a_cell
from spfvar.matrix.runfile import load_run
from spfvar.matrix.scopes import race_of
from spfvar.matrix.why import Why, run_why, why_plan
from spfvar.plugins.chosen import compared, usable
from spfvar.plugins.registry import Registry, load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race


def compare(
    *variants: str,
    scenarios: Sequence[str] = (),
    threads: Sequence[int] = (),
    hardware: str = DEFAULT_HARDWARE,
    baseline: str | None = None,
    axes: Mapping[str, object | Sequence[object]] | None = None,
    seeds: int | None = None,
    seed: int = 1,
    jobs: int | None = None,
    plugins: Sequence[str] = (),
    every: bool = False,
    draws: int | None = None,
) -> pd.DataFrame:
    """Compare variants over scenarios.

    None named: those that are compared by default, or ``every`` one there is, with its default matrix.
    ``axes`` maps an axis to a value or a list of values.  Returns a long frame, one row per variant,
    scenario, point and metric: a column per axis, value with its 95 % interval (ci_low, ci_high), n runs,
    and for all but the baseline ratio, its 95 % interval (ratio_low, ratio_high) and its 99.9 % interval
    (ratio999_low, ratio999_high), and verdict.  Runs are ``draws`` of the machine's figures (none given: 8),
    of which one would give what lies within an interval; or ``seeds`` with one set of figures, of whose mean
    it is.  ``attrs`` holds baseline, hardware and matrix_hash.  Raises InputError for what makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.compare("spf-do-fault", scenarios=["file-cow"], threads=[1, 16])  # doctest: +SKIP
    """
    registry = load_registry(plugins)
    loads, profiles = catalogue.scenarios(), catalogue.hardware()
    count, drawn = runs_of_a_cell(profiles, hardware, seeds, draws)
    plan, stacks = sound_plan(
        usable(registry, variants or compared(registry, every)),
        registry,
        lambda names: make_plan(
            registry, loads, profiles, variants=names, patterns=scenarios, threads=threads, hardware=hardware,
            baseline=baseline, settings=_settings(axes), seeds=count, seed=seed, every=every, draws=drawn,
        ),
    )  # fmt: skip
    _warn(registry)
    return as_frame(run_comparison(plan, registry, jobs, stacks=stacks))


def _warn(registry: Registry) -> None:
    """Say which plugins and variants are left out."""
    for problem in registry.problems:
        warnings.warn(str(problem), stacklevel=3)


def _settings(axes: Mapping[str, object | Sequence[object]] | None) -> dict[str, list[str]]:
    return {
        name: [str(v) for v in (value if isinstance(value, list | tuple) else [value])]
        for name, value in (axes or {}).items()
    }


def load(
    *files: str,
    variants: Sequence[str] = (),
    scenarios: Sequence[str] = (),
    threads: Sequence[int] = (),
    axes: Mapping[str, object | Sequence[object]] | None = None,
    baseline: str | None = None,
) -> pd.DataFrame:
    """Merge runs that ``compare --save`` wrote; the rest chooses among what was run, as for ``compare``.

    Returns the frame that ``compare`` returns.  Raises InputError for files that are none, that do not go
    together, or that do not have what is asked for.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.load("all.jsonl", "mine.jsonl", baseline="per-vma-6.12")  # doctest: +SKIP
    """
    if not files:
        raise InputError("no file given", expected="one or more files written by spfvar compare --save")
    run = select(
        merge([(file, load_run(file)) for file in dict.fromkeys(files)], baseline),
        variants, scenarios, threads, _settings(axes),
    )  # fmt: skip
    return as_frame(evaluate(run.plan, run.samples))


def check(
    *variants: str,
    races: Sequence[str] = (),
    twins: bool = False,
    memory: Memory = "sc",
    max_states: int = MAX_STATES,
    max_memory: int | None = None,
    seconds: float = math.inf,
    every: bool = False,
    walk: int = 0,
    seed: int = 1,
    counts: Mapping[str, int] | None = None,
    jobs: int | None = None,
    plugins: Sequence[str] = (),
) -> pd.DataFrame:
    """Explore every interleaving of races (none given: all) under variants (none: all).

    Returns a frame, one row per variant and race: verdict ("safe", "violation", "incomplete"), property,
    states, transitions, depth, seconds, why, vacuous, token, and trace (a `spfvar.explore.trace.Trace`, or
    None); with ``twins`` also twin and expected.  ``memory``: "sc", or "lkmm" for the kernel's memory model
    (docs/weak-memory.md).  ``every``: all violated properties, a row each.  ``max_states``, and if given
    ``max_memory`` (bytes) and ``seconds``, bound each search.  ``walk``: so many random walks of ``seed``
    instead, whose verdict is never "safe".  ``counts``: threads by actor.  Raises InputError for what makes
    no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.check("spf-do-fault", races=["munmap-file"])  # doctest: +SKIP
    >>> spfvar.check("per-vma-6.12", races=["mprotect"], memory="lkmm")  # doctest: +SKIP
    """
    if memory not in MEMORIES:
        raise InputError(f"{memory!r} is no memory model", key="memory", expected=", ".join(MEMORIES))
    registry = load_registry(plugins)
    names = list(variants) if twins else usable(registry, variants)
    cases, stacks = runnable(make_cases(registry, catalogue.races(), names, races, twins, counts), registry)
    _warn(registry)
    options: Options | WalkOptions = Options(
        max_states=max_states, max_bytes=max_memory, seconds=seconds, first=not every
    )
    if walk:
        options = WalkOptions(walk, LONGEST, seconds, seed, not every)
    rows = []
    for result in run_checks(cases, options, jobs, stacks=stacks, memory=memory):
        entry = result.as_dict()
        for hidden in ("trace", "what", "more"):
            entry.pop(hidden, None)
        findings = result.verdict.findings
        for finding in findings or (None,):
            one = {"property": finding.property, "token": finding.token} if finding is not None else {}
            rows.append(entry | one | {"trace": finding.trace if finding is not None else None})
    return pd.DataFrame(rows)


def why(
    variant: str,
    scenario: str,
    *,
    threads: int | None = None,
    against: str | None = None,
    hardware: str = DEFAULT_HARDWARE,
    seed: int = 1,
    axes: Mapping[str, object] | None = None,
    span: float | None = None,
    plugins: Sequence[str] = (),
) -> Why:
    """Record one cell: where the time of its faults goes, and with ``against`` what is different there.

    ``threads``: without it the load's most.  ``span``: so many ns of the measured time become a timeline.
    Returns the answer: ``breakdown`` with faults and writers' calls by step, line, lock, server and given-up
    try, ``differences``, and as frames ``steps``, ``lines`` and ``locks``.  Raises InputError for what makes
    no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.why("mmap-lock", "pft", threads=16).steps.nlargest(5, "ns")  # doctest: +SKIP
    """
    registry = load_registry(plugins)
    plan, stacks = why_plan(
        registry, catalogue.scenarios(), catalogue.hardware(), variant, scenario, threads=threads,
        against=against, hardware=hardware, seed=seed, settings=_settings(axes),
    )  # fmt: skip
    _warn(registry)
    return run_why(plan, stacks, span)


def replay_token(
    token: Token, registry: Registry, races: catalogue.Catalogue[Race], recorded: Sequence[str] = ()
) -> Replay:
    """Walk a token's path under today's variant and race, and its own memory model."""
    variant = registry.tried(token.variant)
    world = build_race(race_of(races, token.race), Stack(variant), token.memory)
    return replay(world, token, recorded)


def as_frame(comparison: Comparison) -> pd.DataFrame:
    """Cells and comparisons in one long frame, axes as columns."""
    ends = {"ci_low": "ratio_low", "ci_high": "ratio_high"}
    ends |= {"ci999_low": "ratio999_low", "ci999_high": "ratio999_high"}
    tests = comparison.comparisons.rename(columns=ends).drop(columns="warning")
    frame = comparison.cells.merge(tests, on=KEY, how="left")
    points = pd.DataFrame([json.loads(text) for text in frame["axes"]], index=frame.index)
    place, rest = frame[["variant", "scenario"]], frame.drop(columns=["variant", "scenario", "axes"])
    frame = pd.concat([place, points, rest], axis=1)
    frame.attrs.update(
        simulated=True,
        baseline=comparison.plan.baseline,
        hardware=comparison.plan.hardware,
        matrix_hash=comparison.plan.matrix_hash,
    )
    return frame
