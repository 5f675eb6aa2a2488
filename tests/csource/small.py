"""Small kernels: a few functions, made up, where a tree has them."""

from __future__ import annotations

from pathlib import Path

UNLOCK = """\
static struct file *maybe_unlock_mmap_for_io(struct vm_fault *vmf, struct file *fpin)
{
	if (fpin)
		return fpin;
	if (tried_before(vmf->flags))
		return NULL;
	fpin = get_file(vmf->vma->vm_file);
	mmap_read_unlock(vmf->vma->vm_mm);
	return fpin;
}
"""
LOCK = """\
static int lock_folio_maybe_drop_mmap(struct vm_fault *vmf, struct folio *folio)
{
	if (folio_trylock(folio))
		return 1;
	maybe_unlock_mmap_for_io(vmf, NULL);
	__folio_lock(folio);
	return 1;
}
"""


def tree(root: Path, unlock: str = UNLOCK, lock: str = LOCK) -> Path:
    """A tree with these functions."""
    for file, text in (("mm/memory.c", ""), ("mm/internal.h", unlock), ("mm/filemap.c", lock)):
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root
