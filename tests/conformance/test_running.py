"""The checks that run: races that break, searches that hit a bound, loads that fail, attempts in vain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from spfvar.conformance.running import Scope, runs, safe
from spfvar.conformance.subject import Subject, load_plugin
from spfvar.matrix import catalogue
from spfvar.plugins.registry import load_registry

BROKEN = str(Path(__file__).parents[1] / "explore" / "broken.py")
TINY = Scope(scenarios=["pft"])
STUCK = """
from spfvar.mm.hookspecs import hookimpl
from spfvar.mm.vmf import VMFault
from spfvar.ops import objects as o
from spfvar.ops.primitives import at, spin_lock
from spfvar.plugins.variant import Variant
class TakesTwice:
    @hookimpl
    def do_user_addr_fault(self, vmf):
        yield spin_lock(at(o.mm, o.PMD_LOCK))
        yield spin_lock(at(o.mm, o.PMD_LOCK))
        return VMFault.NONE
VARIANTS = [Variant("stuck", "t", "v5.12", "s", (TakesTwice,))]
"""
IN_VAIN = """
from dataclasses import replace
from spfvar.mm.hookspecs import hookimpl
from spfvar.ops.primitives import choose
from spfvar.variants import spf
BASE = next(variant for variant in spf.VARIANTS if variant.name == "spf-anon")
class NeverSame:
    '''The check always fails.'''
    @hookimpl
    def mmap_seq_read_check(self):
        return False
        yield
VARIANTS = [replace(BASE, name="in-vain", patches=(*BASE.patches, NeverSame))]
"""


def subject(plugin: str, variant: str, *races: str) -> Subject:
    """A plugin's variant in some races."""
    loaded = load_plugin(plugin)
    found = next(one for one in loaded.variants if one.name == variant)
    every = catalogue.races()
    return Subject(found, loaded.registry, {name: every[name] for name in races}, plugin)


def test_a_race_that_breaks_is_told_with_the_command_that_shows_it() -> None:
    """The property, the number of steps, what happens at the end of them."""
    _, [trouble] = safe(subject(BROKEN, "no-rcu-free", "munmap-file"), Scope())
    assert trouble.what.startswith("munmap-file: P1 is broken in ")
    assert trouble.do == f"read its steps: spfvar check no-rcu-free --race munmap-file --plugin {BROKEN}"
    assert "access to a recycled object" in trouble.details


def test_a_search_that_hits_a_bound_proves_nothing() -> None:
    """Not safe, and the bound is named."""
    scope = replace(Scope(), options=replace(Scope().options, max_states=50))
    _, [trouble] = safe(subject("spfvar.variants.spf", "spf-anon", "munmap-anon"), scope)
    assert "nothing proven" in trouble.what
    assert "max-states" in trouble.what


def test_a_sound_variant_is_safe_and_runs() -> None:
    """The summaries say how much was looked at."""
    found = subject("spfvar.variants.mmap_lock", "mmap-lock", "munmap-anon", "mprotect")
    summary, wrong = safe(found, Scope())
    assert wrong == []
    assert summary.startswith("2 races, ")
    assert runs(found, TINY) == ("1 load with 2 threads", [])


def test_a_load_that_gets_stuck_is_told(tmp_path: Path) -> None:
    """Every fault takes a spinlock twice, so all threads wait; the command that shows it is named."""
    plugin = tmp_path / "stuck.py"
    plugin.write_text(STUCK, encoding="utf-8")
    _, troubles = runs(subject(str(plugin), "stuck"), TINY)
    assert "every thread waits" in troubles[0].what
    assert troubles[0].do == f"try spfvar compare stuck --scenario pft --plugin {plugin}"


def test_a_design_whose_attempts_all_fail_is_told(tmp_path: Path) -> None:
    """It is as safe as what it falls back to; the events say which check fails."""
    plugin = tmp_path / "in_vain.py"
    plugin.write_text(IN_VAIN, encoding="utf-8")
    _, [trouble] = runs(subject(str(plugin), "in-vain"), TINY)
    assert trouble.what == "no attempt succeeds in any load"
    assert "spf_abort_vma_copy 1000" in trouble.details[0]


def test_a_command_about_a_shipped_variant_needs_no_plugin() -> None:
    """And one about a plugin's names the plugin as it was given, quoted for the shell."""
    registry = load_registry()
    assert Subject(registry["mmap-lock"], registry, {}).command("check", "--race x") == (
        "spfvar check mmap-lock --race x"
    )
    found = replace(registry["mmap-lock"], name="mine", origin="my file.py")
    assert Subject(found, registry, {}, "my file.py").command("compare", "--seeds 1") == (
        "spfvar compare mine --seeds 1 --plugin 'my file.py'"
    )
