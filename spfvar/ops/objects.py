"""The objects that every design shares, the fields the core needs, and a thread's registers.

Names are those of ``mm_struct``, ``vm_area_struct`` and ``vm_fault`` (include/linux/mm_types.h).
The first fields of vma, folio and file have fixed offsets: the transition function knows them.
"""

from __future__ import annotations

from typing import Final

from spfvar.ops.places import RWSEM_WORDS, SPIN_WORDS, Field, ObjectClass, Register, apart, member

MM: Final = ObjectClass("mm", struct="mm_struct")
VMA: Final = ObjectClass("vma", struct="vm_area_struct")
PAGE_TABLE: Final = ObjectClass("page_table", struct="page")
FILE: Final = ObjectClass("file")  # struct file, its inode and address_space
FOLIO: Final = ObjectClass("folio", lifetime=False, struct="page")
ANON_VMA_CLASS: Final = ObjectClass("anon_vma")
PAGE: Final = ObjectClass("page", struct="page")  # an anonymous page
MEMPOLICY: Final = ObjectClass("mempolicy")
#: A node of the VMA tree; what the tree finds is no word of it.  Only where somebody replaces nodes.
MAPLE_NODE: Final = ObjectClass("maple_node")
CLASSES: Final = (MM, VMA, PAGE_TABLE, FILE, FOLIO, ANON_VMA_CLASS, PAGE, MEMPOLICY, MAPLE_NODE)

# mm_struct
MMAP_LOCK: Final = Field(MM, "mmap_lock", RWSEM_WORDS)
PAGE_TABLE_LOCK: Final = Field(MM, "page_table_lock", SPIN_WORDS)
MM_USERS: Final = Field(MM, "mm_users")
MM_COUNT: Final = Field(MM, "mm_count", initial=1)  # keeps the mm_struct (mmgrab, mmdrop)
PGTABLES_BYTES: Final = Field(MM, "pgtables_bytes")
#: One lock for all page-middle directories (the kernel has one per GiB of address space).
PMD_LOCK: Final = Field(MM, "pmd_lock", SPIN_WORDS, apart("struct page of the PMD table"))
#: Odd while fork write-protects entries.
WRITE_PROTECT_SEQ: Final = Field(MM, "write_protect_seq", sequence=True)
#: Not a word of the state: what the nodes of the VMA tree are in.
MM_MT: Final = Field(MM, "mm_mt", 0, apart("nodes of the VMA tree"))
MA_ROOT: Final = Field(MM, "ma_root", where=member("mm_mt"))  # the node that a walk of the tree begins with

# vm_area_struct (these offsets are fixed); a reference in memory is the object's number + 1, or 0
VM_START: Final = Field(VMA, "vm_start", weak=True)
VM_END: Final = Field(VMA, "vm_end", weak=True)
#: The file whose last reference the freeing of the VMA drops.
VM_FPUT: Final = Field(VMA, "vm_fput", where=member("vm_file"))
VM_WRITE: Final = Field(VMA, "vm_page_prot", weak=True)  # 1: writable
VM_ANON_VMA: Final = Field(VMA, "anon_vma", weak=True)
VM_FILE: Final = Field(VMA, "vm_file")
VM_LINKED: Final = Field(VMA, "shared.rb")  # 1: in the interval tree of its file
VM_PGOFF: Final = Field(VMA, "vm_pgoff", weak=True)  # counted from the VMA's first start
#: Not at a fixed offset: only designs whose VMAs may change their mm read it.
VM_MM: Final = Field(VMA, "vm_mm", initial=1, weak=True)
VM_POLICY: Final = Field(VMA, "vm_policy")

# page table page
PTL: Final = Field(PAGE_TABLE, "ptl", SPIN_WORDS)
GATHER_NEXT: Final = Field(PAGE_TABLE, "gather_next")  # list of tables to be freed after the TLB flush
#: Not a word of the object: the table's entries.
PTES: Final = Field(PAGE_TABLE, "ptes", 0, apart("page table"))
#: 1: the entries are cleared, and the lock is free.  Only where that may be seen too late (automata.publish).
TABLE_READY: Final = Field(PAGE_TABLE, "initialised", where=apart("page table"), initial=1, weak=True)

