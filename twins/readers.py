"""Bugs of those who look at VMAs: what they keep, what they look at too late, and without a lock."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants import spf_patches as spf

from spfvar.mm.fault import MMAP_LOCK
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import (
    add,
    at,
    copy_register,
    down_read,
    equals,
    equals_register,
    find_vma,
    is_null,
    load,
    load_odd,
    load_ref,
    load_ref_nonnull,
    rcu_read_lock,
    rcu_read_unlock,
    set_null,
    store,
    store_ref,
    up_read,
    vma_contains,
)
from spfvar.plugins.variant import Twin

VMACACHE_SEQNUM = Field(o.MM, "vmacache_seqnum")
vmacache = Register("vmacache", o.VMA)  # current->vmacache, of one entry
vmacache_seqnum = Register("vmacache_seqnum")
#: binder_alloc's pointer to the VMA of its buffers, which is the first one here.
ALLOC_VMA = Field(o.MM, "binder_alloc_vma", initial=1)


class VmaCache:
    """Up to v6.0: a thread's last VMA is found again without the tree, while no VMA was detached since."""

    @hookimpl
    def lock_mm_and_find_vma(self, vmf: VmFault) -> Steps:
        yield down_read(MMAP_LOCK, "mmap_read_lock")
        seqnum = at(o.mm, VMACACHE_SEQNUM)
        valid = yield equals_register(seqnum, vmacache_seqnum, "vmacache_valid")
        if valid and not (yield is_null(vmacache)):
            yield copy_register(o.vma, vmacache)
            if (yield vma_contains()):
                return True
        found = yield find_vma()
        if found:
            yield copy_register(vmacache, o.vma)
            yield load(seqnum, vmacache_seqnum)
        return found

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield add(at(o.mm, VMACACHE_SEQNUM), 1, "vmacache_invalidate")


class WrappingSeqnum:
    """The sequence number wraps (here after one bit, then after 32), and nobody's cache is flushed."""

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        seqnum = at(o.mm, VMACACHE_SEQNUM)
        if (yield equals(seqnum, 1, "vmacache_invalidate: wraps")):
            yield store(seqnum, 0)
        else:
            yield store(seqnum, 1)


class SignalReadsVma:
    """The signal for a forbidden access reads the VMA's protection key, when mmap_lock is dropped."""

    @hookimpl(wrapper=True)
    def fault_with_mmap_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._then_read_pkey((yield))

    def _then_read_pkey(self, fault: Steps) -> Steps:
        ret = yield from fault
        if ret & VMFault.SIGSEGV and not (yield is_null(o.vma)):
            yield load(at(o.vma, o.VM_WRITE), o.scratch)  # stands for vma_pkey(), which has the same life
        return ret


class DriverKeepsVma:
    """A driver keeps a pointer to its VMA, and uses it with mmap_lock held for reading."""

    @hookimpl
    def show_map(self) -> Steps:
        yield down_read(MMAP_LOCK, "mmap_read_lock")
        if (yield load_ref_nonnull(at(o.mm, ALLOC_VMA), o.near)):
            yield load(at(o.near, o.VM_START), o.vm_start)  # vm_insert_page()
        yield up_read(MMAP_LOCK, "mmap_read_unlock")

    @hookimpl(wrapper=True)
    def vm_area_free(self, vma: Register) -> Generator[None, Steps, Steps]:
        return self._after_close((yield))

    def _after_close(self, free: Steps) -> Steps:
        yield set_null(o.near)
        yield store_ref(at(o.mm, ALLOC_VMA), o.near)  # binder_vma_close()
        yield from free


class DumpWithoutLock:
    """A core dump looks at the VMAs without mmap_lock: the threads have stopped, others have not."""

    @hookimpl
    def show_map(self) -> Steps:
        if (yield find_vma(key=o.range_start, name="elf_core_dump: vma")):
            yield load(at(o.vma, o.VM_START), o.vm_start)
            yield load(at(o.vma, o.VM_END), o.vm_end)


