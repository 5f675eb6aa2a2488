"""Work between primitives: what the simulator does while it goes from one node to the next.

A node that only passes time or counts an event need not be executed: its time and its event move to
the edges that lead through it.  The program table itself stays as the explorer sees it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from spfvar.automata.link import Program
from spfvar.ops import codes as c
from spfvar.simulate import machine as m

#: What the engine does after a node, beside moving the clock by plain work.
TIMED: Final = 8  # its cost is of a kind other than PLAIN
METER: Final = 16  # a mark, or another op that the meters want to know of
LOCK: Final = 32
FLAGS_MASK: Final = 63


class Edges(NamedTuple):
    """Per node: flags (FLAG_* and the above), plain work; per node and outcome: what lies on the edge.

    ``event`` is the number of the event counted on the way, or -1; ``entry`` is the row that each thread's
    first node is replaced by.
    """

    table: Any  # the program table with successors that skip folded nodes
    flags: Any  # (nodes,)
    work: Any  # (nodes,) ns
    edge_work: Any  # (nodes, outcomes) ns
    event: Any  # (nodes, outcomes)


_METERED = (c.COUNT, c.MARK, c.FRESH_RANGE, c.CALL_RCU, c.TOUCH, c.CHOOSE, c.END)


def fold(program: Program, costs: m.Costs) -> Edges:
    """Fold the nodes of a program that only pass time or count."""
    table = program.table.copy()
    nodes = len(table)
    kind = costs.kind[table[:, c.C_COST]]
    ns = costs.ns[table[:, c.C_COST]]
    op = table[:, c.C_OP]
    plain = (kind == m.PLAIN) | (kind == m.USER)
    lock = (op >= c.DOWN_READ) & (op <= c.UNLOCK)
    flags = (
        table[:, c.C_FLAGS]
        | np.where(plain, 0, TIMED)
        | np.where(np.isin(op, _METERED), METER, 0)
        | np.where(lock, LOCK, 0)
    )
    foldable = plain & np.isin(op, (c.NOP, c.COUNT)) & (table[:, c.C_FLAGS] == 0)
    edge_work = np.zeros((nodes, c.MAX_OUTCOMES))
    event = np.full((nodes, c.MAX_OUTCOMES), -1, dtype=np.int64)
    for node in range(nodes):
        for outcome in range(c.MAX_OUTCOMES):
            target = int(table[node, c.C_SUCC + outcome])
            passed: set[int] = set()
            while target >= 0 and foldable[target] and target not in passed:
                if op[target] == c.COUNT:
                    if event[node, outcome] >= 0:
                        break
                    event[node, outcome] = table[target, c.C_IMM]
                passed.add(target)
                edge_work[node, outcome] += ns[target]
                target = int(program.table[target, c.C_SUCC])
            table[node, c.C_SUCC + outcome] = target
    return Edges(table, flags.astype(np.int32), np.where(plain, ns, 0.0), edge_work, event)
