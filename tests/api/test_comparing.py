"""The Python API."""

from __future__ import annotations

import pandas as pd
import pytest

import spfvar


def test_compare_returns_one_frame() -> None:
    """A row per variant, point and metric; axes are columns; the baseline has no ratio."""
    frame = spfvar.compare("spf-do-fault", scenarios=["file-cow"], threads=[1, 4], seeds=2)
    assert set(frame.variant) == {"mmap-lock", "spf-do-fault"}
    assert set(frame.threads) == {1, 4}
    rates = frame[frame.metric == "faults_per_s"]
    assert len(rates) == 4
    assert rates[rates.variant == "mmap-lock"].ratio.isna().all()
    assert rates[rates.variant == "spf-do-fault"].ratio.notna().all()
    assert frame.attrs["baseline"] == "mmap-lock"
    assert frame.attrs["simulated"] is True


def test_several_machines_are_one_frame_with_a_column_for_them() -> None:
    """Each machine's rows are those of its own comparison; the text is the command's table over all of them."""
    names = ["phone-8c", "skylake-2s56c"]
    both = spfvar.compare("range-lock", hardware=names, scenarios="pft", threads=1, seeds=2)
    assert isinstance(both, spfvar.MachinesFrame)
    assert list(both.columns[:3]) == ["hardware", "variant", "scenario"]
    one = spfvar.compare("range-lock", hardware="phone-8c", scenarios="pft", threads=1, seeds=2)
    rows = pd.DataFrame(both)[both.hardware == "phone-8c"].drop(columns="hardware").reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, pd.DataFrame(one))
    assert set(both.samples.hardware) == set(names)
    assert list(both.machines) == both.attrs["hardware"] == names
    assert "on 2 machines" in both.text()
    assert "--hardware phone-8c,skylake-2s56c" in both.text().replace(" \\\n   ", "")
    assert "<title>SIMULATED comparison on phone-8c" in both.machines["phone-8c"].html()
    with pytest.raises(spfvar.InputError, match=r"hardware: a page is of one machine.*machines\[NAME\]"):
        both.html()
    with pytest.raises(spfvar.InputError, match="a file holds the run of one machine"):
        spfvar.save(both, "both.jsonl")


def test_machines_are_named_as_for_the_command() -> None:
    """A wrong name is told with the nearest, none at all is refused."""
    with pytest.raises(spfvar.InputError, match="did you mean 'phone-8c'"):
        spfvar.compare("range-lock", hardware=["phone-8"])
    with pytest.raises(spfvar.InputError, match="hardware: 0 machines are given"):
        spfvar.compare("range-lock", hardware=[])
