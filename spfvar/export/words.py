"""Templates: local work, locks, words of memory.

The locks follow Documentation/locking: a rwsem admits readers together or one writer, in FIFO order, so that
a queued writer holds up later readers; a spinlock is handed over in FIFO order.
"""

from __future__ import annotations

from spfvar.export.steps import Operands, Step, Way, done, fail, template, test
from spfvar.ops import codes as c
from spfvar.ops.places import Register
from spfvar.ops.primitives import NULL

# --- local to the process ------------------------------------------------------------------------


@template(c.NOP, c.COUNT, c.MARK)
def nothing(x: Operands) -> Step:
    """Work or bookkeeping: no effect."""
    return done()


@template(c.SET_REG)
def set_register(x: Operands) -> Step:
    """A constant; for a reference, the number of an object, or -1."""
    assert x.op.dst is not None
    return done(f"{x.dst} = {x.imm + 1 if x.op.dst.cls else x.imm}")


@template(c.ADD_REG)
def copy_register(x: Operands) -> Step:
    """A copy, with something added."""
    assert x.op.dst is not None
    assert x.op.src is not None
    if x.op.dst.cls == x.op.src.cls:
        return done(f"{x.dst} = {x.src}" + (f" + {x.imm}" if x.imm else ""))
    return done(x.set_number(f"{x.value(x.op.src)} + {x.imm}"))


@template(c.ADD_REGS)
def add_registers(x: Operands) -> Step:
    """A sum."""
    return done(x.set_number(f"{x.value(x.op.src)} + {x.value(x.op.src2)}"))


@template(c.NEXT_ADDR)
def next_address(x: Operands) -> Step:
    """One step on; still below the end?"""
    return test(f"{x.dst} + {x.imm} < {x.src}", f"{x.dst} = {x.dst} + {x.imm}")


@template(c.NEXT_TABLE)
def next_table(x: Operands) -> Step:
    """On to the next page table's first page; still below the end?"""
    return test(f"TABLE_END({x.dst}) < {x.src}", f"{x.dst} = TABLE_END({x.dst})")


@template(c.TEST_REG)
def test_register(x: Operands) -> Step:
    """Is a bit set, or the reference NULL?"""
    assert x.op.src is not None
    if x.op.src.cls is not None:
        return test(f"{x.src} == NULL") if x.imm == NULL else test("false")
    return test(f"({x.src} & {x.imm}) != 0")


def _pointer(x: Operands, register: Register | None) -> str:
    """A register as the pointer that it is: recycled memory has the address that it had."""
    assert register is not None
    name = x.model.register(register)
    return f"({name} & ~STALE)" if x.model.is_global(register) else name


@template(c.REG_EQUAL)
def registers_equal(x: Operands) -> Step:
    """Do two registers hold the same?"""
    return test(f"{_pointer(x, x.op.src)} == {_pointer(x, x.op.src2)}")


@template(c.CHOOSE)
def choose(x: Operands) -> Step:
    """Open: every outcome is possible."""
    return Step(tuple(Way() for _ in x.op.outcomes))


@template(c.WINDOW)
def fault_around_window(x: Operands) -> Step:
    """do_fault_around: the aligned window around the address, within the VMA and the page table."""
    first = f"(address - address % {x.imm})"
    start = f"({first} > {x.src2} -> {first} : {x.src2})"
    end = f"({first} + {x.imm} < {x.src3} -> {first} + {x.imm} : {x.src3})"
    return done(
        f"{x.dst} = {start}",
        f"{x.dst} = ({x.dst} > TABLE_START(address) -> {x.dst} : TABLE_START(address))",
        f"{x.src} = {end}",
        f"{x.src} = ({x.src} < TABLE_END(address) -> {x.src} : TABLE_END(address))",
    )


@template(c.BUG)
def bug_on(x: Operands) -> Step:
    """Whoever gets here breaks an assertion."""
    return Step((Way("false"),), (fail("true", c.V_BUG),))


# --- locks ---------------------------------------------------------------------------------------


def _rwsem(x: Operands) -> tuple[str, str, str]:
    return f"{x.array}_readers[{x.index}]", f"{x.array}_writer[{x.index}]", f"{x.array}_waiters[{x.index}]"


def _spin(x: Operands) -> tuple[str, str]:
    return f"{x.array}_owner[{x.index}]", f"{x.array}_waiters[{x.index}]"


@template(c.DOWN_READ)
def down_read(x: Operands) -> Step:
    """Shared, unless there is a writer or a queue."""
    readers, writer, waiters = _rwsem(x)
    free = f"{writer} == 0 && len({waiters}) == 0"
    return Step((Way(free, (f"{readers}++",)),), queue=Way(f"!({free})", (f"{waiters}!_pid,READER",)))


@template(c.DOWN_READ_TRYLOCK)
def down_read_trylock(x: Operands) -> Step:
    """Shared or not at all."""
    readers, writer, waiters = _rwsem(x)
    free = f"{writer} == 0 && len({waiters}) == 0"
    effects = [f"{readers}++"]
    if x.op.typesafe:  # the lock keeps whatever object now lives in the recycled memory, if one does
        effects.append(f"if :: {x.cls}_life[{x.index}] == LIVE -> {x.reference} = {x.index} + 1 :: else fi")
    return Step((Way(f"!({free})"), Way(free, tuple(effects))))


@template(c.UP_READ)
def up_read(x: Operands) -> Step:
    """The last reader hands over."""
    readers, writer, waiters = _rwsem(x)
    return Step(
        (Way("", (f"{readers}--", f"hand_over_rwsem({readers}, {writer}, {waiters})")),),
        (fail(f"{readers} == 0", c.V_UNBALANCED),),
    )


