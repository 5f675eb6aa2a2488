"""The matrix of a check: which variants, or broken twins, in which races."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spfvar.automata.extract import StrategyError
from spfvar.automata.weaken import Memory
from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.matrix.scopes import scaled
from spfvar.plugins.registry import Problem, Registry
from spfvar.plugins.variant import Stack, Twin, Variant
from spfvar.scenario.race import Race

#: What is expected of a design without its bug, and of a control; a verdict's word, too.
SAFE: Final = "safe"


@dataclass(frozen=True)
class Case:
    """A cell of the matrix.

    A run of the twins sets ``twin`` and ``expected``: a property, or "safe"; and ``memory``, if it takes that
    memory model to see the twin's bug.
    """

    variant: Variant
    race_name: str
    race: Race
    twin: str = ""
    expected: str = ""
    memory: Memory = "sc"


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
    does.  InputError for names that do not exist; a twin that does not go together with its race or variant
    becomes a problem.
    """
    chosen = races.select(patterns)
    if not twins:
        variants = [registry.any_variant(name) for name in names]
        for name in chosen:
            if not races.is_shipped(name):
                check_sometimes(races[name], variants, races.origin(name))
        scopes = scaled({name: races[name] for name in chosen}, counts or {})
        return [Case(variant, *scope) for scope in scopes.values() for variant in variants]
    return _twin_cases(_wanted_twins(registry, names, chosen if patterns else None), registry, races, counts)


def _wanted_twins(registry: Registry, names: Sequence[str], races: Sequence[str] | None) -> list[Twin]:
    """The twins of these names or bugs (none: all), on these races (None: any)."""
    bugs = {twin.bug.lower() for twin in registry.twins.values()}
    for name in names:
        if name not in registry.twins and name.lower() not in bugs:
            raise unknown("twin", name, registry.twins)
    wanted = [
        twin for twin in registry.twins.values()
        if (not names or twin.name in names or twin.bug.lower() in [name.lower() for name in names])
        and (races is None or Path(twin.race).stem in races)
    ]  # fmt: skip
    if not wanted:
        raise InputError("no twin is about these races", key="--twins")
    return wanted


def _twin_cases(
    wanted: Sequence[Twin], registry: Registry, races: Catalogue[Race], counts: Mapping[str, int] | None
) -> list[Case]:
    """Each twin's own race under it, and under the variant without its bug."""
    found: list[tuple[Twin, str, Variant, Variant]] = []
    for twin in wanted:
        try:
            file = twin.race.endswith(".toml")
            name = races.add_file(twin.race, unless_taken=True) if file else twin.race
            broken, fixed = registry.any_variant(twin.name), registry[twin.fixed]
            if not races.is_shipped(name):
                check_sometimes(races[name], [broken, fixed], races.origin(name))
            found.append((twin, name, broken, fixed))
        except (InputError, StrategyError) as error:
            registry.problems.append(Problem(twin.origin, f"twin {twin.name}: {error}"))
    if not found:
        raise registry.nothing_left()
    scopes = scaled({name: races[name] for _, name, _, _ in found}, counts or {})
    return [
        case for twin, name, broken, fixed in found
        for case in (Case(broken, *scopes[name], twin.name, twin.prop or SAFE, twin.memory),
                     Case(fixed, *scopes[name], twin.name, SAFE, twin.memory))
    ]  # fmt: skip


def check_sometimes(race: Race, variants: Sequence[Variant], file: str) -> None:
    """Raise InputError for what has to happen sometimes, but is no primitive of the race's texts.

    Neither under the core nor under one of the variants, as far as their texts can be extracted.  Of
    alternatives ("a or b") one is enough: the other may be of a variant that is not asked for.
    """
    from spfvar.explore.world import extract_race  # numpy: not before names are known to be good

    names: dict[str, None] = {}
    missing: list[tuple[int, str]] = []
    for variant in (Variant("core", "", "", ""), *variants):
        with suppress(StrategyError):
            found = extract_race(race, Stack(variant)).values()
            names |= dict.fromkeys(op.name for automaton in found for op in automaton.ops())
        missing = [
            (place, wanted) for place, wanted in enumerate(race.sometimes)
            if not any(name.startswith(tuple(wanted.split(" or "))) for name in names)
        ]  # fmt: skip
        if not missing:
            return
    place, name = missing[0]
    raise unknown("primitive", name, names, file=file, key=f"sometimes[{place}]")
