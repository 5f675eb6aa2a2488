"""The patches of "Speculative page faults" (Lespinasse, April 2021), a class for each that changes something.

`spf_series` has all 37 in order, with those that change nothing here.  Left out, because the model has no
place for them: page tables above the last level (``SPF_ABORT_PUD``), swap entries that are none
(``SPF_ABORT_NON_SWAP_ENTRY``).
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm import hookspecs as hooks
from spfvar.mm.dispatch import pmd_trans_huge
from spfvar.mm.filemap import page_of_file
from spfvar.mm.hookspecs import hook_point, hookimpl
from spfvar.mm.khugepaged import retract_under_mmap_lock
from spfvar.mm.sequence import WriteSequence
from spfvar.mm.vmf import VMA_COPY, Mapping, VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.orders import smp_rmb
from spfvar.ops.paging import filemap_get_folio, folio_put, inside_i_size, pmd_same, read_pmd, read_pte
from spfvar.ops.places import Field, Register, behind
from spfvar.ops.primitives import (
    at,
    call_rcu,
    count,
    equals,
    equals_register,
    find_vma,
    folio_trylock,
    folio_unlock,
    free,
    is_null,
    load,
    load_odd,
    load_ref,
    load_ref_nonnull,
    local_irq_disable,
    local_irq_enable,
    rcu_read_lock,
    rcu_read_unlock,
    spin_trylock,
    spin_unlock,
    store_ref,
    test_register,
)

SPECULATIVE = "SPECULATIVE"
MMAP_SEQ = Field(o.MM, "mmap_seq", where=behind("mmap_lock"), sequence=True, weak=True)  # patch 9
seq = Register("seq")
PTL = at(o.table, o.PTL)


def abort(reason: str) -> Steps:
    """Count why a speculative fault gives up."""
    yield count(f"spf_abort_{reason}")
    return VMFault.RETRY


@hook_point
def mmap_seq_read_check() -> Steps:
    """Has no writer begun since the fault read the sequence count (patch 9)?  Returns bool."""
    raise AssertionError


@hook_point
def spf_enabled(vmf: VmFault) -> Steps:
    """Does do_handle_mm_fault go on with a speculative fault (patch 8: never; 16, 30)?  Returns bool."""
    raise AssertionError


@hook_point
def vma_can_speculate(vmf: VmFault) -> Steps:
    """May this kind of mapping be faulted speculatively (patch 11: any; 16, 30)?  Returns bool."""
    raise AssertionError


@hook_point
def spf_handles(vmf: VmFault, pte: str) -> Steps:
    """Does handle_pte_fault handle this entry speculatively (patch 16: an empty one; 20)?  Returns bool."""
    raise AssertionError


@hook_point
def speculative_page_walk_begin() -> Steps:
    """Keep page tables from being freed (patch 13; v1 of the series calls it so)."""
    raise AssertionError


@hook_point
def speculative_page_walk_end() -> Steps:
    """Let page tables be freed again (patch 13)."""
    raise AssertionError


def _answer(value: bool) -> Steps:
    return value
    yield


def _none() -> Steps:
    return VMFault.NONE
    yield


class DoHandleMmFault:
    """8/37: do_handle_mm_fault gives up on every speculative fault; 16 and 30 let some go on."""

    @hookimpl
    def spf_enabled(self, vmf: VmFault) -> Steps:
        return _answer(False)

    @hookimpl(wrapper=True)
    def handle_mm_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._if_enabled(vmf, (yield))

    def _if_enabled(self, vmf: VmFault, handle: Steps) -> Steps:
        if vmf.has(SPECULATIVE) and not (yield from spf_enabled(vmf)):
            return VMFault.RETRY
        return (yield from handle)


class MmapSeq(WriteSequence):
    """9/37: a per-mm sequence count, odd while mmap_lock is held for writing.

    Its four barriers are those of a seqcount: behind and before the writer's increments (`WriteSequence`),
    behind the reader's first look and before each of its others.
    """

    sequence = MMAP_SEQ

    @hookimpl
    def mmap_seq_read_check(self) -> Steps:
        yield smp_rmb()
        return (yield equals_register(at(o.mm, MMAP_SEQ), seq, "mmap_seq_read_check"))


class RcuVmaFree:
    """10/37: VMAs are freed after a grace period."""

    @hookimpl
    def vm_area_free(self, vma: Register) -> Steps:
        yield call_rcu(vma, "call_rcu(vm_area_free)")


class SpeculativeEntry:
    """11/37: try the fault on a copy of the VMA, found under RCU, before taking mmap_lock."""

    @hookimpl
    def vma_can_speculate(self, vmf: VmFault) -> Steps:
        return _answer(True)

    @hookimpl(wrapper=True)
    def do_user_addr_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._speculate_first(vmf, (yield))

    def _speculate_first(self, vmf: VmFault, locked: Steps) -> Steps:
        yield count("spf_attempt")
        ret = yield from self._speculate(vmf.set(SPECULATIVE, VMA_COPY))
        if not ret & VMFault.RETRY:
            return ret
        yield count("spf_abort")
        return (yield from locked)

    def _speculate(self, vmf: VmFault) -> Steps:
        if (yield from self.mmap_seq_read_start()):
            return (yield from abort("odd"))
        yield rcu_read_lock()
        if not (yield find_vma()):
            yield rcu_read_unlock()
            return (yield from abort("unmapped"))
        if not (yield from vma_can_speculate(vmf)):
            yield rcu_read_unlock()
            return (yield from abort("no_speculate"))
        yield from self._copy_vma(vmf)
        yield rcu_read_unlock()
        if not (yield from mmap_seq_read_check()):
            return (yield from abort("vma_copy"))
        if vmf.write and not (yield test_register(o.vm_page_prot, 1, "access_error")):
            return (yield from abort("access_error"))
        return (yield from hooks.handle_mm_fault(vmf))

    def mmap_seq_read_start(self) -> Steps:
        """Returns whether a writer is at work (patch 9)."""
        odd = yield load_odd(at(o.mm, MMAP_SEQ), seq, "mmap_seq_read_start")
        yield smp_rmb()
        return odd

    def _copy_vma(self, vmf: VmFault) -> Steps:
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot).costing("vma_copy")
        yield load_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
        yield load(at(o.vma, o.VM_PGOFF), o.vm_pgoff).untimed()
        if vmf.mapping.policy:
            yield load_ref(at(o.vma, o.VM_POLICY), o.vm_policy)
        if vmf.mapping.anonymous:
            yield load(at(o.vma, o.VM_START), o.vm_start).untimed()
        else:
            yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
            yield load(at(o.vma, o.VM_START), o.vm_start)
            yield load(at(o.vma, o.VM_END), o.vm_end)


class SpeculativeWalk:
    """13/37: walk with interrupts off, allocate nothing, give up where there is no table."""

    @hookimpl
    def speculative_page_walk_begin(self) -> Steps:
        yield local_irq_disable()

    @hookimpl
    def speculative_page_walk_end(self) -> Steps:
        yield local_irq_enable()

    @hookimpl(wrapper=True)
    def walk_page_tables(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        walk = yield
        return self._walk(vmf) if vmf.has(SPECULATIVE) else walk

    def _walk(self, vmf: VmFault) -> Steps:
        yield from speculative_page_walk_begin()
        if (yield from pmd_trans_huge(vmf)) or not (yield read_pmd()):
            yield from speculative_page_walk_end()
            return (yield from abort("pmd"))
        pte = yield read_pte(vmf.write)
        yield from speculative_page_walk_end()
        return pte

    @hookimpl(wrapper=True)
    def pte_alloc(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        # As intended; as posted, patch 15 leaves the allocation in (open question H13).
        allocate = yield
        return _none() if vmf.has(SPECULATIVE) else allocate


class PteMapLock:
    """14/37: lock the page table only if no writer ran, and never spin for it."""

    @hookimpl(wrapper=True)
    def pte_map_lock(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._lock() if vmf.has(SPECULATIVE) else lock

    def _lock(self) -> Steps:
        yield from speculative_page_walk_begin()
        if not (yield from mmap_seq_read_check()):
            return (yield from self._fail("seq1"))
        if not (yield pmd_same()):
            return (yield from self._fail("pmd"))
        if not (yield spin_trylock(PTL)):
            return (yield from self._fail("ptl"))
        if not (yield from mmap_seq_read_check()):
            yield spin_unlock(PTL)
            return (yield from self._fail("seq2"))
        yield from speculative_page_walk_end()
        return True

    def _fail(self, check: str) -> Steps:
        yield from speculative_page_walk_end()
        yield count(f"spf_abort_pte_map_lock_{check}")
        return False


class SpeculativeAnonymous:
    """15/37: do_anonymous_page: an anon_vma must exist already, and no monitor is waited for.

    wp_page_copy() and do_cow_fault() ask for the anon_vma by the same hook point, so 19 has no class.
    """

    @hookimpl(wrapper=True)
    def anon_vma_prepare(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        prepare = yield
        return self._must_exist() if vmf.has(SPECULATIVE) else prepare

    @hookimpl(wrapper=True)
    def handle_userfault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        wait = yield
        return abort("userfaultfd") if vmf.has(SPECULATIVE) else wait

    def _must_exist(self) -> Steps:
        if (yield is_null(o.anon_vma)):
            return (yield from abort("anon_vma"))
        return VMFault.NONE


class EnableAnonymous:
    """16/37: anonymous VMAs speculate, as far as do_anonymous_page: only where no entry is yet."""

    @hookimpl
    def vma_can_speculate(self, vmf: VmFault) -> Steps:
        return _answer(vmf.mapping.anonymous)

    @hookimpl
    def spf_enabled(self, vmf: VmFault) -> Steps:
        return _answer(vmf.mapping.anonymous)

    @hookimpl
    def spf_handles(self, vmf: VmFault, pte: str) -> Steps:
        return _answer(pte == "none")

    @hookimpl(wrapper=True)
    def handle_pte_fault(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        return self._if_handled(vmf, pte, (yield))

    def _if_handled(self, vmf: VmFault, pte: str, handle: Steps) -> Steps:
        if vmf.has(SPECULATIVE) and not (yield from spf_handles(vmf, pte)):
            return VMFault.RETRY
        return (yield from handle)


class EnableNuma:
    """18/37: NUMA hinting faults speculate; do_numa_page needs nothing else, for it locks by pte_map_lock."""

    @hookimpl(wrapper=True)
    def spf_handles(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if pte == "protnone" else other


class SpeculativeSwap:
    """21/37: do_swap_page takes what the swap cache has and never waits."""

    @hookimpl(wrapper=True)
    def swapin_readahead(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        read = yield
        return abort("swap_nopage") if vmf.has(SPECULATIVE) else read

    @hookimpl(wrapper=True)
    def swapin_direct(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        read = yield
        return abort("swap_nopage") if vmf.has(SPECULATIVE) else read

    @hookimpl(wrapper=True)
    def folio_lock_or_retry(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        lock = yield
        return self._trylock() if vmf.has(SPECULATIVE) else lock

    def _trylock(self) -> Steps:
        return VMFault.NONE if (yield folio_trylock()) else VMFault.RETRY


class EnableSwap:
    """22/37: faults on pages in swap speculate."""

    @hookimpl(wrapper=True)
    def spf_handles(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if pte == "swap" else other


class SpeculativePresent:
    """20/37: present entries: access flags, copy on write."""

    @hookimpl(wrapper=True)
    def spf_handles(self, vmf: VmFault, pte: str) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if pte in ("present", "write-protected") else other


class RcuFilePut:
    """23/37: the file's reference is dropped when the VMA is freed, so after a grace period."""

    @hookimpl
    def vma_fput(self, vma: Register) -> Steps:
        yield load_ref(at(vma, o.VM_FILE), o.vm_file)
        yield store_ref(at(vma, o.VM_FPUT), o.vm_file)


