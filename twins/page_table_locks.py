"""What CortenMM's faults on page tables need beside the lock: taken out, as nobody has posted it."""

from __future__ import annotations

from spfvar.variants.cortenmm_calls import RcuTables

from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.op import Steps
from spfvar.ops.places import Register
from spfvar.plugins.variant import Twin


class NoStrayCheck:
    """Whoever has locked a page table goes on with it, linked or not."""

    @hookimpl
    def is_stray(self, leaf: Register) -> Steps:
        return False
        yield


TWINS = [
    Twin(
        bug="CM1",
        title="no look at the stray mark of a page table, once it is locked",
        source="10.1145/3731569.3764836",
        fixed="cortenmm-adv",
        race="remap-anon",
        prop="P4",
        patches=(NoStrayCheck,),
        description="The table was unlinked while its lock was waited for: RCU frees it under the fault.",
    ),
    Twin(
        bug="CM2",
        title="page tables are freed behind the TLB flush, without a grace period",
        source="10.1145/3731569.3764836",
        fixed="cortenmm-adv",
        race="munmap-anon",
        prop="P4",
        without=(RcuTables,),
        description="Between its lookup and its lock nothing but RCU keeps a fault's page table.",
    ),
]
