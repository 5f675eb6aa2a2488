"""Constructors of the primitives, named after the kernel's.

Each returns an `Op` to be yielded.  Outcomes are given in each docstring; an op without a mention
sends back None.  Cache-line modes follow the hardware: a failed trylock still fetches the line for
writing, a read leaves it shared.
"""

from __future__ import annotations

from dataclasses import replace

from spfvar.ops import codes
from spfvar.ops import objects as o
from spfvar.ops.op import Op, primitive
from spfvar.ops.orders import (
    LOAD_ORDERS,
    LOCK_ORDERS,
    PLAIN_ORDERS,
    RMW_ORDERS,
    STORE_ORDERS,
    ordered,
)
from spfvar.ops.places import Field, Line, Place, Register
from spfvar.ops.properties import ASSERTION, PROPERTIES, Property

BOOL = (False, True)
#: The sign bit: set in a null reference.
NULL = 1 << 30


def at(register: Register, field: Field) -> Place:
    """``register->field``."""
    return Place(register, field)


def line_of(place: Place, mode: str) -> Line:
    """The cache line of a place, touched in a mode."""
    return Line(place.register, place.field, mode)


def _on(code: int, place: Place, mode: str, name: str, **more: object) -> Op:
    if not isinstance(place, Place):
        raise TypeError(f"{name} takes a place, such as at(register, FIELD), not {place!r}")
    more.setdefault("cost", "local" if mode == "read" else "atomic")
    return Op(code, f"{name}({place})", place=place, line=line_of(place, mode), **more)  # type: ignore[arg-type]


def _ordered(op: Op, order: str, allowed: tuple[str, ...]) -> Op:
    """The op with the order that the kernel's primitive has (spfvar.ops.orders)."""
    return replace(op, order=ordered(op.name, order, allowed)) if order != "once" else op


# --- local work ----------------------------------------------------------------------------------


@primitive
def work(cost: str, name: str = "") -> Op:
    """Work of one cost class that touches nothing shared."""
    return Op(codes.NOP, name or cost, cost=cost)


@primitive
def sleep_for(cost: str, name: str = "") -> Op:
    """Wait off the CPU for the time of a cost class, e.g. for storage."""
    return Op(codes.NOP, name or cost, cost=cost, sleeps=True)


@primitive
def count(event: str) -> Op:
    """Count an event (``count_vm_event``); it becomes a column of the abort-reason table."""
    return Op(codes.COUNT, f"count({event})", event=event, cost="count")


@primitive
def set_register(dst: Register, value: int) -> Op:
    """``dst = value``."""
    return Op(codes.SET_REG, f"{dst.name} = {value}", dst=dst, imm=value, cost="free")


@primitive
def copy_register(dst: Register, src: Register, plus: int = 0) -> Op:
    """``dst = src + plus``."""
    return Op(codes.ADD_REG, f"{dst.name} = {src.name} + {plus}", dst=dst, src=src, imm=plus, cost="free")


@primitive
def add_registers(dst: Register, src: Register, src2: Register) -> Op:
    """``dst = src + src2``."""
    name = f"{dst.name} = {src.name} + {src2.name}"
    return Op(codes.ADD_REGS, name, dst=dst, src=src, src2=src2, cost="free")


@primitive
def next_address(register: Register, end: Register, step: int = 1) -> Op:
    """``register += step``; outcome: is it still below ``end``?"""
    return Op(
        codes.NEXT_ADDR, f"{register.name} += {step} < {end.name}", BOOL,
        dst=register, src=end, imm=step, cost="free",
    )  # fmt: skip


@primitive
def choose(name: str, *outcomes: object, probability: str = "") -> Op:
    """An open outcome: explored exhaustively, or drawn with the scenario's probability."""
    return Op(codes.CHOOSE, name, outcomes, event=probability, cost="free")


@primitive
def test_register(register: Register, mask: int, name: str) -> Op:
    """Outcome: has the register a bit of ``mask`` set?"""
    return Op(codes.TEST_REG, name, BOOL, src=register, imm=mask, cost="free")


