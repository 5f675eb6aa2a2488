"""Breadth-first search over the states of a race: compiled, exact, resumable.

A state is a row of 16-bit words.  Rows are kept in the order in which they were found, which is also the
queue; a hash table of row numbers (with 32 bits of the hash beside each) finds a state again, and a match is
always confirmed on the row itself.  A slice of the search returns when its budget is spent or its arrays
are full; the caller grows them and goes on.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from spfvar.explore.livelock import add_edge
from spfvar.ops import codes as c
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.quiescent import wrong_at_rest
from spfvar.transition.step import step

# --- counters ----------------------------------------------------------------------------------------
N_HEAD: Final = 0  # the next state to expand
N_STATES: Final = 1
N_TRANSITIONS: Final = 2
N_LEVEL_END: Final = 3  # one past the last state of the level that is being expanded
N_DEPTH: Final = 4  # its distance from the start
N_ENDS: Final = 5  # states in which every thread has ended
COUNTERS: Final = 6

# --- why a slice ended -------------------------------------------------------------------------------
COMPLETE: Final = 0
FULL: Final = 1
BUDGET: Final = 2
FOUND: Final = 3

#: A way into a state: thread * WAYS + choice; AT_REST stands for "nobody moves".
WAYS: Final = 8
AT_REST: Final = -1
#: Private primitives that one thread may run in a row.
MERGED: Final = 10_000
VIOLATIONS: Final = len(c.VIOLATIONS)
_HIGH: Final = -(1 << 32)
_LOW: Final = (1 << 32) - 1


class Space(NamedTuple):
    """What a search knows, by state number; ``lanes`` is ``rows`` seen as 64-bit words."""

    rows: Any  # (capacity, words) int16
    lanes: Any  # (capacity, words / 4) int64
    hashes: Any  # (capacity,) int64
    parent: Any  # (capacity,) int32
    way: Any  # (capacity,) int16
    buckets: Any  # (power of 2,) int64: high half of the hash, low half row number + 1; 0 is free


class Found(NamedTuple):
    """The first state, and the way out of it, that violated each property; -1: none."""

    state: Any  # (violations,) int64
    way: Any  # (violations,) int64
    node: Any  # (violations,) int64: the node that was about to be executed


class Rules(NamedTuple):
    """What a search follows.  ``idle`` are nodes at which a thread may rest for ever."""

    table: Any
    g: Any
    locks: Any
    idle: Any
    dead: Any  # liveness.Dead
    merge: Any  # run private primitives in one go
    first: Any  # stop at the first violation
    livelock: Any  # record transitions


@inlined
def mix(lane, position):
    """A word's share of the hash."""
    x = (lane + (position + 1) * -7046029254386353131) * -4658895280553007687
    x ^= x >> 32
    return x * -7723592293110705685


@inlined
def full_hash(lanes):
    """The hash of a state: the sum of its words' shares, so that a step only changes a few of them."""
    total = 0
    for i in range(lanes.shape[0]):
        total += mix(lanes[i], i)
    return total


@inlined
def advance(s, rules, tid, choice, out, covered):
    """Let a thread move: one primitive, and the private ones behind it if they are merged.

    Returns the outcome of the last primitive; only that of the first can be BLOCKED.
    """
    p = rules.table
    g = rules.g
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    outcome = 0
    for _ in range(MERGED):
        pc = s[tb]
        out[c.OUT_WOKEN] = 0
        outcome = step(s, p, g, tid, choice, out)
        if outcome < 0:
            return outcome
        covered[pc * c.MAX_OUTCOMES + outcome] = 1
        pc = s[tb]
        for i in range(rules.dead.first[pc], rules.dead.first[pc + 1]):
            s[tb + rules.dead.words[i]] = rules.dead.values[i]
        op = p[pc, c.C_OP]
        if not rules.merge or p[pc, c.C_FLAGS] & c.FLAG_SHARED or op == c.CHOOSE or op == c.END:
            return outcome
    return outcome


@inlined
def insert(space, counters, state, lanes, digest, parent, way):
    """Add a state unless it is known; returns its number."""
    buckets = space.buckets
    mask = buckets.shape[0] - 1
    at = (digest ^ (digest >> 29)) & mask
    high = digest & _HIGH
    while buckets[at] != 0:
        if (buckets[at] & _HIGH) == high:
            row = (buckets[at] & _LOW) - 1
            same = True
            for i in range(lanes.shape[0]):
                if space.lanes[row, i] != lanes[i]:
                    same = False
                    break
            if same:
                return row
        at = (at + 1) & mask
    row = counters[N_STATES]
    buckets[at] = high | (row + 1)
    for i in range(lanes.shape[0]):
        space.lanes[row, i] = lanes[i]
    space.hashes[row] = digest
    space.parent[row] = parent
    space.way[row] = way
    counters[N_STATES] = row + 1
    return row


