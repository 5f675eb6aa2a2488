"""Bugs of those who come when an address space has ended: what each of them needs (tests/matrix finds them all)."""

from __future__ import annotations

from dataclasses import replace

from spfvar.twins import latecomers as twins

from spfvar.explore.options import Options
from spfvar.explore.verdict import SAFE, VIOLATION, Verdict, judge
from spfvar.explore.world import build_race
from spfvar.matrix.catalogue import races
from spfvar.mm.exit import Exit
from spfvar.ops.op import Steps
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Twin, Variant
from spfvar.scenario.race import Race

REGISTRY = load_registry()


def broken(bug: str) -> Variant:
    """The design with the bug of that number."""
    twin: Twin = next(twin for twin in twins.TWINS if twin.bug == bug)
    return twin.variant(REGISTRY[twin.fixed])


def judged(variant: Variant, race: Race) -> Verdict:
    """The verdict on a variant in a race."""
    return judge(build_race(race, Stack(variant)), variant.name, "race", Options())


def without_exit(name: str) -> Race:
    """A shipped race whose process does not end."""
    race = races()[name]
    return race.model_copy(update={"actor": race.actor[1:], "sometimes": []})


def test_both_need_the_address_space_to_end() -> None:
    """While somebody uses it, its tree is there, and the VMAs with it."""
    assert judged(broken("X18"), without_exit("exit-ksm")).verdict == SAFE
    assert judged(broken("R9"), without_exit("exit-mrelease")).verdict == SAFE


def test_asking_for_the_flag_is_enough_where_the_list_stays() -> None:
    """R9 takes both: a list of freed VMAs, and nobody who says that it is one."""
    stays = replace(REGISTRY["mmap-lock"], patches=(*REGISTRY["mmap-lock"].patches, ListStaysWithFlag))
    assert judged(stays, races()["exit-mrelease"]).verdict == SAFE


class ListStaysWithFlag(Exit):
    """A victim of the OOM killer in v5.15: the list stays, MMF_OOM_SKIP is set."""

    def destroy_tree(self) -> Steps:
        return
        yield


def test_x18_breaks_without_the_list_of_freed_vmas_too() -> None:
    """It is the tree that it must not look at: nobody gets to a VMA."""
    (finding,) = judged(broken("X18"), races()["exit-ksm"]).findings
    assert judged(broken("X18"), races()["exit-ksm"]).verdict == VIOLATION
    assert finding.text == "a VMA is looked up in a tree that was destroyed"
    assert finding.trace.steps[-1].thread == "ksm"
