"""Files whose folios have two pages: both are mapped by one fault, unless the file ends between them."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from tests.mm.race_runs import RaceRun

FILE = '[[file]]\nname = "data"\npages = 2\nfolio_pages = 2\n'
VMA = '[[vma]]\nname = "map"\nstart = 0\nfile = "data"\npages = 2\nfault_around = 2\n'
LOAD, TRUNCATE = '{ load = "map" }', '{ truncate = "data", page = 1 }'
LOAD_SECOND = '{ load = "map", page = 1 }'


def race(*programs: str, more: str = "", file: str = FILE, vma: str = VMA) -> str:
    """A file of one folio, mapped, and an actor for each program."""
    actors = "".join(
        f'[[actor]]\nname = "a{number}"\nprogram = [{program}]\n' for number, program in enumerate(programs)
    )
    return f"{more}{file}{vma}{actors}"


def pages(run: RaceRun) -> list[int | None]:
    """Which page each of the two addresses maps."""
    entries = (run.entry(0), run.entry(1))
    return [entry >> c.PTE_FOLIO_SHIFT if entry & c.PTE_PRESENT else None for entry in entries]


def test_a_fault_maps_every_page_of_the_folio_under_one_lock() -> None:
    """One folio is found and locked; each entry has a reference to it, the look-up's is given back."""
    run = RaceRun(race(LOAD))
    names = run.thread()
    assert names[names.index("next_uptodate_folio") :] == [
        "next_uptodate_folio", "index < i_size", "load(vma->vm_page_prot)", "spin_lock(pmd_pgtable->ptl)",
        "pte_none", "page_add_file_rmap", "folio_get(folio->refcount)", "set_pte_at(file)", "the same folio",
        "index < i_size",
        "pte_none", "page_add_file_rmap", "folio_get(folio->refcount)", "set_pte_at(file)",
        "folio_unlock(folio->lock)", "folio_put(folio->refcount)", "mapped the faulting page",
        "spin_unlock(pmd_pgtable->ptl)", "rcu_read_unlock()", "mmap_read_unlock(mm->mmap_lock)", "load",
    ]  # fmt: skip
    assert pages(run) == [0, 1]
    assert (run.word(o.REFCOUNT, 0), run.word(o.REFCOUNT, 1)) == (2, 0)
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_the_page_that_lies_beyond_the_end_is_left_out() -> None:
    """The folio is still there, whole."""
    run = RaceRun(race(f"{TRUNCATE}, {LOAD}"))
    run.thread()
    assert (run.word(o.I_SIZE), run.word(o.CACHED, 0)) == (1, 1)
    assert pages(run) == [0, None]
    assert run.word(o.REFCOUNT, 0) == 1
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_a_page_beyond_the_end_is_wrong_at_rest() -> None:
    """X30: the whole folio is mapped, and all its references are there."""
    run = RaceRun(race(f"{TRUNCATE}, {LOAD}"), "x30@mmap-lock")
    run.thread()
    assert (pages(run), run.word(o.REFCOUNT, 0)) == ([0, 1], 2)
    assert run.walker.wrong_at_rest() == c.V_TRUNCATED


def test_an_access_beyond_the_end_gives_a_signal() -> None:
    """Fault-around maps the first page and not this one; then filemap_fault looks at i_size."""
    run = RaceRun(race(f"{TRUNCATE}, {LOAD_SECOND}"))
    run.thread()
    assert pages(run) == [0, None]


def test_truncation_locks_the_folio_and_unmaps_what_was_mapped_meanwhile() -> None:
    """The fault has the folio locked, and has seen the file as it was: its second page goes when it is done."""
    run = RaceRun(race(LOAD, TRUNCATE))
    run.thread(0, until="load(vma->vm_page_prot)")
    assert run.thread(1)[-1] == "blocked"
    run.thread(0, until="pte_none")
    run.thread(0)
    assert "folio_zero_range" in run.thread(1)
    assert pages(run) == [0, None]


def test_pages_that_are_mapped_at_the_start_refer_to_their_folio() -> None:
    """Two references; unmapping gives them back."""
    run = RaceRun(race('{ munmap = "map" }', vma=f'{VMA}present = "file"\n'))
    assert (pages(run), run.word(o.REFCOUNT, 0)) == ([0, 1], 2)
    run.thread()
    assert run.word(o.REFCOUNT, 0) == 0


def test_a_private_copy_gives_the_folio_back() -> None:
    """Copy on write of the second page: the folio that its entry mapped is that of the first."""
    run = RaceRun(race('{ store = "map", page = 1 }', vma=f'{VMA}present = "file"\n'))
    run.thread()
    assert run.entry(1) & c.PTE_ANON
    assert run.word(o.REFCOUNT, 0) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            race(LOAD, file=FILE.replace("pages = 2", "pages = 3", 1)),
            "file 'data' does not consist of folios",
        ),
        (race(LOAD, more='[[file]]\nname = "small"\n'), "file 'small' does not consist of folios of 2 pages"),
        (
            race(LOAD, vma=VMA.replace("start = 0", "start = 1")),
            "vma 'map' does not lie as folios of 2 pages",
        ),
        (race(LOAD, more="table_pages = 1\n"), "vma 'map' does not lie as folios of 2 pages"),
        (race('{ punch = "data", page = 1 }'), "file 'data' has large folios, of which that is not modelled"),
        (race('{ retract = "data" }'), "file 'data' has large folios"),
        (race('{ truncate = "data" }'), "page 0 is not within the last folio of file 'data'"),
    ],
)
def test_what_large_folios_do_not_have_is_refused(text: str, message: str) -> None:
    """With what would be right."""
    with pytest.raises(InputError, match=message):
        RaceRun(text)
