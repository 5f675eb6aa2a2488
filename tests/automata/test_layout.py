"""The flat state: nothing overlaps, and fixed offsets are where the transition function expects them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spfvar.automata.automaton import Automaton, Node
from spfvar.automata.layout import Layout, Sizes
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import at, copy_register, load
from spfvar.plugins.registry import load_registry
from tests import stacks

VARIANTS = load_registry().variants


def automata_of(variant: str) -> list[Automaton]:
    """Every kind of fault and every writer of a variant."""
    return list(stacks.automata(variant).values())


def regions(layout: Layout) -> dict[str, range]:
    """Every named piece of the state."""
    sizes, g = layout.sizes, layout.g
    found = {
        "violation": range(g[c.G_VIOLATION], g[c.G_VIOLATION] + 3),
        "rcu": range(g[c.G_RCU], g[c.G_RCU] + 5),
        "ipi": range(g[c.G_IPI], g[c.G_IPI] + 1),
        "masks": range(g[c.G_IPI_MASK], g[c.G_IPI_MASK] + sizes.threads * g[c.G_IPI_WORDS]),
        "tree": range(g[c.G_TREE], g[c.G_TREE] + -(-sizes.pages // (1 << sizes.tree_shift))),
        "pmd": range(g[c.G_PMD], g[c.G_PMD] + -(-sizes.pages // (1 << sizes.pt_shift))),
        "ptes": range(g[c.G_PTE], g[c.G_PTE] + (sizes.tables << sizes.pt_shift)),
    }
    if sizes.tlbs:
        found["tlbs"] = range(g[c.G_TLB], g[c.G_TLB] + sizes.threads * sizes.pages)
    if sizes.anon_pages:
        found["writes"] = range(g[c.G_WRITES], g[c.G_WRITES] + sizes.pages)
    for thread in range(sizes.threads):
        base = layout.thread_base(thread)
        found[f"thread {thread}"] = range(base, base + c.T_FIXED)
        for register in layout.registers:
            word = layout.thread_word(thread, register)
            found[f"thread {thread} {register.name}"] = range(word, word + 1)
    for number, cls in enumerate(o.CLASSES):
        k = c.G_CLASS0 + number * c.CLASS_WORDS
        found[f"{cls.name} free list"] = range(g[k + c.K_FREE], g[k + c.K_FREE] + 1)
        for index in range(sizes.count(cls)):
            if cls.lifetime:
                life = layout.class_base(cls) + index * layout.class_stride[cls]
                found[f"{cls.name} {index} life"] = range(life, life + 1)
            for field in layout.field_offset:
                if field.cls == cls and field.width:
                    word = layout.word(field, index)
                    found[f"{field} of {index}"] = range(word, word + field.width)
    return found


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_two_pieces_of_the_state_overlap(variant: str) -> None:
    """Fields, registers, lists, tables: each word has one owner, and all lie in the state."""
    sizes = Sizes(
        3, 4, 5, 2, 6, pages=40, pt_shift=3, mms=2, anon_vmas=3, anon_pages=4, policies=2, tlbs=True
    )
    layout = Layout(sizes, automata_of(variant))
    owner: dict[int, str] = {}
    for name, words in regions(layout).items():
        for word in words:
            assert owner.setdefault(word, name) == name
    assert min(owner) == 1  # no address is 0
    assert max(owner) == layout.words - 1


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70), st.integers(1, 5), st.integers(1, 5), st.integers(0, 3), st.integers(0, 9),
    st.integers(1, 200), st.integers(0, 5), st.integers(0, 3), st.integers(0, 5), st.booleans(),
)  # fmt: skip
def test_pieces_do_not_overlap_at_any_size(
    threads: int, vmas: int, tables: int, files: int, folios: int, pages: int, pt_shift: int, tree_shift: int,
    anon_pages: int, tlbs: bool,
) -> None:  # fmt: skip
    """Sizes that are no multiples of anything, no objects of a class, more than 31 threads."""
    sizes = Sizes(
        threads, vmas, tables, files, folios, pages, pt_shift, tree_shift, anon_pages=anon_pages, tlbs=tlbs
    )
    layout = Layout(sizes, [])
    covered = [word for words in regions(layout).values() for word in words]
    assert len(covered) == len(set(covered))
    assert max(covered, default=0) < layout.words
    assert len(layout.empty_state()) == layout.words


def test_fixed_offsets_are_those_of_the_fixed_fields() -> None:
    """codes.VMA_*, FILE_*, FOLIO_*, ANON_VMA_* and PAGE_* name the offsets that FIXED_FIELDS get."""
    layout = Layout(Sizes(1, 1, 1, 1, 1, pages=8), [])
    expected = {
        o.VM_START: c.VMA_START, o.VM_END: c.VMA_END, o.VM_FPUT: c.VMA_FPUT, o.VM_WRITE: c.VMA_WRITE,
        o.VM_FILE: c.VMA_FILE, o.VM_ANON_VMA: c.VMA_ANON_VMA, o.VM_LINKED: c.VMA_LINKED, o.VM_PGOFF: c.VMA_PGOFF,
        o.FILE_FOLIO0: c.FILE_FOLIOS, o.F_COUNT: c.FILE_REFS, o.F_OPEN: c.FILE_OPEN, o.I_SIZE: c.FILE_OPEN + 1,
        o.MM_COUNT: c.MM_COUNT,
        o.CACHED: c.FOLIO_CACHED, o.UPTODATE: c.FOLIO_UPTODATE, o.FOLIO_LOCK: c.FOLIO_LOCK,
        o.REFCOUNT: c.FOLIO_REFS,
        o.ANON_VMA_REFS: c.ANON_VMA_REFS,
        o.PAGE_REFS: c.PAGE_REFS, o.PAGE_DATA: c.PAGE_DATA, o.PAGE_ANON_VMA: c.PAGE_ANON_VMA,
        o.PAGE_INDEX: c.PAGE_INDEX, o.PAGE_EPOCH: c.PAGE_EPOCH,
    }  # fmt: skip
    assert {field for fields in o.FIXED_FIELDS.values() for field in fields} == set(expected)
    assert {field: layout.field_offset[field] for field in expected} == expected


def test_class_numbers_are_positions_in_classes() -> None:
    """codes.CLASS_* and objects.CLASSES agree."""
    numbers = {
        o.MM: c.CLASS_MM, o.VMA: c.CLASS_VMA, o.PAGE_TABLE: c.CLASS_TABLE, o.FILE: c.CLASS_FILE,
        o.FOLIO: c.CLASS_FOLIO, o.ANON_VMA_CLASS: c.CLASS_ANON_VMA, o.PAGE: c.CLASS_PAGE,
        o.MEMPOLICY: c.CLASS_POLICY, o.MAPLE_NODE: c.CLASS_NODE,
    }  # fmt: skip
    assert set(numbers) == set(o.CLASSES)
    layout = Layout(Sizes(1, 1, 1, 1, 1, pages=8), [])
    assert {cls: layout.class_number(cls) for cls in numbers} == numbers


def test_references_of_a_class_lie_together() -> None:
    """Freeing looks at the registers K_REF0 .. K_REF1 of every thread: exactly those of the class."""
    layout = Layout(Sizes(2, 3, 3, 1, 1, pages=8), automata_of("spf-do-fault"))
    for number, cls in enumerate(o.CLASSES):
        k = c.G_CLASS0 + number * c.CLASS_WORDS
        slots = set(range(layout.g[k + c.K_REF0], layout.g[k + c.K_REF1]))
        assert slots == {slot for register, slot in layout.registers.items() if register.cls == cls}


def test_an_empty_state_has_null_references_and_full_free_lists() -> None:
    """Thread words that refer to objects hold -1 (mm: 0); the free lists run through every object."""
    layout = Layout(Sizes(2, 3, 2, 0, 1, pages=8), automata_of("mmap-lock"))
    state = layout.empty_state()
    assert state.dtype == np.int32
    for register, slot in layout.registers.items():
        value = state[layout.thread_base(1) + slot]
        assert value == (0 if register == o.mm or register.cls is None else -1)
    for cls, count in ((o.VMA, 3), (o.PAGE_TABLE, 2), (o.FILE, 0)):
        k = c.G_CLASS0 + layout.class_number(cls) * c.CLASS_WORDS
        chain, link = [], int(state[layout.g[k + c.K_FREE]])
        while link != c.FREE_END:
            index = -link - 2
            chain.append(index)
            link = int(state[layout.class_base(cls) + index * layout.class_stride[cls]])
        assert chain == list(range(count))


def test_fields_begin_at_their_initial_value() -> None:
    """A field of the mm that a variant declares with an initial value has it in the start state."""
    seq = Field(o.MM, "my_seq", initial=2)
    op = load(at(o.mm, seq), o.scratch)
    layout = Layout(Sizes(1, 1, 1, 1, 1, pages=8), [_automaton(op)])
    assert layout.has(seq)
    assert layout.empty_state()[layout.word(seq)] == 2
    assert not Layout(layout.sizes, []).has(seq)


def test_two_registers_of_one_name_are_refused() -> None:
    """A patch that reuses a name for another class would silently get another variable."""
    with pytest.raises(ValueError, match="two registers are called 'counter'"):
        Layout(Sizes(1, 1, 1, 1, 1, pages=8), [
            _automaton(copy_register(o.counter, o.scratch), copy_register(Register("counter", o.VMA), o.vma))
        ])  # fmt: skip


def _automaton(*ops: object) -> Automaton:
    return Automaton("t", tuple(Node(op, (0,)) for op in ops))  # type: ignore[arg-type]


def test_kept_fields_lie_behind_the_others() -> None:
    """An allocation clears the words up to K_KEPT: fields that are kept come last, whatever is mentioned first."""
    kept = Field(o.VMA, "my_kept", kept=True)
    plain = Field(o.VMA, "my_plain")
    layout = Layout(
        Sizes(1, 1, 1, 1, 1, pages=8),
        [_automaton(load(at(o.vma, kept), o.scratch), load(at(o.vma, plain), o.scratch))],
    )
    first_kept = int(layout.g[c.G_CLASS0 + c.CLASS_VMA * c.CLASS_WORDS + c.K_KEPT])
    assert layout.field_offset[kept] == first_kept
    assert layout.field_offset[plain] < first_kept
    tables = c.G_CLASS0 + c.CLASS_TABLE * c.CLASS_WORDS
    assert layout.g[tables + c.K_KEPT] == layout.g[tables + c.K_STRIDE]  # nothing is kept
