"""A part of a recorded run in its order: what each thread does when, who hands what over to whom.

Times are whole nanoseconds from the begin of the window, so that slices nest exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from spfvar.ops import codes as c
from spfvar.simulate import record as r
from spfvar.simulate.recorded import Recorded
from spfvar.simulate.world import KTHREAD
from spfvar.timing.breakdown import CALL, FAULT, KINDS, line_names, place_of, shares, stack_of

Events = npt.NDArray[np.float64]
Sort = Literal["fault", "call", "function", "primitive", "kind"]


@dataclass(frozen=True, slots=True)
class Slice:
    """What a thread does from ``begin`` to ``end``; slices of a thread lie within each other or apart.

    A "fault" or a "call" has functions in it, those have primitives, and those have what they spend time on
    (a "kind"), if it is not all work.  ``where``: file:line of a primitive.
    """

    thread: int
    begin: int
    end: int
    name: str
    sort: Sort
    depth: int
    where: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A thread holds a lock; ``number`` tells objects apart.  Holds of a thread may overlap."""

    thread: int
    begin: int
    end: int
    lock: str
    number: int


@dataclass(frozen=True, slots=True)
class Abort:
    """A thread gives a try up, for a reason ("": none is counted)."""

    thread: int
    at: int
    event: str
    reason: str


@dataclass(frozen=True, slots=True)
class Handover:
    """A "lock" or a cache "line" goes from one thread to another, which has it at ``end``."""

    what: Literal["lock", "line"]
    name: str
    giver: int
    begin: int
    taker: int
    end: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """A window of a run that begins at ``begin`` ns and is ``span`` ns long.

    ``asked`` is how long it should have been: there were too many events for that, if it is more.
    """

    begin: float
    span: int
    asked: int
    threads: tuple[str, ...]
    slices: tuple[Slice, ...]
    holds: tuple[Hold, ...]
    aborts: tuple[Abort, ...]
    handovers: tuple[Handover, ...]


def known_until(recorded: Recorded) -> float:
    """Until when a run's record has every event: to the window's end, unless there were too many.

    Then until the first thread has no more.  What began before may lack its end, if that came later: it takes
    another run, with this window, to have that.
    """
    record = recorded.record
    if record.window[r.W_COUNT] <= len(record.events):
        return float(record.window[r.W_TO])
    own = record.events[record.events[:, 0] == r.E_SLICE]
    return min((float(own[own[:, 1] == thread, 5].max()) for thread in np.unique(own[:, 1])), default=0.0)


def timeline(recorded: Recorded, asked: float | None = None) -> Timeline:
    """The timeline of a run that was recorded with a window; ``asked``: how long it should have been (ns)."""
    record = recorded.record
    begin, end, count = (float(value) for value in record.window)
    events = record.events[: min(int(count), len(record.events))]
    span = max(0, round(end - begin))
    return _Reader(recorded, events, begin, span, span if asked is None else round(asked)).read()


#: Of a leaf: begin, end, and what is around it from the outside in, the last one itself.
_Leaf = tuple[int, int, tuple[tuple[str, Sort, str], ...]]