@primitive
def registers_equal(left: Register, right: Register) -> Op:
    """Outcome: do two registers hold the same number?"""
    name = f"{left.name} == {right.name}"
    return Op(codes.REG_EQUAL, name, BOOL, src=left, src2=right, cost="free")


@primitive
def mark(kind: int, name: str) -> Op:
    """Tell the simulator's meters that a fault or a writer's call begins or ends."""
    return Op(codes.MARK, name, imm=kind, cost="free")


@primitive
def end_thread() -> Op:
    """The thread has nothing more to do."""
    return Op(codes.END, "exit", cost="free")


# --- locks ---------------------------------------------------------------------------------------

# Whoever takes a rwsem stores its owner beside the count, by rwsem_set_owner or rwsem_set_reader_owned
# (kernel/locking/rwsem.c, 6.12.117).  up_read leaves the owner as it is; up_write clears it before its
# atomic, which then finds the line fetched.


@primitive
def down_read(place: Place, name: str = "down_read", order: str = "acquire") -> Op:
    """Take a rwsem for reading; waits behind a writer and behind queued waiters (FIFO).

    ``order``: "once" for a lock that is not told what was done under it before.
    """
    op = _on(codes.DOWN_READ, place, "rmw+store", name, sleeps=True)
    return replace(op, order="unordered") if ordered(op.name, order, LOCK_ORDERS) == "" else op


@primitive
def down_read_trylock(place: Place, name: str = "down_read_trylock") -> Op:
    """Outcome: taken?  Fails when a writer holds the lock or anybody is queued."""
    return _on(codes.DOWN_READ_TRYLOCK, place, "rmw+store", name, outcomes=BOOL)


@primitive
def up_read(place: Place, name: str = "up_read") -> Op:
    """Release a rwsem taken for reading."""
    return _on(codes.UP_READ, place, "rmw", name)


@primitive
def down_write(place: Place, name: str = "down_write") -> Op:
    """Take a rwsem for writing; waits for every holder."""
    return _on(codes.DOWN_WRITE, place, "rmw+store", name, sleeps=True)


@primitive
def down_write_trylock(place: Place, name: str = "down_write_trylock") -> Op:
    """Outcome: taken?  Fails when anybody holds the lock or is queued."""
    return _on(codes.DOWN_WRITE, place, "rmw+store", name, imm=1, outcomes=BOOL)


@primitive
def up_write(place: Place, name: str = "up_write") -> Op:
    """Release a rwsem taken for writing."""
    return _on(codes.UP_WRITE, place, "rmw", name)


@primitive
def downgrade_write(place: Place, name: str = "downgrade_write") -> Op:
    """Turn a rwsem held for writing into one held for reading; queued readers get in."""
    return _on(codes.DOWNGRADE_WRITE, place, "rmw+store", name)


@primitive
def spin_lock(place: Place) -> Op:
    """Take a (queued, so FIFO) spinlock."""
    return _on(codes.LOCK, place, "rmw", "spin_lock")


@primitive
def spin_trylock(place: Place) -> Op:
    """Outcome: taken?"""
    return _on(codes.TRYLOCK, place, "rmw", "spin_trylock", outcomes=BOOL)


@primitive
def spin_unlock(place: Place) -> Op:
    """Release a spinlock; the store needs the line, but waits for nobody."""
    return _on(codes.UNLOCK, place, "rmw", "spin_unlock", cost="unlock")


@primitive
def folio_lock(register: Register = o.folio) -> Op:
    """Take the folio's lock bit; sleeps."""
    return _on(codes.LOCK, at(register, o.FOLIO_LOCK), "rmw", "folio_lock", sleeps=True)


@primitive
def folio_trylock(register: Register = o.folio) -> Op:
    """Outcome: taken?"""
    return _on(codes.TRYLOCK, at(register, o.FOLIO_LOCK), "rmw", "folio_trylock", outcomes=BOOL)


@primitive
def folio_unlock(register: Register = o.folio) -> Op:
    """Release the folio's lock bit and wake a waiter."""
    return _on(codes.UNLOCK, at(register, o.FOLIO_LOCK), "rmw", "folio_unlock")


