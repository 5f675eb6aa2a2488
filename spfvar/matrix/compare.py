"""A comparison: a plan run on all cores, and evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from spfvar.automata.extract import StrategyError
from spfvar.comparison.depends import with_dependences
from spfvar.comparison.metrics import METRICS, Thresholds
from spfvar.comparison.stats import KEY, compare_to, summarise, summarise_events
from spfvar.comparison.verdicts import DRAWS, SEEDS, Rule
from spfvar.errors import InputError
from spfvar.matrix.executors import Executor
from spfvar.matrix.known_off import with_known_errors
from spfvar.matrix.plan import Plan
from spfvar.matrix.run import prepare, run_plan
from spfvar.matrix.samples import Failure, Samples
from spfvar.plugins.registry import Problem, Registry
from spfvar.plugins.variant import Stacks
from spfvar.scenario.hardware import Draws
from spfvar.store.database import Store


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    ``cells``: value, ci_low, ci_high, n per variant, scenario, axes and metric.  ``comparisons``: ratio to
    the baseline and verdict.  ``events``: counts per 1000 faults.  ``samples``: the single runs.
    """

    plan: Plan
    samples: Samples
    cells: pd.DataFrame
    comparisons: pd.DataFrame
    events: pd.DataFrame
    problems: tuple[Problem, ...]

    @property
    def failures(self) -> list[Failure]:
        """Cells that could not be run."""
        return self.samples.failures


def run_comparison(
    plan: Plan,
    registry: Registry,
    jobs: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    stacks: Stacks | None = None,
    store: Store | None = None,
    executor: Executor | None = None,
) -> Comparison:
    """Run a plan and evaluate it; ``stacks`` are those of `sound_plan`.  InputError if no cell ran."""
    return evaluate(plan, run_plan(plan, jobs, progress, stacks, store, executor), registry.problems)


def sound_plan(
    names: Sequence[str],
    registry: Registry,
    make: Callable[[Sequence[str]], Plan],
    stacks: Stacks | None = None,
) -> tuple[Plan, Stacks]:
    """The plan of those variants whose texts can be extracted, and their stacks; the others become problems.

    ``stacks``: those of other plans, which are used and added to.  Raises InputError if none are left,
    StrategyError if the baseline is one of the others.
    """
    plan, stacks = make(names), {} if stacks is None else stacks
    prepare(plan, stacks)
    broken = {
        one.name: stack for one in plan.variants if isinstance(stack := stacks.get(one.name), StrategyError)
    }
    if plan.baseline in broken:
        raise broken[plan.baseline]
    for name, error in broken.items():
        registry.problems.append(Problem(registry[name].origin, str(error), variant=name))
    left = [name for name in names if name not in broken]
    if not left:
        raise registry.nothing_left()
    return (make(left) if broken else plan), stacks


def sound_plans(
    names: Sequence[str], registry: Registry, makers: Iterable[Callable[[Sequence[str]], Plan]]
) -> tuple[list[Plan], Stacks]:
    """A plan for each machine, of the variants whose texts can be extracted; the others become problems."""
    plans: list[Plan] = []
    stacks: Stacks = {}
    for make in makers:
        plan, stacks = sound_plan(names, registry, make, stacks)
        plans.append(plan)
        names = [name for name in names if not isinstance(stacks.get(name), StrategyError)]
    return plans, stacks


def rule_of(draws: Draws | None) -> Rule:
    """What the samples of a plan with this ensemble are, and so what verdicts go by."""
    return SEEDS if draws is None else DRAWS


def by_draw(samples: pd.DataFrame, draws: Draws | None) -> pd.DataFrame:
    """Samples, of which seeds that were run with one draw are one: its mean, in the place of the first.

    A run has no such seeds; runs that were merged may have, and their draws are no more for it.
    """
    if draws is None or (samples["seed"].max() - samples["seed"].min() < len(draws.factors)):
        return samples
    drawn = samples.assign(seed=[1 + draws.of_seed(int(seed)) for seed in samples["seed"]])
    drawn["value"] = _turned(drawn)
    means = drawn.groupby([*KEY, "seed"], sort=False)["value"].mean().reset_index()
    return means.assign(value=_turned(means))[[*KEY, "seed", "value"]]


def _turned(frame: pd.DataFrame) -> pd.Series[float]:
    """Values, and the reciprocals of what has a harmonic mean; twice: as before."""
    harmonic = frame["metric"].map(lambda name: METRICS[name].mean == "harmonic")
    return frame["value"].where(~harmonic, 1.0 / frame["value"])


def judged(samples: pd.DataFrame, baseline: str, thresholds: Thresholds, draws: Draws | None) -> pd.DataFrame:
    """Comparisons as by `compare_to`; of draws with a remark on what leaves a verdict open."""
    samples = by_draw(samples, draws)
    comparisons = compare_to(samples, baseline, thresholds=thresholds, rule=rule_of(draws))
    if draws is None:
        return comparisons
    factors = {int(seed): draws.factors[draws.of_seed(int(seed))] for seed in samples["seed"].unique()}
    return with_dependences(comparisons, samples, baseline, draws.figures, factors)


def evaluate(plan: Plan, samples: Samples, problems: Sequence[Problem] = ()) -> Comparison:
    """Compare samples that are there.  InputError if the baseline has none."""
    if plan.baseline not in set(samples.values["variant"]):
        reasons = "; ".join(dict.fromkeys(failure.message for failure in samples.failures))
        why = f"could not be run: {reasons}" if reasons else "has no samples"
        raise InputError(f"the baseline {plan.baseline} {why}")
    return Comparison(
        plan,
        samples,
        summarise(by_draw(samples.values, plan.ensemble), rule=rule_of(plan.ensemble)),
        with_known_errors(
            judged(samples.values, plan.baseline, plan.thresholds, plan.ensemble),
            plan.hardware,
            plan.baseline,
            plan.variants,
        ),
        summarise_events(samples.events, samples.values),
        tuple(problems),
    )
