"""An audit of variants: the strong words that their races read without knowing the newest store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from spfvar.automata.extract import StrategyError
from spfvar.explore.audit import Access, audit
from spfvar.explore.world import build_race
from spfvar.matrix.cases import Case
from spfvar.plugins.variant import Stacks

#: Told finished cells and all cells.
Progress = Callable[[int, int], None]


@dataclass(slots=True)
class RacyWord:
    """A word that a variant should declare weak: who reads it and misses which stores, in which races."""

    variant: str
    word: str
    reads: dict[Access, set[Access]] = field(default_factory=dict)
    races: dict[str, None] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        return {
            "variant": self.variant,
            "word": self.word,
            "races": list(self.races),
            "reads": [
                {**_entry(reader), "stores": [_entry(writer) for writer in in_order(writers)]}
                for reader, writers in sorted(self.reads.items(), key=lambda item: _key(item[0]))
            ],
        }


@dataclass(slots=True)
class Audited:
    """What an audit of one variant found.

    Of ``loads`` primitives that load strong words, over all races, ``read`` were executed.
    """

    variant: str
    races: int = 0
    walks: int = 0
    read: int = 0
    loads: int = 0
    words: dict[str, RacyWord] = field(default_factory=dict)


def run_audit(
    cases: Sequence[Case], walks: int, seed: int, stacks: Stacks, progress: Progress | None = None
) -> list[Audited]:
    """Walk ``walks`` times through the race of each case; by variant, its racy words by name.

    Raises StrategyError for a variant whose texts cannot be extracted.
    """
    found: dict[str, Audited] = {}
    for number, case in enumerate(cases, 1):
        name = case.variant.name
        stack = stacks[name]
        if isinstance(stack, StrategyError):
            raise stack
        audited = found.setdefault(name, Audited(name))
        one = audit(build_race(case.race, stack, "lkmm"), walks, seed)
        audited.races += 1
        audited.walks += one.walks
        audited.read += one.read
        audited.loads += one.loads
        for racy in sorted(one.racy, key=lambda racy: (racy.word, _key(racy.reader), _key(racy.writer))):
            word = audited.words.setdefault(racy.word, RacyWord(name, racy.word))
            word.reads.setdefault(racy.reader, set()).add(racy.writer)
            word.races[case.race_name] = None
        if progress is not None:
            progress(number, len(cases))
    return list(found.values())


def in_order(accesses: set[Access]) -> list[Access]:
    """By function and line."""
    return sorted(accesses, key=_key)


def _key(access: Access) -> tuple[str, str, int, str]:
    file, _, line = access.where.rpartition(":")
    return access.function, file, int(line) if line.isdigit() else 0, access.name


def _entry(access: Access) -> dict[str, str]:
    return {"function": access.function, "primitive": access.name, "where": access.where}
