"""The audit: strong words that are read by who need not know their newest store."""

from __future__ import annotations

import pytest

from spfvar.explore.audit import Audit, audit
from spfvar.explore.clocks import Clocks
from spfvar.explore.world import build_race
from spfvar.matrix import catalogue
from spfvar.ops import histories as h
from spfvar.plugins.variant import Stack
from tests.explore.weakworlds import registry, world


def words(found: Audit) -> set[str]:
    """The words that it names."""
    return {racy.word for racy in found.racy}


@pytest.mark.parametrize(
    ("name", "racy"),
    [
        ("racy", {"mm->plain"}),  # read before the lock is taken; mm->count is read under it
        ("ordered", set()),  # whoever acquired the flag knows the store before its release
        ("unordered", {"mm->plain"}),  # without the release he need not
        ("copies", set()),  # nor does a pointer that was published lose by being copied
        ("plants-strong", {"VMA tree"}),  # what was stored before rcu_assign_pointer() comes with the pointer
        ("plants-strong-plainly", {"VMA tree", "vma->strong"}),  # with a plain store of it, it need not
        ("fences", set()),  # all its words are declared weak
        ("buffers", set()),  # of its two threads, only one comes to count
    ],
)
def test_a_word_is_racy_if_locks_and_orders_do_not_bring_its_newest_store(name: str, racy: set[str]) -> None:
    """100 walks: each of these designs has fewer than 30 states."""
    found = audit(world(name), 100)
    assert words(found) == racy
    assert found.read == found.loads


def test_it_names_the_read_and_the_store() -> None:
    """Function, primitive, file and line."""
    (racy,) = audit(world("racy"), 50).racy
    assert (racy.reader.function, racy.reader.name) == ("do_user_addr_fault", "load(mm->plain)")
    assert (racy.writer.function, racy.writer.name) == ("munmap", "store 1(mm->plain)")
    assert racy.reader.where.startswith("weakly.py:")


def test_the_same_seed_finds_the_same() -> None:
    """And how often."""
    one, two = (audit(world("racy"), 20, seed=7) for _ in range(2))
    assert one.racy == two.racy


def test_mmap_lock_protects_what_a_fault_reads_of_a_vma() -> None:
    """v5.12 without patches: munmap writes nothing of a VMA that a fault could read unordered."""
    found = audit(build_race(catalogue.races()["munmap-file"], Stack(registry()["mmap-lock"]), "lkmm"), 60)
    assert not {word for word in words(found) if word.startswith(("vma->", "mm->"))}


def test_what_a_speculative_fault_reads_without_a_lock_is_racy() -> None:
    """It looks a VMA up in the tree while munmap takes it out."""
    race = catalogue.races()["munmap-file"]
    found = audit(build_race(race, Stack(registry()["spf-do-fault"]), "lkmm"), 60)
    assert "VMA tree" in words(found)


def test_clocks_follow_the_rules_of_views() -> None:
    """A release brings what its thread has stored; smp_wmb() sends its own stores along; a lock brings both."""
    clocks = Clocks(2)
    number = clocks.store(0)
    assert clocks.carried(0, release=False) == [0, 0]
    assert clocks.carried(0, release=True) == [number, 0]
    clocks.fence(0, h.WMB)
    assert clocks.carried(0, release=False) == [number, 0]
    clocks.has_read(1, [number, 0], 0)
    assert clocks.known[1] == [0, 0]
    clocks.fence(1, h.RMB)
    assert clocks.known[1] == [number, 0]
    other = Clocks(2)
    other.store(0)
    other.unlocked(0, "lock")
    other.locked(1, "lock")
    assert other.known[1] == [1, 0]


def test_two_full_barriers_know_each_other() -> None:
    """Whoever comes second knows what was stored before the first one."""
    clocks = Clocks(2)
    clocks.store(0)
    clocks.full_fence(0)
    assert clocks.known[1] == [0, 0]
    clocks.full_fence(1)
    assert clocks.known[1] == [1, 0]
