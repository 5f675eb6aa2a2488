"""Breadth-first search over the states of a race: compiled, exact, resumable.

States are keys (spfvar.explore.parts), kept in the order in which they were found, which is also the queue.
Every stored state is expanded in full: each thread that can move does, in each way it can.  What the
reductions leave out lies between stored states (`advance`), or has other names (spfvar.explore.symmetry).  A
slice of the search returns when its budget is spent or a store is full; the caller enlarges the stores and
goes on.

A primitive that looks at no other thread has the same effect wherever its thread's part meets the same memory
part.  Such effects are remembered, so the transition function itself runs seldom.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from spfvar.explore.kept import (
    changed_memory,
    forget_loaded,
    histories_of,
    load,
    memory_lanes,
    note_loaded,
    room,
    whole_memory,
)
from spfvar.explore.livelock import add_edge
from spfvar.explore.parts import add_key, changed_part, mix, slot_of_key, whole_part
from spfvar.explore.sights import has_forms, looks_alike, note_sights, settle
from spfvar.explore.symmetry import rename, sort_threads
from spfvar.ops import codes as c
from spfvar.transition.jit import compiled, inlined
from spfvar.transition.quiescent import wrong_at_rest
from spfvar.transition.sole import one_way
from spfvar.transition.weakly import gives_up, is_last, most_ways, settled_alone, step_of, ways_of

# --- counters ----------------------------------------------------------------------------------------
N_HEAD: Final = 0  # the next state to expand
N_TRANSITIONS: Final = 1
N_LEVEL_END: Final = 2  # one past the last state of the level that is being expanded
N_DEPTH: Final = 3  # its distance from the start
N_ENDS: Final = 4  # states in which every thread has ended
N_BATCH: Final = 5  # successors that are not yet looked up
N_TRAIL: Final = 6  # primitives of the last way
N_STEPS: Final = 7  # calls of the transition function
COUNTERS: Final = 8

# --- why a slice ended -------------------------------------------------------------------------------
COMPLETE: Final = 0
FULL: Final = 1
BUDGET: Final = 2
FOUND: Final = 3
TOO_SMALL: Final = 4  # a history is full, and the search is to begin again with larger ones

#: A way into a state: thread * WAYS + choice; AT_REST stands for "nobody moves".
WAYS: Final = 16
AT_REST: Final = -1
#: Primitives that threads may run in a row between two stored states.
MERGED: Final = 10_000
#: Successors that are looked up together: the memory they wait for is then fetched at once.
BATCH: Final = 512
VIOLATIONS: Final = len(c.VIOLATIONS)

# --- what an op of a node may look at besides its own thread's words and memory's ----------------------
ALONE: Final = 0  # nothing
QUEUEING: Final = 1  # another thread if the op changes it
ANY: Final = 2  # anything

# --- masks of resources by node: columns of Rules.masks ------------------------------------------------
M_READ: Final = 0
M_WRITE: Final = 1
M_ADD: Final = 2
M_LATER: Final = 3  # from here on, what the thread may still do: read, write, add

# --- an effect: the parts of memory and of the thread behind a primitive, two flags, and its outcome --------
#: Bits for the number of a part.
_THREAD_BITS: Final = 24
MAX_PARTS: Final = 1 << _THREAD_BITS
#: Not an outcome: a store is full.
NO_ROOM: Final = -3
_OUTCOME_BITS: Final = 4  # of the outcome, which is NO_ROOM at least
LAST: Final = 1 << _OUTCOME_BITS  # with weak words: there is no other way behind this one
SETTLED: Final = LAST << 1  # what was a canonical form is still one
_PART: Final = _OUTCOME_BITS + 2


class Space(NamedTuple):
    """What a search knows."""

    threads: Any  # Store of thread parts
    memories: Any  # Store of memory parts
    histories: Any  # Store of what only runs with weak words have there; None: this one has none
    belongs: Any  # by memory part, int32: the part of histories that it ends with; None with them
    keys: Any  # Keys of the states
    parent: Any  # (capacity,) int32
    way: Any  # (capacity,) int16
    memo: Any  # (power of 2, 2) int64: what, and its effect; 0 is free
    sights: Any  # sights.Sights of a run with weak words, else None
    edges: Any  # livelock.Edges; without room they are not recorded


class Found(NamedTuple):
    """The first state, and the way out of it, that violated each property; -1: none."""

    state: Any  # (violations,) int64
    way: Any  # (violations,) int64
    node: Any  # (violations,) int64: the node that was about to be executed


class Rules(NamedTuple):
    """What a search follows."""

    table: Any
    g: Any
    locks: Any  # words that are 0 in free locks
    sequences: Any  # (n, 2): words that are even at rest, and their objects' lives
    idle: Any  # by node: may a thread rest here for ever?
    kind: Any  # by node: ALONE, QUEUEING or ANY
    private: Any  # by node: may the thread run on through it, whatever the others do?
    runs: Any  # by node: could it ever be run on through (it does not wait, and is no open choice)?
    masks: Any  # (nodes, 6) int64, columns M_*
    dying: Any  # by node and the next: bounds in ``forgotten``
    forgotten: Any  # thread words that a thread forgets on entry to a node
    groups: Any  # (groups, 2): first and number of interchangeable threads
    owners: Any  # words that hold the number of a thread + 1
    fields: Any  # (threads + 1, 3) int64, by part, memory's last: its word of the key, first bit, mask
    merge: Any  # run private primitives in one go
    forget: Any  # forget dead registers
    partial: Any  # run primitives in one go that nothing still to come can conflict with
    first: Any  # stop at the first violation
    weak: Any  # weak.Weak of a run with weak words; None: a kernel is compiled that has never heard of them


class Work(NamedTuple):
    """Scratch of a search."""

    s: Any  # a state
    lanes: Any  # the same in 64-bit words
    loaded: Any  # (threads + 2,) int64: parts that ``s`` consists of, memory's, histories'; -1: unknown
    t: Any  # a renamed state
    t_lanes: Any
    out: Any  # of step()
    head: Any  # (threads + 1,) int64: parts of the state that is expanded
    parts: Any  # (threads + 1,) int64: of a successor
    seen: Any  # (threads + 2,) int64: its threads' sights, who has which lock, its histories
    order: Any  # (threads,) int64: of the successor's threads, see `sort_threads`
    name: Any  # (threads,) int64
    batch: Any  # (BATCH, words) int64: keys of successors
    slot: Any  # (BATCH,) int64: where they are looked up
    parent: Any  # (BATCH + 1,) int64
    way: Any  # (BATCH,) int64
    trail: Any  # (MERGED,) int64: the primitives of the last way
    covered: Any  # by node and outcome: was it ever executed?
    counters: Any  # N_*


@inlined
def node_of(space, part):
    """The node that the thread with this part is about to execute (T_PC is the first of its words)."""
    return space.threads.rows[part, 0] & 0x7FFF


@inlined
def has_one_way(weak, space, work, rules, tid, node):
    """May the thread do one thing only at the node that comes next, whatever interrupts tell it before?"""
    if weak is None:
        return True
    else:
        here = histories_of(space, work.parts[work.order.shape[0]])
        rows, histories = space.threads.rows, space.histories.rows
        return one_way(weak, rules.table, rules.g, rows, histories, work.parts, here, tid, node)


@inlined
def independent(space, work, rules, tid):
    """Is the next primitive of a thread one that nothing the others may still do conflicts with?"""
    m = rules.masks
    node = node_of(space, work.parts[tid])
    if not rules.runs[node]:
        return False
    reads = 0
    writes = 0
    adds = 0
    for other in range(rules.g[c.G_THREADS]):
        if other != tid:
            at = node_of(space, work.parts[other])
            reads |= m[at, M_LATER]
            writes |= m[at, M_LATER + 1]
            adds |= m[at, M_LATER + 2]
    return (
        m[node, M_WRITE] & (reads | writes | adds) == 0
        and m[node, M_READ] & (writes | adds) == 0
        and m[node, M_ADD] & (reads | writes) == 0
        and has_one_way(rules.weak, space, work, rules, tid, node)
    )


@inlined
def next_runner(space, work, rules, tid):
    """The thread that goes on at once after a primitive of ``tid``, or -1: then the state is stored."""
    node = node_of(space, work.parts[tid])
    if rules.merge and rules.private[node] and has_one_way(rules.weak, space, work, rules, tid, node):
        return tid
    if rules.partial:
        threads = work.order.shape[0]
        for i in range(threads):
            thread = tid + i - threads if tid + i >= threads else tid + i
            if independent(space, work, rules, thread):
                return thread
    return -1


@inlined
def forget(s, rules, tid, out):
    """Clear what a thread that has just moved, and those that it woke, will never look at again."""
    g = rules.g
    tb = g[c.G_T_BASE] + tid * g[c.G_T_STRIDE]
    node = s[tb]
    for i in range(rules.dying[node], rules.dying[node + 1]):
        s[tb + rules.forgotten[i]] = -1
    if s[tb + c.T_RCU_NEST] == 0:
        s[tb + c.T_RCU_PHASE] = 0
    for i in range(out[c.OUT_WOKEN]):
        woken = g[c.G_T_BASE] + out[c.OUT_WOKEN0 + i] * g[c.G_T_STRIDE]
        s[woken + c.T_WNEXT] = 0
        s[woken + c.T_WKIND] = 0


@inlined
def effect_of(work, tid, outcome, flags):
    """What a primitive did that has led to ``work.parts``."""
    parts = work.parts[work.order.shape[0]] << _THREAD_BITS | work.parts[tid]
    return parts << _PART | flags | outcome - NO_ROOM


@inlined
def outcome_of(effect):
    """The outcome of the primitive, or NO_ROOM."""
    return (effect & LAST - 1) + NO_ROOM


@inlined
def execute(space, work, rules, tid, choice):
    """The next primitive of a thread, on ``work.parts``: by the transition function.

    Returns its effect, and whether that depends on no other thread.
    """
    threads = work.order.shape[0]
    memory = memory_lanes(space, work)
    width = space.threads.rows.shape[1]
    weak = rules.weak
    load(weak, space, work)
    node = node_of(space, work.parts[tid])
    work.out[c.OUT_WOKEN] = 0
    work.counters[N_STEPS] += 1
    flags = LAST if is_last(weak, work.s, rules.table, rules.g, tid, choice) else 0
    knew = has_forms(weak, space, work)
    if knew:
        note_sights(weak, space, work, rules.g)
    outcome = step_of(weak, work.s, rules.table, rules.g, tid, choice, work.out)
    if outcome == c.VIOLATED:
        forget_loaded(work)
        return effect_of(work, tid, outcome, 0), False
    if outcome >= 0:
        work.covered[node * c.MAX_OUTCOMES + outcome] = 1
        if rules.forget:
            forget(work.s, rules, tid, work.out)
        settled_alone(weak, work.s, rules.g, tid)
    alone = rules.kind[node] != ANY
    for i in range(threads):
        if i == tid or rules.kind[node] != ALONE:
            part = changed_part(space.threads, work.lanes, memory + i * width, work.parts[i])
            if i != tid and part != work.parts[i]:
                alone = False
            work.parts[i] = part
            work.loaded[i] = part
    part = changed_memory(weak, space, work.lanes, work.parts[threads])
    work.parts[threads] = part
    note_loaded(weak, space, work, part)
    if not has_forms(weak, space, work) or (knew and looks_alike(weak, space, work, rules.g)):
        flags |= SETTLED
    return effect_of(work, tid, outcome, flags), alone


@inlined
def memo_key(part, memory, what):
    """What a remembered effect is found by."""
    return ((memory << _THREAD_BITS | part) << 8 | what) + 1


@inlined
def memo_place(memo, key):
    """Where it is remembered."""
    return (mix(key, 0) >> 20) & (memo.shape[0] - 1)


@inlined
def fetch(weak, space, work):
    """With weak words, more is remembered than caches hold: ask for every thread's next effect at once."""
    if weak is None:
        return
    threads = work.order.shape[0]
    touched = 0
    for tid in range(threads):
        key = memo_key(work.head[tid], work.head[threads], tid * WAYS)
        touched ^= space.memo[memo_place(space.memo, key), 0]
    work.parent[BATCH] = touched


