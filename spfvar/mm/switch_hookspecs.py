"""The hook points of a CPU's switch from task to task; see spfvar.mm.hookspecs."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.ops.op import Steps


@hook_point
def context_switch() -> Steps:
    """This CPU runs another task, then the thread again (kernel/sched/core.c)."""
    raise AssertionError


@hook_point
def switch_mm_irqs_off() -> Steps:
    """This CPU comes back to the thread's mm (arch/x86/mm/tlb.c); entered with interrupts off."""
    raise AssertionError
