"""struct vm_fault as the texts see it: immutable, hashable, flags by name."""

from __future__ import annotations

from spfvar.mm.vmf import PMD_NONE, TRIED, Mapping, VMFault, VmFault


def test_setting_and_clearing_flags_leaves_the_original_alone() -> None:
    """A callee gets another fault; the caller's stays as it was."""
    vmf = VmFault(True, Mapping())
    tried = vmf.set(TRIED, PMD_NONE)
    assert (vmf.has(TRIED), tried.has(TRIED), tried.has(PMD_NONE)) == (False, True, True)
    assert not tried.clear(PMD_NONE).has(PMD_NONE)
    assert tried.clear(TRIED, PMD_NONE) == vmf


def test_equal_faults_are_one_key() -> None:
    """A callee with an equal fault is extracted once, in whatever order the flags were set."""
    vmf = VmFault(False, Mapping())
    assert len({vmf.set(TRIED).set(PMD_NONE), vmf.set(PMD_NONE).set(TRIED)}) == 1
    assert vmf != VmFault(True, Mapping())


def test_results_are_the_kernels_bits() -> None:
    """include/linux/mm_types.h: they combine, and success is false."""
    ret = VMFault.RETRY | VMFault.MAJOR
    assert ret == 0x404
    assert ret & VMFault.RETRY
    assert not VMFault.NONE
    assert VMFault.ERROR == 1 | 2 | 0x40
