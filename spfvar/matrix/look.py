"""A look at a plugin's file, as an author wants it at each save: its races, and one load.

What is known comes as soon as it is known, so that a race that breaks does not wait for those that hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from spfvar.errors import SpfvarError
from spfvar.explore.options import Options
from spfvar.explore.properties import PROPERTIES
from spfvar.explore.verdict import INCOMPLETE, SAFE
from spfvar.matrix import catalogue
from spfvar.matrix.cases import Case, make_cases
from spfvar.matrix.check import run_checks, runnable
from spfvar.matrix.compare import run_comparison, sound_plan
from spfvar.matrix.plan import make_plan, runs_of_a_cell
from spfvar.plugins.registry import Registry, load_registry
from spfvar.store.database import Store, opened

METRIC = "faults_per_s"
#: Races that are searched before the next word.
_TOGETHER = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look at: a plugin's file, races (none: all), a load at one thread count (None: its most).

    ``first``: races to begin with, such as those that broke the last time.
    """

    file: str
    races: tuple[str, ...]
    scenario: str
    threads: int | None
    hardware: str
    jobs: int | None = None
    no_store: bool = False
    first: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something cannot be used; ``fatal``: there is nothing else to say."""

    message: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Broken:
    """A race that breaks: what, in how many steps, what the last step was, and the token of the trace."""

    variant: str
    race: str
    prop: str
    text: str
    steps: int
    end: tuple[str, ...]
    token: str


@dataclass(frozen=True, slots=True)
class Going:
    """How many searches are done."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Searched:
    """A variant's races: how many are safe, what broke how often, and how many hit a bound."""

    variant: str
    races: int
    safe: int
    unfinished: int
    broken: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A variant against the baseline in the load; NaN: there is no ratio."""

    variant: str
    baseline: str
    load: str
    threads: int
    ratio: float
    low: float
    high: float
    verdict: str


Seen = Trouble | Broken | Going | Searched | Measured


@dataclass
class _Sum:
    safe: int = 0
    unfinished: int = 0
    broken: Counter[str] = field(default_factory=Counter)


def look(wanted: Wanted) -> Iterator[Seen]:
    """Load the file, search its variants' races, run the load.

    What cannot be used is a `Trouble`, never an exception.
    """
    try:
        registry = load_registry([wanted.file])
        names = [name for loaded in registry.named for name in loaded.variants]
        found = registry.check(*names) if names else []
        told = len(registry.problems)
        yield from (Trouble(str(problem), not found) for problem in registry.problems)
        if not found:
            if not told:
                yield Trouble(f"{wanted.file}: has no variants", fatal=True)
            return
        with opened(not wanted.no_store) as store:
            yield from _races(wanted, registry, found, store)
            yield from _load(wanted, registry, found, store)
    except SpfvarError as error:
        yield Trouble(str(error), fatal=True)


def _races(wanted: Wanted, registry: Registry, names: Sequence[str], store: Store | None) -> Iterator[Seen]:
    cases, stacks = runnable(make_cases(registry, catalogue.races(), names, wanted.races), registry)
    cases.sort(key=lambda case: (case.race_name not in wanted.first, _size(case)))
    sums = {name: _Sum() for name in names}
    options = replace(Options(), first=True)
    for start in range(0, len(cases), _TOGETHER):
        some = cases[start : start + _TOGETHER]
        for result in run_checks(some, options, wanted.jobs, stacks=stacks, store=store):
            verdict, so_far = result.verdict, sums[result.verdict.variant]
            so_far.safe += verdict.verdict == SAFE
            so_far.unfinished += verdict.verdict == INCOMPLETE
            for finding in verdict.findings:
                so_far.broken[finding.property] += 1
                yield Broken(
                    verdict.variant, verdict.race, finding.property, PROPERTIES[finding.property].text,
                    finding.trace.length, tuple(finding.trace.end), str(finding.token),
                )  # fmt: skip
        yield Going(start + len(some), len(cases))
    for name, one in sums.items():
        races = one.safe + one.unfinished + one.broken.total()
        yield Searched(name, races, one.safe, one.unfinished, tuple(one.broken.most_common()))


def _size(case: Case) -> int:
    """Races of few threads are searched sooner."""
    return case.race.threads


def _load(wanted: Wanted, registry: Registry, names: Sequence[str], store: Store | None) -> Iterator[Seen]:
    profiles, scenarios = catalogue.hardware(), catalogue.scenarios()
    seeds, draws = runs_of_a_cell(profiles, wanted.hardware, None, None)
    plan, stacks = sound_plan(
        names,
        registry,
        lambda chosen: make_plan(
            registry, scenarios, profiles, variants=chosen, patterns=[wanted.scenario],
            threads=[] if wanted.threads is None else [wanted.threads], hardware=wanted.hardware,
            seeds=seeds, draws=draws,
        ),
    )  # fmt: skip
    most = max(cell.load.threads for cell in plan.cells)
    plan = replace(plan, cells=tuple(cell for cell in plan.cells if cell.load.threads == most))
    comparison = run_comparison(plan, registry, wanted.jobs, None, stacks, store)
    for failure in comparison.failures:
        yield Trouble(f"{failure.variant} in {failure.scenario}: {failure.message}", fatal=False)
    rows = comparison.comparisons
    for row in rows[rows["metric"] == METRIC].to_dict("records"):
        yield Measured(
            row["variant"], plan.baseline, row["scenario"], most,
            row["ratio"], row["ci_low"], row["ci_high"], row["verdict"],
        )  # fmt: skip
