"""Rules of page faults that no whole design can show yet, as litmus tests: with each barrier, and without.

Each is a pattern of the source that its comment names, reduced to two threads.  ``{n}`` stands for a barrier.
"""

from __future__ import annotations

import pytest

from spfvar.litmus.parse import parse
from spfvar.litmus.run import judge

#: By rule: initial values, threads, what must not be, barriers.
RULES: dict[str, tuple[str, str, str, tuple[str, ...]]] = {
    # mm/memory.c pmd_install of v6.1: the new table is cleared before walkers find it, who take no lock.
    "pmd_install": (
        "pmd=old; table=9; old=0;",
        "P0(int *table, int **pmd) {{ WRITE_ONCE(*table, 0); {0} WRITE_ONCE(*pmd, table); }}\n"
        "P1(int *table, int **pmd) {{ int *r0; int r1; r0 = READ_ONCE(*pmd); r1 = READ_ONCE(*r0); }}",
        "1:r0=table /\\ 1:r1=9",
        ("smp_wmb();",),
    ),
    # include/linux/page-flags.h folio_mark_uptodate and folio_test_uptodate of v6.1.
    "folio_uptodate": (
        "",
        "P0(int *data, int *flag) {{ WRITE_ONCE(*data, 1); {0} WRITE_ONCE(*flag, 1); }}\n"
        "P1(int *data, int *flag) {{ int r0; int r1; r0 = READ_ONCE(*flag); {1} r1 = READ_ONCE(*data); }}",
        "1:r0=1 /\\ 1:r1=0",
        ("smp_wmb();", "smp_rmb();"),
    ),
    # lib/maple_tree.c ma_dead_node of v6.4: what is read from a node counts if it is not dead behind it.
    "ma_dead_node": (
        "alive=1; slot=1;",
        "P0(int *alive, int *slot) {{ WRITE_ONCE(*alive, 0); {0} WRITE_ONCE(*slot, 2); }}\n"
        "P1(int *alive, int *slot) {{ int r0; int r1; r0 = READ_ONCE(*slot); {1} r1 = READ_ONCE(*alive); }}",
        "1:r0=2 /\\ 1:r1=1",
        ("smp_wmb();", "smp_rmb();"),
    ),
    # mm/memory.c copy_page_range against lockless_pages_from_mm, v6.1: fork sees the pin, or who pins the count.
    # The kernel has no barrier but the lock of the table for the first one, which here is none.
    "write_protect_seq": (
        "",
        "P0(int *seq, int *pins, spinlock_t *ptl) {{ int r0; WRITE_ONCE(*seq, 1); {0} spin_lock(ptl);\n"
        "r0 = READ_ONCE(*pins); spin_unlock(ptl); }}\n"
        "P1(int *seq, int *pins) {{ int r0; WRITE_ONCE(*pins, 1); {1} r0 = READ_ONCE(*seq); }}",
        "0:r0=0 /\\ 1:r0=0",
        ("smp_mb();", "smp_mb();"),
    ),
    # kernel/exit.c rcuwait_wake_up against rcuwait_wait_event: one of the two sees the other.
    "rcuwait": (
        "",
        "P0(int *task, int *done) {{ int r0; WRITE_ONCE(*task, 1); {0} r0 = READ_ONCE(*done); }}\n"
        "P1(int *task, int *done) {{ int r1; WRITE_ONCE(*done, 1); {1} r1 = READ_ONCE(*task); }}",
        "0:r0=0 /\\ 1:r1=0",
        ("smp_mb();", "smp_mb();"),
    ),
    # include/linux/rmap.h: an entry is cleared before pins are counted; a pin is counted before the entry is
    # looked at again.
    "gup_fast_exclusive": (
        "entry=1; pins=0;",
        "P0(int *entry, atomic_t *pins) {{ int r0; WRITE_ONCE(*entry, 0); {0} r0 = atomic_read(pins); }}\n"
        "P1(int *entry, atomic_t *pins) {{ int r1; atomic_add(1, pins); {1} r1 = READ_ONCE(*entry); }}",
        "0:r0=0 /\\ 1:r1=1",
        ("smp_mb();", "smp_mb__after_atomic();"),
    ),
    # include/linux/mm_types.h inc_tlb_flush_pending, mm_tlb_flush_pending: under the lock of one page table.
    "tlb_flush_pending": (
        "entry=1;",
        "P0(int *pending, int *entry, spinlock_t *ptl, spinlock_t *other) {{"
        " WRITE_ONCE(*pending, 1); spin_lock(ptl); WRITE_ONCE(*entry, 0); spin_unlock(ptl); }}\n"
        "P1(int *pending, int *entry, spinlock_t *ptl, spinlock_t *other) {{ int r0; int r1;"
        " {0} r0 = READ_ONCE(*entry); r1 = READ_ONCE(*pending); {1} }}",
        "1:r0=0 /\\ 1:r1=0",
        ("spin_lock(ptl);", "spin_unlock(ptl);"),
    ),
}


def verdict(rule: str, barriers: tuple[str, ...]) -> str:
    """The verdict on "what must not be", with these barriers."""
    initial, threads, clause, _ = RULES[rule]
    text = f"C {rule}\n{{ {initial} }}\n{threads.format(*barriers)}\nexists ({clause})\n"
    return judge(parse(text)).verdict


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_holds_with_its_barriers_and_without_any_of_them_does_not(rule: str) -> None:
    """Taken out one by one; a lock with its unlock."""
    barriers = RULES[rule][3]
    assert verdict(rule, barriers) == "never"
    if rule == "tlb_flush_pending":  # another table's lock orders nothing, nor does none
        assert verdict(rule, ("", "")) == "sometimes"
        assert verdict(rule, ("spin_lock(other);", "spin_unlock(other);")) == "sometimes"
        return
    for number in range(len(barriers)):
        kept = tuple("" if i == number else barrier for i, barrier in enumerate(barriers))
        assert verdict(rule, kept) == "sometimes"


#: mm/mmap_lock.c __vma_start_exclude_readers of v6.19: the writer adds, waits, reads a flag that a reader set
#: (madvise_guard_install, then fork); {0} is how the look that ends the wait reads.
GUARD = """C guard-flag-at-fork
{{ refcnt=2; }}
P0(int *flag, atomic_t *refcnt) {{ WRITE_ONCE(*flag, 1); atomic_fetch_sub_release(1, refcnt); }}
P1(int *flag, atomic_t *refcnt) {{
    int r0; int r1; int r2;
    r2 = 9;
    r0 = atomic_fetch_add_relaxed(512, refcnt);
    {1}
    r1 = {0}(refcnt);
    if (r1 == 513) {{ r2 = READ_ONCE(*flag); }}
}}
exists (1:r1=513 /\\ 1:r2=0)
"""


@pytest.mark.parametrize(
    ("look", "fence", "expected"),
    [
        ("atomic_read", "", "sometimes"),
        ("atomic_read", "smp_mb();", "sometimes"),  # of set_current_state(), before the look: no help
        ("atomic_read_acquire", "", "never"),
    ],
)
def test_a_vma_writer_may_miss_what_the_last_reader_stored(look: str, fence: str, expected: str) -> None:
    """Its wait ends without an acquire, so its loads may be older than the reader's last stores."""
    assert judge(parse(GUARD.format(look, fence))).verdict == expected
