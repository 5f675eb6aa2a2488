"""The Python API."""

from __future__ import annotations

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