# struct file and its address_space (offsets fixed)
FILE_FOLIO0: Final = Field(FILE, "i_pages")  # first folio of the file
F_COUNT: Final = Field(FILE, "f_count")
F_OPEN: Final = Field(FILE, "f_open")  # 1: a descriptor refers to it
I_SIZE: Final = Field(FILE, "i_size")  # in pages
I_MMAP_RWSEM: Final = Field(FILE, "i_mmap_rwsem", RWSEM_WORDS)

# folio of the page cache (offsets fixed)
CACHED: Final = Field(FOLIO, "cached", where=member("mapping"))
#: 1: what storage has of the page is in it.  Only runs that look at it without the folio's lock have it.
FOLIO_DATA: Final = Field(FOLIO, "data", where=apart("page"), weak=True)
UPTODATE: Final = Field(FOLIO, "uptodate", where=member("flags"), weak=FOLIO_DATA)
FOLIO_LOCK: Final = Field(FOLIO, "lock", SPIN_WORDS, member("flags"))
REFCOUNT: Final = Field(FOLIO, "refcount", where=member("_refcount"))
WRITEBACK: Final = Field(FOLIO, "writeback", where=member("flags"))  # PG_writeback

# a page's slot on a synchronous swap device, which is the folio that it is in the swap cache
SWAP_COUNT: Final = Field(FOLIO, "swap_count", where=apart("swap_map"))  # entries that refer to it
SWAP_HAS_CACHE: Final = Field(FOLIO, "swap_has_cache", SPIN_WORDS, apart("swap_map"))  # of a direct swap-in
SWAP_DATA: Final = Field(FOLIO, "swap_data", where=apart("swap device"))  # writes that the slot holds

# anon_vma and its pages (offsets fixed)
ANON_VMA_REFS: Final = Field(ANON_VMA_CLASS, "refcount")
#: PG_anon_exclusive: the page is one process's own.  Only runs that pin pages have it.
PAGE_EXCLUSIVE: Final = Field(PAGE, "anon_exclusive", where=member("flags"), weak=True)
#: Pins are part of it: who pins without locks, and who looks for pins, meet at no lock.
PAGE_REFS: Final = Field(PAGE, "refcount", where=member("_refcount"), weak=PAGE_EXCLUSIVE)
PAGE_DATA: Final = Field(PAGE, "data")  # writes that the page holds
PAGE_ANON_VMA: Final = Field(PAGE, "mapping")
PAGE_INDEX: Final = Field(PAGE, "index")
PAGE_EPOCH: Final = Field(PAGE, "epoch")

# mempolicy
POLICY_REFS: Final = Field(MEMPOLICY, "refcnt")
POLICY_MODE: Final = Field(MEMPOLICY, "mode")

# node of the VMA tree
#: The node itself, 1, once it is dead (mte_set_node_dead); only where somebody walks without the tree's lock.
MA_PARENT: Final = Field(MAPLE_NODE, "parent", weak=True)
MA_SLOT: Final = Field(MAPLE_NODE, "slot", weak=MA_PARENT)

FIXED_FIELDS: Final = {
    MM: (MM_COUNT,),
    VMA: (VM_START, VM_END, VM_FPUT, VM_WRITE, VM_FILE, VM_ANON_VMA, VM_LINKED, VM_PGOFF),
    FILE: (FILE_FOLIO0, F_COUNT, F_OPEN, I_SIZE),
    FOLIO: (CACHED, UPTODATE, FOLIO_LOCK, REFCOUNT),
    ANON_VMA_CLASS: (ANON_VMA_REFS,),
    PAGE: (PAGE_REFS, PAGE_DATA, PAGE_ANON_VMA, PAGE_INDEX, PAGE_EPOCH),
}

