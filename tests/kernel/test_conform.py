"""The recordings that ship, beside the designs that claim their kernels, and beside those that do not."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest

from spfvar.errors import InputError
from spfvar.kernel.conform import Conformity, conform, make_recording
from spfvar.kernel.fixtures import shipped
from spfvar.kernel.letters import letters_for
from spfvar.kernel.mutants import try_mutants
from spfvar.kernel.recording import events, segments
from spfvar.kernel.which import best, ranked
from spfvar.kernel.writers import CALLS
from tests.explore.checking import registry
from tests.kernel import traces as t

OWN = {"mmap-lock-6.1": "6.1.176", "per-vma-6.12": "6.12.117", "per-vma-6.17": "6.17.13"}
#: Those whose mutants are tried, which takes a while.
TRIED = ("mmap-lock-6.1", "per-vma-6.12")


@cache
def beside(variant: str, kernel: str) -> Conformity:
    """A shipped variant beside a shipped recording."""
    return conform(registry().any_variant(variant), shipped(kernel))


@pytest.mark.parametrize(("variant", "kernel"), OWN.items())
def test_every_fault_of_a_kernel_is_a_path_of_its_design(variant: str, kernel: str) -> None:
    """Of each kind, and so is every system call that is compared."""
    found = beside(variant, kernel)
    assert found.drift == ()
    assert found.paths == found.faults > 1000
    assert found.calls[0] == found.calls[1]
    assert {kind for kind in found.kinds if kind.startswith("sys-")} == set(CALLS)
    assert len(found.kinds) > 50
    assert not found.unseen


def test_what_is_abstracted_has_a_reason_and_is_little() -> None:
    """At most one letter in ten of all that was recorded."""
    for variant, kernel in OWN.items():
        found = beside(variant, kernel)
        assert all(why for _, why, _ in found.abstracted)
        letters = sum(len(word.letters) * times for word, times in shipped(kernel).words)
        assert sum(times for _, _, times in found.abstracted) < letters / 10


def test_a_design_beside_the_other_kernel_is_refuted() -> None:
    """A fault under mmap_lock is none under the VMA's lock, and the other way round."""
    assert beside("mmap-lock-6.1", "6.12.117").paths == 0
    assert beside("per-vma-6.12", "6.1.176").paths == 0


def test_of_the_releases_the_one_that_was_recorded_fits_best() -> None:
    """The check tells which release a kernel is."""
    releases = ("per-vma-6.4", "per-vma-6.6", "per-vma-6.7", "per-vma-6.12", "per-vma-refcnt", "per-vma-6.17")
    (fits,) = best(beside(name, "6.12.117") for name in releases)
    assert fits.variant == "per-vma-6.12"


def test_designs_that_fit_alike_are_all_named_and_none_is_where_nothing_fits() -> None:
    """By paths first, then calls, then whether something of a design's own was seen."""
    names = ("mmap-lock", "mmap-lock-6.1", "per-vma-6.12")
    found = [replace(beside(name, "6.12.117"), variant=name) for name in names]
    assert ranked(found)[0].variant == "per-vma-6.12"
    assert best(found[:2]) == ()
    alike = [found[2], replace(found[2], variant="its twin"), replace(found[2], own_witnessed=0)]
    assert [one.variant for one in best(alike)] == ["per-vma-6.12", "its twin"]


def test_a_design_none_of_whose_own_steps_was_seen_is_told_of() -> None:
    """A kernel without VMA locks looks like one where they always fail."""
    assert beside("per-vma-6.12", "6.1.176").unseen
    assert not beside("mmap-lock", "6.1.176").unseen  # it has no step of its own


@pytest.mark.parametrize("variant", TRIED)
def test_the_recordings_notice_most_mutants_of_the_text(variant: str) -> None:
    """A fixture that notices less than 95 % of them is weaker than those that ship."""
    tried = try_mutants(registry().any_variant(variant), shipped(OWN[variant]))
    assert tried.noticed >= 0.95 * len(tried.mutants)


def test_v512_does_a_shared_write_again_and_exits_under_one_lock_and_v61_does_not() -> None:
    """VM_FAULT_COMPLETED came with v6.0; entries go under the read lock: all that is between text and kernel."""
    found = beside("mmap-lock", "6.1.176")
    kinds = {kind for drift in found.drift for kind in drift.kinds}
    assert "sys-exit" in kinds
    assert len(kinds) > 1
    assert all("shared-write" in kind for kind in kinds - {"sys-exit"})


def test_a_recording_without_a_fault_is_refused() -> None:
    """It says nothing."""
    table = letters_for("6.1")
    with pytest.raises(InputError, match="no page fault in it"):
        make_recording("6.1", table, segments(events([t.line("a();")], "trace"), table.fault_roots), "trace")


def test_marked_faults_are_taken_if_there_are_any() -> None:
    """What a program does on the way is not what it was asked for."""
    table = letters_for("6.1")
    lines = [*t.read_of_present_page(), *t.marked("one", t.read_of_present_page())]
    found = make_recording("6.1", table, segments(events(lines, "trace"), table.fault_roots), "trace")
    assert [(word.kind, times) for word, times in found.words] == [("one", 1)]


def test_a_writer_that_leaves_a_vma_unlocked_is_no_path() -> None:
    """V10: munmap, mprotect and mremap lock the VMA in the recording, and not in the twin's text."""
    found = conform(registry().any_variant("v10@per-vma-6.12"), shipped("6.12.117"))
    assert found.calls[0] < found.calls[1]
    assert any("sys-" in kind and "vm_lock" in drift.letter for drift in found.drift for kind in drift.kinds)
