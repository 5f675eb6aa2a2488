"""Page tables that are freed by RCU, so that an RCU section keeps them (MMU_GATHER_RCU_TABLE_FREE).

Source: mm/mmu_gather.c tlb_remove_table, tlb_flush_mmu.  Tables are gathered as elsewhere, and queued for a
grace period behind the flush: before it a CPU may walk one that only its TLB leads to, in no RCU section.
On x86 a paravirtual guest frees them so; bare metal does not, even if it is configured (spfvar.mm.writers).
Left out: tlb_remove_table_one, for when no batch can be allocated.
"""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import call_rcu


class RcuTableFree:
    """MMU_GATHER_RCU_TABLE_FREE: page tables are freed after a grace period."""

    @hookimpl
    def tlb_free_table(self, table: Register) -> Steps:
        yield call_rcu(table, "__tlb_remove_table: call_rcu")
