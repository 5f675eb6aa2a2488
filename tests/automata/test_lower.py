"""Lowering: what a world does not model becomes work, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import spfvar.simulate.world as world_module
from spfvar.automata.layout import Sizes
from spfvar.automata.lower import lower
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from tests.stacks import automata
from tests.transition import driver as d

VARIANTS = list(load_registry().variants)
PLAIN = Sizes(2, 3, 3, 1, 4, pages=16)
FULL = Sizes(2, 3, 3, 1, 4, pages=16, anon_vmas=3, anon_pages=4, policies=1, tlbs=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_world_with_everything_runs_the_automata_as_they_are(variant: str) -> None:
    """Nothing is absent, so nothing is lowered but the test of a file's size, which nobody changes."""
    before_all = automata(variant)
    for name, lowered in lower(before_all, FULL).items():
        pairs = zip(before_all[name].nodes, lowered.nodes, strict=True)
        assert {old.op.code for old, new in pairs if old != new} <= {c.INSIDE_SIZE}


@pytest.mark.parametrize("variant", VARIANTS)
def test_costs_outcomes_lines_and_events_stay(variant: str) -> None:
    """Node by node: the simulator's time, branches, waits and counters do not know about lowering."""
    before_all = automata(variant)
    changed = 0
    for name, lowered in lower(before_all, PLAIN).items():
        before, after = before_all[name].nodes, lowered.nodes
        assert [node.successors for node in after] == [node.successors for node in before]
        for old, new in zip(before, after, strict=True):
            changed += old.op != new.op
            for attribute in ("cost", "outcomes", "event", "sleeps", "name", "function"):
                assert getattr(new.op, attribute) == getattr(old.op, attribute)
            if old.op.line is not None and old.op.line.register.cls not in (o.PAGE, o.ANON_VMA_CLASS):
                assert new.op.line == old.op.line
    assert changed > 0


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_lowered_world_has_no_op_on_what_it_lacks(variant: str) -> None:
    """No allocation from an empty class, no access to its objects, no page op."""
    for automaton in lower(automata(variant), PLAIN).values():
        for op in automaton.ops():
            assert op.place is None or op.place.field.cls not in (o.PAGE, o.ANON_VMA_CLASS, o.MEMPOLICY)
            assert not c.PAGE_ALLOC <= op.code <= c.PAGE_RMAP


def load_world(variant: str, pages: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The world of a load in which threads fault, protect, zap and unmap anonymous memory."""
    plain = world_module.sizes_of

    def sizes(load: Any, automata: Any) -> Sizes:
        found = plain(load, automata)
        values = {name: getattr(found, name) for name in Sizes.__slots__}
        return Sizes(**{**values, "anon_pages": pages, "anon_vmas": 200 if pages else 0})

    with monkeypatch.context() as patch:
        patch.setattr(world_module, "sizes_of", sizes)
        return d.variant_world(variant, d.with_repeat("anon", 8))


def visible(run: d.Run) -> tuple[list[int], ...]:
    """The tree, which tables are linked, and the entries without the numbers of anonymous pages."""
    g, sizes = run.layout.g, run.layout.sizes
    tree = [int(word) for word in run.state[g[c.G_TREE] : g[c.G_PMD]]]
    linked = [int(word) for word in d.directory(run)]
    entries = run.state[g[c.G_PTE] : g[c.G_PTE] + (sizes.tables << sizes.pt_shift)]
    bits = np.where(entries & c.PTE_ANON, entries & ((1 << c.PTE_FOLIO_SHIFT) - 1), entries)
    counters = [int(run.state[run.layout.thread_base(thread) + c.T_PC]) for thread in range(run.threads)]
    return tree, linked, [int(word) for word in bits], counters


def next_op(run: d.Run, thread: int) -> str:
    """The name of a thread's next primitive."""
    return run.program.ops[int(run.state[run.layout.thread_base(thread) + c.T_PC])].name  # type: ignore[no-any-return]


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12", "spf-do-fault"])
def test_a_lowered_world_goes_the_same_way_as_a_full_one(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same schedule: every thread is at the same node, the same memory is mapped, the same is counted.

    One difference: nobody frees the anon_vma of a world without any, which takes no time in a full one.
    """
    monkeypatch.setattr(world_module, "SPARE_VMAS", 64)
    lowered, full = (d.start(load_world(variant, pages, monkeypatch), seed=3) for pages in (0, 30))
    rng, thread = np.random.default_rng(1), 0
    for step in range(3000):
        if rng.random() < 0.2:
            thread = int(rng.integers(lowered.threads))
        assert lowered.drive(1, tid=thread, choice=0) == full.drive(1, tid=thread, choice=0) < d.STUCK
        while next_op(full, thread) == "anon_vma_free" != next_op(lowered, thread):
            full.drive(1, tid=thread, choice=0)
        if step % 20 == 0:
            assert visible(lowered) == visible(full)
            assert lowered.counts() == full.counts()
    assert lowered.faults > 10
