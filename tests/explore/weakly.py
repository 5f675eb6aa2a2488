"""A plugin for the tests of weak memory: two threads, two or three words, and barriers that are all needed, or not."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.orders import smp_mb, smp_rmb, smp_wmb
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import (
    add,
    allocate,
    at,
    bug_on,
    call_rcu,
    copy_register,
    dec_and_test,
    equals,
    find_vma,
    is_null,
    load,
    load_nonzero,
    load_ref,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
    store,
    store_ref,
    store_register,
    tree_store,
)
from spfvar.plugins.variant import Variant

DATA = at(o.mm, Field(o.MM, "data", weak=True))
FLAG = at(o.mm, Field(o.MM, "flag", weak=True))
STRONG = Field(o.VMA, "strong")
COPIED = Register("copied", o.VMA)
NEW = Field(o.VMA, "new", weak=True)
GROWN = Field(o.VMA, "grown", initial=1, weak=True)
SHOWN = at(o.mm, Field(o.MM, "shown", weak=True))
#: Strong words: an unordered read of them is what the audit is for.
COUNT = at(o.mm, Field(o.MM, "count"))
PLAIN = at(o.mm, Field(o.MM, "plain"))


def read_data() -> Steps:
    """Whoever saw the flag must see the data."""
    if not (yield load_nonzero(DATA, o.scratch)):
        yield bug_on("old data")


class Fences:
    """Message passing by smp_wmb and smp_rmb."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        if (yield load_nonzero(FLAG, o.counter)):
            yield smp_rmb()
            yield from read_data()
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(DATA, 1)
        yield smp_wmb()
        yield store(FLAG, 1)


class NoFence(Fences):
    """The writer has no barrier."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(DATA, 1)
        yield store(FLAG, 1)


class NoReadFence(Fences):
    """The reader has none."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        if (yield load_nonzero(FLAG, o.counter)):
            yield from read_data()
        return VMFault.ERROR


class Orders:
    """Message passing by release and acquire."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        if (yield load_nonzero(FLAG, o.counter, order="acquire")):
            yield from read_data()
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(DATA, 1)
        yield store(FLAG, 1, order="release")


class NoRelease(Orders):
    """The writer has no order."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(DATA, 1)
        yield store(FLAG, 1)


class Both(Orders):
    """The reader has two orders, of which one is enough."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        if (yield load_nonzero(FLAG, o.counter, order="acquire")):
            yield smp_rmb()
            yield from read_data()
        return VMFault.ERROR


class Counts(Orders):
    """Message passing by an atomic that is fully ordered, of which a release would be enough."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(DATA, 1)
        yield add(FLAG, 1, order="full")


class Buffers:
    """Store buffering: at least one of two threads must see the other's store."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield store(DATA, 1)
        yield smp_mb()
        if not (yield load_nonzero(FLAG, o.counter)):
            yield from missed()
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(FLAG, 1)
        yield smp_mb()
        if not (yield load_nonzero(DATA, o.counter)):
            yield from missed()


class NoBarrier(Buffers):
    """The same without the one of the fault."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield store(DATA, 1)
        if not (yield load_nonzero(FLAG, o.counter)):
            yield from missed()
        return VMFault.ERROR


def missed() -> Steps:
    """Two threads must not both come here."""
    yield add(COUNT, 1)
    if (yield equals(COUNT, 2)):
        yield bug_on("both missed")


class Publishes:
    """A pointer that is released, and what it points to."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield load_ref(SHOWN, o.vma)
        if (yield is_null(o.vma)):
            return VMFault.ERROR
        if not (yield load_nonzero(at(o.vma, NEW), o.scratch)):
            yield bug_on("uninitialised")
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield find_vma(o.vma, o.range_start)
        yield store(at(o.vma, NEW), 1)
        yield store_ref(SHOWN, o.vma, order="release")


class Copies:
    """A pointer that is published, copied, and followed to a strong word."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield load_ref(SHOWN, o.vma)
        if not (yield is_null(o.vma)):
            yield copy_register(COPIED, o.vma)
            yield load(at(COPIED, STRONG), o.scratch)
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield find_vma(o.vma, o.range_start)
        yield store(at(o.vma, STRONG), 1)
        yield store_ref(SHOWN, o.vma, order="release")


