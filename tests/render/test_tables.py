"""Tables as data: which blocks there are, and what a cell, a row and a footnote say."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from spfvar.comparison import stats
from spfvar.comparison.metrics import select
from spfvar.render.blocks import Block, Cell, Footnote, Row, assign_marks, footnote_mark
from spfvar.render.tables import NO_VALUE, build_blocks, events_blocks

BASE = "mmap-lock"
SIX = (0.99, 1.0, 1.01, 0.99, 1.0, 1.01)

Axes = Mapping[str, Any]
Values = Callable[[str, Axes], Sequence[float]]


def samples(
    values: Values,
    points: Sequence[Axes] = ({"threads": 1},),
    variants: Sequence[str] = (BASE, "spf"),
    metric: str = "faults_per_s",
    scenario: str = "page_fault1",
) -> pd.DataFrame:
    """Samples of ``values(variant, axes)``, one per seed, for all variants and points."""
    rows = [
        (variant, scenario, stats.axes_key(axes), seed, metric, value)
        for variant in variants
        for axes in points
        for seed, value in enumerate(values(variant, axes))
    ]
    return pd.DataFrame(rows, columns=["variant", "scenario", "axes", "seed", "metric", "value"]).astype(
        {"value": float}
    )


def blocks_of(frame: pd.DataFrame, baseline: str = BASE, **options: Any) -> list[Block]:
    cells, comparisons = stats.summarise(frame), stats.compare_to(frame, baseline)
    return build_blocks(cells, comparisons, baseline=baseline, **options)


def steady(variant: str, axes: Axes) -> list[float]:
    """A rate of 4 million per second, and half as much again for the others."""
    return [value * (4e6 if variant == BASE else 6e6) for value in SIX]


class TestCells:
    def test_a_cell_has_value_interval_ratio_and_verdict(self) -> None:
        # The deviation of SIX is sqrt(4 * 0.01^2 / 5) = 0.00894, so its half-interval is
        # 2.571 * 0.00894 / sqrt(6) = 0.94 %; every seed has the ratio 6 / 4 = 1.5.
        (block,) = blocks_of(samples(steady))
        assert block.rows == (
            Row(("mmap-lock (baseline)",), (Cell("4.00", "±0.9%"),)),
            Row(("spf",), (Cell("6.00", "±0.9%", "", "x1.50", "better"),)),
        )
        assert block.footnotes == ()

    def test_the_block_says_what_it_shows_and_which_way_is_better(self) -> None:
        (block,) = blocks_of(samples(steady))
        assert block.title == ("page_fault1 faults_per_s: page faults per second, in M faults/s")
        assert block.direction == "higher is better; same = within 1%"

    def test_a_baseline_alone_is_a_table_without_verdicts(self) -> None:
        (block,) = blocks_of(samples(steady, variants=[BASE]))
        assert block.rows == (Row(("mmap-lock (baseline)",), (Cell("4.00", "±0.9%"),)),)

    def test_a_scenario_s_own_threshold_is_said(self) -> None:
        (block,) = blocks_of(samples(steady), thresholds={"page_fault1": {"faults_per_s": 0.025}})
        assert block.direction == "higher is better; same = within 2.5%"

    def test_an_absolute_threshold_is_said_as_well(self) -> None:
        (block,) = blocks_of(samples(lambda *_: [0.5] * 6, metric="mmap_lock_share"))
        assert block.direction == "lower is better; same = within 2% or 0.1 percentage points"
        assert block.title.endswith("per fault, in %")

    def test_what_is_neither_sure_nor_the_same_is_unsure(self) -> None:
        # Ratios of 0.8 to 2: their mean is well above 1, but so is the spread.
        def spread(variant: str, axes: Axes) -> list[float]:
            return [1e6 * f for f in ((1,) * 6 if variant == BASE else (0.8, 2, 1, 1.9, 0.9, 1.2))]

        (block,) = blocks_of(samples(spread))
        assert block.rows[1].cells[0].verdict == "unsure"
        assert block.footnotes == ()

    def test_what_does_not_apply_is_said_in_the_cell(self) -> None:
        def partly(variant: str, axes: Axes) -> list[float]:
            return [math.nan] * 6 if variant == "spf" else [1.0] * 6

        (block,) = blocks_of(samples(partly))
        assert block.rows[1].cells == (Cell("n/a"),)

    def test_a_point_that_a_variant_does_not_have_is_said_in_the_cell(self) -> None:
        frame = pd.concat([samples(steady), samples(steady, [{"threads": 4}], variants=[BASE])])
        (block,) = blocks_of(frame)
        assert [cell.value for cell in block.rows[1].cells] == ["6.00", "n/a"]

    def test_a_value_of_zero_has_no_relative_interval(self) -> None:
        (block,) = blocks_of(samples(lambda *_: [0.0] * 6, metric="mmap_lock_share"))
        assert block.rows[1].cells == (Cell("0", verdict="same"),)

    def test_one_unit_prefix_serves_the_whole_block(self) -> None:
        points = [{"threads": 1}, {"threads": 64}]
        frame = samples(lambda _, axes: [900.0 * axes["threads"]] * 6, points, metric="fault_p50")
        (block,) = blocks_of(frame)
        assert block.title.endswith("in us")
        assert [cell.value for cell in block.rows[0].cells] == ["0.900", "57.6"]


class TestShape:
    def test_thread_counts_are_columns_in_numerical_order(self) -> None:
        (block,) = blocks_of(samples(steady, [{"threads": n} for n in (16, 112, 1)]))
        assert block.headers == ("threads=1", "threads=16", "threads=112")

    def test_the_baseline_is_the_first_row_and_the_others_keep_their_order(self) -> None:
        (block,) = blocks_of(samples(steady, variants=["z", "a", BASE]))
        assert [row.stub[0] for row in block.rows] == ["mmap-lock (baseline)", "z", "a"]

    def test_another_axis_that_varies_makes_a_block_for_each_of_its_values(self) -> None:
        points = [{"threads": n, "hit": hit, "vmas": 1} for n in (1, 4) for hit in (0.5, 1)]
        first, second = blocks_of(samples(steady, points))
        assert first.title.startswith("page_fault1, hit=0.5 faults_per_s:")
        assert second.title.startswith("page_fault1, hit=1 faults_per_s:")
        assert first.headers == second.headers == ("threads=1", "threads=4")

    def test_where_threads_do_not_vary_another_axis_makes_the_columns(self) -> None:
        (block,) = blocks_of(samples(steady, [{"threads": 8, "hit": h} for h in ("on", "off")]))
        assert block.title.startswith("page_fault1, threads=8 faults_per_s:")
        assert block.headers == ("hit=on", "hit=off")

    def test_a_scenario_without_axes_has_one_column(self) -> None:
        (block,) = blocks_of(samples(steady, [{}]))
        assert block.headers == ("value",)

    def test_there_is_a_block_per_scenario_and_metric_in_the_order_of_the_metrics(self) -> None:
        frame = pd.concat(
            [
                samples(steady, metric=metric, scenario=scenario)
                for scenario in ("zebra", "ant")
                for metric in ("makespan", "faults_per_s")
            ]
        )
        chosen = select(["faults_per_s", "makespan"])
        titles = [block.title.partition(":")[0] for block in blocks_of(frame, metrics=chosen)]
        assert titles == [f"{s} {m}" for s in ("zebra", "ant") for m in chosen]
        assert len(blocks_of(frame, metrics=select(["makespan"]))) == 2

    def test_a_metric_without_any_value_says_so_instead_of_being_left_out(self) -> None:
        (block,) = blocks_of(samples(lambda *_: [math.nan] * 6, metric="writer_p99"))
        assert block.rows == ()
        assert block.footnotes == (Footnote("", NO_VALUE),)

    def test_columns_beyond_the_fourth_go_into_a_second_panel(self) -> None:
        (block,) = blocks_of(samples(steady, [{"threads": n} for n in (1, 2, 4, 8, 16, 32)]))
        first, second = block.panels(block.panel_columns)
        assert first.headers == ("threads=1", "threads=2", "threads=4", "threads=8")
        assert second.headers == ("threads=16", "threads=32")
        assert second.title == f"{block.title} (continued)"
        assert [len(row.cells) for row in second.rows] == [2, 2]


class TestFootnotes:
    def test_a_remark_on_one_cell_gets_a_letter(self) -> None:
        def some_zero(variant: str, axes: Axes) -> list[float]:
            return [0.0 if variant == BASE and axes["threads"] == 1 else 0.5] * 6

        frame = samples(some_zero, [{"threads": 1}, {"threads": 4}], metric="mmap_lock_share")
        (block,) = blocks_of(frame)
        assert [cell.notes for cell in block.rows[1].cells] == ["a", ""]
        assert block.footnotes == (Footnote("a", stats.NO_RATIO),)

    def test_a_remark_that_holds_everywhere_is_said_once_without_a_letter(self) -> None:
        points = [{"threads": 1}, {"threads": 4}]
        (block,) = blocks_of(samples(lambda *_: [1e6, 1.1e6, 1.2e6], points))
        assert {cell.notes for row in block.rows for cell in row.cells} == {""}
        text = "only 3 seeds: intervals and verdicts are rough"
        assert block.footnotes == (Footnote("", text),)

    def test_a_value_without_a_baseline_is_explained_rather_than_called_not_applicable(
        self,
    ) -> None:
        def only_new(variant: str, axes: Axes) -> list[float]:
            return [math.nan if variant == BASE else 0.97] * 6

        points = [{"threads": 1}, {"threads": 4}]
        (block,) = blocks_of(samples(only_new, points, metric="spec_success"))
        assert block.rows[1].cells == (Cell("97.0", "±0.0%"),) * 2
        assert block.footnotes == (Footnote("", stats.NO_BASELINE),)

    def test_letters_go_by_first_appearance_and_are_shared(self) -> None:
        marks, notes = assign_marks([["late"], [], ["early", "late"]])
        assert marks == ["a", "", "b,a"]
        assert notes == (Footnote("a", "late"), Footnote("b", "early"))

    @pytest.mark.parametrize(("index", "mark"), [(0, "a"), (25, "z"), (26, "aa"), (53, "bb")])
    def test_letters_do_not_run_out(self, index: int, mark: str) -> None:
        assert footnote_mark(index) == mark


class TestEvents:
    def frame(self, counts: Mapping[tuple[str, str, int], float]) -> pd.DataFrame:
        rows = [
            (variant, "page_fault1", stats.axes_key({"threads": n}), event, count, 6)
            for (variant, event, n), count in counts.items()
        ]
        return pd.DataFrame(rows, columns=stats.EVENT_COLUMNS)

    def test_rows_are_the_events_that_happened_somewhere(self) -> None:
        (block,) = events_blocks(
            self.frame(
                {
                    ("spf", "odd", 1): 0.0,
                    ("spf", "odd", 64): 1.5,
                    ("spf", "never", 1): 0.0,
                    ("spf", "never", 64): 0.0,
                    ("spf-2", "odd", 64): 33.4,
                }
            )
        )
        assert block.title == "page_fault1: events per 1000 faults"
        assert block.headers == ("threads=1", "threads=64")
        assert block.rows == (
            Row(("spf", "odd"), (Cell("0"), Cell("1.50"))),
            Row(("spf-2", "odd"), (Cell("0"), Cell("33.4"))),
        )

    def test_a_scenario_without_events_has_no_block(self) -> None:
        assert events_blocks(self.frame({("spf", "odd", 1): 0.0})) == []
        assert events_blocks(self.frame({})) == []
