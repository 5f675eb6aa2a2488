"""``struct vm_fault`` and its results: the facts that are known when an automaton is built."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from enum import IntFlag

from spfvar.automata.outline import spell_outcome


class VMFault(IntFlag):
    """``vm_fault_t`` (include/linux/mm_types.h); NONE is success."""

    NONE = 0
    OOM = 1
    SIGBUS = 2
    MAJOR = 4
    SIGSEGV = 0x40
    NOPAGE = 0x100
    LOCKED = 0x200
    RETRY = 0x400
    COMPLETED = 0x4000  # v6.0 and later: done, and the lock was dropped on the way
    RETRY_VMA = 0x8000  # proposed in 2026: with RETRY, the VMA's lock will do again
    RETRY_HARD = 0x10000  # proposed in 2026: with RETRY, only mmap_lock will do
    ERROR = OOM | SIGBUS | SIGSEGV


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a region's VMA is, as far as the fault path branches on it.

    ``fault_around`` is the window in pages (1: switched off), ``map_pages`` and ``speculative`` tell
    whether ``vm_ops->map_pages`` exists and whether the file system allows a speculative ``->fault``,
    ``growsdown`` whether it is a stack, ``policy`` whether it may have a memory policy,
    ``neighbours`` whether an adjacent VMA may share its anon_vma, ``protected`` whether the VMA may forbid
    writes, ``userfault`` whether it is registered with a userfaultfd for missing pages,
    ``write_notify`` whether a shared mapping wants to see the first write to each page,
    ``reclaims`` whether the allocation of a page table may wait for writeback, ``contested`` whether
    something else may be mapped at its place (then mmap, and a stack that grows, look before they take it),
    ``whole_tables`` whether calls on the VMA zap whole page tables, that may be left empty, ``migrates``
    whether its pages may be migrated, ``offset`` whether it may begin behind its file's first page,
    ``monitors`` how many threads fill its missing pages (0: not looked at), ``write_protects`` whether they
    write-protect pages, ``reaped`` whether somebody may reap it while its process ends, ``pinned`` whether
    get_user_pages may pin its pages (only then is PG_anon_exclusive looked at), ``read`` whether
    somebody reads its file by read(2) (only then does it matter what a folio holds).

    ``swapped``: an absent entry of a page table is a swap entry; ``synchronous``: only one that says so, for
    the swap device is synchronous, and pages come and go. ``numa``: a present entry may be a NUMA hint,
    ``huge``: the entry of the page table may map a huge page, ``uffd_wp``: a write-protected one may be so
    for a userfaultfd's monitor; these three are open outcomes, for the entries themselves have no place in
    the state. ``folio_pages``: pages of each folio of its file.
    """

    anonymous: bool = True
    shared: bool = False
    fault_around: int = 16
    map_pages: bool = True
    speculative: bool = True
    neighbours: bool = False
    write_notify: bool = False
    protected: bool = False
    growsdown: bool = False
    policy: bool = False
    userfault: bool = False
    reclaims: bool = False
    contested: bool = False
    whole_tables: bool = False
    migrates: bool = False
    offset: bool = False
    reaped: bool = False
    monitors: int = 0
    write_protects: bool = False
    pinned: bool = False
    read: bool = False
    swapped: bool = False
    synchronous: bool = False
    numa: bool = False
    huge: bool = False
    uffd_wp: bool = False
    folio_pages: int = 1


@dataclass(frozen=True, slots=True)
class VmFault:
    """A fault as the text of a path sees it: immutable, so that a callee is extracted once.

    ``flags`` are the FAULT_FLAG_* names that are set (``TRIED``, and what patches add);
    the numbers (address, VMA, sequence count, PTE) live in registers.  ``user`` is FAULT_FLAG_USER: a fault
    from kernel mode (copy_from_user and the like) does not have it.
    """

    write: bool
    mapping: Mapping
    flags: frozenset[str] = field(default_factory=frozenset)
    user: bool = True

    def has(self, flag: str) -> bool:
        """Is FAULT_FLAG_``flag`` set?"""
        return flag in self.flags

    @property
    def breaks_cow(self) -> bool:
        """Will it not do with a page that others may have, too?"""
        return self.write or UNSHARE in self.flags

    def set(self, *flags: str) -> VmFault:
        """The fault with more flags."""
        return replace(self, flags=self.flags | set(flags))

    def clear(self, *flags: str) -> VmFault:
        """The fault with fewer flags."""
        return replace(self, flags=self.flags - set(flags))


#: Flags that the core itself knows.
TRIED = "TRIED"  # the lock was dropped once; it may not be dropped again
PMD_NONE = "PMD_NONE"  # the walk found no page table
PTE_MAPPED = "PTE_MAPPED"  # vmf->pte is the entry that the walk found: its own table's lock is taken
FORCE = "FORCE"  # FOLL_FORCE: whoever looks at the memory as a debugger may write where the process may not
UNSHARE = "UNSHARE"  # FAULT_FLAG_UNSHARE: a read that wants a page of the process's own, to pin it
VMA_COPY = "VMA_COPY"  # the VMA's fields were copied into registers; the VMA itself is not read


def spell(value: Hashable) -> str:
    """An outcome or a result as the kernel spells it, e.g. 0 or VM_FAULT_RETRY."""
    if isinstance(value, VMFault):
        return "|".join(f"VM_FAULT_{flag.name}" for flag in value) or "0"
    if isinstance(value, VmFault):
        return "no page table" if value.has(PMD_NONE) else ""
    if isinstance(value, tuple):
        return ", ".join(text for text in map(spell, value) if text)
    return spell_outcome(value)