# --- range locks ---------------------------------------------------------------------------------


def _request(code: int, place: Place, name: str, **more: object) -> Op:
    """On the thread's request, for ``range_lock_start .. range_lock_end`` (lib/range_lock.c, posted 2017)."""
    return Op(
        code, f"{name}({place})", place=place, src=o.range_lock_start, src2=o.range_lock_end,
        src3=o.range_lock_entry, dst=o.range_lock_blocking, **more,  # type: ignore[arg-type]
    )  # fmt: skip


@primitive
def range_lock(place: Place, write: bool, extent: int = codes.AS_IT_IS, name: str = "range_lock") -> Op:
    """Ask for a range, for reading or writing; outcome: are there earlier requests to wait for?

    What is asked for is ``range_lock_start .. range_lock_end``; WHOLE_TABLES: widened to the page tables
    that map it; EVERYTHING: the address space.  Follow it with `range_wait` if there are.
    """
    more = {"imm": int(write), "imm2": extent}
    return _request(codes.RANGE_LOCK, place, name, outcomes=BOOL, cost="range_tree", **more)


@primitive
def range_trylock(place: Place, write: bool, extent: int = codes.AS_IT_IS, name: str = "range_trylock") -> Op:
    """Ask for a range unless there are requests to wait for; outcome: taken?"""
    more = {"imm": int(write), "imm2": extent}
    return _request(codes.RANGE_TRYLOCK, place, name, outcomes=BOOL, cost="range_tree", **more)


@primitive
def range_wait(place: Place) -> Op:
    """Sleep until the earlier requests have gone: the range is then held."""
    return _request(codes.RANGE_WAIT, place, "range_wait", sleeps=True, cost="free")


@primitive
def range_unlock(place: Place, write: bool, name: str = "range_unlock") -> Op:
    """Give the range up; whoever waited for nothing else gets his."""
    return _request(codes.RANGE_UNLOCK, place, name, imm=int(write), cost="range_tree")


@primitive
def range_downgrade(place: Place, name: str = "range_downgrade") -> Op:
    """Turn a range held for writing into one held for reading; readers that wait for it get in."""
    return _request(codes.RANGE_DOWNGRADE, place, name, imm=1, cost="range_tree")


# --- words of memory -----------------------------------------------------------------------------


@primitive
def load(place: Place, into: Register, order: str = "once") -> Op:
    """``into = READ_ONCE(place)``."""
    return _ordered(_on(codes.LOAD, place, "read", "load", dst=into), order, LOAD_ORDERS)


@primitive
def load_nonzero(place: Place, into: Register, order: str = "once") -> Op:
    """``into = READ_ONCE(place)``; outcome: is it non-zero?"""
    return _ordered(_on(codes.LOAD_TEST, place, "read", "load", dst=into, outcomes=BOOL), order, LOAD_ORDERS)


@primitive
def load_odd(place: Place, into: Register, name: str = "read_seqcount", order: str = "once") -> Op:
    """``into = READ_ONCE(place)``; outcome: is it odd?  (``raw_read_seqcount``)"""
    return _ordered(_on(codes.LOAD_ODD, place, "read", name, dst=into, outcomes=BOOL), order, LOAD_ORDERS)


@primitive
def load_ref(place: Place, into: Register, order: str = "once") -> Op:
    """``into = READ_ONCE(place)``, a reference to an object."""
    return _ordered(_on(codes.LOAD_REF, place, "read", "load", dst=into), order, LOAD_ORDERS)


@primitive
def load_ref_nonnull(place: Place, into: Register, order: str = "once") -> Op:
    """``into = READ_ONCE(place)``, a reference; outcome: is it not null?"""
    return _ordered(
        _on(codes.LOAD_REF, place, "read", "load", dst=into, imm=1, outcomes=BOOL), order, LOAD_ORDERS
    )


