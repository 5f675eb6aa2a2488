"""The 2021 series as it was posted, where that differs from what it means: one patch per open question."""

from __future__ import annotations

from collections.abc import Generator

from spfvar.variants import spf_patches as p

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault, VmFault
from spfvar.ops import objects as o
from spfvar.ops.op import Steps
from spfvar.ops.paging import filemap_get_folio
from spfvar.ops.places import RWSEM_WORDS, Field
from spfvar.ops.primitives import at, down_read, equals, folio_trylock, folio_unlock, up_read
from spfvar.plugins.variant import Twin

#: Stands for mmu_notifier_invalidate_range_start() .. end(), which have to pair.
NOTIFIER = Field(o.MM, "notifier_subscriptions", RWSEM_WORDS, line="notifier")


class LeakTheFolio:
    """25/37 as posted: the exits of a speculative filemap_fault() keep find_get_page()'s reference."""

    @hookimpl(wrapper=True)
    def filemap_fault(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        intended = yield
        return self._filemap_fault() if vmf.has(p.SPECULATIVE) else intended

    def _filemap_fault(self) -> Steps:
        if not (yield filemap_get_folio()):
            return VMFault.RETRY
        if not (yield folio_trylock()):
            return VMFault.RETRY
        if not (yield equals(at(o.folio, o.UPTODATE), 1, "folio_test_uptodate")):
            yield folio_unlock()
            return VMFault.RETRY
        return VMFault.LOCKED


class NotifierWithoutEnd:
    """19/37 as posted: wp_page_copy() gives up behind the notifier's start, and skips its end."""

    @hookimpl(wrapper=True)
    def wp_page_copy(self, vmf: VmFault) -> Generator[None, Steps, Steps]:
        return self._copy((yield), vmf)

    def _copy(self, copy: Steps, vmf: VmFault) -> Steps:
        notifier = at(o.mm, NOTIFIER)
        yield down_read(notifier, "mmu_notifier_invalidate_range_start")
        ret = yield from copy
        if not (vmf.has(p.SPECULATIVE) and ret & VMFault.RETRY):
            yield up_read(notifier, "mmu_notifier_invalidate_range_end")
        return ret


TWINS = [
    Twin(
        bug="H5",
        title="a speculative filemap_fault() that gives up keeps the page's reference",
        source="20210407014502.24091-26-michel@lespinasse.org",
        fixed="spf-do-fault",
        race="reclaim-read",
        prop="P14",
        patches=(LeakTheFolio,),
        description="As posted in patch 25.",
    ),
    Twin(
        bug="H7",
        title="a speculative wp_page_copy() that gives up skips the end of the notifier's section",
        source="20210407014502.24091-20-michel@lespinasse.org",
        fixed="spf-anon",
        race="two-copies",
        prop="P14",
        patches=(NotifierWithoutEnd,),
        description="As posted in patch 19; the second version of the series ends it.",
    ),
]
