"""Random interleavings of whole loads: the model is safe, and its two implementations agree."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import spfvar.simulate.world as world_module
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.simulate.world import World
from tests.transition import driver as d

VARIANTS = list(load_registry().variants)
ORACLE_STEPS = 2500
REPEAT = 25


@lru_cache
def world(variant: str, load: str) -> World:
    """The world of one of driver.LOADS, in which every thread goes REPEAT times through its program."""
    return d.variant_world(variant, d.with_repeat(load, REPEAT))


@pytest.mark.parametrize("load", d.LOADS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_interleaving_breaks_a_variant(variant: str, load: str) -> None:
    """Threads drawn at random never violate a property, never get stuck, and leave nothing behind.

    ``stay`` goes from a switch after every op to long runs of one thread, so that all depths of overlap occur.
    A thread in user mode holds no lock and no section at any time (UNBALANCED); at the end nothing is held,
    reference counts match, and every live object is reachable.
    """
    for seed, stay in enumerate(np.linspace(0.0, 0.98, 12)):
        run = d.start(world(variant, load), seed)
        status = run.finish(float(stay))
        assert status == d.FINISHED, run.where()
        assert d.leftovers(run) == []


@pytest.mark.parametrize("load", d.LOADS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_walks_do_collide(variant: str, load: str) -> None:
    """The loads above are worth walking: faults happen in every pass, and optimistic variants abort.

    mapper maps afresh in each of its passes, so every pass of its two threads faults at least once.
    """
    run = d.start(world(variant, load), 1)
    assert run.finish(0.5) == d.FINISHED
    assert run.faults >= 2 * REPEAT
    reasons = load_registry()[variant].events_with("abort")
    assert not reasons or sum(run.counts().get(name, 0) for name in reasons) > 0


@pytest.mark.parametrize("load", d.LOADS)
@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "spf-do-fault"])
def test_compiled_and_uncompiled_agree_after_every_step(
    variant: str, load: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plain Python function, in a process without the compiler, takes the same random walk."""
    monkeypatch.setattr(world_module, "SPARE_VMAS", 16)
    lines = _oracle(load).splitlines()
    expected = next(line.split()[1:] for line in lines if line.split()[0] == variant)
    found = d.checksums(variant, load, ORACLE_STEPS)
    assert len(set(found)) > ORACLE_STEPS // 2  # the walk does change the state
    assert [str(value) for value in found] == expected


@lru_cache
def _oracle(load: str) -> str:
    """What the uncompiled walks print: one process per load walks all three variants."""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.transition.driver", load, str(ORACLE_STEPS),
         "mmap-lock", "per-vma-6.12", "spf-do-fault"],
        capture_output=True, text=True, cwd=root, check=False, timeout=120,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_walk_finds_what_a_broken_variant_does() -> None:
    """The walker sees faults in the model: a page table freed without waiting for walkers is caught.

    The speculative walk turns interrupts off so that munmap's IPI waits for it; with interrupts on (the
    two ops made no-ops in the linked table) some walk uses a freed table.
    """
    broken = d.variant_world("spf-anon", d.small_load(
        [{"name": "scratch", "size": "2MiB"}],
        [{"name": "mapper", "threads": 2, "repeat": 150, "program": [{"mmap": "scratch"}, {"munmap": "scratch"}]}],
    ))  # fmt: skip
    assert broken.layout.sizes.threads == 3
    load = d.small_load(
        [{"name": "memory", "size": "4KiB"}],
        [{"name": "mapper", "threads": 2, "repeat": 60,
          "program": [{"mmap": "memory"}, {"touch": "memory"}, {"munmap": "memory"}]}],
    )  # fmt: skip
    healthy = d.variant_world("spf-anon", load)
    table = healthy.program.table
    statuses = []
    for seed in range(6):
        run = d.start(healthy, seed)
        # Both threads use the same page: thread 1 faults in thread 0's region.
        for register in ("memory_start", "memory_end"):
            slot = next(s for r, s in run.layout.registers.items() if r.name == register)
            first, second = (run.layout.thread_base(t) + slot for t in (0, 1))
            run.state[second] = run.state[first]
        statuses.append(run.finish(0.5))
    assert table.shape[1] == c.COLUMNS
    assert set(statuses) <= {d.FINISHED, d.BROKEN}
    assert run.layout.has(o.MM_USERS)
