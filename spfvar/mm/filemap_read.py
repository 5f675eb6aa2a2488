"""read(2) of a page of a file: who looks at what a folio holds without its lock.

Sources: mm/filemap.c filemap_read, filemap_get_pages, filemap_update_page; include/linux/page-flags.h
folio_mark_uptodate, folio_test_uptodate (v6.1, v6.12).  Faults look at it under the folio's lock.
"""

from __future__ import annotations

from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.truncate import over_pages
from spfvar.ops import objects as o
from spfvar.ops.op import Steps, again, loop
from spfvar.ops.orders import smp_rmb, smp_wmb
from spfvar.ops.paging import filemap_create_folio, filemap_get_folio, folio_put, inside_i_size
from spfvar.ops.primitives import at, bug_on, equals, folio_lock, folio_unlock, sleep_for, store


class FilemapRead:
    """The hook point of read(2)."""

    @hookimpl
    def filemap_read(self) -> Steps:
        yield from over_pages()
        yield loop("filemap_get_pages")
        if not (yield inside_i_size(o.index)):
            return
        if not (yield filemap_get_folio(o.index)):
            if (yield filemap_create_folio(o.index)):
                yield from self.filemap_read_folio()
                yield folio_unlock()
            yield folio_put()
            yield again("filemap_get_pages")
        if not (yield from self.folio_test_uptodate()):
            yield folio_lock()  # folio_put_wait_locked: until it is read
            yield folio_unlock()
            yield folio_put()
            yield again("filemap_get_pages")
        # copy_folio_to_iter
        if not (yield equals(at(o.folio, o.FOLIO_DATA), 1, "folio's contents")):
            yield bug_on("a folio is copied that is not seen to be filled")
        yield folio_put()

    def filemap_read_folio(self) -> Steps:
        """Fill the new, locked folio."""
        yield store(at(o.folio, o.FOLIO_DATA), 0).untimed()
        yield sleep_for("io", "filemap_read_folio")
        yield store(at(o.folio, o.FOLIO_DATA), 1).untimed()
        yield from self.folio_mark_uptodate()

    def folio_mark_uptodate(self) -> Steps:
        """What the folio holds is seen before it is said to be there."""
        yield smp_wmb()
        yield store(at(o.folio, o.UPTODATE), 1)

    def folio_test_uptodate(self) -> Steps:
        """Is it there?  Then it is seen."""
        uptodate = yield equals(at(o.folio, o.UPTODATE), 1, "folio_test_uptodate")
        if uptodate:
            yield smp_rmb()
        return uptodate
