"""What docs/compare.md says of verdicts, by rule, by simulation, and as properties of any samples."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.comparison.metrics import METRICS, Metric
from spfvar.comparison.stats import compare_to
from spfvar.comparison.verdicts import DRAWS, SURE
from spfvar.matrix import catalogue
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.plan import make_plan
from spfvar.matrix.run import run_plan
from spfvar.plugins.registry import load_registry
from spfvar.scenario.schema import Scenario

RATE, TIME, SHARE = "faults_per_s", "fault_p99", "mmap_lock_share"
POINT = '{"threads": 16}'
NEUTRAL = Metric("size", "size", "objects", "neutral", "arithmetic", 0.02, "Size.")
Values = npt.NDArray[np.float64]

quick = settings(deadline=None, max_examples=30)


def samples(base: Values, other: Values, metric: str) -> pd.DataFrame:
    """Cells x seeds on either side: every cell is a scenario of its own."""
    cells, seeds = base.shape
    frames = [
        pd.DataFrame(
            {
                "variant": variant,
                "scenario": np.repeat([f"s{i}" for i in range(cells)], seeds),
                "axes": POINT,
                "seed": np.tile(np.arange(seeds), cells),
                "metric": metric,
                "value": values.ravel(),
            }
        )
        for variant, values in (("base", base), ("other", other))
    ]
    return pd.concat(frames, ignore_index=True)


def verdicts(base: Values, other: Values, metric: str = RATE) -> list[str]:
    """The verdict of each cell."""
    return list(compare_to(samples(base, other, metric), "base")["verdict"])


def verdict(base: Sequence[float], other: Sequence[float], metric: str = RATE) -> str:
    """The verdict of one cell."""
    (found,) = verdicts(np.array([base], dtype=float), np.array([other], dtype=float), metric)
    return found


class TestRule:
    """Both intervals against the threshold, by hand.

    Six seeds of log-ratios m - d and m + d, three of each, have the mean m and the deviation d sqrt(6 / 5).
    With t(0.975, 5) = 2.570582 and t(0.9995, 5) = 6.868827, the halves of the intervals are
    2.570582 d / sqrt(5) = 1.149599 d and 6.868827 d / sqrt(5) = 3.071833 d.
    """

    @staticmethod
    def at(mean: float, spread: float, metric: str = RATE) -> str:
        logs = mean + spread * np.array([-1, 1, -1, 1, -1, 1])
        return verdict([100.0] * 6, list(100 * np.exp(logs)), metric)

    def test_better_and_worse_need_the_whole_sure_interval_beyond_the_noise(self) -> None:
        # A rate's noise is 1 %, log(1.01) = 0.00995. With d = 0.01 the half is 0.030718: the mean has to
        # be 0.04067 away; that it is significantly not zero (0.0308 would do for that) is not enough.
        assert self.at(0.0408, 0.01) == "better"
        assert self.at(-0.0408, 0.01) == "WORSE"
        assert self.at(0.0405, 0.01) == "unsure"
        assert self.at(-0.0405, 0.01) == "unsure"

    def test_lower_is_better_for_a_time(self) -> None:
        # log(1.03) = 0.02956 + 0.030718 = 0.060277.
        assert METRICS[TIME].noise == 0.03
        assert self.at(0.0604, 0.01, TIME) == "WORSE"
        assert self.at(-0.0604, 0.01, TIME) == "better"
        assert self.at(0.0601, 0.01, TIME) == "unsure"

    def test_same_needs_the_whole_95_percent_interval_within_the_noise(self) -> None:
        # With d = 0.005 the half is 0.005748: the mean may be 0.00995 - 0.005748 = 0.004202 away.
        assert self.at(0.0041, 0.005) == "same"
        assert self.at(-0.0041, 0.005) == "same"
        assert self.at(0.0043, 0.005) == "unsure"
        # No difference at all, but so much noise that 1 % cannot be seen: nobody knows.
        assert self.at(0.0, 0.02) == "unsure"

    def test_two_seeds_far_apart_are_unsure_and_not_the_same(self) -> None:
        # x0.78 on average; t(0.9995, 1) is 636.6.
        assert verdict([100, 100], [76, 80]) == "unsure"

    def test_runs_that_do_not_vary_are_never_unsure(self) -> None:
        """Up to and including the threshold, from either side, it is the same, and from there on it is not."""
        for factor in (1.0, 1.0099, 1.01, 1 / 1.01, 0.9902):
            assert verdict([100.0] * 2, [100 * factor] * 2) == "same"
        assert verdict([100.0] * 2, [101.01] * 2) == "better"
        assert verdict([100.0] * 2, [100 / 1.0101] * 2) == "WORSE"

    def test_one_seed_is_not_judged(self) -> None:
        assert verdict([100], [50]) == "n/a"

    def test_a_metric_without_direction_differs_by_the_same_rule(self) -> None:
        for other, expected in (([200.0] * 3, "differs"), ([100.0] * 3, "same"), ([90, 110, 130], "unsure")):
            frame = samples(np.full((1, 3), 100.0), np.array([other], dtype=float), "size")
            assert list(compare_to(frame, "base", {"size": NEUTRAL})["verdict"]) == [expected]

    def test_a_floor_has_to_be_passed_as_surely_as_the_noise(self) -> None:
        """A share's floor is 0.1 points: a tenfold share of nearly nothing is within it, or not beyond it."""
        assert METRICS[SHARE].floor == 0.001
        assert verdict([1e-5] * 6, [1e-4] * 6, SHARE) == "same"
        # Differences of 0.0011 +- 0.0005, the half of their sure interval is 0.0015: x12, but open.
        assert verdict([1e-4] * 6, [0.0007, 0.0017] * 3, SHARE) == "unsure"
        assert verdict([1e-4] * 6, [0.0027, 0.0037] * 3, SHARE) == "WORSE"

    def test_from_zero_the_difference_decides(self) -> None:
        # Nothing to divide by: 0 to 1 % +- 0.1 points is beyond the floor; to 0.3 +- 0.25 points it is open.
        assert verdict([0.0] * 6, [0.009, 0.011] * 3, SHARE) == "WORSE"
        assert verdict([0.0] * 6, [0.0005, 0.0055] * 3, SHARE) == "unsure"
        assert verdict([0.0] * 6, [0.0005, 0.0006] * 3, SHARE) == "same"
        # A rate that comes to a standstill in half of the runs: x0.5, but with a spread as large.
        assert verdict([100.0] * 6, [0.0, 100.0] * 3) == "unsure"
        assert verdict([100.0] * 6, [0.0] * 6) == "WORSE"


