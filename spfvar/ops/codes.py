"""Opcodes of the transition function and the columns of its program table.

Plain integers, because the compiled transition function treats them as constants.
"""

from __future__ import annotations

from typing import Final

# --- local to the thread: no other thread can see or influence them -------------------------
NOP: Final = 0
COUNT: Final = 1
SET_REG: Final = 2
ADD_REG: Final = 3
NEXT_ADDR: Final = 4
CHOOSE: Final = 5
MARK: Final = 6
TEST_REG: Final = 7
NEXT_TABLE: Final = 8
WINDOW: Final = 9
REG_EQUAL: Final = 10
ADD_REGS: Final = 11
END: Final = 12
# --- locks -------------------------------------------------------------------------------------
DOWN_READ: Final = 13
DOWN_READ_TRYLOCK: Final = 14
UP_READ: Final = 15
DOWN_WRITE: Final = 16
UP_WRITE: Final = 17
DOWNGRADE_WRITE: Final = 18
LOCK: Final = 19
TRYLOCK: Final = 20
UNLOCK: Final = 21
# --- words of memory ---------------------------------------------------------------------------
LOAD: Final = 22
LOAD_TEST: Final = 23
LOAD_ODD: Final = 24
STORE: Final = 25
STORE_REG: Final = 26
ADD: Final = 27
EQUALS_REG: Final = 28
EQUALS: Final = 29
INC_NOT_ZERO: Final = 30
DEC_AND_TEST: Final = 31
WAIT_EQUALS: Final = 32
LOAD_REF: Final = 33
STORE_REF: Final = 34
# --- lifetime, RCU, interrupts -----------------------------------------------------------------
ALLOC: Final = 35
FREE: Final = 36
CALL_RCU: Final = 37
RCU_READ_LOCK: Final = 38
RCU_READ_UNLOCK: Final = 39
RCU_GP_START: Final = 40
RCU_GP_WAIT: Final = 41
RCU_INVOKE: Final = 42
IRQ_DISABLE: Final = 43
IRQ_ENABLE: Final = 44
IPI_SEND: Final = 45
IPI_WAIT: Final = 46
SRCU_READ_LOCK: Final = 47
SRCU_READ_UNLOCK: Final = 48
BUG: Final = 49
# --- the VMA tree ------------------------------------------------------------------------------
FIND_VMA: Final = 50
TREE_STORE: Final = 51
TREE_ERASE: Final = 52
VMA_CONTAINS: Final = 53
# --- page tables -------------------------------------------------------------------------------
TOUCH: Final = 60
READ_PMD: Final = 61
PMD_SAME: Final = 62
PMD_POPULATE: Final = 63
PMD_CLEAR: Final = 64
READ_PTE: Final = 65
PTE_SAME: Final = 66
PTE_NONE: Final = 67
SET_PTE: Final = 68
PTE_MKWRITE: Final = 69
ZAP_PTES: Final = 70
CHANGE_PTES: Final = 71
FRESH_RANGE: Final = 72
PTE_TAKE: Final = 73
PTE_RESTORE: Final = 74
PTE_WRPROTECT: Final = 75
PMD_TAKE: Final = 76
OWN_SET_PTE: Final = 77
PMD_KEEP: Final = 78
# --- page cache --------------------------------------------------------------------------------
FOLIO_GET: Final = 80
NEXT_CANDIDATE: Final = 81
FOLIO_CREATE: Final = 82
FOLIO_DELETE: Final = 83
INSIDE_SIZE: Final = 84
REMOVE_MAPPING: Final = 85
# --- anonymous pages, reverse maps -----------------------------------------------------------
PAGE_ALLOC: Final = 90
PAGE_GET: Final = 91
PAGE_PUT: Final = 92
PAGES_PUT: Final = 93
PAGE_COPY: Final = 94
PAGE_RMAP: Final = 95
PAGE_OF: Final = 96
RMAP_NEXT: Final = 97
ENTRY_FOLIO: Final = 98
PAGE_DMA: Final = 99
# --- locks of ranges of addresses ----------------------------------------------------------------
RANGE_LOCK: Final = 100
RANGE_TRYLOCK: Final = 101
RANGE_WAIT: Final = 102
RANGE_UNLOCK: Final = 103
RANGE_DOWNGRADE: Final = 104
# --- which mm a CPU has loaded -------------------------------------------------------------------
SET_LOADED_MM: Final = 110
IS_LOADED_MM: Final = 111
TLB_GEN: Final = 112
SPECULATE: Final = 113
WRITE_CR3: Final = 114

