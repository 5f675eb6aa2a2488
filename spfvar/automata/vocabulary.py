"""What a primitive of a text has to be: of the model's opcodes, on operands of the right kinds and classes.

The constructors in `spfvar.ops` make nothing else from the right arguments; dataclasses do not look at their
types, and a wrong operand would be noticed by nobody, or much later.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import (
    RANGE_WORDS,
    RWSEM_WORDS,
    SPIN_WORDS,
    Field,
    Line,
    ObjectClass,
    Place,
    Register,
)

#: Words of the field that an opcode acts on, where that is a lock.
_LOCKS: Final = {
    **dict.fromkeys(range(c.DOWN_READ, c.DOWNGRADE_WRITE + 1), ("rwsem", RWSEM_WORDS)),
    **dict.fromkeys(range(c.LOCK, c.UNLOCK + 1), ("spinlock", SPIN_WORDS)),
    **dict.fromkeys(range(c.RANGE_LOCK, c.RANGE_DOWNGRADE + 1), ("range lock", RANGE_WORDS)),
}
#: What a register has to refer to: an object of a class, of any class, or none (a number).
_ANY, _NUMBER = "an object", "a number"
_REGISTERS: Final[dict[int, dict[str, ObjectClass | str]]] = {
    c.FIND_VMA: {"dst": o.VMA, "src": _NUMBER},
    c.RMAP_NEXT: {"dst": o.VMA, "src": o.FOLIO},
    c.TREE_STORE: {"src": o.VMA},
    c.LOAD_REF: {"dst": _ANY},
    c.STORE_REF: {"src": _ANY},
    c.LOAD_ODD: {"dst": _NUMBER},
    c.STORE_REG: {"src": _NUMBER},
    c.EQUALS_REG: {"src": _NUMBER},
    c.NEXT_ADDR: {"dst": _NUMBER, "src": _NUMBER},
    **{code: {"dst": o.PAGE_TABLE} for code in (c.READ_PMD, c.PMD_SAME, c.PMD_CLEAR, c.PMD_TAKE)},
    **{code: {"dst": o.FOLIO} for code in (c.FOLIO_GET, c.NEXT_CANDIDATE, c.FOLIO_CREATE)},
    **{code: {"dst": o.PAGE} for code in (c.PAGE_ALLOC, c.PAGE_OF)},
    **{code: {"src": _ANY} for code in (c.FREE, c.CALL_RCU)},
    c.ALLOC: {"dst": _ANY},
}
_MODES: Final = ("read", "rmw", "rmw+store")
_WORD: Final = 1 << 31


class Vocabulary:
    """The words of one stack's texts: a name stands for one register, and for one field of a class."""

    def __init__(self, more: Collection[int] = ()) -> None:
        """``more``: opcodes that these texts may yield besides those of every text."""
        self._codes = {*c.NAMES, *more} - {c.END}
        self._right: set[Op] = set()
        self._registers = {one.name: one for one in vars(o).values() if isinstance(one, Register)}
        self._fields: dict[tuple[ObjectClass, str], Field] = {
            (one.cls, one.name): one for one in vars(o).values() if isinstance(one, Field)
        }

    def wrong(self, op: Op) -> str | None:
        """What is wrong with a primitive; None if nothing is."""
        try:
            if op in self._right:
                return None
        except Exception:
            return f"{op.name} has an outcome or operand that is not hashable"
        wrong = self._wrong_op(op) or self._wrong_operands(op) or self._wrong_classes(op)
        if wrong is None:
            self._right.add(op)
        return wrong

    def _wrong_op(self, op: Op) -> str | None:
        if op.code not in self._codes:
            return f"{op.name}: there is no opcode {op.code!r} that a text may yield"
        if not all(isinstance(text, str) for text in (op.name, op.cost, op.event, op.function)):
            return f"a primitive's name, cost or event is no string: {(op.name, op.cost, op.event)!r}"
        if not isinstance(op.outcomes, tuple) or not 1 <= len(op.outcomes) <= c.MAX_OUTCOMES:
            count = (
                f"has {len(op.outcomes)} outcomes"
                if isinstance(op.outcomes, tuple)
                else "has no tuple of outcomes"
            )
            return f"{op.name} {count}, at most {c.MAX_OUTCOMES}"
        for number in (op.imm, op.imm2):
            if not isinstance(number, int) or not -_WORD <= number < _WORD:
                return f"{op.name} has the number {number!r}, expected a whole one of 32 bits"
        if len(set(op.outcomes)) != len(op.outcomes):
            return f"{op.name} has an outcome twice: {op.outcomes!r}"
        return None

    def _wrong_operands(self, op: Op) -> str | None:
        registers = [op.dst, op.src, op.src2, op.src3]
        if op.place is not None:
            if not isinstance(op.place, Place):
                return f"{op.name} acts on {op.place!r}, expected a place: at(register, FIELD)"
            registers.append(op.place.register)
            if (text := self._wrong_field(op.place.field)) is not None:
                return f"{op.name}: {text}"
        if op.line is not None:
            if not isinstance(op.line, Line) or op.line.mode not in _MODES:
                return (
                    f"{op.name} has the cache line {op.line!r}, expected a Line of mode {', '.join(_MODES)}"
                )
            registers.append(op.line.register)
        for register in registers:
            if register is not None and (text := self._wrong_register(register)) is not None:
                return f"{op.name}: {text}"
        return None

    def _wrong_register(self, register: object) -> str | None:
        if not isinstance(register, Register) or not isinstance(register.name, str):
            return f"{register!r} is no register"
        if register.cls is not None and register.cls not in o.CLASSES:
            return f"register {register.name} refers to {_foreign(register.cls)}"
        known = self._registers.setdefault(register.name, register)
        if known != register:
            return (
                f"two registers are called {register.name!r}: of {_refers(known)} and of {_refers(register)}"
            )
        return None

    def _wrong_field(self, field: object) -> str | None:
        if not isinstance(field, Field):
            return f"{field!r} is no field of the model's objects"
        if field.cls not in o.CLASSES:
            return f"{field} is a field of {_foreign(field.cls)}"
        if not isinstance(field.width, int) or not 0 <= field.width <= 8:
            return f"{field} has the width {field.width!r}, expected 1 to 8 words"
        if not isinstance(field.initial, int) or not -_WORD <= field.initial < _WORD:
            return f"{field} has the initial value {field.initial!r}, expected a whole number of 32 bits"
        known = self._fields.setdefault((field.cls, field.name), field)
        if known != field:
            return f"two fields are called {field}, of unlike width, line or initial value"
        return None

    def _wrong_classes(self, op: Op) -> str | None:
        if op.code in _LOCKS:
            kind, words = _LOCKS[op.code]
            if op.place is None:
                return f"{op.name} has no place: expected that of a {kind}"
            if op.place.field.width != words:
                return f"{op.name}: {op.place.field} is no {kind}, which has {words} words"
        for slot, wanted in _REGISTERS.get(op.code, {}).items():
            register: Register | None = getattr(op, slot)
            if register is None:
                return f"{op.name} has no register {slot}"
            right = {_ANY: register.cls is not None, _NUMBER: register.cls is None}
            if not (right[wanted] if isinstance(wanted, str) else register.cls == wanted):
                name = wanted if isinstance(wanted, str) else f"a {wanted.name}"
                return (
                    f"{op.name}: register {register.name} is of {_refers(register)}, expected one of {name}"
                )
        return None


def _foreign(cls: object) -> str:
    """A class that the model does not have: a plugin can give its objects fields, but bring no new ones."""
    name = repr(cls.name) if isinstance(cls, ObjectClass) else repr(cls)
    known = ", ".join(one.name for one in o.CLASSES)
    return (
        f"objects of class {name}, which the model does not have; expected one of spfvar.ops.objects: {known}"
    )


def _refers(register: Register) -> str:
    return _NUMBER if register.cls is None else f"a {register.cls.name}"