@inlined
def primitive(space, work, rules, tid, choice):
    """The next primitive of a thread, on ``work.parts``; returns its effect.  Its outcome may be NO_ROOM."""
    threads = work.order.shape[0]
    memo = space.memo
    key = memo_key(work.parts[tid], work.parts[threads], tid * WAYS + choice)
    place = memo_place(memo, key)
    if memo[place, 0] == key:
        effect = memo[place, 1]
        work.parts[tid] = effect >> _PART & MAX_PARTS - 1
        work.parts[threads] = effect >> (_PART + _THREAD_BITS)
        return effect
    if not room(rules.weak, space, threads):
        return effect_of(work, tid, NO_ROOM, 0)
    effect, alone = execute(space, work, rules, tid, choice)
    if alone:
        memo[place, 0] = key
        memo[place, 1] = effect
    return effect


@inlined
def advance(space, work, rules, tid, choice):
    """Let a thread move: one primitive, and those behind it that the reductions let run at once.

    Returns the outcome of the last primitive, or NO_ROOM, with LAST if the first has it, and SETTLED if all
    have.  Only the first can be BLOCKED or VIOLATED.
    """
    flags = LAST | SETTLED
    outcome = 0
    number = 0
    while number < MERGED:
        work.trail[number] = tid * WAYS + choice
        number += 1
        effect = primitive(space, work, rules, tid, choice)
        outcome = outcome_of(effect)
        if outcome == c.VIOLATED and number > 1:  # store the state before it: the others may violate more
            number -= 1
            outcome = 0
            break
        flags &= effect | (LAST if number > 1 else 0)
        if outcome < 0:
            break
        tid = next_runner(space, work, rules, tid)
        if tid < 0:
            break
        choice = 0
    work.counters[N_TRAIL] = number
    return flags | outcome - NO_ROOM