class _Reader:
    def __init__(self, recorded: Recorded, events: Events, begin: float, span: int, asked: int) -> None:
        self.recorded = recorded
        self.events = events
        self.begin = begin
        self.span = span
        self.asked = asked
        self.ops = recorded.world.program.ops
        load = recorded.world.load
        names = [f"{group.group.name} {i}" for group in load.groups for i in range(group.threads)]
        self.threads = (*names, KTHREAD)
        self.line_of = _lines_by_number(recorded)

    def read(self) -> Timeline:
        slices: list[Slice] = []
        for thread in range(len(self.threads)):
            own = self.events[self.events[:, 1] == thread]
            slices += _nested(thread, self._leaves(own))
        slices = [one for one in slices if one.begin < one.end]
        return Timeline(
            self.begin, self.span, self.asked, self.threads, tuple(slices), tuple(self._holds()),
            tuple(self._aborts()), tuple(self._handovers()),
        )  # fmt: skip

    def at(self, t: float) -> int:
        """A time within the window."""
        return max(0, min(self.span, round(t - self.begin)))

    def is_inside(self, t: float) -> bool:
        return 0 <= round(t - self.begin) <= self.span

    def _leaves(self, events: Events) -> list[_Leaf]:
        """What a thread does, primitive by primitive, in its order; none begins before the last has ended."""
        around = sorted(
            (float(e[4]), float(e[5]), FAULT if int(e[2]) == c.MARK_FAULT_END else CALL)
            for e in events[events[:, 0] == r.E_MARK]
        )
        found: list[tuple[float, float, int, str]] = []
        for row in events[events[:, 0] == r.E_SLICE]:
            found += self._parts(int(row[2]), float(row[4]), float(row[5]))
        leaves: list[_Leaf] = []
        outer = 0
        for number, (start, stop, node, kind) in enumerate(found):
            if number + 1 < len(found):  # a later time says that this one was too long
                stop = min(stop, max(start, found[number + 1][0]))
            while outer < len(around) and around[outer][1] <= start:
                outer += 1
            op = self.ops[node]
            path: list[tuple[str, Sort, str]] = [(name, "function", "") for name in stack_of(op)]
            if outer < len(around) and around[outer][0] <= start:
                what: Sort = "fault" if around[outer][2] == FAULT else "call"
                path.insert(0, (what, what, str(outer)))
            path.append((op.name, "primitive", place_of(op)))
            if kind != KINDS[r.WORK]:
                path.append((kind, "kind", ""))
            if self.at(start) < self.at(stop):
                leaves.append((self.at(start), self.at(stop), tuple(path)))
        return leaves

    def _parts(self, slot: int, begin: float, end: float) -> list[tuple[float, float, int, str]]:
        """A slot's time as times of nodes, one after the other."""
        nodes = len(self.ops)
        if slot < nodes * r.CATEGORIES:
            node, category = divmod(slot, r.CATEGORIES)
            return [(begin, end, node, KINDS[category])]
        parts = []
        done = 0.0
        for node, share in shares(self.recorded, slot):
            start = begin + (end - begin) * done
            done += share
            parts.append((start, begin + (end - begin) * min(done, 1.0), node, KINDS[r.WORK]))
        return parts

    def _holds(self) -> Iterable[Hold]:
        rows = [(int(e[1]), float(e[4]), float(e[5]), int(e[2]), int(e[3]))
                for e in self.events[self.events[:, 0] == r.E_HOLD]]  # fmt: skip
        for thread, held in enumerate(self.recorded.record.held):  # to the run's end
            rows += [
                (thread, float(since), float("inf"), int(lock) - 1, int(word))
                for lock, word, since in held
                if lock > 0 and since < self.begin + self.span
            ]
        for thread, begin, end, lock, word in sorted(rows, key=lambda row: (row[1], row[0], row[4])):
            until = self.span if end == float("inf") else self.at(end)
            if self.at(begin) < until:
                yield Hold(thread, self.at(begin), until, self.recorded.locks[lock], word)

    def _aborts(self) -> Iterable[Abort]:
        names = self.recorded.world.program.events
        wide = len(self.recorded.record.roles) + 1
        for row in self.events[self.events[:, 0] == r.E_ABORT]:
            event, reason = divmod(int(row[2]), wide)
            if self.is_inside(row[4]):
                yield Abort(int(row[1]), self.at(row[4]), names[event], names[reason - 1] if reason else "")

    def _handovers(self) -> Iterable[Handover]:
        for kind, taker, what, giver, begin, end in self.events:
            if kind not in (r.E_LOCK, r.E_LINE) or not (self.is_inside(begin) and self.is_inside(end)):
                continue
            if giver == taker or end < begin:
                continue
            times = int(giver), self.at(begin), int(taker), self.at(end)
            if kind == r.E_LOCK:
                yield Handover("lock", self.recorded.locks[int(what)], *times)
            else:
                yield Handover("line", self.line_of.get(int(what), "cache line"), *times)


def _lines_by_number(recorded: Recorded) -> dict[int, str]:
    """What the cache lines are called, by the number that the program table has for them."""
    world = recorded.world
    names, _ = line_names(recorded)
    found: dict[int, str] = {}
    for node, site in enumerate(recorded.record.nodes[:, r.N_SITE]):
        op = world.program.ops[node]
        if site >= 0 and op.line is not None:
            base = int(world.program.table[node, c.C_L_BASE])
            for index in range(world.layout.sizes.count(op.line.field.cls)):
                found.setdefault(base + index, names[int(site)])
    return found


def _nested(thread: int, leaves: Sequence[_Leaf]) -> list[Slice]:
    """Put what lies in the same fault, function and primitive, without a gap, into one slice."""
    done: list[Slice] = []
    begun: list[tuple[tuple[str, Sort, str], int]] = []
    last = 0

    def close(depth: int) -> None:
        while len(begun) > depth:
            (name, sort, where), begin = begun.pop()
            shown = where if sort == "primitive" else ""
            done.append(Slice(thread, begin, last, name, sort, len(begun), shown))

    for begin, end, path in leaves:
        same = 0
        if begin == last:
            while same < min(len(begun), len(path)) and begun[same][0] == path[same]:
                same += 1
        close(same)
        begun += [(place, begin) for place in path[same:]]
        last = end
    close(0)
    return sorted(done, key=lambda one: (one.begin, one.depth))
