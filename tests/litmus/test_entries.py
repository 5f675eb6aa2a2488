"""Whoever reads an entry of a page table has read what was sent along with it: a litmus test, and the design that needs it."""

from __future__ import annotations

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, judge
from spfvar.explore.world import build_race
from spfvar.litmus.parse import parse
from spfvar.litmus.run import judge as judge_litmus
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack

#: KSM clears an entry, looks for pins, clears PG_anon_exclusive, and sets the entry as it was; GUP-fast pins,
#: looks whether the entry is as it was, and then at the mark.
TWICE = """C ksm-beside-gup-fast
{
	pte=1;
	exclusive=1;
}
P0(int *pte, int *exclusive, atomic_t *refcount)
{
	int r0;
	WRITE_ONCE(*pte, 0);
	smp_mb();
	r0 = atomic_read(refcount);
	WRITE_ONCE(*exclusive, 0);
	smp_mb();
	WRITE_ONCE(*pte, 1);
}
P1(int *pte, int *exclusive, atomic_t *refcount)
{
	int r1;
	int r2;
	atomic_add(64, refcount);
	smp_mb__after_atomic();
	r1 = READ_ONCE(*pte);
	smp_rmb();
	r2 = READ_ONCE(*exclusive);
}
exists (0:r0=0 /\\ 1:r1=1 /\\ 1:r2=1)
"""


def test_the_entry_that_was_set_anew_brings_the_mark_that_was_cleared_before() -> None:
    """If GUP-fast reads the old entry, KSM sees the pin; if the new one, smp_rmb shows that the mark is gone."""
    assert judge_litmus(parse(TWICE)).verdict == "never"
    assert judge_litmus(parse(TWICE.replace("\tsmp_rmb();\n", ""))).verdict == "sometimes"


def _radixvm(memory: str) -> str:
    """Its flush interrupts only who used the range, so GUP-fast, with interrupts off, is not waited for."""
    stack = Stack(load_registry()["radixvm"])
    world = build_race(catalogue.races()["pin-ksm-twice"], stack, "lkmm" if memory == "lkmm" else "sc")
    return judge(world, "radixvm", "pin-ksm-twice", Options()).verdict


def test_under_sequential_consistency_that_design_is_safe() -> None:
    """The alarm is of weak memory alone."""
    assert _radixvm("sc") == SAFE


def test_under_the_kernels_model_it_is_safe_too() -> None:
    """By the litmus test above."""
    assert _radixvm("lkmm") == SAFE
