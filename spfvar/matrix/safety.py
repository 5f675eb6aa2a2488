"""What is known of designs' safety: their verdicts in every race that came with spfvar, summed up.

`check` leaves a sum in the store whenever it has searched them all, so that a comparison can say it without
searching.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
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


def summed_up(verdicts: Iterable[tuple[Variant, str, str, str]]) -> dict[str, tuple[Variant, Safety]]:
    """Of those designs that were searched in every shipped race: (variant, race, verdict, property) each."""
    from spfvar.explore.verdict import INCOMPLETE, VIOLATION  # the explorer: not for what is only looked up

    by_variant: dict[str, tuple[Variant, dict[str, tuple[str, str]]]] = {}
    for variant, race, verdict, prop in verdicts:
        by_variant.setdefault(variant.name, (variant, {}))[1][race] = verdict, prop
    found = {}
    for name, (variant, of_race) in by_variant.items():
        if not all(race in of_race for race in _races()):
            continue
        words = [(race, *of_race[race]) for race in _races()]
        broken = tuple((race, prop) for race, verdict, prop in words if verdict == VIOLATION)
        unfinished = sum(verdict == INCOMPLETE for _, verdict, _ in words)
        found[name] = variant, Safety(len(words), unfinished, broken)
    return found


def keep_safety(store: Store | None, verdicts: Sequence[tuple[Variant, str, str, str]]) -> None:
    """Keep the sums of what was searched whole."""
    if store is None:
        return
    for name, (variant, safety) in summed_up(verdicts).items():
        if key := _key(variant):
            store.put(key, SAFETY, name, asdict(safety))
