"""Where the time of a recorded run went, as data: by step, cache line, lock, server and given-up try.

All times are means in nanoseconds a fault, or a call of a writer's.  Those of the steps add up to the mean
latency that the run's meters measured.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.places import Field
from spfvar.simulate import meters as w
from spfvar.simulate import record as r
from spfvar.simulate.recorded import Recorded
from spfvar.simulate.runner import percentile
from spfvar.structs.lines import LineKey

#: What a time is spent on, in the order of the record's numbers.
KINDS = (
    "work", "transfer", "line wait", "lock wait", "wake-up", "spin", "sleep", "CPU wait", "interrupts",
    "flush", "waking", "zone lock", "LRU lock", "memcg counter", "memory channel",
)  # fmt: skip
SERVERS = KINDS[r.ZONE :]
What = Literal["fault", "call"]
FAULT: What = "fault"
CALL: What = "call"
#: Who had a line that nobody of the run had taken yet.
MEMORY = "memory"


@dataclass(frozen=True, slots=True)
class Step:
    """A primitive where one way of calls leads to it.

    ``stack`` are the functions, the outermost first; the last one yields the primitive ``name`` at ``where``
    (file:line).  ``line`` is the cache line that it touches, at ``member``, ``lock`` the one that it acts on,
    or "".  ``ns`` by kind (`KINDS`); ``lost``: of it, in tries that were given up; ``transfers``: lines
    fetched.
    """

    stack: tuple[str, ...]
    name: str
    where: str
    line: str
    member: str
    lock: str
    ns: dict[str, float]
    lost: float
    transfers: float

    @property
    def function(self) -> str:
        """Whose text it is."""
        return self.stack[-1]

    @property
    def total(self) -> float:
        """All its time."""
        return sum(self.ns.values())


@dataclass(frozen=True, slots=True)
class Taker:
    """A step that had a line before others needed it: so often a fault or call, which cost those ``ns``."""

    member: str
    function: str
    name: str
    where: str
    transfers: float
    ns: float


@dataclass(frozen=True, slots=True)
class Line:
    """What faults, or calls, lose to a cache line: as perf c2c shows it.

    ``members`` are those that the run touches on it.  ``takers`` are whom it was fetched from or waited for,
    the costliest first; they count requests that end in the window, so they differ a little from the steps.
    """

    name: str
    members: tuple[str, ...]
    transfers: float
    transfer_ns: float
    wait_ns: float
    takers: tuple[Taker, ...]

    @property
    def total(self) -> float:
        """Both times."""
        return self.transfer_ns + self.wait_ns


@dataclass(frozen=True, slots=True)
class Ender:
    """A step whose release ended waits: its share of the time that was waited."""

    function: str
    name: str
    where: str
    share: float


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock in the window, whoever took it; numbers of events, times in ns (NaN: there was none).

    ``waits`` are those in its queue; ``longest`` is the longest queue, ``convoys`` how often a second thread
    joined one.
    """

    name: str
    taken: int
    waits: int
    wait_mean: float
    wait_p99: float
    hold_mean: float
    hold_p99: float
    longest: int
    convoys: int
    enders: tuple[Ender, ...]


@dataclass(frozen=True, slots=True)
class Server:
    """A lock of the kernel's that nobody sleeps under, or another resource: visits and ns a fault or call."""

    name: str
    visits: float
    wait: float
    transfer: float
    hold: float


@dataclass(frozen=True, slots=True)
class Tries:
    """Tries that were given up: how often in 1000 faults, ns a try, ns a fault.  ``reason`` may be ""."""

    abort: str
    reason: str
    per_1000: float
    mean: float
    ns: float


