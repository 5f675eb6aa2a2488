"""What the design claims: whom it helps, who pays, and which part of it each race needs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import spfvar
from spfvar.plugins.registry import load_registry

SCENARIOS = Path(__file__).parents[1] / "scenarios"
SERIES = "spf-do-fault"
MINE = "table-seq"


def compare(scenario: str, baseline: str, axes: dict[str, str] | None = None) -> pd.DataFrame:
    """The design against another one; four faulting threads, three seeds, verdicts by metric and point."""
    file = str(SCENARIOS / f"{scenario}.toml")
    return spfvar.compare(
        MINE, baseline=baseline, scenarios=[file], threads=[4], seeds=3, axes=axes
    ).query("variant == @MINE")  # fmt: skip


def value(frame: pd.DataFrame, metric: str, column: str = "value") -> float:
    """The one row of a metric."""
    [row] = frame[frame["metric"] == metric].to_dict("records")
    return float(row[column])


def test_the_package_announces_itself() -> None:
    """By its entry point, and without a complaint."""
    registry = load_registry()
    assert registry[MINE].origin == "table-seq (table_seq)"
    assert registry.problems == []


def test_a_writer_elsewhere_aborts_no_fault() -> None:
    """Where a thread flips the protection of an arena of its own, the others fault as if it were not there.

    A fault is tried in vain once per page table, for want of one: 1 of 512.  The series aborts about every
    fifth fault there, each of which then queues behind the writer.
    """
    frame = compare("sparse-arena", SERIES, axes={"arena": "64MiB"})
    assert value(frame, "spec_success") == pytest.approx(1 - 1 / 512, abs=0.002)
    assert value(frame, "faults_per_s", "ratio") > 1.5


def test_the_writer_of_a_large_vma_pays() -> None:
    """1 GiB is 512 page tables to visit once more: slower than with a plain mmap_lock, and significantly."""
    frame = compare("sparse-arena", "mmap-lock", axes={"arena": "1GiB"})
    [row] = frame[frame["metric"] == "writer_p50"].to_dict("records")
    assert row["ratio"] > 1.2
    assert row["ratio_low"] > 1.0


def test_neighbours_in_a_page_table_pay() -> None:
    """In the 2 MiB that the writer works in, the design aborts as the series does, and is no faster."""
    frame = compare("same-table", SERIES)
    assert value(frame, "spec_success") < 0.9
    assert value(frame, "faults_per_s", "ratio") < 1.05


def test_without_a_part_of_it_a_race_breaks() -> None:
    """The twins: each is found, with the property it is expected to break; the design itself is safe."""
    frame = spfvar.check("t1", "t2", "t3", twins=True)
    twins = frame[frame["variant"] != MINE]
    assert list(twins["property"]) == list(twins["expected"]) == ["P9", "P7", "P4"]
    assert set(frame[frame["variant"] == MINE]["verdict"]) == {"safe"}
