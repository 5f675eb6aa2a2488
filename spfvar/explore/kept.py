"""The words of a state, and the parts that are kept of them.

In a run with weak words, histories and shared views are a part of their own, for few of them differ: a part
of memory has its strong words and, in one lane behind them, the number of that other part.
"""

from __future__ import annotations

from spfvar.explore.parts import changed_part, whole_part
from spfvar.transition.jit import inlined


@inlined
def memory_lanes(space, work):
    """Lanes of memory; the threads' follow."""
    return work.lanes.shape[0] - work.order.shape[0] * space.threads.rows.shape[1]


@inlined
def histories_of(space, memory):
    """The part of histories that belongs to a part of memory, which says so, too, but is seldom cached."""
    return space.belongs[memory]


@inlined
def forget_loaded(work):
    """``work.s`` is no longer the state of any parts."""
    for i in range(work.loaded.shape[0]):
        work.loaded[i] = -1


@inlined
def load(weak, space, work):
    """Make ``work.s`` the state of ``work.parts``."""
    threads = work.order.shape[0]
    width = space.threads.rows.shape[1]
    memory = memory_lanes(space, work)
    for i in range(threads):
        if work.loaded[i] != work.parts[i]:
            work.loaded[i] = work.parts[i]
            for j in range(width):
                work.lanes[memory + i * width + j] = space.threads.rows[work.parts[i], j]
    if work.loaded[threads] != work.parts[threads]:
        work.loaded[threads] = work.parts[threads]
        load_memory(weak, space, work, work.parts[threads])


@inlined
def load_memory(weak, space, work, part):
    """Make the words of memory those of a part."""
    if weak is None:
        for j in range(space.memories.rows.shape[1]):
            work.lanes[j] = space.memories.rows[part, j]
    else:
        strong = space.memories.rows.shape[1] - 1
        for j in range(strong):
            work.lanes[j] = space.memories.rows[part, j]
        known = space.memories.rows[part, strong]
        last = work.loaded.shape[0] - 1
        if work.loaded[last] != known:
            work.loaded[last] = known
            for j in range(space.histories.rows.shape[1]):
                work.lanes[strong + j] = space.histories.rows[known, j]


@inlined
def note_loaded(weak, space, work, part):
    """The words of memory are those of a part."""
    threads = work.order.shape[0]
    work.loaded[threads] = part
    if weak is None:
        return
    else:
        work.loaded[threads + 1] = histories_of(space, part)


@inlined
def whole_memory(weak, space, lanes):
    """The number of the part that memory in ``lanes`` is."""
    if weak is None:
        return whole_part(space.memories, lanes, 0)
    else:
        strong = space.memories.rows.shape[1] - 1
        kept = lanes[strong]
        histories = whole_part(space.histories, lanes, strong)
        lanes[strong] = histories
        part = whole_part(space.memories, lanes, 0)
        space.belongs[part] = histories
        lanes[strong] = kept
        return part


@inlined
def changed_memory(weak, space, lanes, row):
    """The same, where it was part ``row`` before something may have changed."""
    if weak is None:
        return changed_part(space.memories, lanes, 0, row)
    else:
        strong = space.memories.rows.shape[1] - 1
        kept = lanes[strong]
        histories = changed_part(space.histories, lanes, strong, space.belongs[row])
        lanes[strong] = histories
        part = changed_part(space.memories, lanes, 0, row)
        space.belongs[part] = histories
        lanes[strong] = kept
        return part


@inlined
def fits(store, threads):
    """Is there place for the parts of one more successor, and of the same with renamed threads?"""
    return store.used[0] + 2 * (threads + 1) <= store.rows.shape[0]


@inlined
def room(weak, space, threads):
    """Is there in all stores of parts?"""
    found = fits(space.threads, threads) and fits(space.memories, threads)
    if weak is None:
        return found
    else:
        return (
            found
            and fits(space.histories, threads)
            and fits(space.sights.threads, threads)
            and fits(space.sights.matters, threads)
            and fits(space.sights.shapes, threads)
            and fits(space.sights.owners, threads)
        )
