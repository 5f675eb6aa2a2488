"""Weakening and its opposite: what a text says of orders counts under one memory model, and not under the other."""

from __future__ import annotations

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor
from spfvar.automata.weaken import strengthen, weak_fields, weaken
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops import primitives as p
from spfvar.ops.op import Op, Steps
from spfvar.ops.orders import smp_mb, smp_rmb, smp_wmb
from spfvar.ops.places import Field

FLAG = Field(o.MM, "flag", weak=True)
DATA = Field(o.MM, "data")
OF_VMA = Field(o.VMA, "number", weak=True)
KEPT = Field(o.VMA, "kept", weak=True, kept=True)


def automaton(*ops: Op) -> Automaton:
    """A text that yields these, one behind the other, whatever their outcomes are."""

    def text() -> Steps:
        for op in ops:
            _ = yield op

    return Extractor(lambda name, args: text()).automaton("text", text)


def weakly(*ops: Op) -> list[Op]:
    """The ops of such a text in a run with weak words, but for the thread's end."""
    return [op for op in weaken({"text": automaton(*ops)})["text"].ops() if op.code != c.END]


def test_without_weak_words_and_orders_the_text_is_the_same() -> None:
    """Barriers that cost nothing are gone, orders are forgotten, and nodes that differed in one are merged."""
    said = automaton(
        p.load(p.at(o.mm, FLAG), o.counter, order="acquire"), smp_rmb(), p.store(p.at(o.mm, DATA), 1), smp_wmb(),
        p.add(p.at(o.mm, FLAG), 1, order="release", atomic=False),
    )  # fmt: skip
    plain = automaton(
        p.load(p.at(o.mm, FLAG), o.counter), p.store(p.at(o.mm, DATA), 1), p.add(p.at(o.mm, FLAG), 1)
    )
    assert strengthen({"text": said})["text"] == plain
    assert strengthen({"text": plain})["text"] is plain


def test_a_barrier_that_costs_something_stays_as_work() -> None:
    """smp_mb() takes time on every machine."""
    assert [op.code for op in strengthen({"text": automaton(smp_mb())})["text"].ops()] == [c.NOP, c.END]


def test_a_field_that_nobody_stores_to_stays_strong() -> None:
    """Its word has one value for ever, so no load can see another."""
    load, store = p.load(p.at(o.mm, FLAG), o.counter), p.store(p.at(o.mm, FLAG), 1)
    assert weak_fields([load]) == frozenset()
    assert weak_fields([load, store]) == {FLAG}
    assert [op.code for op in weakly(load, store)] == [c.WEAK + c.LOAD, c.WEAK + c.STORE]
    assert weak_fields([p.load(p.at(o.mm, DATA), o.counter), p.store(p.at(o.mm, DATA), 1)]) == frozenset()


def test_an_allocation_stores_to_the_fields_of_its_class() -> None:
    """But not to those that it leaves as the freed object had them."""
    loads = [p.load(p.at(o.vma, OF_VMA), o.counter), p.load(p.at(o.vma, KEPT), o.counter)]
    assert weak_fields([*loads, p.allocate(o.vma, "vm_area_alloc", "local")]) == {OF_VMA}


def test_a_comparison_with_a_range_loads_its_ends_one_by_one() -> None:
    """vm_start first, as in C: outside on either side is "no", and what both say is "yes"."""
    found = weaken({"text": automaton(p.vma_contains(), p.store(p.at(o.vma, o.VM_END), 1))})["text"]
    first = next(node for node in found.nodes if node.op.code == c.AT_MOST)
    second = found.nodes[first.successors[1]]
    assert (first.op.place, second.op.place) == (p.at(o.vma, o.VM_START), p.at(o.vma, o.VM_END))
    assert second.op.code == c.ABOVE
    assert first.successors[0] == second.successors[0]