@inlined
def order_threads(space, work, rules):
    """Put interchangeable threads of ``work.parts`` in order, and rename them; ``work.order`` says how."""
    g = rules.g
    threads = work.order.shape[0]
    if not sort_threads(rules.groups, work.parts, work.order):
        return
    width = space.threads.rows.shape[1]
    memory = memory_lanes(space, work)
    load(rules.weak, space, work)
    rename(work.s, work.t, g, rules.owners, work.order, work.name)
    for i in range(threads):
        work.name[i] = work.parts[work.order[i]]
    for i in range(threads):
        work.parts[i] = changed_part(space.threads, work.t_lanes, memory + i * width, work.name[i])
    work.parts[threads] = changed_memory(rules.weak, space, work.t_lanes, work.parts[threads])


@inlined
def add_to_batch(space, work, rules, parent, way):
    """Note ``work.parts`` as a successor."""
    row = work.counters[N_BATCH]
    for i in range(work.batch.shape[1]):
        work.batch[row, i] = 0
    threads = work.order.shape[0]
    for i in range(threads):
        work.batch[row, rules.fields[i, 0]] |= work.parts[i] << rules.fields[i, 1]
    work.batch[row, rules.fields[threads, 0]] |= work.parts[threads] + 1 << rules.fields[threads, 1]
    work.slot[row] = slot_of_key(work.batch, row, space.keys.buckets.shape[0])
    work.parent[row] = parent
    work.way[row] = way
    work.counters[N_BATCH] = row + 1


