"""What a search follows: the program table, and what the reductions need to know about its nodes."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout
from spfvar.explore import search as k
from spfvar.explore.footprints import ALONE, QUEUEING, WAITING, conflict, futures_of, masks_of
from spfvar.explore.registers import dead_at, dying_at, live_at
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops.places import RANGE_WORDS, RWSEM_WORDS, SPIN_WORDS

Ints = npt.NDArray[np.int64]
_FUTURE = 3


def rules_of(
    world: RaceWorld, *, merge: bool, forget: bool, symmetry: bool, partial: bool, first: bool
) -> k.Rules:
    """The rules of a search with these reductions; the layout of keys is filled in later."""
    table = world.program.table
    op = table[:, c.C_OP]
    masks = masks_of(world.program.ops)
    futures = futures_of(masks, table)
    dying, forgotten = dying_at(table, int(world.layout.g[c.G_R_ADDR]))
    return k.Rules(
        table,
        world.layout.g,
        world.locks,
        world.sequences,
        (op == c.END) | (op == c.RCU_GP_START),
        np.array([_kind(code) for code in op.tolist()], dtype=np.int64),
        _private(world, masks, futures),
        _runs(table),
        np.ascontiguousarray(np.hstack([masks, futures])),
        dying,
        forgotten,
        groups_of(world) if symmetry else np.zeros((0, 2), dtype=np.int64),
        owners_of(world.layout),
        np.zeros((0, 3), dtype=np.int64),
        merge,
        forget,
        partial,
        first,
    )


def _kind(code: int) -> int:
    return k.ALONE if code in ALONE else k.QUEUEING if code in QUEUEING else k.ANY


def _runs(table: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    return np.array([code not in WAITING and code != c.CHOOSE for code in table[:, c.C_OP].tolist()])


def _private(world: RaceWorld, masks: Ints, futures: Ints) -> npt.NDArray[np.bool_]:
    """By node: does nothing that another thread ever does conflict with it?"""
    entry = world.program.entry
    pcs = (int(world.start[world.layout.thread_base(thread) + c.T_PC]) for thread in range(world.threads))
    threads = Counter(next(n for n in entry if 0 <= pc - entry[n] < len(world.automata[n])) for pc in pcs)
    private = _runs(world.program.table)
    for name in threads:
        rivals = np.zeros(_FUTURE, dtype=np.int64)
        for other in threads:
            if other != name or threads[name] > 1:
                rivals |= futures[entry[other]]
        for node in range(entry[name], entry[name] + len(world.automata[name])):
            private[node] &= not conflict(masks[node], rivals)
    return private


def groups_of(world: RaceWorld) -> Ints:
    """First thread and number of the threads of each actor that has several."""
    groups = [
        (world.groups.index(group), world.groups.count(group))
        for group in dict.fromkeys(world.groups)
        if world.groups.count(group) > 1
    ]
    return np.array(groups, dtype=np.int64).reshape(-1, 2)


#: The words of a lock that hold the number of a thread + 1, by the lock's width.
_OWNERS: dict[int, tuple[int, ...]] = {RWSEM_WORDS: (1, 2, 3), SPIN_WORDS: (0, 1, 2), RANGE_WORDS: ()}


def owners_of(layout: Layout) -> Ints:
    """Every word of memory that holds the number of a thread + 1."""
    words = [
        layout.word(field, index) + word
        for field in layout.field_offset
        if field.width > 1
        for index in range(layout.sizes.count(field.cls))
        for word in _OWNERS[field.width]
    ]
    return np.array(words, dtype=np.int64)


def dead_words_at_start(world: RaceWorld) -> list[int]:
    """The registers that are dead at the threads' entries, as words of the state."""
    layout = world.layout
    live = live_at(world.program.table, int(layout.g[c.G_R_ADDR]))
    words = []
    for thread in range(world.threads):
        base = layout.thread_base(thread)
        entry = live[int(world.start[base + c.T_PC])]
        words += [base + word for word in dead_at(entry, c.T_FIXED + len(layout.registers))]
    return words
