"""The 2021 speculative page faults as three stacks: anonymous only, the whole series, map_pages only.

As posted, but for three holes: `NoTableMove`, that was found in the field, `NoPolicy`, and
`LockRetractedTable`.
"""

from spfvar.plugins.variant import Event, Variant

from . import spf_patches as p

ANONYMOUS = (
    p.MmapSeq,
    p.RcuVmaFree,
    p.SpeculativeEntry,
    p.SpeculativeWalk,
    p.PteMapLock,
    p.SpeculativeAnonymous,
    p.SpeculativeNuma,
    p.SpeculativePresent,
    p.SpeculativeSwap,
)
LAST = (p.NoPolicy, p.NoTableMove, p.LockRetractedTable, p.MultithreadedOnly, p.RcuVmaFreeIfShared)

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

VARIANTS = [
    Variant(
        name="spf-anon",
        title="speculative faults, anonymous memory only",
        kernel="v5.12-rc5 + RFC 1-23, 33-35",
        source="20210407014502.24091-1-michel@lespinasse.org",
        patches=(*ANONYMOUS, p.RcuFilePut, *LAST),
        events=EVENTS,
        description="The series up to patch 23, with the gate of patches 33 and 34.",
    ),
    Variant(
        name="spf-do-fault",
        title="speculative faults, the whole series",
        kernel="v5.12-rc5 + RFC 1-35",
        source="20210407014502.24091-25-michel@lespinasse.org",
        patches=(
            *ANONYMOUS,
            p.RcuFilePut,
            p.SpeculativeDoFault,
            p.SpeculativeFilemapFault,
            p.SpeculativeFaultAround,
            p.SpeculativeFileTypes,
            *LAST,
        ),
        events=EVENTS,
        description="With speculative __do_fault(), so file reads and private file writes too.",
        rivals=("spf-map-pages",),
    ),
    Variant(
        name="spf-map-pages",
        title="speculative faults, file reads through map_pages only",
        kernel="v5.12-rc5 + RFC 1-23, 27, 28, 33-35",
        source="20210408071343.GJ2531743@casper.infradead.org",
        patches=(*ANONYMOUS, p.RcuFilePut, p.SpeculativeFaultAround, p.MapPagesOnly, *LAST),
        events=EVENTS,
        description="The reviewer's proposal: without patches 24-26 and 29-32.",
    ),
]
