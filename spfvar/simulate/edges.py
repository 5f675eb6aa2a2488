"""Work between primitives: what the simulator does while it goes from one node to the next.

A node that only passes time or counts an event need not be executed: its time and its event move to
the edges that lead through it.  One that takes more than plain work stays, but is not executed either, only
timed; so does the lock of a page table that no other thread can see, for it is always free.  The program
table itself stays as the explorer sees it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Words
from spfvar.automata.link import Program, on_table
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
PASSES: Final = 1024  # only passes time: there is nothing to execute

INFINITE: Final = 1e300
RUN_AHEAD_NS: Final = 2000.0  # how far a thread may be ahead while it touches nothing shared


#: Where on an edge the time of a folded node is: before the mark, behind it, or jittered.
BEFORE, AFTER, JITTERED = 0, 1, 2
#: By (node, outcome): the nodes that were folded into the edge, each with where its time is, and its ns.
#: Where the node has no flags, its own time is on its edges, too.
Folded = dict[tuple[int, int], list[tuple[int, int, float]]]
#: What was folded: node, outcome, where its time is, and the node that was folded; in the order of the sums.
Parts = list[tuple[int, int, int, int]]


class Edges(NamedTuple):
    """Per node: flags (FLAG_* and the above), kind and time of its cost, and how far ahead of the
    others its thread may execute it.

    Per node and outcome, what comes before the next node that is executed, in this order: plain ``work``;
    ``mark``, a MARK_* or 0; plain work ``after`` it and ``jittered`` work.  ``event`` is the number of what
    is counted, or -1.  The ``work`` of a node without flags includes its own time.
    """

    table: Any  # the program table with successors that skip folded nodes
    flags: Any  # (nodes,)
    kind: Any  # (nodes,)
    ns: Any  # (nodes,)
    ahead: Any  # (nodes,) ns
    work: Any  # (nodes, outcomes) ns
    mark: Any  # (nodes, outcomes)
    after: Any  # (nodes, outcomes) ns
    jittered: Any  # (nodes, outcomes) ns
    event: Any  # (nodes, outcomes)


LINE: Final = 64  # bytes of a cache line where this runs
#: Columns of `Nodes.table` behind those of the program table, the last two by outcome.
N_KIND: Final = c.COLUMNS
N_MARK: Final = N_KIND + 1
N_EVENT: Final = N_MARK + c.MAX_OUTCOMES
#: What `Nodes.times` has of a node, the last three by outcome.
OWN_NS: Final = 0
AHEAD_NS: Final = 1
WORK_NS: Final = 2
AFTER_NS: Final = WORK_NS + c.MAX_OUTCOMES
JITTERED_NS: Final = AFTER_NS + c.MAX_OUTCOMES
TIMES: Final = 16


class Nodes(NamedTuple):
    """`Edges` as the engine reads them: a node's numbers side by side, for each time it is another node."""

    table: Any  # (nodes, columns) int32: the program table, with all flags, and N_*
    times: Any  # (nodes * TIMES,): *_NS


def side_by_side(edges: Edges) -> Nodes:
    """The rows of all nodes."""
    table = np.column_stack([edges.table, edges.kind, edges.mark, edges.event]).astype(np.int32)
    table[:, c.C_FLAGS] = edges.flags
    times = np.column_stack([edges.ns, edges.ahead, edges.work, edges.after, edges.jittered])
    return Nodes(in_lines(table), in_lines(times).reshape(-1))


