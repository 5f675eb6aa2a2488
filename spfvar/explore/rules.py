"""What a search follows: the program table, and what the reductions need to know about its nodes.

Most of it is known of a thread's program by itself, whatever the others are: a `Piece`, which searches share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Lock
from typing import Final

import numpy as np
import numpy.typing as npt

from spfvar.automata.layout import Layout
from spfvar.explore import search as k
from spfvar.explore.ahead import Successors, ends_first, successors_of
from spfvar.explore.footprints import (
    ALONE,
    EVERYTHING,
    QUEUEING,
    REST,
    WAITING,
    conflicts,
    deferred_by,
    futures_of,
    masks_of,
    running_on,
)
from spfvar.explore.options import Options
from spfvar.explore.registers import dead_at, dying_at, live_at
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c
from spfvar.ops.op import Op
from spfvar.ops.places import RANGE_WORDS, RWSEM_WORDS, SPIN_WORDS, Field, ObjectClass
from spfvar.transition.interrupts import MOST_ORDERED

Ints = npt.NDArray[np.int64]
_SUCCESSORS = slice(c.C_SUCC, c.C_SUCC + c.MAX_OUTCOMES)
_FUTURE = 3
#: Ops whose outcome is an open choice.  A load of a weak word is one where it has several messages to read,
#: and so is an interrupt in a run with weak words: in which order does it reach the other CPUs?
OPEN = (c.CHOOSE,)


@dataclass(frozen=True, slots=True)
class Piece:
    """What a search follows in one program: nodes are numbered from 0, ``resources`` are those of its masks.

    ``live``: the registers that it reads before it writes them, a bit each.
    """

    table: npt.NDArray[np.int32]
    idle: npt.NDArray[np.bool_]
    kind: Ints
    runs: npt.NDArray[np.bool_]
    masks: Ints
    resources: tuple[Hashable, ...]
    dying: npt.NDArray[np.int32]
    forgotten: npt.NDArray[np.int32]
    live: int
    _masks: dict[tuple[int, ...], Ints] = field(default_factory=dict)

    def masks_with(self, bits: Mapping[Hashable, int]) -> Ints:
        """The masks with other numbers for the resources; those without one share the last bit."""
        numbers = tuple(bits.get(resource, REST) for resource in self.resources)
        found = self._masks.get(numbers)
        if found is None:
            rest = 1 << REST
            found = self.masks & rest
            for bit, number in enumerate(numbers):
                found |= (self.masks >> bit & 1) << number
            found[self.masks == EVERYTHING] = EVERYTHING
            self._masks.clear()  # one is enough: numbers seldom change
            self._masks[numbers] = found
        return found


def piece_of(
    ops: Sequence[Op], table: npt.NDArray[np.int32], layout: Layout, deferred: Collection[ObjectClass]
) -> Piece:
    """A program's piece, in a run that defers the freeing of some classes to a grace period."""
    op = table[:, c.C_OP]
    address = int(layout.g[c.G_R_ADDR])
    successors = successors_of(table)
    order = tuple(ends_first(successors))
    masks, resources = _masks_ahead(
        tuple(ops), tuple(map(tuple, successors)), order, frozenset(deferred), layout.weak_fields
    )
    rows = table.tolist()  # plain integers: this is run for every search, and not compiled
    live = live_at(rows, address, successors, order)
    choices = (*OPEN, c.IPI_SEND) if layout.weak_words else OPEN
    dying, forgotten = dying_at(rows, live, successors)
    return Piece(
        table,
        (op == c.END) | (op == c.RCU_GP_START),
        np.array([_kind(code, layout.weak_words > 0) for code in op.tolist()], dtype=np.int64),
        np.array([code not in WAITING and code not in choices for code in op.tolist()]),
        masks,
        resources,
        dying,
        forgotten,
        live[0],
    )


