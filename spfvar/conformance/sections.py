"""On every path: locks and sections that are taken are given back, and nothing sleeps where it must not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from spfvar.automata.automaton import Automaton
from spfvar.conformance.paths import BEFORE, HERE, TAKER, Ledger, Objection
from spfvar.explore.sections import LOCK, Section
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field
from spfvar.ops.primitives import NULL

RCU = "an RCU section"
IRQ = "an interrupts-off section"

_TAKES = {c.DOWN_READ: " for reading", c.DOWN_WRITE: " for writing", c.LOCK: ""}
_TRIES = {c.DOWN_READ_TRYLOCK: " for reading", c.DOWN_WRITE: " for writing", c.TRYLOCK: ""}
_GIVES = {c.UP_READ: " for reading", c.UP_WRITE: " for writing", c.UNLOCK: ""}
_SECTIONS = {c.RCU_READ_LOCK: (RCU, 1), c.RCU_READ_UNLOCK: (RCU, -1), c.IRQ_DISABLE: (IRQ, 1),
             c.IRQ_ENABLE: (IRQ, -1)}  # fmt: skip
#: Primitives that lock the folio they find.
_FINDS_LOCKED = (c.NEXT_CANDIDATE, c.FOLIO_CREATE)

_NOT_HELD = "take it on this path too, or do not give it back"
_TWICE = "give it back before it is taken again: it does not nest"
_KEPT = "give it back on this path, before the text ends"
_ASLEEP = "sleep and wait before it is taken, or after it is given back; or try, and give up"


def told_by_state(automata: Iterable[Automaton]) -> frozenset[str]:
    """Spinlocks of which only the state tells whether they are held, and so no path.

    Of those the text holds several through one register, which gets the next object, or it asks whether the
    register is NULL.
    """
    return frozenset(
        str(section.place)
        for automaton in automata
        for number, section in _spinlocks(automaton)
        if _asks_for_null(automaton, section) or _gets_another(automaton, number, section)
    )


def _spinlocks(automaton: Automaton) -> Iterator[tuple[int, Section]]:
    """Where spinlocks are taken, and the sections that they begin."""
    for number, node in enumerate(automaton.nodes):
        place = node.op.place
        if node.op.code in (c.LOCK, c.TRYLOCK) and place is not None and _is_spinlock(place.field):
            yield number, Section(LOCK, c.UNLOCK, place)


def _asks_for_null(automaton: Automaton, section: Section) -> bool:
    assert section.place is not None
    tests = (op for op in automaton.ops() if op.code == c.TEST_REG and op.imm == NULL)
    return any(op.src == section.place.register for op in tests)


def _gets_another(automaton: Automaton, number: int, section: Section) -> bool:
    """Does the register get another object between the lock and every unlock?"""
    todo, seen = [automaton.nodes[number].successors[-1]], {number}
    while todo:
        at = todo.pop()
        node = automaton.nodes[at]
        if at in seen or section.ends_at(node.op):
            continue
        if section.lost_at(node.op):
            return True
        seen.add(at)
        todo += node.successors
    return False


class Sections:
    """The ledger holds locks by their place and mode, and the sections, which nest.

    Spinlocks that are ``left_out`` are not followed.
    """

    def __init__(self, left_out: frozenset[str] = frozenset()) -> None:
        self._left_out = left_out
        self._spinlocks: set[str] = set()

    def after(self, op: Op, outcome: int, ledger: Ledger) -> Ledger | None:
        """Locks and sections behind the op."""
        held = Counter(dict(ledger))
        for item, change in self._changes(op, outcome):
            held[item] += change
        return frozenset((item, n) for item, n in held.items() if n)

    def _changes(self, op: Op, outcome: int) -> list[tuple[str, int]]:
        if op.code in _SECTIONS:
            return [_SECTIONS[op.code]]
        if str(op.place) in self._left_out:
            return []
        tried = len(op.outcomes) > 1
        if op.code in _TAKES and not tried:
            return [(self._lock(op, _TAKES[op.code]), 1)]
        if op.code in _TRIES and tried:
            return [(self._lock(op, _TRIES[op.code]), 1)] if outcome == 1 else []
        if op.code in _GIVES:
            return [(self._lock(op, _GIVES[op.code]), -1)]
        if op.code in (c.DOWNGRADE_WRITE, c.RANGE_DOWNGRADE):
            return [(f"{op.place} for writing", -1), (f"{op.place} for reading", 1)]
        if op.code == c.RANGE_LOCK or (op.code == c.RANGE_TRYLOCK and outcome == 1):
            return [(f"{op.place} for {('reading', 'writing')[op.imm]}", 1)]
        if op.code == c.RANGE_UNLOCK:
            return [(f"{op.place} for {('reading', 'writing')[op.imm]}", -1)]
        if op.code in _FINDS_LOCKED and outcome == 1 and op.dst is not None:
            return [(f"{op.dst.name}->{o.FOLIO_LOCK.name}", 1)]
        return []

    def _lock(self, op: Op, mode: str) -> str:
        assert op.place is not None
        name = f"{op.place}{mode}"
        if op.code in (c.LOCK, c.TRYLOCK) and _is_spinlock(op.place.field):
            self._spinlocks.add(name)
        return name

    def object_to(self, op: Op, ledger: Ledger) -> Objection | None:
        """What is held twice, or not, or must not be."""
        held = dict(ledger)
        for item, n in sorted(held.items()):
            if n < 0:
                return Objection(f"leaves {item}, which it does not hold", item, BEFORE, _NOT_HELD)
            if n > 1 and item not in (RCU, IRQ):
                return Objection(f"takes {item} a second time", item, BEFORE, _TWICE)
        if op.code == c.END and held:
            return Objection(f"ends with {' and '.join(sorted(held))} held", min(held), TAKER, _KEPT)
        if op.sleeps:
            for item in sorted(held):
                if item in (RCU, IRQ):
                    return Objection(f"may sleep in {op.name}, in {item}", item, HERE, _ASLEEP)
                if item in self._spinlocks:
                    return Objection(f"may sleep in {op.name}, with {item} held", item, HERE, _ASLEEP)
        if op.code == c.IPI_WAIT and IRQ in held:
            return Objection(f"waits for other CPUs in {IRQ}", IRQ, HERE, _ASLEEP)
        return None


def _is_spinlock(field: Field) -> bool:
    """A folio's lock bit is taken with a spinlock's opcodes, but its holder may sleep."""
    return field.cls != o.FOLIO
