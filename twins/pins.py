"""Published bugs of get_user_pages: who pins a page that the process does not keep."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.primitives import at, load, test_register
from spfvar.plugins.variant import Twin


class ForkUnseen:
    """A lock-free pin does not look whether a fork has write-protected the page meanwhile."""

    @hookimpl
    def gup_fast_retry(self) -> Steps:
        return False
        yield


class WriteForgotten:
    """Once the copy is made that a write needs, the write is taken for a read: the VMA would forbid it."""

    @hookimpl(wrapper=True)
    def faultin_page(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._drop_foll_write(vmf, (yield))

    def _drop_foll_write(self, vmf: VmFault, fault: Steps) -> Steps:
        ret = yield from fault
        if isinstance(ret, VMFault) or not vmf.write:
            return ret
        yield load(at(o.vma, o.VM_WRITE), o.vm_page_prot)
        if (yield test_register(o.vm_page_prot, 1, "VM_WRITE")):
            return ret
        return replace(vmf, write=False)


TWINS = [
    Twin(
        bug="C1",
        title="a debugger's write goes to the file of a private mapping (Dirty COW)",
        source="19be0eaffa3a, CVE-2016-5195",
        fixed=fixed,
        race="poke-madvise",
        prop="P8",
        patches=(WriteForgotten,),
        description="The copy is thrown away between the fault that made it and the look that was to find it; "
        "what is there then is read from the file, and written to.",
    )
    for fixed in ("mmap-lock", "per-vma-6.12")
] + [
    Twin(
        bug="C2",
        title="a page is pinned without locks while fork makes it copy-on-write",
        source="57efa1fe5957",
        fixed=fixed,
        race="pin-fork",
        prop="P8",
        patches=(ForkUnseen,),
        description="fork found the page not pinned, the pin found its entry writable. The process's next "
        "write goes to a copy, and the device's to the page that the child has.",
    )
    for fixed in ("mmap-lock", "per-vma-6.12")
]
