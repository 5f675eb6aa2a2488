"""Truncation, hole punch, reclaim, writeback: the order of their primitives, and what is left behind."""

from __future__ import annotations

import pytest

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun

FILE = """
[[file]]
name = "data"
pages = 2
[[vma]]
name = "map"
start = 0
pages = 2
file = "data"
present = "%s"
[[actor]]
name = "a"
program = [%s]
"""


def run_of(program: str, present: str = "file", variant: str = "mmap-lock") -> RaceRun:
    """One thread on a file of two pages, both mapped at 0."""
    return RaceRun(FILE % (present, program), variant)


def short(names: list[str]) -> list[str]:
    """Primitives without their operands."""
    return [name.split("(")[0] for name in names]


def in_order(names: list[str], wanted: list[str]) -> bool:
    """Do the names occur in this order, others between them?"""
    rest = iter(names)
    return all(name in rest for name in wanted)


def test_truncation_sets_the_size_then_unmaps_removes_and_unmaps_again() -> None:
    """i_size, zap, then per page: lock, is it mapped, remove, unlock; and a last zap for private copies."""
    names = short(run_of('{ truncate = "data" }').thread())
    page = ["folio_lock", "folio->mapping", "!folio_mapped", "filemap_remove_folio", "folio_unlock"]
    assert in_order(names, ["store file_start", "zap_pte_range", *page, *page, "zap_pte_range"])
    assert names.count("zap_pte_range") == 2  # alone, nobody maps a page that was just unmapped
    assert names[:2] == ["ftruncate", "store file_start"]


def test_truncation_takes_no_lock_of_the_address_space() -> None:
    """It comes by the interval tree, under i_mmap_rwsem for reading, and never by mmap_lock."""
    names = run_of('{ truncate = "data" }').thread()
    assert not any("mm->" in name or "find_vma" in name for name in names)
    depth = 0
    for name in short(names):
        depth += {"i_mmap_lock_read": 1, "i_mmap_unlock_read": -1}.get(name, 0)
        assert depth == 1 or name != "zap_pte_range"


def test_only_pages_beyond_the_new_end_go() -> None:
    """Cut off before page 1: page 0 stays mapped and cached."""
    run = run_of('{ truncate = "data", page = 1 }')
    run.thread()
    assert [run.entry(page) & c.PTE_PRESENT for page in (0, 1)] == [c.PTE_PRESENT, 0]
    assert [run.word(o.CACHED, folio) for folio in (0, 1)] == [1, 0]
    assert [run.word(o.REFCOUNT, folio) for folio in (0, 1)] == [1, 0]
    assert run.word(o.I_SIZE) == 1


@pytest.mark.parametrize(("verb", "kept"), [("truncate", 0), ("punch", 1)])
def test_truncation_unmaps_private_copies_and_a_hole_punch_spares_them(verb: str, kept: int) -> None:
    """even_cows of unmap_mapping_range: 1 for truncation, 0 for a hole."""
    run = run_of(f'{{ {verb} = "data" }}', present="anon")
    run.thread()
    assert run.entry(0) & c.PTE_PRESENT == kept


def test_a_fault_beyond_the_end_of_the_file_is_a_sigbus_and_one_in_a_hole_reads_a_page() -> None:
    """The same access after truncation maps nothing, after a hole punch a new page."""
    cut = run_of('{ truncate = "data" }, { load = "map" }')
    cut.thread()
    punched = run_of('{ punch = "data" }, { load = "map" }')
    names = punched.thread()
    assert (cut.entry(0), cut.word(o.CACHED)) == (0, 0)
    assert any(name.startswith("filemap_add_folio") for name in names)
    assert punched.entry(0) & c.PTE_PRESENT


def test_reclaim_flushes_under_the_tables_lock_and_frees_what_nobody_refers_to() -> None:
    """trylock, unmap with the flush before the table is unlocked, remove."""
    run = run_of('{ reclaim = "data" }')
    names = short(run.thread())
    assert in_order(
        names,
        [
            "folio_trylock", "spin_lock", "zap_pte_range", "ptep_clear_flush", "wait for IPI acknowledgements",
            "spin_unlock", "__remove_mapping",
        ],
    )  # fmt: skip
    assert (run.entry(0), run.word(o.CACHED), run.word(o.REFCOUNT), run.word(o.FOLIO_LOCK)) == (0, 0, 0, 0)
    assert run.word(o.CACHED, 1) == 1


