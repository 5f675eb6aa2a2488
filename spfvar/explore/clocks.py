"""Who knows which stores: vector clocks along a path, by the rules that views of weak words follow.

A clock has a number for each thread: so many of its stores are known.  The rules are those of
`spfvar.transition.weak`, for every word: strong ones with an order count like weak ones, and what is found in
the VMA tree or in page tables comes with what its writer had done before, as the kernel publishes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Final

from spfvar.ops import codes as c
from spfvar.ops import histories as h
from spfvar.ops.op import Op

Clock = list[int]

TAKING: Final = (
    c.DOWN_READ, c.DOWN_READ_TRYLOCK, c.DOWN_WRITE, c.LOCK, c.TRYLOCK, c.RANGE_LOCK, c.RANGE_TRYLOCK,
    c.RANGE_WAIT,
)  # fmt: skip
RELEASING: Final = (c.UP_READ, c.UP_WRITE, c.DOWNGRADE_WRITE, c.UNLOCK, c.RANGE_UNLOCK, c.RANGE_DOWNGRADE)


def join(clock: Clock, *others: Sequence[int]) -> None:
    """Let a clock know what others know."""
    for other in others:
        for thread, stores in enumerate(other):
            clock[thread] = max(clock[thread], stores)


class Clocks:
    """What each thread knows (``known``), has ``read``, sends along with a store, left at its last unlock."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.known = [self.nothing() for _ in range(threads)]
        self.read = [self.nothing() for _ in range(threads)]
        self._sent = [self.nothing() for _ in range(threads)]
        self._unlocked = [self.nothing() for _ in range(threads)]
        self._unlocked_stores = [self.nothing() for _ in range(threads)]
        self._full = self.nothing()
        self._grace = self.nothing()
        self._readers = self.nothing()
        self._callbacks = self.nothing()
        self._locks: dict[Hashable, tuple[Clock, Clock]] = defaultdict(
            lambda: (self.nothing(), self.nothing())
        )
        self._memory: dict[Hashable, Clock] = defaultdict(self.nothing)
        self._registers: dict[tuple[int, Hashable], Clock] = {}

    def nothing(self) -> Clock:
        """The clock of who knows no store."""
        return [0] * self.threads

    def store(self, thread: int) -> int:
        """Count a store; its number."""
        self.known[thread][thread] += 1
        return self.known[thread][thread]

    def own(self, thread: int) -> Clock:
        """What a thread has stored itself."""
        clock = self.nothing()
        clock[thread] = self.known[thread][thread]
        return clock

    def carried(self, thread: int, release: bool) -> Clock:
        """What goes along with a store that a thread has just counted."""
        clock = self.nothing()
        join(clock, self._sent[thread])
        if release:
            join(clock, self.read[thread], self.own(thread))
        return clock

    def has_read(self, thread: int, brings: Clock, order: int) -> None:
        """A thread has read a store that brings this along."""
        if order & h.QUIET == 0:
            join(self.read[thread], brings)
        if order & (h.ACQUIRE | h.FULL):
            join(self.known[thread], brings)

    # --- registers: address dependencies ----------------------------------------------------------

    def depends(self, thread: int, register: Hashable, brings: Clock | None) -> None:
        """What a thread reaches through a register comes behind this."""
        if brings is None:
            self._registers.pop((thread, register), None)
        else:
            self._registers[thread, register] = brings

    def through(self, thread: int, register: Hashable) -> Clock:
        """What is known of what is reached through a register, besides what its thread knows."""
        return self._registers.get((thread, register)) or self.nothing()

    # --- barriers ---------------------------------------------------------------------------------

    def fence(self, thread: int, order: int) -> None:
        """A barrier of some kind."""
        if order & h.MB:
            self.full_fence(thread)
        if order & h.RMB:
            join(self.known[thread], self.read[thread])
        if order & h.WMB:
            join(self._sent[thread], self.own(thread))

    def full_fence(self, thread: int) -> None:
        """smp_mb()."""
        join(self._sent[thread], self.read[thread], self.own(thread))
        join(self._full, self._sent[thread])
        join(self.known[thread], self._full)
        join(self._sent[thread], self._full)

    # --- what the kernel synchronises by ----------------------------------------------------------

    def locked(self, thread: int, lock: Hashable) -> None:
        """A lock was taken."""
        behind, stores = self._locks[lock]
        join(self.read[thread], behind)
        join(self.known[thread], behind, self._unlocked[thread])
        join(self._sent[thread], stores, self._unlocked_stores[thread])

    def unlocked(self, thread: int, lock: Hashable) -> None:
        """A lock was released."""
        behind, stores = self._locks[lock]
        join(self._unlocked[thread], self.read[thread], self.own(thread))
        join(self._unlocked_stores[thread], self.own(thread), self._sent[thread])
        join(behind, self._unlocked[thread])
        join(stores, self._unlocked_stores[thread])

    def freed(self, thread: int, cls: Hashable) -> None:
        """An object went back to the allocator."""
        join(self._memory[cls], self.read[thread], self.own(thread))

    def allocated(self, thread: int, cls: Hashable) -> None:
        """An object came from it."""
        join(self.read[thread], self._memory[cls])
        join(self.known[thread], self._memory[cls])

    def other(self, thread: int, op: Op, nested: int, interrupted: Sequence[int] = ()) -> None:
        """RCU and interrupts.

        ``nested``: RCU sections that the thread was in; ``interrupted``: whom an interrupt is sent to.
        """
        code = op.code
        if code in (c.RCU_READ_LOCK, c.IRQ_DISABLE, c.SRCU_READ_LOCK):
            if nested == 0 or code == c.SRCU_READ_LOCK:
                join(self.known[thread], self._grace)
        elif code in (c.RCU_READ_UNLOCK, c.IRQ_ENABLE, c.SRCU_READ_UNLOCK):
            if code == c.IRQ_ENABLE:
                self.full_fence(thread)
            if nested == 1 or code == c.SRCU_READ_UNLOCK:
                join(self._readers, self.read[thread], self.own(thread))
        elif code == c.CALL_RCU:
            join(self._callbacks, self.read[thread], self.own(thread))
        elif code == c.RCU_GP_START:
            join(self.read[thread], self._callbacks)
            self.full_fence(thread)
            join(self._grace, self._full)
        elif code == c.RCU_GP_WAIT:
            join(self.read[thread], self._readers)
            self.full_fence(thread)
        elif code == c.IPI_SEND:
            for one in (*interrupted, thread):
                self.full_fence(one)
        elif code == c.IPI_WAIT:
            self.full_fence(thread)
