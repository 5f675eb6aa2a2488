"""What a race's Promela model consists of: its classes, fields, registers, and the names they go by.

References are an object's number + 1 (0 is NULL), in memory and in registers alike.  A register that refers
to a class whose objects can be freed is a global array over the processes, because freeing the object marks
the reference (STALE); so is one of a request for a range lock, which others look at.  Every other register is
a local variable.
"""

from __future__ import annotations

import re
from typing import Any

from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import RANGE_WORDS, RWSEM_WORDS, SPIN_WORDS, Field, ObjectClass, Register

#: Set in a reference whose object was freed behind its holder's back.
STALE = 128

#: Words that mean something else in a Promela text.
_TAKEN = """
active assert atomic bit bool break byte chan d_step do else empty enabled end eval false fi for full
get_priority goto hidden if in init inline int len local mtype nempty never nfull ninit nr_pr od of pc_value
pid printf priority proctype provided return run select set_priority short show skip switch timeout trace true
typedef unless unsigned
"""
_KEYWORDS = frozenset(_TAKEN.split())
_WORD_WRITES = (c.STORE, c.STORE_REG, c.ADD, c.DEC_AND_TEST)
#: What a process asks of a range lock.
REQUEST = (o.range_lock_start, o.range_lock_end, o.range_lock_entry, o.range_lock_blocking)
#: Numbers that may be negative, or are counted down by what is no primitive of its own.
_SIGNED = frozenset({o.VM_PGOFF, o.PAGE_INDEX, o.F_COUNT, o.REFCOUNT, o.PAGE_REFS, o.SWAP_COUNT})


def identifier(name: str) -> str:
    """A name that Promela accepts."""
    text = re.sub(r"\W", "_", name)
    return f"{text}_" if text in _KEYWORDS else text