@inlined
def edges_full(edges, ways):
    """May the transitions of another batch and state not find room?"""
    room = edges.source.shape[0]
    return room > 0 and edges.used[0] + BATCH + ways > room


@inlined
def enter_batch(space, work):
    """Add those successors to the states that are new."""
    number = work.counters[N_BATCH]
    touched = 0
    for row in range(number):
        touched ^= space.keys.buckets[work.slot[row], 0]  # fetches from memory overlap here
    work.parent[BATCH] = touched
    for row in range(number):
        known = space.keys.used[0]
        state = add_key(space.keys, work.batch, row, work.slot[row])
        if state == known:
            space.parent[state] = work.parent[row]
            space.way[state] = work.way[row]
        if space.edges.source.shape[0] > 0 and work.parent[row] >= 0:
            add_edge(space.edges, work.parent[row], state)
    work.counters[N_BATCH] = 0


@inlined
def unpack(space, work, rules, state):
    """Make ``work.head`` the parts of a stored state."""
    threads = work.order.shape[0]
    for i in range(threads + 1):
        field = space.keys.rows[state, rules.fields[i, 0]] >> rules.fields[i, 1]
        work.head[i] = field & rules.fields[i, 2]
    work.head[threads] -= 1


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
    wrong = wrong_at_rest(s, rules.g, rules.locks, rules.sequences)
    if wrong != c.V_NONE:
        note(found, wrong, head, AT_REST, -1)
        return True
    return False


