"""Migration of a page of a file: for a while its entries are neither none nor present.

Sources: mm/migrate.c unmap_and_move, remove_migration_pte, migration_entry_wait; mm/rmap.c
try_to_migrate_one.  A page of a file has one folio object, so the page stays the folio that it was, as after
a copy that failed; its content is not looked at.  Whoever else refers to it is not asked for.  Restored
entries are read-only (the kernel remembers in the entry whether it was not): the next write faults.
Anonymous pages are not migrated.
"""

from __future__ import annotations

from spfvar.mm import hookspecs as hooks
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.rmap import clear_and_flush, rmap_walk_file
from spfvar.mm.truncate import find_get_page, over_pages
from spfvar.mm.unmap_unlock import unmap_then_unlock
from spfvar.mm.vmf import VMA_COPY, VMFault, VmFault
from spfvar.ops import codes
from spfvar.ops import objects as o
from spfvar.ops.op import Op, Steps
from spfvar.ops.paging import (
    folio_get,
    folio_put,
    page_add_file_rmap,
    pfn_swap_entry_to_page,
    read_pte,
    remove_migration_pte,
    set_migration_pte,
)
from spfvar.ops.places import Register
from spfvar.ops.primitives import (
    at,
    equals,
    folio_lock,
    folio_unlock,
    test_register,
    work,
)


def read_migration_entry(key: Register) -> Steps:
    """Read the entry of ``key`` into ``orig_pte``.  Returns whether it is a migration entry."""
    if (yield read_pte(False, key)) != "none":
        return False
    return (yield is_migration_entry())


def is_migration_entry() -> Op:
    """Is ``orig_pte`` a migration entry?"""
    return test_register(o.orig_pte, codes.PTE_MIGRATION, "is_migration_entry")


def try_to_migrate_one() -> Steps:
    """Replace the entry of ``cursor``, if it maps ``folio``, by a migration entry."""
    if (yield from clear_and_flush()):
        yield set_migration_pte(o.cursor)


def remove_migration_pte_one() -> Steps:
    """Map the folio at ``cursor`` again, if an entry there still waits for it."""
    if (yield from read_migration_entry(o.cursor)):
        yield folio_get()
        yield page_add_file_rmap()
        yield remove_migration_pte(o.cursor)


class Migration:
    """Who migrates, and who meets a page that is on its way."""

    @hookimpl
    def unmap_and_move(self) -> Steps:
        yield from over_pages()
        if not (yield from find_get_page()):
            return
        yield folio_lock()
        if (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")):
            yield from rmap_walk_file(try_to_migrate_one)
            yield work("copy_page", "migrate_folio")
            yield from rmap_walk_file(remove_migration_pte_one)
        yield folio_unlock()
        yield folio_put()

    @hookimpl
    def migration_entry_wait(self, vmf: VmFault) -> Steps:
        if vmf.has(VMA_COPY):
            return VMFault.RETRY  # nothing keeps the table, nor the page
        if not (yield from hooks.pte_offset_map_lock(o.address)):
            return VMFault.NONE
        if not (yield from read_migration_entry(o.address)):
            yield from unmap_then_unlock()
            return VMFault.NONE
        yield pfn_swap_entry_to_page()
        yield from unmap_then_unlock()
        yield folio_lock()  # migration_entry_wait_on_locked
        yield folio_unlock()
        return VMFault.NONE
