"""Linking: the program table is closed, and tells private work from what others can see."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor
from spfvar.automata.layout import Layout, Sizes
from spfvar.automata.link import Program, link
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.paging import filemap_get_folio, read_pte
from spfvar.ops.places import Field, ObjectClass, behind
from spfvar.ops.primitives import (
    add,
    at,
    call_rcu,
    choose,
    count,
    down_read,
    down_write,
    equals,
    find_vma,
    folio_trylock,
    load,
    load_nonzero,
    load_ref_nonnull,
    rcu_read_lock,
    set_register,
    spin_lock,
    store_ref,
    tree_erase,
    tree_store,
    work,
)
from spfvar.plugins.registry import load_registry
from spfvar.structs.lines import CacheLines, Memory, touched_fields
from spfvar.structs.shipped import layout_named
from tests import stacks

VARIANTS = load_registry().variants
SIZES = Sizes(2, 3, 3, 1, 4, pages=16, pt_shift=2)


def automaton(*ops: Op) -> Automaton:
    """A chain of ops."""

    def text() -> Steps:
        for op in ops:  # noqa: UP028  (a tuple cannot be sent outcomes)
            yield op

    def no_hooks(name: str, args: object) -> Steps:
        raise AssertionError(name)

    return Extractor(no_hooks).automaton("text", text)


def program(
    *ops: Op, own: Collection[ObjectClass] = (), lifetimes: bool = False, layout: str | None = "v5.12"
) -> Program:
    """The linked chain."""
    one = automaton(*ops)
    lines = lines_of(layout, one) if layout is not None else None
    return link({"text": one}, Layout(SIZES, [one]), own, lifetimes=lifetimes, lines=lines)


def lines_of(layout: str, *automata: Automaton) -> CacheLines:
    """The cache lines of what the automata touch, as in a shipped layout."""
    return CacheLines(
        Memory(layout, layout_named(layout)), touched_fields(op for one in automata for op in one.ops())
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_nodes_successors_lie_in_the_table(variant: str) -> None:
    """One per outcome, inside the rows of the node's own automaton; -1 beyond."""
    automata = stacks.automata(variant)
    linked = link(automata, Layout(SIZES, automata.values()))
    assert len(linked.table) == len(linked.ops) == sum(map(len, automata.values()))
    for name, one in automata.items():
        first = linked.entry[name]
        for i, node in enumerate(one.nodes):
            successors = linked.table[first + i, c.C_SUCC :]
            assert linked.ops[first + i] == node.op
            assert linked.table[first + i, c.C_OP] == node.op.code
            n = len(node.op.outcomes)
            assert np.all((successors[:n] >= first) & (successors[:n] < first + len(one)))
            assert np.all(successors[n:] == -1)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_operand_is_a_word_of_the_thread_or_of_its_object(variant: str) -> None:
    """Registers lie behind the fixed words and within the thread; fields within their class's objects."""
    automata = stacks.automata(variant)
    layout = Layout(SIZES, automata.values())
    linked = link(automata, layout)
    for column in (c.C_A_REG, c.C_DST, c.C_SRC, c.C_SRC2, c.C_SRC3, c.C_L_REG):
        used = linked.table[:, column]
        assert np.all((used == -1) | ((used >= c.T_FIXED) & (used < layout.thread_stride)))
    for row, op in zip(linked.table, linked.ops, strict=True):
        if op.place is None:
            continue
        cls = op.place.field.cls
        end = layout.class_base(cls) + layout.class_stride[cls]
        assert layout.class_base(cls) <= row[c.C_A_BASE] <= end - max(1, op.place.field.width)
        life = layout.class_base(cls) if cls.lifetime and op.code != c.ALLOC else c.A_IMMORTAL
        assert row[c.C_A_LIFE] == (c.A_TYPESAFE if op.typesafe else life)


def test_names_are_numbered_in_order_of_appearance() -> None:
    """Events, costs and probabilities are found again by the numbers in the table."""
    linked = program(count("b"), count("a"), work("zero"), choose("c", 0, 1, probability="hit"), count("b"))
    assert linked.events == ("b", "a")
    assert linked.probabilities == ("hit",)
    assert [linked.table[i, c.C_IMM] for i in (0, 1)] == [0, 1]
    row = linked.table[3]
    assert (row[c.C_IMM], row[c.C_IMM2]) == (2, 0)  # outcomes, probability
    assert [linked.costs[i] for i in linked.table[:, c.C_COST]] == [op.cost for op in linked.ops]


