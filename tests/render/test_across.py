"""One comparison on several machines: signs that differ, what is claimed, and its layouts."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from itertools import product

import pandas as pd
import pytest

from spfvar.comparison.across import differing
from spfvar.comparison.metrics import METRICS, select
from spfvar.comparison.places import COLUMN_AXIS
from spfvar.comparison.stats import axes_key, compare_to, summarise, summarise_events
from spfvar.comparison.verdicts import DRAWS
from spfvar.render.across import across_csv, across_json, across_markdown, across_text
from spfvar.render.machines import Across, OnMachine, across_of
from spfvar.render.meta import Meta

BASE, RATE = "base", "faults_per_s"
#: Six draws that differ by 1 %; on one machine in three ways.
SIX = (0.99, 1.0, 1.01, 0.99, 1.0, 1.01)
Gain = Callable[[str, int], float]


def machine(
    name: str, gain: Gain, loads: Mapping[str, tuple[int, ...]], fidelity: str = "Good."
) -> OnMachine:
    """A machine on which "one" has ``gain(load, threads)`` times the baseline's rate in each of six draws."""
    rows = [
        (who, load, axes_key({COLUMN_AXIS: n}), seed, RATE, value * (gain(load, n) if who == "one" else 1))
        for load, threads in loads.items()
        for n, who, (seed, value) in product(threads, (BASE, "one"), enumerate(SIX))
    ]
    columns = ["variant", "scenario", "axes", "seed", "metric", "value"]
    frame = pd.DataFrame(rows, columns=columns)
    events = pd.DataFrame([], columns=["variant", "scenario", "axes", "seed", "event", "value"])
    meta = Meta("1", "1", name, BASE, "abc", 6, 1, "spfvar compare", draws=True, fidelity=fidelity)
    return OnMachine(
        meta,
        summarise(frame, rule=DRAWS),
        compare_to(frame, BASE, rule=DRAWS),
        summarise_events(events, frame),
    )


@cache
def runs() -> list[OnMachine]:
    """Two machines: load a gains on both, load b on one only (at 16 threads), load c is the same."""
    loads = {"a": (1, 16), "b": (1, 16), "c": (1, 16)}
    gains = {("left", "a"): 2.0, ("right", "a"): 3.0, ("left", "b"): 1.5, ("right", "b"): 0.5}

    def gain(name: str) -> Gain:
        return lambda load, n: gains.get((name, load), 1.0) if n == 16 else 1.0

    return [machine(name, gain(name), loads) for name in ("left", "right")]


def across(found: list[OnMachine]) -> Across:
    """What is said of them."""
    return across_of(found, METRICS[RATE], [BASE, "one"], {})


def test_a_sign_differs_where_one_machine_gains_and_another_loses_at_one_number_of_threads() -> None:
    """Load b, 16 threads: x1.5 and x0.5.  Nothing at 1 thread, and nothing where both gain."""
    [one] = differing({run.machine: run.comparisons for run in runs()})
    assert (one.variant, one.load, one.column, one.sure) == ("one", "b", "16", True)
    assert [sign.machine for sign in one.up] == ["left"]
    assert [sign.machine for sign in one.down] == ["right"]


def test_other_thread_counts_and_open_cells_have_no_sign_that_could_differ() -> None:
    """A gain at 4 threads and a loss at 16 are no contradiction; nor is one beside a cell that is the same."""
    left = machine("left", lambda _load, _n: 2.0, {"a": (4,)})
    right = machine("right", lambda _load, _n: 0.5, {"a": (16,)})
    same = machine("same", lambda _load, _n: 1.0, {"a": (4, 16)})
    assert differing({run.machine: run.comparisons for run in (left, right, same)}) == []


def test_the_text_tells_signs_first_then_each_machine() -> None:
    """The first line counts signs, claims name machines, each row has worst and best of each machine."""
    text = across_text(across(runs()), runs(), {"one": "safe"}, [], 80)
    lines = text.splitlines()
    assert lines[0].startswith("SIMULATED on 2 machines")
    assert lines[1] == "Signs differ between machines in 1 cell."
    told = "\n".join(lines[:15])
    assert "worth it, 2 of 3: a x2.00 to x3.00 (all 2), b x1.50 (1 of 2)" in told
    assert "who pays, 1 of 3: b x0.50 @16 on right (1 of 2)" in told
    assert "signs differ, 1 cell: b @16 (x1.50 on left, x0.50 on right)" in told
    rows = [line.split() for line in lines if line.startswith(("a ", "b ", "c "))]
    assert rows == [
        ["a", "1.00=", "2.00", "1.00=", "3.00"],
        ["b", "1.00=", "1.50", "0.50!", "1.00=", "@16"],
        ["c", "1.00=", "1.00="],
    ]
    assert max(map(len, lines)) <= 80


def test_machines_that_do_not_fit_stand_below_each_other() -> None:
    """Four machines with long names: no line is wider than asked for, and every machine heads a column."""
    names = [f"machine-{i}-of-two-sockets" for i in range(4)]
    found = [
        replace(one, meta=replace(one.meta, hardware=name))
        for one, name in zip([*runs()] * 2, names, strict=True)
    ]
    for width in (60, 72, 80):
        lines = across_text(across(found), found, {}, [], width).splitlines()
        assert max(map(len, lines)) <= width
        heads = [
            line.split()
            for line in lines
            if line.startswith("   ") and " on " not in line and "machine" in line
        ]
        assert [word for head in heads for word in head if word in names] == names


def test_no_sign_differs_is_said() -> None:
    """With one answer on both machines the first line says so, and no column is there for it."""
    found = [machine(name, lambda _load, n: 1.0 + n / 10, {"a": (1, 16)}) for name in ("left", "right")]
    text = across_text(across(found), found, {}, [], 80)
    assert "No sign differs between machines." in text
    assert "signs differ" not in text


def test_markdown_has_a_row_per_load_and_a_column_per_machine() -> None:
    """Cells escape nothing that a table would read as its own; signs that differ stand last."""
    text = across_markdown(across(runs()), runs(), {}, [])
    rows = [line for line in text.splitlines() if line.startswith("| one |")]
    assert rows[1] == "| one | b | 1.00= 1.50 | 0.50! 1.00= | 16 |"


def test_machines_read_the_same_from_json_and_csv() -> None:
    """JSON: an object per machine as for one alone, and the cells that differ; CSV: the machine on each line."""
    shown = select([RATE])
    content = json.loads(across_json(runs(), shown))
    assert [one["hardware"] for one in content["machines"]] == ["left", "right"]
    assert content["differ"] == [
        {
            "variant": "one", "scenario": "b", "axes": {"threads": 16}, "metric": RATE, "sure": True,
            "better": {"left": "better"}, "worse": {"right": "WORSE"},
        }
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(across_csv(runs(), shown))))
    # 2 machines x 3 loads x 2 thread counts x 2 variants.
    assert len(rows) == 24
    ratios = {
        (row["hardware"], row["scenario"], row["axes.threads"]): row["ratio"] for row in rows if row["ratio"]
    }
    assert float(ratios["right", "b", "16"]) == pytest.approx(0.5)
