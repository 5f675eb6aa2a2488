"""The cores of this process."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spfvar.cpus import available_cpus, quota


def test_as_many_as_the_process_may_run_on() -> None:
    """At least one, at most what is there."""
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("max 100000\n", None),
        ("150000 100000\n", 1.5),
        ("400000 200000", 2.0),
        ("", None),
        ("no numbers", None),
    ],
)
def test_a_control_group_s_quota(tmp_path: Path, text: str, cpus: float | None) -> None:
    """Time per period, both in microseconds; "max" and what is no quota leave all."""
    file = tmp_path / "cpu.max"
    file.write_text(text)
    assert quota(file) == cpus


def test_no_control_group(tmp_path: Path) -> None:
    """Where there is no such file, nothing limits."""
    assert quota(tmp_path / "none") is None
