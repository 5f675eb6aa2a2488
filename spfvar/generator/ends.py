"""How a race can end, as far as it matters to whoever comes next: what it leaves in memory.

Two designs protect the same memory, each in its own way.  If one can leave it as the other never does,
something may have gone wrong that nobody has noticed yet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout
from spfvar.explore.explore import Search
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import Field

#: The words that are no design's own, and no counts of what has been done.
_COMMON: Final = frozenset(
    field
    for field in vars(o).values()
    if isinstance(field, Field) and field.width == 1 and not field.sequence
)
#: A race with more ends is not looked at: nothing would be made of it in time.
_MOST: Final = 500

#: A word of memory by name, with what it holds: nothing is said of words that hold 0.
Memory = frozenset[tuple[str, int, int]]


@dataclass(frozen=True, slots=True)
class Ends:
    """What a race can leave in memory, and the fields that its design has words for."""

    memories: frozenset[Memory]
    fields: frozenset[str]

    def not_in(self, other: Ends) -> frozenset[Memory]:
        """The memories that another race does not leave, as far as both have words for them."""
        hidden = self.fields ^ other.fields
        there = {_without(memory, hidden) for memory in other.memories}
        return frozenset(_without(memory, hidden) for memory in self.memories) - there


def ends_of(search: Search, world: RaceWorld) -> Ends | None:
    """The ends that a finished search has come to; None: too many."""
    keys = search.space.keys.rows[: search.states]
    *threads, (word, bit, mask) = search.rules.fields.tolist()
    ended = np.ones(len(keys), dtype=np.bool_)
    for at, first, ones in threads:
        nodes = search.space.threads.rows[(keys[:, at] >> first) & ones, 0] & 0x7FFF
        ended &= search.rules.idle[nodes]
    found = np.unique((keys[ended, word] >> bit) & mask) - 1  # of memory, a key has the number + 1
    if len(found) > _MOST:
        return None
    rows = search.space.memories.rows[found].view(np.int16)
    layout = world.layout
    fields = [field for field in layout.field_offset if field in _COMMON or field.kept]
    memories = frozenset(frozenset(_words(row, layout, fields, world.race.threads)) for row in rows)
    return Ends(memories, frozenset(map(str, fields)))


def _words(
    row: npt.NDArray[np.int16], layout: Layout, fields: list[Field], threads: int
) -> Iterator[tuple[str, int, int]]:
    """The words of memory that hold something, of objects that are alive, or that are kept in the others."""
    g, sizes, state = layout.g, layout.sizes, row.tolist()
    for cls in o.CLASSES:
        base, stride = layout.class_base(cls), layout.class_stride[cls]
        own = [field for field in fields if field.cls == cls]
        for index in range(sizes.count(cls)):
            alive = not cls.lifetime or state[base + index * stride] == c.LIVE
            if cls.lifetime and alive:
                yield cls.name, index, 1
            for field in own:
                if (alive or field.kept) and (value := state[layout.word(field, index)]):
                    yield str(field), index, value
    pmd, shift = int(g[c.G_PMD]), sizes.pt_shift
    yield from _filled("tree", state, int(g[c.G_TREE]), sizes.pages >> sizes.tree_shift)
    yield from _filled("pmd", state, pmd, sizes.pages >> shift)
    for slot in range(sizes.pages >> shift):
        if table := state[pmd + slot]:
            first = int(g[c.G_PTE]) + (table - 1 << shift)
            yield from _filled(f"pte {slot}", state, first, 1 << shift)
    if sizes.tlbs:  # whose a TLB is makes no difference: threads of one actor are in any order
        first, pages = int(g[c.G_TLB]), sizes.pages
        rows = sorted(list(state[first + n * pages : first + (n + 1) * pages]) for n in range(threads))
        yield from _filled("tlb", [word for row in rows for word in row], 0, threads * pages)


def _filled(name: str, state: list[int], first: int, count: int) -> Iterator[tuple[str, int, int]]:
    return ((name, at, value) for at, value in enumerate(state[first : first + count]) if value)


def _without(memory: Memory, hidden: frozenset[str]) -> Memory:
    return memory if not hidden else frozenset(word for word in memory if word[0] not in hidden)
