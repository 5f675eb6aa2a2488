"""Bugs of those who look at VMAs: what each of them needs (tests/matrix finds them all)."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from functools import cache

from spfvar.twins import readers as twins

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import at, is_null, load, load_ref_nonnull
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant
from spfvar.scenario.race import Race

REGISTRY = load_registry()


def twin(bug: str) -> Twin:
    """The twin of a bug's number."""
    found: Twin = next(twin for twin in twins.TWINS if twin.bug == bug)
    return found


def broken(bug: str) -> Variant:
    """The design with the bug."""
    return twin(bug).variant(REGISTRY[twin(bug).fixed])


def judged(variant: Variant, race: Race) -> Verdict:
    """The verdict on a variant in a race."""
    return judge(build_race(race, Stack(variant)), variant.name, "race", Options())


@cache
def verdict(bug: str) -> Verdict:
    """The twin's in its own race."""
    return judged(broken(bug), races()[twin(bug).race])


def test_a_cached_vma_is_valid_again_only_when_the_number_has_come_round() -> None:
    """R5: after one munmap of two the one bit is another one, so the thread looks the VMA up."""
    race = races()["remap-twice"]
    user, remap = race.actor
    once = remap.model_copy(update={"program": remap.program[:2]})
    found = judged(broken("R5"), race.model_copy(update={"actor": [user, once]}))
    assert (found.verdict, found.vacuous) == (SAFE, ())


class DriverLocksForWriting:
    """The fix of R7: what keeps the VMA is the lock that munmap still holds for reading."""

    @hookimpl
    def show_map(self) -> Steps:
        yield from hooks.mmap_write_lock(o.range_start, o.range_end)
        if (yield load_ref_nonnull(at(o.mm, twins.ALLOC_VMA), o.near)):
            yield load(at(o.near, o.VM_START), o.vm_start)
        yield from hooks.mmap_write_unlock()


def test_a_driver_that_locks_for_writing_finds_its_vma_or_none() -> None:
    """A reader is let in beside a writer that has downgraded; another writer is not."""
    variant = broken("R7")
    fixed = replace(variant, patches=(*variant.patches, DriverLocksForWriting))
    assert judged(fixed, races()["maps-munmap"]).verdict == SAFE


class ReadsPkeyFirst:
    """The fix of R3: the key is read while the lock is held, and kept."""

    @hookimpl(wrapper=True)
    def release_fault_lock(self, vmf: object) -> Generator[None, Steps, Steps]:
        return self._read_first((yield))

    def _read_first(self, release: Steps) -> Steps:
        if not (yield is_null(o.vma)):
            yield load(at(o.vma, o.VM_WRITE), o.scratch)
        yield from release


def test_a_key_that_is_read_under_the_lock_is_the_vmas() -> None:
    """R3: it is the order that matters, not the access."""
    variant = replace(REGISTRY["mmap-lock"], patches=(ReadsPkeyFirst,))
    assert judged(variant, races()["munmap-readonly"]).verdict == SAFE


def test_the_second_load_of_a_pointer_is_the_one_that_finds_nothing() -> None:
    """V18: tested, cleared by the munmap, loaded again, used."""
    (finding,) = verdict("V18").findings
    loads = [
        step for step in finding.trace.steps if step.name == "load(vma->vm_file)" and step.thread == "maps"
    ]
    assert [step.outcome for step in loads] == ["yes", ""]
    assert finding.text == "access through a null reference"


def test_a_dump_reads_one_vma_half_before_and_half_after() -> None:
    """R10: the VMA is freed between two loads of the same reader, or before both."""
    (finding,) = verdict("R10").findings
    assert finding.trace.steps[-1].thread == "maps"
    assert finding.trace.steps[-1].name.startswith("load(vma->vm_")
