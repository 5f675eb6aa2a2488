"""Duels, reasons and charts, from samples whose outcome is known beforehand."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
import pytest

from spfvar.comparison.depends import OPEN, figures_of
from spfvar.comparison.stats import axes_key
from spfvar.render import units
from spfvar.review.model import HELPS, HURTS, MIXED, SAME, UNKNOWN, UNSURE, Duel
from spfvar.review.speed import kind_of, loss, make_duel
from spfvar.review.words import spread_of
from spfvar.scenario.hardware import Draws
from tests.review.made_up import effect

#: Six seeds: the spread of the ratios within a cell is below 1 %.
SEEDS = range(6)
TITLES = dict.fromkeys(["helps", "hurts", "even", "both"], "a title")
Cell = tuple[str, int, str]


def samples(ratios: Mapping[Cell, float]) -> pd.DataFrame:
    """Runs of "mine" and "base" whose ratio is given per scenario, threads and metric."""
    rows = []
    for (scenario, threads, metric), ratio in ratios.items():
        for seed in SEEDS:
            base = 1e6 * (1 + 0.001 * seed)
            mine = base * ratio * (1 + 0.0005 * (seed % 2))
            for variant, value in (("base", base), ("mine", mine)):
                rows.append((variant, scenario, axes_key({"threads": threads}), seed, metric, value))
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"])


RATIOS = {
    ("helps", 1, "faults_per_s"): 1.0,
    ("helps", 4, "faults_per_s"): 2.0,
    ("hurts", 1, "faults_per_s"): 0.9,
    ("hurts", 4, "faults_per_s"): 0.7,
    ("even", 1, "faults_per_s"): 1.0,
    ("both", 1, "faults_per_s"): 0.8,
    ("both", 4, "faults_per_s"): 1.5,
    ("helps", 4, "writer_p99"): 3.0,
    ("helps", 4, "fault_p50"): 0.5,
}


@pytest.fixture(scope="module")
def duel() -> Duel:
    """The duel of these ratios."""
    return make_duel(samples(RATIOS), "mine", "base", TITLES)


def test_loads_are_told_by_their_verdicts_the_worst_first(duel: Duel) -> None:
    """Lowest ratios: 0.7, 0.8, 1.0 and 1.0 in the order of the run."""
    assert [(load.scenario, load.kind) for load in duel.loads] == [
        ("hurts", HURTS), ("both", MIXED), ("helps", HELPS), ("even", SAME),
    ]  # fmt: skip
    assert [load.scenario for load in duel.where(HELPS, MIXED)] == ["both", "helps"]


def test_a_load_has_its_cells_by_threads_and_knows_both_ends(duel: Duel) -> None:
    """One and four threads; worst and best are those of the ratio."""
    both = next(load for load in duel.loads if load.scenario == "both")
    assert [one.threads for one in both.effects] == [1, 4]
    assert (both.worst.threads, both.best.threads) == (1, 4)
    assert both.worst.ratio == pytest.approx(0.8, rel=0.001)
    assert both.best.rival_value == pytest.approx(1e6, rel=0.01)


def test_costs_are_the_worst_of_each_load_and_outcome(duel: Duel) -> None:
    """A writer that takes three times as long costs more than a load at 0.7; a shorter fault is no cost."""
    assert [(one.scenario, one.metric, one.threads) for one in duel.costs] == [
        ("helps", "writer_p99", 4), ("hurts", "faults_per_s", 4), ("both", "faults_per_s", 1),
    ]  # fmt: skip


def test_what_is_looked_at_besides_changes_no_verdict() -> None:
    """With a hundred latencies that do not differ, the verdict on throughput is what it was alone."""
    alone = {("helps", 4, "faults_per_s"): 1.02}
    even = {("helps", threads, "fault_p99"): 1.0 for threads in range(1, 101)}
    for ratios in (alone, alone | even):
        found = make_duel(samples(ratios), "mine", "base", TITLES)
        assert found.loads[0].effects[0].verdict == "better"


def test_a_load_s_own_threshold_holds_in_a_review_too() -> None:
    """x2 is no difference to a load that calls up to x3 noise; without its threshold it helps."""
    ratios = {("helps", 4, "faults_per_s"): 2.0}
    found = make_duel(samples(ratios), "mine", "base", TITLES, {"helps": {"faults_per_s": 2.0}})
    assert [load.kind for load in found.loads] == [SAME]


@pytest.mark.parametrize(
    ("verdicts", "kind"),
    [
        (["better", "same"], HELPS), (["WORSE", "unsure"], HURTS), (["better", "WORSE"], MIXED),
        (["same", "same"], SAME), (["n/a"], UNKNOWN), (["same", "unsure"], UNSURE), (["same", "n/a"], UNSURE),
        (["likely better", "same"], UNSURE), (["better", "likely WORSE"], HELPS),
    ],
)  # fmt: skip
def test_what_a_load_says(verdicts: list[str], kind: str) -> None:
    """Only a load whose every cell is the same is the same; one without a value says nothing."""
    assert kind_of([effect("load", 1, 1.0, verdict) for verdict in verdicts]) == kind


def test_loss_is_positive_where_it_is_worse() -> None:
    """Rates lose below one, times above; against zero any time is infinitely worse."""
    assert loss(effect("load", 1, 0.5, "WORSE")) == pytest.approx(math.log(2))
    assert loss(effect("load", 1, 2.0, "WORSE", "writer_p99")) == pytest.approx(math.log(2))
    assert loss(effect("load", 1, 0.5, "better", "writer_p99")) < 0
    assert loss(effect("load", 1, math.nan, "WORSE", "writer_p99")) == math.inf


def test_of_draws_an_interval_is_that_of_one_machine_and_an_open_cell_says_on_what_it_depends() -> None:
    """Eight draws of a figure between 0.8 and 1.2, of which the ratio is 1.1 times as much.

    Their logarithms deviate by 0.14: 95 % of such machines are within a factor of 1.4 of x1.09, so nothing is
    sure.
    """
    factors = [0.8, 0.85, 0.95, 1.0, 1.0, 1.05, 1.15, 1.2]
    draws = Draws(command="made up", discrepancy=0.1, figures=["figure"], factors=[[f] for f in factors])
    rows = [
        (who, "load", axes_key({"threads": 4}), seed, "faults_per_s", value)
        for seed, factor in enumerate(factors, 1)
        for who, value in (("base", 1e6), ("mine", 1.1e6 * factor))
    ]
    frame = pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"])
    [found] = make_duel(frame, "mine", "base", {"load": "a title"}, draws=draws).effects
    [alone] = make_duel(frame, "mine", "base", {"load": "a title"}).effects
    assert found.ratio == alone.ratio
    # Of one more sample: sqrt(1 + 8) times the half-width of the mean.
    assert math.log(found.ratio_high / found.ratio) == pytest.approx(
        3 * math.log(alone.ratio_high / alone.ratio)
    )
    assert (found.of_draws, alone.of_draws) == (True, False)
    assert found.verdict in OPEN
    assert figures_of([found.remark]) == [("figure", 1)]
    assert (
        spread_of(found)
        == f"{units.ratio(found.ratio)} ({units.interval(found.ratio_low, found.ratio_high)})"
    )
    assert "±" in spread_of(alone)
