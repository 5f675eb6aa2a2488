"""What must hold at rest: a good state passes, and each property has a state that breaks it alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from spfvar.variants.spf_patches import MMAP_SEQ

from spfvar.explore.onestep import wrong
from spfvar.explore.world import RaceWorld, build_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import Field, ObjectClass
from spfvar.scenario.race import Race
from tests.stacks import stack

P, W, A, D, Z = c.PTE_PRESENT, c.PTE_WRITE, c.PTE_ANON, c.PTE_DIRTY, c.PTE_ZERO

#: Tables of 4 pages.  "code" is VMA 0 at 0 and 1 (file 0, folios 0 and 1), "heap" VMA 1 at 4 and 5 (anonymous
#: pages 0 and 1), "data" VMA 2 at 8 (file 1, folio 2).  Nothing is mapped at 2, 3, 6, 7 and 9 to 11.
RACE = Race.model_validate(
    {
        "kind": "race",
        "title": "three mappings",
        "properties": ["P1"],
        "table_pages": 4,
        "tlb": True,
        "file": [{"name": "program", "pages": 2}, {"name": "log"}],
        "vma": [
            {"name": "code", "start": 0, "pages": 2, "file": "program", "present": "file", "prot": "r"},
            {"name": "heap", "start": 4, "pages": 2, "present": "anon"},
            {"name": "data", "start": 8, "file": "log", "present": "file", "sharing": "shared"},
        ],
        "actor": [
            {
                "name": "user",
                "program": [{"munmap": "heap"}, {"store": "heap"}, {"grow": "heap"}, {"shrink": "heap"}],
            }
        ],
    }
)


class Rest:
    """A race's start state, to be changed; nobody runs."""

    def __init__(self) -> None:
        self.world: RaceWorld = build_race(RACE, stack("spf-do-fault"))
        self.layout = self.world.layout
        self.state = self.world.start.copy()

    def verdict(self) -> str:
        """What is wrong with the state."""
        return c.VIOLATIONS[wrong(*self.words())]

    def words(self) -> tuple[Any, ...]:
        """What is looked at."""
        return self.state, self.layout.g, self.world.locks, self.world.sequences

    def add(self, field: Field, index: int, amount: int) -> None:
        """Change a field."""
        self.state[self.layout.word(field, index)] += amount

    def set(self, field: Field, index: int, value: int) -> None:
        """Set a field."""
        self.state[self.layout.word(field, index)] = value

    def life(self, cls: ObjectClass, index: int, value: int) -> None:
        """Set an object's life word."""
        self.state[self.layout.class_base(cls) + index * self.layout.class_stride[cls]] = value

    def entry(self, page: int) -> int:
        """The state word of a page's entry."""
        table = int(self.state[self.layout.g[c.G_PMD] + (page >> 2)]) - 1
        return int(self.layout.g[c.G_PTE]) + (table << 2) + (page & 3)

    def tree(self, page: int, value: int) -> None:
        """What the tree has for a page."""
        self.state[self.layout.g[c.G_TREE] + page] = value

    def expect(self, page: int, writes: int) -> None:
        """How often the user has written to a page."""
        self.state[self.layout.g[c.G_WRITES] + page] = writes


def test_the_start_of_a_race_is_at_rest() -> None:
    """Locks are free, every reference is counted, every entry maps what it should."""
    assert Rest().verdict() == c.VIOLATIONS[c.V_NONE]


Change = Callable[[Rest], None]


def lock_left(rest: Rest) -> None:
    """A reader who never released mmap_lock."""
    rest.add(o.MMAP_LOCK, 0, 1)


def waiter_left(rest: Rest) -> None:
    """The last word of a spinlock: somebody queued."""
    rest.state[rest.layout.word(o.PTL, 0) + 2] = 1


def section_left(rest: Rest) -> None:
    """The series' mmap_seq is odd: a writer has let mmap_lock go without ending its section."""
    rest.add(MMAP_SEQ, 0, 1)


def entry_left(rest: Rest) -> None:
    """An entry beside the heap: a fault was not stopped by munmap."""
    rest.state[rest.entry(6)] = P | Z


def table_left(rest: Rest) -> None:
    """The table of an unmapped range, empty and still linked."""
    rest.state[rest.entry(8)] = 0
    rest.add(o.REFCOUNT, 2, -1)
    rest.tree(8, 0)
    rest.life(o.VMA, 2, c.FREE_END)
    rest.add(o.F_COUNT, 1, -1)


def table_leaked(rest: Rest) -> None:
    """A table in use that is linked nowhere."""
    rest.life(o.PAGE_TABLE, 4, c.LIVE)


def table_freed(rest: Rest) -> None:
    """A linked table that was freed."""
    rest.life(o.PAGE_TABLE, 0, c.FREE_END)


def writable(rest: Rest) -> None:
    """A writable entry in a read-only VMA."""
    rest.state[rest.entry(1)] |= W


def wrong_folio(rest: Rest) -> None:
    """Page 0 of the program maps the program's second folio."""
    rest.state[rest.entry(0)] = P | 1 << c.PTE_FOLIO_SHIFT


def file_page_in_the_heap(rest: Rest) -> None:
    """A file's page where the VMA is anonymous."""
    rest.state[rest.entry(4)] = P | 2 << c.PTE_FOLIO_SHIFT