def noisy(rng: np.random.Generator, kind: str, shape: tuple[int, int]) -> Values:
    """Values of mean 0 and a deviation of 1."""
    if kind == "skewed":
        return rng.exponential(size=shape) - 1
    if kind == "two values":
        return rng.choice([-1.0, 1.0], size=shape)
    return rng.standard_normal(shape)


class TestSimulation:
    """Rates of false verdicts, as docs/compare.md gives them.

    Counts of N cells at a rate p are binomial: the bounds are N p and four deviations sqrt(N p (1 - p)).
    """

    CELLS = 10_000

    def rate_of(self, found: Sequence[str], *words: str) -> float:
        return sum(one in words for one in found) / len(found)

    @staticmethod
    def at_most(rate: float, cells: int) -> float:
        return rate + 4 * math.sqrt(rate * (1 - rate) / cells)

    @pytest.mark.parametrize("kind", ["normal", "skewed", "two values"])
    @pytest.mark.parametrize("spread", [0.001, 0.01, 0.2])
    def test_two_names_for_one_text_hardly_ever_differ(self, kind: str, spread: float) -> None:
        """At most 1 of 1000 cells, however much the runs vary."""
        rng = np.random.default_rng(5)
        base, other = (100 * np.exp(spread * noisy(rng, kind, (self.CELLS, 6))) for _ in range(2))
        found = verdicts(base, other)
        assert self.rate_of(found, "better", "WORSE") <= 1 - SURE

    def test_a_table_of_80_null_cells_is_wrong_at_most_once_in_20_times(self) -> None:
        """With the noise of the metrics, and rightly without any but for 8 of 100: 1 - 0.999^80 = 7.7 %."""
        rng = np.random.default_rng(6)
        base, other = (100 * np.exp(0.02 * rng.standard_normal((250 * 80, 6))) for _ in range(2))
        wrong = np.isin(verdicts(base, other), ["better", "WORSE"]).reshape(250, 80).any(axis=1)
        assert wrong.mean() <= 0.05
        frame = samples(base, other, RATE)
        nothing = {f"s{i}": {RATE: 0.0} for i in range(250 * 80)}
        strict = compare_to(frame, "base", thresholds=nothing)["verdict"]
        wrong = np.isin(strict, ["better", "WORSE"]).reshape(250, 80).any(axis=1)
        # The test can fail: without a threshold there are some, about as many as were computed.
        assert 0.03 < wrong.mean() <= self.at_most(1 - 0.999**80, 250)

    @pytest.mark.parametrize("metric", [RATE, TIME])
    @pytest.mark.parametrize("side", [1, -1])
    def test_a_ratio_at_the_threshold_is_judged_wrongly_as_rarely_as_promised(
        self, metric: str, side: int
    ) -> None:
        """The worst case of both: `same` in at most 2.5 % of the cells, better or WORSE in 1 of 2000."""
        rng = np.random.default_rng(7)
        edge = side * math.log1p(METRICS[metric].noise)
        for spread in (0.002, 0.02):
            logs = edge + spread * rng.standard_normal((self.CELLS, 6))
            found = verdicts(np.full((self.CELLS, 6), 100.0), 100 * np.exp(logs), metric)
            assert self.rate_of(found, "same") <= self.at_most(0.025, self.CELLS)
            assert self.rate_of(found, "better", "WORSE") <= self.at_most((1 - SURE) / 2, self.CELLS)
            if spread == 0.002:  # small beside the noise: the rates are reached, and no more
                assert self.rate_of(found, "same") >= 0.025 - (self.at_most(0.025, self.CELLS) - 0.025)

    def test_at_the_edge_of_both_thresholds_same_is_wrong_at_most_once_in_20_times(self) -> None:
        """5 % and 5.1 % of faults are 2 % and 0.1 points apart, and the workload moves both by a third."""
        rng = np.random.default_rng(11)
        base = 0.05 * np.exp(0.3 * rng.standard_normal((self.CELLS, 6)))
        other = 1.02 * base * np.exp(0.002 * rng.standard_normal((self.CELLS, 6)))
        found = verdicts(base, other, SHARE)
        assert 0.025 < self.rate_of(found, "same") <= self.at_most(0.05, self.CELLS)
        assert self.rate_of(found, "better", "WORSE") <= (1 - SURE) / 2

    def test_what_is_large_beside_the_spread_is_found(self) -> None:
        """Power at 6 seeds, with a spread of 1 % from run to run of either side.

        The deviation of a log-ratio is 1.4 %; the half of the sure interval 4 %, and 10 % leave 9 % beyond
        the noise.  At 12 seeds equal variants whose deviation is 0.7 % are found to be the same: half 0.45 %.
        """
        rng = np.random.default_rng(8)
        base, other = (100 * np.exp(0.01 * rng.standard_normal((2000, 6))) for _ in range(2))
        assert self.rate_of(verdicts(base, 1.1 * other), "better") > 0.95
        assert self.rate_of(verdicts(base, other / 1.1), "WORSE") > 0.95
        base, other = (100 * np.exp(0.005 * rng.standard_normal((2000, 12))) for _ in range(2))
        assert self.rate_of(verdicts(base, other), "same") > 0.9

    def test_more_seeds_tell(self) -> None:
        """What is unsure with 6 seeds becomes sure: the share of unsure cells falls with their number."""
        rng = np.random.default_rng(9)
        unsure = []
        for seeds in (2, 6, 12, 24):
            base, other = (100 * np.exp(0.02 * rng.standard_normal((1000, seeds))) for _ in range(2))
            unsure.append(self.rate_of(verdicts(base, 1.05 * other), "unsure"))
        assert unsure == sorted(unsure, reverse=True)
        assert unsure[0] > 0.9
        assert unsure[-1] < 0.1


