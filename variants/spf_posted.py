"""The 2021 series as it was posted, where that differs from what it means: one patch per open question."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.orders import smp_wmb
from spfvar.ops.paging import pmd_populate, read_pmd
from spfvar.ops.places import RWSEM_WORDS, Field, Register
from spfvar.ops.primitives import add, allocate, at, down_read, free, spin_lock, spin_unlock, up_read

from . import spf_patches as p

#: Stands for mmu_notifier_invalidate_range_start() .. end(), which have to pair; free without subscribers.
NOTIFIER = Field(o.MM, "notifier_subscriptions", RWSEM_WORDS)
PMD_LOCK = at(o.mm, o.PMD_LOCK)
pmd_now = Register("pmd_now", o.PAGE_TABLE)


class PostedPteAlloc:
    """15/37 as posted: do_anonymous_page's pte_alloc() looks at the pmd again, and allocates."""

    @hookimpl(wrapper=True)
    def pte_alloc(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        other = yield
        return self._pte_alloc() if vmf.has(p.SPECULATIVE) else other

    def _pte_alloc(self) -> Steps:
        if (yield read_pmd(pmd_now)):
            return VMFault.NONE
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
        yield spin_lock(PMD_LOCK)
        if (yield read_pmd(pmd_now)):
            yield spin_unlock(PMD_LOCK)
            yield free(o.prealloc_pte, "pte_free", "free_table")
        else:
            yield add(at(o.mm, o.PGTABLES_BYTES), 1, "mm_inc_nr_ptes")
            yield smp_wmb()
            yield pmd_populate()
            yield spin_unlock(PMD_LOCK)
        return VMFault.NONE


class NotifierWithoutEnd:
    """19/37 as posted: wp_page_copy() gives up behind the notifier's start, and skips its end."""

    @hookimpl(wrapper=True)
    def wp_page_copy(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._copy((yield), vmf)

    def _copy(self, copy: Steps, vmf: VmFault) -> Steps:
        notifier = at(o.mm, NOTIFIER)
        yield down_read(notifier, "mmu_notifier_invalidate_range_start").untimed()
        ret = yield from copy
        if not (vmf.has(p.SPECULATIVE) and ret & VMFault.RETRY):
            yield up_read(notifier, "mmu_notifier_invalidate_range_end").untimed()
        return ret


class LeakTheFolio(p.SpeculativeFilemapFault):
    """25/37 as posted: the exits of a speculative filemap_fault() keep find_get_page()'s reference."""

    def _give_up(self) -> Steps:
        return
        yield
