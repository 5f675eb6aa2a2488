"""Random interleavings of whole loads: the model is safe, and its two implementations agree."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Generator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

import spfvar.simulate.world as world_module
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import read_pmd, read_pte
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.simulate.world import World, build_world
from tests.transition import driver as d

#: Those of the default comparison, and of the others one for each reader, lock and way to count or to retry.
VARIANTS = [
    *(name for name, variant in load_registry().variants.items() if variant.compared),
    "per-vma-refcnt", "per-vma-6.4", "per-vma-io-retry-hard", "range-lock", "radixvm", "cortenmm-adv",
]  # fmt: skip
ORACLE_STEPS = 1500
REPEAT = 15


@lru_cache
def world(variant: str, load: str) -> World:
    """The world of one of driver.LOADS, in which every thread goes REPEAT times through its program."""
    return d.variant_world(variant, d.with_repeat(load, REPEAT))


@pytest.mark.parametrize("load", d.LOADS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_interleaving_breaks_a_variant(variant: str, load: str) -> None:
    """Threads drawn at random never violate a property, never get stuck, and leave nothing behind.

    ``stay`` goes from a switch after every op to long runs of one thread: all depths of overlap.  A
    thread in user mode holds no lock and no section at any time (UNBALANCED); at the end nothing is
    held, reference counts match, and every live object is reachable.
    """
    for seed, stay in enumerate(np.linspace(0.0, 0.98, 8)):
        run = d.start(world(variant, load), seed)
        status = run.finish(float(stay))
        assert status == d.FINISHED, run.where()
        assert d.leftovers(run) == []


@pytest.mark.parametrize("race", d.RACES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_race_with_a_writer_breaks_a_variant(
    variant: str, race: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faults in a range that another thread unmaps, shrinks or write-protects stay safe, and balance."""
    monkeypatch.setattr(world_module, "SPARE_VMAS", 64)
    assert explore(d.variant_world(variant, d.with_repeat(race, 1 if race == "close" else REPEAT)), 24) == []


def explore(world: World, walks: int) -> list[str]:
    """What goes wrong first in this many random walks, if anything does.

    The probability that the last thread goes on is 0, 0.39, 0.63, ... 0.97: all depths of overlap.
    """
    for seed in range(walks):
        run = d.start(world, seed)
        if run.layout.has(o.F_COUNT):
            run.state[run.layout.word(o.F_COUNT)] -= _descriptor_is_closed(world)
        status = run.finish(1.0 - 0.03 ** (seed % 8 / 7))
        if status != d.FINISHED:
            return [f"{status}: {run.where()}"]
        if d.leftovers(run):
            return d.leftovers(run)
    return []


def _descriptor_is_closed(world: World) -> int:
    """In the race "close", the mapping holds the only reference to file 0."""
    return int(world.load.region("scratch").mapped and not world.load.region("scratch").mapping.anonymous)


@pytest.mark.parametrize("load", d.LOADS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_walks_do_collide(variant: str, load: str) -> None:
    """The loads above are worth walking: faults happen in every pass, and optimistic variants abort.

    mapper maps afresh in each of its passes, so every pass of its two threads faults at least once.
    """
    reasons = load_registry()[variant].events_with("abort")
    aborts = 0
    for seed in range(4):
        run = d.start(world(variant, load), seed)
        assert run.finish(0.5) == d.FINISHED
        assert run.faults >= 2 * REPEAT
        aborts += sum(run.counts().get(name, 0) for name in reasons)
    assert not reasons or aborts > 0


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


class InterruptsOn:
    """A speculative walk that leaves interrupts on: munmap's IPI no longer waits for it."""

    @hookimpl(wrapper=True)
    def walk_page_tables(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        walk = yield
        return self._walk(vmf) if vmf.has("SPECULATIVE") else walk

    def _walk(self, vmf: VmFault) -> Steps:
        if not (yield read_pmd()):
            return VMFault.RETRY
        return (yield read_pte(vmf.write))


@pytest.mark.parametrize(
    ("variant", "without", "race", "violation"),
    [
        ("spf-anon", "RcuVmaFree", "munmap, anonymous", "recycled"),
        ("spf-anon", "PteMapLock", "munmap, anonymous", "freed|recycled"),
        ("spf-anon", "SpeculativeWalk", "munmap, anonymous", "freed|recycled"),
        ("spf-do-fault", "RcuFilePut", "close", "recycled"),
        ("spf-do-fault", "SpeculativeDoFault", "close", "freed|recycled"),
        ("spf-do-fault", "SpeculativeFaultAround", "close", "freed|recycled"),
        ("per-vma-6.12", "PerVmaWriter", "munmap, anonymous", "freed|recycled"),
    ],
)
def test_without_a_patch_that_a_race_needs_one_preemption_violates(
    variant: str, without: str, race: str, violation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of these patches is there for a race, and one preemption at the right place shows which."""
    whole = load_registry()[variant]
    assert without in [patch.__name__ for patch in whole.patches]
    if without == "SpeculativeWalk":  # only its interrupts-off section is taken out
        patches = (*whole.patches, InterruptsOn)
    else:
        patches = tuple(patch for patch in whole.patches if patch.__name__ != without)
    broken = replace(whole, name="broken", patches=patches)
    monkeypatch.setattr(world_module, "SPARE_VMAS", 4)
    found = preempt(build_world(d.with_repeat(race, 1), Stack(broken)))
    assert re.search(violation, found), found


def preempt(world: World, stride: int = 1) -> str:
    """What goes wrong first if a fault is interrupted once, anywhere, by the rest of the writer's calls.

    The writer makes j steps, the fault k; then the writer goes on to its end, then the grace-period
    kthread, then everybody; for every ``stride``-th j, every k and both faulting threads.
    """
    for toucher in (1, 2):
        writer = d.start(world, 3)
        writer.state[writer.layout.word(o.F_COUNT)] -= _descriptor_is_closed(world)
        while writer.drive(stride, tid=0) == d.MOVED:
            fault = writer.fork()
            for _ in range(120):
                if fault.drive(1, tid=toucher) != d.MOVED:
                    break
                run = fault.fork()
                for thread in (0, run.threads - 1):
                    if run.drive(1000, tid=thread) == d.BROKEN:
                        return run.where()
                status = run.finish(0.9)
                if status != d.FINISHED:
                    return f"{status}: {run.where()}"
    return ""


@pytest.mark.parametrize("race", d.RACES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_single_preemption_breaks_a_variant(
    variant: str, race: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same search over the whole variants finds nothing."""
    monkeypatch.setattr(world_module, "SPARE_VMAS", 4)
    assert preempt(d.variant_world(variant, d.with_repeat(race, 1)), stride=5) == ""
