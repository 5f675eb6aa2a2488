"""What writers do to a design's faults: each writer is stopped at each of its steps, and a fault let in.

Two experiments per writer, with a fault on the VMA that it works on, and with one on another VMA of the same
mm: a fault that begins while the writer is at work, and a fault that has come as far as the page tables when
the writer arrives.  Waits for a spinlock and for an IPI are not counted: they are short, and every design has
them.  A design's own spinlock counts if the writer holds it for longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from spfvar.explore.moves import State
from spfvar.faultpaths.faults import reason_of
from spfvar.faultpaths.runs import UNDER_MMAP_LOCK, Lead, Step, events_of, world_of
from spfvar.faultpaths.small import FAULT, Facts, fault_text, small_race
from spfvar.faultpaths.system_calls import Writer
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.ops.op import Op
from spfvar.ops.places import Field
from spfvar.plugins.variant import Stack, Variant
from spfvar.scenario.actors import actor_text

WRITER = "writer"
#: The core's spinlocks.  Of a design's own, those count that a writer holds for more than so many primitives.
_CORE_SPINLOCKS = (o.PTL, o.PMD_LOCK, o.PAGE_TABLE_LOCK)
_SHORT = 4


@dataclass(frozen=True, slots=True)
class Effect:
    """What a writer does to faults in one place: words, each with the reasons or locks behind it.

    ``running``: faults that were at the page tables when it came: "aborted" (they go to mmap_lock),
    "waited for" (the writer waits for them), "waits".  ``new``: faults that begin meanwhile: "falls back",
    "waits".
    """

    running: dict[str, tuple[str, ...]]
    new: dict[str, tuple[str, ...]]

    def same_words(self, other: Effect) -> bool:
        """Does the other have the same words, for whatever reasons?"""
        return (set(self.running), set(self.new)) == (set(other.running), set(other.new))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"running": self.running, "new": self.new}


@dataclass(frozen=True, slots=True)
class Overlay:
    """A writer under a variant.

    ``mmap_lock``: how it takes the lock, in order, e.g. "W>R" for a downgrade (`mmap_lock_of`); ``near`` and
    ``far``: its effect on faults (None: nobody could fault); ``also``: "IPI" (it interrupts CPUs), "RCU" (it
    frees after a grace period), "tables" (it unlinks page tables).
    """

    variant: str
    writer: str
    mmap_lock: str
    near: Effect | None
    far: Effect | None
    also: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """One entry of the JSON list."""
        return {
            "variant": self.variant,
            "writer": self.writer,
            "mmap_lock": self.mmap_lock,
            "near": self.near and self.near.as_dict(),
            "far": self.far and self.far.as_dict(),
            "also": list(self.also),
        }


def overlay_of(writer: Writer, variant: Variant, stack: Stack) -> Overlay:
    """Run a writer under a variant, alone and against faults.  Raises StrategyError."""
    place = writer.near or writer.far or Facts(writer.vmas[-1].name)
    lead = _world(writer, place, stack)
    alone = lead.run(1)
    return Overlay(
        variant.name,
        writer.name,
        mmap_lock_of(alone),
        _effect(writer, writer.near, variant, stack),
        _effect(writer, writer.far, variant, stack),
        _also(alone),
    )


def mmap_lock_of(steps: Sequence[Step]) -> str:
    """How the thread's own mmap_lock is taken: "W", "R", "W>R", "R, W>R", or "-".

    A range lock of the mm stands in its place.  Of that, capitals are the full range, and "w", "r", "w>r" a
    part of it.
    """
    taken: list[str] = []
    for step in steps:
        if step.is_on(o.MMAP_LOCK, c.DOWN_WRITE) and _had(step):
            taken.append("W")
        elif step.is_on(o.MMAP_LOCK, c.DOWN_READ, c.DOWN_READ_TRYLOCK) and _had(step):
            taken.append("R")
        elif _of_range(step, c.RANGE_LOCK) or (_of_range(step, c.RANGE_TRYLOCK) and _had(step)):
            taken.append(_range_word(step.op))
        elif step.is_on(o.MMAP_LOCK, c.DOWNGRADE_WRITE) or _of_range(step, c.RANGE_DOWNGRADE):
            taken[-1] = {"W": "W>R", "w": "w>r"}[taken[-1]]
    return ", ".join(taken) or "-"


def _of_range(step: Step, code: int) -> bool:
    """Is it this opcode, on a range lock of the thread's own mm, whatever a design calls it?"""
    place = step.op.place
    return step.op.code == code and place is not None and place.register == o.mm


