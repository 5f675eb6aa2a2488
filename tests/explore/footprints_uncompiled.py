"""What the transition function touches and waits for, against what its footprints say: run with NUMBA_DISABLE_JIT=1.

    python -m tests.explore.footprints_uncompiled STEPS VARIANT RACE...

Prints what an op touched on a random walk and does not own up to.
"""

from __future__ import annotations

import sys
from collections.abc import Hashable
from typing import Any

import numpy as np

from spfvar.explore import footprints as f
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.scenario.race import Race
from spfvar.toml_input import load_toml
from spfvar.transition.step import step


class Traced:
    """A state that remembers which of its words were looked at, and which changed."""

    def __init__(self, words: Any) -> None:
        self.words = words
        self.read: set[int] = set()
        self.written: set[int] = set()

    def __getitem__(self, index: Any) -> Any:
        self.read.add(int(index))
        return self.words[index]

    def __setitem__(self, index: Any, value: Any) -> None:
        if self.words[index] != value:
            self.written.add(int(index))
        self.words[index] = value


def resources(world: RaceWorld) -> dict[int, set[Hashable]]:
    """By word of memory: the resources it belongs to; words of threads are left out."""
    layout, g = world.layout, world.layout.g
    found: dict[int, set[Hashable]] = {}

    def add(first: int, number: int, *names: Hashable) -> None:
        for word in range(first, first + number):
            found[word] = set(names)

    rcu = int(g[c.G_RCU])
    add(rcu, 1, f.PHASE)
    add(rcu + 1, 2, f.READERS)
    add(rcu + 3, 1, f.GRACE_PERIOD)
    add(rcu + 4, 1, f.CALLBACKS)
    if srcu := int(g[c.G_SRCU]):
        add(srcu, 1, f.SRCU_PHASE)
        add(srcu + 1, 2, f.SRCU_READERS)
    add(int(g[c.G_IPI]), 1, f.IPI)
    add(int(g[c.G_IPI_MASK]), world.threads * int(g[c.G_IPI_WORDS]), f.IPI)
    pages = layout.sizes.pages
    add(int(g[c.G_TREE]), pages, f.TREE)
    add(int(g[c.G_PMD]), -(-pages >> int(g[c.G_PT_SHIFT])), f.PMD)
    add(int(g[c.G_PTE]), layout.sizes.tables << int(g[c.G_PT_SHIFT]), f.PTE)
    if g[c.G_TLB]:
        add(int(g[c.G_TLB]), world.threads * pages, f.TLB)
    if g[c.G_LOADED]:
        add(int(g[c.G_LOADED]), world.threads, f.TLB)
        add(int(g[c.G_WALK]), world.threads * (-(-pages >> int(g[c.G_PT_SHIFT]))), f.TLB)
    if g[c.G_WRITES]:
        add(int(g[c.G_WRITES]), pages, f.WRITES)
        add(int(g[c.G_EPOCH]), pages, f.EPOCH)
    if g[c.G_PINNED]:
        add(int(g[c.G_PINNED]), pages, f.PINNED)
    for number, cls in enumerate(o.CLASSES):
        k = c.G_CLASS0 + number * c.CLASS_WORDS
        add(int(g[k + c.K_FREE]), 1, f.life_of(cls))
        for index in range(layout.sizes.count(cls)):
            for fld in (field for field in layout.field_offset if field.cls == cls):
                add(layout.word(fld, index), fld.width, fld)
            if cls.lifetime:
                word = layout.class_base(cls) + index * layout.class_stride[cls]
                add(word, 1, f.life_of(cls), f.callback_of(cls))
    return found


def untold(world: RaceWorld, steps: int, seed: int) -> set[str]:
    """What ops touch on a random walk, from the start again at every end, that their footprints do not have."""
    rng = np.random.default_rng(seed)
    ops, g, table = world.program.ops, world.layout.g, world.program.table
    deferred = {op.place.field.cls for op in ops if op.code == c.CALL_RCU and op.place is not None}
    prints = {op: f.footprint(op, deferred) for op in ops}
    owners = resources(world)
    lives = {word for word, names in owners.items() if any(isinstance(name, tuple) for name in names)}
    first, stride = int(g[c.G_T_BASE]), int(g[c.G_T_STRIDE])
    out = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
    wrong: set[str] = set()
    state = world.start.copy()
    tid = 0
    for _ in range(steps):
        if rng.random() < 0.4:
            tid = int(rng.integers(world.threads))
        node = int(state[first + tid * stride])
        op = ops[node]
        traced = Traced(state)
        choice = int(rng.integers(table[node, c.C_IMM])) if op.code == c.CHOOSE else 0
        out[c.OUT_WOKEN] = 0
        outcome = int(step(traced, table, g, tid, choice, out))
        if outcome == c.VIOLATED or rng.random() < 0.003:
            state = world.start.copy()
            continue
        if outcome == c.BLOCKED and op.code not in f.WAITING:
            wrong.add(f"{op.name}: waits")
        found = prints[op]
        if found.unknown:
            continue
        seen, changed = found.every(), found.writes | found.adds
        # These clear a whole object; whoever looks at one looks at its life, too.
        frees = op.code in (c.ALLOC, c.PAGE_ALLOC, c.FREE, c.PAGE_PUT, c.PAGES_PUT, c.RCU_INVOKE)
        grace = op.code in (
            c.RCU_GP_START,
            c.RCU_INVOKE,
        )  # these look for objects that wait, and for no others
        for word in traced.read | traced.written:
            if word >= first:
                other = (word - first) // stride
                if other != tid and op.code in f.ALONE:
                    wrong.add(f"{op.name}: looks at another thread")
            elif word not in owners:
                wrong.add(f"{op.name}: touches word {word}, which nobody owns")
            elif frees or (grace and word in lives and word not in traced.written):
                continue
            elif not owners[word] & (changed if word in traced.written else seen):
                kind = "changes" if word in traced.written else "reads"
                wrong.add(f"{op.name}: {kind} {sorted(map(str, owners[word]))}")
    return wrong


def main() -> None:
    """Walk the races of the command line under a variant."""
    registry = load_registry()
    stack = Stack(registry[sys.argv[2]])
    for path in sys.argv[3:]:
        world = build_race(load_toml(path, Race), stack)
        for line in sorted(untold(world, int(sys.argv[1]), 1)):
            print(f"{path}: {line}")


if __name__ == "__main__":
    main()
