"""Small random worlds of primitives, and oracles that know nothing of the search.

Run as a program with NUMBA_DISABLE_JIT=1: the transition function and the search are then plain Python.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from spfvar.automata.automaton import Automaton, Node
from spfvar.automata.layout import Layout, Sizes
from spfvar.automata.link import link
from spfvar.explore.onestep import take, wrong
from spfvar.explore.search import AT_REST, WAYS
from spfvar.explore.world import KTHREAD, LANE, RaceWorld, lock_words, packed, sequence_words
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops import primitives as p
from spfvar.ops.op import Op
from spfvar.ops.places import Field

X = p.at(o.mm, Field(o.MM, "x"))
Y = p.at(o.mm, Field(o.MM, "y"))
POINTER = p.at(o.mm, Field(o.MM, "pointer"))
SEM = p.at(o.mm, o.MMAP_LOCK)
SPIN = p.at(o.mm, o.PAGE_TABLE_LOCK)

#: Single ops, which a text may contain anywhere; those with outcomes branch.
PLAIN: tuple[Callable[[], Op], ...] = (
    lambda: p.work("local"),
    lambda: p.load(X, o.counter),
    lambda: p.load(Y, o.scratch),
    lambda: p.store(X, 1),
    lambda: p.store_register(Y, o.counter),
    lambda: p.add(X, 1),
    lambda: p.set_register(o.counter, 3),
    lambda: p.store_ref(POINTER, o.vma),
    lambda: p.load_ref(POINTER, o.vma),
    lambda: p.set_null(o.vma),
    lambda: p.allocate(o.vma, "allocate", "local"),
    lambda: p.ipi_send("ipi"),
    lambda: p.ipi_wait(),
)
BRANCH: tuple[Callable[[], Op], ...] = (
    lambda: p.choose("choice", False, True),
    lambda: p.equals(X, 1),
    lambda: p.equals_register(Y, o.counter),
    lambda: p.test_register(o.counter, 1, "odd"),
    lambda: p.load_nonzero(Y, o.scratch),
    lambda: p.dec_and_test(X),
)
#: Ops on the object in ``vma``, behind a test that there is one.
ON_OBJECT: tuple[Callable[[], Op], ...] = (
    lambda: p.load(p.at(o.vma, o.VM_START), o.scratch),
    lambda: p.store(p.at(o.vma, o.VM_END), 1),
    lambda: p.free(o.vma, "free"),
    lambda: p.call_rcu(o.vma),
    lambda: p.call_rcu(o.vma),
)
SECTIONS: tuple[tuple[Callable[[], Op], Callable[[], Op]], ...] = (
    (lambda: p.down_read(SEM), lambda: p.up_read(SEM)),
    (lambda: p.down_write(SEM), lambda: p.up_write(SEM)),
    (lambda: p.spin_lock(SPIN), lambda: p.spin_unlock(SPIN)),
    (p.rcu_read_lock, p.rcu_read_unlock),
    (p.local_irq_disable, p.local_irq_enable),
)
TRIES: tuple[tuple[Callable[[], Op], Callable[[], Op]], ...] = (
    (lambda: p.down_read_trylock(SEM), lambda: p.up_read(SEM)),
    (lambda: p.spin_trylock(SPIN), lambda: p.spin_unlock(SPIN)),
)


class Text:
    """A random text, written backwards: each part knows the node that follows it."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.nodes: list[Node] = []

    def automaton(self, name: str, size: int) -> Automaton:
        """A thread's automaton with about so many ops, in breadth-first order from its entry."""
        entry = self.add(p.load_ref(POINTER, o.vma), self.block(size, self.add(p.end_thread(), 0)))
        numbers = {entry: 0}
        queue = deque([entry])
        while queue:
            for successor in self.nodes[queue.popleft()].successors:
                if successor not in numbers:
                    numbers[successor] = len(numbers)
                    queue.append(successor)
        return Automaton(
            name, tuple(Node(self.nodes[n].op, tuple(numbers[s] for s in self.nodes[n].successors)) for n in numbers)
        )  # fmt: skip

    def add(self, op: Op, *successors: int) -> int:
        """A node; the end is its own successor."""
        self.nodes.append(Node(op, tuple(successors)))
        return len(self.nodes) - 1

    def block(self, size: int, then: int) -> int:
        """The entry of a block of about so many ops that goes on at ``then``."""
        while size > 0:
            inner = self.rng.randint(1, max(1, size // 2))
            kind = self.rng.random()
            if kind < 0.25 and size > 2:
                enter, leave = self.rng.choice(SECTIONS)
                then = self.add(enter(), self.block(inner, self.add(leave(), then)))
                size -= inner + 2
            elif kind < 0.35 and size > 2:
                enter, leave = self.rng.choice(TRIES)
                then = self.add(enter(), then, self.block(inner, self.add(leave(), then)))
                size -= inner + 2
            elif kind < 0.5:
                then = self.add(self.rng.choice(BRANCH)(), then, self.block(inner, then))
                size -= inner + 1
            elif kind < 0.75:
                then = self.add(p.is_null(o.vma), self.add(self.rng.choice(ON_OBJECT)(), then), then)
                size -= 1
            elif kind < 0.8:  # a loop that somebody else may end
                number = self.add(p.end_thread(), 0)
                self.nodes[number] = Node(p.equals(X, 1), (number, then))
                then = number
                size -= 1
            else:
                then = self.add(self.rng.choice(PLAIN)(), then)
                size -= 1
        return then


def tiny_world(seed: int) -> RaceWorld:
    """Two or three threads of one or two random texts, and a grace-period kthread if one is needed."""
    rng = random.Random(seed)
    counts = rng.choice([(2,), (3,), (1, 1), (2, 1)])
    automata = {
        f"actor{i}": Text(rng).automaton(f"actor{i}", rng.randint(2, 10 // sum(counts) + 3))
        for i in range(len(counts))
    }
    with_rcu = any(op.code == c.CALL_RCU for automaton in automata.values() for op in automaton.ops())
    if with_rcu:
        ops = (p.rcu_gp_start(), p.rcu_gp_wait(), p.rcu_invoke())
        automata[KTHREAD] = Automaton(KTHREAD, tuple(Node(op, ((i + 1) % 3,)) for i, op in enumerate(ops)))
    groups = tuple(i for i, count in enumerate(counts) for _ in range(count)) + (len(counts),) * with_rcu
    sizes = Sizes(len(groups), 2, 1, 0, 0, 2, pt_shift=1, seq_bits=2, stale=c.SMALL_STALE, align=LANE)
    layout = Layout(sizes, automata.values())
    program = link(automata, layout)
    state = layout.empty_state()
    names = list(automata)
    for thread, group in enumerate(groups):
        state[layout.thread_base(thread) + c.T_PC] = program.entry[names[group]]
    publish(layout, state)
    race: Any = SimpleNamespace()
    threads = tuple(f"{names[group]} {thread}" for thread, group in enumerate(groups))
    locks, sequences = lock_words(layout), sequence_words(layout)
    return RaceWorld(race, layout, program, automata, packed(state), locks, sequences, threads, groups)


def publish(layout: Layout, state: Any) -> None:
    """Let ``pointer`` refer to an object in use, which is VMA 0 and in the tree."""
    life = layout.class_base(o.VMA)
    state[layout.g[c.G_CLASS0 + c.CLASS_VMA * c.CLASS_WORDS + c.K_FREE]] = state[life]
    state[life] = c.LIVE
    state[layout.word(o.VM_END)] = 1
    state[layout.word(POINTER.field)] = state[layout.g[c.G_TREE]] = 1


# --- oracles ---------------------------------------------------------------------------------------


@dataclass
class Naive:
    """What a search by the book finds."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    ends: int = 0
    codes: set[int] = field(default_factory=set)
    rests: set[int] = field(default_factory=set)
    covered: set[int] = field(default_factory=set)
    shortest: int = -1

    def violated(self, code: int, depth: int, rest: bool = False) -> None:
        """Note a violation."""
        (self.rests if rest else self.codes).add(code)
        if self.shortest < 0:
            self.shortest = depth


def moves(world: RaceWorld, state: Any) -> Iterator[tuple[int, Any, int, int]]:
    """Every way out of a state: way, state behind it, outcome, node."""
    table, g = world.program.table, world.layout.g
    out = np.zeros(c.OUT_WOKEN0 + world.threads, dtype=np.int32)
    for thread in range(world.threads):
        node = int(state[world.layout.thread_base(thread)])
        for choice in range(int(table[node, c.C_IMM]) if table[node, c.C_OP] == c.CHOOSE else 1):
            after = state.copy()
            outcome = int(take(None, after, table, g, thread, choice, out))
            yield thread * WAYS + choice, after, outcome, node


def naive_search(world: RaceWorld, limit: int = 1 << 30) -> Naive | None:
    """Breadth first with a Python dictionary; None beyond ``limit`` states."""
    found = Naive()
    table, g = world.program.table, world.layout.g
    depths = {world.start.tobytes(): 0}
    queue = deque([world.start])
    while queue:
        state = queue.popleft()
        depth = found.depth = depths[state.tobytes()]
        moved = False
        for _, after, outcome, node in moves(world, state):
            key = after.tobytes()
            if outcome == c.BLOCKED and key == state.tobytes():
                continue
            moved = True
            found.transitions += 1
            if outcome == c.VIOLATED:
                found.violated(int(after[g[c.G_VIOLATION]]), depth + 1)
                continue
            if outcome >= 0:
                found.covered.add(node * c.MAX_OUTCOMES + outcome)
            if key not in depths:
                depths[key] = depth + 1
                queue.append(after)
        if not moved:
            pcs = [int(state[world.layout.thread_base(t)]) for t in range(world.threads)]
            if any(table[pc, c.C_OP] not in (c.END, c.RCU_GP_START) for pc in pcs):
                found.violated(c.V_DEADLOCK, depth, rest=True)
            else:
                found.ends += 1
                broken = int(wrong(state, g, world.locks, world.sequences))
                if broken:
                    found.violated(broken, depth, rest=True)
        if len(depths) > limit:
            return None
    found.states = len(depths)
    return found


def replayed(world: RaceWorld, ways: list[int], code: int, way: int) -> bool:
    """Do these ways, one primitive each, lead from the start to this violation?"""
    state = world.start.copy()
    g = world.layout.g
    for number, wanted in enumerate(ways):
        after, outcome = next((s, out) for w, s, out, _ in moves(world, state) if w == wanted)
        if outcome == c.VIOLATED:
            return number == len(ways) - 1 and int(after[g[c.G_VIOLATION]]) == code
        state = after
    if way != AT_REST or any(out >= 0 for _, _, out, _ in moves(world, state)):
        return False
    return code == c.V_DEADLOCK or int(wrong(state, g, world.locks, world.sequences)) == code