@lru_cache(maxsize=512)
def _masks_ahead(
    ops: tuple[Op, ...], successors: Successors, order: tuple[int, ...], deferred: frozenset[ObjectClass],
    weak: tuple[Field, ...],
) -> tuple[Ints, tuple[Hashable, ...]]:  # fmt: skip
    """The masks of a piece, and their resources: the same wherever a race lays out what the ops are on."""
    masks, resources = masks_of(ops, deferred, weak)
    return np.hstack([running_on(ops, masks, resources), futures_of(masks, successors, order)]), resources


#: Pieces made last, by all that they follow from: several designs, both searches of a race that breaks, and a
#: race without one guard after the other have most of theirs in common.
_PIECES: Final = 512
_pieces: Final[dict[Hashable, Piece]] = {}
_pieces_lock: Final = Lock()


def _shared_piece(
    ops: Sequence[Op], table: npt.NDArray[np.int32], layout: Layout, deferred: Collection[ObjectClass]
) -> Piece:
    """`piece_of`, whose arrays nobody changes."""
    weak = layout.weak_fields, layout.weak_words > 0
    key = tuple(ops), table.tobytes(), int(layout.g[c.G_R_ADDR]), *weak, frozenset(deferred)
    with _pieces_lock:
        found = _pieces.pop(key, None)
        if found is not None:
            _pieces[key] = found  # used last, thrown away last
            return found
    found = piece_of(ops, table, layout, deferred)
    with _pieces_lock:
        while len(_pieces) >= _PIECES:
            del _pieces[next(iter(_pieces))]
        _pieces[key] = found
    return found


def _kind(code: int, weak: bool) -> int:
    # Whoever knew something of the memory's, or the page's, former words knows it no more.
    if weak and code in (c.ALLOC, c.FOLIO_CREATE):
        return k.ANY
    return k.ALONE if code in ALONE else k.QUEUEING if code in QUEUEING else k.ANY


@dataclass(frozen=True, slots=True)
class Followed:
    """The rules of a search, whose layout of keys is filled in later.

    ``dead``: words of the start state that nobody looks at.
    """

    rules: k.Rules
    dead: list[int]


def rules_of(world: RaceWorld, options: Options) -> Followed:
    """The rules of a search in a world."""
    deferred = deferred_by(world.program.ops)
    pieces = {}
    for name, first in world.program.entry.items():
        rows = slice(first, first + len(world.automata[name]))
        table = moved(world.program.table[rows], -first)
        pieces[name] = _shared_piece(world.program.ops[rows], table, world.layout, deferred)
    return join(world, pieces, options, {})


def moved(table: npt.NDArray[np.int32], by: int) -> npt.NDArray[np.int32]:
    """A program's rows, so many rows further down."""
    found = table.copy()
    successors = found[:, _SUCCESSORS]
    successors[successors >= 0] += by
    return found


def join(
    world: RaceWorld, pieces: Mapping[str, Piece], options: Options, bits: dict[Hashable, int]
) -> Followed:
    """The rules of a search in a world whose program consists of these pieces, in the table's order.

    ``bits`` are numbers of resources that are known already, and gets those that are new.
    """
    every = list(pieces.values())
    masks = _masks(every, bits)
    runs = np.concatenate([piece.runs for piece in every])
    firsts = np.cumsum([0, *(len(piece.forgotten) for piece in every[:-1])])
    dying = [piece.dying[:-1] + first for piece, first in zip(every, firsts.tolist(), strict=True)]
    last = np.array([sum(len(piece.forgotten) for piece in every)], dtype=np.int32)
    rules = k.Rules(
        world.program.table,
        world.layout.g,
        world.locks,
        world.sequences,
        np.concatenate([piece.idle for piece in every]),
        np.concatenate([piece.kind for piece in every]),
        _private(world, masks, runs),
        runs,
        masks,
        np.concatenate([*dying, last]),
        np.concatenate([*(piece.forgotten for piece in every), np.zeros(1, dtype=np.int32)]),
        groups_of(world) if options.symmetry and not _ordered(world) else np.zeros((0, 2), dtype=np.int64),
        owners_of(world.layout),
        np.zeros((0, 3), dtype=np.int64),
        options.merge,
        options.forget,
        options.partial_order,
        options.first,
        world.weak,
    )
    return Followed(rules, _dead_words(world, pieces) if options.forget else [])


