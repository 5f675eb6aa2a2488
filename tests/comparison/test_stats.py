"""The statistics of a comparison, against numbers derived by hand and properties of any sample."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.comparison import stats
from spfvar.comparison.metrics import METRICS, Metric

POINT = '{"threads": 16}'
TIME = "fault_p50"
RATE = "faults_per_s"
SHARE = "mmap_lock_share"

positive = st.floats(min_value=1e-3, max_value=1e9)
some_values = st.lists(positive, min_size=2, max_size=8)
# Time limits per example make tests fail on busy machines.
quick = settings(deadline=None, max_examples=50)
value_pairs = st.lists(st.tuples(positive, positive), min_size=2, max_size=8)


def frame(
    values: Mapping[str, Sequence[float]], metric: str = TIME, scenario: str = "page_fault1"
) -> pd.DataFrame:
    """Samples of one cell per variant; the seeds are 1, 2, ..."""
    rows = [
        (variant, scenario, POINT, seed, metric, value)
        for variant, of_variant in values.items()
        for seed, value in enumerate(of_variant, start=1)
    ]
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"]).astype(
        {"value": float}
    )


def cell(values: Sequence[float], metric: str = TIME) -> dict[str, float | str]:
    return row(stats.summarise(frame({"mmap-lock": values}, metric)))


def comparison(base: Sequence[float], other: Sequence[float], metric: str = TIME) -> dict[str, float | str]:
    samples = frame({"mmap-lock": base, "spf": other}, metric)
    return row(stats.compare_to(samples, "mmap-lock"))


def row(table: pd.DataFrame) -> dict[str, float | str]:
    assert len(table) == 1
    return {str(name): value for name, value in table.to_dict("records")[0].items()}


def verdict_at(threshold: dict[str, dict[str, float]], rate: float) -> object:
    """The verdict on a rate against 100, with next to no spread, under thresholds by scenario and metric."""
    values = {"mmap-lock": [100, 100.01, 99.99], "spf": [rate, rate + 0.01, rate - 0.01]}
    return row(stats.compare_to(frame(values, RATE), "mmap-lock", thresholds=threshold))["verdict"]


class TestThresholds:
    def test_a_scenario_s_threshold_takes_the_place_of_the_metric_s(self) -> None:
        """97 is 3 % below 100: beyond the 1 % of a rate, within 5 %; another scenario's or metric's is none."""
        assert METRICS[RATE].noise == 0.01
        assert verdict_at({}, 97) == "WORSE"
        assert verdict_at({"page_fault1": {RATE: 0.05}}, 97) == "same"
        assert verdict_at({"page_fault2": {RATE: 0.05}}, 97) == "WORSE"
        assert verdict_at({"page_fault1": {TIME: 0.05}}, 97) == "WORSE"

    def test_a_threshold_may_be_sharper_than_the_metric_s(self) -> None:
        """100.5 is within 1 % of 100; a threshold of 0.2 % tells it apart, and one of zero too."""
        assert verdict_at({}, 100.5) == "same"
        assert verdict_at({"page_fault1": {RATE: 0.002}}, 100.5) == "better"
        assert verdict_at({"page_fault1": {RATE: 0.0}}, 100.5) == "better"


class TestSummarise:
    def test_a_time_has_the_arithmetic_mean_and_its_t_interval(self) -> None:
        # Mean of 10, 12, 14 is 12, standard deviation 2; t(0.975, 2 degrees) = 4.302653, so the
        # half-width is 4.302653 * 2 / sqrt(3) = 4.968275.
        result = cell([10, 12, 14])
        assert result["value"] == pytest.approx(12)
        assert result["ci_low"] == pytest.approx(12 - 4.968275)
        assert result["ci_high"] == pytest.approx(12 + 4.968275)
        assert result["n"] == 3

    def test_a_rate_has_the_harmonic_mean_and_the_interval_of_its_reciprocals(self) -> None:
        # Reciprocals of 4, 5 are 0.25, 0.2: mean 0.225, deviation 0.05 / sqrt(2); with
        # t(0.975, 1 degree) = 12.706205 the half-width is 12.706205 * 0.05 / 2 = 0.3176551.
        # The harmonic mean is 1 / 0.225, the lower end 1 / 0.5426551; the interval of the
        # reciprocals reaches below zero, so that the rate has no upper end.
        result = cell([4, 5], RATE)
        assert result["value"] == pytest.approx(1 / 0.225)
        assert result["ci_low"] == pytest.approx(1 / 0.5426551)
        assert result["ci_high"] == math.inf
        assert stats.UNBOUNDED in str(result["warning"])

    def test_a_rate_that_varies_little_has_a_finite_interval(self) -> None:
        # Reciprocals of 100, 125 and 500/4.5 are 0.010, 0.008, 0.009: mean 0.009, deviation
        # 0.001, half-width 4.302653 * 0.001 / sqrt(3) = 0.002484138.
        result = cell([100, 125, 500 / 4.5], RATE)
        assert result["value"] == pytest.approx(1 / 0.009)
        assert result["ci_low"] == pytest.approx(1 / 0.011484138)
        assert result["ci_high"] == pytest.approx(1 / 0.006515862)

    def test_a_standstill_makes_a_rate_zero_and_says_so(self) -> None:
        # 1 / 0 has no finite mean with anything; its reciprocal is zero.
        result = cell([0, 5, 5, 5, 5, 5], RATE)
        assert result["value"] == 0
        assert math.isnan(float(result["ci_low"]))
        assert result["warning"] == stats.ZERO_RATE

    def test_one_seed_has_no_interval(self) -> None:
        result = cell([7])
        assert result["value"] == 7
        assert math.isnan(float(result["ci_low"]))
        assert math.isnan(float(result["ci_high"]))
        assert result["warning"] == stats.ONE_SEED

    @pytest.mark.parametrize(("n", "warned"), [(2, True), (5, True), (6, False), (7, False)])
    def test_few_seeds_carry_a_warning(self, n: int, warned: bool) -> None:
        expected = f"only {n} seeds: intervals and verdicts are rough" if warned else ""
        assert cell([10 + i for i in range(n)])["warning"] == expected

    @pytest.mark.parametrize("metric", [TIME, RATE])
    def test_without_variance_the_interval_is_the_value(self, metric: str) -> None:
        result = cell([8.0] * 6, metric)
        assert result["ci_low"] == result["value"] == result["ci_high"] == 8.0
        assert result["warning"] == ""

    def test_a_value_that_applies_to_no_seed_stays_nan_without_a_warning(self) -> None:
        result = cell([math.nan] * 6)
        assert math.isnan(float(result["value"]))
        assert result["n"] == 0
        assert result["warning"] == ""

    def test_seeds_without_a_value_are_left_out_and_counted(self) -> None:
        result = cell([10, math.nan, 12, 14, 10, 12, 14, math.nan])
        assert result["n"] == 6
        assert result["value"] == pytest.approx(12)
        assert result["warning"] == "2 of 8 seeds have no value"

    def test_cells_come_in_the_order_of_their_first_sample(self) -> None:
        samples = pd.concat([frame({"z": [1, 2], "a": [1, 2]}, metric) for metric in (SHARE, TIME)])
        cells = stats.summarise(samples)
        assert list(zip(cells["metric"], cells["variant"], strict=True)) == [
            (SHARE, "z"),
            (SHARE, "a"),
            (TIME, "z"),
            (TIME, "a"),
        ]
        assert list(cells.columns) == stats.CELL_COLUMNS

    @quick
    @given(some_values, st.sampled_from([TIME, RATE]))
    def test_the_interval_contains_the_estimate(self, values: list[float], metric: str) -> None:
        result = cell(values, metric)
        assert float(result["ci_low"]) <= float(result["value"]) <= float(result["ci_high"])

    @quick
    @given(some_values)
    def test_the_harmonic_mean_is_never_above_the_arithmetic_one(self, values: list[float]) -> None:
        assert float(cell(values, RATE)["value"]) <= float(cell(values)["value"]) * (1 + 1e-12)

    def test_the_interval_covers_the_mean_of_normal_samples_95_times_in_100(self) -> None:
        # 2000 cells of 6 seeds. The number of hits is binomial with standard deviation
        # sqrt(2000 * 0.95 * 0.05) = 9.7, so three deviations are 1.5 per cent of all.
        values = np.random.default_rng(24).normal(100, 5, size=(2000, 6))
        cells = stats.summarise(frame({f"v{i}": list(v) for i, v in enumerate(values)}))
        hits = (cells["ci_low"] <= 100) & (cells["ci_high"] >= 100)
        assert hits.mean() == pytest.approx(0.95, abs=0.015)


class TestCompare:
    def test_the_ratio_is_the_geometric_mean_of_the_ratios_per_seed(self) -> None:
        # Log-ratios to base 2 are 1, 2, 3: mean 2 (ratio 4), deviation 1, half-width
        # 4.302653 / sqrt(3) = 2.484138 powers of two.
        result = comparison([1, 1, 1], [2, 4, 8])
        assert result["ratio"] == pytest.approx(4)
        assert result["ci_low"] == pytest.approx(2 ** (2 - 2.484138))
        assert result["ci_high"] == pytest.approx(2 ** (2 + 2.484138))
        # t(0.9995, 2 degrees) = 31.599055: half-width 31.599055 / sqrt(3) = 18.243723 powers of two.
        assert result["ci999_low"] == pytest.approx(2 ** (2 - 18.243723))
        assert result["ci999_high"] == pytest.approx(2 ** (2 + 18.243723))
        assert result["verdict"] == "unsure"

    def test_pairing_removes_what_the_seed_does_to_both(self) -> None:
        # The seeds differ by a factor of 50, the variants always by 1.05: unpaired this is lost.
        base = [1.0, 3.0, 10.0, 20.0, 35.0, 50.0]
        result = comparison(base, [1.05 * value for value in base])
        assert result["ratio"] == pytest.approx(1.05)
        assert result["verdict"] == "WORSE"

    def test_pairs_are_made_by_seed_and_not_by_position(self) -> None:
        samples = frame({"mmap-lock": [1, 2, 4, 8, 16, 32], "spf": [2, 4, 8, 16, 32, 64]})
        turned = pd.concat([samples[:6], samples[6:][::-1]])
        pd.testing.assert_frame_equal(
            stats.compare_to(samples, "mmap-lock"), stats.compare_to(turned, "mmap-lock")
        )

    @pytest.mark.parametrize(
        ("metric", "factor", "verdict"),
        [(TIME, 0.5, "better"), (TIME, 2, "WORSE"), (RATE, 0.5, "WORSE"), (RATE, 2, "better")],
    )
    def test_the_direction_of_the_metric_decides_what_is_better(
        self, metric: str, factor: float, verdict: str
    ) -> None:
        base = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0]
        result = comparison(base, [factor * value for value in base], metric)
        assert result["verdict"] == verdict

    @pytest.mark.parametrize(("factor", "verdict"), [(2.0, "differs"), (1.0, "same")])
    def test_a_metric_without_direction_only_differs(self, factor: float, verdict: str) -> None:
        neutral = Metric("size", "size", "objects", "neutral", "arithmetic", 0.01, "Size.")
        samples = frame({"mmap-lock": [1.0, 2.0], "spf": [factor, 2 * factor]}, "size")
        result = row(stats.compare_to(samples, "mmap-lock", {"size": neutral}))
        assert result["verdict"] == verdict

    def test_a_difference_within_the_noise_is_the_same_however_sure_it_is(self) -> None:
        # 1 % is under the 2 % of the metric; without variance its interval is one point.
        result = comparison([100.0] * 6, [101.0] * 6)
        assert METRICS[TIME].noise == 0.02
        assert result["ci999_low"] == pytest.approx(1.01) == result["ci999_high"]
        assert (result["verdict"], result["warning"]) == ("same", "")

    def test_a_difference_under_the_floor_is_the_same_however_large_its_ratio(self) -> None:
        # 0.0001 to 0.0004 is x4 but only 0.03 percentage points, under the floor of 0.1.
        result = comparison([0.0001] * 6, [0.0004] * 6, SHARE)
        assert METRICS[SHARE].floor == 0.001
        assert result["ratio"] == pytest.approx(4)
        assert result["verdict"] == "same"

    def test_a_zero_turns_the_test_into_one_of_differences(self) -> None:
        # Differences are 0.3, 0.5 and so on three times: mean 0.4, deviation
        # sqrt(6 * 0.01 / 5) = 0.1095445; t(0.975, 5 degrees) = 2.570582 gives the half-width
        # 2.570582 * 0.1095445 / sqrt(6) = 0.1149599. The mean of the baseline is 0.2.
        result = comparison([0, 0.4, 0, 0.4, 0, 0.4], [0.3, 0.9, 0.3, 0.9, 0.3, 0.9], SHARE)
        assert result["ratio"] == pytest.approx(1 + 0.4 / 0.2)
        assert result["ci_low"] == pytest.approx(1 + (0.4 - 0.1149599) / 0.2)
        assert result["ci_high"] == pytest.approx(1 + (0.4 + 0.1149599) / 0.2)
        assert result["verdict"] == "WORSE"
        assert result["warning"] == stats.AS_DIFFERENCE

    def test_a_baseline_of_zero_has_a_verdict_but_no_ratio(self) -> None:
        result = comparison([0.0] * 6, [0.5, 0.6, 0.5, 0.6, 0.5, 0.6], SHARE)
        assert math.isnan(float(result["ratio"]))
        assert result["verdict"] == "WORSE"
        assert result["warning"] == stats.NO_RATIO

    def test_zero_on_both_sides_is_the_same(self) -> None:
        result = comparison([0.0] * 6, [0.0] * 6, SHARE)
        assert (result["verdict"], result["warning"]) == ("same", "")

    @pytest.mark.parametrize(
        ("base", "other", "warning"),
        [
            ([math.nan] * 6, [1.0] * 6, stats.NO_BASELINE),
            ([1.0] * 6, [math.nan] * 6, ""),
            ([math.nan, 1.0], [1.0, math.nan], stats.NO_COMMON_SEED),
            ([1.0], [2.0], stats.ONE_SEED),
        ],
    )
    def test_what_cannot_be_compared_is_not_applicable(
        self, base: list[float], other: list[float], warning: str
    ) -> None:
        result = comparison(base, other)
        assert (result["verdict"], result["warning"]) == ("n/a", warning)

    def test_a_cell_that_the_baseline_does_not_have_is_not_applicable(self) -> None:
        samples = pd.concat([frame({"mmap-lock": [1, 2]}), frame({"spf": [1, 2]}, scenario="page_fault3")])
        result = row(stats.compare_to(samples, "mmap-lock"))
        assert (result["verdict"], result["warning"]) == ("n/a", stats.NO_BASELINE)

    def test_seeds_without_a_partner_are_counted(self) -> None:
        base = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, math.nan]
        result = comparison(base, [2.0, 2.2, 2.4, 2.6, 2.8, 3.0, 99.0])
        assert result["ratio"] == pytest.approx(2)
        assert result["warning"] == "only 6 of 7 seeds have a partner in the baseline"

    def test_only_the_other_variants_have_rows(self) -> None:
        samples = frame({"a": [1, 2], "base": [1, 2], "z": [1, 2]})
        comparisons = stats.compare_to(samples, "base")
        assert list(comparisons["variant"]) == ["a", "z"]
        assert list(comparisons.columns) == stats.COMPARISON_COLUMNS

    def test_a_baseline_alone_has_no_comparisons(self) -> None:
        comparisons = stats.compare_to(frame({"mmap-lock": [1, 2]}), "mmap-lock")
        assert comparisons.empty
        assert list(comparisons.columns) == stats.COMPARISON_COLUMNS

    @quick
    @given(some_values)
    def test_identical_samples_are_the_same(self, values: list[float]) -> None:
        result = comparison(values, values)
        assert (result["ratio"], result["verdict"]) == (1, "same")

    @quick
    @given(value_pairs, st.integers(min_value=-8, max_value=8))
    def test_the_unit_of_the_values_does_not_matter(
        self, pairs: list[tuple[float, float]], power: int
    ) -> None:
        base, other = zip(*pairs, strict=True)
        scaled = comparison([v * 2.0**power for v in base], [v * 2.0**power for v in other])
        plain = comparison(base, other)
        assert scaled["verdict"] == plain["verdict"]
        ends = ["ratio", "ci_low", "ci_high"]
        assert [scaled[end] for end in ends] == pytest.approx([plain[end] for end in ends])

    @quick
    @given(value_pairs)
    def test_swapping_the_sides_inverts_the_ratio(self, pairs: list[tuple[float, float]]) -> None:
        base, other = zip(*pairs, strict=True)
        there, back = comparison(base, other), comparison(other, base)
        assert float(there["ratio"]) * float(back["ratio"]) == pytest.approx(1)

    @quick
    @given(value_pairs)
    def test_the_interval_contains_the_ratio(self, pairs: list[tuple[float, float]]) -> None:
        base, other = zip(*pairs, strict=True)
        result = comparison(base, other)
        assert float(result["ci_low"]) <= float(result["ratio"]) <= float(result["ci_high"])


class TestEvents:
    def events(self, counts: Mapping[int, float]) -> pd.DataFrame:
        rows = [("spf", "page_fault1", POINT, seed, "odd", n) for seed, n in counts.items()]
        return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "event", "value"])

    def test_a_run_without_a_row_had_no_event(self) -> None:
        # 3 + 5 in four runs is 2 per run.
        result = row(stats.summarise_events(self.events({1: 3, 4: 5}), frame({"spf": [1] * 4})))
        assert (result["per_1000"], result["n"]) == (2, 4)

    def test_events_of_a_cell_without_samples_are_refused(self) -> None:
        with pytest.raises(ValueError, match="without samples: variant spf, scenario page_fault1"):
            stats.summarise_events(self.events({1: 3}), frame({"mmap-lock": [1]}))


class TestInput:
    def test_a_missing_column_is_named(self) -> None:
        with pytest.raises(ValueError, match=r"samples lack the column\(s\) seed"):
            stats.summarise(frame({"spf": [1]}).drop(columns="seed"))

    def test_an_unknown_metric_is_named(self) -> None:
        with pytest.raises(ValueError, match="did you mean 'fault_p50'"):
            stats.summarise(frame({"spf": [1]}, "fault_50"))

    def test_a_sample_given_twice_is_named(self) -> None:
        samples = pd.concat([frame({"spf": [1]}), frame({"spf": [2]})])
        with pytest.raises(ValueError, match=r"given twice: variant spf, .* seed 1"):
            stats.summarise(samples)

    def test_an_infinite_value_is_named(self) -> None:
        with pytest.raises(ValueError, match=r"infinite value: variant spf, .* seed 2"):
            stats.summarise(frame({"spf": [1, math.inf]}))

    def test_a_negative_rate_is_named(self) -> None:
        with pytest.raises(ValueError, match="negative rate: variant spf"):
            stats.summarise(frame({"spf": [-1]}, RATE))

    def test_two_spellings_of_one_point_are_refused(self) -> None:
        samples = frame({"spf": [1]}).assign(axes='{"threads":16}')
        with pytest.raises(ValueError, match=r"not canonical, write '\{\"threads\": 16\}'"):
            stats.summarise(samples)

    def test_the_spelling_of_a_point_does_not_depend_on_the_order_of_its_axes(self) -> None:
        assert stats.axes_key({"threads": 1, "hit": 0.5}) == '{"hit": 0.5, "threads": 1}'

    def test_an_unknown_baseline_is_refused_with_the_variants_there_are(self) -> None:
        with pytest.raises(ValueError, match=r"'nope' has no samples \(variants: mmap-lock, spf\)"):
            stats.compare_to(frame({"mmap-lock": [1], "spf": [1]}), "nope")

    def test_the_samples_are_left_as_they_were(self) -> None:
        samples = frame({"mmap-lock": [4, 5], "spf": [0, 5]}, RATE)
        before = samples.copy()
        stats.summarise(samples)
        stats.compare_to(samples, "mmap-lock")
        pd.testing.assert_frame_equal(samples, before)