NAMES: Final[dict[int, str]] = {
    value: name for name, value in dict(globals()).items() if name.isupper() and isinstance(value, int)
}
# --- columns of the program table (one row per node, 32-bit integers) --------------------------
C_OP: Final = 0
C_A_REG: Final = 1  # thread word that holds the object's index
C_A_BASE: Final = 2  # state word of the field in object 0
C_A_STRIDE: Final = 3
C_A_LIFE: Final = 4  # state word of object 0's lifetime, or A_IMMORTAL, or A_TYPESAFE
C_DST: Final = 5  # thread word written
C_SRC: Final = 6  # thread word read
C_SRC2: Final = 7
C_SRC3: Final = 8
C_IMM: Final = 9
C_IMM2: Final = 10
C_L_REG: Final = 11  # thread word of the object whose cache line is touched, or -1
C_L_BASE: Final = 12
C_L_MODE: Final = 13  # L_*, or 0: none
C_COST: Final = 14  # index into the cost table
C_FLAGS: Final = 15
C_L_OWNER: Final = 16  # the line of the rwsem's owner in object 0, where that is another, or -1
C_SUCC: Final = 17  # successors by outcome: C_SUCC + outcome
MAX_OUTCOMES: Final = 4
COLUMNS: Final = C_SUCC + MAX_OUTCOMES

L_READ: Final = 1
L_RMW: Final = 2  # read-modify-write
L_RMW_STORE: Final = 3  # the same, and a store to the owner right behind it if the last outcome came out

A_IMMORTAL: Final = -1  # objects that are never freed
A_TYPESAFE: Final = -2  # memory that stays of its type: a freed or recycled object may be looked at under RCU

FLAG_SHARED: Final = 1  # must be ordered with the other threads' ops
FLAG_SLEEPS: Final = 2  # a wait here gives up the CPU
FLAG_LINE: Final = 4  # touches a cache line that others touch too

# --- how much a range lock is asked for -----------------------------------------------------------
AS_IT_IS: Final = 0
WHOLE_TABLES: Final = 1
EVERYTHING: Final = 2

# --- groups of opcodes -------------------------------------------------------------------------
#: Opcodes above this one read or write what other threads can see.
LAST_LOCAL: Final = END
#: The last opcode of each group.
LAST_LOCK: Final = UNLOCK
LAST_WORD: Final = STORE_REF
LAST_LIFETIME: Final = BUG
LAST_TREE: Final = VMA_CONTAINS
LAST_TABLE: Final = PMD_KEEP
LAST_FOLIO: Final = REMOVE_MAPPING
LAST_PAGE: Final = PAGE_DMA
LAST_RANGE: Final = RANGE_DOWNGRADE

# --- what only a run under --memory lkmm executes; a text yields none of them (automata.weaken) ---------
#: Added to the code of an op on a word of memory that is weak.
WEAK: Final = 110
FENCE: Final = 120
SYNC_START: Final = 121
SYNC_WAIT: Final = 122
DEPEND: Final = 123
RMW_ADD: Final = 124
RMW_AND: Final = 125
RMW_OR: Final = 126
RMW_XOR: Final = 127
RMW_XCHG: Final = 128
RMW_CMPXCHG: Final = 129  # imm if it was imm2
RMW_ADD_UNLESS: Final = 130  # it was imm2
AT_MOST: Final = 145  # what VMA_CONTAINS asks of vm_start
ABOVE: Final = 146  # and of vm_end
FIRST_WEAK: Final = WEAK + LOAD
LAST_WEAK: Final = ABOVE
#: The last opcode that runs under sequential consistency.
LAST_STRONG: Final = WRITE_CR3

