"""Comparisons as frames: of runs that are made now, and of saved ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from spfvar.api.arguments import (
    Axes,
    Hardware,
    Inputs,
    Name,
    Names,
    Numbers,
    Scenarios,
    Variants,
    assignments,
    cluster,
    command,
    kept,
    names_of,
    numbers,
    settings,
    texts,
    verb,
)
from spfvar.api.frames import Answer
from spfvar.api.progress import counting, telling
from spfvar.comparison.stats import KEY, PLACE
from spfvar.errors import InputError
from spfvar.matrix.compare import Comparison, evaluate, run_comparison, sound_plan
from spfvar.matrix.merged import merge, noted, select
from spfvar.matrix.plan import DEFAULT_HARDWARE
from spfvar.matrix.runfile import load_run
from spfvar.matrix.runs import Run, run_of
from spfvar.matrix.safety import in_words, known_safety
from spfvar.matrix.samples import Failure
from spfvar.matrix.wanted import Wanted, planned
from spfvar.plugins.variant import Variant
from spfvar.render.compared import in_short, meta_of
from spfvar.render.text import Short, render_table

_ENDS = {
    "ci_low": "ratio_low", "ci_high": "ratio_high",
    "ci999_low": "ratio999_low", "ci999_high": "ratio999_high",
}  # fmt: skip


class ComparisonFrame(Answer):
    """A row per variant, scenario, point and metric; and what else the runs gave, as frames of their own.

    Columns: variant, scenario, one per axis, metric, value with its 95 % interval (ci_low, ci_high), n runs,
    warning; for all but the baseline ratio, its 95 % and its 99.9 % interval (ratio_low, ratio_high,
    ratio999_low, ratio999_high), p (two-sided, that there is no difference), verdict and depends.
    """

    _metadata = ["_told", "_comparison", "_run", "safety"]  # noqa: RUF012  # pandas' own way

    def __init__(self, comparison: Comparison, run: Run, safety: Mapping[str, str]) -> None:
        super().__init__(_rows(comparison), lambda: _text(comparison, run, safety))
        plan = comparison.plan
        self._comparison, self._run = comparison, run
        #: What is known of each variant's safety, in words.
        self.safety = dict(safety)
        self.attrs.update(
            simulated=True, baseline=plan.baseline, hardware=plan.hardware, matrix_hash=plan.matrix_hash
        )

    @property
    def samples(self) -> pd.DataFrame:
        """The single runs: variant, scenario, a column per axis, seed, metric, value."""
        return _with_axes(self._comparison.samples.values)

    @property
    def events(self) -> pd.DataFrame:
        """What variants counted: variant, scenario, a column per axis, event, per_1000 (faults), n runs."""
        return _with_axes(self._comparison.events)

    @property
    def failures(self) -> list[Failure]:
        """Cells that could not be run, and why."""
        return self._comparison.failures

    @property
    def run(self) -> Run:
        """All that it came from: what `spfvar.save` writes."""
        return self._run


@verb
def compare(
    *variants: str | Variant,
    scenarios: Scenarios = (),
    threads: Numbers = (),
    hardware: Hardware = DEFAULT_HARDWARE,
    baseline: str | Variant | None = None,
    axes: Axes | None = None,
    seeds: int | None = None,
    seed: int = 1,
    jobs: int | None = None,
    plugins: Names = (),
    every: bool = False,
    draws: int | None = None,
    on: str | None = None,
    store: bool = True,
    progress: bool = False,
) -> ComparisonFrame:
    """Compare variants over scenarios.

    None named: those that are compared by default, or ``every`` one there is, with its default matrix.
    Variants, scenarios and the hardware profile may be objects, too.  ``axes`` maps an axis to a value or a
    list of values.  Returns a long frame, one row per variant, scenario, point and metric (`ComparisonFrame`
    has its columns), with the frames ``samples`` and ``events`` beside it.  Runs are ``draws`` of the
    machine's figures (none given: 8), of which one would give what lies within an interval; or ``seeds``
    with one set of figures, of whose mean it is.  ``attrs`` holds baseline, hardware and matrix_hash.
    ``on``: the address of a Dask scheduler whose workers run the cells.  ``store``: take runs that were
    computed before, and keep the others.  ``progress``: say on stderr how far it is.  Raises
    InputError for what makes no sense.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.compare("spf-do-fault", scenarios="file-cow", threads=[1, 16])  # doctest: +SKIP
    """
    given = Inputs(plugins)
    known = given.known
    names, patterns, axis_values = given.variants(variants), given.scenarios(scenarios), settings(axes)
    machine = given.hardware(hardware)
    base = None if baseline is None else given.variant(baseline)
    wanted = Wanted(tuple(names), tuple(patterns), numbers(threads), axis_values, base, every)
    usable, makers = planned(
        wanted, given.registry, known.scenarios, known.hardware, [machine], seeds, seed, draws
    )  # fmt: skip
    plan, stacks = sound_plan(usable, given.registry, makers[machine])
    given.warn()
    with cluster(on, given, jobs) as executor, kept(store) as results, telling(progress) as told:
        report = counting(told, "simulating")
        comparison = run_comparison(plan, given.registry, jobs, report, stacks, results, executor)
        safety = in_words(plan.variants, known_safety(results, plan.variants))
    line = command(
        "compare", names, scenario=patterns, threads=numbers(threads), all=every,
        hardware=machine if machine != DEFAULT_HARDWARE else None, baseline=base, draws=draws, seeds=seeds,
        seed=seed if seed != 1 else None, set=assignments(axis_values), plugin=given.plugins,
    )  # fmt: skip
    run = run_of(plan, comparison.samples, line)
    remarks = [f"{name} was an object: no command line can name it" for name in dict.fromkeys(given.objects)]
    run = replace(run, source=replace(run.source, safety=safety, remarks=(*run.source.remarks, *remarks)))
    return ComparisonFrame(comparison, run, safety)


@verb
def load(
    *files: Name,
    variants: Variants = (),
    scenarios: Names = (),
    threads: Numbers = (),
    axes: Axes | None = None,
    baseline: str | None = None,
) -> ComparisonFrame:
    """Merge runs that `spfvar.save` or ``compare --save`` wrote; the rest chooses among what was run.

    Returns the frame that ``compare`` returns.  Raises InputError for files that are none, that do not go
    together, or that do not have what is asked for.

    >>> import spfvar  # doctest: +SKIP
    >>> spfvar.load("all.jsonl", "mine.jsonl", baseline="per-vma-6.12")  # doctest: +SKIP
    """
    if not files:
        raise InputError("no file given", expected="one or more files written by spfvar compare --save")
    names = names_of(variants)
    run = select(
        merge([(file, load_run(file)) for file in dict.fromkeys(texts(files))], baseline),
        names, texts(scenarios), numbers(threads), settings(axes),
    )  # fmt: skip
    return ComparisonFrame(evaluate(noted(run), run.samples), run, run.source.safety)


def _rows(comparison: Comparison) -> pd.DataFrame:
    """Cells and comparisons in one long frame, axes as columns."""
    tests = comparison.comparisons.rename(columns=_ENDS).drop(columns="warning")
    return _with_axes(comparison.cells.merge(tests, on=KEY, how="left"))


def _with_axes(frame: pd.DataFrame) -> pd.DataFrame:
    """A column for each axis in the place of the text of them all."""
    points = pd.DataFrame([json.loads(text) for text in frame["axes"]], index=frame.index)
    return pd.concat([frame[["variant", "scenario"]], points, frame.drop(columns=PLACE)], axis=1)


def _text(comparison: Comparison, run: Run, safety: Mapping[str, str]) -> str:
    """The summary that the command prints."""
    short = Short(in_short(comparison), safety, bare=True)
    return render_table([], meta_of(comparison, run.source.commands, duels=False), short=short)
