"""Opcodes: unique, named, in the order that the transition function's ranges need."""

from __future__ import annotations

import inspect

from spfvar.ops import codes as c
from spfvar.ops import paging, pinning, primitives, switching


def opcodes() -> dict[str, int]:
    """The opcodes by name, up to the first column constant."""
    names = [line.split(":")[0] for line in inspect.getsource(c).splitlines() if ": Final = " in line]
    return {name: getattr(c, name) for name in names[: names.index("C_OP")] if name != "LAST_LOCAL"
            and name != "NAMES"}  # fmt: skip


def test_opcodes_are_unique() -> None:
    """No two primitives share a number."""
    values = list(opcodes().values())
    assert len(values) == len(set(values))
    assert set(opcodes()) >= {"NOP", "TOUCH", "RMAP_NEXT"}


def test_names_lead_back_to_opcodes() -> None:
    """codes.NAMES names each opcode."""
    assert {c.NAMES[value]: value for value in opcodes().values()} == opcodes()


def test_columns_are_unique_and_leave_room_for_all_outcomes() -> None:
    """Each column of a row is one thing; the successors come last."""
    columns = [getattr(c, name) for name in dir(c) if name.startswith("C_")]
    assert sorted(columns) == list(range(c.C_SUCC + 1))
    assert c.COLUMNS == c.C_SUCC + c.MAX_OUTCOMES


def test_flags_and_entry_bits_are_single_bits() -> None:
    """They can be combined; the folio's number lies above the bits of an entry."""
    flags = [c.FLAG_SHARED, c.FLAG_SLEEPS, c.FLAG_LINE]
    bits = [c.PTE_PRESENT, c.PTE_WRITE, c.PTE_ANON, c.PTE_DIRTY, c.PTE_ZERO, c.PTE_MIGRATION]
    assert flags == [1, 2, 4]
    assert sum(bits) == (1 << c.PTE_FOLIO_SHIFT) - 1
    assert all(bit & (bit - 1) == 0 for bit in bits)


def test_every_violation_has_a_text() -> None:
    """codes.VIOLATIONS is indexed by V_*."""
    values = [getattr(c, name) for name in dir(c) if name.startswith("V_")]
    assert sorted(values) == list(range(len(c.VIOLATIONS)))


def test_every_opcode_has_a_primitive() -> None:
    """What the transition function can do, a strategy can say."""
    source = "".join(map(inspect.getsource, (primitives, paging, pinning, switching)))
    assert [name for name in opcodes() if f"codes.{name}" not in source] == []


def test_opcodes_lie_in_the_ranges_that_step_dispatches_on() -> None:
    """Local, locks, words, lifetime, tree, tables, page cache, pages, ranges, CPUs: each group ends at its LAST_*."""
    groups = [
        ("NOP", "END"), ("DOWN_READ", "UNLOCK"), ("LOAD", "STORE_REF"), ("ALLOC", "BUG"),
        ("FIND_VMA", "VMA_CONTAINS"), ("TOUCH", "PMD_KEEP"), ("FOLIO_GET", "REMOVE_MAPPING"),
        ("PAGE_ALLOC", "PAGE_DMA"), ("RANGE_LOCK", "RANGE_DOWNGRADE"), ("SET_LOADED_MM", "WRITE_CR3"),
    ]  # fmt: skip
    in_order = sorted(opcodes(), key=opcodes().__getitem__)
    ends = [
        c.LAST_LOCAL, c.LAST_LOCK, c.LAST_WORD, c.LAST_LIFETIME, c.LAST_TREE, c.LAST_TABLE, c.LAST_FOLIO,
        c.LAST_PAGE, c.LAST_RANGE,
    ]  # fmt: skip
    assert ends == [opcodes()[last] for _, last in groups[:-1]]
    assert [in_order[in_order.index(last) + 1] for _, last in groups[:-1]] == [
        first for first, _ in groups[1:]
    ]
    assert (in_order[0], in_order[-1]) == (groups[0][0], groups[-1][1])


def test_codes_of_weak_memory_are_no_opcode_of_a_text() -> None:
    """Ops on weak words have the code of the op + WEAK; no text may yield one, and none has another's number."""
    own = [
        value
        for name, value in vars(c).items()
        if name.startswith(("RMW_", "SYNC_")) or name in ("FENCE", "DEPEND")
    ]
    shifted = [code + c.WEAK for code in range(c.LOAD, c.STORE_REF + 1)]
    assert len({*own, *shifted}) == len(own) + len(shifted)
    assert not set(own + shifted) & set(c.NAMES)
    assert min(own + shifted) > c.LAST_STRONG == max(c.NAMES)