# --- results of a step that are no outcome -----------------------------------------------------
BLOCKED: Final = -1
VIOLATED: Final = -2

# --- a thread's fixed words --------------------------------------------------------------------
T_PC: Final = 0
T_WAIT: Final = 1  # 0 no, 1 queued, 2 granted
T_WNEXT: Final = 2
T_WKIND: Final = 3  # 1 reader, 2 writer
T_RCU_NEST: Final = 4
T_RCU_PHASE: Final = 5
T_IRQ_OFF: Final = 6
T_IPI_PENDING: Final = 7  # acknowledgements this thread still waits for
T_FIXED: Final = 8

# --- lifetime values ---------------------------------------------------------------------------
LIVE: Final = 1
PENDING_NEXT: Final = 2  # queued by call_rcu or call_srcu, its grace period has not started
PENDING_WAIT: Final = 3  # its grace period is running
#: A free object holds -(next free + 2); the end of the list is -1.
FREE_END: Final = -1
#: Added (as G_STALE) to a reference whose object was freed behind its holder's back.
STALE: Final = 1 << 28
SMALL_STALE: Final = 1 << 13  # for states of 16-bit words

# --- what a slot of the VMA tree holds besides a VMA + 1, or 0 for nothing ---------------------
TREE_DESTROYED: Final = -1  # the tree has no nodes any more: nobody may look there
TREE_ZERO_ENTRY: Final = -2  # XA_ZERO_ENTRY, where a fork failed: not to be taken for a VMA

# --- page-table entry bits ---------------------------------------------------------------------
PTE_PRESENT: Final = 1
PTE_WRITE: Final = 2
PTE_ANON: Final = 4
PTE_DIRTY: Final = 8
PTE_ZERO: Final = 16
PTE_MIGRATION: Final = 32  # of an entry that is not present: its page is being migrated
PTE_FOLIO_SHIFT: Final = 6
#: An entry that is not present: the folio above the bits is the slot that the page is in.
PTE_SWAP: Final = PTE_DIRTY
#: An entry of a TLB: a flush of its page has passed the CPU by, which is behind the mm's tlb_gen since.
TLB_BEHIND: Final = PTE_MIGRATION
#: The same of an entry for a page table, which holds the table's number + 1.
WALK_BEHIND: Final = 1 << 10

# --- what a CPU has loaded (cpu_tlbstate: loaded_mm, is_lazy) ----------------------------------
MM_LOADED: Final = 0  # the mm, one of whose threads it runs
MM_LAZY: Final = 1  # the mm, which a kernel thread has borrowed
MM_SWITCHING: Final = 2  # LOADED_MM_SWITCHING: CR3 is about to change
MM_OTHER: Final = 3

# --- how an entry is set, a bit each ------------------------------------------------------------
OVER_MIGRATION: Final = 1  # it may replace a migration entry
NEW_MAPPING: Final = 2  # nothing was mapped there before: what the page holds is what is expected

# --- how an entry that was taken is set again -----------------------------------------------------
COPIED: Final = 0  # as that of another address is, which keeps it
MOVED: Final = 1  # at another address
PUT_BACK: Final = 2  # where it was
PUT_BACK_READ_ONLY: Final = 3

# --- pins ----------------------------------------------------------------------------------------
#: A pin is so many references, GUP_PIN_COUNTING_BIAS: more than a page has otherwise.
PIN_BIAS: Final = 64

# --- marks: what the simulator's meters want to know -------------------------------------------
MARK_FAULT_BEGIN: Final = 1
MARK_FAULT_END: Final = 2
MARK_WRITER_BEGIN: Final = 3
MARK_WRITER_END: Final = 4
MARK_ITERATION: Final = 5