#: Threads that fault while another maps and unmaps: little enough of it to be cheap.
TINY = """
kind = "load"
title = "a tiny load"
source = "none"

[axes.threads]
doc = "threads"
values = [4]

[[region]]
name = "memory"
size = "16GiB"
window = "2MiB"
per = "thread"
mapped = true

[[region]]
name = "scratch"
size = "64KiB"

[[group]]
name = "faulter"
threads = "$threads"
program = [{ touch = "memory", access = "write" }]

[[group]]
name = "mapper"
threads = 1
program = [{ mmap = "scratch" }, { touch = "scratch", access = "write" }, { munmap = "scratch" }]

[measure]
warmup_per_thread = 20
faults = 600
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """240 runs of one variant: seeds as rows, a column per metric that varies."""
    file = tmp_path_factory.mktemp("scenarios") / "tiny.toml"
    file.write_text(TINY)
    scenarios: Catalogue[Scenario] = catalogue.scenarios()
    scenarios.add_file(str(file))
    plan = make_plan(
        load_registry(), scenarios, catalogue.hardware(), variants=["mmap-lock"], baseline="mmap-lock",
        patterns=["tiny"], seeds=240,
    )  # fmt: skip
    values = run_plan(plan, 1).values
    table = values.pivot_table(index="seed", columns="metric", values="value")
    return table.loc[:, table.nunique() > 1]


@pytest.mark.parametrize(("seeds", "rate"), [(2, 0.004), (6, 0.001)])
def test_simulated_runs_of_one_text_under_two_names_hardly_ever_differ(
    runs: pd.DataFrame, seeds: int, rate: float
) -> None:
    """As normal noise, whatever the distribution of a metric: 500 draws of two times six seeds.

    With two seeds, metrics that take few values can be equal in both by chance.
    """
    assert {RATE, "fault_p50", "fault_p99", "writer_p50"} <= set(runs.columns)
    rng = np.random.default_rng(10)
    picks = np.array([rng.permutation(len(runs))[: 2 * seeds] for _ in range(500)])
    found: list[str] = []
    for metric in runs.columns:
        values = runs[metric].to_numpy()[picks]
        found += verdicts(values[:, :seeds], values[:, seeds:], str(metric))
    wrong = sum(one in ("better", "WORSE") for one in found)
    assert wrong / len(found) <= rate
    assert set(found) >= {"same", "unsure"}


# --- properties ----------------------------------------------------------------------------------

values_of = st.floats(min_value=0.5, max_value=2.0).map(lambda x: 100 * x) | st.sampled_from(
    [0.0, 100.0, 101.0]
)
cells = st.lists(st.lists(st.tuples(values_of, values_of), min_size=1, max_size=6), min_size=1, max_size=5)
metric_names = st.sampled_from([RATE, TIME, SHARE, "deferred_backlog"])
Cells = list[list[tuple[float, float]]]


def table_of(drawn: Cells, metric: str) -> pd.DataFrame:
    """Samples of cells with different numbers of seeds, in which the threads tell the cells apart."""
    rows = [
        (variant, "s", json.dumps({"threads": place}), seed, metric, value)
        for place, pairs in enumerate(drawn, start=1)
        for seed, pair in enumerate(pairs)
        for variant, value in zip(("base", "other"), pair, strict=True)
    ]
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"])


def by_place(table: pd.DataFrame, baseline: str = "base") -> dict[str, str]:
    """Verdicts by cell."""
    found = compare_to(table, baseline)
    return dict(zip(found["axes"], found["verdict"], strict=True))


@quick
@given(cells, metric_names)
def test_a_cell_has_the_same_verdict_whatever_else_was_run(drawn: Cells, metric: str) -> None:
    """Alone, among others, and beside other variants and metrics."""
    whole = table_of(drawn, metric)
    expected = by_place(whole)
    for axes, rows in whole.groupby("axes"):
        assert by_place(rows) == {axes: expected[str(axes)]}
    third = whole[whole["variant"] == "base"].assign(variant="third", value=7.0)
    more = compare_to(pd.concat([third, whole, whole.assign(metric="makespan")]), "base")
    again = more[(more["variant"] == "other") & (more["metric"] == metric)]
    assert dict(zip(again["axes"], again["verdict"], strict=True)) == expected


@quick
@given(cells, metric_names, st.randoms(use_true_random=False))
def test_the_order_of_the_samples_does_not_matter(drawn: Cells, metric: str, random: object) -> None:
    """Rows shuffled."""
    whole = table_of(drawn, metric)
    order = list(range(len(whole)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert by_place(whole.iloc[order]) == by_place(whole)


@quick
@given(cells, metric_names)
def test_the_other_baseline_turns_the_verdict_round(drawn: Cells, metric: str) -> None:
    """better and WORSE change places, all else stays: what is noise does not depend on who is the baseline."""
    whole = table_of(drawn, metric)
    turned = {"better": "WORSE", "WORSE": "better"}
    expected = {axes: turned.get(word, word) for axes, word in by_place(whole).items()}
    assert by_place(whole, "other") == expected


def drawn(spread: float, centre: float, draws: int, cells: int, seed: int) -> pd.DataFrame:
    """The comparison of many cells whose ratio is lognormal from draw to draw."""
    noise = np.random.default_rng(seed)
    ratios = np.exp(centre + spread * noise.standard_normal((cells, draws)))
    frame = samples(np.ones((cells, draws)), ratios, RATE)
    return compare_to(frame, "base", rule=DRAWS)


@pytest.mark.parametrize("draws", [4, 8, 24])
def test_an_interval_of_draws_has_the_next_draw_in_95_of_100_cases(draws: int) -> None:
    """Not the mean of all: 2,000 cells, of which 1,900 +- 3 x 9.7 hold another draw of their own."""
    found = drawn(0.2, 0.1, draws, 2000, 1)
    following = np.exp(0.1 + 0.2 * np.random.default_rng(2).standard_normal(2000))
    inside = (found["ci_low"] <= following) & (following <= found["ci_high"])
    assert abs(int(inside.sum()) - 1900) <= 3 * 9.8


def test_a_design_that_differs_in_half_of_the_machines_is_seldom_called_better() -> None:
    """A median ratio at the edge of the noise: half of all machines gain.  By the rule (95 % of them, known
    from 8 draws) at most one cell in 40 is called better or WORSE, and few even likely.

    The t interval of one more draw is wider than that of the mean by sqrt(9), so chance alone would have to
    move the mean of 8 by 1.9 x 3 of its deviations.
    """
    found = list(drawn(0.2, math.log(1.01), 8, 2000, 3)["verdict"])
    assert sum(word in ("better", "WORSE") for word in found) <= 2000 / 40
    assert found.count("unsure") > 1800


def test_draws_that_agree_are_better_likely_or_the_same() -> None:
    """Spread 0.01: at +10 % every machine gains, at +2 % some four of five by more than 1 %; at 0.1 % of
    spread none is beyond 1 %."""
    assert set(drawn(0.01, 0.10, 8, 50, 4)["verdict"]) == {"better"}
    assert "likely better" in set(drawn(0.01, 0.025, 8, 50, 5)["verdict"])
    assert "likely WORSE" in set(drawn(0.01, -0.025, 8, 50, 6)["verdict"])
    assert set(drawn(0.001, 0.0, 8, 50, 7)["verdict"]) == {"same"}


def test_two_names_for_one_text_are_the_same_whatever_is_drawn() -> None:
    """A null design: equal runs with every draw."""
    values = np.random.default_rng(8).lognormal(size=(20, 8))
    assert set(compare_to(samples(values, values, RATE), "base", rule=DRAWS)["verdict"]) == {"same"}
