"""Larger scopes: a race whose actors have other numbers of threads, which are written into its name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from spfvar.errors import InputError, unknown
from spfvar.matrix.catalogue import Catalogue
from spfvar.scenario.race import MAX_THREADS, Race
from spfvar.units import parse_assignments

#: "munmap-file,fault=8"
_SEPARATOR = ","


def parse_counts(texts: Iterable[str]) -> dict[str, int]:
    """The number of threads by actor of texts such as "fault=8"."""
    counts = {}
    for actor, text in parse_assignments(texts).items():
        if not (text.isdecimal() and 1 <= int(text) <= MAX_THREADS):
            raise InputError(f"{text!r} threads", key=actor, expected=f"a number from 1 to {MAX_THREADS}")
        counts[actor] = int(text)
    return counts


def scaled(races: Mapping[str, Race], counts: Mapping[str, int]) -> dict[str, tuple[str, Race]]:
    """By old name, each race's new name and the race; one that has none of the actors stays as it is.

    InputError for an actor that no race has, and for more threads than a race may have.
    """
    actors = {actor.name for race in races.values() for actor in race.actor}
    for name in counts:
        if name not in actors:
            raise unknown("actor", name, sorted(actors))
    return {name: _scaled(name, race, counts) for name, race in races.items()}


def _scaled(name: str, race: Race, counts: Mapping[str, int]) -> tuple[str, Race]:
    new = {actor.name: counts[actor.name] for actor in race.actor if counts.get(actor.name, 0)}
    if not new:
        return name, race
    actors = [actor.model_copy(update={"count": new.get(actor.name, actor.count)}) for actor in race.actor]
    race = race.model_copy(update={"actor": actors})
    if race.threads > MAX_THREADS:
        raise InputError(
            f"{race.threads} threads in all", key=f"race {name}", expected=f"at most {MAX_THREADS}"
        )
    return _SEPARATOR.join([name, *(f"{actor}={count}" for actor, count in new.items())]), race


def base_name(name: str) -> str:
    """The name of the race's file, without numbers of threads."""
    return name.partition(_SEPARATOR)[0]


def race_of(races: Catalogue[Race], name: str) -> Race:
    """The race of a name that `scaled` may have written."""
    name, *texts = name.split(_SEPARATOR)
    return scaled({name: races[name]}, parse_counts(texts))[name][1]