@compiled
def search(space, found, work, rules, budget, only):
    """Expand states until the space is complete, a store is full, or ``budget`` states are expanded.

    Returns COMPLETE, FULL, BUDGET, FOUND or TOO_SMALL.  With ``only`` >= 0, goes that way from the next state
    alone: the primitives are then in ``work.trail``, the successor in ``work.parts`` and its threads in
    ``work.order``.
    """
    p = rules.table
    g = rules.g
    counters = work.counters
    threads = work.order.shape[0]  # a 64-bit integer, unlike g[G_THREADS]: one version of each callee
    ways = threads * most_ways(rules.weak)
    while True:
        if counters[N_BATCH] + ways > BATCH or counters[N_HEAD] >= counters[N_LEVEL_END] or budget <= 0:
            enter_batch(space, work)
        head = counters[N_HEAD]
        if head >= space.keys.used[0]:
            return COMPLETE
        if budget <= 0:
            return BUDGET
        budget -= 1
        if space.keys.used[0] + BATCH + ways > space.keys.rows.shape[0] or edges_full(space.edges, ways):
            enter_batch(space, work)
            return FULL
        if head >= counters[N_LEVEL_END]:
            counters[N_DEPTH] += 1
            counters[N_LEVEL_END] = space.keys.used[0]
        unpack(space, work, rules, head)
        fetch(rules.weak, space, work)
        transitions = 0
        violated = False
        for tid in range(threads):
            node = node_of(space, work.head[tid])
            choices = ways_of(rules.weak, p, node)
            for choice in range(choices):
                way = tid * WAYS + choice
                if only >= 0 and way != only:
                    continue
                for i in range(threads + 1):
                    work.parts[i] = work.head[i]
                run = advance(space, work, rules, tid, choice)
                outcome = outcome_of(run)
                if outcome == NO_ROOM:
                    enter_batch(space, work)
                    return FULL
                if outcome == c.VIOLATED:
                    code = work.s[g[c.G_VIOLATION]]
                    note(found, code, head, way, work.s[g[c.G_VIOLATION] + 2])
                    transitions += 1
                    violated = True
                    continue
                moved = outcome >= 0
                for i in range(threads + 1):
                    moved = moved or work.parts[i] != work.head[i]
                if moved:
                    transitions += 1
                    if not room(rules.weak, space, threads):
                        enter_batch(space, work)
                        return FULL
                    if not run & SETTLED:
                        settle(rules.weak, space, work, g)
                    order_threads(space, work, rules)
                    if only < 0:
                        add_to_batch(space, work, rules, head, way)
                if rules.weak is not None and run & LAST:
                    break
        if only >= 0:
            return BUDGET
        if transitions == 0:
            for i in range(threads + 1):
                work.parts[i] = work.head[i]
            load(rules.weak, space, work)
            violated = look_at_rest(work.s, rules, counters, found, head)
        counters[N_TRANSITIONS] += transitions
        counters[N_HEAD] = head + 1
        if gives_up(rules.weak):
            return TOO_SMALL
        if violated and rules.first:
            enter_batch(space, work)
            return FOUND


@compiled
def prepare(space, work, rules):
    """Make ``work.s`` the start state."""
    threads = work.order.shape[0]
    width = space.threads.rows.shape[1]
    memory = memory_lanes(space, work)
    for i in range(threads):
        work.parts[i] = whole_part(space.threads, work.lanes, memory + i * width)
        work.loaded[i] = work.parts[i]
    work.parts[threads] = whole_memory(rules.weak, space, work.lanes)
    note_loaded(rules.weak, space, work, work.parts[threads])
    add_to_batch(space, work, rules, -1, AT_REST)
    enter_batch(space, work)
    work.counters[N_LEVEL_END] = 1
