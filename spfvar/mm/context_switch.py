"""A CPU leaves a thread and comes back to it; flushes that pass it by meanwhile, it makes up for.

Sources: kernel/sched/core.c context_switch; arch/x86/mm/tlb.c enter_lazy_tlb, switch_mm_irqs_off (v6.12.y).
The next task is a kernel thread, which borrows the mm (lazy TLB), or a thread of another process, of which
nothing is seen here; meanwhile the TLB keeps what it has of the mm, under an identifier of its own (PCID).  A
flush raises tlb_gen and looks at every CPU in one step; mm_cpumask is left out: loaded_mm says what it would.
A flush that may free page tables says so, whether there are any or not.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import codes as c
from spfvar.ops.op import Steps
from spfvar.ops.primitives import choose, local_irq_disable, local_irq_enable
from spfvar.ops.switching import is_loaded_mm, load_new_mm_cr3, set_loaded_mm, speculate, tlb_gen_same


class ContextSwitch:
    """The hook points of a CPU's switch from task to task, the same in every design."""

    @hookimpl
    def context_switch(self) -> Steps:
        if (yield choose("next->mm", False, True)):
            # What others see on the way there makes no difference: until it is back, it is behind anyway.
            yield set_loaded_mm(c.MM_OTHER, "switch_mm_irqs_off(another mm)")
        else:
            yield set_loaded_mm(c.MM_LAZY, "enter_lazy_tlb")
            yield speculate()
        yield local_irq_disable()
        yield from hooks.switch_mm_irqs_off()
        yield local_irq_enable(flushes=True)

    @hookimpl
    def switch_mm_irqs_off(self) -> Steps:
        if (yield is_loaded_mm()):
            yield set_loaded_mm(c.MM_LOADED, "is_lazy = false")
        else:
            yield from self.start_switching()
        if not (yield tlb_gen_same()):
            yield load_new_mm_cr3()
        yield set_loaded_mm(c.MM_LOADED, "loaded_mm = next")

    def start_switching(self) -> Steps:
        """From here on flushes of either mm are sent here, too; they wait until interrupts are on."""
        yield set_loaded_mm(c.MM_SWITCHING, "loaded_mm = LOADED_MM_SWITCHING")
