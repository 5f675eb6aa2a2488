"""Reclaim of clean file pages, and writeback in batches.

Sources: mm/vmscan.c shrink_folio_list, __remove_mapping; mm/rmap.c try_to_unmap_one; fs/ext4/inode.c
mpage_prepare_extent_to_map.  Nothing is swapped out: reclaim leaves anonymous pages alone.
"""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.rmap import clear_and_flush, rmap_walk_file
from spfvar.mm.truncate import find_get_page, first_folio, over_pages
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.paging import folio_put, remove_mapping
from spfvar.ops.primitives import (
    at,
    copy_register,
    equals,
    folio_lock,
    folio_trylock,
    folio_unlock,
    next_address,
    store,
    work,
)

WRITEBACK = at(o.folio, o.WRITEBACK)


def try_to_unmap() -> Steps:
    """Clear the entries that map ``folio``, each flushed under its table's lock."""
    yield from rmap_walk_file(clear_and_flush)


class Reclaim:
    """Reclaim and writeback, the same in every design."""

    @hookimpl
    def shrink_folio_list(self) -> Steps:
        yield from over_pages()
        if not (yield from find_get_page()):
            return
        if not (yield folio_trylock()):
            yield folio_put()
            return
        if (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")):
            yield from try_to_unmap()
            # Whoever else holds a reference, a fault for instance, keeps the folio.
            if (yield remove_mapping()):
                yield folio_unlock()  # a fault may wait for it, at a migration entry that it has read
                return
        yield folio_unlock()
        yield folio_put()

    @hookimpl
    def writepages(self) -> Steps:
        yield from over_pages()
        yield loop("mpage_prepare_extent_to_map")
        if (yield from find_get_page()):
            yield folio_lock()
            if (yield equals(at(o.folio, o.CACHED), 1, "folio->mapping")):  # or truncation was there first
                yield store(WRITEBACK, 1)
            yield folio_unlock()
            yield folio_put()
        if (yield next_address(o.index, o.file_end)):
            yield again("mpage_prepare_extent_to_map")
        # Only now is the batch submitted; its completion ends the writeback of all its pages.
        yield work("io_submit", "submit_bio")
        # The batch has its pages, whether they are in the page cache still or not.
        yield copy_register(o.index, o.file_start)
        yield from first_folio()
        yield loop("ext4_end_bio")
        yield store(WRITEBACK, 0)
        yield copy_register(o.folio, o.folio, 1).untimed()
        if (yield next_address(o.index, o.file_end)):
            yield again("ext4_end_bio")
