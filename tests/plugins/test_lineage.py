"""The family tree of variants: told by their patches, whatever they are called."""

from __future__ import annotations

from spfvar.plugins.lineage import depths, lineage
from spfvar.plugins.registry import load_registry
from spfvar.plugins.variant import Variant


class A:
    """A patch."""


class B:
    """A patch."""


class C:
    """A patch."""


def family(**stacks: tuple[type, ...]) -> dict[str, Variant]:
    """Variants by name, of these patches."""
    return {name: Variant(name, "t", "k", "s", patches) for name, patches in stacks.items()}


def test_a_variant_stacks_on_the_largest_one_whose_patches_it_has() -> None:
    """abc has all of a and of ac, in their order; ba has no place above ab, for the order is another."""
    found = lineage(family(abc=(A, B, C), none=(), a=(A,), ac=(A, C), ba=(B, A)))
    assert {r.name: r.stacks_on for r in found} == {
        "none": None, "a": "none", "ac": "a", "abc": "ac", "ba": "a",
    }  # fmt: skip
    assert {r.name: r.adds for r in found} == {
        "none": (), "a": ("A",), "ac": ("C",), "abc": ("B",), "ba": ("B",),
    }  # fmt: skip


def test_each_one_comes_behind_what_it_stacks_on() -> None:
    """Depth first, whatever the order of discovery; the depth counts what is below."""
    found = lineage(family(abc=(A, B, C), ab=(A, B), none=()))
    assert [r.name for r in found] == ["none", "ab", "abc"]
    assert depths(found) == {"none": 0, "ab": 1, "abc": 2}


def test_what_stacks_of_different_branches_have_in_common() -> None:
    """Only what is not already in the stack below: bc and cb share both, ab and bc only B."""
    found = {r.name: dict(r.shares) for r in lineage(family(none=(), ab=(A, B), bc=(B, C), cb=(C, B)))}
    assert found["bc"] == {"ab": ("B",), "cb": ("B", "C")}
    assert found["ab"] == {"bc": ("B",), "cb": ("B",)}
    assert found["none"] == {}


def test_shipped_variants_have_one_root_and_the_series_stacks() -> None:
    """Everything stands on the variant without patches; the whole series on its anonymous part."""
    found = {r.name: r for r in lineage(load_registry().variants)}
    assert [name for name, r in found.items() if r.stacks_on is None] == ["mmap-lock"]
    assert found["spf-do-fault"].stacks_on == "spf-anon"
    assert "SpeculativeDoFault" in found["spf-do-fault"].adds
    assert "SpeculativeFaultAround" in dict(found["spf-map-pages"].shares)["spf-do-fault"]