# --- violations --------------------------------------------------------------------------------
V_NONE: Final = 0
V_NULL: Final = 1
V_USE_AFTER_FREE: Final = 2
V_STALE_REFERENCE: Final = 3
V_UNBALANCED: Final = 4
V_NO_MEMORY: Final = 5
V_SLEEP_IN_ATOMIC: Final = 6
V_OVERWRITE: Final = 7
V_TLB: Final = 8
V_PTE_LEFT: Final = 9
V_TABLE_LEFT: Final = 10
V_PROTECTION: Final = 11
V_WRONG_PAGE: Final = 12
V_TRUNCATED: Final = 13
V_REFCOUNT: Final = 14
V_LOST_WRITE: Final = 15
V_RMAP: Final = 16
V_LOCK_LEFT: Final = 17
V_TABLE_OVERWRITE: Final = 18
V_OUTSIDE_RCU: Final = 19
V_DEADLOCK: Final = 20
V_LIVELOCK: Final = 21
V_STALE_COPY: Final = 22
V_SEQUENCE_LEFT: Final = 23
V_BUG: Final = 24
V_TABLE_IN_USE: Final = 25
V_MIGRATION_UNLOCKED: Final = 26
V_MIGRATION_LEFT: Final = 27
V_TREE_DESTROYED: Final = 28
V_ZERO_ENTRY: Final = 29
V_TLB_BEHIND: Final = 30
V_TABLE_CACHED: Final = 31
VIOLATIONS: Final = (
    "none",
    "access through a null reference",
    "access to a freed object",
    "access to a recycled object",
    "a lock or section is released that is not held",
    "the model ran out of objects of this class",
    "sleeping in an RCU or interrupts-off section",
    "a present page-table entry is overwritten",
    "a page is freed that a CPU can still reach through its TLB",
    "a page-table entry is left where nothing is mapped",
    "a page table is left where nothing is mapped",
    "a page-table entry allows what its VMA forbids",
    "a page-table entry maps a page of another object or offset",
    "a page-table entry maps a page that has left its file",
    "a reference count does not match the references",
    "a write of the user's is lost",
    "an anonymous page is mapped that its VMA's reverse map does not know",
    "a lock is held by nobody alive",
    "a linked page table is overwritten by another",
    "memory of a recycled type is looked at outside an RCU section",
    "nobody can go on",
    "no way leads to an end",
    "a copy of an earlier mapping's page is put into a later mapping",
    "a sequence count is left odd: its write section never ended",
    "an assertion of the text's own does not hold",
    "a page table is freed that still maps a page",
    "the page of a migration entry is not locked: it is no longer being migrated",
    "a migration entry is left that nobody will replace",
    "a VMA is looked up in a tree that was destroyed",
    "an entry of the tree that a failed fork has left is taken for a VMA",
    "a CPU uses a TLB entry that it did not flush when others did",
    "a CPU walks a page table that was freed, for its TLB still leads there",
)

