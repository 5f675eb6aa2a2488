"""The matrix of a check: which variants, or broken twins, in which races."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.scopes import scaled
from spfvar.plugins.registry import Registry
from spfvar.plugins.variant import Variant
from spfvar.scenario.race import Race

#: What is expected of a design without its bug, and of a control; a verdict's word, too.
SAFE: Final = "safe"


@dataclass(frozen=True)
class Case:
    """A cell of the matrix.  A run of the twins sets ``twin`` and ``expected``: a property, or "safe"."""

    variant: Variant
    race_name: str
    race: Race
    twin: str = ""
    expected: str = ""


def make_cases(
    registry: Registry,
    races: Catalogue[Race],
    names: Sequence[str],
    patterns: Sequence[str],
    twins: bool = False,
    counts: Mapping[str, int] | None = None,
) -> list[Case]:
    """The cases of variants (or twins) in races, in the order asked for.

    With ``twins``, ``names`` are those of twins or of bugs (none: all), and each twin is run on its own race,
    as is the variant without its bug.  ``counts`` gives actors another number of threads than their race
    does.  InputError for names that do not exist.
    """
    chosen = races.select(patterns)
    if not twins:
        variants = [registry.any_variant(name) for name in names]
        scopes = scaled({name: races[name] for name in chosen}, counts or {})
        return [Case(variant, *scope) for scope in scopes.values() for variant in variants]
    bugs = {twin.bug.lower() for twin in registry.twins.values()}
    for name in names:
        if name not in registry.twins and name.lower() not in bugs:
            raise unknown("twin", name, registry.twins)
    wanted = [
        twin for twin in registry.twins.values()
        if (not names or twin.name in names or twin.bug.lower() in [name.lower() for name in names])
        and (not patterns or twin.race in chosen or twin.race not in races.names())
    ]  # fmt: skip
    if not wanted:
        raise InputError("no twin is about these races", key="--twins")
    scopes = scaled({twin.race: races[twin.race] for twin in wanted}, counts or {})
    cases = []
    for twin in wanted:
        broken = registry.any_variant(twin.name)
        cases.append(Case(broken, *scopes[twin.race], twin.name, twin.prop or SAFE))
        cases.append(Case(registry[twin.fixed], *scopes[twin.race], twin.name, SAFE))
    return cases
