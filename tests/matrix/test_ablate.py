"""Ablation says of each guard what protocols.md says of it, and of the others that nothing needs them."""

from __future__ import annotations

import pytest

from spfvar.explore.guards import CHECK, GRACE_PERIOD, TRYLOCK
from spfvar.explore.options import Options
from spfvar.explore.sections import BUMP, IRQ_OFF, LOCK, RCU, REFERENCE
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import ablate
from spfvar.matrix.cases import Case
from spfvar.matrix.check import run_checks
from tests.explore.checking import registry
from tests.matrix.ablations import ablated, breaks, of_kind

FILE = ("spf-do-fault", "munmap-file")


@pytest.mark.parametrize(
    ("function", "kind", "prop"),
    [
        ("do_user_addr_fault", RCU, "P1"),  # the VMA is copied while it is being freed
        ("do_fault", RCU, "P2"),  # RFC 24/37: the file is put while ->fault uses it
        ("do_fault", CHECK, "P2"),
        ("walk_page_tables", IRQ_OFF, "P4"),  # the table is freed while it is read
        ("pte_map_lock", IRQ_OFF, "P4"),  # ... and while it is locked
        ("vm_area_free", GRACE_PERIOD, "P1"),
        ("mmap_write_lock", BUMP, "P4"),  # nothing tells a fault of the munmap
        ("filemap_fault", TRYLOCK, "P13"),  # RFC 25/37: folio_lock() would sleep under RCU
    ],
)
def test_the_speculative_file_fault_needs_its_guards_against_munmap(
    function: str, kind: str, prop: str
) -> None:
    """Each breaks what the series' text says it is for."""
    (ablation,) = of_kind(ablated(*FILE), function, kind)
    assert breaks(ablation) == {"munmap-file": prop}


def test_of_two_sequence_checks_around_the_trylock_only_the_second_is_needed() -> None:
    """The first saves work: what it would notice, the one under the lock notices, too."""
    first, second = [a for a in of_kind(ablated(*FILE), "pte_map_lock", CHECK) if "mmap_seq" in a.guard.name]
    assert (breaks(first), first.holds, first.idle) == ({}, ["munmap-file"], [])
    assert breaks(second) == {"munmap-file": "P4"}


def test_a_spinlock_with_interrupts_off_must_not_be_waited_for() -> None:
    """S3: the other copier holds the lock, and waits with it for an IPI's acknowledgement."""
    (ablation,) = of_kind(ablated("spf-anon", "two-copies"), "pte_map_lock", TRYLOCK)
    assert breaks(ablation) == {"two-copies": "P11"}


def test_a_reference_of_the_core_keeps_the_file_while_the_fault_sleeps() -> None:
    """maybe_unlock_mmap_for_io() drops the lock that kept the VMA and so its file."""
    found = ablated("mmap-lock", "munmap-uncached")
    (ablation,) = of_kind(found, "maybe_unlock_mmap_for_io", REFERENCE)
    assert breaks(ablation) == {"munmap-uncached": "P2"}


def test_a_check_that_never_fails_is_told_from_one_that_does_no_harm() -> None:
    """Nobody changes mm_users here; and what never fails is among what holds."""
    found = ablated(*FILE)
    (users,) = [a for a in of_kind(found, "vm_area_free", CHECK) if a.guard.name.startswith("mm_users")]
    assert users.idle == users.holds == ["munmap-file"]
    assert all(set(a.idle) <= set(a.holds) for a in found.guards)


def test_every_race_of_a_guard_is_broken_or_holds_or_is_left_open() -> None:
    """In exactly one of the three, and a guard without any race is none."""
    for ablation in ablated(*FILE).guards:
        races = [*breaks(ablation), *ablation.holds, *ablation.incomplete]
        assert races == ["munmap-file"]


def test_guards_as_a_whole_are_the_same_without_their_single_calls() -> None:
    """A review shows them only, so it searches nothing else."""
    every, whole = ablated(*FILE), ablated(*FILE, enough=9)
    shown = [[(a.guard, a.breaks, a.holds, a.incomplete) for a in found.guards] for found in (every, whole)]
    assert shown[0] == shown[1]
    searched = [sum(call.races for a in found.guards for call in a.calls) for found in (every, whole)]
    assert searched[0] > searched[1]


def test_the_smallest_races_are_enough_once_so_many_of_them_break() -> None:
    """Each race of a guard is one of those that a search of all knows, or left; none is where fewer break."""
    names = ("munmap-file", "munmap-anon", "stack-growth", "mprotect", "first-writes")
    every, some = ablated("spf-do-fault", *names), ablated("spf-do-fault", *names, enough=2)
    sizes = {
        one.case.race_name: one.verdict.states
        for one in run_checks(
            [Case(registry()["spf-do-fault"], name, catalogue.races()[name]) for name in names], Options()
        )
    }
    left = 0
    for whole, few in zip(every.guards, some.guards, strict=True):
        assert set(few.breaks) <= set(whole.breaks)
        assert set(few.holds) <= set(whole.holds)
        assert {*breaks(few), *few.holds, *few.left} == {*breaks(whole), *whole.holds}
        assert len(few.breaks) == min(2, len(whole.breaks))
        assert not few.left or len(few.breaks) == 2
        idle = {*few.idle, *few.alike}
        largest = max((sizes[name] for name in {*breaks(few), *few.holds} - idle), default=0)
        assert all(sizes[name] >= largest for name in few.left)
        left += len(few.left)
    assert left > 0