@dataclass(frozen=True, slots=True)
class Part:
    """The faults, or the writers' calls: so many, whose mean latency (ns) the meters measured."""

    what: What
    count: int
    mean: float
    steps: tuple[Step, ...]
    lines: tuple[Line, ...]
    servers: tuple[Server, ...]
    tries: tuple[Tries, ...]

    @property
    def kinds(self) -> dict[str, float]:
        """The time by kind."""
        return {kind: sum(step.ns.get(kind, 0.0) for step in self.steps) for kind in KINDS}


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A cell's answer; ``calls`` is None where no call of a writer's was counted."""

    variant: str
    scenario: str
    threads: int
    faults: Part
    calls: Part | None
    locks: tuple[Lock, ...]
    faults_per_s: float

    def parts(self) -> tuple[Part, ...]:
        """Faults, and calls if there are any."""
        return (self.faults,) if self.calls is None else (self.faults, self.calls)


def break_down(recorded: Recorded) -> Breakdown:
    """Put the record of a run into words.  A run without faults has none of their steps."""
    return _Reader(recorded).read()


class _Reader:
    def __init__(self, recorded: Recorded) -> None:
        self.recorded = recorded
        self.ops = recorded.world.program.ops
        self.nodes = len(self.ops)
        self.line_names, self.members = line_names(recorded)

    def read(self) -> Breakdown:
        x = self.recorded.meters.x
        faults = self._part(FAULT, r.IN_FAULT, int(x[w.X_FAULTS]), float(x[w.X_FAULT_TIME]))
        calls = self._part(CALL, r.IN_CALL, int(x[w.X_WRITERS]), float(x[w.X_WRITER_TIME]))
        load = self.recorded.world.load
        return Breakdown(
            self.recorded.variant.name, load.scenario, load.threads, faults, calls if calls.count else None,
            tuple(self._locks()), self.recorded.result.metrics["faults_per_s"],
        )  # fmt: skip

    def _part(self, what: What, context: int, count: int, time: float) -> Part:
        if not count:
            return Part(what, 0, float("nan"), (), (), (), ())
        steps = tuple(self._steps(context, count))
        lines = sorted(self._lines(steps, context, count), key=lambda line: (-line.total, line.name))
        return Part(
            what, count, time / count, steps, tuple(lines), tuple(self._servers(context, count)),
            tuple(self._tries(context, count)),
        )  # fmt: skip

    # --- steps ---------------------------------------------------------------------------------------

    def _steps(self, context: int, count: int) -> list[Step]:
        per_node = self.recorded.record.totals[context, : self.nodes * r.CATEGORIES].reshape(
            self.nodes, r.CATEGORIES, 3
        )
        times = per_node[:, :, 0].copy()
        lost = per_node[:, :, 1].sum(axis=1)
        times[:, r.WORK] += self._on_edges(context, 0)
        lost += self._on_edges(context, 1)
        found: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for node in np.flatnonzero(times.any(axis=1)):
            op = self.ops[node]
            key = (*stack_of(op), op.name, op.where, self._line(int(node)), self._lock(int(node)))
            found[key].append(int(node))
        steps = []
        for same in found.values():
            op = self.ops[same[0]]
            sums = times[same].sum(axis=0) / count
            line = self._line(same[0])
            steps.append(
                Step(
                    stack_of(op), op.name, place_of(op), line, member_of(op) if line else "",
                    self._lock(same[0]),
                    {kind: float(ns) for kind, ns in zip(KINDS, sums, strict=True) if ns},
                    float(lost[same].sum() / count),
                    float(per_node[same, r.TRANSFER, 2].sum() / count),
                )
            )  # fmt: skip
        return sorted(steps, key=lambda step: (-step.total, step.stack, step.name, step.where))

    def _on_edges(self, context: int, column: int) -> npt.NDArray[np.float64]:
        """The time on edges, given to the nodes that were folded into them, by their own times."""
        first, last = self.nodes * r.CATEGORIES, r.try_slot(self.nodes)
        spent = self.recorded.record.totals[context, first:last, column]
        given = np.zeros(self.nodes)
        for slot in np.flatnonzero(spent):
            for node, share in shares(self.recorded, int(slot) + first):
                given[node] += spent[slot] * share
        return given

    def _line(self, node: int) -> str:
        site = int(self.recorded.record.nodes[node, r.N_SITE])
        return "" if site < 0 else self.line_names[site]

    def _lock(self, node: int) -> str:
        lock = int(self.recorded.record.nodes[node, r.N_LOCK])
        return "" if lock < 0 else self.recorded.locks[lock]

    # --- lines, servers, tries, locks --------------------------------------------------------------------

    def _lines(self, steps: Sequence[Step], context: int, count: int) -> Iterator[Line]:
        pairs = self.recorded.record.pairs[context] / count
        for name in sorted({step.line for step in steps if step.line}):
            own = [step for step in steps if step.line == name]
            mine = [site for site, line in enumerate(self.line_names) if line == name]
            taken = pairs[mine].sum(axis=0)
            takers = [self._taker(int(t) - 1, *taken[t]) for t in np.flatnonzero(taken[:, 0])]
            yield Line(
                name,
                self.members[name],
                sum(step.transfers for step in own),
                sum(step.ns.get("transfer", 0.0) for step in own),
                sum(step.ns.get("line wait", 0.0) for step in own),
                tuple(sorted(takers, key=lambda one: (-one.ns, one.function, one.name, one.where))),
            )

    def _taker(self, site: int, transfers: float, ns: float) -> Taker:
        if site < 0:
            return Taker(MEMORY, "", "", "", float(transfers), float(ns))
        op = self.recorded.sites[site][0]
        return Taker(member_of(op), op.function, op.name, place_of(op), float(transfers), float(ns))

    def _servers(self, context: int, count: int) -> Iterator[Server]:
        for name, row in zip(SERVERS, self.recorded.record.servers[context] / count, strict=True):
            if row[r.V_VISITS]:
                yield Server(name, *(float(value) for value in row))

    def _tries(self, context: int, count: int) -> list[Tries]:
        events = self.recorded.world.program.events
        wide = len(self.recorded.record.roles) + 1
        rows = self.recorded.record.totals[context, r.try_slot(self.nodes) :]
        found = []
        for slot in np.flatnonzero(rows[:, 2]):
            abort, reason = divmod(int(slot), wide)
            ns, _, times = (float(value) for value in rows[slot])
            why = events[reason - 1] if reason else ""
            found.append(Tries(events[abort], why, 1000.0 * times / count, ns / times, ns / count))
        return sorted(found, key=lambda one: (-one.ns, one.abort, one.reason))

    def _locks(self) -> Iterator[Lock]:
        record = self.recorded.record
        ended = record.ended
        for number, name in enumerate(self.recorded.locks):
            row, bins = record.locks[number], record.lock_bins[number]
            if not row[r.K_TAKEN]:
                continue
            nodes = np.flatnonzero((record.nodes[:, r.N_LOCK] == number) & (ended[:, 0] > 0))
            whole = ended[nodes, 1].sum()
            enders: dict[tuple[str, str, str], float] = defaultdict(float)
            for node in nodes:
                op = self.ops[node]
                enders[op.function, op.name, place_of(op)] += float(ended[node, 1] / whole) if whole else 0.0
            named = sorted((Ender(*key, share) for key, share in enders.items()), key=lambda one: -one.share)
            yield Lock(
                name, int(row[r.K_TAKEN]), int(row[r.K_WAITED]),
                _mean(row[r.K_WAIT], row[r.K_WAITED]), percentile(bins[0], 0.99),
                _mean(row[r.K_HOLD], row[r.K_RELEASED]), percentile(bins[1], 0.99),
                int(row[r.K_LONGEST]), int(row[r.K_CONVOYS]), tuple(named),
            )  # fmt: skip


def _mean(whole: float, count: float) -> float:
    return float(whole / count) if count else float("nan")


def stack_of(op: Op) -> tuple[str, ...]:
    """The functions that lead to a primitive, the outermost first, its own last."""
    functions = [op.function]
    caller = op.caller
    while caller is not None:
        functions.append(caller.function)
        caller = caller.caller
    together = [name for name, _ in groupby(reversed(functions))]  # a patch that stacks on a hook point
    return tuple(together)


def place_of(op: Op) -> str:
    """The text's file, by its last two names, and line: "mm/fault.py:162"."""
    return "/".join(op.where.split("/")[-2:])