@primitive
def store_ref(place: Place, value: Register, order: str = "once") -> Op:
    """``WRITE_ONCE(place, value)``, a reference to an object or null."""
    op = _on(codes.STORE_REF, place, "rmw", f"store {value.name}", src=value, cost="local")
    return _ordered(op, order, STORE_ORDERS)


@primitive
def is_null(register: Register) -> Op:
    """Outcome: is the reference null?"""
    return test_register(register, NULL, f"{register.name} == NULL")


@primitive
def set_null(register: Register) -> Op:
    """``register = NULL``."""
    return Op(codes.SET_REG, f"{register.name} = NULL", dst=register, imm=-1, cost="free")


@primitive
def store(place: Place, value: int, order: str = "once") -> Op:
    """``WRITE_ONCE(place, value)``."""
    op = _on(codes.STORE, place, "rmw", f"store {value}", imm=value, cost="local")
    return _ordered(op, order, STORE_ORDERS)


@primitive
def store_register(place: Place, value: Register, order: str = "once") -> Op:
    """``WRITE_ONCE(place, value)``."""
    op = _on(codes.STORE_REG, place, "rmw", f"store {value.name}", src=value, cost="local")
    return _ordered(op, order, STORE_ORDERS)


@primitive
def add(place: Place, amount: int, name: str = "add", order: str = "once", atomic: bool = True) -> Op:
    """``place += amount``, an atomic; or a load and a store of the only writer's.  Wraps like a sequence."""
    op = _on(codes.ADD, place, "rmw", name, imm=amount)
    if atomic:
        return _ordered(op, order, RMW_ORDERS)
    ordered(op.name, order, tuple(PLAIN_ORDERS))
    return replace(op, order=PLAIN_ORDERS[order])


@primitive
def equals(place: Place, value: int, name: str = "test", order: str = "once") -> Op:
    """Outcome: does the word hold ``value``?"""
    return _ordered(_on(codes.EQUALS, place, "read", name, imm=value, outcomes=BOOL), order, LOAD_ORDERS)


@primitive
def equals_register(place: Place, value: Register, name: str = "compare", order: str = "once") -> Op:
    """Outcome: does the word hold what the register holds?"""
    op = _on(codes.EQUALS_REG, place, "read", name, src=value, outcomes=BOOL)
    return _ordered(op, order, LOAD_ORDERS)


@primitive
def inc_not_zero(place: Place, maximum: int = (1 << 20), order: str = "once") -> Op:
    """``refcount_inc_not_zero_limited``; outcome: "ok", "zero" or "limit"."""
    op = _on(
        codes.INC_NOT_ZERO, place, "rmw", "inc_not_zero",
        imm=maximum, imm2=1, outcomes=("ok", "zero", "limit"),
    )  # fmt: skip
    return _ordered(op, order, RMW_ORDERS)


@primitive
def add_not_zero(place: Place, amount: int, order: str = "once") -> Op:
    """``refcount_add_not_zero``; outcome: "ok" or "zero"."""
    op = _on(
        codes.INC_NOT_ZERO, place, "rmw", f"add_not_zero {amount}",
        imm=NULL, imm2=amount, outcomes=("ok", "zero"),
    )  # fmt: skip
    return _ordered(op, order, RMW_ORDERS)


@primitive
def dec_and_test(
    place: Place, name: str = "dec_and_test", left: Register | None = None, order: str = "once"
) -> Op:
    """Decrement; outcome: did it reach zero?  What is left goes to a register, if one is given.

    ``order``: "full" as ``atomic_dec_and_test``; "release" as ``refcount_dec_and_test``, which besides
    acquires if zero was reached.
    """
    op = _on(codes.DEC_AND_TEST, place, "rmw", name, dst=left, outcomes=BOOL)
    return _ordered(op, order, RMW_ORDERS)


@primitive
def wait_equals(place: Place, value: int, order: str = "once") -> Op:
    """Sleep until the word holds ``value`` (``rcuwait_wait_event``)."""
    op = _on(codes.WAIT_EQUALS, place, "read", f"wait until {value}", imm=value, sleeps=True)
    return _ordered(op, order, LOAD_ORDERS)


