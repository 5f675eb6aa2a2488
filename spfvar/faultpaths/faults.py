"""Which kinds of faults a design handles without mmap_lock: each fault alone, along every open outcome.

Nobody else is there, so what comes out is what the design does by rule, not for want of luck.  What a fault
would have had to do if mmap_lock had not been free for its trylock is added as a condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spfvar.explore.moves import State
from spfvar.faultpaths.kinds import FaultKind
from spfvar.faultpaths.runs import MAX_STEPS, UNDER_MMAP_LOCK, Lead, Step, events_of, world_of
from spfvar.faultpaths.small import FAULT, SIGNAL, fault_text, small_race
from spfvar.ops import codes as c
from spfvar.ops import objects as o
from spfvar.plugins.variant import Stack, Variant

Verdict = Literal["handled", "falls back", "mmap_lock", "refused"]


@dataclass(frozen=True, slots=True)
class Handling:
    """What a design does with a kind of fault.

    "handled": without mmap_lock, unless a condition says otherwise; "falls back": it is tried, and done again
    under mmap_lock; "mmap_lock": it is not tried at all; "refused": it ends with a signal or never.
    ``reasons`` say why, ``conditions`` when a handled fault is not.
    """

    variant: str
    kind: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """One entry of the JSON list."""
        return {
            "variant": self.variant,
            "kind": self.kind,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "conditions": list(self.conditions),
        }


Way = list[Step]


def handling_of(kind: FaultKind, variant: Variant, stack: Stack) -> Handling:
    """Run a kind of fault alone under a variant.  Raises StrategyError."""
    race = small_race([kind.file] if kind.file else [], [kind.vma], kind.fault)
    lead = Lead(world_of(race, stack, {FAULT: fault_text(race, kind.fault)}))
    ways = _ways(lead, lead.state, kind.answers)
    if any(not _completes(way) for way in ways):
        return Handling(variant.name, kind.name, "refused", _unique(map(_end_of, ways)))
    locked = [way for way in ways if UNDER_MMAP_LOCK in events_of(way)]
    if not locked:
        return Handling(variant.name, kind.name, "handled", (), _conditions(lead, kind, variant, ways))
    if not any(_attempted(way, variant) for way in locked):
        return Handling(variant.name, kind.name, "mmap_lock")
    reasons = _unique(reason_of(way, variant) for way in locked)
    return Handling(variant.name, kind.name, "falls back", reasons)


def _ways(lead: Lead, start: State, answers: dict[str, int]) -> list[Way]:
    """Every way through the fault from a state: it branches at open outcomes that nothing answers."""
    ways: list[Way] = []
    ahead: list[tuple[State, Way, int]] = [(start, [], -1)]
    while ahead:
        state, way, choice = ahead.pop()
        lead.to(state)
        while not lead.ended(0) and len(way) < MAX_STEPS:
            if choice < 0 and (outcomes := lead.choices(0)) > 1:
                choice = answers.get(lead.next_op(0).name, -1)
                if choice < 0:
                    ahead += [(lead.state, [*way], other) for other in range(outcomes)]
                    way = []
                    break
            step = lead.step(0, max(choice, 0))
            choice = -1
            if step is None:
                break
            way.append(step)
        if way:
            ways.append(way)
    return ways


def _completes(way: Way) -> bool:
    counted = events_of(way)
    return SIGNAL not in counted and way[-1].op.code == c.COUNT


def _end_of(way: Way) -> str:
    return "ends with a signal" if SIGNAL in events_of(way) else f"waits for ever after {way[-1].op.name}"


def _conditions(lead: Lead, kind: FaultKind, variant: Variant, ways: Sequence[Way]) -> tuple[str, ...]:
    """What a fault that is handled needs from others: mmap_lock for a moment; a wait under its lock."""
    found = []
    for way in ways:
        found += [_wait_text(way, number) for number, step in enumerate(way) if _waits(step)]
        for number, step in enumerate(way):
            if not step.is_on(o.MMAP_LOCK, c.DOWN_READ_TRYLOCK):
                continue
            for other in _ways(lead, lead.failing(0, step), kind.answers):
                again = [*way[:number], *other]
                if UNDER_MMAP_LOCK in events_of(again):
                    found.append(f"falls back if mmap_lock is not free: {reason_of(again, variant)}")
    return _unique(found)


def _wait_text(way: Way, number: int) -> str:
    """What the wait with this number means for others: a fault that keeps its locks need not look again."""
    again = any(step.op.code == c.FIND_VMA for step in way[number:])
    return f"{'done again after a wait' if again else 'waits where it is'} ({way[number].op.name})"


def _waits(step: Step) -> bool:
    return step.op.code == c.NOP and step.op.sleeps


def _attempted(way: Way, variant: Variant) -> bool:
    return bool(set(events_of(_before_mmap_lock(way))) & set(variant.events_with("attempt")))


def _before_mmap_lock(way: Sequence[Step]) -> list[Step]:
    """What happened until the fault went to mmap_lock."""
    for number, step in enumerate(way):
        if step.op.event == UNDER_MMAP_LOCK:
            return list(way[:number])
    return list(way)


def reason_of(way: Sequence[Step], variant: Variant) -> str:
    """Why a fault went to mmap_lock: the counted reason, else what it waited for, else the last test."""
    before = _before_mmap_lock(way)
    docs = {event.name: event.doc for event in variant.events if event.role == "reason"}
    counted = [event for event in events_of(before) if event in docs]
    if counted:
        return f"{docs[counted[-1]]} ({counted[-1]})"
    waited = [step.op.name for step in before if _waits(step)]
    if waited:
        return f"the lock was dropped for a wait ({waited[-1]})"
    tests = [step for step in before if len(step.op.outcomes) > 1]
    if not tests:
        return "not tried"
    last = tests[-1]
    return f"not counted; the last test was {last.op.name}: {_answer(last)} ({last.op.function})"


def _answer(step: Step) -> str:
    outcome = step.op.outcomes[step.outcome]
    return (
        {True: "yes", False: "no"}.get(outcome, str(outcome)) if isinstance(outcome, bool) else str(outcome)
    )


def _unique(texts: object) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))  # type: ignore[call-overload]
