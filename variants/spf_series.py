"""The 2021 series patch by patch, as it is meant (`spf`) and as it was posted (`spf-posted`).

Titles and order are those of the RFC.  What a patch needs is what its code calls, builds on or switches on:
10 and 23, which only keep what 11 and 24 look at, can be left out, and `spfvar check` says what then breaks.
"""

from collections.abc import Sequence

from spfvar.plugins.repairs import Repair
from spfvar.plugins.series import Series, SeriesPatch
from spfvar.plugins.variant import Event

from . import spf_patches as p
from . import spf_posted as posted

EVENTS = (
    Event("spf_attempt", "attempt", "faults tried speculatively"),
    Event("spf_abort", "abort", "speculative faults done again under mmap_lock"),
    Event("spf_abort_odd", "reason", "a writer held mmap_lock when the fault began"),
    Event("spf_abort_unmapped", "reason", "no VMA at the address"),
    Event("spf_abort_no_speculate", "reason", "this kind of VMA or access does not speculate"),
    Event("spf_abort_vma_copy", "reason", "a writer began while the VMA was copied"),
    Event("spf_abort_access_error", "reason", "the VMA forbids the access"),
    Event("spf_abort_pmd", "reason", "no page table yet (once per 2 MiB), or a huge page"),
    Event("spf_abort_anon_vma", "reason", "the VMA has no anon_vma yet"),
    Event("spf_abort_swap_nopage", "reason", "the page is not in the swap cache"),
    Event("spf_abort_userfaultfd", "reason", "a userfaultfd monitor has to fill the page"),
    Event("spf_abort_pte_map_lock_seq1", "reason", "a writer began before the table was locked"),
    Event("spf_abort_pte_map_lock_pmd", "reason", "the page table was replaced"),
    Event("spf_abort_pte_map_lock_ptl", "reason", "the page table's lock was taken"),
    Event("spf_abort_pte_map_lock_seq2", "reason", "a writer began while the table was being locked"),
    Event("spf_abort_fault", "reason", "a writer began before ->fault or ->map_pages"),
)

CLEANUP = "a cleanup"
CONFIGURATION = "configuration: the model has what it switches on"
ARM64 = "arm64: the model has one architecture"
LOCKS_ALREADY = "it locks by pte_map_lock already, and needs no change here"
#: What the mails have otherwise (docs/findings.md).
PAGE_TABLE_ALLOCATED = Repair(
    ("H13",),
    "a speculative anonymous fault allocates a page table where there is none any more",
    posted=(posted.PostedPteAlloc,),
)
NOTIFIER_LEFT_OPEN = Repair(
    ("H7",),
    "a speculative copy that gives up leaves the MMU notifiers' section open",
    posted=(posted.NotifierWithoutEnd,),
)
FOLIO_LEAKS = Repair(
    ("H5",),
    "a speculative filemap_fault() that gives up keeps the page's reference",
    (p.SpeculativeFilemapFault,),
    (posted.LeakTheFolio,),
)
POLICY_FREED = Repair(("H4",), "a speculative fault reads a memory policy that is freed", (p.NoPolicy,))
TABLE_MOVED = Repair(
    ("S10",), "mremap moves a page table under a speculative fault's last check", (p.NoTableMove,)
)
TABLE_RETRACTED = Repair(
    ("N1",), "khugepaged frees a page table whose lock a speculative fault holds", (p.LockRetractedTable,)
)

NO_FS_LOCK = "the model has no lock of a file system around ->fault"


def _patch(
    number: int,
    title: str,
    *changes: type,
    needs: Sequence[int] = (),
    repairs: Sequence[Repair] = (),
    note: str = "",
) -> SeriesPatch:
    source = f"20210407014502.24091-{number + 1}-michel@lespinasse.org"
    return SeriesPatch(number, title, source, changes, tuple(needs), tuple(repairs), note)


