"""Running a search: memory, budget, progress; and what it found."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spfvar.explore import search as k
from spfvar.explore.livelock import larger_edges, new_edges, trapped
from spfvar.explore.options import Options
from spfvar.explore.parts import Keys, Store, larger_store, new_store, refill_keys
from spfvar.explore.rules import Followed, rules_of
from spfvar.explore.sights import forget_forms, new_sights, stores_of, with_parts
from spfvar.explore.world import LANE, RaceWorld, with_histories
from spfvar.ops import codes as c
from spfvar.ops.histories import HISTORY, READABLE, ROOMS
from spfvar.transition.views import SEEN_FULL, TRIES_RUNS, TRIES_STORES

_FIRST_STATES = 1 << 12  # powers of 2, and more than a batch
_FIRST_PARTS = 1 << 9
_FIRST_EDGES = 1 << 14
_FIRST_SLICE = 256
_LAST_SLICE = 100_000
_MOST_BITS = k.MAX_PARTS.bit_length()  # of the number of a part in a key
_FANOUT = 8  # more successors than an expanded state has new ones, mostly
_MEMO = 1 << 22
#: Canonical forms that are remembered, at most.
_SETTLED = 1 << 20
#: Why a search ended that has to begin again with longer histories.
TOO_SMALL = "history full"


@dataclass(frozen=True, slots=True)
class Violation:
    """A property that does not hold: its code, the last state and the way out of it, the node blamed.

    ``state`` and ``way`` are the search's own; ways by the threads' real numbers are `Exploration.ways_of`.
    """

    code: int
    state: int
    way: int
    node: int


@dataclass(slots=True)
class Exploration:
    """What a search found.  ``why`` says which bound an incomplete one hit."""

    complete: bool
    why: str
    violations: list[Violation]
    states: int
    transitions: int
    depth: int
    ends: int
    seconds: float
    covered: npt.NDArray[np.uint8]
    memory: int
    search: Search = field(repr=False)

    def ways_to(self, state: int) -> list[int]:
        """The ways from the start to a stored state: one primitive each, by the threads' real numbers."""
        return self._ways(state)[0]

    def ways_of(self, violation: Violation) -> list[int]:
        """The ways from the start to a violation, the one that violates included."""
        ways, names = self._ways(violation.state)
        if violation.way != k.AT_REST:
            ways.append(names[violation.way // k.WAYS] * k.WAYS + violation.way % k.WAYS)
        return ways

    def _ways(self, state: int) -> tuple[list[int], list[int]]:
        path: list[tuple[int, int]] = []
        space = self.search.space
        while space.parent[state] >= 0:
            path.append((int(space.parent[state]), int(space.way[state])))
            state = path[-1][0]
        names = list(range(self.search.threads))  # the real number of each thread of the stored state
        ways: list[int] = []
        for before, way in reversed(path):
            ways += self._follow(before, way, names)
            names = [names[old] for old in self.search.work.order.tolist()]
        return ways, names

    def _follow(self, state: int, way: int, names: list[int]) -> list[int]:
        work = self.search.work
        work.counters[k.N_HEAD] = state
        work.counters[k.N_LEVEL_END] = state + 1
        k.search(self.search.space, _found(), work, self.search.rules, 1, way)
        ways = work.trail[: work.counters[k.N_TRAIL]].tolist()
        return [names[w // k.WAYS] * k.WAYS + w % k.WAYS for w in ways]


class Search:
    """The arrays of a search, enlarged as needed, within bounds."""

    def __init__(self, world: RaceWorld, options: Options, followed: Followed | None = None) -> None:
        """``followed``: the rules, if they are known already."""
        self.options = options
        self.world = world
        self.threads = world.threads
        followed = followed or rules_of(world, options)
        self.rules = followed.rules
        width = world.layout.thread_stride // LANE
        memory = len(world.start) // LANE - self.threads * width
        weak = world.weak
        histories = 0 if weak is None else memory - world.layout.rings // LANE
        self.margin = 2 * (self.threads + 1)  # parts that one successor may add
        self.space = k.Space(
            new_store(_FIRST_PARTS, width),
            new_store(_FIRST_PARTS, memory if weak is None else memory - histories + 1),
            None if weak is None else new_store(_FIRST_PARTS, histories),
            None if weak is None else np.zeros(_FIRST_PARTS, dtype=np.int32),
            new_keys(_FIRST_STATES, 1),
            np.zeros(_FIRST_STATES, dtype=np.int32),
            np.zeros(_FIRST_STATES, dtype=np.int16),
            np.zeros((_FIRST_STATES, 2), dtype=np.int64),
            None if weak is None else new_sights(weak, width, self.threads, _FIRST_PARTS, _FIRST_STATES),
            new_edges(_FIRST_EDGES if options.livelock else 0),
        )
        self.work = new_work(world)
        self._pack()
        self._dead = followed.dead
        self._begin()

    @property
    def followed(self) -> Followed:
        """The rules, for another search of the same world."""
        return Followed(self.rules, self._dead)

    def _begin(self) -> None:
        self.work.s[self._dead] = -1
        k.prepare(self.space, self.work, self.rules)

    def restart(self, start: npt.NDArray[np.int16]) -> None:
        """Search again, from another start state of the same program, whose threads begin at the same nodes.

        What is known of parts of states, and of what primitives do to them, is kept.
        """
        space, work = self.space, self.work
        used = self.states
        space.keys.rows[:used] = 0
        space.keys.buckets[:] = 0
        space.keys.used[0] = 0
        space.edges.used[0] = 0
        work.covered[:] = 0
        work.counters[:] = 0
        work.s[:] = start
        weak = self.rules.weak
        if weak is not None and weak.seen.any():  # what is remembered would not be noted again
            weak.seen[:] = 0
            space.memo[:] = 0
        self._begin()

    @property
    def states(self) -> int:
        """Stored states."""
        return int(self.space.keys.used[0])

    def bytes(self) -> int:
        """Memory that the arrays take."""
        space = self.space
        arrays = [*space.keys, space.parent, space.way, space.memo, *space.edges]
        for store in self._stores():
            arrays += store
        if space.sights is not None:
            arrays.append(space.belongs)
            arrays += [array for array in space.sights if isinstance(array, np.ndarray)]
        return sum(array.nbytes for array in arrays)

    def words_of(self, state: int) -> npt.NDArray[np.int16]:
        """The words of a stored state: memory's, and each thread's behind them."""
        space, key = self.space, self.space.keys.rows[state]
        *threads, memory = [int(key[word]) >> bit & mask for word, bit, mask in self.rules.fields.tolist()]
        lanes = [space.memories.rows[memory - 1]]
        if space.histories is not None:  # memory's part ends with the number of theirs
            lanes = [lanes[0][:-1], space.histories.rows[lanes[0][-1]]]
        return np.concatenate([*lanes, *(space.threads.rows[part] for part in threads)]).view(np.int16)

    def _stores(self) -> list[Store]:
        """The stores of parts, and of what is known of them."""
        space = self.space
        weak = [] if space.sights is None else [space.histories, *stores_of(space.sights).values()]
        return [space.threads, space.memories, *weak]

    def enlarge(self) -> str:
        """Make room for the next states; returns the bound that forbids it, or nothing."""
        space = self.space
        if self.states >= self.options.max_states:
            return "max-states"
        full = [store for store in self._stores() if self._is_full(store, self.margin)]
        ways = k.BATCH + self.threads * (c.MAX_OUTCOMES if self.rules.weak is None else READABLE)
        keys_full = self._is_full(space.keys, ways)
        growing: list[Any] = [*full, *([space.keys] if keys_full else [])]
        edges_full = bool(self.options.livelock and space.edges.used[0] + ways > len(space.edges.source))
        growing += [space.edges] if edges_full else []
        more = sum(2 * array.nbytes for store in growing for array in store)
        most = self.options.max_bytes
        if most is not None and self.bytes() + more > most:
            return "memory"
        if full:
            if max(2 * len(store.rows) for store in full) > k.MAX_PARTS:
                return "memory"
            self._enlarge_stores()
            room = self.rules.fields[:, 2]
            if any(mask.bit_length() < bits for mask, bits in zip(room.tolist(), self._bits(), strict=True)):
                self._pack()
        if keys_full:
            self._enlarge_keys()
        if edges_full:
            self.space = self.space._replace(edges=larger_edges(space.edges))
        return ""

    def _is_full(self, store: Any, margin: int) -> bool:
        return bool(store.used[0] + margin > len(store.rows))

    def _enlarge_stores(self) -> None:
        """Make room in those that are full."""

        def roomy(store: Store) -> Store:
            return larger_store(store) if self._is_full(store, self.margin) else store

        space = self.space
        space = space._replace(threads=roomy(space.threads), memories=roomy(space.memories))
        if space.sights is not None:
            space = space._replace(histories=roomy(space.histories))
            sights = space.sights._replace(
                **{name: roomy(store) for name, store in stores_of(space.sights).items()}
            )
            sights = with_parts(sights, len(space.histories.rows), len(space.memories.rows))
            belongs = np.zeros(len(space.memories.rows), dtype=np.int32)
            belongs[: len(space.belongs)] = space.belongs
            space = space._replace(sights=sights, belongs=belongs)
        self.space = space

    def _enlarge_keys(self) -> None:
        space, used = self.space, self.states
        keys = new_keys(2 * len(space.keys.rows), space.keys.rows.shape[1])
        keys.rows[:used] = space.keys.rows[:used]
        keys.used[0] = used
        refill_keys(keys)
        memo, sights = space.memo, space.sights
        if len(memo) < min(_MEMO, len(keys.rows)):
            memo = np.zeros((2 * len(memo), 2), dtype=np.int64)
        if sights is not None and len(sights.settled) < min(_SETTLED, len(keys.rows)):
            sights = forget_forms(sights, 2 * len(sights.settled))
        self.space = space._replace(
            keys=keys,
            parent=np.concatenate([space.parent, np.zeros_like(space.parent)]),
            way=np.concatenate([space.way, np.zeros_like(space.way)]),
            memo=memo,
            sights=sights,
        )

    def _bits(self) -> list[int]:
        """The bits that each part's number may need in a key; memory's is last, and one more than it is."""
        bits = [(len(self.space.threads.rows) - 1).bit_length()] * self.threads
        return [*bits, len(self.space.memories.rows).bit_length()]

    def _pack(self) -> None:
        """Give each part as many bits of the key as its number may need, and what is left besides."""
        space, old = self.space, self.rules.fields
        fields, words = fields_of(self._bits())
        used = self.states
        keys = new_keys(len(space.keys.rows), words)
        for (old_word, old_bit, mask), (word, bit, _) in zip(
            old.tolist(), fields.tolist(), strict=bool(used)
        ):
            part = (space.keys.rows[:used, old_word] >> old_bit) & mask
            keys.rows[:used, word] |= part << bit
        keys.used[0] = used
        refill_keys(keys)
        self.space = space._replace(keys=keys)
        self.rules = self.rules._replace(fields=fields)
        self.work = self.work._replace(batch=np.zeros((k.BATCH, words), dtype=np.int64))


def fields_of(needed: list[int]) -> tuple[npt.NDArray[np.int64], int]:
    """Where each part's number lies in a key (its word, first bit and mask), and the words of a key.

    Each has the bits that are ``needed``, memory's last, and a share of what the words have left: numbers may
    grow into it without packing all keys again.  Memory gets at least half of it, for it has the most parts.
    """
    *threads, memory = needed
    fields, words = _fields(needed)
    spare = 64 * words - sum(needed)
    for each in range(spare // (2 * len(threads)), -1, -1):
        wider = [*(bits + each for bits in threads), memory + spare - each * len(threads)]
        found, same = _fields([min(bits, _MOST_BITS) for bits in wider])
        if same == words:
            return found, words
    return fields, words


def _fields(bits: list[int]) -> tuple[npt.NDArray[np.int64], int]:
    """Fields of just so many bits.

    Memory, the last part, comes first, for its number is never 0 in a key, so that no key's first word is.
    """
    fields = []
    word, bit = 0, 0
    for width in [bits[-1], *bits[:-1]]:
        if bit + width > 64:
            word, bit = word + 1, 0
        fields.append((word, bit, (1 << width) - 1))
        bit += width
    return np.array(fields[1:] + fields[:1], dtype=np.int64), word + 1


def new_keys(capacity: int, words: int) -> Keys:
    """No states; the capacity is a power of 2."""
    return Keys(
        np.zeros((capacity, words), dtype=np.int64),
        np.zeros((2 * capacity, words + 1), dtype=np.int64),
        np.zeros(1, dtype=np.int64),
    )


def new_work(world: RaceWorld) -> k.Work:
    """Scratch for a search, at the start state."""

    def numbers(length: int) -> npt.NDArray[np.int64]:
        return np.zeros(length, dtype=np.int64)

    s, t = world.start.copy(), world.start.copy()
    threads = world.threads
    return k.Work(
        s=s,
        lanes=s.view(np.int64),
        loaded=numbers(threads + 2),
        t=t,
        t_lanes=t.view(np.int64),
        out=np.zeros(c.OUT_WOKEN0 + threads, dtype=np.int32),
        head=numbers(threads + 1),
        parts=numbers(threads + 1),
        seen=numbers(threads + 2),
        order=numbers(threads),
        name=numbers(threads),
        batch=np.zeros((k.BATCH, 1), dtype=np.int64),
        slot=numbers(k.BATCH),
        parent=numbers(k.BATCH + 1),
        way=numbers(k.BATCH),
        trail=numbers(k.MERGED),
        covered=np.zeros(len(world.program.table) * c.MAX_OUTCOMES, dtype=np.uint8),
        counters=numbers(k.COUNTERS),
    )


def explore(
    world: RaceWorld,
    options: Options = Options(),  # noqa: B008
    progress: Callable[[int, int, float], None] | None = None,
    followed: Followed | None = None,
) -> Exploration:
    """Search every reachable state; ``progress`` is told states, transitions and seconds now and then.

    ``followed``: the rules, if they are known; of a world with weak words they depend on its histories.

    With weak words, it is first tried with short histories, for states are smaller then; where one is full,
    the race is searched again with longer ones.
    """
    spent = 0.0
    weak = world.weak
    if weak is not None and not weak.seen[SEEN_FULL]:  # else the longest were too short already
        seen, stale = weak.seen.copy(), weak.stale.copy()
        for history in ROOMS:
            if history >= world.layout.history:
                break
            tries = TRIES_RUNS if history < HISTORY else TRIES_STORES
            found = run(Search(with_histories(world, history, tries), options), progress)
            spent += found.seconds
            if found.why != TOO_SMALL:
                return replace(found, seconds=spent)
            weak.seen[:], weak.stale[:] = seen, stale
    found = run(Search(world, options, followed), progress)
    return replace(found, seconds=spent + found.seconds)


def run(search: Search, progress: Callable[[int, int, float], None] | None = None) -> Exploration:
    """Search on from where a new, or restarted, search stands: at its start."""
    options = search.options
    counters = search.work.counters
    found = _found()
    # Without a budget it does nothing but get compiled, which is no part of the search's time.
    k.search(search.space, found, search.work, search.rules, 0, -1)
    began = time.perf_counter()
    why = ""
    budget = _FIRST_SLICE
    while True:
        # Slices are the same on every machine, for where the last one ends decides what has been found.
        budget = max(1, min(budget, (options.max_states - search.states) // _FANOUT))
        status = k.search(search.space, found, search.work, search.rules, budget, -1)
        now = time.perf_counter()
        if status in (k.COMPLETE, k.FOUND):
            break
        if status == k.TOO_SMALL:
            why = TOO_SMALL
            break
        if status == k.FULL:
            why = search.enlarge()
        elif search.states >= options.max_states:
            why = "max-states"
        else:
            budget = min(2 * budget, _LAST_SLICE)
        if not why and now - began > options.seconds:
            why = "timeout"
        if why:
            break
        if progress is not None:
            progress(search.states, int(counters[k.N_TRANSITIONS]), now - began)
    violations = _violations(found)
    if status == k.COMPLETE and options.livelock:
        state = trapped(search.space.edges, search.states)
        if state >= 0:
            violations.append(Violation(c.V_LIVELOCK, state, k.AT_REST, -1))
    return Exploration(
        status == k.COMPLETE,
        why,
        violations,
        search.states,
        int(counters[k.N_TRANSITIONS]),
        int(counters[k.N_DEPTH]),
        int(counters[k.N_ENDS]),
        time.perf_counter() - began,
        search.work.covered,
        search.bytes(),
        search,
    )


def _found() -> k.Found:
    return k.Found(*(np.full(k.VIOLATIONS, -1, dtype=np.int64) for _ in range(3)))


def _violations(found: k.Found) -> list[Violation]:
    """Shortest first."""
    codes = [code for code in range(k.VIOLATIONS) if found.state[code] >= 0]
    codes.sort(key=lambda code: int(found.state[code]))
    return [
        Violation(code, int(found.state[code]), int(found.way[code]), int(found.node[code])) for code in codes
    ]
