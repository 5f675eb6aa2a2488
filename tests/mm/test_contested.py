"""A place that may be taken: mmap fails, a stack does not grow into it; and what is free is taken unasked."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.world import build_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml
from tests.mm.race_runs import RaceRun
from tests.stacks import stack

PLACE = """
[[vma]]
name = "map"
start = 0
pages = 2
mapped = false
"""
TWO = """
[[actor]]
name = "a"
count = 2
program = [{ mmap = "map" }, { store = "map", page = 1 }]
"""
STACK = """
[[vma]]
name = "low"
start = 0
%s

[[vma]]
name = "stack"
start = 0
pages = 2
growsdown = true
"""
VARIANTS = ["mmap-lock", "spf-do-fault", "per-vma-6.12", "per-vma-refcnt", "range-lock", "cortenmm-adv"]


def searched(text: str, variant: str) -> tuple[bool, list[str], int]:
    """Was the search complete, what is violated, and how many ends are there?"""
    race: Race = parse_toml(
        'kind = "race"\ntitle = "t"\nproperties = ["P1"]\ntlb = true\n' + text, "r.toml", Race
    )
    found = explore(build_race(race, stack(variant)), Options(first=False))
    return found.complete, [c.VIOLATIONS[one.code] for one in found.violations], found.ends


def test_mmap_of_a_place_that_was_taken_fails_and_the_rest_is_not_run() -> None:
    """MAP_FIXED_NOREPLACE: -EEXIST under the write lock, and the loser does not store to the winner's page."""
    run = RaceRun(PLACE + TWO)
    assert "find_vma_intersection" in run.thread(0)
    names = run.thread(1)
    assert names[names.index("find_vma_intersection") :] == [
        "find_vma_intersection", "mmap_write_unlock(mm->mmap_lock)",
    ]  # fmt: skip
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_any_page_of_the_range_counts() -> None:
    """The second page alone is taken: find_vma_intersection looks at all of them."""
    text = PLACE + TWO.replace("count = 2\n", "")
    assert "vm_area_alloc" in RaceRun(text).thread()  # nobody else: not even asked
    run = RaceRun(PLACE + TWO)
    run.walker.state[int(run.world.layout.g[c.G_TREE]) + 1] = 1
    assert "vm_area_alloc" not in run.thread(0)


@pytest.mark.parametrize("variant", VARIANTS)
def test_of_two_threads_that_map_one_place_one_has_it(variant: str) -> None:
    """Before, both had: the second VMA took the first one's place in the tree (P14 in every design)."""
    complete, wrong, ends = searched(PLACE + TWO, variant)
    assert (complete, wrong, ends >= 1) == (True, [], True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_munmap_makes_room_for_another_threads_mmap(variant: str) -> None:
    """Either it comes too early and fails, or it maps the place anew."""
    text = PLACE.replace("mapped = false\n", "") + (
        '[[actor]]\nname = "a"\nprogram = [{ mmap = "map" }, { store = "map" }]\n'
        '[[actor]]\nname = "b"\nprogram = [{ munmap = "map" }]\n'
    )
    complete, wrong, ends = searched(text, variant)
    assert (complete, wrong, ends > 1) == (True, [], True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stack_may_reach_down_to_a_mapping(variant: str) -> None:
    """Its uncovered page is no overlap: an access there is one to what is mapped, and the stack stays."""
    text = STACK % "" + '[[actor]]\nname = "a"\ncount = 2\nprogram = [{ store = "stack" }]\n'
    complete, wrong, _ = searched(text, variant)
    assert (complete, wrong) == (True, [])
    run = RaceRun(text, variant)
    run.thread(0)
    run.thread(1)
    assert run.word(o.VM_START, 1) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_stack_and_an_mmap_meet_at_a_page(variant: str) -> None:
    """Whoever has the write lock first gets it: the stack has grown, or a VMA is there for the fault to use."""
    text = STACK % "mapped = false" + (
        '[[actor]]\nname = "fault"\nprogram = [{ store = "stack" }]\n'
        '[[actor]]\nname = "mmap"\nprogram = [{ mmap = "low" }, { store = "low" }]\n'
    )
    complete, wrong, ends = searched(text, variant)
    assert (complete, wrong, ends > 1) == (True, [], True)


def test_a_stack_above_a_mapping_of_another_kind_is_refused() -> None:
    """A fault there would be one of the other kind."""
    text = (
        '[[file]]\nname = "data"\n'
        + STACK % 'file = "data"'
        + ('[[actor]]\nname = "a"\nprogram = [{ store = "stack" }]\n')
    )
    with pytest.raises(
        InputError, match=r"vma\[1\].start: vma 'stack' and vma 'low', of another kind, may lie at"
    ):
        RaceRun(text)
