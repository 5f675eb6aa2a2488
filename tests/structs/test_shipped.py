"""The shipped layouts: which members share a line in which kernel, and which layout a kernel has."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.structs.model import LINE
from spfvar.structs.shipped import CORE, layout_named, layouts, name_for, parse


def together(layout: str, struct: str, *names: str) -> list[set[str]]:
    """Some members by cache line, in the order of the lines."""
    found = layout_named(layout).find(struct)
    assert found is not None
    places = {name: member.offset // LINE for name in names if (member := found.member(name)) is not None}
    return [{name for name in places if places[name] == line} for line in sorted(set(places.values()))]


HOT = ("mm_count", "mm_users", "pgtables_bytes", "page_table_lock", "mmap_lock", "mm_lock_seq")


@pytest.mark.parametrize(
    ("layout", "lines"),
    [
        # mmap_sem at 112; what write_protect_seq pushed away later, and the owner, which is last in the rwsem.
        ("v4.15", [{"mm_count", "mm_users", "pgtables_bytes", "page_table_lock", "mmap_lock"}]),
        # 57efa1fe5957: write_protect_seq at 104 moves pgtables_bytes to 112, and so mmap_lock to 128.
        ("v5.12", [{"mm_count", "mm_users", "pgtables_bytes", "page_table_lock"}, {"mmap_lock"}]),
        # 2e3025434a6b: back at 120, where the line of mm_users at 92 ends.
        ("v5.13", [{"mm_count", "mm_users", "pgtables_bytes", "page_table_lock", "mmap_lock"}]),
        # The maple tree is shorter than rb_root, vmacache_seqnum and mmap: mmap_lock at 112.
        ("v6.1", [{"mm_count", "mm_users", "pgtables_bytes", "page_table_lock", "mmap_lock"}]),
        # c1753fd02a00: mm_count alone; mm_users 132 to mmap_lock 168 on one line, mm_lock_seq at 224.
        ("v6.5", [{"mm_count"}, {"mm_users", "pgtables_bytes", "page_table_lock", "mmap_lock"}, {"mm_lock_seq"}]),
        # Three members of the cids more: mmap_lock at 184, mm_lock_seq at 248.
        ("v6.15", [{"mm_count"}, {"mm_users", "pgtables_bytes", "page_table_lock", "mmap_lock"}, {"mm_lock_seq"}]),
    ],
)  # fmt: skip
def test_what_shares_a_line_of_mm_struct(layout: str, lines: list[set[str]]) -> None:
    """The counts and locks that faults and writers touch."""
    assert together(layout, "mm_struct", *HOT) == lines


@pytest.mark.parametrize(
    ("layout", "split"),
    [("v4.15", True), ("v5.12", False), ("v5.13", True), ("v6.1", False), ("v6.5", False), ("v6.15", True)],
)
def test_where_count_and_owner_of_mmap_lock_are_on_two_lines(layout: str, split: bool) -> None:
    """Where mmap_lock lies 8 bytes before a multiple of 64: 120 in v5.13 (as its comment says), 184 in v6.15.

    And where the owner is last: at 112 + 32 in v4.15.
    """
    found = layout_named(layout).find("mm_struct")
    assert found is not None
    lock = found.member("mmap_lock")
    assert lock is not None
    rwsem = layout_named(layout).find("rw_semaphore")
    assert rwsem is not None
    owner = rwsem.member("owner")
    assert owner is not None
    assert (lock.offset // LINE != (lock.offset + owner.offset) // LINE) is split


@pytest.mark.parametrize(
    ("layout", "lines"),
    [
        # "The first cache line has the info for VMA tree walking": vm_rb, rb_subtree_gap to 63; vm_mm at 64.
        ("v4.15", [{"vm_start", "vm_end"}, {"vm_page_prot"}, {"anon_vma", "vm_file"}]),
        ("v5.12", [{"vm_start", "vm_end"}, {"vm_page_prot"}, {"anon_vma", "vm_file"}]),
        ("v6.1", [{"vm_start", "vm_end", "vm_page_prot"}, {"anon_vma", "vm_file"}]),
        ("v6.5", [{"vm_start", "vm_end", "vm_page_prot", "vm_lock_seq"}, {"anon_vma"}, {"vm_file"}]),
        # vm_refcnt is ____cacheline_aligned_in_smp: 128.
        ("v6.15", [{"vm_start", "vm_end", "vm_page_prot", "vm_lock_seq"}, {"anon_vma", "vm_file"}, {"vm_refcnt"}]),
    ],
)  # fmt: skip
def test_what_shares_a_line_of_a_vma(layout: str, lines: list[set[str]]) -> None:
    """What faults read, and the locks."""
    names = ("vm_start", "vm_end", "vm_page_prot", "vm_lock_seq", "anon_vma", "vm_file", "vm_refcnt")
    assert together(layout, "vm_area_struct", *names) == lines


@pytest.mark.parametrize("name", layouts())
def test_every_layout_has_the_structs_of_the_model(name: str) -> None:
    """mm_struct's slab is SLAB_HWCACHE_ALIGN, so that its lines are those of the offsets."""
    layout = layout_named(name)
    assert {struct.name for struct in layout.struct} == {
        "mm_struct",
        "vm_area_struct",
        "rw_semaphore",
        "page",
    }
    mm = layout.find("mm_struct")
    assert mm is not None
    assert mm.aligned == LINE
    assert name_for(name) == name
    assert all(parse(start) for start in layout.since)


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        ("v5.12-rc5 + RFC 1-35", "v5.12"), ("v5.12", "v5.12"), ("v5.12.11", "v5.12"), ("v5.13-rc5", "v5.12"),
        ("v5.12.12", "v5.13"), ("v5.13-rc6", "v5.13"), ("v5.17-rc1 + SPF v2 1-35", "v5.13"), ("v6.0", "v5.13"),
        ("v6.1-rc1", "v6.1"), ("v6.4", "v6.1"), ("v6.12", "v6.5"), ("v6.14.9", "v6.5"), ("v6.17", "v6.15"),
        ("v7.0", "v6.15"), ("v4.15 + 64 patches", "v4.15"), ("v5.1-rc4 + SPF v12 1-31", "v4.15"),
        # Older than every layout, or none at all: the core's paths are what runs beneath.
        ("v2.6.36", CORE), ("v3.18-rc1", CORE), ("my tree", CORE), ("", CORE),
    ],
)  # fmt: skip
def test_a_kernels_layout_is_the_newest_that_begins_before_it(kernel: str, name: str) -> None:
    """A stable release counts in its own branch only: v5.13-rc5 is later than v5.12.12, and not fixed."""
    assert name_for(kernel) == name


def test_an_unknown_layout_is_told_with_the_nearest() -> None:
    """Which is an error of whoever wrote the variant."""
    with pytest.raises(InputError, match=r"unknown layout 'v6\.16': did you mean 'v6\.1"):
        layout_named("v6.16")