def on_its_way(rest: Rest) -> None:
    """A migration entry that nobody will replace."""
    rest.state[rest.entry(0)] = c.PTE_MIGRATION
    rest.add(o.REFCOUNT, 0, -1)


def moved_page(rest: Rest) -> None:
    """The heap's pages, exchanged: each has the other's index."""
    words = rest.entry(4), rest.entry(5)
    rest.state[words[0]], rest.state[words[1]] = rest.state[words[1]], rest.state[words[0]]


def truncated(rest: Rest) -> None:
    """The log's page left the page cache, the mapping did not notice."""
    rest.set(o.CACHED, 2, 0)


def lost_write(rest: Rest) -> None:
    """The user has written twice, the page holds nothing."""
    rest.expect(4, 2)


def written_behind_the_back(rest: Rest) -> None:
    """The page holds a write that the user did not make there."""
    rest.set(o.PAGE_DATA, 0, 1)


def no_anon_vma(rest: Rest) -> None:
    """An anonymous page in a VMA without reverse map."""
    rest.set(o.VM_ANON_VMA, 1, 0)


def page_without_rmap(rest: Rest) -> None:
    """The page itself knows no anon_vma."""
    rest.set(o.PAGE_ANON_VMA, 0, 0)


def freed_page_mapped(rest: Rest) -> None:
    """The entry maps a page that was freed."""
    rest.life(o.PAGE, 0, c.FREE_END)


def freed_file_mapped(rest: Rest) -> None:
    """The VMA names a file that was freed."""
    rest.life(o.FILE, 1, c.FREE_END)


def freed_anon_vma(rest: Rest) -> None:
    """The code's VMA names an anon_vma that was freed; it maps no page of it."""
    rest.life(o.ANON_VMA_CLASS, 0, c.FREE_END)


def off_by(field: Field, index: int, amount: int) -> Change:
    """A reference count that is wrong by one."""

    def change(rest: Rest) -> None:
        rest.add(field, index, amount)

    change.__doc__ = f"{field} {amount:+}"
    return change


def leaked_page(rest: Rest) -> None:
    """A page in use, mapped nowhere, with a reference that nobody will drop."""
    rest.life(o.PAGE, 3, c.LIVE)
    rest.set(o.PAGE_REFS, 3, 1)


def vma_outside_the_tree(rest: Rest) -> None:
    """A VMA in use that no lookup finds."""
    rest.life(o.VMA, 3, c.LIVE)
    rest.set(o.VM_START, 3, 2)
    rest.set(o.VM_END, 3, 3)


COUNTS = ((o.F_COUNT, 0), (o.REFCOUNT, 2), (o.PAGE_REFS, 1), (o.ANON_VMA_REFS, 1))


@pytest.mark.parametrize(
    ("change", "violation"),
    [
        (lock_left, c.V_LOCK_LEFT),
        (waiter_left, c.V_LOCK_LEFT),
        (section_left, c.V_SEQUENCE_LEFT),
        (entry_left, c.V_PTE_LEFT),
        (table_left, c.V_TABLE_LEFT),
        (table_leaked, c.V_TABLE_LEFT),
        (table_freed, c.V_TABLE_LEFT),
        (writable, c.V_PROTECTION),
        (wrong_folio, c.V_WRONG_PAGE),
        (file_page_in_the_heap, c.V_WRONG_PAGE),
        (moved_page, c.V_WRONG_PAGE),
        (on_its_way, c.V_MIGRATION_LEFT),
        (truncated, c.V_TRUNCATED),
        (lost_write, c.V_LOST_WRITE),
        (written_behind_the_back, c.V_LOST_WRITE),
        (no_anon_vma, c.V_RMAP),
        (page_without_rmap, c.V_RMAP),
        (freed_page_mapped, c.V_USE_AFTER_FREE),
        (freed_file_mapped, c.V_USE_AFTER_FREE),
        (freed_anon_vma, c.V_USE_AFTER_FREE),
        (leaked_page, c.V_REFCOUNT),
        (vma_outside_the_tree, c.V_REFCOUNT),
        *((off_by(field, index, amount), c.V_REFCOUNT) for field, index in COUNTS for amount in (1, -1)),
    ],
    ids=lambda x: (x.__doc__ or "") if callable(x) else "",
)
def test_each_property_is_violated_by_a_state_that_breaks_it(change: Change, violation: int) -> None:
    """One change to the good state, and the verdict names the property."""
    rest = Rest()
    change(rest)
    assert rest.verdict() == c.VIOLATIONS[violation]


def test_where_the_content_is_undefined_no_write_is_lost() -> None:
    """After madvise(DONTNEED) any content will do."""
    rest = Rest()
    rest.expect(4, -1)
    rest.set(o.PAGE_DATA, 0, 3)
    assert rest.verdict() == c.VIOLATIONS[c.V_NONE]


def test_an_entry_that_allows_less_than_its_vma_is_no_violation() -> None:
    """The next write faults and gets the permission."""
    rest = Rest()
    rest.state[rest.entry(4)] &= ~W
    assert rest.verdict() == c.VIOLATIONS[c.V_NONE]
