"""Are the recorded faults paths of a design's text?

Three answers, never one alone.  *Paths*: how many recorded faults are, of which kinds, and where the first letter
is that does not fit.  *Witnessed*: which visible steps of the text occurred at all; a text is accepted by the kernel
it is not of if its own steps may always fail, so a design's own have to occur.  *Abstracted*: what the kernel did
that no text has a step for, each with a reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from spfvar.errors import InputError
from spfvar.kernel.faults import fault_texts
from spfvar.kernel.letters import Letter, Letters, Projection
from spfvar.kernel.recording import Segment
from spfvar.kernel.texts import Acceptor, Edge, Marked, Misfit
from spfvar.plugins.variant import Variant

#: What is said of a fault without a mark.
UNMARKED: Final = "unmarked"
#: Bits of an x86 page fault's error code (arch/x86/include/asm/trap_pf.h).
_WRITE, _USER = 2, 4
#: Texts that are nobody's own.
_CORE: Final = Path(__file__).parents[1] / "mm"


@dataclass(frozen=True, slots=True)
class Word:
    """A recorded fault in letters."""

    kind: str
    write: bool
    user: bool
    letters: tuple[Letter, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """Every fault that a kernel was seen to handle."""

    kernel: str
    table: Letters
    words: tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """Where faults leave the text: the kernel's letter ("": it was done) and what the text would have had."""

    letter: str
    by: str
    line: int
    expected: tuple[Edge, ...]
    kinds: tuple[str, ...]
    faults: int

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON list."""
        return {
            "kernel": f"{self.letter} by {self.by}" if self.letter else "the fault is done",
            "text": [edge.told for edge in self.expected],
            "kinds": list(self.kinds),
            "faults": self.faults,
        }


@dataclass(frozen=True)
class Conformity:
    """A design beside a recording; ``kinds``: faults of each kind that are paths, and that are not."""

    variant: str
    kernel: str
    kinds: dict[str, tuple[int, int]]
    drift: tuple[Drift, ...]
    witnessed: tuple[Edge, ...]
    never: tuple[Edge, ...]
    abstracted: dict[str, int]
    reasons: dict[str, str]
    own_steps: int
    own_witnessed: int
    words: int = field(default=0)

    @cached_property
    def faults(self) -> int:
        """How many were recorded."""
        return sum(ok + bad for ok, bad in self.kinds.values())

    @cached_property
    def paths(self) -> int:
        """How many of them are paths of the text."""
        return sum(ok for ok, _ in self.kinds.values())

    @property
    def unseen(self) -> bool:
        """Nothing of what the design does in its own way was ever seen."""
        return self.own_steps > 0 and self.own_witnessed == 0

    def as_dict(self) -> dict[str, object]:
        """The JSON document."""
        return {
            "variant": self.variant,
            "kernel": self.kernel,
            "faults": self.faults,
            "paths": self.paths,
            "kinds": {kind: list(counts) for kind, counts in self.kinds.items()},
            "drift": [drift.as_dict() for drift in self.drift],
            "witnessed": [len(self.witnessed), len(self.witnessed) + len(self.never)],
            "never": [edge.told for edge in self.never],
            "abstracted": self.abstracted,
        }


def make_recording(kernel: str, table: Letters, recorded: Sequence[Segment], file: str) -> Recording:
    """The faults of a recording, in letters.  Raises InputError if there are none."""
    projection = Projection(table, recorded)
    words = []
    for segment in recorded:
        if segment.is_writer:
            continue
        code = segment.events[0].number("error_code") or 0
        letters = tuple(projection.letters(segment))
        words.append(Word(segment.kind or UNMARKED, bool(code & _WRITE), bool(code & _USER), letters))
    if not words:
        raise InputError(
            "no page fault in it", file=file, expected="events page_fault_user with what follows each"
        )
    return Recording(kernel, table, tuple(words))


class Text:
    """A design's faults as acceptors, by what the recording says of each: read or write, user or kernel mode."""

    def __init__(self, variant: Variant, table: Letters) -> None:
        self.variant = variant
        stack = Marked(variant)
        automata = defaultdict(list)
        for write, user, text in fault_texts():
            automata[write, user].append(stack.automaton("fault", text))
        self.acceptors = {facts: Acceptor(found, table) for facts, found in automata.items()}

    def visible(self) -> list[Edge]:
        """The visible steps of all faults, each line of the text once."""
        found = {
            (edge.where, edge.letter): edge
            for acceptor in self.acceptors.values()
            for edge in acceptor.visible()
        }
        return [found[key] for key in sorted(found)]


def conform(variant: Variant, recording: Recording) -> Conformity:
    """Read every recorded fault against the design's text.  Raises StrategyError."""
    text = Text(variant, recording.table)
    kinds: dict[str, list[int]] = {}
    drifts: dict[tuple[str, str, tuple[str, ...]], list[tuple[Word, Misfit]]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    skipped: Counter[str] = Counter()
    for word, times in _distinct(recording.words):
        way = text.acceptors[word.write, word.user].read(
            [letter.text for letter in word.letters], _skippable(word.letters, recording.table)
        )
        counts = kinds.setdefault(word.kind, [0, 0])
        if isinstance(way, Misfit):
            counts[1] += times
            letter = word.letters[way.at] if way.at < len(word.letters) else Letter("", 0, "")
            key = (letter.text, letter.by, tuple(edge.letter for edge in way.expected))
            drifts[key] += [(word, way)] * times
            continue
        counts[0] += times
        seen |= {(edge.where, edge.letter) for edge in way.steps}
        for number in way.skipped:
            skipped[word.letters[number].text] += times
    visible = text.visible()
    own = [edge for edge in visible if edge.where and not _is_core(edge)]
    reasons = {letter: entry.why for entry in recording.table.abstracted for letter in entry.letters}
    return Conformity(
        variant.name,
        recording.kernel,
        {kind: (counts[0], counts[1]) for kind, counts in sorted(kinds.items())},
        tuple(sorted((_drift(key, found) for key, found in drifts.items()), key=lambda d: -d.faults)),
        tuple(edge for edge in visible if (edge.where, edge.letter) in seen),
        tuple(edge for edge in visible if (edge.where, edge.letter) not in seen),
        dict(sorted(skipped.items())),
        {letter: reasons[letter] for letter in sorted(skipped)},
        len(own),
        sum((edge.where, edge.letter) in seen for edge in own),
        len(set(recording.words)),
    )


def _is_core(edge: Edge) -> bool:
    return Path(edge.where.rpartition(":")[0]).is_relative_to(_CORE)


def _distinct(words: Iterable[Word]) -> list[tuple[Word, int]]:
    """Words that say the same, once, with how often; lines do not matter."""
    first: dict[tuple[object, ...], Word] = {}
    times: Counter[tuple[object, ...]] = Counter()
    for word in words:
        key = (word.kind, word.write, word.user, *((letter.text, letter.by) for letter in word.letters))
        first.setdefault(key, word)
        times[key] += 1
    return [(word, times[key]) for key, word in first.items()]


def _skippable(letters: Sequence[Letter], table: Letters) -> frozenset[int]:
    return frozenset(number for number, letter in enumerate(letters) if table.is_abstracted(letter))


def _drift(key: tuple[str, str, tuple[str, ...]], found: Sequence[tuple[Word, Misfit]]) -> Drift:
    word, misfit = found[0]
    line = word.letters[misfit.at].line if misfit.at < len(word.letters) else 0
    kinds = tuple(sorted({word.kind for word, _ in found}))
    return Drift(key[0], key[1], line, misfit.expected, kinds, len(found))
