"""On every path of every variant: what is taken is given back, and nothing sleeps where it must not.

The automata are explored together with the set of locks and sections that the path holds: the static
counterpart of the random walks.
"""

from __future__ import annotations

from collections import Counter

import pytest

from spfvar.automata.automaton import Automaton
from spfvar.automata.extract import Extractor
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.primitives import (
    at,
    choose,
    down_read,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
)
from spfvar.plugins.registry import load_registry, sample_texts
from tests.stacks import automata

REGISTRY = load_registry()
FAULTS = [name for name, _ in sample_texts()]

Held = frozenset[tuple[str, int]]
TAKES = {c.DOWN_READ: "read", c.DOWN_WRITE: "write", c.LOCK: "lock"}
TRIES = {c.DOWN_READ_TRYLOCK: "read", c.TRYLOCK: "lock"}
GIVES = {c.UP_READ: "read", c.UP_WRITE: "write", c.UNLOCK: "lock"}
SECTIONS = {c.RCU_READ_LOCK: ("rcu", 1), c.RCU_READ_UNLOCK: ("rcu", -1), c.IRQ_DISABLE: ("irq", 1),
            c.IRQ_ENABLE: ("irq", -1)}  # fmt: skip


def after(op: Op, outcome: int, held: Held) -> Held:
    """What is held after an op with this outcome."""
    count = Counter(dict(held))
    place = str(op.place)
    if op.code in TAKES:
        count[f"{TAKES[op.code]} {place}"] += 1
    elif op.code in TRIES and outcome == 1:
        count[f"{TRIES[op.code]} {place}"] += 1
    elif op.code in GIVES:
        count[f"{GIVES[op.code]} {place}"] -= 1
    elif op.code == c.DOWNGRADE_WRITE:
        count[f"write {place}"] -= 1
        count[f"read {place}"] += 1
    elif op.code in (c.NEXT_CANDIDATE, c.FOLIO_CREATE) and outcome == 1:
        count["lock folio->lock"] += 1
    elif op.code in SECTIONS:
        name, change = SECTIONS[op.code]
        count[name] += change
    return frozenset((name, n) for name, n in count.items() if n)


def explore(automaton: Automaton) -> tuple[list[str], int]:
    """Everything that is wrong on some path, and the number of (node, held) pairs."""
    wrong: list[str] = []
    seen: set[tuple[int, Held]] = {(0, frozenset())}
    queue = list(seen)
    for number, held in queue:
        op = automaton.nodes[number].op
        where = f"{op.function}: {op.name} with {sorted(held)}"
        if any(n < 0 or (n > 1 and name not in ("rcu", "irq")) for name, n in held):
            wrong.append(f"unbalanced at {where}")
            continue
        atomic = [name for name, _ in held if name in ("rcu", "irq") or name.endswith("ptl")
                  or name in ("lock mm->page_table_lock", "lock mm->pmd_lock")]  # fmt: skip
        if op.sleeps and atomic:
            wrong.append(f"sleeps at {where}")
        if op.code == c.IPI_WAIT and any(name == "irq" for name, _ in held):
            wrong.append(f"waits for IPIs with interrupts off at {where}")
        if op.code == c.END and held:
            wrong.append(f"ends at {where}")
        for outcome, successor in enumerate(automaton.nodes[number].successors):
            state = (successor, after(op, outcome, held))
            if state not in seen:
                seen.add(state)
                queue.append(state)
    return wrong, len(seen)


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("variant", REGISTRY.variants)
def test_sections_balance_and_nothing_sleeps_in_them(variant: str, name: str) -> None:
    """Over every path of a fault or of all writers in a row; nothing is held where the text ends."""
    automaton = automata(variant)[name]
    wrong, states = explore(automaton)
    assert wrong == []
    # Every node has one set of what is held: the path's history is in the node, as in the kernel's C.
    assert states == len(automaton)


def test_the_exploration_sees_what_is_wrong() -> None:
    """A path that forgets an unlock, one that unlocks twice, and one that sleeps under a spinlock."""
    lock = at(o.mm, o.PMD_LOCK)

    def forgets() -> Steps:
        yield spin_lock(lock)
        if (yield choose("error", False, True)):
            return
        yield spin_unlock(lock)

    def twice() -> Steps:
        yield spin_lock(lock)
        yield spin_unlock(lock)
        yield spin_unlock(lock)

    def sleeps() -> Steps:
        yield rcu_read_lock()
        yield down_read(at(o.mm, o.MMAP_LOCK))
        yield rcu_read_unlock()

    def no_hooks(name: str, args: object) -> Steps:
        raise AssertionError(name)

    for text, says in ((forgets, "ends at"), (twice, "unbalanced at"), (sleeps, "sleeps at")):
        wrong, _ = explore(Extractor(no_hooks).automaton("t", text))
        assert any(line.startswith(says) for line in wrong)
