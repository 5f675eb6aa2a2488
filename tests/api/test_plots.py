"""Pictures of comparisons: what is drawn is what the frame has."""

from __future__ import annotations

import sys
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest

import spfvar

mpl.use("agg")


def frame() -> pd.DataFrame:
    """Two variants at two points, figures chosen by hand."""
    rows = [
        ("base", 1, 10.0, 9.0, 11.0, np.nan, np.nan, np.nan), ("base", 4, 40.0, 38.0, 42.0, np.nan, np.nan, np.nan),
        ("new", 4, 60.0, 50.0, 70.0, 1.5, 1.2, 1.9), ("new", 1, 10.0, 9.5, 10.5, 1.0, 0.9, 1.1),
    ]  # fmt: skip
    columns = ["variant", "threads", "value", "ci_low", "ci_high", "ratio", "ratio_low", "ratio_high"]
    made = pd.DataFrame(rows, columns=columns).assign(scenario="pft", metric="faults_per_s", vma="thread")
    made.attrs["baseline"] = "base"
    return made


def test_curves_are_values_and_bands_are_intervals() -> None:
    """By rising threads, whatever the order of the rows."""
    ax = spfvar.plot_scaling(frame())
    curves = {line.get_label(): np.asarray(line.get_xydata()).tolist() for line in ax.get_lines()}
    assert curves == {"base": [[1, 10], [4, 40]], "new": [[1, 10], [4, 60]]}
    bands = [np.asarray(band.get_paths()[0].vertices) for band in ax.collections]
    assert [(band[:, 1].min(), band[:, 1].max()) for band in bands] == [(9, 42), (9.5, 70)]
    assert (ax.get_title(), ax.get_xlabel()) == ("pft", "threads")
    assert "simulated" in ax.get_ylabel()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "4"]


def test_ratios_have_their_intervals() -> None:
    """Of all but the baseline, drawn where the caller wants; above 1 is better, says the axis."""
    given = mpl.figure.Figure().subplots()
    ax = spfvar.plot_ratios(frame(), ax=given)
    assert ax is given
    [container] = ax.containers
    line, _, (bars,) = container
    assert np.asarray(line.get_xydata()).tolist() == [[1, 1.0], [4, 1.5]]
    assert np.allclose([segment[:, 1] for segment in bars.get_segments()], [[0.9, 1.1], [1.2, 1.9]])
    assert ax.get_ylabel().endswith("/ base\nsimulated; higher is better")


@pytest.mark.parametrize(
    ("rows", "more", "said"),
    [
        (frame().assign(scenario=["a", "a", "b", "b"]), {}, "scenario: 2 scenarios; expected one of a, b"),
        (frame(), {"scenario": "ptf"}, "scenario: unknown scenario 'ptf': did you mean 'pft'"),
        (frame(), {"metric": "fault_p50"}, "frame: has no fault_p50 there"),
        (frame(), {"metric": "faults_per"}, "did you mean 'faults_per_s'"),
        (frame().drop(columns="threads"), {}, "frame: has no column threads"),
        (frame().assign(vma=["thread", "process"] * 2), {}, "frame: vma has thread, process; expected rows of one"),
        (frame().head(2), {}, "frame: only the baseline is in the frame"),
    ],
)  # fmt: skip
def test_a_frame_that_is_no_picture_is_told(rows: pd.DataFrame, more: dict[str, str], said: str) -> None:
    with pytest.raises(spfvar.InputError) as error:
        spfvar.plot_ratios(rows, **more)  # type: ignore[arg-type]
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("plot", "given", "said"),
    [
        (spfvar.plot_ratios, frame().drop(columns=["ratio", "ratio_low"]), "frame: has no columns ratio, ratio_low"),
        (spfvar.plot_scaling, frame().drop(columns="ci_high"), "frame: has no column ci_high"),
        (spfvar.plot_scaling, None, "frame: a NoneType is none; expected a frame that compare returned"),
        (spfvar.plot_ratios, [1], "frame: a list is none; expected a frame that compare returned"),
    ],
)  # fmt: skip
def test_every_column_that_a_picture_needs_is_asked_for(plot: Any, given: Any, said: str) -> None:
    """Before anything is drawn."""
    with pytest.raises(spfvar.InputError) as error:
        plot(given)
    assert said in str(error.value)


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else of spfvar works."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        spfvar.InputError, match=r"matplotlib is not installed; expected pip install 'spfvar\[plots\]'"
    ):
        spfvar.plot_scaling(frame())
