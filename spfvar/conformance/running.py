"""The checks that run the variant: safe in the races, and through the loads."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from spfvar.conformance.result import Trouble, number
from spfvar.conformance.static import Said
from spfvar.conformance.subject import Subject
from spfvar.explore.options import Options
from spfvar.explore.verdict import INCOMPLETE, VIOLATION, Verdict
from spfvar.matrix import catalogue
from spfvar.matrix.cases import Case, make_cases
from spfvar.matrix.check import run_checks
from spfvar.matrix.plan import make_plan
from spfvar.matrix.run import run_plan
from spfvar.matrix.samples import Samples

#: Told what runs, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Scope:
    """How much is run: loads by name or pattern (none: all), threads, bounds of each search, CPUs."""

    scenarios: Sequence[str] = ()
    threads: int = 2
    options: Options = field(default_factory=Options)
    jobs: int | None = None
    progress: Progress | None = None


def safe(subject: Subject, scope: Scope) -> Said:
    """No race has an interleaving that breaks a property."""
    cases = [Case(subject.variant, name, race) for name, race in subject.races.items()]

    def report(done: int, total: int, _rate: float) -> None:
        if scope.progress is not None:
            scope.progress("races", done, total)

    verdicts = [one.verdict for one in run_checks(cases, scope.options, scope.jobs, report)]
    wrong = [trouble for verdict in verdicts for trouble in _of_verdict(verdict, subject)]
    states = sum(verdict.states for verdict in verdicts)
    vacuous = [verdict.race for verdict in verdicts if verdict.vacuous]
    more = f"; reached too little to say much in {', '.join(vacuous)}" if vacuous else ""
    return f"{number(len(cases), 'race')}, {states} states{more}", wrong


def shows_bug(subject: Subject, scope: Scope) -> Said:
    """The twin's race shows its bug, by the property that it names, and not without the bug."""
    twin = subject.registry.twins[subject.variant.name]
    cases = make_cases(subject.registry, catalogue.races(), [twin.name], (), twins=True)
    results = run_checks(cases, scope.options, scope.jobs)
    wrong = []
    for result in results:
        verdict = result.verdict
        found = verdict.property or verdict.verdict
        if verdict.verdict == INCOMPLETE:
            what = f"nothing found in {verdict.states} states, and nothing proven: {verdict.why}"
            wrong.append(Trouble(f"{verdict.variant} in {verdict.race}: {what}", "take a smaller race"))
        elif not result.as_expected:
            what = f"{verdict.variant} in {verdict.race}: found {found}, expected {result.case.expected}"
            do = f"read its steps: {subject.command('check --twins', '')}"
            wrong.append(Trouble(what, do))
    return f"{twin.prop or 'safe'} in {cases[0].race_name}, safe without", wrong


def _of_verdict(verdict: Verdict, subject: Subject) -> list[Trouble]:
    if verdict.verdict == VIOLATION:
        first = verdict.findings[0]
        return [Trouble(
            f"{verdict.race}: {first.property} is broken in {first.trace.length} steps",
            f"read its steps: {subject.command('check', f'--race {verdict.race}')}",
            details=tuple(first.trace.end),
        )]  # fmt: skip
    if verdict.verdict == INCOMPLETE:
        return [Trouble(
            f"{verdict.race}: nothing found in {verdict.states} states, and nothing proven: {verdict.why}",
            "make the text simpler, or the bound wider (--max-states)",
        )]  # fmt: skip
    return []


def runs(subject: Subject, scope: Scope) -> Said:
    """Every load runs to its end, has faults, and some attempt succeeds in some load."""
    variant = subject.variant
    plan = make_plan(
        subject.registry, catalogue.scenarios(), catalogue.hardware(), variants=[variant.name],
        patterns=scope.scenarios, threads=[scope.threads], baseline=variant.name, seeds=1,
    )  # fmt: skip

    def report(done: int, total: int) -> None:
        if scope.progress is not None:
            scope.progress("loads", done, total)

    samples = run_plan(plan, scope.jobs, report)
    wrong = [
        Trouble(failure.message, f"try {subject.command('compare', f'--scenario {failure.scenario}')}")
        for failure in samples.failures
    ]
    rates = _values(samples, "faults_per_s")
    wrong += [
        Trouble(f"{scenario}: no fault was served", "the load's threads wait for each other, or fail")
        for scenario, rate in rates.items() if not rate > 0
    ]  # fmt: skip
    if variant.events_with("attempt") and not wrong:
        wrong += _never_succeeds(samples)
    return f"{number(len(rates), 'load')} with {scope.threads} threads", wrong


def _values(samples: Samples, metric: str) -> dict[str, float]:
    """A metric by load."""
    rows = samples.values[samples.values["metric"] == metric]
    return dict(zip(rows["scenario"], rows["value"], strict=True))


def _never_succeeds(samples: Samples) -> list[Trouble]:
    """A design that gives up every time is as safe as what it falls back to, and as slow."""
    success = [rate for rate in _values(samples, "spec_success").values() if not math.isnan(rate)]
    if not success or max(success) > 0:
        return []
    events = samples.events.groupby("event")["value"].mean().sort_values(ascending=False)
    common = ", ".join(f"{name} {value:.0f}" for name, value in events.head(4).items() if value > 0)
    return [Trouble(
        "no attempt succeeds in any load", "find the check that always fails",
        details=(f"events per 1000 faults: {common}",),
    )]  # fmt: skip