# --- assertions ----------------------------------------------------------------------------------


@primitive
def bug_on(name: str, breaks: Property = ASSERTION) -> Op:
    """``BUG_ON``: the text must never get here; whatever way leads here breaks the property ``breaks``.

    It stands behind the outcome that must not be: ``if (yield equals(...)): yield bug_on("why")``.
    """
    if not isinstance(breaks, Property) or breaks.id not in PROPERTIES:
        raise TypeError(f"bug_on({name!r}) breaks {breaks!r}, expected a property that is declared")
    return Op(codes.BUG, f"BUG_ON({name})", event=breaks.id, cost="free")


# --- lifetime ------------------------------------------------------------------------------------


@primitive
def allocate(register: Register, name: str, cost: str) -> Op:
    """Take a free object (the one freed last) into ``register``; its words are zeroed."""
    if register.cls is None:
        raise TypeError(f"register {register.name} refers to no object")
    return Op(codes.ALLOC, name, dst=register, place=Place(register, life(register)), cost=cost)


@primitive
def linked(place: Place, value: int, name: str) -> Op:
    """Enter or leave an interval tree: the reverse map finds the VMA by it."""
    return Op(codes.STORE, name, place=place, imm=value, cost="interval_tree")


@primitive
def free(register: Register, name: str, cost: str = "kmem_cache_free") -> Op:
    """Free the object at once; whoever still refers to it holds a stale reference."""
    return Op(codes.FREE, name, src=register, place=Place(register, life(register)), cost=cost)


@primitive
def call_rcu(register: Register, name: str = "call_rcu") -> Op:
    """Free the object after a grace period."""
    return Op(codes.CALL_RCU, name, src=register, place=Place(register, life(register)), cost="call_rcu")


@primitive
def call_srcu(register: Register, name: str = "call_srcu") -> Op:
    """Free the object when every SRCU section of now has ended.  A design frees by RCU or by SRCU."""
    return replace(call_rcu(register, name), imm2=1)


def life(register: Register) -> Field:
    """The word that says whether the register's object is in use."""
    assert register.cls is not None
    return Field(register.cls, "life", 0)


@primitive
def rcu_read_lock() -> Op:
    """Enter an RCU read-side section (nests)."""
    return Op(codes.RCU_READ_LOCK, "rcu_read_lock()", cost="count")


@primitive
def rcu_read_unlock() -> Op:
    """Leave an RCU read-side section."""
    return Op(codes.RCU_READ_UNLOCK, "rcu_read_unlock()", cost="count")


@primitive
def srcu_read_lock(index: Register) -> Op:
    """Enter a section that may sleep (``srcu_read_lock``); ``index`` is what the unlock needs, 0 outside."""
    return Op(codes.SRCU_READ_LOCK, "srcu_read_lock()", dst=index, cost="atomic")


@primitive
def srcu_read_unlock(index: Register) -> Op:
    """Leave the section that ``index`` came from."""
    return Op(codes.SRCU_READ_UNLOCK, "srcu_read_unlock()", dst=index, cost="atomic")


@primitive
def local_irq_disable() -> Op:
    """Interrupts off: holds up IPIs, and is an RCU read-side section (v5.0 and later)."""
    return Op(codes.IRQ_DISABLE, "local_irq_disable()", cost="irq")


@primitive
def local_irq_enable(flushes: bool = False) -> Op:
    """Interrupts on: pending IPIs are taken.

    ``flushes``: a TLB flush may be among them that passed this CPU by as long as it was behind; other CPUs
    have flushed when it was sent.
    """
    return Op(codes.IRQ_ENABLE, "local_irq_enable()", imm=int(flushes), cost="irq")


@primitive
def ipi_send(
    name: str,
    start: Register | None = None,
    end: Register | None = None,
    pages: int = 1,
    freed_tables: bool = False,
) -> Op:
    """Interrupt every other CPU that runs the mm; with ``start``, flush ``start .. end`` from its TLB.

    Without ``end``, ``pages`` pages from ``start`` on.  ``freed_tables``: page tables may be freed behind it,
    so CPUs whose kernel threads have borrowed the mm are interrupted, too, and give it up.
    """
    return Op(
        codes.IPI_SEND, name, src=start, src2=end, imm=pages, imm2=int(freed_tables), cost="tlb_flush_ipi"
    )  # fmt: skip


