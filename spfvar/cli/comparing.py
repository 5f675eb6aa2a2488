"""What compare does once its arguments are read: run or load, evaluate, lay out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from spfvar import units
from spfvar.cli.kept_text import View
from spfvar.cli.options import what_decides, with_views
from spfvar.cli.searching import searching
from spfvar.comparison.losses import MAYBE, SURE, beyond
from spfvar.comparison.places import places
from spfvar.comparison.verdicts import Verdict
from spfvar.errors import InputError
from spfvar.matrix import catalogue, merged
from spfvar.matrix.compare import Comparison, evaluate, run_comparison
from spfvar.matrix.executors import Executor
from spfvar.matrix.plan import Plan
from spfvar.matrix.run import Progress
from spfvar.matrix.runfile import load_run
from spfvar.matrix.runs import Run, run_of
from spfvar.matrix.safety import Safety, Sums, in_words, known_safety
from spfvar.matrix.wanted import Wanted
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stacks, Variant
from spfvar.render.across import across_csv, across_json, across_markdown, across_text
from spfvar.render.blocks import Block
from spfvar.render.compared import events_of, in_short, meta_of, on_machine_of, summed_up, tables_of
from spfvar.render.machine import to_csv, to_json
from spfvar.render.machines import across_of
from spfvar.render.mail import WIDTH as MAIL_WIDTH
from spfvar.render.mail import render_mail, to_ascii
from spfvar.render.markdown import render_markdown
from spfvar.render.meta import Meta, open_because
from spfvar.render.paint import judged
from spfvar.render.text import Short, render_table
from spfvar.scenario.schema import Scenario
from spfvar.store.database import Store

#: What was run on one machine, evaluated, and as it can be saved.
Done = tuple[Comparison, Run]


def simulated(
    plans: Sequence[Plan], stacks: Stacks, registry: Registry, jobs: int | None, progress: Progress | None,
    store: Store | None, arguments: Sequence[str], executor: Executor | None = None,
) -> list[Done]:  # fmt: skip
    """Run plans, one per machine, which the arguments of the command line ask for."""
    found: list[Done] = []
    total, before = sum(len(plan.cells) for plan in plans), 0
    for plan in plans:
        told = None if progress is None else partial(_of_all, progress, before, total)
        comparison = run_comparison(plan, registry, jobs, told, stacks, store, executor)
        found.append((comparison, run_of(plan, comparison.samples, what_decides(arguments))))
        before += len(plan.cells)
    return found


def _of_all(progress: Progress, before: int, total: int, done: int, _of_plan: int) -> None:
    progress(before + done, total)


def loaded(paths: Sequence[str], wanted: Wanted, arguments: Sequence[str]) -> Done:
    """What is wanted of the runs in files.  Nothing is computed, and no plugin is needed."""
    runs = [(path, load_run(path)) for path in dict.fromkeys(paths)]
    command = tuple(what_decides(arguments))
    run = merged.merge(runs, wanted.baseline)
    commands = (*run.source.commands, command)
    if wanted.variants or wanted.patterns or wanted.threads or wanted.settings:
        run = merged.select(run, wanted.variants, wanted.patterns, wanted.threads, wanted.settings)
    elif len(runs) == 1 and wanted.baseline is None:  # the same cells: the command that ran them gives this
        *before, last = runs[0][1].source.commands
        commands = (*before, tuple(with_views(last, command)))
    run = replace(run, source=replace(run.source, commands=commands))
    return evaluate(merged.noted(run), run.samples), run


def render(done: Sequence[Done], view: View, scenarios: catalogue.Catalogue[Scenario] | None = None) -> str:
    """Comparisons, one per machine, in a form; ``scenarios``: where annotations find the files to blame."""
    if view.form == "github":
        return "".join(
            _annotations(comparison, meta_of(comparison, run.source.commands), view, scenarios)
            for comparison, run in done
        )
    return _render_one(*done[0], view) if len(done) == 1 else _render_all(done, view)


def _render_one(comparison: Comparison, run: Run, view: View) -> str:
    form, metrics = view.form, view.metrics
    digest = in_short(comparison, metrics)
    tables = view.tables or len(digest.lines) <= 1
    bare = form == "table" and not tables and not view.events
    meta = meta_of(comparison, run.source.commands, duels=not bare)
    if form == "csv":
        keep = list(metrics)
        cells = comparison.cells[comparison.cells["metric"].isin(keep)]
        return to_csv(cells, comparison.comparisons, meta)
    if form == "json":
        keep = list(metrics)
        cells = comparison.cells[comparison.cells["metric"].isin(keep)]
        tests = comparison.comparisons[comparison.comparisons["metric"].isin(keep)]
        return to_json(cells, tests, comparison.events, meta)
    if form == "html":
        from spfvar.pages.comparison import page_of  # its libraries: only where pages are made

        return page_of(comparison, run.source.commands, run.source.safety, metrics)
    blocks = _tables(comparison, view, tables)
    if form == "markdown":
        return render_markdown(blocks, meta, digest, run.source.safety)
    if form == "mail":
        return render_mail(blocks, meta, Short(digest, run.source.safety, bare=False))
    short = Short(digest, run.source.safety, bare=not blocks)
    return render_table(blocks, meta, view.width, colour=view.colour, short=short)


def _render_all(done: Sequence[Done], view: View) -> str:
    """Several machines as one table."""
    plan = done[0][0].plan
    runs = [on_machine_of(one, run.source.commands) for one, run in done]
    if view.form == "csv":
        return across_csv(runs, view.metrics)
    if view.form == "json":
        return across_json(runs, view.metrics)
    variants = [variant.name for variant in plan.variants]
    across = across_of(runs, summed_up(view.metrics), variants, plan.thresholds)
    tables = [(one.plan.hardware, block) for one, _ in done for block in _tables(one, view, view.tables)]
    safety = done[0][1].source.safety
    if view.form == "markdown":
        return across_markdown(across, runs, safety, tables)
    if view.form == "mail":
        return across_text(across, runs, safety, tables, MAIL_WIDTH, spell=to_ascii)
    paint = judged if view.colour else str
    return across_text(across, runs, safety, tables, view.width, paint=paint, colour=view.colour)


def _tables(comparison: Comparison, view: View, wanted: bool) -> list[Block]:
    """The tables that follow a summary."""
    blocks = tables_of(comparison, view.metrics) if wanted else []
    return blocks + events_of(comparison) if view.events else blocks


def with_safety(
    done: Sequence[Done], registry: Registry, jobs: int | None, store: Store | None, *, check: bool,
    executor: Executor | None = None,
) -> list[Done]:  # fmt: skip
    """Runs with what is known of their variants' safety; with ``check`` it is looked at where nothing is.

    A variant whose text cannot be run in a race becomes a problem.
    """
    variants = done[0][1].plan.variants
    known = known_safety(store, variants)
    if check:
        known |= _checked([one for one in variants if one.name not in known], registry, jobs, store, executor)
    told = in_words(variants, known)
    problems = tuple(registry.problems)
    return [
        (replace(one, problems=problems), replace(run, source=replace(run.source, safety=told)))
        for one, run in done
    ]


def _checked(
    variants: Sequence[Variant], registry: Registry, jobs: int | None, store: Store | None,
    executor: Executor | None,
) -> dict[str, Safety]:  # fmt: skip
    """The safety of variants in all races that came with spfvar."""
    # The explorer: not for a comparison that only looks up what is known.
    from spfvar.explore.options import Options
    from spfvar.matrix.cases import make_cases
    from spfvar.matrix.check import run_checks, runnable, verdict_of

    if not variants:
        return {}
    known, sums = catalogue.races(), Sums(variants)
    shipped = [name for name in known.names() if known.is_shipped(name)]
    try:
        cases = make_cases(registry, known, [variant.name for variant in variants], shipped)
        cases, stacks = runnable(cases, registry)
    except InputError:  # none is left: each is a problem now
        return {}
    with searching("states") as progress:
        results = run_checks(cases, Options(), jobs, progress, stacks, store=store, executor=executor)
    found = sums.of(map(verdict_of, results))
    sums.keep(store, found)
    return found


def _annotations(
    comparison: Comparison, meta: Meta, view: View, scenarios: catalogue.Catalogue[Scenario] | None
) -> str:
    from spfvar.render import github  # which knows verdicts of searches, too

    files = {
        (cell.variant.name, cell.load.scenario): github.file_of(
            scenarios.own_file(cell.load.scenario) if scenarios else None, cell.variant.origin
        )
        for cell in comparison.plan.cells
    }
    broken = [str(problem) for problem in comparison.problems]
    broken += [f"{failure.message} {failure.axes}" for failure in comparison.failures]
    failing = beyond(comparison.comparisons, view.condition) if view.condition else []
    return github.render_comparison(
        comparison.comparisons, meta, view.metrics, failing, view.condition, broken, files
    )


def too_bad(comparisons: Sequence[Comparison], condition: units.FailOn) -> str | None:
    """The largest loss that meets a condition, on any machine: in words, and how many more there are."""
    return _largest(comparisons, condition, SURE)


def maybe_too_bad(comparisons: Sequence[Comparison], condition: units.FailOn) -> str | None:
    """The largest loss that would meet a condition but is unsure: in words, how many more there are, why."""
    found = _largest(comparisons, condition, MAYBE)
    why = open_because(draws=any(one.plan.ensemble is not None for one in comparisons))
    return None if found is None else f"{found}; {why}"


def _largest(
    comparisons: Sequence[Comparison], condition: units.FailOn, verdicts: Sequence[Verdict]
) -> str | None:
    found = [
        (loss, comparison)
        for comparison in comparisons
        for loss in beyond(comparison.comparisons, condition, verdicts)
    ]
    if not found:
        return None
    loss, comparison = min(found, key=lambda one: -math.inf if math.isnan(one[0].share) else -one[0].share)
    where = f"{loss.variant} in {places(comparison.comparisons)[loss.scenario, loss.axes]}"
    where += f" on {comparison.plan.hardware}" if len(comparisons) > 1 else ""
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where}: {loss.text(comparison.plan.baseline)}{more}"
