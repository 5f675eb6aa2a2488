"""Templates: what a CPU has loaded, and the flushes that pass it by (arch/x86/mm/tlb.c).

An entry of a TLB that has BEHIND should have been flushed; its CPU was not asked to.
"""

from __future__ import annotations

from spfvar.export.steps import Operands, Step, Way, done, fail, template, test
from spfvar.ops import codes as c

#: Names and texts of inlines, each after those that it uses.
PIECES = [
    (
        "forget_tlb",
        """\
inline forget_tlb() {
	for (i : 0 .. PAGES - 1) { tlb[_pid * PAGES + i] = 0 };
	for (i : 0 .. SLOTS - 1) { walk[_pid * SLOTS + i] = NULL }
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
	};
	for (i : 0 .. SLOTS - 1) {
		if
		:: found != 0 && loaded_mm[_pid] == LOADED && (walk[_pid * SLOTS + i] & WALK_BEHIND) != 0 ->
			walk[_pid * SLOTS + i] = NULL
		:: else
		fi
	}
}""",
    ),
    (
        "send_ipis_to_loaded",
        """\
/* not to who has another mm, or is lazy if no tables are freed: these find out when they come back */
inline send_ipis_to_loaded(freed) {
	for (p : 0 .. PROCESSES - 1) {
		if
		:: p != _pid && irq_off[p] > 0 && (loaded_mm[p] == LOADED || loaded_mm[p] == SWITCHING
			|| (loaded_mm[p] == LAZY && freed != 0)) ->
			ipi_unanswered[_pid] = ipi_unanswered[_pid] | (1 << p)
		:: else
		fi
	}
}""",
    ),
    (
        "flush_tlbs_of_loaded",
        """\
inline flush_tlbs_of_loaded(from, upto, freed) {
	for (p : 0 .. PROCESSES - 1) {
		for (i : from .. upto - 1) {
			if
			:: loaded_mm[p] == LOADED -> tlb[p * PAGES + i] = 0
			:: loaded_mm[p] != LOADED && tlb[p * PAGES + i] != 0 ->
				tlb[p * PAGES + i] = tlb[p * PAGES + i] | BEHIND
			:: else
			fi
		};
		for (i : (from) / SPAN .. (upto - 1) / SPAN) {
			if
			:: loaded_mm[p] == LOADED -> walk[p * SLOTS + i] = NULL
			:: loaded_mm[p] != LOADED && walk[p * SLOTS + i] != NULL ->
				walk[p * SLOTS + i] = walk[p * SLOTS + i] | WALK_BEHIND
			:: else
			fi
		};
		/* who is lazy takes the interrupt, and goes on to other page tables */
		if
		:: freed != 0 && loaded_mm[p] == LAZY && irq_off[p] == 0 -> loaded_mm[p] = OTHER
		:: else
		fi
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
    pages, slots = x.model.sizes.pages, x.model.sizes.pages // x.model.span
    behind = [
        *(f"(tlb[_pid * PAGES + {page}] & BEHIND) != 0" for page in range(pages)),
        *(f"(walk[_pid * SLOTS + {slot}] & WALK_BEHIND) != 0" for slot in range(slots)),
    ]
    return test(f"!({' || '.join(behind)})")


@template(c.SPECULATE)
def speculate(x: Operands) -> Step:
    """The tables that the TLB leads to are there, as long as the CPU has the mm lazily."""
    slots = [f"walk[_pid * SLOTS + {slot}]" for slot in range(x.model.sizes.pages // x.model.span)]
    freed = (
        f"({slot} != NULL && page_table_life[({slot} & ~WALK_BEHIND) - 1] == FREED)"
        for slot in slots
    )  # fmt: skip
    return Step((Way(),), (fail(f"loaded_mm[_pid] == LAZY && ({' || '.join(freed)})", c.V_TABLE_CACHED),))


@template(c.WRITE_CR3)
def write_cr3(x: Operands) -> Step:
    """The TLB is empty."""
    return done("forget_tlb()")
