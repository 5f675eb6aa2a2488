"""Samples that are draws: seeds with one draw are one machine."""

from __future__ import annotations

import pandas as pd
import pytest

from spfvar.comparison.stats import axes_key
from spfvar.matrix.compare import by_draw, judged
from spfvar.scenario.hardware import Draws

DRAWS = Draws(command="made up", discrepancy=0.1, figures=["f"], factors=[[0.9], [1.0], [1.1]])


def samples(seeds: range, rate: dict[str, float]) -> pd.DataFrame:
    """A rate that depends on the draw of the seed (1, 1.1, 1.2 of ``rate``), and a latency that is the seed."""
    rows = [
        (who, "load", axes_key({"threads": 1}), seed, metric, value)
        for seed in seeds
        for who, first in rate.items()
        for metric, value in (
            ("faults_per_s", first * (1 + 0.1 * DRAWS.of_seed(seed))), ("fault_p50", float(seed)),
        )
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"])


def test_seeds_of_one_draw_are_one_sample() -> None:
    """Seeds 1 to 6 with three draws: 1 and 4 are of the first; rates by their harmonic mean, times by the other."""
    frame = samples(range(1, 4), {"one": 2.0})
    frame = pd.concat([frame, samples(range(4, 7), {"one": 6.0})])
    found = by_draw(frame, DRAWS)
    assert list(found["seed"].unique()) == [1, 2, 3]
    values = found.set_index(["metric", "seed"])["value"]
    assert values["faults_per_s", 1] == pytest.approx(3.0)  # 2 / (1/2 + 1/6)
    assert values["fault_p50", 1] == pytest.approx(2.5)  # of seeds 1 and 4
    pd.testing.assert_frame_equal(by_draw(frame, None), frame)


def test_no_more_seeds_than_draws_stay_as_they_are() -> None:
    """Wherever they begin: no draw is met twice."""
    frame = samples(range(6, 9), {"one": 2.0})
    assert by_draw(frame, DRAWS) is frame


def test_draws_that_are_met_again_make_nothing_surer() -> None:
    """Twice the seeds of the same three machines give the interval of three machines."""
    rate = {"base": 1.0, "one": 2.0}
    few, many = (judged(samples(range(1, n), rate), "base", {}, DRAWS) for n in (4, 7))
    columns = ["ratio", "ci_low", "ci_high", "verdict"]
    row, again = (frame[frame["metric"] == "faults_per_s"][columns].iloc[0] for frame in (few, many))
    assert row["verdict"] == again["verdict"]
    assert [float(again[name]) for name in columns[:3]] == pytest.approx(
        [float(row[name]) for name in columns[:3]]
    )
