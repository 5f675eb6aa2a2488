"""What a kernel was recorded to do, beside a design's text.

Three answers, never one alone.  *Paths*: how many recorded faults are, of which kinds, and where the first
letter is that does not fit.  *Witnessed*: which visible steps of the text occurred at all; a text is
accepted by the kernel it is not of if its own steps may always fail, so a design's own have to occur.
*Abstracted*: what the kernel did that no text has a step for, each with a reason.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from spfvar.errors import InputError
from spfvar.kernel.faults import fault_texts
from spfvar.kernel.letters import Letter, Letters, Projection
from spfvar.kernel.recording import SYSCALL, Event, Segment
from spfvar.kernel.texts import Acceptor, Edge, Misfit, Way
from spfvar.kernel.writers import CALLS, marked, writer_texts
from spfvar.plugins.variant import Variant

#: What is said of a fault without a mark.
UNMARKED: Final = "unmarked"
#: Bits of an x86 page fault's error code (arch/x86/include/asm/trap_pf.h).
_WRITE, _USER = 2, 4
#: Texts that are nobody's own.
_CORE: Final = Path(__file__).parents[1] / "mm"


@dataclass(frozen=True, slots=True)
class Word:
    """A recorded fault, or system call, in letters."""

    kind: str
    error_code: int
    letters: tuple[Letter, ...]

    @property
    def is_call(self) -> bool:
        """Is it a system call?"""
        return self.kind.startswith(SYSCALL)

    @property
    def write(self) -> bool:
        """Is it a write?"""
        return bool(self.error_code & _WRITE)

    @property
    def user(self) -> bool:
        """Is it user mode's?"""
        return bool(self.error_code & _USER)


@dataclass(frozen=True, slots=True)
class Recording:
    """Every fault that a kernel was seen to handle: different words, and how often each."""

    kernel: str
    table: Letters
    words: tuple[tuple[Word, int], ...]