def test_reclaim_interrupts_nobody_for_a_page_that_is_not_mapped() -> None:
    """page_vma_mapped_walk finds no entry: the page is freed without a flush."""
    run = run_of('{ reclaim = "data" }', present="no")
    names = short(run.thread())
    assert "ptep_clear_flush" not in names
    assert "__remove_mapping" in names
    assert (run.word(o.CACHED), run.word(o.REFCOUNT)) == (0, 0)


def test_reclaim_leaves_a_page_that_a_fault_refers_to() -> None:
    """The fault has looked the page up; reclaim unmaps it from the other VMA but cannot free it."""
    run = RaceRun(
        FILE % ("no", '{ load = "map" }')
        + '[[vma]]\nname = "b"\nstart = 2\nfile = "data"\npresent = "file"\n'
        + '[[actor]]\nname = "r"\nprogram = [{ reclaim = "data" }]\n'
    )
    run.thread(0, until="folio_trylock")
    run.thread(1)
    assert (run.entry(2), run.word(o.CACHED)) == (0, 1)
    run.thread(0)
    assert run.entry(0) & c.PTE_PRESENT


def test_reclaim_gives_up_on_a_locked_page() -> None:
    """folio_trylock fails while a fault has the page locked, and nothing is unmapped."""
    run = RaceRun(
        FILE % ("no", '{ load = "map" }') + '[[actor]]\nname = "r"\nprogram = [{ reclaim = "data" }]\n'
    )
    run.thread(0, until="set_pte_at(file)")
    names = short(run.thread(1))
    assert "folio_trylock" in names
    assert "zap_pte_range" not in names


def test_writeback_submits_the_batch_before_any_page_of_it_is_done() -> None:
    """Lock, mark, unlock every page; then submit; then the bits are cleared."""
    names = short(run_of('{ writeback = "data" }').thread())
    marks = [
        name for name in names if name in ("folio_lock", "store 1", "folio_unlock", "submit_bio", "store 0")
    ]
    page = ["folio_lock", "store 1", "folio_unlock"]
    assert marks == [*page, *page, "submit_bio", "store 0", "store 0"]


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12"])
def test_a_page_table_is_allocated_before_the_folio_is_locked(variant: str) -> None:
    """The allocation may wait for writeback, so it must not hold a folio (63f3655f9501)."""
    text = FILE % ("no", '{ load = "map", page = 1 }')
    text = text.replace('present = "no"', "table = false")
    names = short(RaceRun(text, variant).thread())
    assert in_order(names, ["pte_alloc_one", "folio_trylock", "pmd_populate", "set_pte_at", "folio_unlock"])


@pytest.mark.parametrize("variant", ["mmap-lock", "per-vma-6.12"])
@pytest.mark.parametrize("verb", ["truncate", "punch"])
def test_a_folio_that_was_truncated_while_it_was_waited_for_is_read_again_before_the_retry(
    verb: str, variant: str
) -> None:
    """filemap_fault: folio->mapping comes before fpin; the new page is the retry's, if the file still has it."""
    text = """
[[file]]
name = "data"
[[vma]]
name = "map"
start = 0
file = "data"
fault_around = 1
[[actor]]
name = "load"
program = [{ load = "map" }]
[[actor]]
name = "other"
program = [{ %s = "data" }]
"""
    run = RaceRun(text % verb, variant)
    run.thread(0, until="folio_trylock")
    run.thread(1, until="folio_unlock")
    assert run.thread(0)[-1] == "blocked"
    run.thread(1)
    names = short(run.thread(0))
    look = ["folio->mapping", "folio_unlock", "folio_put", "filemap_get_folio", "filemap_add_folio"]
    assert in_order(names, [*look, "filemap_read_folio", "folio_unlock", "folio_put", "fput", "find_vma"])
    assert ("set_pte_at" in names) == (verb == "punch")
