"""Projection: locks are told by their address, sections by their function, and all else is nobody's business."""

from __future__ import annotations

import pytest

from spfvar.errors import InputError
from spfvar.kernel.letters import Letter, Projection, letters_for
from spfvar.kernel.recording import events, segments
from tests.kernel import traces as t

V61 = letters_for("6.1.176")
V612 = letters_for("6.12.117")


def words(lines: list[str], table: object = V61) -> list[list[str]]:
    """Each fault's letters."""
    found = segments(events(lines, "trace"), table.fault_roots)  # type: ignore[attr-defined]
    projection = Projection(table, found)  # type: ignore[arg-type]
    return [[letter.text for letter in projection.letters(segment)] for segment in found]


def test_a_fault_of_v61_in_letters() -> None:
    """mmap_lock by where the tracepoints say that the mm is, the ptl by where page tables' locks lie."""
    lines = [*t.TABLE_IS_ALLOCATED, *t.read_of_present_page(), *t.read_of_present_page(0), t.fault()]
    table, read, contended = words(lines)
    assert table == ["handle_mm_fault()", "spin_lock pmd_lock", "spin_unlock pmd_lock"]
    assert read == [
        "down_read_trylock mmap_lock = 1", "find_vma", "handle_mm_fault()", "spin_lock ptl",
        "ptep_set_access_flags", "spin_unlock ptl", "up_read mmap_lock",
    ]  # fmt: skip
    assert contended[0] == "down_read_trylock mmap_lock = 0"


def test_the_nearest_mm_in_front_of_an_address_is_the_one_it_lies_in() -> None:
    """Two mm_structs less than a page apart."""
    near = t.line(f"/* mmap_lock_start_locking: mm={t.MM - 0x400:x} memcg_path=/ write=false */")
    assert (
        words([t.fault(), near, *t.read_of_present_page(), t.fault()])[-1][0]
        == "down_read_trylock mmap_lock = 1"
    )


def test_a_page_tables_lock_of_one_level_may_become_one_of_another() -> None:
    """Memory is used again: whoever takes it last says what it is now."""
    lines = [
        t.fault(), t.probe("_raw_spin_lock", "pmd_install", t.PTL), t.probe("_raw_spin_unlock", "pmd_install", t.PTL),
        t.probe("_raw_spin_lock", "finish_fault", t.PTL), t.probe("_raw_spin_unlock", "finish_fault", t.PTL), t.fault(),
    ]  # fmt: skip
    assert words(lines)[0] == [
        "spin_lock pmd_lock", "spin_unlock pmd_lock", "spin_lock ptl", "spin_unlock ptl",
    ]  # fmt: skip


def test_a_vma_lock_is_what_lock_vma_under_rcu_has_tried() -> None:
    """Wherever it is released."""
    lines = [
        t.fault(), t.line("lock_vma_under_rcu() {"), t.probe("__rcu_read_lock", "lock_vma_under_rcu"),
        *t.trylock(t.VM_LOCK, "lock_vma_under_rcu"), t.probe("__rcu_read_unlock", "lock_vma_under_rcu"),
        t.line("} /* lock_vma_under_rcu */"), t.probe("up_read", "do_user_addr_fault", t.VM_LOCK), t.fault(),
    ]  # fmt: skip
    assert words(lines, V612)[0] == [
        "rcu_read_lock", "down_read_trylock vm_lock = 1", "rcu_read_unlock", "up_read vm_lock",
    ]  # fmt: skip
    assert words(lines, V61)[0] == []


def test_a_kernel_nobody_has_a_table_for_is_refused() -> None:
    """With those there are."""
    assert letters_for("6.12").kernels == ["6.12", "6.17"]
    with pytest.raises(InputError, match=r"nothing says what a kernel 5\.10 shows.*6\.1"):
        letters_for("5.10")
    with pytest.raises(InputError):
        letters_for("6.123")


@pytest.mark.parametrize("table", [V61, V612], ids=["6.1", "6.12"])
def test_every_abstraction_has_a_reason_and_letters_that_the_kernel_has(table: object) -> None:
    """A list that hides what cannot occur would hide more later."""
    tables = [table, table.of_writers()]  # type: ignore[attr-defined]
    locks = {name for one in tables for name in one.lock_classes}
    calls = {name for one in tables for name in one.calls.values()}
    for entry in (*table.abstracted, *table.surplus):  # type: ignore[attr-defined]
        assert entry.why
        for letter in entry.letters:
            name, _, lock = letter.partition(" = ")[0].partition(" ")
            assert lock in locks if lock else name in {*calls, "rcu_read_lock", "rcu_read_unlock"}


@pytest.mark.parametrize("table", [V61, V612], ids=["6.1", "6.12"])
def test_an_abstraction_says_where_it_applies(table: object) -> None:
    """One that holds anywhere would hide a lock that a text lacks elsewhere."""
    assert all(entry.by or entry.kinds for entry in table.abstracted)  # type: ignore[attr-defined]


def test_a_letter_is_abstracted_only_where_its_hook_point_is_the_last_that_began() -> None:
    """userfaultfd_must_wait maps the entry once more; who maps it otherwise has a section of his own."""
    begin = Letter("handle_userfault()", 0, "do_anonymous_page")
    section = Letter("rcu_read_lock", 0, "__pte_offset_map")
    wait = [section, begin, section, Letter("handle_mm_fault()", 0, ""), section]
    assert sorted(V612.reasons(wait, "userfault")) == [2]