def _ordered(world: RaceWorld) -> bool:
    """Does the number of a thread matter?  It does where an interrupt does not reach CPUs in every order."""
    if world.weak is None or world.threads <= MOST_ORDERED + 1:
        return False
    spaces = world.weak.spaces
    for sender, name in enumerate(_programs(world)):
        sends = [op for op in world.automata[name].ops() if op.code == c.IPI_SEND]
        others = np.delete(spaces, sender)
        each = [int((others >> space & 1).sum()) for space in range(int(spaces.max()).bit_length())]
        if any((len(others) if op.src is None else max(each, default=0)) > MOST_ORDERED for op in sends):
            return True
    return False


def _masks(pieces: Sequence[Piece], bits: dict[Hashable, int]) -> Ints:
    """All masks, each resource of all pieces with the same bit; a bit of its own as long as there are any."""
    resources = dict.fromkeys(resource for piece in pieces for resource in piece.resources)
    if sum(resource not in bits for resource in resources) + len(bits) > REST:
        bits = {}
    for resource in resources:
        if resource not in bits and len(bits) < REST:
            bits[resource] = len(bits)
    return np.ascontiguousarray(np.vstack([piece.masks_with(bits) for piece in pieces]))


def _programs(world: RaceWorld) -> list[str]:
    """The program that each thread runs."""
    entry = world.program.entry
    pcs = [int(world.start[world.layout.thread_base(thread) + c.T_PC]) for thread in range(world.threads)]
    return [next(n for n in entry if 0 <= pc - entry[n] < len(world.automata[n])) for pc in pcs]


def _private(world: RaceWorld, masks: Ints, runs: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """By node: does nothing that another thread ever does conflict with it?"""
    entry = world.program.entry
    threads = Counter(_programs(world))
    private = runs.copy()
    for name in threads:
        rivals = np.zeros(_FUTURE, dtype=np.int64)
        for other in threads:
            if other != name or threads[name] > 1:
                rivals |= masks[entry[other], _FUTURE:]
        rows = slice(entry[name], entry[name] + len(world.automata[name]))
        private[rows] &= ~conflicts(masks[rows], rivals)
    return private


def groups_of(world: RaceWorld) -> Ints:
    """First thread and number of the threads of each actor that has several."""
    groups = [
        (world.groups.index(group), world.groups.count(group))
        for group in dict.fromkeys(world.groups)
        if world.groups.count(group) > 1
    ]
    return np.array(groups, dtype=np.int64).reshape(-1, 2)


#: The words of a lock that hold the number of a thread + 1, by the lock's width.
_OWNERS: dict[int, tuple[int, ...]] = {RWSEM_WORDS: (1, 2, 3), SPIN_WORDS: (0, 1, 2), RANGE_WORDS: ()}


def owners_of(layout: Layout) -> Ints:
    """Every word of memory that holds the number of a thread + 1."""
    words = [
        layout.word(field, index) + word
        for field in layout.field_offset
        if field.width > 1
        for index in range(layout.sizes.count(field.cls))
        for word in _OWNERS[field.width]
    ]
    return np.array(words, dtype=np.int64)


def _dead_words(world: RaceWorld, pieces: Mapping[str, Piece]) -> list[int]:
    """The registers that are dead at the threads' entries, as words of the state."""
    layout = world.layout
    registers = c.T_FIXED + len(layout.registers)
    return [
        layout.thread_base(thread) + word
        for thread, name in enumerate(_programs(world))
        for word in dead_at(pieces[name].live, registers)
    ]