def in_lines(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same rows, each in as few cache lines as there can be; they get longer, with zeros behind."""
    size = rows.itemsize
    width = 1 << (rows.shape[1] * size - 1).bit_length()
    room = np.zeros(len(rows) * width + LINE, dtype=np.int8)
    skipped = -room.ctypes.data % LINE
    found = room[skipped : skipped + len(rows) * width].view(rows.dtype).reshape(len(rows), width // size)
    found[:, : rows.shape[1]] = rows
    return found


_METERED = (c.FRESH_RANGE, c.CALL_RCU)
_FOLDED = (c.NOP, c.COUNT, c.MARK)
_LOCKS = (c.LOCK, c.TRYLOCK, c.UNLOCK)


def fold(
    program: Program,
    costs: m.Costs,
    keep_locks: bool = False,
    folded: Folded | None = None,
    parts: Parts | None = None,
) -> Edges:
    """Fold the nodes of a program that only pass time or count.

    ``keep_locks``: locks that no other thread can see stay nodes (a test executes them).  ``folded`` is
    filled with whose time is on which edge, ``parts`` with what `with_costs` has to know.
    """
    folded = {} if folded is None else folded
    parts = [] if parts is None else parts
    table = program.table.copy()
    nodes = len(table)
    kind = costs.kind[table[:, c.C_COST]]
    ns = costs.ns[table[:, c.C_COST]]
    op = table[:, c.C_OP]
    plain = (kind == m.PLAIN) | (kind == m.USER)
    lock = ((op >= c.DOWN_READ) & (op <= c.UNLOCK)) | ((op >= c.RANGE_LOCK) & (op <= c.RANGE_DOWNGRADE))
    unseen = table[:, c.C_FLAGS] == 0
    # A folio's lock may be unseen, too, but next_uptodate_folio and filemap_add_folio take it as well.
    of_tables = np.array([on_table(one) for one in program.ops], dtype=np.bool_)
    own_lock = unseen & of_tables & np.isin(op, _LOCKS)
    taken = own_lock & (op == c.TRYLOCK)
    table[taken, c.C_SUCC] = table[taken, c.C_SUCC + 1]
    unfolded = table.copy()
    passes = np.isin(op, _FOLDED) | (own_lock & (not keep_locks))
    foldable = unseen & (plain | (kind == m.JITTERED)) & passes
    flags = (
        table[:, c.C_FLAGS]
        | np.where(plain, 0, TIMED)
        | np.where(np.isin(op, _METERED), METER, 0)
        | np.where(lock & ~unseen, LOCK, 0)
        | np.where(op == c.CHOOSE, OPEN, 0)
        | np.where(op == c.TOUCH, PREEMPT, 0)
        | np.where(kind == m.SLEEP, SLEEP, 0)
        | np.where(own_lock | (unseen & (op == c.NOP)), PASSES, 0)
    )
    shape = (nodes, c.MAX_OUTCOMES)
    none = np.full(shape, -1, dtype=np.int64)
    edges = Edges(
        table, flags, kind, ns, np.zeros(nodes), np.zeros(shape), none + 1, np.zeros(shape), np.zeros(shape),
        none,
    )  # fmt: skip
    for node in range(nodes):
        if op[node] in (c.COUNT, c.MARK):  # where it is executed after all, its own edge does it
            _absorb(edges, (node, 0), table[node], m.PLAIN, 0.0)
        for outcome in range(c.MAX_OUTCOMES):
            target = int(table[node, c.C_SUCC + outcome])
            passed: set[int] = set()
            while target >= 0 and foldable[target] and target not in passed:
                part = _absorb(edges, (node, outcome), unfolded[target], kind[target], ns[target])
                if part is None:
                    break
                folded.setdefault((node, outcome), []).append((target, part, float(ns[target])))
                parts.append((node, outcome, part, target))
                passed.add(target)
                target = int(unfolded[target, c.C_SUCC])
            table[node, c.C_SUCC + outcome] = target
    more = (edges.mark > 0) | (edges.jittered > 0.0) | (edges.event >= 0)
    flags[more.any(axis=1)] |= EDGE
    edges.work[flags == 0] += ns[flags == 0, None]
    for bare in np.flatnonzero(flags == 0):
        for outcome in range(c.MAX_OUTCOMES):
            folded.setdefault((int(bare), outcome), []).insert(0, (int(bare), BEFORE, float(ns[bare])))
    edges.ahead[:] = _ahead(flags, bool(np.any(kind == m.IPI)))
    return edges


def with_costs(edges: Edges, program: Program, costs: m.Costs, parts: Parts) -> Edges | None:
    """`fold` of the same program with other times, summed in the same order; ``parts`` are of that `fold`.

    None if what is folded may be another: a cost is of another kind, or takes no time where it did.
    """
    cost = program.table[:, c.C_COST]
    kind, ns = costs.kind[cost], costs.ns[cost]
    if (kind != edges.kind).any() or ((ns > 0.0) != (edges.ns > 0.0)).any():
        return None
    node, outcome, part, target = np.array(parts, dtype=np.int64).reshape(-1, 4).T
    sums = [np.zeros_like(edges.work) for _ in (BEFORE, AFTER, JITTERED)]
    for where, total in enumerate(sums):
        here = part == where
        np.add.at(total, (node[here], outcome[here]), ns[target[here]])
    work, after, jittered = sums
    work[edges.flags == 0] += ns[edges.flags == 0, None]
    return edges._replace(ns=ns, work=work, after=after, jittered=jittered)


def _ahead(flags: npt.NDArray[np.int64], interrupts: bool) -> m.Floats:
    """How far a thread may be ahead of the others at each node; asked at nodes with flags only.

    What nobody sees and no meter counts may happen at any time, unless a TLB flush may take time from
    the thread meanwhile.
    """
    uncounted = flags & ~(PASSES | TIMED) == 0
    unbound = uncounted & (not interrupts)
    return np.where(flags & c.FLAG_SHARED, 0.0, np.where(unbound, INFINITE, RUN_AHEAD_NS))


def _absorb(edges: Edges, edge: tuple[int, int], row: Words, kind: int, ns: float) -> int | None:
    """Move a node's effect to an edge that leads to it; returns where its time is.

    None: the edge's order has no place for it.
    """
    if row[c.C_OP] == c.MARK:
        if edges.mark[edge] or edges.jittered[edge]:
            return None
        edges.mark[edge] = row[c.C_IMM]
    if row[c.C_OP] == c.COUNT:
        if edges.event[edge] >= 0:
            return None
        edges.event[edge] = row[c.C_IMM]
    if kind == m.JITTERED:
        edges.jittered[edge] += ns
        return JITTERED
    if edges.mark[edge]:
        edges.after[edge] += ns
        return AFTER
    edges.work[edge] += ns
    return BEFORE
