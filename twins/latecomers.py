"""Published bugs of those who look at an address space that they do not use, when it has ended."""

from __future__ import annotations

from spfvar.mm.exit import Exit
from spfvar.mm.outsiders import Outsiders
from spfvar.ops.op import Steps
from spfvar.ops.primitives import tree_erase
from spfvar.plugins.variant import Twin


class AsksLater(Outsiders):
    """KSM asks whether the mm has users only when it has found a VMA."""

    def no_vmas(self) -> Steps:
        return False
        yield


class NoOomVictim(Exit):
    """exit_mmap sets MMF_OOM_SKIP only for victims of the OOM killer, and resets the list of VMAs (v5.18)."""

    def skip_oom(self) -> Steps:
        return
        yield

    def destroy_tree(self) -> Steps:
        yield tree_erase("mm->mmap = NULL")


class ListStays(NoOomVictim):
    """The list of VMAs stays as it was when they are freed."""

    def destroy_tree(self) -> Steps:
        return
        yield


TWINS = [
    Twin(
        bug="X18",
        title="KSM iterates over a maple tree that was destroyed",
        source="6db504ce55bd",
        fixed="per-vma-6.12",
        race="exit-ksm",
        prop="P5",
        patches=(AsksLater,),
    ),
    Twin(
        bug="R9",
        title="process_mrelease walks a list of VMAs that exit_mmap has freed",
        source="f798a1d4f94d",
        fixed="mmap-lock",
        race="exit-mrelease",
        prop="P1",
        patches=(ListStays,),
        description="Nobody asks for MMF_OOM_SKIP here: the process is no victim of the OOM killer.",
    ),
    Twin(
        bug="R9-reset",
        title="exit_mmap resets the list of VMAs under mmap_lock",
        source="f798a1d4f94d",
        fixed="mmap-lock",
        race="exit-mrelease",
        prop="",
        patches=(NoOomVictim,),
        description="The fix: a control.",
    ),
]
