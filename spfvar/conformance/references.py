"""On every path of a fault: references and objects that it took are given back or handed over.

Handed over: set_pte_at() gives the page to the entry, a store publishes the object, pmd_populate() links the
table.  This is about faults; a writer's references come and go with the VMAs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from spfvar.automata.automaton import Automaton
from spfvar.conformance.paths import BEFORE, TAKER, Ledger, Objection
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field, Place, Register

#: More of one reference than this on a path: a loop takes one each time round.
_MANY = 4
#: Prefix of what the path knows about the page that ``orig_pte`` maps: the outcome of vm_normal_page().
_MAPS = "orig_pte maps: "
#: Counts that objects keep for those who refer to them from memory, not for the path.
_NOT_THE_PATHS = (o.ANON_VMA_REFS, o.POLICY_REFS, o.SWAP_COUNT)

_NOT_ITS_OWN = "take it on this path too, or leave it to who has it"
_EACH_ROUND = "give it back before the loop goes round"
_KEPT = "give it back on this path too: a fault that gives up keeps nothing"


def counted_fields(automata: Iterable[Automaton]) -> frozenset[Field]:
    """Words that are reference counts: what somebody tests while it counts, and the core's plain counts."""
    tested = {
        op.place.field for automaton in automata for op in automaton.ops()
        if op.code in (c.INC_NOT_ZERO, c.DEC_AND_TEST) and op.place is not None
    }  # fmt: skip
    return frozenset(tested | {o.REFCOUNT, o.F_COUNT}) - set(_NOT_THE_PATHS)


class References:
    """The ledger holds references by the register that the path reaches the object through."""

    def __init__(self, counts: frozenset[Field]) -> None:
        self._counts = counts

    def after(self, op: Op, outcome: int, ledger: Ledger) -> Ledger | None:
        """References behind the op; None if vm_normal_page() said otherwise of the same entry before."""
        known = {item for item, _ in ledger if item.startswith(_MAPS)}
        if op.code == c.PAGE_OF:
            answer = f"{_MAPS}{op.outcomes[outcome]}"
            return ledger | {(answer, 1)} if known <= {answer} else None
        held = Counter(dict(ledger))
        if op.code == c.READ_PTE and op.dst == o.orig_pte:
            for item in known:
                del held[item]
        for item, change in self._changes(op, outcome, known):
            held[item] += change
        for item in _published(op):
            del held[item]
        return frozenset((item, n) for item, n in held.items() if n)

    def _changes(self, op: Op, outcome: int, known: set[str]) -> list[tuple[str, int]]:
        if op.place is not None and op.place.field in self._counts:
            if op.code == c.ADD:
                return [_times(str(op.place), op.imm)]
            if op.code == c.INC_NOT_ZERO:
                return [_times(str(op.place), op.imm2)] if outcome == 0 else []
            if op.code == c.DEC_AND_TEST:
                return [_times(str(op.place), -1)]
        if op.code in (c.FOLIO_GET, c.NEXT_CANDIDATE):
            return [(_folio(op.dst), 1)] if outcome == 1 else []
        if op.code == c.FOLIO_CREATE:
            return [(_folio(op.dst), 1)]
        if op.code == c.PAGE_ALLOC:
            return [(_page(op.dst), 1)]
        if op.code in (c.PAGE_GET, c.PAGE_PUT):
            return [_times(str(op.place), 1 if op.code == c.PAGE_GET else -1)]
        if op.code == c.ALLOC:
            return [(_object(op.dst), 1)]
        if op.code == c.SET_PTE and not op.imm & c.PTE_ZERO:
            return [(_page(op.dst) if op.imm & c.PTE_ANON else _folio(op.dst), -1)]
        if op.code == c.PTE_TAKE and not op.imm:  # the entry that was found to be orig_pte gives its page up
            mapped = {f"{_MAPS}anonymous": _page(o.old_page), f"{_MAPS}file": _folio(o.folio)}
            return [(mapped[item], 1) for item in known if item in mapped]
        return []

    def object_to(self, op: Op, ledger: Ledger) -> Objection | None:
        """What is given back too often, taken in every round of a loop, or kept."""
        held = {item: n for item, n in ledger if not item.startswith(_MAPS)}
        for item, n in sorted(held.items()):
            if n < 0:
                return Objection(f"gives {item} back, which it does not have", item, BEFORE, _NOT_ITS_OWN)
            if n > _MANY:
                return Objection(f"takes {item} again and again", item, BEFORE, _EACH_ROUND)
        if op.code == c.END and held:
            return Objection(f"ends with {' and '.join(sorted(held))} kept", min(held), TAKER, _KEPT)
        return None


def _published(op: Op) -> list[str]:
    """A new object that is somebody else's from here on, or nobody's."""
    if op.code == c.PMD_POPULATE:
        return [_object(op.dst)]
    return [_object(op.src)] if op.code in (c.FREE, c.CALL_RCU, c.TREE_STORE, c.STORE_REF) else []


def _times(place: str, amount: int) -> tuple[str, int]:
    """So many references; many at once are a thing of their own (a writer's mark in a count)."""
    one = f"a reference ({place})" if abs(amount) == 1 else f"{abs(amount)} references ({place})"
    return one, 1 if amount > 0 else -1


def _folio(register: Register | None) -> str:
    assert register is not None
    return _times(str(Place(register, o.REFCOUNT)), 1)[0]


def _page(register: Register | None) -> str:
    assert register is not None
    return _times(str(Place(register, o.PAGE_REFS)), 1)[0]


def _object(register: Register | None) -> str:
    assert register is not None
    return f"the new {register.name}"