def _range_word(request: Op) -> str:
    word = "W" if request.imm else "R"
    return word if request.imm2 == c.EVERYTHING else word.lower()


def _had(step: Step) -> bool:
    """Was the lock had?  Without a second outcome there is no doubt."""
    return len(step.op.outcomes) == 1 or step.succeeded


def _also(steps: Sequence[Step]) -> tuple[str, ...]:
    codes = {step.op.code for step in steps}
    unlinks = any(step.op.code in (c.PMD_CLEAR, c.PMD_TAKE) and step.succeeded for step in steps)
    found = {"IPI": c.IPI_SEND in codes, "RCU": c.CALL_RCU in codes, "tables": unlinks}
    return tuple(name for name, there in found.items() if there)


def _world(writer: Writer, fault: Facts, stack: Stack) -> Lead:
    race = small_race(writer.files, writer.vmas, fault, writer.program)
    texts = {FAULT: fault_text(race, fault), WRITER: actor_text(race, race.actor[1])}
    return Lead(world_of(race, stack, texts))


def _effect(writer: Writer, fault: Facts | None, variant: Variant, stack: Stack) -> Effect | None:
    if fault is None:
        return None
    lead = _world(writer, fault, stack)
    start = lead.state
    alone = lead.run(0)
    found = _Found(variant, locked=UNDER_MMAP_LOCK in events_of(alone))
    lead.to(start)
    steps = lead.run(1)
    found.long_held = _long_held(steps)
    for step in steps[1:]:
        _begin_at(lead, step.before, found)
    walked = next((i for i, step in enumerate(alone) if step.op.code == c.READ_PMD), len(alone))
    for number in range(walked + 1, len(alone)):
        _arrive_at(lead, alone[:number], alone[number].before, found)
    return Effect(_sorted(found.running), _sorted(found.new))


def _long_held(steps: Sequence[Step]) -> frozenset[Field]:
    """The design's own spinlocks that the writer holds for long."""
    begun: dict[Field, int] = {}
    found = set()
    for number, step in enumerate(steps):
        place = step.op.place
        if place is None or place.field in _CORE_SPINLOCKS or place.field.cls == o.FOLIO:
            continue
        if step.op.code in (c.LOCK, c.TRYLOCK) and _had(step):
            begun[place.field] = number
        elif step.op.code == c.UNLOCK and number - begun.get(place.field, number) > _SHORT:
            found.add(place.field)
    return frozenset(found)


#: Words, and the reasons of each in order of appearance.
_Words = dict[str, dict[str, None]]


def _sorted(words: _Words) -> dict[str, tuple[str, ...]]:
    return {word: tuple(words[word]) for word in sorted(words)}


@dataclass(slots=True)
class _Found:
    """What the experiments of one place found; ``locked``: these faults take mmap_lock in any case."""

    variant: Variant
    locked: bool
    long_held: frozenset[Field] = frozenset()
    running: _Words = field(default_factory=dict)
    new: _Words = field(default_factory=dict)

    def note(self, words: _Words, word: str, reason: str) -> None:
        words.setdefault(word, {})[reason] = None

    def waits(self, op: Op) -> bool:
        """Is a thread that stops in front of this primitive told to be waiting?"""
        return op.sleeps or (op.code == c.LOCK and op.place is not None and op.place.field in self.long_held)

    def fell_back(self, steps: Sequence[Step]) -> bool:
        return not self.locked and UNDER_MMAP_LOCK in events_of(steps)


def _begin_at(lead: Lead, state: State, found: _Found) -> None:
    """The writer stands in ``state``: a fault begins, and goes as far as it can."""
    lead.to(state)
    steps = lead.run(0)
    if found.fell_back(steps):
        found.note(found.new, "falls back", reason_of(steps, found.variant))
    elif not lead.ended(0) and found.waits(lead.next_op(0)):
        found.note(found.new, "waits", lead.next_op(0).name)


def _arrive_at(lead: Lead, before: Sequence[Step], state: State, found: _Found) -> None:
    """The fault stands in ``state``: the writer comes, then they go on in turns until neither can."""
    lead.to(state)
    steps = list(before)
    while True:
        moved = bool(lead.run(1))
        if not lead.ended(1) and found.waits(lead.next_op(1)):
            found.note(found.running, "waited for", lead.next_op(1).name)
        more = lead.run(0)
        steps += more
        if found.fell_back(steps):
            found.note(found.running, "aborted", reason_of(steps, found.variant))
            return
        if lead.ended(0) or not (moved or more):
            return
        if found.waits(lead.next_op(0)):
            found.note(found.running, "waits", lead.next_op(0).name)