def test_objects_have_cache_lines_of_their_own_and_read_lines_come_first() -> None:
    """Fields of one line share it, per object; lines that are also read have the low numbers."""
    linked = program(
        spin_lock(at(o.mm, o.PMD_LOCK)), load(at(o.vma, o.VM_END), o.scratch), add(at(o.vma, o.VM_END), 1),
        add(at(o.mm, o.MM_USERS), 1), spin_lock(at(o.mm, o.PAGE_TABLE_LOCK)),
    )  # fmt: skip
    base = linked.table[:5, c.C_L_BASE]
    assert base[1] == base[2] == 0  # the VMAs' first lines: 0, 1, 2
    assert linked.read_lines == 3
    assert base[3] == base[4]  # mm_users at 92 and page_table_lock at 124 are on bytes 64 to 127
    assert {int(base[0]), int(base[3])} == {3, 4}
    assert linked.lines == 5
    assert list(linked.table[:4, c.C_L_MODE]) == [c.L_RMW, c.L_READ, c.L_RMW, c.L_RMW]


@pytest.mark.parametrize(
    ("layout", "sharing", "owner"),
    [
        # v5.12: mm_users 92; mmap_lock 128, its owner 136.
        ("v5.12", [False, True], False),
        # v5.13: mm_users 92, mmap_lock 120; its owner 128, behind the line.
        ("v5.13", [True, False], True),
        # v6.1: mm_users 84, mmap_lock 112, its owner 120.
        ("v6.1", [True, False], False),
    ],
)
def test_the_layout_says_who_shares_the_lines_of_the_lock(
    layout: str, sharing: list[bool], owner: bool
) -> None:
    """mm_users, and a count behind the rwsem, beside the rwsem's count; the owner may be on the next line."""
    seq = Field(o.MM, "my_seq", where=behind("mmap_lock"))  # at 168, 160 and 152
    linked = program(
        down_read(at(o.mm, o.MMAP_LOCK)), equals(at(o.mm, o.MM_USERS), 1), load(at(o.mm, seq), o.scratch),
        layout=layout,
    )  # fmt: skip
    lock, users, count = linked.table[:3, c.C_L_BASE]
    assert [users == lock, count == lock] == sharing
    assert linked.table[0, c.C_L_OWNER] == (count if owner else -1)


def test_without_a_layout_nothing_has_a_cache_line() -> None:
    """The explorer has no clock: what it orders does not depend on where members lie."""
    one = automaton(spin_lock(at(o.mm, o.PMD_LOCK)), load(at(o.vma, o.VM_END), o.scratch))
    linked = link({"text": one}, Layout(SIZES, [one]))
    assert linked.lines == linked.read_lines == 0
    assert set(linked.table[:, c.C_L_MODE]) == {0}


def flags(linked: Program) -> list[int]:
    """The flags of the chain's nodes."""
    return [int(found) for found in linked.table[:-1, c.C_FLAGS]]


def shared(linked: Program) -> list[bool]:
    """Which nodes have to be ordered with other threads."""
    return [bool(found & c.FLAG_SHARED) for found in flags(linked)]


def test_reading_what_nobody_writes_needs_no_ordering() -> None:
    """A load is shared exactly if some op of the run writes the field."""
    read = load(at(o.vma, o.VM_END), o.scratch)
    assert shared(program(read, set_register(o.counter, 1))) == [False, False]
    assert shared(program(read, add(at(o.vma, o.VM_END), 1))) == [True, True]


def test_a_lookup_is_ordered_only_with_changes_of_the_tree() -> None:
    """find_vma is private in a run without writers."""
    assert shared(program(find_vma())) == [False]
    assert shared(program(find_vma(), tree_erase())) == [True, True]