def member_of(op: Op) -> str:
    """The member that a step touches."""
    assert op.line is not None
    return op.line.field.member


def shares(recorded: Recorded, slot: int) -> list[tuple[int, float]]:
    """Whose time an edge's slot is, in their order on the way: nodes with their shares, 1 in all."""
    edge, part = divmod(slot - len(recorded.world.program.ops) * r.CATEGORIES, r.PARTS)
    node, outcome = divmod(edge, c.MAX_OUTCOMES)
    there = [(n, ns) for n, p, ns in recorded.folded.get((node, outcome), []) if p == part and ns > 0.0]
    whole = sum(ns for _, ns in there)
    return [(n, ns / whole) for n, ns in there] or [(node, 1.0)]


def line_names(recorded: Recorded) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """By site, what its line is called, and by that name the members that the run touches on it.

    A line has the name of the lock on it, best of one that threads sleep for, else of its first member,
    as "mm_struct.mmap_lock".
    """
    lines = recorded.world.lines
    assert lines is not None
    touched: dict[tuple[str, LineKey], dict[str, tuple[int, int, str]]] = defaultdict(dict)
    for op, key in recorded.sites:
        assert op.line is not None
        field = op.line.field
        found = touched[field.cls.name, key]
        name = spelled(field)
        offset = lines.offset(field)
        rank = min(_rank(op.code), found.get(name, (_PLAIN,))[0])
        found[name] = rank, -1 if offset is None else offset, name
    ordered = {place: [name for _, _, name in sorted(found.values())] for place, found in touched.items()}
    taken = Counter(names[0] for names in ordered.values())
    called = {
        place: names[0] if taken[names[0]] == 1 else f"{names[0]} ({place[0]})"
        for place, names in ordered.items()
    }
    by_site = [called[op.line.field.cls.name, key] for op, key in recorded.sites if op.line is not None]
    return by_site, {called[place]: tuple(names) for place, names in ordered.items()}


_PLAIN = 2


def _rank(code: int) -> int:
    """Which member a line is called by: 0 a lock that threads sleep for, 1 a spinlock, 2 anything else."""
    if c.DOWN_READ <= code < c.LOCK or c.RANGE_LOCK <= code <= c.RANGE_DOWNGRADE:
        return 0
    return 1 if c.LOCK <= code <= c.UNLOCK else _PLAIN


def spelled(field: Field) -> str:
    """A member as "mm_struct.mmap_lock"; what lies apart from its struct as it is called."""
    if field.where.how == "apart" and field.where.name:
        return field.member
    return f"{field.cls.struct or field.cls.name}.{field.member}"
