"""What is known of designs' safety: their verdicts in every race that came with spfvar, summed up.

`check` leaves a sum in the store whenever it has searched them all, so that a comparison can say it without
searching.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from spfvar.matrix import catalogue
from spfvar.matrix.keys import code_digest, text_digest
from spfvar.plugins.variant import Variant
from spfvar.store.database import Store, key_of

#: The kind of entries.
SAFETY: Final = "safety"


@dataclass(frozen=True, slots=True)
class Safety:
    """Verdicts of a design: ``races`` searched, of which ``unfinished`` hit a bound.

    ``broken``: race and property of each violation.
    """

    races: int
    unfinished: int
    broken: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        if self.broken:
            race, prop = self.broken[0]
            more = f", and {len(self.broken) - 1} more" if len(self.broken) > 1 else ""
            return f"UNSAFE: breaks {prop} in {race}{more} of {self.races} races"
        if self.unfinished:
            safe = self.races - self.unfinished
            return f"no violation: safe in {safe} of {self.races} races, {self.unfinished} not finished"
        return f"safe in all {self.races} races"


@cache
def _races() -> tuple[str, ...]:
    known = catalogue.races()
    return tuple(name for name in known.names() if known.is_shipped(name))


@cache
def _races_digest() -> str:
    digest = hashlib.sha256()
    for entry in sorted(resources.files("spfvar.races").iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            digest.update(entry.name.encode())
            digest.update(entry.read_bytes())
    return digest.hexdigest()


def _key(variant: Variant) -> str:
    """By the text; "" for a design that did not come with spfvar, of which no text says all."""
    text = text_digest(variant)
    return key_of(SAFETY, code_digest(), text, variant.name, _races_digest()) if text else ""


def known_safety(store: Store | None, variants: Iterable[Variant]) -> dict[str, Safety]:
    """Of those designs that a `check` has searched whole, as their texts are now."""
    found = {}
    for variant in variants:
        kept: Any = store.get(key, counts=False) if store is not None and (key := _key(variant)) else None
        if kept is not None:
            broken = tuple((str(race), str(prop)) for race, prop in kept["broken"])
            found[variant.name] = Safety(kept["races"], kept["unfinished"], broken)
    return found


def in_words(variants: Iterable[Variant], known: Mapping[str, Safety]) -> dict[str, str]:
    """What is known of each variant's safety, or how to get to know it."""
    told = {}
    for variant in variants:
        if variant.name in known:
            told[variant.name] = str(known[variant.name])
        elif variant.is_shipped:
            told[variant.name] = f"safety not known (spfvar check {variant.name})"
        else:
            told[variant.name] = "safety not known (--check)"
    return told


class Sums:
    """Sums of the verdicts of a run that begins now: a text that is edited meanwhile gets none of them."""

    def __init__(self, variants: Iterable[Variant]) -> None:
        self._keys = {variant.name: _key(variant) for variant in variants}

    def of(self, verdicts: Iterable[tuple[str, str, str, str]]) -> dict[str, Safety]:
        """Of those designs that were searched in every race: (variant, race, verdict, property) each.

        The races are to be those that came with spfvar.
        """
        from spfvar.explore.verdict import INCOMPLETE, VIOLATION  # the explorer: not to look something up

        by_variant: dict[str, dict[str, tuple[str, str]]] = {name: {} for name in self._keys}
        for variant, race, verdict, prop in verdicts:
            by_variant[variant][race] = verdict, prop
        found = {}
        for name, of_race in by_variant.items():
            if all(race in of_race for race in _races()):
                words = [(race, *of_race[race]) for race in _races()]
                broken = tuple((race, prop) for race, verdict, prop in words if verdict == VIOLATION)
                unfinished = sum(verdict == INCOMPLETE for _, verdict, _ in words)
                found[name] = Safety(len(words), unfinished, broken)
        return found

    def keep(self, store: Store | None, found: Mapping[str, Safety]) -> None:
        """Keep them, of designs that came with spfvar."""
        for name, safety in found.items():
            if store is not None and self._keys[name]:
                store.put(self._keys[name], SAFETY, name, asdict(safety))