def test_the_core_is_left_out_unless_it_is_asked_for() -> None:
    """mbind's own lock is every variant's; a variant without patches is the core."""
    without, core = ablated("spf-anon", "mbind"), ablated("spf-anon", "mbind", core=True)
    assert {a.guard for a in without.guards} < {a.guard for a in core.guards}
    of_core = {a.guard.name for a in core.guards} - {a.guard.name for a in without.guards}
    names = {a.guard.name for a in ablated("mmap-lock", "mbind").guards}
    assert "mmap_write_lock(mm->mmap_lock)" in of_core & names


@pytest.mark.parametrize(
    ("variant", "race", "function", "kind", "prop"),
    [
        # Patches that are written beside the core's paths.
        ("spf-do-fault", "retract-young", "retract_page_tables", LOCK, "P4"),
        ("per-vma-6.12", "retract-munmap", "retract_page_tables", GRACE_PERIOD, "P4"),
        # A primitive in the place of another one of the core's.
        ("per-vma-6.12", "munmap-file", "munmap", GRACE_PERIOD, "P1"),
    ],
)
def test_guards_of_a_variants_patches_are_found_wherever_they_stand(
    variant: str, race: str, function: str, kind: str, prop: str
) -> None:
    """It is the patch that makes them the variant's, not the file."""
    found = of_kind(ablated(variant, race), function, kind)
    assert prop in {p for ablation in found for p in breaks(ablation).values()}


def test_steps_are_those_of_the_shortest_trace() -> None:
    """Without the RCU free of VMAs there is a variant of its own; check finds it in as many steps."""
    (ablation,) = of_kind(ablated(*FILE), "vm_area_free", GRACE_PERIOD)
    race = catalogue.races()["munmap-file"]
    (checked,) = run_checks([Case(registry().any_variant("no-rcu-free"), "munmap-file", race)], Options(), 1)
    trace = checked.verdict.findings[0].trace
    # RcuVmaFreeIfShared looks at mm_users before either: the variant frees by the same two primitives.
    assert ablation.breaks[0].steps == trace.length


def test_races_that_break_anyway_say_nothing_of_guards() -> None:
    """A broken design: its race is named with the property, and no guard is said to be needed in it."""
    found = ablated("no-rcu-free", "munmap-file", "madvise")
    assert dict(found.broken) == {"munmap-file": "P1"}
    assert found.races == 2
    assert all("munmap-file" not in [*breaks(a), *a.holds, *a.incomplete] for a in found.guards)
    assert any(breaks(a) for a in found.guards)


def test_a_bound_leaves_guards_open_and_is_no_verdict() -> None:
    """Neither needed nor not needed: the design itself could not be searched."""
    found = ablated(*FILE, max_states=300)
    assert found.open
    assert found.needed == 0
    assert all(a.incomplete == ["munmap-file"] and not a.holds for a in found.guards)


def test_a_model_that_is_too_small_leaves_guards_open() -> None:
    """Running out of page tables is no property that breaks."""
    found = ablated("hoards", "munmap-file", core=True)
    assert found.broken == {}
    assert found.guards
    assert all(a.incomplete == ["munmap-file"] for a in found.guards)


def test_the_result_does_not_depend_on_how_many_run_side_by_side() -> None:
    """Order of guards, breaks and races included."""
    races = {name: catalogue.races()[name] for name in ("mbind", "madvise")}
    variant = registry().any_variant("spf-anon")
    one, two = (ablate(variant, races, jobs=jobs) for jobs in (1, 2))
    assert one == two
    assert one == ablate(variant, dict(reversed(races.items())), jobs=2)


def test_progress_is_told_of_both_passes() -> None:
    """First every race as it is, then each guard in each."""
    told: list[tuple[str, int, int]] = []
    race = catalogue.races()["mbind"]
    ablate(registry().any_variant("spf-anon"), {"mbind": race}, progress=lambda *args: told.append(args))
    assert told[0] == ("looking for guards", 1, 1)
    assert [done for _, done, _ in told[1:]] == list(range(1, told[-1][2] + 1))
    assert {what for what, _, _ in told[1:]} == {"exploring"}


def test_what_came_with_spfvar_is_told_from_the_variants_own() -> None:
    """A newer kernel's walk is a patch of the core's; a base that the variant's patch derives from is its own."""
    found = ablated("per-vma-6.12", "munmap-anon", max_states=300)
    core = {ablation.guard.place[0]: ablation.core for ablation in found.guards}
    assert (core["per_vma.py"], core["sequence.py"], core["pte_offset_map.py"]) == (False, False, True)
    assert all(ablation.core for ablation in ablated("mmap-lock", "mbind").guards)


#: It locks the second VMA, then the first.
MERGE = "vma_merge_existing_range"


def test_a_lock_that_one_caller_needs_hides_none_that_another_does_not() -> None:
    """v6.12's merge locks both VMAs: a fault in the second, which is freed, needs that; the first grows."""
    (lock,) = of_kind(ablated("per-vma-6.12", "merge-over-fault"), "vma_start_write", LOCK)
    assert breaks(lock) == {"merge-over-fault": "P1"}
    second, first = [call for call in lock.calls if call.guard.caller.function == MERGE]  # type: ignore[union-attr]
    assert (breaks(first), first.holds) == ({}, ["merge-over-fault"])
    assert breaks(second) == {"merge-over-fault": "P1"}


def test_the_only_call_in_a_race_says_what_the_guard_says() -> None:
    """It is not searched twice; and a guard that threads begin with has no calls but itself."""
    for ablation in ablated(*FILE).guards:
        if len(ablation.calls) == 1:
            (call,) = ablation.calls
            assert (call.breaks, call.holds, call.idle) == (ablation.breaks, ablation.holds, ablation.idle)
        assert all(call.guard.everywhere == ablation.guard for call in ablation.calls)
        assert ablation.uses == (ablation.calls or [ablation])
