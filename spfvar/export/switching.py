"""Templates: what a CPU has loaded, and the flushes that pass it by (arch/x86/mm/tlb.c).

An entry of a TLB that has BEHIND should have been flushed; its CPU was not asked to.
"""

from __future__ import annotations

from spfvar.export.steps import Operands, Step, done, template, test
from spfvar.ops import codes as c

#: Names and texts of inlines, each after those that it uses.
PIECES = [
    (
        "forget_tlb",
        """\
inline forget_tlb() {
	for (i : 0 .. PAGES - 1) { tlb[_pid * PAGES + i] = 0 }
}""",
    ),
    (
        "catch_up",
        """\
/* the interrupt of a flush is taken: what this CPU was behind with is flushed */
inline catch_up() {
	found = 0;
	for (p : 0 .. PROCESSES - 1) {
		if :: (ipi_unanswered[p] & (1 << _pid)) != 0 -> found = 1 :: else fi
	};
	for (i : 0 .. PAGES - 1) {
		if
		:: found != 0 && loaded_mm[_pid] == LOADED && (tlb[_pid * PAGES + i] & BEHIND) != 0 ->
			tlb[_pid * PAGES + i] = 0
		:: else
		fi
	}
}""",
    ),
    (
        "send_ipis_to_loaded",
        """\
/* not to who is lazy or has another mm: these find out when they come back */
inline send_ipis_to_loaded() {
	for (p : 0 .. PROCESSES - 1) {
		if
		:: p != _pid && irq_off[p] > 0 && (loaded_mm[p] == LOADED || loaded_mm[p] == SWITCHING) ->
			ipi_unanswered[_pid] = ipi_unanswered[_pid] | (1 << p)
		:: else
		fi
	}
}""",
    ),
    (
        "flush_tlbs_of_loaded",
        """\
inline flush_tlbs_of_loaded(from, upto) {
	for (p : 0 .. PROCESSES - 1) {
		for (i : from .. upto - 1) {
			if
			:: loaded_mm[p] == LOADED -> tlb[p * PAGES + i] = 0
			:: loaded_mm[p] != LOADED && tlb[p * PAGES + i] != 0 ->
				tlb[p * PAGES + i] = tlb[p * PAGES + i] | BEHIND
			:: else
			fi
		}
	}
}""",
    ),
]


@template(c.SET_LOADED_MM)
def set_loaded_mm(x: Operands) -> Step:
    """this_cpu_write of loaded_mm or is_lazy."""
    return done(f"loaded_mm[_pid] = {x.imm}")


@template(c.IS_LOADED_MM)
def is_loaded_mm(x: Operands) -> Step:
    """Has the CPU the mm, be it lazily?"""
    return test("(loaded_mm[_pid] == LOADED || loaded_mm[_pid] == LAZY)")


@template(c.TLB_GEN)
def tlb_gen(x: Operands) -> Step:
    """Has no flush passed the CPU by?"""
    entries = (f"tlb[_pid * PAGES + {page}]" for page in range(x.model.sizes.pages))
    return test(" && ".join(f"({entry} & BEHIND) == 0" for entry in entries))


@template(c.WRITE_CR3)
def write_cr3(x: Operands) -> Step:
    """The TLB is empty."""
    return done("forget_tlb()")
