"""Speculative faults under SRCU (2010, 2014): what may sleep in them, and what each prototype does at the end."""

from __future__ import annotations

import pytest

from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Stack
from spfvar.render.protocol import FAULTS, sections
from tests.variants.test_spf import faulting

NAMES = ("spf-zijlstra-2010", "spf-zijlstra-2014")


@pytest.mark.parametrize("name", NAMES)
def test_storage_is_waited_for_in_the_section_and_nothing_is_done_again(name: str) -> None:
    """8 missing pages: one fault makes the table under mmap_lock, in two passes; 7 read theirs under SRCU."""
    region = {"size": "32KiB", "backing": "file", "cached": 0.0, "fault_around": "4KiB"}
    counts = faulting(name, region, {"touch": "r", "access": "read"}, others=False).counts()
    assert (counts["spf_attempt"], counts["spf_abort"], counts["spf_abort_pmd"]) == (8, 1, 1)
    assert (counts["pgmajfault"], counts["mmap_lock_fault"]) == (8, 2)


@pytest.mark.parametrize("name", NAMES)
def test_shared_writes_speculate_too(name: str) -> None:
    """There is no lock to drop around balance_dirty_pages, so a shared write is one pass."""
    region = {"size": "16KiB", "backing": "file", "sharing": "shared"}
    counts = faulting(name, region, {"touch": "r"}).counts()
    assert (counts["spf_attempt"], counts["spf_abort"]) == (4, 1)


def test_the_prototypes_differ_in_how_they_lock_the_page_table() -> None:
    """2010 walks again and looks at the VMA once, behind the lock; 2014 looks before and behind it."""
    texts = {}
    for name in NAMES:
        told = sections(Stack(load_registry()[name]), FAULTS["anon-write"])
        [texts[name]] = [
            s.lines for s in told if s.hook == "pte_map_lock" and "local_irq_disable()" in s.lines
        ]
    steps = {name: [line.strip() for line in lines] for name, lines in texts.items()}
    old, new = steps[NAMES[0]], steps[NAMES[1]]
    assert (old.count("pmd"), new.count("pmd")) == (1, 0)
    looks = [sum(line.startswith("read_seqcount_retry") for line in lines) for lines in (old, new)]
    assert looks == [1, 2]
