"""Shorter ways to the same violation: a random walk does much that has nothing to do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice

from spfvar.explore.moves import Walker
from spfvar.explore.search import WAYS
from spfvar.explore.world import RaceWorld
from spfvar.ops import codes as c

#: Paths that are tried, which bounds the work on a long one to a few seconds.
_TRIES = 3_000


@dataclass(frozen=True, slots=True)
class Path:
    """Ways from the start to a violation, one primitive each; the node to blame (-1: the state at rest)."""

    ways: tuple[int, ...]
    node: int

    @property
    def size(self) -> tuple[int, int]:
        """What is to be made small: the primitives, then how often another thread goes on."""
        return len(self.ways), len(_runs(self.ways))


def shortened(world: RaceWorld, ways: Sequence[int], code: int) -> Path:
    """A path to the same violation with fewer primitives, and fewer changes from one thread to another.

    Whole threads, runs of one thread's primitives and the second halves of runs are left out, the last ones
    first, and runs are put behind the thread's run before, as long as the rest still gets there.  There
    may be shorter paths: this is no search.
    """
    best = follow(world, ways, code)
    if best is None:
        raise ValueError("the ways do not lead to the violation")
    tries, size = _TRIES, (0, 0)
    while best.size != size:
        size = best.size
        for changes in _CHANGES:
            number = _count(changes, best.ways)
            while number > 0 and tries > 0:
                number = min(number, _count(changes, best.ways)) - 1
                changed = next(islice(changes(best.ways), number, None), None)
                path = follow(world, changed, code) if changed is not None else None
                if path is not None and path.size < best.size:
                    best = path
                tries -= 1
    return best


def follow(world: RaceWorld, ways: Sequence[int], code: int) -> Path | None:
    """The path along those of the ways that can be gone; None if it does not lead to the violation."""
    walker = Walker(world)
    gone: list[int] = []
    for wanted in ways:
        thread, choice = divmod(wanted, WAYS)
        way = thread * WAYS + (choice if choice < walker.choices(thread) else 0)
        move = walker.go(way)
        if move.idle:
            continue
        gone.append(way)
        if move.outcome == c.VIOLATED:
            found = int(move.after[int(world.layout.g[c.G_VIOLATION])])
            return Path(tuple(gone), move.node) if found == code else None
    return Path(tuple(gone), -1) if walker.at_rest() and walker.wrong_at_rest() == code else None


def _runs(ways: Sequence[int]) -> list[list[int]]:
    """Primitives that one thread executes one after the other."""
    return [list(run) for _, run in groupby(ways, key=lambda way: way // WAYS)]


def _without_a_thread(ways: Sequence[int]) -> Iterator[list[int]]:
    for thread in sorted({way // WAYS for way in ways}):
        yield [way for way in ways if way // WAYS != thread]


def _without_a_run(ways: Sequence[int]) -> Iterator[list[int]]:
    runs = _runs(ways)
    for number in range(len(runs)):
        yield list(chain(*runs[:number], *runs[number + 1 :]))


def _without_half_a_run(ways: Sequence[int]) -> Iterator[list[int]]:
    runs = _runs(ways)
    for number, run in enumerate(runs):
        if len(run) > 1:
            yield list(chain(*runs[:number], run[: len(run) // 2], *runs[number + 1 :]))


def _joined(ways: Sequence[int]) -> Iterator[list[int]]:
    """A run behind the one before of its thread."""
    runs = _runs(ways)
    for number, run in enumerate(runs):
        earlier = [i for i in range(number) if runs[i][0] // WAYS == run[0] // WAYS]
        if earlier:
            there = earlier[-1] + 1
            yield list(chain(*runs[:there], run, *runs[there:number], *runs[number + 1 :]))


_CHANGES: tuple[Callable[[Sequence[int]], Iterator[list[int]]], ...] = (
    _without_a_thread,
    _without_a_run,
    _without_half_a_run,
    _joined,
)


def _count(changes: Callable[[Sequence[int]], Iterator[list[int]]], ways: Sequence[int]) -> int:
    return sum(1 for _ in changes(ways))
