"""A plugin for the tests of weak memory: two threads, two or three words, and barriers that are all needed, or not."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.truncate import over_pages
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.orders import smp_mb, smp_rmb, smp_wmb
from spfvar.ops.paging import (
    filemap_create_folio,
    filemap_get_folio,
    folio_put,
)
from spfvar.ops.places import Field, Register
from spfvar.ops.primitives import (
    add,
    at,
    bug_on,
    copy_register,
    dec_and_test,
    equals,
    find_vma,
    folio_unlock,
    ipi_send,
    ipi_wait,
    is_null,
    load,
    load_nonzero,
    load_ref,
    local_irq_disable,
    local_irq_enable,
    set_register,
    spin_lock,
    spin_unlock,
    store,
    store_ref,
    wait_equals,
)
from spfvar.ops.switching import set_loaded_mm
from spfvar.plugins.variant import Variant

DATA = at(o.mm, Field(o.MM, "data", weak=True))
FLAG = at(o.mm, Field(o.MM, "flag", weak=True))
STRONG = Field(o.VMA, "strong")
#: The first address space, whoever looks.
SPACE = Register("space", o.MM)
COPIED = Register("copied", o.VMA)
NEW = Field(o.VMA, "new", weak=True)
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


class Interrupted:
    """The same, where one side's barrier is an interrupt of the other's CPU, as in sys_membarrier()."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield from self.look()
        return VMFault.ERROR

    @hookimpl
    def show_map(self) -> Steps:
        yield from self.look()

    def look(self) -> Steps:
        """Store, and look, without a barrier."""
        yield set_register(SPACE, 0)
        yield store(at(SPACE, DATA.field), 1)
        if not (yield load_nonzero(at(SPACE, FLAG.field), o.counter)):
            yield from missed(SPACE)

    @hookimpl
    def madvise_dontneed(self, mapping: object) -> Steps:
        yield set_register(o.counter, 0)  # another CPU

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield store(FLAG, 1)
        yield smp_mb()
        yield from self.send()
        yield ipi_wait()
        if not (yield load_nonzero(DATA, o.counter)):
            yield from missed()

    def send(self) -> Steps:
        """A flush of the TLB."""
        yield ipi_send("flush_tlb_range", o.range_start, o.range_end)


class InterruptsAll(Interrupted):
    """The interrupt is no flush, and reaches every CPU."""

    def send(self) -> Steps:
        yield ipi_send("tlb_remove_table_sync_one")


class Leaves(Interrupted):
    """The fault's CPU has left the address space, and flushes pass it by."""

    def look(self) -> Steps:
        yield set_loaded_mm(c.MM_OTHER, "switch_mm_irqs_off")
        yield from super().look()


class Masked(Interrupted):
    """The fault has interrupts off, which a flush that was begun meanwhile waits for."""

    def look(self) -> Steps:
        yield set_register(SPACE, 0)
        yield local_irq_disable()
        yield store(at(SPACE, COUNT.field), 1)
        if (yield equals(at(SPACE, PLAIN.field), 1)):
            yield bug_on("the flush is over")
        yield local_irq_enable()

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        if (yield equals(COUNT, 1)):
            yield store(FLAG, 1)
            yield from self.send()
            yield ipi_wait()
            yield store(PLAIN, 1)


def missed(space: Register = o.mm) -> Steps:
    """Two threads must not both come here."""
    yield add(at(space, COUNT.field), 1)
    if (yield equals(at(space, COUNT.field), 2)):
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


class Fills:
    """Nine stores in a row, of which nobody reads any: a history has eight."""

    stores = 9

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        for value in range(1, self.stores + 1):
            yield store(DATA, value)
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield set_register(o.counter, 0)


class FillsReadably(Fills):
    """The same, of which somebody may still read each."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield load(DATA, o.scratch)


class FillsTheLongest(FillsReadably):
    """Sixteen of them: with the word's first value one more than any history has."""

    stores = 16


class ReadsTheOldest(Fills):
    """Who waits for the last of nine stores reads the word that they went to."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield from super().do_user_addr_fault(vmf)
        yield store(PLAIN, 1)
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield wait_equals(PLAIN, 1)
        yield from read_data()


class Lives:
    """A page of a file that comes back into the cache, with two stores to what it holds in each of its lives.

    Whoever has put it there the first time reads it in the second one: what he knew of it is nothing then.
    """

    @hookimpl
    def filemap_read(self) -> Steps:
        yield from over_pages()
        if (yield from self.create()) and (yield equals(COUNT, 1)) and (yield filemap_get_folio(o.index)):
            if not (yield equals(at(o.folio, o.FOLIO_DATA), 2)):
                yield bug_on("old data in the second life")
            yield folio_put()

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield from self.find(o.address)
        if (yield from self.create()):
            yield store(COUNT, 1)
        yield store(PLAIN, 1)
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        yield from self.find(o.range_start)
        yield wait_equals(PLAIN, 1)
        if (yield filemap_get_folio(o.index)):
            yield load(at(o.folio, o.FOLIO_DATA), o.scratch)
            yield folio_put()

    def create(self) -> Steps:
        """Put the page there, if it is not."""
        first = yield filemap_create_folio(o.index)
        if first:
            yield store(at(o.folio, o.FOLIO_DATA), 1)
            yield store(at(o.folio, o.FOLIO_DATA), 2)
            yield folio_unlock()
        yield folio_put()
        return first

    def find(self, key: Register) -> Steps:
        """The file of the VMA, and its first page."""
        yield find_vma(o.vma, key)
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield set_register(o.vm_start, 0)
        yield set_register(o.index, 0)


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
    design("interrupted", Interrupted),
    design("interrupts-all", InterruptsAll),
    design("leaves", Leaves),
    design("masked", Masked),
    design("publishes", Publishes),
    design("copies", Copies),
    design("racy", Racy),
    design("ordered", Ordered),
    design("unordered", Unordered),
    design("drops", Drops),
    design("fills", Fills),
    design("fills-readably", FillsReadably),
    design("fills-the-longest", FillsTheLongest),
    design("reads-the-oldest", ReadsTheOldest),
    design("lives", Lives),
]
