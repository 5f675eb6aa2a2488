"""Comparisons as frames: of runs that are made now, and of saved ones."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from spfvar.api.arguments import (
    Axes,
    Inputs,
    Machines,
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
from spfvar.comparison.metrics import METRICS
from spfvar.comparison.stats import KEY, PLACE
from spfvar.errors import InputError
from spfvar.matrix.compare import Comparison, evaluate, run_comparison, sound_plans
from spfvar.matrix.merged import merge, noted, select
from spfvar.matrix.plan import DEFAULT_HARDWARE, machines_named
from spfvar.matrix.runfile import load_run
from spfvar.matrix.runs import Run, run_of
from spfvar.matrix.safety import in_words, known_safety
from spfvar.matrix.samples import Failure
from spfvar.matrix.wanted import Wanted, planned
from spfvar.plugins.variant import Variant
from spfvar.render.across import across_text
from spfvar.render.compared import in_short, meta_of, on_machine_of, summed_up
from spfvar.render.machines import across_of
from spfvar.render.text import WIDTH, Short, render_table

_ENDS = {
    "ci_low": "ratio_low", "ci_high": "ratio_high",
    "ci999_low": "ratio999_low", "ci999_high": "ratio999_high",
}  # fmt: skip


_ONE = "that on one of them: .machines[NAME]"


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

    def html(self) -> str:
        """The page that ``spfvar compare --format html`` writes."""
        from spfvar.pages.comparison import page_of  # its libraries: only where pages are made

        return page_of(self._comparison, self._run.source.commands, self.safety)


class MachinesFrame(ComparisonFrame):
    """Comparisons on several machines: a `ComparisonFrame`'s rows, ``hardware`` before them.

    ``machines`` has the comparison on each by name.  ``samples`` and ``events`` have the column, too.
    """

    _metadata = ["_told", "machines", "safety"]  # noqa: RUF012  # pandas' own way

    def __init__(self, machines: Mapping[str, ComparisonFrame]) -> None:
        Answer.__init__(self, _by_machine(machines), lambda: _text_of_all(list(machines.values())))
        first = next(iter(machines.values()))
        #: By name.
        self.machines = dict(machines)
        self.safety = first.safety
        self.attrs.update(simulated=True, baseline=first.attrs["baseline"], hardware=list(machines))

    @property
    def samples(self) -> pd.DataFrame:
        """As those of one machine, with a column ``hardware``."""
        return _by_machine({name: one.samples for name, one in self.machines.items()})

    @property
    def events(self) -> pd.DataFrame:
        """As those of one machine, with a column ``hardware``."""
        return _by_machine({name: one.events for name, one in self.machines.items()})

    @property
    def failures(self) -> list[Failure]:
        """Cells that could not be run, on any machine."""
        return [failure for one in self.machines.values() for failure in one.failures]

    @property
    def run(self) -> Run:
        """There is none: a file holds the run of one machine."""
        raise InputError("a file holds the run of one machine", key="answer", expected=_ONE)

    def html(self) -> str:
        """There is none: a page is of one machine."""
        raise InputError("a page is of one machine", key="hardware", expected=_ONE)


@verb
def compare(
    *variants: str | Variant,
    scenarios: Scenarios = (),
    threads: Numbers = (),
    hardware: Machines = DEFAULT_HARDWARE,
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
    Variants, scenarios and hardware profiles may be objects, too.  Of several machines, or "all", the frame
    is a `MachinesFrame`.  ``axes`` maps an axis to a value or a
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
    asked = given.machines(hardware)
    machines = machines_named(known.hardware, asked)
    base = None if baseline is None else given.variant(baseline)
    wanted = Wanted(tuple(names), tuple(patterns), numbers(threads), axis_values, base, every)
    usable, makers = planned(
        wanted, given.registry, known.scenarios, known.hardware, machines, seeds, seed, draws
    )  # fmt: skip
    plans, stacks = sound_plans(usable, given.registry, makers.values())
    given.warn()
    line = command(
        "compare", names, scenario=patterns, threads=numbers(threads), all=every,
        hardware=",".join(asked) if asked != [DEFAULT_HARDWARE] else None, baseline=base, draws=draws,
        seeds=seeds, seed=seed if seed != 1 else None, set=assignments(axis_values), plugin=given.plugins,
    )  # fmt: skip
    remarks = [f"{name} was an object: no command line can name it" for name in dict.fromkeys(given.objects)]
    found: dict[str, ComparisonFrame] = {}
    with cluster(on, given, jobs) as executor, kept(store) as results, telling(progress) as told:
        for plan in plans:
            report = counting(told, f"simulating {plan.hardware}" if len(plans) > 1 else "simulating")
            comparison = run_comparison(plan, given.registry, jobs, report, stacks, results, executor)
            safety = in_words(plan.variants, known_safety(results, plan.variants))
            run = run_of(plan, comparison.samples, line)
            source = replace(run.source, safety=safety, remarks=(*run.source.remarks, *remarks))
            found[plan.hardware] = ComparisonFrame(comparison, replace(run, source=source), safety)
    return MachinesFrame(found) if len(found) > 1 else found[plans[0].hardware]


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


def _by_machine(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames below one another, with the machine's name before each row."""
    found = pd.concat([pd.DataFrame(one).assign(hardware=name) for name, one in frames.items()])
    return found[["hardware", *(name for name in found if name != "hardware")]].reset_index(drop=True)


def _text_of_all(frames: Sequence[ComparisonFrame]) -> str:
    """The table over the machines that the command prints."""
    runs = [on_machine_of(one._comparison, one.run.source.commands) for one in frames]
    plan = frames[0]._comparison.plan
    variants = [variant.name for variant in plan.variants]
    across = across_of(runs, summed_up(METRICS), variants, plan.thresholds)
    return across_text(across, runs, frames[0].safety, [], WIDTH)