class SpeculativeDoFault:
    """24/37: call ->fault under RCU after checking the mmap sequence count."""

    @hookimpl(wrapper=True)
    def do_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        locked = yield
        return self._do_fault(vmf, locked) if vmf.has(SPECULATIVE) else locked

    def _do_fault(self, vmf: VmFault, call_fault: Steps) -> Steps:
        yield rcu_read_lock()
        if (yield from mmap_seq_read_check()):
            ret = yield from call_fault
        else:
            ret = yield from abort("fault")
        yield rcu_read_unlock()
        return ret


class SpeculativeFilemapFault:
    """25/37: ->fault takes what the page cache has and never waits."""

    @hookimpl(wrapper=True)
    def filemap_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        locked = yield
        return self._filemap_fault(vmf) if vmf.has(SPECULATIVE) else locked

    def _filemap_fault(self, vmf: VmFault) -> Steps:
        if not (yield filemap_get_folio(page_of_file(vmf))):
            return VMFault.RETRY
        if not (yield folio_trylock()):
            yield from self._give_up()
            return VMFault.RETRY
        if not (yield from self._is_good(vmf)):
            yield folio_unlock()
            yield from self._give_up()
            return VMFault.RETRY
        return VMFault.LOCKED

    def _give_up(self) -> Steps:
        # As intended; as posted, patch 25 keeps the reference (open question H5).
        yield folio_put()

    def _is_good(self, vmf: VmFault) -> Steps:
        # The mapping lies beside the flags, so its load costs nothing.
        mapped = yield equals(at(o.folio, o.CACHED), 1, "folio->mapping").untimed()
        if not (mapped and (yield equals(at(o.folio, o.UPTODATE), 1, "folio_test_uptodate"))):
            return False
        return (yield inside_i_size(page_of_file(vmf)))