# --- registers: vm_fault and the locals of the paths -------------------------------------------
mm: Final = Register("mm", MM)
address: Final = Register("address")  # in pages
vma: Final = Register("vma", VMA)
near: Final = Register("near", VMA)  # the neighbour whose anon_vma may be shared
vm_page_prot: Final = Register("vm_page_prot")
anon_vma: Final = Register("anon_vma", ANON_VMA_CLASS)
old_anon_vma: Final = Register("old_anon_vma", ANON_VMA_CLASS)
vm_file: Final = Register("vm_file", FILE)
vm_start: Final = Register("vm_start")
vm_pgoff: Final = Register("vm_pgoff")
pgoff: Final = Register("pgoff")  # address + vm_pgoff, from which the page cache takes vm_start
vm_end: Final = Register("vm_end")
table: Final = Register("pmd_pgtable", PAGE_TABLE)  # vmf->pmd's table, as orig_pmd saw it
prealloc_pte: Final = Register("prealloc_pte", PAGE_TABLE)
gathered: Final = Register("gathered", PAGE_TABLE)  # head of the list of unlinked tables
orig_pte: Final = Register("orig_pte")
folio: Final = Register("folio", FOLIO)
page: Final = Register("page", PAGE)  # the new page of the fault
old_page: Final = Register("old_page", PAGE)
pinned_page: Final = Register("pinned_page", PAGE)  # by get_user_pages, for a device
gathered_pages: Final = Register("gathered_pages")  # set of zapped anonymous pages, a bit each
cursor: Final = Register("cursor")  # page address of a loop over pages or tables
limit: Final = Register("limit")  # its end
range_start: Final = Register("range_start")  # of a writer's system call
range_end: Final = Register("range_end")
new_vma: Final = Register("new_vma", VMA)
new_start: Final = Register("new_start")  # of the range that a mapping is moved or copied to
new_end: Final = Register("new_end")
delta: Final = Register("delta")  # new_start - range_start
new_cursor: Final = Register("new_cursor")  # cursor + delta
new_address: Final = Register("new_address")  # of one page of a loop over pages
extent_end: Final = Register("extent_end")  # where cursor's page table, or the range, ends
new_table: Final = Register("new_table", PAGE_TABLE)
stack_top: Final = Register("stack_top")  # the last page of the stack
child_mm: Final = Register("child_mm", MM)
vm_policy: Final = Register("vm_policy", MEMPOLICY)
old_policy: Final = Register("old_policy", MEMPOLICY)
mapped_file: Final = Register("mapped_file", FILE)  # the file that mmap() maps
swapper_space: Final = Register("swapper_space", FILE)  # the swap cache, a file of the pages in swap
swap_data: Final = Register("swap_data")  # what is read from a slot, or written to it
swap_start: Final = Register("swap_start")  # the address whose page is the first one of swapper_space
ma_node: Final = Register("mas_node", MAPLE_NODE)  # of a walk of the VMA tree
new_node: Final = Register("new_node", MAPLE_NODE)
touch_end: Final = Register("touch_end")
rmap_vma: Final = Register("rmap_vma", VMA)  # of a reverse-map walk
rmap_cursor: Final = Register("rmap_cursor")
file_start: Final = Register("file_start")  # of a call on a file, in pages
file_end: Final = Register("file_end")
index: Final = Register("index")  # page of a file
zap_start: Final = Register("zap_start")
reclaimed: Final = Register("reclaimed", FOLIO)  # the folio that reclaim waits for
range_lock_start: Final = Register("range_lock_start")  # of the thread's request for a range lock
range_lock_end: Final = Register("range_lock_end")
range_lock_entry: Final = Register("range_lock_entry")  # its place in the order of arrival, and its kind
range_lock_blocking: Final = Register("range_lock_blocking")  # how many requests it waits for
scratch: Final = Register("scratch")
counter: Final = Register("counter")
