"""A CPU leaves a thread and comes back to it: in which order it says so, looks at tlb_gen, and flushes."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.explore.moves import Walker
from spfvar.explore.search import WAYS
from spfvar.explore.world import build_race
from spfvar.ops import codes as c
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml
from tests.stacks import stack

RACE = """
kind = "race"
title = "t"
properties = ["P9"]
tlb = true

[[vma]]
name = "heap"
start = 0
present = "anon"
warm = true

[[actor]]
name = "user"
program = [{ schedule = "heap" }, { load = "heap" }]

[[actor]]
name = "madvise"
program = [{ madvise = "heap" }]
"""
LAZY, OTHER = 0, 1


def walker(variant: str = "mmap-lock") -> Walker:
    """The race at its start."""
    race: Race = parse_toml(RACE, "race.toml", Race)
    return Walker(build_race(race, stack(variant)))


def run(walk: Walker, thread: int, until: str = "", task: int = OTHER) -> list[str]:
    """Let a thread run until it is about to do something, or waits, or has ended; what it did."""
    names: list[str] = []
    while True:
        op = walk.op_of(thread)
        if op.code == c.END or (until and op.name.startswith(until)):
            return names
        move = walk.go(thread * WAYS + (task if op.name == "next->mm" else 0))
        if move.outcome in (c.BLOCKED, c.VIOLATED):
            return [*names, "blocked" if move.outcome == c.BLOCKED else "violated"]
        names.append(op.name)


BACK_FROM_OTHER = [
    "next->mm", "switch_mm_irqs_off(another mm)", "local_irq_disable()", "prev == next",
    "loaded_mm = LOADED_MM_SWITCHING", "tlb_gen", "loaded_mm = next", "local_irq_enable()",
]  # fmt: skip


def test_a_cpu_that_nobody_passed_by_flushes_nothing() -> None:
    """switch_mm_irqs_off: first it says that it is switching, then it looks at tlb_gen."""
    assert run(walker(), 0, until="address") == BACK_FROM_OTHER


def test_a_kernel_thread_borrows_the_mm() -> None:
    """enter_lazy_tlb; on the way back is_lazy is cleared before tlb_gen is looked at."""
    assert run(walker(), 0, until="address", task=LAZY)[1:] == [
        "enter_lazy_tlb", "speculative walk", "local_irq_disable()", "prev == next", "is_lazy = false", "tlb_gen",
        "loaded_mm = next", "local_irq_enable()",
    ]  # fmt: skip


@pytest.mark.parametrize("task", [LAZY, OTHER])
def test_a_cpu_that_was_passed_by_flushes_when_it_comes_back(task: int) -> None:
    """madvise does not wait for it; then the load faults, for the TLB has nothing any more."""
    walk = walker()
    run(walk, 0, until="local_irq_disable", task=task)
    assert run(walk, 1)[-1] != "blocked"
    names = run(walk, 0)
    assert names[names.index("tlb_gen") + 1] == "load_new_mm_cr3(need_flush)"
    assert "set_pte_at(zero page)" in names


def test_a_flush_waits_for_a_cpu_that_is_switching() -> None:
    """It has looked at tlb_gen already; its interrupts are off until the mm is loaded."""
    walk = walker()
    run(walk, 0, until="loaded_mm = next")
    assert run(walk, 1)[-1] == "blocked"
    run(walk, 0, until="address")
    assert run(walk, 1)[-1] != "blocked"
    assert "load_new_mm_cr3(need_flush)" not in (rest := run(walk, 0))
    assert "set_pte_at(zero page)" in rest


def test_a_race_with_a_switch_has_tlbs() -> None:
    """Without, nothing could be out of date."""
    with pytest.raises(InputError, match="no CPU has a TLB that could be out of date") as caught:
        parse_toml(RACE.replace("tlb = true\n", "").replace("warm = true\n", ""), "race.toml", Race)
    assert caught.value.key == "actor[0].program[0].schedule"
    assert caught.value.expected == "tlb = true"
