"""Ablations that several tests look at."""

from __future__ import annotations

from functools import cache
from typing import Any

from spfvar.explore.options import Options
from spfvar.matrix import catalogue
from spfvar.matrix.ablate import Ablated, Ablation, ablate
from tests.explore.checking import registry


@cache
def ablated(variant: str, *races: str, **options: Any) -> Ablated:
    """A variant without each of its guards in some races."""
    shipped = catalogue.races()
    core, enough = options.pop("core", False), options.pop("enough", 0)
    chosen = {name: shipped[name] for name in races}
    return ablate(registry().any_variant(variant), chosen, core, Options(**options), enough=enough)


def of_kind(found: Ablated, function: str, kind: str) -> list[Ablation]:
    """The guards of a kind in a kernel function, in the order of the text."""
    return [a for a in found.guards if (a.guard.function, a.guard.kind) == (function, kind)]


def breaks(ablation: Ablation) -> dict[str, str]:
    """By race: the property that breaks."""
    return {found.race: found.property for found in ablation.breaks}
