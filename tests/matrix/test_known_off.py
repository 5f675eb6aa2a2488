"""Comparisons remark on cells where a published ratio of that machine and load does not come out."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from spfvar.matrix.known_off import REMARK, shipped, with_known_errors
from spfvar.plugins.registry import load_registry
from spfvar.scenario.published import KnownOff

#: Of a design whose patches others have, too.
KNOWN = KnownOff(
    row="X1", profile="box", load="pft", settings={"vma": "process"}, design="spf-anon",
    patches=[patch.__name__ for patch in load_registry()["spf-anon"].patches], baseline="mmap-lock",
    threads=(21, 48), off=0.374,
)  # fmt: skip


def remarks(
    variant: str = "spf-anon", threads: int = 30, vma: str = "process", scenario: str = "pft",
    metric: str = "faults_per_s", hardware: str = "box", baseline: str = "mmap-lock", warning: str = "",
) -> str:  # fmt: skip
    """The warning of one cell."""
    frame = pd.DataFrame(
        {
            "variant": [variant],
            "scenario": [scenario],
            "axes": [json.dumps({"threads": threads, "vma": vma})],
            "metric": [metric],
            "warning": [warning],
        }
    )
    found = with_known_errors(frame, hardware, baseline, [load_registry()[variant]], [KNOWN])
    return str(found["warning"][0])


@pytest.mark.parametrize("threads", [21, 30, 48])
@pytest.mark.parametrize("variant", ["spf-anon", "spf-do-fault"])  # the second has all patches of the first
def test_a_cell_in_the_range_says_which_row_and_how_far(variant: str, threads: int) -> None:
    """Behind what it said before: 0.374 is 37 %, to the whole per cent."""
    assert remarks(variant, threads) == (
        f"{REMARK}at 21 to 48 threads spf-anon against mmap-lock is up to 37 % above what was published"
        " (spfvar validate X1)"
    )
    assert remarks(variant, threads, warning="few").startswith("few")


@pytest.mark.parametrize(
    "other",
    [
        {"threads": 20}, {"threads": 49}, {"vma": "thread"}, {"scenario": "file-cow"},
        {"metric": "fault_p50"}, {"hardware": "another"}, {"baseline": "per-vma-6.12"},
        {"variant": "per-vma-6.12"},
    ],
)  # fmt: skip
def test_any_other_cell_says_nothing(other: dict[str, object]) -> None:
    """Other threads, load, outcome, machine, baseline, or a design without those patches."""
    assert remarks(**other) == ""  # type: ignore[arg-type]


def test_every_shipped_range_is_of_designs_as_they_are() -> None:
    """A design that changed its patches would lose its remark: then make fidelity again."""
    known = load_registry()
    assert shipped()
    for one in shipped():
        assert [patch.__name__ for patch in known[one.design].patches] == one.patches
        assert one.baseline in known.variants
