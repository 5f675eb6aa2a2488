"""The slowest and the fastest machine that a profile may describe still give figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toml

import spfvar
from spfvar.comparison.metrics import METRICS
from spfvar.matrix.catalogue import hardware

#: The limits of `spfvar.scenario.hardware`, from both sides.
SLOWEST: dict[str, Any] = {
    "smt_slowdown": 16.0, "memory_gb_per_s": 0.01, "turbo": {"ghz": [[1, 10.0], [2, 0.1]]},
    "cost_ns": 1e6, "latency_ns": 1e5, "ipi": 1e6, "queue": {"growth": 1.0, "limit": 64, "read_hold": 1.0},
    "kernel": {
        "pcp_batch": 1_000_000, "lru_batch": 1_000_000, "memcg_pages": 0.1, "rcu_poll_ns": 5e5, "time_slice_ns": 5e5,
        "zone_lock_page_ns": 1e6, "lru_lock_page_ns": 1e6, "wake_ns": 1e8, "wakeup_ns": 1e8, "writer_spin_ns": 1e8,
        "spin_handoff_ns": 1e8, "context_switch_ns": 1e8,
    },
}  # fmt: skip
FASTEST: dict[str, Any] = {
    "memory_gb_per_s": 1e6, "cost_ns": 0.0, "latency_ns": 0.1, "ipi": 0.0, "queue": {"growth": 0.0, "limit": 0},
    "kernel": {
        "pcp_batch": 1, "lru_batch": 1, "memcg_pages": 1e6, "rcu_poll_ns": 1e9, "time_slice_ns": 1e9,
        "zone_lock_page_ns": 0.0, "lru_lock_page_ns": 0.0, "wake_ns": 0.0, "wakeup_ns": 0.0, "writer_spin_ns": 0.0,
        "spin_handoff_ns": 0.0, "context_switch_ns": 0.0,
    },
}  # fmt: skip


def machine(changes: dict[str, Any], folder: Path) -> str:
    """A file with the default profile, changed; a number stands for every entry of a table."""
    table = hardware()["skylake-2s56c"].model_dump()
    for key, value in changes.items():
        if not isinstance(table[key], dict):
            table[key] = value
        else:
            table[key] |= value if isinstance(value, dict) else dict.fromkeys(table[key], value)
    points = table.pop("turbo")["ghz"]  # toml writes no arrays of mixed numbers
    text = toml.dumps(table) + f"[turbo]\nghz = {[list(point) for point in points]}\n"
    path = folder / "machine.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("changes", [SLOWEST, FASTEST], ids=["slowest", "fastest"])
@pytest.mark.parametrize("scenario", ["mmap-churn", "file-cow"])
def test_the_limits_of_profiles_give_figures_that_can_be_saved(
    changes: dict[str, Any], scenario: str, tmp_path: Path
) -> None:
    """Within what a saved run may hold; more threads than the frequency curve has points."""
    frame = spfvar.compare(
        "mmap-lock", scenarios=[scenario], threads=[4], hardware=machine(changes, tmp_path), seeds=1
    )
    assert frame["value"].notna().any()
    for metric, value in zip(frame["metric"], frame["value"], strict=True):
        assert not value < 0
        assert not value > METRICS[metric].highest
