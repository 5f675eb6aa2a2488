"""Where two variants differ, in words."""

from __future__ import annotations

import pandas as pd

from spfvar.comparison.stats import compare_to
from spfvar.render.rivals import duel, sentences


def samples(ratios: dict[str, float], spread: float = 0.0, threads: int = 4) -> pd.DataFrame:
    """Six seeds of variants a and b in scenarios: a is ``ratio`` times b, more or less by ``spread``."""
    rows = []
    for scenario, ratio in ratios.items():
        for seed in range(6):
            base = 1e6 + 100.0 * seed
            for variant, value in (("a", base * (ratio + spread * (-1) ** seed)), ("b", base)):
                rows.append((variant, scenario, f'{{"threads": {threads}}}', seed, "faults_per_s", value))
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


def test_what_is_unsure_is_not_said_to_be_equal() -> None:
    """Ratios of 0.68 and 0.88 in turn: not the same in any sense, and a load with one such cell is open."""
    frame = pd.concat([samples({"open": 0.78}, 0.1), samples({"open": 1.0, "even": 1.0}, threads=8)])
    found = duel(frame, "a", "b")
    assert found is not None
    assert sentences(found) == [
        "a and b do not differ in: even.",
        "a against b is unsure in cells of: open (1 of 2).",
    ]


def test_a_load_that_cannot_be_compared_is_not_said_to_be_equal() -> None:
    """With one seed in common there is no verdict, and so no sentence."""
    frame = samples({"even": 1.0})
    found = duel(frame[frame["seed"] == 0], "a", "b")
    assert found is not None
    assert sentences(found) == []


def test_notes_say_of_a_pair_what_its_table_says() -> None:
    """Against the baseline itself, notes are the verdicts of the whole table, thresholds included."""
    frame = samples({"up": 1.03, "down": 0.5, "even": 1.0, "open": 0.9}, 0.02)
    limits = {"up": {"faults_per_s": 0.2}}
    found = duel(frame, "a", "b", limits)
    third = frame[frame["variant"] == "b"].assign(variant="c")
    table = compare_to(pd.concat([third, frame]), "b", thresholds=limits)
    of_a = table[table["variant"] == "a"]
    assert found is not None
    shown = dict(zip(of_a["scenario"], of_a["verdict"], strict=True))
    assert shown == {"up": "same", "down": "WORSE", "even": "unsure", "open": "WORSE"}
    assert (list(found.worse), found.same, list(found.unsure)) == (["down", "open"], ["up"], ["even"])


def test_no_duel_without_the_rival() -> None:
    """If the rival was not run, nothing is claimed."""
    assert duel(samples({"up": 2.0}), "a", "c") is None
