"""Order between actors, the kernel's accesses, calls of hook points: what they do in a search."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.explore.explore import explore
from spfvar.explore.options import Options
from spfvar.explore.world import build_race
from spfvar.ops import codes as c
from spfvar.scenario.race import Race
from spfvar.toml_input import parse_toml
from tests.mm.race_runs import RaceRun
from tests.stacks import stack

HEAD = """
kind = "race"
title = "t"
properties = ["P1"]
tlb = true

[[vma]]
name = "map"
start = 0

[[vma]]
name = "free"
start = 2
mapped = false
"""


def read(actors: str) -> Race:
    """A race of these actors on one VMA and a free place."""
    race: Race = parse_toml(HEAD + actors, "race.toml", Race)
    return race


def actor(name: str, program: str, more: str = "") -> str:
    """A table of a race's file."""
    return f'\n[[actor]]\nname = "{name}"\n{more}\nprogram = [{program}]\n'


def found_by(actors: str, variant: str = "mmap-lock") -> tuple[bool, list[str], int]:
    """Was the search complete, what is violated, and in how many states has everybody ended?"""
    found = explore(build_race(read(actors), stack(variant)), Options(first=False))
    return found.complete, [c.VIOLATIONS[one.code] for one in found.violations], found.ends


def lookups(actors: str) -> set[bool]:
    """What came of the look-ups of VMAs by the first actor, in any interleaving."""
    world = build_race(read(actors), stack("mmap-lock"))
    found = explore(world, Options(first=False))
    assert (found.complete, found.violations) == (True, [])
    mine = range(len(world.automata[world.race.actor[0].name]))
    return {
        bool(outcome)
        for node in mine if world.program.ops[node].code == c.FIND_VMA
        for outcome in (0, 1) if found.covered[node * c.MAX_OUTCOMES + outcome]
    }  # fmt: skip


def test_an_actor_begins_when_all_threads_of_the_other_have_ended() -> None:
    """Behind the munmap no fault ever finds a VMA, before it every one does; beside it some do."""
    faults, unmap = actor("fault", '{ load = "map" }', "count = 2"), actor("unmap", '{ munmap = "map" }')
    later = actor("fault", '{ load = "map" }', 'count = 2\nafter = "unmap"')
    first = actor("unmap", '{ munmap = "map" }', 'after = "fault"')
    assert lookups(faults + first) == {True}
    assert lookups(later + unmap) == {False}
    assert lookups(faults + unmap) == {True, False}


def test_who_waits_stands_still_until_then() -> None:
    """In a run: the waiter is blocked at its first primitive."""
    actors = actor("later", '{ munmap = "map" }', 'after = "first"') + actor("first", '{ load = "map" }')
    run = RaceRun(HEAD.partition("tlb = true")[2] + actors)
    assert run.thread(0) == ["blocked"]
    run.thread(1)
    assert "mmap_write_lock(mm->mmap_lock)" in run.thread(0)
    assert run.walker.wrong_at_rest() == c.V_NONE


def test_what_the_earlier_actor_left_counts_for_the_later_one() -> None:
    """Its munmap frees the place, and nobody is beside the other."""
    text = actor("first", '{ munmap = "map" }') + actor("later", '{ mmap = "map" }', 'after = "first"')
    race = read(text)
    assert not race.mapping(race.vma_named("map")).contested
    assert found_by(text) == (True, [], 1)


