"""Bugs of the per-VMA locks: what each of them needs (tests/matrix finds them all)."""

from __future__ import annotations

from dataclasses import replace

from spfvar.twins import per_vma as twins
from spfvar.variants.vma_lock import MM_LOCK_SEQ

from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.ops.primitives import add, at
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant

REGISTRY = load_registry()


def broken(bug: str) -> Variant:
    """The design with the bug of that number."""
    twin: Twin = next(twin for twin in twins.TWINS if twin.bug == bug)
    return twin.variant(REGISTRY[twin.fixed])


def verdict_of(variant: Variant, race: str, *, first: bool = True) -> Verdict:
    """The verdict on a variant in a shipped race."""
    world = build_race(races()[race], Stack(variant))
    return judge(world, variant.name, race, Options(first=first))


class EndWriteAllOnly:
    """munmap ends the VMA's write lock, and does not mark the VMA as detached."""

    @hookimpl
    def vma_mark_detached(self, vma: Register) -> Steps:
        yield add(at(o.mm, MM_LOCK_SEQ), 2, "vma_end_write_all")


def test_what_saves_the_fault_in_v9_is_that_the_vma_is_detached() -> None:
    """Without the mark, the early end of the write locks lets the fault into a VMA that is being unmapped."""
    fixed = REGISTRY["per-vma-6.12"]
    variant = replace(fixed, patches=(*fixed.patches, EndWriteAllOnly))
    assert verdict_of(variant, "munmap-file").verdict == VIOLATION


def test_v12_reads_the_overwritten_range() -> None:
    """The control is none if call_rcu's words are never compared with the address, either way."""
    world = build_race(races()["munmap-file"], Stack(broken("V12")))
    found = explore(world, Options())
    names = [op.name for op in world.program.ops]
    [high] = [node for node, name in enumerate(names) if name.startswith("vm_rcu.func")]
    compared = [node for node, name in enumerate(names) if name.startswith("address in")]
    covered = found.covered.reshape(len(names), -1)
    assert covered[high].sum() == 2
    assert any(covered[node].sum() == 2 for node in compared)


def test_a_copied_count_ends_in_a_use_after_free_too() -> None:
    """V15: the count is wrong first; if nobody notices, the VMA is freed under its reader."""
    verdict = verdict_of(broken("V15"), "resplit-heap", first=False)
    assert [finding.property for finding in verdict.findings] == ["P14", "P1"]


def test_v16_needs_the_second_address_space_to_end() -> None:
    """While the other mm lives, waking its writer too late harms nobody."""
    race = races()["recycled-vma"]
    other = race.actor[2].model_copy(update={"program": [race.actor[2].program[0]]})
    alive = race.model_copy(update={"actor": [*race.actor[:2], other], "sometimes": []})
    world = build_race(alive, Stack(broken("V16")))
    assert judge(world, "v16", "alive", Options()).verdict == SAFE


def test_v5_needs_the_allocation_to_fail() -> None:
    """If the anon_vma can be joined, setting it early does no harm: the trace takes the failing branch."""
    [finding] = verdict_of(broken("V5"), "merge-out-of-memory").findings
    clones = [step.outcome for step in finding.trace.steps if step.name.startswith("anon_vma_clone")]
    assert clones == ["no"]
