"""Objects that serve one thread only: what the engine does not order is touched by nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.simulate.world import own_classes
from tests.simulate.own_objects import shipped

#: One of each kind of lock; SPFVAR_FULL=1 takes all designs.
DESIGNS = ("mmap-lock", "spf-do-fault", "per-vma-6.12", "per-vma-6.17", "range-lock", "radixvm")


def watched(*arguments: str) -> list[str]:
    """The lines that the watched runs, as plain Python, print."""
    answer = subprocess.run(
        [sys.executable, "-m", "tests.simulate.own_objects", *arguments], cwd=Path(__file__).parents[2],
        text=True, check=True, capture_output=True, env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    return answer.stdout.splitlines()


@pytest.mark.parametrize("variant", load_registry().variants if os.environ.get("SPFVAR_FULL") else DESIGNS)
def test_no_thread_touches_what_serves_another(variant: str) -> None:
    """In any shipped load, by any op but those of the allocator: word by word of the objects."""
    *wrong, counts = watched(variant)
    assert wrong == []
    runs, touches = map(int, counts.split())
    assert runs > 10
    assert touches > 500 * runs


def test_a_class_that_serves_several_threads_would_be_noticed() -> None:
    """Taken for own in every load: the VMA that all fault on, the tables that a fork goes over."""
    *wrong, _ = watched("--all-classes", "per-vma-6.12")
    assert any(line.startswith("per-vma-6.12 in hot-vma: ") and line.endswith(": vma") for line in wrong)
    assert any(
        line.startswith("per-vma-6.12 in fork-storm: ") and line.endswith(": page_table") for line in wrong
    )
    assert any(
        line.startswith("per-vma-6.12 in memcg-thrash: ") and line.endswith(": folio") for line in wrong
    )


@pytest.mark.parametrize(
    ("load", "own"),
    [
        ("page-fault2", {o.PAGE_TABLE, o.VMA, o.ANON_VMA_CLASS, o.FILE, o.FOLIO}),
        ("hot-vma", {o.PAGE_TABLE, o.FILE, o.FOLIO}),  # one VMA for all
        ("many-mmap", {o.VMA, o.ANON_VMA_CLASS, o.FILE, o.FOLIO}),  # small mappings, which share page tables
        ("memcg-thrash", set()),  # reclaim goes over everybody's pages
        ("maps-reader", set()),
    ],
)
def test_what_serves_one_thread_only(load: str, own: set[object]) -> None:
    """By the load's regions, and by whether anybody goes over all of them."""
    assert own_classes(shipped(load)) == own
