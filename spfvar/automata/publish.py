"""Page tables that may be found before they are seen initialised, under ``--memory lkmm``.

A page table is initialised (its entries cleared, its lock free), then linked, and who walks there depends on
the entry that it was found by.  As long as a barrier stands between the two stores on every way, nobody can
see the one without the other, and there is nothing to be explored.  Only where one is missing do tables
have a weak word, which an allocation stores to and whoever looks into a table, or takes its lock, reads.
Sources: mm/memory.c pmd_install (v6.1), __pte_alloc (v5.12).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from spfvar.automata.automaton import Automaton, Node
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.orders import MB, WMB
from spfvar.ops.places import Place, Register
from spfvar.ops.primitives import bug_on, equals, store
from spfvar.ops.properties import PROPERTIES

#: Ops that read the entry of a page-table directory, into their dst.
FINDING: Final = (c.READ_PMD, c.PMD_TAKE, c.PMD_CLEAR)
#: Ops that leave a register with another table, or none.
_FORGETTING: Final = (*FINDING, c.FREE, c.CALL_RCU, c.SET_REG, c.PMD_POPULATE, c.ADD_REG)
#: Ops that look into a table, or take its lock.
_LOOKING: Final = (
    c.READ_PTE, c.PTE_SAME, c.PTE_NONE, c.SET_PTE, c.PTE_MKWRITE, c.ZAP_PTES, c.CHANGE_PTES, c.PTE_TAKE,
    c.PTE_RESTORE, c.PTE_WRPROTECT, c.DOWN_READ, c.DOWN_READ_TRYLOCK, c.DOWN_WRITE, c.LOCK, c.TRYLOCK,
)  # fmt: skip
_UNSEEN: Final = "a page table is found that is not seen initialised"


def links_unordered(automata: Iterable[Automaton]) -> bool:
    """Does one of them link a page table on some way without a barrier since it was allocated?

    Or does one read what it finds there as if the address did not depend on it (order "cut")?
    """
    return any(map(_links_unordered, automata))


def _links_unordered(automaton: Automaton) -> bool:
    if "links_unordered" not in automaton.made:
        automaton.made["links_unordered"] = any(
            (node.op.code == c.PMD_POPULATE and node.op.dst in fresh)
            or (node.op.code == c.READ_PMD and node.op.order == "cut")
            for node, fresh in zip(automaton.nodes, _fresh(automaton.nodes), strict=True)
        )
    return bool(automaton.made["links_unordered"])


def _fresh(nodes: Sequence[Node]) -> list[set[Register]]:
    """By node: the registers that may hold a table which was allocated, and no barrier since."""
    found: list[set[Register]] = [set() for _ in nodes]
    ahead = list(range(len(nodes)))
    while ahead:
        number = ahead.pop()
        behind = _behind(nodes[number].op, found[number])
        for there in nodes[number].successors:
            if not behind <= found[there]:
                found[there] |= behind
                ahead.append(there)
    return found


def _behind(op: Op, fresh: set[Register]) -> set[Register]:
    if op.order in (WMB, MB):
        return set()
    if op.code == c.ALLOC and op.dst is not None and op.dst.cls is o.PAGE_TABLE:
        return fresh | {op.dst}
    if op.code == c.ADD_REG and op.dst is not None and op.src in fresh:
        return fresh | {op.dst}
    gone = op.src if op.code in (c.FREE, c.CALL_RCU) else op.dst
    return fresh - {gone} if gone is not None and op.code in _FORGETTING else fresh


def with_initialised(nodes: Sequence[Node]) -> list[Node]:
    """Nodes, of the same numbers, that say when a table is initialised, and look whether it is.

    What is added is behind them.
    """
    found = list(nodes)
    looks: dict[int, int] = {}
    for number, node in enumerate(nodes):
        if node.op.code in _LOOKING and node.op.place is not None and node.op.place.field.cls is o.PAGE_TABLE:
            looks[number] = len(found)
            ready = Place(node.op.place.register, o.TABLE_READY)
            look = _beside(node.op, equals(ready, 1, "page table seen initialised").untimed())
            found.append(Node(look, (len(found) + 1, number)))
            found.append(Node(_beside(node.op, bug_on(_UNSEEN, PROPERTIES["P4"])), (number,)))
    for number, node in enumerate(nodes):
        there = tuple(looks.get(there, there) for there in node.successors)
        if node.op.code == c.ALLOC and node.op.dst is not None and node.op.dst.cls is o.PAGE_TABLE:
            ready = Place(node.op.dst, o.TABLE_READY)
            found.append(Node(_beside(node.op, store(ready, 1).untimed()), there))
            there = (len(found) - 1,)
        found[number] = Node(node.op, there)
    return found


def _beside(op: Op, added: Op) -> Op:
    """What is added to a text, as the function of one of its primitives yields it."""
    return added.but(function=op.function, where=op.where, caller=op.caller, typesafe=op.typesafe)
