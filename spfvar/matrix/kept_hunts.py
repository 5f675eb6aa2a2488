"""Hunts in the store: each slice is kept as soon as it is done, so that a hunt goes on where it stopped.

What a worker tells of a slice leaves out what it told of slices before it in the same plan.  So chunks are
good together only: those of one plan, under its key with their numbers.  One that is missing is run again,
by whoever; races that are then told once more count once.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Final

from spfvar.generator.ground import KEY
from spfvar.generator.reduce import as_tables
from spfvar.generator.run import Cause, Outcome
from spfvar.matrix.keys import code_digest, text_digest
from spfvar.plugins.variant import Variant
from spfvar.scenario.race import Race
from spfvar.store.database import Store, key_of

#: The kind of entries.
SLICE: Final = "slice of a hunt"


@dataclass(frozen=True, slots=True)
class Chunk:
    """What was done with a slice: so many numbers and races, what came of them, steps that were new."""

    numbers: int
    generated: int
    outcomes: tuple[Outcome, ...]
    steps: frozenset[str]
    reached: frozenset[str]


class KeptHunt:
    """The chunks of a hunt in a shipped design; of others nothing is kept, for no text is a key to them."""

    def __init__(self, store: Store | None, variant: Variant, against: Variant | None, plan: Any) -> None:
        """``plan``: JSON values of all that decides the order of the slices and what is run of them."""
        texts = [text_digest(one) for one in (variant, against) if one is not None]
        self._store = store if all(texts) else None
        self._label = f"{variant.name} against {against.name}" if against is not None else variant.name
        self._key = key_of("hunt", code_digest(), texts, plan) if self._store is not None else ""

    def get(self, number: int) -> Chunk | None:
        """The chunk of a slice, by its number."""
        found = self._store.get(key_of(self._key, number)) if self._store is not None else None
        return None if found is None else _chunk(found)

    def put(self, number: int, chunk: Chunk) -> None:
        """Keep it."""
        if self._store is not None:
            self._store.put(key_of(self._key, number), SLICE, self._label, _entry(chunk))


def _entry(chunk: Chunk) -> dict[str, Any]:
    """What a tally needs of it."""
    told = {
        str(i): [one.group, one.why, _cause(one.cause), None if one.race is None else as_tables(one.race)]
        for i, one in enumerate(chunk.outcomes)
        if one.why or one.cause is not None
    }
    keys = base64.b64encode(b"".join(one.key for one in chunk.outcomes)).decode("ascii")
    return {
        "numbers": chunk.numbers, "generated": chunk.generated, "keys": keys,
        "sizes": [[one.size, one.states] for one in chunk.outcomes], "told": told,
        "steps": sorted(chunk.steps), "reached": sorted(chunk.reached),
    }  # fmt: skip


def _cause(cause: Cause | None) -> list[str] | None:
    return None if cause is None else [cause.property, cause.function, cause.op, cause.text]


def _chunk(entry: dict[str, Any]) -> Chunk:
    keys = base64.b64decode(entry["keys"])
    outcomes = []
    for i, (size, states) in enumerate(entry["sizes"]):
        group, why, cause, race = entry["told"].get(str(i), ("", "", None, None))
        broken = None if cause is None else Cause(*cause)
        shown = None if race is None else Race.model_validate(race)
        key = keys[i * KEY : (i + 1) * KEY]
        outcomes.append(Outcome(key, group, size, states, broken, shown, why))
    return Chunk(
        entry["numbers"], entry["generated"], tuple(outcomes),
        frozenset(entry["steps"]), frozenset(entry["reached"]),
    )  # fmt: skip
