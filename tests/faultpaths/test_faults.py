"""Fault kinds by design, derived from the automata, against what the kernels' sources say."""

from __future__ import annotations

from functools import cache

import pytest

from spfvar.faultpaths.faults import Handling, handling_of
from spfvar.faultpaths.kinds import FAULT_KINDS, FaultKind
from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops.op import Steps
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack, Variant

KINDS = {kind.name: kind for kind in FAULT_KINDS}


@cache
def stack_of(variant: str) -> tuple[Variant, Stack]:
    """A shipped variant with its resolved stack."""
    found = load_registry()[variant]
    return found, Stack(found)


def handled(variant: str, kind: str) -> Handling:
    """What a shipped variant does with a kind of fault."""
    return handling_of(KINDS[kind], *stack_of(variant))


@pytest.mark.parametrize("kind", KINDS)
def test_the_baseline_tries_nothing_without_mmap_lock(kind: str) -> None:
    """v5.12 has one way: every fault takes mmap_lock for reading, and completes."""
    assert handled("mmap-lock", kind) == Handling("mmap-lock", kind, "mmap_lock")


# v6.12, mm/memory.c and arch/x86/mm/fault.c: the VMA lock is dropped, and the fault done under mmap_lock, where
# filemap_fault and do_swap_page wait for storage, where a userfaultfd monitor is waited for, where the driver has
# no map_pages (vmf_can_call_fault), where there is no VMA (stack growth); kernel-mode faults do not try.
PER_VMA_FALLS_BACK = {
    "swap-io": "swap_readpage",
    "file-io": "filemap_read_folio",
    "file-cow-io": "filemap_read_folio",
    "userfault": "handle_userfault",
    "no-map-pages": "vma_lock_retry_no_map_pages",
    "stack": "vma_lock_abort_no_vma",
}


@pytest.mark.parametrize("kind", KINDS)
def test_per_vma_locks_do_what_v6_12_does(kind: str) -> None:
    """All but the kinds above is handled; the reason is the counted event or the wait."""
    found = handled("per-vma-6.12", kind)
    if kind == "kernel":
        assert found.verdict == "mmap_lock"
    elif kind in PER_VMA_FALLS_BACK:
        assert found.verdict == "falls back"
        assert PER_VMA_FALLS_BACK[kind] in found.reasons[0]
    else:
        assert found.verdict == "handled"


def test_a_first_fault_needs_mmap_lock_for_a_moment() -> None:
    """Since v6.10 (__vmf_anon_prepare): handled if mmap_read_trylock succeeds, and done again if not."""
    found = handled("per-vma-6.12", "no-anon-vma")
    assert found.verdict == "handled"
    assert len(found.conditions) == 1
    assert "falls back if mmap_lock is not free" in found.conditions[0]
    assert "vma_lock_retry_anon_vma" in found.conditions[0]


# The RFC: patch 13 aborts without a page table or with a huge one, 15 without an anon_vma, 21 unless the swap cache has
# the page, 15 for userfaultfd, 30 for shared writes and files that do not declare it, 33 for kernel mode.
@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("no-table", "spf_abort_pmd"),
        ("huge", "spf_abort_pmd"),
        ("no-anon-vma", "spf_abort_anon_vma"),
        ("swap-io", "spf_abort_swap_nopage"),
        ("userfault", "spf_abort_userfaultfd"),
        ("file-shared", "spf_abort_no_speculate"),
        ("no-map-pages", "spf_abort_no_speculate"),
        ("stack", "spf_abort_unmapped"),
    ],
)
def test_the_series_aborts_where_its_patches_say(kind: str, event: str) -> None:
    """Each abort has the counter of patch 35 that the patch raises."""
    found = handled("spf-do-fault", kind)
    assert found.verdict == "falls back"
    assert [event in reason for reason in found.reasons] == [True]


@pytest.mark.parametrize("kind", ["anon-write", "anon-read", "present", "wp", "swap-cache", "numa"])
def test_the_anonymous_part_of_the_series_handles_its_kinds(kind: str) -> None:
    """Patches 16, 18, 20 and 22 enable these in handle_pte_fault."""
    assert handled("spf-anon", kind) == Handling("spf-anon", kind, "handled")


def test_what_do_fault_adds_over_map_pages() -> None:
    """The author's answer to the review of patch 24: private writes, and reads without fault-around."""
    verdicts = {
        kind: (handled("spf-do-fault", kind).verdict, handled("spf-map-pages", kind).verdict)
        for kind in KINDS
    }
    assert [kind for kind, (one, other) in verdicts.items() if one != other] == ["file-read", "file-cow"]


def test_an_uncounted_abort_is_explained_by_its_last_test() -> None:
    """filemap_fault's RETRY has no counter of its own in patch 35: the page cache had no folio."""
    (reason,) = handled("spf-do-fault", "file-cow-io").reasons
    assert reason == "not counted; the last test was filemap_get_folio: no (filemap_fault)"


class _Refuses:
    """A design that sends a signal instead of handling a swap entry."""

    @hookimpl
    def do_swap_page(self, vmf: VmFault) -> Steps:
        yield from hooks.release_fault_lock(vmf)
        return VMFault.SIGBUS | VMFault.COMPLETED


def test_a_design_that_cannot_do_a_fault_refuses_it() -> None:
    """A signal is neither handled nor a fallback."""
    variant = Variant("refuses", "", "", "", patches=(_Refuses,))
    found = handling_of(KINDS["swap-cache"], variant, Stack(variant))
    assert (found.verdict, found.reasons) == ("refused", ("ends with a signal",))


class _Holds:
    """A design that waits for swap where it is: with the lock it has."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        return (yield from hooks.handle_mm_fault(vmf.set("TRIED", "VMA_COPY")))


def test_a_wait_under_the_designs_own_lock_is_a_condition() -> None:
    """Handled, but whoever waits for the fault waits for storage: what the debate of 2026 is about."""
    variant = Variant("holds", "", "", "", patches=(_Holds,))
    kind: FaultKind = KINDS["swap-io"]
    found = handling_of(kind, variant, Stack(variant))
    assert found.verdict == "handled"
    assert found.conditions == ("waits where it is (swap_readpage)",)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lock_of_ranges_is_mmap_lock_if_it_is_of_the_full_range(kind: str) -> None:
    """As posted, a fault asks for everything; refined, for a page table, which is a lock of its own."""
    assert handled("range-lock", kind).verdict == "mmap_lock"
    assert handled("range-lock-refined", kind).verdict == "handled"
    assert handled("radixvm", kind).verdict == "handled"


# mm/filemap.c since 2.6.37 and handle_userfault of v4.15: the lock is dropped for the wait, whatever it is a lock of;
# RadixVM holds the slots of a file's page through storage.
@pytest.mark.parametrize(
    ("variant", "kind", "condition"),
    [
        ("range-lock-refined", "swap-io", "done again after a wait (swap_readpage)"),
        ("range-lock-refined", "userfault", "done again after a wait (handle_userfault: schedule)"),
        ("range-lock-refined", "file-io", "done again after a wait (filemap_read_folio)"),
        ("radixvm", "file-io", "waits where it is (filemap_read_folio)"),
        ("per-vma-io-retry-vma", "file-io", "done again after a wait (filemap_read_folio)"),
        ("per-vma-io-hold", "file-io", "waits where it is (filemap_read_folio)"),
    ],
)
def test_who_waits_with_its_lock_is_told_from_who_tries_again(
    variant: str, kind: str, condition: str
) -> None:
    """Both are handled without mmap_lock; a writer waits for storage in one case only."""
    assert handled(variant, kind).conditions == (condition,)