@template(c.DOWN_WRITE)
def down_write(x: Operands) -> Step:
    """Exclusive."""
    readers, writer, waiters = _rwsem(x)
    free = f"{readers} == 0 && {writer} == 0 && len({waiters}) == 0"
    if x.imm:  # down_write_trylock
        return Step((Way(f"!({free})"), Way(free, (f"{writer} = _pid + 1",))))
    return Step((Way(free, (f"{writer} = _pid + 1",)),), queue=Way(f"!({free})", (f"{waiters}!_pid,WRITER",)))


@template(c.UP_WRITE)
def up_write(x: Operands) -> Step:
    """The writer hands over."""
    readers, writer, waiters = _rwsem(x)
    return Step(
        (Way("", (f"{writer} = 0", f"hand_over_rwsem({readers}, {writer}, {waiters})")),),
        (fail(f"{writer} != _pid + 1", c.V_UNBALANCED),),
    )


@template(c.DOWNGRADE_WRITE)
def downgrade_write(x: Operands) -> Step:
    """The writer stays as a reader; readers at the head of the queue come in."""
    readers, writer, waiters = _rwsem(x)
    return Step(
        (
            Way(
                "",
                (f"{writer} = 0", f"{readers} = 1", f"hand_over_rwsem({readers}, {writer}, {waiters})"),
            ),
        ),
        (fail(f"{writer} != _pid + 1", c.V_UNBALANCED),),
    )


@template(c.LOCK)
def lock(x: Operands) -> Step:
    """Exclusive, in FIFO order."""
    owner, waiters = _spin(x)
    return Step(
        (Way(f"{owner} == 0", (f"{owner} = _pid + 1",)),), queue=Way(f"{owner} != 0", (f"{waiters}!_pid",))
    )


@template(c.TRYLOCK)
def trylock(x: Operands) -> Step:
    """Exclusive or not at all."""
    owner, _ = _spin(x)
    return Step((Way(f"{owner} != 0"), Way(f"{owner} == 0", (f"{owner} = _pid + 1",))))


@template(c.UNLOCK)
def unlock(x: Operands) -> Step:
    """The owner hands over."""
    owner, waiters = _spin(x)
    return Step(
        (Way("", (f"hand_over_lock({owner}, {waiters})",)),),
        (fail(f"{owner} != _pid + 1", c.V_UNBALANCED),),
    )


# --- words of memory -----------------------------------------------------------------------------


@template(c.LOAD)
def load(x: Operands) -> Step:
    """READ_ONCE of a number."""
    return done(x.set_number(x.word))


@template(c.LOAD_TEST)
def load_nonzero(x: Operands) -> Step:
    """READ_ONCE; not 0?"""
    return test(f"{x.word} != 0", f"{x.dst} = {x.word}")


@template(c.LOAD_ODD)
def load_odd(x: Operands) -> Step:
    """READ_ONCE of a sequence count; odd, so a writer is at work?"""
    return test(f"({x.word} & 1) != 0", f"{x.dst} = {x.word}")


@template(c.LOAD_REF)
def load_ref(x: Operands) -> Step:
    """READ_ONCE of a reference; where there are two outcomes: not NULL?"""
    return test(f"{x.word} != NULL", f"{x.dst} = {x.word}") if x.imm else done(f"{x.dst} = {x.word}")


@template(c.STORE)
def store(x: Operands) -> Step:
    """WRITE_ONCE of a constant."""
    return done(f"{x.word} = {x.imm}")


@template(c.STORE_REG)
def store_register(x: Operands) -> Step:
    """WRITE_ONCE of a register."""
    return done(f"{x.word} = {x.src}")


@template(c.STORE_REF)
def store_ref(x: Operands) -> Step:
    """WRITE_ONCE of a pointer."""
    return done(f"{x.word} = {_pointer(x, x.op.src)}")


@template(c.ADD)
def add(x: Operands) -> Step:
    """Addition on a counter that wraps."""
    return done(f"{x.word} = ({x.word} + {x.imm}) & COUNTER_MASK")


@template(c.EQUALS)
def equals(x: Operands) -> Step:
    """Is it this constant?"""
    return test(f"{x.word} == {x.imm}")


@template(c.EQUALS_REG)
def equals_register(x: Operands) -> Step:
    """Is it what the register holds?"""
    return test(f"{x.word} == {x.src}")


@template(c.INC_NOT_ZERO)
def inc_not_zero(x: Operands) -> Step:
    """refcount_add_not_zero, with a limit: a reference that was counted keeps the object as it now is."""
    effects = [f"{x.word} = {x.word} + {x.op.imm2}"]
    if x.op.typesafe:
        effects.append(f"{x.reference} = {x.index} + 1")
    ways = (
        Way(f"{x.word} != 0 && {x.word} < {x.imm}", tuple(effects)),
        Way(f"{x.word} == 0"),
        Way(f"{x.word} != 0 && {x.word} >= {x.imm}"),
    )
    return Step(ways[: len(x.op.outcomes)])


@template(c.DEC_AND_TEST)
def dec_and_test(x: Operands) -> Step:
    """Decrement; was it the last?"""
    effects = [f"{x.word}--"]
    if x.op.dst is not None:
        effects.append(f"{x.dst} = {x.word}")
    step = test(f"{x.word} == 1", *effects)
    return Step(step.ways, (fail(f"{x.word} <= 0", c.V_REFCOUNT),))


@template(c.WAIT_EQUALS)
def wait_equals(x: Operands) -> Step:
    """Sleep until the word has the value."""
    return Step((Way(f"{x.word} == {x.imm}"),))
