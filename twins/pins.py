"""Published bugs of get_user_pages: who pins a page that the process does not keep."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.mm import hookspecs as hooks
from spfvar.mm.gup import GetUserPages, folio_maybe_dma_pinned
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.ksm import Ksm, clear_and_flush
from spfvar.mm.unmap_unlock import pte_unmap_unlock
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import pte_put_back, read_pte, vm_normal_page
from spfvar.ops.pinning import page_anon_exclusive, set_page_anon_exclusive, try_grab_folio
from spfvar.ops.primitives import at, load, test_register
from spfvar.plugins.variant import Twin


class ForkUnseen:
    """A lock-free pin does not look whether a fork has write-protected the page meanwhile."""

    @hookimpl
    def gup_fast_retry(self) -> Steps:
        return False
        yield


class WriteForgotten:
    """Once the copy is made that a write needs, the write is taken for a read: the VMA would forbid it."""

    @hookimpl(wrapper=True)
    def faultin_page(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._drop_foll_write(vmf, (yield))

    def _drop_foll_write(self, vmf: VmFault, fault: Steps) -> Steps:
        ret = yield from fault
        if isinstance(ret, VMFault) or not vmf.write or not (yield from copy_is_there()):
            return ret
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
        if (yield test_register(o.vm_page_prot, 1, "VM_WRITE")):
            return ret
        return replace(vmf, write=False)


def copy_is_there() -> Steps:
    """Has the fault made the copy?  Then it said so (VM_FAULT_WRITE)."""
    if not (yield from hooks.pte_offset_map_lock(o.address)):
        return False
    there = (yield read_pte(False)) != "none" and (yield vm_normal_page()) == "anonymous"
    yield from pte_unmap_unlock()
    return there


class NoBarriers(GetUserPages):
    """The core's text without its barriers."""

    def try_grab_folio(self) -> Steps:
        return (yield try_grab_folio())

    def gup_must_unshare(self) -> Steps:
        return not (yield page_anon_exclusive())

    @hookimpl
    def page_try_share_anon_rmap(self) -> Steps:
        if not (yield page_anon_exclusive()):
            return True
        if (yield from folio_maybe_dma_pinned()):
            return False
        yield set_page_anon_exclusive(False)
        return True


class PinsBeforeEntry(Ksm):
    """KSM looks for pins before it clears the entry."""

    def share(self) -> Steps:
        pinned = (yield page_anon_exclusive()) and (yield from folio_maybe_dma_pinned())
        yield from clear_and_flush()
        if pinned:
            yield pte_put_back(o.cursor)
            return
        yield set_page_anon_exclusive(False)
        yield pte_put_back(o.cursor, writable=False)


class EntryBeforeExclusive(Ksm):
    """KSM sets the entry again, and clears PG_anon_exclusive behind that."""

    def share(self) -> Steps:
        yield from clear_and_flush()
        if (yield page_anon_exclusive()) and (yield from folio_maybe_dma_pinned()):
            yield pte_put_back(o.cursor)
            return
        yield pte_put_back(o.cursor, writable=False)
        yield set_page_anon_exclusive(False)


DESIGNS = ("mmap-lock", "per-vma-6.12")

TWINS = [
    *(
        Twin(
            bug="C1",
            title="a debugger's write goes to the file of a private mapping (Dirty COW)",
            source="19be0eaffa3a, CVE-2016-5195",
            fixed=fixed,
            race="poke-madvise",
            prop="P8",
            patches=(WriteForgotten,),
            description="The copy is thrown away between the fault that made it and the look that was to "
            "find it. What is there then comes from the file, and is written to.",
        )
        for fixed in DESIGNS
    ),
    *(
        Twin(
            bug="C2",
            title="a page is pinned without locks while fork makes it copy-on-write",
            source="57efa1fe5957",
            fixed=fixed,
            race="pin-fork",
            prop="P8",
            patches=(ForkUnseen,),
            description="fork found the page not pinned, the pin found its entry writable. The process's "
            "next write goes to a copy, and the device's to the page that the child has.",
        )
        for fixed in DESIGNS
    ),
    Twin(
        bug="X22",
        title="KSM and a lock-free pin, without the memory barriers between their looks at each other",
        source="088b8aa537c2",
        fixed="mmap-lock",
        race="pin-ksm",
        prop="",
        patches=(NoBarriers,),
        description="A control: memory is sequentially consistent here, so the order of the text will do. "
        "X22-pins and X22-entry are orders that weaker memory would make of it; with the kernel's model, "
        "X22-mb, X22-pin and X22-exclusive are its barriers.",
    ),
    Twin(
        bug="X22-pins",
        title="KSM looks for pins before its clearing of the entry can be seen",
        source="088b8aa537c2",
        fixed="mmap-lock",
        race="pin-ksm",
        prop="P8",
        patches=(PinsBeforeEntry,),
        description="What a missing barrier between A1 and A2 of that commit allows, written as a text.",
    ),
    Twin(
        bug="X22-entry",
        title="KSM's entry is seen again before PG_anon_exclusive is seen cleared",
        source="088b8aa537c2",
        fixed="mmap-lock",
        race="pin-ksm",
        prop="P8",
        patches=(EntryBeforeExclusive,),
        description="What a missing barrier between A3 and A4 of that commit allows, written as a text.",
    ),
]
