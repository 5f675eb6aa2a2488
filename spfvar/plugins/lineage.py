"""What stacks on what: the family tree of variants, told by the patches that they consist of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spfvar.plugins.variant import Variant


@dataclass(frozen=True, slots=True)
class Relation:
    """A variant's place in the family.

    ``stacks_on``: the variant whose patches, in the same order, it has all of, and the most of them; None for
    one that has none of another's.  ``adds``: its patches that one lacks.  ``shares``: for each variant that
    is neither below nor above it, the patches they have in common beyond those of ``stacks_on``.
    """

    name: str
    stacks_on: str | None
    adds: tuple[str, ...]
    shares: tuple[tuple[str, tuple[str, ...]], ...] = ()


def lineage(variants: Mapping[str, Variant]) -> list[Relation]:
    """Every variant's relation to the others, each behind the one that it stacks on; depth first."""
    parents = {name: _parent(variant, variants.values()) for name, variant in variants.items()}
    relations = []
    for name in _depth_first(parents):
        variant, parent = variants[name], parents[name]
        below = variants[parent].patches if parent is not None else ()
        adds = tuple(patch for patch in variant.patches if patch not in below)
        relations.append(
            Relation(
                name, parent, tuple(patch.__name__ for patch in adds),
                tuple(_shares(variant, adds, variants, parents)),
            )
        )  # fmt: skip
    return relations


def depths(relations: Iterable[Relation]) -> dict[str, int]:
    """How many variants each one stands on."""
    found: dict[str, int] = {}
    for relation in relations:
        found[relation.name] = 0 if relation.stacks_on is None else found[relation.stacks_on] + 1
    return found


def _parent(variant: Variant, variants: Iterable[Variant]) -> str | None:
    """The variant with the most patches of those that this one has all of; the first of several."""
    below = [v for v in variants if len(v.patches) < len(variant.patches) and _is_below(v, variant)]
    return max(below, key=lambda v: len(v.patches)).name if below else None


def _is_below(lower: Variant, upper: Variant) -> bool:
    """Has ``upper`` all patches of ``lower``, in that order?"""
    rest = iter(upper.patches)
    return all(patch in rest for patch in lower.patches)


def _shares(
    variant: Variant, adds: tuple[type, ...], variants: Mapping[str, Variant], parents: dict[str, str | None]
) -> Iterable[tuple[str, tuple[str, ...]]]:
    related = {variant.name, *_ancestors(variant.name, parents)}
    for name, other in variants.items():
        if name not in related and variant.name not in _ancestors(name, parents):
            common = tuple(patch.__name__ for patch in adds if patch in other.patches)
            if common:
                yield name, common


def _ancestors(name: str, parents: dict[str, str | None]) -> list[str]:
    found = []
    here = parents[name]
    while here is not None:
        found.append(here)
        here = parents[here]
    return found


def _depth_first(parents: dict[str, str | None]) -> list[str]:
    order: list[str] = []
    ahead = [name for name, parent in reversed(parents.items()) if parent is None]
    while ahead:
        here = ahead.pop()
        order.append(here)
        ahead += [name for name, parent in reversed(parents.items()) if parent == here]
    return order
