"""Page tables that are freed by RCU: behind the flush, as every page table is."""

from __future__ import annotations

from dataclasses import replace

from spfvar.explore.explore import explore
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import codes as c
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import call_rcu
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from tests.mm.race_runs import RaceRun
from tests.mm.test_truncate import in_order, short

MUNMAP = """
[[vma]]
name = "map"
start = 0
present = "anon"
[[actor]]
name = "munmap"
program = [{ munmap = "map" }]
"""


class QueueBeforeFlush:
    """A grace period that waits for no CPU that walks the table by its TLB."""

    @hookimpl
    def tlb_remove_table(self, table: Register) -> Steps:
        yield call_rcu(table, "__tlb_remove_table: call_rcu")


def test_a_table_waits_for_the_flush_before_it_waits_for_readers() -> None:
    """tlb_finish_mmu: unlinked, flushed, and only then queued."""
    names = short(RaceRun(MUNMAP, "spf-v2").thread())
    assert in_order(names, ["pmd_clear", "flush_tlb_mm_range", "__tlb_remove_table: call_rcu"])


def test_queued_before_the_flush_a_table_is_walked_when_it_is_gone() -> None:
    """A CPU in lazy TLB mode is in no RCU section: the grace period ends, and it still may walk the table."""
    race, variant = catalogue.races()["lazy-map-over"], load_registry()["spf-v2"]
    early = replace(variant, patches=(*variant.patches, QueueBeforeFlush), repairs=())
    found = explore(build_race(race, Stack(early)))
    assert [broken.code for broken in found.violations] == [c.V_TABLE_CACHED]
    assert not explore(build_race(race, Stack(variant))).violations