# --- positions in the table of global constants (G) --------------------------------------------
G_THREADS: Final = 0
G_T_BASE: Final = 1
G_T_STRIDE: Final = 2
G_VIOLATION: Final = 3  # state words: code, thread, node
G_RCU: Final = 4  # state words: phase, readers in phase 0, in phase 1, grace period running, pending
G_IPI: Final = 5  # state word: number of senders that wait
G_IPI_MASK: Final = 6  # state words of waited-for CPUs: sender * words + cpu // 31
G_IPI_WORDS: Final = 7
G_TREE: Final = 8
G_TREE_SHIFT: Final = 9  # log2 of the pages per slot
G_PMD: Final = 10
G_PT_SHIFT: Final = 11  # log2 of the entries of a page table
G_PTE: Final = 12
G_SEQ_MASK: Final = 13
G_R_ADDR: Final = 14
G_CLASSES: Final = 15  # number of object classes
G_STALE: Final = 16  # what a stale reference has added
G_TLB: Final = 17  # state words of TLB entries: thread * pages + page; 0: there are no TLBs
G_WRITES: Final = 18  # state words: the user's writes by page, -1: the content is undefined
G_PAGES: Final = 19  # pages of the address space
G_EPOCH: Final = 20  # state words: how often something was mapped there (with anonymous pages only)
G_SRCU: Final = 21  # state words: phase, readers in phase 0, in phase 1 (0: the run has no SRCU)
#: 0: all CPUs walk the same page tables.  Else each has its own, filled by its faults: with TLBs, these are
#: they; without, the state words of the sets of CPUs that have a page in theirs: page * words + cpu // 31.
G_OWN: Final = 22
G_KEEP: Final = 23  # 1: page tables may stay where nothing is mapped
G_SWAP_COUNT: Final = 24  # offset of these fields in a folio (0: no page has a swap slot of its own)
G_SWAP_DATA: Final = 25
G_EXCLUSIVE: Final = 26  # offset of PG_anon_exclusive in a page (0: nobody looks at it)
#: State words: the anonymous page (+ 1) that was pinned at an address and has to be there still; 0: none.
G_PINNED: Final = 27  # (0: nobody uses what is pinned)
G_LOADED: Final = 28  # state words: what each CPU has loaded (0: all run threads of the mm)
G_WALK: Final = 29  # state words: the page tables that each CPU's last walks came to (if G_LOADED)
G_FOLIO_MASK: Final = 30  # pages of a folio - 1: a page's number without these bits is its folio's
G_CLASS0: Final = 31  # per class, in the order of objects.CLASSES: the K_* words
CLASS_WORDS: Final = 7
K_BASE: Final = 0
K_STRIDE: Final = 1
K_COUNT: Final = 2
K_FREE: Final = 3  # state word: head of the free list
K_REF0: Final = 4  # thread words that refer to the class: first, and one past the last
K_REF1: Final = 5
K_KEPT: Final = 6  # first word of an object that its allocation leaves as it is
CLASS_MM: Final = 0
CLASS_VMA: Final = 1
CLASS_TABLE: Final = 2
CLASS_FILE: Final = 3
CLASS_FOLIO: Final = 4
CLASS_ANON_VMA: Final = 5
CLASS_PAGE: Final = 6
CLASS_POLICY: Final = 7
CLASS_NODE: Final = 8

# --- fixed field offsets that the transition function itself uses ------------------------------
#: Word 0 of an object with a lifetime is its life; objects.FIXED_FIELDS follow (a test compares).
VMA_START: Final = 1
VMA_END: Final = 2
VMA_FPUT: Final = 3
VMA_WRITE: Final = 4
VMA_FILE: Final = 5
VMA_ANON_VMA: Final = 6
VMA_LINKED: Final = 7
VMA_PGOFF: Final = 8
MM_COUNT: Final = 1
FILE_FOLIOS: Final = 1
FILE_REFS: Final = 2
FILE_OPEN: Final = 3
FILE_SIZE: Final = 4
ANON_VMA_REFS: Final = 1
PAGE_REFS: Final = 1
PAGE_DATA: Final = 2
PAGE_ANON_VMA: Final = 3
PAGE_INDEX: Final = 4
PAGE_EPOCH: Final = 5  # epoch of the page that this one is a copy of, + 1; 0: it is no copy
FOLIO_CACHED: Final = 0
FOLIO_UPTODATE: Final = 1
FOLIO_LOCK: Final = 2
FOLIO_REFS: Final = 5

# --- the scratch array of a step ---------------------------------------------------------------
OUT_AMOUNT: Final = 0  # page-table entries changed
OUT_ANON: Final = 1  # of them anonymous pages freed
OUT_WOKEN: Final = 2  # number of threads that got a lock
OUT_WOKEN0: Final = 3
OUT_TARGET0: Final = 3  # of an IPI in a run with page tables per CPU: 1 for each thread that is interrupted
