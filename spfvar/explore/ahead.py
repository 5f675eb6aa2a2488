"""What lies ahead in a program: sets that are handed back from node to node, as bits of a number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spfvar.ops import codes as c

#: By node: those that its outcomes lead to.
Successors = Sequence[Sequence[int]]


def successors_of(table: npt.NDArray[np.int32]) -> list[list[int]]:
    """The successors of each row of a program table."""
    columns = table[:, c.C_SUCC : c.C_SUCC + c.MAX_OUTCOMES].tolist()
    return [[node for node in row if node >= 0] for row in columns]


def ends_first(successors: Successors) -> list[int]:
    """All nodes, each behind those that it leads to but for the ways round a loop (a postorder)."""
    order: list[int] = []
    seen = [False] * len(successors)
    for first in range(len(successors)):
        if seen[first]:
            continue
        seen[first] = True
        path = [(first, iter(successors[first]))]
        while path:
            node, rest = path[-1]
            for successor in rest:
                if not seen[successor]:
                    seen[successor] = True
                    path.append((successor, iter(successors[successor])))
                    break
            else:
                order.append(node)
                path.pop()
    return order


def gathered(
    own: Sequence[int], successors: Successors, order: Sequence[int], kept: Sequence[int] | None = None
) -> list[int]:
    """By node: the bits of its own, and of those of its successors' the ``kept`` ones (None: all).

    ``order``: that of `ends_first`, in which a program without loops is done in one go.
    """
    found = list(own)
    done = bytearray(len(found))
    again = False  # is there a way back to a node that this one comes before?
    for node in order:
        ahead = 0
        for successor in successors[node]:
            ahead |= found[successor]
            if not done[successor]:
                again = True
        found[node] |= ahead if kept is None else ahead & kept[node]
        done[node] = 1
    while again:
        again = False
        for node in order:
            ahead = 0
            for successor in successors[node]:
                ahead |= found[successor]
            if kept is not None:
                ahead &= kept[node]
            if ahead & ~found[node]:
                found[node] |= ahead
                again = True
    return found