SPF = Series(
    name="spf",
    title="Speculative page faults (RFC, April 2021)",
    kernel="v5.12-rc5",
    source="20210407014502.24091-1-michel@lespinasse.org",
    events=EVENTS,
    description="As intended. Patches 15, 19 and 25 are without the bugs of the mails, and 16 brings repairs "
    "(NoPolicy, NoTableMove, LockRetractedTable): a stack needs them once speculative faults map pages.",
    patches=(
        _patch(1, "mmap locking API: mmap_lock_is_contended returns a bool", note=CLEANUP),
        _patch(2, "mmap locking API: name the return values", note=CLEANUP),
        _patch(3, "do_anonymous_page: use update_mmu_tlb()", note=CLEANUP),
        _patch(4, "do_anonymous_page: reduce code duplication", note=CLEANUP),
        _patch(5, "mm: introduce CONFIG_SPECULATIVE_PAGE_FAULT", note=CONFIGURATION),
        _patch(6, "x86/mm: define ARCH_SUPPORTS_SPECULATIVE_PAGE_FAULT", needs=(5,), note=CONFIGURATION),
        _patch(7, "mm: add FAULT_FLAG_SPECULATIVE flag", note="a flag, for 8 and all behind it"),
        _patch(8, "mm: add do_handle_mm_fault()", p.DoHandleMmFault, needs=(7,)),
        _patch(9, "mm: per-mm mmap sequence counter", p.MmapSeq, needs=(5,)),
        _patch(10, "mm: rcu safe vma freeing", p.RcuVmaFree, needs=(5,)),
        _patch(11, "x86/mm: attempt speculative mm faults first", p.SpeculativeEntry, needs=(6, 8, 9)),
        _patch(12, "mm: refactor __handle_mm_fault()/handle_pte_fault()", note=CLEANUP),
        _patch(
            13, "mm: implement speculative handling in __handle_mm_fault()", p.SpeculativeWalk, needs=(8, 12)
        ),
        _patch(14, "mm: add pte_map_lock() and pte_spinlock()", p.PteMapLock, needs=(9, 13)),
        _patch(
            15,
            "mm: implement speculative handling in do_anonymous_page()",
            p.SpeculativeAnonymous,
            needs=(14,),
            repairs=(PAGE_TABLE_ALLOCATED,),
        ),
        _patch(
            16,
            "mm: enable speculative fault handling through do_anonymous_page()",
            p.EnableAnonymous,
            needs=(8, 11, 13, 15),
            repairs=(POLICY_FREED, TABLE_MOVED, TABLE_RETRACTED),
        ),
        _patch(
            17,
            "mm: implement speculative handling in do_numa_page()",
            needs=(14,),
            note="it locks by pte_map_lock, and so needs nothing here",
        ),
        _patch(18, "mm: enable speculative fault handling in do_numa_page()", p.EnableNuma, needs=(16, 17)),
        _patch(
            19,
            "mm: implement speculative handling in wp_page_copy()",
            needs=(14,),
            repairs=(NOTIFIER_LEFT_OPEN,),
            note="its anon_vma check is that of 15 here",
        ),
        _patch(
            20,
            "mm: implement and enable speculative fault handling in handle_pte_fault()",
            p.SpeculativePresent,
            needs=(16, 19),
        ),
        _patch(21, "mm: implement speculative handling in do_swap_page()", p.SpeculativeSwap, needs=(14,)),
        _patch(
            22, "mm: enable speculative fault handling through do_swap_page()", p.EnableSwap, needs=(16, 21)
        ),
        _patch(23, "mm: rcu safe vma->vm_file freeing", p.RcuFilePut, needs=(10,)),
        _patch(24, "mm: implement speculative handling in __do_fault()", p.SpeculativeDoFault, needs=(9,)),
        _patch(
            25,
            "mm: implement speculative handling in filemap_fault()",
            p.SpeculativeFilemapFault,
            needs=(24,),
            repairs=(FOLIO_LEAKS,),
        ),
        _patch(
            26,
            "mm: implement speculative handling in finish_fault()",
            needs=(14, 24),
            note="it skips checks of the pmd that a present table skips here anyway",
        ),
        _patch(
            27,
            "mm: implement speculative handling in do_fault_around()",
            p.SpeculativeFaultAround,
            needs=(9,),
        ),
        _patch(
            28,
            "mm: implement speculative handling in filemap_map_pages()",
            p.SpeculativeMapPages,
            needs=(14, 27),
        ),
        _patch(
            29,
            "fs: list file types that support speculative faults",
            needs=(25, 28),
            note="data: the files of a scenario support them",
        ),
        _patch(
            30,
            "mm: enable speculative fault handling for supported file types",
            p.SpeculativeFileTypes,
            needs=(16, 24, 26, 28, 29),
        ),
        _patch(31, "ext4: implement speculative fault handling", needs=(29,), note=NO_FS_LOCK),
        _patch(32, "f2fs: implement speculative fault handling", needs=(29,), note=NO_FS_LOCK),
        _patch(
            33,
            "mm: enable speculative fault handling only for multithreaded user space",
            p.MultithreadedOnly,
            needs=(11,),
        ),
        _patch(
            34,
            "mm: rcu safe vma freeing only for multithreaded user space",
            p.RcuVmaFreeIfShared,
            needs=(10,),
        ),
        _patch(35, "mm: spf statistics", needs=(11,), note="every stack counts, for the tables of events"),
        _patch(36, "arm64/mm: define ARCH_SUPPORTS_SPECULATIVE_PAGE_FAULT", needs=(5,), note=ARM64),
        _patch(37, "arm64/mm: attempt speculative mm faults first", needs=(8, 9, 36), note=ARM64),
    ),
)

SERIES = [
    SPF,
    SPF.as_posted(
        title="Speculative page faults as posted",
        description="With the bugs of the mails (docs/findings.md): H13 in 15, H7 in 19, H5 in 25; without "
        "the repairs of 16, so with H1, H4 and N1.",
    ),
]