class Racy:
    """Message passing as it should be, but for a word that is declared strong, and one that needs not be weak."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield load(PLAIN, o.scratch)
        yield spin_lock(at(o.mm, o.PAGE_TABLE_LOCK))
        yield load(COUNT, o.scratch)
        yield spin_unlock(at(o.mm, o.PAGE_TABLE_LOCK))
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield spin_lock(at(o.mm, o.PAGE_TABLE_LOCK))
        yield store(COUNT, 1)
        yield store(PLAIN, 1)
        yield spin_unlock(at(o.mm, o.PAGE_TABLE_LOCK))


class Ordered:
    """Strong words that a weak one orders: by its orders only."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        if (yield load_nonzero(FLAG, o.counter, order="acquire")):
            yield load(PLAIN, o.scratch)
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(PLAIN, 1)
        yield store(FLAG, 1, order="release")


class Unordered(Ordered):
    """The same without the release."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(PLAIN, 1)
        yield store(FLAG, 1)


class Drops:
    """Two references; whoever puts the last one must see what the other one did before."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield store(DATA, 1)
        yield dec_and_test(at(o.mm, Field(o.MM, "refs", initial=2, weak=True)), order="full")
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        if (yield dec_and_test(at(o.mm, Field(o.MM, "refs", initial=2, weak=True)), order="full")):
            yield from read_data()


class Plants:
    """A VMA that is published in the tree, in another one's place, once it is complete."""

    order = "release"

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        if (yield self.walk()) and not (yield load_nonzero(at(o.vma, GROWN), o.scratch)):
            yield bug_on("incomplete")
        yield rcu_read_unlock()
        return VMFault.ERROR

    def walk(self) -> Op:
        """The look at the tree."""
        return find_vma()

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield find_vma(o.vma, o.range_start)
        yield allocate(o.new_vma, "vm_area_alloc", "vm_area_alloc")
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)  # whose reference the new one takes over
        yield store_ref(at(o.new_vma, o.VM_FILE), o.vm_file)
        yield load_ref(at(o.vma, o.VM_ANON_VMA), o.anon_vma)
        yield store_ref(at(o.new_vma, o.VM_ANON_VMA), o.anon_vma)
        yield store_register(at(o.new_vma, o.VM_START), o.range_start)
        yield store_register(at(o.new_vma, o.VM_END), o.range_end)
        yield store(at(o.new_vma, GROWN), 1)
        yield tree_store(o.new_vma, order=self.order)
        yield call_rcu(o.vma)


class PlantsPlainly(Plants):
    """WRITE_ONCE() instead of rcu_assign_pointer()."""

    order = "once"


class PlantsBehindFence(PlantsPlainly):
    """The same behind an smp_wmb()."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        for op in super().munmap(mapping):
            if op.name == "vma_iter_store":
                yield smp_wmb()
            yield op


class Guesses(Plants):
    """What is read does not depend on what was found."""

    def walk(self) -> Op:
        return find_vma().but(order="cut")


def design(name: str, patch: type) -> Variant:
    """A variant of one patch."""
    return Variant(f"weak-{name}", "two threads, a few words", "v0", "a test", (patch,))


VARIANTS = [
    design("fences", Fences),
    design("no-wmb", NoFence),
    design("no-rmb", NoReadFence),
    design("orders", Orders),
    design("no-release", NoRelease),
    design("no-mb", NoBarrier),
    design("both", Both),
    design("counts", Counts),
    design("buffers", Buffers),
    design("publishes", Publishes),
    design("copies", Copies),
    design("racy", Racy),
    design("ordered", Ordered),
    design("unordered", Unordered),
    design("drops", Drops),
    design("plants", Plants),
    design("plants-plainly", PlantsPlainly),
    design("plants-behind-fence", PlantsBehindFence),
    design("guesses", Guesses),
]