class Model:
    """The facts of a world that its Promela text is built from."""

    def __init__(self, world: RaceWorld) -> None:
        self.world = world
        self.sizes = world.layout.sizes
        self.ops = world.program.ops
        self.codes = {op.code for op in self.ops}
        self.span = 1 << self.sizes.pt_shift
        self.freeable = self._freeable()
        self.fields = [
            field for field in world.layout.field_offset if field.width > 0 and self.sizes.count(field.cls)
        ]
        self.registers = list(dict.fromkeys(r for op in self.ops for r in registers_of(op)))
        self.wide = {field for op in self.ops for field in _widened(op)} | _SIGNED

    def _freeable(self) -> set[ObjectClass]:
        """Classes whose objects the run may free."""
        freed = {
            op.place.field.cls
            for op in self.ops if op.code in (c.FREE, c.CALL_RCU) and op.place is not None
        }  # fmt: skip
        if self.codes & {c.PAGE_PUT, c.PAGES_PUT}:
            freed.add(o.PAGE)
        if o.VMA in freed and self.sizes.files:
            freed.add(o.FILE)
        return freed

    # --- names -------------------------------------------------------------------------------------

    def field(self, field: Field) -> str:
        """The array of a field, over the objects of its class."""
        return identifier(f"{field.cls.name}_{field.name}")

    def register(self, register: Register) -> str:
        """A register as an expression of the process that it belongs to."""
        name = identifier(register.name)
        return f"{name}[_pid]" if self.is_global(register) or register in REQUEST else name

    def is_global(self, register: Register) -> bool:
        """Can another process mark this register's reference?"""
        return register.cls in self.freeable

    def index(self, register: Register, typesafe: bool = False) -> str:
        """The number of the object that a register refers to."""
        name = self.register(register)
        return f"({name} & {STALE - 1}) - 1" if typesafe and self.is_global(register) else f"{name} - 1"

    def count(self, cls: ObjectClass) -> int:
        """Objects of a class."""
        return self.sizes.count(cls)

    def objects(self) -> list[ObjectClass]:
        """Classes that the run has objects of."""
        return [cls for cls in o.CLASSES if self.count(cls)]

    def has_lifetime(self, cls: ObjectClass) -> bool:
        """Do objects of the class come or go in this run?"""
        allocated = {op.dst.cls for op in self.ops if op.code == c.ALLOC and op.dst is not None}
        if c.PAGE_ALLOC in self.codes:
            allocated.add(o.PAGE)
        return cls in self.freeable | allocated or (cls.lifetime and cls != o.MM)

    def has_tlb(self) -> bool:
        """Has each CPU a TLB?"""
        return self.sizes.tlbs

    def has_own_tables(self) -> bool:
        """Has each CPU page tables of its own?  They are its TLB then."""
        return c.OWN_SET_PTE in self.codes

    def has_marks(self) -> bool:
        """May a slot of the VMA tree hold something that is no VMA?"""
        return any(op.code == c.TREE_ERASE and op.imm for op in self.ops)

    def has_switches(self) -> bool:
        """Do CPUs switch from task to task?"""
        return c.SET_LOADED_MM in self.codes

    def has_lazy_cpus(self) -> bool:
        """Do flushes pass CPUs by?  Not where each has page tables of its own."""
        return self.has_switches() and not self.has_own_tables()

    def has_pages(self) -> bool:
        """Have anonymous pages an identity?"""
        return self.count(o.PAGE) > 0

    def has_pins(self) -> bool:
        """Does anybody use pages that are pinned?"""
        return self.has_pages() and c.PAGE_DMA in self.codes

    def folio_of(self, page: str) -> str:
        """The number of a page's folio, that of its first page, as an expression."""
        return f"(({page}) / FOLIO_PAGES * FOLIO_PAGES)" if self.sizes.folio_pages > 1 else page

    def has_slots(self) -> bool:
        """Have pages a swap slot of their own?"""
        return o.SWAP_COUNT in self.fields

    def rwsems(self) -> list[Field]:
        """Fields that are reader-writer semaphores."""
        return [field for field in self.fields if field.width == RWSEM_WORDS]

    def spinlocks(self) -> list[Field]:
        """Fields that are spinlocks or bit locks."""
        return [field for field in self.fields if field.width == SPIN_WORDS]

    def range_locks(self) -> list[Field]:
        """Fields that are locks of ranges."""
        return [field for field in self.fields if field.width == RANGE_WORDS]

    def words(self) -> list[Field]:
        """Fields that are plain words."""
        return [field for field in self.fields if field.width == 1]

    # --- the start state -----------------------------------------------------------------------------

    def start_of(self, field: Field) -> list[int]:
        """A word field's values at the start, by object."""
        return [int(self.world.start[self.world.layout.word(field, i)]) for i in range(self.count(field.cls))]

    def state(self, position: int, count: int) -> list[int]:
        """So many words of the start state, from the one that a constant of the layout names."""
        first = int(self.world.layout.g[position])
        return [int(word) for word in self.world.start[first : first + count]]

    def register_start(self, register: Register, thread: int) -> int:
        """A register's value at the start; references as in memory."""
        value = int(self.world.start[self.world.layout.thread_word(thread, register)])
        return value + 1 if register.cls is not None else value

    def pool(self, cls: ObjectClass) -> list[int]:
        """The free objects of a class at the start, the one to be taken next last."""
        g = self.world.layout.g
        k = c.G_CLASS0 + o.CLASSES.index(cls) * c.CLASS_WORDS
        base, stride = int(g[k + c.K_BASE]), int(g[k + c.K_STRIDE])
        free: list[int] = []
        head = int(self.world.start[g[k + c.K_FREE]])
        while head != c.FREE_END:
            free.append(-head - 2)
            head = int(self.world.start[base + free[-1] * stride])
        return free[::-1]


def _widened(op: Op) -> list[Field]:
    """Fields that an op may set to a number that a byte does not hold."""
    if op.place is None or op.code not in _WORD_WRITES or op.place.field in (o.VM_START, o.VM_END):
        return []
    return [] if op.code == c.STORE and 0 <= op.imm < 256 else [op.place.field]


def registers_of(op: Op) -> list[Register]:
    """Every register that an op mentions for its effect."""
    named = [op.dst, op.src, op.src2, op.src3]
    if op.place is not None:
        named.append(op.place.register)
    return [register for register in named if register is not None]


def array(values: list[Any]) -> str:
    """An initialiser: one value if all are the same."""
    if len(set(values)) == 1:
        return str(values[0])
    return "{" + ", ".join(str(value) for value in values) + "}"
