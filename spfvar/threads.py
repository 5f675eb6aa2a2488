"""Threads that do tasks which do not hold the GIL, and that Ctrl-C ends wherever it comes.

Not those of `concurrent.futures`: its locks are Python's own, and an interrupt that comes while one is taken
leaves it taken, for which the threads that end their tasks then wait for ever.

Two *lanes* of such work can run beside one another, so that one that does hold the GIL, or comes to its last
tasks, leaves no core idle.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from queue import Empty, SimpleQueue
from threading import Condition, Thread, local
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

#: Raises once nobody wants the lane's result any more.
Watch = Callable[[], None]


def in_threads(
    do: Callable[[T], R], tasks: Iterable[T], jobs: int, stop: Callable[[], None]
) -> Generator[tuple[int, R], None, None]:
    """Number and result of each task, as they are finished; all are given out at once.

    What a task raises is raised here.  Then, after an interrupt, and where the generator is closed, nothing
    more is begun, and ``stop`` is called, which tells what still runs to end soon.  In a lane of `beside`
    tasks take turns with those of the other one.
    """
    lane: _Lane | None = getattr(_here, "lane", None)
    todo: SimpleQueue[tuple[int, T] | None] = SimpleQueue()
    done: SimpleQueue[tuple[int, R | BaseException]] = SimpleQueue()
    given = 0
    for task in tasks:
        todo.put((given, task))
        given += 1
    if lane is not None:
        lane.todo = todo
    threads = [Thread(target=_serve, args=(do, todo, done, lane)) for _ in range(min(jobs, given))]
    try:
        for thread in threads:
            thread.start()
        for _ in range(given):
            number, found = done.get()
            if isinstance(found, BaseException):
                raise found
            yield number, found
    except BaseException:
        with suppress(Empty):
            while True:
                todo.get_nowait()
        stop()
        raise
    finally:
        if lane is not None:
            lane.todo = SimpleQueue()
        for _ in threads:
            todo.put(None)
        for thread in threads:
            if thread.ident is not None:  # it was started
                thread.join()


def _serve(
    do: Callable[[T], R],
    todo: SimpleQueue[tuple[int, T] | None],
    done: SimpleQueue[tuple[int, R | BaseException]],
    lane: _Lane | None,
) -> None:
    """Do what is to be done until there is a None."""
    while (task := todo.get()) is not None:
        try:
            with nullcontext() if lane is None else lane.turn():
                done.put((task[0], do(task[1])))
        except BaseException as error:  # raised where it was asked for
            done.put((task[0], error))


# --- two lanes -----------------------------------------------------------------------------------


def beside(first: Callable[[Watch], T], second: Callable[[Watch], R], jobs: int) -> tuple[T, R]:
    """What two lanes return: one in the thread that calls, one in a thread of its own.

    Tasks that they give to `in_threads` share ``jobs``: half of them each, or all while the other lane has
    none.  Each lane has to call what it is given now and then: it raises once the other one has failed, or
    was interrupted.  What a lane raises is raised here, when neither runs any more.
    """
    failed: list[BaseException] = []
    ended: SimpleQueue[list[R]] = SimpleQueue()

    def watch() -> None:
        if failed:
            raise _OverError

    def serve() -> None:
        found = []
        try:
            with theirs.entered():
                found.append(second(watch))
        except BaseException as error:
            failed.append(error)
        ended.put(found)

    mine, theirs = _Places(jobs).lanes
    thread = Thread(target=serve)
    found: list[T] = []
    other: list[R] = []
    try:
        thread.start()
        with mine.entered():
            found.append(first(watch))
        other = ended.get()  # not join, which if it is interrupted believes that the thread has ended
    except _OverError:
        pass
    except BaseException as error:
        failed.insert(0, error)  # an interrupt ends processes of the other lane, which then fails, too
    if thread.ident is not None:  # it was started
        thread.join()
    if failed:
        raise failed[0]
    return found[0], other[0]


@contextmanager
def places(count: int) -> Iterator[None]:
    """In a lane of `beside`: so many tasks, at most its share, that are done elsewhere, as by processes."""
    lane: _Lane | None = getattr(_here, "lane", None)
    with ExitStack() as taken:
        if lane is not None:
            for _ in range(count):
                taken.enter_context(lane.turn())
        yield


class _OverError(Exception):
    """The other lane failed."""


class _Places:
    """Where tasks of two lanes are done, so many at a time.

    Only threads that do tasks wait here: an interrupt, which the main thread gets, leaves no lock taken.
    """

    def __init__(self, places: int) -> None:
        self.free = places
        self.changed = Condition()
        self.lanes = (_Lane(self, 0), _Lane(self, 1))


class _Lane:
    """``todo``: tasks that nobody has begun."""

    def __init__(self, places: _Places, number: int) -> None:
        self.todo: SimpleQueue[Any] = SimpleQueue()
        self._places = places
        self._number = number
        self._has, self._waits = 0, 0

    @contextmanager
    def entered(self) -> Iterator[None]:
        """This thread is the lane."""
        _here.lane = self
        try:
            yield
        finally:
            del _here.lane

    @contextmanager
    def turn(self) -> Iterator[None]:
        """A place for a task; if both lanes want one, the lane that has fewer gets it."""
        with self._places.changed:
            self._waits += 1
            self._places.changed.wait_for(self._is_next)
            self._waits -= 1
            self._take(1)
        try:
            yield
        finally:
            with self._places.changed:
                self._take(-1)

    def _take(self, places: int) -> None:
        self._has += places
        self._places.free -= places
        self._places.changed.notify_all()

    def _is_next(self) -> bool:
        other = self._places.lanes[1 - self._number]
        wants = other._waits or not other.todo.empty()
        return self._places.free > 0 and (not wants or self._has <= other._has)


#: The lane that a thread is, if it is one.
_here = local()
