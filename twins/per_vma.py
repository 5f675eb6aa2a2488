"""Published bugs of per-VMA locks, put back into designs that do not have them.

Each patch restores what the kernel did before the fix that its twin names as source.
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants.per_vma_refcnt import VM_REFCNT, RefcntReader, refcnt

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.merge import adopt_anon_vma
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    at,
    dec_and_test,
    load,
    load_ref_nonnull,
    store,
    store_register,
)
from spfvar.plugins.variant import Twin


class PublishedUnlocked:
    """mmap puts the VMA into the tree without having write-locked it."""

    @hookimpl(wrapper=True)
    def vma_start_write(self, vma: Register) -> Generator[None, Steps, Steps]:
        start_write = yield
        return _nothing() if vma == o.new_vma else start_write


def _nothing() -> Steps:
    return
    yield


class DupAnonVmaUnlocked:
    """The VMA that gets its neighbour's anon_vma is write-locked only when there was memory for it."""

    @hookimpl
    def dup_anon_vma(self, vma: Register, other: Register) -> Steps:
        if not (yield load_ref_nonnull(at(other, o.VM_ANON_VMA), o.anon_vma)):
            return True
        if (yield load_ref_nonnull(at(vma, o.VM_ANON_VMA), o.old_anon_vma)):
            return True
        return (yield from adopt_anon_vma(vma))


class MarkDetachedOnly:
    """Detaching gives up the attachment's reference, and does not wait for the readers'."""

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield dec_and_test(at(vma, VM_REFCNT), "vma_mark_detached")


class DupCopiesRefcnt:
    """The copy of a VMA is made by copying all of it, the count included, which is then set to 0."""

    @hookimpl(wrapper=True)
    def vm_area_dup(self, vma: Register, new: Register) -> Generator[None, Steps, Steps]:
        return self._and_the_count((yield), vma, new)

    def _and_the_count(self, copy: Steps, vma: Register, new: Register) -> Steps:
        yield from copy
        yield load(at(vma, VM_REFCNT), refcnt)
        yield store_register(at(new, VM_REFCNT), refcnt)
        yield store(at(new, VM_REFCNT), 0)


class WakeWithoutMm(RefcntReader):
    """A VMA that turns out to be another mm's is put back, and then that mm's writer woken."""

    def put_foreign(self) -> Steps:
        yield from self.vma_refcount_put()


TWINS = [
    Twin(
        bug="V2",
        title="mmap changes a VMA after publishing it, not write-locked",
        source="33313a747e81",
        fixed="per-vma-6.12",
        race="published-mapping",
        prop="P10",
        patches=(PublishedUnlocked,),
    ),
    Twin(
        bug="V5",
        title="a merge sets the anon_vma of a VMA that is not write-locked",
        source="d8ab9f7b644a",
        fixed="per-vma-6.12",
        race="merge-out-of-memory",
        prop="P2",
        patches=(DupAnonVmaUnlocked,),
    ),
    Twin(
        bug="V14",
        title="a VMA is detached and freed with a reader's reference in its count",
        source="20250213224655.1680278-1-surenb@google.com",
        fixed="per-vma-refcnt",
        race="recycled-vma",
        prop="P1",
        patches=(MarkDetachedOnly,),
    ),
    Twin(
        bug="V15",
        title="a copied VMA starts with the original's reference count",
        source="ef626c1698c1",
        fixed="per-vma-refcnt",
        race="resplit-heap",
        prop="P1",
        patches=(DupCopiesRefcnt,),
    ),
    Twin(
        bug="V16",
        title="the mm of a recycled VMA is gone when its writer is woken",
        source="9bbffee67ffd",
        fixed="per-vma-refcnt",
        race="recycled-vma",
        prop="P3",
        patches=(WakeWithoutMm,),
        without=(RefcntReader,),
    ),
]
