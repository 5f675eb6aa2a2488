"""What the model leaves out: the one table behind every report's end and docs/limits.md.

``make limits`` writes the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Area = Literal["both", "checking", "comparing"]


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that no table (``comparing``), no verdict (``checking``), or neither (``both``) can tell.

    ``title`` and ``text`` are the entry of docs/limits.md, in Markdown; a report says ``sentence`` of it ("":
    nothing).
    """

    area: Area
    title: str
    text: str
    sentence: str = ""


WEAK_MEMORY = Limit(
    "both",
    "Weak memory.",
    "Memory is sequentially consistent unless `check --memory lkmm` is asked for: a store is seen by all at "
    "once, in program order. Bugs that need less, such as V6 (a missing acquire or release of `mm_lock_seq`) "
    "and R4 (a read lock that is taken without acquire), are not found without the option; with it, only the "
    "words that a text declares weak are ([weak memory](weak-memory.md)): not page-table entries, slots of "
    "the VMA tree or of the page cache, though what is found by them is looked at where a barrier is "
    "missing. Load buffering is not explored at all.",
    "Memory is sequentially consistent unless --memory lkmm is asked for: without it, bugs that need weak "
    "memory (such as V6, a missing acquire or release of mm_lock_seq, and R4, a read lock taken without "
    "acquire) cannot be found.",
)
SIZE = Limit(
    "checking",
    "Size.",
    "*Safe* is about the threads, VMAs and pages of that race. Bugs of these designs have needed two "
    "or three threads, but nothing proves that the next one does.",
    "A safe verdict is about the race's own threads, VMAs and pages, not about larger ones.",
)
LIMITS = (
    WEAK_MEMORY,
    Limit(
        "both",
        "Page tables above the last level, file systems' own locks, MMU notifiers' subscribers.",
        "",
        "There are no page tables above the last level, no locks of file systems, no subscribers of "
        "MMU notifiers.",
    ),
    Limit(
        "both",
        "Huge pages and NUMA hints",
        "have no entry in the state: a fault may find one where its mapping may have some, does what "
        "the kernel does, and changes nothing. No load has any. khugepaged takes page tables away, "
        "but puts no huge page in their place: an anonymous range gets its table back, as after a "
        "collapse that failed.",
        "A fault may find a huge page or a NUMA hint in a race; none is ever made, and no load has any.",
    ),
    Limit(
        "checking",
        "Migration",
        "is that of a file's page, which keeps its folio: nobody sees where the page went, and a copy "
        "that comes too early loses no write. Anonymous pages stay where they are. Page tables that "
        "madvise empties are reclaimed where its range is made of whole ones.",
    ),
    Limit(
        "both",
        "Swap",
        'is written only in races that say so (`swap = "synchronous"`): there each page has one slot, '
        "which is worse than the kernel, whose next slot may be another, and its VMA stays, for the "
        "lock of its anon_vma is not modelled. Elsewhere pages are in swap from the start, and "
        "reclaim takes none there. A page leaves the swap cache when it is mapped, and none is shared "
        "by fork or moved by mremap. There are no errors, no special entries, and of swapoff only its walk "
        "over the VMAs, which brings no page back.",
        "Outside races of a synchronous swap device, reclaim takes file pages only.",
    ),
    Limit(
        "checking",
        "Pins",
        "(`pin`, `dma`, `poke` in races) are of one page of a private mapping, and for long; every design "
        "has PG_anon_exclusive of v5.19, also those of kernels that had not. A write to a page of a "
        "file that is pinned through a shared mapping is not modelled, nor is a page that is "
        "got without a pin (FOLL_GET) beyond mmap_lock. KSM write-protects pages; which of them are equal "
        "is left out.",
    ),
    Limit(
        "both",
        "One pmd lock",
        "for the whole address space; the kernel has one per GiB.",
        "An address space has one pmd lock; the kernel has one per GiB.",
    ),
    Limit(
        "both",
        "rwsems hand over in strict FIFO order:",
        "no lock stealing, no hand-off timeout. A writer spins for a bounded time.",
        "rwsems hand over in strict FIFO order: running writers steal no lock.",
    ),
    Limit(
        "both",
        "VMAs.",
        "A system call's range is one VMA, or the tail of the heap. Only a race that says so merges "
        "two; an anonymous mmap next to another one would extend it in the kernel (and v6.12 would "
        "write-lock the neighbour). fork copies one VMA, and the child shares its anon_vma (the "
        "kernel's child has one of its own besides); only one that fails has a second one, for which "
        "there is no memory. mremap goes to a place that lies in its page tables as the source does. A "
        "stack grows by one page.",
        "VMAs merge only where a race asks for it, and fork copies one VMA.",
    ),
    Limit(
        "both",
        "A miss in the page cache",
        "reads one page; readahead marks are not modelled.",
        "A miss in the page cache reads one page: there is no readahead.",
    ),
    Limit(
        "both",
        "The core is v5.12,",
        "and the versions of the designs are those that `spfvar show` names. A patch against another "
        "kernel is compared as if it had been written for that one.",
        "What a variant does not replace is as in v5.12, whatever kernel its patches were written for.",
    ),
    SIZE,
    Limit(
        "checking",
        "The races that there are.",
        "A hole that no race comes by is not found, though `spfvar hunt` writes small ones "
        "itself; `spfvar show` says what a race is about, and "
        "*safe\\** marks one whose interesting place was never reached.",
    ),
    Limit(
        "checking",
        "The text.",
        "What is checked is the protocol as somebody wrote it down here, not the patch's C. The "
        "kernel functions are named beside each step so that the two can be compared.",
        "What is checked is the protocol as it is written down here, not the patch's C.",
    ),
    Limit(
        "checking",
        "Sequence counts",
        "have ten bits in a race: wrapping is possible, but no race runs so many writers.",
    ),
    Limit(
        "checking",
        "CPUs.",
        "A thread has a CPU to itself; other tasks get it only where a race says `schedule`. A TLB flush "
        "raises tlb_gen and looks at every CPU in one step, and one that may free page tables says so "
        "whether there are any or not.",
    ),
    Limit(
        "checking",
        "P15:",
        "that a reader of several VMAs shows no gap that was never there is no property of races (a test of "
        "the design that reads maps by VMA looks for one).",
    ),
    Limit(
        "checking",
        "Nodes of the VMA tree",
        "are objects only where a design replaces them by primitives of its own (`spfvar.mm.maple_tree`), as "
        "no shipped one does; elsewhere P5 is about a whole tree, which exit destroys.",
    ),
    Limit(
        "checking",
        "Time.",
        "A livelock is reported if no way leads to an end; a retry that can go on for ever only under "
        "an unfair scheduler is none. Starvation is not looked for.",
    ),
    Limit(
        "comparing",
        "Local costs",
        "scale by one factor per machine; how a fault's time divides between exception, zeroing, "
        "charging and the rest is an estimate. Loads that do not zero pages (file-read) lean on it "
        "most.",
    ),
    Limit(
        "comparing",
        "Queues.",
        "Lines, locks and wake-ups are served in FIFO order; real rwsems let running writers steal a "
        "free lock.",
    ),
    Limit(
        "comparing",
        "Sizes.",
        "Regions of the will-it-scale loads are 2 MiB by default; `--set region=128MiB` runs the "
        "published size, in whole rounds of 32,768 pages, which takes minutes. It is not the same load: "
        "with a VMA lock page-fault1 at 56 threads gains x1.3 there and x1.9 to x2.1 at 2 MiB, and the "
        "median call takes x27 and x10 as long as under mmap_lock.",
    ),
    Limit(
        "comparing",
        "Loads that take long to settle.",
        "Threads that map and unmap meet at mmap_lock and stay together, for nothing disturbs a simulated "
        "thread. Where faults do without mmap_lock, it takes ten rounds until all have met, and at 4 to 16 "
        "threads hundreds, or they part again, and seeds differ. There an interval may not hold what a "
        "longer window gives. With a window 20 times as long, 3 of 36 cells of page-fault1 to 3 move by "
        "more than their interval over seeds, all under a VMA lock: -4.2 % and -2.5 % (page-fault1 and 2, 4 "
        "threads), "
        "+2.0 % (page-fault3, 56). With one 10 times as long so did maps-reader with 4 threads under "
        "mmap_lock (+19 %), memcg-thrash with 56 and a retry under the VMA lock (20 times: +24 %), and "
        "gc-stop with 56 (-1.2 %). No run says so of itself; `python -m benchmarks.windows` shows every "
        "cell beside the longer window.",
    ),
    Limit(
        "comparing",
        "Shared locks of the allocator.",
        "The LRU and zone locks are one per socket; page colouring does not exist, and nothing is "
        "reclaimed but by a load's own reclaimers.",
    ),
    Limit(
        "comparing",
        "A forked child",
        "ends at once, on its parent's CPU; while it lives, a write to a shared page is taken as the "
        "last user's. Forks copy the mappings of one region, not of the whole process.",
    ),
    Limit(
        "comparing",
        "Reclaim",
        "in a load goes round the pages of a file one by one, each with a TLB flush of its own if it "
        "is mapped; the kernel flushes in batches. What it may take is not bounded by any size of "
        "memory, nor driven by demand.",
    ),
    Limit(
        "comparing",
        "SMT",
        "slows both siblings by a constant; an idle sibling of a blocked thread is not given its speed back.",
    ),
    Limit(
        "comparing",
        "Struct layouts",
        "are x86-64's, as distributions configure it, of six kernels: v4.15 (to v5.3), v5.12, "
        "v5.13 (from v5.12.12 on), v6.1, v6.5 (to v6.14) and v6.15. v6.1 and v6.5 are compiled and measured, "
        "the others read in the source and added up. A variant has the layout of its kernel, or the nearest "
        "before it: v6.4 has v6.1's, v6.17 and v7.0 have v6.15's; the series that are older than v5.11 have "
        "v5.12's, whose paths they run over. One member more moves a hot one to another line: half of "
        "what speculative ->fault() gains over lockless ->map_pages() in file-cow hangs on mmap_seq being on "
        "mmap_lock's line ([reading a table](reading-a-table.md)). The sensitivity of a review moves "
        "the layout, and names the member. Each VMA is taken to begin a line, which slabs do only "
        "since v6.15; so is a vma_lock, of which they put eight on five lines. Members that no layout "
        "has (those of struct file, inode, address_space, anon_vma) have lines of their own.",
    ),
    Limit(
        "comparing",
        "Everything else a workload does.",
        "A load is faults and system calls; an application has more in it.",
        "A load is faults and system calls; an application has more in it.",
    ),
)

#: What a report says at its end.
SENTENCES = tuple(limit.sentence for limit in LIMITS if limit.sentence)
WEAK_SENTENCE = (
    "Memory is the kernel's model (LKMM) for the words that a design declares weak, without load buffering; "
    "the others are sequentially consistent (docs/weak-memory.md)."
)
#: The same of races that were searched under ``--memory lkmm``.
WEAK_SENTENCES = (WEAK_SENTENCE, *(text for text in SENTENCES if text != WEAK_MEMORY.sentence))
#: What every verdict of races is worth, and the same where room is scarce.
OF_VERDICTS = f"{WEAK_MEMORY.sentence} {SIZE.sentence}"
#: The same of searches under ``--memory lkmm``.
OF_WEAK_VERDICTS = f"{WEAK_SENTENCE} {SIZE.sentence}"
OF_VERDICTS_SHORT = "Races: memory is sequentially consistent, and a safe one says nothing of larger ones."
OF_WEAK_VERDICTS_SHORT = "Races: memory is LKMM's for weak words, and a safe one says nothing of larger ones."
