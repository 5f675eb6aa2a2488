"""What a run measures, and when: counts, histograms, and the window between warm-up and end.

A thread's clock may be ahead of the others' when it ends the warm-up or the window: what counts is told by
its own time, whoever executes it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from spfvar.ops import codes as c
from spfvar.simulate.edges import INFINITE
from spfvar.transition.jit import inlined

BINS: Final = 32  # of a histogram, per power of two, of equal width
HISTOGRAM: Final = 2048
_FRACTION: Final = 47  # bits of a double behind those that number the bins
_ONE: Final = 1023 * BINS  # bin of 1.0 if bins began at 0.0
UNMEASURED: Final = 1 << 62  # faults of a run that ends with its threads

X_FAULTS: Final = 0
X_START: Final = 1  # the window, in ns: what ends at either or between is counted
X_END: Final = 2  # INFINITE until it is known
X_LOCK_WAIT: Final = 3
X_THREAD_TIME: Final = 4
X_WRITERS: Final = 5
X_BACKLOG: Final = 6  # most deferred objects at once
X_STALLED: Final = 7  # waits that a writer's release ended
X_FAULT_TIME: Final = 8
X_WRITER_TIME: Final = 9
X_STEPS: Final = 10
X_MEASURING: Final = 11
X_ALIVE: Final = 12
X_WORST_STALL: Final = 13
X_OPEN: Final = 14  # groups that have not gone round often enough yet
X_SEEN: Final = 15  # faults when idleness was looked for last
X_PATIENCE: Final = 16  # when it is next, in primitives
X_LAST: Final = 17  # when the last thread ended, so far
METERS: Final = 18
#: So many primitives of each thread without a fault are no run any more.  While one forks a large address
#: space, the others make up to a million each.
IDLE_STEPS: Final = 10_000_000


class Meters(NamedTuple):
    """What a run counts: X_* scalars, events, latency histograms, and by group the rounds still to go."""

    x: Any
    events: Any
    fault_histogram: Any
    writer_histogram: Any
    left: Any


class Window(NamedTuple):
    """What a run is measured over, as (2, ...) arrays: the warm-up, then the window.

    Either is over after so many ``faults`` and, by group, so many ``rounds`` of all its threads together; a
    group with none is not waited for.  Where it is ``by_rounds``, it is over at the end of one: of the group
    that was the last to have them, and goes on by whole rounds of its ``threads`` until there are the faults.
    """

    faults: Any
    rounds: Any
    by_rounds: Any  # has any group some?
    threads: Any  # by group
    group: Any  # by thread


@inlined
def bin_of(ns):
    """Histogram bin of a latency: the exponent of the number and the first bits of its fraction."""
    if ns < 1.0:
        return 0
    return min((np.float64(ns).view(np.int64) >> _FRACTION) - _ONE, HISTOGRAM - 1)


@inlined
def backlog(s, g, meters):
    """The most objects that ever waited for a grace period."""
    x = meters.x
    now = s[g[c.G_RCU] + 3] + s[g[c.G_RCU] + 4]
    if x[X_MEASURING] > 0.0:
        x[X_BACKLOG] = max(x[X_BACKLOG], now)


@inlined
def in_window(x, t):
    """Is what happens at ``t`` counted?  A thread may be ahead of the window's ends, or behind them."""
    return x[X_START] <= t <= x[X_END]


@inlined
def within(x, begin, end):
    """How much of a wait lies in the window."""
    return max(0.0, min(end, x[X_END]) - max(begin, x[X_START]))


@inlined
def record_mark(threads, meters, kind, tid, t):
    """A fault or a writer's call begins or ends."""
    x = meters.x
    if kind == c.MARK_FAULT_BEGIN or kind == c.MARK_WRITER_BEGIN:
        threads.began[tid] = t
        return
    if not in_window(x, t):
        return
    took = t - threads.began[tid]
    if kind == c.MARK_FAULT_END:
        x[X_FAULTS] += 1.0
        if x[X_MEASURING] > 0.0:
            x[X_FAULT_TIME] += took
            meters.fault_histogram[bin_of(took)] += 1
    elif kind == c.MARK_WRITER_END and x[X_MEASURING] > 0.0:
        x[X_WRITERS] += 1.0
        x[X_WRITER_TIME] += took
        meters.writer_histogram[bin_of(took)] += 1


@inlined
def wait_for_rounds(meters, rounds):
    """Begin to count the groups' rounds."""
    meters.x[X_OPEN] = 0.0
    for group in range(rounds.shape[0]):
        meters.left[group] = rounds[group]
        if rounds[group] > 0:
            meters.x[X_OPEN] += 1.0


@inlined
def begin_measuring(meters, window, t):
    """End of the warm-up: forget what was counted."""
    x = meters.x
    meters.events[:] = 0
    x[X_FAULTS] = 0.0
    x[X_START] = t
    x[X_MEASURING] = 1.0
    wait_for_rounds(meters, window.rounds[1])


@inlined
def ends_round(meters, window, tid):
    """A thread ends a round; returns its group if all groups have gone round often enough with it, or -1."""
    group = window.group[tid]
    meters.left[group] -= 1
    if meters.left[group] != 0:
        return -1
    meters.x[X_OPEN] -= 1.0
    return group if meters.x[X_OPEN] == 0.0 else -1


@inlined
def pass_mark(threads, meters, window, kind, tid, t):
    """A mark lies on the way; returns True when it ends the window.

    Others may be far behind this thread then, which comes from a pause perhaps: what they do until they are
    at ``t``, too, is before the window's begin, or still in it.
    """
    record_mark(threads, meters, kind, tid, t)
    x = meters.x
    if x[X_END] < INFINITE:
        return False
    measuring = x[X_MEASURING] > 0.0
    slowest = -1
    if kind == c.MARK_ITERATION:
        slowest = ends_round(meters, window, tid)
        if slowest < 0:
            return False
    elif kind != c.MARK_FAULT_END or window.by_rounds[1 if measuring else 0]:
        return False
    if x[X_FAULTS] >= window.faults[1 if measuring else 0]:
        if measuring:
            x[X_END] = t
            return True
        begin_measuring(meters, window, t)
    elif slowest >= 0:  # too few faults: one more round of each thread
        meters.left[slowest] = window.threads[slowest]
        x[X_OPEN] = 1.0
    return False


@inlined
def is_idle(x, steps, threads):
    """Has no fault come in `IDLE_STEPS` primitives of each of so many threads?"""
    if steps <= x[X_PATIENCE]:
        return False
    idle = x[X_FAULTS] == x[X_SEEN]
    x[X_SEEN] = x[X_FAULTS]
    x[X_PATIENCE] = steps + IDLE_STEPS * threads
    return idle