class LocklessReader:
    """A VMA is read under RCU, and the sequence count is checked behind it: a pointer is loaded once."""

    @hookimpl
    def show_map(self) -> Steps:
        if (yield load_odd(at(o.mm, spf.MMAP_SEQ), spf.seq, "mmap_lock_speculate_try_begin")):
            return
        yield rcu_read_lock()
        if (yield find_vma(key=o.range_start)) and (yield load_ref_nonnull(at(o.vma, o.VM_FILE), o.vm_file)):
            yield from self.reload()
            yield load(at(o.vm_file, o.F_OPEN), o.scratch)
        yield from spf.mmap_seq_read_check()
        yield rcu_read_unlock()

    def reload(self) -> Steps:
        """What was tested is what is used."""
        return
        yield


class FetchesTwice(LocklessReader):
    """``if (vma->vm_ops && vma->vm_ops->name)``: what was tested is loaded again."""

    def reload(self) -> Steps:
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)


class VmaClose:
    """vma_close() leaves nothing in the VMA that could be called (vma_dummy_vm_ops)."""

    @hookimpl(wrapper=True)
    def vma_fput(self, vma: Register) -> Generator[None, Steps, Steps]:
        return self._then_clear((yield), vma)

    def _then_clear(self, put: Steps, vma: Register) -> Steps:
        yield from put
        yield set_null(o.vm_file)
        yield store_ref(at(vma, o.VM_FILE), o.vm_file)


TWINS = [
    Twin(
        bug="R3",
        title="a signal's protection key is read from a VMA whose lock is dropped",
        source="a3c4fb7c9c2e",
        fixed="mmap-lock",
        race="munmap-readonly",
        prop="P1",
        patches=(SignalReadsVma,),
    ),
    Twin(
        bug="R5",
        title="a sequence number wraps, and a thread's cached VMA is valid again",
        source="7a9cdebdcc17, CVE-2018-17182",
        fixed="mmap-lock",
        race="remap-twice",
        prop="P1",
        patches=(VmaCache, WrappingSeqnum),
        description="With one bit instead of 32; the flush on overflow is what mm_users == 1 left out.",
    ),
    Twin(
        bug="R5-64bit",
        title="a thread's cached VMA with a sequence number that does not wrap",
        source="7a9cdebdcc17",
        fixed="mmap-lock",
        race="remap-twice",
        prop="",
        patches=(VmaCache,),
        description="The fix: a control.",
    ),
    Twin(
        bug="R7",
        title="a driver uses a VMA that it keeps, with mmap_lock held for reading",
        source="015ac18be7de, CVE-2022-50240",
        fixed="mmap-lock",
        race="maps-munmap",
        prop="P1",
        patches=(DriverKeepsVma,),
        description="munmap has downgraded the lock by the time it frees the VMA: readers run beside it.",
    ),
    Twin(
        bug="R10",
        title="a core dump looks at the VMAs without mmap_lock",
        source="04f5866e41fb, CVE-2019-11599",
        fixed="mmap-lock",
        race="maps-munmap",
        prop="P1",
        patches=(DumpWithoutLock,),
    ),
    Twin(
        bug="V18",
        title="a lockless reader tests a pointer of the VMA and loads it again",
        source="review of a lockless PROCMAP_QUERY; kernel/events/uprobes.c",
        fixed="spf-anon",
        race="maps-munmap",
        prop="P2",
        patches=(VmaClose, FetchesTwice),
        description="The second load is null, and is used before the sequence count is checked.",
    ),
    Twin(
        bug="V18-once",
        title="a lockless reader loads a pointer of the VMA once",
        source="review of a lockless PROCMAP_QUERY; kernel/events/uprobes.c",
        fixed="spf-anon",
        race="maps-munmap",
        prop="",
        patches=(VmaClose, LocklessReader),
        description="A control: what it leads to lives until the RCU section ends.",
    ),
]
