"""Which variants a comparison takes without being told, and in which order."""

from __future__ import annotations

from spfvar.plugins.chosen import compared
from spfvar.plugins.registry import load_registry


def test_a_series_stands_together_the_smaller_stack_first() -> None:
    """anon (16), map_pages (+27, 28) and do_fault (all) grow; the baseline is not between them."""
    names = compared(load_registry())
    assert names == ["mmap-lock", "per-vma-6.12", "spf-anon", "spf-map-pages", "spf-do-fault"]


def test_every_variant_is_there_once() -> None:
    """Whatever it begins with."""
    registry = load_registry()
    assert sorted(compared(registry, every=True)) == sorted(registry.variants)
