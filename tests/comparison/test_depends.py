"""Which figure of a machine a ratio depends on: found where there is one, and not by chance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as reference

from spfvar.comparison.depends import CHANCE, leading, ranked, with_dependences
from spfvar.comparison.stats import compare_to
from spfvar.comparison.verdicts import DRAWS

FIGURES = ["latency_ns.remote", "cost_ns.zap_pte", "queue.growth"]


def factors(
    seed: int, draws: int = 12, figures: int = 3
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Lognormal draws."""
    return np.random.default_rng(seed).lognormal(sigma=0.3, size=(draws, figures))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_ratio_that_follows_a_figure_depends_on_it(sign: int) -> None:
    """Any monotone function of it has the rank correlation 1, or -1."""
    drawn = factors(1)
    found = leading(list(np.exp(sign * drawn[:, 1] ** 3)), FIGURES, drawn)
    assert found is not None
    assert (found.figure, round(found.rho, 9)) == ("cost_ns.zap_pte", sign)
    assert str(found).startswith(f"{'more' if sign > 0 else 'less'} with cost_ns.zap_pte")


def test_chance_seldom_names_a_figure() -> None:
    """Of ratios that depend on nothing at most `CHANCE` name one: 400 of them, and three deviations.

    400 x 0.05 = 20, and sqrt(400 x 0.05 x 0.95) = 4.4.
    """
    noise = np.random.default_rng(2)
    named = sum(
        leading(list(noise.lognormal(size=12)), FIGURES * 8, factors(seed, figures=24)) is not None
        for seed in range(400)
    )
    assert named <= 400 * CHANCE + 3 * 4.4


def test_few_draws_name_nothing() -> None:
    """Three points lie in one order or another whatever they are."""
    drawn = factors(3, draws=3)
    assert leading(list(drawn[:, 0]), FIGURES, drawn) is None


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=4, max_size=12))
def test_ranks_are_those_of_scipy(values: list[int]) -> None:
    """Equal numbers share a rank; mean 0 and deviation 1 unless all are equal."""
    column = np.array(values, dtype=np.float64)[:, None]
    expected = reference.rankdata(column[:, 0])
    spread = expected.std() or 1.0
    assert np.allclose(ranked(column)[:, 0], (expected - expected.mean()) / spread)


def test_open_cells_get_a_remark_and_others_none() -> None:
    """The ratio of "other" follows a figure across 1, that of "sure" is 2 whatever it is."""
    drawn = factors(4)
    values = {
        "base": np.ones(12),
        "sure": np.full(12, 2.0),
        "other": drawn[:, 0] / np.median(drawn[:, 0]),
    }
    rows = [
        (name, "load", "{}", seed, "faults_per_s", value)
        for name, of_seed in values.items()
        for seed, value in enumerate(of_seed, 1)
    ]
    columns = ["variant", "scenario", "axes", "seed", "metric", "value"]
    samples = pd.DataFrame(rows, columns=columns)
    found = with_dependences(
        compare_to(samples, "base", rule=DRAWS), samples, "base", FIGURES,
        {seed: list(drawn[seed - 1]) for seed in range(1, 13)},
    )  # fmt: skip
    remarks = dict(zip(found["variant"], found["warning"], strict=True))
    assert remarks["sure"] == ""
    assert remarks["other"].startswith("depends on the machine's figures: more with latency_ns.remote")
