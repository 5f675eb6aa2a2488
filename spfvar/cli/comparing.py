"""What compare does once its arguments are read: run or load, evaluate, lay out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import spfvar
from spfvar import units
from spfvar.cli.options import what_decides, with_views
from spfvar.cli.planning import Wanted
from spfvar.cli.searching import searching
from spfvar.comparison.losses import MAYBE, Loss, beyond
from spfvar.comparison.metrics import Metric
from spfvar.comparison.places import places
from spfvar.errors import InputError
from spfvar.matrix import catalogue, merged
from spfvar.matrix.compare import Comparison, evaluate, rule_of, run_comparison
from spfvar.matrix.executors import Executor
from spfvar.matrix.plan import Plan, smaller_notes
from spfvar.matrix.run import Progress
from spfvar.matrix.runfile import load_run
from spfvar.matrix.runs import Run, run_of
from spfvar.matrix.safety import Safety, Sums, known_safety
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Stacks, Variant
from spfvar.render import rivals
from spfvar.render.blocks import Block
from spfvar.render.digest import digest_of
from spfvar.render.machine import to_csv, to_json
from spfvar.render.mail import render_mail
from spfvar.render.markdown import render_markdown
from spfvar.render.meta import Meta, open_because
from spfvar.render.tables import build_blocks, events_blocks
from spfvar.render.text import WIDTH, Short, render_table
from spfvar.scenario.schema import Scenario
from spfvar.store.database import Store


@dataclass(frozen=True)
class View:
    """How a comparison is shown; ``tables`` and ``events``: what follows the summary."""

    form: str
    metrics: Mapping[str, Metric]
    condition: units.FailOn | None = None
    width: int = WIDTH
    colour: bool = False
    tables: bool = False
    events: bool = False


def simulated(
    plan: Plan, stacks: Stacks, registry: Registry, jobs: int | None, progress: Progress | None,
    store: Store | None, arguments: Sequence[str], executor: Executor | None = None,
) -> tuple[Comparison, Run]:  # fmt: skip
    """Run a plan, which the arguments of the command line ask for."""
    comparison = run_comparison(plan, registry, jobs, progress, stacks, store, executor)
    return comparison, run_of(plan, comparison.samples, what_decides(arguments))


def loaded(paths: Sequence[str], wanted: Wanted, arguments: Sequence[str]) -> tuple[Comparison, Run]:
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
    plan = run.plan
    if plan.model != spfvar.MODEL_VERSION:
        note = f"run by model {plan.model}; this spfvar has model {spfvar.MODEL_VERSION}"
        plan = replace(plan, notes=(note, *plan.notes))
    return evaluate(plan, run.samples), run


def render(
    comparison: Comparison,
    run: Run,
    view: View,
    scenarios: catalogue.Catalogue[Scenario] | None = None,
) -> str:
    """A comparison in one of the forms; ``scenarios``: where annotations find the files to blame."""
    meta, form, metrics = _meta(comparison, run), view.form, view.metrics
    if form == "github":
        return _annotations(comparison, meta, view, scenarios)
    if form == "csv":
        keep = list(metrics)
        cells = comparison.cells[comparison.cells["metric"].isin(keep)]
        return to_csv(cells, comparison.comparisons, meta)
    if form == "json":
        keep = list(metrics)
        cells = comparison.cells[comparison.cells["metric"].isin(keep)]
        tests = comparison.comparisons[comparison.comparisons["metric"].isin(keep)]
        return to_json(cells, tests, comparison.events, meta)
    plan = comparison.plan
    digest = digest_of(
        comparison.comparisons,
        baseline=plan.baseline,
        metric=metrics.get("faults_per_s") or next(iter(metrics.values())),
        variants=[variant.name for variant in plan.variants],
        thresholds=plan.thresholds,
    )
    tables = view.tables or len(digest.lines) <= 1
    blocks = build_blocks(
        comparison.cells, comparison.comparisons,
        baseline=plan.baseline, metrics=metrics, thresholds=plan.thresholds, intervals=meta.draws,
    ) if tables else []  # fmt: skip
    if view.events:
        blocks += _events(comparison)
    if form == "markdown":
        return render_markdown(blocks, meta, digest, run.source.safety)
    if form == "mail":
        return render_mail(blocks, meta, Short(digest, run.source.safety, bare=False))
    short = Short(digest, run.source.safety, bare=not blocks)
    return render_table(blocks, meta, view.width, colour=view.colour, short=short)


def _events(comparison: Comparison) -> list[Block]:
    """What variants counted, and what that means."""
    events = [event for variant in comparison.plan.variants for event in variant.events]
    reasons = {event.name: event.doc for event in events if event.role == "reason"}
    return events_blocks(comparison.events[comparison.events["event"].isin(reasons)], reasons)


def with_safety(
    run: Run, registry: Registry, jobs: int | None, store: Store | None, *, check: bool,
    executor: Executor | None = None,
) -> Run:  # fmt: skip
    """The run with what is known of its variants' safety; with ``check`` it is looked at where nothing is.

    A variant whose text cannot be run in a race becomes a problem.
    """
    variants = run.plan.variants
    known = known_safety(store, variants)
    if check:
        known |= _checked([one for one in variants if one.name not in known], registry, jobs, store, executor)
    told = {}
    for variant in variants:
        if variant.name in known:
            told[variant.name] = str(known[variant.name])
        elif variant.is_shipped:
            told[variant.name] = f"safety not known (spfvar check {variant.name})"
        else:
            told[variant.name] = "safety not known (--check)"
    return replace(run, source=replace(run.source, safety=told))


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


def _meta(comparison: Comparison, run: Run) -> Meta:
    plan = comparison.plan
    notes = list(smaller_notes(plan.scenarios, plan.cells))
    remarks = [note for note in plan.notes if note not in notes]
    for variant in plan.variants:
        for rival in variant.rivals:
            values, rule = comparison.samples.values, rule_of(plan)
            found = rivals.duel(values, variant.name, rival, plan.thresholds, rule)
            if found is not None:
                notes += rivals.sentences(found)
    return Meta(
        version=plan.version,
        model_version=plan.model,
        hardware=plan.hardware,
        baseline=plan.baseline,
        matrix_hash=plan.matrix_hash,
        seeds=plan.seeds,
        seed=plan.seed,
        reproduce="; ".join(shlex.join(["spfvar", *command]) for command in run.source.commands),
        scenario_hashes=plan.scenario_hashes,
        notes=notes,
        thresholds=plan.thresholds,
        draws=plan.ensemble is not None,
        fidelity=plan.profile.fidelity,
        remarks=remarks,
    )


def too_bad(comparison: Comparison, condition: units.FailOn) -> str | None:
    """The largest loss that meets a condition, in words, and how many more there are."""
    return _largest(comparison, beyond(comparison.comparisons, condition))


def maybe_too_bad(comparison: Comparison, condition: units.FailOn) -> str | None:
    """The largest loss that would meet a condition but is unsure: in words, how many more there are, why."""
    found = _largest(comparison, beyond(comparison.comparisons, condition, MAYBE))
    why = open_because(draws=comparison.plan.ensemble is not None)
    return None if found is None else f"{found}; {why}"


def _largest(comparison: Comparison, found: Sequence[Loss]) -> str | None:
    if not found:
        return None
    loss = found[0]
    where = f"{loss.variant} in {places(comparison.comparisons)[loss.scenario, loss.axes]}"
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return f"{where}: {loss.text(comparison.plan.baseline)}{more}"
