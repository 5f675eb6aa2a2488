"""Hook points of /proc/pid/maps and smaps (fs/proc/task_mmu.c); a part of `spfvar.mm.hookspecs`."""

from __future__ import annotations

from spfvar.mm.hooking import hook_point
from spfvar.mm.vmf import Mapping
from spfvar.ops.op import Steps


@hook_point
def show_map() -> Steps:
    """Read of /proc/pid/maps, ``range_start .. range_end`` (fs/proc/task_mmu.c)."""
    raise AssertionError


@hook_point
def show_smap(mapping: Mapping) -> Steps:
    """Read of /proc/pid/smaps: every entry of ``range_start .. range_end`` (fs/proc/task_mmu.c)."""
    raise AssertionError


@hook_point
def smaps_pte_range(mapping: Mapping) -> Steps:
    """Account for the page of one entry, at ``cursor`` (fs/proc/task_mmu.c)."""
    raise AssertionError
