"""The patch that spfvar began with: what is drafted from C is the text that was written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from spfvar.variants.spf_patches import SpeculativeDoFault

from spfvar.review.patchmail import load_patches
from tests.draft.made import REGISTRY, drafted, hunk, in_place_of, loaded, patch_of, uncounted
from tests.draft.posted import posted

#: Not the posted lines: the same protocol, in C of these tests' own.
DO_FAULT = hunk(
    "static vm_fault_t __do_fault(struct vm_fault *vmf)",
    """
     vm_fault_t ret;

    -if (pmd_none(*vmf->pmd)) {
    -    vmf->prealloc_pte = pte_alloc_one(vmf->vma->vm_mm);
    -}
    -ret = vmf->vma->vm_ops->fault(vmf);
    +if (!(vmf->flags & FAULT_FLAG_SPECULATIVE)) {
    +    if (pmd_none(*vmf->pmd)) {
    +        vmf->prealloc_pte = pte_alloc_one(vmf->vma->vm_mm);
    +    }
    +    ret = vmf->vma->vm_ops->fault(vmf);
    +} else {
    +    rcu_read_lock();
    +    if (likely(mmap_seq_read_check(vmf->vma->vm_mm, vmf->seq)))
    +        ret = vmf->vma->vm_ops->fault(vmf);
    +    else
    +        ret = VM_FAULT_RETRY;
    +    rcu_read_unlock();
    +}
     if (ret & VM_FAULT_ERROR)
         return ret;
    """,
)


def same_as_shipped(folder: Path) -> bool:
    """Is every automaton of the whole series the same with the draft in the place of the shipped class?"""
    [patch] = (one for one in loaded(folder).patches if one not in REGISTRY["spf@23"].patches)
    whole = REGISTRY["spf"]
    return uncounted(in_place_of(SpeculativeDoFault, patch, whole)) == uncounted(whole)


def test_the_same_protocol_in_other_words_is_the_shipped_text(tmp_path: Path) -> None:
    """No TODO, and equal automata of every kind of fault and writer, but for event counters."""
    made = drafted([patch_of(DO_FAULT)], tmp_path)
    assert made.sketches[0].count("TODO") == 0
    assert same_as_shipped(tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rcu_read_lock();", "barrier();"),
        ("if (likely(mmap_seq_read_check(vmf->vma->vm_mm, vmf->seq)))", "if (likely(!mmap_seq_read_check(mm, seq)))"),
        ("ret = VM_FAULT_RETRY;", "ret = VM_FAULT_SIGBUS;"),
    ],
)  # fmt: skip
def test_a_patch_that_does_something_else_is_not(tmp_path: Path, old: str, new: str) -> None:
    """A lock that is left out, a test the other way round, another result: each shows in the automata."""
    assert old in DO_FAULT
    drafted([patch_of(DO_FAULT.replace(old, new))], tmp_path)
    assert not same_as_shipped(tmp_path)


def test_the_posted_patch_is_the_shipped_text(tmp_path: Path) -> None:
    """As above, with the lines of the mail."""
    made = drafted(load_patches(str(posted(24))), tmp_path)
    assert made.sketches[0].count("TODO") == 0
    assert same_as_shipped(tmp_path)