@compiled
def rehash(space, states):
    """Fill new, empty buckets with the states found so far."""
    mask = space.buckets.shape[0] - 1
    for row in range(states):
        digest = space.hashes[row]
        at = (digest ^ (digest >> 29)) & mask
        while space.buckets[at] != 0:
            at = (at + 1) & mask
        space.buckets[at] = (digest & _HIGH) | (row + 1)


@inlined
def all_idle(s, rules):
    """Has every thread ended, or is it one that may rest?"""
    g = rules.g
    resting = 0
    for tid in range(g[c.G_THREADS]):
        if rules.idle[s[g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]]:
            resting += 1
    return resting == g[c.G_THREADS]


@inlined
def note(found, code, state, way, node):
    """Remember the first violation of each kind."""
    if found.state[code] < 0:
        found.state[code] = state
        found.way[code] = way
        found.node[code] = node


@inlined
def look_at_rest(s, rules, counters, found, head):
    """Nobody can move: the end, or a deadlock.  Returns whether a property is violated."""
    if not all_idle(s, rules):
        note(found, c.V_DEADLOCK, head, AT_REST, -1)
        return True
    counters[N_ENDS] += 1
    wrong = wrong_at_rest(s, rules.g, rules.locks)
    if wrong != c.V_NONE:
        note(found, wrong, head, AT_REST, -1)
        return True
    return False


@compiled
def prepare(space, counters, s, lanes):
    """Make ``s`` the start state."""
    counters[:] = 0
    digest = full_hash(lanes)
    insert(space, counters, s, lanes, digest, -1, AT_REST)
    counters[N_LEVEL_END] = 1


@compiled
def search(space, counters, found, s, lanes, rules, out, covered, edges, budget):
    """Expand states until the space is complete, the arrays are full, or ``budget`` states are expanded.

    ``s`` and ``lanes`` are one scratch row.  Returns COMPLETE, FULL, BUDGET or FOUND.
    """
    p = rules.table
    g = rules.g
    threads = g[c.G_THREADS]
    room = space.rows.shape[0] - threads * c.MAX_OUTCOMES
    width = lanes.shape[0]
    while counters[N_HEAD] < counters[N_STATES]:
        if budget <= 0:
            return BUDGET
        if counters[N_STATES] > room:
            return FULL
        if rules.livelock and edges.used[0] + threads * c.MAX_OUTCOMES > edges.target.shape[0]:
            return FULL
        budget -= 1
        head = counters[N_HEAD]
        if head >= counters[N_LEVEL_END]:
            counters[N_DEPTH] += 1
            counters[N_LEVEL_END] = counters[N_STATES]
        moved = False
        violated = False
        if rules.livelock:
            edges.first[head] = edges.used[0]
        for tid in range(threads):
            pc = space.rows[head, g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]]
            choices = p[pc, c.C_IMM] if p[pc, c.C_OP] == c.CHOOSE else 1
            for choice in range(choices):
                for i in range(width):
                    lanes[i] = space.lanes[head, i]
                outcome = advance(s, rules, tid, choice, out, covered)
                if outcome == c.VIOLATED:
                    code = s[g[c.G_VIOLATION]]
                    note(found, code, head, tid * WAYS + choice, s[g[c.G_VIOLATION] + 2])
                    counters[N_TRANSITIONS] += 1
                    moved = True
                    violated = True
                    continue
                digest = space.hashes[head]
                changed = False
                for i in range(width):
                    if lanes[i] != space.lanes[head, i]:
                        changed = True
                        digest += mix(lanes[i], i) - mix(space.lanes[head, i], i)
                if changed:
                    counters[N_TRANSITIONS] += 1
                    moved = True
                    row = insert(space, counters, s, lanes, digest, head, tid * WAYS + choice)
                    if rules.livelock:
                        add_edge(edges, row)
        if not moved:
            for i in range(width):
                lanes[i] = space.lanes[head, i]
            violated = look_at_rest(s, rules, counters, found, head)
        counters[N_HEAD] = head + 1
        if violated and rules.first:
            return FOUND
    if rules.livelock:
        edges.first[counters[N_STATES]] = edges.used[0]
    return COMPLETE
