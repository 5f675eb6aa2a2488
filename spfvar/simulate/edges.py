"""Work between primitives: what the simulator does while it goes from one node to the next.

A node that only passes time or counts an event need not be executed: its time and its event move to
the edges that lead through it.  The program table itself stays as the explorer sees it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from spfvar.automata.layout import Words
from spfvar.automata.link import Program
from spfvar.ops import codes as c
from spfvar.simulate import machine as m

#: What the engine does after a node, beside moving the clock by plain work.
TIMED: Final = 8  # its cost is of a kind other than PLAIN
METER: Final = 16  # the meters want to know of it
LOCK: Final = 32
OPEN: Final = 64  # its outcome is drawn
PREEMPT: Final = 128  # here a thread may lose its CPU
SLEEP: Final = 256  # gives its CPU up
EDGE: Final = 512  # more than plain work lies on the way to a successor


class Edges(NamedTuple):
    """Per node: flags (FLAG_* and the above), kind and time of its cost.

    Per node and outcome, what comes before the next node that is executed, in this order: plain ``work``;
    ``mark``, a MARK_* or 0; plain work ``after`` it and ``jittered`` work.  ``event`` is the number of what
    is counted, or -1.  The ``work`` of a node without flags includes its own time.
    """

    table: Any  # the program table with successors that skip folded nodes
    flags: Any  # (nodes,)
    kind: Any  # (nodes,)
    ns: Any  # (nodes,)
    work: Any  # (nodes, outcomes) ns
    mark: Any  # (nodes, outcomes)
    after: Any  # (nodes, outcomes) ns
    jittered: Any  # (nodes, outcomes) ns
    event: Any  # (nodes, outcomes)


_METERED = (c.FRESH_RANGE, c.CALL_RCU)
_FOLDED = (c.NOP, c.COUNT, c.MARK)


def fold(program: Program, costs: m.Costs) -> Edges:
    """Fold the nodes of a program that only pass time or count."""
    table = program.table.copy()
    nodes = len(table)
    kind = costs.kind[table[:, c.C_COST]]
    ns = costs.ns[table[:, c.C_COST]]
    op = table[:, c.C_OP]
    plain = (kind == m.PLAIN) | (kind == m.USER)
    lock = (op >= c.DOWN_READ) & (op <= c.UNLOCK)
    foldable = (plain | (kind == m.JITTERED)) & np.isin(op, _FOLDED) & (table[:, c.C_FLAGS] == 0)
    flags = (
        table[:, c.C_FLAGS]
        | np.where(plain, 0, TIMED)
        | np.where(np.isin(op, _METERED), METER, 0)
        | np.where(lock, LOCK, 0)
        | np.where(op == c.CHOOSE, OPEN, 0)
        | np.where(op == c.TOUCH, PREEMPT, 0)
        | np.where(kind == m.SLEEP, SLEEP, 0)
    )
    shape = (nodes, c.MAX_OUTCOMES)
    none = np.full(shape, -1, dtype=np.int64)
    edges = Edges(
        table, flags, kind, ns, np.zeros(shape), none + 1, np.zeros(shape), np.zeros(shape), none
    )  # fmt: skip
    for node in range(nodes):
        if op[node] in (c.COUNT, c.MARK):  # where it is executed after all, its own edge does it
            _absorb(edges, (node, 0), table[node], m.PLAIN, 0.0)
        for outcome in range(c.MAX_OUTCOMES):
            target = int(table[node, c.C_SUCC + outcome])
            passed: set[int] = set()
            while target >= 0 and foldable[target] and target not in passed:
                if not _absorb(edges, (node, outcome), program.table[target], kind[target], ns[target]):
                    break
                passed.add(target)
                target = int(program.table[target, c.C_SUCC])
            table[node, c.C_SUCC + outcome] = target
    more = (edges.mark > 0) | (edges.jittered > 0.0) | (edges.event >= 0)
    flags[more.any(axis=1)] |= EDGE
    edges.work[flags == 0] += ns[flags == 0, None]
    return edges


def _absorb(edges: Edges, edge: tuple[int, int], row: Words, kind: int, ns: float) -> bool:
    """Move a node's effect to an edge that leads to it; False if the edge's order has no place for it."""
    if row[c.C_OP] == c.MARK:
        if edges.mark[edge] or edges.jittered[edge]:
            return False
        edges.mark[edge] = row[c.C_IMM]
    if row[c.C_OP] == c.COUNT:
        if edges.event[edge] >= 0:
            return False
        edges.event[edge] = row[c.C_IMM]
    if kind == m.JITTERED:
        edges.jittered[edge] += ns
    elif edges.mark[edge]:
        edges.after[edge] += ns
    else:
        edges.work[edge] += ns
    return True
