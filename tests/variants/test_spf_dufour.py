"""A sequence count and a reference per VMA (2019): what a fault costs, and which writers make it give up."""

from __future__ import annotations

import pytest

from spfvar.ops import objects as o
from tests.transition import driver as d
from tests.variants.test_spf import OTHER, faulting

NAME = "spf-dufour-v12"


def test_a_fault_takes_a_reference_and_gives_it_back() -> None:
    """8 pages of one table: one fault makes the table under mmap_lock, 7 do without, all give back.

    With table and anon_vma there, each later fault does one get_vma and one put_vma.
    """
    run = faulting(NAME, {"size": "32KiB"}, {"touch": "r"})
    counts = run.counts()
    assert (counts["spf_attempt"], counts["spf_abort"], counts["spf_abort_pmd"]) == (8, 1, 1)
    assert counts["mmap_lock_fault"] == 1
    field = next(f for f in run.layout.field_offset if f.name == "vm_ref_count")
    assert run.state[run.layout.word(field)] == 1  # attached, and nobody inside


@pytest.mark.parametrize(
    ("region", "reason"),
    [({"backing": "file"}, "no_speculate"), ({"anon_vma": False}, "anon_vma")],
)
def test_file_mappings_and_vmas_without_anon_vma_are_left_to_mmap_lock(
    region: dict[str, object], reason: str
) -> None:
    """handle_speculative_fault turns them away before it walks; reads make no anon_vma, so each is."""
    counts = faulting(NAME, {"size": "16KiB", **region}, {"touch": "r", "access": "read"}).counts()
    assert counts[f"spf_abort_{reason}"] == counts["spf_abort"] == counts["spf_attempt"] > 0


def test_only_a_writer_of_this_vma_makes_a_fault_give_up() -> None:
    """mprotect of the VMA itself makes its count odd; mmap elsewhere does not, unlike a count per mm."""
    for statement, aborts in (({"mprotect": "r", "prot": "rw"}, 1), ({"mmap": "scratch"}, 0)):
        load = d.small_load(
            [
                {"name": "r", "size": "4KiB", "mapped": True, "per": "process"},
                {"name": "scratch", "size": "4KiB"},
            ],
            [
                {"name": "t", "threads": 1, "repeat": 1, "program": [{"touch": "r"}]},
                {"name": "w", "threads": 1, "repeat": 1, "program": [statement]},
                OTHER,
            ],
        )
        run = d.start(d.variant_world(NAME, load))
        field = next(f for f in run.layout.field_offset if f.name == "vm_sequence")
        counts = [run.layout.word(field, vma) for vma in range(run.layout.sizes.count(o.VMA))]
        while not any(run.state[word] & 1 for word in counts):  # until the writer changes a VMA
            assert run.drive(1, tid=1) == d.MOVED
        run.trace(0)
        assert run.counts().get("spf_abort_odd", 0) == aborts
        assert run.finish() == d.FINISHED
        assert d.leftovers(run) == []