@primitive
def ipi_wait(name: str = "wait for IPI acknowledgements") -> Op:
    """Spin until every interrupted CPU has answered."""
    return Op(codes.IPI_WAIT, name, cost="free")


@primitive
def rcu_gp_start(srcu: bool = False) -> Op:
    """The grace-period kthread waits for callbacks, then starts a grace period for them.

    ``srcu``: one that waits for SRCU sections instead.
    """
    name = "srcu_gp_start" if srcu else "rcu_gp_init"
    return Op(codes.RCU_GP_START, name, cost="rcu_gp", imm=int(srcu), sleeps=True)


@primitive
def rcu_gp_wait(srcu: bool = False) -> Op:
    """Wait until every reader of before the grace period has left its section."""
    name = "srcu_advance_state" if srcu else "rcu_gp_fqs_loop"
    return Op(codes.RCU_GP_WAIT, name, cost="free", imm=int(srcu), sleeps=True)


@primitive
def rcu_invoke() -> Op:
    """Run the callbacks whose grace period has ended: free their objects."""
    return Op(codes.RCU_INVOKE, "rcu_do_batch", cost="rcu_callback")


# --- VMA tree ------------------------------------------------------------------------------------


def _tree(mode: str) -> Line:
    return Line(o.mm, o.MM_MT, mode)


@primitive
def find_vma(into: Register = o.vma, key: Register = o.address, name: str = "find_vma") -> Op:
    """Look the address up in the VMA tree; outcome: found?"""
    return Op(codes.FIND_VMA, name, BOOL, dst=into, src=key, line=_tree("read"), cost="find_vma")


@primitive
def find_vma_intersection(start: Register = o.range_start, end: Register = o.range_end) -> Op:
    """Look for the first VMA of ``start .. end`` in the VMA tree, into ``vma``; outcome: is there one?"""
    name = "find_vma_intersection"
    return Op(codes.FIND_VMA, name, BOOL, dst=o.vma, src=start, src2=end, line=_tree("read"), cost="find_vma")


@primitive
def tree_store(register: Register, name: str = "vma_iter_store", order: str = "release") -> Op:
    """Publish a VMA: every address of its range now finds it.

    ``order``: "once" for a plain store instead of ``rcu_assign_pointer``.
    """
    plain = ordered(name, order, STORE_ORDERS) == ""
    return Op(
        codes.TREE_STORE, name, src=register, place=Place(register, o.VM_START),
        line=_tree("rmw"), cost="tree_store", order="unordered" if plain else "",
    )  # fmt: skip


@primitive
def tree_erase(name: str = "vma_iter_clear") -> Op:
    """Take ``range_start .. range_end`` out of the tree."""
    return Op(
        codes.TREE_ERASE, name, src=o.range_start, src2=o.range_end,
        line=_tree("rmw"), cost="tree_store",
    )  # fmt: skip


@primitive
def mt_destroy() -> Op:
    """Free the nodes of a tree that has ``range_start .. range_end``: nobody may look there any more."""
    return replace(tree_erase("__mt_destroy"), imm=codes.TREE_DESTROYED)


@primitive
def store_zero_entry() -> Op:
    """Mark ``range_start .. range_end`` of the tree as what is no VMA (``mas_store(XA_ZERO_ENTRY)``)."""
    return replace(tree_erase("mas_store(XA_ZERO_ENTRY)"), imm=codes.TREE_ZERO_ENTRY)


@primitive
def vma_contains(register: Register = o.vma, key: Register = o.address) -> Op:
    """Outcome: ``vm_start <= address < vm_end``?"""
    return _on(codes.VMA_CONTAINS, at(register, o.VM_START), "read", "address in", src=key, outcomes=BOOL)
