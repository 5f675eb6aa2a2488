"""The second version of the speculative series (Lespinasse, January 2022): anonymous memory, RCU instead of
interrupts off, and a lock that keeps MMU notifiers from being registered during a speculative copy.

Message ids are 20220128131006.67712-(k+1)-michel@lespinasse.org for patch k of 35.  Patches that the first
version has, too, are its classes; this version numbers them otherwise.  Left out besides what those leave
out: who registers a notifier (nothing in the model has one), so the lock is always had.

The walk is an RCU section where MMU_GATHER_RCU_TABLE_FREE is set, and the posted code takes for granted that
page tables are then freed by RCU.  In a paravirtual guest they are, and that is what is modelled; on bare x86
they are not (twin H8-bare), nor where no batch can be allocated (twin H8).
"""

from __future__ import annotations

from collections.abc import Generator

from spfvar.mm.fault import put_old_page
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.rcu_tables import RcuTableFree
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import RWSEM_WORDS, Field
from spfvar.ops.primitives import at, count, down_read_trylock, rcu_read_lock, rcu_read_unlock, up_read
from spfvar.plugins.variant import Event, Variant

from . import spf_patches as p
from .spf_series import EVENTS, NOTIFIER_LEFT_OPEN, SPF

MMU_NOTIFIER_LOCK = Field(o.MM, "mmu_notifier_lock", RWSEM_WORDS)


class RcuWalk:
    """14/35: the walk is an RCU section, with interrupts on."""

    @hookimpl
    def speculative_page_walk_begin(self) -> Steps:
        yield rcu_read_lock()

    @hookimpl
    def speculative_page_walk_end(self) -> Steps:
        yield rcu_read_unlock()


class MmuNotifierTrylock:
    """25, 26/35: a speculative copy keeps MMU notifiers from being registered, or gives up.

    The section begins before the copy is made; in the kernel after it, just before the notifiers are called.
    """

    @hookimpl(wrapper=True)
    def wp_page_copy(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        copy = yield
        return self._locked(copy) if vmf.has(p.SPECULATIVE) else copy

    def _locked(self, copy: Steps) -> Steps:
        # A percpu_rw_semaphore: its readers count on a line of their CPU's.
        lock = at(o.mm, MMU_NOTIFIER_LOCK)
        if not (yield down_read_trylock(lock, "mmu_notifier_trylock").untimed().costing("count")):
            yield from put_old_page(unmapped=False)
            yield count("spf_abort_mmu_notifier")
            return VMFault.RETRY
        ret = yield from copy
        yield up_read(lock, "mmu_notifier_unlock").untimed().costing("count")
        return ret


#: The first version's patches without file mappings and swap; the walk is this version's.
NUMBERS = SPF.choose("spf@20+33+34").numbers

VARIANTS = [
    Variant(
        name="spf-v2",
        title="speculative faults, second version, anonymous memory",
        kernel="v5.17-rc1 + SPF v2 1-35",
        source="20220128131006.67712-1-michel@lespinasse.org",
        patches=SPF.stack(NUMBERS, (RcuTableFree, RcuWalk, MmuNotifierTrylock)),
        events=(
            *(event for event in EVENTS if event.name not in ("spf_abort_fault", "spf_abort_swap_nopage")),
            Event("spf_abort_mmu_notifier", "reason", "an MMU notifier was being registered"),
        ),
        # This version ends the notifiers' section.
        repairs=tuple(repair for repair in SPF.repairs(NUMBERS) if repair is not NOTIFIER_LEFT_OPEN),
        description="What was posted last: without file mappings and swap, in a paravirtual guest.",
        rivals=("spf-anon",),
        compared=False,
    ),
]