@dataclass(frozen=True, slots=True)
class Drift:
    """Where faults leave the text: the kernel's letter ("": it was done) and what the text would have had."""

    letter: str
    by: str
    line: int
    expected: tuple[Edge, ...]
    kinds: tuple[str, ...]
    faults: int
    site: str = ""
    source: str = ""

    @property
    def at(self) -> str:
        """The kernel's side: the letter, where it was seen, and its source if that is known."""
        if not self.letter:
            return "the fault is done"
        place = f"{self.letter} at {self.site}" if self.site else f"{self.letter} by {self.by}"
        return f"{place} ({self.source})" if self.source else place

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON list."""
        return {
            "kernel": self.at,
            "text": [edge.told for edge in self.expected],
            "kinds": list(self.kinds),
            "faults": self.faults,
        }


@dataclass(frozen=True)
class Conformity:
    """A design beside a recording.

    ``kinds``: faults of each kind that are paths, and that are not; ``abstracted``: letter, reason, times.
    """

    variant: str
    kernel: str
    kinds: dict[str, tuple[int, int]]
    drift: tuple[Drift, ...]
    witnessed: tuple[Edge, ...]
    never: tuple[Edge, ...]
    abstracted: tuple[tuple[str, str, int], ...]
    own_steps: int
    own_witnessed: int
    words: int

    @cached_property
    def faults(self) -> int:
        """How many were recorded."""
        return sum(ok + bad for kind, (ok, bad) in self.kinds.items() if not kind.startswith(SYSCALL))

    @cached_property
    def paths(self) -> int:
        """How many of them are paths of the text."""
        return sum(ok for kind, (ok, _) in self.kinds.items() if not kind.startswith(SYSCALL))

    @cached_property
    def calls(self) -> tuple[int, int]:
        """How many recorded system calls are paths of the text, and how many there are."""
        found = [counts for kind, counts in self.kinds.items() if kind.startswith(SYSCALL)]
        return sum(ok for ok, _ in found), sum(ok + bad for ok, bad in found)

    @property
    def unseen(self) -> bool:
        """Nothing of what the design does in its own way was ever seen."""
        return self.own_steps > 0 and self.own_witnessed == 0

    def _abstracted(self) -> dict[str, int]:
        found: Counter[str] = Counter()
        for letter, _, times in self.abstracted:
            found[letter] += times
        return dict(sorted(found.items()))

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
            "own": [self.own_witnessed, self.own_steps],
            "abstracted": self._abstracted(),
        }


def make_recording(kernel: str, table: Letters, recorded: Sequence[Segment], file: str) -> Recording:
    """The faults of a recording, in letters; the marked ones if any are.  InputError if there are none."""
    projection = Projection(table, recorded)
    words = []
    marked = any(segment.kind for segment in recorded)
    for segment in (*recorded, *_parts(table, recorded)):
        if segment.kind in CALLS:
            words.append(Word(segment.kind, 0, tuple(projection.letters(segment))))
        elif not segment.is_writer and (segment.kind or not marked):
            code = segment.events[0].number("error_code") or 0
            letters = tuple(projection.letters(segment))
            # With page faults disabled nobody handles one: whoever accesses is told.
            if letters or code & _USER:
                words.append(Word(segment.kind or UNMARKED, code, letters))
    if all(word.is_call for word in words):
        raise InputError(
            "no page fault in it", file=file, expected="events page_fault_user with what follows each"
        )
    return Recording(kernel, table, tuple(_distinct(words)))


def _parts(table: Letters, recorded: Iterable[Segment]) -> Iterator[Segment]:
    """What a call does in some functions, where the whole call is compared with nothing."""
    for segment in recorded:
        if not segment.is_writer or segment.kind in CALLS:
            continue
        inside: list[Event] = []
        for event in segment.events:
            same = bool(inside) and (event.name, event.depth) == (inside[0].name, inside[0].depth)
            if same and event.kind == "call":
                inside = []  # that was a leaf: it shows nothing
            if not inside and not (event.kind == "call" and event.name in table.writers.parts):
                continue
            inside.append(event)
            if same and event.kind == "return":
                yield Segment(table.writers.parts[inside[0].name], segment.task, tuple(inside))
                inside = []


class Text:
    """A design's faults as acceptors, by what recordings say of each: write or read, user's or not."""

    def __init__(self, variant: Variant, table: Letters) -> None:
        self.variant = variant
        self.table = table
        stack = marked(variant)
        automata = defaultdict(list)
        for write, user, text in fault_texts():
            automata[write, user].append(stack.automaton("fault", text))
        self.acceptors: dict[tuple[bool, bool] | str, Acceptor] = {
            facts: Acceptor(found, table) for facts, found in automata.items()
        }
        for call in CALLS:
            found = [stack.automaton(call, text) for text in writer_texts(call)]
            self.acceptors[call] = Acceptor(found, table.of_writers())

    def visible(self) -> list[Edge]:
        """The visible steps of all faults, each line of the text once."""
        found = {edge.step: edge for acceptor in self.acceptors.values() for edge in acceptor.visible()}
        return [found[key] for key in sorted(found)]

    def read(self, word: Word) -> Way | Misfit:
        """How a fault is a path of the text, or why it is none."""
        acceptor = self.acceptors[word.kind if word.is_call else (word.write, word.user)]
        skippable = self.table.reasons(word.letters, word.kind)
        spelled = [letter.text for letter in word.letters]
        way = acceptor.read(spelled, skippable)
        if isinstance(way, Misfit):
            for surplus in self.table.surplus:
                if word.kind in surplus.kinds:
                    more = acceptor.tolerant(surplus.letters).read(spelled, skippable)
                    if isinstance(more, Way):
                        return replace(more, without=surplus.letters[0], why=surplus.why)
        return way

    def changed(self, change: Callable[[Acceptor], Acceptor | None]) -> Text | None:
        """The text with each of its acceptors changed; None if none of them can be."""
        found = {facts: change(acceptor) for facts, acceptor in self.acceptors.items()}
        if all(acceptor is None for acceptor in found.values()):
            return None
        other = copy(self)
        other.acceptors = {facts: found[facts] or acceptor for facts, acceptor in self.acceptors.items()}
        return other


def conform(
    variant: Variant, recording: Recording, source_of: Callable[[str], str] = lambda site: ""
) -> Conformity:
    """Read every recorded fault against the design's text.  Raises StrategyError.

    ``source_of``: file and line of a site in the kernel, "" where that is not known.
    """
    text = Text(variant, recording.table)
    kinds: dict[str, list[int]] = {}
    drifts: dict[tuple[str, str, tuple[str, ...]], list[tuple[Word, Misfit, int]]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    skipped: Counter[tuple[str, str]] = Counter()
    for word, times in recording.words:
        way = text.read(word)
        counts = kinds.setdefault(word.kind, [0, 0])
        if isinstance(way, Misfit):
            counts[1] += times
            letter = word.letters[way.at] if way.at < len(word.letters) else Letter("", 0, "")
            key = (letter.text, letter.by, tuple(edge.letter for edge in way.expected))
            drifts[key].append((word, way, times))
            continue
        counts[0] += times
        seen |= {edge.step for edge in way.steps}
        if way.without:
            skipped[way.why, f"no {way.without}"] += times
        reasons = recording.table.reasons(word.letters, word.kind) if way.skipped else {}
        for number in way.skipped:
            skipped[reasons[number], word.letters[number].text] += times
    told = [_drift(key, found, source_of) for key, found in drifts.items()]
    visible = text.visible()
    own = [edge for edge in visible if edge.where and not _is_core(edge)]
    return Conformity(
        variant.name,
        recording.kernel,
        {kind: (counts[0], counts[1]) for kind, counts in sorted(kinds.items())},
        tuple(sorted(told, key=lambda drift: -drift.faults)),
        tuple(edge for edge in visible if edge.step in seen),
        tuple(edge for edge in visible if edge.step not in seen),
        tuple((letter, why, times) for (why, letter), times in sorted(skipped.items())),
        len(own),
        sum(edge.step in seen for edge in own),
        len(recording.words),
    )


def _is_core(edge: Edge) -> bool:
    return Path(edge.where.rpartition(":")[0]).is_relative_to(_CORE)


def _distinct(words: Iterable[Word]) -> list[tuple[Word, int]]:
    """Words that say the same, once, with how often; lines do not matter."""
    first: dict[tuple[object, ...], Word] = {}
    times: Counter[tuple[object, ...]] = Counter()
    for word in words:
        key = (word.kind, word.error_code, *((letter.text, letter.by) for letter in word.letters))
        first.setdefault(key, word)
        times[key] += 1
    return [(word, times[key]) for key, word in first.items()]


def _drift(
    key: tuple[str, str, tuple[str, ...]], found: Sequence[tuple[Word, Misfit, int]],
    source_of: Callable[[str], str],
) -> Drift:  # fmt: skip
    word, misfit, _ = found[0]
    letter = word.letters[misfit.at] if misfit.at < len(word.letters) else Letter("", 0, "")
    kinds = tuple(sorted({word.kind for word, _, _ in found}))
    faults = sum(times for _, _, times in found)
    source = source_of(letter.site) if letter.site else ""
    return Drift(key[0], key[1], letter.line, misfit.expected, kinds, faults, letter.site, source)
