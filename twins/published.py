"""What is found by a pointer, or said to be there, before it is seen: one barrier is taken out each time.

The pairs of pmd_install() with who walks page tables, and of folio_mark_uptodate() with who reads a file.
Those of the tree's nodes are in `tree_nodes`.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.fault import PMD_LOCK
from spfvar.mm.filemap_read import FilemapRead
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import PMD_NONE, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import pmd_populate, read_pmd
from spfvar.ops.primitives import add, at, equals, free, spin_lock, spin_unlock, store
from spfvar.plugins.variant import Twin


class LinksUnordered:
    """__pte_alloc() links a page table before it is seen initialised."""

    @hookimpl
    def pte_alloc(self, vmf: VmFault) -> Steps:
        if vmf.has(PMD_NONE):
            yield from hooks.pte_alloc_one(vmf)
            yield from self.pmd_install()
        return VMFault.NONE

    def pmd_install(self) -> Steps:
        """As `spfvar.mm.fault.pmd_install`."""
        yield spin_lock(PMD_LOCK)
        if (yield read_pmd()):
            yield spin_unlock(PMD_LOCK)
            yield free(o.prealloc_pte, "pte_free", "free_table")
        else:
            yield add(at(o.mm, o.PGTABLES_BYTES), 1, "mm_inc_nr_ptes")
            yield pmd_populate()
            yield spin_unlock(PMD_LOCK)
            yield read_pmd()


class MarksUptodateEarly(FilemapRead):
    """A folio is seen to be uptodate before what was read into it is."""

    def folio_mark_uptodate(self) -> Steps:
        yield store(at(o.folio, o.UPTODATE), 1)


class CopiesBeforeItLooks(FilemapRead):
    """What a folio holds is copied before it is seen to be uptodate."""

    def folio_test_uptodate(self) -> Steps:
        return (yield equals(at(o.folio, o.UPTODATE), 1, "folio_test_uptodate"))


_UPTODATE = "include/linux/page-flags.h folio_mark_uptodate, a comment of v6.1"

TWINS = [
    Twin(
        bug="B11",
        title="a page table is found before it is seen initialised (hypothetical)",
        source="mm/memory.c pmd_install, a comment of v6.1",
        fixed=fixed,
        race="first-writes",
        prop="P4",
        patches=(LinksUnordered,),
        memory="lkmm",
    )
    for fixed in ("mmap-lock", "per-vma-6.12", "spf-do-fault")
]
TWINS += [
    Twin(
        bug="B14-wmb",
        title="a folio is said to be uptodate before what it holds is seen (hypothetical)",
        source=_UPTODATE,
        fixed="mmap-lock",
        race="read-uptodate.toml",
        prop="P17",
        patches=(MarksUptodateEarly,),
        memory="lkmm",
    ),
    Twin(
        bug="B14-rmb",
        title="read(2) copies what a folio holds before it is seen to be uptodate (hypothetical)",
        source=_UPTODATE,
        fixed="mmap-lock",
        race="read-uptodate.toml",
        prop="P17",
        patches=(CopiesBeforeItLooks,),
        memory="lkmm",
    ),
]
