"""Verdicts in the store: looked up before anything is searched, kept as soon as they are."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from functools import cache
from typing import Any, Final

from pydantic import TypeAdapter

from spfvar.explore.options import Options
from spfvar.explore.tokens import whole_digest
from spfvar.explore.verdict import SAFE, Verdict
from spfvar.explore.walk import WalkOptions
from spfvar.explore.world import RaceWorld
from spfvar.matrix.cases import Case
from spfvar.matrix.keys import code_digest, text_digest
from spfvar.scenario.race import race_hash
from spfvar.store.database import Store, key_of

#: The kind of entries.
VERDICT: Final = "verdict"


def verdict_key(case: Case, memory: str, options: Options | WalkOptions, program: str = "") -> str:
    """Of a verdict on a design's text, or on a ``program`` that was extracted; "" if there is no text."""
    text = program or text_digest(case.variant)
    if not text:
        return ""
    names = [case.variant.name, case.race_name]
    return key_of("verdict", code_digest(), text, names, race_hash(case.race), memory, _bounds(options))


def _bounds(options: Options | WalkOptions) -> dict[str, Any]:
    """What decides a search that no bound of time or memory ended."""
    asked = asdict(options)
    kind = type(options).__name__
    return {name: value for name, value in asked.items() if name not in ("seconds", "max_bytes")} | {
        "of": kind
    }


class KeptVerdicts:
    """Verdicts under one memory model or another."""

    def __init__(self, store: Store | None) -> None:
        self._store = store

    def by_text(self, case: Case, memory: str, options: Options | WalkOptions) -> Verdict | None:
        """The verdict on a shipped design."""
        return self._get(verdict_key(case, memory, options)) if self._store is not None else None

    def by_program(
        self, case: Case, memory: str, options: Options | WalkOptions, program: str
    ) -> Verdict | None:
        """The verdict on a design whose texts have been extracted, by their `program_of`."""
        return self._get(verdict_key(case, memory, options, program)) if self._store is not None else None

    def keep(
        self, case: Case, memory: str, options: Options | WalkOptions, verdict: Verdict, program: str
    ) -> None:
        """Keep it; one that was bounded by time or memory only if it saw every state."""
        bounded = math.isfinite(options.seconds) or getattr(options, "max_bytes", None) is not None
        if self._store is None or (bounded and verdict.verdict != SAFE):
            return
        content = _verdicts().dump_python(verdict, mode="json")
        key = verdict_key(case, memory, options, program)
        self._store.put(key, VERDICT, f"{case.variant.name} {case.race_name}", content)

    def _get(self, key: str) -> Verdict | None:
        found: Any = self._store.get(key) if self._store is not None and key else None
        return None if found is None else _verdicts().validate_python(found)


def program_of(case: Case, world: RaceWorld) -> str:
    """A digest of the program, if the design's text is no key itself; else ""."""
    return "" if text_digest(case.variant) else program_digest(world)


def program_digest(world: RaceWorld) -> str:
    """A digest of all that a search looks at: also what fields are, which is not in the program's table."""
    layout = world.layout
    digest = hashlib.sha256(whole_digest(world))
    digest.update(repr([layout.registers, layout.field_offset, world.names, world.groups]).encode())
    for array in (layout.g, world.locks, world.sequences):
        digest.update(array.tobytes())
    return digest.hexdigest()


@cache
def _verdicts() -> TypeAdapter[Verdict]:
    return TypeAdapter(Verdict)