def test_rcu_sections_are_ordered_only_if_something_is_freed_by_rcu() -> None:
    """Without call_rcu nobody waits for readers; nor to the nanosecond where there is a clock."""
    assert shared(program(rcu_read_lock(), layout=None)) == [False]
    assert shared(program(rcu_read_lock(), call_rcu(o.vma), layout=None)) == [True, True]
    assert shared(program(rcu_read_lock(), call_rcu(o.vma))) == [False, True]


def test_what_serves_one_thread_only_is_not_ordered() -> None:
    """Locks and words of a table, a VMA, a file, its folios; but not what the allocator or the tree do with them."""
    table = (spin_lock(at(o.table, o.PTL)), read_pte(False))
    vma = (add(at(o.vma, o.VM_END), 1), tree_store(o.vma), call_rcu(o.vma))
    file = (down_write(at(o.vm_file, o.I_MMAP_RWSEM)), filemap_get_folio(), folio_trylock())
    assert shared(program(*table, own=[o.PAGE_TABLE])) == [False, False]
    assert shared(program(*vma, own=[o.VMA])) == [False, True, True]
    assert shared(program(*file, own=[o.FILE, o.FOLIO])) == [False, False, False]
    for ops in (table, vma, file):
        assert shared(program(*ops)) == [True] * len(ops)


def test_the_lines_of_what_the_allocator_hands_on_move_nevertheless() -> None:
    """A VMA comes from another thread perhaps; a file and its folios stay where they are."""
    write = add(at(o.vma, o.VM_END), 1)
    assert flags(program(write, own=[o.VMA])) == [c.FLAG_LINE]
    assert flags(program(filemap_get_folio(), own=[o.FILE, o.FOLIO])) == [0]
    assert flags(program(filemap_get_folio())) == [c.FLAG_LINE | c.FLAG_SHARED]


def branch(settled: tuple[Field, ...]) -> list[bool]:
    """Flags of: is there an anon_vma?  If not, one is stored; then the VMA's end is read."""

    def text() -> Steps:
        if not (yield load_ref_nonnull(at(o.vma, o.VM_ANON_VMA), o.anon_vma)):
            yield store_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
            yield add(at(o.vma, o.VM_END), 1)
        yield load(at(o.vma, o.VM_END), o.scratch)

    def no_hooks(name: str, args: object) -> Steps:
        raise AssertionError(name)

    one = Extractor(no_hooks).automaton("text", text)
    linked = link({"text": one}, Layout(SIZES, [one]), settled=settled)
    reads = (c.LOAD_REF, c.LOAD)
    return [
        bool(row[c.C_FLAGS] & c.FLAG_SHARED)
        for row, op in zip(linked.table, linked.ops, strict=True)
        if op.code in reads
    ]


def test_what_only_a_dead_branch_writes_is_not_written() -> None:
    """If every VMA has an anon_vma from the start, nobody sets one, and reading either field is private."""
    assert branch(()) == [True, True]
    assert branch((o.VM_ANON_VMA,)) == [False, False]


def test_a_settled_field_settles_only_its_own_test() -> None:
    """Knowing another field says nothing about the branch."""
    assert branch((o.VM_FILE,)) == [True, True]


def test_settled_fields_change_flags_only() -> None:
    """The dead branch stays in the table, where nothing leads to it."""
    one = automaton(load_nonzero(at(o.vma, o.VM_END), o.scratch), add(at(o.vma, o.VM_END), 1))
    layout = Layout(SIZES, [one])
    usual, told = (link({"text": one}, layout, settled=fields).table for fields in ((), (o.VM_END,)))
    columns = [column for column in range(c.COLUMNS) if column != c.C_FLAGS]
    assert np.array_equal(usual[:, columns], told[:, columns])


@pytest.mark.parametrize("lifetimes", [False, True])
def test_a_constant_of_an_object_that_is_freed_must_be_ordered_if_lifetimes_matter(lifetimes: bool) -> None:
    """Nobody writes vm_end, but reading it too late is a use after free; a class that lives for ever is exempt."""
    ops = (load(at(o.vma, o.VM_END), o.scratch), load(at(o.mm, o.MM_USERS), o.scratch), call_rcu(o.vma))
    flags = program(*ops, lifetimes=lifetimes).table[:2, c.C_FLAGS] & c.FLAG_SHARED
    assert flags.tolist() == [int(lifetimes), 0]
