"""The second version of the speculative series: what it has that the first version has not, and lacks."""

from __future__ import annotations

from typing import Any

from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.render.protocol import FAULTS, WRITERS, sections
from tests.variants.test_spf import faulting

VARIANT = load_registry()["spf-v2"]


def lines_of(call: Any, hook: str) -> list[str]:
    """The steps of a hook point, whatever the facts."""
    return [line for s in sections(Stack(VARIANT), call) if s.hook == hook for line in s.lines]


def test_the_walk_is_an_rcu_section_and_tables_are_freed_by_rcu() -> None:
    """One needs the other: nothing turns interrupts off, no table is freed at once."""
    fault = [line.strip() for s in sections(Stack(VARIANT), FAULTS["anon-write"]) for line in s.lines]
    assert "local_irq_disable()" not in fault
    assert lines_of(FAULTS["anon-write"], "speculative_page_walk_begin") == ["rcu_read_lock()"]
    assert lines_of(WRITERS["munmap"], "tlb_free_table") == ["__tlb_remove_table: call_rcu"]


def test_only_anonymous_memory_speculates() -> None:
    """File mappings were left for later: each attempt is turned away by its kind."""
    counts = faulting(
        "spf-v2", {"size": "16KiB", "backing": "file"}, {"touch": "r", "access": "read"}
    ).counts()
    assert counts["spf_abort_no_speculate"] == counts["spf_abort"] == counts["spf_attempt"] > 0


def test_a_speculative_copy_holds_off_the_registration_of_notifiers() -> None:
    """Read, then write 4 pages: 4 copies of the zero page, of which none aborts; each locks and unlocks once.

    The first read makes the table, and the copies need an anon_vma, which the region has from the start.
    """
    run = faulting("spf-v2", {"size": "16KiB"}, {"touch": "r", "access": "read"}, {"touch": "r"})
    counts = run.counts()
    assert (counts["spf_attempt"], counts["spf_abort"], counts["spf_abort_pmd"]) == (8, 1, 1)
    text = lines_of(FAULTS["anon-write"], "wp_page_copy")
    assert sum("mmu_notifier_trylock" in line for line in text) == 1
    field = next(f for f in run.layout.field_offset if f.name == "mmu_notifier_lock")
    assert run.state[run.layout.word(field)] == 0
