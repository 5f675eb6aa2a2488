"""Where two variants differ, in words."""

from __future__ import annotations

import pandas as pd

from spfvar.report.rivals import duel, sentences


def samples(ratios: dict[str, float]) -> pd.DataFrame:
    """Six seeds of variants a and b in scenarios: a is ``ratio`` times b, with a little noise."""
    rows = []
    for scenario, ratio in ratios.items():
        for seed in range(6):
            base = 1e6 + 100.0 * seed
            for variant, value in (("a", base * ratio), ("b", base)):
                rows.append((variant, scenario, '{"threads": 4}', seed, "faults_per_s", value))
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"])


def test_each_scenario_is_named_once_where_it_belongs() -> None:
    """Twice as fast is better, half as fast is WORSE, equal does not differ."""
    found = duel(samples({"up": 2.0, "down": 0.5, "even": 1.0}), "a", "b")
    assert found is not None
    assert sentences(found) == [
        "a is better than b (faults/s) in: up (x2.00).",
        "a is WORSE than b (faults/s) in: down (x0.50).",
        "a and b do not differ in: even.",
    ]


def test_no_duel_without_the_rival() -> None:
    """If the rival was not run, nothing is claimed."""
    assert duel(samples({"up": 2.0}), "a", "c") is None