class SpeculativeFaultAround:
    """27/37: call ->map_pages under RCU after the check."""

    @hookimpl(wrapper=True)
    def do_fault_around(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        locked = yield
        return self._do_fault_around(vmf, locked) if vmf.has(SPECULATIVE) else locked

    def _do_fault_around(self, vmf: VmFault, map_pages: Steps) -> Steps:
        yield rcu_read_lock()
        if not (yield from mmap_seq_read_check()):
            yield rcu_read_unlock()
            return (yield from abort("fault")), vmf
        ret = yield from map_pages
        yield rcu_read_unlock()
        return ret


class SpeculativeMapPages:
    """28/37: filemap_map_pages gives up if it did not map the faulting page; ->fault is not tried then."""

    @hookimpl(wrapper=True)
    def map_pages(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        locked = yield
        return self._map_pages(locked) if vmf.has(SPECULATIVE) else locked

    def _map_pages(self, map_pages: Steps) -> Steps:
        ret, vmf = yield from map_pages
        return (ret or VMFault.RETRY), vmf


class SpeculativeFileTypes:
    """30/37: file systems that declare ``->fault`` safe; shared writes stay with mmap_lock."""

    @hookimpl(wrapper=True)
    def vma_can_speculate(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if self._speculates(vmf) else other

    @hookimpl(wrapper=True)
    def spf_enabled(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if self._speculates(vmf) else other

    def _speculates(self, vmf: VmFault) -> bool:
        mapping = vmf.mapping
        return not mapping.anonymous and mapping.speculative and not (vmf.write and mapping.shared)


class MapPagesOnly:
    """The reviewer's proposal (D9): file VMAs speculate for read faults, through ->map_pages alone.

    Replaces 24 to 26 and 29 to 32; Wilcox, 20210408071343.GJ2531743@casper.infradead.org.
    """

    @hookimpl(wrapper=True)
    def vma_can_speculate(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if self._maps_pages(vmf) else other

    @hookimpl(wrapper=True)
    def spf_enabled(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return _answer(True) if self._maps_pages(vmf) else other

    def _maps_pages(self, vmf: VmFault) -> bool:
        mapping = vmf.mapping
        return not vmf.write and not mapping.anonymous and mapping.map_pages and mapping.fault_around > 1


class NoPolicy:
    """A VMA with a memory policy does not speculate: mpol_put frees the policy at once.

    The series as posted reads the policy of its copy of the VMA whenever it allocates (open question H4).
    """

    @hookimpl(wrapper=True)
    def vma_can_speculate(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return self._unless_policy(other) if vmf.mapping.policy else other

    def _unless_policy(self, other: Steps) -> Steps:
        if (yield load_ref_nonnull(at(o.vma, o.VM_POLICY), o.vm_policy)):
            return False
        return (yield from other)


class NoTableMove:
    """mremap moves no page table while faults may speculate: they hold its lock only, not the pmd lock.

    The series as posted lacks this (open question H1, b/263177905).  Android's first answer was this rule;
    its later one lets a table go once the VMA has no speculating users (AOSP 529351c4c820).
    """

    @hookimpl(wrapper=True)
    def move_normal_pmd(self, mapping: Mapping) -> Generator[None, Steps, Steps]:
        return self._if_alone((yield))

    def _if_alone(self, move: Steps) -> Steps:
        if (yield equals(at(o.mm, o.MM_USERS), 1, "mm_users")):
            return (yield from move)
        return False


class LockRetractedTable:
    """khugepaged locks a file's page table while it unlinks it, as v6.6 does.

    The series as posted lacks this: the table is empty, so khugepaged frees it with mmap_lock alone, which a
    fault past its last check of the sequence count does not notice; it holds the lock of a freed table.
    """

    @hookimpl
    def retract_page_tables(self) -> Steps:
        return retract_under_mmap_lock(check_again=True, lock_table=True)


class MultithreadedOnly:
    """33/37: speculate only for user mode, and if another thread shares the address space."""

    @hookimpl(wrapper=True)
    def do_user_addr_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._if_shared(vmf, (yield))

    def _if_shared(self, vmf: VmFault, speculate: Steps) -> Steps:
        if not vmf.user or (yield equals(at(o.mm, o.MM_USERS), 1, "mm_users")):
            return (yield from hooks.fault_with_mmap_lock(vmf))
        return (yield from speculate)


class RcuVmaFreeIfShared:
    """34/37: a single-threaded process frees its VMAs at once."""

    @hookimpl(wrapper=True)
    def vm_area_free(self, vma: Register) -> Generator[None, Steps, Steps]:
        return self._free(vma, (yield))

    def _free(self, vma: Register, deferred: Steps) -> Steps:
        if (yield equals(at(o.mm, o.MM_USERS), 1, "mm_users")):
            yield free(vma, "vm_area_free")
        else:
            yield from deferred
