"""A look at a plugin's file: what is seen, in which order, and what cannot be used."""

from __future__ import annotations

from pathlib import Path

from spfvar.matrix.look import Broken, Going, Measured, Searched, Trouble, Wanted, look

#: VMAs live longer than they have to.
SAFE = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.primitives import call_rcu
from spfvar.plugins.variant import Variant


class FreedLate:
    @hookimpl
    def vm_area_free(self, vma):
        yield call_rcu(vma)


VARIANTS = [Variant("late", "title", "v5.12", "source", (FreedLate,))]
"""
#: Faults under RCU alone: whoever unmaps frees what they look at.
RACY = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.primitives import call_rcu, find_vma, rcu_read_lock, rcu_read_unlock
from spfvar.plugins.variant import Variant


class RcuFault:
    @hookimpl
    def lock_mm_and_find_vma(self, vmf):
        yield rcu_read_lock()
        return (yield find_vma())

    @hookimpl
    def release_fault_lock(self, vmf):
        yield rcu_read_unlock()

    @hookimpl
    def vm_area_free(self, vma):
        yield call_rcu(vma)


VARIANTS = [Variant("racy", "title", "v5.12", "source", (RcuFault,))]
"""


def wanted(file: Path, races: tuple[str, ...] = ("munmap-anon", "munmap-file"), **more: object) -> Wanted:
    """A look at few races and one thread."""
    return Wanted(str(file), races, "pft", 1, "skylake-2s56c", 1, True, **more)  # type: ignore[arg-type]


def test_a_safe_variant_is_searched_and_measured(tmp_path: Path) -> None:
    """Progress, the sum of the races, then the load: as fast as what it is equal to."""
    file = tmp_path / "idea.py"
    file.write_text(SAFE)
    *going, searched, measured = look(wanted(file))
    assert going == [Going(2, 2)]
    assert searched == Searched("late", 2, 2, 0, ())
    assert isinstance(measured, Measured)
    assert (measured.ratio, measured.verdict, measured.threads) == (1.0, "same", 1)


def test_a_file_without_variants_is_told_and_nothing_else(tmp_path: Path) -> None:
    """Nor is a traceback seen of one that does not load."""
    file = tmp_path / "idea.py"
    file.write_text("VARIANTS = []\n")
    [seen] = look(wanted(file))
    assert isinstance(seen, Trouble)
    assert seen.fatal
    file.write_text("VARIANTS = [\n")
    [seen] = look(wanted(file))
    assert isinstance(seen, Trouble)
    assert "idea.py:1" in seen.message or "idea.py" in seen.message


def test_a_race_that_breaks_is_told_before_the_sum_and_the_load(tmp_path: Path) -> None:
    """With its property, the last step and what replays it; those asked for first come first."""
    file = tmp_path / "idea.py"
    file.write_text(RACY)
    seen = list(look(wanted(file, first=("munmap-file",))))
    broken = [one for one in seen if isinstance(one, Broken)]
    assert [one.race for one in broken] == ["munmap-file", "munmap-anon"]  # both have two threads
    assert {one.prop for one in broken} == {"P4"}
    assert all(one.token.startswith(f"racy:{one.race}:") and one.end for one in broken)
    assert seen[-2] == Searched("racy", 2, 0, 0, (("P4", 2),))
    assert seen.index(broken[0]) < seen.index(seen[-2])