@pytest.mark.parametrize(
    ("first", "later", "message"),
    [
        ("", 'after = "frist"', r"actor\[1\].after: no actor is called 'frist'; expected first .did you mean \"first\""),
        ("", 'after = "later"', r"actor\[1\].after: actor 'later' waits for itself"),
        ('after = "later"', 'after = "first"', r"actor\[0\].after: actor 'first' waits for itself"),
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_is_refused(first: str, later: str, message: str) -> None:
    """With the key."""
    with pytest.raises(InputError, match=message):
        read(actor("first", '{ load = "map" }', first) + actor("later", '{ load = "map" }', later))


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault", "per-vma-6.12", "per-vma-refcnt"])
def test_the_kernels_access_faults_under_mmap_lock_where_the_users_does_not(variant: str) -> None:
    """FAULT_FLAG_USER is what both the series and the per-VMA lock ask for before they do without mmap_lock."""
    locks = {}
    for verb in ("store", "put_user"):
        run = RaceRun(HEAD.partition("tlb = true")[2] + actor("a", f'{{ {verb} = "map" }}'), variant)
        locks[verb] = "mmap_read_trylock(mm->mmap_lock)" in run.thread()
        assert run.walker.wrong_at_rest() == c.V_NONE
    assert locks == {"store": variant == "mmap-lock", "put_user": True}


@pytest.mark.parametrize("variant", ["mmap-lock", "spf-do-fault", "per-vma-6.12", "per-vma-refcnt"])
def test_the_kernels_accesses_race_with_munmap(variant: str) -> None:
    """They succeed, or get -EFAULT; nothing breaks."""
    text = actor("kernel", '{ get_user = "map" }, { put_user = "map" }') + actor("u", '{ munmap = "map" }')
    complete, wrong, ends = found_by(text, variant)
    assert (complete, wrong, ends > 0) == (True, [], True)


def test_a_call_is_what_the_verb_of_the_same_text_is() -> None:
    """munmap by its hook point: the same primitives, and the same states."""
    runs = [
        RaceRun(HEAD.partition("tlb = true")[2] + actor("a", program)).thread()
        for program in ('{ munmap = "map" }', '{ call = "munmap", on = "map" }')
    ]
    assert runs[0] == runs[1]
    fault = actor("fault", '{ load = "map" }')
    one, other = (
        found_by(fault + actor("a", program))
        for program in ('{ munmap = "map" }', '{ call = "munmap", on = "map" }')
    )
    assert one == other


def test_a_call_gets_its_other_arguments_from_the_race() -> None:
    """A bool, a register, a VmFault of a write."""
    run = RaceRun(
        HEAD.partition("tlb = true")[2]
        + actor("a", '{ call = "mprotect", on = "map", args = { writable = false } }')
        + actor("b", '{ call = "mmap_write_lock", args = { start = "range_start", end = "range_end" } }')
        + actor("c", '{ call = "do_user_addr_fault", on = "map", write = true }')
    )
    assert "store 0(vma->vm_page_prot)" in run.thread(0)
    assert run.thread(2)[-1].startswith("mmap_read_unlock")  # the VMA forbids it now
    assert run.thread(1) == ["mmap_write_lock(mm->mmap_lock)"]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ('call = "munmpa", on = "map"', r"call: unknown hook point 'munmpa'.*--plugin FILE.*did you mean 'munmap'"),
        ('call = "munmap"', r"on: munmap takes the Mapping of a vma; expected map, free"),
        ('call = "munmap", on = "mpa"', r"on: no vma or file is called 'mpa'; expected map, free .did you mean \"map\""),
        ('call = "munmap", on = "map", page = 1', r"page: map has no page 1; expected 0 to 0"),
        ('call = "munmap", on = "map", args = { x = 1 }', r"args.x: munmap takes no argument 'x' from a race; expected none"),
        ('call = "mprotect", on = "map", args = { writable = "no" }', r'args.writable: mprotect takes writable, found "no"; expected true or false'),
        ('call = "brk", on = "map"', r"args.grow: brk takes grow, found none; expected true or false"),
        ('call = "vma_fput", args = { vma = "vam" }', r'args.vma: vma_fput takes a register vma, found "vam".*did you mean "vma"'),
        ('munmap = "map", args = { x = 1 }', r"args: munmap has no args; expected nothing but the verb"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_made_is_refused(statement: str, message: str) -> None:
    """With the statement's key, what was expected, and the nearest name."""
    with pytest.raises(InputError, match=message):
        read(actor("a", f"{{ {statement} }}"))
