"""A plugin for the tests of weak memory: what is found by a pointer that was published, or was not."""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.orders import smp_mb, smp_rmb, smp_wmb
from spfvar.ops.paging import (
    filemap_get_folio,
    pmd_populate,
    read_pmd,
    read_pte,
    set_pte_file,
    set_pte_zero,
    vm_normal_page,
)
from spfvar.ops.places import Field
from spfvar.ops.primitives import (
    allocate,
    at,
    bug_on,
    call_rcu,
    find_vma,
    free,
    load,
    load_nonzero,
    load_ref,
    rcu_read_lock,
    rcu_read_unlock,
    set_register,
    store,
    store_ref,
    store_register,
    tree_store,
)
from tests.explore.weakly import DATA, STRONG, design, read_data

TOLD = Field(o.FOLIO, "told", weak=True)
GROWN = Field(o.VMA, "grown", initial=1, weak=True)


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


class PlantsStrong(Plants):
    """A strong word of the new VMA, which comes with the pointer."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield rcu_read_lock()
        if (yield find_vma()):
            yield load(at(o.vma, STRONG), o.scratch)
        yield rcu_read_unlock()
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        for op in super().munmap(mapping):
            if op.name == "vma_iter_store":
                yield store(at(o.new_vma, STRONG), 1)
            yield op


class PlantsStrongPlainly(PlantsStrong):
    """WRITE_ONCE() instead of rcu_assign_pointer(): it does not."""

    order = "once"


class PlantsBehindFence(PlantsPlainly):
    """The same behind an smp_wmb()."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        for op in super().munmap(mapping):
            if op.name == "vma_iter_store":
                yield smp_wmb()
            yield op


class PlantsBehindFullFence(PlantsPlainly):
    """The same behind an smp_mb()."""

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        for op in Plants.munmap(self, mapping):
            if op.name == "vma_iter_store":
                yield smp_mb()
            yield op


class Guesses(Plants):
    """What is read does not depend on what was found."""

    def walk(self) -> Op:
        return find_vma().but(order="cut")


class Links:
    """A page table that is linked behind an smp_mb(); and another one, whose text has no barrier, but is never linked."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
        yield smp_mb()
        yield pmd_populate()
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        if (yield read_pmd(o.table, o.range_start)):
            yield read_pte(False, o.range_start)

    @hookimpl
    def mprotect(self, mapping: object, writable: bool) -> Steps:
        yield allocate(o.prealloc_pte, "pte_alloc_one", "alloc_table")
        there = yield read_pmd(o.table, o.range_start)
        if there and not (yield read_pmd(o.table, o.range_start)):  # never: nobody unlinks it
            yield pmd_populate(o.prealloc_pte, o.range_start)
            return
        yield free(o.prealloc_pte, "pte_free", "free_table")


class Enters:
    """Message passing by an entry of a page table: smp_wmb before it is set, smp_rmb behind its load."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        if (yield read_pmd()):
            yield from self.tell()
        return VMFault.ERROR

    @hookimpl
    def munmap(self, mapping: object) -> Steps:
        if (yield read_pmd(o.table, o.range_start)) and (yield read_pte(False, o.range_start)) != "none":
            yield from self.look()

    def tell(self) -> Steps:
        """Store, and set the entry."""
        yield store(DATA, 1)
        yield smp_wmb()
        yield set_pte_zero()

    def look(self) -> Steps:
        """The entry was there."""
        yield smp_rmb()
        yield from read_data()


class EntersPlainly(Enters):
    """The writer has no barrier."""

    def tell(self) -> Steps:
        yield store(DATA, 1)
        yield set_pte_zero()


class EntersUnread(Enters):
    """The reader has none."""

    def look(self) -> Steps:
        yield from read_data()


class EntersFolio(Enters):
    """A page whose word is stored to before its entry is set: who finds it there depends on the entry."""

    @hookimpl
    def do_user_addr_fault(self, vmf: VmFault) -> Steps:
        yield find_vma()
        yield load_ref(at(o.vma, o.VM_FILE), o.vm_file)
        yield set_register(o.vm_start, 0)
        yield filemap_get_folio()
        yield from super().do_user_addr_fault(vmf)
        return VMFault.ERROR

    def tell(self) -> Steps:
        yield store(at(o.folio, TOLD), 1)
        yield from self.order()
        yield set_pte_file(False)

    def order(self) -> Steps:
        """Before the entry is set."""
        yield smp_wmb()

    def look(self) -> Steps:
        if (yield vm_normal_page()) == "file" and not (yield load_nonzero(at(o.folio, TOLD), o.scratch)):
            yield bug_on("old data")


class EntersFolioPlainly(EntersFolio):
    """Without that barrier."""

    def order(self) -> Steps:
        yield from ()


VARIANTS = [
    design("plants", Plants),
    design("plants-plainly", PlantsPlainly),
    design("plants-strong", PlantsStrong),
    design("plants-strong-plainly", PlantsStrongPlainly),
    design("plants-behind-fence", PlantsBehindFence),
    design("guesses", Guesses),
    design("plants-behind-full-fence", PlantsBehindFullFence),
    design("links", Links),
    design("enters", Enters),
    design("enters-plainly", EntersPlainly),
    design("enters-unread", EntersUnread),
    design("enters-folio", EntersFolio),
    design("enters-folio-plainly", EntersFolioPlainly),
]
